"""Who is calling: a short-lived signed context that travels with every call. Must not decide what a role may do."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache

import jwt

from chassis.clock import Clock
from chassis.errors import Kind, ServiceError

METADATA_KEY = "carnet-caller"
LIFETIME = timedelta(seconds=60)
_LEEWAY = 5  # seconds by which two machines' clocks may differ


@dataclass(frozen=True)
class Caller:
    """The verified identity behind a call.

    `stores` are the stores that the caller may act for, empty for all. `token` is the signed form, passed on as it is.
    """

    chain_id: str
    actor_id: str
    role: str
    scopes: frozenset[str]
    stores: frozenset[str] = frozenset()
    associate_id: str = ""
    brand_id: str = ""
    token: str = field(default="", repr=False, compare=False)

    def require_scope(self, scope: str) -> None:
        """Refuse with SCOPE_MISSING when the caller lacks `scope`."""
        if scope not in self.scopes:
            raise ServiceError(
                Kind.FORBIDDEN, "SCOPE_MISSING", f"This needs the scope {scope}.", metadata={"scope": scope}
            )

    def require_store(self, store_id: str) -> None:
        """Refuse with STORE_NOT_YOURS when the caller is bound to other stores."""
        if self.stores and store_id not in self.stores:
            raise ServiceError(
                Kind.FORBIDDEN,
                "STORE_NOT_YOURS",
                "You are not signed in for this store.",
                metadata={"store_id": store_id},
            )


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """Return who is behind the call that is being worked on. Raises UNAUTHENTICATED when nobody is."""
    if (caller := _current.get()) is None:
        raise unauthenticated("CALLER_MISSING", "The call carries no caller context.")
    return caller


def find_caller() -> Caller | None:
    """Return who is behind the call that is being worked on, or None outside of calls."""
    return _current.get()


def set_caller(caller: Caller | None) -> None:
    """Make `caller` the one behind everything that the current task does from here on."""
    _current.set(caller)


def unauthenticated(reason: str, message: str) -> ServiceError:
    """Return the error for a call whose sender is not known."""
    return ServiceError(Kind.UNAUTHENTICATED, reason, message)


class CallerSigner:
    """Signs caller contexts with this process's own key."""

    def __init__(self, signing_key: str, clock: Clock) -> None:
        document = json.loads(signing_key)
        self._issuer: str = document["kid"]
        self._key = jwt.PyJWK(document, algorithm="EdDSA").key
        self._clock = clock

    def sign(self, caller: Caller) -> Caller:
        """Return `caller` with a token that is good for LIFETIME."""
        now = self._clock.now()
        claims = {
            "iss": self._issuer,
            "sub": caller.actor_id,
            "chain": caller.chain_id,
            "role": caller.role,
            "scopes": sorted(caller.scopes),
            "stores": sorted(caller.stores),
            "associate": caller.associate_id,
            "brand": caller.brand_id,
            "exp": int((now + LIFETIME).timestamp()),
        }
        token = jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._issuer})
        return replace(caller, token=token)

    def service_caller(self, chain_id: str, scopes: frozenset[str]) -> Caller:
        """Return this service itself as a signed caller within one chain, for work that no person asked for."""
        return self.sign(Caller(chain_id, f"service:{self._issuer}", "service", scopes))


class CallerVerifier:
    """Verifies caller contexts against the published keys; a key's own `scopes` bound what its holder may claim."""

    def __init__(self, caller_keys: str, clock: Clock) -> None:
        self._keys: dict[str, jwt.PyJWK] = {}
        self._bounds: dict[str, frozenset[str]] = {}
        for document in json.loads(caller_keys)["keys"]:
            self._keys[document["kid"]] = jwt.PyJWK(document, algorithm="EdDSA")
            self._bounds[document["kid"]] = frozenset(document["scopes"])
        self._clock = clock
        # The same token comes with every call of a burst; verifying it costs about 100 microseconds.
        self._decode = lru_cache(maxsize=4096)(self._verify)

    def verify(self, token: str) -> Caller:
        """Return the caller that `token` speaks for. Raises UNAUTHENTICATED for a forged or expired one."""
        caller, expires = self._decode(token)
        if self._clock.now().timestamp() > expires + _LEEWAY:
            raise unauthenticated("CALLER_EXPIRED", "The caller context has expired.")
        return caller

    def _verify(self, token: str) -> tuple[Caller, float]:
        try:
            issuer = str(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                self._keys[issuer].key,
                algorithms=["EdDSA"],
                issuer=issuer,
                options={"require": ["exp", "sub", "iss"], "verify_exp": False},
            )
            caller = _caller_of(claims, token)
        except (jwt.PyJWTError, KeyError, TypeError) as error:
            raise unauthenticated("CALLER_FORGED", "The caller context is not genuine.") from error
        bound = self._bounds[issuer]
        if "*" not in bound and (caller.role != "service" or not caller.scopes <= bound):
            raise unauthenticated(
                "CALLER_FORGED", "The caller context claims more than its signer may grant."
            )
        return caller, float(claims["exp"])


def _caller_of(claims: Mapping[str, object], token: str) -> Caller:
    scopes, stores = claims["scopes"], claims["stores"]
    if not isinstance(scopes, list) or not isinstance(stores, list):
        raise TypeError("scopes and stores are lists")
    return Caller(
        chain_id=str(claims["chain"]),
        actor_id=str(claims["sub"]),
        role=str(claims["role"]),
        scopes=frozenset(map(str, scopes)),
        stores=frozenset(map(str, stores)),
        associate_id=str(claims["associate"]),
        brand_id=str(claims["brand"]),
        token=token,
    )
