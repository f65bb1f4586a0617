"""What vector rows have in common: one function for each 128 bits serves MMX, SSE and AVX rows; choosing, permuting, shifting.

A row's function gets `f`, which takes the values of the sources (64 bits of MMX registers, 128 of others; scalars and immediates
as they are) and returns what the destination gets. 256-bit forms do the same on both halves (SDM vol. 1, 14.2).
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, Lanes, const, mux, ult, zext
from xemu.core.evaluate import merge
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import X87_ERROR
from xemu.targets.x86.operands import Immediate, Vector, VectorMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

    Function = Callable[..., Bits]

EXCEPTIONS = 0x3F


# -- rows ----------------------------------------------------------------------------------------------------------------


def is_wide(operand: Operand) -> bool:
    """Return whether an operand has two halves."""
    return isinstance(operand, (Vector, VectorMemory)) and operand.width == 256


def parts(operand: Operand) -> tuple[Bits, Bits | None]:
    """Return the halves of an operand; of one that is not wide, its value and None."""
    if isinstance(operand, (Vector, VectorMemory)) and operand.width == 256:
        return operand.read(0), operand.read(1)
    return operand.read(), None


def set_parts(dst: Operand, low: Bits, high: Bits | None = None) -> None:
    """Write the halves of an operand."""
    dst.write(low)
    if high is not None:
        assert isinstance(dst, (Vector, VectorMemory))
        dst.write(high, 1)


def apply(dst: Operand, f: Function, *sources: Operand, step: int = 0) -> None:
    """Write f of the sources to the destination, half by half; the high half uses an immediate from bit `step` on."""
    values = [parts(s) for s in sources]
    low = f(*[v for v, _ in values])
    if not is_wide(dst):
        set_parts(dst, low)
        return
    second = [v >> step if isinstance(s, Immediate) else v if h is None else h for s, (v, h) in zip(sources, values, strict=True)]
    set_parts(dst, low, f(*second))


def destructive(_cpu: X86Cpu, dst: Operand, *sources: Operand, f: Function, step: int = 0) -> None:
    """The destination is the first source."""
    apply(dst, f, dst, *sources, step=step)


def plain(_cpu: X86Cpu, dst: Operand, *sources: Operand, f: Function, step: int = 0) -> None:
    """The destination is none of the sources."""
    apply(dst, f, *sources, step=step)


def enter_mmx(cpu: X86Cpu) -> None:
    """What every MMX instruction but EMMS does to the x87 state (SDM vol. 1, 9.5.1, 9.6.2): no register is empty, TOP is 0."""
    with when(cpu.FSW & ~cpu.FCW & EXCEPTIONS != 0):
        cpu.abort("exception", X87_ERROR)
    cpu.FTOP = const(0, 8)
    cpu.FVALID = const(0xFF, 8)


def mmx_destructive(cpu: X86Cpu, dst: Operand, *sources: Operand, f: Function) -> None:
    """The destination is the first source, an MMX register."""
    enter_mmx(cpu)
    apply(dst, f, dst, *sources)


def mmx_plain(cpu: X86Cpu, dst: Operand, *sources: Operand, f: Function) -> None:
    """The destination is none of the sources."""
    enter_mmx(cpu)
    apply(dst, f, *sources)


def two_sources(name: str, opcode: str, f: Function, *, mmx: str = "", prefix: str = "66", imm: str = "", step: int = 0) -> None:
    """Register dst = f(dst, src) for SSE and MMX ("NP", if given), and dst = f(x, y) for AVX.

    `opcode`: "0F FC" or "0F 38 00". `imm`: ", Ib" where an immediate follows.
    """
    tail = " /r ib" if imm else " /r"
    if mmx:
        x86.row(mmx_destructive, f"{mmx} {opcode}{tail}", f"{name} Pq, Qq{imm}", f=f)
    x86.row(destructive, f"{prefix} {opcode}{tail}", f"{name} Vx, Wx{imm}", f=f)
    vex_row(plain, prefix, opcode, tail, f"v{name} Vx, Hx, Wx{imm}", f=f, step=step)


def one_source(name: str, opcode: str, f: Function, *, mmx: str = "", prefix: str = "66", imm: str = "",
               align: int | None = None) -> None:
    """Register dst = f(src) for MMX (if given), SSE and AVX."""
    tail = " /r ib" if imm else " /r"
    if mmx:
        x86.row(mmx_plain, f"{mmx} {opcode}{tail}", f"{name} Pq, Qq{imm}", f=f)
    x86.row(plain, f"{prefix} {opcode}{tail}", f"{name} Vx, Wx{imm}", f=f, align=align)
    vex_row(plain, prefix, opcode, tail, f"v{name} Vx, Wx{imm}", f=f)


def vex_row(function: Callable[..., None], prefix: str, opcode: str, tail: str, template: str, *, length: str = "",
            align: int | None = None, **bound: Any) -> None:
    """Register a VEX form of a legacy opcode."""
    *escapes, number = opcode.split()
    words = ["VEX", *([length] if length else []), prefix, "".join(escapes), "WIG"]
    x86.row(function, f"{'.'.join(words)} {number}{tail}", template, align=align, **bound)


# -- values --------------------------------------------------------------------------------------------------------------


def lanes_of(values: Sequence[int], size: int) -> Lanes:
    """Return constant lanes."""
    return Lanes(const(merge(list(values), size), len(values) * size), size)


def whole(value: Bits) -> Lanes:
    """Return a value as doublewords, for bitwise operations."""
    return Lanes(value, 64)


def choose(mask: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """Return x where the lanes of mask are all ones, y where they are zeros; a constant mask makes a shuffle."""
    if mask.bits.op == "const":
        n = x.count
        return x.shuffle(y, [i if mask.bits.attr >> i * x.size & 1 else n + i for i in range(n)])
    return Lanes(x.bits, mask.size) & mask | Lanes(y.bits, mask.size) & ~mask


def chosen_lanes(bits: Bits, size: int, width: int) -> Lanes:
    """Return lanes of ones where the bit of the lane's number is 1."""
    powers = lanes_of([1 << i for i in range(width // size)], size)
    return (Lanes.splat(zext(bits, size), powers.count) & powers).op("eq", powers)


def signs(x: Bits, size: int) -> Bits:
    """Return the top bits of all lanes as a number, lane 0 in bit 0."""
    return Lanes(x, size).op("slt", 0).narrow(1).bits


def lane_is(position: Bits, size: int, width: int) -> Lanes:
    """Return lanes of ones in the lane of that number only."""
    count = width // size
    return lanes_of(range(count), size).op("eq", Lanes.splat(position, count))


def with_lane(x: Bits, position: Bits, value: Bits) -> Bits:
    """Return x with the lane of that number (as wide as a lane) replaced."""
    lanes = Lanes(x, value.width)
    return choose(lane_is(position, value.width, x.width), Lanes.splat(value, lanes.count), lanes).bits


def lane_at(x: Bits, position: Bits, size: int) -> Bits:
    """Return the lane of that number (an 8-bit value that is in range)."""
    return (x >> zext(position, x.width) * size)[size - 1:0]


def pick(index: Lanes, *tables: Bits) -> Bits:
    """Return bytes of the tables, each as wide as the index; an index outside gives 0."""
    zeros, size = const(0, index.bits.width), tables[0].width // 8
    found = [whole((Lanes(index.bits, 8) - n * size if n else Lanes(index.bits, 8)).lookup(table, zeros).bits)
             for n, table in enumerate(tables)]
    return reduce(lambda x, y: x | y, found).bits


def bytes_of(lanes: Lanes) -> Lanes:
    """Return for lanes that number lanes of their size the numbers of those lanes' bytes."""
    size = lanes.size // 8
    every = sum(1 << 8 * i for i in range(size))
    first = sum(i << 8 * i for i in range(size))
    return Lanes((lanes * (every * size) + first).bits, 8)


def selectors(imm: Bits, size: int, count: int, bits: int, *, every: int = 1) -> Lanes:
    """Return fields of `bits` bits of an immediate as lanes; `every` lanes share a field."""
    shift = lanes_of([i // every * bits for i in range(count)], size)
    return Lanes.splat(zext(imm, size), count) >> shift & (1 << bits) - 1


def shift_bytes(x: Bits, count: Bits, *, left: bool) -> Bits:
    """Shift by bytes; `count` has 8 bits, from the width on the result is 0."""
    n = x.width // 8
    limited = Lanes.splat(mux(ult(count, n), count, n), n)
    numbers = lanes_of(range(n), 8)
    return pick(numbers - limited if left else numbers + limited, x)
