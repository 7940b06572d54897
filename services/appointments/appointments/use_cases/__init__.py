"""What appointments does, one function a thing, one module an aggregate. Must not know protos or SQL."""
