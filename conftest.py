"""Make the platform's fixtures known to every test."""

pytest_plugins = ["chassis.testing"]
