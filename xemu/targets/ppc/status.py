"""FPSCR in rows: put together when it is read, taken apart when it is written. Power ISA Book I, 4.2.2.

FR, FI and FPRF are those of the last operation, which is remembered as what it was and worked out here. FX, FEX and VX are no bits of
their own: FX is set by exceptions that FPSCR did not have when it was last written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, make, mux, ult, unique, zext
from xemu.core.fp import SLOW_OPERATIONS, Parts, any_of

if TYPE_CHECKING:
    from typing import Any

    from xemu.targets.ppc.state import PpcCpu

#: bits of FPSCR
FX, OX, UX, ZX, XX = 31, 28, 27, 26, 25
VE, OE, UE, ZE, XE = 7, 6, 5, 4, 3
STICKY = 0x9FF8_0700             # FX and the exceptions
INVALIDS = 0x01F8_0700           # kinds of invalid operations
CONTROLS = 0xFF
#: FPOP: which operation (0: FPLAST has FR, FI and FPRF; EXACT: none that rounds), its rounding mode, what its result is
EXACT = 0xFF
ROUNDING, SINGLE, INTEGER = 8, 10, 11


def operation(name: str, fmt: Any) -> int:
    """Return FPOP for an operation of the rules (a name of softfloat.lane) in rounding mode 0."""
    kind = 1 << SINGLE if name.endswith("_f32") or fmt == ("f64", "f32") else 1 << INTEGER if name in ("to_sint", "to_uint") else 0
    return SLOW_OPERATIONS.index((name, fmt)) + 1 | kind


def classified(value: Bits, single: Bits) -> Bits:
    """Return FPRF for a double, or for a single in the format of doubles (Book I, figure 47)."""
    x = Parts(value, "f64")
    least = mux(single, const(0x381 << 52, 64), const(1 << 52, 64))
    denormal = ult(x.magnitude, least) & ~x.is_zero
    number = ~x.is_zero & ~x.is_nan
    return cat(x.is_nan | (x.sign & x.is_zero) | denormal, x.sign & number, ~x.sign & number, x.is_zero, x.is_nan | x.is_infinity)


def result_flags(cpu: PpcCpu) -> Bits:
    """Return FPRF: C and FPCC."""
    op, last, cc = cpu.FPOP, cpu.FPLAST, cpu.FPCC
    known = mux(op[INTEGER], const(0, 5), classified(cpu.FPRES, op[SINGLE]))
    flags = mux(op[7:0] == 0, last[4:0], known)
    return cat(flags[4], mux(cc[4], cc[3:0], flags[3:0]))


def rounding_flags(cpu: PpcCpu, wanted: Bits) -> Bits:
    """Return FR and FI; where they are not wanted, whatever costs no time."""
    op, last = cpu.FPOP, cpu.FPLAST
    again = make("fpagain", 16, (mux(wanted, op[7:0], const(0, 8)), *(cpu.FPARG[n] for n in range(3)), zext(op[9:8], 8)), "ppc")
    return mux(op[7:0] == 0, last[6:5], cat(again[5], again[4]))


def host_exceptions() -> Bits:
    """Return the exceptions that native code has gathered since it was last asked."""
    return make("hostflags", 16, (), unique())


def spread(flags: Bits) -> Bits:
    """Return exceptions (fp.py) in their places in FPSCR's word."""
    high = [flags[n] for n in (2, 3, 1, 4, 8, 9, 10, 11, 12, 13)]
    return zext(cat(*high, const(0, 9), flags[14], flags[15], const(0, 8)), 32)


def exceptions(cpu: PpcCpu) -> Bits:
    """Return FX, FEX, VX and all exceptions, in their places. Native code's are gathered."""
    flags = cpu.FPFLAGS | host_exceptions()
    cpu.FPFLAGS = flags
    old, new = cpu.FPSTICKY, spread(flags)
    return summarized((old | new) | zext((new & ~old) != 0, 32) << FX, cpu.FPCTL)


def summarized(word: Bits, controls: Bits) -> Bits:
    """Return a word of exceptions with FEX and VX."""
    invalid = (word & INVALIDS) != 0
    enabled = any_of([invalid & controls[VE], word[OX] & controls[OE], word[UX] & controls[UE], word[ZX] & controls[ZE],
                      word[XX] & controls[XE]])
    return word | zext(cat(enabled, invalid, const(0, 29)), 32)


def record(cpu: PpcCpu) -> None:
    """Set CR1 to FX, FEX, VX and OX (Rc = 1)."""
    word = exceptions(cpu)
    cpu.set_cr(1, [word[n] for n in (31, 30, 29, 28)])


def read(cpu: PpcCpu, wanted: Bits | None = None) -> Bits:
    """Return FPSCR's 64 bits; FR and FI mean something only where they are wanted. They are 0 where XX is."""
    low = exceptions(cpu)
    rounding = rounding_flags(cpu, low[XX] if wanted is None else low[XX] & wanted)
    return cat(const(0, 29), cpu.DRN, low | zext(cat(rounding, result_flags(cpu), const(0, 12)), 32) | cpu.FPCTL)


def settle(cpu: PpcCpu, word: Bits) -> None:
    """Keep FR, FI and FPRF as they have been worked out, so that who asks again need not wait."""
    cpu.FPLAST = zext(word[18:12], 8)
    cpu.FPOP, cpu.FPCC = const(0, 16), const(0, 5)


def write_status(cpu: PpcCpu, word: Bits) -> None:
    """Set FX, the exceptions, FR, FI and FPRF from FPSCR's low word. After `exceptions`, which has taken the host's."""
    cpu.FPSTICKY = word & STICKY
    cpu.FPFLAGS = const(0, 16)
    settle(cpu, word)


def context(cpu: PpcCpu, controls: Bits) -> Bits:
    """Return the context word that control bits mean."""
    return cat(const(0, 14), const(cpu.context.JAVA, 1), (controls & 0xFB) != 0)
