"""gdbserver's command line in front of QEMU's user mode: `qemu_gdbserver.py SYSROOT [--once] HOST:PORT PROGRAM [ARGS]`.

For GDB's testsuite (tests/gdb_testsuite.py), which waits for `Listening on port N`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import NoReturn

LISTENING = "0A"  # in /proc/net/tcp
PATIENCE = 30.0  # seconds


def listening(port: int) -> bool:
    """Tell whether somebody listens on a TCP port of this machine."""
    lines = [*Path("/proc/net/tcp").read_text().splitlines()[1:], *Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    return any(fields[1].endswith(f":{port:04X}") and fields[3] == LISTENING for fields in map(str.split, lines))


def announce(port: int) -> None:
    """Say what gdbserver says once the port is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if listening(port):
            print(f"Listening on port {port}", flush=True)
            return
        time.sleep(0.01)


def refuse(why: str) -> NoReturn:
    """End with what the testsuite takes as an immediate failure."""
    print(f"qemu-arm: cannot resolve name: {why}", flush=True)
    sys.exit(1)


def main() -> NoReturn:
    """Be QEMU; a child of ours says when it listens."""
    sysroot, *words = sys.argv[1:]
    while words and words[0].startswith("--"):
        if words.pop(0) != "--once":
            refuse("QEMU's user mode has no --multi and no --attach")
    found = re.fullmatch(r"(?:[\w.]*:)?(\d+)", words[0]) if len(words) > 1 else None
    if found is None:
        refuse("a port and a program are needed")
    port = int(found[1])
    if listening(port):
        print("Can't bind address: Address already in use.", flush=True)
        sys.exit(1)
    if os.fork() == 0:
        announce(port)
        os._exit(0)
    os.execvp("qemu-arm", ["qemu-arm", "-L", sysroot, "-g", str(port), *words[1:]])


if __name__ == "__main__":
    main()
