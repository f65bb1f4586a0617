"""The three calls at fixed addresses in x86_64's vsyscall page, which cannot be read (`arch/x86/entry/vsyscall/vsyscall_64.c`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.memory import GuestFault

if TYPE_CHECKING:
    from xemu.user.abi import Abi
    from xemu.user.process import Process
    from xemu.user.task import Task

PAGE = 0xFFFFFFFFFF600000
_CALLS = {PAGE: "gettimeofday", PAGE + 0x400: "time", PAGE + 0x800: "getcpu"}
MAPS = "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"


def covers(abi: Abi, address: int) -> bool:
    """Tell whether an address is in the page."""
    return abi.bits == 64 and address & -4096 == PAGE


def run(process: Process, task: Task, address: int) -> bool:
    """Make the call at an address and return from it; False: there is none, or it has no place to return to."""
    name = _CALLS.get(address)
    if name is None:
        return False
    state = process.engine.state
    sp = state.read("rsp")
    try:
        back = task.read_word(sp)
    except GuestFault:
        return False
    entry = process.table[process.abi.numbers[name]]
    _, block, first = process.call_access()
    arguments = list(entry[1](block, first))
    if name == "getcpu":
        arguments[2] = 0
    try:
        result = entry[0](task, *arguments)
    except GuestFault:
        return False
    process.set_result(result)
    state.write("rsp", sp + 8)
    state.write("pc", back)
    return True
