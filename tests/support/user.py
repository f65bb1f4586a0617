"""A guest process without a CPU, for tests of system calls: arguments go in as the registers would hold them."""

from __future__ import annotations

import contextlib
import struct
from enum import Enum
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE, AddressSpace, GuestFault
from xemu.user.process import Options, Process
from xemu.user.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "cpsr", "fpscr", "tpidruro"]
DATA = 0x100000
DATA_SIZE = 0x10000


class ExitKind(Enum):
    """As the engine's."""

    BUDGET = "budget"
    SYSCALL = "syscall"
    UNDEFINED = "undefined"
    BREAKPOINT = "breakpoint"
    FAULT = "fault"
    KICK = "kick"


class _Cell:
    def at(self, index: int) -> int:
        return 4 * index


class FakeState:
    """Registers in a buffer, nothing more."""

    def __init__(self) -> None:
        self.buffer = bytearray(4 * len(NAMES) + 256)
        self._names = {name: (_Cell(), index) for index, name in enumerate(NAMES)}
        self.doubles = dict.fromkeys((f"d{n}" for n in range(32)), 0)

    def read(self, name: str) -> int:
        if name in self.doubles:
            return self.doubles[name]
        return int(struct.unpack_from("<I", self.buffer, 4 * NAMES.index(name))[0])

    def write(self, name: str, value: int) -> None:
        if name in self.doubles:
            self.doubles[name] = value
        else:
            struct.pack_into("<I", self.buffer, 4 * NAMES.index(name), value & 0xFFFFFFFF)

    def save(self) -> bytes:
        return bytes(self.buffer)

    def load(self, data: bytes) -> None:
        self.buffer[:] = data


class FakeEngine:
    """An engine that never runs anything."""

    def __init__(self) -> None:
        self.state = FakeState()
        self.insns = 0
        self.exit_kinds = ExitKind
        self.kicks = 0

    def kick(self) -> None:
        self.kicks += 1

    def reset_space(self) -> None:
        pass

    def after_fork(self) -> None:
        pass


class Guest:
    """A process with 64 KiB of memory at DATA and one thread."""

    def __init__(self, **options: Any) -> None:
        from xemu.user.arm.abi import ArmAbi

        chosen = Options()
        for name, value in options.items():
            setattr(chosen, name, value)
        self.process = Process(chosen, lambda _arch, _space, _options: FakeEngine())
        self.process.set_architecture(ArmAbi())
        self.process.mmap_top = 0xB0000000
        self.process.brk = self.process.brk_start = 0x500000
        self.process.signals.fd = -1
        self.space: AddressSpace = self.process.space
        self.space.map(DATA, DATA_SIZE, READ | WRITE)
        self.task = Task(self.process, self.process.pids.own())
        self.process.tasks[self.task.tid] = self.task
        self.process.scheduler.current = self.task

    def entry(self, name: str) -> Any:
        """Return the dispatch entry of a call."""
        number = self.process.abi.numbers[name]
        table = self.process.table
        return table[number] if number < len(table) else self.process.private_calls[number]

    def call(self, name: str, *words: int) -> Any:
        """Make a call with these register values; returns the result, -errno, or a generator."""
        function, unpack, _ = self.entry(name)
        block = struct.pack("<7I", *(w & 0xFFFFFFFF for w in (*words, *[0] * (7 - len(words)))))
        try:
            return function(self.task, *unpack(block, 0))
        except OSError as error:
            return -(error.errno or 22)
        except GuestFault:
            return -14
        except (OverflowError, ValueError):
            return -22

    def put(self, text: bytes, at: int = DATA) -> int:
        """Put a C string into memory and return its address."""
        self.space.write(at, text + b"\0")
        return at

    def close(self) -> None:
        """Give memory and descriptors back."""
        for number in [n for n in self.process.fds.table if n > 2]:
            with contextlib.suppress(OSError):
                self.process.fds.close(number)
        self.space.close()


@contextlib.contextmanager
def guest(**options: Any) -> Iterator[Guest]:
    """Give a guest process for a test."""
    made = Guest(**options)
    try:
        yield made
    finally:
        made.close()
