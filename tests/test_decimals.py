"""Decimal floating point: packing, results of the operations, exceptions; the rows that pack digits agree."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tests.oracle.ppc.decimals import declet as independent_declet
from xemu.core import decimal_numbers, decimals
from xemu.core.bits import const
from xemu.core.decimal_numbers import FORMATS, Parts, decoded, joined, parts
from xemu.core.decimals import SNAN
from xemu.targets.ppc import bcd

LONG, QUAD = FORMATS[64], FORMATS[128]
UP, ENABLED = 6, {"overflow": 16, "underflow": 8}


def test_declets() -> None:
    for number in range(1000):
        packed = decimal_numbers.pack(number, 1)
        assert packed == independent_declet(number)
        assert decimal_numbers.unpack(packed, 1) == number
        three = int(f"{number:03}", 16)
        assert bcd.digits(const(packed, 10)).attr == three
        assert bcd.declet(const(three, 12)).attr == packed
    for packed in range(1024):                 # 24 of them are not canonical
        assert int(f"{bcd.digits(const(packed, 10)).attr:x}") == decimal_numbers.unpack(packed, 1)


def test_encodings_survive() -> None:
    rng = random.Random(7)
    for form in (FORMATS[32], LONG, QUAD):
        for _ in range(300):
            p = parts(rng.getrandbits(form.width), form)
            assert parts(joined(p, form), form) == p


def encode(text: str) -> int:
    """Return the encoding of a number; nan, inf, snan with payloads."""
    rest = text.removeprefix("-")
    for kind in ("snan", "nan", "inf"):
        if rest.startswith(kind):
            return joined(Parts(int("-" in text), kind, 0, int(rest.removeprefix(kind) or 0)), LONG)
    return decimal_numbers.encoded(Decimal(text), LONG)


def shown(word: int) -> str:
    """Return the number of an encoding."""
    p = parts(word, LONG)
    return "-" * p.sign + f"{p.kind}{p.coefficient or ''}" if p.kind else str(decoded(p, LONG))


@pytest.mark.parametrize(("name", "mode", "x", "y", "result", "exceptions", "incremented"), [
    ("add", 0, "1.1", "2.20", "3.30", 0, 0),
    ("sub", 0, "1.1", "1.1", "0.0", 0, 0),
    ("sub", 3, "1.1", "1.1", "-0.0", 0, 0),
    ("add", 0, "9999999999999999", "0.5", "1.000000000000000E+16", decimals.INEXACT, 1),
    ("add", 1, "9999999999999999", "0.5", "9999999999999999", decimals.INEXACT, 0),
    ("add", 5, "1000000000000000", "0.5", "1000000000000000", decimals.INEXACT, 0),
    ("add", 4, "1000000000000000", "0.5", "1000000000000001", decimals.INEXACT, 1),
    ("add", 7, "1000000000000000", "0.1", "1000000000000001", decimals.INEXACT, 1),
    ("mul", 0, "9E+369", "9E+369", "inf", decimals.OVERFLOW | decimals.INEXACT, 1),
    ("mul", 1, "9E+369", "9E+369", "9.999999999999999E+384", decimals.OVERFLOW | decimals.INEXACT, 0),
    ("mul", ENABLED["overflow"], "9E+369", "9E+369", "8.1E+163", decimals.OVERFLOW, 0),
    ("mul", 0, "1E-398", "5E-1", "0E-398", decimals.UNDERFLOW | decimals.INEXACT, 0),
    ("mul", UP, "1E-398", "5E-1", "1E-398", decimals.UNDERFLOW | decimals.INEXACT, 1),
    ("mul", ENABLED["underflow"], "1E-398", "5E-1", "5E+177", decimals.UNDERFLOW, 0),
    ("add", ENABLED["underflow"], "1E-398", "1E-398", "2E+178", decimals.UNDERFLOW, 0),
    ("div", 0, "1", "3", "0.3333333333333333", decimals.INEXACT, 0),
    ("div", 0, "1", "-0", "-inf", decimals.DIVISION, 0),
    ("div", 0, "0", "0", "nan", decimals.ZERO_BY_ZERO, 0),
    ("div", 0, "inf", "-inf", "nan", decimals.INF_BY_INF, 0),
    ("mul", 0, "inf", "0", "nan", decimals.INF_TIMES_ZERO, 0),
    ("sub", 0, "inf", "inf", "nan", decimals.INF_MINUS_INF, 0),
    ("add", 0, "nan5", "-snan7", "-nan7", SNAN, 0),
    ("add", 0, "-nan5", "nan7", "-nan5", 0, 0),
    ("quantize_like", 0, "0.01", "1.005", "1.00", decimals.INEXACT, 0),
    ("quantize_like", 0, "1E-15", "100", "nan", decimals.CONVERSION, 0),
    ("quantize_like", 0, "inf", "-inf", "-inf", 0, 0),
])
def test_two_operands(name: str, mode: int, x: str, y: str, result: str, exceptions: int, incremented: int) -> None:
    got = decimals.OPERATIONS[name](LONG, mode, encode(x), encode(y))
    assert (shown(got[0]), *got[1:]) == (result, exceptions, incremented)


@pytest.mark.parametrize(("name", "mode", "args", "result", "exceptions"), [
    ("reround", 0, (2, encode("99.5")), encode("1.0E+2"), decimals.INEXACT),
    ("reround", 0, (3, encode("99.5")), encode("99.5"), 0),
    ("quantize_to", 0, (0x1E, encode("1.005")), encode("1.00"), decimals.INEXACT),
    ("to_integer", UP, (encode("-1.2"),), encode("-2"), decimals.INEXACT),
    ("to_doubleword", 0, (encode("-2.5"),), (1 << 64) - 2, decimals.INEXACT),
    ("to_doubleword", UP | ENABLED["overflow"], (encode("-2.1"),), (1 << 64) - 3, decimals.INEXACT),
    ("to_doubleword", 0, (encode("-0E+114"),), 0, 0),
    ("to_doubleword", 0, (encode("9E+20"),), (1 << 63) - 1, decimals.CONVERSION),
    ("to_doubleword", 0, (encode("snan"),), 1 << 63, decimals.CONVERSION | SNAN),
    ("from_integer", 0, ((1 << 64) - 123,), encode("-123"), 0),
    ("from_integer", 0, ((1 << 63) - 1,), encode("9223372036854776E+3"), decimals.INEXACT),
    ("from32", 0, (0x7E000005,), encode("snan5"), 0),
    ("from64", 0, (encode("1.5"),), None, 0),
    ("to_bcd", 0, (encode("-1234"),), 0x1234, 0),
    ("to_bcd", 2, (encode("-1234"),), 0x1234D, 0),
    ("to_bcd", 3, (encode("1234"),), 0x1234F, 0),
    ("from_bcd", 1, (0x1234B,), encode("-1234"), 0),
    ("from_bcd", 0, (0xA,), encode("nan"), decimals.CONVERSION),
    ("extract_exponent", 0, (encode("1E+3"),), 401, 0),
    ("extract_exponent", 0, (encode("snan"),), (1 << 64) - 3, 0),
    ("insert_exponent", 0, (401, encode("-7")), encode("-7E+3"), 0),
    ("insert_exponent", 0, ((1 << 64) - 1, encode("-7")), encode("-inf7"), 0),
    ("shift_left", 0, (encode("1234"), 14), encode("3400000000000000"), 0),
    ("shift_right", 0, (encode("-1234"), 2), encode("-12"), 0),
    ("compare", 0, (encode("1.0"), encode("1.00")), 2, 0),
    ("compare", 1, (encode("1.0"), encode("nan")), 1, decimals.COMPARISON),
    ("compare_exponents", 0, (encode("1.0"), encode("1.00")), 4, 0),
    ("compare_significance", 0, (3, encode("1.00")), 2, 0),
    ("test_class", 1 << 4, (encode("-1E-398"),), 10, 0),
    ("test_group", 1 << 1, (encode("1234567890123456"),), 2, 0),
])
def test_other_operations(name: str, mode: int, args: tuple[int, ...], result: int | None, exceptions: int) -> None:
    got = decimals.OPERATIONS[name](LONG if name != "from64" else QUAD, mode, *args)
    assert got[1] == exceptions
    if result is None:                         # 1.5 as a quadword
        assert decoded(parts(got[0], QUAD), QUAD) == Decimal("1.5")
    else:
        assert got[0] == result
