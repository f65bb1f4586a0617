"""`xemu gdbserver`: serve a guest to GDB, with gdbserver's own command line."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, help_text, parse
from xemu.cli.targets import BASE
from xemu.config import settings
from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from xemu.gdbstub.server import Endpoint, Launch

USAGE = """usage: xemu gdbserver [OPTIONS] COMM PROG [ARGS ...]
       xemu gdbserver --multi [OPTIONS] COMM

COMM is HOST:PORT (without HOST: this machine only), unix:PATH, or - for standard input and output. PROG is a program of
another architecture, or firmware (with --machine where the image does not tell)."""

OPTIONS = (
    *settings("sysroot machine"),
    BASE,
    Option("--once", None, "serve one connection only"),
    Option("--multi", None, "without a program: GDB starts them (target extended-remote, run)"),
    Option("--stop-at-exit", None, "a program stops in front of its end, from where one can go back"),
    Option("--attach", None, "not possible: a running program's process is not emulated"),
    Option("--wrapper", "WORDS --", "env NAME=VALUE … sets variables; no other, the emulator starts programs itself"),
    Option("--disable-randomization", None, "fixed addresses (the default)"),
    Option("--no-disable-randomization", None, "random addresses", key="randomize"),
    Option("--startup-with-shell", None, "taken and ignored: there is no shell in between"),
    Option("--no-startup-with-shell", None, "the same"),
    Option("--debug", None, "print the packets"),
    Option("--remote-debug", None, "the same", key="debug"),
    Option("--version", None, "show the version"),
    Option("-h --help", None, "show this"),
)
REFUSED = {
    "attach": "--attach: only programs that xemu runs can be debugged; xemu gdbserver COMM PROG starts one",
}
WRAPPER = "--wrapper takes env NAME=VALUE … -- and nothing else: the emulator starts the program itself"


def read_options(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Parse the command line; gdbserver's options with values are taken with `=` too. UsageError."""
    words = [word for word in arguments if not word.startswith(("--debug=", "--debug-format=", "--debug-file=", "--disable-packet="))]
    words, variables = take_wrapper(words)
    values, rest = parse(OPTIONS, words)
    values["variables"] = variables
    for name, text in REFUSED.items():
        if name in values:
            raise UsageError(text)
    if values.get("help") or values.get("version"):
        return values, rest
    if not rest:
        raise UsageError("no COMM given; " + USAGE.partition("\n")[0])
    if len(rest) == 1 and not values.get("multi"):
        raise UsageError("no PROG given; with --multi GDB chooses it")
    return values, rest


def take_wrapper(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line without `--wrapper env NAME=VALUE … --`, and the variables; UsageError."""
    if "--wrapper" not in words:
        return words, {}
    start = words.index("--wrapper")
    if "--" not in words[start:]:
        raise UsageError("--wrapper: no -- behind its words")
    end = words.index("--", start)
    command, *variables = words[start + 1:end] or [""]
    if command != "env" or not all(word.partition("=")[0].isidentifier() and "=" in word for word in variables):
        raise UsageError(WRAPPER)
    return words[:start] + words[end + 1:], dict(word.split("=", 1) for word in variables)


def open_session(request: Launch, values: dict[str, Any]) -> Any:
    """Return a session on the program, firmware or recording that a request names."""
    from xemu.cli.targets import open_target
    from xemu.debug.session import Session

    variables = {**values["variables"], **request.environment}
    environment = [name if value is None else f"{name}={value}" for name, value in variables.items()]
    debugger = open_target([request.program, *request.arguments], {**values, "env": environment}, directory=request.directory,
                           randomize=request.randomize)
    return Session(debugger)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, words = read_options(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if values.get("version"):
        from xemu import __version__

        sys.stdout.write(f"GNU gdbserver's command line, served by xemu {__version__}\n")
        return 0
    from xemu.gdbstub.server import Launch, Server, parse_endpoint
    from xemu.gdbstub.stage import Stage

    endpoint = parse_endpoint(words[0])
    stdio = _take_stdio() if endpoint.kind == "stdio" else None
    stage = Stage(lambda request: open_session(request, values))
    server = Server(launch=stage.launch, once=bool(values.get("once")), multi=bool(values.get("multi")), sysroot=values.get("sysroot"),
                    log=_print if values.get("debug") else None, say=_print)
    server.stdio, server.stop_at_exit = stdio, bool(values.get("stop_at_exit"))
    if len(words) > 1:
        server.request = Launch(words[1], words[2:], randomize=bool(values.get("randomize")))
        try:
            server.adopt(stage.open(server.request))
        except XemuError as error:
            sys.stderr.write(f"{error}\nError creating process\n\nExiting\n")       # gdbserver's words, and its exit code
            return 1
        _print(f"Process {words[1]} created; pid = {server.process}")
    try:
        for place in server.listen(endpoint):
            _print(listening(place))
    except XemuError as error:
        taken = str(error).endswith(os.strerror(errno.EADDRINUSE))
        _print("Can't bind address: Address already in use.\nExiting" if taken else f"{error}\nExiting")
        return 1
    stage.run(server)
    return 0


def _take_stdio() -> tuple[int, int]:
    """Keep standard input and output for the protocol; the guest gets nothing to read, and writes to standard error."""
    taken = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return taken


def listening(place: Endpoint) -> str:
    """Return gdbserver's words about where it listens."""
    if place.kind == "tcp":
        return f"Listening on port {place.port}"
    return f"Listening on {place.host}" if place.kind == "unix" else "Remote debugging using stdio"


def _print(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
