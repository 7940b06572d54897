"""What can go wrong with purchase histories; plain exceptions, so that the model stays free of the platform.

Must not know gRPC kinds or reasons: the service translates these where it calls the model.
"""

from collections.abc import Mapping


class UnusableInput(ValueError):
    """An argument that no purchase history can contain: NaN, a negative time, columns of unequal length."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument
        self.problem = problem


class NotEnoughHistory(ValueError):
    """Too few clients, or too few who came back, for a fit that anybody should act on."""

    def __init__(self, what: str, *, found: int, needed: int) -> None:
        super().__init__(f"not enough history: {found} {what}, at least {needed} are needed")
        self.what = what
        self.found = found
        self.needed = needed


class FitDidNotConverge(ValueError):
    """The likelihood has no inner maximum here; `stopped_at` is for the log, never for a score."""

    def __init__(self, model: str, problem: str, *, stopped_at: Mapping[str, float]) -> None:
        where = ", ".join(f"{name}={value:.4g}" for name, value in stopped_at.items())
        super().__init__(f"{model} did not converge: {problem} ({where})")
        self.model = model
        self.problem = problem
        self.stopped_at = dict(stopped_at)
