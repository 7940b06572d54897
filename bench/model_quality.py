"""How right the purchase model is about the future: CDNOW with weeks 40-78 held back.

    python bench/model_quality.py            write the figures into docs/model-card.md, between its markers
    python bench/model_quality.py --check    fail where the card says something else

Fits what the service fits (`scoring.model`) to weeks 1-39 of 23,570 customers and compares with what they did then.
Deterministic: the same file gives the same figures. Must not be imported.
"""

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outreach.scoring.model import ChainModel, Estimates, estimate, fit_and_estimate
from outreach.signals.book import NEVER, Book, Histories, table
from outreach.signals.finding import day_number

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "docs" / "model-card.md"
BEGIN, END = "<!-- figures: bench/model_quality.py -->", "<!-- end of figures -->"
LEARNED_UNTIL, HELD_BACK_UNTIL = date(1997, 9, 30), date(1998, 6, 30)
WEEKS = 39.0
SHARES = (0.1, 0.2)
RESAMPLES = 500

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def main(arguments: Sequence[str]) -> int:
    """Write the card's figures, or say whether they stand."""
    figures = "\n".join((BEGIN, *report(*purchases()), END))
    card = CARD.read_text(encoding="utf-8")
    if card.count(BEGIN) != 1 or card.count(END) != 1:
        print(f"{CARD.name} has no place for the figures: {BEGIN} ... {END}", file=sys.stderr)
        return 1
    before, rest = card.split(BEGIN)
    made = before + figures + rest.split(END)[1]
    if "--check" in arguments:
        if made != card:
            print(f"{CARD.name} says other figures than `python bench/model_quality.py`", file=sys.stderr)
        return int(made != card)
    CARD.write_text(made, encoding="utf-8")
    print(figures)
    return 0


def purchases() -> tuple[Integers, Integers, Integers]:
    """Return the client, day and cents of each row of the file, clients counted from zero."""
    named = os.environ.get("CARNET_CDNOW_DIR")
    folders = [Path(named)] if named else [ROOT / ".carnet/data/cdnow", ROOT.parent / "shared/data/cdnow"]
    for path in (folder / "CDNOW_master.txt" for folder in folders):
        if path.is_file():
            rows = np.loadtxt(path, dtype=str, skiprows=1)
            days = np.array([f"{s[:4]}-{s[4:6]}-{s[6:]}" for s in rows[:, 1]], dtype="datetime64[D]")
            minor = np.rint(rows[:, 3].astype(np.float64) * 100).astype(np.int64)
            return np.unique(rows[:, 0], return_inverse=True)[1], days.astype(np.int64), minor
    sys.exit(
        "CDNOW_master.txt not found: `make test` fetches it, or set CARNET_CDNOW_DIR to a folder with it"
    )


def report(client: Integers, day: Integers, minor: Integers) -> list[str]:
    """Return the lines of the card."""
    count, end = int(client.max()) + 1, day_number(LEARNED_UNTIL)
    book = book_of(client, day, minor, count)
    model, _ = fit_and_estimate(book, LEARNED_UNTIL, minor_per_unit=100)
    expected = estimate(model, book, LEARNED_UNTIL, minor_per_unit=100, weeks=WEEKS)
    is_later = (day > end) & (day <= day_number(HELD_BACK_UNTIL))
    visits = np.unique(client[is_later] * 100_000 + day[is_later])
    bought = np.bincount(visits // 100_000, minlength=count).astype(np.float64)
    revenue: Floats = np.zeros(count)
    np.add.at(revenue, client[is_later], minor[is_later] / 100)
    return [
        "",
        *learned(model, count),
        *totals(expected, bought, revenue),
        *calibration(expected, bought, revenue),
        *by_frequency(book, expected, bought),
        *found(book, expected, revenue),
        "",
    ]


def book_of(client: Integers, day: Integers, minor: Integers, count: int) -> Book:
    """Return the book of the day that the held back weeks begin after."""
    everyone = np.arange(count)
    nobody = np.full(count, NEVER)
    return Book.of(
        Histories(
            clients=np.column_stack((everyone, everyone * 0, nobody, nobody, everyone * 0 - 1)),
            purchases=np.column_stack((client, day, minor, np.ones_like(client))),
            visits=table([], 3),
            occasions=table([], 8),
            rests=table([], 2),
        ),
        day_number(LEARNED_UNTIL),
    )


def learned(model: ChainModel, count: int) -> list[str]:
    """Return what was fitted."""
    rhythm, spend = model.bg_nbd, model.gamma_gamma
    if rhythm is None or spend is None:
        sys.exit(f"nothing was fitted: {model.note}")
    return [
        f"Learned from weeks 1-39 of {count:,} customers, of whom {model.repeat_clients:,} came back: BG/NBD"
        f" r = {rhythm.r:.3f}, alpha = {rhythm.alpha:.2f}, a = {rhythm.a:.3f}, b = {rhythm.b:.2f};"
        f" Gamma-Gamma p = {spend.p:.2f}, q = {spend.q:.2f}, gamma = {spend.gamma:.2f}.",
        "",
    ]


def totals(expected: Estimates, bought: Floats, revenue: Floats) -> list[str]:
    """Return the sums over all customers."""
    purchases, value = expected.purchases_year.sum(), expected.value_year.sum()
    return [
        "**All customers, weeks 40-78**",
        "",
        "| | expected | actual | expected / actual |",
        "|---|---:|---:|---:|",
        f"| purchase days | {purchases:,.0f} | {bought.sum():,.0f} | {purchases / bought.sum():.2f} |",
        f"| revenue, USD | {value:,.0f} | {revenue.sum():,.0f} | {value / revenue.sum():.2f} |",
        "",
    ]


def calibration(expected: Estimates, bought: Floats, revenue: Floats) -> list[str]:
    """Return expected beside actual by tenth of customers, the most expected first."""
    lines = [
        "**Calibration: customers in tenths by expected purchases**",
        "",
        "| tenth | P(alive) | expected purchases | actual purchases | expected revenue | actual revenue |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for place, tenth in enumerate(np.array_split(best_first(expected.purchases_year), 10), start=1):
        columns = (expected.purchases_year, bought, expected.value_year, revenue)
        means = " | ".join(f"{column[tenth].mean():.2f}" for column in columns)
        lines.append(f"| {place} | {expected.alive[tenth].mean():.2f} | {means} |")
    return [*lines, "", "Means a customer; revenue in USD.", ""]


def by_frequency(book: Book, expected: Estimates, bought: Floats) -> list[str]:
    """Return expected beside actual by how often customers came back while the model learned."""
    lines = [
        "**By repeat purchases in weeks 1-39**",
        "",
        "| repeat purchases | customers | expected purchases | actual purchases |",
        "|---|---:|---:|---:|",
    ]
    repeats = book.purchase_days - 1
    for least, most, name in (
        (0, 0, "none"),
        (1, 1, "1"),
        (2, 3, "2-3"),
        (4, 6, "4-6"),
        (7, 10**6, "7 or more"),
    ):
        of = (repeats >= least) & (repeats <= most)
        lines.append(
            f"| {name} | {of.sum():,} | {expected.purchases_year[of].mean():.2f} | {bought[of].mean():.2f} |"
        )
    return [*lines, ""]


def found(book: Book, expected: Estimates, revenue: Floats) -> list[str]:
    """Return how much of the revenue to come each way of choosing finds: of all, and of those who bought once."""
    everyone = np.arange(len(book))
    once = np.flatnonzero(book.purchase_days == 1)
    return [
        "**Share of the revenue of weeks 40-78 that was brought by the best of weeks 1-39**",
        "",
        *_found(book, expected, revenue, everyone),
        f"**The same among the {len(once):,} who had bought on one day only**",
        "",
        *_found(book, expected, revenue, once),
        f"Percentage points, 95 % of {RESAMPLES:,} resamples of the customers. Where the interval spans zero, the two"
        " are not told apart. RFM as usual: recency, purchase days and money, each in fifths; ties go by recency,"
        " then by money.",
    ]


def _found(book: Book, expected: Estimates, all_revenue: Floats, among: Integers) -> list[str]:
    revenue = all_revenue[among]
    money = book.total_minor[among].astype(np.float64)
    latest = book.last_purchase[among].astype(np.float64)
    fifths = [fifth_of(column) for column in (latest, book.purchase_days[among].astype(np.float64), money)]
    orders = {
        "the model: expected revenue": best_first(expected.value_year[among], money),
        "RFM, sum of the fifths": best_first(fifths[0] + fifths[1] + fifths[2], latest, money),
        "RFM, cells: R, then F, then M": best_first(*fifths, latest, money),
        "money spent so far": best_first(money),
        "recency": best_first(latest, money),
    }
    lines = ["| chosen by | best 10 % | best 20 % |", "|---|---:|---:|"]
    lines += [row(name, [share(order, revenue, part) for part in SHARES]) for name, order in orders.items()]
    lines += [
        row("random", SHARES),
        row("hindsight, which nobody has", [share(best_first(revenue), revenue, part) for part in SHARES]),
        "",
        "| the model against | best 10 % | best 20 % |",
        "|---|---:|---:|",
    ]
    names = list(orders)
    more = differences(list(orders.values()), revenue)
    for place, name in enumerate(names[1:]):
        spans = " | ".join(f"{low:+.1f} to {high:+.1f}" for low, high in more[place])
        lines.append(f"| {name} | {spans} |")
    return [*lines, ""]


def row(name: str, shares: Sequence[float]) -> str:
    """Return a line of the table."""
    return f"| {name} | {' | '.join(f'{100 * one:.1f} %' for one in shares)} |"


def best_first(*scores: Floats) -> Integers:
    """Return the positions in falling order of the first score, then of the next; the rest by position."""
    return np.lexsort([-np.round(score, 9) for score in reversed(scores)])


def fifth_of(column: Floats) -> Floats:
    """Return 1 to 5 for the fifth that each value is in, 5 for the highest; equal values are in one."""
    edges = np.sort(column)[[len(column) * k // 5 for k in (1, 2, 3, 4)]]
    return np.searchsorted(edges, column, side="right").astype(np.float64) + 1


def share(order: Integers, revenue: Floats, part: float) -> float:
    """Return the share of all revenue that the first `part` of an order brought."""
    return float(revenue[order[: round(len(order) * part)]].sum() / revenue.sum())


def differences(orders: Sequence[Integers], revenue: Floats) -> list[list[tuple[float, float]]]:
    """Return for each order but the first the 95 % intervals of how many points more the first one finds."""
    draw = np.random.RandomState(1997)  # the one stream that numpy promises never to change
    even = np.full(len(revenue), 1 / len(revenue))
    seen = np.empty((RESAMPLES, len(orders), len(SHARES)))
    for resample in range(RESAMPLES):
        times = draw.multinomial(len(revenue), even)
        total = float((times * revenue).sum())
        for place, order in enumerate(orders):
            of, brought = times[order], revenue[order]
            before = np.cumsum(of) - of
            for column, part in enumerate(SHARES):
                taken = np.clip(round(len(order) * part) - before, 0, of)
                seen[resample, place, column] = 100 * float((taken * brought).sum()) / total
    more = seen[:, :1] - seen[:, 1:]
    low, high = np.quantile(more, (0.025, 0.975), axis=0)
    return [list(zip(*ends, strict=True)) for ends in zip(low.tolist(), high.tolist(), strict=True)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
