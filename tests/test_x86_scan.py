"""One description of how x86's bytes are scanned, run in two ways: on Python's integers and as native code."""

from __future__ import annotations

import ctypes
import os
import random
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.x86 import encode, get
from xemu.core.llvm import compile_text
from xemu.core.objects import CodeMemory
from xemu.core.records import SCAN_READS
from xemu.core.runtime import Native
from xemu.core.scanner import Integers, NativeMachine
from xemu.targets.x86.scan import READS, TOO_LONG, UNDEFINED_PREFIXES, WORD, scan32, scan64

if TYPE_CHECKING:
    from collections.abc import Callable

SEED: Final = int(os.environ.get("XEMU_LAW_SEED") or time.time_ns() % 1_000_000)
SCANS: Final = {32: scan32, 64: scan64}
PREFIXES: Final = bytes([0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x64, 0x65, 0x2E, 0x48, 0x41, 0x4C, 0xC4, 0xC5, 0x0F])


def native(bits: int) -> Callable[[bytes], tuple[int, int, int]]:
    """Return the scan of a mode as native code."""
    f = Native("scan", "ptr %bytes, ptr %out", "")
    machine = NativeMachine(f, "%bytes")
    for i, value in enumerate(SCANS[bits](machine)):
        f.put_at("%out", 8 * i, f"i64 {machine.operand(value)}")
    f.put("ret void")
    place = CodeMemory().load(compile_text(machine.tables("scan") + f.text()))["scan"]
    function = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)(place)
    out = (ctypes.c_uint64 * 3)()

    def run(data: bytes) -> tuple[int, int, int]:
        function(data, out)
        return out[0], out[1], out[2]
    return run


def scanned(bits: int, data: bytes) -> tuple[int, int, int]:
    """Return (head, rest, length) on Python's integers."""
    head, rest, length = SCANS[bits](Integers(data.ljust(SCAN_READS, b"\0")))
    return int(head), int(rest), int(length)


def some_bytes(rnd: random.Random) -> bytes:
    """Return bytes that often begin as instructions do."""
    prefixes = bytes(rnd.choice(PREFIXES) for _ in range(rnd.choice((0, 0, 1, 2, 3, 15))))
    return (prefixes + rnd.randbytes(READS))[:READS].ljust(SCAN_READS, b"\0")


@pytest.mark.parametrize("bits", SCANS)
def test_native_code_scans_as_python_does(bits: int) -> None:
    rnd, run = random.Random(SEED), native(bits)
    for _ in range(4000):
        data = some_bytes(rnd)
        assert run(data) == scanned(bits, data), f"seed {SEED}: {data.hex()}"


@pytest.mark.parametrize("bits", SCANS)
def test_what_is_scanned_can_be_written_again(bits: int) -> None:
    """The inverse gives bytes that are scanned alike."""
    rnd, written = random.Random(SEED), 0
    for _ in range(3000):
        head, rest, length = scanned(bits, some_bytes(rnd))
        data = encode(head | rest << 64)
        if data is None:
            continue
        written += 1
        again = scanned(bits, data)
        shift, width = WORD["length"]
        mask = ~(((1 << width) - 1) << shift)
        assert (again[0] & mask, again[1]) == (head & mask, rest), f"seed {SEED}: {data.hex()}, {length} bytes before"
    assert written > 500


@pytest.mark.parametrize(("bits", "text", "fields"), [
    (64, "4801d8", {"opcode": 1, "W": 1, "reg": 3, "base": 0, "form": 3, "length": 3}),
    (64, "488d0510000000", {"form": 1, "disp": 16, "length": 7}),                       # rip + 16
    (64, "428d4458f0", {"base": 0, "index": 11, "scale": 1, "disp": 0xFFFFFFF0}),       # [rax + r11 * 2 - 16]
    (64, "4883c0ff", {"imm": 0xFF, "length": 4}),
    (64, "48b8efcdab8967452301", {"imm64": 0x0123456789ABCDEF, "length": 10}),
    (64, "c5fc58c1", {"vex": 1, "L": 1, "map": 1, "opcode": 0x58, "vvvv": 0, "base": 1}),
    (64, "c4e2f99a00", {"vex": 1, "map": 2, "W": 1, "op66": 1, "opcode": 0x9A}),
    (64, "f3480fb8c1", {"rep": 3, "W": 1, "map": 1, "opcode": 0xB8}),
    (64, "486689c8", {"W": 0, "op66": 1}),                                           # a REX prefix that is not the last
    (64, "66c5fc58c1", {"odd": UNDEFINED_PREFIXES}),
    (64, "66" * 15 + "90", {"odd": TOO_LONG}),
    (32, "c4c5", {"vex": 1}),
    (32, "c405", {"vex": 0, "opcode": 0xC4}),                                           # LES
    (32, "678b4203", {"form": 2, "base": 5, "index": 6, "disp": 3}),                    # [bp + si + 3]
    (32, "678b42ff", {"form": 2, "base": 5, "index": 6, "scale": 0, "disp": 0xFFFFFFFF}),
    (32, "40", {"opcode": 0x40, "length": 1, "rex": 0}),
])  # fmt: skip
def test_fields(bits: int, text: str, fields: dict[str, int]) -> None:
    head, rest, _ = scanned(bits, bytes.fromhex(text))
    assert {name: get(head | rest << 64, name) for name in fields} == fields


