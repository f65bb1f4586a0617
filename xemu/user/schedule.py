"""The run loop: guest threads share one engine; calls that wait park their thread.

A system call that must wait returns a generator. Each `yield Wait(…)` parks the thread until a descriptor is
ready, a deadline passes or somebody sets `woken`; the generator's return value is the call's result. A signal
for a parked thread is thrown into the generator as `Interrupted`.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from errno import EFAULT, EINVAL, ENOMEM, ENOSYS
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

from xemu.core.memory import GuestFault
from xemu.user import host
from xemu.user.task import KEEP, Inner, Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.user.process import Process
    from xemu.user.task import Task

QUANTUM = 1 << 20  # instructions a thread runs before the next one's turn
SHORT = 1 << 14  # … while somebody steps another one
LONGEST_SLICE, SHORTEST_SLICE = 1 << 22, 1 << 12
SLICE_TIME = 10_000_000  # ns: what a slice should take at most on the host
CALLS_PER_LOOK = 64  # system calls between looks at the host's signals
CHILD_LOOK = 50_000_000  # ns between looks at children that send no SIGCHLD


class Observer(Protocol):
    """Somebody who looks on: a debugger. What it raises leaves `Scheduler.run`, which can be called again."""

    def run(self, budget: int) -> Any:
        """Run the engine, instead of the engine's own `run`."""

    def look(self) -> None:
        """Called while no thread can run, before each look at the host."""

    def shows(self, number: int) -> bool:
        """Say whether signals of a number are looked at, ignored ones too."""

    def signal(self, task: Task, info: Any) -> bool:
        """Say whether a signal is delivered (it has not been taken from its queue)."""


class Timer:
    """Something due at a time of the monotonic clock."""

    __slots__ = ("due", "function")

    def __init__(self, due: int, function: Callable[[], None] | None) -> None:
        """`function` None: cancelled."""
        self.due = due
        self.function = function

    def cancel(self) -> None:
        """Make it do nothing."""
        self.function = None


class Scheduler:
    """Runs the threads of one guest process until it ends."""

    def __init__(self, process: Process) -> None:
        """Start empty; `process` fills in the engine before `run`."""
        self.process = process
        self.clock: Any = process.clock
        self.current: Task | None = None
        self.ready: deque[Task] = deque()
        self.parked: list[Task] = []
        self.timers: list[tuple[int, int, Timer]] = []
        self._sequence = 0
        self.attention = True
        self.slice = 1 << 16
        self.budget = self.slice
        self.quantum_end = 0
        self.calls_left = CALLS_PER_LOOK
        self.limit = process.options.max_insns
        self.stop_at = process.options.stop_at
        self.exact = self.clock.virtual
        self.unknown: set[int] = set()
        self.observer: Observer | None = None
        self.changed = False  # a thread has begun or ended to wait, a signal or timer has come, since an observer cleared it
        self.only: frozenset[int] | None = None  # threads that get turns; None: all
        self.follow = False  # … and those that they begin
        self.short_turns = 0
        self.steps = 0  # how often calls that wait have gone on

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until ProcessExit."""
        process = self.process
        engine = process.engine
        run = engine.run if self.observer is None else self.observer.run
        syscall_kind = process.exit_kinds.SYSCALL
        read_number, block, offset = process.call_access()
        exact = self.exact or self.observer is not None
        foreign = process.foreign_calls
        while True:
            if self.attention:
                self.attend()
            left = run(self.budget)
            if left.kind is not syscall_kind:
                process.leave(left)
                continue
            number = read_number()
            task: Any = self.current
            if foreign and left.number in foreign:
                entry = foreign[left.number].get(number)
            else:
                entry = process.table[number] if number < process.table_size else process.private_calls.get(number)
            if entry is None:
                process.set_result(self.no_such_call(task, number))
                continue
            try:
                result = entry[0](task, *entry[1](block, offset))
            except OSError as error:
                result = -(error.errno or EINVAL)
            except GuestFault:
                result = -EFAULT
            except (OverflowError, ValueError):
                result = -EINVAL
            except MemoryError:
                result = -ENOMEM
            if result.__class__ is int:
                process.set_result(result)
            elif result is not KEEP:
                self.park(task, result, entry[2])
            self.calls_left -= 1
            if exact or not self.calls_left:
                self.attention = True

    def no_such_call(self, task: Any, number: int) -> int:
        """Answer ENOSYS, and say so once at -v."""
        if number not in self.unknown:
            self.unknown.add(number)
            self.process.note(f"system call {number:#x} is not there (thread {task.tid}): ENOSYS")
        return -ENOSYS

    def attend(self) -> None:
        """Do what is due between slices: host signals, timers, waits, whose turn it is, delivery, the budget."""
        self.attention = False
        self.calls_left = CALLS_PER_LOOK
        process = self.process
        process.signals.take_from_host()
        if process.space.lost:
            process.page_lost()
        if self.timers:
            self._fire_timers()
        while True:
            if self.parked:
                self._look_at_parked()
            if self.current is None and not self._next_task():
                if self.observer is not None:
                    self.observer.look()
                self._idle()
                continue
            if self._turn_is_over():
                self._yield_turn()
            process.deliver()
            if self.current is not None:
                break
        self._set_budget()

    def _set_budget(self) -> None:
        budget = self.slice
        process = self.process
        if self.exact or self.ready or self.parked or self.limit is not None:
            now = process.engine.insns
            if self.exact:
                budget = QUANTUM
                if self.timers:
                    budget = min(budget, max(self.timers[0][0] - self.clock.monotonic(), 1))
            if self._others_wait():
                budget = min(budget, max(self.quantum_end - now, 1))
            if self.limit is not None:
                if now >= self.limit:
                    process.stopped(f"stopped after {now} instructions (--max-insns)")
                budget = min(budget, self.limit - now)
        if self.stop_at is not None and time.monotonic_ns() >= self.stop_at:
            process.stopped(f"stopped after {process.options.timeout} s (--timeout)")
        self.budget = budget
        self._slice_start = time.monotonic_ns()

    def look(self) -> None:
        """Have `attend` called as soon as native code can be left."""
        self.attention = True
        self.process.engine.kick()

    def slice_over(self) -> None:
        """Adapt the slice to the speed of the moment: long enough to be cheap, short enough to react."""
        self.attention = True
        took = time.monotonic_ns() - self._slice_start
        if took < SLICE_TIME // 4:
            self.slice = min(self.slice * 2, LONGEST_SLICE)
        elif took > SLICE_TIME:
            self.slice = max(self.slice // 2, SHORTEST_SLICE)

    # --- turns ----------------------------------------------------------------------------------

    def add(self, task: Task) -> None:
        """Make a thread ready to run."""
        self.ready.append(task)
        if self.follow and self.only is not None:
            self.only |= {task.tid}
        self.attention = True

    def restrict(self, only: frozenset[int] | None) -> None:
        """Give turns to some threads only; None: to all. The others are held: what they wait for does not wake them either."""
        self.only = only
        task = self.current
        if task is not None and not self.may_run(task):
            self.save_current()
            self.ready.appendleft(task)  # its turn goes on when it is let go
            self._next_task()
        self.attention = True

    def interject(self, task: Task) -> None:
        """Have a thread that waits be the next one to run, if it can: somebody looks at it now."""
        if self.current is None or self.current is task:
            return
        other = self.current
        self.save_current()
        self.ready.appendleft(other)
        if task in self.ready:
            self.ready.remove(task)
            self.ready.appendleft(task)
            self._next_task()

    def may_run(self, task: Task) -> bool:
        """Tell whether a thread gets turns."""
        return self.only is None or task.tid in self.only

    def _others_wait(self) -> bool:
        """Tell whether another thread waits for its turn."""
        return bool(self.ready) and (self.only is None or any(map(self.may_run, self.ready)))

    def _waiting(self) -> list[Task]:
        """Return the parked threads that may go on."""
        return self.parked if self.only is None else [task for task in self.parked if self.may_run(task)]

    def _turn_is_over(self) -> bool:
        return self._others_wait() and self.process.engine.insns >= self.quantum_end

    def give_up_turn(self) -> None:
        """sched_yield(2)."""
        if self._others_wait():
            self.quantum_end = 0
            self.attention = True

    def give_way(self) -> None:
        """Let each thread that waits for its turn have a short one before the running one goes on."""
        if self._others_wait():
            self.quantum_end = 0
            self.attention = True
            self.short_turns = sum(map(self.may_run, self.ready))

    def _yield_turn(self) -> None:
        task = self.current
        if task is not None:
            self.save_current()
            self.ready.append(task)
        self._next_task()

    def save_current(self) -> None:
        """Take the running thread's registers out of the engine."""
        if self.current is not None:
            self.current.registers = self.process.engine.state.save()
            self.current = None

    def _next_task(self) -> bool:
        while self.ready:
            task = self.ready[0] if self.only is None else next(filter(self.may_run, self.ready), None)
            if task is None:
                break
            self.ready.remove(task)
            if task.dead:
                continue
            self.current = task
            if task.registers is not None:
                self.process.engine.state.load(task.registers)
                task.registers = None
            if task.result is not None:
                self.process.set_result(task.result)
                task.result = None
            self.quantum_end = self.process.engine.insns + (SHORT if self.short_turns else QUANTUM)
            self.short_turns = max(self.short_turns - 1, 0)
            return True
        return False

    # --- waiting --------------------------------------------------------------------------------

    def park(self, task: Task, call: Any, row: Any) -> None:
        """Start the generator of a call that waits."""
        if call.__class__ is Inner:
            call, row = call
        task.call, task.call_row = call, row
        self.changed = True
        self._step(task, lambda: call.send(None))
        self.attention = True

    def _step(self, task: Task, advance: Callable[[], Wait]) -> bool:
        """Run a waiting call to its next wait or its end; True when it ended."""
        self.steps += 1
        try:
            task.wait = advance()
        except StopIteration as stop:
            result = stop.value
        except Interrupted:
            task.interrupted, result = task.call_row, None
        except OSError as error:
            result = -(error.errno or EINVAL)
        except GuestFault:
            result = -EFAULT
        else:
            if task is self.current:
                self.save_current()
            if task not in self.parked:
                self.parked.append(task)
            return False
        self._finish(task, result)
        return True

    def _finish(self, task: Task, result: Any) -> None:
        task.call = task.wait = None
        self.changed = True
        if task in self.parked:
            self.parked.remove(task)
        if self.process.traced:
            self.process.traced.finished(task, task.call_row, result)
        if task.saved_mask is not None and task.interrupted is None:
            task.blocked, task.saved_mask = task.saved_mask, None
        if result is KEEP:
            result = None
        if task is self.current:
            if result is not None:
                self.process.set_result(result)
        elif not task.dead:
            task.result = result
            self.ready.append(task)

    def _look_at_parked(self) -> None:
        """End the waits whose conditions hold now, without waiting."""
        self._collect(0)

    def _idle(self) -> None:
        """Nothing can run: wait for the host."""
        deadline = self._next_deadline()
        if self.stop_at is not None and time.monotonic_ns() >= self.stop_at:
            self.process.stopped(f"stopped after {self.process.options.timeout} s (--timeout)")
        if self.exact and deadline is not None and not self._world_can_wake():
            self.clock.skipped += max(deadline - self.clock.monotonic(), 0)
            self._after_idle()
            return
        timeout = None if deadline is None else max(deadline - self.clock.monotonic(), 0)
        if self.stop_at is not None:
            left = max(self.stop_at - time.monotonic_ns(), 0)
            timeout = left if timeout is None else min(timeout, left)
        before = time.monotonic_ns()
        self._collect(timeout)
        if self.exact:
            waited = time.monotonic_ns() - before
            self.clock.skipped += waited if timeout is None else min(waited, timeout)
        self._after_idle()

    def _after_idle(self) -> None:
        self.process.signals.drain_wake()
        self.process.signals.take_from_host()
        if self.timers:
            self._fire_timers()

    def _world_can_wake(self) -> bool:
        return bool(self.process.children) or any(t.wait and t.wait.descriptors for t in self._waiting())

    def _next_deadline(self) -> int | None:
        self._drop_cancelled()
        due = [t.wait.deadline for t in self._waiting() if t.wait and t.wait.deadline is not None]
        if self.timers:
            due.append(self.timers[0][0])
        return min(due, default=None)

    def _collect(self, timeout: int | None) -> None:
        """Poll everything parked threads wait for (at most `timeout` ns) and resume those that are done."""
        signals = self.process.signals
        wanted: list[tuple[int, int]] = []
        waiting = self._waiting()
        for task in waiting:
            if task.wait is not None:
                if task.wait.woken:
                    timeout = 0
                wanted.extend(task.wait.descriptors)
        if self._signal_for_parked():
            timeout = 0
        found: dict[int, int] = {}
        if timeout != 0 or wanted:
            own = [(signals.fd, host.POLLIN), (signals.wake[0], host.POLLIN)]
            for fd, events in host.poll(wanted + own, timeout):
                found[fd] = found.get(fd, 0) | events
            if found.get(signals.fd) or found.get(signals.wake[0]):
                signals.drain_wake()
                signals.take_from_host()
        now = self.clock.monotonic()
        for task in list(waiting):
            wait = task.wait
            if wait is None or task.call is None:
                continue
            wait.ready = [(fd, found[fd]) for fd, _ in wait.descriptors if fd in found] if found else []
            wait.timed_out = wait.deadline is not None and now >= wait.deadline
            if wait.woken or wait.ready or wait.timed_out:
                call = task.call
                self._step(task, lambda call=call, wait=wait: call.send(wait))  # type: ignore[misc]
            elif self._must_take(task):
                self.interrupt(task)

    def abandon(self, task: Task) -> None:
        """End a call that waits, without a result: a debugger has the thread go on elsewhere."""
        if task.call is not None:
            with contextlib.suppress(Exception):
                task.call.close()
            self._finish(task, KEEP)

    def _signal_for_parked(self) -> bool:
        return any(self._must_take(task) for task in self._waiting())

    def _must_take(self, task: Task) -> bool:
        """Tell whether a parked thread has a signal that no running thread will take."""
        next_for = self.process.signals.next_for
        info = next_for(task, peek=True)
        if info is None:
            return False
        if info in task.pending:
            return True
        bit = 1 << (info.signo - 1)
        running = [self.current, *self.ready] if self.current else self.ready
        return all(other.blocked & bit for other in running if self.may_run(other))

    def interrupt(self, task: Task) -> None:
        """Throw a signal into a parked thread's call."""
        call = task.call
        if call is not None:
            self._step(task, lambda: call.throw(Interrupted()))

    def remove(self, task: Task) -> None:
        """Forget a thread that ended."""
        task.dead = True
        if task.call is not None:
            with contextlib.suppress(Exception):
                task.call.close()
            task.call = task.wait = None
        if task in self.parked:
            self.parked.remove(task)
        if task in self.ready:
            self.ready.remove(task)
        if task is self.current:
            self.current = None
        self.attention = True

    def child_changed(self) -> None:
        """A child ended or stopped: look again wherever a thread waits for one."""
        for task in self.parked:
            if task.wait is not None and getattr(task.call_row, "name", "") in ("wait4", "waitid", "waitpid"):
                task.wait.woken = True
        self.attention = True

    # --- timers ---------------------------------------------------------------------------------

    def at(self, due: int, function: Callable[[], None]) -> Timer:
        """Call a function when the monotonic clock reaches `due`."""
        timer = Timer(due, function)
        self._sequence += 1
        heappush(self.timers, (due, self._sequence, timer))
        self.attention = True
        return timer

    def _drop_cancelled(self) -> None:
        while self.timers and self.timers[0][2].function is None:
            heappop(self.timers)

    def _fire_timers(self) -> None:
        now = self.clock.monotonic()
        while self.timers and self.timers[0][0] <= now:
            timer = heappop(self.timers)[2]
            if timer.function is not None:
                function, timer.function = timer.function, None
                self.changed = True
                function()

    def drop_timers_for_exec(self) -> None:
        """Forget POSIX timers; the process' interval timers stay (execve(2))."""
        process = self.process
        for posix in process.posix_timers.values():
            posix.cancel()
        process.posix_timers.clear()

    def after_fork(self) -> None:
        """Keep only the running thread."""
        self.ready.clear()
        self.parked.clear()
        self.timers.clear()
        self.only = None
        self.attention = True

