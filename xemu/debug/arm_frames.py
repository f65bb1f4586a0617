"""Frames that ARM's hardware and Linux's kernel push: exceptions of the M profile, signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.symbols import ReadMemory

EXC_RETURN = 0xFFFF_FF00   # and above: not addresses in the M profile (ARMv7-M ARM B1.5.8)
NO_RETURN = 0xFFFF_FFFF    # LR after reset
FPCCR, FPCAR = 0xE000_EF34, 0xE000_EF38
LSPACT = 1                 # FPCCR: the floating-point registers have not been stored yet
EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault", 11: "SVCall",
              12: "DebugMonitor", 14: "PendSV", 15: "SysTick"}  # fmt: skip


class Interrupted(NamedTuple):
    """What ran when an exception or a signal came."""

    registers: dict[str, int]
    cfa: int               # SP before it came
    name: str              # what came: "SysTick", "IRQ 5", "signal"
    method: str            # "exception" or "signal"


def exception_name(number: int) -> str:
    """Return the name of an exception by its number in IPSR."""
    return EXCEPTIONS.get(number) or (f"IRQ {number - 16}" if number >= 16 else f"exception {number}")


def is_exception_return(pc: int, registers: Mapping[str, int]) -> bool:
    """Whether a return address is an EXC_RETURN value: only in the M profile, which has xPSR."""
    return pc >= EXC_RETURN and "xpsr" in registers


def unstack_exception(value: int, registers: Mapping[str, int], read_memory: ReadMemory) -> Interrupted | None:
    """Return what was interrupted, from the frame that exception entry pushed (ARMv7-M ARM B1.5.6, B1.5.7).

    `value` is EXC_RETURN: bit 2 says which stack, bit 4 (clear) that floating-point registers are in the frame.
    """
    if value | 1 == NO_RETURN:
        return None
    process = bool(value & 4)
    sp = registers.get("psp") if process else registers["sp"]
    if sp is None:
        return None
    data = read_memory(sp, 0x20)
    if data is None:
        return None
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 0x20, 4)]
    found = dict(registers)
    found |= dict(zip(("r0", "r1", "r2", "r3", "r12", "lr"), words, strict=False))
    size = 0x20
    if not value & 0x10:
        size = 0x68
        _unstack_floats(found, sp + 0x20, read_memory)
    xpsr = words[7]
    if xpsr & 1 << 9:                                  # the frame was aligned to 8 bytes
        size += 4
    cfa = sp + size & 0xFFFF_FFFF
    if process:
        found["msp"] = registers["sp"]
    found["psp" if process else "msp"] = cfa
    number = registers.get("xpsr", 0) & 0x1FF
    found |= {"sp": cfa, "pc": words[6] & ~1, "xpsr": xpsr & ~(1 << 9) | 1 << 24}
    return Interrupted(found, cfa, exception_name(number), "exception")


def _unstack_floats(found: dict[str, int], at: int, read_memory: ReadMemory) -> None:
    """Take S0 to S15 and FPSCR from a frame, unless their space is still empty (lazy stacking, B1.5.7)."""
    state, place = read_memory(FPCCR, 4), read_memory(FPCAR, 4)
    if state and place and state[0] & LSPACT and int.from_bytes(place, "little") & ~7 == at & ~7:
        return
    data = read_memory(at, 0x44)
    if data is not None:
        for number in range(8):
            found[f"d{number}"] = int.from_bytes(data[8 * number : 8 * number + 8], "little")
        found["fpscr"] = int.from_bytes(data[0x40:0x44], "little")


# -- Linux -------------------------------------------------------------------------------------------------------------------
SIGRETURN, RT_SIGRETURN = 119, 173
SIGINFO = 128              # bytes of siginfo_t in front of the context of rt_sigreturn
CONTEXT = 32               # ucontext: flags, link, stack (3 words), then sigcontext's trap_no, error_code, oldmask; R0 follows
EXTRA = 0xE8               # ucontext: where the coprocessors' state is
VFP_MAGIC = 0x5646_5001
_NAMES = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "cpsr"]


def signal_trampoline(pc: int, read_memory: ReadMemory, *, thumb: bool) -> int | None:
    """Return the number of the system call if the code at `pc` is MOV R7, #sigreturn; SVC."""
    data = read_memory(pc, 8) or (read_memory(pc, 6) or read_memory(pc, 4) if thumb else None)
    if data is None:
        return None
    if thumb and data[:2] == b"\x4f\xf0" and len(data) >= 6:     # MOV.W, as in GNU's C library
        number = data[2]
        matches = data[3] == 0x07 and data[4:6] == b"\0\xdf"
    elif thumb:
        first, second = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
        number = first & 0xFF
        matches = first & 0xFF00 == 0x2700 and second == 0xDF00
    else:
        first, second = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")
        number = first & 0xFFF
        matches = first & 0xFFFFF000 == 0xE3A07000 and second in (0xEF000000, 0xEF900000 + number)
    return number if matches and number in (SIGRETURN, RT_SIGRETURN) else None


def unstack_signal(number: int, registers: Mapping[str, int], read_memory: ReadMemory) -> Interrupted | None:
    """Return what a signal interrupted, from the frame at SP (Linux, arch/arm/include/uapi/asm/ucontext.h)."""
    context = registers["sp"] + (SIGINFO if number == RT_SIGRETURN else 0)
    data = read_memory(context + CONTEXT, 4 * len(_NAMES))
    if data is None:
        return None
    words = [int.from_bytes(data[4 * index : 4 * index + 4], "little") for index in range(len(_NAMES))]
    found = dict(registers) | dict(zip(_NAMES, words, strict=True))
    head = read_memory(context + EXTRA, 8)
    if head and int.from_bytes(head[:4], "little") == VFP_MAGIC:
        floats = read_memory(context + EXTRA + 8, 32 * 8 + 4)
        if floats:
            found |= {f"d{n}": int.from_bytes(floats[8 * n : 8 * n + 8], "little") for n in range(32)}
            found["fpscr"] = int.from_bytes(floats[256:260], "little")
    found["pc"] &= ~1
    return Interrupted(found, found["sp"], "signal", "signal")
