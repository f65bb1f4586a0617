"""Peripherals of Arm's Cortex-M System Design Kit: UART and timers. Technical Reference Manual, Arm DDI 0479."""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.devices.countdown import Countdown
from xemu.hw.parts import Fifo, IrqOut, Param, SerialPort
from xemu.hw.registers import RO, RW, TODO, W1C, WO, Reg


def identification(part: int) -> tuple[int, ...]:
    """Return PID4-7, PID0-3 and CID0-3 of the kit's component with part number 0x800 + `part`."""
    return (0x04, 0, 0, 0, part, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)


class Cmsdk(Device, size=4 * KiB):
    """What the kit's components share: identification registers."""

    part: int = Param(0)                 # each class gives its own default

    ID = Reg(0xFD0, "Identification: PID4-7, PID0-3, CID0-3", count=12, access=RO)

    def after_reset(self):
        for i, value in enumerate(identification(self.part)):
            self.ID[i] = value


class CmsdkUart(Cmsdk, sizes=(1, 2, 4)):
    """APB UART, DDI 0479 4.3. One byte of buffer each way; a byte leaves at once where the transmitter is on."""

    part: int = Param(0x21)
    clock: int = Param()
    rx, tx, overrun = IrqOut(), IrqOut(), IrqOut()
    line = SerialPort()
    received, waiting = Fifo(1), Fifo(1)

    DATA = Reg(0x000, "Data", VALUE=RW[7:0])
    STATE = Reg(0x004, "Status", TXBF=RO[0], RXBF=RO[1], TXOV=W1C[2], RXOV=W1C[3])
    CTRL = Reg(0x008, "Control", TXEN=RW[0], RXEN=RW[1], TXIE=RW[2], RXIE=RW[3], TXOVIE=RW[4], RXOVIE=RW[5], HSTM=RW[6])
    INTSTATUS = Reg(0x00C, "Interrupt status; 1 clears", TX=W1C[0], RX=W1C[1], TXOV=W1C[2], RXOV=W1C[3])
    BAUDDIV = Reg(0x010, "Baud rate divider", VALUE=RW[19:0])

    @DATA.computed
    def _front(self):
        return self.received.front()

    @DATA.on_read
    def _pop(self):
        self.received.pop()
        self.STATE.RXBF = 0

    @DATA.on_write
    def _send(self, value):
        if self.waiting.full:
            self.STATE.TXOV = 1
            if self.CTRL.TXOVIE:
                self.INTSTATUS.TXOV = 1
        self.waiting.clear()
        self.waiting.put(value & 0xFF)
        self._transmit()

    def _transmit(self) -> None:
        if self.CTRL.TXEN and self.waiting.full and not self.line.queued:
            self.line.put(self.waiting.pop())
            if self.CTRL.TXIE:
                self.INTSTATUS.TX = 1
        self.STATE.TXBF = self.waiting.full

    @CTRL.on_write
    def _control(self, _value):
        self._transmit()

    @line.sent
    def _sent(self):
        self._transmit()

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
        if value & 0xFFFFF:
            self.line.baud = max(1, self.clock // (value & 0xFFFFF))

    @line.room
    def _room(self):
        return self.CTRL.RXEN and self.received.empty

    @line.received
    def _take(self, byte):
        self.received.put(byte)
        self.STATE.RXBF = 1
        if self.CTRL.RXIE:
            self.INTSTATUS.RX = 1

    @line.overrun
    def _overrun(self):
        if self.CTRL.RXEN:
            self.STATE.RXOV = 1
            if self.CTRL.RXOVIE:
                self.INTSTATUS.RXOV = 1
        return self.CTRL.RXEN

    def update(self):
        self.post(self.DATA, self.CTRL.TXEN and not self.CTRL.TXIE)
        self.quiet(self.DATA, self.received.empty)
        self.tx.set(self.INTSTATUS.TX)
        self.rx.set(self.INTSTATUS.RX)
        self.overrun.set(self.INTSTATUS & 0xC)


class CmsdkTimer(Cmsdk):
    """APB timer, DDI 0479 4.1: counts down, interrupts when it comes to 0 and shows RELOAD a tick later."""

    part: int = Param(0x22)
    clock: int = Param()
    irq = IrqOut()
    counter = Countdown()

    CTRL = Reg(0x000, "Control", ENABLE=RW[0], EXTIN=TODO[1], EXTCLK=TODO[2], IRQEN=RW[3])
    VALUE = Reg(0x004, "Current value")
    RELOAD = Reg(0x008, "Reload value; a write sets the current value too")
    INTSTATUS = Reg(0x00C, "Interrupt; 1 clears", IRQ=W1C[0])

    def after_reset(self):
        super().after_reset()
        self.counter.hz = self.clock
        self.counter.top = 0

    @VALUE.counts
    def _value(self):
        return self.counter.shown()

    @VALUE.on_write
    def _set_value(self, value):
        self.counter.put(value)

    @RELOAD.on_write
    def _set_reload(self, value):
        self.counter.top = value
        self.counter.put(value)

    @CTRL.on_write
    def _control(self, value, old):
        if value & 1 and not old & 1:
            self.counter.start()
        elif not value & 1:
            self.counter.stop()

    @counter.zero
    def _zero(self):
        if self.CTRL.IRQEN:
            self.INTSTATUS.IRQ = 1

    def update(self):
        self.irq.set(self.INTSTATUS.IRQ)


class CmsdkDualTimer(Cmsdk):
    """APB dual-input timers, DDI 0479 4.2: two down-counters of 16 or 32 bits with prescalers (PrimeCell SP804's registers)."""

    part: int = Param(0x23)
    clock: int = Param()
    irq, irq1, irq2 = IrqOut(), IrqOut(), IrqOut()
    counter1, counter2 = Countdown(), Countdown()

    LOAD = Reg(0x00, "Load: a write starts from it", count=2, stride=0x20)
    VALUE = Reg(0x04, "Current value", reset=0xFFFFFFFF, count=2, stride=0x20, access=RO)
    CONTROL = Reg(0x08, "Control", reset=0x20, count=2, stride=0x20, ONESHOT=RW[0], SIZE=RW[1](bits16=0, bits32=1),
                  PRESCALE=RW[3:2](by_1=0, by_16=1, by_256=2), INTEN=RW[5], PERIODIC=RW[6], ENABLE=RW[7])
    INTCLR = Reg(0x0C, "Interrupt clear", count=2, stride=0x20, access=WO)
    RIS = Reg(0x10, "Raw interrupt status", count=2, stride=0x20, RIS=RO[0])
    MIS = Reg(0x14, "Masked interrupt status", count=2, stride=0x20, MIS=RO[0])
    BGLOAD = Reg(0x18, "Background load: counts from it after the next zero", count=2, stride=0x20)
    ITCR = Reg(0xF00, "Integration test control", ITEN=TODO[0])
    ITOP = Reg(0xF04, "Integration test output", INT1=WO[0], INT2=WO[1])

    def after_reset(self):
        super().after_reset()
        for counter in (self.counter1, self.counter2):
            counter.hz = self.clock
            counter.put(0xFFFFFFFF)

    def _counter(self, i: int):
        return self.counter2 if i else self.counter1

    @VALUE.counts
    def _value(self, i):
        return self._counter(i).shown()

    def _mode(self, i: int) -> None:
        """Have what follows zero agree with mode, size and load value."""
        control, counter = self.CONTROL[i], self._counter(i)
        mask = 0xFFFFFFFF if control.SIZE else 0xFFFF
        if counter.left > mask:
            counter.put(counter.left & mask)
        top = None if control.ONESHOT else self.LOAD[i] & mask if control.PERIODIC else mask
        if top != counter.top:
            counter.top = top

    @LOAD.on_write
    def _load(self, i, value):
        self.BGLOAD[i] = value
        self._mode(i)
        self._counter(i).put(value & (0xFFFFFFFF if self.CONTROL[i].SIZE else 0xFFFF))

    @BGLOAD.on_write
    def _background_load(self, i, value):
        self.LOAD[i] = value
        self._mode(i)

    @CONTROL.on_write
    def _control(self, i, value):
        counter = self._counter(i)
        counter.divide = (1, 16, 256, 256)[value >> 2 & 3]
        self._mode(i)
        if not value & 0x80:
            counter.stop()
        elif not counter.running:
            counter.start()

    @INTCLR.on_write
    def _clear(self, i, _value):
        self.RIS[i] = 0

    @counter1.zero
    def _zero1(self):
        self.RIS[0] = 1

    @counter2.zero
    def _zero2(self):
        self.RIS[1] = 1

    @MIS.computed
    def _masked(self, i):
        return self.RIS[i] & self.CONTROL[i] >> 5

    def update(self):
        first, second = self._masked(0), self._masked(1)
        self.irq1.set(first)
        self.irq2.set(second)
        self.irq.set(first | second)
