"""The prebuilt samples, in every tier."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same, same_as_qemu
from tests.support.programs import ROOT, SAMPLES, TIERS, Result, run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = sorted(path.name for path in SAMPLES.iterdir())
QUICK = ("hello", "hello-thumb")
# what each prints, so that the samples are checked where QEMU is missing too
PRINTED = {
    "blend": "picture and tone: 4baa54ab\n",
    "hello": "Hello from 32-bit ARM.\n",
    "hello-thumb": "Hello from 32-bit ARM.\n",
    "life": "13791 cells alive after 600 generations.\n",
    "primes": "664579 primes below 10000000, the last is 9999991.\n",
    "primes-thumb": "664579 primes below 10000000, the last is 9999991.\n",
}


@pytest.mark.parametrize("name", PRINTED)
def test_sample_prints_what_it_should(name: str) -> None:
    assert_same(run(xemu_command(SAMPLES / name)), Result(PRINTED[name].encode(), 0))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", NAMES)
def test_sample_prints_what_it_prints_under_qemu(name: str, tier: str, need: Callable[..., str]) -> None:
    need("qemu-arm")
    same_as_qemu(SAMPLES / name, tiers=[tier])


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 400_000


def test_samples_name_no_directory_of_the_machine_they_were_built_on() -> None:
    for path in SAMPLES.iterdir():
        assert str(ROOT).encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_built_from_their_sources(name: str, need: Callable[..., str], tmp_path: object) -> None:
    compiler = need("arm-linux-gnueabihf-gcc")
    if b" 12." not in run([compiler, "--version"]).stdout.splitlines()[0]:
        pytest.skip("another compiler than the one that built the samples (GCC 12)")
    source = SAMPLES.parent
    done = run(["make", "-s", "-C", source, f"OUT={tmp_path}", f"{tmp_path}/{name}"])
    assert done.code == 0, done.stderr.decode()
    built = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()  # type: ignore[operator]
    assert built == hashlib.sha256((SAMPLES / name).read_bytes()).hexdigest()
