"""What a house knows of its clients, and the rules on it. Pure: no proto, no SQL, no clock."""
