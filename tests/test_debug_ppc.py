"""What the debugger knows of PowerPC: debug information in both byte orders, two entries, branches, what instructions access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import session_output
from tests.support.guests import freestanding
from tests.support.programs import ROOT
from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.disassembly import disassemble
from xemu.debug.ppc_accesses import operands
from xemu.debug.rules import rules_of
from xemu.debug.symbols import Module, Modules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

@pytest.fixture(scope="module", params=["ppc", "ppc64le"])
def arch(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def program(arch: str, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freestanding(need, tmp_path_factory.mktemp("ppc"), arch)


def test_registers_are_read_and_changed(program: Path) -> None:
    answers, _ = session_output("""
d = open_process(sys.argv[1])
d.break_at("leaf", once=True)
d.cont()
answers["cr"] = d.write_register("cr", 0x12345678) and d.read_register("cr")
answers["xer"] = d.write_register("xer", 0xE0000007) and d.read_register("xer")
answers["f1"] = d.write_register("f1", 0x3FF8 << 48) and d.evaluate("$f1").text()
answers["sp"] = d.read_register("sp") == d.read_register("r1") == d.evaluate("$sp").number()
finish()
""", program)
    assert answers == {"cr": 0x12345678, "xer": 0xE0000007, "f1": str(0x3FF8 << 48), "sp": True}


# -- readers, without running anything ---------------------------------------------------------------------------------------
def test_debug_information_is_read_in_its_order(program: Path) -> None:
    module = Module.open(program)
    assert module.architecture.name in str(program)
    function = module.source_function(module.named_functions("fact")[0])
    assert function is not None
    place = module.place(module.body(function.start))
    assert place is not None
    source = (ROOT / "tests/debug_programs/freestanding.c").read_text().splitlines()
    assert "n <= 1" in source[place.line - 1]
    assert [p.start for p in module.line_addresses("freestanding.c", place.line)] == [place.start]
    assert len(module.call_frames) == 1
    frames = module.call_frames[0]
    fde = frames.find(function.start)
    assert fde is not None
    assert fde.start == function.start
    rows = frames.row_at(fde, fde.end - 4)
    assert module.architecture.dwarf[module.architecture.eh_numbers[fde.cie.return_register]] == "lr"
    assert rows.cfa.kind == "register"
    assert module.problems == []


def test_functions_have_two_entries(program: Path) -> None:
    """A function's first instructions set up the TOC pointer; calls from its own file come in behind them."""
    module = Module.open(program)
    run = module.named_functions("run")[0]
    both = module.architecture.name == "ppc64le"
    assert module.local_entry(run) == run + 8 * both
    assert module.body(run) > module.local_entry(run)
    assert module.local_entry(run + 4) == run + 4


def test_code_is_disassembled_with_what_it_means(program: Path) -> None:
    module = Module.open(program)
    modules, rules = Modules([module]), rules_of(module.architecture.name)
    function = module.function(module.named_functions("fact")[0])
    assert function is not None
    lines = disassemble(module.elf.read, function.start, (function.end - function.start) // 4, "", modules)
    calls = [line for line in lines if rules.flow(line.mnemonic, line.operands) == "call"]
    assert [line.target for line in calls] == [module.local_entry(function.start)]
    assert [line.mnemonic for line in lines if rules.is_return(line.mnemonic, line.operands)] == ["blr"]
    assert all(line.size == 4 and not line.mnemonic.startswith(".") for line in lines if line.address < function.end - 12)


def one(arch: str, word: int) -> Any:
    """Return the line of an instruction."""
    row = ARCHITECTURES[arch]
    data = row.encode(word, 4)
    return disassemble(lambda address, size: data[:size] if not address else None, 0, 1, "", Modules(), row)[0]


@pytest.mark.parametrize("arch", ["ppc", "ppc64le"])
@pytest.mark.parametrize(("word", "flow", "returns"), [
    (0x48000101, "call", False), (0x4E800421, "call", False), (0x4E800020, "jump", True), (0x4D820020, "jump", True),
    (0x4E800420, "jump", False), (0x429F0005, "jump", False), (0x41820010, "jump", False), (0x4082FFF1, "call", False),
    (0x4E800021, "call", False), (0x7C6802A6, "", False), (0x60000000, "", False), (0x42000008, "jump", False)])
def test_branches(arch: str, word: int, flow: str, returns: bool) -> None:
    line, rules = one(arch, word), rules_of(arch)
    assert (rules.flow(line.mnemonic, line.operands), rules.is_return(line.mnemonic, line.operands)) == (flow, returns), line.text


def test_instructions_newer_than_capstone_have_their_rows_words() -> None:
    assert one("ppc64le", 0x44000001).text == "scv"
    assert one("ppc", 0x00000000).mnemonic == ".word"


@pytest.mark.parametrize(("word", "expected"), [
    (0x80610008, ("r", 0x1008, 4)), (0x9421FFE0, ("w", 0xFE0, 4)), (0xE8610010, ("r", 0x1010, 8)), (0xF821FFC1, ("w", 0xFC0, 8)),
    (0x7C61182E, ("r", 0x1300, 4)), (0x7C6118AE, ("r", 0x1300, 1)), (0x7C0118CE, ("r", 0x1300, 16)),
    (0xF4010021, ("r", 0x1020, 16)), (0xF4010025, ("w", 0x1020, 16))])
def test_accesses_by_encoding(word: int, expected: tuple[str, int, int]) -> None:
    registers = {"r1": 0x1000, "r3": 0x300}
    (operand,) = operands(word)
    at = registers.get(operand.base, 0) + registers.get(operand.scaled, 0) + operand.offset
    assert (operand.kind, at & -operand.align, operand.size) == expected
