"""A guest process: memory, descriptors, threads, signals, and what ends a slice of execution."""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import LITTLE
from xemu.core.memory import GuestFault, make_space
from xemu.user import host
from xemu.user import program as programs
from xemu.user import signals as sig
from xemu.user.abi import get_door, register_offset
from xemu.user.clock import DEFAULT_EPOCH, HostClock, VirtualClock
from xemu.user.descriptors import Descriptors, LostDescriptor
from xemu.user.paths import Paths
from xemu.user.pids import HostPids, VirtualPids
from xemu.user.procfs import Proc
from xemu.user.rows import ROWS, dispatch_table, under
from xemu.user.schedule import Scheduler
from xemu.user.signals import SigInfo, Signals
from xemu.user.task import ProcessExit, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.memory import AddressSpace
    from xemu.user.abi import Abi, Cause
    from xemu.user.rows import Row
    from xemu.user.stack import InitialStack
    from xemu.user.strace import Strace

EINTR = 4


class Options:
    """What the command line says about a run; see cli/run.py for the meaning."""

    sysroot: str | None = None
    strace = False
    verbose = 0
    timeout: float | None = None
    timeout_exit_code = 124
    stop_at: int | None = None
    max_insns: int | None = None
    virtual_clock = False
    seed: int | None = None
    epoch = DEFAULT_EPOCH
    aslr = False
    jit = True
    eager_jit = False
    trace_hash = False
    tracing = False  # the hash is kept, whether or not it is printed
    stats = False


class Process:
    """One guest process; lives in one host process."""

    def __init__(self, options: Options, make_engine: Callable[[str, AddressSpace, Options], Any]) -> None:
        """Prepare everything but the program; `make_engine(arch, space, options)` gives the CPU."""
        self.options = options
        self.make_engine = make_engine
        self.engine: Any = None
        self.abi: Abi = None  # type: ignore[assignment]  # until `load` has seen the program
        self.traced: Strace | None = None
        self.space: AddressSpace = None  # type: ignore[assignment]  # … and its architecture is known
        self.fds = Descriptors()
        self.fds.inherit(_open_descriptors())
        self.paths = Paths(self, options.sysroot)
        self.proc = Proc(self)
        self.clock = self._make_clock()
        self.pids = VirtualPids() if options.virtual_clock else HostPids()
        self.children: set[int] = set()  # host pids of guest children
        self.lost_children: set[int] = set()  # … that have ended in another future (see tables.py)
        self.umask: int | None = None  # what the guest has set
        self.reaped: set[int] = set()  # children waited for whose SIGCHLD may still come
        self.tasks: dict[int, Task] = {}
        self.leader_status: int | None = None  # of the first thread, if that has ended
        self.comm = b""
        self.argv: list[bytes] = []
        self.environment: list[bytes] = []
        self.exe = b""  # as the guest sees it
        self.exe_host = b""
        self.forked: list[Callable[[], None]] = []  # called in a child that the guest has forked
        self.executed: list[Callable[[], None]] = []  # called when it has become another program
        self.new_child: tuple[str, int, Task] | None = None  # "fork" or "vfork", the last child's number, whose: for who looks on
        self.leaving: list[Callable[[], None]] = []  # called before a program of the host takes this process's place
        self.is_child = False  # forked by the guest: dies by its signals
        self.vfork: Any = None
        self.mmap_top = self.brk = self.brk_start = self.program_bias = 0
        self.stack_range = (0, 0)
        self.stack_info: InitialStack | None = None
        self.log_fd = 2
        self.dumpable = 1
        self.personality = 0
        self.signals = Signals(self)
        self.scheduler = Scheduler(self)
        self.tids = 0
        self.posix_timers: dict[int, Any] = {}
        self.interval_timers: dict[int, Any] = {}
        self.futexes: dict[int, Any] = {}
        self.segments: dict[int, int] = {}  # attached System V segments: address -> length
        self.started = self.clock.monotonic()
        self.table: list[Any] = []
        self.table_size = 0
        self.private_calls: dict[int, Any] = {}
        self.foreign_calls: dict[int, dict[int, Any]] = {}  # number of a trap -> calls of another ABI
        self.set_result: Callable[[int], None]
        self.exit_kinds: Any = None

    def _make_clock(self) -> HostClock | VirtualClock:
        if self.options.virtual_clock:
            return VirtualClock(lambda: self.engine.insns if self.engine else 0, self.options.epoch, self.options.seed or 0)
        return HostClock()

    # --- programs -------------------------------------------------------------------------------

    def load(self, path: bytes, argv: list[bytes], envp: list[bytes]) -> None:
        """Load the first program; XemuError if it cannot be run."""
        host = self.paths.under_sysroot(path) if self.paths.sysroot and path.startswith(b"/") else None
        program = programs.Program(self, host or path, os.fsdecode(path))
        self.set_architecture(program.abi)
        self._set_program(program, path, argv, envp)
        task = Task(self, self.pids.own())
        self.tasks[task.tid] = task
        self.scheduler.current = task
        self._start(program, argv, envp, path)

    def set_architecture(self, abi: Abi) -> None:
        """Make memory and CPU."""
        self.abi = abi
        self.space = make_space(abi.address_bits, abi.byteorder)
        abi.fit(self.space.bits)
        if abi.foreign:
            self.fds.translate_records(abi.order)
        self.space.page_lost = self.scheduler.look
        self.engine = self.make_engine(abi.name, self.space, self.options)
        self._connect_engine()

    def _set_program(self, program: programs.Program, path: bytes, argv: list[bytes], envp: list[bytes]) -> None:
        self.argv, self.environment = argv, envp
        real = os.path.realpath(program.path)
        if real != self.exe_host:
            root = self.paths.sysroot + b"/"
            inside = len(root) > 1 and real.startswith(root) and not os.path.abspath(path).startswith(root)
            self.exe = real[len(root) - 1 :] if inside else real
        self.exe_host = real
        self.comm = os.path.basename(path)[:15]
        host.set_name(self.comm)

    def _start(self, program: programs.Program, argv: list[bytes], envp: list[bytes], execfn: bytes) -> None:
        try:
            entry, stack = programs.load(self, program, argv, envp, execfn)
        finally:
            program.close()
        program.abi.start(self.engine.state, entry, stack)

    def replace(self, program: programs.Program, path: bytes, argv: list[bytes], envp: list[bytes], task: Task) -> None:
        """Become another program of the same architecture (execve); only `task` survives."""
        for other in list(self.tasks.values()):
            if other is not task:
                self.scheduler.remove(other)
        own = self.pids.own()
        task.tid = own
        self.tasks = {own: task}
        self._set_program(program, path, argv, envp)
        task.reset_for_exec(self.comm)
        self.fds.close_on_exec()
        self.signals.reset_for_exec()
        self.scheduler.drop_timers_for_exec()
        self.space.clear()
        self.segments.clear()
        self.engine.reset_space()
        if self.vfork is not None:
            self.vfork.release()
            self.vfork = None
        for executed in self.executed:
            executed()
        try:
            self._start(program, argv, envp, path)
        except Exception:  # noqa: BLE001 - past the point of no return the kernel kills
            raise ProcessExit(signal=sig.SIGSEGV) from None

    def load_all(self) -> None:
        """Import what may be needed later: a process that changes its root does not find xemu's own files any more."""
        from importlib import import_module

        self.engine.target.load_rows()
        for name in ("capstone", "traceback", "xemu.core.instruction", "xemu.user.crash"):
            import_module(name)

    def _connect_engine(self) -> None:
        """Bind everything the run loop calls to this engine and architecture."""
        from xemu.user import calls

        abi, state = self.abi, self.engine.state
        calls.load_rows()
        abi.load_rows()
        self.table = dispatch_table(abi, self._argument_places(abi))
        self.table_size = len(self.table)
        self.private_calls = abi.private_calls
        self.foreign_calls = {number: self._foreign(get_door(name)) for number, name in abi.doors.items()}
        self.exit_kinds = self.engine.exit_kinds
        self.set_result = abi.result_setter(state)
        if self.options.strace:
            from xemu.user.strace import Strace

            self.log_fd = os.dup(2)
            self.traced = Strace(self)
            self.table, self.private_calls = self.traced.wrap(self.table), self.traced.wrap_private(self.private_calls)
            self.foreign_calls = {number: self.traced.wrap_private(calls) for number, calls in self.foreign_calls.items()}
        elif self.options.verbose:
            self.log_fd = os.dup(2)

    def _argument_places(self, abi: Abi) -> list[int]:
        """Return where the registers of arguments lie, in bytes from the first."""
        places = [register_offset(self.engine.state, name) for name in abi.arguments]
        return [place - places[0] for place in places]

    def _foreign(self, abi: Abi) -> dict[int, Any]:
        """Return the calls that another way into the kernel makes, by number: those of another ABI."""
        table = dispatch_table(abi, self._argument_places(abi), register_offset(self.engine.state, abi.arguments[0])
                               - register_offset(self.engine.state, self.abi.arguments[0]))
        entries = {number: entry for number, entry in enumerate(table) if entry is not None} | abi.private_calls
        return {number: (under(abi, function), unpack, row) for number, (function, unpack, row) in entries.items()}

    def call_access(self) -> tuple[Callable[[], int], Any, int]:
        """Return how to read a call's number, and where its arguments lie: (function, buffer, place of the first)."""
        state, abi = self.engine.state, self.abi
        unpack, buffer, where = struct.Struct(LITTLE + "I").unpack_from, state.buffer, register_offset(state, abi.number_register)
        return lambda: unpack(buffer, where)[0], buffer, register_offset(state, abi.arguments[0])

    def argument(self, index: int) -> int:
        """Return a register of arguments as it is now."""
        value: int = self.engine.state.read(self.abi.arguments[index])
        return value

    def row_entry(self, name: str) -> tuple[Callable[..., Any], Row]:
        """Return function and row of a call that another one stands for (socketcall, ipc)."""
        row = ROWS[name]
        return (self.traced.printing(row, row.function) if self.traced else row.function), row

    def slide(self, pages: int) -> int:
        """Return a random distance of up to `pages` pages under --aslr, else 0; bytes."""
        if not self.options.aslr:
            return 0
        return (int.from_bytes(self.clock.entropy(4), "little") & pages) << 12

    def guest_fd(self, host_fd: int) -> int:
        """Return the guest's number of a host descriptor, -1 if it has none."""
        return next((number for number, entry in self.fds.table.items()
                     if not isinstance(entry, LostDescriptor) and entry.host == host_fd), -1)

    def new_tid(self) -> int:
        """Return an id for a new thread, out of the range of process ids."""
        self.tids += 1
        return (1 << 22) + ((self.pids.own() & 0xFFFF) << 12) + self.tids

    # --- running --------------------------------------------------------------------------------

    def run(self) -> ProcessExit:
        """Run to the end; in a forked child this does not return."""
        try:
            self.signals.attach()
            self.scheduler.run()
        except ProcessExit as end:
            self.engine.close()
            if self.is_child:
                self._end_child(end)
            return end
        raise AssertionError("the run loop ended")

    def _end_child(self, end: ProcessExit) -> None:
        if self.vfork is not None:
            self.vfork.give_up()
        if end.signal:
            self.signals.die(end.signal)
        os._exit(end.status)

    def stopped(self, why: str) -> None:
        """End the run for a limit of the command line."""
        self.say(why)
        raise ProcessExit(self.options.timeout_exit_code)

    def leave(self, left: Any) -> None:
        """Act on an end of a slice that is not a system call."""
        kinds, kind = self.exit_kinds, left.kind
        if kind is kinds.BUDGET:
            self.scheduler.slice_over()
        elif kind is kinds.KICK:
            self.scheduler.attention = True
        elif kind is kinds.FAULT:
            assert self.scheduler.current is not None
            self._force(self.abi.fault(self, self.scheduler.current, left.fault))
        elif kind is kinds.UNDEFINED:
            self._force(self._undefined(left.address))
        elif kind is kinds.BREAKPOINT:
            self._force(self.abi.breakpoint(left.address))
        elif kind is kinds.EXCEPTION or kind is kinds.EVENT:
            self._force(self.abi.exception(self.engine.state, left.number, left.address))
        else:
            raise AssertionError(f"the engine stopped for {kind}")

    def page_lost(self) -> None:
        """SIGBUS for what the running thread touched past the end of a mapped file; it has read zeros there since."""
        if self.scheduler.current is not None:
            address = self.space.lost[0]
            self.space.lost.clear()
            self._force(self.abi.page_lost(address))

    def _undefined(self, address: int) -> Cause:
        cause = self.abi.undefined(self, address)
        if self.options.verbose and cause.signo == sig.SIGILL:
            from xemu.user import crash

            self.note(f"undefined instruction {crash.instruction_text(self, address)}")
        return cause

    def _force(self, cause: Cause | None) -> None:
        if cause is None:
            return
        task = self.scheduler.current
        assert task is not None
        task.fault = cause.words
        self.signals.force(task, SigInfo(cause.signo, cause.code, "fault", cause.address))

    # --- signal delivery ------------------------------------------------------------------------

    def deliver(self) -> None:
        """Give the running thread the signals that wait for it; builds frames or acts by default."""
        signals, observer = self.signals, self.scheduler.observer
        task = self.scheduler.current
        while task is not None:
            info = signals.next_for(task, peek=observer is not None)
            if info is None:
                break
            if observer is not None:
                wanted = observer.signal(task, info)             # raises where it is to be looked at first
                signals.next_for(task)
                if not wanted or signals.is_ignored(info.signo):
                    continue
            if self.traced:
                self.traced.signal(task, info)
            action = signals.actions[info.signo]
            if action.handler == sig.SIG_DFL:
                self._default_action(task, info)
                task = self.scheduler.current
            else:
                self._enter_handler(task, info, action)
        if task is not None and task.interrupted is not None:
            self._restart(task)

    def _default_action(self, task: Task, info: SigInfo) -> None:
        if info.signo in sig.STOPS:
            self.signals.stop(info.signo)
            return
        if info.signo in sig.CORES:
            from xemu.user import crash

            crash.report(self, task, info)
        raise ProcessExit(signal=info.signo)

    def _restart(self, task: Task) -> None:
        """Start an interrupted call again: its arguments are still in the registers."""
        state, abi = self.engine.state, self.abi
        task.interrupted = None
        if task.saved_mask is not None:
            task.blocked, task.saved_mask = task.saved_mask, None
        state.write("pc", state.read("pc") - abi.syscall_size(state))

    def _enter_handler(self, task: Task, info: SigInfo, action: sig.Action) -> None:
        state, abi = self.engine.state, self.abi
        if task.interrupted is not None:
            if action.flags & sig.SA_RESTART and task.interrupted.restart:
                state.write("pc", state.read("pc") - abi.syscall_size(state))
            else:
                self.set_result(-EINTR)
            task.interrupted = None
        mask = task.blocked if task.saved_mask is None else task.saved_mask
        task.saved_mask = None
        sp = state.read(abi.stack_register)
        top = sp - abi.red_zone
        if action.flags & sig.SA_ONSTACK and task.stack_size and not task.on_stack(sp):
            top = task.stack_sp + task.stack_size
        try:
            abi.push_frame(task, state, info, action, mask, top)
        except GuestFault as fault:
            if info.signo == sig.SIGSEGV:
                self.signals.actions[sig.SIGSEGV] = sig.Action()
            self.signals.force(task, SigInfo(sig.SIGSEGV, sig.SI_KERNEL, "fault", fault.address))
            return
        task.blocked |= action.mask
        if not action.flags & sig.SA_NODEFER:
            task.blocked |= 1 << (info.signo - 1)
        task.blocked &= ~sig.UNBLOCKABLE
        if action.flags & sig.SA_RESETHAND:
            self.signals.actions[info.signo] = sig.Action()

    # --- messages -------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Write a line of xemu's own to standard error."""
        line = f"xemu: {text}\n".encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            os.write(self.log_fd, line)

    def note(self, text: str) -> None:
        """Say something that is wanted only with -v."""
        if self.options.verbose:
            self.say(text)


def _open_descriptors() -> list[int]:
    """Return the descriptors this process was started with (all that are not close-on-exec)."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if os.get_inheritable(number):
                found.append(number)
        except OSError:
            continue
    return sorted(found)


