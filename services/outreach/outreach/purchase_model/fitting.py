"""Maximum likelihood for positive parameters: one optimiser and one idea of what converged means.

Must not know which model it fits. It works on the logarithms of the parameters, so that they stay positive,
and trusts the gradient rather than the optimiser's message: SLSQP reports a failed line search when it is
already as close as floating point allows. L-BFGS-B finds the same maxima, but asks a threaded BLAS for vectors of
four numbers: on a busy machine its threads wait for one another ten times as long as the whole fit takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from outreach.purchase_model.columns import Floats
from outreach.purchase_model.errors import FitDidNotConverge

Objective = Callable[[Floats], tuple[float, Floats]]

# A parameter 10,000 times the scale of the data, or 1/10,000 of it, says that the model has degenerated
# (everybody alike, nobody ever leaves), not that it has found something.
LOG_BOUND = float(np.log(1e4))
AT_BOUND = 1e-3
FLAT = 1e-5


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is highest: parameters (not their logarithms), value, evaluations used."""

    parameters: Floats
    average_log_likelihood: float
    evaluations: int


def maximise(objective: Objective, start: Floats, *, model: str, names: Sequence[str]) -> Maximum:
    """Find the parameters that maximise an average log-likelihood.

    `objective` takes log-parameters, shape (k,), and returns the log-likelihood per client with its
    gradient in the log-parameters. `start` holds positive parameters, shape (k,), in the scale of the data.
    Raises FitDidNotConverge when a parameter runs to its bound or the gradient does not vanish.
    """

    def descend(log_parameters: Floats) -> tuple[float, Floats]:
        value, gradient = objective(log_parameters)
        return -value, -gradient

    found = minimize(
        descend,
        np.clip(np.log(start), -LOG_BOUND, LOG_BOUND),
        jac=True,
        method="SLSQP",
        bounds=[(-LOG_BOUND, LOG_BOUND)] * len(start),
        options={"maxiter": 500, "ftol": 1e-15},
    )
    log_parameters = np.asarray(found.x, dtype=np.float64)
    parameters = np.exp(log_parameters)
    stopped_at = dict(zip(names, parameters.tolist(), strict=True))
    at_bound = np.abs(log_parameters) > LOG_BOUND - AT_BOUND
    if at_bound.any():
        which = ", ".join(name for name, stuck in zip(names, at_bound, strict=True) if stuck)
        raise FitDidNotConverge(model, f"{which} ran to its bound", stopped_at=stopped_at)
    if not np.isfinite(found.fun) or not np.abs(found.jac).max() < FLAT:
        raise FitDidNotConverge(model, f"no maximum was reached ({found.message})", stopped_at=stopped_at)
    return Maximum(parameters, average_log_likelihood=-float(found.fun), evaluations=int(found.nfev))
