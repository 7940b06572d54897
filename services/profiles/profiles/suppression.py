"""Keyed hashes by which an erased person is known again without being kept. Must not read or write any table.

HMAC-SHA256 (RFC 2104), since the few billion phone numbers there are can be hashed in minutes by whoever needs no key.
The chain is part of what is hashed: equal hashes of two chains would say that they had the same client.
"""

import enum
import hmac
from collections.abc import Iterable


class SuppressedKind(enum.StrEnum):
    """What a person would come back by."""

    PHONE = "phone"
    EMAIL = "email"
    EXTERNAL_ID = "external_id"


class Suppressor:
    """Hashes numbers, addresses and source ids with this installation's own key; another key knows nobody again."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def hash_of(self, chain_id: str, kind: SuppressedKind, value: str) -> bytes:
        """Return the hash of a phone in E.164, an e-mail in any case, or what external_key returned."""
        said = value.strip()
        if kind is not SuppressedKind.EXTERNAL_ID:
            said = said.lower()  # as contact points are matched
        # No part can hold the separator: Postgres keeps no NUL.
        return hmac.digest(self._key, "\0".join((chain_id, kind, said)).encode(), "sha256")

    def hashes_of(
        self,
        chain_id: str,
        *,
        phones: Iterable[str] = (),
        emails: Iterable[str] = (),
        external_ids: Iterable[tuple[str, str]] = (),
    ) -> dict[bytes, SuppressedKind]:
        """Return the hashes of everything that one person would come back by; empty values have none.

        `external_ids` are pairs of source and id.
        """
        said = [
            *((SuppressedKind.PHONE, phone) for phone in phones if phone),
            *((SuppressedKind.EMAIL, email) for email in emails if email),
            *((SuppressedKind.EXTERNAL_ID, external_key(source, one)) for source, one in external_ids if one),
        ]
        return {self.hash_of(chain_id, kind, value): kind for kind, value in said}


def external_key(source: str, external_id: str) -> str:
    """Return a source and its id as one value to hash."""
    return f"{source}\0{external_id.strip()}"
