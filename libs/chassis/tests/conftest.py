"""Make the made-up service's fixtures known to the tests beside this file."""

from toy import database, make_toy, toy_settings

__all__ = ["database", "make_toy", "toy_settings"]
