"""What a debugger's guest is in terms of its source: files, lines, call stacks, variables, expressions; live and in the past.

`Source` belongs to one `Debugger` and knows where it stands; `SourceLevel` is the part of `Debugger` that asks it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.location import UnavailableError
from xemu.debug.points import ACCESSES, Breakpoint, Watchpoint
from xemu.debug.rules import Rules, rules_of
from xemu.debug.sources import Sources
from xemu.debug.stops import Stop, StopKind
from xemu.debug.symbols import Module, Modules
from xemu.errors import NotFoundError, UsageError, XemuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xemu.debug.architectures import Architecture
    from xemu.debug.debugger import Debugger
    from xemu.debug.disassembly import Line
    from xemu.debug.expressions import Expression
    from xemu.debug.lines import Place
    from xemu.debug.points import Point
    from xemu.debug.registers import RegisterMotions
    from xemu.debug.stepping import Stepping
    from xemu.debug.stops import Position
    from xemu.debug.syntax import Node
    from xemu.debug.system import Library
    from xemu.debug.unwind import Frame, Unwinding
    from xemu.debug.values import Value, Write
    from xemu.debug.variables import Scope, Variable

#: registers that no DWARF number names, but unwinding and modes need
_FIELD = re.compile(r"\{\{|\}\}|\{(?P<text>[^{}]+?)(?::(?P<form>[xduotcafzs]))?\}")


class Source:
    """Symbols and debug information of what is loaded where the debugger stands."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger, self.system = debugger, debugger.system
        self.problems: list[str] = []                # files that could not be read
        self._known: dict[tuple[str, int], Module | None] = {}
        self._libraries: list[Library] = []
        self._modules = Modules()
        self._looked: Any = None
        self._hidden: tuple[Position, int] | None = None
        self.sources = Sources()                     # files of source code
        self._event: Breakpoint | None = None        # where the loader says that its list has changed

    # -- files -----------------------------------------------------------------------------------------------------------
    @property
    def modules(self) -> Modules:
        """The files that are loaded now."""
        here = self.debugger.position, self.system.live
        if here != self._looked:
            self.refresh()
            self._looked = here
        return self._modules

    @property
    def latest(self) -> Modules:
        """The files as they were found last, for steps in between."""
        return self._modules if self._looked is not None else self.modules

    def refresh(self) -> bool:
        """Look whether other files are loaded than before."""
        found = self.system.libraries()
        if found == self._libraries:
            return False
        self._libraries = found
        opened = [self._open(library) for library in found]
        self._modules = Modules([module for module in opened if module is not None])
        return True

    def _open(self, library: Library) -> Module | None:
        key = library.path, library.bias
        if key not in self._known:
            try:
                self._known[key] = Module.open(library.path, library.bias, library.name or None)
            except XemuError as error:
                self.problems.append(str(error))
                self._known[key] = None
        return self._known[key]

    @property
    def architecture(self) -> Architecture:
        """The instruction set."""
        found = self.latest.architecture
        return found or ARCHITECTURES.get(self.system.arch) or ARCHITECTURES["arm"]

    @property
    def rules(self) -> Rules:
        """What its code looks like."""
        return rules_of(self.architecture.name)

    def listen(self) -> None:
        """Have breakpoints that wait for their place looked at whenever the loader has changed its list."""
        links = getattr(self.system, "link_map", None)
        if self._event is not None or links is None:
            return
        addresses = {self.architecture.code(address) for module in self.modules if (address := self._debug_state(module))}
        if links.changes_at:
            addresses.add(self.architecture.code(links.changes_at))
        if addresses:
            self._event = Breakpoint(owner="libraries", addresses=tuple(sorted(addresses)), condition=LibraryEvent(self),
                                     where="the loader's list")
            self.debugger.points.add(self._event)

    def _debug_state(self, module: Module) -> int:
        """Return the address of the function that glibc's loader calls for debuggers."""
        symbol = module.find("_dl_debug_state") if module.name.rsplit("/", 1)[-1].startswith("ld") else None
        return symbol.address if symbol is not None else 0

    def arrived(self) -> None:
        """Find the places of breakpoints whose files have been loaded. Addresses once found stay."""
        self._looked = None
        if not self.refresh():
            return
        changed = False
        for point in self.debugger.points.by_id.values():
            if isinstance(point, Breakpoint) and point.words:
                try:
                    found = self.addresses(point.words)
                except XemuError:
                    continue
                more = tuple(a for a in found if a not in point.addresses)
                if more:
                    point.addresses += more
                    point.address = point.addresses[0]
                    changed = True
        if changed:
            self.debugger.apply()

    # -- places ----------------------------------------------------------------------------------------------------------
    def addresses(self, where: int | str) -> list[int]:
        """Return the addresses that a place means; XemuError where nothing fits."""
        if isinstance(where, int):
            return [where]
        if not len(self.modules):
            return [self._plain_address(where)]
        try:
            return self.modules.resolve(where)
        except UsageError:
            known = self.system.address_of(where)
            if known is not None:
                return [known]
            if where.startswith("*"):
                return [self.evaluate(where[1:]).integer()]
            raise

    def _plain_address(self, where: str) -> int:
        """Return an address without any file: a number, or a name that the system knows."""
        try:
            return int(where.removeprefix("*"), 0)
        except ValueError:
            found = self.system.address_of(where)
            if found is None:
                raise UsageError(f"no symbol {where!r}") from None
            return found

    def place(self, address: int) -> Place | None:
        """Return the source line of an address."""
        return self.modules.place(address)

    @property
    def hidden(self) -> int:
        """How many inlined calls start where the guest stands and have not been stepped into."""
        return self._hidden[1] if self._hidden is not None and self._hidden[0] == self.debugger.position else 0

    def hide(self, count: int) -> None:
        """Stand in front of some inlined calls that start here."""
        self._hidden = (self.debugger.position, count) if count else None

    def describe(self, pc: int | None = None) -> str:
        """Return a place in words: "main () at kernel.c:88", "malloc+0x8 (libc.so.6)", "0x8000"."""
        here = self.debugger.pc
        pc = here if pc is None else pc
        try:
            module = self.modules.at(pc)
            place = module.place(pc) if module else None
            if module is None or place is None or not place.line:
                return self.modules.where(pc)
            calls, function = module.calls_at(pc), module.source_function(pc)
            if pc == here and 0 < self.hidden <= len(calls):
                call, calls = calls[self.hidden - 1], calls[self.hidden:]
                place = replace(place, file=call.file, line=call.line)
        except (XemuError, *DAMAGE):
            return f"{pc:#x}"
        name = calls[0].name if calls else function.name if function else ""
        return f"{name} () at {place.name}" if name else place.name

    def described(self, stop: Stop) -> Stop:
        """Return a stop whose text says the place in the source. Whoever sets points by addresses has symbols of their own."""
        words = any(getattr(point, "where", "") for point in stop.points)
        if stop.kind is StopKind.BREAKPOINT and words:
            self._hide_calls(stop)
            names = [f"breakpoint {p.id}" if type(p) is Breakpoint else str(p) for p in stop.points]
            stop = replace(stop, text=f"{', '.join(names)}, {self.describe(stop.pc)}")
        elif stop.kind is StopKind.WATCHPOINT and words:
            stop = replace(stop, pc=self.debugger.pc, text=f"{stop.text}, {self.describe()}")
        elif stop.kind is StopKind.STEP:
            stop = replace(stop, text=self.describe(stop.pc))
        self.debugger.stop = stop
        return stop

    def _hide_calls(self, stop: Stop) -> None:
        """Stop in front of inlined calls that start at a function's breakpoint, but not at one for a line or the inlined function."""
        words = [p.words for p in stop.points if isinstance(p, Breakpoint)]
        module = self.modules.at(stop.pc) if words and all(w and ":" not in w for w in words) else None
        count = 0
        for call in module.calls_at(stop.pc) if module is not None else ():
            if call.name in words or not any(start + module.bias == stop.pc for start, _ in call.ranges[:1]):     # type: ignore[union-attr]
                break
            count += 1
        self.hide(count)

    # -- call stacks -------------------------------------------------------------------------------------------------------
    def read_memory(self, address: int, length: int, /) -> bytes | None:
        """Return memory, None where any of it cannot be read."""
        data = self.system.read_memory(address, length)
        return data if len(data) == length else None

    def registers(self, thread: int | None = None) -> dict[str, int]:
        """Return the registers of a thread that debug information can name."""
        names = dict.fromkeys([*self.architecture.dwarf.values(), self.architecture.pc, *self.architecture.status])
        read = self.system.read_register
        found = {name: read(name, thread) for name in names if name[0] != "s" or not name[1:].isdigit()}
        return {name: value for name, value in found.items() if value is not None}

    def frames(self, thread: int | None = None, limit: int = 64) -> list[Frame]:
        """Return a call stack, newest frame first."""
        hidden = self.hidden if thread in (None, self.system.thread) else 0
        found = list(self.unwinding(thread).frames(limit + hidden))
        return [replace(frame, level=frame.level - hidden) for frame in found[hidden:]] if hidden else found

    def unwinding(self, thread: int | None = None) -> Unwinding:
        """Return what finds the frames of a thread."""
        from xemu.debug.unwind import Unwinding

        registers = self.registers(thread)
        if not registers:
            raise UsageError(f"there is no thread {thread}")
        return Unwinding(registers, self.read_memory, self.modules, architecture=self.architecture)

    def frame(self, thread: int | None = None) -> Frame:
        """Return the newest frame."""
        return self.frames(thread, 1)[0]

    # -- values ------------------------------------------------------------------------------------------------------------
    def scope(self, frame: Frame | None = None, thread: int | None = None) -> Scope:
        """Return what names mean in a frame; None: in the newest one."""
        from xemu.debug.variables import Scope

        chosen = frame or self.frame(thread)
        callers = cast("list[Frame]", _Callers(self, chosen, thread))
        return Scope(self.modules, self.read_memory, chosen, callers, architecture=self.architecture,
                     thread_local=lambda module, offset: self._thread_local(module, offset, thread))

    def _thread_local(self, module: Module, offset: int, thread: int | None) -> int | None:
        """Return where a thread-local variable is; None where nobody can say."""
        from xemu.debug.threadlocal import ThreadLocals

        try:
            return ThreadLocals(self).in_module(module, offset, thread)
        except NotFoundError:
            return None

    def evaluate(self, expression: str | Node, frame: Frame | None = None, thread: int | None = None) -> Value:
        """Return the value of a C expression; UsageError."""
        from xemu.debug.evaluate import evaluate

        return evaluate(expression, self.scope(frame, thread))

    def formatted(self, text: str) -> str:
        """Return a text whose {EXPRESSION}s have been replaced by their values; {EXPRESSION:x} for hexadecimal …"""

        def value(match: re.Match[str]) -> str:
            if match["text"] is None:
                return match[0][0]
            try:
                return self.evaluate(match["text"]).text(match["form"] or "")
            except (XemuError, UnavailableError) as error:
                return f"<{error}>"

        return _FIELD.sub(value, text)


class _Callers:
    """The frames above one, unwound when somebody asks for them."""

    def __init__(self, source: Source, frame: Frame, thread: int | None) -> None:
        self.source, self.frame, self.thread = source, frame, thread

    def __iter__(self) -> Iterator[Frame]:
        return iter([f for f in self.source.frames(self.thread, self.frame.level + 8) if f.level > self.frame.level])


class LibraryEvent:
    """The condition of the breakpoint where the loader reports: it never holds, but the debugger has looked."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def evaluate(self, _read_register: Any, _read_memory: Any) -> int:
        """Look; 0."""
        self.source.arrived()
        return 0

    def native(self, _place: Any) -> None:
        """Python has to look each time."""
        return


class SourceLevel:
    """The part of `Debugger` that knows the source: every method works live and in the past."""

    _source: Source | None = None
    _motions: Stepping | None = None

    @property
    def source(self) -> Source:
        """Symbols and debug information."""
        if self._source is None:
            self._source = Source(cast("Debugger", self))
        return self._source

    def thread_local(self, link: int, offset: int, thread: int | None = None) -> int:
        """Return the address of a thread-local variable; `link`: its file's entry in the loader's list, 0: the program. XemuError."""
        from xemu.debug.threadlocal import ThreadLocals

        found = ThreadLocals(self.source)
        return found.at(link, offset, thread) if link else found.in_module(next(iter(self.source.modules)), offset, thread)

    @property
    def motions(self) -> Stepping:
        """What moves by lines and functions."""
        if self._motions is None:
            from xemu.debug.stepping import Stepping

            self._motions = Stepping(cast("Debugger", self))
        return self._motions

    @property
    def register_motions(self) -> RegisterMotions:
        """What moves while registers are watched."""
        from xemu.debug.registers import RegisterMotions

        return RegisterMotions(cast("Debugger", self))

    @property
    def modules(self) -> Modules:
        """The files that are loaded where the guest stands, the program first."""
        return self.source.modules

    # -- looking -----------------------------------------------------------------------------------------------------------
    def backtrace(self, thread: int | None = None, limit: int = 64) -> list[Frame]:
        """Return the call stack of a thread (None: the one that runs), newest frame first."""
        return self.source.frames(thread, limit)

    def locals(self, frame: Frame | None = None, thread: int | None = None) -> list[Variable]:
        """Return parameters and local variables of a frame (None: the newest)."""
        scope = self.source.scope(frame, thread)
        return [*scope.parameters(), *scope.locals()]

    def evaluate(self, expression: str, frame: Frame | None = None, thread: int | None = None) -> Value:
        """Return the value of a C expression in a frame (None: the newest): `.text()`, `.number()`, `.address`. UsageError."""
        return self.source.evaluate(expression, frame, thread)

    def assign(self, expression: str, value: float | str, frame: Frame | None = None, thread: int | None = None) -> Value:
        """Change what an expression names, to a number or the value of another expression; returns it. UsageError.

        In the past another future begins, where that is possible (see `write_memory`).
        """
        from xemu.debug.evaluate import assignment

        scope = self.source.scope(frame, thread)
        writes = assignment(f"{expression} = ({value})", scope) if isinstance(value, str) \
            else self.source.evaluate(expression, frame, thread).assign(value)
        self.store(writes, expression, thread)
        return self.source.evaluate(expression, None if frame is None or frame.innermost else frame, thread)

    def store(self, writes: Sequence[Write], name: str, thread: int | None = None) -> None:
        """Write what changes a value (`Value.assign`); UsageError where that is not possible."""
        debugger = cast("Debugger", self)
        for write in writes:
            done = debugger.write_memory(write.address, write.data) if write.address is not None \
                else debugger.write_register(write.register, write.value, thread)
            if not done:
                raise UsageError(f"{name} cannot be changed")

    def disassemble(self, address: int | str | None = None, count: int = 8) -> list[Line]:
        """Return instructions from an address or place on (None: the next one)."""
        from xemu.debug.disassembly import disassemble

        source, debugger = self.source, cast("Debugger", self)
        start = debugger.pc if address is None else source.addresses(address)[0]
        mode = source.architecture.mode_of(source.registers())
        return disassemble(source.read_memory, start, count, mode, source.modules, source.architecture)

    def source_line(self, pc: int | None = None) -> Place | None:
        """Return the source line of an address (None: of the next instruction)."""
        return self.source.frame().place if pc is None else self.source.place(pc)

    def where(self) -> str:
        """Return the place in words: "main () at kernel.c:88"."""
        return self.source.describe()

    # -- moving ------------------------------------------------------------------------------------------------------------
    def step_line(self, count: int = 1, *, back: bool = False) -> Stop:
        """Go to the beginning of the next line, into functions that have lines; backwards to that of the line before."""
        return self._repeated(count, lambda: self.motions.line(into=True, back=back))

    def next_line(self, count: int = 1, *, back: bool = False) -> Stop:
        """Go to the beginning of the next line of this function or its caller; backwards over calls, too."""
        return self._repeated(count, lambda: self.motions.line(into=False, back=back))

    @staticmethod
    def _repeated(count: int, motion: Callable[[], Stop]) -> Stop:
        stop = motion()
        for _ in range(count - 1):
            if stop.kind is not StopKind.STEP:
                break
            stop = motion()
        return stop

    def finish(self, *, back: bool = False) -> Stop:
        """Run to the end of the function, its value is in `Stop.text`; backwards to the call of it."""
        return self.motions.finish(back=back)

    def until(self, where: int | str | None = None) -> Stop:
        """Run to a place in this frame or to its end; without a place, to a line further down (out of a loop)."""
        return self.motions.until(where)

    def advance(self, where: int | str, *, back: bool = False) -> Stop:
        """Run to a place, whoever comes there, or to the end of this frame; backwards to the last time."""
        return self.motions.advance(where, back=back)

    # -- points ------------------------------------------------------------------------------------------------------------
    def _condition(self, condition: Expression | str | None) -> Expression | None:
        """Take a condition in C."""
        if not isinstance(condition, str):
            return condition
        from xemu.debug.conditions import SourceCondition

        return SourceCondition(self.source, condition)

    def _log_action(self, log: str) -> Callable[[], None]:
        debugger = cast("Debugger", self)
        return lambda: debugger.log(self.source.formatted(log))

    def change(self, point: Point, *, condition: str = "", ignore: int = 0, once: bool = False, thread: int | None = None,
               log: str = "") -> None:
        """Replace what belongs to a point besides its place: of the condition and the log text, "" takes them away. UsageError."""
        from xemu.debug.conditions import check

        known = str(point.condition) if point.condition is not None else ""
        if condition != known:
            if condition and isinstance(point, Breakpoint):
                check(self.source, condition, point.addresses)
            point.condition = self._condition(condition or None)
        if log != point.log:
            point.action, point.log = self._log_action(log) if log else None, log
        point.ignore, point.once, point.thread = ignore, once, thread
        cast("Debugger", self).apply()

    def _watched_place(self, where: int | str, length: int | None, access: str) -> tuple[Watchpoint, Point | None]:
        """Return a watchpoint on an address, expression or register, and what ends it with its frame."""
        from xemu.debug.scopes import watched

        if access not in ACCESSES:
            raise UsageError(f"access {access!r}: it is r, w or a")
        return watched(self.source, where, length, access)


__all__ = ["Source", "SourceLevel"]
