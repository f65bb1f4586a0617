"""FreeRTOS (V9 and later): tasks are in lists by what they wait for; a list's items point to the tasks' control blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.tasks import MOST, Program, Task, TaskReader, task_reader
from xemu.debug.tasks.cortex_m import unstack
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.tasks.program import View

#: list -> what its tasks do; there are more where the configuration has them
LISTS = {"xDelayedTaskList1": "delayed", "xDelayedTaskList2": "delayed", "xPendingReadyList": "ready",
         "xSuspendedTaskList": "suspended", "xTasksWaitingTermination": "deleted"}


@task_reader
class FreeRtos(TaskReader):
    """Reads the scheduler's lists. A task that runs is in a list of tasks that are ready."""

    name = "FreeRTOS"
    symbols = ("pxReadyTasksLists", "xDelayedTaskList1", "vTaskSwitchContext")

    def tasks(self, program: Program) -> Iterator[Task]:
        """Yield the tasks, those that are ready first."""
        current = program.get("pxCurrentTCB")
        if current is None:
            current = program["pxCurrentTCBs"][0]            # V11 with several cores
        if not current:
            return                                           # no task was created
        seen: set[int] = set()
        for ready in program["pxReadyTasksLists"]:
            yield from self._listed(program, ready, "ready", current, seen)
        for name, state in LISTS.items():
            found = program.get(name)
            if found is not None:
                yield from self._listed(program, found, state, current, seen)

    def _listed(self, program: Program, tasks: View, state: str, current: View, seen: set[int]) -> Iterator[Task]:
        end = tasks["xListEnd"].address
        item = tasks["xListEnd"]["pxNext"]
        for _ in range(MOST):
            if not item or int(item) == end:                 # 0: the scheduler has not been started
                return
            address = int(item["pvOwner"])
            if address not in seen:
                seen.add(address)
                yield self._task(program, program.at(address, current.value.type.plain.target), state, current)
            item = item["pxNext"]
        raise UsageError("a list of tasks does not end: it is damaged")

    def _task(self, program: Program, block: View, state: str, current: View) -> Task:
        running = block.address == int(current)
        event = block["xEventListItem"]
        waits = event["pvContainer"] if "pvContainer" in event else event["pxContainer"]
        if running:
            state = "running"
        elif waits and state in ("delayed", "suspended"):
            state = "blocked" if state == "suspended" else "blocked, with a timeout"
        name = str(block["pcTaskName"])
        low = int(block["pxStack"])
        high = int(block["pxEndOfStack"]) if "pxEndOfStack" in block else 0
        return Task(block.address, name, state, int(block["uxPriority"]), running,
                    None if running or state == "deleted" else unstack(program, int(block["pxTopOfStack"])),
                    (low, high) if high else None)
