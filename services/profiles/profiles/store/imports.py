"""Rows of imports: their state and faults, and whole batches of clients and purchases at once.

Batches go through asyncpg with one array a column: Postgres refuses COPY on tables with row-level security, and a
statement a row is ten times slower.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.imports import (
    MOST_FAULTS,
    UPLOAD_LEASE,
    Fault,
    Import,
    ImportBusy,
    ImportFormat,
    ImportState,
    Progress,
)

_COLUMNS = (
    "import_id, source, file_name, format, delimiter, columns, store_id, associate_ids, state, bytes_received,"
    " lines_read, lines_refused, clients_created, purchases_created, purchases_unchanged, failure, created_at,"
    " finished_at"
)


class ImportedClient(NamedTuple):
    """A client as a file knows one."""

    client_id: str
    external_id: str
    given_name: str
    family_name: str
    associate_id: str


class KnownClient(NamedTuple):
    """A client of the source, from this batch or from before."""

    client_id: str
    associate_id: str
    is_new: bool


class ImportedPurchase(NamedTuple):
    """A purchase as a file knows one."""

    purchase_id: str
    external_id: str
    client_id: str
    purchased_on: date
    total_minor: int
    currency_code: str


class ImportedLine(NamedTuple):
    """A bought piece; `piece` in the order of the batch's piece fields."""

    purchase_id: str
    position: int
    quantity: int
    amount_minor: int
    piece: tuple[str, ...]


class ImportedContact(NamedTuple):
    """A phone number or e-mail that a file names."""

    contact_point_id: str
    client_id: str
    kind: str
    value: str


async def add_import(tx: Transaction, announced: Import) -> None:
    """Insert an announced import."""
    await tx.execute(
        "insert into imports (import_id, chain_id, source, file_name, format, delimiter, columns, store_id,"
        " associate_ids, state, created_at) values (:import_id, :chain_id, :source, :file_name, :format, :delimiter,"
        " cast(:columns as jsonb), :store_id, :associate_ids, :state, :created_at)",
        {
            "import_id": announced.import_id,
            "chain_id": tx.chain_id,
            "source": announced.source,
            "file_name": announced.file_name,
            "format": announced.format.value,
            "delimiter": announced.delimiter,
            "columns": orjson.dumps(dict(announced.columns)).decode(),
            "store_id": announced.store_id,
            "associate_ids": list(announced.associate_ids),
            "state": announced.state.value,
            "created_at": announced.created_at,
        },
    )


async def get_import(tx: Transaction, import_id: str) -> Import:
    """Return an import. Raises IMPORT_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from imports where import_id = :import_id",  # noqa: S608
        {"import_id": import_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("import", import_id)
    return _import(row)


async def list_imports(tx: Transaction, *, before: str, limit: int) -> list[Import]:
    """Return imports, newest first."""
    found = await tx.execute(
        f"select {_COLUMNS} from imports where chain_id = :chain_id and (:before = '' or import_id < :before)"  # noqa: S608
        " order by import_id desc limit :limit",
        {"chain_id": tx.chain_id, "before": before, "limit": limit},
    )
    return [_import(row) for row in found]


async def list_faults(
    tx: Transaction, import_id: str, *, after: tuple[int, str] | None, limit: int
) -> list[Fault]:
    """Return the faults of an import in the order of its lines."""
    found = await tx.execute(
        "select line, field, reason, message from import_faults where import_id = :import_id"
        " and (line, field) > (:line, :field) order by line, field limit :limit",
        {
            "import_id": import_id,
            "line": after[0] if after else -1,
            "field": after[1] if after else "",
            "limit": limit,
        },
    )
    return [Fault(**row._mapping) for row in found]


async def begin_upload(tx: Transaction, import_id: str, upload_id: str, *, now: datetime) -> Import:
    """Take an import for one upload, which begins at the first line. Raises IMPORT_NOT_FOUND and IMPORT_BUSY."""
    taken = await tx.execute(
        "update imports set upload_id = :upload_id, upload_seen_at = :now, state = 'running', failure = '',"
        " finished_at = null, bytes_received = 0, lines_read = 0, lines_refused = 0, clients_created = 0,"
        " purchases_created = 0, purchases_unchanged = 0"
        " where import_id = :import_id and (upload_id = '' or upload_seen_at < :lost)",
        {"import_id": import_id, "upload_id": upload_id, "now": now, "lost": now - UPLOAD_LEASE},
    )
    current = await get_import(tx, import_id)
    if not taken.rowcount:
        raise ImportBusy(import_id)
    await tx.execute("delete from import_faults where import_id = :import_id", {"import_id": import_id})
    return current


async def move_upload(
    tx: Transaction, import_id: str, upload_id: str, progress: Progress, *, now: datetime
) -> None:
    """Write how far an upload is and keep the import for it. Raises IMPORT_BUSY when another one has taken it."""
    kept = await tx.execute(
        "update imports set upload_seen_at = :now, bytes_received = :bytes_received, lines_read = :lines_read,"
        " lines_refused = :lines_refused, clients_created = :clients_created, purchases_created = :purchases_created,"
        " purchases_unchanged = :purchases_unchanged where import_id = :import_id and upload_id = :upload_id",
        {"import_id": import_id, "upload_id": upload_id, "now": now, **asdict(progress)},
    )
    if not kept.rowcount:
        raise ImportBusy(import_id)


async def finish_upload(
    tx: Transaction, import_id: str, upload_id: str, *, state: ImportState, failure: str, now: datetime
) -> None:
    """Say that an upload is through. Raises IMPORT_BUSY when another one has taken the import."""
    kept = await tx.execute(
        "update imports set state = :state, failure = :failure, finished_at = :now, upload_id = ''"
        " where import_id = :import_id and upload_id = :upload_id",
        {
            "import_id": import_id,
            "upload_id": upload_id,
            "state": state.value,
            "failure": failure,
            "now": now,
        },
    )
    if not kept.rowcount:
        raise ImportBusy(import_id)


async def release_upload(tx: Transaction, import_id: str, upload_id: str) -> None:
    """Let the next upload begin, if this one still has the import; its state stays as it is."""
    await tx.execute(
        "update imports set upload_id = '' where import_id = :import_id and upload_id = :upload_id",
        {"import_id": import_id, "upload_id": upload_id},
    )


async def forget_rows(tx: Transaction, import_id: str, *, most: int) -> int:
    """Delete up to `most` counters of equal rows and return how many there were."""
    removed = await tx.execute(
        "delete from import_rows where import_id = :import_id and row_hash <="
        " (select max(row_hash) from (select row_hash from import_rows where import_id = :import_id"
        " order by row_hash limit :most) first)",
        {"import_id": import_id, "most": most},
    )
    return int(removed.rowcount)


async def count_rows(tx: Transaction, import_id: str, counts: Mapping[int, int]) -> dict[int, int]:
    """Count rows by hash and return how many of each this upload had before."""
    driver = await tx.driver()
    ordered = sorted(counts)
    rows = await driver.fetch(
        "insert into import_rows (import_id, chain_id, row_hash, occurrences)"
        " select $1, $2, r.row_hash, r.occurrences from unnest($3::bigint[], $4::int[]) r (row_hash, occurrences)"
        " on conflict (chain_id, import_id, row_hash) do update"
        " set occurrences = import_rows.occurrences + excluded.occurrences returning row_hash, occurrences",
        import_id,
        tx.chain_id,
        ordered,
        [counts[row_hash] for row_hash in ordered],
    )
    return {row_hash: total - counts[row_hash] for row_hash, total in rows}


async def land_clients(
    tx: Transaction, clients: Sequence[ImportedClient], *, source: str, store_id: str, now: datetime
) -> dict[str, KnownClient]:
    """Insert the clients who are not known and return all by external id; none of them can go until the commit."""
    driver = await tx.driver()
    # In one order for all: two imports of one source must not wait for one another in a circle.
    ordered = sorted(clients, key=lambda client: client.external_id)
    external_ids = [client.external_id for client in ordered]
    added = await driver.fetch(
        "insert into clients (client_id, chain_id, given_name, family_name, home_store_id, associate_id, source,"
        " external_id, created_at, updated_at) select c.client_id, $1, c.given_name, c.family_name, $2,"
        " c.associate_id, $3, c.external_id, $4, $4 from unnest($5::text[], $6::text[], $7::text[], $8::text[],"
        " $9::text[]) c (client_id, external_id, given_name, family_name, associate_id)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing"
        " returning external_id, client_id, associate_id",
        tx.chain_id,
        store_id,
        source,
        now,
        [client.client_id for client in ordered],
        external_ids,
        [client.given_name for client in ordered],
        [client.family_name for client in ordered],
        [client.associate_id for client in ordered],
    )
    known = {row[0]: KnownClient(row[1], row[2], True) for row in added}
    if before := [external_id for external_id in external_ids if external_id not in known]:
        rows = await driver.fetch(
            # LIMIT 1 keeps the planner at one look into the unique index for each, whatever it knows of the chain.
            "select wanted.external_id, c.client_id, c.associate_id from unnest($3::text[]) wanted (external_id),"
            " lateral (select client_id, associate_id from clients where chain_id = $1 and source = $2"
            " and external_id = wanted.external_id and external_id <> '' limit 1 for key share) c",
            tx.chain_id,
            source,
            before,
        )
        known |= {row[0]: KnownClient(row[1], row[2], False) for row in rows}
    return known


async def fill_names(tx: Transaction, names: Mapping[str, tuple[str, str]], *, now: datetime) -> list[str]:
    """Give clients without any name the given and family name that a file has; return the ids of those changed.

    A name that is there stays: it may be an associate's correction.
    """
    driver = await tx.driver()
    rows = await driver.fetch(
        "update clients set given_name = n.given_name, family_name = n.family_name, updated_at = $1"
        " from unnest($2::text[], $3::text[], $4::text[]) n (client_id, given_name, family_name)"
        " where clients.client_id = n.client_id and clients.given_name = '' and clients.family_name = ''"
        " returning clients.client_id",
        now,
        list(names),
        [given for given, _ in names.values()],
        [family for _, family in names.values()],
    )
    return [row[0] for row in rows]


async def land_contacts(tx: Transaction, contacts: Sequence[ImportedContact]) -> list[str]:
    """Insert the contact points that their clients do not have; return the ids of those clients."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "insert into contact_points (contact_point_id, chain_id, client_id, kind, value, match_key, label)"
        " select p.contact_point_id, $1, p.client_id, p.kind, p.value, lower(p.value), 'import'"
        " from unnest($2::text[], $3::text[], $4::text[], $5::text[]) p (contact_point_id, client_id, kind, value)"
        " on conflict (chain_id, client_id, kind, match_key) do nothing returning client_id",
        tx.chain_id,
        [contact.contact_point_id for contact in contacts],
        [contact.client_id for contact in contacts],
        [contact.kind for contact in contacts],
        [contact.value for contact in contacts],
    )
    return [row[0] for row in rows]


async def count_change(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> None:
    """Count one change of each client."""
    await tx.execute(
        "update clients set version = version + 1, updated_at = :now where client_id = any(:ids)",
        {"now": now, "ids": list(client_ids)},
    )


async def land_purchases(
    tx: Transaction, purchases: Sequence[ImportedPurchase], *, source: str, store_id: str, now: datetime
) -> set[str]:
    """Insert the purchases whose external id the source does not have yet; return the ids of those inserted."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "insert into purchases (purchase_id, chain_id, client_id, store_id, purchased_on, total_minor, currency_code,"
        " source, external_id, created_at) select p.purchase_id, $1, p.client_id, $2, p.purchased_on, p.total_minor,"
        " p.currency_code, $3, p.external_id, $4 from unnest($5::text[], $6::text[], $7::text[], $8::date[],"
        " $9::bigint[], $10::text[]) p (purchase_id, external_id, client_id, purchased_on, total_minor, currency_code)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing returning purchase_id",
        tx.chain_id,
        store_id,
        source,
        now,
        *map(list, zip(*purchases, strict=True)),
    )
    return {row[0] for row in rows}


async def land_lines(tx: Transaction, lines: Sequence[ImportedLine], piece_fields: Sequence[str]) -> None:
    """Insert the pieces of purchases; `piece_fields` are the columns that the file has."""
    driver = await tx.driver()
    names = "".join(f", {field}" for field in piece_fields)
    arrays = "".join(f", ${number}::text[]" for number in range(6, 6 + len(piece_fields)))
    await driver.execute(
        f"insert into purchase_lines (chain_id, purchase_id, position, quantity, amount_minor{names}) select $1, l.*"  # noqa: S608
        f" from unnest($2::text[], $3::int[], $4::int[], $5::bigint[]{arrays}) l",
        tx.chain_id,
        [line.purchase_id for line in lines],
        [line.position for line in lines],
        [line.quantity for line in lines],
        [line.amount_minor for line in lines],
        *([line.piece[index] for line in lines] for index in range(len(piece_fields))),
    )


async def add_faults(tx: Transaction, import_id: str, faults: Sequence[Fault]) -> None:
    """Keep faults, MOST_FAULTS of an import at most."""
    driver = await tx.driver()
    await driver.execute(
        "insert into import_faults (import_id, chain_id, line, field, reason, message) select $1, $2, f.* from"
        " unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) f"
        " limit greatest(0, $7 - (select count(*) from import_faults where import_id = $1))"
        " on conflict do nothing",
        import_id,
        tx.chain_id,
        [fault.line for fault in faults],
        [fault.field for fault in faults],
        [fault.reason for fault in faults],
        [fault.message for fault in faults],
        MOST_FAULTS,
    )


def _import(row: Row[Any]) -> Import:
    columns = orjson.loads(row.columns) if isinstance(row.columns, str) else row.columns
    return Import(
        import_id=row.import_id,
        source=row.source,
        file_name=row.file_name,
        format=ImportFormat(row.format),
        delimiter=row.delimiter,
        columns=columns,
        store_id=row.store_id,
        associate_ids=tuple(row.associate_ids),
        state=ImportState(row.state),
        progress=Progress(
            row.bytes_received,
            row.lines_read,
            row.lines_refused,
            row.clients_created,
            row.purchases_created,
            row.purchases_unchanged,
        ),
        failure=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
