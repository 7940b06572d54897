"""Write one batch of an import: what is new in it, in few statements of many rows each, and the event about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carnet.profiles.v1 import events_pb2 as ev

from chassis.database import Transaction
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.books import Assignment, AssignmentReason, first_assignment_id
from profiles.domain.import_rows import Row, hash_of
from profiles.domain.imports import Fault, Import, spread
from profiles.domain.pieces import purchase_summary
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of, moment_of
from profiles.store import books as book_store
from profiles.store import client_facts
from profiles.store import clients as client_store
from profiles.store import imports as store
from profiles.store import timeline as timeline_store


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
    purchases_created: int = 0
    lines_unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)


async def land_batch(
    tx: Transaction,
    imported: Import,
    place: Place,
    rows: Sequence[Row],
    *,
    piece_fields: Sequence[str],
    actor: str,
    now: datetime,
) -> Landed:
    """Write the clients and purchases of `rows` that are not known yet, and say so. Safe to repeat with other rows."""
    landed = Landed()
    if not rows:
        return landed
    known = await _land_clients(tx, imported, place, rows, now=now)
    new_clients = [client for client in known.values() if client.is_new]
    landed.clients_created = len(new_clients)
    entries = [
        Entry(
            entry_id_of(client.client_id),
            client.client_id,
            TimelineKind.PROFILE,
            now,
            "Became a client of the house",
            client.client_id,
        )
        for client in new_clients
    ]
    if assigned := [client for client in new_clients if client.associate_id]:
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
    if imported.has_purchases:
        purchases = await _purchases_of(tx, imported, rows, landed)
        facts = await _land_purchases(
            tx, imported, place, purchases, known, entries, landed, piece_fields=piece_fields, now=now
        )
    if entries:
        await timeline_store.add_entries(tx, entries)
    client_facts = [
        events.imported_client_fact(
            client.client_id, home_store_id=place.store_id, associate_id=client.associate_id, created_at=now
        )
        for client in new_clients
    ]
    for event in events.batches_landed(imported.import_id, client_facts, facts):
        tx.publish(event, entity_id=imported.import_id)
    return landed


async def _land_clients(
    tx: Transaction, imported: Import, place: Place, rows: Sequence[Row], *, now: datetime
) -> dict[str, store.KnownClient]:
    named: dict[str, tuple[str, str]] = {}
    for row in rows:
        if row.client_external_id not in named or not any(named[row.client_external_id]):
            named[row.client_external_id] = (row.given_name, row.family_name)
    known = await store.land_clients(
        tx,
        [
            store.ImportedClient(
                new_id("cli"), external_id, given, family, spread(external_id, imported.associate_ids)
            )
            for external_id, (given, family) in named.items()
        ],
        source=imported.source,
        store_id=place.store_id,
        now=now,
    )
    fields = set(imported.columns.values())
    changed: set[str] = set()
    if fields & {"given_name", "family_name"}:
        old = {
            known[external_id].client_id: names
            for external_id, names in named.items()
            if any(names) and not known[external_id].is_new
        }
        if old:
            changed.update(await store.fill_names(tx, old, now=now))
    if fields & {"phone", "email"}:
        contacts = {
            (known[row.client_external_id].client_id, kind, value.lower()): value
            for row in rows
            for kind, value in (("phone", row.phone), ("email", row.email))
            if value
        }
        if contacts:
            changed.update(
                await store.land_contacts(
                    tx,
                    [
                        store.ImportedContact(new_id("cpt"), client_id, kind, value)
                        for (client_id, kind, _), value in contacts.items()
                    ],
                )
            )
    new = {client.client_id for client in known.values() if client.is_new}
    if fields & {"given_name", "family_name", "phone", "email"} and (new or changed):
        await client_store.refresh_search(tx, [*(new | changed)])
    if before := sorted(changed - new):
        await store.count_change(tx, before, now=now)
        for client in await client_store.get_clients(tx, before):
            tx.publish(events.client_changed(client), entity_id=client.client_id)
    return known


@dataclass(slots=True)
class _Purchase:
    purchase_id: str
    external_id: str
    rows: list[Row]


async def _purchases_of(
    tx: Transaction, imported: Import, rows: Sequence[Row], landed: Landed
) -> list[_Purchase]:
    """Return the purchases that rows make up: by their id where the file has one, else one a row."""
    if not rows[0].purchase_external_id:
        return await _purchases_by_content(tx, imported, rows)
    purchases: dict[str, _Purchase] = {}
    for row in rows:
        purchase = purchases.get(row.purchase_external_id)
        if purchase is None:
            purchases[row.purchase_external_id] = _Purchase(new_id("pur"), row.purchase_external_id, [row])
            continue
        first = purchase.rows[0]
        if any(list(row.fields) == list(other.fields) for other in purchase.rows):
            landed.lines_unchanged += 1  # the very same line again
        elif (row.client_external_id, row.purchased_on, row.currency_code) != (
            first.client_external_id,
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


async def _purchases_by_content(tx: Transaction, imported: Import, rows: Sequence[Row]) -> list[_Purchase]:
    """Name each row by its content and by how many equal rows the file had before it, so that a second run, or a
    corrected file, finds the same names."""
    keys = [row.content_key for row in rows]
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
    known: Mapping[str, store.KnownClient],
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
                known[first.client_external_id].client_id,
                first.purchased_on,
                sum(row.amount_minor for row in purchase.rows),
                first.currency_code,
            )
        )
    written = await store.land_purchases(tx, rows, source=imported.source, store_id=place.store_id, now=now)
    facts: list[ev.PurchaseFact] = []
    lines: list[store.ImportedLine] = []
    moments = {day: moment_of(day, place.time_zone, now=now) for day in {row.purchased_on for row in rows}}
    for purchase, row in zip(purchases, rows, strict=True):
        if row.purchase_id not in written:
            landed.lines_unchanged += len(purchase.rows)
            continue
        quantity = sum(line.quantity for line in purchase.rows)
        for position, line in enumerate(purchase.rows):
            lines.append(
                store.ImportedLine(row.purchase_id, position, line.quantity, line.amount_minor, line.piece)
            )
        entries.append(
            Entry(
                entry_id_of(row.purchase_id),
                row.client_id,
                TimelineKind.PURCHASE,
                moments[row.purchased_on],
                purchase_summary(
                    quantity, row.total_minor, row.currency_code, digits_of(row.currency_code) or 0
                ),
                row.purchase_id,
            )
        )
        facts.append(
            events.imported_purchase_fact(
                purchase_id=row.purchase_id,
                client_id=row.client_id,
                store_id=place.store_id,
                purchased_on=row.purchased_on,
                total_minor=row.total_minor,
                currency_code=row.currency_code,
                lines=[
                    (line.quantity, line.amount_minor, dict(zip(piece_fields, line.piece, strict=True)))
                    for line in purchase.rows
                ],
            )
        )
    landed.purchases_created = len(written)
    if lines:
        await store.land_lines(tx, lines, piece_fields)
        await client_facts.refresh(tx, [row.client_id for row in rows if row.purchase_id in written])
    return facts
