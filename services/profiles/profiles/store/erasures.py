"""Rows of erasures and their receipts; the tombstone, consents that lose their number, purchases past their time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import ContactKind
from profiles.domain.consents import CONTACT_OF, Channel
from profiles.domain.erasures import Erasure, ErasureState, Receipt, Retention
from profiles.suppression import SuppressedKind

KIND_OF_CONTACT = {ContactKind.PHONE: SuppressedKind.PHONE, ContactKind.EMAIL: SuppressedKind.EMAIL}
_KIND_OF_CHANNEL = {channel: KIND_OF_CONTACT[kind] for channel, kind in CONTACT_OF.items()}
_DAY_OF_ALERT = "cast(created_at at time zone 'UTC' as date)"

_WHOLE = """
    select erasure_id, client_id, former_client_ids, state, reason, actor, created_at, due_at, finished_at,
        (select jsonb_agg(jsonb_build_array(service, received_at, erased, retained) order by service)
         from erasure_receipts r where r.erasure_id = e.erasure_id) as receipts
    from erasures e
"""


async def add_erasure(tx: Transaction, erasure: Erasure) -> None:
    """Insert an erasure that has begun."""
    await tx.execute(
        "insert into erasures (chain_id, erasure_id, client_id, former_client_ids, state, reason, actor, created_at,"
        " due_at) values (:chain_id, :erasure_id, :client_id, :former, :state, :reason, :actor, :created_at, :due_at)",
        {
            "chain_id": tx.chain_id,
            "erasure_id": erasure.erasure_id,
            "client_id": erasure.client_id,
            "former": list(erasure.former_client_ids),
            "state": erasure.state.value,
            "reason": erasure.reason,
            "actor": erasure.actor,
            "created_at": erasure.created_at,
            "due_at": erasure.due_at,
        },
    )


async def get_erasure(tx: Transaction, erasure_id: str) -> Erasure:
    """Return an erasure with its receipts. Raises ERASURE_NOT_FOUND."""
    found = await tx.execute(f"{_WHOLE} where erasure_id = :erasure_id", {"erasure_id": erasure_id})
    if (row := found.one_or_none()) is None:
        raise not_found("erasure", erasure_id)
    return _erasure(row)


async def find_erasure_of(tx: Transaction, client_id: str) -> Erasure | None:
    """Return the erasure of a client, by the client's id or a former one; None for somebody who was not erased."""
    found = await tx.execute(
        f"{_WHOLE} where chain_id = :chain_id and (client_id = :client_id"
        " or former_client_ids @> array[cast(:client_id as text)])",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )
    return None if (row := found.one_or_none()) is None else _erasure(row)


async def lock_erasure(tx: Transaction, erasure_id: str) -> Erasure | None:
    """Return an erasure that nobody else can change until the transaction ends; None when it is not there."""
    found = await tx.execute(
        "select 1 from erasures where erasure_id = :erasure_id for update", {"erasure_id": erasure_id}
    )
    return None if found.one_or_none() is None else await get_erasure(tx, erasure_id)


async def list_erasures(
    tx: Transaction, state: ErasureState | None, *, before: str, limit: int
) -> list[Erasure]:
    """Return erasures, newest first."""
    found = await tx.execute(
        f"{_WHOLE} where chain_id = :chain_id and (:state = '' or state = :state)"
        " and (:before = '' or erasure_id < :before) order by erasure_id desc limit :limit",
        {"chain_id": tx.chain_id, "state": state.value if state else "", "before": before, "limit": limit},
    )
    return [_erasure(row) for row in found]


async def add_receipt(tx: Transaction, erasure_id: str, receipt: Receipt) -> None:
    """Insert what a service says that it removed; its first word counts."""
    await tx.execute(
        "insert into erasure_receipts (chain_id, erasure_id, service, received_at, erased, retained) values"
        " (:chain_id, :erasure_id, :service, :received_at, cast(:erased as jsonb), cast(:retained as jsonb))"
        " on conflict do nothing",
        {
            "chain_id": tx.chain_id,
            "erasure_id": erasure_id,
            "service": receipt.service,
            "received_at": receipt.received_at,
            "erased": orjson.dumps(dict(receipt.erased)).decode(),
            "retained": orjson.dumps(
                [[kept.category, kept.basis, kept.count, kept.keep_until] for kept in receipt.retained]
            ).decode(),
        },
    )


async def complete(tx: Transaction, erasure_id: str, *, now: datetime) -> None:
    """Say that every service forgot."""
    await tx.execute(
        "update erasures set state = 'completed', finished_at = :now where erasure_id = :erasure_id",
        {"erasure_id": erasure_id, "now": now},
    )


async def former_ids(tx: Transaction, client_id: str) -> list[str]:
    """Return the ids of those who were merged into a client."""
    found = await tx.execute(
        "select alias_id from client_aliases where chain_id = :chain_id and client_id = :client_id order by alias_id",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )
    return list(found.scalars())


async def open_repairs(tx: Transaction, client_ids: Sequence[str]) -> list[str]:
    """Return the clients' repairs whose piece is still in the house."""
    found = await tx.execute(
        "select repair_id from repairs where client_id = any(:ids) and stage not in ('collected', 'cancelled')"
        " order by repair_id",
        {"ids": list(client_ids)},
    )
    return list(found.scalars())


async def newest_purchase(tx: Transaction, client_ids: Sequence[str]) -> date | None:
    """Return the day of the clients' last purchase."""
    found = await tx.execute(
        "select max(purchased_on) from purchases where client_id = any(:ids)", {"ids": list(client_ids)}
    )
    day: date | None = found.scalar_one()
    return day


async def newest_cash_alert(tx: Transaction, client_ids: Sequence[str]) -> date | None:
    """Return the day, in UTC, on which the clients' last cash alert was raised."""
    found = await tx.execute(
        f"select max({_DAY_OF_ALERT}) from cash_alerts where client_id = any(:ids)",  # noqa: S608
        {"ids": list(client_ids)},
    )
    day: date | None = found.scalar_one()
    return day


@dataclass(frozen=True, slots=True)
class ConsentedContact:
    """A number or e-mail that a consent is for, which is not hashed yet."""

    consent_id: str
    kind: SuppressedKind
    value: str


async def consented_contacts(tx: Transaction, client_ids: Sequence[str]) -> list[ConsentedContact]:
    """Return the numbers and e-mails of the clients' consents."""
    found = await tx.execute(
        "select consent_id, channel, contact_value from consents where client_id = any(:ids)"
        " and contact_value not like 'hmac-sha256:%'",
        {"ids": list(client_ids)},
    )
    return [
        ConsentedContact(row.consent_id, _KIND_OF_CHANNEL[Channel(row.channel)], row.contact_value)
        for row in found
    ]


async def contacts_of_others(
    tx: Transaction, client_ids: Sequence[str], match_keys: Sequence[str]
) -> set[str]:
    """Return those of the numbers and e-mails that clients beside these have as well."""
    found = await tx.execute(
        "select distinct match_key from contact_points where chain_id = :chain_id and match_key = any(:match_keys)"
        " and client_id <> all(:ids)",
        {"chain_id": tx.chain_id, "match_keys": list(match_keys), "ids": list(client_ids)},
    )
    return set(found.scalars())


async def external_ids(tx: Transaction, client_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return source and id by which imports know the clients."""
    found = await tx.execute(
        "select source, external_id from clients where client_id = any(:ids) and external_id <> ''"
        " union select source, external_id from client_external_ids where client_id = any(:ids)",
        {"ids": list(client_ids)},
    )
    return [(row.source, row.external_id) for row in found]


async def delete_days_of_related(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Delete the occasions that others keep because these clients are theirs: the days are the clients' own."""
    await tx.execute(
        "delete from occasions where client_id <> all(:ids) and (client_id, relationship_id) in"
        " (select case when client_id = any(:ids) then related_client_id else client_id end, relationship_id"
        "  from relationships where client_id = any(:ids) or related_client_id = any(:ids))",
        {"ids": list(client_ids)},
    )


async def forget_consent_contacts(tx: Transaction, hashes: Mapping[str, bytes]) -> None:
    """Put the keyed hash in the place of each consent's number; only for clients whose erasure is in the books."""
    await tx.execute(
        "select forget_consent_contacts(cast(:ids as text[]), cast(:hashes as bytea[]))",
        {"ids": list(hashes), "hashes": list(hashes.values())},
    )


async def bury(tx: Transaction, client_id: str, emptied: Sequence[str], *, now: datetime) -> None:
    """Turn a client's row into a tombstone: `emptied` columns get their default, and no statement finds it any more."""
    await tx.execute("select set_config('carnet.tombstones', 'on', true)")
    changes = ", ".join(f"{column} = default" for column in emptied)
    await tx.execute(
        f"update clients set {changes}, version = version + 1, updated_at = :now, erased_at = :now"  # noqa: S608
        " where client_id = :client_id",
        {"client_id": client_id, "now": now},
    )
    await tx.execute("select set_config('carnet.tombstones', '', true)")


async def client_columns(tx: Transaction) -> list[str]:
    """Return the names of the columns of `clients`."""
    found = await tx.execute(
        "select column_name from information_schema.columns where table_schema = 'public' and table_name = 'clients'"
    )
    return list(found.scalars())


async def delete_old_purchases(
    tx: Transaction, client_ids: Sequence[str], before: date, *, limit: int
) -> int:
    """Delete purchases of erased clients from before a day, at most `limit`; return how many."""
    found = await tx.execute(
        "select purchase_id from purchases where client_id = any(:ids) and purchased_on <= :before"
        " order by purchased_on limit :limit",
        {"ids": list(client_ids), "before": before, "limit": limit},
    )
    gone = {"ids": list(found.scalars())}
    for table in ("purchase_lines", "purchase_payments", "purchase_returns", "purchases"):
        await tx.execute(f"delete from {table} where purchase_id = any(:ids)", gone)  # noqa: S608
    return len(gone["ids"])


async def delete_old_cash_alerts(tx: Transaction, client_ids: Sequence[str], before: date) -> int:
    """Delete cash alerts of erased clients up to a day; return how many."""
    done = await tx.execute(
        f"delete from cash_alerts where client_id = any(:ids) and {_DAY_OF_ALERT} <= :before",  # noqa: S608
        {"ids": list(client_ids), "before": before},
    )
    return done.rowcount


async def oldest_kept(tx: Transaction, client_ids: Sequence[str]) -> tuple[date | None, date | None]:
    """Return the days of the oldest purchase and of the oldest cash alert that are left of erased clients."""
    found = await tx.execute(
        "select (select min(purchased_on) from purchases where client_id = any(:ids)) as purchase,"  # noqa: S608
        f" (select min({_DAY_OF_ALERT}) from cash_alerts where client_id = any(:ids)) as alert",
        {"ids": list(client_ids)},
    )
    row = found.one()
    return row.purchase, row.alert


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        erasure_id=row.erasure_id,
        client_id=row.client_id,
        former_client_ids=tuple(row.former_client_ids),
        state=ErasureState(row.state),
        reason=row.reason,
        actor=row.actor,
        created_at=row.created_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        receipts=tuple(
            Receipt(
                service,
                datetime.fromisoformat(received_at),
                erased,
                tuple(
                    Retention(category, basis, count, date.fromisoformat(until) if until else None)
                    for category, basis, count, until in retained
                ),
            )
            for service, received_at, erased, retained in _json(row.receipts)
        ),
    )


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value or []
