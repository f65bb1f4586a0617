"""Signal calls. Delivery is in process.py, frames are the architecture's."""

from __future__ import annotations

import os
import struct
from errno import EAGAIN, EINVAL, ENOMEM, EPERM, ESRCH
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE, GuestFault
from xemu.user import host
from xemu.user import signals as sig
from xemu.user.calls.times import read_time
from xemu.user.descriptors import STREAM, Descriptor
from xemu.user.rows import call
from xemu.user.signals import Action, SigInfo
from xemu.user.task import KEEP, MINSIGSTKSZ, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from xemu.user.task import Task

SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK = 0, 1, 2
SS_ONSTACK, SS_DISABLE, SS_AUTODISARM = 1, 2, 0x80000000
MASK64, MASK32 = (1 << 64) - 1, (1 << 32) - 1


def _valid(number: int) -> bool:
    return 1 <= number <= sig.LAST


@call("rt_sigaction signal struct:sigaction struct:sigaction size")
def rt_sigaction(task: Task, number: int, new: int, old: int, size: int) -> int:
    """rt_sigaction(2)."""
    if size != 8 or not _valid(number):
        return -EINVAL
    if new and number in (sig.SIGKILL, sig.SIGSTOP):
        return -EINVAL
    layout = task.process.abi.layouts["sigaction"]
    wanted = layout.unpack(task.space.view(new, layout.size, READ)) if new else None
    before = task.process.signals.actions[number]
    if old:
        mask = task.process.abi.bitmap_bytes(before.mask)
        task.space.write(old, layout.pack(handler=before.handler, flags=before.flags, restorer=before.restorer, mask=mask))
    if wanted:
        blocked = task.process.abi.bitmap(wanted.mask) & ~sig.UNBLOCKABLE
        set_action(task, number, Action(wanted.handler, wanted.flags, blocked, wanted.restorer))
    return 0


def set_action(task: Task, number: int, action: Action) -> None:
    """Change a disposition."""
    signals = task.process.signals
    before, signals.actions[number] = signals.actions[number], action
    signals.flush_ignored(number)
    if (number in sig.MIRRORED or number == sig.SIGCHLD) and (before.handler, before.flags) != (action.handler, action.flags):
        signals.mirror(number)


@call("sigaction signal struct:old_sigaction struct:old_sigaction")
def sigaction(task: Task, number: int, new: int, old: int) -> int:
    """sigaction(2) with a 32-bit mask."""
    if not _valid(number) or (new and number in (sig.SIGKILL, sig.SIGSTOP)):
        return -EINVAL
    layout = task.process.abi.layouts["old_sigaction"]
    wanted = layout.unpack(task.space.view(new, layout.size, READ)) if new else None
    before = task.process.signals.actions[number]
    if old:
        mask = before.mask & 0xFFFFFFFF
        task.space.write(old, layout.pack(handler=before.handler, flags=before.flags, restorer=before.restorer, mask=mask))
    if wanted:
        set_action(task, number, Action(wanted.handler, wanted.flags, wanted.mask & ~sig.UNBLOCKABLE, wanted.restorer))
    return 0


def set_blocked(task: Task, mask: int) -> None:
    """Change a thread's mask and look at what it lets through."""
    mask &= ~sig.UNBLOCKABLE & MASK64
    if (task.blocked ^ mask) & _MIRROR_BITS:
        task.process.signals.mirror_mask(mask)
    task.blocked = mask
    task.process.scheduler.attention = True


_MIRROR_BITS = host.mask_of(sig.MIRRORED)


@call("rt_sigprocmask enum:sigmask_how sigset sigset size")
def rt_sigprocmask(task: Task, how: int, new: int, old: int, size: int) -> int:
    """rt_sigprocmask(2)."""
    if size != 8:
        return -EINVAL
    before = task.blocked
    if new:
        mask = task.process.abi.bitmap(task.space.view(new, 8, READ))
        if how == SIG_BLOCK:
            mask |= before
        elif how == SIG_UNBLOCK:
            mask = before & ~mask
        elif how != SIG_SETMASK:
            return -EINVAL
        if mask != before:
            set_blocked(task, mask)
    if old:
        task.space.view(old, 8, WRITE)[:] = task.process.abi.bitmap_bytes(before)
    return 0


@call("sigprocmask enum:sigmask_how ptr ptr")
def sigprocmask(task: Task, how: int, new: int, old: int) -> int:
    """sigprocmask(2) with a 32-bit mask."""
    before = task.blocked
    if new:
        mask = task.space.read_u32(new)
        low = {SIG_BLOCK: before | mask, SIG_UNBLOCK: before & ~mask, SIG_SETMASK: mask}.get(how)
        if low is None:
            return -EINVAL
        set_blocked(task, before & ~0xFFFFFFFF | low & 0xFFFFFFFF)
    if old:
        task.space.write_u32(old, before & 0xFFFFFFFF)
    return 0


@call("rt_sigpending sigset size")
def rt_sigpending(task: Task, address: int, size: int) -> int:
    """sigpending(2)."""
    if size > 8:
        return -EINVAL
    task.process.signals.take_from_host()
    task.space.write(address, task.process.abi.bitmap_bytes(task.process.signals.pending_mask(task))[:size])
    return 0


@call("sigpending ptr")
def sigpending(task: Task, address: int) -> int:
    """sigpending(2) with a 32-bit set."""
    return rt_sigpending(task, address, 4)


def with_mask(task: Task, mask: int) -> None:
    """Use a mask until the call ends or a handler returns (sigsuspend, ppoll, pselect, epoll_pwait)."""
    task.saved_mask = task.blocked
    set_blocked(task, mask)


def _suspend() -> Generator[Wait, Wait, int]:
    while True:
        yield Wait()


@call("rt_sigsuspend sigset size", restart=False)
def rt_sigsuspend(task: Task, address: int, size: int) -> Any:
    """sigsuspend(2)."""
    if size != 8:
        return -EINVAL
    with_mask(task, task.process.abi.bitmap(task.space.view(address, 8, READ)))
    return _suspend()


@call("sigsuspend int int ulong", restart=False)
def sigsuspend(task: Task, _unused: int, _unused2: int, mask: int) -> Any:
    """sigsuspend(2) with a 32-bit mask."""
    with_mask(task, task.blocked & ~0xFFFFFFFF | mask)
    return _suspend()


@call("pause", restart=False)
def pause(_task: Task) -> Any:
    """pause(2)."""
    return _suspend()


def _sigtimedwait(task: Task, mask: int, info: int, timeout: int | None) -> Any:
    process = task.process

    def take() -> int | None:
        process.signals.take_from_host()
        found = process.signals.next_for(task, among=mask)
        if found is None:
            return None
        if info:
            task.space.write(info, found.pack(process.abi.bits, process.abi.order))
        return found.signo

    number = take()
    if number is not None:
        return number
    if timeout == 0:
        return -EAGAIN
    deadline = None if timeout is None else process.clock.monotonic() + timeout

    def waiting() -> Generator[Wait, Wait, int]:
        task.wait_set = mask
        try:
            while True:
                wait = yield Wait(deadline=deadline)
                found = take()
                if found is not None:
                    return found
                if wait.timed_out:
                    return -EAGAIN
        finally:
            task.wait_set = 0

    return waiting()


def _timed_wait(name: str, layout: str) -> None:
    @call(f"{name} sigset ptr struct:{layout} size", restart=False)
    def run(task: Task, mask: int, info: int, timeout: int, size: int) -> Any:
        if size != 8:
            return -EINVAL
        wanted = task.process.abi.bitmap(task.space.view(mask, 8, READ)) & ~sig.UNBLOCKABLE
        limit = None
        if timeout:
            limit = read_time(task, timeout, layout)
        return _sigtimedwait(task, wanted, info, limit)


_timed_wait("rt_sigtimedwait", "timespec")
_timed_wait("rt_sigtimedwait_time64", "timespec64")


# --- sending ------------------------------------------------------------------------------------


def _own_info(task: Task, number: int, code: int) -> SigInfo:
    return SigInfo(number, code, "kill", task.process.pids.own(), os.getuid())


@call("kill pid signal")
def kill(task: Task, pid: int, number: int) -> int:
    """kill(2)."""
    process = task.process
    if not 0 <= number <= sig.LAST:
        return -EINVAL
    own = process.pids.own()
    if pid == own or (pid in process.tasks):
        if number:
            process.signals.send(_own_info(task, number, sig.SI_USER))
            process.scheduler.attention = True
        return 0
    if pid > 0:
        os.kill(process.pids.host(pid), number)
    elif pid == 0:
        os.killpg(os.getpgrp(), number)
    elif pid == -1:
        return _kill_all(number)
    else:
        os.killpg(process.pids.host(-pid), number)
    process.scheduler.attention = True
    return 0


def _kill_all(number: int) -> int:
    if number:
        return -EPERM  # every process of the user: not from inside an emulator
    return 0


def _thread_signal(task: Task, group: int, tid: int, number: int, info: SigInfo | None) -> int:
    process = task.process
    if not 0 <= number <= sig.LAST or tid <= 0:
        return -EINVAL
    target = process.tasks.get(tid)
    if target is None or (group > 0 and group != process.pids.own()):
        if group == process.pids.own() or (group <= 0 and tid >= 1 << 22):
            return -ESRCH
        os.kill(process.pids.host(tid), number)
        return 0
    if number:
        process.signals.send(info or _own_info(task, number, sig.SI_TKILL), target)
        process.scheduler.attention = True
    return 0


@call("tkill pid signal")
def tkill(task: Task, tid: int, number: int) -> int:
    """tkill(2)."""
    return _thread_signal(task, 0, tid, number, None)


@call("tgkill pid pid signal")
def tgkill(task: Task, group: int, tid: int, number: int) -> int:
    """tgkill(2)."""
    return -EINVAL if group <= 0 else _thread_signal(task, group, tid, number, None)


def _info_from(task: Task, number: int, address: int) -> SigInfo:
    raw = bytearray(task.space.read(address, 128))
    struct.pack_into(task.process.abi.order + "i", raw, 0, number)
    code, pid, uid, value = task.process.abi.layouts["siginfo_rt"].struct.unpack_from(raw)
    info = SigInfo(number, code, "rt", pid, uid, value)
    info.raw = bytes(raw)
    return info


@call("rt_sigqueueinfo pid signal struct:siginfo")
def rt_sigqueueinfo(task: Task, pid: int, number: int, address: int) -> int:
    """rt_sigqueueinfo(2)."""
    process = task.process
    info = _info_from(task, number, address)
    if not 0 <= number <= sig.LAST:
        return -EINVAL
    if pid == process.pids.own():
        if number:
            process.signals.send(info)
        return 0
    if info.code >= 0 or info.code == sig.SI_TKILL:
        return -EPERM
    data = struct.pack("=iii4xiIQ", number, 0, info.code, *info.values)
    host.sigqueue(process.pids.host(pid), number, data)
    return 0


@call("rt_tgsigqueueinfo pid pid signal struct:siginfo")
def rt_tgsigqueueinfo(task: Task, group: int, tid: int, number: int, address: int) -> int:
    """rt_tgsigqueueinfo(2)."""
    if group <= 0:
        return -EINVAL
    return _thread_signal(task, group, tid, number, _info_from(task, number, address))


@call("pidfd_send_signal fd signal struct:siginfo uint")
def pidfd_send_signal(task: Task, fd: int, number: int, info: int, flags: int) -> int:
    """pidfd_send_signal(2)."""
    if flags:
        return -EINVAL
    if info:
        task.space.read(info, 128)
    return host.syscall("pidfd_send_signal", task.fds.host(fd), number, 0, 0)


# --- stacks and returning -----------------------------------------------------------------------


@call("sigaltstack struct:stack struct:stack")
def sigaltstack(task: Task, new: int, old: int) -> int:
    """sigaltstack(2)."""
    process = task.process
    layout = process.abi.layouts["stack"]
    sp = process.engine.state.read(process.abi.stack_register)
    wanted = layout.unpack(task.space.view(new, layout.size, READ)) if new else None
    before = (task.stack_sp, task.stack_flags_now(sp), task.stack_size)
    if wanted:
        if task.stack_size and task.on_stack(sp):
            return -EPERM
        flags = wanted.flags & 0x7FFFFFFF
        if flags not in (0, SS_ONSTACK, SS_DISABLE):
            return -EINVAL
        if flags == SS_DISABLE:
            task.stack_sp = task.stack_size = 0
        elif wanted.size < MINSIGSTKSZ:
            return -ENOMEM
        else:
            task.stack_sp, task.stack_size = wanted.sp, wanted.size
    if old:
        task.space.write(old, layout.pack(sp=before[0], flags=before[1], size=before[2]))
    return 0


def _return(task: Task, *, rt: bool) -> Any:
    process = task.process
    try:
        mask = process.abi.pop_frame(task, process.engine.state, rt=rt)
    except (GuestFault, ValueError):
        process.signals.force(task, SigInfo(sig.SIGSEGV, sig.SI_KERNEL, "fault", 0))
        return KEEP
    set_blocked(task, mask)
    return KEEP


@call("rt_sigreturn")
def rt_sigreturn(task: Task) -> Any:
    """sigreturn(2) from a handler with SA_SIGINFO."""
    return _return(task, rt=True)


@call("sigreturn")
def sigreturn(task: Task) -> Any:
    """sigreturn(2) from a handler without SA_SIGINFO."""
    return _return(task, rt=False)


@call("restart_syscall")
def restart_syscall(_task: Task) -> int:
    """restart_syscall(2): xemu restarts calls by running them again."""
    return -4


# --- signalfd -----------------------------------------------------------------------------------

SFD_NONBLOCK, SFD_CLOEXEC = 0o4000, 0o2000000


class SignalFile:
    """A guest signalfd: an eventfd that is readable while a signal of its set waits."""

    def __init__(self, mask: int) -> None:
        """Keep the set."""
        self.mask = mask


@call("signalfd4 fd sigset size flags:open")
def signalfd4(task: Task, fd: int, address: int, size: int, flags: int) -> int:
    """signalfd4(2)."""
    flags = task.process.abi.open_flags(flags)
    if size != 8 or flags & ~(os.O_NONBLOCK | os.O_CLOEXEC):
        return -EINVAL
    mask = task.process.abi.bitmap(task.space.view(address, 8, READ)) & ~sig.UNBLOCKABLE
    if fd != -1:
        data = task.fds.get(fd).data
        if not isinstance(data, SignalFile):
            return -EINVAL
        data.mask = mask
        return fd
    host_fd = os.eventfd(0, os.EFD_CLOEXEC | flags & os.O_NONBLOCK)
    entry = Descriptor(host_fd, cloexec=bool(flags & os.O_CLOEXEC), kind=STREAM, data=SignalFile(mask))
    task.process.signals.files.append((os.dup(host_fd), entry.data))  # our own copy: the guest may close its
    task.process.signals.update_files()
    return task.fds.add(entry)


@call("signalfd fd sigset size")
def signalfd(task: Task, fd: int, address: int, size: int) -> int:
    """signalfd(2)."""
    return signalfd4(task, fd, address, size, 0)


def read_signals(task: Task, file: SignalFile, view: memoryview) -> int | None:
    """Move waiting signals of a set into a reader's buffer; None if there are none."""
    layout = task.process.abi.layouts["signalfd_siginfo"]
    if len(view) < layout.size:
        raise OSError(EINVAL, os.strerror(EINVAL))
    signals = task.process.signals
    done = 0
    while done + layout.size <= len(view):
        info = signals.next_for(task, among=file.mask)
        if info is None:
            break
        view[done : done + layout.size] = layout.pack(**_signalfd_fields(info))
        done += layout.size
    signals.update_files()
    return done or None


_SIGNALFD_FIELDS = {
    "kill": ("pid", "uid"), "rt": ("pid", "uid", "ptr"), "chld": ("pid", "uid", "status", "utime", "stime"),
    "timer": ("tid", "overrun", "ptr"), "fault": ("addr",),
}  # fmt: skip


def _signalfd_fields(info: SigInfo) -> dict[str, int]:
    fields = dict(zip(_SIGNALFD_FIELDS.get(info.form, ()), info.values, strict=False))
    wide = {name: value & MASK64 for name, value in fields.items() if name in ("ptr", "addr")}
    signed = {name: (fields.get(source, 0) + (1 << 31) & MASK32) - (1 << 31)
              for name, source in (("tid", "tid"), ("status", "status"), ("int", "ptr"))}
    return {"signo": info.signo, "errno": info.errno, "code": info.code,
            **{name: value & MASK32 for name, value in fields.items()}, **wide, **signed}


