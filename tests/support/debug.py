"""Programs with debug information for tests, built when they are needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parents[1] / "debug_programs"
LINUX, BARE = "arm-linux-gnueabihf-", "arm-none-eabi-"


def build(place: Path, source: str, *options: str, prefix: str = LINUX) -> Path:
    """Compile and link a program of tests/debug_programs; returns its path, which is named by the options."""
    compiler = prefix + ("g++" if source.endswith(".cc") else "gcc")
    output = place / (source.replace(".", "_") + "".join(options).replace("/", "_").replace("=", "_"))
    if not output.exists():
        subprocess.run([compiler, *options, source, "-o", str(output)], cwd=PROGRAMS, check=True, capture_output=True)
    return output
