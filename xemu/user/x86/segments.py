"""Segments as user programs see them: flat ones, and three descriptors for thread-local storage (`arch/x86/kernel/tls.c`)."""

from __future__ import annotations

from errno import EINVAL, ESRCH
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xemu.user.task import Task

CODE64, CODE32, DATA = 0x33, 0x23, 0x2B
FLAT = frozenset((0, 1, 2, 3, CODE64, CODE32, DATA))
TLS_FIRST, TLS_COUNT = 12, 3  # entries of the GDT
NUMBERS = {"es": 0, "cs": 1, "ss": 2, "ds": 3, "fs": 4, "gs": 5}
SEG_32BIT, CONTENTS, NOT_PRESENT, EMPTY = 1, 6, 0x20, 0x28  # of struct user_desc
USABLE_DATA = 0x51  # 32 bits, limit in pages, usable
LIMIT = 0xFFFFF


def load(state: Any, name: str, selector: int) -> None:
    """Load a segment register as `mov` does; ValueError where that is #GP."""
    entry = (selector >> 3) - TLS_FIRST
    if selector in FLAT:
        base = 0
    elif 0 <= entry < TLS_COUNT and not selector & 4:
        base = state.get(state.layout.cells["GDT"], entry)
    else:
        raise ValueError(f"no segment {selector:#x}")
    set_base(state, name, selector, base)


def set_base(state: Any, name: str, selector: int, base: int) -> None:
    """Give a segment register any base."""
    cells, number = state.layout.cells, NUMBERS[name]
    state.set(cells["SEL"], number, selector)
    state.set(cells["SEG"], number, base)


def base_of(state: Any, name: str) -> int:
    """Return the base of a segment register."""
    return int(state.get(state.layout.cells["SEG"], NUMBERS[name]))


def set_entry(task: Task, address: int, *, allocate: bool) -> None:
    """Set the descriptor that a struct user_desc describes; `allocate`: -1 means a free one, and is told; OSError, GuestFault."""
    layout = task.process.abi.layouts["user_desc"]
    wanted = layout.unpack(task.space.read(address, layout.size))
    state = task.process.engine.state
    cell = state.layout.cells["GDT"]
    empty = wanted.base_addr == wanted.limit == 0 and wanted.flags in (0, EMPTY)
    if not empty and (not wanted.flags & SEG_32BIT or wanted.flags & CONTENTS > 2 or wanted.flags & NOT_PRESENT):
        raise OSError(EINVAL, "descriptor")
    number = wanted.entry_number
    if number == -1 and allocate:
        free = [n for n in range(TLS_COUNT) if not state.get(cell, n)]
        if not free:
            raise OSError(ESRCH, "descriptor")
        number = free[0] + TLS_FIRST
        task.space.write_u32(address, number)
    if not TLS_FIRST <= number < TLS_FIRST + TLS_COUNT:
        raise OSError(EINVAL, "descriptor")
    state.set(cell, number - TLS_FIRST, 0 if empty else wanted.base_addr)
    for name in ("ds", "es", "fs", "gs"):
        selector = state.get(state.layout.cells["SEL"], NUMBERS[name])
        if selector >> 3 == number:
            load(state, name, selector)


def get_entry(task: Task, address: int) -> None:
    """Fill in a struct user_desc; OSError, GuestFault."""
    layout = task.process.abi.layouts["user_desc"]
    number = layout.unpack(task.space.read(address, layout.size)).entry_number
    if not TLS_FIRST <= number < TLS_FIRST + TLS_COUNT:
        raise OSError(EINVAL, "descriptor")
    state = task.process.engine.state
    base = state.get(state.layout.cells["GDT"], number - TLS_FIRST)
    limit, flags = (LIMIT, USABLE_DATA) if base else (0, EMPTY)
    task.space.write(address, layout.pack(entry_number=number, base_addr=base, limit=limit, flags=flags))
