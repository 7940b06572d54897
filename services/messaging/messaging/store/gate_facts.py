"""The facts about messages that the gate decides by, for many messages in one statement. Must not judge them."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Change, Channel, FrequencyCap, Purpose
from messaging.store.permissions import deciding_line
from messaging.suppression import Suppressor

# Outbound states that count as having written to somebody, or being about to; and those that are out or on the way.
REACHING = ("QUEUED", "DEFERRED", "SENDING", "UNKNOWN", "SENT", "DELIVERED")
_UNDER_WAY = ("SENDING", "UNKNOWN", "SENT", "DELIVERED")


@dataclass(frozen=True)
class Asked:
    """What is asked about one message; `position` is that of a stored one."""

    sender_id: str
    phone: str = field(repr=False)
    channel: Channel
    purpose: Purpose
    author: str
    client_id: str
    campaign_id: str
    position: int | None
    brand_registration_id: str


@dataclass(frozen=True)
class BrandFact:
    """What a brand may send in a day of its zone, and what it has sent on the days that it may be now."""

    segments_per_day: int
    time_zone: str
    segments_by_day: dict[date, int]


@dataclass(frozen=True)
class Facts:
    """What is known about one message. A cap that is reached has the time of the oldest text that it counts."""

    standing: Change | None
    standing_since: datetime | None
    marketing_standing: Change | None
    marketing_since: datetime | None
    last_inbound_at: datetime | None
    is_first: bool
    is_dead: bool
    is_erased: bool
    is_campaign_paused: bool
    talk: tuple[datetime, datetime] | None
    is_assignee: bool
    caps_reached: Sequence[tuple[FrequencyCap, datetime]]
    brand: BrandFact | None


def _deciding(purpose: str) -> str:
    query = deciding_line(
        phone="asked.phone", channel="asked.channel", purpose=purpose, number_hash="asked.number_hash"
    )
    return f"left join lateral ({query})"


# An answer within a day of the client's own words is not counted: nobody is asked to be silent in a conversation.
_CAPS = """
    select cast(jsonb_agg(jsonb_build_array(cap.most, cap.days, counted.oldest)) as text) as reached
    from unnest(cast(:cap_purposes as text[]), cast(:cap_most as integer[]), cast(:cap_days as integer[]))
        as cap (purpose, most, days),
    lateral (
        select count(*) as texts, extract(epoch from min(at)) as oldest from (
            select coalesce(m.sent_at, greatest(m.send_after, m.created_at)) as at
            from conversations cc
                join messages m on m.chain_id = cc.chain_id and m.conversation_id = cc.conversation_id
            where cc.chain_id = :chain_id and cc.client_phone = asked.phone and m.direction = 'OUTBOUND'
                and m.purpose = asked.purpose and m.position is distinct from asked.position
                and m.state = any(:reaching)
                and (asked.position is null or m.position < asked.position or m.state = any(:under_way))
                and coalesce(m.sent_at, greatest(m.send_after, m.created_at))
                    > cast(:now as timestamptz) - make_interval(days => cap.days)
                and (m.purpose <> 'CONVERSATIONAL' or not exists (select 1 from messages i
                    where i.chain_id = :chain_id and i.conversation_id = m.conversation_id and i.direction = 'INBOUND'
                    and i.created_at <= m.created_at and i.created_at >= m.created_at - interval '24 hours'))
            order by 1 desc limit cap.most
        ) latest
    ) counted
    where cap.purpose = asked.purpose and counted.texts >= cap.most
"""
# Another associate's last words of their own in a conversation in which the client wrote too; one that is not the
# author's own goes before.
_TALK = """
    select coalesce(m.sent_at, m.created_at) as wrote_at, cc.last_inbound_at as answered_at,
        cc.assignee_id = asked.author as is_assignee
    from conversations cc
        join messages m on m.chain_id = cc.chain_id and m.conversation_id = cc.conversation_id
    where cc.chain_id = :chain_id and cc.client_phone = asked.phone and :collision_hours > 0
        and cc.last_inbound_at > :talk_since
        and m.direction = 'OUTBOUND' and m.purpose = 'CONVERSATIONAL' and m.created_at > :talk_since
        and m.author like 'asc\\_%' and m.author <> asked.author and m.state = any(:under_way)
    order by is_assignee, m.position desc limit 1
"""
_QUERY = f"""
    select decides.change as standing, decides.occurred_at as standing_since, marketing.change as marketing_standing,
        marketing.occurred_at as marketing_since, c.last_inbound_at,
        not exists (select 1 from messages m where m.chain_id = :chain_id and m.conversation_id = c.conversation_id
            and m.direction = 'OUTBOUND' and m.state = any(:reaching)
            and (asked.position is null or m.position < asked.position)) as is_first,
        exists (select 1 from dead_numbers d where d.chain_id = :chain_id and d.phone = asked.phone) as is_dead,
        exists (select 1 from forgotten_identities f
            where f.chain_id = :chain_id and f.identity_id = asked.client_id) as is_erased,
        exists (select 1 from campaigns p where p.chain_id = :chain_id and p.campaign_id = asked.campaign_id
            and p.paused_at is not null) as is_campaign_paused,
        talk.wrote_at, talk.answered_at, talk.is_assignee, caps.reached as caps, b.segments_per_day, b.time_zone,
        (select cast(jsonb_object_agg(u.day, u.segments) as text) from segments_of_day u
            where u.chain_id = :chain_id and u.owner_id = b.brand_registration_id
            and u.day > cast(:now as date) - 2) as segments_by_day
    from unnest(cast(:senders as text[]), cast(:phones as text[]), cast(:channels as text[]),
        cast(:purposes as text[]), cast(:hashes as bytea[]), cast(:authors as text[]), cast(:clients as text[]),
        cast(:campaigns as text[]), cast(:positions as bigint[]), cast(:brands as text[])) with ordinality
        as asked (sender_id, phone, channel, purpose, number_hash, author, client_id, campaign_id, position,
            brand_id, place)
    {_deciding("asked.purpose")} as decides on true
    {_deciding("'MARKETING'")} as marketing on asked.purpose = 'SERVICE' and :asks_for_confirmation
    left join conversations c on c.chain_id = :chain_id and c.sender_id = asked.sender_id
        and c.client_phone = asked.phone
    left join lateral ({_TALK}) as talk on asked.purpose <> 'SERVICE'
    left join lateral ({_CAPS}) as caps on true
    left join brand_registrations b on b.chain_id = :chain_id and b.brand_registration_id = asked.brand_id
    order by asked.place
"""


async def gather(
    tx: Transaction,
    asked: Sequence[Asked],
    *,
    suppressor: Suppressor,
    caps: Sequence[FrequencyCap],
    collision_hours: int,
    asks_for_confirmation: bool,
    now: datetime,
) -> list[Facts]:
    """Return the facts about each message, in one statement."""
    found = await tx.execute(
        _QUERY,
        {
            "chain_id": tx.chain_id,
            "now": now,
            "reaching": list(REACHING),
            "under_way": list(_UNDER_WAY),
            "collision_hours": collision_hours,
            "talk_since": now - timedelta(hours=24 + collision_hours),
            "asks_for_confirmation": asks_for_confirmation,
            "cap_purposes": [cap.purpose.value for cap in caps],
            "cap_most": [cap.most for cap in caps],
            "cap_days": [cap.days for cap in caps],
            "senders": [one.sender_id for one in asked],
            "phones": [one.phone for one in asked],
            "channels": [one.channel.value for one in asked],
            "purposes": [one.purpose.value for one in asked],
            "hashes": [suppressor.hash_of(tx.chain_id, one.phone) for one in asked],
            "authors": [one.author for one in asked],
            "clients": [one.client_id for one in asked],
            "campaigns": [one.campaign_id for one in asked],
            "positions": [one.position for one in asked],
            "brands": [one.brand_registration_id for one in asked],
        },
    )
    return [_facts(row, one.purpose) for row, one in zip(found, asked, strict=True)]


def _facts(row: Row[Any], purpose: Purpose) -> Facts:
    caps = [
        (FrequencyCap(purpose, most, days), datetime.fromtimestamp(float(oldest), tz=UTC))
        for most, days, oldest in json.loads(row.caps or "[]")
    ]
    brand = None
    if row.segments_per_day is not None:
        used = json.loads(row.segments_by_day or "{}")
        brand = BrandFact(
            row.segments_per_day,
            row.time_zone,
            {date.fromisoformat(day): int(segments) for day, segments in used.items()},
        )
    return Facts(
        standing=None if row.standing is None else Change(row.standing),
        standing_since=row.standing_since,
        marketing_standing=None if row.marketing_standing is None else Change(row.marketing_standing),
        marketing_since=row.marketing_since,
        last_inbound_at=row.last_inbound_at,
        is_first=row.is_first,
        is_dead=row.is_dead,
        is_erased=row.is_erased,
        is_campaign_paused=row.is_campaign_paused,
        talk=None if row.wrote_at is None else (row.wrote_at, row.answered_at),
        is_assignee=bool(row.is_assignee),
        caps_reached=caps,
        brand=brand,
    )
