"""Interest in scarce pieces, and who was offered one.

Clients register interest in references; brands allocate pieces to stores; a versioned policy ranks the interested, and
each piece is promised to one client at a time.
"""
