"""Which TCP ports are free on the loopback interface; it must not remember any (state.py does)."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

# Below the range from which the kernel takes the ports of outgoing connections.
_CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As the servers do: a connection lingering in TIME_WAIT does not make a port taken, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(avoid: Collection[int] = ()) -> int:
    """Return a free port chosen at random, so that test processes running side by side rarely meet."""
    # No secret: chance only spreads the choices.
    return next(p for p in random.sample(_CANDIDATES, len(_CANDIDATES)) if p not in avoid and is_free(p))
