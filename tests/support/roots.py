"""The trees of unpacked Debian packages that program tests share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.packages import sysroot

if TYPE_CHECKING:
    from pathlib import Path

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
def tools() -> Path:
    """Return one root with all dynamic programs and the libraries they need."""
    return sysroot("armhf", *TOOLS)
