"""Target descriptions: what a real GDB makes of them, and what its own server says."""

from __future__ import annotations

import platform
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from xemu.gdbstub.target_xml import DESCRIPTIONS, Description, bits_of, describe

if TYPE_CHECKING:
    from pathlib import Path

VARIANTS = [("arm", True), ("arm-m", True), ("arm-m", False), ("x86_64", True), ("i386", True), ("ppc", True), ("ppc64le", True)]
STATUS = {"arm": "cpsr", "arm-m": "xpsr"}
HALF = re.compile(r"vs\d+h")
FIRST = {"r0": 0, "sp": 13, "lr": 14, "pc": 15}
POWER = {"r0": 0, "r31": 31, "f0": 32, "f31": 63, "pc": 64, "msr": 65, "cr": 66, "lr": 67, "ctr": 68, "xer": 69, "fpscr": 70, "orig_r3": 71,
         "trap": 72}
#: architecture -> registers that GDB must know, with their numbers in packets
KNOWN = {"arm": FIRST | {"cpsr": 25, "d0": 26, "d31": 57, "fpscr": 58, "tpidruro": 59},
         "arm-m": FIRST | {"xpsr": 25, "msp": 26, "psp": 27, "primask": 28, "basepri": 29, "faultmask": 30, "control": 31},
         "x86_64": {"rax": 0, "rbx": 1, "rip": 16, "eflags": 17, "st0": 24, "fop": 39, "xmm15": 55, "mxcsr": 56, "orig_rax": 57,
                    "ymm15h": 75},
         "i386": {"eax": 0, "ecx": 1, "eip": 8, "eflags": 9, "st0": 16, "fop": 31, "xmm7": 39, "mxcsr": 40, "orig_eax": 41, "ymm7h": 49},
         "ppc": POWER | {"vr0": 73, "vr31": 104, "vscr": 105, "vrsave": 106},
         "ppc64le": POWER | {"vr0": 73, "vr31": 104, "vscr": 105, "vrsave": 106, "vs0h": 107, "vs31h": 138, "ppr": 139, "tar": 141}}


@pytest.fixture(params=VARIANTS, ids=lambda row: f"{row[0]}{'' if row[1] else '-nofpu'}")
def variant(request: pytest.FixtureRequest) -> tuple[str, Description]:
    arch, fpu = request.param
    return arch, describe(arch, fpu=fpu)


def test_gdb_takes_the_description(need: Any, tmp_path: Path, variant: tuple[str, Description]) -> None:
    gdb = need("gdb-multiarch")
    arch, description = variant
    file = tmp_path / "target.xml"
    file.write_text(description.xml("" if arch == "arm-m" else "GNU/Linux"))
    done = subprocess.run([gdb, "-nx", "-batch", "-ex", f"set tdesc filename {file}", "-ex", "maint print remote-registers",
                           "-ex", f"ptype ${STATUS.get(arch, 'eflags')}"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) > 6 and words[1].isdecimal() and words[-2].isdecimal():
            found[words[0] if words[0] != "''" else words[-2]] = int(words[-2])
    # GDB does not name the halves that it makes vs0 to vs31 of
    numbers = {str(row.number) if HALF.fullmatch(row.name) else row.name: row.number for row in description.registers}
    assert {name: found.get(name) for name in numbers} == numbers
    assert re.search(r"bool (Z @30|ZF @6)", done.stdout) or arch.startswith("ppc")         # GDB has no flags there


@pytest.mark.parametrize(("arch", "options"), [("x86_64", ()), ("i386", ("-m32",))])
def test_x86_is_described_as_gdbs_own_server_does_it(need: Any, tmp_path: Path, arch: str, options: tuple[str, ...]) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the server shows the host's registers")
    need(" ".join(["gcc", *options]))
    gdb, server, program = need("gdb-multiarch"), need("gdbserver"), tmp_path / "program"
    (tmp_path / "start.s").write_text(".globl _start\n_start: nop\nhlt\n")
    subprocess.run(["gcc", *options, "-nostdlib", "-static", "-o", program, tmp_path / "start.s"], check=True, capture_output=True)
    done = subprocess.run([gdb, "-nx", "-batch", "-ex", f"target remote | {server} - {program}", "-ex", "maint print xml-tdesc",
                           "-ex", "kill"],
                          capture_output=True, text=True, timeout=60, check=False)
    theirs = _registers(done.stdout[done.stdout.index("<target>"):done.stdout.index("</target>")])
    ours = _registers(describe(arch).xml())
    assert ours == {feature: theirs.get(feature) for feature in ours}
    assert {"org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.i386.linux"} <= ours.keys()


def _registers(xml: str) -> dict[str, list[tuple[str, ...]]]:
    """Return name, bits, type, number and group of each register, and fields of flags, by feature."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for feature, body in re.findall(r'<feature name="([^"]*)">(.*?)</feature>', xml, re.DOTALL):
        rows = found[feature] = []
        for tag, text in re.findall(r"<(reg|field|vector|union|flags) ([^>]*?)/?>", body):
            words = dict(re.findall(r'(\w+)="([^"]*)"', text))
            if words.get("type") == "bool":               # what a field of one bit is anyway
                del words["type"]
            rows.append((tag, *(f"{key}={words[key]}" for key in sorted(words))))
    return found


def test_numbers_are_as_gdb_and_qemu_have_them(variant: tuple[str, Description]) -> None:
    arch, description = variant
    numbers = {register.name: register.number for register in description.registers}
    assert {name: numbers.get(name) for name in KNOWN[arch]} == KNOWN[arch]
    assert len(set(numbers.values())) == len(numbers) == len(description.registers)
    assert set(description.expedited) <= numbers.keys()
    if arch.startswith("arm"):
        assert ("d0" in numbers) == (arch == "arm" or description is describe("arm-m", fpu=True))


def test_every_architecture_of_xemu_has_a_description() -> None:
    from xemu.targets.registry import TARGETS

    assert DESCRIPTIONS.keys() == TARGETS.keys()


def test_fields_of_flags() -> None:
    assert bits_of("N:31 GE:16-19 T:5") == (("T", 5, 5), ("GE", 16, 19), ("N", 31, 31))
