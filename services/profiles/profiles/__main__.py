"""Run the profiles service: `python -m profiles serve`, and the other commands of the chassis."""

from chassis.service import Program
from profiles.bootstrap import build
from profiles.config import Settings
from profiles.migrations import VERSIONS

if __name__ == "__main__":
    Program("profiles", Settings, build, VERSIONS).main()
