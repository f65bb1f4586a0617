"""Staging: a row's function runs once against a `Recorder`, and what it does is recorded as effects.

Inside an instruction reads see earlier writes, and all register writes commit together after the last effect that can
fault, whatever order the row says them in. So an instruction that faults has changed no register.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xemu.core import bits
from xemu.core.bits import Bits, bswap, coerce, const, make, mux, zext
from xemu.errors import IsaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.state import Cell, StateLayout


class RegNo:
    """A register number: not a value. It compares with ints, adds a small int, and indexes a register file."""

    __slots__ = ("never", "number")

    def __init__(self, number: Bits | int, never: frozenset[int] = frozenset()) -> None:
        self.number = number
        self.never = never

    def __eq__(self, other: object) -> Bits:  # type: ignore[override]
        if isinstance(other, RegNo):
            return self.as_bits() == other.as_bits()
        if not isinstance(other, int):
            msg = f"a register number is compared with {other!r}"
            raise IsaError(msg)
        if isinstance(self.number, int):
            return const(self.number == other, 1)
        if other in self.never or other >> self.number.width:
            return const(0, 1)
        return self.number == other

    def __ne__(self, other: object) -> Bits:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, n: int) -> RegNo:
        if isinstance(self.number, int):
            return RegNo(self.number + n)
        return RegNo(zext(self.number, 8) + n) if n else self

    def as_bits(self) -> Bits:
        """Return the number itself as an 8-bit value (for the rare row that computes with it)."""
        return const(self.number, 8) if isinstance(self.number, int) else zext(self.number, 8)


@dataclass
class Effect:
    """One step of an instruction that is not a pure value. `pred` is a one-bit Bits, or None for always."""

    pred: Bits | None


@dataclass
class Load(Effect):
    """Read `size` bytes at `addr`; `result` is the node that stands for them (little-endian order applied)."""

    addr: Bits
    size: int
    align: int            # required alignment in bytes (1: any)
    checked: bool         # False: a probe has already checked this range
    result: Bits


@dataclass
class Store(Effect):
    """Write `value` at `addr`."""

    addr: Bits
    size: int
    align: int
    checked: bool
    value: Bits


@dataclass
class CompareStore(Effect):
    """Write `value` at `addr` if it holds `expected`, as one step for other host threads; a probe has checked the range.

    `result` is the one-bit node that says whether it was written (0 where the predicate does not hold).
    """

    addr: Bits
    expected: Bits
    value: Bits
    result: Bits


@dataclass
class Probe(Effect):
    """Fault unless `size` bytes at `addr` can be read (or written)."""

    addr: Bits
    size: Bits | int
    align: int
    write: bool


@dataclass
class Abort(Effect):
    """Give up before anything is committed: an undefined instruction, a breakpoint."""

    kind: str
    number: Bits


@dataclass
class Raise(Effect):
    """Gather the exceptions of a floating-point node (native code: the host's sticky flags do it), or given ones."""

    node: Bits


@dataclass
class Write(Effect):
    """Commit `value` to a register; `index` is an int, or a field in a handler."""

    cell: Cell
    index: int | Bits
    value: Bits


@dataclass
class OnFault(Effect):
    """If a later access of the instruction faults, these registers have these values: it got that far."""

    writes: list[Write]


@dataclass
class Branch(Effect):
    """Continue at `target`; `context`, if given, is the new context word."""

    target: Bits
    context: Bits | None
    kind: str             # "jump", "call", "return"


@dataclass
class Trap(Effect):
    """Leave to the engine after the instruction is complete (system calls)."""

    kind: str
    number: Bits


class FileView:
    """`cpu.R`: a register file inside a row."""

    __slots__ = ("cell", "cpu")

    def __init__(self, cpu: Recorder, cell: Cell) -> None:
        self.cpu, self.cell = cpu, cell

    def __getitem__(self, index: RegNo | int) -> Bits:
        return self.cpu.read(self.cell, index.number if isinstance(index, RegNo) else index)

    def __setitem__(self, index: RegNo | int, value: Bits | int) -> None:
        self.cpu.write(self.cell, index.number if isinstance(index, RegNo) else index, value)


class Environment:
    """Where register values come from while a row is staged. This one: from the state, with constant or field index."""

    def __init__(self) -> None:
        self.serial = 0

    def read(self, cell: Cell, index: int | Bits) -> Bits:
        """Return the value of a register before this instruction."""
        if isinstance(index, int):
            return make("read", cell.width, (), (cell.name, index))
        return make("read", cell.width, (index,), (cell.name, None))


class Recorder:
    """The `cpu` that a row sees. Targets derive from it to name flags and other derived state as properties."""

    #: set by targets: registers whose number 15, say, is the program counter: {file name: (number, offset)}
    pc_register: tuple[str, int] | None = None

    def __init__(self, layout: StateLayout, pc: Bits, length: Bits | int, context: Any, environment: Environment | None = None) -> None:
        set_ = object.__setattr__
        set_(self, "layout", layout)
        set_(self, "pc", pc)                       # address of this instruction
        set_(self, "length", length)               # its length in bytes (in a handler of variable length a field)
        set_(self, "context", context)             # the target's context word as an object of Python ints
        set_(self, "environment", environment or Environment())
        set_(self, "effects", [])
        set_(self, "writes", [])
        set_(self, "branches", [])
        set_(self, "traps", [])
        set_(self, "predicate", None)

    @cached_property
    def next_pc(self) -> Bits:
        """Return the address of the instruction that follows."""
        following: Bits = self.pc + (zext(self.length, self.pc.width) if isinstance(self.length, Bits) else self.length)
        return following

    # -- registers -----------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        cell = self.layout.cells.get(name)
        if cell is None:
            raise AttributeError(_unknown(name, self.layout))
        return FileView(self, cell) if cell.count > 1 else self.read(cell, 0)

    def __setattr__(self, name: str, value: Any) -> None:
        prop = getattr(type(self), name, None)
        if isinstance(prop, property):
            prop.fset(self, value)  # type: ignore[misc]
            return
        cell = self.layout.cells.get(name)
        if cell is None:
            raise AttributeError(_unknown(name, self.layout))
        self.write(cell, 0, value)

    def read(self, cell: Cell, index: int | Bits) -> Bits:
        """Return a register as this instruction sees it now."""
        if isinstance(index, Bits) and index.op == "const":
            index = index.attr
        special = self.special_read(cell, index)
        if special is not None:
            return special
        value = self.environment.read(cell, index)
        for w in self.writes:
            if w.cell.storage != cell.storage:
                continue
            if w.cell is not cell:
                self._refuse_overlap(w, cell, index)
                continue
            same = _same_index(w.index, index)
            if same is False:
                continue
            new = w.value if w.pred is None else mux(w.pred, w.value, value)
            value = new if same is True else mux(same, new, value)
        result: Bits = value
        return result

    def special_read(self, cell: Cell, index: int | Bits) -> Bits | None:  # noqa: ARG002  a hook for targets
        """Return the value of a register that is not stored (ARM's R15), or None."""
        return None

    def _refuse_overlap(self, w: Write, cell: Cell, index: int | Bits) -> None:
        """Reading through another view what this row has just written needs one view for both."""
        if isinstance(w.index, int) and isinstance(index, int):
            a, b = w.cell.at(w.index), cell.at(index)
            if a + w.cell.stride <= b or b + cell.stride <= a:
                return
        msg = f"a row writes {w.cell.name} and then reads {cell.name}, which shares its bytes; use one of them for both"
        raise IsaError(msg)

    def write(self, cell: Cell, index: int | Bits, value: Bits | int) -> None:
        """Record a register write; it commits at the end of the instruction."""
        if isinstance(index, Bits) and index.op == "const":
            index = index.attr
        self.writes.append(Write(self.predicate, cell, index, coerce(value, cell.width)))

    def insns(self) -> Bits:
        """Return how many instructions have run before this one: the time of counters that count them (64 bits)."""
        return make("insns", 64)

    @contextmanager
    def on_fault(self) -> Iterator[None]:
        """What the `with` body writes, registers have only if a later access of the instruction faults."""
        mark = len(self.writes)
        yield
        kept = self.writes[mark:]
        del self.writes[mark:]
        self.effects.append(OnFault(self.predicate, kept))

    # -- memory --------------------------------------------------------------------------------------------------
    def load(self, addr: Bits, size: int, *, align: int = 1, checked: bool = True, big: bool = False) -> Bits:
        """Read `size` bytes (1, 2, 4, 8; 16 after a probe) at `addr`; `align` is what the instruction demands."""
        if checked and any(isinstance(e, Store | CompareStore) for e in self.effects):
            raise IsaError("a row loads what it has not probed after a store: begun again at a fault, it would read what it wrote itself")
        if not checked:
            self._probed(write=False)
        result = make("load", size * 8, (addr,), bits.unique())
        self.effects.append(Load(self.predicate, addr, size, align, checked, result))
        swapped: Bits = bswap(result) if big else result
        return swapped

    def store(self, addr: Bits, value: Bits, *, align: int = 1, checked: bool = True, big: bool = False) -> None:
        """Write `value` (8, 16, 32, 64 bits; 128 after a probe) at `addr`."""
        data = bswap(value) if big else value
        if not checked:
            self._probed(write=True)
        self.effects.append(Store(self.predicate, addr, value.width // 8, align, checked, data))

    def compare_store(self, addr: Bits, expected: Bits, value: Bits, *, big: bool = False) -> Bits:
        """Write `value` (8 to 128 bits) if memory holds `expected`, atomically; return whether. Probe before, aligned to the size."""
        result = make("load", 1, (addr,), bits.unique())
        swapped = (bswap(expected), bswap(value)) if big else (expected, value)
        self._probed(write=True)
        self.effects.append(CompareStore(self.predicate, addr, *swapped, result))
        return result

    def probe(self, addr: Bits, size: Bits | int, *, write: bool = False, align: int = 1) -> None:
        """Fault now unless every byte of addr…addr+size-1 can be accessed; then use checked=False. A size has at most 32 bits."""
        if not isinstance(size, int) and size.width > 32:
            raise IsaError(f"a probe's size has {size.width} bits; 32 are allowed")
        self.effects.append(Probe(self.predicate, addr, size, align, write))

    def _probed(self, *, write: bool) -> None:
        """Raise IsaError unless a probe for such an access has been made."""
        if not any(isinstance(e, Probe) and e.write >= write for e in self.effects):
            raise IsaError(f"a row {'stores' if write else 'loads'} without a check, and without a probe{' for writing' * write} before")

    # -- control -------------------------------------------------------------------------------------------------
    def branch(self, target: Bits, *, context: Bits | None = None, kind: str = "jump") -> None:
        """Continue at `target` after this instruction. `context` is the whole new context word (16 bits)."""
        self.branches.append(Branch(self.predicate, target, context, kind))

    def trap(self, kind: str, number: Bits | int = 0) -> None:
        """Leave to the engine after this instruction ("syscall")."""
        self.traps.append(Trap(self.predicate, kind, coerce(number, 32)))

    def abort(self, kind: str, number: Bits | int = 0) -> None:
        """Leave to the engine instead of this instruction ("undefined", "breakpoint", "align")."""
        self.effects.append(Abort(self.predicate, kind, coerce(number, 32)))

    def raise_flags(self, node: Bits, *, harmless: bool = False) -> None:
        """Gather the exceptions of a floating-point operation, or those that an 8-bit value says.

        They stay if the instruction aborts afterwards. `harmless`: there are none where the predicate does not hold.
        """
        if self.predicate is not None and not harmless:
            msg = "floating point inside `when` would raise its exceptions always; use mux on the operands instead"
            raise IsaError(msg)
        self.effects.append(Raise(None, node))

    @contextmanager
    def _when(self, c: Bits) -> Iterator[None]:
        outer = self.predicate
        if c.op == "const" and c.attr == 0:
            marks = [len(x) for x in (self.effects, self.writes, self.branches, self.traps)]
            yield
            for items, mark in zip((self.effects, self.writes, self.branches, self.traps), marks, strict=True):
                del items[mark:]
            return
        inner: Bits | None = c if outer is None else outer & c
        if c.op == "const":
            inner = outer
        object.__setattr__(self, "predicate", inner)
        object.__setattr__(_current, "cpu", self)
        yield
        object.__setattr__(self, "predicate", outer)


class _Current:
    """The recorder of the staging that is going on (one at a time per process)."""

    cpu: Recorder | None = None


_current = _Current()


def set_current(cpu: Recorder | None) -> None:
    """Make `cpu` the one that `when` talks to."""
    _current.cpu = cpu


def when(c: Bits | bool) -> Any:
    """Predicate the effects of the `with` body: it runs once at staging, always."""
    cpu = _current.cpu
    if cpu is None:
        msg = "`when` is used outside a row"
        raise IsaError(msg)
    if not isinstance(c, Bits):
        c = const(int(bool(c)), 1)
    if c.width != 1:
        msg = f"the condition of when has {c.width} bits; compare it with something"
        raise IsaError(msg)
    return cpu._when(c)  # noqa: SLF001  one mechanism in two spellings


def _same_index(a: int | Bits, b: int | Bits) -> bool | Bits:
    """Return whether two register indices are the same: True, False, or a one-bit value decided at run time."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if a is b:
        return True
    x = const(a, 8) if isinstance(a, int) else zext(a, 8)
    y = const(b, 8) if isinstance(b, int) else zext(b, 8)
    same = x == y
    if same.op == "const":
        return bool(same.attr)
    return same


def _unknown(name: str, layout: StateLayout) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(layout.cells), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"no register {name!r} in {layout.name}{hint}"


__all__ = ["Environment", "Recorder", "RegNo", "bits", "set_current", "when"]
