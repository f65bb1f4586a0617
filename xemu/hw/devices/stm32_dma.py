"""DMA of the STM32F405. RM0090, chapter 10. A request moves one item; the FIFO and bursts only show in the registers."""

from __future__ import annotations

from typing import Any

from xemu.core.memory import GuestFault
from xemu.hw.device import BusError
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Param, Timer, Var, Wire
from xemu.hw.registers import RO, RW, Reg

FEIF, DMEIF, TEIF, HTIF, TCIF = 1, 4, 8, 16, 32
SHIFTS = (0, 6, 16, 22)                        # of a stream's flags in LISR and HISR
STREAMS = range(8)
PERIPHERAL_TO_MEMORY, MEMORY_TO_PERIPHERAL, MEMORY_TO_MEMORY = range(3)
ITEMS = 32                                     # moved at most before the CPU goes on
BEATS = 2                                      # for an item


class Request(Wire):
    """The request line of a peripheral at a stream and channel."""

    def __init__(self, dma: Dma, stream: int, channel: int) -> None:
        super().__init__(f"{dma.name}.{stream}.{channel}", self._changed)
        self.dma, self.stream, self.channel = dma, stream, channel

    def _changed(self, level: bool) -> None:
        if level:
            self.dma.requested(self.stream, self.channel)

    def listens(self) -> bool:
        """Whether the stream is on and has chosen this channel."""
        cr = self.dma.CR[self.stream]
        return bool(cr.EN) and self.channel == cr.CHSEL


def remaining(wire: Wire) -> int:
    """Return how many items the stream behind a request line has still to move, 0 when it does not listen to it."""
    return int(wire.dma.NDTR[wire.stream]) if isinstance(wire, Request) and wire.listens() else 0


class Dma(Clocked, size=0x400):
    """DMA controller with eight streams, 10.5. `memory_to_memory`: DMA2 only; `unreachable`: (start, end) of the CCM."""

    irq0, irq1, irq2, irq3, irq4, irq5, irq6, irq7 = (IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut())
    memory_to_memory: bool = Param(False)
    unreachable: tuple[int, int] = Param((0x1000_0000, 0x1001_0000))
    lines: dict[Any, Request] = Param(None)
    work = Timer()
    pending = Var(0)                           # streams with a request to serve
    count: list[int] = Var([0] * 8)            # type: ignore[assignment]  # NDTR when the stream started
    peripheral: list[int] = Var([0] * 8)       # type: ignore[assignment]  # addresses of the next items
    memory: list[int] = Var([0] * 8)           # type: ignore[assignment]
    held: list[bytes] = Var([b""] * 8)         # type: ignore[assignment]  # bytes between the two sides

    LISR = Reg(0x00, "Low interrupt status", access=RO)
    HISR = Reg(0x04, "High interrupt status", access=RO)
    LIFCR = Reg(0x08, "Low interrupt flag clear")
    HIFCR = Reg(0x0C, "High interrupt flag clear")
    CR = Reg(0x10, "Stream configuration", count=8, stride=0x18, EN=RW[0], DMEIE=RW[1], TEIE=RW[2], HTIE=RW[3], TCIE=RW[4], PFCTRL=RW[5],
             DIR=RW[7:6], CIRC=RW[8], PINC=RW[9], MINC=RW[10], PSIZE=RW[12:11], MSIZE=RW[14:13], PINCOS=RW[15], PL=RW[17:16], DBM=RW[18],
             CT=RW[19], PBURST=RW[22:21], MBURST=RW[24:23], CHSEL=RW[27:25])
    NDTR = Reg(0x14, "Number of data", count=8, stride=0x18, NDT=RW[15:0])
    PAR = Reg(0x18, "Peripheral address", count=8, stride=0x18)
    M0AR = Reg(0x1C, "Memory 0 address", count=8, stride=0x18)
    M1AR = Reg(0x20, "Memory 1 address", count=8, stride=0x18)
    FCR = Reg(0x24, "FIFO control", count=8, stride=0x18, reset=0x21, FTH=RW[1:0], DMDIS=RW[2], FS=RO[5:3], FEIE=RW[7])

    def request(self, stream: int, channel: int) -> Request:
        """Return the line for a peripheral's requests."""
        self.lines = self.lines or {}
        if (stream, channel) not in self.lines:
            self.lines[stream, channel] = Request(self, stream, channel)
        return self.lines[stream, channel]

    def after_reset(self):
        self.work.hz = self.machine.rate
        self.work.start(0)

    # -- requests ------------------------------------------------------------------------------------------------------------------
    def requested(self, stream: int, channel: int) -> None:
        """A request line goes high."""
        if self.lines[stream, channel].listens() and self.CR[stream].DIR != MEMORY_TO_MEMORY:
            self.pending |= 1 << stream
            self._soon()

    def _soon(self) -> None:
        if self.work.goal is None:
            self.work.after(BEATS)

    def _asked(self, stream: int) -> bool:
        """Whether a stream's request line is high."""
        cr = self.CR[stream]
        if cr.DIR == MEMORY_TO_MEMORY:
            return True
        line = (self.lines or {}).get((stream, int(cr.CHSEL)))
        return line is not None and bool(line.high)

    @work.expired
    def _work(self):
        for _ in range(ITEMS):
            ready = [n for n in STREAMS if self.pending >> n & 1]
            if not ready:
                return
            stream = max(ready, key=lambda n: (self.CR[n].PL, -n))
            self.pending &= ~(1 << stream)
            self._item(stream)
            if self.CR[stream].EN and self._asked(stream):
                self.pending |= 1 << stream
        if self.pending:
            self.work.after(ITEMS * BEATS)

    # -- streams -------------------------------------------------------------------------------------------------------------------
    @CR.on_write
    def _control(self, stream, value, old):
        if not value & 1:
            self.pending &= ~(1 << stream)
            if old & 1:
                self._flush(stream)
                self._raise(stream, TCIF)                # 10.3.16: a stream that is switched off says that it has ended
            return
        if old & 1:
            self.CR[stream] = old & ~0x1E | value & 0x1E          # only the interrupt enables may change
            return
        if not self.NDTR[stream]:
            self.CR[stream].EN = 0
            return
        if self.CR[stream].DIR == MEMORY_TO_MEMORY and not self.memory_to_memory:
            self.log(f"stream {stream}: only DMA2 copies from memory to memory")
            self._error(stream)
            return
        self.count[stream] = int(self.NDTR[stream])
        self._rewind(stream)
        if self._asked(stream):
            self.pending |= 1 << stream
            self._soon()

    def _rewind(self, stream: int) -> None:
        cr = self.CR[stream]
        self.peripheral[stream] = int(self.PAR[stream])
        self.memory[stream] = int((self.M1AR if cr.DBM and cr.CT else self.M0AR)[stream])
        self.held[stream] = b""

    def _item(self, stream: int) -> None:
        """Move one item of the peripheral's size (10.3.10: NDTR counts those)."""
        try:
            if self.CR[stream].DIR == MEMORY_TO_PERIPHERAL:
                self._from_memory(stream)
            else:
                self._to_memory(stream)
        except (GuestFault, BusError) as e:
            self.log(f"stream {stream}: transfer error: {e}")
            self._error(stream)
            return
        left = int(self.NDTR[stream]) - 1
        self.NDTR[stream] = left
        if left == self.count[stream] // 2 and left:
            self._raise(stream, HTIF)
        if not left:
            self._ended(stream)

    def _ended(self, stream: int) -> None:
        cr = self.CR[stream]
        self._flush(stream)
        if cr.CIRC or cr.DBM:
            if cr.DBM:
                cr.CT = not cr.CT
            self.NDTR[stream] = self.count[stream]
            self._rewind(stream)
        else:
            cr.EN = 0
        self._raise(stream, TCIF)

    def _error(self, stream: int) -> None:
        self.CR[stream].EN = 0
        self._raise(stream, TEIF)

    def _sizes(self, stream: int) -> tuple[int, int]:
        """Return the sizes of an item in bytes: peripheral's, memory's (the same in direct mode, 10.3.12)."""
        cr, size = self.CR[stream], 1 << self.CR[stream].PSIZE
        return size, 1 << cr.MSIZE if self.FCR[stream].DMDIS or cr.DIR == MEMORY_TO_MEMORY else size

    def _reach(self, address: int) -> int:
        if self.unreachable[0] <= address < self.unreachable[1]:
            msg = f"{address:#x} is in memory that only the CPU reaches"
            raise BusError(msg)
        return address

    def _to_memory(self, stream: int) -> None:
        cr, (size, memory_size) = self.CR[stream], self._sizes(stream)
        value = self.machine.bus_read(self._reach(self.peripheral[stream]), size)
        self.held[stream] += value.to_bytes(size, "little")
        self.peripheral[stream] += (4 if cr.PINCOS else size) if cr.PINC else 0
        while len(self.held[stream]) >= memory_size:
            self._store(stream, memory_size)

    def _store(self, stream: int, size: int) -> None:
        data, self.held[stream] = self.held[stream][:size], self.held[stream][size:]
        self.machine.bus_write(self._reach(self.memory[stream]), size, int.from_bytes(data, "little"))
        self.memory[stream] += size if self.CR[stream].MINC else 0

    def _from_memory(self, stream: int) -> None:
        cr, (size, memory_size) = self.CR[stream], self._sizes(stream)
        while len(self.held[stream]) < size:
            value = self.machine.bus_read(self._reach(self.memory[stream]), memory_size)
            self.held[stream] += value.to_bytes(memory_size, "little")
            self.memory[stream] += memory_size if cr.MINC else 0
        data, self.held[stream] = self.held[stream][:size], self.held[stream][size:]
        self.machine.bus_write(self._reach(self.peripheral[stream]), size, int.from_bytes(data, "little"))
        self.peripheral[stream] += (4 if cr.PINCOS else size) if cr.PINC else 0

    def _flush(self, stream: int) -> None:
        """Write what is left between the two sides."""
        while self.held[stream] and self.CR[stream].DIR != MEMORY_TO_PERIPHERAL:
            self._store(stream, 1)

    # -- flags -----------------------------------------------------------------------------------------------------------------------
    def _raise(self, stream: int, flag: int) -> None:
        view = self.HISR if stream > 3 else self.LISR
        view.value |= flag << SHIFTS[stream & 3]

    @LIFCR.on_write
    def _clear_low(self, value):
        self.LISR = self.LISR & ~value
        self.LIFCR = 0

    @HIFCR.on_write
    def _clear_high(self, value):
        self.HISR = self.HISR & ~value
        self.HIFCR = 0

    def update(self):
        outs = (self.irq0, self.irq1, self.irq2, self.irq3, self.irq4, self.irq5, self.irq6, self.irq7)
        for stream, out in enumerate(outs):
            flags = int(self.HISR if stream > 3 else self.LISR) >> SHIFTS[stream & 3]
            enables = int(self.CR[stream]) & 0x1E          # DMEIE 1, TEIE 2, HTIE 3, TCIE 4: a bit below their flags
            out.set(flags & enables << 1 or (flags & FEIF and self.FCR[stream].FEIE))
