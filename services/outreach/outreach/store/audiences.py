"""Who fits a campaign's audience today, and who of them is left alone for which reason: one statement for all uses.

The preview counts it, the beginning freezes it, and each batch asks it again for its own clients, so that the three can
only differ by what happened in between. Gift-safe: a purchase that is a surprise for its own client is none here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from chassis import identities
from chassis.database import Transaction
from outreach.domain.campaigns import Audience

# Reasons of the platform's own; messaging's gate and what it refuses by itself come with their own words.
NO_STORE = "NO_STORE"
NO_ASSOCIATE = "NO_ASSOCIATE"
CONTACTED_LATELY = "CONTACTED_LATELY"
ON_QUEUE = "ON_QUEUE"
LEFT_ALONE = "LEFT_ALONE"
NO_LONGER_FITS = "NO_LONGER_FITS"
SAME_PERSON = "SAME_PERSON"
CANCELLED = "CANCELLED"

_SLICE = 20_000
_FEW = 1_000
_DISLIKE = 8  # carnet.profiles.v1.PreferenceKind

# Who was merged into somebody has no history of her own any more.
_IS_SOMEBODY = """not c.is_deleted and not exists
    (select 1 from identity_aliases a where a.chain_id = c.chain_id and a.alias_id = c.client_id)"""
# What a client may know of on a day: not a surprise for that very client, or one that is over.
_IS_OPEN = """(p.surprise_for_client_id = '' or p.surprise_ends_on < :today or coalesce(
    (select a.current_id from identity_aliases a
        where a.chain_id = p.chain_id and a.alias_id = p.surprise_for_client_id),
    p.surprise_for_client_id) <> p.client_id)"""


@dataclass(frozen=True)
class Judge:
    """What decides besides the audience: the day, since when a contact counts as lately, whether a text names the
    associate, and whom the campaign holds out. `numbers` are the clients for whom its signals and tiers hold, None
    where it asks for none; `period` is that of the chain's own holdout, empty for none."""

    campaign_id: str
    audience: Audience
    numbers: Sequence[int] | None
    names_associate: bool
    holdout_share: float
    today: date
    queue_day: date
    period: str
    contact_since: datetime


@dataclass(frozen=True)
class Counted:
    """How many fit, would get it, would be left alone; the others by reason."""

    fitting: int
    recipients: int
    held_out: int
    excluded: Mapping[str, int]
    sample: Sequence[str]


async def count_audience(tx: Transaction, judge: Judge, client_ids: Collection[str] | None) -> Counted:
    """Count who fits today, among `client_ids` where some are given."""
    judged, parameters = await _judged(tx, judge, _Whom.some(client_ids))
    found = await tx.execute(
        f"""
        with judged as materialized ({judged}), grouped as (
            select reason, reason = '' and is_held_out as is_held_out, count(*) as clients from judged group by 1, 2)
        select (select coalesce(json_agg(json_build_array(reason, is_held_out, clients)), '[]') from grouped) as counts,
            (select coalesce(json_agg(client_id), '[]') from (select client_id from judged
                where reason = '' and not is_held_out order by client_id limit 20) as first) as sample
        """,  # noqa: S608 - fixed text only
        parameters,
    )
    row = found.one()
    excluded = {reason: clients for reason, _, clients in row.counts if reason}
    chosen = {is_held_out: clients for reason, is_held_out, clients in row.counts if not reason}
    return Counted(
        fitting=sum(clients for *_, clients in row.counts),
        recipients=chosen.get(False, 0),
        held_out=chosen.get(True, 0),
        excluded=excluded,
        sample=row.sample,
    )


async def freeze(
    tx: Transaction,
    judge: Judge,
    *,
    client_ids: Collection[str] | None,
    after: str = "",
    now: datetime,
) -> str | None:
    """Write down whoever fits among `client_ids`, or among the next slice of the chain's clients by id.

    Returns the last id of the slice, None when there is none after it. A client stands in a campaign once.
    """
    whom, following = (_Whom.some(client_ids), None)
    if client_ids is None:
        last = await tx.execute(
            "select max(client_id) as last, count(*) as clients from (select client_id from clients"
            " where chain_id = :chain_id and client_id > :after order by client_id limit :slice) as slice",
            {"chain_id": tx.chain_id, "after": after, "slice": _SLICE},
        )
        row = last.one()
        if not row.clients:
            return None
        whom = _Whom.between(after, row.last)
        following = str(row.last) if row.clients == _SLICE else None
    judged, parameters = await _judged(tx, judge, whom)
    await tx.execute(
        f"""
        insert into campaign_recipients (chain_id, campaign_id, recipient_id, client_id, state, reason, is_recipient,
            frozen_at, updated_at)
        select :chain_id, :campaign_id, client_id, client_id,
            case when reason <> '' then 'excluded' when is_held_out then 'held_out' else 'waiting' end, reason,
            reason = '' and not is_held_out, :now, :now
        from ({judged}) as judged on conflict do nothing
        """,  # noqa: S608 - fixed text only
        {**parameters, "now": now},
    )
    return following


async def judge_clients(tx: Transaction, judge: Judge, client_ids: Collection[str]) -> Mapping[str, str]:
    """Return why each client may not get it now, empty for those who may."""
    judged, parameters = await _judged(tx, judge, _Whom.some(client_ids))
    found = await tx.execute(judged, parameters)
    reasons = {row.client_id: row.reason for row in found}
    return {client_id: reasons.get(client_id, NO_LONGER_FITS) for client_id in client_ids}


@dataclass(frozen=True)
class _Whom:
    """Which clients are judged; `condition` says so of a column of any table, so that each reads those alone."""

    condition: str
    parameters: Mapping[str, object]
    is_few: bool

    @classmethod
    def some(cls, client_ids: Collection[str] | None) -> "_Whom":
        """Return these clients, or all."""
        if client_ids is None:
            return cls("", {}, is_few=False)
        return cls(" and {} = any(:ids)", {"ids": list(client_ids)}, is_few=len(client_ids) <= _FEW)

    @classmethod
    def between(cls, after: str, until: str) -> "_Whom":
        """Return a slice of the chain's clients."""
        return cls(" and {0} > :after and {0} <= :until", {"after": after, "until": until}, is_few=False)

    def of(self, column: str) -> str:
        """Return the condition on a column."""
        return self.condition.format(column)


async def _judged(tx: Transaction, judge: Judge, whom: _Whom) -> tuple[str, dict[str, Any]]:
    """Return the statement that gives (client_id, reason, is_held_out) of everybody who fits, and its parameters."""
    if not whom.is_few:
        # Without statistics, as after an import, the planner expects one row and joins by nested loops that read a
        # chain once a client.
        await tx.execute("set local enable_nestloop = off")
    conditions, parameters = _conditions(judge, whom)
    statement = f"""
        select c.client_id,
            case when c.store_id = '' then '{NO_STORE}'
                when c.associate_id = '' and :names_associate then '{NO_ASSOCIATE}'
                when held.client_id is not null then '{LEFT_ALONE}'
                when lately.client_id is not null then '{CONTACTED_LATELY}'
                when queued.client_id is not null then '{ON_QUEUE}'
                else '' end as reason,
            {_IS_HELD_OUT} as is_held_out
        from clients as c
        left join ({_LATELY.format(whom=whom.of("client_id"))}) as lately on lately.client_id = c.client_id
        left join ({_QUEUED.format(whom=whom.of("client_id"))}) as queued on queued.client_id = c.client_id
        left join ({_HELD.format(whom=whom.of("client_id"))}) as held on held.client_id = c.client_id
        where c.chain_id = :chain_id{whom.of("c.client_id")} and {_IS_SOMEBODY}
            {"".join(f" and {one}" for one in conditions)}
    """  # noqa: S608 - fixed text only
    return statement, parameters | {
        **whom.parameters,
        "chain_id": tx.chain_id,
        "campaign_id": judge.campaign_id,
        "held_out_below": round(judge.holdout_share * 2**32),
        "contact_since": judge.contact_since,
        "names_associate": judge.names_associate,
        "today": judge.today,
        "queue_day": judge.queue_day,
        "period": judge.period,
    }


# The same as domain.campaigns.is_held_out, for a million clients at once.
_IS_HELD_OUT = (
    "('x' || substr(encode(sha256(convert_to(:campaign_id || ':' || c.client_id, 'UTF8')), 'hex'), 1, 8))"
    "::bit(32)::bigint < :held_out_below"
)
# Anything either way, a call or a visit that an associate noted, and what was handed on and is not heard of yet.
_LATELY = """
    select client_id from contacts where chain_id = :chain_id and contacted_at > :contact_since{whom}
    union select client_id from suggestions where chain_id = :chain_id and state in ('sent', 'logged')
        and answered_at > :contact_since{whom}
    union select client_id from campaign_recipients where chain_id = :chain_id and state in ('sending', 'sent')
        and asked_at > :contact_since{whom}"""
# Whoever an associate is asked to contact today is the associate's; one put away until later, or automated, is not.
_QUEUED = """
    select distinct client_id from suggestions where chain_id = :chain_id and action = 'personal'
        and (state = 'open' or (state = 'snoozed' and snoozed_until <= :today)) and expires_on >= :queue_day{whom}"""
# Whom the chain leaves alone in this period, to compare with everybody else it writes to.
_HELD = """
    select distinct client_id from holdouts where chain_id = :chain_id and period = :period{whom}"""
# What came back whole is no purchase.
_IS_KEPT = f"""p.purchase_day <= :today and p.total_minor > coalesce((select sum(b.total_minor) from returns b
    where b.chain_id = p.chain_id and b.purchase_id = p.purchase_id and b.currency_code = p.currency_code
    and b.returned_on <= :today), 0) and {_IS_OPEN}"""  # noqa: S608 - fixed text only
_BOUGHT_SINCE = f"""exists (select 1 from purchases p where p.chain_id = :chain_id and p.client_id = c.client_id
    and p.purchase_day > cast(:today as date) - cast({{days}} as integer) and {_IS_KEPT}{{whom}})"""  # noqa: S608
# What is bought and said is counted already, in the chain's currency; never what the client says to dislike.
_LIKES = f"""exists (select 1 from (
    select t.client_id from client_affinities t where t.chain_id = :chain_id and t.kind = '{{kind}}'
        and t.value = any(:{{name}}){{whose}}
    union all select p.client_id from purchases p join clients d on d.chain_id = p.chain_id
        and d.client_id = p.client_id cross join lateral jsonb_array_elements(p.lines) as line
        where p.chain_id = :chain_id and p.currency_code <> coalesce((select currency_code from chains
            where chain_id = :chain_id), '') and {{line}} = any(:{{name}}) and {_IS_KEPT}{{whom}}
        and not exists (select 1 from jsonb_array_elements(d.preferences) as said
            where said->>0 = '{_DISLIKE}' and lower(btrim(said->>1)) = lower({{line}}))
    ) as liked where liked.client_id = c.client_id)"""  # noqa: S608 - fixed text only


def _conditions(judge: Judge, whom: _Whom) -> tuple[list[str], dict[str, Any]]:
    audience = judge.audience
    conditions: list[str] = []
    parameters: dict[str, Any] = {}

    def add(condition: str, **values: object) -> None:
        conditions.append(condition)
        parameters.update(values)

    def likes(kind: str, line: str, name: str, values: list[str]) -> None:
        inner = {"whose": whom.of("t.client_id"), "whom": whom.of("p.client_id")}
        add(_LIKES.format(kind=kind, line=line, name=name, **inner), **{name: values})

    if judge.numbers is not None:
        add("c.number = any(cast(:numbers as bigint[]))", numbers=list(judge.numbers))
    if audience.store_ids:
        add("c.store_id = any(:store_ids)", store_ids=list(audience.store_ids))
    if audience.associate_ids:
        add("c.associate_id = any(:associate_ids)", associate_ids=list(audience.associate_ids))
    if audience.brand_ids:
        likes("brand", "btrim(line->>0)", "brand_ids", [one.strip() for one in audience.brand_ids])
    if audience.categories:
        asked = [one.strip().lower() for one in audience.categories]
        likes("category", "lower(btrim(line->>1))", "categories", asked)
    bought = {"whom": whom.of("p.client_id")}
    if audience.bought_within_days:
        add(
            _BOUGHT_SINCE.format(days=":bought_within", **bought),
            bought_within=audience.bought_within_days,
        )
    if audience.not_bought_within_days:
        add(
            "not " + _BOUGHT_SINCE.format(days=":not_bought_within", **bought),
            not_bought_within=audience.not_bought_within_days,
        )
    return conditions, parameters


async def numbers_of(tx: Transaction, client_ids: Collection[str]) -> list[int]:
    """Return the numbers of clients."""
    found = await tx.execute(
        "select number from clients where chain_id = :chain_id and client_id = any(:ids) order by number",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return list(found.scalars())


async def current_ids(tx: Transaction, client_ids: Collection[str]) -> list[str]:
    """Return whom ids lead to now, each once, forgotten ones left out."""
    return sorted(set((await identities.resolve(tx, client_ids)).values()))
