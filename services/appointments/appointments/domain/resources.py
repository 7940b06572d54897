"""Resources: the associates and rooms of a store that can be booked."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, invalid, not_found


class ResourceKind(enum.StrEnum):
    """What a resource is."""

    ASSOCIATE = "ASSOCIATE"
    ROOM = "ROOM"


@dataclass(frozen=True)
class Resource:
    """Somebody or something that a viewing takes; `associate_id` is empty for a room.

    `is_active` is False for an associate who left.
    """

    resource_id: str
    store_id: str
    kind: ResourceKind
    display_name: str
    associate_id: str
    created_at: datetime
    is_active: bool = True


def require_fitting(kind: ResourceKind, associate_id: str) -> None:
    """Refuse an associate without an associate's id and a room with one."""
    if (kind is ResourceKind.ASSOCIATE) != bool(associate_id):
        raise invalid(
            "associate_id",
            "is needed for an associate" if kind is ResourceKind.ASSOCIATE else "is not for rooms",
        )


def require_bookable(
    known: Mapping[str, Resource], *, store_id: str, associate_resource_id: str, room_resource_id: str
) -> None:
    """Refuse resources that are unknown, another store's, not of the kind their field says, or gone."""
    for field, resource_id, kind in (
        ("associate_resource_id", associate_resource_id, ResourceKind.ASSOCIATE),
        ("room_resource_id", room_resource_id, ResourceKind.ROOM),
    ):
        if not resource_id:
            continue
        if (resource := known.get(resource_id)) is None:
            raise not_found("resource", resource_id)
        if resource.kind is not kind or resource.store_id != store_id:
            raise invalid(
                field,
                f"is not {'an associate' if kind is ResourceKind.ASSOCIATE else 'a room'} of this store",
            )
        if not resource.is_active:
            raise AssociateLeft(resource.associate_id)


class AssociateLeft(ServiceError):
    """Nobody can be received by an associate who is no longer with the house."""

    def __init__(self, associate_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "ASSOCIATE_LEFT",
            "This associate has left. Choose another one.",
            metadata={"associate_id": associate_id},
        )


class ResourceExists(ServiceError):
    """The associate is a resource already, of this or another store: nobody is in two places at once."""

    def __init__(self, associate_id: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "RESOURCE_EXISTS",
            "This associate can be booked already.",
            metadata={"associate_id": associate_id},
        )
