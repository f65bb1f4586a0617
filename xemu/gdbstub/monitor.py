"""The `monitor` command (qRcmd): a table of commands. GDB manual, appendix E.4 `qRcmd`.

    @command("checkpoint [NAME]", "give the present place in time a name")
    async def checkpoint(console, name=""): ...

A command's words are matched with the words of its usage; output is streamed with `console.say`.
"""

from __future__ import annotations

import difflib
import inspect
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError
from xemu.gdbstub.errors import RspError
from xemu.gdbstub.facts import NoFactError, fact
from xemu.gdbstub.processes import reset_machine
from xemu.gdbstub.replies import OK
from xemu.gdbstub.table import packet
from xemu.gdbstub.transfer import TABLES, table_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from xemu.gdbstub.client import Client

    Handler = Callable[..., Awaitable[None]]

MOST_BRANCHES = 1000
FLUSH = "GDB does not notice by itself: `maint flush register-cache` shows the new place."


class Command(NamedTuple):
    """One monitor command."""

    name: str
    usage: str
    help: str
    handler: Handler
    writes: bool


COMMANDS: dict[str, Command] = {}


def command(usage: str, help_: str, *, writes: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated function as a command; the words in capitals are its arguments, those in brackets may be left out."""
    name = " ".join(word for word in usage.split() if word.islower() and word[0] not in "[.")

    def register(handler: Handler) -> Handler:
        COMMANDS[name] = Command(name, usage, help_, handler, writes)
        return handler

    return register


class Console:
    """Where a command prints."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def say(self, text: str) -> None:
        """Print lines."""
        await self.client.console(text if text.endswith("\n") else text + "\n")

    async def ask(self, function: Callable[[Any], Any]) -> Any:
        """Run a function with the debugger on the engine's thread."""
        return await self.client.ask(function)

    async def table(self, name: str) -> None:
        """Print a table of transfer.TABLES."""
        rows = await self.ask(lambda debugger: table_rows(debugger, name))
        if rows is None:
            raise RspError(f"there are no {name} here")
        await self.say(aligned(rows) or f"no {name}")


def aligned(rows: list[dict[str, Any]]) -> str:
    """Return a table as text."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = [[str(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in lines)) for i, name in enumerate(names)]
    return "\n".join("  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip()
                     for line in [names, *lines])


def find(words: list[str]) -> tuple[Command, list[str]]:
    """Return a command and its arguments; an unambiguous beginning of the name is enough."""
    if not words:
        raise RspError("Unknown monitor command: none is given; `monitor help` lists them")
    text = " ".join(words)
    exact = [c for c in COMMANDS.values() if text == c.name or text.startswith(c.name + " ")]
    found = max(exact, key=lambda c: len(c.name), default=None)
    if found is None:
        short = [c for c in COMMANDS.values() if _abbreviates(words, c.name.split())]
        if len(short) > 1:
            raise RspError(f"{words[0]}: " + " or ".join(sorted(c.name for c in short)) + "?")
        found = short[0] if short else None
    if found is None:
        near = difflib.get_close_matches(words[0], [name.split()[0] for name in COMMANDS], 1)
        raise RspError(f"no monitor command {text!r}" + (f"; did you mean {near[0]!r}?" if near else "; `monitor help` lists them"))
    return found, words[len(found.name.split()):]


def _abbreviates(words: list[str], name: list[str]) -> bool:
    return len(words) >= len(name) and all(full.startswith(word) for word, full in zip(words, name, strict=False))


@packet("qRcmd,{text:hextext}", needs_target=False)
async def monitor(client: Client, text: str) -> str:
    """Do a monitor command."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise RspError(str(error)) from None
    try:
        chosen, arguments = find(words)
        if chosen.writes:
            client.require_writer(f"monitor {chosen.name}")
        try:
            inspect.signature(chosen.handler).bind(None, *arguments)
        except TypeError:
            raise RspError(f"usage: monitor {chosen.usage}") from None
        await _do(client, chosen, arguments)
    except (RspError, XemuError) as error:
        if "error-message+" not in client.offered:          # GDB would show a number only
            await client.console(f"{error}\n")
        raise
    return OK


async def _do(client: Client, chosen: Command, arguments: list[str]) -> None:
    try:
        await chosen.handler(Console(client), *arguments)
    except NoFactError:
        raise RspError(f"{chosen.name}: there is nothing of the kind here") from None


# -- the commands ----------------------------------------------------------------------------------------------------------
@command("help [COMMAND]", "list the commands, or say more about one")
async def help_(console: Console, *words: str) -> None:
    """List commands."""
    chosen = [find(list(words))[0]] if words else sorted(COMMANDS.values())
    width = max(len(c.usage) for c in chosen)
    title = [] if words else ["The following monitor commands are supported:"]
    await console.say("\n".join(title + [f"{c.usage:{width}}  {c.help}" for c in chosen]))


@command("devices", "list devices and where they are")
async def devices(console: Console) -> None:
    """List devices."""
    await console.table("devices")


@command("device NAME", "show a device's registers; looking has no effect")
async def device(console: Console, name: str) -> None:
    """Show a device."""
    await console.say(await console.ask(lambda debugger: fact(debugger.system, "device_text", name)))


@command("info TABLE", "show a table: " + ", ".join(TABLES))
async def info(console: Console, table: str) -> None:
    """Show a table."""
    if table not in TABLES:
        near = difflib.get_close_matches(table, TABLES, 1)
        raise RspError(f"no table {table!r}" + (f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(TABLES)}"))
    await console.table(table)


@command("where", "show the place in time and how far back history goes")
async def where(console: Console) -> None:
    """Show the position."""
    def describe(debugger: Any) -> str:
        history = debugger.history
        first, last = (history.first, history.last) if hasattr(history, "first") else history
        return f"at {debugger.position}; history from {first} to {last}; stopped: {debugger.stop.text or debugger.stop.kind.value}"

    await console.say(await console.ask(describe))


@command("seek PLACE", "go to an instruction count, a time like 12.5ms, start, end, or a checkpoint", writes=True)
async def seek(console: Console, place: str) -> None:
    """Go to a place in time."""
    goal = int(place.replace(",", "").replace("_", ""), 0) if place[:1].isdigit() and place[-1:].isdigit() and "." not in place else place
    stop = await console.client.move(lambda debugger: debugger.seek(goal))
    console.client.last_stop = None
    await console.say(f"{stop.position}, pc {stop.pc:#x}\n{FLUSH}")


@command("checkpoint [NAME]", "give the present place in time a name", writes=True)
async def checkpoint(console: Console, name: str = "") -> None:
    """Name the place."""
    made = await console.ask(lambda debugger: debugger.checkpoint(name))
    await console.say(f"checkpoint {made or name}: `monitor seek {made or name}` comes back")


@command("checkpoints", "list checkpoints")
async def checkpoints(console: Console) -> None:
    """List them."""
    await console.table("checkpoints")


@command("branches", "list other futures, which began where something was changed in the past")
async def branches(console: Console) -> None:
    """List them."""
    found = await console.ask(lambda debugger: [(b.number, b.fork.position, b.end) for b in debugger.branches])
    await console.say("\n".join(f"{number}: from {start} to {end}" for number, start, end in found) or "no branches")


@command("branch NUMBER", "put another future in the place of the present one", writes=True)
async def branch(console: Console, number: str) -> None:
    """Switch."""
    if not number.isdecimal():
        raise RspError(f"{number} is no branch's number")
    stop = await console.client.move(lambda debugger: debugger.switch(int(number)))
    console.client.last_stop = None
    await console.say(f"{stop.position}, pc {stop.pc:#x}\n{FLUSH}")


@command("reset", "reset the machine; it stops at its first instruction", writes=True)
async def reset(console: Console) -> None:
    """Reset."""
    if console.client.kind != "machine":
        raise RspError("a process cannot be reset; `run` starts it again")
    await console.ask(reset_machine)
    await console.say(FLUSH)


@command("reset halt", "the same, as OpenOCD spells it", writes=True)
async def reset_halt(console: Console) -> None:
    """Reset."""
    await reset(console)


@command("trace [COUNT]", "show the last branches")
async def trace(console: Console, count: str = "20") -> None:
    """Show the branch trace."""
    if not count.isdecimal():
        raise RspError(f"{count}: not a number")
    number = min(int(count), MOST_BRANCHES)

    if not await console.ask(lambda debugger: hasattr(debugger, "branch_trace")):
        raise NoFactError("branches")

    def describe(debugger: Any) -> str:
        name = getattr(debugger.system, "where", hex)
        return "\n".join(f"{name(begin)} … {end:#x}" for begin, end in list(debugger.branch_trace(number))[:number])

    await console.say(await console.ask(describe) or "nothing yet")


@command("pin PIN LEVEL", "drive a pin from outside: PART.PIN, then 0, 1 or z (nobody drives it)", writes=True)
async def pin(console: Console, name: str, level: str) -> None:
    """Drive a pin."""
    if level not in ("0", "1", "z"):
        raise RspError("a pin is 0, 1 or z")
    await console.ask(lambda debugger: fact(debugger.system, "set_pin", name, None if level == "z" else int(level)))


@command("value NAME NUMBER", "set what a sensor measures: PART.NAME, then the value", writes=True)
async def value(console: Console, name: str, text: str) -> None:
    """Set what is measured."""
    await console.ask(lambda debugger: fact(debugger.system, "set_value", name, text))


@command("symbols FILE [OFFSET]", "take names from an ELF file, for traces and messages")
async def symbols(console: Console, path: str, offset: str = "0") -> None:
    """Load names."""
    try:
        number = int(offset, 0)
    except ValueError:
        raise RspError(f"{offset}: not a number") from None
    if not console.client.server.trusted:
        raise RspError("files are read for clients on this machine only")
    added = await console.ask(lambda debugger: fact(debugger.system, "add_symbols", path, number))
    await console.say(f"{added} names")


@command("set stop-at-exit SWITCH", "on: a program stops in front of its end, from where one can go back")
async def stop_at_exit(console: Console, switch: str) -> None:
    """Choose what happens at the end."""
    console.client.server.stop_at_exit = _is_on(switch)


@command("set step-into-irq SWITCH", "on: a step that enters an interrupt handler stops there", writes=True)
async def step_into_irq(console: Console, switch: str) -> None:
    """Choose what steps do."""
    on = _is_on(switch)
    await console.ask(lambda debugger: setattr(debugger, "step_into_irq", on))


def _is_on(switch: str) -> bool:
    if switch not in ("on", "off"):
        raise RspError("it is on or off")
    return switch == "on"


@command("set debug SWITCH", "1: print what the stub does, packets first of all; gdbserver's command")
async def debug(console: Console, switch: str) -> None:
    """Switch the log of packets."""
    await _log(console, switch, "Debug output")


@command("set remote-debug SWITCH", "1: print the packets; gdbserver's command")
async def remote_debug(console: Console, switch: str) -> None:
    """Switch the log of packets."""
    await _log(console, switch, "Protocol debug output")


@command("set debug-format FORMAT", "taken and ignored: none, all or timestamp; gdbserver's command")
async def debug_format(console: Console, name: str) -> None:
    """Take note."""
    answers = {"none": "All extra debug format options disabled.", "all": "All extra debug format options enabled.",
               "timestamp": "Timestamps will be added to debug output."}
    if name not in answers:
        raise RspError(f"it is {', '.join(answers)}")
    await console.say(answers[name])


async def _log(console: Console, switch: str, what: str) -> None:
    if switch not in ("0", "1"):
        raise RspError("it is 0 or 1")
    server = console.client.server
    server.log = server.say if switch == "1" else None
    await console.say(f"{what} {'enabled' if switch == '1' else 'disabled'}.")


@command("exit", "end the emulator", writes=True)
async def exit_(console: Console) -> None:
    """End. Nothing is printed, as with gdbserver."""
    console.client.server.finish("monitor exit")
