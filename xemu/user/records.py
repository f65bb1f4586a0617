"""Descriptors that give and take records of the kernel's, and their translation for guests whose byte order is not the host's.

Counters (eventfd(2), timerfd_create(2)), inotify(7) events and netlink(7) messages; all others carry bytes.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING, Protocol

from xemu.user.host import getsockopt
from xemu.user.netlink import Netlink

if TYPE_CHECKING:
    from collections.abc import Callable

SOL_SOCKET, SO_PROTOCOL, SO_DOMAIN = 1, 38, 39
AF_NETLINK, NETLINK_ROUTE = 16, 0
_INOTIFY = "iIII"  # watch, events, cookie, bytes of the name that follows


class Records(Protocol):
    """The records of one descriptor. Both directions keep the length."""

    def to_guest(self, data: bytes) -> bytes:
        """Translate what was read."""

    def to_host(self, data: bytes) -> bytes:
        """Translate what is to be written."""


class Counters:
    """Numbers of 64 bits."""

    def to_guest(self, data: bytes) -> bytes:
        """Swap them."""
        count = len(data) // 8
        return struct.pack(f">{count}Q", *struct.unpack(f"<{count}Q", data[: 8 * count])) + data[8 * count :]

    to_host = to_guest


class Events:
    """inotify's; nothing is written."""

    def __init__(self, order: str) -> None:
        """Take the guest's byte order, as `struct` has it."""
        self.here, self.there = struct.Struct("=" + _INOTIFY), struct.Struct(order + _INOTIFY)

    def to_guest(self, data: bytes) -> bytes:
        """Swap the heads."""
        result, at = bytearray(data), 0
        while at + self.here.size <= len(data):
            head = self.here.unpack_from(data, at)
            self.there.pack_into(result, at, *head)
            at += self.here.size + head[3]
        return bytes(result)

    def to_host(self, data: bytes) -> bytes:
        """Return it as it is."""
        return data


_ANONYMOUS: dict[str, Callable[[str], Records]] = {
    "anon_inode:[eventfd]": lambda _: Counters(), "anon_inode:[timerfd]": lambda _: Counters(), "anon_inode:inotify": Events,
}  # fmt: skip


def records_of(host: int, order: str) -> Records | None:
    """Say what a host descriptor's records are; None: bytes. `order`: the guest's, as `struct` has it."""
    try:
        name = os.readlink(f"/proc/self/fd/{host}")
    except OSError:
        return None
    if name.startswith("socket:"):
        return Netlink(order) if _is_netlink(host) else None
    make = _ANONYMOUS.get(name)
    return make(order) if make else None


def _is_netlink(host: int) -> bool:
    """Tell whether a socket is one for the network configuration: the others have formats of their own."""
    return (_option(host, SO_DOMAIN), _option(host, SO_PROTOCOL)) == (AF_NETLINK, NETLINK_ROUTE)


def _option(fd: int, option: int) -> int:
    value, size = ctypes.c_int(-1), ctypes.c_uint(4)
    getsockopt(fd, SOL_SOCKET, option, ctypes.byref(value), ctypes.byref(size))
    return value.value
