"""Two-way texting with one gate in front of every message."""
