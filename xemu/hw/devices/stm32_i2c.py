"""I²C of the STM32F405. RM0090, chapter 27. Master mode; address, data and acknowledge take their time on the bus.

A slave is an object with `start(read) -> bool` (does it acknowledge its address?), `write(byte) -> bool` (does it
acknowledge the byte?), `read() -> int` and `stop()`. Slaves that have state are devices of the board (without an address
in memory), so that snapshots hold it: `m.i2c1.connect(0x48, m.sensor)`.
"""

from __future__ import annotations

from typing import Any

from xemu.hw.devices.stm32_dma import remaining
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import Fifo, IrqOut, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, Reg

SB, ADDR, BTF, STOPF, RXNE, TXE, BERR, ARLO, AF, OVR, PECERR, TIMEOUT, SMBALERT = (
    1 << i for i in (0, 1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 14, 15))
ERRORS = BERR | ARLO | AF | OVR | PECERR | TIMEOUT | SMBALERT
BITS = 9                                                       # of a byte with its acknowledge


class I2c(Clocked, size=0x400):
    """I2C (27.6)."""

    event, error, dma_rx, dma_tx = IrqOut(), IrqOut(), IrqOut(), IrqOut()
    slaves: dict[int, Any] = Param(None)
    bus_time = Timer()                             # in bits of the bus
    doing = Var("")                                # what ends when `bus_time` expires: start, address, send, receive, stop
    active = Var(-1)                               # address of the slave that is addressed
    sr1_read = Var(0)                              # SR1 as the guest has seen it
    stretched = Fifo(1)                            # a received byte that waits in the shift register
    shift = Var(0)                                 # the byte that is sent
    first, acked = Var(False), Var(False)          # the byte received is the first; it was acknowledged

    CR1 = Reg(0x00, "Control 1", PE=RW[0], SMBUS=TODO[1], SMBTYPE=RW[3], ENARP=TODO[4], ENPEC=TODO[5], ENGC=TODO[6], NOSTRETCH=RW[7],
              START=RW[8], STOP=RW[9], ACK=RW[10], POS=RW[11], PEC=TODO[12], ALERT=TODO[13], SWRST=RW[15])
    CR2 = Reg(0x04, "Control 2", FREQ=RW[5:0], ITERREN=RW[8], ITEVTEN=RW[9], ITBUFEN=RW[10], DMAEN=RW[11], LAST=RW[12])
    OAR1 = Reg(0x08, "Own address 1", ADD=RW[9:0], KEEP_1=RW[14], ADDMODE=RW[15])
    OAR2 = Reg(0x0C, "Own address 2", ENDUAL=TODO[0], ADD2=RW[7:1])
    DR = Reg(0x10, "Data", DR=RW[7:0])
    SR1 = Reg(0x14, "Status 1", SB=RO[0], ADDR=RO[1], BTF=RO[2], ADD10=RO[3], STOPF=RO[4], RXNE=RO[6], TXE=RO[7], BERR=RO[8], ARLO=RO[9],
              AF=RO[10], OVR=RO[11], PECERR=RO[12], TIMEOUT=RO[14], SMBALERT=RO[15])
    SR2 = Reg(0x18, "Status 2", MSL=RO[0], BUSY=RO[1], TRA=RO[2], GENCALL=RO[4], SMBDEFAULT=RO[5], SMBHOST=RO[6], DUALF=RO[7], PEC=RO[15:8])
    CCR = Reg(0x1C, "Clock control", CCR=RW[11:0], DUTY=RW[14], FS=RW[15])
    TRISE = Reg(0x20, "Rise time", reset=2, TRISE=RW[5:0])
    FLTR = Reg(0x24, "Noise filter", DNF=RW[3:0], ANOFF=RW[4])

    def start(self):
        self.slaves = dict(self.slaves or {})

    def connect(self, address: int, slave: Any) -> None:
        """Put a slave on the bus at a 7-bit address."""
        self.slaves[address] = slave

    # -- the bus -----------------------------------------------------------------------------------------------------------------
    def clock_changed(self):
        ccr = self.CCR
        cycles = max(ccr.CCR, 1) * ((25 if ccr.DUTY else 3) if ccr.FS else 2)
        self.bus_time.hz = max(self.clock // cycles, 1)

    @CCR.on_write
    def _set_speed(self, value):
        self.clock_changed()

    def _begin(self, what: str, bits: int) -> None:
        self.doing = what
        self.clock_changed()
        self.bus_time.start(0)
        self.bus_time.after(bits)

    @bus_time.expired
    def _over(self):
        self.bus_time.stop()
        what, self.doing = self.doing, ""
        getattr(self, f"_{what}_done")()
        if not self.doing:
            self._conditions()

    def _conditions(self) -> None:
        """Begin the stop or start condition that the guest has asked for."""
        if self.CR1.STOP and self.SR2.MSL:
            self._begin("stop", 1)
        elif self.CR1.START:
            self._begin("start", 1)

    @property
    def _slave(self) -> Any:
        return self.slaves.get(self.active)

    def _start_done(self):
        self.SR1 = (self.SR1 | SB) & ~(BTF | TXE)
        self.CR1.START = 0
        self.SR2 = self.SR2 | 3                                # MSL, BUSY

    def _address_done(self):
        self.active, reading = self.shift >> 1, bool(self.shift & 1)
        if self._slave is not None and self._slave.start(reading):
            self.SR1.ADDR = 1
            self.SR2.TRA = not reading
        else:
            self.SR1.AF = 1

    def _send_done(self):
        if not self._slave.write(self.shift):
            self.SR1.AF = 1
        elif self.SR1.TXE:
            self.SR1.BTF = 1
        else:
            self._shift_out(int(self.DR))

    def _shift_out(self, byte: int) -> None:
        self.shift = byte
        self.SR1.TXE = 1
        self._begin("send", BITS)

    def _receive_done(self):
        byte = self._slave.read() & 0xFF
        if self.SR1.RXNE:
            self.stretched.put(byte)
            self.SR1.BTF = 1
        else:
            self._deliver(byte)
        last = self.CR2.LAST and self.CR2.DMAEN and any(remaining(w) == 1 for w in self.dma_rx.wires)
        self.acked = bool(self.CR1.ACK or (self.CR1.POS and self.first)) and not last
        self.first = False
        if self.acked and self.stretched.empty and not self.CR1.STOP and not self.CR1.START:
            self._begin("receive", BITS)

    def _deliver(self, byte: int) -> None:
        self.DR = byte
        self.SR1.RXNE = 1

    def _stop_done(self):
        if self._slave is not None:
            self._slave.stop()
        self.active = -1
        self.CR1.STOP = 0
        self.SR2 = self.SR2 & ~7
        self.SR1 = self.SR1 & ~(BTF | TXE | ADDR | SB)

    # -- the guest -----------------------------------------------------------------------------------------------------------------
    @CR1.on_write
    def _control(self, value):
        if value & 1 << 15:
            self.reset()
            self.CR1.SWRST = 1
        elif not value & 1:
            self._disable(value)
        elif not self.doing:
            self._conditions()                                 # otherwise they follow the byte that is under way

    def _disable(self, value: int) -> None:
        self.bus_time.cancel()
        self.doing, self.active = "", -1
        self.stretched.clear()
        self.SR1, self.SR2 = 0, 0
        self.CR1 = value & ~0x300

    @SR1.on_read
    def _saw(self):
        self.sr1_read = int(self.SR1)

    @SR1.on_write
    def _clear_errors(self, value):
        self.SR1 = self.SR1 & (value | ~ERRORS)

    @SR2.on_read
    def _after_address(self):
        """SR1, then SR2: ADDR is cleared and the bus goes on (27.3.3)."""
        if not (self.sr1_read & ADDR and self.SR1.ADDR):
            return
        self.SR1.ADDR = self.sr1_read = 0
        if self.SR2.TRA:
            self.SR1.TXE = 1
        else:
            self.first = True
            self._begin("receive", BITS)

    @DR.on_write
    def _write(self, value):
        if self.SR1.SB and self.sr1_read & SB:
            self.SR1.SB, self.sr1_read, self.shift = 0, 0, value & 0xFF
            self._begin("address", BITS)
        elif self.SR2.TRA and self.SR1.TXE:
            self.SR1 = self.SR1 & ~(BTF | TXE)
            if not self.doing:
                self._shift_out(value & 0xFF)

    @DR.on_read
    def _read(self):
        self.SR1 = self.SR1 & ~(RXNE | BTF)
        if not self.stretched.empty:
            self._deliver(self.stretched.pop())
            if self.acked and self.active >= 0 and not self.doing:
                self._begin("receive", BITS)

    def update(self):
        status, cr2 = int(self.SR1), self.CR2
        self.quiet(self.SR1, not status & (SB | ADDR) & ~self.sr1_read)
        self.quiet(self.SR2, not status & ADDR)
        buffers = status & (RXNE | TXE) and cr2.ITBUFEN and not cr2.DMAEN
        self.event.set(cr2.ITEVTEN and (status & (SB | ADDR | STOPF | BTF) or buffers))
        self.error.set(cr2.ITERREN and status & ERRORS)
        self.dma_tx.set(cr2.DMAEN and status & TXE and self.SR2.TRA)
        self.dma_rx.set(cr2.DMAEN and status & RXNE)
