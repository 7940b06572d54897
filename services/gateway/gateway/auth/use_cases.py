"""What can be done with people, sessions and keys: one function each."""

from collections.abc import Sequence
from datetime import timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import Kind, ServiceError, invalid, not_found
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token, page_size_of
from gateway.auth import store
from gateway.auth.authenticator import CredentialCache
from gateway.auth.domain import (
    ApiKey,
    ChainHasAdmin,
    Credential,
    CredentialsWrong,
    User,
    UserIsCaller,
    check_password,
    hash_token,
    new_api_key,
    new_session_token,
    normal_email,
)
from gateway.auth.passwords import Passwords
from gateway.auth.roles import ADMIN, INTEGRATION, PARTNER, Role, scopes_for
from gateway.clients import Chains
from gateway.limits import Limiter


class BrandMissing(ServiceError):
    """A partner's key or endpoint must say whose events it is about."""

    def __init__(self) -> None:
        error = invalid("brand_id", "must name the brand", reason="BRAND_MISSING")
        super().__init__(error.kind, error.reason, error.message, violations=error.violations)


async def create_session(
    *,
    database: Database,
    clock: Clock,
    passwords: Passwords,
    limiter: Limiter,
    email: str,
    password: str,
    lifetime: timedelta,
) -> tuple[str, Credential]:
    """Sign a person in and return the token with whom it speaks for.

    Raises CredentialsWrong after the same time whatever is wrong, and EXHAUSTED (RATE_LIMITED) after many failures.
    """
    limit_key = hash_token(normal_email(email))
    await limiter.take("sign_in", limit_key)
    async with database.platform_transaction() as connection:
        found = await store.find_sign_in(connection, email)
    is_right = await passwords.verify(found[1] if found else None, password)
    if found is None or not is_right or not found[0].is_active:
        raise CredentialsWrong
    await limiter.forget("sign_in", limit_key)
    user, now, token, session_id = found[0], clock.now(), new_session_token(), new_id("ses")
    async with database.transaction(user.chain_id) as tx:
        await store.add_session(
            tx,
            session_id=session_id,
            token_hash=token.token_hash,
            user_id=user.user_id,
            now=now,
            expire_time=now + lifetime,
        )
    return token.token, Credential(
        credential_id=session_id,
        chain_id=user.chain_id,
        actor_id=user.user_id,
        role=user.role,
        scopes=scopes_for(user.role),
        display_name=user.display_name,
        stores=frozenset() if user.role == ADMIN else frozenset(user.store_ids),
        associate_id=user.associate_id,
        expire_time=now + lifetime,
    )


async def display_name_of(*, database: Database, caller: Caller) -> str:
    """Return what the person or key behind a caller is called; empty for a service."""
    async with database.transaction(caller.chain_id) as tx:
        if caller.actor_id.startswith("usr_"):
            user = await store.get_user(tx, caller.actor_id)
            return user.display_name if user else ""
        if caller.actor_id.startswith("key_"):
            key = await store.get_api_key(tx, caller.actor_id)
            return key.display_name if key else ""
    return ""


async def delete_session(
    *, database: Database, cache: CredentialCache, caller: Caller, session_id: str
) -> None:
    """Sign the caller's session out. A key has none: PRECONDITION (NO_SESSION)."""
    if not session_id.startswith("ses_"):
        raise ServiceError(Kind.PRECONDITION, "NO_SESSION", "This credential is a key, not a session.")
    async with database.transaction(caller.chain_id) as tx:
        await store.delete_session(tx, session_id, user_id=caller.actor_id)
    cache.clear()


async def create_first_admin(
    *,
    database: Database,
    clock: Clock,
    passwords: Passwords,
    chains: Chains,
    chain_id: str,
    email: str,
    password: str,
    display_name: str,
) -> User:
    """Give a chain its first admin; the same e-mail again gets the same person. Raises ChainHasAdmin otherwise."""
    check_password(password, email)
    await chains.require(chain_id)
    password_hash = await passwords.hash(password)
    async with database.transaction(chain_id) as tx:
        if (admin := await store.find_admin(tx)) is not None:
            if normal_email(admin.email) != normal_email(email):
                raise ChainHasAdmin(chain_id)
            return admin
        user = User(new_id("usr"), chain_id, email, display_name, ADMIN, "", (), True, clock.now())
        await store.add_user(tx, user, password_hash)
    return user


async def create_user(
    *,
    database: Database,
    clock: Clock,
    passwords: Passwords,
    chain_id: str,
    key: RequestKey,
    email: str,
    password: str,
    display_name: str,
    role: Role,
    associate_id: str,
    store_ids: Sequence[str],
) -> User:
    """Give a person a sign-in. Raises PasswordWeak and UserEmailTaken."""
    check_password(password, email)
    password_hash = await passwords.hash(password)
    async with database.transaction(chain_id) as tx:
        user_id, is_repeat = await tx.once(key, new_id("usr"))
        if is_repeat:
            return await _get_user(tx_user=await store.get_user(tx, user_id), user_id=user_id)
        user = User(
            user_id,
            chain_id,
            email,
            display_name,
            role,
            associate_id,
            sorted(set(store_ids)),
            True,
            clock.now(),
        )
        await store.add_user(tx, user, password_hash)
    return user


async def _get_user(*, tx_user: User | None, user_id: str) -> User:
    if tx_user is None:
        raise not_found("user", user_id)
    return tx_user


async def list_users(
    *, database: Database, chain_id: str, page_size: int, page_token: str
) -> tuple[Sequence[User], str]:
    """Return a page of the chain's people by e-mail, and the token of the next."""
    size = page_size_of(page_size)
    key = decode_page_token(page_token, str)
    async with database.transaction(chain_id) as tx:
        rows = await store.list_users(tx, after=str(key[0]) if key else "", most=size + 1)
    return cut_page(rows, size, lambda user: (normal_email(user.email),))


async def set_user_active(
    *, database: Database, cache: CredentialCache, caller: Caller, user_id: str, is_active: bool
) -> User:
    """Close or reopen a person's sign-in. Raises UserIsCaller for one's own."""
    if user_id == caller.actor_id and not is_active:
        raise UserIsCaller
    async with database.transaction(caller.chain_id) as tx:
        user = await _get_user(
            tx_user=await store.set_user_active(tx, user_id, is_active=is_active), user_id=user_id
        )
    cache.clear()
    return user


async def create_api_key(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    display_name: str,
    role: Role,
    scopes: Sequence[str],
    brand_id: str,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is empty when the request was a repeat.

    Raises ScopeNotAllowed and BrandMissing.
    """
    if role == PARTNER and not brand_id:
        raise BrandMissing
    allowed = scopes_for(role, scopes if role == INTEGRATION else ())
    async with database.transaction(caller.chain_id) as tx:
        api_key_id, is_repeat = await tx.once(key, new_id("key"))
        if is_repeat:
            if (made := await store.get_api_key(tx, api_key_id)) is None:
                raise not_found("api_key", api_key_id)
            return made, ""
        token = new_api_key()
        api_key = ApiKey(
            api_key_id=api_key_id,
            chain_id=caller.chain_id,
            display_name=display_name,
            role=role,
            scopes=sorted(allowed),
            brand_id=brand_id if role == PARTNER else "",
            prefix=token.prefix,
            is_active=True,
            create_time=clock.now(),
            last_use_time=None,
        )
        await store.add_api_key(tx, api_key, token_hash=token.token_hash, created_by=caller.actor_id)
    return api_key, token.token


async def list_api_keys(
    *, database: Database, chain_id: str, page_size: int, page_token: str
) -> tuple[Sequence[ApiKey], str]:
    """Return a page of keys, newest first, and the token of the next."""
    size = page_size_of(page_size)
    key = decode_page_token(page_token, str)
    async with database.transaction(chain_id) as tx:
        rows = await store.list_api_keys(tx, before=str(key[0]) if key else None, most=size + 1)
    return cut_page(rows, size, lambda row: (row.api_key_id,))


async def revoke_api_key(
    *, database: Database, cache: CredentialCache, chain_id: str, api_key_id: str
) -> ApiKey:
    """End a key at once; ending it twice is harmless."""
    async with database.transaction(chain_id) as tx:
        revoked = await store.revoke_api_key(tx, api_key_id)
    if revoked is None:
        raise not_found("api_key", api_key_id)
    cache.clear()
    return revoked
