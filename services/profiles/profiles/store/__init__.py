"""All SQL of this service, one module per aggregate. Every function works inside the caller's transaction."""
