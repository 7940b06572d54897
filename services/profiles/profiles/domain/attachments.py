"""Photos and documents of a client: which are taken, and how a type is told from bytes. Must not keep any bytes."""

import enum
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation
from profiles.domain.surprises import NO_SURPRISE, Surprise

HEAD_BYTES = 16  # that a type can be told from


class ContentType(enum.StrEnum):
    """What is taken."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    HEIC = "image/heic"
    PDF = "application/pdf"


# ISO/IEC 14496-12 brands that telephones write, of still pictures in HEVC (23008-12 annex B).
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that were received: under which key they lie, how many they are, and their SHA-256."""

    object_key: str
    byte_count: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A photo or document; `content` is None until it came."""

    attachment_id: str
    client_id: str
    subject_id: str
    file_name: str
    content_type: ContentType
    caption: str
    created_at: datetime
    content: Content | None = None
    surprise: Surprise = NO_SURPRISE


class TypeRefused(ServiceError):
    """Only pictures and PDF are taken."""

    def __init__(self, content_type: str) -> None:
        description = f"is not one of {', '.join(ContentType)}"
        super().__init__(
            Kind.INVALID,
            "ATTACHMENT_TYPE_REFUSED",
            f"content_type: {description}",
            metadata={"content_type": content_type},
            violations=[Violation("content_type", description)],
        )


class TypeMismatch(ServiceError):
    """The bytes are something else than was announced."""

    def __init__(self, announced: ContentType, found: ContentType | None) -> None:
        description = f"is not {announced}" + (f" but {found}" if found else "")
        super().__init__(
            Kind.INVALID,
            "ATTACHMENT_TYPE_MISMATCH",
            f"The content {description}.",
            metadata={"content_type": announced, "found": found or ""},
            violations=[Violation("content", description)],
        )


class TooLarge(ServiceError):
    """More bytes than are taken."""

    def __init__(self, most: int) -> None:
        description = f"has more than {most} bytes"
        super().__init__(
            Kind.INVALID,
            "ATTACHMENT_TOO_LARGE",
            f"The content {description}.",
            metadata={"most_bytes": str(most)},
            violations=[Violation("content", description)],
        )


class AlreadyComplete(ServiceError):
    """The content came before, and it was another one."""

    def __init__(self, attachment_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "ATTACHMENT_COMPLETE",
            "This attachment has its content, and it is not this one. Announce another attachment.",
            metadata={"attachment_id": attachment_id},
        )


class NoContent(ServiceError):
    """The content never came."""

    def __init__(self, attachment_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "ATTACHMENT_EMPTY",
            "The content of this attachment never came.",
            metadata={"attachment_id": attachment_id},
        )


def require_type(content_type: str) -> ContentType:
    """Return the announced type. Raises ATTACHMENT_TYPE_REFUSED."""
    try:
        return ContentType(content_type.partition(";")[0].strip().lower())
    except ValueError as error:
        raise TypeRefused(content_type) from error


def type_of(head: bytes) -> ContentType | None:
    """Return what the first HEAD_BYTES bytes of a file say that it is, None for what is not taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return ContentType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ContentType.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ContentType.WEBP
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return ContentType.HEIC
    if head.startswith(b"%PDF-"):
        return ContentType.PDF
    return None


def require_announced(announced: ContentType, head: bytes) -> None:
    """Refuse bytes that are not of the announced type."""
    if (found := type_of(head)) is not announced:
        raise TypeMismatch(announced, found)
