"""x87 rows: from state to state as the host's x87 goes, in the evaluator."""

from __future__ import annotations

import ctypes
import mmap
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.law import Law, LawCase
from tests.test_extended import number, source
from xemu.core import decoder, extended_host
from xemu.core.instruction import evaluate_instruction
from xemu.core.state import ENGINE_BYTES, StateBlock
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import X87_ERROR, X86Context
from xemu.targets.x86.registers import flags_of, set_flags
from xemu.targets.x86.scan import MEM, REG
from xemu.targets.x86.target import X86_64

if TYPE_CHECKING:
    from xemu.core.isa import Variant
    from xemu.core.reference import Outcome

pytestmark = pytest.mark.skipif(not extended_host.AVAILABLE, reason="this host has no x87")

RFLAGS = 0x8D5                       # OF SF ZF AF PF CF
CELLS = X86_64.layout.cells
ADDRESS = 0x10000                    # where the instruction is
DATA = 0x20000                       # where its memory operand is


@dataclass
class Case:
    """What an instruction can see: registers st(0)…, control, status and tag word, memory operand, AX, flags."""

    registers: list[int]
    control: int
    status: int
    tags: int
    memory: bytes
    ax: int = 0
    flags: int = 2
    pointer: int = 0                 # address of the last instruction
    opcode: int = 0                  # its opcode, its operand's address
    data: int = 0

    def environment(self) -> bytes:
        words = [*[w | 0xFFFF0000 for w in (self.control, self.status, self.tags)], self.pointer, self.opcode << 16, self.data, 0xFFFF0000]
        return b"".join(w.to_bytes(4, "little") for w in words) + b"".join(r.to_bytes(10, "little") for r in self.registers)

    @classmethod
    def after(cls, environment: bytes, memory: bytes, ax: int, flags: int) -> Case:
        words = [int.from_bytes(environment[i:i + 4], "little") for i in range(0, 28, 4)]
        registers = [int.from_bytes(environment[28 + 10 * i:38 + 10 * i], "little") for i in range(8)]
        return cls(registers, words[0] & 0xFFFF, words[1] & 0xFFFF, words[2] & 0xFFFF, memory, ax & 0xFFFF, flags & RFLAGS,
                   words[3], words[4] >> 16, words[5])


class Host:
    """Runs single instructions: FRSTOR, the instruction with its operand at [rsi], FNSAVE."""

    def __init__(self) -> None:
        self.page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        self.function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(self.address)

    def run(self, code: bytes, case: Case) -> Case:
        before = bytes.fromhex("dd27" "ff32" "9d" "488b4208")          # frstor [rdi]; push [rdx]; popfq; mov rax, [rdx + 8]
        after = bytes.fromhex("48894208" "9c" "8f02" "dd37" "c3")      # mov [rdx + 8], rax; pushfq; pop [rdx]; fnsave [rdi]; ret
        self.page[:len(before + code + after)] = before + code + after
        environment = ctypes.create_string_buffer(case.environment(), 108)
        memory, integer = ctypes.create_string_buffer(case.memory, 128), (ctypes.c_uint64 * 2)(case.flags, case.ax)
        self.function(environment, memory, integer)
        result = Case.after(environment.raw, memory.raw, integer[1], integer[0])
        result.data = DATA if result.data == ctypes.addressof(memory) & 0xFFFFFFFF else result.data
        here = self.address + len(before) & 0xFFFFFFFF
        result.pointer = ADDRESS if here == result.pointer else result.pointer
        return result


@dataclass
class Memory:
    """The operand's bytes, for the evaluator."""

    data: bytearray = field(default_factory=bytearray)

    def load(self, addr: int, size: int, align: int) -> int:  # noqa: ARG002
        return int.from_bytes(self.data[addr - DATA:addr - DATA + size], "little")

    def store(self, addr: int, size: int, align: int, value: int) -> None:  # noqa: ARG002
        self.data[addr - DATA:addr - DATA + size] = value.to_bytes(size, "little")

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        pass


def state_of(case: Case) -> StateBlock:
    """Return our state for a case."""
    state, top = StateBlock(X86_64.layout), case.status >> 11 & 7
    for i, value in enumerate(case.registers):
        state.set(CELLS["FPR"], (top + i) & 7, value)
    for name, value in (("FTOP", top), ("FCW", case.control), ("FSW", case.status & 0x477F), ("EFL", 0x202)):
        state.set(CELLS[name], 0, value)
    state.set(CELLS["FVALID"], 0, sum((case.tags >> 2 * n & 3 != 3) << n for n in range(8)))
    for n, value in enumerate((case.pointer, case.data, case.opcode)):
        state.set(CELLS["FLAST"], n, value)
    state.set(CELLS["R"], 0, case.ax)
    state.set(CELLS["R"], 6, DATA)
    set_flags(state, case.flags)
    state.context = X86Context(X87=int(case.control & 0x3F != 0x3F)).word
    return state


def evaluate(code: bytes, case: Case, tries: decoder.Tries) -> tuple[Case, Outcome]:
    """Run an instruction in the evaluator; the environment is what FNSAVE stores."""
    state, memory = state_of(case), Memory(bytearray(case.memory))
    outcome = step(code, state, memory, tries)
    if outcome.context is not None:
        state.context = outcome.context
    all_masked = state.get(CELLS["FCW"]) & 0x3F == 0x3F
    assert (not all_masked) == X86Context.of64(state.context).X87
    ax, flags, area = state.get(CELLS["R"]) & 0xFFFF, flags_of(state) & RFLAGS, Memory(bytearray(128))
    step(bytes.fromhex("dd36"), state, area, tries)
    return Case.after(bytes(area.data[:108]), bytes(memory.data), ax, flags), outcome


def step(code: bytes, state: StateBlock, memory: Memory, tries: decoder.Tries) -> Outcome:
    data = code.ljust(64, b"\x90")

    def fetch(at: int, size: int) -> int:
        return int.from_bytes(data[at - ADDRESS:at - ADDRESS + size], "little")
    d = decoder.decode(X86_64.iset(state.context), tries, fetch, ADDRESS, 0)
    assert d is not None, code.hex()
    assert d.length == len(code), (code.hex(), d.length)
    return evaluate_instruction(X86_64, d, ADDRESS, state.context, state, memory)


#: instructions by name: bytes that follow; a memory operand is [rsi]; the format says what to put there
MEMORY = {
    **{f"{name}_{kind}": (op, digit, kind) for digit, name in enumerate(("add", "mul", "com", "comp", "sub", "subr", "div", "divr"))
       for op, kind in ((0xD8, "f32"), (0xDC, "f64"), (0xDA, "i32"), (0xDE, "i16"))},
    **{f"load_{kind}": (op, digit, kind) for op, digit, kind in (
        (0xD9, 0, "f32"), (0xDD, 0, "f64"), (0xDB, 5, "f80"), (0xDF, 0, "i16"), (0xDB, 0, "i32"), (0xDF, 5, "i64"),
        (0xDF, 4, "bcd"))},
    **{f"store{op:X}_{digit}": (op, digit, "") for op, digit in (
        (0xD9, 2), (0xD9, 3), (0xDD, 2), (0xDD, 3), (0xDF, 2), (0xDF, 3), (0xDB, 2), (0xDB, 3), (0xDF, 7), (0xDF, 1), (0xDB, 1),
        (0xDD, 1), (0xDF, 6), (0xDB, 7), (0xD9, 7), (0xDD, 7))},
}  # fmt: skip
REGISTER = {f"{op:X} {base:X}+i": (op, base) for op, base in (
    *[(op, base) for op in (0xD8, 0xDC) for base in range(0xC0, 0x100, 8)],
    *[(0xDE, base) for base in range(0xC0, 0x100, 8) if base != 0xD8],
    (0xD9, 0xC0), (0xD9, 0xC8), (0xD9, 0xD8), *[(0xDA, b) for b in range(0xC0, 0xE0, 8)], *[(0xDB, b) for b in range(0xC0, 0xE0, 8)],
    (0xDB, 0xE8), (0xDB, 0xF0), *[(0xDD, b) for b in range(0xC0, 0xF0, 8)], *[(0xDF, b) for b in range(0xC0, 0xE0, 8)],
    (0xDF, 0xE8), (0xDF, 0xF0),
)}  # fmt: skip
PLAIN = {f"{code[0]:X} {code[1]:X}": bytes(code) for code in (
    *[(0xD9, b) for b in (0xD0, 0xE0, 0xE1, 0xE4, 0xE5, *range(0xE8, 0xEF), *range(0xF0, 0x100))],
    (0xDA, 0xE9), (0xDB, 0xE0), (0xDB, 0xE1), (0xDB, 0xE2), (0xDB, 0xE3), (0xDB, 0xE4), (0xDE, 0xD9), (0xDF, 0xE0),
)}  # fmt: skip
ENVIRONMENT = {name: bytes.fromhex(code) for name, code in (
    ("fldcw", "d92e"), ("fldenv", "d926"), ("fnstenv", "d936"), ("frstor", "dd26"), ("fnsave", "dd36"),
    ("fldenv16", "66d926"), ("fnstenv16", "66d936"), ("frstor16", "66dd26"), ("fnsave16", "66dd36"))}
NAMES = (*MEMORY, *REGISTER, *PLAIN, *ENVIRONMENT)


def random_case(rng: random.Random, kind: str) -> Case:
    """Return a case in which nothing is pending."""
    masks = 0x3F if rng.random() < 0.6 else rng.getrandbits(6)
    control = 0x40 | rng.getrandbits(2) << 10 | rng.choice((0, 2, 3, 3, 3)) << 8 | masks
    status = rng.getrandbits(16) & (0x7F40 | masks)
    tags = sum((3 if rng.random() < 0.2 else 0) << 2 * n for n in range(8))
    if rng.random() < 0.5:                                    # an ordinary stack
        depth, top = rng.randrange(2, 7), status >> 11 & 7
        tags = sum((0 if (n - top) % 8 < depth else 3) << 2 * n for n in range(8))
    registers = [number(rng) for _ in range(8)]
    if rng.random() < 0.3:
        registers[1] = registers[0] ^ rng.choice((0, 1, 1 << 79))
    data = source(rng, kind).to_bytes(10, "little") if kind else rng.randbytes(10)
    memory = data + rng.randbytes(118)
    return Case(registers, control, status, tags, memory, rng.getrandbits(16), 2 | rng.getrandbits(12) & RFLAGS, *last(rng))


def last(rng: random.Random) -> tuple[int, int, int]:
    """Return address, opcode and operand's address of some instruction."""
    return rng.getrandbits(32), rng.getrandbits(11), rng.getrandbits(32)


def instruction(rng: random.Random, name: str) -> tuple[bytes, str]:
    """Return (bytes, format of the memory operand)."""
    if name in MEMORY:
        op, digit, kind = MEMORY[name]
        return bytes([op, digit << 3 | 6]), kind
    if name in REGISTER:
        op, base = REGISTER[name]
        return bytes([op, base + rng.randrange(8)]), ""
    return (PLAIN | ENVIRONMENT)[name], ""


@pytest.fixture(scope="module")
def tries() -> decoder.Tries:
    return decoder.tries(X86_64)


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_what_the_hosts_x87_does(name: str, host: Host, tries: decoder.Tries) -> None:
    rng = random.Random(name)
    for _ in range(8):
        code, kind = instruction(rng, name)
        case = random_case(rng, kind)
        expected = host.run(code, case)
        got, outcome = evaluate(code, case, tries)
        if name not in ENVIRONMENT:
            expected.opcode = got.opcode                      # docs/limits.md: we keep none
        assert outcome.abort is None
        assert outcome.next_pc == ADDRESS + len(code)
        assert got == expected, (code.hex(), differences(case, expected, got))


def differences(case: Case, expected: Case, got: Case) -> str:
    """Return what differs, for people."""
    def show(value: object) -> str:
        return f"{value:#x}" if isinstance(value, int) else value.hex() if isinstance(value, bytes) else str(value)
    out = [f"before {' '.join(f'{r:#x}' for r in case.registers)} control {case.control:#x} status {case.status:#x} tags {case.tags:#x}"]
    for name in ("control", "status", "tags", "ax", "flags", "pointer", "opcode", "data", "memory"):
        x, y = getattr(expected, name), getattr(got, name)
        out.extend([f"{name}: host {show(x)} here {show(y)}"] if x != y else [])
    pairs = enumerate(zip(expected.registers, got.registers, strict=True))
    out.extend(f"st({i}): host {x:#x} here {y:#x}" for i, (x, y) in pairs if x != y)
    return "; ".join(out)


# -- what only we see ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "waits"), [
    ("9b", True), ("d9d0", True), ("d8c1", True), ("d906", True), ("dd1e", True), ("d92e", True), ("d926", True), ("d9e5", True),
    ("d93e", False), ("dd3e", False), ("dfe0", False), ("dbe2", False), ("dbe3", False), ("d936", False), ("dd36", False), ("dbe4", False),
])  # fmt: skip
def test_an_exception_is_delivered_at_the_next_instruction_that_waits(code: str, tries: decoder.Tries, *, waits: bool) -> None:
    case = Case([0] * 8, 0x37B, 0x0004, 0xFFFF, bytes(128))
    state = state_of(case)
    before = bytes(state.buffer)
    outcome = step(bytes.fromhex(code), state, Memory(bytearray(128)), tries)
    assert outcome.abort == (("exception", X87_ERROR) if waits else None)
    assert not waits or bytes(state.buffer) == before


class X87Law(Law):
    """States in which the x87 computes with numbers of interest."""

    def state(self, context: int) -> bytes:
        super().state(context)
        rng, st = self.random, self.engine.state
        for i in range(8):
            st.set(self.cells["FPR"], i, number(rng))
        control = 0x40 | rng.getrandbits(2) << 10 | rng.choice((0, 2, 3, 3)) << 8
        if self.target.context(context).X87:
            control |= rng.getrandbits(6) & ~(1 << rng.randrange(6))
        else:
            control |= 0x3F
        status = rng.getrandbits(16) & 0x477F
        if rng.random() < 0.9:
            status &= control | ~0x3F
        valid = rng.choice((0xFF, 0, rng.getrandbits(8), rng.getrandbits(8), rng.getrandbits(8)))
        for name, value in (("FCW", control), ("FSW", status), ("FVALID", valid), ("FTOP", rng.randrange(8))):
            st.set(self.cells[name], 0, value)
        return bytes(st.buffer[ENGINE_BYTES:])


def x87_variants(law: Law) -> list[Variant]:
    """Return the x87's rows, each with a memory operand of the simplest kind (others are the decoder's business)."""
    rows = [v for v in x86.variants if v.row.source.startswith("x87_") and v.splits.get("form", REG) in (REG, MEM)]
    mode = int(law.target.address_bits == 64)
    return [v for v in rows if encodable(v, mode)]


def encodable(v: Variant, mode64: int) -> bool:
    """Return whether a variant exists in a mode (operand size 64 is REX.W)."""
    return bool(mode64) or v.splits.get("size") != 64


@pytest.mark.parametrize(("target", "context"), [("x86_64", 0), ("x86_64", 2), ("i386", 0)])
def test_some_rows_in_every_tier(target: str, context: int) -> None:
    law = X87Law(target, seed=random.randrange(1 << 32))
    found = x87_variants(law)
    law.random.shuffle(found)
    check(law, [*[law.case([v], context) for v in found[:30]], *sequences(law, found[:30], context, 20)])


@pytest.mark.slow
@pytest.mark.parametrize(("target", "context"), [("x86_64", 0), ("x86_64", 2), ("i386", 0), ("i386", 2)])
def test_rows_in_every_tier(target: str, context: int) -> None:
    law = X87Law(target, seed=random.randrange(1 << 32))
    found = x87_variants(law)
    for _ in range(5):
        check(law, [*[law.case([v], context) for v in found], *sequences(law, found, context, 100)])


def sequences(law: Law, found: list[Variant], context: int, count: int) -> list[LawCase]:
    """Return cases of four rows each."""
    return [law.case([law.random.choice(found) for _ in range(4)], context) for _ in range(count)]


def check(law: Law, cases: list[LawCase]) -> None:
    complaints = law.run(cases)
    assert not complaints, "\n".join([f"{len(complaints)} differences", *complaints[:20]])
