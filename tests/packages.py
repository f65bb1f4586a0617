"""Debian packages of another architecture, unpacked but not installed.

A private apt state with an empty package list makes apt-get resolve and download for any architecture, as
any user and without touching the machine's own packages. The unpacked tree is a sysroot for `xemu run -L`.

    python -m tests.packages armhf bash coreutils        prints the directory
    python -m tests.packages source gcc-12               the same for the archives of a source package

Everything lives under $XDG_CACHE_HOME/xemu-tests; concurrent callers (pytest-xdist) wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LISTS_ARE_FRESH = 24 * 3600  # seconds; older package lists are fetched again before a new resolution
URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) ")
MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")  # links into usr, as on an installed system
INTERPRETERS = {"bin/sh": "dash", "usr/bin/awk": "gawk", "usr/bin/perl": "perl", "usr/bin/python3": "python3.11"}


class PackageError(Exception):
    """A package could not be found, downloaded or unpacked."""


def cache_root() -> Path:
    """Return the directory that holds downloads and unpacked trees."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "xemu-tests"


def sysroot(arch: str, *packages: str, closure: bool = True) -> Path:
    """Return a directory with `packages` and, if `closure`, all they depend on, unpacked.

    The second call with the same arguments costs one `stat`. Raises PackageError with apt's own words.
    """
    names = sorted(set(packages))
    digest = hashlib.sha256(repr((arch, names, closure, MERGED)).encode()).hexdigest()[:12]
    root = cache_root() / f"{arch}-{digest}"
    if (root / ".complete").exists():
        return root
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        message = "apt-get and dpkg-deb are needed to unpack packages of another architecture"
        raise PackageError(message)
    with _locked(arch):
        if not (root / ".complete").exists():
            _build(root, Apt(arch), names, closure=closure)
    return root


def source(package: str) -> Path:
    """Return the directory with the archives of a source package (.dsc, .tar.*), downloaded at the first call.

    The mirrors are those that the machine's own package sources name. Raises PackageError with apt's own words.
    """
    root = cache_root() / f"source-{package}"
    if (root / ".complete").exists():
        return root
    if not shutil.which("apt-get"):
        raise PackageError("apt-get is needed to download a source package")
    with _locked("source"):
        if not (root / ".complete").exists():
            _download_source(root, package)
    return root


def _download_source(root: Path, package: str) -> None:
    listing = cache_root() / "deb-src.list"
    listing.write_text("".join(f"{line}\n" for line in source_lines(Path("/etc/apt"))))
    apt = Apt("source", {"Dir::Etc::SourceList": listing, "Dir::Etc::SourceParts": "-"})
    apt.update()
    root.mkdir(parents=True, exist_ok=True)
    done = apt.run("source", "--download-only", package, cwd=root)
    if done.returncode:
        raise PackageError(_last_line(done.stderr))
    (root / ".complete").touch()


def source_lines(directory: Path) -> list[str]:
    """Return a deb-src line for every archive with a `main` component that apt's configuration in `directory` names."""
    lines = []
    for path in (directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))):
        if path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", path.read_text()):
                fields = {name.lower(): value for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)}
                if "main" in fields.get("components", "").split():
                    key = f"[signed-by={fields['signed-by']}] " if "signed-by" in fields else ""
                    lines += [f"deb-src {key}{uri} {suite} main" for uri in fields["uris"].split() for suite in fields["suites"].split()]
        elif path.suffix == ".list" and path.exists():
            found = re.findall(r"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(?:.*\s)?main\b", path.read_text(), re.MULTILINE)
            lines += [f"deb-src {options}{uri} {suite} main" for options, uri, suite in found]
    return lines


@contextlib.contextmanager
def _locked(arch: str) -> Iterator[None]:
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / f"{arch}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Apt:
    """apt-get with a private state: one architecture (or the settings `more` instead), no package installed."""

    def __init__(self, arch: str, more: Mapping[str, str | Path] | None = None) -> None:
        self.state = cache_root() / "apt" / arch
        self.archives = self.state / "cache" / "archives"
        for directory in (self.state / "lists" / "partial", self.archives / "partial"):
            directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Dir::Cache": self.state / "cache",
            "Dir::State::Lists": self.state / "lists",
            "Dir::State::status": "/dev/null",
            **(more or {"APT::Architecture": arch, "APT::Architectures": arch}),
        }
        self.command = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run apt-get and return what it said; the caller judges the exit code."""
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=cwd
        )

    def update(self, *, force: bool = False) -> None:
        """Fetch the package lists unless they are fresh.

        A suite in the middle of a mirror run fails with a size mismatch; `main` suffices, so the exit code
        is not judged: a missing package is reported when it is asked for.
        """
        stamp = self.state / "updated"
        if force or not stamp.exists() or time.time() - stamp.stat().st_mtime > LISTS_ARE_FRESH:
            self.run("update")
            stamp.touch()

    def resolve(self, names: list[str], *, closure: bool) -> list[str]:
        """Return the file names of the packages to unpack, after downloading them."""
        action = ["install", "--no-install-recommends", "-y"] if closure else ["download"]
        nothing = self.state / "nothing"  # apt-get lists only what is not in its archive directory
        (nothing / "partial").mkdir(parents=True, exist_ok=True)
        listed = self.run(f"-oDir::Cache::archives={nothing}", *action, "--print-uris", *names)
        found = [match["file"] for line in listed.stdout.splitlines() if (match := URI_LINE.match(line))]
        if listed.returncode or not found:
            raise PackageError(_last_line(listed.stderr))
        if all((self.archives / name).exists() for name in found):
            return found
        if closure:
            fetched = self.run(*action, "--download-only", *names)
        else:
            fetched = subprocess.run(
                [*self.command, *action, *names],
                cwd=self.archives, capture_output=True, text=True, check=False,
            )  # fmt: skip
        if fetched.returncode:
            raise PackageError(_last_line(fetched.stderr))
        return found


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("E:")] or ["E: no package found"]
    return re.sub(r"https?://[^/\s]+", "…", lines[-1])  # whose mirror it was is nobody's business


def _build(root: Path, apt: Apt, names: list[str], *, closure: bool) -> None:
    apt.update()
    try:
        files = apt.resolve(names, closure=closure)
    except PackageError:
        apt.update(force=True)  # the mirror has moved on since the lists were fetched
        files = apt.resolve(names, closure=closure)
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in MERGED:
        (partial / "usr" / name).mkdir(parents=True)
        (partial / name).symlink_to(f"usr/{name}")
    for name in files:
        unpack(apt.archives / name, partial)
    make_links_relative(partial)
    name_interpreters(partial)
    (partial / ".complete").write_text("".join(f"{name}\n" for name in files))
    shutil.rmtree(root, ignore_errors=True)
    partial.rename(root)


def unpack(package: Path, root: Path) -> None:
    """Unpack a package into a tree, through the directories there that are links (dpkg-deb -x would replace them)."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as archive:
        tar = ["tar", "-x", "--keep-directory-symlink", "-C", root]
        done = subprocess.run(tar, stdin=archive.stdout, capture_output=True, text=True, check=False)
    if archive.returncode or done.returncode:
        raise PackageError(f"{package.name} cannot be unpacked: {done.stderr.strip()}")


def make_links_relative(root: Path) -> None:
    """Point absolute symbolic links below `root` at the same place inside it."""
    for directory, subdirectories, files in os.walk(root):
        for name in [*subdirectories, *files]:
            path = Path(directory) / name
            if path.is_symlink() and (target := path.readlink()).is_absolute():
                inside = root / target.relative_to("/")
                path.unlink()
                path.symlink_to(os.path.relpath(inside, path.parent))


def name_interpreters(root: Path) -> None:
    """Make the links that the packages' installation scripts would have made."""
    for link, program in INTERPRETERS.items():
        path = root / link
        here = path.parent / program
        if not path.exists() and here.exists():
            path.unlink(missing_ok=True)
            path.symlink_to(program)


def main() -> int:
    """Unpack the packages named on the command line and print where they are."""
    if len(sys.argv) < 3:
        sys.stderr.write("usage: python -m tests.packages ARCH PACKAGE...\n")
        return 2
    try:
        print(source(sys.argv[2]) if sys.argv[1] == "source" else sysroot(sys.argv[1], *sys.argv[2:]))
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
