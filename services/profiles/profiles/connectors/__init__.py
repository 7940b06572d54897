"""Other systems that profiles reads on a schedule: one module each, which speaks that system's protocol and no SQL."""
