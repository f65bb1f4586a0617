"""The terminal of a program: what readline, `less` and full-screen programs expect of an xterm. ECMA-48; xterm, "Control Sequences".

Not there: the mouse, sixel pictures, and everything that would act outside of the terminal (titles, the clipboard).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xemu.tui.cells import Cells, Row
from xemu.tui.terminal import LIMIT, TAB
from xemu.tui.text import Line, Span

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 4096           # characters of a control sequence; what is longer is none
_TOKEN = re.compile(r"""
    [^\x00-\x1f\x7f]+ | \r\n
  | \x1b\[ (?P<private>[<=>?]?) (?P<parameters>[0-9;:]*) (?P<between>[ -/]*) (?P<final>[@-~])
  | \x1b\[ [ -?]* (?=[^ -~])                             # broken off
  | \x1b[\]PX^_] [^\x07\x1b]* (?: \x07 | \x1b\\ )        # strings: titles and the like
  | \x1b[()*+] (?P<charset>.)
  | \x1b[ \#%] .
  | \x1b (?P<escape>[^\[\]PX^_()*+ \#%])
  | [\x00-\x1a\x1c-\x1f\x7f]
""", re.VERBOSE | re.DOTALL)
#: DEC's special graphics, `` ` `` to `~`
_GRAPHICS = dict(zip(map(chr, range(0x60, 0x7F)), "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True))


class Emulator(Cells):
    """A screen of rows and columns, and what has scrolled out of it."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        super().__init__(rows, columns)
        self._answers = bytearray()
        self._last = " "

    def feed(self, data: bytes, beat: int) -> bytes:
        """Show some bytes; returns what the terminal answers."""
        del beat
        self.received += len(data)
        del self.lines[self.base:]
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        if "\x1b" in text or not self._flood(text):
            self._write(text)
        self.base -= self._trim()
        self._expose()
        answers, self._answers = bytes(self._answers), bytearray()
        return answers

    def _flood(self, text: str) -> bool:
        """Write many plain lines at once: whoever prints them faster than they can be read is only to be fast."""
        rows = self.rows
        if self.other is not None or self.pen.style or self.graphics or (self.top, self.bottom) != (0, rows - 1) or self.insert:
            return False
        pieces = text.split("\r\n")
        middle = pieces[rows:-rows]
        together = "".join(middle)
        if not middle or not together.isascii() or not together.isprintable():
            return False
        self._write("\r\n".join(pieces[:rows]) + "\r\n")             # the cursor is now in the last row
        self._scrolled(self.grid[:-1])
        width, skipped = self.columns, max(len(middle) - LIMIT, 0)
        self.dropped += skipped
        self.lines += [Line((Span(piece[at:at + width]),)) for piece in middle[skipped:] for at in range(0, len(piece) or 1, width)]
        self.base = len(self.lines)
        self.grid[:] = [Row(width) for _ in range(rows)]
        self.x = self.y = 0
        self._write("\r\n".join(pieces[-rows:]))
        return True

    def _write(self, text: str) -> None:
        at, end = 0, len(text)
        while at < end:
            token = _TOKEN.match(text, at)
            if token is None:                        # a sequence whose end has not come yet
                if end - at > LONGEST:
                    at += 1
                    continue
                self._rest = text[at:]
                return
            at = token.end()
            first = token[0][0]
            if first == "\x1b":
                self._sequence(token)
            elif first < " " or first == "\x7f":
                self._control(token[0])
            else:
                self._put(token[0])

    def _put(self, text: str) -> None:
        if self.graphics:
            text = "".join(_GRAPHICS.get(c, c) for c in text)
        self._last = text[-1]
        if text.isascii() and not self.insert:
            self._put_narrow(text)
            return
        for character in text:
            self._put_one(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}")

    def _control(self, text: str) -> None:
        if text == "\r\n":
            self.x, self._full = 0, False
            self._line_feed()
        elif text == "\r":
            self.x, self._full = 0, False
        elif text in "\n\v\f":
            self._line_feed()
        elif text == "\b":
            self.x, self._full = max(self.x - 1, 0), False
        elif text == "\t":
            self.x = min(self.x - self.x % TAB + TAB, self.columns - 1)
        elif text in "\x0e\x0f":
            self.graphics = text == "\x0e"

    def _sequence(self, token: re.Match[str]) -> None:
        final = token["final"]
        if token["charset"] is not None:
            if token[0][1] == "(":
                self.graphics = token["charset"] == "0"
        elif token["escape"] is not None:
            self._escape(token["escape"])
        elif final is None or token["between"] not in ("", "!"):
            return
        elif final == "m" and not token["private"]:
            self.pen.write(token["parameters"])
        elif final in "hl":
            for text in token["parameters"].split(";"):
                self._mode(token["private"] + text, on=final == "h")
        elif not token["private"] or final in "JK":
            numbers = [min(int(text or 0), 9999) for text in re.split("[;:]", token["parameters"])]
            method = _FINALS.get(token["between"] + final)
            if method is not None:
                self._full = self._full and final not in _MOVES
                method(self, numbers[0], numbers)

    def _escape(self, final: str) -> None:
        if final == "D":
            self._line_feed()
        elif final == "E":
            self._next_row()
        elif final == "M":
            self._reverse_line_feed()
        elif final == "7":
            self.save(0, [])
        elif final == "8":
            self.restore(0, [])
        elif final == "c":
            self._alternate(on=False)
            self.reset()
            self.grid[:] = [Row(self.columns) for _ in range(self.rows)]

    def _mode(self, mode: str, *, on: bool) -> None:
        if mode in ("?47", "?1047", "?1049"):
            if mode == "?1049" and on:
                self.save(0, [])
            self._alternate(on=on)
            if mode == "?1049" and not on:
                self.restore(0, [])
        elif mode == "?6":
            self.origin = on
            self._place(0, 0)
        elif mode in _MODES:
            setattr(self, _MODES[mode], on)

    def repeat(self, number: int, _numbers: list[int]) -> None:
        """Write the last character again (REP)."""
        self._put(self._last * max(number, 1))

    def report(self, number: int, _numbers: list[int]) -> None:
        """Say that all is well (5), or where the cursor is (6) (DSR)."""
        if number == 5:
            self._answers += b"\x1b[0n"
        elif number == 6:
            self._answers += b"\x1b[%d;%dR" % (self.y + 1, self.x + 1)

    def identify(self, number: int, _numbers: list[int]) -> None:
        """Say what kind of terminal this is (DA)."""
        if number == 0:
            self._answers += b"\x1b[?6c"             # a VT102

    def soft_reset(self, _number: int, _numbers: list[int]) -> None:
        """Begin anew, but leave what is on the screen (DECSTR)."""
        x, y = self.x, self.y
        self.reset()
        self.x, self.y = x, y


_MODES = {"?1": "application", "?7": "wrap", "?25": "visible", "?2004": "bracketed", "4": "insert"}
_MOVES = "ABCDEFGHfdXP@LMr`aeu"        # what no longer leaves the cursor behind the last column
_FINALS: dict[str, Callable[[Emulator, int, list[int]], None]] = {
    "A": Emulator.up, "B": Emulator.down, "C": Emulator.right, "D": Emulator.left, "E": Emulator.down_first, "F": Emulator.up_first,
    "G": Emulator.column, "H": Emulator.position, "J": Emulator.erase_display, "K": Emulator.erase_line, "L": Emulator.insert_rows,
    "M": Emulator.delete_rows, "P": Emulator.delete_characters, "S": Emulator.up_page, "T": Emulator.down_page,
    "X": Emulator.erase_characters, "@": Emulator.insert_characters, "`": Emulator.column, "a": Emulator.right, "b": Emulator.repeat,
    "c": Emulator.identify, "d": Emulator.row, "e": Emulator.down, "f": Emulator.position, "n": Emulator.report,
    "r": Emulator.region, "s": Emulator.save, "u": Emulator.restore, "!p": Emulator.soft_reset}

__all__ = ["Emulator"]
