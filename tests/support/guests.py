"""Guests of all architectures but ARM for tests of debuggers: how programs are built, what else runs them, GDB on either.

A program for x86 runs natively, under GDB's own server; one for PowerPC under QEMU and its stub.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build
from tests.support.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIXES = {"x86_64": "", "i386": "", "ppc": "powerpc-linux-gnu-", "ppc64le": "powerpc64le-linux-gnu-"}
SYSROOTS = {"ppc": Path("/usr/powerpc-linux-gnu"), "ppc64le": Path("/usr/powerpc64le-linux-gnu")}
QEMU = {"ppc": ("qemu-ppc",), "ppc64le": ("qemu-ppc64le", "-cpu", "power9")}
FREESTANDING = ("-g", "-O0", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector")
INTEGERS_ONLY = ("-mgeneral-regs-only", "-fcf-protection=none")
XEMU = f"| {shlex.quote(sys.executable)} -m xemu gdbserver - "


def is_x86(arch: str) -> bool:
    """Return whether an architecture is x86, which the host must then be."""
    return arch in ("x86_64", "i386")


def built(need: Callable[..., str], place: Path, arch: str, source: str, *options: str) -> Path:
    """Return a program of tests/debug_programs; its directory is named like the architecture."""
    if is_x86(arch) and platform.machine() != "x86_64":
        pytest.skip("a test for x86-64 hosts")
    need("gcc -m32" if arch == "i386" else PREFIXES[arch] + "gcc")
    directory = place / arch
    directory.mkdir(exist_ok=True)
    return build(directory, source, *options, *(("-m32",) if arch == "i386" else ()), prefix=PREFIXES[arch])


def freestanding(need: Callable[..., str], place: Path, arch: str) -> Path:
    """Return the program that needs no library."""
    return built(need, place, arch, "freestanding.c", *FREESTANDING, *(INTEGERS_ONLY if is_x86(arch) else ()))


@contextmanager
def original(arch: str, program: Path, place: Path, need: Callable[..., str]) -> Iterator[str]:
    """Give what `target remote` connects to for the program without xemu."""
    if is_x86(arch):
        need("gdbserver")
        yield f"| gdbserver - {shlex.quote(str(program))}"
        return
    need(QEMU[arch][0])
    socket = place / "gdb"
    guest = subprocess.Popen([*QEMU[arch], "-g", str(socket), str(program)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert guest.poll() is None
            time.sleep(0.01)
        yield str(socket)
    finally:
        guest.kill()
        guest.wait()


def gdb(program: Path, *arguments: Any, timeout: float = 100) -> str:
    """Return what GDB prints on a program, given the rest of its arguments."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", program, *arguments], timeout=timeout, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment)
    return done.stdout


def session(program: Path, target: str, commands: str, alike: dict[str, str], *, before: tuple[str, ...] = ()) -> list[str]:
    """Return the lines that GDB prints, each command above its own; `alike`: patterns of what differs by nature, and what is put there."""
    words = ["set width 0", "set confirm off", "set debuginfod enabled off", "set remotetimeout 60", *before, f"target remote {target}"]
    for line in commands.strip().splitlines():
        words += [f"echo >>> {line}\\n", line]
    text = gdb(program, *(part for word in words for part in ("-ex", word)))
    for pattern, same in alike.items():
        text = re.sub(pattern, same, text)
    return text[text.index(">>>"):].splitlines()
