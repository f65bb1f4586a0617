"""MicroPython for the micro:bit with debug information, built from Debian's source package.

Debian's package has the firmware as Intel HEX only. What building it takes and the machine may lack (yotta, srecord, libstdc++
for the Cortex-M0) is unpacked, not installed. The ELF file is kept in the cache directory of tests/packages.py.

    python -m tests.micropython        prints its path
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.packages import PackageError, _locked, cache_root, source, sysroot

PACKAGE: Final = "firmware-microbit-micropython"
TOOLS: Final = ("make", "tar", "patch", "cmake", "ninja", "arm-none-eabi-g++")        # those of the machine
YOTTA_IMPORTS: Final = """
    argcomplete attr certifi cffi-backend chardet charset-normalizer colorama cryptography deprecated github idna jinja2
    json-pointer jsonschema jwt markupsafe nacl pyrsistent requests semantic-version six urllib3 wrapt"""
UNPACKED: Final = ("libstdc++-arm-none-eabi-newlib", "libstdc++-arm-none-eabi-dev", "srecord", "libsrecord0", "yotta",
                   *(f"python3-{name}" for name in YOTTA_IMPORTS.split()))
PYTHON: Final = "/usr/bin/python3"                   # the one that Debian's Python packages are for
TARGET: Final = "bbc-microbit-classic-gcc-nosd"
MULTILIB: Final = "thumb/v6-m/nofp"


def elf() -> Path:
    """Return the ELF file; building it takes minutes at the first call, most of them for downloads.

    Raises PackageError where a tool or package is missing, or with the last words of a build that failed.
    """
    key = hashlib.sha256(repr((Path(__file__).read_bytes(), _compiler())).encode()).hexdigest()[:12]
    out = cache_root() / f"micropython-{key}.elf"
    if not out.exists():
        with _locked("micropython"):
            if not out.exists():
                _build(out)
    return out


def _compiler() -> str:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise PackageError(f"{', '.join(missing)} needed to build MicroPython")
    return subprocess.run([TOOLS[-1], "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _build(out: Path) -> None:
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    archives, packages = source(PACKAGE), sysroot(arch, *UNPACKED, closure=False)
    try:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            _unpack(archives, directory / "source")
            built = _make(directory, packages)
            shutil.copy(built, partial := out.with_suffix(".partial"))
            partial.rename(out)
    finally:
        shutil.rmtree(packages)                      # two gigabytes: the library for all processors


def _unpack(archives: Path, to: Path) -> None:
    """Unpack the source package; yotta wants other names for two directories, see debian/rules."""
    for pattern, place in {"*.orig.tar.*": ".", "*.orig-yotta-modules.tar.*": "yotta_modules",
                           "*.orig-yotta-targets.tar.*": "yotta_targets", "*.debian.tar.*": "debian"}.items():
        (to / place).mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "xf", next(archives.glob(pattern)), "-C", to / place, "--strip-components=1"], check=True)
    for patch in (to / "debian/patches/series").read_text().split():
        subprocess.run(["patch", "-s", "-p1", "-i", f"debian/patches/{patch}"], cwd=to, check=True)


def _make(directory: Path, packages: Path) -> Path:
    """Build; return the ELF file."""
    binaries, libraries, headers = directory / "bin", packages / "usr/lib", next((packages / "usr/include/newlib/c++").iterdir())
    host = next(libraries.glob("*/libsrecord.so*")).parent
    _wrap(binaries / "srec_cat", f'LD_LIBRARY_PATH={host} exec {packages}/usr/bin/srec_cat "$@"')
    _wrap(binaries / "yotta", f'PYTHONPATH={libraries}/python3/dist-packages:{packages}/usr/share/yotta '
                              f'exec {PYTHON} -c "import yotta; yotta.main()" "$@"')
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(directory),
                   "CXXFLAGS": f"-std=gnu++14 -isystem {headers} -isystem {headers}/arm-none-eabi/{MULTILIB}",
                   "LDFLAGS": f"-L{libraries}/arm-none-eabi/newlib/{MULTILIB}"}
    done = subprocess.run(["make", "all"], cwd=directory / "source", env=environment, capture_output=True, text=True, check=False)
    built = directory / "source/build" / TARGET / "source/microbit-micropython"
    if done.returncode or not built.exists():
        raise PackageError(f"MicroPython could not be built: {(done.stdout + done.stderr).strip()[-500:]}")
    return built


def _wrap(path: Path, command: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def main() -> int:
    """Build and print where the file is."""
    try:
        print(elf())
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
