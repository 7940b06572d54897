"""A signal over all clients of a book, by the rules that are in force at each client's store."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from outreach.domain import Signal
from outreach.domain.settings import OutreachSettings, SignalSettings
from outreach.signals import READINGS
from outreach.signals.book import Book, Integers
from outreach.signals.finding import Finding

# Tables of a book that have rows of clients rather than one row a client, by the first part of their columns' names.
_TABLES = ("visit", "occasion", "rest", "gift")


def find(
    signal: Signal, book: Book, as_of: int, settings: OutreachSettings, stores: Mapping[str, int]
) -> Finding:
    """Return whom a signal applies to; `stores` are the numbers that stores have in the book, by id.

    Stores that share their rules are looked at together.
    """
    chain = settings.of_signal(signal)
    groups: dict[tuple[bool, tuple[tuple[str, float], ...]], list[int]] = {}
    for store_id in settings.stores_of(signal):
        own = settings.of_signal(signal, store_id)
        if store_id in stores and (own.is_off, own.parameters) != (chain.is_off, chain.parameters):
            groups.setdefault((own.is_off, tuple(sorted(own.parameters.items()))), []).append(
                stores[store_id]
            )
    if not groups:
        return _find(signal, book, as_of, chain)
    is_chain = ~np.isin(book.store, [store for group in groups.values() for store in group])
    found = _find(signal, book, as_of, chain)
    parts = [found.only(is_chain[found.client])]
    for (is_off, parameters), group in groups.items():
        at = np.flatnonzero(np.isin(book.store, group))
        rules = SignalSettings(signal, is_off=is_off, parameters=dict(parameters))
        part = _find(signal, part_of(book, at), as_of, rules)
        parts.append(replace(part, client=at[part.client]))
    return _joined(parts)


def part_of(book: Book, at: Integers) -> Book:
    """Return the book of the clients at some positions, in order."""
    place = np.full(len(book), -1, dtype=np.int64)
    place[at] = np.arange(len(at))
    rows = {name: place[getattr(book, f"{name}_client")] for name in _TABLES}
    taken: dict[str, object] = {}
    for field in fields(book):
        name, column = field.name, getattr(book, field.name)
        of_table = name.split("_")[0]
        if name in ("marks", "vip_minor"):
            continue
        if of_table not in _TABLES:
            taken[name] = column[at]
        elif name.endswith("_client"):
            taken[name] = rows[of_table][rows[of_table] >= 0]
        else:
            taken[name] = column[rows[of_table] >= 0]
    return Book(
        **taken,  # type: ignore[arg-type]
        marks={mark: column[at] for mark, column in book.marks.items()},
        vip_minor=book.vip_minor,
    )


def _find(signal: Signal, book: Book, as_of: int, rules: SignalSettings) -> Finding:
    reading = READINGS[signal]
    known = {parameter.name for parameter in reading.parameters}
    asked = {name: value for name, value in rules.parameters.items() if name in known}
    if not rules.is_off:
        return reading.find(book, as_of, **asked)
    # Its columns are still needed where other stores have it on.
    return reading.find(part_of(book, np.empty(0, dtype=np.int64)), as_of, **asked)


def _joined(parts: Sequence[Finding]) -> Finding:
    begins = [part.since for part in parts if part.since is not None]
    return Finding(
        client=np.concatenate([part.client for part in parts]),
        urgency=np.concatenate([part.urgency for part in parts]),
        until=np.concatenate([part.until for part in parts]),
        figures={name: np.concatenate([part.figures[name] for part in parts]) for name in parts[0].figures},
        since=np.concatenate(begins) if begins else None,
    )
