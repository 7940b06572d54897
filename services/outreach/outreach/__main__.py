"""The command line of the outreach service."""

from chassis.service import Program
from outreach.bootstrap import VERSIONS, build
from outreach.config import Settings

if __name__ == "__main__":
    Program("outreach", Settings, build, VERSIONS).main()
