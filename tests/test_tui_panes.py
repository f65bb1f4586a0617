"""Every pane, alone on the screen, at every size, at one moment of the sample kernel: as it was when somebody looked at it."""

from __future__ import annotations

import pytest

from tests.screen import HERE, SIZES, Screen, drive, same_text

KERNEL = HERE.parent / "samples/firmware/elf/mps2-an385/kernel.elf"
#: panes with what is typed in them first
PANES = {"registers": (), "code": (), "stack": (), "locals": (), "watch": (), "points": (), "devices": (), "threads": (), "map": (),
         "memory": (), "uart0": (), "trace": (), "events": (), "calls": ()}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_pane(size: tuple[int, int]) -> None:
    async def work(s: Screen) -> None:
        await s.type_break("kernel.c:260")
        await s.press("c", "c", "c", "n")
        seen = []
        s.app.desk.arrangement.zoomed = True
        for name, keys in PANES.items():
            s.app.action_show(name)
            await s.settled()
            await s.keys(*keys)
            seen.append(f"=== {name}\n{s.text()}")
        same_text("\n".join(seen), f"panes-{size[0]}x{size[1]}")

    drive(work, KERNEL, size=size)
