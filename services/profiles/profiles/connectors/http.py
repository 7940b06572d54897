"""The HTTP client of all connectors, as a part of the service that is closed with it."""

import httpx


class HttpClient:
    """Keeps one pool of connections; follows no redirect."""

    name = "connector http"

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(follow_redirects=False)

    async def start(self) -> None:
        """Do nothing: connections are made when they are first used."""

    async def stop(self) -> None:
        """Close the connections."""
        await self.client.aclose()
