"""Vector-scalar conversions between formats and from and to integers. Power ISA Book I, 7.6.1.6.

Where a source or a result is half as wide as its element, it is the upper half; the lower half of a result is the same.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, cat, const, mux, zext
from xemu.core.fp import Parts
from xemu.targets.ppc.floating import Floating
from xemu.targets.ppc.fp_load_store import double, single
from xemu.targets.ppc.status import operation
from xemu.targets.ppc.vsx import scalar, set_scalar, xx2
from xemu.targets.ppc.vsx_arithmetic import write_scalar, write_vector


def twice(word: Bits) -> Bits:
    """Return a word in both halves of a doubleword."""
    return cat(word, word)


def upper_words(value: Bits) -> Bits:
    """Return words 0 and 2 of a register."""
    lanes = Lanes(value, 32)
    return lanes.shuffle(lanes, (1, 3)).bits


def spread_words(value: Bits) -> Bits:
    """Return two words as words 0 and 2, each doubled."""
    lanes = Lanes(value, 32)
    return lanes.shuffle(lanes, (0, 0, 1, 1)).bits


# -- formats ----------------------------------------------------------------------------------------------------------------


def to_word(cpu, XT, XB):
    """VSX Scalar Convert Double-Precision to Single-Precision: to word 0."""
    value, written = Floating(cpu).scalar("round_f32", "f64", scalar(cpu, XB))
    write_scalar(cpu, XT, twice(single(cpu, value)), written)


def from_word(cpu, XT, XB):
    """VSX Scalar Convert Single-Precision to Double-Precision: from word 0."""
    write_scalar(cpu, XT, *Floating(cpu).scalar("to_float", ("f32", "f64"), scalar(cpu, XB)[63:32]))


def quiet_to_word(cpu, XT, XB):
    """VSX Scalar Convert Double-Precision to Single-Precision Non-signalling."""
    set_scalar(cpu, XT, twice(single(cpu, scalar(cpu, XB))))


def quiet_from_word(cpu, XT, XB):
    """VSX Scalar Convert Single-Precision to Double-Precision Non-signalling."""
    set_scalar(cpu, XT, double(cpu, scalar(cpu, XB)[63:32]))


def from_half(cpu, XT, XB):
    """VSX Scalar Convert Half-Precision to Double-Precision."""
    write_scalar(cpu, XT, *Floating(cpu).scalar("to_float", ("f16", "f64"), scalar(cpu, XB)[15:0]))


def alike(half: Bits) -> Bits:
    """Return a double that is of the class of a half, for FPRF."""
    x = Parts(half, "f16")
    exponent = mux(x.exponent == 0, const(0, 11), mux(x.exponent == 31, const(2047, 11), const(1023, 11)))
    return cat(x.sign, exponent, x.fraction, const(0, 42))


def to_half(cpu, XT, XB):
    """VSX Scalar Convert Double-Precision to Half-Precision."""
    f, x, fmt = Floating(cpu), scalar(cpu, XB), ("f64", "f16")
    half = f("to_float", fmt, x)
    write_scalar(cpu, XT, zext(half, 64), f.finish_scalar(alike(half), operation("to_float", fmt), x))


def vector(cpu, XT, XB, f, fmt, lanes, before=None, after=None):
    """VSX Vector Convert. `before` and `after` put elements where the operation has them."""
    fp, x = Floating(cpu), cpu.VSR[XB]
    value = fp(f, fmt, before(x) if before else x, lanes=lanes)
    write_vector(cpu, XT, fp, after(value) if after else value)


def low_halves(value: Bits) -> Bits:
    """Return halfword 1 of each word."""
    return Lanes(value, 32).narrow().bits


def as_words(value: Bits) -> Bits:
    """Return halfwords as words, zeros before them."""
    return Lanes(value, 16).widen(signed=False).bits


xx2("xscvdpsp", 265, to_word)
xx2("xscvdpspn", 267, quiet_to_word)
xx2("xscvspdp", 329, from_word)
xx2("xscvspdpn", 331, quiet_from_word)
xx2("xscvhpdp", 347, from_half, middle="10000")
xx2("xscvdphp", 347, to_half, middle="10001")
xx2("xvcvdpsp", 393, vector, f="to_float", fmt=("f64", "f32"), lanes=2, after=spread_words)
xx2("xvcvspdp", 457, vector, f="to_float", fmt=("f32", "f64"), lanes=2, before=upper_words)
xx2("xvcvhpsp", 475, vector, middle="11000", f="to_float", fmt=("f16", "f32"), lanes=4, before=low_halves)
xx2("xvcvsphp", 475, vector, middle="11001", f="to_float", fmt=("f32", "f16"), lanes=4, after=as_words)


# -- integers -----------------------------------------------------------------------------------------------------------------


def to_integer(cpu, XT, XB, f, width):
    """VSX Scalar Convert with round to zero Double-Precision to Signed or Unsigned Doubleword or Word."""
    value, written = Floating(cpu).scalar(f, ("f64", width, "zero", 0), scalar(cpu, XB))
    write_scalar(cpu, XT, value if width == 64 else twice(value), written)


def from_integer(cpu, XT, XB, f):
    """VSX Scalar Convert Signed or Unsigned Doubleword to Double-Precision or Single-Precision."""
    write_scalar(cpu, XT, *Floating(cpu).scalar(f, (64, "f64", 0), scalar(cpu, XB)))


#: letter of the mnemonic -> operations, and what opcodes of this kind have in common
for _letter, _kind, _less in ("s", "sint", 0), ("u", "uint", 16):
    _to, _from = f"to_{_kind}", f"from_{_kind}"
    xx2(f"xscvdp{_letter}xds", 344 - _less, to_integer, f=_to, width=64)
    xx2(f"xscvdp{_letter}xws", 88 - _less, to_integer, f=_to, width=32)
    xx2(f"xscv{_letter}xddp", 376 - _less, from_integer, f=_from)
    xx2(f"xscv{_letter}xdsp", 312 - _less, from_integer, f=f"{_from}_f32")
    xx2(f"xvcvdp{_letter}xds", 472 - _less, vector, f=_to, fmt=("f64", 64, "zero", 0), lanes=2)
    xx2(f"xvcvdp{_letter}xws", 216 - _less, vector, f=_to, fmt=("f64", 32, "zero", 0), lanes=2, after=spread_words)
    xx2(f"xvcvsp{_letter}xds", 408 - _less, vector, f=_to, fmt=("f32", 64, "zero", 0), lanes=2, before=upper_words)
    xx2(f"xvcvsp{_letter}xws", 152 - _less, vector, f=_to, fmt=("f32", 32, "zero", 0), lanes=4)
    xx2(f"xvcv{_letter}xddp", 504 - _less, vector, f=_from, fmt=(64, "f64", 0), lanes=2)
    xx2(f"xvcv{_letter}xdsp", 440 - _less, vector, f=_from, fmt=(64, "f32", 0), lanes=2, after=spread_words)
    xx2(f"xvcv{_letter}xwdp", 248 - _less, vector, f=_from, fmt=(32, "f64", 0), lanes=2, before=upper_words)
    xx2(f"xvcv{_letter}xwsp", 184 - _less, vector, f=_from, fmt=(32, "f32", 0), lanes=4)
