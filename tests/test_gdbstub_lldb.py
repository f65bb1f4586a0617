"""The stub with a real LLDB: attach, break, step, variables, watch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs import KEPT, PLAIN, ROOT, XEMU

if TYPE_CHECKING:
    from pathlib import Path

LLDB = os.environ.get("XEMU_LLDB") or "lldb"


@pytest.fixture(scope="session")
def victim(need: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which(LLDB) is None:
        pytest.skip("lldb not installed")
    program = tmp_path_factory.mktemp("lldb") / "victim"
    source = ROOT / "tests/debug_programs/victim.c"
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-g", "-O0", "-static", "-o", program, source, "-lpthread"], check=True)
    return program


def lldb(program: Path, *commands: str) -> str:
    """Return what LLDB prints for commands, connected to a stub at the program's start."""
    environment = {**PLAIN, **{name: os.environ[name] for name in KEPT if name in os.environ}}
    server = subprocess.Popen([*XEMU, "gdbserver", "--once", ":0", program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    server.stderr.readline()
    port = server.stderr.readline().split()[-1]
    words = [word for command in (f"gdb-remote 127.0.0.1:{port}", *commands) for word in ("-o", command)]
    try:
        done = subprocess.run([LLDB, "-x", "-b", *words, program], capture_output=True, text=True, timeout=100, check=False,
                              stdin=subprocess.DEVNULL, env={**PLAIN, "HOME": os.environ.get("HOME", "/")})
        return done.stdout + done.stderr
    finally:
        server.kill()
        server.communicate()


def test_breakpoints_steps_and_variables(victim: Path) -> None:
    out = lldb(victim, "breakpoint set --name main", "continue", "bt", "next", "frame variable", "register read pc cpsr", "thread list",
               "memory region $sp", "expression argc + 1")
    assert "stop reason = breakpoint 1.1" in out
    assert re.search(r"frame #0: 0x\w+ victim`main\(argc=1", out)
    assert "stop reason = step over" in out
    assert "(int) argc = 1" in out
    assert re.search(r"cpsr = 0x\w+", out)
    assert "rw" in out
    assert re.search(r"\(int\) \$\d+ = 2", out)


def test_watchpoints_and_signals(victim: Path) -> None:
    out = lldb(victim, "breakpoint set --name main", "continue", "watchpoint set variable counter", "continue", "continue", "continue",
               "watchpoint delete 1", "process handle SIGUSR1 --stop false", "breakpoint set --name fib", "continue", "frame variable")
    assert out.count("stop reason = watchpoint 1") == 3
    assert "new value: 1" in out
    assert "stop reason = breakpoint 2.1" in out
    assert "(int) n = 5" in out
