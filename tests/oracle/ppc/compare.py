"""Say where two outcomes of a case differ, in words that a row's author can use; and what is not compared, with its reason."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.oracle.ppc.quirks import M64, ignored, masks
from tests.oracle.ppc.state import NAMES, WINDOW, WINDOW_SIZE, Case, Outcome, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: instructions that QEMU executes in part before a fault: the registers and the memory that it got to are its own
PARTIAL: Final = re.compile(r"(lmw|stmw|lsw[ix]|stsw[ix]|l[qm]|stq|stqcx|stfdpx?|lfdpx?|stxv\w*|stvx\w*|lxv\w*|st[wd]at|l[wd]at)\.?$")
#: instructions that may leave anything in doubleword 1 of their target: xemu clears it, but after floating-point instructions;
#: QEMU clears it after those
UPPER: Final = re.compile(r"lxs\w+|mtvsr(d|wa|wz)|xs\w+|f\w+|lf\w+|mffs\w*|d\w+")
#: instructions that leave the upper half of their result undefined
WORDS: Final = re.compile(r"fctiwu?z?")
M32: Final = 0xFFFF_FFFF
CR_NAMES: Final = ("lt", "gt", "eq", "so")
FPSCR_NAMES: Final = {at: name for name, at in {
    "FX": 31, "FEX": 30, "VX": 29, "OX": 28, "UX": 27, "ZX": 26, "XX": 25, "VXSNAN": 24, "VXISI": 23, "VXIDI": 22, "VXZDZ": 21, "VXIMZ": 20,
    "VXVC": 19, "FR": 18, "FI": 17, "C": 16, "FL": 15, "FG": 14, "FE": 13, "FU": 12, "VXSOFT": 10, "VXSQRT": 9, "VXCVI": 8, "VE": 7,
    "OE": 6, "UE": 5, "ZE": 4, "XE": 3, "NI": 2,
}.items()}
XER_NAMES: Final = {31: "SO", 30: "OV", 29: "CA", 19: "OV32", 18: "CA32"}


def differences(case: Case, expected: Outcome, got: Outcome, mnemonic: str = "") -> list[str]:
    """Return one line per difference, "r3: 1, expected 2"; empty if the outcomes are equal."""
    if expected.ended in ("killed", "endless"):
        return []
    if expected.ended == got.ended == "segv" and not expected.address and got.address >> 47:
        expected = replace(expected, address=got.address)      # no address of the host's: it does not tell QEMU which
    lines = _lines(case, expected, got, mnemonic)
    if lines and (unimportant := ignored(case, expected, mnemonic)):
        lines = [line for line in lines if not any(re.match(pattern, line) for pattern in unimportant)]
    return lines


def _lines(case: Case, expected: Outcome, got: Outcome, mnemonic: str) -> list[str]:
    one, other = how(expected), how(got)
    lines = [f"{other}, expected {one}"] if one != other else []
    if got.ended != expected.ended or (expected.ended in ("segv", "bus") and PARTIAL.match(mnemonic)):
        return lines
    lines += _states(expected.state, got.state, case, masks(case, expected, mnemonic), mnemonic)
    for address in sorted(expected.memory.keys() | got.memory.keys()):
        theirs, mine = expected.memory.get(address), got.memory.get(address)
        if theirs != mine:
            lines.append(f"[{address:x}]: {_bytes(mine)}, expected {_bytes(theirs)}")
    return lines


def how(outcome: Outcome) -> str:
    """Return how a case ended, without what programs cannot see."""
    return f"segv at {outcome.address:#x}" if outcome.ended == "segv" else outcome.ended


def _states(theirs: State, mine: State, case: Case, counts: Mapping[str, int], mnemonic: str) -> Iterator[str]:
    digits = case.machine.bits // 4
    for n in range(32):
        if theirs.r[n] != mine.r[n]:
            yield f"r{n}: {mine.r[n]:0{digits}x}, expected {theirs.r[n]:0{digits}x}"
    for name in (*NAMES, "vscr"):
        a, b = getattr(theirs, name), getattr(mine, name)
        wrong = (a ^ b) & counts.get(name, ~0)
        if not wrong:
            continue
        if name in ("fpscr", "xer"):
            names = FPSCR_NAMES if name == "fpscr" else XER_NAMES
            bits = " ".join(f"{names.get(at, at)}={b >> at & 1}" for at in range(63, -1, -1) if wrong >> at & 1)
            yield f"{name}: {b:08x}, expected {a:08x} ({bits})"
        elif name == "cr":
            yield f"cr: {b:08x}, expected {a:08x} ({fields(b, a)})"
        else:
            yield f"{name}: {b:x}, expected {a:x}"
    for n in range(64):
        if theirs.vsr[n] != mine.vsr[n] and not _alike(theirs.vsr[n], mine.vsr[n], case.state.vsr[n], mnemonic):
            yield f"{vector_name(n, case)}: {groups(mine.vsr[n])}, expected {groups(theirs.vsr[n])}"


def _alike(theirs: int, mine: int, before: int, mnemonic: str) -> bool:
    """Return whether two values of a register differ only where an instruction leaves it undefined."""
    if WORDS.fullmatch(mnemonic):
        return theirs >> 64 & M32 == mine >> 64 & M32
    return bool(UPPER.fullmatch(mnemonic)) and theirs >> 64 == mine >> 64 and mine & M64 in (0, before & M64)


def vector_name(n: int, case: Case) -> str:
    """Return the name of a vector-scalar register as programs of the machine know it."""
    return f"vs{n}" if case.machine.bits == 64 else f"f{n}" if n < 32 else f"v{n - 32}"


def fields(mine: int, theirs: int) -> str:
    """Return the fields of CR that differ: "cr0 gt for eq"."""
    def text(value: int, n: int) -> str:
        return " ".join(name for i, name in enumerate(CR_NAMES) if value >> 31 - 4 * n - i & 1) or "-"
    return ", ".join(f"cr{n} {text(mine, n)} for {text(theirs, n)}" for n in range(8) if (mine ^ theirs) >> 28 - 4 * n & 15)


def groups(value: int) -> str:
    """Return a vector in words."""
    return "_".join(f"{value >> 32 * i & 0xFFFFFFFF:08x}" for i in reversed(range(4)))


def _bytes(value: bytes | None) -> str:
    return "unchanged" if value is None else value.hex()


def situation(case: Case, text: str = "") -> str:
    """Describe what a case starts from, as far as its code, whose disassembly is `text`, can see it."""
    s = case.state
    registers = sorted({int(n) for n in re.findall(r"\br(\d+)", text)})
    number = case.words[-1]
    placed = [number >> at & 31 for at in (21, 16, 11, 6)]
    lines = [" ".join(f"r{n}={s.r[n]:x}" for n in (registers or sorted(set(placed)))),
             f"cr={s.cr:08x} xer={s.xer:08x} lr={s.lr:x} ctr={s.ctr:x} pc={s.pc:x}"]
    found = {int(n) for n in re.findall(r"\bvs(\d+)", text)} | {int(n) for n in re.findall(r"\bf(\d+)", text)}
    found |= {32 + int(n) for n in re.findall(r"\bv(\d+)", text)}
    if found or re.match(r"[vxfd]|bcd|mtfs|mffs|mtv", text):
        vectors = [f"{vector_name(n, case)}={groups(s.vsr[n])}" for n in sorted(found)]
        lines.append(f"fpscr={s.fpscr:08x} vscr={s.vscr:x} {' '.join(vectors)}")
    lines += [f"[{address:x}] = {data.hex(' ', 8)}" for address, data in case.memory.items() if WINDOW <= address < WINDOW + WINDOW_SIZE]
    return "\n      ".join(lines)
