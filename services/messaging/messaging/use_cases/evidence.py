"""Hand out what the ledger says of one number or e-mail address, and write down to whom it was handed out."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import ServiceError
from chassis.ids import new_id
from messaging.clients import Profiles
from messaging.domain import channels_of
from messaging.store import conversations, evidence, permissions
from messaging.store.evidence import EvidenceLine
from messaging.suppression import Suppressor

COLUMNS = (
    "occur_time", "record_time", "address", "channel", "purpose", "change", "wording_or_words", "source", "actor",
    "cause_id", "entry_id", "number_last_verified_time",
)  # fmt: skip
ERASED = (
    "The person was erased. Of the number only a keyed hash is kept, so that it stays silent: 47 CFR 64.1200(d),"
    " GDPR art. 17(3)(b)."
)
_PROFILE = "profile"
_PAGE = 500
# A spreadsheet takes a cell that begins so for a formula, and these were written by strangers.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_log = structlog.get_logger(__name__)


async def open_evidence(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    chain_id: str,
    address: str,
    actor: str,
) -> AsyncIterator[bytes]:
    """Write down that evidence is handed out, and return it as pieces of CSV, the oldest line first.

    A number whose person was erased has the hashes that keep it silent, and nothing else.
    """
    number_hash = suppressor.hash_of(chain_id, address)
    async with database.transaction(chain_id) as tx:
        client_ids = await conversations.clients_of(tx, address)
        await evidence.note_download(
            tx,
            download_id=new_id("evd"),
            number_hash=number_hash,
            actor=actor,
            line_count=await evidence.count(tx, address, number_hash),
            now=clock.now(),
        )
    verified = await _verified_by(profiles, chain_id, client_ids, address)
    async with database.transaction(chain_id) as tx:
        if verified is not None and client_ids:
            await permissions.note_verified(tx, address, verified, _PROFILE)
        verified = await permissions.verified_at(tx, address)
        erased = await evidence.of_hash(tx, number_hash, address, channels_of(address)[0])
    return _pieces(database, chain_id, address, erased, verified)


async def _verified_by(
    profiles: Profiles, chain_id: str, client_ids: Sequence[str], address: str
) -> datetime | None:
    """Return when a client last confirmed a number, as profiles says it; evidence does not wait for profiles."""
    found: list[datetime] = []
    for client_id in client_ids[:20]:
        try:
            recipient = await profiles.get_recipient(chain_id, client_id)
        except ServiceError as error:
            _log.info("nobody says when a number was verified", client_id=client_id, reason=error.reason)
            continue
        if address in recipient.verified_at:
            found.append(recipient.verified_at[address])
    return max(found, default=None)


async def _pieces(
    database: Database,
    chain_id: str,
    address: str,
    erased: Sequence[EvidenceLine],
    verified: datetime | None,
) -> AsyncIterator[bytes]:
    yield _written([COLUMNS])
    if erased:
        yield _written([_row(line, verified) for line in erased])
    after: tuple[datetime, int] | None = None
    while True:
        async with database.transaction(chain_id) as tx:
            lines = await _page(tx, address, after)
        if lines:
            yield _written([_row(line, verified) for line in lines])
            after = (lines[-1].entry.occurred_at, lines[-1].entry.position)
        if len(lines) < _PAGE:
            return


async def _page(tx: Transaction, address: str, after: tuple[datetime, int] | None) -> Sequence[EvidenceLine]:
    return await evidence.page(tx, address, after=after, most=_PAGE)


def _row(line: EvidenceLine, verified: datetime | None) -> Sequence[str]:
    entry = line.entry
    return (
        _time(entry.occurred_at),
        _time(line.recorded_at),
        entry.phone,
        entry.channel,
        entry.purpose,
        entry.change,
        _harmless(entry.evidence or (ERASED if line.recorded_at is None else "")),
        _harmless(entry.source),
        _harmless(entry.actor),
        entry.cause_id,
        entry.entry_id,
        _time(verified),
    )


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _written(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()
