"""What is known about boards without building them: for guessing a machine, for lists, for messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.hw.machine import Machine
from xemu.hw.memory import Alias, Memory, Ram

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xemu.hw.machine import Board
    from xemu.loaders.guess import MachineFacts

#: names by which file formats know a board: families of UF2, boards of a Universal Hex
LABELS = {"microbit": ("9900",), "netduinoplus2": ("STM32F4",), "olimex-stm32-h405": ("STM32F4",)}


def sketch(board: Board) -> Machine:
    """Return a board's machine with its parts declared and nothing behind them: no memory, no engine."""
    machine = Machine(board.name)
    board.build(machine)
    return machine


def facts_of(board: Board) -> MachineFacts:
    """Return what guessing needs to know about a board."""
    from xemu.hw.device import Device
    from xemu.loaders.guess import MachineFacts

    machine = sketch(board)
    cpu: Any = machine.cpu
    hints = [p.at for p in machine.parts.values() if isinstance(p, Device) and p.at is not None and p.at < 0xE000_0000]
    return MachineFacts(board.name, cpu.title.lower(), architecture(cpu), memories(machine), cpu.vectors, hints,
                        LABELS.get(board.name, ()))


def architecture(cpu: Any) -> str:
    """Return the architecture of a core, as build attributes name it."""
    from xemu.targets.arm import layout

    return {layout.V6M: "armv6-m", layout.V7M: "armv7-m", layout.V7EM: "armv7e-m"}[cpu.arch]


def memories(machine: Machine) -> list[tuple[int, int, str]]:
    """Return (start, size, kind) of what a program can be loaded into."""
    found = []
    for part in machine.parts.values():
        if isinstance(part, (Memory, Alias)):
            original = part.of if isinstance(part, Alias) else part
            found.append((part.at, part.size, "RAM" if isinstance(original, Ram) else original.kind))
    return found


def memory_words(machine: Machine) -> str:
    """Return the memories in words, for messages: "flash 0x0 to 0x3ffff, sram 0x20000000 to 0x2000ffff"."""
    return ", ".join(f"{name} {part.at:#x} to {part.at + part.size - 1:#x}"
                     for name, part in machine.parts.items() if isinstance(part, Memory))


def all_facts(names: Iterable[str]) -> list[MachineFacts]:
    """Return the facts of boards by name."""
    from xemu.hw.machines import find_board

    return [facts_of(find_board(name)) for name in names]
