"""Call stacks of PowerPC code of which nothing is known but the back chain."""

from __future__ import annotations

import struct

import pytest

from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.symbols import Modules
from xemu.debug.unwind import Unwinding


@pytest.mark.parametrize(("arch", "order"), [("ppc", ">"), ("ppc64le", "<")])
def test_the_back_chain_leads_on_where_nothing_is_known(arch: str, order: str) -> None:
    """Frames of code without names or tables: the chain of stack pointers, and the words where return addresses are stored."""
    word, link = ("I", 4) if arch == "ppc" else ("Q", 16)
    memory = bytearray(0x4000)

    def put(at: int, *values: int, code: str = "I") -> None:
        struct.pack_into(f"{order}{len(values)}{code}", memory, at, *values)

    for call in (0x1000, 0x1100, 0x1200):
        put(call, 0x60000000, 0x60000000, 0x48000101)              # nop; nop; bl
    for frame, older in ((0x3000, 0x3040), (0x3040, 0x3080), (0x3080, 0)):
        put(frame, older, code=word)
    for frame, call in ((0x3040, 0x1000), (0x3080, 0x1100)):
        put(frame + link, call + 12, code=word)
    arch_row = ARCHITECTURES[arch]
    registers = {f"r{n}": 0 for n in range(32)} | {"r1": 0x3000, "pc": 0x120C, "lr": 0}

    def read(address: int, length: int, /) -> bytes | None:
        return bytes(memory[address:address + length]) if address + length <= len(memory) else None

    unwinding = Unwinding(registers, read, Modules(), architecture=arch_row)
    frames = list(unwinding)
    assert [frame.pc for frame in frames] == [0x120C, 0x100C, 0x110C]
    assert [frame.sp for frame in frames] == [0x3000, 0x3040, 0x3080]
