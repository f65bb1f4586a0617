"""The life of the guest's process as the screen sees it: what is done at its start, that its file was built anew, starting again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError
from xemu.tui.saved import EVERY

if TYPE_CHECKING:
    from xemu.tui.app import Debug
    from xemu.tui.messages import Hello

LOOK = 0.5               # seconds between two looks at the files
POINTS = "keeping"       # the name under which points come with every stop


class Opening(NamedTuple):
    """What the command line wants done with a new guest."""

    breaks: tuple[str, ...] = ()                     # run to the first of these
    places: tuple[str, ...] = ()                     # breakpoints to begin with
    at: int | str | None = None                      # a place in time
    watch: bool = False                              # start again whenever the file was built anew


Stamp = tuple[int, int, int]


def stamp(path: str) -> Stamp | None:
    """Return what changes when a file is written; None where there is none, as while a linker writes it."""
    try:
        info = Path(path).stat()
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_size, info.st_ino) if info.st_size else None


class Life:
    """Starts the guest's process, and starts it again."""

    def __init__(self, app: Debug, opening: Opening) -> None:
        self.app, self.opening = app, opening
        self.opened = False                          # all that is done at the start is done
        self.errors: list[str] = []                  # of what the command line wanted
        self.starts = 0
        self.stale = False                           # its file was built anew since
        self.files: dict[str, Stamp | None] = {}
        self._seen: dict[str, Stamp | None] = {}

    def begin(self) -> None:
        """Start the process."""
        target = self.app.target
        self.opened, self.stale = False, False
        self.starts += 1
        names = [target.words[0], *([target.machine] if target.machine and target.machine.endswith(".py") else [])]
        self.files = {name: stamp(name) for name in names}        # before they are read: whatever comes later is noticed
        self._seen = dict(self.files)
        if self.starts == 1:
            self.app.set_interval(LOOK, self.look)
            self.app.set_interval(EVERY, self.keep)
        self.app.client.start(target)

    def met(self, hello: Hello) -> None:
        """The guest is loaded: have it be as it was, or as the command line says."""
        app, first = self.app, self.starts == 1
        if first:
            app.keeper.load(hello, layout=app.first_layout is None)
            app.desk.rearrange(focus=not app.prompt.is_open)
        else:
            app.keeper.hello = hello
        app.go(self._open(hello, first=first))

    async def _open(self, hello: Hello, *, first: bool) -> None:
        app, keeper = self.app, self.app.keeper
        try:
            rows = (*keeper.points, *keeper.waiting)
            notes, keeper.waiting = await app.client.do("restore_points", rows=rows, same_build=keeper.build == hello.build)
            for note in notes:
                app.say(note, error=True)
            for place in (*self.opening.places, *self.opening.breaks) if first else ():
                await self._wanted("break_once_more", where=place)
            app.client.want(POINTS, "keeping.points")
            self.opened = True
            if not first:
                app.say("loaded again" if not notes else f"loaded again; {notes[0]}" + (f" (and {len(notes) - 1} more in the log)"
                                                                                        if len(notes) > 1 else ""), error=False)
            elif self.opening.at is not None:
                await self._wanted("seek", where=self.opening.at)
            elif self.opening.breaks and not self.errors:
                await self._wanted("cont")
        finally:
            self.opened = True

    async def _wanted(self, what: str, **arguments: Any) -> None:
        try:
            await self.app.client.do(what, **arguments)
        except XemuError as error:
            self.errors.append(str(error))
            self.app.say(str(error), error=True)

    def keep(self) -> None:
        """Write down what has changed."""
        if self.opened:
            self.app.keeper.keep()

    # -- built anew ------------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """See whether a file was built anew; start again, if that is wanted, as soon as it is no longer written."""
        now = {name: stamp(name) for name in self.files}
        settled, self._seen = now == self._seen, now
        stale = any(now[name] is not None and now[name] != self.files[name] for name in now)
        if stale != self.stale:
            self.stale = stale
            self.app.main.header.refresh()
        if stale and self.opening.watch and settled and None not in now.values():
            self.again()

    def again(self) -> None:
        """End the guest's process and start a new one; points, panes and layout stay."""
        app = self.app
        self.keep()
        app.client.close(wait=False)
        app.forget()
        self.begin()
