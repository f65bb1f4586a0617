"""What gdb-multiarch says about a program that runs under QEMU, and the state it says it about.

One GDB session stops at breakpoints and writes registers, memory and its own view of every frame as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xemu.debug.symbols import Module

NAMES = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "cpsr", *(f"d{n}" for n in range(16))]
X86_64 = [*"rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()]      # noqa: SIM905
I386 = [*"eax ebx ecx edx esi edi ebp esp eip".split()]                                                            # noqa: SIM905
PPC = [*(f"r{n}" for n in range(32)), "pc", "lr", "ctr", "cr"]


class Machine(NamedTuple):
    """A processor: what runs its programs, its registers, the stack pointer, and which registers have 64 bits."""

    emulator: tuple[str, ...]
    names: list[str]
    sp: str
    wide: list[str]


MACHINES = {
    "arm": Machine(("qemu-arm",), NAMES, "sp", [f"d{n}" for n in range(16)]),
    "x86_64": Machine((), X86_64, "rsp", X86_64), "i386": Machine((), I386, "esp", []),
    "ppc": Machine(("qemu-ppc",), PPC, "r1", []), "ppc64le": Machine(("qemu-ppc64le", "-cpu", "power9"), PPC, "r1", PPC),
}
SCRIPT = r"""
import gdb, json
stops = []
def text(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as error:
        return "error: " + str(error)
def variables(command):
    found = {}
    for line in text(command).splitlines():
        name, sign, value = line.partition(" = ")
        if sign and not line.startswith(" "):
            found.setdefault(name, value)
    return found
def number(name):
    value = gdb.selected_frame().read_register(name)
    if name[0] == "d" and name[1:].isdigit():
        value = value["u64"]
    return int(value) & ((1 << 64) - 1 if name in %(wide)r else (1 << 32) - 1)
def stop(expressions):
    gdb.execute("frame 0", to_string=True)
    registers = {name: number(name) for name in %(names)r}
    memory = gdb.selected_inferior().read_memory
    chunks = []
    for start, size in [(registers[%(sp)r] - 256, 16384), *%(areas)r]:
        while size > 0:
            try:
                chunks.append((start, bytes(memory(start, size)).hex()))
                break
            except gdb.MemoryError:
                size -= 1024
    frames = []
    frame = gdb.newest_frame()
    while frame is not None and len(frames) < 60:
        frame.select()
        sal = frame.find_sal()
        try:
            chunks.append((frame.pc(), bytes(memory(frame.pc(), 16)).hex()))     # signal trampolines are in no file
        except gdb.MemoryError:
            pass
        frames.append({"pc": frame.pc(), "name": frame.name() or "", "kind": frame.type(), "line": sal.line if sal else 0,
                       "locals": variables("info locals"), "args": variables("info args")})
        try:
            frame = frame.older()
        except gdb.error:
            break
    gdb.execute("frame 0", to_string=True)
    results = {}
    for expression in expressions:
        results[expression] = text("print " + expression).partition(" = ")[2].strip() or text("print " + expression).strip()
    stops.append({"registers": registers, "memory": chunks, "frames": frames, "values": results})
gdb.execute("set pagination off"); gdb.execute("set confirm off"); gdb.execute("set width 0"); gdb.execute("set print frame-arguments all")
gdb.execute("set backtrace past-main on"); gdb.execute("set debuginfod enabled off")
gdb.execute("handle all nostop noprint pass", to_string=True)
gdb.execute("handle SIGTRAP stop", to_string=True)
gdb.execute(%(start)r)
for place in %(places)r:
    gdb.execute("break " + place)
for _ in range(%(count)d):
    gdb.execute("continue", to_string=True)
    if not gdb.selected_inferior().threads():
        break
    stop(%(expressions)r)
    for _ in range(%(steps)d):
        gdb.execute("stepi", to_string=True)
        stop([])
open(%(result)r, "w").write(json.dumps(stops))
gdb.execute("kill")
"""


@dataclass
class Stop:
    """One stop: the state, and what GDB makes of it."""

    registers: dict[str, int]
    chunks: list[tuple[int, bytes]]
    frames: list[dict[str, Any]]
    values: dict[str, str]

    def read(self, address: int, length: int) -> bytes | None:
        """Return memory that was kept."""
        for start, data in self.chunks:
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        return None

    def reader(self, module: Module) -> Callable[[int, int], bytes | None]:
        """Return how memory is read: the stack as it was, code from the file."""

        def read(address: int, length: int, /) -> bytes | None:
            found = self.read(address, length)
            return module.elf.read(address, length) if found is None else found

        return read


def capture(program: Path, places: Sequence[str], *, count: int = 1, steps: int = 0, areas: Sequence[tuple[int, int]] = (),
            expressions: Sequence[str] = (), timeout: float = 60, machine: str = "arm") -> list[Stop]:  # fmt: skip
    """Run a program to breakpoints, `count` times, each followed by `steps` single steps; `areas`: memory besides the stack.

    It runs under QEMU, or natively where the machine is x86, which the host must then be.
    """
    kind = MACHINES[machine]
    with tempfile.TemporaryDirectory() as directory, _emulated(kind, program) as start:
        result, script = Path(directory) / "stops.json", Path(directory) / "script.py"
        script.write_text(SCRIPT % {"names": kind.names, "sp": kind.sp, "start": start, "wide": kind.wide, "areas": list(areas),
                                    "places": list(places), "count": count, "expressions": list(expressions), "steps": steps,
                                    "result": str(result)})  # fmt: skip
        done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", str(program), "-x", str(script)], capture_output=True, text=True,
                              timeout=timeout, check=False, stdin=subprocess.DEVNULL)  # fmt: skip
        if not result.exists():
            raise AssertionError(f"GDB failed: {done.stderr[-2000:]}")
        return _stops(result)


@contextmanager
def _emulated(machine: Machine, program: Path) -> Iterator[str]:
    """Start a program under the machine's emulator, if it has one; gives GDB's command for its first stop."""
    if not machine.emulator:
        yield "starti"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    guest = subprocess.Popen([*machine.emulator, "-g", str(port), str(program)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        yield f"target remote 127.0.0.1:{port}"
    finally:
        guest.kill()
        guest.wait()


def _stops(result: Path) -> list[Stop]:
    stops = json.loads(result.read_text())
    return [Stop(stop["registers"], [(start, bytes.fromhex(text)) for start, text in stop["memory"]], stop["frames"], stop["values"])
            for stop in stops]  # fmt: skip
