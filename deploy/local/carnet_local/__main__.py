"""The command line: `python -m carnet_local up|down|reset|logs|status|env`. It only parses and delegates."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from carnet_local import commands
from carnet_local.errors import LocalFailure
from carnet_local.runner import up
from carnet_local.terminal import Terminal


def state_directory() -> Path:
    """Choose `.carnet` at the root of the repository, or CARNET_STATE_DIR."""
    chosen = os.environ.get("CARNET_STATE_DIR")
    root = Path(__file__).resolve().parents[3]
    # Installed outside a checkout, the current folder is the best guess.
    return (
        Path(chosen) if chosen else (root if (root / "deploy" / "local").is_dir() else Path.cwd()) / ".carnet"
    )


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m carnet_local", description="Carnet on this machine.")
    names = parser.add_subparsers(dest="command", required=True)
    start = names.add_parser("up", help="start everything and stay in the foreground; Ctrl-C stops it")
    start.add_argument("--detach", action="store_true", help="return when all is ready")
    names.add_parser("down", help="stop a running `up`")
    names.add_parser("reset", help="stop, and remove all data")
    names.add_parser("status", help="say what runs")
    names.add_parser("env", help="print the address and the operator key as shell exports")
    show = names.add_parser("logs", help="print logs")
    show.add_argument("name", nargs="?", help="a service or server; all of them without")
    show.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    arguments = parser.parse_args()

    directory, terminal = state_directory().resolve(), Terminal()
    work: Coroutine[Any, Any, int]
    match arguments.command:
        case "up":
            work = (commands.up_detached if arguments.detach else up)(directory, terminal)
        case "logs":
            work = commands.logs(directory, terminal, name=arguments.name, follow=arguments.follow)
        case name:
            work = getattr(commands, name)(directory, terminal)
    try:
        return asyncio.run(work)
    except LocalFailure as failure:
        terminal.trouble(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
