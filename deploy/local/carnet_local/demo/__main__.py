"""`python -m carnet_local.demo`: start Carnet if it does not run, then tell the story; 1 when a step fails."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx

from carnet_local import commands
from carnet_local.__main__ import state_directory
from carnet_local.api import Refused, StreamBroken
from carnet_local.demo.story import Disappointed, tell
from carnet_local.demo.telling import Teller
from carnet_local.errors import LocalFailure
from carnet_local.runner import is_up
from carnet_local.state import read_state
from carnet_local.terminal import Terminal


def purchases_file() -> Path:
    """Find CDNOW_master.txt in CARNET_CDNOW_DIR, or where `make demo` puts it. Raises LocalFailure."""
    chosen = os.environ.get("CARNET_CDNOW_DIR")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[4] / ".carnet" / "data" / "cdnow"
    file = folder / "CDNOW_master.txt"
    if not file.is_file():
        raise LocalFailure(f"{file} is not there; `make demo` fetches it, or set CARNET_CDNOW_DIR")
    return file


async def run() -> int:
    """Tell the story and return the exit code."""
    directory, teller = state_directory().resolve(), Teller(sys.stdout)
    file = purchases_file()
    runner = commands.running_record(directory)
    started_here = runner is None
    if runner is None:
        teller.say("Carnet is not running: starting it first, as `make up DETACH=1` does.")
    if runner is None or not is_up(directory, runner.pid):
        code = await commands.up_detached(directory, Terminal())
        if code != 0:
            return code
    state = read_state(directory)
    assert state is not None, "a running Carnet has a state"
    try:
        await tell(teller, api_url=state.api_url, operator_key=state.operator_key, file=file)
    except (Refused, StreamBroken, Disappointed, TimeoutError, httpx.HTTPError) as failure:
        teller.fail(f"{teller.chapter_title}: {failure or type(failure).__name__}")
        teller.say(f"The services' logs are in {directory / 'logs'}.")
        return 1
    teller.say(
        f"\nCarnet goes on running at {state.api_url}{'; `make down` stops it' if started_here else ''}."
    )
    return 0


def main() -> int:
    """Run from the command line."""
    try:
        return asyncio.run(run())
    except LocalFailure as failure:
        Terminal().trouble(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
