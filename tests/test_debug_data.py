"""Values of static data, little- and big-endian, in all versions of DWARF: texts and types are GDB's."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import BARE, PROGRAMS, build
from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.evaluate import assignment, evaluate
from xemu.debug.location import Context, Piece, UnavailableError, compute
from xemu.debug.location import evaluate as locate
from xemu.debug.symbols import Module, Modules
from xemu.debug.types import Type
from xemu.debug.values import Access, Value
from xemu.debug.variables import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAST = re.compile(r"^\((?:[^()]|\([^()]*\))*\) (?=0x|@)")
EXPRESSIONS = """
    packed; thing; none; both; odd; level; unknown_level; yes; no; text; zeros; exact; runs; bytes; small; tiny; large; negative; single
    big_single; whole; wide; huge; minus; matrix; many; same; reals; names; pointer; second; blank; null_pointer; functions; plain; counter
    letter; anonymous; pun; alias; *alias; alias->list[1]; thing.list; packed.d; packed.b; matrix[1]; &matrix[1]; *second; **second
    *pointer@1; &thing.list[1].i; functions[0]; *names[1]; names+1; &packed; alias->call; pun.part; pun.low; (long)wide; (enum flags)3
    matrix[1][2]*2.0; large+1; negative/7; -negative%13; counter<<4; ~counter; tiny+small; (char)bytes[1]; bytes[1]>small; sizeof(thing)
    sizeof(struct bits); sizeof(names); *plain; increment
""".replace("\n", ";")
BARE_OPTIONS = ("-O0", "-nostdlib", "-ffreestanding", "-mcpu=cortex-a9", "-Wl,-emain")


@pytest.mark.parametrize("options", [
    ("-gdwarf-2",), ("-gdwarf-3", "-mbig-endian"), ("-gdwarf-4",), ("-gdwarf-5",), ("-gdwarf-5", "-mbig-endian"),
    ("-gdwarf-4", "-fdebug-types-section"),
], ids=" ".join)  # fmt: skip
def test_texts_and_types_are_gdbs(options: tuple[str, ...], need: Callable[..., str], tmp_path: Path) -> None:
    gdb = need("gdb-multiarch")
    need("arm-none-eabi-gcc")
    program = build(tmp_path, "data.c", *options, *BARE_OPTIONS, prefix=BARE)
    module = Module.open(program)
    scope = Scope(Modules([module]), module.elf.read)
    expressions = [text.strip() for text in EXPRESSIONS.split(";") if text.strip()]
    arguments = [gdb, "-nx", "-batch", "-ex", "set width 0"]
    for expression in expressions:
        arguments += ["-ex", "echo @@", "-ex", f"print {expression}", "-ex", f"whatis {expression}"]
    output = subprocess.run([*arguments, str(program)], capture_output=True, text=True, check=True, timeout=60, cwd=PROGRAMS).stdout
    wrong = []
    for expression, answer in zip(expressions, output.split("@@")[1:], strict=True):
        lines = answer.strip().splitlines()
        expected = CAST.sub("", lines[0].partition(" = ")[2])
        kind = lines[-1].partition(" = ")[2]
        value = evaluate(expression, scope)
        if value.text() != expected:
            wrong.append((expression, value.text(), expected))
        if re.fullmatch(r"[a-z_]\w*", expression) and str(value.type) != kind:
            wrong.append((expression, str(value.type), kind))
    for row in wrong:
        print(*row, sep="\n    ")
    assert not wrong
    assert module.problems == []


def test_thread_local_variables(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    module = Module.open(build(tmp_path, "data.c", "-g"))
    asked = []

    def place(owner: Module, offset: int) -> int:
        asked.append((owner, offset))
        return 0x5000

    assert evaluate("&per_thread", Scope(Modules([module]), module.elf.read, thread_local=place)).integer() == 0x5000
    assert asked == [(module, 0)]
    text = evaluate("per_thread", Scope(Modules([module]), module.elf.read)).text()
    assert text == "<the thread's own memory is not known>"


# -- expressions by hand -------------------------------------------------------------------------------------------------------
ARM = ARCHITECTURES["arm"]


def context(**registers: int) -> Context:
    """Return a context with registers and a memory in which each byte is the low byte of its address."""

    def read(address: int, length: int, /) -> bytes:
        return bytes((address + index) & 255 for index in range(length))

    return Context(ARM, registers, read, 0x1000, cfa=lambda: 0x2000, frame_base=lambda: 0x3000)


@pytest.mark.parametrize(("code", "value"), [
    ("31 32 22", 3), ("08 ff 09 ff 22", 0xFE), ("10 80 01", 128), ("11 7f", 0xFFFFFFFF), ("03 00 01 00 00", 0x1100),
    ("7d 04", 0x504),
    ("91 7c", 0x2FFC), ("9c", 0x2000), ("34 12 1e", 16), ("35 32 1b", 2), ("09 f9 32 1b", 0xFFFFFFFD), ("35 32 1d", 1),
    ("35 1f", 0xFFFFFFFB),
    ("30 20", 0xFFFFFFFF), ("31 08 1f 24", 0x80000000), ("0d 00 00 00 80 34 26", 0xF8000000), ("0c 00 00 00 80 34 25", 0x08000000),
    ("31 32 2d", 1), ("09 ff 31 2d", 1), ("31 31 29", 1), ("31 32 13", 1), ("31 32 33 15 02", 1), ("31 32 16 1c", 1), ("31 32 33 17", 2),
    ("31 28 01 00 35 36", 6), ("2f 01 00 35 36", 6), ("03 20 00 00 00 06", 0x23222120), ("03 20 00 00 00 94 01", 0x20), ("31 23 05", 6),
    ("31 96", 1), ("31 12 22", 2), ("92 0d 08", 0x508), ("5d", 0x500), ("35 9f", 5), ("9e 04 78 56 34 12", 0x12345678), ("09 fe 19", 2),
])  # fmt: skip
def test_operations(code: str, value: int) -> None:
    assert compute(bytes.fromhex(code), context(sp=0x500)) == value


@pytest.mark.parametrize("code", ["2f fd ff", "12" * 3, "31" * 300, "22", "fe", "50 51" * 4, "9e ff", "98 00 00", "9b", "a3 01 50",
                                  "30 30 1b"])  # fmt: skip
def test_operations_that_make_no_sense(code: str) -> None:
    with pytest.raises((UnavailableError, ValueError, LookupError)):
        compute(bytes.fromhex(code), context())


def test_values_in_pieces() -> None:
    pieces = locate(bytes.fromhex("50 93 04 51 93 04"), context(r0=0x9999999A, r1=0x3FB99999))
    access = Access(ARM, lambda _address, _length: None, Modules(), {"r0": 0x9999999A, "r1": 0x3FB99999})
    value = Value(access, Type("float", "double", 8, signed=True), pieces)
    assert value.text() == "0.10000000000000001"
    assert value.address is value.register is None
    assert [(write.register, write.value) for write in value.assign(2.0)] == [("r0", 0), ("r1", 0x40000000)]
    half = Value(access, Type("int", "long long", 8, signed=True), [Piece(32, register="r0"), Piece(32)])
    assert half.text() == "<optimized out>"
    assert half.part(Type("int", "unsigned", 4), 0).text() == str(0x9999999A)
    access = Access(ARM, access.read_memory, Modules(), {"d1": 0x4048F5C340000000})
    single = Value(access, Type("float", "float", 4), [Piece(register="s3")])
    assert single.text() == "3.1400001"


def test_bits_are_changed_in_their_place(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    for order in ("-mlittle-endian", "-mbig-endian"):
        program = build(tmp_path, "data.c", "-g", *BARE_OPTIONS, order, prefix=BARE)
        module = Module.open(program)
        memory: dict[int, int] = {}

        def read(address: int, length: int, /, module: Module = module, memory: dict[int, int] = memory) -> bytes | None:
            data = module.elf.read(address, length)
            return data and bytes(memory.get(address + index, byte) for index, byte in enumerate(data))

        scope = Scope(Modules([module]), read)
        before = evaluate("packed", scope).text()
        for name, number in (("a", 2), ("b", -16), ("c", 0x123), ("d", 0x155555555), ("e", 0)):
            for write in assignment(f"packed.{name} = {number}", scope):
                memory |= {write.address + index: byte for index, byte in enumerate(write.data)}
        assert before == "{a = 5, b = -7, c = 2748, d = 8030895855, e = true}"
        assert evaluate("packed", scope).text() == "{a = 2, b = -16, c = 291, d = 5726623061, e = false}"
