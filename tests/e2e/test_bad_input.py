"""What callers get wrong, through the real gateway: each is refused with its status and reason, and changes nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from carnet_local.api import Api, Refused
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def refused(call: Awaitable[Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        await call
    refusal = caught.value
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.problem["status"] == refusal.status
    assert refusal.problem["correlation_id"]
    return refusal


def client(house: House, **fields: object) -> dict[str, object]:
    return {"given_name": "Ana", "home_store_id": house.store_id, **fields}


def fields_of(refusal: Refused) -> set[str]:
    return {violation["field"] for violation in refusal.problem["violations"]}


async def test_an_unknown_field_is_named(house: House) -> None:
    no = await refused(house.associate.post("/v1/clients", client(house, givn_name="Ana")))
    assert (no.status, no.reason) == (400, "FIELD_INVALID")
    assert fields_of(no) == {"givn_name"}


async def test_every_wrong_type_is_named_at_once(house: House) -> None:
    body = client(house, given_name=7, occasions=[{"kind": "OCCASION_KIND_NAMEDAY", "date": "soon"}])
    no = await refused(house.associate.post("/v1/clients", body))
    assert (no.status, no.reason) == (400, "FIELD_INVALID")
    assert fields_of(no) >= {"given_name", "occasions[0].kind", "occasions[0].date"}


async def test_a_missing_field_is_refused_by_the_contracts_own_rule(house: House) -> None:
    no = await refused(house.associate.post("/v1/clients", {"given_name": "Ana"}))
    assert no.status == 400
    assert fields_of(no) == {"home_store_id"}


async def test_a_body_that_is_no_json_says_where_it_breaks_off(house: House) -> None:
    response = await house.associate.http.post(
        "/v1/clients",
        content=b'{"given_name": "Ana",',
        headers={"Authorization": f"Bearer {house.associate.token}", "Content-Type": "application/json"},
    )
    assert (response.status_code, response.json()["reason"]) == (400, "BODY_NOT_JSON")


async def test_a_bad_phone_number_is_refused(house: House) -> None:
    contact = {"kind": "CONTACT_KIND_PHONE", "value": "+1 555 CALL ME"}
    no = await refused(house.associate.post("/v1/clients", client(house, contact_points=[contact])))
    assert (no.status, no.reason) == (400, "PHONE_INVALID")
    assert fields_of(no) == {"contact_points[0].value"}


async def test_an_unknown_id_is_not_found(house: House) -> None:
    no = await refused(house.associate.get("/v1/clients/cli_01jnothinghere"))
    assert no.status == 404
    assert no.reason.endswith("_NOT_FOUND")


async def test_an_unknown_path_is_not_found(house: House) -> None:
    no = await refused(house.associate.get("/v1/jewels"))
    assert (no.status, no.reason) == (404, "ROUTE_NOT_FOUND")


async def test_without_credentials_nobody_comes_in(anybody: Api) -> None:
    no = await refused(anybody.get("/v1/clients"))
    assert (no.status, no.reason) == (401, "TOKEN_MISSING")
    assert "Bearer" in no.headers["www-authenticate"]


@pytest.mark.parametrize("prefix", ["cns_", "cnk_", "carnet_op_", ""])
async def test_forged_credentials_are_refused(anybody: Api, prefix: str) -> None:
    no = await refused(anybody.as_caller(prefix + secrets.token_urlsafe(32)).get("/v1/clients"))
    assert (no.status, no.reason) == (401, "TOKEN_INVALID")


async def test_a_token_is_worthless_after_signing_out(
    house: House, new_sign_in: Callable[[], Awaitable[Api]]
) -> None:
    signed_in = await new_sign_in()
    await signed_in.get("/v1/me")
    await signed_in.delete("/v1/sessions/current")
    no = await refused(signed_in.get("/v1/me"))
    assert (no.status, no.reason) == (401, "TOKEN_INVALID")


async def test_an_expired_token_is_refused(
    new_sign_in: Callable[[], Awaitable[Api]], gateway_tables: Callable[[str], Awaitable[None]]
) -> None:
    signed_in = await new_sign_in()
    # Nobody can wait twelve hours here; everything else goes through the API.
    token_hash = hashlib.sha256(signed_in.token.encode()).hexdigest()
    await gateway_tables(
        f"update sessions set expire_time = now() - interval '1 minute' where token_hash = '{token_hash}'"
    )
    no = await refused(signed_in.get("/v1/me"))
    assert (no.status, no.reason) == (401, "TOKEN_INVALID")


async def test_a_wrong_password_is_refused_like_an_unknown_person(house: House, anybody: Api) -> None:
    email = (await house.admin.get("/v1/users"))["users"][0]["email"]
    wrong = await refused(anybody.sign_in(email, "not the password"))
    unknown = await refused(anybody.sign_in("nobody@example.com", "not the password"))
    assert (wrong.status, wrong.reason) == (401, "CREDENTIALS_WRONG")
    assert wrong.problem["detail"] == unknown.problem["detail"]


async def test_an_associate_cannot_do_what_an_admin_does(house: House) -> None:
    no = await refused(
        house.associate.post("/v1/stores", {"display_name": "Mine", "time_zone": "UTC", "country": "US"})
    )
    assert no.status == 403


async def test_an_admin_is_no_operator(house: House) -> None:
    chain = {"display_name": "Mine", "country": "US", "currency_code": "USD", "time_zone": "UTC"}
    assert (await refused(house.admin.post("/v1/chains", chain))).status == 403


async def test_a_partner_sees_no_clients(house: House) -> None:
    brand = await house.admin.post("/v1/brands", {"display_name": "Tamarack Chronometer"})
    key = await house.admin.post(
        "/v1/api_keys", {"display_name": "partner", "role": "ROLE_PARTNER", "brand_id": brand["brand_id"]}
    )
    partner = house.admin.as_caller(key["secret"])
    assert (await refused(partner.get("/v1/clients"))).status == 403
    assert (await partner.get("/v1/partner/events"))["events"] == []


async def test_the_same_key_with_the_same_body_is_one_client(house: House) -> None:
    key = secrets.token_hex(8)
    first = await house.associate.post("/v1/clients", client(house), key=key)
    assert (await house.associate.post("/v1/clients", client(house), key=key))["client_id"] == first[
        "client_id"
    ]


async def test_the_same_key_with_another_body_is_refused(house: House) -> None:
    key = secrets.token_hex(8)
    await house.associate.post("/v1/clients", client(house), key=key)
    no = await refused(house.associate.post("/v1/clients", client(house, given_name="Eva"), key=key))
    assert (no.status, no.reason) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_broken_line_of_an_import_is_reported_and_the_rest_goes_on(house: House) -> None:
    lines = [
        b"client,date,amount\n",
        b"A1,2026-01-05,100.00\n",
        b"A2,2026-02-31,100.00\n",
        b"A3,2026-01-07,a lot\n",
        b"A4,2026-01-08\n",
        b"A5,2026-01-09,250.00\n",
    ]
    announced = await house.admin.post(
        "/v1/imports",
        {
            "source": "till",
            "file_name": "sales.csv",
            "format": "IMPORT_FORMAT_DELIMITED",
            "delimiter": ",",
            "columns": {"client": "client_external_id", "date": "purchase_date", "amount": "amount"},
            "store_id": house.store_id,
        },
    )

    async def content() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    path = f"/v1/imports/{announced['import_id']}"
    done = await house.admin.upload(f"{path}/content", content(), "text/csv")
    assert (done["state"], done["purchases_created"], done["lines_refused"]) == (
        "IMPORT_STATE_COMPLETED",
        "2",
        "3",
    )
    faults = (await house.admin.get(f"{path}/faults"))["faults"]
    assert [(fault["line"], fault["field"], fault["reason"]) for fault in faults] == [
        ("3", "purchase_date", "DATE_INVALID"),
        ("4", "amount", "AMOUNT_INVALID"),
        ("5", "", "COLUMN_COUNT"),
    ]
    again = await house.admin.upload(f"{path}/content", content(), "text/csv")
    assert (again["purchases_created"], again["purchases_unchanged"], again["clients_created"]) in {
        ("0", "2", "0"),
        # Counted over both uploads of one import.
        ("2", "2", "2"),
    }


async def test_a_mapping_to_a_field_that_is_not_there_is_refused(house: House) -> None:
    no = await refused(
        house.admin.post(
            "/v1/imports",
            {
                "source": "till",
                "format": "IMPORT_FORMAT_NDJSON",
                "columns": {"who": "client_external_id", "what": "shoe_size"},
                "store_id": house.store_id,
            },
        )
    )
    assert (no.status, no.reason) == (400, "COLUMN_UNKNOWN")


@pytest.fixture
def new_sign_in(house: House, anybody: Api) -> Callable[[], Awaitable[Api]]:
    async def make() -> Api:
        email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(16)
        await house.admin.post(
            "/v1/users",
            {
                "email": email,
                "password": password,
                "display_name": "Eva",
                "role": "ROLE_MANAGER",
                "store_ids": [house.store_id],
            },
        )
        return await anybody.sign_in(email, password)

    return make


@pytest.fixture
def gateway_tables(carnet: Any) -> Callable[[str], Awaitable[None]]:
    async def execute(statement: str) -> None:
        address = carnet.servers.postgres_url.replace("postgresql://", "postgresql+asyncpg://")
        engine = create_async_engine(address.rpartition("/")[0] + "/gateway")
        async with engine.begin() as connection:
            await connection.execute(text(statement))
        await engine.dispose()

    return execute
