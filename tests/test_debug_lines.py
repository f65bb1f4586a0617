"""Source lines, places of breakpoints, functions: the same as GDB's, for all versions of DWARF."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import BARE, PROGRAMS, build
from xemu.debug.sources import Sources
from xemu.debug.symbols import Module, Modules
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUILDS = {
    "dwarf2-thumb-O0": ("a.c", "-gdwarf-2", "-O0", "-mthumb"),
    "dwarf3-arm-O1": ("a.c", "-gdwarf-3", "-O1", "-marm"),
    "dwarf4-thumb-O2": ("a.c", "-gdwarf-4", "-O2", "-mthumb", "-fomit-frame-pointer"),
    "dwarf5-thumb-O0": ("a.c", "-gdwarf-5", "-O0", "-mthumb"),
    "dwarf5-thumb-O2": ("a.c", "-gdwarf-5", "-O2", "-mthumb", "-fno-asynchronous-unwind-tables"),
    "compressed": ("a.c", "-g", "-O1", "-gz"),
    "compressed-old": ("a.c", "-g", "-O1", "-gz=zlib-gnu"),
    "strict-5": ("a.c", "-gdwarf-5", "-gstrict-dwarf", "-O2"),
    "types": ("a.c", "-gdwarf-5", "-O1", "-fdebug-types-section"),
    "types-4": ("a.c", "-gdwarf-4", "-O1", "-fdebug-types-section"),
    "c++-O0": ("b.cc", "-g", "-O0"),
    "c++-O2": ("b.cc", "-g", "-O2"),
}
#: where GDB and xemu differ on purpose: GDB takes an assembler name for all functions with its C++ name; of the line of a catch
#: clause it takes one block
CONSTRUCTOR = re.compile(r"_ZN.*[CD][012]E|b\.cc:(34|[1-4])$")


def ask_gdb(gdb: str, program: Path, commands: list[str]) -> list[str]:
    """Return what GDB answers to each command, with the breakpoints that it makes."""
    arguments = [gdb, "-nx", "-batch", "-ex", "set confirm off", "-ex", "set width 0"]
    for command in commands:
        arguments += ["-ex", "echo \\n@@\\n", "-ex", command, "-ex", "info breakpoints", "-ex", "delete"]
    output = subprocess.run([*arguments, str(program)], capture_output=True, text=True, check=True, timeout=60).stdout
    return output.split("\n@@\n")[1:]


@pytest.mark.parametrize("name", BUILDS)
def test_breakpoints_and_lines_are_where_gdb_has_them(name: str, need: Callable[..., str], tmp_path: Path) -> None:
    gdb = need("gdb-multiarch")
    need("arm-linux-gnueabihf-gcc")
    source, *options = BUILDS[name]
    program = build(tmp_path, source, *options)
    module = Module.open(program)
    modules = Modules([module])
    functions = [symbol for symbol in module.symbols.functions() if module.source_function(symbol.address)]
    count = len((PROGRAMS / source).read_text().splitlines())
    places = [symbol.name for symbol in functions] + [f"{source}:{line}" for line in range(1, count + 1)]
    places = [place for place in places if not CONSTRUCTOR.search(place)]
    starts = [symbol.address for symbol in functions]
    answers = ask_gdb(gdb, program, [f"break {place}" for place in places] + [f"info line *{address:#x}" for address in starts])
    for place, answer in zip(places, answers, strict=False):
        expected = sorted({int(text, 16) for text in re.findall(r"0x[0-9a-f]{8}", answer)})
        try:
            found = modules.resolve(place)
        except UsageError:
            found = []
        assert sorted(found) == expected, place
    for address, answer in zip(starts, answers[len(places) :], strict=True):
        match = re.search(r"Line (\d+) of \".*?\" starts at address (0x[0-9a-f]+).*?ends at (0x[0-9a-f]+)", answer, re.DOTALL)
        row = module.place(address)
        if match:
            assert row is not None
            assert (row.line, row.start, row.end) == (int(match[1]), int(match[2], 16), int(match[3], 16)), hex(address)
    assert module.problems == []


@pytest.mark.parametrize("version", [4, 5])
def test_split_units_are_found(version: int, need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    unit = build(tmp_path, "a.c", f"-gdwarf-{version}", "-O1", "-gsplit-dwarf", "-c")
    whole = tmp_path / "program"
    subprocess.run(["arm-linux-gnueabihf-gcc", str(unit), "-o", str(whole)], check=True)
    module = Module.open(whole)
    assert module.source_function(module.named_functions("recurse")[0]).name == "recurse"
    assert [call.name for call in module.calls_at(module.inlined_entries("twice")[0])] == ["twice"]
    assert module.problems == []
    for dwo in tmp_path.glob("*.dwo"):
        dwo.unlink()
    missing = Module.open(whole)
    assert missing.place(missing.named_functions("recurse")[0]).name.startswith("a.c:")
    assert missing.source_function(missing.named_functions("recurse")[0]) is None
    assert any("not found" in problem for problem in missing.problems)


def test_inlined_calls_and_their_places(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    module = Module.open(build(tmp_path, "a.c", "-g", "-O2"))
    lines = (PROGRAMS / "a.c").read_text().splitlines()
    (start,) = module.inlined_entries("twice")
    (call,) = module.calls_at(start)
    assert "twice(depth)" in lines[call.line - 1]
    assert call.file.endswith("tests/debug_programs/a.c")


def test_a_line_is_one_range_for_stepping(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    module = Module.open(build(tmp_path, "loop.c", "-g", "-O0", "-mthumb", "-mcpu=cortex-m3", "-nostdlib", "-ffreestanding", "-Wl,-emain",
                               prefix=BARE))  # fmt: skip
    start, end = module.line_range(module.line_addresses("loop.c", 4)[0].start)
    place = module.place(start)
    assert place.line == 4
    assert module.place(end).line != 4
    assert module.place(end - 2).line == 4
    assert module.cortex_m


def test_places_have_suggestions(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    modules = Modules([Module.open(build(tmp_path, "a.c", "-g", "-O0"))])
    with pytest.raises(UsageError, match="no function or symbol 'recurs'; did you mean 'recurse'"):
        modules.resolve("recurs")
    with pytest.raises(UsageError, match=r"no source file 'aa.c'; did you mean 'a.c'"):
        modules.resolve("aa.c:12")
    with pytest.raises(UsageError, match=r"a.c has no code on line 5000"):
        modules.resolve("a.c:5000")
    main = modules.resolve("*main")[0]
    assert modules.resolve(f"{main:#x}") == [main]
    assert modules.resolve("main+4") == [main + 4]
    assert modules.resolve("main")[0] > main


def test_sources_are_found_by_mapping_and_near_the_program(tmp_path: Path) -> None:
    (tmp_path / "new" / "src").mkdir(parents=True)
    (tmp_path / "new" / "src" / "main.c").write_text("int main(void)\n{\n}\n")
    mapped = Sources([f"/build/x={tmp_path / 'new'}"])
    assert mapped.line("/build/x/src/main.c", 1) == "int main(void)"
    assert mapped.find("/build/xy/src/main.c") is None
    assert Sources(directories=[str(tmp_path / "new")]).lines("/somewhere/else/src/main.c")[1] == "{"
    assert Sources().lines("/nowhere/main.c") == []
