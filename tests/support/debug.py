"""Programs with debug information for tests, built when they are needed, and debugging them in a process apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests/debug_programs"
LINUX, BARE = "arm-linux-gnueabihf-", "arm-none-eabi-"


def build(place: Path, source: str, *options: str, prefix: str = LINUX) -> Path:
    """Compile and link a program of tests/debug_programs; returns its path, which is named by the options."""
    compiler = prefix + ("g++" if source.endswith(".cc") else "gcc")
    output = place / (source.replace(".", "_") + "".join(options).replace("/", "_").replace("=", "_"))
    if not output.exists():
        subprocess.run([compiler, *options, source, "-o", str(output)], cwd=PROGRAMS, check=True, capture_output=True)
    return output


# A process takes over the host's signals, and its guest may fork: each test of one is a process of its own, which prints JSON.
PROLOGUE = """
import hashlib, json, os, random, sys
from xemu.debug import open_process
from xemu.debug.stops import Position, StopKind
from xemu.errors import XemuError
answers = {}

def finish():
    os.write(2, b"\\nANSWERS " + json.dumps(answers).encode() + b"\\n")
    os._exit(0)

def state(d):
    digest = hashlib.md5()
    space = d.system.process.space
    for area in space.areas():
        for page in space.held(area.start, area.end - area.start) if not area.shared else ():
            data = space.page(page)
            if any(data):
                digest.update(page.to_bytes(4, "little") + data)
    registers = [d.read_register(n) for n in ("r0", "r1", "r4", "r7", "sp", "lr", "cpsr", "d0", "d9")]
    return [d.position.beat, d.position.transition, d.pc, d.system.thread, *registers, digest.hexdigest()]

def place(d):
    frame = d.backtrace(limit=1)[0]
    return [frame.function, frame.place.line if frame.place else 0]

def refused(action):
    try:
        action()
    except XemuError as error:
        return str(error)

def run_to(d, *words, **options):
    point = d.break_at(*words, **options)
    stop = d.cont()
    d.delete(point)
    return stop

def back_to(d, *words, **options):
    point = d.break_at(*words, **options)
    stop = d.cont(back=True)
    d.delete(point)
    return stop

def to_the_end(d):
    stop = d.cont()
    while not stop.kind.final:
        assert stop.kind is not StopKind.LOST, stop.text
        stop = d.cont()
    return stop
"""


def session(script: str, *arguments: object, expect_output: bytes | None = None) -> dict[str, Any]:
    """Run a script that debugs processes; returns its `answers`. The guest's output must be what is expected."""
    answers, output = session_output(script, *arguments)
    assert expect_output is None or output == expect_output
    return answers


def session_output(script: str, *arguments: object) -> tuple[dict[str, Any], bytes]:
    """Run a script that debugs processes; returns its `answers` and what the guest has written."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-c", PROLOGUE + script, *map(str, arguments)], capture_output=True, timeout=100,
                          env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    return json.loads(done.stderr.decode(errors="replace").rpartition("ANSWERS ")[2]), done.stdout
