"""Which role may do what: the one table from roles to the scopes that the contracts name. Must not know any request."""

from collections.abc import Collection
from typing import Final, TypeAlias

from carnet.gateway.v1 import gateway_pb2

from chassis.errors import Kind, ServiceError

Role: TypeAlias = "gateway_pb2.Role.ValueType"

ASSOCIATE: Final = gateway_pb2.ROLE_ASSOCIATE
MANAGER: Final = gateway_pb2.ROLE_MANAGER
ADMIN: Final = gateway_pb2.ROLE_ADMIN
INTEGRATION: Final = gateway_pb2.ROLE_INTEGRATION
PARTNER: Final = gateway_pb2.ROLE_PARTNER
OPERATOR: Final = gateway_pb2.ROLE_OPERATOR

_ASSOCIATE = frozenset(
    {
        "me:read",
        "directory:read",
        "clients:read",
        "clients:write",
        "segments:read",
        "purchases:write",
        "queue:read",
        "queue:write",
        "campaigns:read",
        "messages:read",
        "messages:send",
        "waitlist:read",
        "waitlist:write",
        "appointments:read",
        "appointments:write",
        # Messaging itself refuses it (SANDBOX_OFF) as soon as a real carrier is configured.
        "sandbox:write",
    }
)
_MANAGER = _ASSOCIATE | {
    "clients:assign",
    "clients:merge",
    "segments:write",
    "cash:read",
    "cash:write",
    "allocations:write",
    "offers:write",
    "scoring:run",
    "queue:reassign",
    "campaigns:write",
    "templates:write",
    "bulk_sends:write",
    "permissions:export",
    "reports:read",
    "calendars:write",
    "imports:read",
}
_ADMIN = _MANAGER | {
    "directory:write",
    "imports:write",
    "connectors:write",
    "catalogue:write",
    "changes:read",
    "privacy:write",
    "audit:read",
    "references:write",
    "policies:write",
    "senders:write",
    "users:write",
    "keys:write",
    "webhooks:write",
}

# An integration gets at most what is here; a machine never makes people or other keys.
SCOPES: dict[Role, frozenset[str]] = {
    ASSOCIATE: _ASSOCIATE,
    MANAGER: _MANAGER,
    ADMIN: _ADMIN,
    INTEGRATION: _ADMIN - {"users:write", "keys:write"},
    PARTNER: frozenset({"me:read", "partner_events:read", "webhooks:write"}),
    OPERATOR: frozenset({"me:read", "chains:write"}),
}


class ScopeNotAllowed(ServiceError):
    """A key asked for scopes that its role cannot have."""

    def __init__(self, scopes: Collection[str]) -> None:
        super().__init__(
            Kind.INVALID,
            "SCOPE_NOT_ALLOWED",
            f"This role cannot have: {', '.join(sorted(scopes))}.",
            metadata={"scopes": " ".join(sorted(scopes))},
        )


def role_name(role: Role) -> str:
    """Return a role as callers' contexts spell it, such as `manager`."""
    return gateway_pb2.Role.Name(role).removeprefix("ROLE_").lower()


def role_named(name: str) -> Role:
    """Return the role that `role_name` spelled."""
    return gateway_pb2.Role.Value(f"ROLE_{name.upper()}")


def scopes_for(role: Role, chosen: Collection[str] = ()) -> frozenset[str]:
    """Return the scopes of a credential: the chosen ones with me:read, or all of the role.

    Raises ScopeNotAllowed for a chosen one that the role cannot have.
    """
    most = SCOPES[role]
    if not chosen:
        return most
    if too_much := frozenset(chosen) - most:
        raise ScopeNotAllowed(too_much)
    return frozenset(chosen) | {"me:read"}
