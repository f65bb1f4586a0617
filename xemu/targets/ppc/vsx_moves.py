"""Vector-scalar registers: to and from general registers, logic, permutations, signs. Power ISA Book I, 7.6.1.1, 7.6.1.4, 7.6.3."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, const, ror, sext, zext
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.vsx import elements, reversed_lanes, scalar, second, set_doublewords, set_scalar, splat, xx2, xx3

if TYPE_CHECKING:
    from collections.abc import Callable

# -- general registers (Book I, 7.6.1.1) ----------------------------------------------------------------------------------


@ppc64("31:6 S RA 00000 51:10 SX", "mfvsrd {RA}, {XS}")
def mfvsrd(cpu, RA, XS):
    """Move From VSR Doubleword."""
    cpu.GPR[RA] = scalar(cpu, XS)


@ppc64("31:6 S RA 00000 307:10 SX", "mfvsrld {RA}, {XS}")
def mfvsrld(cpu, RA, XS):
    """Move From VSR Lower Doubleword."""
    cpu.GPR[RA] = second(cpu, XS)


@ppc64("31:6 S RA 00000 115:10 SX", "mfvsrwz {RA}, {XS}")
def mfvsrwz(cpu, RA, XS):
    """Move From VSR Word and Zero."""
    cpu.GPR[RA] = zext(scalar(cpu, XS)[31:0], 64)


def move_to(cpu, XT, RA, f):
    """Move To VSR Doubleword, or Word Algebraic or and Zero."""
    set_scalar(cpu, XT, f(cpu.GPR[RA]))


ppc64.row(move_to, "31:6 T RA 00000 179:10 TX", "mtvsrd {XT}, {RA}", f=lambda x: x)
ppc64.row(move_to, "31:6 T RA 00000 211:10 TX", "mtvsrwa {XT}, {RA}", f=lambda x: sext(x[31:0], 64))
ppc64.row(move_to, "31:6 T RA 00000 243:10 TX", "mtvsrwz {XT}, {RA}", f=lambda x: zext(x[31:0], 64))


@ppc64("31:6 T RA0 RB 435:10 TX", "mtvsrdd {XT}, {RA0}, {RB}")
def mtvsrdd(cpu, XT, RA0, RB):
    """Move To VSR Double Doubleword."""
    set_doublewords(cpu, XT, cpu.base(RA0), cpu.GPR[RB])


@ppc64("31:6 T RA 00000 403:10 TX", "mtvsrws {XT}, {RA}")
def mtvsrws(cpu, XT, RA):
    """Move To VSR Word & Splat."""
    cpu.VSR[XT] = splat(cpu.GPR[RA][31:0])


# -- functions of whole registers ------------------------------------------------------------------------------------------


def one_operand(cpu, XT, XB, f):
    """Write a function of one register."""
    cpu.VSR[XT] = f(cpu.VSR[XB])


def two_operands(cpu, XT, XA, XB, f):
    """Write a function of two registers."""
    cpu.VSR[XT] = f(cpu.VSR[XA], cpu.VSR[XB])


#: logic (Book I, 7.6.1.4.2)
LOGIC: dict[str, tuple[int, Callable[[Lanes, Lanes], Lanes]]] = {
    "xxland": (130, lambda a, b: a & b), "xxlandc": (138, lambda a, b: a & ~b), "xxlor": (146, lambda a, b: a | b),
    "xxlxor": (154, lambda a, b: a ^ b), "xxlnor": (162, lambda a, b: ~(a | b)), "xxlorc": (170, lambda a, b: a | ~b),
    "xxlnand": (178, lambda a, b: ~(a & b)), "xxleqv": (186, lambda a, b: ~(a ^ b)),
}  # fmt: skip


def logic(x: Bits, y: Bits, *, operation: Callable[[Lanes, Lanes], Lanes]) -> Bits:
    """Do an operation on all bits."""
    return operation(Lanes(x, 64), Lanes(y, 64)).bits


for _name, (_opcode, _operation) in LOGIC.items():
    xx3(_name, _opcode, two_operands, f=partial(logic, operation=_operation))


@ppc64("60:6 T A B C 11 CX AX BX TX", "xxsel {XT}, {XA}, {XB}, {XC}")
def xxsel(cpu, XT, XA, XB, XC):
    """VSX Vector Select: bits of XB where XC has ones. Book I, 7.6.3."""
    x, y, mask = (Lanes(cpu.VSR[n], 64) for n in (XA, XB, XC))
    cpu.VSR[XT] = (x ^ (x ^ y) & mask).bits


# -- permutations -----------------------------------------------------------------------------------------------------------


def permute(x: Bits, y: Bits, *, size: int, numbers: tuple[int, ...]) -> Bits:
    """Return elements of both operands, numbered through."""
    return elements(x, y, size, numbers)


xx3("xxmrghw", 18, two_operands, f=partial(permute, size=32, numbers=(0, 4, 1, 5)))
xx3("xxmrglw", 50, two_operands, f=partial(permute, size=32, numbers=(2, 6, 3, 7)))


@ppc64("60:6 T A B 0 DM 01010 AX BX TX", "xxpermdi {XT}, {XA}, {XB}, {DM}")
def xxpermdi(cpu, XT, XA, XB, DM):
    """VSX Vector Permute Doubleword Immediate. Book I, 7.6.3."""
    cpu.VSR[XT] = elements(cpu.VSR[XA], cpu.VSR[XB], 64, (DM >> 1, 2 + (DM & 1)))


@ppc64("60:6 T A B 0 SHW 00010 AX BX TX", "xxsldwi {XT}, {XA}, {XB}, {SHW}")
def xxsldwi(cpu, XT, XA, XB, SHW):
    """VSX Vector Shift Left Double by Word Immediate. Book I, 7.6.3."""
    cpu.VSR[XT] = elements(cpu.VSR[XA], cpu.VSR[XB], 32, range(SHW, SHW + 4))


@ppc64("60:6 T --- UIM2 B 164:9 BX TX", "xxspltw {XT}, {XB}, {UIM2}")
def xxspltw(cpu, XT, XB, UIM2):
    """VSX Vector Splat Word. Book I, 7.6.3."""
    cpu.VSR[XT] = elements(cpu.VSR[XB], cpu.VSR[XB], 32, [UIM2] * 4)


@ppc64("60:6 T 00 IMM8 360:10 TX", "xxspltib {XT}, {IMM8}")
def xxspltib(cpu, XT, IMM8):
    """VSX Vector Splat Immediate Byte. Book I, 7.6.3."""
    cpu.VSR[XT] = splat(IMM8)


def permute_bytes(cpu, XT, XA, XB, right):
    """VSX Vector Permute (Right-indexed): bytes of XA and XT by the numbers in XB. Book I, 7.6.3."""
    index, zeros = Lanes(cpu.VSR[XB], 8) & 31, const(0, 128)
    index = index if right else index ^ 31                     # from the lowest byte
    low, high = index.lookup(cpu.VSR[XT], zeros), (index - 16).lookup(cpu.VSR[XA], zeros)
    cpu.VSR[XT] = (low | high).bits


xx3("xxperm", 26, permute_bytes, right=False)
xx3("xxpermr", 58, permute_bytes, right=True)


@ppc64("60:6 T - UIM4 B 165:9 BX TX", "xxextractuw {XT}, {XB}, {UIM4}")
def xxextractuw(cpu, XT, XB, UIM4):
    """VSX Vector Extract Unsigned Word: four bytes from number UIM4 on, modulo 16. Book I, 7.6.3."""
    value = cpu.VSR[XB]
    set_scalar(cpu, XT, zext(ror(value, 96 - zext(UIM4, 128) * 8)[31:0], 64))


@ppc64("60:6 T - UIM4 B 181:9 BX TX", "xxinsertw {XT}, {XB}, {UIM4}")
def xxinsertw(cpu, XT, XB, UIM4):
    """VSX Vector Insert Word: word 1 into four bytes from number UIM4 on. Book I, 7.6.3."""
    word, at = zext(cpu.VSR[XB][95:64], 128) << 96, zext(UIM4, 128) * 8
    cpu.VSR[XT] = (cpu.VSR[XT] & ~(const(0xFFFFFFFF << 96, 128) >> at)) | word >> at


# -- byte order and signs -----------------------------------------------------------------------------------------------------


def swap_bytes(x: Bits, *, size: int) -> Bits:
    """Return the elements with their bytes in reverse order."""
    return reversed_lanes(x, 8) if size == 128 else Lanes(x, size).unary("bswap").bits


for _name, _middle, _size in ("xxbrh", "00111", 16), ("xxbrw", "01111", 32), ("xxbrd", "10111", 64), ("xxbrq", "11111", 128):
    xx2(_name, 475, one_operand, middle=_middle, f=partial(swap_bytes, size=_size))


def _signs(size: int) -> int:
    return 1 << size - 1


#: what happens to signs (Book I, 7.6.1.4.1): name -> opcodes of the scalar, of singles and of doubles in vectors
SIGNS: dict[str, tuple[int, int, int, Callable[[Lanes], Lanes]]] = {
    "abs": (345, 409, 473, lambda x: x & _signs(x.size) - 1), "nabs": (361, 425, 489, lambda x: x | _signs(x.size)),
    "neg": (377, 441, 505, lambda x: x ^ _signs(x.size)),
}  # fmt: skip


def copy_sign(x: Lanes, y: Lanes) -> Lanes:
    """Return y with the signs of x."""
    return x & _signs(x.size) | y & _signs(x.size) - 1


def scalar_signs(cpu, XT, XB, f):
    """VSX Scalar Absolute Value, Negative Absolute Value, Negate Double-Precision."""
    set_scalar(cpu, XT, f(Lanes(scalar(cpu, XB), 64)).bits)


@ppc64("60:6 T A B 176:8 AX BX TX", "xscpsgndp {XT}, {XA}, {XB}")
def xscpsgndp(cpu, XT, XA, XB):
    """VSX Scalar Copy Sign Double-Precision."""
    set_scalar(cpu, XT, copy_sign(Lanes(scalar(cpu, XA), 64), Lanes(scalar(cpu, XB), 64)).bits)


def _on(size: int, f: Callable[..., Lanes]) -> Callable[..., Bits]:
    return lambda *values: f(*[Lanes(v, size) for v in values]).bits


for _name, (_scalar, _single, _double, _function) in SIGNS.items():
    xx2(f"xs{_name}dp", _scalar, scalar_signs, f=_function)
    xx2(f"xv{_name}sp", _single, one_operand, f=_on(32, _function))
    xx2(f"xv{_name}dp", _double, one_operand, f=_on(64, _function))
xx3("xvcpsgnsp", 208, two_operands, f=_on(32, copy_sign))
xx3("xvcpsgndp", 240, two_operands, f=_on(64, copy_sign))
