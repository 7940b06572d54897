"""What is told to whom: two tables, one for the chain's own people, one for partner brands. Pure data and functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

# Who may see the live events of a producer: whoever may read there.
SCOPE_OF_PRODUCER: Mapping[str, str] = MappingProxyType(
    {
        "profiles": "clients:read",
        "outreach": "queue:read",
        "messaging": "messages:read",
        "waitlist": "waitlist:read",
        "appointments": "appointments:read",
    }
)

# Events that would be too long for a live stream: they come without these lists, with their lengths instead.
LISTS_LEFT_OUT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "carnet.profiles.import_batch.landed.v1": ("clients", "purchases"),
        "carnet.profiles.book.reassigned.v1": ("clients",),
    }
)


@dataclass(frozen=True)
class PartnerRule:
    """What a brand sees of one event type: these fields of the event (or of the message in `inside`), and no others."""

    fields: Sequence[str]
    subject: str
    inside: str = ""


_OFFER_FIELDS = (
    "offer_id",
    "allocation_id",
    "reference_id",
    "reference_code",
    "brand_id",
    "store_id",
    "piece_id",
    "serial",
    "version",
    "expire_time",
)
_OFFER = PartnerRule(_OFFER_FIELDS, subject="piece_id", inside="offer")

# The agreement with partner brands. Never a client's id: the brand does not choose the client and does not learn who.
PARTNER_RULES: Mapping[str, PartnerRule] = MappingProxyType(
    {
        "carnet.waitlist.allocation.received.v1": PartnerRule(
            ("allocation_id", "reference_id", "reference_code", "brand_id", "store_id", "serials"),
            subject="allocation_id",
        ),
        "carnet.waitlist.offer.made.v1": _OFFER,
        "carnet.waitlist.offer.accepted.v1": _OFFER,
        "carnet.waitlist.offer.declined.v1": _OFFER,
        "carnet.waitlist.offer.expired.v1": _OFFER,
        "carnet.waitlist.piece.sold.v1": PartnerRule(
            tuple(name for name in _OFFER_FIELDS if name != "expire_time"), subject="piece_id", inside="offer"
        ),
        "carnet.waitlist.piece.returned.v1": PartnerRule(
            (
                "piece_id",
                "allocation_id",
                "reference_id",
                "reference_code",
                "brand_id",
                "store_id",
                "serial",
                "version",
            ),
            subject="piece_id",
        ),
    }
)


@dataclass(frozen=True)
class FeedRow:
    """One live event; `body` is the JSON that goes out."""

    position: int
    event_id: str
    event_type: str
    body: str


@dataclass(frozen=True)
class PartnerRow:
    """One event as a brand may see it; `data` is JSON."""

    chain_id: str
    brand_id: str
    position: int
    event_id: str
    event_type: str
    subject: str
    data: dict[str, Any]
    event_time: datetime


def live_data(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a live stream tells of an event, given its JSON."""
    left_out = LISTS_LEFT_OUT.get(event_type, ())
    kept = {name: value for name, value in data.items() if name not in left_out}
    return kept | {f"{name}_count": len(data.get(name, ())) for name in left_out}


def partner_data(rule: PartnerRule, event: dict[str, Any]) -> dict[str, Any]:
    """Return what a brand sees of an event, given its JSON."""
    source = event.get(rule.inside, {}) if rule.inside else event
    return {name: source[name] for name in rule.fields if name in source}


def cloud_event(row: PartnerRow) -> dict[str, Any]:
    """Return the CloudEvents 1.0 document of a partner's event; the same in webhooks and in the cursor feed."""
    return {
        "specversion": "1.0",
        "id": row.event_id,
        "source": f"carnet/{row.chain_id}/waitlist",
        "type": row.event_type,
        "time": row.event_time.isoformat().replace("+00:00", "Z"),
        "subject": row.subject,
        "datacontenttype": "application/json",
        "data": row.data,
    }


def scopes_to_see(event_type: str) -> str:
    """Return the scope that the live events of this type's producer need."""
    return SCOPE_OF_PRODUCER[event_type.split(".")[1]]
