"""What is said to clients: drafts and what they cost. Must never see a score, a sum or a silence."""
