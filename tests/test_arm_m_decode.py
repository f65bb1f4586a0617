"""Decoding of the M profile: names against capstone, what each processor has against LLVM's disassembler, no double claims."""

from __future__ import annotations

import random
import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Final

import capstone
import pytest

from tests.oracle.rows import should_be, variant_encoding
from xemu.core import decoder
from xemu.core.checks import check_overlaps
from xemu.core.isa import stage
from xemu.core.record import Abort
from xemu.targets.arm.layout import FPV4_SP, FPV5_DP, M_LAYOUT, V6M, V7EM, V7M, MContext
from xemu.targets.arm.m_isa import m16, m32
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.isa import FixedWidthIsa, Row, Variant

TARGET: Final = get_target("arm-m")
TARGET.load_rows()
ISAS: Final = [m16, m32]
MODE: Final = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
DISASSEMBLERS: Final = {"m_fp.py": capstone.Cs(capstone.CS_ARCH_ARM, MODE | capstone.CS_MODE_V8)}       # FPv5 counts as ARMv8's there
DISASSEMBLER: Final = capstone.Cs(capstone.CS_ARCH_ARM, MODE)
PER_VARIANT: Final = 3
RANDOM_WORDS: Final = 20_000

#: rows that capstone names otherwise: a part of the row's name -> what it may say
OTHER_NAMES: Final = {
    r"MOV_register_(shifted|rrx)": "lsl lsr asr ror rrx", r"ADR_": "add sub", r"(LDM|STM)IA": "ldm stm pop push", r"STMDB": "push",
    r"_rrx": "rrx", r"DSB": "dfb ssbb pssbb", r"PLDW_literal": "pld", r"VMOV_(to|from)_word": "vmov", r"HINT$": "hint esb",
    r"V(LD|ST)M|VPOP|VPUSH": "fldm fstm vpush vpop",
}
#: rows whose encodings capstone takes for invalid, and why
NOT_IN_CAPSTONE: Final = {
    r"UDF|BKPT": "xemu has a row for what is undefined",
    r"HINT|PLDW": "unallocated memory hints: the manual's NOP",
    r"MSR_APSR|MSR_.APSR|MSR_XPSR|msr_nothing|mrs_reserved": "a mask of 0 or an unknown register (UNPREDICTABLE; xemu: nothing, or 0)",
    r"CPS": "no flag named (UNPREDICTABLE; xemu: nothing)",
    r"V(LD|ST)M|VPUSH|VPOP": "lists that go beyond the last register",
    r"m32.LDM": "lists of no or one register",
    r"shift|STREX|extend": "registers that must differ (UNPREDICTABLE; xemu: what the pseudocode does)",
    r"coprocessor|floating": "what no extension has",
}
#: processors: LLVM's triple and name, and our context
PROCESSORS: Final = {
    "cortex-m0": ("thumbv6m", MContext(ARCH=V6M, STRICT=1)), "cortex-m3": ("thumbv7m", MContext(ARCH=V7M)),
    "cortex-m4": ("thumbv7em", MContext(ARCH=V7EM, FPU=FPV4_SP)), "cortex-m7": ("thumbv7em", MContext(ARCH=V7EM, FPU=FPV5_DP)),
}
#: rows that LLVM takes for invalid although their encoding is as the manual has it, and why
NOT_IN_LLVM: Final = re.compile(r"HINT|PLDW|mrs_reserved|msr_nothing")
#: what LLVM knows and xemu does not, by LLVM's text: undefined by name; the PC where it is UNPREDICTABLE; coprocessor 10 and 11
UNDEFINED_HERE: Final = re.compile(r"udf|trap|__brkdiv0|.*\b(pc|r15)\b|ldrd|strd|(stc|ldc|cdp|mcr|mrc|mcrr|mrrc)2?l? *\s*p1[01]")


def code(isa: FixedWidthIsa, word: int) -> bytes:
    """Return an instruction as it stands in memory."""
    halves = [word] if isa is m16 else [word >> 16, word & 0xFFFF]
    return b"".join(h.to_bytes(2, "little") for h in halves)


def find(isa: FixedWidthIsa, word: int) -> Variant | None:
    """Return the variant of a word."""
    index = decoder.walk(decoder.tries(TARGET)[isa.name][1], word)
    return None if index is None else isa.variants[index]


def agrees(row: Row, text: str | None) -> bool:
    """Return whether capstone's text is what the row's template says, or a known other name."""
    if text is None:
        return any(re.search(p, row.name) for p in NOT_IN_CAPSTONE)
    plain = re.sub(r"\{.*", "", row.template.split()[0]).removesuffix(".w")
    if text.startswith(plain):
        return True
    return any(re.search(p, row.name) and text.startswith(tuple(names.split())) for p, names in OTHER_NAMES.items())


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
def test_every_row_has_capstones_name(isa: FixedWidthIsa) -> None:
    """Random encodings of each variant decode to it, and capstone calls them the same."""
    rng, wrong = random.Random(3), []
    for v in isa.variants:
        if re.search("coprocessor|floating|exception_return", v.row.name):
            continue
        for _ in range(PER_VARIANT):
            word = variant_encoding(v, rng)
            if word is None:
                continue
            found = find(isa, word | v.splits.get("InIT", 0) << isa.bits)
            assert found is not None
            cs = DISASSEMBLERS.get(v.row.source.split(":")[0], DISASSEMBLER)
            text = next((f"{i.mnemonic} {i.op_str}" for i in cs.disasm(code(isa, word), 0x1000)), None)
            if found is v and not agrees(v.row, text):
                wrong.append(f"{v.name} {word:x}: {text}")
    assert wrong == []


def verdict(isa: FixedWidthIsa, word: int, context: MContext) -> tuple[str, Row | None]:
    """Return how a processor takes a word: "known", "undefined" or "coprocessor" (NOCP), and the row."""
    v = find(isa, word)
    if v is None:
        return "undefined", None
    kind = abort_of(v, word if "imm8" in v.row.places else v.value & (1 << isa.bits) - 1, context)
    return {"undefined": "undefined", "exception": "coprocessor"}.get(kind, "known"), v.row


@cache
def abort_of(variant: Variant, word: int, context: MContext) -> str:
    """Return how an instruction aborts in any case, or "". (Of the fields only the length of a list matters.)"""
    staged = stage(variant, word, 0x1000, context, M_LAYOUT)
    return next((e.kind for e in staged.effects if isinstance(e, Abort) and e.pred is None), "")


def llvm(tool: str, isa: FixedWidthIsa, words: list[int], triple: str, processor: str) -> list[tuple[str, str]]:
    """Return LLVM's verdict ("known", "doubtful" or "undefined") and text for each word."""
    lines = "".join("[" + " ".join(f"{b:#x}" for b in code(isa, w)) + "]\n" for w in words)
    run = subprocess.run([tool, "-disassemble", f"-triple={triple}", f"-mcpu={processor}"], input=lines, capture_output=True, text=True,
                         check=False)
    said = {int(m[1]): m[2] for m in re.finditer(r":(\d+):\d+: warning: (invalid|potentially)", run.stderr)}
    texts = iter([line.strip() for line in run.stdout.splitlines() if line.strip() != ".text"])
    found = []
    for i in range(1, len(words) + 1):
        bad = said.get(i) == "invalid"
        found.append(("undefined" if bad else "doubtful" if i in said else "known", "" if bad else next(texts)))
    return found


def has_reason(word: int, row: Row | None, theirs: str, text: str) -> bool:
    """Return whether it is right that only one of xemu and LLVM knows a word."""
    if theirs != "undefined":                    # what LLVM doubts is UNPREDICTABLE
        return theirs == "doubtful" or bool(UNDEFINED_HERE.match(text))
    assert row is not None
    mask, value = should_be(row)
    return word & mask != value or bool(NOT_IN_LLVM.search(row.name))


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_each_processor_knows_what_llvm_says_it_does(processor: str, isa: FixedWidthIsa, need: Callable[..., str]) -> None:
    """All 16-bit words but IT, and random 32-bit words."""
    rng, (triple, context) = random.Random(processor), PROCESSORS[processor]
    if isa is m16:
        words = [w for w in range(0xE800) if w >> 8 != 0xBF or w & 15 == 0]
    else:
        words = [rng.randrange(0xE800, 0x10000) << 16 | rng.getrandbits(16) for _ in range(RANDOM_WORDS)]
    wrong = []
    for word, (theirs, text) in zip(words, llvm(need("llvm-mc"), isa, words, triple, processor), strict=True):
        mine, row = verdict(isa, word, context)
        if mine != "coprocessor" and (mine == "known") != (theirs != "undefined") and not has_reason(word, row, theirs, text):
            wrong.append(f"{word:x}: {mine} {row.name if row else ''}, LLVM {theirs} {text}")
    assert wrong == []


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
def test_no_two_rows_claim_one_word(isa: FixedWidthIsa) -> None:
    """Of two variants that match a word one is more specific."""
    assert check_overlaps(isa) == []


def test_it_is_for_armv7_only() -> None:
    words = [0xBF00 | w for w in range(256) if w & 15]
    for context, mine in ((PROCESSORS["cortex-m0"][1], "undefined"), (PROCESSORS["cortex-m3"][1], "known")):
        assert {verdict(m16, w, context)[0] for w in words} == {mine}
