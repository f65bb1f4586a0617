"""`xemu boot`: run firmware on a board."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any

from xemu.cli.options import GDB, Option, help_text, number, parse
from xemu.cli.targets import BASE
from xemu.config import settings
from xemu.errors import UsageError, XemuError

USAGE = """usage: xemu boot [OPTIONS] IMAGE

IMAGE is an ELF file, Intel HEX, S-records, UF2, Mach-O, or a raw binary with --base. `xemu list machines` shows the boards.
On a terminal keys go to the guest, Ctrl-C too; Ctrl-A x ends xemu, Ctrl-A h helps."""


def placed(text: str) -> tuple[str, int | None]:
    """Read FILE or FILE@ADDRESS."""
    path, at, address = text.rpartition("@")
    if at and re.fullmatch(r"0[xX][0-9a-fA-F_]+|[0-9_]+", address) and not os.path.exists(text):
        return path, number(address)
    return text, None


def duration(text: str) -> float:
    """Read a time: "30s", "5ms", "2m", or seconds."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(us|ms|s|m|h|)", text)
    if found is None or not float(found[1]):
        raise ValueError(text)
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "": 1, "m": 60, "h": 3600}[found[2]]


def condition(text: str) -> bytes:
    """Read text:WORDS."""
    kind, _, words = text.partition(":")
    if kind != "text" or not words:
        raise ValueError(text)
    return os.fsencode(words)


def speed(text: str) -> float:
    """Read a factor, or "max" (0)."""
    factor = 0.0 if text == "max" else float(text)
    if text != "max" and not 1e-6 <= factor <= 1e6:
        raise ValueError(text)
    return factor


def assignment(text: str) -> tuple[str, str]:
    """Read PART.NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise ValueError(text)
    return name, value


def pin(text: str) -> tuple[str, int | None]:
    """Read PART.PIN=0, 1 or z (nobody drives it)."""
    name, value = assignment(text)
    if value not in ("0", "1", "z"):
        raise ValueError(text)
    return name, None if value == "z" else int(value)


def seconds(text: str) -> float:
    """Read a positive number."""
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError(text)
    return value


OPTIONS = (
    *settings("machine"),
    BASE,
    Option("--load", "FILE[@ADDRESS]", "load another image too (several: bootloader and application)", read=placed, repeat=True),
    Option("--symbols", "ELF[@OFFSET]", "take names from a file", read=placed, repeat=True),
    *settings("svd"),
    Option("--uart", "[N=]WHERE", "connect UART N (number or name): stdio, pty, tcp:[HOST:]PORT, a file, none; "
           "else the first one used goes to stdio", repeat=True),
    Option("--uart-timing", None, "sending takes the time of the bits, and a byte that comes too soon is an overrun"),
    GDB,
    Option("-s", None, "the same as --gdb 1234", key="gdb_here"),
    Option("-S", None, "with a debugger: wait for it before the first instruction", key="wait"),
    Option("--until", "text:WORDS", "end with 0 when a UART or the semihosting console has printed this, with 1 if that never happens",
           read=condition, repeat=True),
    Option("--fail-on", "text:WORDS", "end with 1 when this has been printed", read=condition, repeat=True),
    Option("--vtime", "TIME", "end after so much virtual time: 30s, 5ms", read=duration),
    Option("--timeout", "SECONDS", "end with 124 after so much real time", read=seconds),
    Option("--speed", "max|FACTOR", "virtual seconds in a second (1 where a UART is on a terminal, else max)", read=speed),
    Option("--fast", None, "the same as --speed max"),
    Option("--pin", "PART.PIN=0|1|z", "drive a pin from outside", read=pin, repeat=True),
    Option("--set", "PART.NAME=VALUE", "set what a sensor measures", read=assignment, repeat=True),
    Option("--flash", "FILE", "keep the contents of flash memory in a file"),
    Option("--semihosting", None, "allow the guest files under the current directory"),
    Option("--semihosting-args", "TEXT", "command line that the guest can ask for"),
    Option("--no-reboot", None, "end when the guest resets the machine"),
    Option("--strict", None, "stop at the first thing that is not modelled or that the guest does wrong"),
    Option("--seed", "NUMBER", "seed of the machine's random numbers (0)", read=number, environment="XEMU_SEED"),
    Option("--record", "FILE", "write a recording of the run: xemu replay repeats it anywhere"),
    Option("--with-symbols", None, "pack the images into the recording, with their symbols"),
    Option("--check-replay", None, "at the end go back, repeat the run and compare (exit code 1 where it differs)"),
    Option("--no-jit", None, "interpret only"),
    Option("--eager-jit", None, "compile everything at first sight"),
    Option("--stats", None, "print counts and times at the end"),
    Option("--trace-hash", None, "print a hash of the whole run at the end"),
    Option("-h --help", None, "show this"),
)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    began = time.monotonic()
    values, words = read_options(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    try:
        from xemu.cli.firmware import Run

        return Run(values, words[0] if words else None, began).main()
    except XemuError:
        raise
    except Exception as error:
        if os.environ.get("XEMU_TRACEBACK"):
            raise
        return internal_error(error)


def internal_error(error: Exception) -> int:
    """Say in one line where xemu or the code of a board file failed; the exit code that means "xemu itself"."""
    import traceback

    import xemu

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"
    ours = where.filename.startswith(tuple(xemu.__path__))
    text = f"internal error: {place}; this is a bug in xemu, please report it" if ours else place
    sys.stderr.write(f"xemu: {text} (XEMU_TRACEBACK=1 shows more)\n")
    return 125


def read_options(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Parse options in front of and behind the image; UsageError."""
    values, rest = parse(OPTIONS, arguments)
    words: list[str] = []
    while rest:
        words.append(rest.pop(0))
        more, rest = parse(tuple(o for o in OPTIONS if not o.environment) + tuple(_plain(o) for o in OPTIONS if o.environment), rest)
        for key, value in more.items():
            values[key] = values.get(key, []) + value if isinstance(value, list) else value
    if values.get("help"):
        return values, words
    if not words and not values.get("load") and not values.get("flash"):
        raise UsageError("no image given; usage: xemu boot [OPTIONS] IMAGE")
    if len(words) > 1:
        raise UsageError(f"one image, not {len(words)}: {words[0]}, {words[1]}; more are loaded with --load FILE")
    if values.get("no_jit") and values.get("eager_jit"):
        raise UsageError("--no-jit and --eager-jit exclude each other")
    if values.pop("gdb_here", False):
        values.setdefault("gdb", GDB.bare)
    if values.get("wait") and "gdb" not in values:
        raise UsageError("-S waits for a debugger: give -s or --gdb PLACE too")
    if values.get("record") and values.get("check_replay"):
        raise UsageError("--record and --check-replay exclude each other: xemu replay checks a recording")
    if values.get("fast") and values.get("speed"):
        raise UsageError("--fast and --speed exclude each other")
    return values, words


def _plain(option: Option) -> Option:
    """Return an option without its environment variable."""
    return Option(" ".join(option.names), option.metavar, option.help, key=option.key, read=option.read, repeat=option.repeat)
