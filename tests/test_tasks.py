"""Readers of tasks: our own kernel on several processors, and the structures of FreeRTOS and Zephyr."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xemu.debug import open_machine
from xemu.debug.stops import StopKind
from xemu.debug.tasks import Program, Task, backtrace, find_reader, tasks
from xemu.errors import UsageError
from xemu.tui.queries import find

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.tui.queries.threads import Threads

ROOT = Path(__file__).resolve().parent.parent
ELF = ROOT / "samples/firmware/elf"


def at(board: str, program: str, place: str) -> Debugger:
    d = open_machine(ELF / board / f"{program}.elf", machine=board)
    d.break_at(place)
    assert d.cont().kind is StopKind.BREAKPOINT
    return d


def calls(d: Debugger, task: Task) -> list[str]:
    return [frame.function for frame in backtrace(d, task)]


def by_name(found: list[Task]) -> dict[str, Task]:
    return {task.name: task for task in found}


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "microbit"])
def test_threads_of_our_kernel(board: str) -> None:
    d = at(board, "kernel", "consume")                       # the last of three to start
    found = tasks(d)
    assert [task.name for task in found] == [f"thread {n}" for n in range(4)]
    assert [task.running for task in found] == [False, False, True, False]
    assert "receive" in found[1].state
    assert calls(d, found[0])[-1] == "produce_thread"
    assert calls(d, found[1])[-1] == "work_thread"
    assert calls(d, found[2])[0] == "consume"
    assert calls(d, found[3])[-1] == "main"
    assert all(task.stack is not None and task.registers is not None and task.stack[0] < task.registers["sp"] <= task.stack[1]
               for task in found if not task.running)


def test_the_states_are_those_of_the_past_too() -> None:
    d = at("mps2-an386", "kernel", "consume")
    now = tasks(d)
    d.break_at("work")
    assert d.cont(back=True).kind is StopKind.BREAKPOINT
    assert by_name(tasks(d))["thread 1"].running
    d.cont()
    assert tasks(d) == now


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386"])     # its ports push EXC_RETURN with floating point only
def test_tasks_as_freertos_keeps_them(board: str) -> None:
    d = at(board, "tasks_freertos", "observe")
    found = by_name(tasks(d))
    assert {name: (task.state, task.priority) for name, task in found.items()} == {
        "IDLE": ("running", 0), "logger": ("ready", 0), "blink": ("delayed", 2), "receive": ("blocked", 3),
        "poll": ("blocked, with a timeout", 2), "parked": ("suspended", 1)}
    for name in ("blink", "receive", "poll", "parked"):      # that of `receive` has floating-point registers in it
        assert calls(d, found[name])[-1] == name, name
    assert calls(d, found["IDLE"]) == ["observe", "main"]
    for task in found.values():
        assert task.stack is not None
        assert task.stack[1] - task.stack[0] == 512


def test_threads_as_zephyr_keeps_them() -> None:
    d = at("mps2-an386", "tasks_zephyr", "observe")
    found = by_name(tasks(d))
    assert {name: (task.state, task.priority) for name, task in found.items()} == {
        "main": ("running", 0), "sample": ("pending", -1), "shell": ("suspended", 14), "worker": ("ready", 3), "once": ("dead", 5)}
    assert [calls(d, found[name])[-1:] for name in ("sample", "shell", "worker", "once")] == [["sample"], ["shell"], ["worker"], []]


def test_a_task_is_a_thread_to_the_debugger() -> None:
    d = at("mps2-an385", "kernel", "consume")
    waits, runs = tasks(d)[1:3]
    assert waits.registers is not None
    assert d.read_register("sp", waits.id) == waits.registers["sp"]
    assert [frame.function for frame in d.backtrace(waits.id)] == calls(d, waits)
    assert {v.name for v in d.locals(d.backtrace(waits.id)[-2], waits.id)} >= {"i"}
    assert not d.write_register("r4", 1, waits.id)                 # it is in memory
    assert d.read_register("pc", runs.id) == d.pc
    with pytest.raises(UsageError, match="no thread 12"):
        d.backtrace(12)


def test_a_damaged_list_is_said_so() -> None:
    d = at("mps2-an386", "tasks_freertos", "observe")
    delayed = Program(d)["xDelayedTaskList1"]
    item = delayed["xListEnd"]["pxNext"]
    d.write_memory(item["pxNext"].address, int(item).to_bytes(4, "little"))      # it is its own successor
    with pytest.raises(UsageError, match="does not end"):
        tasks(d)
    shown: Threads = find("threads.threads")[0](d)
    assert shown.kernel == "FreeRTOS"
    assert "does not end" in shown.problem
    assert [row.kind for row in shown.rows] == ["core"]


def test_a_task_whose_stack_is_nowhere_has_no_calls() -> None:
    d = at("mps2-an386", "tasks_freertos", "observe")
    block = by_name(tasks(d))["blink"].id
    d.write_memory(block, (0xB000_0000).to_bytes(4, "little"))
    found = by_name(tasks(d))["blink"]
    assert (found.state, found.registers, backtrace(d, found)) == ("delayed", None, [])


def test_a_program_without_a_kernel_has_no_tasks() -> None:
    d = open_machine(ELF / "mps2-an385/timer.elf", machine="mps2-an385")
    assert find_reader(d) is None
    assert tasks(d) == []


def test_before_the_kernel_has_started_there_are_none() -> None:
    d = open_machine(ELF / "mps2-an386/tasks_freertos.elf", machine="mps2-an386")
    assert tasks(d) == []


def test_the_reader_in_the_documentation_works() -> None:
    text = (ROOT / "docs/adding-a-task-reader.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert code in (ROOT / "xemu/debug/tasks/sample.py").read_text(encoding="utf-8")       # it is the real one
    d = at("mps2-an385", "kernel", "consume")
    first, built_in = tasks(d), find_reader(d)
    exec(compile(code, "reader.py", "exec"), {"__name__": "reader"})  # as a script of the user
    reader = find_reader(d)
    assert reader is not built_in
    assert type(reader).__module__ == "reader"
    assert tasks(d) == first
