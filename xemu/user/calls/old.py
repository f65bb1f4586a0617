"""Calls of older kernels, which are only in the tables of i386 and PowerPC."""

from __future__ import annotations

import os
import struct
from errno import EINVAL
from typing import TYPE_CHECKING, Any

from xemu.user import signals as sig
from xemu.user.calls.directories import first_entry, umount2
from xemu.user.calls.signals import set_action, set_blocked
from xemu.user.rows import call
from xemu.user.signals import Action

if TYPE_CHECKING:
    from xemu.user.task import Task


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
    head = struct.pack(task.process.abi.order + "IIH", inode & 0xFFFFFFFF, offset & 0xFFFFFFFF, len(name))
    task.space.write(address, head + name + b"\0")
    return 1


@call("umount path")
def umount(task: Task, path: int) -> Any:
    """umount(2) without flags."""
    return umount2(task, path, 0)
