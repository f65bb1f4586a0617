"""The screen under test: driven by keys, read as text. The app and the guest's process are real, the terminal is not there.

A test is a coroutine function of a `Screen`: `async def work(s): await s.press("s"); assert "main" in s.text("code")`, which
`drive(work, SAMPLE, size=(120, 40))` runs.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.events import Key
from textual.keys import _character_to_key

from xemu.tui.app import Debug
from xemu.tui.messages import Stopped, Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "screens"
SIZES = [(160, 48), (120, 40), (80, 24)]
LONG = 15                # seconds that anything may take


def _age() -> None:
    """Have no sample be older than its sources, as after a build: a checkout gives files any order."""
    samples = HERE.parent / "samples"
    newest = max(path.stat().st_mtime for pattern in ("*.c", "*.h", "*.S") for path in samples.rglob(pattern))
    for path in (*samples.rglob("*.elf"), *(samples / "arm").iterdir()):
        if path.stat().st_mtime < newest:
            os.utime(path, (newest, newest))


_age()


class Screen:
    """The app, its pilot and what it shows."""

    def __init__(self, app: Debug, pilot: Any) -> None:
        self.app, self.pilot = app, pilot
        self.stops = 0
        app.waiters.append(self._told)
        self._news = asyncio.Event()

    def _told(self, message: object) -> None:
        if isinstance(message, Stopped):
            self.stops += 1
        self._news.set()

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until something is so, and is drawn."""
        await self._until(condition, what)
        await self.pilot.pause()

    async def _until(self, condition: Callable[[], object], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + LONG
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"never happened: {what or condition}\n{self.text()}"
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), 0.05)
            except TimeoutError:
                continue

    async def settled(self) -> None:
        """Wait until the guest stands and all panes that are seen show it, and that is drawn."""
        app = self.app

        def shown() -> bool:
            return all(p.stop == app.stop.number for p in app.desk.panes.values() if p.display and p.query_name)  # type: ignore[union-attr]

        def known() -> bool:
            return all(name in p.extra for p in app.desk.panes.values() if p.display for name in p.queries)

        def stands() -> bool:
            return app.stop is not None and app.moving is None

        while True:
            await self._until(stands, "a stop")
            await self._until(shown, "all panes show the stop")
            await app.client.do("keeping.points")            # answered when all before it is
            await self._until(known, "all data")
            await self.pilot.pause()
            if stands() and shown() and known():             # drawing may have brought another pane up
                return

    async def press(self, *keys: str) -> None:
        """Press keys that move the guest, one after the other, each when the last has come to its end."""
        for key in keys:
            before = self.stops
            await self.pilot.press(key)
            await self._until(lambda before=before: self.stops > before, f"a stop after {key}")
            await self.settled()

    async def keys(self, *keys: str) -> None:
        """Press keys that do not."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text, faster than anybody, and Enter."""
        for char in text:
            event = Key(char if char.isalnum() else _character_to_key(char), char)
            event.set_sender(self.app)
            self.app._driver.send_message(event)
        await self.pilot.pause()
        await self.keys("enter")

    async def type_break(self, where: str) -> None:
        """Set a breakpoint."""
        await self.app.client.do("break_at", where=where)

    def text(self, pane: str = "") -> str:
        """Return what is seen, of the whole screen or of one pane, frame included."""
        lines = ["".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()]
        if pane:
            region = self.app.desk.panes[pane].region
            lines = [line[region.x:region.right] for line in lines[region.y:region.bottom]]
        return "\n".join(line.rstrip() for line in lines)

    def lines(self, pane: str) -> list[str]:
        """Return a pane's lines, also those that are not in view."""
        return [item.text for item in self.app.desk.panes[pane].lines]


def drive(work: Callable[[Screen], Awaitable[Any]], *words: object, size: tuple[int, int] = (160, 48), machine: str | None = None,
          settle: bool = True, **options: Any) -> None:
    """Run the app on a target and do something with it."""
    async def run() -> None:
        app = Debug(Target(tuple(map(str, words)), machine, sysroot=options.pop("sysroot", None), gdb=options.pop("gdb", None),
                           panes=tuple(map(str, options.pop("panes", ())))), gdb=options.pop("gdb_path", None), **options)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot)
            if settle:
                await screen.settled()
            await work(screen)

    asyncio.run(run())


def same_picture(screen: Screen, name: str) -> None:
    """Compare the screen with the one that is kept."""
    same_text(screen.text(), name)


def same_text(text: str, name: str) -> None:
    """Compare a text with the one that is kept; XEMU_UPDATE_SCREENS=1 keeps the present one: then look at it."""
    path = PICTURES / f"{name}.txt"
    now = re.sub(r" +$", "", text, flags=re.MULTILINE) + "\n"
    now = re.sub(r"J(?= {0,3}[0-9.kM]+ [0-9a-f]{8})", "i", now)          # what the cache has compiled is no matter here
    if os.environ.get("XEMU_UPDATE_SCREENS"):
        path.write_text(now, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: run with XEMU_UPDATE_SCREENS=1 and look at it"
    assert now == path.read_text(encoding="utf-8"), f"the screen differs from {path.name}; XEMU_UPDATE_SCREENS=1 keeps the new one"
