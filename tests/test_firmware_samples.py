"""Our firmware in C on every board: its own checks pass in every tier, with the same trace, and agree with QEMU's."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.firmware_oracle import BY_CLOCK, CASES, MACHINES, Case, Compare
from tests.support.boot import FIRMWARE
from xemu.core.engine import Options
from xemu.hw.harness import RunningBoard
from xemu.hw.machine import make_machine
from xemu.hw.start import load_image, read_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark import ParameterSet

TIERS: Final = {"default": Options(tracing=True), "interpreter": Options(jit=False, tracing=True),
                "eager": Options(eager=True, tracing=True)}  # fmt: skip
SECONDS: Final = 20.0            # virtual, far more than any sample takes
PATIENCE: Final = 60.0           # seconds for a run under QEMU
HANGS: Final = 4.0               # … for one that is known not to end
#: it polls for a tick that is 11 million instructions away where the processor is this fast; of two such boards one is slow in any tier
POLLING: Final = ("exceptions", "stm32")
SELF_CHECKING: Final = ("exceptions", "faults", "mpu", "fpirq", "stm32", "nrf51")


def runs(machines: int) -> list[ParameterSet]:
    """Return samples with the machines they run on; those are slow that poll for long on others than the first `machines` of a board."""
    return [pytest.param(case, machine, marks=pytest.mark.slow if (case.program, case.board) == POLLING and at >= machines else ())
            for case in CASES for at, machine in enumerate(MACHINES[case.board])]


class Outcome(NamedTuple):
    """What a run printed, its exit code, and for xemu the instructions and trace hash."""

    text: str
    code: int
    beats: int = 0
    trace: int = 0


def run(case: Case, machine: str, options: Options) -> Outcome:
    """Run a sample to its end."""
    board = RunningBoard(make_machine(machine, options))
    load_image(board.machine, read_image(FIRMWARE / case.board / f"{case.program}.elf", None))
    board.cpu.reset()
    uart = board.uart()
    for line in case.typed:
        uart.expect("> " if case.program == "console" else "\n", vtime=SECONDS)
        uart.send(line + "\r")
    stop = board.run(SECONDS)
    assert stop.reason == "exit", board.describe(uart)
    text = uart.text if uart.data else board.console.text
    out = Outcome(plain(text), stop.code, board.machine.now, board.machine.engine.trace_hash)
    board.close()
    return out


def plain(text: str) -> str:
    return text.replace("\r", "")


@cache
def in_default_tier(case: Case, machine: str) -> Outcome:
    return run(case, machine, TIERS["default"])


def ident(value: object) -> str | None:
    return value.id if isinstance(value, Case) else None


@pytest.mark.parametrize(("case", "machine"), runs(1), ids=ident)
def test_sample_finds_nothing_wrong(case: Case, machine: str) -> None:
    out = in_default_tier(case, machine)
    failed = [line for line in out.text.splitlines() if line.startswith("FAIL")]
    assert failed == []
    assert out.code == 0, out.text[-400:]
    if case.program in SELF_CHECKING:
        assert "PASS" in out.text.splitlines()


@pytest.mark.parametrize("tier", ["interpreter", pytest.param("eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("case", "machine"), runs(0), ids=ident)
def test_sample_runs_the_same_in_every_tier(case: Case, machine: str, tier: str) -> None:
    assert run(case, machine, TIERS[tier]) == in_default_tier(case, machine)


@pytest.mark.parametrize("case", [c for c in CASES if c.compare is not Compare.NOTHING], ids=ident)
def test_sample_prints_what_it_prints_under_qemu(case: Case, need: Callable[..., str]) -> None:
    need("qemu-system-arm")
    theirs, ours = under_qemu(case), in_default_tier(case, case.machine)
    if case.compare is Compare.WHOLE:
        assert (ours.text, ours.code) == (theirs.text, theirs.code)
        return
    expected, got = checks(theirs.text), checks(ours.text)
    names = [name for name in expected if name not in case.differs | BY_CLOCK]
    assert len(names) > 5, theirs.text
    assert {n: got.get(n) for n in names} == {n: expected[n] for n in names}


def checks(text: str) -> dict[str, str]:
    """Return the checks of a self-checking sample: name -> its line and the lines of detail below; the last one may be cut."""
    out: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        found = re.match(r"(ok|FAIL) (.*?)( got .*)?\n$", line)
        if found:
            name = found[2]
            out[name] = line
        elif name and line.startswith("  "):
            out[name] += line
    if name:
        del out[name]
    return out


def under_qemu(case: Case) -> Outcome:
    """Run a sample in QEMU, typing each line after the prompt or line before it."""
    image = FIRMWARE / case.board / f"{case.program}.elf"
    command = ["qemu-system-arm", "-M", case.machine, "-display", "none", "-monitor", "none", "-serial", "stdio",
               "-semihosting-config", "enable=on,target=native", "-kernel", str(image)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin
    assert process.stdout
    limit = time.monotonic() + (HANGS if case.compare is Compare.START else PATIENCE)
    text, seen, lines = "", 0, list(case.typed)
    with selectors.DefaultSelector() as waits:
        waits.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < limit:
            if lines and (at := text.find("> " if case.program == "console" else "\n", seen)) >= 0:
                seen = at + 1
                process.stdin.write(lines.pop(0).encode() + b"\r")
                process.stdin.flush()
            if not waits.select(0.2):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            text += data.decode("latin-1")
    if case.compare is Compare.START:
        process.kill()
    process.stdin.close()
    code = process.wait(timeout=10)
    process.stdout.close()
    return Outcome(plain(text), code)
