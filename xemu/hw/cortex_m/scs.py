"""The system control space: SysTick, NVIC, system control block, MPU and floating-point registers. DDI 0403E B3.2 to B3.5.

ARMv6-M has a part of it (DDI 0419 B3.2); what it lacks reads as zero and ignores writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.hw.cortex_m import exceptions as ex
from xemu.hw.device import BusError, Device, KiB
from xemu.hw.parts import Count, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, W1C, WO, Reg

if TYPE_CHECKING:
    from xemu.hw.cortex_m.cores import CortexM

KEY = 0x05FA
STIR = 0xF00
ANY = (1, 2, 4)


class SystemControl(Device, size=4 * KiB):
    """SCS at 0xE000E000. The state of exceptions is the core's."""

    cpu: CortexM = Param()
    tick = Timer(title="systick")
    reload_from = Var(0)                  # SysTick's value when `tick` was 0
    countflag = Var(0)

    ICTR = Reg(0x004, "Interrupt controller type", access=RO)
    ACTLR = Reg(0x008, "Auxiliary control")
    SYST_CSR = Reg(0x010, "SysTick control and status", ENABLE=RW[0], TICKINT=RW[1], CLKSOURCE=RW[2], COUNTFLAG=RO[16])
    SYST_RVR = Reg(0x014, "SysTick reload value", RELOAD=RW[23:0])
    SYST_CVR = Reg(0x018, "SysTick current value")
    SYST_CALIB = Reg(0x01C, "SysTick calibration", TENMS=RO[23:0], SKEW=RO[30], NOREF=RO[31])

    ISER = Reg(0x100, "Interrupt set-enable", count=8, sizes=ANY)
    ICER = Reg(0x180, "Interrupt clear-enable", count=8, sizes=ANY)
    ISPR = Reg(0x200, "Interrupt set-pending", count=8, sizes=ANY)
    ICPR = Reg(0x280, "Interrupt clear-pending", count=8, sizes=ANY)
    IABR = Reg(0x300, "Interrupt active", count=8, access=RO, sizes=ANY)
    IPR = Reg(0x400, "Interrupt priority", count=60, sizes=ANY)

    CPUID = Reg(0xD00, "CPU identification", access=RO)
    ICSR = Reg(0xD04, "Interrupt control and state", VECTACTIVE=RO[8:0], RETTOBASE=RO[11], VECTPENDING=RO[20:12], ISRPENDING=RO[22],
               ISRPREEMPT=RO[23], PENDSTCLR=WO[25], PENDSTSET=RW[26], PENDSVCLR=WO[27], PENDSVSET=RW[28], NMIPENDSET=RW[31])
    VTOR = Reg(0xD08, "Vector table offset")
    AIRCR = Reg(0xD0C, "Application interrupt and reset control", VECTRESET=WO[0], VECTCLRACTIVE=WO[1], SYSRESETREQ=WO[2],
                PRIGROUP=RW[10:8], ENDIANNESS=RO[15], VECTKEYSTAT=RO[31:16])
    SCR = Reg(0xD10, "System control", SLEEPONEXIT=RW[1], SLEEPDEEP=RW[2], SEVONPEND=RW[4])
    CCR = Reg(0xD14, "Configuration and control", reset=0x200, NONBASETHRDENA=RW[0], USERSETMPEND=RW[1], UNALIGN_TRP=RW[3],
              DIV_0_TRP=RW[4], BFHFNMIGN=RW[8], STKALIGN=RW[9], DC=RW[16], IC=RW[17], BP=RW[18])
    SHPR = Reg(0xD18, "System handler priority", count=3, sizes=ANY)
    SHCSR = Reg(0xD24, "System handler control and state")
    CFSR = Reg(0xD28, "Configurable fault status", VALUE=W1C[31:0], sizes=ANY)
    HFSR = Reg(0xD2C, "HardFault status", VECTTBL=W1C[1], FORCED=W1C[30], DEBUGEVT=W1C[31])
    DFSR = Reg(0xD30, "Debug fault status", HALTED=W1C[0], BKPT=W1C[1], DWTTRAP=W1C[2], VCATCH=W1C[3], EXTERNAL=W1C[4])
    MMFAR = Reg(0xD34, "MemManage fault address")
    BFAR = Reg(0xD38, "BusFault address")
    AFSR = Reg(0xD3C, "Auxiliary fault status")
    ID = Reg(0xD40, "CPU feature", count=13, access=RO)
    CLIDR = Reg(0xD78, "Cache level ID", access=RO)
    CTR = Reg(0xD7C, "Cache type", access=RO)
    CCSIDR = Reg(0xD80, "Cache size ID", access=RO)
    CSSELR = Reg(0xD84, "Cache size selection", LEVEL=RW[3:0])
    CPACR = Reg(0xD88, "Coprocessor access control", CP10=RW[21:20], CP11=RW[23:22])
    MPU_TYPE = Reg(0xD90, "MPU type", DREGION=RO[15:8])
    MPU_CTRL = Reg(0xD94, "MPU control", ENABLE=RW[0], HFNMIENA=RW[1], PRIVDEFENA=RW[2])
    MPU_RNR = Reg(0xD98, "MPU region number", REGION=RW[7:0])
    MPU_RBAR = Reg(0xD9C, "MPU region base address", count=4, stride=8)
    MPU_RASR = Reg(0xDA0, "MPU region attribute and size", count=4, stride=8)
    DHCSR = Reg(0xDF0, "Debug halting control and status", VALUE=TODO[31:0])
    DCRSR = Reg(0xDF4, "Debug core register selector", VALUE=TODO[31:0])
    DCRDR = Reg(0xDF8, "Debug core register data")
    DEMCR = Reg(0xDFC, "Debug exception and monitor control", VC_CORERESET=TODO[0], VC=TODO[10:4], MON_EN=RW[16], MON_PEND=TODO[17],
                MON_STEP=TODO[18], MON_REQ=RW[19], TRCENA=RW[24])
    STIR = Reg(STIR, "Software trigger interrupt", INTID=WO[8:0])
    FPCCR = Reg(0xF34, "FP context control", reset=0xC000_0000, LSPACT=RW[0], USER=RW[1], THREAD=RW[3], HFRDY=RW[4], MMRDY=RW[5],
                BFRDY=RW[6], MONRDY=RW[8], LSPEN=RW[30], ASPEN=RW[31])
    FPCAR = Reg(0xF38, "FP context address", ADDRESS=RW[31:3])
    FPDSCR = Reg(0xF3C, "FP default status control", RMODE=RW[23:22], FZ=RW[24], DN=RW[25], AHP=RW[26])
    MVFR = Reg(0xF40, "Media and VFP feature", count=3, access=RO)
    CACHE = Reg(0xF50, "Cache maintenance operations", count=10, access=WO)

    # -- access ------------------------------------------------------------------------------------------------------------
    def read(self, offset: int, size: int) -> int:
        """Only privileged code reads here; what the architecture version lacks is zero."""
        self._privileged(offset, write=False)
        if self._absent(offset):
            return 0
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Only privileged code writes here, but for STIR where CCR.USERSETMPEND allows it."""
        self._privileged(offset, write=True)
        if not self._absent(offset):
            super().write(offset, size, value)

    def _privileged(self, offset: int, *, write: bool) -> None:
        if self.cpu.privileged or (write and offset == STIR and self.CCR.USERSETMPEND):
            return
        msg = f"scs+{offset:#x}: unprivileged access to the system control space"
        raise BusError(msg)

    def _absent(self, offset: int) -> bool:
        cpu = self.cpu
        if 0x010 <= offset < 0x020:
            return not cpu.systick
        if 0xF34 <= offset < 0xF50 or offset == 0xD88:
            return not cpu.fpu and offset != 0xD88
        if 0xD94 <= offset < 0xDC0:
            return not cpu.mpu.count
        return cpu.v6 and (0x300 <= offset < 0x320 or offset in (0x004, 0x008, 0xD18) or 0xD28 <= offset < 0xD90 or offset == STIR)

    def after_reset(self):
        cpu = self.cpu
        self.tick.hz = cpu.rate
        self._values_of(CPUID=cpu.cpuid, ICTR=(cpu.irqs - 1) // 32, VTOR=cpu.vectors,
                        SYST_CALIB=0 if cpu.reference else 1 << 31, MPU_TYPE=cpu.mpu.count << 8)
        cpu.cells["VTOR"].value = cpu.vectors
        if cpu.v6:
            self.CCR = 0x208
        if not cpu.fpu:
            self.FPCCR = 0
        if cpu.fpu:
            values = (0x10110021, 0x11000011, 0) if cpu.fpu == 1 else (0x10110221, 0x12000011, 0x40)
            for i, value in enumerate(values):
                self.MVFR[i] = value
        if not cpu.v6:
            for i, value in enumerate((0x30, 0x200, 0x100000, 0, 0x100030, 0, 0x1000000, 0, 0x1101110, 0x2112000, 0x21232231,
                                       0x1111131, 0x1310132)):
                self.ID[i] = value

    def _values_of(self, **values: int) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    # -- SysTick (B3.3): counts down; 0 is followed by RVR ---------------------------------------------------------------------
    def _systick_value(self) -> int:
        reload, first, t = int(self.SYST_RVR), int(self.reload_from), self.tick.value
        if t <= first:
            return first - t
        if not reload:
            return 0
        k = (t - first) % (reload + 1)
        return reload + 1 - k if k else 0

    def _systick_schedule(self) -> None:
        """Expire when the count goes from 1 to 0."""
        reload, first = int(self.SYST_RVR), self.reload_from
        if not self.SYST_CSR.ENABLE or (not first and not reload):
            self.tick.cancel()
        elif first and self.tick.value < first:
            self.tick.expire_at(first)
        else:
            since = self.tick.value - first
            self.tick.expire_at(first + (since // (reload + 1) + 1) * (reload + 1))

    def _systick_restart(self, value: int) -> None:
        self.reload_from = value
        self.tick.value = 0
        self._systick_schedule()

    @tick.expired
    def _systick_zero(self):
        self.countflag, self.reload_from = 1, 0
        csr, reload = self._values[self.SYST_CSR.slot], self._values[self.SYST_RVR.slot]
        if csr & 2:
            self.cpu.set_pending(ex.SYSTICK)
        self.tick.restart(reload + 1 if reload else None)

    @property
    def systick_due(self) -> int | None:
        """The beat at which SysTick comes to zero, None while it does not."""
        return self.tick.due

    @SYST_CSR.computed
    def _csr(self):
        return self._values[self.SYST_CSR.slot] & 7 | self.countflag << 16 | (0 if self.cpu.reference else 4)

    @SYST_CSR.on_read
    def _csr_read(self):
        self.countflag = 0

    @SYST_CSR.on_write
    def _csr_write(self, value, old):
        if not self.cpu.reference:
            value |= 4
        hz = self.cpu.rate if value & 4 else self.cpu.reference
        if hz != self.tick.hz:
            self.tick.hz = hz
        if value & 1 and not old & 1:
            self.reload_from = self._systick_value() if self.tick.value else self.reload_from
            self.tick.start(0)
        elif not value & 1 and old & 1:
            self.reload_from = self._systick_value()
            self.tick.stop()
            self.tick.value = 0
        self._systick_schedule()

    @SYST_RVR.on_write
    def _rvr_write(self, value, old):
        if self.SYST_CSR.ENABLE:
            new, self.SYST_RVR = int(self.SYST_RVR), old
            current = self._systick_value()
            self.SYST_RVR = new
            self._systick_restart(current)

    @SYST_CVR.counts
    def _cvr(self):
        if self.reload_from:
            return Count(self.tick, self.reload_from, down=True, modulus=1 << 24)
        return Count(self.tick, 0, down=True, modulus=int(self.SYST_RVR) + 1)

    @SYST_CVR.on_write
    def _cvr_write(self, value):
        self.countflag = 0
        self._systick_restart(0)

    def update(self):
        self.quiet(self.SYST_CSR, not self.countflag)

    # -- NVIC (B3.4) -----------------------------------------------------------------------------------------------------------
    def _bits(self, mask: int, index: int) -> int:
        return mask >> (ex.FIRST_IRQ + 32 * index) & 0xFFFFFFFF

    def _irqs_of(self, index: int, value: int) -> int:
        return (value << 32 * index & (1 << self.cpu.irqs) - 1) << ex.FIRST_IRQ

    @ISER.live
    def _iser(self, index):
        return self._bits(self.cpu.enabled, index)

    @ISER.on_write
    def _enable(self, index, value):
        self.cpu.enabled |= self._irqs_of(index, value)
        self.cpu.changed()

    @ICER.live
    def _icer(self, index):
        return self._bits(self.cpu.enabled, index)

    @ICER.on_write
    def _disable(self, index, value):
        self.cpu.enabled &= ~self._irqs_of(index, value)
        self.cpu.changed()

    @ISPR.live
    def _ispr(self, index):
        return self._bits(self.cpu.pending, index)

    @ISPR.on_write
    def _pend(self, index, value):
        for number in _numbers(self._irqs_of(index, value)):
            self.cpu.set_pending(number)

    @ICPR.live
    def _icpr(self, index):
        return self._bits(self.cpu.pending, index)

    @ICPR.on_write
    def _unpend(self, index, value):
        for number in _numbers(self._irqs_of(index, value)):
            self.cpu.clear_pending(number)

    @IABR.live
    def _iabr(self, index):
        return self._bits(self.cpu.active, index)

    @IPR.live
    def _ipr(self, index):
        at = ex.FIRST_IRQ + 4 * index
        return sum(p << 8 * i for i, p in enumerate(self.cpu.priority[at:at + 4]))

    @IPR.on_write
    def _set_ipr(self, index, value):
        for i in range(4):
            number = ex.FIRST_IRQ + 4 * index + i
            if number < len(self.cpu.priority):
                self.cpu.priority[number] = value >> 8 * i & self.cpu.priority_mask
        self.cpu.changed()

    @SHPR.live
    def _shpr(self, index):
        return sum(self.cpu.priority[4 + 4 * index + i] << 8 * i for i in range(4) if not (index == 0 and i == 3))

    @SHPR.on_write
    def _set_shpr(self, index, value):
        for i in range(4):
            number = 4 + 4 * index + i
            if number in (4, 5, 6, 11, 12, 14, 15) and not (self.cpu.v6 and number < 11):
                self.cpu.priority[number] = value >> 8 * i & self.cpu.priority_mask
        self.cpu.changed()

    @STIR.on_write
    def _trigger(self, value):
        if (value & 0x1FF) < self.cpu.irqs:
            self.cpu.set_pending(ex.FIRST_IRQ + (value & 0x1FF))

    # -- system control block (B3.2) ---------------------------------------------------------------------------------------------
    @ICSR.live
    def _icsr(self):
        cpu = self.cpu
        pending, active = cpu.pending, cpu.active
        _, first = cpu.best_pending()
        current = cpu.cells["IPSR"].value
        others = active & ~(1 << current)
        return (current | (not cpu.v6 and current != 0 and not others) << 11 | first << 12
                | (pending >> ex.FIRST_IRQ != 0) << 22 | (pending >> ex.SYSTICK & 1) << 26
                | (pending >> ex.PENDSV & 1) << 28 | (pending >> ex.NMI & 1) << 31)

    @ICSR.on_write
    def _set_icsr(self, value):
        cpu = self.cpu
        for bit, number in ((26, ex.SYSTICK), (28, ex.PENDSV), (31, ex.NMI)):
            if value >> bit & 1:
                cpu.set_pending(number)
        for bit, number in ((25, ex.SYSTICK), (27, ex.PENDSV)):
            if value >> bit & 1:
                cpu.clear_pending(number)

    def vtor(self) -> int:
        """Return the address of the vector table."""
        return int(self.cpu.cells["VTOR"].value)

    @VTOR.on_write
    def _set_vtor(self, value, old):
        self.VTOR = value & 0xFFFFFF80 if not self.cpu.v6 else old
        self.cpu.cells["VTOR"].value = int(self.VTOR)

    @AIRCR.live
    def _aircr(self):
        return 0xFA05_0000 | self._values[self.AIRCR.slot] & 0x700

    @AIRCR.on_write
    def _set_aircr(self, value, old):
        if value >> 16 != KEY:
            self.AIRCR = old
            return
        if not self.cpu.v6:
            self.cpu.group_mask = 0xFF & (0xFF << ((value >> 8 & 7) + 1))
        if value & 4 or value & 1:
            self.machine.request_reset("SYSRESETREQ")
        if value & 2:
            self.cpu.active = 0
            self.cpu.cells["IPSR"].value = 0
        self.cpu.changed()

    @CCR.on_write
    def _set_ccr(self, value, old):
        if self.cpu.v6:
            self.CCR = old
            return
        if self.cpu.aligns_always:
            self.CCR.STKALIGN = 1
        self.cpu.cells["DIV0TRAP"].value = self.CCR.DIV_0_TRP
        self.cpu.refresh_after_this()

    @SHCSR.live
    def _shcsr(self):
        cpu = self.cpu
        if cpu.v6:
            return (cpu.pending >> ex.SVCALL & 1) << 15
        out = 0
        for bit, number in ((0, 4), (1, 5), (3, 6), (7, 11), (8, 12), (10, 14), (11, 15)):
            out |= (cpu.active >> number & 1) << bit
        for bit, number in ((12, 6), (13, 4), (14, 5), (15, 11)):
            out |= (cpu.pending >> number & 1) << bit
        for bit, number in ((16, 4), (17, 5), (18, 6)):
            out |= (cpu.enabled >> number & 1) << bit
        return out

    @SHCSR.on_write
    def _set_shcsr(self, value):
        cpu = self.cpu
        for name, table in (("active", ((0, 4), (1, 5), (3, 6), (7, 11), (8, 12), (10, 14), (11, 15))),
                            ("pending", ((12, 6), (13, 4), (14, 5), (15, 11))), ("enabled", ((16, 4), (17, 5), (18, 6)))):
            mask = getattr(cpu, name)
            for bit, number in table:
                mask = mask | 1 << number if value >> bit & 1 else mask & ~(1 << number)
            setattr(cpu, name, mask)
        cpu.changed()

    @SCR.on_write
    def _set_scr(self, value):
        self.cpu.refresh_after_this()

    @CPACR.on_write
    def _set_cpacr(self, value):
        if not self.cpu.fpu:
            self.CPACR = 0
        self.cpu.refresh_after_this()

    @FPCCR.on_write
    def _set_fpccr(self, value):
        self.cpu.refresh_after_this()

    @DHCSR.live
    def _dhcsr(self):
        return 0x0003_0000                    # S_REGRDY, not halted: no debugger is attached through it

    # -- MPU (B3.5) ----------------------------------------------------------------------------------------------------------------
    def _region(self, index: int) -> int:
        """RBAR and RASR's aliases act on the region that RNR names."""
        del index
        return int(self.MPU_RNR) % max(self.cpu.mpu.count, 1)

    @MPU_CTRL.on_write
    def _set_mpu_ctrl(self, value):
        self.cpu.mpu.ctrl = value & 7
        self.cpu.refresh_after_this()

    @MPU_RBAR.live
    def _rbar(self, index):
        n = self._region(index)
        return self.cpu.mpu.rbar[n] & ~0x1F | n

    @MPU_RBAR.on_write
    def _set_rbar(self, index, value):
        if value & 0x10:
            self.MPU_RNR = value & 0xF
        self.cpu.mpu.rbar[self._region(index)] = value & ~0x1F
        self._mpu_changed()

    @MPU_RASR.live
    def _rasr(self, index):
        return self.cpu.mpu.rasr[self._region(index)]

    @MPU_RASR.on_write
    def _set_rasr(self, index, value):
        self.cpu.mpu.rasr[self._region(index)] = value & 0x173F_FF3F
        self._mpu_changed()

    def _mpu_changed(self) -> None:
        self.cpu.mpu.changed()
        if self.cpu.mpu.ctrl & 1:
            self.cpu.refresh_after_this()


def _numbers(mask: int) -> Any:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1
