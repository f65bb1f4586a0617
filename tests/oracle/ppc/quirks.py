"""Where QEMU 7.2 is not believed: what it does differently from the manual, and what the manual leaves undefined."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.oracle.ppc.state import NJ, SAT
from tests.oracle.ppc.values import FEX, FI, FPRF, FR, FX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.ppc.state import Case, Outcome

    When = Callable[[Case, Outcome], bool]

M64: Final = (1 << 64) - 1
# bits of FPSCR; ADJUSTS: OE and UE
VXVC, VE = 1 << 19, 0x80
VXVC_ENABLED, UE = 1 << 19 | 1 << 7, 0x20
OX, UX, ZX, XX, CLASS, VXCVI, ZE, NI, ADJUSTS = 1 << 28, 1 << 27, 1 << 26, 1 << 25, 1 << 16, 0x100, 0x10, 4, 0x60
CR1, CR1_FX, CR1_FEX = 0xF << 24, 1 << 27, 1 << 26
SINGLES: Final = r"f(add|sub|mul|div|sqrt|madd|msub|nmadd|nmsub|re|rsqrte)s|xs\w*sp"
MOST_PACKED: Final = 10 ** 31


class Quirk(NamedTuple):
    """Lines of a comparison (a regular expression for their beginnings) that do not count, for which instructions, and when."""

    names: str
    lines: str
    reason: str
    when: When = lambda _case, _expected: True


class Mask(NamedTuple):
    """Bits of a register that do not count after some instructions."""

    names: str
    register: str
    bits: int
    reason: str
    when: When = lambda _case, _expected: True


def field(case: Case, name: str) -> int:
    """Return a field of the last instruction: D (bits 6 to 10 of the manual), A, B."""
    return case.words[-1] >> {"D": 21, "A": 16, "B": 11}[name] & 31


def vr(case: Case, name: str) -> int:
    """Return the vector register that a field names, before the case."""
    return case.state.vsr[32 + field(case, name)]


def signed(value: int, bits: int = 64) -> int:
    """Return a number in two's complement."""
    return value - (1 << bits) if value >> bits - 1 else value


def is_packed(value: int, *, sign: bool = True) -> bool:
    """Return whether all digits are, and the sign is one."""
    digits = f"{value:032x}"
    return digits[:31].isdecimal() and (digits[31] in "abcdef" if sign else digits[31].isdecimal())


def not_packed(*names: str, sign: bool = True) -> When:
    """Return whether one of the registers is no packed decimal number."""
    return lambda case, _: not all(is_packed(vr(case, name), sign=sign) for name in names)


def is_zoned(case: Case) -> bool:
    """Return whether VRB is a number in zones: the zone is 3 (PS = 0) or F, any sign (PS = 0) or A to F."""
    text = f"{vr(case, 'B'):032x}"
    zones, preferred = text[0:30:2], case.words[-1] >> 9 & 1
    return zones == "3f"[preferred] * 15 and text[1::2].isdecimal() and (not preferred or text[30] in "abcdef")


def is_national(case: Case) -> bool:
    """Return whether VRB is a number in national digits."""
    text = f"{vr(case, 'B'):032x}"
    return re.fullmatch("(003[0-9]){7}002[bd]", text) is not None


def divde_overflows(case: Case, _expected: Outcome) -> bool:
    """Return whether the quotient of DIVDE does not fit although the dividend's upper half is less than the divisor."""
    dividend, divisor = signed(case.state.r[field(case, "A")]) << 64, signed(case.state.r[field(case, "B")])
    return divisor != 0 and not -(1 << 63) <= (abs(dividend) // abs(divisor)) * (-1 if (dividend < 0) != (divisor < 0) else 1) < 1 << 63


def past_end(size: int) -> When:
    """Return whether an element of this size, at the index in RA, goes beyond the end of the vector."""
    return lambda case, _: case.state.r[field(case, "A")] & 15 > 16 - size


def rounds_down_or_up(case: Case, _expected: Outcome) -> bool:
    """Return whether a directed rounding mode is set."""
    return bool(case.state.fpscr & 2)


def interrupted(_case: Case, expected: Outcome) -> bool:
    """Return whether an enabled floating-point exception interrupted the instruction."""
    return expected.ended == "fpe"


def xb(case: Case) -> int:
    """Return the vector-scalar register XB, before the case."""
    return case.state.vsr[field(case, "B") | case.words[-1] << 4 & 32]


def first_is_nan(case: Case, _expected: Outcome) -> bool:
    """Return whether the vector-scalar register XA holds a NaN."""
    word = case.words[-1]
    return case.state.vsr[(word >> 2 & 1) << 5 | word >> 16 & 31] >> 64 & (1 << 63) - 1 > 0x7FF << 52


def fpscr_rounds(case: Case, _expected: Outcome) -> bool:
    """Return whether a rounding to a quad-precision integer or format takes FPSCR's mode (R = 0, RMC = 3), and that is not usual."""
    return case.words[-1] >> 16 & 1 == 0 and case.words[-1] >> 9 & 3 == 3 and bool(case.state.fpscr & 3)


def fpr_pair(case: Case, name: str) -> int:
    """Return the floating-point register that a field names, and the one after it."""
    return case.state.vsr[field(case, name)] >> 64 << 64 | case.state.vsr[field(case, name) | 1] >> 64


def not_canonical(name: str) -> When:
    """Return whether a decimal operand is an infinity with digits, or a NaN with bits in its exponent's place (Book I, 5.5.3)."""
    def check(case: Case, _expected: Outcome) -> bool:
        number, quad = field(case, name), case.words[-1] >> 26 == 63
        value = case.state.vsr[number] >> 64
        rest = case.state.vsr[number | 1] >> 64 if quad else 0
        infinity = value >> 58 & 0x1F == 0x1E
        nan = value >> 58 & 0x1F == 0x1F
        exponent = value >> 46 & 0x7FF if quad else value >> 50 & 0x7F
        return (infinity and bool(value & (1 << 58) - 1 | rest)) or (nan and bool(exponent))
    return check


def rounds_twice(case: Case, _expected: Outcome) -> bool:
    """Return whether a single-precision result may show that it was rounded to double format first: that one is exact, or half way."""
    word = case.words[-1]
    xa = case.state.vsr[field(case, "A") | word << 3 & 32]
    a, b = (struct.unpack("<d", (x >> 64).to_bytes(8, "little"))[0] for x in (xa, xb(case)))
    operation = {0: a + b, 8: a - b, 16: a * b, 24: a / b if b else a}[word >> 3 & 0xFF]
    (bits,) = struct.unpack("<Q", struct.pack("<d", operation))
    return bits >> 52 & 0x7FF < 897 or (bits + 1) & 0xFFF_FFFF < 3


STATE: Final = "v|f|cr"             # of floating point
#: instructions that show, in QEMU, exceptions of an earlier one
STALE: Final = "x[sv](max|min)[sd]p|xscmpexp[dq]p|xvcv[su]xdsp"
UNDEFINED: Final = "the manual leaves it undefined"
QUIRKS: Final = (
    Quirk("st[bhwdq]cx", "(segv|bus).*expected done", "QEMU does not look at the address where there is no reservation"),
    Quirk("stqcx", r"cr|\[", "QEMU's store of 16 bytes fails, in this byte order", lambda case, _: len(case.words) > 1),
    Quirk("[ls]t?wat", ".*", "QEMU compares words without their sign", lambda case, _: field(case, "B") in (5, 7)),
    Quirk("lwat|ldat", r"r\d", "QEMU extends the sign of what says that nothing was stored, and has 32 bits of it for doublewords",
          lambda case, _: field(case, "B") in (24, 25, 28)),
    Quirk("icbi", "segv", "QEMU reports the address of the line"),
    Quirk("divde", r"r\d|xer|cr", "QEMU does not notice all overflows", divde_overflows),
    Quirk("vrldmi", "vs", "QEMU clears what is not under the mask"),
    Quirk("vextuh[lr]x", r"r\d", UNDEFINED, past_end(2)), Quirk("vextuw[lr]x", r"r\d", UNDEFINED, past_end(4)),
    Quirk("bcdadd|bcdsub", "vs|cr", "not decimal: QEMU does not always notice", not_packed("A", "B")),
    Quirk("bcdcpsgn", "vs|cr", "not decimal: " + UNDEFINED, not_packed("A", "B")),
    Quirk("bcdcpsgn", "vs|cr", "QEMU takes the sign of VRA where VRT is VRB", lambda case, _: field(case, "D") == field(case, "B")),
    Quirk("bcdctn|bcdctz|bcdctsq|bcdsetsgn|bcds|bcdsr|bcdtrunc", "vs|cr", "not decimal: QEMU sets other bits of CR6, too", not_packed("B")),
    Quirk("bcdus|bcdutrunc", "vs|cr", "not decimal: QEMU sets other bits of CR6, too", not_packed("B", sign=False)),
    Quirk("bcdcfn", "vs|cr", "not decimal: QEMU sets other bits of CR6, too", lambda case, _: not is_national(case)),
    Quirk("bcdcfz", "vs|cr", "not decimal: QEMU sets other bits of CR6, too", lambda case, _: not is_zoned(case)),
    Quirk("bcdu?trunc", "vs|cr", "QEMU takes the length for a signed number", lambda case, _: vr(case, "A") >> 64 & 0xFFFF >= 0x7FFF),
    Quirk("bcds|bcdsr|bcdtrunc", "cr", "QEMU compares the result with 0, the manual the operand",
          lambda case, expected: not expected.state.vsr[32 + field(case, "D")] >> 4),
    Quirk("bcdus", "cr", "QEMU takes the last digit for a sign"),
    Quirk("bcdutrunc", "cr", "QEMU compares the result with 0, the manual the operand",
          lambda case, expected: not expected.state.vsr[32 + field(case, "D")]),
    Quirk("vexptefp|vlogefp", "v", "estimates: within the manual's bounds each processor has its own"),
    Quirk("fres?|xsre[sd]p", STATE, "QEMU gives 1/2 for 1/0", lambda _, expected: bool(expected.state.fpscr & ZX)),
    Quirk("fcfidu?s?", STATE, "QEMU leaves the instruction before the result is written", interrupted),
    Quirk("(f|xs|xv)nm(add|sub).*", STATE, "QEMU negates before it rounds", rounds_down_or_up),
    Quirk(SINGLES + "|frsp", STATE, "undefined of operands that are no singles, which shows where exponents are adjusted",
          lambda case, _: bool(case.state.fpscr & ADJUSTS)),
    Quirk("x[sv]cmpg[et][sd]p", f"fpe.*expected done|{STATE}", "QEMU writes the result of what is VXVC, and does not always interrupt",
          lambda _, expected: expected.state.fpscr & VXVC_ENABLED == VXVC_ENABLED),
    Quirk("xv.*", STATE, "QEMU tells the first element's exception and writes results that the manual suppresses", interrupted),
    Quirk("x[sv]r(e|sqrte)[sd]p", STATE + "|fpe, expected done", "QEMU does not set ZX", lambda case, _: bool(case.state.fpscr & ZE)),
    Quirk("xvcv[sd]p[su]x[dw]s", "v", "in QEMU an invalid element makes all after it invalid",
          lambda _, expected: bool(expected.state.fpscr & VXCVI)),
    Quirk(STALE, "done, expected fpe", "QEMU shows exceptions of an earlier instruction"),
    Quirk("xs(max|min)jdp", f"fpe, expected done|fpscr|{STATE}", "QEMU looks at the second operand only if the first is a number",
          first_is_nan),
    Quirk("xsn?m(add|sub)qpo?", STATE, "QEMU does not round XSNMSUBQPO to odd", lambda case, _: case.words[-1] & 0x7FF == 0x3C9),
    Quirk("xsrqp(ix?|xp)", STATE, "QEMU takes FPSCR's rounding mode for another", fpscr_rounds),
    Quirk("xsrsp|xsrqp(ix?|xp)", STATE, "QEMU leaves the instruction before the result is written", interrupted),
    Quirk("xv.*", "fpe.*expected done", "QEMU does not see UX where another element sets OX",
          lambda _, expected: bool(expected.state.fpscr & OX and expected.state.fpscr & UE)),
    Quirk("xs(add|sub|mul|div)sp", STATE, "QEMU rounds to double format first", rounds_twice),
    Quirk("xststdcsp", "cr|fpscr", "QEMU takes denormal singles for zeros", lambda case, _: 0 < xb(case) >> 116 & 0x7FF < 897),
    Quirk("bcdctsq", "cr", "QEMU looks at the operand after it has written the result",
          lambda case, _: field(case, "D") == field(case, "B")),
    Quirk("m[tf]spr", "undefined, expected done", "QEMU lets programs write the performance monitor, which a kernel enables"),
    Quirk("drdpq", STATE, "QEMU does not set VXSNAN", lambda case, _: fpr_pair(case, "B") >> 121 & 0x3F == 0x3F),
    Quirk("d.*", "fpe, expected done", "QEMU's decimal instructions never interrupt"),
    Quirk("denbcdq?", STATE, "QEMU takes A for a digit", lambda case, _: "a" in f"{fpr_pair(case, 'B'):x}"),
    Quirk("drdpq", "vs", "QEMU writes the odd register"),
    Quirk("dsc[lr]iq?", STATE, "QEMU does not make special operands canonical, or forgets their digits", not_canonical("A")),
    Quirk("drsp|drdpq", "v", "QEMU drops digits of NaNs", lambda case, _: fpr_pair(case, "B") >> 122 & 0x1F == 0x1F),
    Quirk("ddedpdq?|drsp|dctdp|drdpq|diexq?", STATE, "QEMU does not make special operands canonical, or forgets their digits",
          not_canonical("B")),
    Quirk("bcdcfsq", "vs", UNDEFINED, lambda case, _: abs(signed(vr(case, "B"), 128)) >= MOST_PACKED),
)


def ignored(case: Case, expected: Outcome, mnemonic: str) -> list[str]:
    """Return the regular expressions of lines that do not count for a case."""
    name = mnemonic.rstrip(".")
    return [quirk.lines for quirk in QUIRKS if re.fullmatch(quirk.names, name) and quirk.when(case, expected)]


def set_in_qemu(_case: Case, expected: Outcome) -> bool:
    """Return whether FX is set in QEMU."""
    return bool(expected.state.fpscr & FX)


def records(case: Case, _expected: Outcome) -> bool:
    """Return whether a floating-point instruction sets CR1 (Rc = 1)."""
    return bool(case.words[-1] & 1)


EXTRA_FX: Final = "QEMU sets FX for exceptions that were there before, too"
MASKS: Final = (
    Mask(".*", "vscr", ~(NJ | SAT), "QEMU keeps bits that do not exist"),
    Mask(".*", "vrsave", ~0xFFFF_FFFF, "QEMU keeps 64 bits"),
    Mask(".*", "fpscr", FI | FR, "QEMU never sets FR, and FI not after every operation"),
    Mask("l?f.*|xs.*|xv.*|d.*", "fpscr", FX, EXTRA_FX, set_in_qemu),
    Mask("(f|mff|mtf|d).*", "cr", CR1_FX, EXTRA_FX, records),
    Mask("(f|mff|mtf|d).*", "cr", CR1, "QEMU leaves the instruction before CR1 is set",
         lambda case, expected: records(case, expected) and interrupted(case, expected)),
    Mask(SINGLES + "|frsp|fcfidu?s", "fpscr", CLASS, "QEMU classifies singles as if they were doubles: none is a denormal"),
    Mask("fcti[wd].*|xscvdp[su]x.*", "fpscr", FPRF, UNDEFINED),
    Mask("d.*", "fpscr", FEX, "QEMU sets FEX for exceptions that are not enabled"),
    Mask("d.*", "cr", CR1_FEX, "QEMU sets FEX for exceptions that are not enabled", records),
    Mask("denbcdq?", "fpscr", FPRF, "QEMU leaves it as it was"),
    Mask("fcfid(s|u|us)", "fpscr", FPRF, "QEMU leaves it as it was"),
    Mask("fcmp[uo]", "fpscr", CLASS, "QEMU sets C where the operands are unordered"),
    Mask("fcmpo", "fpscr", VXVC, "QEMU sets VXVC for signalling NaNs, even where VE is set", lambda case, _: bool(case.state.fpscr & VE)),
    Mask("mtfsb1", "fpscr", NI | FX, "QEMU does not set NI, nor FX for an exception's bit"),
    Mask("mtfsb1", "cr", CR1_FX, "QEMU does not set FX for an exception's bit", records),
    Mask(STALE, "fpscr", FX | OX | UX | ZX | XX, "QEMU shows exceptions of an earlier instruction"),
    Mask("xv.*", "fpscr", UX, "QEMU sets UX only where no other element sets OX", lambda _, expected: bool(expected.state.fpscr & OX)),
    Mask("x[sv]r(e|sqrte)[sd]p", "fpscr", ZX | FX, "QEMU does not set ZX"),
    Mask("xscvqp[su][dw]z", "fpscr", FPRF, UNDEFINED),
)


def masks(case: Case, expected: Outcome, mnemonic: str) -> dict[str, int]:
    """Return the bits of registers that count for a case, where not all do."""
    found = {"xer": case.machine.xer}
    for mask in MASKS:
        if re.fullmatch(mask.names, mnemonic.rstrip(".")) and mask.when(case, expected):
            found[mask.register] = found.get(mask.register, ~0) & ~mask.bits
    return found
