"""Floating-point operations of rows: the control word, exceptions, results that are not written, status. Power ISA Book I, 4.4, 7.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, Lanes, cat, const, mux, zext
from xemu.core.fp import NEVER_STICKY, LaneParts, Parts, any_of, fp_apart, fp_op, pick
from xemu.core.record import when
from xemu.targets.ppc.layout import FLOATING_POINT
from xemu.targets.ppc.status import EXACT, INTEGER, OE, SINGLE, UE, VE, XE, ZE, classified, operation, result_flags

if TYPE_CHECKING:
    from xemu.targets.ppc.state import PpcCpu

NEAREST, UP, DOWN, ZERO, AWAY = range(5)         # rounding modes of control words
TRAPS = 0b1110_0000


def control(cpu: PpcCpu) -> Bits:
    """Return the control word (fp.py) for FPSCR's modes; the usual ones are 0."""
    if not cpu.context.FP:
        return const(0, 8)
    word = cpu.FPCTL
    return cat(const(0, 1), word[OE], word[UE], const(0, 3), word[0], word[1] ^ word[0])


def enabled(cpu: PpcCpu, flags: Bits) -> Bits:
    """Return whether an exception among these is enabled."""
    word = cpu.FPCTL
    return any_of([flags[0] & word[VE], flags[1] & word[ZE], flags[2] & word[OE], flags[3] & word[UE], flags[4] & word[XE]])


class Floating:
    """The floating-point operations of one instruction.

    `f(name, format, operands…)` does one, on one number or on lanes; `finish_scalar` or `finish_vector` says whether its result is written.
    """

    def __init__(self, cpu: PpcCpu) -> None:
        self.cpu, self.ctl = cpu, control(cpu)
        self.raised: list[Bits] = []

    def __call__(self, name: str, fmt: Any, *args: Bits, lanes: int = 1, rounding: int | None = None, raises: bool = True) -> Bits:
        """Do an operation; names and formats as in softfloat.lane. `rounding`: in this mode, not FPSCR's."""
        if not self.cpu.context.FP:
            return fp_op(self.cpu, name, fmt, args, rounding or 0, "ppc", lanes, raises=raises)
        ctl = self.ctl if rounding is None else (self.ctl & TRAPS) | rounding
        value, flags = fp_apart(name, fmt, args, ctl, "ppc", lanes)
        if raises:
            self.raised.append(flags)
        return value

    def raises(self, flags: Bits) -> None:
        """Add exceptions (16 bits, fp.py) that the row has worked out."""
        if self.cpu.context.FP:
            self.raised.append(flags)
        else:
            self.cpu.raise_flags(flags)

    def _total(self) -> Bits:
        total = self.raised[0] if self.raised else const(0, 16)
        for flags in self.raised[1:]:
            total = total | flags
        return total

    def _interrupt(self, total: Bits) -> None:
        cpu = self.cpu
        cpu.raise_flags(total & ~NEVER_STICKY)
        with when(enabled(cpu, total) & (cpu.FE != 0)):
            cpu.trap("event", FLOATING_POINT)

    def scalar(self, name: str, fmt: Any, *args: Bits, rounding: int | None = None, negate: bool = False) -> tuple[Bits, Bits]:
        """Do an operation on numbers and finish; return the result (a double, or an integer) and whether it is written."""
        value = self(name, fmt, *args, rounding=rounding)
        if negate:
            value = negated(value)
        return value, self.finish_scalar(value, operation(name, fmt), *args)

    def finish_scalar(self, value: Bits, op: int = EXACT, *args: Bits, single: bool = False) -> Bits:
        """Set FR, FI and FPRF for a result that an operation has given (EXACT: none that rounds); return whether it is written."""
        cpu = self.cpu
        op |= single << SINGLE
        if not cpu.context.FP:
            cpu.FPOP, cpu.FPCC = const(op, 16), const(0, 5)
            for n, a in enumerate(args):
                cpu.FPARG[n] = zext(a, 64)
            cpu.FPRES = zext(value, 64)
            return const(1, 1)
        flags = const(0, 5) if op >> INTEGER else classified(value, const(op >> SINGLE & 1, 1))
        return self.finish_known(self._total(), flags, rounds=op & 0xFF != EXACT)

    def finish_known(self, total: Bits, flags: Bits, *, rounds: bool = True) -> Bits:
        """Set FR, FI and FPRF (5 bits) from all exceptions of an instruction; return whether its result is written."""
        cpu = self.cpu
        kept = const(0, 1)
        if cpu.context.FP:
            kept = (total[0] & cpu.FPCTL[VE]) | (total[1] & cpu.FPCTL[ZE])
            flags = mux(kept, result_flags(cpu), flags)
        rounding = cat(total[5], total[4]) if rounds else const(0, 2)
        cpu.FPLAST = zext(cat(mux(kept, const(0, 2), rounding), flags), 8)
        cpu.FPOP, cpu.FPCC = const(0, 16), const(0, 5)
        self._interrupt(total)
        return ~kept

    def finish_compare(self, flags: Bits) -> None:
        """Gather what a comparison raises where exceptions may be enabled; its result is written whatever they are."""
        self.raised.append(flags)
        self._interrupt(self._total())

    def finish_vector(self) -> Bits:
        """Return whether a vector-scalar instruction's vector result is written: not where an exception is enabled (Book I, 7.4)."""
        if not self.cpu.context.FP:
            return const(1, 1)
        total = self._total()
        self._interrupt(total)
        return ~enabled(self.cpu, total)


def negated(x: Bits) -> Bits:
    """Return a double negated, but for NaNs."""
    return mux(Parts(x, "f64").is_nan, x, x ^ 1 << 63)


def negated_lanes(x: Bits, fmt: str) -> Bits:
    """Return lanes of a format negated, but for NaNs."""
    size = {"f32": 32, "f64": 64}[fmt]
    lanes = Lanes(x, size)
    return pick(LaneParts(lanes, fmt).is_nan, lanes, lanes ^ 1 << (size - 1)).bits
