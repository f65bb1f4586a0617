"""Which files a debugger may read: the guest's as it sees them; for strangers only the program and its sysroot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.fake_debugger import PID, FakeSystem
from xemu.gdbstub.filesystem import FileSystem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sysroot with a library behind links, and a link that leads out of it."""
    directory = tmp_path / "root"
    (directory / "usr/lib").mkdir(parents=True)
    (directory / "usr/lib/libc.so.6").write_bytes(b"libc")
    (directory / "lib").symlink_to("/usr/lib")                 # absolute: from the sysroot
    (directory / "usr/lib/libm.so").symlink_to("../lib/libc.so.6")
    (directory / "out").symlink_to("/../../../etc/passwd")
    (directory / "round").symlink_to("round")
    (directory / "proc").mkdir()
    (directory / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(directory / "fifo")
    return directory


def files(root: Path | None, *, open_to_all: bool = False) -> FileSystem:
    return FileSystem(FakeSystem("process", "arm"), str(root) if root else None, open_to_all=open_to_all)


@pytest.mark.parametrize("path", ["/lib/libc.so.6", "/usr/lib/libm.so", "/lib/./../lib/libc.so.6", "/../../usr/lib/libc.so.6"])
def test_links_stay_in_the_sysroot(root: Path, path: str) -> None:
    for open_to_all in (False, True):
        number = files(root, open_to_all=open_to_all).open(path)
        assert os.read(number, 10) == b"libc"
        os.close(number)


@pytest.mark.parametrize("path", ["/etc/passwd", "/out", "/round", "etc/passwd", "/proc/1/environ", "/proc/self/fd/0", "/proc/cmdline",
                                  "/lib/../../../../etc/passwd", "/", ""])
def test_strangers_get_nothing_else(root: Path, path: str) -> None:
    for sysroot in (root, None):
        with pytest.raises(OSError, match=r".+"):
            files(sysroot).open(path)


def test_the_program_itself_is_for_everybody(tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_bytes(b"\x7fELF")
    found = files(None)
    found.system.exe_path = str(program)
    for path in (str(program), f"/proc/{PID}/exe"):
        number = found.open(path)
        assert os.read(number, 4) == b"\x7fELF"
        os.close(number)
    assert found.link("/proc/self/exe") == str(program)


def test_pipes_and_directories_are_no_files(root: Path) -> None:
    for path in ("/fifo", "/lib", "/dev/zero"):
        with pytest.raises(OSError, match=r".+"):
            files(root, open_to_all=True).open(path)


def test_other_files_of_this_machine_for_its_own_users(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    number = files(None, open_to_all=True).open(str(tmp_path / "x"))
    os.close(number)


def test_what_proc_shows() -> None:
    found = files(None)
    assert b"[stack]" not in (found.made("/proc/42/maps") or b"")
    assert (found.made("/proc/self/status") or b"").startswith(b"Name:\tprog\n")
    assert found.made("/proc/42/task/1/comm") == b"prog\n"
    assert int(found.made("/proc/42/coredump_filter") or b"0", 16) > 0
    assert found.made("/proc/43/maps") is None
    assert found.made("/proc/42/nothing") is None
    with pytest.raises(OSError, match=r".+"):
        found.link("/proc/1/exe")
