"""Numbers of floating-point formats as Python integers: taking them apart, rounding, and the rules that targets choose.

An operation gets a control word (see fp.py), and `Rules` for what IEEE 754 leaves open: which NaN comes out, when a
result counts as tiny, what an integer conversion gives that does not fit. A finite number is sign, significand and
exponent as Python ints, so every intermediate result is exact and there is one rounding, in `Operation.round`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

#: exceptions, as bits of the result of evaluate_flags (the IEEE five, and ARM's "input denormal")
INVALID, DIVIDE_BY_ZERO, OVERFLOW, UNDERFLOW, INEXACT, INPUT_DENORMAL = 1, 2, 4, 8, 16, 128
#: where rules tell kinds of invalid operations apart, the magnitude was increased by rounding (no exception), and which kind it was
ROUNDED_UP = 32
(SIGNALLING_NAN, INFINITY_LESS_INFINITY, INFINITY_BY_INFINITY, ZERO_BY_ZERO, INFINITY_TIMES_ZERO, NAN_COMPARED, ROOT_OF_NEGATIVE,
 NO_INTEGER) = (1 << n for n in range(8, 16))
#: rounding modes, as in bits 2:0 of the control word
NEAREST, UP, DOWN, ZERO, AWAY, ODD = range(6)
#: kinds of numbers
NUMBER, INFINITY, QUIET, SIGNALLING = range(4)


@dataclass(frozen=True)
class Format:
    """A binary interchange format: so many bits of exponent and of fraction."""

    name: str
    width: int
    fraction: int

    @cached_property
    def exponent(self) -> int:
        """Return the bits of the exponent field."""
        return self.width - 1 - self.fraction

    @cached_property
    def bias(self) -> int:
        """Return the exponent bias."""
        return (1 << (self.exponent - 1)) - 1

    @cached_property
    def top(self) -> int:
        """Return the exponent field of infinities and NaNs."""
        return (1 << self.exponent) - 1

    @cached_property
    def infinity(self) -> int:
        """Return the bits of +infinity."""
        return self.top << self.fraction

    @cached_property
    def quiet(self) -> int:
        """Return the fraction bit that makes a NaN quiet."""
        return 1 << (self.fraction - 1)

    @cached_property
    def sign(self) -> int:
        """Return the sign bit."""
        return 1 << (self.width - 1)


FORMATS = {f.name: f for f in (Format("f16", 16, 10), Format("f32", 32, 23), Format("f64", 64, 52), Format("f128", 128, 112),
                               Format("f79", 79, 63))}           # f79: a quad with the precision of 80-bit numbers


LARGEST_SINGLE = 0x47EFFFFFE0000000          # as a double


@dataclass(frozen=True)
class Value:
    """An unpacked operand: (-1)**sign * significand * 2**exponent if it is a NUMBER. `bits` are those before flushing."""

    kind: int
    sign: int
    significand: int = 0
    exponent: int = 0
    bits: int = 0

    @property
    def is_nan(self) -> bool:
        """Return whether this is a NaN of either kind."""
        return self.kind >= QUIET

    @property
    def is_zero(self) -> bool:
        """Return whether this is a zero."""
        return self.kind == NUMBER and self.significand == 0


class Rules:
    """What a target does where IEEE 754 leaves a choice. These are ARM's; others override."""

    tiny_after_rounding = False
    default_nan_sign = 0
    #: bits 4 to 6 of the control word are x86's (fp.py)
    separate_flushing = False
    #: bits 5 and 6 are PowerPC's: results that underflow or overflow have their exponents adjusted
    adjusts = False
    #: bits of a word of exceptions, and which of them there are
    width, exceptions = 8, 0x9F

    def default_nan(self, fmt: Format) -> int:
        """Return the NaN that an invalid operation gives."""
        return self.default_nan_sign << (fmt.width - 1) | fmt.infinity | fmt.quiet

    def nan(self, op: Operation, fmt: Format, operands: list[Value]) -> int:
        """Return the result where at least one operand is a NaN: the first signalling one, else the first (FPProcessNaNs)."""
        if op.default_nans:
            return self.default_nan(fmt)
        first = next((v for v in operands if v.kind == SIGNALLING), None) or next(v for v in operands if v.is_nan)
        return first.bits | fmt.quiet

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return the result of a * b + c where one is a NaN: the addend comes first (FPMulAdd)."""
        if c.kind == QUIET and not (a.is_nan or b.is_nan) and is_zero_times_infinity(a, b):
            op.flags |= INVALID
            return self.default_nan(fmt)
        return self.nan(op, fmt, [c, a, b])

    def integer(self, value: Value, width: int, *, signed: bool, sign: int) -> int:  # width: for x86
        """Return the integer for a NaN (0) or for a number that is too large or too small (the nearest)."""
        if value.is_nan:
            return 0
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        return low if sign else high


class HostRules(Rules):
    """What a raw operation of the host gives. Slow functions must not depend on what hosts differ in; tests vary it."""

    tiny_after_rounding = True
    default_nan_sign = 1

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return some NaN."""
        return self.nan(op, fmt, [a, b, c])


class X86Rules(Rules):
    """SSE's (SDM vol. 1, 4.8.3, 11.5): tininess after rounding, a "denormal operand" exception, operands that are NaNs in order."""

    tiny_after_rounding = True
    default_nan_sign = 1
    separate_flushing = True

    def nan(self, op: Operation, fmt: Format, operands: list[Value]) -> int:  # noqa: ARG002  as the others
        """Return the first NaN, made quiet (SDM vol. 1, table 4-7)."""
        return next(v for v in operands if v.is_nan).bits | fmt.quiet

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return the first NaN: an infinity times zero is no exception where the addend is one."""
        return self.nan(op, fmt, [a, b, c])

    def integer(self, value: Value, width: int, *, signed: bool, sign: int) -> int:  # noqa: ARG002  as the others
        """Return the "integer indefinite" value."""
        return 1 << (width - 1)


class PpcRules(Rules):
    """PowerPC's (Power ISA Book I, 4.3, 4.4): the first NaN, kinds of invalid operations, exponents of trapped results adjusted."""

    adjusts = True
    width, exceptions = 16, 0xFF3F

    def nan(self, op: Operation, fmt: Format, operands: list[Value]) -> int:  # noqa: ARG002  as the others
        """Return the first NaN, made quiet (Book I, 4.3.2)."""
        return next(v for v in operands if v.is_nan).bits | fmt.quiet

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return the first NaN of FRA, FRB (the addend), FRC; an infinity times zero is an exception all the same."""
        if is_zero_times_infinity(a, b):
            op.flags |= INVALID | INFINITY_TIMES_ZERO
        return self.nan(op, fmt, [a, c, b])

    def integer(self, value: Value, width: int, *, signed: bool, sign: int) -> int:
        """Return the nearest integer; for a NaN the least (fctiw and its like)."""
        if value.is_nan:
            return -(1 << (width - 1)) if signed else 0
        return super().integer(value, width, signed=signed, sign=sign)


class VmxRules(PpcRules):
    """Those of PowerPC's vector instructions (Book I, 6.6), which raise nothing: native code keeps the host's exceptions as they were."""


#: name in the attribute of a node -> rules
RULES: dict[str, Rules] = {"arm": Rules(), "host": HostRules(), "x86": X86Rules(), "ppc": PpcRules(), "vmx": VmxRules()}
#: rules of operations that raise nothing
QUIETLY = frozenset({"vmx"})


def is_zero_times_infinity(a: Value, b: Value) -> bool:
    """Return whether a * b is invalid."""
    return (a.kind == INFINITY and b.is_zero) or (a.is_zero and b.kind == INFINITY)


class Operation:
    """One operation in progress: its control word taken apart, and the exceptions so far."""

    def __init__(self, rules: Rules, ctl: int) -> None:
        self.rules = rules
        self.rounding = ctl & 7
        self.flush = bool(ctl & 8)
        separate = rules.separate_flushing
        self.flush_inputs = bool(ctl & 16) if separate else self.flush
        self.adjusts = rules.adjusts
        self.default_nans = bool(ctl & 16) and not separate
        self.alternative_half = bool(ctl & 32) and not separate and not self.adjusts
        self.traps_underflow = bool(ctl & 32) and (separate or self.adjusts)
        self.traps_overflow = bool(ctl & 64) and (separate or self.adjusts)
        self.narrow = False                # doubles are rounded to the precision and range of singles
        self.flags = 0
        self.denormal = False              # an operand was one, which these rules make an exception if nothing goes before it

    # -- in ------------------------------------------------------------------------------------------------------
    def unpack(self, fmt: Format, bits: int) -> Value:
        """Take a number apart. With flush-to-zero a denormal (but for halves) is a zero and raises INPUT_DENORMAL."""
        sign = bits >> (fmt.width - 1)
        fraction, exponent = bits & ((1 << fmt.fraction) - 1), bits >> fmt.fraction & fmt.top
        lowest = 1 - fmt.bias - fmt.fraction
        if exponent == fmt.top and not (fmt.width == 16 and self.alternative_half):
            if fraction == 0:
                return Value(INFINITY, sign, bits=bits)
            return Value(QUIET if fraction & fmt.quiet else SIGNALLING, sign, bits=bits)
        if exponent == 0:
            if fraction and fmt.width != 16:
                if self.flush_inputs:
                    self.flags |= 0 if self.rules.separate_flushing else INPUT_DENORMAL
                    fraction = 0
                self.denormal = self.denormal or fraction != 0
            return Value(NUMBER, sign, fraction, lowest, bits)
        return Value(NUMBER, sign, fraction | 1 << fmt.fraction, lowest + exponent - 1, bits)

    # -- out -----------------------------------------------------------------------------------------------------
    def invalid(self, fmt: Format, kind: int = 0) -> int:
        """Raise INVALID; return the default NaN."""
        self.raises(INVALID | kind)
        self.denormal = False
        return self.rules.default_nan(fmt)

    def raises(self, exceptions: int) -> None:
        """Raise exceptions, those that the rules have."""
        self.flags |= exceptions & self.rules.exceptions

    def nan(self, fmt: Format, *operands: Value) -> int:
        """Return the NaN that comes out of these operands; INVALID if one is signalling."""
        self.signal(*operands)
        return self.rules.nan(self, fmt, list(operands))

    def signal(self, *operands: Value) -> None:
        """Raise INVALID for signalling NaNs."""
        self.denormal = False
        if any(v.kind == SIGNALLING for v in operands):
            self.raises(INVALID | SIGNALLING_NAN)

    def zero(self, fmt: Format, sign: int) -> int:
        """Return a zero."""
        return sign << (fmt.width - 1)

    def infinity(self, fmt: Format, sign: int) -> int:
        """Return an infinity."""
        return sign << (fmt.width - 1) | fmt.infinity

    def round(self, fmt: Format, sign: int, significand: int, exponent: int) -> int:
        """Return the bits of a non-zero number (-1)**sign * significand * 2**exponent, rounded once."""
        if self.narrow:
            return self._round_narrow(fmt, sign, significand, exponent)
        top = significand.bit_length() - 1 + exponent          # 2**top <= number < 2**(top + 1)
        lowest = 1 - fmt.bias
        tiny = top < lowest and not (self.rules.tiny_after_rounding and self._grows(fmt, sign, significand, exponent))
        if tiny and self.flush and fmt.width != 16:
            self.flags |= UNDERFLOW | (INEXACT if self.rules.separate_flushing else 0)
            return self.zero(fmt, sign)
        unit = max(top, lowest) - fmt.fraction
        rounded, inexact = self.round_to(sign, significand, exponent, unit)
        if tiny and (inexact or self.traps_underflow):
            self.flags |= UNDERFLOW
        if self.adjusts and self._adjusted(fmt, rounded, unit, tiny=tiny):
            return self._adjust(fmt, fmt, sign, significand, exponent, tiny=tiny)
        if (tiny and self.traps_underflow) or (top > fmt.bias and self.traps_overflow):
            inexact = self.round_to(sign, significand, exponent, top - fmt.fraction)[1]        # of the result with another exponent
        up = inexact and rounded > significand >> (unit - exponent)
        if rounded >> (fmt.fraction + 1):                      # carried into the next power of two
            rounded, unit = rounded >> 1, unit + 1
        biased = unit + fmt.fraction + fmt.bias if rounded >> fmt.fraction else 0
        if biased >= fmt.top and self._overflows(fmt, biased):
            return self._overflow(fmt, sign, inexact=inexact)
        self.note(inexact=inexact, up=up)
        return sign << (fmt.width - 1) | biased << fmt.fraction | (rounded & ((1 << fmt.fraction) - 1))

    def note(self, *, inexact: bool, up: bool) -> None:
        """Note what rounding did."""
        self.raises((INEXACT if inexact else 0) | (ROUNDED_UP if up else 0))

    # -- PowerPC: singles in registers of doubles, exponents adjusted ----------------------------------------------
    def _round_narrow(self, fmt: Format, sign: int, significand: int, exponent: int) -> int:
        """Return a number rounded to a single, as a double.

        First it is cut to a double whose last bit says whether anything is missing.
        """
        kept = self.flags, self.rounding, self.traps_underflow, self.traps_overflow
        self.narrow, self.flags, self.rounding, self.traps_underflow, self.traps_overflow = False, 0, ZERO, False, False
        odd = self.round(fmt, sign, significand, exponent)
        odd |= int(self.flags & INEXACT != 0)
        self.flags, self.rounding, self.traps_underflow, self.traps_overflow = kept
        v, single = self.unpack(fmt, odd), FORMATS["f32"]
        top = v.significand.bit_length() - 1 + v.exponent
        unit = max(top, 1 - single.bias) - single.fraction
        rounded, inexact = self.round_to(sign, v.significand, v.exponent, unit)
        tiny = top < 1 - single.bias
        if self._adjusted(single, rounded, unit, tiny=tiny):
            return self._adjust(single, fmt, sign, v.significand, v.exponent, tiny=tiny)
        if tiny and inexact:
            self.flags |= UNDERFLOW
        if rounded.bit_length() + unit > single.bias + 1:
            limit = self._overflow(single, sign, inexact=True)
            return self.infinity(fmt, sign) if limit & single.infinity == single.infinity else sign << 63 | LARGEST_SINGLE
        self.note(inexact=inexact, up=inexact and rounded > v.significand >> (unit - v.exponent))
        return self._packed(fmt, sign, rounded, unit)

    def _adjusted(self, fmt: Format, rounded: int, unit: int, *, tiny: bool) -> bool:
        """Return whether a result leaves the range on a side that traps."""
        return (tiny and self.traps_underflow) or (self.traps_overflow and rounded.bit_length() + unit > fmt.bias + 1)

    def _adjust(self, fmt: Format, register: Format, sign: int, significand: int, exponent: int, *, tiny: bool) -> int:
        """Return a result rounded to a format's precision with its exponent adjusted (Book I, 4.4.3.1, 4.4.4.1)."""
        unit = significand.bit_length() - 1 + exponent - fmt.fraction
        rounded, inexact = self.round_to(sign, significand, exponent, unit)
        self.flags |= UNDERFLOW if tiny else OVERFLOW
        self.note(inexact=inexact, up=inexact and rounded > significand >> (unit - exponent))
        step = 3 << (fmt.exponent - 2)
        return self._packed(register, sign, rounded, unit + (step if tiny else -step))

    def _packed(self, fmt: Format, sign: int, significand: int, unit: int) -> int:
        """Return the bits of significand * 2**unit, which has no more bits than the format; an exponent is cut to its field."""
        if significand == 0:
            return self.zero(fmt, sign)
        shift = fmt.fraction + 1 - significand.bit_length()
        biased = fmt.fraction - shift + unit + fmt.bias & fmt.top
        fraction = (significand << shift if shift >= 0 else significand >> -shift) & ((1 << fmt.fraction) - 1)
        return sign << (fmt.width - 1) | biased << fmt.fraction | fraction

    def round_to(self, sign: int, significand: int, exponent: int, unit: int) -> tuple[int, bool]:
        """Return the number as a multiple of 2**unit, rounded, and whether that lost anything."""
        shift = unit - exponent
        if shift <= 0:
            return significand << -shift, False
        whole, rest, half = significand >> shift, significand & ((1 << shift) - 1), 1 << (shift - 1)
        match self.rounding:
            case 0: up = rest > half or (rest == half and whole & 1 == 1)
            case 1: up = rest != 0 and not sign
            case 2: up = rest != 0 and sign == 1
            case 3: up = False
            case 5: up = rest != 0 and whole & 1 == 0
            case _: up = rest >= half
        return whole + up, rest != 0

    def _grows(self, fmt: Format, sign: int, significand: int, exponent: int) -> bool:
        """Return whether a number below the normal ones rounds up to one, were the exponent unbounded."""
        top = significand.bit_length() - 1 + exponent
        rounded, _ = self.round_to(sign, significand, exponent, top - fmt.fraction)
        return top == -fmt.bias and rounded >> (fmt.fraction + 1) != 0

    def _overflows(self, fmt: Format, biased: int) -> bool:
        return biased > fmt.top or not (fmt.width == 16 and self.alternative_half)

    def _overflow(self, fmt: Format, sign: int, *, inexact: bool) -> int:
        """Return infinity or the largest number; the alternative half format has neither: INVALID."""
        if fmt.width == 16 and self.alternative_half:
            self.flags |= INVALID
            return sign << 15 | 0x7FFF
        self.flags |= OVERFLOW | (INEXACT if inexact or not self.traps_overflow else 0)
        towards_zero = self.rounding in {ZERO, ODD, UP if sign else DOWN}
        self.note(inexact=False, up=not towards_zero)
        return self.infinity(fmt, sign) - (1 if towards_zero else 0)
