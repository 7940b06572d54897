"""Which way a search takes: on through the newest clients, or through the index of words."""

import pytest

from profiles.store.search_ways import Plan, Sample, Way, plan

PAGE = 21
MILLION = 1e6


def sample(
    *hits: int, beginnings: str = "", fitting: int = 0, of_own: int = 500, clients: float = MILLION
) -> Sample:
    """Return what 500 newest clients tell; `beginnings` has a b for each word that is one."""
    is_beginning = [mark == "b" for mark in beginnings.ljust(len(hits))]
    return Sample(hits, is_beginning, fitting, of_own, 500, clients)


def test_what_many_fit_is_looked_for_among_the_newest() -> None:
    assert plan(sample(60, beginnings="b", fitting=60), stores=0, limit=PAGE).ways == [Way.NEWEST, Way.CHAIN]


def test_what_nobody_of_the_newest_fits_is_looked_for_in_the_index_at_once() -> None:
    assert plan(sample(0), stores=0, limit=PAGE) == Plan([Way.CHAIN], 0, [0])


def test_the_index_is_not_asked_for_a_beginning_that_many_have_beside_a_seldom_word() -> None:
    """As of julia.rossi@mail.e: the last word is everybody's."""
    asked = plan(sample(5, 0, 170, 500, beginnings="bbbb"), stores=0, limit=PAGE)
    assert asked == Plan([Way.CHAIN], 0, [1])


def test_two_whole_words_are_both_asked_for() -> None:
    assert plan(sample(9, 6), stores=0, limit=PAGE).sought == [1, 0]


def test_a_frequent_name_with_one_letter_of_another_is_looked_for_among_the_newest_first() -> None:
    asked = plan(sample(7, 60, beginnings=" b", fitting=1), stores=0, limit=PAGE)
    assert asked.ways[0] is Way.NEWEST
    assert asked.width > 12_000


def test_of_one_store_the_index_of_the_store_is_asked_when_many_of_the_chain_fit() -> None:
    assert plan(sample(1, of_own=10), stores=1, limit=PAGE) == Plan([Way.STORES], 0, [0])


def test_of_many_stores_the_index_of_the_chain_is_asked() -> None:
    assert plan(sample(1, of_own=400), stores=40, limit=PAGE).ways == [Way.CHAIN]


def test_pieces_that_seldom_hang_together_are_not_thought_frequent() -> None:
    """Stone, category and year fit many clients, but seldom by one piece."""
    often = plan(sample(150, 150, 125, fitting=11), stores=0, limit=PAGE)
    seldom = plan(sample(150, 150, 125, fitting=0), stores=0, limit=PAGE)
    assert often.width < seldom.width


@pytest.mark.parametrize("stores", [0, 1, 30])
@pytest.mark.parametrize("clients", [0.0, 500.0, MILLION, 1e9])
@pytest.mark.parametrize("hits", [(0,), (500,), (0, 0, 0), (500, 500), (0, 500), (1, 2, 3)])
def test_every_plan_ends_at_the_index_with_a_word(hits: tuple[int, ...], clients: float, stores: int) -> None:
    asked = plan(sample(*hits, beginnings="b b", clients=clients), stores=stores, limit=PAGE)
    assert asked.ways[-1] in (Way.CHAIN, Way.STORES)
    assert asked.sought
    assert (Way.NEWEST in asked.ways) == (asked.width > 0)


def test_a_chain_without_clients_has_a_plan() -> None:
    assert plan(Sample([0], [True], 0, 0, 0, 0.0), stores=1, limit=PAGE).ways[-1] is Way.CHAIN
