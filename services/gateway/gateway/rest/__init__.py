"""REST, derived from the contracts: nothing in here is written per RPC."""
