"""Rows of people, sessions and keys: the only file about them that says SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from gateway.auth.domain import ApiKey, Credential, User, UserEmailTaken, normal_email
from gateway.auth.roles import ADMIN, INTEGRATION, SCOPES, role_name, role_named

_USER = "user_id, chain_id, email, display_name, role, associate_id, store_ids, is_active, create_time"
_KEY = "api_key_id, chain_id, display_name, role, scopes, brand_id, prefix, is_active, create_time, last_use_time"


def _user(row: Row[Any]) -> User:
    return User(
        user_id=row.user_id,
        chain_id=row.chain_id,
        email=row.email,
        display_name=row.display_name,
        role=role_named(row.role),
        associate_id=row.associate_id,
        store_ids=row.store_ids,
        is_active=row.is_active,
        create_time=row.create_time,
    )


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        api_key_id=row.api_key_id,
        chain_id=row.chain_id,
        display_name=row.display_name,
        role=role_named(row.role),
        scopes=row.scopes,
        brand_id=row.brand_id,
        prefix=row.prefix,
        is_active=row.is_active,
        create_time=row.create_time,
        last_use_time=row.last_use_time,
    )


async def add_user(tx: Transaction, user: User, password_hash: str) -> None:
    """Add a person. Raises UserEmailTaken, also for an e-mail of another chain: sign-in does not name the chain."""
    try:
        await tx.execute(
            f"insert into users ({_USER}, email_key, password_hash) values (:user_id, :chain_id, :email,"  # noqa: S608
            " :display_name, :role, :associate_id, :store_ids, :is_active, :create_time, :email_key, :password_hash)",
            {
                "user_id": user.user_id,
                "chain_id": user.chain_id,
                "email": user.email,
                "email_key": normal_email(user.email),
                "password_hash": password_hash,
                "display_name": user.display_name,
                "role": role_name(user.role),
                "associate_id": user.associate_id,
                "store_ids": list(user.store_ids),
                "is_active": user.is_active,
                "create_time": user.create_time,
            },
        )
    except IntegrityError as error:
        if "users_email_key_key" in str(error.orig):
            raise UserEmailTaken from error
        raise


async def get_user(tx: Transaction, user_id: str) -> User | None:
    """Return a person of the chain."""
    found = await tx.execute(f"select {_USER} from users where user_id = :id", {"id": user_id})  # noqa: S608
    row = found.one_or_none()
    return _user(row) if row else None


async def find_admin(tx: Transaction) -> User | None:
    """Return the chain's first admin, holding off whoever else wants to make one."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtext('first admin'), hashtext(:chain))", {"chain": tx.chain_id}
    )
    found = await tx.execute(
        f"select {_USER} from users where role = :role order by user_id limit 1",  # noqa: S608
        {"role": role_name(ADMIN)},
    )
    row = found.one_or_none()
    return _user(row) if row else None


async def list_users(tx: Transaction, *, after: str, most: int) -> list[User]:
    """Return people by e-mail, those after `after`."""
    found = await tx.execute(
        f"select {_USER} from users where email_key > :after order by email_key limit :most",  # noqa: S608
        {"after": after, "most": most},
    )
    return [_user(row) for row in found]


async def set_user_active(tx: Transaction, user_id: str, *, is_active: bool) -> User | None:
    """Close or reopen a sign-in; closing ends every session."""
    found = await tx.execute(
        f"update users set is_active = :is_active where user_id = :id returning {_USER}",  # noqa: S608
        {"id": user_id, "is_active": is_active},
    )
    row = found.one_or_none()
    if row and not is_active:
        await tx.execute("delete from sessions where user_id = :id", {"id": user_id})
    return _user(row) if row else None


async def find_sign_in(connection: AsyncConnection, email: str) -> tuple[User, str] | None:
    """Return the person with an e-mail and the password's hash, over all chains."""
    found = await connection.execute(
        text(f"select {_USER}, password_hash from users where email_key = :key"),  # noqa: S608
        {"key": normal_email(email)},
    )
    row = found.one_or_none()
    return (_user(row), str(row.password_hash)) if row else None


async def add_session(
    tx: Transaction, *, session_id: str, token_hash: str, user_id: str, now: datetime, expire_time: datetime
) -> None:
    """Add a session."""
    await tx.execute(
        "insert into sessions (session_id, chain_id, token_hash, user_id, create_time, expire_time)"
        " values (:session_id, :chain_id, :token_hash, :user_id, :now, :expire_time)",
        {
            "session_id": session_id,
            "chain_id": tx.chain_id,
            "token_hash": token_hash,
            "user_id": user_id,
            "now": now,
            "expire_time": expire_time,
        },
    )


async def delete_session(tx: Transaction, session_id: str, *, user_id: str) -> None:
    """End one session of a person."""
    await tx.execute(
        "delete from sessions where session_id = :id and user_id = :user_id",
        {"id": session_id, "user_id": user_id},
    )


async def delete_expired_sessions(connection: AsyncConnection, now: datetime) -> None:
    """Forget sessions that nobody can use any more, over all chains."""
    await connection.execute(text("delete from sessions where expire_time < :now"), {"now": now})


async def find_session(connection: AsyncConnection, token_hash: str, now: datetime) -> Credential | None:
    """Return the live session behind a token, over all chains."""
    found = await connection.execute(
        text(
            "select sessions.session_id, sessions.expire_time, users.chain_id, users.user_id, users.role,"
            " users.display_name, users.associate_id, users.store_ids from sessions join users using (user_id)"
            " where sessions.token_hash = :hash and sessions.expire_time > :now and users.is_active"
        ),
        {"hash": token_hash, "now": now},
    )
    row = found.one_or_none()
    if row is None:
        return None
    role = role_named(row.role)
    return Credential(
        credential_id=row.session_id,
        chain_id=row.chain_id,
        actor_id=row.user_id,
        role=role,
        scopes=SCOPES[role],
        display_name=row.display_name,
        # An admin acts for the whole chain, whatever store the person works in.
        stores=frozenset() if role == ADMIN else frozenset(row.store_ids),
        associate_id=row.associate_id,
        expire_time=row.expire_time,
    )


async def add_api_key(tx: Transaction, key: ApiKey, *, token_hash: str, created_by: str) -> None:
    """Add a key."""
    await tx.execute(
        f"insert into api_keys ({_KEY}, token_hash, created_by) values (:api_key_id, :chain_id, :display_name,"  # noqa: S608
        " :role, :scopes, :brand_id, :prefix, :is_active, :create_time, :last_use_time, :token_hash, :created_by)",
        {
            "api_key_id": key.api_key_id,
            "chain_id": key.chain_id,
            "display_name": key.display_name,
            "role": role_name(key.role),
            "scopes": list(key.scopes),
            "brand_id": key.brand_id,
            "prefix": key.prefix,
            "is_active": key.is_active,
            "create_time": key.create_time,
            "last_use_time": key.last_use_time,
            "token_hash": token_hash,
            "created_by": created_by,
        },
    )


async def get_api_key(tx: Transaction, api_key_id: str) -> ApiKey | None:
    """Return a key of the chain."""
    found = await tx.execute(f"select {_KEY} from api_keys where api_key_id = :id", {"id": api_key_id})  # noqa: S608
    row = found.one_or_none()
    return _key(row) if row else None


async def list_api_keys(tx: Transaction, *, before: str | None, most: int) -> list[ApiKey]:
    """Return keys, newest first, those older than `before`."""
    found = await tx.execute(
        f"select {_KEY} from api_keys where (cast(:before as text) is null or api_key_id < :before)"  # noqa: S608
        " order by api_key_id desc limit :most",
        {"before": before, "most": most},
    )
    return [_key(row) for row in found]


async def revoke_api_key(tx: Transaction, api_key_id: str) -> ApiKey | None:
    """End a key."""
    found = await tx.execute(
        f"update api_keys set is_active = false where api_key_id = :id returning {_KEY}",  # noqa: S608
        {"id": api_key_id},
    )
    row = found.one_or_none()
    return _key(row) if row else None


async def find_api_key(connection: AsyncConnection, token_hash: str, now: datetime) -> Credential | None:
    """Return the live key behind a token, over all chains, and note its use to the minute."""
    found = await connection.execute(
        text(f"select {_KEY} from api_keys where token_hash = :hash and is_active"),  # noqa: S608
        {"hash": token_hash},
    )
    row = found.one_or_none()
    if row is None:
        return None
    key = _key(row)
    minute = now.replace(second=0, microsecond=0)
    if key.last_use_time is None or key.last_use_time < minute:
        await connection.execute(
            text("update api_keys set last_use_time = :minute where api_key_id = :id"),
            {"minute": minute, "id": key.api_key_id},
        )
    return Credential(
        credential_id=key.api_key_id,
        chain_id=key.chain_id,
        actor_id=key.api_key_id,
        role=key.role,
        scopes=SCOPES[key.role] & frozenset(key.scopes) if key.role == INTEGRATION else SCOPES[key.role],
        display_name=key.display_name,
        brand_id=key.brand_id,
    )
