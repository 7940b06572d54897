"""The demo chain, written through the public API after the first start; it touches no database.

Run by the runner as `python -m carnet_local.seed`, with CARNET_API and CARNET_OPERATOR_KEY set; prints its
result as one line of JSON. Safe to repeat: after a crash in the middle a second run goes on where the first one ended.
"""

from carnet_local.seed.chain import SeedResult, seed
from carnet_local.seed.house import NotAsWritten

__all__ = ["NotAsWritten", "SeedResult", "seed"]
