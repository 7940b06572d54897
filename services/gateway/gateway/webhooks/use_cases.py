"""What can be done with webhook endpoints, and the delivering itself."""

import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

import orjson
import structlog
from cryptography.fernet import Fernet

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import not_found
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token, page_size_of
from gateway.auth.use_cases import BrandMissing
from gateway.feeds import store as feeds
from gateway.feeds.domain import PARTNER_RULES, cloud_event
from gateway.telemetry import ENDPOINTS_DISABLED, WEBHOOKS
from gateway.webhooks import store
from gateway.webhooks.domain import (
    BrandNotYours,
    Endpoint,
    EventTypeNotAllowed,
    Reply,
    State,
    Verdict,
    WebhookDelivery,
    check_url,
    judge,
)
from gateway.webhooks.sender import Sends, resolve

_LEASE = timedelta(seconds=60)  # much longer than one attempt may take

_log = structlog.get_logger(__name__)


def new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def create_endpoint(
    *,
    database: Database,
    clock: Clock,
    fernet: Fernet,
    allow_private: bool,
    caller: Caller,
    key: RequestKey,
    brand_id: str,
    url: str,
    event_types: Sequence[str],
) -> tuple[Endpoint, str]:
    """Have a brand's events posted; return the endpoint and its secret, which is empty for a repeat.

    Raises UrlNotAllowed, EventTypeNotAllowed, BrandNotYours and BrandMissing.
    """
    if caller.brand_id and brand_id not in ("", caller.brand_id):
        raise BrandNotYours
    if not (brand_id := caller.brand_id or brand_id):
        raise BrandMissing
    if unknown := sorted(set(event_types) - set(PARTNER_RULES)):
        raise EventTypeNotAllowed(unknown)
    host, port = check_url(url, allow_private=allow_private)
    await resolve(host, port, allow_private=allow_private)
    async with database.transaction(caller.chain_id) as tx:
        endpoint_id, is_repeat = await tx.once(key, new_id("whe"))
        if is_repeat:
            if (made := await store.get_endpoint(tx, endpoint_id)) is None:
                raise not_found("webhook_endpoint", endpoint_id)
            return made, ""
        secret = new_secret()
        endpoint = Endpoint(
            endpoint_id,
            caller.chain_id,
            brand_id,
            url,
            sorted(set(event_types)),
            fernet.encrypt(secret.encode()),
            True,
            "",
            clock.now(),
        )
        await store.add_endpoint(tx, endpoint)
    return endpoint, secret


async def list_endpoints(
    *, database: Database, caller: Caller, page_size: int, page_token: str
) -> tuple[Sequence[Endpoint], str]:
    """Return a page of endpoints, newest first; a partner's own only."""
    size = page_size_of(page_size)
    key = decode_page_token(page_token, str)
    async with database.transaction(caller.chain_id) as tx:
        rows = await store.list_endpoints(
            tx, brand_id=caller.brand_id, before=str(key[0]) if key else None, most=size + 1
        )
    return cut_page(rows, size, lambda row: (row.webhook_endpoint_id,))


async def delete_endpoint(*, database: Database, caller: Caller, endpoint_id: str) -> None:
    """Forget an endpoint and what waits for it."""
    async with database.transaction(caller.chain_id) as tx:
        if not await store.delete_endpoint(tx, endpoint_id, brand_id=caller.brand_id):
            raise not_found("webhook_endpoint", endpoint_id)


async def list_deliveries(
    *, database: Database, caller: Caller, endpoint_id: str, page_size: int, page_token: str
) -> tuple[Sequence[WebhookDelivery], str]:
    """Return a page of an endpoint's deliveries, newest first."""
    size = page_size_of(page_size)
    key = decode_page_token(page_token, int)
    async with database.transaction(caller.chain_id) as tx:
        if await store.get_endpoint(tx, endpoint_id, brand_id=caller.brand_id) is None:
            raise not_found("webhook_endpoint", endpoint_id)
        rows = await store.list_deliveries(
            tx, endpoint_id, before=int(key[0]) if key else None, most=size + 1
        )
    return cut_page(rows, size, lambda row: (row.position,))


async def deliver_next(
    *,
    database: Database,
    clock: Clock,
    fernet: Fernet,
    sender: Sends,
    schedule: Sequence[float],
    random: Callable[[], float],
) -> bool:
    """Make one attempt for the endpoint that has waited longest; False when none is due.

    No transaction is open during the call. A crash between the call and the commit leads to a repeat with the same
    webhook-id: at least once, in order.
    """
    lease_id, now = new_id("lea"), clock.now()
    async with database.platform_transaction() as connection:
        endpoint = await store.lease_due(connection, lease_id=lease_id, now=now, until=now + _LEASE)
    if endpoint is None:
        return False
    async with database.transaction(endpoint.chain_id) as tx:
        delivery = await store.first_waiting(tx, endpoint.webhook_endpoint_id)
        event = await feeds.get_partner_event(tx, endpoint.brand_id, delivery.position) if delivery else None
    if delivery is None:
        await _settle_idle(database, clock, endpoint, lease_id)
        return True
    if event is None:  # older than what is kept: its endpoint was away for very long
        reply = Reply(0, "The event is no longer kept.")
    else:
        reply = await sender.post(
            endpoint.url,
            secret=fernet.decrypt(endpoint.secret).decode(),
            event_id=event.event_id,
            body=orjson.dumps(cloud_event(event)),
            now=clock.now(),
        )
    now = clock.now()
    failing_since = None if reply.is_success else (endpoint.failing_since or now)
    verdict = judge(
        reply,
        attempts=delivery.attempts + 1,
        failing_since=failing_since or now,
        now=now,
        schedule=schedule,
        jitter=random() * 2 - 1,
    )
    if event is None:
        verdict = Verdict(State.GIVEN_UP)
    async with database.transaction(endpoint.chain_id) as tx:
        if not await store.still_leased(tx, endpoint.webhook_endpoint_id, lease_id):
            return True  # deleted meanwhile, or so slow that another worker has it: that one's word counts
        await store.record_attempt(
            tx,
            delivery,
            state=verdict.state,
            status=reply.status,
            error=reply.error,
            next_attempt_time=verdict.next_attempt_time,
            deliver_time=now if verdict.state is State.DELIVERED else None,
        )
        if verdict.disable_reason:
            await store.disable_endpoint(tx, endpoint.webhook_endpoint_id, verdict.disable_reason)
        else:
            upcoming = verdict.next_attempt_time
            if upcoming is None and await store.first_waiting(tx, endpoint.webhook_endpoint_id) is not None:
                upcoming = now
            await store.give_back(
                tx, endpoint.webhook_endpoint_id, next_attempt_time=upcoming, failing_since=failing_since
            )
    WEBHOOKS.labels("delivered" if reply.is_success else "failed").inc()
    if verdict.disable_reason:
        ENDPOINTS_DISABLED.labels("gone" if reply.status == 410 else "failing").inc()
        _log.warning("webhook endpoint disabled", webhook_endpoint_id=endpoint.webhook_endpoint_id,
                     reason=verdict.disable_reason)  # fmt: skip
    return True


async def _settle_idle(database: Database, clock: Clock, endpoint: Endpoint, lease_id: str) -> None:
    async with database.transaction(endpoint.chain_id) as tx:
        if await store.still_leased(tx, endpoint.webhook_endpoint_id, lease_id):
            waiting = await store.first_waiting(tx, endpoint.webhook_endpoint_id)
            await store.give_back(
                tx,
                endpoint.webhook_endpoint_id,
                next_attempt_time=clock.now() if waiting else None,
                failing_since=endpoint.failing_since,
            )
