"""Messaging as `python -m messaging serve`, with one more point at which it can be killed: between the broker's word that
it has an event and the note of that. `messaging.points` knows the others."""

from typing import Any

from nats.js import JetStreamContext

from chassis.service import Program
from messaging.bootstrap import VERSIONS, build
from messaging.config import Settings
from messaging.points import reach

_publish = JetStreamContext.publish


async def _publish_and_reach(self: JetStreamContext, *arguments: Any, **named: Any) -> Any:
    confirmed = await _publish(self, *arguments, **named)
    reach("relay.published")
    return confirmed


if __name__ == "__main__":
    JetStreamContext.publish = _publish_and_reach  # type: ignore[method-assign]
    Program("messaging", Settings, build, VERSIONS).main()
