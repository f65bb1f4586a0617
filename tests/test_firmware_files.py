"""Firmware files: what each format's reader gives, and one line for everything that is wrong with a file."""

from __future__ import annotations

import ast
import os
import re
import struct
import subprocess
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import give_up
from tests.packages import PackageError, sysroot
from tests.support.firmware import arm_attributes, elf, ihex, ihex_line, srec, srec_line, uf2, uf2_block, universal_hex
from tests.support.pypi import source_file
from xemu.errors import ImageError, NotFoundError
from xemu.loaders.arm_attributes import architecture_name, read_attributes
from xemu.loaders.firmware import FirmwareImage, load_bytes, load_firmware
from xemu.loaders.pieces import MAX_RUNS, Collector, Piece

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MiB = 1 << 20
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure


def load(blob: bytes, **request: int) -> FirmwareImage:
    return load_bytes(blob, "f", **request)


def contents(image: FirmwareImage) -> list[tuple[int, bytes]]:
    return [(piece.address, piece.data) for piece in image.pieces if piece.data]


def joined(records: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return what records say, sorted and joined, byte by byte: the model of the collector."""
    memory = {address + i: byte for address, data in records for i, byte in enumerate(data)}
    areas: list[tuple[int, bytearray]] = []
    for address in sorted(memory):
        if areas and areas[-1][0] + len(areas[-1][1]) == address:
            areas[-1][1].append(memory[address])
        else:
            areas.append((address, bytearray([memory[address]])))
    return [(address, bytes(data)) for address, data in areas]


@st.composite
def record_lists(draw: st.DrawFn, space: int = 32, longest: int = 40) -> list[tuple[int, bytes]]:
    """Records cut from a few areas, in any order, some twice or overlapping with the same bytes."""
    starts = draw(st.lists(st.one_of(st.integers(0, (1 << space) - 700), st.integers(0, 300), st.just(0xFFF0)), min_size=1, max_size=4))
    pattern = draw(st.binary(min_size=7, max_size=11))
    records = []
    for start in starts:
        for _ in range(draw(st.integers(1, 5))):
            address = start + draw(st.integers(0, 200))
            length = draw(st.integers(1, longest))
            data = bytes(pattern[(address + i) % len(pattern)] ^ (address + i) >> 8 & 0xFF for i in range(length))
            records.append((address, data))
    return records


@UNTIMED
@given(record_lists(), st.integers(0, 0xFFFFFFFF))
def test_intel_hex_round_trip(records: list[tuple[int, bytes]], entry: int) -> None:
    image = load(ihex(records, entry=entry))
    assert (contents(image), image.kind, image.entry) == (joined(records), "Intel HEX", entry)


@UNTIMED
@given(record_lists(space=16), st.integers(1, 3), st.integers(0, 0xFFFF))
def test_s_record_round_trip(records: list[tuple[int, bytes]], kind: int, entry: int) -> None:
    fitting = [(address, data) for address, data in records if address + len(data) <= 0x10000] or [(0, b"x")]
    image = load(srec(fitting, kind=kind, entry=entry, header=b"blinky"))
    assert (contents(image), image.kind, image.entry, image.attributes["header"]) == (joined(fitting), "S-record", entry, "blinky")


@UNTIMED
@given(record_lists(longest=476))
def test_uf2_round_trip(records: list[tuple[int, bytes]]) -> None:
    image = load(uf2(records, family=0x57755A57))
    assert contents(image) == joined(records)
    assert (image.arch, image.attributes["family_name"], image.entry) == ("arm", "STM32F4", None)


@UNTIMED
@given(record_lists(), st.sampled_from([(32, "<"), (64, "<"), (32, ">"), (64, ">")]), st.booleans())
def test_elf_round_trip(records: list[tuple[int, bytes]], shape: tuple[int, str], moved: bool) -> None:
    bits, order = shape
    segments = [(0x20000000 if moved else paddr, paddr, data, len(data)) for paddr, data in records]
    image = load(elf(segments, bits=bits, order=order, entry=0x101))
    expected = records if any(paddr for paddr, _ in records) else [(vaddr, data) for vaddr, _, data, _ in segments]
    assert (contents(image), image.bits, image.order, image.entry) == (joined(expected), bits, order, 0x101)


def test_raw_goes_where_it_is_told() -> None:
    image = load(b"\0\1\2\3", base=0x0800_0000)
    assert (image.pieces, image.kind, image.arch, image.entry) == ([Piece(0x0800_0000, b"\0\1\2\3", 4)], "raw", None, None)
    assert contents(load(b"\0\1", base=0)) == [(0, b"\0\1")]
    assert contents(load(b"\0\1", base=(1 << 64) - 2)) == [((1 << 64) - 2, b"\0\1")]


def test_image_gives_its_words_and_shows_itself() -> None:
    image = load(elf([(0x0800_0000, 0x0800_0000, bytes(range(16)), 16), (0x2000_0000, 0x0800_0010, b"data", 0x104)], entry=0x0800_0009))
    assert (image.word(0x0800_0004), image.word(0x0800_0010), image.word(0x0800_0011)) == (0x07060504, 0x61746164, None)
    assert image.read(0x2000_0004, 4) is None
    assert image.size == 20
    assert repr(image) == "<FirmwareImage 'f' ELF arm entry=0x8000009 0x14 bytes: [0x8000000..0x8000014, 0x20000004..0x20000104 zeros]>"


def test_zeros_of_a_segment_stored_elsewhere_are_where_the_program_runs() -> None:
    image = load(elf([(0x2000_0000, 0x0800_0000, b"abcd", 0x8000_0000)]))  # the size alone costs nothing
    assert image.pieces == [Piece(0x0800_0000, b"abcd", 4), Piece(0x2000_0004, b"", 0x7FFF_FFFC)]


def test_segments_may_end_where_addresses_end_and_others_are_not_loaded() -> None:
    blob = bytearray(elf([(0x100, 0x100, b"note", 4), (0xFFFF_FFF0, 0x200, b"code", 16)]))
    struct.pack_into("<I", blob, 52, 4)  # PT_NOTE
    assert load(bytes(blob)).pieces == [Piece(0x200, b"code", 4), Piece(0xFFFF_FFF4, b"", 12)]


def test_elf_without_physical_addresses_goes_to_its_virtual_ones() -> None:
    assert contents(load(elf([(0x100, 0, b"a", 1), (0x200, 0, b"b", 1)]))) == [(0x100, b"a"), (0x200, b"b")]


def test_build_attributes_of_arm() -> None:
    pairs = b"\x05Cortex-M4\0\x06\x0d\x07M\x0a\x06\x20\x01gnu\0\x43"
    pairs += b"2.09\0\x1b\x01\x80\x01\x05\x41\x06\x0b\0\x2c\x02"  # tags 128 and 65: not kept
    found = read_attributes(arm_attributes(pairs), "<")
    assert found == {
        "Tag_CPU_name": "Cortex-M4", "Tag_CPU_arch": 13, "Tag_CPU_arch_profile": 0x4D, "Tag_FP_arch": 6, "Tag_conformance": "2.09",
        "Tag_ABI_HardFP_use": 1, "Tag_DIV_use": 2,
    }  # fmt: skip
    assert architecture_name(found) == "armv7e-m"


@pytest.mark.parametrize(
    ("number", "profile", "name"),
    [(11, 77, "armv6-m"), (17, 77, "armv8-m.main"), (99, 0, None),
     (10, 77, "armv7-m"), (10, 65, "armv7-a"), (10, 0, "armv7"), (13, 77, "armv7e-m")],
)  # fmt: skip
def test_architecture_of_attributes(number: int, profile: int, name: str | None) -> None:
    assert architecture_name({"Tag_CPU_arch": number, "Tag_CPU_arch_profile": profile}) == name


@UNTIMED
@given(st.binary(max_size=80))
@example(arm_attributes(b"\x05no end"))
@example(arm_attributes(b"\x06" + b"\xff" * 40))
def test_damaged_attributes_are_left_out(data: bytes) -> None:
    assert all(name.startswith("Tag_") for name in read_attributes(b"A" + data, "<"))


def test_segment_addresses_wrap_and_linear_ones_run_on() -> None:
    data = ihex_line(0, b"abcd", 0xFFFE)
    assert contents(load((ihex_line(2, b"\x12\x34") + data + ihex_line(1)).encode())) == [(0x12340, b"cd"), (0x2233E, b"ab")]
    assert contents(load((ihex_line(4, b"\x12\x34") + data + ihex_line(1)).encode())) == [(0x1234FFFE, b"abcd")]


def test_start_records_of_intel_hex() -> None:
    data = ihex_line(0, b"x")
    assert load((data + ihex_line(3, bytes.fromhex("12345678")) + ihex_line(1)).encode()).entry == 0x12340 + 0x5678
    assert load((data + ihex_line(5, bytes.fromhex("12345679")) + ihex_line(1)).encode()).entry == 0x12345679


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b" \r\n\n"])
@pytest.mark.parametrize("text", [ihex([(0x1000, b"abc")]), srec([(0x1000, b"abc")])])
def test_line_ends_case_and_marks_do_not_matter(text: bytes, line_end: bytes) -> None:
    lower = text.replace(b"S", b"\0").lower().replace(b"\0", b"S").replace(b"\n", line_end)
    assert contents(load(b"\xef\xbb\xbf\n" + lower + b"\x1a\0\0")) == [(0x1000, b"abc")]


def test_universal_hex_gives_the_block_of_the_first_micro_bit() -> None:
    blocks = [(0x9903, [(0, b"second"), (0x1000_0000, b"only")]), (0x9901, [(0, b"first")]), (0x9904, [(0x20, b"later")])]
    image = load(universal_hex(blocks))
    assert (contents(image), image.kind, image.attributes["boards"]) == ([(0, b"first")], "Universal Hex", [0x9903, 0x9901, 0x9904])
    assert image.notes == ["blocks for board 9903, 9904 (micro:bit V2) are skipped"]


def test_what_follows_the_end_record_is_ignored_and_said() -> None:
    assert load(ihex([(0, b"a")]) + ihex([(0, b"b")])).notes == ["2 lines after the end record of line 2 are ignored"]
    assert load(srec([(0, b"a")]) + b"S\n\n").notes == ["1 lines after the end record of line 3 are ignored"]


def test_uf2_blocks_in_any_order_twice_and_for_others() -> None:
    blocks = [
        uf2_block(0x100, b"b" * 256, 1, 3, flags=0x4000, tail=b"\xaa" * 24),
        uf2_block(0, b"source text", 2, 3, flags=1),
        uf2_block(0, b"a" * 256, 0, 3),
        uf2_block(0x100, b"b" * 256, 1, 3),
    ]
    image = load(b"".join(blocks))
    assert contents(image) == [(0, b"a" * 256 + b"b" * 256)]
    assert (image.notes, image.arch) == (["1 blocks that are not for main flash are skipped"], None)


def test_uf2_family_is_chosen() -> None:
    both = uf2([(0, b"old")], family=0x68ED2B88) + uf2([(0, b"new")], family=0x12345678)
    assert contents(load(both, family=0x68ED2B88)) == [(0, b"old")]
    assert contents(load(both, family=0x12345678)) == [(0, b"new")]


def test_segments_that_repeat_the_file_are_refused() -> None:
    blob = bytearray(elf([(address, address, b"abcd", 0x100) for address in (0x1000, 0x2000, 0x3000)]))
    for index in range(3):
        struct.pack_into("<I", blob, 52 + 32 * index + 4, 0)
        struct.pack_into("<I", blob, 52 + 32 * index + 16, len(blob))
    with pytest.raises(ImageError) as refusal:
        load(bytes(blob))
    assert str(refusal.value) == f"f: segments of {3 * len(blob):#x} bytes in a file of {len(blob):#x}; is the file damaged?"


def test_too_many_separate_records_are_refused() -> None:
    collector = Collector("f", lambda place: f"line {place}")
    for place in range(MAX_RUNS):
        collector.add(2 * place, b"x", place)
    with pytest.raises(ImageError) as refusal:
        collector.add(0x0800_0000, b"x", 7)
    assert str(refusal.value) == "f: line 7: more than 262144 separate areas; is the file damaged?"


def test_a_gap_of_four_gigabytes_costs_nothing() -> None:
    text = ihex([(0, b"low"), (0xFFFF_FFF0, b"as high as it is")])
    tracemalloc.start()
    try:
        image = load(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert contents(image) == [(0, b"low"), (0xFFFF_FFF0, b"as high as it is")]
    assert peak < MiB


@pytest.mark.parametrize(
    ("start", "limit", "title"),
    [(b":10000000aa\n", 64, "Intel HEX file"), (b"S1", 64, "S-record file"), (b"UF2\n", 128, "UF2 file"), (b"\x7fELF", 512, "ELF file"),
     (b"\0", 256, "raw binary")],
)  # fmt: skip
def test_a_huge_file_is_refused_unread(tmp_path: Path, start: bytes, limit: int, title: str) -> None:
    path = tmp_path / "huge"
    path.write_bytes(start.ljust(1024))
    os.truncate(path, limit * MiB + 1)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError) as refusal:
            load_firmware(path, base=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(refusal.value) == f"{path}: {limit * MiB + 1} bytes exceed the {limit} MiB that a {title} may have; is it the right file?"
    assert peak < MiB


DATA = ihex_line(0, b"abcd", 0x10)
TWO = uf2_block(0, b"a", 0, 2)
REFUSALS: dict[str, bytes] = {
    # any
    "f: not ELF, Intel HEX, S-record, UF2 or Mach-O (the file is empty); of a raw binary say where it goes (--base ADDRESS)": b"",
    "f: not ELF, Intel HEX, S-record, UF2 or Mach-O (it looks like text); of a raw binary say where it goes (--base ADDRESS)": b"hello",
    "f: not ELF, Intel HEX, S-record, UF2 or Mach-O (its first bytes are 00 20 00 20); of a raw binary say where it goes (--base ADDRESS)":
        b"\x00\x20\x00\x20",
    # Intel HEX
    "f: no end record (:00000001FF) after line 1; is the file cut short?": DATA.encode(),
    "f: no data in it": ihex_line(1).encode(),
    "f: line 2: a record starts with ':', this line with 'h'": (DATA + "hello\n").encode(),
    "f: line 2: not hexadecimal digits in pairs; is the file damaged?": (DATA + ":0400100061626\n").encode(),
    "f: line 1: not hexadecimal digits in pairs; is the file damaged?": b":04001000616263zz",
    "f: line 1: a record of 8 bytes, but its length byte says 9; is the line cut short?": b":0400100061626364",
    "f: line 1: a record of 0 bytes, but at least 5 are needed; is the line cut short?": b":\n",
    "f: line 3: checksum 63, but the bytes before it give 62; is the file damaged?": (DATA + "\n" + DATA.replace("62\n", "63\n")).encode(),
    "f: line 1: a record of type 04 has 2 data bytes, this one 3": ihex_line(4, b"abc").encode(),
    "f: line 1: a record of type 01 has 0 data bytes, this one 1": ihex_line(1, b"a").encode(),
    "f: line 1: record type 06 is not known; is this an Intel HEX file?": ihex_line(6, b"a").encode(),
    "f: line 2: 4 bytes at 0xfffffffe end past 0x100000000; is the file damaged?":
        (ihex_line(4, b"\xff\xff") + ihex_line(0, b"abcd", 0xFFFE)).encode(),
    "f: line 1 and line 3 give different bytes for address 0x12; is it two programs in one file?":
        (DATA + ihex_line(0, b"other", 0x80) + ihex_line(0, b"b!", 0x11) + ihex_line(1)).encode(),
    "f: line 1: a block of a Universal Hex starts with its board and C0DE, this one with 9900FFFF":
        ihex_line(10, b"\x99\0\xff\xff").encode(),
    "f: a Universal Hex with blocks for board 9903 only; a micro:bit V1 needs 9900 or 9901": universal_hex([(0x9903, [(0, b"x")])]),
    # S-records
    "f: no end record (S7, S8 or S9) after line 1; is the file cut short?": srec_line(1, 0, b"x").encode(),
    "f: line 2: a record starts with 'S', this line with 'x'": (srec_line(1, 0, b"x") + "x\n").encode(),
    "f: line 1: record type 'S4' is not known; is this an S-record file?": b"S4030000FC\n",
    "f: line 1: a record of 4 bytes, but its length byte says 5; is the line cut short?": b"S1040000FC\n",
    "f: line 1: a record of type S3 has at least 6 bytes, this one 4": b"S3030000FC\n",
    "f: line 1: checksum FD, but the bytes before it give FC; is the file damaged?": b"S1030000FD\n",
    "f: line 2: 2 data records announced, 1 read; is a part of the file missing?": (srec_line(1, 0, b"x") + srec_line(5, 2)).encode(),
    "f: line 1: a record of type S9 has no data, this one 1 bytes; is the file damaged?": srec_line(9, 0, b"x").encode(),
    # UF2
    "f: the file ends inside block 1; blocks have 512 bytes; is it cut short?": TWO + TWO[:100],
    "f: block 1, at offset 0x200, does not have the marks of a UF2 block; is the file damaged?": TWO + bytes(512),
    "f: block 0 belongs to a file stored in the UF2, not to a program; is it the right file?": uf2_block(0, b"a", 0, 1, flags=0x1000),
    "f: block 0 has 477 bytes of data; 1 to 476 are possible; is the file damaged?": uf2_block(0, b"a", 0, 1)[:16] + b"\xdd\1" + TWO[18:],
    "f: block 0 has 460 bytes of data; 1 to 452 are possible; is the file damaged?": uf2_block(0, b"a" * 460, 0, 1, flags=0x4000),
    "f: block 0 is number 2 of 2; is the file damaged?": uf2_block(0, b"a", 2, 2),
    "f: block 1 is one of 3, those before it of 2; is it two programs in one file?": TWO + uf2_block(1, b"b", 1, 3),
    "f: block number 1 of 2 is missing (1 are there); is the file cut short?": TWO + TWO,
    "f: no block is for main flash; is it the right file?": uf2_block(0, b"a", 0, 1, flags=1),
    "f: programs for 2 families (0x68ed2b88 SAMD21, 0x00000007); choose one with --family":
        uf2([(0, b"old")], family=0x68ED2B88) + uf2([(0, b"new")], family=7),
    "f: block 0 and block 1 give different bytes for address 0x2; is it two programs in one file?": uf2([(0, b"abc"), (1, b"bX")]),
    # ELF
    "f: the file ends inside its ELF header": elf([(0, 0, b"a", 1)])[:51],
    "f: not a program but an object file; link it first": elf([(0, 0, b"a", 1)], kind=1),
    "f: not a program but a core dump": elf([(0, 0, b"a", 1)], kind=4),
    "f: no program headers; it cannot be run": elf([]),
    "f: program headers end at 0x54, the file at 0x50": elf([(0, 0, b"a", 1)])[:80],
    "f: segment 0 ends at 0x5c, the file at 0x5a": elf([(0, 0, b"abcdefgh", 8)])[:90],
    "f: segment 0 has 0x2 bytes in the file for 0x1 in memory": elf([(0, 0, b"ab", 1)]),
    "f: segment 0 ends at 0x100000010, past the address space": elf([(0xFFFF_FFF0, 0, b"a", 32)]),
    "f: segment 0: 4 bytes at 0xfffffffe end past 0x100000000; is the file damaged?": elf([(0, 0xFFFF_FFFE, b"abcd", 4)]),
    "f: segment 0 and segment 1 give different bytes for address 0x101; is it two programs in one file?":
        elf([(0, 0x100, b"ab", 2), (0x8000, 0x101, b"c", 1)]),
    "f: no segment to load; is it a debug-information file?": elf([(0, 0, b"", 0)]),
    "f: its segments hold no bytes; is it a debug-information file?": elf([(0, 0, b"", 16)]),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSALS)
def test_refusal(text: str) -> None:
    with pytest.raises(ImageError) as refusal:
        load(REFUSALS[text])
    assert str(refusal.value) == text


@pytest.mark.parametrize(("blob", "title"), [(ihex([(0, b"a")]), "an Intel HEX file"), (srec([(0, b"a")]), "an S-record file"),
                                             (uf2([(0, b"a")]), "a UF2 file"), (elf([(0, 0, b"a", 1)]), "an ELF file")])  # fmt: skip
def test_an_address_is_for_raw_binaries_only(blob: bytes, title: str) -> None:
    with pytest.raises(ImageError) as refusal:
        load(blob, base=0x8000)
    assert str(refusal.value) == f"f: this is {title}, which says itself where it goes; leave out the address 0x8000"


@pytest.mark.parametrize(
    ("base", "text"),
    [(-1, "f: 0x1 bytes do not fit at -0x1"), (1 << 64, "f: 0x1 bytes do not fit at 0x10000000000000000")],
)
def test_a_raw_binary_must_fit(base: int, text: str) -> None:
    with pytest.raises(ImageError) as refusal:
        load(b"\0", base=base)
    assert str(refusal.value) == text


def test_data_that_begins_like_a_record_is_raw_where_an_address_is_given() -> None:
    assert contents(load(b"S1 and S2 are switches\n", base=0x100)) == [(0x100, b"S1 and S2 are switches\n")]
    assert contents(load(b": text", base=0x100)) == [(0x100, b": text")]


def test_a_family_that_is_not_there() -> None:
    with pytest.raises(ImageError) as refusal:
        load(uf2([(0, b"old")], family=0x68ED2B88), family=0x57755A57)
    assert str(refusal.value) == "f: no program for family 0x57755a57 STM32F4; it is for 0x68ed2b88 SAMD21"


def test_what_is_no_file(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    for path, error, text in [
        (missing, NotFoundError, f"{missing}: no such file"),
        (tmp_path, ImageError, f"{tmp_path}: is a directory"),
        ("a\0b", NotFoundError, "'a\\x00b': no such file"),
        ("/dev/null", ImageError, "/dev/null: not a regular file"),
    ]:
        with pytest.raises(error) as refusal:
            load_firmware(path)
        assert str(refusal.value) == text


SEEDS = [
    ihex([(0x1000, bytes(range(40))), (0x2_0000, b"more")], entry=0x1001),
    universal_hex([(0x9900, [(0, b"first")]), (0x9903, [(0, b"second")])]),
    srec([(0x1000, bytes(range(40)))], header=b"seed"),
    uf2([(0x1000, bytes(range(200))), (0x2000, b"more")], family=0x57755A57),
    elf([(0x1000, 0x1000, bytes(range(40)), 40), (0x2000_0000, 0x1028, b"data", 400)]),
    elf([(0x1000, 0x1000, bytes(range(40)), 40)], bits=64, order=">"),
]


def check_harmless(blob: bytes, base: int | None) -> None:
    """Load; a refusal is one line that names the file, success is an image that holds what it says."""
    text = ""
    try:
        image = load_bytes(blob, "f", base=base)
        image.symbols.at(0x1000)
    except ImageError as refusal:
        text = str(refusal)
    if text:
        assert re.fullmatch(r"f: [^\n]+", text)
    else:
        assert 0 < image.size <= len(blob)
        assert repr(image)


@UNTIMED
@given(st.sampled_from([b"", b":", b"S1", b"UF2\n", b"\x7fELF\1\1", b"\x7fELF\2\2"]), st.binary(max_size=700), st.sampled_from([None, 0]))
def test_no_bytes_do_worse_than_a_refusal(start: bytes, rest: bytes, base: int | None) -> None:
    check_harmless(start + rest, base)


@settings(UNTIMED, max_examples=600)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8), st.floats(0, 1))
def test_no_damage_does_worse_than_a_refusal(seed: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    blob = bytearray(seed)
    for where, value in changes:
        blob[int(where * len(blob))] = value
    check_harmless(bytes(blob[: 1 + int(kept * len(blob))]), None)


@UNTIMED
@given(st.lists(st.tuples(st.integers(0, 0x10), st.binary(max_size=8), st.integers(0, 0xFFFF)), max_size=12))
def test_any_sequence_of_sound_records_is_read_or_refused(records: list[tuple[int, bytes, int]]) -> None:
    lines = [ihex_line(kind, data, address) for kind, data, address in records]
    check_harmless("".join([*lines, ihex_line(1)]).encode(), None)


SOURCE = """
    .syntax unified
    .cpu cortex-m3
    .thumb
    .section .vectors, "a"
    .word stack, start + 1
    .text
    .thumb_func
    .global start
start:
    ldr r0, =data
1:  b 1b
    .data
data: .ascii "initialised"
    .bss
    .space 0x123
"""
LAYOUT = """
stack = 0x20010000;
ENTRY(start)
SECTIONS {
    .text 0x08000000 : { *(.vectors) *(.text) }
    .data 0x20000000 : AT(0x08004000) { *(.data) }
    .bss : { *(.bss) }
}
"""


def test_gnu_tools_write_what_is_read(tmp_path: Path, need: Callable[..., str]) -> None:
    assembler, linker, copy = (need(f"arm-none-eabi-{tool}") for tool in ("as", "ld", "objcopy"))
    source, script, program = tmp_path / "a.s", tmp_path / "a.ld", tmp_path / "a.elf"
    source.write_text(SOURCE)
    script.write_text(LAYOUT)
    subprocess.run([assembler, source, "-o", tmp_path / "a.o"], check=True)
    subprocess.run([linker, "-T", script, tmp_path / "a.o", "-o", program], check=True)
    image = load_firmware(program)
    assert image.attributes["architecture"] == "armv7-m"
    assert [piece.address for piece in image.pieces] == [0x0800_0000, 0x0800_4000, 0x2000_000B]
    assert contents(image)[1][1] == b"initialised"
    assert image.word(0x0800_0000) == 0x2001_0000
    start, end = image.symbols.address_of("start") or 0, contents(image)[0][0] + len(contents(image)[0][1])
    assert (image.symbols.at(end - 1), image.symbols.at(end)) == (("start", end - 1 - start), None)  # to the end of its section
    assert image.symbols.at(0x2000_0003) == ("data", 3)
    for kind in ("ihex", "srec"):
        subprocess.run([copy, "-O", kind, program, tmp_path / kind], check=True)
        copied = load_firmware(tmp_path / kind)
        assert (contents(copied), copied.entry) == (contents(image), image.entry)
    subprocess.run([copy, "-O", "binary", program, tmp_path / "raw"], check=True)
    first, second = contents(image)
    flat = load_firmware(tmp_path / "raw", base=first[0])
    assert contents(flat) == [(first[0], first[1].ljust(second[0] - first[0], b"\0") + second[1])]


def test_objcopy_reads_what_the_tests_write(tmp_path: Path, need: Callable[..., str]) -> None:
    copy = need("arm-none-eabi-objcopy")
    records = [(0x0801_0000, bytes(range(32))), (0x0801_0020, b"tail")]
    for kind, text in (("ihex", ihex(records)), ("srec", srec(records))):
        (tmp_path / kind).write_bytes(text)
        subprocess.run([copy, "-I", kind, "-O", "binary", tmp_path / kind, tmp_path / "out"], check=True)
        assert [(0x0801_0000, (tmp_path / "out").read_bytes())] == contents(load(text))


def test_micropython_of_debian() -> None:
    try:
        root = sysroot("armhf", "firmware-microbit-micropython", closure=False)
    except PackageError as error:
        give_up(str(error))
    image = load_firmware(root / "usr/share/firmware-microbit-micropython/firmware.hex")
    assert [piece.address for piece in image.pieces] == [0, 0x1000_10C0]
    assert (image.word(0), image.kind) == (0x2000_4000, "Intel HEX")
    assert image.read(0, image.pieces[0].size) == image.pieces[0].data
    assert b"MicroPython" in image.pieces[0].data


def test_universal_hex_of_uflash() -> None:
    try:
        module = source_file("uflash", "2.0.0", "uflash.py")
    except PackageError as error:
        give_up(str(error))
    text = next(
        node.value.value
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and ast.unparse(node.targets[0]) == "_RUNTIME"
    )
    image = load(text.encode())
    assert (image.kind, image.attributes["boards"]) == ("Universal Hex", [0x9900, 0x9903])
    assert [piece.address for piece in image.pieces] == [0, 0x1000_10C0]
    assert image.word(0) == 0x2000_4000
    assert image.read((image.word(4) or 0) - 1, 2) is not None  # the reset vector, without its Thumb bit
