"""Processes: fork, execve, wait, exit. fork is the host's; execve happens inside the host process."""

from __future__ import annotations

import os
import signal
from errno import E2BIG, EACCES, ECHILD, EINVAL, ELOOP, ENOENT, ENOEXEC
from typing import TYPE_CHECKING, Any

from xemu.core.memory import WRITE
from xemu.errors import ImageError, NotFoundError
from xemu.user import host
from xemu.user.descriptors import LostError
from xemu.user.paths import AT_FDCWD, PATH_MAX, host_path
from xemu.user.program import Program
from xemu.user.rows import call
from xemu.user.schedule import CHILD_LOOK
from xemu.user.task import KEEP, Interrupted, ProcessExit, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from xemu.user.process import Process
    from xemu.user.task import Task

(CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_VFORK, CLONE_PARENT, CLONE_THREAD) = (
    0x100, 0x200, 0x400, 0x800, 0x4000, 0x8000, 0x10000)  # fmt: skip
CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x80000, 0x100000, 0x200000, 0x1000000
CLONE_PIDFD = 0x1000
CLONE_NAMESPACES = 0x7E020080
WNOHANG, WUNTRACED, WSTOPPED, WEXITED, WCONTINUED, WNOWAIT = 1, 2, 2, 4, 8, 0x1000000
WNOTHREAD, WALL, WCLONE = 0x20000000, 0x40000000, 0x80000000
P_ALL, P_PID, P_PGID, P_PIDFD = 0, 1, 2, 3
CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED = 1, 2, 3, 4, 5, 6
MAX_ARGUMENTS = 2 << 20
SCRIPT_LINE = 256
MAX_SCRIPTS = 5
VFORK_BYTES = 1 << 16


# --- ends ---------------------------------------------------------------------------------------


@call("exit int")
def exit_(task: Task, status: int) -> Any:
    """_exit(2): ends the thread, and the process with its last one; the status is the first thread's."""
    from xemu.user.calls.threads import end_thread

    process = task.process
    if task.tid == process.pids.own():
        process.leader_status = status & 0xFF
    if len(process.tasks) == 1:
        end_thread(task)
        raise ProcessExit(status & 0xFF if process.leader_status is None else process.leader_status)
    end_thread(task)
    return KEEP


@call("exit_group int")
def exit_group(_task: Task, status: int) -> Any:
    """exit_group(2)."""
    raise ProcessExit(status & 0xFF)


# --- fork ---------------------------------------------------------------------------------------


class VforkPipe:
    """How a vfork child lets its parent go on: by closing a pipe, when it executes or ends.

    A child that ends without executing sends back what it wrote near its parent's frame, because
    posix_spawn reports errors there.
    """

    def __init__(self, task: Task, stack: int) -> None:
        """Make the pipe; `stack` is the parent's stack pointer."""
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self.process = task.process
        area = task.space.area_at(stack)
        self.start = stack
        self.length = min(area.end - stack, VFORK_BYTES) if area else 0

    def child(self) -> None:
        """Keep the writing end."""
        os.close(self.read_end)

    def release(self) -> None:
        """Let the parent go on."""
        os.close(self.write_end)

    def give_up(self) -> None:
        """Send the stack back and let the parent go on."""
        data = self.process.space.peek(self.start, self.length) if self.length else None
        if data:
            os.write(self.write_end, data)
        os.close(self.write_end)

    def wait(self, child: int) -> Generator[Wait, Wait, int]:
        """Wait in the parent; not interruptible, as vfork(2) says."""
        os.close(self.write_end)
        data = b""
        while True:
            try:
                yield Wait(((self.read_end, host.POLLIN),))
            except Interrupted:
                continue
            piece = os.read(self.read_end, VFORK_BYTES)
            if not piece:
                break
            data += piece
        os.close(self.read_end)
        if len(data) == self.length and data:
            self.process.space.poke(self.start, data)
        return child


def fork_process(task: Task, flags: int = 0, stack: int = 0, prepare: Any = None) -> Any:
    """Fork the host process; `prepare(task)` runs in the child. Returns the child's number to the parent."""
    process = task.process
    state = process.engine.state
    vfork = VforkPipe(task, state.read(process.abi.stack_register)) if flags & CLONE_VFORK else None
    process.engine.before_fork()
    number = process.pids.before_fork()
    pid = os.fork()
    if pid:
        process.children.add(pid)
        child = process.pids.in_parent(number, pid)
        process.new_child = "fork" if vfork is None else "vfork", pid, task
        if vfork is None:
            return child
        return vfork.wait(child)
    _become_child(process, task, number)
    if vfork is not None:
        vfork.child()
    if process.vfork is not None:
        os.close(process.vfork.write_end)
    process.vfork = vfork
    if stack:
        state.write(process.abi.stack_register, stack)
    if prepare is not None:
        prepare(task)
    return 0


def _become_child(process: Process, task: Task, number: int) -> None:
    process.pids.in_child(number)
    for forked in process.forked:
        forked()
    process.engine.after_fork()
    process.is_child = True
    process.children.clear()
    process.reaped.clear()
    process.lost_children.clear()
    process.signals.after_fork()
    process.tasks = {process.pids.own(): task}
    task.tid = process.pids.own()
    task.pending.clear()
    task.robust_list = 0
    process.scheduler.after_fork()
    process.posix_timers.clear()
    process.interval_timers.clear()
    process.futexes.clear()


@call("fork")
def fork(task: Task) -> Any:
    """fork(2)."""
    return fork_process(task)


@call("vfork")
def vfork(task: Task) -> Any:
    """vfork(2): a fork whose parent waits."""
    return fork_process(task, CLONE_VFORK)


@call("clone flags:clone ptr ptr ptr ptr")
def clone(task: Task, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int) -> Any:
    """clone(2)."""
    return clone_with(task, flags & ~0xFF, stack, parent_tid, tls, child_tid, parent_tid)


@call("clone3 struct:clone_args size")
def clone3(task: Task, address: int, size: int) -> Any:
    """clone3(2)."""
    codes = task.process.abi.layouts["clone_args"].struct
    if size < codes.size:
        return -EINVAL
    if any(task.space.read(address + codes.size, min(size, 4096) - codes.size)):
        return -E2BIG
    flags, pidfd, child_tid, parent_tid, _exit_signal, stack, stack_size, tls = task.space.unpack(codes, address)
    if flags & 0xFF or bool(stack) != bool(stack_size):
        return -EINVAL
    return clone_with(task, flags, stack + stack_size, parent_tid, tls, child_tid, pidfd)


def clone_with(task: Task, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int, pidfd: int) -> Any:
    """Make a thread or a process, as the flags say."""
    from xemu.user.calls.threads import new_thread

    if (flags & CLONE_THREAD and not flags & CLONE_SIGHAND) or (flags & CLONE_SIGHAND and not flags & CLONE_VM):
        return -EINVAL
    if flags & CLONE_NAMESPACES:
        return -1
    if flags & CLONE_THREAD:
        return new_thread(task, flags, stack, parent_tid, tls, child_tid)
    for address, flag in ((parent_tid, CLONE_PARENT_SETTID), (pidfd, CLONE_PIDFD)):
        if flags & flag:
            task.space.view(address, 4, WRITE)

    def prepare(child: Task) -> None:
        if flags & CLONE_SETTLS:
            child.process.abi.set_tls(child, tls)
        if flags & CLONE_CHILD_SETTID:
            child.space.write_u32(child_tid, child.tid)
        child.clear_tid = child_tid if flags & CLONE_CHILD_CLEARTID else 0

    result = fork_process(task, flags, stack, prepare)
    if result == 0:
        return 0
    return _after_clone(task, result, flags, parent_tid, pidfd)


def _after_clone(task: Task, result: Any, flags: int, parent_tid: int, pidfd: int) -> Any:
    """Finish clone in the parent, which may first have to wait for a vfork child."""

    def finish(child: int) -> int:
        if flags & CLONE_PARENT_SETTID:
            task.space.write_u32(parent_tid, child)
        if flags & CLONE_PIDFD:
            fd = host.syscall("pidfd_open", task.process.pids.host(child), 0)
            task.space.write_u32(pidfd, task.fds.add_host(fd, cloexec=True))
        return child

    if isinstance(result, int):
        return finish(result)

    def waiting() -> Generator[Wait, Wait, int]:
        return finish((yield from result))

    return waiting()


# --- execve -------------------------------------------------------------------------------------


def _strings(task: Task, address: int, left: int) -> tuple[list[bytes], int]:
    """Read an argv-like vector; OSError(E2BIG)."""
    result: list[bytes] = []
    space, word = task.space, task.process.abi.word.size
    while address:
        pointer = task.read_word(address)
        if not pointer:
            break
        text = space.c_string(pointer, 131072)
        left -= len(text) + 1 + word
        if left < 0:
            raise OSError(E2BIG, os.strerror(E2BIG))
        result.append(text)
        address += word
    return result, left


@call("execve path argv argv")
def execve(task: Task, path: int, argv: int, envp: int) -> Any:
    """execve(2)."""
    name, _ = host_path(task, AT_FDCWD, path)
    return _execute(task, name, task.space.c_string(path, PATH_MAX), argv, envp)


@call("execveat dirfd path argv argv flags:at")
def execveat(task: Task, dirfd: int, path: int, argv: int, envp: int, flags: int) -> Any:
    """execveat(2)."""
    if flags & 0x1000 and not task.space.c_string(path, 2):
        target = b"/proc/self/fd/%d" % task.fds.host(dirfd)
        return _execute(task, os.path.realpath(target), b"/dev/fd/%d" % dirfd, argv, envp)
    name, dir_fd = host_path(task, dirfd, path, follow=not flags & 0x100)
    if dir_fd is not None:
        name = os.path.realpath(b"/proc/self/fd/%d/%s" % (dir_fd, name))
    if flags & 0x100 and os.path.islink(name):
        return -ELOOP
    return _execute(task, name, task.space.c_string(path, PATH_MAX), argv, envp)


def _execute(task: Task, name: bytes, shown: bytes, argv: int, envp: int) -> Any:
    arguments, left = _strings(task, argv, MAX_ARGUMENTS)
    environment, _ = _strings(task, envp, left)
    process = task.process
    for _ in range(MAX_SCRIPTS):
        _check_file(name)
        with open(name, "rb", buffering=0) as file:
            head = file.read(SCRIPT_LINE)
        if not head.startswith(b"#!"):
            break
        name, shown, arguments = _script(process, head, shown, arguments)
    else:
        return -ELOOP
    if not head.startswith(b"\x7fELF"):
        return -ENOEXEC
    try:
        program = Program(process, name, os.fsdecode(shown))
    except NotFoundError:
        return -ENOENT
    except ImageError as error:
        return _execute_native(task, name, head, arguments, environment, str(error))
    if program.abi.name != process.abi.name:
        program.close()
        return _execute_native(task, name, head, arguments, environment, f"execve {os.fsdecode(name)}: another guest architecture")
    process.replace(program, shown, arguments or [b""], environment, task)
    return KEEP


def _check_file(name: bytes) -> None:
    import stat

    mode = os.stat(name).st_mode
    if stat.S_ISDIR(mode) or not stat.S_ISREG(mode) or not os.access(name, os.X_OK, effective_ids=True):
        raise OSError(EACCES, os.strerror(EACCES))


def _script(process: Process, head: bytes, shown: bytes, arguments: list[bytes]) -> tuple[bytes, bytes, list[bytes]]:
    """Return the interpreter of a script: host path, name, arguments (fs/binfmt_script.c)."""
    line = head[2:].split(b"\n", 1)[0].strip(b" \t")
    if not line:
        raise OSError(ENOEXEC, os.strerror(ENOEXEC))
    interpreter, *option = line.split(None, 1)
    host_name = process.paths.translate(interpreter) if interpreter.startswith(b"/") else interpreter
    return host_name, interpreter, [interpreter, *option, shown, *arguments[1:]]


def _execute_native(task: Task, name: bytes, head: bytes, arguments: list[bytes], environment: list[bytes], why: str) -> int:
    """Execute a program of the host's architecture natively; ENOEXEC for the rest."""
    with open("/proc/self/exe", "rb", buffering=0) as file:
        own = file.read(20)
    if head[4:6] != own[4:6] or head[18:20] != own[18:20]:
        task.process.note(why)
        return -ENOEXEC if head[18:20] != b"\x28\x00" else -ENOENT
    process = task.process
    process.note(f"execve {os.fsdecode(name)}: running it natively")
    if process.vfork is not None:
        process.vfork.release()
        process.vfork = None
    for leave in process.leaving:
        leave()
    _place_descriptors(process)
    process.signals.before_native(task.blocked)
    env = dict(item.split(b"=", 1) for item in environment if b"=" in item)
    try:
        os.execve(name, arguments or [b""], env)
    except OSError as error:
        process.say(f"{os.fsdecode(name)}: {error.strerror}")
    raise ProcessExit(126)


def _place_descriptors(process: Process) -> None:
    """Move every guest descriptor to its own number and let the rest close."""
    wanted = {number: entry.host for number, entry in process.fds.table.items() if not entry.cloexec}
    floor = max([*wanted, *wanted.values(), 2]) + 1
    import fcntl

    moved = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, floor) for number, fd in wanted.items()}
    for number in range(3):
        if number not in wanted:
            os.close(number)
    for number, fd in moved.items():
        os.dup2(fd, number, inheritable=True)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number not in wanted:
            try:
                os.set_inheritable(number, False)
            except OSError:
                continue


# --- wait ---------------------------------------------------------------------------------------


def _candidates(task: Task, kind: int, which: int) -> list[int]:
    """Return the host pids of the children a wait means; ECHILD if there are none."""
    process = task.process
    children = sorted(process.children)
    if kind == P_PID:
        pid = process.pids.host(which)
        children = [pid] if pid in process.children else []
    elif kind == P_PGID:
        group = process.pids.host(which) if which else os.getpgrp()
        children = [pid for pid in children if _group_of(pid) == group]
    if process.lost_children and (kind != P_PID or process.pids.host(which) in process.lost_children):
        ended = " and ".join(str(process.pids.guest(pid)) for pid in sorted(process.lost_children))
        raise LostError(f"a wait for children needs {ended}: only another future of the process has that")
    if not children:
        raise OSError(ECHILD, os.strerror(ECHILD))
    return children


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _poll_children(task: Task, pids: list[int], options: int) -> Any:
    """Return the first waitid result among the children, or None."""
    gone = 0
    for pid in pids:
        try:
            result = os.waitid(os.P_PID, pid, options | os.WNOHANG)
        except ChildProcessError:  # ignored children are reaped by the host
            task.process.children.discard(pid)
            gone += 1
            continue
        if result is not None:
            task.process.scheduler.attention = True  # its SIGCHLD came before: deliver it before the next instruction
            if not options & os.WNOWAIT and result.si_code in (CLD_EXITED, CLD_KILLED, CLD_DUMPED):
                task.process.children.discard(pid)
                task.process.reaped.add(pid)
            return result
    if gone == len(pids):
        raise OSError(ECHILD, os.strerror(ECHILD))
    return None


def _wait_for(task: Task, kind: int, which: int, options: int, host_options: int, finish: Any) -> Any:
    result = _poll_children(task, _candidates(task, kind, which), host_options)
    if result is not None:
        return finish(result)
    if options & WNOHANG:
        return finish(None)

    def waiting() -> Generator[Wait, Wait, int]:
        while True:
            deadline = None
            if task.process.signals.is_ignored(signal.SIGCHLD) and not task.process.clock.virtual:
                deadline = task.process.clock.monotonic() + CHILD_LOOK
            yield Wait(deadline=deadline)
            found = _poll_children(task, _candidates(task, kind, which), host_options)
            if found is not None:
                return finish(found)  # type: ignore[no-any-return]

    return waiting()


@call("wait4 pid out:4 flags:wait struct:rusage")
def wait4(task: Task, pid: int, status: int, options: int, usage: int) -> Any:
    """wait4(2)."""
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE) & 0xFFFFFFFF:
        return -EINVAL
    kind, which = (P_ALL, 0) if pid == -1 else (P_PID, pid) if pid > 0 else (P_PGID, -pid)
    host_options = WEXITED | options & (WUNTRACED | WCONTINUED)

    def finish(result: Any) -> int:
        if result is None:
            return 0
        code, value = result.si_code, result.si_status
        word = {CLD_EXITED: (value & 0xFF) << 8, CLD_KILLED: value & 0x7F, CLD_DUMPED: value & 0x7F | 0x80,
                CLD_CONTINUED: 0xFFFF}.get(code, (value & 0xFF) << 8 | 0x7F)  # fmt: skip
        if status:
            task.space.write_u32(status, word)
        if usage:
            from xemu.user.calls.times import write_usage

            write_usage(task, usage, -1)
        return task.process.pids.guest(result.si_pid)

    return _wait_for(task, kind, which, options, host_options, finish)


@call("waitpid pid out:4 flags:wait")
def waitpid(task: Task, pid: int, status: int, options: int) -> Any:
    """waitpid(2)."""
    return wait4(task, pid, status, options, 0)


@call("waitid int pid struct:siginfo flags:wait struct:rusage")
def waitid(task: Task, kind: int, which: int, info: int, options: int, usage: int) -> Any:
    """waitid(2)."""
    wanted = options & (WEXITED | WSTOPPED | WCONTINUED)
    if not wanted or options & ~(wanted | WNOHANG | WNOWAIT | WNOTHREAD | WALL | WCLONE) & 0xFFFFFFFF:
        return -EINVAL
    if kind == P_PIDFD:
        kind, which = P_PID, _pid_of(task, which)
    elif kind not in (P_ALL, P_PID, P_PGID) or (kind == P_PID and which <= 0) or which < 0:
        return -EINVAL

    def finish(result: Any) -> int:
        if info:
            from xemu.user.signals import SigInfo

            data = bytes(128)
            if result is not None:
                pid = task.process.pids.guest(result.si_pid)
                data = SigInfo(17, result.si_code, "chld", pid, result.si_uid, result.si_status).pack(
                    task.process.abi.bits, task.process.abi.order
                )
            task.space.write(info, data)
        if usage and result is not None:
            from xemu.user.calls.times import write_usage

            write_usage(task, usage, -1)
        return 0

    return _wait_for(task, kind, which, options, wanted | options & WNOWAIT, finish)


def _pid_of(task: Task, fd: int) -> int:
    with open(f"/proc/self/fdinfo/{task.fds.host(fd)}") as file:
        for line in file:
            if line.startswith("Pid:"):
                return task.process.pids.guest(int(line.split()[1]))
    raise OSError(EINVAL, os.strerror(EINVAL))


@call("pidfd_open pid uint")
def pidfd_open(task: Task, pid: int, flags: int) -> int:
    """pidfd_open(2)."""
    fd = host.syscall("pidfd_open", task.process.pids.host(pid), flags)
    return task.fds.add_host(fd, cloexec=True)


