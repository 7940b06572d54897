"""Rows of clients with their contact points, occasions and preferences; finding clients."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import (
    Client,
    ContactKind,
    ContactPoint,
    ExternalIdTaken,
    Occasion,
    OccasionKind,
    Preference,
    PreferenceKind,
)

_COLUMNS = (
    "client_id, given_name, family_name, language, time_zone, home_store_id, associate_id, source, external_id,"
    " version, created_at, updated_at, secondary_associate_id"
)
# One round trip for the whole client; three small index scans each.
_WHOLE = f"""
    select {_COLUMNS},
        (select jsonb_agg(jsonb_build_array(contact_point_id, kind, value, label, is_preferred, verified_at)
                          order by position) from contact_points p where p.client_id = c.client_id) contacts,
        (select jsonb_agg(jsonb_build_array(occasion_id, kind, year, month, day, for_whom)
                          order by position) from occasions o where o.client_id = c.client_id) occasions,
        (select jsonb_agg(jsonb_build_array(kind, value, source, noted_on)
                          order by position) from preferences f where f.client_id = c.client_id) preferences
    from clients c
"""  # noqa: S608


async def get_client(tx: Transaction, client_id: str) -> Client:
    """Return a client, by its id or by that of one who was merged into it. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute(f"{_WHOLE} where client_id = :client_id", {"client_id": client_id})
    if (row := found.one_or_none()) is not None:
        return _client(row)
    return await get_client(tx, await _survivor_of(tx, client_id))


async def _survivor_of(tx: Transaction, alias_id: str) -> str:
    """Return whom a merged client's id leads to. Raises CLIENT_NOT_FOUND for an id that leads nowhere."""
    found = await tx.execute(
        "select client_id from client_aliases where alias_id = :alias_id", {"alias_id": alias_id}
    )
    if (row := found.one_or_none()) is None:
        raise not_found("client", alias_id)
    return str(row.client_id)


async def lock_client(tx: Transaction, client_id: str) -> Client:
    """Return a client that nobody else can change until the transaction ends. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute(
        "select 1 from clients where client_id = :client_id for update", {"client_id": client_id}
    )
    if found.one_or_none() is None:
        return await lock_client(tx, await _survivor_of(tx, client_id))
    return await get_client(tx, client_id)


async def require_client(tx: Transaction, client_id: str) -> str:
    """Return the id of a client who is there: the survivor's for one who was merged. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute("select 1 from clients where client_id = :client_id", {"client_id": client_id})
    return client_id if found.one_or_none() is not None else await _survivor_of(tx, client_id)


async def keep_client(tx: Transaction, client_id: str) -> str:
    """Return the id of a client who stays until the transaction ends, as require_client. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute(
        "select 1 from clients where client_id = :client_id for key share", {"client_id": client_id}
    )
    if found.one_or_none() is None:
        return await keep_client(tx, await _survivor_of(tx, client_id))
    return client_id


async def keep_clients(tx: Transaction, client_ids: Sequence[str]) -> list[str]:
    """Return the clients behind the ids, survivors for those merged, who stay until the transaction ends."""
    found = await tx.execute(
        "select client_id from clients where client_id = any(:ids) or client_id in"
        " (select a.client_id from client_aliases a where a.alias_id = any(:ids)) order by client_id for key share",
        {"ids": list(client_ids)},
    )
    return list(found.scalars())


async def get_clients(tx: Transaction, client_ids: Sequence[str]) -> list[Client]:
    """Return clients in the order of the ids; unknown ones are left out."""
    found = await tx.execute(f"{_WHOLE} where client_id = any(:ids)", {"ids": list(set(client_ids))})
    known = {row.client_id: _client(row) for row in found}
    return [known[client_id] for client_id in client_ids if client_id in known]


async def list_clients(
    tx: Transaction, *, store_id: str, associate_id: str, before: str, limit: int
) -> list[Client]:
    """Return clients, newest first, of one store and one associate or of all (empty)."""
    conditions = ["chain_id = :chain_id"]
    if store_id:
        conditions.append("home_store_id = :store_id")
    if associate_id:
        conditions.append("associate_id = :associate_id")
    if before:
        conditions.append("client_id < :before")
    found = await tx.execute(
        f"{_WHOLE} where {' and '.join(conditions)} order by client_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "store_id": store_id,
            "associate_id": associate_id,
            "before": before,
            "limit": limit,
        },
    )
    return [_client(row) for row in found]


async def search_clients(
    tx: Transaction, words: Sequence[str], *, store_id: str, associate_id: str, before: str, limit: int
) -> list[Client]:
    """Return clients, newest first, whose name, numbers and e-mails hold every one of `words`."""
    found = await tx.execute(
        "select * from search_clients(:words, :store_id, :associate_id, :before, :limit)",
        {
            "words": list(words),
            "store_id": store_id,
            "associate_id": associate_id,
            "before": before,
            "limit": limit,
        },
    )
    return await get_clients(tx, list(found.scalars()))


async def match_contacts(
    tx: Transaction, contacts: Sequence[tuple[ContactKind, str]]
) -> list[tuple[Client, int]]:
    """Return the clients who have one of the contacts (kind and match key), oldest first, with how many they have."""
    found = await tx.execute(
        "select client_id, count(*) matches from contact_points where chain_id = :chain_id and"
        " (kind, match_key) in (select * from unnest(cast(:kinds as text[]), cast(:keys as text[])))"
        " group by client_id order by client_id",
        {
            "chain_id": tx.chain_id,
            "kinds": [kind.value for kind, _ in contacts],
            "keys": [key for _, key in contacts],
        },
    )
    counts = {row.client_id: int(row.matches) for row in found}
    return [(client, counts[client.client_id]) for client in await get_clients(tx, list(counts))]


async def take_turns(tx: Transaction, keys: Sequence[str]) -> None:
    """Wait until nobody else in the chain works on one of `keys`, such as a number that may become a new client."""
    await tx.execute(
        "select pg_advisory_xact_lock(hash) from (select hashtextextended(:chain_id || ' ' || key, 0) hash"
        " from unnest(cast(:keys as text[])) key order by hash) ordered",
        {"chain_id": tx.chain_id, "keys": list(keys)},
    )


async def add_client(tx: Transaction, client: Client) -> None:
    """Insert a client with everything on it. Raises CLIENT_EXTERNAL_ID_TAKEN."""
    added = await tx.execute(
        "insert into clients (client_id, chain_id, given_name, family_name, language, time_zone, home_store_id,"
        " associate_id, source, external_id, version, created_at, updated_at) values (:client_id, :chain_id,"
        " :given_name, :family_name, :language, :time_zone, :home_store_id, :associate_id, :source, :external_id,"
        " :version, :created_at, :updated_at)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing",
        {
            "client_id": client.client_id,
            "chain_id": tx.chain_id,
            "given_name": client.given_name,
            "family_name": client.family_name,
            "language": client.language,
            "time_zone": client.time_zone,
            "home_store_id": client.home_store_id,
            "associate_id": client.associate_id,
            "source": client.source,
            "external_id": client.external_id,
            "version": client.version,
            "created_at": client.created_at,
            "updated_at": client.updated_at,
        },
    )
    if not added.rowcount:
        found = await tx.execute(
            "select client_id from clients where source = :source and external_id = :external_id",
            {"source": client.source, "external_id": client.external_id},
        )
        raise ExternalIdTaken(str(found.scalar_one()))
    for contact in client.contact_points:
        await add_contact_point(tx, client.client_id, contact)
    for occasion in client.occasions:
        await add_occasion(tx, client.client_id, occasion)
    if client.preferences:
        await set_preferences(tx, client.client_id, client.preferences)
    await refresh_search(tx, [client.client_id])


async def save_client(tx: Transaction, client: Client) -> None:
    """Write a locked client's own fields and version; what hangs on it has functions of its own."""
    await tx.execute(
        "update clients set given_name = :given_name, family_name = :family_name, language = :language,"
        " time_zone = :time_zone, home_store_id = :home_store_id, associate_id = :associate_id,"
        " secondary_associate_id = :secondary_associate_id, version = :version,"
        " updated_at = :updated_at where client_id = :client_id",
        {
            "client_id": client.client_id,
            "given_name": client.given_name,
            "family_name": client.family_name,
            "language": client.language,
            "time_zone": client.time_zone,
            "home_store_id": client.home_store_id,
            "associate_id": client.associate_id,
            "secondary_associate_id": client.secondary_associate_id,
            "version": client.version,
            "updated_at": client.updated_at,
        },
    )
    await refresh_search(tx, [client.client_id])


async def delete_client(tx: Transaction, client_id: str) -> None:
    """Remove a client with everything on it but consents, which are evidence."""
    for statement in (
        "delete from timeline_entries where client_id = :client_id",
        "delete from clients where client_id = :client_id",
    ):
        await tx.execute(statement, {"client_id": client_id})


async def has_purchases(tx: Transaction, client_id: str) -> bool:
    """Return whether a client bought anything."""
    found = await tx.execute(
        "select exists (select from purchases where client_id = :client_id)", {"client_id": client_id}
    )
    return bool(found.scalar_one())


async def add_contact_point(tx: Transaction, client_id: str, contact: ContactPoint) -> None:
    """Insert a contact point; a preferred one takes that mark from the others of its kind."""
    if contact.is_preferred:
        await tx.execute(
            "update contact_points set is_preferred = false"
            " where client_id = :client_id and kind = :kind and is_preferred",
            {"client_id": client_id, "kind": contact.kind.value},
        )
    await tx.execute(
        "insert into contact_points (contact_point_id, chain_id, client_id, kind, value, match_key, label,"
        " is_preferred, verified_at) values (:contact_point_id, :chain_id, :client_id, :kind, :value, :match_key,"
        " :label, :is_preferred, :verified_at)",
        {
            "contact_point_id": contact.contact_point_id,
            "chain_id": tx.chain_id,
            "client_id": client_id,
            "kind": contact.kind.value,
            "value": contact.value,
            "match_key": contact.match_key,
            "label": contact.label,
            "is_preferred": contact.is_preferred,
            "verified_at": contact.verified_at,
        },
    )


async def remove_contact_point(tx: Transaction, client_id: str, contact_point_id: str) -> None:
    """Delete a contact point. Raises CONTACT_POINT_NOT_FOUND."""
    removed = await tx.execute(
        "delete from contact_points where client_id = :client_id and contact_point_id = :contact_point_id",
        {"client_id": client_id, "contact_point_id": contact_point_id},
    )
    if not removed.rowcount:
        raise not_found("contact_point", contact_point_id)


async def add_occasion(tx: Transaction, client_id: str, occasion: Occasion) -> None:
    """Insert an occasion."""
    await tx.execute(
        "insert into occasions (occasion_id, chain_id, client_id, kind, year, month, day, for_whom)"
        " values (:occasion_id, :chain_id, :client_id, :kind, :year, :month, :day, :for_whom)",
        {
            "occasion_id": occasion.occasion_id,
            "chain_id": tx.chain_id,
            "client_id": client_id,
            "kind": occasion.kind.value,
            "year": occasion.year,
            "month": occasion.month,
            "day": occasion.day,
            "for_whom": occasion.for_whom,
        },
    )


async def remove_occasion(tx: Transaction, client_id: str, occasion_id: str) -> None:
    """Delete an occasion. Raises OCCASION_NOT_FOUND."""
    removed = await tx.execute(
        "delete from occasions where client_id = :client_id and occasion_id = :occasion_id",
        {"client_id": client_id, "occasion_id": occasion_id},
    )
    if not removed.rowcount:
        raise not_found("occasion", occasion_id)


async def set_preferences(tx: Transaction, client_id: str, preferences: Sequence[Preference]) -> None:
    """Put `preferences` in the place of all that were there."""
    await tx.execute("delete from preferences where client_id = :client_id", {"client_id": client_id})
    if preferences:
        await tx.execute(
            "insert into preferences (client_id, position, chain_id, kind, value, source, noted_on)"
            " values (:client_id, :position, :chain_id, :kind, :value, :source, :noted_on)",
            [
                {
                    "client_id": client_id,
                    "position": position,
                    "chain_id": tx.chain_id,
                    "kind": preference.kind.value,
                    "value": preference.value,
                    "source": preference.source,
                    "noted_on": preference.noted_on,
                }
                for position, preference in enumerate(preferences)
            ],
        )


async def refresh_search(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Bring the words that clients are found by in line with their names and contact points."""
    await tx.execute(
        """
        insert into client_search (client_id, chain_id, terms)
        select c.client_id, c.chain_id, searchable(concat_ws(E'\\n', c.given_name || ' ' || c.family_name,
            (select string_agg(p.match_key, E'\\n') from contact_points p where p.client_id = c.client_id)))
        from clients c where c.client_id = any(:ids)
        on conflict (chain_id, client_id) do update set terms = excluded.terms
            where client_search.terms <> excluded.terms
        """,
        {"ids": list(client_ids)},
    )


def _client(row: Row[Any]) -> Client:
    return Client(
        client_id=row.client_id,
        given_name=row.given_name,
        family_name=row.family_name,
        language=row.language,
        time_zone=row.time_zone,
        home_store_id=row.home_store_id,
        associate_id=row.associate_id,
        source=row.source,
        external_id=row.external_id,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        secondary_associate_id=row.secondary_associate_id,
        contact_points=tuple(
            ContactPoint(
                contact_point_id,
                ContactKind(kind),
                value,
                label,
                is_preferred,
                datetime.fromisoformat(verified_at) if verified_at else None,
            )
            for contact_point_id, kind, value, label, is_preferred, verified_at in _decoded(row.contacts)
        ),
        occasions=tuple(
            Occasion(occasion_id, OccasionKind(kind), year, month, day, for_whom)
            for occasion_id, kind, year, month, day, for_whom in _decoded(row.occasions)
        ),
        preferences=tuple(
            Preference(
                PreferenceKind(kind), value, source, date.fromisoformat(noted_on) if noted_on else None
            )
            for kind, value, source, noted_on in _decoded(row.preferences)
        ),
    )


def _decoded(aggregate: list[list[Any]] | None) -> list[list[Any]]:
    # SQLAlchemy's driver has decoded the JSON already; an aggregate of no rows is null.
    return aggregate or []
