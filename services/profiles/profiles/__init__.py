"""The client known to the whole house.

Owns the chain's directory (stores, associates, brands) and its clients with everything they bought, looked at and
agreed to; merges what the other services say into one timeline per client; takes in files of purchases.
"""
