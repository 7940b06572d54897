"""Gamma-Gamma: how much a client spends on a day she buys, her own mean shrunk towards the chain's.

Must not see when or how often she buys beyond the count behind her mean: the model assumes that spend and
frequency are independent, so a chain whose best clients buy both more often and dearer is understated at
the top.

The value of a purchase is Gamma(p, v), and v over clients is Gamma(q, gamma); with x purchases of mean m, s
= x m. Source: Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (note 025, brucehardie.com,
2013), eq. 1a and the conditional expectation derived from it:

    ln L = ln G(px+q) - ln G(px) - ln G(q) - ln m - px ln(1 + gamma/s) - q ln(1 + s/gamma)
    E[value | x, m] = p (gamma + s) / (px + q - 1)

With q <= 1 the spread over clients is so wide that the mean over them, p gamma / (q - 1), does not exist:
it is infinite, as is the expectation of any client with px + q <= 1. Callers test with isfinite and fall
back.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, expit, gammaln

from outreach.purchase_model.columns import (
    Floats,
    dot,
    floats,
    fold,
    frequencies,
    require_one_length,
    require_one_shape,
)
from outreach.purchase_model.errors import NotEnoughHistory, UnusableInput
from outreach.purchase_model.fitting import maximise

PARAMETERS = ("p", "q", "gamma")
MINIMUM_REPEATERS = 50


@dataclass(frozen=True)
class GammaGamma:
    """A chain's spend per purchase; gamma is in the unit of the amounts that it was fitted to.

    `clients` counts those who entered the fit; `converged` is False only for parameters set by hand.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float
    clients: int
    converged: bool

    def __post_init__(self) -> None:
        for name in PARAMETERS:
            if not 0 < getattr(self, name) < np.inf:
                raise UnusableInput(name, "must be a positive number")

    @classmethod
    def fit(
        cls,
        frequency: npt.ArrayLike,
        mean_value: npt.ArrayLike,
        *,
        minimum_repeaters: int = MINIMUM_REPEATERS,
    ) -> Self:
        """Fit by maximum likelihood to the clients with a repeat purchase and a positive mean value.

        Columns of shape (clients,), the others in them are left out; values in one currency and unit. Raises
        NotEnoughHistory, FitDidNotConverge, UnusableInput. Likelihood: eq. 1a of the note named above.
        """
        x, m = frequencies("frequency", frequency), floats("mean_value", mean_value)
        require_one_length(frequency=x, mean_value=m)
        is_spender = (x > 0) & (m > 0)
        x, m = x[is_spender], m[is_spender]
        needed = max(minimum_repeaters, 1)
        if len(x) < needed:
            raise NotEnoughHistory("clients with a repeat purchase of value", found=len(x), needed=needed)

        unit = float(np.median(m))
        folded = FoldedSpend.fold(x, m / unit)
        start = np.array([4.0, 4.0, 1.0])
        found = maximise(folded.average_log_likelihood, start, model="Gamma-Gamma", names=PARAMETERS)
        p, q, gamma = found.parameters.tolist()
        return cls(
            p=p,
            q=q,
            gamma=gamma * unit,
            # a density in money, once per client
            log_likelihood=(found.average_log_likelihood - float(np.log(unit))) * len(x),
            clients=len(x),
            converged=True,
        )

    @property
    def population_mean(self) -> float:
        """Return the value to expect of a client nothing is known about; infinite when q <= 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else float("inf")

    def expected_value(self, frequency: npt.ArrayLike, mean_value: npt.ArrayLike) -> Floats:
        """Return the value to expect of a client's next purchase, in the unit of the fit.

        Arguments broadcast; a client without a repeat purchase, or with a mean of zero or below, gets the
        population mean. Infinite where no mean exists (see the module). Raises UnusableInput. Source: the
        note named above.
        """
        x, m = frequencies("frequency", frequency), floats("mean_value", mean_value)
        require_one_shape(frequency=x, mean_value=m)
        is_spender = (x > 0) & (m > 0)
        n = np.where(is_spender, x, 0.0)
        degrees = self.p * n + self.q - 1
        has_mean = degrees > 0
        spent = self.gamma + n * np.where(is_spender, m, 0.0)
        return np.asarray(np.where(has_mean, self.p * spent / np.where(has_mean, degrees, 1), np.inf))


@dataclass(frozen=True, eq=False)
class FoldedSpend:
    """Spend for the likelihood: equal clients counted once, gamma functions once per distinct frequency."""

    frequency: Floats  # distinct frequencies, and how many clients have each
    frequency_clients: Floats
    x: Floats  # distinct pairs of frequency and log mean value, and how many clients have each
    log_m: Floats
    clients: Floats

    @classmethod
    def fold(cls, x: Floats, m: Floats) -> Self:
        """Fold positive columns of shape (clients,)."""
        (m, x), clients = fold(m, x)
        (frequency,), frequency_clients = fold(x, weights=clients)
        return cls(frequency, frequency_clients, x, np.log(m), clients)

    def average_log_likelihood(self, log_parameters: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood per client and its gradient in ln p, ln q, ln gamma (shape (3,))."""
        (p, q), log_gamma = np.exp(log_parameters[:2]).tolist(), log_parameters[2]
        n, w = self.frequency, self.clients

        shape = digamma(p * n + q)
        value = dot(self.frequency_clients, gammaln(p * n + q) - gammaln(p * n) - gammaln(q))
        d_p = dot(self.frequency_clients, n * (shape - digamma(p * n)))
        d_q = dot(self.frequency_clients, shape - digamma(q))

        log_ratio = np.log(self.x) + self.log_m - log_gamma  # ln(s / gamma)
        over = np.logaddexp(0, log_ratio)
        under = over - log_ratio
        value -= dot(w, self.log_m + p * self.x * under + q * over)
        d_p -= dot(w, self.x * under)
        d_q -= dot(w, over)
        share = expit(log_ratio)  # s / (s + gamma)
        d_log_gamma = dot(w, q * share - p * self.x * expit(-log_ratio))

        total = w.sum()
        return float(value / total), np.array([p * d_p, q * d_q, d_log_gamma]) / total
