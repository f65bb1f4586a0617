"""--strace: every system call as a line, formatted from its row."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

from xemu.core.memory import GuestFault
from xemu.user import signals as sig
from xemu.user.strace_names import ERRNO, FLAGS, FUTEX, OWN, SIGNALS, SOCKTYPES, VALUES
from xemu.user.task import KEEP, ProcessExit

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.user.process import Process
    from xemu.user.rows import Row
    from xemu.user.signals import SigInfo
    from xemu.user.task import Task

STRING_LIMIT = 32
LIST_LIMIT = 12
AT_FDCWD = -100
EARLY = frozenset(("execve", "execveat", "exit", "exit_group", "rt_sigreturn", "sigreturn"))  # nothing to wait for

CARRIERS = frozenset(("socketcall", "ipc"))  # another call's line stands for them


class Strace:
    """Prints the calls of one process; sits between the run loop and the functions."""

    def __init__(self, process: Process) -> None:
        """Write to the process' log descriptor."""
        self.process = process
        self._open: dict[Task, tuple[Row, tuple[int, ...]]] = {}

    def wrap(self, table: list[Any]) -> list[Any]:
        """Return a dispatch table whose functions print."""
        return [entry and self._wrapped(entry) for entry in table]

    def wrap_private(self, table: dict[int, Any]) -> dict[int, Any]:
        """The same for the calls outside the ordinary numbers."""
        return {number: self._wrapped(entry) for number, entry in table.items()}

    def _wrapped(self, entry: Any) -> Any:
        function, unpack, row = entry
        return entry if row.name in CARRIERS else (self.printing(row, function), unpack, row)

    def printing(self, row: Row, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call's function that prints it."""
        early = row.name in EARLY

        def run(task: Task, *arguments: int) -> Any:
            before = self._call_text(task, row, arguments) if early else ""
            try:
                result = function(task, *arguments)
            except OSError as error:
                result = -(error.errno or 22)
            except GuestFault:
                result = -14
            except (OverflowError, ValueError):
                result = -22
            except ProcessExit:
                self._print(task, f"{before or self._call_text(task, row, arguments)} = ?")
                raise
            if result.__class__ is int or result is KEEP:
                self._print(task, f"{before or self._call_text(task, row, arguments, result)} = {self._result(row, result)}")
            else:
                self._open[task] = (row, arguments)
            return result

        return run

    def finished(self, task: Task, row: Row, result: Any) -> None:
        """Print a call that had to wait."""
        opened = self._open.pop(task, None)
        if opened is None:
            return
        text = "? ERESTART (interrupted)" if result is None else self._result(row, result)
        number = result if isinstance(result, int) else -1
        self._print(task, f"{self._call_text(task, *opened, number)} = {text}")

    def signal(self, task: Task, info: SigInfo) -> None:
        """Print a signal that is delivered."""
        more = f", si_addr={info.values[0]:#x}" if info.form == "fault" and info.values else ""
        self._print(task, f"--- {sig.name_of(info.signo)} {{si_code={info.code}{more}}} ---")

    def _print(self, task: Task, text: str) -> None:
        line = f"{task.tid} {text}\n" if self.process.is_child or len(self.process.tasks) > 1 else text + "\n"
        os.write(self.process.log_fd, line.encode("utf-8", "backslashreplace"))

    # --- formatting -----------------------------------------------------------------------------

    def _result(self, row: Row, result: Any) -> str:
        if result is KEEP or result is None:
            return "?"
        if -4096 < result < 0:
            return f"-1 {ERRNO.get(-result, -result)} ({os.strerror(-result)})"
        return f"{result:#x}" if row.result == "hex" else str(result)

    def _call_text(self, task: Task, row: Row, arguments: tuple[int, ...], result: Any = None) -> str:
        parts = []
        for index, value in enumerate(arguments):
            kind, detail = row.types[index], row.details[index]
            if detail == "optional" and kind == "mode" and not arguments[index - 1] & 0o100:
                continue
            try:
                parts.append(self._argument(task, kind, detail, value, arguments, result))
            except (GuestFault, struct.error, ValueError):
                parts.append(f"{value & (1 << self.process.abi.bits) - 1:#x}")
        return f"{row.name}({', '.join(parts)})"

    def _argument(self, task: Task, kind: str, detail: str, value: int, arguments: tuple[int, ...], result: Any) -> str:
        method = _FORMATS.get(kind)
        if method is not None:
            return str(method(self, task, detail, value, arguments, result))
        if kind in ("hex", "ptr", "lflags", "set"):
            return f"{value:#x}" if value else "NULL" if kind in ("ptr", "set") else "0"
        return str(value)

    def _path(self, task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        return _quote(task.space.c_string(value, 4096), 4096) if value else "NULL"

    def _bytes(self, task: Task, detail: str, value: int, arguments: Any, result: Any) -> str:
        if not value:
            return "NULL"
        if detail == "ret":
            length = result
        elif detail.isdigit():
            length = arguments[int(detail)] if int(detail) < len(arguments) else 0
        else:
            return self._struct(task, detail, value, arguments, result)
        if not isinstance(length, int) or length < 0:
            return f"{value:#x}"
        data = task.space.read(value, min(length, STRING_LIMIT + 1))
        return _quote(data, STRING_LIMIT)

    def _out(self, task: Task, detail: str, value: int, arguments: Any, result: Any) -> str:
        if detail.isdigit():
            if result is None or result < 0:
                return f"{value:#x}"
            words = struct.unpack(f"{task.process.abi.order}{int(detail) // 4}i", task.space.read(value, int(detail)))
            return "[" + ", ".join(map(str, words)) + "]"
        return self._bytes(task, detail, value, arguments, result)

    def _struct(self, task: Task, detail: str, value: int, _arguments: Any, result: Any) -> str:
        if not value:
            return "NULL"
        layout = self.process.abi.layouts.get(detail) if self.process.abi else None
        if layout is None or (result is not None and result < 0):
            return f"{value:#x}"
        record = layout.unpack(task.space.read(value, layout.size))
        names = ("mode", "size", "ino") if detail in ("stat", "stat64", "statx") else layout.names
        values = {name: getattr(record, name) for name in names}
        sets = {name: self.process.abi.bitmap(data) for name, data in values.items() if isinstance(data, bytes)}
        return "{" + ", ".join(f"{name}={_field(name, field)}" for name, field in (values | sets).items()) + "}"

    def _vector(self, task: Task, detail: str, value: int, arguments: Any, _result: Any) -> str:
        count = arguments[int(detail)]
        layout = task.process.abi.layouts["iovec"].struct
        items = []
        for base, length in layout.iter_unpack(task.space.read(value, min(count, LIST_LIMIT) * layout.size)):
            data = task.space.peek(base, min(length, STRING_LIMIT + 1)) or b""
            items.append(f"{{{_quote(data, STRING_LIMIT)}, {length}}}")
        return "[" + ", ".join(items) + (", ...]" if count > LIST_LIMIT else "]")

    def _strings(self, task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        if not value:
            return "NULL"
        items: list[str] = []
        while pointer := task.read_word(value):
            if len(items) == LIST_LIMIT:
                items.append("...")
                break
            items.append(_quote(task.space.c_string(pointer, 4096), STRING_LIMIT))
            value += task.process.abi.word.size
        return "[" + ", ".join(items) + "]"

    def _flags(self, task: Task, detail: str, value: int, _arguments: Any, _result: Any) -> str:
        abi = task.process.abi
        names = OWN.get(abi.name, FLAGS).get(detail, FLAGS.get(detail))
        if names is None:
            return f"{value:#x}"
        if detail == "open":
            names = names | {bit: name for bit, _, name in abi.open_bits}
        text = ["O_RDONLY"] if detail == "open" and not value & 3 else []
        rest = value
        for bit, name in names.items():
            if bit and value & bit == bit:
                text.append(name)
                rest &= ~bit
        if rest:
            text.append(f"{rest:#x}")
        return "|".join(text) or names.get(0, "0")

    def _enum(self, task: Task, detail: str, value: int, _arguments: Any, _result: Any) -> str:
        if detail == "futex":
            private = "_PRIVATE" if value & 128 else ""
            clock = "|FUTEX_CLOCK_REALTIME" if value & 256 else ""
            return FUTEX.get(value & 127, str(value)) + private + clock
        if detail == "socktype":
            return "|".join([SOCKTYPES.get(value & 15, str(value & 15)), *(n for b, n in FLAGS[detail].items() if value & b)])
        names = OWN.get(task.process.abi.name, VALUES).get(detail) or VALUES.get(detail, {})
        return names.get(value & 0xFFFFFFFF, names.get(value, f"{value:#x}" if detail == "ioctl" else str(value)))

    def _dirfd(self, _task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        return "AT_FDCWD" if value == AT_FDCWD else str(value)

    def _mode(self, _task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        return f"0{value:o}"

    def _signal(self, _task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        return sig.name_of(value) if value > 0 else str(value)

    def _sigset(self, task: Task, _detail: str, value: int, _arguments: Any, _result: Any) -> str:
        if not value:
            return "NULL"
        mask = task.process.abi.bitmap(task.space.read(value, 8))
        if mask.bit_count() > 40:
            return "~[" + " ".join(_short(n) for n in range(1, 65) if not mask >> (n - 1) & 1) + "]"
        return "[" + " ".join(_short(n) for n in range(1, 65) if mask >> (n - 1) & 1) + "]"

    def _sockaddr(self, task: Task, detail: str, value: int, arguments: Any, _result: Any) -> str:
        if not value:
            return "NULL"
        length = arguments[int(detail)]
        data = task.space.read(value, min(length, 128))
        family = int.from_bytes(data[:2], task.space.byteorder)
        if family == 1:
            return f"{{AF_UNIX, {_quote(data[2:].split(bytes(1))[0] or data[2:], 108)}}}"
        if family == 2 and len(data) >= 8:
            return f"{{AF_INET, {'.'.join(map(str, data[4:8]))}:{int.from_bytes(data[2:4], 'big')}}}"
        return f"{{family {family}, {length} bytes}}"


def _short(number: int) -> str:
    return SIGNALS.get(number, f"SIGRT_{number - 32}").removeprefix("SIG")


def _field(name: str, value: Any) -> str:
    if name == "mode":
        return f"0{value:o}"
    if name in ("handler", "restorer", "mask", "flags", "sp", "base"):
        return f"{value:#x}"
    return str(value)


def _quote(data: bytes, limit: int) -> str:
    """Quote as C does, cut after `limit` bytes."""
    text = []
    for byte in data[:limit]:
        if byte in b'"\\':
            text.append("\\" + chr(byte))
        elif 32 <= byte < 127:
            text.append(chr(byte))
        else:
            text.append({10: "\\n", 9: "\\t", 13: "\\r"}.get(byte, f"\\{byte:o}"))
    return '"' + "".join(text) + '"' + ("..." if len(data) > limit else "")


_FORMATS: dict[str, Any] = {
    "path": Strace._path, "str": Strace._path, "in": Strace._bytes, "out": Strace._out, "struct": Strace._struct,  # noqa: SLF001
    "iov": Strace._vector, "argv": Strace._strings, "flags": Strace._flags, "enum": Strace._enum,  # noqa: SLF001
    "dirfd": Strace._dirfd, "mode": Strace._mode, "signal": Strace._signal, "sigset": Strace._sigset,  # noqa: SLF001
    "sockaddr": Strace._sockaddr,  # noqa: SLF001
}  # fmt: skip
