"""Opening what a command line names: a program or firmware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping


ELF = b"\x7fELF"


def is_elf(path: str) -> bool:
    """Whether a file is an ELF file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == ELF
    except OSError:
        return False


def open_target(path: str, arguments: list[str], *, machine: str | None = None, sysroot: str | None = None,
                environment: Mapping[str, str | None] | None = None, directory: str = "", randomize: bool = False) -> Any:
    """Return a debugger on a program or firmware at its first instruction."""
    from xemu import debug

    if not Path(path).exists():
        raise NotFoundError(f"{path}: there is no such file")
    if machine is not None or not debug.is_program(path):
        return debug.open_machine(path, machine)
    if directory:
        os.chdir(directory)
    changes = [name if value is None else f"{name}={value}" for name, value in (environment or {}).items()]
    return debug.open_process(path, *arguments, sysroot=sysroot, env=changes, aslr=randomize)
