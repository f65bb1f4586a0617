"""What PowerPC code does to the stack, read from instructions where no table says it.

A function is read from its start to where it is: the link register's value is stored in the caller's frame, SP's old value at SP (the
back chain), saved registers above it. An epilogue is read forwards to its return. (64-bit ELF V2 ABI, 2.2; System V ABI, PowerPC
supplement, "The Stack Frame".)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug import ppc_code as code
from xemu.debug.frames import StackShape

if TYPE_CHECKING:
    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory

MAX_PROLOGUE = 4096        # bytes of a function that are looked at
MAX_EPILOGUE = 48          # instructions
MAX_AHEAD = 64             # instructions that are looked through for the end of a frame
MAX_BACK = 16384           # bytes looked through for the start of a function without a name
SAVED = 14                 # the first register that functions keep
STUX = 0x7C21_016A         # stdux r1, r1, RB; stwux has another opcode
STWUX = 0x7C21_016E
MTCRF = 0x7C00_0120        # and mtocrf, with bits for fields and the register


class _Walk:
    """Reads a function instruction by instruction."""

    def __init__(self, start: int, arch: Architecture) -> None:
        self.arch, self.shape = arch, StackShape(end=start)
        self.holds: dict[int, str] = {}                # register -> special register whose value it has
        self.based: dict[int, int] = {}                # register -> CFA minus its value
        self.constants: dict[int, int] = {}
        self.store, self.push = (code.STD, code.STDU) if arch.bits == 64 else (code.STW, code.STWU)

    def step(self, word: int) -> None:
        """Follow an instruction."""
        kind, (rt, ra, rb) = code.opcode(word), code.fields(word)
        away = code.displacement(word)
        if word & 0xFC1F_FFFE == code.MFLR & ~1:
            self.holds[rt] = "lr"
        elif word & 0xFC1F_FFFF == code.MFCR or word & 0xFC10_0FFF == code.MFCR | 1 << 20:
            self.holds[rt] = "cr"
        elif kind == self.push and ra == rt == 1:
            self.shape.depth -= away
        elif word & 0xFFFF_07FF in (STUX, STWUX):
            self.shape.resize(self.constants.get(rb))
        elif kind in (self.store, code.STW, code.STFD):
            self._stored(rt, ra, away, kind)
        elif kind in (code.ADDI, code.ADDIS):
            self._added(rt, ra, away << 16 if kind == code.ADDIS else away)
        elif kind == 24 and rt == ra:                  # ori r0, r0, x
            self.constants = {**self.constants, ra: self.constants[ra] | word & 0xFFFF} if ra in self.constants else self.constants
        elif word & 0xFC00_07FF == 0x7C00_0378 and rt == rb:           # mr RA, RS
            self._moved(rt, ra)

    def _added(self, rt: int, ra: int, value: int) -> None:
        self.constants.pop(rt, None)
        if rt == 1 and ra == 1:
            self.shape.depth -= value
        elif ra == 0:
            self.constants[rt] = value
        elif ra == 1:
            self.based[rt] = self.shape.depth - value

    def _moved(self, rs: int, ra: int) -> None:
        if rs == 1:
            self.based[ra] = self.shape.depth
            if ra == 31:
                self.shape.frame = (self.arch.frame, self.shape.depth)
        elif ra == 1:
            self.shape.certain = self.shape.certain and rs in self.based
            self.shape.depth = self.based.get(rs, self.shape.depth)

    def _stored(self, rt: int, ra: int, away: int, kind: int) -> None:
        if ra != 1 and ra not in self.based:
            return
        below = (self.shape.depth if ra == 1 else self.based[ra]) - away
        if kind == code.STFD:
            name = f"f{rt}" if rt >= SAVED else ""
        elif rt in self.holds:
            name = self.holds[rt]
            if name == "lr" and below != -self.arch.back_link:
                name = ""
        else:
            name = f"r{rt}" if rt >= SAVED and kind == self.store else ""
        if name and self.shape.certain:
            self.shape.saved.setdefault(name, below)


def prologue(read_memory: ReadMemory, start: int, pc: int, arch: Architecture) -> StackShape | None:
    """Return what a function has done to the stack when it is at `pc`; None if its code cannot be read."""
    walk = _Walk(start, arch)
    shape = walk.shape
    end = min(pc, start + MAX_PROLOGUE)
    if end > start and read_memory(start, end - start) is None:
        return None
    body: int | None = None
    for address, word in code.words(read_memory, start, end, arch):
        before = (shape.depth, shape.frame, len(shape.saved))
        walk.step(word)
        if (shape.depth, shape.frame, len(shape.saved)) != before:
            shape.end = address + 4
        if code.is_call(word):
            walk.holds.clear()
            body = shape.depth if body is None else body
        if code.is_unconditional(word):                # what follows is reached from elsewhere
            shape.depth = max(body or 0, shape.depth)
            walk.holds.clear()
    return shape


def epilogue(registers: dict[str, int], read_memory: ReadMemory, pc: int, arch: Architecture) -> dict[str, int] | None:
    """Return the caller's registers if the code at `pc` does nothing but tidy up and return; else None."""
    found, at, sp = dict(registers), pc, registers.get(arch.sp, 0)
    word_bytes = arch.address_bytes

    def load(address: int, size: int) -> int | None:
        data = read_memory(address & arch.mask, size)
        return None if data is None else arch.number(data)

    for _ in range(MAX_EPILOGUE):
        word = code.word_at(read_memory, at, arch)
        kind, (rt, ra, rb) = code.opcode(word), code.fields(word)
        base = found.get(f"r{ra}")
        at += 4
        if word == code.BLR:
            return {**found, arch.pc: found["lr"]} if "lr" in found else None
        if kind == 18 and not word & 1:
            if found[arch.sp] != sp and "lr" in found:     # a tail call: what is jumped to returns for this function
                return {**found, arch.pc: found["lr"]}
            at = code.branch_target(word, at - 4, arch) or 0
            if pc <= at < pc + 4 * MAX_EPILOGUE:           # a loop, or a jump inside of the function
                return None
        elif kind in (code.LD if word_bytes == 8 else code.LWZ, code.LWZ, code.LFD) and base is not None and ra in (1, 11, 31, 12):
            size = 8 if kind == code.LFD else 4 if kind == code.LWZ else word_bytes
            value = load(base + code.displacement(word), size)
            if value is None:
                return None
            found[f"{'f' if kind == code.LFD else 'r'}{rt}"] = value
        elif kind == code.ADDI and ra in (1, 11, 31) and rt in (1, 11) and base is not None:
            found[f"r{rt}"] = base + code.displacement(word) & arch.mask
        elif word & 0xFC00_07FF == 0x7C00_0378 and rt == rb and ra in (1, 3):      # mr r1, r11; mr r3, …: the result
            found[f"r{ra}"] = found.get(f"r{rt}", 0)
        elif word & 0xFC1F_FFFF == code.MTLR:
            found["lr"] = found.get(f"r{rt}", 0)
        elif word & 0xFC00_0FFE == MTCRF or word == code.NOP or (kind == code.ADDI and rt == 3):     # mtcrf, mtocrf; li r3, …
            continue
        else:
            return None
    return None


def is_call_before(read_memory: ReadMemory, address: int, arch: Architecture) -> bool:
    """Whether the instruction in front of an address is a call."""
    return code.is_call(code.word_at(read_memory, address - 4, arch))


def find_start(read_memory: ReadMemory, pc: int, arch: Architecture) -> int | None:
    """Return the likely start of a function without a name in front of `pc`: what is behind a return.

    Code behind a return may belong to the same function. Then it calls somebody, or takes off a frame, that it has not set up.
    """
    low = max(0, pc - MAX_BACK) & -4
    data = read_memory(low, pc - low)
    while data is None and pc - low > 64:              # the beginning may not be mapped
        low = pc - ((pc - low) // 2 & -4)
        data = read_memory(low, pc - low)
    starts: list[tuple[int, bool, bool]] = []          # (address, sets up a frame, calls) of each stretch up to a return
    fresh = True
    for address, word in code.words(read_memory, low, pc, arch):
        if fresh and word not in (0, code.NOP):
            starts.append((address, False, False))
            fresh = False
        if not fresh:
            at, framed, calls = starts[-1]
            starts[-1] = (at, framed or _is_push(word, arch), calls or code.is_call(word))
        fresh = fresh or word == code.BLR
    if fresh:
        return None if _takes_off(read_memory, pc, arch) else pc
    calls = _takes_off(read_memory, pc, arch)
    for address, framed, calling in reversed(starts):
        calls = calls or calling
        if framed or not calls:
            return address
    return None


def _is_push(word: int, arch: Architecture) -> bool:
    """Whether it is stdu or stwu of SP, to SP."""
    return code.opcode(word) == (code.STDU if arch.bits == 64 else code.STWU) and code.fields(word)[:2] == (1, 1)


def _takes_off(read_memory: ReadMemory, pc: int, arch: Architecture) -> bool:
    """Whether the code from a place to the next return takes off a frame that is there."""
    for _, word in code.words(read_memory, pc, pc + 4 * MAX_AHEAD, arch):
        if _is_push(word, arch) or word == code.BLR:
            return False
        if code.opcode(word) == code.ADDI and code.fields(word)[:2] == (1, 1) and code.displacement(word) > 0:
            return True
    return False


__all__ = ["epilogue", "find_start", "is_call_before", "prologue"]
