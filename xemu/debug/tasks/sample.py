"""The kernel of our firmware samples (samples/firmware/src/kernel.c): an array of threads, one of which is current."""

from __future__ import annotations

from xemu.debug.tasks import Program, Task, TaskReader, task_reader
from xemu.debug.tasks.cortex_m import unstack


@task_reader
class SampleKernel(TaskReader):
    """Reads `threads`, `current` and `stacks`."""

    name = "sample kernel"
    symbols = ("threads", "current", "switch_stacks")

    def tasks(self, program: Program) -> list[Task]:
        """Return the threads that were created."""
        found = []
        for number, thread in enumerate(program["threads"]):
            running = int(program["current"]) == thread.address
            if not running and not thread["sp"]:
                continue
            stack = program["stacks"][number]
            state = "running" if running else str(thread["state"]).lower()
            if state == "waiting":
                state += f" in {str(thread['reason']).lower()}"
            registers = None if running else unstack(program, int(thread["sp"]))
            found.append(Task(thread.address, f"thread {number}", state, None, running, registers, stack.range))
        return found
