"""Compiling the kernels: A32, T32 and native builds of the same sources, kept in a build directory."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench import cold

HERE: Final = Path(__file__).parent
START: Final = HERE.parent / "samples" / "src"
BUILD: Final = HERE.parent / "build" / "bench"
COMMON: Final = [
    "-O2", "-std=gnu11", "-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector",
    "-ffp-contract=off", "-fno-math-errno", "-Wl,--build-id=none", f"-I{START}",
]  # fmt: skip
CROSS: Final = ["arm-linux-gnueabihf-gcc", "-mcpu=cortex-a15", "-mfpu=neon-vfpv4"]
COMPILERS: Final = {"native": ["gcc"], "arm": [*CROSS, "-marm"], "thumb": [*CROSS, "-mthumb"]}
FIRMWARE: Final = HERE / "firmware"
BARE: Final = ["arm-none-eabi-gcc", "-mthumb", "-T", FIRMWARE / "firmware.ld"]
#: board -> what its processor is compiled for
BOARDS: Final = {
    "mps2-an385": ["-mcpu=cortex-m3"],
    "mps2-an386": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "mps2-an500": ["-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"],
}


def programs(name: str) -> dict[str, Path]:
    """Return where the builds of a kernel lie."""
    return {build: BUILD / build / name for build in COMPILERS}


def build(names: list[str]) -> None:
    """Compile what is missing or older than its source. Raises CalledProcessError with the compiler's words shown."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_build, names))


def _build(name: str) -> None:
    for build_name, program in programs(name).items():
        sources = _cold_sources(build_name) if name == "cold" else [HERE / "kernels" / f"{name}.c"]
        inputs = [*sources, START / "start.h", *(HERE / "kernels").glob("*.h"), HERE / "cold.py"]
        newest = max(path.stat().st_mtime for path in inputs)
        if program.exists() and program.stat().st_mtime > newest:
            continue
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*COMPILERS[build_name], *COMMON, "-o", program, *sources], check=True)


def firmware(name: str, board: str) -> Path:
    """Compile a kernel, or a program of bench/firmware, for a board without an operating system; return its path."""
    program = BUILD / board / name
    own = FIRMWARE / f"{name}.c"
    source = own if own.exists() else HERE / "kernels" / f"{name}.c"
    inputs = [source, START / "start.h", FIRMWARE / "firmware.ld", *(HERE / "kernels").glob("*.h")]
    if not program.exists() or program.stat().st_mtime <= max(path.stat().st_mtime for path in inputs):
        program.parent.mkdir(parents=True, exist_ok=True)
        command = [*BARE, *BOARDS[board], *COMMON, f"-I{HERE / 'kernels'}", "-o", program, source, "-lgcc"]
        subprocess.run(command, check=True)
    return program


def _cold_sources(build_name: str) -> list[Path]:
    """Write the generated program unless it is newer than its generator."""
    kind = "x86" if build_name == "native" else "arm"
    directory = BUILD / "cold" / build_name
    assembly, main = directory / f"{kind}.S", directory / "main.c"
    if not assembly.exists() or assembly.stat().st_mtime < (HERE / "cold.py").stat().st_mtime:
        directory.mkdir(parents=True, exist_ok=True)
        assembly.write_text(cold.sources()[kind])
        main.write_text(cold.MAIN)
    return [assembly, main]
