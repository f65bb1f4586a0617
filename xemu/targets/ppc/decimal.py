"""Decimal floating point. Power ISA Book I, chapter 5. What the operations mean: xemu/core/decimals.py.

A quadword (`q`) stands in two registers, the even one first; its field has four bits here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, make, mux, zext
from xemu.core.fp import NEVER_STICKY
from xemu.core.record import RegNo, when
from xemu.targets.ppc import status
from xemu.targets.ppc.floating import enabled
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.layout import FLOATING_POINT
from xemu.targets.ppc.status import OE, UE, VE, ZE, result_flags

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT, LONG, QUAD = 32, 64, 128
INEXACT, INCREMENTED, VXSNAN, VXVC = 4, 5, 8, 13          # bits of the exceptions
#: rounding modes (xemu/core/decimals.py) by RMC, primary and secondary (R = 1); None: as DRN says (Book I, 5.5.2)
PRIMARY, SECONDARY = (0, 1, 4, None), (2, 3, 6, 5)


# -- registers and status ------------------------------------------------------------------------------------------------


def pair(number: RegNo) -> tuple[RegNo, RegNo]:
    """Return the registers of a quadword."""
    upper = number.as_bits()[3:0]
    return RegNo(cat(upper, const(0, 1))), RegNo(cat(upper, const(1, 1)))


def get(cpu, number: RegNo, size: int) -> Bits:
    """Return a decimal number (or what else stands in a register)."""
    if size == QUAD:
        return cat(*[cpu.fpr(n) for n in pair(number)])
    value: Bits = cpu.fpr(number)
    return value[size - 1:0]


def put(cpu, number: RegNo, value: Bits, size: int) -> None:
    """Write a decimal number."""
    if size == QUAD:
        for register, half in zip(pair(number), (value[127:64], value[63:0]), strict=True):
            cpu.set_fpr(register, half)
    else:
        cpu.set_fpr(number, zext(value, 64))


def mode_of(cpu, RMC: int = 3, R: int = 0) -> Bits:
    """Return the rounding mode that an instruction asks for (without one it is DRN) and which exceptions are enabled."""
    chosen = SECONDARY[RMC] if R else PRIMARY[RMC]
    enables = cpu.FPCTL
    return cat(const(0, 3), enables[OE], enables[UE], cpu.DRN if chosen is None else const(chosen, 3))


def operate(name: str, size: int, mode: Bits | int, args: list[Bits], width: int) -> tuple[Bits, Bits, Bits]:
    """Do an operation whose result has `width` bits; return it, the exceptions, and C and FPCC."""
    node = make("decimal", width + 21, (mode if isinstance(mode, Bits) else const(mode, 8), *args), (name, size))
    return node[width + 20:21], node[20:5], node[4:0]


def interrupt(cpu, exceptions: Bits) -> None:
    """Gather exceptions, and say so if one is enabled."""
    cpu.raise_flags(exceptions & ~NEVER_STICKY)
    with when(enabled(cpu, exceptions) & (cpu.FE != 0)):
        cpu.trap("event", FLOATING_POINT)


def finish(cpu, FRT: RegNo, size: int, outcome: tuple[Bits, Bits, Bits], Rc: int, *, number: bool = True) -> None:
    """Write a result, FR, FI, FPRF (of a `number`), exceptions and CR1; an enabled invalid operation has no result. Book I, 5.5.10."""
    value, exceptions, flags = outcome
    kept = (exceptions[0] & cpu.FPCTL[VE]) | (exceptions[1] & cpu.FPCTL[ZE])
    rounding = mux(kept, const(0, 2), cat(exceptions[INCREMENTED], exceptions[INEXACT]))
    cpu.FPLAST = zext(cat(rounding, mux(kept, result_flags(cpu), flags) if number else result_flags(cpu)), 8)
    cpu.FPOP, cpu.FPCC = const(0, 16), const(0, 5)
    interrupt(cpu, exceptions)
    with when(~kept):
        put(cpu, FRT, value, size)
    if Rc:
        status.record(cpu)


# -- arithmetic, quantum adjustment (5.6.1, 5.6.4) -------------------------------------------------------------------------


def arithmetic(cpu, FRT, FRA, FRB, Rc, operation, size):
    """DFP Add, Subtract, Multiply, Divide. Book I, 5.6.1."""
    args = [get(cpu, FRA, size), get(cpu, FRB, size)]
    finish(cpu, FRT, size, operate(operation, size, mode_of(cpu), args, size), Rc)


def quantize(cpu, FRT, FRA, FRB, RMC, Rc, size):
    """DFP Quantize. Book I, 5.6.4."""
    args = [get(cpu, FRA, size), get(cpu, FRB, size)]
    finish(cpu, FRT, size, operate("quantize_like", size, mode_of(cpu, RMC), args, size), Rc)


def quantize_immediate(cpu, FRT, TE, FRB, RMC, Rc, size):
    """DFP Quantize Immediate. Book I, 5.6.4."""
    finish(cpu, FRT, size, operate("quantize_to", size, mode_of(cpu, RMC), [TE, get(cpu, FRB, size)], size), Rc)


def reround(cpu, FRT, FRA, FRB, RMC, Rc, size):
    """DFP Reround: the significance is in the lowest bits of FRA. Book I, 5.6.4."""
    args = [cpu.fpr(FRA)[5:0], get(cpu, FRB, size)]
    finish(cpu, FRT, size, operate("reround", size, mode_of(cpu, RMC), args, size), Rc)


def to_integer(cpu, FRT, R, FRB, RMC, Rc, size, exact):
    """DFP Round To FP Integer With (Without) Inexact. Book I, 5.6.4."""
    value, exceptions, flags = operate("to_integer", size, mode_of(cpu, RMC, R), [get(cpu, FRB, size)], size)
    finish(cpu, FRT, size, (value, exceptions if exact else exceptions & ~(1 << INEXACT | 1 << INCREMENTED), flags), Rc)


# -- conversion and format (5.6.5, 5.6.6) ------------------------------------------------------------------------------------


def convert(cpu, FRT, FRB, Rc, operation, given, size):
    """DFP Convert To Long/Extended, Round To Short/Long, Convert From Fixed. Book I, 5.6.5."""
    value, exceptions, flags = operate(operation, size, mode_of(cpu), [get(cpu, FRB, given)], size)
    finish(cpu, FRT, max(size, LONG), (value, exceptions, flags), Rc)


def round_quad(cpu, FRT, FRB, Rc):
    """DFP Round To DFP Long: to the even register of the pair. Book I, 5.6.5."""
    value, exceptions, flags = operate("from128", LONG, mode_of(cpu), [get(cpu, FRB, QUAD)], LONG)
    finish(cpu, FRT, QUAD, (cat(value, const(0, 64)), exceptions, flags), Rc)


def to_fixed(cpu, FRT, FRB, Rc, size):
    """DFP Convert To Fixed: FPRF stays. Book I, 5.6.5."""
    finish(cpu, FRT, LONG, operate("to_doubleword", size, mode_of(cpu), [get(cpu, FRB, size)], LONG), Rc, number=False)


def decode_bcd(cpu, FRT, SP, FRB, Rc, size):
    """DFP Decode DPD To BCD. Book I, 5.6.6."""
    value, _, _ = operate("to_bcd", size, zext(SP, 8), [get(cpu, FRB, size)], size)
    move(cpu, FRT, value, size, Rc)


def encode_bcd(cpu, FRT, SG, FRB, Rc, size):
    """DFP Encode BCD To DPD. Book I, 5.6.6."""
    finish(cpu, FRT, size, operate("from_bcd", size, zext(SG, 8), [get(cpu, FRB, size)], size), Rc)


def move(cpu, FRT: RegNo, value: Bits, size: int, Rc: int) -> None:
    """Write what is no result of arithmetic: FPSCR stays."""
    put(cpu, FRT, value, size)
    if Rc:
        status.record(cpu)


def extract_exponent(cpu, FRT, FRB, Rc, size):
    """DFP Extract Biased Exponent. Book I, 5.6.6."""
    move(cpu, FRT, operate("extract_exponent", size, 0, [get(cpu, FRB, size)], LONG)[0], LONG, Rc)


def insert_exponent(cpu, FRT, FRA, FRB, Rc, size):
    """DFP Insert Biased Exponent. Book I, 5.6.6."""
    move(cpu, FRT, operate("insert_exponent", size, 0, [cpu.fpr(FRA), get(cpu, FRB, size)], size)[0], size, Rc)


def shift(cpu, FRT, FRA, SHD, Rc, operation, size):
    """DFP Shift Significand Left (Right) Immediate. Book I, 5.6.6."""
    move(cpu, FRT, operate(operation, size, 0, [get(cpu, FRA, size), SHD], size)[0], size, Rc)


# -- comparisons and tests (5.6.2, 5.6.3) ----------------------------------------------------------------------------------


def decide(cpu, BF: Bits, bits: Bits) -> None:
    """Set a field of CR and FPCC."""
    cpu.set_cr(BF, [bits[3 - n] for n in range(4)])
    cpu.FPCC = cat(const(1, 1), bits)


def compare(cpu, BF, FRA, FRB, size, ordered):
    """DFP Compare Unordered (Ordered). Book I, 5.6.2."""
    bits, exceptions, _ = operate("compare", size, int(ordered), [get(cpu, FRA, size), get(cpu, FRB, size)], 4)
    decide(cpu, BF, bits)
    interrupt(cpu, mux(exceptions[VXSNAN] & cpu.FPCTL[VE], exceptions & ~(1 << VXVC), exceptions))


def test(cpu, BF, FRA, DCM, operation, size):
    """DFP Test Data Class (Group). Book I, 5.6.3."""
    decide(cpu, BF, operate(operation, size, zext(DCM, 8), [get(cpu, FRA, size)], 4)[0])


def test_exponent(cpu, BF, FRA, FRB, size):
    """DFP Test Exponent. Book I, 5.6.3."""
    decide(cpu, BF, operate("compare_exponents", size, 0, [get(cpu, FRA, size), get(cpu, FRB, size)], 4)[0])


def test_significance(cpu, BF, FRA, FRB, size):
    """DFP Test Significance: the number of digits is in the lowest bits of FRA. Book I, 5.6.3."""
    decide(cpu, BF, operate("compare_significance", size, 0, [cpu.fpr(FRA)[5:0], get(cpu, FRB, size)], 4)[0])


def test_significance_immediate(cpu, BF, UIM6, FRB, size):
    """DFP Test Significance Immediate. Book I, 5.6.3."""
    decide(cpu, BF, operate("compare_significance", size, 0, [UIM6, get(cpu, FRB, size)], 4)[0])


# -- rows: mnemonic, what it does, diagram (`*`: a quadword in the quadword's row), more -----------------------------------

ROWS: list[tuple[str, Callable[..., None], str, dict[str, Any]]] = [
    ("dadd", arithmetic, "FRT* FRA* FRB* 2:10 Rc", {"operation": "add"}),
    ("dsub", arithmetic, "FRT* FRA* FRB* 514:10 Rc", {"operation": "sub"}),
    ("dmul", arithmetic, "FRT* FRA* FRB* 34:10 Rc", {"operation": "mul"}),
    ("ddiv", arithmetic, "FRT* FRA* FRB* 546:10 Rc", {"operation": "div"}),
    ("dqua", quantize, "FRT* FRA* FRB* RMC 3:8 Rc", {}),
    ("dquai", quantize_immediate, "FRT* TE:5 FRB* RMC 67:8 Rc", {}),
    ("drrnd", reround, "FRT* FRA FRB* RMC 35:8 Rc", {}),
    ("drintx", to_integer, "FRT* ---- R FRB* RMC 99:8 Rc", {"exact": True}),
    ("drintn", to_integer, "FRT* ---- R FRB* RMC 227:8 Rc", {"exact": False}),
    ("dcffix", convert, "FRT* ----- FRB 802:10 Rc", {"operation": "from_integer", "given": LONG}),
    ("dctfix", to_fixed, "FRT ----- FRB* 290:10 Rc", {}),
    ("ddedpd", decode_bcd, "FRT* SP:2 --- FRB* 322:10 Rc", {}),
    ("denbcd", encode_bcd, "FRT* SG:1 ---- FRB* 834:10 Rc", {}),
    ("dxex", extract_exponent, "FRT ----- FRB* 354:10 Rc", {}),
    ("diex", insert_exponent, "FRT* FRA FRB* 866:10 Rc", {}),
    ("dscli", shift, "FRT* FRA* SHD:6 66:9 Rc", {"operation": "shift_left"}),
    ("dscri", shift, "FRT* FRA* SHD:6 98:9 Rc", {"operation": "shift_right"}),
    ("dcmpu", compare, "BF -- FRA* FRB* 642:10 -", {"ordered": False}),
    ("dcmpo", compare, "BF -- FRA* FRB* 130:10 -", {"ordered": True}),
    ("dtstdc", test, "BF -- FRA* DCM:6 194:9 -", {"operation": "test_class"}),
    ("dtstdg", test, "BF -- FRA* DCM:6 226:9 -", {"operation": "test_group"}),
    ("dtstex", test_exponent, "BF -- FRA* FRB* 162:10 -", {}),
    ("dtstsf", test_significance, "BF -- FRA FRB* 674:10 -", {}),
    ("dtstsfi", test_significance_immediate, "BF - UIM6:6 FRB* 675:10 -", {}),
]


def _row(function: Callable[..., None], mnemonic: str, opcode: int, diagram: str, **bound: Any) -> None:
    """Register a row; its operands are the fields of the diagram in their order."""
    fields = [name for name in re.findall(r"([A-Z]\w*)", diagram) if name != "Rc"]
    template = f"{mnemonic}{'{Rc}' if diagram.endswith('Rc') else ''} " + ", ".join(f"{{{name}}}" for name in fields)
    ppc64.row(function, f"{opcode}:6 {diagram}", template, **bound)


for _name, _function, _diagram, _bound in ROWS:
    _row(_function, _name, 59, _diagram.replace("*", ""), size=LONG, **_bound)
    _row(_function, _name + "q", 63, _diagram.replace("*", ":4 0"), size=QUAD, **_bound)

_row(convert, "dctdp", 59, "FRT ----- FRB 258:10 Rc", operation="from32", given=SHORT, size=LONG)
_row(convert, "dctqpq", 63, "FRT:4 0 ----- FRB 258:10 Rc", operation="from64", given=LONG, size=QUAD)
_row(convert, "drsp", 59, "FRT ----- FRB 770:10 Rc", operation="from64", given=LONG, size=SHORT)
_row(round_quad, "drdpq", 63, "FRT:4 0 ----- FRB:4 0 770:10 Rc")
