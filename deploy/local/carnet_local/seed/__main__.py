"""`python -m carnet_local.seed`: see the package."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict

import httpx

from carnet_local.api import Refused
from carnet_local.seed import NotAsWritten, seed

if __name__ == "__main__":
    try:
        outcome = asyncio.run(seed(os.environ["CARNET_API"], os.environ["CARNET_OPERATOR_KEY"]))
    except (Refused, NotAsWritten, httpx.HTTPError) as failure:
        sys.exit(f"the demo chain could not be written: {failure or type(failure).__name__}")
    print(json.dumps(asdict(outcome)))
