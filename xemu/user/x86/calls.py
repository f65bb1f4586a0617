"""The calls that only x86 has, and old ones that are in i386's table only."""

from __future__ import annotations

import os
import struct
from errno import EINVAL, ENODEV, ENOSYS, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Any

from xemu.user import signals as sig
from xemu.user.calls.directories import first_entry
from xemu.user.calls.memory import map_memory
from xemu.user.calls.signals import set_action, set_blocked
from xemu.user.rows import call
from xemu.user.signals import Action
from xemu.user.x86 import segments

if TYPE_CHECKING:
    from xemu.user.task import Task

ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
ARCH_GET_CPUID, ARCH_SET_CPUID = 0x1011, 0x1012
ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM = 0x1021, 0x1022, 0x1023
XFEATURES = 7  # x87, SSE, AVX
_SET = {ARCH_SET_FS: "fs", ARCH_SET_GS: "gs"}
_GET = {ARCH_GET_FS: "fs", ARCH_GET_GS: "gs"}


@call("arch_prctl enum:arch_prctl ptr")
def arch_prctl(task: Task, code: int, value: int) -> int:
    """arch_prctl(2): the bases of FS and GS (not on i386), and what is asked about CPUID and XSAVE."""
    process = task.process
    wide = process.abi.bits == 64
    if code in _SET and wide:
        if value >= process.abi.task_size:
            return -EPERM
        segments.set_base(process.engine.state, _SET[code], 0, value)
        return 0
    if code in _GET and wide:
        task.space.write_u64(value, segments.base_of(process.engine.state, _GET[code]))
        return 0
    if code == ARCH_GET_CPUID:
        return 1
    if code == ARCH_SET_CPUID:
        return -ENODEV
    if code in (ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM):
        task.space.write_u64(value, XFEATURES)
        return 0
    return -EOPNOTSUPP if code == ARCH_REQ_XCOMP_PERM else -EINVAL


@call("set_thread_area struct:user_desc")
def set_thread_area(task: Task, address: int) -> int:
    """set_thread_area(2)."""
    segments.set_entry(task, address, allocate=True)
    return 0


@call("get_thread_area struct:user_desc")
def get_thread_area(task: Task, address: int) -> int:
    """get_thread_area(2)."""
    segments.get_entry(task, address)
    return 0


@call("modify_ldt int ptr ulong")
def modify_ldt(_task: Task, _function: int, _address: int, _size: int) -> int:
    """modify_ldt(2): not offered."""
    return -ENOSYS


@call("iopl uint")
def iopl(_task: Task, level: int) -> int:
    """iopl(2): no ports."""
    return -EINVAL if level > 3 else -EPERM if level else 0


@call("ioperm ulong ulong int")
def ioperm(_task: Task, first: int, count: int, on: int) -> int:
    """ioperm(2): no ports."""
    if first + count > 65536:
        return -EINVAL
    return -EPERM if on else 0


# --- arguments in memory --------------------------------------------------------------------------


@call("old_mmap ptr", "hex")
def old_mmap(task: Task, address: int) -> int:
    """mmap(2) with its arguments in memory."""
    place, length, prot, flags, fd, offset = task.space.unpack(_OLD_MMAP, address)
    return map_memory(task, place, length, prot, flags, fd, offset)


_OLD_MMAP = struct.Struct("<IIIIiI")


# --- signals of the first Unix ---------------------------------------------------------------------


@call("signal signal ptr", "hex")
def signal(task: Task, number: int, handler: int) -> int:
    """signal(2) as System V has it: one shot, nothing blocked."""
    if not 1 <= number <= sig.LAST or number in (sig.SIGKILL, sig.SIGSTOP):
        return -EINVAL
    before = task.process.signals.actions[number].handler
    set_action(task, number, Action(handler, sig.SA_RESETHAND | sig.SA_NODEFER))
    return before


@call("sgetmask", "hex")
def sgetmask(task: Task) -> int:
    """sgetmask(2)."""
    return task.blocked & 0xFFFFFFFF


@call("ssetmask ulong", "hex")
def ssetmask(task: Task, mask: int) -> int:
    """ssetmask(2)."""
    before = task.blocked
    set_blocked(task, mask)
    return before & 0xFFFFFFFF


# --- names of the system ----------------------------------------------------------------------------


def _old_names(name: str, length: int, stride: int) -> None:
    @call(f"{name} ptr")
    def run(task: Task, address: int) -> int:
        host, abi = os.uname(), task.process.abi
        fields = ("Linux", host.nodename, host.release, host.version, abi.machine)
        task.space.write(address, b"".join(os.fsencode(text)[:length].ljust(stride, b"\0") for text in fields))
        return 0


_old_names("olduname", 64, 65)
_old_names("oldolduname", 8, 9)


@call("readdir fd ptr uint")
def readdir(task: Task, fd: int, address: int, _count: int) -> int:
    """readdir(2): one entry; 0 at the end."""
    found = first_entry(task, fd)
    if found is None:
        return 0
    inode, offset, name = found
    head = struct.pack("<IIH", inode & 0xFFFFFFFF, offset & 0xFFFFFFFF, len(name))
    task.space.write(address, head + name + b"\0")
    return 1


@call("umount path")
def umount(task: Task, path: int) -> Any:
    """umount(2) without flags."""
    from xemu.user.calls.directories import umount2

    return umount2(task, path, 0)
