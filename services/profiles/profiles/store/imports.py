"""Rows of imports: their state, faults and assumptions, and whole batches of purchases at once.

Batches go through asyncpg with one array a column: Postgres refuses COPY on tables with row-level security, and a
statement a row is ten times slower.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import Kind, ServiceError, not_found
from profiles.domain.import_rows import hash_of
from profiles.domain.imports import (
    UPLOAD_LEASE,
    Assumption,
    Checkpoint,
    DateOrder,
    Fault,
    Import,
    ImportBusy,
    ImportFormat,
    ImportState,
    OffsetWrong,
    Progress,
)
from profiles.store.columns import column, cut

_COUNTERS = tuple(field.name for field in fields(Progress))
_COLUMNS = (
    "import_id, source, file_name, format, delimiter, columns, store_id, associate_ids, state, failure, created_at,"
    " finished_at, encoding, date_order, import_mapping_id, resume_offset, resume_line, read_encoding, read_delimiter,"
    f" read_header, {', '.join(_COUNTERS)}"
)
_BEGUN = hash_of("begun")  # a counter that every upload begins with: without it the others were lost


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


async def add_import(tx: Transaction, announced: Import) -> None:
    """Insert an announced import."""
    await tx.execute(
        "insert into imports (import_id, chain_id, source, file_name, format, delimiter, columns, store_id,"
        " associate_ids, state, created_at, encoding, date_order, import_mapping_id) values (:import_id, :chain_id,"
        " :source, :file_name, :format, :delimiter, cast(:columns as jsonb), :store_id, :associate_ids, :state,"
        " :created_at, :encoding, :date_order, :import_mapping_id)",
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
            "encoding": announced.encoding,
            "date_order": announced.date_order.value if announced.date_order else "",
            "import_mapping_id": announced.import_mapping_id,
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
    tx: Transaction, import_id: str, *, after: tuple[int, str, str] | None, limit: int
) -> list[Fault]:
    """Return faults and warnings of an import in the order of its lines."""
    found = await tx.execute(
        "select line, field, reason, message, null occurrences, '' detail from import_faults"
        " where import_id = :import_id and (line, field, reason) > (:line, :field, :reason)"
        " union all select line, field, reason, '', occurrences, detail from import_assumptions"
        " where import_id = :import_id and (line, field, reason) > (:line, :field, :reason)"
        " order by line, field, reason limit :limit",
        {
            "import_id": import_id,
            "line": after[0] if after else -1,
            "field": after[1] if after else "",
            "reason": after[2] if after else "",
            "limit": limit,
        },
    )
    return [
        Fault(row.line, row.field, row.reason, row.message)
        if row.occurrences is None
        else Assumption(row.line, row.field, row.reason, row.occurrences, row.detail).fault
        for row in found
    ]


async def begin_upload(
    tx: Transaction, import_id: str, upload_id: str, *, offset: int, now: datetime
) -> Import:
    """Take an import for one upload, which begins at byte 0 or goes on where the last one was cut.

    Raises IMPORT_NOT_FOUND, IMPORT_BUSY and IMPORT_OFFSET_WRONG.
    """
    zeros = ", ".join(f"{name} = 0" for name in (*_COUNTERS, "resume_offset", "resume_line"))
    begin = "" if offset else f", {zeros}, read_encoding = '', read_delimiter = '', read_header = '{{}}'"
    taken = await tx.execute(
        "update imports set upload_id = :upload_id, upload_seen_at = :now, state = 'running', failure = '',"  # noqa: S608
        f" finished_at = null{begin} where import_id = :import_id and (upload_id = '' or upload_seen_at < :lost)"
        " and cast(:offset as bigint) in (0, resume_offset)",
        {
            "import_id": import_id,
            "upload_id": upload_id,
            "now": now,
            "lost": now - UPLOAD_LEASE,
            "offset": offset,
        },
    )
    current = await get_import(tx, import_id)
    if not taken.rowcount:
        if offset not in (0, current.checkpoint.offset):
            raise OffsetWrong(current.checkpoint.offset)
        raise ImportBusy(import_id)
    if not offset:
        for table in ("import_faults", "import_assumptions"):
            await tx.execute(
                f"delete from {table} where import_id = :import_id",  # noqa: S608
                {"import_id": import_id},
            )
    return current


async def move_upload(
    tx: Transaction,
    import_id: str,
    upload_id: str,
    progress: Progress,
    checkpoint: Checkpoint,
    *,
    now: datetime,
) -> None:
    """Write how far an upload is and keep the import for it. Raises IMPORT_BUSY when another one has taken it."""
    kept = await tx.execute(
        "update imports set upload_seen_at = :now, resume_offset = :offset, resume_line = :line,"  # noqa: S608
        " read_encoding = :encoding, read_delimiter = :delimiter, read_header = :header,"
        f" {', '.join(f'{name} = :{name}' for name in _COUNTERS)}"
        " where import_id = :import_id and upload_id = :upload_id",
        {
            "import_id": import_id,
            "upload_id": upload_id,
            "now": now,
            **asdict(progress),
            **asdict(checkpoint),
            "header": list(checkpoint.header),
        },
    )
    if not kept.rowcount:
        raise ImportBusy(import_id)


async def finish_upload(
    tx: Transaction, import_id: str, upload_id: str, *, state: ImportState, failure: str, now: datetime
) -> None:
    """Say that an upload is through. Raises IMPORT_BUSY when another one has taken the import."""
    kept = await tx.execute(
        "update imports set state = :state, failure = :failure, finished_at = :now, upload_id = '', resume_offset = 0,"
        " resume_line = 0 where import_id = :import_id and upload_id = :upload_id",
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


async def begin_counting(tx: Transaction, import_id: str) -> None:
    """Say that the counters of equal rows are there, none of them counted yet."""
    await count_rows(tx, import_id, {_BEGUN: 1})


async def forget_checkpoint(tx: Transaction, import_id: str) -> None:
    """Let the next upload begin at byte 0."""
    await tx.execute(
        "update imports set upload_id = '', resume_offset = 0, resume_line = 0 where import_id = :import_id",
        {"import_id": import_id},
    )


async def is_counting(tx: Transaction, import_id: str) -> bool:
    """Return whether the counters of equal rows are there: they are not worth a log, and a crash empties them."""
    found = await tx.execute(
        "select exists (select from import_rows where chain_id = :chain_id and import_id = :import_id"
        " and row_hash = :begun)",
        {"chain_id": tx.chain_id, "import_id": import_id, "begun": _BEGUN},
    )
    return bool(found.scalar_one())


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


async def land_purchases(
    tx: Transaction, purchases: Sequence[ImportedPurchase], *, source: str, store_id: str, now: datetime
) -> set[str]:
    """Insert the purchases whose external id the source does not have yet; return the ids of those inserted.

    Raises TRY_AGAIN when a client has gone meanwhile: merged into another, or erased.
    """
    if not purchases:
        return set()
    driver = await tx.driver()
    insert = (
        "insert into purchases (purchase_id, chain_id, client_id, store_id, purchased_on, total_minor,"  # noqa: S608
        " currency_code,"
        " source, external_id, created_at) select p.purchase_id, $1, p.client_id, $2, p.purchased_on, p.total_minor,"
        f" p.currency_code, $3, p.external_id, $4 from unnest({cut(5)}, {cut(6)}, {cut(7)}, $8::date[],"
        f" {cut(9, 'bigint')}, {cut(10)}) p (purchase_id, external_id, client_id, purchased_on, total_minor,"
        " currency_code)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing returning purchase_id"
    )
    ids, external_ids, client_ids, days, totals, currencies = zip(*purchases, strict=True)
    try:
        rows = await driver.fetch(
            insert,
            tx.chain_id,
            store_id,
            source,
            now,
            column(ids),
            column(external_ids),
            column(client_ids),
            days,
            column([str(total) for total in totals]),
            column(currencies),
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise ServiceError(
            Kind.CONFLICT, "TRY_AGAIN", "A client was merged or removed at this moment.", retry_after=0.1
        ) from error
    return {row[0] for row in rows}


async def land_lines(tx: Transaction, lines: Sequence[ImportedLine], piece_fields: Sequence[str]) -> None:
    """Insert the pieces of purchases; `piece_fields` are the columns that the file has."""
    driver = await tx.driver()
    names = "".join(f", {field}" for field in piece_fields)
    arrays = "".join(f", {cut(number)}" for number in range(6, 6 + len(piece_fields)))
    pieces = zip(*(line.piece for line in lines), strict=True)
    await driver.execute(
        f"insert into purchase_lines (chain_id, purchase_id, position, quantity, amount_minor{names}) select $1, l.*"  # noqa: S608
        f" from unnest({cut(2)}, {cut(3, 'int')}, {cut(4, 'int')}, {cut(5, 'bigint')}{arrays}) l",
        tx.chain_id,
        column([line.purchase_id for line in lines]),
        column([str(line.position) for line in lines]),
        column([str(line.quantity) for line in lines]),
        column([str(line.amount_minor) for line in lines]),
        *map(column, pieces),
    )


async def add_faults(tx: Transaction, import_id: str, faults: Sequence[Fault], *, most: int) -> int:
    """Keep at most `most` faults and return how many have a row now that had none."""
    if most <= 0 or not faults:
        return 0
    kept = faults[:most]
    driver = await tx.driver()
    added = await driver.fetch(
        "insert into import_faults (import_id, chain_id, line, field, reason, message) select $1, $2, f.* from"
        " unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) f on conflict do nothing returning 1",
        import_id,
        tx.chain_id,
        [fault.line for fault in kept],
        [fault.field for fault in kept],
        [fault.reason for fault in kept],
        [fault.message for fault in kept],
    )
    return len(added)


async def add_assumptions(tx: Transaction, import_id: str, assumptions: Sequence[Assumption]) -> None:
    """Count assumptions; each field and reason has one row with its first line."""
    driver = await tx.driver()
    await driver.execute(
        "insert into import_assumptions (import_id, chain_id, line, field, reason, occurrences, detail)"
        " select $1, $2, a.* from unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[]) a"
        " on conflict (chain_id, import_id, field, reason) do update set"
        " occurrences = import_assumptions.occurrences + excluded.occurrences,"
        " line = least(import_assumptions.line, excluded.line)",
        import_id,
        tx.chain_id,
        *map(list, zip(*assumptions, strict=True)),
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
        progress=Progress(*(getattr(row, name) for name in _COUNTERS)),
        failure=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
        encoding=row.encoding,
        date_order=DateOrder(row.date_order) if row.date_order else None,
        import_mapping_id=row.import_mapping_id,
        checkpoint=Checkpoint(
            row.resume_offset, row.resume_line, row.read_encoding, row.read_delimiter, tuple(row.read_header)
        ),
    )
