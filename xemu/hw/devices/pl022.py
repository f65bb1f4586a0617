"""PrimeCell synchronous serial port PL022. Arm DDI 0194. Master mode; a frame takes no time."""

from __future__ import annotations

from typing import Any, ClassVar

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Fifo, IrqOut, Param, Timer
from xemu.hw.registers import RO, RW, TODO, WO, Reg

ROR, RT, RX, TX = 1, 2, 4, 8                     # bits of RIS


class PL022(Device, size=4 * KiB):
    """SSP. `slave`: what answers a frame, an object with `transfer(value, bits) -> value`; without one zeros come in."""

    identity: ClassVar[tuple[int, ...]] = (0, 0, 0, 0, 0x22, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1)

    clock: int = Param()
    slave: Any = Param(None)
    irq = IrqOut()
    received, waiting = Fifo(8), Fifo(8)
    idle = Timer()                               # runs while received frames wait

    CR0 = Reg(0x000, "Control 0", DSS=RW[3:0], FRF=RW[5:4], SPO=RW[6], SPH=RW[7], SCR=RW[15:8])
    CR1 = Reg(0x004, "Control 1", LBM=RW[0], SSE=RW[1], MS=TODO[2], SOD=RW[3])
    DR = Reg(0x008, "Data", DATA=RW[15:0])
    SR = Reg(0x00C, "Status", reset=3, TFE=RO[0], TNF=RO[1], RNE=RO[2], RFF=RO[3], BSY=RO[4])
    CPSR = Reg(0x010, "Clock prescale", CPSDVSR=RW[7:0])
    IMSC = Reg(0x014, "Interrupt mask", RORIM=RW[0], RTIM=RW[1], RXIM=RW[2], TXIM=RW[3])
    RIS = Reg(0x018, "Raw interrupt status", reset=TX, RORRIS=RO[0], RTRIS=RO[1], RXRIS=RO[2], TXRIS=RO[3])
    MIS = Reg(0x01C, "Masked interrupt status", RORMIS=RO[0], RTMIS=RO[1], RXMIS=RO[2], TXMIS=RO[3])
    ICR = Reg(0x020, "Interrupt clear", RORIC=WO[0], RTIC=WO[1])
    DMACR = Reg(0x024, "DMA control", RXDMAE=TODO[0], TXDMAE=TODO[1])
    ID = Reg(0xFD0, "Identification: PeriphID4-7, PeriphID0-3, PCellID0-3", count=12, access=RO)

    def after_reset(self):
        for i, value in enumerate(self.identity):
            self.ID[i] = value
        self.idle.hz = self.bit_rate

    def set_clock(self, hz: int) -> None:
        """Run from a clock of another frequency."""
        self.clock = hz

    @property
    def bit_rate(self) -> int:
        """Bits per second on the bus."""
        return max(1, self.clock // int(max(self.CPSR & 0xFE, 2) * (1 + self.CR0.SCR)))

    @DR.computed
    def _front(self):
        return self.received.front()

    @DR.on_read
    def _pop(self):
        self.received.pop()
        self._watch()

    @DR.on_write
    def _send(self, value):
        if not self.waiting.put(value & 0xFFFF):
            self.log("a frame is written while the transmit FIFO is full: it is lost")
        self._exchange()

    @CR1.on_write
    def _control(self, _value):
        self._exchange()

    def _exchange(self) -> None:
        bits = self.CR0.DSS + 1
        mask = (1 << bits) - 1
        while self.CR1.SSE and not self.waiting.empty:
            value = self.waiting.pop() & mask
            if not self.received.put(self._answer(value, bits) & mask):
                self.RIS = self.RIS | ROR
            self._watch()

    def _answer(self, value: int, bits: int) -> int:
        if self.CR1.LBM:
            return value
        return 0 if self.slave is None else int(self.slave.transfer(value, bits))

    def _watch(self) -> None:
        """Time out when nothing is read for 32 bit periods (2.3.5)."""
        self.idle.cancel()
        if not self.received.empty:
            self.idle.hz = self.bit_rate
            self.idle.start(0)
            self.idle.expire_at(32)

    @idle.expired
    def _timeout(self):
        self.RIS = self.RIS | RT

    @ICR.on_write
    def _clear(self, value):
        self.RIS = self.RIS & ~(value & (ROR | RT))

    @SR.computed
    def _status(self):
        rx, tx = self.received, self.waiting
        return int(tx.empty) | (not tx.full) << 1 | (not rx.empty) << 2 | rx.full << 3 | (not tx.empty and self.CR1.SSE) << 4

    @MIS.computed
    def _masked(self):
        return self.RIS & self.IMSC

    def update(self):
        timeout = 0 if self.received.empty else self.RIS & RT
        self.RIS = self.RIS & ROR | timeout | (len(self.received) >= 4) * RX | (len(self.waiting) <= 4) * TX
        self.quiet(self.DR, self.received.empty)
        self.irq.set(self.RIS & self.IMSC)


class StellarisSsi(PL022):
    """Stellaris SSI. LM3S6965 data sheet, chapter 14."""

    identity = (0, 0, 0, 0, 0x22, 0x00, 0x18, 0x01, 0x0D, 0xF0, 0x05, 0xB1)
