"""Running with all decoded code set aside: what is run meanwhile is decoded anew, and counted, and nothing of it stays.

Debuggers repeat a piece of the past this way. Every instruction counts its executions, in the interpreter; points may be set
that no region notices. Afterwards the code that was decoded and compiled before is there again as it was.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Self

from xemu.core.records import COLD, COLD_FLAGS, COLD_HEAT, PAGE_ENTRY, RECORD, TARGET
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from xemu.core.engine import CodePage, Engine, Exit

WATCH_COUNT = ENGINE_CELLS["watch_count"] // 8
#: the cold part of a record that counts from its first execution on: down from 0
_COUNTING = bytes(COLD_FLAGS) + struct.pack("<I", TARGET)


class Aside:
    """`with Aside(engine) as aside:` run the engine, then ask for `counts`; where there are points nothing is counted."""

    def __init__(self, engine: Engine, points: Iterable[int] = ()) -> None:
        self.engine = engine
        self.points: dict[int, dict[str, int]] = {address: {} for address in points}
        self._changed: list[tuple[int, int]] = []
        self._evaluated: dict[int, int] = {}

    def __enter__(self) -> Self:
        engine, library = self.engine, self.engine.library
        self._pages, self._by_block, self._old_points = engine.pages, engine._by_block, engine.points  # noqa: SLF001  its other half
        self._regions, self._options = library.regions, library.options
        engine.set_position(engine.pc, engine.state.context)
        engine.pages, engine._by_block, engine.points = {}, {}, self.points  # noqa: SLF001
        library.regions, library.options, library.aside = [], library.options._replace(jit=False), True
        self._tables()
        engine.cells[WATCH_COUNT] = 0
        change, evaluate, decoded = engine.code_changed, engine.evaluate_one, library.page_decoded

        def code_changed(address: int, length: int) -> None:
            self._changed.append((address, length))
            change(address, length)

        def evaluate_one(memory: Any = None) -> Exit | None:
            pc, before = engine.pc, engine.insns
            out = evaluate(memory)
            if engine.insns != before:
                self._evaluated[pc] = self._evaluated.get(pc, 0) + 1
            return out

        def page_decoded(page: CodePage) -> None:
            if not self.points:
                self._start_counting(page)
            decoded(page)

        self._space_changed = engine.space.code_changed
        engine.space.code_changed = code_changed
        engine.__dict__.update(code_changed=code_changed, evaluate_one=evaluate_one)
        library.__dict__["page_decoded"] = page_decoded
        self._timed = evaluate if self._options.timing else None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        engine, library = self.engine, self.engine.library
        engine.set_position(engine.pc, engine.state.context)
        known = {page.address for page in self._pages.values()}
        for page in engine.pages.values():
            engine.release_block(page)
            if page.address not in known:
                ctypes.memset(engine.granules + (page.address >> 12) * 8, 0, 8)
                engine.space.mark_code(page.address, code=False)
        engine.pages, engine._by_block, engine.points = self._pages, self._by_block, self._old_points  # noqa: SLF001
        library.regions, library.options, library.aside = self._regions, self._options, False
        engine.space.code_changed = self._space_changed
        del engine.__dict__["code_changed"], engine.__dict__["evaluate_one"], library.__dict__["page_decoded"]
        if self._timed is not None:
            engine.evaluate_one = self._timed  # type: ignore[method-assign]
        self._tables()
        engine.cells[WATCH_COUNT] = 0 if engine.is_quiet else len(engine.watches)
        for page in engine.pages.values():
            engine._mark_code(page.address)  # noqa: SLF001
        for address, length in self._changed:
            engine.code_changed(address, length)

    def _tables(self) -> None:
        """Have native code find the pages that there are now."""
        engine = self.engine
        ctypes.memset(engine._table, 0, engine._table_size * PAGE_ENTRY)  # noqa: SLF001
        for page in engine.pages.values():
            engine._enter_page(page)  # noqa: SLF001
        engine._forget_jumps()  # noqa: SLF001

    @staticmethod
    def _start_counting(page: CodePage) -> None:
        """Have all records of a page count."""
        geometry = page.geometry
        ctypes.memmove(page.block + geometry.cold, _COUNTING * geometry.count, geometry.count * COLD)

    def add_point(self, address: int) -> None:
        """Stop before one more instruction."""
        engine = self.engine
        if address in self.points:
            return
        self.points[address] = {}
        for page in engine.pages.values():
            if page.address == address & ~4095:
                engine._pin_point(page, address)  # noqa: SLF001

    @property
    def counts(self) -> dict[int, int]:
        """How often each instruction was executed. One that crosses a page is decoded each time and counts as once."""
        found = dict(self._evaluated)
        for page in self.engine.pages.values():
            g = page.geometry
            hot = memoryview(ctypes.string_at(page.block, g.count * RECORD)).cast("Q")
            cold = memoryview(ctypes.string_at(page.block + g.cold, g.count * COLD)).cast("I")
            bodies, heats = hot[1::RECORD // 8], cold[COLD_HEAT // 4::COLD // 4]
            for i in range(g.count):
                if bodies[i]:
                    pc = page.address + i * g.unit
                    found[pc] = found.get(pc, 0) + 1 + (-heats[i] & 0xFFFF_FFFF)
        return found


__all__ = ["Aside"]
