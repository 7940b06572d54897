"""Messaging holds the conversations between a store's number and its clients' numbers.

One gate stands in front of every text: permission, hours where the client is, the rules for a first message. The
permission ledger is kept by number, so that a shared phone falls silent for everybody who has it.
"""
