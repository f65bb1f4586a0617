"""Loaded files: names and places, modes of code, separate debug information, what is read when."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build
from tests.support.programs import ROOT
from xemu.debug.disassembly import disassemble, previous
from xemu.debug.elffile import ElfFile
from xemu.debug.symbols import Module, Modules
from xemu.errors import ImageError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRMWARE = ROOT / "samples" / "firmware" / "elf"
EXCEPTIONS = FIRMWARE / "mps2-an386" / "exceptions.elf"


def test_names_and_addresses() -> None:
    modules = Modules([Module.open(EXCEPTIONS)])
    main = modules.address_of("main")
    assert modules.where(main) == "main"
    assert modules.where(main + 6) == "main+0x6"
    assert modules.where(0xDEAD0000) == "0xdead0000"
    assert modules.address_of("nothing") is None
    function = modules.function(main + 8)
    assert (function.name, function.start) == ("main", main)
    assert function.end > main + 100
    assert modules.mode_at(main) == "thumb-m"
    assert not main & 1


def test_assembled_thumb_functions_are_where_their_code_is() -> None:
    module = Module.open(FIRMWARE / "mps2-an385" / "station.elf")
    for name in ("reset_handler", "default_handler"):                        # GNU as gives both odd addresses
        address = module.find(name).address
        found = module.source_function(address)
        assert (found.name, found.start) == (name, address)


def test_modules_come_and_go(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    program = build(tmp_path, "a.c", "-g", "-O1")
    first, second = Module.open(program), Module.open(program, bias=0x40000000, name="lib/second.so")
    modules = Modules([first])
    offset = first.find("leaf").address
    modules.add(second)
    assert modules.at(offset + 0x40000000) is second
    assert modules.where(offset + 0x40000002) == "leaf+0x2 (second.so)"
    assert modules.place(offset + 0x40000000).start == offset + 0x40000000
    assert second.body(offset + 0x40000000) == first.body(offset) + 0x40000000
    assert [place.start for place in modules.line_addresses("a.c", 36)] == [
        place.start + bias for bias in (0, 0x40000000) for place in first.line_addresses("a.c", 36)]  # fmt: skip
    modules.remove(second)
    assert modules.at(offset + 0x40000000) is None
    assert len(modules) == 1


@pytest.mark.parametrize("how", ["build-id", "link", "link in .debug"])
def test_separate_debug_information(how: str, need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    need("arm-linux-gnueabihf-objcopy")
    program = build(tmp_path, "a.c", "-g", "-O1", "-Wl,--build-id")
    build_id = ElfFile.open(program).build_id
    debug = tmp_path / "debug" / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    if how != "build-id":
        debug = tmp_path / (".debug" if "in" in how else ".") / "a.debug"
    debug.parent.mkdir(parents=True, exist_ok=True)
    tool = "arm-linux-gnueabihf-objcopy"
    subprocess.run([tool, "--only-keep-debug", str(program), str(debug)], check=True)
    bare = tmp_path / "bare"
    link = [] if how == "build-id" else [f"--add-gnu-debuglink={debug}"]
    subprocess.run([tool, "--strip-all", *link, str(program), str(bare)], check=True)
    module = Module.open(bare, debug_places=[str(tmp_path / "debug")])
    main = module.find("main").address
    assert module.place(main).name == "a.c:54"
    assert module.mode_at(main) == "thumb"
    other = build(tmp_path, "a.c", "-g", "-O0", "-Wl,--build-id")
    if how != "build-id":
        subprocess.run([tool, "--only-keep-debug", str(other), str(debug)], check=True)
        wrong = Module.open(bare, debug_places=[])
        assert wrong.dwarf is None
        assert any("built separately" in problem for problem in wrong.problems)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Module.open(tmp_path / "missing")
    with pytest.raises(ImageError):
        Module.open(b"#!/bin/sh\n")
    with pytest.raises(ImageError):
        Module.open(EXCEPTIONS.read_bytes()[:40])


def test_looking_up_a_name_loads_no_debug_library() -> None:
    code = f"""
import sys
from xemu.debug.symbols import Module, Modules
module = Module.open({str(EXCEPTIONS)!r})
Modules([module]).where(module.find("main").address)
assert not {{"elftools", "lief", "capstone", "xemu.debug.dwarf", "xemu.debug.lines"}} & set(sys.modules), sorted(sys.modules)
assert "debug_elf" not in module.__dict__
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_first_answers_come_quickly() -> None:
    from xemu.debug.unwind import backtrace

    Module.open(EXCEPTIONS).place(0)                   # imports
    started = time.perf_counter()
    module = Module.open(EXCEPTIONS)
    main = module.find("main").address
    frames = backtrace({"pc": main, "sp": 0x20001000, "lr": module.find("start").address + 0x23, "xpsr": 1 << 24}, module.elf.read,
                       Modules([module]))  # fmt: skip
    assert time.perf_counter() - started < 0.5         # 20 ms on an idle machine
    assert [frame.function for frame in frames][:2] == ["main", "start"]


def test_only_what_is_asked_for_is_read(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    elf = ElfFile.open(build(tmp_path, "a.c", "-g", "-static"))
    total, reader = 0, elf.read_file

    def counted(offset: int, length: int) -> bytes:
        nonlocal total
        data = reader(offset, length)
        total += len(data)
        return data

    elf.read_file = counted
    module = Module(elf)
    assert module.symbol_at(module.find("main").address) is not None
    assert total < elf.size / 4
    assert module.place(module.find("main").address) is not None
    assert total < elf.size / 2


# -- disassembly ---------------------------------------------------------------------------------------------------------------


def test_instructions_with_names() -> None:
    pytest.importorskip("capstone")
    module = Module.open(EXCEPTIONS)
    modules = Modules([module])
    lines = disassemble(module.elf.read, module.find("main").address, 40, "thumb-m", modules)
    assert (lines[0].symbol, lines[0].mnemonic, lines[0].mode) == ("main", "push.w", "thumb-m")
    call = next(line for line in lines if line.mnemonic == "bl")
    assert call.target == module.find("print").address
    assert call.comment == "print"
    assert any(line.comment.startswith("= 0x") for line in lines)
    for before, after in pairwise(lines):
        assert before.address + before.size == after.address


def test_data_between_code_and_going_back() -> None:
    pytest.importorskip("capstone")
    module = Module.open(EXCEPTIONS)
    modules = Modules([module])
    function = module.function(module.find("main").address)
    lines = disassemble(module.elf.read, function.start, 1000, "thumb-m", modules)
    lines = [line for line in lines if line.address < function.end]
    assert any(line.mnemonic == ".word" and line.mode == "data" for line in lines)
    for before, after in pairwise(lines):
        assert previous(module.elf.read, after.address, "thumb-m", modules) == before.address, hex(after.address)
    end = disassemble(module.elf.read, 0xE0000000, 3, "thumb-m", modules)
    assert [(line.mnemonic, line.size) for line in end] == [("??", 0)]


def test_arm_and_unknown_words(need: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("capstone")
    need("arm-linux-gnueabihf-gcc")
    module = Module.open(build(tmp_path, "a.c", "-g", "-O1", "-marm"))
    modules = Modules([module])
    lines = disassemble(module.elf.read, module.find("recurse").address, 60, "arm", modules)
    assert {line.size for line in lines} == {4}
    assert any(line.comment == "leaf" for line in lines)
    code = {0x1000: bytes.fromhex("ffffffff0000a0e1")}

    def read(address: int, length: int, /) -> bytes | None:
        data = code[0x1000][address - 0x1000 : address - 0x1000 + length] if 0x1000 <= address < 0x1008 else b""
        return data if len(data) == length else None

    found = disassemble(read, 0x1000, 2, "arm", Modules(), module.architecture)
    assert found[-1].address >= 0x1002
    assert disassemble(read, 0x1004, 1, "arm", Modules(), module.architecture)[0].mnemonic in ("mov", "nop")


def test_no_instruction_begins_between_two_units() -> None:
    pytest.importorskip("capstone")
    module = Module.open(EXCEPTIONS)
    at = module.find("main").address
    lines = disassemble(module.elf.read, at + 1, 2, "thumb-m", Modules([module]))
    assert [(line.address, line.size) for line in lines] == [(at + 1, 1), (at + 2, lines[1].size)]
    assert lines[0].mnemonic == ".byte"
