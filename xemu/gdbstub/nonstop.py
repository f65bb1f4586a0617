"""Non-stop mode: each thread stops and goes on by itself. GDB manual, "Remote Protocol Support for Non-Stop Mode".

All threads share one engine, so what stands still is held while the others take turns. One motion moves all that run; when a
thread's stop ends it, that thread is held, GDB is notified, and another motion begins for the rest. What changes who runs pauses
the motion first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError
from xemu.gdbstub import stops
from xemu.gdbstub.errors import RspError
from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.outcomes import ENDED
from xemu.gdbstub.points import catch_events
from xemu.gdbstub.replies import OK
from xemu.gdbstub.signals import SIGINT
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client
    from xemu.gdbstub.resume import Action, Resume

TURN = 0.05              # seconds for one thread that steps, where several do


class Moved(NamedTuple):
    """What a motion has led to."""

    stop: Any
    threads: frozenset[int]          # all there are
    reply: str                       # about the stop


class Report(NamedTuple):
    """What GDB is told of a stop."""

    text: str
    thread: int | None = None        # whose; None: the program's end


class NonStop:
    """The threads of one client's program."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.running: dict[int, Action] = {}             # thread -> what it does
        self.known: frozenset[int] = frozenset()         # threads that were there when somebody looked last
        self.stopping: set[int] = set()                  # threads that GDB wants to stand still
        self.interrupting = self.ended = False
        self.reports: deque[Report] = deque()            # stops that GDB has not confirmed: to it those threads run
        self.vforks: set[int] = set()                    # threads whose child has begun, and the end of that is not told
        self.driver: asyncio.Future[None] | None = None

    # -- what GDB asks for -----------------------------------------------------------------------------------------------
    async def resume(self, resume: Resume) -> str:
        """Have threads go on or stop. What runs already is not changed."""
        client = self.client
        if resume.back:
            raise RspError("in non-stop mode there is no way back", 0x16)
        await catch_events(client)

        idle = self.driver is None or self.driver.done()

        def begin(debugger: Any) -> tuple[frozenset[int], dict[int, Action]]:
            if idle:
                self.known = frozenset(info.id for info in debugger.system.threads())
            chosen = resume.chosen(info.id for info in debugger.system.threads())
            unchanged = self.running.keys() | {report.thread for report in self.reports}
            starting = {thread: action for thread, action in chosen.items() if action.how != "t" and thread not in unchanged}
            fact_or(None, debugger.system, "resume_with", {thread: action.signal for thread, action in starting.items()})
            return frozenset(thread for thread, action in chosen.items() if action.how == "t"), starting

        stopping, starting = await client.ask(begin)
        for thread in self.vforks & starting.keys():
            self.vforks.discard(thread)
            del starting[thread]
            self._report(f"T05vforkdone:;thread:{client.thread_text(thread)};", thread)
        self.running.update(starting)
        self.stopping |= stopping & self.running.keys()
        if self.driver is not None and not self.driver.done():
            client.session.pause()
        elif self.running:
            self.driver = asyncio.ensure_future(self._drive())
        return OK

    def interrupt(self) -> None:
        """Stop one of the threads that run, as if the terminal had sent SIGINT."""
        if self.running:
            self.interrupting = True
            self.client.session.pause()

    async def status(self) -> str:
        """Stop all threads and return the first's report; the others follow one by one."""
        await self.client.server.halt()

        def every(debugger: Any) -> list[Report]:
            stop = debugger.stop
            if text := stops.final_reply(self.client, stop):
                return [Report(text)]
            others = [info.id for info in debugger.system.threads() if info.id != stop.thread]
            return [Report(stops.stop_reply(self.client, debugger, stop), stop.thread)] + [
                Report(stops.stop_reply(self.client, debugger, stop, thread=thread, signal=0), thread) for thread in others]

        self.reports = deque(await self.client.ask(every))
        return self.reports[0].text

    async def confirm(self) -> str | None:
        """GDB has taken a report: return the next one."""
        if self.reports:
            self.reports.popleft()
        if self.reports:
            return self.reports[0].text
        server = self.client.server
        if self.ended and server.leaves and not self.client.extended:
            await self.client.send(OK)
            server.finish(ENDED)
            return None
        return OK

    async def halt(self) -> None:
        """Have all threads stand still, and report nothing."""
        self.forget()
        if self.driver is not None and not self.driver.done():
            self.client.session.pause()
            await asyncio.wait((self.driver,))
        self.reports.clear()

    def forget(self) -> None:
        """Let nothing begin to run any more."""
        self.running.clear()
        self.stopping.clear()
        self.vforks.clear()
        self.interrupting = self.ended = False

    # -- the motions -----------------------------------------------------------------------------------------------------
    async def _drive(self) -> None:
        """Move the threads that run, until there is none."""
        client = self.client
        while self.running and client.server.session is not None:
            steppers = [thread for thread, action in self.running.items() if action.how in "rs"]
            turn = asyncio.get_running_loop().call_later(TURN, client.session.pause) if len(steppers) > 1 else None
            found: list[Moved] = []
            motion = self._motion(dict(self.running), steppers, found)
            try:
                await client.move(motion)
                await self._account(found[0])
            except (XemuError, RspError):                # the session is over, or somebody else has begun to move it
                self.running.clear()
            except Exception as error:  # noqa: BLE001  GDB would wait for ever and nobody know why
                client.server.bug(error, b"vCont")
                self.running.clear()
            finally:
                if turn is not None:
                    turn.cancel()
            if steppers and steppers[0] in self.running:
                self.running[steppers[0]] = self.running.pop(steppers[0])          # the next one's turn

    def _motion(self, running: dict[int, Action], steppers: list[int], found: list[Moved]) -> Any:
        """Return what moves some threads: one of those that step, and those that just go on."""
        def motion(debugger: Any) -> Any:
            system = debugger.system
            alive = {info.id for info in system.threads()}
            moving = (alive & running.keys()) - set(steppers[1:])
            stop = debugger.stop
            if moving:
                system.restrict(frozenset(moving), follow=True)
                debugger.before_access = self.client.description.before_access
                debugger.into_handlers = self.client.description.into_handlers
                try:
                    stop = running[steppers[0]].move(debugger, steppers[0]) if moving & set(steppers) else debugger.cont()
                finally:
                    debugger.before_access = debugger.into_handlers = False
            found.append(Moved(stop if moving else None, frozenset(info.id for info in system.threads()),
                               stops.stop_reply(self.client, debugger, stop)))
            return stop

        return motion

    async def _account(self, moved: Moved) -> None:
        """Take over what has happened, and report it."""
        from xemu.gdbstub.resume import Action

        if not self.running:                             # they were halted meanwhile
            return
        stop, threads = moved.stop, moved.threads
        for thread in self.running.keys() - threads:
            del self.running[thread]
        self.running.update({thread: Action("c") for thread in threads - self.known})           # they begin running
        self.known = threads
        kind = stop.kind.name if stop is not None else "HELD"
        if kind in ("EXITED", "KILLED"):
            self.forget()
            self.ended = True
            self._report(moved.reply, None)
        elif kind not in ("PAUSE", "HELD"):
            self.running.pop(stop.thread, None)
            if kind == "VFORK" and "vfork-events+" in self.client.offered:
                self.vforks.add(stop.thread)
            self._report(moved.reply, stop.thread)
        if self.interrupting and self.running:
            self.interrupting = False
            thread = stop.thread if stop is not None and stop.thread in self.running else min(self.running)
            await self._stand(thread, SIGINT)
        while self.stopping:
            await self._stand(self.stopping.pop(), 0)

    async def _stand(self, thread: int, signal: int) -> None:
        if self.running.pop(thread, None) is None:       # it has stopped by itself, or ended
            return
        self._report(await self.client.ask(
            lambda debugger: stops.stop_reply(self.client, debugger, debugger.stop, thread=thread, signal=signal, final=False)), thread)

    def _report(self, text: str, thread: int | None) -> None:
        """Notify GDB, unless it has not confirmed an earlier report: then this one waits for that."""
        self.reports.append(Report(text, thread))
        if len(self.reports) == 1:
            self.client.notify("Stop:" + text)


@packet("QNonStop:{switch:hex}", feature="QNonStop+", kind="process", needs_target=False)
async def set_non_stop(client: Client, switch: int) -> str:
    """Choose whether one thread's stop stops the others."""
    if switch > 1:
        raise RspError("it is 0 or 1", 0x16)
    if switch and client.server.sharing is not None:
        raise RspError("non-stop mode is not possible beside a screen that moves the same program", 1)
    if client.nonstop is not None or switch:
        client.require_writer("QNonStop")
        await client.server.halt()
    client.nonstop = NonStop(client) if switch else None
    return OK


@packet("vStopped", needs_target=False)
async def confirm_stop(client: Client) -> str | None:
    """Take the next report of a stop."""
    return await client.nonstop.confirm() if client.nonstop is not None else OK


__all__ = ["NonStop"]
