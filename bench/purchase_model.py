"""How long the purchase model takes to fit and to score, beside the least that the same work can take.

    python bench/purchase_model.py [rounds]

Ceilings run in the same interleaved rounds, because a machine's speed drifts more between runs than these
differ:
- fit: as many bare evaluations of the folded likelihood with its gradient as the optimiser asked for;
- scoring: one hypergeometric, one log1p and one expit over the same million clients, no checks, no rest.
Only the ratios compare between machines. Must not be imported.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
from scipy.special import expit, hyp2f1

from outreach.purchase_model import BgNbd, GammaGamma, PurchaseSummary, summarise
from outreach.purchase_model.bg_nbd import PARAMETERS, FoldedHistories
from outreach.purchase_model.fitting import maximise

ROOT = Path(__file__).resolve().parents[1]
MILLION = 1_000_000
HORIZON = 13.0  # weeks

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
    milliseconds = interleaved(10 * rounds, fits) | interleaved(rounds, scores)
    print(f"fitted to {source}: {len(x):,} clients, {len(folded.x) + len(folded.single_tenure):,} distinct")
    print(f"{found.evaluations} likelihood evaluations; medians of {10 * rounds} and {rounds} rounds")
    for name, median in milliseconds.items():
        print(f"  {name:32}{median:10.2f} ms")
    for name, ceiling in (
        ("BG/NBD fit", "ceiling of the fit"),
        ("expected purchases, 1 million", "ceiling of expected purchases"),
    ):
        print(f"  {name} / ceiling = {milliseconds[name] / milliseconds[ceiling]:.2f}")


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
