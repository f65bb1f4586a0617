"""The engine's side of the compiler process: start it when first needed, ask, and take answers when they come."""

from __future__ import annotations

import os
import select
import sys
from _signal import (  # type: ignore[import-not-found]  # the C module: `signal` itself costs milliseconds
    SIG_BLOCK,
    SIG_SETMASK,
    SIGKILL,
    SIGPIPE,
    pthread_sigmask,
    sigtimedwait,
)
from collections import deque
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from xemu.core.worker import LENGTH, receive, send
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.cache import Cache

PAUSE = 0.05             # seconds until a dead worker is replaced; doubles with each one that dies without an answer
LONGEST_PAUSE = 5.0
PATIENCE = 12            # workers that may die over one request that the engine cannot do without
F_SETPIPE_SZ = 1031      # Linux, fcntl.h; the module names it from Python 3.10 on, not on every build
HIGH_FD = 900            # descriptors of ours live above what guests use
LOCK_FD = 3              # where a worker holds its lock


class Client:
    """At most one request is with the worker; others wait here, urgent ones first."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.pid = 0
        self.pids: set[int] = set()       # workers that have not been waited for
        self.to = self.back = -1
        self.waiting: deque[tuple[tuple[Any, ...], Callable[[Any], None]]] = deque()
        self.current: Callable[[Any], None] | None = None
        self.leaving = False
        self.failures = 0                 # workers that died since the last answer
        self.not_before = 0.0             # when the next worker may start

    @property
    def busy(self) -> bool:
        """Return whether a request is under way or waiting."""
        return self.current is not None or bool(self.waiting)

    # -- the process -------------------------------------------------------------------------------------------------
    def _start(self, lock: int | None = None) -> None:
        """Start the worker with pipes on its standard input and output; it holds `lock` as long as it lives."""
        request_read, request_write = os.pipe2(os.O_CLOEXEC)
        answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
        self.to, self.back = _high(request_write), _high(answer_read)
        environment = dict(os.environ)
        package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        environment["PYTHONPATH"] = os.pathsep.join([package_root, *filter(None, [environment.get("PYTHONPATH")])])
        for name in ("LD_PRELOAD", "LD_LIBRARY_PATH"):
            environment.pop(name, None)
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, request_read, 0), (os.POSIX_SPAWN_DUP2, answer_write, 1)]
        if not os.environ.get("XEMU_DEBUG"):
            actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
        if lock is not None:
            actions.append((os.POSIX_SPAWN_DUP2, lock, LOCK_FD))
        try:
            self.pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "xemu.core.worker"], environment,
                                      file_actions=actions, setpgroup=0, setsigmask=[])
            self.pids.add(self.pid)
        except OSError as e:
            msg = f"cannot start the compiler process: {e.strerror}"
            raise XemuError(msg) from e
        finally:
            os.close(request_read)
            os.close(answer_write)

    def _stop(self) -> None:
        """Let go of the worker; it ends by itself when its input ends."""
        for fd in (self.to, self.back):
            if fd >= 0:
                os.close(fd)
        self.to = self.back = -1
        self.pid = 0
        for pid in list(self.pids):
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self.pids.discard(pid)

    def __del__(self) -> None:
        self._stop()

    def forget(self) -> None:
        """Drop the parent's worker in a forked child."""
        self.pids.clear()
        self._stop()
        self.waiting.clear()
        self.current = None

    # -- requests ----------------------------------------------------------------------------------------------------
    def ask(self, request: tuple[Any, ...], done: Callable[[Any], None], *, urgent: bool = False) -> None:
        """Ask the worker; `done` is called from `poll` with the answer: () if it could not do it, None if it died."""
        if self.leaving:
            try:
                self._write(request)
            except OSError:                           # it has enough to do, or is gone
                self._stop()
        elif urgent:
            self.waiting.appendleft((request, done))
        else:
            self.waiting.append((request, done))
        if not self.leaving:
            self._send_next()

    def _send_next(self) -> None:
        while self.current is None and self.waiting and (self.pid or monotonic() >= self.not_before):
            request, self.current = self.waiting.popleft()
            try:
                if not self.pid:
                    self._start()
                self._write(request)
            except (OSError, XemuError):
                self._died()

    def _write(self, request: tuple[Any, ...]) -> None:
        """Write a request; a worker that is gone is an OSError, not the guest's SIGPIPE."""
        mask = pthread_sigmask(SIG_BLOCK, {SIGPIPE})
        try:
            send(self.to, (*request, bool(self.cache.directory)))
        except BrokenPipeError:
            sigtimedwait({SIGPIPE}, 0)
            raise
        finally:
            pthread_sigmask(SIG_SETMASK, mask)

    def _died(self) -> None:
        """The worker is gone: its request failed; the next one starts another."""
        self.failures += 1
        self.not_before = monotonic() + min(PAUSE * 2 ** (self.failures - 1), LONGEST_PAUSE)
        self._stop()
        done, self.current = self.current, None
        if done is not None:
            done(None)

    def poll(self, timeout: float | None) -> None:
        """Take an answer if there is one within `timeout` seconds (None: wait for it)."""
        if self.current is None:
            self._send_next()
        if self.current is None:
            return
        waiter = select.poll()                            # select() knows descriptors below 1024 only
        waiter.register(self.back, select.POLLIN)
        if not waiter.poll(None if timeout is None else timeout * 1000):
            return
        try:
            message = receive(self.back)
        except (OSError, ValueError, EOFError):
            message = None
        if message is None:
            self._died()
        else:
            self.failures = 0
            done, self.current = self.current, None
            done(message[1] if message[0] else ())
        self._send_next()

    def leave(self) -> None:
        """From now on only send, first what waits: nobody reads the answers any more."""
        os.close(self.back)
        self.back = -1
        self.leaving = True
        with suppress(OSError):
            fcntl(self.to, F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.to, False)
        while self.waiting and self.pid:
            self.ask(*self.waiting.popleft())

    def leave_word(self, requests: list[tuple[Any, ...]]) -> None:
        """Have requests done after this process has ended, for the cache; one process at a time may, and not twice for the same."""
        self.kill()
        claimed = self.cache.claim("word", requests)
        if claimed is None:
            return
        lock = _high(claimed)
        with suppress(OSError, XemuError):
            self._start(lock)
            self.leave()
            for request in requests:
                self.ask(request, _ignore)
            self.finish()
        os.close(lock)

    def finish(self) -> None:
        """Let the worker end when it has done what it was sent."""
        self._stop()

    def kill(self) -> None:
        """End the worker now."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        self._stop()

    def wait(self) -> None:
        """Wait until nothing is under way or waiting."""
        while self.busy:
            if self.current is None:
                sleep(max(0.0, self.not_before - monotonic()))
            self.poll(None)

    def ask_now(self, request: tuple[Any, ...], meanwhile: Callable[[], Any]) -> Any:
        """Ask, do something else, and wait; raises XemuError if no worker can answer."""
        answers: list[Any] = []
        for _ in range(PATIENCE):
            self.ask(request, answers.append, urgent=True)
            meanwhile()
            self.wait()
            if answers and answers[-1]:
                return answers[-1]
        msg = "the compiler process fails; run with XEMU_DEBUG=1 to see why"
        raise XemuError(msg)


def _ignore(_answer: Any) -> None:
    """Take an answer that comes too late for anybody."""


def _high(fd: int) -> int:
    """Move a descriptor out of the way of guests."""
    try:
        new = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD)
    except OSError:
        return fd
    os.close(fd)
    return new


__all__ = ["LENGTH", "Client"]
