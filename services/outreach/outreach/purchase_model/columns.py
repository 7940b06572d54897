"""Columns of numbers at the door of the model: checked, converted, folded.

Must not contain a formula of either model.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from outreach.purchase_model.errors import UnusableInput

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def floats(argument: str, values: npt.ArrayLike, *, minimum: float | None = None) -> Floats:
    """Return `values` as finite float64 of any shape; raise UnusableInput naming `argument` otherwise."""
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnusableInput(argument, "must hold numbers") from error
    if not np.isfinite(column).all():
        raise UnusableInput(argument, "holds NaN" if np.isnan(column).any() else "holds an infinite number")
    if minimum is not None and column.size and column.min() < minimum:
        raise UnusableInput(argument, f"holds {column.min():g}, the least allowed is {minimum:g}")
    return column


def frequencies(argument: str, values: npt.ArrayLike) -> Floats:
    """Return repeat-purchase counts as whole, non-negative float64; raise UnusableInput otherwise."""
    column = floats(argument, values, minimum=0)
    if not np.array_equal(column, np.floor(column)):
        raise UnusableInput(argument, "holds a fraction, it counts repeat purchases")
    return column


def require_one_length(**columns: npt.NDArray[Any]) -> None:
    """Raise UnusableInput unless all columns are one-dimensional and equally long."""
    lengths = {}
    for argument, column in columns.items():
        if column.ndim != 1:
            raise UnusableInput(argument, f"must have one dimension, not {column.ndim}")
        lengths[argument] = len(column)
    if len(set(lengths.values())) > 1:
        raise UnusableInput(", ".join(lengths), f"differ in length: {', '.join(map(str, lengths.values()))}")


def require_one_shape(**columns: npt.NDArray[Any]) -> None:
    """Raise UnusableInput unless the columns broadcast against each other."""
    try:
        np.broadcast_shapes(*(column.shape for column in columns.values()))
    except ValueError as error:
        raise UnusableInput(", ".join(columns), "differ in shape") from error


def fold(*columns: Floats, weights: Floats | None = None) -> tuple[tuple[Floats, ...], Floats]:
    """Return the distinct rows of the columns in sorted order, and the number (or total weight) of each.

    Sorted, so that a fit gives the same bits whatever order the clients arrive in.
    """
    if not columns[0].size:
        return columns, np.empty(0)
    order = np.lexsort(columns)
    ordered = [column[order] for column in columns]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    starts = np.flatnonzero(is_new)
    if weights is None:
        counts = np.diff(starts, append=len(order)).astype(np.float64)
    else:
        counts = np.add.reduceat(weights[order], starts)
    return tuple(column[starts] for column in ordered), counts


def dot(weights: Floats, values: Floats) -> float:
    """Return the weighted sum: never by BLAS, whose result hangs on how many threads share a long column."""
    return float(np.einsum("i,i->", weights, values))


def thin(clients: Floats, most: int) -> Floats:
    """Return how many clients each ordered history stands for when only `most` of them are looked at.

    Every k-th client in the order of the histories is taken and stands for k, so that a long list is thinned evenly
    and always in the same way; the sum stays. A list of `most` histories or fewer stays as it is.
    """
    if len(clients) <= most:
        return clients
    reach = np.cumsum(clients)
    every = float(reach[-1]) / most
    taken = np.searchsorted(reach, (np.arange(most) + 0.5) * every)
    return np.asarray(np.bincount(taken, minlength=len(clients)) * every, dtype=np.float64)
