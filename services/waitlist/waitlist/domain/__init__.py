"""What the waitlist is made of and its rules, one module an aggregate. Must not know SQL, protos, or the time."""
