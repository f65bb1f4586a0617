"""Integer arithmetic, logic, comparison and shifts on vectors: MMX, SSE2 to SSE4.2, AVX, AVX2 (SDM vol. 1, 9.4, 11.4.2, 12)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, make, mux, ult, zext
from xemu.targets.x86.isa import x86
from xemu.targets.x86.vectors import destructive, mmx_destructive, one_source, parts, plain, shift_bytes, two_sources, vex_row, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

    Two = Callable[[Bits, Bits], Bits]


def lanewise(size: int, name: str) -> Two:
    """Return an operation of the language on lanes of a size."""
    methods: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
        "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
        "and": lambda x, y: x & y, "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y, "andn": lambda x, y: ~x & y,
        "gt": lambda x, y: y.op("slt", x)}
    method = methods.get(name, lambda x, y: x.op(name, y))
    return lambda x, y: method(Lanes(x, size), Lanes(y, size)).bits


def special(name: str) -> Two:
    """Return an operation of the language that works on whole registers."""
    return lambda x, y: make(name, x.width, (x, y))


# -- products ------------------------------------------------------------------------------------------------------------


def products(x: Bits, y: Bits, *, signed: bool) -> Lanes:
    """Return the products of words as doublewords."""
    return Lanes(x, 16).widen(signed=signed) * Lanes(y, 16).widen(signed=signed)


def high_products(x: Bits, y: Bits, *, signed: bool) -> Bits:
    """PMULHW, PMULHUW: the high halves of the products."""
    return (products(x, y, signed=signed) >> 16).narrow().bits


def even_products(x: Bits, y: Bits, *, signed: bool) -> Bits:
    """PMULDQ, PMULUDQ: whole products of the even doublewords."""
    def even(v: Bits) -> Lanes:
        return (Lanes(v, 64) << 32).sar(32) if signed else Lanes(v, 64) & 0xFFFFFFFF
    return (even(x) * even(y)).bits


def even_odd(v: Bits, size: int, other: Bits | None = None) -> tuple[Lanes, Lanes]:
    """Return the even and the odd lanes of a value, or of two."""
    x = Lanes(v, size)
    both = range(x.count if other is None else 2 * x.count)
    y = x if other is None else Lanes(other, size)
    return x.shuffle(y, both[0::2]), x.shuffle(y, both[1::2])


def add_products(x: Bits, y: Bits) -> Bits:
    """PMADDWD: sums of two neighbouring products of words."""
    (a, b), (c, d) = even_odd(x, 16), even_odd(y, 16)
    a, b, c, d = (v.widen(signed=True) for v in (a, b, c, d))
    return (a * c + b * d).bits


def clamp(x: Lanes, low: int, high: int) -> Lanes:
    """Return lanes limited to a signed range."""
    return x.op("smax", low).op("smin", high)


# -- sums and differences -------------------------------------------------------------------------------------------------


def average(x: Bits, y: Bits, *, size: int) -> Bits:
    """PAVG: rounded up."""
    return (Lanes(x, size).widen(signed=False) + Lanes(y, size).widen(signed=False) + 1 >> 1).narrow().bits


def distance(x: Lanes, y: Lanes) -> Lanes:
    """Return the absolute differences of unsigned lanes."""
    return x.op("umax", y) - x.op("umin", y)


def multiple_sums(x: Bits, y: Bits, imm: Bits) -> Bits:
    """MPSADBW: eight sums of four absolute differences, of bytes of x from one place on and of four bytes of y."""
    at = shift_bytes(x, zext(imm[2], 8) << 2, left=False)
    four = Lanes(shift_bytes(y, zext(imm[1:0], 8) << 2, left=False), 8)
    wide = Lanes(at, 8)
    total = Lanes(const(0, 128), 16)
    for k in range(4):
        here = wide.shuffle(wide, range(k, k + 8)).widen(signed=False)
        total = total + distance(here, four.shuffle(four, [k] * 8).widen(signed=False))
    return total.bits


def absolute(x: Bits, *, size: int) -> Bits:
    """PABS."""
    return Lanes(x, size).op("smax", Lanes(const(0, x.width), size) - Lanes(x, size)).bits


def with_sign(x: Bits, y: Bits, *, size: int) -> Bits:
    """PSIGN: x, -x or 0 as y is positive, negative or 0."""
    a, b = Lanes(x, size), Lanes(y, size)
    negative = b.sar(size - 1)
    return ((a ^ negative) - negative & ~b.op("eq", 0)).bits


def horizontal(x: Bits, y: Bits, *, size: int, name: str) -> Bits:
    """PHADD, PHSUB: of neighbouring lanes."""
    even, odd = even_odd(x, size, y)
    return lanewise(size, name)(even.bits, odd.bits)


def minimum_position(x: Bits) -> Bits:
    """PHMINPOSUW: the smallest word, and the number of the first lane that has it."""
    numbered = Lanes(x, 16).widen(signed=False) << 16
    order = Lanes(const(sum(i << 32 * i for i in range(8)), 256), 32)
    least = (numbered | order).reduce("umin")
    return zext(cat(const(0, 13), least[2:0], least[31:16]), 128)


# -- narrowing ------------------------------------------------------------------------------------------------------------


def pack(x: Bits, y: Bits, *, size: int, signed: bool) -> Bits:
    """PACKSS, PACKUS: both sources narrowed with saturation."""
    both = Lanes(x, size)
    both = both.shuffle(Lanes(y, size), range(2 * both.count))
    half = size // 2
    limits = (-(1 << half - 1), (1 << half - 1) - 1) if signed else (0, (1 << half) - 1)
    return clamp(both, *limits).narrow().bits


def interleave(x: Bits, y: Bits, *, size: int, high: bool) -> Bits:
    """PUNPCKL, PUNPCKH, UNPCKL, UNPCKH: lanes of the low or high half of x and y in turns."""
    n = x.width // size
    return Lanes(x, size).shuffle(Lanes(y, size), [i for k in range(n // 2) for i in (k + high * n // 2, n + k + high * n // 2)]).bits


# -- the rows: opcode, name, function; "m": an MMX form, too ---------------------------------------------------------------

B, W, D, Q = 8, 16, 32, 64
TABLE: tuple[tuple[str, str, Callable[..., Bits]], ...] = (
    ("0F FC", "paddb m", lanewise(B, "add")), ("0F FD", "paddw m", lanewise(W, "add")), ("0F FE", "paddd m", lanewise(D, "add")),
    ("0F D4", "paddq m", lanewise(Q, "add")), ("0F F8", "psubb m", lanewise(B, "sub")), ("0F F9", "psubw m", lanewise(W, "sub")),
    ("0F FA", "psubd m", lanewise(D, "sub")), ("0F FB", "psubq m", lanewise(Q, "sub")),
    ("0F EC", "paddsb m", lanewise(B, "sadds")), ("0F ED", "paddsw m", lanewise(W, "sadds")),
    ("0F DC", "paddusb m", lanewise(B, "uadds")), ("0F DD", "paddusw m", lanewise(W, "uadds")),
    ("0F E8", "psubsb m", lanewise(B, "ssubs")), ("0F E9", "psubsw m", lanewise(W, "ssubs")),
    ("0F D8", "psubusb m", lanewise(B, "usubs")), ("0F D9", "psubusw m", lanewise(W, "usubs")),
    ("0F D5", "pmullw m", lanewise(W, "mul")), ("0F 38 40", "pmulld", lanewise(D, "mul")),
    ("0F E5", "pmulhw m", partial(high_products, signed=True)), ("0F E4", "pmulhuw m", partial(high_products, signed=False)),
    ("0F 38 0B", "pmulhrsw m", special("fraction_products")),
    ("0F F4", "pmuludq m", partial(even_products, signed=False)), ("0F 38 28", "pmuldq", partial(even_products, signed=True)),
    ("0F F5", "pmaddwd m", add_products), ("0F 38 04", "pmaddubsw m", special("byte_products")),
    ("0F E0", "pavgb m", partial(average, size=B)), ("0F E3", "pavgw m", partial(average, size=W)),
    ("0F F6", "psadbw m", special("byte_distances")),
    ("0F DA", "pminub m", lanewise(B, "umin")), ("0F DE", "pmaxub m", lanewise(B, "umax")),
    ("0F EA", "pminsw m", lanewise(W, "smin")), ("0F EE", "pmaxsw m", lanewise(W, "smax")),
    ("0F 38 38", "pminsb", lanewise(B, "smin")), ("0F 38 39", "pminsd", lanewise(D, "smin")),
    ("0F 38 3A", "pminuw", lanewise(W, "umin")), ("0F 38 3B", "pminud", lanewise(D, "umin")),
    ("0F 38 3C", "pmaxsb", lanewise(B, "smax")), ("0F 38 3D", "pmaxsd", lanewise(D, "smax")),
    ("0F 38 3E", "pmaxuw", lanewise(W, "umax")), ("0F 38 3F", "pmaxud", lanewise(D, "umax")),
    ("0F 38 08", "psignb m", partial(with_sign, size=B)), ("0F 38 09", "psignw m", partial(with_sign, size=W)),
    ("0F 38 0A", "psignd m", partial(with_sign, size=D)),
    ("0F 38 01", "phaddw m", partial(horizontal, size=W, name="add")), ("0F 38 02", "phaddd m", partial(horizontal, size=D, name="add")),
    ("0F 38 03", "phaddsw m", partial(horizontal, size=W, name="sadds")),
    ("0F 38 05", "phsubw m", partial(horizontal, size=W, name="sub")), ("0F 38 06", "phsubd m", partial(horizontal, size=D, name="sub")),
    ("0F 38 07", "phsubsw m", partial(horizontal, size=W, name="ssubs")),
    ("0F 74", "pcmpeqb m", lanewise(B, "eq")), ("0F 75", "pcmpeqw m", lanewise(W, "eq")), ("0F 76", "pcmpeqd m", lanewise(D, "eq")),
    ("0F 38 29", "pcmpeqq", lanewise(Q, "eq")),
    ("0F 64", "pcmpgtb m", lanewise(B, "gt")), ("0F 65", "pcmpgtw m", lanewise(W, "gt")), ("0F 66", "pcmpgtd m", lanewise(D, "gt")),
    ("0F 38 37", "pcmpgtq", lanewise(Q, "gt")),
    ("0F DB", "pand m", lanewise(Q, "and")), ("0F DF", "pandn m", lanewise(Q, "andn")), ("0F EB", "por m", lanewise(Q, "or")),
    ("0F EF", "pxor m", lanewise(Q, "xor")),
    ("0F 63", "packsswb m", partial(pack, size=W, signed=True)), ("0F 6B", "packssdw m", partial(pack, size=D, signed=True)),
    ("0F 67", "packuswb m", partial(pack, size=W, signed=False)), ("0F 38 2B", "packusdw", partial(pack, size=D, signed=False)),
    ("0F 68", "punpckhbw m", partial(interleave, size=B, high=True)), ("0F 69", "punpckhwd m", partial(interleave, size=W, high=True)),
    ("0F 6A", "punpckhdq m", partial(interleave, size=D, high=True)), ("0F 6D", "punpckhqdq", partial(interleave, size=Q, high=True)),
    ("0F 60", "punpcklbw m", partial(interleave, size=B, high=False)), ("0F 61", "punpcklwd m", partial(interleave, size=W, high=False)),
    ("0F 62", "punpckldq m", partial(interleave, size=D, high=False)), ("0F 6C", "punpcklqdq", partial(interleave, size=Q, high=False)),
)
LOW_HALVES = ("punpcklbw", "punpcklwd", "punpckldq")             # MMX forms read four bytes of memory
for opcode, names, function in TABLE:
    name, *mmx = names.split()
    two_sources(name, opcode, function, mmx="NP" if mmx and name not in LOW_HALVES else "")
    if name in LOW_HALVES:
        x86.row(mmx_destructive, f"NP {opcode} /r", f"{name} Pq, Qd", f=lambda x, y, function=function: function(x, zext(y, 64)))

for prefix, suffix, size in ("NP", "ps", D), ("66", "pd", Q):
    for opcode, name in ("0F 54", "and"), ("0F 55", "andn"), ("0F 56", "or"), ("0F 57", "xor"):
        two_sources(name + suffix, opcode, lanewise(Q, name), prefix=prefix)
    for opcode, name, high in ("0F 14", "unpckl", False), ("0F 15", "unpckh", True):
        two_sources(name + suffix, opcode, partial(interleave, size=size, high=high), prefix=prefix)

for opcode, name, size in ("0F 38 1C", "pabsb", B), ("0F 38 1D", "pabsw", W), ("0F 38 1E", "pabsd", D):
    one_source(name, opcode, partial(absolute, size=size), mmx="NP")

x86.row(plain, "66 0F 38 41 /r", "phminposuw Vdq, Wdq", f=minimum_position)
x86.row(plain, "VEX.128.66.0F38.WIG 41 /r", "vphminposuw Vdq, Wdq", f=minimum_position)
two_sources("mpsadbw", "0F 3A 42", multiple_sums, imm=", Ib", step=3)


# -- shifts ---------------------------------------------------------------------------------------------------------------


def shift(x: Bits, count: Bits, *, size: int, name: str) -> Bits:
    """Shift all lanes by one count, an immediate or the low quadword of a register; all bits go where it is the size or more."""
    count = count[min(count.width, 64) - 1:0]
    if count.width > size:
        count = mux(ult(count, size), count, size)[size - 1:0]
    lanes = Lanes(x, size)
    return lanes.op(name, Lanes.splat(zext(count, size), lanes.count)).bits


def shift_by_lanes(x: Bits, counts: Bits, *, size: int, name: str) -> Bits:
    """VPSLLV, VPSRLV, VPSRAV: each lane by a count of its own."""
    return Lanes(x, size).op(name, Lanes(counts, size)).bits


for low, digit, name, op in (0xF0, 6, "psll", "shl"), (0xD0, 2, "psrl", "shr"), (0xE0, 4, "psra", "sar"):
    for n, (suffix, size) in enumerate((("w", W), ("d", D), ("q", Q)), 1):
        if name + suffix == "psraq":
            continue
        f = partial(shift, size=size, name=op)
        x86.row(mmx_destructive, f"NP 0F {low + n:02X} /r", f"{name}{suffix} Pq, Qq", f=f)
        x86.row(destructive, f"66 0F {low + n:02X} /r", f"{name}{suffix} Vdq, Wdq", f=f)
        x86.row(plain, f"VEX.66.0F.WIG {low + n:02X} /r", f"v{name}{suffix} Vx, Hx, Wdq", f=f)
        x86.row(mmx_destructive, f"NP 0F {0x70 + n:02X} /{digit} ib", f"{name}{suffix} Nq, Ib", f=f)
        x86.row(destructive, f"66 0F {0x70 + n:02X} /{digit} ib", f"{name}{suffix} Udq, Ib", f=f)
        x86.row(plain, f"VEX.66.0F.WIG {0x70 + n:02X} /{digit} ib", f"v{name}{suffix} Hx, Ux, Ib", f=f)
for opcode, digit, name, left in ("0F 73", 7, "pslldq", True), ("0F 73", 3, "psrldq", False):
    f = partial(shift_bytes, left=left)
    x86.row(destructive, f"66 {opcode} /{digit} ib", f"{name} Udq, Ib", f=f)
    vex_row(plain, "66", opcode, f" /{digit} ib", f"v{name} Hx, Ux, Ib", f=f)
for w, name, size in ("W0", "d", D), ("W1", "q", Q):
    x86.row(plain, f"VEX.66.0F38.{w} 47 /r", f"vpsllv{name} Vx, Hx, Wx", f=partial(shift_by_lanes, size=size, name="shl"))
    x86.row(plain, f"VEX.66.0F38.{w} 45 /r", f"vpsrlv{name} Vx, Hx, Wx", f=partial(shift_by_lanes, size=size, name="shr"))
x86.row(plain, "VEX.66.0F38.W0 46 /r", "vpsravd Vx, Hx, Wx", f=partial(shift_by_lanes, size=D, name="sar"))


# -- tests ----------------------------------------------------------------------------------------------------------------


def test_bits(cpu: X86Cpu, x: Operand, y: Operand, *, signs_of: int) -> None:
    """PTEST, VTESTPS, VTESTPD: ZF: is x AND y 0? CF: is NOT x AND y 0? Of all bits or the signs. SDM vol. 2B, 2C."""
    both, only = const(0, 128), const(0, 128)
    for a, b in zip(parts(x), parts(y), strict=True):
        if a is not None and b is not None:
            both, only = (whole(both) | whole(a) & whole(b)).bits, (whole(only) | ~whole(a) & whole(b)).bits
    mask = const(sum(1 << at + signs_of - 1 for at in range(0, 128, signs_of)), 128) if signs_of else const(-1, 128)
    clear = {name: (whole(v) & whole(mask)).bits == 0 for name, v in (("ZF", both), ("CF", only))}
    cpu.set_flags(**clear, OF=0, AF=0, SF=0, PF=0)


x86.row(test_bits, "66 0F 38 17 /r", "ptest Vdq, Wdq", signs_of=0)
for opcode, name, w, size in ("17", "ptest", "WIG", 0), ("0E", "testps", "W0", D), ("0F", "testpd", "W0", Q):
    x86.row(test_bits, f"VEX.66.0F38.{w} {opcode} /r", f"v{name} Vx, Wx", signs_of=size)
