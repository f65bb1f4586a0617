"""Flash interface of the STM32F405. RM0090, chapter 3.

Programming and erasing change the memory at once; BSY stays set for `PROGRAM_US` or `ERASE_US`, which is shorter than
hardware's erase times (up to 16 s), so that nobody waits for them.
"""

from __future__ import annotations

from typing import Any

from xemu.hw.device import BusError, KiB
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, W1C, W1S, WO, Reg

SECTORS = [16 * KiB] * 4 + [64 * KiB] + [128 * KiB] * 7           # 3.3, Table 5
KEYS = (0x45670123, 0xCDEF89AB)
OPTION_KEYS = (0x08192A3B, 0x4C5D6E7F)
PROGRAM_US, ERASE_US = 16, 1000
OTP, OTP_LOCKS, OTP_END = 0x7800, 0x7A00, 0x7A10                  # in the system memory, from 0x1FFF0000


class FlashController(Clocked, size=0x400):
    """FLASH. `main`, `system` and `options`: the memories it controls. `uid`: 96 bits; calibration: 16-bit values."""

    irq = IrqOut()
    main: Any = Param()
    system: Any = Param()
    options: Any = Param()
    uid: bytes = Param(bytes.fromhex("2b0031000f51373337353330"))
    busy = Timer(1_000_000)
    keys_seen: list[int] = Var([])         # type: ignore[assignment]
    option_keys_seen: list[int] = Var([])  # type: ignore[assignment]
    dead = Var(False)                      # a wrong key: locked until reset

    ACR = Reg(0x00, "Access control", LATENCY=RW[2:0], PRFTEN=RW[8], ICEN=RW[9], DCEN=RW[10], ICRST=RW[11], DCRST=RW[12])
    KEYR = Reg(0x04, "Key", access=WO)
    OPTKEYR = Reg(0x08, "Option key", access=WO)
    SR = Reg(0x0C, "Status", EOP=W1C[0], OPERR=W1C[1], WRPERR=W1C[4], PGAERR=W1C[5], PGPERR=W1C[6], PGSERR=W1C[7], BSY=RO[16])
    CR = Reg(0x10, "Control", reset=0x8000_0000, PG=RW[0], SER=RW[1], MER=RW[2], SNB=RW[6:3], PSIZE=RW[9:8],
             STRT=W1S[16], EOPIE=RW[24], ERRIE=RW[25], LOCK=W1S[31])
    OPTCR = Reg(0x14, "Option control", reset=0x0FFF_AAED, OPTLOCK=W1S[0], OPTSTRT=W1S[1], BOR_LEV=RW[3:2], WDG_SW=RW[5], nRST_STOP=RW[6],
                nRST_STDBY=RW[7], RDP=TODO[15:8], nWRP=RW[27:16])

    def start(self):
        base = self.system.at
        self.machine.write_memory(base + 0x7A10, self.uid)                            # unique device ID, 39.1
        self.machine.write_memory(base + 0x7A22, (self.main.size // KiB).to_bytes(2, "little"))
        for at, value in ((0x7A2A, 1501), (0x7A2C, 959), (0x7A2E, 1207)):             # VREFINT, 30 °C and 110 °C at 3.3 V
            self.machine.write_memory(base + at, value.to_bytes(2, "little"))
        self._store_options(0x0FFF_AAED)

    def after_reset(self):
        word, protect = (int.from_bytes(self.machine.peek(self.options.at + at, 2) or b"", "little") for at in (0, 8))
        self.OPTCR = (protect & 0xFFF) << 16 | word & 0xFFEC | 1

    def _store_options(self, optcr: int) -> None:
        for at, value in ((0, optcr & 0xFFEC), (8, optcr >> 16 & 0xFFF | 0xF000)):
            self.machine.write_memory(self.options.at + at, value.to_bytes(2, "little") + (value ^ 0xFFFF).to_bytes(2, "little"))

    # -- locks (3.5.1, 3.6.2) ------------------------------------------------------------------------------------------------
    def _key(self, seen: list[int], keys: tuple[int, ...], value: int) -> bool:
        """Take a key; True when the sequence is complete. A wrong one locks until reset."""
        if self.dead or value != keys[len(seen)]:
            self.dead = True
            msg = f"{self.name}: wrong key {value:#x}, locked until reset"
            raise BusError(msg)
        seen.append(value)
        if len(seen) < len(keys):
            return False
        seen.clear()
        return True

    @KEYR.on_write
    def _unlock(self, value):
        if self._key(self.keys_seen, KEYS, value):
            self.CR.LOCK = 0

    @OPTKEYR.on_write
    def _unlock_options(self, value):
        if self._key(self.option_keys_seen, OPTION_KEYS, value):
            self.OPTCR.OPTLOCK = 0

    @CR.on_write
    def _control(self, value, old):
        if old >> 31 or self.SR.BSY:
            self.CR = old                     # what a lock holds back has no effect
        elif value & 1 << 16:
            self._erase()

    @OPTCR.on_write
    def _option_control(self, value, old):
        if old & 1:
            self.OPTCR = old
        elif value & 2:
            self._store_options(int(self.OPTCR))
            self._busy_for(ERASE_US)

    # -- operations ------------------------------------------------------------------------------------------------------------
    def _fail(self, name: str) -> None:
        setattr(self.SR, name, 1)
        if self.CR.ERRIE:
            self.SR.OPERR = 1
        self.settle()

    def _busy_for(self, microseconds: int) -> None:
        self.SR.BSY = 1
        self.busy.start(0)
        self.busy.after(microseconds)
        self.settle()

    @busy.expired
    def _done(self):
        self.busy.stop()
        self.SR.BSY = self.CR.STRT = self.OPTCR.OPTSTRT = 0
        if self.CR.EOPIE:
            self.SR.EOP = 1

    def _protected(self, sector: int) -> bool:
        return not self.OPTCR.nWRP >> sector & 1

    def _erase(self) -> None:
        if self.CR.MER:
            if self.OPTCR.nWRP != 0xFFF:
                self.CR.STRT = 0
                self._fail("WRPERR")
                return
            self.main.erase(0, self.main.size)
        elif self.CR.SER and (sector := self.CR.SNB) < len(SECTORS):
            if self._protected(sector):
                self.CR.STRT = 0
                self._fail("WRPERR")
                return
            self.main.erase(sum(SECTORS[:sector]), SECTORS[sector])
        else:
            self.CR.STRT = 0
            self._fail("PGSERR")
            return
        self._busy_for(ERASE_US)

    def flash_write(self, memory: Any, offset: int, size: int, value: int) -> None:
        """Take a guest's write to a flash memory (3.5.3)."""
        if self.SR.BSY:
            self._done()                      # hardware stalls the bus until the operation before is over
        if self.CR.LOCK or not self.CR.PG:
            self._fail("PGSERR")
            self.log(f"write to {memory.name}+{offset:#x} while CR.PG is 0")
        elif size != 1 << self.CR.PSIZE and not (self.CR.PSIZE == 3 and size == 4):
            self._fail("PGPERR")
        elif offset % size:
            self._fail("PGAERR")
        elif not self._may_program(memory, offset):
            self._fail("WRPERR")
        else:
            memory.program(offset, value.to_bytes(size, "little"))
            self._busy_for(PROGRAM_US)

    def _may_program(self, memory: Any, offset: int) -> bool:
        if memory is self.main:
            sector, end = 0, SECTORS[0]
            while offset >= end:
                sector += 1
                end += SECTORS[sector]
            return not self._protected(sector)
        if memory is not self.system or not OTP <= offset < OTP_END:
            return False
        if offset >= OTP_LOCKS:
            return True
        lock = self.machine.peek(memory.at + OTP_LOCKS + (offset - OTP) // 32, 1)
        return lock != b"\x00"                # 3.7: a lock byte of 0 protects its 32 bytes

    def update(self):
        self.irq.set((self.SR.EOP and self.CR.EOPIE) or (self.SR.OPERR and self.CR.ERRIE))
