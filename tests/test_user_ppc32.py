"""Programs for 32-bit big-endian PowerPC: C programs that try the Linux interface, static and dynamic; what they print is in NAME.out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import run, xemu_command
from tests.test_user_programs import CODES, NAMES, SOURCES, steady

if TYPE_CHECKING:
    from collections.abc import Callable

COMPILER = "powerpc-linux-gnu-gcc"
ROOT = Path("/usr/powerpc-linux-gnu")  # where Debian's cross compilers have the libraries
DYNAMIC = ("library", "structs", "threads")


@pytest.fixture(scope="session")
def build(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that compiles one of the programs, or C text."""
    compiler, directory = need(COMPILER), tmp_path_factory.mktemp("ppc32")

    def compiled(name: str, *flags: str, text: str | None = None) -> Path:
        source, program = SOURCES / f"{name}.c", directory / (name + "".join(flags))
        if text is not None:
            source = directory / f"{name}.c"
            source.write_text(text)
        if not program.exists():
            command = [compiler, "-O1", "-w", "-pthread", *flags, str(source), "-o", str(program), "-lm"]
            subprocess.run(command, check=True, capture_output=True)
        return program

    return compiled


@pytest.mark.parametrize("name", NAMES)
def test_static_program_prints_what_it_should(name: str, build: Callable[..., Path], tmp_path: Path) -> None:
    result = run(xemu_command(build(name, "-static")), cwd=tmp_path)
    assert steady(result.stdout.decode()) == steady((SOURCES / f"{name}.out").read_text()), result.stderr.decode()
    assert result.code == CODES.get(name, 0)


@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_program_prints_the_same(name: str, build: Callable[..., Path], tmp_path: Path) -> None:
    result = run(xemu_command(build(name), sysroot=ROOT), cwd=tmp_path)
    assert steady(result.stdout.decode()) == steady((SOURCES / f"{name}.out").read_text()), result.stderr.decode()
    assert result.code == CODES.get(name, 0)


def test_network_interfaces_are_those_of_the_host(build: Callable[..., Path], need: Callable[..., str], tmp_path: Path) -> None:
    source = SOURCES / "native" / "network.c"
    subprocess.run([need("gcc"), "-w", str(source), "-o", str(tmp_path / "network")], check=True)
    expected = subprocess.run([tmp_path / "network"], check=True, capture_output=True, text=True).stdout
    result = run(xemu_command(build("network", "-static", text=source.read_text())))
    assert result.stdout.decode() == expected, result.stderr.decode()
    assert re.search(r"^  SIOCGIFADDR 0 0  2 127\.0\.0\.1$", expected, re.MULTILINE)


CRASH = r"""
#include <stdlib.h>
__attribute__((noinline)) void boom(int *p) { *p = 3; }
int main(int c, char **v) {
    switch (v[1][0]) {
    case 's': boom((int *)8);
    case 'a': abort();
    case 'u': asm volatile(".long 0");
    case 't': asm volatile("trap");
    }
    return 0;
}
"""
DEATHS = {
    "s": (139, "SIGSEGV at .* in boom.*: nothing is mapped at 0x00000008"), "a": (134, "SIGABRT .* the program called abort"),
    "u": (132, "SIGILL .* in main.*undefined instruction"), "t": (133, "SIGTRAP .* in main.*breakpoint"),
}


@pytest.mark.parametrize("how", DEATHS)
def test_fatal_signal_says_where(how: str, build: Callable[..., Path]) -> None:
    code, text = DEATHS[how]
    result = run(xemu_command(build("crash", "-static", text=CRASH), how))
    message = result.stderr.decode()
    assert result.code == code, message
    assert re.search(text, message), message
    if how == "u":
        assert re.search("=> [0-9a-f]{8}  00000000 ", message), message


def test_the_loader_is_looked_for_under_the_root(build: Callable[..., Path], tmp_path: Path) -> None:
    result = run(xemu_command(build("files"), sysroot=tmp_path))
    assert result.code == 126
    assert f"needs /lib/ld.so.1, which is not under {tmp_path}" in result.stderr.decode()
