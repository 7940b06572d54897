"""Gateway: the way in. Derives REST from every service's contract, signs people and machines in, limits them.

It also passes on what the services say: all of it as live updates for the chain's own people, an agreed part to
partner brands. It decides nothing about clients, pieces or messages.
"""
