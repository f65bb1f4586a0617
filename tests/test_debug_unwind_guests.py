"""Call stacks of x86 and PowerPC code: the same as GDB's at every instruction, the same without tables, through signals."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.gdb_oracle import capture
from tests.support.guests import PREFIXES, built, is_x86
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import backtrace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gdb_oracle import Stop

BUILDS = {f"{arch}-{level}": (arch, f"-{level}") for arch in PREFIXES for level in ("O0", "O2")}
BUILDS["x86_64-O2"] = (*BUILDS["x86_64-O2"], "-fcf-protection")
#: where code alone says more: where functions start that have no names, and what they save
POWERPC = [name for name in BUILDS if name.startswith("ppc")]
SAVED = ("r29", "r30", "r31", "r1")


@pytest.fixture(scope="module", params=BUILDS)
def stops(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stop]]:
    """Return a program, and up to 78 places it was at with what GDB saw there."""
    arch, *options = BUILDS[request.param]
    need("gdb-multiarch", *(() if is_x86(arch) else ("qemu-" + arch,)))
    program = built(need, tmp_path_factory.mktemp("unwind"), arch, "a.c", "-g", "-static", *options)
    places = ["leaf", "recurse", "compare", "apply"] if is_x86(arch) else ["*leaf", "*recurse", "compare", "apply"]
    return program, capture(program, places, count=6, steps=12, machine=arch)


def test_frames_are_gdbs(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    module = Module.open(program)
    assert len(places) == 78 if is_x86(program.parent.name) else len(places) > 60
    for stop in places:
        expected = [(frame["pc"], frame["line"]) for frame in stop.frames if frame["pc"]]    # of PowerPC, GDB has one at 0 behind the first
        found = backtrace(stop.registers, stop.reader(module), Modules([module]))
        assert [(frame.pc, frame.place.line if frame.place else 0) for frame in found] == expected, hex(stop.frames[0]["pc"])
    assert module.problems == []


def check_stripped(program: Path, places: list[Stop], strip: str, what: str) -> None:
    """Compare the stacks of a program without some of what is in its file with those of the whole, up to main."""
    bare = program.with_suffix(f".{what.strip('-')}")
    subprocess.run([strip, what, str(program), "-o", str(bare)], check=True)
    full, module = Module.open(program), Module.open(bare, debug_places=[])
    module.__dict__.update(call_frames=[])
    for stop in places:
        expected = [frame for frame in backtrace(stop.registers, stop.reader(full), Modules([full])) if not frame.inline]
        found = backtrace(stop.registers, stop.reader(module), Modules([module]))
        end = next((index for index, frame in enumerate(expected) if frame.function == "main"), 0)
        assert [frame.pc for frame in found[: end + 1]] == [frame.pc for frame in expected[: end + 1]], hex(stop.frames[0]["pc"])


def test_frames_are_found_without_tables(stops: tuple[Path, list[Stop]], need: Callable[..., str]) -> None:
    program, places = stops
    check_stripped(program, places, need(PREFIXES[program.parent.name] + "strip"), "--strip-debug")


@pytest.mark.parametrize("stops", POWERPC, indirect=True, scope="module")
def test_frames_are_found_without_names(stops: tuple[Path, list[Stop]], need: Callable[..., str]) -> None:
    program, places = stops
    check_stripped(program, places, need(PREFIXES[program.parent.name] + "strip"), "--strip-all")


@pytest.mark.parametrize("stops", POWERPC, indirect=True, scope="module")
def test_saved_registers_are_recovered(stops: tuple[Path, list[Stop]]) -> None:
    program, places = stops
    full, bare = Module.open(program), Module.open(program)
    bare.__dict__.update(call_frames=[])
    seen = 0
    for stop in places[::5]:
        tables = backtrace(stop.registers, stop.reader(full), Modules([full]))
        code = backtrace(stop.registers, stop.reader(bare), Modules([bare]))
        for one, other in zip(tables, code, strict=False):
            if one.function in ("recurse", "apply", "main", "leaf"):
                wanted = {name: value for name, value in one.registers.items() if name in SAVED}
                assert {name: other.registers.get(name) for name in wanted} == wanted, (one.function, hex(stop.frames[0]["pc"]))
                seen += len(wanted)
    assert seen > 60


@pytest.mark.parametrize("arch", ["x86_64", "i386", "ppc"])         # QEMU's frames of ppc64le are not Linux's
def test_signal_handlers(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    need("gdb-multiarch", *(() if is_x86(arch) else ("qemu-" + arch,)))
    program = built(need, tmp_path, arch, "signals.c", "-g", "-static", "-O1")
    stops = capture(program, ["inner"], count=2, machine=arch)
    for without in (False, True) if is_x86(arch) else (False,):
        module = Module.open(program)
        if without:
            module.__dict__.update(call_frames=[frames for frames in module.call_frames if frames.name == ".debug_frame"])
        for stop in stops:
            frames = backtrace(stop.registers, stop.reader(module), Modules([module]))
            names = [frame.function for frame in frames]
            assert names[:3] == ["inner", "handler", "signal handler called"], names
            assert frames[2].signal
            assert "work" in names
            assert names.index("work") < names.index("main")
