"""Stellaris analog-to-digital converter and I2C. LM3S6965 data sheet, chapters 12 and 15."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Fifo, IrqOut, IrqOuts, Param, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

SUPPLY = 3.0                                     # volts of full scale
STEPS = (8, 4, 4, 1)                             # samples, and depth of the FIFO, by sequencer
PROCESSOR, TIMER, ALWAYS = 0, 5, 15              # EMUX


class StellarisAdc(Device, size=4 * KiB):
    """ADC: 10 bits, four inputs and a temperature sensor, four sequencers. A conversion takes no time.

    `inputs`: volts by channel; `celsius`: what the sensor measures. The timers' triggers go to `timer_event`.
    """

    outside = ("inputs", "celsius")
    irq = IrqOuts(4)                             # one line per sequencer
    inputs: list[float] = Var([0.0] * 4)         # type: ignore[assignment]
    celsius = Var(25.0)
    fifo0, fifo1, fifo2, fifo3 = Fifo(8), Fifo(4), Fifo(4), Fifo(1)

    ACTSS = Reg(0x000, "Active sequencers", ASEN=RW[3:0])
    RIS = Reg(0x004, "Raw interrupt status", INR=RO[3:0])
    IM = Reg(0x008, "Interrupt mask", MASK=RW[3:0])
    ISC = Reg(0x00C, "Interrupt status; 1 clears", IN=RO[3:0])
    OSTAT = Reg(0x010, "Overflow; 1 clears", OV=RO[3:0])
    EMUX = Reg(0x014, "Event that starts each sequencer", EM0=RW[3:0], EM1=RW[7:4], EM2=RW[11:8], EM3=RW[15:12])
    USTAT = Reg(0x018, "Underflow; 1 clears", UV=RO[3:0])
    SSPRI = Reg(0x020, "Priorities", reset=0x3210, SS0=RW[1:0], SS1=RW[5:4], SS2=RW[9:8], SS3=RW[13:12])
    PSSI = Reg(0x028, "Start by the processor", SS=WO[3:0])
    SAC = Reg(0x030, "Averaging: 2^AVG samples", AVG=RW[2:0])
    SSMUX = Reg(0x040, "Inputs of the samples, 4 bits each", count=4, stride=0x20)
    SSCTL = Reg(0x044, "Samples, 4 bits each: D END IE TS", count=4, stride=0x20)
    SSFIFO = Reg(0x048, "Result", count=4, stride=0x20, DATA=RO[9:0])
    SSFSTAT = Reg(0x04C, "FIFO status", reset=0x100, count=4, stride=0x20, TPTR=RO[3:0], HPTR=RO[7:4], EMPTY=RO[8], FULL=RO[12])
    TMLB = Reg(0x100, "Test mode loopback", LB=TODO[0])
    heads = Var([0] * 4)                         # how many results were put, by sequencer

    def reset(self) -> None:
        """Reset all but what is outside."""
        outside = self.inputs, self.celsius
        super().reset()
        self.inputs, self.celsius = outside

    def timer_event(self, level: bool) -> None:
        """Take a timer's trigger."""
        for n in range(4) if level else ():
            if self.EMUX >> 4 * n & 15 == TIMER:
                self._convert(n)
        self.settle()

    def _fifo(self, n: int) -> Any:
        return (self.fifo0, self.fifo1, self.fifo2, self.fifo3)[n]

    def _sample(self, channel: int, control: int) -> int:
        if control & 8:
            volts = 2.7 - (self.celsius + 55) / 75                     # 12.2.6
        elif control & 1:
            pair = channel & 1
            volts = SUPPLY / 2 + (self.inputs[2 * pair] - self.inputs[2 * pair + 1]) / 2
        else:
            volts = self.inputs[channel & 3]
        return min(max(int(volts * 1024 / SUPPLY), 0), 1023)

    def _convert(self, n: int) -> None:
        """Take the samples of sequencer n up to the one marked END."""
        if not self.ACTSS >> n & 1:
            return
        fifo = self._fifo(n)
        for step in range(STEPS[n]):
            control = self.SSCTL[n] >> 4 * step & 15
            if fifo.put(self._sample(self.SSMUX[n] >> 4 * step & 15, control)):
                self.heads[n] = (self.heads[n] + 1) % STEPS[n]
            else:
                self.OSTAT = self.OSTAT | 1 << n
            if control & 4:
                self.RIS = self.RIS | 1 << n
            if control & 2:
                return

    @PSSI.on_write
    def _start(self, value):
        for n in range(4):
            if value >> n & 1 and self.EMUX >> 4 * n & 15 == PROCESSOR:
                self._convert(n)

    @SSFIFO.computed
    def _result(self, n):
        return self._fifo(n).front()

    @SSFIFO.on_read
    def _pop(self, n):
        if self._fifo(n).empty:
            self.USTAT = self.USTAT | 1 << n
        self._fifo(n).pop()

    @SSFSTAT.computed
    def _fifo_status(self, n):
        fifo = self._fifo(n)
        head = self.heads[n]
        return (head - len(fifo)) % STEPS[n] | head << 4 | fifo.empty << 8 | fifo.full << 12

    @OSTAT.on_write
    def _clear_overflow(self, value):
        self.OSTAT = self.OSTAT & ~value

    @USTAT.on_write
    def _clear_underflow(self, value):
        self.USTAT = self.USTAT & ~value

    @ISC.computed
    def _masked(self):
        return self.RIS & self.IM

    @ISC.on_write
    def _clear(self, value):
        self.RIS = self.RIS & ~value

    def update(self):
        for n in range(4):
            if self.EMUX >> 4 * n & 15 == ALWAYS and self.ACTSS >> n & 1 and self._fifo(n).empty:
                self._convert(n)                 # a sequencer that never rests has always a result
        self.irq.set(self.RIS & self.IM)


class StellarisI2c(Device, size=4 * KiB):
    """I2C master (15.5); a transfer takes no time. `targets`: parts on the bus (I2cSlave). The slave half is not modelled."""

    irq = IrqOut()
    targets: Any = Param(())
    busy = Var(default=False)                    # between start and stop
    errors = Var(0)                              # bits 1 to 3 of MCS

    MSA = Reg(0x000, "Slave address", RS=RW[0], SA=RW[7:1])
    MCS = Reg(0x004, "Status; a write commands: RUN START STOP ACK", reset=0x20, VALUE=RW[6:0])
    MDR = Reg(0x008, "Data", DATA=RW[7:0])
    MTPR = Reg(0x00C, "Timer period", reset=1, TPR=RW[7:0])
    MIMR = Reg(0x010, "Interrupt mask", IM=RW[0])
    MRIS = Reg(0x014, "Raw interrupt status", RIS=RO[0])
    MMIS = Reg(0x018, "Masked interrupt status", MIS=RO[0])
    MICR = Reg(0x01C, "Interrupt clear", IC=WO[0])
    MCR = Reg(0x020, "Configuration", LPBK=TODO[0], MFE=RW[4], SFE=TODO[5])

    def _target(self) -> Any:
        return next((t for t in self.targets if t.i2c_address == self.MSA.SA), None)

    @MCS.computed
    def _status(self):
        return self.errors | (not self.busy) << 5 | self.busy << 6

    @MCS.on_write
    def _command(self, value):
        run, start, stop = value & 1, value >> 1 & 1, value >> 2 & 1
        target = self._target()
        if not self.MCR.MFE:
            self.log("a command while the master function is off (MCR.MFE) has no effect")
            return
        if run:
            self.errors = 0
            self._transfer(target, starts=bool(start))
            self.MRIS = 1
        if stop and self.busy:
            if target is not None:
                target.end()
            self.busy = False
            self.MRIS = 1

    def _transfer(self, target: Any, *, starts: bool) -> None:
        if starts:
            self.busy = True
            if target is not None:
                target.begin(reading=bool(self.MSA.RS))
        if target is None:
            self.errors = 0x06                   # ERROR, ADRACK: nobody acknowledges
        elif self.MSA.RS:
            self.MDR = target.get()
        elif not target.put(int(self.MDR)):
            self.errors = 0x0A                   # ERROR, DATACK

    @MMIS.computed
    def _masked(self):
        return self.MRIS & self.MIMR

    @MICR.on_write
    def _clear(self, value):
        self.MRIS = self.MRIS & ~value

    def update(self):
        self.irq.set(self.MRIS & self.MIMR)
