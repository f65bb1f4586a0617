"""What vector-scalar rows have in common: their diagrams and register halves. Power ISA Book I, 7.

Elements are numbered as the manual numbers them, 0 the most significant one, in both byte orders; lane n of the language is the
element that counts n from the other end. A scalar is doubleword 0; doubleword 1 of what a scalar is written to becomes 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, Lanes, cat, const
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.state import doubleword

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xemu.core.record import RegNo
    from xemu.targets.ppc.state import PpcCpu

SIZES = {"f16": 16, "f32": 32, "f64": 64, "f128": 128}


def scalar(cpu: PpcCpu, number: RegNo) -> Bits:
    """Return doubleword 0 of a register."""
    value: Bits = cpu.D[doubleword(number, 1)]
    return value


def second(cpu: PpcCpu, number: RegNo) -> Bits:
    """Return doubleword 1 of a register."""
    value: Bits = cpu.D[doubleword(number, 0)]
    return value


def set_scalar(cpu: PpcCpu, number: RegNo, value: Bits) -> None:
    """Write doubleword 0 of a register."""
    set_doublewords(cpu, number, value, const(0, 64))


def set_doublewords(cpu: PpcCpu, number: RegNo, upper: Bits, lower: Bits) -> None:
    """Write both doublewords of a register."""
    cpu.D[doubleword(number, 1)] = upper
    cpu.D[doubleword(number, 0)] = lower


def set_comparison(cpu: PpcCpu, field: Bits, bits: Sequence[Bits]) -> None:
    """Set a field of CR, and FPCC, from what a comparison found."""
    cpu.set_cr(field, bits)
    cpu.FPCC = cat(const(1, 1), *bits)


def reversed_lanes(value: Bits, size: int) -> Bits:
    """Return the elements of a value in reverse order."""
    lanes = Lanes(value, size)
    return lanes.shuffle(lanes, range(lanes.count - 1, -1, -1)).bits


def elements(x: Bits, y: Bits, size: int, numbers: Sequence[int]) -> Bits:
    """Return elements of x and y, numbered through, in an order that is given element 0 first."""
    a, b = Lanes(x, size), Lanes(y, size)
    order = [a.count - 1 - n if n < a.count else 3 * a.count - 1 - n for n in reversed(numbers)]
    return a.shuffle(b, order).bits


def splat(value: Bits) -> Bits:
    """Return copies of an element in a whole register."""
    return Lanes.splat(value, 128 // value.width).bits


def xx2(name: str, opcode: int, function: Callable[..., None], *, middle: str = "00000", **bound: Any) -> None:
    """Register a row of form XX2; `middle` is what stands between T and B, if not nothing."""
    ppc64.row(function, f"60:6 T {middle} B {opcode}:9 BX TX", f"{name} {{XT}}, {{XB}}", **bound)


def xx3(name: str, opcode: int, function: Callable[..., None], **bound: Any) -> None:
    """Register a row of form XX3."""
    ppc64.row(function, f"60:6 T A B {opcode}:8 AX BX TX", f"{name} {{XT}}, {{XA}}, {{XB}}", **bound)
