"""Mechanisms that every service shares. No word of the business is said in here."""
