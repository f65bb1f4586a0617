"""A real GDB on PowerPC programs: with `xemu gdbserver` it says the same as with QEMU's stub, and what that has not."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.guests import SYSROOTS, XEMU, built, freestanding, original, session
from xemu.gdbstub.target_xml import describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: who it is; the file of a section, said where there is another file: the kernel's, which QEMU has not; places on the stack
ALIKE = {r"(process|Thread|LWP) [\d.]+": r"\1 PID", r"(in section \S+) of \S+": r"\1",
         r"0x(?!1000|1001|200)[0-9a-f]{7,12} *\b|\b\d{10,}\b": "STACK"}
SESSION = """
break leaf
break fact if n == 2
continue
backtrace
info frame
print $pc
print $lr
print $cr
print $xer
print $ctr
print $f1
info registers r2 r3 r9 r10 r12 r31
info float
print table
finish
next
next
step
next
info locals
x/6i $pc
print $sp == $r1
print $r31
stepi
stepi
nexti
watch counter
continue
continue
info watchpoints
delete 3
set var counter = 40
continue
print counter
set $r9 = 5
print $r9
set $cr = 0x48000000
print/x $cr
up
info locals
print $r31
delete 1
print make(7)
print fact(4)
backtrace
continue
delete 2
call leaf(4)
info address fact
info line run
list fact
tbreak copy
continue
backtrace
print from
x/s from
until
advance fact
info args
delete
continue
"""


@pytest.fixture(scope="module", params=["ppc", "ppc64le"])
def arch(request: pytest.FixtureRequest, need: Callable[..., str]) -> str:
    name: str = request.param
    need("gdb-multiarch")
    return name


@pytest.fixture(scope="module")
def program(arch: str, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freestanding(need, tmp_path_factory.mktemp("ppc"), arch)


def test_a_session_is_as_with_qemu(arch: str, program: Path, need: Callable[..., str], tmp_path: Path) -> None:
    software = ("set can-use-hw-watchpoints 0",)                # QEMU's user mode has no others
    with original(arch, program, tmp_path, need) as socket:
        theirs = session(program, socket, SESSION, ALIKE, before=software)
    # GDB makes dl0 to dl15 of what has decimal floating point, by the width of FPSCR
    ours = [line for line in session(program, f"{XEMU}{program}", SESSION, ALIKE, before=software)
            if line != "hello, gdb" and not re.match(r"dl\d", line)]
    assert ours == theirs
    assert len(ours) > 150
    assert any("exited" in line for line in ours[-2:])


OWN = """
info registers msr orig_r3 trap
watch counter
continue
continue
rwatch table[0].x
continue
reverse-continue
reverse-continue
delete
catch syscall write
continue
continue
print $r0
continue
print $r3
info auxv
info proc exe
delete
continue
"""


def test_what_qemu_has_not(arch: str, program: Path) -> None:
    text = "\n".join(session(program, f"{XEMU}{program}", OWN, ALIKE))
    for expected in ("Hardware watchpoint 1: counter", "Old value = 0\nNew value = 1", "Hardware read watchpoint 2",
                     "(call to syscall write)",
                     "(returned from syscall write)", "AT_PLATFORM", "AT_HWCAP", "exited"):
        assert expected in text, text
    assert re.search(r"msr +0x8?0*280f9", text) if arch == "ppc64le" else re.search(r"msr +0x200f9", text), text


RESULTS = """
break run
continue
info sharedlibrary
info threads
bt
print own
handle SIGUSR1 nostop print pass
break make
continue
finish
break fill
continue
finish
break vec
continue
info args
finish
break sum
continue
finish
break ld
continue
info args
finish
delete
print make(3, 4)
print sum(10, 20, 30, 40)
print fill(1)
print vec(v, 3)
print ld(2.5)
print $f1
print $vscr
set var $vr0.v4_int32[1] = 77
print $vr0.v4_int32
catch fork
continue
info inferiors
delete
continue
"""
SAID = ["hit Breakpoint 1, run (p=", "Shared Object Library", "libc.so.6", " = 7\n", "received signal SIGUSR1", "make (a=1.25, b=2.5)",
        "fill (n=3)", "a = {1, 2, 3, 4}\nk = 5", " = {6, 7, 8, 9}", "sum (a=1, b=", "= STACK", "a = 1.5", " = 3\n",
        " = {x = 6, y = 5}",
        " = 100\n", " = {v = {1, 2, 3, 4, 5, 6}}", " = {9, 10, 11, 12}", " = 5\n", " = 65536", " = {6, 77, 8, 9}", "forked process",
        "exited with code 07"]


def test_results_threads_and_children(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    if not (SYSROOTS[arch] / "lib").exists():
        pytest.skip("the C library of " + arch)
    options = ("-maltivec",) if arch == "ppc" else ()
    program = built(need, tmp_path, arch, "results.c", "-g", "-O0", "-pthread", *options)
    target = f"{XEMU.replace(' - ', f' -L {SYSROOTS[arch]} - ')}{program}"
    lines = session(program, target, RESULTS, ALIKE, before=(f"set sysroot {SYSROOTS[arch]}",))
    text = "\n".join(lines)
    at = 0
    for expected in SAID:
        found = text.find(expected, at)
        assert found >= 0, (expected, text[at:at + 3000])
        at = found
    assert ("= {x = 2.5, y = 3.5}" in text) == (arch == "ppc64le")            # in memory, GDB cannot tell where
    assert "Cannot determine contents" in text


def test_registers_are_gdbs_own(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    """The description is one that GDB accepts with all of its own features, and its pseudo-registers work."""
    description = describe(arch)
    file = tmp_path / "target.xml"
    file.write_text(description.xml("GNU/Linux"))
    words = [f"set tdesc filename {file}", f"set endian {'big' if description.big else 'little'}", "maint print registers"]
    done = subprocess.run([need("gdb-multiarch"), "-nx", "-batch", *(part for word in words for part in ("-ex", word))],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    rows = {row[0]: row for line in done.stdout.splitlines() if len(row := line.split()) > 4}
    for register in description.registers:
        if not re.fullmatch(r"ppr|dscr|tar|vs\d+h", register.name):             # GDB shows vs0 to vs31, whole
            assert int(rows[register.name][4]) == register.size, register.name
    assert {"vs0", "f32"} <= set(rows) if arch == "ppc64le" else "dl0" not in rows
