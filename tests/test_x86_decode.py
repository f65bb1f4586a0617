"""Decoding of x86: lengths and mnemonics are capstone's, for any bytes that both know."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.x86_table import CODE
from xemu.core import decoder
from xemu.targets.registry import get_target
from xemu.targets.x86.target import capstone32, capstone64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.decoder import Decoded

COUNT: Final = 12_000
MODES: Final = {"x86_64": capstone64, "i386": capstone32}
PREFIXES: Final = (0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x64, 0x65, 0x2E, 0x3E, 0x26, 0x36)
#: modules whose mnemonics are compared: those of general-purpose instructions
MODULES: Final = ("ascii.py", "bits.py", "control.py", "integer.py", "segments.py", "string.py", "system.py")
#: how capstone calls what we call by one name for all sizes
ALIASES: Final = {
    "mov": {"movabs"}, "callf": {"lcall", "call"}, "jmpf": {"ljmp", "jmp"}, "jrcxz": {"jecxz", "jcxz"}, "xlat": {"xlatb"},
    "pushf": {"pushfq", "pushfd"}, "popf": {"popfq", "popfd"}, "iret": {"iretd", "iretq"}, "retf": {"retfq"}, "pusha": {"pushal", "pushaw"},
    "popa": {"popal", "popaw"}, "cbw": {"cwde", "cdqe"}, "cwd": {"cdq", "cqo"}, "sysexit": {"sysexitq"}, "sysret": {"sysretq"},
    "insd": {"insw"}, "outsd": {"outsw"}, "wbinvd": {"wbnoinvd"}, "prefetchw": {"prefetch", "prefetchwt1"},
    "nop": {"pause", "cldemote", "endbr32", "endbr64", "rdsspd", "rdsspq", *(f"prefetch{kind}" for kind in ("t0", "t1", "t2", "nta")),
            *(f"bnd{what}" for what in ("ldx", "stx", "mk", "cl", "cn", "cu", "mov"))},
    **{name: {name + size for size in "bwdq"} for name in ("movs", "cmps", "scas", "lods", "stos")},
}
#: rows whose lengths capstone does not know: in 64-bit mode it gives conditional branches offsets of 16 bits where there is an
#: operand-size prefix (Intel's processors do not), and UD0 and UD1 no ModRM
CONDITIONAL, UNDEFINED = "0F 8", ("ud0", "ud1")


class Pair:
    """Our decoder and capstone's, in one mode."""

    def __init__(self, name: str) -> None:
        import capstone

        target = get_target(name)
        target.load_rows()
        self.iset, self.tries = target.iset(0), decoder.tries(target)
        self.engine: Any = capstone.Cs(*MODES[name](0))
        self.long = name == "x86_64"

    def decode(self, data: bytes) -> tuple[Decoded | None, Any]:
        text = data.ljust(32, b"\x90")

        def fetch(pc: int, size: int) -> int:
            return int.from_bytes(text[pc - CODE:pc - CODE + size], "little")
        return decoder.decode(self.iset, self.tries, fetch, CODE, 0), next(self.engine.disasm(data, CODE), None)

    def known_to_both(self, seed: int, count: int) -> Iterator[tuple[bytes, Decoded, Any]]:
        rnd = random.Random(seed)
        for _ in range(count):
            data = self._bytes(rnd)
            ours, theirs = self.decode(data)
            if ours is None or theirs is None:
                continue
            row = ours.variant.row
            if not (row.template in UNDEFINED or (self.long and row.pattern.startswith(CONDITIONAL) and b"\x66" in data)):
                yield data, ours, theirs

    def _bytes(self, rnd: random.Random) -> bytes:
        head = b""
        while rnd.random() < 0.35:
            head += bytes([rnd.choice(PREFIXES)])
        if rnd.random() < 0.15:
            vex = b"\xc5" if rnd.random() < 0.5 else bytes([0xC4, rnd.getrandbits(3) << 5 | rnd.randrange(1, 4)])
            return (vex + rnd.randbytes(15))[:15]
        if self.long and rnd.random() < 0.4:
            head += bytes([0x40 | rnd.getrandbits(4)])
        escape = rnd.choice((b"", b"", b"\x0f", b"\x0f", b"\x0f\x38", b"\x0f\x3a"))
        return (head + escape + rnd.randbytes(15))[:15]


@pytest.fixture(scope="module", params=MODES)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def test_lengths_are_capstones(pair: Pair) -> None:
    wrong, seen = [], 0
    for data, ours, theirs in pair.known_to_both(1, COUNT):
        seen += 1
        if ours.length != theirs.size:
            wrong.append(f"{data.hex(' ')}: {ours.variant.name} {ours.length}, {theirs.mnemonic} {theirs.op_str} {theirs.size}")
    assert not wrong, "\n".join(wrong[:10])
    assert seen > COUNT // 3


def test_mnemonics_are_capstones(pair: Pair) -> None:
    wrong, seen = [], set()
    for data, ours, theirs in pair.known_to_both(2, COUNT):
        row = ours.variant.row
        if row.source.split(":")[0] not in MODULES:
            continue
        mnemonic = row.template.partition(" ")[0]
        seen.add(mnemonic)
        if theirs.mnemonic.split()[-1] not in {mnemonic, *ALIASES.get(mnemonic, ())}:
            wrong.append(f"{data.hex(' ')}: {ours.variant.name}, {theirs.mnemonic} {theirs.op_str}")
    assert not wrong, "\n".join(wrong[:10])
    assert len(seen) > 120


@pytest.mark.parametrize(("mode", "code", "length"), [
    ("x86_64", "66 66 48 e8 00 00 00 00", 8),                  # a TLS sequence's call
    ("x86_64", "66 48 8d 3d 00 00 00 00", 8),                  # and its lea
    ("x86_64", "66 0f 84 00 00 00 00", 7),                     # 32-bit offsets whatever the operand size
    ("x86_64", "48 b8 88 77 66 55 44 33 22 11", 10),
    ("x86_64", "67 a1 44 33 22 11", 6),                        # an address of 4 bytes
    ("x86_64", "66 2e 0f 1f 84 00 00 00 00 00", 10),           # a long nop
    ("x86_64", "40 66 b8 34 12", 5),                           # REX that is not the last prefix does not count
    ("x86_64", "c8 34 12 01", 4),
    ("x86_64", "f7 c0 44 33 22 11", 6),                        # only test has an immediate
    ("x86_64", "f7 d0", 2),
    ("x86_64", "44 0f 20 45", 4),                              # mod of moves from and to control registers does not count
    ("x86_64", "c4 e3 7b f0 04 25 00 00 00 00 05", 11),        # VEX, SIB without base, displacement, immediate
    ("i386", "67 8b 06 34 12", 5),                             # 16-bit addresses
    ("i386", "67 8b 47 12", 4),
    ("i386", "67 8b 87 34 12", 5),
    ("i386", "67 a1 34 12", 4),
    ("i386", "66 e8 34 12", 4),
    ("i386", "66 0f 84 34 12", 5),
    ("i386", "9a 44 33 22 11 23 00", 7),
    ("i386", "66 ea 34 12 23 00", 6),
    ("i386", "c5 04 24", 3),                                   # lds, where ModRM is memory
    ("i386", "c5 f8 77", 3),                                   # else VEX
])  # fmt: skip
def test_lengths(mode: str, code: str, length: int) -> None:
    data = bytes.fromhex(code)
    assert len(data) == length
    ours, _ = Pair(mode).decode(data + b"\x90" * 4)
    assert ours is not None
    assert ours.length == length
