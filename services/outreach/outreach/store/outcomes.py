"""What clients did, and which contacts that is credited to. Must not decide who is; `domain.attribution` does."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from chassis import identities
from chassis.database import Transaction
from outreach.domain.attribution import Credit, CreditedOutcome, OutcomeKind
from outreach.domain.settings import AttributionRule, CreditShare


@dataclass(frozen=True)
class OutcomeRow:
    """Something a client did; `total_minor` is what was paid, before anything came back."""

    outcome_id: str
    kind: OutcomeKind
    client_id: str
    store_id: str
    occurred_at: datetime
    associate_id: str = ""
    total_minor: int = 0
    currency: str = ""


@dataclass(frozen=True)
class Bought:
    """A purchase as far as contacts are credited with it."""

    purchase_id: str
    client_id: str
    store_id: str
    associate_id: str
    day: date
    total_minor: int
    currency: str


def outcome_of(source_id: str) -> str:
    """Return the id of the outcome that a message, visit, appointment or purchase is."""
    return f"out_{source_id}"


async def add_outcomes(tx: Transaction, outcomes: Sequence[OutcomeRow]) -> dict[str, datetime]:
    """Add outcomes that are not here yet; return since when whose credits are to be looked at.

    Forgotten and deleted clients get none. What came back of a purchase before it was heard of counts at once.
    """
    owners = await identities.resolve(tx, [outcome.client_id for outcome in outcomes])
    rows = [outcome for outcome in outcomes if outcome.client_id in owners]
    if not rows:
        return {}
    connection = await tx.driver()
    added = await connection.fetch(
        """
        insert into outcomes (chain_id, outcome_id, kind, client_id, original_client_id, associate_id, store_id,
            occurred_at, total_minor, amount_minor, currency_code, answered_at)
        -- Whoever has the client in the book, where nobody is said.
        select $1, u.outcome_id, u.kind, u.client_id, u.original, coalesce(nullif(u.associate_id, ''),
                (select c.associate_id from clients c where c.chain_id = $1 and c.client_id = u.client_id), ''),
            u.store_id, u.occurred_at, u.total_minor,
            case when u.kind = 'purchase' then greatest(0, u.total_minor - coalesce((
                select sum(r.total_minor) from returns r where r.chain_id = $1
                and r.purchase_id = substr(u.outcome_id, 5) and r.currency_code = u.currency), 0)) else 0 end,
            u.currency, case when u.kind = 'reply' then (select min(t.touched_at) from touches t where t.chain_id = $1
                and t.client_id = u.client_id and t.campaign_id = '' and t.touched_at >= u.occurred_at) end
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                $9::bigint[], $10::text[])
            as u (outcome_id, kind, client_id, original, associate_id, store_id, occurred_at, total_minor, currency)
        where not exists (select 1 from clients c where c.chain_id = $1 and c.client_id = u.client_id and c.is_deleted)
        order by u.outcome_id
        on conflict do nothing returning client_id, occurred_at
        """,
        tx.chain_id,
        [row.outcome_id for row in rows],
        [str(row.kind) for row in rows],
        [owners[row.client_id] for row in rows],
        [identities.original_of(row.client_id, owners[row.client_id]) for row in rows],
        [row.associate_id for row in rows],
        [row.store_id for row in rows],
        [row.occurred_at for row in rows],
        [row.total_minor for row in rows],
        [row.currency for row in rows],
    )
    since: dict[str, datetime] = {}
    for client_id, occurred_at in added:
        since[client_id] = min(occurred_at, since.get(client_id, occurred_at))
    return since


async def touched_since(tx: Transaction, clients: Mapping[str, date]) -> set[str]:
    """Return those of the clients whom the house contacted since their day, or a day before it."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select u.client_id from unnest($2::text[], $3::date[]) as u (client_id, day)"
        " where exists (select 1 from touches t where t.chain_id = $1 and t.client_id = u.client_id"
        " and t.touched_at >= u.day - interval '1 day')",
        tx.chain_id,
        list(clients),
        list(clients.values()),
    )
    return {row[0] for row in rows}


async def bought_since(tx: Transaction, client_id: str, day: date) -> Sequence[Bought]:
    """Return a client's purchases of a day or later that are no outcome yet, under the ids that they came under."""
    found = await tx.execute(
        "select p.purchase_id, coalesce(nullif(p.original_client_id, ''), p.client_id) as client_id, p.store_id,"
        " p.associate_id, p.purchase_day as day, p.total_minor, p.currency_code as currency from purchases p"
        " where p.chain_id = :chain_id and p.client_id = :client_id and p.purchase_day >= :day and p.total_minor > 0"
        " and not exists (select 1 from outcomes o where o.chain_id = :chain_id"
        "  and o.outcome_id = 'out_' || p.purchase_id)",
        {"chain_id": tx.chain_id, "client_id": client_id, "day": day},
    )
    return [Bought(**row._mapping) for row in found]


async def lower_amount(tx: Transaction, purchase_id: str) -> dict[str, datetime]:
    """Count what came back of a purchase; return since when whose credits are to be looked at."""
    found = await tx.execute(
        "update outcomes o set amount_minor = greatest(0, o.total_minor - coalesce((select sum(r.total_minor)"
        "  from returns r where r.chain_id = :chain_id and r.purchase_id = :purchase_id"
        "  and r.currency_code = o.currency_code), 0))"
        " where o.chain_id = :chain_id and o.outcome_id = :outcome_id returning o.client_id, o.occurred_at",
        {"chain_id": tx.chain_id, "purchase_id": purchase_id, "outcome_id": outcome_of(purchase_id)},
    )
    return {row.client_id: row.occurred_at for row in found}


async def note_answer(tx: Transaction, client_id: str, at: datetime) -> None:
    """Note when the house answered what a client wrote; the first answer counts, whichever is heard of first."""
    await tx.execute(
        "update outcomes set answered_at = :at where chain_id = :chain_id and client_id = :client_id"
        " and kind = 'reply' and occurred_at <= :at and (answered_at is null or answered_at > :at)",
        {"chain_id": tx.chain_id, "client_id": client_id, "at": at},
    )


async def hold_credits(tx: Transaction, client_ids: Collection[str]) -> None:
    """Keep others from crediting these clients' outcomes until the commit. Last of all locks in a transaction."""
    connection = await tx.driver()
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('credits ' || $1 || ' ' || u, 0))"
        " from (select u from unnest($2::text[]) as u order by u) as ordered",
        tx.chain_id,
        list(client_ids),
    )


async def read_outcomes(tx: Transaction, since: Mapping[str, datetime | None]) -> Sequence[CreditedOutcome]:
    """Return the outcomes of clients from a moment on, or all, in order, each with whom it is credited to."""
    connection = await tx.driver()
    rows = await connection.fetch(
        """
        select o.outcome_id, o.kind, o.client_id, o.store_id, o.occurred_at, o.total_minor, o.amount_minor,
            o.rule_version, o.version,
            case when o.kind = 'reply' then (select max(p.occurred_at) from outcomes p where p.chain_id = $1
                and p.client_id = o.client_id and p.kind = 'reply' and p.occurred_at < o.occurred_at) end,
            c.touch_id, c.parts, c.amount_minor
        from unnest($2::text[], $3::timestamptz[]) as u (client_id, since)
        join outcomes o on o.chain_id = $1 and o.client_id = u.client_id
            and (u.since is null or o.occurred_at >= u.since)
        left join credits c on c.chain_id = $1 and c.outcome_id = o.outcome_id
        order by o.occurred_at, o.outcome_id
        """,
        tx.chain_id,
        list(since),
        list(since.values()),
    )
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return [
        CreditedOutcome(
            first[0],
            OutcomeKind(first[1]),
            client_id=first[2],
            store_id=first[3],
            occurred_at=first[4],
            total_minor=first[5],
            amount_minor=first[6],
            rule_version=first[7],
            version=first[8],
            previous_at=first[9],
            credits=tuple(Credit(row[10], row[11], row[12]) for row in lines if row[10] is not None),
        )
        for lines in found.values()
        for first in lines[:1]
    ]


async def read_contacts(
    tx: Transaction, since: Mapping[str, datetime | None], *, window: timedelta
) -> Mapping[str, Sequence[tuple[str, datetime]]]:
    """Return (id, time) of the contacts of clients from a window before a moment on, by client."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select t.client_id, t.touch_id, t.touched_at from unnest($2::text[], $3::timestamptz[])"
        " as u (client_id, since) join touches t on t.chain_id = $1 and t.client_id = u.client_id"
        " and t.touched_at is not null and (u.since is null or t.touched_at >= u.since)",
        tx.chain_id,
        list(since),
        [moment and moment - window for moment in since.values()],
    )
    found: dict[str, list[tuple[str, datetime]]] = {}
    for client_id, touch_id, touched_at in rows:
        found.setdefault(client_id, []).append((touch_id, touched_at))
    return found


async def write_credits(tx: Transaction, changed: Sequence[CreditedOutcome]) -> None:
    """Make the credits of outcomes those that they say, with their rule and version."""
    connection = await tx.driver()
    ids = [outcome.outcome_id for outcome in changed]
    await connection.execute(
        "delete from credits where chain_id = $1 and outcome_id = any($2)", tx.chain_id, ids
    )
    lines = [(outcome.outcome_id, credit) for outcome in changed for credit in outcome.credits]
    await connection.execute(
        "insert into credits (chain_id, outcome_id, touch_id, parts, amount_minor)"
        " select $1, * from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[])",
        tx.chain_id,
        [outcome_id for outcome_id, _ in lines],
        [credit.touch_id for _, credit in lines],
        [credit.parts for _, credit in lines],
        [credit.amount_minor for _, credit in lines],
    )
    await connection.execute(
        "update outcomes o set rule_version = u.rule_version, version = u.version"
        " from unnest($2::text[], $3::integer[], $4::bigint[]) as u (outcome_id, rule_version, version)"
        " where o.chain_id = $1 and o.outcome_id = u.outcome_id",
        tx.chain_id,
        ids,
        [outcome.rule_version for outcome in changed],
        [outcome.version for outcome in changed],
    )


# What a report adds up, from the credits anew: nothing can drift. Amounts in another currency are not added.
_SUMS = """
    update touches t set reply_parts = s.reply, visit_parts = s.visit, appointment_parts = s.appointment,
        purchase_parts = s.purchase, revenue_minor = s.revenue,
        learn_at = case when t.signals <> '{{}}' then $3 else t.learn_at end
    from (
        select u.touch_id, coalesce(sum(c.parts) filter (where o.kind = 'reply'), 0) as reply,
            coalesce(sum(c.parts) filter (where o.kind = 'visit'), 0) as visit,
            coalesce(sum(c.parts) filter (where o.kind = 'appointment'), 0) as appointment,
            coalesce(sum(c.parts) filter (where o.kind = 'purchase'), 0) as purchase,
            coalesce(sum(c.amount_minor) filter (where o.kind = 'purchase' and o.currency_code = $2), 0) as revenue
        from {whose} u left join credits c on c.chain_id = $1 and c.touch_id = u.touch_id
        left join outcomes o on o.chain_id = $1 and o.outcome_id = c.outcome_id group by u.touch_id
    ) as s
    where t.chain_id = $1 and t.touch_id = s.touch_id
    and (t.reply_parts, t.visit_parts, t.appointment_parts, t.purchase_parts, t.revenue_minor)
        is distinct from (s.reply, s.visit, s.appointment, s.purchase, s.revenue)
"""


async def add_up(tx: Transaction, touch_ids: Iterable[str], *, currency: str, now: datetime) -> None:
    """Bring the sums that stand with contacts up to date; what changed is to be learned from."""
    connection = await tx.driver()
    await connection.execute(
        _SUMS.format(whose="(select unnest($4::text[]) as touch_id)"),
        tx.chain_id,
        currency,
        now,
        sorted(set(touch_ids)),
    )


async def touches_of(tx: Transaction, client_ids: Collection[str]) -> list[str]:
    """Return the ids of all contacts of clients."""
    found = await tx.execute(
        "select touch_id from touches where chain_id = :chain_id and client_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return list(found.scalars())


async def keep_rule(tx: Transaction, rule: AttributionRule) -> None:
    """Keep a rule as long as anything may be credited by it."""
    await tx.execute(
        "insert into attribution_rules (chain_id, version, reply_days, visit_days, appointment_days, purchase_days,"
        " share) values (:chain_id, :version, :reply_days, :visit_days, :appointment_days, :purchase_days, :share)"
        " on conflict do nothing",
        {
            "chain_id": tx.chain_id,
            "version": rule.version,
            "reply_days": rule.reply_days,
            "visit_days": rule.visit_days,
            "appointment_days": rule.appointment_days,
            "purchase_days": rule.purchase_days,
            "share": str(rule.share),
        },
    )


async def read_rules(tx: Transaction) -> dict[int, AttributionRule]:
    """Return every rule that anything was credited by, by version."""
    found = await tx.execute(
        "select version, reply_days, visit_days, appointment_days, purchase_days, share from attribution_rules"
        " where chain_id = :chain_id",
        {"chain_id": tx.chain_id},
    )
    return {
        row.version: AttributionRule(
            row.reply_days,
            row.visit_days,
            row.appointment_days,
            row.purchase_days,
            CreditShare(row.share),
            row.version,
        )
        for row in found
    }


async def clients_after(tx: Transaction, client_id: str, *, limit: int) -> list[str]:
    """Return clients with contacts or outcomes, in order, after one."""
    found = await tx.execute(
        "select client_id from touches where chain_id = :chain_id and client_id > :after"
        " union select client_id from outcomes where chain_id = :chain_id and client_id > :after"
        " order by client_id limit :limit",
        {"chain_id": tx.chain_id, "after": client_id, "limit": limit},
    )
    return list(found.scalars())
