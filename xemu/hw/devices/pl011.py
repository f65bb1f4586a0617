"""PrimeCell UART PL011. Arm DDI 0183. And the Stellaris variant, LM3S6965 data sheet, chapter 13."""

from __future__ import annotations

from typing import ClassVar

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Fifo, IrqOut, Param, SerialPort, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

RX, TX, RT, OE = 1 << 4, 1 << 5, 1 << 6, 1 << 10       # bits of RIS
ALL_INTERRUPTS = 0x7FF
TX_LEVELS = RX_LEVELS = (2, 4, 8, 12, 14)              # IFLS, bytes of 16


class PL011(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """UART. Bytes leave also while the UART is off: QEMU does so, images rely on it, and xemu says it."""

    identity: ClassVar[tuple[int, ...]] = (0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1)

    clock: int = Param()
    irq = IrqOut()
    line = SerialPort()
    received = Fifo(16)
    silence = Timer()                                  # bit periods since the last byte came or was read
    used_while_off = Var(default=False)

    DR = Reg(0x000, "Data", DATA=RW[7:0], FE=RO[8], PE=RO[9], BE=RO[10], OE=RO[11])
    RSR = Reg(0x004, "Receive status; a write clears", FE=RO[0], PE=RO[1], BE=RO[2], OE=RO[3])
    FR = Reg(0x018, "Flags", reset=0x90, CTS=RO[0], DSR=RO[1], DCD=RO[2], BUSY=RO[3], RXFE=RO[4], TXFF=RO[5], RXFF=RO[6], TXFE=RO[7],
             RI=RO[8])
    ILPR = Reg(0x020, "IrDA low-power counter", ILPDVSR=RW[7:0])
    IBRD = Reg(0x024, "Integer baud rate divisor", DIVINT=RW[15:0])
    FBRD = Reg(0x028, "Fractional baud rate divisor", DIVFRAC=RW[5:0])
    LCRH = Reg(0x02C, "Line control", BRK=TODO[0], PEN=RW[1], EPS=RW[2], STP2=RW[3], FEN=RW[4], WLEN=RW[6:5], SPS=RW[7])
    CR = Reg(0x030, "Control", reset=0x300, UARTEN=RW[0], SIREN=TODO[1], SIRLP=TODO[2], LBE=RW[7], TXE=RW[8], RXE=RW[9], DTR=RW[10],
             RTS=RW[11], OUT1=RW[12], OUT2=RW[13], RTSEN=TODO[14], CTSEN=TODO[15])
    IFLS = Reg(0x034, "FIFO levels of interrupts", reset=0x12, TXIFLSEL=RW[2:0], RXIFLSEL=RW[5:3])
    IMSC = Reg(0x038, "Interrupt mask", RIMIM=RW[0], CTSMIM=RW[1], DCDMIM=RW[2], DSRMIM=RW[3], RXIM=RW[4], TXIM=RW[5], RTIM=RW[6],
               FEIM=RW[7], PEIM=RW[8], BEIM=RW[9], OEIM=RW[10])
    RIS = Reg(0x03C, "Raw interrupt status", RXRIS=RO[4], TXRIS=RO[5], RTRIS=RO[6], FERIS=RO[7], PERIS=RO[8], BERIS=RO[9], OERIS=RO[10])
    MIS = Reg(0x040, "Masked interrupt status", RXMIS=RO[4], TXMIS=RO[5], RTMIS=RO[6], FEMIS=RO[7], PEMIS=RO[8], BEMIS=RO[9], OEMIS=RO[10])
    ICR = Reg(0x044, "Interrupt clear", VALUE=WO[10:0])
    DMACR = Reg(0x048, "DMA control", RXDMAE=TODO[0], TXDMAE=TODO[1], DMAONERR=TODO[2])
    ID = Reg(0xFE0, "Identification: PeriphID0-3, PCellID0-3", count=8, access=RO)

    def after_reset(self):
        for i, value in enumerate(self.identity):
            self.ID[i] = value
        self.silence.hz = self.line.baud

    def set_clock(self, hz: int) -> None:
        """Run from a clock of another frequency."""
        self.clock = hz
        self._set_baud()

    def _set_baud(self) -> None:
        divisor = 64 * self.IBRD.DIVINT + self.FBRD.DIVFRAC            # in 64ths of 16 clock periods (3.3.6)
        if self.IBRD.DIVINT:
            self.line.baud = max(1, 4 * self.clock // divisor)
            self.silence.hz = self.line.baud

    @property
    def depth(self) -> int:
        """Bytes that the receive FIFO takes: one where FIFOs are off."""
        return self.received.depth if self.LCRH.FEN else 1

    @property
    def level(self) -> int:
        """Bytes in the receive FIFO at which it interrupts (3.3.12)."""
        return RX_LEVELS[min(self.IFLS.RXIFLSEL, 4)] if self.LCRH.FEN else 1

    # -- sending -------------------------------------------------------------------------------------------------------
    @DR.computed
    def _front(self):
        return self.received.front()

    @DR.on_write
    def _send(self, value):
        if not (self.CR.UARTEN and self.CR.TXE) and not self.used_while_off:
            self.used_while_off = True
            self.log("a byte is written while CR.UARTEN or CR.TXE is 0; it is sent all the same")
        if not self.CR.LBE:
            if self.line.queued <= self.depth:         # the shift register, and the FIFO behind it
                self.line.put(value & 0xFF)
            self._fill(self.line.queued)
            return
        self.RIS = self.RIS | TX
        if self.CR.RXE and len(self.received) < self.depth:
            self._take(value & 0xFF)
        elif self.CR.RXE:
            self.RIS = self.RIS | OE

    def _fill(self, queued: int) -> None:
        """Interrupt where the transmit FIFO has come down to its level (3.3.12), or is not above it."""
        level = TX_LEVELS[min(self.IFLS.TXIFLSEL, 4)] if self.LCRH.FEN else 0
        self.RIS = self.RIS | TX if queued - 1 <= level else self.RIS & ~TX

    @line.sent
    def _sent(self):
        self._fill(self.line.queued)

    @DR.on_posted
    def _send_many(self, values):
        self.line.put_many(bytes(v & 0xFF for v in values))

    # -- receiving -----------------------------------------------------------------------------------------------------
    @DR.on_read
    def _pop(self):
        self.received.pop()
        if len(self.received) < self.level:
            self.RIS = self.RIS & ~RX
        if self.received.empty:
            self.RIS = self.RIS & ~RT
        self._watch()

    @line.room
    def _room(self):
        on = (self.CR.UARTEN or self.used_while_off) and self.CR.RXE and not self.CR.LBE
        return on and len(self.received) < self.depth

    @line.received
    def _take(self, byte):
        self.received.put(byte)
        if len(self.received) >= self.level:
            self.RIS = self.RIS | RX
        self._watch()

    @line.overrun
    def _overrun(self):
        on = (self.CR.UARTEN or self.used_while_off) and self.CR.RXE
        if on:
            self.RIS = self.RIS | OE
        return on

    def _watch(self) -> None:
        """Time out 32 bit periods after the last byte (3.4.4)."""
        self.silence.cancel()
        if not self.received.empty:
            self.silence.hz = self.line.baud
            self.silence.start(0)
            self.silence.expire_at(32)

    @silence.expired
    def _timeout(self):
        self.RIS = self.RIS | RT

    # -- control -------------------------------------------------------------------------------------------------------
    @LCRH.on_write
    def _line_control(self, value, old):
        self._set_baud()
        if (value ^ old) & 0x10:
            self.received.clear()
            self.RIS = self.RIS & ~(RX | RT)

    @IBRD.on_write
    def _integer(self, _value):
        self._set_baud()

    @FBRD.on_write
    def _fraction(self, _value):
        self._set_baud()

    @ICR.on_write
    def _clear(self, value):
        self.RIS = self.RIS & ~value

    @FR.computed
    def _flags(self):
        queued = self.line.queued
        sending = 8 if queued else 0                   # BUSY
        waiting = 0x80 if queued <= 1 else 0x20 if queued > self.depth else 0          # TXFE, TXFF
        return sending | waiting | self.received.empty << 4 | (len(self.received) >= self.depth) << 6

    @MIS.computed
    def _masked(self):
        return self.RIS & self.IMSC

    def update(self):
        sends = (self.CR & 0x181) == 0x101 or (self.used_while_off and not self.CR.LBE)
        self.post(self.DR, sends and self.RIS.TXRIS)
        self.quiet(self.DR, self.received.empty)
        self.irq.set(self.RIS & self.IMSC)


class StellarisUart(PL011):
    """Stellaris UART: no modem lines."""

    identity = (0x11, 0x00, 0x18, 0x01, 0x0D, 0xF0, 0x05, 0xB1)
