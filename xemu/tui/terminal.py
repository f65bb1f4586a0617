"""What a terminal shows of the bytes that it gets, as lines. Nothing that a guest prints reaches the user's own terminal.

A serial line is a `Teletype`: it obeys what line editing needs and shows all other control sequences, as noise on a line must not
hide what came before. It obeys CR, LF, BS, TAB, and of the sequences that begin with ESC [ those that stay in the line:
colours (m), erasing in the line (K), cursor left and right (D, C) and to a column (G). A program's terminal is `xemu.tui.vt.Emulator`.
"""

from __future__ import annotations

import codecs
import re
from itertools import groupby

from xemu.tui.text import Line, Span

LIMIT = 10_000           # lines that are kept
SLACK = 2_000            # … and how many more there may be before the oldest go
NARROW = 20              # columns that a terminal has at least
TAB = 8
_TOKEN = re.compile(r"\x1b\[([0-9;:]*)([KmCDG])|[^\x00-\x1f\x7f]+|.", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(\[[0-9;:]{0,32})?\Z")

#: SGR parameters that switch something on -> its name; those that switch off -> the names
_ON = {1: "a-bold", 2: "a-dim", 3: "a-italic", 4: "a-underline", 5: "a-bold", 7: "a-reverse", 8: "a-conceal", 9: "a-strike",
       21: "a-underline"}
_OFF = {22: ("a-bold", "a-dim"), 23: ("a-italic",), 24: ("a-underline",), 25: (), 27: ("a-reverse",), 28: ("a-conceal",), 29: ("a-strike",)}


class Pen:
    """The style in which characters are written. ECMA-48 8.3.117 (SGR)."""

    def __init__(self) -> None:
        self.style = ""
        self.parts: dict[str, str] = {}             # "fg", "bg" or an attribute -> the name of its style

    def copy(self) -> Pen:
        """Return another one like it."""
        pen = Pen()
        pen.style, pen.parts = self.style, dict(self.parts)
        return pen

    def write(self, parameters: str) -> None:
        """Take the parameters of a sequence ESC [ … m."""
        numbers = [int(text) if text else 0 for text in re.split("[;:]", parameters)]
        while numbers:
            number = numbers.pop(0)
            if number == 0:
                self.parts.clear()
            elif number in _ON:
                self.parts[_ON[number]] = _ON[number]
            elif number in _OFF:
                for name in _OFF[number]:
                    self.parts.pop(name, None)
            elif number in (38, 48):
                self._set("fg" if number == 38 else "bg", _colour(numbers))
            elif number in (39, 49):
                self._set("fg" if number == 39 else "bg", None)
            else:
                for first, kind, colour in ((30, "fg", 0), (40, "bg", 0), (90, "fg", 8), (100, "bg", 8)):
                    if first <= number < first + 8:
                        self._set(kind, str(number - first + colour))
        self.style = " ".join(self.parts.values())

    def _set(self, kind: str, colour: str | None) -> None:
        if colour is None:
            self.parts.pop(kind, None)
        else:
            self.parts[kind] = f"{kind}-{colour}"


def _colour(numbers: list[int]) -> str | None:
    """Take a colour of 256 (5;N) or all (2;R;G;B) from the front of some parameters."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 5 and numbers:
        return str(min(numbers.pop(0), 255))
    if kind == 2 and len(numbers) >= 3:
        red, green, blue = (min(numbers.pop(0), 255) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    return None


def spans_of(characters: list[str], styles: list[str]) -> tuple[Span, ...]:
    """Return cells as spans."""
    if not any(styles):
        text = "".join(characters).rstrip()
        return (Span(text),) if text else ()
    spans, at = [], 0
    for style, run in groupby(styles):
        count = len(list(run))
        spans.append(Span("".join(characters[at:at + count]), style))
        at += count
    if not spans[-1].style:
        spans[-1] = Span(spans[-1].text.rstrip())
    return tuple(spans)


class Screenful:
    """Lines that have scrolled away, and behind them those that may still change. `lines` is always the same list.

    A line's key is the beat at which it began, and None where that has no meaning.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.columns = 80
        self.cursor = 0, 0                           # line in `lines`, column
        self.dropped = 0                             # lines that are forgotten
        self.received = 0                            # bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""                              # the beginning of a control sequence

    def feed(self, data: bytes, beat: int) -> bytes:
        """Show some bytes; returns what the terminal answers."""
        raise NotImplementedError

    def mark(self, text: str) -> None:
        """Show a line of the screen's own, in place of one that is last anyway."""
        raise NotImplementedError

    def resize(self, rows: int, columns: int) -> None:
        """Have another size."""
        del rows
        self.columns = max(columns, NARROW)

    def clear(self) -> None:
        """Forget what has scrolled away."""
        raise NotImplementedError

    def _trim(self) -> int:
        """Forget lines that are too many; returns how many."""
        count = len(self.lines) - LIMIT
        if count < SLACK:
            return 0
        del self.lines[:count]
        self.dropped += count
        return count


def marked(text: str) -> Line:
    """Return a line of the screen's own."""
    return Line((Span(f"── {text} ──", "dim"),), "mark")


class Teletype(Screenful):
    """A serial line's terminal: one line after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.pen = Pen()
        self._open = False                           # the last line is the one that is written to
        self._begin()

    def _begin(self) -> None:
        """Begin a new line when something comes for it."""
        self._characters: list[str] = []
        self._styles: list[str] = []
        self._column = 0
        self._beat: int | None = None

    def feed(self, data: bytes, beat: int) -> bytes:
        """Show some bytes."""
        self.received += len(data)
        if self._open:
            self.lines.pop()
            self._open = False
        pieces = (self._rest + self._decoder.decode(data)).split("\n")
        self._rest = ""
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            plain = piece.removesuffix("\r")
            if not last and self._beat is None and not self.pen.style and len(plain) <= self.columns and plain.isprintable():
                self.lines.append(Line((Span(plain),), beat))        # most lines of most guests
                continue
            if piece:
                self._write(piece if last else plain, beat, last=last)
            if not last:
                self._end(beat)
        self._trim()
        if self._beat is not None:
            self.lines.append(self._line())
            self._open = True
        self.cursor = len(self.lines) - self._open, self._column
        return b""

    def _write(self, text: str, beat: int, *, last: bool) -> None:
        """Write a piece of a line."""
        if last:
            unfinished = _UNFINISHED.search(text)
            if unfinished is not None:
                self._rest = unfinished[0]
                text = text[:unfinished.start()]
        if self._beat is None and text:
            self._beat = beat
        for token in _TOKEN.finditer(text):
            if token[2] is not None:
                self._obey(token[2], token[1])
                continue
            first = token[0][0]
            if first == "\r":
                self._column = 0
            elif first == "\b":
                self._column = max(self._column - 1, 0)
            elif first == "\t":
                self._put(" " * (TAB - self._column % TAB), self.pen.style, beat)
            elif first < " " or first == "\x7f":
                self._put("^" + chr(ord(first) ^ 0x40), "dim", beat)
            else:
                words = token[0]
                if not words.isprintable():
                    words = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
                self._put(words, self.pen.style, beat)

    def _put(self, text: str, style: str, beat: int) -> None:
        """Write characters over what is there; a line that is full is followed by another."""
        while text:
            room = self.columns - self._column
            if room <= 0:
                self._end(beat)
                self._beat = beat
                continue
            now, text = text[:room], text[room:]
            missing = self._column - len(self._characters)
            if missing > 0:
                self._characters += " " * missing
                self._styles += [""] * missing
            end = self._column + len(now)
            self._characters[self._column:end] = now
            self._styles[self._column:end] = [style] * len(now)
            self._column = end

    def _obey(self, final: str, parameters: str) -> None:
        """Do what a control sequence says."""
        first = parameters.partition(";")[0].partition(":")[0]
        number = min(int(first or 0), self.columns)
        if final == "m":
            self.pen.write(parameters)
        elif final == "C":
            self._column = min(self._column + max(number, 1), self.columns - 1)
        elif final == "D":
            self._column = max(self._column - max(number, 1), 0)
        elif final == "G":
            self._column = max(number, 1) - 1
        elif number == 0:
            del self._characters[self._column:], self._styles[self._column:]
        else:
            end = min(self._column + 1, len(self._characters)) if number == 1 else len(self._characters)
            self._characters[:end], self._styles[:end] = " " * end, [""] * end

    def _line(self) -> Line:
        return Line(spans_of(self._characters, self._styles), self._beat)

    def _end(self, beat: int) -> None:
        """The line is complete."""
        if self._beat is None:
            self._beat = beat
        self.lines.append(self._line())
        self._begin()

    def mark(self, text: str) -> None:
        """Show a line of the screen's own, in place of one that is last anyway."""
        if self._open:
            self._open = False                       # it stays as it is
            self._begin()
        if self.lines and self.lines[-1].key == "mark":
            self.lines.pop()
        self.lines.append(marked(text))
        self.cursor = len(self.lines), 0

    def clear(self) -> None:
        """Forget what has scrolled away."""
        self.dropped += len(self.lines) - self._open
        del self.lines[:len(self.lines) - self._open]
        self.cursor = 0, self._column


__all__ = ["LIMIT", "NARROW", "SLACK", "Pen", "Screenful", "Teletype", "marked", "spans_of"]
