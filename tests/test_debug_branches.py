"""Changing the past of a process: what it consists of is put back, another future begins, and the old one can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build, session, session_output
from tests.support.roots import busybox, tools

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = """choice 0: one_ two_ tri_, fired 10
choice 0: through
choice 0: child 3
choice 0: turn 11
choice 0: fired 14
42
"""
START = """
d = open_process(*sys.argv[1:])
said = []
d.log = said.append
d.pass_signals |= {10}
assert to_the_end(d).kind is StopKind.EXITED
end = state(d)
"""


@pytest.fixture(scope="module")
def program(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    need("arm-linux-gnueabihf-gcc")
    place = tmp_path_factory.mktemp("branches")
    data = place / "data"
    data.write_text("one_two_tri_four")
    return build(place, "branches.c", "-g", "-static", "-pthread"), data


FILES = START + """
d.seek("start")
run_to(d, "mark", condition="place == 10")
after = d.position
back_to(d, "mark", condition="place == 1")
here = state(d)
d.assign("choice", "7")
answers["live"] = [d.system.live, [b.number for b in d.branches], len(said), "offsets of then" in said[0]]
answers["ends"] = [to_the_end(d).code]
d.assign("choice", "8")                                     # at the live end there is nothing to branch from
answers["branches"] = [b.number for b in d.branches]
d.switch(1)
answers["back"] = state(d) == here
answers["was"] = d.evaluate("choice").number()
d.seek("end")
answers["old end"] = state(d) == end
answers["ended"] = d.cont().kind.value
d.seek(after)
d.assign("choice", "7")                                     # the file is closed, its duplicate is not
answers["again"] = to_the_end(d).code
answers["listed"] = [b.number for b in d.branches]
finish()
"""


def test_files_handlers_and_directories_are_those_of_then(program: tuple[Path, Path]) -> None:
    old = OLD.replace("choice 0", "choice 7").replace("turn 11", "turn 18")
    first = old.replace("fired 10\n", "fired 10\nchoice 7: handler 1, umask 22, in /proc, next descriptor 3\ndescriptor 20 has f\n")
    second = first.replace("choice 7: one_", "choice 0: one_")
    answers = session(FILES, *program, expect_output=(OLD + first + second).encode())
    assert answers == {"live": [True, [1], 1, True], "ends": [0], "branches": [1], "back": True, "was": 0, "old end": True,
                       "ended": "exited", "again": 0, "listed": [2, 3]}


@pytest.mark.parametrize(("place", "needs"), [(2, "descriptor 3 needs the pipe it was"), (3, "a wait for children needs")])
def test_what_cannot_come_back_stops_who_needs_it(program: tuple[Path, Path], place: int, needs: str) -> None:
    script = START + f"""
back_to(d, "mark", condition="place == {place}")
here = state(d)
d.assign("choice", "1")
for _ in range(2):                                          # whoever goes on makes the call again
    stop = d.cont()
    answers["stop"] = [stop.kind.value, stop.text]
    answers["function"] = [f.function for f in d.backtrace()]
d.step(back=True)
answers["moved"] = d.position < stop.position
d.seek("end")
answers["again"] = d.cont().kind.value
d.switch(1)
answers["back"] = state(d) == here
d.seek("end")
answers["end"] = state(d) == end
finish()
"""
    answers = session(script, *program)
    kind, text = answers.pop("stop")
    assert (kind, text.startswith(needs)) == ("lost", True)
    assert "main" in answers["function"]
    assert (answers["moved"], answers["again"], answers["back"], answers["end"]) == (True, "lost", True, True)


def test_threads_and_timers_go_on(program: tuple[Path, Path]) -> None:
    begin = OLD.index("choice 0: child")                    # the program has written all before that out
    script = START + """
back_to(d, "mark", condition="place == 4")
answers["threads"] = len(d.system.threads())
d.assign("choice", "5")
d.seek("start")
d.seek("end")                                               # looking around on the way changes nothing
to_the_end(d)
back_to(d, "mark", condition="place == 5")
d.assign("choice", "6")
answers["end"] = to_the_end(d).code
finish()
"""
    first = OLD[begin:].replace("choice 0: turn 11", "choice 5: turn 16").replace("choice 0: fired", "choice 5: fired")
    second = first.replace("choice 5: fired", "choice 6: fired")
    answers = session(script, *program, expect_output=(OLD + first + second).encode())
    assert answers == {"threads": 2, "end": 0}


@pytest.mark.parametrize("kind", ["entry", "return"])
def test_a_call_of_a_function_returns_to_the_old_future(program: tuple[Path, Path], kind: str) -> None:
    script = START + f"""
point = d.catch("syscall", [4])                             # write
while (stop := d.cont(back=True)).kind is not StopKind.SYSCALL_{kind.upper()}:
    pass
d.delete(point)
here, names = state(d), [f"r{{n}}" for n in range(13)] + ["sp", "lr", "cpsr", "pc"]
saved = [d.read_register(n) for n in names]
start = d.resolve("*main")                                  # what GDB does for `call twice(4)`
back = d.break_at(start)
for name, value in (("r0", 4), ("lr", start | 1), ("cpsr", saved[15] | 32), ("pc", d.resolve("*twice"))):
    d.write_register(name, value)
answers["called"] = [d.cont().kind.value, d.pc == start, d.read_register("r0"), d.evaluate("calls").number()]
d.delete(back)
for name, value in zip(names, saved):
    d.write_register(name, value)
answers["back"] = [state(d) == here, d.system.live, d.evaluate("calls").number()]
d.seek("end")
answers["end"] = state(d) == end
finish()
"""
    answers = session(script, *program, expect_output=OLD.encode())
    assert answers == {"called": ["breakpoint", True, 8, 2], "back": [True, False, 1], "end": True}


def test_reset_runs_a_program_again(program: tuple[Path, Path]) -> None:
    script = START + """
back_to(d, "mark", condition="place == 3")
d.assign("choice", "3")
answers["reset"] = [d.reset().text, d.position.insns, d.system.live]
assert to_the_end(d).code == 0
answers["branches"] = len(d.branches)
d.switch(d.branches[-1].number)
d.seek("end")
answers["choice"] = d.evaluate("choice").number()
finish()
"""
    answers = session(script, *program, expect_output=(OLD + OLD).encode())
    assert answers == {"reset": ["reset", 0, True], "branches": 2, "choice": 3}


def test_a_call_that_is_about_to_be_made_is_made(program: tuple[Path, Path]) -> None:
    script = START + """
point = d.catch("syscall", [3])                             # read
stops = [d.cont(back=True) for _ in range(4)]
answers["stops"] = [[s.kind.value, s.name, s.number] for s in stops]
d.delete(point)
before = d.position
answers["text"] = [bytes(d.read_memory(d.read_register("r1"), 7)).decode(), d.read_register("r2")]
d.write_register("r2", 2)                                   # it reads less now
stop = d.step()
answers["returned"] = d.read_register("r0")
answers["moved"] = d.position.insns - before.insns
d.switch(1)
answers["r2"] = d.read_register("r2")
finish()
"""
    answers = session(script, *program)
    assert answers["stops"] == [["syscall return", "read", 3], ["syscall entry", "read", 3]] * 2
    assert answers["returned"] == 2
    assert answers["r2"] == 4


def test_a_point_that_is_set_where_the_guest_stood_is_met(program: tuple[Path, Path]) -> None:
    script = START + """
back_to(d, "mark", condition="place == 4")
to_the_end(d)                                               # from where no point is any more
answers["back"] = [back_to(d, "mark", condition="place == 5").kind.value, d.evaluate("place").number()]
finish()
"""
    assert session(script, *program) == {"back": ["breakpoint", 5]}


AGAIN = """
sysroot, *words = sys.argv[1:]
d = open_process(*words, sysroot=sysroot or None)
d.pass_signals = frozenset(range(1, 65))
to_the_end(d)
end = d.position
for part in (9, 5, 1):
    d.seek(end.insns * part // 10)
    r12 = d.read_register("r12")
    d.write_register("r12", r12 ^ 1)                        # begins another future
    d.write_register("r12", r12)                            # … which goes on as this one did
    answers[part] = [d.system.live, to_the_end(d).code]
    d.switch(d.branches[-1].number)
    d.seek("end")
    assert d.position == end
finish()
"""

SCRIPT = """set -- a b $1
cd /usr
trap 'echo trapped' USR1
exec 5< $0
while read line <&5; do n=$((n + 1)); done
for i in a b; do echo $i $n $PWD; done
kill -USR1 $$
x=$(echo sub | tr a-z A-Z)
echo $x | cat > $3
cat < $3
"""


@pytest.mark.parametrize("shell", [pytest.param("bash", marks=pytest.mark.slow), "busybox"])
def test_shells_go_on_from_anywhere(need: Callable[..., str], tmp_path: Path, shell: str) -> None:
    need("apt-get", "dpkg-deb")
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    words = (tools(), tools() / "bin/bash") if shell == "bash" else ("", busybox(), "sh")
    answers, output = session_output(AGAIN, *words, script, tmp_path / "out")
    assert answers == {"9": [True, 0], "5": [True, 0], "1": [True, 0]}
    once = [b"a 10 /usr", b"b 10 /usr", b"trapped", b"SUB"]
    lines = output.splitlines()
    assert (lines[:4], lines[-4:]) == (once, once)
    while lines:                                                # each of the four wrote what came after where it began
        written = next(n for n in range(1, 5) if lines[:n] == once[-n:])
        del lines[:written]
