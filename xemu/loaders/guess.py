"""Which machine is a firmware image for? Evidence from the file, weighed; the command line asks when it is not enough.

What rules a machine out: another instruction set, an architecture newer than the core's, floating point the core does
not have, bytes outside its memories. What speaks for one, in points: the vector table, the initial stack pointer, the
architecture, and above all the addresses of peripherals that the code contains.
Armv7-M Architecture Reference Manual (DDI 0403), B1.5.3 "The vector table"; Armv6-M (DDI 0419), B1.5.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xemu.loaders.formats import FirmwareImage
    from xemu.loaders.pieces import Piece

PROFILE_M = ("armv6-m", "armv7-m", "armv7e-m")  # each runs what those before it run
SCANNED = 4 << 20  # bytes of an image that are searched for addresses of peripherals
PERIPHERALS = range(0x4000_0000, 0x6000_0000)
PAGE_MASK = ~0xFFF
CLEAR = 0.75  # certainty from which a candidate is taken without asking

# points; two to the power of their sum is what a machine counts against the others and against "none of these" (1)
SAME_ARCHITECTURE, SAME_CPU, LABELLED = 2.0, 2.0, 5.0
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
    starts = [piece.address for piece in image.pieces if piece.data]
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
        evidence.add(ADDRESSES * len(own) / len(used), f"has {len(own)} of the {len(used)} peripherals it names")


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
    """Return the 4 KiB pages of peripheral space that words of the image, or its MOVW/MOVT pairs, point into."""
    budget = SCANNED
    pages: set[int] = set()
    for piece in image.pieces:
        data = piece.data[: max(budget, 0)]
        budget -= len(data)
        skip = -piece.address % 4
        words = memoryview(data)[skip : skip + (len(data) - skip) // 4 * 4].cast("I") if len(data) >= skip + 4 else ()
        values = {_swap(word) for word in words} if image.order == ">" else set(words)
        if image.order == "<":
            values |= set(move_pairs(piece))
        pages |= {value & PAGE_MASK for value in values if value in PERIPHERALS}
    return pages


def _swap(word: int) -> int:
    return int.from_bytes(word.to_bytes(4, "little"), "big")


def move_pairs(piece: Piece) -> Iterable[int]:
    """Yield the constants that MOVW and MOVT make together (T32, encodings T3 and T1; DDI 0403, A7.7.76 and A7.7.79)."""
    skip = piece.address % 2
    data = piece.data[skip:SCANNED]
    halves = memoryview(data)[: len(data) // 2 * 2].cast("H")
    for at, half in enumerate(halves):
        if half & 0xFBF0 != 0xF2C0 or at + 1 >= len(halves):
            continue
        register = halves[at + 1] & 0x0F00
        for before in range(at - 2, max(at - 34, -1), -1):  # compilers keep the two close together
            if halves[before] & 0xFBF0 == 0xF240 and halves[before + 1] & 0x8F00 == register:
                yield _immediate(half, halves[at + 1]) << 16 | _immediate(halves[before], halves[before + 1])
                break


def _immediate(first: int, second: int) -> int:
    """Return imm4:i:imm3:imm8 of a MOVW or MOVT."""
    return (first & 15) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF


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
