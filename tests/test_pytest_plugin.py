"""The pytest fixtures for firmware, and the documents that show them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import CONSOLE, FIRMWARE
from tests.support.programs import ROOT, XEMU
from tests.support.thumb import RAM, SLEEP, SPIN, console, leave, program, read, semihosting, send, write
from tests.test_docs import blocks
from xemu.errors import UsageError
from xemu.hw.harness import FirmwareError, RunningBoard, start_board

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBERS = re.compile(r"0x[0-9a-f]+|\d+\.\d+ s")         # they move when the sample is compiled anew
GUIDE = ROOT / "docs" / "testing-firmware.md"


def run_pytest(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a directory of their own, with nothing of ours but the plugin."""
    (directory / "test_it.py").write_text(text)
    (directory / "pytest.ini").write_text("[pytest]\n")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-P", "-c", code, "-q", "-p", "xemu.pytest_plugin", "-p", "no:cacheprovider", "test_it.py"],
                          cwd=directory, capture_output=True, text=True, timeout=300, check=False)  # fmt: skip


def test_the_documented_example_passes(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    shutil.copy(CONSOLE, tmp_path / "build" / "firmware.elf")
    done = run_pytest(tmp_path, "\n".join(blocks(GUIDE, "python")[0]))
    assert "3 passed" in done.stdout, done.stdout


FAILING = f"""
def test_lockup(machine, uart):
    machine("mps2-an385", {str(CONSOLE)!r})
    uart.send("fault lockup\\r")
    uart.expect("commands:")

def test_no_machine(uart):
    uart.expect("x")
"""


def test_a_failure_shows_output_place_and_fault(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, FAILING)
    text = done.stdout
    assert "FirmwareError: 'commands:' did not come on uart0 before the processor locked up" in text
    assert re.search(r"at 0x[0-9a-f]{8} \(on_exception\+0x\w+\), 0\.\d+ s after the start", text)
    assert "STKERR: the stack frame cannot be written" in text
    assert re.search(r"CFSR=[0-9a-f]{8} HFSR=[0-9a-f]{8}", text)
    assert re.search(r"last lines of uart0:\nE\s+xemu sample console on mps2-an385\nE\s+> fault lockup", text)
    assert "no machine is running: call the machine fixture first" in text
    assert "2 failed" in text


def test_the_shown_failure_is_what_is_printed(tmp_path: Path) -> None:
    shown = next(b for b in blocks(GUIDE, "") if b[0].startswith("FirmwareError"))
    printed = NUMBERS.sub("#", run_pytest(tmp_path, FAILING).stdout.replace("xemu.hw.harness.", ""))
    assert [line for line in shown if line.strip() != "…" and NUMBERS.sub("#", line.strip()) not in printed] == []


# -- boards in scripts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Start an AN385 with a program."""
    boards: list[RunningBoard] = []

    def start(blob: bytes, **options: object) -> RunningBoard:
        (tmp_path / "a.bin").write_bytes(blob)
        boards.append(start_board("mps2-an385", tmp_path / "a.bin", base=0, **options))  # type: ignore[arg-type]
        return boards[-1]

    yield start
    for board in boards:
        board.close()


def test_tests_repeat_exactly() -> None:
    ends = []
    for _ in range(2):
        board = start_board("mps2-an385", CONSOLE)
        board.uart().expect("> ")
        board.uart().send("help\r")
        board.uart().expect("exit")
        ends.append((board.machine.now, board.pc, board.uart().text, board.machine.door.entries))
        board.close()
    assert ends[0] == ends[1]


def test_the_machine_is_guessed() -> None:
    board = start_board(None, FIRMWARE / "microbit" / "console.elf")
    assert board.machine.name == "microbit"
    board.uart().expect("console on microbit")
    board.close()


def test_expect_goes_forward(start) -> None:
    uart = start(program(send(b"a1 a2 a3"), SPIN)).uart()
    assert [uart.expect(re.compile(r"a(\d)"))[1] for _ in range(3)] == ["1", "2", "3"]
    with pytest.raises(FirmwareError, match=r"'a\(\\\\d\)' did not come on uart0 within 0.01 s of virtual time"):
        uart.expect(re.compile(r"a(\d)"), vtime=0.01)
    assert (uart.text, uart.rest) == ("a1 a2 a3", "")


def test_the_ways_to_end_are_told(start) -> None:
    with pytest.raises(FirmwareError, match="'x' did not come on the first UART that is used before the firmware went idle") as idle:
        start(program(SLEEP)).uart().expect("x")
    assert "the first UART that is used has printed nothing" in str(idle.value)
    with pytest.raises(FirmwareError, match="before the firmware exited with 4"):
        start(program(leave(4))).uart().expect("x")
    with pytest.raises(FirmwareError, match=r"the firmware did not exit within 0\.01 s"):
        start(program(SPIN)).exit_code(vtime=0.01)
    with pytest.raises(FirmwareError, match=r"before this: peripherals\+0x15000: read where nothing is modelled"):
        start(program(read(0x4001_5000), SPIN), strict=True).uart().expect("x")


def test_the_console_is_a_uart_too(start) -> None:
    board = start(program(console(b"hello from semihosting"), semihosting(7), SPIN))
    board.console.send("k")
    board.console.expect("semihosting")
    board.run(0.001)
    assert board.machine.cpu.r[0] == ord("k")


def test_looking_at_memory_and_registers(start) -> None:
    board = start(program(write(RAM + 16, 0x1234), write(0x4000_4010, 217), SPIN))
    board.run(0.001)
    assert (board.word(RAM + 16), board.word(0x4000_4010), board.read(RAM + 16, 2)) == (0x1234, 217, b"\x34\x12")
    with pytest.raises(UsageError, match="has nothing at 0x90000000"):
        board.word(0x9000_0000)
    with pytest.raises(UsageError, match="no symbol 'main'"):
        board.address("main")
    named = start_board("mps2-an385", CONSOLE)
    assert named.machine.where(named.address("main")).endswith("(main)")
    named.close()


def test_what_the_outside_sets_stays_over_a_reset() -> None:
    board = start_board(str(ROOT / "samples/boards/badge.py"), CONSOLE, values={"thermometer.celsius": 12})
    board.machine.bus_write(0x4000_8000, 4, 1)
    assert board.word(0x4000_8004) == 12 * 16
    board.close()


def test_pins_and_values() -> None:
    board = start_board("microbit", FIRMWARE / "microbit" / "console.elf", pins={"gpio.3": 1}, values={"button_a.pressed": True})
    assert [board.machine.gpio.pins.levels >> pin & 1 for pin in (3, 17, 26)] == [1, 0, 1]
    board.pin("gpio.pins.3", 0)
    board.set("accelerometer.felt", [1, 2, 3])
    board.set("accelerometer.felt.2", 30)
    assert (board.machine.gpio.pins.levels >> 3 & 1, board.machine.accelerometer.felt) == (0, [1, 2, 30])
    for name, message in {"gpio.x": "'x' is no pin number", "gpio.leds.3": "gpio has no pins called 'leds'; it has pins"}.items():
        with pytest.raises(UsageError, match=message):
            board.pin(name, 1)
    with pytest.raises(UsageError, match="felt is a list of 3; give them all with commas between"):
        board.set("accelerometer.felt", "1,2")
    board.close()


def test_uarts_are_named(start) -> None:
    board = start(program(SPIN))
    assert (board.uart("uart2").name, board.uart(2).name) == ("uart2", "uart2")
    with pytest.raises(UsageError, match=r"mps2-an385 has no UART 7; it has 0 \(uart0\), "):
        board.uart(7)


# -- the other documents --------------------------------------------------------------------------------------------------

COMMANDS = [b for name in ("adding-a-machine.md", "adding-a-device.md", "testing-firmware.md")
            for b in blocks(ROOT / "docs" / name, "") if b[0].startswith("$ xemu ")]  # fmt: skip


@pytest.mark.parametrize("lines", COMMANDS, ids=[b[0] for b in COMMANDS])
def test_a_shown_command_does_what_is_shown(lines: list[str]) -> None:
    words = shlex.split(lines[0].removeprefix("$ xemu "))
    done = subprocess.run([*XEMU, *words], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if len(lines) > 1:
        assert [line.rstrip() for line in done.stdout.splitlines()] == lines[1:]
