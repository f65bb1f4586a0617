"""Run instructions from exact states in a generated ARM program and read back the exact states after them.

    outcomes = run_cases([Case(code=bytes.fromhex("0200 91e0"), before=State(...))], [qemu, "-cpu", "cortex-a15"])

The program is one static ELF file: driver.c, one code slot per case (the code, then a branch back) and the
states. The same file runs under `qemu-arm` and `xemu run`; `slot_addresses` tells where each case's code lies,
so that a caller can also run a case in its own engine and compare with the answers of QEMU.
"""

from __future__ import annotations

import random
import struct
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS: Final = 0x4000_0000  # code slots; far from all else, so that a stray branch meets nothing of the driver
TRAMPOLINE: Final = SLOTS - 0x4000
WAY_BACK: Final = 16  # bytes at SLOTS with the branches to the driver, A32 then T32
WINDOW: Final = 0x5000_0000  # scratch memory: readable and writable, not executable
WINDOW_SIZE: Final = 0x3000
POINTER: Final = WINDOW + 0x1800  # the middle: any 12-bit offset from here stays inside

USER_CPSR: Final = 0xF80F_0000  # N Z C V Q and GE: what a program may set and read
THUMB_BIT: Final = 0x20
FILLER: Final = 0xFFFF_DEDE  # undefined as A32, as T16 and, from its middle, as T32: a branch that lands here is seen
STATE: Final = struct.Struct("<82I")
TAIL: Final = struct.Struct("<3I")
MOST_CRASHES: Final = 200  # of the emulator, in one program
SIGNALS: Final = {0: "done", 4: "undefined", 5: "trap", 7: "bus", 8: "fpe", 11: "segv", 14: "endless"}


@dataclass(frozen=True)
class State:
    """All a program can see of an ARM core: r0-r12, sp, lr in `r` (15 values), d0-d31 as 64-bit integers."""

    r: tuple[int, ...] = (0,) * 15
    cpsr: int = 0
    fpscr: int = 0
    d: tuple[int, ...] = (0,) * 32

    def pack(self, pc: int) -> bytes:
        """Return the driver's form of this state, entering at `pc` (bit 0 set: Thumb)."""
        words = [*self.r[:13], self.r[14], self.r[13], pc, self.cpsr & USER_CPSR, self.fpscr]
        for value in self.d:
            words += value & 0xFFFF_FFFF, value >> 32
        return STATE.pack(*words)

    @classmethod
    def unpack(cls, words: Sequence[int]) -> State:
        """Read the driver's form."""
        r = (*words[:13], words[14], words[13])
        d = tuple(words[i] | words[i + 1] << 32 for i in range(18, 82, 2))
        return cls(r, words[16] & USER_CPSR, words[17], d)


@dataclass(frozen=True)
class Case:
    """Code to run (one instruction, or several in a row) and the state before it.

    The code must end in a state where the next instruction runs: no IT block may reach beyond it.
    """

    code: bytes
    before: State = field(default_factory=State)
    thumb: bool = False
    note: str = ""
    room: int = 0  # bytes of filler before and after, for relative branches; a multiple of 16

    def __str__(self) -> str:
        state = "t32" if self.thumb else "a32"
        return f"{state} {self.code.hex()} {self.note}".rstrip()


@dataclass(frozen=True)
class Outcome:
    """What running a case gave.

    kind is "done", or the signal the code raised ("undefined", "segv", "bus", "trap", "endless" for a loop, "crashed"
    for the emulator's own end): then `pc` is where and
    `fault` the address, and `state` has no floating-point registers but CPSR's T bit. `memory` maps the address of each changed
    word of the window to its new value.
    """

    kind: str
    state: State
    memory: dict[int, int]
    pc: int = 0
    fault: int = 0


def window_bytes(seed: int = 1) -> bytes:
    """Return the contents of the scratch window before each case: random words, some of them special floats."""
    rng = random.Random(seed)
    special = (0, 0x8000_0000, 0x7F80_0000, 0x7FC0_0000, 0x7FA0_0001, 0x0000_0001, 0x3F80_0000, 0xFFFF_FFFF)
    words = [
        rng.choice(special) if rng.random() < 0.25 else rng.getrandbits(32) for _ in range(WINDOW_SIZE // 4)
    ]
    return struct.pack(f"<{len(words)}I", *words)


def slot_addresses(cases: Sequence[Case]) -> list[int]:
    """Return where the code of each case lies."""
    addresses, address = [], SLOTS + WAY_BACK
    for case in cases:
        addresses.append(address + case.room)
        address += len(_slot(case, 0))
    return addresses


def _slot(case: Case, address: int) -> bytes:
    """Return the code with a branch to the way back, filler around it."""
    branch = address + len(case.code)
    back = thumb_branch(branch, SLOTS + 4) if case.thumb else arm_branch(branch, SLOTS)
    code = case.code + back
    filler = struct.pack("<I", FILLER) * 4
    after = filler[len(code) % 16 :] if len(code) % 16 else b""
    room = filler * (case.room // 16)
    return room + code + after + room


def arm_branch(address: int, target: int) -> bytes:
    """Encode B (encoding A1) at `address`."""
    return struct.pack("<I", 0xEA00_0000 | (target - address - 8) >> 2 & 0xFF_FFFF)


def thumb_branch(address: int, target: int) -> bytes:
    """Encode B.W (encoding T4) at `address`."""
    offset = target - address - 4
    sign = offset < 0
    j1, j2 = (not (offset >> bit & 1) ^ sign for bit in (23, 22))
    high = 0xF000 | sign << 10 | offset >> 12 & 0x3FF
    return struct.pack("<HH", high, 0x9000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF)


SOURCE: Final = """
        .syntax unified
        .arch armv7-a
        .section .rodata
        .balign 8
        .global case_states, case_count, window_words, window_before
case_states:    .incbin "states.bin"
case_count:     .word {count}
window_words:   .word {window} / 4
window_before:  .incbin "window.bin"
        .section .slots, "ax", %progbits
        .arm
        b       done_a
        .thumb
        b.w     done_t
        .balign 16
        .incbin "slots.bin"
        .section .window, "aw", %nobits
        .global window
window: .space {window}
        .bss
        .balign 8
        .global output
output: .space {output}
        .section .note.GNU-stack, "", %progbits
"""
COMPILER: Final = "arm-linux-gnueabihf-gcc"


def build(cases: Sequence[Case], directory: Path, *, vector: bool = True, compiler: str = COMPILER) -> Path:
    """Write and link the program that runs `cases`; return its path. Without `vector` it uses no FP register."""
    addresses = slot_addresses(cases)
    states = [case.before.pack(at | case.thumb) for case, at in zip(cases, addresses, strict=True)]
    (directory / "states.bin").write_bytes(b"".join(states))
    slots = b"".join(_slot(case, at) for case, at in zip(cases, addresses, strict=True))
    (directory / "slots.bin").write_bytes(slots)
    (directory / "window.bin").write_bytes(window_bytes())
    (directory / "cases.S").write_text(
        SOURCE.format(
            count=len(cases),
            window=WINDOW_SIZE,
            output=STATE.size + TAIL.size + 2 * WINDOW_SIZE,
        )
    )
    program = directory / "oracle.elf"
    flags = ["-O1", "-marm", "-march=armv7-a+fp", "-mfloat-abi=hard", "-static", "-nostdlib", "-ffreestanding"]
    places = [f"-Wl,--section-start=.slots={SLOTS:#x}", f"-Wl,--section-start=.window={WINDOW:#x}"]
    places += [f"-Wl,--section-start=.trampoline={TRAMPOLINE:#x}"]
    places += [f"-Wl,--section-start=.registers={TRAMPOLINE + 0x1000:#x}"]
    places += ["-Wl,-Ttext-segment=0x60000000"]  # away from boundary values, which cases may jump to
    quiet = ["-Wl,--no-warn-rwx-segments", "-Wl,--build-id=none", "-Wa,-mno-warn-deprecated"]
    defines = ["-DVECTOR"] if vector else []
    subprocess.run(
        [compiler, *flags, *places, *quiet, *defines, "-o", program, Path(__file__).with_name("driver.c"), "cases.S"],
        cwd=directory,
        check=True,
    )
    return program


def run_program(program: Path, command: Sequence[str | Path], count: int, timeout: float = 600) -> list[Outcome]:
    """Run a built program under an emulator's command line and return what it reports, one outcome per case.

    Where the emulator itself ends (QEMU does for jumps into its kernel page) the outcome is "crashed" and the
    rest runs in a new process.
    """
    outcomes: list[Outcome] = []
    crashes = 0
    while len(outcomes) < count and crashes <= MOST_CRASHES:
        done = subprocess.run([*command, program, str(len(outcomes))], capture_output=True, check=False, timeout=timeout)
        outcomes += parse(done.stdout)
        if len(outcomes) < count:
            crashes += 1
            outcomes.append(Outcome("crashed", State(), {}))
            last_words = done.stderr.decode(errors="replace")
    if len(outcomes) != count:
        message = f"{crashes} crashes in {len(outcomes)} of {count} cases: {last_words[-500:]}"
        raise RuntimeError(message)
    return outcomes


def parse(report: bytes) -> list[Outcome]:
    """Read the driver's output."""
    outcomes, at = [], 0
    while at + STATE.size + TAIL.size <= len(report):
        words = STATE.unpack_from(report, at)
        signal, fault, changes = TAIL.unpack_from(report, at + STATE.size)
        at += STATE.size + TAIL.size
        if at + 8 * changes > len(report):
            break
        pairs = struct.unpack_from(f"<{2 * changes}I", report, at)
        at += 8 * changes
        outcomes.append(_outcome(words, signal, fault, dict(zip(pairs[::2], pairs[1::2], strict=True))))
    return outcomes


def _outcome(words: Sequence[int], signal: int, fault: int, memory: dict[int, int]) -> Outcome:
    state, kind = State.unpack(words), SIGNALS[signal]
    if kind == "done":
        return Outcome(kind, state, memory)
    if kind == "endless":  # where it stood is chance
        return Outcome(kind, State(), {})
    state = replace(state, cpsr=state.cpsr | words[16] & THUMB_BIT, fpscr=0, d=(0,) * 32)
    return Outcome(kind, state, memory, pc=words[15], fault=fault)


def run_cases(
    cases: Sequence[Case], command: Sequence[str | Path], directory: Path, *, vector: bool = True
) -> list[Outcome]:
    """Build the program for `cases` in `directory`, run it under `command` and return one outcome per case."""
    return run_program(build(cases, directory, vector=vector), command, len(cases))
