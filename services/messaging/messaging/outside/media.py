"""Pictures for whoever has a link of ours, which is the carrier that is to send one."""

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from chassis.objects import ObjectStore
from messaging.links import Links
from messaging.outside import NOT_FOUND, NOT_PROVEN, OutsideAnswer, OutsideRequest
from messaging.telemetry import OUTSIDE_REFUSED
from messaging.use_cases.media import LINK, open_content


class MediaLinks:
    """Answers with pictures."""

    def __init__(self, *, database: Database, clock: Clock, objects: ObjectStore, links: Links) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._links = links

    async def show(self, request: OutsideRequest) -> OutsideAnswer:
        """Give a picture out; to HEAD what it would be."""
        good_for = self._links.read(LINK, request.path, now=self._clock.now())
        if good_for is None or len(good_for) != 2:
            OUTSIDE_REFUSED.labels("media").inc()
            return NOT_PROVEN
        if request.method == "POST":
            return NOT_FOUND
        chain_id, media_id = good_for
        try:
            medium, chunks = await open_content(
                database=self._database, objects=self._objects, chain_id=chain_id, media_id=media_id
            )
        except ServiceError as error:
            if error.kind in (Kind.NOT_FOUND, Kind.PRECONDITION):
                return NOT_FOUND  # erased since
            raise
        headers = {"content-length": str(medium.byte_count), "cache-control": "private, no-store"}
        if request.method == "HEAD":
            async for _ in chunks:
                break
            return OutsideAnswer(200, content_type=medium.content_type, headers=headers)
        return OutsideAnswer(200, content_type=medium.content_type, headers=headers, chunks=chunks)
