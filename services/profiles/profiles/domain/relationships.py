"""Who belongs to a client: other clients, who see it from their side, and people who are none."""

import enum
from dataclasses import dataclass, replace

from chassis.errors import Kind, ServiceError, Violation, invalid


class RelationshipKind(enum.StrEnum):
    """What the other is to the client."""

    SPOUSE = "spouse"
    PARTNER = "partner"
    CHILD = "child"
    PARENT = "parent"
    SIBLING = "sibling"
    FRIEND = "friend"
    COLLEAGUE = "colleague"
    OTHER = "other"

    @property
    def inverse(self) -> "RelationshipKind":
        """Return what the client is to the other."""
        return _INVERSE.get(self, self)


_INVERSE = {
    RelationshipKind.CHILD: RelationshipKind.PARENT,
    RelationshipKind.PARENT: RelationshipKind.CHILD,
}


@dataclass(frozen=True, slots=True)
class Relationship:
    """Somebody who belongs to a client, seen from the client's side; the id is empty for who is no client."""

    relationship_id: str
    kind: RelationshipKind
    related_client_id: str = ""
    given_name: str = ""
    family_name: str = ""
    note: str = ""


class RelationshipWithItself(ServiceError):
    """A client is to be related to that very client."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "RELATIONSHIP_WITH_ITSELF",
            "A client cannot be related to the same client.",
            violations=[Violation("relationship.related_client_id", "is the client")],
        )


class RelationshipExists(ServiceError):
    """The two are related already."""

    def __init__(self, relationship_id: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "RELATIONSHIP_EXISTS",
            "These two are related already. Remove that first to say it anew.",
            metadata={"relationship_id": relationship_id},
        )


def checked(relationship: Relationship) -> Relationship:
    """Return a relationship as it is kept. Raises INVALID for a person who is no client and has no name."""
    if relationship.related_client_id:
        # The name is the other client's own, as it is there at any time.
        return replace(relationship, given_name="", family_name="")
    given, family = relationship.given_name.strip(), relationship.family_name.strip()
    if not given and not family:
        raise invalid("relationship.given_name", "or family_name or related_client_id is needed")
    return replace(relationship, given_name=given, family_name=family)
