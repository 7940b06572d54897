"""Keyed hashes by which an erased person's number is known again without being kept. Must not read or write any table.

HMAC-SHA256 (RFC 2104), since the few billion phone numbers there are can be hashed in minutes by whoever needs no key.
The chain is part of what is hashed: equal hashes of two chains would say that they had the same client.
"""

import hmac


class Suppressor:
    """Hashes numbers with this installation's own key; another key knows nobody again."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def hash_of(self, chain_id: str, phone: str) -> bytes:
        """Return the hash of a phone in E.164."""
        # No part can hold the separator: Postgres keeps no NUL.
        return hmac.digest(self._key, "\0".join((chain_id, "phone", phone)).encode(), "sha256")
