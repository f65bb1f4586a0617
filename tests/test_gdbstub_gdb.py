"""The stub with a real GDB: firmware and a Linux program, served by `xemu gdbserver`."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build
from tests.support.gdb import Gdb, GdbError
from tests.support.programs import KEPT, PLAIN, ROOT, XEMU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRMWARE = ROOT / "samples/firmware/elf/mps2-an386/timer.elf"
SYSROOT = "/usr/arm-linux-gnueabihf"


class Stub:
    """A running `xemu gdbserver`."""

    def __init__(self, place: Path, *arguments: str) -> None:
        import os

        self.place = str(place)
        environment = {**PLAIN, **{name: os.environ[name] for name in KEPT if name in os.environ}}
        front = [word for word in arguments if word.startswith("-")]
        self.child = subprocess.Popen([*XEMU, "gdbserver", *front, self.place, *arguments[len(front):]], env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not place.exists():
            assert self.child.poll() is None, self.child.communicate()[1].decode()
            assert time.monotonic() < end
            time.sleep(0.02)

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end; returns exit code, output, messages."""
        out, err = self.child.communicate(timeout=60)
        return self.child.returncode, out.decode(), err.decode()

    def close(self) -> None:
        self.child.kill()
        self.child.communicate()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Callable[..., Stub]]:
    made: list[Stub] = []

    def start(*arguments: str) -> Stub:
        made.append(Stub(tmp_path / f"s{len(made)}", *arguments))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def gdb(need: Any) -> Iterator[Gdb]:
    need("gdb-multiarch")
    with Gdb() as started:
        yield started


@pytest.fixture(scope="session")
def victims(need: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    compiler = need("arm-linux-gnueabihf-gcc")
    directory = tmp_path_factory.mktemp("victims")
    source = ROOT / "tests/debug_programs/victim.c"
    found = {}
    for name, flags in {"static": ["-static"], "dynamic": [], "arm": ["-static", "-marm"]}.items():
        found[name] = directory / name
        subprocess.run([compiler, "-g", "-O0", *flags, "-o", found[name], source, "-lpthread"], check=True)
    return found


def refusal(gdb: Gdb, command: str) -> str:
    with pytest.raises(GdbError) as caught:
        gdb.run(command)
    return str(caught.value)


# -- firmware ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def board(stub: Callable[..., Stub], gdb: Gdb) -> Gdb:
    """A GDB that stands at the reset of the timer sample."""
    gdb.run(f"file {FIRMWARE}")
    gdb.run(f"target extended-remote {stub('--machine=mps2-an386', str(FIRMWARE)).place}")
    return gdb


def test_firmware_registers(board: Gdb) -> None:
    assert "reset_handler" in board.value("$pc")
    registers = board.run("info registers")
    assert re.search(r"xpsr +0x1000000 +\[ .*\bT\b", registers)
    assert "primask" in board.run("info registers system")
    board.run("set $r3 = 0x1234")
    assert board.value("$r3") == "4660"
    with pytest.raises(GdbError, match="monitor seek"):
        board.run("set $insns = 1")


def test_firmware_breakpoints_backtraces_and_steps(board: Gdb) -> None:
    board.run("break on_tick if ticks == 3")
    stop = board.go("continue")
    assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "on_tick")
    assert board.value("ticks") == "3"
    assert "signal handler called" in board.run("backtrace")
    before = int(board.value("$insns"))
    board.go("stepi")
    assert int(board.value("$insns")) == before + 1
    board.go("reverse-stepi")
    assert int(board.value("$insns")) == before
    board.go("next")                                        # as far as the program has been
    assert int(board.value("$insns")) == before + 1
    assert board.go("next")["reason"] == "end-stepping-range"


def test_firmware_who_wrote_this(board: Gdb) -> None:
    board.run("watch ticks")
    values = [board.go("continue")["value"] for _ in range(3)]
    assert [(value["old"], value["new"]) for value in values] == [("0", "1"), ("1", "2"), ("2", "3")]
    newest = values[-1]
    back = board.go("reverse-continue")["value"]
    assert (back["old"], back["new"]) == (newest["new"], newest["old"])
    board.run("delete")
    board.go("reverse-continue")
    assert "history" in "".join(board.printed)
    assert board.value("$insns") == "0"


def test_firmware_conditions_and_log_points_are_evaluated_in_the_stub(board: Gdb) -> None:
    board.run("set dprintf-style agent")
    board.run(r'dprintf put_number,"number %d base %u\n", $r0, $r1')
    board.run("break on_tick if ticks == 5")
    board.go("continue")
    assert "".join(board.printed).count("base 10\n") == 5
    assert board.value("ticks") == "5"
    board.go("stepi")
    assert "target evals" in board.run("info breakpoints")


def test_firmware_interrupt(stub: Callable[..., Stub], gdb: Gdb) -> None:
    image = ROOT / "samples/firmware/elf/mps2-an386/uartirq.elf"
    gdb.run(f"file {image}")
    gdb.run("set mi-async on")
    gdb.run(f"target extended-remote {stub('--machine=mps2-an386', str(image)).place}")
    gdb.forget_stops()
    gdb.mi("-exec-continue")
    time.sleep(0.3)
    gdb.mi("-exec-interrupt")
    assert gdb.wait()["signal-name"] == "SIGINT"


def test_firmware_memory_flash_and_tables(board: Gdb) -> None:
    assert "matched" in board.run("compare-sections")
    assert "1 pattern found" in board.run("find 0, +0x600, 't', 'i', 'c', 'k', ' '")
    assert "ssram1" in board.run("info os map")
    assert "uart0" in board.run("info os devices")
    assert "SysTick" in board.run("info os interrupts")
    assert re.search(r"40004000 +DATA", board.run("monitor device uart0"))
    assert "ssram1" in board.run("monitor info map")
    with pytest.raises(GdbError):
        board.run("monitor nonsense")
    board.run("load")
    assert "matched" in board.run("compare-sections")


def test_firmware_checkpoints_and_starting_again(board: Gdb) -> None:
    board.run("break on_tick")
    board.go("continue")
    place = board.value("$insns")
    board.run("monitor checkpoint here")
    board.go("continue")
    board.run("monitor seek here")
    board.run("maint flush register-cache")
    assert board.value("$insns") == place
    board.run("delete")
    board.run("monitor reset")
    board.run("maint flush register-cache")
    assert "reset_handler" in board.value("$pc")


# -- a Linux program -----------------------------------------------------------------------------------------------------
def test_a_bare_target_remote_shows_source(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    gdb.run(f"target remote {stub(str(victims['static']), 'word').place}")
    gdb.run("break main")
    stop = gdb.go("continue")
    assert stop["frame"]["func"] == "main"
    assert gdb.value("argc") == "2"
    assert "word" in gdb.value("argv[1]")
    assert "[stack]" in gdb.run("info proc mappings")
    assert "word" in gdb.run("info proc cmdline")
    assert "AT_ENTRY" in gdb.run("info auxv")


@pytest.mark.parametrize("kind", ["static", "arm"])
def test_program_breakpoints_calls_and_the_end(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path], kind: str) -> None:
    server = stub(str(victims[kind]))
    gdb.run(f"target remote {server.place}")
    gdb.run("break fib if n == 2")
    gdb.run("handle SIGUSR1 nostop noprint")
    assert gdb.go("continue")["frame"]["func"] == "fib"
    assert gdb.value("n") == "2"
    depth = gdb.run("backtrace").count("fib (")
    assert depth == 4
    gdb.run("delete")
    assert gdb.go("finish")["gdb-result-var"] == "$1"
    assert gdb.value("fib(6)") == "8"
    assert gdb.value("fib(4) + fib(3)") == "5"
    stop = gdb.go("continue")
    assert (stop["reason"], stop["exit-code"]) == ("exited", "03")
    code, out, _ = server.finish()
    assert code == 0
    assert out.endswith("fib 5 counter 21\n")


def test_program_backwards(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    gdb.run(f"target remote {stub(str(victims['static'])).place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("break worker")
    gdb.go("continue")
    gdb.run("delete")
    gdb.run("watch counter")
    hits = [gdb.go("reverse-continue")["value"] for _ in range(3)]
    assert [(hit["old"], hit["new"]) for hit in hits] == [("20", "10"), ("10", "6"), ("6", "3")]
    assert " main " in gdb.run("backtrace")
    gdb.run("delete")
    gdb.go("reverse-next")
    assert gdb.value("i") in ("2", "3")


def test_program_signals(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    gdb.run(f"target remote {stub(str(victims['static'])).place}")
    stop = gdb.go("continue")
    assert stop["signal-name"] == "SIGUSR1"
    assert gdb.value("counter") == "10"
    place = gdb.run("output $pc")
    gdb.run("break handler")
    assert gdb.go("continue")["frame"]["func"] == "handler"
    assert gdb.value("number") == "10"
    assert "signal handler called" in gdb.run("backtrace")
    back = gdb.go("reverse-continue")
    assert (back["signal-name"], gdb.run("output $pc")) == ("SIGUSR1", place)
    assert "reason" not in gdb.go("reverse-continue")                     # nothing before it but the start
    assert (gdb.go("continue")["signal-name"], gdb.run("output $pc")) == ("SIGUSR1", place)
    assert gdb.go("continue")["frame"]["func"] == "handler"


def test_program_threads_libraries_and_thread_locals(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    gdb.run(f"target remote {stub('--sysroot=' + SYSROOT, str(victims['dynamic'])).place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("break worker")
    assert gdb.go("continue")["frame"]["func"] == "worker"
    assert "libc.so.6" in gdb.run("info sharedlibrary")
    threads = gdb.mi("-thread-info")["threads"]
    assert len(threads) == 2
    gdb.go("next")
    gdb.go("next")
    assert gdb.value("own") == "8"
    gdb.run("thread 1")
    assert gdb.value("own") == "7"


@pytest.fixture(scope="session")
def held(need: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a program with threads, and a library with thread-local variables for it."""
    compiler, directory = need("arm-linux-gnueabihf-gcc"), tmp_path_factory.mktemp("held")
    made = directory / "held", directory / "libown.so"
    for source, output, flags in (("held", made[0], ["-lpthread", "-ldl"]), ("own", made[1], ["-shared", "-fPIC"])):
        subprocess.run([compiler, "-g", "-O0", f"tests/debug_programs/{source}.c", "-o", output, *flags], check=True, cwd=ROOT)
    return made


def counts(gdb: Gdb) -> list[int]:
    return [int(gdb.value(f"counts[{n}]")) for n in range(3)]


def test_threads_are_held_by_scheduler_locking(stub: Callable[..., Stub], gdb: Gdb, held: tuple[Path, Path]) -> None:
    gdb.run(f"file {held[0]}")
    gdb.run(f"set sysroot {SYSROOT}")
    gdb.run(f"target remote {stub('--sysroot=' + SYSROOT, *map(str, held)).place}")
    gdb.run("break started")
    gdb.go("continue")
    before = counts(gdb)
    gdb.run("thread 2")
    gdb.run("set scheduler-locking on")
    gdb.run("break count if counts[1] == 200000")
    stop = gdb.go("continue")
    assert (stop["frame"]["func"], stop["thread-id"]) == ("count", "2")
    after = counts(gdb)
    assert after == [0, 200000, before[2]]
    gdb.run("thread 1")
    for _ in range(2):
        gdb.go("next")                                  # out of `started`, and over `spin`
    assert counts(gdb) == after
    gdb.run("set scheduler-locking off")
    gdb.run("delete")
    assert gdb.go("continue")["signal-name"] == "SIGUSR1"
    assert counts(gdb)[1] > 200000
    place = "$_siginfo._sifields._rt.si_sigval.sival_int"
    assert gdb.value(place) == "7"
    gdb.run(f"set var {place} = 99")
    gdb.run("break printf")
    gdb.go("continue")
    assert gdb.value("value") == "99"


def test_threads_stop_one_by_one(stub: Callable[..., Stub], gdb: Gdb, held: tuple[Path, Path]) -> None:
    gdb.run(f"file {held[0]}")
    gdb.run(f"set sysroot {SYSROOT}")
    gdb.run("set non-stop on")
    gdb.run("set mi-async on")
    gdb.run(f"target remote {stub('--sysroot=' + SYSROOT, str(held[0])).place}")
    gdb.run("break started")
    gdb.forget_stops()
    gdb.mi("-exec-continue --all")
    stop = gdb.wait()
    assert (stop["frame"]["func"], stop["stopped-threads"]) == ("started", ["1"])

    def states() -> list[str]:
        return [thread["state"] for thread in gdb.mi("-thread-info")["threads"]]

    assert states() == ["stopped", "running", "running", "running"]
    gdb.mi("-exec-interrupt --thread 2")
    assert gdb.wait()["stopped-threads"] == ["2"]
    before = counts(gdb)
    gdb.mi("-exec-next --thread 1")
    assert gdb.wait()["stopped-threads"] == ["1"]
    gdb.mi("-exec-next --thread 1")
    assert gdb.wait()["frame"]["line"] == "70"
    after = counts(gdb)
    assert after[1] == before[1]
    assert after[2] > before[2]
    gdb.mi("-exec-interrupt --all")
    assert {gdb.wait()["stopped-threads"][0] for _ in range(2)} == {"3", "4"}
    assert states() == ["stopped"] * 4
    before = counts(gdb)
    gdb.run("break count if counts[2] > 100")
    gdb.mi("-exec-continue --thread 3")
    stop = gdb.wait()
    assert (stop["stopped-threads"], stop["frame"]["func"]) == (["3"], "count")
    assert counts(gdb)[1] == before[1]
    gdb.run("delete")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.mi("-exec-continue --all")
    assert gdb.wait()["reason"] == "exited-normally"


def test_program_system_calls(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    gdb.run(f"target remote {stub(str(victims['static'])).place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("catch syscall write")
    entry, after = gdb.go("continue"), gdb.go("continue")
    assert (entry["reason"], after["reason"]) == ("syscall-entry", "syscall-return")
    assert entry["syscall-name"] == "write"


def test_programs_are_run_again(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    server = stub("--multi")
    gdb.run(f"file {victims['static']}")
    gdb.run(f"target extended-remote {server.place}")
    gdb.run(f"set remote exec-file {victims['static']}")
    for word in ("one", "two"):
        gdb.run(f"set args {word}")
        gdb.run("tbreak main")
        assert gdb.go("run")["frame"]["func"] == "main"
        assert word in gdb.value("argv[1]")
    gdb.run("kill")
    assert "not being run" in refusal(gdb, "continue")


def test_detaching_lets_the_program_run_to_its_end(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    server = stub(str(victims["static"]))
    gdb.run(f"target remote {server.place}")
    gdb.run("break fib")
    gdb.run("detach")
    code, out, _ = server.finish()
    assert (code, out.splitlines()[-1]) == (0, "fib 5 counter 21")


def test_a_program_goes_another_way_from_the_past(stub: Callable[..., Stub], gdb: Gdb, victims: dict[str, Path]) -> None:
    server = stub(str(victims["static"]))
    gdb.run(f"target remote {server.place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("break worker")
    gdb.run("break fib if n == 0")
    gdb.go("continue")
    gdb.run("delete")
    gdb.run("break main")
    gdb.go("reverse-continue")
    counter = gdb.value("counter")
    assert gdb.value("fib(5)") == "5"                           # GDB calls it: another future, which is left again
    assert "from instruction" in gdb.run("monitor branches")
    assert gdb.value("counter") == counter
    gdb.run("set var counter = 100")                            # this one is not
    gdb.run("delete")
    assert gdb.go("continue")["exit-code"] == "03"
    assert server.finish()[1].splitlines()[-1] == "fib 5 counter 121"


def test_points_stay_when_a_program_forks(stub: Callable[..., Stub], gdb: Gdb, need: Any, tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    program = build(tmp_path, "branches.c", "-g", "-static", "-pthread")
    server = stub(str(program), "/etc/passwd")
    gdb.run(f"file {program}")
    gdb.run(f"target remote {server.place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("break twice")
    assert gdb.go("continue")["frame"]["func"] == "twice"
    gdb.run("delete")
    gdb.run("catch fork")
    assert gdb.go("reverse-continue")["reason"] == "fork"
    gdb.run("monitor reset")
    gdb.run("maint flush register-cache")
    assert "_start" in gdb.run("info symbol $pc")
    gdb.run("break mark")
    assert gdb.go("continue")["frame"]["args"] == [{"name": "place", "value": "1"}]


def test_a_recording_is_debugged(gdb: Gdb, stub: Callable[..., Stub], victims: dict[str, Path], tmp_path: Path) -> None:
    recording = tmp_path / "run.rec"
    subprocess.run([*XEMU, "run", "-L", SYSROOT, "--record", recording, victims["dynamic"]], check=False, env=PLAIN, capture_output=True)
    gdb.run(f"file {victims['dynamic']}")
    gdb.run(f"target remote {stub('--sysroot=' + SYSROOT, str(recording)).place}")
    gdb.run("handle SIGUSR1 nostop noprint")
    gdb.run("break worker")
    assert gdb.go("continue")["frame"]["func"] == "worker"
    assert "libc.so.6" in gdb.run("info sharedlibrary")
    assert gdb.value("counter") == "20"
    gdb.run("delete")
    gdb.run("watch counter")
    assert gdb.go("reverse-continue")["value"] == {"old": "20", "new": "10"}
    assert "cannot" in refusal(gdb, "set var counter = 1").lower()
