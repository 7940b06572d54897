"""What was answered to an Idempotency-Key, for 24 hours in Valkey, encrypted: answers hold personal data and secrets.

Valkey may forget or be away. The second line is the request id that most RPCs remember in their own transaction: those
go on without Valkey, the others are refused with 503, because a repeat could not be told from a new request.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken
from google.protobuf.message import Message
from redis.asyncio import Redis

from gateway.auth.domain import Credential
from gateway.rest.contracts import Operation
from gateway.rest.errors import HeaderInvalid, IdempotencyKeyReused, IdempotencyUnavailable, RequestInProgress
from gateway.telemetry import REPLAYED
from gateway.valkey import VALKEY_ERRORS

HEADER = "idempotency-key"
_KEPT_SECONDS = 24 * 3600
_IN_PROGRESS_SECONDS = 60  # longer than any call may take; after a crash the key is free again then
_IN_PROGRESS = b"working:"
_LONGEST_KEY = 255
# Nothing was done yet, or it may end differently: a repeat has to ask again.
_NOT_FINAL = frozenset({401, 403, 408, 412, 429})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """What went out: enough to send it once more."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """The right to work on a key. `slot` is empty when Valkey was away."""

    slot: str
    fingerprint: str


def read_key(value: str | None) -> str:
    """Return a request's key, empty for none. Raises HeaderInvalid."""
    if value is None:
        return ""
    key = value.strip().strip('"')
    if not key or len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise HeaderInvalid("Idempotency-Key", f"must be 1 to {_LONGEST_KEY} printable ASCII characters")
    return key


def request_id_of(credential: Credential, key: str) -> str:
    """Return the request id of a key: services know one space of ids a chain, keys belong to whoever made them up."""
    return "idk_" + hashlib.sha256(f"{credential.actor_id}\n{key}".encode()).hexdigest()[:40]


class IdempotencyMemory:
    """Remembers answers."""

    def __init__(self, client: Redis, encryption_key: str) -> None:
        self._client = client
        self._fernet = Fernet(encryption_key)

    async def claim(
        self, operation: Operation, message: Message, credential: Credential, key: str
    ) -> Claim | Answer:
        """Return the right to go on, or the answer that was given before.

        Raises RequestInProgress, IdempotencyKeyReused, and IdempotencyUnavailable where going on would not be safe.
        """
        owner = f"{credential.chain_id}\n{credential.actor_id}\n{key}"
        slot = f"carnet:answer:{hashlib.sha256(owner.encode()).hexdigest()}"
        asked = operation.grpc_path.encode() + b"\n" + message.SerializeToString(deterministic=True)
        claim = Claim(slot, hashlib.sha256(asked).hexdigest())
        try:
            # SET with NX and GET answers what was there, and writes only where nothing was.
            found: Any = await self._client.set(
                slot, _IN_PROGRESS + claim.fingerprint.encode(), nx=True, get=True, ex=_IN_PROGRESS_SECONDS
            )
        except VALKEY_ERRORS as error:
            if not operation.has_request_id:
                raise IdempotencyUnavailable from error
            return Claim("", claim.fingerprint)
        if found is None:
            return claim
        if found.startswith(_IN_PROGRESS):
            if found != _IN_PROGRESS + claim.fingerprint.encode():
                raise IdempotencyKeyReused
            raise RequestInProgress
        return self._replay(found, claim)

    def _replay(self, found: bytes, claim: Claim) -> Claim | Answer:
        try:
            stored = orjson.loads(self._fernet.decrypt(found))
        except (InvalidToken, orjson.JSONDecodeError):  # written under another encryption key
            return claim
        if stored["fingerprint"] != claim.fingerprint:
            raise IdempotencyKeyReused
        REPLAYED.inc()
        return Answer(
            stored["status"], {**stored["headers"], "Idempotency-Replayed": "true"}, stored["body"].encode()
        )

    async def settle(self, claim: Claim, answer: Answer | None) -> None:
        """Keep a final answer; free the key after any other, or after none."""
        if not claim.slot:
            return
        try:
            if (
                answer is None
                or answer.status >= 500
                or answer.status in _NOT_FINAL
                or "Retry-After" in answer.headers
            ):
                await self._client.delete(claim.slot)
                return
            stored = {
                "fingerprint": claim.fingerprint,
                "status": answer.status,
                "headers": answer.headers,
                "body": answer.body.decode(),
            }
            await self._client.set(claim.slot, self._fernet.encrypt(orjson.dumps(stored)), ex=_KEPT_SECONDS)
        except VALKEY_ERRORS as error:
            _log.warning("an answer could not be kept for its idempotency key", error=type(error).__name__)
