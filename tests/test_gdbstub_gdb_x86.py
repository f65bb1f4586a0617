"""A real GDB on x86 programs: with `xemu gdbserver` it says the same as with its own server."""

from __future__ import annotations

import platform
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.guests import XEMU, freestanding, original, session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test for x86-64 hosts")

#: who it is, places on the stack; AVX-512 is the host's only, and some kernels do not let GDB's server write those registers
ALIKE = {r"process \d+": "process PID", r"0x(7ff|3ff|bff|ff)[0-9a-f]{5,9}\b": "STACK", r"\bb=-?\d{5,}": "b=STACK",
         r"(?m)^(k\d |Warning: ptrace).*\n": ""}
SESSION = """
break leaf
break fact if n == 2
continue
backtrace
print $orig_rax
info registers
info registers eflags cs ss
print $st0
print $xmm1
print $mxcsr
print $fctrl
info frame
print table
print $_siginfo.si_signo
finish
next
next
step
info locals
x/6i $pc
print $sp
print $al
print $eflags
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
set $rcx = 5
set var $ecx = 7
print $ecx
up
info locals
delete 1
catch syscall write
continue
print make(7)
print fact(4)
backtrace
continue
delete 2
call leaf(4)
continue
print $orig_rax
continue
print $orig_rax
delete
continue
"""


def both(arch: str, program: Path, commands: str, need: Callable[..., str]) -> tuple[list[str], list[str]]:
    """Return what GDB prints with its own server, and with xemu."""
    need("gdb-multiarch")
    with original(arch, program, program.parent, need) as target:
        theirs = session(program, target, commands, ALIKE)
    return theirs, session(program, f"{XEMU}{program}", commands, ALIKE)


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_a_session_is_as_with_gdbserver(arch: str, need: Callable[..., str], tmp_path: Path) -> None:
    commands = SESSION.replace("$rcx", "$ecx").replace("orig_rax", "orig_eax") if arch == "i386" else SESSION
    theirs, ours = both(arch, freestanding(need, tmp_path, arch), commands, need)
    assert ours == theirs
    assert len(ours) > 150
    assert {"-1", str(4 if arch == "i386" else 1)} <= {ours[at + 1].rpartition(" ")[2] for at, line in enumerate(ours)
                                                      if line.startswith(">>> print $orig_")}


SIGNALS = """
break main
continue
handle SIGUSR1 stop print pass
handle SIGSEGV nostop noprint pass
print twice(4)
continue
stepi
x/i $pc
stepi
x/i $pc
continue
"""
SIGNALS_PROGRAM = r"""
#include <signal.h>
#include <unistd.h>
static volatile int count;
int twice(int n) { return 2 * n; }
static void handler(int number) { count += number; }
int main(int argc, char **argv) {
    if (argc > 1) return count;
    signal(SIGUSR1, handler);
    kill(getpid(), SIGUSR1);
    execl(argv[0], argv[0], "again", (char *)0);
    return twice(1);
}
"""


def test_steps_end_where_handlers_begin(need: Callable[..., str], tmp_path: Path) -> None:
    need("gcc")
    source, program = tmp_path / "signals.c", tmp_path / "signals"
    source.write_text(SIGNALS_PROGRAM)
    subprocess.run(["gcc", "-g", "-O0", "-no-pie", source, "-o", program], check=True)
    commands = SIGNALS.replace("break main", "break main if argc == 1").rstrip()
    theirs, ours = ([re.sub(r"0x0000[0-9a-f]+ in|number=-?\d+", "NUMBER", line) for line in lines]
                    for lines in both("x86_64", program, commands, need))
    assert ours == theirs
    text = "\n".join(ours)
    assert "= 8\n" in text
    assert re.search(r"=> 0x[0-9a-f]+ <handler>:", text)
    assert "is executing new program" in text
