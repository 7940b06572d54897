"""The OpenAPI 3.1 document, from the descriptors with their comments. By hand are its frame and one route only."""
