"""Agent bytecode as expressions: each instruction, what GDB makes of conditions, and what cannot be expressed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xemu.gdbstub import agent
from xemu.gdbstub.agent import AgentError, Binary, Const, EvaluationError, Load, Register, Select

MEMORY = bytes(range(0x80, 0x90))
REGISTERS = {f"r{i}": i * 0x1111 for i in range(16)}


def name(number: int) -> str:
    if number > 15:
        raise AgentError(f"no register {number}")
    return f"r{number}"


def read_memory(address: int, length: int) -> bytes:
    return MEMORY[address - 0x100:address - 0x100 + length] if 0x100 <= address < 0x110 else b""


def value(code: str) -> int:
    return agent.translate(bytes.fromhex(code), name).evaluate(REGISTERS.get, read_memory)


ONES = (1 << 64) - 1


@pytest.mark.parametrize(("code", "result"), [
    ("2205 27", 5),
    ("23 1234 27", 0x1234),
    ("25 8000000000000000 27", 1 << 63),
    ("26 0003 27", 0x3333),
    ("2205 2207 02 27", 12),
    ("2205 2207 03 27", ONES - 1),
    ("2205 2207 04 27", 35),
    ("22ff 16 08 2202 05 27", 0),                              # -1 / 2: towards zero
    ("22ff 2202 06 27", 0x7F),
    ("22f9 16 08 2203 07 27", ONES),                           # -7 % 3 = -1
    ("22f9 2203 08 27", 0),
    ("2201 2204 09 27", 16),
    ("2201 2240 09 27", 0),
    ("22f0 16 08 2204 0a 27", ONES),
    ("22f0 2204 0b 27", 15),
    ("2200 0e 27", 1),
    ("220c 220a 0f 27", 8),
    ("220c 220a 10 27", 14),
    ("220c 220a 11 27", 6),
    ("2200 12 27", ONES),
    ("2205 2205 13 27", 1),
    ("22ff 16 08 2201 14 27", 1),
    ("22ff 16 08 2201 15 27", 0),
    ("23 0100 17 27", 0x80),
    ("23 0100 18 27", 0x8180),
    ("23 0100 19 16 20 27", 0xFFFF_FFFF_8382_8180),
    ("23 0100 1a 27", 0x8786_8584_8382_8180),
    ("23 0100 17 2a 08 27", 0x80),
    ("2201 2202 2b 03 27", 1),                                 # swap
    ("2205 28 04 27", 25),                                     # dup
    ("2205 2206 29 27", 5),                                    # pop
    ("2205 2206 2207 32 02 27", 5),                            # pick
    ("2201 2202 2203 33 03 27", ONES),                         # rot: 3 1 2, then 1 - 2
    ("2201 20 0008 2205 27 2206 27", 6),
    ("2200 20 0008 2205 27 2206 27", 5),
    ("21 0004 00 2209 27", 9),
])
def test_each_instruction(code: str, result: int) -> None:
    assert value(code) == result


def test_a_condition_as_gdb_writes_it() -> None:
    """`ticks == 5`: load a 32-bit int and compare."""
    found = agent.translate(bytes.fromhex("24 00000100 19 16 20 2205 13 27"), name)
    assert found == Binary("equal", Load(4, Const(0x100), signed=True), Const(5))


def test_both_ways_of_a_branch_join() -> None:
    """`r0 && r1`: the second is not evaluated where the first decides."""
    code = bytes.fromhex("26 0000 0e 20 000d 26 0001 0e 0e 27 2200 27".replace(" ", ""))
    found = agent.translate(code, name)
    assert isinstance(found, Select)
    assert [found.evaluate({"r0": a, "r1": b}.get, read_memory) for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))] == [0, 0, 0, 1]


@pytest.mark.parametrize(("code", "text"), [
    ("02", "takes more from its stack"),
    ("22", "ends inside"),
    ("2205", "ends inside"),
    ("21 0000", "jumps back"),
    ("01 27", "cannot be expressed"),
    ("2c 0001 27", "cannot be expressed"),
    ("26 0063 27", "no register 99"),
    ("2201" + "28 02" * 40 + "27", ""),
    ("260001" + "28 02" * 40 + "27", "too large"),
    ("260001" + "0e" * 3000 + "27", "too large"),
])
def test_what_cannot_be_expressed_is_refused(code: str, text: str) -> None:
    if not text:
        assert agent.translate(bytes.fromhex(code), name) == Const(1 << 40)
        return
    with pytest.raises(AgentError, match=text):
        agent.translate(bytes.fromhex(code), name)


@pytest.mark.parametrize("code", ["23 0200 19 27", "2201 2200 05 27", "260001 2200 08 27"])
def test_expressions_without_value(code: str) -> None:
    with pytest.raises(EvaluationError):
        value(code)


@given(st.binary(max_size=200))
def test_any_bytes_are_translated_or_refused_soon(code: bytes) -> None:
    try:
        found = agent.translate(code, name)
        assert 0 <= found.evaluate(REGISTERS.get, read_memory) <= ONES
    except (AgentError, EvaluationError):
        pass


@given(st.lists(st.sampled_from([b"\x20\x00", b"\x22\x01", b"\x26\x00\x01", b"\x28", b"\x02", b"\x0e", b"\x27"]), max_size=120))
def test_many_branches_do_not_explode(parts: list[bytes]) -> None:
    code = b""
    for part in parts:
        code += part + (bytes([min(len(code) + 4, 255)]) if part[0] == 0x20 else b"")
    with contextlib.suppress(AgentError):
        agent.translate(code, name)


def text(template: str, *arguments: str) -> str:
    code = bytes.fromhex("".join(reversed(arguments)) + "2200 2200 34".replace(" ", "") + f"{len(arguments):02x}"
                         + f"{len(template) + 1:04x}") + template.encode() + b"\0\x27"
    found = agent.translate_command(code, name)
    return b"".join(part.text(REGISTERS.get, read_memory, 4) for part in found).decode("latin-1")


@pytest.mark.parametrize(("template", "arguments", "result"), [
    (r"n=%d\n", ["2205"], "n=5\n"),
    ("%d %d", ["2201", "2202"], "1 2"),
    ("%d", ["22ff1608"], "-1"),
    ("%u", ["24ffffffff"], "4294967295"),
    ("%x|%#x|%08X", ["22ab"] * 3, "ab|0xab|000000AB"),
    ("%lld", ["25ffffffffffffffff"], "-1"),
    ("%c%%", ["2241"], "A%"),
    ("%p", ["2310 00".replace(" ", "")], "0x1000"),
    ("%-5d|", ["2207"], "7    |"),
    ("%d", [], "%d"),
    ("%d", ["23020019"], "<0x200 cannot be read>"),
    (r"a\tb\\c\101", [], "a\tb\\cA"),
])
def test_what_printf_prints(template: str, arguments: list[str], result: str) -> None:
    assert text(template, *arguments) == result


def test_strings_are_read_to_their_end() -> None:
    memory = {0x10: b"hello\0more"}
    found = agent.c_string(0x10, lambda address, length: memory[0x10][address - 0x10:][:length])
    assert found == b"hello"
    assert b"cannot be read" in agent.c_string(0x999, read_memory)


def test_a_command_that_prints_nothing_is_refused() -> None:
    with pytest.raises(AgentError):
        agent.translate_command(bytes.fromhex("220127"), name)


def test_any_of_several_conditions() -> None:
    assert agent.any_of([]) is None
    found = agent.any_of([Register("r0"), Register("r1")])
    assert found is not None
    assert [found.evaluate({"r0": a, "r1": b}.get, read_memory) != 0 for a, b in ((0, 0), (0, 1), (1, 0))] == [False, True, True]
