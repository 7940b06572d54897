"""Viewings that are never booked twice.

Stores have weekly hours; associates and rooms are resources; a viewing books its resources for its time and a buffer
after it, and the database itself refuses an overlap.
"""
