"""What every operation of the language means, on plain Python integers. `lower.py` must agree; the law tests compare.

Each entry takes (width of the result, attribute, widths of the arguments, *argument values) and returns an integer below
2**width. Operations on lanes carry the lane count as attribute (None: one lane).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core import decimals, extended, softfloat
from xemu.core.hostops import HOST_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = "Callable[[int, int, int], int]"


def signed(value: int, width: int) -> int:
    """Return `value` read as a two's complement number."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


def split(value: int, lanes: int, size: int) -> list[int]:
    """Return the lanes of a value, lowest first."""
    mask = (1 << size) - 1
    return [value >> (i * size) & mask for i in range(lanes)]


def merge(values: list[int], size: int) -> int:
    """Return lanes joined into one value, cut to `size` bits each."""
    mask, result = (1 << size) - 1, 0
    for i, v in enumerate(values):
        result |= (v & mask) << (i * size)
    return result


def _div(x: int, y: int, w: int) -> int:
    a, b = signed(x, w), signed(y, w)
    return 0 if b == 0 else (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def _clamp_signed(value: int, w: int) -> int:
    return max(-(1 << (w - 1)), min((1 << (w - 1)) - 1, value))


def _clamp_unsigned(value: int, w: int) -> int:
    return max(0, min((1 << w) - 1, value))


#: two arguments of one width, lane by lane: (x, y, lane width) -> value (cut to the lane by the caller)
BINARY: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda x, y, _w: x + y,
    "sub": lambda x, y, _w: x - y,
    "mul": lambda x, y, _w: x * y,
    "and": lambda x, y, _w: x & y,
    "or": lambda x, y, _w: x | y,
    "xor": lambda x, y, _w: x ^ y,
    "shl": lambda x, y, w: x << y if y < w else 0,
    "shr": lambda x, y, w: x >> y if y < w else 0,
    "sar": lambda x, y, w: signed(x, w) >> min(y, w - 1),
    "ror": lambda x, y, w: x >> (y % w) | x << (w - y % w),
    "udiv": lambda x, y, _w: x // y if y else 0,
    "urem": lambda x, y, _w: x % y if y else 0,
    "sdiv": _div,
    "umin": lambda x, y, _w: min(x, y),
    "umax": lambda x, y, _w: max(x, y),
    "smin": lambda x, y, w: min(signed(x, w), signed(y, w)),
    "smax": lambda x, y, w: max(signed(x, w), signed(y, w)),
    "uadds": lambda x, y, w: _clamp_unsigned(x + y, w),
    "usubs": lambda x, y, w: _clamp_unsigned(x - y, w),
    "sadds": lambda x, y, w: _clamp_signed(signed(x, w) + signed(y, w), w),
    "ssubs": lambda x, y, w: _clamp_signed(signed(x, w) - signed(y, w), w),
    "veq": lambda x, y, _w: -(x == y),
    "vult": lambda x, y, _w: -(x < y),
    "vule": lambda x, y, _w: -(x <= y),
    "vslt": lambda x, y, w: -(signed(x, w) < signed(y, w)),
    "vsle": lambda x, y, w: -(signed(x, w) <= signed(y, w)),
}

COMPARE: dict[str, Callable[[int, int, int], bool]] = {
    "eq": lambda x, y, _w: x == y,
    "ult": lambda x, y, _w: x < y,
    "ule": lambda x, y, _w: x <= y,
    "slt": lambda x, y, w: signed(x, w) < signed(y, w),
    "sle": lambda x, y, w: signed(x, w) <= signed(y, w),
}


def _ctz(x: int, w: int) -> int:
    return (x & -x).bit_length() - 1 if x else w


def _bitrev(x: int, w: int) -> int:
    return int(f"{x:0{w}b}"[::-1], 2)


UNARY: dict[str, Callable[[int, int], int]] = {
    "clz": lambda x, w: w - x.bit_length(),
    "ctz": _ctz,
    "popcount": lambda x, _w: x.bit_count(),
    "bitrev": _bitrev,
    "bswap": lambda x, w: int.from_bytes(x.to_bytes(w // 8, "little"), "big"),
}

REDUCE: dict[str, Callable[[int, int, int], int]] = {
    op: BINARY[op] for op in ("add", "and", "or", "xor", "umin", "umax", "smin", "smax")
}


def _binary(fn: Callable[[int, int, int], int]) -> Callable[..., int]:
    def apply(width: int, lanes: int | None, _widths: list[int], x: int, y: int) -> int:
        if lanes is None:
            return fn(x, y, width) & ((1 << width) - 1)
        size = width // lanes
        return merge([fn(a, b, size) for a, b in zip(split(x, lanes, size), split(y, lanes, size), strict=True)], size)
    return apply


def _compare(fn: Callable[[int, int, int], bool]) -> Callable[..., int]:
    return lambda _width, _attr, widths, x, y: int(fn(x, y, widths[0]))


def _unary(fn: Callable[[int, int], int]) -> Callable[..., int]:
    def apply(width: int, lanes: int | None, _widths: list[int], x: int) -> int:
        size = width // (lanes or 1)
        return merge([fn(a, size) for a in split(x, lanes or 1, size)], size)
    return apply


def _extend(width: int, lanes: int | None, widths: list[int], x: int, *, negative: bool) -> int:
    count = lanes or 1
    old, new = widths[0] // count, width // count
    return merge([signed(a, old) if negative else a for a in split(x, count, old)], new)


def _trunc(width: int, lanes: int | None, widths: list[int], x: int) -> int:
    count = lanes or 1
    return merge(split(x, count, widths[0] // count), width // count)


def _cat(_width: int, _attr: Any, widths: list[int], *parts: int) -> int:
    result = 0
    for part, w in zip(parts, widths, strict=True):
        result = result << w | part
    return result


def _shuffle(_width: int, attr: tuple[int, tuple[int, ...]], widths: list[int], x: int, y: int) -> int:
    lanes, order = attr
    size = widths[0] // lanes
    both = split(x, lanes, size) + split(y, lanes, size)
    return merge([both[i] for i in order], size)


def _lookup(width: int, _attr: Any, widths: list[int], index: int, table: int, fallback: int) -> int:
    data, rest = split(table, widths[1] // 8, 8), split(fallback, width // 8, 8)
    picks = split(index, width // 8, 8)
    return merge([data[i] if i < len(data) else rest[n] for n, i in enumerate(picks)], 8)


def _reduce(width: int, attr: tuple[str, int], _widths: list[int], x: int) -> int:
    name, lanes = attr
    values = split(x, lanes, width)
    total = values[0]
    for v in values[1:]:
        total = REDUCE[name](total, v, width) & ((1 << width) - 1)
    return total


def _carry(_width: int, _attr: Any, widths: list[int], x: int, y: int, total: int) -> int:
    return ((x & y) | ((x | y) & ~total)) >> (widths[0] - 1) & 1


def _overflow(_width: int, _attr: Any, widths: list[int], x: int, y: int, total: int) -> int:
    return ((x ^ total) & (y ^ total)) >> (widths[0] - 1) & 1


#: operation -> fn(width, attr, argument widths, *values)
EVALUATE: dict[str, Callable[..., int]] = {
    **{name: _binary(fn) for name, fn in BINARY.items()},
    **{name: _compare(fn) for name, fn in COMPARE.items()},
    **{name: _unary(fn) for name, fn in UNARY.items()},
    "mux": lambda _w, _a, _ws, c, x, y: x if c else y,
    "slice": lambda w, low, _ws, x: x >> low & ((1 << w) - 1),
    "zext": lambda w, a, ws, x: _extend(w, a, ws, x, negative=False),
    "sext": lambda w, a, ws, x: _extend(w, a, ws, x, negative=True),
    "trunc": _trunc,
    "cat": _cat,
    "splat": lambda _w, lanes, ws, x: merge([x] * lanes, ws[0]),
    "shuffle": _shuffle,
    "lookup": _lookup,
    "reduce": _reduce,
    **HOST_OPERATIONS,
    "carry": _carry,
    "overflow": _overflow,
    "fp": softfloat.evaluate_value,        # attr: (operation, format, lanes, rules)
    "fpflags": softfloat.evaluate_flags,   # the exceptions that the same operation raises
    "fpagain": softfloat.evaluate_again,   # attr: rules; arguments: number of an operation, three operands, control word
    "hostfp": softfloat.evaluate_host,     # attr: (operation, format); last argument the rounding mode 0…3
    "hostfpflags": softfloat.evaluate_host_flags,
    "decimal": decimals.evaluate,          # attr: (operation, width of the format)
    "extended": extended.evaluate,         # attr: operation; last arguments the x87's control word and status word
}
