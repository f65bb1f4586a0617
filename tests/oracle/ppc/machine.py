"""Run single PowerPC instructions in QEMU: `with Qemu(machine) as qemu: outcomes = qemu.run(cases)`.

The driver (driver.c, enter.S) is built once for each object; it takes batches of cases. Where a case ends the emulator or never
ends itself, a new one goes on behind it.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.oracle.ppc.state import BATCH, PROLOGUE, VSR, WINDOW, WORDS, WRITABLE, WRITABLE_SIZE, Case, Outcome, State, background

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from tests.oracle.ppc.state import Machine

COMPILERS: Final = {"ppc64le": "powerpc64le-linux-gnu-gcc", "ppc": "powerpc-linux-gnu-gcc"}
STATE: Final = VSR + 64 * 16
RESULT: Final = STATE + 32
MOST_PATCHES: Final = 64 * BATCH
PATIENCE: Final = 10.0                # seconds without a result: the case is endless
SIGNALS: Final = {signal.SIGILL: "undefined", signal.SIGTRAP: "trap", signal.SIGBUS: "bus", signal.SIGSEGV: "segv",
                  signal.SIGFPE: "fpe"}


def missing(*names: str) -> str:
    """Return which programs this host lacks to run cases of these targets; empty: none."""
    needed = [program for name in names for program in (f"qemu-{name}", COMPILERS[name])]
    lacks = [program for program in needed if not shutil.which(program)]
    return f"{', '.join(lacks)} not installed" if lacks else ""


class Qemu:
    """One of QEMU's processors as an oracle."""

    def __init__(self, machine: Machine) -> None:
        if why := missing(machine.name):
            raise OSError(why)
        self.machine = machine
        self.directory = tempfile.TemporaryDirectory()
        self.program = build(machine, Path(self.directory.name))
        self.background = background(machine)
        self.process: subprocess.Popen[bytes] | None = None
        self.received, self.taken = b"", 0            # what came, and how much of it is dealt with

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the emulator."""
        self._end()
        self.directory.cleanup()

    def run(self, cases: Sequence[Case]) -> list[Outcome]:
        """Return what QEMU makes of each case."""
        return [outcome for at in range(0, len(cases), BATCH) for outcome in self._batch(cases[at:at + BATCH])]

    def _batch(self, cases: Sequence[Case]) -> Iterator[Outcome]:
        at = 0
        while at < len(cases):
            process = self._start()
            assert process.stdin is not None
            process.stdin.write(self._encode(cases[at:]))
            process.stdin.flush()
            while at < len(cases):
                try:
                    outcome = self._outcome(cases[at])
                except TimeoutError:
                    outcome = Outcome("endless", cases[at].state)
                except EOFError:
                    outcome = Outcome("killed", cases[at].state)
                at += 1
                yield outcome
                if outcome.ended in ("endless", "killed"):
                    self._end()
                    break

    def _start(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            command = [f"qemu-{self.machine.name}", "-cpu", self.machine.cpu, str(self.program)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert self.process.stdin is not None
            self.process.stdin.write(self.background)
            self.received, self.taken = b"", 0
        return self.process

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _encode(self, cases: Sequence[Case]) -> bytes:
        sign, records, patches = self.machine.sign, [], []
        for case in cases:
            own = self._patches(case)
            code = struct.pack(f"{sign}{WORDS}I2Q", *case.words, *[0] * (WORDS - len(case.words)), len(case.words), len(own))
            records.append(case.state.pack(self.machine, case.at - PROLOGUE) + code)
            patches += [struct.pack(f"{sign}Q", offset) + data for offset, data in own.items()]
        if len(patches) > MOST_PATCHES:
            msg = f"more than {MOST_PATCHES} words of memory in {len(cases)} cases"
            raise ValueError(msg)
        return struct.pack(f"{sign}2Q", len(cases), len(patches)) + b"".join(records + patches)

    def _patches(self, case: Case) -> dict[int, bytearray]:
        """Return the aligned words of the writable pages that a case sets, by their offset in the window."""
        words: dict[int, bytearray] = {}
        for address, data in case.memory.items():
            for i, byte in enumerate(data):
                at, inside = (address + i - WINDOW) & ~7, address + i & 7
                if WRITABLE <= address + i < WRITABLE + WRITABLE_SIZE:
                    words.setdefault(at, bytearray(self.background[at:at + 8]))[inside] = byte
        return words

    def _outcome(self, case: Case) -> Outcome:
        raw = self._receive(RESULT)
        number, code, address, changes = struct.unpack_from(f"{self.machine.sign}4Q", raw, STATE)
        state = State.unpack(raw, self.machine)
        memory: dict[int, bytes] = {}
        if changes:
            log = self._receive(16 * changes)
            for at in range(0, len(log), 16):
                (offset,) = struct.unpack_from(f"{self.machine.sign}Q", log, at)
                memory[WINDOW + offset] = log[at + 8:at + 16]
        ended = SIGNALS[signal.Signals(number)]
        inside = case.at <= state.pc < case.at + 4 * len(case.words)
        if ended in ("trap", "segv") and not inside:      # the trap behind the case, or a branch to where nothing is
            return Outcome("done", state, memory)
        return Outcome(ended, state, memory, address, code)

    def _receive(self, size: int) -> bytes:
        assert self.process is not None
        assert self.process.stdout is not None
        while len(self.received) - self.taken < size:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), 1 << 18)
            if not part:
                raise EOFError
            self.received, self.taken = self.received[self.taken:] + part, 0
        self.taken += size
        return self.received[self.taken - size:self.taken]


def build(machine: Machine, directory: Path) -> Path:
    """Compile the driver; return its path."""
    here, program = Path(__file__).parent, directory / "driver"
    options = ["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-pic", "-no-pie", "-msoft-float", "-fno-stack-protector",
               "-fno-tree-loop-distribute-patterns", "-Wl,--build-id=none", "-Wl,-Ttext-segment=0x10000000"]
    if machine.bits == 64:
        options += ["-mcpu=power8", "-mno-altivec", "-mno-vsx", "-mabi=elfv2"]
    if machine.vector:
        options.append("-DVECTOR")
    subprocess.run([COMPILERS[machine.name], *options, "-o", program, here / "driver.c", here / "enter.S"], check=True)
    return program

