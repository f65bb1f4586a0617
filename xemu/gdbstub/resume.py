"""Moving the machine: vCont, c, s, C, S, bc, bs, interrupts. GDB manual, appendix E.2 "Packets"."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.outcomes import ENDED
from xemu.gdbstub.points import catch_events
from xemu.gdbstub.replies import OK
from xemu.gdbstub.stops import TOLD, final_reply
from xemu.gdbstub.table import ANY_THREAD, ThreadId, packet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xemu.debug.stops import Stop
    from xemu.gdbstub.client import Client

ACTIONS = "cCsStr"
_ACTION = re.compile(r"([cst]|[CS]([0-9a-fA-F]{2})|r([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16}))(?::([p0-9a-fA-F.-]+))?")


class Action(NamedTuple):
    """What a thread, or each that no other action is for, is to do."""

    how: str                                     # "c" go on, "s" one instruction, "r" while in the range, "t" nothing
    thread: int | None = None                    # None: all
    signal: int = 0                              # of Linux, which it goes on with
    low: int = 0
    high: int = 0

    def move(self, debugger: Any, thread: int | None, *, back: bool = False) -> Any:
        """Do it; `thread`: which one, of those that may run."""
        which = {"thread": thread} if debugger.system.kind == "process" else {}
        if self.how in "rs" and not back:
            debugger.system.give_way()
        if self.how == "r":
            return debugger.step_range(self.low, self.high, **which)
        if self.how == "s":
            return debugger.step(back=back, **which)
        return debugger.cont(back=back)


@dataclass
class Resume:
    """What a resume asks for. For each thread the first action that fits counts; a thread without one is held."""

    actions: list[Action]
    back: bool = False
    before_access: bool = False                  # watchpoints stop before the access
    into_handlers: bool = False                  # steps end where signals' handlers begin
    shows_signals: bool = True                   # steps stop at every signal: GDB decides how its handler is passed, LLDB does not

    def motion(self, debugger: Any) -> Any:
        """Do it; runs on the engine's thread."""
        if self.back:
            return self._backwards(debugger)
        chosen = self.chosen(info.id for info in debugger.system.threads())
        moving = {thread: action for thread, action in chosen.items() if action.how != "t"}
        if debugger.system.kind == "process":                # the cores of a machine move together
            debugger.only = None if len(moving) == len(chosen) and self._for_all else moving.keys()
        fact_or(None, debugger.system, "resume_with", {thread: action.signal for thread, action in moving.items()})
        action, thread = self._leading(debugger, moving)
        debugger.before_access, passed = self.before_access, debugger.pass_signals
        debugger.into_handlers = self.into_handlers and self.shows_signals
        if action.how in "rs" and self.shows_signals:
            debugger.pass_signals = frozenset()
        try:
            return action.move(debugger, thread)
        finally:
            debugger.before_access, debugger.into_handlers, debugger.pass_signals = False, False, passed

    def chosen(self, threads: Iterable[int]) -> dict[int, Action]:
        """Return what is for each of some threads; those that are held have no entry."""
        found = ((thread, next((a for a in self.actions if a.thread in (None, thread)), None)) for thread in threads)
        return {thread: action for thread, action in found if action is not None}

    @property
    def _for_all(self) -> bool:
        """Whether threads that will begin run, too."""
        return any(action.thread is None and action.how != "t" for action in self.actions)

    def _leading(self, debugger: Any, moving: dict[int, Action]) -> tuple[Action, int]:
        """Return the action whose end is the stop: a step, of the thread that stopped last if it makes one. And its thread."""
        here = debugger.stop.thread
        steps = [thread for thread, action in moving.items() if action.how in "rs"]
        thread = here if here in steps or not steps else steps[0]
        return (moving[thread], thread) if steps else (Action("c"), thread)

    def completes_call(self, before: Stop) -> bool:
        """Tell whether it is a step behind a fork: Linux stops for one within the system call's instruction, which then ends."""
        steps = any(action.how == "s" and action.thread in (None, before.thread) for action in self.actions)
        return steps and not self.back and before.kind.name in ("FORK", "VFORK")

    def _backwards(self, debugger: Any) -> Any:
        """Go back. Where GDB makes watched accesses itself, it undoes them itself too: the access is what comes next then."""
        action = self.actions[0]
        stop = action.move(debugger, action.thread, back=True)
        if self.before_access and stop.watch is not None:
            there = debugger.seek(stop.position.insns + 1)
            return replace(stop, position=there.position, pc=there.pc)
        return stop


def parse_actions(client: Client, text: str) -> Resume:
    """Read the actions of vCont."""
    actions = []
    for word in text.split(";"):
        found = _ACTION.fullmatch(word)
        if found is None:
            raise RspError(f"malformed action {word}", 0x16)
        action, signal, low, high, who = found.groups()
        linux = client.meant_signal(int(signal, 16)) if signal else 0
        actions.append(Action(action[0].lower(), _thread(client, who), linux, int(low or "0", 16), int(high or "0", 16)))
    return Resume(actions)


def _thread(client: Client, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return client.find_thread(ThreadId.parse(text.encode()))
    except ValueError:
        raise RspError(f"malformed thread {text}", 0x16) from None


async def go(client: Client, resume: Resume) -> str | None:
    """Move the machine and return the reply about its next stop."""
    if client.nonstop is not None:
        return await client.nonstop.resume(resume)
    if all(action.how == "t" for action in resume.actions):
        return OK
    before = client.last_stop or await client.ask(lambda debugger: debugger.stop)
    client.last_stop = None
    if before.kind.name == "VFORK" and "vfork-events+" in client.offered and not client.vfork_done and not resume.back:
        client.last_stop, client.vfork_done = before, True
        return f"T05vforkdone:;thread:{client.thread_text(before.thread)};"     # the child has ended or is another program by now
    if before.kind.name in ("EXITED", "KILLED") and not resume.back:
        return final_reply(client, before)
    client.vfork_done = False
    if resume.completes_call(before) and f"{before.kind.value}-events+" in client.offered:
        client.last_stop = stop = replace(before, kind=type(before.kind).STEP)
        return await client.stop_text(stop)
    await catch_events(client)
    resume.before_access, resume.into_handlers = client.description.before_access, client.description.into_handlers
    resume.shows_signals = not client.thread_suffix
    stop = await client.move(resume.motion)
    client.last_stop, client.general = stop, ANY_THREAD      # `g` is about the thread that stopped until GDB chooses another
    if stop.text and stop.kind.name in TOLD:
        await client.console(stop.text.rstrip("\n") + "\n")
    reply = await client.stop_text(stop)
    if stop.kind.name in ("EXITED", "KILLED") and client.server.leaves and not client.extended:
        await client.send(reply)
        client.server.finish(ENDED)
        return None
    return reply


@packet("vCont?", needs_target=False)
async def which_actions(_client: Client) -> str:
    """Name the actions of vCont."""
    return "vCont;" + ";".join(ACTIONS)


@packet("vCont;{actions:text}", writes=True)
async def resume_threads(client: Client, actions: str) -> str | None:
    """Go on, or step."""
    return await go(client, parse_actions(client, actions))


@packet("c[{address:hex}]", writes=True)
async def go_on(client: Client, address: int | None) -> str | None:
    """Go on, from another address if one is given."""
    await _jump(client, address)
    return await go(client, Resume([Action("c")]))


@packet("C{signal:hex}[;{address:hex}]", writes=True)
async def go_on_with_signal(client: Client, signal: int, address: int | None) -> str | None:
    """Go on with a signal."""
    await _jump(client, address)
    return await go(client, await _moved(client, "c", client.meant_signal(signal)))


@packet("s[{address:hex}]", writes=True)
async def step(client: Client, address: int | None) -> str | None:
    """Execute one instruction."""
    await _jump(client, address)
    return await go(client, await _moved(client, "s"))


@packet("S{signal:hex}[;{address:hex}]", writes=True)
async def step_with_signal(client: Client, signal: int, address: int | None) -> str | None:
    """Execute one instruction, after taking a signal."""
    await _jump(client, address)
    return await go(client, await _moved(client, "s", client.meant_signal(signal)))


async def _moved(client: Client, how: str, signal: int = 0) -> Resume:
    """Return a resume in which the thread of Hc does something, or the one that stopped, and the others go on."""
    thread = client.find_thread(client.moving_thread)
    if thread is None:
        thread = await client.ask(lambda debugger: debugger.stop.thread)
    return Resume([Action(how, thread, signal), Action("c")])


async def _jump(client: Client, address: int | None) -> None:
    if address is not None:
        await client.ask(lambda debugger: debugger.write_register("pc", address))


@packet("bs", feature="ReverseStep+", writes=True)
async def step_back(client: Client) -> str | None:
    """Take back one instruction."""
    return await go(client, Resume([Action("s", client.find_thread(client.moving_thread))], back=True))


@packet("bc", feature="ReverseContinue+", writes=True)
async def go_back(client: Client) -> str | None:
    """Go back to the last point, or to the start."""
    return await go(client, Resume([Action("c")], back=True))


@packet("vCtrlC", needs_target=False)
async def interrupt(_client: Client) -> str:
    """End a motion; while one is under way the connection does so before this is reached."""
    return OK
