"""The screen without a terminal: as text, and as a picture for documents. The same guest at the same stop gives the same bytes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError

if TYPE_CHECKING:
    from xemu.tui.app import Debug

SIZE = (160, 48)
PATIENCE = 60.0          # seconds of real time that one key's motion may take
LOOKS = 40               # how often it is looked whether panes still change
KEY_NAMES = {" ": "space", "?": "question_mark", ".": "full_stop", ":": "colon", "/": "slash", "[": "left_square_bracket",
             "]": "right_square_bracket", "{": "left_curly_bracket", "}": "right_curly_bracket", "!": "exclamation_mark",
             "*": "asterisk", ">": "greater_than_sign", "<": "less_than_sign", "+": "plus", "-": "minus", "=": "equals_sign",
             "_": "underscore", "(": "left_parenthesis", ")": "right_parenthesis", "$": "dollar_sign", "&": "ampersand"}


class Picture(NamedTuple):
    """A screen. `note`: what is to be said about it, such as that the guest still ran. `missed`: it is not that of the place wanted."""

    text: str
    svg: str
    note: str = ""
    missed: str = ""


def screen_text(app: Debug) -> str:
    """Return what is seen."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001  Textual has no other way to the text
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def key_presses(words: str) -> list[str]:
    """Return the keys that words name: "n n 5 ctrl+o enter"; @log shows a pane, text in quotes is typed: `w 'x[1]' enter`.

    UsageError where quotes do not match.
    """
    import shlex

    from xemu.errors import UsageError

    try:
        typed = shlex.shlex(words, posix=False, punctuation_chars=False)
        typed.whitespace_split, typed.commenters = True, ""
        parts = list(typed)
    except ValueError as error:
        raise UsageError(f"--keys {words}: {error}") from None
    keys: list[str] = []
    for part in parts:
        if len(part) > 1 and part[0] == part[-1] and part[0] in "'\"":
            keys += [KEY_NAMES.get(letter, letter) for letter in part[1:-1]]
        elif part.startswith("@"):
            keys.append(part)
        else:
            held, plus, key = part.rpartition("+")   # ctrl+]
            keys.append(f"{held}{plus}{KEY_NAMES.get(key, key)}" if held else KEY_NAMES.get(part, part))
    return keys


def normalised(svg: str) -> str:
    """Return a picture without what differs from one writing to the next, and without fonts from the network."""
    svg = re.sub(r"terminal-\d+", "xemu", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("font-family: Fira Code, monospace", "font-family: monospace")


def take(app: Debug, *, size: tuple[int, int] = SIZE, keys: str = "") -> Picture:
    """Open the screen on its target without a terminal, press keys, each when all before is done, and look at it; XemuError."""
    return asyncio.run(_take(app, size, key_presses(keys)))


async def _take(app: Debug, size: tuple[int, int], keys: list[str]) -> Picture:
    async with app.run_test(size=size) as pilot:
        app.prompt.cursor_blink = False
        note = await _settle(app, pilot)
        if app.life.errors:
            raise XemuError(app.life.errors[0])
        if app.ended:
            raise XemuError(app.ended)
        missed = _missed(app)
        for key in keys if not missed else ():
            if key.startswith("@"):
                app.desk.show(_pane(app, key[1:]))
            else:
                await pilot.press(key)
            note = await _settle(app, pilot) or note
        return Picture(screen_text(app) + "\n", normalised(app.export_screenshot(title=_title(app))), note, missed)


def _missed(app: Debug) -> str:
    """Say that no place was reached that the command line wants, and what to do about it; "" where one was, or none is wanted."""
    opening, stop = app.life.opening, app.stop
    places = opening.breaks if opening.at is None else (f"{opening.at:,}" if isinstance(opening.at, int) else opening.at,)
    if not places or stop is None or stop.kind in ("breakpoint", "reached"):
        return ""
    advice = {"idle": "; nothing comes from outside here: --keys types, or open it in a terminal",
              "pause": "; --limit lets it run further"}.get(stop.kind, "")
    return f"{' or '.join(places)} was never reached ({stop.text}, instruction {stop.insns:,}){advice}"


def _pane(app: Debug, name: str) -> str:
    """Return a pane's name; UsageError names the near miss."""
    import difflib

    from xemu.errors import UsageError

    if name not in app.desk.panes:
        near = difflib.get_close_matches(name, app.desk.panes, 1)
        raise UsageError(f"no pane '{name}'" + (f"; did you mean '{near[0]}'?" if near else f": {', '.join(app.desk.panes)}"))
    return name


def _title(app: Debug) -> str:
    return f"xemu debug {app.hello.name}" if app.hello is not None else "xemu debug"


async def _settle(app: Debug, pilot: Any) -> str:
    """Wait until the guest stands still and all panes show it; one that does not stop is stopped, and the note says so."""
    loop, note = asyncio.get_running_loop(), ""
    deadline = loop.time() + PATIENCE
    while not _still(app):
        if loop.time() > deadline:
            if note:
                raise XemuError("the guest cannot be stopped")
            note, deadline = f"the guest still ran after {PATIENCE:.0f} s and was stopped there", loop.time() + PATIENCE
            app.client.pause()
        await asyncio.sleep(0.005)
    text = ""
    for _ in range(LOOKS):                           # panes may ask for more when they see what came
        if app.client.connection is not None:
            await app.client.do("keeping.points")    # answered when all before it is
        await pilot.pause()
        await asyncio.sleep(0.02)                    # a program's terminal has no such order
        before, text = text, screen_text(app)
        if text == before:
            break
    return note


def _still(app: Debug) -> bool:
    if app.ended is not None:
        if app.hello is None:
            raise XemuError(app.ended or "the guest's process has ended")
        return True
    return app.life.opened and not app.client.busy and app.stop is not None and app.moving is None
