"""x86's flags and conditions, and the `cpu` that x86 rows see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, carry_of, cat, const, equal_signs, mux, overflow_of, popcount, sext, zext
from xemu.core.record import Recorder
from xemu.targets.x86.layout import NO_REGISTER, X86Context

if TYPE_CHECKING:
    from xemu.core.state import Cell

FS, GS = 4, 5
RSP = 4


def narrowed(*values: Bits) -> tuple[Bits, ...]:
    """Return values that are all sign-extended from one width in that width: comparisons of them are cheaper to see."""
    widths = {v.args[0].width for v in values if v.op == "sext" and v.attr is None}
    if len(widths) != 1:
        return values
    (width,) = widths
    out = []
    for v in values:
        if v.op == "sext":
            out.append(v.args[0])
        elif v.op == "const" and sext(const(v.attr, width), v.width).attr == v.attr:
            out.append(const(v.attr, width))
        else:
            return values
    return tuple(out)


class X86Cpu(Recorder):
    """The processor inside an x86 row."""

    context: X86Context

    def special_read(self, cell: Cell, index: int | Bits) -> Bits | None:
        """A register that is not there, and segment bases that cannot be other than 0, read as 0."""
        if cell.name == "R" and isinstance(index, int) and index == NO_REGISTER:
            return const(0, 64)
        if cell.name == "SEG" and isinstance(index, int) and index not in (FS, GS):
            return const(0, 64)
        return None

    @property
    def bits(self) -> int:
        """Width of an address and of the stack, 64 or 32."""
        return 64 if self.context.L else 32

    # -- flags: derived from what produced them (SDM vol. 1, 3.4.3.1) --------------------------------------------------
    @property
    def ZF(self) -> Bits:
        """Zero."""
        (result,) = narrowed(self.ZRES)
        return result == 0

    @property
    def SF(self) -> Bits:
        """Sign."""
        (result,) = narrowed(self.SRES)
        return result[result.width - 1]

    @property
    def PF(self) -> Bits:
        """Parity of the low byte: even."""
        return ~popcount(self.SRES[7:0])[0]

    @property
    def CF(self) -> Bits:
        """Carry."""
        return carry_of(*narrowed(self.FX, self.FY, self.FSUM))

    @property
    def OF(self) -> Bits:
        """Overflow."""
        return overflow_of(*narrowed(self.FX, self.FY, self.FSUM))

    @property
    def AF(self) -> Bits:
        """Carry out of bit 3."""
        return (self.FX ^ self.FY ^ self.FSUM)[4]

    def set_result(self, result: Bits) -> None:
        """Set ZF, SF and PF from a result."""
        wide = sext(result, 64)
        self.ZRES, self.SRES = wide, wide

    def set_status(self, result: Bits, zero: Bits | int = 0) -> None:
        """Set SF and PF from a result, ZF to a bit; clear CF, OF and AF."""
        self.set_logic(result)
        self.ZRES = zext(~zero, 64) if isinstance(zero, Bits) else const(1 - zero, 64)

    def set_add(self, x: Bits, y: Bits, total: Bits) -> None:
        """Set all flags from total = x + y, or x + y + CF."""
        self.set_result(total)
        self.FX, self.FY, self.FSUM = sext(x, 64), sext(y, 64), sext(total, 64)

    def set_sub(self, x: Bits, y: Bits, total: Bits) -> None:
        """Set all flags from total = x - y, or x - y - CF: the borrow is the carry of total + y (+ CF) = x."""
        self.set_result(total)
        self.FX, self.FY, self.FSUM = sext(total, 64), sext(y, 64), sext(x, 64)

    def set_logic(self, result: Bits) -> None:
        """Set ZF, SF, PF from a result; clear CF, OF and AF."""
        self.set_result(result)
        zero = const(0, 64)
        self.FX, self.FY, self.FSUM = zero, zero, zero

    def set_carries(self, c: Bits, o: Bits, a: Bits) -> None:
        """Set CF, OF and AF to given bits."""
        top = cat(c, const(0, 63))
        self.FX, self.FY = top, top
        self.FSUM = cat(c ^ o, const(0, 58), a, const(0, 4))

    def set_flags(self, **flags: Bits | int) -> None:
        """Set some of CF PF AF ZF SF OF to given bits; the others stay."""
        new = {name: const(v, 1) if isinstance(v, int) else v for name, v in flags.items()}
        if new.keys() & {"SF", "PF"}:
            sign, parity = (new[name] if name in new else getattr(self, name) for name in ("SF", "PF"))
            self.SRES = cat(sign, const(0, 62), ~parity)
        if "ZF" in new:
            self.ZRES = zext(~new["ZF"], 64)
        if new.keys() & {"CF", "OF", "AF"}:
            carry, overflow, half = (new[name] if name in new else getattr(self, name) for name in ("CF", "OF", "AF"))
            self.set_carries(carry, overflow, half)

    def flags_word(self) -> Bits:
        """Return EFLAGS (SDM vol. 1, figure 3-8)."""
        zero = const(0, 1)
        low = cat(self.OF, self.DF, const(1, 1), zero, self.SF, self.ZF, zero, self.AF, zero, self.PF, const(1, 1), self.CF)
        return (self.EFL & ~0xFFF & 0xFFFFFFFF) | zext(low, 32)

    def set_flags_word(self, value: Bits, kept: int = 0x00244500) -> None:
        """Set EFLAGS from 32 bits: what user mode may change (`kept` are those of the other bits: TF, NT, AC, ID)."""
        self.set_flags(CF=value[0], PF=value[2], AF=value[4], ZF=value[6], SF=value[7], OF=value[11])
        self.DF = value[10]
        self.EFL = (value & kept & ~0x400) | 0x202

    # -- memory ----------------------------------------------------------------------------------------------------------
    def address(self, value: Bits) -> Bits:
        """Return a value as an address of this mode."""
        return value[self.bits - 1:0]

    def load_wide(self, addr: Bits, size: int, *, align: int = 1) -> Bits:
        """Read 10 or 16 bytes."""
        self.probe(addr, size, align=align)
        if size == 16:
            return self.load(addr, 16, checked=False)
        return cat(self.load(addr + 8, size - 8, checked=False), self.load(addr, 8, checked=False))

    def store_wide(self, addr: Bits, value: Bits, *, align: int = 1) -> None:
        """Write 10 or 16 bytes."""
        self.probe(addr, value.width // 8, write=True, align=align)
        if value.width == 128:
            self.store(addr, value, checked=False)
        else:
            self.store(addr, value[63:0], checked=False)
            self.store(addr + 8, value[value.width - 1:64], checked=False)

    # -- the stack -------------------------------------------------------------------------------------------------------
    def push(self, value: Bits) -> None:
        """Push a value of its width."""
        top = self.address(self.R[RSP]) - value.width // 8
        self.store(top, value)
        self.R[RSP] = zext(top, 64)

    def pop(self, width: int) -> Bits:
        """Pop a value."""
        top = self.address(self.R[RSP])
        value = self.load(top, width // 8)
        self.R[RSP] = zext(top + width // 8, 64)
        return value

    def undefined(self) -> None:
        """#UD: nothing of this instruction happens."""
        self.abort("undefined")


def condition(cpu: X86Cpu, number: int) -> Bits:
    """Return the test of condition code 0 (o) to 15 (g) (SDM vol. 1, appendix B)."""
    match number >> 1:
        case 0: result = cpu.OF
        case 1: result = cpu.CF
        case 2: result = cpu.ZF
        case 3: result = below_or_equal(cpu)
        case 4: result = cpu.SF
        case 5: result = cpu.PF
        case 6: result = ~equal_signs(cpu.SF, cpu.OF)
        case _: result = ~equal_signs(cpu.SF, cpu.OF) | cpu.ZF
    return ~result if number & 1 else result


def below_or_equal(cpu: X86Cpu) -> Bits:
    """CF or ZF."""
    return cpu.CF | cpu.ZF


__all__ = ["Any", "X86Context", "X86Cpu", "condition", "mux"]
