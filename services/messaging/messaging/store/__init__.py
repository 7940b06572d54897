"""All SQL of messaging, one module per aggregate; each function works inside the transaction that it is given."""
