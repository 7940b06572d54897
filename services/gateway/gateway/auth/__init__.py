"""People, keys and sessions: who comes in and what they may do."""
