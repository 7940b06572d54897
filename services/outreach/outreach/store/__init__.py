"""Every SQL statement of outreach, by aggregate. Must not decide anything."""
