"""What happened, in order: the live feed of a chain's own people, and the part of it that partner brands may see."""
