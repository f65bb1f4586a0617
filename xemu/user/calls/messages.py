"""System V shared memory, semaphores and message queues, POSIX message queues: not offered yet.

Programs that ask get ENOSYS, as from a kernel built without them.
"""

from __future__ import annotations

from errno import ENOSYS
from typing import Any

from xemu.user.rows import call

_CALLS = {
    "shmget": "int size int", "shmat": "int ptr int", "shmdt": "ptr", "shmctl": "int int ptr",
    "semget": "int int int", "semop": "int ptr size", "semctl": "int int int ptr", "semtimedop": "int ptr size ptr",
    "msgget": "int int", "msgsnd": "int ptr size int", "msgrcv": "int ptr size long int", "msgctl": "int int ptr",
    "mq_open": "str int mode ptr", "mq_unlink": "str", "mq_timedsend": "int ptr size uint ptr",
    "mq_timedreceive": "int ptr size ptr ptr", "mq_notify": "int ptr", "mq_getsetattr": "int ptr ptr",
}  # fmt: skip


def _refuse(name: str, words: str) -> None:
    names = ", ".join("abcdef"[: len(words.split())])
    scope: dict[str, Any] = {}
    exec(f"def run(task, {names}):\n    return {-ENOSYS}\n", scope)
    call(f"{name} {words}")(scope["run"])


for _name, _words in _CALLS.items():
    _refuse(_name, _words)
