"""The report of an import as a CSV file: what was refused and what was assumed, line by line."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

from chassis.caller import Caller
from chassis.database import Database
from profiles.domain.imports import Fault, Import
from profiles.store import imports as store

_PAGE = 1000
_HEADER = ("line", "field", "reason", "message", "kind")


async def report_of(*, database: Database, caller: Caller, import_id: str) -> AsyncIterator[bytes]:
    """Yield the file in pieces; a page at a time is read, and no transaction is open meanwhile.

    It begins with the mark by which Excel knows UTF-8. Raises IMPORT_NOT_FOUND.
    """
    async with database.transaction(caller.chain_id) as tx:
        imported = await store.get_import(tx, import_id)
    yield b"\xef\xbb\xbf" + _csv([_HEADER])
    after: tuple[int, str, str] | None = None
    while True:
        async with database.transaction(caller.chain_id) as tx:
            faults = await store.list_faults(tx, import_id, after=after, limit=_PAGE)
        if faults:
            yield _csv([_row(fault) for fault in faults])
            after = faults[-1].line, faults[-1].field, faults[-1].reason
        if len(faults) < _PAGE:
            break
    if rest := _rest(imported):
        yield _csv([rest])


def _rest(imported: Import) -> Sequence[object]:
    """Return the last line of a report that could not hold everything, and of a file that could not be read."""
    if imported.failure:
        return ("", "", "FILE_UNREADABLE", imported.failure, "refused")
    progress = imported.progress
    if not progress.is_full_of_faults:
        return ()
    return (
        "",
        "",
        "FAULTS_NOT_KEPT",
        f"{progress.lines_refused} lines were refused; the faults of the others are not in this file.",
        "warning",
    )


def _row(fault: Fault) -> Sequence[object]:
    kind = "warning" if fault.is_warning else "refused"
    return (fault.line, fault.field, fault.reason, fault.message, kind)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()
