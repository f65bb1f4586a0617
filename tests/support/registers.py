"""Register accesses as a guest program that runs under xemu and under QEMU: what is read must be the same.

    console(program("mps2-an385", [("w", 0x40000008, 100), ("r", 0x40000004)]))

Steps: ("r", address) reads and prints, ("w", address, value) writes, ("b", address, value) writes a byte,
("until", address, mask) reads until one of the bits is set, ("wait", n) goes n times round an empty loop.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from xemu.hw.machine import make_machine
from xemu.loaders.firmware import load_firmware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Step = tuple[str, int] | tuple[str, int, int]
KINDS = {"r": 0, "w": 1, "b": 2, "until": 3, "wait": 4}
BEATS = 50_000_000                    # after which a program is given up

SOURCE = """
#include <stdint.h>
static const uint32_t steps[][3] = {STEPS};
void start(void);
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {0x20008000u, (uintptr_t)start};

static uintptr_t semihosting(uintptr_t operation, const void *parameter) {
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void start(void) {
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        volatile uint32_t *at = (volatile uint32_t *)steps[i][1];
        uint32_t value = steps[i][2];
        switch (steps[i][0]) {
        case 0: {
            char text[10];
            value = *at;
            for (int k = 0; k < 8; k++, value <<= 4) text[k] = (char)((value >> 28) + (value >> 28 > 9 ? 'a' - 10 : '0'));
            text[8] = '\\n';
            text[9] = 0;
            semihosting(4, text);
            break;
        }
        case 1: *at = value; break;
        case 2: *(volatile uint8_t *)at = (uint8_t)value; break;
        case 3: while (!(*at & value)) {} break;
        default: for (volatile uint32_t n = steps[i][1]; n; n--) {}
        }
    }
    semihosting(0x18, (const void *)0x20026u);
    for (;;) {}
}
"""


def program(compiler: str, steps: Iterable[Step]) -> bytes:
    """Compile the steps into an ELF file for a Cortex-M3 with ROM at 0 and RAM at 0x20000000."""
    rows = ", ".join(f"{{{KINDS[kind]}, {', '.join(f'{v:#x}u' for v in (*rest, 0)[:2])}}}" for kind, *rest in steps)
    with TemporaryDirectory() as folder:
        source, elf = Path(folder, "steps.c"), Path(folder, "steps.elf")
        source.write_text(SOURCE.replace("STEPS", rows))
        subprocess.run([compiler, "-mcpu=cortex-m3", "-mthumb", "-O1", "-ffreestanding", "-nostdlib", "-Wl,--build-id=none",
                        "-Wl,--section-start=.vectors=0", "-Wl,-Ttext=0x100", "-Wl,-e,start", "-Wl,--no-warn-rwx-segments",
                        "-o", elf, source], check=True)
        return elf.read_bytes()


def under_xemu(board: str, elf: bytes, prepare: Callable[..., None] = lambda _machine: None) -> list[int]:
    """Return what the program reads under xemu."""
    machine = make_machine(board)
    with TemporaryDirectory() as folder:
        file = Path(folder, "steps.elf")
        file.write_bytes(elf)
        for piece in load_firmware(str(file)).pieces:
            if piece.data:
                machine.write_memory(piece.address, piece.data)
    out = bytearray()
    machine.cpu.semihosting.console = out.extend
    machine.cpu.reset()
    prepare(machine)
    stop = machine.run(BEATS)
    assert stop.reason == "exit", stop
    return [int(line, 16) for line in out.split()]


def under_qemu(qemu: str, board: str, elf: bytes) -> list[int]:
    """Return what the program reads under QEMU."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "steps.elf")
        file.write_bytes(elf)
        done = subprocess.run([qemu, "-M", board, "-kernel", file, "-display", "none", "-monitor", "none", "-serial", "null",
                               "-chardev", "stdio,id=console", "-semihosting-config", "enable=on,chardev=console"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return [int(line, 16) for line in done.stdout.split()]
