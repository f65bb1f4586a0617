"""Flash controller and factory information of the nRF51. nRF51 Reference Manual 3.0, 6, 7; nRF51822 PS 3.1, 8.6."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from xemu.core.memory import WRITE, GuestFault
from xemu.hw.device import Device, KiB
from xemu.hw.memory import Flash, Rom
from xemu.hw.parts import Param, Timer
from xemu.hw.registers import RO, RW, WO, Reg

if TYPE_CHECKING:
    from xemu.hw.machine import Machine

PAGE_SIZE = 1024
WRITE_TIME, ERASE_TIME = 46, 21_000        # microseconds: a word; a page or all


class Nrf51Nvmc(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """NVMC: writes words and erases pages of the flash and of UICR."""

    flash: Flash = Param()
    uicr: Flash = Param()
    busy = Timer(1_000_000)

    READY = Reg(0x400, "Ready", reset=1, READY=RO[0])
    CONFIG = Reg(0x504, "Mode", WEN=RW[1:0](read=0, write=1, erase=2))
    ERASEPAGE = Reg(0x508, "Erase the page at an address (of code region 1)", ADDRESS=WO[31:0])
    ERASEALL = Reg(0x50C, "Erase flash and UICR", ERASEALL=WO[0])
    ERASEPCR0 = Reg(0x510, "Erase a page of code region 0", ADDRESS=WO[31:0])
    ERASEUICR = Reg(0x514, "Erase UICR", ERASEUICR=WO[0])

    def start(self) -> None:
        self.flash.controller = self.uicr.controller = self

    def _take(self, microseconds: int) -> None:
        self.READY = 0
        self.busy.start(0)
        self.busy.expire_at(microseconds)

    @busy.expired
    def _done(self):
        self.READY = 1

    def flash_write(self, memory: Flash, offset: int, size: int, value: int) -> None:
        """Take a store to the flash: a word, while CONFIG says so. Anything smaller is a HardFault (6.1.1)."""
        address = memory.at + offset
        if size != 4 or offset & 3:
            self.log(f"write of {size} bytes at {address:#x}: only words can be written")
            raise GuestFault(address, WRITE, mapped=True)
        if self.CONFIG.WEN != 1:
            self.log(f"write at {address:#x} while CONFIG.WEN does not allow it: nothing is written")
        elif memory is self.flash and self.machine["power"].protects(address):
            self.log(f"write at {address:#x}, a protected block: nothing is written")
        else:
            memory.program(offset, value.to_bytes(4, "little"))
            self._take(WRITE_TIME)

    def _may_erase(self, what: str) -> bool:
        if self.CONFIG.WEN != 2:
            self.log(f"{what} while CONFIG.WEN does not allow it: nothing is erased")
        return bool(self.CONFIG.WEN == 2)

    @ERASEPAGE.on_write
    def _erase_page(self, address):
        if not self._may_erase(f"ERASEPAGE {address:#x}"):
            return
        if address >= self.flash.size or address % PAGE_SIZE:
            self.log(f"ERASEPAGE {address:#x}: no page starts there")
        elif self.machine["power"].protects(address):
            self.log(f"ERASEPAGE {address:#x}: a protected block")
        else:
            self.flash.erase(address, PAGE_SIZE)
            self._take(ERASE_TIME)

    @ERASEPCR0.on_write
    def _erase_region0(self, address):
        self._erase_page(address)

    @ERASEALL.on_write
    def _erase_all(self, value):
        if value & 1 and self._may_erase("ERASEALL"):
            self.flash.erase(0, self.flash.size)
            self.uicr.erase(0, self.uicr.size)
            self._take(ERASE_TIME)

    @ERASEUICR.on_write
    def _erase_uicr(self, value):
        if value & 1 and self._may_erase("ERASEUICR"):
            self.uicr.erase(0, self.uicr.size)
            self._take(ERASE_TIME)


class WordRom(Rom):
    """Read-only words: `words` maps offsets to values, all others are `empty`."""

    def __init__(self, *, at: int, size: int, words: dict[int, int], empty: int = 0xFFFFFFFF) -> None:
        super().__init__(at=at, size=size)
        self.words, self.empty = words, empty

    def place(self) -> None:
        super().place()
        data = b"".join(self.words.get(i, self.empty).to_bytes(4, "little") for i in range(0, self.size, 4))
        self.machine.space.poke(self.at, data)


def factory_information(m: Machine) -> dict[int, int]:
    """Return the words of FICR for an nRF51822 QFAA, revision 3; numbers that differ from chip to chip come from the seed."""
    random = Random(m.seed)
    words = {0x010: PAGE_SIZE, 0x014: 256, 0x034: 2, 0x038: 8 * KiB, 0x03C: 8 * KiB, 0x05C: 0xFFFF_0083}
    for offset in (0x060, 0x064, *range(0x080, 0x0A0, 4), 0x0A4, 0x0A8):       # DEVICEID, ER and IR, DEVICEADDR
        words[offset] = random.getrandbits(32)
    return words
