"""Programmable peripheral interconnect of the nRF51: events that start tasks. nRF51 Reference Manual 3.0, 15."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device, KiB
from xemu.hw.devices.nrf51_base import Nordic
from xemu.hw.registers import RO, RW, WO, Reg

# Channels 20 to 31 are wired (table 70 of the manual): addresses of the event and of the task.
RADIO, TIMER0, RTC0, CCM_AAR = 0x4000_1000, 0x4000_8000, 0x4000_B000, 0x4000_F000
FIXED = {
    20: (TIMER0 + 0x140, RADIO + 0x000),       # COMPARE[0] -> TXEN
    21: (TIMER0 + 0x140, RADIO + 0x004),       # COMPARE[0] -> RXEN
    22: (TIMER0 + 0x144, RADIO + 0x010),       # COMPARE[1] -> DISABLE
    23: (RADIO + 0x128, CCM_AAR + 0x000),      # BCMATCH -> AAR START
    24: (RADIO + 0x100, CCM_AAR + 0x000),      # READY -> CCM KSGEN
    25: (RADIO + 0x104, CCM_AAR + 0x004),      # ADDRESS -> CCM CRYPT
    26: (RADIO + 0x104, TIMER0 + 0x044),       # ADDRESS -> CAPTURE[1]
    27: (RADIO + 0x10C, TIMER0 + 0x048),       # END -> CAPTURE[2]
    28: (RTC0 + 0x140, RADIO + 0x000),         # COMPARE[0] -> TXEN
    29: (RTC0 + 0x140, RADIO + 0x004),         # COMPARE[0] -> RXEN
    30: (RTC0 + 0x140, TIMER0 + 0x00C),        # COMPARE[0] -> CLEAR
    31: (RTC0 + 0x140, TIMER0 + 0x000),        # COMPARE[0] -> START
}
CHANNELS = 0xFFF0_FFFF


class Nrf51Ppi(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """PPI: 16 channels to program, 12 wired ones, 4 groups."""

    _peripherals: dict[int, Any]
    _routes: tuple[list[int], dict[int, list[int]]]        # registers, and what follows from them

    EN = Reg(0x000, "Enable a channel group", count=4, stride=8, TASK=WO[0])
    DIS = Reg(0x004, "Disable a channel group", count=4, stride=8, TASK=WO[0])
    CHEN = Reg(0x500, "Channel enable", LOW=RW[15:0], FIXED=RW[31:20])
    CHENSET = Reg(0x504, "Channel enable; 1 sets", access=RO)
    CHENCLR = Reg(0x508, "Channel enable; 1 clears", access=RO)
    EEP = Reg(0x510, "Channel's event address", count=16, stride=8)
    TEP = Reg(0x514, "Channel's task address", count=16, stride=8)
    CHG = Reg(0x800, "Channel group", count=4, LOW=RW[15:0], FIXED=RW[31:20])

    @CHENSET.computed
    def _enabled(self):
        return self.CHEN

    @CHENCLR.computed
    def _enabled_too(self):
        return self.CHEN

    @CHEN.on_write
    def _changed(self, _value):
        self._rewired()

    @CHENSET.on_write
    def _set_channels(self, value):
        self.CHEN |= value & CHANNELS
        self._rewired()

    @CHENCLR.on_write
    def _clear_channels(self, value):
        self.CHEN &= ~value
        self._rewired()

    @EEP.on_write
    def _event_end(self, _index, _value):
        self._rewired()

    @EN.on_write
    def _enable_group(self, index, value):
        if value & 1:
            self._set_channels(int(self.CHG[index]))

    @DIS.on_write
    def _disable_group(self, index, value):
        if value & 1:
            self._clear_channels(int(self.CHG[index]))

    def start(self) -> None:
        found = {p.at: p for p in self.machine.parts.values() if isinstance(p, (Nordic, Nrf51Ppi))}
        self.__dict__.update(_peripherals=found, _routes=([], {}))

    def trigger(self, offset: int) -> None:
        """Start a task: enable or disable a group."""
        if offset < 0x20:
            (self._disable_group if offset & 4 else self._enable_group)(offset >> 3, 1)

    def _rewired(self) -> None:
        """Peripherals that plan events only where somebody listens think again."""
        for part in self.machine.parts.values():
            if isinstance(part, Nordic) and "ppi" in part.watches:
                part.settle()

    def routes(self) -> dict[int, list[int]]:
        """Return the tasks that enabled channels start, by the event; made anew after each change of the registers."""
        first, last = self._places[0x500], self._places[0x58C]
        state = self._values[first:last + 1]
        if self._routes[0] != state:
            channels = int(self.CHEN)
            routes: dict[int, list[int]] = {}
            for n in (n for n in (*range(16), *FIXED) if channels >> n & 1):
                event, task = (int(self.EEP[n]), int(self.TEP[n])) if n < 16 else FIXED[n]
                routes.setdefault(event, []).append(task)
            self.__dict__["_routes"] = state, routes
        return self._routes[1]

    def listens(self, event: int) -> bool:
        """Whether an enabled channel starts from the event at this address."""
        return bool(self._values[self._places[0x500]]) and event in self.routes()

    def happened(self, event: int) -> None:
        """Start the tasks of all enabled channels that have this event."""
        if self._values[self._places[0x500]]:
            for task in self.routes().get(event, ()):
                self._start_task(task)

    def _start_task(self, address: int) -> None:
        part = self._peripherals.get(address & ~0xFFF)
        if part is None:
            self.log(f"a channel starts a task at {address:#x}, where no peripheral is")
            return
        part.trigger(address & 0xFFF)
        part.settle()
