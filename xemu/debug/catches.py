"""What a catchpoint is narrowed to, in words: "read write", "SIGINT", "HardFault", "15", "uart0.DATA"."""

from __future__ import annotations

import difflib
import signal
from typing import TYPE_CHECKING, Any

from xemu.debug.points import CATCHES
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


def detail_of(d: Debugger, kind: str, words: str) -> Any:
    """Return the `detail` of `Debugger.catch` that words mean; None without words. UsageError."""
    if kind not in CATCHES or not words.split():
        return None
    if kind == "device":
        return words.strip()
    names = _names(d, kind)
    return frozenset(_number(word, kind, names) for word in words.replace(",", " ").split())


def words_of(d: Debugger, kind: str, detail: Any) -> str:
    """Return a `detail` in words."""
    if detail is None or isinstance(detail, str):
        return detail or ""
    names = {number: name for name, number in _names(d, kind).items()}
    return " ".join(names.get(number, str(number)) for number in sorted(detail))


def _names(d: Debugger, kind: str) -> dict[str, int]:
    if kind == "signal":
        return {s.name: s.value for s in signal.Signals}
    if kind == "syscall":
        abi = getattr(getattr(d.system, "process", None), "abi", None)
        return dict(getattr(abi, "numbers", {}))
    if kind == "exception":
        from xemu.hw.cortex_m.describe import NAMES

        return {name: number for number, name in NAMES.items()}
    return {}


def _number(word: str, kind: str, names: dict[str, int]) -> int:
    if word.isdecimal():
        return int(word)
    for name in (word, f"SIG{word}"):
        if name in names:
            return names[name]
    near = difflib.get_close_matches(word, names, 1)
    raise UsageError(f"{kind} {word}: there is none" + (f"; did you mean {near[0]}?" if near else "; it is a number"))
