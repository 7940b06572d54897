"""Become another program that dies with its parent; run as a script that imports none of our packages.

`python -I -S tether.py <parent pid> <signal> <uid> <gid> <program> <arguments...>`; uid and gid -1 keep ours.

A script and not a `preexec_fn`: that runs Python between fork and exec in a process that may hold gRPC's
threads and locks. It must not import anything outside the standard library.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop to the account, ask the kernel for a signal at the parent's death, and exec the program."""
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    program = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of account, which would clear it. Elsewhere an orphan is found by its record.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the call above
        sys.exit(1)
    # No shell: the program and its arguments come from our own code, as a list.
    os.execv(program[0], program)  # noqa: S606


main()
