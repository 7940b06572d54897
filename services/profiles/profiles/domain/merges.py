"""Making two clients one: whose value each field gets, and what taking it back means for each. Pure."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import Kind, ServiceError, Violation
from profiles.domain.clients import Client, PostalAddress

UNDO_WITHIN = timedelta(days=90)


def _said_address(address: Any) -> str:
    if not isinstance(address, PostalAddress):
        return ""
    parts = (*address.lines, address.postal_code, address.locality, address.region, address.country)
    return ", ".join(part for part in parts if part)


# The fields of which a merged client has one value, and how each is said.
_SAID: Mapping[str, Callable[[Any], str]] = {
    "given_name": str,
    "family_name": str,
    "nickname": str,
    "language": str,
    "time_zone": str,
    "home_store_id": str,
    "associate_id": str,
    "secondary_associate_id": str,
    "address": _said_address,
}
FIELDS = tuple(_SAID)


def said(field: str, value: Any) -> str:
    """Return a field's value in words."""
    return _SAID[field](value)


class MergeState(enum.StrEnum):
    """Whether a merge holds."""

    MERGED = "merged"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which two clients differ, and whose value is taken."""

    field: str
    surviving_value: str
    merged_value: str
    chosen_client_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that an undo left with the survivor, and why; `item_id` is empty for a field."""

    kind: str
    item_id: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Two clients made one, and whether that was taken back."""

    merge_id: str
    surviving_client_id: str
    merged_client_id: str
    state: MergeState
    differences: tuple[Difference, ...]
    is_automatic: bool
    actor: str
    merged_at: datetime
    undo_until: datetime
    undone_at: datetime | None = None
    kept: tuple[Kept, ...] = ()

    def require_undoable(self, now: datetime) -> None:
        """Refuse a merge that was taken back, and one that is too old to be."""
        if self.state is MergeState.UNDONE:
            raise MergeUndone(self.merge_id)
        if now > self.undo_until:
            raise MergeTooOld(self.merge_id)


def require_two(surviving_client_id: str, merged_client_id: str) -> None:
    """Refuse a client with itself."""
    if surviving_client_id == merged_client_id:
        raise MergeWithItself


def require_choices(choices: Mapping[str, str], *, surviving_client_id: str, merged_client_id: str) -> None:
    """Refuse a choice of a field that is none, or of somebody who is neither of the two."""
    for field, client_id in choices.items():
        if field not in _SAID:
            raise ChoiceUnknown(f"choices[{field}]", f"is not one of {', '.join(FIELDS)}")
        if client_id not in (surviving_client_id, merged_client_id):
            raise ChoiceUnknown(f"choices[{field}]", "is neither of the two clients")


def united(survivor: Client, merged: Client, choices: Mapping[str, str]) -> tuple[Client, list[Difference]]:
    """Return the survivor with the fields as chosen, else its own unless empty, and where the two differed.

    What a client has many of is not touched here; tags are united, the version is above both.
    """
    differences: list[Difference] = []
    changes: dict[str, Any] = {}
    for field in FIELDS:
        own, other = getattr(survivor, field), getattr(merged, field)
        if said(field, own) == said(field, other):
            continue
        chosen = choices.get(field) or (survivor.client_id if own else merged.client_id)
        if chosen == merged.client_id:
            changes[field] = other
        differences.append(Difference(field, said(field, own), said(field, other), chosen))
    spelled = {tag.casefold() for tag in survivor.tags}
    one = replace(
        survivor,
        **changes,
        tags=(*survivor.tags, *(tag for tag in merged.tags if tag.casefold() not in spelled)),
        version=max(survivor.version, merged.version) + 1,
    )
    if one.secondary_associate_id and one.secondary_associate_id == one.associate_id:
        one = replace(one, secondary_associate_id="")
    return one, differences


def parted(current: Client, before: Client, after: Client, merged: Client) -> tuple[Client, list[Kept]]:
    """Return the survivor as it is without the merge, and the fields that stay as somebody changed them since.

    `before` and `after` are the survivor around the merge, `merged` is the other at that time, `current` the survivor
    now. A field that the merge set goes back, unless it is not any more what the merge set.
    """
    kept: list[Kept] = []
    changes: dict[str, Any] = {}
    for field in FIELDS:
        now, then = getattr(current, field), getattr(after, field)
        if said(field, now) != said(field, then):
            kept.append(Kept(field, "", "Changed after the merge: stays with the survivor as it is now."))
        elif said(field, then) != said(field, getattr(before, field)):
            changes[field] = getattr(before, field)
    own = {tag.casefold() for tag in before.tags}
    added = {tag.casefold() for tag in merged.tags} - own
    tags = tuple(tag for tag in current.tags if tag.casefold() not in added)
    at_merge = own | added
    kept += [
        Kept("tag", "", "Added after the merge: stays with the survivor.")
        for tag in tags
        if tag.casefold() not in at_merge
    ]
    alone = replace(current, **changes, tags=tags)
    if alone.secondary_associate_id and alone.secondary_associate_id == alone.associate_id:
        alone = replace(alone, secondary_associate_id="")
    return alone, kept


class MergeWithItself(ServiceError):
    """Both ids are one client's."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "MERGE_WITH_ITSELF",
            "A client cannot be merged with the same client.",
            violations=[Violation("merged_client_id", "is the survivor")],
        )


class ClientMerged(ServiceError):
    """The client was merged into another one; metadata `surviving_client_id` says into whom."""

    def __init__(self, client_id: str, surviving_client_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_MERGED",
            "This client was merged already. Go on with the survivor.",
            metadata={"client_id": client_id, "surviving_client_id": surviving_client_id},
        )


class ClientErased(ServiceError):
    """The client asked to be forgotten."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_ERASED",
            "This client was erased, or is being erased.",
            metadata={"client_id": client_id},
        )


class ChoiceUnknown(ServiceError):
    """A choice is of no field, or of nobody."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(
            Kind.INVALID,
            "MERGE_CHOICE_UNKNOWN",
            f"{field}: {description}",
            violations=[Violation(field, description)],
        )


class MergeUndone(ServiceError):
    """The merge was taken back already."""

    def __init__(self, merge_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "MERGE_UNDONE",
            "This merge was taken back already.",
            metadata={"merge_id": merge_id},
        )


class MergeTooOld(ServiceError):
    """The time in which a merge can be taken back is over."""

    def __init__(self, merge_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "MERGE_TOO_OLD",
            f"A merge can be taken back within {UNDO_WITHIN.days} days.",
            metadata={"merge_id": merge_id},
        )


class MergeNotLast(ServiceError):
    """A later merge stands on this one; metadata `later_merge_id` says which."""

    def __init__(self, merge_id: str, later_merge_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "MERGE_NOT_LAST",
            "A later merge stands on this one. Take that back first.",
            metadata={"merge_id": merge_id, "later_merge_id": later_merge_id},
        )
