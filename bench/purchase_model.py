"""How long the purchase model takes to fit and to score, beside the least that the same work can take.

    python bench/purchase_model.py [rounds]

Ceilings run in the same interleaved rounds, because a machine's speed drifts more between runs than these
differ:
- fit: as many bare evaluations of the folded likelihood with its gradient as the optimiser asked for;
- scoring: one hypergeometric, one log1p and one expit over the same million clients, no checks, no rest.
The public Lifetimes package fits the same sample in the same rounds (`make bench` puts it where it is found here); its
parameters must be ours. A million invented clients of ten years go through all that the service does with them.
Only the ratios compare between machines. Must not be imported.
"""

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, hyp2f1

from outreach.purchase_model import BgNbd, GammaGamma, PurchaseSummary, summarise
from outreach.purchase_model.bg_nbd import PARAMETERS, FoldedHistories
from outreach.purchase_model.fitting import maximise
from outreach.scoring.model import fit_and_estimate
from outreach.signals.book import NEVER, Book, Histories, table

ROOT = Path(__file__).resolve().parents[1]
MILLION = 1_000_000
HORIZON = 13.0  # weeks
LIFETIMES = "Lifetimes, "

Works = dict[str, Callable[[], object]]


def main(rounds: int) -> None:
    """Print medians in milliseconds and the ratios to their ceilings."""
    sample, source = calibration_sample()
    x, t_x, t = sample.frequency, sample.recency, sample.tenure
    rhythm, spend = BgNbd.fit(x, t_x, t), GammaGamma.fit(x, sample.mean_value)
    folded = FoldedHistories.fold(x, t_x / t.max(), t / t.max())
    found = maximise(folded.average_log_likelihood, folded.start(), model="BG/NBD", names=PARAMETERS)

    chosen = np.random.default_rng(0).integers(0, len(x), MILLION)
    n, n_x, n_t, m = x[chosen], t_x[chosen], t[chosen], sample.mean_value[chosen]

    def bare_evaluations() -> None:
        at = np.log(found.parameters)
        for _ in range(found.evaluations):
            folded.average_log_likelihood(at)

    def bare_functions() -> None:
        z = HORIZON / (rhythm.alpha + n_t + HORIZON)
        hyp2f1(rhythm.a + rhythm.b - 1 - rhythm.r, rhythm.a - 1, rhythm.a + rhythm.b - 1 + n, z)
        expit(np.log1p(z))

    fits: Works = {
        "BG/NBD fit": lambda: BgNbd.fit(x, t_x, t),
        "ceiling of the fit": bare_evaluations,
        "Gamma-Gamma fit": lambda: GammaGamma.fit(x, sample.mean_value),
    }
    scores: Works = {
        "P(alive), 1 million": lambda: rhythm.probability_alive(n, n_x, n_t),
        "expected purchases, 1 million": lambda: rhythm.expected_purchases(HORIZON, n, n_x, n_t),
        "ceiling of expected purchases": bare_functions,
        "expected value, 1 million": lambda: spend.expected_value(n, m),
        "BG/NBD fit, 1 million resampled": lambda: BgNbd.fit(n, n_x, n_t),
    }
    theirs = lifetimes_fits(sample)
    fits |= theirs
    book, day = invented_book(MILLION)
    scores["fit and score, 1 million of ten years"] = lambda: fit_and_estimate(book, day, minor_per_unit=100)
    milliseconds = interleaved(10 * rounds, fits) | interleaved(rounds, scores)
    print(f"fitted to {source}: {len(x):,} clients, {len(folded.x) + len(folded.single_tenure):,} distinct")
    print(f"{found.evaluations} likelihood evaluations; medians of {10 * rounds} and {rounds} rounds")
    for name, median in milliseconds.items():
        print(f"  {name:40}{median:10.2f} ms")
    for name, ceiling in (
        ("BG/NBD fit", "ceiling of the fit"),
        ("expected purchases, 1 million", "ceiling of expected purchases"),
    ):
        print(f"  {name} / ceiling = {milliseconds[name] / milliseconds[ceiling]:.2f}")
    for name in theirs:
        print(f"  {name} / ours = {milliseconds[name] / milliseconds[name.replace(LIFETIMES, '')]:.1f}")
    if not theirs:
        print("  Lifetimes was not compared: it is not there, or not with what it needs; see `make bench`")


def lifetimes_fits(sample: PurchaseSummary) -> Works:
    """Return the fits of the Lifetimes package; none where it is not there. Fails where its parameters are not ours."""
    sys.path.append(str(ROOT / ".carnet/data/lifetimes"))  # last: numpy and scipy stay our own
    try:
        lifetimes = importlib.import_module("lifetimes")
    except ImportError:
        return {}
    came_back = sample.frequency > 0
    x, m = sample.frequency[came_back], sample.mean_value[came_back]

    def rhythm() -> Any:
        return lifetimes.BetaGeoFitter(penalizer_coef=0.0).fit(
            sample.frequency, sample.recency, sample.tenure
        )

    def spend() -> Any:
        return lifetimes.GammaGammaFitter(penalizer_coef=0.0).fit(x, m)

    ours = BgNbd.fit(sample.frequency, sample.recency, sample.tenure)
    np.testing.assert_allclose([rhythm().params_[p] for p in PARAMETERS],
                               [getattr(ours, p) for p in PARAMETERS], rtol=1e-3)  # fmt: skip
    worth = GammaGamma.fit(sample.frequency, sample.mean_value)
    np.testing.assert_allclose(
        [spend().params_[p] for p in ("p", "q", "v")], [worth.p, worth.q, worth.gamma], rtol=1e-3
    )
    return {f"{LIFETIMES}BG/NBD fit": rhythm, f"{LIFETIMES}Gamma-Gamma fit": spend}


def invented_book(clients: int) -> tuple[Book, date]:
    """Return clients of a jeweller over ten years, two in five of whom came back, and the day after them."""
    rng, end = np.random.default_rng(0), 3650
    rate, leaving = rng.gamma(0.7, 1 / 1400, clients), rng.beta(0.8, 2.4, clients)
    spend_rate = rng.gamma(3.7, 1 / 1500, clients)
    first = rng.integers(0, end, clients)
    days, last = np.ones(clients, dtype=np.int64), first.copy()
    repeat, when, active = np.zeros(clients), first.astype(np.float64), np.arange(clients)
    while active.size:
        when[active] += 1 + rng.exponential(1, active.size) / rate[active]
        active = active[when[active] <= end]
        days[active] += 1
        last[active] = when[active]
        repeat[active] += rng.gamma(6.2, 1, active.size) / spend_rate[active]
        active = active[rng.random(active.size) >= leaving[active]]
    everyone = np.arange(clients)
    nobody = np.full(clients, NEVER)
    book = Book.of(
        Histories(
            clients=np.column_stack((everyone, everyone * 0, nobody, nobody, everyone * 0)),
            purchases=table([], 4), visits=table([], 3), occasions=table([], 8), rests=table([], 2),
        ),
        end,
    )  # fmt: skip
    repeat_minor = np.rint(100 * repeat).astype(np.int64)
    first_minor = np.rint(100 * rng.gamma(6.2, 1, clients) / spend_rate).astype(np.int64)
    return (
        replace(book, purchase_days=days, first_purchase=first, last_purchase=last, home_days=days,
                home_repeat_minor=repeat_minor, total_minor=first_minor + repeat_minor),
        date(1970, 1, 1) + timedelta(days=end),
    )  # fmt: skip


def interleaved(rounds: int, works: Works) -> dict[str, float]:
    """Run every work once a round, in turn, and return the median milliseconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in taken.items()}


def calibration_sample() -> tuple[PurchaseSummary, str]:
    """Return the CDNOW sample of weeks 1-39 and its name, or invented clients where the file is missing."""
    named = os.environ.get("CARNET_CDNOW_DIR")
    folders = [Path(named)] if named else [ROOT / ".carnet/data/cdnow", ROOT.parent / "shared/data/cdnow"]
    for path in (folder / "CDNOW_sample.txt" for folder in folders):
        if path.is_file():
            rows = np.loadtxt(path, dtype=str)
            day = np.array([f"{s[:4]}-{s[4:6]}-{s[6:]}" for s in rows[:, 2]], dtype="datetime64[D]")
            client, amount = rows[:, 1].astype(np.int64), rows[:, 4].astype(np.float64)
            return summarise(
                client, day, amount, observed_until=date(1997, 9, 30)
            ), "CDNOW sample, weeks 1-39"
    return invented_sample(2_357), "invented clients (CDNOW_sample.txt not found; set CARNET_CDNOW_DIR)"


def invented_sample(clients: int) -> PurchaseSummary:
    """Draw clients who buy and leave like those of CDNOW."""
    rng = np.random.default_rng(0)
    rate, leaving = rng.gamma(0.5, 1 / 6.0, clients), rng.beta(0.8, 2.4, clients)
    spend_rate = rng.gamma(3.74, 1 / 15.44, clients)
    first = rng.integers(0, 84, clients).astype(np.float64)
    everyone = np.arange(clients)
    rows, when, active = [(everyone, first)], first, everyone
    while active.size:
        when = when + 7 * rng.exponential(1, active.size) / rate[active]
        goes_on = when <= 272
        active, when = active[goes_on], when[goes_on]
        rows.append((active, when))
        stays = rng.random(active.size) >= leaving[active]
        active, when = active[stays], when[stays]
    client = np.concatenate([who for who, _ in rows])
    day = np.floor(np.concatenate([days for _, days in rows]))
    return summarise(client, day, rng.gamma(6.25, 1, len(client)) / spend_rate[client], observed_until=272)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
