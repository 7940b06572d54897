"""All SQL of the waitlist, one module an aggregate; each function runs in a given transaction. Must not decide."""
