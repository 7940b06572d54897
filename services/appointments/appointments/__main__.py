"""Runs the appointments service: `python -m appointments serve | migrate | dead-letters | republish`."""

from appointments.bootstrap import VERSIONS, build
from appointments.config import Settings
from chassis.service import Program

if __name__ == "__main__":
    Program("appointments", Settings, build, VERSIONS).main()
