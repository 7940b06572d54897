"""The command line of the outreach service."""

from chassis.service import ChainCommand, Program, Service
from outreach.bootstrap import VERSIONS, build
from outreach.config import Settings
from outreach.use_cases import learning
from outreach.use_cases.counting import rebuild_facts


async def rebuild(service: Service, chain_id: str) -> str:
    """Count every client of a chain anew."""
    foundation = service.foundation
    counted = await rebuild_facts(database=foundation.database, clock=foundation.clock, chain_id=chain_id)
    return f"{counted} clients were counted anew"


async def relearn(service: Service, chain_id: str) -> str:
    """Work out anew what a chain's outcomes are credited to, and count its contacts anew."""
    foundation = service.foundation
    counted = await learning.rebuild(database=foundation.database, clock=foundation.clock, chain_id=chain_id)
    return f"{counted} contacts were counted anew"


COMMANDS = {
    "rebuild-facts": ChainCommand(
        "count the facts of every client of a chain anew, while the service runs", rebuild
    ),
    "rebuild-learning": ChainCommand(
        "work out anew what a chain's contacts led to, and which signals are answered, while the service runs",
        relearn,
    ),
}

if __name__ == "__main__":
    Program("outreach", Settings, build, VERSIONS, COMMANDS).main()
