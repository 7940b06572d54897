"""The chain's own rules and the evidence: read, decided anew, handed out, and written down."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import gate_pb2 as gpb
from carnet.messaging.v1 import gate_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from google.type.money_pb2 import Money
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import SignIn, channel_to
from messaging.domain import Purpose
from messaging.store.settings import get_settings

MARKETING = pb.PURPOSE_MARKETING


@pytest_asyncio.fixture(loop_scope="session")
async def gate(started: Any, house: Any, sign_in: SignIn) -> AsyncIterator[Any]:
    """Return the stub for the chain's rules; the caller may do everything with them."""
    sign_in("messages:read", "messages:send", "senders:write", "sandbox:write", "permissions:export",
            chain_id=house.chain_id)  # fmt: skip
    async with channel_to(started.address) as channel:
        yield gate_pb2_grpc.GateServiceStub(channel)


async def update(gate: Any, **fields: Any) -> gpb.MessagingSettings:
    asked = gpb.UpdateMessagingSettingsRequest(settings=gpb.MessagingSettings(**fields))
    decided: gpb.MessagingSettings = await gate.UpdateMessagingSettings(asked)
    return decided


async def evidence(gate: Any, **fields: Any) -> list[dict[str, str]]:
    request = gpb.DownloadPermissionEvidenceRequest(**fields)
    pieces = [piece async for piece in gate.DownloadPermissionEvidence(request)]
    assert {piece.content_type for piece in pieces} == {"text/csv"}
    return list(csv.DictReader(io.StringIO(b"".join(piece.data for piece in pieces).decode(), newline="")))


async def test_a_chain_that_never_decided_has_the_built_in_rules(gate: Any) -> None:
    found = await gate.GetMessagingSettings(gpb.GetMessagingSettingsRequest())
    assert (found.collision_hours, found.double_opt_in, list(found.frequency_caps)) == (4, False, [])
    assert (found.opt_out_pause_share, found.opt_out_pause_after) == (0.03, 100)
    assert not found.HasField("marketing_hours")


async def test_what_is_decided_is_read_back_as_a_whole(gate: Any, house: Any) -> None:
    wanted = gpb.MessagingSettings(
        marketing_hours=gpb.HoursWindow(opens="10:00", closes="19:30", closed_weekdays=[7]),
        service_hours=gpb.HoursWindow(opens="09:00", closes="09:00"),
        frequency_caps=[
            gpb.FrequencyCap(purpose=MARKETING, most=2, days=7),
            gpb.FrequencyCap(purpose=MARKETING, most=4, days=30),
        ],
        collision_hours=2,
        double_opt_in=True,
        opt_out_pause_share=0.05,
        opt_out_pause_after=200,
        segment_prices=[
            gpb.SegmentPrice(country="US", price=Money(currency_code="USD", nanos=8_300_000)),
            gpb.SegmentPrice(price=Money(currency_code="USD", nanos=50_000_000)),
        ],
        forbidden_phrases=["Rival & Sons"],
    )
    decided = await gate.UpdateMessagingSettings(gpb.UpdateMessagingSettingsRequest(settings=wanted))
    wanted.etag = decided.etag
    assert decided == wanted == await gate.GetMessagingSettings(gpb.GetMessagingSettingsRequest())
    async with house.database.transaction(house.chain_id) as tx:
        stored = await get_settings(tx)
    us, france = stored.price_of("US"), stored.price_of("FR")
    assert us is not None
    assert france is not None
    assert (us.nanos, france.nanos) == (8_300_000, 50_000_000)


async def test_nobody_overwrites_what_somebody_else_decided(gate: Any) -> None:
    first = await update(gate, collision_hours=1)
    second = await update(gate, collision_hours=2, etag=first.etag)
    with pytest.raises(ServiceError) as refused:
        await update(gate, collision_hours=3, etag=first.etag)
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "MESSAGING_SETTINGS_CHANGED")
    assert await gate.GetMessagingSettings(gpb.GetMessagingSettingsRequest()) == second


USD = Money(currency_code="USD", nanos=1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (
            {"marketing_hours": gpb.HoursWindow(opens="9:00", closes="18:00")},
            "settings.marketing_hours.opens",
        ),
        ({"marketing_hours": gpb.HoursWindow(opens="22:00", closes="23:00")}, "settings.marketing_hours"),
        ({"service_hours": gpb.HoursWindow(opens="21:00", closes="08:00")}, "settings.service_hours"),
        (
            {"service_hours": gpb.HoursWindow(opens="09:00", closes="10:00", closed_weekdays=[8])},
            "settings.service_hours.closed_weekdays[0]",
        ),
        ({"collision_hours": 169}, "settings.collision_hours"),
        ({"opt_out_pause_share": 1.1}, "settings.opt_out_pause_share"),
        ({"frequency_caps": [gpb.FrequencyCap(most=1, days=1)]}, "settings.frequency_caps[0].purpose"),
        (
            {"frequency_caps": [gpb.FrequencyCap(purpose=MARKETING, most=1, days=7)] * 2},
            "settings.frequency_caps[1]",
        ),
        ({"segment_prices": [gpb.SegmentPrice(price=USD)] * 2}, "settings.segment_prices[1]"),
        (
            {"segment_prices": [gpb.SegmentPrice(price=Money(currency_code="dollar"))]},
            "settings.segment_prices[0].price.currency_code",
        ),
        (
            {"segment_prices": [gpb.SegmentPrice(price=Money(currency_code="USD", units=101))]},
            "settings.segment_prices[0].price",
        ),
        ({"forbidden_phrases": ["x"]}, "settings.forbidden_phrases[0]"),
    ],
)
async def test_rules_that_cannot_be_name_the_field(gate: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await update(gate, **fields)
    assert refused.value.kind is Kind.INVALID
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_only_who_may_decides_and_is_handed_evidence(gate: Any, house: Any, sign_in: SignIn) -> None:
    sign_in("messages:read", "messages:send", chain_id=house.chain_id)
    await gate.ListHoursRules(gpb.ListHoursRulesRequest())
    for call in (update(gate), evidence(gate, phone="+12025550123")):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == "SCOPE_MISSING"


async def test_the_hours_that_hold_are_told_with_their_source(gate: Any) -> None:
    everything = (await gate.ListHoursRules(gpb.ListHoursRulesRequest())).rules
    florida = next(rule for rule in everything if rule.state == "FL")
    assert (florida.country, florida.purpose, florida.hours.closes) == ("US", MARKETING, "20:00")
    assert "Fla. Stat." in florida.source
    assert not florida.is_verified
    texas = [rule for rule in everything if rule.state == "TX"]
    assert [(rule.hours.opens, list(rule.hours.closed_weekdays)) for rule in texas] == [
        ("09:00", [7]),
        ("12:00", [1, 2, 3, 4, 5, 6]),
    ]
    france = (await gate.ListHoursRules(gpb.ListHoursRulesRequest(country="FR"))).rules
    assert [rule.country for rule in france] == ["FR"]


async def test_evidence_says_who_when_how_and_the_words_oldest_first(gate: Any, house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    known = house.profiles.recipients
    verified = datetime(2026, 3, 1, 9, tzinfo=UTC)
    known[client_id] = replace(known[client_id], verified_at={phone: verified})
    await house.consent(client_id, Purpose.SERVICE, at=datetime(2026, 2, 1, tzinfo=UTC))
    await house.receive(client_id, "STOP")
    lines = await evidence(gate, phone=phone)
    assert [line["change"] for line in lines] == ["GRANTED"] + ["REVOKED"] * 6
    granted = lines[0]
    assert "may text me about my pieces" in granted["wording_or_words"]
    assert (granted["source"], granted["actor"], granted["address"]) == ("consent", "asc_1", phone)
    assert granted["occur_time"] == "2026-02-01T00:00:00Z"
    assert {line["number_last_verified_time"] for line in lines} == {"2026-03-01T09:00:00Z"}
    assert {(line["channel"], line["purpose"]) for line in lines[1:]} == {
        (channel, purpose) for channel in ("SMS", "WHATSAPP") for purpose in Purpose
    }


async def test_evidence_is_read_in_pieces_and_no_cell_is_a_formula(
    gate: Any, house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.use_cases.evidence._PAGE", 4)
    phone = house.phone_of(house.client())
    for note in ("=1+1", "plain, with a comma", '"quoted"'):
        await house.stub.RevokeNumber(pb.RevokeNumberRequest(phone=phone, note=note))
    lines = await evidence(gate, phone=phone)
    assert len(lines) == 18
    assert {line["wording_or_words"] for line in lines} == {"'=1+1", "plain, with a comma", '"quoted"'}


async def test_that_evidence_was_handed_out_is_written_down_for_good(gate: Any, house: Any) -> None:
    phone = house.phone_of(house.client())
    await house.stub.RevokeNumber(pb.RevokeNumberRequest(phone=phone))
    await evidence(gate, phone=phone)
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select actor, line_count, number_hash from evidence_downloads")
        (row,) = found.all()
    assert (row.actor, row.line_count) == ("usr_test", 6)
    assert phone.encode() not in bytes(row.number_hash)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute("delete from evidence_downloads")


async def test_of_an_erased_number_it_is_said_what_is_kept(gate: Any, house: Any) -> None:
    client_id = house.client()
    phone = house.phone_of(client_id)
    await house.consent(client_id)
    await house.receive(client_id, "STOP")
    await house.erase(client_id, erasure_id="ers_evidence")
    lines = await evidence(gate, phone=phone)
    assert [line["change"] for line in lines] == ["REVOKED"] * 3
    assert all("keyed hash" in line["wording_or_words"] for line in lines)
    assert {line["cause_id"] for line in lines} == {"ers_evidence"}
    assert {line["number_last_verified_time"] for line in lines} == {""}


async def test_evidence_does_not_wait_for_profiles(gate: Any, house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id, Purpose.SERVICE)
    phone = house.phone_of(client_id)
    del house.profiles.recipients[client_id]
    (line,) = await evidence(gate, phone=phone)
    captured = house.clock.now() - timedelta(minutes=1)
    assert line["number_last_verified_time"] == captured.isoformat().replace("+00:00", "Z")


async def test_of_an_address_and_of_nothing_there_is_evidence_too(gate: Any, house: Any) -> None:
    await house.stub.RevokeNumber(pb.RevokeNumberRequest(email="Fay@example.com"))
    assert {line["address"] for line in await evidence(gate, email="fay@EXAMPLE.com")} == {"fay@example.com"}
    assert await evidence(gate, email="nobody@example.com") == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "FIELD_INVALID"),
        ({"phone": "+12025550123", "email": "a@example.com"}, "FIELD_INVALID"),
        ({"phone": "+19995550123"}, "PHONE_INVALID"),
        ({"phone": "12025550123"}, "FIELD_INVALID"),
    ],
)
async def test_evidence_of_what_is_no_number_is_refused(
    gate: Any, fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await evidence(gate, **fields)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, reason)


async def test_another_chains_evidence_and_rules_are_not_there(
    gate: Any, house: Any, sign_in: SignIn
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await update(gate, double_opt_in=True)
    sign_in("messages:read", "permissions:export", chain_id="chn_stranger")
    assert await evidence(gate, phone=house.phone_of(client_id)) == []
    assert not (await gate.GetMessagingSettings(gpb.GetMessagingSettingsRequest())).double_opt_in
