"""Peripherals of Arm's Cortex-M System Design Kit. Technical Reference Manual, Arm DDI 0479."""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Fifo, IrqOut, Param, SerialPort, Timer
from xemu.hw.registers import RO, RW, W1C, Reg


class CmsdkUart(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """APB UART, DDI 0479 4.3. One byte of buffer each way."""

    clock: int = Param()
    rx, tx, overrun = IrqOut(), IrqOut(), IrqOut()
    line = SerialPort()
    received = Fifo(1)

    DATA = Reg(0x000, "Data", VALUE=RW[7:0])
    STATE = Reg(0x004, "Status", TXBF=RO[0], RXBF=RO[1], TXOV=W1C[2], RXOV=W1C[3])
    CTRL = Reg(0x008, "Control", TXEN=RW[0], RXEN=RW[1], TXIE=RW[2], RXIE=RW[3], TXOVIE=RW[4], RXOVIE=RW[5], HSTM=RW[6])
    INTSTATUS = Reg(0x00C, "Interrupt status; 1 clears", TX=W1C[0], RX=W1C[1], TXOV=W1C[2], RXOV=W1C[3])
    BAUDDIV = Reg(0x010, "Baud rate divider", VALUE=RW[19:0])
    ID = Reg(0xFD0, "Identification", count=12, access=RO)

    def after_reset(self):
        for i, value in enumerate((0x04, 0, 0, 0, 0x21, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)):
            self.ID[i] = value

    @DATA.computed
    def _front(self):
        return self.received.front()

    @DATA.on_read
    def _pop(self):
        self.received.pop()
        self.STATE.RXBF = 0

    @DATA.on_write
    def _send(self, value):
        if self.CTRL.TXEN:
            self.line.put(value)
            if self.CTRL.TXIE:
                self.INTSTATUS.TX = 1

    @DATA.on_posted
    def _send_many(self, values):
        self.line.put_many(bytes(v & 0xFF for v in values))

    @STATE.on_write
    def _clear_overrun(self, value):
        self.INTSTATUS = self.INTSTATUS & ~(value & 0xC)

    @INTSTATUS.on_write
    def _clear(self, value):
        self.STATE = self.STATE & ~(value & 0xC)

    @BAUDDIV.on_write
    def _baud(self, value):
        if value:
            self.line.baud = max(1, self.clock // value)

    @line.room
    def _room(self):
        return self.CTRL.RXEN and self.received.empty

    @line.received
    def _take(self, byte):
        self.received.put(byte)
        self.STATE.RXBF = 1
        if self.CTRL.RXIE:
            self.INTSTATUS.RX = 1

    def update(self):
        self.post(self.DATA, self.CTRL.TXEN and not self.CTRL.TXIE)
        self.tx.set(self.INTSTATUS.TX)
        self.rx.set(self.INTSTATUS.RX)
        self.overrun.set(self.INTSTATUS & 0xC)


class CmsdkTimer(Device, size=4 * KiB):
    """APB timer, DDI 0479 4.1: counts down from VALUE, interrupts at 0 and starts again from RELOAD."""

    clock: int = Param()
    irq = IrqOut()
    ticks = Timer()                      # ticks since VALUE was `base`

    CTRL = Reg(0x000, "Control", ENABLE=RW[0], EXTIN=RW[1], EXTCLK=RW[2], IRQEN=RW[3])
    VALUE = Reg(0x004, "Current value")
    RELOAD = Reg(0x008, "Reload value")
    INTSTATUS = Reg(0x00C, "Interrupt; 1 clears", IRQ=W1C[0])
    ID = Reg(0xFD0, "Identification", count=12, access=RO)

    def after_reset(self):
        self.ticks.hz = self.clock
        for i, value in enumerate((0x04, 0, 0, 0, 0x22, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)):
            self.ID[i] = value

    @VALUE.live
    def _value(self):
        base = self._values[self.VALUE.slot]
        return max(base - self.ticks.value, 0) if self.ticks.running else base

    def _restart(self, value: int) -> None:
        self._values[self.VALUE.slot] = value
        self.ticks.start(0)
        if value:
            self.ticks.expire_at(value)
        else:
            self.ticks.cancel()

    @VALUE.on_write
    def _set_value(self, value):
        if self.CTRL.ENABLE:
            self._restart(value)

    @RELOAD.on_write
    def _set_reload(self, value):
        if self.CTRL.ENABLE and not self._value():
            self._restart(value)

    @CTRL.on_write
    def _control(self, value, old):
        if value & 1 and not old & 1:
            self._restart(self._values[self.VALUE.slot] or int(self.RELOAD))
        elif not value & 1 and old & 1:
            now = self._value()
            self.ticks.stop()
            self.ticks.cancel()
            self._values[self.VALUE.slot] = now

    @ticks.expired
    def _zero(self):
        if self.CTRL.IRQEN:
            self.INTSTATUS.IRQ = 1
        self._restart(int(self.RELOAD))

    def update(self):
        self.irq.set(self.INTSTATUS.IRQ)
