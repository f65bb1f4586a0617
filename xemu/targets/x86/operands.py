"""Operands of x86 instructions as lvalues: registers, memory, immediates (SDM vol. 2D, A.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, mux, sext, ult, zext
from xemu.core.record import RegNo, when
from xemu.targets.x86.scan import MEM, MEM67, REG, RIP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xemu.targets.x86.state import X86Cpu

    Fields = Mapping[str, Any]


def number(field: Bits | RegNo) -> Bits:
    """Return a register number as 8 bits."""
    return zext(field, 8) if isinstance(field, Bits) else field.as_bits()


def index(value: Bits) -> RegNo:
    """Return an element number of a register file."""
    return RegNo(value.attr if value.op == "const" else value)


OFFSET = 4                       # a form that ModRM does not have: an absolute address in place of it


class Operand:
    """Something to read and perhaps to write, of `width` bits."""

    width: int

    def read(self) -> Bits:
        """Return the value."""
        raise NotImplementedError

    def write(self, value: Bits | int) -> None:
        """Change it."""
        raise NotImplementedError

    def update(self, function: Callable[[Bits], Bits]) -> tuple[Bits, Bits]:
        """Change it to a function of what it is; return what it was and is."""
        old = self.read()
        new = function(old)
        self.write(new)
        return old, new

    def coerce(self, value: Bits | int) -> Bits:
        """Return a value to write."""
        return const(value, self.width) if isinstance(value, int) else value


class Register(Operand):
    """A general register, or a part of one; writing 32 bits clears the upper half (SDM vol. 1, 3.4.1.1)."""

    def __init__(self, cpu: X86Cpu, reg: Bits, width: int, rex: Bits | int = 1) -> None:
        self.cpu, self.reg, self.width, self.rex = cpu, reg, width, rex

    def _byte(self) -> RegNo:
        """Without a REX prefix the numbers 4 to 7 are AH, CH, DH and BH."""
        low = self.reg << 3
        if isinstance(self.rex, int):
            return index(low)
        return index(mux(self.rex | ult(self.reg, 4), low, (low - 31)))

    def read(self) -> Bits:
        """Return the register's low bits."""
        cpu = self.cpu
        if self.width == 8:
            return cpu.B[self._byte()]
        if self.width == 16:
            return cpu.W[index(self.reg << 2)]
        return cpu.R[index(self.reg)][self.width - 1:0]

    def write(self, value: Bits | int) -> None:
        """Change the register."""
        cpu, value = self.cpu, self.coerce(value)
        if self.width == 8:
            cpu.B[self._byte()] = value
        elif self.width == 16:
            cpu.W[index(self.reg << 2)] = value
        else:
            cpu.R[index(self.reg)] = zext(value, 64)


class Memory(Operand):
    """Memory at a computed address."""

    def __init__(self, cpu: X86Cpu, fields: Fields, width: int, *, lock: int = 0, align: int = 1) -> None:
        self.cpu, self.fields, self.width, self.lock, self.align = cpu, fields, width, lock, align
        self.offset = effective_address(cpu, fields)
        self.address = self.offset + segment_base(cpu, fields)

    def moved(self, by: Bits) -> Memory:
        """Return the operand so many bytes further on."""
        other = Memory(self.cpu, self.fields, self.width, lock=self.lock, align=self.align)
        other.offset = shortened(self.cpu, self.fields["form"], self.offset + by)
        other.address = other.offset + segment_base(self.cpu, self.fields)
        return other

    def read(self) -> Bits:
        """Load."""
        size = self.width // 8
        if size > 8:
            return self.cpu.load_wide(self.address, size, align=self.align)
        return self.cpu.load(self.address, size, align=self.align)

    def write(self, value: Bits | int) -> None:
        """Store."""
        value = self.coerce(value)
        if self.width > 64:
            self.cpu.store_wide(self.address, value, align=self.align)
        else:
            self.cpu.store(self.address, value, align=self.align)

    def update(self, function: Callable[[Bits], Bits]) -> tuple[Bits, Bits]:
        """Load and store; checked as a write first, in one step for other processes under LOCK."""
        cpu, size = self.cpu, self.width // 8
        cpu.probe(self.address, size, write=True, align=self.align)
        old = cpu.load(self.address, size, checked=False)
        new = function(old)
        if self.lock:
            written = cpu.compare_store(self.address, old, new)
            with when(~written):
                cpu.abort("again")
        else:
            cpu.store(self.address, new, checked=False)
        return old, new


class StringElement(Operand):
    """What rSI or rDI points to (SDM vol. 1, 7.3.9); with an address-size prefix their lower halves do."""

    def __init__(self, cpu: X86Cpu, reg: int, width: int, a67: Bits, fields: Fields | None) -> None:
        self.cpu, self.reg, self.width, self.a67 = cpu, reg, width, a67
        whole = cpu.address(cpu.R[reg])
        self.offset = mux(a67, half(cpu, whole), whole)
        self.address = self.offset if fields is None else self.offset + segment_base(cpu, fields)

    def read(self) -> Bits:
        """Load."""
        return self.cpu.load(self.address, self.width // 8)

    def write(self, value: Bits | int) -> None:
        """Store."""
        self.cpu.store(self.address, self.coerce(value))

    def advance(self) -> None:
        """Let the register point to the next element: upwards or, if DF is set, downwards."""
        cpu, size = self.cpu, self.width // 8
        write_address(cpu, self.reg, self.a67, self.offset + mux(cpu.DF, const(-size, cpu.bits), const(size, cpu.bits)))


def write_address(cpu: X86Cpu, reg: int, a67: Bits, value: Bits) -> None:
    """Change a register of which only the lower half counts if there is an address-size prefix."""
    short = half(cpu, value) if cpu.bits == 64 else cat(cpu.R[reg][31:16], value[15:0])
    cpu.R[reg] = zext(mux(a67, short, value), 64)


class Immediate(Operand):
    """A constant of the instruction."""

    def __init__(self, value: Bits) -> None:
        self.value, self.width = value, value.width

    def read(self) -> Bits:
        """Return it."""
        return self.value


class Vector(Operand):
    """An XMM or YMM register, half by half; element 2n of X is xmm n, 2n + 1 the upper half of ymm n."""

    def __init__(self, cpu: X86Cpu, reg: Bits, width: int, *, vex: bool) -> None:
        self.cpu, self.reg, self.width, self.vex = cpu, reg, width, vex

    def read(self, half: int = 0) -> Bits:
        """Return 128 bits, or the low 64, 32, 16 or 8 of an operand that has no more."""
        if self.width == 64:
            return self.cpu.X64[index(self.reg << 2)]
        if self.width == 32:
            return self.cpu.X32[index(self.reg << 3)]
        whole = self.cpu.X[index((self.reg << 1) + half)]
        return whole[self.width - 1:0] if self.width < 128 else whole

    def write(self, value: Bits | int, half: int = 0) -> None:
        """Change 128 bits; a scalar clears the rest. A VEX instruction that leaves the upper half out clears it (vol. 1, 14.1.3)."""
        if isinstance(value, Bits) and value.width in (32, 64):
            self.write_low(value)
            if value.width == 32:
                self.cpu.X32[index((self.reg << 3) + 1)] = const(0, 32)
            self.cpu.X64[index((self.reg << 2) + 1)] = const(0, 64)
        else:
            self.cpu.X[index((self.reg << 1) + half)] = self.coerce_vector(value)
        if self.vex and self.width < 256 and half == 0:
            self.cpu.X[index((self.reg << 1) + 1)] = const(0, 128)

    def coerce_vector(self, value: Bits | int) -> Bits:
        """Return a value of 128 bits."""
        value = const(value, 128) if isinstance(value, int) else value
        return zext(value, 128)

    def write_low(self, value: Bits) -> None:
        """Change the low 64 or 32 bits; the rest of the register stays as it is."""
        if value.width == 64:
            self.cpu.X64[index(self.reg << 2)] = value
        else:
            self.cpu.X32[index(self.reg << 3)] = value


    def merge_low(self, value: Bits, rest: Vector) -> None:
        """Change the low 64 or 32 bits; bits 127 to there become those of another register, the upper half 0 (VEX scalars)."""
        cpu, reg, other = self.cpu, self.reg, rest.reg
        if reg is not other:
            high, middle = cpu.X64[index((other << 2) + 1)], cpu.X32[index((other << 3) + 1)]
            cpu.X64[index((reg << 2) + 1)] = high
            if value.width == 32:
                cpu.X32[index((reg << 3) + 1)] = middle
        self.write_low(value)
        cpu.X[index((reg << 1) + 1)] = const(0, 128)


class VectorMemory(Operand):
    """Memory of a vector operand: 16 or 32 bytes, or a scalar; legacy forms of 16 bytes must be aligned."""

    def __init__(self, cpu: X86Cpu, fields: Fields, width: int, *, align: int) -> None:
        self.cpu, self.width, self.align = cpu, width, align
        self.address = effective_address(cpu, fields) + segment_base(cpu, fields)
        self.probed = False

    def _probe(self, *, write: bool) -> None:
        if not self.probed:
            self.cpu.probe(self.address, self.width // 8, write=write, align=self.align)
            self.probed = True

    def read(self, half: int = 0) -> Bits:
        """Load 128 bits, or a scalar of the operand's width."""
        if self.width <= 64:
            return self.cpu.load(self.address, self.width // 8)
        self._probe(write=False)
        return self.cpu.load(self.address + 16 * half, 16, checked=False)

    def write(self, value: Bits | int, half: int = 0) -> None:
        """Store 128 bits, or a scalar of the operand's width."""
        if self.width <= 64:
            value = const(value, self.width) if isinstance(value, int) else value
            self.cpu.store(self.address, value[self.width - 1:0])
            return
        self._probe(write=True)
        self.cpu.store(self.address + 16 * half, const(value, 128) if isinstance(value, int) else value, checked=False)

    def write_low(self, value: Bits) -> None:
        """Store a scalar."""
        self.cpu.store(self.address, value)


class VectorIndexed(Operand):
    """Memory at a base plus elements of a vector register (SDM vol. 2A, 2.3.12)."""

    width = 0

    def __init__(self, cpu: X86Cpu, fields: Fields) -> None:
        self.cpu, self.fields, self.reg = cpu, fields, number(fields["index"])
        self.origin = segment_base(cpu, fields)
        self.short = fields["form"] == MEM67 and not cpu.context.L         # 16-bit addresses have no index vectors

    def indices(self, half: int) -> Bits:
        """Return 128 bits of the register of indices."""
        return self.cpu.X[index((self.reg << 1 & 31) + half)]

    def address(self, element: Bits) -> Bits:
        """Return the address that an element of the index register gives."""
        cpu, f = self.cpu, self.fields
        bits = cpu.bits
        offset = element[bits - 1:0] if element.width >= bits else sext(element, bits)
        total = cpu.R[index(number(f["base"]))][bits - 1:0] + (offset << zext(f["scale"], bits)) + sext(f["disp"], bits)
        if f["form"] == MEM67:
            total = zext(total[31:0], bits)
        return total + self.origin


class Mmx(Operand):
    """An MMX register."""

    width = 64

    def __init__(self, cpu: X86Cpu, reg: Bits) -> None:
        self.cpu, self.reg = cpu, reg

    def read(self) -> Bits:
        """Return 64 bits."""
        return self.cpu.MM[index((self.reg & 7) << 1)]

    def write(self, value: Bits | int) -> None:
        """Change the register; sign and exponent of the x87 register become ones (SDM vol. 1, 9.2.1)."""
        low = const(value, 64) if isinstance(value, int) else value
        self.cpu.FPR[index(self.reg & 7)] = cat(const(0xFFFF, 16), low)


def segment_base(cpu: X86Cpu, f: Fields) -> Bits:
    """Return the base of an operand's segment."""
    return cpu.SEG[index(number(f["seg"]))][cpu.bits - 1:0]


def effective_address(cpu: X86Cpu, f: Fields) -> Bits:
    """Return the offset that ModRM and SIB give."""
    form, bits = f["form"], cpu.bits
    if form == OFFSET:
        absolute: Bits = f["imm64"] if bits == 64 and not f["a67"] else zext(f["imm"], bits)
        return absolute
    disp = sext(f["disp"], bits)
    if form == RIP:
        offset = cpu.next_pc + disp
        offset = mux(f["a67"], half(cpu, offset), offset)
    else:
        base, scaled = number(f["base"]), number(f["index"])
        offset = cpu.R[index(base)][bits - 1:0] + (cpu.R[index(scaled)][bits - 1:0] << zext(f["scale"], bits)) + disp
    return shortened(cpu, form, offset)


def shortened(cpu: X86Cpu, form: int, offset: Bits) -> Bits:
    """Return an offset as the address size has it."""
    return half(cpu, offset) if form == MEM67 else offset


def half(cpu: X86Cpu, value: Bits) -> Bits:
    """Return the low half of an address: what an address-size prefix leaves of it."""
    return zext(value[cpu.bits // 2 - 1:0], cpu.bits)


__all__ = ["MEM", "MEM67", "OFFSET", "REG", "RIP", "Immediate", "Memory", "Mmx", "Operand", "Register", "StringElement", "Vector",
           "VectorIndexed", "VectorMemory", "effective_address", "half", "index", "number", "segment_base", "write_address"]
