"""Pictures of messages: which are taken, and how a type is told from bytes. Pure."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation

HEAD_BYTES = 16  # that a type can be told from


class PictureType(enum.StrEnum):
    """What may be announced; carriers turn all of them into what a phone shows."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"
    WEBP = "image/webp"


class MediaState(enum.StrEnum):
    """Whether the bytes are here."""

    PENDING = "PENDING"
    STORED = "STORED"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Medium:
    """A picture. Its bytes lie under `object_key`; `source_url` is where the network keeps an inbound one."""

    media_id: str
    content_type: str
    file_name: str = field(repr=False)
    state: MediaState
    created_at: datetime
    byte_count: int = 0
    content_hash: str = ""
    object_key: str = ""
    provider: str = ""
    source_url: str = field(default="", repr=False)


class MediaTypeRefused(ServiceError):
    """Only pictures are taken."""

    def __init__(self, content_type: str) -> None:
        description = f"is not one of {', '.join(PictureType)}"
        super().__init__(
            Kind.INVALID, "MEDIA_TYPE_REFUSED", f"content_type: {description}",
            metadata={"content_type": content_type}, violations=[Violation("content_type", description)],
        )  # fmt: skip


class MediaTypeMismatch(ServiceError):
    """The bytes are something else than was announced."""

    def __init__(self, announced: str, found: PictureType | None) -> None:
        description = f"is not {announced}" + (f" but {found}" if found else "")
        super().__init__(
            Kind.INVALID, "MEDIA_TYPE_MISMATCH", f"The content {description}.",
            metadata={"content_type": announced, "found": found or ""},
            violations=[Violation("content", description)],
        )  # fmt: skip


class MediaTooLarge(ServiceError):
    """More bytes than carriers take."""

    def __init__(self, most: int, field_name: str = "content") -> None:
        description = f"has more than {most} bytes, which is the most that carriers take in a message"
        super().__init__(
            Kind.INVALID, "MEDIA_TOO_LARGE", f"{field_name}: {description}.",
            metadata={"most_bytes": str(most)}, violations=[Violation(field_name, description)],
        )  # fmt: skip


class MediaComplete(ServiceError):
    """The content came before, and it was another one."""

    def __init__(self, media_id: str) -> None:
        super().__init__(
            Kind.CONFLICT, "MEDIA_COMPLETE",
            "This picture has its content, and it is not this one. Announce another picture.",
            metadata={"media_id": media_id},
        )  # fmt: skip


class MediaEmpty(ServiceError):
    """The content never came."""

    def __init__(self, media_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION, "MEDIA_EMPTY", "The content of this picture has not come.",
            metadata={"media_id": media_id},
        )  # fmt: skip


class MediaRefused(ServiceError):
    """A picture that cannot go out here."""

    def __init__(self, why: str, media_id: str = "") -> None:
        super().__init__(
            Kind.PRECONDITION, "MEDIA_REFUSED", f"This picture cannot be sent: {why}.",
            metadata={"media_id": media_id} if media_id else {},
        )  # fmt: skip


def require_type(content_type: str) -> PictureType:
    """Return the announced type. Raises MEDIA_TYPE_REFUSED."""
    try:
        return PictureType(content_type.partition(";")[0].strip().lower())
    except ValueError as error:
        raise MediaTypeRefused(content_type) from error


def type_of(head: bytes) -> PictureType | None:
    """Return what the first HEAD_BYTES bytes of a file say that it is, None for what is not taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return PictureType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PictureType.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return PictureType.GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return PictureType.WEBP
    return None


def require_announced(announced: str, head: bytes) -> None:
    """Refuse bytes that are not of the announced type."""
    if (found := type_of(head)) != announced:
        raise MediaTypeMismatch(announced, found)
