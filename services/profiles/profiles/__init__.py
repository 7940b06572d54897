"""The client known to the whole house."""
