"""`xemu run`: run a Linux program in user mode."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from xemu.cli.options import GDB, Option, count, help_text, number, parse
from xemu.config import settings
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.core.memory import AddressSpace
    from xemu.user.process import Options, Process

USAGE = "usage: xemu run [OPTIONS] PROGRAM [ARGUMENTS]"
FOR_EVER = 1e9  # seconds; more does not fit the host's clock


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < FOR_EVER:
        raise ValueError(text)
    return seconds


def _exit_code(text: str) -> int:
    code = int(text)
    if not 0 <= code <= 255:
        raise ValueError(text)
    return code


def _clock(text: str) -> bool:
    if text not in ("host", "virtual"):
        raise ValueError(text)
    return text == "virtual"


OPTIONS = (
    *settings("sysroot"),
    Option("-E --env", "NAME[=VALUE]", "set (or, without =, remove) an environment variable of the guest", repeat=True),
    Option("-0 --argv0", "TEXT", "argv[0] of the program"),
    Option("--strace", None, "print every system call to standard error"),
    GDB,
    Option("--timeout", "SECONDS", "end the program after so much real time", read=_seconds),
    Option("--timeout-exit-code", "CODE", "exit code of --timeout and --max-insns (124)", read=_exit_code),
    Option("--max-insns", "COUNT", "end the program after so many instructions", read=count()),
    Option("--stats", None, "print counts and times at the end"),
    Option("--trace-hash", None, "print a hash of the whole run at the end (implies --clock virtual)"),
    Option("--clock", "host|virtual", "real time, or 1 ns per instruction", key="virtual_clock", read=_clock),
    Option("--seed", "NUMBER", "seed of the guest's random numbers (implies --clock virtual)", read=number, environment="XEMU_SEED"),
    Option("--epoch", "SECONDS", "where the virtual clock starts, since 1970", read=count()),
    Option("--record", "FILE", "write a recording of the run: xemu replay repeats it anywhere"),
    Option("--with-symbols", None, "pack the program's files into the recording, with their symbols"),
    Option("--check-replay", None, "at the end go back, repeat the run and compare (exit code 1 where it differs)"),
    Option("--aslr", None, "random guest addresses"),
    Option("--no-jit", None, "interpret only"),
    Option("--eager-jit", None, "compile everything at first sight"),
    Option("-v --verbose", None, "say more", repeat=True),
    Option("-h --help", None, "show this"),
)


def read_options(arguments: list[str]) -> tuple[Options, dict[str, Any], list[str]]:
    """Parse the command line; UsageError."""
    from xemu.user.process import Options

    values, words = parse(OPTIONS, arguments)
    options = Options()
    for key, value in values.items():
        if hasattr(options, key):
            setattr(options, key, value)
    if options.sysroot and not os.path.isdir(options.sysroot):
        raise UsageError(f"-L {options.sysroot}: no such directory")
    options.tracing = bool(values.get("record") or values.get("check_replay"))
    options.jit = not values.get("no_jit", False)
    if values.get("no_jit") and options.eager_jit:
        raise UsageError("--no-jit and --eager-jit exclude each other")
    if options.max_insns is not None or options.seed is not None or options.trace_hash:
        if values.get("virtual_clock") is False:
            raise UsageError("--clock host cannot be combined with --seed, --max-insns or --trace-hash")
        options.virtual_clock = True
    if values.get("record") and values.get("check_replay"):
        raise UsageError("--record and --check-replay exclude each other: xemu replay checks a recording")
    if options.timeout is not None:
        options.stop_at = time.monotonic_ns() + int(options.timeout * 1e9)
    return options, values, words


def environment(changes: list[str]) -> list[bytes]:
    """Return the guest's environment: ours with the -E changes."""
    result = dict(os.environb)
    for change in changes:
        for item in change.split(",") if change.count("=") > 1 and "," in change else [change]:
            name, separator, value = os.fsencode(item).partition(b"=")
            if separator:
                result[name] = value
            else:
                result.pop(name, None)
    return [name + b"=" + value for name, value in result.items()]


def make_engine(arch: str, space: AddressSpace, options: Options) -> Any:
    """Return the translator for an architecture."""
    from xemu.core import engine
    from xemu.targets.registry import get_target

    chosen = engine.Options(jit=options.jit, eager=options.eager_jit, tracing=options.trace_hash or options.tracing,
                            timing=options.stats)
    made = engine.Engine(get_target(arch), space, chosen)
    if options.stats:
        from xemu.core.tiers import TierSamples

        TierSamples(made.code, made.library.natives["sample"])
    return made


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    options, values, words = _read(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if not words:
        raise UsageError("no program given; " + USAGE)
    from xemu.user.process import Process

    process = Process(options, make_engine)
    program = os.fsencode(words[0])
    argv = [os.fsencode(word) for word in words]
    if "argv0" in values:
        argv[0] = os.fsencode(values["argv0"])
    started = time.perf_counter()
    process.load(program, argv, environment(values.get("env", [])))
    if "gdb" in values:
        return _debug(process, values)
    if values.get("record") or values.get("check_replay"):
        from xemu.cli.recorded import run_process

        return run_process(process, values, lambda: _finish(process, options, time.perf_counter() - started))
    end = process.run()
    _finish(process, options, time.perf_counter() - started)
    return 128 + end.signal if end.signal else end.status


def _debug(process: Process, values: dict[str, Any]) -> int:
    """Serve the program to a debugger from its first instruction on."""
    from xemu.debug.debugger import Debugger
    from xemu.debug.process import ProcessSystem
    from xemu.debug.session import Session
    from xemu.gdbstub.stage import serve_program

    return serve_program(Session(Debugger(ProcessSystem(process))), values["gdb"], sysroot=values.get("sysroot"))


def _read(arguments: list[str]) -> tuple[Options, dict[str, Any], list[str]]:
    if arguments[:1] in (["-h"], ["--help"]):
        return None, {"help": True}, []  # type: ignore[return-value]
    return read_options(arguments)


def _finish(process: Process, options: Options, seconds: float) -> None:
    """Print what --stats and --trace-hash ask for."""
    engine = process.engine
    if options.trace_hash:
        process.say(f"trace hash {engine.trace_hash:016x} after {engine.insns} instructions")
    if options.stats:
        rate = engine.insns / seconds / 1e6 if seconds else 0.0
        process.say(f"{engine.insns} instructions in {seconds:.3f} s: {rate:.1f} million/s")
        for name, value in _by_tier(engine.stats).items():
            text = f"{value:.3f}" if isinstance(value, float) else str(value)
            process.say(f"  {name:16} {text}")


def _by_tier(stats: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics with native time given to interpreter and regions, if there were samples of it."""
    from xemu.core.tiers import TierSamples

    share = TierSamples.current.share_of_regions() if TierSamples.current else None
    if share is None:
        return stats
    native = stats["native seconds"]
    rest = {name: value for name, value in stats.items() if name != "native seconds"}
    return {**rest, "interpreter seconds": native * (1 - share), "region seconds": native * share}
