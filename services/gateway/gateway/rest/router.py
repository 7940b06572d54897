"""Which endpoint answers a path: a tree of segments, so that a hundred routes cost no more than ten.

A path is made of fixed segments and `{fields}`, and may end in a custom verb after a colon. Must not know what an
endpoint does.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from gateway.rest.errors import MethodNotAllowed, RouteUnknown

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Found:
    """The endpoint of a request, its path as the contract writes it, and what the path's fields are."""

    endpoint: Endpoint
    template: str
    fields: dict[str, str]


@dataclass
class _Leaf:
    template: str
    names: Sequence[str]
    endpoints: dict[str, Endpoint] = field(default_factory=dict)


@dataclass
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    leaves: dict[str, _Leaf] = field(default_factory=dict)  # by custom verb, "" for none


def _is_field(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


class Router:
    """Finds endpoints."""

    def __init__(self) -> None:
        self._root = _Node()
        self._below: dict[str, _Leaf] = {}

    def add(self, method: str, template: str, endpoint: Endpoint) -> None:
        """Answer `method` on `template`. Raises ValueError for what is taken."""
        *segments, last = template.strip("/").split("/")
        last, _, verb = last.partition(":")
        node, names = self._root, list[str]()
        for segment in (*segments, last):
            if _is_field(segment):
                names.append(segment[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        leaf = node.leaves.setdefault(verb, _Leaf(template, names))
        if method in leaf.endpoints or leaf.template != template:
            raise ValueError(f"{method} {template} is answered twice")
        leaf.endpoints[method] = endpoint

    def add_below(self, prefix: str, methods: Sequence[str], endpoint: Endpoint) -> None:
        """Answer every path below a prefix of one segment, whatever it is made of."""
        leaf = _Leaf(f"{prefix}/{{rest}}", ["rest"], dict.fromkeys(methods, endpoint))
        self._below[prefix.strip("/")] = leaf

    def find(self, method: str, path: str) -> Found:
        """Return who answers. Raises RouteUnknown and MethodNotAllowed."""
        head, slash, below = path[1:].partition("/")
        if slash and (leaf := self._below.get(head)):
            return Found(_endpoint_of(leaf, method), leaf.template, {"rest": below})
        *segments, last = path[1:].split("/")
        last, colon, verb = last.partition(":")
        found = self._walk(self._root, (*segments, last), verb, []) if verb or not colon else None
        if found is None:
            raise RouteUnknown(path)
        leaf, values = found
        return Found(_endpoint_of(leaf, method), leaf.template, dict(zip(leaf.names, values, strict=True)))

    def _walk(
        self, node: _Node, segments: Sequence[str], verb: str, values: list[str]
    ) -> tuple[_Leaf, list[str]] | None:
        if not segments:
            leaf = node.leaves.get(verb)
            return None if leaf is None else (leaf, values)
        head, rest = segments[0], segments[1:]
        if (fixed := node.fixed.get(head)) and (found := self._walk(fixed, rest, verb, values)):
            return found
        if node.any is not None and head:
            return self._walk(node.any, rest, verb, [*values, head])
        return None


def _endpoint_of(leaf: _Leaf, method: str) -> Endpoint:
    endpoint = leaf.endpoints.get(method)
    if endpoint is None:
        raise MethodNotAllowed(method, ", ".join(sorted(leaf.endpoints)))
    return endpoint
