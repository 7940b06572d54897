"""Hashes of erased persons: known again by the right key and in the right chain only."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.testing import NOON
from profiles.store import suppressions
from profiles.suppression import SuppressedKind, Suppressor, external_key

PHONE, EMAIL = "+12025550101", "Ada@Maison.example"
SUPPRESSOR = Suppressor("a key of these tests, long enough")


def test_a_hash_says_nothing_without_the_key_and_is_the_same_with_it() -> None:
    phone = SUPPRESSOR.hash_of("chn_1", SuppressedKind.PHONE, PHONE)
    assert phone == Suppressor("a key of these tests, long enough").hash_of(
        "chn_1", SuppressedKind.PHONE, PHONE
    )
    assert phone != Suppressor("another key, also long enough to be one").hash_of(
        "chn_1", SuppressedKind.PHONE, PHONE
    )
    assert len(phone) == 32
    assert PHONE.encode() not in phone


def test_two_chains_do_not_learn_that_they_had_the_same_client() -> None:
    assert SUPPRESSOR.hash_of("chn_1", SuppressedKind.PHONE, PHONE) != SUPPRESSOR.hash_of(
        "chn_2", SuppressedKind.PHONE, PHONE
    )


def test_an_email_is_known_in_any_case_and_an_external_id_in_its_own() -> None:
    assert SUPPRESSOR.hash_of("chn_1", SuppressedKind.EMAIL, EMAIL) == SUPPRESSOR.hash_of(
        "chn_1", SuppressedKind.EMAIL, f" {EMAIL.upper()} "
    )
    ids = [external_key("pos", "A1"), external_key("pos", "a1"), external_key("posA", "1")]
    assert len({SUPPRESSOR.hash_of("chn_1", SuppressedKind.EXTERNAL_ID, value) for value in ids}) == 3


@given(st.lists(st.text(st.characters(exclude_characters="\0", categories=["L", "N", "P"]), min_size=1)))
def test_kinds_never_answer_for_one_another(values: list[str]) -> None:
    for value in values:
        assert len({SUPPRESSOR.hash_of("chn_1", kind, value) for kind in SuppressedKind}) == 3


def test_what_is_empty_has_no_hash() -> None:
    assert SUPPRESSOR.hashes_of("chn_1", phones=["", PHONE], emails=[""], external_ids=[("pos", "")]) == {
        SUPPRESSOR.hash_of("chn_1", SuppressedKind.PHONE, PHONE): SuppressedKind.PHONE
    }


async def test_hashes_are_found_in_their_chain_only_and_the_fast_path_knows_when_there_are_none(
    house: Any,
) -> None:
    hashes = SUPPRESSOR.hashes_of(house.chain_id, phones=[PHONE], emails=[EMAIL])
    async with house.database.transaction(house.chain_id) as tx:
        assert not await suppressions.any_in_chain(tx)
        assert await suppressions.find(tx, hashes) == set()
        assert await suppressions.find(tx, []) == set()
        await suppressions.add(tx, hashes, erasure_id="era_1", now=NOON)
        await suppressions.add(tx, hashes, erasure_id="era_2", now=NOON)
    async with house.database.transaction(house.chain_id) as tx:
        assert await suppressions.any_in_chain(tx)
        assert await suppressions.find(tx, [*hashes, b"of somebody else"]) == set(hashes)
    async with house.database.transaction("chn_other") as tx:
        assert not await suppressions.any_in_chain(tx)
        assert await suppressions.find(tx, hashes) == set()
