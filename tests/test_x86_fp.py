"""SSE's floating-point rows in every tier: in all modes of MXCSR, and on hosts whose own instructions are not x86's."""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.law import CODE, WINDOW, Law
from tests.test_law_x86 import variants
from xemu.core import host_float
from xemu.core.memory import EXEC, READ, WRITE
from xemu.core.state import ENGINE_BYTES, StateBlock
from xemu.targets.x86.layout import GENERAL_PROTECTION, LAYOUT64, MXCSR_USUAL, SIMD_ERROR, unusual_modes
from xemu.targets.x86.registers import mxcsr_of, set_mxcsr
from xemu.targets.x86.scan import REG

if TYPE_CHECKING:
    from xemu.core.isa import Variant

#: one row of each kind
SOME = re.compile(
    r"x86\.(addps|subsd|vmulpd|divss|sqrtpd|vminss|maxpd|ucomisd|vcomiss|cmpps|vcmpsd|cvtsi2sd|vcvtsi2ss|cvttsd2si|cvtss2si"
    r"|cvtdq2ps|cvttps2dq|cvtps2pd|vcvtpd2ps|cvtpd2dq|cvtsd2ss|addsubps|haddpd|dpps|roundss|vroundpd|vcvtph2ps|vcvtps2ph"
    r"|vfmadd132ps|vfnmsub213sd|vfmsubadd231pd|rcpss|vrsqrtps)(#\d)?\b")
AREA = WINDOW + 0x400
FP = 1                      # the context of unusual modes


@cache
def chosen() -> list[Variant]:
    return [v for v in variants("x86_64") if SOME.match(v.name) and v.splits.get("form", REG) in (REG, 0)]


def check(law: Law, context: int, seed: int) -> None:
    complaints = law.run([law.case([v], context) for v in chosen()])
    assert not complaints, f"seed {seed}: " + "\n".join(complaints[:6])


def test_the_choice_has_all_kinds() -> None:
    assert len({v.row.template for v in chosen()}) >= 34


@pytest.mark.parametrize("context", [0, FP])
def test_rows_in_every_tier(context: int) -> None:
    seed = 5 + context
    check(Law("x86_64", seed=seed), context, seed)


@pytest.mark.parametrize("context", [0, FP])
def test_rows_on_another_host(context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards and slow functions give what the host's own instructions give."""
    monkeypatch.setattr(host_float, "RULES", "")
    seed = 25 + context
    check(Law("x86_64", seed=seed), context, seed)


def test_the_context_follows_mxcsr() -> None:
    state = StateBlock(LAYOUT64)
    for value, unusual in ((MXCSR_USUAL, 0), (MXCSR_USUAL | 0x3F, 0), (0x3F80, 1), (0x1FC0, 1), (0x9F80, 1), (0x1F00, 1)):
        assert unusual_modes(value) == unusual
        set_mxcsr(state, value)
        assert (mxcsr_of(state), state.context & FP) == (value, unusual)


# -- single instructions --------------------------------------------------------------------------------------------------


class Machine:
    """A processor that evaluates one instruction after the other; RBX points to AREA, which is aligned to 64."""

    def __init__(self) -> None:
        self.law = Law("x86_64")
        self.engine, self.space, self.state = self.law.engine, self.law.space, self.law.engine.state
        self.space.map(CODE, 4096, READ | WRITE | EXEC)
        self.state.buffer[ENGINE_BYTES:] = bytes(len(self.state.buffer) - ENGINE_BYTES)
        set_mxcsr(self.state, MXCSR_USUAL)
        self.state.write("fctrl", 0x37F)
        self.state.write("rbx", AREA)

    def run(self, code: str) -> tuple[str, int] | None:
        """Evaluate an instruction; return (kind, number) of what stopped it."""
        self.space.write(CODE, bytes.fromhex(code))
        self.engine.set_position(CODE, self.state.context)
        stop = self.engine.evaluate_one()
        return None if stop is None else (stop.kind.value, stop.number)


def test_mxcsr_is_loaded_and_stored() -> None:
    m = Machine()
    m.space.write(AREA, (0x9FC2).to_bytes(4, "little"))
    assert m.run("0fae13") is None                                    # ldmxcsr [rbx]
    assert (mxcsr_of(m.state), m.state.context & FP) == (0x9FC2, 1)
    assert m.run("0fae5b04") is None                                  # stmxcsr [rbx + 4]
    assert m.space.read(AREA + 4, 4) == m.space.read(AREA, 4)
    m.space.write(AREA, (0x1001F80).to_bytes(4, "little"))
    assert m.run("0fae13") == ("exception", GENERAL_PROTECTION)
    assert mxcsr_of(m.state) == 0x9FC2


def test_an_unmasked_exception_changes_no_register() -> None:
    m = Machine()
    m.state.write("xmm1", 0x3F800000)
    m.state.write("xmm2", 1 << 32)                                    # a denormal over a zero
    set_mxcsr(m.state, MXCSR_USUAL & ~0x200)                          # division by zero is not masked
    assert m.run("0f5eca") == ("exception", SIMD_ERROR)               # divps xmm1, xmm2
    assert m.state.read("xmm1") == 0x3F800000
    assert mxcsr_of(m.state) & 0x3F == 0b000101 | 0b000010            # #Z, and what other lanes have: #I (0 / 0), #D


@pytest.mark.parametrize(("save", "restore"), [("480fae03", "480fae0b"), ("480fae23", "480fae2b"), ("480fc723", "480fae2b"),
                                               ("480fae33", "480fae2b")])
def test_state_comes_back(save: str, restore: str) -> None:
    """FXSAVE, XSAVE, XSAVEC, XSAVEOPT and back."""
    m = Machine()
    extended = save != "480fae03"
    names = [f"xmm{n}" for n in range(16)] + [f"ymm{n}h" for n in range(16) if extended] + [f"fpr{n}" for n in range(8)]
    for number, name in enumerate(names):
        m.state.write(name, 0x123456789 * (number + 1))
    for name, value in (("fctrl", 0x27F), ("fstat", 0x3801), ("rax", 7)):
        m.state.write(name, value)
    set_mxcsr(m.state, 0x3FA1)
    m.space.write(AREA, b"\xAA" * 512 + bytes(64) + b"\xAA" * 256)
    before = bytes(m.state.buffer[ENGINE_BYTES:]), m.state.context
    assert m.run(save) is None
    image = m.space.read(AREA, 832)
    assert image[:4] == bytes.fromhex("7f020138")
    assert image[24:32] == bytes.fromhex("a13f0000ffff0000")
    assert image[416:512] == b"\xAA" * 96                             # not written
    compacted = 7 | 1 << 63 if save == "480fc723" else 0
    assert struct.unpack_from("<QQ", image, 512) == (7 if extended else 0, compacted)
    for name in names:
        m.state.write(name, 0)
    set_mxcsr(m.state, MXCSR_USUAL)
    m.state.write("fctrl", 0x37F)
    assert m.run(restore) is None
    assert (bytes(m.state.buffer[ENGINE_BYTES:]), m.state.context) == before


def test_xrstor_resets_what_the_image_does_not_have() -> None:
    m = Machine()
    for name, value in (("xmm3", 5), ("ymm3h", 6), ("fpr1", 7), ("fctrl", 0x27F), ("rax", 7)):
        m.state.write(name, value)
    m.space.write(AREA, bytes(24) + (0x1F80).to_bytes(4, "little") + bytes(804))
    m.space.write(AREA + 512, (4).to_bytes(8, "little"))              # AVX alone is there
    m.space.write(AREA + 576 + 16 * 3, (9).to_bytes(16, "little"))
    assert m.run("480fae2b") is None
    assert [m.state.read(n) for n in ("xmm3", "ymm3h", "fpr1", "fctrl")] == [0, 9, 0, 0x37F]
    m.space.write(AREA + 512 + 16, b"\1")                             # reserved bytes of the header
    assert m.run("480fae2b") == ("exception", GENERAL_PROTECTION)
