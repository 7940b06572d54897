"""The contract's side of templates."""

from collections.abc import Iterable
from typing import Any

from carnet.messaging.v1 import templates_pb2 as pb
from carnet.messaging.v1 import templates_pb2_grpc

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from messaging.domain.templates import VARIABLES, Template, TemplateText
from messaging.events import channel_number, purpose_number
from messaging.grpc_api.rendering import author_of, channel_of, decision_message, purpose_of
from messaging.parts import Parts
from messaging.store import templates
from messaging.use_cases import previews
from messaging.use_cases import templates as template_cases

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class TemplatesServicer(templates_pb2_grpc.TemplatesServiceServicer):
    """Serves carnet.messaging.v1.TemplatesService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateTemplate(self, request: pb.CreateTemplateRequest, context: _Context) -> pb.Template:
        template = await template_cases.create_template(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            key=RequestKey.of(request),
            channel=channel_of(request.channel),
            content=_content(request),
        )
        return template_message(template)

    async def UpdateTemplate(self, request: pb.UpdateTemplateRequest, context: _Context) -> pb.Template:
        template = await template_cases.update_template(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            template_id=request.template_id,
            etag=request.etag,
            content=_content(request),
        )
        return template_message(template)

    async def GetTemplate(self, request: pb.GetTemplateRequest, context: _Context) -> pb.Template:
        async with self._parts.database.transaction(current_caller().chain_id) as tx:
            return template_message(await template_cases.get_template(tx, request.template_id))

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: _Context
    ) -> pb.ListTemplatesResponse:
        size = page_size_of(request.page_size)
        after = decode_page_token(request.page_token, str)
        async with self._parts.database.transaction(current_caller().chain_id) as tx:
            found = await templates.page(
                tx,
                channel=channel_of(request.channel) if request.channel else None,
                purpose=purpose_of(request.purpose) if request.purpose else None,
                include_archived=request.include_archived,
                after=str(after[0]) if after else "",
                most=size + 1,
            )
        page, token = cut_page(found, size, lambda one: (one.template_id,))
        return pb.ListTemplatesResponse(templates=map(template_message, page), next_page_token=token)

    async def ArchiveTemplate(self, request: pb.ArchiveTemplateRequest, context: _Context) -> pb.Template:
        return await self._put_in_use(request.template_id, is_archived=True)

    async def RestoreTemplate(self, request: pb.RestoreTemplateRequest, context: _Context) -> pb.Template:
        return await self._put_in_use(request.template_id, is_archived=False)

    async def _put_in_use(self, template_id: str, *, is_archived: bool) -> pb.Template:
        template = await template_cases.put_in_use(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            template_id=template_id,
            is_archived=is_archived,
        )
        return template_message(template)

    async def PreviewTemplate(
        self, request: pb.PreviewTemplateRequest, context: _Context
    ) -> pb.TemplatePreview:
        caller = current_caller()
        if bool(request.template_id) == request.HasField("text"):
            raise invalid("template_id", "or text must be there, and not both")
        if request.HasField("text") and not request.purpose:
            raise invalid("purpose", "is needed with a text that is not saved")
        preview = await previews.preview_template(
            self._parts,
            caller=caller,
            template_id=request.template_id,
            text=_text(request.text) if request.HasField("text") else None,
            purpose=purpose_of(request.purpose) if request.purpose else None,
            channel=channel_of(request.channel),
            client_id=request.client_id,
            store_id=request.store_id,
            values=request.values,
            language_code=request.language_code,
            author=author_of(caller),
        )
        return pb.TemplatePreview(
            body=preview.body,
            subject=preview.subject,
            language_code=preview.language_code,
            characters=len(preview.body),
            segments=preview.segments,
            encoding=preview.encoding,
            costly_characters=preview.costly_characters,
            cost=preview.cost,
            missing_values=preview.missing,
            decision=decision_message(preview.decision),
        )

    async def ListTemplateVariables(
        self, request: pb.ListTemplateVariablesRequest, context: _Context
    ) -> pb.ListTemplateVariablesResponse:
        return pb.ListTemplateVariablesResponse(
            variables=[
                pb.TemplateVariable(name=one.name, description=one.description, example=one.example)
                for one in VARIABLES.values()
            ]
        )


def _content(request: pb.CreateTemplateRequest | pb.UpdateTemplateRequest) -> template_cases.Content:
    return template_cases.Content(
        display_name=request.display_name,
        purpose=purpose_of(request.purpose),
        texts=_texts(request.texts),
        default_language_code=request.default_language_code,
        is_reminder=request.is_reminder,
    )


def _texts(texts: Iterable[pb.TemplateText]) -> list[TemplateText]:
    return [_text(text) for text in texts]


def _text(text: pb.TemplateText) -> TemplateText:
    return TemplateText(text.language_code, text.body, text.subject, text.provider_template_id)


def template_message(template: Template) -> pb.Template:
    """Return a template as the contract says it."""
    return pb.Template(
        template_id=template.template_id,
        display_name=template.display_name,
        channel=channel_number(template.channel),
        purpose=purpose_number(template.purpose),
        texts=[
            pb.TemplateText(
                language_code=text.language_code,
                body=text.body,
                subject=text.subject,
                provider_template_id=text.provider_template_id,
            )
            for text in template.texts
        ],
        default_language_code=template.default_language_code,
        variables=template.variables,
        is_reminder=template.is_reminder,
        is_archived=template.is_archived,
        etag=template.etag,
        create_time=timestamp_of(template.created_at),
        update_time=timestamp_of(template.updated_at),
    )
