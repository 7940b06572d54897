"""Which pieces suit a client, in parts that are said in words. Pure: must not know SQL, a transport or the clock."""
