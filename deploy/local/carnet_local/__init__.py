"""Carnet on one machine: embedded servers, databases, state, and the runner behind `make up`.

Production never imports this package; the services' test fixtures use `servers` and `databases`.
"""
