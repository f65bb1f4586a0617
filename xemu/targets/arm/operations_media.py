"""Extension, packing, bit fields, saturation, parallel arithmetic of both instruction sets. ARM ARM A4.4.5-A4.4.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, mux, ror, sar, sext, ult, zext
from xemu.targets.arm.operations import set_q, signed_sat, unsigned_sat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.record import RegNo
    from xemu.targets.arm.state import ArmCpu


# -- extension -------------------------------------------------------------------------------------------------------


def extend(
    cpu: ArmCpu, Rd: RegNo, Rn: RegNo | None, Rm: RegNo, rotate: Bits | None, kind: str, *, signed: bool
) -> None:
    """XTB, XTH, XTB16 and, with an addend Rn, XTAB, XTAH, XTAB16: `kind` is B, H or B16."""
    value = cpu.R[Rm]
    if rotate is not None:
        value = ror(value, zext(rotate, 32) << 3)
    widen = sext if signed else zext
    if kind == "B16":
        low, high = widen(value[7:0], 16), widen(value[23:16], 16)
        if Rn is not None:
            low, high = low + cpu.R[Rn][15:0], high + cpu.R[Rn][31:16]
        cpu.R[Rd] = cat(high, low)
        return
    value = widen(value[7:0] if kind == "B" else value[15:0], 32)
    cpu.R[Rd] = value if Rn is None else cpu.R[Rn] + value


# -- packing and bit fields ------------------------------------------------------------------------------------------


def pack_halves(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, imm5: Bits, top: int) -> None:
    """PKHBT (top 0) and PKHTB (top 1)."""
    n = zext(imm5, 32)
    if top:
        cpu.R[Rd] = cat(cpu.R[Rn][31:16], sar(cpu.R[Rm], mux(imm5 == 0, 31, n))[15:0])
    else:
        cpu.R[Rd] = cat((cpu.R[Rm] << n)[31:16], cpu.R[Rn][15:0])


def field_extract(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, lsb: Bits, widthm1: Bits, *, signed: bool) -> None:
    """SBFX, UBFX."""
    low, last = zext(lsb, 32), zext(widthm1, 32)
    if signed:
        cpu.R[Rd] = sar(cpu.R[Rn] << (31 - low - last & 31), 31 - last)
    else:
        cpu.R[Rd] = cpu.R[Rn] >> low & (const(2, 32) << last) - 1


def field_insert(cpu: ArmCpu, Rd: RegNo, Rn: RegNo | None, lsb: Bits, msb: Bits) -> None:
    """BFI; BFC without Rn."""
    low, high = zext(lsb, 32), zext(msb, 32)
    mask = ((const(2, 32) << (high - low & 31)) - 1) << low
    kept = cpu.R[Rd] & ~mask
    cpu.R[Rd] = kept if Rn is None else kept | (cpu.R[Rn] << low & mask)


def select(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo) -> None:
    """SEL: bytes of Rn where GE says so, else of Rm."""
    mask = cat(*(sext(cpu.GE[i], 8) for i in (3, 2, 1, 0)))
    cpu.R[Rd] = (cpu.R[Rn] & mask) | (cpu.R[Rm] & ~mask)


def byte_swap_halves(x: Bits) -> Bits:
    """Return a word with the bytes of each half exchanged: REV16."""
    return (x >> 8 & 0x00FF_00FF) | (x & 0x00FF_00FF) << 8


# -- saturation ------------------------------------------------------------------------------------------------------


def saturate(cpu: ArmCpu, Rd: RegNo, value: Bits, bits: Bits, *, signed: bool) -> None:
    """SSAT, USAT of a value shifted by the row; `bits` has 32 bits."""
    result, saturated = (signed_sat if signed else unsigned_sat)(value, bits)
    cpu.R[Rd] = result
    set_q(cpu, saturated)


def saturate_halves(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, bits: Bits, *, signed: bool) -> None:
    """SSAT16, USAT16."""
    sat = signed_sat if signed else unsigned_sat
    low, q1 = sat(sext(cpu.R[Rn][15:0], 32), bits)
    high, q2 = sat(sext(cpu.R[Rn][31:16], 32), bits)
    cpu.R[Rd] = cat(high[15:0], low[15:0])
    set_q(cpu, q1 | q2)


def saturating_add(cpu: ArmCpu, Rd: RegNo, Rm: RegNo, Rn: RegNo, *, double: bool, subtract: bool) -> None:
    """QADD, QSUB, QDADD, QDSUB: Rm and Rn, or twice Rn; both steps saturate."""
    x, y = Lanes(cpu.R[Rm], 32), Lanes(cpu.R[Rn], 32)
    saturated = const(0, 1)
    if double:
        twice = y.op("sadds", y)
        saturated, y = twice.bits != (y.bits << 1), twice
    result = x.op("ssubs" if subtract else "sadds", y).bits
    plain = x.bits - y.bits if subtract else x.bits + y.bits
    cpu.R[Rd] = result
    set_q(cpu, saturated | (result != plain))


# -- parallel addition and subtraction (A4.4.6) ----------------------------------------------------------------------

#: which lanes are subtracted and taken across, by the letters of the mnemonic
CROSSED = {"ASX": (1, 0), "SAX": (0, 1)}  # (bottom lane subtracts, top lane subtracts)


def parallel(cpu: ArmCpu, prefix: str, operation: str, Rd: RegNo, Rn: RegNo, Rm: RegNo) -> None:
    """Do one of the 36 parallel operations: prefix S Q SH U UQ UH; operation ADD16 ASX SAX SUB16 ADD8 SUB8."""
    x, y = cpu.R[Rn], cpu.R[Rm]
    size = 8 if operation.endswith("8") else 16
    if operation in CROSSED:
        subtract: Sequence[int] = CROSSED[operation]
        y = ror(y, 16)
    else:
        subtract = (operation.startswith("SUB"),) * (32 // size)
    lanes = [(x[i + size - 1 : i], y[i + size - 1 : i]) for i in range(0, 32, size)]
    if prefix in ("Q", "UQ"):
        results = [_saturated(a, b, prefix == "Q", minus) for (a, b), minus in zip(lanes, subtract, strict=True)]
    else:
        widen = zext if prefix.startswith("U") else sext
        exact = [_exact(widen(a, 32), widen(b, 32), minus) for (a, b), minus in zip(lanes, subtract, strict=True)]
        shift = int(prefix.endswith("H"))
        results = [total[size - 1 + shift : shift] for total in exact]
        if not shift:
            _set_ge(cpu, exact, subtract, size, signed=prefix == "S")
    cpu.R[Rd] = cat(*reversed(results))


def _saturated(x: Bits, y: Bits, signed: bool, minus: int) -> Bits:
    return Lanes(x, x.width).op(f"{'s' if signed else 'u'}{'subs' if minus else 'adds'}", Lanes(y, y.width)).bits


def _exact(x: Bits, y: Bits, minus: int) -> Bits:
    return x - y if minus else x + y


def _set_ge(cpu: ArmCpu, exact: list[Bits], subtract: Sequence[int], size: int, *, signed: bool) -> None:
    """Set GE: not negative, or, for an unsigned addition, carried."""
    bits = [
        total[size] if not signed and not minus else ~total[31] for total, minus in zip(exact, subtract, strict=True)
    ]
    cpu.GE = cat(*(bit for bit in reversed(bits) for _ in range(size // 8)))


def absolute_differences(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None) -> None:
    """USAD8, USADA8."""
    x, y = cpu.R[Rn], cpu.R[Rm]
    total = const(0, 32) if Ra is None else cpu.R[Ra]
    for i in range(0, 32, 8):
        a, b = x[i + 7 : i], y[i + 7 : i]
        total = total + zext(mux(ult(a, b), b - a, a - b), 32)
    cpu.R[Rd] = total
