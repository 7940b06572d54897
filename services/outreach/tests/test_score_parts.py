"""What a score is made of: factors that multiply, parts that add up, effects that are learned, tiredness, tiers."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outreach_story import TODAY, book_of, days_ago

from outreach.domain import SIGNALS, Signal, Tier, TierAction
from outreach.domain.settings import Fatigue, OutreachSettings, SignalSettings, TierBands
from outreach.purchase_model import BgNbd
from outreach.scoring.choosing import Entry, choose, draws
from outreach.scoring.effects import STRENGTH, Counts, effect, effects
from outreach.scoring.model import ChainModel, ModelState, fit
from outreach.scoring.ranking import ORDINAL_VALUE, Candidate, best, rank, weigh
from outreach.scoring.rules import Rules
from outreach.scoring.tiers import TIERS, scale_of, tier_of_one, tiers_of
from outreach.signals import READINGS
from outreach.signals.book import Book, Mark
from outreach.signals.stores import find, part_of

SERVICE = [signal for signal in SIGNALS if READINGS[signal].is_service]


def ranked(
    book: Book,
    rules: Rules | None = None,
    *,
    model: ChainModel | None = None,
    keep: int = 50,
    as_of: date = TODAY,
) -> list[Candidate]:
    return list(rank(book, model, as_of, currency="USD", minor_per_unit=100, keep=keep, rules=rules))


def signals_of(candidates: list[Candidate]) -> set[Signal]:
    return {reason.signal for candidate in candidates for reason in candidate.reasons}


def rules_of(**decided: object) -> Rules:
    return Rules(chain_id="chn_1", settings=OutreachSettings(**decided).in_force())


histories = st.fixed_dictionaries(
    {
        "purchases": st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 500), st.integers(-500, 90_000)), max_size=15
        ),
        "visits": st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=10),
        "marks": st.lists(
            st.tuples(
                st.integers(0, 5),
                st.sampled_from([m for m in Mark if m is not Mark.NEED_BY]),
                st.integers(0, 60),
            ),
            max_size=15,
        ),
        "gifts": st.lists(st.tuples(st.integers(0, 5), st.integers(330, 380)), max_size=5),
    }
)


def book_from(facts: dict[str, list[tuple[int, ...]]]) -> Book:
    return book_of(
        TODAY,
        purchases=[(c, days_ago(ago), minor) for c, ago, minor in facts["purchases"]],
        visits=[(c, days_ago(ago)) for c, ago in facts["visits"]],
        marks=[(c, mark, days_ago(ago)) for c, mark, ago in facts["marks"]],
        gifts=[(c, days_ago(ago), 1) for c, ago in facts["gifts"]],
        clients=6,
    )


@settings(max_examples=60, deadline=None)
@given(facts=histories, counts=st.tuples(st.integers(0, 500), st.integers(0, 500)))
def test_factors_multiply_to_contributions_and_these_add_up_to_the_score_exactly(facts, counts):
    book = book_from(facts)
    rules = Rules(effects=effects(dict.fromkeys(SIGNALS, Counts(*counts))))
    for candidate in ranked(book, rules, model=fit(book, TODAY, minor_per_unit=100)):
        for part in candidate.reasons:
            product = part.value * part.effect * part.urgency * part.freshness
            assert part.contribution == np.rint(product * 10_000) / 10_000
            assert part.value == round(part.value, 4)
            assert 0 < part.effect < 1
            assert 0 < part.urgency <= 1
            assert 0.5 <= part.freshness <= 1
            assert part.source
        assert candidate.score == round(sum(part.contribution for part in candidate.reasons), 4)


@settings(max_examples=40, deadline=None)
@given(facts=histories, exploring=st.booleans())
def test_one_client_alone_is_judged_as_among_all(facts, exploring):
    book = book_from(facts)
    model = fit(book, TODAY, minor_per_unit=100)
    bands = TierBands(base_action=TierAction.NONE, middle_action=TierAction.AUTOMATED)
    rules = rules_of(tier_bands=bands, exploration_share=0.3 if exploring else 0)
    everyone = {candidate.client: candidate for candidate in ranked(book, rules, model=model)}
    alone = [ranked(part_of(book, np.array([at])), rules, model=model) for at in range(6)]
    assert [found[0] if found else None for found in alone] == [everyone.get(at) for at in range(6)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), 0.2),
        (Counts(50, 0), 0.1),
        (Counts(50, 50), 0.6),
        (Counts(10**6, 300_000), 0.3),
        (Counts(10, 99), (0.2 * 50 + 10) / 60),  # late events: never more answers than contacts
        (Counts(-1, -1), 0.2),
    ],
)
def test_an_effect_is_the_posterior_mean_of_a_beta_prior(counts, expected):
    assert STRENGTH == 50
    assert effect(0.2, counts) == pytest.approx(expected, abs=1e-4)


def test_a_signal_that_works_here_outranks_one_that_does_not():
    facts = {"visits": [(0, TODAY), (0, days_ago(1))], "marks": [(1, Mark.WISH_ARRIVED, TODAY)], "clients": 2}
    learned = Rules(
        effects=effects({Signal.HIGH_INTENT: Counts(1_000, 10), Signal.WISH_ARRIVED: Counts(1_000, 600)})
    )
    assert [one.client for one in ranked(book_of(TODAY, **facts), learned)] == [1, 0]
    other = Rules(
        effects=effects({Signal.HIGH_INTENT: Counts(1_000, 600), Signal.WISH_ARRIVED: Counts(1_000, 10)})
    )
    assert [one.client for one in ranked(book_of(TODAY, **facts), other)] == [0, 1]


@pytest.mark.parametrize(
    ("touched_ago", "freshness"), [(0, 0.5), (7, 0.75), (13, 0.9643), (14, 1.0), (400, 1.0), (None, 1.0)]
)
def test_a_recent_touch_tires_and_wears_off_in_two_weeks(touched_ago, freshness):
    marks = [(0, Mark.WISH_ARRIVED, TODAY)]
    if touched_ago is not None:
        marks.append((0, Mark.TOUCHED, days_ago(touched_ago)))
    ((part,),) = [one.reasons for one in ranked(book_of(TODAY, marks=marks))]
    assert part.freshness == freshness
    assert part.contribution == round(ORDINAL_VALUE * 0.22 * freshness, 4)


@pytest.mark.parametrize(
    ("fatigue", "freshness"), [(Fatigue(0.8, 10), 0.6), (Fatigue(0.0), 1.0), (Fatigue(days=5), 1.0)]
)
def test_a_chain_says_how_much_a_touch_tires_and_for_how_long(fatigue, freshness):
    marks = [(0, Mark.WISH_ARRIVED, TODAY), (0, Mark.TOUCHED, days_ago(5))]
    rules = Rules(settings=OutreachSettings(fatigue=fatigue).in_force())
    ((part,),) = [one.reasons for one in ranked(book_of(TODAY, marks=marks), rules)]
    assert part.freshness == freshness


def test_what_is_owed_to_a_client_is_not_held_back_by_texts_and_touches():
    marks = [(0, mark, days_ago(2)) for mark in Mark if mark not in (Mark.NEED_BY, Mark.TOUCHED)]
    quiet = signals_of(ranked(book_of(TODAY, marks=marks, purchases=[(0, days_ago(1), 100)])))
    held = ranked(
        book_of(
            TODAY,
            marks=[*marks, (0, Mark.TOUCHED, days_ago(2))],
            purchases=[(0, days_ago(1), 100)],
            texts=[(0, days_ago(2))],
        )
    )
    assert quiet > set(SERVICE) - {Signal.REPAIR_READY}
    assert signals_of(held) == set(SERVICE) - {Signal.REPAIR_READY}
    assert {part.freshness for one in held for part in one.reasons} == {1.0}


def test_who_waits_for_the_house_is_worth_an_average_client_at_least():
    rhythm = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-1.0, clients=99, converged=True)
    model = ChainModel(
        ModelState.FITTED, "", TODAY, 99, 9, bg_nbd=rhythm, mean_spend=36.0, mean_value_year=80.0
    )
    gone = [(0, days_ago(ago), 50_000) for ago in range(2_000, 2_100, 4)]
    book = book_of(TODAY, purchases=gone, marks=[(0, Mark.UNANSWERED, TODAY), (0, Mark.WISH_ARRIVED, TODAY)])
    (lost,) = ranked(book, model=model)
    by_signal = {part.signal: part.value for part in lost.reasons}
    assert by_signal[Signal.UNANSWERED_MESSAGE] == 80.0
    assert by_signal[Signal.WISH_ARRIVED] < 1


@pytest.mark.parametrize(
    ("answered_ago", "rests"),
    [(1, True), (2, True), (3, False)],  # the window opened two days ago
)
def test_an_answer_rests_the_reason_it_was_about_and_no_later_one_of_its_kind(answered_ago, rests):
    position = SIGNALS.index(Signal.TWO_TWO_TWO)
    book = book_of(TODAY, purchases=[(0, days_ago(16), 100)], rests=[(0, position, days_ago(answered_ago))])
    assert (Signal.TWO_TWO_TWO not in signals_of(ranked(book))) is rests


def test_parameters_of_the_chain_and_of_a_store_are_in_force_and_the_store_s_win():
    purchases = [(c, days_ago(ago), 100) for c, ago in enumerate((100, 150, 200))]
    stores = {0: 7, 1: 7, 2: 8}
    everywhere = {**dict.fromkeys(range(3), 7)}

    def silent(book: Book, *signals: SignalSettings) -> list[int]:
        decided = OutreachSettings(signals=signals)
        found = find(
            Signal.SILENT_ONE_TIMER, book, (TODAY - date(1970, 1, 1)).days, decided, {"sto_7": 7, "sto_8": 8}
        )
        return sorted(found.client.tolist())

    book = book_of(TODAY, purchases=purchases, stores=stores, clients=3)
    one, seven, eight = (
        lambda days, is_off=False, store=store: SignalSettings(
            Signal.SILENT_ONE_TIMER, store, is_off, {"silent_days": days} if days else {}
        )
        for store in ("", "sto_7", "sto_8")
    )
    assert silent(book) == [2]
    assert silent(book, one(100)) == [0, 1, 2]
    assert silent(book, one(100), seven(150)) == [1, 2]
    assert silent(book, seven(100)) == [0, 1, 2]
    assert silent(book, one(100), eight(300)) == [0, 1]
    assert silent(book, one(0, True)) == []
    assert silent(book, one(100, True), seven(0)) == [0, 1]  # on again, by the chain's parameter
    assert silent(book, seven(0, True), eight(0, True)) == []
    assert silent(book_of(TODAY, purchases=purchases, stores=everywhere, clients=3), eight(100)) == [2]
    assert silent(book, SignalSettings(Signal.SILENT_ONE_TIMER, "sto_unknown", True)) == [2]


@settings(max_examples=30, deadline=None)
@given(facts=histories, at=st.sets(st.integers(0, 5)))
def test_part_of_a_book_is_the_book_of_these_clients(facts, at):
    book, chosen = book_from(facts), np.array(sorted(at), dtype=np.int64)
    part = part_of(book, chosen)
    today = (TODAY - date(1970, 1, 1)).days
    for reading in READINGS.values():
        whole, some = reading.find(book, today), reading.find(part, today)
        stays = np.isin(whole.client, chosen)
        assert sorted(whole.client[stays].tolist()) == sorted(chosen[some.client].tolist())


def chain(count: int = 100) -> Book:
    """Return clients of whom each one spent more, and later, than the one before; most bought once."""
    purchases = [(c, days_ago(1_000 - 5 * c), 1_000 + 100 * c) for c in range(count)]
    return book_of(TODAY, purchases=purchases, clients=count + 3)


def test_tiers_are_the_shares_that_the_chain_asks_for():
    book = chain()
    at = np.arange(len(book))

    def counted(bands: TierBands) -> list[int]:
        return np.bincount(tiers_of(book, at, scale_of(book), bands), minlength=4).tolist()

    assert counted(TierBands()) == [20, 30, 50, 3]
    assert counted(TierBands(top_share=0.1, middle_share=0.5)) == [10, 50, 40, 3]
    assert counted(TierBands(top_share=0.5, middle_share=0.5)) == [50, 50, 0, 3]
    assert counted(TierBands(top_share=1.0)) == [100, 0, 0, 3]


def test_the_best_by_recency_frequency_and_money_are_top():
    purchases = [(c, days_ago(500 + c % 7), 10_000 + c % 11) for c in range(60)]
    purchases += [
        (0, days_ago(3), 900_000),
        (1, days_ago(3), 10_000),
        *[(2, days_ago(20 * n), 9_000) for n in range(9)],
    ]
    book = book_of(TODAY, purchases=purchases, clients=60)
    found = [TIERS[tier] for tier in tiers_of(book, np.arange(60), scale_of(book), TierBands(top_share=0.05))]
    assert [client for client, tier in enumerate(found) if tier is Tier.TOP] == [0, 1, 2]


def test_fewer_than_ten_buyers_are_all_top_and_one_alone_is_judged_as_among_all():
    assert scale_of(chain(9)) is None
    assert tier_of_one(part_of(chain(9), np.array([0])), None, TierBands()) is Tier.TOP
    assert tier_of_one(part_of(chain(9), np.array([10])), None, TierBands()) is Tier.PROSPECT
    book, scale = chain(), scale_of(chain())
    among = [TIERS[tier] for tier in tiers_of(book, np.arange(103), scale, TierBands())]
    assert [tier_of_one(part_of(book, np.array([at])), scale, TierBands()) for at in range(103)] == among


def test_a_scale_survives_its_document():
    scale = scale_of(chain())
    assert scale is not None
    assert type(scale).read(scale.document()) == scale


def test_a_tier_chooses_the_action_and_none_raises_nothing_but_what_is_owed():
    book = chain()
    model = fit(book, TODAY, minor_per_unit=100)
    bands = TierBands(middle_action=TierAction.AUTOMATED, base_action=TierAction.NONE)
    found = {one.client: one for one in ranked(book, rules_of(tier_bands=bands), model=model, keep=200)}
    assert {one.tier: one.action for one in found.values()} == {
        Tier.TOP: TierAction.PERSONAL,
        Tier.MIDDLE: TierAction.AUTOMATED,
    }
    waiting = book_of(
        TODAY,
        purchases=[(c, days_ago(1_000 - 5 * c), 1_000 + 100 * c) for c in range(100)],
        marks=[(c, Mark.UNANSWERED, TODAY) for c in range(100)],
        clients=100,
    )
    found = {one.client: one for one in ranked(waiting, rules_of(tier_bands=bands), model=model, keep=200)}
    assert {one.action for one in found.values()} == {TierAction.PERSONAL}
    assert signals_of([one for one in found.values() if one.tier is Tier.BASE]) == {Signal.UNANSWERED_MESSAGE}


def test_what_is_sent_by_itself_takes_no_place_of_a_person():
    book = chain()
    model = fit(book, TODAY, minor_per_unit=100)
    bands = TierBands(middle_action=TierAction.AUTOMATED)
    found = {one.client: one for one in ranked(book, rules_of(tier_bands=bands), model=model, keep=5)}
    entries = [Entry(one.client, one.queue, one.score, f"cli_{one.client:03}") for one in found.values()]
    actions = [found[number].action for number in chosen_of(entries, 5, 0)]
    assert sorted(actions) == [TierAction.AUTOMATED] * 5 + [TierAction.PERSONAL] * 5


def test_a_draw_is_the_same_for_chain_day_and_client_and_another_one_else():
    numbers = np.arange(1_000, dtype=np.int64)
    drawn = draws(numbers, "chn_1", TODAY)
    assert drawn.tolist() == draws(numbers, "chn_1", TODAY).tolist()
    assert drawn[[5, 900]].tolist() == draws(np.array([5, 900]), "chn_1", TODAY).tolist()
    assert drawn.tolist() != draws(numbers, "chn_2", TODAY).tolist()
    assert drawn.tolist() != draws(numbers, "chn_1", TODAY + timedelta(days=1)).tolist()
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)


def chosen_of(entries: list[Entry], keep: int, share: float, **more: object) -> dict[int, bool]:
    return choose(entries, keep, chain_id="chn_1", as_of=TODAY, exploration_share=share, **more)


def test_the_last_places_of_a_queue_are_drawn_only_where_the_chain_explores():
    entries = [Entry(number, 0, 100.0 - number, f"cli_{number:03}") for number in range(40)]
    assert chosen_of(entries, 10, 0) == dict.fromkeys(range(10), False)
    explored = chosen_of(entries, 10, 0.2)
    assert [number for number, is_explored in explored.items() if not is_explored] == list(range(8))
    assert len(explored) == 10
    assert all(number >= 8 for number, is_explored in explored.items() if is_explored)
    assert chosen_of(list(reversed(entries)), 10, 0.2) == explored
    assert chosen_of(entries[:10], 10, 0.2) == dict.fromkeys(range(10), False)  # all have a place


def test_ties_go_by_client_id_and_each_queue_is_filled_for_itself():
    entries = [Entry(number, number % 3, 1.0, f"cli_{9 - number}") for number in range(9)]
    assert sorted(chosen_of(entries, 1, 0)) == [6, 7, 8]
    assert sorted(chosen_of(entries, 1, 0, always={0})) == [0, 6, 7, 8]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60),
    parts=st.integers(1, 5),
    keep=st.integers(1, 6),
    share=st.sampled_from([0.0, 0.15, 0.3]),
)
def test_whoever_may_be_chosen_is_among_the_best_of_each_slice(count, parts, keep, share):
    marks = [(c, Mark.WISH_ARRIVED, days_ago(c % 9)) for c in range(count)]
    book = book_of(TODAY, marks=marks, clients=count, associates={c: c % 2 for c in range(count)})
    rules = rules_of(exploration_share=share)

    def entries(at: np.ndarray) -> list[Entry]:
        weighed = weigh(part_of(book, at), None, TODAY, minor_per_unit=100, rules=rules)
        found = best(part_of(book, at), weighed, keep)
        return [
            Entry(
                int(book.number[at][f]),
                int(weighed.queue[f]),
                float(weighed.score[f]),
                f"cli_{book.number[at][f]:03}",
            )
            for f in found
        ]

    whole = chosen_of(entries(np.arange(count)), keep, share)
    sliced = [one for part in np.array_split(np.arange(count), parts) for one in entries(part)]
    assert chosen_of(sliced, keep, share) == whole
