"""Facts of clients as events bring them: each write is harmless when repeated and holds in any order."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis import identities
from chassis.database import Transaction
from outreach.store import refresh

# Tables that hold rows of a client and follow whose the client is, beside returns, which follow their purchase.
OF_CLIENTS = (
    "purchases", "visits", "repair_moves", "appointment_moves", "wishes", "interests", "offers", "contacts", "arrivals"
)  # fmt: skip

# kind, year or 0, month, day, recurrence, lead days or -1, relationship of whose day it is, for whom it is a surprise,
# whose day it is when that is a client
OccasionRow = tuple[int, int, int, int, int, int, int, str, str]
# brand, category, metal, stone, reference, quantity, minor units
LineRow = tuple[str, str, str, str, str, int, int]


@dataclass(frozen=True)
class ClientRow:
    """A client as an event of profiles says."""

    client_id: str
    associate_id: str
    store_id: str
    language: str
    time_zone: str
    occasions: tuple[OccasionRow, ...]
    version: int
    secondary_associate_id: str = ""
    derived_time_zone: str = ""
    preferences: tuple[tuple[int, str], ...] = ()  # the contract's kind, and the value


@dataclass(frozen=True)
class PurchaseRow:
    """A purchase as an event of profiles says."""

    purchase_id: str
    client_id: str
    purchase_day: date
    total_minor: int
    currency: str
    recipient_client_id: str = ""
    surprise_for_client_id: str = ""
    surprise_ends_on: date | None = None
    store_id: str = ""
    associate_id: str = ""
    occasion_kind: int = 0
    is_engagement: bool = False
    lines: tuple[LineRow, ...] = ()


@dataclass(frozen=True)
class VisitRow:
    """A visit as an event of profiles says."""

    visit_id: str
    client_id: str
    visited_at: datetime
    surprise_for_client_id: str = ""
    surprise_ends_on: date | None = None
    store_id: str = ""
    associate_id: str = ""
    need_by: date | None = None
    looked_at: int = 0
    tried_on: int = 0
    liked: int = 0
    occasion_kind: int = 0
    recipient_client_id: str = ""


@dataclass(frozen=True)
class ReturnRow:
    """What came back of a purchase, as an event of profiles says; the amount is positive."""

    return_id: str
    purchase_id: str
    client_id: str
    returned_on: date
    total_minor: int
    currency: str


@dataclass(frozen=True)
class FactsSummary:
    """How much has arrived."""

    clients: int
    purchases: int
    visits: int
    open_suggestions: int
    newest_event_at: datetime | None


async def put_clients(tx: Transaction, clients: Sequence[ClientRow], *, now: datetime) -> Mapping[str, str]:
    """Take over clients, and return who each of them is now, erased ones left out.

    One that is newer here stays as it is, and a deleted or erased one does not come back.
    """
    await identities.hold(tx)
    owners = await identities.resolve(tx, [client.client_id for client in clients])
    newest = {client.client_id: client for client in sorted(clients, key=lambda client: client.version)}
    rows = [newest[client_id] for client_id in sorted(newest) if client_id in owners]
    await number_names(tx, {name for row in rows for name in (row.associate_id, row.store_id) if name})
    connection = await tx.driver()
    await connection.execute(
        """
        insert into clients (chain_id, client_id, associate_id, store_id, language, time_zone, occasions, version,
            secondary_associate_id, derived_time_zone, preferences, touched_at)
        select $1, u.client_id, u.associate_id, u.store_id, u.language, u.time_zone, u.occasions::jsonb, u.version,
            u.secondary_associate_id, u.derived_time_zone, u.preferences::jsonb, $2
        from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[],
                $11::text[], $12::text[])
            as u (client_id, associate_id, store_id, language, time_zone, occasions, version, secondary_associate_id,
                derived_time_zone, preferences)
        on conflict (chain_id, client_id) do update set
            associate_id = excluded.associate_id, store_id = excluded.store_id, language = excluded.language,
            time_zone = excluded.time_zone, occasions = excluded.occasions, version = excluded.version,
            secondary_associate_id = excluded.secondary_associate_id, derived_time_zone = excluded.derived_time_zone,
            preferences = excluded.preferences, touched_at = excluded.touched_at
        where excluded.version > clients.version and not clients.is_deleted
        """,
        tx.chain_id,
        now,
        [row.client_id for row in rows],
        [row.associate_id for row in rows],
        [row.store_id for row in rows],
        [row.language for row in rows],
        [row.time_zone for row in rows],
        [json.dumps(row.occasions) if row.occasions else "[]" for row in rows],
        [row.version for row in rows],
        [row.secondary_associate_id for row in rows],
        [row.derived_time_zone for row in rows],
        [json.dumps(row.preferences) if row.preferences else "[]" for row in rows],
    )
    return owners


async def number_names(tx: Transaction, names: Collection[str]) -> None:
    """Give associates and stores their numbers, once."""
    connection = await tx.driver()
    # Looked for first: an insert that another transaction makes as well would wait for its end.
    missing = await connection.fetch(
        "select u from unnest($2::text[]) as u where not exists"
        " (select 1 from numbered_names n where n.chain_id = $1 and n.name = u)",
        tx.chain_id,
        sorted(names),
    )
    if missing:
        await connection.execute(
            "insert into numbered_names (chain_id, name) select $1, unnest($2::text[]) on conflict do nothing",
            tx.chain_id,
            [row[0] for row in missing],
        )


async def lock_clients(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> Mapping[str, str]:
    """Hold clients until the commit, made up from their ids where they are not known yet; return who each is now.

    Leaves out deleted and erased ones. Notes that something about them changed: a ranking that began earlier says
    nothing about them any more.
    """
    await identities.hold(tx)
    owners = await identities.resolve(tx, client_ids)
    survivors = set(owners.values()) - owners.keys()
    known = await identities.resolve(tx, survivors) if survivors else {}
    there = await touch_clients(tx, {*owners, *known}, now=now)
    # A survivor who was erased keeps what comes under other ids until it is heard that they were taken apart.
    there |= survivors - known.keys()
    return {one: current for one, current in owners.items() if one in there and current in there}


async def touch_clients(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> set[str]:
    """Hold clients as `lock_clients` does, each by its own id; return those that are not deleted."""
    # Where several events share the transaction, a client that one of them holds is held.
    there: dict[str, bool] = {} if tx.memory is None else tx.memory.setdefault("clients held", {})
    missing = sorted(set(client_ids) - there.keys())
    if missing:
        connection = await tx.driver()
        rows = await connection.fetch(
            "insert into clients (chain_id, client_id, touched_at) select $1, u, $2 from unnest($3::text[]) as u"
            " on conflict (chain_id, client_id) do update set touched_at = excluded.touched_at"
            " where not clients.is_deleted returning client_id",
            tx.chain_id,
            now,
            missing,
        )
        found = {row[0] for row in rows}
        there.update({client_id: client_id in found for client_id in missing})
    return {client_id for client_id in client_ids if there[client_id]}


async def add_purchases(
    tx: Transaction, purchases: Sequence[PurchaseRow], *, now: datetime
) -> Mapping[str, str]:
    """Add purchases that are not here yet, with their clients where those are not known; return who those are now.

    Deleted and erased clients get none.
    """
    owners = await lock_clients(tx, [purchase.client_id for purchase in purchases], now=now)
    rows = sorted({p.purchase_id: p for p in purchases if p.client_id in owners}.items())
    connection = await tx.driver()
    await connection.execute(
        "insert into purchases (chain_id, purchase_id, client_id, original_client_id, purchase_day, total_minor,"
        " currency_code, recipient_client_id, surprise_for_client_id, surprise_ends_on, store_id, associate_id,"
        " occasion_kind, is_engagement, lines)"
        " select $1, a, b, c, d, e, f, g, h, i, j, k, l, m, n::jsonb from unnest($2::text[], $3::text[], $4::text[],"
        " $5::date[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::date[], $11::text[], $12::text[],"
        " $13::smallint[], $14::boolean[], $15::text[]) as u (a, b, c, d, e, f, g, h, i, j, k, l, m, n)"
        " on conflict do nothing",
        tx.chain_id,
        [purchase_id for purchase_id, _ in rows],
        [owners[row.client_id] for _, row in rows],
        [identities.original_of(row.client_id, owners[row.client_id]) for _, row in rows],
        [row.purchase_day for _, row in rows],
        [row.total_minor for _, row in rows],
        [row.currency for _, row in rows],
        [row.recipient_client_id for _, row in rows],
        [row.surprise_for_client_id for _, row in rows],
        [row.surprise_ends_on for _, row in rows],
        [row.store_id for _, row in rows],
        [row.associate_id for _, row in rows],
        [row.occasion_kind for _, row in rows],
        [row.is_engagement for _, row in rows],
        [json.dumps(row.lines) if row.lines else "[]" for _, row in rows],
    )
    return owners


async def add_visit(tx: Transaction, visit: VisitRow, *, now: datetime) -> str | None:
    """Add a visit that is not here yet, with its client where not known; return who that is now.

    A deleted or erased client gets none.
    """
    current = (await lock_clients(tx, [visit.client_id], now=now)).get(visit.client_id)
    if current is None:
        return None
    connection = await tx.driver()
    await connection.execute(
        "insert into visits (chain_id, visit_id, client_id, original_client_id, visited_at, surprise_for_client_id,"
        " surprise_ends_on, store_id, associate_id, need_by, looked_at, tried_on, liked, occasion_kind,"
        " recipient_client_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " on conflict do nothing",
        tx.chain_id,
        visit.visit_id,
        current,
        identities.original_of(visit.client_id, current),
        visit.visited_at,
        visit.surprise_for_client_id,
        visit.surprise_ends_on,
        visit.store_id,
        visit.associate_id,
        visit.need_by,
        visit.looked_at,
        visit.tried_on,
        visit.liked,
        visit.occasion_kind,
        visit.recipient_client_id,
    )
    return current


async def add_return(tx: Transaction, returned: ReturnRow, *, now: datetime) -> set[str]:
    """Add what came back, heard of before or after the purchase itself; return whom it says something about.

    A deleted or erased client's is dropped.
    """
    owners = await lock_clients(tx, [returned.client_id], now=now)
    if not owners:
        return set()
    connection = await tx.driver()
    await connection.execute(
        "insert into returns (chain_id, return_id, purchase_id, client_id, returned_on, total_minor, currency_code)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        tx.chain_id,
        returned.return_id,
        returned.purchase_id,
        returned.client_id,
        returned.returned_on,
        returned.total_minor,
        returned.currency,
    )
    # A merge that was taken back may have left the return with one and the purchase with the other.
    buyer = await connection.fetchval(
        "select client_id from purchases where chain_id = $1 and purchase_id = $2",
        tx.chain_id,
        returned.purchase_id,
    )
    return {*owners.values(), *([buyer] if buyer else [])}


async def delete_client(tx: Transaction, client_id: str, *, now: datetime) -> None:
    """Forget a client for good; only the id stays, so that late events cannot bring the client back."""
    if not await lock_clients(tx, [client_id], now=now):
        return
    parameters = {
        "chain_id": tx.chain_id,
        "client_id": client_id,
        "ids": await identities.whole(tx, [client_id]),
        "now": now,
    }
    await tx.execute(
        "update clients set is_deleted = true, associate_id = '', secondary_associate_id = '', store_id = '',"
        " language = '', time_zone = '', derived_time_zone = '', occasions = '[]', preferences = '[]',"
        " touched_at = :now where chain_id = :chain_id and client_id = any(:ids)",
        parameters,
    )
    for table in OF_CLIENTS:
        await tx.execute(
            f"delete from {table} where chain_id = :chain_id and client_id = :client_id",  # noqa: S608 - fixed text
            parameters,
        )
    await tx.execute("delete from returns where chain_id = :chain_id and client_id = any(:ids)", parameters)


async def move_facts(tx: Transaction, currents: Mapping[str, str], *, now: datetime) -> None:
    """Give purchases and visits to those whose they are after a merge, or after one that was taken back."""
    await touch_clients(tx, await identities.resolve(tx, currents.keys()), now=now)
    for table in OF_CLIENTS:
        await identities.move_rows(tx, table, "client_id", currents)


async def erase_clients(tx: Transaction, client_ids: Sequence[str]) -> dict[str, int]:
    """Remove everything that came under the ids of one person; return how many rows of which kind."""
    parameters = {"chain_id": tx.chain_id, "ids": list(client_ids)}
    came_as = identities.came_as("client_id")
    # What came back goes with its purchase; by its own id only where the purchase is not here.
    returns = await tx.execute(
        "delete from returns r where chain_id = :chain_id and (exists (select 1 from purchases p"  # noqa: S608 - fixed
        f"  where p.chain_id = r.chain_id and p.purchase_id = r.purchase_id and {came_as})"
        " or (client_id = any(:ids) and not exists (select 1 from purchases p"
        "  where p.chain_id = r.chain_id and p.purchase_id = r.purchase_id)))",
        parameters,
    )
    erased = {"returns": returns.rowcount}
    for table in (*OF_CLIENTS, "suggestions"):
        gone = await tx.execute(
            f"delete from {table} where chain_id = :chain_id and {came_as}",  # noqa: S608 - fixed text only
            parameters,
        )
        erased[table] = gone.rowcount
    await _drop_mentions(tx, client_ids)
    await refresh.drop_rows(tx, client_ids)
    # A ranking that began earlier writes nothing about who is not here any more.
    gone = await tx.execute(
        "delete from clients where chain_id = :chain_id and client_id = any(:ids)", parameters
    )
    return {**erased, "clients": gone.rowcount}


async def _drop_mentions(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Take the ids of a person out of what others bought, came for and remember."""
    parameters = {"chain_id": tx.chain_id, "ids": list(client_ids)}
    for table, change, column in (
        ("purchases", "recipient_client_id = ''", "recipient_client_id"),
        ("purchases", "surprise_for_client_id = '', surprise_ends_on = null", "surprise_for_client_id"),
        ("visits", "recipient_client_id = ''", "recipient_client_id"),
        ("visits", "surprise_for_client_id = '', surprise_ends_on = null", "surprise_for_client_id"),
        ("repair_moves", "surprise_for_client_id = '', surprise_ends_on = null", "surprise_for_client_id"),
        ("wishes", "bought_by_client_id = ''", "bought_by_client_id"),
    ):
        await tx.execute(
            f"update {table} set {change} where chain_id = :chain_id"  # noqa: S608 - fixed text only
            f" and {column} <> '' and {column} = any(:ids)",
            parameters,
        )
    for client_id in client_ids:
        await tx.execute(
            "update clients set occasions = cast(replace(cast(occasions as text), :quoted, :nobody) as jsonb)"
            " where chain_id = :chain_id and occasions <> '[]' and occasions @> cast(:mention as jsonb)",
            {
                "chain_id": tx.chain_id,
                "quoted": json.dumps(client_id),
                "nobody": json.dumps(""),
                "mention": json.dumps([[client_id]]),
            },
        )


async def note_event(tx: Transaction, happened_at: datetime) -> None:
    """Note how far the events have come. Last in a transaction: every event of a chain wants this row."""
    connection = await tx.driver()
    await connection.execute(
        "insert into progress (chain_id, newest_event_at) values ($1, $2) on conflict (chain_id) do update"
        " set newest_event_at = excluded.newest_event_at where progress.newest_event_at < excluded.newest_event_at",
        tx.chain_id,
        happened_at,
    )


async def summarise_facts(tx: Transaction, *, today: date, queue_day: date) -> FactsSummary:
    """Count what has arrived, and the suggestions that are open today."""
    found = await tx.execute(
        "select (select count(*) from clients c where chain_id = :chain_id and not is_deleted and not exists"
        "   (select 1 from identity_aliases a where a.chain_id = :chain_id and a.alias_id = c.client_id)) as clients,"
        " (select count(*) from purchases where chain_id = :chain_id) as purchases,"
        " (select count(*) from visits where chain_id = :chain_id) as visits,"
        " (select count(*) from suggestions where chain_id = :chain_id and state in ('open', 'snoozed')"
        "   and expires_on >= :queue_day and (state = 'open' or snoozed_until <= :today)) as open_suggestions,"
        " (select newest_event_at from progress where chain_id = :chain_id) as newest_event_at",
        {"chain_id": tx.chain_id, "today": today, "queue_day": queue_day},
    )
    row = found.one()
    return FactsSummary(row.clients, row.purchases, row.visits, row.open_suggestions, row.newest_event_at)
