"""The same program gives the same run: equal trace hashes over ten runs, in every tier, with and without a cache."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs import ARCHES, SAMPLES, TIERS, run, xemu_command
from tests.support.roots import busybox, tools, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RUNS = 10
ALIKE = ("--trace-hash", "-E", "XDG_CACHE_HOME")  # the guest's environment must be the same wherever the cache is
HASH = re.compile(rb"trace hash ([0-9a-f]+) after ([\d,]+) instructions")
AWK = "BEGIN { srand(3); for (i = 0; i < 3000; i++) { a[i % 97] += i * i; s = s i % 7 } print length(s), a[5], rand() < 2 }"
PYTHON = "import random, time; print(random.random() < 2, {str(i): i for i in range(500)}['77'], len(str(time.time_ns())))"
BUSYBOX, PYTHONS = ([f"{name}, {arch}" for arch in ARCHES] for name in ("busybox", "python"))


def slow(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow)


def trace(command: Sequence[str | Path], *, cache: Path | None = None) -> tuple[str, str]:
    """Return the hash and the instruction count that a run reports."""
    done = run(command, env={"XDG_CACHE_HOME": str(cache)} if cache else None, timeout=900)  # eager, with an empty cache
    match = HASH.search(done.stderr)
    assert match, done.stderr.decode(errors="replace")[-500:]
    return match[1].decode(), match[2].decode()


def words(need: Callable[..., str], name: str) -> list[str | Path]:
    """Return the words of a sample, or of busybox or python for an architecture: "python, i386"."""
    program, _, arch = name.partition(", ")
    if program == "busybox":
        return [unpacked(need, busybox, arch), "awk", AWK]
    if program == "python":
        root = unpacked(need, tools, arch)
        no_cache = ["-B", "-X", "pycache_prefix=/does/not/exist"]          # what an earlier run has compiled would change this one
        return ["-L", root, root / "usr/bin/python3.11", "-I", "-S", *no_cache, "-c", PYTHON]
    return [SAMPLES / name]


def command(program: Sequence[str | Path], *options: str) -> list[str | Path]:
    first, *rest = program
    if first == "-L":
        root, path, *arguments = rest
        return xemu_command(path, *arguments, sysroot=root, options=[*ALIKE, *options])  # type: ignore[arg-type]
    return xemu_command(first, *rest, options=[*ALIKE, *options])


@pytest.mark.parametrize("name", ["primes", "primes-thumb", *BUSYBOX[:1], *map(slow, BUSYBOX[1:])])
def test_ten_runs_have_one_trace_hash(name: str, need: Callable[..., str]) -> None:
    program = words(need, name)
    assert len({trace(command(program)) for _ in range(RUNS)}) == 1


@pytest.mark.parametrize("name", ["hello", "primes", "mandelbrot", "blend", *map(slow, BUSYBOX)])
def test_all_tiers_have_one_trace_hash(name: str, need: Callable[..., str]) -> None:
    program = words(need, name)
    assert len({trace(command(program, *options)) for options in TIERS.values()}) == 1


@pytest.mark.parametrize("name", ["life", *BUSYBOX[:1], *map(slow, BUSYBOX[1:]), *map(slow, PYTHONS)])
def test_an_empty_and_a_warm_cache_have_one_trace_hash(name: str, need: Callable[..., str], tmp_path: Path) -> None:
    program = words(need, name)
    assert len({trace(command(program), cache=tmp_path) for _ in range(3)} | {trace(command(program))}) == 1


def test_another_seed_gives_another_run_of_a_program_that_asks_for_chance(need: Callable[..., str]) -> None:
    program = words(need, "python, arm")
    one, same, other = (trace(command(program, "--seed", seed)) for seed in ("1", "1", "2"))
    assert one == same != other


@pytest.mark.slow
@pytest.mark.parametrize("name", ["life", "primes-thumb", "mandelbrot", "blend", *PYTHONS])
def test_ten_runs_of_every_program_in_every_tier(name: str, need: Callable[..., str]) -> None:
    program = words(need, name)
    runs = [options for options in TIERS.values() for _ in range(RUNS)]
    assert len({trace(command(program, *options)) for options in runs}) == 1


@pytest.mark.parametrize("limit", [1, 1000, 123_457, 50_000_001])
def test_max_insns_stops_at_the_exact_instruction_in_every_tier(limit: int) -> None:
    seen = {trace(command([SAMPLES / "primes"], "--max-insns", str(limit), *options)) for options in TIERS.values()}
    assert len(seen) == 1
    assert seen.pop()[1].replace(",", "") == str(limit)
