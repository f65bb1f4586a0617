"""pyOCD's flash algorithms run on the chip's CPU and erase and program the modelled flash."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.conftest import give_up
from tests.packages import PackageError
from tests.pyocd_flash import algorithm
from xemu.core.engine import Options
from xemu.hw.machine import make_machine

if TYPE_CHECKING:
    from tests.pyocd_flash import FlashAlgorithm

SELF_LOOP: Final = b"\xFE\xE7"        # takes the place of the breakpoint to which the functions return
BOARDS: Final = {"nrf51": "microbit", "stm32f4": "netduinoplus2"}
TIERS: Final = pytest.mark.parametrize("options", [Options(), Options(jit=False)], ids=["regions", "interpreter"])


class Programmer:
    """A chip with an algorithm in its RAM."""

    def __init__(self, part: str, options: Options) -> None:
        try:
            self.algorithm: FlashAlgorithm = algorithm(part)
        except PackageError as error:
            give_up(str(error))
        self.m: Any = make_machine(BOARDS[part], options)
        self.m.write_memory(self.algorithm.load_address, self.algorithm.instructions)
        self.m.write_memory(self.algorithm.load_address, SELF_LOOP)
        self.flash = self.algorithm.regions[0].start
        assert self.call(self.algorithm.init, self.flash, 16_000_000, 1) == 0

    def call(self, function: int, *arguments: int) -> int:
        """Call a function of the algorithm; return R0."""
        cpu, home = self.m.cpu, self.algorithm.load_address
        for i, value in enumerate(arguments):
            cpu.r[i] = value
        cpu.r[9], cpu.r[13], cpu.r[14] = self.algorithm.static_base, self.algorithm.stack, home | 1
        cpu.mode_changed(thumb=1, pc=function & ~1)
        for _ in range(5_000):
            assert self.m.run(100_000).reason == "beats"
            if self.m.engine.pc == home:
                return int(cpu.r[0])
        pytest.fail(f"{function:#x} does not come to an end; it is at {self.m.engine.pc:#x}")

    def program(self, address: int, data: bytes) -> int:
        self.m.write_memory(self.algorithm.page_buffer, data)
        return self.call(self.algorithm.program_page, address, len(data), self.algorithm.page_buffer)

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.m.peek(address, length))


@TIERS
def test_nrf51(options: Options) -> None:
    chip, page = Programmer("nrf51", options), 1024
    data = Random(51).randbytes(page)
    assert [chip.program(n * page, data) for n in range(3)] == [0, 0, 0]
    assert chip.read(0, 3 * page) == 3 * data
    assert chip.call(chip.algorithm.erase_sector, page) == 0
    assert chip.read(0, 3 * page) == data + b"\xFF" * page + data
    assert chip.program(page, data[:8]) == 0
    assert chip.read(page, 12) == data[:8] + b"\xFF" * 4
    assert chip.program(0x1000_1080, data[:16]) == 0
    assert chip.read(0x1000_1080, 16) == data[:16]                # customer words of UICR
    assert chip.call(chip.algorithm.erase_all) == 0
    assert chip.read(0, 256 * page) == b"\xFF" * 256 * page
    assert chip.read(0x1000_1080, 16) == b"\xFF" * 16


@TIERS
def test_stm32f4(options: Options) -> None:
    chip = Programmer("stm32f4", options)
    page, data = chip.algorithm.regions[0].page_size, Random(4).randbytes(chip.algorithm.regions[0].page_size)
    sectors = [0x0800_0000, 0x0801_0000, 0x080E_0000]             # of 16, 64 and 128 KiB
    assert chip.call(chip.algorithm.erase_all) == 0
    assert [chip.program(at, data) for at in sectors] == [0, 0, 0]
    assert [chip.read(at, page) == data for at in sectors] == [True] * 3
    assert chip.call(chip.algorithm.erase_sector, sectors[1]) == 0
    assert [chip.read(at, page) == data for at in sectors] == [True, False, True]
    assert chip.read(sectors[1], 64 << 10) == b"\xFF" * (64 << 10)
    assert chip.program(sectors[1], data[:64]) == 0
    assert chip.read(sectors[1], 68) == data[:64] + b"\xFF" * 4
    assert chip.call(chip.algorithm.erase_all) == 0
    assert chip.read(0x0800_0000, 1 << 20) == b"\xFF" * (1 << 20)
    assert chip.algorithm.uninit
    assert chip.call(chip.algorithm.uninit, 1) == 0
