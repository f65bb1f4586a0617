"""`xemu boot` as a process: options, how runs end, and what it says about bad input."""

from __future__ import annotations

import re
import sys
from subprocess import PIPE, run
from typing import TYPE_CHECKING

import pytest

from tests.support import firmware, thumb
from tests.support.boot import AN385, CONSOLE, FIRMWARE, PATIENCE, boot, raw, started
from tests.support.programs import ROOT, XEMU
from tests.support.thumb import CODE, RAM, SLEEP, SPIN, UNDEFINED, leave, program, read, send, write

if TYPE_CHECKING:
    from pathlib import Path

BANNER = "xemu sample console on mps2-an385\r\n> "
UART1 = 0x4000_5000


def console(*words: str | Path, typed: bytes = b"exit\r"):
    return boot(*AN385, *words, CONSOLE, stdin=typed)


# -- how a run goes -------------------------------------------------------------------------------------------------------


def test_firmware_prints_and_answers_and_exits() -> None:
    done = console(typed=b"help\rexit\r")
    assert done.stdout == BANNER + "help\r\ncommands: help id uptime led on|off fault KIND exit\r\n> exit\r\nbye\r\n"
    assert (done.stderr, done.code) == ("", 0)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_guests(tmp_path: Path, code: int) -> None:
    assert boot(*raw(tmp_path / "a.bin", program(leave(code)))).code == code


def test_a_file_as_input_repeats_to_the_beat(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes(b"help\rid\ruptime\rexit\r")
    ways = ((), (), ("--no-jit",), ("--eager-jit",), ("--speed", "50"))
    runs = [boot(*AN385, "--trace-hash", *more, CONSOLE, stdin=keys) for more in ways]
    assert "cpuid 0x412fc231" in runs[0].stdout
    assert "trace hash" in runs[0].stderr
    assert len({(r.stdout, r.stderr, r.code) for r in runs}) == 1


def test_the_end_of_the_input_ends_nothing(tmp_path: Path) -> None:
    late = program(send(b"."), SPIN)
    done = boot(*raw(tmp_path / "a.bin", late), "--vtime", "10ms", stdin=b"")
    assert (done.stdout, done.code) == (".", 0)
    assert done.stderr == "xemu: end of the virtual time of 0.01 s\n"


def test_until_ends_with_success(tmp_path: Path) -> None:
    endless = program(send(b"one two"), SPIN)
    done = boot("--until", "text:e t", *raw(tmp_path / "a.bin", endless))
    assert (done.stdout[:5], done.stderr, done.code) == ("one t", "", 0)


def test_until_sees_words_on_any_uart_and_the_console(tmp_path: Path) -> None:
    second = program(send(b"on the second", UART1), SPIN)
    assert boot("--until", "text:second", "--uart", "1=none", *raw(tmp_path / "a.bin", second)).code == 0
    spoken = program(thumb.console(b"spoken"), SPIN)
    assert boot("--until", "text:poke", *raw(tmp_path / "b.bin", spoken)).code == 0


def test_until_is_unmet_when_the_guest_ends_first() -> None:
    done = console("--until", "text:never")
    assert (done.stderr, done.code) == ("xemu: 'never' (--until) was never printed\n", 1)


def test_until_is_unmet_at_the_end_of_virtual_time(tmp_path: Path) -> None:
    done = boot("--until", "text:never", "--vtime", "2ms", *raw(tmp_path / "a.bin", program(SPIN)))
    assert done.stderr == "xemu: end of the virtual time of 0.002 s\nxemu: 'never' (--until) was never printed\n"
    assert done.code == 1


def test_fail_on_ends_with_failure() -> None:
    done = console("--fail-on", "text:cpuid", "--until", "text:bye", typed=b"id\rexit\r")
    assert (done.stderr, done.code) == ("\nxemu: the guest printed 'cpuid' (--fail-on)\n".lstrip(), 1)


def test_what_is_printed_first_decides() -> None:
    assert console("--fail-on", "text:bye", "--until", "text:cpuid", typed=b"id\rexit\r").code == 0


def test_timeout_ends_a_busy_guest(tmp_path: Path) -> None:
    done = boot("--timeout", "0.7", *raw(tmp_path / "a.bin", program(SPIN)))
    assert (done.stderr, done.code) == ("xemu: time-out after 0.7 s\n", 124)


def test_timeout_ends_a_guest_that_waits_for_input() -> None:
    with started(*AN385, "--timeout", "1.5", CONSOLE, stdin=PIPE) as process:       # an input that stays open and says nothing
        assert process.wait(PATIENCE) == 124


def test_idle_for_ever_names_the_place(tmp_path: Path) -> None:
    blob = program(send(b"zzz"), SLEEP)
    done = boot(*raw(tmp_path / "a.bin", blob))
    at = CODE + 2 * len(send(b"zzz")) + 2
    assert (done.stdout, done.stderr, done.code) == ("zzz", f"xemu: idle for ever at {at:#010x}\n", 0)
    done = boot("--until", "text:x", *raw(tmp_path / "a.bin", blob))
    assert done.code == 1


def test_input_that_nobody_reads_keeps_nobody_awake(tmp_path: Path) -> None:
    done = boot(*raw(tmp_path / "a.bin", program(SLEEP)), stdin=b"hello?")
    assert done.stderr.startswith("xemu: idle for ever at ")
    assert done.code == 0


def test_a_lockup_is_explained() -> None:
    done = console(typed=b"fault lockup\r")
    lines = done.stderr.splitlines()
    assert any(line.startswith("xemu: lockup at ") and "on_exception" in line for line in lines)
    assert any("CFSR=" in line for line in lines)
    assert done.code == 1


def test_faults_are_told_with_symbols() -> None:
    done = console(typed=b"fault bus\r")
    first, frame = done.stderr.splitlines()
    assert re.fullmatch(r"xemu: BusFault \(taken as HardFault\) at 0x[0-9a-f]{8} \(main\+0x\w+\) in Thread mode, "
                        r"reading address 0x30000000: PRECISERR: nothing answers at that address", first)
    assert re.fullmatch(r"xemu:   r0=[0-9a-f]{8}  r1=.* r12=.* sp=.* xpsr=01000000  lr=0x[0-9a-f]{8} \(main\+0x\w+\)", frame)


def test_a_supervisor_call_that_cannot_preempt_is_told() -> None:
    done = console(typed=b"fault svc\r")
    assert re.search(r"xemu: SVCall \(taken as HardFault\) at 0x[0-9a-f]{8} \(main\+0x\w+\) in Thread mode: SVC where", done.stderr)


def test_a_reset_goes_on_or_ends(tmp_path: Path) -> None:
    again = program(send(b"R"), write(0xE000_ED0C, 0x05FA_0004), SPIN)      # AIRCR.SYSRESETREQ
    words = raw(tmp_path / "a.bin", again)
    assert boot("--until", "text:RRR", *words).code == 0
    done = boot("--no-reboot", *words)
    assert (done.stdout, done.stderr, done.code) == ("R", "xemu: the guest asked for a reset (SYSRESETREQ)\n", 0)


# -- options --------------------------------------------------------------------------------------------------------------


def test_virtual_time_and_host_time_agree_at_speed_1(tmp_path: Path) -> None:
    words = raw(tmp_path / "a.bin", program(SPIN))
    fast = boot("--vtime", "20s", "--fast", "--stats", *words)
    assert "20.000000 virtual seconds" in fast.stderr
    slow = boot("--vtime", "0.5s", "--speed", "1", "--stats", *words)
    spent = float(slow.stderr.split(" virtual seconds in ")[1].split(" s")[0])
    assert "0.500000 virtual seconds" in slow.stderr
    assert spent > 0.45  # what it must not be is faster than the clock


def test_strict_stops_at_the_first_report(tmp_path: Path) -> None:
    blob = program(read(0x4001_5000), send(b"on"), leave(0))
    done = boot(*raw(tmp_path / "a.bin", blob))
    assert (done.stdout, done.code) == ("on", 0)
    assert done.stderr == "xemu: peripherals+0x15000: read where nothing is modelled\n"
    done = boot("--strict", *raw(tmp_path / "a.bin", blob))
    assert (done.stdout, done.code) == ("", 1)
    assert done.stderr == "xemu: peripherals+0x15000: read where nothing is modelled\n"


def test_several_images_and_symbols(tmp_path: Path) -> None:
    jump = [*thumb.constant(0, 0x10_0000 + CODE + 1), 0x4700]               # BX r0
    loader = raw(tmp_path / "loader.bin", program(jump))
    (tmp_path / "app.bin").write_bytes(program(send(b"application"), SLEEP, base=0x10_0000))
    done = boot(*loader, "--load", f"{tmp_path / 'app.bin'}@0x100000")
    assert done.stdout == "application"
    assert "xemu: idle for ever at 0x0010" in done.stderr
    lockup = raw(tmp_path / "b.bin", program(SLEEP, stack=RAM + 0x1000))
    named = boot(*lockup, "--symbols", CONSOLE)
    assert "idle for ever at 0x00000102 (" in named.stderr                  # console.elf has a function there
    moved = boot(*lockup, "--symbols", f"{CONSOLE}@0x100000")
    assert "(" not in moved.stderr


def test_an_image_over_another_is_told(tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(program(SPIN))
    done = boot("--vtime", "1ms", "--load", f"{tmp_path / 'app.bin'}@0x80", *raw(tmp_path / "a.bin", program(SPIN)))
    assert re.search(r"xemu: \S+/app.bin replaces bytes of \S+/a.bin, 0x80 to 0x\w+\n", done.stderr)


def test_svd_names_what_is_not_modelled(tmp_path: Path) -> None:
    svd = tmp_path / "a.svd"
    svd.write_text("""<device><peripherals><peripheral><name>RADIO</name><baseAddress>0x40015000</baseAddress><registers>
        <register><name>MODE</name><addressOffset>4</addressOffset><resetValue>0x55</resetValue></register>
        </registers></peripheral></peripherals></device>""")
    show = [*read(0x4001_5004), *thumb.constant(0, 0x4000_4008), *thumb.constant(2, 1), 0x6002, *thumb.constant(0, 0x4000_4000), 0x6001]
    done = boot("--svd", svd, *raw(tmp_path / "a.bin", program(show, leave(0))))
    assert done.stderr == "xemu: peripherals+0x15004: read where nothing is modelled (RADIO.MODE)\n"
    assert done.stdout == "U"                                               # 0x55, the reset value


def test_semihosting_files_need_permission(tmp_path: Path) -> None:
    name, at = b"made.txt", RAM + 0x100
    blob = program(thumb.stored(name + b"\0"), thumb.semihosting(1, at, 4, len(name)), leave(0))
    words = raw(tmp_path / "a.bin", blob)
    done = boot(*words, cwd=tmp_path)
    assert "the guest opens 'made.txt'; allow files with --semihosting" in done.stderr
    assert not (tmp_path / "made.txt").exists()
    boot("--semihosting", *words, cwd=tmp_path)
    assert (tmp_path / "made.txt").exists()


def test_semihosting_arguments(tmp_path: Path) -> None:
    blob = program(thumb.semihosting(0x15, RAM + 0x200, 100), thumb.constant(0, 4), thumb.constant(1, RAM + 0x200), [0xBEAB], leave(0))
    (tmp_path / "a.bin").write_bytes(blob)
    done = boot(*AN385, "--base", "0", "--semihosting-args", "-v two words", "a.bin", cwd=tmp_path)
    assert done.stdout == "a.bin -v two words"


def test_itm_and_semihosting_go_to_standard_output_in_order(tmp_path: Path) -> None:
    itm = [*write(0xE000_0E80, 1), *write(0xE000_0E00, 1), *write(0xE000_0000, ord("i"))]
    blob = program(send(b"uart "), thumb.console(b"console "), itm, send(b" uart"), leave(0))
    assert boot(*raw(tmp_path / "a.bin", blob)).stdout == "uart console i uart"


LM3S = ("--machine", "lm3s6965evb", "--base", "0")
FLASH = 256 << 10


def flash_word(address: int, value: int) -> list[int]:
    """Program a word of the LM3S6965's flash memory (data sheet, 8.4: FMD, FMA, FMC)."""
    return [*write(0x400F_D004, value), *write(0x400F_D000, address), *write(0x400F_D008, 0xA442_0001)]


def test_flash_contents_are_kept_in_a_file(tmp_path: Path) -> None:
    keep, image = tmp_path / "keep", tmp_path / "a.bin"
    image.write_bytes(program(leave(0)))
    assert boot(*LM3S, "--flash", keep, image).code == 0
    assert not keep.exists()                                                # nothing was written
    image.write_bytes(program(flash_word(0x8000, 0x1234_5678), leave(0)))
    assert boot(*LM3S, "--flash", keep, image).code == 0
    kept = keep.read_bytes()
    assert (len(kept), kept[0x7FFC:0x8008].hex()) == (FLASH, "ffffffff78563412ffffffff")
    show = program(read(0x8000), thumb.constant(0, RAM), [0x6001], thumb.constant(0, 4), thumb.constant(1, RAM), [0xBEAB], leave(0))
    image.write_bytes(show)
    done = boot(*LM3S, "--flash", keep, image)
    assert done.stdout == "xV4\x12"
    assert keep.read_bytes() == kept
    assert boot("--machine", "lm3s6965evb", "--flash", keep).code == 0      # what is in the file runs without an image


def test_a_flash_file_of_another_machine_is_refused(tmp_path: Path) -> None:
    keep, image = tmp_path / "keep", tmp_path / "a.bin"
    keep.write_bytes(b"x")
    image.write_bytes(program(SPIN))
    done = boot(*LM3S, "--flash", keep, image)
    assert done.stderr == (f"xemu: --flash {keep}: 1 bytes, but flash of lm3s6965evb have {FLASH}; it is another machine's\n")
    assert (keep.read_bytes(), done.code) == (b"x", 126)


BADGE = ROOT / "samples" / "boards" / "badge.py"


def test_values_and_pins_are_set_and_stay_over_a_reset(tmp_path: Path) -> None:
    thermometer = 0x4000_8000
    look = [*write(thermometer, 1), *read(thermometer + 4), *thumb.constant(0, RAM), 0x6001,
            *thumb.constant(0, 4), *thumb.constant(1, RAM), 0xBEAB]             # its value as a string
    (tmp_path / "a.bin").write_bytes(program(look, write(0xE000_ED0C, 0x05FA_0004), SPIN))
    done = boot("--machine", BADGE, "--base", "0", "--set", "thermometer.celsius=4.125", "--until", "text:BB", tmp_path / "a.bin")
    assert (done.stdout, done.code) == ("BB", 0)                            # 4.125 * 16 is 66


def test_statistics() -> None:
    done = console("--stats")
    assert " virtual seconds in " in done.stderr
    assert "  regions" in done.stderr


def test_the_seed_and_the_hash() -> None:
    assert console("--seed", "5", "--trace-hash").stderr.startswith("xemu: trace hash ")


def test_machine_from_the_environment() -> None:
    done = run([*XEMU, "boot", str(CONSOLE)], env={"XEMU_MACHINE": "mps2-an385", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
               input=b"exit\r", capture_output=True, check=False)
    assert done.stdout.decode().startswith(BANNER)


# -- the machine is guessed -----------------------------------------------------------------------------------------------


def test_a_clear_guess_is_taken_and_named() -> None:
    done = boot(CONSOLE, stdin=b"exit\r")
    assert done.stderr.startswith("xemu: machine mps2-an385: ")
    assert (done.stdout[:len(BANNER)], done.code) == (BANNER, 0)


def test_an_unclear_guess_is_a_question_with_candidates() -> None:
    done = boot(FIRMWARE / "stm32" / "console.elf")
    assert (done.stdout, done.code) == ("", 2)
    assert "netduinoplus2 (" in done.stderr
    assert "olimex-stm32-h405 (" in done.stderr
    assert done.stderr.endswith("say which with --machine NAME\n")


# -- bad input ------------------------------------------------------------------------------------------------------------

REFUSED = [
    ((), 2, "no image given; usage: xemu boot [OPTIONS] IMAGE"),
    (("--machin", "x", "a"), 2, "no option --machin; did you mean --machine?"),
    (("a.elf", "b.elf"), 2, "one image, not 2: a.elf, b.elf; more are loaded with --load FILE"),
    (("--machine", "mps2-an3855", CONSOLE), 2, "no machine 'mps2-an3855'; did you mean mps2-an385?"),
    (("--machine", "none.py", CONSOLE), 127, "no board file none.py"),
    (("no.elf",), 127, "no.elf: no such file"),
    (("--no-jit", "--eager-jit", CONSOLE), 2, "--no-jit and --eager-jit exclude each other"),
    (("--fast", "--speed", "1", CONSOLE), 2, "--fast and --speed exclude each other"),
    (("--until", "boot", CONSOLE), 2, "--until boot: not a text:WORDS"),
    (("--vtime", "soon", CONSOLE), 2, "--vtime soon: not a TIME"),
    (("--timeout", "0", CONSOLE), 2, "--timeout 0: not a SECONDS"),
    (("--speed", "0", CONSOLE), 2, "--speed 0: not a max|FACTOR"),
    (("--pin", "gpio=1", CONSOLE), 2, "--pin gpio=1: not a PART.PIN=0|1|z"),
    ((*AN385, "--pin", "timer0.3=1", CONSOLE), 2, "--pin timer0.3: timer0 has no pins"),
    ((*AN385, "--pin", "gpio0.16=1", CONSOLE), 2, "--pin gpio0.16: gpio0 has pins 0 to 15"),
    ((*AN385, "--pin", "tmer0.3=1", CONSOLE), 2, "--pin tmer0.3: mps2-an385 has no part 'tmer0'; did you mean 'timer0'?"),
    ((*AN385, "--set", "timer0.clok=1", CONSOLE), 2, "--set timer0.clok: timer0 has no value 'clok'; did you mean clock?"),
    ((*AN385, "--set", "timer0.clock=x", CONSOLE), 2, "--set timer0.clock=x: not a whole number"),
    ((*AN385, "--uart", "9=none", CONSOLE), 2,
     "--uart 9=: mps2-an385 has no such UART; it has 0 (uart0), 1 (uart1), 2 (uart2), 3 (uart3), 4 (uart4)"),
    ((*AN385, "--uart", "0=stdio", "--uart", "1=stdio", CONSOLE), 2, "--uart: only one UART can have stdio"),
    ((*AN385, "--uart", "0=pty", "--uart", "uart0=none", CONSOLE), 2, "--uart uart0=none: uart0 is already connected to pty"),
    ((*AN385, "--uart", "tcp:x", CONSOLE), 2, "--uart tcp:x: it is tcp:PORT or tcp:HOST:PORT"),
    ((*AN385, "--uart", "/no/where", CONSOLE), 2, "--uart /no/where: no such file or directory"),
    ((*AN385, "--svd", "no.svd", CONSOLE), 127, "--svd no.svd: no such file"),
    ((*AN385, "--svd", CONSOLE, CONSOLE), 126, f"--svd {CONSOLE}: not an SVD file (no <device> in it)"),
    ((*AN385, "--symbols", "no.elf", CONSOLE), 127, "no.elf: no such file"),
    ((*AN385, "--load", "no.bin@0", CONSOLE), 127, "no.bin: no such file"),
    ((*AN385, "--flash", "keep", CONSOLE), 2, "mps2-an385 has no flash memory to keep"),
    ((*AN385, "--base", "0", CONSOLE), 126,
     f"{CONSOLE}: this is an ELF file, which says itself where it goes; leave out the address 0x0"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_a_mistake_is_one_line(tmp_path: Path, words: tuple[str, ...], code: int, message: str) -> None:
    done = boot(*words, cwd=tmp_path)
    assert (done.stderr, done.stdout, done.code) == (f"xemu: {message}\n", "", code)


IMAGES = [
    ("too large", program(SPIN).ljust(0x40_0010, b"x"), ("--base", "0"),               # what follows is the same memory again
     "4194320 bytes from 0x0 are 16 more than fit: the memory of mps2-an385 there ends at 0x3fffff"),
    ("outside", b"data", ("--base", "0x50000000"),
     "mps2-an385 has no memory from 0x50000000 to 0x50000003; it has ssram1 0x0 to 0x3fffff, "),
    ("elsewhere", program(SPIN, base=0x2000_0000), ("--base", "0x20000000"),
     "nothing at 0x0, where mps2-an385 expects the vector table; it begins at 0x20000000 (is a bootloader missing? --load FILE)"),
    ("even", program(SPIN, start=CODE), ("--base", "0"), "the reset vector at 0x4 is 0x100, an even address, which is no Thumb code"),
    ("nowhere", program(SPIN, start=0x5000_0001), ("--base", "0"),
     "the reset vector at 0x4 points to 0x50000001, where mps2-an385 has no memory"),
    ("unknown", b"what is this?", (), "not ELF, Intel HEX, S-record, UF2 or Mach-O"),
    ("empty", b"", ("--base", "0"), "the file is empty"),
    ("cut", CONSOLE.read_bytes()[:2000], (), "segment 0 ends at"),
    ("bad hex", b":10000000zz\n", (), "line 1"),
    ("object", firmware.elf([(0, 0, b"x", 1)], kind=1), (), "not a program but an object file; link it first"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "blob", "words", "message"), IMAGES, ids=[i[0] for i in IMAGES])
def test_a_bad_image_is_one_line(tmp_path: Path, name: str, blob: bytes, words: tuple[str, ...], message: str) -> None:
    path = tmp_path / f"{name}.img"
    path.write_bytes(blob)
    done = boot(*AN385, *words, path)
    assert message in done.stderr
    assert done.stderr.startswith(f"xemu: {path}: ")
    assert (done.stderr.count("\n"), done.stdout, done.code) == (1, "", 126)


def test_a_stack_outside_memory_is_reported(tmp_path: Path) -> None:
    done = boot(*raw(tmp_path / "a.bin", program(SLEEP, stack=0x9000_0000)))
    assert done.stderr.startswith("xemu: the stack starts at 0x90000000, where mps2-an385 has no memory\n")


BOARD = """
from xemu.hw import Ram, Device, Reg, RW
from xemu.hw.cortex_m import CortexM3
from xemu.hw.machine import machine

class Broken(Device):
    DATA = Reg(0, "Data")
    @DATA.on_write
    def _fail(self, value):
        raise ZeroDivisionError("oops")

@machine("mine", "Mine")
def mine(m):
    m.cpu = CortexM3(rate=1_000_000, irqs=8)
    m.ram = Ram(at=0, size=0x8000)
    m.more = Ram(at=0x2000_0000, size=0x20000)
    m.broken = Broken(at=0x4000_0000)
"""
BOARDS = [
    ("twice", BOARD + "    m.ram = Ram(at=0x9000, size=0x1000)\n", "mine: ram is named twice, at {board}:15 and at {board}:18"),
    ("no part", BOARD + "    m.rom = 7\n", "{board}:18: mine.rom: 7 is no part of a machine"),
    ("typo", BOARD + "    m.x = Broken(att=0)\n", "{board}:18: Broken has nothing called 'att'"),
    ("no line", BOARD + "    m.x = Broken(at=0x4001_0000, irq=m.cpu.irq[8])\n", "{board}:18: IndexError: list index out of range"),
    ("no cpu", BOARD.replace("    m.cpu = CortexM3(rate=1_000_000, irqs=8)\n", ""), "mine: a machine needs a CPU: m.cpu = CortexM3(...)"),
    ("syntax", BOARD + "    m.x = =\n", "{board}:18: SyntaxError"),
    ("error", BOARD + "    m.x = 1 / 0\n", "{board}:18: ZeroDivisionError: division by zero"),
    ("start", BOARD.replace("    @DATA", "    def after_reset(self):\n        self.DATA = {}['x']\n    @DATA", 1),
     "xemu: KeyError: 'x' (board.py:9) (XEMU"),
    ("none", "x = 1\n", "defines no machine; decorate a function with @machine"),
]


@pytest.mark.parametrize(("name", "text", "message"), BOARDS, ids=[b[0] for b in BOARDS])
def test_a_bad_board_file_is_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    del name
    board = tmp_path / "board.py"
    board.write_text(text)
    done = boot("--machine", board, *raw(tmp_path / "a.bin", program(SPIN))[2:])
    assert message.replace("{board}", str(board)) in done.stderr
    assert (done.stderr.count("\n"), done.code) == (1, 125)


def test_overlapping_parts_are_both_named(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD + "    m.third = Ram(at=0x7000, size=0x2000)\n")
    done = boot("--machine", board, *raw(tmp_path / "a.bin", program(SPIN))[2:])
    assert done.stderr == (f"xemu: mine: ram (0x0 to 0x7fff, {board}:15) and third (at 0x7000, {board}:18) overlap\n")


def test_a_broken_device_is_the_guests_bus_fault(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    done = boot("--machine", board, "--vtime", "1ms", *raw(tmp_path / "a.bin", program(write(0x4000_0000, 5), leave(0)))[2:])
    assert ("the model of broken failed: write of 0x5 (4 bytes) at DATA: ZeroDivisionError: oops (board.py:10); "
            "the guest gets a bus fault") in done.stderr  # fmt: skip
    assert "writing address 0x40000000: PRECISERR: what is there refuses the access" in done.stderr


def test_an_undefined_instruction_is_told(tmp_path: Path) -> None:
    done = boot("--vtime", "1ms", *raw(tmp_path / "a.bin", program(UNDEFINED)))
    assert "UNDEFINSTR: the instruction is undefined" in done.stderr


# -- start-up -------------------------------------------------------------------------------------------------------------

HEAVY = {"lief", "capstone", "textual", "elftools", "llvmlite", "pygdbmi", "xml", "asyncio"}


def test_starting_imports_little() -> None:
    code = (f"import sys; sys.path.insert(0, {str(ROOT)!r}); from xemu.cli.main import main; "
            f"code = main(['boot', '--machine', 'mps2-an385', '--until', 'text:> ', {str(CONSOLE)!r}]); "
            "print(); print(code, *{name.partition('.')[0] for name in sys.modules})")  # fmt: skip
    for _ in range(2):                       # the first run may have to compile
        done = run([sys.executable, "-P", "-c", code], stdin=-3, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()[-1].split()
    assert words[0] == "0"
    assert HEAVY & set(words) == set()
