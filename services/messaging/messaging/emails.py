"""What an e-mail says about itself: its id, the way back for bounces, and the way out. Pure.

RFC 5322, RFC 2369 and RFC 8058 (List-Unsubscribe with one click), RFC 3464 (what comes back). Message-ID and return
path name the chain and our reference, so that whatever comes back finds its message. Must not send anything.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import EmailPolicy
from email.utils import format_datetime

from messaging.domain import Purpose
from messaging.links import Links
from messaging.providers import Text

UNSUBSCRIBE = "unsubscribe"
# Laws ask for a month at least; people find old e-mails.
UNSUBSCRIBE_TIME = timedelta(days=5 * 366)
_WAY_OUT = "List-Unsubscribe"
_CHAIN, _MESSAGE = "chn_", "msg_"
_LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@(?:[^\s@<>()\[\],;:\\\"._-][^\s@<>()\[\],;:\\\"]*)")
_URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")
_RETURN = re.compile(r"b\.([a-z0-9_]+)\.([a-z0-9_]+(?:\.[0-9]+)?)")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})")
_MESSAGE_ID = re.compile(r"<([a-z0-9_]+)\.(msg_[a-z0-9_]+(?:\.[0-9]+)?)@[^<>\s]+>")


class _Unfolded(EmailPolicy):
    """Leaves the way out in one line: folded, a long address becomes encoded words, which no mail program takes for one
    (RFC 2369)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return a header's line."""
        if name == _WAY_OUT:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Unfolded(linesep="\r\n")


@dataclass(frozen=True)
class Attachment:
    """A picture with its bytes."""

    content: bytes = field(repr=False)
    content_type: str
    file_name: str


class AddressRefused(ValueError):
    """Not an address that a mail server would be told."""


def is_email(address: str) -> bool:
    """Return whether something is an e-mail address that can be written to."""
    local, _, domain = address.rpartition("@")
    return (
        len(address) <= 254
        and address.isascii()
        and address.isprintable()
        and _ADDRESS.fullmatch(address) is not None
        and "." in domain
        and ".." not in address
        and not (local.startswith(".") or local.endswith(".") or domain.endswith((".", "-")))
    )


def unsubscribe_url(text: Text, links: Links, now: datetime) -> str:
    """Return the reader's way out; empty for what is written to one person."""
    leaves = text.purpose is Purpose.MARKETING or (text.purpose is Purpose.SERVICE and text.is_for_many)
    if not leaves or text.purpose is None or not text.conversation_id:
        return ""
    return links.address(
        UNSUBSCRIBE,
        text.chain_id,
        text.conversation_id,
        text.reference.partition(".")[0],
        text.purpose.value,
        expires_at=now + UNSUBSCRIBE_TIME,
    )


def message_id_of(text: Text) -> str:
    """Return the Message-ID, which is the same for each try of an attempt."""
    domain = text.from_phone.rpartition("@")[2]
    return f"<{text.chain_id}.{text.reference}@{domain}>"


def return_path_of(text: Text, return_domain: str) -> str:
    """Return where bounces go: an address that names the attempt, else the sender's own."""
    chain, reference = text.chain_id.removeprefix(_CHAIN), text.reference.removeprefix(_MESSAGE)
    local = f"b.{chain}.{reference}"
    return (
        f"{local}@{return_domain}" if return_domain and len(local) <= _LONGEST_LOCAL_PART else text.from_phone
    )


def compose(
    text: Text, *, way_out: str, now: datetime, attachments: Sequence[Attachment] = ()
) -> EmailMessage:
    """Return the e-mail of a text, as plain text and as simple HTML. Raises AddressRefused.

    Nothing that somebody wrote can end a header: line ends in it are blanks, and addresses that are none are refused.
    """
    for address in (text.from_phone, text.to_phone):
        if not is_email(address):
            raise AddressRefused
    composed = EmailMessage(policy=_POLICY)
    composed["From"] = Address(display_name=_one_line(text.sender_name), addr_spec=text.from_phone)
    composed["To"] = Address(addr_spec=text.to_phone)
    composed["Subject"] = _one_line(text.subject) or _one_line(text.sender_name)
    composed["Date"] = format_datetime(now)
    composed["Message-ID"] = message_id_of(text)
    if way_out:
        composed[_WAY_OUT] = f"<{way_out}>"
        composed["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    composed.set_content(
        text.body + (f"\n\n--\nNo more of these: {way_out}\n" if way_out else "\n"), cte="quoted-printable"
    )
    composed.add_alternative(_html(text.body, way_out), subtype="html", cte="quoted-printable")
    for attachment in attachments:
        main, _, sub = attachment.content_type.partition("/")
        composed.add_attachment(
            attachment.content, maintype=main, subtype=sub, filename=_one_line(attachment.file_name) or None
        )
    return composed


def _html(body: str, way_out: str) -> str:
    paragraphs = [
        "<p>" + "<br>".join(_linked(line) for line in paragraph.splitlines()) + "</p>"
        for paragraph in re.split(r"\n\s*\n", body.strip())
    ]
    foot = (
        f'<p style="color:#666;font-size:small"><a href="{html.escape(way_out)}">No more of these</a></p>'
        if way_out
        else ""
    )
    return f'<!doctype html><html><body style="font-family:sans-serif">{"".join(paragraphs)}{foot}</body></html>\n'


def _linked(line: str) -> str:
    said, at = "", 0
    for found in _URL.finditer(line):
        url = html.escape(found[0])
        said += html.escape(line[at : found.start()]) + f'<a href="{url}">{url}</a>'
        at = found.end()
    return said + html.escape(line[at:])


def _one_line(words: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in words).split())


@dataclass(frozen=True)
class Bounce:
    """What came back about an e-mail of ours. `status` is that of RFC 3463, such as 5.1.1."""

    chain_id: str
    reference: str
    action: str
    status: str


def read_bounce(raw: bytes, return_domain: str) -> Bounce | None:
    """Return what a delivery status notification says of an e-mail of ours; None for any other e-mail."""
    notice = BytesParser(policy=policy.default).parsebytes(raw)
    if notice.get_content_type() != "multipart/report":
        return None
    attempt = _attempt_in(notice, return_domain)
    if attempt is None:
        return None
    for part in notice.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        for block in blocks if isinstance(blocks, list) else ():
            if not isinstance(block, Message):
                continue
            action = str(block.get("Action", "")).strip().lower()
            status = _STATUS.match(str(block.get("Status", "")))
            if action and status:
                return Bounce(*attempt, action, status[1])
    return None


def _attempt_in(notice: EmailMessage, return_domain: str) -> tuple[str, str] | None:
    """Return chain and reference: of the address that the notice was sent to, else of the e-mail that it returns."""
    for name in ("Delivered-To", "X-Original-To", "Envelope-To", "To"):
        for value in notice.get_all(name, ()):
            for address in re.findall(r"[^\s<>,\"]+@[^\s<>,\"]+", str(value)):
                local, _, domain = address.rpartition("@")
                found = _RETURN.fullmatch(local.lower())
                if found and return_domain and domain.lower() == return_domain.lower():
                    return _CHAIN + found[1].removeprefix(_CHAIN), _MESSAGE + found[2].removeprefix(_MESSAGE)
    for part in notice.walk():
        if part.get_content_type() not in ("message/rfc822", "text/rfc822-headers"):
            continue
        found = _MESSAGE_ID.search(_head_of(part))
        if found:
            return found[1], found[2]
    return None


def _head_of(part: Message) -> str:
    if part.get_content_type() == "text/rfc822-headers":
        content = part.get_payload(decode=True)
        return content.decode(errors="replace") if isinstance(content, bytes) else ""
    inner = part.get_payload()
    original = inner[0] if isinstance(inner, list) and inner else None
    return str(original.get("Message-ID", "")) if isinstance(original, Message) else ""
