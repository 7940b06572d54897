"""The gateway's command line."""

from chassis.service import Program
from gateway.bootstrap import VERSIONS, build
from gateway.config import Settings

if __name__ == "__main__":
    Program("gateway", Settings, build, VERSIONS).main()
