"""Debugging by source: motions by lines against GDB and backwards, conditions and watchpoints in C, call stacks, libraries, threads."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build, session
from tests.support.gdb_steps import gdb_places
from xemu.debug import open_machine
from xemu.debug.stops import StopKind
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger

HERE = Path(__file__).parent
KERNEL = HERE.parent / "samples" / "firmware" / "elf" / "mps2-an385" / "kernel.elf"
LIBRARIES = Path("/usr/arm-linux-gnueabihf")

@pytest.fixture(scope="module")
def programs(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    need("arm-linux-gnueabihf-gcc")
    place = tmp_path_factory.mktemp("source")
    return lambda source, *options: build(place, source, "-g", *options)


# -- motions against GDB -----------------------------------------------------------------------------------------------------
MOVE = """
program, start, motions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
how = {"step": "step_line", "next": "next_line", "finish": "finish"}
d = open_process(program)
run_to(d, start)
places = [place(d)]
for motion in motions:
    if getattr(d, how[motion])().kind.final:
        break
    places.append(place(d))
answers["places"] = places
finish()
"""


def places(program: Path, start: str, motions: list[str]) -> list[tuple[str, int]]:
    return [(name, line) for name, line in session(MOVE, program, start, json.dumps(motions))["places"]]


@pytest.mark.parametrize("mode", ["-marm", "-mthumb"])
@pytest.mark.parametrize(("start", "motions"), [
    ("main", ["next"] * 40),
    ("main", ["step"] * 70),
    ("factorial", ["next"] * 20),
    ("add", ["step", "finish", "step", "step", "next", "finish", "step"]),
    ("factorial", [*["step"] * 7, *["finish"] * 4, "next", "step"]),
], ids=["next", "step", "recursion", "finish", "finish recursion"])
def test_motions_stop_where_gdb_does(programs: Callable[..., Path], need: Callable[..., str], tmp_path: Path, mode: str, start: str,
                                     motions: list[str]) -> None:
    need("gdb-multiarch", "qemu-arm")
    program = programs("steps.c", "-O0", mode, "-static")
    wanted = gdb_places(tmp_path, program, start, motions)
    assert len(wanted) > 6
    assert places(program, start, motions) == wanted


@pytest.mark.parametrize("options", [("-O1", "-marm"), ("-Os", "-marm"), ("-O1", "-mthumb")], ids=" ".join)
@pytest.mark.parametrize("motion", ["step", "next"])
def test_motions_in_optimized_code_stop_where_gdb_does(
        programs: Callable[..., Path], need: Callable[..., str], tmp_path: Path, options: tuple[str, ...], motion: str) -> None:
    need("gdb-multiarch", "qemu-arm")
    program = programs("steps.c", *options, "-static")
    wanted = gdb_places(tmp_path, program, "main", [motion] * 60)
    found = places(program, "main", [motion] * 60)
    assert found == wanted
    assert len(wanted) > 10


@pytest.mark.parametrize(("start", "lines"), [("main", [26, 27, 28, 29, 30]), ("between", [19, 20, 21])])
def test_steps_over_calls_that_are_left_by_longjmp(programs: Callable[..., Path], start: str, lines: list[int]) -> None:
    found = places(programs("jumps.c", "-O0", "-static"), start, ["next"] * 5)
    assert [line for name, line in found if name == start][1:len(lines) + 1] == lines


BACK = """
program, start, motion, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
d = open_process(program, sysroot=sys.argv[5] if len(sys.argv) > 5 else None)
run_to(d, start, pending=True)
move = getattr(d, motion)
forwards = [[d.position.insns, *place(d)]]
for _ in range(count):
    move()
    forwards.append([d.position.insns, *place(d)])
back = []
for _ in range(count):
    stop = move(back=True)
    assert stop.kind is StopKind.STEP
    back.append([d.position.insns, *place(d)])
answers["wanted"], answers["back"] = forwards[-2::-1], back
finish()
"""


@pytest.mark.parametrize(("motion", "count", "options"), [
    ("step_line", 50, ("-O0", "-marm")), ("step_line", 50, ("-O0", "-mthumb")), ("step_line", 30, ("-O1", "-marm")),
    ("next_line", 20, ("-O0", "-marm")), ("next_line", 9, ("-Os", "-mthumb")),
], ids=str)
def test_every_motion_is_undone_backwards(programs: Callable[..., Path], motion: str, count: int, options: tuple[str, ...]) -> None:
    answers = session(BACK, programs("steps.c", *options, "-static"), "main", motion, count)
    assert answers["back"] == answers["wanted"]


def test_a_loop_on_one_line_is_passed_at_full_speed_in_both_directions(programs: Callable[..., Path]) -> None:
    answers = session(BACK, programs("loop_line.c", "-O0", "-static"), "main", "next_line", 4)
    assert answers["back"] == answers["wanted"]
    assert [line for _, _, line in answers["wanted"]] == [11, 10, 9, 8]
    assert answers["wanted"][0][0] - answers["wanted"][1][0] > 1_000_000


HANDLERS = """
d = open_process(sys.argv[1])
run_to(d, "work", condition="n == 2")
thread = d.system.thread
forwards = [[d.position.insns, *place(d)]]
for _ in range(20):
    assert d.step_line().kind is StopKind.STEP
    assert d.system.thread == thread
    forwards.append([d.position.insns, *place(d)])
back = []
for _ in range(20):
    d.step_line(back=True)
    back.append([d.position.insns, *place(d)])
answers["wanted"], answers["back"] = forwards[-2::-1], back
answers["functions"] = sorted({row[1] for row in forwards})
others = [t.id for t in d.system.threads() if t.id != thread]
answers["others"] = [[f.function for f in d.backtrace(other)] for other in others]
answers["own"] = d.evaluate("own").number()
d.seek("end")
pcs = {other: d.read_register("pc", other) for other in others}
answers["threads"] = [d.step(thread=other).kind.value for other in others if d.system.threads()]
answers["turn"] = [d.system.thread == others[-1], d.pc != pcs[others[-1]]]
answers["no thread"] = refused(lambda: d.step(thread=1 << 29))
finish()
"""


def test_threads_and_signals_are_run_through(programs: Callable[..., Path]) -> None:
    answers = session(HANDLERS, programs("threads.c", "-O0", "-static"))
    assert answers["back"] == answers["wanted"]
    assert answers["functions"] == ["run", "work"]                      # neither on_alarm nor spin
    assert any("main" in stack for stack in answers["others"])
    assert any("run" in stack for stack in answers["others"])
    assert answers["threads"] == ["step", "step"]
    assert answers["turn"] == [True, True]
    assert answers["no thread"] == f"there is no thread {1 << 29}"


# -- values ------------------------------------------------------------------------------------------------------------------
VALUES = """
d = open_process(sys.argv[1])
said = []
d.log = said.append
point = d.break_at("factorial", condition="n > 2 && n != 4")
answers["native"] = point.condition_at(point.address).native(lambda name: d.engine.state.place(name)) is not None
answers["stops"] = [[d.cont().text, d.evaluate("n").number()] for _ in range(3)]
d.delete(point)
answers["stack"] = [f.function for f in d.backtrace()[:3]]
answers["locals"] = [[v.name, v.text] for v in d.locals(d.backtrace()[1])]
inside = d.position
answers["finish"] = d.finish().text
d.seek(inside)
answers["back"] = [d.finish(back=True).text, place(d)]
d.seek("end")
half = run_to(d, "half")
answers["half"] = d.finish().text
run_to(d, "wide")
answers["wide"] = d.finish().text
answers["assign"] = [d.assign("total", 1000).text(), d.assign("total", "total * 2 + 1").text()]
answers["code"] = d.disassemble("*main", 1)[0].symbol
answers["line"] = d.source_line().name
answers["errors"] = [refused(lambda: d.break_at("add", condition="nosuch > 1")), refused(lambda: d.break_at("nosuch")),
                     refused(lambda: d.break_at("add", condition="a >")), refused(lambda: d.watch("total + 1")),
                     refused(lambda: d.watch("$r77")), refused(lambda: d.evaluate("half(3)"))]
finish()
"""


def test_conditions_values_and_results_of_functions(programs: Callable[..., Path]) -> None:
    answers = session(VALUES, programs("steps.c", "-O0", "-static"))
    assert answers["native"]
    assert [n for _, n in answers["stops"]] == [5, 3, 3]
    assert answers["stops"][0][0] == "breakpoint 1, factorial () at steps.c:18"
    assert answers["stack"] == ["factorial", "main", "__libc_start_call_main"]
    assert ["total", "120"] in answers["locals"]
    assert answers["finish"] == "main () at steps.c:57; factorial returned 6"
    assert answers["back"] == ["main () at steps.c:57", ["main", 57]]
    assert answers["half"].endswith("; half returned 1.5")
    assert answers["wide"].endswith(f"; wide returned {1 << 33}")
    assert answers["assign"] == ["1000", "2001"]
    assert answers["code"] == "main"
    assert answers["line"] == "steps.c:61"
    assert answers["errors"] == ["no variable or symbol 'nosuch' here", "no function or symbol 'nosuch'",
                                 "expected a value at the end of 'a >'", "total + 1 cannot be watched: it is not in memory",
                                 "no register $r77", "functions cannot be called: half()"]


WATCH = """
d = open_process(sys.argv[1])
said = []
d.log = said.append
d.break_at("touch", log="len {s->len} {counter:x} {{}} {nosuch}")
run_to(d, "steps.c:56")
answers["said"] = said
d.seek("start")
point = d.watch("counter")
answers["counter"] = [[d.cont().text, d.evaluate("counter").number()] for _ in range(2)]
answers["back"] = [d.cont(back=True).text, d.evaluate("counter").number()]
d.delete(point)
run_to(d, "add")
d.watch("sum")
answers["sum"] = [[d.cont().text, place(d)[0]] for _ in range(3)]
answers["left"] = [str(p) for p in d.points.by_id.values() if p.owner in ("user", "scope")]
point = d.watch("s.len", condition="s.len == 6")
answers["member"] = [point.length, d.cont().text, d.evaluate("s.len").number()]
d.delete(point)
run_to(d, "add")
end = d.position
d.watch("$r7")
stop = d.cont()
answers["register"] = [stop.kind.value, stop.watch.old != stop.watch.new, d.position.insns > end.insns]
there = d.position
d.step(2)
stop = d.cont(back=True)
answers["register back"] = [stop.kind.value, there.insns - d.position.insns]
finish()
"""


def test_watchpoints_on_expressions_locals_and_registers(programs: Callable[..., Path]) -> None:
    answers = session(WATCH, programs("steps.c", "-O0", "-static", "-mthumb"))
    assert [text.partition(" <")[0] for text in answers["said"]] == ["len 3 0x0 {}", "len 4 0x1 {}", "len 5 0x2 {}"]
    assert all("no variable or symbol 'nosuch'" in text for text in answers["said"])
    assert [n for _, n in answers["counter"]] == [1, 2]
    assert answers["counter"][0][0].endswith("01000000, touch () at steps.c:34")
    assert answers["back"][1] == 1
    assert [name for _, name in answers["sum"]] == ["add", "add", "main"]
    assert answers["sum"][2][0].startswith("watchpoint")
    assert "ends with its frame, main () at steps.c:5" in answers["sum"][2][0]
    assert len(answers["left"]) == 1
    assert answers["member"][0] == 4
    assert answers["member"][2] == 6
    assert answers["register"] == ["watchpoint", True, True]
    assert answers["register back"] == ["watchpoint", 1]


PLACES = """
d = open_process(sys.argv[1])
run_to(d, "main")
answers["until"] = d.until("steps.c:56").text
answers["advance"] = d.advance("factorial").text
depth = len(d.backtrace())
answers["deeper"] = [d.until("steps.c:21").text, len(d.backtrace()) == depth]
answers["up"] = [d.advance("steps.c:63").text, place(d)]
run_to(d, "steps.c:63")
answers["back"] = [d.advance("factorial", back=True).text, d.evaluate("n").number()]
d.seek("start")
run_to(d, "steps.c:59")
answers["loop"] = d.until().text
point = d.break_at("twice")
answers["inlined"] = len(point.addresses)
finish()
"""


def test_running_to_places(programs: Callable[..., Path]) -> None:
    answers = session(PLACES, programs("steps.c", "-O0", "-static"))
    assert answers["until"] == "main () at steps.c:56"
    assert answers["advance"] == "factorial () at steps.c:18"
    assert answers["deeper"] == ["factorial () at steps.c:21", True]
    assert answers["up"] == ["main () at steps.c:56", ["main", 56]]      # the end of the frame
    assert answers["back"] == ["factorial () at steps.c:18", 1]
    assert answers["loop"] == "main () at steps.c:60"
    assert answers["inlined"] >= 1


# -- libraries ---------------------------------------------------------------------------------------------------------------
LIBRARY = """
sysroot, program = sys.argv[1:]
d = open_process(program, sysroot=sysroot)
answers["first"] = [library.path.rsplit("/", 1)[-1][:8] for library in d.system.libraries()]
triple, plugged = d.break_at("triple", pending=True), d.break_at("plugged", pending=True, condition="x > 1")
answers["waiting"] = [triple.addresses, plugged.addresses]
answers["stop"] = d.cont().text
answers["names"] = sorted(module.name.rsplit("/", 1)[-1].partition(".")[0] for module in d.modules)
d.delete(triple)
d.finish()
answers["variable"] = d.evaluate("library_calls").number()
answers["plugged"] = d.cont().text
answers["stack"] = [f.function for f in d.backtrace()[:2]]
answers["libraries"] = [bool(library.link) for library in d.system.libraries()]
d.seek("start")
answers["again"] = [len(d.modules), d.cont().text]
answers["pid"] = d.system.pid == os.getpid() and len(d.system.auxv()) > 100 and d.system.exe_path.startswith("/")
finish()
"""


@pytest.fixture(scope="module")
def dynamic(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program with a library, which loads another one."""
    need("arm-linux-gnueabihf-gcc")
    if not (LIBRARIES / "lib" / "libc.so.6").exists():
        pytest.skip("the C library for armhf")
    place = tmp_path_factory.mktemp("dynamic")
    for name in ("triple", "plug"):
        subprocess.run(["arm-linux-gnueabihf-gcc", "-g", "-shared", "-fPIC", HERE / "debug_programs" / f"{name}.c",
                        "-o", place / f"lib{name}.so"], check=True)
    program = place / "uselib"
    subprocess.run(["arm-linux-gnueabihf-gcc", "-g", HERE / "debug_programs" / "uselib.c", "-o", program, f"-L{place}", "-ltriple",
                    f"-Wl,-rpath,{place}", "-Wl,-z,lazy"], check=True)
    return program


def test_breakpoints_wait_for_libraries(dynamic: Path) -> None:
    answers = session(LIBRARY, LIBRARIES, dynamic)
    assert answers["first"] == ["uselib", "ld-linux"]
    assert answers["waiting"] == [[], []]
    assert answers["stop"] == "breakpoint 1, triple () at triple.c:9"
    assert {"uselib", "libtriple", "libc", "ld-linux-armhf"} <= set(answers["names"])
    assert answers["variable"] == 1
    assert answers["plugged"] == "breakpoint 2, plugged () at plug.c:3"
    assert answers["stack"] == ["plugged", "main"]
    assert all(answers["libraries"])
    assert answers["again"] == [2, "breakpoint 2, plugged () at plug.c:3"]
    assert answers["pid"]


def test_steps_go_into_libraries_and_back(dynamic: Path) -> None:
    answers = session(BACK, dynamic, "main", "step_line", 20, LIBRARIES)
    assert answers["back"] == answers["wanted"]
    functions = {row[1] for row in answers["wanted"]}
    assert functions == {"main", "triple", "helper", "plugged"}


# -- firmware ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def kernel() -> Debugger:
    return open_machine(KERNEL, "mps2-an385")


def test_steps_in_a_thread_of_a_kernel_are_undone(kernel: Debugger) -> None:
    point = kernel.break_at("produce_thread")
    assert kernel.cont().text == "breakpoint 1, produce_thread () at kernel.c:293"    # into which produce was inlined
    assert kernel.step_line().text == "produce () at kernel.c:258"
    kernel.delete(point)
    seen = [(kernel.position.insns, kernel.where())]
    for _ in range(30):
        assert kernel.step_line().kind is StopKind.STEP
        seen.append((kernel.position.insns, kernel.where()))
    assert {text for _, text in seen} == {f"produce () at kernel.c:{line}" for line in (258, 259, 260, 261)}
    back = []
    for _ in range(30):
        kernel.step_line(back=True)
        back.append((kernel.position.insns, kernel.where()))
    assert back == seen[-2::-1]
    assert kernel.step_line(back=True).text == "produce_thread () at kernel.c:293"


def test_an_interrupt_handler_and_what_it_has_interrupted(kernel: Debugger) -> None:
    kernel.break_at("on_tick")
    assert kernel.cont().text == "breakpoint 1, on_tick () at kernel.c:72"
    entered = kernel.position
    stack = kernel.backtrace()
    assert [frame.function for frame in stack[:3]] == ["on_tick", "SysTick", "wfi"]
    assert kernel.finish().text == "wfi () at cortexm.h:87"
    kernel.seek(entered)
    assert kernel.finish(back=True).kind is StopKind.STEP
    assert kernel.position < entered
    assert kernel.where() == "wfi () at cortexm.h:87"
    assert kernel.finish(back=True).text.startswith("idle_thread ()")


def test_variables_and_conditions_of_firmware(kernel: Debugger) -> None:
    point = kernel.break_at("on_tick", condition="ticks == 10 && threads[0].state != 9")
    assert point.condition_at(point.address).native(kernel.engine.state.place) is not None          # type: ignore[union-attr]
    kernel.cont()
    assert kernel.evaluate("ticks").number() == 10
    kernel.delete(point)
    watch = kernel.watch("ticks")
    assert watch.length == 4
    assert kernel.cont().text.endswith("on_tick () at kernel.c:73")
    assert kernel.evaluate("ticks").number() == 11
    assert kernel.assign("ticks", 1000).number() == 1000
    assert kernel.evaluate("current->state").text() == "READY"
    with pytest.raises(UsageError, match="struct thread has no member 'stat'; did you mean 'state'"):
        kernel.evaluate("current->stat")


def test_files_of_a_machine(kernel: Debugger) -> None:
    assert [library.path for library in kernel.system.libraries()] == [str(KERNEL)]
    assert kernel.modules.address_of("ticks") is not None
    assert kernel.resolve("*main") <= kernel.resolve("main")
    assert kernel.disassemble("*main", 1)[0].symbol == "main"


# -- documentation -----------------------------------------------------------------------------------------------------------
def test_the_examples_of_the_manual_print_what_they_say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    blocks = re.findall(r"^```python\n(.*?)^```$", (HERE.parent / "docs" / "scripting.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
        shown = [word.strip() for line in block.splitlines() for word in line.partition("# → ")[2].split(" → ") if word]
        assert capsys.readouterr().out.splitlines() == shown
