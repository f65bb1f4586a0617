"""The memory of guests with 64-bit addresses: as that of others, and nothing takes memory in proportion to the window."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xemu.core import hostmem
from xemu.core.engine import Engine, Options
from xemu.core.memory import (
    CLEAN,
    CODE,
    EXEC,
    FAST_WRITE,
    PAGE,
    READ,
    SMALL_WINDOW_BITS,
    WINDOW_BITS,
    WRITE,
    AddressSpace,
    GuestFault,
    make_space,
    with_fast_write,
)
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Iterator

A = 0x0F12_3456_7000
TERA = 1 << 40
MOST = 64 << 20          # bytes of memory that a test may take; one byte for each page of a window are 16 GB or more


@pytest.fixture(params=[WINDOW_BITS, SMALL_WINDOW_BITS])
def space(request: pytest.FixtureRequest) -> Iterator[AddressSpace]:
    """Give a space; the test must not take memory in proportion to it."""
    before = resident()
    made = AddressSpace(request.param)
    yield made
    taken = resident() - before
    made.close()
    assert taken < MOST


@pytest.fixture
def large() -> Iterator[AddressSpace]:
    """Give a space of 46 bits."""
    before = resident()
    made = AddressSpace(WINDOW_BITS)
    yield made
    taken = resident() - before
    made.close()
    assert taken < MOST


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * hostmem.HOST_PAGE


def refused(space: AddressSpace, addr: int, length: int, access: int = READ) -> tuple[int, bool]:
    """Return where an access fails, and whether something is mapped there."""
    with pytest.raises(GuestFault) as fault:
        space.view(addr, length, access)
    return fault.value.address, fault.value.mapped


@pytest.mark.parametrize("page", [0, 1, 1 << 20, -2, -1])
def test_pages_everywhere_hold_what_is_written(space: AddressSpace, page: int) -> None:
    at = page % space.pages * PAGE
    space.map(at, PAGE, READ | WRITE)
    space.write(at + PAGE - 4, b"last")
    assert space.read(at + PAGE - 4, 4) == b"last"
    assert space.peek(at, 4) == bytes(4)
    space.protect(at, PAGE, READ)
    assert refused(space, at, 1, WRITE) == (at, True)
    space.unmap(at, PAGE)
    assert refused(space, at, 1) == (at, False)


def test_accesses_fail_at_the_first_byte_outside(space: AddressSpace) -> None:
    end = space.limit
    space.map(end - 2 * PAGE, 2 * PAGE, READ | WRITE)
    space.map(0, PAGE, READ | WRITE)
    for addr, length, bad in ((end - 4, 5, end), (end - 2 * PAGE, 3 * PAGE, end), (end, 1, end), (end + 8, 1, end + 8),
                              (1 << 47, 8, 1 << 47), (1 << 63, 1, 1 << 63), ((1 << 64) - 4, 8, (1 << 64) - 4), (PAGE - 4, 8, PAGE),
                              (0, end, PAGE), (0, 1 << 64, PAGE), (end - 3 * PAGE, 1 << 60, end - 3 * PAGE)):
        assert refused(space, addr, length) == (bad, False)
        assert refused(space, addr, length, WRITE) == (bad, False)
        assert space.peek(addr, length) is None
    assert space.poke(end - 4, b"12345") is False
    assert space.poke((1 << 64) - 4, b"12345") is False
    assert space.area_at(end) is space.area_at((1 << 64) - 4) is None


@pytest.mark.parametrize(("pages", "length"), [(0, PAGE), (-1, 2 * PAGE), (1 << 20, PAGE)])
def test_mappings_outside_are_refused(space: AddressSpace, pages: int, length: int) -> None:
    at = space.limit + pages * PAGE
    for call in (lambda: space.map(at, length, READ), lambda: space.unmap(at, length), lambda: space.discard(at, length)):
        with pytest.raises(OSError) as error:  # noqa: PT011  any of a number
            call()
        assert error.value.errno == errno.ENOMEM


def test_mappings_move_and_grow(space: AddressSpace) -> None:
    last = space.limit - 4 * PAGE
    space.map(A % TERA // 8 & -PAGE, 2 * PAGE, READ | WRITE)
    old = next(iter(space.areas())).start
    space.write(old + PAGE, b"moved")
    space.move(old, 2 * PAGE, 3 * PAGE, last)
    assert space.read(last + PAGE, 5) == b"moved"
    assert refused(space, old + PAGE, 1) == (old + PAGE, False)
    assert space.grow(last, 3 * PAGE, 4 * PAGE)
    assert not space.grow(last, 4 * PAGE, 5 * PAGE)
    space.write(space.limit - 1, b"x")


def test_files_can_be_mapped(space: AddressSpace, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"text" * PAGE)
    with path.open("rb") as file:
        space.map(space.limit - 4 * PAGE, 4 * PAGE, READ, fd=file.fileno())
    assert space.read(space.limit - 4, 4) == b"text"
    os.truncate(path, PAGE)
    assert space.read(space.limit - 4, 4) == bytes(4)                     # and no SIGBUS
    assert space.lost == [space.limit - 4]


def test_free_places_are_found(space: AddressSpace) -> None:
    space.map(space.limit - PAGE, PAGE, READ)
    assert space.find_free(2 * PAGE, PAGE, space.limit) == space.limit - 3 * PAGE
    assert space.find_free(2 * PAGE, PAGE, space.limit, top_down=False) == PAGE
    assert space.find_free(space.limit, 0, space.limit) is None


@pytest.mark.parametrize("prot", [0, READ, READ | WRITE])
def test_terabytes_that_are_not_used_are_no_memory(large: AddressSpace, prot: int) -> None:
    for round_ in range(2):
        large.map(A, 20 * TERA, prot)                                     # as allocators and sanitizers do
        inside = A + 10 * TERA
        assert {*large.flags[A >> 12 : (A >> 12) + 3], large.flags[A + 20 * TERA - 1 >> 12]} == {with_fast_write(prot)}
        large.protect(inside, 2 * PAGE, READ | WRITE)
        large.write(inside + PAGE, b"used")
        if not prot & WRITE:
            assert refused(large, inside, 3 * PAGE, WRITE) == (inside + 2 * PAGE, True)
        assert large.held(0, large.limit) == [inside + PAGE >> 12]
        if round_:
            large.clear()
        else:
            large.unmap(A, 20 * TERA)
        assert large.is_free(0, large.limit)
        assert refused(large, inside + PAGE, 1) == (inside + PAGE, False)
        assert not any(large.flags[inside - PAGE >> 12 : (inside >> 12) + 4])


def test_parts_of_large_ranges_change_their_rights_exactly(large: AddressSpace) -> None:
    at, count = 5 * PAGE, (1 << 16) + 5000                                # edges that are no whole pages of the table
    for prot, after in ((READ, 0), (0, READ), (READ | EXEC, READ)):
        large.map(at - PAGE, (count + 2) * PAGE, prot)
        large.protect(at, count * PAGE, after)
        flags = bytes(large.flags[3 : count + 8])
        assert flags == bytes((0, prot)) + bytes((after,)) * count + bytes((prot, 0, 0))


def test_a_recording_keeps_what_changes(large: AddressSpace) -> None:
    kept: list[int] = []
    large.map(A, 20 * TERA, 0)
    large.map(PAGE, 2 * PAGE, READ | WRITE)
    large.keep = kept.append
    large.mark_clean()
    assert large.flags[1] == READ | WRITE | CLEAN
    large.write(PAGE, b"changed")
    large.write(PAGE, b"again")
    assert large.flags[1] == READ | WRITE | FAST_WRITE
    inside = A + TERA
    large.poke(inside, b"by a debugger")                                  # pages that the guest may not write are not marked
    assert kept == [1, inside >> 12]
    large.protect(inside, PAGE, READ | WRITE)
    assert large.flags[inside >> 12] == READ | WRITE | CLEAN


def test_code_in_large_ranges_is_forgotten_with_them(large: AddressSpace) -> None:
    engine = Engine(get_target("arm"), large, Options(jit=False))         # (it runs nothing)
    large.map(0, TERA, READ | EXEC, path="code")
    engine.page(TERA - 2 * PAGE, 0)
    assert large.flags[(TERA >> 12) - 2] & CODE
    large.unmap(PAGE, TERA - PAGE)
    assert engine.pages == {}


def test_a_child_has_its_own_copy(large: AddressSpace) -> None:
    large.map(large.limit - PAGE, PAGE, READ | WRITE)
    large.write(large.limit - 5, b"first")
    pid = os.fork()
    if not pid:
        large.write(large.limit - 5, b"child")
        os._exit(large.read(large.limit - 5, 5) != b"child")
    assert os.waitpid(pid, 0)[1] == 0
    assert large.read(large.limit - 5, 5) == b"first"


def test_guests_of_both_kinds_come_one_after_the_other() -> None:
    for bits in (32, 64, 32, 64, 64, 32):
        space = make_space(bits)
        assert space.bits == min(bits, WINDOW_BITS)
        space.map(space.limit - PAGE, PAGE, READ | WRITE)
        space.write(space.limit - 4, b"last")
        space.itself = space  # type: ignore[attr-defined]                # garbage that only a collection finds
        del space


def test_a_second_guest_at_a_time_has_a_small_window() -> None:
    first, second = make_space(64), make_space(64)
    assert (first.bits, second.bits) == (WINDOW_BITS, SMALL_WINDOW_BITS)
    second.map(second.limit - PAGE, PAGE, READ | WRITE)
    second.write(second.limit - 4, b"last")
    first.close()
    second.close()


def test_large_ranges_need_no_descriptor(large: AddressSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    def memfd_create(_name: str) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    large.map(PAGE, 1 << 32, READ)
    assert {*large.flags[1 : (1 << 20) + 1]} == {READ}
    assert large.flags[0] == large.flags[(1 << 20) + 1] == 0
