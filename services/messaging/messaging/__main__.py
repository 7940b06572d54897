"""The command line: python -m messaging serve | migrate | dead-letters | republish."""

from chassis.service import Program
from messaging.bootstrap import VERSIONS, build
from messaging.config import Settings

if __name__ == "__main__":
    Program("messaging", Settings, build, VERSIONS).main()
