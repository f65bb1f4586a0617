"""Words for the screen, and Python."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError, XemuError
from xemu.tui.commands import CHANGE, SCREEN, Context, command, commands, find, first_words

if TYPE_CHECKING:
    from xemu.debug.stops import Stop


@command("echo", "TEXT", SCREEN)
def echo(c: Context, rest: str) -> None:
    """Print a text; {EXPRESSION}s in it are replaced by their values."""
    c.say(c.d.source.formatted(rest.replace("\\n", "\n")))


@command("help", "[COMMAND]", SCREEN, completes="command", aliases="h")
def help_(c: Context, rest: str) -> None:
    """List the commands, or say more about one."""
    if not rest:
        chosen = list(commands().values())
    elif rest in (families := first_words()) and len(families[rest]) > 1:
        chosen = families[rest]
    else:
        chosen = [find(rest)[0]]
    width = min(max(len(row.usage) for row in chosen), 36)
    for row in chosen:
        c.say(f"{row.usage:<{width}}  {row.help}" + (f" ({row.aliases.replace(' ', ', ')})" if row.aliases else ""))


@command("show", "PANE", SCREEN, completes="pane")
def show(c: Context, rest: str) -> None:
    """Show a pane and give it the keys."""
    c.act("show", rest)


@command("layout", "[NAME]", SCREEN, completes="layout")
def layout(c: Context, rest: str) -> None:
    """Show another layout, or the next."""
    c.act("layout", rest)


@command("goto", "ADDRESS", SCREEN, completes="place")
def goto(c: Context, rest: str) -> None:
    """Show a place in the code pane."""
    from xemu.tui.words.look import address_of

    c.act("goto", "code", address_of(c, rest))


@command("quit", "", SCREEN, aliases="q exit")
def quit_(c: Context, _rest: str) -> None:
    """Leave xemu."""
    c.act("press", "quit")


# -- Python --------------------------------------------------------------------------------------------------------------
def namespace(c: Context) -> dict[str, Any]:
    """Return the names that Python has: those that were made stay."""
    names: dict[str, Any] = c.kept.setdefault("python", {"__name__": "__console__"})
    names["d"] = c.d
    return names


@command("py", "CODE", CHANGE, motion=True, completes="python", aliases="python pi !")
def python(c: Context, rest: str) -> Stop:
    """Run Python with the debugger as d: what it prints and the value of an expression are shown; motions are as by keys."""
    import contextlib
    import io

    if not rest:
        raise UsageError('py what? The debugger is d: py d.read_register("pc")')
    printed = io.StringIO()
    c.quiet = True
    shown, sys.displayhook = sys.displayhook, display
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = compile(rest + "\n", "<py>", "single")
            exec(code, namespace(c))
    except XemuError as error:
        c.error = str(error)
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the user's
        c.error = complaint(error)
    finally:
        sys.displayhook = shown
    if printed.getvalue():
        c.say(printed.getvalue().rstrip("\n"))
    return c.d.stop


def display(value: object) -> None:
    """Show the value of an expression; of a stop, what it says."""
    from xemu.debug.stops import Stop

    if value is not None:
        print(value.text if isinstance(value, Stop) else repr(value))


def complaint(error: BaseException) -> str:
    """Return an exception as one block: what the user has written of the way to it, and what it is."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    shown = [frame for frame in frames if frame.filename == "<py>"] + [frame for frame in frames if frame.filename != "<py>"][-1:]
    lines = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}, in {frame.name}" + (f": {frame.line}" if frame.line else "")
             for frame in shown]
    return "\n".join([*lines, *(text.rstrip() for text in traceback.format_exception_only(error))])
