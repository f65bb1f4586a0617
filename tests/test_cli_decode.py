"""`xemu decode`: what it prints, and what it says about encodings it does not have."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.x86 import get, random_word
from xemu.cli.decode import ARCHITECTURES, Microscope
from xemu.cli.main import main
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from xemu.core.isa import Variant

X86 = {"x86_64": 1, "i386": 0}   # whether the mode is 64-bit mode
ADDS = "020091e0"  # adds r0, r1, r2


def decode(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what `xemu decode` prints for words that it accepts."""
    assert main(["decode", *words]) == 0
    return capsys.readouterr().out


def test_an_instruction_is_shown_with_its_row_and_effects(capsys: pytest.CaptureFixture[str]) -> None:
    lines = decode(capsys, "arm", ADDS, "--ir", "none").split("\n")
    assert lines[0] == "bytes     02 00 91 e0  word e0910002  at 0x10000"
    assert lines[1].startswith("row       a32.ADD_register  xemu/targets/arm/a32_data.py")
    assert "title     ADD (register), A1. ARM ARM A8.8.7." in lines
    assert "assembly  adds r0, r1, r2" in lines
    assert lines[lines.index("evaluator") :] == [
        "evaluator",
        "  v1:32 = read R[1]",
        "  v2:32 = read R[2]",
        "  v3:32 = add v1, v2",
        "  v4:64 = sext v3",
        "  write NZ = v4",
        "  write CX = v1",
        "  v5:32 = xor v2, 0xffffffff",
        "  write CY = v5",
        "  write CS = v3",
        "  write R[0] = v3",
        "",
    ]


def test_the_bits_stand_below_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    lines = decode(capsys, "arm", ADDS, "--ir=none").split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("diagram"))
    assert lines[at : at + 2] == [
        "diagram   cond 000 0100 S Rn   Rd_pc 00000 00 0 Rm",
        "          1110 000 0100 1 0001 0000  00000 00 0 0010",
    ]


@pytest.mark.parametrize(
    ("arch", "memory", "word"), [("arm", ADDS, "0xe0910002"), ("thumb", "4ff00100", "0xf04f0001"), ("thumb", "0120", "0x2001")]
)
def test_bytes_and_words_are_the_same(capsys: pytest.CaptureFixture[str], arch: str, memory: str, word: str) -> None:
    assert decode(capsys, "--ir", "none", arch, memory) == decode(capsys, "--ir", "none", arch, word)


@pytest.mark.parametrize(("arch", "memory"), [("ppc", "7c642a14"), ("ppc64le", "142a647c")])
def test_powerpc_in_both_byte_orders(capsys: pytest.CaptureFixture[str], arch: str, memory: str) -> None:
    lines = decode(capsys, arch, memory, "--ir", "none").split("\n")
    assert lines == decode(capsys, "--ir", "none", arch, "0x7c642a14").split("\n")
    assert lines[0].endswith("word 7c642a14  at 0x10000")
    assert "assembly  add r3, r4, r5" in lines
    at = lines.index("template  add{o}{Rc} {RT}, {RA}, {RB}")
    assert lines[at + 1] == "          add r3, r4, r5"
    assert "  write GPR[3] = v3" in lines


@pytest.mark.parametrize(("arch", "word", "text"), [
    ("ppc", "0x7c642a15", "add. r3, r4, r5"), ("ppc", "0x7c642e15", "addo. r3, r4, r5"), ("ppc", "0x48000101", "bl 0x10100"),
    ("ppc64le", "0x4bfffffe", "ba 0xfffffffffffffffc"), ("ppc", "0x4082fff1", "bcl 4, 2, 0xfff0"), ("ppc64le", "0x4c820020", "bclr 4, 2"),
    ("ppc64le", "0x3860ffff", "addi r3, 0, -1"), ("ppc", "0x2f830005", "cmpwi cr7, r3, 5"), ("ppc", "0x9061fff8", "stw r3, -8(r1)")])
def test_powerpc_templates_are_filled_in(capsys: pytest.CaptureFixture[str], arch: str, word: str, text: str) -> None:
    lines = decode(capsys, arch, word, "--ir", "none").split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("template"))
    assert lines[at + 1] == f"          {text}"


def test_an_instruction_that_capstone_does_not_know_is_named_by_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert "assembly  scv  (capstone does not know it)" in decode(capsys, "ppc64le", "0x44000001", "--ir", "none").split("\n")


def test_both_stages_are_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    both = decode(capsys, "arm", ADDS)
    handler = decode(capsys, "arm", ADDS, "--ir", "handler")
    region = decode(capsys, "arm", ADDS, "--ir", "region", "--pc", "0x8000")
    assert "\nhandler\ndefine " in both
    assert "\nregion\ndefine " in both
    assert "@extract" in handler  # the operand extraction
    assert "@region" not in handler
    assert "b8000:" in region
    assert "@extract" not in region


def test_a_system_call_has_no_region(capsys: pytest.CaptureFixture[str]) -> None:
    text = decode(capsys, "arm", "000000ef", "--ir", "region")
    assert "  trap syscall 0x0\n" in text
    assert text.endswith("region: none; regions leave this instruction to its handler\n")


def test_memory_accesses_name_the_condition(capsys: pytest.CaptureFixture[str]) -> None:
    text = decode(capsys, "arm", "0x05900000", "--ir", "none")  # ldreq r0, [r0]
    assert "  condition v3 (number 0; the rest happens where it is 1)\n" in text
    assert "  v5:32 = load 4 bytes at v4\n" in text


def test_the_guard_is_an_it_block(capsys: pytest.CaptureFixture[str]) -> None:
    text = decode(capsys, "thumb", "0120", "--guard", "0x18", "--ir", "region")
    assert "t16.MOV_immediate.InIT1" in text
    assert "  write ITSTATE = 0x0\n" in text
    assert "region: none" in text


def test_no_row_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "arm", "ffffffff"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "xemu: arm: no row has the encoding ff ff ff ff (capstone does not know it either)\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["arm"], "an architecture and the bytes of an instruction are needed: xemu decode arm 020091e0"),
        (["mips", ADDS], "no architecture 'mips'; there are: arm, thumb, v6-m, v7-m, v7e-m, x86_64, i386, ppc, ppc64le"),
        (["arm", "0200"], "02 00: 2 bytes given, the instruction has 4"),
        (["thumb", "4ff0"], "4f f0: 2 bytes given, the instruction has 4"),
        (["arm", "adds"], "adds: not pairs of hexadecimal digits"),
        (["arm", ADDS, "--pc", "2"], "--pc 0x2: instructions of a32 stand at multiples of 4"),
        (["arm", ADDS, "--guard", "8"], "--guard: a32 has none"),
        (["arm", ADDS, "--ri", "none"], "no option --ri; did you mean --ir?"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["decode", *words]) == 2
    assert capsys.readouterr().err == f"xemu: {message}\n"


@pytest.mark.parametrize("arch", [name for name in ARCHITECTURES if name not in X86])
def test_every_row_can_be_shown(arch: str) -> None:
    """Row, effects and diagram of one encoding of each row that the decoder gives back."""
    name, context = ARCHITECTURES[arch]
    scope = Microscope(get_target(name), context, 0x10000, 0)
    scope.target.load_rows()
    for isa in scope.iset.isas:
        for row in isa.rows:
            variant = next(v for v in row.variants() if not v.value >> isa.bits)
            word = variant.value | (14 << 28 if "cond" in row.places and isa.name == "a32" else 0)
            unit = scope.unit
            units = [word >> 8 * at & ((1 << 8 * unit) - 1) for at in range(isa.bits // 8 - unit, -1, -unit)]
            data = b"".join(u.to_bytes(unit, "big" if scope.iset.big else "little") for u in units)
            found = scope.decode(data)
            if found is not None:
                assert scope.summary(found, data)[1].startswith(f"row       {found.variant.row.name}")
                assert scope.effects(found)[1:]


@pytest.mark.parametrize("arch", X86)
def test_every_row_of_x86_can_be_shown(arch: str) -> None:
    scope, shown = Microscope(get_target(ARCHITECTURES[arch][0]), 0, 0x10000, 0), 0
    scope.target.load_rows()
    for row in scope.iset.narrow.rows:
        found = None
        with suppress(ValueError, StopIteration):            # a row of the other mode
            data = random_word(random.Random(1), next(v for v in row.variants() if _in_mode(v, X86[arch])), X86[arch])
            found = scope.decode(data)
        if found is not None:
            lines = scope.summary(found, data[:found.length])
            assert lines[1].startswith(f"row       {found.variant.row.name}")
            assert f"opcode    {found.variant.row.pattern}" in lines
            assert scope.effects(found)[1:]
            shown += 1
    assert shown > 1_000


def _in_mode(variant: Variant, mode64: int) -> bool:
    return not get(variant.mask, "mode64") or get(variant.value, "mode64") == mode64


def test_x86(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "x86_64", "48 0f af 44 8b 10", "--ir", "none"]) == 0
    out = capsys.readouterr().out
    for words in ("opcode    0F AF /r", "imul rax, qword ptr [rbx + rcx*4 + 0x10]", "size         64     split",
                  "load 8 bytes at v5", "write R[0]"):
        assert words in out
    assert main(["decode", "i386", "40 90 90"]) == 2
    assert "3 bytes given, the instruction has 1" in capsys.readouterr().err
