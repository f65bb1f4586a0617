"""Flash algorithms of pyOCD as data: code that a debugger loads into a part's RAM to erase and program its flash.

The wheel comes from the Python package index at the first call and is read, not installed or imported: the algorithm and the flash
regions are literals in its target files.

    python -m tests.pyocd_flash                prints what is there
"""

from __future__ import annotations

import ast
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.packages import PackageError, _locked, cache_root

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = "0.46.0"
#: part to target file and class; the STM32F412xG has the sectors and the controller of the STM32F405xG
PARTS: Final = {
    "stm32f4": ("target_STM32F412xx.py", "STM32F412xG"),
    "nrf51": ("target_nRF51822_xxAA.py", "NRF51"),
}


@dataclass(frozen=True)
class FlashRegion:
    """Sectors of one size, in bytes; a page is what one call programs at most."""

    start: int
    length: int
    sector_size: int
    page_size: int


@dataclass(frozen=True)
class FlashAlgorithm:
    """Code and how to call it (all addresses in the guest's RAM; entry points have bit 0 set for Thumb).

    A call: SP = `stack`, R9 = `static_base`, LR = `load_address` | 1 (a BKPT stands there), R0… = arguments; R0 is 0 if all went
    well. `init(start of the flash, clock in Hz, 1 erase | 2 program)`, `erase_sector(address)`, `erase_all()`,
    `program_page(address, bytes, buffer)`, `uninit(1 | 2)` where there is one. Parts that do without init's arguments ignore them.
    """

    part: str
    load_address: int
    instructions: bytes
    init: int
    uninit: int | None
    erase_all: int
    erase_sector: int
    program_page: int
    static_base: int
    stack: int
    page_buffer: int
    regions: tuple[FlashRegion, ...]


def algorithm(part: str) -> FlashAlgorithm:
    """Return the flash algorithm of a part in PARTS. Raises PackageError when the index cannot be reached."""
    file, target = PARTS[part]
    tree = ast.parse(_target_file(file))
    values = next(_literal(node.value) for node in tree.body if isinstance(node, ast.Assign) and _name(node.targets[0]) == "FLASH_ALGO")
    words = values["instructions"]
    return FlashAlgorithm(
        part=part,
        load_address=values["load_address"],
        instructions=struct.pack(f"<{len(words)}I", *words),
        init=values["pc_init"],
        uninit=values.get("pc_unInit"),
        erase_all=values["pc_eraseAll"],
        erase_sector=values["pc_erase_sector"],
        program_page=values["pc_program_page"],
        static_base=values["static_base"],
        stack=values["begin_stack"],
        page_buffer=values["page_buffers"][0],
        regions=tuple(_regions(tree, target)),
    )


def _regions(tree: ast.Module, target: str) -> list[FlashRegion]:
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == target)
    found = []
    for call in ast.walk(body):
        if isinstance(call, ast.Call) and _name(call.func) == "FlashRegion":
            given = {word.arg: _literal(word.value) for word in call.keywords if word.arg not in ("algo", "erase_all_weight")}
            sector = given.get("sector_size") or given["blocksize"]
            found.append(FlashRegion(given["start"], given["length"], sector, given.get("page_size", sector)))
    return found


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.expr):
    """Evaluate a literal in which numbers may be added."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _literal(left) + _literal(right)
        case ast.Dict(keys, values):
            return {_literal(key): _literal(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.List(elements):
            return [_literal(element) for element in elements]
        case _:
            return ast.literal_eval(node)


def _target_file(name: str) -> str:
    with zipfile.ZipFile(_wheel()) as wheel:
        return wheel.read(f"pyocd/target/builtin/{name}").decode()


def _wheel() -> Path:
    store = cache_root() / "pypi"
    wheel = store / f"pyocd-{VERSION}-py3-none-any.whl"
    with _locked("pyocd"):
        if not wheel.exists():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                       "--only-binary", ":all:", "--dest", str(store), f"pyocd=={VERSION}"]  # fmt: skip
            subprocess.run(command, capture_output=True, check=False)  # pip's words name its index: judge by the file
    if not wheel.exists():
        raise PackageError(f"pyocd {VERSION} cannot be downloaded from the package index")
    return wheel


def main() -> int:
    """Print the algorithms."""
    for part in PARTS:
        found = algorithm(part)
        print(f"{part}: {len(found.instructions)} bytes at {found.load_address:#x}, erase_sector {found.erase_sector:#x},"
              f" program_page {found.program_page:#x}, stack {found.stack:#x}")  # fmt: skip
        for region in found.regions:
            print(f"  {region.start:#010x} {region.length:#x} bytes, sectors of {region.sector_size:#x}, pages of {region.page_size:#x}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
