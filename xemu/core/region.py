"""Regions: a piece of control flow staged with constant fields and compiled as one function.

A region has the signature of a handler and is reached by the same dispatch. Registers live in SSA inside. A failed check
leaves it: registers are stored and the plain handler of that very instruction goes on. The budget is exact: it drops
block by block, and entering (or going round a loop) needs as much as the longest way to the next check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core import decoder, host, spans
from xemu.core.bits import Bits, cat, const, extract, make, mux, new_graph, unique
from xemu.core.handlers import InstructionEmitter, stage_handler
from xemu.core.instruction import ALWAYS, condition_of
from xemu.core.isa import constant_arguments, run_row
from xemu.core.lower import CONVENTION, LIKELY, SIGNATURE, STATE
from xemu.core.lower_extended import is_native
from xemu.core.record import Abort, Environment, Load, OnFault, Probe, Recorder, Store, set_current, when
from xemu.core.softnumber import QUIETLY
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.decoder import Decoded
    from xemu.core.isa import Variant
    from xemu.core.state import Cell
    from xemu.core.target import IsaSet, Target

LIMIT = 120              # instructions of a region
INLINE = 48              # instructions of a function that is taken into its callers' regions
NEAR = 4096              # bytes from an indirect jump within which known branch targets are taken for its own
MOST_TARGETS = 64        # targets an indirect jump compares with
MOST_EDGES = 256         # indirect jumps times targets; a region with more compares in one place
MOST_LINES = 15_000      # of LLVM text, far above what LIMIT instructions take; compile times grow faster than it
PAGE = 4096
SPILL = "; vector registers"
GENERAL = 64             # the widest of those that are kept as integers
VECTOR = 128             # registers of this width are kept in floating-point types
FLOATS = {32: "float", 64: "double"}
PAIR = "<2 x i64>"       # 128 bits as a value: as one integer LLVM would keep them in two general registers


VECTOR_TYPE = re.compile(r"%\w+#\d+")


def vector_type(storage: str, element: int) -> str:
    """Return what stands for the type of a whole vector register until it is known."""
    return f"%{storage}#{element}"


@dataclass
class Code:
    """The guest bytes a region may be made from: whole pages by address."""

    pages: dict[int, bytes]

    def fetch(self, pc: int, size: int) -> int | None:
        """Return `size` bytes as a number, or None outside."""
        page = self.pages.get(pc & -PAGE)
        at = pc & (PAGE - 1)
        if page is None or at + size > PAGE:
            return None
        return int.from_bytes(page[at:at + size], "little")


@dataclass
class Insn:
    """One instruction of a region."""

    pc: int
    decoded: Decoded
    guard: int
    flow: str = ""                     # "": falls through; "branch", "leave" (let the interpreter do it)
    targets: list[int] = field(default_factory=list)       # direct targets inside or outside
    falls: bool = True                 # may continue at the next instruction
    next_guard: int = 0
    call: bool = False
    kind: str = ""                     # of an indirect branch: "jump", "call", "return"


@dataclass
class Block:
    """Instructions that run one after the other."""

    start: int
    insns: list[Insn] = field(default_factory=list)
    successors: list[int] = field(default_factory=list)
    longest: int = 0


class Shape(NamedTuple):
    """What all encodings of a variant have in common."""

    branches: bool           # may branch
    leave: bool              # must leave to the interpreter
    guard: bool              # changes the guard
    quiet: bool              # does floating point that raises nothing


_shapes: dict[tuple[str, int, int], Shape] = {}


def shape(variant: Variant, target: Target, context: int) -> Shape:
    """Return what all encodings of a variant have in common."""
    key = (variant.row.isa.name, variant.index, context)
    known = _shapes.get(key)
    if known is None:
        cpu = stage_handler(variant, target.context(context), target.layout, target.address_bits)
        leave = bool(cpu.traps) or any(isinstance(e, Abort) and e.pred is None for e in cpu.effects) or only_interpreted(cpu)
        guard = target.iset(context).guard
        quiet = target.layout.quiet and _has(cpu, lambda node: node.op == "fp" and node.attr[3] in QUIETLY)
        known = _shapes[key] = Shape(bool(cpu.branches), leave, any(w.cell.name == guard for w in cpu.writes), quiet)
        new_graph()
    return known


def only_interpreted(cpu: Recorder) -> bool:
    """Return whether regions leave an instruction to the interpreter.

    It reads the host's floating-point exceptions or the count of instructions, or computes with numbers that the host does not have.
    """
    return _has(cpu, lambda node: node.op in ("hostflags", "insns", "decimal") or (node.op == "extended" and not is_native(node.attr)))


def _has(cpu: Recorder, wanted: Callable[[Bits], bool]) -> bool:
    """Return whether a node of what an instruction writes is wanted."""
    seen: set[int] = set()

    def visit(node: Bits) -> bool:
        if node.id in seen:
            return False
        seen.add(node.id)
        return wanted(node) or any(visit(a) for a in node.args)
    return any(visit(w.value) for w in cpu.writes)


class Discovery:
    """Walks the control flow from a head."""

    def __init__(self, target: Target, context: int, code: Code, tries: decoder.Tries, targets: list[int] | None = None,
                 points: list[int] | None = None) -> None:
        self.target, self.context, self.code, self.tries = target, context, code, tries
        self.targets = targets or []           # addresses that branches were seen to go to
        self.points = frozenset(points or ())  # instructions that are not for regions: somebody wants to see them first
        self.indirect: set[int] = set()        # those that an indirect jump of the region may go to
        self.iset: IsaSet = target.iset(context)
        self.insns: dict[int, Insn] = {}
        self.returns: set[int] = set()

    def decode(self, pc: int, guard: int) -> Decoded | None:
        """Return the instruction at pc, if its bytes are known and have a row, and no point is set there."""
        if pc in self.points:
            return None
        return decoder.decode(self.iset, self.tries, self.code.fetch, pc, guard)

    def walk(self, head: int, limit: int = LIMIT) -> None:
        """Collect instructions, the nearest first; then small functions that are called."""
        calls = self._collect([(head, 0)], limit)
        while calls:
            target = calls.pop(0)
            if target in self.insns or len(self.insns) + INLINE > limit:
                continue
            before, returns, indirect = dict(self.insns), set(self.returns), set(self.indirect)
            if self._collect([(target, 0)], len(before) + INLINE) or len(self.insns) >= len(before) + INLINE:
                self.insns, self.returns, self.indirect = before, returns, indirect        # too large, or calls others

    def _collect(self, work: list[tuple[int, int]], limit: int) -> list[int]:
        """Follow control flow until `limit` instructions are known; return the targets of calls."""
        calls: list[int] = []
        while work and len(self.insns) < limit:
            pc, guard = work.pop(0)
            while pc not in self.insns and len(self.insns) < limit:
                d = self.decode(pc, guard)
                if d is None:
                    break
                insn = self._classify(pc, d, guard)
                self.insns[pc] = insn
                if insn.call:
                    self.returns.add(pc + d.length)
                    calls.extend(insn.targets)
                else:
                    work.extend((t, 0) for t in insn.targets)
                if insn.kind == "jump":
                    near = [t for t in self.targets if abs(t - pc) < NEAR][:MOST_TARGETS]
                    self.indirect.update(near)
                    work.extend((t, 0) for t in near)
                if not insn.falls and not insn.call:
                    break
                pc, guard = pc + d.length, insn.next_guard
        return calls

    def _classify(self, pc: int, d: Decoded, guard: int) -> Insn:
        """Find out where an instruction goes."""
        insn = Insn(pc, d, guard)
        branches, leave, changes_guard, _ = shape(d.variant, self.target, self.context)
        conditional = condition_of(d) != ALWAYS
        if leave:
            insn.flow, insn.falls = "leave", conditional
            return insn
        if branches or changes_guard or guard & 15:
            new_graph()
            cpu = self._stage(d, pc)
            if branches and cpu.branches:
                insn.flow = "branch"
                insn.falls = conditional or all(b.pred is not None for b in cpu.branches)
                insn.call = any(b.kind == "call" for b in cpu.branches)
                insn.targets = [b.target.attr for b in cpu.branches if b.target.op == "const" and b.context is None]
                insn.kind = next((b.kind for b in cpu.branches if b.target.op != "const"), "")
            insn.next_guard = self._next_guard(cpu, guard)
        return insn

    def _stage(self, d: Decoded, pc: int) -> Recorder:
        row, t = d.variant.row, self.target
        cpu = row.isa.cpu(t.layout, const(pc, t.address_bits), d.length, t.context(self.context))
        return run_row(d.variant, cpu, constant_arguments(d.variant, d.word))

    def _next_guard(self, cpu: Recorder, guard: int) -> int:
        name = self.iset.guard
        for w in cpu.writes:
            if w.cell.name == name and w.value.op == "const":
                return int(w.value.attr)
        if guard & 15:
            return int(self.iset.advance(cpu, const(guard, 8)).attr)
        return 0


@dataclass
class RegionText:
    """What the compiler needs and what the engine must know."""

    text: str
    entries: list[int]
    pages: list[int]
    inside: list[int]
    variants: list[tuple[str, int]]
    granules: dict[int, int]           # by page: a bit for each 64 bytes with an instruction of the region


class BlockEnvironment(Environment):
    """Register values inside one block: what an earlier instruction of the block wrote is known as a node."""

    def __init__(self, em: RegionEmitter) -> None:
        super().__init__()
        self.em = em
        self.known: dict[tuple[str, int, int], Bits] = {}        # (storage, byte offset, width) -> node
        self.dirty: set[tuple[str, int, int]] = set()

    def read(self, cell: Cell, index: int | Bits) -> Bits:
        """Return a register as the instruction sees it."""
        if cell.resident:
            return self.em.load_resident(cell, index)
        assert isinstance(index, int)
        owner = self._whole(cell)
        if owner is not None:
            element, at = divmod(index * cell.stride, owner.stride)
            return extract(self.read(owner, element), 8 * at, cell.width)
        key = (cell.storage, index * cell.stride, cell.width)
        node = self.known.get(key)
        if node is None:
            self._overlap(key, cell.stride)
            node = make("slot", cell.width, (), unique())
            if name := self.em.load_slot(cell, index, node):
                self.em.remember(node, name)
            self.known[key] = node
        return node

    def write(self, cell: Cell, index: int | Bits, value: Bits) -> None:
        """Note what an instruction wrote."""
        if cell.resident:
            self.em.store_resident(cell, index, value)
            return
        assert isinstance(index, int)
        owner = self._whole(cell)
        if owner is not None:
            element, at = divmod(index * cell.stride, owner.stride)
            old, low, high = self.read(owner, element), 8 * at, 8 * at + cell.width
            parts = [extract(old, high, owner.width - high)] if high < owner.width else []
            parts += [value, *([extract(old, 0, low)] if low else [])]
            self.write(owner, element, cat(*parts))
            return
        key = (cell.storage, index * cell.stride, cell.width)
        self._overlap(key, cell.stride)
        self.known[key] = value
        self.dirty.add(key)

    def _whole(self, cell: Cell) -> Cell | None:
        """Return the general register that `cell` is a part of.

        Parts are cut out of it and put into it: a slot that is accessed in parts would be kept in parts.
        """
        owner = self.em.layout.cells[cell.storage]
        return owner if cell.width < owner.width <= GENERAL else None

    def _overlap(self, key: tuple[str, int, int], size: int) -> None:
        """Flush and forget what shares bytes with `key`."""
        storage, at, _ = key
        for other in [k for k in self.known if k[0] == storage and k != key]:
            length = (other[2] + 7) // 8
            if other[1] < at + size and at < other[1] + length:
                if other in self.dirty:
                    self.em.store_slot(other, self.known[other])
                    self.dirty.discard(other)
                del self.known[other]

    def flush(self) -> None:
        """Emit stores of everything written (they stay known)."""
        for key in sorted(self.dirty):
            self.em.store_slot(key, self.known[key])


class RegionEmitter(InstructionEmitter):
    """Emits one region."""

    def __init__(self, target: Target, context: int, code: Code, tries: decoder.Tries, *, targets: list[int] | None = None,
                 points: list[int] | None = None, tracing: bool = False) -> None:
        super().__init__(target.layout, target.iset(context).geometry, address_bits=target.address_bits, tracing=tracing)
        self.target, self.context, self.code = target, context, code
        self.iset = target.iset(context)
        self.find = Discovery(target, context, code, tries, targets, points)
        self.slots: dict[tuple[str, int], str] = {}          # (storage, element) -> alloca
        self.written: set[tuple[str, int]] = set()
        self.grains: dict[tuple[str, int], set[tuple[int, int]]] = {}      # (offset, width) of the accesses to vector slots
        self.env = BlockEnvironment(self)
        self.blocks: dict[int, Block] = {}
        self.loops: set[int] = set()
        self.side: str = ""                                  # label of the side exit of the open instruction
        self.cold: list[str] = []
        self.to_floats: set[int] = set()                     # nodes that the open instruction writes to vector registers
        self.results: set[int] = set()                       # nodes that it writes to any register
        self.stored: dict[int, str] = {}                     # nodes of less than their storage -> name of the whole of it
        self.masks: dict[int, str] = {}                      # alignment -> the bits that must be 0 in an address
        self.done = 0                                        # instructions of the open block before the open one
        self.shared: dict[str, list[int]] = {}               # kinds of indirect jumps that share one dispatch -> its targets
        self.insn: Insn | None = None
        self.spans: dict[spans.Place, spans.Member] = {}     # accesses that share checks

    def forget(self) -> None:
        """Forget all names."""
        super().forget()
        self.stored.clear()

    # -- registers -----------------------------------------------------------------------------------------------
    def slot(self, storage: str, element: int) -> str:
        """Return the alloca of one element of a register file."""
        key = (storage, element)
        if key not in self.slots:
            self.slots[key] = f"%r_{storage}_{element}"
        return self.slots[key]

    def _place(self, storage: str, offset: int) -> str:
        owner = self.layout.cells[storage]
        element, inner = divmod(offset, owner.stride)
        slot = self.slot(storage, element)
        return self.let(f"getelementptr i8, ptr {slot}, i64 {inner}") if inner else slot

    def load_slot(self, cell: Cell, index: int, node: Bits) -> str:
        """Load a register from its alloca; a whole vector register is known as a vector, and has no name."""
        stored = cell.stride * 8
        place = self._place(cell.storage, index * cell.stride)
        kind = self.slot_type(cell.storage, index * cell.stride, stored)
        name = self.let(f"load {kind}, ptr {place}")
        if kind[0] in "fd":
            return self.from_float(node, name)
        if kind[0] == "%":
            self.remember_vector(node, 2, self.let(f"bitcast {kind} {name} to {PAIR}"))
            return ""
        if stored == cell.width:
            return name
        self.stored[node.id] = name
        self.journal.append((self.stored, node.id))
        return self.let(f"trunc i{stored} {name} to i{cell.width}")

    def store_slot(self, key: tuple[str, int, int], value: Bits) -> None:
        """Store a register to its alloca."""
        storage, offset, width = key
        stored = 8
        while stored < width:
            stored *= 2
        self.written.add((storage, offset // self.layout.cells[storage].stride))
        kind = self.slot_type(storage, offset, stored)
        if kind[0] in "fd":
            name = self.as_float(value, "f32" if kind == "float" else "f64")
        elif kind[0] == "%":
            name = self.let(f"bitcast {PAIR} {self.vector(value, 2)} to {kind}")
        else:
            name = self.value(value)
            if stored != width:
                name = self.stored.get(value.id) or self.let(f"zext i{width} {name} to i{stored}")
        self.put(f"store {kind} {name}, ptr {self._place(storage, offset)}")

    def load_resident(self, cell: Cell, index: int | Bits) -> Bits:
        """Return what a register that stays in the state block holds now."""
        address, stored = self.register(cell.name, index)
        node = make("slot", cell.width, (), unique())
        name = self.let(f"load i{stored}, ptr {address}{STATE}")
        self.remember(node, name if stored == cell.width else self.let(f"trunc i{stored} {name} to i{cell.width}"))
        return node

    def store_resident(self, cell: Cell, index: int | Bits, value: Bits) -> None:
        """Change a register in the state block."""
        address, stored = self.register(cell.name, index)
        name = self.value(value)
        if stored != cell.width:
            name = self.let(f"zext i{cell.width} {name} to i{stored}")
        self.put(f"store i{stored} {name}, ptr {address}{STATE}")

    def slot_type(self, storage: str, offset: int, width: int) -> str:
        """Return the LLVM type in which registers are kept: vector files in types that stay out of general registers."""
        owner = self.layout.cells[storage]
        if owner.width != VECTOR or width < 32:
            return f"i{width}"
        element, inner = divmod(offset, owner.stride)
        self.grains.setdefault((storage, element), set()).add((inner, width))
        return FLOATS[width] if width < VECTOR else vector_type(storage, element)

    def with_types(self, text: str) -> str:
        """Put in the types of whole vector registers: elements of the size in which the region uses parts of them."""
        doubles = {vector_type(*key) for key, grains in self.grains.items() if {w for _, w in grains} == {64, VECTOR}}
        return VECTOR_TYPE.sub(lambda m: "<2 x double>" if m[0] in doubles else "<4 x float>", text)

    def copy_slot(self, storage: str, element: int, *, load: bool) -> None:
        """Copy a register between the state and its alloca, in the pieces in which the region uses it."""
        cell, slot = self.layout.cells[storage], self.slot(storage, element)
        grains = self.grains.get((storage, element), {(0, cell.stride * 8)})
        if cell.width == VECTOR and not any(width == VECTOR for _, width in grains):
            pieces = []
            for half in (0, 8):
                single = any(width == 32 and at & 8 == half for at, width in grains)
                double = any(width == 64 and at == half for at, width in grains)
                if single and not double:
                    pieces.extend([(half, "float"), (half + 4, "float")])
                else:                          # one vector access lets LLVM see a vector where the others are mixed
                    pieces.append((half, "<2 x float>" if single else "double"))
        else:
            pieces = [(0, vector_type(storage, element) if cell.width == VECTOR else f"i{cell.stride * 8}")]
        for at, kind in pieces:
            inside = self.let(f"getelementptr i8, ptr {slot}, i64 {at}") if at else slot
            outside = self.cell(cell.at(element) + at)
            source, target = (outside, inside) if load else (inside, outside)
            value = self.let(f"load {kind}, ptr {source}{STATE if load else ''}")
            self.put(f"store {kind} {value}, ptr {target}{'' if load else STATE}")

    # -- leaving -------------------------------------------------------------------------------------------------
    def side_exit(self) -> str:
        """Return the label of the way out before the open instruction: its plain handler does it instead."""
        if not self.side:
            assert self.insn is not None
            self.side = self.new("side")
            mark, lines, block = self.checkpoint(), self.lines, self.block
            self.lines = []
            self.label(self.side)
            self.state_env.flush()
            self.leave_to(self.insn.pc, self.done, "deopt")
            self.cold.extend(self.lines)
            self.lines, self.block = lines, block
            self.rollback(mark)
        return self.side

    def leave_to(self, pc: int | str, done: int, where: str) -> None:
        """Go to a shared exit with pc and budget set; `done` instructions of the block have run."""
        self.put(f"store i64 {pc}, ptr %xpc")
        left = self.let(f"add i64 %bud_{self.current:x}, {-done}") if done else f"%bud_{self.current:x}"
        self.put(f"store i64 {left}, ptr %bud")
        self.put(SPILL)
        self.put(f"br label %{where}")

    def guard_check(self, ok: str) -> None:
        """Go on where ok, else take the side exit."""
        out, on = self.side_exit(), self.new("on")
        self.put(f"br i1 {ok}, label %{on}, label %{out}{LIKELY}")
        self.label(on)

    # -- effects -------------------------------------------------------------------------------------------------
    def refused(self, align: int) -> str:
        """Return the bits that are 0 in an address that lies in the window and is aligned: a value of the region's entry."""
        self.masks[align] = super().refused(align)
        return f"%refused_{align}"

    def check(self, addr: str, size: int | str, align: int, *, write: bool) -> None:
        """Go on where an access is allowed, else take the side exit."""
        assert self.insn is not None
        member = self.spans.get((self.insn.pc, self.effect))
        if member is None:
            self.guard_check(self.access_ok(addr, size, align, write=write))
            return
        span = member.span
        if not span.bit:
            lowest = self.let(f"add i64 {addr}, {span.low - member.offset}") if span.low != member.offset else addr
            if not self.wide:
                lowest = self.let(f"and i64 {lowest}, {0xFFFFFFFF}")
            span.bit = self.span_ok(lowest, span.size, read=span.read, write=span.write)
        ok = span.bit
        if align > 1:
            odd = self.let(f"and i64 {addr}, {align - 1}")
            ok = self.let(f"and i1 {ok}, {self.let(f'icmp eq i64 {odd}, 0')}")
        alone, on = self.new("alone"), self.new("on")
        self.put(f"br i1 {ok}, label %{on}, label %{alone}{LIKELY}")
        self.label(alone)
        single = self.access_ok(addr, size, align, write=write)
        self.put(f"br i1 {single}, label %{on}, label %{self.side_exit()}{LIKELY}")
        self.label(on)

    def plan_spans(self) -> None:
        """Find the accesses that share checks."""
        def staged(insn: Insn, values: Environment) -> Recorder | None:
            if insn.flow == "leave" or condition_of(insn.decoded) != ALWAYS or insn.guard & 15:
                return None
            d, t = insn.decoded, self.target
            cpu = d.variant.row.isa.cpu(t.layout, const(insn.pc, t.address_bits), d.length, t.context(self.context), values)
            return run_row(d.variant, cpu, constant_arguments(d.variant, d.word))
        for block in self.blocks.values():
            self.spans.update(spans.plan(block, staged))

    def pointer(self, node: Bits) -> str:
        """Return "type value" of the pointer to a guest address.

        A sum is made of the pointer to its first part: in the access itself the host adds up without taking time, while what was added
        up for the check would have to be waited for. Not where a register keeps the sum: it would be one value more to hold.
        """
        if node.width < 64 or node.op != "add" or node.id in self.results:
            return host.guest_pointer(self, self.address(node))
        base = self.pointer(node.args[0])
        return f"{base.rpartition(' ')[0]} {self.let(f'getelementptr i8, {base}, i64 {self.value(node.args[1])}')}"

    def load(self, e: Load) -> None:
        """Emit a guest load."""
        def body() -> str:
            addr = self.address(e.addr)
            if e.checked:
                self.check(addr, e.size, e.align, write=False)
            return self.emit_load(addr, e.size, kind, pointer=self.pointer(e.addr))
        if e.pred is not None:
            self.value(e.addr)
        kind, vector = "", e.pred is None and e.size * 8 == VECTOR
        if vector:
            kind = PAIR
        elif e.pred is None and e.result.id in self.to_floats:
            kind = FLOATS[e.size * 8]
        name = self.predicated(e.pred, body, f"i{e.size * 8}")
        if vector:
            self.remember_vector(e.result, 2, name)
        else:
            self.remember(e.result, self.from_float(e.result, name) if kind else name)

    def store(self, e: Store) -> None:
        """Emit a guest store."""
        value = self.value(e.value)

        def body() -> None:
            addr = self.address(e.addr)
            if e.checked:
                self.check(addr, e.size, e.align, write=True)
            self.emit_store(addr, e.size, value, pointer=self.pointer(e.addr))
        if e.pred is not None:
            self.value(e.addr)
        self.predicated(e.pred, body)

    def probe(self, e: Probe) -> None:
        """Emit a check of a whole range."""
        if isinstance(e.size, int) and e.size == 0:
            return

        def body() -> None:
            addr = self.address(e.addr)
            size: int | str = e.size if isinstance(e.size, int) else self.address(e.size)
            if not isinstance(e.size, int) and e.size.op == "const":
                size = e.size.attr
            self.check(addr, size, e.align, write=e.write)
        self.predicated(e.pred, body)

    def abort(self, e: Abort) -> None:
        """Let the plain handler abort."""
        if e.pred is None:
            self.put(f"br label %{self.side_exit()}")
            self.label(self.new("dead"))
        else:
            self.guard_check(self.let(f"xor i1 {self.value(e.pred)}, true"))

    def on_fault(self, e: OnFault) -> None:
        """Nothing: an access that may fault is left to the plain handler, which begins anew."""

    # -- instructions --------------------------------------------------------------------------------------------
    def stage(self, insn: Insn, pred: Bits | None) -> Recorder:
        """Run an instruction's row with constants and the values known in this block."""
        d, t = insn.decoded, self.target
        row = d.variant.row
        cpu = row.isa.cpu(t.layout, const(insn.pc, t.address_bits), insn.decoded.length, t.context(self.context), self.env)
        if pred is None:
            return run_row(d.variant, cpu, constant_arguments(d.variant, d.word))
        set_current(cpu)
        with when(pred):
            run_row(d.variant, cpu, constant_arguments(d.variant, d.word))
        return cpu

    def condition(self, insn: Insn) -> Bits | None:
        """Return the condition an instruction runs under, in this block's values."""
        cond = condition_of(insn.decoded)
        if cond == ALWAYS:
            return None
        row, t = insn.decoded.variant.row, self.target
        cpu = row.isa.cpu(t.layout, const(insn.pc, t.address_bits), insn.decoded.length, t.context(self.context), self.env)
        return self.iset.condition(cpu, cond)

    def instruction(self, insn: Insn) -> Recorder:
        """Emit everything of an instruction but its control flow; commit its registers to the environment."""
        pred = self.condition(insn)
        if pred is not None and pred.op == "const":
            pred = None if pred.attr else pred
        cpu = self.stage(insn, pred)
        self.to_floats = {w.value.id for w in cpu.writes if w.cell.width in (32, 64)
                          and self.layout.cells[w.cell.storage].width == VECTOR}
        self.results = {w.value.id for w in cpu.writes}
        self.effects(cpu)
        self.commit(insn, cpu)
        return cpu

    def commit(self, insn: Insn, cpu: Recorder) -> None:
        """Make an instruction's register writes, and the guard after it, known."""
        for w in cpu.writes:
            if w.cell.resident:
                self.value(w.value)                        # before the first of them changes the state
        for w in cpu.writes:
            value = w.value if w.pred is None else mux(w.pred, w.value, self.env.read(w.cell, w.index))
            if not isinstance(w.index, int) or not self.target.is_scratch(w.cell.name, w.index):
                self.env.write(w.cell, w.index, value)
        if insn.guard & 15 or insn.next_guard:
            self.write_guard(insn)

    def write_guard(self, insn: Insn) -> None:
        """Make the guard after an instruction known."""
        self.env.write(self.layout.cells[self.iset.guard], 0, const(insn.next_guard, 8))

    def predicated(self, pred: Bits | None, body: Any, result: str = "") -> str:
        """Run `body` where pred holds. A side exit made inside must not be used after: its values need not exist there."""
        side = self.side
        name = super().predicated(pred, body, result)
        if pred is not None:
            self.side = side
        return name

    # -- the whole region ----------------------------------------------------------------------------------------
    def build(self, head: int, limit: int = LIMIT) -> RegionText | None:
        """Emit the region from `head`; None if there is nothing to compile."""
        self.find.walk(head, limit)
        if head not in self.find.insns or self.find.insns[head].flow == "leave":
            return None
        self._make_blocks(head)
        self._find_loops(head)
        self.modes_change = any(shape(i.decoded.variant, self.target, self.context).quiet for i in self.find.insns.values())
        entries = sorted({head} | self.loops | ((self.find.returns | self.find.indirect) & set(self.blocks)))
        entries = [e for e in entries if self.find.insns[e].guard & 15 == 0]
        new_graph()
        self.plan_spans()
        new_graph()
        body: list[str] = []
        for block in self._order(head):
            self.lines = []
            self._emit_block(block)
            body.extend(self.lines)
        body += self._dispatches()
        tail = self._exits()
        rest = self._with_spills([*body, *self.cold, *tail])
        text = "\n".join([f"define {CONVENTION} void @region({SIGNATURE}) #0 {{", "entry:", *self._prologue(entries), *rest,
                          "}", *sorted(self.declared), ""])
        text = self.with_types(text)
        insns = self.find.insns.values()
        granules: dict[int, int] = {}
        for i in insns:
            for at in (i.pc, i.pc + i.decoded.length - 1):
                granules[at & -PAGE] = granules.get(at & -PAGE, 0) | 1 << (at % PAGE // 64)
        variants = {(i.decoded.variant.row.isa.name, i.decoded.variant.index) for i in insns}
        return RegionText(text, entries, sorted(granules), list(self.find.insns), sorted(variants), granules)

    def _with_spills(self, lines: list[str]) -> list[str]:
        """Put the stores of vector registers before each way out.

        Gathered in the shared exits, where there are more of them than the host has, they would pull the values of
        loops onto the stack.
        """
        wanted = sorted(key for key in self.written if self.layout.cells[key[0]].width == VECTOR)
        out: list[str] = []
        for line in lines:
            if line != "  " + SPILL:
                out.append(line)
                continue
            self.lines = out
            for storage, element in wanted:
                self.copy_slot(storage, element, load=False)
        return out

    def _make_blocks(self, head: int) -> None:
        insns = self.find.insns
        leaders = {head} | {r for r in self.find.returns | self.find.indirect if r in insns}
        for i in insns.values():
            if i.flow == "branch":
                leaders.update(t for t in i.targets if t in insns)
            if i.flow:
                leaders.add(i.pc + i.decoded.length)
        for start in leaders:
            if start not in insns:
                continue
            block = self.blocks[start] = Block(start)
            pc = start
            while True:
                insn = insns.get(pc)
                if insn is None:
                    block.successors.append(pc)
                    break
                block.insns.append(insn)
                following = pc + insn.decoded.length
                if insn.flow:
                    block.successors.extend(insn.targets)
                    if insn.falls:
                        block.successors.append(following)
                    break
                pc = following
                if pc in leaders or (pc in insns and insns[pc].guard != insn.next_guard):
                    block.successors.append(pc)
                    break

    def edge(self, insn: Insn, target: int) -> bool:
        """Return whether control may stay inside going from insn to target."""
        block = self.blocks.get(target)
        return block is not None and self.find.insns[target].guard == insn.next_guard

    def _find_loops(self, head: int) -> None:
        """Find back edges by depth-first search from all entries, and the longest way from each block to a check."""
        state: dict[int, int] = {}
        order: list[int] = []
        self.back: set[tuple[int, int]] = set()
        for root in [head, *sorted(self.find.returns & set(self.blocks)), *sorted(self.blocks)]:
            if root in state:
                continue
            stack = [(root, iter(self._inside(root)))]
            state[root] = 1
            while stack:
                at, successors = stack[-1]
                for s in successors:
                    if state.get(s) == 1:
                        self.back.add((at, s))
                        self.loops.add(s)
                    elif s not in state:
                        state[s] = 1
                        stack.append((s, iter(self._inside(s))))
                        break
                else:
                    state[at] = 2
                    order.append(at)
                    stack.pop()
        for start in order:                       # successors come first in post-order
            block = self.blocks[start]
            after = [self.blocks[s].longest for s in self._inside(start) if (start, s) not in self.back]
            block.longest = len(block.insns) + max(after, default=0)

    def _inside(self, start: int) -> list[int]:
        block = self.blocks[start]
        return [s for s in block.successors if block.insns and self.edge(block.insns[-1], s)]

    def _order(self, head: int) -> list[Block]:
        return [self.blocks[s] for s in sorted(self.blocks, key=lambda s: (s != head, s))]

    def _emit_block(self, block: Block) -> None:
        self.forget()
        self.env = BlockEnvironment(self)
        self.current = block.start
        self.label(f"b{block.start:x}")
        self.put(f"%bud_{block.start:x} = load i64, ptr %bud")
        for n, insn in enumerate(block.insns):
            self.done, self.insn, self.side = n, insn, ""
            self.state_env = self._snapshot()
            if insn.flow == "leave":
                self.put(f"br label %{self.side_exit()}")
                return
            if insn.flow == "branch":
                self._branch(block, insn)
                return
            self.instruction(insn)
        self._fall(block, block.successors[-1])

    def _snapshot(self) -> BlockEnvironment:
        """Return the register values before the open instruction, for its side exit."""
        copy = BlockEnvironment(self)
        copy.known, copy.dirty = dict(self.env.known), set(self.env.dirty)
        return copy

    def _length(self, block: Block) -> int:
        return len(block.insns)

    def _fall(self, block: Block, target: int) -> None:
        """End a block that goes on at `target`."""
        self.env.flush()
        self._go(block, target)

    def _go(self, block: Block, target: int) -> None:
        """Go to a constant address, registers being in their slots."""
        n = self._length(block)
        if target not in block.successors or not self.edge(block.insns[-1], target):
            self.leave_to(target, n, "leave")
            return
        left = self.let(f"add i64 %bud_{block.start:x}, {-n}")
        self.put(f"store i64 {left}, ptr %bud")
        if (block.start, target) in self.back:
            self._checked_edge(left, target)
        else:
            self.put(f"br label %b{target:x}")

    def _branch(self, block: Block, insn: Insn) -> None:
        """Emit a branching instruction and end the block."""
        pred = self.condition(insn)
        if pred is not None:
            taken, skip = self.new("taken"), self.new("skip")
            test = self.value(pred)
            # flags written in this block stay pending: both ways flush them
            before = self._snapshot()
            mark = self.checkpoint()
            loop = ", !prof !11" if any((block.start, t) in self.back for t in insn.targets) else ""
            self.put(f"br i1 {test}, label %{taken}, label %{skip}{loop}")
            self.label(taken)
            self._taken(block, insn)
            self.rollback(mark)
            self.label(skip)
            self.env = before
            if insn.guard & 15:
                self.write_guard(insn)
            self._fall(block, insn.pc + insn.decoded.length)
        else:
            self._taken(block, insn)

    def _taken(self, block: Block, insn: Insn) -> None:
        cpu = self.stage(insn, None)
        self.effects(cpu)
        targets = [(self.value(b.pred) if b.pred is not None else "", self.value(b.target) if b.target.op != "const" else "",
                    self.value(b.context) if b.context is not None else "", b) for b in cpu.branches]
        self.commit(insn, cpu)
        self.env.flush()
        n = self._length(block)
        for pred, target, context, b in targets:
            on = self.new("on")
            if pred:
                yes = self.new("yes")
                self.put(f"br i1 {pred}, label %{yes}, label %{on}")
                self.label(yes)
            left = self.let(f"add i64 %bud_{block.start:x}, {-n}") if self.tracing else ""
            if context:
                wide = self.let(f"zext i{b.context.width} {context} to i64")
                self.put(f"store i64 {self.let(f'shl i64 {wide}, 48')}, ptr %xctx")
            if not target:
                if self.tracing:
                    self.trace(str(b.target.attr), left)
                if context:
                    self.leave_to(b.target.attr, n, "leave")
                else:
                    self._go(block, b.target.attr)
            else:
                wide = target if b.target.width == 64 else self.let(f"zext i{b.target.width} {target} to i64")
                if self.tracing:
                    self.trace(wide, left)
                if not self._loaded_from_constant(b.target, cpu):
                    self._indirect(block, b.kind, wide)
                self.leave_to(wide, n, "leave")
            if not pred:
                return
            self.label(on)
        self._go(block, insn.pc + insn.decoded.length)

    def _loaded_from_constant(self, target: Bits, cpu: Recorder) -> bool:
        """Return whether a branch target is a word at a fixed address: a linkage table's jump to another library."""
        while target.op != "load" and target.args:
            target = target.args[0]
        return any(isinstance(e, Load) and e.result is target and e.addr.op == "const" for e in cpu.effects)

    def _indirect(self, block: Block, kind: str, pc: str) -> None:
        """Stay inside where an indirect branch goes to a return point or a known target of the region."""
        known = self.find.returns if kind == "return" else self.find.indirect if kind == "jump" else set()
        inside = sorted(t for t in known if t in self.blocks and self.find.insns[t].guard & 15 == 0)
        if not inside:
            return
        left = self.let(f"add i64 %bud_{block.start:x}, {-self._length(block)}")
        self.put(f"store i64 {left}, ptr %bud")
        if len(inside) * sum(i.kind == kind for i in self.find.insns.values()) > MOST_EDGES:
            self.put(f"store i64 {pc}, ptr %xpc")
            self.put(f"br label %dispatch_{kind}")
            self.label(self.new("dead"))
            self.shared[kind] = inside
        else:
            self._switch(pc, self.let("load i64, ptr %xctx"), left, inside)

    def _switch(self, pc: str, key: str, left: str, inside: list[int]) -> None:
        """Go to those of the blocks `inside` that (pc, context key) names; continue otherwise."""
        if self.wide:                                        # the address may have bits where the key has its own
            out, same, full, own = self.new("out"), self.new("same"), pc, 0
            self.put(f"br i1 {self.let(f'icmp eq i64 {key}, {self.context << 48}')}, label %{same}, label %{out}{LIKELY}")
            self.label(same)
        else:
            full, own = self.let(f"or i64 {pc}, {key}"), self.context << 48
            out = self.new("out")
        labels = [self.new("to") for _ in inside]
        cases = " ".join(f"i64 {t | own}, label %{label}" for label, t in zip(labels, inside, strict=True))
        self.put(f"switch i64 {full}, label %{out} [ {cases} ]")
        for label, t in zip(labels, inside, strict=True):
            self.label(label)
            self._checked_edge(left, t)
        self.label(out)

    def _dispatches(self) -> list[str]:
        """Emit the dispatches that indirect jumps share."""
        self.lines = []
        for kind, inside in sorted(self.shared.items()):
            self.label(f"dispatch_{kind}")
            pc, key, left = (self.let(f"load i64, ptr {place}") for place in ("%xpc", "%xctx", "%bud"))
            self._switch(pc, key, left, inside)
            self.put(SPILL)
            self.put("br label %leave")
        return self.lines

    def _checked_edge(self, left: str, target: int) -> None:
        """Go to a block inside, if the budget suffices for the longest way from there to the next check."""
        enough, short = self.let(f"icmp sge i64 {left}, {self.blocks[target].longest}"), self.new("short")
        self.put(f"br i1 {enough}, label %b{target:x}, label %{short}{LIKELY}")
        self.cold.extend([f"{short}:", f"  store i64 {target}, ptr %xpc", "  " + SPILL, "  br label %deopt"])

    # -- entry and exits -----------------------------------------------------------------------------------------
    def _prologue(self, entries: list[int]) -> list[str]:
        """Allocate and load the registers; choose the entry; refuse when the budget is short."""
        keep, self.lines = self.lines, []
        self.put("%bud = alloca i64")
        self.put("%xpc = alloca i64")
        self.put("%xctx = alloca i64")
        for align, bits in sorted(self.masks.items()):       # hidden: a constant of 64 bits would be made anew at each use
            self.put(f"%refused_{align} = {host.hidden(bits)}")
        self.put("store i64 %budget, ptr %bud")
        self.put(f"store i64 {self.context << 48}, ptr %xctx")
        for (storage, element), slot in sorted(self.slots.items()):
            cell = self.layout.cells[storage]
            kind = f"i{cell.stride * 8}"
            self.put(f"{slot} = alloca {kind}, align {min(cell.stride, 16)}")
            self.copy_slot(storage, element, load=True)
        address = self.let("ptrtoint ptr %rec to i64")
        inside = self.let(f"and i64 {address}, {self.geometry.block - 1}")
        offset = self.let(f"lshr i64 {inside}, {self.geometry.shift}")
        pc = self.let(f"add i64 {self.get_cell(ENGINE_CELLS['page_va'])}, {offset}")
        self.put(f"store i64 {pc}, ptr %xpc")
        if self.iset.guard:                           # entries were compiled for no guard: in a T32 IT block the interpreter goes on
            guard = self.get_cell(self.layout.cells[self.iset.guard].offset, "i8")
            on = self.new("on")
            self.put(f"br i1 {self.let(f'icmp eq i8 {guard}, 0')}, label %{on}, label %deopt{LIKELY}")
            self.label(on)
        cases = " ".join(f"i64 {e}, label %e{e:x}" for e in entries)
        self.put(f"switch i64 {pc}, label %deopt [ {cases} ]")
        for e in entries:
            self.label(f"e{e:x}")
            enough = self.let(f"icmp sge i64 %budget, {self.blocks[e].longest}")
            self.put(f"br i1 {enough}, label %b{e:x}, label %deopt{LIKELY}")
        lines, self.lines = self.lines, keep
        return lines

    def _exits(self) -> list[str]:
        """Emit the two shared ways out: `deopt` to a plain handler, `leave` by a jump."""
        self.lines = []
        for name in ("deopt", "leave"):
            self.label(name)
            for storage, element in sorted(self.written):
                if self.layout.cells[storage].width != VECTOR:
                    self.copy_slot(storage, element, load=False)
            pc, budget = self.let("load i64, ptr %xpc"), self.let("load i64, ptr %bud")
            if name == "deopt":
                self.set_cell(ENGINE_CELLS["exit_pc"], f"i64 {pc}")
                self.set_cell(ENGINE_CELLS["exit_context"], f"i64 {self.context << 48}")
                self.tail_slot("resume", "%rec", budget)
            else:
                key = self.let("load i64, ptr %xctx")
                self.set_cell(ENGINE_CELLS["ctx_key"], f"i64 {key}")
                self.jump(pc, key, budget)
        return self.lines
