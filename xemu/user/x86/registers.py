"""The floating-point and vector registers as FXSAVE and XSAVE images (SDM vol. 1, 10.5.1 and 13.4), made from the CPU's cells."""

from __future__ import annotations

import struct
from typing import Any

from xemu.targets.x86.registers import control_of, mxcsr_of, set_control, set_mxcsr, set_status, set_tags, status_of, tags_of

FXSAVE = 512  # bytes; the last 48 belong to software
AVX_AT, XSAVE = 576, 832  # behind the header of 64 bytes: the upper halves of the YMM registers
X87, SSE, AVX = 1, 2, 4  # bits of XSTATE_BV
MXCSR_RESET, FCW_RESET = 0x1F80, 0x37F
MXCSR_MASK = 0xFFFF
_HEAD = struct.Struct("<HHBxHQQII")  # FCW FSW FTW FOP FIP FDP MXCSR MXCSR_MASK


class Registers:
    """A view of a state block's floating-point cells."""

    def __init__(self, state: Any) -> None:
        """Keep the state."""
        self.state = state
        cells = state.layout.cells
        self._x, self._fpr, self._last = cells["X"], cells["FPR"], cells["FLAST"]

    def _get(self, name: str) -> int:
        return int(self.state.get(self.state.layout.cells[name], 0))

    def _set(self, name: str, value: int) -> None:
        self.state.set(self.state.layout.cells[name], 0, value)

    # --- control and status -----------------------------------------------------------------------

    @property
    def mxcsr(self) -> int:
        """MXCSR."""
        return mxcsr_of(self.state)

    @mxcsr.setter
    def mxcsr(self, value: int) -> None:
        set_mxcsr(self.state, value)

    @property
    def fcw(self) -> int:
        """The x87 control word."""
        return control_of(self.state)

    @fcw.setter
    def fcw(self, value: int) -> None:
        set_control(self.state, value & 0x1F3F | 0x40)

    @property
    def fsw(self) -> int:
        """The x87 status word."""
        return status_of(self.state)

    @fsw.setter
    def fsw(self, value: int) -> None:
        set_status(self.state, value)

    def _stack(self, index: int) -> int:
        return self._get("FTOP") + index & 7

    # --- images -----------------------------------------------------------------------------------

    def fxsave(self, count: int) -> bytes:
        """Return an FXSAVE image with `count` XMM registers."""
        get = self.state.get
        last, data, code = (get(self._last, n) for n in range(3))
        image = bytearray(FXSAVE)
        _HEAD.pack_into(image, 0, self.fcw, self.fsw, self._get("FVALID"), code & 0x7FF, last, data, self.mxcsr, MXCSR_MASK)
        for n in range(8):
            image[32 + 16 * n : 42 + 16 * n] = get(self._fpr, self._stack(n)).to_bytes(10, "little")
        for n in range(count):
            image[160 + 16 * n : 176 + 16 * n] = get(self._x, 2 * n).to_bytes(16, "little")
        return bytes(image)

    def fxrstor(self, image: bytes, count: int) -> None:
        """Take an FXSAVE image back; ValueError for an MXCSR that the CPU refuses."""
        put = self.state.set
        fcw, fsw, valid, code, last, data, mxcsr, _ = _HEAD.unpack_from(image)
        if mxcsr & ~MXCSR_MASK:
            raise ValueError("reserved bits of MXCSR")
        self.fcw, self.fsw, self.mxcsr = fcw, fsw, mxcsr
        self._set("FVALID", valid)
        for n, value in enumerate((last, data, code & 0x7FF)):
            put(self._last, n, value)
        for n in range(8):
            put(self._fpr, self._stack(n), int.from_bytes(image[32 + 16 * n : 42 + 16 * n], "little"))
        for n in range(count):
            put(self._x, 2 * n, int.from_bytes(image[160 + 16 * n : 176 + 16 * n], "little"))

    def xsave(self, count: int) -> bytes:
        """Return an XSAVE image, in the standard form."""
        upper = b"".join(self.state.get(self._x, 2 * n + 1).to_bytes(16, "little") for n in range(count))
        header = struct.pack("<Q56x", X87 | SSE | AVX)
        return self.fxsave(count) + header + upper.ljust(XSAVE - AVX_AT, b"\0")

    def xrstor(self, image: bytes, count: int) -> None:
        """Take an XSAVE image back: parts that it does not have are reset."""
        (parts,) = struct.unpack_from("<Q", image, FXSAVE)
        if parts & ~(X87 | SSE | AVX) or any(image[FXSAVE + 8 : FXSAVE + 64]):
            raise ValueError("header of XSAVE")
        legacy = bytearray(image[:FXSAVE])
        if not parts & X87:
            legacy[:24] = _HEAD.pack(FCW_RESET, 0, 0, 0, 0, 0, 0, 0)[:24]
            legacy[32:160] = bytes(128)
        if not parts & SSE:
            legacy[160:416] = bytes(256)
        self.fxrstor(bytes(legacy), count)
        for n in range(count):
            at = AVX_AT + 16 * n
            self.state.set(self._x, 2 * n + 1, int.from_bytes(image[at : at + 16], "little") if parts & AVX else 0)

    def reset(self) -> None:
        """Be as execve(2) leaves it."""
        self.fcw, self.fsw, self.mxcsr = FCW_RESET, 0, MXCSR_RESET
        self._set("FVALID", 0)
        for cell, size in ((self._last, 4), (self._fpr, 8), (self._x, 32)):
            for n in range(size):
                self.state.set(cell, n, 0)

    # --- the 32-bit FSAVE form ----------------------------------------------------------------------

    def fsave(self) -> bytes:
        """Return the 108 bytes of FSAVE in 32-bit protected mode."""
        get = self.state.get
        last, data, code = (get(self._last, n) for n in range(3))
        head = struct.pack("<7I", self.fcw | 0xFFFF0000, self.fsw | 0xFFFF0000, tags_of(self.state) | 0xFFFF0000, last & 0xFFFFFFFF,
                           (last >> 32 & 0xFFFF) | (code & 0x7FF) << 16, data & 0xFFFFFFFF, (data >> 32 & 0xFFFF) | 0xFFFF0000)
        return head + b"".join(get(self._fpr, self._stack(n)).to_bytes(10, "little") for n in range(8))

    def frstor(self, image: bytes) -> None:
        """Take the same back."""
        fcw, fsw, tags, last, code, data, segment = struct.unpack_from("<7I", image)
        self.fcw, self.fsw = fcw, fsw
        set_tags(self.state, tags)
        for n, value in enumerate((last | (code & 0xFFFF) << 32, data | (segment & 0xFFFF) << 32, code >> 16 & 0x7FF)):
            self.state.set(self._last, n, value)
        for n in range(8):
            self.state.set(self._fpr, self._stack(n), int.from_bytes(image[28 + 10 * n : 38 + 10 * n], "little"))
