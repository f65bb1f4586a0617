"""Command-line options as rows: one row gives parsing, the help text, the environment variable and the configuration file's key.

Options may stand before the program only; everything after it belongs to the program.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Main = Callable[[list[str]], int]
    Body = Callable[[dict[str, Any], list[str]], int]


class Option:
    """One option: names, what its value is called (None: a switch), how to read it, help."""

    __slots__ = ("bare", "environment", "help", "key", "metavar", "names", "read", "repeat", "setting", "takes")

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
        bare: str = "",
        takes: Callable[[str], bool] | None = None,
        setting: str = "",
    ) -> None:
        """`names`: "-L --sysroot"; `key`: where the value goes (from the long name if left out).

        `bare`: the value where none is given; then the next word is taken for one only if `takes` says so.
        `setting`: what it is in a configuration file (see `xemu.config`): value, path, code; "": it cannot stand there.
        """
        self.names = names.split()
        self.metavar = metavar
        self.help = help_
        self.key = key or self.names[-1].lstrip("-").replace("-", "_")
        self.read = read
        self.repeat = repeat
        self.environment = environment
        self.bare = bare
        self.takes = takes
        self.setting = setting

    @property
    def name(self) -> str:
        """The long name without dashes: the key in a configuration file."""
        return self.names[-1].lstrip("-")

    def from_environment(self) -> Any:
        """Return what the environment says; None: nothing."""
        text = next((os.environ[name] for name in self.environment.split() if os.environ.get(name)), None)
        if text is None:
            return None
        if self.metavar is None:
            return text.lower() not in ("0", "no", "off", "false")
        if self.repeat:
            return [_read(self, self.environment, part) for part in text.split(os.pathsep)]
        return _read(self, self.environment, text)


def number(text: str) -> int:
    """Read a number: 1000, 0x3e8, 1_000, 1,000."""
    return int(text.replace("_", "").replace(",", ""), 0)


def count(least: int = 0) -> Callable[[str], int]:
    """Return what reads a number of at least so much."""
    def read(text: str) -> int:
        value = number(text)
        if value < least:
            raise ValueError(text)
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return what reads one of some words."""
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return read


def parse(options: Sequence[Option], arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return ({key: value}, the words from the first that is no option); UsageError.

    The command line comes before the environment, and that before configuration files.
    """
    before = _defaults(options)
    values, words = _parse(options, arguments)
    values = before | values
    refused = next((value for value in values.values() if isinstance(value, UsageError)), None)
    if refused is not None and not values.get("help"):
        raise refused
    return values, words


def _defaults(options: Sequence[Option]) -> dict[str, Any]:
    """Return what configuration files and the environment say."""
    values: dict[str, Any] = {}
    if any(row.setting for row in options):
        from xemu.config import defaults

        values = defaults(options)
    for row in options:
        value = row.from_environment()
        if value is not None:
            values[row.key] = value
    return values


def _parse(options: Sequence[Option], arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
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
        if not separator and option.bare:
            text = words.pop(0) if words and option.takes is not None and option.takes(words[0]) else option.bare
        elif not separator:
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
        raise UsageError(f"{name} {text}: not {'an' if (option.metavar or '').lower()[:1] in 'aeio' else 'a'} {option.metavar}") from None


def _near(name: str, table: dict[str, Option]) -> str:
    import difflib

    near = difflib.get_close_matches(name, table, 1)
    return f"; did you mean {near[0]}?" if near else "; see --help"


def help_text(usage: str, options: Sequence[Option]) -> str:
    """Return the text of --help."""
    rows = [(", ".join(o.names) + (f" {o.metavar}" if o.metavar else ""), o.help) for o in options]
    width = max(len(left) for left, _ in rows)
    return usage + "\n\n" + "\n".join(f"  {left:{width}}  {right}" for left, right in rows) + "\n"


def command(usage: str, options: Sequence[Option], wrong: str, *, least: int = 1, most: int | None = None) -> Callable[[Body], Main]:
    """Make the `main` of a command of what it does with (values, words); the help and the number of words are dealt with here.

    `wrong`: what to say where there are fewer words than `least` or more than `most`.
    """
    def wrap(body: Body) -> Main:
        def main(arguments: list[str]) -> int:
            values, words = parse(options, arguments)
            if values.get("help"):
                sys.stdout.write(help_text(usage, options))
                return 0
            if len(words) < least or (most is not None and len(words) > most):
                raise UsageError(f"{wrong}; " + usage.partition("\n")[0])
            return body(values, words)

        main.__doc__ = body.__doc__
        return main

    return wrap


def is_place(word: str) -> bool:
    """Whether a word is where a debugger may connect (PORT, HOST:PORT, unix:PATH), not a file's name."""
    _, colon, port = word.rpartition(":")
    return word.startswith("unix:") or (port.isdecimal() and (bool(colon) or len(port) == len(word)))


#: common to the commands that run a guest
GDB = Option("-g --gdb", "[PLACE]", "wait for GDB at PORT, HOST:PORT or unix:PATH (1234)", bare="1234", takes=is_place)
