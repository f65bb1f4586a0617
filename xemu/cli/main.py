"""The `xemu` command: finds the subcommand and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `typing`, whose import would come before the interrupt handler is replaced
if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[list[str]], int]

# command -> (module, one line of help); a module has `main(arguments) -> exit code`
COMMANDS = {
    "boot": ("xemu.cli.boot", "run firmware on a board"),
    "completion": ("xemu.cli.completion", "print what completes xemu's words in a shell"),
    "debug": ("xemu.cli.debug", "debug a program or firmware on the screen"),
    "demo": ("xemu.cli.demo", "find a bug on the screen, in a sample"),
    "doctor": ("xemu.cli.doctor", "show what is installed, and what is missing for what"),
    "gdb": ("xemu.cli.gdb", "debug a program or firmware with GDB"),
    "gdbserver": ("xemu.cli.gdbserver", "serve a program or firmware to GDB, as gdbserver does"),
    "init": ("xemu.cli.init", "write an editor's files for debugging with xemu"),
    "list": ("xemu.cli.list", "show machines, devices and processors"),
    "replay": ("xemu.cli.replay", "repeat a recording and see that it is the same run"),
    "run": ("xemu.cli.run", "run a Linux program of another architecture"),
    "snap": ("xemu.cli.snap", "write and compare snapshots"),
    "trust": ("xemu.cli.trust", "allow the code that a project's configuration names"),
    "trace": ("xemu.cli.trace", "show what every instruction did"),
    "decode": ("xemu.cli.decode", "show how an instruction is decoded"),
}
INTERNAL_ERROR = 125


def usage() -> str:
    """Return the text of `xemu --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in sorted(COMMANDS.items())]
    return "usage: xemu COMMAND [OPTIONS]\n\n" + "\n".join(lines) + "\n\nxemu COMMAND --help says more.\n"


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        (sys.stdout if words else sys.stderr).write(usage())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from xemu import __version__

        sys.stdout.write(f"xemu {__version__}\n")
        return 0
    return _guarded(words[0], words[1:])


def _guarded(name: str, arguments: list[str]) -> int:
    from xemu.errors import XemuError

    try:
        return find_command(name)(arguments)
    except XemuError as error:
        sys.stderr.write(f"xemu: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 - the last resort: say where, with the code that means "xemu itself"
        import traceback

        traceback.print_exc()
        sys.stderr.write("xemu: internal error: this is a bug in xemu; please report the lines above\n")
        return INTERNAL_ERROR


def find_command(name: str) -> Command:
    """Return a command's main function; UsageError names the near miss."""
    from importlib import import_module

    from xemu.errors import UsageError

    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else "; see xemu --help"
        raise UsageError(f"no command '{name}'{hint}")
    command: Command = import_module(COMMANDS[name][0]).main
    return command


def entry() -> None:
    """Be the console script: no interpreter shutdown work, everything is flushed."""
    import _signal  # type: ignore[import-not-found]  # the C module: `signal` itself costs milliseconds

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # until the guest runs, Ctrl-C just ends the process
    _occupy_standard_descriptors()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _occupy_standard_descriptors() -> None:
    """Keep files of ours from becoming descriptor 0, 1 or 2 where the caller closed it; the guest sees it closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number; close-on-exec, so not inherited by the guest
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
