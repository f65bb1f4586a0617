"""Debugging Linux programs: motions in both directions over system calls, signals, threads and forks, on real programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.packages import PackageError
from tests.support.debug import build, session
from tests.support.programs import SAMPLES
from tests.support.roots import tools

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPEAT = """
sysroot, *words = sys.argv[1:]
d = open_process(*words, sysroot=sysroot or None)
stop = to_the_end(d)
answers["end"] = [stop.kind.value, stop.code]
end, there = d.position, state(d)
rng, seen = random.Random(5), {}
for _ in range(25):
    insns = rng.choice([rng.randrange(end.insns), *seen])
    d.seek(insns)
    assert d.position.insns == insns
    assert seen.setdefault(insns, state(d)) == state(d), insns
d.seek("end")
assert state(d) == there
steps = [there]
for _ in range(40):
    d.step(back=True)
    steps.append(state(d))
for wanted in steps[-2::-1]:
    d.step()
    assert d.position.insns == wanted[0]
d.seek("end")
d.history.leave_present()
saved = d.history.snapshots[-1].state
d.history.place(0)
answers["trouble"] = d.system.reach(end) or d.system.difference(saved)
answers["same"] = state(d) == there
answers["episodes"] = len(d.system.recorder.episodes)
finish()
"""


def repeats(*words: object, sysroot: object = "", output: bytes) -> dict[str, Any]:
    answers = session(REPEAT, sysroot, *words, expect_output=output)
    assert (answers["trouble"], answers["same"]) == ("", True)
    return answers


def debian(need: Callable[..., str]) -> Path:
    need("apt-get", "dpkg-deb")
    try:
        return tools()
    except PackageError as error:
        pytest.fail(f"Debian's packages for armhf: {error}")


@pytest.mark.parametrize(("name", "output"), [("hello", b"Hello from 32-bit ARM.\n"),
                                              ("primes-thumb", b"664579 primes below 10000000, the last is 9999991.\n")])
def test_static_programs_repeat_exactly(name: str, output: bytes) -> None:
    assert repeats(SAMPLES / name, output=output)["end"] == ["exited", 0]


PYTHON = """
import os, signal, threading, time
done, ticks = [], []
signal.signal(signal.SIGALRM, lambda *a: ticks.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
def work(n):
    for i in range(3):
        done.append(n)
        time.sleep(0.002)
threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
while len(ticks) < 4:
    sum(range(100))
signal.setitimer(signal.ITIMER_REAL, 0)
r, w = os.pipe()
os.write(w, b"abc")
print(len(done), os.read(r, 10), len(os.urandom(8)))
"""


def test_threads_signals_and_clocks_repeat_exactly(need: Callable[..., str]) -> None:
    root = debian(need)
    answers = repeats(root / "usr/bin/python3.11", "-I", "-S", "-B", "-c", PYTHON, sysroot=root, output=b"9 b'abc' 8\n")
    assert answers["end"] == ["exited", 0]
    assert answers["episodes"] > 100


def test_a_shell_that_forks_repeats_exactly(need: Callable[..., str]) -> None:
    root = debian(need)
    script = "for i in 1 2; do echo $i; /bin/true; done; x=$(echo hi); echo $x | cat"
    assert repeats(root / "bin/bash", "-c", script, sysroot=root, output=b"1\n2\nhi\n")["end"] == ["exited", 0]


CATCH = """
sysroot, kinds, *words = sys.argv[1:]
d = open_process(*words, sysroot=sysroot or None)
for kind in kinds.split():
    kind, _, numbers = kind.partition(":")
    d.catch(kind, [int(n) for n in numbers.split(",")] if numbers else None)
def entry(stop):
    return [stop.kind.value, stop.name, stop.number, d.position.insns, d.pc, stop.thread]
forwards, backwards, again = [], [], []
while not (stop := d.cont()).kind.final:
    forwards.append(entry(stop))
while (stop := d.cont(back=True)).kind is not StopKind.HISTORY_BEGIN:
    backwards.insert(0, entry(stop))
while (stop := d.cont()).kind is not StopKind.HISTORY_END and not stop.kind.final:
    again.append(entry(stop))
answers["names"] = [f[:2] for f in forwards]
answers["differ"] = [[f, b] for f, b in zip(forwards, backwards) if f != b][:3] + [len(forwards) - len(backwards)]
answers["again"] = [[f, b] for f, b in zip(forwards, again) if f != b][:3] + [len(forwards) - len(again)]
finish()
"""


def caught(kinds: str, *words: object, sysroot: object = "") -> list[list[str]]:
    """Return what catchpoints stop at: the same forwards, backwards and in the past."""
    answers = session(CATCH, sysroot, kinds, *words)
    assert (answers["differ"], answers["again"]) == ([0], [0])
    return answers["names"]


def test_system_calls_are_caught() -> None:
    assert caught("syscall", SAMPLES / "hello") == [
        *[["syscall entry", "write"], ["syscall return", "write"]] * 2, ["syscall entry", "exit_group"]]


def test_signals_and_children_are_caught(need: Callable[..., str]) -> None:
    root = debian(need)
    script = "trap 'echo got' USR1; kill -USR1 $$; /bin/true; x=$(echo hi); trap '' USR1; kill -USR1 $$; exec /bin/true"
    names = caught("signal fork vfork exec", root / "bin/bash", "-c", script, sysroot=root)
    assert [kind for kind, name in names if name != "SIGCHLD"] == ["signal", "fork", "fork", "signal", "exec"]      # ignored ones, too


def test_calls_of_threads_are_caught(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    names = caught("syscall:240,265", build(tmp_path, "branches.c", "-g", "-static", "-pthread"), "/etc/passwd")
    calls = [name for _, name in names if name.startswith(("clock", "futex"))]
    assert names.index(["syscall return", "futex"]) > names.index(["syscall return", "clock_nanosleep"])      # the worker waited
    assert calls.count("futex") % 2 == 0


SIGNAL = """
sysroot, *words = sys.argv[1:]
d = open_process(*words, sysroot=sysroot)
stop = d.cont()
answers["stop"] = [stop.kind.value, stop.name, stop.number]
at = state(d)
answers["back"] = d.step(back=True).kind.value
d.seek("end")
assert state(d) == at
answers["end"] = [d.cont().kind.value, d.stop.number]
answers["history"] = d.step(3, back=True).kind.value
finish()
"""


def test_a_fatal_signal_is_shown_before_it_kills(need: Callable[..., str]) -> None:
    root = debian(need)
    answers = session(SIGNAL, root, root / "usr/bin/python3.11", "-I", "-S", "-B", "-c",
                      "import os; os.kill(os.getpid(), 11)")
    assert answers == {"stop": ["signal", "SIGSEGV", 11], "back": "step", "end": ["killed", 11], "history": "step"}


WATCH = """
d = open_process(sys.argv[1])
to_the_end(d)
middle = d.position.insns // 2
areas = [(a.start, a.end - a.start) for a in d.system.process.space.areas() if a.prot & 2 and "stack" not in a.path]
after = [d.read_memory(*a) for a in areas]
d.seek(middle)
at = next(start + i for (start, length), new in zip(areas, after) for i, old in enumerate(d.read_memory(start, length)) if old != new[i])
d.seek("end")
value = d.read_memory(at, 1)
d.watch(at, 1)
stop = d.cont(back=True)
answers["kind"] = stop.kind.value
if stop.watch:
    answers["new"] = stop.watch.new == value
    answers["old"] = d.read_memory(at, 1) == stop.watch.old
    before = d.position
    stop = d.cont()
    answers["again"] = [stop.kind.value, d.read_memory(at, 1) == value, d.position.insns - before.insns]
finish()
"""


def test_who_wrote_this_last() -> None:
    answers = session(WATCH, SAMPLES / "life")
    assert answers == {"kind": "watchpoint", "new": True, "old": True, "again": ["watchpoint", True, 1]}


CHANGE = """
d = open_process(sys.argv[1])
d.step(3)
assert d.write_register("r5", 0x1234)
d.step(2)
d.step(4, back=True)
d.seek("end")
answers["r5"] = d.read_register("r5")
end = d.position
d.seek(1)
d.write_register("r5", 1)                                   # another future; the other one keeps what it had
answers["new"] = [d.read_register("r5"), d.position.insns, len(d.branches)]
d.switch(1)
answers["then"] = d.read_register("r5")
answers["end"] = d.seek("end").kind.value
answers["old"] = [d.read_register("r5"), d.position == end]
finish()
"""


def test_changes_belong_to_the_recording_and_the_past_stays() -> None:
    answers = session(CHANGE, SAMPLES / "hello")
    assert answers == {"r5": 0x1234, "new": [1, 1, 1], "then": 0, "end": "reached", "old": [0x1234, True]}


OUTSIDE = """
sysroot, *words = sys.argv[1:]
d = open_process(*words, sysroot=sysroot)
d.catch("syscall", [3, 63])                 # read
place = None
while place is None and not (stop := d.cont()).kind.final:
    if stop.name == "read" and stop.kind is StopKind.SYSCALL_ENTRY and d.read_register("r0") == 0:
        place = d.read_register("r1")
for point in list(d.points.by_id.values()):
    d.delete(point)
d.watch(place, 4)
stop = d.cont()
answers["forwards"] = [stop.kind.value, stop.watch.new.decode(), "not by an instruction" in stop.text]
d.step(back=True)                           # leaves a snapshot right behind the call
d.seek("end")
d.seek(d.position.insns + 2000)
stop = d.cont(back=True)
answers["backwards"] = [stop.kind.value, stop.watch.new.decode()]
finish()
"""


def test_what_a_system_call_writes_is_seen(need: Callable[..., str]) -> None:
    root = debian(need)
    answers = session(OUTSIDE, root, root / "bin/bash", "-c", "read x < /etc/passwd; echo $x")
    assert answers["forwards"] == ["watchpoint", "root", True]
    assert answers["backwards"] == ["watchpoint", "root"]


DIVERGED = """
d = open_process(sys.argv[1])
to_the_end(d)
end = d.position
for part in (1, 2):
    d.seek(end.insns * part // 3)
    d.history.insert()
wrong = d.history.snapshots[d.history.base]
state = wrong.state["state"]
index = next(i for i in range(len(state) - 1, 0, -1) if state[i])
wrong.state["state"] = state[:index] + bytes([state[index] ^ 1]) + state[index + 1:]
d.seek("start")
stop = d.cont()
answers["forwards"] = [stop.kind.value, stop.text.split(":")[0], stop.position.insns == wrong.position.insns]
d.seek("end")
stop = d.cont(back=True)
answers["backwards"] = [stop.kind.value, stop.text.split(":")[0], stop.position.insns == wrong.position.insns]
finish()
"""


def test_a_repeat_that_goes_another_way_is_said() -> None:
    answers = session(DIVERGED, SAMPLES / "hello")
    assert answers["forwards"][::2] == answers["backwards"][::2] == ["diverged", True]
    assert answers["forwards"][1].startswith("replay diverged between instruction")
