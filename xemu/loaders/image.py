"""What a loader returns: a program as data. Nothing here touches a CPU or memory."""

from __future__ import annotations


class Segment:
    """A piece of the file that belongs at an address (bytes past `file_size` are zero)."""

    __slots__ = ("address", "align", "file_size", "offset", "prot", "size")

    def __init__(
        self, address: int, size: int, offset: int, file_size: int, prot: int, align: int = 1
    ) -> None:
        """Keep sizes and offset in bytes and `prot` as READ | WRITE | EXEC of core.memory."""
        self.address = address
        self.size = size
        self.offset = offset
        self.file_size = file_size
        self.prot = prot
        self.align = align

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.address + self.size

    def __repr__(self) -> str:
        """Show range and rights."""
        rwx = "".join(c if self.prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
        return f"{self.address:#x}..{self.end:#x} {rwx}"


class Image:
    """A loadable program."""

    def __init__(
        self,
        arch: str,
        entry: int,
        segments: list[Segment],
        *,
        bits: int = 32,
        movable: bool = False,
        interpreter: bytes | None = None,
        header_address: int = 0,
        header_size: int = 0,
        header_count: int = 0,
        executable_stack: bool = False,
        flags: int = 0,
    ) -> None:
        """Describe a program; `movable`: addresses are relative to wherever it is put."""
        self.arch = arch
        self.entry = entry
        self.segments = segments
        self.bits = bits
        self.movable = movable
        self.interpreter = interpreter
        self.header_address = header_address
        self.header_size = header_size
        self.header_count = header_count
        self.executable_stack = executable_stack
        self.flags = flags

    @property
    def low(self) -> int:
        """The lowest address used."""
        return min(s.address for s in self.segments)

    @property
    def high(self) -> int:
        """The address after the highest byte used."""
        return max(s.end for s in self.segments)

    def __repr__(self) -> str:
        """Show what matters."""
        kind = "movable" if self.movable else "fixed"
        needs = f", needs {self.interpreter!r}" if self.interpreter else ""
        return f"<Image {self.arch} {kind} entry={self.entry:#x} {self.segments}{needs}>"
