"""The micro:bit: MicroPython's prompt, what the board's sensors, buttons and LEDs do to it, and QEMU's answers."""

from __future__ import annotations

import ast
import os
import select
import subprocess
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests import micropython
from tests.conftest import give_up
from tests.packages import PackageError, sysroot
from tests.support.pypi import source_file
from xemu.core.engine import Options
from xemu.hw.harness import start_board
from xemu.hw.machine import make_machine
from xemu.loaders.firmware import load_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROMPT = b">>> "
STEP = 160_000                        # beats between two looks: 10 ms
PATIENCE = 20 * 16_000_000            # beats to wait for something

HEART = """\
.#.#.
#####
#####
.###.
..#.."""

#: what a person would type, one line after each prompt; QEMU models all that these need
DIALOGUE = ["print(2**100)", "import this", "1/0", "from microbit import *", "button_a.is_pressed()", "display.show(Image.HEART)",
            "sum(range(1000))", "'%.3f' % (2 ** 0.5)", "help(display)", "[i ** 3 for i in range(12)]", "microphone", "{1: 'a'}[2]"]


@pytest.fixture(scope="module")
def debian_hex() -> bytes:
    """The firmware of Debian's package."""
    try:
        root = sysroot("armhf", "firmware-microbit-micropython", closure=False)
    except PackageError as error:
        give_up(str(error))
    return (root / "usr/share/firmware-microbit-micropython/firmware.hex").read_bytes()


@pytest.fixture(scope="module")
def universal_hex() -> bytes:
    """The firmware for both generations of the board that uflash carries."""
    try:
        module = source_file("uflash", "2.0.0", "uflash.py")
    except PackageError as error:
        give_up(str(error))
    found = [node.value.value for node in ast.parse(module.read_text()).body
             if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and ast.unparse(node.targets[0]) == "_RUNTIME"]
    return str(found[0]).encode()


class Repl:
    """A micro:bit at MicroPython's prompt."""

    def __init__(self, firmware: bytes, options: Options | None = None, seed: int = 0) -> None:
        self.m: Any = make_machine("microbit", options, seed=seed)
        for piece in load_bytes(firmware, "firmware.hex").pieces:
            if piece.data:
                self.m.write_memory(piece.address, piece.data)
        self.m.cpu.reset()
        self.output = self.m.serials[0].output
        self.banner = self.until(PROMPT)

    def until(self, words: bytes) -> str:
        """Run until the guest has printed something; return what it printed since the last time."""
        end = self.m.now + PATIENCE
        while words not in self.output:
            assert self.m.run(STEP).reason == "beats"
            assert self.m.now < end, f"{words!r} did not come; there was {bytes(self.output)!r}, and the guest is at {self.m.engine.pc:#x}"
        text = self.output.decode()
        del self.output[:]
        return text

    def type(self, text: str) -> None:
        """Send characters."""
        self.m.serials[0].feed(text.encode())

    def ask(self, line: str) -> str:
        """Type a line; return the answer without echo and prompt."""
        self.type(line + "\r")
        answer = self.until(PROMPT)
        assert answer.startswith(line + "\r\n")
        return answer[len(line) + 2:-len(PROMPT)].replace("\r\n", "\n").rstrip("\n")

    def wait(self, milliseconds: int) -> None:
        """Let virtual time pass."""
        self.m.run(16_000 * milliseconds)


@pytest.fixture(params=[Options(), Options(jit=False)], ids=["regions", "interpreter"])
def repl(request: pytest.FixtureRequest, debian_hex: bytes) -> Repl:
    board = Repl(debian_hex, request.param)
    board.ask("from microbit import *")
    return board


def test_prompt_and_arithmetic(repl: Repl) -> None:
    assert repl.banner.replace("\r", "").splitlines()[-2:] == ['Type "help()" for more information.', ">>> "]
    assert "micro:bit" in repl.banner
    assert repl.ask("print(2**100)") == str(2**100)
    assert repl.ask("import this").startswith("The Zen of MicroPython")
    assert repl.m.reports == []                       # nothing touched that the model lacks


def test_universal_hex(universal_hex: bytes) -> None:
    board = Repl(universal_hex)
    assert board.ask("print(3**50)") == str(3**50)
    board.ask("from microbit import *")
    assert board.ask("temperature()") == "25"
    board.ask("display.show(Image.HEART)")
    board.wait(60)
    assert board.m.display.text() == HEART


def test_a_running_loop_is_broken(repl: Repl) -> None:
    repl.type("while True: pass\r\r")
    repl.wait(500)
    assert PROMPT not in repl.output
    repl.type("\x03")
    assert repl.until(PROMPT).replace("\r", "").endswith("KeyboardInterrupt: \n>>> ")
    assert repl.ask("1+1") == "2"


def test_every_led(repl: Repl) -> None:
    """Each of the 25 is where the firmware believes it to be."""
    for place in range(25):
        repl.ask(f"display.clear();display.set_pixel({place % 5},{place // 5},9)")
        repl.wait(50)
        assert repl.m.display.text().replace("\n", "") == "." * place + "#" + "." * (24 - place)


def test_brightness_grows_with_the_level(repl: Repl) -> None:
    seen = []
    for level in range(10):
        repl.ask(f"display.set_pixel(2,2,{level})")
        repl.wait(50)
        seen.append(repl.m.display.brightness()[12])
        assert repl.m.display.text()[14] == (".+++++++##"[level])
    assert seen == sorted(set(seen))                  # strictly brighter from level to level
    assert seen[0] == 0
    assert 0.25 < seen[9] < 0.4                       # one row of three at a time


def test_scrolling_text_passes_by(repl: Repl) -> None:
    repl.type("display.scroll('hi')\r")
    frames = []
    while PROMPT not in repl.output:
        repl.m.run(STEP)
        frames.append(repl.m.display.text().split("\n"))
    h = ["#....", "#....", "###..", "#..#.", "#..#."]
    columns = ["".join(row[2] for row in frame) for frame in frames]
    assert h in frames
    assert "#####" in columns                         # the stem of the h has crossed the middle
    assert "#.###" in columns                         # and so has the i
    assert columns.index("#####") < columns.index("#.###")


def test_buttons(repl: Repl) -> None:
    state = "button_a.is_pressed(), button_b.is_pressed()"
    assert repl.ask(state) == "(False, False)"
    repl.m.button_a.press()
    repl.wait(150)                                    # the firmware waits until contacts have stopped bouncing
    assert repl.ask(state) == "(True, False)"
    repl.m.button_a.release()
    repl.m.button_b.press()
    repl.wait(150)
    assert repl.ask(state) == "(False, True)"
    assert repl.ask("button_a.get_presses(), button_b.get_presses()") == "(1, 1)"


def test_motion_sensors(repl: Repl) -> None:
    assert repl.ask("i2c.scan()") == "[14, 29]"
    assert repl.ask("accelerometer.get_values()") == "(0, 0, -1024)"
    repl.m.accelerometer.set(100, 200, 300)
    repl.wait(100)
    assert repl.ask("accelerometer.get_values()") == "(-96, -192, 304)"      # turned, and in steps of 16
    repl.m.accelerometer.set(0, 0, 0)
    for _ in range(10):                               # a gesture is several samples long, and asking takes the samples
        repl.wait(40)
        gesture = repl.ask("accelerometer.current_gesture()")
    assert gesture == "'freefall'"
    repl.m.magnetometer.set(10_000, 20_000, 30_000)
    repl.ask("compass.get_x()")                       # the first question wakes it up
    repl.wait(500)
    assert repl.ask("compass.get_x(), compass.get_y(), compass.get_z()") == "(-10000, -20000, -30000)"
    assert "OSError" in repl.ask("i2c.read(0x33, 1)")


def test_measurements(repl: Repl) -> None:
    assert repl.ask("temperature()") == "25"
    repl.m.temp.set(-7.0)
    assert repl.ask("temperature()") == "-7"
    repl.m.adc.set(4, 1.65)                           # pin 0 is AIN4; the supply is 3.3 V
    assert repl.ask("pin0.read_analog()") == "512"
    repl.m.gpio.pins.set(2, 1)                        # pin 1 is P0.02
    assert repl.ask("pin1.read_digital()") == "1"
    repl.m.gpio.pins.set(2, 0)
    assert repl.ask("pin1.read_digital()") == "0"
    assert repl.ask("pin2.write_digital(1)") == ""
    assert repl.m.gpio.pins.levels >> 1 & 1


def test_radio(repl: Repl) -> None:
    sent: list[bytes] = []
    repl.m.radio.listeners.append(sent.append)
    repl.ask("import radio")
    assert repl.ask("radio.on()") == ""
    assert repl.ask("radio.receive()") == ""
    assert repl.ask("radio.send('hello')") == ""
    assert [packet[4:] for packet in sent] == [b"hello"]
    assert repl.m.radio.receive(sent[0].replace(b"hello", b"HELLO"))
    assert repl.ask("radio.receive()") == "'HELLO'"
    assert repl.ask("radio.off()") == ""
    assert not repl.m.radio.receive(sent[0])


def test_files_music_speech(repl: Repl) -> None:
    """The file system writes the flash through NVMC; sounds are made by timers, PPI and GPIOTE."""
    repl.ask("f = open('a.txt', 'w'); f.write('hello'); f.close()")
    assert repl.ask("open('a.txt').read()") == "'hello'"
    edges = []
    repl.m.gpio.pins.watchers.append(lambda levels, _enabled: edges.append((repl.m.now, levels >> 3 & 1)))
    repl.ask("import music; music.pitch(1000, 100)")
    rises = [beat for beat, level in _changes(edges) if level]
    assert 80 < len(rises) < 120
    assert {b - a for a, b in pairwise(rises[20:60])} == {62 * 256}     # 1000 us, rounded down to 16 us
    del edges[:]
    repl.ask("import speech; speech.say('a')")
    assert len(list(_changes(edges))) > 500


def _changes(edges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    last = 0
    for beat, level in edges:
        if level != last:
            yield beat, level
        last = level


def test_reset_keeps_flash_and_says_why(repl: Repl) -> None:
    repl.ask("f = open('b.txt', 'w'); f.write('kept'); f.close()")
    repl.m.button_b.press()
    repl.type("reset()\r")
    assert "MicroPython" in repl.until(PROMPT)
    assert (repl.m.resets, int(repl.m.power.RESETREAS)) == (1, 4)       # SREQ
    assert repl.ask("open('b.txt').read()") == "'kept'"
    repl.ask("from microbit import *")
    repl.wait(150)
    assert repl.ask("button_b.is_pressed()") == "True"


def test_tiers_agree_to_the_beat(debian_hex: bytes) -> None:
    """The same input gives the same output at the same beats, whatever runs the code."""
    said = []
    for options in (Options(), Options(jit=False), Options(jit=False)):
        board = Repl(debian_hex, options, seed=7)
        said.append([(board.ask(line), board.m.now) for line in [*DIALOGUE, "import random; random.random()", "running_time()"]])
    assert said[0] == said[1] == said[2]


def test_seeds_differ(debian_hex: bytes) -> None:
    first, second = (Repl(debian_hex, seed=seed).ask("import machine; machine.unique_id()") for seed in (1, 2))
    assert first != second


def test_snapshot_goes_back(debian_hex: bytes) -> None:
    board = Repl(debian_hex)
    board.ask("from microbit import *; x = 5; display.show(Image.HEART)")
    board.wait(30)
    saved, image = board.m.save(), board.m.display.text()
    first = [(board.ask(line), board.m.now) for line in ("x", "x = 6; temperature()", "display.clear()", "accelerometer.get_x()", "x")]
    board.m.load(saved)
    assert board.m.display.text() == image
    again = [(board.ask(line), board.m.now) for line in ("x", "x = 6; temperature()", "display.clear()", "accelerometer.get_x()", "x")]
    assert first == again


class QemuRepl:
    """The same firmware under QEMU."""

    def __init__(self, qemu: str, image: str) -> None:
        self.process = subprocess.Popen(
            [qemu, "-M", "microbit", "-display", "none", "-monitor", "none", "-serial", "stdio", "-device", f"loader,file={image}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.until_prompt()

    def until_prompt(self) -> str:
        """Return what comes up to the next prompt."""
        assert self.process.stdout is not None
        out, end = b"", time.monotonic() + 120
        while PROMPT not in out:
            assert time.monotonic() < end, out
            if select.select([self.process.stdout], [], [], 1)[0]:
                out += os.read(self.process.stdout.fileno(), 4096)
        return out.decode()

    def ask(self, line: str) -> str:
        """Type a line; return the answer without echo and prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()
        return self.until_prompt()[len(line) + 2:-len(PROMPT)].replace("\r\n", "\n").rstrip("\n")


def test_qemu_answers_the_same(debian_hex: bytes, need: Callable[..., str], tmp_path: Any) -> None:
    image = tmp_path / "firmware.hex"
    image.write_bytes(debian_hex)
    other = QemuRepl(need("qemu-system-arm"), str(image))
    try:
        board = Repl(debian_hex)
        for line in DIALOGUE:
            assert board.ask(line) == other.ask(line)
    finally:
        other.process.kill()
        other.process.communicate()


@pytest.mark.slow
def test_the_firmware_built_from_source_answers_the_same_and_has_names(debian_hex: bytes, need: Callable[..., str]) -> None:
    need(*micropython.TOOLS)
    try:
        elf = micropython.elf()
    except PackageError as error:
        give_up(str(error))
    packaged, built = Repl(debian_hex), Repl(elf.read_bytes())
    for line in [*DIALOGUE, "temperature()", "display.scroll('x')"]:
        assert built.ask(line) == packaged.ask(line)
    built.type("while True: pass\r\r")
    built.wait(300)
    built.type("\x03")
    assert "KeyboardInterrupt" in built.until(PROMPT)
    board = start_board(None, elf)                   # the machine is guessed
    board.uart().expect(">>> ")
    address = board.address("mp_execute_bytecode") & ~1
    assert board.machine.where(address) == f"{address:#010x} (mp_execute_bytecode)"
    board.close()
