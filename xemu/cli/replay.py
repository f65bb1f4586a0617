"""`xemu replay`: repeat a recording and see that it is the same run."""

from __future__ import annotations

import sys
import time
from typing import Any

from xemu.cli.options import Option, command

USAGE = """usage: xemu replay [OPTIONS] FILE

Repeats a recording (xemu run --record, xemu boot --record) from its start to its end and compares the states on the way, the
instruction count and the trace hash. The exit code is 0 where all is the same, 1 where it is not."""

OPTIONS = (
    Option("-M --machine", "FILE.py", "the board's file, where the recording is of a board of your own"),
    Option("--no-jit", None, "interpret only"),
    Option("--stats", None, "print times"),
    Option("-h --help", None, "show this"),
)


@command(USAGE, OPTIONS, "one recording", most=1)
def main(values: dict[str, Any], words: list[str]) -> int:
    """Run the command; returns the exit code."""
    from xemu.debug.recorded import open_debugger
    from xemu.debug.recording import Recording, verify

    began = time.monotonic()
    recording = Recording.read(words[0])
    debugger = open_debugger(recording, machine=values.get("machine"), jit=not values.get("no_jit"))
    for note in recording.notes:
        sys.stderr.write(f"xemu: {note}\n")
    opened = time.monotonic()
    trouble = verify(debugger, recording)
    position, hash_ = debugger.position, debugger.engine.trace_hash
    traced = recording.head["tracing"]               # debuggers do without
    sys.stdout.write(f"{position.insns} instructions{f', trace hash {hash_:016x}' if traced else ''}\n")
    if values.get("stats"):
        sys.stdout.write(f"read in {opened - began:.3f} s, repeated in {time.monotonic() - opened:.3f} s, "
                         f"{len(recording.inputs)} inputs, {len(recording.marks)} states compared\n")
    debugger.system.close()
    if trouble:
        sys.stderr.write(f"xemu: {trouble}\n")
        return 1
    sys.stdout.write(f"the same as recorded ({recording.how_it_ended})\n")
    return 0
