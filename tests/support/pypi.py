"""Source archives from the Python package index, for tests that read what is inside."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

from tests.packages import PackageError, cache_root

if TYPE_CHECKING:
    from pathlib import Path


def source_file(project: str, version: str, path: str) -> Path:
    """Return a file of a project's source archive, downloaded at the first call; `path` is inside the archive's root.

    Raises PackageError when the index cannot be reached.
    """
    store = cache_root() / "pypi" / f"{project}-{version}"
    store.mkdir(parents=True, exist_ok=True)
    wanted = store / path.replace("/", "_")
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            archive = _download(project, version, store)
            with tarfile.open(archive) as tar:
                content = tar.extractfile(f"{project}-{version}/{path}")
                if content is None:
                    message = f"{archive.name} has no file {path}"
                    raise PackageError(message)
                part = wanted.with_suffix(".part")
                part.write_bytes(content.read())
                part.rename(wanted)
    return wanted


def _download(project: str, version: str, store: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-binary", project, "--dest", str(store), f"{project}=={version}"]  # fmt: skip
    subprocess.run(command, capture_output=True, text=True, check=False)  # pip's words name its index: judge by the file
    archive = store / f"{project}-{version}.tar.gz"
    if not archive.exists():
        message = f"{project} {version} cannot be downloaded from the package index"
        raise PackageError(message)
    return archive
