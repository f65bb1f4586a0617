"""Stops as GDB is told of them. GDB manual, appendix E.3 "Stop Reply Packets"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.replies import hexed, register_text
from xemu.gdbstub.signals import SIGINT, SIGKILL, SIGTRAP

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.gdbstub.client import Client

    Reason = Callable[[Client, Any], str]

#: the names of watch stops, by the access that the point watches
WATCHES = {"w": "watch", "r": "rwatch", "a": "awatch"}
#: stops that GDB has no word for: what they are is printed
TOLD = {"EXCEPTION", "IRQ", "DEVICE", "THREAD", "IDLE", "LOCKUP", "STRICT", "REACHED", "DIVERGED", "LOST", "HELD", "REQUEST"}


def _breakpoint(client: Client, stop: Any) -> str:
    # A stop with `swbreak` where GDB has no breakpoint is one that it removed meanwhile, it believes, and goes on.
    own = [point for point in stop.points if point.owner == client.owner]
    if not own:
        return ""
    word = "hwbreak" if all(point.hardware for point in own) else "swbreak"
    return f"{word}:;" if f"{word}+" in client.offered else ""


def _watch(client: Client, stop: Any) -> str:
    own = [point for point in stop.points if point.owner == client.owner]
    if stop.watch is None or not own:
        return ""
    if "multi-wp-addr+" not in client.offered:
        own = own[:1]
    # the address that GDB knows the point by, where the access began in front of it
    return "".join(f"{WATCHES[point.access]}:{max(stop.watch.address, point.address):x};" for point in own)


def _fork(word: str) -> Reason:
    def reason(client: Client, stop: Any) -> str:
        if f"{word}-events+" not in client.offered:
            return ""
        client.children.add(stop.number)
        return f"{word}:{client.thread_text(stop.number, process=stop.number)};"

    return reason


def _exec(client: Client, stop: Any) -> str:
    if "exec-events+" not in client.offered:
        return ""
    debugger = client.session.debugger
    while client.points:                             # they were the old program's; GDB takes none of them away
        debugger.delete(client.points.popitem()[1])
    return f"exec:{hexed(stop.name or fact_or('', debugger.system, 'exe_path'))};"


def _call(client: Client, stop: Any) -> str:
    if stop.points and set(stop.points) <= {client.catches.get("exit")}:       # GDB knows no catchpoint there
        return "replaylog:end;"
    return f"syscall_entry:{stop.number:x};"


#: kind of a stop -> the word about it in a `T` packet
REASONS: dict[str, Reason] = {
    "BREAKPOINT": _breakpoint,
    "WATCHPOINT": _watch,
    "SYSCALL_ENTRY": _call,
    "SYSCALL_RETURN": lambda _client, stop: f"syscall_return:{stop.number:x};",
    "FORK": _fork("fork"),
    "VFORK": _fork("vfork"),
    "EXEC": _exec,
    "HISTORY_BEGIN": lambda _client, _stop: "replaylog:begin;",
    "HISTORY_END": lambda _client, _stop: "replaylog:end;",
}


def signal_of(client: Client, stop: Any) -> int:
    """Return the signal that a stop looks like, in the client's numbers."""
    if stop.kind.name == "SIGNAL":
        return client.told_signal(stop.number)
    return SIGINT if stop.kind.name == "PAUSE" else SIGTRAP


def final_reply(client: Client, stop: Any) -> str:
    """Return the reply about a program, or all of its threads that may run, that has ended; "" while it lives."""
    process = f";process:{client.process:x}" if client.multiprocess else ""
    if stop.kind.name == "EXITED":
        return f"W{stop.code & 0xFF:02x}{process}"
    if stop.kind.name == "HELD" and "no-resumed+" in client.offered:
        return "N"
    if stop.kind.name == "KILLED":
        return f"X{client.told_signal(stop.number) or SIGKILL:02x}{process}"
    return ""


def stop_reply(client: Client, debugger: Any, stop: Any, *, thread: int | None = None, signal: int | None = None,
               final: bool = True) -> str:
    """Return the reply about a stop, of `thread` where not the stop's; runs on the engine's thread.

    `final`: a program that has ended is gone.
    """
    if final and (text := final_reply(client, stop)):
        return text
    reason = ""
    if thread in (None, stop.thread):
        thread = stop.thread
        reason = REASONS[stop.kind.name](client, stop) if stop.kind.name in REASONS else ""
        signal = signal_of(client, stop) if signal is None else signal
    return f"T{signal or 0:02x}{reason}{_thread(client, debugger, thread)}{_registers(client, debugger, thread)}"


def _thread(client: Client, debugger: Any, thread: int) -> str:
    text = f"thread:{client.thread_text(thread)};"
    threads = list(debugger.system.threads())
    core = next((info.core for info in threads if info.id == thread), None)
    text += "" if core is None else f"core:{core:x};"
    if client.list_threads:
        text += "threads:" + ",".join(client.thread_text(info.id) for info in threads) + ";"
    return text


def _registers(client: Client, debugger: Any, thread: int) -> str:
    """Return the registers that GDB asks for after each stop."""
    text = ""
    for name in client.description.expedited:
        register = client.description.by_name(name)
        value = debugger.read_register(name, thread)
        if value is not None:
            text += f"{register.number:02x}:{register_text(value, register.size, big=client.description.big)};"
    return text
