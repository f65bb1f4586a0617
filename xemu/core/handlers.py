"""Handlers: a row staged with run-time fields becomes an interpreter handler, and a function that extracts its operands.

Whatever depends on fields alone is computed when the instruction is decoded and kept in its record as an operand.
A handler ends in a tail call of the next record's handler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xemu.core import bits, host
from xemu.core.bits import Bits, const, make, new_graph, zext
from xemu.core.isa import Variant, field_arguments, run_row
from xemu.core.lower import CONVENTION, FLAGS, GUEST, LIKELY, RECORDS, SIGNATURE, STATE, Emitter, maximum
from xemu.core.memory import FAST_WRITE, FLAGS_BELOW, READ, WINDOW_BITS
from xemu.core.record import Abort, Branch, CompareStore, Load, OnFault, Probe, Raise, Recorder, Store, Write
from xemu.core.records import (
    FAULT,
    HASH_MULTIPLIER,
    HEAD,
    JUMP_CACHE,
    JUMP_ENTRIES,
    OPERAND_BYTES,
    OPERANDS,
    PROBE,
    RECORD,
    TRAP_BASE,
    TRAPS,
    Geometry,
)
from xemu.core.state import ENGINE_CELLS, StateLayout, storage_bytes
from xemu.errors import IsaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IMPURE = frozenset({"read", "load", "page", "hostflags", "insns", "fp", "fpflags", "fpagain", "hostfp"})


class OutOfOperands(Exception):  # noqa: N818  not an error: the handler is staged again with fields as they are
    """A record has no room for another operand."""


@dataclass(frozen=True)
class Operand:
    """A value kept in a record: byte offset, bytes, and the field-only node that decoding computes.

    `extension`: how the stored bytes become the value ("zext", "sext"; "" where they are all of it).
    """

    offset: int
    size: int
    node: Bits
    extension: str


def bounds(node: Bits) -> tuple[int, int] | None:
    """Return the least and greatest value of a field-only node as a signed number, or None where nothing is known."""
    if node.op == "const":
        value = node.attr - (1 << node.width) if node.attr >> (node.width - 1) else node.attr
        return value, value
    if node.op == "sext" and node.attr is None:
        half = 1 << (node.args[0].width - 1)
        return bounds(node.args[0]) if node.args[0].op == "sext" else (-half, half - 1)
    if node.op == "zext" and node.attr is None:
        return 0, maximum(node.args[0])
    if node.op == "add" and node.attr is None:
        parts = [bounds(a) for a in node.args]
        if parts[0] is not None and parts[1] is not None:
            low, high = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
            if -(1 << (node.width - 1)) <= low and high < 1 << (node.width - 1):
                return low, high
    return None


def operand_format(node: Bits, least: int) -> tuple[int, str]:
    """Return in how many bytes an operand is kept, and how they become the value."""
    whole = min(storage_bytes(node.width), 8)
    known = bounds(node) if node.width > 8 else None
    if known is not None:
        low, high = known
        for size in (1, 2, 4, 5):
            if size >= whole:
                break
            if size < least:
                continue
            if low >= 0 and high < 1 << 8 * size:
                return size, "zext"
            if -(1 << (8 * size - 1)) <= low and high < 1 << (8 * size - 1):
                return size, "sext"
    return whole, ""


class CodeEmitter(Emitter):
    """What handlers and regions share: memory checks, dispatch and leaving."""

    def __init__(self, layout: StateLayout, geometry: Geometry, *, address_bits: int, tracing: bool = False) -> None:
        super().__init__()
        self.layout, self.geometry, self.tracing = layout, geometry, tracing
        self.wide = address_bits > 32         # guest addresses may lie outside the window

    # -- dispatch ------------------------------------------------------------------------------------------------
    def tail(self, function: str, record: str, budget: str) -> None:
        """Continue in another native function."""
        self.put(f"musttail call {CONVENTION} void {function}(ptr %st, ptr {record}, ptr %mem, ptr %perm, i64 {budget})")
        self.put("ret void")

    def tail_slot(self, slot: str, record: str, budget: str) -> None:
        """Continue in one of the engine's native functions."""
        self.tail(self.get_cell(ENGINE_CELLS[slot], "ptr"), record, budget)

    def dispatch(self, record: str, budget: str) -> None:
        """Run the instruction of `record`, unless the budget is used up."""
        done, go, stop = self.let(f"icmp eq i64 {budget}, 0"), self.new("go"), self.new("stop")
        self.put(f"br i1 {done}, label %{stop}, label %{go}, !prof !10")
        self.label(stop)
        self.tail_slot("stop", record, budget)
        self.label(go)
        self.tail(self.let(f"load ptr, ptr {record}{RECORDS}"), record, budget)

    def jump(self, pc: str, key: str, budget: str) -> None:
        """Continue at a guest address (i64), context key (i64): jump cache first, then the engine's lookup."""
        full = self.let(f"or i64 {pc}, {key}")
        unit = self.geometry.unit.bit_length() - 1
        slot = self.let(f"lshr i64 {pc}, {unit}") if unit else pc
        slot = self.let(f"and i64 {slot}, {JUMP_ENTRIES - 1}")
        at = self.let(f"shl i64 {slot}, 4")
        base = self.cell(JUMP_CACHE)
        entry = self.let(f"getelementptr i8, ptr {base}, i64 {at}")
        hit = self.let(f"icmp eq i64 {self.let(f'load i64, ptr {entry}{STATE}')}, {full}")
        if self.wide:                         # outside the window the address would run into the context
            hit = self.let(f"and i1 {hit}, {self.in_window(pc)}")
        yes, no = self.new("hit"), self.new("miss")
        self.put(f"br i1 {hit}, label %{yes}, label %{no}{LIKELY}")
        self.label(no)
        self.set_cell(ENGINE_CELLS["exit_pc"], f"i64 {pc}")
        self.set_cell(ENGINE_CELLS["exit_context"], f"i64 {key}")
        self.tail_slot("jump", "%rec", budget)
        self.label(yes)
        second = self.let(f"getelementptr i8, ptr {entry}, i64 8")
        record = self.let(f"load ptr, ptr {second}{STATE}")
        self.set_cell(ENGINE_CELLS["page_va"], f"i64 {self.let(f'and i64 {pc}, -4096')}")
        self.dispatch(record, budget)

    def register(self, name: str, index: int | Bits | None) -> tuple[str, int]:
        """Return (address, width in storage bits) of a register."""
        cell = self.layout.cells[name]
        if isinstance(index, int):
            return self.cell(cell.at(index)), cell.stride * 8
        assert index is not None
        number = self.let(f"zext {self.typed(index)} to i64") if index.width < 64 else self.value(index)
        base = self.cell(cell.offset)
        return self.let(f"getelementptr i{cell.stride * 8}, ptr {base}, i64 {number}"), cell.stride * 8

    def trace(self, pc: str, budget: str) -> None:
        """Fold (instruction count, target) into the trace hash."""
        if not self.tracing:
            return
        end = self.get_cell(ENGINE_CELLS["insn_end"])
        count = self.let(f"sub i64 {end}, {budget}")
        old = self.get_cell(ENGINE_CELLS["hash"])
        turned = self.call("i64", "llvm.fshl.i64", f"i64 {old}", f"i64 {old}", "i64 7")
        mixed = self.let(f"mul i64 {self.let(f'xor i64 {turned}, {count}')}, {HASH_MULTIPLIER - (1 << 64)}")
        self.set_cell(ENGINE_CELLS["hash"], f"i64 {self.let(f'add i64 {mixed}, {pc}')}")

    # -- memory --------------------------------------------------------------------------------------------------
    def address(self, node: Bits) -> str:
        """Return a guest address as i64."""
        name = self.value(node)
        return name if node.width == 64 else self.let(f"zext i{node.width} {name} to i64")

    def access_ok(self, addr: str, size: int | str, align: int, *, write: bool) -> str:
        """Return an i1: the fast path may do this access. `size` may be the name of an i64.

        One flag bit says what the page allows; an access must not cross into the next page. What is aligned does not,
        so the usual case is two tests; for the others a colder block looks at the offset in the page.
        """
        if self.wide:
            return self.wide_access_ok(addr, size, align, write=write)
        page = self.let(f"lshr i64 {addr}, 12")
        flag = self.let(f"load i8, {self.flag_pointer(page)}{FLAGS}")
        bit = -128 if write else 1
        ok = self.let(f"icmp ne i8 {self.let(f'and i8 {flag}, {bit}')}, 0")
        if align > 1:
            low = self.let(f"and i64 {addr}, {align - 1}")
            ok = self.let(f"and i1 {ok}, {self.let(f'icmp eq i64 {low}, 0')}")
        if isinstance(size, str):
            offset = self.let(f"and i64 {addr}, 4095")
            inside = self.let(f"icmp ule i64 {self.let(f'add i64 {offset}, {size}')}, 4096")
            return self.let(f"and i1 {ok}, {inside}")
        if size <= align:
            return ok
        natural = 1 << (size - 1).bit_length()
        odd, near, join = self.let(f"and i64 {addr}, {natural - 1}"), self.new("odd"), self.new("ok")
        aligned = self.let(f"icmp eq i64 {odd}, 0")
        even = self.block
        self.put(f"br i1 {aligned}, label %{join}, label %{near}{LIKELY}")
        self.label(near)
        offset = self.let(f"and i64 {addr}, 4095")
        inside = self.let(f"icmp ule i64 {offset}, {4096 - size}")
        both = self.let(f"and i1 {ok}, {inside}")
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi i1 [ {ok}, %{even} ], [ {both}, %{near} ]")

    def wide_access_ok(self, addr: str, size: int | str, align: int, *, write: bool) -> str:
        """Do the same for 64-bit addresses: those outside the window must not reach the flag table.

        They fail the first test, together with what is not aligned, so the usual case is two tests here, too.
        """
        whole = size if isinstance(size, int) else align
        natural = 1 << (max(whole, align) - 1).bit_length()
        flagged, join = self.new("flag"), self.new("ok")
        first = self.block
        usual = self.let(f"icmp eq i64 {self.let(f'and i64 {addr}, {self.refused(natural)}')}, 0")
        if isinstance(size, str):
            room = self.let(f"sub i64 4096, {self.let(f'and i64 {addr}, 4095')}")
            usual = self.let(f"and i1 {usual}, {self.let(f'icmp ule i64 {size}, {room}')}")
        if isinstance(size, str) or size <= align:
            refused = f"[ false, %{first} ]"
            self.put(f"br i1 {usual}, label %{flagged}, label %{join}{LIKELY}")
        else:
            near = self.new("odd")
            self.put(f"br i1 {usual}, label %{flagged}, label %{near}{LIKELY}")
            self.label(near)
            good = self.let(f"icmp eq i64 {self.let(f'and i64 {addr}, {align - 1 - (1 << WINDOW_BITS)}')}, 0")
            inside = self.let(f"icmp ule i64 {self.let(f'and i64 {addr}, 4095')}, {4096 - size}")
            refused = f"[ false, %{near} ]"
            self.put(f"br i1 {self.let(f'and i1 {good}, {inside}')}, label %{flagged}, label %{join}")
        self.label(flagged)
        page = self.let(f"lshr i64 {addr}, 12")
        flag = self.let(f"load i8, {self.flag_pointer(page)}{FLAGS}")
        ok = self.let(f"icmp ne i8 {self.let(f'and i8 {flag}, {-128 if write else 1}')}, 0")
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi i1 [ {ok}, %{flagged} ], {refused}")

    def refused(self, align: int) -> str:
        """Return the bits that are 0 in an address that lies in the window and is aligned."""
        return str(align - 1 - (1 << WINDOW_BITS))

    def span_ok(self, addr: str, size: int, *, read: bool, write: bool) -> str:
        """Return an i1: `size` bytes at addr lie in one page that may be read, written, or both, without further ado."""
        inside = self.let(f"icmp ule i64 {self.let(f'and i64 {addr}, 4095')}, {4096 - size}")
        page = self.let(f"lshr i64 {addr}, 12")
        if self.wide:                       # what lies outside the window must not reach the flag table
            window = self.in_window(addr)
            page, inside = self.let(f"select i1 {window}, i64 {page}, i64 0"), self.let(f"and i1 {window}, {inside}")
        flag = self.let(f"load i8, {self.flag_pointer(page)}{FLAGS}")
        bits = (FAST_WRITE if write else 0) | (READ if read else 0)
        bits -= 256 if bits > 127 else 0
        allowed = self.let(f"icmp eq i8 {self.let(f'and i8 {flag}, {bits}')}, {bits}")
        return self.let(f"and i1 {inside}, {allowed}")

    def in_window(self, addr: str) -> str:
        """Return an i1: a 64-bit guest address lies in the window."""
        return self.let(f"icmp ult i64 {addr}, {1 << WINDOW_BITS}")

    def flag_pointer(self, page: str) -> str:
        """Return "type value" of the pointer to a page's flag byte."""
        if self.wide:
            return f"ptr {self.let(f'getelementptr i8, ptr %perm, i64 {page}')}"
        return host.guest_pointer(self, self.let(f"add i64 {page}, {-FLAGS_BELOW}"))

    def emit_load(self, addr: str, size: int, kind: str = "", *, pointer: str = "") -> str:
        """Load from guest memory without a check, as iN or as another type of that size."""
        return self.let(f"load {kind or f'i{size * 8}'}, {pointer or host.guest_pointer(self, addr)}, align 1{GUEST}")

    def emit_store(self, addr: str, size: int, value: str, *, pointer: str = "") -> None:
        """Store to guest memory without a check."""
        self.put(f"store i{size * 8} {value}, {pointer or host.guest_pointer(self, addr)}, align 1{GUEST}")

    def predicated(self, pred: Bits | None, body: Callable[[], str | None], result: str = "") -> str:
        """Run `body` where pred holds; `result` is the LLVM type of its value (0 where it does not hold)."""
        if pred is None:
            return body() or ""
        then, join = self.new("then"), self.new("join")
        before = self.block
        self.put(f"br i1 {self.value(pred)}, label %{then}, label %{join}")
        before = self.block
        self.label(then)
        marks = self.checkpoint()
        value = body()
        last = self.block
        self.put(f"br label %{join}")
        self.label(join)
        self.rollback(marks)
        return self.let(f"phi {result} [ {value}, %{last} ], [ 0, %{before} ]") if result else ""


class InstructionEmitter(CodeEmitter, ABC):
    """Emits the effects of instructions; how an access that fails is left is up to handlers and regions."""

    effect = 0           # number of the effect that is being emitted

    def effects(self, cpu: Recorder) -> None:
        """Emit what an instruction does before its registers change."""
        for self.effect, e in enumerate(cpu.effects):
            match e:
                case Load(): self.load(e)
                case Store(): self.store(e)
                case CompareStore(): self.compare_store(e)
                case Probe(): self.probe(e)
                case Abort(): self.abort(e)
                case Raise(): self.raise_flags(e.node)
                case OnFault(): self.on_fault(e)

    @abstractmethod
    def load(self, e: Load) -> None:
        """Emit a guest load."""

    @abstractmethod
    def store(self, e: Store) -> None:
        """Emit a guest store."""

    @abstractmethod
    def probe(self, e: Probe) -> None:
        """Emit a check of a whole range."""

    @abstractmethod
    def abort(self, e: Abort) -> None:
        """Leave before anything is committed."""

    @abstractmethod
    def on_fault(self, e: OnFault) -> None:
        """Note what registers are if a later access faults."""

    def compare_store(self, e: CompareStore) -> None:
        """Emit an atomic compare and store; its range has been probed."""
        kind = f"i{e.value.width}"
        expected, value, addr = self.value(e.expected), self.value(e.value), self.address(e.addr)

        def body() -> str:
            pair = self.let(f"cmpxchg {host.guest_pointer(self, addr)}, {kind} {expected}, {kind} {value} seq_cst seq_cst")
            return self.let(f"extractvalue {{ {kind}, i1 }} {pair}, 1")
        self.remember(e.result, self.predicated(e.pred, body, "i1"))


class HandlerEmitter(InstructionEmitter):
    """Emits one handler: registers from the state block, fields from the record."""

    def __init__(self, layout: StateLayout, geometry: Geometry, length: Bits | int, *, address_bits: int, tracing: bool = False,
                 raw: int = 0) -> None:
        super().__init__(layout, geometry, address_bits=address_bits, tracing=tracing)
        self.length, self.raw = length, raw
        self.operands: dict[int, Operand] = {}
        self.used = 0
        self.field_only: dict[int, bool] = {}
        self.branch_operands: list[tuple[int, str]] = []     # (byte offset, kind) of in-page branch offsets
        self.kept: list[Write] = []                          # what registers are if an access faults from here on

    def op_insns(self, _node: Bits) -> str:
        """Return how many instructions have run before this one."""
        return self.let(f"sub i64 {self.get_cell(ENGINE_CELLS['insn_end'])}, %budget")

    # -- operands ------------------------------------------------------------------------------------------------
    def is_field_only(self, node: Bits) -> bool:
        """Return whether a node depends on the instruction word (and its page offset) alone."""
        known = self.field_only.get(node.id)
        if known is None:
            known = node.op in ("const", "field", "pcoff") or (
                node.op not in IMPURE and bool(node.args) and all(self.is_field_only(a) for a in node.args))
            self.field_only[node.id] = known
        return known

    def is_operand(self, node: Bits) -> bool:
        """Return whether a node is kept in the record: what depends on fields alone; where that is too much, (pieces of) fields."""
        if not self.raw:
            return self.is_field_only(node)
        return node.op == "field" or (self.raw == 1 and node.op == "slice" and node.args[0].op == "field")

    def operand(self, node: Bits, least: int = 1) -> Operand:
        """Return the place of a field-only value in the record, which has at least so many bytes."""
        op = self.operands.get(node.id)
        if op is None:
            size, extension = operand_format(node, least)
            if self.used + size > OPERAND_BYTES:
                raise OutOfOperands
            op = self.operands[node.id] = Operand(OPERANDS + self.used, size, node, extension)
            self.used += size
        return op

    def load_operand(self, node: Bits) -> str:
        """Return an operand's value as iN."""
        op = self.operand(node)
        address = self.let(f"getelementptr i8, ptr %rec, i64 {op.offset}")
        stored = self.let(f"load i{op.size * 8}, ptr {address}, align 1{RECORDS}")
        if op.extension:
            return self.let(f"{op.extension} i{op.size * 8} {stored} to i{node.width}")
        return stored if op.size * 8 == node.width else self.let(f"trunc i{op.size * 8} {stored} to i{node.width}")

    def value(self, node: Bits) -> str:
        """Return a node's name; field-only nodes are operands."""
        if node.op == "const" or node.id in self.names:
            return super().value(node)
        if node.width <= 64 and self.is_operand(node):
            name = self.load_operand(node)
            self.remember(node, name)
            return name
        rest = self.page_rest(node) if node.op in ("add", "and", "sub") else None
        if rest is not None and not self.raw:
            name = self.let(f"add {self.typed(make('page', node.width))}, {self.value(rest)}")
            self.remember(node, name)
            return name
        return super().value(node)

    def page_rest(self, node: Bits) -> Bits | None:
        """Return r where node is page + r and r is field-only."""
        if node.op == "page":
            return const(0, node.width)
        if node.op in ("add", "sub") and node.attr is None:
            a, b = node.args
            if node.op == "add" and self.is_field_only(a):
                a, b = b, a
            rest = self.page_rest(a) if self.is_field_only(b) else None
            return None if rest is None else bits.binary(node.op, rest, b)
        if node.op == "and" and node.args[1].op == "const" and (node.args[1].attr | 0xFFF) == (1 << node.width) - 1:
            rest = self.page_rest(node.args[0])
            return None if rest is None else rest & node.args[1]
        return None

    def op_pcoff(self, node: Bits) -> str:
        """Return the page offset of the instruction, from the record's address."""
        return self.let(f"trunc i64 {self.page_offset()} to i{node.width}")

    def page_offset(self) -> str:
        """Return the byte offset in the page as i64."""
        address = self.let("ptrtoint ptr %rec to i64")
        inside = self.let(f"and i64 {address}, {self.geometry.block - 1}")
        return self.let(f"lshr i64 {inside}, {self.geometry.shift}")

    def op_page(self, node: Bits) -> str:
        """Return the address of the page that is executing."""
        name = self.get_cell(ENGINE_CELLS["page_va"])
        return name if node.width == 64 else self.let(f"trunc i64 {name} to i{node.width}")

    # -- registers -----------------------------------------------------------------------------------------------
    def op_read(self, node: Bits) -> str:
        """Load a register."""
        name, index = node.attr
        address, stored = self.register(name, index if index is not None else node.args[0])
        value = self.let(f"load i{stored}, ptr {address}{STATE}")
        return value if stored == node.width else self.let(f"trunc i{stored} {value} to i{node.width}")

    def write(self, w: Write) -> None:
        """Store a register."""
        value = self.value(w.value)
        address, stored = self.register(w.cell.name, w.index)
        if w.pred is not None:
            old = self.let(f"load i{stored}, ptr {address}{STATE}")
            wide = value if stored == w.value.width else self.let(f"zext i{w.value.width} {value} to i{stored}")
            value = self.let(f"select i1 {self.value(w.pred)}, i{stored} {wide}, i{stored} {old}")
        elif stored != w.value.width:
            value = self.let(f"zext i{w.value.width} {value} to i{stored}")
        self.put(f"store i{stored} {value}, ptr {address}{STATE}")

    # -- memory --------------------------------------------------------------------------------------------------
    def slow_access(self, addr: str, info: int | str, slot: str, value: str) -> str:
        """Call the engine's slow access; leave with a fault if it failed."""
        self.set_cell(ENGINE_CELLS["budget"], "i64 %budget")
        function = self.get_cell(ENGINE_CELLS[slot], "ptr")
        result = self.let(f"call i64 {function}(ptr %st, ptr %rec, i64 {addr}, i64 {info}, i64 {value})")
        failed = self.let(f"icmp ne i64 {self.get_cell(ENGINE_CELLS['fault'])}, 0")
        bad, good = self.new("bad"), self.new("good")
        self.put(f"br i1 {failed}, label %{bad}, label %{good}, !prof !10")
        self.label(bad)
        marks = self.checkpoint()
        for w in self.kept:
            self.write(w)
        self.rollback(marks)
        self.set_cell(ENGINE_CELLS["exit_reason"], f"i64 {FAULT}")
        self.tail_slot("trap", "%rec", "%budget")
        self.label(good)
        short = self.let(f"icmp ne i64 {self.get_cell(ENGINE_CELLS['deferred'])}, 0")      # the run is to end after this instruction
        self.put(f"store i64 {self.let(f'select i1 {short}, i64 1, i64 %budget')}, ptr %left")
        return result

    def checked(self, ok: str, fast: Callable[[], str], slow: Callable[[], str], kind: str) -> str:
        """Emit fast where ok, else slow; return the joined value."""
        yes, no, join = self.new("fast"), self.new("slow"), self.new("join")
        self.put(f"br i1 {ok}, label %{yes}, label %{no}{LIKELY}")
        self.label(no)
        b = slow()
        last_b = self.block
        self.put(f"br label %{join}")
        self.label(yes)
        a = fast()
        last_a = self.block
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi {kind} [ {a}, %{last_a} ], [ {b}, %{last_b} ]") if kind else ""

    def load(self, e: Load) -> None:
        """Emit a guest load."""
        kind = f"i{e.size * 8}"

        def body() -> str:
            addr = self.address(e.addr)
            if not e.checked:
                return self.emit_load(addr, e.size)

            def slow() -> str:
                raw = self.slow_access(addr, access_info(e.size, e.align, write=False), "load", "0")
                return raw if e.size == 8 else self.let(f"trunc i64 {raw} to {kind}")
            return self.checked(self.access_ok(addr, e.size, e.align, write=False), lambda: self.emit_load(addr, e.size), slow, kind)

        if e.pred is not None:
            self.address(e.addr)
        self.remember(e.result, self.predicated(e.pred, body, kind))

    def store(self, e: Store) -> None:
        """Emit a guest store."""
        value = self.value(e.value)
        kind = f"i{e.size * 8}"

        def body() -> None:
            addr = self.address(e.addr)
            if not e.checked:
                self.emit_store(addr, e.size, value)
                return

            def fast() -> str:
                self.emit_store(addr, e.size, value)
                return ""

            def slow() -> str:
                wide = value if e.size == 8 else self.let(f"zext {kind} {value} to i64")
                return self.slow_access(addr, access_info(e.size, e.align, write=True), "store", wide)
            self.checked(self.access_ok(addr, e.size, e.align, write=True), fast, slow, "")

        if e.pred is not None:
            self.address(e.addr)
        self.predicated(e.pred, body)

    def probe(self, e: Probe) -> None:
        """Emit a check of a whole range."""
        def body() -> None:
            addr = self.address(e.addr)
            size: int | str = e.size if isinstance(e.size, int) else self.address(e.size)
            base = access_info(0, e.align, write=e.write) | PROBE
            info = base + size if isinstance(size, int) else self.let(f"add i64 {size}, {base}")

            def slow() -> str:
                return self.slow_access(addr, info, "store" if e.write else "load", "0")
            self.checked(self.access_ok(addr, size, e.align, write=e.write), lambda: "", slow, "")
        self.predicated(e.pred, body)

    def on_fault(self, e: OnFault) -> None:
        """Name what the writes need here: where an access faults it is too late to read registers."""
        assert e.pred is None
        self.kept = e.writes
        for w in e.writes:
            self.value(w.value)
            if isinstance(w.index, Bits):
                self.value(w.index)

    # -- leaving -------------------------------------------------------------------------------------------------
    def abort(self, e: Abort) -> None:
        """Leave before anything is committed."""
        go = self.new("on")
        if e.pred is not None:
            leave = self.new("leave")
            self.put(f"br i1 {self.value(e.pred)}, label %{leave}, label %{go}, !prof !10")
            marks = self.checkpoint()
            self.label(leave)
        self.set_cell(ENGINE_CELLS["exit_reason"], f"i64 {TRAP_BASE + TRAPS.index(e.kind)}")
        self.set_cell(ENGINE_CELLS["exit_pc"], f"i64 {self.let(f'zext i32 {self.value(e.number)} to i64')}")
        self.tail_slot("trap", "%rec", "%budget")
        self.label(go)
        if e.pred is not None:
            self.rollback(marks)

    def run(self, cpu: Recorder) -> None:
        """Emit the whole instruction."""
        self.put("%left = alloca i64")              # the budget: a slow access may cut it short
        self.put("store i64 %budget, ptr %left")
        if isinstance(self.length, Bits):
            self.value(self.length)                 # where every way out can see it
        self.effects(cpu)
        values = [(w, self.value(w.value)) for w in cpu.writes]          # all reads happen before the first write
        controls = [(t, self.value(t.pred) if t.pred is not None else "", self.value(t.number)) for t in cpu.traps]
        for b in cpu.branches:
            self.prepare_branch(b)
        for w, _ in values:
            if w.pred is not None:
                self.value(w.pred)
            if isinstance(w.index, Bits):
                self.value(w.index)
        self.forget_raised()
        for w, _ in values:
            self.write(w)
        after = self.let(f"add i64 {self.let('load i64, ptr %left')}, -1")
        for trap, pred, number in controls:
            self.leave_trap(trap.kind, pred, number, after, cpu.branches)
        for b in cpu.branches:
            if self.branch(b, after):
                return
        self.dispatch(self.next_record(), after)

    def next_record(self) -> str:
        """Return the record of the instruction that follows."""
        if isinstance(self.length, int):
            return self.let(f"getelementptr i8, ptr %rec, i64 {self.length // self.geometry.unit * RECORD}")
        length = self.let(f"zext {self.typed(self.length)} to i64")
        return self.let(f"getelementptr i8, ptr %rec, i64 {self.let(f'shl i64 {length}, {self.geometry.shift}')}")

    def leave_trap(self, kind: str, pred: str, number: str, budget: str, branches: list[Branch]) -> None:
        """Leave after the instruction is complete, in the context that it has changed to."""
        on = self.new("on")
        if pred:
            leave = self.new("leave")
            self.put(f"br i1 {pred}, label %{leave}, label %{on}")
            self.label(leave)
        self.set_cell(ENGINE_CELLS["exit_reason"], f"i64 {TRAP_BASE + TRAPS.index(kind)}")
        self.set_cell(ENGINE_CELLS["exit_pc"], f"i64 {self.let(f'zext i32 {number} to i64')}")
        for b in branches:
            if b.context is not None:
                old = self.get_cell(ENGINE_CELLS["ctx_key"])
                new = self.new_context(b)
                if b.pred is not None:
                    self.set_cell(ENGINE_CELLS["ctx_key"], f"i64 {self.let(f'select i1 {self.value(b.pred)}, i64 {new}, i64 {old}')}")
        self.tail_slot("trap", self.next_record(), budget)
        self.label(on)

    def prepare_branch(self, b: Branch) -> None:
        """Compute what a branch needs before registers are written."""
        if b.pred is not None:
            self.value(b.pred)
        rest = None if self.raw else self.page_rest(b.target)
        if rest is not None and rest.op != "const":
            self.operand(rest, least=4)                # decoding reads it as 32 bits, to mark branch targets
        self.value(rest if rest is not None else b.target)
        if b.context is not None:
            self.value(b.context)

    def branch(self, b: Branch, budget: str) -> bool:
        """Emit a branch; return whether it is always taken."""
        on = self.new("on")
        marks = None
        if b.pred is not None:
            taken = self.new("taken")
            self.put(f"br i1 {self.value(b.pred)}, label %{taken}, label %{on}")
            marks = self.checkpoint()
            self.label(taken)
        rest = None if self.raw else self.page_rest(b.target)
        if rest is not None and b.context is None:
            self.branch_in_page(rest, b.kind, budget)
        else:
            pc = self.address(b.target)
            self.trace(pc, budget)
            key = self.new_context(b)
            self.jump(pc, key, budget)
        if marks is None:
            return True
        self.label(on)
        self.rollback(marks)
        return False

    def new_context(self, b: Branch) -> str:
        """Return the context key at the target; store it where it may differ."""
        if b.context is None:
            return self.get_cell(ENGINE_CELLS["ctx_key"])
        word = self.value(b.context)
        wide = self.let(f"zext i{b.context.width} {word} to i64")
        key = self.let(f"shl i64 {wide}, 48")
        self.set_cell(ENGINE_CELLS["ctx_key"], f"i64 {key}")
        return key

    def branch_in_page(self, rest: Bits, kind: str, budget: str) -> None:
        """Branch to page + rest: record arithmetic where that is inside the page."""
        offset = self.value(rest)
        if rest.op != "const":
            self.branch_operands.append((self.operand(rest).offset, kind))
        wide = self.let(f"sext i{rest.width} {offset} to i64") if rest.width < 64 else offset
        if self.tracing:
            target = self.let(f"add i64 {self.get_cell(ENGINE_CELLS['page_va'])}, {wide}")
            self.trace(self.let(f"and i64 {target}, {(1 << rest.width) - 1}") if rest.width < 64 else target, budget)
        inside = self.let(f"icmp ult i64 {wide}, 4096")
        here, away = self.new("here"), self.new("away")
        self.put(f"br i1 {inside}, label %{here}, label %{away}")
        self.label(away)
        target = self.let(f"add i64 {self.get_cell(ENGINE_CELLS['page_va'])}, {wide}")
        if rest.width < 64:
            target = self.let(f"and i64 {target}, {(1 << rest.width) - 1}")
        self.jump(target, self.get_cell(ENGINE_CELLS["ctx_key"]), budget)
        self.label(here)
        address = self.let("ptrtoint ptr %rec to i64")
        back = self.let(f"and i64 {address}, {self.geometry.block - 1}")
        ahead = self.let(f"shl i64 {wide}, {self.geometry.shift}")
        record = self.let(f"getelementptr i8, ptr %rec, i64 {self.let(f'sub i64 {ahead}, {back}')}")
        self.dispatch(record, budget)


def access_info(size: int, align: int, *, write: bool) -> int:
    """Return the description of an access as slow paths take it: bytes, alignment << 32, write << 48."""
    return size | align << 32 | int(write) << 48


class ExtractEmitter(Emitter):
    """Emits the operand extraction of one handler: from the instruction word and page offset."""

    def op_field(self, node: Bits) -> str:
        """Cut a field out of the word."""
        shift, width = node.attr
        word = "%rest" if shift >= HEAD else "%word"
        name = self.let(f"lshr i64 {word}, {shift % HEAD}") if shift % HEAD else word
        return name if width == 64 else self.let(f"trunc i64 {name} to i{width}")

    def op_pcoff(self, node: Bits) -> str:
        """Return the page offset of the instruction."""
        return self.let(f"trunc i64 %pcoff to i{node.width}")


class Extraction:
    """The function that extracts the operands of a batch of variants: @extract(record, word, its rest, page offset, variant)."""

    def __init__(self) -> None:
        self.em = ExtractEmitter()
        self.cases: list[str] = []

    def add(self, variant: Variant, operands: Iterable[Operand]) -> None:
        """Take in a variant whose operands are nodes of the graph that is open."""
        em = self.em
        em.forget()
        em.label(f"x{variant.index}")
        self.cases.append(f"i64 {variant.index}, label %x{variant.index}")
        for op in operands:
            value = em.value(op.node)
            if op.node.width > op.size * 8:
                value = em.let(f"trunc i{op.node.width} {value} to i{op.size * 8}")
            elif op.node.width < op.size * 8:
                value = em.let(f"zext i{op.node.width} {value} to i{op.size * 8}")
            em.put(f"store i{op.size * 8} {value}, ptr {em.let(f'getelementptr i8, ptr %rec, i64 {op.offset}')}, align 1")
        em.put("ret void")

    def text(self) -> str:
        """Return the function's LLVM text."""
        head = "define void @extract(ptr %rec, i64 %word, i64 %rest, i64 %pcoff, i64 %variant) #0 {"
        switch = f"  switch i64 %variant, label %none [ {' '.join(self.cases)} ]"
        return "\n".join([head, "entry:", switch, "none:", "  ret void", *self.em.lines, "}", ""])


@dataclass
class HandlerText:
    """LLVM text of a handler, and what decoding must know about it."""

    text: str
    declarations: set[str]
    branch_offset: int         # record offset of an in-page branch distance, 0: none
    call: bool                 # that branch is a call


def symbol(index: int) -> str:
    """Return the name of the handler of a variant in objects."""
    return f"h{index}"


def handler_text(variant: Variant, context: Any, layout: StateLayout, geometry: Geometry, extraction: Extraction, *,
                 tracing: bool, address_bits: int) -> HandlerText:
    """Stage a variant with run-time fields and emit its handler; its operands go to `extraction`."""
    for raw in range(3):
        cpu = stage_handler(variant, context, layout, address_bits)
        em = HandlerEmitter(layout, geometry, cpu.length, address_bits=address_bits, tracing=tracing, raw=raw)
        with suppress(OutOfOperands):
            em.run(cpu)
            break
    else:
        msg = f"{variant.name}: more operands than a record has room for"
        raise IsaError(msg)
    extraction.add(variant, em.operands.values())
    text = "\n".join([f"define {CONVENTION} void @{symbol(variant.index)}({SIGNATURE}) #0 {{", "entry:", *em.lines, "}", ""])
    at, kind = em.branch_operands[0] if em.branch_operands else (0, "")
    return HandlerText(text, em.declared, at, kind == "call")


def stage_handler(variant: Variant, context: Any, layout: StateLayout, address_bits: int) -> Recorder:
    """Stage a variant with run-time fields."""
    new_graph()
    pc = make("add", address_bits, (make("page", address_bits), zext(make("pcoff", 12), address_bits)))
    cpu = variant.row.isa.cpu(layout, pc, variant.row.isa.handler_length(), context)
    return run_row(variant, cpu, field_arguments(variant))
