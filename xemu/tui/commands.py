"""The words of the command line, each a row: help, completion and abbreviations are made of them.

    @command("tbreak", "[PLACE] [if CONDITION]", POINTS, completes="place", changes=True)
    def tbreak(c: Context, rest: str) -> None:
        "Set a breakpoint that goes with its first stop."

Words are GDB's where GDB has them. An unambiguous beginning is enough; `aliases` are those that GDB decides for one. A row whose
name has two words ("info line") is one of a family. The functions run in the guest's process and import what they need when they
are called: the screen reads this table, too. A row with `motion` moves the guest and returns where it stands.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.debug.debugger import Debugger
    from xemu.debug.frames import Frame

RUN, POINTS, LOOK, CHANGE, TIME, SCREEN = "Run", "Points", "Look", "Change", "Time", "Screen"
MODULES = ("run", "points", "look", "inform", "change", "screen")
FAMILIES = {"i": "info", "inf": "info"}
_WORD = re.compile(r"\s*(!|[A-Za-z][\w-]*)(/[^\s]*)?\s*(.*)\Z", re.DOTALL)


@dataclass
class Context:
    """What a command works on and where its words go."""

    d: Debugger
    thread: int | None = None                        # whose frame is selected
    frame: int = 0
    form: str = ""                                   # what stands behind "/" of the command's name
    out: list[str] = field(default_factory=list)
    acts: list[tuple[Any, ...]] = field(default_factory=list)        # what the screen is to do: a name and arguments
    kept: dict[str, Any] = field(default_factory=dict)               # what the next command may go on with; the same for all
    changed: bool = False                            # it has changed something that panes show
    error: str = ""                                  # what went wrong in the middle
    quiet: bool = False                              # a motion that does not say where the guest stands

    def say(self, text: str) -> None:
        """Print lines."""
        self.out.append(text)

    def act(self, *what: Any) -> None:
        """Have the screen call one of its methods `act_…`."""
        self.acts.append(what)

    @property
    def selected(self) -> Frame | None:
        """The selected frame; None: the newest of the thread that runs."""
        from xemu.tui.queries.stack import chosen

        return chosen(self.d, self.thread, self.frame)

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the selected frame."""
        return self.d.evaluate(expression, self.selected, self.thread)

    def number(self, text: str, what: str = "a number") -> int:
        """Return an integer, written as one or as an expression."""
        try:
            return int(text.replace(",", ""), 0)
        except ValueError:
            if not text:
                raise UsageError(f"{what} is missing") from None
            return int(self.value(text).number())


class Reply(NamedTuple):
    """What a command has printed, and what the screen is to do."""

    text: str
    error: str = ""
    acts: tuple[tuple[Any, ...], ...] = ()


class Command(NamedTuple):
    """A row."""

    name: str
    arguments: str
    section: str
    function: Callable[..., Any]
    motion: bool = False
    changes: bool = False                            # something that panes show
    completes: str = ""                              # what its arguments are: see queries/completion.py
    aliases: str = ""
    again: str = ""                                  # an empty line after it: "same" does it again, "on" goes on behind it

    @property
    def help(self) -> str:
        """What it does, in a line."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def usage(self) -> str:
        """The name and arguments."""
        return f"{self.name} {self.arguments}".rstrip()


_COMMANDS: dict[str, Command] = {}


def command(name: str, arguments: str = "", section: str = LOOK, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a command."""
    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        _COMMANDS[name] = Command(name, arguments, section, function, **more)
        return function

    return declare


def commands() -> dict[str, Command]:
    """Return all commands by name."""
    for module in MODULES:
        import_module(f"xemu.tui.words.{module}")
    return _COMMANDS


def first_words() -> dict[str, list[Command]]:
    """Return the first words of names, with the commands of each: several, where they are a family."""
    families: dict[str, list[Command]] = {}
    for row in commands().values():
        families.setdefault(row.name.partition(" ")[0], []).append(row)
    return families


def find(text: str) -> tuple[Command, str, str]:
    """Return a command, what stands behind its "/", and its arguments; UsageError."""
    match = _WORD.match(text)
    if match is None:
        raise UsageError(f"{text.strip().partition(' ')[0]}: no command; ? lists them")
    word, form, rest = match[1], (match[2] or "")[1:], match[3].rstrip()
    if word == "monitor" and rest:                   # as with a GDB: these are words of xemu's own
        return find(rest)
    families = first_words()
    aliases = {alias: row.name for row in commands().values() if " " not in row.name for alias in row.aliases.split()}
    first = _expand(word, aliases | FAMILIES, families)
    rows = families[first]
    if len(rows) == 1 and rows[0].name == first:
        return rows[0], form, rest
    second, _, more = rest.partition(" ")
    seconds = {row.name.partition(" ")[2]: row for row in rows}
    if "" in seconds and not _begins(second, seconds):
        return seconds[""], form, rest
    if not second:
        raise UsageError(f"{first} what? There are " + ", ".join(sorted(seconds)))
    shorter = {alias: name for name, row in seconds.items() for alias in row.aliases.split()}
    return seconds[_expand(second, shorter, seconds, first + " ")], form, more.strip()


def _begins(word: str, names: Iterable[str]) -> bool:
    return bool(word) and any(name.startswith(word) for name in names if name)


def _expand(word: str, aliases: dict[str, str], names: Iterable[str], family: str = "") -> str:
    """Return the name that a word means: itself, an alias, or the only one that begins with it but for its own longer forms."""
    if word in names:
        return word
    if word in aliases:
        return aliases[word]
    found = sorted(name for name in names if name and name.startswith(word))
    if found and all(name.startswith(found[0]) for name in found):
        return found[0]
    if found:
        raise UsageError(f"{family}{word}: {', '.join(found)}?")
    near = difflib.get_close_matches(word, [name for name in names if name], 1)
    raise UsageError(f"{family}{word}: no command" + (f"; did you mean {family}{near[0]}?" if near else "; ? lists them"))


__all__ = ["CHANGE", "LOOK", "POINTS", "RUN", "SCREEN", "TIME", "Command", "Context", "Reply", "command", "commands", "find", "first_words"]
