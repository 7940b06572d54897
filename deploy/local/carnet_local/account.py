"""What root needs for Postgres, which refuses to run as root: another account and a folder that it can read.

Nothing here creates an account or opens an existing folder to anyone.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
from pathlib import Path

from carnet_local.errors import LocalFailure
from carnet_local.process import Account

_ACCOUNTS = ("postgres", "nobody")
# Survives a reboot, unlike /tmp, and can be reached by every account.
_REFUGES = Path("/var/tmp")  # noqa: S108 - the refuge below refuses a folder that somebody else put there


def unprivileged_account() -> Account | None:
    """Choose the account to drop to; None when we are not root and need none."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalFailure(
        f"Postgres does not run as root, and none of the accounts {', '.join(_ACCOUNTS)} exists"
    )


def can_read(account: Account, path: Path) -> bool:
    """Say whether the account may read a file, by the mode bits on the whole way to it."""
    real = path.resolve()
    return _permits(account, real, stat.S_IROTH) and all(
        _permits(account, p, stat.S_IXOTH) for p in real.parents
    )


def _permits(account: Account, place: Path, bit_for_others: int) -> bool:
    status = place.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return bool(status.st_mode & (bit_for_others << shift))


def refuge_of(directory: Path) -> Path:
    """Name the folder that stands in for a state directory which the account cannot enter."""
    digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    return _REFUGES / f"carnet-{digest}"


def open_refuge(directory: Path) -> Path:
    """Create the refuge (0711, ours) or accept our own; raises LocalFailure when somebody else made it."""
    refuge = refuge_of(directory)
    try:
        refuge.mkdir(mode=0o711)
        refuge.chmod(0o711)  # whatever the umask
    except FileExistsError:
        status = refuge.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise LocalFailure(f"{refuge} is not a folder of ours; remove it and start again") from None
    return refuge


def own_refuge(directory: Path) -> Path | None:
    """Find the refuge if there is one and we made it: the only one that we may remove."""
    refuge = refuge_of(directory)
    try:
        return refuge if refuge.lstat().st_uid == os.geteuid() else None
    except FileNotFoundError:
        return None


def copy_readable(sources: list[Path], target: Path) -> None:
    """Copy folders side by side into a new folder that every account can read; a finished copy is kept."""
    if target.exists():
        return
    unfinished = target.with_name(target.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for source in sources:
        shutil.copytree(source, unfinished / source.name, ignore=shutil.ignore_patterns("include", "*.a"))
    for place in (unfinished, *unfinished.rglob("*")):
        place.chmod(0o755)
    unfinished.rename(target)
