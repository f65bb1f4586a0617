"""Debian's programs write the same bytes on every architecture: what is computed must not depend on what computes it.

Other tests of programs compare with QEMU; here each emulated architecture is an oracle for the others. The scripts are in
tests/user_programs/alike: they print nothing that a word's size or the last bit of a sine would show.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.programs import ARCHES, Result, run, xemu_command
from tests.support.roots import busybox, tools, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPTS: Final = sorted((Path(__file__).parent / "user_programs" / "alike").iterdir())
TEXT: Final = b"".join(b"%d,%d,line %d of the text\n" % (i * 7919 % 1009, i * i % 257, i) for i in range(3000))
NOISE: Final = b"".join(hashlib.sha512(b"%d" % i).digest() for i in range(300))
INPUTS: Final = {"compressors": TEXT + NOISE, "hashes": TEXT + NOISE, "tables": b""}
#: what runs a script, by its suffix
INTERPRETERS: Final = {
    ".sh": ["usr/bin/bash"],
    ".py": ["usr/bin/python3.11", "-I", "-S"],
    ".pl": ["usr/bin/perl"],
    ".sql": ["usr/bin/sqlite3", "-init"],
}
BUSYBOX: Final = {
    "text": "cat > t; cut -d, -f1 t | sort -n | uniq -c | sort -rn | head -n 9; sed 's/line \\(.*\\) of/<\\1>/;/7/!d' t | md5sum; gzip -9c < t | cksum; od -t x4 t | tail -n 3",
    "bc": "echo 'scale=70; sqrt(3) / 7; 3^200 % 10^50; 7^-40' | bc; echo $((3 ** 39 % 1000003)) $((1 << 62))",
}


def alike(results: dict[str, Result]) -> None:
    """Assert that all architectures gave what the first gave, that it is something, and that nothing went wrong."""
    first, *rest = results
    assert (results[first].code, len(results[first].stdout) > 100) == (0, True), results[first].stderr.decode(errors="replace")[-800:]
    for arch in rest:
        lines = {name: results[name].stdout.decode(errors="replace").splitlines() for name in (first, arch)}
        assert lines[arch] == lines[first], arch
        assert results[arch] == results[first]


@pytest.mark.parametrize("name", BUSYBOX)
def test_busybox(name: str, need: Callable[..., str], tmp_path: Path) -> None:
    command = {arch: xemu_command(unpacked(need, busybox, arch), "sh", "-c", BUSYBOX[name]) for arch in ARCHES}
    alike({arch: run(command[arch], stdin=TEXT[:20000], cwd=tmp_path) for arch in ARCHES})


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, need: Callable[..., str], tmp_path: Path) -> None:
    results = {}
    for arch in ARCHES:
        root = unpacked(need, tools, arch)
        (directory := tmp_path / arch).mkdir()
        program, *options = INTERPRETERS[script.suffix]
        words = xemu_command(root / program, *options, script, sysroot=root)
        environment = {"OPENSSL_CONF": "/dev/null"}
        results[arch] = run(words, stdin=INPUTS.get(script.stem, TEXT), cwd=directory, env=environment, timeout=900)
    alike(results)
