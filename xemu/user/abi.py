"""What differs between architectures in user mode, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.layout import Layout
    from xemu.core.memory import AddressSpace
    from xemu.loaders.image import Image


class Abi:
    """One architecture's Linux ABI. Subclasses fill in the attributes; nothing here depends on an instance."""

    name = ""
    machine = ""  # uname -m
    platform = b""  # AT_PLATFORM
    bits = 32
    order = "<"
    pairs_aligned = False  # 64-bit arguments start in an even register
    numbers: dict[str, int]
    layouts: dict[str, Layout]
    hwcap = 0
    hwcap2 = 0
    task_size = 0  # first address a program cannot use
    stack_top = 0
    program_base = 0  # where movable programs go
    number_register = ""
    result_register = ""
    first_argument = ""
    frames: Any = None  # module with put_trampolines, push, pop for signal frames

    open_bits: tuple[tuple[int, int], ...] = ()  # (guest bit, host bit) of open(2) flags that differ

    def __init__(self) -> None:
        """Start with no calls outside the ordinary numbers."""
        self.private_calls: dict[int, Any] = {}
        self._guest_open = self._host_open = 0
        for guest, host in self.open_bits:
            self._guest_open |= guest
            self._host_open |= host

    def open_flags(self, flags: int) -> int:
        """Translate open(2) flags to the host's."""
        result = flags & ~self._guest_open
        for guest, host in self.open_bits:
            if flags & guest:
                result |= host
        return result

    def guest_open_flags(self, flags: int) -> int:
        """Translate open(2) flags of the host (F_GETFL)."""
        result = flags & ~self._host_open
        for guest, host in self.open_bits:
            if host and flags & host == host:
                result |= guest
        return result

    def prepare_space(self, space: AddressSpace) -> None:
        """Map what the kernel provides to every program."""

    def check_image(self, image: Image, name: str) -> None:
        """Refuse images this ABI cannot run; ImageError."""

    def start(self, state: Any, entry: int, stack: int) -> None:
        """Set the registers for the first instruction."""
        raise NotImplementedError

    def set_tls(self, state: Any, value: int) -> None:
        """Set the thread pointer."""
        raise NotImplementedError

    def syscall_size(self, state: Any) -> int:
        """Return the length of the system call instruction that was just executed."""
        raise NotImplementedError


ABIS: dict[str, str] = {"arm": "xemu.user.arm.abi"}


def get_abi(arch: str, name: str, title: str) -> Abi:
    """Return the ABI of an architecture; ImageError names the program and what to use."""
    if arch not in ABIS:
        raise ImageError(f"{name}: {wrong_architecture(arch, title)}")
    import importlib

    factory: Callable[[], Abi] = importlib.import_module(ABIS[arch]).make
    return factory()


def wrong_architecture(arch: str, title: str) -> str:
    """Say what to do with a program xemu cannot run."""
    import platform

    host = {"x86_64": "x86_64", "i686": "i386", "aarch64": "aarch64"}.get(platform.machine(), "")
    if arch == host:
        return f"an {title} program, which this machine runs itself: start it without xemu"
    return f"built for {title}; xemu runs {', '.join(sorted(ABIS))} programs (qemu-user may have what you need)"
