"""The command line of the outreach service."""

from chassis.service import ChainCommand, Program, Service
from outreach.bootstrap import VERSIONS, build
from outreach.config import Settings
from outreach.use_cases.counting import rebuild_facts


async def rebuild(service: Service, chain_id: str) -> str:
    """Count every client of a chain anew."""
    foundation = service.foundation
    counted = await rebuild_facts(database=foundation.database, clock=foundation.clock, chain_id=chain_id)
    return f"{counted} clients were counted anew"


COMMANDS = {
    "rebuild-facts": ChainCommand(
        "count the facts of every client of a chain anew, while the service runs", rebuild
    )
}

if __name__ == "__main__":
    Program("outreach", Settings, build, VERSIONS, COMMANDS).main()
