"""gcc's C torture programs: all that pass under QEMU, or on the host, pass here. Minutes to build, so among the slow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.programs import QEMU_OF, TIERS, run, xemu_command
from tests.torture import BOARDS, LINUX, compiler, needs_qemu, passing, programs
from xemu.hw.harness import start_board

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS: Final = 4                 # of a board's programs, so that several processes share them
SECONDS: Final = 60.0            # virtual; the longest takes a few


def failure(board: str, program: Path, directory: Path, *, jit: bool) -> str | None:
    """Run a program, which may write files to a directory; return what went wrong, None if nothing did."""
    running = start_board(board, program, jit=jit, semihosting=directory)
    try:
        stop = running.run(SECONDS)
    finally:
        running.close()
    return None if (stop.reason, stop.code) == ("exit", 0) else f"{program.stem}: {stop.reason} {stop.code}"


@pytest.mark.slow
@pytest.mark.parametrize("jit", [True, False], ids=["default", "interpreter"])
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("board", BOARDS)
def test_what_passes_under_qemu_passes_here(board: str, part: int, jit: bool, need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    good = passing(board)
    assert len(good) > 1000
    chosen = [p for p in programs(board) if p.stem in good][part::PARTS]
    failed = [text for p in chosen if (text := failure(board, p, tmp_path, jit=jit)) is not None]
    assert failed == []


@pytest.mark.slow
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", LINUX)
def test_what_passes_under_linux_passes_here(kind: str, part: int, tier: str, need: Callable[..., str], tmp_path: Path) -> None:
    arch = LINUX[kind].arch
    oracle = [QEMU_OF[arch][0]] if needs_qemu(kind) else []
    need(compiler(LINUX[kind]), *oracle, "apt-get", "dpkg-deb")
    good = passing(kind)
    assert len(good) > 1000
    chosen = [p for p in programs(kind) if p.stem in good][part::PARTS]
    if tier == "eager":
        chosen = chosen[::10]                # compiles all of a program
    results = {p.stem: run(xemu_command(p, options=TIERS[tier]), cwd=tmp_path, timeout=300) for p in chosen}
    assert {name: (r.code, r.stderr[-300:].decode(errors="replace")) for name, r in results.items() if r.code} == {}
