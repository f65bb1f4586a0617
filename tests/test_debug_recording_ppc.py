"""Recordings of PowerPC's Linux programs: the same run elsewhere, in every tier, and any place of it from either side."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import TIERS, XEMU, Result, run, xemu_command
from tests.test_user_ppc import COMPILERS, SOURCES, STATIC
from xemu.debug import open_recording
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xemu.debug.debugger import Debugger

#: threads that wait for each other and get signals; faults, contexts, vectors and floating-point exceptions
NAMES = ("threads", "ppc/machine")
REGISTERS = [*(f"{kind}{number}" for kind in ("r", "f", "vr") for number in range(32)), "lr", "ctr", "cr", "xer", "fpscr", "vscr"]


@dataclass
class Recorded:
    """A recording, the program of which has been deleted, and what its run gave."""

    file: Path
    plain: Result
    run: Result


@pytest.fixture(scope="module", params=[(arch, name) for arch in COMPILERS for name in NAMES], ids=" ".join)
def recorded(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    arch, name = request.param
    need(COMPILERS[arch][0])
    directory = tmp_path_factory.mktemp(arch)
    program, file = directory / "program", directory / "program.rec"
    subprocess.run([*COMPILERS[arch], *STATIC, SOURCES / f"{name}.c", "-o", program, "-lm"], check=True)
    plain = run(xemu_command(program), cwd=directory)
    done = run(xemu_command(program, options=["--trace-hash", "--record", str(file)]), cwd=directory)
    program.unlink()
    return Recorded(file, plain, done)


def test_a_recorded_run_is_like_any_other(recorded: Recorded) -> None:
    assert recorded.plain.stdout
    assert recorded.run.same_as(recorded.plain)


@pytest.mark.parametrize("tier", ["default", "interpreter"])
def test_it_repeats_with_the_same_hash_and_count(recorded: Recorded, tier: str) -> None:
    done = run([*XEMU, "replay", *TIERS[tier], recorded.file])
    digest, count = recorded.run.stderr.decode().split("trace hash ")[1].split(" instructions")[0].split(" after ")
    assert f"{count} instructions, trace hash {digest}" in done.stdout.decode(), done.stderr
    assert (done.code, b"the same as recorded" in done.stdout) == (0, True)


@pytest.fixture
def d(recorded: Recorded) -> Iterator[Debugger]:
    debugger = open_recording(recorded.file)
    yield debugger
    debugger.system.close()
    debugger.system.engine.space.close()


def place(d: Debugger) -> tuple[object, ...]:
    """Return where the guest is and all that it has in registers there."""
    return (d.position.insns, d.pc, *(d.read_register(name) for name in REGISTERS))


def to_the_end(d: Debugger) -> int:
    """Go on until nothing is recorded any more, whatever signals stop on the way; return the instructions executed there."""
    while d.cont().kind is StopKind.SIGNAL:
        pass
    assert d.cont().kind is StopKind.HISTORY_END
    return d.position.insns


def test_any_place_is_the_same_from_both_sides(d: Debugger) -> None:
    end = to_the_end(d)
    places = sorted(random.Random(4).sample(range(1, end), 8))
    forwards = {}
    for at in places:
        d.seek(at)
        here = [place(d)]
        for _ in range(5):
            d.step()
            here.append(place(d))
        forwards[at] = here
    for at in reversed(places):
        d.seek(at + 5)
        here = [place(d)]
        for _ in range(5):
            d.step(back=True)
            here.append(place(d))
        assert here[::-1] == forwards[at]
    assert to_the_end(d) == end
