"""Templates: checked when they are saved, filled in per client and language, previewed with what they cost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import templates_pb2 as tpb
from carnet.messaging.v1 import templates_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, ServiceError
from chassis.testing import channel_to
from messaging.clients import Associate
from messaging.domain import ChainSettings, Channel, SegmentPrice
from messaging.domain.templates import TemplateText, fill, plain_language
from messaging.reminders import keywords_asked_for
from messaging.store.settings import find_written, put_settings
from messaging.use_cases.templates import fill_template, template_facts

SCOPES = ("templates:write", "messages:read", "messages:send", "senders:write")
READY = "Dear {{client.given_name}}, your {{piece}} is ready at {{store.name}}."


@pytest_asyncio.fixture(loop_scope="session")
async def stub(house: Any, started: Any, sign_in: Any) -> AsyncIterator[Any]:
    """Return the templates of the house."""
    sign_in(*SCOPES, chain_id=house.chain_id)
    async with channel_to(started.address) as channel:
        yield templates_pb2_grpc.TemplatesServiceStub(channel)


def text(body: str = READY, language_code: str = "en", **fields: Any) -> tpb.TemplateText:
    """Return a text."""
    return tpb.TemplateText(language_code=language_code, body=body, **fields)


def wanted(*texts: tpb.TemplateText, **fields: Any) -> tpb.CreateTemplateRequest:
    """Return a request for a template of service."""
    return tpb.CreateTemplateRequest(
        **{
            "display_name": "Repair ready",
            "purpose": pb.PURPOSE_SERVICE,
            "texts": texts or [text()],
            **fields,
        }
    )


def known(house: Any, **fields: Any) -> str:
    """Return a client who is called Ada Okafor, unless told otherwise."""
    client_id: str = house.client()
    house.profiles.recipients[client_id] = replace(
        house.profiles.recipients[client_id], **{"given_name": "Ada", "family_name": "Okafor", **fields}
    )
    return client_id


async def filled(house: Any, template_id: str, client_id: str, author: str = "", **values: str) -> Any:
    """Fill a template in, as whoever sends does."""
    facts, language = await template_facts(house.profiles, house.chain_id, client_id, house.store_id, author)
    async with house.database.transaction(house.chain_id) as tx:
        return await fill_template(
            tx,
            template_id,
            channel=Channel.SMS,
            language_code=language,
            facts=facts | {"sender.name": "Maison Aurore"},
            values=values,
        )


async def refused(call: Any) -> ServiceError:
    """Return the refusal of a call."""
    with pytest.raises(ServiceError) as error:
        await call
    return error.value


async def test_a_template_is_kept_with_the_names_that_stand_in_it(stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text(), text("{{piece}}: prêt. {{store.name}}", "FR-ca")))
    assert made.template_id.startswith("tpl_")
    assert list(made.variables) == ["client.given_name", "piece", "store.name"]
    assert [one.language_code for one in made.texts] == ["en", "fr-CA"]
    assert (made.default_language_code, made.channel, made.etag) == ("en", pb.CHANNEL_SMS, "1")
    assert await stub.GetTemplate(tpb.GetTemplateRequest(template_id=made.template_id)) == made


@pytest.mark.parametrize(
    ("texts", "field", "says"),
    [
        ([text("Dear {{client.given_name}")], "texts[0].body", "{ at character 6"),
        ([text("Dear {{client.given_name")], "texts[0].body", "{ at character 6"),
        ([text("Dear {client.given_name}")], "texts[0].body", "belongs to no variable"),
        ([text("Line one\nDear }} you")], "texts[0].body", "} at line 2, character 6"),
        ([text(), text("{{client.income}}", "fr")], "texts[1].body", "client.income"),
        ([text("{{Piece}}")], "texts[0].body", "belongs to no variable"),
        ([text("{{a.b.c}}")], "texts[0].body", "belongs to no variable"),
        ([text("{{}}")], "texts[0].body", "belongs to no variable"),
        ([text(), text("Hello", "EN")], "texts[1].language_code", "second text in en"),
        ([text(language_code="english")], "texts[0].language_code", "not a language tag"),
        ([text("   ")], "texts[0].body", "says nothing"),
        ([text("a" * 1601)], "texts[0].body", "1600 characters"),
        ([text(subject="A ring")], "texts[0].subject", "e-mail only"),
        ([text(provider_template_id="HX1")], "texts[0].provider_template_id", "WhatsApp only"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_its_place(
    stub: Any, texts: list[tpb.TemplateText], field: str, says: str
) -> None:
    error = await refused(stub.CreateTemplate(wanted(*texts)))
    assert (error.kind, error.reason) == (Kind.INVALID, "TEMPLATE_INVALID")
    assert error.violations[0].field == field
    assert says in error.violations[0].description


async def test_every_wrong_place_is_named_at_once(stub: Any) -> None:
    error = await refused(
        stub.CreateTemplate(wanted(text("{{one"), text("{{client.x}}", "fr"), default_language_code="de"))
    )
    assert [one.field for one in error.violations] == [
        "texts[0].body",
        "texts[1].body",
        "default_language_code",
    ]


async def test_an_email_needs_a_subject(stub: Any) -> None:
    error = await refused(stub.CreateTemplate(wanted(channel=pb.CHANNEL_EMAIL)))
    assert error.violations[0].field == "texts[0].subject"
    made = await stub.CreateTemplate(
        wanted(text(subject="Your {{piece}}\nBcc: x@example.com"), channel=pb.CHANNEL_EMAIL)
    )
    assert made.texts[0].subject == "Your {{piece}} Bcc: x@example.com"


@pytest.mark.parametrize(
    "body",
    [
        "Your visit is tomorrow. Reply CANCEL to cancel.",
        "Your visit is tomorrow. Reply YES to confirm.",
        "Please answer with yes if you come.",
        "Text 'stop' if you cannot come.",
        "YES = I come, CANCEL = I do not",
        "To cancel, reply to this text with the word cancel",
        "Reply to cancel.",
        "Responda CANCEL para cancelar su cita.",
        "Répondez « stop » si vous ne venez pas.",
        "Reply CONFIRM to confirm or \u201cquit\u201d to give your place away",
        "Reply STOP to cancel your visit",
    ],
)
async def test_a_reminder_may_not_ask_for_a_carriers_keyword(stub: Any, body: str) -> None:
    error = await refused(stub.CreateTemplate(wanted(text(body), is_reminder=True)))
    assert (error.kind, error.reason) == (Kind.INVALID, "TEMPLATE_ASKS_FOR_KEYWORD")
    assert error.violations[0].field == "texts[0].body"
    assert "CONFIRM and CHANGE" in error.message
    assert (await stub.CreateTemplate(wanted(text(body)))).template_id
    assert (
        await stub.CreateTemplate(
            wanted(text(body, subject="Tomorrow"), is_reminder=True, channel=pb.CHANNEL_EMAIL)
        )
    ).template_id


@pytest.mark.parametrize(
    "body",
    [
        "Your visit is tomorrow. Reply CONFIRM, or CHANGE to change it.",
        "Reply C to cancel or CONFIRM to confirm.",
        "Cannot come? Cancel here: https://maison.example/v/x",
        "Reply CONFIRM. Reply STOP to opt out, HELP for help.",
        "Text STOP to end messages.",
        "Répondez STOP pour vous désabonner.",
        "We start at 6 and end at 8.",
        "YOUR VISIT STARTS AT 6. WE END AT 8.",
        "Stop by at the end of the week: reply with the day that suits you.",
    ],
)
def test_other_reminders_may(body: str) -> None:
    assert keywords_asked_for(body) == []


async def test_a_name_is_taken_once_on_a_channel_until_its_template_is_archived(stub: Any) -> None:
    made = await stub.CreateTemplate(wanted())
    error = await refused(stub.CreateTemplate(wanted(display_name="repair READY ")))
    assert (error.kind, error.reason) == (Kind.ALREADY_EXISTS, "TEMPLATE_NAME_TAKEN")
    await stub.CreateTemplate(wanted(channel=pb.CHANNEL_WHATSAPP))
    await stub.ArchiveTemplate(tpb.ArchiveTemplateRequest(template_id=made.template_id))
    await stub.CreateTemplate(wanted())
    error = await refused(stub.RestoreTemplate(tpb.RestoreTemplateRequest(template_id=made.template_id)))
    assert error.reason == "TEMPLATE_NAME_TAKEN"
    assert (await stub.GetTemplate(tpb.GetTemplateRequest(template_id=made.template_id))).is_archived


async def test_of_twenty_who_take_a_name_at_once_one_gets_it(stub: Any) -> None:
    others = [await stub.CreateTemplate(wanted(display_name=f"Template {number}")) for number in range(10)]

    async def create() -> bool:
        return bool(await stub.CreateTemplate(wanted()))

    async def rename(made: tpb.Template) -> bool:
        return bool(await stub.UpdateTemplate(update(made, display_name="Repair ready")))

    tries = [*(create() for _ in range(10)), *(rename(one) for one in others)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [one for one in outcomes if one is True] == [True]
    assert {one.reason for one in outcomes if isinstance(one, ServiceError)} == {"TEMPLATE_NAME_TAKEN"}


async def test_the_same_request_is_one_template(stub: Any) -> None:
    made = [await stub.CreateTemplate(wanted(request_id="once")) for _ in range(2)]
    assert made[0] == made[1]
    error = await refused(stub.CreateTemplate(wanted(text("Another"), request_id="once")))
    assert error.reason == "REQUEST_ID_REUSED"


def update(made: tpb.Template, **fields: Any) -> tpb.UpdateTemplateRequest:
    """Return a request that changes some of a template."""
    return tpb.UpdateTemplateRequest(
        **{
            "template_id": made.template_id,
            "display_name": made.display_name,
            "purpose": made.purpose,
            "texts": made.texts,
            "default_language_code": made.default_language_code,
            **fields,
        }
    )


async def test_a_change_needs_the_newest_etag_when_it_brings_one(stub: Any) -> None:
    made = await stub.CreateTemplate(wanted())
    changed = await stub.UpdateTemplate(update(made, texts=[text("Ready.")], etag=made.etag))
    assert (changed.texts[0].body, changed.etag != made.etag) == ("Ready.", True)
    error = await refused(stub.UpdateTemplate(update(made, etag=made.etag)))
    assert (error.kind, error.reason) == (Kind.CONFLICT, "TEMPLATE_CHANGED")
    again = await stub.UpdateTemplate(update(made, texts=[text("Ready.")]))
    assert again == changed


async def test_an_archived_template_is_not_listed_nor_sent_until_it_is_back(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("Ready.")))
    for _ in range(2):
        await stub.ArchiveTemplate(tpb.ArchiveTemplateRequest(template_id=made.template_id))
    assert list((await stub.ListTemplates(tpb.ListTemplatesRequest())).templates) == []
    listed = await stub.ListTemplates(tpb.ListTemplatesRequest(include_archived=True))
    assert [one.template_id for one in listed.templates] == [made.template_id]
    error = await refused(filled(house, made.template_id, known(house)))
    assert (error.kind, error.reason) == (Kind.PRECONDITION, "TEMPLATE_ARCHIVED")
    await stub.RestoreTemplate(tpb.RestoreTemplateRequest(template_id=made.template_id))
    assert (await filled(house, made.template_id, known(house))).body == "Ready."


async def test_templates_are_listed_by_name_in_pages(stub: Any) -> None:
    for name in ("cleaning", "Birthday", "Élan", "appointment", "Birthday 2"):
        await stub.CreateTemplate(wanted(display_name=name))
    await stub.CreateTemplate(wanted(display_name="News", purpose=pb.PURPOSE_MARKETING))
    names: list[str] = []
    token = ""
    while True:
        page = await stub.ListTemplates(
            tpb.ListTemplatesRequest(page_size=2, page_token=token, purpose=pb.PURPOSE_SERVICE)
        )
        names += [one.display_name for one in page.templates]
        if not (token := page.next_page_token):
            break
    assert names[:4] == ["appointment", "Birthday", "Birthday 2", "cleaning"]
    assert len(names) == 5


async def test_another_chain_neither_reads_nor_changes_a_template(
    house: Any, stub: Any, sign_in: Any
) -> None:
    made = await stub.CreateTemplate(wanted())
    sign_in(*SCOPES, chain_id="chn_stranger")
    for call in (
        stub.GetTemplate(tpb.GetTemplateRequest(template_id=made.template_id)),
        stub.UpdateTemplate(update(made, display_name="Mine")),
        stub.ArchiveTemplate(tpb.ArchiveTemplateRequest(template_id=made.template_id)),
        stub.RestoreTemplate(tpb.RestoreTemplateRequest(template_id=made.template_id)),
    ):
        error = await refused(call)
        assert (error.kind, error.reason) == (Kind.NOT_FOUND, "TEMPLATE_NOT_FOUND")
    sign_in(*SCOPES, chain_id=house.chain_id)
    assert await stub.GetTemplate(tpb.GetTemplateRequest(template_id=made.template_id)) == made


async def test_only_who_may_write_templates_writes_them(house: Any, stub: Any, sign_in: Any) -> None:
    sign_in("messages:read", chain_id=house.chain_id)
    assert (await refused(stub.CreateTemplate(wanted()))).reason == "SCOPE_MISSING"


async def test_a_text_is_in_the_clients_language_else_a_wider_one_else_the_default(
    house: Any, stub: Any
) -> None:
    made = await stub.CreateTemplate(
        wanted(text("Ready", "en"), text("Prêt", "fr"), text("Prête", "fr-CA"), default_language_code="en")
    )
    for language, body in (
        ("fr-CA", "Prête"),
        ("fr-ca", "Prête"),
        ("fr-BE", "Prêt"),
        ("fr", "Prêt"),
        ("ja", "Ready"),
        ("", "Ready"),
        ("no such", "Ready"),
    ):
        done = await filled(house, made.template_id, known(house, language=language))
        assert done.body == body


async def test_names_are_those_of_client_store_author_and_sender(house: Any, stub: Any) -> None:
    house.profiles.associates["asc_1"] = Associate("asc_1", "Rosa Lind")
    house.profiles.associates["asc_2"] = Associate("asc_2", "Theo Marsh")
    body = (
        "{{sender.name}}: {{client.full_name}}, {{ client.family_name }}, {{store.name}}, {{associate.name}}"
    )
    made = await stub.CreateTemplate(wanted(text(body)))
    client_id = known(house, associate_id="asc_2")
    said = "Maison Aurore: Ada Okafor, Okafor, Maison Aurore Fifth Avenue, "
    assert (await filled(house, made.template_id, client_id, "asc_1")).body == said + "Rosa Lind"
    assert (await filled(house, made.template_id, client_id, "usr_machine")).body == said + "Theo Marsh"


async def test_what_is_filled_in_is_text_and_one_line(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("Dear {{client.given_name}}: {{piece}} {{price}}")))
    client_id = known(house, given_name="{{price}}\nBcc:")
    done = await filled(house, made.template_id, client_id, piece="{{client.family_name}}", price="$5")
    assert done.body == "Dear {{price}} Bcc:: {{client.family_name}} $5"


async def test_a_value_that_nobody_gave_is_named(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted())
    client_id = known(house, given_name="")
    error = await refused(filled(house, made.template_id, client_id, piece="  "))
    assert (error.kind, error.reason) == (Kind.INVALID, "TEMPLATE_VALUE_MISSING")
    assert error.metadata["variables"] == "client.given_name piece"
    assert [one.field for one in error.violations] == ["values.client.given_name", "values.piece"]
    values = {"client.given_name": "Madam", "piece": "ring"}
    done = await filled(house, made.template_id, client_id, **values)
    assert done.body == "Dear Madam, your ring is ready at Maison Aurore Fifth Avenue."


async def test_what_is_known_is_not_replaced_by_what_is_given(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("Dear {{client.given_name}}")))
    done = await filled(house, made.template_id, known(house), **{"client.given_name": "Eve"})
    assert done.body == "Dear Ada"


async def test_values_that_make_a_text_too_long_are_refused(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("{{piece}}")))
    error = await refused(filled(house, made.template_id, known(house), piece="a" * 1601))
    assert (error.reason, error.violations[0].field) == ("FIELD_INVALID", "values")


async def test_a_template_of_another_channel_is_refused(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("Ready."), channel=pb.CHANNEL_WHATSAPP))
    error = await refused(filled(house, made.template_id, known(house)))
    assert (error.reason, error.violations[0].field) == ("FIELD_INVALID", "template_id")
    assert (await refused(filled(house, "tpl_none", known(house)))).reason == "TEMPLATE_NOT_FOUND"


async def test_an_approved_text_gets_its_values_by_number(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text(provider_template_id="HX1"), channel=pb.CHANNEL_WHATSAPP))
    facts, language = await template_facts(house.profiles, house.chain_id, known(house), house.store_id, "")
    async with house.database.transaction(house.chain_id) as tx:
        done = await fill_template(
            tx,
            made.template_id,
            channel=Channel.WHATSAPP,
            language_code=language,
            facts=facts,
            values={"piece": "ring"},
        )
    assert done.provider_template is not None
    assert done.provider_template.provider_template_id == "HX1"
    assert done.provider_template.values == {"1": "Ada", "2": "ring", "3": "Maison Aurore Fifth Avenue"}


async def test_a_preview_shows_the_text_its_segments_and_what_the_gate_says(house: Any, stub: Any) -> None:
    made = await stub.CreateTemplate(wanted(text("Dear {{client.given_name}}, it\u2019s {{piece}}.")))
    client_id = known(house, given_name="Ad\u0101")
    asked = tpb.PreviewTemplateRequest(
        template_id=made.template_id, client_id=client_id, store_id=house.store_id
    )
    shown = await stub.PreviewTemplate(asked)
    assert shown.body == "Dear Ad\u0101, it\u2019s {{piece}}."
    assert list(shown.missing_values) == ["piece"]
    assert (shown.segments, shown.encoding) == (1, "UCS-2")
    assert list(shown.costly_characters) == ["\u0101", "\u2019"]
    assert shown.characters == len(shown.body)
    assert [reason.reason for reason in shown.decision.reasons] == ["NO_PERMISSION"]
    await house.consent(client_id)
    asked.values["piece"] = "yours"
    shown = await stub.PreviewTemplate(asked)
    assert (list(shown.missing_values), shown.decision.verdict) == ([], pb.VERDICT_ALLOW)
    assert await house.conversations(client_id) == []


async def test_a_preview_costs_its_segments_at_the_chains_price_for_the_country(
    house: Any, stub: Any
) -> None:
    prices = (SegmentPrice("US", "USD", 8_300_000), SegmentPrice("", "USD", 50_000_000))
    async with house.database.transaction(house.chain_id) as tx:
        await put_settings(
            tx,
            (await find_written(tx, lock=True)).updated(ChainSettings(segment_prices=prices), etag=""),
            now=house.clock.now(),
        )
    asked = tpb.PreviewTemplateRequest(
        text=text("a" * 200), purpose=pb.PURPOSE_SERVICE, client_id=known(house), store_id=house.store_id
    )
    cost = (await stub.PreviewTemplate(asked)).cost
    assert (cost.currency_code, cost.units, cost.nanos) == ("USD", 0, 16_600_000)
    asked.client_id = known(house, phones=("+442079460101",))
    assert (await stub.PreviewTemplate(asked)).cost.nanos == 100_000_000
    asked.channel = pb.CHANNEL_WHATSAPP
    assert not (await stub.PreviewTemplate(asked)).HasField("cost")


async def test_a_text_that_is_not_saved_is_previewed_as_checked_as_a_saved_one(house: Any, stub: Any) -> None:
    asked = tpb.PreviewTemplateRequest(
        text=text("Hello {{client.given_name}}"),
        purpose=pb.PURPOSE_MARKETING,
        client_id=known(house),
        store_id=house.store_id,
    )
    shown = await stub.PreviewTemplate(asked)
    assert (shown.body, shown.encoding) == ("Hello Ada", "GSM-7")
    asked.text.body = "Hello {{client.age}}"
    error = await refused(stub.PreviewTemplate(asked))
    assert (error.reason, error.violations[0].field) == ("TEMPLATE_INVALID", "text.body")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda asked: asked.ClearField("text"), "template_id"),
        (lambda asked: setattr(asked, "template_id", "tpl_1"), "template_id"),
        (lambda asked: asked.ClearField("purpose"), "purpose"),
        (lambda asked: asked.ClearField("client_id"), "client_id"),
    ],
)
async def test_a_preview_of_nothing_or_of_two_things_is_refused(
    house: Any, stub: Any, change: Callable[[Any], None], field: str
) -> None:
    asked = tpb.PreviewTemplateRequest(
        text=text("Hello"), purpose=pb.PURPOSE_SERVICE, client_id=known(house), store_id=house.store_id
    )
    change(asked)
    error = await refused(stub.PreviewTemplate(asked))
    assert (error.kind, error.violations[0].field) == (Kind.INVALID, field)


async def test_variables_are_listed_with_an_example_each(stub: Any) -> None:
    listed = await stub.ListTemplateVariables(tpb.ListTemplateVariablesRequest())
    names = [one.name for one in listed.variables]
    assert {"client.given_name", "client.family_name", "store.name", "associate.name", "sender.name"} <= {
        *names
    }
    assert all(one.description and one.example for one in listed.variables)
    for name in names:
        assert (await stub.CreateTemplate(wanted(text(f"{{{{{name}}}}}"), display_name=name))).template_id


def test_filling_in_keeps_the_order_of_what_is_missing() -> None:
    done = fill(TemplateText("en", "{{b}} {{a}} {{b}}"), {}, {"a": "1"})
    assert (done.text.body, done.missing) == ("{{b}} 1 {{b}}", ("b",))


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_whatever_is_filled_in_stands_there_as_it_is(values: list[str]) -> None:
    said = [" ".join(value.split()) for value in values]
    done = fill(TemplateText("en", "a {{one}} b {{two}} c"), {"one": values[0]}, {"two": values[1]})
    shown = [value or name for value, name in zip(said, ("{{one}}", "{{two}}"), strict=True)]
    assert done.text.body == f"a {shown[0]} b {shown[1]} c"


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("EN", "en"),
        ("fr_ca", "fr-CA"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("x", ""),
        ("", ""),
    ],
)
def test_language_tags_are_written_one_way(written: str, plain: str) -> None:
    assert plain_language(written) == plain
