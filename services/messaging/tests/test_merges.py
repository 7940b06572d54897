"""Two clients become one, and two again: conversations are linked, permissions stay with their numbers."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profile_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.testing import published
from messaging.domain import Purpose


async def ids_of(house: Any, client_id: str) -> set[str]:
    return {conversation.conversation_id for conversation in await house.conversations(client_id)}


async def test_both_ids_answer_with_the_conversations_of_both_until_it_is_undone(house: Any) -> None:
    one, other = house.client(), house.client()
    for client_id in (one, other):
        await house.consent(client_id)
        await house.send(client_id)
    (first,), (second,) = await ids_of(house, one), await ids_of(house, other)
    await house.merge(one, other)
    assert await ids_of(house, one) == await ids_of(house, other) == {first, second}
    assert {conversation.client_id for conversation in await house.conversations(one)} == {one}
    await house.unmerge(one, other)
    assert (await ids_of(house, one), await ids_of(house, other)) == ({first}, {second})
    assert {conversation.client_id for conversation in await house.conversations(other)} == {other}


async def test_two_clients_of_one_number_have_one_conversation_that_is_nobody_s_only_before(
    house: Any,
) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    for client_id in (one, other):
        await house.consent(client_id)
    await house.receive(one, "Hello")
    (before,) = await house.conversations()
    assert (before.client_id, before.is_shared_number, before.unread_count) == ("", True, 1)
    await house.merge(one, other)
    (while_one,) = await house.conversations(other)
    assert (while_one.client_id, while_one.is_shared_number, while_one.unread_count) == (one, False, 1)
    await house.receive(one, "It is still me")
    await house.unmerge(one, other)
    (after,) = await house.conversations(other)
    assert after.conversation_id == before.conversation_id
    assert (after.client_id, after.is_shared_number, after.unread_count) == ("", True, 2)
    said = await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)
    assert [event.client_id for event in said] == ["", one]


@pytest.mark.parametrize("silent", ["survivor", "merged"])
async def test_a_number_that_was_silent_stays_silent_whoever_survives(house: Any, silent: str) -> None:
    talking, quiet = house.client(), house.client()
    await house.consent(talking)
    await house.consent(quiet)
    await house.receive(quiet, "STOP")
    ledgers = {client_id: await house.ledger(client_id) for client_id in (talking, quiet)}
    quiet_phone = house.phone_of(quiet)
    surviving, gone = (quiet, talking) if silent == "survivor" else (talking, quiet)
    await house.merge(surviving, gone)
    everything = await house.ledger(surviving)
    assert sorted(e.entry_id for e in everything) == sorted(e.entry_id for es in ledgers.values() for e in es)
    # Whoever has that number and no other gets nothing, whatever the client's other number agreed to.
    witness = house.client(quiet_phone)
    for purpose in (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING):
        decision = await house.check(witness, purpose, "Maison Aurore: hello.")
        assert decision.verdict == pb.VERDICT_DENY
        assert decision.reasons[0].reason == "PERMISSION_REVOKED"
    await house.unmerge(surviving, gone)
    assert {client_id: await house.ledger(client_id) for client_id in (talking, quiet)} == ledgers


async def test_a_number_that_nobody_asked_gets_no_permission_from_the_other_one(house: Any) -> None:
    asked, never_asked = house.client(), house.client()
    await house.consent(asked, Purpose.SERVICE)
    await house.merge(asked, never_asked)
    witness = house.client(house.profiles.before_merge[never_asked].phones[0])
    decision = await house.check(witness, pb.PURPOSE_SERVICE)
    assert [reason.reason for reason in decision.reasons] == ["NO_PERMISSION"]
    assert len(await house.ledger(never_asked)) == 1


async def test_a_client_with_two_numbers_has_two_permissions_and_is_texted_on_the_one_that_agreed(
    house: Any,
) -> None:
    silent, talking = house.client(), house.client()
    await house.consent(silent)
    await house.consent(talking)
    await house.receive(silent, "STOP")
    await house.merge(silent, talking)
    message = await house.send(talking)
    assert message.state == pb.MESSAGE_STATE_QUEUED
    (conversation,) = [c for c in await house.conversations(silent) if c.unread_count == 0]
    assert conversation.client_phone == house.profiles.before_merge[talking].phones[0]


async def test_a_number_learned_while_they_were_one_goes_back_to_whose_it_is(house: Any) -> None:
    one, other = house.client(), house.client()
    await house.consent(one)
    await house.merge(one, other)
    await house.receive_from(house.profiles.before_merge[other].phones[0], "Hello?")
    await house.stub.RevokePermission(
        pb.RevokePermissionRequest(client_id=one, purposes=[pb.PURPOSE_MARKETING], note="no offers")
    )
    await house.unmerge(one, other)
    (own,), (others,) = await house.conversations(other), await house.conversations(other)
    assert own.client_id == others.client_id == other
    assert await house.conversations(one) == []
    assert {entry.phone for entry in await house.ledger(one)} == {house.phone_of(one)}


async def test_a_consent_that_comes_late_is_the_survivor_s_and_goes_back(house: Any) -> None:
    one, other = house.client(), house.client()
    late = house.captured(other)
    await house.merge(one, other)
    await house.hear(late, entity_id=late.consent_id)
    await house.receive_from(house.profiles.before_merge[other].phones[0], "Hello")
    assert [c.client_id for c in await house.conversations(one)] == [one]
    await house.unmerge(one, other)
    assert [c.client_id for c in await house.conversations(other)] == [other]
    assert await house.conversations(one) == []


async def test_a_survivor_who_is_removed_takes_the_merged_one_along(house: Any) -> None:
    one, other = house.client(), house.client()
    await house.consent(other)
    await house.receive(other, "Hello")
    await house.merge(one, other)
    await house.hear(profile_events.ClientDeleted(client_id=one), entity_id=one)
    assert [c.client_id for c in await house.conversations()] == [""]


_runs = itertools.count(1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=4))
async def test_any_order_and_repetition_of_events_links_the_same(
    house: Any, next_phone: Any, order: list[int], again: list[int]
) -> None:
    run = next(_runs)
    a, b, c = (house.client(next(next_phone)) for _ in range(3))
    events = [
        *(house.captured(client_id) for client_id in (a, b, c)),
        house.merged(a, b, f"mrg_{run:04}_1"),
        house.unmerged(a, b, f"mrg_{run:04}_1"),
        house.merged(c, b, f"mrg_{run:04}_2"),
    ]
    for at in [*order, *again]:
        await house.hear(events[at], entity_id="x")
    for client_id in (a, b, c):
        house.clock.advance(timedelta(seconds=1))
        await house.receive(client_id, "Hello")
    owners = {
        client_id: {c.client_id for c in await house.conversations(client_id)} for client_id in (a, b, c)
    }
    assert owners == {a: {a}, b: {c}, c: {c}}
    assert (len(await house.conversations(a)), len(await house.conversations(b))) == (1, 2)


async def test_the_answers_for_an_unknown_client_are_those_of_profiles(house: Any) -> None:
    one, other = house.client(), house.client()
    await house.merge(one, other)
    with pytest.raises(ServiceError) as refused:
        await house.send("cli_unknown")
    assert refused.value.reason == "CLIENT_NOT_FOUND"
