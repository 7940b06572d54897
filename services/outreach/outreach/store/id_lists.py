"""How thousands of ids are given to a statement."""

from collections.abc import Iterable

# As one text: the driver looks at every element of an array. Selected: so the planner does not, either.
IS_LISTED = "any((select string_to_array($2, ','))::text[])"


def id_list(ids: Iterable[str]) -> str:
    """Return ids, each once and in order, as the `$2` of IS_LISTED."""
    return ",".join(sorted(set(ids)))
