"""A client is forgotten: words, numbers and ledger go, and a number that asked for silence stays silent."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profile_events
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import eventually, published
from messaging.domain import Purpose
from messaging.suppression import Suppressor

TABLES = (
    "conversations",
    "messages",
    "inbound_texts",
    "permission_entries",
    "phone_clients",
    "dead_numbers",
    "due_messages",
    "sandbox_messages",
    "suppressions",
    "outbox",
    "requests",
)


async def everything(house: Any) -> str:
    """Return all rows of the chain as text, in every table that could hold something of a client."""
    found: list[str] = []
    async with house.database.transaction(house.chain_id) as tx:
        for table in TABLES:
            rows = await tx.execute(text(f"select row_to_json(t)::text from {table} t"))
            found += rows.scalars()
    return "\n".join(found)


async def receipts(house: Any) -> list[Any]:
    said = await published(house.database, events_pb2.ClientForgotten, chain_id=house.chain_id)
    return [event.receipt for event in said]


async def test_words_numbers_and_ledger_go_and_the_receipt_counts_them(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    sent = await house.send(client_id, "Maison Aurore: your emerald is ready.")
    await house.becomes(sent, pb.MESSAGE_STATE_DELIVERED)
    await house.receive(client_id, "Wonderful, the emerald")
    assert phone in await everything(house)
    await house.erase(client_id)
    left = await everything(house)
    assert phone not in left
    assert "emerald" not in left
    (receipt,) = await receipts(house)
    assert (receipt.erasure_id, receipt.client_id) == ("ers_1", client_id)
    assert receipt.erased == {"permission_entries": 3, "messages": 2, "conversations": 1, "numbers": 1}
    assert list(receipt.retained) == []
    with pytest.raises(ServiceError) as gone:
        await house.read(sent)
    assert gone.value.reason == "MESSAGE_NOT_FOUND"


@pytest.mark.parametrize("how", ["keyword", "associate"])
async def test_a_number_that_was_revoked_stays_revoked_after_the_erasure(house: Any, how: str) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    if how == "keyword":
        await house.receive(client_id, "STOP")
    else:
        await house.stub.RevokePermission(pb.RevokePermissionRequest(client_id=client_id, note="told me"))
    await house.erase(client_id)
    assert phone not in await everything(house)
    (receipt,) = await receipts(house)
    (kept,) = receipt.retained
    assert (kept.category, kept.count) == ("permission_ledger", 3)
    assert "64.1200" in kept.basis
    newcomer = house.client(phone)
    for purpose in (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING):
        decision = await house.check(newcomer, purpose, "Maison Aurore: hello.")
        assert decision.reasons[0].reason == "PERMISSION_REVOKED"
    assert (await house.send(newcomer)).state == pb.MESSAGE_STATE_DENIED


async def test_a_consent_from_before_the_silence_that_comes_late_does_not_end_it(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    await house.erase(client_id)
    newcomer = house.client(phone)
    await house.consent(newcomer, at=house.clock.now() - timedelta(minutes=5))
    assert (await house.check(newcomer, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY
    house.clock.advance(timedelta(days=1))
    await house.consent(newcomer, at=house.clock.now())
    assert (await house.check(newcomer, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW


async def test_who_comes_back_and_writes_start_may_be_answered_and_no_more(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    await house.erase(client_id)
    house.clock.advance(timedelta(days=1))
    await house.receive_from(phone, "START")
    newcomer = house.client(phone)
    assert (await house.check(newcomer, pb.PURPOSE_CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    assert (await house.check(newcomer, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY


async def test_a_number_that_only_revoked_one_purpose_keeps_silent_for_that_one(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    await house.stub.RevokePermission(
        pb.RevokePermissionRequest(client_id=client_id, purposes=[pb.PURPOSE_MARKETING], note="no offers")
    )
    await house.erase(client_id)
    newcomer = house.client(phone)
    await house.consent(newcomer, Purpose.SERVICE)
    assert (await house.check(newcomer, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW
    decision = await house.check(newcomer, pb.PURPOSE_MARKETING)
    assert decision.reasons[0].reason == "PERMISSION_REVOKED"


async def test_a_number_of_two_clients_stays_with_the_other_one(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    for client_id in (one, other):
        await house.consent(client_id)
    mine = await house.send(one, "Maison Aurore: for one.")
    others = await house.send(other, "Maison Aurore: for the other.")
    lines = len(await house.ledger(other))
    await house.erase(one)
    assert (await house.read(others)).body == "Maison Aurore: for the other."
    with pytest.raises(ServiceError):
        await house.read(mine)
    assert len(await house.ledger(other)) == lines
    (conversation,) = await house.conversations(other)
    assert (conversation.client_id, conversation.is_shared_number) == (other, False)
    (receipt,) = await receipts(house)
    assert [(kept.category, kept.count) for kept in receipt.retained] == [("shared_numbers", 1)]
    await house.erase(other, erasure_id="ers_2")
    assert await house.conversations() == []


async def test_former_ids_go_as_well_whether_the_merge_was_heard_of_or_not(house: Any) -> None:
    one, other = house.client(), house.client()
    phones = [house.phone_of(client_id) for client_id in (one, other)]
    for client_id in (one, other):
        await house.consent(client_id)
        await house.receive(client_id, "Hello")
    await house.erase(one, other)
    await house.hear(house.merged(one, other), entity_id=one)
    left = await everything(house)
    assert not [phone for phone in phones if phone in left]


async def test_a_merge_that_was_taken_back_in_time_saves_the_other_one(house: Any) -> None:
    one, other = house.client(), house.client()
    for client_id in (one, other):
        await house.consent(client_id)
        await house.receive(client_id, "Hello")
    await house.merge(one, other)
    house.profiles.unmerge()
    await house.erase(one)
    await house.hear(house.unmerged(one, other), entity_id=one)
    assert [c.client_id for c in await house.conversations(other)] == [other]
    assert len(await house.ledger(other)) == 3
    assert await house.conversations(one) == []


async def test_late_events_and_calls_of_an_erased_client_bring_nothing_back(house: Any) -> None:
    client_id = house.client()
    late = house.captured(client_id)
    recipient = house.profiles.recipients[client_id]
    await house.erase(client_id)
    await house.hear(late, entity_id=late.consent_id)
    assert recipient.phones[0] not in await everything(house)
    house.profiles.recipients[client_id] = recipient  # its answer was on the way while the client was erased
    for call in (
        house.send(client_id),
        house.stub.RevokePermission(pb.RevokePermissionRequest(client_id=client_id, note="late")),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    assert recipient.phones[0] not in await everything(house)


async def test_asked_again_the_same_receipt_is_said_again(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    await house.erase(client_id)
    await house.erase(client_id)
    one, again = await receipts(house)
    assert one == again


async def test_the_same_erasure_ten_times_at_once_is_one_and_never_a_half_one(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Hello")
    await asyncio.gather(*(house.erase(client_id) for _ in range(10)))
    said = await receipts(house)
    assert len(said) == 10
    assert {receipt.SerializeToString(deterministic=True) for receipt in said} == {
        said[0].SerializeToString(deterministic=True)
    }
    assert said[0].erased["messages"] == 1


async def test_an_erasure_that_fails_leaves_everything_as_it_was(house: Any, monkeypatch: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Hello")

    async def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("messaging.use_cases.identities.erasures.remove_numbers", fails)
    event = profile_events.ClientErased(erasure_id="ers_1", client_id=client_id)
    with pytest.raises(ZeroDivisionError):
        await house.hear(event, entity_id=client_id)
    monkeypatch.undo()
    assert len(await house.ledger(client_id)) == 3
    assert await receipts(house) == []


async def test_a_text_that_waits_for_the_morning_is_not_sent_any_more(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    house.clock.advance(timedelta(hours=12))
    waiting = await house.send(client_id)
    assert waiting.state == pb.MESSAGE_STATE_DEFERRED
    await house.erase(client_id)
    house.clock.advance(timedelta(hours=12))

    async def nothing_is_due() -> bool:
        async with house.database.transaction(house.chain_id) as tx:
            return (await tx.execute("select count(*) from due_messages")).scalar_one() == 0

    await eventually(nothing_is_due)


async def test_a_text_that_the_network_hands_in_again_is_not_taken_for_a_new_one(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    await house.receive(client_id, "Hello", "sbx_once")
    await house.erase(client_id)
    await house.receive_from(phone, "Hello", "sbx_once")
    assert await house.conversations() == []


async def test_the_ledger_cannot_be_changed_but_by_an_erasure(house: Any) -> None:
    for statement in ("delete from permission_entries", "update inbound_texts set payload = '{}'"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with house.database.transaction(house.chain_id) as tx:
                await tx.execute(statement)


async def test_an_erasure_in_one_chain_removes_nothing_in_another(house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    async with house.database.transaction("chn_stranger") as tx:
        found = await tx.execute("select erase_permission_entries(:phone)", {"phone": phone})
        assert found.scalar_one() == 0
    assert len(await house.ledger(client_id)) == 3


def test_a_hash_says_nothing_without_the_key_and_differs_between_chains() -> None:
    one, other = Suppressor("a" * 32), Suppressor("b" * 32)
    hashes = {
        one.hash_of("chn_1", "+12025550100"),
        one.hash_of("chn_2", "+12025550100"),
        one.hash_of("chn_1", "+12025550101"),
        other.hash_of("chn_1", "+12025550100"),
    }
    assert len(hashes) == 4
    assert one.hash_of("chn_1", "+12025550100") in hashes
