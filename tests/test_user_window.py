"""Programs with 64-bit addresses where the host gives much address space, little, or not enough."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# push rsp; mov rsi, rsp; mov eax, 1; mov edi, 1; mov edx, 8; syscall (write); mov eax, 60; mov edi, 7; syscall (exit)
CODE = bytes.fromhex("54 4889e6 b801000000 bf01000000 ba08000000 0f05 b83c000000 bf07000000 0f05")
AT = 0x40_0000
HEADERS = 64 + 56


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an x86-64 program that writes its stack pointer, and exits with 7."""
    size = HEADERS + len(CODE)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, AT + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    path = tmp_path_factory.mktemp("window") / "program"
    path.write_bytes(header + struct.pack("<IIQQQQQQ", 1, 5, 0, AT, AT, size, size, 4096) + CODE)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("room", "bits"), [(resource.RLIM_INFINITY, 46), (1 << 40, 38)])
def test_the_stack_is_at_the_end_of_the_window(program: Path, room: int, bits: int) -> None:
    done = run(program, room)
    assert (done.returncode, done.stderr) == (7, b"")
    assert int.from_bytes(done.stdout, "little") + (1 << 20) >> bits == 1
    assert int.from_bytes(done.stdout, "little") >> bits == 0


def test_a_host_without_room_is_one_line(program: Path) -> None:
    done = run(program, 64 << 30)
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr == b"xemu: the host refuses to reserve 2**38 bytes (Cannot allocate memory); see ulimit -v\n"


def run(program: Path, room: int) -> subprocess.CompletedProcess[bytes]:
    """Run the program with so much address space."""
    limit = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_AS, ({room}, {room})); runpy.run_module('xemu', alter_sys=True)"
    return subprocess.run([sys.executable, "-c", limit, "run", program], capture_output=True, check=False, timeout=100)
