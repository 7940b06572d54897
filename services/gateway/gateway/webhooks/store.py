"""Rows of endpoints and deliveries: the only file about them that says SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from gateway.webhooks.domain import Endpoint, State, WebhookDelivery

_ENDPOINT = (
    "webhook_endpoint_id, chain_id, brand_id, url, event_types, secret, is_active, disable_reason, create_time,"
    " failing_since"
)
_DELIVERY = (
    "webhook_delivery_id, webhook_endpoint_id, brand_id, position, event_id, event_type, state, attempts, last_status,"
    " last_error, next_attempt_time, create_time, deliver_time"
)


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(**{name.strip(): getattr(row, name.strip()) for name in _ENDPOINT.split(",")})


def _delivery(row: Row[Any]) -> WebhookDelivery:
    values = {name.strip(): getattr(row, name.strip()) for name in _DELIVERY.split(",")}
    return WebhookDelivery(**{**values, "state": State(row.state)})


async def add_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Add an endpoint; it gets what happens from now on."""
    await tx.execute(
        "insert into webhook_endpoints (webhook_endpoint_id, chain_id, brand_id, url, event_types, secret, is_active,"
        " disable_reason, create_time) values (:webhook_endpoint_id, :chain_id, :brand_id, :url, :event_types, :secret,"
        " :is_active, :disable_reason, :create_time)",
        {
            "webhook_endpoint_id": endpoint.webhook_endpoint_id,
            "chain_id": endpoint.chain_id,
            "brand_id": endpoint.brand_id,
            "url": endpoint.url,
            "event_types": list(endpoint.event_types),
            "secret": endpoint.secret,
            "is_active": endpoint.is_active,
            "disable_reason": endpoint.disable_reason,
            "create_time": endpoint.create_time,
        },
    )


async def get_endpoint(tx: Transaction, endpoint_id: str, *, brand_id: str = "") -> Endpoint | None:
    """Return an endpoint of the chain, or only of one brand in it."""
    found = await tx.execute(
        f"select {_ENDPOINT} from webhook_endpoints where webhook_endpoint_id = :id"  # noqa: S608
        " and (:brand_id = '' or brand_id = :brand_id)",
        {"id": endpoint_id, "brand_id": brand_id},
    )
    row = found.one_or_none()
    return _endpoint(row) if row else None


async def list_endpoints(tx: Transaction, *, brand_id: str, before: str | None, most: int) -> list[Endpoint]:
    """Return endpoints, newest first."""
    found = await tx.execute(
        f"select {_ENDPOINT} from webhook_endpoints where (:brand_id = '' or brand_id = :brand_id)"  # noqa: S608
        " and (cast(:before as text) is null or webhook_endpoint_id < :before)"
        " order by webhook_endpoint_id desc limit :most",
        {"brand_id": brand_id, "before": before, "most": most},
    )
    return [_endpoint(row) for row in found]


async def delete_endpoint(tx: Transaction, endpoint_id: str, *, brand_id: str) -> bool:
    """Forget an endpoint and its deliveries; False when there is none."""
    found = await tx.execute(
        "delete from webhook_endpoints where webhook_endpoint_id = :id and (:brand_id = '' or brand_id = :brand_id)",
        {"id": endpoint_id, "brand_id": brand_id},
    )
    return bool(found.rowcount)


async def list_deliveries(
    tx: Transaction, endpoint_id: str, *, before: int | None, most: int
) -> list[WebhookDelivery]:
    """Return an endpoint's deliveries, newest first."""
    found = await tx.execute(
        f"select {_DELIVERY} from webhook_deliveries where webhook_endpoint_id = :id"  # noqa: S608
        " and (cast(:before as bigint) is null or position < :before) order by position desc limit :most",
        {"id": endpoint_id, "before": before, "most": most},
    )
    return [_delivery(row) for row in found]


async def enqueue(
    tx: Transaction,
    *,
    brand_id: str,
    position: int,
    event_id: str,
    event_type: str,
    now: datetime,
    new_id: str,
) -> bool:
    """Add a delivery for every active endpoint of the brand that wants the type; return whether there was one."""
    found = await tx.execute(
        "with wanting as (update webhook_endpoints set next_attempt_time = coalesce(next_attempt_time, :now)"
        " where chain_id = :chain_id and brand_id = :brand_id and is_active"
        " and (event_types = '{}' or :event_type = any(event_types)) returning webhook_endpoint_id)"
        " insert into webhook_deliveries (webhook_delivery_id, chain_id, webhook_endpoint_id, brand_id, position,"
        " event_id, event_type, state, attempts, last_status, last_error, next_attempt_time, create_time)"
        " select :new_id || right(webhook_endpoint_id, 8), :chain_id, webhook_endpoint_id, :brand_id, :position,"
        " :event_id, :event_type, 'WAITING', 0, 0, '', :now, :now from wanting",
        {
            "chain_id": tx.chain_id,
            "brand_id": brand_id,
            "position": position,
            "event_id": event_id,
            "event_type": event_type,
            "now": now,
            "new_id": new_id,
        },
    )
    return bool(found.rowcount)


async def lease_due(
    connection: AsyncConnection, *, lease_id: str, now: datetime, until: datetime
) -> Endpoint | None:
    """Take the endpoint that has waited longest, over all chains, for this worker alone until `until`."""
    statement = (
        "update webhook_endpoints set lease_id = :lease_id, lease_until = :until where webhook_endpoint_id ="
        " (select webhook_endpoint_id from webhook_endpoints where is_active and next_attempt_time <= :now"
        " and (lease_until is null or lease_until < :now) order by next_attempt_time limit 1"
        " for update skip locked) returning "
    )
    found = await connection.execute(
        text(statement + _ENDPOINT), {"lease_id": lease_id, "now": now, "until": until}
    )
    row = found.one_or_none()
    return _endpoint(row) if row else None


async def first_waiting(tx: Transaction, endpoint_id: str) -> WebhookDelivery | None:
    """Return the delivery that must go first."""
    found = await tx.execute(
        f"select {_DELIVERY} from webhook_deliveries where webhook_endpoint_id = :id and state = 'WAITING'"  # noqa: S608
        " order by position limit 1",
        {"id": endpoint_id},
    )
    row = found.one_or_none()
    return _delivery(row) if row else None


async def still_leased(tx: Transaction, endpoint_id: str, lease_id: str) -> bool:
    """Lock the endpoint and return whether this worker still has it; it may be deleted or another's by now."""
    found = await tx.execute(
        "select 1 from webhook_endpoints where webhook_endpoint_id = :id and lease_id = :lease_id for update",
        {"id": endpoint_id, "lease_id": lease_id},
    )
    return found.one_or_none() is not None


async def record_attempt(
    tx: Transaction,
    delivery: WebhookDelivery,
    *,
    state: State,
    status: int,
    error: str,
    next_attempt_time: datetime | None,
    deliver_time: datetime | None,
) -> None:
    """Write down what an attempt came to."""
    await tx.execute(
        "update webhook_deliveries set state = :state, attempts = attempts + 1, last_status = :status,"
        " last_error = :error, next_attempt_time = :next, deliver_time = :deliver where webhook_delivery_id = :id",
        {
            "state": state.value,
            "status": status,
            "error": error,
            "next": next_attempt_time,
            "deliver": deliver_time,
            "id": delivery.webhook_delivery_id,
        },
    )


async def give_back(
    tx: Transaction, endpoint_id: str, *, next_attempt_time: datetime | None, failing_since: datetime | None
) -> None:
    """End the lease; `next_attempt_time` None stands for: nothing waits."""
    await tx.execute(
        "update webhook_endpoints set lease_id = null, lease_until = null, next_attempt_time = :next,"
        " failing_since = :failing where webhook_endpoint_id = :id",
        {"next": next_attempt_time, "failing": failing_since, "id": endpoint_id},
    )


async def disable_endpoint(tx: Transaction, endpoint_id: str, reason: str) -> None:
    """Stop posting to an endpoint; what waits is given up."""
    await tx.execute(
        "update webhook_endpoints set is_active = false, disable_reason = :reason, next_attempt_time = null,"
        " lease_id = null, lease_until = null where webhook_endpoint_id = :id",
        {"reason": reason, "id": endpoint_id},
    )
    await tx.execute(
        "update webhook_deliveries set state = 'GIVEN_UP', next_attempt_time = null, last_error = case when"
        " last_error = '' then :reason else last_error end where webhook_endpoint_id = :id and state = 'WAITING'",
        {"reason": reason, "id": endpoint_id},
    )
