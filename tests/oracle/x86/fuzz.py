"""Random bytes as instructions: do the host and xemu agree on what is an instruction, how long it is and what it does?

Each runs for one step (TF), so that what follows in the bytes does not matter. Reported by what capstone makes of the bytes.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

from tests.oracle.kinds import Kinds
from tests.oracle.x86 import driver as d
from tests.oracle.x86 import values
from tests.oracle.x86.campaign import describe
from tests.oracle.x86.compare import differences
from tests.oracle.x86.native import Native
from tests.oracle.x86.rows import LEFT_OUT, disassembled
from tests.oracle.x86.state import Case
from tests.oracle.x86.tiers import tiers

if TYPE_CHECKING:
    from random import Random

LONGEST: Final = 15
CALLS: Final = (b"\x0f\x05", b"\x0f\x34", b"\xcd")            # into the kernel: bytes with these anywhere are not run
REPEATED: Final = re.compile(rb"[\xf2\xf3].*[\x6c-\x6f\xa4-\xaf]", re.DOTALL)     # one step is one iteration
PREFIXES: Final = (0x2E, 0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x36, 0x3E, 0x26, 0x64, 0x65)
#: these depend on selectors
FAR: Final = ("lcall", "ljmp", "retf", "retfq", "iret", "iretd", "iretq")
STEP, STRIDE = 128, 2048              # cases in a batch, and how far apart they stand: one may read the code around it
#: what hosts may have and xemu never announces (after x86-64-v3), by the beginnings of capstone's names
BEYOND: Final = ("xbegin", "xabort", "xend", "xtest", "rdpid", "clwb", "cldemote", "movdir", "gf2p8", "vgf2p8", "serialize", "ptwrite",
                 "endbr", "rdpkru", "wrpkru", "tile", "tdp", "ldtilecfg", "sttilecfg", "enqcmd", "umonitor", "umwait", "tpause", "monitor",
                 "mwait", "incssp", "rdssp", "saveprevssp", "xsusldtrk", "xresldtrk", "clflushopt", "invpcid",
                 "pushf", "vpdp")     # pushf shows TF


def instruction(rng: Random, bits: int) -> bytes:
    """Return random bytes that look like an instruction."""
    out = bytearray()
    while rng.random() < 0.3:
        out.append(rng.choice(PREFIXES if bits == 64 else PREFIXES[1:]))
    if bits == 64 and rng.random() < 0.3:
        out.append(rng.randrange(0x40, 0x50))
    kind = rng.random()
    if kind < 0.25:
        out += b"\x0f"
    elif kind < 0.4:
        out += rng.choice((b"\x0f\x38", b"\x0f\x3a"))
    elif kind < 0.55:
        out += bytes([0xC5, rng.getrandbits(8) | 0xC0]) if rng.random() < 0.4 else bytes(
            [0xC4, rng.choice((1, 2, 3, 3, rng.randrange(32))) | 0xC0 | rng.getrandbits(8) & 0x20, rng.choice((0x78, rng.getrandbits(8)))])
    out.append(rng.getrandbits(8))
    out.append(rng.choice((rng.getrandbits(8), rng.getrandbits(8) | 0xC0)))
    while len(out) < LONGEST:
        out.append(rng.choice((0, 0, 1, 0xFF, rng.getrandbits(8))))
    return bytes(out[:LONGEST])


def case(rng: Random, bits: int, at: int) -> Case | None:
    """Return a case, or None where the bytes are not to be run."""
    code = instruction(rng, bits)
    if any(call in code for call in CALLS) or REPEATED.search(code[:6]) or (bits == 32 and 0x2E in code[:4]):
        return None                       # 32-bit code may not write through CS
    state = values.random_state(rng, bits, want_x87=True)
    for n in range(16 if bits == 64 else 8):
        if rng.random() < 0.7:
            state.r[n] = d.WRITABLE + 0x1000 + rng.randrange(0x1000)
    state.rip = at
    state.mxcsr, state.fcw, state.fsw = state.mxcsr | values.MASKS, state.fcw | 0x3F, state.fsw & ~0x8080
    if is_beyond(disassembled(code, bits, at), code, bits):
        return None
    return Case(code, state, {}, bits, step=True, at=at)


def is_beyond(text: str, code: bytes, bits: int) -> bool:
    """Return whether xemu need not know an instruction, or cannot be compared in it."""
    name = text.replace("lock ", "").partition(" ")[0]
    bare = bytes(code).lstrip(bytes(PREFIXES))
    evex = bare[:1] == b"\x62" and (bits == 64 or bare[1:2] >= b"\xc0")
    other = name.startswith(BEYOND) or name in FAR or name in LEFT_OUT
    return evex or other or bool(re.search(r"\bk[0-7]\b|\b[cd]r\d|zmm", text))


def fuzz(seed: int, count: int, bits: int) -> Kinds:
    """Return the mismatches of `count` random instructions."""
    rng, kinds = random.Random(seed), Kinds()
    with Native() as native:
        engine = tiers(bits)
        for _ in range(0, count, STEP):
            found = (case(rng, bits, d.CODE + i * STRIDE) for i in range(STEP))
            cases = [one for one in found if one is not None]
            expected = native.run(cases)
            got = engine.outcomes(cases, ("evaluator",))["evaluator"]
            for one, theirs, mine in zip(cases, expected, got, strict=True):
                assert mine is not None
                text = disassembled(one.code, one.bits, one.at)
                name = text.replace("lock ", "").partition(" ")[0]
                if lines := differences(one, theirs, mine, name):
                    what = lines[0] if "fault" in lines[0] else re.sub(r"\[.*|\d*: .*|=.*", "", lines[0])
                    kinds.add(f"{name}: {what}", one, lines)
    return kinds


def report(seed: int, count: int, bits: int, show: int) -> int:
    """Print what differs; return 1 if anything does."""
    return fuzz(seed, count, bits).report(describe, show)
