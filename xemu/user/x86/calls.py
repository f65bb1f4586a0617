"""The calls that only x86 has."""

from __future__ import annotations

import struct
from errno import EINVAL, ENODEV, ENOSYS, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

from xemu.user.calls.memory import map_memory
from xemu.user.rows import call
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
