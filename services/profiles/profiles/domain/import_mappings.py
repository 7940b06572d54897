"""Saved mappings: how the files of one source are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation
from profiles.domain.imports import DateOrder, ImportFormat


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """How files of a source are read; the fields are those of an import."""

    import_mapping_id: str
    display_name: str
    source: str
    format: ImportFormat
    delimiter: str
    columns: Mapping[str, str]
    date_order: DateOrder | None
    encoding: str
    created_at: datetime
    updated_at: datetime


class MappingNameTaken(ServiceError):
    """Another mapping has this name."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "MAPPING_NAME_TAKEN",
            "Another mapping has this name.",
            violations=[Violation("display_name", "is taken")],
        )
