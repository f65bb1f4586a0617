"""Lines of panes: words with the name of a style. What colours the names mean is decided in one place, by theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Iterable


class Span(NamedTuple):
    """Words in one style. `act`: what a click on them does: a method of the pane without `act_`, and its arguments."""

    text: str
    style: str = ""
    act: tuple[Any, ...] = ()


class Line(NamedTuple):
    """One line of a pane. `key`: what it stands for, so that the cursor stays on it when lines come and go."""

    spans: tuple[Span, ...] = ()
    key: Any = None
    style: str = ""                                  # of the whole line
    act: tuple[Any, ...] = ()                        # what Enter and a double click do

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(span.text for span in self.spans)


def line(*words: str | tuple[str, str] | Span, key: Any = None, style: str = "", act: tuple[Any, ...] = ()) -> Line:
    """Return a line of plain words, (words, style) and spans."""
    spans = tuple(w if isinstance(w, Span) else Span(w) if isinstance(w, str) else Span(*w) for w in words)
    return Line(spans, key, style, act)


#: style name -> (dark, light, with 16 colours). Never the only sign: a mark or weight says the same.
STYLES = {
    "dim": ("#7a8290", "#6b7280", "bright_black"),
    "label": ("#82aaff", "#1d4ed8", "blue"),
    "value": ("", "", ""),
    "changed": ("bold #ffcb6b", "bold #b45309", "bold yellow"),
    "faded": ("#d7af5f", "#d97706", "yellow"),
    "bold": ("bold", "bold", "bold"),
    "pc": ("bold #c3e88d", "bold #15803d", "bold green"),
    "break": ("bold #ff5370", "bold #b91c1c", "bold red"),
    "off": ("#7a8290", "#6b7280", "bright_black"),
    "code": ("#c3e88d", "#15803d", "green"),
    "ram": ("#89ddff", "#0e7490", "cyan"),
    "stack": ("#c792ea", "#7e22ce", "magenta"),
    "constant": ("#f78c6c", "#c2410c", "yellow"),
    "device": ("#ffcb6b", "#a16207", "yellow"),
    "string": ("#ecc48d", "#9a3412", "yellow"),
    "mnemonic": ("bold", "bold", "bold"),
    "ahead": ("#89ddff", "#0e7490", "cyan"),
    "comment": ("italic #7a8290", "italic #6b7280", "bright_black"),
    "keyword": ("#c792ea", "#7e22ce", "magenta"),
    "type": ("#89ddff", "#0e7490", "cyan"),
    "never": ("#5c6370", "#9ca3af", "bright_black"),
    "error": ("bold #ff5370", "bold #b91c1c", "bold red"),
    "good": ("#c3e88d", "#15803d", "green"),
    "read": ("#82aaff", "#1d4ed8", "blue"),
    "write": ("#ff5370", "#b91c1c", "red"),
    "title": ("bold", "bold", "bold"),
    "cursor": ("reverse", "reverse", "reverse"),
    "current": ("on #2b3245", "on #dbeafe", "reverse"),
    "selected": ("on #3b4252", "on #e5e7eb", "reverse"),
    "jump": ("bold #000000 on #ffcb6b", "bold #ffffff on #b45309", "bold black on yellow"),
    "time": ("#7a8290", "#6b7280", "bright_black"),
}
THEMES = {"dark": 0, "light": 1, "ansi": 2}

#: what --ascii shows instead
ASCII = str.maketrans({"●": "*", "○": "o", "◆": "+", "▶": ">", "◁": "<", "◂": "<", "→": ">", "←": "<", "▸": "+", "▾": "-", "·": ".",
                       "░": ":", "▒": "#", "│": "|", "─": "-", "┊": ":", "↓": "v", "↑": "^", "■": "#", "▲": "^", "◀": "<", "├": "+",
                       "┤": "+", "┬": "+", "┴": "+", "┼": "+", "…": "~", "✗": "x", "✓": "v", "▁": ".", "▂": ".", "▃": ":", "▄": ":",
                       "↻": "@", "−": "-", "▅": "=", "▆": "=", "▇": "#", "█": "#", "⇢": "="})


class Palette:
    """Styles by name, for one theme."""

    def __init__(self, theme: str = "dark", *, ascii_only: bool = False) -> None:
        self.theme, self.ascii_only = theme, ascii_only
        column = THEMES[theme]
        self._styles = {name: Style.parse(row[column]) if row[column] else Style() for name, row in STYLES.items()}
        self._plain = Style()

    def style(self, names: str) -> Style:
        """Return the style of some names, the later ones on top."""
        if not names:
            return self._plain
        found = self._styles.get(names)
        if found is None:
            found = self._plain
            for name in names.split():
                found += self._styles.get(name) or printed(name)
            self._styles[names] = found
        return found

    def visible(self, text: str) -> str:
        """Return a text without control characters, as the terminal can show it."""
        if not text.isprintable():
            text = "".join(c if c.isprintable() else shown(c) for c in text)
        return in_ascii(text) if self.ascii_only else text

    def allowed(self, strip: Strip) -> Strip:
        """Return a strip that somebody else has drawn, such as a frame, in the characters that the terminal has."""
        if not self.ascii_only or strip.text.isascii():
            return strip
        return Strip([segment if segment.text.isascii() else Segment(in_ascii(segment.text), segment.style, segment.control)
                      for segment in strip], strip.cell_length)

    def strip(self, item: Line, width: int, left: int = 0, *, base: Style | None = None, cursor: bool = False) -> Strip:
        """Return a line as Textual draws it, from column `left` on."""
        line_style = (base or self._plain) + self.style(item.style)
        if cursor:
            line_style += self.style("cursor" if self.theme == "ansi" else "selected")
        segments = [Segment(self.visible(span.text), self.style(span.style) + line_style if not span.style else
                            line_style + self.style(span.style)) for span in item.spans]
        strip = Strip(segments)
        return (strip.crop(left, left + width) if left or strip.cell_length > width else strip).extend_cell_length(width, line_style)


def printed(name: str) -> Style:
    """Return what a guest has asked for: "fg-N" or "bg-N" of 256 colours, "fg-#rrggbb", "a-" and an attribute."""
    kind, _, what = name.partition("-")
    colour = what if what.startswith("#") else f"color({what})"
    return Style(color=colour) if kind == "fg" else Style(bgcolor=colour) if kind == "bg" else Style.parse(what) if kind == "a" else Style()


def in_ascii(text: str) -> str:
    """Return a text of as many columns in ASCII."""
    text = text.translate(ASCII)
    return text if text.isascii() else "".join(c if c.isascii() else "?" * cell_len(c) for c in text)


def shown(character: str) -> str:
    """Return a control character as something that can be seen."""
    code = ord(character)
    if character == "\t":
        return " "
    return "^" + chr(code ^ 0x40) if code < 0x20 or code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def span_at(item: Line, column: int) -> Span | None:
    """Return the span of a line at a column."""
    at = 0
    for span in item.spans:
        at += len(span.text)
        if column < at:
            return span
    return None


def plain(lines: Iterable[Line]) -> str:
    """Return the words of lines: for tests and for --text."""
    return "\n".join(item.text.rstrip() for item in lines)
