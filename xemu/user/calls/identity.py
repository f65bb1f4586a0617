"""Who the process is: ids, groups, sessions, priorities, limits."""

from __future__ import annotations

import os
import resource
import struct
from errno import EINVAL, EPERM, ESRCH
from typing import TYPE_CHECKING

from xemu.user.rows import call

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.user.task import Task

RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_AS = 2, 7, 9
INFINITY64 = 0xFFFFFFFFFFFFFFFF


@call("getpid")
def getpid(task: Task) -> int:
    """getpid(2)."""
    return task.process.pids.own()


@call("gettid")
def gettid(task: Task) -> int:
    """gettid(2)."""
    return task.tid


@call("getppid")
def getppid(task: Task) -> int:
    """getppid(2)."""
    return task.process.pids.parent()


def _simple(name: str, function: object) -> None:
    def run(_task: Task) -> int:
        return function()  # type: ignore[operator, no-any-return]

    run.__doc__ = f"{name}(2)."
    call(name)(run)


for _name, _function in (
    ("getuid", os.getuid), ("geteuid", os.geteuid), ("getgid", os.getgid), ("getegid", os.getegid),
):  # fmt: skip
    _simple(_name + "32", _function)
    _simple(_name, _function)


def _id(value: int) -> int:
    return -1 if value == 0xFFFFFFFF else value


def plain_id(task: Task, value: int) -> int:
    """Return the id in an argument of a call without 32 in its name: 16 bits where there are such with 32."""
    if not task.process.abi.short_ids:
        return _id(value)
    value &= 0xFFFF
    return -1 if value == 0xFFFF else value


def _setters(suffix: str, convert: Callable[[Task, int], int]) -> None:
    """Register the calls that set ids."""

    def one(name: str, function: object) -> None:
        @call(f"{name}{suffix} uid")
        def run(task: Task, value: int) -> int:
            function(convert(task, value))  # type: ignore[operator]
            return 0

    def two(name: str, function: object) -> None:
        @call(f"{name}{suffix} uid uid")
        def run(task: Task, real: int, effective: int) -> int:
            function(convert(task, real), convert(task, effective))  # type: ignore[operator]
            return 0

    def three(name: str, function: object) -> None:
        @call(f"{name}{suffix} uid uid uid")
        def run(task: Task, real: int, effective: int, saved: int) -> int:
            function(convert(task, real), convert(task, effective), convert(task, saved))  # type: ignore[operator]
            return 0

    one("setuid", os.setuid)
    one("setgid", os.setgid)
    two("setreuid", os.setreuid)
    two("setregid", os.setregid)
    three("setresuid", os.setresuid)
    three("setresgid", os.setresgid)


_setters("32", lambda _task, value: _id(value))
_setters("", plain_id)


def _get_three(name: str, function: object) -> None:
    @call(f"{name} ptr ptr ptr")
    def run(task: Task, real: int, effective: int, saved: int) -> int:
        for address, value in zip((real, effective, saved), function(), strict=True):  # type: ignore[operator]
            code = task.process.abi.order + _id_code(task, name)
            task.space.write(address, struct.pack(code, value & (0xFFFF if code[1:] == "H" else 0xFFFFFFFF)))
        return 0


def _id_code(task: Task, name: str) -> str:
    """Return the code of an id in memory, for a call of this name."""
    return "H" if task.process.abi.short_ids and not name.endswith("32") else "I"


for _suffix in ("32", ""):
    _get_three("getresuid" + _suffix, os.getresuid)
    _get_three("getresgid" + _suffix, os.getresgid)


def _set_fs_id(name: str) -> None:
    @call(f"{name} uid")
    def run(_task: Task, _value: int) -> int:
        return os.geteuid() if name.startswith("setfsuid") else os.getegid()


for _name in ("setfsuid32", "setfsgid32", "setfsuid", "setfsgid"):
    _set_fs_id(_name)


def _groups(suffix: str) -> None:
    @call(f"getgroups{suffix} int ptr")
    def get(task: Task, size: int, address: int) -> int:
        groups = os.getgroups()
        if size < 0 or (size and size < len(groups)):
            return -EINVAL
        if size:
            code = _id_code(task, "getgroups" + suffix)
            task.space.write(address, struct.pack(f"{task.process.abi.order}{len(groups)}{code}", *groups))
        return len(groups)

    @call(f"setgroups{suffix} int ptr")
    def set_(task: Task, size: int, address: int) -> int:
        if not 0 <= size <= 65536:
            return -EINVAL
        codes = struct.Struct(f"{task.process.abi.order}{size}{_id_code(task, 'setgroups' + suffix)}")
        os.setgroups(task.space.unpack(codes, address))
        return 0


_groups("32")
_groups("")


@call("getpgrp")
def getpgrp(task: Task) -> int:
    """getpgrp(2)."""
    return task.process.pids.guest(os.getpgrp())


@call("getpgid pid")
def getpgid(task: Task, pid: int) -> int:
    """getpgid(2)."""
    pids = task.process.pids
    return pids.guest(os.getpgid(pids.host(pid)))


@call("setpgid pid pid")
def setpgid(task: Task, pid: int, group: int) -> int:
    """setpgid(2)."""
    if group < 0:
        return -EINVAL
    pids = task.process.pids
    os.setpgid(pids.host(pid), pids.host(group))
    return 0


@call("getsid pid")
def getsid(task: Task, pid: int) -> int:
    """getsid(2)."""
    pids = task.process.pids
    return pids.guest(os.getsid(pids.host(pid)))


@call("setsid")
def setsid(task: Task) -> int:
    """setsid(2)."""
    os.setsid()
    return task.process.pids.own()


@call("umask mode")
def umask(task: Task, mask: int) -> int:
    """umask(2)."""
    task.process.umask = mask & 0o777
    return os.umask(mask & 0o777)


# --- limits and priorities ----------------------------------------------------------------------


def _limits(which: int) -> tuple[int, int]:
    soft, hard = resource.getrlimit(which)
    return (INFINITY64 if soft < 0 else soft), (INFINITY64 if hard < 0 else hard)


def _set_limits(task: Task, which: int, soft: int, hard: int) -> None:
    def signed(value: int) -> int:
        return -1 if value >= INFINITY64 >> 1 else value

    if which in (RLIMIT_AS, RLIMIT_DATA):
        return  # it would be this process's: the guest's window and its compiled code are larger than any limit that a guest sets
    if soft > hard:
        raise OSError(EINVAL, "limits")
    try:
        resource.setrlimit(which, (signed(soft), signed(hard)))
    except ValueError:
        raise OSError(EPERM, "limits") from None
    if which == RLIMIT_NOFILE:
        task.fds.limit = min(soft, 1 << 20)


def _write_limits(task: Task, address: int, which: int, infinity: int) -> int:
    layout = task.process.abi.layouts["rlimit"]
    soft, hard = (min(value, infinity) for value in _limits(which))
    task.space.write(address, layout.pack(cur=soft, max=hard))
    return 0


@call("ugetrlimit enum:rlimit struct:rlimit")
def ugetrlimit(task: Task, which: int, address: int) -> int:
    """getrlimit(2)."""
    if not 0 <= which < 16:
        return -EINVAL
    return _write_limits(task, address, which, (1 << task.process.abi.bits) - 1)


@call("getrlimit enum:rlimit struct:rlimit")
def getrlimit(task: Task, which: int, address: int) -> int:
    """getrlimit(2); on 32-bit machines this is the form whose infinity is 0x7fffffff."""
    if not 0 <= which < 16:
        return -EINVAL
    return _write_limits(task, address, which, 0x7FFFFFFF if task.process.abi.bits == 32 else INFINITY64)


@call("setrlimit enum:rlimit struct:rlimit")
def setrlimit(task: Task, which: int, address: int) -> int:
    """setrlimit(2)."""
    if not 0 <= which < 16:
        return -EINVAL
    values = task.space.unpack(task.process.abi.layouts["rlimit"].struct, address)
    infinity = (1 << task.process.abi.bits) - 1
    soft, hard = (INFINITY64 if value == infinity else value for value in values)
    _set_limits(task, which, soft, hard)
    return 0


@call("prlimit64 pid enum:rlimit struct:rlimit64 struct:rlimit64")
def prlimit64(task: Task, pid: int, which: int, new: int, old: int) -> int:
    """prlimit(2) of this process."""
    if not 0 <= which < 16:
        return -EINVAL
    if pid not in (0, task.process.pids.own()):
        os.kill(task.process.pids.host(pid), 0)
        return -EPERM
    before = _limits(which)
    layout = task.process.abi.layouts["rlimit64"]
    wanted = task.space.unpack(layout.struct, new) if new else None
    if old:
        soft, hard = before
        task.space.write(old, layout.pack(cur=soft, max=hard))
    if wanted:
        _set_limits(task, which, *wanted)
    return 0


@call("getpriority int int")
def getpriority(task: Task, which: int, who: int) -> int:
    """getpriority(2): the raw call returns 20 - nice."""
    who = task.process.pids.host(who) if which == 0 and who not in task.process.tasks else 0 if which == 0 else who
    return 20 - os.getpriority(which, who)


@call("setpriority int int int")
def setpriority(task: Task, which: int, who: int, value: int) -> int:
    """setpriority(2)."""
    if not 0 <= which <= 2:
        return -EINVAL
    who = task.process.pids.host(who) if which == 0 and who not in task.process.tasks else 0 if which == 0 else who
    os.setpriority(which, who, value)
    return 0


@call("nice int")
def nice(_task: Task, increment: int) -> int:
    """nice(2)."""
    os.nice(increment)
    return 0


@call("capget struct:cap struct:cap")
def capget(task: Task, header: int, data: int) -> int:
    """capget(2): none, or all for root."""
    version = task.space.read_u32(header)
    if version not in (0x19980330, 0x20071026, 0x20080522):
        task.space.write_u32(header, 0x20080522)
        return 0 if not data else -EINVAL
    if data:
        bits = 0xFFFFFFFF if os.geteuid() == 0 else 0
        high = 0x1FF if bits else 0
        words = (bits, bits, 0) if version == 0x19980330 else (bits, bits, 0, high, high, 0)
        task.space.write(data, struct.pack(f"{task.process.abi.order}{len(words)}I", *words))
    return 0


@call("capset struct:cap struct:cap")
def capset(task: Task, header: int, data: int) -> int:
    """capset(2): accepted for the process itself, without effect."""
    pid = task.space.read_u32(header + 4)
    task.space.read(data, 12)
    return 0 if pid in (0, task.tid) else -ESRCH
