"""`xemu boot` and the outside: terminals, pseudo-terminals, TCP, files, pipes, signals."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import time
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from tests.support import thumb
from tests.support.boot import AN385, CONSOLE, PATIENCE, boot, on_a_terminal, raw, started
from tests.support.thumb import SLEEP, SPIN, leave, program, send, write

if TYPE_CHECKING:
    from pathlib import Path

UART0, UART1 = 0x4000_4000, 0x4000_5000
#: waits for a byte on UART 1 and sends it back there, for ever; it never prints by itself
ECHO = [*write(UART1 + 8, 3), *thumb.constant(0, UART1),
        0x6842,                                     # again: LDR r2, [r0, #4]
        0x0792, 0xD5FC,                             # LSLS r2, r2, #30; BPL again: until RXBF
        0x6801, 0x6001, 0xE7F9]                     # LDR r1, [r0]; STR r1, [r0]; B again  # fmt: skip


def line_of(process, wanted: str) -> str:
    """Return the first line of standard error that has some words."""
    while line := process.stderr.readline().decode():
        if wanted in line:
            return line
    raise AssertionError(f"it ended without {wanted!r}")


def talk(descriptor: int, text: bytes, wanted: bytes) -> bytes:
    """Write, then read until words have come."""
    os.write(descriptor, text)
    got, end = b"", time.monotonic() + PATIENCE
    while wanted not in got:
        assert time.monotonic() < end, got
        if select.select([descriptor], [], [], 0.1)[0]:
            got += os.read(descriptor, 4096)
    return got


# -- a terminal -----------------------------------------------------------------------------------------------------------


def test_a_person_at_a_terminal() -> None:
    with on_a_terminal(*AN385, CONSOLE) as terminal:
        terminal.expect("> ")
        assert terminal.is_raw
        terminal.type("hel")
        terminal.expect("hel")
        terminal.type("p\r")
        terminal.expect("commands: help")
        terminal.type("exit\r")
        terminal.expect("bye")
        assert terminal.wait() == 0
        assert terminal.is_restored


def test_control_c_goes_to_the_guest_and_control_a_x_ends(tmp_path: Path) -> None:
    echo = program(write(UART1 + 8, 1), write(UART1, ord("!")), ECHO)
    with on_a_terminal("--uart", "1=stdio", *raw(tmp_path / "a.bin", echo)) as terminal:
        terminal.expect("!")
        terminal.type("a\x03b\x01\x01c")
        terminal.expect("a\x03b\x01c")
        terminal.type("\x01?")
        terminal.expect("Ctrl-A x       end xemu")
        terminal.type("\x01q")
        terminal.expect("Ctrl-A q means nothing; Ctrl-A h helps")
        terminal.type("\x01x")
        assert terminal.wait() == 0
        assert terminal.is_restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_restores_the_terminal(number: signal.Signals) -> None:
    with on_a_terminal(*AN385, CONSOLE) as terminal:
        terminal.expect("> ")
        terminal.process.send_signal(number)
        assert terminal.wait() == 128 + number
        assert terminal.is_restored


@pytest.mark.parametrize(("words", "code"), [(("--timeout", "2"), 124), (("--until", "text:nnn"), 0), (("--fail-on", "text:nnn"), 1)])
def test_every_end_restores_the_terminal(words: tuple[str, ...], code: int) -> None:
    with on_a_terminal(*AN385, *words, CONSOLE) as terminal:
        terminal.expect("> ")
        assert terminal.is_raw
        terminal.type("nnn")
        assert terminal.wait() == code
        assert terminal.is_restored


BOARD = """
from xemu.hw import Device, RW, Ram, Reg
from xemu.hw.cortex_m import CortexM3
from xemu.hw.machine import machine

class Broken(Device):
    DATA = Reg(0, "Data")
    def after_reset(self):
        self.machine.events.at(10_000_000, self.spoil)
    def spoil(self):
        self.machine.cpu.interrupts = lambda: 1 / 0

@machine("mine", "Mine")
def mine(m):
    m.cpu = CortexM3(rate=10_000_000, irqs=8)
    m.ram = Ram(at=0, size=0x8000)
    m.more = Ram(at=0x2000_0000, size=0x20000)
    m.broken = Broken(at=0x4000_0000)
"""


def test_an_error_of_a_board_file_is_one_line_and_restores_the_terminal(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    with on_a_terminal("--machine", board, *raw(tmp_path / "a.bin", program(thumb.console(b"ok"), SPIN))[2:]) as terminal:
        terminal.expect("ok")
        assert terminal.is_raw
        terminal.expect("xemu: ZeroDivisionError: division by zero (board.py:11) (XEMU_TRACEBACK=1")
        assert terminal.wait() == 125
        assert terminal.is_restored
        assert "Traceback" not in terminal.text


def test_a_stopped_xemu_comes_back_in_raw_mode() -> None:
    with on_a_terminal(*AN385, CONSOLE) as terminal:
        terminal.expect("> ")
        terminal.process.send_signal(signal.SIGSTOP)
        import termios

        termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)       # as a shell does
        terminal.process.send_signal(signal.SIGCONT)
        end = time.monotonic() + PATIENCE
        while not terminal.is_raw:
            assert time.monotonic() < end
            time.sleep(0.01)
        terminal.type("exit\r")
        terminal.expect("bye")
        assert terminal.wait() == 0


def test_a_guest_on_a_terminal_keeps_the_hosts_time(tmp_path: Path) -> None:
    with on_a_terminal("--vtime", "0.6s", "--stats", *raw(tmp_path / "a.bin", program(send(b"go"), SPIN))) as terminal:
        terminal.expect(" virtual seconds in ")
        terminal.expect(" s: ")
        text = terminal.text
        assert terminal.wait() == 0
    assert "0.600000 virtual seconds" in text
    assert float(re.findall(r"seconds in ([\d.]+) s", text)[0]) > 0.55


# -- which UART -----------------------------------------------------------------------------------------------------------


def test_the_first_uart_that_prints_is_on_stdio(tmp_path: Path) -> None:
    both = program(send(b"one", UART1), send(b"zero", UART0), leave(0))
    assert boot(*raw(tmp_path / "a.bin", both)).stdout == "one"
    assert boot("--uart", "0=stdio", *raw(tmp_path / "a.bin", both)).stdout == "zero"
    assert boot("--uart", "none", *raw(tmp_path / "a.bin", both)).stdout == ""


def test_a_uart_that_only_listens_gets_the_input(tmp_path: Path) -> None:
    done = boot("--until", "text:hello", *raw(tmp_path / "a.bin", program(ECHO)), stdin=b"hello")
    assert (done.stdout, done.code) == ("hello", 0)


def test_uarts_in_order_and_by_name(tmp_path: Path) -> None:
    blob = program(send(b"zero"), send(b"one", UART1), send(b"two", 0x4000_6000), leave(0))
    words = raw(tmp_path / "a.bin", blob)
    boot("--uart", tmp_path / "0", "--uart", tmp_path / "1", *words)
    assert ((tmp_path / "0").read_bytes(), (tmp_path / "1").read_bytes()) == (b"zero", b"one")
    done = boot("--uart", f"uart2=file:{tmp_path / '2'}", "--uart", "uart0=none", *words)
    assert ((tmp_path / "2").read_bytes(), done.stdout) == (b"two", "one")


def test_a_long_output_is_complete(tmp_path: Path) -> None:
    loop = [*write(UART0 + 8, 1), *thumb.constant(0, UART0), *thumb.constant(1, ord("x")), *thumb.constant(2, 300_000),
            0x6001, 0x3A01, 0xD1FC]                 # again: STR r1, [r0]; SUBS r2, #1; BNE again
    done = boot(*raw(tmp_path / "a.bin", program(loop, leave(3))))
    assert (len(done.stdout), set(done.stdout), done.code) == (300_000, {"x"}, 3)


# -- pty, TCP -------------------------------------------------------------------------------------------------------------


def test_a_pseudo_terminal() -> None:
    with started(*AN385, "--uart", "pty", CONSOLE) as process:
        name = re.search(r"(/dev/\S+)", line_of(process, "the first UART that is used: "))
        assert name is not None
        descriptor = os.open(name[1], os.O_RDWR | os.O_NOCTTY)
        assert b"commands: help" in talk(descriptor, b"help\r", b"exit\r\n")
        os.close(descriptor)
        descriptor = os.open(name[1], os.O_RDWR | os.O_NOCTTY)                    # come back
        assert b"cpuid 0x412fc231" in talk(descriptor, b"id\r", b"0x412fc231")
        os.write(descriptor, b"exit\r")
        assert process.wait(PATIENCE) == 0
        os.close(descriptor)


def test_tcp_keeps_the_first_output_and_takes_clients_one_after_the_other() -> None:
    with started(*AN385, "--uart", "0=tcp:0", CONSOLE) as process:
        found = re.search(r"uart0: tcp (127\.0\.0\.1):(\d+)", line_of(process, "uart0: tcp"))
        assert found is not None
        with socket.create_connection((found[1], int(found[2]))) as client:
            assert b"xemu sample console" in talk(client.fileno(), b"", b"> ")
            assert b"commands" in talk(client.fileno(), b"help\r", b"exit\r\n")
        with socket.create_connection((found[1], int(found[2]))) as client:
            talk(client.fileno(), b"id\r", b"0x412fc231")
            client.sendall(b"exit\r")
            assert process.wait(PATIENCE) == 0


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = boot(*AN385, "--uart", f"0=tcp:{port}", CONSOLE)
    assert (done.stderr, done.code) == (f"xemu: --uart tcp:127.0.0.1:{port}: address already in use\n", 2)


def test_a_sleeping_guest_waits_for_a_client(tmp_path: Path) -> None:
    with started("--uart", "1=tcp:0", *raw(tmp_path / "a.bin", program(write(UART1 + 8, 3), SLEEP))) as process:
        line_of(process, "uart1: tcp")
        time.sleep(0.5)
        assert process.poll() is None               # not idle for ever: somebody may connect
        process.terminate()
        assert process.wait(PATIENCE) == 143


# -- pipes, signals -------------------------------------------------------------------------------------------------------


def test_a_pipe_is_read_as_it_comes() -> None:
    with started(*AN385, CONSOLE, stdin=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        talk_out = process.stdout.fileno()
        got = b""
        for text, wanted in ((b"help\r", b"exit\r\n> "), (b"id\r", b"0x412fc231\r\n> ")):
            process.stdin.write(text)
            process.stdin.flush()
            end = time.monotonic() + PATIENCE
            while wanted not in got:
                assert time.monotonic() < end
                if select.select([talk_out], [], [], 0.1)[0]:
                    got += os.read(talk_out, 4096)
        process.stdin.close()
        process.terminate()
        assert process.wait(PATIENCE) == 143


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["busy", "asleep", "blocked"])
def test_signals_end_it_soon(tmp_path: Path, kind: str, number: signal.Signals) -> None:
    endless = [*write(UART0 + 8, 1), *thumb.constant(0, UART0), *thumb.constant(1, ord("x")), 0x6001, 0xE7FD]
    blob = {"busy": program(send(b"go"), SPIN), "asleep": program(send(b"go"), SLEEP), "blocked": program(endless)}[kind]
    with started(*raw(tmp_path / "a.bin", blob), stdin=PIPE) as process:          # the input stays open
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        time.sleep(0.3)                             # blocked: by now the pipe is full
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


def test_a_stuck_reader_holds_nothing_up(tmp_path: Path) -> None:
    many = [*write(UART0 + 8, 1), *thumb.constant(0, UART0), *thumb.constant(1, ord("x")), *thumb.constant(2, 66_000),
            0x6001, 0x3A01, 0xD1FC]
    with started(*raw(tmp_path / "a.bin", program(many, leave(3)))) as process:   # a little more than a pipe holds
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        time.sleep(1)
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) in (3, 143)


def test_a_reader_that_goes_away_ends_it(tmp_path: Path) -> None:
    endless = [*write(UART0 + 8, 1), *thumb.constant(0, UART0), *thumb.constant(1, ord("x")), 0x6001, 0xE7FD]
    with started(*raw(tmp_path / "a.bin", program(endless))) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(PATIENCE) == 141
