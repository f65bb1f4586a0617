"""POWER, CLOCK and MPU of the nRF51, which share one block of addresses. nRF51 Reference Manual 3.0, 9, 11, 12."""

from __future__ import annotations

from typing import Any

from xemu.hw.devices.nrf51_base import Event, Nordic, Task
from xemu.hw.parts import Timer, Var
from xemu.hw.registers import RO, RW, TODO, W1C, W1S, WO, Reg

# Start-up times in microseconds (nRF51822 Product Specification 3.1, 8.1): crystals typically, RC oscillator at most.
HFXO_START, LFXO_START, LFRC_START = 800, 300_000, 600
CALIBRATION = 16_000


class Nrf51Power(Nordic):
    """Power supply and reset reasons, both clocks, and protection of the flash against erasing and writing."""

    hf, lf, calibration, interval = Timer(1_000_000), Timer(1_000_000), Timer(1_000_000), Timer(1_000_000)
    lfclk_running = Var(default=False)
    reason = Var(0)                             # bits of RESETREAS that the coming reset will set
    off = Var(default=False)                    # SYSTEM OFF

    HFCLKSTART = Task(0x000, "Start the 16 MHz crystal")
    HFCLKSTOP = Task(0x004, "Stop the 16 MHz crystal")
    LFCLKSTART = Task(0x008, "Start the 32 kHz clock")
    LFCLKSTOP = Task(0x00C, "Stop the 32 kHz clock")
    CAL = Task(0x010, "Calibrate the 32 kHz RC oscillator")
    CTSTART = Task(0x014, "Start the calibration interval timer")
    CTSTOP = Task(0x018, "Stop the calibration interval timer")
    CONSTLAT = Task(0x078, "Constant latency mode")
    LOWPWR = Task(0x07C, "Low power mode")
    HFCLKSTARTED = Event(0x100, "The 16 MHz crystal runs")
    LFCLKSTARTED = Event(0x104, "The 32 kHz clock runs")
    POFWARN = Event(0x108, "The supply is failing")
    DONE = Event(0x10C, "Calibration is complete")
    CTTO = Event(0x110, "The calibration interval is over")
    RESETREAS = Reg(0x400, "Reset reason; 1 clears", RESETPIN=W1C[0], DOG=W1C[1], SREQ=W1C[2], LOCKUP=W1C[3], OFF=W1C[16],
                    LPCOMP=W1C[17], DIF=W1C[18])
    HFCLKRUN = Reg(0x408, "HFCLKSTART has been triggered", STATUS=RO[0])
    HFCLKSTAT = Reg(0x40C, "16 MHz clock", SRC=RO[0](rc=0, crystal=1), STATE=RO[16])
    LFCLKRUN = Reg(0x414, "LFCLKSTART has been triggered", STATUS=RO[0])
    LFCLKSTAT = Reg(0x418, "32 kHz clock", SRC=RO[1:0](rc=0, crystal=1, synthesised=2), STATE=RO[16])
    LFCLKSRCCOPY = Reg(0x41C, "LFCLKSRC when LFCLKSTART was triggered", SRC=RO[1:0])
    RAMSTATUS = Reg(0x428, "RAM blocks that are on", reset=3, RAM=RO[3:0])
    SYSTEMOFF = Reg(0x500, "System off", SYSTEMOFF=WO[0])
    POFCON = Reg(0x510, "Power failure comparator", POF=RW[0], THRESHOLD=RW[2:1])
    LFCLKSRC = Reg(0x518, "32 kHz clock source", SRC=RW[1:0](rc=0, crystal=1, synthesised=2))
    GPREGRET = Reg(0x51C, "Retained over resets", GPREGRET=RW[7:0])
    RAMON = Reg(0x524, "RAM on and retained", reset=3, ONRAM=RW[1:0], OFFRAM=RW[17:16])
    PERR0 = Reg(0x528, "Peripherals in protected region 0", access=TODO)
    RLENR0 = Reg(0x52C, "Length of protected region 0", access=TODO)
    CTIV = Reg(0x538, "Calibration interval in 0.25 s", CTIV=RW[6:0])
    RESET = Reg(0x544, "Pin reset while debugging", RESET=RW[0])
    XTALFREQ = Reg(0x550, "Crystal frequency", reset=0xFFFFFFFF, XTALFREQ=RW[7:0](mhz16=0xFF, mhz32=0))
    RAMONB = Reg(0x554, "RAM on and retained, blocks 2 and 3", reset=3, ONRAM=RW[1:0], OFFRAM=RW[17:16])
    DCDCEN = Reg(0x578, "DC/DC converter", DCDCEN=RW[0])
    PROTENSET = Reg(0x600, "Protect blocks of flash; 1 sets", count=2, access=W1S)
    DISABLEINDEBUG = Reg(0x608, "No protection while debugging", reset=1, DISABLEINDEBUG=RW[0])
    PROTBLOCKSIZE = Reg(0x60C, "Size of the blocks", SIZE=RW[1:0](kib4=0))
    DCDCFORCE = Reg(0xA08, "Force the DC/DC converter", FORCEOFF=RW[0], FORCEON=RW[1])
    RAMPRI = Reg(0xE00, "Who comes first at the RAM", count=6)

    # -- reset and SYSTEM OFF ----------------------------------------------------------------------------------------
    def reset_by(self, field: str) -> None:
        """Note why the coming reset happens: a field of RESETREAS."""
        self.reason |= {"DOG": 2, "LOCKUP": 8, "OFF": 1 << 16, "LPCOMP": 1 << 17}[field]

    def reset(self) -> None:
        """Reset reasons add up and GPREGRET stays, but for the first time; a guest that gave no reason used SYSRESETREQ."""
        reasons, kept = int(self.RESETREAS), int(self.GPREGRET)
        if self.machine.running:
            reasons |= self.reason or 4
        super().reset()
        self.RESETREAS, self.GPREGRET = reasons, kept

    @SYSTEMOFF.on_write
    def _system_off(self, value):
        """Only the pins stay awake: nothing can interrupt the CPU any more."""
        if not value & 1:
            return
        for part in self.machine.parts.values():
            if isinstance(part, Nordic) and part is not self:
                part.reset()
        cpu: Any = self.machine.cpu
        cpu.pending, cpu.sleeping, self.off = 0, True, True
        self.machine.engine.cut()
        self.machine["gpio"].settle()

    def wake(self, field: str) -> None:
        """A pin (OFF) or the comparator (LPCOMP) ends SYSTEM OFF by a reset."""
        if self.off:
            self.off = False
            self.reset_by(field)
            self.machine.request_reset("wake-up from SYSTEM OFF")

    # -- clocks ----------------------------------------------------------------------------------------------------------
    @HFCLKSTART.does
    def _start_crystal(self):
        self.HFCLKRUN = 1
        self.hf.start(0)
        self.hf.expire_at(HFXO_START)

    @hf.expired
    def _crystal_runs(self):
        self.HFCLKSTAT = 0x10001
        self.fire(self.HFCLKSTARTED)

    @HFCLKSTOP.does
    def _stop_crystal(self):
        self.HFCLKRUN, self.HFCLKSTAT = 0, 0
        self.hf.cancel()

    @LFCLKSTART.does
    def _start_slow(self):
        self.LFCLKRUN, self.LFCLKSRCCOPY = 1, self.LFCLKSRC
        self.lf.start(0)
        self.lf.expire_at((LFRC_START, LFXO_START, HFXO_START, LFRC_START)[self.LFCLKSRC])

    @lf.expired
    def _slow_runs(self):
        self.LFCLKSTAT = 0x10000 | int(self.LFCLKSRCCOPY)
        self._slow_changed(running=True)
        self.fire(self.LFCLKSTARTED)

    @LFCLKSTOP.does
    def _stop_slow(self):
        self.LFCLKRUN, self.LFCLKSTAT = 0, 0
        self.lf.cancel()
        self._slow_changed(running=False)

    def _slow_changed(self, *, running: bool) -> None:
        self.lfclk_running = running
        for part in self.machine.parts.values():
            if isinstance(part, Nordic) and "lfclk" in part.watches:
                part.settle()

    @CAL.does
    def _calibrate(self):
        self.calibration.start(0)
        self.calibration.expire_at(CALIBRATION)

    @calibration.expired
    def _calibrated(self):
        self.fire(self.DONE)

    @CTSTART.does
    def _start_interval(self):
        self.interval.start(0)
        self.interval.expire_at(250_000 * max(int(self.CTIV), 1))

    @interval.expired
    def _interval_over(self):
        self.fire(self.CTTO)

    @CTSTOP.does
    def _stop_interval(self):
        self.interval.cancel()

    # -- protection ------------------------------------------------------------------------------------------------------
    def protects(self, address: int) -> bool:
        """Whether the block of 4 KiB at an address of the flash may not be erased or written."""
        block = address >> 12
        return block < 64 and bool(self.PROTENSET[block >> 5].value >> (block & 31) & 1)


