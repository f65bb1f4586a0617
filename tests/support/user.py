"""A guest process without a CPU, for tests of system calls: arguments go in as the registers would hold them."""

from __future__ import annotations

import contextlib
import struct
from enum import Enum
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE, AddressSpace, GuestFault
from xemu.core.state import StateBlock
from xemu.targets.registry import get_target
from xemu.user.abi import get_abi
from xemu.user.process import Options, Process
from xemu.user.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.target import Target

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


class FakeBlock(StateBlock):
    """The CPU's cells by name and what the target derives of them, with what else debuggers know beside them."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.layout)
        self.target = target
        self.others = {"pc": 0, "eflags": 2, "msr": 0}
        self._names = {name: (cell, n) for cell in target.layout.cells.values() for n, name in enumerate(cell.names)}

    def read(self, name: str) -> int:
        if name in self.others:
            return self.others[name]
        derived = self.target.read(self, name)
        return self.get(*self._names[name]) if derived is None else derived

    def write(self, name: str, value: int) -> None:
        if name in self.others:
            self.others[name] = value
        elif not self.target.write(self, name, value):
            self.set(*self._names[name], value)

    def save(self) -> bytes:
        return struct.pack("<QQQ", *self.others.values()) + bytes(self.buffer)

    def load(self, data: bytes) -> None:
        self.others = dict(zip(self.others, struct.unpack_from("<QQQ", data), strict=True))
        self.buffer[:] = data[24:]


class FakeEngine:
    """An engine that never runs anything."""

    def __init__(self, arch: str) -> None:
        self.state: Any = FakeState() if arch == "arm" else FakeBlock(get_target(arch))
        self.insns = 0
        self.exit_kinds = ExitKind
        self.kicks = 0

    def kick(self) -> None:
        self.kicks += 1

    def reset_space(self) -> None:
        pass

    def before_fork(self) -> None:
        pass

    def after_fork(self) -> None:
        pass


class Guest:
    """A process with 64 KiB of memory at DATA and one thread."""

    def __init__(self, arch: str = "arm", **options: Any) -> None:
        chosen = Options()
        for name, value in options.items():
            setattr(chosen, name, value)
        self.process = Process(chosen, lambda name, _space, _options: FakeEngine(name))
        self.process.set_architecture(get_abi(arch, arch, arch))
        self.process.mmap_top = self.process.abi.stack_top - (1 << 28)
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
        process = self.process
        for register, word in zip(process.abi.arguments, (*words, *[0] * (7 - len(words))), strict=False):
            process.engine.state.write(register, word & (1 << process.abi.bits) - 1)
        _, block, first = process.call_access()
        try:
            return function(self.task, *unpack(block, first))
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
def guest(arch: str = "arm", **options: Any) -> Iterator[Guest]:
    """Give a guest process for a test."""
    made = Guest(arch, **options)
    try:
        yield made
    finally:
        made.close()
