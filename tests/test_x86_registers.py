"""x86's registers by name: what is worked out of the state's cells, read and written."""

from __future__ import annotations

import pytest

from xemu.core.state import StateBlock
from xemu.gdbstub.target_xml import describe
from xemu.targets.x86.layout import LAYOUT32, LAYOUT64, X86Context
from xemu.targets.x86.registers import read_register, write_register


def fresh(bits: int = 64) -> StateBlock:
    state = StateBlock(LAYOUT64 if bits == 64 else LAYOUT32)
    state.context = 0
    state.pc = 0x1000  # type: ignore[attr-defined]
    return state


def cell(state: StateBlock, name: str, index: int = 0) -> int:
    return state.get(state.layout.cells[name], index)


@pytest.mark.parametrize("flags", [0x202, 0x246, 0xED7, 0x202 | 1, 0x202 | 1 << 11, 0x202 | 1 << 4, 0x202 | 1 << 2, 0x282, 0x244202])
def test_flags_are_what_was_written(flags: int) -> None:
    state = fresh()
    write_register(state, "eflags", flags)
    assert read_register(state, "eflags") == flags


def test_modes_of_floating_point_change_what_is_decoded() -> None:
    state = fresh()
    write_register(state, "mxcsr", 0x1F80)
    write_register(state, "fctrl", 0x37F)
    assert X86Context.of64(state.context) == X86Context(1, 0, 0)
    write_register(state, "mxcsr", 0x7FA5)
    assert (read_register(state, "mxcsr"), X86Context.of64(state.context).FP) == (0x7FA5, 1)
    write_register(state, "fctrl", 0x27F)
    assert (read_register(state, "fctrl"), X86Context.of64(state.context).X87) == (0x27F, 0)
    write_register(state, "fctrl", 0x27B)                     # division by zero is not masked
    assert (read_register(state, "fctrl"), X86Context.of64(state.context).X87) == (0x27B, 1)


def test_the_x87_stack_turns() -> None:
    state = fresh()
    write_register(state, "fctrl", 0x37F)
    write_register(state, "fstat", 6 << 11 | 0x4100)
    write_register(state, "ftag", 0x0FFF)
    one, zero, infinity = 0x3FFF << 64 | 1 << 63, 0, 0x7FFF << 64 | 1 << 63
    write_register(state, "st0", one)
    write_register(state, "st1", zero)
    assert (cell(state, "FPR", 6), cell(state, "FPR", 7), cell(state, "FVALID")) == (one, zero, 0b11000000)
    assert read_register(state, "ftag") == 0x4FFF               # st0, register 6: valid; register 7: zero; others: empty
    write_register(state, "st1", infinity)
    assert read_register(state, "ftag") == 0x8FFF
    assert read_register(state, "fstat") == 6 << 11 | 0x4100
    write_register(state, "fctrl", 0x37E)                       # an exception that is not masked
    write_register(state, "fstat", 1)
    assert read_register(state, "fstat") == 0x8081
    assert (read_register(state, "st0"), cell(state, "FPR", 0)) == (one, one)    # values stay in stack order: GDB's `record` writes so


def test_parts_of_registers() -> None:
    state = fresh()
    state.set(LAYOUT64.cells["R"], 0, 0x1122334455667788)
    assert [read_register(state, name) for name in ("eax", "ax", "al", "ah")] == [0x55667788, 0x7788, 0x88, 0x77]
    write_register(state, "ah", 0x99)
    assert cell(state, "R") == 0x1122334455669988
    write_register(state, "eax", 0xFFFF_FFFF)
    assert cell(state, "R") == 0xFFFF_FFFF
    write_register(state, "r9w", 0xABCD)
    write_register(state, "sil", 0x7F)
    assert (cell(state, "R", 9), cell(state, "R", 6)) == (0xABCD, 0x7F)
    state.set(LAYOUT64.cells["R"], 4, 0x7FFF_FFFF_0000)
    assert read_register(state, "sp") == 0x7FFF_FFFF_0000                   # not the low 16 bits
    write_register(state, "mm3", 5)
    assert cell(state, "FPR", 3) == 0xFFFF << 64 | 5
    write_register(state, "ymm2", 7 << 128 | 9)
    assert (cell(state, "X", 4), cell(state, "X", 5)) == (9, 7)


@pytest.mark.parametrize(("arch", "bits"), [("x86_64", 64), ("i386", 32)])
def test_debuggers_can_read_all_that_is_described(arch: str, bits: int) -> None:
    state = fresh(bits)
    cells = {name for held in state.layout.cells.values() for name in held.names}
    for register in describe(arch).registers:
        value = read_register(state, register.name)
        assert value is not None or register.name in cells, register.name
        assert value is None or register.name.startswith("orig") or not value >> register.bits
