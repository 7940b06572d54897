"""Sums over contacts, suggestions, messages and purchases: one statement a report. Must not judge what is enough."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from chassis import identities
from chassis.database import Transaction
from outreach.domain.attribution import PARTS, OutcomeKind
from outreach.domain.reports import FollowUp, Lift, OutcomeSum, Period, ReportGroup


@dataclass(frozen=True)
class Scope:
    """Which rows count: those of stores that one may see (None for all), and of whoever is asked for."""

    stores: Collection[str] | None = None
    store_id: str = ""
    associate_id: str = ""
    campaign_id: str = ""
    signal: str = ""

    def conditions(self, row: str, *columns: str) -> str:
        """Return the SQL conditions on a table's row, as far as it has the columns."""
        said = []
        if self.stores is not None:
            said.append(f"{row}.store_id = any(:stores)")
        for column in ("store_id", "associate_id", "campaign_id"):
            if getattr(self, column) and column in columns:
                said.append(f"{row}.{column} = :{column}")
        if self.signal and "signals" in columns:
            said.append(f"{row}.signals @> array[:signal]")
        return "".join(f" and {condition}" for condition in said)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what the conditions compare with."""
        return {
            "stores": None if self.stores is None else sorted(self.stores),
            "store_id": self.store_id,
            "associate_id": self.associate_id,
            "campaign_id": self.campaign_id,
            "signal": self.signal,
        }


@dataclass(frozen=True)
class TouchOutcome:
    """A contact's part of an outcome."""

    outcome_id: str
    kind: OutcomeKind
    occurred_at: datetime
    share: float
    amount_minor: int
    currency: str
    rule_version: int


@dataclass(frozen=True)
class Touch:
    """A contact with what it was credited with."""

    touch_id: str
    client_id: str
    associate_id: str
    store_id: str
    touched_at: datetime
    channel: str
    signals: Sequence[str]
    suggestion_id: str
    campaign_id: str
    outcomes: Sequence[TouchOutcome] = field(default=())


_TOUCH_COLUMNS = ("store_id", "associate_id", "campaign_id", "signals")


async def list_touches(
    tx: Transaction, scope: Scope, *, client_id: str, after: tuple[str, str] | None, limit: int
) -> Sequence[Touch]:
    """Return contacts, the newest first, then by id, after a (time, id)."""
    of_client = ""
    if client_id:
        of_client = " and t.client_id = :client_id"
        client_id = (await identities.resolve(tx, [client_id])).get(client_id, "")
    beyond = ""
    if after:
        beyond = " and (t.touched_at, t.touch_id) < (cast(cast(:after_at as text) as timestamptz), :after_id)"
    found = await tx.execute(
        "select touch_id, client_id, associate_id, store_id, touched_at, channel, signals, suggestion_id,"  # noqa: S608
        " campaign_id from touches t where chain_id = :chain_id and touched_at is not null"
        f"{scope.conditions('t', *_TOUCH_COLUMNS)}{of_client}{beyond}"
        " order by touched_at desc, touch_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            **scope.parameters,
            "client_id": client_id,
            "after_at": after[0] if after else None,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    )
    rows = found.all()
    led_to = await tx.execute(
        "select c.touch_id, o.outcome_id, o.kind, o.occurred_at, c.parts, c.amount_minor, o.currency_code,"
        " o.rule_version from credits c join outcomes o using (chain_id, outcome_id)"
        " where c.chain_id = :chain_id and c.touch_id = any(:ids) order by o.occurred_at, o.outcome_id",
        {"chain_id": tx.chain_id, "ids": [row.touch_id for row in rows]},
    )
    outcomes: dict[str, list[TouchOutcome]] = {}
    for one in led_to:
        outcomes.setdefault(one.touch_id, []).append(
            TouchOutcome(
                one.outcome_id,
                OutcomeKind(one.kind),
                one.occurred_at,
                one.parts / PARTS,
                one.amount_minor,
                one.currency_code,
                one.rule_version,
            )
        )
    return [Touch(**row._mapping, outcomes=outcomes.get(row.touch_id, ())) for row in rows]


_KEYS = {
    ReportGroup.CHAIN: ("''", "", ""),
    ReportGroup.STORE: ("t.store_id", "", " and t.store_id <> ''"),
    ReportGroup.ASSOCIATE: ("t.associate_id", "", " and t.associate_id <> ''"),
    ReportGroup.SIGNAL: ("listed.signal", " cross join lateral unnest(t.signals) as listed (signal)", ""),
    ReportGroup.CAMPAIGN: ("t.campaign_id", "", " and t.campaign_id <> ''"),
    ReportGroup.PHRASING: ("t.phrasing", "", " and t.phrasing <> '' and t.campaign_id = ''"),
}


async def sum_outcomes(
    tx: Transaction, scope: Scope, *, group: ReportGroup, begins: datetime, ends: datetime
) -> Sequence[OutcomeSum]:
    """Return what contacts led to by group, the most contacts first; one for two signals is in the rows of both."""
    key, joined, condition = _KEYS[group]
    found = await tx.execute(
        f"select {key} as key, count(*) as touches, coalesce(sum(reply_parts), 0) as replies,"  # noqa: S608 - fixed text
        " coalesce(sum(visit_parts), 0) as visits, coalesce(sum(appointment_parts), 0) as appointments,"
        " coalesce(sum(purchase_parts), 0) as purchases, coalesce(sum(revenue_minor), 0) as revenue_minor"
        f" from touches t{joined} where t.chain_id = :chain_id and t.touched_at >= :begins and t.touched_at < :ends"
        f"{condition}{scope.conditions('t', *_TOUCH_COLUMNS)}"
        f"{' group by 1' if group is not ReportGroup.CHAIN else ''} order by 2 desc, 1",
        {"chain_id": tx.chain_id, **scope.parameters, "begins": begins, "ends": ends},
    )
    return [
        OutcomeSum(
            row.key,
            row.touches,
            float(row.replies) / PARTS,
            float(row.visits) / PARTS,
            float(row.appointments) / PARTS,
            float(row.purchases) / PARTS,
            int(row.revenue_minor),
        )
        for row in found
    ]


# Compared as they were put forward, not as they were reached: whom associates choose is no chance, who is left alone
# is.
_BOUGHT = """
    , told as (
        select client_id, (since at time zone :zone)::date as day, true as is_held from held
        union all select client_id, (since at time zone :zone)::date, false from put_forward
    ), buyers as (
        select distinct p.client_id from told join purchases p on p.chain_id = :chain_id
            and p.client_id = told.client_id and p.purchase_day > told.day
            and p.purchase_day <= told.day + cast(:window as integer)
        left join (
            select r.purchase_id, r.currency_code, sum(r.total_minor) as total_minor from returns r
            where r.chain_id = :chain_id group by 1, 2
        ) as back using (purchase_id, currency_code)
        where p.total_minor > coalesce(back.total_minor, 0)
    )
    select count(*) filter (where not is_held) as contacted,
        count(*) filter (where not is_held and buyers.client_id is not null) as contacted_bought,
        count(*) filter (where is_held) as held_out,
        count(*) filter (where is_held and buyers.client_id is not null) as held_out_bought
    from told left join buyers using (client_id)
"""

_OF_QUEUES = """
    with held as (
        select h.client_id, min(h.held_at) as since from holdouts h
        where h.chain_id = :chain_id and h.held_at >= :begins and h.held_at < :ends{held} group by 1
    ), put_forward as (
        select s.client_id, min(s.created_at) as since from suggestions s
        where s.chain_id = :chain_id and s.created_at >= greatest(:begins, (select min(since) from held))
        and s.created_at < :ends and not exists (select 1 from held where held.client_id = s.client_id){forward}
        group by 1
    )
"""
_OF_CAMPAIGN = """
    with held as (
        select c.client_id, min(c.frozen_at) as since from campaign_recipients c where c.chain_id = :chain_id
        and c.campaign_id = :campaign_id and c.state = 'held_out' and c.frozen_at >= :begins and c.frozen_at < :ends
        group by 1
    ), put_forward as (
        select c.client_id, min(c.frozen_at) as since from campaign_recipients c where c.chain_id = :chain_id
        and c.campaign_id = :campaign_id and c.is_recipient and c.state <> 'held_out'
        and c.frozen_at >= :begins and c.frozen_at < :ends
        and not exists (select 1 from held where held.client_id = c.client_id) group by 1
    )
"""


async def compare_held_out(
    tx: Transaction, scope: Scope, *, begins: datetime, ends: datetime, zone: str, window_days: int
) -> Lift:
    """Count who was put forward for a contact and who was left alone, and who of each bought within the window."""
    await _read_in_bulk(tx)
    groups = (
        _OF_CAMPAIGN
        if scope.campaign_id
        else _OF_QUEUES.format(held=scope.conditions("h"), forward=scope.conditions("s"))
    )
    found = await tx.execute(
        groups + _BOUGHT,
        {
            "chain_id": tx.chain_id,
            **scope.parameters,
            "begins": begins,
            "ends": ends,
            "zone": zone,
            "window": window_days,
        },
    )
    row = found.one()
    return Lift(row.contacted, row.contacted_bought, row.held_out, row.held_out_bought)


async def _read_in_bulk(tx: Transaction) -> None:
    """Keep the planner from nested loops: it may know nothing yet of a chain that was imported a moment ago."""
    await tx.execute("set local enable_nestloop = off")


async def find_campaign(tx: Transaction, campaign_id: str) -> bool:
    """Return whether the chain has a campaign."""
    found = await tx.execute(
        "select 1 from campaigns where chain_id = :chain_id and campaign_id = :campaign_id",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )
    return found.scalar() is not None


_FOLLOW_UP_KEYS = {
    ReportGroup.CHAIN: "''",
    ReportGroup.STORE: "{row}.store_id",
    ReportGroup.ASSOCIATE: "{row}.associate_id",
}


async def sum_follow_up(
    tx: Transaction,
    scope: Scope,
    *,
    group: ReportGroup,
    period: Period,
    begins: datetime,
    ends: datetime,
    zone: str,
    today: date,
    overdue_days: int,
) -> Sequence[FollowUp]:
    """Return what was kept, by group. Who bought again is told by the book and store that the client is in now."""

    def key(row: str) -> str:
        return _FOLLOW_UP_KEYS[group].format(row=row)

    await _read_in_bulk(tx)
    grouped = {row: scope.conditions(row, "store_id") for row in "socvp"}
    found = await tx.execute(
        f"""
        with asked as (
            select {key("s")} as key, count(*) as raised,
                count(*) filter (where s.state in ('sent', 'logged')) as done,
                count(*) filter (where s.state = 'dismissed') as dismissed,
                count(*) filter (where s.state in ('open', 'snoozed') and s.expires_on >= :today
                    and (s.state = 'open' or s.snoozed_until <= :today)
                    and (s.created_at at time zone :zone)::date + cast(:overdue_days as integer) < :today) as overdue,
                -- Its time ran out; a reason that went away before that is nobody's omission.
                count(*) filter (where (s.state in ('open', 'snoozed') and s.expires_on < :today)
                    or (s.state = 'expired' and (s.updated_at at time zone :zone)::date > s.expires_on)) as expired,
                count(*) filter (where s.state in ('sent', 'logged') and (s.answered_at at time zone :zone)::date
                    <= (s.created_at at time zone :zone)::date + cast(:overdue_days as integer)) as kept
            from suggestions s where s.chain_id = :chain_id and s.created_at >= :begins and s.created_at < :ends
            {grouped["s"]} group by 1
        ), written as (
            select {key("o")} as key, count(*) filter (where o.answered_at is null) as unanswered,
                percentile_cont(0.5) within group (order by extract(epoch from o.answered_at - o.occurred_at) / 60)
                    as median
            from outcomes o where o.chain_id = :chain_id and o.kind = 'reply' and o.occurred_at >= :begins
            and o.occurred_at < :ends{grouped["o"]} group by 1
        ), captured as (
            select {key("v")} as key, count(*) as visits from visits v where v.chain_id = :chain_id
            and v.visited_at >= :begins and v.visited_at < :ends and not exists (select 1 from purchases b
                where b.chain_id = :chain_id and b.client_id = v.client_id
                and b.purchase_day = (v.visited_at at time zone :zone)::date){grouped["v"]} group by 1
        ), sold as (
            select {key("p")} as key, count(*) as purchases from purchases p where p.chain_id = :chain_id
            and p.purchase_day between :from_date and :until_date and p.total_minor > 0{grouped["p"]} group by 1
        ), cohorts as (
            select p.client_id, min(p.purchase_day) >= :year_before as is_new,
                max(p.purchase_day) > min(p.purchase_day) as bought_again,
                bool_or(p.purchase_day >= :from_date and p.purchase_day < :year_after) as stayed
            from purchases p left join (
                select r.purchase_id, r.currency_code, sum(r.total_minor) as total_minor from returns r
                where r.chain_id = :chain_id group by 1, 2
            ) as back using (purchase_id, currency_code)
            where p.chain_id = :chain_id and p.total_minor > coalesce(back.total_minor, 0) group by 1
            having bool_or(p.purchase_day >= :year_before and p.purchase_day < :from_date)
        ), again as (
            select {key("c")} as key, count(*) as cohort, count(*) filter (where stayed) as stayed,
                count(*) filter (where is_new) as new, count(*) filter (where is_new and bought_again) as repeated
            from cohorts join clients c on c.chain_id = :chain_id and c.client_id = cohorts.client_id
            {("where true" + grouped["c"]) if grouped["c"] else ""} group by 1
        ), keys as (
            select key from asked union select key from written union select key from captured
            union select key from sold union select key from again
        )
        select key, coalesce(raised, 0) as raised, coalesce(done, 0) as done, coalesce(dismissed, 0) as dismissed,
            coalesce(overdue, 0) as overdue, coalesce(expired, 0) as expired,
            kept::float8 / nullif(done + overdue + expired, 0) as kept_rate,
            median::float8 as median_answer_minutes, coalesce(unanswered, 0) as unanswered,
            coalesce(visits, 0)::float8 / nullif(purchases, 0) as capture_rate,
            repeated::float8 / nullif(new, 0) as repeat_rate, stayed::float8 / nullif(cohort, 0) as retention_rate
        from keys left join asked using (key) left join written using (key) left join captured using (key)
        left join sold using (key) left join again using (key)
        where key <> '' or cast(:is_chain as boolean) order by key
        """,  # noqa: S608 - fixed text only
        {
            "chain_id": tx.chain_id,
            **scope.parameters,
            "begins": begins,
            "ends": ends,
            "zone": zone,
            "today": today,
            "overdue_days": overdue_days,
            "from_date": period.from_date,
            "until_date": period.until_date,
            "year_before": period.year_before,
            "year_after": period.year_after,
            "is_chain": group is ReportGroup.CHAIN,
        },
    )
    return [FollowUp(**row._mapping) for row in found]
