"""Watchpoints on registers: the guest is stepped, some 15,000 instructions a second, and its registers are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.stops import Stop, StopKind, WatchHit

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.points import Watchpoint
    from xemu.debug.stops import Position

BREATH = 256             # instructions between looks at what front ends want
SEARCHED = 1_000         # instructions that a search backwards looks through first; doubles while nothing is found
MOST_SEARCHED = 100_000


class RegisterMotions:
    """Running on and back while registers are watched."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger, self.system = debugger, debugger.system

    def forwards(self, insns: int | None = None, beat: int | None = None) -> Stop:
        """Run on while registers are watched: instruction by instruction."""
        debugger, system = self.debugger, self.system
        watch = RegisterWatch(self.debugger)
        debugger.engine.pass_point()
        for count in range(1 << 62):
            before = debugger.position.insns
            if insns is not None and before >= insns:
                return debugger._stop(StopKind.REACHED)  # noqa: SLF001
            event = debugger._advance(before + 1, beat)  # noqa: SLF001
            moved = event.kind is StopKind.REACHED and debugger.position.insns > before
            stop = watch.changed() if moved else debugger._judge(event)  # noqa: SLF001
            if stop is not None:
                return stop
            if count % BREATH == 0:
                debugger.on_slice()
                if system.pausing:
                    system.pausing = False
                    return debugger._stop(StopKind.PAUSE)  # noqa: SLF001
        raise AssertionError

    def backwards(self) -> Stop:
        """Find the last change of a watched register, or stop at a point, before this place: in pieces, forwards."""
        debugger, history = self.debugger, self.debugger.history
        goal, piece = debugger.position, SEARCHED
        while goal.insns > history.first.insns:
            start = max(goal.insns - piece, history.first.insns)
            history.place(history.find_insns(start))
            history.repeat(start)
            begin = debugger.position
            found = self._last_change(goal) if begin < goal else None
            if found is not None:
                history.seek(found.position)
                debugger.stop = Stop(found.kind, found.position, debugger.pc, found.thread, found.points, found.watch, text=found.text)
                return debugger.stop
            goal, piece = begin, min(piece * 2, MOST_SEARCHED)
            debugger.on_slice()
            if self.system.pausing:
                self.system.pausing = False
                return debugger._stop(StopKind.PAUSE)  # noqa: SLF001
        return debugger._to_begin()  # noqa: SLF001

    def _last_change(self, goal: Position) -> Stop | None:
        debugger, system = self.debugger, self.system
        found: Stop | None = None
        watch = RegisterWatch(self.debugger)
        debugger.searching = True
        try:
            while debugger.position < goal:
                before = debugger.position
                event = system.run(insns=before.insns + 1, beat=goal.beat)
                if event.kind is None:
                    continue
                if event.kind is StopKind.REACHED:
                    stop = watch.changed()
                    if debugger.position == before:
                        return found
                    stop = stop and Stop(stop.kind, before, 0, stop.thread, stop.points, stop.watch, text=stop.text)
                elif event.kind.final:
                    return found
                else:
                    stop = debugger._judge(event)  # noqa: SLF001
                    debugger.engine.pass_point()
                if stop is not None and stop.position < goal:
                    found = stop
        finally:
            debugger.searching = False
        return found


class RegisterWatch:
    """The values of watched registers, for each thread."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger, self.system, self.arch = debugger, debugger.system, debugger.source.architecture
        self.points = self.debugger.points.registers()
        self.known: dict[tuple[Watchpoint, int], int | None] = {}
        self.changed()

    def changed(self) -> Stop | None:
        """Compare; return the stop if one has changed."""
        thread = self.system.thread
        for point in self.points:
            now = self.system.read_register(point.register)
            before = self.known.get((point, thread), now)
            self.known[point, thread] = now
            if now == before or before is None or now is None:
                continue
            hits = self.debugger._met([point])  # noqa: SLF001
            if hits is not None:
                old, new = (self.arch.encode(value, max(self.arch.word, (value.bit_length() + 7) // 8)) for value in (before, now))
                return self.debugger._stop(StopKind.WATCHPOINT, f"{point}: {before:#x} → {now:#x}", points=hits,  # noqa: SLF001
                                           watch=WatchHit(point, 0, "w", old, new))
        return None


__all__ = ["RegisterMotions"]
