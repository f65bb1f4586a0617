"""ELF as firmware: segments by physical address, no page rules.

System V ABI edition 4.1, chapters 4 and 5; GNU ld writes the address at which a segment is stored (in flash, say)
to p_paddr, and the address at which the program expects it to p_vaddr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import ImageError
from xemu.loaders.arm_attributes import architecture_name, read_attributes
from xemu.loaders.elf import ET_DYN, ET_EXEC, PT_INTERP, PT_LOAD, ElfHeader, bytes_reader, program_headers, section_headers
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader
from xemu.loaders.pieces import Collector, Piece

if TYPE_CHECKING:
    from xemu.loaders.symbols import SymbolTable

SHT_ARM_ATTRIBUTES = 0x70000003


@loader("elf", "ELF file", limit=512 * MiB, sniff=lambda start: start.startswith(b"\x7fELF"))
def load_elf(blob: bytes, name: str, _request: Request) -> FirmwareImage:
    """Read segments, entry and build attributes; symbols when asked for."""
    read = bytes_reader(blob)
    header = ElfHeader(read, name)
    fields = header.fields
    if fields.type not in (ET_EXEC, ET_DYN):
        kinds = {1: "an object file; link it first", 4: "a core dump"}
        raise ImageError(f"{name}: not a program but {kinds.get(fields.type, f'ELF type {fields.type}')}")
    pieces, notes = _pieces(header, blob)
    arch = header.machine[0]
    attributes: dict[str, int | str | list[int]] = {"e_flags": fields.flags}
    if arch == "arm":
        attributes |= _arm_attributes(header, blob)

    def symbols() -> SymbolTable:
        from xemu.loaders.symbols import read_table

        return read_table(blob, name)

    return FirmwareImage(name, "ELF", arch, fields.entry, pieces, attributes, notes,
                         bits=header.bits, order=header.order, read_symbols=symbols)  # fmt: skip


def _pieces(header: ElfHeader, blob: bytes) -> tuple[list[Piece], list[str]]:
    """Return what the segments hold, by physical address, then what they expect to be zero, by virtual address.

    Zeros belong where the program runs: a .data segment stored in flash has its .bss in RAM behind the copy.
    """
    name = header.name
    programs = program_headers(header, bytes_reader(blob), len(blob))
    loads = [(index, program) for index, program in enumerate(programs) if program.type == PT_LOAD and program.memsz]
    if not loads:
        raise ImageError(f"{name}: no segment to load; is it a debug-information file?")
    for index, program in loads:
        _check(header, index, program, len(blob))
    if (total := sum(program.filesz for _, program in loads)) > 2 * len(blob):  # they may share a page's worth of bytes
        raise ImageError(f"{name}: segments of {total:#x} bytes in a file of {len(blob):#x}; is the file damaged?")
    physical = any(program.paddr for _, program in loads)  # all zero: the linker did not fill them in
    collector = Collector(name, lambda index: f"segment {index}", space_end=1 << header.bits)
    zeros = []
    for index, program in loads:
        address = program.paddr if physical else program.vaddr
        collector.add(address, blob[program.offset : program.offset + program.filesz], index)
        if program.memsz > program.filesz:
            zeros.append(Piece(program.vaddr + program.filesz, b"", program.memsz - program.filesz))
    pieces = collector.pieces()
    if not pieces:
        raise ImageError(f"{name}: its segments hold no bytes; is it a debug-information file?")
    interpreter = any(program.type == PT_INTERP for program in programs)
    notes = ["this is a program for an operating system, not firmware: it names a dynamic loader"] if interpreter else []
    return pieces + sorted(zeros), notes


def _check(header: ElfHeader, index: int, program: Any, size: int) -> None:
    """Refuse a segment that does not fit the file or the address space."""
    where = f"{header.name}: segment {index}"
    if program.filesz > program.memsz:
        raise ImageError(f"{where} has {program.filesz:#x} bytes in the file for {program.memsz:#x} in memory")
    if program.filesz and program.offset + program.filesz > size:
        raise ImageError(f"{where} ends at {program.offset + program.filesz:#x}, the file at {size:#x}")
    if program.vaddr + program.memsz > 1 << header.bits:
        raise ImageError(f"{where} ends at {program.vaddr + program.memsz:#x}, past the address space")


def _arm_attributes(header: ElfHeader, blob: bytes) -> dict[str, int | str | list[int]]:
    """Return the build attributes, and "architecture" as in "armv7e-m"; damaged ones count as absent."""
    read = bytes_reader(blob)
    for section in section_headers(header, read, len(blob)):
        if section.type == SHT_ARM_ATTRIBUTES:
            found = read_attributes(read(section.offset, section.size), header.order)
            name = architecture_name(found)
            return {**found, "architecture": name} if name else {**found}
    return {}
