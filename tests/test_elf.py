"""The ELF reader: what it reads, and one line for everything that is wrong with a file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xemu.core.memory import EXEC, READ, WRITE
from xemu.errors import ImageError
from xemu.loaders.elf import ElfHeader, bytes_reader, read_elf, read_symbols

if TYPE_CHECKING:
    from xemu.loaders.image import Image

EHDR = "4s5B7xHHIIIIIHHHHHH"
PHDR = "8I"


def elf(
    *programs: tuple[int, ...],
    machine: int = 40,
    kind: int = 2,
    size: int = 0x200,
    phnum: int | None = None,
    phentsize: int = 32,
    bits: int = 1,
    data: int = 1,
) -> bytes:
    """Build a 32-bit file; a program is (type, offset, vaddr, filesz, memsz, flags)."""
    count, order = len(programs) if phnum is None else phnum, ">" if data == 2 else "<"
    ident = (b"\x7fELF", bits, data, 1, 0, 0)
    head = struct.pack(order + EHDR, *ident, kind, machine, 1, 0x8000, 52, 0, 0x05000400, 52, phentsize, count, 40, 0, 0)
    body = b"".join(struct.pack(order + PHDR, t, o, v, v, f, m, flags, 0x1000) for t, o, v, f, m, flags in programs)
    return (head + body).ljust(size, b"\0")


LOAD = (1, 0, 0x8000, 0x200, 0x300, 5)


def read(blob: bytes) -> Image:
    """Read a blob as a program."""
    return read_elf(bytes_reader(blob), len(blob), "prog")


@pytest.mark.parametrize(("machine", "data", "arch"), [(40, 1, "arm"), (20, 2, "ppc")])
def test_segments_rights_and_entry(machine: int, data: int, arch: str) -> None:
    image = read(elf(LOAD, (1, 0x100, 0x9100, 0x100, 0x2000, 6), machine=machine, data=data))
    assert (image.arch, image.entry, image.movable) == (arch, 0x8000, False)
    assert [(s.address, s.size, s.file_size, s.prot) for s in image.segments] == [
        (0x8000, 0x300, 0x200, READ | EXEC),
        (0x9100, 0x2000, 0x100, READ | WRITE),
    ]
    assert (image.low, image.high) == (0x8000, 0xB100)


def test_program_headers_are_found_in_memory() -> None:
    assert read(elf(LOAD)).header_address == 0x8000 + 52


def test_interpreter_name() -> None:
    blob = bytearray(elf(LOAD, (3, 0x180, 0, 9, 9, 4)))
    blob[0x180:0x189] = b"/lib/ld.x"
    with pytest.raises(ImageError, match="does not end"):
        read(bytes(blob))
    blob[0x188] = 0
    assert read(bytes(blob)).interpreter == b"/lib/ld."


REFUSALS = {
    "it is a script": b"#!/bin/sh\n",
    "the file is empty": b"",
    "looks like text": b"hello world, this is no program",
    "Windows program": b"MZ\x90\0",
    "ends inside its ELF header": elf(LOAD)[:40],
    "class 9 and byte order 1": elf(LOAD, bits=9),
    "class 1 and byte order 7": elf(LOAD, data=7),
    "an object file; link it first": elf(LOAD, kind=1),
    "a core dump": elf(LOAD, kind=4),
    "ELF type 77": elf(LOAD, kind=77),
    "no program headers": elf(),
    "1 program headers of 31 bytes": elf(LOAD, phentsize=31),
    "program headers end at 0x234, the file at 0x200": elf(LOAD, phnum=16),
    "segment 0 ends at 0x400, the file at 0x200": elf((1, 0x200, 0x8200, 0x200, 0x200, 5)),
    "0x200 bytes in the file for 0x100 in memory": elf((1, 0, 0x8000, 0x200, 0x100, 5)),
    "past the address space": elf((1, 0, 0xFFFFF000, 0x200, 0x2000, 5)),
    "cannot be mapped": elf((1, 4, 0x8000, 0x100, 0x100, 5)),
    "before the end of the one before it": elf(LOAD, LOAD),
    "no segment to load": elf((6, 0, 0, 0, 0, 0)),
    "name of its loader is 1 bytes": elf(LOAD, (3, 0x180, 0, 1, 1, 4)),
}


@pytest.mark.parametrize("text", REFUSALS)
def test_damaged_file_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ImageError) as refusal:
        read(REFUSALS[text])
    assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("prog: ")


@pytest.mark.parametrize(("number", "data", "name"), [
    (62, 1, "x86_64"), (183, 1, "aarch64"), (20, 2, "ppc"), (20, 1, "ppcle"), (21, 1, "ppc64le"), (21, 2, "ppc64"), (40, 2, "armeb"),
])  # fmt: skip
def test_architecture_names(number: int, data: int, name: str) -> None:
    assert ElfHeader(bytes_reader(elf(LOAD, machine=number, data=data)), "prog").machine[0] == name


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0x1FF), st.integers(0, 255)), max_size=12), st.integers(0, 0x200), st.integers(1, 2))
def test_no_damage_does_worse_than_a_refusal(changes: list[tuple[int, int]], length: int, data: int) -> None:
    blob = bytearray(elf(LOAD, (1, 0x100, 0x9100, 0x100, 0x2000, 6), (3, 0x180, 0, 10, 10, 4), data=data))
    for where, value in changes:
        blob[where] = value
    cut = bytes(blob[: max(length, 60)])
    try:
        image = read(cut)
    except ImageError:
        pass
    else:
        assert image.segments
    read_symbols(bytes_reader(cut), len(cut), "prog")


def test_symbols_of_a_damaged_table_are_none() -> None:
    blob = bytearray(elf(LOAD))
    struct.pack_into("<I", blob, 32, 0x10000)
    struct.pack_into("<H", blob, 48, 3)
    assert read_symbols(bytes_reader(bytes(blob)), len(blob), "prog").at(0x8000) is None
