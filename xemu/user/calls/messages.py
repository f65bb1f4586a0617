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
from xemu.user.rows import call, memory_reader
from xemu.user.task import Inner, Wait

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


def _give(task: Task, address: int, name: str, data: bytes, **values: int) -> None:
    """Write a struct of the guest: the permissions that the host's begins with, and values."""
    permissions = zip(("key", "uid", "gid", "cuid", "cgid", "mode", "seq"), _HOST_PERM.unpack_from(data), strict=True)
    layout = task.process.abi.layouts[name]
    mask = (1 << task.process.abi.bits) - 1
    task.space.write(address, layout.pack(**dict(permissions), **{n: v if n.endswith("time") else v & mask for n, v in values.items()}))


def _at(data: bytes, *offsets: int) -> tuple[int, ...]:
    return tuple(struct.unpack_from("=Q", data, offset)[0] for offset in offsets)


@call("shmctl int int ptr")
def shmctl(task: Task, identifier: int, command: int, address: int) -> int:
    """shmctl(2): remove, show, set."""
    command &= ~IPC_64
    data = ctypes.create_string_buffer(256)
    if command == IPC_STAT:
        result = host.shmctl(identifier, command, data)
        size, atime, dtime, ctime = _at(data.raw, 48, 56, 64, 72)
        cpid, lpid, count = struct.unpack_from("=iiQ", data.raw, 80)
        guest = task.process.pids.guest
        _give(task, address, "shmid_ds", data.raw, size=size, atime=atime, dtime=dtime, ctime=ctime, cpid=guest(cpid), lpid=guest(lpid),
              nattch=count)
        return result
    return _control(task, lambda: host.shmctl(identifier, command, data), data, command, address)


def _control(task: Task, run: Callable[[], int], data: Any, command: int, address: int) -> int:
    if command == IPC_SET:
        layout = task.process.abi.layouts["shmid_ds"]
        wanted = layout.unpack(task.space.read(address, layout.size))
        data[: _HOST_PERM.size] = _HOST_PERM.pack(wanted.key, wanted.uid, wanted.gid, wanted.cuid, wanted.cgid, wanted.mode, wanted.seq)
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
    codes = task.process.abi.layouts["sembuf"].struct
    operations = list(codes.iter_unpack(task.space.read(address, codes.size * count)))
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
            otime, ctime = _at(status, 48, 64 if _X86 else 56)
            _give(task, argument, "semid_ds", status, otime=otime, ctime=ctime, nsems=count)
            return 0
        values = ctypes.create_string_buffer(2 * count)
        if command == SETALL:
            values.raw = task.process.abi.swapped(f"{count}H", task.space.read(argument, 2 * count))
        result = host.semctl(identifier, number, command, ctypes.addressof(values))
        if command == GETALL:
            task.space.write(argument, task.process.abi.swapped(f"{count}H", values.raw))
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
    """msgsnd(2): the type is a long, 8 bytes for the host."""
    if size > MAX_MESSAGE:
        return -EINVAL
    kind = task.process.abi.layouts["long"].struct
    raw = task.space.read(address, kind.size + size)
    data = struct.pack("=q", kind.unpack_from(raw)[0]) + raw[kind.size :]

    def attempt() -> int:
        return host.msgsnd(identifier, data, size, flags | IPC_NOWAIT)

    return attempt() if flags & IPC_NOWAIT else _until_done(task, attempt, EAGAIN, None)


@call("msgrcv int ptr size long flags:hex", restart=False)
def msgrcv(task: Task, identifier: int, address: int, size: int, kind: int, flags: int) -> Any:
    """msgrcv(2)."""
    if size >> task.process.abi.bits - 1:
        return -EINVAL
    size = min(size, MAX_MESSAGE)
    data = ctypes.create_string_buffer(8 + size)
    layout = task.process.abi.layouts["long"].struct

    def attempt() -> int:
        got = host.msgrcv(identifier, data, size, kind, flags | IPC_NOWAIT)
        task.space.write(address, layout.pack(struct.unpack_from("=q", data.raw)[0]) + data.raw[8 : 8 + got])
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
    stime, rtime, ctime = _at(data.raw, 48, 56, 64)
    guest = task.process.pids.guest
    _give(task, address, "msqid_ds", data.raw, stime=stime, rtime=rtime, ctime=ctime, cbytes=used, qnum=count, qbytes=limit,
          lspid=guest(sender), lrpid=guest(receiver))
    return 0


# --- all of it through one call ------------------------------------------------------------------

# number in the lower half -> name and which of (first, second, third, pointer, fifth) are its arguments
_IPC = {
    1: ("semop", (0, 3, 1)), 2: ("semget", (0, 1, 2)), 3: ("semctl", (0, 1, 2, 5)), 4: ("semtimedop", (0, 3, 1, 4)),
    11: ("msgsnd", (0, 3, 1, 2)), 12: ("msgrcv", (0, 3, 1, 4, 2)), 13: ("msgget", (0, 1)), 14: ("msgctl", (0, 1, 3)),
    21: ("shmat", (0, 3, 1)), 22: ("shmdt", (3,)), 23: ("shmget", (0, 1, 2)), 24: ("shmctl", (0, 1, 3)),
}  # fmt: skip


@call("ipc uint int ulong ulong ptr long")
def ipc(task: Task, what: int, first: int, second: int, third: int, pointer: int, fifth: int) -> Any:
    """ipc(2): the calls above by number (ipc/syscall.c)."""
    version, number = what >> 16, what & 0xFFFF
    if number not in _IPC:
        return -ENOSYS
    name, places = _IPC[number]
    values = [first, second, third, pointer, fifth, 0]
    if name == "semctl":
        values[5] = task.read_word(pointer)
    elif name == "msgrcv" and version == 0:
        values[3], values[4] = task.read_word(pointer), task.read_word(pointer + task.process.abi.word.size)
    function, row = task.process.row_entry(name)
    words = b"".join(task.process.abi.word.pack(values[n] & (1 << task.process.abi.bits) - 1) for n in places)
    result = function(task, *memory_reader(row, task.process.abi)(words, 0))
    if name == "shmat" and isinstance(result, int) and not -4096 < result < 0:
        task.write_word(third, result)
        return 0
    return result if isinstance(result, int) else Inner(result, row)


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
