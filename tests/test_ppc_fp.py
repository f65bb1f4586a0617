"""PowerPC's floating point in every tier: FPSCR to the bit (Book I, 4.2.2, 4.4), enabled exceptions, the modes of the host."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.law import CODE, WINDOW_SIZE, Law, LawCase
from xemu.core.engine import ExitKind
from xemu.core.memory import EXEC, READ, WRITE
from xemu.core.state import ENGINE_BYTES
from xemu.targets.ppc.layout import FPSCR_MODES, PpcContext

if TYPE_CHECKING:
    from collections.abc import Iterator

FX, FEX, VX, OX, UX, ZX, XX, SNAN, ISI, ZDZ, IMZ, VC = (1 << n for n in (31, 30, 29, 28, 27, 26, 25, 24, 23, 21, 20, 19))
FR, FI, CVI, VE, OE, UE, ZE, XE = (1 << n for n in (18, 17, 8, 7, 6, 5, 4, 3))
NEGATIVE, POSITIVE, PLUS_ZERO, INFINITE, QUIET, DENORMAL = (n << 12 for n in (0b01000, 0b00100, 0b00010, 0b00101, 0b10001, 0b10100))
GREATER, UNORDERED = 0b0100 << 12, 0b0001 << 12
ONE, TWO, INF, NAN, LARGEST = 0x3FF << 52, 0x400 << 52, 0x7FF << 52, 0x7FF8 << 48, 0x7FEFFFFFFFFFFFFF
SIGNALLING, MINUS, TINY = INF | 1, 1 << 63, 1
OLD: Final = 0x5555_5555_5555_5555         # in the target before


def a_form(primary: int, xo: int, frb: int = 2, frc: int = 0, fra: int = 1, rc: int = 0) -> int:
    """Return an instruction with target f4."""
    return primary << 26 | 4 << 21 | fra << 16 | frb << 11 | frc << 6 | xo << 1 | rc


FADD, FSUB, FDIV, FMUL = a_form(63, 21), a_form(63, 20), a_form(63, 18), a_form(63, 25, 0, 2)
FADDS, FMULS, FRSP, FCTIWZ, FRIN = a_form(59, 21), a_form(59, 25, 0, 2), a_form(63, 12), a_form(63, 15), a_form(63, 392)
FMADD, FNMSUB, FRE = a_form(63, 29, 3, 2), a_form(63, 30, 3, 2), a_form(63, 24)
FCMPU, FCMPO = (63 << 26 | 1 << 16 | 2 << 11 | xo << 1 for xo in (0, 32))
MFFS, MFFSL, MFFSCE, MFFSCRN = (63 << 26 | 5 << 21 | n << 16 | 2 << 11 | 583 << 1 for n in (0, 24, 1, 22))
VADDFP = 4 << 26 | 2 << 21 | 0 << 16 | 1 << 11 | 10


@cache
def law() -> Law:
    return Law("ppc64le", seed=3)


@pytest.fixture(scope="module", autouse=True)
def _given_back() -> Iterator[None]:
    """Let others have the address space: a host has room for one guest of 64 bits."""
    yield
    law.cache_clear()


def case(words: list[int], fpscr: int, operands: tuple[int, ...], fe: int = 0) -> LawCase:
    """Return instructions with operands in f1, f2, f3 and the target f4 as OLD."""
    state = law().engine.state
    state.buffer[ENGINE_BYTES:] = bytes(len(state.buffer) - ENGINE_BYTES)
    context = PpcContext(FP=int(fpscr & FPSCR_MODES != 0)).word
    state.context = context
    for n, value in enumerate((*operands, *[0] * (3 - len(operands)), OLD)):
        state.write(f"f{n + 1}", value)
    state.write("fpscr", fpscr)
    state.set(state.layout.cells["FE"], 0, fe)
    state.set(state.layout.cells["NJ"], 0, 1)
    code = b"".join(w.to_bytes(4, "little") for w in words)
    return LawCase(code, len(words), context, bytes(state.buffer[ENGINE_BYTES:]), bytes(WINDOW_SIZE), "")


def run(given: LawCase) -> tuple[int, int, tuple[object, ...]]:
    """Run a case in the evaluator; return f4, FPSCR and how it stopped."""
    law().space.map(CODE, 4096, READ | WRITE | EXEC)
    given.pc = CODE
    law().space.write(CODE, given.words)
    outcome = law().evaluated(given)
    law().space.unmap(CODE, 4096)
    state = law().engine.state
    value, fpscr = state.read("f4"), state.read("fpscr")
    assert value is not None
    assert fpscr is not None
    return value, fpscr, outcome


RESULTS: Final = (
    (FADD, (ONE, ONE), 0, TWO, POSITIVE),
    (FADD, (ONE, TINY), 0, ONE, FX | XX | FI | POSITIVE),
    (FADD, (ONE, TINY), 2, ONE + 1, FX | XX | FR | FI | POSITIVE | 2),
    (FADD, (ONE, TINY), XX, ONE, XX | FI | POSITIVE),                               # XX was there: no FX
    (FADD, (ONE, ONE), FX | XX | FR | FI, TWO, FX | XX | POSITIVE),
    (FSUB, (INF, INF), 0, NAN, FX | VX | ISI | QUIET),
    (FSUB, (INF, INF), VE | QUIET, OLD, FX | FEX | VX | ISI | QUIET | VE),          # nothing is written, FPRF stays
    (FSUB, (INF, INF), VE | FR | FI | POSITIVE, OLD, FX | FEX | VX | ISI | POSITIVE | VE),
    (FDIV, (ONE, 0), 0, INF, FX | ZX | INFINITE),
    (FDIV, (ONE, 0), ZE, OLD, FX | FEX | ZX | ZE),
    (FDIV, (0, 0), ZE, NAN, FX | VX | ZDZ | QUIET | ZE),
    (FMUL, (LARGEST, TWO), 0, INF, FX | OX | XX | FR | FI | INFINITE),
    (FMUL, (LARGEST, TWO), OE, LARGEST - (1535 << 52), FX | FEX | OX | POSITIVE | OE),
    (FMUL, (TINY, TINY), 0, 0, FX | UX | XX | FI | PLUS_ZERO),
    (FMUL, (TINY, ONE), 0, TINY, DENORMAL),
    (FMUL, (TINY, ONE), UE, (1536 - 51) << 52, FX | FEX | UX | POSITIVE | UE),
    (FMUL, (1 << 51, 0x3FE << 52), UE, (1536 - 1) << 52, FX | FEX | UX | POSITIVE | UE),
    (FADD, (ONE, TINY), XE, ONE, FX | FEX | XX | FI | POSITIVE | XE),
    (FADDS, (ONE, 0x3E6 << 52), 0, ONE, FX | XX | FI | POSITIVE),
    (FMULS, (0x381 << 52, 0x3FE << 52), 0, 0x380 << 52, DENORMAL),                  # as a single it is one
    (FRSP, (0, 0x3FF0000030000000), 0, 0x3FF0000040000000, FX | XX | FR | FI | POSITIVE),
    (FRSP, (0, SIGNALLING), 0, NAN, FX | VX | SNAN | QUIET),
    (FCTIWZ, (0, 0x4004 << 48), QUIET, 2, FX | XX | FI),
    (FCTIWZ, (0, NAN), 0, 0xFFFFFFFF80000000, FX | VX | CVI),
    (FCTIWZ, (0, NAN), VE, OLD, FX | FEX | VX | CVI | VE),
    (FRIN, (0, 0x4004 << 48), FR | FI, 0x4008 << 48, POSITIVE),                     # raises nothing
    (FMADD, (INF, 0, SIGNALLING), 0, NAN | 1, FX | VX | SNAN | IMZ | QUIET),
    (FNMSUB, (ONE, ONE, ONE), 0, MINUS, 0b10010 << 12),                             # -(1 * 1 - 1)
    (FNMSUB, (ONE, ONE, NAN | 7), 0, NAN | 7, QUIET),                               # a NaN keeps its sign
    (FCMPU, (TWO, ONE), QUIET, OLD, 0b10000 << 12 | GREATER),                       # C stays
    (FCMPO, (NAN, ONE), 0, OLD, FX | VX | VC | UNORDERED),
    (FCMPO, (SIGNALLING, ONE), 0, OLD, FX | VX | VC | SNAN | UNORDERED),
    (FCMPO, (SIGNALLING, ONE), VE, OLD, FX | FEX | VX | SNAN | UNORDERED | VE),
    (FCMPU, (NAN, ONE), 0, OLD, UNORDERED),
)  # fmt: skip
CONTROLS: Final = (
    (MFFSL, FX | XX | FI | POSITIVE | OE | 2, FI | POSITIVE | OE | 2, FX | XX | FI | POSITIVE | OE | 2),
    (MFFSCE, FX | XX | OE | 2, FX | XX | OE | 2, FX | XX | 2),
    (MFFSCRN, FX | XX | OE | 2, OE | 2, FX | XX | OE | 1),
    (63 << 26 | 25 << 21 | 38 << 1, 0, 0, OE),                                      # mtfsb1 25
    (63 << 26 | 6 << 21 | 38 << 1, 0, 0, FX | XX),                                  # mtfsb1 6
    (63 << 26 | 6 << 21 | 38 << 1, XX, 0, XX),
    (63 << 26 | 6 << 21 | 70 << 1, FX | XX, 0, FX),                                 # mtfsb0 6
    (63 << 26 | 1 << 21 | 38 << 1, 0, 0, 0),                                        # FEX cannot be set
    (63 << 26 | 7 << 23 | 3 << 12 | 134 << 1, FX, 0, FX | 3),                       # mtfsfi 7, 3
    (63 << 26 | 1 << 17 | 2 << 11 | 711 << 1, XX | 7, 0, XX | 1),                   # mtfsf 1, f2: the lowest field
    (63 << 26 | 64 << 1, FX | OX | XX, 0, XX),                                      # mcrfs 0, 0 clears FX and OX
)  # fmt: skip


@pytest.mark.parametrize(("word", "operands", "fpscr", "value", "after"), RESULTS)
def test_result_and_fpscr(word: int, operands: tuple[int, ...], fpscr: int, value: int, after: int) -> None:
    mine, status, _ = run(case([word], fpscr, operands))
    assert (f"{mine:x}", f"{status:x}") == (f"{value:x}", f"{after:x}")


@pytest.mark.parametrize(("fe", "stops"), [(0, False), (3, True)])
def test_enabled_exception_interrupts_if_the_process_wants_it(fe: int, *, stops: bool) -> None:
    _, _, outcome = run(case([FDIV, FADD], ZE, (ONE, 0), fe))
    stop = dict(outcome)["stop"]
    assert (stop[0] if stop else None) == (ExitKind.EVENT.value if stops else None)
    assert dict(outcome)["ran"] == (1 if stops else 2)                              # the instruction has happened


def test_fpscr_that_an_instruction_reads_is_the_debuggers() -> None:
    for words, fpscr, operands in (([FADD], 0, (ONE, TINY)), ([FMUL], 2, (LARGEST, TWO)), ([FRSP], 0, (0, 0x3FF0000030000000)),
                                   ([FADD, FCMPU], 0, (ONE, TINY)), ([FCTIWZ], 0, (0, NAN)), ([FRE], 0, (0, 0))):
        _, status, _ = run(case([*words, MFFS], fpscr, operands))
        assert law().engine.state.read("f5") == status
        assert status & FX


@pytest.mark.parametrize(("word", "fpscr", "read", "after"), CONTROLS)
def test_fpscr_instructions(word: int, fpscr: int, read: int, after: int) -> None:
    """f2 is 1."""
    _, status, outcome = run(case([word], fpscr, (0, 1)))
    assert f"{law().engine.state.read('f5'):x}" == f"{read:x}"
    assert f"{status:x}" == f"{after:x}"
    assert dict(outcome)["context"] == int(after & FPSCR_MODES != 0)


def test_examples_in_every_tier() -> None:
    """The other tiers do what the evaluator does; one that interrupts, too."""
    cases = [case([word], fpscr, operands) for word, operands, fpscr, _, _ in RESULTS]
    cases += [case([word, MFFS], fpscr, (0, 1)) for word, fpscr, _, _ in CONTROLS]
    cases += [case([FDIV, FADD], ZE, (ONE, 0), 3), case([FADD, FCMPU, MFFS], 0, (ONE, TINY)), mixed()]
    complaints = law().run(cases)
    assert not complaints, "\n".join(complaints)


def mixed() -> LawCase:
    """Return vector operations that raise nothing among scalar ones."""
    ones = case([VADDFP, FADD, VADDFP, FMUL, VADDFP], 0, (TINY, ONE))
    state = law().engine.state
    state.write("v0", int.from_bytes(b"\x3f\x80\x00\x00" * 4, "big"))
    state.write("v1", int.from_bytes(b"\x00\x00\x00\x01" * 4, "big"))
    ones.state = bytes(state.buffer[ENGINE_BYTES:])
    return ones


def test_vectors_of_altivec_leave_fpscr_alone() -> None:
    """Their exceptions and scalar ones do not mix; NJ is 1: denormals are zeros for vectors alone."""
    value, status, _ = run(mixed())
    assert value == TINY
    assert status == FX | XX | DENORMAL                  # FADD was inexact; FMUL, the last scalar operation, was not
    assert law().engine.state.read("v2") == int.from_bytes(b"\x3f\x80\x00\x00" * 4, "big")


#: rows whose order matters to the host's modes and exceptions
SOME = re.compile(r"p64\.(f(add|div|mul|madd|adds|cmpu|ctiwz)|xv(add|cmpgt)dp|v(addf|maddf|cmpgtf|rfin|maxf)p|vctsxs|mffs|mtfsb0)\b")


@pytest.mark.parametrize("context", [0, 1, 2, 3])
def test_sequences_in_every_tier(context: int) -> None:
    some = Law("ppc64le", seed=context)
    found = [v for v in some.target.iset(0).narrow.variants if SOME.match(v.name)]
    assert len({v.row.name for v in found}) >= 15
    complaints = some.run([some.case(some.random.choices(found, k=8), context) for _ in range(40)])
    assert not complaints, "\n".join(complaints[:6])
