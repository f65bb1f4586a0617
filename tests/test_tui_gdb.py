"""A user's own GDB on the screen's guest: who moves it, and what each of them sees."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.screen import Screen, drive
from tests.support.gdb import Gdb
from xemu.tui.hidden_gdb import GdbError

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


# -- the hidden one ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def data(need: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with data of all types."""
    program = tmp_path_factory.mktemp("data") / "data"
    source = Path(__file__).parent / "debug_programs/data.c"
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-g", "-O0", "-static", source, "-o", program], check=True)
    return program


def watched(s: Screen) -> list[str]:
    return [" ".join(text.split()) for text in s.lines("watch")]


def test_a_hidden_gdb_evaluates_what_we_cannot(need: Any, data: Path) -> None:
    need("gdb-multiarch")

    async def work(s: Screen) -> None:
        app = s.app
        await app.client.do("until", where="main")
        await s.settled()
        app.desk.show("watch")
        for text in ("{int}&many", "many[0]", "no_such_name"):
            await s.keys("a")
            await s.type(text)
        await s.until(lambda: app.oracle.gdb is not None and app.oracle.gdb.ready, "GDB is there")
        await s.until(lambda: "{int}&many (gdb) 1" in watched(s))
        assert watched(s)[1] == "many[0] int 1"                                      # ours
        assert "no variable or symbol" in watched(s)[2]                              # GDB does not know it either
        await app.client.do("assign", text="many[0]", value="77")
        await s.until(lambda: "{int}&many (gdb) 77" in watched(s))                   # its caches have been flushed
        await s.press("i")
        await s.until(lambda: "{int}&many (gdb) 77" in watched(s))
        before = app.stop.insns
        hidden = app.oracle.gdb
        for command in ("-exec-continue", "-exec-step-instruction", "-break-insert main", '-data-evaluate-expression "many[0] = 5"',
                        '-data-evaluate-expression "$r0 = 5"', '-interpreter-exec console "monitor seek start"'):
            with suppress(GdbError):                                                 # GDB may think that it is done
                await hidden.command(command)
        assert (await app.client.do("evaluate", text="many[0]"), app.stop.insns) == ("77", before)
        assert [row.owner for row in await app.client.do("points.points")] == []

        hidden._process.kill()
        await s.until(lambda: any("no GDB beside xemu's own reader" in text for text in app.log_lines))
        await s.press("i")
        assert watched(s)[1] == "many[0] int 77"                                     # our own reader goes on
        assert watched(s)[0].startswith("{int}&many '{int}&many' is not understood")
        assert sum("no GDB beside" in text for text in app.log_lines) == 1

    drive(work, data, gdb_path="")


def test_a_gdb_that_is_missing_is_said_once() -> None:
    async def work(s: Screen) -> None:
        await s.until(lambda: any("no-such-gdb was not found" in text for text in s.app.log_lines))
        await s.press("i")
        assert sum("no-such-gdb" in text for text in s.app.log_lines) == 1

    drive(work, KERNEL, gdb_path="no-such-gdb")
