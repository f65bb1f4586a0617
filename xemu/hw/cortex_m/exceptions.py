"""The M-profile exception model: priorities, entry, return, faults and their escalation. ARMv7-M ARM (DDI 0403E) B1.5.

Numbers: 1 Reset, 2 NMI, 3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault, 11 SVCall, 12 DebugMonitor, 14 PendSV,
15 SysTick, 16… external interrupts.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xemu.core.memory import EXEC, READ, WRITE, GuestFault
from xemu.targets.arm.layout import MContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.engine import Engine
    from xemu.hw.cortex_m.cores import CellView
    from xemu.hw.cortex_m.scs import SystemControl
    from xemu.hw.machine import Machine

NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT = 2, 3, 4, 5, 6
SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK, FIRST_IRQ = 11, 12, 14, 15, 16
NO_PRIORITY = 256                 # execution priority of Thread mode without masks
ALWAYS_ENABLED = 1 << NMI | 1 << HARD_FAULT | 1 << SVCALL | 1 << DEBUG_MONITOR | 1 << PENDSV | 1 << SYSTICK
FRAME = struct.Struct("<8I")
FP_FRAME = struct.Struct("<18I")

# CFSR (B3.2.15): MemManage in bits 7:0, BusFault in 15:8, UsageFault in 31:16
IACCVIOL, DACCVIOL, MUNSTKERR, MSTKERR, MLSPERR, MMARVALID = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 1 << 5, 1 << 7
IBUSERR, PRECISERR, UNSTKERR, STKERR, LSPERR, BFARVALID = 1 << 8, 1 << 9, 1 << 11, 1 << 12, 1 << 13, 1 << 15
UNDEFINSTR, INVSTATE, INVPC, NOCP, UNALIGNED, DIVBYZERO = 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 24, 1 << 25
VECTTBL, FORCED, DEBUGEVT = 1 << 1, 1 << 30, 1 << 31         # HFSR


class Exceptions:
    """The state machine. `CortexM` adds the rest of the core; registers of the system control space are a device."""

    machine: Machine
    engine: Engine
    scs: SystemControl
    v6: bool
    aligns_always: bool
    fpu: int
    irqs: int
    priority_mask: int

    def _clear(self) -> None:
        """Forget all exceptions (reset)."""
        self.levels = 0
        self.active = self.pending = 0
        self.cells["SWITCH"].value = 0
        self.cells["LINES"].value = 0
        self.enabled = ALWAYS_ENABLED
        self.priority = [0] * (FIRST_IRQ + self.irqs)
        self.priority[1], self.priority[NMI], self.priority[HARD_FAULT] = -3, -2, -1
        self.group_mask = 0xFF            # bits of a priority that preempt (AIRCR.PRIGROUP)
        self.locked_up = False
        self.sleeping = self.waiting_event = False

    @property
    def active(self) -> int:
        """The exceptions being handled, a bit each."""
        return int.from_bytes(self.active_bytes, "little")

    @active.setter
    def active(self, mask: int) -> None:
        self.active_bytes[:] = mask.to_bytes(len(self.active_bytes), "little")
        self.cells["NACTIVE"].value = mask.bit_count()

    @property
    def pending(self) -> int:
        """The pending exceptions, a bit each."""
        return int.from_bytes(self.pending_bytes, "little")

    @pending.setter
    def pending(self, mask: int) -> None:
        self.pending_bytes[:] = mask.to_bytes(len(self.pending_bytes), "little")

    # -- priorities ------------------------------------------------------------------------------------------------------
    def _group(self, priority: int) -> int:
        return priority if priority < 0 else priority & self.group_mask

    def raw_priority(self) -> int:
        """Return the priority of what is being handled, without masks."""
        best, bits = NO_PRIORITY, self.active
        while bits:
            number = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            best = min(best, self._group(self.priority[number]))
        return best

    def execution_priority(self, *, primask: bool = True) -> int:
        """ExecutionPriority() (B1.5.4); without PRIMASK for waking up from WFI."""
        cells, best = self.cells, self.raw_priority()
        basepri = cells["BASEPRI"].value
        if basepri:
            best = min(best, self._group(basepri))
        if primask and cells["PRIMASK"].value:
            best = min(best, 0)
        if cells["FAULTMASK"].value:
            best = min(best, -1)
        return best

    def best_pending(self) -> tuple[int, int]:
        """Return (group priority, number) of the pending enabled exception that comes first; number 0: none."""
        bits, best, number = self.pending & self.enabled, (NO_PRIORITY, NO_PRIORITY), 0
        while bits:
            n = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            key = (self._group(self.priority[n]), self.priority[n])
            if key < best:
                best, number = key, n
        return best[0], number

    # -- becoming pending ----------------------------------------------------------------------------------------------
    def set_pending(self, number: int) -> None:
        """Make an exception pending; it is taken before the next instruction if it may."""
        before = self.pending
        if before >> number & 1:
            return
        self.pending = before | 1 << number
        if self.scs.SCR.SEVONPEND:
            self.set_event()
        if self.sleeping or self.dirty or self._group(self.priority[number]) < self.execution_priority():
            self.changed()
        elif self.enabled >> number & 1:                   # held back: who returns or unmasks looks again
            self._hold()

    def _hold(self) -> None:
        """Say what is left pending; PendSV alone may be taken on return without asking."""
        waiting = self.pending & self.enabled
        self.cells["PENDING"].value = int(waiting != 0)
        self.cells["SWITCH"].value = int(waiting == 1 << PENDSV)

    def clear_pending(self, number: int) -> None:
        """Clear a pending exception; an interrupt whose line is high stays pending."""
        if not self.levels >> number & 1:
            self.pending &= ~(1 << number)
            self.changed()

    def line(self, number: int, *, high: bool) -> None:
        """An interrupt line has changed."""
        if high:
            self.levels |= 1 << number
            self.set_pending(number)
        else:
            self.levels &= ~(1 << number)
        self.cells["LINES"].value = int(self.levels != 0)

    def set_event(self) -> None:
        """Set the event register (SEV, an exception, SEVONPEND)."""
        self.cells["EVENT"].value = 1
        if self.waiting_event:
            self.changed()

    def changed(self) -> None:
        """Something that decides what is taken next has changed: look before the next instruction."""
        self.dirty = True
        self.engine.cut()

    # -- before each instruction ---------------------------------------------------------------------------------------
    def interrupts(self) -> None:
        """Take what may be taken; say whether something is left that masks hold back."""
        if not self.dirty:
            return
        self.dirty = False
        priority, number = self.best_pending()
        if self.sleeping:
            self._wake(priority, number)
        while number and priority < self.execution_priority():
            self.enter(number)
            priority, number = self.best_pending()
        self._hold()

    def _wake(self, priority: int, number: int) -> None:
        if self.waiting_event:
            if self.cells["EVENT"].value:
                self.cells["EVENT"].value = 0
                self.sleeping = self.waiting_event = False
            elif number and priority < self.execution_priority():
                self.sleeping = self.waiting_event = False
        elif number and priority < self.execution_priority(primask=False):
            self.sleeping = False

    # -- entry (B1.5.6 to B1.5.9) ----------------------------------------------------------------------------------------
    def enter(self, number: int, return_address: int | None = None) -> None:
        """ExceptionEntry(): stack the caller-saved registers and start the handler."""
        address = self.engine.pc if return_address is None else return_address
        link = 0xFFFFFFF1 if self.handler_mode else 0xFFFFFFFD if self.uses_psp else 0xFFFFFFF9
        if self.control & 4:
            link &= ~0x10
        try:
            self._push(address)
        except GuestFault as e:
            self._stacking_failed(e)
            number = self._derived(number)
            if number == 0:
                return
        self.taken(number, link)

    def _push(self, return_address: int) -> None:
        r, fp = self.r, bool(self.control & 4)
        size = 0x68 if fp else 0x20
        align = 4 if self.v6 or self.scs.CCR.STKALIGN or fp else 0
        old = r[13] & ~3
        new = old - size & ~align & 0xFFFFFFFF
        xpsr = self.xpsr() & ~0x200 | (0x200 if old & 4 and align else 0)
        r[13] = new
        self.stack_write(new, FRAME.pack(r[0], r[1], r[2], r[3], r[12], r[14], return_address & 0xFFFFFFFE, xpsr))
        if fp:
            self._push_fp(new + 0x20)

    def _push_fp(self, frame: int) -> None:
        if self.scs.FPCCR.LSPEN:
            fpccr = self.scs.FPCCR
            fpccr.LSPACT, fpccr.USER, fpccr.THREAD = 1, not self.privileged, not self.handler_mode
            priority = self.execution_priority()
            for name, number in (("HFRDY", HARD_FAULT), ("BFRDY", BUS_FAULT), ("MMRDY", MEM_MANAGE), ("MONRDY", DEBUG_MONITOR)):
                ready = self.priority[number] < priority and bool(self.enabled >> number & 1)
                setattr(fpccr, name, ready)
            self.scs.FPCAR = frame
        else:
            self.stack_write(frame, FP_FRAME.pack(*self.s[:16], self.engine.state.read("fpscr"), 0))

    def taken(self, number: int, link: int) -> None:
        """ExceptionTaken(): fetch the vector and go on in Handler mode."""
        self.r[14] = link
        try:
            vector = int.from_bytes(self.fetch_vector(self.scs.vtor() + 4 * number), "little")
        except GuestFault:
            self.scs.HFSR.VECTTBL = 1
            if number in (HARD_FAULT, NMI):
                self._lock_up("the vector of HardFault cannot be read")
                return
            self.pending &= ~(1 << number)
            self.taken(HARD_FAULT, link)
            return
        self.pending &= ~(1 << number)
        self.active |= 1 << number
        self.switch_stack(psp=False)
        cells = self.cells
        cells["IPSR"].value, cells["ITSTATE"].value, cells["EXSIZE"].value, cells["EVENT"].value = number, 0, 0, 1
        cells["CONTROL"].value &= 1                    # SPSEL and FPCA are clear in the handler
        self.sleeping = self.waiting_event = False
        self.mode_changed(thumb=vector & 1, pc=vector & 0xFFFFFFFE)
        self.engine.folded(vector)
        self.machine.entered(number)
        self.dirty = True
        if vector >= 0xF000_0000:                      # not a return: nothing there can be executed
            self.fault(HARD_FAULT if self.v6 else MEM_MANAGE, IACCVIOL)

    # -- what native code enters (see targets/arm/m_exceptions.py), shown here ------------------------------------------------
    shown = False                                      # whether the machine wants to be told of all exceptions

    def enters_natively(self) -> bool:
        """Whether native code would have entered the exception of an SVC here, were it not to be shown."""
        cells = self.cells
        return self.shown and self._unmasked() and not (cells["IPSR"].value or cells["NACTIVE"].value or cells["ITSTATE"].value)

    def chains_natively(self, link: int) -> bool:
        """Whether native code would have gone on to PendSV from here, were it not to be shown."""
        cells = self.cells
        return (self.shown and self._unmasked() and link in (0xFFFFFFF9, 0xFFFFFFFD) and not cells["CONTROL"].value
                and bool(self.active >> cells["IPSR"].value & 1) and cells["NACTIVE"].value == 1 and not cells["LINES"].value
                and bool(cells["SWITCH"].value))

    def _unmasked(self) -> bool:
        cells = self.cells
        return bool(cells["FAST"].value) and not any(cells[name].value for name in ("PRIMASK", "BASEPRI", "FAULTMASK")) \
            and not cells["CONTROL"].value & 4

    @contextmanager
    def as_native(self, *, native: bool) -> Iterator[None]:
        """Enter an exception; one that native code would have entered does not count as a change of the state."""
        moved = self.machine.moved
        yield
        if native and self.machine.moved == moved + 1:
            self.machine.moved = moved

    # -- return (B1.5.8) ---------------------------------------------------------------------------------------------------
    def leave(self, link: int) -> None:
        """ExceptionReturn() with an EXC_RETURN value."""
        self.machine.moved += 1
        native = self.chains_natively(link)
        number, nested = self.cells["IPSR"].value, self.active.bit_count()
        kind = link & 0xF if link >> 4 & 0xFFFFFFE == 0xFFFFFFE else -1
        wrong = not self.active >> number & 1 or kind not in (1, 9, 13) or (not link & 0x10 and not self.fpu)
        if not wrong:
            to_thread_nested = nested != 1 and not (not self.v6 and self.scs.CCR.NONBASETHRDENA)
            wrong = (kind == 1 and nested == 1) or (kind in (9, 13) and to_thread_nested)
        self._deactivate(number)
        if wrong:
            self.r[14] = 0xF0000000 | link & 0x0FFFFFFF
            self._tail_fault(INVPC, link)
            return
        self.dirty = True
        priority, pending = self.best_pending()
        if pending and priority < self.execution_priority():
            if native:                                  # there it takes the time of an instruction
                self.machine.moved -= 1
                self.engine.insns += 1
            else:
                self.engine.folded(link)
            with self.as_native(native=native):
                self.taken(pending, link)               # tail-chaining: the frame stays where it is
            return
        self._unstack(link, kind, number)

    def _deactivate(self, number: int) -> None:
        self.active &= ~(1 << number)
        if number != NMI:
            self.cells["FAULTMASK"].value = 0
        if self.levels >> number & 1:
            self.pending |= 1 << number

    def _unstack(self, link: int, kind: int, number: int) -> None:
        r, psp, fp = self.r, kind == 13, not link & 0x10
        frame = self.cells["SPOTHER"].value if psp else r[13]
        size = 0x68 if fp else 0x20
        to_thread = kind != 1
        try:
            data = FRAME.unpack(self.stack_read(frame, 32, privileged=not (to_thread and self.control & 1)))
            if fp:
                self._pop_fp(frame + 0x20)
        except GuestFault as e:
            self._unstacking_failed(e)
            self._tail_chain_to_fault(link)
            return
        xpsr = data[7]
        if (to_thread and xpsr & 0x1FF) or (not to_thread and not xpsr & 0x1FF):
            self._tail_fault(INVPC, link)
            return
        top = frame + size | (4 if xpsr & 0x200 and (self.v6 or self.scs.CCR.STKALIGN or fp) else 0)
        if psp:
            self.cells["SPOTHER"].value = top
        else:
            r[13] = top
        r[0], r[1], r[2], r[3], r[12], r[14] = data[:6]
        control = self.cells["CONTROL"]
        control.value = control.value & 1 | (2 if psp else 0) | (4 if fp else 0)
        if psp:
            r[13], self.cells["SPOTHER"].value = self.cells["SPOTHER"].value, r[13]
        self.set_flags(xpsr)
        self.cells["IPSR"].value = xpsr & 0x1FF
        self.cells["EXSIZE"].value = 0
        self.cells["EVENT"].value = 1
        self.mode_changed(thumb=xpsr >> 24 & 1, pc=data[6] & 0xFFFFFFFE)
        self.engine.folded(data[6])
        del number
        if to_thread and self.scs.SCR.SLEEPONEXIT and not self.active:
            self.sleeping = True

    def _pop_fp(self, frame: int) -> None:
        fpccr = self.scs.FPCCR
        if fpccr.LSPACT:
            fpccr.LSPACT = 0                            # never saved: the registers still hold the values
            return
        values = FP_FRAME.unpack(self.stack_read(frame, 72))
        self.s[:16] = struct.pack("<16I", *values[:16]) if isinstance(self.s, bytearray) else memoryview(
            struct.pack("<16I", *values[:16])).cast("I")
        self.engine.state.write("fpscr", values[16])

    # -- faults --------------------------------------------------------------------------------------------------------------
    def fault(self, number: int, status: int, error: GuestFault | None = None, *, return_address: int | None = None) -> None:
        """Take a synchronous fault; `status` are bits of CFSR, `error` the access whose address goes to MMFAR or BFAR."""
        self._note_fault(status, None if error is None else error.address)
        self.describe_fault(number, status, error, return_address)
        target = self._escalated(number)
        if target == 0:
            return
        self.enter(target, return_address)

    def _note_fault(self, status: int, address: int | None) -> None:
        if self.v6:
            return
        scs = self.scs
        scs.CFSR |= status
        if address is not None and status & 0xFF and not scs.CFSR.value & BFARVALID:
            scs.MMFAR = address
            scs.CFSR |= MMARVALID
        elif address is not None and status & 0xFF00:
            scs.BFAR = address
            scs.CFSR |= BFARVALID

    def _escalated(self, number: int) -> int:
        """Return what is taken instead of a synchronous fault that cannot preempt: HardFault, or lockup (0)."""
        if number != HARD_FAULT and self.can_take(number):
            return number
        if self.execution_priority() <= -1:
            self._lock_up("a fault inside HardFault or NMI, or with FAULTMASK set")
            return 0
        if number != HARD_FAULT and not self.v6:
            self.scs.HFSR.FORCED = 1
        return HARD_FAULT

    def can_take(self, number: int) -> bool:
        """Whether a fault is enabled and preempts what runs."""
        return bool(self.enabled >> number & 1) and self._group(self.priority[number]) < self.execution_priority()

    def _stacking_failed(self, error: GuestFault) -> None:
        bus = not self.mpu_denies(error)
        self._note_fault(STKERR if bus else MSTKERR, None)
        self.describe_fault(BUS_FAULT if bus else MEM_MANAGE, STKERR if bus else MSTKERR, error, None)
        self._stack_fault = BUS_FAULT if bus else MEM_MANAGE

    def _derived(self, number: int) -> int:
        """Return what is taken when stacking for `number` has failed: the derived fault waits, or comes first (B1.5.10)."""
        fault = self._stack_fault
        if not self.enabled >> fault & 1 or self._group(self.priority[fault]) >= self.execution_priority():
            if self.execution_priority() <= -1:
                self._lock_up("stacking failed in HardFault or NMI")
                return 0
            fault = HARD_FAULT
            if not self.v6:
                self.scs.HFSR.FORCED = 1
        if self._group(self.priority[fault]) < self._group(self.priority[number]):
            return fault
        self.pending |= 1 << fault
        return number

    def _unstacking_failed(self, error: GuestFault) -> None:
        bus = not self.mpu_denies(error)
        self._note_fault(UNSTKERR if bus else MUNSTKERR, None)
        self.describe_fault(BUS_FAULT if bus else MEM_MANAGE, UNSTKERR if bus else MUNSTKERR, error, None)
        self._stack_fault = BUS_FAULT if bus else MEM_MANAGE

    def _tail_chain_to_fault(self, link: int) -> None:
        target = self._escalated(self._stack_fault)
        if target:
            self.taken(target, link)

    def _tail_fault(self, status: int, link: int) -> None:
        """A UsageFault in an exception return: it is taken with the frame that is there."""
        self._note_fault(status, None)
        self.describe_fault(USAGE_FAULT, status, None, None)
        target = self._escalated(USAGE_FAULT)
        if target:
            self.taken(target, 0xF0000000 | link & 0x0FFFFFFF)

    def _lock_up(self, why: str) -> None:
        self.locked_up = True
        self.describe_lockup(why)

    # -- what CortexM provides ---------------------------------------------------------------------------------------------
    cells: dict[str, CellView]
    active_bytes: memoryview
    pending_bytes: memoryview
    r: Any
    s: Any
    dirty = True
    _stack_fault = BUS_FAULT

    if TYPE_CHECKING:
        @property
        def handler_mode(self) -> bool: ...
        @property
        def uses_psp(self) -> bool: ...
        @property
        def privileged(self) -> bool: ...
        @property
        def control(self) -> int: ...

        def xpsr(self) -> int: ...
        def set_flags(self, xpsr: int) -> None: ...
        def switch_stack(self, *, psp: bool) -> None: ...
        def mode_changed(self, *, thumb: int, pc: int) -> None: ...
        def stack_write(self, address: int, data: bytes) -> None: ...
        def stack_read(self, address: int, length: int, *, privileged: bool = False) -> bytes: ...
        def fetch_vector(self, address: int) -> bytes: ...
        def mpu_denies(self, error: GuestFault) -> bool: ...
        def describe_fault(self, number: int, status: int, error: GuestFault | None, return_address: int | None) -> None: ...
        def describe_lockup(self, why: str) -> None: ...


__all__ = ["EXEC", "READ", "WRITE", "Exceptions", "MContext"]
