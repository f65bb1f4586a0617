"""The command lines of `xemu gdbserver` and `xemu gdb`."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs import PLAIN, ROOT, SAMPLES, XEMU, run
from xemu.cli.gdbserver import take_wrapper
from xemu.debug import is_program
from xemu.gdbstub import framing
from xemu.gdbstub.programs import find_gdb
from xemu.gdbstub.stage import gdb_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELLO = SAMPLES / "hello"
TIMER = ROOT / "samples/firmware/elf/mps2-an386/timer.elf"


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--attach", ":0", "1"], 2, "only programs that xemu runs can be debugged"),
    (["--wrapper", "env", "A=1", ":0", "x"], 2, "no -- behind its words"),
    (["--wrapper", "strace", "--", ":0", "x"], 2, "--wrapper takes env NAME=VALUE"),
    ([], 2, "no COMM given"),
    ([":0"], 2, "no PROG given; with --multi GDB chooses it"),
    (["x", HELLO], 2, "not a place to listen at"),
    ([":0", "/no/such"], 1, "/no/such: no such file\nError creating process\n\nExiting"),
    (["--onec", ":0", HELLO], 2, "did you mean --once?"),
])
def test_gdbserver_refuses(arguments: list[Any], code: int, words: str) -> None:
    result = run([*XEMU, "gdbserver", *arguments])
    assert result.code == code
    assert words in result.stderr.decode()


def test_gdbserver_help_and_version() -> None:
    assert b"--multi" in run([*XEMU, "gdbserver", "--help"]).stdout
    assert b"gdbserver" in run([*XEMU, "gdbserver", "--version"]).stdout
    assert b"--gdb-path" in run([*XEMU, "gdb", "--help"]).stdout


@pytest.mark.parametrize("place", ["localhost:0", ":0", "0"])
def test_gdbserver_says_what_gdbserver_says(place: str) -> None:
    child = subprocess.Popen([*XEMU, "gdbserver", "--once", place, HELLO, "word"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, env=PLAIN)
    assert child.stderr is not None
    created, listening = child.stderr.readline().decode(), child.stderr.readline().decode()
    assert re.fullmatch(rf"Process {HELLO} created; pid = \d+\n", created)
    port = int(re.fullmatch(r"Listening on port (\d+)\n", listening)[1])      # type: ignore[index]
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(framing.encode(b"vCont;c"))
        data = b""
        while b"#" not in data:
            data += line.recv(100)
    assert data == b"+" + framing.encode(b"W00")
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 0
    assert b"ello" in out


def test_gdbserver_once_ends_when_the_client_vanishes() -> None:
    child = subprocess.Popen([*XEMU, "gdbserver", "--once", ":0", HELLO], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=PLAIN)
    assert child.stderr is not None
    child.stderr.readline()
    port = int(child.stderr.readline().split()[-1])
    socket.create_connection(("127.0.0.1", port)).close()
    assert child.wait(20) == 0
    child.stderr.close()


def test_gdbserver_over_standard_input_and_output() -> None:
    """The guest's own output does not get into the protocol."""
    child = subprocess.Popen([*XEMU, "gdbserver", "-", HELLO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=PLAIN)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(framing.encode(b"QStartNoAckMode") + b"+" + framing.encode(b"vCont;c"))
    child.stdin.flush()
    expected = b"+" + framing.encode(b"OK") + framing.encode(b"W00")
    assert child.stdout.read(len(expected)) == expected           # and nothing that the guest has printed
    _, err = child.communicate(timeout=30)
    assert child.returncode == 0
    assert b"Remote debugging using stdio" in err
    assert b"ello" in err


def test_gdbserver_stops_at_the_end_from_where_one_can_go_back() -> None:
    packets = [b"QStartNoAckMode", b"vCont;c", b"bc", b"vCont;c", b"vCont;c"]
    child = subprocess.Popen([*XEMU, "gdbserver", "--stop-at-exit", "-", HELLO], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=PLAIN)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"+".join(map(framing.encode, packets)))
    child.stdin.flush()
    out = b""
    while b"W00" not in out:
        out += child.stdout.read(1)
    child.communicate(timeout=30)
    assert re.findall(rb"replaylog:\w+|W00", out) == [b"replaylog:end", b"replaylog:begin", b"replaylog:end", b"W00"]
    assert child.returncode == 0


def test_gdbserver_takes_variables_from_a_wrapper() -> None:
    words = ["--once", "--wrapper", "env", "A=1", "B=x=y", "--", ":0", "program", "--", "z"]
    assert take_wrapper(words) == (["--once", ":0", "program", "--", "z"], {"A": "1", "B": "x=y"})


def test_gdbserver_ends_with_its_standard_input() -> None:
    result = run([*XEMU, "gdbserver", "-", HELLO])
    assert result.code == 0


def test_programs_and_firmware_are_told_apart(need: Callable[..., str], tmp_path: Path) -> None:
    assert is_program(str(HELLO))
    assert not is_program(str(TIMER))
    assert not is_program("/no/such")
    assembler, linker = need("arm-linux-gnueabihf-as"), need("arm-linux-gnueabihf-ld")
    for source, program in ((".arm", True), (".cpu cortex-m3\n.thumb", False)):    # the first notes no architecture, but that it has A32
        (tmp_path / "a.s").write_text(f"{source}\n.global _start\n_start: b _start\n", encoding="utf-8")
        subprocess.run([assembler, "-o", "a.o", "a.s"], cwd=tmp_path, check=True)
        subprocess.run([linker, "-o", "a", "a.o"], cwd=tmp_path, check=True)
        assert is_program(str(tmp_path / "a")) is program


def test_which_gdb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from xemu.errors import NotFoundError

    own = tmp_path / "mygdb"
    own.write_text("")
    own.chmod(0o755)
    assert find_gdb(str(own)) == str(own)
    monkeypatch.setenv("XEMU_GDB", str(own))
    assert find_gdb() == str(own)
    monkeypatch.delenv("XEMU_GDB")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="install gdb-multiarch"):
        find_gdb()
    with pytest.raises(NotFoundError, match="nogdb was not found"):
        find_gdb("nogdb")


def test_the_command_line_of_gdb() -> None:
    assert gdb_command("gdb", "/s", file="a.out", sysroot="/r", more=["-batch"]) == [
        "gdb", "-q", "-iex", "set sysroot /r", "-ex", "target extended-remote /s", "-batch", "a.out"]


def test_gdb_in_the_foreground(need: Any) -> None:
    need("gdb-multiarch")
    words = ["-nx", "-batch", "-ex", "break main", "-ex", "continue", "-ex", "kill"]
    begin = time.monotonic()
    result = run([*XEMU, "gdb", SAMPLES / "primes", "--", *words])
    assert result.code == 0, result
    assert b"Breakpoint 1, 0x" in result.stdout
    result = run([*XEMU, "gdb", "-M", "mps2-an386", TIMER, "--", *words])
    assert b"Breakpoint 1, main ()" in result.stdout
    assert time.monotonic() - begin < 60
