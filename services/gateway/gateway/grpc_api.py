"""GatewayService: proto to arguments, use case, result to proto. Must not decide anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from carnet.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from cryptography.fernet import Fernet
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from chassis.caller import Caller, current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import timestamp_of
from gateway.auth import use_cases as auth
from gateway.auth.authenticator import OPERATOR_ID, CredentialCache, caller_of
from gateway.auth.domain import ApiKey, User
from gateway.auth.passwords import Passwords
from gateway.auth.roles import role_named
from gateway.clients import Chains
from gateway.feeds import use_cases as feeds
from gateway.feeds.domain import PartnerRow, cloud_event
from gateway.limits import Limiter
from gateway.rest.admission import CREDENTIAL_KEY
from gateway.webhooks import use_cases as webhooks
from gateway.webhooks.domain import Endpoint, WebhookDelivery

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


@dataclass(frozen=True)
class Parts:
    """What the servicer works with."""

    database: Database
    clock: Clock
    passwords: Passwords
    limiter: Limiter
    chains: Chains
    cache: CredentialCache
    fernet: Fernet
    allow_private_webhooks: bool
    session_lifetime: timedelta


class GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    """The gateway's own RPCs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateSession(
        self, request: gateway_pb2.CreateSessionRequest, context: _Context
    ) -> gateway_pb2.Session:
        """Sign in."""
        token, credential = await auth.create_session(
            database=self._parts.database,
            clock=self._parts.clock,
            passwords=self._parts.passwords,
            limiter=self._parts.limiter,
            email=request.email,
            password=request.password,
            lifetime=self._parts.session_lifetime,
        )
        return gateway_pb2.Session(
            token=token,
            expire_time=timestamp_of(credential.expire_time),
            caller=caller_message(caller_of(credential), credential.display_name),
        )

    async def GetCurrentCaller(
        self, request: gateway_pb2.GetCurrentCallerRequest, context: _Context
    ) -> gateway_pb2.CurrentCaller:
        """Say who is signed in."""
        caller = current_caller()
        name = await auth.display_name_of(database=self._parts.database, caller=caller)
        return caller_message(caller, "Operator" if caller.actor_id == OPERATOR_ID else name)

    async def DeleteCurrentSession(
        self, request: gateway_pb2.DeleteCurrentSessionRequest, context: _Context
    ) -> Empty:
        """Sign out."""
        metadata = dict(context.invocation_metadata() or ())
        await auth.delete_session(
            database=self._parts.database,
            cache=self._parts.cache,
            caller=current_caller(),
            session_id=str(metadata.get(CREDENTIAL_KEY, "")),
        )
        return Empty()

    async def CreateFirstAdmin(
        self, request: gateway_pb2.CreateFirstAdminRequest, context: _Context
    ) -> gateway_pb2.User:
        """Give a chain its first admin."""
        user = await auth.create_first_admin(
            database=self._parts.database,
            clock=self._parts.clock,
            passwords=self._parts.passwords,
            chains=self._parts.chains,
            chain_id=request.chain_id,
            email=request.email,
            password=request.password,
            display_name=request.display_name,
        )
        return user_message(user)

    async def CreateUser(self, request: gateway_pb2.CreateUserRequest, context: _Context) -> gateway_pb2.User:
        """Give a person a sign-in."""
        user = await auth.create_user(
            database=self._parts.database,
            clock=self._parts.clock,
            passwords=self._parts.passwords,
            chain_id=current_caller().chain_id,
            key=RequestKey.of(request),
            email=request.email,
            password=request.password,
            display_name=request.display_name,
            role=request.role,
            associate_id=request.associate_id,
            store_ids=request.store_ids,
        )
        return user_message(user)

    async def ListUsers(
        self, request: gateway_pb2.ListUsersRequest, context: _Context
    ) -> gateway_pb2.ListUsersResponse:
        """List people."""
        users, token = await auth.list_users(
            database=self._parts.database,
            chain_id=current_caller().chain_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return gateway_pb2.ListUsersResponse(users=map(user_message, users), next_page_token=token)

    async def SetUserActive(
        self, request: gateway_pb2.SetUserActiveRequest, context: _Context
    ) -> gateway_pb2.User:
        """Close or reopen a sign-in."""
        user = await auth.set_user_active(
            database=self._parts.database,
            cache=self._parts.cache,
            caller=current_caller(),
            user_id=request.user_id,
            is_active=request.is_active,
        )
        return user_message(user)

    async def CreateApiKey(
        self, request: gateway_pb2.CreateApiKeyRequest, context: _Context
    ) -> gateway_pb2.CreateApiKeyResponse:
        """Make a key."""
        key, secret = await auth.create_api_key(
            database=self._parts.database,
            clock=self._parts.clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            display_name=request.display_name,
            role=request.role,
            scopes=request.scopes,
            brand_id=request.brand_id,
        )
        return gateway_pb2.CreateApiKeyResponse(api_key=key_message(key), secret=secret)

    async def ListApiKeys(
        self, request: gateway_pb2.ListApiKeysRequest, context: _Context
    ) -> gateway_pb2.ListApiKeysResponse:
        """List keys."""
        keys, token = await auth.list_api_keys(
            database=self._parts.database,
            chain_id=current_caller().chain_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return gateway_pb2.ListApiKeysResponse(api_keys=map(key_message, keys), next_page_token=token)

    async def RevokeApiKey(
        self, request: gateway_pb2.RevokeApiKeyRequest, context: _Context
    ) -> gateway_pb2.ApiKey:
        """End a key."""
        return key_message(
            await auth.revoke_api_key(
                database=self._parts.database,
                cache=self._parts.cache,
                chain_id=current_caller().chain_id,
                api_key_id=request.api_key_id,
            )
        )

    async def CreateWebhookEndpoint(
        self, request: gateway_pb2.CreateWebhookEndpointRequest, context: _Context
    ) -> gateway_pb2.CreateWebhookEndpointResponse:
        """Have a brand's events posted."""
        endpoint, secret = await webhooks.create_endpoint(
            database=self._parts.database,
            clock=self._parts.clock,
            fernet=self._parts.fernet,
            allow_private=self._parts.allow_private_webhooks,
            caller=current_caller(),
            key=RequestKey.of(request),
            brand_id=request.brand_id,
            url=request.url,
            event_types=request.event_types,
        )
        return gateway_pb2.CreateWebhookEndpointResponse(
            webhook_endpoint=endpoint_message(endpoint), secret=secret
        )

    async def ListWebhookEndpoints(
        self, request: gateway_pb2.ListWebhookEndpointsRequest, context: _Context
    ) -> gateway_pb2.ListWebhookEndpointsResponse:
        """List endpoints."""
        endpoints, token = await webhooks.list_endpoints(
            database=self._parts.database,
            caller=current_caller(),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return gateway_pb2.ListWebhookEndpointsResponse(
            webhook_endpoints=map(endpoint_message, endpoints), next_page_token=token
        )

    async def DeleteWebhookEndpoint(
        self, request: gateway_pb2.DeleteWebhookEndpointRequest, context: _Context
    ) -> Empty:
        """Forget an endpoint."""
        await webhooks.delete_endpoint(
            database=self._parts.database, caller=current_caller(), endpoint_id=request.webhook_endpoint_id
        )
        return Empty()

    async def ListWebhookDeliveries(
        self, request: gateway_pb2.ListWebhookDeliveriesRequest, context: _Context
    ) -> gateway_pb2.ListWebhookDeliveriesResponse:
        """List what was posted."""
        deliveries, token = await webhooks.list_deliveries(
            database=self._parts.database,
            caller=current_caller(),
            endpoint_id=request.webhook_endpoint_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return gateway_pb2.ListWebhookDeliveriesResponse(
            webhook_deliveries=map(delivery_message, deliveries), next_page_token=token
        )

    async def ListPartnerEvents(
        self, request: gateway_pb2.ListPartnerEventsRequest, context: _Context
    ) -> gateway_pb2.ListPartnerEventsResponse:
        """Read a brand's events."""
        rows, cursor = await feeds.list_partner_events(
            database=self._parts.database,
            caller=current_caller(),
            after=request.after,
            page_size=request.page_size,
        )
        return gateway_pb2.ListPartnerEventsResponse(events=partner_messages(rows), next_after=cursor)


def caller_message(caller: Caller, display_name: str) -> gateway_pb2.CurrentCaller:
    """Return a caller as the contract says it."""
    return gateway_pb2.CurrentCaller(
        chain_id=caller.chain_id,
        actor_id=caller.actor_id,
        role=role_named(caller.role),
        display_name=display_name,
        associate_id=caller.associate_id,
        store_ids=sorted(caller.stores),
        scopes=sorted(caller.scopes),
        brand_id=caller.brand_id,
    )


def user_message(user: User) -> gateway_pb2.User:
    """Return a person as the contract says one."""
    return gateway_pb2.User(
        user_id=user.user_id,
        email=user.email,
        display_name=user.display_name,
        role=user.role,
        associate_id=user.associate_id,
        store_ids=user.store_ids,
        is_active=user.is_active,
        create_time=timestamp_of(user.create_time),
    )


def key_message(key: ApiKey) -> gateway_pb2.ApiKey:
    """Return a key as the contract says one."""
    return gateway_pb2.ApiKey(
        api_key_id=key.api_key_id,
        display_name=key.display_name,
        role=key.role,
        scopes=key.scopes,
        brand_id=key.brand_id,
        prefix=key.prefix,
        is_active=key.is_active,
        create_time=timestamp_of(key.create_time),
        last_use_time=timestamp_of(key.last_use_time),
    )


def endpoint_message(endpoint: Endpoint) -> gateway_pb2.WebhookEndpoint:
    """Return an endpoint as the contract says one."""
    return gateway_pb2.WebhookEndpoint(
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        brand_id=endpoint.brand_id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        is_active=endpoint.is_active,
        disable_reason=endpoint.disable_reason,
        create_time=timestamp_of(endpoint.create_time),
    )


def delivery_message(delivery: WebhookDelivery) -> gateway_pb2.WebhookDelivery:
    """Return a delivery as the contract says one."""
    return gateway_pb2.WebhookDelivery(
        webhook_delivery_id=delivery.webhook_delivery_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        state=gateway_pb2.DeliveryState.Value(f"DELIVERY_STATE_{delivery.state.value}"),
        attempts=delivery.attempts,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        next_attempt_time=timestamp_of(delivery.next_attempt_time),
        create_time=timestamp_of(delivery.create_time),
        deliver_time=timestamp_of(delivery.deliver_time),
    )


def partner_messages(rows: Sequence[PartnerRow]) -> list[gateway_pb2.PartnerEvent]:
    """Return a brand's events as the contract says them: the same documents that webhooks carry."""
    messages = []
    for row in rows:
        document = cloud_event(row)
        data = Struct()
        ParseDict(document.pop("data"), data)
        document.pop("time")
        messages.append(gateway_pb2.PartnerEvent(**document, data=data, time=timestamp_of(row.event_time)))
    return messages
