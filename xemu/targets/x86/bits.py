"""Bit manipulation: BMI1, BMI2, LZCNT, POPCNT, ADX, CRC32, MOVBE (SDM vol. 1, 5.1.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, bswap, clz, const, ctz, mux, popcount, ror, sar, ult, zext
from xemu.targets.x86.isa import x86
from xemu.targets.x86.operands import Register

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

RDX = 2


# -- counts ----------------------------------------------------------------------------------------------------------------


def _counted(cpu: X86Cpu, dst: Operand, src: Operand, count: Callable[[Bits], Bits]) -> None:
    """Count zeros at one end: CF says that there is nothing else."""
    x = src.read()
    result = count(x)
    dst.write(result)
    cpu.set_flags(CF=x == 0, ZF=result == 0, PF=0, AF=0, SF=0, OF=0)


@x86("F3 0F BC /r", "tzcnt Gv, Ev")
def tzcnt(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Count trailing zeros. SDM vol. 2B."""
    _counted(cpu, dst, src, ctz)


@x86("F3 0F BD /r", "lzcnt Gv, Ev")
def lzcnt(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Count leading zeros. SDM vol. 2A."""
    _counted(cpu, dst, src, clz)


@x86("F3 0F B8 /r", "popcnt Gv, Ev")
def popcnt(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Count bits that are set. SDM vol. 2B."""
    x = src.read()
    dst.write(popcount(x))
    cpu.set_flags(CF=0, ZF=x == 0, PF=0, AF=0, SF=0, OF=0)


# -- BMI1 ------------------------------------------------------------------------------------------------------------------


def _bmi_flags(cpu: X86Cpu, result: Bits, carry: Bits | int = 0) -> None:
    """Set SF and ZF from a result, and CF; PF, AF and OF are 0 (the first two undefined: as Intel's do)."""
    cpu.set_flags(SF=result[result.width - 1], ZF=result == 0, CF=carry, PF=0, AF=0, OF=0)


@x86("VEX.LZ.0F38 F2 /r", "andn Gy, By, Ey")
def andn(cpu: X86Cpu, dst: Operand, first: Operand, second: Operand) -> None:
    """Logical AND NOT. SDM vol. 2A."""
    result = ~first.read() & second.read()
    dst.write(result)
    _bmi_flags(cpu, result)


@x86("VEX.LZ.0F38 F7 /r", "bextr Gy, Ey, By")
def bextr(cpu: X86Cpu, dst: Operand, src: Operand, control: Operand) -> None:
    """Bit field extract. SDM vol. 2A."""
    x, c = src.read(), control.read()
    start, length = zext(c[7:0], x.width), zext(c[15:8], x.width)
    result = x >> start & ~(const(-1, x.width) << length)
    dst.write(result)
    cpu.set_flags(ZF=result == 0, CF=0, OF=0, SF=0, PF=0, AF=0)


@x86("VEX.LZ.0F38 F3 /3", "blsi By, Ey")
def blsi(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Extract the lowest set bit. SDM vol. 2A."""
    x = src.read()
    result = x & -x
    dst.write(result)
    _bmi_flags(cpu, result, x != 0)


@x86("VEX.LZ.0F38 F3 /2", "blsmsk By, Ey")
def blsmsk(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Get a mask up to the lowest set bit. SDM vol. 2A."""
    x = src.read()
    result = x ^ (x - 1)
    dst.write(result)
    _bmi_flags(cpu, result, x == 0)


@x86("VEX.LZ.0F38 F3 /1", "blsr By, Ey")
def blsr(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Reset the lowest set bit. SDM vol. 2A."""
    x = src.read()
    result = x & (x - 1)
    dst.write(result)
    _bmi_flags(cpu, result, x == 0)


# -- BMI2 ------------------------------------------------------------------------------------------------------------------


@x86("VEX.LZ.0F38 F5 /r", "bzhi Gy, Ey, By")
def bzhi(cpu: X86Cpu, dst: Operand, src: Operand, control: Operand) -> None:
    """Zero high bits from a bit on. SDM vol. 2A."""
    x = src.read()
    w = x.width
    n = zext(control.read()[7:0], w)
    result = x & ~(const(-1, w) << n)
    dst.write(result)
    _bmi_flags(cpu, result, ~ult(n, w))


@x86("VEX.LZ.F2.0F38 F6 /r", "mulx Gy, By, Ey")
def mulx(cpu: X86Cpu, high: Operand, low: Operand, src: Operand) -> None:
    """Unsigned multiply without flags; if both destinations are one register it gets the high half. SDM vol. 2B."""
    w = high.width
    product = zext(Register(cpu, const(RDX, 8), w).read(), 2 * w) * zext(src.read(), 2 * w)
    low.write(product[w - 1:0])
    high.write(product[2 * w - 1:w])


@x86("VEX.LZ.F2.0F3A F0 /r ib", "rorx Gy, Ey, Ib")
def rorx(_cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Rotate right without flags. SDM vol. 2B."""
    x = src.read()
    dst.write(ror(x, _count(by, x.width)))


def _count(by: Operand, width: int) -> Bits:
    return zext(by.read()[5 if width == 64 else 4:0], width)


@x86("VEX.LZ.F3.0F38 F7 /r", "sarx Gy, Ey, By")
def sarx(_cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Shift right, signed, without flags. SDM vol. 2B, SARX/SHLX/SHRX."""
    x = src.read()
    dst.write(sar(x, _count(by, x.width)))


@x86("VEX.LZ.66.0F38 F7 /r", "shlx Gy, Ey, By")
def shlx(_cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Shift left without flags. SDM vol. 2B."""
    x = src.read()
    dst.write(x << _count(by, x.width))


@x86("VEX.LZ.F2.0F38 F7 /r", "shrx Gy, Ey, By")
def shrx(_cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Shift right, unsigned, without flags. SDM vol. 2B."""
    x = src.read()
    dst.write(x >> _count(by, x.width))


def moves(mask: Bits) -> list[Bits]:
    """Return the bits that have to move by 1, 2, 4 … to bring those under a mask together at the low end, step by step.

    A bit has to move by the number of zeros in the mask below it; bit k of all these numbers at once is a parity over what
    the lower bits of them leave (a prefix sum in xor).
    """
    out, zeros_below = [], ~mask << 1
    for k in range(mask.width.bit_length() - 1):
        parity = zeros_below
        for shift in range(mask.width.bit_length() - 1):
            parity = parity ^ parity << (1 << shift)
        moving = parity & mask
        out.append(moving)
        mask = mask ^ moving | moving >> (1 << k)
        zeros_below = zeros_below & ~parity
    return out


@x86("VEX.LZ.F3.0F38 F5 /r", "pext Gy, By, Ey")
def pext(_cpu: X86Cpu, dst: Operand, src: Operand, mask: Operand) -> None:
    """Parallel bits extract. SDM vol. 2B."""
    m = mask.read()
    x = src.read() & m
    for k, moving in enumerate(moves(m)):
        x = x & ~moving | (x & moving) >> (1 << k)
    dst.write(x)


@x86("VEX.LZ.F2.0F38 F5 /r", "pdep Gy, By, Ey")
def pdep(_cpu: X86Cpu, dst: Operand, src: Operand, mask: Operand) -> None:
    """Parallel bits deposit: the steps of PEXT backwards. SDM vol. 2B."""
    m, x = mask.read(), src.read()
    for k, moving in reversed(list(enumerate(moves(m)))):
        x = x & ~moving | x << (1 << k) & moving
    dst.write(x & m)


# -- ADX, CRC32, MOVBE -----------------------------------------------------------------------------------------------------


@x86("66 0F 38 F6 /r", "adcx Gy, Ey")
def adcx(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Add with CF, which alone changes. SDM vol. 2A."""
    cpu.set_flags(CF=_add_with(dst, src, cpu.CF))


@x86("F3 0F 38 F6 /r", "adox Gy, Ey")
def adox(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Add with OF, which alone changes. SDM vol. 2A."""
    cpu.set_flags(OF=_add_with(dst, src, cpu.OF))


def _add_with(dst: Operand, src: Operand, carry: Bits) -> Bits:
    w = dst.width
    total = zext(dst.read(), w + 1) + zext(src.read(), w + 1) + zext(carry, w + 1)
    dst.write(total[w - 1:0])
    return total[w]


@x86("F2 0F 38 F0 /r", "crc32 Gy, Eb")
@x86("F2 0F 38 F1 /r", "crc32 Gy, Ev", sizes="v")
def crc32(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Accumulate CRC32 of the polynomial 11EDC6F41h, bits reflected. SDM vol. 2A."""
    data = src.read()
    crc = dst.read()[31:0]
    for at in range(0, data.width, 8):
        crc = crc ^ zext(data[at + 7:at], 32)
        for _ in range(8):
            crc = crc >> 1 ^ mux(crc[0], const(0x82F63B78, 32), const(0, 32))
    dst.write(zext(crc, dst.width))


@x86("0F 38 F0 /r", "movbe Gv, Mv", where={"rep": 0})
@x86("0F 38 F1 /r", "movbe Mv, Gv", where={"rep": 0})
def movbe(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Move with bytes swapped. SDM vol. 2B."""
    dst.write(bswap(src.read()))
