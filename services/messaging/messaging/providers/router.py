"""One carrier in front of several: which one has a text follows from its channel."""

from collections.abc import Mapping

from messaging.domain import Channel
from messaging.providers import Accepted, Carrier, Found, Refused, Text, Unconfirmable
from messaging.providers.codes import NOT_CONFIGURED


class Router:
    """The carriers by channel. What no carrier has is refused, so that it fails where somebody sees it."""

    def __init__(self, carriers: Mapping[Channel, Carrier]) -> None:
        self._carriers = carriers

    async def send(self, text: Text) -> Accepted | Refused:
        """Hand one text to its channel's carrier."""
        carrier = self._carriers.get(text.channel)
        return Refused(NOT_CONFIGURED) if carrier is None else await carrier.send(text)

    async def find(self, text: Text) -> Found | Unconfirmable | None:
        """Ask the channel's carrier what became of a text."""
        carrier = self._carriers.get(text.channel)
        return Unconfirmable() if carrier is None else await carrier.find(text)
