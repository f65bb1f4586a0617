"""PowerPC programs for tests of debuggers: how they are built, and what QEMU runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.debug import build

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIXES = {"ppc": "powerpc-linux-gnu-", "ppc64le": "powerpc64le-linux-gnu-"}
SYSROOTS = {"ppc": Path("/usr/powerpc-linux-gnu"), "ppc64le": Path("/usr/powerpc64le-linux-gnu")}
QEMU = {"ppc": ("qemu-ppc",), "ppc64le": ("qemu-ppc64le", "-cpu", "power9")}
FREESTANDING = ("-g", "-O0", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector")


def built(need: Callable[..., str], place: Path, arch: str, source: str, *options: str) -> Path:
    """Return a program of tests/debug_programs."""
    need(PREFIXES[arch] + "gcc")
    directory = place / arch
    directory.mkdir(exist_ok=True)
    return build(directory, source, *options, prefix=PREFIXES[arch])
