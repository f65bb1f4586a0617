"""The kernels of `make bench`: ARM's and PowerPC's builds print what the native build prints, x86 builds what they print natively."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from bench import build
from bench.jobs import KERNELS, ON_X86, QEMU, X86, candidates
from tests.support.compare import assert_same
from tests.support.programs import run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHORT = [*itertools.product(("bytecode", "fft", "hash", "neon"), ("arm", "thumb")),
         ("bytecode", "x86-64"), ("bytecode", "i386"), ("mandel", "x87"), ("nbody", "x86-64"),
         *itertools.product(("bytecode", "hash", "neon"), ("ppc64le", "ppc"))]
ALL = [(c.name, c.build) for c in candidates() if c.name in KERNELS]
TIERS: list[tuple[str, ...]] = [(), ("--no-jit",), ("--eager-jit",)]


@pytest.fixture(scope="module", autouse=True)
def _directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build in a directory of this worker's own."""
    build.BUILD = tmp_path_factory.mktemp("kernels")  # type: ignore[misc]


def check(need: Callable[..., str], name: str, kind: str, options: tuple[str, ...] = ()) -> None:
    how = build.BUILDS[kind]
    need(how.compiler[0], "gcc", *(["gcc -m32"] if "-m32" in how.compiler else []))
    reference = build.reference(how)
    build.build([(name, kind), (name, reference)])
    command: list[str | Path] = [build.program(name, reference)]
    if how.arch in X86 and not ON_X86:
        command = [*QEMU[how.arch], *command]
    assert_same(run(xemu_command(build.program(name, kind), options=options)), run(command))


@pytest.mark.parametrize(("name", "kind"), SHORT)
def test_kernel_prints_what_native_code_prints(name: str, kind: str, need: Callable[..., str]) -> None:
    check(need, name, kind)


@pytest.mark.slow
@pytest.mark.parametrize("options", TIERS)
@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_kernel_in_every_tier(name: str, kind: str, options: tuple[str, ...], need: Callable[..., str]) -> None:
    check(need, name, kind, options)
