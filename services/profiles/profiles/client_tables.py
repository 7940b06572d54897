"""Which tables hold something of a client, in which columns, and what a merge, an export and an erasure make of it.

Whoever adds a table adds a line here; tests/test_client_tables.py compares it with the database and fails for a table,
or a column with clients' ids, that is not declared. Merges re-point `owner` and `mentions`, exports write `section`,
erasures follow `fate`. Must not run any SQL.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from profiles.domain.erasures import (
    ACCOUNTABILITY_BASIS,
    CASH_BASIS,
    CONSENTS_BASIS,
    PURCHASES_BASIS,
    REPAIRS_BASIS,
    TOMBSTONE_BASIS,
)


class Fate(enum.StrEnum):
    """What becomes of a client's own rows when the client is erased."""

    GONE = "gone"
    # The row stays for the reason in `basis`, without what tells who it was.
    EMPTIED = "emptied"
    # Ids, times and amounts only: nothing in it tells who it was.
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class ClientTable:
    """A table that holds something of a client.

    `key` names a row beside chain_id. `owner` is the column that says whose row it is; a table without one (`owner` is
    empty) hangs on `parent`, whose single key it has under the same name. `mentions` are columns with the id of another
    client, `mention_lists` the same as arrays; in an array that is the `owner`, every client in it owns the row.
    """

    name: str
    key: tuple[str, ...]
    fate: Fate
    owner: str = "client_id"
    parent: str = ""
    mentions: tuple[str, ...] = ()
    mention_lists: tuple[str, ...] = ()
    # For GONE only: the condition, as SQL, under which a row stays EMPTIED nevertheless.
    stays_while: str = ""
    # One row for both sides: the mentioned client's as much as the owner's. Elsewhere an erasure empties a mention.
    is_shared: bool = False
    # The runtime role may not change or delete rows: a merge leaves them and reads them through client_aliases.
    is_append_only: bool = False
    # Why a merge leaves the rows where they are, although it could move them.
    left_by_merges: str = ""
    # The name of the file in an export; not exported when empty, and `why_not_exported` says why.
    section: str = ""
    why_not_exported: str = ""
    # Only in an export that stays in the house.
    is_house_only: bool = False
    # A further condition, as SQL, by which an index finds the rows of the clients in `:ids`.
    found_by: str = ""
    # Whether a surprise has a last day; one without holds until somebody ends it.
    surprise_ends: bool = True
    # What columns become in the client's own copy while the row is a surprise, as SQL; the row itself is no secret.
    hidden_words: Mapping[str, str] = field(default_factory=dict)
    # Columns that an export leaves out: what the system needs to find rows, not what is known of somebody.
    internal: tuple[str, ...] = ()
    # What the columns of a row that stays EMPTIED become, as SQL.
    emptied: Mapping[str, str] = field(default_factory=dict)
    # Why a row stays.
    basis: str = ""


_NO_SURPRISE = {"surprise_for_client_id": "''", "surprise_ends_on": "null"}

CLIENT_TABLES: tuple[ClientTable, ...] = (
    # Which columns of it stay is declared in store/erasures.py.
    ClientTable(
        "clients", ("client_id",), Fate.EMPTIED, section="client", basis=TOMBSTONE_BASIS,
        left_by_merges="the two themselves",
    ),
    ClientTable("client_aliases", ("alias_id",), Fate.GONE, section="former_ids"),
    ClientTable(
        "contact_points", ("contact_point_id",), Fate.GONE, section="contact_points",
        internal=("match_key", "position"),
    ),
    ClientTable(
        "occasions", ("occasion_id",), Fate.GONE, section="occasions", mentions=("surprise_for_client_id",),
        surprise_ends=False, internal=("position",),
    ),
    ClientTable(
        "preferences", ("client_id", "position"), Fate.GONE, section="preferences", internal=("position",),
        left_by_merges="a list in an order: united as a whole",
    ),
    ClientTable(
        "relationships", ("relationship_id",), Fate.GONE, section="relationships", mentions=("related_client_id",),
        is_shared=True, internal=("position",),
    ),
    ClientTable(
        "client_search", ("client_id",), Fate.GONE, why_not_exported="the other sections' words again",
        left_by_merges="made anew",
    ),
    ClientTable("client_facts", ("client_id",), Fate.GONE, section="facts", left_by_merges="made anew"),
    ClientTable("client_external_ids", ("source", "external_id"), Fate.GONE, section="external_ids"),
    ClientTable(
        "match_keys", ("key", "client_id"), Fate.GONE, left_by_merges="made anew",
        found_by="t.key in (select unnest(m.keys) from match_clients m where m.client_id = any(:ids))",
        why_not_exported="hashes of the other sections' words, for finding duplicates",
    ),
    ClientTable(
        "match_clients", ("client_id",), Fate.GONE, left_by_merges="made anew",
        why_not_exported="hashes of the other sections' words, for finding duplicates",
    ),
    ClientTable(
        "duplicates", ("duplicate_id",), Fate.GONE, owner="first_client_id", mentions=("second_client_id",),
        is_shared=True, left_by_merges="pairs that may be one person follow by a rule of their own",
        why_not_exported="a guess of the house about two clients, one of them somebody else",
    ),
    ClientTable(
        "merges", ("merge_id",), Fate.EMPTIED, owner="surviving_client_id", mentions=("merged_client_id",),
        is_shared=True, section="merges", internal=("snapshot",), left_by_merges="says who was who at the time",
        emptied={"differences": "'[]'", "kept": "'[]'", "snapshot": "null"}, basis="ids only: accountability",
    ),
    ClientTable(
        "purchases", ("purchase_id",), Fate.EMPTIED, section="purchases",
        mentions=("surprise_for_client_id", "recipient_client_id"),
        emptied=_NO_SURPRISE | {"for_whom": "''", "occasion_kind": "''", "recipient_client_id": "''"},
        basis=PURCHASES_BASIS,
    ),
    ClientTable(
        "purchase_lines", ("purchase_id", "position"), Fate.EMPTIED, owner="", parent="purchases",
        section="purchase_lines", basis=PURCHASES_BASIS,
        emptied={"serial": "''", "description": "''", "size": "''", "certificate": "''"},
    ),
    ClientTable(
        "purchase_payments", ("purchase_id", "position"), Fate.KEPT, owner="", parent="purchases",
        section="purchase_payments", basis=PURCHASES_BASIS,
    ),
    ClientTable(
        "purchase_returns", ("return_id",), Fate.EMPTIED, owner="", parent="purchases", section="returns",
        emptied={"reason": "''"}, basis=PURCHASES_BASIS,
    ),
    ClientTable(
        "purchase_return_lines", ("return_id", "position"), Fate.KEPT, owner="", parent="purchase_returns",
        section="return_lines", basis=PURCHASES_BASIS,
    ),
    ClientTable(
        "visits", ("visit_id",), Fate.GONE, section="visits",
        mentions=("surprise_for_client_id", "recipient_client_id"),
    ),
    ClientTable("visit_items", ("visit_id", "position"), Fate.GONE, owner="", parent="visits", section="visit_items"),
    ClientTable(
        "consents", ("consent_id",), Fate.EMPTIED, section="consents", is_append_only=True, basis=CONSENTS_BASIS,
    ),
    ClientTable(
        "repairs", ("repair_id",), Fate.GONE, section="repairs", mentions=("surprise_for_client_id",),
        stays_while="stage not in ('collected', 'cancelled')", basis=REPAIRS_BASIS,
        emptied=_NO_SURPRISE | {"intake": "'{}'", "scope": "''"},
    ),
    ClientTable(
        "repair_moves", ("repair_id", "position"), Fate.GONE, owner="", parent="repairs", section="repair_moves",
        is_append_only=True,
    ),
    ClientTable(
        "wishes", ("wish_id",), Fate.GONE, section="wishes", mentions=("bought_by_client_id",),
        hidden_words={
            "state": "'wanted'", "bought_by_client_id": "''", "is_surprise": "false", "surprise_ends_on": "null",
        },
    ),
    ClientTable("notes", ("note_id",), Fate.GONE, section="notes", mentions=("surprise_for_client_id",)),
    ClientTable(
        "attachments", ("attachment_id",), Fate.GONE, section="attachments", mentions=("surprise_for_client_id",),
        internal=("object_key", "content_hash"),
    ),
    ClientTable("field_writers", ("client_id", "field", "value_key"), Fate.GONE, section="field_writers"),
    ClientTable("field_conflicts", ("field_conflict_id",), Fate.GONE, section="field_conflicts"),
    ClientTable(
        "cash_alerts", ("cash_alert_id",), Fate.EMPTIED, section="cash_alerts", is_house_only=True,
        mention_lists=("linked_client_ids",), emptied={"closing_note": "''"}, basis=CASH_BASIS,
    ),
    ClientTable(
        "timeline_entries", ("client_id", "kind", "occurred_at", "entry_id"), Fate.GONE, section="timeline",
        mentions=("surprise_for_client_id",),
    ),
    ClientTable("exports", ("export_id",), Fate.GONE, section="exports", internal=("object_key",)),
    ClientTable(
        "export_parts", ("export_id", "service"), Fate.GONE, owner="", parent="exports",
        why_not_exported="how far an export is",
    ),
    ClientTable(
        "erasures", ("erasure_id",), Fate.KEPT, mention_lists=("former_client_ids",), basis=ACCOUNTABILITY_BASIS,
        left_by_merges="who has one is not there any more", why_not_exported="who has one is not there any more",
    ),
    ClientTable(
        "erasure_receipts", ("erasure_id", "service"), Fate.KEPT, owner="", parent="erasures", is_append_only=True,
        basis=ACCOUNTABILITY_BASIS, why_not_exported="who has one is not there any more",
    ),
    ClientTable(
        "assignments", ("client_id", "assigned_at", "assignment_id"), Fate.KEPT, section="assignments",
        is_append_only=True, basis=ACCOUNTABILITY_BASIS,
    ),
    ClientTable(
        "client_removals", ("client_id",), Fate.KEPT, basis=TOMBSTONE_BASIS, left_by_merges="who is not there any more",
        why_not_exported="who has one is not there any more",
    ),
    ClientTable(
        # One look may have been at many: who else was on the page is not the client's to know.
        "audit_entries", ("audit_entry_id",), Fate.KEPT, owner="client_ids", section="audit_entries",
        internal=("client_ids",),
        is_append_only=True, basis=ACCOUNTABILITY_BASIS,
    ),
)  # fmt: skip

# Every other table, and why nothing in it is a client's.
TABLES_OF_NOBODY: Mapping[str, str] = {
    "alembic_version": "the schema's version",
    "outbox": "events: ids, days and amounts; gone after a day",
    "inbox": "ids of events",
    "dead_letters": "events: ids, days and amounts",
    "requests": "request ids and what they made; gone after a day",
    "chains": "the house",
    "chain_settings": "the house",
    "stores": "the house",
    "associates": "the house's own people",
    "brands": "the house's suppliers",
    "client_words": "words that any client is found by, each without whose it is; one that nobody has goes",
    "covers": "the house's own people",
    "reassignments": "the house's own people; how far a batch is, by a client's id",
    "segments": "the house's filters",
    "connectors": "the house's other systems; client_id is a name that a system has for this one",
    "connector_runs": "how far a run is",
    "connector_items": "pieces of another system",
    "object_removals": "where objects lay that are to be deleted",
    "imports": "files: their name and how far they are",
    "import_faults": "what is wrong with lines of files, in the words of the check",
    "import_assumptions": "how often values of files were read in one of several senses",
    "import_mappings": "how files of other systems are read",
    "field_authority": "the house's rules on which system may overwrite what",
    "import_rows": "hashes of lines while a file is read",
    "duplicate_passes": "how far a pass is",
    # An erasure leaves it alone: whoever takes from it holds its rows first and clients after, and finds nobody.
    "match_queue": "ids of who is to be compared with others next; gone within seconds",
    "search_queue": "ids of who is to be found by what an import brought; gone when it is through",
    "merge_rows": "ids of rows that merges moved",
    "privacy_jobs": "ids of exports and erasures, and when they are due",
    "suppressions": "keyed hashes: who must not come back",
}


def exported() -> Iterator[ClientTable]:
    """Return the tables that an export has a section of, in the order of the archive."""
    return (table for table in CLIENT_TABLES if table.section)


def table_named(name: str) -> ClientTable:
    """Return the declaration of a table."""
    return next(table for table in CLIENT_TABLES if table.name == name)
