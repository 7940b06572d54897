"""Pairs that may be one person: the score, who is found, what becomes of a pair, and the pass over a whole chain."""

import itertools
from functools import partial
from typing import Any

import pytest
from carnet.profiles.v1 import duplicates_pb2 as dup
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.testing import eventually, published
from profiles.domain.duplicates import (
    AUTOMATIC_SCORE,
    CAPTURE_SCORE,
    CROWD,
    REVIEW_SCORE,
    Features,
    Reason,
    features_of,
    is_met_under,
    keys_of,
    name_keys,
    score,
)
from profiles.store import matching as match_store
from profiles.use_cases.matching import match_all, match_changed, move_pass

PHONE = "+12025550101"
MAIL = "ana.garcia@b.example"
HOME = {"address_lines": ["12 Main Street"], "postal_code": "10001"}


def somebody(given_name: str = "", family_name: str = "", **fields: Any) -> Features:
    return features_of("cli_a", given_name=given_name, family_name=family_name, **fields)


@pytest.mark.parametrize(
    ("one", "other", "is_listed"),
    [
        # A number or an address that two share is a household's until a name says otherwise.
        (somebody(phones=[PHONE]), somebody(phones=[PHONE]), False),
        (somebody("Ann", "Lee", phones=[PHONE], **HOME), somebody("Tom", "Lee", phones=[PHONE], **HOME), False),
        (somebody("Ann", "Lee", phones=[PHONE], emails=[MAIL], **HOME),
         somebody("Tom", "Lee", phones=[PHONE], emails=[MAIL], **HOME), False),
        (somebody("", "Lee", phones=[PHONE]), somebody("Ann", "Lee", phones=[PHONE]), False),
        (somebody("Ann", "Lee", **HOME), somebody("", "Lee", **HOME), False),
        (somebody("Paul", "Lee", phones=[PHONE]), somebody("Paula", "Lee", phones=[PHONE]), False),
        # There are many John Smiths.
        (somebody("John", "Smith"), somebody("John", "Smith"), False),
        # A father and a son.
        (somebody("John", "Smith", phones=[PHONE], birthday=(1960, 4, 5), **HOME),
         somebody("John", "Smith", phones=[PHONE], birthday=(1990, 9, 8), **HOME), False),
        # The next namesake takes the next number.
        (somebody("John", "Smith", emails=["john.smith12@b.example"]),
         somebody("John", "Smith", emails=["john.smith13@b.example"]), False),
        (somebody("Ann", "Lee", phones=[PHONE]), somebody("ann", "LEE", phones=[PHONE]), True),
        (somebody("Bob", "Smith", phones=[PHONE]), somebody("Robert", "Smith", phones=[PHONE]), True),
        (somebody("Smith", "Robert", phones=[PHONE]), somebody("Robert", "Smith", phones=[PHONE]), True),
        (somebody("Micheal", "Gracia", phones=[PHONE]), somebody("Michael", "García", phones=[PHONE]), True),
        (somebody("María José", "García", phones=[PHONE]), somebody("Maria", "Garcia", phones=[PHONE]), True),
        (somebody("J.", "Smith", phones=[PHONE]), somebody("John", "Smith", phones=[PHONE]), True),
        (somebody("Robert Smith", phones=[PHONE]), somebody("Robert", "Smith", phones=[PHONE]), True),
        (somebody("Xi", "Li", nickname="Susan", phones=[PHONE]), somebody("Susan", "Li", phones=[PHONE]), True),
        (somebody("Ana", "García", emails=[MAIL]), somebody("Ana", "Garcia", emails=["anagarcia@c.example"]), True),
        (somebody("Ana", "García", **HOME),
         somebody("Ana", "García", address_lines=["12 Main St."], postal_code="10001"), True),
        (somebody("Ana", "García", birthday=(1990, 4, 5)), somebody("Ana", "García", birthday=(1990, 4, 5)), True),
        (somebody("Ana", "García", birthday=(1990, 4, 5)), somebody("Ana", "García", birthday=(0, 4, 5)), True),
    ],
)  # fmt: skip
def test_a_pair_is_listed_or_not(one: Features, other: Features, is_listed: bool) -> None:
    found = score(one, other)
    assert (found.value >= REVIEW_SCORE) is is_listed, found
    if is_listed:
        assert meeting_keys(one) & meeting_keys(other), "they would never meet"


def test_what_speaks_for_and_against_is_told_with_its_weight() -> None:
    found = score(
        somebody("Ann", "Lee", phones=[PHONE], birthday=(1990, 4, 5)),
        somebody("Tom", "Lee", phones=[PHONE], birthday=(1988, 12, 24)),
        are_related=True,
    )
    told = {weight.reason: weight.weight for weight in found.weights}
    assert told.keys() == {
        Reason.SAME_PHONE, Reason.DIFFERENT_GIVEN_NAME, Reason.DIFFERENT_BIRTHDAY, Reason.RELATED,
    }  # fmt: skip
    assert all(weight.explanation.endswith(".") for weight in found.weights)
    assert found.value < 0.001


def test_only_name_phone_and_email_without_contradiction_need_no_eyes() -> None:
    one = partial(somebody, "Ana", "García", phones=[PHONE], emails=[MAIL])
    assert score(one(), one()).is_certain
    assert score(one(), one()).value >= AUTOMATIC_SCORE
    for other in (
        somebody("Anna", "García", phones=[PHONE], emails=[MAIL]),
        somebody("Ana", "García", phones=[PHONE], birthday=(1990, 4, 5), **HOME),
        somebody("Ana", "García", emails=[MAIL], birthday=(1990, 4, 5), **HOME),
    ):
        assert not score(one(birthday=(1990, 4, 5), **HOME), other).is_certain
    assert not score(one(birthday=(1960, 4, 5)), one(birthday=(1990, 9, 8))).is_certain
    assert not score(one(), one(), are_related=True).is_certain
    assert not score(one(), one(), crowded={PHONE}).is_certain


@pytest.mark.parametrize(
    ("one", "other"),
    [((1990, 4, 5), (1990, 5, 4)), ((1990, 4, 5), (1991, 4, 5)), ((1990, 4, 5), (1990, 4, 6))],
)
def test_a_swapped_or_mistyped_birthday_is_not_held_against(one: Any, other: Any) -> None:
    reasons = {w.reason for w in score(somebody(birthday=one), somebody(birthday=other)).weights}
    assert not reasons


def meeting_keys(client: Features) -> set[int]:
    return {key for key in keys_of(client) if is_met_under(key)}


def test_nobody_is_met_under_a_name_alone() -> None:
    one, other = somebody("Ana", "García"), somebody("Ana", "Garcia", phones=[PHONE])
    assert keys_of(one) == name_keys(one) == name_keys(other) < keys_of(other)
    assert not meeting_keys(one)


NAMES = st.sampled_from(
    ["", "Ana", "Anna", "Bob", "Robert", "Tom", "J", "José María", "García", "Gracia", "Lee"]
)
FEATURES = st.builds(
    somebody,
    NAMES,
    NAMES,
    nickname=NAMES,
    phones=st.sets(st.sampled_from([PHONE, "+12025550102"])),
    emails=st.sets(st.sampled_from([MAIL, "anagarcia@c.example", "info@c.example", "tom@c.example"])),
    address_lines=st.sampled_from([[], ["12 Main St"], ["12 Main Street"], ["9 Elm Road"]]),
    postal_code=st.sampled_from(["", "10001"]),
    birthday=st.sampled_from([None, (1990, 4, 5), (0, 4, 5), (1960, 12, 24)]),
)


@given(FEATURES, FEATURES)
def test_a_score_is_the_same_from_both_sides_and_every_time(one: Features, other: Features) -> None:
    assert score(one, other) == score(other, one) == score(one, other)
    assert 0 < score(one, other).value < 1


@given(FEATURES, FEATURES, st.sampled_from(["phones", "emails", "birthday"]))
def test_evidence_that_agrees_never_lowers_a_score(one: Features, other: Features, what: str) -> None:
    added = {
        "phones": frozenset({"+12025550199"}),
        "emails": frozenset({"new@d.example"}),
        "birthday": (1975, 3, 3),
    }

    def with_it(client: Features) -> Features:
        value = added[what]
        fields = {name: getattr(client, name) for name in Features.__slots__}
        return Features(**{**fields, what: fields[what] | value if isinstance(value, frozenset) else value})

    assert score(with_it(one), with_it(other)).value >= score(one, other).value


_HALF = somebody("", "", nickname="Ana", address_lines=["12 Main St"], birthday=(1990, 4, 5))


@given(FEATURES, FEATURES)
@example(_HALF, _HALF)
def test_whoever_is_listed_shares_a_key(one: Features, other: Features) -> None:
    if score(one, other).value >= REVIEW_SCORE:
        assert meeting_keys(one) & meeting_keys(other)


def test_the_marks_stand_in_their_order() -> None:
    assert CAPTURE_SCORE < score(somebody("John", "Smith"), somebody("John", "Smith")).value < REVIEW_SCORE
    assert REVIEW_SCORE < AUTOMATIC_SCORE


def contacts(*values: str) -> list[pb.ContactPoint]:
    return [
        pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL if "@" in value else pb.CONTACT_KIND_PHONE, value=value)
        for value in values
    ]


async def person(house: Any, given_name: str, family_name: str, *values: str, **fields: Any) -> pb.Client:
    return await house.client(
        given_name=given_name, family_name=family_name, contact_points=contacts(*values), **fields
    )


async def found(house: Any, **fields: Any) -> list[dup.Duplicate]:
    """Return the list once everybody who waits was compared, by the service or by us."""
    await match_all(database=house.database, clock=house.clock)

    async def is_quiet() -> bool:
        async with house.database.transaction(house.chain_id) as tx:
            return (await tx.execute("select not exists (select from match_queue)")).scalar_one()

    await eventually(is_quiet)
    listed = await house.duplicates.ListDuplicates(dup.ListDuplicatesRequest(**fields))
    return list(listed.duplicates)


def ids(pair: dup.Duplicate) -> tuple[str, str]:
    return pair.first.client_id, pair.second.client_id


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_a_new_client_is_compared_soon_after_and_the_pair_says_why(house: Any, looks: Any) -> None:
    first = await person(house, "Robert", "García", PHONE)
    await person(house, "Rosa", "García", PHONE)
    second = await person(house, "Bob", "Garcia", PHONE)
    (pair,) = await found(house)
    assert ids(pair) == (first.client_id, second.client_id)
    assert {(reason.kind, reason.weight > 0) for reason in pair.reasons} == {
        (dup.DUPLICATE_REASON_KIND_SAME_PHONE, True), (dup.DUPLICATE_REASON_KIND_SIMILAR_NAME, True),
    }  # fmt: skip
    assert 0.9 < pair.score < AUTOMATIC_SCORE
    assert (pair.first.given_name, pair.second.given_name) == ("Robert", "Bob")
    got = await house.duplicates.GetDuplicate(dup.GetDuplicateRequest(duplicate_id=pair.duplicate_id))
    assert got == pair
    assert [action for action, _ in await looks(house, second.client_id)][-2:] == [
        "ListDuplicates", "GetDuplicate",
    ]  # fmt: skip


async def test_a_change_brings_a_pair_up_and_another_one_takes_it_down(house: Any) -> None:
    first, second = await person(house, "Ana", "García", PHONE), await person(house, "Ana", "García")
    assert not await found(house)
    changed = await house.stub.AddContactPoint(
        pb.AddContactPointRequest(client_id=second.client_id, contact_point=contacts(PHONE)[0])
    )
    (pair,) = await found(house)
    assert ids(pair) == (first.client_id, second.client_id)
    await house.stub.RemoveContactPoint(
        pb.RemoveContactPointRequest(
            client_id=second.client_id, contact_point_id=changed.contact_points[0].contact_point_id
        )
    )
    assert not await found(house)
    for client in (first, second):
        await house.stub.AddOccasion(
            pb.AddOccasionRequest(
                client_id=client.client_id,
                occasion=pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(year=1990, month=4, day=5)),
            )
        )
    assert len(await found(house)) == 1
    await house.stub.AddRelationship(
        pb.AddRelationshipRequest(
            client_id=first.client_id,
            relationship=pb.Relationship(
                kind=pb.RELATIONSHIP_KIND_SIBLING, related_client_id=second.client_id
            ),
        )
    )
    assert not await found(house)


async def test_a_dismissed_pair_stays_away_until_new_evidence_comes(house: Any) -> None:
    first = await person(house, "Ana", "García", PHONE)
    second = await person(house, "Anna", "García", PHONE)
    (pair,) = await found(house)
    dismissed = await house.duplicates.DismissDuplicate(
        dup.DismissDuplicateRequest(duplicate_id=pair.duplicate_id)
    )
    assert (dismissed.state, dismissed.decided_by) == (dup.DUPLICATE_STATE_DISMISSED, "usr_test")
    await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=second.client_id,
            client=pb.Client(nickname="Annie"),
            update_mask=FieldMask(paths=["nickname"]),
        )
    )
    assert not await found(house)
    assert len(await found(house, state=dup.DUPLICATE_STATE_DISMISSED)) == 1
    for client in (first, second):
        await house.stub.AddContactPoint(
            pb.AddContactPointRequest(client_id=client.client_id, contact_point=contacts(MAIL)[0])
        )
    (again,) = await found(house)
    assert again.duplicate_id == pair.duplicate_id
    assert again.score > pair.score


async def test_a_merged_pair_says_so_and_is_two_people_once_the_merge_is_taken_back(house: Any) -> None:
    first = await person(house, "Ana", "García", PHONE)
    second = await person(house, "Ana", "García", PHONE)
    third = await person(house, "Ana", "Garcia", PHONE)
    pairs = {ids(pair): pair for pair in await found(house)}
    assert len(pairs) == 3
    await house.duplicates.DismissDuplicate(
        dup.DismissDuplicateRequest(duplicate_id=pairs[second.client_id, third.client_id].duplicate_id)
    )
    merge = await house.duplicates.MergeClients(
        dup.MergeClientsRequest(surviving_client_id=first.client_id, merged_client_id=second.client_id)
    )
    merged_id = pairs[first.client_id, second.client_id].duplicate_id
    pair = await house.duplicates.GetDuplicate(dup.GetDuplicateRequest(duplicate_id=merged_id))
    assert (pair.state, pair.second.client_id) == (dup.DUPLICATE_STATE_MERGED, second.client_id)
    refused = await refusal(
        house.duplicates.DismissDuplicate(dup.DismissDuplicateRequest(duplicate_id=merged_id))
    )
    assert refused.reason == "DUPLICATE_MERGED"
    await found(house)
    await house.duplicates.UndoMerge(dup.UndoMergeRequest(merge_id=merge.merge_id))
    still = {ids(pair) for pair in await found(house)}
    assert (first.client_id, second.client_id) not in still
    assert (second.client_id, third.client_id) not in still
    said = {ids(pair) for pair in await found(house, state=dup.DUPLICATE_STATE_DISMISSED)}
    assert {(first.client_id, second.client_id), (second.client_id, third.client_id)} <= said


async def test_pairs_are_listed_by_score_of_a_client_and_of_a_store_in_stable_pages(house: Any) -> None:
    other = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Elsewhere", time_zone="America/New_York", country="US")
    )
    for n in range(3):
        number = f"+1202555011{n}"
        await person(house, "Ana", f"García {n}", number)
        await person(house, "Ana", f"García {n}", number, home_store_id=other.store_id)
    sure = [await person(house, "Eve", "Diaz", PHONE, MAIL) for _ in range(2)]
    everything = await found(house)
    assert len(everything) == 4
    assert ids(everything[0]) == (sure[0].client_id, sure[1].client_id)
    assert [pair.score for pair in everything] == sorted((pair.score for pair in everything), reverse=True)
    paged: list[dup.Duplicate] = []
    token = ""
    while True:
        page = await house.duplicates.ListDuplicates(dup.ListDuplicatesRequest(page_size=2, page_token=token))
        paged += page.duplicates
        if not (token := page.next_page_token):
            break
    assert paged == everything
    assert len(await found(house, store_id=other.store_id)) == 3
    assert [ids(pair) for pair in await found(house, client_id=sure[1].client_id)] == [ids(everything[0])]
    assert len(await found(house, minimum_score=0.99)) == 1


async def test_a_number_that_a_crowd_has_says_nothing(house: Any) -> None:
    for letter in "abcdefghijklmnopqrstuvwxyz"[:CROWD]:
        await person(house, letter * 4, letter * 5, PHONE)
    for _ in range(2):
        await person(house, "Ana", "García", PHONE)
    assert not await found(house)


async def test_other_chains_are_never_compared_and_their_pairs_not_found(
    house: Any, other_house: Any
) -> None:
    await person(other_house, "Ana", "García", PHONE)
    house.act_as()
    await person(house, "Ana", "García", PHONE)
    assert not await found(house)
    await person(house, "Ana", "García", PHONE)
    (pair,) = await found(house)
    other_house.act_as()
    for call in (
        house.duplicates.GetDuplicate(dup.GetDuplicateRequest(duplicate_id=pair.duplicate_id)),
        house.duplicates.DismissDuplicate(dup.DismissDuplicateRequest(duplicate_id=pair.duplicate_id)),
    ):
        assert (await refusal(call)).reason == "DUPLICATE_NOT_FOUND"


async def test_a_pass_finds_those_whom_nobody_compared_and_counts(house: Any) -> None:
    clients = [
        await person(house, "Ana", family_name, number)
        for family_name, number in itertools.product(
            ("García", "Lee", "Novak"), (f"+1202555012{n}" for n in range(3))
        )
    ]
    twin = await person(house, "Ana", "Garcia", "+12025550120")
    await found(house)
    async with house.database.transaction(house.chain_id) as tx:  # as it was before there was any of this
        for table in ("duplicates", "match_keys", "match_clients"):
            await tx.execute(f"delete from {table}")
    first = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest(request_id="all"))
    await match_all(database=house.database, clock=house.clock)

    async def is_over() -> Any:
        request = dup.GetDuplicatePassRequest(duplicate_pass_id=first.duplicate_pass_id)
        one = await house.duplicates.GetDuplicatePass(request)
        return one if one.state != dup.PASS_STATE_RUNNING else None

    done = await eventually(is_over)
    assert done.state == dup.PASS_STATE_COMPLETED
    assert (done.clients_read, done.duplicates_found) == (10, 1)
    assert 1 <= done.pairs_compared <= 200
    assert [ids(pair) for pair in await found(house)] == [(clients[0].client_id, twin.client_id)]
    again = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest(request_id="all"))
    assert again == done
    refused = await refusal(
        house.duplicates.GetDuplicatePass(dup.GetDuplicatePassRequest(duplicate_pass_id="dpp_nobodys"))
    )
    assert refused.reason == "DUPLICATE_PASS_NOT_FOUND"


async def test_a_pass_that_was_cut_off_goes_on_where_it_was(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(7):
        await person(house, "Ana", "García", f"+1202555013{n}")
    twin = await person(house, "Ana", "García", "+12025550130")
    await found(house)
    from profiles.use_cases import matching

    monkeypatch.setattr(matching, "KEY_SLICE", 3)
    monkeypatch.setattr(matching, "BLOCK_SLICE", 4)
    real, calls = match_store.load_features, itertools.count()

    async def load(*arguments: Any) -> Any:
        if next(calls) % 2:
            raise RuntimeError("the machine is pulled out of the wall")
        return await real(*arguments)

    monkeypatch.setattr(match_store, "load_features", load)
    started = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest())
    same = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest(request_id="other"))
    assert same.duplicate_pass_id == started.duplicate_pass_id
    request = dup.GetDuplicatePassRequest(duplicate_pass_id=started.duplicate_pass_id)

    async def goes_on() -> Any:
        await move_pass(
            database=house.database,
            clock=house.clock,
            chain_id=house.chain_id,
            pass_id=started.duplicate_pass_id,
        )
        one = await house.duplicates.GetDuplicatePass(request)
        return one if one.state != dup.PASS_STATE_RUNNING else None

    done = await eventually(goes_on)
    assert (done.state, done.clients_read, done.duplicates_found) == (dup.PASS_STATE_COMPLETED, 8, 1)
    (pair,) = await found(house)
    assert pair.second.client_id == twin.client_id


async def test_a_pass_that_cannot_go_on_says_so(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await person(house, "Ana", "García", PHONE)
    await found(house)

    async def load(*arguments: Any) -> Any:
        raise RuntimeError("never")

    monkeypatch.setattr(match_store, "load_features", load)
    started = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest())
    request = dup.GetDuplicatePassRequest(duplicate_pass_id=started.duplicate_pass_id)

    async def is_over() -> Any:
        await match_all(database=house.database, clock=house.clock)
        one = await house.duplicates.GetDuplicatePass(request)
        return one if one.state != dup.PASS_STATE_RUNNING else None

    failed = await eventually(is_over)
    assert failed.state == dup.PASS_STATE_FAILED
    assert "RuntimeError" in failed.failure
    assert "never" not in failed.failure


async def test_one_client_who_cannot_be_compared_keeps_nobody_waiting(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await person(house, "Ana", "García", PHONE)
    await found(house)
    real = match_store.load_features

    async def load(tx: Any, client_ids: Any) -> Any:
        if bad.client_id in client_ids:
            raise RuntimeError("unreadable")
        return await real(tx, client_ids)

    async with house.database.transaction(house.chain_id) as tx:
        await match_store.queue(tx, [bad.client_id])
    monkeypatch.setattr(match_store, "load_features", load)
    pair = [await person(house, "Eve", "Diaz", "+12025550102") for _ in range(2)]
    while await match_changed(database=house.database, clock=house.clock, chain_id=house.chain_id):
        pass
    assert [ids(one) for one in await found(house)] == [tuple(one.client_id for one in pair)]


async def turn_on(house: Any) -> None:
    settings = await house.stub.GetChainSettings(pb.GetChainSettingsRequest())
    settings.merges_automatically = True
    await house.stub.UpdateChainSettings(pb.UpdateChainSettingsRequest(settings=settings))


async def test_nobody_is_merged_automatically_unless_the_chain_says_so(house: Any, looks: Any) -> None:
    sure = [await person(house, "Ana", "García", PHONE, MAIL) for _ in range(2)]
    close = [await person(house, "Eve", "Diaz", "+12025550102") for _ in range(2)]
    assert len(await found(house)) == 2
    assert not await published(house.database, ev.ClientMerged, chain_id=house.chain_id)
    await turn_on(house)
    started = await house.duplicates.StartDuplicatePass(dup.StartDuplicatePassRequest())
    await match_all(database=house.database, clock=house.clock)

    async def is_over() -> Any:
        request = dup.GetDuplicatePassRequest(duplicate_pass_id=started.duplicate_pass_id)
        one = await house.duplicates.GetDuplicatePass(request)
        return one if one.state != dup.PASS_STATE_RUNNING else None

    done = await eventually(is_over)
    assert done.merged_automatically == 1
    assert [ids(pair) for pair in await found(house)] == [tuple(one.client_id for one in close)]
    (merge,) = (await house.duplicates.ListMerges(dup.ListMergesRequest())).merges
    assert (merge.is_automatic, merge.actor) == (True, "service:profiles")
    assert (merge.surviving_client_id, merge.merged_client_id) == tuple(one.client_id for one in sure)
    assert ("MergeClients", merge.merge_id) in await looks(house, sure[1].client_id)

    # Who takes that back says that they are two: no later look merges them again.
    await house.duplicates.UndoMerge(dup.UndoMergeRequest(merge_id=merge.merge_id))
    async with house.database.transaction(house.chain_id) as tx:
        await match_store.queue(tx, [one.client_id for one in sure])
    await found(house)
    assert len(await published(house.database, ev.ClientMerged, chain_id=house.chain_id)) == 1


async def test_a_new_client_is_merged_soon_after_where_the_chain_wants_that(house: Any) -> None:
    await turn_on(house)
    first = await person(house, "Ana", "García", PHONE, MAIL)
    second = await person(house, "ana", "Garcia", PHONE, MAIL)

    async def is_merged() -> bool:
        await match_all(database=house.database, clock=house.clock)
        read = await house.stub.GetClient(pb.GetClientRequest(client_id=second.client_id))
        return read.client_id == first.client_id

    await eventually(is_merged)
