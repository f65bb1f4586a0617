"""Call stacks of x86 code: the same as GDB's at every instruction, the same without tables, through signals."""

from __future__ import annotations

import platform
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build
from tests.support.gdb_oracle import capture_native
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import backtrace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gdb_oracle import Stop

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test for x86-64 hosts")

BUILDS = {
    "64-O0": ("-O0",),
    "64-O2": ("-O2", "-fcf-protection"),
    "32-O0": ("-m32", "-O0"),
    "32-O2": ("-m32", "-O2"),
}


def built(need: Callable[..., str], place: Path, source: str, *options: str) -> Path:
    need("gdb-multiarch", "gcc -m32" if "-m32" in options else "gcc")
    return build(place, source, "-g", "-static", *options, prefix="")


def reader(stop: Stop, module: Module) -> Callable[[int, int], bytes | None]:
    """Return memory: the stack as it was, code from the file."""
    def read(address: int, length: int, /) -> bytes | None:
        found = stop.read(address, length)
        return module.elf.read(address, length) if found is None else found

    return read


@pytest.fixture(scope="module", params=BUILDS)
def stops(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stop]]:
    """Return a program, and 78 places it was at with what GDB saw there."""
    options = BUILDS[request.param]
    program = built(need, tmp_path_factory.mktemp("unwind"), "a.c", *options)
    places, bits = ["leaf", "recurse", "compare", "apply"], 32 if "-m32" in options else 64
    return program, capture_native(program, places, count=6, steps=12, bits=bits)


def test_frames_are_gdbs(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    module = Module.open(program)
    assert len(places) == 78
    for stop in places:
        expected = [(frame["pc"], frame["line"]) for frame in stop.frames]
        found = backtrace(stop.registers, reader(stop, module), Modules([module]))
        assert [(frame.pc, frame.place.line if frame.place else 0) for frame in found] == expected, hex(stop.frames[0]["pc"])
    assert module.problems == []


def test_frames_are_found_without_tables(stops: tuple[Path, list[Stop]], need: Callable[..., str]) -> None:
    need("strip")
    program, places = stops
    bare = program.with_suffix(".bare")
    subprocess.run(["strip", "--strip-debug", str(program), "-o", str(bare)], check=True)
    full, module = Module.open(program), Module.open(bare, debug_places=[])
    module.__dict__.update(call_frames=[])
    for stop in places:
        expected = [frame for frame in backtrace(stop.registers, reader(stop, full), Modules([full])) if not frame.inline]
        found = backtrace(stop.registers, reader(stop, module), Modules([module]))
        end = next((index for index, frame in enumerate(expected) if frame.function == "main"), 0)
        assert [frame.pc for frame in found[: end + 1]] == [frame.pc for frame in expected[: end + 1]], hex(stop.frames[0]["pc"])


@pytest.mark.parametrize("options", [(), ("-m32",)], ids=["64", "32"])
def test_signal_handlers(options: tuple[str, ...], need: Callable[..., str], tmp_path: Path) -> None:
    program = built(need, tmp_path, "signals.c", "-O1", *options)
    for without in (False, True):
        module = Module.open(program)
        if without:
            module.__dict__.update(call_frames=[frames for frames in module.call_frames if frames.name == ".debug_frame"])
        for stop in capture_native(program, ["inner"], count=2, bits=32 if options else 64):
            frames = backtrace(stop.registers, reader(stop, module), Modules([module]))
            names = [frame.function for frame in frames]
            assert names[:3] == ["inner", "handler", "signal handler called"], names
            assert frames[2].signal
            assert "work" in names
            assert names.index("work") < names.index("main")
