"""Target descriptions: what a real GDB makes of them, without any program."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from xemu.gdbstub.target_xml import DESCRIPTIONS, Description, bits_of, describe

if TYPE_CHECKING:
    from pathlib import Path

VARIANTS = [("arm", True), ("arm-m", True), ("arm-m", False)]
FIRST = {"r0": 0, "sp": 13, "lr": 14, "pc": 15}
#: architecture -> registers that GDB must know, with their numbers in packets
KNOWN = {"arm": FIRST | {"cpsr": 25, "d0": 26, "d31": 57, "fpscr": 58, "tpidruro": 59},
         "arm-m": FIRST | {"xpsr": 25, "msp": 26, "psp": 27, "primask": 28, "basepri": 29, "faultmask": 30, "control": 31}}


@pytest.fixture(params=VARIANTS, ids=lambda row: f"{row[0]}{'' if row[1] else '-nofpu'}")
def variant(request: pytest.FixtureRequest) -> tuple[str, Description]:
    arch, fpu = request.param
    return arch, describe(arch, fpu=fpu)


def test_gdb_takes_the_description(need: Any, tmp_path: Path, variant: tuple[str, Description]) -> None:
    gdb = need("gdb-multiarch")
    arch, description = variant
    file = tmp_path / "target.xml"
    file.write_text(description.xml("GNU/Linux" if arch == "arm" else ""))
    done = subprocess.run([gdb, "-nx", "-batch", "-ex", f"set tdesc filename {file}", "-ex", "maint print remote-registers",
                           "-ex", f"ptype ${'cpsr' if arch == 'arm' else 'xpsr'}"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) > 6 and words[1].isdecimal() and words[0] != "''" and words[-2].isdecimal():
            found[words[0]] = int(words[-2])
    numbers = {register.name: register.number for register in description.registers}
    assert {name: found.get(name) for name in numbers} == numbers
    assert re.search(r"bool Z @30", done.stdout)


def test_numbers_are_as_gdb_and_qemu_have_them(variant: tuple[str, Description]) -> None:
    arch, description = variant
    numbers = {register.name: register.number for register in description.registers}
    assert {name: numbers.get(name) for name in KNOWN[arch]} == KNOWN[arch]
    assert len(set(numbers.values())) == len(numbers) == len(description.registers)
    assert set(description.expedited) <= numbers.keys()
    assert ("d0" in numbers) == (arch == "arm" or description is describe("arm-m", fpu=True))


def test_every_architecture_of_xemu_has_a_description() -> None:
    from xemu.targets.registry import TARGETS

    assert DESCRIPTIONS.keys() == TARGETS.keys()


def test_fields_of_flags() -> None:
    assert bits_of("N:31 GE:16-19 T:5") == (("T", 5, 5), ("GE", 16, 19), ("N", 31, 31))
