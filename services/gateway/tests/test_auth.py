"""Who comes in, who does not, and what each role may do."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.gateway.v1 import gateway_pb2
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.clock import SystemClock
from chassis.contracts import access_of
from gateway.auth.authenticator import Authenticator, CredentialCache
from gateway.auth.domain import PasswordWeak, TokenInvalid, check_password
from gateway.auth.roles import ADMIN, INTEGRATION, OPERATOR, PARTNER, SCOPES, ScopeNotAllowed, scopes_for
from gateway.rest.contracts import FILES, operations

Gateway = Any  # what the fixture `api` is; see conftest.py

CHAIN = "chn_auth"
PASSWORD = "seven-lemons-42-trains"
OPERATOR_KEY = "carnet_op_for-tests"


def scopes_of_the_contracts() -> set[str]:
    return {
        access.scope
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
        if not (access := access_of(method)).is_public
    }


def test_every_scope_of_the_contracts_is_somebodys_and_every_scope_in_the_table_is_in_the_contracts() -> None:
    assert set().union(*SCOPES.values()) == scopes_of_the_contracts()


def test_every_role_but_the_unspecified_has_scopes() -> None:
    assert set(SCOPES) == {number for number in gateway_pb2.Role.values() if number}


def test_who_is_higher_may_do_no_less() -> None:
    assert SCOPES[gateway_pb2.ROLE_ASSOCIATE] < SCOPES[gateway_pb2.ROLE_MANAGER] < SCOPES[ADMIN]


@given(st.frozensets(st.sampled_from(sorted(scopes_of_the_contracts())), min_size=1))
def test_a_chosen_set_of_scopes_is_never_more_than_the_role_has(chosen: frozenset[str]) -> None:
    try:
        assert scopes_for(INTEGRATION, chosen) <= SCOPES[INTEGRATION]
    except ScopeNotAllowed:
        assert chosen - SCOPES[INTEGRATION]


@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "password1234", "3456789012", "ines-2026!!"])
def test_a_password_that_is_tried_first_is_weak(password: str) -> None:
    with pytest.raises(PasswordWeak):
        check_password(password, "ines@example.com")


async def test_every_route_but_the_open_ones_wants_credentials(api: Gateway) -> None:
    wanting = [(one.http_method, one.path) for one in operations() if not one.access.is_public]
    wanting += [("PUT", "/v1/imports/{import_id}/content"), ("GET", "/v1/stream")]
    for method, path in wanting:
        answer = await api.http.request(method, path.replace("{", "").replace("}", ""))
        assert (answer.status_code, answer.json()["reason"]) == (401, "TOKEN_MISSING"), (method, path)
        assert answer.headers["www-authenticate"] == 'Bearer realm="carnet"'
    assert [one.path for one in operations() if one.access.is_public] == ["/v1/sessions"]
    for path in ("/openapi.json", "/docs", "/healthz", "/readyz", "/problems/OFFER_EXPIRED"):
        assert (await api.http.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer cns_forged",
        "Bearer cnk_abc_forged",
        "Bearer something",
        "Basic dXNlcjpwYXNz",
        "Bearer " + "x" * 5000,
        "Bearer carnet_op_guess",
    ],
)
async def test_forged_credentials_are_refused(api: Gateway, header: str) -> None:
    answer = await api.http.get("/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["reason"]) == (401, "TOKEN_INVALID")


async def test_a_token_in_the_address_is_refused_and_says_where_it_belongs(api: Gateway) -> None:
    token = await api.token_of_admin(CHAIN)
    answer = await api.http.get(f"/v1/stream?access_token={token}")
    assert (answer.status_code, answer.json()["reason"]) == (401, "TOKEN_MISSING")
    assert "Authorization" in answer.json()["detail"]


async def test_a_person_signs_in_and_is_who_they_are(api: Gateway) -> None:
    token = await api.user(
        CHAIN, "Ines@Example.com", "ROLE_ASSOCIATE", associate_id="aso_1", store_ids=["str_2", "str_1"]
    )
    me = (await api.as_token(token, "GET", "/v1/me")).json()
    assert me["role"] == "ROLE_ASSOCIATE"
    assert me["chain_id"] == CHAIN
    assert me["display_name"] == "Ines Example"
    assert me["associate_id"] == "aso_1"
    assert me["store_ids"] == ["str_1", "str_2"]
    assert set(me["scopes"]) == SCOPES[gateway_pb2.ROLE_ASSOCIATE]
    await api.sign_in("ines@example.COM")


async def test_the_caller_that_services_see_is_the_one_who_signed_in(api: Gateway) -> None:
    token = await api.user(CHAIN, "seen@example.com", "ROLE_ASSOCIATE", store_ids=["str_1"])
    await api.as_token(token, "GET", "/v1/clients/cli_1")
    answer = await api.as_token(token, "POST", "/v1/clients/cli_1:assign", json={"associate_id": "a"})
    assert (answer.status_code, answer.json()["reason"]) == (403, "SCOPE_MISSING")
    assert answer.json()["metadata"] == {"scope": "clients:assign"}


async def test_a_wrong_password_and_an_unknown_email_get_one_answer(api: Gateway) -> None:
    await api.user(CHAIN, "known@example.com", "ROLE_ASSOCIATE")
    wrong = [
        await api.http.post("/v1/sessions", json={"email": email, "password": "not-the-one-at-all"})
        for email in ("known@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in wrong] == [401, 401]
    first, second = (answer.json() for answer in wrong)
    assert first["reason"] == "CREDENTIALS_WRONG"
    assert {**first, "correlation_id": ""} == {**second, "correlation_id": ""}


async def test_guessing_is_slowed_down_and_a_right_password_before_that_is_not(api: Gateway) -> None:
    await api.user(CHAIN, "guessed@example.com", "ROLE_ASSOCIATE")
    for _ in range(12):
        await api.sign_in("guessed@example.com")
    guesses = [
        await api.http.post("/v1/sessions", json={"email": "guessed@example.com", "password": "guess-guess"})
        for _ in range(7)
    ]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429] * 2
    assert guesses[-1].json()["reason"] == "RATE_LIMITED"
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 30


async def test_signing_out_ends_this_session_at_once_and_no_other(api: Gateway) -> None:
    one = await api.user(CHAIN, "leaving@example.com", "ROLE_ASSOCIATE")
    two = await api.sign_in("leaving@example.com")
    assert (await api.as_token(one, "GET", "/v1/me")).status_code == 200
    assert (await api.as_token(one, "DELETE", "/v1/sessions/current")).status_code == 204
    assert (await api.as_token(one, "GET", "/v1/me")).json()["reason"] == "TOKEN_INVALID"
    assert (await api.as_token(two, "GET", "/v1/me")).status_code == 200


async def test_a_key_cannot_sign_out(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    answer = await api.as_token(made["secret"], "DELETE", "/v1/sessions/current")
    assert (answer.status_code, answer.json()["reason"]) == (409, "NO_SESSION")


async def test_an_expired_session_is_worthless(api: Gateway) -> None:
    token = await api.user(CHAIN, "expired@example.com", "ROLE_ASSOCIATE")
    async with api.database.platform_transaction() as connection:
        await connection.execute(
            text(
                "update sessions set expire_time = now() - interval '1 second' where user_id ="
                " (select user_id from users where email_key = 'expired@example.com')"
            )
        )
    assert (await api.as_token(token, "GET", "/v1/me")).json()["reason"] == "TOKEN_INVALID"


async def test_a_closed_sign_in_ends_every_session_and_can_be_reopened(api: Gateway) -> None:
    token = await api.user(CHAIN, "closed@example.com", "ROLE_MANAGER")
    user_id = (await api.as_token(token, "GET", "/v1/me")).json()["actor_id"]
    await api.as_admin(CHAIN, "POST", f"/v1/users/{user_id}:set_active", json={"is_active": False})
    assert (await api.as_token(token, "GET", "/v1/me")).status_code == 401
    refused = await api.http.post("/v1/sessions", json={"email": "closed@example.com", "password": PASSWORD})
    assert refused.json()["reason"] == "CREDENTIALS_WRONG"
    await api.as_admin(CHAIN, "POST", f"/v1/users/{user_id}:set_active", json={"is_active": True})
    await api.sign_in("closed@example.com")


async def test_nobody_closes_their_own_sign_in(api: Gateway) -> None:
    me = (await api.as_admin(CHAIN, "GET", "/v1/me")).json()["actor_id"]
    answer = await api.as_admin(CHAIN, "POST", f"/v1/users/{me}:set_active", json={"is_active": False})
    assert answer.json()["reason"] == "USER_IS_CALLER"


async def test_an_email_is_taken_in_every_chain(api: Gateway) -> None:
    await api.user(CHAIN, "twice@example.com", "ROLE_ASSOCIATE")
    answer = await api.as_admin(
        "chn_elsewhere",
        "POST",
        "/v1/users",
        json={
            "email": " TWICE@example.com".strip(),
            "password": PASSWORD,
            "display_name": "X",
            "role": "ROLE_ASSOCIATE",
        },
    )
    assert (answer.status_code, answer.json()["reason"]) == (409, "USER_EMAIL_TAKEN")


@pytest.mark.parametrize("role", ["ROLE_OPERATOR", "ROLE_PARTNER", "ROLE_INTEGRATION", "ROLE_UNSPECIFIED"])
async def test_a_person_cannot_have_a_machines_role(api: Gateway, role: str) -> None:
    answer = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/users",
        json={"email": "r@example.com", "password": PASSWORD, "display_name": "X", "role": role},
    )
    assert (answer.status_code, answer.json()["violations"][0]["field"]) == (400, "role")


async def test_the_operator_gives_a_chain_its_first_admin_once(api: Gateway) -> None:
    await api.token_of_admin("chn_first")

    async def first(email: str) -> Any:
        return await api.as_token(
            OPERATOR_KEY,
            "POST",
            "/v1/chains/chn_first/first_admin",
            json={"email": email, "password": PASSWORD, "display_name": "X"},
        )

    again = await first("ADMIN@chn-first.example")
    assert again.status_code == 200
    other = await first("other@example.com")
    assert (other.status_code, other.json()["reason"]) == (409, "CHAIN_HAS_ADMIN")


async def test_of_twenty_first_admins_at_once_one_is_made(api: Gateway) -> None:
    api.profiles.chains.add("chn_race")

    async def first(number: int) -> Any:
        return await api.as_token(
            OPERATOR_KEY,
            "POST",
            "/v1/chains/chn_race/first_admin",
            json={"email": f"race{number}@example.com", "password": PASSWORD, "display_name": "X"},
        )

    answers = await asyncio.gather(*map(first, range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


async def test_a_chain_that_is_none_gets_no_admin(api: Gateway) -> None:
    answer = await api.as_token(
        OPERATOR_KEY,
        "POST",
        "/v1/chains/chn_nowhere/first_admin",
        json={"email": "x@example.com", "password": PASSWORD, "display_name": "X"},
    )
    assert (answer.status_code, answer.json()["reason"]) == (404, "CHAIN_NOT_FOUND")


async def test_the_operator_may_do_nothing_inside_a_chain(api: Gateway) -> None:
    assert SCOPES[OPERATOR] == {"me:read", "chains:write"}
    answer = await api.as_token(OPERATOR_KEY, "GET", "/v1/users")
    assert (answer.status_code, answer.json()["reason"]) == (403, "SCOPE_MISSING")
    me = (await api.as_token(OPERATOR_KEY, "GET", "/v1/me")).json()
    assert (me["role"], me["chain_id"]) == ("ROLE_OPERATOR", "")


async def test_a_key_may_do_what_was_chosen_and_no_more(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION", scopes=["clients:read"])
    assert made["api_key"]["scopes"] == ["clients:read", "me:read"]
    assert made["secret"].startswith(made["api_key"]["prefix"] + "_")
    assert (await api.as_token(made["secret"], "GET", "/v1/clients/cli_1")).status_code == 200
    refused = await api.as_token(made["secret"], "DELETE", "/v1/clients/cli_1")
    assert refused.json()["reason"] == "SCOPE_MISSING"


async def test_a_key_without_chosen_scopes_gets_all_of_its_role(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    assert set(made["api_key"]["scopes"]) == SCOPES[INTEGRATION]


@pytest.mark.parametrize(
    "scope", ["users:write", "keys:write", "chains:write", "partner_events:read", "made:up"]
)
async def test_a_scope_that_the_role_cannot_have_is_refused(api: Gateway, scope: str) -> None:
    answer = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/api_keys",
        json={"display_name": "Till", "role": "ROLE_INTEGRATION", "scopes": ["clients:read", scope]},
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "SCOPE_NOT_ALLOWED")


async def test_a_partners_key_names_its_brand(api: Gateway) -> None:
    answer = await api.as_admin(
        CHAIN, "POST", "/v1/api_keys", json={"display_name": "Brand", "role": "ROLE_PARTNER"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "BRAND_MISSING")
    made = await api.key(CHAIN, "ROLE_PARTNER", brand_id="brd_1")
    me = (await api.as_token(made["secret"], "GET", "/v1/me")).json()
    assert me["brand_id"] == "brd_1"
    assert set(me["scopes"]) == SCOPES[PARTNER]


async def test_a_revoked_key_is_worthless_at_once(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    assert (await api.as_token(made["secret"], "GET", "/v1/me")).status_code == 200
    revoked = await api.as_admin(CHAIN, "POST", f"/v1/api_keys/{made['api_key']['api_key_id']}:revoke")
    assert revoked.json()["is_active"] is False
    assert (await api.as_token(made["secret"], "GET", "/v1/me")).json()["reason"] == "TOKEN_INVALID"


async def test_another_chains_key_is_not_found(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    answer = await api.as_admin(
        "chn_elsewhere", "POST", f"/v1/api_keys/{made['api_key']['api_key_id']}:revoke"
    )
    assert (answer.status_code, answer.json()["reason"]) == (404, "API_KEY_NOT_FOUND")
    listed = (await api.as_admin("chn_elsewhere", "GET", "/v1/api_keys")).json()["api_keys"]
    assert made["api_key"]["api_key_id"] not in {key["api_key_id"] for key in listed}


async def test_a_repeated_request_makes_one_key_and_shows_the_secret_once(api: Gateway) -> None:
    body = {"request_id": "req-1", "display_name": "Till", "role": "ROLE_INTEGRATION"}
    first = (await api.as_admin(CHAIN, "POST", "/v1/api_keys", json=body)).json()
    again = (await api.as_admin(CHAIN, "POST", "/v1/api_keys", json=body)).json()
    assert again["api_key"]["api_key_id"] == first["api_key"]["api_key_id"]
    assert (bool(first["secret"]), again["secret"]) == (True, "")
    other = await api.as_admin(CHAIN, "POST", "/v1/api_keys", json={**body, "display_name": "Other"})
    assert (other.status_code, other.json()["reason"]) == (422, "REQUEST_ID_REUSED")


async def test_the_last_use_of_a_key_is_known_to_the_minute(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    assert "last_use_time" not in made["api_key"]
    await api.as_token(made["secret"], "GET", "/v1/me")
    listed = (await api.as_admin(CHAIN, "GET", "/v1/api_keys")).json()["api_keys"]
    used = next(key for key in listed if key["api_key_id"] == made["api_key"]["api_key_id"])
    assert used["last_use_time"].endswith(":00Z")


async def test_lists_come_in_pages(api: Gateway) -> None:
    for number in range(5):
        await api.key("chn_pages", "ROLE_INTEGRATION")
        await api.user("chn_pages", f"page{number}@example.com", "ROLE_ASSOCIATE")
    for path, name, total in (("/v1/api_keys", "api_keys", 5), ("/v1/users", "users", 6)):
        seen: list[Any] = []
        token = ""
        while True:
            page = (await api.as_admin("chn_pages", "GET", f"{path}?page_size=2&page_token={token}")).json()
            seen += page[name]
            if not (token := page["next_page_token"]):
                break
        assert len(seen) == total
        assert len({json_key(item) for item in seen}) == total
    assert "password" not in str(seen)


def json_key(item: dict[str, Any]) -> str:
    return str(item.get("user_id") or item.get("api_key_id"))


async def test_no_secret_is_stored_in_the_open(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    token = await api.token_of_admin(CHAIN)
    async with api.database.platform_transaction() as connection:
        rows = [
            str(row)
            for table in ("users", "sessions", "api_keys")
            for row in await connection.execute(text(f"select * from {table}"))
        ]
    assert rows
    for secret in (PASSWORD, made["secret"], token):
        assert not any(secret in row for row in rows)
    assert any("$argon2id$" in row for row in rows)


async def test_what_another_process_revoked_is_seen_after_five_seconds(api: Gateway) -> None:
    made = await api.key(CHAIN, "ROLE_INTEGRATION")
    seconds = 0.0
    elsewhere = Authenticator(
        database=api.database,
        signer=api.service.foundation.signer,
        clock=SystemClock(),
        operator_key_hash="",
        cache=CredentialCache(lambda: seconds),
    )
    _, caller = await elsewhere(made["secret"])
    await api.as_admin(CHAIN, "POST", f"/v1/api_keys/{made['api_key']['api_key_id']}:revoke")
    seconds = 4.9
    assert (await elsewhere(made["secret"]))[1] is caller  # still trusted, and signed only once
    seconds = 5.1
    with pytest.raises(TokenInvalid):
        await elsewhere(made["secret"])


async def test_a_signed_caller_is_made_anew_before_it_expires(api: Gateway) -> None:
    token = await api.token_of_admin(CHAIN)
    seconds = 0.0
    authenticate = Authenticator(
        database=api.database,
        signer=api.service.foundation.signer,
        clock=SystemClock(),
        operator_key_hash="",
        cache=CredentialCache(lambda: seconds),
    )
    _, first = await authenticate(token)
    seconds = timedelta(seconds=29).total_seconds()
    assert (await authenticate(token))[1].token == first.token
    seconds = timedelta(seconds=31).total_seconds()
    assert (await authenticate(token))[1] is not first
