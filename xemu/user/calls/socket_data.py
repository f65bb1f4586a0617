"""What passes through sockets beside the data: addresses, options and control messages, as the host and the guest have them.

Addresses and most options have the same layout on every Linux; where the guest has another byte order than the host, the tables say
what their fields are. Headers of control messages hold longs.
"""

from __future__ import annotations

import os
import struct
import sys
from errno import EINVAL
from typing import TYPE_CHECKING

from xemu.user.descriptors import Descriptor

if TYPE_CHECKING:
    from xemu.user.abi import Abi
    from xemu.user.task import Task

SOL_IP, SOL_SOCKET, SOL_TCP, SOL_UDP, SOL_IPV6, SOL_PACKET, SOL_ALG = 0, 1, 6, 17, 41, 263, 279
SCM_RIGHTS, SCM_CREDENTIALS, SCM_SECURITY, SCM_TIMESTAMP, SCM_TIMESTAMPNS, SCM_TIMESTAMPING = 1, 2, 3, 29, 35, 37
SCM_TIMESTAMP_NEW, SCM_TIMESTAMPNS_NEW = 63, 64
MSG_CMSG_CLOEXEC = 0x40000000
_HOST_CMSG = struct.Struct("=Qii")

# what follows the family: ports and internet addresses are in network order everywhere
_ADDRESSES = {10: "2s4s16sI", 16: "HII", 17: "2siHBB8s", 29: "2si", 38: "14sII", 40: "HII"}  # INET6 NETLINK PACKET CAN ALG VSOCK
_MREQN = "4s4si"  # a struct ip_mreqn; a struct ip_mreq and an address are shorter, and have nothing to swap
# options that are not ints: none of it ("": text and addresses), or these fields
_OPTIONS = {
    (SOL_SOCKET, 25): "", (SOL_SOCKET, 31): "", (SOL_SOCKET, 57): "Q", (SOL_SOCKET, 66): "qq", (SOL_SOCKET, 67): "qq",
    (SOL_IP, 4): "", (SOL_IP, 32): _MREQN, (SOL_IP, 35): _MREQN, (SOL_IP, 36): _MREQN, (SOL_IP, 37): "", (SOL_IP, 38): "",
    (SOL_IP, 39): "", (SOL_IP, 40): "", (SOL_TCP, 11): "8B24I", (SOL_TCP, 13): "", (SOL_TCP, 31): "", (SOL_TCP, 33): "",
    (SOL_IPV6, 20): "16si", (SOL_IPV6, 21): "16si", (SOL_IPV6, 50): "16si", (SOL_PACKET, 1): "iHH8s", (SOL_PACKET, 2): "iHH8s",
    (SOL_ALG, 1): "",
}  # fmt: skip
# MCAST_JOIN_GROUP, …: how many addresses of 128 bytes follow the number of an interface, aligned as longs are
_GROUPS = {42: 1, 43: 2, 44: 2, 45: 1, 46: 2, 47: 2}
_STORAGE = 128
# control messages that are not ints
_CONTROLS = {
    (SOL_SOCKET, SCM_SECURITY): "", (SOL_SOCKET, SCM_TIMESTAMP_NEW): "qq", (SOL_SOCKET, SCM_TIMESTAMPNS_NEW): "qq",
    (SOL_IP, 8): "i4s4s", (SOL_IP, 11): "IBBBBIIH", (SOL_IPV6, 25): "IBBBBIIH2s4s16sI", (SOL_IPV6, 50): "16si", (SOL_UDP, 103): "H",
    (SOL_PACKET, 8): "IIIHHHH", (SOL_ALG, 2): "I",
}  # fmt: skip


# --- addresses ------------------------------------------------------------------------------------


def address_to_host(abi: Abi, data: bytes) -> bytes:
    """Return a socket address of the guest as the host has it."""
    return abi.swapped("H" + _ADDRESSES.get(int.from_bytes(data[:2], abi.byteorder), ""), data)


def address_to_guest(abi: Abi, data: bytes) -> bytes:
    """Return a socket address of the host as the guest has it."""
    return abi.swapped("H" + _ADDRESSES.get(int.from_bytes(data[:2], sys.byteorder), ""), data)


# --- options --------------------------------------------------------------------------------------


def swap_option(abi: Abi, level: int, option: int, data: bytes) -> bytes:
    """Return an option's value in the other byte order, if they differ."""
    return abi.swapped(_OPTIONS.get((level, option), _ints(data)), data)


def option_to_host(abi: Abi, level: int, option: int, data: bytes) -> bytes:
    """Return an option's value of the guest as the host has it."""
    if level not in (SOL_IP, SOL_IPV6) or option not in _GROUPS:
        return swap_option(abi, level, option, data)
    places = [abi.word.size + _STORAGE * n for n in range(_GROUPS[option])]
    if len(data) < places[-1] + _STORAGE:
        return b""
    interface = int.from_bytes(data[:4], abi.byteorder)
    return struct.pack("=I4x", interface) + b"".join(address_to_host(abi, data[at : at + _STORAGE]) for at in places)


def _ints(data: bytes) -> str:
    return f"{len(data) // 4}i"


# --- control messages -----------------------------------------------------------------------------


def align(length: int, to: int) -> int:
    """Round up."""
    return (length + to - 1) & -to


def control_to_host(task: Task, data: bytes) -> bytes:
    """Translate control messages for sending: header sizes, descriptors."""
    abi = task.process.abi
    layout = abi.layouts["cmsghdr"]
    result, at = b"", 0
    while at + layout.size <= len(data):
        head = layout.unpack(data, at)
        if head.len < layout.size or at + head.len > len(data):
            raise OSError(EINVAL, "control message")
        payload = data[at + layout.size : at + head.len]
        payload = abi.swapped(_CONTROLS.get((head.level, head.type), _ints(payload)), payload)
        if head.level == SOL_SOCKET and head.type == SCM_RIGHTS:
            numbers = struct.unpack(f"={len(payload) // 4}i", payload[: len(payload) & ~3])
            payload = struct.pack(f"={len(numbers)}i", *(task.fds.host(n) for n in numbers))
        elif head.level == SOL_SOCKET and head.type == SCM_CREDENTIALS and len(payload) >= 12:
            pid, uid, gid = struct.unpack("=III", payload[:12])
            payload = struct.pack("=III", task.process.pids.host(pid), uid, gid)
        result += (_HOST_CMSG.pack(_HOST_CMSG.size + len(payload), head.level, head.type) + payload).ljust(
            align(_HOST_CMSG.size + len(payload), 8), b"\0"
        )
        at += align(head.len, abi.word.size)
    return result


def control_to_guest(task: Task, data: bytes, room: int, flags: int) -> tuple[bytes, bool]:
    """Translate received control messages; (bytes, whether something did not fit)."""
    abi = task.process.abi
    layout, word = abi.layouts["cmsghdr"], abi.word.size
    result, at, cut = b"", 0, False
    while at + _HOST_CMSG.size <= len(data):
        length, level, kind = _HOST_CMSG.unpack_from(data, at)
        payload = data[at + _HOST_CMSG.size : at + length]
        if level == SOL_SOCKET and kind in (SCM_TIMESTAMP, SCM_TIMESTAMPNS, SCM_TIMESTAMPING):
            payload = _longs(abi, payload)
        else:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                payload, part = _receive_descriptors(task, payload, room - len(result) - layout.size, flags)
                cut |= part
            elif level == SOL_SOCKET and kind == SCM_CREDENTIALS:
                pid, uid, gid = struct.unpack("=iII", payload[:12])
                payload = struct.pack("=iII", task.process.pids.guest(pid), uid, gid)
            payload = abi.swapped(_CONTROLS.get((level, kind), _ints(payload)), payload)
        piece = layout.pack(len=layout.size + len(payload), level=level, type=kind) + payload
        if len(result) + len(piece) > room:
            return result, True
        result += piece.ljust(min(align(len(piece), word), room - len(result)), b"\0")
        at += align(length, 8)
    return result, cut


def _longs(abi: Abi, data: bytes) -> bytes:
    """Return longs of the host as the guest has them."""
    codes = abi.layouts["long"].struct
    half = 1 << 8 * codes.size - 1
    return b"".join(codes.pack(value & half - 1) for (value,) in struct.iter_unpack("=q", data))


def _receive_descriptors(task: Task, payload: bytes, room: int, flags: int) -> tuple[bytes, bool]:
    """Enter received descriptors into the guest's table; those without room are closed."""
    hosts = struct.unpack(f"={len(payload) // 4}i", payload)
    fit = max(room, 0) // 4
    cloexec = bool(flags & MSG_CMSG_CLOEXEC)
    numbers = [task.fds.add(Descriptor(fd, cloexec=cloexec)) for fd in hosts[:fit]]
    for fd in hosts[fit:]:
        os.close(fd)
    return struct.pack(f"={len(numbers)}i", *numbers), len(hosts) > fit
