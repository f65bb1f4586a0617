"""Run the samples under xemu, Linux programs and firmware: what `make demo` shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FIRMWARE: Final = "samples/firmware/elf"
#: command, what it shows
STEPS: Final = {
    "run --stats samples/arm/hello": "a Linux program of a few instructions: start-up",
    "run --stats samples/arm/primes": "integer code: interpreted first, compiled where it is hot",
    "run --stats samples/arm/primes-thumb": "the same in Thumb instructions",
    "run --stats samples/arm/mandelbrot": "floating point in double precision",
    "run --stats samples/arm/life": "logical operations on words",
    "run --stats samples/arm/blend": "Advanced SIMD",
    f"boot {FIRMWARE}/mps2-an385/timer.elf": "firmware on a Cortex-M3 board, which is guessed from the file",
    f"boot --machine microbit {FIRMWARE}/microbit/kernel.elf": "three threads of a small preemptive kernel on a micro:bit",
    f"boot --machine netduinoplus2 {FIRMWARE}/stm32/stm32.elf": "an STM32F405 whose peripherals check themselves",
    "demo --text --size 120x44 --keys c": "the screen of xemu debug where a firmware crashes; on a terminal: xemu demo",
}


def main() -> int:
    """Run every sample and return how many failed."""
    failed = []
    for words, what in STEPS.items():
        print(f"\n── {what}\n$ xemu {words}", flush=True)
        command = [sys.executable, "-c", "from xemu.cli.main import entry; entry()"]
        done = subprocess.run([*command, *words.split()], check=False, cwd=ROOT)
        if done.returncode:
            failed.append(words)
            print(f"xemu {words} ended with exit code {done.returncode}", file=sys.stderr, flush=True)
    if failed:
        print(f"\n{len(failed)} of {len(STEPS)} samples failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())
