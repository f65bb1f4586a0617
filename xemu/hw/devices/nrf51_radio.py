"""RADIO of the nRF51: its state machine and timing; the air is a Python interface. nRF51 Reference Manual 3.0, 17."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.memory import GuestFault
from xemu.hw.devices.nrf51_base import Event, Switched, Task
from xemu.hw.parts import Timer, Var
from xemu.hw.registers import RO, RW, TODO, Reg

if TYPE_CHECKING:
    from collections.abc import Callable

DISABLED, RXRU, RXIDLE, RX, RXDISABLE, TXRU, TXIDLE, TX, TXDISABLE = 0, 1, 2, 3, 4, 9, 10, 11, 12
RAMP_UP, DISABLE_TX, DISABLE_RX = 140, 6, 0     # microseconds (PS 8.5.8); reception ends at once


class Nrf51Radio(Switched):
    """RADIO. `listeners` get each packet sent, as it lies in memory; `receive(packet)` is a packet from the air."""

    clock = Timer(1_000_000)
    bits = Timer(1_000_000)                     # the bit counter of BCSTART
    packet = Var(b"")                           # being sent

    TXEN = Task(0x000, "Ramp up for sending")
    RXEN = Task(0x004, "Ramp up for receiving")
    START = Task(0x008, "Start")
    STOP = Task(0x00C, "Stop")
    DISABLE = Task(0x010, "Disable")
    RSSISTART = Task(0x014, "Measure the signal once")
    RSSISTOP = Task(0x018, "Stop measuring")
    BCSTART = Task(0x01C, "Start the bit counter")
    BCSTOP = Task(0x020, "Stop the bit counter")
    READY = Event(0x100, "Ramped up")
    ADDRESS = Event(0x104, "Address sent or received")
    PAYLOAD = Event(0x108, "Payload sent or received")
    END = Event(0x10C, "Packet sent or received")
    DISABLED = Event(0x110, "Disabled")
    DEVMATCH = Event(0x114, "A device address matched")
    DEVMISS = Event(0x118, "No device address matched")
    RSSIEND = Event(0x11C, "The signal has been measured")
    BCMATCH = Event(0x128, "The bit counter has reached BCC")
    SHORTS = Reg(0x200, "Shortcuts", READY_START=RW[0], END_DISABLE=RW[1], DISABLED_TXEN=RW[2], DISABLED_RXEN=RW[3],
                 ADDRESS_RSSISTART=RW[4], END_START=RW[5], ADDRESS_BCSTART=RW[6], DISABLED_RSSISTOP=RW[8])
    CRCSTATUS = Reg(0x400, "CRC of the packet received is right", CRCSTATUS=RO[0])
    CD = Reg(0x404, "Carrier detected", CD=RO[0])
    RXMATCH = Reg(0x408, "Logical address received on", RXMATCH=RO[2:0])
    RXCRC = Reg(0x40C, "CRC received", RXCRC=RO[23:0])
    DAI = Reg(0x410, "Device address match index", DAI=RO[2:0])
    PACKETPTR = Reg(0x504, "Address of the packet")
    FREQUENCY = Reg(0x508, "Channel: 2400 MHz + n", reset=2, FREQUENCY=RW[6:0])
    TXPOWER = Reg(0x50C, "Power", TXPOWER=RW[7:0])
    MODE = Reg(0x510, "Data rate", MODE=RW[1:0](nrf_1mbit=0, nrf_2mbit=1, nrf_250kbit=2, ble_1mbit=3))
    PCNF0 = Reg(0x514, "Packet format 0", LFLEN=RW[3:0], S0LEN=RW[8], S1LEN=RW[19:16])
    PCNF1 = Reg(0x518, "Packet format 1", MAXLEN=RW[7:0], STATLEN=RW[15:8], BALEN=RW[18:16], ENDIAN=RW[24], WHITEEN=RW[25])
    BASE = Reg(0x51C, "Base address", count=2)
    PREFIX = Reg(0x524, "Prefixes", count=2)
    TXADDRESS = Reg(0x52C, "Logical address to send to", TXADDRESS=RW[2:0])
    RXADDRESSES = Reg(0x530, "Logical addresses to receive on", ADDR=RW[7:0])
    CRCCNF = Reg(0x534, "CRC", LEN=RW[1:0], SKIPADDR=RW[8])
    CRCPOLY = Reg(0x538, "CRC polynomial", CRCPOLY=RW[23:0])
    CRCINIT = Reg(0x53C, "CRC initial value", CRCINIT=RW[23:0])
    TEST = Reg(0x540, "Test features", CONSTCARRIER=TODO[0], PLLLOCK=TODO[1])
    TIFS = Reg(0x544, "Microseconds between packets", TIFS=TODO[7:0])
    RSSISAMPLE = Reg(0x548, "Signal, -dBm", RSSISAMPLE=RO[6:0])
    STATE = Reg(0x550, "State", STATE=RO[3:0](DISABLED=0, RXRU=1, RXIDLE=2, RX=3, RXDISABLE=4, TXRU=9, TXIDLE=10, TX=11, TXDISABLE=12))
    DATAWHITEIV = Reg(0x554, "Whitening", reset=0x40, DATAWHITEIV=RW[6:0])
    BCC = Reg(0x560, "Bit counter compare")
    DAB = Reg(0x600, "Device address base", count=8)
    DAP = Reg(0x620, "Device address prefix", count=8, DAP=RW[15:0])
    DACNF = Reg(0x640, "Device address match", ENA=TODO[7:0], TXADD=TODO[15:8])
    OVERRIDE = Reg(0x724, "Trims from FICR", count=5)

    def __init__(self, **wiring: Any) -> None:
        super().__init__(**wiring)
        self.__dict__["listeners"] = []

    listeners: list[Callable[[bytes], None]]

    def _become(self, state: int, microseconds: int | None = None) -> None:
        self.STATE = state
        if microseconds is None:
            self.clock.cancel()
        else:
            self.clock.start(0)
            self.clock.expire_at(microseconds)

    @TXEN.does
    def _enable_tx(self):
        if self.STATE in (DISABLED, RXIDLE):
            self._become(TXRU, RAMP_UP)

    @RXEN.does
    def _enable_rx(self):
        if self.STATE in (DISABLED, TXIDLE):
            self._become(RXRU, RAMP_UP)

    @START.does
    def _start(self):
        if self.STATE == RXIDLE:
            self._become(RX)
        elif self.STATE == TXIDLE:
            self.packet = self._packet_in_memory()
            self._become(TX, self._time(8 + self._address_bits()))

    @STOP.does
    def _stop(self):
        if self.STATE in (RX, TX):
            self._become(self.STATE.value - 1)

    @DISABLE.does
    def _disable(self):
        if self.STATE == DISABLED:
            self.fire(self.DISABLED)
        elif self.STATE.value & 8:
            self._become(TXDISABLE, DISABLE_TX)
        else:
            self._become(RXDISABLE, DISABLE_RX)

    @RSSISTART.does
    def _measure(self):
        if self.STATE == RX and not self.RSSISAMPLE:
            self.RSSISAMPLE = 100               # nobody sends
        self.fire(self.RSSIEND)

    @BCSTART.does
    def _start_bits(self):
        self.bits.start(0)
        self.bits.expire_at(self._time(int(self.BCC)))

    @BCSTOP.does
    def _stop_bits(self):
        self.bits.cancel()

    @bits.expired
    def _bits_over(self):
        self.fire(self.BCMATCH)

    @clock.expired
    def _time_over(self):
        state = int(self.STATE)
        if state in (RXRU, TXRU):
            self._become(state + 1)
            self.fire(self.READY)
        elif state in (RXDISABLE, TXDISABLE):
            self._become(DISABLED)
            self.fire(self.DISABLED)
        elif state == TX and self.packet:
            packet, self.packet = self.packet, b""
            self._become(TX, self._time(8 * (len(packet) + self.CRCCNF.LEN)))
            self.fire(self.ADDRESS)
            for listener in self.listeners:
                listener(packet)
        elif state == TX:
            self._become(TXIDLE)
            self.fire(self.PAYLOAD)
            self.fire(self.END)

    # -- packets -------------------------------------------------------------------------------------------------------
    def _address_bits(self) -> int:
        return 8 * (int(self.PCNF1.BALEN) + 1)

    def _time(self, bits: int) -> int:
        """Return how long bits take, in microseconds."""
        return (bits, bits // 2, 4 * bits, bits)[self.MODE]

    def _header(self) -> int:
        """Return the bytes before the payload: S0, LENGTH, S1, each in a byte of its own."""
        return int(bool(self.PCNF0.S0LEN)) + int(bool(self.PCNF0.LFLEN)) + int(bool(self.PCNF0.S1LEN))

    def _packet_in_memory(self) -> bytes:
        at, header = int(self.PACKETPTR), self._header()
        try:
            start = bytes(self.machine.bus_read(at + i, 1) for i in range(header))
            length = start[int(bool(self.PCNF0.S0LEN))] & (1 << self.PCNF0.LFLEN) - 1 if self.PCNF0.LFLEN else 0
            size = min(length + self.PCNF1.STATLEN, int(self.PCNF1.MAXLEN))
            return start + bytes(self.machine.bus_read(at + header + i, 1) for i in range(size)) or b"\0"
        except GuestFault:
            self.log(f"PACKETPTR is {at:#x}, where no memory is")
            return b"\0"

    def receive(self, packet: bytes, *, signal: int = -60) -> bool:
        """Let a packet come from the air, laid out as in memory; `signal` is dBm. False if the radio does not listen."""
        if self.STATE != RX:
            return False
        self.machine.door.note("packet", self.name, (bytes(packet), signal))
        self.take_packet(packet, signal)
        return True

    def take_packet(self, packet: bytes, signal: int) -> None:
        """Receive a packet, as the door has it."""
        self.RSSISAMPLE = -signal & 0x7F
        self.fire(self.ADDRESS)
        at, space = int(self.PACKETPTR), self._header() + int(self.PCNF1.MAXLEN)
        for i, byte in enumerate(packet[:space]):
            self.machine.bus_write(at + i, 1, byte)
        self.CRCSTATUS = 1
        self._become(RXIDLE)
        self.fire(self.PAYLOAD)
        self.fire(self.END)
        self.settle()
