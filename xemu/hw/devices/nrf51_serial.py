"""Serial peripherals of the nRF51: UART, and the SPI and TWI masters. nRF51 Reference Manual 3.0, 26, 28, 29."""

from __future__ import annotations

from typing import Any

from xemu.hw.devices.nrf51_base import HFCLK, Event, Switched, Task, disconnected
from xemu.hw.parts import Fifo, Param, SerialPort, Timer, Var
from xemu.hw.registers import RO, RW, TODO, W1C, WO, Reg

NO_PIN = 0xFFFFFFFF


class Nrf51Uart(Switched):
    """UART with a receive FIFO of six bytes."""

    line = SerialPort()
    received = Fifo(6)
    sending, receiving = Var(default=False), Var(default=False)

    STARTRX = Task(0x000, "Start receiving")
    STOPRX = Task(0x004, "Stop receiving")
    STARTTX = Task(0x008, "Start sending")
    STOPTX = Task(0x00C, "Stop sending")
    SUSPEND = Task(0x01C, "Suspend")
    CTS = Event(0x100, "CTS is low")
    NCTS = Event(0x104, "CTS is high")
    RXDRDY = Event(0x108, "A byte is in RXD")
    TXDRDY = Event(0x11C, "A byte has been sent")
    ERROR = Event(0x124, "Error")
    RXTO = Event(0x144, "Receiving has stopped")
    SHORTS = Reg(0x200, "Shortcuts", CTS_STARTRX=RW[3], NCTS_STOPRX=RW[4])
    ERRORSRC = Reg(0x480, "Errors; 1 clears", OVERRUN=W1C[0], PARITY=W1C[1], FRAMING=W1C[2], BREAK=W1C[3])
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[2:0](disabled=0, enabled=4))
    PSELRTS = Reg(0x508, "Pin of RTS", reset=NO_PIN)
    PSELTXD = Reg(0x50C, "Pin of TXD", reset=NO_PIN)
    PSELCTS = Reg(0x510, "Pin of CTS", reset=NO_PIN)
    PSELRXD = Reg(0x514, "Pin of RXD", reset=NO_PIN)
    RXD = Reg(0x518, "Received byte", RXD=RO[7:0])
    TXD = Reg(0x51C, "Byte to send", TXD=WO[7:0])
    BAUDRATE = Reg(0x524, "Bits per second * 2^32 / 16 MHz", reset=0x0400_0000)
    CONFIG = Reg(0x56C, "Format", HWFC=RW[0], PARITY=TODO[3:1])

    @STARTTX.does
    def _start_tx(self):
        self.sending = True

    @STOPTX.does
    def _stop_tx(self):
        self.sending = False

    @STARTRX.does
    def _start_rx(self):
        self.receiving = True

    @STOPRX.does
    def _stop_rx(self):
        if self.receiving:
            self.receiving = False
            self.fire(self.RXTO)

    @SUSPEND.does
    def _suspend(self):
        self.sending = False
        self._stop_rx()

    @ENABLE.on_write
    def _enable(self, value):
        if value != 4:
            self.received.clear()

    @TXD.on_write
    def _send(self, value):
        """Send a byte; where that takes no time the event is there at once. Without a pin nothing comes out."""
        if not self.sending or self.ENABLE != 4 or self.line.queued:
            return
        if not disconnected(int(self.PSELTXD)):
            self.line.put(value & 0xFF)
        elif value & 0xFF:
            self.log("a byte is sent while PSELTXD selects no pin: it is lost")
        if not self.line.queued:
            self.fire(self.TXDRDY)

    @line.sent
    def _sent(self):
        self.fire(self.TXDRDY)

    @BAUDRATE.on_write
    def _baud(self, value):
        self.line.baud = max(value * HFCLK >> 32, 1)

    @RXD.on_read
    def _next(self):
        """Reading RXD makes room: the next byte moves up from the FIFO with its own event."""
        self.received.pop()
        if not self.received.empty:
            self._move_up()

    def _move_up(self) -> None:
        self.RXD = self.received.front()
        self.fire(self.RXDRDY)

    @line.room
    def _room(self):
        return self.receiving and self.ENABLE == 4 and not self.received.full

    @line.received
    def _take(self, byte):
        self.received.put(byte)
        if len(self.received) == 1:
            self._move_up()

    @line.overrun
    def _overrun(self):
        if self.receiving and self.ENABLE == 4:
            self.ERRORSRC.OVERRUN = 1
            self.fire(self.ERROR)
        return self.receiving


SPI, TWI = 1, 5                                 # values of ENABLE
IDLE, WRITING, READING = 0, 1, 2                # what the TWI does
ADDRESS_BYTE, DATA_BYTE, STOP_BIT = 1, 2, 3     # what is on its lines now


class Nrf51TwiSpi(Switched):
    """TWI and SPI masters at one address: ENABLE says which works.

    `slaves`: I2C parts (see I2cSlave); `spi`: a function from the byte sent to the byte that comes back.
    """

    slaves: tuple[Any, ...] = Param(())
    spi: Any = Param(None)
    clock = Timer(HFCLK)
    sending = Fifo(2)                           # SPI: bytes being sent and waiting
    answers = Fifo(2)                           # SPI: bytes received
    mode, phase, chosen = Var(IDLE), Var(0), Var(-1)      # TWI; `chosen`: index of the slave that has answered
    suspended, stopping = Var(default=False), Var(default=False)
    outgoing = Var(-1)                          # TWI: the byte in TXD that waits
    unread = Var(default=False)                 # TWI: RXD holds a byte
    last = Var(0)                               # TWI: what RXD reads as

    STARTRX = Task(0x000, "TWI: start reading")
    STARTTX = Task(0x008, "TWI: start writing")
    STOP = Task(0x014, "TWI: stop")
    SUSPEND = Task(0x01C, "TWI: suspend")
    RESUME = Task(0x020, "TWI: resume")
    STOPPED = Event(0x104, "TWI: stopped")
    RXDREADY = Event(0x108, "TWI: byte received; SPI: byte sent and received")
    TXDSENT = Event(0x11C, "TWI: byte sent")
    ERROR = Event(0x124, "TWI: error")
    BB = Event(0x138, "TWI: byte boundary")
    SUSPENDED = Event(0x148, "TWI: suspended")
    SHORTS = Reg(0x200, "Shortcuts", BB_SUSPEND=RW[0], BB_STOP=RW[1])
    ERRORSRC = Reg(0x4C4, "TWI: errors; 1 clears", OVERRUN=W1C[0], ANACK=W1C[1], DNACK=W1C[2])
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[2:0](disabled=0, spi=1, spis=2, twi=5))
    PSELSCL = Reg(0x508, "Pin of SCL or SCK", reset=NO_PIN)
    PSELSDA = Reg(0x50C, "Pin of SDA or MOSI", reset=NO_PIN)
    PSELMISO = Reg(0x510, "Pin of MISO", reset=NO_PIN)
    RXD = Reg(0x518, "Received byte", RXD=RO[7:0])
    TXD = Reg(0x51C, "Byte to send", TXD=RW[7:0])
    FREQUENCY = Reg(0x524, "Bits per second * 2^32 / 16 MHz", reset=0x0400_0000)
    CONFIG = Reg(0x554, "SPI: format", ORDER=RW[0], CPHA=RW[1], CPOL=RW[2])
    ADDRESS = Reg(0x588, "TWI: address of the slave", ADDRESS=RW[6:0])

    def after_reset(self):
        self.clock.start(0)

    def _after_bits(self, bits: int) -> None:
        frequency = max(self.FREQUENCY.value * HFCLK >> 32, 1000)
        self.clock.after(bits * HFCLK // frequency)

    @ENABLE.on_write
    def _enable(self, value):
        if value == 2:
            self.log("the SPI slave is not modelled")
        if value not in (SPI, TWI):
            self.clock.cancel()
            self.sending.clear()
            self.answers.clear()
            self.mode, self.phase, self.outgoing, self.unread, self.suspended, self.stopping = IDLE, 0, -1, False, False, False

    @TXD.on_write
    def _write_byte(self, value):
        if self.ENABLE == SPI:
            if self.sending.put(value & 0xFF) and len(self.sending) == 1:
                self._after_bits(8)
        elif self.ENABLE == TWI:
            self.outgoing = value & 0xFF
            self._go_on()

    @RXD.computed
    def _byte(self):
        return self.answers.front(self.last) if self.ENABLE == SPI else self.last

    @RXD.on_read
    def _read_byte(self):
        if self.ENABLE == SPI:
            self.last = self.answers.pop(self.last)
            if not self.answers.empty:
                self.fire(self.RXDREADY)
        else:
            self.unread = False
            self._go_on()

    @clock.expired
    def _clocked(self):
        if self.ENABLE == SPI:
            self._exchanged()
        else:
            phase, self.phase = self.phase, 0
            (self._addressed if phase == ADDRESS_BYTE else self._transferred if phase == DATA_BYTE else self._stopped)()

    def _exchanged(self) -> None:
        """SPI: a byte has gone out and one has come in; RXD holds one, one more waits, further ones are lost."""
        byte = self.sending.pop()
        self.answers.put(self.spi(byte) & 0xFF if self.spi else 0)
        if not self.sending.empty:
            self._after_bits(8)
        if len(self.answers) == 1:
            self.fire(self.RXDREADY)

    # -- TWI ---------------------------------------------------------------------------------------------------------
    def _begin(self, mode: int) -> None:
        """(Repeated) start condition and address."""
        if self.ENABLE == TWI:
            self.mode, self.phase, self.suspended, self.stopping, self.unread = mode, ADDRESS_BYTE, False, False, False
            self._after_bits(10)

    @STARTRX.does
    def _start_rx(self):
        self._begin(READING)

    @STARTTX.does
    def _start_tx(self):
        self._begin(WRITING)

    @STOP.does
    def _stop(self):
        if self.ENABLE == TWI:
            self.stopping, self.suspended = True, False
            self._go_on()

    @SUSPEND.does
    def _suspend(self):
        if not self.suspended and self.mode != IDLE:
            self.suspended = True
            self.fire(self.SUSPENDED)

    @RESUME.does
    def _resume(self):
        self.suspended = False
        self._go_on()

    def _slave(self) -> Any:
        return self.slaves[self.chosen] if self.chosen >= 0 else None

    def _addressed(self) -> None:
        found = [i for i, s in enumerate(self.slaves) if s.i2c_address == self.ADDRESS.value]
        self.chosen = found[0] if found else -1
        if found:
            self._slave().begin(reading=self.mode == READING)
            self._go_on()
        else:
            self._refused("ANACK")

    def _refused(self, why: str) -> None:
        """Nobody acknowledges: the master waits for STOP."""
        self.mode, self.outgoing = IDLE, -1
        setattr(self.ERRORSRC, why, 1)
        self.fire(self.ERROR)
        if self.stopping:
            self._go_on()

    def _go_on(self) -> None:
        """Start what comes next on the lines, if they are free and nothing holds it back."""
        if self.phase or self.suspended:
            return
        if self.mode == WRITING and self.outgoing >= 0:
            self._begin_phase(DATA_BYTE, 9)
        elif self.stopping:
            self._begin_phase(STOP_BIT, 1)
        elif self.mode == READING and not self.unread:
            self._begin_phase(DATA_BYTE, 9)

    def _begin_phase(self, phase: int, bits: int) -> None:
        self.phase = phase
        self._after_bits(bits)

    def _transferred(self) -> None:
        """A data byte is over."""
        if self.mode == READING:
            self.last, self.unread = self._slave().get() & 0xFF, True
            self.fire(self.RXDREADY)
        else:
            byte, self.outgoing = self.outgoing, -1
            if not self._slave().put(byte):
                self._refused("DNACK")
                return
            self.fire(self.TXDSENT)
        self.fire(self.BB)
        self._go_on()

    def _stopped(self) -> None:
        if self.chosen >= 0:
            self._slave().end()
        self.mode, self.chosen, self.stopping = IDLE, -1, False
        self.fire(self.STOPPED)
