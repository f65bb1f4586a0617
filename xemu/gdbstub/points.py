"""Break- and watchpoints (Z, z), with conditions and commands that are evaluated here; catching system calls; signals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xemu.gdbstub import agent
from xemu.gdbstub.errors import RspError, UnsupportedError
from xemu.gdbstub.general import told_events
from xemu.gdbstub.replies import OK
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.expressions import Expression
    from xemu.gdbstub.client import Client
    from xemu.gdbstub.target_xml import Description

SOFTWARE, HARDWARE = 0, 1
#: Z number -> which accesses stop
WATCHED = {2: "w", 3: "r", 4: "a"}
LONGEST_WATCH = 1 << 32
#: the name of a client's catchpoint for the system call that ends the program
EXIT = "exit"
MOST_CALLS = 1024
FEATURES = "swbreak+;hwbreak+;ConditionalBreakpoints+;BreakpointCommands+"


@packet("Z{kind:hex},{address:hex},{length:hex}[;{rest:binary}]", feature=FEATURES, writes=True)
async def insert(client: Client, kind: int, address: int, length: int, rest: bytes | None) -> str:
    """Set a point. The same again changes nothing but its condition and commands."""
    if client.at_child:
        raise RspError("a forked child runs without a debugger", 3)
    setter = _setter(client, kind, address, length, rest or b"")
    key = _key(kind, address, length)
    old = client.points.pop(key, None)

    def change(debugger: Any) -> Any:
        if old is not None:
            debugger.delete(old)
        return setter(debugger)

    client.points[key] = await client.ask(change)
    return OK


@packet("z{kind:hex},{address:hex},{length:hex}", writes=True)
async def remove(client: Client, kind: int, address: int, length: int) -> str:
    """Remove a point; one that is not there is no error. GDB takes a forked child's away, which has none."""
    if client.at_child:
        return OK
    if kind > max(WATCHED):
        raise UnsupportedError
    point = client.points.pop(_key(kind, address, length), None)
    if point is None:
        return OK

    def take_out(debugger: Any) -> bool:
        debugger.delete(point)
        return kind != SOFTWARE or client.thread_suffix or bool(debugger.read_memory(address, 1))

    if not await client.ask(take_out):
        raise RspError(f"{address:#x} cannot be read any more", 0x0E)
    return OK


def _key(kind: int, address: int, length: int) -> tuple[int, int, int]:
    """Return what tells points apart: the length of an instruction does not, LLDB sets with 2 and removes with 4."""
    return kind, address, length if kind in WATCHED else 0


def _setter(client: Client, kind: int, address: int, length: int, rest: bytes) -> Callable[[Any], Any]:
    """Return what sets the point, on the engine's thread."""
    conditions, commands = split(rest)
    if kind in WATCHED:
        if not 0 < length <= LONGEST_WATCH:
            raise RspError(f"a watchpoint on {length} bytes", 0x16)
        return lambda debugger: debugger.watch(address, length, WATCHED[kind], owner=client.owner)
    if kind not in (SOFTWARE, HARDWARE):
        raise UnsupportedError
    description = client.description
    condition = _condition(conditions, description)
    texts = _texts(commands, description)

    def insert_breakpoint(debugger: Any) -> Any:
        # hardware's may stand anywhere; LLDB sets one at 0 where a program has no loader, and gives up if it is refused
        if kind == SOFTWARE and not client.thread_suffix and not debugger.read_memory(address, 1):
            raise RspError(f"{address:#x} cannot be read: there is no code", 0x0E)
        action = partial(_print, client, debugger, texts) if texts else None
        point = debugger.break_at(address, condition=condition, action=action, owner=client.owner, hardware=kind == HARDWARE)
        point.stays = True
        return point

    return insert_breakpoint


def _condition(codes: list[bytes], description: Description) -> Expression | None:
    """Return the condition; None (stop always, GDB looks itself then) where it cannot be expressed."""
    try:
        return agent.any_of([agent.translate(code, description.name_of, big=description.big) for code in codes])
    except agent.AgentError:
        return None


def _texts(codes: list[bytes], description: Description) -> tuple[agent.Text, ...]:
    try:
        return tuple(text for code in codes for text in agent.translate_command(code, description.name_of, big=description.big))
    except agent.AgentError as error:
        raise RspError(f"this command cannot be done here: {error}; use `set dprintf-style gdb`", 0x16) from None


def _print(client: Client, debugger: Any, texts: tuple[agent.Text, ...]) -> None:
    """Do the action of a log point, on the engine's thread."""
    word = debugger.source.architecture.word
    client.server.print_for(client, b"".join(text.text(debugger.read_register, debugger.read_memory, word) for text in texts))


def split(rest: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the bytecode of the conditions and of the commands: `X5,…X7,…;cmds:0,X9,…`."""
    conditions, _, commands = rest.partition(b"cmds:")
    persistent, _, commands = commands.partition(b",")
    if len(persistent) > 1 or persistent not in (b"", b"0", b"1"):
        raise RspError("malformed list of commands", 0x16)
    return _codes(conditions.rstrip(b";")), _codes(commands)


def _codes(text: bytes) -> list[bytes]:
    codes = []
    while text:
        if not text.startswith(b"X"):
            raise RspError("malformed agent expression", 0x16)
        length, comma, text = text[1:].partition(b",")
        try:
            count = int(length, 16)
            code = bytes.fromhex(text[:2 * count].decode())
        except ValueError:
            raise RspError("malformed agent expression", 0x16) from None
        if not comma or len(code) != count:
            raise RspError("an agent expression is shorter than announced", 0x16)
        codes.append(code)
        text = text[2 * count:].lstrip(b";")
    return codes


# -- system calls and signals --------------------------------------------------------------------------------------------


@packet("QCatchSyscalls:{switch:hex}[;{numbers:name}[;{more:text}]]", feature="QCatchSyscalls+", kind="process", writes=True)
async def catch_syscalls(client: Client, switch: int, numbers: str | None, more: str | None) -> str:
    """Stop at all system calls, at some, or at none."""
    try:
        wanted = {int(text, 16) for text in ";".join(filter(None, (numbers, more))).split(";") if text} or None
    except ValueError:
        raise RspError("malformed list of system calls", 0x16) from None
    await _catch(client, "syscall", bool(switch), wanted)
    return OK


def _call_number(system: Any, name: str) -> int:
    return next(number for number in range(MOST_CALLS) if system.call_name(number) == name)


async def _catch(client: Client, kind: str, wanted: bool, detail: Any = None, *, name: str = "") -> None:
    old = client.catches.pop(name or kind, None)

    def change(debugger: Any) -> Any:
        if old is not None:
            debugger.delete(old)
        return debugger.catch(kind, detail, owner=client.owner) if wanted else None

    point = await client.ask(change)
    if point is not None:
        client.catches[name or kind] = point


async def catch_events(client: Client) -> None:
    """Stop at forks and execs, if this client wants to be told of them, and in front of the end, if that is wanted."""
    if client.kind == "process" and client.server.stop_at_exit != (EXIT in client.catches):
        number = await client.ask(lambda debugger: _call_number(debugger.system, "exit_group"))
        await _catch(client, "syscall", client.server.stop_at_exit, {number}, name=EXIT)
    for kind in told_events(client):
        if f"{kind}-events+" in client.offered and kind not in client.catches:
            await _catch(client, kind, wanted=True)


def _signals(client: Client, text: str) -> set[int]:
    try:
        return {client.meant_signal(int(number, 16)) for number in text.split(";") if number} - {0}
    except ValueError:
        raise RspError("malformed list of signals", 0x16) from None


@packet("QPassSignals:{signals:text}", feature="QPassSignals+", kind="process", writes=True)
async def pass_signals(client: Client, signals: str) -> str:
    """Deliver these signals without a stop."""
    wanted = _signals(client, signals)
    await client.ask(lambda debugger: setattr(debugger, "pass_signals", wanted))
    return OK


@packet("QProgramSignals:{signals:text}", feature="QProgramSignals+", kind="process", writes=True)
async def program_signals(client: Client, signals: str) -> str:
    """Take note of the signals that the program may get; all do."""
    _signals(client, signals)
    return OK
