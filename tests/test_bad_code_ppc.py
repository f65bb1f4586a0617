"""Code that no compiler makes, under QEMU and under xemu: the same signal, address and registers, in both byte orders.

Odd jumps, code that runs off its page, undefined words, self-modifying code, wild addresses. The program that runs the pieces is
user_programs/ppc/bad.c: each starts with r31 = the region of three pages, r30 = its second page, r1 = a stack, rN = N.
"""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from signal import SIGILL, SIGSEGV
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.bad_code import ALL, EXEC, NO_PAGE, PAGE, READ, WRITE, Placed
from tests.support.programs import EAGER, TIERS, qemu_command, run, xemu_command
from xemu.errors import ImageError
from xemu.loaders.elf import bytes_reader, read_elf

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).parent / "user_programs" / "ppc" / "bad.c"
PREFIXES: Final = {"ppc": "powerpc-linux-gnu-", "ppc64le": "powerpc64le-linux-gnu-"}
ORDERS: Final = {"ppc": ">", "ppc64le": "<"}
REGION, STACK = 0x20000000, 0x21000000
BOTH, ONLY64, ONLY32 = ("ppc", "ppc64le"), ("ppc64le",), ("ppc",)


@dataclass(frozen=True)
class Piece(Placed):
    """A piece, and for which targets it is."""

    targets: tuple[str, ...] = BOTH
    after: tuple[int, ...] = ()                      # the rights when the signal comes, if others
    address: int = -1                                # si_addr, where QEMU has another

    def right(self, address: int) -> int:
        """Return what a page may be used for when the signal comes."""
        if STACK <= address < STACK + 16 * PAGE:
            return READ | WRITE
        n = (address - REGION) // PAGE
        return (self.after or self.rights)[n] if 0 <= n < 3 else NO_PAGE


def words(text: str, targets: tuple[str, ...] = BOTH, behind: str = "") -> dict[str, Piece]:
    """Return a piece for each word, with what follows it."""
    return {f"{word} ({'/'.join(targets)})": Piece(f".long 0x{word}; {behind} trap", targets=targets) for word in text.split()}


def jump(address: str, branch: str = "bctr") -> str:
    """Return a jump to an address."""
    return f"lis 3, {address}@h; ori 3, 3, {address}@l; mtctr 3; mtlr 3; {branch}"


JUMPS: Final = {
    "odd": Piece("addi 3, 31, 0x111; mtctr 3; bctr; trap; addi 5, 5, 1; trap"),
    "odd, by two": Piece("addi 3, 31, 0x112; mtctr 3; bctr; trap; addi 5, 5, 1; trap"),
    "odd return": Piece("addi 3, 31, 0x113; mtlr 3; blr; trap; addi 5, 5, 1; trap"),
    "odd call": Piece("addi 3, 31, 0x111; mtctr 3; bctrl; trap; addi 5, 5, 1; trap"),
    "into the middle": Piece("nop; nop; addi 5, 5, 1; trap", entry=8),
    "past the end": Piece("addi 5, 5, 1; nop", offset=3 * PAGE - 8),
    "to 0": Piece(jump("0")), "call to 0": Piece(jump("0", "bctrl")), "return to 0": Piece(jump("0", "blr")),
    "return and call": Piece(jump("0", "blrl")), "to an absent page": Piece(jump("0x30000000")),
    "to data": Piece("mtctr 30; bctr", rights=(ALL, READ | WRITE, ALL)),
    "to a forbidden page": Piece("mtctr 30; bctr", rights=(ALL, 0, ALL)),
    "to the stack": Piece("mtctr 1; bctr"), "to the kernel": Piece(jump("0xF0000000"), targets=ONLY32),
    "to the kernel, 64": Piece("lis 3, 0x7FFF; sldi 3, 3, 33; mtctr 3; bctr", targets=ONLY64),
    "past user addresses": Piece("li 3, 1; sldi 3, 3, 52; mtctr 3; bctr", targets=ONLY64),
    "absolute": Piece("ba 0x1000000"), "absolute, below": Piece("ba -0x1000"), "conditional, absolute": Piece("bca 20, 0, 0x1000"),
    "call, absolute": Piece("bla 0x1000"), "back too far": Piece("b .-0x1F00000"),
    "counting": Piece("li 3, 0; mtctr 3; bdz .+8; trap; trap"),
    "bcctr that counts": Piece(".long 0x4c000420; trap"), "a call to the next": Piece("bcl 20, 31, .+4; mflr 5; trap"),
}  # fmt: skip
NEXT: Final = {"absent": NO_PAGE, "data": READ | WRITE, "forbidden": 0, "read": READ}
ENDS: Final = {
    **{f"runs into a page that is {name}": Piece("addi 5, 5, 1", PAGE - 4, 0, (READ | EXEC, right, ALL)) for name, right in NEXT.items()},
    **{f"branch into a page that is {name}": Piece("b .+8; trap", PAGE - 8, 0, (ALL, right, ALL)) for name, right in NEXT.items()},
    "across pages": Piece("addi 5, 5, 1; addi 5, 5, 1; trap", PAGE - 4), "back across": Piece("trap; b .-4", PAGE - 4, 4),
}  # fmt: skip
#: undefined, privileged, trapping, and reserved for hints; those of one width alone, and those that fall through
UNDEFINED: Final = """
    00000000 ffffffff 00000001 00000200 04000000 14000000 7c0000a6 7c000124 7c0002e4 7c000264 4c000064 4c000024 7c1a02a6 7c1b03a6
    7c1f43a6 7c0c43a6 7c000008 7fe00008 7c800008 0fe00000 0c800000 0c640001 7c000ffc 7c0001a4 7c0004a6 7c000526 4c000000 4c0007fe f8000003
    ec000000 fc0003fe 7c000026 7c0007fe 7c0003fe 7c0003a6 8c000000 94000000 84630000 9c800000 7c0000ee
"""
UNDEFINED64: Final = """
    7c0004e6 f8000002 e8000003 eb800001 e8000001 f8000001 7c00060c 7c00070d 4c000124 7c00035c
    7c00025c 0b000000 08640000 7c000088 e0200000 f8200002 7c0005cc 7c00048c fc000648 10000001 10000541 f0000003 18000000
"""
UNDEFINED32: Final = "08640000 7c000088 7c00002a e8000000 f8000000 78000000 7c00001a 10000541 7c0000f4 7c0003f8 fc00065c  4c000460"
HINTS64: Final = "7c0005a4 7c0005e4 7c000524 7c000564  7c00022c 7c0004ac 7c2004ac 7c421378 7fffff78"


def store(instruction: str, at: str, barrier: str = "") -> str:
    """Return code that stores an instruction at a distance from the region, and what makes that known."""
    return f"lis 3, ({instruction})@h; ori 3, 3, ({instruction})@l; stw 3, {at}(31); {barrier}"


FLUSH: Final = "addi 6, 31, {at}; dcbst 0, 6; sync; icbi 0, 6; isync;"
ADD5, ADD7, TRAP, BLR = "0x38A50001", "0x38E70007", "0x7FE00008", "0x4E800020"     # addi 5, 5, 1; addi 7, 7, 7
CHANGING: Final = {
    "the next block, flushed": Piece(store(ADD7, "0x200", FLUSH.format(at=0x200)) + "b .+0xE0; .space 0xDC; addi 5, 5, 1; trap", 0x100),
    "behind a branch": Piece(store(ADD7, "0x110") + "b .+4; addi 5, 5, 1; trap"),
    "behind a branch, flushed": Piece(store(ADD7, "0x124", FLUSH.format(at=0x124)) + "b .+4; addi 5, 5, 1; trap"),
    "an earlier block": Piece("b .+8; trap; addi 5, 5, 1; cmpwi 5, 20; bge .+20; " + store(ADD7, "0x200") + "b .-24; trap"),
    "behind isync": Piece(store(ADD7, "0x110") + "isync; addi 5, 5, 1; trap"),
    "in a loop": Piece("li 8, 0; addi 5, 5, 1; lwz 9, 0x104(31); xori 9, 9, 3; stw 9, 0x104(31); addi 8, 8, 1; cmpwi 8, 50; blt .-24; "
                       "trap"),
    "a called function": Piece("li 8, 0; bl .+36; lwz 9, 0x128(31); addi 9, 9, 1; stw 9, 0x128(31); addi 8, 8, 1; cmpwi 8, 9; blt .-24; "
                               "trap; nop; addi 5, 5, 1; blr"),
    "its own page's data": Piece("li 8, 0; stw 8, 0x800(31); lwz 9, 0x800(31); add 5, 5, 9; addi 8, 8, 1; cmpwi 8, 300; blt .-20; trap"),
    "the next page": Piece(f"lis 3, {ADD7}@h; ori 3, 3, {ADD7}@l; stw 3, 0(30); lis 3, {TRAP}@h; ori 3, 3, {TRAP}@l; stw 3, 4(30); "
                           "mtctr 30; bctr"),
    "the page before": Piece(f"lis 3, {TRAP}@h; ori 3, 3, {TRAP}@l; stw 3, 0xFFC(31); addi 6, 31, 0xFFC; mtctr 6; bctr", PAGE),
    "in a page that is not writable": Piece(store(ADD7, "0x200") + "trap", rights=(READ | EXEC, ALL, ALL)),
    "by a cleared cache block": Piece("addi 6, 31, 0x200; mtctr 6; dcbz 0, 6; bctr; .space 0xF0; addi 5, 5, 1; trap"),
    "by bytes": Piece("addi 6, 31, 0x200; lis 3, 0x38; li 4, 0; stb 4, 0(6); stb 4, 3(6); sth 4, 1(6); mtctr 6; bctr; .space 0xE0; "
                      "addi 5, 5, 1; trap"),
    "by a vector": Piece("addi 6, 31, 0x200; vspltisw 0, 0; stvx 0, 0, 6; mtctr 6; bctr; .space 0xEC; addi 5, 5, 1; trap"),
    "by a conditional store": Piece("addi 6, 31, 0x200; mtctr 6; lwarx 3, 0, 6; addi 3, 3, 5; stwcx. 3, 0, 6; bctr; .space 0xE8; "
                                    "addi 5, 5, 1; trap"),
    "by a store multiple": Piece("addi 6, 31, 0x200; mtctr 6; stmw 28, 0(6); bctr; .space 0xF0; addi 5, 5, 1; trap", targets=ONLY32),
    "by floating point": Piece("addi 6, 31, 0x200; mtctr 6; lfd 0, 0x300(31); stfd 0, 0(6); bctr; .space 0xEC; addi 5, 5, 1; trap"),
    "code on the stack": Piece(f"lis 3, {TRAP}@h; ori 3, 3, {TRAP}@l; stw 3, -4(1); addi 6, 1, -4; mtctr 6; bctr"),
    "code on a stack that may be executed": Piece(f"lis 3, {TRAP}@h; ori 3, 3, {TRAP}@l; mr 1, 30; stwu 3, -4(1); mtctr 1; bctr"),
    "a page that loses its right": Piece("li 0, 125; mr 3, 31; li 4, 4096; li 5, 3; sc; addi 5, 5, 1; trap",
                                        after=(READ | WRITE, ALL, ALL)),
    "a page that goes away": Piece("li 0, 91; mr 3, 31; li 4, 4096; sc; addi 5, 5, 1; trap", after=(NO_PAGE, ALL, ALL)),
    "the next page goes away": Piece("li 0, 91; mr 3, 30; li 4, 4096; sc; mtctr 30; bctr", after=(ALL, NO_PAGE, ALL)),
    "a page that may be executed again": Piece("li 0, 125; mr 3, 30; li 4, 4096; li 5, 5; sc; mtctr 30; bctr", rights=(ALL, READ, ALL),
                                               after=(ALL, READ | EXEC, ALL)),
}  # fmt: skip
WILD: Final = {
    "the kernel's data": Piece("lis 3, 0x7FFF; sldi 3, 3, 33; ld 3, 0(3)", targets=ONLY64, address=0xFFFE << 48),
    "no one's data": Piece("li 3, 1; sldi 3, 3, 60; std 3, 0(3)", targets=ONLY64, address=1 << 60),
}
ACCESSES: Final = """
    lbz 3, 0(0) | lwz 3, 0(12) | stw 3, 0(12) | lhz 3, -1(30) | lwz 3, -2(30) | stw 3, -2(30) | stb 3, 0(30) | stb 3, -1(30)
    lwzu 3, 0x1000(31) | stwu 3, 0x1000(31) | lbzux 3, 31, 4 | lfd 0, 0(30) | stfd 0, 0(30) | lfs 0, 0(12) | stfs 0, 4(30)
    lfdu 1, 0x1000(31) | stfdu 1, 0x1000(31) | lvx 0, 0, 30 | stvx 0, 0, 30 | lvebx 0, 0, 30 | stvewx 0, 0, 30 | lwarx 3, 0, 30
    dcbz 0, 30 | dcbz 0, 0 | dcbf 0, 30 | dcbst 0, 30 | icbi 0, 30 | dcbt 0, 30 | dcbtst 0, 30 | lwbrx 3, 0, 30 | stwbrx 3, 0, 30
    stwu 1, -32(12) | li 1, 0; stwu 1, -32(1) | mr 1, 30; lwz 0, 4(1) | li 3, -4; lwz 3, 0(3) | li 3, -4; lwz 3, 8(3)
"""
ACCESSES64: Final = """
    ld 3, -4(30) | std 3, -4(30) | ldu 3, 0x1000(31) | lxv 0, 0(30) | stxv 0, 0(30) | lxvl 0, 30, 4 | lxsd 0, 0(30) | ldarx 3, 0, 30
    lbarx 3, 0, 30 | lharx 3, 0, 30 | ldbrx 3, 0, 30
"""
ACCESSES32: Final = """
    mr 12, 30; lmw 20, -8(12) | mr 12, 30; stmw 20, -8(12) | lmw 31, 0(30) | lswi 20, 30, 16 | stswi 20, 30, 16 | lwz 3, 0x7FFC(30)
    li 3, -1; lwz 3, -3(3)
"""
#: what is no word of its size
MISALIGNED: Final = """
    addi 6, 30, 2; lwarx 3, 0, 6 | addi 6, 30, 2; lwarx 3, 0, 30; stwcx. 3, 0, 30; lwarx 3, 0, 6 | lwz 3, 1(30); stw 3, 3(30); trap
    lfd 0, 3(30); stfd 0, 5(30); lhz 3, 1(30); trap | addi 6, 30, 3; lvx 0, 0, 6; stvx 0, 0, 6; dcbz 0, 6; trap
"""
MISALIGNED64: Final = """
    addi 6, 30, 4; ldarx 3, 0, 6 | addi 6, 30, 1; lharx 3, 0, 6 | addi 6, 30, 8; lqarx 4, 0, 6
"""
RIGHTS: Final = {"absent": NO_PAGE, "read": READ, "forbidden": 0, "execute": READ | EXEC}


def pieces() -> dict[str, Piece]:
    """Return all pieces by name."""
    made = {**JUMPS, **ENDS, **CHANGING, **WILD, **words(UNDEFINED), **words(UNDEFINED64, ONLY64), **words(UNDEFINED32, ONLY32)}
    made |= words(HINTS64, ONLY64)
    for text, targets in ((MISALIGNED, BOTH), (MISALIGNED64, ONLY64)):
        made |= {code.strip(): Piece(code, targets=targets) for code in text.replace("\n", "|").split("|") if code.strip()}
    for text, targets in ((ACCESSES, BOTH), (ACCESSES64, ONLY64), (ACCESSES32, ONLY32)):
        for code in text.replace("\n", "|").split("|"):
            for name, right in RIGHTS.items() if code.strip() else ():
                made[f"{code.strip()} ({name})"] = Piece(code + "; addi 5, 5, 1; trap", rights=(ALL, right, right), targets=targets)
    return made


def assemble(target: str, chosen: dict[str, Piece], directory: Path) -> list[bytes]:
    """Return the code of each piece."""
    prefix, where = PREFIXES[target], directory / f"{target}.o"
    text = "".join(f".text; 1: {piece.code}; 2: .section .sizes; .long 2b - 1b\n" for piece in chosen.values())
    options = ["-mpower9", "-mregnames"] if target == "ppc64le" else ["-m7400", "-mregnames"]
    subprocess.run([f"{prefix}as", *options, "-o", where, "-"], input=text, check=True, text=True)
    found = []
    for section in (".text", ".sizes"):
        subprocess.run([f"{prefix}objcopy", "-O", "binary", "-j", section, "--set-section-flags", f"{section}=alloc", where,
                        directory / "out"], check=True)
        found.append((directory / "out").read_bytes())
    code, at, cut = found[0], 0, []
    for (size,) in struct.iter_unpack(ORDERS[target] + "I", found[1]):
        cut.append(code[at : at + size])
        at += size
    return cut


#: registers that may not be written and have no privileged number, so that the instruction does not exist: QEMU's code is another
NO_REGISTER: Final = ("7c0c43a6", "7c0003a6")
FIELDS: Final = re.compile("signal (\\d+) code (-?\\d+) address (\\w+) pc (\\w+)(.*)")


def as_linux(text: str, name: str, piece: Piece) -> str:
    """Return what QEMU says of a signal as Linux has it.

    QEMU's SIGSEGV has no code for what is forbidden and no address where an instruction cannot be read; privileged registers have a
    code of their own.
    """
    found = FIELDS.fullmatch(text)
    assert found, text
    signal, code, address, pc = int(found[1]), int(found[2]), int(found[3], 16), int(found[4], 16)
    if signal == SIGSEGV:
        if not piece.right(pc) & EXEC:
            address = pc
        elif piece.address >= 0:
            address = piece.address
        code = 1 if piece.right(address) == NO_PAGE else 2
    if signal == SIGILL and code == 6:
        code = 1 if name.startswith(NO_REGISTER) else 5
    return f"signal {signal} code {code} address {address:x} pc {pc:x}{found[5]}"


@pytest.fixture(scope="module", params=BOTH)
def program(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, bytes]:
    """Return a target, the program and its input."""
    target = request.param
    need(f"{PREFIXES[target]}gcc")
    need(f"qemu-{target}")
    directory = tmp_path_factory.mktemp("bad")
    chosen = {name: piece for name, piece in pieces().items() if target in piece.targets}
    made = zip(chosen.values(), assemble(target, chosen, directory), strict=True)
    stdin = b"".join(piece.placed(code, ORDERS[target]) for piece, code in made)
    subprocess.run([f"{PREFIXES[target]}gcc", "-O1", "-static", "-no-pie", str(SOURCE), "-o", directory / "bad"], check=True)
    return target, directory / "bad", stdin


@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
def test_signals_addresses_and_registers_are_those_of_qemu(tier: str, program: tuple[str, Path, bytes], tmp_path: Path) -> None:
    target, path, stdin = program
    chosen = {name: piece for name, piece in pieces().items() if target in piece.targets}
    qemu = run(qemu_command(path), stdin=stdin, cwd=tmp_path)
    emulated = run(xemu_command(path, options=TIERS[tier]), stdin=stdin, cwd=tmp_path, timeout=600)
    lines, got = qemu.stdout.decode().splitlines(), dict(zip(chosen, emulated.stdout.decode().splitlines(), strict=False))
    assert (qemu.code, len(lines)) == (0, len(chosen)), list(chosen)[len(lines)]
    expected = {name: as_linux(text, name, piece) for (name, piece), text in zip(chosen.items(), lines, strict=True)}
    wrong = {name: (text, got.get(name)) for name, text in expected.items() if got.get(name) != text}
    assert (emulated.code, wrong) == (0, {}), emulated.stderr.decode()[-2000:]


#: fields of a file's header and of its first segment: where they are with 32 and 64 bits, whether they are words (W) or less
PLACES: Final = {
    "bits": (4, 4, "B"), "data": (5, 5, "B"), "type": (16, 16, "H"), "machine": (18, 18, "H"), "entry": (24, 24, "W"),
    "phoff": (28, 32, "W"), "phentsize": (42, 54, "H"), "phnum": (44, 56, "H"), "offset": (56, 72, "W"), "vaddr": (60, 80, "W"),
    "filesz": (68, 96, "W"), "memsz": (72, 104, "W"),
}  # fmt: skip
#: what is changed, and the line that says so; ones: all bits of a word
DAMAGE: Final = (
    ("data", 3, "ELF header with class [12] and byte order 3; is the file damaged"), ("type", 0x300, "not a program but ELF type 768"),
    ("phnum", 0xFFFF, "65535 program headers of (32|56) bytes; is the file"),
    ("phnum", 0, "no program headers; it cannot be run"), ("phentsize", 0, "program headers of 0 bytes; is the file damaged"),
    ("phoff", -1, "program headers end at .*, the file at"), ("offset", -1, "segment 0 ends at .*, the file at"),
    ("vaddr", -0x10000, "segment 0 ends at .*, past the address space"), ("filesz", -1, "segment 0 has 0xf+ bytes in the file for"),
    ("memsz", -1, "segment 0 ends at .*, past the address space"), ("memsz", 0, "segment 0 has .* bytes in the file for 0x0 in memory"),
    ("memsz", 1 << 31, "segment 1 starts at .*, before the end of the one before it"),
)  # fmt: skip


def changed(target: str, path: Path, field: str, change: Callable[[int], int], to: Path) -> Path:
    """Write a program with another value in a field; return its path."""
    wide, blob = target == "ppc64le", bytearray(path.read_bytes())
    at, code = PLACES[field][wide], PLACES[field][2].replace("W", "Q" if wide else "I")
    codes = struct.Struct(ORDERS[target] + code)
    codes.pack_into(blob, at, change(codes.unpack_from(blob, at)[0]) & (1 << 8 * codes.size) - 1)
    to.write_bytes(blob)
    to.chmod(0o755)
    return to


def test_damaged_programs_are_refused_with_one_line(program: tuple[str, Path, bytes], tmp_path: Path) -> None:
    target, path, _ = program
    for field, value, line in DAMAGE:
        blob = changed(target, path, field, lambda _, value=value: value, tmp_path / "damaged").read_bytes()
        with pytest.raises(ImageError, match=f"^prog: .*{line}[^\n]*$"):
            read_elf(bytes_reader(blob), len(blob), "prog")
    for length in (4, 16, 51, 63, 80, len(blob) // 2):
        with pytest.raises(ImageError, match=r"^prog: [^\n]*$"):
            read_elf(bytes_reader(blob[:length]), length, "prog")


def test_the_lowest_bits_of_the_entry_do_not_count(program: tuple[str, Path, bytes], tmp_path: Path) -> None:
    target, path, stdin = program
    odd = changed(target, path, "entry", lambda entry: entry + 3, tmp_path / "odd")
    first = struct.calcsize("6i") + struct.unpack_from(ORDERS[target] + "i", stdin, 20)[0]
    result = run(xemu_command(odd), stdin=stdin[:first])
    assert (result.code, result.stdout[:9]) == (0, b"signal 5 ")
    nowhere = changed(target, path, "entry", lambda _: 3, tmp_path / "nowhere")
    assert re.search(b"SIGSEGV at 0x0+: nothing is mapped at 0x0+\n", run(xemu_command(nowhere)).stderr)
