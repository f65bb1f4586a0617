"""Cortex-M cores as parts of a board: `m.cpu = CortexM3(rate=25 * MHz, irqs=32, priority_bits=3)`."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xemu.core.engine import CTX_KEY, ExitKind, SpaceMemory
from xemu.core.memory import EXEC, FAST_WRITE, READ, WRITE, GuestFault
from xemu.errors import MachineError
from xemu.hw.cortex_m import exceptions as ex
from xemu.hw.cortex_m import look
from xemu.hw.cortex_m.debug import Dwt, Itm
from xemu.hw.cortex_m.describe import describe_fault, describe_lockup
from xemu.hw.cortex_m.exceptions import Exceptions
from xemu.hw.cortex_m.mpu import MpuState
from xemu.hw.cortex_m.scs import SystemControl
from xemu.hw.cortex_m.semihosting import Semihosting
from xemu.hw.cpu import Cpu
from xemu.hw.machine import Stop
from xemu.hw.memory import Hole
from xemu.hw.parts import Wire
from xemu.targets.arm import layout
from xemu.targets.arm.layout import EXCEPTION_RETURN_WORD, M_LAYOUT, MContext

if TYPE_CHECKING:
    from xemu.core.engine import Exit
    from xemu.core.target import Target
    from xemu.hw.cpu import Countdown, Interrupts
    from xemu.hw.machine import Machine

EXC_RETURN_PAGE = 0xFFFF_F000
FPMODES = 0x07C00000              # AHP DN FZ RMode


class CellView:
    """A register of the state block as `value`, without a search by name."""

    __slots__ = ("_at", "_block", "_wide")

    def __init__(self, block: int, offset: int, size: int) -> None:
        kind: Any = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}[size]
        self._wide = kind.from_address(block + offset)

    @property
    def value(self) -> int:
        """The number."""
        return self._wide.value  # type: ignore[no-any-return]

    @value.setter
    def value(self, number: int) -> None:
        self._wide.value = number


class Lenient(SpaceMemory):
    """Memory that reads as zero and ignores writes where nothing is (CCR.BFHFNMIGN)."""

    def load(self, addr: int, size: int, align: int) -> int:
        """Read."""
        try:
            return super().load(addr, size, align)
        except GuestFault:
            return 0

    def store(self, addr: int, size: int, align: int, value: int) -> None:
        """Write."""
        with suppress(GuestFault):
            super().store(addr, size, align, value)

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        """Check nothing but alignment."""
        self._aligned(addr, align, WRITE if write else READ)


class BitBand(Hole):
    """One word for each bit of the 1 MB behind it. ARMv7-M: B3.1, Cortex-M3 TRM 3.7."""

    kind = "bit-band"

    def __init__(self, *, at: int, of: int) -> None:
        super().__init__(at=at, size=0x200_0000)
        self.of = of

    def read(self, offset: int, size: int) -> int:
        """Return the bit."""
        del size
        return self.machine.bus_read(self.of + (offset >> 5), 1) >> (offset >> 2 & 7) & 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Change the bit."""
        del size
        at, bit = self.of + (offset >> 5), 1 << (offset >> 2 & 7)
        old = self.machine.bus_read(at, 1)
        self.machine.bus_write(at, 1, old | bit if value & 1 else old & ~bit)


class CortexM(Exceptions, Cpu):
    """A core of the M profile. `rate`: beats (instructions) per second; `irqs`: external interrupts.

    `mpu`: number of MPU regions, 0 for none; `vectors`: where the vector table is at reset; `reference`: frequency of
    SysTick's external clock in Hz, 0 where there is none.
    """

    arch, fpu, cpuid, title = layout.V7M, layout.NO_FP, 0x412FC231, "Cortex-M3"
    aligns_always = False              # CCR.STKALIGN cannot be cleared

    def __init__(self, *, rate: int, irqs: int, priority_bits: int = 3, mpu: int = 8, vectors: int = 0, bitband: bool = True,
                 systick: bool = True, reference: int = 0, fpu: int | None = None) -> None:
        if not 1 <= irqs <= 240:
            msg = f"{self.title} has 1 to 240 interrupts, not {irqs}"
            raise MachineError(msg)
        self.rate, self.irqs, self.priority_bits, self.reference = rate, irqs, priority_bits, reference
        self.vectors, self.systick, self.bitband = vectors, systick, bitband
        self.fpu = type(self).fpu if fpu is None else fpu
        self.v6 = self.arch == layout.V6M
        self.priority_mask = 0xFF & ~(0xFF >> priority_bits)
        self.irq = [Wire(f"irq{n}", lambda level, n=n: self.line(ex.FIRST_IRQ + n, high=level)) for n in range(irqs)]  # type: ignore[misc]
        self.nmi = Wire("nmi", lambda level: self.set_pending(ex.NMI) if level else None)
        self.mpu = MpuState(self, mpu)
        self.scs = SystemControl(at=0xE000_E000, cpu=self)
        self.semihosting = Semihosting(self)
        self.at = None
        self.name = "cpu"
        self.dirty = True
        self.locked_up = False
        self.context_age = 0                       # changes with the registers that contexts depend on
        self._contexts: dict[Any, int] = {}

    # -- building --------------------------------------------------------------------------------------------------------
    def target(self) -> Target:
        from xemu.targets.registry import get_target

        return get_target("arm-m")

    def attach(self, machine: Machine, name: str) -> None:
        self.machine, self.name = machine, name
        machine.rate = self.rate
        machine["scs"] = self.scs
        machine["ppb"] = Hole(at=0xE000_0000, size=0x10_0000)
        if not self.v6:
            machine["itm"] = Itm(at=0xE000_0000)
            machine["dwt"] = Dwt(at=0xE000_1000)
        if self.bitband:
            machine["sram_bits"] = BitBand(at=0x2200_0000, of=0x2000_0000)
            machine["peripheral_bits"] = BitBand(at=0x4200_0000, of=0x4000_0000)

    def start(self) -> None:
        self.engine, self.space = self.machine.engine, self.machine.engine.space
        block = self.engine.block
        self.cells: dict[str, CellView] = {n: CellView(block, c.offset, c.stride) for n, c in M_LAYOUT.cells.items() if c.count == 1}
        self.flag_cells = [self.cells[n] for n in ("NZ", "CX", "CY", "CS", "Q", "GE", "ITSTATE", "IPSR")]
        at = block + M_LAYOUT.cells["ACTIVE"].offset
        self.active_bytes = memoryview((ctypes.c_uint8 * 64).from_address(at)).cast("B")
        at = block + M_LAYOUT.cells["PENDED"].offset
        self.pending_bytes = memoryview((ctypes.c_uint8 * 64).from_address(at)).cast("B")
        self.space.map(EXC_RETURN_PAGE, 4096, READ | EXEC, path="exception return")
        self.space.poke(EXC_RETURN_PAGE, EXCEPTION_RETURN_WORD.to_bytes(2, "little") * 2048)
        self.space.flags[EXC_RETURN_PAGE >> 12] = EXEC             # nothing to read there
        at = block + M_LAYOUT.cells["R"].offset
        self.r = memoryview((ctypes.c_uint32 * 16).from_address(at)).cast("B").cast("I")
        at = block + M_LAYOUT.cells["Q128"].offset
        self.s = memoryview((ctypes.c_uint32 * 32).from_address(at)).cast("B").cast("I")

    # -- state -----------------------------------------------------------------------------------------------------------
    @property
    def handler_mode(self) -> bool:
        """Whether an exception is being handled."""
        return self.cells["IPSR"].value != 0

    @property
    def control(self) -> int:
        """CONTROL."""
        return self.cells["CONTROL"].value

    @property
    def privileged(self) -> bool:
        """Whether code now runs privileged."""
        return self.handler_mode or not self.control & 1

    @property
    def uses_psp(self) -> bool:
        """Whether R13 is the process stack pointer."""
        return bool(self.control & 2) and not self.handler_mode

    def xpsr(self) -> int:
        """Return APSR, IPSR and EPSR in one word."""
        cells = self.flag_cells
        nz, x, y, s = (c.value for c in cells[:4])
        n, z = nz >> 63, nz & 0xFFFFFFFF == 0
        c = ((x & ~y) | ((x | ~y) & ~s)) >> 31 & 1            # as targets.arm.target.flags_of, without a search by name
        v = ((x ^ s) & (~y ^ s)) >> 31 & 1
        q, ge, it, ipsr = (c.value for c in cells[4:])
        thumb = self.engine.cells[CTX_KEY] >> 48 & 1
        return n << 31 | z << 30 | c << 29 | v << 28 | q << 27 | (it & 3) << 25 | thumb << 24 | ge << 16 | (it >> 2) << 10 | ipsr

    def set_flags(self, xpsr: int) -> None:
        """Set APSR and the IT state from a stacked xPSR."""
        nz, x, y, s, q, ge = self.flag_cells[:6]
        n, z, c, v = xpsr >> 31 & 1, xpsr >> 30 & 1, xpsr >> 29 & 1, xpsr >> 28 & 1
        nz.value, x.value, y.value, s.value = n << 63 | (1 - z), c << 31, (1 - c) << 31, (c ^ v) << 31
        q.value, ge.value = xpsr >> 27 & 1, xpsr >> 16 & 15
        self.cells["ITSTATE"].value = (xpsr >> 10 & 0x3F) << 2 | xpsr >> 25 & 3

    def switch_stack(self, *, psp: bool) -> None:
        """Make R13 the process or the main stack pointer."""
        if self.uses_psp != psp:
            other = self.cells["SPOTHER"]
            self.r[13], other.value = other.value, self.r[13]

    def mode_changed(self, *, thumb: int, pc: int) -> None:
        """Go on at pc after a change of mode: derive the context and the rights of memory."""
        self.mpu.apply()
        self.cells["ASUSER"].value = int(self.mpu.enabled and self.privileged)
        scs = self.scs
        self.cells["FAST"].value = int(bool((self.v6 or scs.CCR.STKALIGN) and not self.control & 1 and not self.mpu.ctrl & 1
                                            and not scs.SCR.SLEEPONEXIT))
        if self.privileged == self._hidden:              # unprivileged code may not look at the system control space
            self._hidden = not self._hidden
            self.engine.slow.hide(self.scs.at, hidden=self._hidden)
        self.engine.set_position(pc, self.context(thumb))

    def context(self, thumb: int) -> int:
        """Return the context word that the state gives."""
        floating = (self.cells["FPMODE"].value, self.control, self.scs.FPCCR.LSPACT) if self.fpu else 0
        key = thumb, floating, self.privileged, self.mpu.enabled, self.context_age
        known = self._contexts.get(key)
        if known is None:
            if len(self._contexts) > 256:
                self._contexts.clear()
            known = self._contexts[key] = self._derive(thumb).word
        return known

    def _derive(self, thumb: int) -> MContext:
        off = 0
        if self.fpu:
            scs = self.scs
            aspen = scs.FPCCR.ASPEN
            off = int(not self._fp_allowed() or scs.FPCCR.LSPACT or (aspen and not self.control & 4))
        strict = int(self.v6 or bool(self.scs.CCR.UNALIGN_TRP))
        modes = int(self.cells["FPMODE"].value & FPMODES != 0)
        return MContext(T=thumb, FP=modes, FPOFF=off, STRICT=strict, USER=int(self.mpu.enabled and not self.privileged),
                        ARCH=self.arch, FPU=self.fpu)

    def _fp_allowed(self) -> bool:
        level = self.scs.CPACR.CP10
        return bool(level == 3 or (level == 1 and self.privileged))

    def refresh(self) -> None:
        """Derive context and rights anew; the position stays."""
        self._refresh_wanted = False
        self.context_age += 1
        self.mode_changed(thumb=self.engine.state.context & 1, pc=self.engine.pc)

    def refresh_after_this(self) -> None:
        """The same when the instruction that is being executed, a register write, is complete."""
        if self.machine.running:
            self._refresh_wanted = True
            self.engine.cut()
        else:
            self.refresh()

    _refresh_wanted = _hidden = _as_user = False

    def interrupts(self) -> None:
        if self._refresh_wanted:
            self.refresh()
        super().interrupts()

    def interrupt_state(self) -> Interrupts:
        return look.interrupts(self)

    def countdown(self) -> Countdown | None:
        return look.systick(self) if self.systick else None

    # -- life --------------------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        self._clear()
        for name in ("PRIMASK", "FAULTMASK", "BASEPRI", "CONTROL", "IPSR", "EVENT", "PENDING", "ITSTATE", "EXSIZE", "SPOTHER", "DIV0TRAP",
                     "FPMODE", "FPFLAGS", "FPNZCV", "FPQC", "Q", "GE"):
            self.cells[name].value = 0
        if "PRIOMASK" in self.cells:
            self.cells["PRIOMASK"].value = self.priority_mask
        for i in range(15):
            self.r[i] = 0
        self.r[14] = 0xFFFFFFFF
        self.mpu.reset()
        try:
            table = self.fetch_vector(self.scs.vtor(), 8)
        except GuestFault:
            table = None
        if table is None:
            self.machine.report(f"no memory at {self.scs.vtor():#x}, where the vector table should be", once=False)
            self._lock_up(f"the vector table at {self.scs.vtor():#x} is in no memory")
            table = bytes(8)
        sp, pc = int.from_bytes(table[:4], "little"), int.from_bytes(table[4:], "little")
        self.r[13] = sp & ~3
        self.engine.state.write("apsr", 0)
        self.mode_changed(thumb=pc & 1, pc=pc & 0xFFFFFFFE)

    def save(self) -> Any:
        return {"state": self.engine.state.save(), "pending": self.pending, "active": self.active, "levels": self.levels,
                "enabled": self.enabled, "priority": list(self.priority), "group_mask": self.group_mask, "sleeping": self.sleeping,
                "waiting_event": self.waiting_event, "locked_up": self.locked_up, "dirty": self.dirty, "mpu": self.mpu.save()}

    def load(self, data: Any) -> None:
        for name in ("pending", "active", "levels", "enabled", "group_mask", "sleeping", "waiting_event", "locked_up"):
            setattr(self, name, data[name])
        self.priority = list(data["priority"])
        self._refresh_wanted = self._as_user = False
        self.mpu.load(data["mpu"])
        self.engine.state.restore(data["state"])
        self.refresh()
        self.dirty = data["dirty"]

    def write_register(self, name: str, value: int) -> bool:
        known = super().write_register(name, value)
        self.dirty = True
        self.refresh()                                 # masks, stack, privilege and floating-point mode may be others now
        return known

    # -- memory ------------------------------------------------------------------------------------------------------------
    def check_access(self, address: int, size: int, *, write: bool) -> None:
        privileged = self.privileged and not self._as_user
        if self.mpu.enabled and not self.mpu.allows(address, size, WRITE if write else READ, privileged=privileged):
            raise GuestFault(address, WRITE if write else READ, mapped=True)

    def mpu_denies(self, error: GuestFault) -> bool:
        """Whether a failed access is the MPU's (or the memory map's execute-never) doing, not the bus's."""
        return not self.mpu.allows(error.address, 1, error.access, privileged=self.privileged and not self._as_user)

    def stack_write(self, address: int, data: bytes) -> None:
        """Write to the stack with the rights of the current mode; GuestFault."""
        space, last = self.space, address + len(data) - 1
        if space.flags[address >> 12] & space.flags[last >> 12] & FAST_WRITE:        # RAM that the current mode may write
            space.mem[address:last + 1] = data
            return
        self._stack_access(address, len(data), WRITE, privileged=self.privileged)
        space.poke(address, data)

    def stack_read(self, address: int, length: int, *, privileged: bool = True) -> bytes:
        """Read from the stack; GuestFault."""
        if not self.mpu.ctrl and self.space.flags[address >> 12] & self.space.flags[address + length - 1 >> 12] & READ:
            return bytes(self.space.mem[address:address + length])
        self._stack_access(address, length, READ, privileged=privileged)
        return self.space.peek(address, length) or bytes(length)

    def _stack_access(self, address: int, length: int, access: int, *, privileged: bool) -> None:
        if self.mpu.enabled and not self.mpu.allows(address, length, access, privileged=privileged):
            raise GuestFault(address, access, mapped=True)
        for at in (address, address + length - 1):
            part = self.machine.memory_at(at)
            if part is None or (access == WRITE and not getattr(part, "rights", WRITE) & WRITE):
                raise GuestFault(address, access, mapped=False)

    def fetch_vector(self, address: int, length: int = 4) -> bytes:
        """Read a vector; GuestFault."""
        data = self.space.peek(address, length)
        if data is None:
            raise GuestFault(address, READ, mapped=False)
        return data

    # -- running -----------------------------------------------------------------------------------------------------------
    def run(self, budget: int) -> None:
        self._ended(self.engine.run(budget))

    def _access_as_user(self) -> None:
        """LDRT, STRT and the like in privileged code: one instruction with the rights of unprivileged code."""
        self.cells["ASUSER"].value, self._as_user = 0, True
        self.mpu.apply(as_user=True)
        try:
            out = self.engine.evaluate_one()
            if out is not None:
                self._ended(out)
        finally:
            self._as_user = False
            self.mpu.apply()
            self.cells["ASUSER"].value = int(self.mpu.enabled and self.privileged)

    def _ended(self, out: Exit) -> None:
        """Deal with why the engine has stopped."""
        kind = out.kind
        if kind is ExitKind.BUDGET or kind is ExitKind.KICK:
            return
        if kind is ExitKind.POINT or kind is ExitKind.WATCH:
            self.machine.stop(Stop(kind.value, out.number))
            return
        if kind is ExitKind.SYSCALL:
            self._supervisor_call()
        elif kind is ExitKind.EVENT:
            self._event(out.number)
        elif kind is ExitKind.FAULT:
            self._access_fault(out.fault)
        elif kind is ExitKind.EXCEPTION:
            self._exception(out.number)
        elif kind is ExitKind.BREAKPOINT:
            self._breakpoint(out.number)
        elif kind is ExitKind.UNDEFINED:
            pc, thumb = self.engine.pc, self.engine.state.context & 1
            if pc >= 0xF000_0000:
                self._jumped_high(pc)
            else:
                self._usage(ex.UNDEFINSTR if thumb else ex.INVSTATE)

    def _usage(self, status: int) -> None:
        self.fault(ex.HARD_FAULT if self.v6 else ex.USAGE_FAULT, status)

    def _supervisor_call(self) -> None:
        if self._group(self.priority[ex.SVCALL]) < self.execution_priority():
            self.enter(ex.SVCALL)
        else:
            describe_fault(self, ex.SVCALL, 0, None, self.engine.pc - 2)
            target = self._escalated(ex.SVCALL)
            if target:
                self.enter(target)

    def _event(self, number: int) -> None:
        if number == layout.WAIT_INTERRUPT:
            self.sleeping, self.dirty = True, True
        elif number == layout.WAIT_EVENT:
            self.sleeping = self.waiting_event = self.dirty = True
        elif number == layout.UNMASKED:
            self.dirty = True
        elif number == layout.CONTROL_WRITTEN:
            self.dirty = True
            self.refresh()
        elif number == layout.SEND_EVENT:
            self.set_event()

    def _exception(self, number: int) -> None:
        if number == layout.DIVIDE_BY_ZERO:
            self._usage(ex.DIVBYZERO)
        elif number == layout.AS_USER:
            self._access_as_user()
        elif number == layout.RETURN and self.engine.pc < EXC_RETURN_PAGE:
            self._call_in_python()
        elif number == layout.RETURN:
            self._jumped_high(self.engine.pc)
        elif not self.fpu or not self._fp_allowed() or not self._is_fp():
            self._usage(ex.NOCP)
        else:
            self._begin_floating_point()

    def _is_fp(self) -> bool:
        """Whether the instruction at pc is one of coprocessors 10 and 11."""
        data = self.space.peek(self.engine.pc, 4)
        return data is not None and data[3] & 0xF in (10, 11) and data[1] & 0xEC == 0xEC

    def _begin_floating_point(self) -> None:
        """ExecuteFPCheck() (B1.5.7): save the lazy state of an outer context, start a context of one's own."""
        scs = self.scs
        if scs.FPCCR.LSPACT:
            try:
                self._save_lazy()
            except GuestFault as e:
                bus = not self.mpu_denies(e)
                self.fault(ex.BUS_FAULT if bus else ex.MEM_MANAGE, ex.LSPERR if bus else ex.MLSPERR, None)
                return
        if scs.FPCCR.ASPEN and not self.control & 4:
            self.engine.state.write("fpscr", scs.FPDSCR.value & FPMODES)
            self.cells["CONTROL"].value |= 4
        self.refresh()

    def _save_lazy(self) -> None:
        frame = self.scs.FPCAR.value & ~7
        privileged = not self.scs.FPCCR.USER
        self._stack_access(frame, 72, WRITE, privileged=privileged)
        self.space.poke(frame, ex.FP_FRAME.pack(*self.s[:16], self.engine.state.read("fpscr"), 0))
        self.scs.FPCCR.LSPACT = 0

    def _breakpoint(self, number: int) -> None:
        if number == 0xAB:
            self.semihosting.call()
            self.engine.set_position(self.engine.pc + 2, self.engine.state.context)
            self.engine.insns += 1
            return
        if not self.v6:
            self.scs.DFSR.BKPT = 1
            if self.scs.DEMCR.MON_EN and self._group(self.priority[ex.DEBUG_MONITOR]) < self.execution_priority():
                self.fault(ex.DEBUG_MONITOR, 0)
                return
            self.scs.HFSR.DEBUGEVT = 1
        self.fault(ex.HARD_FAULT, 0)

    def _access_fault(self, fault: Any) -> None:
        if fault.kind == "ALIGN":
            self._usage(ex.UNALIGNED)
            return
        pc = self.engine.pc
        if pc >= EXC_RETURN_PAGE and self.handler_mode:                # the frame cannot be read
            self.leave(pc | self.engine.state.context & 1)
            return
        if self._at_supervisor_call(pc) and not fault.access & EXEC:   # the frame cannot be written, or the vector not read
            self._call_in_python()
            return
        if fault.access & EXEC:
            if fault.address >= 0xF000_0000 and fault.address == pc:
                self._jumped_high(pc)
                return
            violation = not self.mpu.allows(fault.address, 2, EXEC, privileged=self.privileged)
            if not violation and fault.address >> 12 in self.engine.slow.rights:
                self._step_checked(fault.address >> 12)
                return
            self._memory_fault(ex.IACCVIOL if violation else ex.IBUSERR, None)
            return
        error = GuestFault(fault.address, fault.access, mapped=True)
        if not self.v6 and self.scs.CCR.BFHFNMIGN and self.execution_priority() < 0 and not self.mpu_denies(error):
            self._note_fault(ex.PRECISERR, fault.address)              # the access is ignored; the load reads as zero
            self.engine.evaluate_one(Lenient(self.engine))
            return
        self._memory_fault(ex.DACCVIOL if self.mpu_denies(error) else ex.PRECISERR, error)

    def _call_in_python(self) -> None:
        """Complete an SVC whose exception native code cannot enter, and enter it here."""
        self.engine.set_position(self.engine.pc + 2, self.engine.state.context)
        self.engine.insns += 1
        self._supervisor_call()

    def _at_supervisor_call(self, pc: int) -> bool:
        data = self.space.peek(pc, 2)
        return data is not None and data[1] == 0xDF

    def _jumped_high(self, pc: int) -> None:
        """A jump to 0xF0000000 or above: an exception return in Handler mode, else nothing that may be executed."""
        if self.handler_mode:
            self.leave(pc | self.engine.state.context & 1)
        else:
            self._memory_fault(ex.IACCVIOL, None)

    def _step_checked(self, page: int) -> None:
        """Execute one instruction in a page of which only parts are executable: this part is."""
        flags = self.space.flags
        flags[page] |= EXEC
        try:
            out = self.engine.evaluate_one()
        finally:
            flags[page] &= ~EXEC
        if out is not None:
            self._ended(out)

    def _memory_fault(self, status: int, error: GuestFault | None) -> None:
        if self.v6:
            self.fault(ex.HARD_FAULT, status, error)
        else:
            self.fault(ex.MEM_MANAGE if status & 0xFF else ex.BUS_FAULT, status, error)

    # -- words -------------------------------------------------------------------------------------------------------------
    def describe_fault(self, number: int, status: int, error: GuestFault | None, return_address: int | None) -> None:
        describe_fault(self, number, status, error, return_address)

    def describe_lockup(self, why: str) -> None:
        text = describe_lockup(self, why)
        self.machine.stop(Stop("lockup", 1, text))


class CortexM0(CortexM):
    """ARMv6-M, as on the nRF51822."""

    arch, fpu, cpuid, title = layout.V6M, layout.NO_FP, 0x410CC200, "Cortex-M0"

    def __init__(self, *, rate: int, irqs: int, **more: Any) -> None:
        super().__init__(rate=rate, irqs=irqs, **{"priority_bits": 2, "mpu": 0, "bitband": False, **more})


class CortexM3(CortexM):
    """ARMv7-M."""


class CortexM4(CortexM):
    """ARMv7E-M with the single-precision FPU (`fpu=NO_FP` for one without)."""

    arch, fpu, cpuid, title = layout.V7EM, layout.FPV4_SP, 0x410FC241, "Cortex-M4"


class CortexM7(CortexM):
    """ARMv7E-M with the double-precision FPv5."""

    arch, fpu, cpuid, title = layout.V7EM, layout.FPV5_DP, 0x411FC272, "Cortex-M7"
    aligns_always = True

    def __init__(self, *, rate: int, irqs: int, **more: Any) -> None:
        super().__init__(rate=rate, irqs=irqs, **{"bitband": False, **more})
