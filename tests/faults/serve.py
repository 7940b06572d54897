"""Messaging as `python -m messaging serve` runs it, in a process that is copied from one which has loaded it already.

With one more point at which it can be killed: between the broker's word that it has an event and the note of that.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from nats.js import JetStreamContext

from chassis.service import Program
from messaging import points
from messaging.bootstrap import VERSIONS, build
from messaging.config import Settings

_publish = JetStreamContext.publish


async def _publish_and_reach(self: JetStreamContext, *arguments: Any, **named: Any) -> Any:
    confirmed = await _publish(self, *arguments, **named)
    points.reach("relay.published")
    return confirmed


def serve(environment: Mapping[str, str], log: str) -> None:
    """Serve until told to stop, or killed; what is printed goes to the end of a file."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    points.stop_at(os.environ.get("CARNET_STOP_AT", ""))
    JetStreamContext.publish = _publish_and_reach  # type: ignore[method-assign]
    sys.argv = ["messaging", "serve"]
    Program("messaging", Settings, build, VERSIONS).main()
