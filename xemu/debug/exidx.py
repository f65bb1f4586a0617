"""ARM's exception index and handling tables (IHI 0038, Exception Handling ABI for the Arm Architecture, sections 6 and 10)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.dwarf_forms import DamagedError
from xemu.debug.elffile import PT_ARM_EXIDX, SHT_ARM_EXIDX

if TYPE_CHECKING:
    from xemu.debug.elffile import ElfFile
    from xemu.debug.symbols import ReadMemory

CANTUNWIND = 1
INLINE = 0x8000_0000
FINISH = 0xB0
MAX_ENTRIES = 1 << 20
MAX_CODES = 1024           # bytes of unwinding instructions: a generic entry may have 255 words


class Unwound(NamedTuple):
    """What the caller's registers are: the CFA is what `vsp` was in the end."""

    cfa: int
    registers: dict[str, int]
    saved: dict[str, int]              # where registers were stored


class UnwindTable:
    """The table of one file, or one in memory; addresses as in what it is read from."""

    def __init__(self, read: ReadMemory, start: int, size: int, order: str = "<") -> None:
        """Take a reader and where the index is (8 bytes an entry)."""
        self.read, self.start, self.order = read, start, order
        self.count = min(size // 8, MAX_ENTRIES)
        self._word = struct.Struct(order + "I")
        self._pair = struct.Struct(order + "II")
        self._data: bytes | None = None

    @classmethod
    def of(cls, elf: ElfFile) -> UnwindTable | None:
        """Return a file's table, by program header or section; None without one."""
        for segment in elf.segments:
            if segment.type == PT_ARM_EXIDX and segment.file_size:
                return cls(elf.read, segment.address, segment.file_size, elf.order)
        for section in elf.sections.values():
            if section.type == SHT_ARM_EXIDX and section.size:
                return cls(elf.read, section.address, section.size, elf.order)
        return None

    def _entry(self, index: int) -> tuple[int, int, int]:
        """Return (function's start, second word, its address) of an entry (section 6)."""
        if self._data is None:
            self._data = self.read(self.start, 8 * self.count) or b""
        at = self.start + 8 * index
        function, word = self._pair.unpack_from(self._data, 8 * index)
        return _prel31(function, at), word, at + 4

    def _load(self, address: int) -> int:
        data = self.read(address & 0xFFFF_FFFF, 4)
        if data is None:
            raise DamagedError(f"nothing at {address:#x}")
        return int(self._word.unpack(data)[0])

    def find(self, address: int) -> tuple[int, int, int] | None:
        """Return (start of the code it is for, second word, its address) of the entry for an address."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[0] <= address:
                low = middle + 1
            else:
                high = middle
        return self._entry(low - 1) if low else None

    def codes(self, entry: tuple[int, int, int]) -> bytes | None:
        """Return the unwinding instructions of an entry (10.2, 10.3); None: it cannot be unwound."""
        _, word, place = entry
        if word == CANTUNWIND:
            return None
        if word & INLINE:
            return self._compact(word, place, inline=True)
        address = _prel31(word, place)
        first = self._load(address)
        if first & INLINE:
            return self._compact(first, address, inline=False)
        # Generic model: a personality routine; those of GCC's languages read the same instructions behind it.
        second = self._load(address + 4)
        return self._words(second << 8, 3, address + 8, second >> 24)

    def _compact(self, word: int, address: int, *, inline: bool) -> bytes:
        index = word >> 24 & 0x0F
        if index == 0:
            return self._words(word << 8, 3, 0, 0)
        if index > 2 or (inline and index != 0):
            raise DamagedError(f"personality routine {index}")
        return self._words(word << 16, 2, address + 4, word >> 16 & 0xFF)

    def _words(self, first: int, count: int, address: int, more: int) -> bytes:
        """Return `count` bytes from the top of a word and those of `more` words that follow it; the first byte is the highest."""
        data = (first & 0xFFFF_FFFF).to_bytes(4, "big")[:count]
        return data + b"".join(self._load(address + 4 * index).to_bytes(4, "big") for index in range(more))


def _prel31(word: int, place: int) -> int:
    """Return the address that a place-relative 31-bit offset means."""
    offset = word & 0x7FFF_FFFF
    return place + offset - (offset << 1 & 0x8000_0000) & 0xFFFF_FFFF


class RefusedError(Exception):
    """The instructions say that this frame cannot be unwound."""


class Unwinder:
    """The virtual registers while instructions run (10.3, table 4). Values that are not known are left out."""

    def __init__(self, registers: dict[str, int], read_memory: ReadMemory, order: str = "little") -> None:
        self.registers, self.read_memory = dict(registers), read_memory
        self.order = order
        self.vsp = registers["sp"]
        self.pc_set = False
        self.saved: dict[str, int] = {}
        self.codes = b""
        self.at = 0

    def run(self, codes: bytes) -> Unwound:
        """Do all instructions; RefusedError, DamagedError."""
        self.codes, self.at = codes[:MAX_CODES], 0
        while self.at < len(self.codes):
            code = self._byte()
            if code == FINISH:
                break
            self._step(code)
        if not self.pc_set:
            self.registers["pc"] = self.registers.get("lr", 0)
        self.registers["sp"] = self.vsp
        return Unwound(self.vsp, self.registers, self.saved)

    def _byte(self) -> int:
        if self.at >= len(self.codes):
            raise DamagedError("unwinding instructions that end early")
        self.at += 1
        return self.codes[self.at - 1]

    def _pop(self, size: int = 4) -> int:
        data = self.read_memory(self.vsp & 0xFFFF_FFFF, size)
        if data is None:
            raise DamagedError(f"cannot access memory at address {self.vsp:#x}")
        self.vsp = self.vsp + size & 0xFFFF_FFFF
        return int.from_bytes(data, "little" if self.order == "little" else "big")

    def _pop_core(self, mask: int, first: int = 0) -> None:
        vsp = None
        for number in range(16):
            if mask >> number & 1:
                name = _CORE[first + number]
                self.saved[name] = self.vsp
                value = self._pop()
                if name == "sp":
                    vsp = value
                else:
                    self.registers[name] = value
                    self.pc_set |= name == "pc"
        if vsp is not None:
            self.vsp = vsp

    def _pop_vfp(self, first: int, count: int, *, extended: bool) -> None:
        """Pop D registers; those that FSTMFDX stored have a word behind them."""
        for number in range(first, min(first + count, 32)):
            self.saved[f"d{number}"] = self.vsp
            self.registers[f"d{number}"] = self._pop(8)
        if extended:
            self.vsp = self.vsp + 4 & 0xFFFF_FFFF

    def _step(self, code: int) -> None:
        if code < 0x40:
            self.vsp = self.vsp + (code & 0x3F) * 4 + 4 & 0xFFFF_FFFF
        elif code < 0x80:
            self.vsp = self.vsp - (code & 0x3F) * 4 - 4 & 0xFFFF_FFFF
        elif code < 0x90:
            mask = (code & 0x0F) << 8 | self._byte()
            if not mask:
                raise RefusedError
            self._pop_core(mask, 4)
        elif code < 0xA0:
            name = _CORE[code & 0x0F]
            if name in ("sp", "pc") or name not in self.registers:
                raise DamagedError(f"the stack pointer is in {name}, which is not known")
            self.vsp = self.registers[name]
        elif code < 0xB0:
            mask = (2 << (code & 7)) - 1
            self._pop_core(mask | (0x400 if code & 8 else 0), 4)
        else:
            self._wide(code)

    def _wide(self, code: int) -> None:
        """Do those from 0xB1 on."""
        if code == 0xB1:
            mask = self._byte()
            if not 0 < mask < 16:
                raise DamagedError("spare unwinding instruction")
            self._pop_core(mask)
        elif code == 0xB2:
            shift = value = 0
            while True:
                byte = self._byte()
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            self.vsp = self.vsp + 0x204 + (value << 2) & 0xFFFF_FFFF
        elif code in (0xB3, 0xC8, 0xC9):
            byte = self._byte()
            self._pop_vfp((byte >> 4) + (16 if code == 0xC8 else 0), (byte & 15) + 1, extended=code == 0xB3)
        elif code == 0xB4:
            self.registers.pop("ra_auth_code", None)   # the authentication code of a return address: popped, not checked
            self._pop()
        elif 0xB8 <= code < 0xC0:
            self._pop_vfp(8, (code & 7) + 1, extended=True)
        elif 0xD0 <= code < 0xD8:
            self._pop_vfp(8, (code & 7) + 1, extended=False)
        else:
            raise DamagedError(f"unwinding instruction {code:#x}")


_CORE = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc"]
