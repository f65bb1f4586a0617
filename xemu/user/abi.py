"""What differs between architectures in user mode, as data."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from xemu.core.layout import BIG, LITTLE
from xemu.errors import ImageError
from xemu.user.layouts import common

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xemu.core.layout import Layout
    from xemu.core.memory import AddressSpace
    from xemu.loaders.image import Image
    from xemu.user.process import Process
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task


HOST_ORDER = LITTLE if sys.byteorder == "little" else BIG


class Cause(NamedTuple):
    """The signal of a fault or an exception. `words`: trap number, error code and address, as signal frames show them."""

    signo: int
    code: int
    address: int
    words: tuple[int, int, int]


class Abi:
    """One architecture's Linux ABI. Subclasses fill in the attributes; nothing here depends on an instance.

    What is in the guest's memory has the byte order of `order`. All of it goes through `layouts`, `word`, `bitmap` and the words of
    AddressSpace; what passes between the host and the guest without being looked at goes through `swapped`.
    """

    name = ""
    machine = ""  # uname -m
    machine32 = ""  # … with a personality of 32 bits
    platform = b""  # AT_PLATFORM
    base_platform = b""  # AT_BASE_PLATFORM; empty: there is none
    auxv: Mapping[int, int] = {}  # entries of the auxiliary vector that only this architecture has
    bits = 32
    order = LITTLE  # of what is in memory, as `struct` has it; registers have their own (see process.py)
    address_bits = 32  # of addresses
    pairs_aligned = False  # 64-bit arguments start in an even register
    short_ids = False  # calls without 32 in their names take user ids of 16 bits
    numbers: Mapping[str, int]
    layouts: Mapping[str, Layout]  # what the architecture has; instances have what is common, too
    hwcap = 0
    hwcap2 = 0
    frame_size = 0  # AT_MINSIGSTKSZ; 0: there is none
    cpuinfo = ""  # /proc/cpuinfo
    fixed_maps = ""  # lines of /proc/self/maps for what is no memory
    task_size = 0  # first address a program cannot use
    stack_top = 0
    red_zone = 0  # bytes below the stack pointer that belong to the program
    program_base = 0  # where movable programs go
    low_map_flag = 0  # flag of mmap that asks for an address below 2 GiB
    lock_flags = 7  # of mlockall
    number_register = ""
    result_register = ""
    stack_register = "sp"
    arguments: tuple[str, ...] = ()  # the registers of arguments
    argument_order: Mapping[str, tuple[int, ...]] = {}  # calls whose arguments come in another order than their rows say
    doors: Mapping[int, str] = {}  # other ways into the kernel: number of the trap -> ABI whose calls it makes
    crash_registers: tuple[tuple[str, ...], ...] = ()  # what a report shows, line by line
    open_bits: tuple[tuple[int, int, str], ...] = ()  # (guest bit, host bit, name) of open(2) flags that differ
    requests: Mapping[int, int] = {}  # numbers of ioctl requests that differ -> those that most architectures have
    # where the line discipline and the control characters are in a struct termios, and how many of them a struct termio has
    termios_line, termios_characters, old_characters = 16, 17, 8
    socket_options: Mapping[int, int] = {}  # options of SOL_SOCKET that differ -> those that most architectures have

    def __init__(self) -> None:
        """Start with no calls outside the ordinary numbers."""
        self.private_calls: dict[int, Any] = {}
        self.byteorder: Literal["little", "big"] = "little" if self.order == LITTLE else "big"
        self.foreign = self.byteorder != sys.byteorder  # the host has another one
        self.word = struct.Struct(self.order + ("I" if self.bits == 32 else "Q"))
        self.register = struct.Struct(LITTLE + self.word.format[1:])  # in the state block
        self.layouts = common(self.order) | dict(self.layouts)
        self._guest_open = self._host_open = 0
        for guest, host, _ in self.open_bits:
            self._guest_open |= guest
            self._host_open |= host

    # --- byte order -----------------------------------------------------------------------------

    def bitmap(self, data: bytes | memoryview) -> int:
        """Read a set of bits, whose words are unsigned longs, the one of bit 0 first: sigset_t, fd_set, cpu_set_t."""
        return int.from_bytes(self._little_words(data), "little")

    def bitmap_bytes(self, bits: int, size: int = 8) -> bytes:
        """Return such a set as so many bytes."""
        return self._little_words(bits.to_bytes(size, "little"))

    def _little_words(self, data: bytes | memoryview) -> bytes:
        """Swap each unsigned long between the guest's order and the little-endian one."""
        if self.order == LITTLE:
            return bytes(data)
        codes = f"{len(data) // self.word.size}{self.word.format[1:]}"
        return struct.pack(LITTLE + codes, *struct.unpack(self.order + codes, data))

    def swapped(self, codes: str, data: bytes) -> bytes:
        """Return a struct of the host as the guest has it, or the other way round: both have these fields, without gaps.

        What follows them, and a struct that is cut short, stays as it is.
        """
        if not self.foreign or len(data) < (size := struct.calcsize(LITTLE + codes)):
            return data
        return struct.pack(self.order + codes, *struct.unpack(HOST_ORDER + codes, data[:size])) + data[size:]

    def host_word(self, value: int) -> int:
        """Return what the host reads where the guest has an int with this value, without sign."""
        return int.from_bytes((value & 0xFFFFFFFF).to_bytes(4, self.byteorder), sys.byteorder)

    # --- flags ----------------------------------------------------------------------------------

    def open_flags(self, flags: int) -> int:
        """Translate open(2) flags to the host's."""
        result = flags & ~self._guest_open
        for guest, host, _ in self.open_bits:
            if flags & guest:
                result |= host
        return result

    def guest_open_flags(self, flags: int) -> int:
        """Translate open(2) flags of the host (F_GETFL)."""
        result = flags & ~self._host_open
        for guest, host, _ in self.open_bits:
            if host and flags & host == host:
                result |= guest
        return result

    def fit(self, window_bits: int) -> None:
        """Adapt to the memory that there is: 2**window_bits bytes."""

    def load_rows(self) -> None:
        """Import the rows of calls that only this architecture has."""

    def prepare_space(self, space: AddressSpace) -> None:
        """Map what the kernel provides to every program."""

    def check_image(self, image: Image, name: str) -> None:
        """Refuse images this ABI cannot run; ImageError."""

    def start(self, state: Any, entry: int, stack: int) -> None:
        """Set the registers for the first instruction."""
        raise NotImplementedError

    def set_tls(self, task: Task, value: int) -> None:
        """Set the thread pointer of the registers in the engine as clone(2) with CLONE_SETTLS does; OSError, GuestFault."""
        raise NotImplementedError

    def result_setter(self, state: Any) -> Callable[[int], None]:
        """Return what gives a call's result, or its error as a negative number, to the program."""
        where, buffer, mask = register_offset(state, self.result_register), state.buffer, (1 << self.bits) - 1
        pack = self.register.pack_into
        return lambda value: pack(buffer, where, value & mask)

    def termios_to_host(self, codes: str, data: bytes) -> bytes:
        """Return the host's struct termios, whose fields are `codes`, for the program's."""
        return self.swapped(codes, data)

    def termios_to_guest(self, codes: str, data: bytes) -> bytes:
        """Return the program's for the host's."""
        return self.swapped(codes, data)

    def prctl(self, task: Task, option: int, value: int) -> int | None:  # noqa: ARG002
        """Do an option of prctl(2) that only this architecture has; None: there is no such option."""
        return None

    def syscall_size(self, state: Any) -> int:
        """Return the length of the system call instruction that was just executed."""
        raise NotImplementedError

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Build a signal frame below `top` and enter the handler; GuestFault if the stack cannot take it."""
        raise NotImplementedError

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:
        """Restore what a signal frame holds and return its signal mask; GuestFault or ValueError if there is no frame."""
        raise NotImplementedError

    # --- faults and exceptions ------------------------------------------------------------------

    def fault(self, process: Process, task: Task, fault: Any) -> Cause | None:
        """Return the signal of an access that is not allowed; None where it has been done after all."""
        raise NotImplementedError

    def page_lost(self, address: int) -> Cause:
        """Return the signal of an access past the end of a mapped file."""
        raise NotImplementedError

    def undefined(self, process: Process, address: int) -> Cause:
        """Return the signal of an undefined instruction."""
        raise NotImplementedError

    def breakpoint(self, address: int) -> Cause:
        """Return the signal of a breakpoint instruction."""
        raise NotImplementedError

    def exception(self, state: Any, number: int, address: int) -> Cause | None:
        """Return the signal of an exception or event that a row has raised; None: the program has switched it off."""
        raise NotImplementedError


def register_offset(state: Any, name: str) -> int:
    """Return where a register lies in the engine's state block."""
    cell, index = state._names[name]  # noqa: SLF001 - the one place that reaches in, for speed
    return int(cell.at(index))


ABIS: dict[str, str] = {
    "arm": "xemu.user.arm.abi:ArmAbi", "i386": "xemu.user.x86.abi:I386Abi", "x86_64": "xemu.user.x86.abi:X8664Abi",
    "ppc": "xemu.user.ppc.abi32:PpcAbi", "ppc64le": "xemu.user.ppc.abi:Ppc64leAbi",
}  # fmt: skip
_DOORS = {"i386-int80": "xemu.user.x86.abi:Int80Abi"}  # for the doors of others


def get_abi(arch: str, name: str, title: str) -> Abi:
    """Return the ABI of an architecture; ImageError names the program and what to use."""
    if arch not in ABIS:
        raise ImageError(f"{name}: {wrong_architecture(arch, title)}")
    return _make(ABIS[arch])


def get_door(name: str) -> Abi:
    """Return an ABI that another one names in `doors`."""
    return _make(_DOORS[name])


def _make(place: str) -> Abi:
    import importlib

    module, _, kind = place.partition(":")
    factory: Callable[[], Abi] = getattr(importlib.import_module(module), kind)
    return factory()


def wrong_architecture(arch: str, title: str) -> str:
    """Say what to do with a program xemu cannot run."""
    import platform

    host = {"aarch64": "aarch64"}.get(platform.machine(), "")
    if arch == host:
        return f"an {title} program, which this machine runs itself: start it without xemu"
    return f"built for {title}; xemu runs {', '.join(sorted(ABIS))} programs (qemu-user may have what you need)"
