"""Import mappings on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ImportMappingCalls:
    """The RPCs on import mappings."""

    _database: Database
    _clock: Clock
