"""The parts of a recommendation: each with its own rule, and all of them adding up."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.words import fold
from outreach.recommendations import stones
from outreach.recommendations.likings import (
    Likings,
    Occasion,
    Owned,
    PriceBand,
    Size,
    Whose,
    Wish,
    band_of,
)
from outreach.recommendations.occasions import KnownDay, ahead, next_return
from outreach.recommendations.scoring import ShelfPiece, nearness_to, recommend, score_piece
from outreach.recommendations.sizes import ISO, JP, UK, US, millimetres

TODAY = date(2026, 3, 10)
LONG_AGO = TODAY - timedelta(days=400)


def piece(piece_id="pce_1", **fields):
    said = {
        "display_name": "", "collection": "", "brand": "", "category": "", "metal": "", "stone": "", "cut": "",
        "style": "", "size": "", "reference_key": "", "set_key": "", "price_minor": None, "currency": "USD",
        "arrived_on": LONG_AGO,
    } | fields  # fmt: skip
    keys = {f"{name}_key": fold(said[name]) for name in ("category", "metal", "stone")}
    return ShelfPiece(piece_id=piece_id, **keys, **said)


def parts(shown, **known):
    """Return the parts of one piece's score by kind."""
    scored = score_piece(shown, Likings(**{"currency": "USD"} | known), TODAY)
    return {part.kind: (part.sentence, part.contribution) for part in scored.parts}


def owned(**fields):
    return Owned(day=date(2025, 3, 3), **fields)


def test_a_wished_reference_says_most():
    wishes = [Wish(category="ring", metal="gold"), Wish(brand="brd_1", reference="r-1")]
    sentence, points = parts(
        piece(brand="brd_1", reference_key="r-1", category="Ring", metal="Gold"), wishes=wishes
    )["wish"]
    assert (sentence, points) == ("On the wishlist: this very reference.", 40)
    sentence, points = parts(piece(category="Ring", metal="Gold"), wishes=wishes)["wish"]
    assert (sentence, points) == ("On the wishlist: a ring like this (Gold).", 25)
    assert parts(piece(brand="brd_2", reference_key="r-1"), wishes=wishes) == {}


def test_a_piece_of_the_same_set_completes_it_for_who_owns_and_less_for_who_gave():
    necklace = owned(set_key="etoile", name="Étoile necklace")
    shown = piece(set_key="etoile")
    assert parts(shown, owned=[necklace])["set"] == (
        "Completes the set with “Étoile necklace”, bought on 3 March 2025.", 20,
    )  # fmt: skip
    assert "given on" in parts(shown, owned=[replace(necklace, whose=Whose.GIVEN)])["set"][0]
    assert parts(shown, owned=[replace(necklace, whose=Whose.FOR_OTHERS)])["set"] == (
        "Of one set with “Étoile necklace”, bought for somebody else on 3 March 2025.", 10,
    )  # fmt: skip


def test_taste_says_which_of_what_is_known_it_shares():
    known = [owned(brand="brd_1", metal="yellow gold"), owned(brand="brd_1"), owned(brand="brd_2")]
    sentence, points = parts(piece(brand="brd_1", metal="Yellow gold"), owned=known)["taste"]
    assert sentence == "To the taste that is known: the brand (2 of 3 pieces) and yellow gold (1 of 1 piece)."
    assert points == 12 * 2 / 4 + 8 * 1 / 2
    assert parts(piece(brand="brd_3"), owned=known) == {}


def test_what_was_said_counts_more_than_what_was_bought_and_what_was_given_less():
    own, given_, said = (
        parts(piece(stone="Ruby"), **known)["taste"][1]
        for known in (
            {"owned": [owned(stone="ruby")]},
            {"owned": [owned(stone="ruby", whose=Whose.GIVEN)]},
            {"preferences": frozenset({("stone", "ruby")})},
        )
    )
    assert given_ < own < said


def test_a_brand_may_be_preferred_by_its_name():
    likes = frozenset({("brand", "maison lune")})
    assert parts(piece(brand="brd_9", display_name="Maison Lune ring"), preferences=likes)["taste"][1] == 9.6
    assert parts(piece(brand="brd_9", display_name="Maison Lunette"), preferences=likes) == {}


def test_a_price_counts_in_the_chain_s_currency_only_and_less_the_further_it_is_off():
    band = PriceBand(100_000, 200_000)
    assert parts(piece(price_minor=150_000), band=band)["price"][1] == 10
    assert parts(piece(price_minor=300_000), band=band)["price"] == (
        "Near what is usually spent on a piece.", 5,
    )  # fmt: skip
    for other in (piece(price_minor=150_000, currency="EUR"), piece(), piece(price_minor=400_000)):
        assert parts(other, band=band) == {}


@pytest.mark.parametrize(
    ("occasion", "shown", "sentence"),
    [
        (
            Occasion(1, 0, date(2026, 3, 20), 10),
            {"stone": "Aquamarine"},
            "Birthday on 20 March: aquamarine is the stone of March.",
        ),
        (
            Occasion(1, 1, date(2026, 4, 2), 23),
            {"stone": "Brillantes"},
            "Birthday of the spouse on 2 April: diamond is the stone of April.",
        ),
        (
            Occasion(2, 0, date(2026, 3, 20), 10, years=25),
            {"metal": "Sterling silver"},
            "Anniversary on 20 March, the 25th: known for silver.",
        ),
        (
            Occasion(3, 0, date(2026, 3, 20), 10),
            {"category": "Engagement rings", "stone": "diamond"},
            "Engagement on 20 March: a ring with a diamond.",
        ),
    ],
)
def test_an_occasion_ahead_speaks_for_the_stone_it_is_known_for(occasion, shown, sentence):
    assert parts(piece(**shown), occasions=[occasion])["occasion"] == (sentence, 10)
    assert parts(piece(category="earrings", stone="onyx", metal="orange"), occasions=[occasion]) == {}


def test_a_size_counts_for_rings_and_for_what_goes_around_the_wrist():
    sizes = [Size(True, 52.0, "52"), Size(False, 170.0, "17 cm")]
    assert parts(piece(category="Ring", size="US 6"), sizes=sizes)["size"] == (
        "Fits as it is: size US 6, noted is 52.", 8,
    )  # fmt: skip
    assert parts(piece(category="Ring", size="56"), sizes=sizes)["size"][1] == 4
    assert parts(piece(category="Bracelet", size="17 cm"), sizes=sizes)["size"][1] == 8
    for other in (("Ring", "70"), ("Earrings", "52"), ("Watch", "18 cm"), ("Ring", "one size")):
        assert parts(piece(category=other[0], size=other[1]), sizes=sizes) == {}


def test_newness_fades_in_a_month():
    days = {age: parts(piece(arrived_on=TODAY - timedelta(days=age))) for age in (0, 15, 30)}
    assert days[0]["new"] == ("New in the store: came in today.", 6)
    assert days[15]["new"][1] == 3
    assert days[30] == {}


def test_what_is_owned_withheld_wished_in_secret_or_disliked_is_left_out():
    shown = piece(brand="brd_1", reference_key="r-1", category="Ring", metal="Platinum")
    likes = {"wishes": [Wish(category="ring", metal="platinum")]}
    assert len(recommend([shown], Likings(**likes), TODAY, most=5)) == 1
    for known in (
        {"owned": [owned(brand="brd_1", reference="r-1")]},
        {"owned": [owned(reference="r-1")]},
        {"withheld": frozenset({("brd_1", "r-1")})},
        {"wishes": [*likes["wishes"], Wish(reference="r-1", is_secret=True)]},
        {"dislikes": frozenset({"platinum"})},
    ):
        assert recommend([shown], Likings(**likes | known), TODAY, most=5) == []
    other = {"owned": [owned(brand="brd_2", reference="r-1")]}
    assert len(recommend([shown], Likings(**likes | other), TODAY, most=5)) == 1


def test_price_and_newness_alone_are_reasons_only_where_nothing_says_more():
    new = piece("pce_1", arrived_on=TODAY)
    ruby = piece("pce_2", stone="ruby")
    likes = Likings(preferences=frozenset({("stone", "ruby")}))
    assert [one.piece.piece_id for one in recommend([new, ruby], likes, TODAY, most=5)] == ["pce_2"]
    assert [one.piece.piece_id for one in recommend([new], likes, TODAY, most=5)] == ["pce_1"]
    assert [one.piece.piece_id for one in recommend([ruby, new], Likings(), TODAY, most=5)] == [
        "pce_1", "pce_2",
    ]  # fmt: skip


_words = st.sampled_from(["", "ring", "ruby", "gold", "brd_1", "etoile"])
_pieces = st.lists(
    st.builds(
        piece,
        brand=_words, category=_words, metal=_words, stone=_words, reference_key=_words, set_key=_words,
        price_minor=st.one_of(st.none(), st.integers(1, 10**7)),
        arrived_on=st.dates(TODAY - timedelta(days=60), TODAY),
    ),
    max_size=6,
).map(lambda listed: [replace(one, piece_id=f"pce_{n}") for n, one in enumerate(listed)])  # fmt: skip
_likings = st.builds(
    Likings,
    owned=st.lists(
        st.builds(owned, brand=_words, category=_words, metal=_words, stone=_words, reference=_words,
                  set_key=_words, whose=st.sampled_from(Whose), unit_minor=st.integers(1, 10**7)),
        max_size=4,
    ),
    wishes=st.lists(st.builds(Wish, brand=_words, reference=_words, category=_words, metal=_words,
                              is_secret=st.booleans()), max_size=3),
    occasions=st.lists(st.builds(Occasion, st.integers(0, 6), st.integers(0, 8), st.just(TODAY), st.just(0)),
                       max_size=2),
    band=st.one_of(st.none(), st.just(PriceBand(1000, 2000))),
    currency=st.just("USD"),
)  # fmt: skip


@given(_pieces, _likings, st.integers(1, 5))
def test_parts_add_up_order_is_one_and_nothing_owned_or_secret_is_shown(pieces, likings, most):
    found = recommend(pieces, likings, TODAY, most=most)
    assert found == recommend(pieces[::-1], likings, TODAY, most=most)
    assert len(found) <= most
    for one in found:
        assert one.score == pytest.approx(sum(part.contribution for part in one.parts), abs=1e-9)
        assert all(part.contribution > 0 and part.sentence.endswith(".") for part in one.parts)
        reference = one.piece.reference_key
        assert not reference or all(
            thing.reference != reference
            or (thing.brand and one.piece.brand and thing.brand != one.piece.brand)
            for thing in likings.owned
        )
        assert not any(wish.is_secret and wish.reference and wish.reference == reference
                       and not (wish.brand and one.piece.brand and wish.brand != one.piece.brand)
                       for wish in likings.wishes)  # fmt: skip


def test_the_band_of_what_was_bought_is_its_middle_half_and_wider_for_a_single_piece():
    assert band_of([]) is None
    assert band_of([owned(unit_minor=1000)]) == PriceBand(500, 2000)
    assert band_of([owned(unit_minor=n) for n in (9000, 100, 2000, 3000, 4000)]) == PriceBand(2000, 4000)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**10))
def test_nearness_is_a_share(one, other, price):
    band = PriceBand(min(one, other), max(one, other))
    assert 0 <= nearness_to(band, price) <= 1
    assert (nearness_to(band, price) == 1) == (band.low <= price <= band.high)


@pytest.mark.parametrize(
    ("value", "system", "expected"),
    [
        ("52", 0, 52), ("52", ISO, 52), ("US 6", 0, 51.8), ("6 1/2", US, 53.075), ("6.5", 0, 53.075),
        ("L", UK, 51.55), ("L 1/2", 0, 52.175), ("12", JP, 52.5), ("EU 54", 0, 54), ("25", 0, None),
        ("sizeable", 0, None), ("", 0, None),
    ],
)  # fmt: skip
def test_ring_sizes_of_each_system_are_comparable(value, system, expected):
    assert millimetres(value, system=system, is_ring=True) == pytest.approx(expected)


def test_a_day_returns_every_year_from_its_first_on_and_29_february_on_28():
    leap = KnownDay(1, 2000, 2, 29, False, -1, 0)
    assert next_return(leap, date(2026, 2, 1)) == date(2026, 2, 28)
    assert next_return(leap, date(2027, 3, 1)) == date(2028, 2, 29)
    once = KnownDay(3, 2026, 3, 9, True, -1, 0)
    assert next_return(once, date(2026, 3, 9)) == date(2026, 3, 9)
    assert next_return(once, TODAY) is next_return(replace(once, year=0), TODAY) is None
    (wedding,) = ahead([KnownDay(2, 2001, 4, 1, False, -1, 0), KnownDay(2, 2001, 9, 1, False, 90, 0)], TODAY)
    assert (wedding.days_ahead, wedding.years) == (22, 25)


def test_every_stone_of_a_month_or_year_has_words():
    names = {name for month in range(1, 13) for name in stones.of_month(month)}
    names |= {name for years in range(1, 100) if (name := stones.of_year(years))}
    assert all(stones.is_called(name, name) for name in names)


def ring(days_ago, **fields):
    return Owned(day=TODAY - timedelta(days=days_ago), category="engagement ring", metal="platinum", **fields)


def shown_of(*categories, **known):
    """Return the categories of what is recommended to whom this is known of."""
    shelf = [
        piece(f"pce_{at}", category=category, metal="Platinum") for at, category in enumerate(categories)
    ]
    return [one.piece.category for one in recommend(shelf, Likings(**known), TODAY, most=10)]


@pytest.mark.parametrize(
    "again", ["Engagement Ring", "Bague de fiançailles", "Anillo de compromiso", "Verlobungsring"]
)
def test_whoever_bought_an_engagement_ring_is_shown_bands_and_no_second_one(again):
    assert shown_of("Pendant", again, "Wedding band", owned=[ring(108)]) == ["Wedding band", "Pendant"]
    assert again in shown_of(again, owned=[ring(5 * 365)])
    wish = Wish(category=fold(again), metal="platinum")
    assert again in shown_of(again, owned=[ring(108)], wishes=[wish])


@pytest.mark.parametrize("bands", ["Wedding bands", "Alliance", "Alianzas", "Trauringe", "Ehering"])
def test_bands_go_with_the_ring_until_they_are_bought(bands):
    shown = piece(category=bands)
    assert parts(shown, owned=[ring(540)])["set"] == (
        "Goes with the engagement ring, bought on 16 September 2024.",
        20,
    )
    assert "given on" in parts(shown, owned=[ring(540, whose=Whose.GIVEN)])["set"][0]
    assert parts(shown, owned=[ring(541)]) == {}
    assert parts(shown) == {}
    had = Owned(day=TODAY - timedelta(days=30), category=fold(bands))
    assert "set" not in parts(shown, owned=[ring(200), had])
    assert shown_of(bands, "Engagement ring", "Pendant", owned=[had, Owned(day=TODAY, metal="platinum")]) == [
        "Pendant"
    ]
    # Bands of an earlier marriage are none for this ring.
    earlier = replace(had, day=TODAY - timedelta(days=3_000))
    assert parts(shown, owned=[earlier, ring(100)])["set"][1] == 20
