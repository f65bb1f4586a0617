"""`xemu debug`: the screen, in a terminal, in a browser, as text or as a picture."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, count, help_text, parse
from xemu.cli.targets import OPTIONS as TARGET
from xemu.config import keymap, settings
from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from xemu.tui.app import Debug
    from xemu.tui.reload import Opening

LIMIT = 500_000_000      # beats that a picture's guest runs on without a stop
USAGE = """usage: xemu debug [OPTIONS] TARGET [ARGUMENTS]

TARGET is a program of another architecture, firmware, a recording or a snapshot; without one the samples are listed. ? shows the
keys. --text and --picture need no terminal."""


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,3})x(\d{1,3})", text)
    if found is None or int(found[1]) < 20 or int(found[2]) < 5:
        raise ValueError(text)
    return int(found[1]), int(found[2])


def place_in_time(text: str) -> int | str:
    """Read insn:N, time:T, or a place as `seek` takes it: a time, start, end, a checkpoint."""
    kind, colon, rest = text.partition(":")
    if kind == "insn" and colon:
        return int(rest.replace(",", "").replace("_", ""), 0)
    if kind == "time" and colon:
        return rest
    if colon or not text:
        raise ValueError(text)
    return int(text.replace(",", "")) if text.replace(",", "").isdecimal() else text


def is_port(word: str) -> bool:
    """Whether a word is [HOST:]PORT."""
    return word.rpartition(":")[2].isdecimal()


OPTIONS = (
    *TARGET,
    *settings("svd source-map"),
    Option("--break", "PLACE", "stop there first: a function, FILE:LINE, *ADDRESS; may be repeated", repeat=True),
    Option("--at", "insn:N|time:T", "go there first: to an instruction, or a time like 12.5ms", read=place_in_time),
    Option("--gdb", "[HOST:]PORT", "let GDB come there, too: both see the same guest, one at a time moves it"),
    *settings("gdb-path"),
    Option("--no-gdb", None, "no hidden GDB for what xemu's own reader of debug information cannot evaluate"),
    *settings("script pane watch theme ascii layout"),
    Option("--text", None, "print the screen as text, and end"),
    Option("--picture", "FILE.svg", "write the screen as a picture, and end"),
    Option("--size", "COLUMNSxROWS", "how large --text and --picture are (160x48)", read=_size),
    Option("--limit", "COUNT", "how far --text and --picture let the guest run on, in instructions and skipped ones (500,000,000)",
           read=count(1)),
    Option("--keys", "KEYS", "press these first: \"n n 5 ctrl+o\"; @NAME shows a pane, text to type stands in '…'"),
    Option("--serve", "[[HOST:]PORT]", "show the screen in a browser (localhost:8000)", bare="8000", takes=is_port),
    Option("-h --help", None, "show this"),
)


def make_app(values: dict[str, Any], words: list[str], *, keep: bool, opening: Opening | None = None, hint: str = "",
             gdb: str | None = None) -> Debug:
    """Return the screen as the command line has it; `gdb`: as of `Debug`."""
    from xemu.tui.app import Debug
    from xemu.tui.keys import KEYS, PANE_KEYS, check_keymap
    from xemu.tui.messages import Target
    from xemu.tui.panes import make_panes
    from xemu.tui.reload import Opening

    keys = keymap()
    if keys:
        check_keymap(keys, [*KEYS, *PANE_KEYS, *(key for pane in make_panes() for key in pane.keys)])
    target = Target(tuple(words), values.get("machine"), values.get("sysroot"), tuple(values.get("env") or ()), values.get("svd"),
                    tuple(values.get("source_map") or ()), gdb=values.get("gdb"), script=values.get("script"),
                    panes=tuple(values.get("pane") or ()), base=values.get("base"), limit=values.get("limit"))
    if opening is None:
        opening = Opening(tuple(values.get("break") or ()), at=values.get("at"), watch=bool(values.get("watch")))
    return Debug(target, theme=values.get("theme") or "dark", ascii_only=bool(values.get("ascii")), layout=values.get("layout"),
                 opening=opening, keymap=keys, keep=keep, hint=hint, gdb=gdb)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, words = parse(OPTIONS, arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if not words:
        from xemu.cli.demo import list_samples

        sys.stdout.write(list_samples())
        return 0
    if values.get("serve"):
        return serve(values["serve"], [*without_serve(arguments[:len(arguments) - len(words)]), *words])
    return show(values, words)


def show(values: dict[str, Any], words: list[str], *, opening: Opening | None = None, hint: str = "") -> int:
    """Open the screen, or render it where the command line says so; returns the exit code."""
    if values.get("text") or values.get("picture"):
        values.setdefault("limit", LIMIT)
        return render(make_app(values, words, keep=False, opening=opening, hint=hint), values)
    if values.get("keys") or values.get("size") or values.get("limit"):
        raise UsageError("--keys, --size and --limit are for --text and --picture")
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:      # textual-serve names its own
        raise UsageError("standard input and output are no terminal; --text prints the screen, --picture FILE.svg draws it")
    gdb = None if values.get("no_gdb") else values.get("gdb_path") or ""
    return make_app(values, words, keep=opening is None, opening=opening, hint=hint, gdb=gdb).run() or 0


def render(app: Debug, values: dict[str, Any]) -> int:
    """Print or write the screen as it is without a terminal."""
    from xemu.tui.picture import SIZE, take

    picture = take(app, size=values.get("size") or SIZE, keys=values.get("keys") or "")
    if picture.note:
        sys.stderr.write(f"xemu: {picture.note}\n")
    if values.get("picture"):
        try:
            with open(values["picture"], "w", encoding="utf-8") as stream:
                stream.write(picture.svg)
        except OSError as error:
            raise XemuError(f"{values['picture']}: {error.strerror}") from None
    if values.get("text"):
        sys.stdout.write(picture.text)
    if picture.missed:
        raise XemuError(picture.missed)
    return 0


def without_serve(options: list[str]) -> list[str]:
    """Return the options but --serve and its place."""
    left: list[str] = []
    for before, word in zip(["", *options], options, strict=False):
        if not word.startswith("--serve") and not (before == "--serve" and is_port(word)):
            left.append(word)
    return left


def serve(place: str, words: list[str]) -> int:
    """Show the screen to browsers: each connection gets a guest of its own."""
    import shlex

    try:
        from textual_serve.server import Server
    except ImportError:
        raise XemuError("--serve needs textual-serve: pip install 'xemu[serve]', or pip install textual-serve") from None
    host, _, port = place.rpartition(":")
    command = shlex.join([sys.executable, "-m", "xemu", "debug", *words])
    Server(command, host=host or "localhost", port=int(port), title=f"xemu debug {os.path.basename(words[-1])}").serve()
    return 0
