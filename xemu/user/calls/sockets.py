"""Sockets. Addresses have the same layout on every Linux; message headers and some options are translated."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from errno import EAGAIN, EINPROGRESS, EINVAL, EMSGSIZE, EPIPE
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.calls.socket_data import (
    MSG_CMSG_CLOEXEC,
    SOL_SOCKET,
    address_to_guest,
    address_to_host,
    align,
    control_to_guest,
    control_to_host,
    option_to_host,
    swap_option,
)
from xemu.user.calls.streams import buffer, nonblocking, put_back, vector
from xemu.user.clock import SECOND
from xemu.user.descriptors import STREAM, Descriptor
from xemu.user.rows import call, memory_reader
from xemu.user.task import Inner, Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.task import Task

SOCK_NONBLOCK, SOCK_CLOEXEC = 0o4000, 0o2000000
MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, MSG_WAITFORONE = 0x40, 0x4000, 0x100, 0x10000
MSG_PEEK, MSG_ERRQUEUE, MSG_CTRUNC = 2, 0x2000, 8
SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, SO_PEERCRED = 20, 21, 66, 67, 17
SO_TYPE, SO_ERROR, SO_ATTACH_FILTER, SO_ACCEPTCONN, SOCK_STREAM = 3, 4, 26, 30, 1
AF_UNIX = (1).to_bytes(2, sys.byteorder)
ADDRESS_MAX = 128
CONTROL_MAX = 65536
_HOST_MSGHDR = struct.Struct("=QI4xQQQQi4x")


def _address_of(view: memoryview) -> int:
    """Return the host address of guest memory that was checked by making the view."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) if len(view) else 0


def _socket_entry(fd: int, flags: int) -> Descriptor:
    return Descriptor(fd, cloexec=bool(flags & SOCK_CLOEXEC), kind=STREAM)


# --- waiting ------------------------------------------------------------------------------------


def _time_limit(fd: int, option: int) -> int | None:
    """Return SO_RCVTIMEO or SO_SNDTIMEO in ns, None if there is no limit."""
    data = ctypes.create_string_buffer(16)
    size = ctypes.c_uint(16)
    try:
        host.getsockopt(fd, SOL_SOCKET, option, data, ctypes.byref(size))
    except OSError:
        return None
    seconds, micros = struct.unpack("=qq", data.raw)
    return seconds * SECOND + micros * 1000 or None


def _retry(task: Task, fd: int, events: int, attempt: Callable[[], int], flags: int) -> Any:
    """Try without waiting; wait and try again if the guest's socket blocks."""
    try:
        return attempt()
    except BlockingIOError:
        if flags & MSG_DONTWAIT or nonblocking(fd):
            return -EAGAIN
    except BrokenPipeError:
        task.process.scheduler.attention = True
        return -EPIPE
    option = SO_RCVTIMEO_OLD if events == host.POLLIN else SO_SNDTIMEO_OLD
    limit = _time_limit(fd, option)
    deadline = None if limit is None else task.process.clock.monotonic() + limit

    def waiting() -> Generator[Wait, Wait, int]:
        while True:
            try:
                wait = yield Wait(((fd, events),), deadline)
            except Interrupted:
                if limit is not None:
                    return -4
                raise
            try:
                return attempt()
            except BlockingIOError:
                if wait.timed_out:
                    return -EAGAIN
            except BrokenPipeError:
                task.process.scheduler.attention = True
                return -EPIPE

    return waiting()


# --- making and naming --------------------------------------------------------------------------


@call("socket enum:family enum:socktype int")
def socket(task: Task, family: int, kind: int, protocol: int) -> int:
    """socket(2)."""
    fd = host.socket(family, kind | SOCK_CLOEXEC, protocol)
    return task.fds.add(_socket_entry(fd, kind))


@call("socketpair enum:family enum:socktype int out:8")
def socketpair(task: Task, family: int, kind: int, protocol: int, address: int) -> int:
    """socketpair(2)."""
    view = task.space.view(address, 8, WRITE)
    pair = (ctypes.c_int * 2)()
    host.socketpair(family, kind | SOCK_CLOEXEC, protocol, pair)
    view[:] = b"".join(task.fds.add(_socket_entry(fd, kind)).to_bytes(4, task.space.byteorder) for fd in pair)
    return 0


def _sockaddr(task: Task, address: int, length: int) -> bytes:
    if length > ADDRESS_MAX or length < 0:
        raise OSError(EINVAL, "address length")
    data = address_to_host(task.process.abi, task.space.read(address, length))
    if data[:2] == AF_UNIX and data[2:3] == b"/" and task.process.paths.sysroot:
        path = data[2:].split(b"\0")[0]
        found = task.process.paths.under_sysroot(path)
        if found is not None and len(found) < 108:
            return data[:2] + found + b"\0"
    return data


def _give_address(task: Task, data: bytes, used: int, address: int, length: int) -> None:
    """Write a returned socket address and its true length; the guest's room is at `length`."""
    if not address:
        return
    room = task.space.read_i32(length)
    if room < 0:
        raise OSError(EINVAL, "address length")
    task.space.write(address, address_to_guest(task.process.abi, data[:used])[:room])
    task.space.write_u32(length, used)


@call("bind fd sockaddr:2 int")
def bind(task: Task, fd: int, address: int, length: int) -> int:
    """bind(2)."""
    return host.bind(task.fds.host(fd), _sockaddr(task, address, length), length)


@call("listen fd int")
def listen(task: Task, fd: int, backlog: int) -> int:
    """listen(2)."""
    return host.listen(task.fds.host(fd), backlog)


@call("connect fd sockaddr:2 int")
def connect(task: Task, fd: int, address: int, length: int) -> Any:
    """connect(2): made non-blocking for the moment, then waited for."""
    entry = task.fds.get(fd)
    data = _sockaddr(task, address, length)
    if nonblocking(entry.host):
        return host.connect(entry.host, data, len(data))
    os.set_blocking(entry.host, False)
    try:
        return host.connect(entry.host, data, len(data))
    except BlockingIOError as error:
        if error.errno != EINPROGRESS:  # a full backlog of a UNIX socket: nothing to poll for
            return _connect_again(task, entry.host, data)
        return _connected(task, entry.host)
    finally:
        os.set_blocking(entry.host, True)


def _connect_again(task: Task, fd: int, data: bytes) -> Generator[Wait, Wait, int]:
    while True:
        yield Wait(deadline=task.process.clock.monotonic() + 5_000_000)
        os.set_blocking(fd, False)
        try:
            return host.connect(fd, data, len(data))
        except BlockingIOError:
            continue
        finally:
            os.set_blocking(fd, True)


def _connected(_task: Task, fd: int) -> Generator[Wait, Wait, int]:
    yield Wait(((fd, host.POLLOUT),))
    value, size = ctypes.c_int(), ctypes.c_uint(4)
    host.getsockopt(fd, SOL_SOCKET, SO_ERROR, ctypes.byref(value), ctypes.byref(size))
    return -value.value


@call("accept4 fd ptr ptr flags:socktype")
def accept4(task: Task, fd: int, address: int, length: int, flags: int) -> Any:
    """accept4(2)."""
    if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
        return -EINVAL
    listener = task.fds.host(fd)
    data, size = ctypes.create_string_buffer(ADDRESS_MAX), ctypes.c_uint()
    if address:
        task.space.view(length, 4, READ | WRITE)

    def attempt() -> int:
        if not host.poll(((listener, host.POLLIN),), 0):
            _check_listening(listener)
            raise BlockingIOError(EAGAIN, "accept")
        size.value = ADDRESS_MAX
        new = host.accept4(listener, data, ctypes.byref(size), flags | SOCK_CLOEXEC)
        number = task.fds.add(_socket_entry(new, flags))
        _give_address(task, data.raw, size.value, address, length)
        return number

    return _retry(task, listener, host.POLLIN, attempt, 0)


def _check_listening(fd: int) -> None:
    value, size = ctypes.c_int(), ctypes.c_uint(4)
    host.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, ctypes.byref(value), ctypes.byref(size))
    if not value.value:
        raise OSError(EINVAL, "not listening")


@call("accept fd ptr ptr")
def accept(task: Task, fd: int, address: int, length: int) -> Any:
    """accept(2)."""
    return accept4(task, fd, address, length, 0)


def _name(function: Callable[..., int], task: Task, fd: int, address: int, length: int) -> int:
    data, size = ctypes.create_string_buffer(ADDRESS_MAX), ctypes.c_uint(ADDRESS_MAX)
    function(task.fds.host(fd), data, ctypes.byref(size))
    _give_address(task, data.raw, size.value, address, length)
    return 0


@call("getsockname fd ptr ptr")
def getsockname(task: Task, fd: int, address: int, length: int) -> int:
    """getsockname(2)."""
    return _name(host.getsockname, task, fd, address, length)


@call("getpeername fd ptr ptr")
def getpeername(task: Task, fd: int, address: int, length: int) -> int:
    """getpeername(2)."""
    return _name(host.getpeername, task, fd, address, length)


@call("shutdown fd enum:shutdown")
def shutdown(task: Task, fd: int, how: int) -> int:
    """shutdown(2)."""
    return host.shutdown(task.fds.host(fd), how)


# --- data ---------------------------------------------------------------------------------------


@call("sendto fd in:2 size flags:msg sockaddr:5 int")
def sendto(task: Task, fd: int, address: int, count: int, flags: int, to: int, length: int) -> Any:
    """sendto(2)."""
    entry = task.fds.get(fd)
    sock = entry.host
    view = buffer(task, address, count, READ)
    if entry.file.records is not None:
        view = memoryview(bytearray(entry.file.records.to_host(bytes(view))))
    name = _sockaddr(task, to, length) if to else None
    where = _address_of(view)

    def attempt() -> int:
        return host.sendto(sock, where, len(view), flags | MSG_DONTWAIT, name, len(name) if name else 0)

    result = _retry(task, sock, host.POLLOUT, attempt, flags)
    return _send_rest(task, sock, view, result, flags) if isinstance(result, int) and 0 < result < len(view) else result


def _send_rest(task: Task, sock: int, view: memoryview, sent: int, flags: int) -> Any:
    """Go on with a stream that took only a part, as a blocking send does."""
    if flags & MSG_DONTWAIT or nonblocking(sock):
        return sent

    def waiting() -> Generator[Wait, Wait, int]:
        done = sent
        while done < len(view):
            try:
                yield Wait(((sock, host.POLLOUT),))
                rest = view[done:]
                done += host.sendto(sock, _address_of(rest), len(rest), flags | MSG_DONTWAIT, None, 0)
            except BlockingIOError:
                continue
            except (Interrupted, OSError):
                task.process.scheduler.attention = True
                return done
        return done

    return waiting()


@call("send fd in:2 size flags:msg")
def send(task: Task, fd: int, address: int, count: int, flags: int) -> Any:
    """send(2)."""
    return sendto(task, fd, address, count, flags, 0, 0)


@call("recvfrom fd out:ret size flags:msg ptr ptr")
def recvfrom(task: Task, fd: int, address: int, count: int, flags: int, source: int, length: int) -> Any:
    """recvfrom(2)."""
    entry = task.fds.get(fd)
    sock = entry.host
    view = buffer(task, address, count, WRITE) if count else memoryview(bytearray())
    where = _address_of(view)
    name, size = ctypes.create_string_buffer(ADDRESS_MAX), ctypes.c_uint()
    done = 0

    def attempt() -> int:
        nonlocal done
        size.value = ADDRESS_MAX
        at, host_flags = where + done if where else 0, flags & ~MSG_WAITALL | MSG_DONTWAIT
        got = host.recvfrom(sock, at, len(view) - done, host_flags, name, ctypes.byref(size))
        if source:
            _give_address(task, name.raw, size.value, source, length)
        if entry.file.records is not None:
            put_back([view[done:]], entry.file.records.to_guest(bytes(view[done : done + got])))
        done += got
        if flags & MSG_WAITALL and got and done < len(view) and not flags & MSG_PEEK and _is_stream(sock):
            raise BlockingIOError(EAGAIN, "more to come")
        return done

    result = _retry(task, sock, host.POLLIN, attempt, flags)
    if flags & MSG_WAITALL and not isinstance(result, int):
        return _or_part(result, lambda: done)
    return done if result == -EAGAIN and done else result


def _or_part(call_: Generator[Wait, Wait, int], so_far: Callable[[], int]) -> Generator[Wait, Wait, int]:
    """Return what has come so far when a waiting receive is interrupted."""
    try:
        return (yield from call_)
    except Interrupted:
        if so_far():
            return so_far()
        raise


def _is_stream(fd: int) -> bool:
    value, size = ctypes.c_int(), ctypes.c_uint(4)
    host.getsockopt(fd, SOL_SOCKET, SO_TYPE, ctypes.byref(value), ctypes.byref(size))
    return value.value == SOCK_STREAM


@call("recv fd out:ret size flags:msg")
def recv(task: Task, fd: int, address: int, count: int, flags: int) -> Any:
    """recv(2)."""
    return recvfrom(task, fd, address, count, flags, 0, 0)


# --- messages -----------------------------------------------------------------------------------


class _Message:
    """A guest msghdr translated for the host."""

    def __init__(self, task: Task, fd: int, address: int, access: int) -> None:
        layout = task.process.abi.layouts["msghdr"]
        self.records = task.fds.get(fd).file.records
        self.task, self.address, self.layout = task, address, layout
        self.head = layout.unpack(task.space.read(address, layout.size))
        if self.head.iovlen > 1024:
            raise OSError(EMSGSIZE, os.strerror(EMSGSIZE))
        self.views = vector(task, self.head.iov, self.head.iovlen, access)
        if self.records is not None and access == READ:
            self.views = [memoryview(bytearray(self.records.to_host(b"".join(self.views))))]
        pairs = [value for view in self.views for value in (_address_of(view), len(view))]
        self.iov = ctypes.create_string_buffer(struct.pack(f"={len(pairs)}Q", *pairs), 8 * len(pairs) or 1)
        self.name = ctypes.create_string_buffer(ADDRESS_MAX)
        self.control = ctypes.create_string_buffer(1)
        self.name_size = self.control_size = 0

    def for_sending(self) -> _Message:
        """Fill in name and control data."""
        head = self.head
        if head.name and head.namelen:
            data = _sockaddr(self.task, head.name, head.namelen)
            self.name, self.name_size = ctypes.create_string_buffer(data, len(data)), len(data)
        if head.control and head.controllen:
            if head.controllen > CONTROL_MAX:
                raise OSError(EINVAL, "control data")
            data = control_to_host(self.task, self.task.space.read(head.control, head.controllen))
            self.control, self.control_size = ctypes.create_string_buffer(data, len(data) or 1), len(data)
        return self

    def for_receiving(self) -> _Message:
        """Make room for name and control data; host headers are larger than the guest's."""
        self.name_size = ADDRESS_MAX if self.head.name else 0
        room = min(self.head.controllen, CONTROL_MAX) if self.head.control else 0
        self.control_size = 2 * room + 64 if room else 0
        self.control = ctypes.create_string_buffer(self.control_size or 1)
        return self

    def host_bytes(self) -> Any:
        """Return a host struct msghdr."""
        return ctypes.create_string_buffer(_HOST_MSGHDR.pack(
            ctypes.addressof(self.name) if self.name_size else 0, self.name_size, ctypes.addressof(self.iov),
            len(self.views), ctypes.addressof(self.control) if self.control_size else 0, self.control_size, 0,
        ), _HOST_MSGHDR.size)  # fmt: skip

    def received(self, result: Any, got: int, flags: int) -> None:
        """Write name, control data, lengths and flags back."""
        if self.records is not None:
            put_back(self.views, self.records.to_guest(b"".join(self.views)[:got]))
        _, name_size, _, _, _, control_size, out_flags = _HOST_MSGHDR.unpack(result.raw)
        head, space = self.head, self.task.space
        if head.name:
            space.write(head.name, address_to_guest(self.task.process.abi, self.name.raw[:name_size])[: head.namelen])
        control, cut = control_to_guest(self.task, self.control.raw[:control_size], head.controllen if head.control else 0, flags)
        if control:
            space.write(head.control, control)
        out_flags = out_flags & ~MSG_CMSG_CLOEXEC | (MSG_CTRUNC if cut else 0)
        space.write(self.address, self.layout.pack(
            name=head.name, namelen=name_size if head.name else 0, iov=head.iov, iovlen=head.iovlen,
            control=head.control, controllen=len(control), flags=out_flags,
        ))  # fmt: skip


@call("sendmsg fd msg flags:msg")
def sendmsg(task: Task, fd: int, address: int, flags: int) -> Any:
    """sendmsg(2)."""
    sock = task.fds.host(fd)
    message = _Message(task, fd, address, READ).for_sending()
    data = message.host_bytes()
    return _retry(task, sock, host.POLLOUT, lambda: host.sendmsg(sock, data, flags | MSG_DONTWAIT), flags)


@call("recvmsg fd msg flags:msg")
def recvmsg(task: Task, fd: int, address: int, flags: int) -> Any:
    """recvmsg(2)."""
    sock = task.fds.host(fd)

    def attempt() -> int:
        message = _Message(task, fd, address, WRITE).for_receiving()
        data = message.host_bytes()
        got = host.recvmsg(sock, data, flags & ~MSG_WAITALL | MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
        message.received(data, got, flags)
        return got

    events = host.POLLERR if flags & MSG_ERRQUEUE else host.POLLIN
    return _retry(task, sock, events, attempt, flags | (MSG_DONTWAIT if flags & MSG_ERRQUEUE else 0))


@call("sendmmsg fd ptr uint flags:msg")
def sendmmsg(task: Task, fd: int, address: int, count: int, flags: int) -> Any:
    """sendmmsg(2)."""
    size = _many_size(task)
    result = _many(task, fd, address, min(count, 1024), size, flags, sendmsg)
    return result or sendmsg_first(task, fd, address, size, flags)


def _many_size(task: Task) -> int:
    """Return where struct mmsghdr has the length: behind its struct msghdr."""
    return task.process.abi.layouts["msghdr"].size


def sendmsg_first(task: Task, fd: int, address: int, size: int, flags: int) -> Any:
    """Send the first of several messages, waiting if need be."""
    return _one_of_many(task, address, size, sendmsg(task, fd, address, flags))


def _many(task: Task, fd: int, address: int, count: int, size: int, flags: int, function: Any) -> int:
    """Send or receive as many messages as go without waiting; 0 if none does."""
    for index in range(count):
        at = address + index * align(size + 4, task.process.abi.word.size)
        try:
            got = function(task, fd, at, flags | MSG_DONTWAIT)
        except OSError:
            if index:
                return index
            raise
        if got < 0:
            return index if index or got == -EAGAIN else got
        task.space.write_u32(at + size, got)
    return count


def _one_of_many(task: Task, address: int, size: int, result: Any) -> Any:
    if isinstance(result, int):
        if result >= 0:
            task.space.write_u32(address + size, result)
            return 1
        return result

    def waiting() -> Generator[Wait, Wait, int]:
        got = yield from result
        return _one_of_many(task, address, size, got)  # type: ignore[no-any-return]

    return waiting()


def _recvmmsg(name: str) -> None:
    @call(f"{name} fd ptr uint flags:msg ptr")
    def run(task: Task, fd: int, address: int, count: int, flags: int, _timeout: int) -> Any:
        size = _many_size(task)
        flags &= ~MSG_WAITFORONE
        result = _many(task, fd, address, min(count, 1024), size, flags, recvmsg)
        return result or _one_of_many(task, address, size, recvmsg(task, fd, address, flags))


_recvmmsg("recvmmsg")
_recvmmsg("recvmmsg_time64")


# --- all of it through one call ------------------------------------------------------------------

_SOCKETCALL = ("", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv", "sendto",
               "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg")


@call("socketcall int ptr")
def socketcall(task: Task, number: int, address: int) -> Any:
    """socketcall(2): the calls of this file by number, with their arguments in memory (net/socket.c)."""
    if not 0 < number < len(_SOCKETCALL):
        return -EINVAL
    function, row = task.process.row_entry(_SOCKETCALL[number])
    words = task.space.read(address, len(row.types) * task.process.abi.word.size)
    result = function(task, *memory_reader(row, task.process.abi)(words, 0))
    return result if isinstance(result, int) else Inner(result, row)


# --- options ------------------------------------------------------------------------------------


def _generic_option(task: Task, level: int, option: int) -> int:
    """Return the number that most architectures give an option."""
    return task.process.abi.socket_options.get(option, option) if level == SOL_SOCKET else option


@call("setsockopt fd enum:sol enum:so in:4 int")
def setsockopt(task: Task, fd: int, level: int, option: int, address: int, length: int) -> int:
    """setsockopt(2)."""
    sock = task.fds.host(fd)
    option = _generic_option(task, level, option)
    if not 0 <= length <= 1 << 16:
        return -EINVAL
    data = task.space.read(address, length) if address else b""
    abi = task.process.abi
    if level == SOL_SOCKET and option in (SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD):
        codes = abi.layouts["timeval"].struct
        if len(data) < codes.size:
            return -EINVAL
        data = struct.pack("=qq", *codes.unpack_from(data))
    elif level == SOL_SOCKET and option == SO_ATTACH_FILTER:
        if len(data) < 2 * abi.word.size:
            return -EINVAL
        count, pointer = int.from_bytes(data[:2], abi.byteorder), abi.word.unpack_from(data, abi.word.size)[0]
        instructions = abi.swapped("HBBI" * count, task.space.read(pointer, 8 * count))
        program = ctypes.create_string_buffer(instructions, 8 * count or 1)
        data = struct.pack("=H6xQ", count, ctypes.addressof(program))
    else:
        data = option_to_host(abi, level, option, data)
    return host.setsockopt(sock, level, option, data, len(data))


@call("getsockopt fd enum:sol enum:so ptr ptr")
def getsockopt(task: Task, fd: int, level: int, option: int, address: int, length: int) -> int:
    """getsockopt(2)."""
    sock = task.fds.host(fd)
    option = _generic_option(task, level, option)
    room = task.space.read_i32(length)
    if room < 0:
        return -EINVAL
    abi = task.process.abi
    timeval = level == SOL_SOCKET and option in (SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD)
    wanted = 16 if timeval else min(room, 1 << 16)
    data, size = ctypes.create_string_buffer(wanted or 1), ctypes.c_uint(wanted)
    host.getsockopt(sock, level, option, data, ctypes.byref(size))
    result = data.raw[: size.value]
    if timeval:
        seconds, micros = struct.unpack("=qq", result)
        result = abi.layouts["timeval"].pack(sec=min(seconds, (1 << abi.bits - 1) - 1), usec=micros)[:room]
    elif level == SOL_SOCKET and option == SO_PEERCRED and len(result) >= 4:
        pid = struct.unpack("=i", result[:4])[0]
        result = struct.pack("=i", task.process.pids.guest(pid)) + result[4:]
    task.space.write(address, result if timeval else swap_option(abi, level, option, result))
    task.space.write_u32(length, len(result))
    return 0
