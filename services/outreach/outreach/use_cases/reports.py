"""Whether it worked: reports over contacts and what they led to, over the stores that one may see."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid, not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach.domain import Signal
from outreach.domain.reports import FollowUp, Lift, OutcomeSum, Period, ReportGroup
from outreach.store import chains, reports
from outreach.store.reports import Scope, Touch
from outreach.store.settings import get_settings

_FOLLOW_UP_GROUPS = (ReportGroup.CHAIN, ReportGroup.STORE, ReportGroup.ASSOCIATE)
_ROWS_A_PIECE = 500
# A spreadsheet runs what begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "key",
    "contacts",
    "replies",
    "visits",
    "appointments",
    "purchases",
    "revenue",
    "currency",
    "reply_rate",
    "reply_rate_low",
    "reply_rate_high",
    "note",
)


@dataclass(frozen=True)
class Asked:
    """What a report is asked for; days are None where none was said."""

    group: ReportGroup = ReportGroup.CHAIN
    from_date: date | None = None
    until_date: date | None = None
    store_id: str = ""
    associate_id: str = ""
    campaign_id: str = ""
    signal: str = ""


@dataclass(frozen=True)
class OutcomeReport:
    """Sums by group with the chain's currency, and the rule that is in force now."""

    rows: Sequence[OutcomeSum]
    period: Period
    currency: str
    minor_per_unit: int
    rule_version: int
    note: str


@dataclass(frozen=True)
class FollowUpReport:
    """What was kept, by group."""

    rows: Sequence[FollowUp]
    period: Period
    note: str


async def list_touches(
    *, database: Database, caller: Caller, asked: Asked, client_id: str, page_size: int, page_token: str
) -> tuple[Sequence[Touch], str]:
    """Return a page of contacts, the newest first. Raises STORE_NOT_YOURS for a store that one may not see."""
    key = decode_page_token(page_token, str, str)
    if key:
        _moment(str(key[0]))
    size = page_size_of(page_size)
    async with database.transaction(caller.chain_id) as tx:
        found = await reports.list_touches(
            tx,
            _scope(caller, asked),
            client_id=client_id,
            after=(str(key[0]), str(key[1])) if key else None,
            limit=size + 1,
        )
    return cut_page(found, size, lambda touch: (touch.touched_at.isoformat(), touch.touch_id))


async def report_outcomes(*, database: Database, clock: Clock, caller: Caller, asked: Asked) -> OutcomeReport:
    """Sum up what contacts led to. Raises STORE_NOT_YOURS, and FIELD_INVALID for a period that is none."""
    async with database.transaction(caller.chain_id) as tx:
        chain = await chains.get_chain(tx)
        period = Period.asked(asked.from_date, asked.until_date, today=chain.today(clock.now()))
        begins, ends = period.bounds(chain.zone)
        rows = await reports.sum_outcomes(
            tx, _scope(caller, asked), group=asked.group, begins=begins, ends=ends
        )
        rule = (await get_settings(tx)).attribution
    if asked.group is ReportGroup.SIGNAL:  # named as the contract names it, in a file too
        rows = [replace(row, key=f"SIGNAL_{Signal(row.key).name}") for row in rows]
    is_empty = not any(row.touches for row in rows)
    return OutcomeReport(
        rows,
        period,
        chain.currency,
        chain.minor_per_unit,
        rule.version,
        f"No contacts {period}." if is_empty else "",
    )


async def outcomes_as_csv(
    *, database: Database, clock: Clock, caller: Caller, asked: Asked
) -> AsyncIterator[bytes]:
    """Yield the same as a file: RFC 4180, a header first, with the mark by which Excel knows UTF-8."""
    report = await report_outcomes(database=database, clock=clock, caller=caller, asked=asked)
    yield b"\xef\xbb\xbf" + _csv([_COLUMNS])
    for start in range(0, len(report.rows), _ROWS_A_PIECE):
        yield _csv([_line(row, report) for row in report.rows[start : start + _ROWS_A_PIECE]])


async def report_lift(*, database: Database, clock: Clock, caller: Caller, asked: Asked) -> Lift:
    """Compare those put forward for a contact with those left alone. Raises CAMPAIGN_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        chain = await chains.get_chain(tx)
        if asked.campaign_id and not await reports.find_campaign(tx, asked.campaign_id):
            raise not_found("campaign", asked.campaign_id)
        period = Period.asked(asked.from_date, asked.until_date, today=chain.today(clock.now()))
        begins, ends = period.bounds(chain.zone)
        rule = (await get_settings(tx)).attribution
        return await reports.compare_held_out(
            tx,
            _scope(caller, asked),
            begins=begins,
            ends=ends,
            zone=chain.zone.key,
            window_days=rule.purchase_days,
        )


async def report_follow_up(
    *, database: Database, clock: Clock, caller: Caller, asked: Asked
) -> FollowUpReport:
    """Show what was kept of what queues asked for. Raises FIELD_INVALID for a group that queues do not have."""
    if asked.group not in _FOLLOW_UP_GROUPS:
        raise invalid("group_by", "must be by chain, store or associate")
    async with database.transaction(caller.chain_id) as tx:
        chain = await chains.get_chain(tx)
        today = chain.today(clock.now())
        period = Period.asked(asked.from_date, asked.until_date, today=today)
        begins, ends = period.bounds(chain.zone)
        rows = await reports.sum_follow_up(
            tx,
            _scope(caller, asked),
            group=asked.group,
            period=period,
            begins=begins,
            ends=ends,
            zone=chain.zone.key,
            today=today,
            overdue_days=(await get_settings(tx)).overdue_days,
        )
    return FollowUpReport(rows, period, "" if rows else f"Nothing was asked for or done {period}.")


def _scope(caller: Caller, asked: Asked) -> Scope:
    if asked.store_id:
        caller.require_store(asked.store_id)
    return Scope(
        stores=caller.stores or None,
        store_id=asked.store_id,
        associate_id=asked.associate_id,
        campaign_id=asked.campaign_id,
        signal=asked.signal,
    )


def _moment(said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error
    if moment.tzinfo is None:
        raise invalid("page_token", "is not a token that a previous page of this list returned")
    return moment


def _line(row: OutcomeSum, report: OutcomeReport) -> Sequence[object]:
    rate = row.reply_rate
    return (
        row.key,
        row.touches,
        *(f"{count:.6g}" for count in (row.replies, row.visits, row.appointments, row.purchases)),
        _amount(row.revenue_minor, report.minor_per_unit),
        report.currency,
        *(["", "", ""] if rate is None else [f"{part:.4f}" for part in (rate.value, rate.low, rate.high)]),
        row.note,
    )


def _amount(minor: int, minor_per_unit: int) -> str:
    digits = len(str(minor_per_unit)) - 1
    whole, rest = divmod(minor, minor_per_unit)
    return f"{whole}.{rest:0{digits}}" if digits else str(whole)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([[_cell(cell) for cell in row] for row in rows])
    return file.getvalue().encode()


def _cell(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
