"""Expressions over registers and memory: conditions of points, in a form that can be evaluated here and compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadRegister = Callable[[str], int | None]
    ReadMemory = Callable[[int, int], bytes]


class Expression(Protocol):
    """What a condition must be able to do."""

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return its value; XemuError where that is impossible."""
        ...
