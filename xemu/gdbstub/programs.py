"""Which GDB to start."""

from __future__ import annotations

import os
import shutil

from xemu.errors import NotFoundError

#: best first; XEMU_GDB comes before
DEBUGGERS = ("gdb-multiarch", "arm-none-eabi-gdb", "arm-linux-gnueabihf-gdb", "gdb")


def find_gdb(wanted: str | None = None) -> str:
    """Return the GDB to start; NotFoundError."""
    for name in filter(None, (wanted, os.environ.get("XEMU_GDB"))):
        path = shutil.which(name)
        if path is None:
            raise NotFoundError(f"{name} was not found")
        return path
    found = next(filter(None, map(shutil.which, DEBUGGERS)), None)
    if found is None:
        raise NotFoundError(f"no GDB was found (tried {', '.join(DEBUGGERS)}); install gdb-multiarch or give --gdb-path")
    return found
