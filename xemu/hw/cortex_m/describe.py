"""Faults in plain words: which access, where, why; the fault registers decoded and the stacked frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.memory import EXEC, READ, WRITE, GuestFault
from xemu.hw.cortex_m import exceptions as ex

if TYPE_CHECKING:
    from xemu.hw.cortex_m.cores import CortexM

NAMES = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 11: "SVCall", 12: "DebugMonitor", 14: "PendSV",
         15: "SysTick"}
ACCESSES = {READ: "reading", WRITE: "writing", EXEC: "executing"}
#: bit of CFSR -> its name and what it says
REASONS = {
    ex.IACCVIOL: ("IACCVIOL", "the MPU or the memory map forbids executing there"),
    ex.DACCVIOL: ("DACCVIOL", "the MPU forbids the access"),
    ex.MUNSTKERR: ("MUNSTKERR", "the MPU forbids reading the stack frame on return"),
    ex.MSTKERR: ("MSTKERR", "the MPU forbids writing the stack frame (stack overflow?)"),
    ex.MLSPERR: ("MLSPERR", "the MPU forbids saving the floating-point registers"),
    ex.IBUSERR: ("IBUSERR", "nothing can be executed there"),
    ex.PRECISERR: ("PRECISERR", "nothing answers at that address"),
    ex.UNSTKERR: ("UNSTKERR", "the stack frame cannot be read on return"),
    ex.STKERR: ("STKERR", "the stack frame cannot be written (is the stack pointer outside RAM?)"),
    ex.LSPERR: ("LSPERR", "the floating-point registers cannot be saved"),
    ex.UNDEFINSTR: ("UNDEFINSTR", "the instruction is undefined"),
    ex.INVSTATE: ("INVSTATE", "the Thumb bit is clear (a jump to an even address?)"),
    ex.INVPC: ("INVPC", "the exception return value or its stack frame is not valid"),
    ex.NOCP: ("NOCP", "the coprocessor or FPU is absent or switched off (CPACR)"),
    ex.UNALIGNED: ("UNALIGNED", "the address is not aligned"),
    ex.DIVBYZERO: ("DIVBYZERO", "division by zero"),
}


def exception_name(number: int) -> str:
    """Return what people call an exception."""
    return NAMES.get(number, f"IRQ{number - ex.FIRST_IRQ}" if number >= ex.FIRST_IRQ else f"exception {number}")


def describe_fault(core: CortexM, number: int, status: int, error: GuestFault | None, return_address: int | None) -> None:
    """Report a fault, once for each place: why and where in a line, then the registers that go to the stack frame."""
    machine = core.machine
    pc = core.engine.pc if return_address is None else return_address
    forced = " (taken as HardFault)" if number != ex.HARD_FAULT and core.execution_priority() > -1 and not core.can_take(number) else ""
    mode = f"in {exception_name(core.cells['IPSR'].value)}" if core.handler_mode else "in Thread mode"
    what = f", {ACCESSES[error.access]} address {machine.where(error.address)}" if error is not None else ""
    reasons = [f"{name}: {_why(core, bit, why, error)}" for bit, (name, why) in REASONS.items() if status & bit]
    why = "; ".join(reasons) or ("SVC where its exception does not preempt (its priority, PRIMASK, BASEPRI)" if number == ex.SVCALL
                                 else "a breakpoint without a debugger")
    text = f"{exception_name(number)}{forced} at {machine.where(pc)} {mode}{what}: {why}"
    if text in machine.said:                         # the same place with other registers
        return
    machine.said.add(text)
    numbers = "  ".join(f"r{i}={core.r[i]:08x}" for i in (0, 1, 2, 3, 12))
    machine.report(f"{text}\n  {numbers}  sp={core.r[13]:08x}  xpsr={core.xpsr():08x}  lr={machine.where(core.r[14])}", once=False)


def _why(core: CortexM, bit: int, why: str, error: GuestFault | None) -> str:
    """Return what a status bit says; a bus error where something is means that it refuses the access."""
    refused = bit == ex.PRECISERR and error is not None and core.machine.peek(error.address, 1) is not None
    return "what is there refuses the access" if refused else why


def describe_lockup(core: CortexM, why: str) -> str:
    """Return several lines: why the core locked up, its fault registers and the frame of the first fault."""
    lines = [f"lockup at {core.machine.where(core.engine.pc)}: {why}"]
    if not core.v6:
        scs = core.scs
        cfsr, hfsr = int(scs.CFSR), int(scs.HFSR)
        names = [name for bit, (name, _) in REASONS.items() if cfsr & bit]
        names += [n for b, n in ((ex.VECTTBL, "VECTTBL"), (ex.FORCED, "FORCED"), (ex.DEBUGEVT, "DEBUGEVT")) if hfsr & b]
        lines.append(f"  CFSR={cfsr:08x} HFSR={hfsr:08x} MMFAR={int(scs.MMFAR):08x} BFAR={int(scs.BFAR):08x}  {' '.join(names)}")
    lines += ["  " + "  ".join(f"r{i}={core.r[i]:08x}" for i in range(j, min(j + 4, 13))) for j in (0, 4, 8, 12)]
    lines.append(f"  sp={core.r[13]:08x}  lr={core.r[14]:08x}  pc={core.engine.pc:08x}  xpsr={core.xpsr():08x}")
    frame = core.space.peek(core.r[13] & ~3, 32)
    if core.handler_mode and frame is not None:
        values = ex.FRAME.unpack(frame)
        lines.append(f"  stacked frame: pc={core.machine.where(values[6])} lr={core.machine.where(values[5])} xpsr={values[7]:08x}")
    return "\n".join(lines)
