"""All SQL of appointments, one module an aggregate; each function runs in a given transaction. Must not decide."""
