"""The demo chain, written through the public API after the first start; it touches no database.

Run by the runner as `python -m carnet_local.seed`, with CARNET_API and CARNET_OPERATOR_KEY set; prints its
result as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class SeedResult:
    """Who can sign in, each as (name, role, email, password)."""

    sign_ins: list[tuple[str, str, str, str]]


async def seed(gateway_url: str, operator_key: str) -> SeedResult:
    """Create the demo chain and return its sign-ins; there is no demo chain yet, so none."""
    return SeedResult(sign_ins=[])


if __name__ == "__main__":
    outcome = asyncio.run(seed(os.environ["CARNET_API"], os.environ["CARNET_OPERATOR_KEY"]))
    print(json.dumps(asdict(outcome)))
