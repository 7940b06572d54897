"""Credentials and people, and the rules about them. Pure: no database, no hashing that takes time."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation
from chassis.ids import new_id
from gateway.auth.roles import Role

SESSION_PREFIX = "cns_"
KEY_PREFIX = "cnk_"
_LEAST_DIFFERENT_CHARACTERS = 5
_ROW_OF_DIGITS = "0123456789" * 20 + "9876543210" * 20
_NO_LETTER = re.compile(r"[^a-z]")
_TRIED_FIRST = frozenset(
    {"password", "passwort", "letmein", "welcome", "qwerty", "qwertyuiop", "iloveyou", "admin"}
)


@dataclass(frozen=True)
class User:
    """A person with a sign-in."""

    user_id: str
    chain_id: str
    email: str
    display_name: str
    role: Role
    associate_id: str
    store_ids: Sequence[str]
    is_active: bool
    create_time: datetime


@dataclass(frozen=True)
class ApiKey:
    """A machine's or partner's key, without its secret."""

    api_key_id: str
    chain_id: str
    display_name: str
    role: Role
    scopes: Sequence[str]
    brand_id: str
    prefix: str
    is_active: bool
    create_time: datetime
    last_use_time: datetime | None


@dataclass(frozen=True)
class Credential:
    """Somebody whose token was verified: whom it speaks for, and until when (None: until it is revoked)."""

    credential_id: str
    chain_id: str
    actor_id: str
    role: Role
    scopes: frozenset[str]
    display_name: str
    stores: frozenset[str] = frozenset()
    associate_id: str = ""
    brand_id: str = ""
    expire_time: datetime | None = None


@dataclass(frozen=True)
class NewToken:
    """A token that was just made; `token` is shown once and never stored."""

    token: str
    token_hash: str
    prefix: str


class CredentialsWrong(ServiceError):
    """E-mail and password do not belong together; which of them is wrong is not said."""

    def __init__(self) -> None:
        super().__init__(Kind.UNAUTHENTICATED, "CREDENTIALS_WRONG", "E-mail or password is wrong.")


class TokenInvalid(ServiceError):
    """The token is forged, revoked or expired; which of them is not said."""

    def __init__(self) -> None:
        super().__init__(Kind.UNAUTHENTICATED, "TOKEN_INVALID", "The token is unknown, revoked or expired.")


class PasswordWeak(ServiceError):
    """The password would be guessed."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Kind.INVALID, "PASSWORD_WEAK", f"The password {why}.", violations=[Violation("password", why)]
        )


class UserEmailTaken(ServiceError):
    """Somebody signs in with this e-mail already, in this chain or another."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS, "USER_EMAIL_TAKEN", "Somebody signs in with this e-mail already."
        )


class ChainHasAdmin(ServiceError):
    """The operator's way in is closed once the chain has an admin."""

    def __init__(self, chain_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CHAIN_HAS_ADMIN",
            "The chain has an admin already.",
            metadata={"chain_id": chain_id},
        )


class UserIsCaller(ServiceError):
    """Nobody closes their own sign-in: a chain could lose its last admin."""

    def __init__(self) -> None:
        super().__init__(Kind.PRECONDITION, "USER_IS_CALLER", "You cannot close your own sign-in.")


def hash_token(token: str) -> str:
    """Return what is stored of a token. Tokens are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_session_token() -> NewToken:
    """Return a token for a session."""
    token = SESSION_PREFIX + secrets.token_urlsafe(32)
    return NewToken(token, hash_token(token), SESSION_PREFIX)


def new_api_key() -> NewToken:
    """Return a key; its prefix tells keys apart and is no secret."""
    prefix = f"{KEY_PREFIX}{new_id('')[-8:]}"
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    return NewToken(token, hash_token(token), prefix)


def normal_email(email: str) -> str:
    """Return an e-mail as it is compared: without blanks around it, in lower case."""
    return email.strip().casefold()


def check_password(password: str, email: str) -> None:
    """Raise PasswordWeak for a password that is the first guess. Its length is the contract's rule (NIST 800-63B)."""
    if len(set(password)) < _LEAST_DIFFERENT_CHARACTERS:
        raise PasswordWeak(f"needs {_LEAST_DIFFERENT_CHARACTERS} different characters")
    letters = _NO_LETTER.sub("", password.casefold())
    if password in _ROW_OF_DIGITS:
        raise PasswordWeak("is a row of digits")
    if letters in _TRIED_FIRST or letters == _NO_LETTER.sub("", normal_email(email).partition("@")[0]):
        raise PasswordWeak("is one that is tried first")
