"""The system calls, by area. Importing a module here registers its rows."""

from __future__ import annotations


def load_rows() -> None:
    """Import every module of rows."""
    from xemu.user.calls import (  # noqa: F401 - imported for their rows
        copies,
        directories,
        files,
        identity,
        locks,
        memory,
        messages,
        misc,
        names,
        old,
        polling,
        processes,
        signals,
        sockets,
        terminal,
        threads,
        timers,
        times,
    )
