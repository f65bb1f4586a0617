"""The guest's address space: mapping, protection, views, code notification."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xemu.core import hostmem
from xemu.core.memory import CODE, EXEC, PAGE, READ, SHARED, WRITE, AddressSpace, GuestFault
from xemu.hw.machine import make_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

A = 0x10000


@pytest.fixture
def space() -> Iterator[AddressSpace]:
    """Give a 32-bit space."""
    made = AddressSpace(32)
    yield made
    made.close()


def ranges(space: AddressSpace) -> list[tuple[int, int, int]]:
    """Return the areas as (start, end, prot)."""
    return [(a.start, a.end, a.prot) for a in space.areas()]


def test_map_gives_zeroed_memory_that_keeps_what_is_written(space: AddressSpace) -> None:
    space.map(A, 3 * PAGE, READ | WRITE)
    assert space.read(A, 16) == bytes(16)
    space.write(A + PAGE - 2, b"hello")
    assert space.read(A + PAGE - 2, 5) == b"hello"


def test_length_is_rounded_up_to_pages(space: AddressSpace) -> None:
    space.map(A, 1, READ)
    assert ranges(space) == [(A, A + PAGE, READ)]


@pytest.mark.parametrize(("addr", "length"), [(A + 1, PAGE), (A, 0), (0xFFFFF000, 2 * PAGE), (-PAGE, PAGE)])
def test_map_refuses_what_is_not_a_range_of_pages(space: AddressSpace, addr: int, length: int) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - the number differs by case
        space.map(addr, length, READ)


def test_the_last_page_of_the_space_can_be_used(space: AddressSpace) -> None:
    space.map(0xFFFFF000, PAGE, READ | WRITE)
    space.write(0xFFFFFFFC, b"last")
    assert space.read(0xFFFFFFFC, 4) == b"last"
    with pytest.raises(GuestFault) as fault:
        space.read(0xFFFFFFFC, 5)
    assert fault.value.address == 0x100000000


def test_view_names_the_first_bad_byte(space: AddressSpace) -> None:
    space.map(A, 2 * PAGE, READ | WRITE)
    space.protect(A + PAGE, PAGE, READ)
    with pytest.raises(GuestFault) as fault:
        space.view(A + PAGE - 4, 8, WRITE)
    assert (fault.value.address, fault.value.access, fault.value.mapped) == (A + PAGE, WRITE, True)
    with pytest.raises(GuestFault) as fault:
        space.view(A + 2 * PAGE - 4, 8, READ)
    assert (fault.value.address, fault.value.mapped) == (A + 2 * PAGE, False)


def test_no_access_pages_are_mapped_but_refuse_everything(space: AddressSpace) -> None:
    space.map(A, PAGE, 0)
    with pytest.raises(GuestFault) as fault:
        space.read(A, 1)
    assert fault.value.mapped
    assert space.peek(A, 4) == bytes(4)


def test_empty_views_touch_nothing(space: AddressSpace) -> None:
    assert bytes(space.view(0, 0, READ)) == b""


def test_unmap_leaves_a_hole_and_splits_the_area(space: AddressSpace) -> None:
    space.map(A, 3 * PAGE, READ)
    space.unmap(A + PAGE, PAGE)
    assert ranges(space) == [(A, A + PAGE, READ), (A + 2 * PAGE, A + 3 * PAGE, READ)]
    assert space.peek(A, 2 * PAGE) is None


def test_mapping_again_gives_fresh_memory(space: AddressSpace) -> None:
    space.map(A, PAGE, READ | WRITE)
    space.write(A, b"old")
    space.map(A, PAGE, READ | WRITE)
    assert space.read(A, 3) == bytes(3)


def test_protect_splits_and_equal_neighbours_join_again(space: AddressSpace) -> None:
    space.map(A, 3 * PAGE, READ | WRITE)
    space.protect(A + PAGE, PAGE, READ)
    assert len(ranges(space)) == 3
    space.protect(A + PAGE, PAGE, READ | WRITE)
    assert ranges(space) == [(A, A + 3 * PAGE, READ | WRITE)]


def test_protect_of_a_hole_is_refused(space: AddressSpace) -> None:
    space.map(A, PAGE, READ)
    with pytest.raises(OSError, match="allocate"):
        space.protect(A, 2 * PAGE, READ)


def test_private_file_mapping_does_not_change_the_file(space: AddressSpace, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 5000)
    fd = os.open(path, os.O_RDONLY)
    space.map(A, 5000, READ | WRITE, fd=fd)
    os.close(fd)
    space.write(A, b"yy")
    assert path.read_bytes()[:2] == b"xx"
    assert next(space.areas()).path == str(path)


def test_shared_file_mapping_changes_the_file_and_is_flagged(space: AddressSpace, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * PAGE)
    fd = os.open(path, os.O_RDWR)
    space.map(A, PAGE, READ | WRITE, fd=fd, shared=True)
    os.close(fd)
    space.write(A, b"yy")
    assert path.read_bytes()[:3] == b"yyx"
    assert space.flags[A >> 12] & SHARED


def test_read_only_shared_file_cannot_become_writable(space: AddressSpace, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * PAGE)
    fd = os.open(path, os.O_RDONLY)
    space.map(A, PAGE, READ, fd=fd, shared=True)
    os.close(fd)
    with pytest.raises(PermissionError):
        space.protect(A, PAGE, READ | WRITE)


def test_move_takes_contents_along(space: AddressSpace) -> None:
    space.map(A, 2 * PAGE, READ | WRITE)
    space.write(A + PAGE, b"moved")
    space.move(A, 2 * PAGE, 4 * PAGE, 0x80000)
    assert space.read(0x80000 + PAGE, 5) == b"moved"
    assert space.read(0x80000 + 3 * PAGE, 1) == b"\0"
    assert ranges(space) == [(0x80000, 0x84000, READ | WRITE)]


def test_grow_needs_free_room(space: AddressSpace) -> None:
    space.map(A, PAGE, READ | WRITE)
    space.map(A + 3 * PAGE, PAGE, READ)
    assert space.grow(A, PAGE, 3 * PAGE)
    assert not space.grow(A, 3 * PAGE, 4 * PAGE)
    space.write(A + 2 * PAGE, b"z")


def test_find_free_from_both_ends(space: AddressSpace) -> None:
    space.map(A, PAGE, READ)
    space.map(A + 2 * PAGE, PAGE, READ)
    assert space.find_free(PAGE, A, A + 3 * PAGE) == A + PAGE
    assert space.find_free(PAGE, A, 0x100000, top_down=False) == A + PAGE
    assert space.find_free(2 * PAGE, A, A + 3 * PAGE) is None
    assert space.find_free(PAGE, A, 0x100000) == 0xFF000


def test_writes_to_code_are_reported_before_they_happen(space: AddressSpace) -> None:
    seen: list[tuple[int, int, bytes]] = []
    space.map(A, 2 * PAGE, READ | WRITE | EXEC)
    space.code_changed = lambda addr, length: seen.append((addr, length, space.peek(A, 2) or b""))
    space.write(A, b"ab")
    assert seen == []
    space.flags[A >> 12] |= CODE
    space.write(A, b"cd")
    assert seen == [(A, 2, b"ab")]


@pytest.mark.parametrize("change", ["map", "unmap", "protect"])
def test_changing_a_code_page_is_reported(space: AddressSpace, change: str) -> None:
    seen: list[tuple[int, int]] = []
    space.map(A, PAGE, READ | EXEC)
    space.flags[A >> 12] |= CODE
    space.code_changed = lambda addr, length: seen.append((addr, length))
    getattr(space, change)(*((A, PAGE) if change == "unmap" else (A, PAGE, READ)))
    assert seen == [(A, PAGE)]


def test_c_string_stops_at_zero_limit_and_fault(space: AddressSpace) -> None:
    space.map(A, PAGE, READ | WRITE)
    space.write(A, b"text\0more")
    assert space.c_string(A) == b"text"
    assert space.c_string(A, 2) == b"te"
    space.write(A + PAGE - 3, b"end")
    with pytest.raises(GuestFault):
        space.c_string(A + PAGE - 3)


def test_words_are_little_endian(space: AddressSpace) -> None:
    space.map(A, PAGE, READ | WRITE)
    space.write_u64(A, 0x1122334455667788)
    assert space.read_u32(A) == 0x55667788
    space.write_u32(A, -1)
    assert space.read_u64(A) == 0x11223344FFFFFFFF


def test_clear_forgets_everything(space: AddressSpace) -> None:
    space.map(A, PAGE, READ)
    space.clear()
    assert ranges(space) == []
    with pytest.raises(GuestFault):
        space.read(A, 1)


def test_discard_drops_private_contents(space: AddressSpace) -> None:
    space.map(A, PAGE, READ | WRITE)
    space.write(A, b"gone")
    space.discard(A, PAGE)
    assert space.read(A, 4) == bytes(4)


def reserved() -> int:
    """Return how many bytes of address space this process uses, without what earlier tests have left."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[0]) * hostmem.HOST_PAGE


def test_a_window_that_nobody_owns_is_given_back() -> None:
    before = reserved()
    first, second = AddressSpace(32), AddressSpace(32)
    assert (reserved() - before) >> 32 == 2
    first.close()
    assert (reserved() - before) >> 32 == 1
    del first, second                                # the first is not given back twice
    assert (reserved() - before) >> 32 == 0


def test_a_machine_that_nobody_owns_gives_its_memory_back() -> None:
    before = reserved()
    machine = make_machine("mps2-an385")
    machine.run(100)
    assert (reserved() - before) >> 32 == 1
    del machine
    assert (reserved() - before) >> 32 == 0
