"""Runs the waitlist service: `python -m waitlist serve | migrate | dead-letters | republish`."""

from chassis.service import Program
from waitlist.bootstrap import VERSIONS, build
from waitlist.config import Settings

if __name__ == "__main__":
    Program("waitlist", Settings, build, VERSIONS).main()
