"""Addresses that are good for whoever has them: a picture for the carrier, a way out for whoever reads an e-mail.

Such an address says what it is good for and until when, and proves with an HMAC-SHA256 (RFC 2104) that we made it. It
holds ids only, since addresses end up in other people's logs. Must not read any table.
"""

import base64
import hmac
from datetime import UTC, datetime

_MAC_BYTES = 24  # 192 bits, 32 characters without padding
_PATH = "/outside"


class Links:
    """Makes and reads such addresses with this installation's own key; a new key ends all that were made before."""

    def __init__(self, secret: str, public_url: str) -> None:
        self._secret = secret.encode()
        self.public_url = public_url.rstrip("/")

    def sign(self, kind: str, chain_id: str, *parts: str, expires_at: datetime) -> str:
        """Return the path of an address; `kind`, `chain_id` and `parts` are ids. Raises ValueError for what is none."""
        words = (chain_id, *parts, str(int(expires_at.timestamp())))
        if not all(word and word.replace("_", "").isalnum() and word.isascii() for word in (kind, *words)):
            raise ValueError("only ids stand in an address")
        claim = ".".join(words)
        return f"{_PATH}/{kind}/{claim}.{self._mac(kind, claim)}"

    def address(self, kind: str, chain_id: str, *parts: str, expires_at: datetime) -> str:
        """Return the whole address, as parties outside call it."""
        return self.public_url + self.sign(kind, chain_id, *parts, expires_at=expires_at)

    def read(self, kind: str, path: str, *, now: datetime) -> tuple[str, ...] | None:
        """Return the chain and the parts that a path is good for; None when it is none of ours, or not any more."""
        token = path.partition("?")[0].removeprefix(f"{_PATH}/{kind}/")
        claim, _, mac = token.rpartition(".")
        if not hmac.compare_digest(self._mac(kind, claim).encode(), mac.encode()):
            return None
        *words, expires = claim.split(".")
        return tuple(words) if now <= datetime.fromtimestamp(int(expires), UTC) else None

    def _mac(self, kind: str, claim: str) -> str:
        mac = hmac.digest(self._secret, f"{kind}\0{claim}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:_MAC_BYTES]).decode()
