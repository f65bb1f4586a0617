"""What panes show, asked in the guest's process: functions of the debugger that return plain data and move nothing.

A query has no effect on the guest. It is asked after every stop, and while the guest runs some times a second if it is `live`.
A module here is imported when the first of its queries is asked for: the name is "module.function".
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

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


def ask(debugger: Debugger, name: str, arguments: dict[str, Any]) -> Any:
    """Return a query's data."""
    return find(name)[0](debugger, **arguments)
