"""What vector rows have in common: registration; choosing and moving elements. Power ISA Book I, chapter 6.

The manual's element 0 is the most significant one, in both byte orders. `Lanes` count from the other end: element i of n is lane
n - 1 - i, so the even elements are the odd lanes, and the elements of doubleword 0 are the upper half of the lanes.
"""

from __future__ import annotations

import inspect
from functools import reduce
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, Lanes, const, zext
from xemu.core.evaluate import merge, split
from xemu.targets.ppc.isa import ppc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xemu.targets.ppc.isa import Family

    Function = Callable[..., Any]

B, H, W, D, Q = 8, 16, 32, 64, 128
SIZES = {"b": B, "h": H, "w": W, "d": D, "q": Q}
#: parameters of functions -> fields of the vector registers that they are the values of
REGISTERS = {"a": "VRA", "b": "VRB", "c": "VRC", "t": "VRT"}


# -- rows ----------------------------------------------------------------------------------------------------------------


def vx(name: str, opcode: int, function: Function, *, operands: str = "VRT VRA VRB", isa: Family = ppc, **bound: Any) -> None:
    """Register a VX-form row. `operands`: what stands between the primary and the extended opcode."""
    vector(name, f"4:6 {operands} {opcode}:11", function, isa, **bound)


def va(name: str, opcode: int, function: Function, *, operands: str = "VRT VRA VRB VRC", isa: Family = ppc, **bound: Any) -> None:
    """Register a VA-form row."""
    vector(name, f"4:6 {operands} {opcode}:6", function, isa, **bound)


def vector(name: str, pattern: str, function: Function, isa: Family, **bound: Any) -> None:
    """Register a row that computes VRT from values alone.

    The function's parameters are a, b, c, t (the values of VRA, VRB, VRC, and VRT's old one) and fields by their names. It returns
    the result, or the result and a value that is not 0 if some element saturated (VSCR.SAT).
    """
    code = function.__code__
    names = [n for n in code.co_varnames[:code.co_argcount + code.co_kwonlyargcount] if n not in bound]
    fields = {n: REGISTERS.get(n, n) for n in names}

    def row(cpu: Any, **given: Any) -> None:
        values = {n: cpu.vr(given[field]) if n in REGISTERS else given[field] for n, field in fields.items()}
        result = function(**values, **bound)
        if isinstance(result, tuple):
            result, lost = result
            cpu.SAT = cpu.SAT | (lost != 0)
        cpu.set_vr(given["VRT"], result)

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in dict.fromkeys(("VRT", *fields.values()))]
    row.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("cpu", inspect.Parameter.POSITIONAL_ONLY), *parameters])
    row.__wrapped__, row.__doc__, row.__name__ = function, function.__doc__, function.__name__  # type: ignore[attr-defined]
    isa.row(row, pattern, assembly(name, pattern), name=name.rstrip("."), source=_caller())


def assembly(name: str, pattern: str) -> str:
    """Return the template: registers in the diagram's order, then the other fields."""
    fields = [token.split(":")[0] for token in pattern.split() if token[0].isalpha()]
    ordered = [f for f in fields if f.startswith("VR")] + [f for f in fields if not f.startswith("VR")]
    return f"{name} {', '.join('{' + f + '}' for f in ordered)}"


def _caller() -> str:
    """Return file:line of the row that is being registered."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}" if frame else "?"


# -- values --------------------------------------------------------------------------------------------------------------


def whole(value: Bits) -> Lanes:
    """Return a register as doublewords, for bitwise operations: LLVM keeps vectors in vector registers."""
    return Lanes(value, D)


def lanes_of(values: Sequence[int], size: int) -> Lanes:
    """Return constant lanes, the lowest first."""
    return Lanes(const(merge(list(values), size), len(values) * size), size)


def zeros(size: int) -> Lanes:
    """Return a register of zeros."""
    return Lanes(const(0, Q), size)


def choose(mask: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """Return x where the lanes of mask are all ones, y where they are zeros; a constant mask makes a shuffle."""
    if mask.bits.op == "const":
        n = x.count
        return x.shuffle(y, [i if mask.bits.attr >> i * x.size & 1 else n + i for i in range(n)])
    return x & mask | y & ~mask


def lane_is(position: Bits, size: int) -> Lanes:
    """Return lanes of ones in the lane of that number only."""
    count = Q // size
    return lanes_of(range(count), size).op("eq", Lanes.splat(zext(position, size), count))


def signs(x: Lanes) -> Bits:
    """Return the top bits of all lanes as a number, lane 0 in bit 0."""
    return x.op("slt", 0).narrow(1).bits


def clamp(x: Lanes, size: int, *, signed: bool, of: str = "signed") -> Lanes:
    """Return lanes limited to the range of `size` bits, signed or not; `of`: what the lanes are."""
    high = (1 << size - signed) - 1
    if of == "unsigned":
        return x.op("umin", high)
    return x.op("smin", high).op("smax", -(high + 1) if signed else 0)


def even(value: Bits, size: int, *, signed: bool) -> Lanes:
    """Return the even elements, extended to twice their size."""
    wide = Lanes(value, 2 * size)
    return wide.sar(size) if signed else wide >> size


def odd(value: Bits, size: int, *, signed: bool) -> Lanes:
    """Return the odd elements, extended to twice their size."""
    wide = Lanes(value, 2 * size)
    return (wide << size).sar(size) if signed else wide & (1 << size) - 1


def pick(index: Lanes, *tables: Bits) -> Bits:
    """Return bytes of registers by their places, the lowest byte of the first being 0; a place outside gives 0.

    Places that are known make a shuffle.
    """
    if index.bits.op == "const" and len(tables) == 2:
        places = split(index.bits.attr, index.count, B)
        if max(places) < 2 * index.count:
            return Lanes(tables[0], B).shuffle(Lanes(tables[1], B), places).bits
    found = [whole((index - n * (Q // B) if n else index).lookup(table, const(0, Q)).bits) for n, table in enumerate(tables)]
    return reduce(lambda x, y: x | y, found).bits


def shifted_bytes(value: Bits, count: Bits, *, left: bool) -> Bits:
    """Return a register shifted by bytes; `count` has 8 bits and is below 16."""
    places, by = lanes_of(range(16), B), Lanes.splat(count, 16)
    return pick(places - by if left else places + by, value)


def reversed_bytes(value: Bits) -> Bits:
    """Return a register with its bytes in reverse order."""
    lanes = Lanes(value, B)
    return lanes.shuffle(lanes, range(15, -1, -1)).bits
