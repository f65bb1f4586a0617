"""What a single PowerPC instruction starts from and ends in: the state as Python numbers, and as a record of the driver."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# the places that driver.c has, too
CODE, SLOT, BATCH, PROLOGUE = 0x0100_0000, 128, 512, 16
WINDOW, PAGE, WINDOW_SIZE = 0x0200_0000, 4096, 4 * 4096        # the first page and the last may only be read
WRITABLE, WRITABLE_SIZE = WINDOW + PAGE, 2 * PAGE
WORDS: Final = 8                      # of code in a slot
VSR: Final = 336                      # offset in the record
NAMES: Final = ("pc", "lr", "ctr", "tar", "cr", "xer", "vrsave", "fpscr")

SO, OV, CA, OV32, CA32 = 1 << 31, 1 << 30, 1 << 29, 1 << 19, 1 << 18
NJ, SAT = 1 << 16, 1


@dataclass(frozen=True)
class Machine:
    """A processor that QEMU has."""

    name: str                         # xemu's target
    cpu: str
    bits: int
    order: str                        # "big" or "little"
    vector: bool = True

    @property
    def sign(self) -> str:
        """Return the byte order as struct has it."""
        return "<" if self.order == "little" else ">"

    @property
    def xer(self) -> int:
        """Return the bits that XER has (Book I, 3.2.2)."""
        return SO | OV | CA | 0x7F | (OV32 | CA32 if self.bits == 64 else 0)


MACHINES: Final = {machine.cpu: machine for machine in (
    Machine("ppc64le", "power9", 64, "little"), Machine("ppc", "7400", 32, "big"), Machine("ppc", "e500mc", 32, "big", vector=False))}
#: the one for each target
USUAL: Final = {"ppc64le": "power9", "ppc": "7400"}


@dataclass
class State:
    """Registers by number. Of `vsr`, 32-bit machines have bits 127:64 of the first 32, and the last 32 if they have vectors."""

    r: list[int] = field(default_factory=lambda: [0] * 32)
    pc: int = 0
    lr: int = 0
    ctr: int = 0
    tar: int = 0
    cr: int = 0
    xer: int = 0
    vrsave: int = 0
    fpscr: int = 0
    vscr: int = NJ
    vsr: list[int] = field(default_factory=lambda: [0] * 64)

    def copy(self) -> State:
        """Return a copy that shares nothing."""
        return replace(self, r=self.r[:], vsr=self.vsr[:])

    def pack(self, machine: Machine, entry: int) -> bytes:
        """Return the driver's record of the state before a case; `entry` is where its slot starts."""
        numbers = (*self.r, entry, *(getattr(self, name) for name in NAMES[1:]))
        vectors = b"".join([v.to_bytes(16, machine.order) for v in (self.vscr, *self.vsr)])  # type: ignore[arg-type]
        return struct.pack(f"{machine.sign}40Q", *numbers) + vectors

    @classmethod
    def unpack(cls, raw: bytes, machine: Machine) -> State:
        """Return what the driver stored."""
        numbers = struct.unpack_from(f"{machine.sign}40Q", raw)
        vectors = [int.from_bytes(raw[at:at + 16], machine.order) for at in range(VSR - 16, VSR + 1024, 16)]  # type: ignore[arg-type]
        named = dict(zip(NAMES, numbers[32:], strict=True))
        return cls(list(numbers[:32]), **named, vscr=vectors[0] & 0xFFFF_FFFF, vsr=vectors[1:])


@dataclass
class Case:
    """Code and what it starts from. `memory` are the bytes in the window that differ from its background."""

    words: list[int]
    state: State
    machine: Machine
    memory: dict[int, bytes] = field(default_factory=dict)
    at: int = CODE + PROLOGUE
    note: str = ""

    @property
    def code(self) -> bytes:
        """Return the code as it stands in memory."""
        return struct.pack(f"{self.machine.sign}{len(self.words)}I", *self.words)


@dataclass
class Outcome:
    """How a case ended.

    `ended` is "done", the signal that an instruction raised ("undefined", "trap", "bus", "segv", "fpe": `state.pc` is where),
    or what happened to the emulator: "killed", "endless". `memory` has the aligned words of 8 bytes that changed, in memory's order.
    """

    ended: str
    state: State
    memory: Mapping[int, bytes] = field(default_factory=dict)
    address: int = 0                  # si_addr of "segv"
    code: int = 0                     # si_code


def background(machine: Machine) -> bytes:
    """Return what the window holds where a case says nothing: every word tells its place."""
    return b"".join((0x1122_3344_5566_0000 + 8 * n).to_bytes(8, machine.order) for n in range(WINDOW_SIZE // 8))  # type: ignore[arg-type]
