"""Call stacks of PowerPC code: the same as GDB's at every instruction, the same without tables, through signals."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.gdb_oracle import capture
from tests.support.ppc import PREFIXES, built
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import Unwinding, backtrace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gdb_oracle import Stop

BUILDS = {"ppc-O0": ("ppc", "-O0"), "ppc-O2": ("ppc", "-O2"), "ppc64le-O0": ("ppc64le", "-O0"), "ppc64le-O2": ("ppc64le", "-O2")}


def reader(stop: Stop, module: Module) -> Callable[[int, int], bytes | None]:
    """Return memory: the stack as it was, code from the file."""
    def read(address: int, length: int, /) -> bytes | None:
        found = stop.read(address, length)
        return module.elf.read(address, length) if found is None else found

    return read


@pytest.fixture(scope="module", params=BUILDS)
def stops(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stop]]:
    """Return a program, and 78 places it was at with what GDB saw there."""
    arch, *options = BUILDS[request.param]
    need("gdb-multiarch", "qemu-" + arch)
    program = built(need, tmp_path_factory.mktemp("unwind"), arch, "a.c", "-g", "-static", *options)
    places = ["*leaf", "*recurse", "compare", "apply"]
    return program, capture(program, places, count=6, steps=12, machine=arch)


def test_frames_are_gdbs(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    module = Module.open(program)
    assert len(places) > 60
    for stop in places:
        expected = [(frame["pc"], frame["line"]) for frame in stop.frames if frame["pc"]]    # behind the first one GDB has one at 0
        found = backtrace(stop.registers, reader(stop, module), Modules([module]))
        assert [(frame.pc, frame.place.line if frame.place else 0) for frame in found] == expected, hex(stop.frames[0]["pc"])
    assert module.problems == []


@pytest.mark.parametrize("without", ["tables", "symbols"])
def test_frames_are_found_without_tables(stops: tuple[Path, list[Stop]], need: Callable[..., str], without: str) -> None:
    program, places = stops
    strip = need(PREFIXES[program.parent.name] + "strip")
    bare = program.with_suffix("." + without)
    subprocess.run([strip, "--strip-debug" if without == "tables" else "--strip-all", str(program), "-o", str(bare)], check=True)
    full, module = Module.open(program), Module.open(bare, debug_places=[])
    module.__dict__.update(call_frames=[])
    for stop in places:
        expected = [frame for frame in backtrace(stop.registers, reader(stop, full), Modules([full])) if not frame.inline]
        found = backtrace(stop.registers, reader(stop, module), Modules([module]))
        end = next((index for index, frame in enumerate(expected) if frame.function == "main"), 0)
        assert [frame.pc for frame in found[: end + 1]] == [frame.pc for frame in expected[: end + 1]], hex(stop.frames[0]["pc"])


def test_saved_registers_are_recovered(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    full = Module.open(program)
    bare = Module.open(program)
    bare.__dict__.update(call_frames=[])
    seen = 0
    for stop in places[::5]:
        tables = backtrace(stop.registers, reader(stop, full), Modules([full]))
        code = backtrace(stop.registers, reader(stop, bare), Modules([bare]))
        for one, other in zip(tables, code, strict=False):
            if one.function in ("recurse", "apply", "main", "leaf"):
                wanted = {name: value for name, value in one.registers.items() if name in ("r29", "r30", "r31", "r1")}
                assert {name: other.registers.get(name) for name in wanted} == wanted, (one.function, hex(stop.frames[0]["pc"]))
                seen += len(wanted)
    assert seen > 60


def test_signal_handlers(need: Callable[..., str], tmp_path: Path) -> None:
    arch = "ppc"                                       # QEMU's frames of 64-bit programs are not Linux's
    need("gdb-multiarch", "qemu-" + arch)
    program = built(need, tmp_path, arch, "signals.c", "-g", "-static", "-O1")
    module = Module.open(program)
    for stop in capture(program, ["inner"], count=2, machine=arch):
        frames = backtrace(stop.registers, reader(stop, module), Modules([module]))
        names = [frame.function for frame in frames]
        assert names[:3] == ["inner", "handler", "signal handler called"], names
        assert frames[2].signal
        assert "work" in names
        assert names.index("work") < names.index("main")


@pytest.mark.parametrize(("arch", "order"), [("ppc", ">"), ("ppc64le", "<")])
def test_the_back_chain_leads_on_where_nothing_is_known(arch: str, order: str) -> None:
    """Frames of code without names or tables: the chain of stack pointers, and the words where return addresses are stored."""
    from xemu.debug.architectures import ARCHITECTURES

    word, link = ("I", 4) if arch == "ppc" else ("Q", 16)
    memory = bytearray(0x4000)

    def put(at: int, *values: int, code: str = "I") -> None:
        struct.pack_into(f"{order}{len(values)}{code}", memory, at, *values)

    for call in (0x1000, 0x1100, 0x1200):
        put(call, 0x60000000, 0x60000000, 0x48000101)              # nop; nop; bl
    for frame, older in ((0x3000, 0x3040), (0x3040, 0x3080), (0x3080, 0)):
        put(frame, older, code=word)
    for frame, call in ((0x3040, 0x1000), (0x3080, 0x1100)):
        put(frame + link, call + 12, code=word)
    arch_row = ARCHITECTURES[arch]
    registers = {f"r{n}": 0 for n in range(32)} | {"r1": 0x3000, "pc": 0x120C, "lr": 0}

    def read(address: int, length: int, /) -> bytes | None:
        return bytes(memory[address:address + length]) if address + length <= len(memory) else None

    unwinding = Unwinding(registers, read, Modules(), architecture=arch_row)
    frames = list(unwinding)
    assert [frame.pc for frame in frames] == [0x120C, 0x100C, 0x110C]
    assert [frame.sp for frame in frames] == [0x3000, 0x3040, 0x3080]
