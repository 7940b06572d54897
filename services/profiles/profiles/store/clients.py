"""Rows of clients with their contact points, occasions and preferences."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import (
    Client,
    ContactKind,
    ContactPoint,
    ContactType,
    ExternalIdTaken,
    Occasion,
    OccasionKind,
    OccasionRecurrence,
    PostalAddress,
)
from profiles.domain.relationships import Relationship, RelationshipKind
from profiles.store import preferences as preference_store
from profiles.store.search import refresh_search

_COLUMNS = (
    "client_id, given_name, family_name, language, time_zone, home_store_id, associate_id, source, external_id,"
    " version, created_at, updated_at, secondary_associate_id, nickname, tags, address_lines, locality, region,"
    " postal_code, country"
)
# One round trip for the whole client; a few small index scans each. A relationship with another client is one row,
# which that one sees from the other side. The names are no join: while a chain is new to the planner's statistics, it
# would be one with all clients.
_WHOLE = f"""
    select {_COLUMNS},
        (select jsonb_agg(jsonb_build_array(contact_point_id, kind, value, label, is_preferred, verified_at, type)
                          order by position) from contact_points p where p.client_id = c.client_id) contacts,
        (select jsonb_agg(jsonb_build_array(occasion_id, kind, year, month, day, for_whom, recurrence, lead_days,
                                            surprise_for_client_id, relationship_id)
                          order by position) from occasions o where o.client_id = c.client_id) occasions,
        (select jsonb_agg(jsonb_build_array({preference_store.COLUMNS})
                          order by position) from preferences f where f.client_id = c.client_id) preferences,
        (select jsonb_agg(jsonb_build_array(r.relationship_id, r.kind, r.is_seen_from_there, r.other_id, coalesce(
                              (select jsonb_build_array(n.given_name, n.family_name) from clients n
                               where n.client_id = r.other_id),
                              jsonb_build_array(r.given_name, r.family_name)), r.note) order by r.position)
         from (select relationship_id, kind, false is_seen_from_there, related_client_id other_id, given_name,
                   family_name, note, position from relationships where client_id = c.client_id
               union all
               select relationship_id, kind, true, client_id, '', '', note, position from relationships
               where related_client_id = c.client_id) r) relationships,
        (select array_agg(a.alias_id order by a.alias_id) from client_aliases a where a.client_id = c.client_id)
            former_client_ids
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


async def lock_clients(tx: Transaction, client_ids: Sequence[str]) -> list[Client]:
    """Return clients, in the order of the ids, whom nobody else can change until the transaction ends.

    They are locked in one order, so that two who want the same two never wait for one another. Raises CLIENT_NOT_FOUND.
    """
    resolved = [await require_client(tx, client_id) for client_id in client_ids]
    locked = {client_id: await lock_client(tx, client_id) for client_id in sorted(set(resolved))}
    return [locked[client_id] for client_id in resolved]


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


async def hold_external_ids(tx: Transaction) -> None:
    """Keep merges from leading ids of other systems elsewhere until the commit; before any client is locked."""
    await tx.execute(
        "select pg_advisory_xact_lock_shared(hashtextextended('merges ' || :chain_id, 0))",
        {"chain_id": tx.chain_id},
    )


async def resolve_external_ids(tx: Transaction, source: str, external_ids: Sequence[str]) -> dict[str, str]:
    """Return by external id the clients into whom those were merged whom the source knows by these ids."""
    found = await tx.execute(
        "select external_id, client_id from client_external_ids where chain_id = :chain_id and source = :source"
        " and external_id = any(:external_ids)",
        {"chain_id": tx.chain_id, "source": source, "external_ids": list(external_ids)},
    )
    return {row.external_id: row.client_id for row in found}


async def add_client(tx: Transaction, client: Client) -> None:
    """Insert a client with everything on it. Raises CLIENT_EXTERNAL_ID_TAKEN."""
    if client.external_id:
        await hold_external_ids(tx)
        if known := await resolve_external_ids(tx, client.source, [client.external_id]):
            raise ExternalIdTaken(known[client.external_id])
    added = await tx.execute(
        "insert into clients (client_id, chain_id, given_name, family_name, language, time_zone, home_store_id,"
        " associate_id, source, external_id, version, created_at, updated_at, nickname, tags, address_lines, locality,"
        " region, postal_code, country) values (:client_id, :chain_id,"
        " :given_name, :family_name, :language, :time_zone, :home_store_id, :associate_id, :source, :external_id,"
        " :version, :created_at, :updated_at, :nickname, :tags, :address_lines, :locality,"
        " :region, :postal_code, :country)"
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
            **_own_words(client),
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
        await preference_store.set_preferences(tx, client.client_id, client.preferences)
    await refresh_search(tx, [client.client_id], purchase_ids=[])


async def save_client(tx: Transaction, client: Client) -> None:
    """Write a locked client's own fields and version; what hangs on it has functions of its own."""
    await tx.execute(
        "update clients set given_name = :given_name, family_name = :family_name, language = :language,"
        " time_zone = :time_zone, home_store_id = :home_store_id, associate_id = :associate_id,"
        " secondary_associate_id = :secondary_associate_id, nickname = :nickname, tags = :tags,"
        " address_lines = :address_lines, locality = :locality, region = :region, postal_code = :postal_code,"
        " country = :country, version = :version, updated_at = :updated_at where client_id = :client_id",
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
            **_own_words(client),
        },
    )
    await refresh_search(tx, [client.client_id], purchase_ids=[])


def _own_words(client: Client) -> dict[str, Any]:
    address = client.address or PostalAddress()
    return {
        "nickname": client.nickname,
        "tags": list(client.tags),
        "address_lines": list(address.lines),
        "locality": address.locality,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
    }


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
    await _take_preferred_mark(tx, client_id, contact)
    await tx.execute(
        "insert into contact_points (contact_point_id, chain_id, client_id, kind, value, match_key, label,"
        " is_preferred, verified_at, type) values (:contact_point_id, :chain_id, :client_id, :kind, :value,"
        " :match_key, :label, :is_preferred, :verified_at, :type)",
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
            "type": contact.type or "",
        },
    )


async def save_contact_point(tx: Transaction, client_id: str, contact: ContactPoint) -> None:
    """Write what is said of a contact point; a preferred one takes that mark from the others of its kind."""
    await _take_preferred_mark(tx, client_id, contact)
    await tx.execute(
        "update contact_points set label = :label, is_preferred = :is_preferred, verified_at = :verified_at,"
        " type = :type where client_id = :client_id and contact_point_id = :contact_point_id",
        {
            "contact_point_id": contact.contact_point_id,
            "client_id": client_id,
            "label": contact.label,
            "is_preferred": contact.is_preferred,
            "verified_at": contact.verified_at,
            "type": contact.type or "",
        },
    )


async def _take_preferred_mark(tx: Transaction, client_id: str, contact: ContactPoint) -> None:
    if contact.is_preferred:
        await tx.execute(
            "update contact_points set is_preferred = false"
            " where client_id = :client_id and kind = :kind and is_preferred",
            {"client_id": client_id, "kind": contact.kind.value},
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
        "insert into occasions (occasion_id, chain_id, client_id, kind, year, month, day, for_whom, recurrence,"
        " lead_days, surprise_for_client_id, relationship_id) values (:occasion_id, :chain_id, :client_id, :kind,"
        " :year, :month, :day, :for_whom, :recurrence, :lead_days, :surprise_for_client_id, :relationship_id)",
        {"chain_id": tx.chain_id} | _occasion_row(client_id, occasion),
    )


async def save_occasion(tx: Transaction, client_id: str, occasion: Occasion) -> None:
    """Put another content into an occasion. Raises OCCASION_NOT_FOUND."""
    written = await tx.execute(
        "update occasions set kind = :kind, year = :year, month = :month, day = :day, for_whom = :for_whom,"
        " recurrence = :recurrence, lead_days = :lead_days, surprise_for_client_id = :surprise_for_client_id,"
        " relationship_id = :relationship_id where client_id = :client_id and occasion_id = :occasion_id",
        _occasion_row(client_id, occasion),
    )
    if not written.rowcount:
        raise not_found("occasion", occasion.occasion_id)


def _occasion_row(client_id: str, occasion: Occasion) -> dict[str, Any]:
    return {
        "occasion_id": occasion.occasion_id,
        "client_id": client_id,
        "kind": occasion.kind.value,
        "year": occasion.year,
        "month": occasion.month,
        "day": occasion.day,
        "for_whom": occasion.for_whom,
        "recurrence": occasion.recurrence.value,
        "lead_days": occasion.lead_days,
        "surprise_for_client_id": occasion.surprise_for_client_id,
        "relationship_id": occasion.relationship_id,
    }


async def remove_occasion(tx: Transaction, client_id: str, occasion_id: str) -> None:
    """Delete an occasion. Raises OCCASION_NOT_FOUND."""
    removed = await tx.execute(
        "delete from occasions where client_id = :client_id and occasion_id = :occasion_id",
        {"client_id": client_id, "occasion_id": occasion_id},
    )
    if not removed.rowcount:
        raise not_found("occasion", occasion_id)


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
                ContactType(type_) if type_ else None,
            )
            for contact_point_id, kind, value, label, is_preferred, verified_at, type_ in _decoded(row.contacts)
        ),
        occasions=tuple(
            Occasion(
                occasion_id,
                OccasionKind(kind),
                year,
                month,
                day,
                for_whom,
                OccasionRecurrence(recurrence),
                lead_days,
                surprise_for_client_id,
                relationship_id,
            )
            for (
                occasion_id, kind, year, month, day, for_whom, recurrence, lead_days, surprise_for_client_id,
                relationship_id,
            ) in _decoded(row.occasions)
        ),
        preferences=tuple(preference_store.preference_of(*values) for values in _decoded(row.preferences)),
        nickname=row.nickname,
        tags=tuple(row.tags),
        address=_address(row),
        relationships=tuple(
            Relationship(
                relationship_id,
                RelationshipKind(kind).inverse if is_seen_from_there else RelationshipKind(kind),
                related_client_id or "",
                given_name,
                family_name,
                note,
            )
            for relationship_id, kind, is_seen_from_there, related_client_id, (given_name, family_name), note in (
                _decoded(row.relationships)
            )
        ),
        former_client_ids=tuple(row.former_client_ids or ()),
    )  # fmt: skip


def _address(row: Row[Any]) -> PostalAddress | None:
    # An address always has a country: the home store's, where none was given.
    if not row.country:
        return None
    return PostalAddress(tuple(row.address_lines), row.locality, row.region, row.postal_code, row.country)


def _decoded(aggregate: list[list[Any]] | None) -> list[list[Any]]:
    # SQLAlchemy's driver has decoded the JSON already; an aggregate of no rows is null.
    return aggregate or []
