"""From a bearer token to a signed caller. Must not decide what a caller may do: services check scopes."""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chassis.caller import Caller, CallerSigner
from chassis.clock import Clock
from chassis.database import Database
from gateway.auth import store
from gateway.auth.domain import KEY_PREFIX, SESSION_PREFIX, Credential, TokenInvalid, hash_token
from gateway.auth.roles import OPERATOR, role_name, scopes_for

_TRUSTED_SECONDS = 5.0  # how long another process' revocation may go unseen here
_SIGNED_SECONDS = 30.0  # half of a signed context's life: what is handed out has the other half left
_MOST = 20_000

OPERATOR_ID = "operator"


@dataclass
class _Known:
    credential: Credential
    verified_at: float
    caller: Caller | None = None
    signed_at: float = 0.0


class CredentialCache:
    """What was verified a moment ago, by hash of the token. Monotonic time, so that a changed clock extends nothing."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def find(self, token_hash: str) -> _Known | None:
        """Return what is known of a token and was verified lately."""
        known = self._known.get(token_hash)
        if known is None or self.now() - known.verified_at > _TRUSTED_SECONDS:
            return None
        return known

    def keep(self, token_hash: str, credential: Credential) -> _Known:
        """Remember a verified credential; the signed caller stays when nothing about it changed."""
        before = self._known.pop(token_hash, None)
        known = _Known(credential, self.now())
        if before is not None and before.credential == credential:
            known.caller, known.signed_at = before.caller, before.signed_at
        self._known[token_hash] = known
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known

    def forget(self, token_hash: str) -> None:
        """Forget one token."""
        self._known.pop(token_hash, None)

    def clear(self) -> None:
        """Forget everything: something was revoked, and this process must not serve it once more."""
        self._known.clear()


class Authenticates(Protocol):
    """What the HTTP side asks for."""

    async def __call__(self, token: str) -> tuple[Credential, Caller]: ...


class Authenticator:
    """Verifies tokens and mints signed callers."""

    def __init__(
        self,
        *,
        database: Database,
        signer: CallerSigner,
        clock: Clock,
        operator_key_hash: str,
        cache: CredentialCache,
    ) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock
        self._operator_key_hash = operator_key_hash
        self._cache = cache

    async def __call__(self, token: str) -> tuple[Credential, Caller]:
        """Return whom a token speaks for, and the signed caller that services believe. Raises TokenInvalid."""
        token_hash = hash_token(token)
        known = self._cache.find(token_hash)
        if known is None:
            credential = await self._verify(token, token_hash)
            if credential is None:
                self._cache.forget(token_hash)
                raise TokenInvalid
            known = self._cache.keep(token_hash, credential)
        expires = known.credential.expire_time
        if expires is not None and expires <= self._clock.now():
            raise TokenInvalid
        if known.caller is None or self._cache.now() - known.signed_at > _SIGNED_SECONDS:
            known.caller = self._signer.sign(caller_of(known.credential))
            known.signed_at = self._cache.now()
        return known.credential, known.caller

    async def _verify(self, token: str, token_hash: str) -> Credential | None:
        digest = hashlib.sha256(token.encode()).hexdigest()
        if self._operator_key_hash and hmac.compare_digest(digest, self._operator_key_hash):
            return Credential(OPERATOR_ID, "", OPERATOR_ID, OPERATOR, scopes_for(OPERATOR), "Operator")
        now = self._clock.now()
        # A token that is not of our making needs no look at the database.
        if token.startswith(SESSION_PREFIX):
            async with self._database.platform_transaction() as connection:
                return await store.find_session(connection, token_hash, now)
        if token.startswith(KEY_PREFIX):
            async with self._database.platform_transaction() as connection:
                return await store.find_api_key(connection, token_hash, now)
        return None


def caller_of(credential: Credential) -> Caller:
    """Return the caller that a credential speaks for, not signed yet."""
    return Caller(
        chain_id=credential.chain_id,
        actor_id=credential.actor_id,
        role=role_name(credential.role),
        scopes=credential.scopes,
        stores=credential.stores,
        associate_id=credential.associate_id,
        brand_id=credential.brand_id,
    )
