"""Say where two outcomes of a case differ, in words that a row's author can use."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from tests.oracle.x86.native import is_intel
from tests.oracle.x86.state import KEPT_FLAGS, NAMES, Case, Outcome, State

CF, PF, AF, ZF, SF, OF = 1, 4, 0x10, 0x40, 0x80, 0x800
#: flags that Intel's manual leaves undefined, by mnemonic: xemu sets them as Intel's processors do, others differ
UNDEFINED: Final[dict[str, int]] = {
    **dict.fromkeys(("and", "or", "xor", "test"), AF), **dict.fromkeys(("andn", "blsr", "blsi", "blsmsk", "bzhi"), AF | PF),
    **dict.fromkeys(("shl", "shr", "sar", "sal"), AF | OF | CF), **dict.fromkeys(("rol", "ror", "rcl", "rcr"), OF),
    **dict.fromkeys(("shld", "shrd", "div", "idiv"), CF | PF | AF | ZF | SF | OF),
    **dict.fromkeys(("mul", "imul"), SF | ZF | AF | PF), **dict.fromkeys(("bsf", "bsr"), CF | OF | SF | AF | PF),
    **dict.fromkeys(("bt", "bts", "btr", "btc", "tzcnt", "lzcnt"), OF | SF | AF | PF), "bextr": AF | SF | PF,
    **dict.fromkeys(("aaa", "aas"), OF | SF | ZF | PF), **dict.fromkeys(("aam", "aad"), OF | AF | CF), "daa": OF, "das": OF,
}
#: instructions whose results are approximations: each maker's are its own
APPROXIMATE: Final = ("rcpps", "rcpss", "rsqrtps", "rsqrtss", "vrcpps", "vrcpss", "vrsqrtps", "vrsqrtss",
                      "fsin", "fcos", "fsincos", "fptan", "fpatan", "f2xm1", "fyl2x", "fyl2xp1")
#: instructions with long operands: which byte of a page that is not there a processor names is its own business
LONG: Final = ("fnstenv", "fldenv", "fnsave", "frstor", "fxsave", "fxrstor", "maskmovdqu", "maskmovq", "vmaskmovdqu")
FLAGS: Final = (("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("DF", 10), ("OF", 11), ("AC", 18), ("ID", 21))
SELECTORS: Final = ("es", "cs", "ss", "ds", "fs", "gs")
#: vectors that are the same to a program: both are SIGSEGV without an address
STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT = 12, 13, 14
VECTORS: Final = {0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD",
                  12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 19: "#XM"}


def differences(case: Case, expected: Outcome, got: Outcome, mnemonic: str = "") -> list[str]:
    """Return one line per difference, "rax: 1, expected 2"; empty if the outcomes are equal."""
    if expected.ended in ("killed", "endless") or (mnemonic in APPROXIMATE and not is_intel()):
        return []
    if case.step and expected.vector == GENERAL_PROTECTION and got.ended == "done" and got.state.rip >> 46:
        return []                                 # a jump out of the address space: xemu faults at the target
    same_page = expected.vector == got.vector == PAGE_FAULT and (expected.address ^ got.address) & ~0xFFF == 0
    if same_page and mnemonic.removesuffix("64") in LONG:
        got = replace(got, address=expected.address)
    if expected.ended == got.ended == "fault" and expected.state.top == 0:
        # an MMX instruction that faults, or raises #XM, has set TOP to 0 and all tags to valid already: no program can rely on it
        valid = got.state.valid if expected.state.valid == 0xFF else expected.state.valid
        expected = replace(expected, state=replace(expected.state, fsw=expected.state.fsw | got.state.fsw & 0x3800, valid=valid))
    if mnemonic == "enter" and expected.ended == got.ended == "fault":
        got = replace(got, memory=expected.memory)       # here nothing is pushed before all is known to be possible
    one, other = how(expected), how(got)
    lines = [f"{other}, expected {one}"] if one != other else []
    if lines and got.ended != expected.ended:
        return lines
    lines += _states(expected.state, got.state, KEPT_FLAGS & ~(0 if is_intel() else UNDEFINED.get(mnemonic, 0)), case.bits)
    for address in sorted(expected.memory.keys() | got.memory.keys()):
        theirs, mine = expected.memory.get(address), got.memory.get(address)
        if theirs != mine:
            lines.append(f"[{address:x}]: {_word(mine)}, expected {_word(theirs)}")
    return lines


def how(outcome: Outcome) -> str:
    """Return how a case ended, without what programs cannot see."""
    if outcome.ended not in ("fault", "trap"):
        return outcome.ended
    vector = GENERAL_PROTECTION if outcome.vector == STACK_FAULT else outcome.vector
    where = f" at {outcome.address:#x}" if vector == PAGE_FAULT else ""
    return f"{outcome.ended} {VECTORS.get(vector, vector)}{where}"


def _states(theirs: State, mine: State, flags: int, bits: int) -> list[str]:
    lines: list[str] = []
    count, digits = (16, 16) if bits == 64 else (8, 8)
    lines += [f"{NAMES[n]}: {mine.r[n]:0{digits}x}, expected {theirs.r[n]:0{digits}x}" for n in range(count) if theirs.r[n] != mine.r[n]]
    if theirs.rip != mine.rip:
        lines.append(f"rip: {mine.rip:x}, expected {theirs.rip:x}")
    if wrong := (theirs.flags ^ mine.flags) & flags:
        ours = " ".join(f"{name}={mine.flags >> at & 1}" for name, at in FLAGS if wrong >> at & 1)
        lines.append(f"{ours}, expected the opposite")
    lines += [f"ymm{n}: {_vector(mine.v[n], theirs.v[n])}" for n in range(count) if theirs.v[n] != mine.v[n]]
    lines += [f"fpr{n}: {mine.fpr[n]:020x}, expected {theirs.fpr[n]:020x}" for n in range(8) if theirs.fpr[n] != mine.fpr[n]]
    for name in ("mxcsr", "fcw", "fsw", "valid", "fs_base", "gs_base", *SELECTORS):
        a, b = getattr(theirs, name), getattr(mine, name)
        if a != b:
            lines.append(f"{name}: {b:x}, expected {a:x}")
    return lines


def _vector(mine: int, theirs: int) -> str:
    """Show what differs of two vectors, by groups of 32 bits."""
    if mine >> 128 == theirs >> 128:
        low = (1 << 128) - 1
        return f"…{_groups(mine & low, 4)}, expected …{_groups(theirs & low, 4)}"
    return f"{_groups(mine, 8)}, expected {_groups(theirs, 8)}"


def _groups(value: int, count: int) -> str:
    return "_".join(f"{value >> 32 * i & 0xFFFFFFFF:08x}" for i in reversed(range(count)))


def _word(value: int | None) -> str:
    return "unchanged" if value is None else f"{value:016x}"


def situation(case: Case, text: str = "") -> str:
    """Describe what a case starts from, as far as its code, whose disassembly is `text`, can see it."""
    s = case.state
    registers = " ".join(f"{NAMES[n]}={s.r[n]:x}" for n in range(16 if case.bits == 64 else 8))
    flags = " ".join(name for name, at in FLAGS if s.flags >> at & 1)
    lines = [f"{registers} flags {flags or 'none'}"]
    named = sorted({int(n) for n in re.findall(r"\b[xy]mm(\d+)", text)})
    if named:
        lines.append(f"mxcsr={s.mxcsr:04x} " + " ".join(f"ymm{n}={_groups(s.v[n], 8)}" for n in named))
    if re.search(r"\bst|\bmm|^f", text):
        numbers = " ".join(f"fpr{n}={s.fpr[n]:x}" for n in range(8))
        lines.append(f"fcw={s.fcw:04x} fsw={s.fsw:04x} top={s.top} valid={s.valid:02x} {numbers}")
    if re.search(r"[fg]s", text):
        lines.append(f"fs_base={s.fs_base:x} gs_base={s.gs_base:x} fs={s.fs:x} gs={s.gs:x}")
    lines += [f"[{address:x}] = {data.hex(' ', 8)}" for address, data in case.memory.items()]
    return "\n      ".join(lines)
