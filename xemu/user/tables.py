"""What a process consists of besides memory and registers, as plain data: to take, to keep, and to put back.

A debugger that goes on from the past puts back what was true there. Files have their offsets of then and their contents of now.
What cannot come back (a closed pipe or socket, a child that has ended) is marked, and a call that needs it raises LostError. A
thread that waited in a call makes it again. Timers have as much time left as then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.user import host
from xemu.user import signals as sig
from xemu.user.descriptors import FILE, Descriptor, LostDescriptor, LostError
from xemu.user.procfs import Listing
from xemu.user.schedule import QUANTUM
from xemu.user.task import Task

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from xemu.user.descriptors import OpenFile
    from xemu.user.process import Process

PROCESS = ("argv", "environment", "exe", "exe_host", "comm", "brk", "brk_start", "mmap_top", "program_bias", "stack_range",
           "stack_info", "dumpable", "personality", "tids", "leader_status")
TASK = ("tid", "registers", "result", "blocked", "saved_mask", "wait_set", "stack_sp", "stack_size", "clear_tid", "robust_list",
        "robust_size", "comm", "restart", "interrupted", "fault", "cpu_time")
_of_process, _of_task = attrgetter(*PROCESS), attrgetter(*TASK)

#: what calls change of a process: none of it …
NOTHING, OFFSET, STATE, ALL = range(4)
_NOTHING = """
    getpid gettid getppid getuid geteuid getgid getegid getuid32 geteuid32 getgid32 getegid32 getpgid getpgrp getsid uname sysinfo
    clock_gettime clock_gettime64 clock_getres clock_getres_time64 gettimeofday times getrusage getitimer sched_yield getcpu stat
    lstat fstat newfstatat stat64 lstat64 fstat64 fstatat64 statx time access faccessat faccessat2 readlink readlinkat getcwd
    statfs64 fstatfs64 pread64 pwrite64 preadv pwritev fsync fdatasync ftruncate ftruncate64 unlink unlinkat rename renameat
    renameat2 mkdir mkdirat rmdir chmod fchmod fchmodat chown fchown utimensat utimensat_time64 symlink symlinkat link linkat
    mprotect madvise msync futex futex_time64 poll ppoll ppoll_time64 epoll_wait _newselect select old_select ugetrlimit getrlimit
    prlimit64 rt_sigpending sigpending getsockname getpeername getsockopt send sendto sendmsg recv recvfrom
"""
#: … the offset of the file in the first argument …
_OFFSET = "read write readv writev lseek _llseek getdents getdents64"
#: … all but descriptors and directories; the others may change everything
_STATE = """
    brk mmap mmap2 old_mmap munmap mremap rt_sigaction rt_sigprocmask sigprocmask sigaltstack rt_sigreturn sigreturn rt_sigsuspend
    sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 kill tkill tgkill set_robust_list set_tid_address prctl arch_prctl
    set_thread_area personality getrandom setitimer alarm timer_create timer_settime timer_settime64 timer_delete nanosleep
    clock_nanosleep clock_nanosleep_time64 wait4 waitid waitpid exit rt_sigqueueinfo rt_tgsigqueueinfo
"""
CHANGES = {name: kind for kind, names in ((NOTHING, _NOTHING), (OFFSET, _OFFSET), (STATE, _STATE)) for name in names.split()}


class OpenEntry(NamedTuple):
    """A descriptor's row."""

    number: int
    entry: Descriptor
    cloexec: bool
    offset: int | None
    flags: int


class Files(NamedTuple):
    """Descriptors, and what paths start from."""

    entries: tuple[OpenEntry, ...]
    directory: bytes
    umask: int | None


class Thread(NamedTuple):
    """One thread. `waits`: in a call."""

    values: tuple[Any, ...]
    pending: tuple[Any, ...]
    waits: bool


class State(NamedTuple):
    """All the rest."""

    process: tuple[Any, ...]
    children: frozenset[int]
    segments: tuple[tuple[int, int], ...]
    actions: tuple[Any, ...]
    pending: tuple[Any, ...]
    signal_files: tuple[Any, ...]
    threads: tuple[Thread, ...]
    current: int | None
    ready: tuple[int, ...]
    interval_timers: dict[int, Any]
    posix_timers: dict[int, Any]
    due: tuple[tuple[Any, int, int], ...]              # timers that run: when, interval
    now: int
    virtual: tuple[int, int] | None                    # of the virtual clock: time skipped, what random numbers come next


class Tables(NamedTuple):
    """A process without memory and registers. `offsets`: later ones than those in `files`."""

    files: Files
    state: State
    offsets: Mapping[OpenFile, int]


# --- taking -------------------------------------------------------------------------------------


def take(process: Process, held: Collection[int] = ()) -> Tables:
    """Return everything as it is. `held`: threads that are about to make a call."""
    return Tables(take_files(process), take_state(process, held), {})


def offset_of(entry: Descriptor) -> int | None:
    """Return where a file is read next; None for what has no place."""
    if isinstance(entry.data, Listing):
        return entry.data.position
    if isinstance(entry, LostDescriptor) or (entry.kind != FILE and entry.blocks()):
        return None
    try:
        return os.lseek(entry.host, 0, os.SEEK_CUR)
    except OSError:
        return None


def take_files(process: Process) -> Files:
    """Return descriptors and directories."""
    entries = []
    for number, entry in process.fds.table.items():
        if isinstance(entry, LostDescriptor):
            entries.append(OpenEntry(number, entry.of, entry.cloexec, None, 0))
        else:
            flags = fcntl.fcntl(entry.host, fcntl.F_GETFL)
            entries.append(OpenEntry(number, entry, entry.cloexec, offset_of(entry), flags))
    try:
        directory = os.getcwdb()
    except OSError:
        directory = b""
    return Files(tuple(entries), directory, process.umask)


def take_state(process: Process, held: Collection[int] = ()) -> State:
    """Return all but descriptors and directories."""
    scheduler, clock, signals = process.scheduler, process.clock, process.signals
    threads = tuple([Thread(_of_task(task), tuple(task.pending), task.call is not None or task.tid in held)
                     for task in process.tasks.values()])
    current = scheduler.current
    return State(_of_process(process), frozenset(process.children | process.lost_children), tuple(process.segments.items()),
                 tuple(signals.actions), tuple(signals.pending), tuple(signals.files), threads, None if current is None else current.tid,
                 tuple([task.tid for task in scheduler.ready]), dict(process.interval_timers), dict(process.posix_timers),
                 tuple((timer, timer.due, timer.interval) for timer in _timers(process) if timer.due), clock.monotonic(),
                 (clock.skipped, clock._random) if clock.virtual else None)  # type: ignore[union-attr]  # noqa: SLF001


def _timers(process: Process) -> list[Any]:
    timers = [*process.interval_timers.values(), *process.posix_timers.values()]
    if process.clock.virtual:
        timers += [e.data.timer for e in process.fds.table.values() if hasattr(e.data, "timer")]
    return timers


# --- putting back -------------------------------------------------------------------------------


def put_back(process: Process, tables: Tables, current: int | None, registers: Mapping[int, bytes]) -> None:
    """Have the process be what it was; `current` is the running thread's number, whose registers the engine has.

    `registers`: of other threads, where they are known better than here.
    """
    _put_state(process, tables.state)
    _put_files(process, tables.files, tables.offsets)
    _put_threads(process, tables.state, current, registers)
    _put_signals(process, tables.state)
    _put_timers(process, tables.state)


def _put_files(process: Process, files: Files, offsets: Mapping[OpenFile, int]) -> None:
    table: dict[int, Descriptor] = {}
    for number, entry, cloexec, offset, flags in files.entries:
        try:
            entry.reopen()
        except LostError as error:
            table[number] = lost = LostDescriptor(entry, number, str(error))
            lost.cloexec = cloexec
            continue
        table[number] = entry
        entry.cloexec = cloexec
        place = offsets.get(entry.file, offset)
        if isinstance(entry.data, Listing):
            entry.data.position = place or 0
        elif place is not None:
            with contextlib.suppress(OSError):
                os.lseek(entry.host, place, os.SEEK_SET)
        if fcntl.fcntl(entry.host, fcntl.F_GETFL) != flags:
            fcntl.fcntl(entry.host, fcntl.F_SETFL, flags)
    process.fds.set_table(table)
    if files.directory:
        with contextlib.suppress(OSError):
            os.chdir(files.directory)
    if files.umask is not None:
        os.umask(files.umask)
    process.umask = files.umask


def _put_state(process: Process, state: State) -> None:
    for name, value in zip(PROCESS, state.process, strict=True):
        setattr(process, name, value)
    host.set_name(process.comm)
    process.segments = dict(state.segments)
    process.children = {pid for pid in state.children if _is_child(pid)}
    process.lost_children = set(state.children - process.children)
    if state.virtual is not None:
        process.clock.skipped, process.clock._random = state.virtual  # type: ignore[union-attr]  # noqa: SLF001


def _is_child(pid: int) -> bool:
    """Tell whether a process has not been waited for."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _put_threads(process: Process, state: State, current: int | None, registers: Mapping[int, bytes]) -> None:
    scheduler = process.scheduler
    for task in process.tasks.values():
        task.dead = True
        if task.call is not None:
            with contextlib.suppress(Exception):
                task.call.close()
    process.futexes.clear()
    scheduler.parked.clear()
    scheduler.ready.clear()
    process.tasks = {}
    for thread in state.threads:
        task = Task(process, thread.values[0])
        for name, value in zip(TASK, thread.values, strict=True):
            setattr(task, name, value)
        task.pending = list(thread.pending)
        process.tasks[task.tid] = task
        task.registers = registers.get(task.tid, task.registers) if task.tid != current else None
        if thread.waits:
            _call_again(process, task)
    order = [tid for tid in state.ready if tid != current]
    order += [tid for tid in process.tasks if tid not in order and tid != current]
    scheduler.ready.extend(process.tasks[tid] for tid in order)
    scheduler.current = None if current is None else process.tasks[current]
    scheduler.quantum_end = process.engine.insns + QUANTUM
    scheduler.attention = scheduler.changed = True


def _call_again(process: Process, task: Task) -> None:
    """Have a thread make the call again in which it waited: its arguments are still in the registers."""
    if task.saved_mask is not None:
        task.blocked, task.saved_mask = task.saved_mask, None
    task.wait_set = 0
    if task.registers is None:
        return
    state = process.engine.state
    running = state.save()
    state.load(task.registers)
    state.write("pc", state.read("pc") - process.abi.syscall_size(state))
    task.registers = state.save()
    state.restore(running)


def _put_signals(process: Process, state: State) -> None:
    signals = process.signals
    signals.actions[:] = state.actions
    signals.pending[:] = state.pending
    signals.files[:] = state.signal_files
    for number in (*sig.MIRRORED, sig.SIGCHLD):
        signals.mirror(number)
    if process.scheduler.current is not None:
        signals.mirror_mask(process.scheduler.current.blocked)


def _put_timers(process: Process, state: State) -> None:
    for timer in _timers(process):
        timer.cancel()
    process.scheduler.timers.clear()
    process.interval_timers, process.posix_timers = dict(state.interval_timers), dict(state.posix_timers)
    later = 0 if state.virtual is not None else process.clock.monotonic() - state.now
    for timer, due, interval in state.due:
        timer.set(due + later, interval)
