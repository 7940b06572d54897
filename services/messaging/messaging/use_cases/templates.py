"""Write templates, and make texts of them for a client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError, invalid, not_found
from chassis.ids import new_id
from messaging.clients import Profiles, Recipient
from messaging.domain import Channel, Purpose, Sender
from messaging.domain.templates import (
    LONGEST_BODY,
    Template,
    TemplateArchived,
    TemplateAsksForKeyword,
    TemplateChanged,
    TemplateNameTaken,
    TemplateText,
    TemplateValueMissing,
    check_texts,
    fill,
)
from messaging.providers import ProviderTemplate
from messaging.reminders import keywords_asked_for
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


@dataclass(frozen=True)
class Content:
    """What somebody wants a template to be, as it came."""

    display_name: str
    purpose: Purpose
    texts: Sequence[TemplateText]
    default_language_code: str
    is_reminder: bool

    def put_into(self, template: Template, now: datetime) -> Template:
        """Return a template with this content, checked. Raises TEMPLATE_INVALID, TEMPLATE_ASKS_FOR_KEYWORD."""
        name = " ".join(self.display_name.split())
        if not name:
            raise invalid("display_name", "says nothing")
        texts, default = check_texts(
            self.texts, channel=template.channel, default_language_code=self.default_language_code
        )
        # An e-mail's answer reaches no carrier, so no word in it has another meaning.
        if self.is_reminder and template.channel.takes_phones:
            asked = {
                f"texts[{index}].body": found
                for index, text in enumerate(texts)
                if (found := keywords_asked_for(text.body))
            }
            if asked:
                raise TemplateAsksForKeyword(asked)
        return replace(
            template,
            display_name=name,
            purpose=self.purpose,
            texts=texts,
            default_language_code=default,
            is_reminder=self.is_reminder,
            updated_at=now,
        )


async def create_template(
    *, database: Database, clock: Clock, chain_id: str, key: RequestKey, channel: Channel, content: Content
) -> Template:
    """Keep a template. Raises TEMPLATE_INVALID, TEMPLATE_ASKS_FOR_KEYWORD, TEMPLATE_NAME_TAKEN."""
    now = clock.now()
    blank = Template("", "", channel, content.purpose, (), "", False, created_at=now, updated_at=now)
    template = content.put_into(blank, now)
    async with database.transaction(chain_id) as tx:
        template_id, is_repeat = await tx.once(key, new_id("tpl"))
        if is_repeat:
            return await get_template(tx, template_id)
        template = replace(template, template_id=template_id)
        if not await templates.add(tx, template):
            raise TemplateNameTaken
        return template


async def update_template(
    *, database: Database, clock: Clock, chain_id: str, template_id: str, etag: str, content: Content
) -> Template:
    """Put another content into a template; the same content again changes nothing.

    Raises what `create_template` does, TEMPLATE_NOT_FOUND, and TEMPLATE_CHANGED for a stale etag.
    """
    async with database.transaction(chain_id) as tx:
        template = await _lock(tx, template_id)
        if etag and etag != template.etag:
            raise TemplateChanged(template_id)
        return await _save(tx, template, content.put_into(template, clock.now()))


async def put_in_use(
    *, database: Database, clock: Clock, chain_id: str, template_id: str, is_archived: bool
) -> Template:
    """Archive a template, or bring it back; a repeat changes nothing.

    Raises TEMPLATE_NOT_FOUND, and TEMPLATE_NAME_TAKEN when another one was called so meanwhile.
    """
    async with database.transaction(chain_id) as tx:
        template = await _lock(tx, template_id)
        return await _save(tx, template, replace(template, is_archived=is_archived, updated_at=clock.now()))


async def _lock(tx: Transaction, template_id: str) -> Template:
    # Ahead of the row: two changes of names may otherwise each miss what the other is about to take.
    await templates.hold_names(tx)
    template = await templates.lock(tx, template_id)
    if template is None:
        raise not_found("template", template_id)
    return template


async def _save(tx: Transaction, template: Template, changed: Template) -> Template:
    if replace(changed, updated_at=template.updated_at) == template:
        return template
    changed = replace(changed, version=template.version + 1)
    if not await templates.save(tx, changed):
        raise TemplateNameTaken
    return changed


async def template_facts(
    profiles: Profiles, chain_id: str, client_id: str, store_id: str, author: str
) -> tuple[dict[str, str], str]:
    """Return what is known for the variables of templates, and the client's language. Asks profiles: before the
    transaction. `client_id` is empty for a number that is nobody's; `author` may be no associate."""
    recipient = await profiles.get_recipient(chain_id, client_id) if client_id else Recipient("", "", ())
    return await facts_of(profiles, chain_id, recipient, store_id, author), recipient.language


async def facts_of(
    profiles: Profiles, chain_id: str, recipient: Recipient, store_id: str, author: str
) -> dict[str, str]:
    """Return the same for a client whom profiles has told of already."""
    return {
        **client_facts(recipient),
        "store.name": await profiles.get_store_name(chain_id, store_id),
        "associate.name": await _associate_name(profiles, chain_id, author)
        or await _associate_name(profiles, chain_id, recipient.associate_id),
    }


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
