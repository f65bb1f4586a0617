"""Why serving ended."""

from __future__ import annotations

DETACHED = "detached"
LEFT = "the debugger has left"
KILLED = "killed"
ENDED = "the program has ended"
CLOSED = "closed"
