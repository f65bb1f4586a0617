"""Code that no compiler makes, on the host and under xemu: the same signal, address and registers.

Odd jumps, instructions across page ends, too long ones, undefined ones, self-modifying code, wild addresses. The program that
runs the pieces is user_programs/x86/bad.c: each starts with edi = the region of three pages, esi = its second page.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.bad_code import ALL, EXEC, NO_PAGE, PAGE, READ, WRITE, Placed
from tests.support.compare import assert_same
from tests.support.programs import EAGER, TIERS, run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).parent / "user_programs" / "x86" / "bad.c"
FLAGS = ("-O1", "-w", "-nostdlib", "-ffreestanding", "-static", "-fno-pie", "-no-pie", "-mgeneral-regs-only", "-fno-stack-protector",
         "-fcf-protection=none")  # fmt: skip
BOTH, ONLY64, ONLY32 = (64, 32), (64,), (32,)



def is_oracle() -> bool:
    """Say whether the host's processor is one of those that this was compared with: what is undefined differs between makers."""
    text = Path("/proc/cpuinfo").read_text() if os.uname().machine == "x86_64" else ""
    return "GenuineIntel" in text and " avx2 " in text


pytestmark = pytest.mark.skipif(not is_oracle(), reason="the host's processor is not an Intel one with AVX2")


@dataclass(frozen=True)
class Piece(Placed):
    """A piece, and in which modes it is run."""

    modes: tuple[int, ...] = BOTH

    def packed(self) -> bytes:
        return self.placed(bytes.fromhex(self.code), "<")


def across(code: str, inside: int, right: int) -> Piece:
    """Return code whose first `inside` bytes end the first page; the second has another right."""
    return Piece(code, PAGE - inside, rights=(READ | EXEC, right, ALL))


def pieces() -> dict[str, Piece]:
    """Return all pieces by name."""
    return {**MIDDLE, **pages(), **lengths(), **undefined(), **CHANGING, **WILD, **STATE}


MIDDLE: Final = {
    "into its own displacement": Piece("ebff c0 cc"),                                   # jmp -1; its second byte begins inc eax
    "into an immediate": Piece("b8 41ffc0cc 90 ebf9"),                                  # mov eax, imm; jmp to its third byte
    "both ways through the same bytes": Piece("31c9 b8 ffc1ebf7 cc 83f903 7cf5 cc"),
    "behind a prefix": Piece("31c9 f3a4 83f909 7d08 b909000000 ebf4 cc cc cc"),          # rep movsb, then movsb without rep
    "entered in the middle": Piece("48b8 cc90909090909090", entry=2, modes=ONLY64),
}


#: beginnings of instructions that some processors know to be undefined, and some must read on
CUT: Final = ("0f", "0f0b", "0fff", "0fb9", "0f04", "0f38", "0f38ff", "f0", "f001", "f089", "f090", "c5", "c4", "fe", "ea", "66", "c5f8",
              "c5f8ff", "d6", "0fa6", "8ff8", "c6f9", "c7c8")  # fmt: skip


def pages() -> dict[str, Piece]:
    """Instructions across the end of a page whose neighbour is absent or not executable."""
    made: dict[str, Piece] = {}
    long = {"movabs": ("48b8 1122334455667788 cc", ONLY64), "mov [disp], imm": ("c784af 00000000 55667788 cc", BOTH),
            "vex": ("c4e27d 18 05 00000000 cc", ONLY64), "two-byte": ("0fafc1 cc", BOTH), "jcc": ("0f84 00000000 cc", BOTH),
            "prefixes": ("2e2e2e2e2e 01c8 cc", BOTH), "branch": ("e8 00000000 cc", BOTH), "push": ("68 00000000 cc", BOTH)}  # fmt: skip
    for name, (code, modes) in long.items():
        size = len(bytes.fromhex(code)) - 1
        for inside in range(1, size + 1):
            for right, what in ((NO_PAGE, "absent"), (READ | WRITE, "data"), (READ | EXEC, "code"), (0, "forbidden")):
                if what in ("absent", "code") or inside in (1, size - 1):
                    made[f"{name}, {inside} of {size}, {what}"] = Piece(code, PAGE - inside, 0, (READ | EXEC, right, ALL), modes)
    for code in CUT:
        made[f"{code} at the end"] = across(code, len(bytes.fromhex(code)), NO_PAGE)
    return made


def lengths() -> dict[str, Piece]:
    """Instructions of 15 bytes and more."""
    made: dict[str, Piece] = {}
    for name, prefix in (("66", "66"), ("es", "26"), ("rep", "f3"), ("67", "67"), ("mixed", "662e67f3")):
        for count in (13, 14, 15, 16, 30):
            run_of = (prefix * count)[: 2 * count]
            made[f"{count} × {name}, nop"] = Piece(f"{run_of} 90 cc")
            made[f"{count} × {name}, add"] = Piece(f"{run_of} 01c8 cc")
    for count in (4, 5, 6, 7):
        made[f"{count} prefixes and mov [disp], imm"] = Piece("3e" * count + "c78700010000 11223344 cc")
        made[f"{count} prefixes and movabs"] = Piece("3e" * count + "48b8 1122334455667788 cc", modes=ONLY64)
    for inside in (14, 15, 16):
        for count in (15, 16):
            made[f"{count} prefixes, {inside} in the page"] = across("66" * count + "90cc", inside, NO_PAGE)
    made |= {f"rex in the middle, {count}": Piece("48" * count + "01c8 cc", modes=ONLY64) for count in (2, 13, 14)}
    return made


UNDEFINED: Final = """
    0f0b 0fff00 0fb900 0f04 0f0a 0f24c0 0f36 0f39 0f3c 0fa6c0 0fa7c0 f090 f001c8 f08907 f0830701 f03907 f08507 f00fa307 f00fba2700
    f00fc707 ffff fed0 fff8 8ff8 8fc8 c7c800000000 8ec8 8ef0 8cf0 8cf8 0fb2c0 0fc3c0 0fe7c0 0f2bc0 660f2bc0 f20f2bc0 f20ff000 0ff0c0
    0fd600 0f13c0 8dc0 c5c5c5 0f38f0c0 0fb8c0 f30fc7f0 0fc7c0 0f01c0 0f01c8 f4 ec ed ee ef e400 e700 6c 6f fa fb 0f08 0f09 0f06 0f30
    0f32 0f33 0f20c0 0f22c0 0f21c0 0f23c0 0f20c8 0f2008 0f0117 0f011f 0f013f 0f00d0 0f00d8 0f07 0f35 f1 cd03 cd04 cd01 cd20 cdff
    66c5f858c0 f3c5f858c0 f2c5f858c0 f0c5f858c0 c5e877 c5f8ffc0 c4e0f858c0 c4fff858c0 d9d1 d9e2 dfe1 daea cf cb ca0000 ff2f ff1f 62
    b9ffff0000-0f01d0 0fbac001 0f71c001 0f72c801 0f73c001 8ee8 0fae3f-cc c5f928c1-cc c5fa51c1-cc 0f0d07-cc 0f1f00-cc 0f18c0-cc
    0f1ec0-cc f30f1efa-cc f30f1efb-cc d9d8-cc dbe0-cc dbe1-cc dbe4-cc dfe8-cc ddd8-cc dede-cc f6c801-cc f7c801000000-cc c0f001-cc
    d0f0-cc 0fbaf801-cc f30fe6c0-cc f30fb8c0-cc 0f16c0-cc 0fb20f-cc 8e1f-cc 9b-cc
"""
UNDEFINED64: Final = """
    06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 62 82c000 9a ce d400 d500 d6 ea c4c0 c50f 48ff2f 48cf 48cb 41f1 406690-cc 48c5f858c0 480f0b
    f00f22c0 440f20c0 f20f38f0c0-cc f3480faec8-cc f30faec0-cc c4e2c990c0 c4e2fbf7c0-cc c4627bf5c0-cc 64488b042500000000
"""
UNDEFINED32: Final = """
    ce 6207 d400 82c000-cc d6-cc 0f05 27-cc 3f-cc ea000000000000 9a000000000000 c407-cc c507-cc ff28 060e161e-cc 1f 0fa1
    b8ffff0000-8ed8 31c0-8ed0 b82b000000-8ed0-cc f00fc7c8 8cd8-8ed8-cc 830c2400-9d-cc
"""


def undefined() -> dict[str, Piece]:
    """Undefined, privileged, trapping, and some surprisingly valid instructions."""
    made: dict[str, Piece] = {}
    for text, modes in ((UNDEFINED, BOTH), (UNDEFINED64, ONLY64), (UNDEFINED32, ONLY32)):
        made |= {f"{code} ({len(modes)}, {modes[0]})": Piece(code.replace("-", " ") + "cc", modes=modes) for code in text.split()}
    return made


def store(at: int, value: str) -> str:
    """Return mov [edi + at], byte: it changes the region."""
    return "c687" + struct.pack("<i", at).hex() + value


CHANGING: Final = {
    "the next instruction": Piece(store(0x108, "48") + "b3 11 cc"),                     # mov bl, 11h gets another immediate
    "the next but one": Piece(store(0x109, "c3") + "ffc0 ffc0 cc"),
    "its own immediate": Piece("31c9" + store(0x108, "77") + "ffc1 83f902 7cf2 8a8708010000 cc"),
    "in a loop": Piece("31c9 fe870b010000 b3 00 00cd ffc1 83f90a 7cef cc", offset=0x102),
    "an earlier block": Piece("31c9 83c001 fe8704010000 ffc1 83f928 7cf0 cc"),
    "by a string instruction": Piece("8db71c010000 8dbf16010000 b904000000 f3a4 9090 cc 90 909090 90 90 90 90 90 ffc0ffc3"),
    "into the next page": Piece("c60690 c6460190 c6460290 8d4600 ffe0"),
    "across a page": Piece("66c787 ff0f0000 90cc 8d87 fe0f0000 c60040 c60090 ffe0"),
    "a called function": Piece("31c9 e811000000 fe8719010000 ffc1 83f905 7cee cc 9090 b310 00df c3"),
    "in a page that is not writable": Piece(store(0x200, "90") + "cc", rights=(READ | EXEC, ALL, ALL)),
    "the last byte of the page before": Piece("c687 ff0f0000 cc 8d87 ff0f0000 ffe0", offset=PAGE),
    "a jump's displacement": Piece(store(0x108, "02") + "eb00 ffc3 ffcb cc"),
    "its own opcode by a push": Piece("8da70c010000 68 90909090 ffc3 ffc3 ffc3 cc"),
    "everything by rep stosb": Piece("b0cc 8dbf09010000 b910000000 f3aa 90909090"),
    "by an exchange": Piece("b8 90909090 8787 0c010000 ffc3ffc3 cc"),
    "by a vector store": Piece("0f57c0 660f76c0 0f1187 12010000 ffc3 ffc3 cc"),
}

WILD: Final = {
    "to 0": Piece("31c0 ffe0"), "to an absent page": Piece("b800000030 ffe0"), "to data": Piece("ffe6", rights=(ALL, READ | WRITE, ALL)),
    "to a forbidden page": Piece("ffe6", rights=(ALL, 0, ALL)), "call to 0": Piece("31c0 ffd0"), "ret to 0": Piece("6a00 c3"),
    "ret far away": Piece("68 efbeadde c3"), "through an absent table": Piece("ff24 85 00000000", modes=ONLY32),
    "through 0": Piece("31c0 ff20"),
    "backwards": Piece("e9 00000080"), "off the end": Piece("9090", offset=3 * PAGE - 2),
    "odd": Piece("8d4701 ffe0", rights=(NO_PAGE, ALL, ALL), offset=PAGE),
    "push without a stack": Piece("31e4 50"), "call without a stack": Piece("89fc e800000000", rights=(READ | EXEC, ALL, ALL)),
    "pop without a stack": Piece("bc00000030 58"), "ret without a stack": Piece("bc00000030 c3"), "pop to 0": Piece("6a01 31c0 8f00"),
    "push from 0": Piece("31c0 ff30"), "call to 0, no stack": Piece("31e4 31c0 ffd0"),
    "enter without a stack": Piece("bc00000030 c8000100"),
    "leave to nowhere": Piece("c9"), "pop at the end of a page": Piece("8da7fe0f0000 58", rights=(ALL, NO_PAGE, ALL)),
    "push over the start of a page": Piece("8d6602 50", rights=(READ | EXEC, ALL, ALL)),
    "pusha over the start of a page": Piece("8d6604 60", rights=(READ | EXEC, ALL, ALL), modes=ONLY32),
    "popf without a stack": Piece("bc00000030 9d"),
    "movs to an absent page": Piece("8dbefc0f0000 8d37 b910000000 f3a4", rights=(ALL, ALL, NO_PAGE)),
    "movs down to an absent page": Piece("fd 8d7e03 8db700050000 b910000000 f3a4 cc", rights=(READ | EXEC, ALL, ALL)),
    "movs from an absent page": Piece("89f3 8dbf00010000 8db7f60f0000 b910000000 f3a5", rights=(ALL, NO_PAGE, ALL), offset=0x800),
    "stos to a page that is not writable": Piece("8dbff00f0000 b909000000 f3ab", rights=(ALL, READ, ALL)),
    "scas to an absent page": Piece("8dbff00f0000 b9ff000000 b0aa f2ae", rights=(ALL, NO_PAGE, ALL)),
    "cmps of an absent page": Piece("8dbff00f0000 8db700060000 b9ff000000 f3a6", rights=(ALL, NO_PAGE, ALL)),
    "xchg": Piece("31c0 8700"), "cmpxchg": Piece("31c0 0fb108"), "add across": Piece("0187fe0f0000", rights=(ALL, NO_PAGE, ALL)),
    "add to a page that is not writable": Piece("0106", rights=(ALL, READ | EXEC, ALL)),
    "add half across": Piece("0187fe0f0000", rights=(ALL, READ, ALL)),
    "movaps": Piece("0f284701"), "movaps across": Piece("0f2887f80f0000", rights=(ALL, NO_PAGE, ALL)),
    "movups across": Piece("0f1187f80f0000", rights=(ALL, NO_PAGE, ALL)),
    "vmovaps": Piece("c5fc284710"), "cmpxchg8b across": Piece("0fc78ffc0f0000", rights=(ALL, NO_PAGE, ALL)),
    "cmpxchg16b": Piece("480fc74f08", modes=ONLY64),
    "kernel": Piece("48c7c000000080 ffe0", modes=ONLY64),

    "last user byte": Piece("48b8ffefffffff7f0000 ffe0", modes=ONLY64),
    "data not canonical": Piece("48b80000000000800000 8b00", modes=ONLY64),
    "stack not canonical": Piece("48bc0000000000800000 50", modes=ONLY64),

    "lea not canonical": Piece("48b80000000000800000 488d00 cc", modes=ONLY64), "rip-relative": Piece("8b05 00000070", modes=ONLY64),
    "kernel data": Piece("48c7c000f0ffff 8b00", modes=ONLY64), "above 3 GiB": Piece("b800f0ffff 8b00", modes=ONLY64),
    "jecxz": Piece("31c9 67e300 cc"), "67 branch": Piece("67eb00 cc"), "66 branch": Piece("66eb00 cc", modes=ONLY64),
    "66 near branch": Piece("66e90000 cc cc cc", modes=ONLY32),
    "66 ret": Piece("6800010000 66c3", modes=ONLY32), "66 ret 64": Piece("6800010000 66c3", modes=ONLY64),
    "rep ret": Piece("e801000000 cc f3c3"), "bnd jmp": Piece("f2eb00 cc"), "ds jcc": Piece("3e7500 cc"),
}  # fmt: skip

STATE: Final = {
    "nested task": Piece("9c 810c2400400000 9d 9c 58 cc"), "iopl": Piece("9c 810c2400300000 9d 9c 58 25ff0f0000 cc"),
    "direction": Piece("fd aa aa cc"), "reserved flags": Piece("6802080000 9d 9c 58 cc"),
    "idiv overflow": Piece("b800000080 99 b9ffffffff f7f9"), "div overflow": Piece("ba01000000 b901000000 f7f1"),
    "div by 0 in memory": Piece("f7b700080000"), "div byte": Piece("b8ffff0000 b101 f6f1"), "idiv byte": Piece("b880000000 b1ff f6f9"),
    "idiv 16": Piece("66ba0080 6631c0 66b9ffff 66f7f9"), "idiv 64": Piece("48b80000000000000080 4899 48c7c1ffffffff 48f7f9", modes=ONLY64),
    "aam 0": Piece("d400", modes=ONLY32), "into": Piece("b07f 0401 ce", modes=ONLY32),
    "bound": Piece("c70701000000 c7470405000000 b806000000 6207", modes=ONLY32),
    "bound inside": Piece("c70701000000 c7470405000000 b805000000 6207 cc", modes=ONLY32),
    "two-byte int3": Piece("cd03"), "icebp": Piece("f1"), "fp stack": Piece("dbe3 d9c0 9b dfe0 cc"),
    "sse not masked": Piece("c70700000000 0fae17 0f57c0 0f5ec0 cc"), "mxcsr reserved": Piece("c70700000100 0fae17"),
    "sse overflow": Piece("c707001e0000 0fae17 c707ffff7f7f f30f1007 f30f58c0 cc"),
    "x87 not masked": Piece("dbe3 c7077b030000 d92f d9e8 d9ee def9 90 9b cc"),
    "x87 at the next one": Piece("dbe3 c7077b030000 d92f d9e8 d9ee def9 d9e8 cc"),
}  # fmt: skip
#: not compared: #GP's error code, which is always 0 here
ERROR_CODE: Final = re.compile(r"(?<= trap d) error \w+")


@pytest.fixture(scope="module")
def programs(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directory = tmp_path_factory.mktemp("bad")
    made = {bits: directory / f"bad{bits}" for bits in BOTH}
    need("gcc", "gcc -m32")
    for bits, program in made.items():
        subprocess.run(["gcc", f"-m{bits}", *FLAGS, str(SOURCE), "-o", str(program)], check=True, capture_output=True)
    return made


@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
@pytest.mark.parametrize("bits", BOTH)
def test_signals_addresses_and_registers_are_those_of_the_host(bits: int, tier: str, programs: dict[int, Path], tmp_path: Path) -> None:
    chosen = {name: piece for name, piece in pieces().items() if bits in piece.modes}
    stdin = b"".join(piece.packed() for piece in chosen.values())
    native = run([programs[bits]], stdin=stdin, cwd=tmp_path)
    emulated = run(xemu_command(programs[bits], options=TIERS[tier]), stdin=stdin, cwd=tmp_path, timeout=600)
    lines = [ERROR_CODE.sub("", result.stdout.decode()).splitlines() for result in (native, emulated)]
    expected, got = (dict(zip(chosen, each, strict=False)) for each in lines)
    assert (native.code, len(expected)) == (0, len(chosen)), list(chosen)[len(expected)]
    wrong = {name: (text, got.get(name)) for name, text in expected.items() if got.get(name) != text}
    assert (emulated.code, wrong) == (0, {}), emulated.stderr.decode()[-2000:]


def test_looking_ahead_ends_where_pages_end(programs: dict[int, Path], tmp_path: Path) -> None:
    """Without a cache, the handlers of what follows are asked for too: what follows cdq goes on in a page that is not there."""
    stdin = across("99 6950a72ea5", 6, NO_PAGE).packed()
    expected = run([programs[64]], stdin=stdin, cwd=tmp_path)
    assert b"address 20001000" in expected.stdout
    assert_same(run(xemu_command(programs[64]), stdin=stdin, cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path)}), expected)
