"""SPI of the STM32F405. RM0090, chapter 28. Master mode; a frame takes no time.

What is connected is an object with `transfer(value, bits) -> int`: the slave's answer to a frame. Without one MISO floats
high. Slaves that have state are devices of the board (without an address), so that snapshots hold it.
"""

from __future__ import annotations

from typing import Any

from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Param, Var
from xemu.hw.registers import RO, RW, TODO, Reg

RXNE, TXE, CRCERR, MODF, OVR, BSY = 1 << 0, 1 << 1, 1 << 4, 1 << 5, 1 << 6, 1 << 7


class Spi(Clocked, size=0x400):
    """SPI (28.5); I²S is not modelled. `slave`: what is connected."""

    irq, dma_rx, dma_tx = IrqOut(), IrqOut(), IrqOut()
    slave: Any = Param(None)
    received = Var(0)
    seen = Var(0)                                  # how far the sequence that clears OVR or MODF has come

    CR1 = Reg(0x00, "Control 1", CPHA=RW[0], CPOL=RW[1], MSTR=RW[2], BR=RW[5:3], SPE=RW[6], LSBFIRST=RW[7], SSI=RW[8], SSM=RW[9],
              RXONLY=RW[10], DFF=RW[11], CRCNEXT=RW[12], CRCEN=TODO[13], BIDIOE=RW[14], BIDIMODE=RW[15])
    CR2 = Reg(0x04, "Control 2", RXDMAEN=RW[0], TXDMAEN=RW[1], SSOE=RW[2], FRF=TODO[4], ERRIE=RW[5], RXNEIE=RW[6], TXEIE=RW[7])
    SR = Reg(0x08, "Status", reset=TXE, RXNE=RO[0], TXE=RO[1], CHSIDE=RO[2], UDR=RO[3], CRCERR=RW[4], MODF=RO[5], OVR=RO[6], BSY=RO[7],
             FRE=RO[8])
    DR = Reg(0x0C, "Data", DR=RW[15:0])
    CRCPR = Reg(0x10, "CRC polynomial", reset=7, CRCPOLY=RW[15:0])
    RXCRCR = Reg(0x14, "Received CRC", RXCRC=RO[15:0])
    TXCRCR = Reg(0x18, "Transmitted CRC", TXCRC=RO[15:0])
    I2SCFGR = Reg(0x1C, "I2S configuration", CHLEN=RW[0], DATLEN=RW[2:1], CKPOL=RW[3], I2SSTD=RW[5:4], PCMSYNC=RW[7], I2SCFG=RW[9:8],
                  I2SE=TODO[10], I2SMOD=TODO[11])
    I2SPR = Reg(0x20, "I2S prescaler", reset=2, I2SDIV=RW[7:0], ODD=RW[8], MCKOE=RW[9])

    @DR.computed
    def _data(self):
        return self.received

    def _exchange(self, value: int) -> None:
        bits = 16 if self.CR1.DFF else 8
        mask = (1 << bits) - 1
        answer = mask if self.slave is None else self.slave.transfer(value & mask, bits) & mask
        if self.CR1.BIDIMODE and self.CR1.BIDIOE:
            return                                 # one data line, which we drive: nothing comes back
        if self.SR.RXNE:
            self.SR.OVR = 1
        else:
            self.received = answer
            self.SR.RXNE = 1

    @property
    def _listens(self) -> bool:
        """Whether the clock runs by itself: a master that only receives (28.3.5)."""
        cr1 = self.CR1
        return bool(cr1.SPE and cr1.MSTR and (cr1.RXONLY or (cr1.BIDIMODE and not cr1.BIDIOE)))

    @DR.on_write
    def _send(self, value):
        if self.CR1.SPE and self.CR1.MSTR and not self._listens:
            self._exchange(value)

    @DR.on_read
    def _read(self):
        self.SR.RXNE = 0
        self.seen |= 1 if self.SR.OVR else 0

    @SR.on_read
    def _saw(self):
        if self.seen & 1:
            self.SR.OVR = self.seen = 0            # DR, then SR (28.3.10)
        if self.SR.MODF:
            self.seen |= 2

    @CR1.on_write
    def _control(self, value):
        if self.seen & 2:
            self.SR.MODF = 0                       # SR, then CR1
            self.seen &= ~2

    def update(self):
        cr1, cr2 = self.CR1, self.CR2
        if cr1.MSTR and cr1.SPE and cr1.SSM and not cr1.SSI:
            self.SR.MODF, cr1.MSTR, cr1.SPE = 1, 0, 0          # somebody selects us while we are master
        if self._listens and not self.SR.RXNE:
            self._exchange(0xFFFF)
        status = int(self.SR)
        self.quiet(self.SR, not (self.seen & 1 or (status & MODF and not self.seen & 2)))
        self.irq.set(status & ((RXNE * cr2.RXNEIE) | (TXE * cr2.TXEIE) | (OVR | MODF | CRCERR) * cr2.ERRIE))
        self.dma_rx.set(cr2.RXDMAEN and status & RXNE)
        self.dma_tx.set(cr2.TXDMAEN and cr1.SPE and not (cr2.RXDMAEN and status & RXNE))    # one frame at a time
