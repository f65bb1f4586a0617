"""Guest threads: clone with CLONE_THREAD, thread-local storage, futexes, robust lists. futex(2)."""

from __future__ import annotations

from errno import EAGAIN, EDEADLK, EINVAL, ENOSYS, EPERM, ESRCH, ETIMEDOUT
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, SHARED, WRITE, GuestFault
from xemu.user import host
from xemu.user.calls import processes as p
from xemu.user.calls.times import read_time
from xemu.user.rows import call
from xemu.user.task import Task, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

(FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI,
 FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI,
 FUTEX_LOCK_PI2) = range(14)  # fmt: skip
FUTEX_PRIVATE, FUTEX_CLOCK_REALTIME = 128, 256
FUTEX_WAITERS, FUTEX_OWNER_DIED, FUTEX_TID_MASK = 0x80000000, 0x40000000, 0x3FFFFFFF
ALL_BITS = 0xFFFFFFFF
ROBUST_LIMIT = 2048
SHARED_LOOK = 2_000_000  # ns between looks at a futex that another process may wake


class Waiter:
    """A thread in a futex queue."""

    __slots__ = ("address", "bits", "pi", "task", "wait")

    def __init__(self, task: Task, address: int, bits: int) -> None:
        """Enter with the bits it can be woken by."""
        self.task = task
        self.address = address
        self.bits = bits
        self.pi = 0  # address of the PI futex it was requeued to
        self.wait = Wait()


# --- making and ending threads ------------------------------------------------------------------


def new_thread(task: Task, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int) -> int:
    """Start a guest thread; its registers are the caller's but for stack, TLS and the result 0."""
    process = task.process
    state = process.engine.state
    child = Task(process, process.new_tid())
    if flags & p.CLONE_PARENT_SETTID:
        task.space.write_u32(parent_tid, child.tid)
    if flags & p.CLONE_CHILD_SETTID:
        task.space.write_u32(child_tid, child.tid)
    child.blocked = task.blocked
    child.comm = task.comm
    child.clear_tid = child_tid if flags & p.CLONE_CHILD_CLEARTID else 0
    saved = state.save()
    if stack:
        state.write(process.abi.stack_register, stack)
    if flags & p.CLONE_SETTLS:
        process.abi.set_tls(task, tls)
    process.set_result(0)
    child.registers = state.save()
    state.load(saved)
    process.tasks[child.tid] = child
    process.scheduler.add(child)
    process.scheduler.quantum_end = min(process.scheduler.quantum_end or 1 << 62, process.engine.insns + (1 << 20))
    return child.tid


def end_thread(task: Task) -> None:
    """Do what the kernel does when a thread ends: robust locks, clear_child_tid."""
    process = task.process
    _release_robust(task)
    if task.clear_tid and (len(process.tasks) > 1 or process.vfork is not None or process.is_child):
        try:
            task.space.write_u32(task.clear_tid, 0)
            wake(task, task.clear_tid, 1)
        except GuestFault:
            pass
    if len(process.tasks) > 1:
        process.tasks.pop(task.tid, None)
        process.scheduler.remove(task)


@call("set_tid_address ptr")
def set_tid_address(task: Task, address: int) -> int:
    """set_tid_address(2)."""
    task.clear_tid = address
    return task.tid


# --- robust lists -------------------------------------------------------------------------------


@call("set_robust_list ptr size")
def set_robust_list(task: Task, address: int, size: int) -> int:
    """set_robust_list(2)."""
    if size != 3 * task.process.abi.bits // 8:
        return -EINVAL
    task.robust_list, task.robust_size = address, size
    return 0


@call("get_robust_list pid ptr ptr")
def get_robust_list(task: Task, pid: int, address: int, size: int) -> int:
    """get_robust_list(2)."""
    target = task.process.tasks.get(pid) if pid else task
    if target is None:
        return -ESRCH
    task.write_word(address, target.robust_list)
    task.write_word(size, target.robust_size or 3 * task.process.abi.word.size)
    return 0


def _release_robust(task: Task) -> None:
    """Mark the locks a dying thread holds (kernel/futex/core.c, exit_robust_list)."""
    head = task.robust_list
    if not head:
        return
    last = (1 << task.process.abi.bits) - 1
    try:
        word = task.process.abi.word.size
        entry, offset, pending = (task.read_word(head + n * word) for n in range(3))
        for _ in range(ROBUST_LIMIT):
            if entry & ~1 == head:
                break
            following = task.read_word(entry & ~1)
            if entry & ~1 != pending & ~1:
                _owner_died(task, (entry & ~1) + offset & last)
            entry = following
        if pending:
            _owner_died(task, (pending & ~1) + offset & last)
    except GuestFault:
        return


def _owner_died(task: Task, address: int) -> None:
    value = task.space.read_u32(address)
    if value & FUTEX_TID_MASK != task.tid:
        return
    task.space.write_u32(address, value & FUTEX_WAITERS | FUTEX_OWNER_DIED)
    if value & FUTEX_WAITERS:
        wake(task, address, 1)


# --- queues -------------------------------------------------------------------------------------


def _value(task: Task, address: int) -> int:
    """Read a futex."""
    if address & 3:
        raise OSError(EINVAL, "futex")
    return task.space.read_u32(address)


def _own_value(task: Task, address: int) -> int:
    """Read a futex that the call may change."""
    if address & 3:
        raise OSError(EINVAL, "futex")
    task.space.view(address, 4, READ | WRITE)
    return task.space.read_u32(address)


def _is_shared(task: Task, address: int) -> bool:
    return address < task.space.limit and bool(task.space.flags[address >> 12] & SHARED)


def wake(task: Task, address: int, count: int, bits: int = ALL_BITS) -> int:
    """Wake up to `count` threads that wait on a word; returns how many."""
    queue: list[Waiter] = task.process.futexes.get(address, [])
    woken = 0
    for waiter in list(queue):
        if woken >= count:
            break
        if waiter.bits & bits:
            queue.remove(waiter)
            waiter.wait.woken = True
            woken += 1
    if not queue:
        task.process.futexes.pop(address, None)
    if woken:
        task.process.scheduler.attention = True
    if woken < count and _is_shared(task, address):
        woken += host.futex_wake(task.space.base + address, min(count - woken, 0x7FFFFFFF))
    return woken


def _requeue(task: Task, source: int, target: int, count: int, pi: int = 0) -> int:
    queue: list[Waiter] = task.process.futexes.get(source, [])
    moved = queue[:count]
    del queue[:count]
    if not queue:
        task.process.futexes.pop(source, None)
    if moved:
        task.process.futexes.setdefault(target, []).extend(moved)
    for waiter in moved:
        waiter.address = target
        waiter.pi = pi
    return len(moved)


def _leave(task: Task, waiter: Waiter) -> None:
    queue = task.process.futexes.get(waiter.address, [])
    if waiter in queue:
        queue.remove(waiter)
        if not queue:
            del task.process.futexes[waiter.address]


def _wait(task: Task, address: int, value: int, deadline: int | None, bits: int) -> Any:
    if not bits:
        return -EINVAL
    if _value(task, address) != value:
        return -EAGAIN
    if deadline is not None and deadline <= task.process.clock.monotonic():
        return -ETIMEDOUT
    if _is_shared(task, address):
        return _wait_shared(task, address, value, deadline, bits)
    return _wait_private(task, Waiter(task, address, bits), deadline)


def _wait_private(task: Task, waiter: Waiter, deadline: int | None) -> Generator[Wait, Wait, int]:
    waiter.wait.deadline = deadline
    task.process.futexes.setdefault(waiter.address, []).append(waiter)
    try:
        while True:
            yield waiter.wait
            if waiter.wait.woken:
                return 0
            if waiter.wait.timed_out:
                return -ETIMEDOUT
    finally:
        _leave(task, waiter)


def _wait_shared(task: Task, address: int, value: int, deadline: int | None, bits: int) -> Generator[Wait, Wait, int]:
    """Wait on a word other processes may wake: sleep in the host's futex a little at a time."""
    waiter = Waiter(task, address, bits)
    process = task.process
    process.futexes.setdefault(address, []).append(waiter)
    step = SHARED_LOOK // 16
    try:
        while True:
            now = process.clock.monotonic()
            alone = len(process.tasks) == 1
            if alone:
                try:
                    host.futex_wait(task.space.base + address, task.process.abi.host_word(value), SHARED_LOOK)
                except OSError as error:
                    if error.errno == EAGAIN:
                        return 0
                    process.clock.waited(SHARED_LOOK)
                else:
                    return 0
            waiter.wait.deadline = now if alone else now + step
            if deadline is not None:
                waiter.wait.deadline = min(waiter.wait.deadline, deadline)
            yield waiter.wait
            step = min(step * 2, SHARED_LOOK)
            if waiter.wait.woken or _value(task, address) != value:
                return 0
            if deadline is not None and process.clock.monotonic() >= deadline:
                return -ETIMEDOUT
    finally:
        _leave(task, waiter)


# --- operations ---------------------------------------------------------------------------------


def _wake_op(task: Task, first: int, wake_first: int, wake_second: int, second: int, operation: int) -> int:
    _own_value(task, second)
    old = task.space.read_i32(second)
    kind, compare = operation >> 28 & 7, operation >> 24 & 15
    argument, limit = _signed12(operation >> 12), _signed12(operation)
    if operation >> 31:
        argument = 1 << (argument & 31)
    new = {0: argument, 1: old + argument, 2: old | argument, 3: old & ~argument, 4: old ^ argument}.get(kind)
    if new is None:
        return -ENOSYS
    task.space.write_u32(second, new)
    hit = {0: old == limit, 1: old != limit, 2: old < limit, 3: old <= limit, 4: old > limit, 5: old >= limit}.get(compare)
    if hit is None:
        return -ENOSYS
    woken = wake(task, first, wake_first)
    return woken + (wake(task, second, wake_second) if hit else 0)


def _signed12(value: int) -> int:
    value &= 0xFFF
    return value - 0x1000 if value & 0x800 else value


def _lock_pi(task: Task, address: int, deadline: int | None, *, only_try: bool) -> Any:
    """Take a PI lock: the word holds the owner's thread id (no priorities to inherit here)."""
    value = _own_value(task, address)
    owner = value & FUTEX_TID_MASK
    if owner == task.tid:
        return -EDEADLK
    if not owner:
        task.space.write_u32(address, value & FUTEX_WAITERS | value & FUTEX_OWNER_DIED | task.tid)
        return 0
    if only_try:
        return -EAGAIN
    if owner not in task.process.tasks and not _is_shared(task, address):
        return -ESRCH
    task.space.write_u32(address, value | FUTEX_WAITERS)
    return _wait_pi(task, address, deadline)


def _wait_pi(task: Task, address: int, deadline: int | None) -> Generator[Wait, Wait, int]:
    waiter = Waiter(task, address, ALL_BITS)
    result = yield from _wait_private(task, waiter, deadline)
    return result


def _unlock_pi(task: Task, address: int) -> int:
    value = _own_value(task, address)
    if value & FUTEX_TID_MASK != task.tid:
        return -EPERM
    queue: list[Waiter] = task.process.futexes.get(address, [])
    if not queue:
        task.space.write_u32(address, 0)
        return 0
    task.space.write_u32(address, queue[0].task.tid | (FUTEX_WAITERS if len(queue) > 1 else 0))
    wake(task, address, 1)
    return 0


def _wait_requeue_pi(task: Task, address: int, value: int, deadline: int | None, target: int) -> Any:
    if _value(task, address) != value:
        return -EAGAIN
    _value(task, target)
    return _wait_private(task, Waiter(task, address, ALL_BITS), deadline)


def _requeue_pi(task: Task, source: int, target: int, wake_count: int, move_count: int) -> int:
    """FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock if it is free, the rest wait for it."""
    if wake_count != 1:
        return -EINVAL
    value = _own_value(task, target)
    queue: list[Waiter] = task.process.futexes.get(source, [])
    done = 0
    if queue and not value & FUTEX_TID_MASK:
        task.space.write_u32(target, queue[0].task.tid | (FUTEX_WAITERS if len(queue) > 1 else 0))
        done = wake(task, source, 1)
    moved = _requeue(task, source, target, move_count, target)
    if moved:
        task.space.write_u32(target, task.space.read_u32(target) | FUTEX_WAITERS)
    return done + moved


def _deadline(task: Task, operation: int, timeout: int, layout: str) -> int | None:
    """Return the time limit on the monotonic clock."""
    if not timeout:
        return None
    limit = read_time(task, timeout, layout)
    clock, command = task.process.clock, operation & 127
    if command == FUTEX_WAIT:
        return clock.monotonic() + limit
    if operation & FUTEX_CLOCK_REALTIME or command == FUTEX_LOCK_PI:
        return clock.monotonic() + limit - clock.realtime()
    return limit


def _futex(task: Task, address: int, operation: int, value: int, timeout: int, second: int, third: int, layout: str) -> Any:
    """futex(2): one branch per operation."""
    command = operation & 127
    if command in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
        bits = third if command == FUTEX_WAIT_BITSET else ALL_BITS
        return _wait(task, address, value, _deadline(task, operation, timeout, layout), bits)
    if command in (FUTEX_WAKE, FUTEX_WAKE_BITSET):
        _value(task, address)
        bits = third if command == FUTEX_WAKE_BITSET else ALL_BITS
        return wake(task, address, max(value & 0x7FFFFFFF, 1), bits) if bits else -EINVAL
    if command in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE):
        now = _value(task, address)
        _value(task, second)
        if command == FUTEX_CMP_REQUEUE and now != third:
            return -EAGAIN
        timeout &= 0xFFFFFFFF
        if value >> 31 or timeout >> 31:
            return -EINVAL
        woken = wake(task, address, value) if value else 0
        moved = _requeue(task, address, second, timeout)
        return woken + (moved if command == FUTEX_CMP_REQUEUE else 0)
    if command == FUTEX_WAKE_OP:
        _value(task, address)
        return _wake_op(task, address, value, timeout & 0xFFFFFFFF, second, third)
    if command in (FUTEX_LOCK_PI, FUTEX_LOCK_PI2):
        return _lock_pi(task, address, _deadline(task, operation, timeout, layout), only_try=False)
    if command == FUTEX_TRYLOCK_PI:
        return _lock_pi(task, address, None, only_try=True)
    if command == FUTEX_UNLOCK_PI:
        return _unlock_pi(task, address)
    if command == FUTEX_WAIT_REQUEUE_PI:
        return _wait_requeue_pi(task, address, value, _deadline(task, operation, timeout, layout), second)
    if command == FUTEX_CMP_REQUEUE_PI:
        if _value(task, address) != third:
            return -EAGAIN
        return _requeue_pi(task, address, second, value, timeout & 0xFFFFFFFF)
    return -ENOSYS


@call("futex ptr enum:futex uint ptr ptr uint")
def futex(task: Task, address: int, operation: int, value: int, timeout: int, second: int, third: int) -> Any:
    """futex(2)."""
    return _futex(task, address, operation, value, timeout, second, third, "timespec")


@call("futex_time64 ptr enum:futex uint ptr ptr uint")
def futex_time64(task: Task, address: int, operation: int, value: int, timeout: int, second: int, third: int) -> Any:
    """futex(2) with 64-bit times."""
    return _futex(task, address, operation, value, timeout, second, third, "timespec64")
