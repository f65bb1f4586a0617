"""Motions through x86 code: the same steps as GDB's, the same ones back, what calls and instructions do."""

from __future__ import annotations

import json
import platform
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build, session_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test for x86-64 hosts")

OPTIONS = ("-g", "-O0", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-mgeneral-regs-only", "-fcf-protection=none")
GDB_STEPS = """
import gdb, json
gdb.execute("break run"); gdb.execute("run", to_string=True)
found = []
while gdb.selected_inferior().threads():
    frame = gdb.selected_frame()
    found.append([frame.pc(), frame.name(), frame.find_sal().line])
    gdb.execute("step", to_string=True)
open({result!r}, "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module", params=[(), ("-m32",)], ids=["64", "32"])
def program(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(" ".join(["gcc", *request.param]))
    return build(tmp_path_factory.mktemp("x86"), "freestanding.c", *OPTIONS, *request.param, prefix="")


def run(program: Path, script: str) -> dict[str, Any]:
    answers, output = session_output("d = open_process(sys.argv[1])\n" + script + "\nfinish()\n", program)
    assert output in (b"hello, gdb\n", b"")
    return answers


def test_steps_are_gdbs_and_lead_back(program: Path, need: Callable[..., str], tmp_path: Path) -> None:
    result, script = tmp_path / "steps.json", tmp_path / "steps.py"
    script.write_text(GDB_STEPS.format(result=str(result)))
    subprocess.run([need("gdb-multiarch"), "-nx", "-q", "-batch", program, "-x", script], capture_output=True, timeout=60, check=True)
    answers = run(program, """
def here():
    frame = d.backtrace(limit=1)[0]
    return [frame.pc, frame.function, frame.place.line if frame.place else 0]

d.break_at("run")
d.cont()
steps, positions = [], []
while not d.stop.kind.final:
    steps.append(here())
    positions.append(d.position)
    d.step_line()
back = []
for position in reversed(positions):
    d.step_line(back=True)
    back.append(here() if d.position.insns == position.insns else [str(d.position), str(position)])
answers.update(steps=steps, back=back)
""")
    assert answers["steps"] == json.loads(result.read_text())
    assert answers["back"] == answers["steps"][::-1]


def test_calls_are_passed_finished_and_called(program: Path) -> None:
    answers = run(program, """
d.break_at("run", once=True)
d.cont()
lines = []
while d.backtrace(limit=1)[0].function == "run" and len(lines) < 100:
    lines.append(d.source_line().line)
    d.next_line()
answers["lines"] = lines
d.seek("start")
d.break_at("fact")
d.cont()
d.cont()
d.cont()
answers["stack"] = [f.function for f in d.backtrace()]
for point in list(d.points.by_id.values()):
    d.delete(point)
finished = d.finish()
answers["finish"] = finished.text.partition("; ")[2]
answers["after"] = [d.backtrace()[0].function, d.evaluate("n").number()]
d.finish(back=True)
answers["before"] = [d.evaluate("n").number(), d.disassemble(None, 1)[0].mnemonic]
""")
    assert answers["stack"] == ["fact", "fact", "fact", "run", "begin", "_start"]
    assert answers["finish"] == "fact returned 6"
    assert answers["after"] == ["fact", 4]
    assert answers["before"] == [5, "call"]
    assert len(answers["lines"]) > 10
    assert len(set(answers["lines"])) == 9             # all lines of `run`


def test_accesses_and_what_comes(program: Path) -> None:
    answers = run(program, """
from xemu.debug.accesses import Accesses
from xemu.debug.foresight import foresee
d.break_at("leaf")
d.cont()
ahead = list(foresee(d, 6))
pcs = []
for _ in ahead:
    pcs.append(d.pc)
    known = [[a.kind, a.address, a.size] for a in Accesses(d.system).before(d.disassemble(None, 1)[0])]
    answers.setdefault("accesses", []).append(known)
    d.step()
answers["ahead"] = [[item.pc, [[a.kind, a.address, a.size] for a in item.accesses]] for item in ahead]
answers["pcs"] = pcs
watch = d.watch("counter")
d.cont()
stop = d.cont()
answers["watch"] = [stop.kind.value, stop.watch.old[0], stop.watch.new[0], d.disassemble(None, 1)[0].mnemonic]
back = d.cont(back=True)
answers["back"] = [back.kind.value, d.evaluate("counter").number()]
""")
    assert answers["watch"][:3] == ["watchpoint", 0, 1]
    assert answers["back"][1] == 0
    assert [pc for pc, _ in answers["ahead"]] == answers["pcs"]
    assert [sorted(accesses) for _, accesses in answers["ahead"]] == [sorted(accesses) for accesses in answers["accesses"]]
    assert any(answers["accesses"])


def test_code_backwards_starts_where_instructions_do(program: Path) -> None:
    answers = run(program, """
from xemu.debug.disassembly import previous
start = d.modules.function(d.source.addresses("*run")[0])
forward, at = [], start.start
for line in d.disassemble(start.start, 400):
    if line.address >= start.end:
        break
    forward.append(line.address)
back, at = [], forward[-1]
while at > start.start:
    at = previous(d.source.read_memory, at, "", d.modules, d.source.architecture)
    back.append(at)
answers.update(forward=forward, back=back)
""")
    assert answers["back"] == answers["forward"][-2::-1]
    assert len(answers["back"]) > 30
