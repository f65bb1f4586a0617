"""What is printed when a signal kills the guest: where, why, the registers, the code around it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from xemu.loaders.elf import file_reader, read_symbols
from xemu.user import signals as sig

if TYPE_CHECKING:
    from xemu.user.process import Process
    from xemu.user.signals import SigInfo
    from xemu.user.task import Task

CODES = {
    (sig.SIGSEGV, 1): "nothing is mapped at", (sig.SIGSEGV, 2): "no right to access", (sig.SIGBUS, 1): "misaligned access to",
    (sig.SIGBUS, 2): "past the end of the file mapped at", (sig.SIGILL, 1): "undefined instruction at",
    (sig.SIGILL, 2): "undefined instruction at", (sig.SIGILL, 5): "privileged instruction at", (sig.SIGTRAP, 1): "breakpoint at",
    (sig.SIGFPE, sig.FPE_INTDIV): "division by zero at",
    (sig.SIGFPE, sig.FPE_FLTINV): "invalid operation at", (sig.SIGFPE, sig.FPE_FLTDIV): "floating-point division by zero at",
    (sig.SIGFPE, sig.FPE_FLTOVF): "overflow at", (sig.SIGFPE, sig.FPE_FLTUND): "underflow at",
    (sig.SIGFPE, sig.FPE_FLTRES): "inexact result at",
}  # fmt: skip
AROUND = 4  # instructions shown before and after


def symbol_at(process: Process, address: int) -> str:
    """Return "name+0x12 (file)" for an address, the file alone, or nothing."""
    area = process.space.area_at(address)
    if area is None or not area.path or not area.path.startswith("/"):
        return area.path if area is not None else ""
    name = os.path.basename(area.path)
    try:
        fd = os.open(area.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return name
    try:
        symbols = read_symbols(file_reader(fd), os.fstat(fd).st_size, name)
    finally:
        os.close(fd)
    found = symbols.at(address - _bias(process, area.path))
    return f"{found[0]}+{found[1]:#x} ({name})" if found else name


def _bias(process: Process, path: str) -> int:
    """Return how far a file's addresses are moved, from its first mapping."""
    from xemu.errors import XemuError
    from xemu.loaders.elf import read_elf

    first = next((area for area in process.space.areas() if area.path == path and area.offset == 0), None)
    if first is None:
        return 0
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        image = read_elf(file_reader(fd), os.fstat(fd).st_size, path)
        os.close(fd)
    except (OSError, XemuError):
        return 0
    return first.start - (image.low & -4096)


def disassembly(process: Process, address: int) -> list[str]:
    """Return the instructions around an address, the one there marked."""
    try:
        import capstone
    except ImportError:
        return []
    cpu = process.engine
    iset = cpu.target.iset(cpu.state.context)
    unit = iset.geometry.unit
    decoder = capstone.Cs(*cpu.target.capstone(cpu.state.context))
    before = b""
    if unit == 1:
        before = _before(decoder, process.space, address)
    else:
        start = max(address - AROUND * unit, address & -4096)
        before = process.space.peek(start, address - start) or b""
    decoder.skipdata = True
    start = address - len(before)
    data = b""
    for size in (AROUND * 16, AROUND * 4, 4, 2, 1):
        data = process.space.peek(address, size) or b""
        if data:
            break
    data = before + data
    lines, after = [], 0
    for at, size, mnemonic, operands in decoder.disasm_lite(data, start):
        mark = "=>" if at == address else "  "
        code = _code_text(data[at - start : at - start + size], unit, big=iset.big)
        lines.append(f"{mark} {at:08x}  {code:{8 if unit > 1 else 20}}  {mnemonic} {operands}".rstrip())
        after += at > address
        if after > AROUND or (unit > 1 and at > address + AROUND * unit):
            break
    return lines


def _before(decoder: Any, space: Any, address: int) -> bytes:
    """Return code before an address that decodes into a few whole instructions, where they may begin anywhere."""
    for start in range(max(address - 5 * AROUND, address & -4096), address):
        data: bytes = space.peek(start, address - start) or b""
        found = list(decoder.disasm_lite(data, start))
        if found and sum(size for _, size, _, _ in found) == len(data):
            return data[found[max(len(found) - AROUND, 0)][0] - start :]
    return b""


def _code_text(data: bytes, unit: int, *, big: bool) -> str:
    """Return code as the words, halfwords or bytes a manual shows."""
    return data.hex() if big else "".join(data[at : at + unit][::-1].hex() for at in range(0, len(data), unit))


def instruction_text(process: Process, address: int) -> str:
    """Return address, bytes and disassembly of one instruction."""
    line = next((t for t in disassembly(process, address) if t.startswith("=>")), "")
    return line[3:] or f"{address:08x}  {(process.space.peek(address, 4) or b'').hex()}"


def registers(process: Process) -> list[str]:
    """Return the registers, four to a line."""
    read, abi = process.engine.state.read, process.abi
    flags = ("cpsr", "fpscr", "eflags", "cr", "xer")
    return ["  ".join(f"{name:>3} {read(name):0{8 if name in flags else abi.bits // 4}x}" for name in line) for line in abi.crash_registers]


def report(process: Process, task: Task, info: SigInfo) -> None:
    """Print the report for a signal that dumps core."""
    state = process.engine.state
    pc = state.read("pc")
    where = symbol_at(process, pc)
    text = f"{os.fsdecode(process.comm)}: {sig.name_of(info.signo)} at {pc:#010x}"
    if where:
        text += f" in {where}"
    if info.form == "fault" and info.code > 0 and info.code != sig.SI_KERNEL:
        why = CODES.get((info.signo, info.code), f"code {info.code},")
        if (info.signo, info.code, info.values[0]) == (sig.SIGSEGV, 2, pc):
            why = "no right to execute"
        text += f": {why} {info.values[0]:#010x}"
    elif info.form == "fault" and info.signo == sig.SIGSEGV:
        text += ": general protection: a misaligned or impossible address, or an instruction that is not allowed"
    elif info.signo == sig.SIGABRT and info.code == sig.SI_TKILL:
        text += ": the program called abort()"
    elif info.form in ("kill", "rt") and info.code <= 0:
        text += f": sent by process {info.values[0] if info.values else '?'}"
    process.say(text)
    if len(process.tasks) > 1:
        process.say(f"thread {task.tid} of {len(process.tasks)}")
    for line in (*registers(process), *disassembly(process, pc)):
        process.say("  " + line)
