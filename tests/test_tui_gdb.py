"""A user's own GDB on the screen's guest: who moves it, and what each of them sees."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

from tests.screen import Screen, drive
from tests.support.gdb import Gdb

KERNEL = Path(__file__).resolve().parent.parent / "samples/firmware/elf/mps2-an385/kernel.elf"


async def told(gdb: Gdb, command: str) -> str:
    """Have GDB do something, while the screen lives."""
    return await asyncio.to_thread(gdb.run, command)


async def stop_of(gdb: Gdb) -> dict[str, Any]:
    """Return GDB's next stop."""
    return await asyncio.to_thread(gdb.wait)


async def moved_by(s: Screen, work: Any) -> None:
    """Do something that moves the guest, and wait for its stop."""
    before = s.stops
    await work
    await s.until(lambda: s.stops > before, "a stop")
    await s.settled()


def test_gdb_and_the_screen_take_turns(need: Any) -> None:
    need("gdb-multiarch")

    async def work(s: Screen) -> None:
        app = s.app
        assert f"gdb {app.stub.place}" in s.text()
        await s.press("s", "n")
        with Gdb() as gdb:
            await told(gdb, f"file {KERNEL}")
            await told(gdb, f"target remote {app.stub.place}")
            assert int((await told(gdb, "output/d $pc")).strip()) == app.stop.pc             # the same guest
            await s.until(lambda: "1 client controls" in s.text())
            await s.keys("n")                                                               # not now
            await s.until(lambda: "GDB (gdb1) controls the guest: continue or detach there" in s.text())

            await told(gdb, "break on_tick")
            gdb.forget_stops()
            await moved_by(s, told(gdb, "continue"))
            assert (await stop_of(gdb))["reason"] == "breakpoint-hit"
            assert app.stop.text.endswith("on_tick () at kernel.c:72")

            await app.client.do("break_at", where="reschedule")                             # the screen's own point
            await told(gdb, "delete")
            gdb.forget_stops()
            await moved_by(s, told(gdb, "continue"))
            await s.until(lambda: "1 client waits" in s.text())
            assert "reschedule ()" in app.stop.text
            await s.press("i", "i", "I")                                                    # the screen moves, both ways
            there = app.stop.pc
            assert gdb.stops.empty()                                                        # GDB has heard nothing of all this
            await s.keys("G")
            await stop_of(gdb)
            assert int((await told(gdb, "output/d $pc")).strip()) == there
            await s.until(lambda: "1 client controls" in s.text())

            await told(gdb, "break count")
            await moved_by(s, told(gdb, "continue"))
            assert app.stop.kind == "end of history"                                        # the screen had gone back
            assert (await stop_of(gdb))
            gdb.forget_stops()
            await moved_by(s, told(gdb, "continue"))                                        # to the screen's point
            assert "reschedule ()" in app.stop.text
            app.desk.show("points")
            await s.settled()
            assert any(re.search(r"kernel.c:\d+ \[gdb1\]", text) for text in s.lines("points")), s.lines("points")
            await app.client.do("delete", number=next(row.number for row in app.pane("points").data if row.owner == "user"))
            await s.press("c")                                                              # the screen moves: to GDB's point
            assert (await stop_of(gdb))["reason"] == "breakpoint-hit"
            app.main.footer.text = ""
            await s.keys("i")
            await s.until(lambda: "controls the guest: continue or detach there" in s.text())

            gdb.forget_stops()
            await told(gdb, "delete")
            await app.client.do("break_at", where="reschedule")
            await moved_by(s, told(gdb, "continue"))
            gdb.child.send_signal(signal.SIGINT)                                                 # Ctrl-C while the guest stands
            await stop_of(gdb)
            await s.until(lambda: "1 client controls" in s.text())
            await told(gdb, "detach")
            await s.until(lambda: "client" not in s.text().partition("\n")[0])
            assert not any("[gdb1]" in text for text in s.lines("points"))                  # its points have gone with it
            await s.press("i")                                                             # the guest is the screen's again

    drive(work, KERNEL, gdb="0")
