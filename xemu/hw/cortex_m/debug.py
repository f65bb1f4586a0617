"""DWT's counters and ITM's stimulus ports. ARMv7-M ARM (DDI 0403E) C1.7, C1.8. Trace and comparators are not modelled."""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Count, SerialPort, Timer
from xemu.hw.registers import RO, RW, TODO, Reg


class Dwt(Device, size=4 * KiB):
    """Data watchpoint and trace: CYCCNT counts executed instructions, as all of xemu's time does."""

    cycles = Timer()

    CTRL = Reg(0x000, "Control", reset=0x4000_0000, CYCCNTENA=RW[0], POSTPRESET=TODO[4:1], CYCTAP=TODO[9], SYNCTAP=TODO[11:10],
               PCSAMPLENA=TODO[12], EXCTRCENA=TODO[16], CPIEVTENA=TODO[17], EXCEVTENA=TODO[18], SLEEPEVTENA=TODO[19],
               LSUEVTENA=TODO[20], FOLDEVTENA=TODO[21], NUMCOMP=RO[31:28])
    CYCCNT = Reg(0x004, "Cycle count")
    CPICNT = Reg(0x008, "CPI count", CPICNT=TODO[7:0])
    EXCCNT = Reg(0x00C, "Exception overhead count", EXCCNT=TODO[7:0])
    SLEEPCNT = Reg(0x010, "Sleep count", SLEEPCNT=TODO[7:0])
    LSUCNT = Reg(0x014, "LSU count", LSUCNT=TODO[7:0])
    FOLDCNT = Reg(0x018, "Folded-instruction count", FOLDCNT=TODO[7:0])
    PCSR = Reg(0x01C, "Program counter sample", access=RO)
    COMP = Reg(0x020, "Comparator", count=4, stride=16, VALUE=TODO[31:0])
    MASK = Reg(0x024, "Mask", count=4, stride=16, VALUE=TODO[4:0])
    FUNCTION = Reg(0x028, "Function", count=4, stride=16, VALUE=TODO[31:0])
    LAR = Reg(0xFB0, "Lock access")
    LSR = Reg(0xFB4, "Lock status", access=RO)

    def after_reset(self):
        self.cycles.hz = self.machine.rate

    @CYCCNT.counts
    def _count(self):
        return Count(self.cycles)

    @CYCCNT.on_write
    def _set_count(self, value):
        self.cycles.value = value

    @CTRL.on_write
    def _control(self, value):
        if value & 1 and not self.cycles.running:
            self.cycles.start()
        elif not value & 1:
            self.cycles.stop()


class Itm(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """Instrumentation trace: what is written to enabled stimulus ports goes to a serial line of its own."""

    line = SerialPort()

    STIM = Reg(0x000, "Stimulus port", count=32)
    TER = Reg(0xE00, "Trace enable")
    TPR = Reg(0xE40, "Trace privilege", PRIVMASK=TODO[3:0])
    TCR = Reg(0xE80, "Trace control", ITMENA=RW[0], TSENA=TODO[1], SYNCENA=TODO[2], TXENA=TODO[3], SWOENA=TODO[4], TSPRESCALE=TODO[9:8],
              GTSFREQ=TODO[11:10], TRACEBUSID=TODO[22:16], BUSY=RO[23])
    LAR = Reg(0xFB0, "Lock access")
    LSR = Reg(0xFB4, "Lock status", access=RO)

    def start(self):
        if self.line.line is None:
            self.line.wire(self.machine.serial(len(self.machine.serials)))

    @STIM.computed
    def _ready(self, index):
        del index
        return 1                              # the FIFO always has room

    @STIM.on_write
    def _stimulus(self, index, value):
        if self.TCR.ITMENA and self.TER.value >> index & 1:
            self.line.put(value & 0xFF)
