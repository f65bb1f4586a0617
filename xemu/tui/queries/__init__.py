"""What panes show, asked in the guest's process: functions of the debugger that return plain data and move nothing.

A query has no effect on the guest. It is asked after every stop, and while the guest runs some times a second if it is `live`.
A module here is imported when the first of its queries is asked for: the name is "module.function".
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, TypeVar

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from xemu.debug.debugger import Debugger

    Query = Callable[..., Any]

F = TypeVar("F", bound="Callable[..., Any]")
_QUERIES: dict[str, tuple[Query, bool]] = {}


def query(*, live: bool = False) -> Callable[[F], F]:
    """Declare a query; `live`: it is cheap and asked while the guest runs, too."""
    def declare(function: F) -> F:
        _QUERIES[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function, live
        return function

    return declare


def find(name: str) -> tuple[Query, bool]:
    """Return a query and whether it is live; XemuError."""
    if name not in _QUERIES:
        try:
            import_module(f"{__name__}.{name.partition('.')[0]}")
        except ModuleNotFoundError as error:
            raise XemuError(f"no query {name}: {error}") from None
    if name not in _QUERIES:
        raise XemuError(f"no query {name}")
    return _QUERIES[name]


def load(path: str) -> ModuleType:
    """Import a user's file with queries and panes; XemuError."""
    spec = spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise XemuError(f"{path}: not a Python file")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  the user's code may raise anything
        lines = [entry.lineno for entry in extract_tb(error.__traceback__) if entry.filename == path]
        where = f"{path}:{lines[-1]}" if lines else path
        raise XemuError(f"{where}: {type(error).__name__}: {error}") from None
    return module


def ask(debugger: Debugger, name: str, arguments: dict[str, Any]) -> Any:
    """Return a query's data."""
    return find(name)[0](debugger, **arguments)
