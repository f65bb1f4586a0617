"""Where panes are: groups of panes share a frame as its tabs, a layout says where frames go, by the size of the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.containers import Container
from textual.geometry import NULL_OFFSET, Region, Spacing
from textual.layout import Layout, WidgetPlacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.geometry import Size
    from textual.widget import Widget

    from xemu.tui.pane import Pane


class Frame(NamedTuple):
    """A place for some groups of panes: all are its tabs."""

    groups: tuple[int, ...]


class Row(NamedTuple):
    """Places side by side, with their weights."""

    parts: tuple[tuple[int, Any], ...]


class Column(NamedTuple):
    """Places one above the other, with their weights."""

    parts: tuple[tuple[int, Any], ...]


def row(*parts: tuple[int, Any]) -> Row:
    """Return places side by side."""
    return Row(parts)


def column(*parts: tuple[int, Any]) -> Column:
    """Return places one above the other."""
    return Column(parts)


def frame(*groups: int) -> Frame:
    """Return a frame."""
    return Frame(groups)


ONE = frame(2, 1, 3, 4, 5, 6)

#: layout -> size class -> where frames go
LAYOUTS: dict[str, dict[str, Any]] = {
    "code": {
        "wide": column((28, row((32, frame(1)), (88, frame(2)), (40, column((15, frame(3)), (13, frame(4)))))),
                       (17, row((80, frame(5)), (80, frame(6))))),
        "normal": column((24, row((30, frame(1)), (90, frame(2)))), (14, row((78, frame(5)), (42, frame(6, 3, 4))))),
        "narrow": ONE},
    "machine": {
        "wide": column((30, row((74, frame(2)), (44, column((18, frame(1)), (12, frame(3)))), (42, frame(4)))),
                       (16, row((110, frame(6)), (50, frame(5))))),
        "normal": column((24, row((70, frame(2, 1)), (50, frame(4, 3)))), (14, frame(6, 5))),
        "narrow": ONE},
    "data": {
        "wide": column((26, row((70, frame(2)), (90, frame(5)))), (20, row((40, frame(1)), (50, frame(3)), (70, frame(6, 4))))),
        "normal": column((20, row((60, frame(2)), (60, frame(5)))), (18, row((40, frame(1)), (80, frame(3, 4, 6))))),
        "narrow": ONE},
}


def size_class(size: Size) -> str:
    """Return what kind of layout a terminal has room for."""
    if size.width < 100 or size.height < 32:
        return "narrow"
    return "wide" if size.width >= 140 else "normal"


def places(tree: Any, region: Region) -> Iterator[tuple[Frame, Region]]:
    """Yield frames with their places in a region."""
    if isinstance(tree, Frame):
        yield tree, region
        return
    total, done, at = sum(weight for weight, _ in tree.parts), 0, 0
    extent = region.width if isinstance(tree, Row) else region.height
    for weight, part in tree.parts:
        done += weight
        end = extent * done // total
        piece = Region(region.x + at, region.y, end - at, region.height) if isinstance(tree, Row) else \
            Region(region.x, region.y + at, region.width, end - at)
        yield from places(part, piece)
        at = end


@dataclass
class Arrangement:
    """Which panes are seen: what the user has chosen, and what is saved."""

    layout: str = "code"
    size: str = "wide"
    active: dict[int, str] = field(default_factory=dict)         # group -> the pane of it that is on top
    front: dict[tuple[int, ...], int] = field(default_factory=dict)  # groups of a frame -> the group on top
    zoomed: bool = False
    focus: int = 2                                               # the group that has the keys

    @property
    def tree(self) -> Any:
        """The layout at this size."""
        if self.zoomed:
            return Frame((self.focus,))
        return LAYOUTS[self.layout][self.size]

    def frames(self) -> list[Frame]:
        """Return all frames."""
        return [found for found, _ in places(self.tree, Region(0, 0, 1000, 1000))]

    def frame_of(self, group: int) -> Frame:
        """Return the frame that has a group."""
        return next((f for f in self.frames() if group in f.groups), Frame((group,)))

    def front_of(self, found: Frame) -> int:
        """Return the group on top in a frame."""
        return self.front.get(found.groups, self.focus if self.focus in found.groups else found.groups[0])

    def show(self, group: int, pane: str | None = None) -> None:
        """Bring a group, and a pane of it, to the top and give it the keys."""
        self.focus = group
        self.front[self.frame_of(group).groups] = group
        if pane is not None:
            self.active[group] = pane


class DeskLayout(Layout):
    """Places the panes of a desk."""

    name = "desk"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> list[WidgetPlacement]:
        """Return the place of each pane that is seen."""
        del greedy
        assert isinstance(parent, Desk)
        where = {parent.top(found): region for found, region in places(parent.arrangement.tree, size.region)}
        return [WidgetPlacement(where[child], NULL_OFFSET, Spacing(), child)
                for child in children if child in where]


class Desk(Container):
    """All panes."""

    def __init__(self, panes: list[Pane]) -> None:
        super().__init__(*panes, id="desk")
        self.arrangement = Arrangement()
        self.panes = {pane.pane: pane for pane in panes}
        self.by_group: dict[int, list[Pane]] = {}
        for pane in panes:
            self.by_group.setdefault(pane.group, []).append(pane)
            self.arrangement.active.setdefault(pane.group, pane.pane)
        self.chosen: set[int] = set()                # groups of which somebody has chosen a tab
        self._layout = DeskLayout()

    @property
    def layout(self) -> Layout:
        """How children are placed."""
        return self._layout

    def on_mount(self) -> None:
        """Show what the arrangement says."""
        self.rearrange()

    def add(self, pane: Pane) -> None:
        """Have one pane more, as a tab of its group in front of those of other kinds."""
        self.panes[pane.pane] = pane
        tabs = self.by_group.setdefault(pane.group, [])
        tabs.insert(sum(type(other) is type(pane) for other in tabs), pane)
        pane.display = False
        self.mount(pane)
        self.rearrange(focus=False)

    def top(self, found: Frame) -> Pane | None:
        """Return the pane that is seen in a frame."""
        group = self.arrangement.front_of(found)
        panes = self.by_group.get(group, [])
        return next((p for p in panes if p.pane == self.arrangement.active.get(group)), panes[0] if panes else None)

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the keys."""
        return self.top(self.arrangement.frame_of(self.arrangement.focus))

    def rearrange(self, *, focus: bool = True) -> None:
        """Show what the arrangement says."""
        seen = {self.top(found): found for found in self.arrangement.frames()}
        for pane in self.panes.values():
            pane.display = pane in seen
            if pane in seen:
                pane.border_title = self._title(seen[pane], pane)
        self.refresh(layout=True)
        top = self.focused_pane
        if focus and top is not None:
            top.focus(scroll_visible=False)

    def _title(self, found: Frame, top: Pane) -> str:
        """Return the tabs of a frame: "3 Stack│Locals"."""
        words = []
        for group in found.groups:
            panes = self.by_group.get(group, [])
            crowded = len(found.groups) > 2 and group != top.group       # there is no room for all of all groups
            names: list[Pane | None] = [self.top(Frame((group,)))] if crowded else [p for p in panes if p is top or not p.quiet]
            tabs = "│".join(f"[@click=app.show('{p.pane}')]{'[b]' + p.title + '[/b]' if p is top else p.title}[/]" for p in names if p)
            words.append(f"{group} {tabs}")
        return "  ".join(words)

    def show(self, pane: str) -> None:
        """Bring a pane to the top and give it the keys."""
        self.arrangement.show(self.panes[pane].group, pane)
        self.chosen.add(self.panes[pane].group)
        self.rearrange()

    def turn(self, group: int, count: int) -> None:
        """Show another tab of a group."""
        panes = self.by_group.get(group, [])
        now = next((i for i, p in enumerate(panes) if p.pane == self.arrangement.active.get(group)), 0)
        if panes:
            self.show(panes[(now + count) % len(panes)].pane)
