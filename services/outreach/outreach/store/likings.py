"""What is known of one client's taste, read for a recommendation. Keeps apart what is a surprise for the client."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from chassis import identities
from chassis.database import Transaction
from outreach.domain.words import fold
from outreach.recommendations.likings import Likings, Owned, Whose, Wish, band_of
from outreach.recommendations.occasions import KnownDay, ahead

_ONCE = 2  # carnet.profiles.v1.OCCASION_RECURRENCE_ONCE
_WANTED = 1  # carnet.profiles.v1.WISH_STATE_WANTED
_BOUGHT = 2  # carnet.profiles.v1.WISH_STATE_BOUGHT
# carnet.profiles.v1.PreferenceKind, as attributes of a piece; a designer stands in a piece's name as a brand does.
ATTRIBUTE_OF_PREFERENCE = {2: "metal", 3: "stone", 4: "cut", 5: "style", 6: "brand", 10: "brand"}

_MOST_PURCHASES = 300


@dataclass(frozen=True)
class Taste:
    """A client's store, and what is known of the taste."""

    store_id: str
    likings: Likings


async def read_taste(tx: Transaction, client_id: str, *, today: date, currency: str) -> Taste | None:
    """Return what may be used for the client's own view; None for an unknown, deleted or erased client."""
    current = await identities.find_current(tx, client_id)
    if current is None:
        return None
    connection = await tx.driver()
    client = await connection.fetchrow(
        "select store_id, occasions, preferences from clients"
        " where chain_id = $1 and client_id = $2 and not is_deleted",
        tx.chain_id,
        current,
    )
    if client is None:
        return None
    ids = await identities.whole(tx, [current])
    purchases = await connection.fetch(
        """
        select p.client_id, p.purchase_day, p.total_minor, p.currency_code, p.lines, p.recipient_client_id,
            p.surprise_for_client_id, p.surprise_ends_on
        from (
            (select * from purchases where chain_id = $1 and client_id = $2
                order by purchase_day desc, purchase_id limit $5)
            union
            (select * from purchases where chain_id = $1 and recipient_client_id <> ''
                and recipient_client_id = any($3::text[]) limit $5)
            union
            (select * from purchases where chain_id = $1 and surprise_for_client_id <> ''
                and surprise_for_client_id = any($3::text[]) limit $5)
        ) as p
        where p.purchase_day <= $4 and p.total_minor > coalesce((select sum(r.total_minor) from returns r
            where r.chain_id = $1 and r.purchase_id = p.purchase_id and r.currency_code = p.currency_code
            and r.returned_on <= $4), 0)
        order by p.purchase_day, p.purchase_id
        """,
        tx.chain_id,
        current,
        ids,
        today,
        _MOST_PURCHASES,
    )
    wishes = await connection.fetch(
        "select state, brand_id, reference_key, category_key, metal_key, stone_key, is_surprise, surprise_ends_on"
        " from wishes where chain_id = $1 and client_id = $2 and not is_removed order by wish_id",
        tx.chain_id,
        current,
    )
    owned: list[Owned] = []
    withheld: set[tuple[str, str]] = set()
    for row in purchases:
        pieces = _pieces(row, current, ids, currency)
        if is_secret(row["surprise_for_client_id"], row["surprise_ends_on"], ids, today):
            withheld |= {(piece.brand, piece.reference) for piece in pieces if piece.reference}
        else:
            owned += pieces
    own = [piece for piece in owned if piece.whose is not Whose.GIVEN]
    return Taste(
        client["store_id"],
        Likings(
            owned=tuple(await _with_sets(tx, owned)),
            withheld=frozenset(withheld),
            wishes=tuple(one for row in wishes if (one := _wish(row, today)) is not None),
            occasions=tuple(ahead(_days(client["occasions"], ids), today)),
            preferences=preferences_of(client["preferences"]),
            band=band_of(own),
            currency=currency,
        ),
    )


def is_secret(surprised: str, ends_on: date | None, ids: Collection[str], today: date) -> bool:
    """Return whether a row is a surprise for the client who has these ids, and it is not over."""
    return surprised in ids and (ends_on is None or ends_on >= today)


def preferences_of(known: Sequence[Sequence[Any]]) -> frozenset[tuple[str, str]]:
    """Return (attribute, value) of what is preferred; a brand is kept as it is said and folded."""
    found: set[tuple[str, str]] = set()
    for kind, value in known:
        if attribute := ATTRIBUTE_OF_PREFERENCE.get(kind):
            found.add((attribute, fold(value)))
            if attribute == "brand":
                found.add((attribute, value))
    return frozenset(found)


def _pieces(row: Mapping[str, Any], client_id: str, ids: Collection[str], currency: str) -> list[Owned]:
    is_for_other = bool(row["recipient_client_id"]) and row["recipient_client_id"] not in ids
    whose = Whose.FOR_OTHERS if is_for_other else Whose.OWN
    if row["client_id"] != client_id:
        if is_for_other:
            return []
        whose = Whose.GIVEN
    is_home = row["currency_code"] == currency
    if not row["lines"]:
        return [Owned(row["purchase_day"], whose, unit_minor=row["total_minor"] if is_home else None)]
    return [
        Owned(
            day=row["purchase_day"],
            whose=whose,
            brand=brand,
            reference=fold(reference),
            category=fold(category),
            metal=fold(metal),
            stone=fold(stone),
            unit_minor=minor // max(quantity, 1) if is_home and minor > 0 else None,
        )
        for brand, category, metal, stone, reference, quantity, minor in row["lines"]
    ]


def _wish(row: Mapping[str, Any], today: date) -> Wish | None:
    """Return a wish that is open, or granted in secret; what the client knows to be there is no wish any more."""
    is_secret_now = row["is_surprise"] and (
        row["surprise_ends_on"] is None or row["surprise_ends_on"] >= today
    )
    if row["state"] != _WANTED and (row["state"] == _BOUGHT or not is_secret_now):
        return None
    return Wish(
        brand=row["brand_id"],
        reference=row["reference_key"],
        category=row["category_key"],
        metal=row["metal_key"],
        stone=row["stone_key"],
        is_secret=is_secret_now,
    )


def _days(occasions: Sequence[Sequence[Any]], ids: Collection[str]) -> list[KnownDay]:
    """Return the days that are no surprise for the client."""
    found = []
    for one in occasions:
        kind, year, month, day, *rest = one
        recurrence, lead_days, relationship, surprised = (*rest, *(0, -1, 0, "")[len(rest) :])[:4]
        if not surprised or surprised not in ids:
            found.append(KnownDay(kind, year, month, day, recurrence == _ONCE, lead_days, relationship))
    return found


async def _with_sets(tx: Transaction, owned: Sequence[Owned]) -> list[Owned]:
    """Return pieces with the set and the name that the catalogue has under their references, out of it or not."""
    references = sorted({piece.reference for piece in owned if piece.reference})
    if not references:
        return list(owned)
    connection = await tx.driver()
    rows = await connection.fetch(
        "select reference_key, brand_id, set_key, display_name from pieces"
        " where chain_id = $1 and reference_key <> '' and reference_key = any($2::text[]) order by piece_id",
        tx.chain_id,
        references,
    )
    there: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        there.setdefault(row["reference_key"], []).append(row)
    found = []
    for piece in owned:
        for row in there.get(piece.reference, ()):
            if not piece.brand or not row["brand_id"] or piece.brand == row["brand_id"]:
                found.append(replace(piece, set_key=row["set_key"], name=row["display_name"]))
                break
        else:
            found.append(piece)
    return found
