"""The compiler process: it takes LLVM, its assertions and its time out of the engine. `python -m xemu.core.worker`.

Messages are marshal'd tuples behind a four-byte length, one answer per request. It also writes the cache, so that work
finished after the guest has ended is not lost. End of input ends it.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import sys
from typing import Any

LENGTH = struct.Struct("<I")
ALONE = 10               # seconds a worker goes on for the cache when its engine has ended
LONGEST = 30             # seconds of processor time one request may take: what LLVM cannot digest ends the worker


def send(fd: int, message: Any) -> None:
    """Write a message whole; raises OSError when the other side is gone."""
    data = marshal.dumps(message)
    data = LENGTH.pack(len(data)) + data
    while data:
        data = data[os.write(fd, data):]


def receive(fd: int) -> Any:
    """Read a message; None at the end of input."""
    head = _exactly(fd, LENGTH.size)
    if head is None:
        return None
    body = _exactly(fd, LENGTH.unpack(head)[0])
    return None if body is None else marshal.loads(body)


def _exactly(fd: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def answer(request: tuple[Any, ...], cache: Any) -> Any:
    """Do what a request asks for and remember it on disk."""
    from xemu.core import compiler
    from xemu.targets.registry import get_target

    kind, name, context, tracing = request[:4]
    target = get_target(name)
    if kind == "handlers":
        done = compiler.compile_handlers(target, context, request[4], tracing=tracing)
        cache.append(f"handlers-{context}-{int(tracing)}", done)
        return done
    if kind == "region":
        region = compiler.compile_region(target, context, dict(request[4]), request[5], targets=request[6], points=request[7],
                                         tracing=tracing, cache=cache)
        if region is not None and not request[7]:
            compiler.remember_region(cache, context, dict(request[4]), region, tracing=tracing)
        return None if region is None else (region.blob, region.entries, region.pages, region.inside, region.variants, region.granules)
    if kind == "condition":
        from xemu.core.condition import compile_condition

        return compile_condition(target, request[4])
    if kind == "natives":
        return compiler.natives(target, cache)
    msg = f"unknown request {kind}"
    raise ValueError(msg)


def main() -> None:
    """Serve requests from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from xemu.core.cache import Cache
    from xemu.targets.registry import get_target

    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)                                     # whatever LLVM prints must not reach the answers
    cache, alone = None, False
    while (request := receive(source)) is not None:
        if cache is None:
            cache = Cache(get_target(request[1]), enabled=bool(request[-1]))
        signal.setitimer(signal.ITIMER_PROF, LONGEST)     # its signal is not caught
        try:
            result = (True, answer(request, cache))
        except Exception as e:  # noqa: BLE001  one bad request must not end the worker; the engine goes on interpreting
            if os.environ.get("XEMU_DEBUG"):
                import traceback
                traceback.print_exc(file=sys.stderr)
            result = (False, f"{type(e).__name__}: {e}")
        if not alone:
            try:
                send(sink, result)
            except OSError:                           # the engine is gone: finish for the cache, but not for ever
                alone = True
                signal.alarm(ALONE)                   # nor is this one's
                os.nice(10)


if __name__ == "__main__":
    main()
