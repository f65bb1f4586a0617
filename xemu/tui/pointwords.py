"""Points as they are typed: "main.c:88 if n > 2 ignore 9 log tick {n}", "watch s->len", "catch irq 15"."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from xemu.errors import UsageError

#: what belongs to a point besides its place; the last one takes the rest of the line
SYNTAX = "if CONDITION  ignore N  thread N  once  log TEXT"
_NEXT = re.compile(r"(?<!\S)(?:(if)(?=\s)|(ignore|thread)\s+(?=\d+(?:\s|$))|(once)(?=\s+(?:if|ignore|thread|once|log)\b|\s*$)|(log)(?=\s))")
ACCESSES = {"watch": "w", "rwatch": "r", "awatch": "a"}


class Options(NamedTuple):
    """What belongs to a point besides its place."""

    condition: str = ""
    ignore: int = 0
    thread: int | None = None
    once: bool = False
    log: str = ""


def parse_options(text: str) -> Options:
    """Read options; UsageError."""
    found, rest = split(text)
    if rest:
        raise UsageError(f"{rest}: it is {SYNTAX}")
    return found


def split(text: str) -> tuple[Options, str]:
    """Return the options in a text, and what stands in front of them."""
    first = _NEXT.search(text)
    if first is None:
        return Options(), text.strip()
    place, rest = text[:first.start()].strip(), text[first.start():]
    values: dict[str, Any] = {}
    while rest:
        match = _NEXT.match(rest)
        if match is None:
            raise UsageError(f"{rest}: it is {SYNTAX}")
        word = match[match.lastindex or 0]
        after = rest[match.end():].lstrip()
        if word in values or (word == "if" and "condition" in values):
            raise UsageError(f"{word} twice")
        if word == "log":
            values["log"], rest = after, ""
        elif word == "once":
            values["once"], rest = True, after
        elif word == "if":
            end = _NEXT.search(after, 1)               # the first word is the condition's
            values["condition"], rest = (after[:end.start()].strip(), after[end.start():]) if end else (after.strip(), "")
            if not values["condition"]:
                raise UsageError("if without a condition")
        else:
            number, _, rest = after.partition(" ")
            values[word], rest = int(number), rest.lstrip()
    return Options(**values), place


def options_text(options: Options) -> str:
    """Return options as they are typed."""
    words = [f"if {options.condition}" if options.condition else "", f"ignore {options.ignore}" if options.ignore else "",
             f"thread {options.thread}" if options.thread is not None else "", "once" if options.once else "",
             f"log {options.log}" if options.log else ""]
    return " ".join(filter(None, words))


def parse_point(text: str) -> tuple[str, dict[str, Any]]:
    """Return the action that sets a point, and its arguments; UsageError."""
    options, place = split(text)
    more = {name: value for name, value in options._asdict().items() if value not in ("", 0, None, False)}
    word, _, rest = place.partition(" ")
    if word == "catch":
        kind, _, detail = rest.strip().partition(" ")
        if not kind:
            raise UsageError("catch what? syscall, signal, exception, irq, device, fork, exec or thread")
        return "catch", {"kind": kind, "words": detail.strip(), **more}
    if word in ACCESSES:
        if not rest:
            raise UsageError(f"{word} what?")
        return "watch", {"where": rest.strip(), "access": ACCESSES[word], **more}
    where = (rest if word in ("break", "b") else place).strip()
    if not where:
        raise UsageError("where? FUNCTION, FILE:LINE or *ADDRESS")
    return "break_at", {"where": where, **more}
