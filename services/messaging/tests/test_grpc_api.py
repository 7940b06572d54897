"""Messaging as its callers see it: through the stub, on real servers."""

from typing import Any

from carnet.messaging.v1 import messaging_pb2 as pb


async def test_a_text_that_was_agreed_to_is_delivered(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id)
    assert message.state == pb.MESSAGE_STATE_QUEUED
    assert message.decision.verdict == pb.VERDICT_ALLOW
    delivered = await house.becomes(message, pb.MESSAGE_STATE_DELIVERED)
    assert delivered.segments == 1
    assert await house.phone_received(client_id) == ["Maison Aurore: your ring is ready."]
