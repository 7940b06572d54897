"""Viewings that are never booked twice."""
