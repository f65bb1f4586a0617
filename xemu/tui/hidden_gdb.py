"""A hidden GDB, for what xemu's own reader of debug information cannot evaluate: expressions of C++ and Rust, casts, GDB's functions.

It is connected to a stub in the guest's process that lets it look and do nothing else, and believes that the guest stands for ever:
after each stop its caches are flushed. Nothing that GDB waits for waits for it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.tui.app import Debug

    Found = dict[str, tuple[str, str]]

SETTINGS = ("confirm off", "pagination off", "width 0", "height 0", "auto-load no", "debuginfod enabled off", "startup-with-shell off",
            "print elements 200", "backtrace limit 64", "may-call-functions off", "may-write-registers off", "may-write-memory off",
            "may-insert-breakpoints off")
LINE = 1 << 24           # bytes of a line of GDB's
PATIENCE = 20.0          # seconds for a command; a GDB that takes longer is given up
FLUSH = ("maint flush register-cache", "maint flush dcache")


class GdbError(XemuError):
    """GDB has refused a command, or has ended."""


def quoted(text: str) -> str:
    """Return a text as one word of the machine interface."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


class HiddenGdb:
    """One GDB. `say` is told once why there is none, or none any more."""

    def __init__(self, path: str | None, say: Callable[[str], None]) -> None:
        self.path, self.say = path, say
        self.ready = False
        self._process: asyncio.subprocess.Process | None = None
        self._tokens = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._turn = asyncio.Lock()                  # one question after the other: a question is several commands
        self._reader: asyncio.Task[None] | None = None
        self._said = False

    # -- its life ----------------------------------------------------------------------------------------------------------
    async def start(self, place: str, *, file: str | None, sysroot: str | None) -> None:
        """Start it and connect it to the stub at a socket. What goes wrong is said."""
        from xemu.gdbstub.programs import find_gdb

        try:
            command = find_gdb(self.path)
            environment = {name: value for name, value in os.environ.items() if name not in ("DEBUGINFOD_URLS", "PYTHONPATH", "PYTHONHOME")}
            self._process = await asyncio.create_subprocess_exec(
                command, "-nx", "-q", "--interpreter=mi3", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, limit=LINE, env=environment, start_new_session=True)
            self._reader = asyncio.create_task(self._read(self._process))
            for setting in SETTINGS:
                with suppress(GdbError):             # an older GDB does not have all of them
                    await self.command(f"-gdb-set {setting}")
            if sysroot:
                await self.command(f"-gdb-set sysroot {sysroot}")
            if file:
                await self.command(f"-file-exec-and-symbols {quoted(file)}")
            await self.command(f"-target-select remote {place}")
            self.ready = True
        except (XemuError, OSError) as error:
            self._over(str(error))
            self.close()

    def close(self) -> None:
        """End it."""
        self._said = True                            # it was asked for
        self.ready = False
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        self._fail("GDB has been closed")

    async def wait_closed(self) -> None:
        """Wait until nothing of it is left."""
        if self._reader is not None:
            with suppress(asyncio.CancelledError):
                await self._reader

    def _over(self, why: str) -> None:
        if not self._said:
            self._said = True
            self.say(f"no GDB beside xemu's own reader of debug information: {why}")

    def _fail(self, why: str) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(GdbError(why))
        self._answers.clear()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take what it says until it ends."""
        from pygdbmi import gdbmiparser

        assert process.stdout is not None
        while True:
            try:
                data = await process.stdout.readline()
            except ValueError:                       # a line longer than LINE
                continue
            if not data:
                break
            found = gdbmiparser.parse_response(data.decode(errors="replace").rstrip("\r\n"))
            if found["type"] == "result" and found.get("token") is not None:
                future = self._answers.pop(found["token"], None)
                if future is not None and not future.done():
                    future.set_result(found)
        await process.wait()
        self.ready = False
        self._fail("GDB has ended")
        self._over("GDB has ended")

    # -- asking ------------------------------------------------------------------------------------------------------------
    async def command(self, text: str) -> Any:
        """Do a command of the machine interface and return its results; GdbError."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise GdbError("GDB has ended")
        token = next(self._tokens)
        future = self._answers[token] = asyncio.get_running_loop().create_future()
        try:
            process.stdin.write(f"{token}{text}\n".encode())
            await process.stdin.drain()
            found = await asyncio.wait_for(future, PATIENCE)
        except TimeoutError:
            self._over(f"it has not answered for {PATIENCE:.0f} s")
            self.close()
            raise GdbError("GDB does not answer") from None
        except ConnectionError:
            raise GdbError("GDB has ended") from None
        if found["message"] == "error":
            raise GdbError((found["payload"] or {}).get("msg", "GDB has refused it"))
        return found["payload"]

    async def console(self, text: str) -> None:
        """Do a command of GDB's command line."""
        await self.command(f"-interpreter-exec console {quoted(text)}")

    async def evaluate(self, expressions: list[str], thread: int | None, frame: int) -> Found:
        """Return value and error of expressions, where the guest stands now, in a frame of a thread (its number for xemu)."""
        async with self._turn:
            for text in FLUSH:
                await self.console(text)
            where = f"--thread {await self._thread(thread)} --frame {frame}"
            found: Found = {}
            for expression in expressions:
                try:
                    answer = await self.command(f"-data-evaluate-expression {where} {quoted(expression)}")
                    found[expression] = answer["value"], ""
                except GdbError as error:
                    found[expression] = "", str(error)
                    if not self.ready:
                        break
            return found

    async def _thread(self, thread: int | None) -> str:
        """Return GDB's number of a thread."""
        answer = await self.command("-thread-info")
        for item in answer.get("threads", ()):
            if thread is not None and re.search(rf"\b(?:Thread )?(?:\d+\.)?{thread}$", item.get("target-id", "").split(" (")[0]):
                return str(item["id"])
        return str(answer.get("current-thread-id", "1"))


def find_file(path: str) -> str | None:
    """Return a file for GDB to read symbols of; None for what is no ELF file (recordings, raw images)."""
    with suppress(OSError), Path(path).open("rb") as file:
        if file.read(4) == b"\x7fELF":
            return path
    return None


class Oracle:
    """The app's hidden GDB: started after the first paint, a new one for every guest's process. `path` None: there is to be none."""

    def __init__(self, app: Debug, path: str | None) -> None:
        self.app, self.path = app, path
        self.gdb: HiddenGdb | None = None

    def begin(self) -> None:
        """Start it, once for a guest's process."""
        if self.path is not None and self.gdb is None:
            self.gdb = HiddenGdb(self.path or None, self.app.log_text)
            self.app.call_after_refresh(self.app.go, self._start(self.gdb))

    async def _start(self, gdb: HiddenGdb) -> None:
        hello = self.app.hello
        try:
            place = await self.app.client.do("hidden_place")
        except XemuError:                            # the guest has ended: nobody needs a GDB
            return
        try:
            await gdb.start(place, file=find_file(hello.files[0]) if hello is not None else None, sysroot=self.app.target.sysroot)
        finally:
            shutil.rmtree(Path(place).parent, ignore_errors=True)        # nobody else is to come
        if gdb.ready and gdb is self.gdb:
            self.app.pane("watch").ask(again=True)   # what could not be answered yet

    async def close(self) -> None:
        """End it."""
        gdb, self.gdb = self.gdb, None
        if gdb is not None:
            gdb.close()
            await gdb.wait_closed()

    def ask(self, expressions: list[str], take: Callable[[Found], None]) -> None:
        """Have expressions evaluated where the guest stands, in the selected frame; nothing happens where it has moved by then."""
        app, gdb = self.app, self.gdb
        if gdb is None or not gdb.ready or app.stop is None:
            return
        stop, selection = app.stop, app.selection
        thread = app.thread if app.thread is not None else stop.thread

        async def work() -> None:
            with suppress(GdbError):
                found = await gdb.evaluate(expressions, thread, app.frame)
                if app.stop is not None and app.stop.number == stop.number and app.selection == selection and app.moving is None:
                    take(found)

        app.run_worker(work(), group="gdb", exclusive=True, exit_on_error=False)
