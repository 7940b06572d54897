"""Templates, each a row with its texts. Must not check them."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Channel, Purpose
from messaging.domain.templates import Template, TemplateText

_COLUMNS = (
    "template_id, display_name, channel, purpose, texts, default_language_code, is_reminder, is_archived, version,"
    " created_at, updated_at"
)


async def add(tx: Transaction, template: Template) -> bool:
    """Write a template down; False when its name is taken."""
    added = await tx.execute(
        f"insert into templates (chain_id, {_COLUMNS}) values (:chain_id, :template_id, :display_name, :channel,"
        " :purpose, cast(:texts as jsonb), :default_language_code, :is_reminder, :is_archived, :version, :created_at,"
        " :updated_at) on conflict (chain_id, channel, lower(display_name)) where not is_archived do nothing",
        _parameters(tx, template),
    )
    return bool(added.rowcount)


async def save(tx: Transaction, template: Template) -> bool:
    """Write down what a locked template is now; False when its name is taken."""
    if not template.is_archived:
        found = await tx.execute(
            "select 1 from templates where chain_id = :chain_id and channel = :channel and not is_archived"
            " and lower(display_name) = lower(:display_name) and template_id <> :template_id",
            _parameters(tx, template),
        )
        if found.first() is not None:
            return False
    await tx.execute(
        "update templates set display_name = :display_name, purpose = :purpose, texts = cast(:texts as jsonb),"
        " default_language_code = :default_language_code, is_reminder = :is_reminder, is_archived = :is_archived,"
        " version = :version, updated_at = :updated_at where chain_id = :chain_id and template_id = :template_id",
        _parameters(tx, template),
    )
    return True


async def find(tx: Transaction, template_id: str) -> Template | None:
    """Return one template."""
    return await _find(tx, template_id, "")


async def lock(tx: Transaction, template_id: str) -> Template | None:
    """Return one template for a change, once nobody else changes it."""
    return await _find(tx, template_id, "for update")


async def _find(tx: Transaction, template_id: str, rest: str) -> Template | None:
    found = await tx.execute(
        f"select {_COLUMNS} from templates where chain_id = :chain_id and template_id = :template_id {rest}",
        {"chain_id": tx.chain_id, "template_id": template_id},
    )
    row = found.one_or_none()
    return None if row is None else _template(row)


async def hold_names(tx: Transaction) -> None:
    """Wait until nobody else names a template of the chain."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(:key, 0))", {"key": f"templates {tx.chain_id}"}
    )


async def page(
    tx: Transaction,
    *,
    channel: Channel | None,
    purpose: Purpose | None,
    include_archived: bool,
    after: str,
    most: int,
) -> Sequence[Template]:
    """Return up to `most` templates by name, after the one with an id."""
    found = await tx.execute(
        f"select {_COLUMNS} from templates where chain_id = :chain_id"
        " and (cast(:channel as text) is null or channel = :channel)"
        " and (cast(:purpose as text) is null or purpose = :purpose)"
        " and (cast(:include_archived as boolean) or not is_archived)"
        " and (cast(:after as text) = '' or (lower(display_name), template_id) > (select lower(t.display_name),"
        "  t.template_id from templates t where t.chain_id = :chain_id and t.template_id = :after))"
        " order by lower(display_name), template_id limit :most",
        {
            "chain_id": tx.chain_id,
            "channel": channel,
            "purpose": purpose,
            "include_archived": include_archived,
            "after": after,
            "most": most,
        },
    )
    return [_template(row) for row in found]


def _parameters(tx: Transaction, template: Template) -> dict[str, Any]:
    return {
        "chain_id": tx.chain_id,
        "template_id": template.template_id,
        "display_name": template.display_name,
        "channel": template.channel,
        "purpose": template.purpose,
        "texts": json.dumps(
            [
                {
                    "language_code": text.language_code,
                    "body": text.body,
                    "subject": text.subject,
                    "provider_template_id": text.provider_template_id,
                }
                for text in template.texts
            ]
        ),
        "default_language_code": template.default_language_code,
        "is_reminder": template.is_reminder,
        "is_archived": template.is_archived,
        "version": template.version,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }


def _template(row: Row[Any]) -> Template:
    texts = json.loads(row.texts) if isinstance(row.texts, str) else row.texts
    return Template(
        **{
            **row._mapping,
            "channel": Channel(row.channel),
            "purpose": Purpose(row.purpose),
            "texts": tuple(TemplateText(**text) for text in texts),
        }
    )
