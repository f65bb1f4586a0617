"""What a single x86 instruction starts from and ends in: the state as Python numbers, and as a record of the driver."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tests.oracle.x86 import driver as d

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{n}" for n in range(8, 16)))
CONTEXT_ORDER: Final = (8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4)     # of struct sigcontext, by register number
PLACE: Final = [CONTEXT_ORDER.index(number) for number in range(16)]
STATUS: Final = 0x8D5                 # CF PF AF ZF SF OF
TF, DF, AC, ID = 0x100, 0x400, 0x4_0000, 0x20_0000
KEPT_FLAGS: Final = STATUS | DF | AC | ID
CODE64, CODE32, DATA = 0x33, 0x23, 0x2B           # Linux's selectors
_GREGS: Final = struct.Struct("<18Q4H")           # … cs, gs (unused), fs (unused), ss
_EXTRA: Final = struct.Struct("<2Q4H")            # fs base, gs base, ds, es, fs, gs
_FX: Final = struct.Struct("<HHBxHQQII")          # FCW FSW FTW FOP FIP FDP MXCSR MXCSR_MASK


@dataclass
class State:
    """Registers by number; `v` are the ymm registers, `fpr` the physical x87 registers (80 bits)."""

    r: list[int] = field(default_factory=lambda: [0] * 16)
    rip: int = 0
    flags: int = 2
    fs_base: int = 0
    gs_base: int = 0
    cs: int = CODE64
    ss: int = DATA
    ds: int = 0
    es: int = 0
    fs: int = 0
    gs: int = 0
    v: list[int] = field(default_factory=lambda: [0] * 16)
    mxcsr: int = 0x1F80
    fpr: list[int] = field(default_factory=lambda: [0] * 8)
    fcw: int = 0x37F
    fsw: int = 0                      # with TOP
    valid: int = 0                    # a bit for each physical register that is not empty
    fop: int = 0
    fip: int = 0
    fdp: int = 0

    @property
    def top(self) -> int:
        """Return the physical register that is ST(0)."""
        return self.fsw >> 11 & 7

    def copy(self) -> State:
        """Return a copy that shares nothing."""
        return replace(self, r=self.r[:], v=self.v[:], fpr=self.fpr[:])

    def pack(self, extra_flags: int = 0) -> bytes:
        """Return the record without the fields that describe the case."""
        gregs = _GREGS.pack(*[self.r[n] for n in CONTEXT_ORDER], self.rip, self.flags | extra_flags, self.cs, 0, 0, self.ss)
        extra = _EXTRA.pack(self.fs_base, self.gs_base, self.ds, self.es, self.fs, self.gs)
        top = self.top
        fx = _FX.pack(self.fcw, self.fsw, self.valid, self.fop, self.fip, self.fdp, self.mxcsr, 0)
        st = b"".join([self.fpr[top + i & 7].to_bytes(16, "little") for i in range(8)])
        all_v = [v.to_bytes(32, "little") for v in self.v]
        xmm, upper = b"".join([v[:16] for v in all_v]), b"".join([v[16:] for v in all_v])
        head = gregs.ljust(d.FS_BASE, b"\0") + extra
        return head.ljust(d.FXSAVE, b"\0") + fx + st + xmm + upper

    @classmethod
    def unpack(cls, raw: bytes, bits: int = 64) -> State:
        """Return what the driver stored; in 32-bit mode the upper halves are not the program's."""
        *g, flags, cs, _, _, ss = _GREGS.unpack_from(raw, 0)
        r = [g[PLACE[n]] for n in range(16)]
        if bits == 32:
            r = [value & 0xFFFF_FFFF for value in r]
        fs_base, gs_base, ds, es, fs, gs = _EXTRA.unpack_from(raw, d.FS_BASE)
        fcw, fsw, valid, fop, fip, fdp, mxcsr, _ = _FX.unpack_from(raw, d.FXSAVE)
        top, at = fsw >> 11 & 7, d.FXSAVE + 32
        fpr = [int.from_bytes(raw[at + 16 * (n - top & 7):][:10], "little") for n in range(8)]
        at += 128
        v = [int.from_bytes(raw[at + 16 * n:][:16] + raw[d.UPPER + 16 * n:][:16], "little") for n in range(16)]
        return cls(r, g[16], flags & ~TF, fs_base, gs_base, cs, ss, ds, es, fs, gs, v, mxcsr, fpr, fcw, fsw, valid, fop, fip, fdp)


@dataclass
class Case:
    """One instruction and what it starts from. `memory` are the bytes in the window that differ from its background."""

    code: bytes
    state: State
    memory: dict[int, bytes] = field(default_factory=dict)
    bits: int = 64
    step: bool = False                # end it by TF: for what changes rip; else an INT3 stands behind
    at: int = d.CODE + 0x400
    note: str = ""


@dataclass
class Outcome:
    """How a case ended: "done", "trap" (done, and an exception is told), "fault" (not done), "endless" or "killed"."""

    ended: str
    state: State
    memory: Mapping[int, int] = field(default_factory=dict)      # changed words of 8 bytes, by address
    vector: int = 0
    signal: int = 0
    code: int = 0
    address: int = 0                  # si_addr


def background() -> bytes:
    """Return what the window holds where a case says nothing: every word tells its place."""
    return b"".join((0x1122_3344_5566_0000 + 8 * n).to_bytes(8, "little") for n in range(d.WINDOW_SIZE // 8))
