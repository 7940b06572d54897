"""From histories to a ranked list: the chain's purchase model, the worth of a contact, who comes first. Pure."""
