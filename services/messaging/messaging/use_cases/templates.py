"""Write templates, and make texts of them for a client."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.database import Transaction
from chassis.errors import Kind, ServiceError, invalid, not_found
from messaging.clients import Profiles, Recipient
from messaging.domain import Channel, Purpose, Sender
from messaging.domain.templates import (
    LONGEST_BODY,
    Template,
    TemplateArchived,
    TemplateText,
    TemplateValueMissing,
    fill,
)
from messaging.providers import ProviderTemplate
from messaging.store import templates


@dataclass(frozen=True)
class FilledTemplate:
    """What a template is for one client, ready to be sent; its purpose is the template's."""

    body: str = field(repr=False)
    subject: str = field(repr=False)
    language_code: str
    purpose: Purpose
    is_reminder: bool
    provider_template: ProviderTemplate | None = None


async def template_facts(
    profiles: Profiles, chain_id: str, client_id: str, store_id: str, author: str
) -> tuple[dict[str, str], str]:
    """Return what is known for the variables of templates, and the client's language. Asks profiles: before the
    transaction. `client_id` is empty for a number that is nobody's; `author` may be no associate."""
    recipient = await profiles.get_recipient(chain_id, client_id) if client_id else Recipient("", "", ())
    facts = client_facts(recipient)
    facts["store.name"] = await profiles.get_store_name(chain_id, store_id)
    facts["associate.name"] = await _associate_name(profiles, chain_id, author) or await _associate_name(
        profiles, chain_id, recipient.associate_id
    )
    return facts, recipient.language


def client_facts(recipient: Recipient) -> dict[str, str]:
    """Return what is known of the client alone."""
    return {
        "client.given_name": recipient.given_name,
        "client.family_name": recipient.family_name,
        "client.full_name": f"{recipient.given_name} {recipient.family_name}".strip(),
    }


def sender_facts(sender: Sender) -> dict[str, str]:
    """Return what is known of what a text goes out from."""
    return {"sender.name": sender.display_name}


async def _associate_name(profiles: Profiles, chain_id: str, associate_id: str) -> str:
    if not associate_id.startswith("asc_"):
        return ""
    try:
        return (await profiles.get_associate(chain_id, associate_id)).display_name
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return ""


async def fill_template(
    tx: Transaction,
    template_id: str,
    *,
    channel: Channel,
    language_code: str,
    facts: Mapping[str, str],
    values: Mapping[str, str],
    sender: Sender | None = None,
) -> FilledTemplate:
    """Return the text that a template is for one client; `sender`, once known, gives `sender.name`.

    Raises TEMPLATE_NOT_FOUND, TEMPLATE_ARCHIVED, TEMPLATE_VALUE_MISSING, and FIELD_INVALID for another channel's
    template, or a text that its values make too long.
    """
    template = await get_template(tx, template_id)
    if template.is_archived:
        raise TemplateArchived(template_id)
    if template.channel is not channel:
        raise invalid("template_id", f"is a template for {template.channel}, not for {channel}")
    written = template.text_for(language_code)
    filled = fill(written, {**(sender_facts(sender) if sender else {}), **facts}, values)
    if filled.missing:
        raise TemplateValueMissing(filled.missing)
    if len(filled.text.body) > LONGEST_BODY[channel]:
        raise invalid("values", f"make the text longer than {LONGEST_BODY[channel]} characters")
    return FilledTemplate(
        body=filled.text.body,
        subject=filled.text.subject,
        language_code=written.language_code,
        purpose=template.purpose,
        is_reminder=template.is_reminder,
        provider_template=_provider_template(written, filled.values),
    )


def _provider_template(written: TemplateText, values: Mapping[str, str]) -> ProviderTemplate | None:
    """Return the approved text with its values, which the network knows by number: in the order of the body."""
    if not written.provider_template_id:
        return None
    numbered = {str(number): values[name] for number, name in enumerate(written.variables, start=1)}
    return ProviderTemplate(written.provider_template_id, numbered)


async def get_template(tx: Transaction, template_id: str) -> Template:
    """Return one template. Raises TEMPLATE_NOT_FOUND."""
    template = await templates.find(tx, template_id)
    if template is None:
        raise not_found("template", template_id)
    return template
