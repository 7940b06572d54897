"""The gateway's command line."""

from pathlib import Path

from chassis.service import Program
from gateway.bootstrap import build
from gateway.config import Settings

VERSIONS = Path(__file__).parent / "migrations" / "versions"

if __name__ == "__main__":
    Program("gateway", Settings, build, VERSIONS).main()
