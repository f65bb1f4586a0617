"""UF2: 512-byte blocks, each with an address, that may come in any order.

Microsoft, "USB Flashing Format (UF2)". A file may hold programs for several families of processors, each with block
numbers of its own.
"""

from __future__ import annotations

from typing import Any

from xemu.core.layout import Layout
from xemu.errors import ImageError
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader
from xemu.loaders.pieces import Collector

BLOCK = Layout("magic:I magic2:I flags:I address:I length:I number:I count:I family:I data:476s end:I")
MAGIC, MAGIC2, MAGIC_END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
NOT_MAIN_FLASH, FILE_CONTAINER, HAS_FAMILY, HAS_MD5 = 0x0001, 0x1000, 0x2000, 0x4000
MD5_SIZE = 24  # at the end of the 476 data bytes: start, length and hash of a region of flash

# family number -> (title, xemu's name of the instruction set), after the list of the format's authors; others are
# shown in hexadecimal
FAMILIES = {
    0x00FF6919: ("STM32L4", "arm"), 0x04240BDF: ("STM32L5", "arm"), 0x16573617: ("ATmega32", "avr"),
    0x1851780A: ("SAML21", "arm"), 0x1B57745F: ("nRF52", "arm"), 0x1C5F21B0: ("ESP32", "xtensa"),
    0x1E1F432D: ("STM32L1", "arm"), 0x202E3A91: ("STM32L0", "arm"), 0x2ABC77EC: ("LPC55", "arm"),
    0x300F5633: ("STM32G0", "arm"), 0x4C71240A: ("STM32G4", "arm"), 0x4FB2D5BD: ("i.MX RT10xx", "arm"),
    0x53B80F00: ("STM32F7", "arm"), 0x55114460: ("SAMD51", "arm"), 0x57755A57: ("STM32F4", "arm"),
    0x5D1A0A2E: ("STM32F2", "arm"), 0x5EE21072: ("STM32F103", "arm"), 0x621E937A: ("nRF52833", "arm"),
    0x647824B6: ("STM32F0", "arm"), 0x68ED2B88: ("SAMD21", "arm"), 0x6B846188: ("STM32F3", "arm"),
    0x6D0922FA: ("STM32F407", "arm"), 0x6DB66082: ("STM32H7", "arm"), 0x70D16653: ("STM32WB", "arm"),
    0x8FB060FE: ("STM32F407VG", "arm"), 0xADA52840: ("nRF52840", "arm"), 0xE48BFF56: ("RP2040", "arm"),
}  # fmt: skip


@loader("uf2", "UF2 file", limit=128 * MiB, sniff=lambda start: start.startswith(MAGIC.to_bytes(4, "little")))
def load_uf2(blob: bytes, name: str, request: Request) -> FirmwareImage:
    """Read the blocks of one family; ImageError names the block by its place in the file."""
    if len(blob) % BLOCK.size:
        raise ImageError(f"{name}: the file ends inside block {len(blob) // BLOCK.size}; blocks have 512 bytes; is it cut short?")
    programs: dict[int | None, Program] = {}
    skipped = 0
    for index in range(len(blob) // BLOCK.size):
        where = f"{name}: block {index}"
        block = BLOCK.unpack(blob, index * BLOCK.size)
        if (block.magic, block.magic2, block.end) != (MAGIC, MAGIC2, MAGIC_END):
            raise ImageError(f"{where}, at offset {index * BLOCK.size:#x}, does not have the marks of a UF2 block; is the file damaged?")
        if block.flags & FILE_CONTAINER:
            raise ImageError(f"{where} belongs to a file stored in the UF2, not to a program; is it the right file?")
        skipped += block.flags & NOT_MAIN_FLASH
        family = block.family if block.flags & HAS_FAMILY else None
        programs.setdefault(family, Program(name, family)).take(index, block, where)
    program = _choose(programs, request.family, name)
    return program.image(list(programs), [f"{skipped} blocks that are not for main flash are skipped"] if skipped else [])


def _choose(programs: dict[int | None, Program], wanted: int | None, name: str) -> Program:
    """Return the program asked for, or the only one."""
    if wanted is None and len(programs) == 1:
        return next(iter(programs.values()))
    if wanted in programs and wanted is not None:
        return programs[wanted]
    there = ", ".join(_title(family) for family in programs)
    if wanted is None:
        raise ImageError(f"{name}: programs for {len(programs)} families ({there}); choose one with --family")
    raise ImageError(f"{name}: no program for family {_title(wanted)}; it is for {there}")


def _title(family: int | None) -> str:
    if family is None:
        return "no family"
    return f"{family:#010x} {FAMILIES[family][0]}" if family in FAMILIES else f"{family:#010x}"


class Program:
    """The blocks of one family."""

    def __init__(self, name: str, family: int | None) -> None:
        """Start with nothing."""
        self.name = name
        self.family = family
        self.collector = Collector(name, lambda index: f"block {index}")
        self.count = 0
        self.seen: set[int] = set()

    def take(self, index: int, block: Any, where: str) -> None:
        """Keep one block; the same one twice is fine. Those not for main flash are numbered, too."""
        room = len(block.data) - (MD5_SIZE if block.flags & HAS_MD5 else 0)
        if not 0 < block.length <= room:
            raise ImageError(f"{where} has {block.length} bytes of data; 1 to {room} are possible; is the file damaged?")
        if block.number >= block.count:
            raise ImageError(f"{where} is number {block.number} of {block.count}; is the file damaged?")
        if self.count not in (0, block.count):
            raise ImageError(f"{where} is one of {block.count}, those before it of {self.count}; is it two programs in one file?")
        self.count = block.count
        self.seen.add(block.number)
        if not block.flags & NOT_MAIN_FLASH:
            self.collector.add(block.address, block.data[: block.length], index)

    def image(self, families: list[int | None], notes: list[str]) -> FirmwareImage:
        """Return the program; ImageError if a block is missing or two disagree."""
        if len(self.seen) < self.count:
            missing = next(number for number in range(self.count) if number not in self.seen)
            raise ImageError(
                f"{self.name}: block number {missing} of {self.count} is missing ({len(self.seen)} are there); is the file cut short?"
            )
        pieces = self.collector.pieces()
        if not pieces:
            raise ImageError(f"{self.name}: no block is for main flash; is it the right file?")
        attributes: dict[str, int | str | list[int]] = {"families": [family for family in families if family is not None]}
        arch = None
        if self.family is not None:
            title, arch = FAMILIES.get(self.family, (f"{self.family:#010x}", None))
            attributes |= {"family": self.family, "family_name": title}
        return FirmwareImage(self.name, "UF2", arch, None, pieces, attributes, notes)
