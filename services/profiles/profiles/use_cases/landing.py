"""Write one batch of an import: what is new in it, in few statements of many rows each, and the event about it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carnet.profiles.v1 import events_pb2 as ev

from chassis.database import Transaction
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.books import Assignment, AssignmentReason, first_assignment_id
from profiles.domain.import_people import Person
from profiles.domain.import_rows import Row, hash_of
from profiles.domain.imports import Assumption, Fault, Import
from profiles.domain.payments import CASH_KINDS, PaymentKind
from profiles.domain.pieces import purchase_summary
from profiles.domain.timeline import Entry, TimelineKind, day_at, entry_id_of, moment_of
from profiles.store import books as book_store
from profiles.store import import_clients, search_queue, suppressions
from profiles.store import imports as store
from profiles.store import payments as payment_store
from profiles.store import search as search_store
from profiles.store import timeline as timeline_store
from profiles.store.payments import PaidPart
from profiles.suppression import SuppressedKind, Suppressor, external_key
from profiles.use_cases.cash_watch import watch
from profiles.use_cases.import_turns import Step, Turn
from profiles.use_cases.landing_batch import Landing
from profiles.use_cases.landing_clients import joined_people, land_people


@dataclass(frozen=True, slots=True)
class Place:
    """Where an import's purchases were made, and what its numbers and amounts are read as."""

    store_id: str
    country: str
    time_zone: str
    currency_code: str


@dataclass(slots=True)
class Landed:
    """What a batch led to."""

    clients_created: int = 0
    clients_updated: int = 0
    purchases_created: int = 0
    lines_unchanged: int = 0
    lines_suppressed: int = 0
    conflicts: int = 0
    faults: list[Fault] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)


async def land_batch(
    tx: Transaction,
    imported: Import,
    place: Place,
    rows: Sequence[Row],
    *,
    piece_fields: Sequence[str],
    suppressor: Suppressor,
    turn: Turn,
    actor: str,
    now: datetime,
) -> Landed:
    """Write the clients and purchases of `rows` that are not known yet, and say so. Safe to repeat with other rows.

    Raises TurnLost when the batch before this one was rolled back meanwhile. Returns when that one is committed.
    """
    landed = Landed(assumptions=_assumptions_of(rows, place))
    people = joined_people((row.line, row.person) for row in rows)
    if people and (gone := await _suppressed(tx, imported, people, suppressor)):
        people = {key: one for key, one in people.items() if key not in gone}
        landed.lines_suppressed = sum(row.person.key in gone for row in rows)
        rows = [row for row in rows if row.person.key not in gone]
        landed.assumptions.append(Assumption(1, "", "ERASED_LEFT_OUT", landed.lines_suppressed))
    await turn.begin(Step.PEOPLE)
    if not rows:
        await turn.begin(Step.COUNTS)
        return landed
    landing = Landing(tx, imported, place.store_id, day_at(place.time_zone, now=now), actor, now)
    clients = await land_people(landing, people)
    landed.clients_created, landed.clients_updated = len(clients.new), len(clients.changed)
    landed.conflicts = clients.conflicts
    landed.assumptions += clients.assumptions
    entries = clients.entries
    if assigned := [client for client in clients.new if client.associate_id]:
        await book_store.add_assignments(
            tx,
            [
                Assignment(
                    first_assignment_id(client.client_id),
                    client.client_id,
                    "",
                    client.associate_id,
                    AssignmentReason.IMPORTED,
                    actor,
                    now,
                )
                for client in assigned
            ],
        )
    facts: list[ev.PurchaseFact] = []
    paid_in_cash: list[str] = []
    await turn.begin(Step.PURCHASES)
    if imported.has_purchases:
        purchases = await _purchases_of(tx, imported, rows, clients.ids, landed)
        facts = await _land_purchases(
            tx, imported, place, purchases, clients.ids, entries, landed, piece_fields=piece_fields, now=now
        )
        paid_in_cash = await _land_payments(tx, purchases, {fact.purchase_id for fact in facts}, now=now)
    await turn.begin(Step.TRACES)
    await search_store.refresh_search(tx, clients.with_words, purchase_ids=[])
    if facts:
        await search_queue.add(tx, [fact.client_id for fact in facts], now=now)
    if entries:
        await timeline_store.add_entries(tx, entries)
    people_facts = [events.client_fact(client) for client in (*clients.new, *clients.changed)]
    for event in events.batches_landed(imported.import_id, people_facts, facts):
        tx.publish(event, entity_id=imported.import_id)
    await turn.begin(Step.COUNTS)
    if paid_in_cash:
        buyers = {fact.purchase_id: fact.client_id for fact in facts}
        await watch(tx, [buyers[purchase_id] for purchase_id in paid_in_cash], now=now)
    return landed


def _assumptions_of(rows: Sequence[Row], place: Place) -> list[Assumption]:
    """Return in what sense the values of a batch were read, each with its first line."""
    counts: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        for assumed in row.assumed:
            counts.setdefault(assumed, []).append(row.line)
    return [
        Assumption(min(lines), name, reason, len(lines), place.country if reason.startswith("PHONE") else "")
        for (name, reason), lines in counts.items()
    ]


async def _suppressed(
    tx: Transaction, imported: Import, people: Mapping[str, tuple[int, Person]], suppressor: Suppressor
) -> set[str]:
    """Return the keys of people who were erased and must not come back.

    The id at the source tells by itself. A number or an e-mail does for somebody who would be new: it may be another's,
    of whoever is known here.
    """
    if not await suppressions.any_in_chain(tx):
        return set()
    by_id = {
        suppressor.hash_of(tx.chain_id, SuppressedKind.EXTERNAL_ID, external_key(imported.source, key)): key
        for key in people
    }
    by_contact = [
        (suppressor.hash_of(tx.chain_id, SuppressedKind(kind), value), key)
        for key, (_, person) in people.items()
        for kind, value in person.contacts
    ]
    found = await suppressions.find(tx, [*by_id, *(hashed for hashed, _ in by_contact)])
    if not found:
        return set()
    gone = {by_id[hashed] for hashed in found & by_id.keys()}
    touched = {key for hashed, key in by_contact if hashed in found} - gone
    known = await import_clients.known_external_ids(tx, imported.source, sorted(touched)) if touched else {}
    return gone | (touched - known.keys())


@dataclass(slots=True)
class _Purchase:
    purchase_id: str
    external_id: str
    rows: list[Row]


async def _purchases_of(
    tx: Transaction, imported: Import, rows: Sequence[Row], ids: Mapping[str, str], landed: Landed
) -> list[_Purchase]:
    """Return the purchases that rows make up: by their id where the file has one, else one a row."""
    if imported.counts_rows:
        return await _purchases_by_content(tx, imported, rows, ids)
    purchases: dict[str, _Purchase] = {}
    for row in rows:
        purchase = purchases.get(row.purchase_external_id)
        if purchase is None:
            purchases[row.purchase_external_id] = _Purchase(new_id("pur"), row.purchase_external_id, [row])
            continue
        first = purchase.rows[0]
        if any(list(row.fields) == list(other.fields) for other in purchase.rows):
            landed.lines_unchanged += 1  # the very same line again
        elif (row.person.key, row.purchased_on, row.currency_code) != (
            first.person.key,
            first.purchased_on,
            first.currency_code,
        ):
            landed.faults.append(
                Fault(
                    row.line,
                    "purchase_external_id",
                    "PURCHASE_MIXED",
                    f"Line {first.line} has this purchase with another client, date or currency.",
                )
            )
        else:
            purchase.rows.append(row)
    return list(purchases.values())


async def _purchases_by_content(
    tx: Transaction, imported: Import, rows: Sequence[Row], ids: Mapping[str, str]
) -> list[_Purchase]:
    """Name each row by its content and by how many equal rows the file had before it, so that a second run, or a
    corrected file, finds the same names."""
    keys = [row.content_key(row.person.external_id or ids[row.person.key]) for row in rows]
    hashes = [hash_of(key) for key in keys]
    seen = Counter(await store.count_rows(tx, imported.import_id, Counter(hashes)))
    purchases = []
    for row, key, row_hash in zip(rows, keys, hashes, strict=True):
        seen[row_hash] += 1
        purchases.append(_Purchase(new_id("pur"), f"{key}/{seen[row_hash]}", [row]))
    return purchases


async def _land_purchases(
    tx: Transaction,
    imported: Import,
    place: Place,
    purchases: Sequence[_Purchase],
    ids: Mapping[str, str],
    entries: list[Entry],
    landed: Landed,
    *,
    piece_fields: Sequence[str],
    now: datetime,
) -> list[ev.PurchaseFact]:
    rows: list[store.ImportedPurchase] = []
    for purchase in purchases:
        first = purchase.rows[0]
        assert first.purchased_on is not None  # the mapping has purchases, so every row has its day
        rows.append(
            store.ImportedPurchase(
                purchase.purchase_id,
                purchase.external_id,
                ids[first.person.key],
                first.purchased_on,
                sum(row.amount_minor for row in purchase.rows),
                first.currency_code,
            )
        )
    written = await store.land_purchases(tx, rows, source=imported.source, store_id=place.store_id, now=now)
    landed.purchases_created = len(written)
    if len(written) < len(rows):
        landed.lines_unchanged += sum(
            len(purchase.rows) for purchase in purchases if purchase.purchase_id not in written
        )
        rows = [row for row in rows if row.purchase_id in written]
        purchases = [purchase for purchase in purchases if purchase.purchase_id in written]
    moments = {day: moment_of(day, place.time_zone, now=now) for day in {row.purchased_on for row in rows}}
    digits = {code: digits_of(code) or 0 for code in {row.currency_code for row in rows}}
    entries += [
        Entry(
            entry_id_of(row.purchase_id),
            row.client_id,
            TimelineKind.PURCHASE,
            moments[row.purchased_on],
            purchase_summary(
                sum([line.quantity for line in purchase.rows]),
                row.total_minor,
                row.currency_code,
                digits[row.currency_code],
            ),
            row.purchase_id,
        )
        for purchase, row in zip(purchases, rows, strict=True)
    ]
    if rows:
        await store.land_lines(
            tx,
            [
                store.ImportedLine(
                    purchase.purchase_id, position, line.quantity, line.amount_minor, line.piece
                )
                for purchase in purchases
                for position, line in enumerate(purchase.rows)
            ],
            piece_fields,
        )
    return events.imported_purchase_facts(
        place.store_id,
        piece_fields,
        [
            (
                row.purchase_id,
                row.client_id,
                row.purchased_on,
                row.total_minor,
                row.currency_code,
                [(line.quantity, line.amount_minor, line.piece) for line in purchase.rows],
            )
            for purchase, row in zip(purchases, rows, strict=True)
        ],
    )


async def _land_payments(
    tx: Transaction, purchases: Sequence[_Purchase], written: Collection[str], *, now: datetime
) -> list[str]:
    """Write how lines were paid, each with its whole amount; return the purchases that cash is part of."""
    parts: list[PaidPart] = []
    for purchase in purchases:
        if purchase.purchase_id not in written:
            continue
        paid = Counter[PaymentKind]()
        for row in purchase.rows:
            if row.payment_kind and row.amount_minor > 0:
                paid[row.payment_kind] += row.amount_minor
        day = purchase.rows[0].purchased_on
        assert day is not None  # as above
        parts += [
            PaidPart(purchase.purchase_id, position, kind.value, amount, day)
            for position, (kind, amount) in enumerate(paid.items())
        ]
    await payment_store.add_payments(tx, parts, now=now)
    return [part.purchase_id for part in parts if part.kind in CASH_KINDS]
