"""Motions by key: steps that are typed faster than they are made wait for their turn."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xemu.tui.app import Debug

STEPS = {"step", "next", "step_instruction", "next_instruction", "finish"}       # short ones, after which the next may follow
MOST = 20                # that wait


class Motions:
    """What is being done, and what comes after it."""

    def __init__(self, app: Debug) -> None:
        self.app = app
        self.doing = ""
        self.waiting: deque[tuple[str, dict[str, Any]]] = deque()

    def ask(self, what: str, **arguments: Any) -> None:
        """Move the guest, now or after the steps that are being made."""
        if not self.doing:
            self.doing = what                        # at once: the next key may be there before the work begins
            self.app.go(self._do(what, arguments))
        elif self.doing not in STEPS:
            self.app.say("the guest is running; Ctrl-C pauses it", error=True)
        elif len(self.waiting) < MOST:
            self.waiting.append((what, arguments))

    def forget(self) -> None:
        """Nothing follows: somebody pauses, or the guest has stopped for a reason of its own."""
        self.waiting.clear()

    async def _do(self, what: str, arguments: dict[str, Any]) -> None:
        self.doing = what
        try:
            await self.app.client.do(what, **arguments)
        except BaseException:
            self.forget()
            raise
        finally:
            self.doing = ""
        if self.app.stop is None or self.app.stop.kind != "step":
            self.forget()
        if self.waiting:
            following, more = self.waiting.popleft()
            await self._do(following, more)
