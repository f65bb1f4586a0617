"""Running a guest program under xemu and under QEMU and asking for the same output and exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.programs import TIERS, qemu_command, run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.programs import Result


def same_as_qemu(
    program: Path,
    *arguments: str | Path,
    sysroot: Path | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    tiers: Sequence[str] = ("default",),
    timeout: float = 120,
) -> Result:
    """Run under QEMU, then under xemu in each tier; assert equality and return QEMU's result."""
    how = {"stdin": stdin, "cwd": cwd, "env": env, "timeout": timeout}
    expected = run(qemu_command(program, *arguments, sysroot=sysroot), **how)
    for tier in tiers:
        got = run(xemu_command(program, *arguments, sysroot=sysroot, options=TIERS[tier]), **how)
        assert_same(got, expected, tier)
    return expected


def assert_same(got: Result, expected: Result, tier: str = "default") -> None:
    """Assert equal output and exit code; say what xemu wrote to standard error where they differ."""
    if got.same_as(expected):
        return
    assert (tier, got.code, _lines(got.stdout)) == (tier, expected.code, _lines(expected.stdout)), _tail(got.stderr)
    raise AssertionError(tier)  # equal as text but not in bytes


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="backslashreplace").splitlines()


def _tail(text: bytes) -> str:
    return "\n".join(["standard error:", *_lines(text)[-12:]])
