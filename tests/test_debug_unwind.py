"""Call stacks: the same as GDB's at every instruction, the same without tables, through exceptions and signals."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build
from tests.support.gdb_oracle import capture
from tests.support.programs import ROOT
from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.exidx import RefusedError, Unwinder
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import Unwinding, backtrace
from xemu.hw.harness import start_board

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gdb_oracle import Stop
    from xemu.debug.unwind import Frame

FIRMWARE = ROOT / "samples" / "firmware" / "elf"
CORTEX_M = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "xpsr", "msp", "psp", *(f"d{n}" for n in range(16))]
BUILDS = {
    "thumb-O0": ("-O0", "-mthumb"),
    "thumb-O2": ("-O2", "-mthumb"),
    "thumb-O2-tables": ("-O2", "-mthumb", "-funwind-tables"),
    "arm-O0": ("-O0", "-marm"),
    "arm-O2": ("-O2", "-marm"),
    "thumb-frame-pointer": ("-O1", "-mthumb", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables"),
    "arm-apcs": ("-O1", "-marm", "-fno-omit-frame-pointer", "-mapcs-frame"),
}


@pytest.fixture(scope="module", params=BUILDS)
def stops(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stop]]:
    """Return a program, and 200 places it was at with what GDB saw there."""
    for tool in ("gdb-multiarch", "qemu-arm", "arm-linux-gnueabihf-gcc"):
        need(tool)
    program = build(tmp_path_factory.mktemp("unwind"), "a.c", "-g", "-static", *BUILDS[request.param])
    return program, capture(program, ["leaf", "recurse", "compare", "apply"], count=7, steps=30)


def test_frames_are_gdbs(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    module = Module.open(program)
    modules = Modules([module])
    assert len(places) > 150
    for stop in places:
        expected = [(frame["pc"], frame["line"]) for frame in stop.frames]
        found = backtrace(stop.registers, stop.reader(module), modules)
        if len(expected) > 1 and expected[1][0] == 0:  # GDB is lost in front of a tail call; xemu is not
            assert [frame.function for frame in found].count("main") == 1
            continue
        assert [(frame.pc, frame.place.line if frame.place else 0) for frame in found] == expected, hex(stop.registers["pc"])
    assert module.problems == []


@pytest.mark.parametrize("without", ["lines", "tables"])
def test_frames_are_found_without_tables(stops: tuple[Path, list[Stop]], without: str, need: Callable[..., str]) -> None:
    need("arm-linux-gnueabihf-strip")
    program, places = stops
    bare = program.with_suffix(".bare")
    subprocess.run(["arm-linux-gnueabihf-strip", "--strip-debug", str(program), "-o", str(bare)], check=True)
    full, module = Module.open(program), Module.open(bare, debug_places=[])
    if without == "tables":
        module.__dict__.update(unwind_table=None, call_frames=[])
    for stop in places:
        expected = [frame for frame in backtrace(stop.registers, stop.reader(full), Modules([full])) if not frame.inline]
        found = backtrace(stop.registers, stop.reader(module), Modules([module]))
        end = next((index for index, frame in enumerate(expected) if frame.function == "main"), 0)
        assert [frame.pc for frame in found[: end + 1]] == [frame.pc for frame in expected[: end + 1]], hex(stop.registers["pc"])


def test_saved_registers_are_recovered(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    module = Module.open(program)
    seen = 0
    for stop in places[::10]:
        for frame in backtrace(stop.registers, stop.reader(module), Modules([module]))[1:]:
            for name, address in frame.saved.items():
                if name in frame.registers and name[0] == "r":
                    assert int.from_bytes(stop.read(address, 4) or b"", "little") == frame.registers[name]
                    seen += 1
    assert seen > 50


# -- Cortex-M ----------------------------------------------------------------------------------------------------------------


def walk(machine: str, program: str, steps: int, stride: int) -> Iterator[tuple[Any, Unwinding, list[Frame]]]:
    """Run a sample and yield (board, unwinding, frames) every few instructions."""
    path = FIRMWARE / machine / f"{program}.elf"
    modules = Modules([Module.open(path)])
    board = start_board(machine, path)
    try:
        for _ in range(steps):
            board.machine.run(stride)
            state = board.machine.engine.state
            unwinding = Unwinding({name: state.read(name) for name in CORTEX_M}, board.machine.peek, modules)
            yield board, unwinding, list(unwinding)
    finally:
        board.close()


@pytest.mark.parametrize("machine", ["mps2-an386", "microbit"])
def test_every_instruction_of_exception_samples_leads_to_start(machine: str) -> None:
    nested, depths = set(), set()
    for board, unwinding, frames in walk(machine, "exceptions", 1500, 13):
        names = [frame.function for frame in frames]
        where = f"{board.pc:#x} {names} {unwinding.reason}"
        if {"recover", "resume_context", "on_process_stack"} & {*names}:    # write the registers they go on with, among them SP
            continue
        assert names[-1] in ("start", "reset_handler"), where
        assert unwinding.reason == "LR as reset left it", where
        entered = [frame for frame in frames if frame.exception]
        active = board.machine.engine.state.read("xpsr") & 0x1FF
        assert bool(entered) == bool(active), where
        depths.add(len(entered))
        if len(entered) == 2:
            nested.add(tuple(frame.function for frame in entered))
    assert {0, 1, 2} <= depths
    assert ("IRQ 27", "IRQ 26") in nested or machine == "microbit"


def test_threads_on_the_process_stack() -> None:
    seen = set()
    for _, _, frames in walk("mps2-an386", "kernel", 1500, 29):
        names = [frame.function for frame in frames]
        if "SVCall" in names:
            thread = names[names.index("SVCall") + 1 :]
            assert thread, names
            seen.add(thread[-1])
            assert frames[names.index("SVCall") + 1].registers["sp"] == frames[names.index("SVCall") + 1].registers["psp"]
    assert {"produce_thread", "consume_thread", "work_thread"} <= seen


def test_floating_point_frames() -> None:
    methods = set()
    for _, unwinding, frames in walk("mps2-an386", "fpirq", 1200, 11):
        assert unwinding.reason == "LR as reset left it", [frame.function for frame in frames]
        methods |= {frame.method for frame in frames}
    assert {"registers", "cfi", "exception"} <= methods


def test_a_frame_that_was_aligned_and_one_that_cannot_be_read() -> None:
    registers = {"sp": 0x1000, "lr": 0, "pc": 0xFFFFFFF9, "xpsr": 0x0100000B, "psp": 0, "msp": 0x1000}
    stacked = [1, 2, 3, 4, 12, 0x201, 0x104, 0x01000200]
    memory = b"".join(word.to_bytes(4, "little") for word in stacked)

    def read(address: int, length: int, /) -> bytes | None:
        return memory[address - 0x1000 : address - 0x1000 + length] if address >= 0x1000 and address + length <= 0x1020 else None

    frames = backtrace(registers, read, Modules(), architecture=ARCHITECTURES["arm"])
    assert (frames[0].function, frames[0].exception) == ("SVCall", True)
    assert (frames[1].pc, frames[1].sp, frames[1].registers["r3"], frames[1].registers["lr"]) == (0x104, 0x1024, 4, 0x201)
    unreadable = Unwinding(registers, lambda _address, _length: None, Modules(), architecture=ARCHITECTURES["arm"])
    assert len(list(unreadable)) == 1
    assert unreadable.reason == "the exception's frame cannot be read"


# -- Linux -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["-marm", "-mthumb"])
def test_signal_handlers(mode: str, need: Callable[..., str], tmp_path: Path) -> None:
    for tool in ("gdb-multiarch", "qemu-arm", "arm-linux-gnueabihf-gcc"):
        need(tool)
    program = build(tmp_path, "signals.c", "-g", "-O1", "-static", mode)
    module = Module.open(program)
    areas = [(segment.address, segment.size) for segment in module.elf.segments if segment.type == 1]
    for stop in capture(program, ["inner"], count=2, areas=areas):
        areas_read = stop.read
        frames = backtrace(stop.registers, areas_read, Modules([module]))
        names = [frame.function for frame in frames]
        assert names[:3] == ["inner", "handler", "signal handler called"], names
        assert frames[2].signal
        assert "main" in names
        assert names.index("work") < names.index("main")
        assert "<signal handler called>" in str(frames[2])


# -- tables by hand ------------------------------------------------------------------------------------------------------------
WORDS = {0x1000 + 4 * index: 0x100 + index for index in range(600)}


def read_words(address: int, length: int, /) -> bytes | None:
    """Return memory in which each word has its own number."""
    words = [WORDS.get(at) for at in range(address, address + length, 4)]
    return None if None in words else b"".join(word.to_bytes(4, "little") for word in words)[:length]


@pytest.mark.parametrize(("codes", "vsp", "changed"), [
    ("b0", 0x1000, {"pc": 0x55}),
    ("00 b0", 0x1004, {}),
    ("3f b0", 0x1100, {}),
    ("01 41 b0", 0x1000, {}),
    ("80 08 b0", 0x1004, {"r7": 0x100}),
    ("84 00 b0", 0x1004, {"lr": 0x100}),
    ("88 00 b0", 0x1004, {"pc": 0x100}),
    ("a0 b0", 0x1004, {"r4": 0x100}),
    ("ab b0", 0x1014, {"r4": 0x100, "r7": 0x103, "lr": 0x104, "pc": 0x104}),
    ("97 b0", 0x2000, {}),
    ("b1 09 b0", 0x1008, {"r0": 0x100, "r3": 0x101}),
    ("b2 01 b0", 0x1208, {}),
    ("b2 81 01 b0", 0x1000 + 0x204 + (0x81 << 2), {}),
    ("b3 81 b0", 0x1014, {"d8": 0x101 << 32 | 0x100, "d9": 0x103 << 32 | 0x102}),
    ("b9 b0", 0x1014, {"d8": 0x101 << 32 | 0x100}),
    ("c8 01 b0", 0x1010, {"d16": 0x101 << 32 | 0x100}),
    ("c9 81 b0", 0x1010, {"d8": 0x101 << 32 | 0x100}),
    ("d1 b0", 0x1010, {"d9": 0x103 << 32 | 0x102}),
    ("b4 b0", 0x1004, {}),
])  # fmt: skip
def test_instructions_of_the_exception_tables(codes: str, vsp: int, changed: dict[str, int]) -> None:
    done = Unwinder({"sp": 0x1000, "lr": 0x55, "r7": 0x2000}, read_words).run(bytes.fromhex(codes))
    assert done.cfa == vsp
    for name, value in changed.items():
        assert done.registers[name] == value, name


def test_refusing_to_unwind() -> None:
    with pytest.raises(RefusedError):
        Unwinder({"sp": 0x1000}, read_words).run(bytes.fromhex("8000"))


def test_x86_with_and_without_tables(need: Callable[..., str], tmp_path: Path) -> None:
    need("gcc")
    source = tmp_path / "x.c"
    source.write_text("int g(int a) { return a + 1; }\nint f(int a) { return g(a) * 2; }\nint main(void) { return f(1); }\n")
    subprocess.run(["gcc", "-O0", "-g", "-fcf-protection=none", str(source), "-o", str(tmp_path / "x")], check=True)
    module = Module.open(tmp_path / "x")
    if module.architecture.name != "x86_64":
        pytest.skip("a test for x86-64 hosts")
    find = {name: module.named_functions(name)[0] for name in ("g", "f", "main")}
    stack = {0x7000: 0x7020, 0x7008: find["f"] + 20, 0x7020: 0x7040, 0x7028: find["main"] + 14, 0x7040: 0, 0x7048: 0}

    def read(address: int, length: int, /) -> bytes | None:
        return stack[address].to_bytes(8, "little") if address in stack and length == 8 else module.elf.read(address, length)

    registers = {"rip": find["g"] + 8, "rsp": 0x7000, "rbp": 0x7000}
    by_table = backtrace(registers, read, Modules([module]))
    assert [frame.function for frame in by_table] == ["g", "f", "main"]
    assert by_table[1].method == "cfi"
    module.__dict__["call_frames"] = []
    by_code = backtrace(registers, read, Modules([module]))
    assert [(frame.pc, frame.cfa) for frame in by_code[:2]] == [(frame.pc, frame.cfa) for frame in by_table[:2]]
    assert by_code[1].method == "prologue"
