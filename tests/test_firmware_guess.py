"""Names in firmware, and which machine a firmware image is for."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import give_up
from tests.packages import PackageError, sysroot
from tests.support.firmware import elf, ihex, uf2, universal_hex
from xemu.errors import ImageError, NotFoundError
from xemu.loaders.firmware import FirmwareImage, Piece, load_bytes, load_firmware
from xemu.loaders.guess import MachineFacts, clear_winner, code_constants, guess_machine, peripheral_pages
from xemu.loaders.symbols import Symbol, SymbolTable, load_symbols, read_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KiB, MiB = 1 << 10, 1 << 20
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

MPS2_PAGES = (0x4000_0000, 0x4000_1000, 0x4000_2000, 0x4000_4000, 0x4000_5000, 0x4000_6000, 0x4000_7000, 0x4000_8000, 0x4000_9000,
              0x4001_0000, 0x4001_1000, 0x4001_2000, 0x4001_3000, 0x4002_0000, 0x4002_2000, 0x4002_8000, 0x4002_F000)  # fmt: skip
STM32_PAGES = (0x4000_0000, 0x4000_4000, 0x4000_5000, 0x4000_7000, 0x4001_0000, 0x4001_1000, 0x4001_2000, 0x4001_3000, 0x4002_0000,
               0x4002_1000, 0x4002_2000, 0x4002_3000, 0x4002_6000, 0x5006_0000)  # fmt: skip
MPS2_MEMORIES = ((0, 4 * MiB, "RAM"), (0x0040_0000, 4 * MiB, "alias"), (0x0100_0000, 16 * KiB, "RAM"), (0x2000_0000, 4 * MiB, "RAM"),
                 (0x2040_0000, 4 * MiB, "alias"), (0x2100_0000, 16 * MiB, "RAM"))  # fmt: skip
MACHINES = [
    MachineFacts("mps2-an385", "cortex-m3", "armv7-m", MPS2_MEMORIES, 0, MPS2_PAGES),
    MachineFacts("mps2-an386", "cortex-m4", "armv7e-m", MPS2_MEMORIES, 0, MPS2_PAGES),
    MachineFacts("mps2-an500", "cortex-m7", "armv7e-m",
                 ((0, 4 * MiB, "RAM"), (0x2000_0000, 4 * MiB, "RAM"), (0x6000_0000, 16 * MiB, "RAM")), 0, MPS2_PAGES),
    MachineFacts("lm3s6965evb", "cortex-m3", "armv7-m", ((0, 256 * KiB, "ROM"), (0x2000_0000, 64 * KiB, "RAM")), 0,
                 (0x4000_0000, 0x4000_4000, 0x4000_5000, 0x4000_6000, 0x4000_7000, 0x4000_8000, 0x4000_C000, 0x4000_D000, 0x4000_E000,
                  0x4002_0000, 0x4002_4000, 0x4002_5000, 0x4002_6000, 0x4003_0000, 0x4003_1000, 0x4003_2000, 0x4003_3000, 0x4003_8000,
                  0x400F_D000, 0x400F_E000)),
    MachineFacts("microbit", "cortex-m0", "armv6-m",
                 ((0, 256 * KiB, "ROM"), (0x2000_0000, 16 * KiB, "RAM"), (0x1000_0000, 4 * KiB, "ROM"), (0x1000_1000, 4 * KiB, "ROM")), 0,
                 (0x4000_0000, 0x4000_1000, 0x4000_2000, 0x4000_3000, 0x4000_4000, 0x4000_6000, 0x4000_7000, 0x4000_8000, 0x4000_9000,
                  0x4000_A000, 0x4000_C000, 0x4000_D000, 0x4001_E000, 0x4001_F000, 0x5000_0000),
                 ("9900", "9901")),
    MachineFacts("olimex-stm32-h405", "cortex-m4", "armv7e-m",
                 ((0, MiB, "alias"), (0x0800_0000, MiB, "ROM"), (0x1000_0000, 64 * KiB, "RAM"), (0x2000_0000, 128 * KiB, "RAM")),
                 0x0800_0000, STM32_PAGES, ("STM32F4",)),
]  # fmt: skip

PROGRAM = """
#define REG(a) (*(volatile unsigned *)(a))
extern unsigned stack;
int counter = 7;
char buffer[100];
void start(void) { for (;;) { while (REG(STATUS) & 1) { } buffer[counter++ & 63] = 'x'; REG(DATA) = counter; REG(OTHER) = 1; } }
__attribute__((section(".vectors"), used)) void *const vectors[] = { &stack, start };
"""
LAYOUT = """
stack = STACK;
ENTRY(start)
SECTIONS {
    .text FLASH : { *(.vectors) *(.text*) *(.rodata*) }
    .data 0x20000000 : AT(FLASH + 0x1000) { *(.data*) }
    .bss : { *(.bss*) }
}
"""


def build(directory: Path, compiler: str, flags: str, flash: int, stack: int, registers: tuple[int, int, int]) -> Path:
    """Compile and link PROGRAM for a board whose UART has its status, data and another register there."""
    source, script, program = directory / "p.c", directory / "p.ld", directory / "p.elf"
    status, data, other = registers
    source.write_text(PROGRAM)
    script.write_text(LAYOUT.replace("STACK", hex(stack)).replace("FLASH", hex(flash)))
    command = [compiler, "-O1", "-mthumb", *flags.split(), f"-DSTATUS={status:#x}", f"-DDATA={data:#x}", f"-DOTHER={other:#x}", "-nostdlib",
               "-ffreestanding", "-Wl,--build-id=none", "-T", str(script), str(source), "-o", str(program)]  # fmt: skip
    subprocess.run(command, check=True)
    return program


BOARDS = {
    "mps2-an385": ("-mcpu=cortex-m3", 0, 0x2040_0000, (0x4000_4004, 0x4000_4000, 0x4000_8000)),
    "mps2-an500": ("-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16", 0, 0x2040_0000, (0x4000_4004, 0x4000_4000, 0x4000_8000)),
    "lm3s6965evb": ("-mcpu=cortex-m3", 0, 0x2001_0000, (0x4000_C018, 0x4000_C000, 0x400F_E060)),
    "microbit": ("-mcpu=cortex-m0", 0, 0x2000_4000, (0x4000_211C, 0x4000_251C, 0x5000_0518)),
    "olimex-stm32-h405":
        ("-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", 0x0800_0000, 0x2002_0000, (0x4000_4400, 0x4000_4404, 0x4002_3800)),
}  # fmt: skip


@pytest.mark.parametrize("pure_code", ["", " -mpure-code"])
@pytest.mark.parametrize("name", BOARDS)
def test_machine_of_a_compiled_program(name: str, pure_code: str, tmp_path: Path, need: Callable[..., str]) -> None:
    flags, flash, stack, registers = BOARDS[name]
    program = build(tmp_path, need("arm-none-eabi-gcc"), flags + pure_code, flash, stack, registers)
    candidates = guess_machine(load_firmware(program), MACHINES)
    assert candidates[0].name == name, candidates
    assert clear_winner(candidates) == candidates[0], candidates
    assert ("uses FPv5" in candidates[0].why) == ("fpv5" in flags)
    flat = tmp_path / "p.hex"
    subprocess.run([need("arm-none-eabi-objcopy"), "-O", "ihex", program, flat], check=True)
    bare = {candidate.name: candidate for candidate in guess_machine(load_firmware(flat), MACHINES)}
    assert bare[name].certainty == max(candidate.certainty for candidate in bare.values()), bare


def image_at(address: int, stack: int, reset: int, *more: int, **facts: int | str) -> FirmwareImage:
    """Return an image whose words start with a vector table."""
    data = struct.pack(f"<{2 + len(more)}I", stack, reset, *more).ljust(64, b"\0")
    return FirmwareImage("f", "test", "arm" if facts else None, None, [Piece(address, data, len(data))], {**facts})


def verdicts(image: FirmwareImage) -> dict[str, str]:
    return {candidate.name: candidate.why for candidate in guess_machine(image, MACHINES)}


def test_reasons_are_given() -> None:
    image = image_at(0, 0x2000_4000, 0x21, architecture="armv6-m", Tag_CPU_name="Cortex-M0")
    assert verdicts(image)["microbit"] == (
        "built for armv6-m; built for a cortex-m0; vector table at 0x0; stack 0x20004000 is the end of its RAM"
    )
    why = verdicts(image_at(0, 0x2000_4000, 0x20))
    assert why["microbit"] == "reset vector 0x20 is even: not Thumb code"
    assert why["olimex-stm32-h405"] == "no vector table at 0x8000000"
    assert verdicts(image_at(0, 0x2000_4000, 0x41))["microbit"] == "reset vector 0x41 is outside the image"
    assert verdicts(image_at(0, 0x2000_4004, 0x21))["microbit"] == "stack 0x20004004 is not in its RAM"
    assert verdicts(image_at(0, 0x2000_3FFE, 0x21))["microbit"] == "stack 0x20003ffe is not in its RAM"
    assert verdicts(image_at(0x4000, 0x2000_4000, 0x4021))["microbit"] == (
        "vector table at 0x4000, the machine starts at 0x0; stack 0x20004000 is the end of its RAM"
    )


def test_memories_are_used_to_their_last_byte() -> None:
    assert "outside" not in verdicts(image_at(256 * KiB - 64, 0x2000_4000, 0x21))["microbit"]
    assert verdicts(image_at(256 * KiB - 63, 0x2000_4000, 0x21))["microbit"] == "bytes at 0x3ffc1..0x40001 are outside its memories"
    assert "outside" not in verdicts(image_at(4 * MiB - 4, 0x2000_4000, 0x21))["mps2-an385"]  # into the next memory


def test_half_a_vector_table_is_none() -> None:
    image = FirmwareImage("f", "test", None, None, [Piece(0, bytes(4), 4)])
    assert verdicts(image)["microbit"] == "no vector table at 0x0"


def test_machines_are_ruled_out() -> None:
    why = verdicts(image_at(0x0800_0000, 0x2000_4000, 0x0800_0021, architecture="armv7e-m", Tag_FP_arch=8))
    assert why["microbit"] == "the image needs armv7e-m, the machine has a cortex-m0 (armv6-m)"
    assert why["olimex-stm32-h405"] == "the image uses FPv5, a cortex-m4 has FPv4"
    assert why["mps2-an500"] == "bytes at 0x8000000..0x8000040 are outside its memories"
    assert verdicts(image_at(0, 0x2000_4000, 0x21, architecture="armv7-a"))["lm3s6965evb"] == (
        "the image is for armv7-a, the machine has a cortex-m3 (armv7-m)"
    )
    assert verdicts(image_at(0, 0x2000_4000, 0x21, architecture="armv7-m", Tag_FP_arch=6))["lm3s6965evb"] == (
        "the image uses floating-point instructions, a cortex-m3 has none"
    )
    candidates = guess_machine(load_bytes(elf([(0, 0, bytes(64), 64)], machine=62, bits=64), "f"), MACHINES)
    assert {candidate.why.partition(",")[0] for candidate in candidates} == {"the image is for x86_64"}
    assert {candidate.certainty for candidate in candidates} == {0.0}
    assert clear_winner(candidates) is None


def test_data_that_has_no_memory_counts_against_a_machine() -> None:
    vectors = struct.pack("<2I", 0x2000_2000, 9) + bytes(8)
    image = load_bytes(elf([(0, 0, vectors, 16), (0x2000_0000, 0x10, b"data", 0x1_8000)]), "f")
    assert "data at 0x20000004..0x20018000 is outside its memories" in verdicts(image)["lm3s6965evb"]
    assert "outside" not in verdicts(image)["mps2-an385"]


def test_equal_machines_are_a_question() -> None:
    candidates = guess_machine(image_at(0, 0x2000_1000, 0x21), MACHINES)
    assert [candidate.name for candidate in candidates][:5] == ["mps2-an385", "mps2-an386", "mps2-an500", "lm3s6965evb", "microbit"]
    assert len({candidate.certainty for candidate in candidates[:5]}) == 1
    assert clear_winner(candidates) is None


def test_labels_of_the_file_decide() -> None:
    data = struct.pack("<2I", 0x2000_1000, 9) + bytes(8)
    assert guess_machine(load_bytes(universal_hex([(0x9900, [(0, data)])]), "f"), MACHINES)[0].why.endswith("the file says 9900")
    stm32 = guess_machine(load_bytes(uf2([(0x0800_0000, data[:4] + b"\x09\0\0\x08" + data[8:])], family=0x57755A57), "f"), MACHINES)
    assert clear_winner(stm32) == stm32[0]
    assert stm32[0].why == "vector table at 0x8000000; the file says STM32F4"


def test_no_machines_no_candidates() -> None:
    assert guess_machine(image_at(0, 0x2000_1000, 0x21), []) == []
    assert clear_winner([]) is None


def test_micropython_is_for_the_microbit() -> None:
    try:
        root = sysroot("armhf", "firmware-microbit-micropython", closure=False)
    except PackageError as error:
        give_up(str(error))
    image = load_firmware(root / "usr/share/firmware-microbit-micropython/firmware.hex")
    winner = clear_winner(guess_machine(image, MACHINES))
    assert winner is not None
    assert winner.name == "microbit"
    assert "has 15 of 15 peripherals" in winner.why


CONSTANTS = (0xAB, 0x00AB_00AB, 0x4000_4000, 0x4040_4040, 0x4000_0000, 0x0001_FE00, 0x8000_0000, 0x0000_0FF0, 0x5000_0000)


def test_constants_of_code_are_found(tmp_path: Path, need: Callable[..., str]) -> None:
    lines = [".syntax unified", ".cpu cortex-m4", ".thumb", "nop"]  # the nop: a pool is at a multiple of 4, the loads need not be
    lines += [f"mov.w r{n % 8}, #{value}" for n, value in enumerate(CONSTANTS)]
    lines += ["movw r9, #0xc018", "movt r9, #0x4000", "mov.w r3, #0xe000", "nop", "movt r3, #0x400f", "movs r2, #12", "movt r2, #0x4001"]
    lines += ["ldr r1, =0x40023800", "ldr r7, =0x40012345", "nop", ".ltorg"]
    source = tmp_path / "a.s"
    source.write_text("\n".join(lines) + "\n")
    subprocess.run([need("arm-none-eabi-as"), source, "-o", tmp_path / "a.o"], check=True)
    subprocess.run([need("arm-none-eabi-objcopy"), "-O", "binary", tmp_path / "a.o", tmp_path / "a.bin"], check=True)
    made = {0x4000_C018, 0x400F_E000, 0x4001_000C, 0x4002_3800, 0x4001_2345}
    assert code_constants(0x0800_0000, (tmp_path / "a.bin").read_bytes()) == {*CONSTANTS, *made, 0xE000}


def test_base_addresses_in_data_count_and_float_constants_do_not() -> None:
    image = image_at(0, 0x2000_1000, 0x21, 0x4002_3800, 0x4000_0000, 0x4049_0FDB, 0x4000_C018)
    assert peripheral_pages(image) == {0x4002_3000}


@UNTIMED
@given(st.integers(0, 3), st.binary(max_size=60))
def test_any_bytes_have_constants(address: int, data: bytes) -> None:
    assert all(0 <= value < 1 << 32 for value in code_constants(address, data))


def brute_force(symbols: list[Symbol], address: int) -> str | None:
    """Name the holder of an address the slow way: the innermost sized name, else the last name without size before it."""
    best: dict[int, Symbol] = {}
    for symbol in symbols:
        known = best.get(symbol.address)
        if known is None or (not symbol.size, symbol.name) < (not known.size, known.name):
            best[symbol.address] = symbol
    holders = [s for s in best.values() if s.address <= address < s.address + s.size]
    if holders:
        return max(holders).name
    before = [s for s in best.values() if s.address <= address]
    last = max(before, default=None)
    if last is None or last.size or any(s.address <= last.address < s.address + s.size for s in before if s is not last):
        return None
    return last.name if address < last.limit else None


@UNTIMED
@given(st.lists(st.tuples(st.integers(0, 24), st.integers(0, 9), st.integers(0, 30)), max_size=12))
def test_holders_are_the_innermost_names(rows: list[tuple[int, int, int]]) -> None:
    symbols = [Symbol(address, size, f"n{index:02}", "function", 0, limit) for index, (address, size, limit) in enumerate(rows)]
    table = SymbolTable(symbols)
    for address in range(40):
        found = table.at(address)
        assert (found and found[0]) == brute_force(symbols, address), address


def test_names_of_one_address_have_an_order() -> None:
    names = [("__w", "function", 1), ("w", "function", 1), ("local", "function", 2), ("mark", "label", 0)]
    same = [Symbol(8, 4, name, kind, rank) for name, kind, rank in names]
    assert SymbolTable(same).at(9) == ("w", 1)
    assert SymbolTable([*same, Symbol(8, 4, "g", "function")]).at(9) == ("g", 1)
    assert SymbolTable([Symbol(1, 4, "f", "function", 2), Symbol(9, 4, "f", "function", 0)]).address_of("f") == 9


def test_table_of_names() -> None:
    symbols = [Symbol(0x100, 0x20, "main", "function"), Symbol(0x400, 0, "heap_size", "constant"), Symbol(0x200, 8, "x", "object")]
    table = SymbolTable(symbols, offset=0x1000)
    assert (table.text(0x1112), table.text(0x1100), table.text(0x1400), table.text(0x10)) == ("main+0x12", "main", "0x1400", "0x10")
    assert (table.address_of("main"), table.size_of("main"), table.address_of("heap_size")) == (0x1100, 0x20, 0x400)
    assert (table.address_of("none"), table.size_of("none"), table.find("none")) == (None, None, None)
    assert [symbol.name for symbol in table.functions()] == ["main"]
    assert (len(table), repr(table)) == (3, "<SymbolTable 3 names, 1 functions>")


def test_names_of_a_compiled_program(tmp_path: Path, need: Callable[..., str]) -> None:
    flags, flash, stack, registers = BOARDS["olimex-stm32-h405"]
    program = build(tmp_path, need("arm-none-eabi-gcc"), flags, flash, stack, registers)
    listed = subprocess.run([need("arm-none-eabi-nm"), "-S", program], check=True, capture_output=True, text=True).stdout
    expected = {}
    for line in listed.splitlines():
        *numbers, _, name = line.split()
        expected[name] = (int(numbers[0], 16), int(numbers[1], 16) if len(numbers) > 1 else 0)
    table = load_firmware(program).symbols
    assert {symbol.name: (symbol.address, symbol.size) for symbol in table.symbols} == expected
    start = expected["start"][0]
    assert (start % 2, table.at(start + 2), load_firmware(program).entry) == (0, ("start", 2), start + 1)
    assert table.at(expected["buffer"][0] + 99) == ("buffer", 99)
    assert table.at(expected["buffer"][0] + 100) is None
    assert table.at(stack) is None  # a name of the linker script outside all sections is no place
    moved = load_symbols(program, offset=0x1_0000)
    assert (moved.address_of("start"), moved.text(start + 0x1_0002)) == (start + 0x1_0000, "start+0x2")
    stripped = tmp_path / "stripped"
    subprocess.run([need("arm-none-eabi-objcopy"), "--strip-all", program, stripped], check=True)
    assert len(load_firmware(stripped).symbols) == 0
    for path, error, text in [
        (stripped, ImageError, "no symbols in it; was it stripped?"),
        (tmp_path / "none", NotFoundError, "no such file"),
        (tmp_path / "p.c", ImageError, "not an ELF program (it looks like text)"),
        (tmp_path, ImageError, "is a directory"),
    ]:
        with pytest.raises(error) as refusal:
            load_symbols(path)
        assert str(refusal.value) == f"{path}: {text}"
    for damage in range(0, program.stat().st_size, 97):
        blob = bytearray(program.read_bytes())
        blob[damage] ^= 0x55
        try:
            assert len(read_table(bytes(blob), "f")) < 1000
        except ImageError:
            assert damage < 64


def test_formats_without_names_have_none() -> None:
    assert len(load_bytes(ihex([(0, b"a")]), "f").symbols) == 0
