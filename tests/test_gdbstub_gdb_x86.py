"""A real GDB on x86 programs: with `xemu gdbserver` it says the same as with its own server."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build
from tests.support.programs import ROOT
from tests.test_debug_x86 import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test for x86-64 hosts")

XEMU = f"{shlex.quote(sys.executable)} -m xemu gdbserver - "
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


@pytest.fixture(scope="module", params=[(), ("-m32",)], ids=["64", "32"])
def program(request: pytest.FixtureRequest, need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("gdb-multiarch", "gdbserver", " ".join(["gcc", *request.param]))
    return build(tmp_path_factory.mktemp("x86"), "freestanding.c", *OPTIONS, *request.param, prefix="")


def session(program: Path, server: str, commands: str) -> list[str]:
    """Return what GDB prints, without what differs by nature: places on the stack, who it is."""
    words = ["set width 0", "set confirm off", "set debuginfod enabled off", "set remotetimeout 60", f"target remote | {server} {program}"]
    for line in commands.strip().splitlines():
        words += [f"echo >>> {line}\\n", line]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    arguments = [part for word in words for part in ("-ex", word)]
    done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", program, *arguments], timeout=100,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment,
                          stdin=subprocess.DEVNULL)
    text = re.sub(r"process \d+", "process PID", done.stdout)
    text = re.sub(r"0x(7ff|3ff|bff|ff)[0-9a-f]{5,9}\b", "STACK", text)
    text = re.sub(r"\bb=-?\d{5,}", "b=STACK", text)
    # AVX-512 is the host's only, and some kernels do not let GDB's server write those registers
    return [line for line in text[text.index(">>>"):].splitlines() if not re.match(r"k\d |Warning: ptrace", line)]


def test_a_session_is_as_with_gdbserver(program: Path) -> None:
    commands = SESSION.replace("$rcx", "$ecx").replace("orig_rax", "orig_eax") if "-m32" in program.name else SESSION
    theirs, ours = session(program, "gdbserver -", commands), session(program, XEMU, commands)
    assert ours == theirs
    assert len(ours) > 150
    assert {"-1", str(4 if "-m32" in program.name else 1)} <= {ours[at + 1].rpartition(" ")[2] for at, line in enumerate(ours)
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
    need("gdb-multiarch", "gdbserver", "gcc")
    source, program = tmp_path / "signals.c", tmp_path / "signals"
    source.write_text(SIGNALS_PROGRAM)
    subprocess.run(["gcc", "-g", "-O0", "-no-pie", source, "-o", program], check=True)
    commands = SIGNALS.replace("break main", "break main if argc == 1").rstrip()
    theirs, ours = ([re.sub(r"0x0000[0-9a-f]+ in|number=-?\d+", "NUMBER", line) for line in session(program, server, commands)]
                    for server in ("gdbserver -", XEMU))
    assert ours == theirs
    text = "\n".join(ours)
    assert "= 8\n" in text
    assert re.search(r"=> 0x[0-9a-f]+ <handler>:", text)
    assert "is executing new program" in text
