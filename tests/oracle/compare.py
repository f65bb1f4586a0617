"""Say in words where two outcomes of one case differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.machine import SLOTS, THUMB_BIT, WINDOW, WINDOW_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.oracle.machine import Case, Outcome


def differences(expected: Outcome, got: Outcome) -> list[str]:
    """Return one line per difference, "r3: 00000001, expected 00000002"; empty if the outcomes are equal.

    Where an access faulted, registers and memory are not compared: QEMU may have done part of a load or store
    of several registers, xemu has done none of it. A bus error of QEMU's is not demanded: Linux corrects unaligned
    loads and stores of several registers.
    """
    return [f"{what}: {_show(mine)}, expected {_show(theirs)}" for what, theirs, mine in _pairs(expected, got)]


def _pairs(expected: Outcome, got: Outcome) -> Iterator[tuple[str, object, object]]:
    if expected.kind == "crashed":  # QEMU has no answer
        return
    if _same_odd_branch(expected, got) or expected.kind == "bus" != got.kind or _mapped_elsewhere(expected, got):
        return
    for name in ("kind", "pc", "fault"):
        if getattr(expected, name) != getattr(got, name):
            yield name, getattr(expected, name), getattr(got, name)
    if expected.kind != got.kind or (expected.kind == "segv" and expected.pc == got.pc != expected.fault):
        return
    one, other = expected.state, got.state
    for number, (theirs, mine) in enumerate(zip(one.r, other.r, strict=True)):
        if theirs != mine:
            yield f"r{number}", theirs, mine
    for number, (theirs, mine) in enumerate(zip(one.d, other.d, strict=True)):
        if theirs != mine:
            yield f"d{number}", theirs, mine
    for name in ("cpsr", "fpscr"):
        if getattr(one, name) != getattr(other, name):
            yield name, getattr(one, name), getattr(other, name)
    for address in sorted(expected.memory.keys() | got.memory.keys()):
        if expected.memory.get(address) != got.memory.get(address):
            yield f"[{address:08x}]", expected.memory.get(address), got.memory.get(address)


def _mapped_elsewhere(expected: Outcome, got: Outcome) -> bool:
    """Return whether one of the two met a wild address that only the other has mapped."""
    one, other = (expected, got) if expected.kind == "segv" else (got, expected)
    inside = WINDOW <= one.fault < WINDOW + WINDOW_SIZE or SLOTS <= one.fault < WINDOW
    return one.kind == "segv" and other.kind != "segv" and not inside


def _same_odd_branch(expected: Outcome, got: Outcome) -> bool:
    """Return whether both branched to an A32 address with bit 1 set (UNPREDICTABLE), which QEMU keeps."""
    fetched = expected.kind == "segv" and expected.pc == expected.fault and not expected.state.cpsr & THUMB_BIT
    return fetched and expected.pc & 2 != 0 and got.pc == expected.pc & ~2


def _show(value: object) -> str:
    if isinstance(value, int):
        return f"{value:0{16 if value >> 32 else 8}x}"
    return "unchanged" if value is None else str(value)


def report(cases: Sequence[Case], expected: Sequence[Outcome], got: Sequence[Outcome], limit: int = 20) -> str:
    """Return a text that lists the first `limit` cases that differ, with the state before; empty if none does."""
    texts = []
    for case, one, other in zip(cases, expected, got, strict=True):
        if lines := differences(one, other):
            r = " ".join(f"{value:08x}" for value in case.before.r)
            head = f"{case}\n  before: r0-r14 {r} cpsr {case.before.cpsr:08x} fpscr {case.before.fpscr:08x}"
            texts.append("\n  ".join([head, *lines]))
    if not texts:
        return ""
    rest = [f"… and {len(texts) - limit} more"] if len(texts) > limit else []
    return "\n".join([f"{len(texts)} of {len(cases)} cases differ", *texts[:limit], *rest])
