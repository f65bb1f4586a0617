"""The trees of unpacked Debian packages that program tests share."""

from __future__ import annotations

import platform
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.packages import PackageError, sysroot
from tests.support.programs import QEMU_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DEBIAN = {"arm": "armhf", "i386": "i386", "x86_64": "amd64", "ppc64le": "ppc64el"}
HOSTS = {"x86_64": "amd64", "aarch64": "arm64"}
GUEST_GCC = "x86_64-linux-gnu-gcc"  # makes programs of both widths, given their libraries
TRIPLETS = {"arm": "arm-linux-gnueabihf", "i386": "i686-linux-gnu", "x86_64": "x86_64-linux-gnu",
            "ppc64le": "powerpc64le-linux-gnu"}
#: what makes programs with musl, which has no long double of PowerPC's own form
MUSL_GCC = {"i386": (GUEST_GCC, "-m32"), "x86_64": (GUEST_GCC, "-m64"), "ppc64le": ("powerpc64le-linux-gnu-gcc", "-mlong-double-64")}
MUSL = {"i386": "i386-linux-musl", "x86_64": "x86_64-linux-musl", "ppc64le": "powerpc64le-linux-musl"}
TOOLS = (
    "bash", "bc", "binutils", "coreutils", "dash", "diffutils", "findutils", "gawk", "gcc-12", "git", "grep", "gzip", "jq", "libc6-dev",
    "libpython3.11-testsuite", "lua5.4", "openssl", "perl", "perl-modules-5.36", "python3.11", "sed", "sqlite3", "tar",
    "xz-utils", "zstd",
)  # fmt: skip


@cache
def busybox(arch: str = "arm") -> Path:
    """Return Debian's static busybox."""
    return sysroot(DEBIAN[arch], "busybox-static") / "bin" / "busybox"


@cache
def native_busybox() -> Path:
    """Return the same busybox for the host: the oracle where a script runs other programs, which QEMU cannot."""
    return sysroot(HOSTS[platform.machine()], "busybox-static") / "bin" / "busybox"


@cache
def tools(arch: str = "arm") -> Path:
    """Return one root with all dynamic programs and the libraries they need."""
    root = sysroot(DEBIAN[arch], *TOOLS)
    modules = root / "usr/lib/python3.11"
    for place in {path.parent for path in modules.rglob("*.py") if path.parent.name != "__pycache__"}:
        (place / "__pycache__").mkdir(exist_ok=True)          # not made by one test while another's program lists the directory
    return root


def go(arch: str) -> Path:
    """Return a root with the Go tools, which are static programs, and the library that they compile and link with."""
    return sysroot(DEBIAN[arch], "golang-1.19-go", closure=False)


def musl(arch: str) -> Path:
    """Return a root with musl's headers and static library."""
    return sysroot(DEBIAN[arch], "musl-dev", closure=False)


def musl_link(arch: str, options: Sequence[str], sources: Sequence[Path], program: Path) -> list[str | Path]:
    """Return the command that makes a static program with musl, and with Debian's parts of GCC for that architecture."""
    library = musl(arch) / "usr/lib" / MUSL[arch]
    gcc = tools(arch) / "usr/lib/gcc" / TRIPLETS[arch] / "12"
    include = library.parents[1] / "include" / library.name
    return [*MUSL_GCC[arch], "-static", "-fno-pie", "-no-pie", "-fno-stack-protector",
            "-w", "-nostdinc", "-nostdlib",
            "-isystem", gcc / "include", "-isystem", include, *options, library / "crt1.o", library / "crti.o", *sources,
            library / "libc.a", gcc / "libgcc.a", gcc / "libgcc_eh.a", library / "crtn.o", "-o", program]  # fmt: skip


def unpacked(need: Callable[..., str], find: Callable[[str], Path], arch: str) -> Path:
    """Return a tree or program; the test is skipped without QEMU and apt-get, and fails where apt-get does."""
    need(QEMU_OF[arch][0], "apt-get", "dpkg-deb")
    try:
        return find(arch)
    except PackageError as error:
        pytest.fail(f"Debian's packages for {DEBIAN[arch]}: {error}")
