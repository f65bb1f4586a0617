"""The system: uname, sysinfo, random bytes, prctl, scheduling parameters, and calls that only check."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, EPERM, ESRCH
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ
from xemu.user import host
from xemu.user.rows import call

if TYPE_CHECKING:
    from xemu.user.task import Task

MASK32 = 0xFFFFFFFF
PER_LINUX32 = 8


@call("uname struct:utsname")
def uname(task: Task, address: int) -> int:
    """uname(2): the host's names with the guest's machine."""
    host_names = os.uname()
    release, version, node = host_names.release, host_names.version, host_names.nodename
    if task.process.clock.virtual:
        release, version, node = "6.1.0", "#1 SMP", "xemu"
    machine = task.process.abi.machine
    if task.process.personality & 0xFF == PER_LINUX32:
        machine = task.process.abi.machine32 or machine
    fields = ("Linux", node, release, version, machine, "(none)")
    task.space.write(address, b"".join(os.fsencode(text)[:64].ljust(65, b"\0") for text in fields))
    return 0


@call("sysinfo struct:sysinfo")
def sysinfo(task: Task, address: int) -> int:
    """sysinfo(2)."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    loads = [int(value * 65536) for value in os.getloadavg()]
    layout = task.process.abi.layouts["sysinfo"]
    unit = 4096 if total > MASK32 and task.process.abi.bits == 32 else 1
    uptime = task.process.clock.monotonic() // 1_000_000_000
    task.space.write(address, layout.pack(
        uptime=uptime, load0=loads[0], load1=loads[1], load2=loads[2], totalram=total // unit,
        freeram=free // unit, procs=len(task.process.tasks), unit=unit,
    ))  # fmt: skip
    return 0


@call("getrandom out:ret size flags:getrandom")
def getrandom(task: Task, address: int, size: int, flags: int) -> int:
    """getrandom(2)."""
    if flags & ~7:
        return -EINVAL
    size = min(size, 0x1FFFFFF)
    task.space.write(address, task.process.clock.entropy(size))
    return size


@call("personality ulong", "hex")
def personality(task: Task, value: int) -> int:
    """personality(2)."""
    old = task.process.personality
    if value != MASK32:
        task.process.personality = value
    return old


# --- prctl --------------------------------------------------------------------------------------

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_NAME = 1, 2, 3, 4, 15, 16
PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_TIMERSLACK, PR_SET_TIMERSLACK = 21, 23, 30, 29
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 36, 37, 38, 39
PR_GET_TID_ADDRESS, PR_SET_VMA = 40, 0x53564D41
_TO_HOST = frozenset((PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS,
                      PR_GET_NO_NEW_PRIVS, PR_GET_TIMERSLACK, PR_SET_TIMERSLACK, PR_GET_SECCOMP))  # fmt: skip


@call("prctl int ulong ulong ulong ulong")
def prctl(task: Task, option: int, a: int, b: int, c: int, d: int) -> int:
    """prctl(2)."""
    process, space = task.process, task.space
    if option == PR_SET_NAME:
        task.comm = space.c_string(a, 16)[:15]
        if task.tid == process.pids.own():
            process.comm = task.comm
            host.set_name(task.comm)
        return 0
    if option == PR_GET_NAME:
        space.write(a, task.comm.ljust(16, b"\0"))
        return 0
    if option == PR_GET_DUMPABLE:
        return process.dumpable
    if option == PR_SET_DUMPABLE:
        process.dumpable = a & 1
        return 0 if a in (0, 1) else -EINVAL
    if option in (PR_GET_PDEATHSIG, PR_GET_CHILD_SUBREAPER):
        import ctypes

        value = ctypes.c_int()
        host.prctl(option, ctypes.addressof(value))
        space.write_u32(a, value.value)
        return 0
    if option == PR_GET_TID_ADDRESS:
        task.write_word(a, task.clear_tid)
        return 0
    if option in _TO_HOST:
        return host.prctl(option, a, b, c, d)
    own = process.abi.prctl(task, option, a)
    return -EINVAL if own is None else own


# --- scheduling ---------------------------------------------------------------------------------


def _known(task: Task, pid: int) -> bool:
    if pid == 0 or pid in task.process.tasks:
        return True
    os.kill(task.process.pids.host(pid), 0)
    return True


@call("sched_yield")
def sched_yield(task: Task) -> int:
    """sched_yield(2)."""
    task.process.scheduler.give_up_turn()
    return 0


@call("sched_getaffinity pid size out:ret")
def sched_getaffinity(task: Task, pid: int, size: int, address: int) -> int:
    """sched_getaffinity(2): one processor, since one thread runs at a time; returns bytes written."""
    _known(task, pid)
    word = task.process.abi.word
    if size < word.size or size & word.size - 1:
        return -EINVAL
    task.write_word(address, 1)
    return word.size


@call("sched_setaffinity pid size in:1")
def sched_setaffinity(task: Task, pid: int, size: int, address: int) -> int:
    """sched_setaffinity(2)."""
    _known(task, pid)
    mask = task.space.read(address, size)
    word = task.process.abi.word.size
    return 0 if task.process.abi.bitmap(mask[:word].ljust(word, b"\0")) & 1 else -EINVAL


@call("sched_getscheduler pid")
def sched_getscheduler(task: Task, pid: int) -> int:
    """sched_getscheduler(2): SCHED_OTHER."""
    return -EINVAL if pid < 0 else 0 if _known(task, pid) else -ESRCH


@call("sched_setscheduler pid int ptr")
def sched_setscheduler(task: Task, pid: int, policy: int, address: int) -> int:
    """sched_setscheduler(2)."""
    return _check_policy(task, pid, policy & ~0x40000000, address)


def _check_policy(task: Task, pid: int, policy: int, address: int) -> int:
    _known(task, pid)
    priority = task.space.read_i32(address)
    if policy in (0, 3, 5):
        return 0 if priority == 0 else -EINVAL
    if policy in (1, 2):
        return -EINVAL if not 1 <= priority <= 99 else 0 if os.geteuid() == 0 else -EPERM
    return -EINVAL


@call("sched_getparam pid ptr")
def sched_getparam(task: Task, pid: int, address: int) -> int:
    """sched_getparam(2)."""
    _known(task, pid)
    task.space.write_u32(address, 0)
    return 0


@call("sched_setparam pid ptr")
def sched_setparam(task: Task, pid: int, address: int) -> int:
    """sched_setparam(2)."""
    return _check_policy(task, pid, 0, address)


@call("sched_get_priority_max int")
def sched_get_priority_max(_task: Task, policy: int) -> int:
    """sched_get_priority_max(2)."""
    return {0: 0, 1: 99, 2: 99, 3: 0, 5: 0, 6: 0}.get(policy, -EINVAL)


@call("sched_get_priority_min int")
def sched_get_priority_min(_task: Task, policy: int) -> int:
    """sched_get_priority_min(2)."""
    return {0: 0, 1: 1, 2: 1, 3: 0, 5: 0, 6: 0}.get(policy, -EINVAL)


def _interval(name: str, layout: str) -> None:
    @call(f"{name} pid out:{layout}")
    def run(task: Task, pid: int, address: int) -> int:
        if pid < 0:
            return -EINVAL
        _known(task, pid)
        task.space.write(address, task.process.abi.layouts[layout].pack(nsec=4_000_000))
        return 0


_interval("sched_rr_get_interval", "timespec")
_interval("sched_rr_get_interval_time64", "timespec64")


@call("ioprio_get int int")
def ioprio_get(_task: Task, _which: int, _who: int) -> int:
    """ioprio_get(2)."""
    return 0


@call("ioprio_set int int int")
def ioprio_set(_task: Task, _which: int, _who: int, _priority: int) -> int:
    """ioprio_set(2)."""
    return 0


@call("getcpu ptr ptr ptr")
def getcpu(task: Task, cpu: int, node: int, _cache: int) -> int:
    """getcpu(2): always the first."""
    for address in (cpu, node):
        if address:
            task.space.write_u32(address, 0)
    return 0


@call("membarrier int uint int")
def membarrier(_task: Task, command: int, flags: int, _cpu: int) -> int:
    """membarrier(2): one thread runs at a time, so every barrier already holds."""
    if command == 0:
        return 0x1FF
    return -EINVAL if flags & ~1 or command & ~0x1FF or command & (command - 1) else 0


# --- what has no effect here, or is refused ------------------------------------------------------


@call("rseq ptr uint int uint")
def rseq(_task: Task, _area: int, _size: int, _flags: int, _signature: int) -> int:
    """rseq(2): not offered; the C library does without."""
    return -ENOSYS


@call("syslog int ptr int")
def syslog(_task: Task, _type: int, _buffer: int, _size: int) -> int:
    """syslog(2): the kernel's log is not the guest's business."""
    return -EPERM


@call("ptrace int pid ptr ptr")
def ptrace(_task: Task, _request: int, _pid: int, _address: int, _data: int) -> int:
    """ptrace(2): not offered."""
    return -EPERM


@call("process_vm_readv pid iov:2 ulong iov:4 ulong ulong")
def process_vm_readv(task: Task, pid: int, local: int, locals_: int, remote: int, remotes: int, flags: int) -> int:
    """process_vm_readv(2) of the process itself."""
    from xemu.user.calls.streams import vector

    if flags:
        return -EINVAL
    if pid not in task.process.tasks:
        return -EPERM
    data = b"".join(bytes(view) for view in vector(task, remote, remotes, READ))
    done = 0
    for view in vector(task, local, locals_, 2):
        piece = data[done : done + len(view)]
        view[: len(piece)] = piece
        done += len(piece)
    return done


@call("set_mempolicy int ptr ulong")
def set_mempolicy(_task: Task, _mode: int, _mask: int, _bits: int) -> int:
    """set_mempolicy(2)."""
    return 0


@call("get_mempolicy ptr ptr ulong ptr ulong")
def get_mempolicy(task: Task, mode: int, _mask: int, _bits: int, _address: int, _flags: int) -> int:
    """get_mempolicy(2): the default policy."""
    if mode:
        task.space.write_u32(mode, 0)
    return 0


@call("kcmp pid pid int ulong ulong")
def kcmp(task: Task, first: int, second: int, kind: int, a: int, b: int) -> int:
    """kcmp(2) for descriptors of this process."""
    if kind != 0 or first not in task.process.tasks or second not in task.process.tasks:
        return -EPERM
    return host.syscall("kcmp", os.getpid(), os.getpid(), 0, task.fds.host(a), task.fds.host(b))


def _refused(name: str, words: str, error: int) -> None:
    count = len(words.split())
    names = "abcdef"[:count]
    scope: dict[str, Any] = {}
    source = f"def run(task{''.join(', ' + n for n in names)}):\n    return {-error}\n"
    exec(source, scope)
    call(f"{name} {words}".strip())(scope["run"])


for _name, _words, _error in (
    ("bpf", "int ptr uint", EPERM), ("seccomp", "uint uint ptr", EINVAL), ("perf_event_open", "ptr pid int int ulong", EPERM),
    ("add_key", "str str ptr size int", ENOSYS), ("request_key", "str str str int", ENOSYS),
    ("keyctl", "int ulong ulong ulong ulong", ENOSYS), ("io_setup", "uint ptr", ENOSYS), ("io_uring_setup", "uint ptr", ENOSYS),
    ("userfaultfd", "int", EPERM), ("pkey_alloc", "uint ulong", EINVAL), ("acct", "ptr", EPERM), ("reboot", "int int uint ptr", EPERM),
    ("sethostname", "str size", EPERM), ("setdomainname", "str size", EPERM), ("swapon", "path int", EPERM), ("swapoff", "path", EPERM),
    ("init_module", "ptr ulong str", EPERM), ("delete_module", "str uint", EPERM), ("quotactl", "int path int ptr", ENOSYS),
    ("vhangup", "", EPERM), ("unshare", "flags:hex", EPERM), ("setns", "fd int", EPERM),
    ("name_to_handle_at", "dirfd path ptr ptr int", 95),
    ("open_by_handle_at", "fd ptr int", EPERM), ("fanotify_init", "uint uint", EPERM), ("uselib", "path", ENOSYS),
    ("lookup_dcookie", "u64 ptr size", EPERM), ("kexec_load", "ulong ulong ptr ulong", EPERM), ("nfsservctl", "int ptr ptr", ENOSYS),
):  # fmt: skip
    _refused(_name, _words, _error)
