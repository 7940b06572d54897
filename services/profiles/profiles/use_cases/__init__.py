"""What the service does: each function opens its transaction, decides, and says what happened."""
