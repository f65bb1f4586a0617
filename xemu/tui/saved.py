"""What the screen remembers of a program: how the panes lie and what they are set to, and the user's points.

It is a file of `$XDG_STATE_HOME/xemu` per build of a program, written whole or not at all. A new build of the same file starts with
what was kept of the newest one before it. A damaged file is ignored, and the log says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.config import state_home, write_atomically
from xemu.tui.desk import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.tui.app import Debug
    from xemu.tui.desk import Desk
    from xemu.tui.messages import Hello

FORMAT = 1
FILES = 300              # programs that are remembered
EVERY = 2.0              # seconds between two looks whether something has changed

Kept = dict[str, Any]


# -- the screen's state as plain values ----------------------------------------------------------------------------------
def desk_state(desk: Desk) -> Kept:
    """Return how the panes lie and what they are set to."""
    now = desk.arrangement
    return {"layout": now.layout, "focus": now.focus, "zoomed": now.zoomed,
            "active": {str(group): pane for group, pane in now.active.items()},
            "front": {",".join(map(str, groups)): group for groups, group in now.front.items()},
            "panes": {name: values for name, pane in desk.panes.items() if (values := pane.saved())}}


def restore_desk(desk: Desk, kept: Kept, *, layout: bool = True) -> None:
    """Take what was kept; what is no longer there is left out. ValueError, TypeError: it is damaged."""
    now = desk.arrangement
    if layout and kept.get("layout") in LAYOUTS:
        now.layout = kept["layout"]
    for group, pane in dict(kept.get("active", {})).items():
        if pane in desk.panes and desk.panes[pane].group == int(group):
            now.active[int(group)] = pane
    for groups, group in dict(kept.get("front", {})).items():
        if group in desk.by_group:
            now.front[tuple(int(number) for number in groups.split(","))] = group
    if kept.get("focus") in desk.by_group:
        now.focus = kept["focus"]
        now.zoomed = kept.get("zoomed") is True
    for name, values in dict(kept.get("panes", {})).items():
        if name in desk.panes and isinstance(values, dict):
            desk.panes[name].restore(values)


# -- files ---------------------------------------------------------------------------------------------------------------
def directory() -> Path:
    """Return where the files are."""
    return Path(state_home()) / "programs"


def read(path: Path) -> Kept | None:
    """Return what a file says; None where it is none of ours. ValueError: it is damaged."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004  damage, like any other
    return found if found.get("format") == FORMAT else None


def newest_first(folder: Path) -> Iterator[Path]:
    """Yield the files, the last one written first."""
    found = [(entry.stat().st_mtime_ns, entry) for entry in folder.glob("*.json")] if folder.is_dir() else []
    yield from (entry for _, entry in sorted(found, reverse=True))


class Keeper:
    """Keeps the state of one program; `on_disk` False: only as long as the screen lives, over new builds."""

    def __init__(self, app: Debug, *, on_disk: bool) -> None:
        self.app, self.on_disk = app, on_disk
        self.points: tuple[Kept, ...] = ()
        self.waiting: list[Kept] = []                # points that are not possible in the present build
        self.build = ""
        self.hello: Hello | None = None
        self._written = ""
        self._file: Path | None = None
        self._told = False

    @property
    def path(self) -> Path:
        """The file of the present build."""
        assert self.hello is not None
        return directory() / f"{self.hello.build}.json"

    def load(self, hello: Hello, *, layout: bool) -> None:
        """Take what was kept of a program, of this build or the newest before it."""
        self.hello = hello
        if not self.on_disk:
            return
        exact = self.path
        for path in [exact, *(other for other in newest_first(directory()) if other != exact)]:
            try:
                kept = read(path) if path.exists() else None
                if kept is None or (path != exact and kept.get("path") != hello.files[0]):
                    continue
                points = tuple(row for row in kept.get("points", ()) if isinstance(row, dict))
                restore_desk(self.app.desk, kept, layout=layout)
            except (OSError, ValueError, TypeError, AttributeError) as error:
                self.app.log_text(f"{path}: damaged, ignored ({error})")
                continue
            self.points, self.build = points, str(kept.get("build", ""))
            return

    def put(self, points: Any) -> None:
        """Take the points as they are now."""
        if isinstance(points, tuple):
            self.points = points
            self.build = self.hello.build if self.hello is not None else ""

    def state(self) -> Kept:
        """Return what there is to keep."""
        assert self.hello is not None
        return {"format": FORMAT, "path": self.hello.files[0], "build": self.build, **desk_state(self.app.desk),
                "points": [*self.points, *self.waiting]}

    def keep(self) -> None:
        """Write the state if it has changed."""
        if not self.on_disk or self.hello is None:
            return
        text = json.dumps(self.state(), indent=1) + "\n"
        if text == self._written:
            return
        try:
            write_atomically(str(self.path), text)
        except OSError as error:
            if not self._told:                       # once: a full or read-only disk stays so
                self._told = True
                self.app.log_text(f"{self.path}: {error.strerror}; nothing will be remembered")
            return
        before, self._file = self._file, self.path
        self._written = text
        if before is not None and before != self._file:
            before.unlink(missing_ok=True)           # of a build that this one has replaced
        if before is None:
            for old in list(newest_first(directory()))[FILES:]:
                old.unlink(missing_ok=True)
