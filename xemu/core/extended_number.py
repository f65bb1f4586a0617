"""80-bit extended numbers as Python integers: the double extended format of the x87, its control word and its rounding.

The format has an explicit integer bit. Where that is 0 though the exponent is not, the number is *unsupported*: any
operation on it is invalid. A denormal with the integer bit 1 (pseudo-denormal) counts with the smallest exponent.
SDM vol. 1, chapters 4.8 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from xemu.core.softnumber import (
    DIVIDE_BY_ZERO,
    DOWN,
    INEXACT,
    INFINITY,
    INPUT_DENORMAL,
    INVALID,
    NEAREST,
    NUMBER,
    OVERFLOW,
    QUIET,
    SIGNALLING,
    UNDERFLOW,
    UP,
    ZERO,
    Format,
    Operation,
    Rules,
    Value,
)

#: bits of the status word (8.1.3); the exceptions are in the order of the control word's masks
IE, DE, ZE, OE, UE, PE, SF, C0, C1, C2, C3 = 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x100, 0x200, 0x400, 0x4000
EXCEPTIONS = 0x3F
_ORDER = ((INVALID, IE), (INPUT_DENORMAL, DE), (DIVIDE_BY_ZERO, ZE), (OVERFLOW, OE), (UNDERFLOW, UE), (INEXACT, PE))
#: how far an unmasked overflow or underflow moves the exponent of a result that goes to a register (8.5.4)
WRAP = 24576


class ExtendedFormat(Format):
    """The fraction field counts the explicit integer bit, which infinities and NaNs have."""

    infinity = 0x7FFF << 64 | 1 << 63
    quiet = 1 << 62


@dataclass(frozen=True)
class Range:
    """What a result may be: bits of the significand, exponents of the smallest and the largest normal number."""

    precision: int
    lowest: int
    highest: int


F80 = ExtendedFormat("f80", 80, 64)
RANGES = {"f32": Range(24, -126, 127), "f64": Range(53, -1022, 1023), "f80": Range(64, -16382, 16383)}


class UnsupportedError(Exception):
    """An operand is not a number in this format (the operation is invalid)."""


class ExtendedRules(Rules):
    """Which NaN comes out: SDM vol. 1, table 4-7."""

    tiny_after_rounding = True
    default_nan_sign = 1

    def default_nan(self, fmt: Format) -> int:
        """Return the real indefinite."""
        return 1 << (fmt.width - 1) | fmt.infinity | fmt.quiet

    def nan(self, op: Operation, fmt: Format, operands: list[Value]) -> int:  # noqa: ARG002  as in Rules
        """Return the quiet one of two NaNs of different kinds, else the one with the larger significand, then the positive one."""
        nans = [v for v in operands if v.is_nan]
        quiet = [v for v in nans if v.kind == QUIET]
        pick = max(quiet or nans, key=lambda v: (v.bits & ((1 << 64) - 1), -v.sign))
        return pick.bits | fmt.quiet


EXTENDED_RULES = ExtendedRules()


class Extended(Operation):
    """One operation in progress: the control word taken apart, the exceptions so far, and what else the status word tells."""

    def __init__(self, control: int) -> None:
        super().__init__(EXTENDED_RULES, (NEAREST, DOWN, UP, ZERO)[control >> 10 & 3])
        self.precision = {0: 24, 2: 53}.get(control >> 8 & 3, 64)
        self.masked = control & EXCEPTIONS
        self.blocking = IE | DE | ZE           # exceptions that leave no result where they are not masked
        self.condition = 0                     # C0, C2, C3
        self.up = False                        # was the result rounded up?
        self.nans = False                      # was an operand a NaN?

    def status(self, before: int) -> int:
        """Return the status word's exceptions (also those raised before) and conditions."""
        raised = sum(bit for flag, bit in _ORDER if self.flags & flag)
        if raised & (IE | ZE) or self.nans:
            raised &= ~DE
        if raised & ~self.masked & self.blocking:            # there is no result (8.5)
            return before & EXCEPTIONS | raised & self.blocking | self.condition & (C0 | C2 | C3)
        return before & EXCEPTIONS | raised | self.condition | (C1 if self.up else 0)

    # -- in ------------------------------------------------------------------------------------------------------
    def unpack(self, fmt: Format, bits: int) -> Value:
        """Take a number apart; denormals raise INPUT_DENORMAL."""
        if not isinstance(fmt, ExtendedFormat):
            return super().unpack(fmt, bits)
        sign, exponent, significand = bits >> 79, bits >> 64 & 0x7FFF, bits & ((1 << 64) - 1)
        if exponent and not significand >> 63:
            raise UnsupportedError
        if exponent == 0x7FFF:
            if bits & (F80.sign - 1) == F80.infinity:
                return Value(INFINITY, sign, bits=bits)
            self.nans = True
            return Value(QUIET if significand & F80.quiet else SIGNALLING, sign, bits=bits)
        if exponent == 0 and significand:
            self.flags |= INPUT_DENORMAL
        return Value(NUMBER, sign, significand, max(exponent, 1) - 16383 - 63, bits)

    def widen(self, fmt: Format, bits: int) -> int:
        """Return a single or double in the extended format: exactly, a signalling NaN as it is; denormals raise INPUT_DENORMAL."""
        v = super().unpack(fmt, bits)
        if v.kind != NUMBER:
            return v.sign << 79 | F80.infinity | (bits & ((1 << fmt.fraction) - 1)) << (63 - fmt.fraction)
        if v.significand and not bits >> fmt.fraction & fmt.top:
            self.flags |= INPUT_DENORMAL
        return number(v.sign, v.significand, v.exponent)

    # -- out -----------------------------------------------------------------------------------------------------
    def round(self, fmt: Format, sign: int, significand: int, exponent: int) -> int:
        """Return the bits of a non-zero number, rounded to the precision of the control word or, to store it, to `fmt`."""
        if fmt.name == "f80":
            return self.fit(fmt, Range(self.precision, -16382, 16383), sign, significand, exponent)
        return self.fit(fmt, RANGES[fmt.name], sign, significand, exponent)

    def fit(self, fmt: Format, limits: Range, sign: int, significand: int, exponent: int) -> int:
        """Return the bits of a non-zero number in a format, rounded once within limits; it is tiny after rounding."""
        top = significand.bit_length() - 1 + exponent
        unit = top - limits.precision + 1
        rounded, inexact = self.round_to(sign, significand, exponent, unit)
        top += rounded >> limits.precision
        if top > limits.highest:
            self.flags |= OVERFLOW
            if self.masked & OE:
                return self._overflow_value(fmt, limits, sign)
            if top - WRAP > limits.highest:                  # FSCALE alone can do that
                self.rounding = NEAREST
                return self._overflow_value(fmt, limits, sign)
            unit -= WRAP
        elif top < limits.lowest:
            if not self.masked & UE:
                self.flags |= UNDERFLOW
                unit += WRAP
                if top + WRAP < limits.lowest:
                    self.flags, self.up = self.flags | INEXACT, False
                    return self.zero(fmt, sign)
            else:
                unit = limits.lowest - limits.precision + 1
                rounded, inexact = self.round_to(sign, significand, exponent, unit)
                self.flags |= UNDERFLOW if inexact else 0
        if inexact:
            self.flags |= INEXACT
        return pack(fmt, sign, rounded, unit)

    def round_to(self, sign: int, significand: int, exponent: int, unit: int) -> tuple[int, bool]:
        """Return the number as a multiple of 2**unit, rounded, and whether that lost anything; note whether it grew."""
        whole, inexact = super().round_to(sign, significand, exponent, unit)
        self.up = inexact and whole << (unit - exponent) > significand
        return whole, inexact

    def _overflow_value(self, fmt: Format, limits: Range, sign: int) -> int:
        """Return infinity or the largest number of the precision."""
        self.flags |= INEXACT
        self.up = self.rounding not in {ZERO, UP if sign else DOWN}
        if self.up:
            return self.infinity(fmt, sign)
        return pack(fmt, sign, (1 << limits.precision) - 1, limits.highest - limits.precision + 1)


def number(sign: int, significand: int, exponent: int) -> int:
    """Return the bits of an extended number that needs no rounding."""
    return pack(F80, sign, significand, exponent)


def pack(fmt: Format, sign: int, significand: int, exponent: int) -> int:
    """Return the bits of a number that fits its format: significand * 2**exponent."""
    digits = 64 if fmt.name == "f80" else fmt.fraction + 1
    lowest = 1 - fmt.bias - (digits - 1)
    if significand == 0:
        return sign << (fmt.width - 1)
    shift = max(exponent + significand.bit_length() - digits, lowest) - exponent
    significand = significand << -shift if shift < 0 else significand >> shift
    biased = (exponent + shift - lowest + 1) if significand >> (digits - 1) else 0
    fraction = significand if fmt.name == "f80" else significand & ((1 << fmt.fraction) - 1)
    return sign << (fmt.width - 1) | (biased & fmt.top) << fmt.fraction | fraction
