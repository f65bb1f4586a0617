"""Some threads run while others are held: motions, waiting, what is repeated; thread-local variables; steps through ranges."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ROOT
from tests.test_debug_process import session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYSROOT = "/usr/arm-linux-gnueabihf"

START = """
import threading
from xemu.errors import XemuError
d = open_process(*sys.argv[1:], sysroot="/usr/arm-linux-gnueabihf")
point = d.break_at("started")
d.cont()
d.delete(point)
main, one, two, reader = [t.id for t in d.system.threads()]
def counts():
    return [d.evaluate(f"counts[{i}]").number() for i in range(3)]
def grown(before):
    return [after > then for then, after in zip(before, counts())]
def refused(act):
    try:
        act()
    except XemuError as error:
        return str(error)
def hold_all_but(*threads):
    d.only = threads
"""


@pytest.fixture(scope="module")
def held(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a program with threads, and a library with thread-local variables for it."""
    gcc, directory = need("arm-linux-gnueabihf-gcc"), tmp_path_factory.mktemp("held")
    program, library = directory / "held", directory / "libown.so"
    sources = ROOT / "tests/debug_programs"
    subprocess.run([gcc, "-g", "-O0", sources / "held.c", "-o", program, "-lpthread", "-ldl"], check=True)
    subprocess.run([gcc, "-g", "-O0", "-shared", "-fPIC", sources / "own.c", "-o", library], check=True)
    return program, library


HOLDING = START + """
before = counts()
d.only = {one}
answers["turn"] = d.system.thread == one
d.run_to(insns=d.position.insns + 2_500_000)
answers["one"] = grown(before), d.system.thread == one
middle, there = d.position, state(d)
before = counts()
d.only = {two}
stops = [d.step(3), d.next_line(3), d.step_line(3), d.step_range(d.pc & ~1, (d.pc & ~1) + 1), d.finish()]
answers["two"] = [s.kind.value for s in stops], all(s.thread == two for s in stops), grown(before)
before = counts()
d.only = {one, two}
d.run_to(insns=d.position.insns + 2_500_000)
answers["both"] = grown(before)
answers["step of a held one"] = refused(lambda: d.step(thread=main)).replace(str(main), "N")
answers["nobody"] = refused(lambda: hold_all_but(1))
d.only = None
last = state(d)
d.seek(middle)
answers["repeated"] = state(d) == there
d.only = {main}                                 # what happened happens again, held or not
answers["a step of the past"] = d.step(thread=two).thread == two
d.seek("end")
answers["the end again"] = state(d) == last
d.run_to(insns=d.position.insns + 100)
answers["main"] = d.system.thread == main
d.only = None
answers["end"] = to_the_end(d).text
finish()
"""


def test_threads_are_held(held: tuple[Path, Path]) -> None:
    answers = session(HOLDING, held[0], expect_output=b"value 7, byte 65\n")
    assert answers["turn"]
    assert answers["one"] == [[False, True, False], True]
    assert answers["two"] == [["step"] * 5, True, [False, False, True]]
    assert answers["both"] == [False, True, True]
    assert (answers["step of a held one"], answers["nobody"]) == ("thread N is held", "there is no thread 1")
    for what in ("repeated", "the end again", "a step of the past", "main"):
        assert answers[what], what
    assert answers["end"] == "exited with 0"


WAITING = START + """
d.only = {reader}                               # waits for main to write into the pipe
before = counts()
threading.Timer(0.3, d.system.kick).start()
stop = d.cont()
answers["waits"] = stop.kind.value, stop.thread == reader, counts() == before
asked = []
def ask():
    asked.append(d.position.insns)              # front ends are heard while nothing runs
    d.system.kick()
d.on_slice = lambda: asked or ask()
threading.Timer(0.3, d.system.nudge).start()
answers["asked"] = d.cont().kind.value, len(asked)
d.on_slice = lambda: None
d.only = {main}                                 # … and main then waits for the reader, which is held
threading.Timer(2, d.system.kick).start()
seen = []
while (stop := d.cont()).kind is not StopKind.PAUSE:
    seen.append(stop.kind.value)
answers["joins"] = seen, stop.thread == main, counts()[0]
there = state(d)
d.only = {reader}                               # reads, and ends
stop = d.cont()
answers["ended"] = stop.kind.value, stop.thread in (main, one, two), counts()[0], d.cont().kind.value
d.only = None
answers["end"] = to_the_end(d).text
finish()
"""


def test_the_only_thread_waits_or_ends(held: tuple[Path, Path]) -> None:
    answers = session(WAITING, held[0], expect_output=b"value 7, byte 65\n")
    assert answers["waits"] == ["pause", True, True]
    assert answers["asked"] == ["pause", 1]
    assert answers["joins"] == [["signal"], True, 0]
    assert answers["ended"] == ["held", True, 65, "held"]
    assert answers["end"] == "exited with 0"


CALLS = START + """
d.only = {main}
d.catch("syscall", {4})
stop = d.cont()
while stop.kind is not StopKind.SYSCALL_ENTRY:
    stop = d.cont()
answers["entry"] = stop.name, stop.thread == main
d.only = {one}                                  # the call is not made yet, and nobody else makes it
before = counts()
d.run_to(insns=d.position.insns + 1_000_000)
answers["meanwhile"] = grown(before), counts()[0]
d.only = {main}
stop = d.cont()
answers["made"] = stop.kind.value, stop.thread == main, d.read_register("r0")
place, there = d.position, state(d)
d.only = None
answers["end"] = to_the_end(d).text
d.seek(place)
answers["again"] = state(d) == there
finish()
"""


def test_a_call_belongs_to_the_thread_that_makes_it(held: tuple[Path, Path]) -> None:
    answers = session(CALLS, held[0])
    assert answers["entry"] == ["write", True]
    assert answers["meanwhile"] == [[False, True, False], 0]
    assert answers["made"] == ["syscall return", True, 1]
    assert answers["end"] == "exited with 0"
    assert answers["again"]


SIGNALS = START + """
d.only = {main}
stop = d.cont()
answers["signal"] = stop.name, stop.thread == main
answers["changed"] = d.system.change_siginfo(main, 20, b"c"), d.system.change_siginfo(one, 20, b"c")
answers["sent"] = d.system.siginfo(main, stopped=True)[20]
d.only = {one}                                  # it stays main's, though it was sent to the process
d.run_to(insns=d.position.insns + 500_000)
answers["not yet"] = d.evaluate("value").number()
d.system.resume_with({main: 10, one: 0})        # main may go on, but its turn does not come
d.only = {two}
d.run_to(insns=d.position.insns + 500_000)
d.system.resume_with({main: 0, one: 0})         # … when somebody else has stopped: it has its signal already
d.only = None
answers["end"] = to_the_end(d).text
finish()
"""


def test_a_signal_is_kept_and_changed(held: tuple[Path, Path]) -> None:
    answers = session(SIGNALS, held[0], expect_output=b"value 99, byte 65\n")
    assert answers["signal"] == ["SIGUSR1", True]
    assert (answers["not yet"], answers["sent"], answers["changed"]) == (0, ord("c"), [True, False])
    assert answers["end"] == "exited with 0"


OWN = START + """
def own(thread):
    try:
        value = d.evaluate("library_own", thread=thread)
        return value.number()
    except Exception as error:
        return type(error).__name__
answers["main"] = own(main), d.evaluate("library_large[2]").number()
link = next(l.link for l in d.system.libraries() if "libown" in l.path)
answers["address"] = d.thread_local(link, 0, main) == d.evaluate("&library_own").number()
answers["not yet"] = refused(lambda: d.thread_local(link, 0, one))
answers["end"] = to_the_end(d).text
finish()
"""


def test_thread_local_variables_of_a_library(held: tuple[Path, Path]) -> None:
    answers = session(OWN, *held)
    assert answers["main"] == [42, 2]
    assert answers["address"]
    assert answers["not yet"] == "this thread has not used that file's thread-local variables yet: they have no place"
    assert answers["end"] == "exited with 0"


RANGE = START + """
d.only = {main}
d.break_at("spin", once=True)
d.cont()
start, end = d.position, d.resolve("*main")
stop = d.step_range(d.pc, end)
answers["left"] = stop.kind.value, d.where(), d.position.insns - start.insns > 9_000_000, d.read_register("r0")
d.seek(start)
loop = next(line for line in d.disassemble(d.pc, 20) if line.mnemonic.startswith("add"))
inside = d.break_at(loop.address, condition="i == 1000000")
stop = d.step_range(d.pc, end)
answers["a breakpoint inside"] = stop.kind.value, stop.points == (inside,), d.evaluate("i").number()
finish()
"""


def test_a_loop_in_a_range_runs_at_full_speed(held: tuple[Path, Path]) -> None:
    answers = session(RANGE, held[0])
    kind, place, long, value = answers["left"]
    assert (kind, place.partition(" ")[0], long, value) == ("step", "main", True, 3_000_000)
    assert answers["a breakpoint inside"] == ["breakpoint", True, 1_000_000]


ELSEWHERE = START + """
names = [f"r{i}" for i in range(13)] + ["sp", "lr", "pc", "cpsr"]
before = {name: d.read_register(name, reader) for name in names}
d.only = {reader}                               # it waits in read
function = d.resolve("*spin")
for name, value in {"r0": 5, "lr": d.resolve("*main") | 1, "pc": function}.items():
    d.write_register(name, value, reader)
back = d.break_at("*main")
stop = d.cont()
answers["called"] = stop.kind.value, stop.thread == reader, d.read_register("r0")
d.delete(back)
for name, value in before.items():
    d.write_register(name, value, reader)
answers["the call is made again"] = before["pc"] - d.read_register("pc", reader)
d.only = None
answers["end"] = to_the_end(d).text
answers["byte"] = counts()[0]
finish()
"""


def test_a_thread_that_waits_is_sent_elsewhere_and_waits_again(held: tuple[Path, Path]) -> None:
    answers = session(ELSEWHERE, held[0], expect_output=b"value 7, byte 65\n")
    assert answers["called"] == ["breakpoint", True, 5]
    assert answers["the call is made again"] == 2
    assert answers["end"] == "exited with 0"
    assert answers["byte"] == 65


TURNS = START + """
d.only = {one, two}
before, place = counts(), d.position.insns
for _ in range(3):
    d.system.give_way()
    d.step(thread=one)
answers["turns"] = grown(before), d.position.insns - place < 1_000_000, d.system.thread == one
finish()
"""


def test_others_have_turns_while_one_steps(held: tuple[Path, Path]) -> None:
    assert session(TURNS, held[0])["turns"] == [[False, False, True], True, True]


FORKS = """
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int spins;
static void *child(void *how) { pid_t pid = how ? vfork() : fork(); if (!pid) _exit(0); waitpid(pid, 0, 0); return how; }
int main(void)
{
    pthread_t thread;
    for (long i = 0; i < 2; i++) {
        pthread_create(&thread, 0, child, (void *)i);
        for (spins = 0; spins < 1000000; spins++);
        pthread_join(thread, 0);
    }
    return 0;
}
"""
FORKING = """
d = open_process(sys.argv[1])
main = d.system.thread
d.catch("fork"), d.catch("vfork")
seen = []
while not (stop := d.cont()).kind.final:
    seen.append([stop.kind.value, stop.thread != main and stop.thread == d.system.thread])
answers["seen"], answers["end"] = seen, stop.text
finish()
"""


def test_a_fork_is_told_of_the_thread_that_forks(need: Callable[..., str], tmp_path: Path) -> None:
    source, program = tmp_path / "forks.c", tmp_path / "forks"
    source.write_text(FORKS)
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-O1", "-w", "-static", source, "-o", program, "-lpthread"], check=True)
    answers = session(FORKING, program)
    assert answers["seen"] == [["fork", True], ["vfork", True]]
    assert answers["end"] == "exited with 0"


def test_an_ignored_signal_is_shown_to_who_wants_it(need: Callable[..., str], tmp_path: Path) -> None:
    source, program = tmp_path / "ignored.c", tmp_path / "ignored"
    source.write_text("#include <signal.h>\nint main(void) { raise(SIGCHLD); raise(SIGWINCH); return 5; }\n")
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-O1", "-static", source, "-o", program], check=True)
    script = """
d = open_process(sys.argv[1])
d.pass_signals = d.pass_signals - {17}
answers["stops"] = [d.cont().name, d.cont().text]
finish()
"""
    assert session(script, program)["stops"] == ["SIGCHLD", "exited with 5"]
