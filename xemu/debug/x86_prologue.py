"""What x86 code does to the stack, read from instructions where no table says it.

A function is read from its start to where it is: pushes, changes of the stack pointer, a frame pointer. An epilogue is read
forwards to its return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.disassembly import instructions
from xemu.debug.frames import StackShape

if TYPE_CHECKING:
    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory

MAX_PROLOGUE = 8192        # bytes of a function that are looked at
MAX_EPILOGUE = 12          # instructions
MAX_BACK = 4096            # bytes looked through for the start of a function without a name
LONGEST_CALL = 7           # bytes
ENDBR = {64: b"\xf3\x0f\x1e\xfa", 32: b"\xf3\x0f\x1e\xfb"}
FRAMED = {64: (b"\x55\x48\x89\xe5", b"\x55\x48\x8b\xec"), 32: (b"\x55\x89\xe5", b"\x55\x8b\xec")}        # push rbp; mov rbp, rsp


def prologue(read_memory: ReadMemory, start: int, pc: int, arch: Architecture) -> StackShape | None:
    """Return what a function has done to the stack when it is at `pc`; None if its code cannot be read."""
    word, sp = arch.address_bytes, arch.sp
    shape = StackShape(end=start)
    shape.push([arch.pc], word)
    end = min(pc, start + MAX_PROLOGUE)
    if end > start and read_memory(start, end - start) is None:
        return None
    at, body = start, -1
    depths: dict[int, int] = {}                        # where jumps lead: what the stack is there
    for address, size, mnemonic, operands in instructions(read_memory, start, end, "", arch):
        at = address + size
        if address in depths and body >= 0:
            shape.depth = depths[address]
        before = (shape.depth, shape.frame, len(shape.saved))
        first, _, second = operands.partition(", ")
        if mnemonic == "push":
            shape.depth += word
            if first in arch.saved and shape.certain:
                shape.saved.setdefault(first, shape.depth)
        elif mnemonic == "sub" and first == sp:
            amount = _number(second)
            shape.resize(None if amount is None else -amount)
        elif mnemonic in ("add", "lea") and first == sp:
            inside = second.strip("[]").replace(" ", "") if mnemonic == "lea" else second
            amount = _number(inside.removeprefix(sp)) if mnemonic == "add" or inside.startswith(sp) else None
            shape.resize(amount)
        elif mnemonic == "pop":
            shape.depth -= word
        elif mnemonic == "mov" and (first, second) == (arch.frame, sp):
            shape.frame = (arch.frame, shape.depth)
        elif mnemonic == "enter":
            shape.push([arch.frame], word)
            shape.frame = (arch.frame, shape.depth)
            shape.depth += int(first, 0)
        elif first == sp and mnemonic in ("and", "mov", "xchg"):
            shape.certain = False                      # aligned, or moved by a number that is not known
        elif mnemonic == "leave":
            shape.depth = shape.frame[1] - word if shape.frame is not None else shape.depth
        elif mnemonic.startswith(("j", "ret", "notrack")):
            body = shape.depth if body < 0 else body   # what it is between calls
            if first.startswith("0x"):
                depths.setdefault(int(first, 16), shape.depth)
            if mnemonic[0] != "j" or mnemonic == "jmp":
                shape.depth = depths.get(at, body)     # what follows is reached from elsewhere
        if (shape.depth, shape.frame, len(shape.saved)) != before:
            shape.end = address + size
    shape.depth = depths.get(pc, shape.depth) if body >= 0 else shape.depth
    shape.certain = shape.frame is not None or (shape.certain and at >= end)
    return shape


def _number(text: str) -> int | None:
    try:
        return int(text.replace("+", "").replace(" ", ""), 0)
    except ValueError:
        return None


def epilogue(registers: dict[str, int], read_memory: ReadMemory, pc: int, arch: Architecture) -> dict[str, int] | None:
    """Return the caller's registers if the code at `pc` does nothing but tidy up and return; else None."""
    found, word, sp = dict(registers), arch.address_bytes, arch.sp

    def pop(name: str) -> bool:
        data = read_memory(found[sp], word)
        if data is None:
            return False
        value = arch.number(data)
        found[sp] += word
        found[name] = value
        return True

    for count, (_, _, mnemonic, operands) in enumerate(instructions(read_memory, pc, pc + 8 * MAX_EPILOGUE, "", arch)):
        first, _, second = operands.partition(", ")
        last = mnemonic.rpartition(" ")[2]
        if count >= MAX_EPILOGUE:
            return None
        if last == "ret":
            if not pop(arch.pc):
                return None
            found[sp] += int(operands, 0) if operands else 0
            return found
        if last == "pop" and first in found:
            if not pop(first):
                return None
        elif last == "leave" and arch.frame in found:
            found[sp] = found[arch.frame]
            if not pop(arch.frame):
                return None
        elif last == "add" and first == sp and (amount := _number(second)) is not None:
            found[sp] += amount
        elif last not in ("nop", "vzeroupper", "cld"):
            return None
    return None


def is_call_before(read_memory: ReadMemory, address: int, arch: Architecture) -> bool:
    """Whether bytes in front of an address make a call: E8, or FF /2 with its operand (SDM vol. 2A, CALL)."""
    del arch
    data = read_memory(address - LONGEST_CALL, LONGEST_CALL) or read_memory(address - 2, 2)
    if data is None:
        return False
    if len(data) == LONGEST_CALL and data[-5] == 0xE8:
        return True
    for size in range(2, len(data) + 1):
        if data[-size] == 0xFF and data[1 - size] >> 3 & 7 == 2 and size == _call_bytes(data[1 - size], data[2 - size] if size > 2 else 0):
            return True
    return False


def _call_bytes(modrm: int, sib: int) -> int:
    """Return the bytes of FF /2 from the opcode on."""
    mod, rm = modrm >> 6, modrm & 7
    if mod == 3:
        return 2
    size = 3 if rm == 4 else 2
    if mod == 1:
        return size + 1
    return size + 4 if mod == 2 or rm == 5 or (rm == 4 and sib & 7 == 5) else size


def find_start(read_memory: ReadMemory, pc: int, arch: Architecture) -> int | None:
    """Return the likely start of a function without a name in front of `pc`: ENDBR, or where a frame pointer is set up."""
    low = max(0, pc - MAX_BACK)
    data = read_memory(low, pc - low)
    while data is None and pc - low > 64:              # the beginning may not be mapped
        low = pc - (pc - low) // 2
        data = read_memory(low, pc - low)
    if data is None:
        return None
    found = max(data.rfind(code) for code in (ENDBR[arch.bits], *FRAMED[arch.bits]))
    if found < 0:
        return None
    before = data.rfind(ENDBR[arch.bits], 0, found)
    return low + (before if before >= 0 and found - before == len(ENDBR[arch.bits]) else found)


__all__ = ["epilogue", "find_start", "is_call_before", "prologue"]
