"""The oracle of x86 itself: what the host makes of single instructions is what Intel's manuals say."""

from __future__ import annotations

import signal
import struct
from typing import TYPE_CHECKING

import pytest

from tests.conftest import give_up
from tests.oracle.x86 import driver as d
from tests.oracle.x86 import native as host
from tests.oracle.x86.native import BATCH, Native, missing
from tests.oracle.x86.state import CODE32, DATA, DF, ID, NAMES, STATUS, Case, Outcome, State

if TYPE_CHECKING:
    from collections.abc import Iterator

CF, PF, AF, ZF, SF, OF = 1, 4, 0x10, 0x40, 0x80, 0x800
GUARD = d.WINDOW + d.WINDOW_SIZE
ONES = (1 << 64) - 1
READ_ONLY = d.WRITABLE + d.WRITABLE_SIZE
HERE = d.WRITABLE + 0x800


@pytest.fixture(scope="module")
def oracle() -> Iterator[Native]:
    if why := missing():
        give_up(why)
    with Native() as native:
        yield native


def case(code: str, bits: int = 64, *, step: bool = False, memory: dict[int, bytes] | None = None, at: int = d.CODE + 0x400,
         **values: object) -> Case:
    """Return a case; `values` are registers by name and fields of the state."""
    state = State(rip=at)
    state.r[4] = HERE
    if bits == 32:
        state.cs, state.ds, state.es = CODE32, DATA, DATA
    for name, value in values.items():
        if name in NAMES:
            state.r[NAMES.index(name)] = value  # type: ignore[call-overload]
        else:
            setattr(state, name, value)
    return Case(bytes.fromhex(code), state, memory or {}, bits, step, at)


def one(oracle: Native, code: str, bits: int = 64, **how: object) -> Outcome:
    return oracle.run([case(code, bits, **how)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "before", "after", "flags"), [
    ("48 01 c8", {"rax": (1 << 64) - 1, "rcx": 1}, {"rax": 0}, CF | PF | AF | ZF),                     # add rax, rcx
    ("48 11 c8", {"rax": 1, "rcx": 2, "flags": 2 | CF}, {"rax": 4}, 0),                                # adc rax, rcx
    ("29 c8", {"rax": 0x1_0000_0000, "rcx": 1}, {"rax": 0xFFFF_FFFF}, CF | PF | AF | SF),              # sub eax, ecx
    ("00 e0", {"rax": 0x7F01}, {"rax": 0x7F80}, AF | SF | OF),                                         # add al, ah
    ("48 f7 e1", {"rax": 1 << 63, "rcx": 2, "rdx": 7}, {"rax": 0, "rdx": 1}, None),                    # mul rcx
    ("48 f7 f9", {"rax": ONES - 6, "rdx": ONES, "rcx": 2}, {"rax": ONES - 2, "rdx": ONES}, None),       # idiv rcx
    ("48 0f bc c1", {"rcx": 0x8000}, {"rax": 15}, None),                                               # bsf
    ("48 0f b3 c8", {"rax": 0xFF, "rcx": 64 + 3}, {"rax": 0xF7}, None),                                # btr
    ("48 0f b1 d1", {"rax": 5, "rcx": 5, "rdx": 9}, {"rcx": 9}, PF | ZF),                              # cmpxchg
    ("f3 48 0f bd c1", {"rcx": 1}, {"rax": 63}, None),                                                 # lzcnt
    ("48 d3 e0", {"rax": 1, "rcx": 65}, {"rax": 2}, 0),                                                # shl rax, cl
    ("0f 77", {}, {}, 0),                                                                              # emms
    ("fd", {}, {}, DF),                                                                                # std
])  # fmt: skip
def test_integer_results(oracle: Native, code: str, before: dict[str, int], after: dict[str, int], flags: int | None) -> None:
    start = case(code, **before)  # type: ignore[arg-type]
    outcome = oracle.run([start])[0]
    assert outcome.ended == "done"
    expected = start.state.r[:]
    for name, value in after.items():
        expected[NAMES.index(name)] = value
    assert outcome.state.r == expected
    assert outcome.state.rip == start.at + len(start.code)
    assert outcome.memory == {}
    if flags is not None:
        assert outcome.state.flags & (STATUS | DF) == flags


def test_memory_is_as_the_case_says_and_changes_are_found(oracle: Native) -> None:
    where = case("48 87 01", rcx=HERE + 4, rax=0x1111_2222_3333_4444, memory={HERE + 4: struct.pack("<Q", 0xAAAA_BBBB_CCCC_DDDD)})  # xchg
    again = case("48 8b 01", rcx=HERE)                                                             # mov rax, [rcx]
    first, second = oracle.run([where, again])
    assert first.state.r[0] == 0xAAAA_BBBB_CCCC_DDDD
    background = 0x1122_3344_5566_0000 + 0x1800
    assert first.memory == {HERE: 0x3333_4444_5566_1800, HERE + 8: 0x1122_3344_1111_2222}
    assert second.state.r[0] == background                       # a case finds nothing of the one before


def test_string_instructions(oracle: Native) -> None:
    moved = one(oracle, "f3 a4", rcx=9, rsi=HERE + 1, rdi=HERE + 0x100)
    assert (moved.state.r[1], moved.state.r[6], moved.state.r[7]) == (0, HERE + 10, HERE + 0x109)
    assert moved.memory == {HERE + 0x100: 0x0811_2233_4455_6618, HERE + 0x108: 0x1122_3344_5566_1918}
    faulted = one(oracle, "f3 aa", rcx=16, rax=0, rdi=READ_ONLY - 8)
    assert (faulted.ended, faulted.vector, faulted.address) == ("fault", 14, READ_ONLY)
    assert (faulted.state.r[1], faulted.state.r[7], faulted.memory) == (8, READ_ONLY, {READ_ONLY - 8: 0})


@pytest.mark.parametrize(("code", "values", "vector", "number", "address"), [
    ("f7 f1", {}, 0, signal.SIGFPE, d.CODE + 0x400),                         # div ecx by 0
    ("0f 0b", {}, 6, signal.SIGILL, d.CODE + 0x400),                         # ud2
    ("8b 01", {"rcx": GUARD - 2}, 14, signal.SIGSEGV, GUARD),                # mov eax, [rcx], half of it unmapped
    ("89 01", {"rcx": READ_ONLY + 8}, 14, signal.SIGSEGV, READ_ONLY + 8),    # a store to a read-only page
    ("89 01", {"rcx": 1 << 63}, 13, signal.SIGSEGV, 0),                      # not canonical
    ("0f 28 01", {"rcx": HERE + 4}, 13, signal.SIGSEGV, 0),                  # movaps, not aligned
    ("f4", {}, 13, signal.SIGSEGV, 0),                                       # hlt
    ("0f 5e c0", {"mxcsr": 0x1F00}, 19, signal.SIGFPE, d.CODE + 0x400),      # divps 0/0, the exception not masked
    ("9b", {"fcw": 0x37E, "fsw": 0x8081}, 16, signal.SIGFPE, d.CODE + 0x400),   # fwait, an exception waits
])  # fmt: skip
def test_exceptions(oracle: Native, code: str, values: dict[str, int], vector: int, number: int, address: int) -> None:
    start = case(code, **values)  # type: ignore[arg-type]
    outcome = oracle.run([start])[0]
    assert (outcome.ended, outcome.vector, outcome.signal, outcome.address) == ("fault", vector, number, address)
    assert (outcome.state.rip, outcome.state.r, outcome.memory) == (start.at, start.state.r, {})


def test_a_breakpoint_is_told_from_the_end(oracle: Native) -> None:
    outcome = one(oracle, "cc")
    assert (outcome.ended, outcome.vector, outcome.state.rip) == ("trap", 3, d.CODE + 0x401)


@pytest.mark.parametrize("bits", [64, 32])
def test_branches_are_stepped(oracle: Native, bits: int) -> None:
    taken = one(oracle, "74 80", bits, step=True, flags=2 | ZF)
    not_taken = one(oracle, "74 80", bits, step=True)
    call = one(oracle, "e8 00 00 00 50", bits, step=True)
    itself = one(oracle, "eb fe", bits, step=True)
    assert (taken.state.rip, not_taken.state.rip) == (d.CODE + 0x402 - 128, d.CODE + 0x402)
    size = bits // 8
    assert (call.ended, call.state.rip, call.state.r[4]) == ("done", 0x8000_0405, HERE - size)
    assert call.memory == {HERE - 8: 0x3000_0405 if bits == 64 else 0x3000_0405_5566_17F8}
    assert (itself.ended, itself.state.rip) == ("done", d.CODE + 0x400)


def test_what_never_ends_is_ended_and_the_batch_goes_on(oracle: Native) -> None:
    before, endless, after = oracle.run([case("90"), case("eb fe"), case("48 ff c0")])
    assert (before.ended, endless.ended, after.ended) == ("done", "endless", "done")
    assert after.state.r[0] == 1


def test_a_case_that_kills_the_child_is_told_and_the_batch_goes_on(oracle: Native) -> None:
    bad = case("90", es=0x7777)                                                # a selector that the driver itself cannot load
    killed, after = oracle.run([bad, case("48 ff c0")])
    assert (killed.ended, killed.signal) == ("killed", signal.SIGSEGV)
    assert (after.ended, after.state.r[0]) == ("done", 1)


def test_vector_registers_and_modes(oracle: Native) -> None:
    ones = 0x3F80_0000_3F80_0000_3F80_0000_3F80_0000
    vex = one(oracle, "c5 f0 58 c2", v=[1 << 200, ones | ones << 128, ones] + [0] * 13)                # vaddps xmm0, xmm1, xmm2
    legacy = one(oracle, "0f 58 c2", v=[ones | 1 << 200, 0, ones] + [0] * 13)                          # addps xmm0, xmm2
    double = ones + 0x0080_0000_0080_0000_0080_0000_0080_0000
    assert vex.state.v[0] == double
    assert legacy.state.v[0] == double | 1 << 200
    third = one(oracle, "f3 0f 5e c1", mxcsr=0x1F80 | 2 << 13, v=[0x3F80_0000, 0x4040_0000] + [0] * 14)    # divss, rounding up
    assert (third.state.v[0], third.state.mxcsr) == (0x3EAA_AAAB, 0x1F80 | 2 << 13 | 0x20)
    flushed = one(oracle, "f3 0f 59 c1", mxcsr=0x1F80 | 0x8000, v=[0x0080_0000, 0x3F00_0000] + [0] * 14)   # mulss, FTZ
    assert (flushed.state.v[0], flushed.state.mxcsr & 0x3F) == (0, 0x30)


def test_x87_registers_are_physical(oracle: Native) -> None:
    pushed = one(oracle, "d9 e8", fsw=3 << 11, valid=0x08, fpr=[0, 0, 0, 5, 0, 0, 0, 0])               # fld1
    assert (pushed.state.top, pushed.state.valid) == (2, 0x0C)
    assert pushed.state.fpr[2:4] == [0x3FFF_8000_0000_0000_0000, 5]
    mmx = one(oracle, "0f 6f c8", fsw=3 << 11, fpr=[7] + [0] * 7)                                      # movq mm1, mm0
    assert (mmx.state.top, mmx.state.valid, mmx.state.fpr[1]) == (0, 0xFF, 0xFFFF_0000_0000_0000_0007)


def test_32_bit_code(oracle: Native) -> None:
    increased = one(oracle, "40", 32, rax=0xFFFF_FFFF)                                                 # inc eax, no REX
    assert (increased.state.r[0], increased.state.flags & STATUS) == (0, PF | AF | ZF)
    adjusted = one(oracle, "37", 32, rax=0x0F)                                                         # aaa
    assert adjusted.state.r[0] == 0x105
    pushed = one(oracle, "60", 32, rcx=0x1234_5678)                                                    # pusha
    assert pushed.state.r[4] == HERE - 32
    assert pushed.memory[HERE - 8] == 0x1234_5678                                                # eax above ecx
    segment = one(oracle, "65 a1 08 00 00 00", 32, gs=0x63)                                            # mov eax, gs:[8]
    assert segment.state.r[0] == (0x1122_3344_5566_0000 + 0x1008) & 0xFFFF_FFFF
    refused = one(oracle, "48 06 62", 32, step=True)
    assert (refused.ended, refused.state.r[0]) == ("done", 0xFFFF_FFFF)                                # dec eax


def test_64_bit_segment_bases(oracle: Native) -> None:
    outcome = one(oracle, "65 48 8b 01", gs_base=HERE, rcx=8)                                          # mov rax, gs:[rcx]
    assert outcome.state.r[0] == 0x1122_3344_5566_0000 + 0x1808
    written = one(oracle, "f3 48 0f ae d1", rcx=0x1234_5678_9ABC)                                      # wrfsbase rcx
    assert written.state.fs_base == 0x1234_5678_9ABC


def test_all_flags_come_and_go(oracle: Native) -> None:
    pushed = one(oracle, "9c", flags=2 | STATUS | DF | ID)
    assert pushed.memory == {HERE - 8: 0x202 | STATUS | DF | ID}
    popped = one(oracle, "9d", memory={HERE: struct.pack("<Q", ID | DF | CF)})
    assert popped.state.flags & (STATUS | DF | ID) == ID | DF | CF


def test_code_may_end_with_the_page(oracle: Native) -> None:
    end = d.CODE + d.CODE_SIZE
    whole = oracle.run([case("48 ff c0", at=end - 3, step=True)])[0]
    assert (whole.ended, whole.state.rip) == ("done", end)
    cut = oracle.run([case("48 ff", at=end - 2, step=True)])[0]
    assert (cut.ended, cut.vector, cut.address, cut.state.rip) == ("fault", 14, end, end - 2)


def test_many_cases_and_many_changes(oracle: Native) -> None:
    fill = [case("f3 48 ab", rcx=0x200, rdi=d.WRITABLE, rax=i) for i in range(300)]                    # more than the log can hold
    outcomes = oracle.run(fill)
    assert [o.state.r[7] for o in outcomes] == [d.WRITABLE + 0x1000] * len(fill)
    assert all(o.memory == {d.WRITABLE + 8 * n: i for n in range(0x200)} for i, o in enumerate(outcomes))


def test_more_cases_than_a_batch_has(oracle: Native) -> None:
    outcomes = oracle.run([case("48 ff c0", rax=i) for i in range(BATCH + 5)])
    assert [o.state.r[0] for o in outcomes] == list(range(1, BATCH + 6))


def test_a_host_that_cannot_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.platform, "machine", lambda: "aarch64")
    assert missing() == "the host is not x86-64"
