"""What appointments are made of and their rules, one module an aggregate. Must not know SQL, protos, or the time."""
