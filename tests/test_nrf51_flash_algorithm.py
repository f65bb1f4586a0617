"""pyOCD's flash algorithm for the nRF51 runs on the chip's CPU and programs the modelled flash."""

from __future__ import annotations

import ast
from random import Random
from typing import Any

import pytest

from tests.conftest import give_up
from tests.packages import PackageError
from tests.support.pypi import source_file
from xemu.core.engine import Options
from xemu.hw.machine import make_machine

LOAD = 0x2000_0000
SELF_LOOP = 0xE7FE                    # takes the place of the breakpoint to which the functions return
PAGE = 1024


@pytest.fixture(scope="module")
def algorithm() -> dict[str, Any]:
    """The table of pyOCD that has the code and its entry points."""
    try:
        module = source_file("pyocd", "0.36.0", "pyocd/target/builtin/target_nRF51822_xxAA.py")
    except PackageError as error:
        give_up(str(error))
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLASH_ALGO":
            found: dict[str, Any] = ast.literal_eval(node.value)
            return found
    pytest.fail("pyOCD's module has no FLASH_ALGO")


class Programmer:
    """A chip with the algorithm in its RAM."""

    def __init__(self, algorithm: dict[str, Any], options: Options) -> None:
        self.m: Any = make_machine("microbit", options)
        self.algorithm = algorithm
        self.m.write_memory(LOAD, b"".join(word.to_bytes(4, "little") for word in algorithm["instructions"]))
        self.m.write_memory(LOAD, SELF_LOOP.to_bytes(2, "little"))

    def call(self, function: str, *arguments: int) -> int:
        """Call a function of the algorithm; return R0."""
        cpu = self.m.cpu
        for i, value in enumerate(arguments):
            cpu.r[i] = value
        cpu.r[9], cpu.r[13], cpu.r[14] = self.algorithm["static_base"], self.algorithm["begin_stack"], LOAD | 1
        cpu.mode_changed(thumb=1, pc=self.algorithm[function] & ~1)
        for _ in range(10_000):
            assert self.m.run(16_000).reason == "beats"
            if self.m.engine.pc == LOAD:
                return int(cpu.r[0])
        pytest.fail(f"{function} does not come to an end; it is at {self.m.engine.pc:#x}")

    def flash(self, address: int, length: int) -> bytes:
        return bytes(self.m.peek(address, length))


@pytest.mark.parametrize("options", [Options(), Options(jit=False)], ids=["regions", "interpreter"])
def test_erase_and_program(algorithm: dict[str, Any], options: Options) -> None:
    chip, buffer = Programmer(algorithm, options), algorithm["page_buffers"][0]
    data = Random(51).randbytes(PAGE)
    assert chip.call("pc_init", 0, 0, 0) == 0
    for page in range(3):
        chip.m.write_memory(buffer, data)
        assert chip.call("pc_program_page", page * PAGE, PAGE, buffer) == 0
    assert chip.flash(0, 3 * PAGE) == 3 * data
    assert chip.call("pc_erase_sector", PAGE) == 0
    assert chip.flash(0, 3 * PAGE) == data + b"\xFF" * PAGE + data
    assert chip.call("pc_program_page", PAGE, 8, buffer) == 0
    assert chip.flash(PAGE, 12) == data[:8] + b"\xFF" * 4
    assert chip.call("pc_program_page", 0x1000_1080, 16, buffer) == 0
    assert chip.flash(0x1000_1080, 16) == data[:16]                # customer words of UICR
    assert chip.call("pc_eraseAll") == 0
    assert chip.flash(0, 256 * PAGE) == b"\xFF" * 256 * PAGE
    assert chip.flash(0x1000_1080, 16) == b"\xFF" * 16
