"""Rows of cells and a cursor, and what control sequences do with them. ECMA-48, 8.3; names in brackets are the manual's."""

from __future__ import annotations

import unicodedata

from xemu.tui.terminal import NARROW, Pen, Screenful, marked, spans_of
from xemu.tui.text import Line


class Row:
    """The cells of a row. A wide character has two, the second one empty."""

    __slots__ = ("characters", "line", "styles")

    def __init__(self, columns: int) -> None:
        self.characters = [" "] * columns
        self.styles = [""] * columns
        self.line: Line | None = Line()

    def shown(self) -> Line:
        """Return it as a line."""
        if self.line is None:
            self.line = Line(spans_of(self.characters, self.styles))
        return self.line

    def resize(self, columns: int) -> None:
        """Have another width."""
        more = columns - len(self.characters)
        if more > 0:
            self.characters += [" "] * more
            self.styles += [""] * more
        else:
            del self.characters[columns:], self.styles[columns:]
        self.line = None


class Cells(Screenful):
    """A screen of rows and columns, and what has scrolled out of it. Operations get the first parameter, and all."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.grid = [Row(columns) for _ in range(rows)]
        self.base = 0                                # where in `lines` the grid begins
        self.other: tuple[list[Row], int, int] | None = None         # the grid and cursor behind the alternate one
        self.reset()
        self._expose()

    def reset(self) -> None:
        """Take everything back but what is on the screen."""
        self.pen = Pen()
        self.x = self.y = 0
        self.top, self.bottom = 0, self.rows - 1     # of what scrolls
        self.wrap, self.visible = True, True         # `visible`: the cursor
        self.origin = self.insert = self.graphics = False
        self.application = self.bracketed = False    # what cursor keys and pasted text look like
        self._full = False                           # the next character begins a new row
        self._saved: tuple[int, int, Pen, bool] = 0, 0, Pen(), False

    def _expose(self) -> None:
        self.lines += [row.shown() for row in self.grid]
        self.cursor = self.base + self.y, min(self.x, self.columns - 1)

    def mark(self, text: str) -> None:
        """Show a line of the screen's own above the screen: a full-screen program's must not be disturbed."""
        before = self.lines[self.base - 1] if self.base else None
        self.lines[self.base - (before is not None and before.key == "mark"):self.base] = [marked(text)]
        self.base = len(self.lines) - self.rows
        self.cursor = self.base + self.y, self.cursor[1]

    def clear(self) -> None:
        """Forget what has scrolled away."""
        self.dropped += self.base
        del self.lines[:self.base]
        self.base = 0
        self.cursor = self.y, self.cursor[1]

    def resize(self, rows: int, columns: int) -> None:
        """Have another size. Rows keep their places; those that no longer fit scroll away."""
        rows, columns = max(rows, 2), max(columns, NARROW)
        if (rows, columns) == (self.rows, self.columns):
            return
        del self.lines[self.base:]
        grids = [self.grid] if self.other is None else [self.grid, self.other[0]]
        for grid in grids:
            cursor = self.y if grid is self.grid or self.other is None else self.other[2]
            away = max(0, cursor - rows + 1)
            if away and (self.other is None or grid is not self.grid):
                self._scrolled(grid[:away])
            del grid[:away]
            del grid[rows:]
            grid += [Row(columns) for _ in range(rows - len(grid))]
            for row in grid:
                row.resize(columns)
            if grid is self.grid:
                self.y -= away
            elif self.other is not None:
                self.other = self.other[0], self.other[1], cursor - away
        self.rows, self.columns = rows, columns
        self.top, self.bottom = 0, rows - 1
        self.x, self._full = min(self.x, columns - 1), False
        self._expose()

    def _put_narrow(self, text: str) -> None:
        """Write characters of one column."""
        while text:
            if self._full:
                self._next_row()
            row, room = self.grid[self.y], self.columns - self.x
            if len(text) > room and not self.wrap:
                text = text[:room - 1] + text[-1]
            now, text = text[:room], text[room:]
            end = self.x + len(now)
            self._part(row, self.x, end)
            row.characters[self.x:end] = now
            row.styles[self.x:end] = [self.pen.style] * len(now)
            row.line = None
            self._moved(end)

    def _moved(self, x: int) -> None:
        """The cursor goes right after a character."""
        self._full = x >= self.columns and self.wrap
        self.x = min(x, self.columns - 1)

    def _part(self, row: Row, start: int, end: int) -> None:
        """Cells are overwritten: of wide characters that stick out, the other half is blank."""
        if start and not row.characters[start]:
            row.characters[start - 1] = " "
        if end < self.columns and not row.characters[end]:
            row.characters[end] = " "

    def _put_one(self, character: str) -> None:
        """Write one character of any width."""
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
            row, at = self.grid[self.y], self.x - (0 if self._full else 1)
            if at >= 0 and row.characters[at] and len(row.characters[at]) < 4:
                row.characters[at] += character
                row.line = None
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._full or (self.x + width > self.columns and self.wrap):
            self._next_row()
        row, end = self.grid[self.y], self.x + width
        if end > self.columns:
            return
        if self.insert:
            row.characters[self.x:self.x] = [" "] * width
            row.styles[self.x:self.x] = [""] * width
            del row.characters[self.columns:], row.styles[self.columns:]
        self._part(row, self.x, end)
        row.characters[self.x:end] = [character, ""][:width]
        row.styles[self.x:end] = [self.pen.style] * width
        row.line = None
        self._moved(end)

    def _next_row(self) -> None:
        self.x, self._full = 0, False
        self._line_feed()

    def _scrolled(self, rows: list[Row]) -> None:
        """Rows leave the top of the screen."""
        self.lines += [row.shown() for row in rows]
        self.base = len(self.lines)

    def _scroll_up(self, count: int, top: int | None = None) -> None:
        top = self.top if top is None else top
        count = min(count, self.bottom - top + 1)
        if top == 0 and self.other is None:
            self._scrolled(self.grid[:count])
        del self.grid[top:top + count]
        self.grid[self.bottom - count + 1:self.bottom - count + 1] = [Row(self.columns) for _ in range(count)]

    def _scroll_down(self, count: int, top: int | None = None) -> None:
        top = self.top if top is None else top
        count = min(count, self.bottom - top + 1)
        del self.grid[self.bottom - count + 1:self.bottom + 1]
        self.grid[top:top] = [Row(self.columns) for _ in range(count)]

    def _line_feed(self) -> None:
        if self.y == self.bottom:
            self._scroll_up(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def _reverse_line_feed(self) -> None:
        if self.y == self.top:
            self._scroll_down(1)
        elif self.y:
            self.y -= 1

    def _alternate(self, *, on: bool) -> None:
        """Show the other screen, which does not scroll away."""
        if on and self.other is None:
            self.other = self.grid, self.x, self.y
            self.grid = [Row(self.columns) for _ in range(self.rows)]
        elif not on and self.other is not None:
            self.grid, self.x, self.y = self.other
            self.y = min(self.y, self.rows - 1)
            self.other = None
            self.top, self.bottom = 0, self.rows - 1

    def _place(self, y: int, x: int) -> None:
        low, high = (self.top, self.bottom) if self.origin else (0, self.rows - 1)
        self.y, self.x = max(low, min(y + (low if self.origin else 0), high)), max(0, min(x, self.columns - 1))

    def up(self, number: int, _numbers: list[int]) -> None:
        """Cursor up (CUU)."""
        self.y = max(self.y - max(number, 1), self.top if self.y >= self.top else 0)

    def down(self, number: int, _numbers: list[int]) -> None:
        """Cursor down (CUD)."""
        self.y = min(self.y + max(number, 1), self.bottom if self.y <= self.bottom else self.rows - 1)

    def right(self, number: int, _numbers: list[int]) -> None:
        """Cursor right (CUF)."""
        self.x = min(self.x + max(number, 1), self.columns - 1)

    def left(self, number: int, _numbers: list[int]) -> None:
        """Cursor left (CUB)."""
        self.x = max(self.x - max(number, 1), 0)

    def down_first(self, number: int, numbers: list[int]) -> None:
        """Cursor to the beginning of a row further down (CNL)."""
        self.down(number, numbers)
        self.x = 0

    def up_first(self, number: int, numbers: list[int]) -> None:
        """Cursor to the beginning of a row further up (CPL)."""
        self.up(number, numbers)
        self.x = 0

    def column(self, number: int, _numbers: list[int]) -> None:
        """Cursor to a column (CHA)."""
        self.x = min(max(number, 1), self.columns) - 1

    def row(self, number: int, _numbers: list[int]) -> None:
        """Cursor to a row (VPA)."""
        self._place(max(number, 1) - 1, self.x)

    def position(self, number: int, numbers: list[int]) -> None:
        """Cursor to a row and column (CUP)."""
        self._place(max(number, 1) - 1, max(numbers[1] if len(numbers) > 1 else 1, 1) - 1)

    def _erase(self, y: int, start: int, end: int) -> None:
        row = self.grid[y]
        self._part(row, start, end)
        colour = next((name for name in self.pen.style.split() if name.startswith("bg-")), "")
        row.characters[start:end] = [" "] * (end - start)
        row.styles[start:end] = [colour] * (end - start)
        row.line = None

    def erase_display(self, number: int, _numbers: list[int]) -> None:
        """Erase in the screen (ED)."""
        if number == 3:
            return                                   # what has scrolled away is the user's
        first, last = (self.y + 1, self.rows) if number == 0 else (0, self.y) if number == 1 else (0, self.rows)
        for y in range(first, last):
            self._erase(y, 0, self.columns)
        if number < 2:
            self.erase_line(number, [])

    def erase_line(self, number: int, _numbers: list[int]) -> None:
        """Erase in the row (EL)."""
        start, end = (self.x, self.columns) if number == 0 else (0, self.x + 1) if number == 1 else (0, self.columns)
        self._erase(self.y, start, end)

    def erase_characters(self, number: int, _numbers: list[int]) -> None:
        """Erase characters (ECH)."""
        self._erase(self.y, self.x, min(self.x + max(number, 1), self.columns))

    def _shift(self, insert: int, delete: int) -> None:
        row = self.grid[self.y]
        self._part(row, self.x, min(self.x + delete, self.columns))
        for cells, blank in ((row.characters, " "), (row.styles, "")):
            kept = cells[:self.x] + [blank] * insert + cells[self.x + delete:]
            cells[:] = kept[:self.columns] + [blank] * (self.columns - len(kept))
        row.line = None

    def insert_characters(self, number: int, _numbers: list[int]) -> None:
        """Insert blanks (ICH)."""
        self._shift(min(max(number, 1), self.columns), 0)

    def delete_characters(self, number: int, _numbers: list[int]) -> None:
        """Delete characters (DCH)."""
        self._shift(0, max(number, 1))

    def insert_rows(self, number: int, _numbers: list[int]) -> None:
        """Insert rows (IL)."""
        if self.top <= self.y <= self.bottom:
            self._scroll_down(max(number, 1), self.y)
            self.x = 0

    def delete_rows(self, number: int, _numbers: list[int]) -> None:
        """Delete rows (DL)."""
        if self.top <= self.y <= self.bottom:
            count = min(max(number, 1), self.bottom - self.y + 1)
            del self.grid[self.y:self.y + count]
            self.grid[self.bottom - count + 1:self.bottom - count + 1] = [Row(self.columns) for _ in range(count)]
            self.x = 0

    def up_page(self, number: int, _numbers: list[int]) -> None:
        """Scroll up (SU)."""
        self._scroll_up(max(number, 1))

    def down_page(self, number: int, _numbers: list[int]) -> None:
        """Scroll down (SD)."""
        self._scroll_down(max(number, 1))

    def region(self, number: int, numbers: list[int]) -> None:
        """Say which rows scroll (DECSTBM)."""
        top, bottom = max(number, 1) - 1, (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
        if top < bottom < self.rows:
            self.top, self.bottom = top, bottom
            self._place(0, 0)

    def save(self, _number: int, _numbers: list[int]) -> None:
        """Keep the cursor (DECSC)."""
        self._saved = self.x, self.y, self.pen.copy(), self.graphics

    def restore(self, _number: int, _numbers: list[int]) -> None:
        """Put the cursor where it was kept (DECRC)."""
        self.x, self.y, self.pen, self.graphics = self._saved
        self.x, self.y, self._full = min(self.x, self.columns - 1), min(self.y, self.rows - 1), False
        self.save(0, [])


__all__ = ["Cells", "Row"]
