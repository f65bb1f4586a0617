"""Run the samples under xemu, each with its statistics: what `make demo` shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

ARM: Final = Path(__file__).parent / "arm"
STEPS: Final = {
    "hello": "a program of a few instructions: start-up",
    "primes": "integer code: interpreted first, compiled where it is hot",
    "primes-thumb": "the same in Thumb instructions",
    "mandelbrot": "floating point in double precision",
    "life": "logical operations on words",
    "blend": "Advanced SIMD",
}


def main() -> int:
    """Run every sample and return how many failed."""
    failed = []
    for name, what in STEPS.items():
        print(f"\n── {name}: {what}\n$ xemu run --stats samples/arm/{name}", flush=True)
        command = [sys.executable, "-c", "from xemu.cli.main import entry; entry()"]
        done = subprocess.run([*command, "run", "--stats", ARM / name], check=False)
        if done.returncode:
            failed.append(name)
            print(f"{name} ended with exit code {done.returncode}", file=sys.stderr, flush=True)
    if failed:
        print(f"\n{len(failed)} of {len(STEPS)} samples failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())
