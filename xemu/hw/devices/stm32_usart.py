"""USART and UART of the STM32F405. RM0090, chapter 30. Asynchronous mode."""

from __future__ import annotations

from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, SerialPort, Timer, Var
from xemu.hw.registers import RO, RW, TODO, Reg

PE, FE, NF, ORE, IDLE, RXNE, TC, TXE, LBD, CTS = (1 << i for i in range(10))
BY_SEQUENCE = PE | FE | NF | ORE | IDLE            # cleared by a read of SR, then one of DR
BY_ZERO = RXNE | TC | LBD | CTS                    # cleared by writing 0


class Usart(Clocked, size=0x400):
    """USART (30.6). Bytes wait outside until DR is free, so only a test ever sees an overrun."""

    irq, dma_rx, dma_tx = IrqOut(), IrqOut(), IrqOut()
    line = SerialPort()
    quiet_line = Timer()                           # since the last byte, in tenths of a character
    received = Var(0)                              # the receive data register
    seen = Var(0)                                  # flags that SR has shown since

    SR = Reg(0x00, "Status", reset=TC | TXE, PE=RO[0], FE=RO[1], NF=RO[2], ORE=RO[3], IDLE=RO[4], RXNE=RO[5], TC=RO[6], TXE=RO[7],
             LBD=RO[8], CTS=RO[9])
    DR = Reg(0x04, "Data", DR=RW[8:0])
    BRR = Reg(0x08, "Baud rate", DIV_Fraction=RW[3:0], DIV_Mantissa=RW[15:4])
    CR1 = Reg(0x0C, "Control 1", SBK=TODO[0], RWU=TODO[1], RE=RW[2], TE=RW[3], IDLEIE=RW[4], RXNEIE=RW[5], TCIE=RW[6], TXEIE=RW[7],
              PEIE=RW[8], PS=RW[9](even=0, odd=1), PCE=RW[10], WAKE=RW[11], M=RW[12], UE=RW[13], OVER8=RW[15])
    CR2 = Reg(0x10, "Control 2", ADD=RW[3:0], LBDL=RW[5], LBDIE=RW[6], LBCL=RW[8], CPHA=RW[9], CPOL=RW[10], CLKEN=TODO[11],
              STOP=RW[13:12], LINEN=TODO[14])
    CR3 = Reg(0x14, "Control 3", EIE=RW[0], IREN=TODO[1], IRLP=RW[2], HDSEL=TODO[3], NACK=RW[4], SCEN=TODO[5], DMAR=RW[6], DMAT=RW[7],
              RTSE=RW[8], CTSE=RW[9], CTSIE=RW[10], ONEBIT=RW[11])
    GTPR = Reg(0x18, "Guard time and prescaler", PSC=RW[7:0], GT=RW[15:8])

    # -- baud rate (30.3.4) --------------------------------------------------------------------------------------------------
    @property
    def baud(self) -> int:
        """Bits per second now, 0 while BRR is 0."""
        div = int(self.BRR)
        if self.CR1.OVER8:
            return self.clock // ((div >> 4 << 3 | div & 7) or 1) if div else 0
        return self.clock // div if div else 0

    def clock_changed(self):
        baud = self.baud
        if baud:
            self.line.baud = baud
            self.quiet_line.hz = baud

    @BRR.on_write
    def _set_baud(self, value):
        self.clock_changed()

    # -- sending ---------------------------------------------------------------------------------------------------------------
    def _data_mask(self) -> int:
        return 0x7F if self.CR1.PCE and not self.CR1.M else 0xFF

    @DR.computed
    def _data(self):
        return self.received

    @DR.on_write
    def _send(self, value):
        if self.CR1.UE and self.CR1.TE and self.line.queued < 2:       # one leaves, one waits in DR
            self.line.put(value & self._data_mask())
            self._sent()

    @line.sent
    def _sent(self):
        queued = self.line.queued
        self.SR = self.SR & ~(TXE | TC) | (TXE if queued < 2 else 0) | (0 if queued else TC)

    @DR.on_posted
    def _send_many(self, values):
        mask = self._data_mask()
        self.line.put_many(bytes(v & mask for v in values))

    # -- receiving -------------------------------------------------------------------------------------------------------------
    @line.room
    def _room(self):
        return self.CR1.UE and self.CR1.RE and not self.SR.RXNE

    @line.received
    def _take(self, byte):
        if self.SR.RXNE:
            self.SR.ORE = 1                        # the byte before stays, this one is lost
        else:
            self.received = byte & self._data_mask()
            self.SR.RXNE = 1
        self.quiet_line.start(0)
        self.quiet_line.after(11)                  # an idle frame, a little longer than a character

    @line.overrun
    def _overrun(self):
        if self.CR1.UE and self.CR1.RE:
            self.SR.ORE = 1
        return self.CR1.UE and self.CR1.RE

    @quiet_line.expired
    def _line_is_idle(self):
        """No byte for a frame: idle, unless more of them wait outside for room."""
        if self.line.line is not None and self.line.line.waiting:
            self.quiet_line.after(11)
        else:
            self.quiet_line.stop()
            self.SR.IDLE = 1

    # -- status: clear sequences (30.6.1) ----------------------------------------------------------------------------------------
    @SR.on_read
    def _saw(self):
        self.seen = int(self.SR) & BY_SEQUENCE

    @DR.on_read
    def _read(self):
        self.SR = self.SR & ~(RXNE | self.seen)
        self.seen = 0

    @SR.on_write
    def _clear(self, value):
        self.SR = self.SR & (value | ~BY_ZERO)

    def update(self):
        status, cr1, cr3 = int(self.SR), int(self.CR1), int(self.CR3)
        self.quiet(self.SR, not status & BY_SEQUENCE & ~self.seen)
        self.quiet(self.DR, not status & (BY_SEQUENCE | RXNE))
        sends = cr1 >> 13 & 1 and cr1 & 8
        self.post(self.DR, sends and status & TC and not cr1 & (TXE | TC))
        # CR1's enables lie where SR's flags do: IDLEIE 4, RXNEIE 5, TCIE 6, TXEIE 7 (30.5)
        enabled = cr1 & (IDLE | RXNE | TC | TXE) | (ORE if cr1 & RXNE else 0) | cr1 >> 8 & PE
        if cr3 & 1 and cr3 >> 6 & 1:
            enabled |= NF | ORE | FE
        self.irq.set(status & enabled or (status & LBD and self.CR2.LBDIE) or (status & CTS and self.CR3.CTSIE))
        self.dma_rx.set(cr3 >> 6 & 1 and status & RXNE)
        self.dma_tx.set(cr3 >> 7 & 1 and sends and status & TXE)
