"""Damaged and hostile files: nothing crashes, hangs or eats memory; what is damaged is a note and no answer."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build
from xemu.debug.evaluate import evaluate
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import Unwinding
from xemu.debug.variables import Scope
from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = float(os.environ.get("XEMU_FUZZ_SECONDS", "8"))
SLOWEST = 10.0             # seconds for all questions about one file
SECTIONS = (".debug_info", ".debug_abbrev", ".debug_line", ".debug_frame", ".eh_frame", ".ARM.exidx", ".ARM.extab", ".debug_loclists",
            ".debug_rnglists", ".debug_str", ".debug_aranges", ".debug_loc", ".debug_ranges", ".symtab", ".debug_line_str")


def ask_everything(module: Module, generator: random.Random) -> None:
    """Ask all kinds of questions about a file."""
    modules = Modules([module])
    symbols = [symbol for symbol in module.symbols.symbols if symbol.kind == "function"]
    if not symbols:
        return
    registers = {f"r{n}": generator.choice((0, 0x40800000, generator.getrandbits(32))) for n in range(13)}
    stack = generator.randbytes(4096)

    def read(address: int, length: int, /) -> bytes | None:
        if address >= 0x40800000 and address + length <= 0x40801000:
            return stack[address - 0x40800000 : address - 0x40800000 + length]
        return module.elf.read(address, length)

    for symbol in generator.sample(symbols, min(4, len(symbols))):
        pc = symbol.address + generator.choice((0, 2, 4, 8, max(0, symbol.size & 0xFFF) // 2 & ~1))
        modules.where(pc)
        module.place(pc)
        module.line_range(pc)
        module.body(symbol.address)
        known = {**registers, "sp": 0x40800100, "lr": symbols[0].address | 1, "pc": pc, "cpsr": 0x30}
        frames = list(Unwinding(known, read, modules).frames(20))
        for index, frame in enumerate(frames[:3]):
            scope = Scope(modules, read, frame, frames[index + 1 :])
            for variable in [*scope.parameters(), *scope.locals(), *scope.globals()][:20]:
                assert isinstance(variable.text, str)
                for child in variable.children()[:5]:
                    assert isinstance(child.text, str)
                    assert isinstance(child.type_name, str)
            for expression in ("n->at.x + counter", "table[1][1]", "(struct node *)r + 1", "sizeof(struct node)", "biggest", "this->w"):
                with contextlib.suppress(UsageError):
                    evaluate(expression, scope).text()
    module.line_addresses("a.c", generator.randrange(70))
    module.named_functions("geo::Derived::area")
    module.inlined_entries("twice")


def mutate(blob: bytes, spans: list[tuple[int, int]], generator: random.Random) -> bytes:
    """Change a few bytes, mostly in interesting sections; sometimes cut the file."""
    data = bytearray(blob)
    for _ in range(generator.choice((1, 2, 5, 20))):
        start, size = generator.choice(spans) if generator.random() < 0.9 else (0, len(data))
        at = start + generator.randrange(max(1, size))
        if at >= len(data):
            continue
        kind = generator.randrange(4)
        if kind == 0:
            data[at] ^= 1 << generator.randrange(8)
        elif kind == 1:
            data[at] = generator.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            data[at : at + 4] = struct.pack("<I", generator.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF0, size)))[: len(data) - at]
        else:
            data[at : at + 8] = generator.randbytes(8)[: len(data) - at]
    if generator.random() < 0.05:
        del data[generator.randrange(len(data)) :]
    return bytes(data)


@pytest.fixture(scope="module")
def programs(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return programs with all kinds of tables."""
    need("arm-linux-gnueabihf-gcc")
    need("arm-linux-gnueabihf-g++")
    place = tmp_path_factory.mktemp("fuzz")
    return [build(place, "a.c", *options, "-fexceptions").read_bytes()
            for options in (("-gdwarf-2", "-O1"), ("-gdwarf-4", "-O2", "-fasynchronous-unwind-tables"), ("-gdwarf-5", "-O2"))] \
        + [build(place, "b.cc", "-g", "-O1").read_bytes()]  # fmt: skip


def test_damaged_files_are_survived(programs: list[bytes], record_property: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("XEMU_FUZZ_SEED", "0")) or random.SystemRandom().getrandbits(32)
    record_property("seed", seed)
    spans = []
    for blob in programs:
        sections = Module.open(blob).elf.sections
        spans.append([(sections[name].offset, sections[name].size) for name in SECTIONS if name in sections])
    for blob in programs:                                  # imports all there is to import while memory is not short
        ask_everything(Module.open(blob), random.Random(0))
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()     # guests of other tests reserve a lot
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), limits[1]))
    try:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            generator = random.Random(seed + count)
            number = generator.randrange(len(programs))
            blob = mutate(programs[number], spans[number], generator)
            started = time.monotonic()
            try:
                ask_everything(Module.open(blob), generator)
            except XemuError:
                pass
            except Exception as error:
                raise AssertionError(f"XEMU_FUZZ_SEED={seed + count}: {error!r}") from error
            assert time.monotonic() - started < SLOWEST, f"XEMU_FUZZ_SEED={seed + count} takes too long"
            count += 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert count


def test_problems_are_said(programs: list[bytes]) -> None:
    module = Module.open(programs[2])
    section = module.elf.sections[".debug_info"]
    end = section.offset + section.size
    damaged = Module.open(programs[2][: section.offset] + b"\xff" * section.size + programs[2][end:], name="a.out")
    assert damaged.symbol_at(damaged.symbols.address_of("main") or 0) is not None
    assert damaged.place(damaged.symbols.address_of("main") or 0) is None
    assert any(".debug_info" in problem for problem in damaged.problems)


def test_a_section_that_unpacks_to_too_much_is_refused(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    module = Module.open(build(tmp_path, "a.c", "-g", "-gz"))
    section = module.elf.sections[".debug_info"]
    blob = bytearray((tmp_path / module.name.rsplit("/", 1)[-1]).read_bytes())
    struct.pack_into("<I", blob, section.offset + 4, 0xF0000000)
    bomb = Module.open(bytes(blob))
    assert bomb.elf.data(".debug_info") == b""
    assert any("is the file damaged" in problem for problem in bomb.problems)
