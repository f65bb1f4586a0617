"""Moving the machine: vCont, c, s, C, S, bc, bs, interrupts. GDB manual, appendix E.2 "Packets"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.outcomes import ENDED
from xemu.gdbstub.points import catch_events
from xemu.gdbstub.replies import OK
from xemu.gdbstub.stops import TOLD, final_reply
from xemu.gdbstub.table import ThreadId, packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client

ACTIONS = "cCsStr"
_ACTION = re.compile(r"([cst]|[CS]([0-9a-fA-F]{2})|r([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16}))(?::([p0-9a-fA-F.-]+))?")


@dataclass
class Resume:
    """What a resume asks for: how, and with which signals."""

    how: str = "c"                               # "c" go on, "s" one instruction, "r" while in the range, "t" not at all
    thread: int | None = None                    # the one that steps
    low: int = 0
    high: int = 0
    back: bool = False
    signals: dict[int | None, int] = field(default_factory=dict)     # thread (None: the stop's) -> Linux signal
    before_access: bool = False                  # watchpoints stop before the access
    shows_signals: bool = True                   # steps stop at every signal: GDB decides how its handler is passed, LLDB does not
    alone: bool = False                          # no other thread may run (GDB's scheduler-locking)

    def motion(self, debugger: Any) -> Any:
        """Do it; runs on the engine's thread."""
        if self.back:
            return self._backwards(debugger)
        for thread, signal in (self.signals or {None: 0}).items():
            fact_or(None, debugger.system, "resume_with", signal, thread)
        debugger.before_access, passed = self.before_access, debugger.pass_signals
        if self.how in "rs" and self.shows_signals:
            debugger.pass_signals = frozenset()
        try:
            return self._move(debugger)
        finally:
            debugger.before_access, debugger.pass_signals = False, passed

    def _move(self, debugger: Any) -> Any:
        which = {"thread": self.thread} if debugger.system.kind == "process" else {}     # a machine's cores step together
        if self.how == "r" and self.thread in (None, debugger.stop.thread):       # of another thread one instruction: GDB asks again
            return debugger.step_range(self.low, self.high, back=self.back)
        if self.how in "rs":
            return debugger.step(back=self.back, **which)
        return debugger.cont(back=self.back)

    def _backwards(self, debugger: Any) -> Any:
        """Go back. Where GDB makes watched accesses itself, it undoes them itself too: the access is what comes next then."""
        stop = self._move(debugger)
        if self.before_access and stop.watch is not None:
            there = debugger.seek(stop.position.insns + 1)
            return replace(stop, position=there.position, pc=there.pc)
        return stop


def parse_actions(client: Client, text: str) -> Resume:
    """Read the actions of vCont. For each thread the first that fits counts, so one for all comes last."""
    resume = Resume()
    chosen, everyone = False, False
    for word in text.split(";"):
        found = _ACTION.fullmatch(word)
        if found is None:
            raise RspError(f"malformed action {word}", 0x16)
        action, signal, low, high, who = found.groups()
        thread = _thread(client, who)
        everyone = everyone or thread is None
        letter = action[0].lower()
        if signal and client.meant_signal(int(signal, 16)):
            resume.signals[thread] = client.meant_signal(int(signal, 16))
        if not chosen or (letter in "sr" and resume.how == "c"):
            resume.how, resume.thread = letter, thread
            if letter == "r":
                resume.low, resume.high = int(low, 16), int(high, 16)
        chosen = True
    resume.alone = not everyone
    return resume


def _thread(client: Client, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return client.find_thread(ThreadId.parse(text.encode()))
    except ValueError:
        raise RspError(f"malformed thread {text}", 0x16) from None


async def go(client: Client, resume: Resume) -> str | None:
    """Move the machine and return the reply about its next stop."""
    if resume.how == "t":
        return OK
    before = client.last_stop or await client.ask(lambda debugger: debugger.stop)
    client.last_stop = None
    if before.kind.name == "VFORK" and "vfork-events+" in client.offered and not client.vfork_done and not resume.back:
        client.last_stop, client.vfork_done = before, True
        return f"T05vforkdone:;thread:{client.thread_text(before.thread)};"     # the child has ended or is another program by now
    if before.kind.name in ("EXITED", "KILLED") and not resume.back:
        return final_reply(client, before)
    client.vfork_done = False
    await catch_events(client)
    resume.before_access, resume.shows_signals = client.description.before_access, not client.thread_suffix
    stop = await client.move(resume.motion)
    client.last_stop = stop
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
    return await go(client, Resume())


@packet("C{signal:hex}[;{address:hex}]", writes=True)
async def go_on_with_signal(client: Client, signal: int, address: int | None) -> str | None:
    """Go on with a signal."""
    await _jump(client, address)
    return await go(client, Resume(signals={None: client.meant_signal(signal)}))


@packet("s[{address:hex}]", writes=True)
async def step(client: Client, address: int | None) -> str | None:
    """Execute one instruction."""
    await _jump(client, address)
    return await go(client, Resume("s", client.find_thread(client.moving_thread)))


@packet("S{signal:hex}[;{address:hex}]", writes=True)
async def step_with_signal(client: Client, signal: int, address: int | None) -> str | None:
    """Execute one instruction, after taking a signal."""
    await _jump(client, address)
    return await go(client, Resume("s", client.find_thread(client.moving_thread), signals={None: client.meant_signal(signal)}))


async def _jump(client: Client, address: int | None) -> None:
    if address is not None:
        await client.ask(lambda debugger: debugger.write_register("pc", address))


@packet("bs", feature="ReverseStep+", writes=True)
async def step_back(client: Client) -> str | None:
    """Take back one instruction."""
    return await go(client, Resume("s", client.find_thread(client.moving_thread), back=True))


@packet("bc", feature="ReverseContinue+", writes=True)
async def go_back(client: Client) -> str | None:
    """Go back to the last point, or to the start."""
    return await go(client, Resume(back=True))


@packet("vCtrlC", needs_target=False)
async def interrupt(_client: Client) -> str:
    """End a motion; while one is under way the connection does so before this is reached."""
    return OK
