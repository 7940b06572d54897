"""`python -m carnet_local.seed`: see the package."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict

from carnet_local.seed import seed

if __name__ == "__main__":
    outcome = asyncio.run(seed(os.environ["CARNET_API"], os.environ["CARNET_OPERATOR_KEY"]))
    print(json.dumps(asdict(outcome)))
