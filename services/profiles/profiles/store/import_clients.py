"""Rows of clients whom files bring: whole batches at once, one array a column.

Everybody locks clients in the order of their ids, and inserts in the order of the unique key: two batches must not wait
for one another in a circle.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from chassis.database import Transaction
from profiles.domain.clients import Client, ContactPoint, Occasion, PostalAddress
from profiles.store.columns import column, cut

_NOWHERE = PostalAddress()
_BETWEEN = "\n"  # of the values of one array: none of them holds an end of line


async def associates_by_email(tx: Transaction, emails: Sequence[str]) -> dict[str, str]:
    """Return active associates by e-mail, in lower case."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select lower(email), associate_id from associates where chain_id = $1 and lower(email) = any($2::text[])"
        " and is_active",
        tx.chain_id,
        list(emails),
    )
    return dict(rows)


async def names_of_associates(tx: Transaction, associate_ids: Collection[str]) -> dict[str, str]:
    """Return the display names of associates."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select associate_id, display_name from associates where chain_id = $1 and associate_id = any($2::text[])",
        tx.chain_id,
        list(associate_ids),
    )
    return dict(rows)


async def merged_external_ids(tx: Transaction, source: str, external_ids: Sequence[str]) -> dict[str, str]:
    """Return, by external id, the clients into whom those with these ids were merged."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select external_id, client_id from client_external_ids"
        " where chain_id = $1 and source = $2 and external_id = any($3::text[])",
        tx.chain_id,
        source,
        list(external_ids),
    )
    return dict(rows)


async def known_external_ids(tx: Transaction, source: str, external_ids: Sequence[str]) -> dict[str, str]:
    """Return the clients whom a source knows by these ids, those of merged ones too."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select external_id, client_id from clients"
        " where chain_id = $1 and source = $2 and external_id = any($3::text[]) and external_id <> ''",
        tx.chain_id,
        source,
        list(external_ids),
    )
    known = dict(rows)
    return known | await merged_external_ids(tx, source, external_ids)


async def remember_external_ids(tx: Transaction, source: str, clients: Mapping[str, str]) -> None:
    """Note under which ids, beside those on themselves, a source knows clients."""
    if not clients:
        return
    driver = await tx.driver()
    await driver.execute(
        "insert into client_external_ids (chain_id, source, merge_id, external_id, client_id) select $1, $2, '', k.*"
        " from unnest($3::text[], $4::text[]) k on conflict do nothing",
        tx.chain_id,
        source,
        list(clients),
        list(clients.values()),
    )


async def find_clients(
    tx: Transaction, source: str, external_ids: Sequence[str], *, to_change: bool
) -> dict[str, str]:
    """Return those of a source's clients who are known, by external id.

    With `to_change` nobody else changes them until the commit. Without it somebody may go meanwhile: what is written
    about a client has to refuse one who is not there.
    """
    driver = await tx.driver()
    lock = " for no key update" if to_change else ""
    rows = await driver.fetch(
        # LIMIT 1 keeps the planner at one look into the unique index for each, whatever it knows of the chain.
        "select wanted.external_id, c.client_id from unnest($3::text[]) wanted (external_id),"  # noqa: S608
        " lateral (select client_id from clients where chain_id = $1 and source = $2"
        f" and external_id = wanted.external_id and external_id <> '' limit 1{lock}) c",
        tx.chain_id,
        source,
        sorted(external_ids),
    )
    return dict(rows)


async def land_clients(tx: Transaction, clients: Sequence[Client], *, now: datetime) -> set[str]:
    """Insert clients, all of one source and store, without what hangs on them; return the ids of those inserted.

    Whoever was inserted by somebody else at this moment is left out.
    """
    driver = await tx.driver()
    ordered = sorted(clients, key=lambda client: client.external_id)
    columns: dict[str, list[str]] = {
        "client_id": [client.client_id for client in ordered],
        "external_id": [client.external_id for client in ordered],
        "associate_id": [client.associate_id for client in ordered],
        "given_name": [client.given_name for client in ordered],
        "family_name": [client.family_name for client in ordered],
    } | _details(ordered)
    names = ", ".join(columns)
    values = ", ".join(
        f"string_to_array(c.{name}, e'\\n')" if name in _ARRAYS else f"c.{name}" for name in columns
    )
    arrays = ", ".join(cut(number) for number in range(5, 5 + len(columns)))
    added = await driver.fetch(
        f"insert into clients (chain_id, home_store_id, source, created_at, updated_at, {names})"  # noqa: S608
        f" select $1, $2, $3, $4, $4, {values} from unnest({arrays}) c ({names})"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing returning client_id",
        tx.chain_id,
        ordered[0].home_store_id,
        ordered[0].source,
        now,
        *map(column, columns.values()),
    )
    return {row[0] for row in added}


_ARRAYS = frozenset({"tags", "address_lines"})


def _details(clients: Sequence[Client]) -> dict[str, list[str]]:
    """Return the columns that any of the clients has something in."""
    addresses = [client.address or _NOWHERE for client in clients]
    columns = {
        "language": [client.language for client in clients],
        "nickname": [client.nickname for client in clients],
        "tags": [_BETWEEN.join(client.tags) for client in clients],
        "address_lines": [_BETWEEN.join(address.lines) for address in addresses],
        "locality": [address.locality for address in addresses],
        "region": [address.region for address in addresses],
        "postal_code": [address.postal_code for address in addresses],
        "country": [address.country for address in addresses],
    }
    return {name: values for name, values in columns.items() if any(values)}


async def land_contacts(tx: Transaction, contacts: Sequence[tuple[str, ContactPoint]]) -> None:
    """Insert contact points, each with its client's id, that their clients do not have."""
    driver = await tx.driver()
    await driver.execute(
        "insert into contact_points (contact_point_id, chain_id, client_id, kind, value, match_key, label)"  # noqa: S608
        f" select p.contact_point_id, $1, p.client_id, p.kind, p.value, p.match_key, 'import' from unnest({cut(2)},"
        f" {cut(3)}, {cut(4)}, {cut(5)}, {cut(6)}) p (contact_point_id, client_id, kind, value, match_key)"
        " on conflict (chain_id, client_id, kind, match_key) do nothing",
        tx.chain_id,
        column([contact.contact_point_id for _, contact in contacts]),
        column([client_id for client_id, _ in contacts]),
        column([contact.kind for _, contact in contacts]),
        column([contact.value for _, contact in contacts]),
        column([contact.match_key for _, contact in contacts]),
    )


async def land_occasions(tx: Transaction, occasions: Sequence[tuple[str, Occasion]]) -> None:
    """Insert yearly occasions of the clients' own, each with its client's id."""
    driver = await tx.driver()
    await driver.execute(
        "insert into occasions (chain_id, occasion_id, client_id, kind, year, month, day) select $1, o.*"  # noqa: S608
        f" from unnest({cut(2)}, {cut(3)}, {cut(4)}, $5::int[], $6::int[], $7::int[]) o",
        tx.chain_id,
        column([occasion.occasion_id for _, occasion in occasions]),
        column([client_id for client_id, _ in occasions]),
        column([occasion.kind for _, occasion in occasions]),
        [occasion.year for _, occasion in occasions],
        [occasion.month for _, occasion in occasions],
        [occasion.day for _, occasion in occasions],
    )


async def land_preferences(tx: Transaction, clients: Sequence[Client]) -> None:
    """Insert all preferences of clients who have none yet."""
    driver = await tx.driver()
    rows = [
        (client.client_id, position, preference)
        for client in clients
        for position, preference in enumerate(client.preferences)
    ]
    await driver.execute(
        "insert into preferences (chain_id, client_id, position, kind, value, source, noted_on, preference_id,"
        " size_system) select $1, f.* from unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[],"
        " $7::date[], $8::text[], $9::text[]) f",
        tx.chain_id,
        [client_id for client_id, _, _ in rows],
        [position for _, position, _ in rows],
        [preference.kind for _, _, preference in rows],
        [preference.value for _, _, preference in rows],
        [preference.source for _, _, preference in rows],
        [preference.noted_on for _, _, preference in rows],
        [preference.preference_id for _, _, preference in rows],
        [preference.size_system or "" for _, _, preference in rows],
    )


async def land_notes(
    tx: Transaction, notes: Mapping[str, tuple[str, str]], *, author: str, now: datetime
) -> list[str]:
    """Insert shared notes (client and words by id) that are not there; return the ids of those inserted."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "insert into notes (chain_id, author, created_at, updated_at, note_id, client_id, body, visibility,"
        " surprise_for_client_id, version) select $1, $2, $3, $3, n.*, 'shared', '', 1"
        " from unnest($4::text[], $5::text[], $6::text[]) n on conflict do nothing returning note_id",
        tx.chain_id,
        author,
        now,
        list(notes),
        [client_id for client_id, _ in notes.values()],
        [text for _, text in notes.values()],
    )
    return [row[0] for row in rows]


async def owners_of_contacts(
    tx: Transaction, contacts: Sequence[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """Return kind, match key and client for every contact point that is one of these."""
    if not contacts:
        return []
    driver = await tx.driver()
    rows = await driver.fetch(
        "select p.kind, p.match_key, p.client_id from unnest($2::text[], $3::text[]) wanted (kind, match_key)"
        " join contact_points p on p.chain_id = $1 and p.match_key = wanted.match_key and p.kind = wanted.kind",
        tx.chain_id,
        [kind for kind, _ in contacts],
        [key for _, key in contacts],
    )
    return [(kind, key, client_id) for kind, key, client_id in rows]


async def names_of(tx: Transaction, client_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return given and family names of clients."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select client_id, given_name, family_name from clients where chain_id = $1 and client_id = any($2::text[])",
        tx.chain_id,
        list(client_ids),
    )
    return {client_id: (given, family) for client_id, given, family in rows}


async def lock_clients(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Let nobody else change clients until the commit; whoever is gone meanwhile is left out."""
    driver = await tx.driver()
    await driver.fetch(
        "select 1 from clients where chain_id = $1 and client_id = any($2::text[])"
        " order by client_id for no key update",
        tx.chain_id,
        sorted(client_ids),
    )


async def save_clients(tx: Transaction, clients: Sequence[Client], *, now: datetime) -> None:
    """Write what locked clients are by themselves; what hangs on them has functions of its own."""
    driver = await tx.driver()
    addresses = [client.address or _NOWHERE for client in clients]
    await driver.execute(
        "update clients set updated_at = $2, version = n.version, given_name = n.given_name,"
        " family_name = n.family_name, nickname = n.nickname, language = n.language, associate_id = n.associate_id,"
        " secondary_associate_id = n.secondary_associate_id, tags = string_to_array(n.tags, e'\\n'),"
        " address_lines = string_to_array(n.address_lines, e'\\n'), locality = n.locality, region = n.region,"
        " postal_code = n.postal_code, country = n.country from unnest($3::text[], $4::bigint[], $5::text[],"
        " $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],"
        " $14::text[], $15::text[], $16::text[]) n (client_id, version, given_name, family_name, nickname, language,"
        " associate_id, secondary_associate_id, tags, address_lines, locality, region, postal_code, country)"
        " where clients.chain_id = $1 and clients.client_id = n.client_id",
        tx.chain_id,
        now,
        [client.client_id for client in clients],
        [client.version for client in clients],
        [client.given_name for client in clients],
        [client.family_name for client in clients],
        [client.nickname for client in clients],
        [client.language for client in clients],
        [client.associate_id for client in clients],
        [client.secondary_associate_id for client in clients],
        [_BETWEEN.join(client.tags) for client in clients],
        [_BETWEEN.join(address.lines) for address in addresses],
        [address.locality for address in addresses],
        [address.region for address in addresses],
        [address.postal_code for address in addresses],
        [address.country for address in addresses],
    )
