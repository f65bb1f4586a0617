"""Linux programs of PowerPC in the debugger: libraries that are linked when they are first called, signals, threads' variables."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import PROGRAMS, session_output
from tests.support.guests import PREFIXES, SYSROOTS, built

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module", params=["ppc", "ppc64le"])
def arch(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


LIBRARY = """
sysroot, program = sys.argv[1:]
d = open_process(program, sysroot=sysroot)
plugged = d.break_at("plugged", pending=True, condition="x > 1")
d.break_at("main", once=True)
d.cont()
steps, positions = [], []
for _ in range(12):
    steps.append(place(d))
    positions.append(d.position)
    d.step_line()
answers["steps"] = steps
back = []
for position in reversed(positions):
    d.step_line(back=True)
    back.append(place(d) if d.position.insns == position.insns else str(d.position))
answers["back"] = back[::-1]
stop = d.cont()
while stop.kind is StopKind.HISTORY_END:
    stop = d.cont()
answers["plugged"] = stop.text
answers["stack"] = [f.function for f in d.backtrace()[:2]]
answers["variable"] = d.evaluate("library_calls").number()
answers["finish"] = d.finish().text.partition("; ")[2]
finish()
"""


def test_steps_go_into_libraries_and_back(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    compiler = need(PREFIXES[arch] + "gcc")
    if not (SYSROOTS[arch] / "lib").exists():
        pytest.skip("the C library of " + arch)
    for name in ("triple", "plug"):
        subprocess.run([compiler, "-g", "-shared", "-fPIC", PROGRAMS / f"{name}.c", "-o", tmp_path / f"lib{name}.so"], check=True)
    program = tmp_path / "uselib"
    subprocess.run([compiler, "-g", PROGRAMS / "uselib.c", "-o", program, f"-L{tmp_path}", "-ltriple", f"-Wl,-rpath,{tmp_path}",
                    "-Wl,-z,lazy"], check=True)
    answers, output = session_output(LIBRARY, SYSROOTS[arch], program)
    assert answers["steps"][:7] == [["main", 7], ["triple", 9], ["triple", 10], ["helper", 5], ["helper", 6], ["triple", 11], ["main", 8]]
    assert answers["steps"][7] == ["triple", 9]
    assert answers["back"] == answers["steps"]
    assert answers["plugged"] == "breakpoint 1, plugged () at plug.c:3"
    assert answers["stack"] == ["plugged", "main"]
    assert answers["variable"] == 2
    assert answers["finish"] == "plugged returned 49"
    assert output in (b"", b"called\n")


SIGNALS = """
d = open_process(sys.argv[1])
d.system.signals = lambda number: False
d.break_at("inner")
d.cont()
frames = d.backtrace()
answers["names"] = [f.function for f in frames]
answers["signal"] = [f.signal for f in frames]
work = next(f for f in frames if f.function == "work")
answers["n"] = d.evaluate("n", frame=work).text()
d.finish()
d.finish()
answers["after"] = d.backtrace(limit=1)[0].signal
d.cont()
answers["second"] = [f.function for f in d.backtrace()[:3]]
answers["info"] = d.backtrace()[2].signal
d.step_line(back=True)
answers["back"] = place(d)[0]
finish()
"""


@pytest.mark.parametrize("options", [("-O1",), ("-O0",)], ids=["O1", "O0"])
def test_signals(arch: str, options: tuple[str, ...], need: Callable[..., str], tmp_path: Path) -> None:
    program = built(need, tmp_path, arch, "signals.c", "-g", "-static", *options)
    answers, _ = session_output(SIGNALS, program)
    names = answers["names"]
    assert names[:3] == answers["second"] == ["inner", "handler", "signal handler called"]
    assert answers["signal"][2]
    assert answers["info"]
    assert names.index("work") < names.index("main")
    assert answers["n"] == "10" or options == ("-O1",)          # GCC keeps it in a register that the call has changed
    assert answers["back"] == "handler"


OWN = """
d = open_process(sys.argv[1])
d.break_at("work", condition="n == 2")
d.cont()
d.cont()
answers["own"] = [d.evaluate("own").number(), d.evaluate("counts[2]").number(), d.evaluate("n").number()]
answers["threads"] = len(d.system.threads())
other = next(t.id for t in d.system.threads() if t.id != d.system.thread)
answers["other"] = d.evaluate("own", thread=other).number() != d.evaluate("own").number()
finish()
"""


def test_variables_of_threads(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    program = built(need, tmp_path, arch, "threads.c", "-g", "-static", "-O0", "-pthread")
    answers, _ = session_output(OWN, program)
    own, count, n = answers["own"]
    assert own == count * n
    assert count > 0
    assert answers["threads"] > 1
    assert answers["other"]
