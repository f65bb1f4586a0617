"""Opening what a command line names: a program or firmware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.loaders.formats import FirmwareImage

ELF = b"\x7fELF"
FIRMWARE = ("arm",)                  # architectures that there are boards of, and which of their profiles
FIRMWARE_PROFILES = ("-m", "-m.base", "-m.main")


def is_elf(path: str) -> bool:
    """Whether a file is an ELF file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == ELF
    except OSError:
        return False


def is_program(path: str) -> bool:
    """Whether a file is a Linux program: it names its loader, can lie anywhere, or fits no board."""
    if not is_elf(path):
        return False
    from xemu.hw.start import read_image
    from xemu.loaders.elf import ET_DYN, PT_INTERP, ElfHeader, bytes_reader, program_headers

    data = Path(path).read_bytes()
    read = bytes_reader(data)
    header = ElfHeader(read, path)
    if header.fields.type == ET_DYN or any(row.type == PT_INTERP for row in program_headers(header, read, len(data))):
        return True
    if header.machine[0] not in FIRMWARE:
        return True
    image = read_image(path)
    built_for = image.attributes.get("architecture")
    return not str(built_for).endswith(FIRMWARE_PROFILES) if built_for else not _fits_a_board(image)


def _fits_a_board(image: FirmwareImage) -> bool:
    from xemu.hw.facts import all_facts
    from xemu.hw.machines import board_names
    from xemu.loaders.guess import guess_machine

    return any(candidate.certainty > 0 for candidate in guess_machine(image, all_facts(board_names())))


def open_target(path: str, arguments: list[str], *, machine: str | None = None, sysroot: str | None = None,
                environment: Mapping[str, str | None] | None = None, directory: str = "", randomize: bool = False) -> Any:
    """Return a debugger on a program or firmware at its first instruction."""
    from xemu import debug

    if not Path(path).exists():
        raise NotFoundError(f"{path}: there is no such file")
    if machine is not None or not is_program(path):
        return debug.open_machine(path, machine)
    if directory:
        os.chdir(directory)
    changes = [name if value is None else f"{name}={value}" for name, value in (environment or {}).items()]
    return debug.open_process(path, *arguments, sysroot=sysroot, env=changes, aslr=randomize)
