"""System V shared memory, semaphores and message queues, on the host's objects. POSIX queues are not offered.

Waiting operations are tried without waiting and again every few milliseconds: these objects cannot be polled.
"""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EAGAIN, EINVAL, ENOMEM, ENOMSG, ENOSYS
from typing import TYPE_CHECKING, Any

from xemu.core.memory import EXEC, PAGE, READ, WRITE
from xemu.user import host
from xemu.user.rows import call
from xemu.user.task import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.task import Task

IPC_NOWAIT, IPC_64 = 0o4000, 0x100
IPC_RMID, IPC_SET, IPC_STAT = 0, 1, 2
SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL = 11, 12, 13, 14, 15, 16, 17
LOOK_AGAIN = 2_000_000  # ns
MAX_MESSAGE = 1 << 16
MAX_OPERATIONS = 500
_HOST_PERM = struct.Struct("=iIIIIHxxHxx")
_PERM = struct.Struct("<iIIIIHxxHxx8x")
_X86 = os.uname().machine == "x86_64"


def shm_size(identifier: int) -> int:
    """Return the size of a shared memory segment."""
    data = ctypes.create_string_buffer(256)
    host.shmctl(identifier, IPC_STAT, data)
    return int(struct.unpack_from("=Q", data.raw, 48)[0])


# --- shared memory ------------------------------------------------------------------------------


@call("shmget int size flags:hex")
def shmget(_task: Task, key: int, size: int, flags: int) -> int:
    """shmget(2)."""
    return host.shmget(key, size, flags)


@call("shmat int ptr flags:hex", "hex")
def shmat(task: Task, identifier: int, address: int, flags: int) -> int:
    """shmat(2): the host's segment is attached inside the guest's window."""
    space, top = task.space, task.process.abi.task_size
    length = (shm_size(identifier) + PAGE - 1) & -PAGE
    if address & (PAGE - 1):
        if not flags & SHM_RND:
            return -EINVAL
        address &= -PAGE
    place = address or space.find_free(length, PAGE, task.process.mmap_top)
    if place is None or place + length > top:
        return -ENOMEM if not address else -EINVAL
    if address and not flags & SHM_REMAP and not space.is_free(place, length):
        return -EINVAL
    prot = READ | (0 if flags & SHM_RDONLY else WRITE) | (EXEC if flags & SHM_EXEC else 0)
    space.map(place, length, prot, shared=True, path=f"/SYSV{identifier:08x}")
    host.shmat(identifier, space.base + place, flags & SHM_RDONLY | SHM_REMAP)
    task.process.segments[place] = length
    return place


@call("shmdt ptr")
def shmdt(task: Task, address: int) -> int:
    """shmdt(2): replacing the mapping detaches the host's segment."""
    length = task.process.segments.pop(address, None)
    if length is None:
        return -EINVAL
    task.space.unmap(address, length)
    return 0


def _perm(data: bytes) -> bytes:
    return _PERM.pack(*_HOST_PERM.unpack_from(data))


def _times(data: bytes, *offsets: int) -> bytes:
    return b"".join(struct.pack("<Q", struct.unpack_from("=Q", data, offset)[0]) for offset in offsets)


@call("shmctl int int ptr")
def shmctl(task: Task, identifier: int, command: int, address: int) -> int:
    """shmctl(2): remove, show, set."""
    command &= ~IPC_64
    data = ctypes.create_string_buffer(256)
    if command == IPC_STAT:
        result = host.shmctl(identifier, command, data)
        size, cpid, lpid, count = *struct.unpack_from("=Q", data.raw, 48), *struct.unpack_from("=iiQ", data.raw, 80)
        guest = task.process.pids.guest
        tail = struct.pack("<iiI8x", guest(cpid), guest(lpid), count)
        task.space.write(address, _perm(data.raw) + struct.pack("<I", size) + _times(data.raw, 56, 64, 72) + tail)
        return result
    return _control(task, lambda: host.shmctl(identifier, command, data), data, command, address)


def _control(task: Task, run: Callable[[], int], data: Any, command: int, address: int) -> int:
    if command == IPC_SET:
        data[: _HOST_PERM.size] = _HOST_PERM.pack(*_PERM.unpack(task.space.read(address, _PERM.size)))
    elif command != IPC_RMID and command not in (11, 12):  # SHM_LOCK, SHM_UNLOCK
        return -EINVAL
    return run()


# --- semaphores ---------------------------------------------------------------------------------


@call("semget int int flags:hex")
def semget(_task: Task, key: int, count: int, flags: int) -> int:
    """semget(2)."""
    return host.semget(key, count, flags)


def _until_done(task: Task, attempt: Callable[[], int], busy: int, limit: int | None) -> Any:
    """Try without waiting, then again and again; `limit` in ns."""
    try:
        return attempt()
    except OSError as error:
        if error.errno != busy:
            raise
    clock = task.process.clock
    deadline = None if limit is None else clock.monotonic() + limit

    def waiting() -> Generator[Wait, Wait, int]:
        while True:
            again = clock.monotonic() + LOOK_AGAIN
            yield Wait(deadline=again if deadline is None else min(again, deadline))
            try:
                return attempt()
            except OSError as error:
                if error.errno != busy:
                    raise
            if deadline is not None and clock.monotonic() >= deadline:
                return -EAGAIN

    return waiting()


def _semop(task: Task, identifier: int, address: int, count: int, limit: int | None) -> Any:
    if not 0 < count <= MAX_OPERATIONS:
        return -EINVAL
    operations = list(struct.iter_unpack("<Hhh", task.space.read(address, 6 * count)))
    wait = not any(flags & IPC_NOWAIT for _, _, flags in operations)
    data = b"".join(struct.pack("=Hhh", number, change, flags | IPC_NOWAIT) for number, change, flags in operations)

    def attempt() -> int:
        return host.semop(identifier, data, count)

    return _until_done(task, attempt, EAGAIN, limit) if wait else attempt()


@call("semop int ptr size", restart=False)
def semop(task: Task, identifier: int, address: int, count: int) -> Any:
    """semop(2)."""
    return _semop(task, identifier, address, count, None)


def _semtimedop(name: str, layout: str) -> None:
    from xemu.user.calls.times import read_time

    @call(f"{name} int ptr size struct:{layout}", restart=False)
    def run(task: Task, identifier: int, address: int, count: int, timeout: int) -> Any:
        return _semop(task, identifier, address, count, read_time(task, timeout, layout) if timeout else None)


_semtimedop("semtimedop", "timespec")
_semtimedop("semtimedop_time64", "timespec64")


def _sem_status(identifier: int) -> bytes:
    data = ctypes.create_string_buffer(256)
    host.semctl(identifier, 0, IPC_STAT, ctypes.addressof(data))
    return data.raw


@call("semctl int int int ptr")
def semctl(task: Task, identifier: int, number: int, command: int, argument: int) -> int:
    """semctl(2)."""
    command &= ~IPC_64
    count_at = 80 if _X86 else 64
    if command in (IPC_STAT, GETALL, SETALL):
        status = _sem_status(identifier)
        count = struct.unpack_from("=Q", status, count_at)[0]
        if command == IPC_STAT:
            ctime = 64 if _X86 else 56
            task.space.write(argument, _perm(status) + _times(status, 48, ctime) + struct.pack("<I8x", count))
            return 0
        values = ctypes.create_string_buffer(2 * count)
        if command == SETALL:
            values.raw = task.space.read(argument, 2 * count)
        result = host.semctl(identifier, number, command, ctypes.addressof(values))
        if command == GETALL:
            task.space.write(argument, values.raw)
        return result
    if command == IPC_SET:
        return -EINVAL
    if command not in (IPC_RMID, GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL):
        return -EINVAL
    result = host.semctl(identifier, number, command, argument)
    return task.process.pids.guest(result) if command == GETPID else result


# --- message queues -----------------------------------------------------------------------------


@call("msgget int flags:hex")
def msgget(_task: Task, key: int, flags: int) -> int:
    """msgget(2)."""
    return host.msgget(key, flags)


@call("msgsnd int ptr size flags:hex", restart=False)
def msgsnd(task: Task, identifier: int, address: int, size: int, flags: int) -> Any:
    """msgsnd(2): the type is a long, 4 bytes for the guest and 8 for the host."""
    if size > MAX_MESSAGE:
        return -EINVAL
    raw = task.space.read(address, 4 + size)
    data = struct.pack("=q", struct.unpack_from("<i", raw)[0]) + raw[4:]

    def attempt() -> int:
        return host.msgsnd(identifier, data, size, flags | IPC_NOWAIT)

    return attempt() if flags & IPC_NOWAIT else _until_done(task, attempt, EAGAIN, None)


@call("msgrcv int ptr size long flags:hex", restart=False)
def msgrcv(task: Task, identifier: int, address: int, size: int, kind: int, flags: int) -> Any:
    """msgrcv(2)."""
    if size >> 31:
        return -EINVAL
    size = min(size, MAX_MESSAGE)
    data = ctypes.create_string_buffer(8 + size)

    def attempt() -> int:
        got = host.msgrcv(identifier, data, size, kind, flags | IPC_NOWAIT)
        task.space.write(address, struct.pack("<i", struct.unpack_from("=q", data.raw)[0]) + data.raw[8 : 8 + got])
        return got

    return attempt() if flags & IPC_NOWAIT else _until_done(task, attempt, ENOMSG, None)


@call("msgctl int int ptr")
def msgctl(task: Task, identifier: int, command: int, address: int) -> int:
    """msgctl(2): remove and show."""
    command &= ~IPC_64
    data = ctypes.create_string_buffer(256)
    if command == IPC_RMID:
        return host.msgctl(identifier, command, data)
    if command != IPC_STAT:
        return -EINVAL
    host.msgctl(identifier, command, data)
    used, count, limit, sender, receiver = struct.unpack_from("=QQQii", data.raw, 72)
    guest = task.process.pids.guest
    tail = struct.pack("<IIIii8x", used, count, limit, guest(sender), guest(receiver))
    task.space.write(address, _perm(data.raw) + _times(data.raw, 48, 56, 64) + tail)
    return 0


# --- POSIX message queues -----------------------------------------------------------------------

_REFUSED = {
    "mq_open": "str int mode ptr", "mq_unlink": "str", "mq_timedsend": "int ptr size uint ptr",
    "mq_timedreceive": "int ptr size ptr ptr", "mq_notify": "int ptr", "mq_getsetattr": "int ptr ptr",
    "mq_timedsend_time64": "int ptr size uint ptr", "mq_timedreceive_time64": "int ptr size ptr ptr",
}  # fmt: skip


def _refuse(name: str, words: str) -> None:
    names = ", ".join("abcdef"[: len(words.split())])
    scope: dict[str, Any] = {}
    exec(f"def run(task, {names}):\n    return {-ENOSYS}\n", scope)
    call(f"{name} {words}")(scope["run"])


for _name, _words in _REFUSED.items():
    _refuse(_name, _words)
