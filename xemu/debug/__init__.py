"""The debugger: points, motions in both directions, history, symbols. Front ends use `Debugger` and nothing below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from xemu.debug.debugger import Debugger


def open_machine(image: str | Path, machine: str | None = None, **options: Any) -> Debugger:
    """Return a debugger on firmware at its reset; the options are those of `xemu.hw.harness.start_board`."""
    from xemu.debug.debugger import Debugger
    from xemu.debug.machine import MachineSystem
    from xemu.hw.harness import start_board

    return Debugger(MachineSystem(start_board(machine, image, **options).machine))


def open_recording(path: str | Path, *, at: str = "start", machine: str | None = None, jit: bool = True) -> Debugger:
    """Return a debugger at the start (or "end") of a recording or snapshot; nothing outside is touched, nothing can be changed.

    `machine`: the board's file where it was none of xemu's own.
    """
    from xemu.debug.recorded import open_debugger
    from xemu.debug.recording import Recording

    return open_debugger(Recording.read(str(path)), at=at, machine=machine, jit=jit)


def open_process(program: str | Path, *arguments: str, sysroot: str | Path | None = None, env: list[str] | None = None,
                 **options: Any) -> Debugger:
    """Return a debugger on a program at its first instruction; the options are those of `xemu.user.process.Options`.

    Call it on the main thread: the process takes over the host's signals.
    """
    import os

    if sysroot is not None and not os.path.isdir(sysroot):
        raise UsageError(f"-L {sysroot}: no such directory")
    from xemu.cli.run import environment, make_engine
    from xemu.debug.debugger import Debugger
    from xemu.debug.process import ProcessSystem
    from xemu.user.process import Options, Process

    chosen = Options()
    chosen.sysroot = str(sysroot) if sysroot is not None else None
    for name, value in options.items():
        setattr(chosen, name, value)
    process = Process(chosen, make_engine)
    process.load(os.fsencode(program), [os.fsencode(word) for word in (program, *arguments)], environment(env or []))
    return Debugger(ProcessSystem(process))


PROFILES = ("-m", "-m.base", "-m.main")      # of the ARM architecture, that have boards


def is_program(path: str | Path) -> bool:
    """Whether an ELF file is a Linux program: it names its loader, can lie anywhere, or fits no board (those have no A32)."""
    from pathlib import Path

    from xemu.hw.start import read_image
    from xemu.loaders.elf import ET_DYN, PT_INTERP, ElfHeader, bytes_reader, program_headers

    try:
        data = Path(path).read_bytes()
    except OSError:
        return False
    if data[:4] != b"\x7fELF":
        return False
    read = bytes_reader(data)
    header = ElfHeader(read, str(path))
    if header.fields.type == ET_DYN or any(row.type == PT_INTERP for row in program_headers(header, read, len(data))):
        return True
    attributes = read_image(path).attributes
    built_for = attributes.get("architecture")
    other = bool(attributes.get("Tag_ARM_ISA_use")) or (bool(built_for) and not str(built_for).endswith(PROFILES))
    return header.machine[0] != "arm" or other
