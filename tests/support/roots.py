"""The trees of unpacked Debian packages that program tests share."""

from __future__ import annotations

import platform
from functools import cache
from typing import TYPE_CHECKING

from tests.packages import sysroot

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = {"x86_64": "amd64", "aarch64": "arm64"}
TOOLS = (
    "bash", "bc", "coreutils", "cpp-12", "dash", "diffutils", "findutils", "gawk", "git", "grep", "gzip", "jq",
    "libpython3.11-testsuite", "lua5.4", "openssl", "perl", "perl-modules-5.36", "python3.11", "sed", "sqlite3", "tar",
    "xz-utils", "zstd",
)  # fmt: skip


@cache
def busybox() -> Path:
    """Return Debian's static busybox for armhf."""
    return sysroot("armhf", "busybox-static") / "bin" / "busybox"


@cache
def native_busybox() -> Path:
    """Return the same busybox for the host: the oracle where a script runs other programs, which QEMU cannot."""
    return sysroot(HOSTS[platform.machine()], "busybox-static") / "bin" / "busybox"


@cache
def tools() -> Path:
    """Return one root with all dynamic programs and the libraries they need."""
    root = sysroot("armhf", *TOOLS)
    modules = root / "usr/lib/python3.11"
    for place in {path.parent for path in modules.rglob("*.py") if path.parent.name != "__pycache__"}:
        (place / "__pycache__").mkdir(exist_ok=True)          # not made by one test while another's program lists the directory
    return root
