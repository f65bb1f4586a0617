"""Loading what the compiler made: ELF relocatable objects into code memory. Small, because our code has few relocations."""

from __future__ import annotations

import ctypes
import struct

from xemu.core import host
from xemu.errors import XemuError

SHF_ALLOC = 2
SHT_SYMTAB, SHT_RELA, SHT_NOBITS = 2, 4, 8


class BadObjectError(XemuError):
    """An object from the cache or the compiler cannot be used (the caller compiles again)."""


class CodeMemory:
    """Native code of one process: whole pages per object, written, then executable, never both."""

    CHUNK = 4 << 20

    def __init__(self) -> None:
        self.next = self.end = 0
        self.bytes = 0
        self.objects: list[tuple[int, int, bool]] = []  # start, end, is it a region

    def allocate(self, size: int) -> int:
        """Return the address of whole fresh pages."""
        size = (size + 4095) // 4096 * 4096
        if self.next + size > self.end:
            chunk = max(self.CHUNK, size)
            self.next = host.reserve(chunk)
            self.end = self.next + chunk
        at, self.next = self.next, self.next + size
        self.bytes += size
        return at

    def load(self, blob: bytes) -> dict[str, int]:
        """Load an object; return the addresses of its functions. Raises BadObjectError."""
        try:
            return self._load(blob)
        except (struct.error, IndexError, ValueError, KeyError) as e:
            msg = f"damaged object: {e}"
            raise BadObjectError(msg) from e

    def _load(self, blob: bytes) -> dict[str, int]:
        if blob[:4] != b"\x7fELF" or len(blob) < 64:
            msg = "not an ELF object"
            raise BadObjectError(msg)
        (table,) = struct.unpack_from("<Q", blob, 40)
        size, count = struct.unpack_from("<HH", blob, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", blob, table + i * size) for i in range(count)]
        placed, at = {}, 0
        for i, (_, kind, flags, _, _, length, _, _, align, _) in enumerate(sections):
            if flags & SHF_ALLOC and kind != SHT_NOBITS and length:
                at = (at + max(align, 1) - 1) // max(align, 1) * max(align, 1)
                placed[i] = at
                at += length
        if at > 1 << 28:
            msg = "object too large"
            raise BadObjectError(msg)
        image = bytearray(at)
        for i, offset in placed.items():
            s = sections[i]
            if s[4] + s[5] > len(blob):
                msg = "truncated object"
                raise BadObjectError(msg)
            image[offset:offset + s[5]] = blob[s[4]:s[4] + s[5]]
        base = self.allocate(at)
        symbols, names = self._symbols(blob, sections, placed, base)
        self._relocate(blob, sections, placed, base, image, symbols)
        ctypes.memmove(base, bytes(image), len(image))
        host.protect_code(base, (at + 4095) // 4096 * 4096)
        self.objects.append((base, base + at, "region" in names))
        return names

    def _symbols(self, blob: bytes, sections: list[tuple[int, ...]], placed: dict[int, int],
                 base: int) -> tuple[list[int | None], dict[str, int]]:
        symbols: list[int | None] = []
        names: dict[str, int] = {}
        for s in sections:
            if s[1] != SHT_SYMTAB:
                continue
            strings = sections[s[6]][4]
            for i in range(s[5] // 24):
                name, info, _, index, value, _ = struct.unpack_from("<IBBHQQ", blob, s[4] + i * 24)
                address = base + placed[index] + value if index in placed else None
                symbols.append(address)
                if address is not None and info >> 4 == 1:
                    end = blob.index(b"\0", strings + name)
                    names[blob[strings + name:end].decode()] = address
        return symbols, names

    def _relocate(self, blob: bytes, sections: list[tuple[int, ...]], placed: dict[int, int], base: int,
                  image: bytearray, symbols: list[int | None]) -> None:
        for s in sections:
            if s[1] != SHT_RELA or s[7] not in placed:
                continue
            for i in range(s[5] // 24):
                offset, info, addend = struct.unpack_from("<QQq", blob, s[4] + i * 24)
                target = symbols[info >> 32]
                place = placed[s[7]] + offset
                done = None if target is None else host.relocate(info & 0xFFFFFFFF, base + place, target + addend)
                if done is None:
                    msg = f"relocation {info & 0xFFFFFFFF} in native code is not supported"
                    raise BadObjectError(msg)
                value, mask = done
                (old,) = struct.unpack_from("<I", image, place)
                struct.pack_into("<I", image, place, old & ~mask | value)
