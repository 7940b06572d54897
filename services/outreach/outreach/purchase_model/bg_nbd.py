"""BG/NBD: how often a client buys and whether she is still one, from frequency, recency and tenure.

Must not see money (see gamma_gamma) and must not smooth over a fit that failed.

While she is a client she buys at random with a rate of her own, and after each purchase she may leave for
good with a probability of her own; rates are Gamma(r, alpha) over clients, leaving Beta(a, b). Source:
Fader, Hardie and Lee, "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24 (2005), eq. 6 for the likelihood and eq. 10 for the expectation; P(alive) as in their
"Computing P(alive) Using the BG/NBD Model" (note 021, brucehardie.com, 2008). With frequency x, recency t_x,
tenure t, L = exp(M) (1 + exp(D)):

    M = ln G(r+x)/G(r) + r ln alpha - (r+x) ln(alpha+t) + ln B(a, b+x)/B(a, b)
    D = ln a/(b+x-1) + (r+x) ln (alpha+t)/(alpha+t_x)          where x > 0;  exp(D) = 0 where x = 0
    P(alive) = 1 / (1 + exp(D))

    E[purchases in h] = P(alive) C/(a-1) (1 - (1-z)^(a-1) F(a+b-1-r, a-1; C; z))
    with z = h/(alpha+t+h), C = a+b+x-1

This is eq. 10 after Euler's transformation of the hypergeometric function F. The published form multiplies
a power that underflows by an F that overflows as x grows; here x stands in the denominator only.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, expit, gammaln, hyp2f1

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

PARAMETERS = ("r", "alpha", "a", "b")
MINIMUM_CLIENTS = 200
MINIMUM_REPEATERS = 50

# Eq. 10 divides zero by zero at a = 1 and has a pole that cancels at a + b = 1, x = 0. Within this distance
# the value is the mean of one on either side: wrong by its square, where the formula itself would lose all
# digits.
REMOVABLE = 1e-5


@dataclass(frozen=True)
class BgNbd:
    """A chain's buying rhythm; alpha is in the periods of the recency and tenure that it was fitted to.

    `converged` is False only for parameters that somebody set by hand; `fit` raises instead.
    """

    r: float
    alpha: float
    a: float
    b: float
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
        recency: npt.ArrayLike,
        tenure: npt.ArrayLike,
        *,
        clients: npt.ArrayLike | None = None,
        minimum_clients: int = MINIMUM_CLIENTS,
        minimum_repeaters: int = MINIMUM_REPEATERS,
    ) -> Self:
        """Fit by maximum likelihood.

        Columns of shape (histories,), one a client; with `clients`, how many have or stand for each history, folded
        and ordered before. Recency and tenure in one unit of time, which alpha takes over. Raises
        NotEnoughHistory, FitDidNotConverge, UnusableInput. Likelihood: eq. 6 of the paper named above.
        """
        x, t_x, t = _histories(frequency, recency, tenure)
        weights = None if clients is None else floats("clients", clients, minimum=0)
        require_one_length(frequency=x, recency=t_x, tenure=t, clients=x if weights is None else weights)
        count = len(x) if weights is None else round(float(weights.sum()))
        if count < minimum_clients:
            raise NotEnoughHistory("clients with a purchase", found=count, needed=minimum_clients)
        repeaters = int(np.count_nonzero(x)) if weights is None else round(float(weights[x > 0].sum()))
        needed = max(minimum_repeaters, 1)
        if repeaters < needed:
            raise NotEnoughHistory("clients with a repeat purchase", found=repeaters, needed=needed)

        unit = float(t.max())
        folded = FoldedHistories.fold(x, t_x / unit, t / unit, clients=weights)
        found = maximise(folded.average_log_likelihood, folded.start(), model="BG/NBD", names=PARAMETERS)
        r, alpha, a, b = found.parameters.tolist()
        # The likelihood is a density in time, once per repeat purchase.
        purchases = float(x.sum() if weights is None else dot(x, weights))
        change_of_unit = -purchases * float(np.log(unit))
        return cls(
            r=r,
            alpha=alpha * unit,
            a=a,
            b=b,
            log_likelihood=found.average_log_likelihood * count + change_of_unit,
            clients=count,
            converged=True,
        )

    def probability_alive(
        self, frequency: npt.ArrayLike, recency: npt.ArrayLike, tenure: npt.ArrayLike
    ) -> Floats:
        """Return the probability that a client with this history is still one.

        The arguments broadcast; the result has their shape. It is 1 where frequency is 0: in BG/NBD nobody
        leaves except after a repeat purchase. Raises UnusableInput. Source: note 021 named above.
        """
        return self._probability_alive(*_histories(frequency, recency, tenure))

    def expected_purchases(
        self,
        horizon: npt.ArrayLike,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        tenure: npt.ArrayLike,
    ) -> Floats:
        """Return the purchases to expect in the next `horizon` periods from a client with this history.

        The arguments broadcast; the result has their shape. A new client has 0 everywhere. Raises
        UnusableInput. Source: eq. 10 of the paper named above, transformed as the module says.
        """
        h = floats("horizon", horizon, minimum=0)
        x, t_x, t = _histories(frequency, recency, tenure)
        require_one_shape(horizon=h, frequency=x, recency=t_x, tenure=t)
        if abs(self.a - 1) < REMOVABLE or abs(self.a + self.b - 1) < REMOVABLE:
            below, above = 1 - 2 * REMOVABLE, 1 + 2 * REMOVABLE
            if_alive = self._expected_if_alive(h, x, t, a=self.a * below, b=self.b * below) / 2
            if_alive += self._expected_if_alive(h, x, t, a=self.a * above, b=self.b * above) / 2
        else:
            if_alive = self._expected_if_alive(h, x, t, a=self.a, b=self.b)
        never_leaving = (self.r + x) * h / (self.alpha + t)
        return np.asarray(np.clip(if_alive, 0, never_leaving) * self._probability_alive(x, t_x, t))

    def _probability_alive(self, x: Floats, t_x: Floats, t: Floats) -> Floats:
        log_odds_gone = np.log(self.a / (self.b + np.maximum(x, 1) - 1))
        log_odds_gone = log_odds_gone + (self.r + x) * np.log1p((t - t_x) / (self.alpha + t_x))
        return np.asarray(np.where(x > 0, expit(-log_odds_gone), 1.0))

    def _expected_if_alive(self, h: Floats, x: Floats, t: Floats, *, a: float, b: float) -> Floats:
        z = h / (self.alpha + t + h)
        c = a + b + x - 1
        stays = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - self.r, a - 1, c, z)
        return np.asarray(c / (a - 1) * (1 - stays))


@dataclass(frozen=True, eq=False)
class FoldedHistories:
    """Purchase histories for the likelihood: equal ones once, gamma functions once per distinct frequency."""

    frequency: Floats  # distinct frequencies above zero, and how many clients have each
    frequency_clients: Floats
    single_tenure: Floats  # distinct tenures of those who never came back, and how many clients have each
    single_clients: Floats
    x: Floats  # distinct histories of those who did, and how many clients have each
    t_x: Floats
    t: Floats
    clients: Floats

    @classmethod
    def fold(cls, x: Floats, t_x: Floats, t: Floats, *, clients: Floats | None = None) -> Self:
        """Fold checked columns of shape (histories,); with `clients`, how many have each, they are folded already."""
        is_repeater = x > 0
        if clients is None:
            (single_tenure,), single_clients = fold(t[~is_repeater])
            (t, t_x, x), clients = fold(t[is_repeater], t_x[is_repeater], x[is_repeater])
        else:
            single_tenure, single_clients = t[~is_repeater], clients[~is_repeater]
            t, t_x, x, clients = t[is_repeater], t_x[is_repeater], x[is_repeater], clients[is_repeater]
        (frequency,), frequency_clients = fold(x, weights=clients)
        return cls(frequency, frequency_clients, single_tenure, single_clients, x, t_x, t, clients)

    def start(self) -> Floats:
        """Return parameters to start from: the right number of purchases per period, plain guesses else."""
        periods = dot(self.single_clients, self.single_tenure) + dot(self.clients, self.t)
        return np.array([0.5, 0.5 * periods / (dot(self.clients, self.x)), 1.0, 2.0])

    def average_log_likelihood(self, log_parameters: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood per client and its gradient in the logs of r, alpha, a, b."""
        r, alpha, a, b = np.exp(log_parameters).tolist()
        n, w = self.frequency, self.clients

        counted = gammaln(r + n) - gammaln(r)
        counted += gammaln(a + b) - gammaln(a + b + n) + gammaln(b + n) - gammaln(b)
        both = digamma(a + b) - digamma(a + b + n)
        value = dot(self.frequency_clients, counted)
        d_r = dot(self.frequency_clients, digamma(r + n) - digamma(r))
        d_a = dot(self.frequency_clients, both)
        d_b = dot(self.frequency_clients, both + digamma(b + n) - digamma(b))

        waited = np.log1p(self.single_tenure / alpha)
        value -= r * (dot(self.single_clients, waited))
        d_r -= dot(self.single_clients, waited)
        d_alpha = r * (dot(self.single_clients, self.single_tenure / (alpha * (alpha + self.single_tenure))))

        rx, until_now, until_last = r + self.x, alpha + self.t, alpha + self.t_x
        log_now = np.log(until_now)
        silence = log_now - np.log(until_last)
        log_odds_gone = np.log(a / (b + self.x - 1)) + rx * silence
        w_gone = w * expit(log_odds_gone)
        value += dot(w, r * np.log(alpha) - rx * log_now + np.logaddexp(0, log_odds_gone))
        d_r += dot(w, np.log(alpha) - log_now) + dot(w_gone, silence)
        d_alpha += dot(w, r / alpha - rx / until_now) + dot(w_gone, rx * (1 / until_now - 1 / until_last))
        d_a += w_gone.sum() / a
        d_b -= dot(w_gone, 1 / (b + self.x - 1))

        total = w.sum() + self.single_clients.sum()
        gradient = np.array([r * d_r, alpha * d_alpha, a * d_a, b * d_b])
        return float(value / total), gradient / total


def _histories(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, tenure: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    x = frequencies("frequency", frequency)
    t_x, t = floats("recency", recency, minimum=0), floats("tenure", tenure, minimum=0)
    require_one_shape(frequency=x, recency=t_x, tenure=t)
    if (t_x > t).any():
        raise UnusableInput("recency", "is longer than tenure")
    if ((x > 0) != (t_x > 0)).any():
        raise UnusableInput("recency", "must be above zero exactly where frequency is")
    return x, t_x, t
