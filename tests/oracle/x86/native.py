"""Run single x86 instructions on the host: `with Native() as native: outcomes = native.run(cases)`.

A worker process is started once; it shares memory with us and forks a child for each batch, which becomes the driver
(see driver.py). Whatever a case does to that child is found out and the batch goes on behind it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import signal
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.oracle.x86 import driver as d
from tests.oracle.x86.state import Case, Outcome, State, background
from tests.oracle.x86.values import BASES
from xemu.core import hostmem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

BATCH: Final = d.CODE_SIZE // d.CASE_BYTES
WORDS: Final = 16                     # patches and changes that a case has on average, at most
PATCH_AT: Final = d.HEAD_SIZE
LOG_AT: Final = PATCH_AT + BATCH * WORDS * 16
RECORDS_AT: Final = LOG_AT + BATCH * WORDS * 16
SHARED_SIZE: Final = RECORDS_AT + BATCH * 2 * d.RECORD
SIGNALS: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGVTALRM)
MAP_FIXED_NOREPLACE: Final = 0x10_0000
SA_SIGINFO, SA_ONSTACK, SA_RESTORER = 4, 0x0800_0000, 0x0400_0000
RT_SIGACTION, SIGALTSTACK = 13, 131                           # system calls
STACK: Final = 1 << 16
CPU_SECONDS: Final = 60
TICK: Final = 0.02                    # of CPU time; a case that lives through two ticks is endless
GDT: Final = 12                       # first of the entries that set_thread_area gives
BREAKPOINT, DEBUG, TRAP_TRACE = 3, 1, 2


@cache
def features() -> frozenset[str]:
    """Return the host's features, as Linux names them."""
    return frozenset(_cpuinfo("flags").split())


@cache
def is_intel() -> bool:
    """Return whether the host's processor is Intel's: xemu does where manuals leave a choice what those do."""
    return _cpuinfo("vendor_id").strip() == "GenuineIntel"


def _cpuinfo(name: str) -> str:
    text = Path("/proc/cpuinfo").read_text("utf-8")
    line = next((line for line in text.splitlines() if line.startswith(name)), ":")
    return line.partition(":")[2]


def missing() -> str:
    """Return why this host cannot run cases; empty if it can."""
    if platform.machine() != "x86_64":
        return "the host is not x86-64"
    lacks = {"avx2", "fsgsbase"} - features()
    return f"the host's processor lacks {', '.join(sorted(lacks))}" if lacks else ""


class Native:
    """The host as an oracle."""

    def __init__(self) -> None:
        if why := missing():
            raise OSError(why)
        self.fd = os.memfd_create("cases")
        os.ftruncate(self.fd, SHARED_SIZE)
        self.shared = mmap.mmap(self.fd, SHARED_SIZE)
        self.background = background()
        self._put(d.IMAGE - d.SHARED, self.background)
        command = [sys.executable, "-m", "tests.oracle.x86.native", str(self.fd)]
        self.worker = subprocess.Popen(command, pass_fds=[self.fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker."""
        self.worker.communicate()
        self.shared.close()
        os.close(self.fd)

    def run(self, cases: Sequence[Case]) -> list[Outcome]:
        """Return what the host makes of each case."""
        return [outcome for at in range(0, len(cases), BATCH) for outcome in self._batch(cases[at:at + BATCH])]

    def _put(self, at: int, data: bytes) -> None:
        self.shared[at:at + len(data)] = data

    def _batch(self, cases: Sequence[Case]) -> Iterator[Outcome]:
        patches: list[int] = []
        for i, case in enumerate(cases):
            words = self._words(case)
            where = struct.pack("<IIQQQ", len(case.code), 0, case.at, d.SHARED + PATCH_AT + 8 * len(patches), len(words))
            patches += [number for pair in words.items() for number in pair]
            record = case.state.pack(0x100 if case.step else 0)
            record = record[:d.CODE_LENGTH] + where + case.code.ljust(16, b"\0") + record[d.FXSAVE:]
            self._put(RECORDS_AT + i * 2 * d.RECORD, record)
        if len(patches) > BATCH * WORDS * 2:
            msg = f"more than {WORDS} words of memory in the average case"
            raise ValueError(msg)
        self._put(PATCH_AT, struct.pack(f"<{len(patches)}Q", *patches))
        first = d.SHARED + RECORDS_AT
        at, end = first, first + len(cases) * 2 * d.RECORD
        while at < end:
            log, log_end = d.SHARED + LOG_AT, d.SHARED + RECORDS_AT
            self._put(0, struct.pack("<6Q", 0, end, 0, log, log_end, at))
            status = self._go()
            (reached,) = struct.unpack_from("<Q", self.shared, d.CURRENT)
            if os.WIFSIGNALED(status):
                reached = max(reached, at)
            elif os.WEXITSTATUS(status) not in (0, d.FULL):
                msg = "the driver did not start (see above)"
                raise OSError(msg)
            for n in range((at - first) // (2 * d.RECORD), (reached - first) // (2 * d.RECORD)):
                yield self._outcome(cases[n], n)
            at = reached
            if os.WIFSIGNALED(status):
                yield Outcome("killed", cases[(at - first) // (2 * d.RECORD)].state, signal=os.WTERMSIG(status))
                at += 2 * d.RECORD

    def _words(self, case: Case) -> dict[int, int]:
        """Return the aligned words of the writable pages that a case sets, by their offset."""
        words: dict[int, bytearray] = {}
        for address, data in case.memory.items():
            for i, byte in enumerate(data):
                at, inside = (address + i - d.WRITABLE) & ~7, address + i & 7
                if not 0 <= at < d.WRITABLE_SIZE:
                    continue
                if at not in words:
                    words[at] = bytearray(self.background[at + d.WRITABLE - d.WINDOW:][:8])
                words[at][inside] = byte
        return {at: int.from_bytes(word, "little") for at, word in words.items()}

    def _go(self) -> int:
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(b"\n")
        self.worker.stdin.flush()
        answer = self.worker.stdout.readline()
        if not answer:
            msg = "the native worker ended (see above)"
            raise OSError(msg)
        return int(answer)

    def _outcome(self, case: Case, n: int) -> Outcome:
        at = RECORDS_AT + (2 * n + 1) * d.RECORD
        raw = self.shared[at:at + d.RECORD]
        state = State.unpack(raw, case.bits)
        number, code, address, log, log_end = struct.unpack_from("<iiQQQ", raw, d.SIGNAL)
        (vector,) = struct.unpack_from("<Q", raw, d.TRAP)
        pairs = struct.unpack_from(f"<{(log_end - log) // 8}Q", self.shared, log - d.SHARED)
        memory = {d.WRITABLE + offset: value for offset, value in zip(pairs[::2], pairs[1::2], strict=True)}
        ended = _how(case, state, number, vector, code)
        if ended == "done":
            return Outcome(ended, state, memory)
        return Outcome(ended, state, memory, vector, number, code, address)


def _how(case: Case, state: State, number: int, vector: int, code: int) -> str:
    """Return how a case ended; where our own INT3 ended it, put rip back."""
    if number == signal.SIGVTALRM:
        return "endless"
    if vector == DEBUG and case.step and code == TRAP_TRACE:
        return "done"
    if vector == BREAKPOINT and not case.step and state.rip == case.at + len(case.code) + 1:
        state.rip -= 1
        return "done"
    return "trap" if state.rip != case.at else "fault"


# -- the worker ------------------------------------------------------------------------------------------------------
def serve(fd: int) -> None:
    """Run a batch for each line that comes in and answer with the child's status."""
    code = d.load()
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            _become_driver(fd, code)
        print(os.waitpid(child, 0)[1], flush=True)


def _become_driver(fd: int, code: dict[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    exact, both = hostmem.MAP_SHARED | MAP_FIXED_NOREPLACE, hostmem.PROT_READ | hostmem.PROT_WRITE
    hostmem.mmap(d.SHARED, SHARED_SIZE, both, exact, fd)
    fresh = hostmem.MAP_PRIVATE | hostmem.MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
    hostmem.mmap(d.WINDOW, d.WINDOW_SIZE, both, fresh)
    for i, base in enumerate(BASES):                      # struct user_desc: 32-bit, limit in pages, usable
        ctypes.memmove(d.WINDOW, struct.pack("<4I", GDT + i, base, 0xFFFFF, 0x51), 16)
        if ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint)(code["set_thread_area"])(d.WINDOW):
            print("this kernel has no 32-bit system calls: no segments in 32-bit code", file=sys.stderr)
    ctypes.memmove(d.WINDOW, d.IMAGE, d.WINDOW_SIZE)
    ctypes.memmove(d.BEFORE, d.BACKGROUND, d.WRITABLE_SIZE)
    for page in (d.WINDOW, d.WRITABLE + d.WRITABLE_SIZE):
        hostmem.protect(page, 4096, hostmem.PROT_READ)
    hostmem.mmap(d.ALIAS, d.CODE_SIZE, both, hostmem.MAP_SHARED | hostmem.MAP_ANONYMOUS | MAP_FIXED_NOREPLACE)
    hostmem.mmap(d.CODE, d.CODE_SIZE, both, fresh)
    hostmem.mirror(d.ALIAS, d.CODE_SIZE, d.CODE)
    ctypes.memset(d.ALIAS, 0xCC, d.CODE_SIZE)
    hostmem.protect(d.CODE, d.CODE_SIZE, hostmem.PROT_READ | hostmem.PROT_EXEC)
    libc = ctypes.CDLL(None)
    stack = hostmem.anonymous(0, STACK)
    libc.syscall(SIGALTSTACK, struct.pack("<QIxxxxQ", stack, 0, STACK), None)
    for number in SIGNALS:
        action = struct.pack("<4Q", code["handler"], SA_SIGINFO | SA_ONSTACK | SA_RESTORER, code["restorer"], (1 << 64) - 1)
        libc.syscall(RT_SIGACTION, int(number), action, None, 8)
    signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)
    ctypes.CFUNCTYPE(None)(code["enter"])()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
