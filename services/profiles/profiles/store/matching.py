"""What of clients is compared, the keys under which they meet, and the queue of those who changed.

Goes through asyncpg with one array a column, as imports do. Must not decide what is alike: that is the domain's.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import text

from chassis.database import Database, Transaction
from profiles.domain.duplicates import (
    CROWD,
    Features,
    Score,
    contact_key,
    features_of,
    is_met_under,
    keys_of,
    score,
)

Pair = tuple[str, str]  # the lower id, which is the older record, first


def pair_of(one: str, other: str) -> Pair:
    """Return two ids in the order in which a pair has them."""
    return (one, other) if one < other else (other, one)


async def load_features(tx: Transaction, client_ids: Collection[str]) -> dict[str, Features]:
    """Return what of clients is compared; those who are not there, or not any more, are left out."""
    driver = await tx.driver()
    ids = sorted(client_ids)
    # Each a walk along one index; a subquery a client costs twice as much.
    contacts = await driver.fetch(
        "select client_id, kind, match_key from contact_points where chain_id = $1 and client_id = any($2::text[])",
        tx.chain_id,
        ids,
    )
    birthdays = await driver.fetch(
        "select client_id, year, month, day from occasions where chain_id = $1 and client_id = any($2::text[])"
        " and kind = 'birthday' and for_whom = '' and relationship_id = '' order by position desc",
        tx.chain_id,
        ids,
    )
    clients = await driver.fetch(
        "select client_id, given_name, family_name, nickname, address_lines, postal_code, locality from clients"
        " where chain_id = $1 and client_id = any($2::text[])",
        tx.chain_id,
        ids,
    )
    phones: dict[str, list[str]] = {}
    emails: dict[str, list[str]] = {}
    for client_id, kind, value in contacts:
        (phones if kind == "phone" else emails).setdefault(client_id, []).append(value)
    born = {row[0]: (row[1], row[2], row[3]) for row in birthdays}  # the first noted one counts
    return {
        row[0]: features_of(
            row[0],
            given_name=row[1],
            family_name=row[2],
            nickname=row[3],
            address_lines=row[4],
            postal_code=row[5],
            locality=row[6],
            phones=phones.get(row[0], ()),
            emails=emails.get(row[0], ()),
            birthday=born.get(row[0]),
        )
        for row in clients
    }


async def list_client_ids(tx: Transaction, *, after: str, limit: int) -> list[str]:
    """Return clients of the chain by id."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select client_id from clients where chain_id = $1 and client_id > $2 order by client_id limit $3",
        tx.chain_id,
        after,
        limit,
    )
    return [row[0] for row in rows]


async def save_keys(tx: Transaction, keys: Mapping[str, frozenset[int]]) -> None:
    """Bring the keys of clients in line; only what changed is written, for clients who stay until the commit."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select client_id, keys from match_clients where chain_id = $1 and client_id = any($2::text[])",
        tx.chain_id,
        list(keys),
    )
    before = {row[0]: frozenset(row[1]) for row in rows}
    changed = [client_id for client_id, now in keys.items() if before.get(client_id) != now]
    if not changed:
        return
    # Who is deleted meanwhile takes the keys along only if they are there by then.
    held = await driver.fetch(
        "select client_id from clients where chain_id = $1 and client_id = any($2::text[]) order by client_id"
        " for key share",
        tx.chain_id,
        changed,
    )
    ids = [row[0] for row in held]
    gone = [(key, one) for one in ids for key in before.get(one, frozenset()) - keys[one]]
    new = sorted((key, one) for one in ids for key in keys[one] - before.get(one, frozenset()))
    if gone:
        await driver.execute(
            "delete from match_keys m using unnest($2::bigint[], $3::text[]) g (key, client_id)"
            " where m.chain_id = $1 and m.key = g.key and m.client_id = g.client_id",
            tx.chain_id,
            [key for key, _ in gone],
            [client_id for _, client_id in gone],
        )
    if new:
        await driver.execute(
            "insert into match_keys (chain_id, key, client_id) select $1, n.* from"
            " unnest($2::bigint[], $3::text[]) n on conflict do nothing",
            tx.chain_id,
            [key for key, _ in new],
            [client_id for _, client_id in new],
        )
    await driver.executemany(
        "insert into match_clients (chain_id, client_id, keys) values ($1, $2, $3::bigint[])"
        " on conflict (chain_id, client_id) do update set keys = excluded.keys",
        [(tx.chain_id, client_id, sorted(keys[client_id])) for client_id in ids],
    )


async def index_clients(tx: Transaction, client_ids: Collection[str]) -> None:
    """Make clients findable for a capture at once; they are compared with others soon after."""
    features = await load_features(tx, client_ids)
    await save_keys(tx, {client_id: keys_of(client) for client_id, client in features.items()})


async def find_holders(tx: Transaction, wanted: Iterable[tuple[str, int]]) -> set[Pair]:
    """Return the pairs of each client with the others who have the key; a crowded key leads to nobody."""
    asked = list(wanted)
    driver = await tx.driver()
    rows = await driver.fetch(
        "select w.client_id, w.key, h.client_id from unnest($2::text[], $3::bigint[]) w (client_id, key)"
        " cross join lateral (select k.client_id from match_keys k where k.chain_id = $1 and k.key = w.key"
        " and k.client_id <> w.client_id limit $4) h",
        tx.chain_id,
        [client_id for client_id, _ in asked],
        [key for _, key in asked],
        CROWD,
    )
    holders: dict[tuple[str, int], list[str]] = {}
    for client_id, key, holder in rows:
        holders.setdefault((client_id, key), []).append(holder)
    return {
        pair_of(client_id, holder)
        for (client_id, _), found in holders.items()
        if len(found) < CROWD
        for holder in found
    }


async def find_named(tx: Transaction, keys: Collection[int], *, store_id: str) -> list[str]:
    """Return clients who have one of the keys of a name; of a crowd those whose home is the store."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select distinct client_id from match_keys where chain_id = $1 and key = any($2::bigint[]) limit $3",
        tx.chain_id,
        list(keys),
        CROWD + 1,
    )
    if len(rows) > CROWD:
        rows = await driver.fetch(
            "select distinct k.client_id from match_keys k join clients c on c.chain_id = $1"
            " and c.client_id = k.client_id where k.chain_id = $1 and k.key = any($2::bigint[])"
            " and c.home_store_id = $3 limit $4",
            tx.chain_id,
            list(keys),
            store_id,
            CROWD,
        )
    return [row[0] for row in rows]


async def find_crowded(tx: Transaction, contacts: Collection[str]) -> set[str]:
    """Return those of some numbers and e-mails that so many clients have that they say nothing."""
    driver = await tx.driver()
    by_key = {contact_key(contact): contact for contact in contacts}
    rows = await driver.fetch(
        "select w.key from unnest($2::bigint[]) w (key) cross join lateral (select count(*) holders from"
        " (select from match_keys k where k.chain_id = $1 and k.key = w.key limit $3 + 1) h) n"
        " where n.holders > $3",
        tx.chain_id,
        list(by_key),
        CROWD,
    )
    return {by_key[row[0]] for row in rows}


async def list_blocks(tx: Transaction, *, after: int, limit: int) -> tuple[list[list[str]], int | None]:
    """Return who shares a key, key by key from behind `after`, and the last key looked at; None when that was all.

    `limit` is in rows. Keys that one client has, or a crowd, are left out.
    """
    driver = await tx.driver()
    rows = await driver.fetch(
        "select key, client_id from match_keys where chain_id = $1 and key > $2 order by key limit $3",
        tx.chain_id,
        after,
        limit,
    )
    if not rows:
        return [], None
    groups: dict[int, list[str]] = {}
    for key, client_id in rows:
        groups.setdefault(key, []).append(client_id)
    last = rows[-1][0]
    if len(rows) == limit and len(groups) > 1:
        # The rest of the last one comes with the next slice.
        del groups[last]
        last = max(groups)
    met = [members for key, members in groups.items() if is_met_under(key)]
    return [members for members in met if 1 < len(members) <= CROWD], last


async def find_related(tx: Transaction, client_ids: Collection[str]) -> set[Pair]:
    """Return those pairs among clients who are related on record."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select client_id, related_client_id from relationships where chain_id = $1 and client_id = any($2::text[])"
        " and related_client_id = any($2::text[])",
        tx.chain_id,
        list(client_ids),
    )
    return {pair_of(row[0], row[1]) for row in rows}


async def score_pair(tx: Transaction, one_id: str, other_id: str) -> Score:
    """Return how likely two clients, who are there, are one person by what is known now."""
    features = await load_features(tx, [one_id, other_id])
    one, other = features[one_id], features[other_id]
    crowded = await find_crowded(tx, (one.phones & other.phones) | (one.emails & other.emails))
    related = await find_related(tx, [one_id, other_id])
    return score(one, other, are_related=bool(related), crowded=crowded)


async def lock_both(tx: Transaction, *client_ids: str) -> bool:
    """Lock clients in the order of their ids; False when one of them is not there."""
    found = await tx.execute(
        "select client_id from clients where client_id = any(:ids) order by client_id for update",
        {"ids": sorted(client_ids)},
    )
    return len(found.all()) == len(set(client_ids))


async def take_queued(tx: Transaction, *, most: int) -> list[str]:
    """Take up to `most` entries off the queue and return whom they name; another replica takes others."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "delete from match_queue where chain_id = $1 and position = any(array(select position from match_queue"
        " where chain_id = $1 order by position limit $2 for update skip locked)) returning client_id",
        tx.chain_id,
        most,
    )
    return sorted({row[0] for row in rows})


async def queue(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Have clients compared with others soon."""
    await tx.execute(
        "insert into match_queue (chain_id, client_id) select :chain_id, unnest(cast(:ids as text[]))",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )


async def list_waiting_chains(database: Database) -> list[str]:
    """Return the chains in which somebody waits to be compared: one look into the index a chain."""
    async with database.platform_transaction() as connection:
        found = await connection.execute(
            text(
                "with recursive waiting as ("
                " (select chain_id from match_queue order by chain_id limit 1)"
                " union all"
                " select (select q.chain_id from match_queue q where q.chain_id > w.chain_id"
                " order by q.chain_id limit 1)"
                " from waiting w where w.chain_id is not null)"
                " select chain_id from waiting where chain_id is not null"
            )
        )
        return list(found.scalars())
