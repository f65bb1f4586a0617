"""Tiny firmware made in Python: straight-line Thumb code behind a vector table. Encodings: Armv7-M ARM (DDI 0403), A7.7."""

from __future__ import annotations

import struct

RAM = 0x2000_0000
CODE = 0x100            # where the code begins; before it is the vector table
Code = list[int]        # halfwords


def constant(register: int, value: int) -> Code:
    """MOVW and MOVT (T3, T1): put 32 bits into a register."""
    code = []
    for opcode, half in ((0xF240, value & 0xFFFF), (0xF2C0, value >> 16 & 0xFFFF)):
        code += [opcode | half >> 1 & 0x400 | half >> 12, half << 4 & 0x7000 | register << 8 | half & 0xFF]
    return code


def write(address: int, value: int) -> Code:
    """Store a word, with r0 and r1."""
    return [*constant(0, address), *constant(1, value), 0x6001]


def read(address: int) -> Code:
    """Load a word into r1, with r0."""
    return [*constant(0, address), 0x6801]


def semihosting(number: int, *block: int) -> Code:
    """A semihosting call with a block of parameters at the start of RAM."""
    code = [half for i, word in enumerate(block) for half in write(RAM + 4 * i, word)]
    return [*code, *constant(0, number), *constant(1, RAM), 0xBEAB]


def leave(code: int) -> Code:
    """Exit by semihosting."""
    return semihosting(0x20, 0x20026, code)


def stored(text: bytes, at: int = RAM + 0x100) -> Code:
    """Put a string into RAM."""
    text += bytes(-len(text) % 4)
    return [half for i in range(0, len(text), 4) for half in write(at + i, int.from_bytes(text[i:i + 4], "little"))]


def console(text: bytes) -> Code:
    """SYS_WRITE0."""
    at = RAM + 0x100
    return [*stored(text + b"\0", at), *constant(0, 4), *constant(1, at), 0xBEAB]


def send(text: bytes, uart: int = 0x4000_4000) -> Code:
    """Print on a CMSDK UART (DDI 0479, 4.3)."""
    return [*write(uart + 8, 1), *(half for byte in text for half in write(uart, byte))]


SLEEP: Code = [0xBF30, 0xE7FD]          # WFI for ever
SPIN: Code = [0xE7FE]                   # B .
UNDEFINED: Code = [0xDE00]              # UDF #0


def program(*parts: Code, stack: int = RAM + 0x1_0000, start: int = CODE + 1, base: int = 0) -> bytes:
    """Return a raw image: a vector table for `base`, then the parts; all exceptions spin."""
    code = [half for part in parts for half in part]
    spin = base + CODE + 2 * len(code) | 1
    table = [stack, base + start, *[spin] * 14]
    return struct.pack("<16I", *table).ljust(CODE, b"\0") + struct.pack(f"<{len(code) + 1}H", *code, *SPIN)
