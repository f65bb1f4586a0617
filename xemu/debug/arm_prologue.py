"""What ARM code does to the stack: read from instructions where no table says it (ARM ARM A5 and A6: the encodings).

A function is read from its start to where it is: pushes, changes of SP, a frame pointer. An epilogue is read forwards to its return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.frames import StackShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.symbols import ReadMemory

CORE = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc"]
MAX_PROLOGUE = 200         # bytes of a function that are looked at
MAX_EPILOGUE = 8           # instructions
MAX_BACK = 4096            # bytes looked through for the start of a function without a name


def instructions(read_memory: ReadMemory, start: int, end: int, *, thumb: bool) -> Iterator[tuple[int, int, int]]:
    """Yield (address, instruction, bytes); a wide Thumb instruction has its first halfword on top."""
    data = read_memory(start, end - start)
    if data is None:
        return
    at = 0
    while at + (2 if thumb else 4) <= len(data):
        if not thumb:
            yield start + at, int.from_bytes(data[at : at + 4], "little"), 4
            at += 4
            continue
        first = int.from_bytes(data[at : at + 2], "little")
        if first >= 0xE800:
            yield start + at, first << 16 | int.from_bytes(data[at + 2 : at + 4], "little"), 4
            at += 4
        else:
            yield start + at, first, 2
            at += 2


def prologue(read_memory: ReadMemory, start: int, pc: int, *, thumb: bool) -> StackShape | None:
    """Return what a function has done to the stack when it is at `pc`; None if its code cannot be read."""
    shape = StackShape(end=start)
    end = min(pc, start + MAX_PROLOGUE)
    if end > start and read_memory(start, end - start) is None:
        return None
    work = _thumb_step if thumb else _arm_step
    for address, code, size in instructions(read_memory, start, end, thumb=thumb):
        before = (shape.depth, shape.frame, len(shape.saved))
        if work(shape, code, size):
            break
        if (shape.depth, shape.frame, len(shape.saved)) != before:
            shape.end = address + size
    return shape


def _listed(mask: int) -> list[str]:
    return [CORE[n] for n in range(16) if mask >> n & 1]


def _doubles(code: int) -> list[str]:
    """Return the D registers of VPUSH and VPOP (A8.8.367; encoding T1/A1)."""
    first = code >> 12 & 15 | code >> 18 & 16
    return [f"d{n}" for n in range(first, min(first + (code & 0xFF) // 2, 32))]


def _thumb_step(shape: StackShape, code: int, size: int) -> bool:
    """Follow one Thumb instruction; True where the prologue has ended."""
    if size == 2:
        if code & 0xFE00 == 0xB400:                    # PUSH
            shape.push(_listed(code & 0xFF | (code & 0x100) << 6))
        elif code & 0xFF80 == 0xB080:                  # SUB SP, #imm
            shape.depth += (code & 0x7F) * 4
        elif code & 0xF800 == 0xA800 and code >> 8 & 7 == 7:    # ADD R7, SP, #imm
            shape.frame = ("r7", shape.depth - (code & 0xFF) * 4)
        elif code == 0x466F:                           # MOV R7, SP
            shape.frame = ("r7", shape.depth)
        elif code & 0xFF87 == 0x4485:                  # ADD SP, Rm
            shape.certain = False
        else:                                          # POP, BX, BLX, B
            return code & 0xFE00 == 0xBC00 or code & 0xFF00 == 0x4700 or code & 0xF000 == 0xD000 or code & 0xF800 == 0xE000
        return False
    if code >> 16 == 0xE92D:                           # PUSH.W
        shape.push(_listed(code & 0x5FFF))
    elif code & 0xFFFF0FFF == 0xF84D0D04:              # STR Rt, [SP, #-4]!
        shape.push([CORE[code >> 12 & 15]])
    elif code & 0xFFBF0F00 == 0xED2D0B00:              # VPUSH of D registers
        shape.push(_doubles(code), 8)
    elif code & 0xFFBF0F00 == 0xED2D0A00:              # VPUSH of S registers
        shape.depth += 4 * (code & 0xFF)
    elif code & 0xFBFF8F00 == 0xF1AD0D00:              # SUB.W SP, SP, #const
        shape.depth += thumb_constant(code)
    elif code & 0xFBFF8F00 == 0xF2AD0D00:              # SUBW SP, SP, #imm12
        shape.depth += code >> 15 & 0x800 | code >> 4 & 0x700 | code & 0xFF
    else:
        return code & 0xF8008000 == 0xF0008000         # branches and calls
    return False


def _arm_step(shape: StackShape, code: int, _size: int) -> bool:
    """Follow one ARM instruction; True where the prologue has ended."""
    if code & 0xFFFF0000 == 0xE92D0000:                # PUSH
        names = _listed(code & 0xFFFF)
        depth = shape.depth
        shape.push(names)
        if "pc" in names:                              # APCS: push {fp, ip, lr, pc}: ip is SP before, pc is of no use
            del shape.saved["pc"]
            shape.saved.pop("r12", None)
            shape.frame = None
            shape.depth = depth + 4 * len(names)
    elif code & 0xFFFF0FFF == 0xE52D0004:              # STR Rt, [SP, #-4]!
        shape.push([CORE[code >> 12 & 15]])
    elif code & 0xFFFFF000 == 0xE24DD000:              # SUB SP, SP, #const
        shape.depth += arm_constant(code)
    elif code & 0xFFFFF000 == 0xE28DB000:              # ADD FP, SP, #const
        shape.frame = ("r11", shape.depth - arm_constant(code))
    elif code == 0xE1A0B00D:                           # MOV FP, SP
        shape.frame = ("r11", shape.depth)
    elif code & 0xFFFFF000 == 0xE24CB000:              # SUB FP, IP, #const with IP = SP at the entry
        shape.frame = ("r11", arm_constant(code))
    elif code & 0xFFBF0F00 == 0xED2D0B00:              # VPUSH of D registers
        shape.push(_doubles(code), 8)
    elif (code & 0xFFF0F000 in (0xE040D000, 0xE080D000) and code >> 16 & 15 == 13) or code & 0xFFFFF000 == 0xE04DD000:
        shape.certain = False
    else:
        return code & 0x0E000000 == 0x0A000000 or code & 0x0FFFFFD0 == 0x012FFF10   # B, BL, BX, BLX
    return False


def thumb_constant(code: int) -> int:
    """Return the constant of a Thumb instruction (ThumbExpandImm, A6.3.2)."""
    value = code >> 15 & 0x800 | code >> 4 & 0x700 | code & 0xFF
    if value >> 10 == 0:
        byte = value & 0xFF
        return (byte, byte << 16 | byte, byte << 24 | byte << 8, byte * 0x01010101)[value >> 8]
    turn, byte = value >> 7, value & 0x7F | 0x80
    return (byte >> turn | byte << (32 - turn)) & 0xFFFF_FFFF


def arm_constant(code: int) -> int:
    """Return the constant of an ARM instruction (ARMExpandImm, A5.2.4)."""
    turn, byte = 2 * (code >> 8 & 15), code & 0xFF
    return (byte >> turn | byte << (32 - turn)) & 0xFFFF_FFFF


# -- epilogues ---------------------------------------------------------------------------------------------------------------


def epilogue(registers: dict[str, int], read_memory: ReadMemory, pc: int, *, thumb: bool) -> dict[str, int] | None:
    """Return the caller's registers if the code at `pc` does nothing but tidy up and return; else None."""
    found = dict(registers)
    before = found.get("sp")
    for count, (_, code, size) in enumerate(instructions(read_memory, pc, pc + 4 * MAX_EPILOGUE, thumb=thumb)):
        if count >= MAX_EPILOGUE:
            return None
        if found["sp"] != before and "lr" in found and _is_jump(code, size, thumb=thumb):
            found["pc"] = found["lr"]                  # a tail call: what is jumped to returns for this function
            return found
        done = (_thumb_return if thumb else _arm_return)(found, read_memory, code, size)
        if done is None:
            return None
        if done:
            return found
    return None


def _is_jump(code: int, size: int, *, thumb: bool) -> bool:
    """Whether an instruction is B without a condition."""
    if not thumb:
        return code >> 24 == 0xEA
    return code & 0xF800D000 == 0xF0009000 if size == 4 else code & 0xF800 == 0xE000


def _pop(found: dict[str, int], read_memory: ReadMemory, names: list[str]) -> bool:
    for name in names:
        size = 8 if name[0] == "d" else 4
        data = read_memory(found["sp"], size)
        if data is None:
            return False
        found[name] = int.from_bytes(data, "little")
        found["sp"] += size
    return True


def _thumb_return(found: dict[str, int], read_memory: ReadMemory, code: int, size: int) -> bool | None:
    """Follow one instruction of an epilogue: True: returned, None: it is none."""
    names: list[str] = []
    if size == 2:
        if code == 0x4770:                             # BX LR
            if "lr" not in found:
                return None
            found["pc"] = found["lr"]
            return True
        if code & 0xFF87 == 0x4700:                    # BX Rm: ARMv6-M cannot pop LR
            target = found.get(CORE[code >> 3 & 15], 0)
            found["pc"] = target
            return True if target >= 0xFFFF_FF00 or is_call_before(read_memory, target & ~1, thumb=bool(target & 1)) else None
        if code & 0xFF80 == 0xB000:                    # ADD SP, #imm
            found["sp"] += (code & 0x7F) * 4
            return False
        if code & 0xFF00 == 0x3700 and "r7" in found:  # ADDS R7, #imm
            found["r7"] += code & 0xFF
            return False
        if code == 0x46BD and "r7" in found:           # MOV SP, R7
            found["sp"] = found["r7"]
            return False
        if code & 0xFE00 != 0xBC00:
            return None
        names = _listed(code & 0xFF | (code & 0x100) << 7)       # POP
    elif code >> 16 == 0xE8BD:                         # POP.W
        names = _listed(code & 0xDFFF)
    elif code & 0xFFFF0FFF == 0xF85D0B04:              # LDR Rt, [SP], #4
        names = [CORE[code >> 12 & 15]]
    elif code & 0xFFBF0F00 == 0xECBD0B00:              # VPOP
        names = _doubles(code)
    else:
        return None
    return "pc" in names if _pop(found, read_memory, names) else None


def _arm_return(found: dict[str, int], read_memory: ReadMemory, code: int, _size: int) -> bool | None:
    names: list[str] = []
    if code == 0xE12FFF1E:                             # BX LR
        if "lr" not in found:
            return None
        found["pc"] = found["lr"]
        return True
    if code & 0xFFFFF000 == 0xE28DD000:                # ADD SP, SP, #const
        found["sp"] += arm_constant(code)
        return False
    if code & 0xFFFFF000 == 0xE24BD000 and "r11" in found:       # SUB SP, FP, #const
        found["sp"] = found["r11"] - arm_constant(code)
        return False
    if code & 0xFFFF0000 == 0xE8BD0000 and not code & 0x2000:    # POP
        names = _listed(code & 0xFFFF)
    elif code & 0xFFFF0FFF == 0xE49D0004:              # LDR Rt, [SP], #4
        names = [CORE[code >> 12 & 15]]
    elif code & 0xFFBF0F00 == 0xECBD0B00:              # VPOP
        names = _doubles(code)
    else:
        return None
    return "pc" in names if _pop(found, read_memory, names) else None


def is_call_before(read_memory: ReadMemory, address: int, *, thumb: bool) -> bool:
    """Whether the instruction in front of an address is a call: BL, BLX."""
    data = read_memory(address - 4, 4)
    if data is None:
        return False
    if not thumb:
        code = int.from_bytes(data, "little")
        return code & 0x0F000000 == 0x0B000000 or code & 0xFE000000 == 0xFA000000 or code & 0x0FFFFFF0 == 0x012FFF30
    first, second = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:], "little")
    return (first & 0xF800 == 0xF000 and second & 0xC000 == 0xC000) or second & 0xFF87 == 0x4780


def last_return(read_memory: ReadMemory, pc: int, *, thumb: bool) -> int | None:
    """Return the address behind the last instruction in front of `pc` that returns: another function starts there."""
    low = max(0, pc - MAX_PROLOGUE)
    found = None
    for address, code, size in instructions(read_memory, low & ~3, pc, thumb=thumb):
        if thumb and (code == 0x4770 or code & 0xFF00 == 0xBD00 or (size == 4 and code & 0xFFFF8000 == 0xE8BD8000)):
            found = address + size
        if not thumb and (code == 0xE12FFF1E or code & 0xFFFF8000 == 0xE8BD8000 or code == 0xE49DF004):
            found = address + size
    return found


def find_start(read_memory: ReadMemory, pc: int, *, thumb: bool) -> int | None:
    """Return the nearest PUSH with LR in front of `pc`: the likely start of a function without a name."""
    unit = 2 if thumb else 4
    low = max(0, pc - MAX_BACK)
    data = read_memory(low, pc - low)
    while data is None and pc - low > 64:              # the beginning may not be mapped
        low = pc - (pc - low) // 2
        data = read_memory(low, pc - low)
    for at in range(len(data or b"") - unit, -1, -unit):
        code = int.from_bytes((data or b"")[at : at + 4], "little")
        first, second = code & 0xFFFF, code >> 16
        if thumb and (first & 0xFF00 == 0xB500 or (first == 0xE92D and second & 0x4000)):
            return low + at
        if not thumb and (code & 0xFFFF4000 == 0xE92D4000 or code == 0xE52DE004):
            return low + at
    return None
