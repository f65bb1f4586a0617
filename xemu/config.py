"""Settings: what is taken where the command line says nothing, from files of a project and of its user.

A project's file is `xemu.toml`, or the table [tool.xemu] of `pyproject.toml`, found from the current directory upwards; the user's is
`$XDG_CONFIG_HOME/xemu/config.toml`. They hold values only. A value that names code to run (a script, a board in a file) counts in a
project's file once its user has said `xemu trust`: whoever looks into a directory has not agreed to run what is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.cli.options import Option, one_of
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROJECT, PYPROJECT = "xemu.toml", "pyproject.toml"

#: options that may stand in a file, each described once; commands take them by name
SETTINGS = (
    Option("-L --sysroot", "DIRECTORY", "root of a program's libraries and programs", environment="XEMU_SYSROOT QEMU_LD_PREFIX",
           setting="path"),
    Option("-M --machine", "NAME|FILE.py", "the board of firmware; guessed from the image if left out", environment="XEMU_MACHINE",
           setting="code"),
    Option("--svd", "FILE", "name registers that are not modelled, and read their reset values", environment="XEMU_SVD", setting="path"),
    Option("--gdb-path", "PROGRAM", "which GDB; else gdb-multiarch …", environment="XEMU_GDB", setting="code"),
    Option("--source-map", "OLD=NEW", "where sources are that were compiled elsewhere", environment="XEMU_SOURCE_MAP", repeat=True,
           setting="value"),
    Option("--theme", "dark|light|ansi", "colours; ansi: the terminal's own sixteen", read=one_of("dark", "light", "ansi"),
           environment="XEMU_THEME", setting="value"),
    Option("--ascii", None, "no characters beyond ASCII", environment="XEMU_ASCII", setting="value"),
    Option("--layout", "code|machine|data", "how the panes lie", read=one_of("code", "machine", "data"), environment="XEMU_LAYOUT",
           setting="value"),
    Option("--watch", None, "load the program again whenever it was built anew", environment="XEMU_WATCH", setting="value"),
    Option("-x --script", "FILE.py", "Python to run first, with the debugger as d", environment="XEMU_SCRIPT", setting="code"),
    Option("--pane", "FILE.py", "a pane of your own; see docs/adding-a-pane.md", repeat=True, environment="XEMU_PANE",
           setting="code"),
)
KEYMAP = "keymap"        # the table of keys in a file: {action: key}


def settings(names: str) -> tuple[Option, ...]:
    """Return the rows of some settings."""
    by_name = {row.name: row for row in SETTINGS}
    return tuple(by_name[name] for name in names.split())


# -- places --------------------------------------------------------------------------------------------------------------
def config_home() -> str:
    """Return the directory of the user's configuration."""
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "xemu")


def state_home() -> str:
    """Return the directory of what is remembered between runs."""
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "xemu")


def write_atomically(path: str, text: str) -> None:
    """Write a file that others see whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


# -- files ---------------------------------------------------------------------------------------------------------------
class File(NamedTuple):
    """A configuration file that was read. `project`: it is not the user's own."""

    path: str
    values: dict[str, Any]
    project: bool

    def code(self) -> dict[str, list[str]]:
        """Return its settings that name code: {setting: what is run}."""
        named = {row.name: texts(self.values.get(row.name, [])) for row in SETTINGS if row.setting == "code"}
        return {name: [self.absolute(text) for text in values] for name, values in named.items()
                if any(is_code(name, text) for text in values)}

    def absolute(self, path: str) -> str:
        """Return a path that a file names: it is relative to the file."""
        return os.path.join(os.path.dirname(self.path), os.path.expanduser(path))


def texts(value: Any) -> list[str]:
    """Return the texts of a setting that has one or several."""
    return value if isinstance(value, list) else [value]


def is_code(name: str, value: str) -> bool:
    """Whether a setting of kind "code" names code: boards have names, too, and so have programs on the PATH."""
    return name in ("script", "pane") or value.endswith(".py") or os.sep in value


def project_file(start: str | None = None) -> File | None:
    """Return the project's file, looked for from a directory upwards; UsageError where it makes no sense."""
    directory = os.path.abspath(start or os.getcwd())
    while True:
        for name in (PROJECT, PYPROJECT):
            path = os.path.join(directory, name)
            found = _read(path, project=True) if os.path.isfile(path) else None
            if found is not None:
                return found
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def user_file() -> File | None:
    """Return the user's file."""
    path = os.path.join(config_home(), "config.toml")
    return _read(path, project=False) if os.path.isfile(path) else None


def files() -> Iterator[File]:
    """Yield the files that count, the more important one last."""
    for found in (user_file(), project_file()):
        if found is not None:
            yield found


def _read(path: str, *, project: bool) -> File | None:
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    inside = path.endswith(PYPROJECT)
    if inside and b"tool.xemu" not in data:
        return None                                  # without a parser: every command in a Python project comes here
    import tomllib

    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    if inside:
        values = values.get("tool", {}).get("xemu")
        if values is None:
            return None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: tool.xemu is no table")
    _check(path, values)
    return File(path, values, project)


def _check(path: str, values: dict[str, Any]) -> None:
    """Refuse what no setting is called, and values of the wrong kind."""
    rows = {row.name: row for row in SETTINGS}
    for name, value in values.items():
        if name == KEYMAP:
            if not isinstance(value, dict):
                raise UsageError(f'{path}: {KEYMAP} is a table: {{action = "key"}}')
            continue
        if name not in rows:
            import difflib

            near = difflib.get_close_matches(name.replace("_", "-"), [*rows, KEYMAP], 1)
            raise UsageError(f"{path}: no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else "; see docs/configuration.md"))
        _value(path, rows[name], value)


def _value(path: str, row: Option, value: Any) -> Any:
    """Return a setting's value as the option reads it."""
    wanted = "true or false" if row.metavar is None else f"a list of texts {row.metavar}" if row.repeat else f"a text {row.metavar}"
    given = value if row.repeat and isinstance(value, list) else [value]
    if not all(isinstance(text, bool if row.metavar is None else str) for text in given):
        raise UsageError(f"{path}: {row.name} = {value!r}: it is {wanted}")
    try:
        read = [text if row.metavar is None else row.read(text) for text in given]
    except ValueError:
        raise UsageError(f"{path}: {row.name} = {value!r}: it is {wanted}") from None
    return read if row.repeat else read[0]


# -- what they say -------------------------------------------------------------------------------------------------------
def defaults(options: Sequence[Option]) -> dict[str, Any]:
    """Return {key: value} for the options that are settings. An error in the place of a value: it must not be used."""
    values: dict[str, Any] = {}
    rows = {row.name: row for row in options if row.setting}
    for file in files():
        code = file.code()
        for name, given in file.values.items():
            if name not in rows:
                continue
            row = rows[name]
            value = _value(file.path, row, given)
            if row.setting == "path" or name in code:
                value = [file.absolute(text) for text in value] if row.repeat else file.absolute(value)
            if file.project and name in code and not is_trusted(file.path):
                value = UsageError(f'{file.path} names code to run ({name} = "{", ".join(texts(given))}"); `xemu trust` allows it, '
                                   "once you have read it")
            values[row.key] = value
    return values


def keymap() -> dict[str, str]:
    """Return the keys that files give to actions: {action: key}. Whether there are such actions is for the screen to say."""
    found: dict[str, str] = {}
    for file in files():
        found |= dict(_flat(file.path, file.values.get(KEYMAP, {}), ""))
    return found


def _flat(path: str, table: dict[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):                  # move.cont = "r", without quotes
            yield from _flat(path, value, f"{before}{name}.")
        elif isinstance(value, str):
            yield before + name, value
        else:
            raise UsageError(f"{path}: {KEYMAP}: {before}{name} = {value!r}: a key is a text")


# -- trust ---------------------------------------------------------------------------------------------------------------
def _trusted_path() -> str:
    return os.path.join(state_home(), "trusted.json")


def _trusted() -> dict[str, str]:
    import json

    try:
        with open(_trusted_path(), encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(path: str) -> str:
    import hashlib

    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_trusted(path: str) -> bool:
    """Whether the user has said that code which a file names may run, about the file as it is now."""
    return _trusted().get(path) == _digest(path)


def trust(path: str, *, on: bool = True) -> None:
    """Allow what a file names to be run, or no longer."""
    import json

    found = _trusted()
    found.pop(path, None)
    if on:
        found[path] = _digest(path)
    write_atomically(_trusted_path(), json.dumps(found, indent=1, sort_keys=True) + "\n")


__all__ = ["SETTINGS", "File", "config_home", "defaults", "is_trusted", "keymap", "project_file", "settings", "state_home", "trust"]
