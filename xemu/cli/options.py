"""Command-line options as rows: one row gives parsing, the help text and the environment variable.

Options may stand before the program only; everything after it belongs to the program.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Option:
    """One option: names, what its value is called (None: a switch), how to read it, help."""

    __slots__ = ("environment", "help", "key", "metavar", "names", "read", "repeat")

    def __init__(
        self,
        names: str,
        metavar: str | None,
        help_: str,
        *,
        key: str = "",
        read: Callable[[str], Any] = str,
        repeat: bool = False,
        environment: str = "",
    ) -> None:
        """`names`: "-L --sysroot"; `key`: where the value goes (from the long name if left out)."""
        self.names = names.split()
        self.metavar = metavar
        self.help = help_
        self.key = key or self.names[-1].lstrip("-").replace("-", "_")
        self.read = read
        self.repeat = repeat
        self.environment = environment


def parse(options: Sequence[Option], arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return ({key: value}, the words from the first that is no option); UsageError."""
    values: dict[str, Any] = {}
    for row in options:
        text = next((os.environ[name] for name in row.environment.split() if os.environ.get(name)), None)
        if text is not None:
            values[row.key] = _read(row, row.environment, text)
    table = {name: option for option in options for name in option.names}
    words = list(arguments)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        name, separator, text = word.partition("=")
        option: Option | None = table.get(name)
        if option is None and not word.startswith("--") and word[:2] in table and table[word[:2]].metavar:
            option, name, separator, text = table[word[:2]], word[:2], "=", word[2:]
        if option is None:
            raise UsageError(f"no option {name}{_near(name, table)}")
        if option.metavar is None:
            if separator:
                raise UsageError(f"{name} takes no value")
            values[option.key] = values.get(option.key, 0) + 1 if option.repeat else True
            continue
        if not separator:
            if not words:
                raise UsageError(f"{name} needs a value: {name} {option.metavar}")
            text = words.pop(0)
        value = _read(option, name, text)
        values[option.key] = [*values.get(option.key, []), value] if option.repeat else value
    return values, words


def _read(option: Option, name: str, text: str) -> Any:
    try:
        return option.read(text)
    except ValueError:
        raise UsageError(f"{name} {text}: not a {option.metavar}") from None


def _near(name: str, table: dict[str, Option]) -> str:
    import difflib

    near = difflib.get_close_matches(name, table, 1)
    return f"; did you mean {near[0]}?" if near else "; see --help"


def help_text(usage: str, options: Sequence[Option]) -> str:
    """Return the text of --help."""
    rows = [(", ".join(o.names) + (f" {o.metavar}" if o.metavar else ""), o.help) for o in options]
    width = max(len(left) for left, _ in rows)
    return usage + "\n\n" + "\n".join(f"  {left:{width}}  {right}" for left, right in rows) + "\n"
