"""The ledger: who granted and revoked what, when it happened and not when it was heard of."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profile_events
from carnet.profiles.v1 import profiles_pb2
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from messaging.domain import CARRIER, CONSENT, KEYWORD, Change, PermissionEntry, Purpose, restored_by_keyword


async def test_a_consent_is_written_down_with_its_wording(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id, Purpose.MARKETING)
    (entry,) = await house.ledger(client_id)
    assert (entry.purpose, entry.change) == (pb.PURPOSE_MARKETING, pb.PERMISSION_CHANGE_GRANTED)
    assert (entry.source, entry.actor, entry.phone) == ("consent", "asc_1", house.phone_of(client_id))
    assert "may text me" in entry.evidence
    (said,) = await published(house.database, events_pb2.PermissionGranted, chain_id=house.chain_id)
    assert (said.entry_id, list(said.client_ids)) == (entry.entry_id, [client_id])


async def test_a_consent_that_is_heard_of_after_a_later_stop_grants_nothing(house: Any) -> None:
    client_id = house.client()
    late = house.captured(client_id, at=house.clock.now() - timedelta(minutes=5))
    await house.receive(client_id, "STOP")
    await house.hear(late, entity_id=late.consent_id)
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY
    assert len(await house.ledger(client_id)) == 9
    assert await published(house.database, events_pb2.PermissionGranted, chain_id=house.chain_id) == []


async def test_a_consent_of_the_same_moment_as_a_stop_grants_nothing(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "STOP")
    await house.consent(client_id, at=house.clock.now())
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY


async def test_a_second_stop_outweighs_a_consent_between_the_two_that_is_heard_of_last(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(minutes=1))
    between = house.captured(client_id, at=house.clock.now())
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "STOP")
    await house.hear(between, entity_id=between.consent_id)
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY


async def test_a_consent_after_a_stop_grants_again(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(minutes=1))
    await house.consent(client_id, at=house.clock.now())
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW


async def test_the_same_consent_twice_is_one_grant(house: Any) -> None:
    client_id = house.client()
    event = house.captured(client_id, Purpose.SERVICE)
    await house.hear(event, entity_id=event.consent_id)
    await house.hear(event, entity_id=event.consent_id)  # republished under another event id
    assert len(await house.ledger(client_id)) == 1


async def test_a_consent_that_is_gone_changes_nothing(house: Any) -> None:
    client_id = house.client()
    gone = profile_events.ConsentCaptured(consent_id="con_gone", channel=profiles_pb2.CHANNEL_SMS)
    await house.hear(gone, entity_id="con_gone")
    assert await house.ledger(client_id) == []


async def test_a_removed_client_no_longer_shares_the_number(house: Any) -> None:
    one = house.client()
    mistake = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(mistake)
    await house.hear(profile_events.ClientDeleted(client_id=mistake), entity_id=mistake)
    await house.receive(one, "Hello")
    (said,) = await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)
    assert said.client_id == one


async def test_what_a_client_told_somebody_binds_all_who_share_the_number(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(other)
    request = pb.RevokePermissionRequest(request_id="rev", client_id=one, note="told me in the store")
    revoked = await house.stub.RevokePermission(request)
    assert len(revoked.entries) == 6
    assert {entry.evidence for entry in revoked.entries} == {"told me in the store"}
    assert (await house.check(other, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY
    assert await house.stub.RevokePermission(request) == revoked
    assert len(await house.ledger(other)) == 12


async def test_one_purpose_can_be_revoked_alone(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.stub.RevokePermission(
        pb.RevokePermissionRequest(client_id=client_id, purposes=[pb.PURPOSE_MARKETING], note="no offers")
    )
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW


@pytest.mark.parametrize("purpose", [0, 9])
async def test_a_purpose_that_is_none_cannot_be_revoked(house: Any, purpose: int) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.RevokePermission(
            pb.RevokePermissionRequest(client_id=house.client(), purposes=[purpose], note="no offers")
        )
    assert refused.value.kind is Kind.INVALID


async def test_the_ledger_comes_newest_first_in_pages(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    found: list[pb.PermissionEntry] = []
    token = ""
    while True:
        page = await house.stub.ListPermissions(
            pb.ListPermissionsRequest(client_id=client_id, page_size=4, page_token=token)
        )
        found += page.entries
        token = page.next_page_token
        if not token:
            break
    assert found == await house.ledger(client_id)
    assert [entry.change for entry in found] == [pb.PERMISSION_CHANGE_REVOKED] * 6 + [
        pb.PERMISSION_CHANGE_GRANTED
    ] * 3


@pytest.mark.parametrize(
    "statement", ["update permission_entries set change = 'GRANTED'", "delete from permission_entries"]
)
async def test_no_line_of_the_ledger_can_be_changed(house: Any, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute(statement)


async def test_consents_and_stops_at_once_end_with_silence(house: Any) -> None:
    client_id = house.client()
    consents = [house.captured(client_id) for _ in range(10)]
    await asyncio.gather(
        *(house.hear(consent, entity_id=consent.consent_id) for consent in consents),
        *(house.receive(client_id, "STOP") for _ in range(10)),
    )
    for purpose in (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING):
        assert (await house.check(client_id, purpose)).verdict == pb.VERDICT_DENY


def entry(purpose: Purpose, change: Change, source: str) -> PermissionEntry:
    return PermissionEntry("prm", "+1", purpose, change, "", source, "", "", datetime(2026, 1, 1, tzinfo=UTC))


PAST = st.lists(
    st.builds(
        entry,
        st.sampled_from(list(Purpose)),
        st.sampled_from(list(Change)),
        st.sampled_from([CONSENT, KEYWORD, CARRIER]),
    )
)


@given(PAST)
def test_start_gives_back_only_what_was_granted_and_conversation(past: list[PermissionEntry]) -> None:
    for purpose in restored_by_keyword(past):
        mine = [one for one in past if one.purpose is purpose]
        assert mine[0].change is Change.REVOKED
        granted = any(one.change is Change.GRANTED for one in mine)
        assert granted or purpose is Purpose.CONVERSATIONAL


def test_start_gives_back_nothing_where_nothing_was_taken() -> None:
    assert restored_by_keyword([]) == []
    assert restored_by_keyword([entry(Purpose.SERVICE, Change.GRANTED, CONSENT)]) == []
