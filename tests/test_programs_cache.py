"""The cache on disk and the compiler process: shared, damaged, unwritable, killed; what a warm run imports."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same
from tests.support.programs import PLAIN, SAMPLES, START, Result, run, xemu_command
from tests.support.roots import busybox, unpacked
from xemu.core.cache import Cache, build_key
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Callable

#: has each forked process write down, when it ends, how many instructions it evaluated for want of handlers
COUNTING = f"""
import os
from xemu.core.library import Library
def close(self, close=Library.close):
    if self.forked_at >= 0:
        with open(os.environ["EVALUATED"], "a") as file:
            print(self.engine.stats["evaluated"] - self.evaluated_at, file=file)
    close(self)
Library.close = close
{START}"""
PRIMES = Result(b"664579 primes below 10000000, the last is 9999991.\n", 0)
HEAVY = ("llvmlite", "capstone", "textual", "lief", "elftools", "pygdbmi", "asyncio", "xemu.targets.arm.rows", "xemu.core.lower")


def primes(cache: Path, *options: str) -> Result:
    return run(xemu_command(SAMPLES / "primes", options=options), env={"XDG_CACHE_HOME": str(cache)})


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(min(20, len(data))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def empty(path: Path, _rng: random.Random) -> None:
    path.write_bytes(b"")


def fill(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(max(path.stat().st_size, 64)))


def forbid(path: Path, _rng: random.Random) -> None:
    while not path.is_dir():                      # the last run's compiler process may still be writing
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            path.mkdir()


@pytest.mark.parametrize("damage", [truncate, flip, empty, fill, forbid])
def test_a_damaged_cache_is_rebuilt(damage: Callable[[Path, random.Random], None], tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    assert_same(primes(tmp_path), PRIMES)
    before = files(tmp_path)
    assert before
    for path in before:
        damage(path, rng)
    for _ in range(2):
        assert_same(primes(tmp_path), PRIMES, f"seed {seed}")


def test_several_processes_share_an_empty_cache(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        for done in pool.map(lambda _: primes(tmp_path), range(6)):
            assert_same(done, PRIMES)
    assert_same(primes(tmp_path), PRIMES)


def test_the_cache_is_private(tmp_path: Path) -> None:
    assert_same(primes(tmp_path), PRIMES)
    assert files(tmp_path)
    for path in files(tmp_path):
        above = [parent for parent in path.parents if tmp_path in parent.parents]
        assert any(parent.stat().st_mode & 0o077 == 0 for parent in above), path.relative_to(tmp_path)


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere", "/"])
def test_without_a_place_for_the_cache_programs_run(place: str) -> None:
    if place == "/" and os.access("/", os.W_OK):
        pytest.skip("this user may write anywhere")
    assert_same(primes(Path(place)), PRIMES)


@pytest.mark.parametrize("options", [(), ("--eager-jit",)])
def test_a_compiler_killed_again_and_again_changes_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    command = [str(word) for word in xemu_command(SAMPLES / "life", options=options)]
    environment = {**PLAIN, "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    killed, rng, end = 0, random.Random(), time.monotonic() + 4
    while process.poll() is None and time.monotonic() < end:
        for child in children(process.pid):
            time.sleep(rng.random() * 0.2)
            killed += kill(child)
        time.sleep(0.01)
    stdout, stderr = process.communicate(timeout=120)
    assert (stdout, process.returncode) == (b"13791 cells alive after 600 generations.\n", 0), stderr[-600:]
    assert killed or not stderr


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def evaluated_by_children(cache: Path, box: Path) -> list[int]:
    """Run a shell whose children are short programs; return how many instructions each child had to evaluate."""
    counts = cache / "evaluated"
    counts.unlink(missing_ok=True)
    script = f"for i in 1 2 3; do {box} sha256sum {SAMPLES}/hello; done"
    command = [sys.executable, "-P", "-c", COUNTING, "run", "--no-jit", box, "sh", "-c", script]
    done = run(command, env={"XDG_CACHE_HOME": str(cache), "EVALUATED": str(counts)})
    digest = hashlib.sha256((SAMPLES / "hello").read_bytes()).hexdigest()
    assert_same(done, Result(f"{digest}  {SAMPLES}/hello\n".encode() * 3, 0))
    return [int(line) for line in counts.read_text().split()]


def wait_for_the_word(cache: Path) -> None:
    """Wait until nobody compiles what a child left word of."""
    (word,) = cache.rglob("word")
    with word.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def test_children_leave_word_of_the_handlers_they_lacked(need: Callable[..., str], tmp_path: Path) -> None:
    box = unpacked(need, busybox, "arm")
    first = evaluated_by_children(tmp_path, box)
    assert len(first) == 3
    assert first[0] > 0
    wait_for_the_word(tmp_path)
    assert evaluated_by_children(tmp_path, box) == [0, 0, 0]


def test_word_is_left_by_one_at_a_time_and_not_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = Cache(get_target("arm"))
    first = cache.claim("word", ["a"])
    assert first is not None
    copy = os.dup(first)
    os.close(first)
    assert cache.claim("word", ["b"]) is None                 # a copy is open: its compiler is at work
    os.close(copy)
    assert cache.claim("word", ["a"]) is None                 # it did not help, or would be installed
    again = cache.claim("word", ["b"])
    assert again is not None
    os.close(again)
    forbid(tmp_path / "xemu" / build_key(get_target("arm")) / "word", random.Random())
    assert cache.claim("word", ["c"]) is None
    assert Cache(get_target("arm"), enabled=False).claim("word", ["c"]) is None


def test_a_warm_run_imports_nothing_heavy(tmp_path: Path) -> None:
    for _ in range(3):
        assert_same(primes(tmp_path), PRIMES)
    command = [sys.executable, "-P", "-X", "importtime", "-c", START, "run", SAMPLES / "primes"]
    done = run(command, env={"XDG_CACHE_HOME": str(tmp_path)})
    assert_same(done, PRIMES)
    modules = set(re.findall(r"\| +([\w.]+)$", done.stderr.decode(), re.MULTILINE))
    assert "xemu.core.engine" in modules
    assert sorted(name for name in modules if name.startswith(HEAVY)) == []
