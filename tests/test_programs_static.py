"""Static programs that are not glibc's: Go's runtime, with its own threads and signals, and musl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same
from tests.support.programs import EAGER, TIERS, host_command, run, xemu_command
from tests.support.roots import MUSL_GCC, go, musl, musl_link, tools, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCES = Path(__file__).parent / "user_programs" / "static"
GO_NAMES = {"i386": "linux_386", "x86_64": "linux_amd64", "ppc64le": "linux_ppc64le"}
LINES = b"".join(b"word%d again %d\n" % (i % 90, i) for i in range(500))


def compile_go(root: Path, arch: str, directory: Path, command: Callable[..., Sequence[str | Path]]) -> Path:
    """Compile and link the Go program with the tools of the guest's architecture, which are static Go programs too."""
    library = root / "usr/lib/go-1.19/pkg" / GO_NAMES[arch]
    programs = root / "usr/lib/go-1.19/pkg/tool" / GO_NAMES[arch]
    directory.mkdir()
    for words in (
        [programs / "compile", "-o", "main.o", "-p", "main", "-trimpath", SOURCES, "-I", library, SOURCES / "go.go"],
        [programs / "link", "-L", library, "-o", "main", "main.o"],
    ):
        done = run(command(*words), cwd=directory, timeout=900)
        assert done.code == 0, (done.stdout, done.stderr)
    return directory / "main"


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
@pytest.mark.parametrize("arch", GO_NAMES)
def test_go_program(arch: str, tier: str, need: Callable[..., str], tmp_path: Path) -> None:
    program = compile_go(unpacked(need, go, arch), arch, tmp_path / "made", host_command)
    done = run(xemu_command(program, options=TIERS[tier]), stdin=LINES, cwd=tmp_path, timeout=600)
    assert_same(done, run(host_command(program), stdin=LINES, cwd=tmp_path))
    assert done.code == 3


@pytest.mark.slow
@pytest.mark.parametrize("arch", GO_NAMES)
def test_go_compiles_and_links_under_xemu(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    root = unpacked(need, go, arch)
    expected = compile_go(root, arch, tmp_path / "host", host_command)
    assert compile_go(root, arch, tmp_path / "xemu", xemu_command).read_bytes() == expected.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
@pytest.mark.parametrize("arch", MUSL_GCC)
def test_musl_program(arch: str, tier: str, need: Callable[..., str], tmp_path: Path) -> None:
    need(MUSL_GCC[arch][0])
    for find in (musl, tools):
        unpacked(need, find, arch)
    program = tmp_path / "musl"
    subprocess.run(musl_link(arch, ["-O2"], [SOURCES / "musl.c"], program), check=True, capture_output=True)
    done = run(xemu_command(program, options=TIERS[tier]), cwd=tmp_path)
    assert_same(done, run(host_command(program), cwd=tmp_path))
    assert done.code == 9
