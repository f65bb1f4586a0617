"""Traces: what every instruction of a stretch of the past did, found by repeating it one instruction at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.state import ENGINE_BYTES, STATE_HEAD
from xemu.debug.accesses import Access, Accesses
from xemu.debug.arm_frames import EXC_RETURN
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.state import StateLayout
    from xemu.debug.debugger import Debugger
    from xemu.debug.names import Names
    from xemu.debug.stops import Position, Stop

FOLDED = ("Q", "GE", "ITSTATE", "FPNZCV", "FPQC")        # cells that registers worked out of several show


class Step(NamedTuple):
    """One line of a trace: an instruction, or (`note`) something that came between."""

    insns: int               # executed before it
    beat: int
    thread: int
    pc: int
    place: str               # "main+0x12"
    code: bytes
    text: str
    registers: tuple[tuple[str, int], ...]
    accesses: tuple[Access, ...]
    note: str = ""
    transition: int = 0
    old: tuple[int, ...] = ()                # what the registers held before


def _floats(layout: StateLayout) -> list[str]:
    """Return floating-point registers that are parts of wider ones, of which a trace shows nothing."""
    return [f"f{n}" for n in range(32)] if "VSR" in layout.cells else []


class Registers:
    """Finds which registers an instruction has changed, by comparing saved states."""

    def __init__(self, debugger: Debugger) -> None:
        self.system = debugger.system
        layout, target = self.system.engine.target.layout, self.system.engine.target
        self.fields: list[tuple[str, int, int]] = []
        for cell in layout.cells.values():
            if cell.hidden or cell.name in FOLDED or cell.width > 64 or cell.name == "S":
                continue
            for i, name in enumerate(cell.names):
                if not target.is_scratch(cell.name, i):
                    at = STATE_HEAD + cell.at(i) - ENGINE_BYTES
                    self.fields.append((name, at, cell.stride))
        derived = ("cpsr", "xpsr", "fpscr", "eflags", "mxcsr", "cr", "xer", *_floats(target.layout))
        self.worked_out = [name for name in derived if self.system.read_register(name) is not None]
        self.before = b""
        self.values: dict[str, int] = {}

    def start(self) -> None:
        """Remember what is there now."""
        self.before = self.system.engine.state.save()
        self.values = {name: self.system.read_register(name) or 0 for name in self.worked_out}

    def changed(self) -> list[tuple[str, int, int]]:
        """Return names of registers that have changed since, what they held and what they hold."""
        before, now = self.before, self.system.engine.state.save()
        self.before = now
        if before[STATE_HEAD:] == now[STATE_HEAD:]:
            return []
        out = [(name, int.from_bytes(before[at:at + n], "little"), int.from_bytes(now[at:at + n], "little"))
               for name, at, n in self.fields if before[at:at + n] != now[at:at + n]]
        for name in self.worked_out:
            value = self.system.read_register(name) or 0
            if value != self.values[name]:
                out.append((name, self.values[name], value))
                self.values[name] = value
        return out


def trace(debugger: Debugger, names: Names, start: int, end: Position, ending: Stop | None = None) -> Iterator[Step]:
    """Yield what happened from an instruction count on up to a place, both in the debugger's history."""
    system, engine = debugger.system, debugger.system.engine
    registers, accesses = Registers(debugger), Accesses(system)
    debugger.seek(start)
    debugger.history.leave_present()
    engine.quiet(on=True)
    catches, system.catches = system.catches, lambda kind, _number, _name: kind in ("exception", "irq")
    try:
        registers.start()
        while engine.insns < end.insns:
            for text in system.arrive():
                yield _note(debugger, names, text)
                registers.start()
            if engine.insns >= end.insns:
                break
            place, thread, pc = system.position, system.thread, engine.pc
            insns = place.insns
            line = names.line(pc)
            wanted = accesses.before(line) if line is not None else ()
            event = system.run(insns=insns + 1)
            while event.kind is None:
                event = system.run(insns=insns + 1)
            if event.kind in (StopKind.EXCEPTION, StopKind.IRQ) and engine.insns == insns:
                yield _note(debugger, names, event.text)             # of this instruction, which did not happen
                continue
            if engine.insns == insns:
                yield _note(debugger, names, event.text)
                break
            code, text = (line.code, line.text) if line is not None else (b"", "?")
            if pc >= EXC_RETURN and system.arch.endswith("-m"):
                code, text = b"", "exception return"
            changed = registers.changed()
            yield Step(insns, place.beat, thread, pc, names.where(pc), code, text, tuple((name, new) for name, _, new in changed),
                       tuple(accesses.after(wanted)), "", place.transition, tuple(old for _, old, _ in changed))
        if ending is not None and ending.kind.final and system.position.insns >= end.insns:
            system.reach(end)
            line = names.line(engine.pc)
            crashed = line is not None and ending.kind is not StopKind.EXITED
            yield _note(debugger, names, f"{ending.text}: {line.text}" if crashed and line is not None else ending.text)
    finally:
        engine.quiet(on=False)
        system.catches = catches


def _note(debugger: Debugger, names: Names, text: str) -> Step:
    position, pc = debugger.position, debugger.pc
    return Step(position.insns, position.beat, debugger.system.thread, pc, names.where(pc), b"", "", (), (), text, position.transition)


# -- as text -----------------------------------------------------------------------------------------------------------------


def as_text(step: Step) -> str:
    """Return a step as a line for people."""
    place = f"{step.insns:>10}  {step.pc:08x}  {step.place:<24}"
    if step.note:
        return f"{place} -- {step.note}"
    done = [f"{name}={value:x}" for name, value in step.registers]
    done += [f"[{a.address:x}]{'→' if a.kind == 'r' else '←'}{'?' if a.value is None else format(a.value, 'x')}" for a in step.accesses]
    return f"{place} {step.text:<36}  {' '.join(done)}".rstrip()


def as_json(step: Step) -> str:
    """Return a step as one line of JSON."""
    import json

    out: dict[str, Any] = {"insn": step.insns, "beat": step.beat, "thread": step.thread, "pc": step.pc, "symbol": step.place}
    if step.note:
        return json.dumps({**out, "note": step.note})
    out |= {"code": step.code.hex(), "text": step.text, "registers": dict(step.registers)}
    if step.accesses:
        out["memory"] = [{"access": a.kind, "address": a.address, "size": a.size, "value": a.value} for a in step.accesses]
    return json.dumps(out, ensure_ascii=False)


FORMATS = {"text": as_text, "jsonl": as_json}

__all__ = ["FORMATS", "Step", "as_json", "as_text", "trace"]
