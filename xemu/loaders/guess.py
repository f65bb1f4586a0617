"""Which machine is a firmware image for? Evidence from the file, weighed; the command line asks when it is not enough.

What rules a machine out: another instruction set, an architecture newer than the core's, floating point the core does
not have, bytes outside its memories. What speaks for one, in points: the vector table, the initial stack pointer, the
architecture, and above all the addresses of peripherals that the code contains.
Armv7-M Architecture Reference Manual (DDI 0403), B1.5.3 "The vector table"; Armv6-M (DDI 0419), B1.5.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xemu.loaders.formats import FirmwareImage

PROFILE_M = ("armv6-m", "armv7-m", "armv7e-m")  # each runs what those before it run
SCANNED = 1 << 20  # bytes of an image that are searched for addresses of peripherals
PERIPHERALS = range(0x4000_0000, 0x6000_0000)
PAGE_MASK = ~0xFFF
MAX_TABLES = 8  # pieces that are looked at for a vector table
FLOAT_TWO = 0x4000_0000  # as a word of data more often 2.0f than a base address
CLEAR = 0.75  # certainty from which a candidate is taken without asking

# points; two to the power of their sum is what a machine counts against the others and against "none of these" (1)
SAME_ARCHITECTURE, SAME_CPU, LABELLED = 3.0, 2.0, 5.0
VECTORS_IN_PLACE, VECTORS_ELSEWHERE, NO_VECTORS = 1.0, -1.0, -4.0
STACK_AT_END, ZEROS_OUTSIDE, ADDRESSES = 2.0, -2.0, 4.0


@dataclass(frozen=True)
class MachineFacts:
    """What guessing needs to know about a machine.

    `memories` are (start, size, kind) in bytes, "RAM" being where a stack may be; `vectors` is the address of the
    vector table at reset; `hints` are addresses in the 4 KiB pages of its peripherals; `labels` are names by which
    file formats know it: UF2 families ("STM32F4"), boards of a Universal Hex ("9900").
    """

    name: str
    cpu: str
    arch: str
    memories: Sequence[tuple[int, int, str]]
    vectors: int
    hints: Sequence[int] = ()
    labels: Sequence[str] = ()


class Candidate(NamedTuple):
    """A machine, why it fits or not, and how certain that is (0: impossible, 1: beyond doubt)."""

    name: str
    why: str
    certainty: float


@dataclass
class Evidence:
    """What was found about one machine."""

    points: float = 0.0
    reasons: list[str] = field(default_factory=list)
    refusal: str | None = None

    def add(self, points: float, reason: str) -> None:
        """Count points, positive or negative, for a reason."""
        self.points += points
        self.reasons.append(reason)


def guess_machine(image: FirmwareImage, machines: Sequence[MachineFacts]) -> list[Candidate]:
    """Return all machines, the likeliest first; equal ones in the order given."""
    known = {hint & PAGE_MASK for machine in machines for hint in machine.hints}
    used = peripheral_pages(image) & known
    weighed = [(machine, _weigh(image, machine, used)) for machine in machines]
    total = 1.0 + sum(2.0**e.points for _, e in weighed if e.refusal is None)
    found = [
        Candidate(m.name, e.refusal, 0.0) if e.refusal is not None else Candidate(m.name, "; ".join(e.reasons), 2.0**e.points / total)
        for m, e in weighed
    ]
    return sorted(found, key=lambda candidate: -candidate.certainty)


def clear_winner(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the first candidate if it can be taken without asking."""
    return candidates[0] if candidates and candidates[0].certainty >= CLEAR else None


def _weigh(image: FirmwareImage, machine: MachineFacts, used: set[int]) -> Evidence:
    refusal = _wrong_processor(image, machine) or _outside(image, machine)
    if refusal:
        return Evidence(refusal=refusal)
    evidence = Evidence()
    _judge_processor(image, machine, evidence)
    _judge_vectors(image, machine, evidence)
    _judge_zeros(image, machine, evidence)
    _judge_addresses(machine, used, evidence)
    _judge_labels(image, machine, evidence)
    return evidence


def _wrong_processor(image: FirmwareImage, machine: MachineFacts) -> str | None:
    """Say why the core cannot run this code, None if it can."""
    if image.arch is not None and (image.arch != "arm" or image.bits != 32):
        return f"the image is for {image.arch}, the machine has a {machine.cpu}"
    needed = image.attributes.get("architecture")
    if isinstance(needed, str) and needed != "armv7":
        if needed not in PROFILE_M:
            return f"the image is for {needed}, the machine has a {machine.cpu} ({machine.arch})"
        if machine.arch in PROFILE_M and PROFILE_M.index(needed) > PROFILE_M.index(machine.arch):
            return f"the image needs {needed}, the machine has a {machine.cpu} ({machine.arch})"
    floating = image.attributes.get("Tag_FP_arch", 0)
    if floating and machine.arch in PROFILE_M[:2]:
        return f"the image uses floating-point instructions, a {machine.cpu} has none"
    if floating in (7, 8) and machine.cpu == "cortex-m4":
        return "the image uses FPv5, a cortex-m4 has FPv4"
    return None


def _outside(image: FirmwareImage, machine: MachineFacts) -> str | None:
    """Say which bytes lie outside the machine's memories, None if all are inside."""
    areas = _join(machine.memories)
    for piece in image.pieces:
        if piece.data and not _inside(piece.address, len(piece.data), areas):
            return f"bytes at {piece.address:#x}..{piece.address + len(piece.data):#x} are outside its memories"
    return None


def _judge_processor(image: FirmwareImage, machine: MachineFacts, evidence: Evidence) -> None:
    if image.attributes.get("architecture") == machine.arch:
        evidence.add(SAME_ARCHITECTURE, f"built for {machine.arch}")
    name = image.attributes.get("Tag_CPU_name")
    if isinstance(name, str) and name.lower() == machine.cpu:
        evidence.add(SAME_CPU, f"built for a {machine.cpu}")
    if image.attributes.get("Tag_FP_arch") in (7, 8) and machine.cpu == "cortex-m7":
        evidence.add(SAME_CPU, "uses FPv5")


def _judge_vectors(image: FirmwareImage, machine: MachineFacts, evidence: Evidence) -> None:
    """Look at initial stack pointer and reset vector, at the machine's place and at the image's start."""
    ram = _join((start, size, kind) for start, size, kind in machine.memories if kind.upper() == "RAM")
    starts = [piece.address for piece in image.pieces[:MAX_TABLES] if piece.data]
    complaint = f"no vector table at {machine.vectors:#x}"
    for address in dict.fromkeys([machine.vectors, *starts]):
        stack, reset = image.word(address), image.word(address + 4)
        if stack is None or reset is None:
            continue
        problem = _vector_problem(image, stack, reset, ram)
        if problem is None:
            if address == machine.vectors:
                evidence.add(VECTORS_IN_PLACE, f"vector table at {address:#x}")
            else:
                evidence.add(VECTORS_ELSEWHERE, f"vector table at {address:#x}, the machine starts at {machine.vectors:#x}")
            if any(stack == start + size for start, size, kind in machine.memories if kind.upper() == "RAM"):
                evidence.add(STACK_AT_END, f"stack {stack:#x} is the end of its RAM")
            return
        if address == machine.vectors:
            complaint = problem
    evidence.add(NO_VECTORS, complaint)


def _vector_problem(image: FirmwareImage, stack: int, reset: int, ram: list[tuple[int, int]]) -> str | None:
    """Say why two words cannot start a vector table, None if they can."""
    if stack & 3 or not any(start < stack <= end for start, end in ram):
        return f"stack {stack:#x} is not in its RAM"
    if not reset & 1:
        return f"reset vector {reset:#x} is even: not Thumb code"
    if image.read(reset & ~1, 2) is None:
        return f"reset vector {reset:#x} is outside the image"
    return None


def _judge_zeros(image: FirmwareImage, machine: MachineFacts, evidence: Evidence) -> None:
    """Check that what the program expects to be zero (.bss, heap, stack) has memory."""
    areas = _join(machine.memories)
    for piece in image.pieces:
        zeros = piece.size - len(piece.data)
        start = piece.address + len(piece.data)
        if zeros and not _inside(start, zeros, areas):
            evidence.add(ZEROS_OUTSIDE, f"data at {start:#x}..{piece.end:#x} is outside its memories")
            return


def _judge_addresses(machine: MachineFacts, used: set[int], evidence: Evidence) -> None:
    """Count what share of the peripherals the code names this machine has."""
    if used:
        own = used & {hint & PAGE_MASK for hint in machine.hints}
        evidence.add(ADDRESSES * len(own) / len(used), f"has {len(own)} of {len(used)} peripherals that the code names")


def _judge_labels(image: FirmwareImage, machine: MachineFacts, evidence: Evidence) -> None:
    boards = image.attributes.get("boards")
    names = [f"{board:04X}" for board in boards] if isinstance(boards, list) else []
    if isinstance(family := image.attributes.get("family_name"), str):
        names.append(family)
    for name in names:
        if name in machine.labels:
            evidence.add(LABELLED, f"the file says {name}")
            return


def peripheral_pages(image: FirmwareImage) -> set[int]:
    """Return the 4 KiB pages of peripheral space that the image names: in its code, or as base addresses in its data."""
    budget = SCANNED
    pages: set[int] = set()
    for piece in image.pieces:
        data = piece.data[: max(budget, 0)]
        budget -= len(data)
        if image.order == "<":
            pages |= {value & PAGE_MASK for value in code_constants(piece.address, data) if value in PERIPHERALS}
        bases = {word for word in _words(piece.address, data, image.order) if word in PERIPHERALS}
        pages |= {word & PAGE_MASK for word in bases if not word & 0x3FF and word != FLOAT_TWO}
    return pages


def _words(address: int, data: bytes, order: str) -> set[int]:
    skip = -address % 4
    return {word for (word,) in struct.iter_unpack(order + "I", data[skip : skip + max(len(data) - skip, 0) // 4 * 4])}


def code_constants(address: int, data: bytes) -> set[int]:
    """Return the constants that Thumb code at `address` loads from literal pools or makes with MOVT.

    DDI 0403, A7.7.44 (LDR literal), A7.7.76 (MOV immediate), A7.7.79 (MOVT). Control flow is ignored: a register keeps
    its last constant, which is right often enough.
    """
    skip = address % 2
    halves = [half for (half,) in struct.iter_unpack("<H", data[skip : skip + (len(data) - skip) // 2 * 2])]
    found: set[int] = set()
    low = [0] * 16
    for at, half in enumerate(halves):
        top = half >> 11
        if top == 0b01001:  # LDR Rt, [PC, #imm8:00]
            here = (skip + 2 * at + 4 + address) & ~3
            place = here - address + ((half & 0xFF) << 2)
            found.add(int.from_bytes(data[place : place + 4], "little"))
        elif top == 0b00100:  # MOVS Rd, #imm8
            low[half >> 8 & 7] = half & 0xFF
        elif top == 0b11110 and at + 1 < len(halves):
            _take_wide(half, halves[at + 1], low, found)
    return found


def _take_wide(first: int, second: int, low: list[int], found: set[int]) -> None:
    """Follow one MOV.W, MOVW or MOVT."""
    register = second >> 8 & 15
    code = ((first & 0x0400) << 1) | (second >> 4 & 0x0700) | (second & 0xFF)  # i:imm3:imm8
    match first & 0xFBF0:
        case 0xF240: low[register] = (first & 15) << 12 | code
        case 0xF2C0: found.add(((first & 15) << 12 | code) << 16 | low[register] & 0xFFFF)
        case 0xF040 | 0xF050 if first & 15 == 15:
            low[register] = expand_immediate(code)
            found.add(low[register])


def expand_immediate(code: int) -> int:
    """Return ThumbExpandImm(code) of 12 bits (DDI 0403, A5.3.2)."""
    byte = code & 0xFF
    match code >> 8:
        case 0: return byte
        case 1: return byte * 0x0001_0001
        case 2: return byte * 0x0100_0100
        case 3: return byte * 0x0101_0101
    value, turn = code & 0x7F | 0x80, code >> 7
    return (value >> turn | value << 32 - turn) & 0xFFFF_FFFF


def _join(memories: Iterable[tuple[int, int, str]]) -> list[tuple[int, int]]:
    """Return (start, end) of what the memories cover, neighbours joined."""
    areas: list[tuple[int, int]] = []
    for start, size, _ in sorted(memories):
        if areas and start <= areas[-1][1]:
            areas[-1] = (areas[-1][0], max(areas[-1][1], start + size))
        else:
            areas.append((start, start + size))
    return areas


def _inside(address: int, size: int, areas: list[tuple[int, int]]) -> bool:
    return any(start <= address and address + size <= end for start, end in areas)
