"""Passwords with argon2id, off the event loop and few at a time: each takes 64 MiB. Must not know users."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE = 2  # bounds memory and keeps cores for everybody else while passwords are guessed


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # Verified against when the e-mail is unknown, so that the answer takes the same time.
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Return the argon2id hash with its salt and parameters."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password fits; None for an e-mail that nobody has takes as long and is False."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, password_hash, password)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None
