"""A number falls silent when a text may ask for it, and a person says afterwards what was meant."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from sqlalchemy import text

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from messaging.domain import Purpose

PURPOSES = (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING)
PLEASE = "Please don't text me any more"
CONFIRM, LIFT = pb.PERMISSION_REVIEW_DECISION_CONFIRM, pb.PERMISSION_REVIEW_DECISION_LIFT


async def reviews(house: Any, **fields: Any) -> list[pb.PermissionReview]:
    found = await house.stub.ListPermissionReviews(pb.ListPermissionReviewsRequest(**fields))
    return list(found.permission_reviews)


async def decide(
    house: Any, review: pb.PermissionReview, decision: Any, note: str = ""
) -> pb.PermissionReview:
    decided: pb.PermissionReview = await house.stub.DecidePermissionReview(
        pb.DecidePermissionReviewRequest(
            permission_review_id=review.permission_review_id, decision=decision, note=note
        )
    )
    return decided


async def reasons(house: Any, client_id: str) -> set[str]:
    """Return the first reason of each purpose's decision, ALLOWED where there is nothing against it."""
    decisions = [await house.check(client_id, purpose) for purpose in PURPOSES]
    return {
        decision.reasons[0].reason if decision.verdict == pb.VERDICT_DENY else "ALLOWED"
        for decision in decisions
    }


async def revoked_facts(house: Any) -> list[Any]:
    found: list[Any] = await published(house.database, events_pb2.PermissionRevoked, chain_id=house.chain_id)
    return found


async def suspended(house: Any, body: str = PLEASE) -> tuple[str, pb.PermissionReview]:
    """Return a client who agreed to everything and then wrote, and the review of it."""
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, body)
    (review,) = await reviews(house, client_id=client_id)
    return client_id, review


async def test_a_plain_wish_silences_a_number_for_every_purpose_and_asks_a_person(house: Any) -> None:
    client_id, review = await suspended(house)
    assert await reasons(house, client_id) == {"PERMISSION_SUSPENDED"}
    assert (await house.send(client_id)).state == pb.MESSAGE_STATE_DENIED
    assert (review.phone, list(review.client_ids)) == (house.phone_of(client_id), [client_id])
    assert (review.store_id, review.body) == (house.store_id, PLEASE)
    assert review.state == pb.PERMISSION_REVIEW_STATE_OPEN
    assert review.likelihood == pb.REVOCATION_LIKELIHOOD_CLEAR
    assert review.finding == "do not text: “donot text me”"
    lines = (await house.ledger(client_id))[:3]
    assert {line.change for line in lines} == {pb.PERMISSION_CHANGE_SUSPENDED}
    assert {line.cause_id for line in lines} == {review.message_id}
    assert {(line.source, line.evidence) for line in lines} == {("plain_language", review.finding)}


async def test_the_gate_says_in_words_that_somebody_has_to_look(house: Any) -> None:
    client_id, _ = await suspended(house)
    decision = await house.check(client_id, pb.PURPOSE_CONVERSATIONAL)
    assert "somebody has to look" in decision.reasons[0].message


async def test_a_suspension_is_not_told_as_a_revocation(house: Any) -> None:
    _, review = await suspended(house)
    assert await revoked_facts(house) == []
    await decide(house, review, LIFT)
    assert await revoked_facts(house) == []
    assert len(await published(house.database, events_pb2.PermissionGranted, chain_id=house.chain_id)) == 3


async def test_what_may_be_a_wish_silences_as_well_and_says_that_it_may_be_wrong(house: Any) -> None:
    client_id, review = await suspended(
        house, "no more sale offers please, but text me when my ring is ready"
    )
    assert review.likelihood == pb.REVOCATION_LIKELIHOOD_POSSIBLE
    assert await reasons(house, client_id) == {"PERMISSION_SUSPENDED"}


async def test_a_look_alike_silences_nobody(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "We have got to STOP by your store before the end of the month")
    assert await reviews(house) == []
    assert await reasons(house, client_id) == {"ALLOWED"}


async def test_a_confirmed_wish_is_a_revocation_from_when_it_was_written(house: Any) -> None:
    client_id, review = await suspended(house)
    house.clock.advance(timedelta(hours=2))
    decided = await decide(house, review, CONFIRM, "She told me so on the phone as well")
    assert decided.state == pb.PERMISSION_REVIEW_STATE_CONFIRMED
    assert (decided.decided_by, decided.note) == ("usr_test", "She told me so on the phone as well")
    assert await reasons(house, client_id) == {"PERMISSION_REVOKED"}
    lines = [e for e in await house.ledger(client_id) if e.change == pb.PERMISSION_CHANGE_REVOKED]
    assert len(lines) == 6
    assert {(e.source, e.actor, e.cause_id) for e in lines} == {
        ("review", "usr_test", review.permission_review_id)
    }
    assert {e.occur_time.ToJsonString() for e in lines} == {review.suspend_time.ToJsonString()}
    assert [list(fact.client_ids) for fact in await revoked_facts(house)] == [[client_id]] * 6
    assert await reviews(house) == []
    assert await reviews(house, state=pb.PERMISSION_REVIEW_STATE_CONFIRMED) == [decided]


async def test_lifting_gives_back_what_was_and_names_who(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id, Purpose.SERVICE)
    await house.receive(client_id, PLEASE)
    (review,) = await reviews(house)
    await decide(house, review, LIFT, "He meant the calls")
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW
    marketing = await house.check(client_id, pb.PURPOSE_MARKETING)
    assert [reason.reason for reason in marketing.reasons] == ["NO_PERMISSION"]
    await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)
    lifted = [e for e in await house.ledger(client_id) if e.change == pb.PERMISSION_CHANGE_LIFTED]
    assert {(e.source, e.actor, e.evidence) for e in lifted} == {("review", "usr_test", "He meant the calls")}


async def test_lifting_gives_back_no_more_than_there_was_after_a_stop(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, PLEASE)
    (review,) = await reviews(house)
    await decide(house, review, LIFT)
    assert await reasons(house, client_id) == {"PERMISSION_REVOKED"}


async def test_what_is_written_after_a_lift_suspends_anew(house: Any) -> None:
    client_id, review = await suspended(house)
    await decide(house, review, LIFT)
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "I said stop texting me")
    (again,) = await reviews(house)
    assert again.permission_review_id != review.permission_review_id
    assert await reasons(house, client_id) == {"PERMISSION_SUSPENDED"}


async def test_a_number_has_one_open_review_that_shows_the_latest_text(house: Any) -> None:
    client_id, first = await suspended(house)
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "Please stop sending offers, but text me about my ring")
    (review,) = await reviews(house)
    assert review.permission_review_id == first.permission_review_id
    assert review.body.startswith("Please stop sending offers")
    assert review.likelihood == pb.REVOCATION_LIKELIHOOD_CLEAR
    await decide(house, review, LIFT)
    assert await reasons(house, client_id) == {"ALLOWED"}


async def test_twenty_wishes_at_once_are_one_review(house: Any) -> None:
    client_id = house.client()
    await asyncio.gather(*(house.receive(client_id, PLEASE) for _ in range(20)))
    assert len(await reviews(house)) == 1
    assert len(await house.ledger(client_id)) == 120


async def test_the_same_text_twice_suspends_once(house: Any) -> None:
    client_id = house.client()
    await asyncio.gather(*(house.receive(client_id, PLEASE, "net_1") for _ in range(5)))
    assert len(await house.ledger(client_id)) == 6


async def test_a_shared_number_falls_silent_for_all_and_all_are_named(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(other)
    await house.receive(one, PLEASE)
    (review,) = await reviews(house, client_id=other)
    assert set(review.client_ids) == {one, other}
    assert await reasons(house, other) == {"PERMISSION_SUSPENDED"}
    await decide(house, review, LIFT)
    assert await reasons(house, one) == {"ALLOWED"}


async def test_a_number_of_nobody_is_reviewed_too(house: Any, next_phone: Any) -> None:
    phone = next(next_phone)
    await house.receive_from(phone, "wrong number, stop texting")
    (review,) = await reviews(house)
    assert (review.phone, list(review.client_ids)) == (phone, [])


async def test_a_consent_of_before_that_comes_late_does_not_end_the_silence(house: Any) -> None:
    client_id = house.client()
    late = house.captured(client_id, at=house.clock.now() - timedelta(minutes=5))
    await house.receive(client_id, PLEASE)
    await house.hear(late, entity_id=late.consent_id)
    assert await reasons(house, client_id) == {"PERMISSION_SUSPENDED"}


@pytest.mark.parametrize("decision", [CONFIRM, LIFT])
async def test_a_consent_that_was_given_since_stands_whatever_is_decided(house: Any, decision: Any) -> None:
    client_id, review = await suspended(house)
    house.clock.advance(timedelta(hours=1))
    await house.consent(client_id, at=house.clock.now())
    house.clock.advance(timedelta(hours=1))
    await decide(house, review, decision)
    assert await reasons(house, client_id) == {"ALLOWED"}


async def test_a_stop_answers_the_question(house: Any) -> None:
    client_id, review = await suspended(house)
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "STOP")
    assert await reviews(house) == []
    (settled,) = await reviews(house, state=pb.PERMISSION_REVIEW_STATE_CONFIRMED)
    assert (settled.permission_review_id, settled.decided_by) == (review.permission_review_id, "client")


async def test_who_was_told_in_person_answers_the_question_in_one_tap(house: Any) -> None:
    client_id, _ = await suspended(house)
    revoked = await house.stub.RevokePermission(pb.RevokePermissionRequest(client_id=client_id))
    assert {entry.evidence for entry in revoked.entries} == {"Told in person"}
    assert await reviews(house) == []
    assert await reasons(house, client_id) == {"PERMISSION_REVOKED"}


async def test_no_yes_ends_a_suspension_but_start_ends_what_was_confirmed(house: Any) -> None:
    client_id, review = await suspended(house)
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "Yes")
    assert await reasons(house, client_id) == {"PERMISSION_SUSPENDED"}
    await decide(house, review, CONFIRM)
    await house.receive(client_id, "START")
    assert await reasons(house, client_id) == {"ALLOWED"}


async def test_a_text_that_waits_is_not_sent_to_who_asked_for_silence(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    house.clock.advance(timedelta(hours=11))
    message = await house.send(client_id)
    assert message.state == pb.MESSAGE_STATE_DEFERRED
    await house.receive(client_id, PLEASE)
    house.clock.advance(timedelta(hours=12))
    denied = await house.becomes(message, pb.MESSAGE_STATE_DENIED)
    assert denied.decision.reasons[0].reason == "PERMISSION_SUSPENDED"


async def test_the_same_decision_again_is_the_same_answer_and_another_one_is_refused(house: Any) -> None:
    client_id, review = await suspended(house)
    decided = await decide(house, review, LIFT, "first")
    assert await decide(house, review, LIFT, "again") == decided
    with pytest.raises(ServiceError) as refused:
        await decide(house, review, CONFIRM)
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "PERMISSION_REVIEW_DECIDED")
    assert len(await house.ledger(client_id)) == 15


async def test_of_twenty_who_decide_at_once_one_does(house: Any) -> None:
    client_id, review = await suspended(house)

    async def try_to(decision: Any) -> Any:
        try:
            return (await decide(house, review, decision)).state
        except ServiceError as error:
            assert error.reason == "PERMISSION_REVIEW_DECIDED"
            return None

    answers = await asyncio.gather(*(try_to(CONFIRM if i % 2 else LIFT) for i in range(20)))
    states = {state for state in answers if state is not None}
    assert len(states) == 1
    assert len([state for state in answers if state is not None]) == 10
    lines = (await house.ledger(client_id))[:-3]
    written = [e for e in lines if e.source == "review"]
    assert len(written) == 6
    expected = "PERMISSION_REVOKED" if states == {pb.PERMISSION_REVIEW_STATE_CONFIRMED} else "ALLOWED"
    assert await reasons(house, client_id) == {expected}


async def test_a_wish_and_a_lift_at_once_leave_either_an_open_review_or_none(house: Any) -> None:
    client_id, review = await suspended(house)
    await asyncio.gather(decide(house, review, LIFT), *(house.receive(client_id, PLEASE) for _ in range(10)))
    expected = {"PERMISSION_SUSPENDED"} if await reviews(house) else {"ALLOWED"}
    assert await reasons(house, client_id) == expected


async def test_another_stores_review_is_not_the_callers_to_decide(house: Any, sign_in: Any) -> None:
    _, review = await suspended(house)
    sign_in("messages:send", chain_id=house.chain_id, stores=frozenset({"sto_other"}))
    with pytest.raises(ServiceError) as refused:
        await decide(house, review, LIFT)
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "STORE_NOT_YOURS")


async def test_another_chains_review_is_not_there(house: Any, sign_in: Any) -> None:
    _, review = await suspended(house)
    sign_in("messages:read", "messages:send", chain_id="chn_elsewhere")
    assert await reviews(house) == []
    with pytest.raises(ServiceError) as refused:
        await decide(house, review, LIFT)
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "PERMISSION_REVIEW_NOT_FOUND")


@pytest.mark.parametrize(
    "fields", [{"decision": 0}, {"decision": 9}, {"note": "x" * 301}, {"permission_review_id": ""}]
)
async def test_a_faulty_decision_names_the_field(house: Any, fields: dict[str, Any]) -> None:
    given = {"permission_review_id": "rvw_1", "decision": LIFT, **fields}
    with pytest.raises(ServiceError) as refused:
        await house.stub.DecidePermissionReview(pb.DecidePermissionReviewRequest(**given))
    assert refused.value.kind is Kind.INVALID
    assert [violation.field for violation in refused.value.violations] == list(fields)


async def test_reviews_come_in_pages_the_latest_first_and_by_store(house: Any) -> None:
    for _ in range(5):
        house.clock.advance(timedelta(minutes=1))
        await house.receive(house.client(), PLEASE)
    whole = await reviews(house)
    found: list[pb.PermissionReview] = []
    token = ""
    while True:
        page = await house.stub.ListPermissionReviews(
            pb.ListPermissionReviewsRequest(page_size=2, page_token=token, store_id=house.store_id)
        )
        found += page.permission_reviews
        if not (token := page.next_page_token):
            break
    assert found == whole
    assert [r.create_time.seconds for r in found] == sorted(
        (r.create_time.seconds for r in found), reverse=True
    )
    assert await reviews(house, store_id="sto_other") == []


async def test_a_number_can_be_revoked_without_a_client_and_for_all_who_share_it(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(other)
    request = pb.RevokeNumberRequest(request_id="rev", phone=house.phone_of(one))
    revoked = await house.stub.RevokeNumber(request)
    assert {(e.evidence, e.source, e.actor) for e in revoked.entries} == {
        ("Told in person", "associate", "usr_test")
    }
    assert await reasons(house, other) == {"PERMISSION_REVOKED"}
    assert await house.stub.RevokeNumber(request) == revoked
    assert len(revoked.entries) == 6
    assert {frozenset(fact.client_ids) for fact in await revoked_facts(house)} == {frozenset({one, other})}


async def test_a_number_that_is_none_cannot_be_revoked(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.RevokeNumber(pb.RevokeNumberRequest(phone="+19995550123"))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "PHONE_INVALID")


async def test_an_erasure_takes_the_review_along_and_the_number_stays_silent(house: Any) -> None:
    client_id, _ = await suspended(house)
    phone = house.phone_of(client_id)
    await house.erase(client_id)
    assert await reviews(house) == []
    async with house.database.transaction(house.chain_id) as tx:
        left = await tx.execute(text("select count(*) from permission_reviews"))
        assert left.scalar_one() == 0
    assert await reasons(house, house.client(phone)) == {"PERMISSION_REVOKED"}
