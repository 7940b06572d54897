"""Connections to other systems: which, how often, and what their records are as lines of an import."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import Kind, ServiceError, Violation

DEFAULT_INTERVAL_MINUTES = 15
# Business Central stamps a record before its transaction commits; what was stamped earlier may appear a little later.
# Reading a few minutes again costs nothing but the reading: known records change nothing.
OVERLAP = timedelta(minutes=5)
# Only a posted invoice is a sale; a draft is not one yet, and a cancelled one is none any more.
POSTED = frozenset({"Open", "Paid"})
CANCELLED = frozenset({"Canceled"})
_NO_DAY = "0001-01-01"


class ConnectorState(enum.StrEnum):
    """Whether a connector runs on its schedule."""

    ACTIVE = "active"
    PAUSED = "paused"


class RunState(enum.StrEnum):
    """How far a run is."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Connector:
    """A chain's Business Central. The secret is only ever held encrypted."""

    connector_id: str
    display_name: str
    source: str
    tenant_id: str
    environment: str
    client_id: str
    encrypted_secret: bytes = field(repr=False)
    company_id: str
    store_id: str
    interval_minutes: int
    state: ConnectorState
    delta_times: Mapping[str, datetime]
    next_run_at: datetime
    last_failure: str
    created_at: datetime

    def since(self, entity: str) -> datetime | None:
        """Return from when on an entity is to be read; None for everything."""
        newest = self.delta_times.get(entity)
        return None if newest is None else newest - OVERLAP


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run did so far."""

    records_read: int = 0
    clients_created: int = 0
    purchases_created: int = 0
    records_refused: int = 0
    waits: int = 0


@dataclass(frozen=True, slots=True)
class ConnectorRun:
    """One reading of a connector."""

    connector_run_id: str
    connector_id: str
    state: RunState
    tally: Tally
    failure: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Item:
    """A piece as the other system's catalogue has it."""

    item_id: str
    number: str
    display_name: str
    category: str


class ConnectorNameTaken(ServiceError):
    """Another connector of the chain has this name; case does not matter."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "CONNECTOR_NAME_TAKEN",
            "Another connector has this name.",
            violations=[Violation("display_name", "is taken")],
        )


class CompanyMissing(ServiceError):
    """A connector cannot run before a company is chosen."""

    def __init__(self, connector_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CONNECTOR_COMPANY_MISSING",
            "Choose a company first: ListConnectorCompanies says which there are.",
            metadata={"connector_id": connector_id},
            violations=[Violation("company_id", "is empty")],
        )


CUSTOMER_FIELDS = (
    "client_external_id", "full_name", "phone", "email", "address_line_1", "address_line_2", "locality", "region",
    "postal_code", "country",
)  # fmt: skip
INVOICE_FIELDS = (
    "client_external_id", "purchase_external_id", "purchase_date", "amount", "quantity", "currency_code", "category",
    "description", "reference",
)  # fmt: skip


def item_of(record: Mapping[str, Any]) -> Item:
    """Return a record of `items` as a piece of the catalogue."""
    return Item(
        _text(record, "id"),
        _text(record, "number"),
        _text(record, "displayName"),
        _text(record, "itemCategoryCode"),
    )


def customer_line(record: Mapping[str, Any]) -> dict[str, str]:
    """Return a record of `customers` as a line of an import of clients."""
    return {
        "client_external_id": _text(record, "id"),
        "full_name": _text(record, "displayName"),
        "phone": _text(record, "phoneNumber"),
        "email": _text(record, "email"),
        "address_line_1": _text(record, "addressLine1"),
        "address_line_2": _text(record, "addressLine2"),
        "locality": _text(record, "city"),
        "region": _text(record, "state"),
        "postal_code": _text(record, "postalCode"),
        "country": _text(record, "country"),
    }


def invoice_lines(record: Mapping[str, Any], items: Mapping[str, Item]) -> Iterator[dict[str, str]]:
    """Yield the lines of a posted record of `salesInvoices`, with its salesInvoiceLines, as lines of an import.

    Amounts are those with tax: what the client paid. Lines of comments, charges of nothing and drafts yield nothing.
    """
    if _text(record, "status") not in POSTED:
        return
    day = next(
        (
            value
            for name in ("invoiceDate", "postingDate")
            if (value := _text(record, name)) and value != _NO_DAY
        ),
        "",
    )
    for line in record.get("salesInvoiceLines") or ():
        amount, quantity = line.get("amountIncludingTax") or 0, line.get("quantity") or 0
        if _text(line, "lineType") == "Comment" or not amount:
            continue
        item = items.get(_text(line, "itemId"))
        yield {
            "client_external_id": _text(record, "customerId"),
            "purchase_external_id": _text(record, "id"),
            "purchase_date": day,
            "amount": str(amount),
            # Pieces are whole; a service of 1.5 hours is one thing.
            "quantity": str(int(quantity)) if quantity >= 1 and quantity == int(quantity) else "1",
            "currency_code": _text(record, "currencyCode"),
            "category": item.category.lower() if item else "",
            "description": _text(line, "description") or (item.display_name if item else ""),
            "reference": item.number if item else _text(line, "lineObjectNumber"),
        }


def modified_at(record: Mapping[str, Any]) -> datetime | None:
    """Return when a record was changed last, None when it does not say so in ISO 8601."""
    try:
        moment = datetime.fromisoformat(_text(record, "lastModifiedDateTime").replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return "" if value is None else str(value).strip()
