"""The engine's native functions, as LLVM text: entering and leaving, lookup, decoding, heat, prefixes, slow accesses.

They are the same for every instruction set; what an instruction set adds are tables (decode tries, variants, prefixes)
and a few staged pieces (condition tests, the guard of T32's IT blocks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import extended_host, host
from xemu.core.bits import const, new_graph
from xemu.core.fp import NEVER_STICKY
from xemu.core.handlers import CodeEmitter, HandlerEmitter
from xemu.core.lower import CONVENTION, SIGNATURE
from xemu.core.lower_fp_plain import mine
from xemu.core.lower_fp_slow import extended_functions, slow_functions
from xemu.core.record import set_current
from xemu.core.records import (
    AGAIN,
    CELL_COUNTS,
    CELL_POSTS,
    CELL_READS,
    COLD_FLAGS,
    COLD_HEAT,
    COUNTED,
    COUNTER,
    COUNTER_BYTES,
    F_ACCESS,
    F_ALIGN,
    F_FULL,
    F_SLOW,
    F_WATCH,
    FINE,
    GRAIN,
    GUARD,
    JUMP_CACHE,
    JUMP_ENTRIES,
    KEPT,
    NEED_HANDLER,
    NEW_PAGE,
    NO_ROW,
    PAGE_ENTRY,
    PAGE_HASH,
    PINNED,
    POINT,
    POSTED,
    RING,
    SCAN_READS,
    STOP,
    T_NARROW,
    T_NARROW_VARIANTS,
    T_PREFIXES,
    T_WIDE,
    T_WIDE_VARIANTS,
    TABLES,
    TARGET,
    V_BRANCH,
    V_CALL,
    V_PREDICATED,
    V_REGISTERS,
    VARIANT,
    WATCH,
    Geometry,
)
from xemu.core.scanner import NativeMachine
from xemu.core.state import ENGINE_CELLS as CELL
from xemu.core.state import StateLayout

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xemu.core.target import IsaSet


class Native(CodeEmitter):
    """Writes one native function with Python as the macro assembler."""

    def __init__(self, name: str, signature: str = SIGNATURE, convention: str = CONVENTION, result: str = "void",
                 geometry: Geometry | None = None, layout: StateLayout | None = None, address_bits: int = 32) -> None:
        super().__init__(layout or StateLayout("none"), geometry or Geometry(4), address_bits=address_bits)
        self.head = f"define dso_local {convention} {result} @{name}({signature}) #0 {{"

    def text(self) -> str:
        """Return the whole function."""
        return "\n".join([self.head, "entry:", *self.lines, "}", ""])

    def at(self, base: str, offset: int | str) -> str:
        """Return base + offset."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def get(self, base: str, offset: int | str = 0, kind: str = "i64") -> str:
        """Load from base + offset."""
        return self.let(f"load {kind}, ptr {self.at(base, offset) if offset != 0 else base}, align 1")

    def put_at(self, base: str, offset: int | str, typed: str) -> None:
        """Store to base + offset."""
        self.put(f"store {typed}, ptr {self.at(base, offset) if offset != 0 else base}, align 1")

    def state(self, name: str, kind: str = "i64") -> str:
        """Load an engine cell."""
        return self.get_cell(CELL[name], kind)

    def set_state(self, name: str, typed: str) -> None:
        """Store an engine cell."""
        self.set_cell(CELL[name], typed)

    def op2(self, op: str, a: str, b: str | int, kind: str = "i64") -> str:
        """Emit a two-operand instruction."""
        return self.let(f"{op} {kind} {a}, {b}")

    def branch_if(self, c: str, yes: str, no: str, weights: str = "") -> None:
        """End the block."""
        self.put(f"br i1 {c}, label %{yes}, label %{no}{weights}")

    def go(self, label: str) -> None:
        """End the block."""
        self.put(f"br label %{label}")


def enter(layout: StateLayout) -> str:
    """The way in from Python: host floating-point flags are cleared before and merged into the sticky cell after."""
    f = Native("enter", "ptr %st, ptr %rec, i64 %budget", "")
    mem, perm, handler = f.state("memory", "ptr"), f.state("flags", "ptr"), f.get("%rec", 0, "ptr")
    host.enter_memory(f, mem)
    host.enter_float(f)
    f.put(f"call {CONVENTION} void {handler}(ptr %st, ptr %rec, ptr {mem}, ptr {perm}, i64 %budget)")
    raised = f.state("fp_raised")
    gathered = f.op2("and", host.leave_float(f), layout.host_exceptions, "i8")
    if layout.quiet:
        gathered = mine(f, gathered)
        f.set_state("host_mode", "i64 0")
    flags = f.op2("or", f.let(f"zext i8 {gathered} to i64"), f.op2("and", raised, ~NEVER_STICKY))
    f.set_state("fp_raised", "i64 0")
    if layout.sticky:
        cell = layout.cells[layout.sticky]
        kind = f"i{cell.width}"
        f.put_at("%st", cell.offset, f"{kind} {f.op2('or', f.get('%st', cell.offset, kind), f.let(f'trunc i64 {flags} to {kind}'), kind)}")
    f.put("ret void")
    return f.text()


def leave() -> str:
    """End a slice (`stop`), or leave for a reason already stored (`trap`)."""
    out = ""
    for name in ("stop", "trap"):
        f = Native(name)
        if name == "stop":
            f.set_state("exit_reason", f"i64 {STOP}")
        f.set_state("exit_record", "ptr %rec")
        f.set_state("budget", "i64 %budget")
        f.put("ret void")
        out += f.text()
    return out


def lookup(name: str, address_bits: int) -> str:
    """Find the record of exit_pc/exit_context in the page table; an unknown page leaves to the engine.

    `jump` enters it in the jump cache, marks it as a branch target and runs it; `resume` runs its plain handler.
    """
    f = Native(name, address_bits=address_bits)
    pc, context = f.state("exit_pc"), f.state("exit_context")
    page = f.op2("and", pc, -4096)
    key = f.op2("or", f.op2("or", page, context), 1)
    table, mask = f.state("page_table", "ptr"), f.state("page_table_mask")
    first = f.op2("lshr", f.op2("mul", key, PAGE_HASH - (1 << 64)), 40)
    if f.wide:                                          # no key stands for an address outside the window
        f.branch_if(f.in_window(pc), "probe", "miss")
    else:
        f.go("probe")
    f.label("probe")
    f.put(f"%i = phi i64 [ {first}, %entry ], [ %i2, %next ]")
    entry = f.at(table, f.op2("mul", f.op2("and", "%i", mask), PAGE_ENTRY))
    found_key = f.get(entry)
    f.branch_if(f.let(f"icmp eq i64 {found_key}, {key}"), "found", "other")
    f.label("other")
    f.branch_if(f.let(f"icmp eq i64 {found_key}, 0"), "miss", "next")
    f.label("next")
    f.put("%i2 = add i64 %i, 1")
    f.go("probe")
    f.label("miss")
    f.set_state("exit_reason", f"i64 {NEW_PAGE}")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("found")
    block, shift = f.get(entry, 8, "ptr"), f.get(entry, 16)
    offset = f.op2("shl", f.op2("and", pc, 4095), shift)
    record = f.at(block, offset)
    f.set_state("page_va", f"i64 {page}")
    f.set_state("ctx_key", f"i64 {context}")
    hot = f.op2("shl", "4096", shift)
    cold = f.at(block, f.op2("add", f.op2("add", hot, f.op2("lshr", hot, 2)), f.op2("lshr", offset, 1)))
    if name == "resume":
        plain, handler = f.get(cold, 0, "ptr"), f.get(record, 0, "ptr")
        f.branch_if(f.let("icmp eq i64 %budget, 0"), "end", "run", ", !prof !10")
        f.label("end")
        f.tail_slot("stop", record, "%budget")
        f.label("run")
        none = f.let(f"icmp eq ptr {plain}, null")
        f.tail(f.let(f"select i1 {none}, ptr {handler}, ptr {plain}"), record, "%budget")
        return f.text()
    unit = f.call("i64", "llvm.cttz.i64", f"i64 {f.op2('lshr', '32', shift)}", "i1 true")
    slot = f.op2("and", f.op2("lshr", pc, unit), JUMP_ENTRIES - 1)
    cached = f.at("%st", f.op2("add", f.op2("shl", slot, 4), JUMP_CACHE))
    f.put_at(cached, 0, f"i64 {f.op2('or', pc, context)}")
    f.put_at(cached, 8, f"ptr {record}")
    mark_target(f, record, cold, f.get(entry, 24, "ptr"), "go")
    f.label("go")
    f.dispatch(record, "%budget")
    return f.text()


def mark_target(f: Native, record: str, cold: str, counting: str, then: str) -> None:
    """Make a record count its executions, if it does not yet; continue at label `then`."""
    mark, swap = f.new("mark"), f.new("swap")
    flags = f.get(cold, COLD_FLAGS, "i32")
    fresh = f.let(f"icmp eq i32 {f.op2('and', flags, TARGET | PINNED, 'i32')}, 0")
    f.branch_if(fresh, mark, then)
    f.label(mark)
    threshold = f.let(f"trunc i64 {f.state('heat')} to i32")
    f.put_at(cold, COLD_FLAGS, f"i32 {f.op2('or', flags, TARGET, 'i32')}")
    f.put_at(cold, COLD_HEAT, f"i32 {threshold}")
    undecoded = f.let(f"icmp eq ptr {f.get(record, 8, 'ptr')}, null")
    f.branch_if(undecoded, then, swap)
    f.label(swap)
    f.put_at(cold, 0, f"ptr {f.get(record, 0, 'ptr')}")
    f.put_at(record, 0, f"ptr {counting}")
    f.go(then)


def heat(geometry: Geometry, name: str) -> str:
    """Count a branch target down; at zero offer it to the compiler, and begin anew with AGAIN times as many."""
    f = Native(name, geometry=geometry)
    cold = cold_of(f, "%rec", geometry)
    plain = f.get(cold, 0, "ptr")
    left = f.op2("add", f.get(cold, COLD_HEAT, "i32"), -1, "i32")
    f.put_at(cold, COLD_HEAT, f"i32 {left}")
    f.branch_if(f.let(f"icmp eq i32 {left}, 0"), "hot", "on", ", !prof !10")
    f.label("hot")                                      # counts on: who is offered often is compiled first
    f.put_at(cold, COLD_HEAT, f"i32 {f.let('trunc i64 ' + f.op2('shl', f.state('heat'), AGAIN.bit_length() - 1) + ' to i32')}")
    head = f.state("ring_head")
    f.branch_if(f.let(f"icmp uge i64 {head}, {RING}"), "on", "push")
    f.label("push")
    f.put_at(f.state("ring", "ptr"), f.op2("shl", head, 3), "ptr %rec")
    f.set_state("ring_head", f"i64 {f.op2('add', head, 1)}")
    f.go("on")
    f.label("on")
    f.tail(plain, "%rec", "%budget")
    return f.text()


def point(geometry: Geometry, name: str) -> str:
    """Leave before an instruction that somebody wants to see; where points are off, run its plain handler."""
    f = Native(name, geometry=geometry)
    f.branch_if(f.let(f"icmp eq i64 {f.state('points_off')}, 0"), "leave", "on")
    f.label("leave")
    f.set_state("exit_reason", f"i64 {POINT}")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("on")
    f.tail(f.get(cold_of(f, "%rec", geometry), 0, "ptr"), "%rec", "%budget")
    return f.text()


def cold_of(f: Native, record: str, geometry: Geometry) -> str:
    """Return the cold part of a record."""
    inside = f.op2("and", f.let(f"ptrtoint ptr {record} to i64"), geometry.block - 1)
    return f.at(f.at(record, f.op2("sub", str(geometry.cold), inside)), f.op2("lshr", inside, 1))


def page_end(geometry: Geometry, name: str, address_bits: int) -> str:
    """Continue on the next page: the handler of the records after a page's last one."""
    f = Native(name, geometry=geometry)
    inside = f.op2("and", f.let("ptrtoint ptr %rec to i64"), geometry.block - 1)
    pc = f.op2("add", f.state("page_va"), f.op2("lshr", inside, geometry.shift))
    f.set_state("exit_pc", f"i64 {pc if address_bits == 64 else f.op2('and', pc, (1 << address_bits) - 1)}")
    f.set_state("exit_context", f"i64 {f.state('ctx_key')}")
    f.tail_slot("jump", "%rec", "%budget")
    return f.text()


def access(address_bits: int) -> str:
    """A load, store or probe that the fast path refused (see handlers.access_info); faults are left in the state."""
    f = Native("access", "ptr %st, ptr %rec, i64 %addr, i64 %info, i64 %value", "", "i64", address_bits=address_bits)
    size, write = f.op2("and", "%info", 0xFFFFFFFF), f.let("trunc i64 " + f.op2("lshr", "%info", 48) + " to i1")
    probe = f.let("trunc i64 " + f.op2("lshr", "%info", 49) + " to i1")
    align = f.op2("and", f.op2("lshr", "%info", 32), 0xFFFF)
    mem, flags = f.state("memory", "ptr"), f.state("flags", "ptr")
    f.set_state("fault", "i64 0")
    need = f.let(f"select i1 {write}, i8 2, i8 1")
    odd = f.op2("and", "%addr", f.call("i64", "llvm.usub.sat.i64", f"i64 {align}", "i64 1"))
    first = f.op2("lshr", "%addr", 12)
    last_byte = f.op2("sub", f.op2("add", "%addr", size), 1)
    last = f.op2("lshr", last_byte, 12)
    f.branch_if(f.let(f"icmp eq i64 {odd}, 0"), "aligned", "misaligned")
    f.label("misaligned")
    f.put("br label %fail")
    f.label("aligned")
    f.branch_if(f.let(f"icmp eq i64 {size}, 0"), "nothing", "watches")
    f.label("nothing")
    f.put("ret i64 0")
    f.label("watches")
    _watched(f, need, last_byte)
    f.label("pages")
    f.put(f"%p = phi i64 [ {first}, %watches ], [ {first}, %unwatched ], [ %p2, %ok ]")
    start = f.op2("shl", "%p", 12)
    if f.wide:                                                           # what ends above the window meets its end first
        f.branch_if(f.in_window(start), "inside", "denied")
        f.label("inside")
    flag = f.get(flags, "%p", "i8")
    f.branch_if(f.let(f"icmp eq i8 {f.op2('and', flag, 8, 'i8')}, 0"), "quick", "slow")
    f.label("slow")
    block = f.get(f.state("slow_pages", "ptr"), f.op2("shl", "%p", 3))
    f.branch_if(f.let(f"icmp eq i64 {f.op2('and', block, FINE)}, 0"), "device", "fine")
    f.label("device")
    f.put(f"%block = phi i64 [ {block}, %slow ], [ %rom, %read_only ]")
    _device(f, "%block", write, probe, size)
    f.label("fine")
    _fine(f, block, need, last_byte)
    f.label("quick")
    lacks = f.let(f"icmp eq i8 {f.op2('and', flag, need, 'i8')}, 0")
    f.branch_if(lacks, "lacking", "memory")
    f.label("lacking")                                                   # a write to read-only memory may be somebody's matter
    somebody = f.op2("and", write, f.let(f"icmp ne i8 {flag}, 0"), "i1") if f.wide else write      # a small window's table ends with it
    f.branch_if(somebody, "read_only", "denied")
    f.label("read_only")
    table = f.at(f.state("slow_pages", "ptr"), f.op2("shl", "%p", 3))
    f.put(f"%rom = load i64, ptr {table}, align 1")
    f.branch_if(f.let("icmp eq i64 %rom, 0"), "denied", "device")
    f.label("denied")
    f.put("br label %fail")
    f.label("memory")
    f.branch_if(write, "writes", "ok")
    f.label("writes")
    dirty = f.op2("and", flag, ~32, "i8")                                # no longer clean; fast unless code or slow
    careful = f.let(f"icmp ne i8 {f.op2('and', flag, 16 | 8, 'i8')}, 0")
    fast = f.op2("or", dirty, -128, "i8")
    f.branch_if(f.let(f"icmp eq i8 {f.op2('and', flag, 32, 'i8')}, 0"), "changed", "clean")
    f.label("clean")
    _keep(f, mem)
    f.label("changed")
    f.put_at(flags, "%p", f"i8 {f.let(f'select i1 {careful}, i8 {dirty}, i8 {fast}')}")
    f.branch_if(f.let(f"icmp eq i8 {f.op2('and', flag, 16, 'i8')}, 0"), "ok", "code")
    f.label("code")
    _hit_granules(f, last_byte)
    f.label("ok")
    f.put("%p2 = add i64 %p, 1")
    f.branch_if(f.let(f"icmp ugt i64 %p2, {last}"), "do", "pages")
    f.label("fail")
    ways = ((F_ALIGN, "0", "misaligned"), (F_ACCESS, start, "denied"), (F_ACCESS, "%at", "grain_denied"), (F_SLOW, start, "by_hand"),
            (F_FULL, start, "full"))
    f.put("%kind = phi i64 " + ", ".join(f"[ {kind}, %{label} ]" for kind, _, label in ways))
    f.put("%p_ = phi i64 " + ", ".join(f"[ {at}, %{label} ]" for _, at, label in ways))
    bad = f.call("i64", "llvm.umax.i64", "i64 %p_", "i64 %addr")
    f.set_state("fault", "i64 %kind")
    f.set_state("fault_address", f"i64 {bad}")
    f.set_state("fault_access", f"i64 {f.let(f'zext i8 {need} to i64')}")
    f.put("ret i64 0")
    f.label("do")
    f.branch_if(probe, "done", "transfer")
    f.label("done")
    f.put("ret i64 0")
    f.label("transfer")
    where = f.at(mem, "%addr")
    f.branch_if(write, "stores", "loads")
    for kind in ("stores", "loads"):
        f.label(kind)
        f.put(f"switch i64 {size}, label %done [ " + " ".join(f"i64 {n}, label %{kind}{n}" for n in (1, 2, 4, 8)) + " ]")
        for n in (1, 2, 4, 8):
            f.label(f"{kind}{n}")
            t = f"i{8 * n}"
            if kind == "stores":
                value = "%value" if n == 8 else f.let(f"trunc i64 %value to {t}")
                f.put(f"store {t} {value}, ptr {where}, align 1")
                f.put("ret i64 0")
            else:
                value = f.let(f"load {t}, ptr {where}, align 1")
                f.put(f"ret i64 {value if n == 8 else f.let(f'zext {t} {value} to i64')}")
    return f.text()


def _watched(f: Native, need: str, last_byte: str) -> None:
    """Stop before an access that touches a watched range: `fault_address` is the number of the range."""
    count, table = f.state("watch_count"), f.state("watches", "ptr")
    f.branch_if(f.let(f"icmp eq i64 {count}, 0"), "pages", "watch")
    f.label("watch")
    f.put("%w = phi i64 [ 0, %watches ], [ %w2, %unwatching ]")
    entry = f.at(table, f.op2("mul", "%w", WATCH))
    touches = f.op2("and", f.let(f"icmp ule i64 {f.get(entry)}, {last_byte}"), f.let(f"icmp uge i64 {f.get(entry, 8)}, %addr"), "i1")
    wanted = f.let(f"icmp ne i8 {f.op2('and', f.get(entry, 16, 'i8'), need, 'i8')}, 0")
    f.branch_if(f.op2("and", touches, wanted, "i1"), "caught", "unwatching")
    f.label("unwatching")
    f.put("%w2 = add i64 %w, 1")
    f.branch_if(f.let(f"icmp eq i64 %w2, {count}"), "unwatched", "watch")
    f.label("caught")
    f.set_state("fault", f"i64 {F_WATCH}")
    f.set_state("fault_address", "i64 %w")
    f.set_state("fault_access", f"i64 {f.let(f'zext i8 {need} to i64')}")
    f.put("ret i64 0")
    f.label("unwatched")
    f.go("pages")


def _keep(f: Native, mem: str) -> None:
    """Keep the contents of the CLEAN page %p before its first change; where the ring is full the engine empties it first."""
    count, room = f.state("kept_count"), f.state("kept_room")
    f.branch_if(f.let(f"icmp ult i64 {count}, {room}"), "keep", "no_room")
    f.label("no_room")                                                   # room 0: nobody wants them
    f.branch_if(f.let(f"icmp eq i64 {room}, 0"), "changed", "full")
    f.label("full")
    f.put("br label %fail")
    f.label("keep")
    entry = f.at(f.state("kept", "ptr"), f.op2("mul", count, KEPT))
    f.put_at(entry, 0, "i64 %p")
    source, to = f.at(mem, f.op2("shl", "%p", 12)), f.at(entry, 16)
    f.go("copying")
    f.label("copying")
    f.put("%c = phi i64 [ 0, %keep ], [ %c2, %copying ]")
    f.put(f"store <8 x i64> {f.let('load <8 x i64>, ptr ' + f.at(source, '%c') + ', align 8')}, ptr {f.at(to, '%c')}, align 8")
    f.put("%c2 = add i64 %c, 64")
    f.branch_if(f.let("icmp eq i64 %c2, 4096"), "copied", "copying")
    f.label("copied")
    f.set_state("kept_count", f"i64 {f.op2('add', count, 1)}")
    f.go("changed")


def _device(f: Native, block: str, write: str, probe: str, size: str) -> None:
    """An access to a device: a register that is kept in a cell, a posted write, or the machine's own function."""
    f.branch_if(probe, "by_hand", "cells")
    f.label("by_hand")
    f.put("br label %fail")
    f.label("cells")
    offset = f.op2("and", "%addr", 4095)
    word = f.op2("lshr", offset, 2)
    how = f.at(f.let(f"inttoptr i64 {block} to ptr"), word)
    reads, posts = f.get(how, CELL_READS, "i8"), f.get(how, CELL_POSTS, "i8")
    allowed = f.let(f"select i1 {write}, i8 {posts}, i8 {reads}")
    narrow = f.let(f"trunc i64 {size} to i8")                    # a cell allows sizes 1, 2, 4 by the bit of that value
    odd = f.op2("and", "%addr", f.op2("sub", size, 1))
    may = f.op2("and", f.let(f"icmp ne i8 {f.op2('and', allowed, narrow, 'i8')}, 0"), f.let(f"icmp eq i64 {odd}, 0"), "i1")
    f.branch_if(may, "cell", "python")
    f.label("cell")
    f.branch_if(write, "post", "read")
    f.label("read")
    f.branch_if(f.let(f"icmp ne i8 {f.op2('and', reads, COUNTER | COUNTED, 'i8')}, 0"), "special", "plain")
    f.label("special")
    f.branch_if(f.let(f"icmp ne i8 {f.op2('and', reads, COUNTED, 'i8')}, 0"), "note", "noted")
    f.label("note")
    seen = f.at(f.let(f"inttoptr i64 {f.op2('add', block, CELL_COUNTS)} to ptr"), f.op2("and", offset, -4))
    f.put_at(seen, 0, f"i32 {f.op2('add', f.get(seen, 0, 'i32'), 1, 'i32')}")
    f.go("noted")
    f.label("noted")
    f.branch_if(f.let(f"icmp ne i8 {f.op2('and', reads, COUNTER, 'i8')}, 0"), "counter", "plain")
    f.label("counter")
    cell = f.get(f.let(f"inttoptr i64 {block} to ptr"), f.op2("and", offset, -4), "i32")
    index = f.let(f"zext i32 {cell} to i64")
    c = f.at(f.state("counters", "ptr"), f.op2("mul", index, COUNTER_BYTES))
    beats = f.op2("add", f.op2("sub", f.state("insn_end"), f.state("budget")), f.state("skipped"))
    elapsed = f.op2("sub", beats, f.get(c, 0))
    f.branch_if(f.let(f"icmp ugt i64 {elapsed}, {f.get(c, 56)}"), "python", "ticking")
    f.label("ticking")
    ticks = f.op2("udiv", f.op2("add", f.op2("mul", elapsed, f.get(c, 8)), f.get(c, 16)), f.get(c, 24))
    modulus = f.get(c, 48)
    ticks = f.op2("urem", ticks, modulus)
    down = f.let(f"icmp ne i64 {f.get(c, 40)}, 0")
    ticks = f.let(f"select i1 {down}, i64 {f.op2('sub', modulus, ticks)}, i64 {ticks}")
    count = f.op2("urem", f.op2("add", f.get(c, 32), ticks), modulus)
    f.put(f"ret i64 {f.op2('lshr', count, f.op2('shl', f.op2('and', offset, 3), 3))}")
    f.label("plain")
    value = f.get(f.let(f"inttoptr i64 {block} to ptr"), f.op2("and", offset, -4), "i32")
    shift = f.let(f"trunc i64 {f.op2('shl', f.op2('and', offset, 3), 3)} to i32")
    value = f.op2("lshr", value, shift, "i32")
    f.put(f"ret i64 {f.let(f'zext i32 {value} to i64')}")
    f.label("post")
    count = f.state("posted_count")
    f.branch_if(f.let(f"icmp ult i64 {count}, {f.state('posted_room')}"), "posts", "python")
    f.label("posts")
    entry = f.at(f.state("posted", "ptr"), f.op2("mul", count, POSTED))
    f.put_at(entry, 0, f"i64 {f.op2('add', f.op2('sub', f.state('insn_end'), f.state('budget')), f.state('skipped'))}")
    f.put_at(entry, 8, f"i32 {f.let('trunc i64 %value to i32')}")
    f.put_at(entry, 12, f"i32 {f.let('trunc i64 %addr to i32')}")
    f.set_state("posted_count", f"i64 {f.op2('add', count, 1)}")
    f.put("ret i64 0")
    f.label("python")
    saved = host.begin_operation(f, "0")                         # Python computes with floats of its own
    result = f.let(f"call i64 {f.state('device', 'ptr')}(i64 %addr, i64 %info, i64 %value)")
    host.end_operation(f, saved)
    f.put(f"ret i64 {result}")


def _fine(f: Native, block: str, need: str, last_byte: str) -> None:
    """A page of memory whose rights differ within it: each grain that the access touches must allow it."""
    grains = f.let(f"inttoptr i64 {f.op2('sub', block, FINE)} to ptr")
    start = f.op2("shl", "%p", 12)
    low = f.call("i64", "llvm.umax.i64", "i64 %addr", f"i64 {start}")
    high = f.call("i64", "llvm.umin.i64", f"i64 {last_byte}", f"i64 {f.op2('or', start, 4095)}")
    begin = f.op2("and", low, -GRAIN)
    before = f.block
    f.go("grain")
    f.label("grain")
    f.put(f"%at = phi i64 [ {begin}, %{before} ], [ %at2, %grain_ok ]")
    rights = f.get(grains, f.op2("lshr", f.op2("and", "%at", 4095), GRAIN.bit_length() - 1), "i8")
    f.branch_if(f.let(f"icmp eq i8 {f.op2('and', rights, need, 'i8')}, 0"), "grain_denied", "grain_ok")
    f.label("grain_denied")
    f.put("br label %fail")
    f.label("grain_ok")
    f.put(f"%at2 = add i64 %at, {GRAIN}")
    f.branch_if(f.let(f"icmp ugt i64 %at2, {high}"), "memory", "grain")


def _hit_granules(f: Native, last_byte: str) -> None:
    """If the store touches a 64-byte granule with decoded bytes, note it and end the run after this instruction."""
    base = f.op2("shl", "%p", 12)
    end = f.op2("or", base, 4095)
    low = f.call("i64", "llvm.umax.i64", "i64 %addr", f"i64 {base}")
    high = f.call("i64", "llvm.umin.i64", f"i64 {last_byte}", f"i64 {end}")
    a, b = (f.op2("lshr", f.op2("and", x, 4095), 6) for x in (low, high))
    upto = f.op2("lshr", "-1", f.op2("sub", "63", b))
    touched = f.op2("and", upto, f.op2("shl", "-1", a))
    bits = f.get(f.state("granules", "ptr"), f.op2("shl", "%p", 3))
    f.branch_if(f.let(f"icmp eq i64 {f.op2('and', bits, touched)}, 0"), "ok", "hit")
    f.label("hit")
    f.set_state("code_write", f"i64 {f.op2('add', '%addr', 1)}")
    f.set_state("code_write_size", f"i64 {f.op2('add', f.op2('sub', last_byte, '%addr'), 1)}")
    cut = f.state("deferred")
    f.branch_if(f.let(f"icmp eq i64 {cut}, 0"), "cut", "ok")
    f.label("cut")
    budget = f.state("budget")
    f.set_state("deferred", f"i64 {f.op2('sub', budget, 1)}")
    f.go("ok")


def prefixes(iset: IsaSet, layout: StateLayout, address_bits: int) -> tuple[str, set[str], dict[int, str]]:
    """Return the prefix handlers of an instruction set: text, declarations and names by table index.

    A prefix tests the condition, stores what R15 reads as, checks and advances the guard, then runs the body.
    """
    text, declared, names = "", set[str](), dict[int, str]()
    if not iset.prefixed:
        return text, declared, names
    lengths = [b // 8 for b in iset.bits]
    for wide, length in enumerate(lengths):
        for guarded in ((0, 1) if iset.guard else (0,)):
            for reads_pc in (0, 1):
                for cond in range(15):
                    if not guarded and ((cond == 14 and not reads_pc) or (cond < 14 and iset.guard)):
                        continue
                    name = f"p_{iset.name}_{wide}{guarded}{reads_pc}_{cond}"
                    em = _prefix(iset, layout, address_bits, length, cond, guarded=bool(guarded), reads_pc=bool(reads_pc))
                    names[prefix_index(cond, reads_pc, guarded, wide)] = name
                    text += "\n".join([f"define dso_local {CONVENTION} void @{name}({SIGNATURE}) #0 {{", "entry:", *em.lines, "}", ""])
                    declared |= em.declared
    return text, declared, names


def prefix_index(cond: int, reads_pc: int, guarded: int, wide: int) -> int:
    """Return the place of a prefix in the prefix table."""
    return cond | reads_pc << 4 | guarded << 5 | wide << 6


def _prefix(iset: IsaSet, layout: StateLayout, address_bits: int, length: int, cond: int, *, guarded: bool,
            reads_pc: bool) -> HandlerEmitter:
    new_graph()
    em = HandlerEmitter(layout, iset.geometry, length, address_bits=address_bits)
    cpu = iset.narrow.cpu(layout, const(0, address_bits), length, None)
    set_current(cpu)
    if guarded:
        cell = layout.cells[iset.guard]
        now = cpu.read(cell, 0)
        own = em.let(f"load i8, ptr {em.let(f'getelementptr i8, ptr %rec, i64 {GUARD}')}, align 1")
        same = em.let(f"icmp eq i8 {em.value(now)}, {own}")
        em.put(f"br i1 {same}, label %same, label %again, !prof !0")
        em.label("again")
        em.tail(f"@decode_{iset.name}", "%rec", "%budget")
        em.label("same")
        advanced = em.value(iset.advance(cpu, now))
    if reads_pc:
        pc = em.let(f"add i64 {em.get_cell(CELL['page_va'])}, {em.page_offset()}")
        value = em.let(f"trunc i64 {em.let(f'add i64 {pc}, {iset.pc_offset}')} to i32")
        em.put(f"store i32 {value}, ptr {em.cell(layout.cells['R'].at(15))}")
    if cond < 14:
        test = em.value(iset.condition(cpu, cond))
        if guarded:
            em.put(f"store i8 {advanced}, ptr {em.cell(cell.offset)}")
        em.put(f"br i1 {test}, label %pass, label %skip")
        em.label("skip")
        em.dispatch(em.next_record(), em.let("add i64 %budget, -1"))
        em.label("pass")
    elif guarded:
        em.put(f"store i8 {advanced}, ptr {em.cell(cell.offset)}")
    body = em.let(f"load ptr, ptr {em.let('getelementptr i8, ptr %rec, i64 8')}")
    em.tail(body, "%rec", "%budget")
    set_current(None)
    return em


def decode(iset: IsaSet, layout: StateLayout, name: str) -> str:
    """The handler of records not decoded yet: walk the trie, extract operands, choose the plain handler, run it."""
    g = iset.geometry
    f = Native(name, geometry=g, layout=layout)
    inside = f.op2("and", f.let("ptrtoint ptr %rec to i64"), g.block - 1)
    pcoff = f.op2("lshr", inside, g.shift)
    pc = f.op2("add", f.state("page_va"), pcoff)
    tables = f.at(f.state("decode_tables", "ptr"), f.op2("mul", f.op2("lshr", f.state("ctx_key"), 48), TABLES))
    guard = "0"
    if iset.guard:
        guard = f.get("%st", layout.cells[iset.guard].offset, "i8")
    unit = f.geometry.unit
    if iset.scan:
        return _decode_scanned(f, iset, pc, pcoff, tables)
    first = f.let(f"load i{8 * unit}, ptr {f.at('%mem', pc)}, align 1")
    if iset.big:
        first = f.let(f"call i{8 * unit} @llvm.bswap.i{8 * unit}(i{8 * unit} {first})")
    word = f.let(f"zext i{8 * unit} {first} to i64")
    if len(iset.bits) > 1:
        is_wide = f.let(f"icmp uge i64 {word}, {iset.wide_from}")
        f.branch_if(is_wide, "wide", "narrow")
        f.label("wide")
        second = f.op2("add", pc, unit)
        f.branch_if(f.let(f"icmp eq i64 {pcoff}, {4096 - unit}"), "crossing", "fetch")
        f.label("crossing")                                # the second half is on the next page: it must be executable
        flag = f.get(f.state("flags", "ptr"), f.op2("lshr", second, 12), "i8")
        f.branch_if(f.let(f"icmp eq i8 {f.op2('and', flag, 4, 'i8')}, 0"), "nofetch", "fetch")
        f.label("nofetch")
        f.set_state("exit_reason", f"i64 {NO_ROW}")
        f.set_state("exit_pc", f"i64 {second}")
        f.tail_slot("trap", "%rec", "%budget")
        f.label("fetch")
        half = f.let(f"zext i16 {f.get(f.at('%mem', second), 0, 'i16')} to i64")
        joined = f.op2("or", f.op2("shl", word, 16), half)
        wt, wv = f.get(tables, T_WIDE, "ptr"), f.get(tables, T_WIDE_VARIANTS, "ptr")
        f.go("walk")
        f.label("narrow")
    nt, nv = f.get(tables, T_NARROW, "ptr"), f.get(tables, T_NARROW_VARIANTS, "ptr")
    f.go("walk")
    f.label("walk")
    if len(iset.bits) > 1:
        word = f.let(f"phi i64 [ {word}, %narrow ], [ {joined}, %fetch ]")
        trie = f.let(f"phi ptr [ {nt}, %narrow ], [ {wt}, %fetch ]")
        variants = f.let(f"phi ptr [ {nv}, %narrow ], [ {wv}, %fetch ]")
        wide = f.let("phi i64 [ 0, %narrow ], [ 1, %fetch ]")
        if iset.guard:
            active = f.let(f"icmp ne i8 {f.op2('and', guard, 15, 'i8')}, 0")
            bit = f.let(f"zext i1 {active} to i64")
            at = f.let(f"select i1 {f.let(f'icmp eq i64 {wide}, 0')}, i64 {8 * unit}, i64 {16 * unit}")
            word = f.op2("or", word, f.op2("shl", bit, at))
    else:
        trie, variants, wide = nt, nv, "0"
    entry, body = _find_body(f, trie, variants, word, "0", pc, pcoff)
    f.put_at("%rec", GUARD, f"i8 {guard}")
    plain = _choose_prefix(f, iset, tables, entry, word, wide, guard, body) if iset.prefixed else body
    _mark_branch_target(f, entry, pcoff, g, f"@heat_{iset.name}")
    f.label("install")
    # bytes of this instruction are code now: stores to their granules must be seen
    granules = f.state("granules", "ptr")
    slot = f.op2("shl", f.op2("lshr", pc, 12), 3)
    mask = f.op2("shl", "1", f.op2("lshr", pcoff, 6))
    f.put_at(granules, slot, f"i64 {f.op2('or', f.get(granules, slot), mask)}")
    if len(iset.bits) > 1:
        end = f.op2("add", pc, f.op2("add", f.op2("shl", wide, unit.bit_length() - 1), unit - 1))
        slot = f.op2("shl", f.op2("lshr", end, 12), 3)
        mask = f.op2("shl", "1", f.op2("lshr", f.op2("and", end, 4095), 6))
        f.put_at(granules, slot, f"i64 {f.op2('or', f.get(granules, slot), mask)}")
        crossing = f.op2("and", f.let(f"icmp eq i64 {wide}, 1"), f.let(f"icmp eq i64 {pcoff}, {4096 - unit}"), "i1")
        f.branch_if(crossing, "across", "within")
        f.label("across")                                  # depends on two pages: decode each time
        f.tail(plain, "%rec", "%budget")
        f.label("within")
    _install(f, plain, iset)
    return f.text()


def _decode_scanned(f: Native, iset: IsaSet, pc: str, pcoff: str, tables: str) -> str:
    """Decode an instruction of variable length: scan its bytes, then as above."""
    copy = f.let(f"alloca [{SCAN_READS} x i8], align 16")
    here = f.op2("sub", "4096", pcoff)
    direct = f.at("%mem", pc)
    f.branch_if(f.let(f"icmp uge i64 {here}, {SCAN_READS}"), "scan", "short")
    f.label("short")                                       # near the page's end: what stands on the next page counts if it is executable
    f.put(f"store [{SCAN_READS} x i8] zeroinitializer, ptr {copy}, align 16")
    last = f.op2("lshr", f.op2("add", pc, SCAN_READS - 1), 12)
    flag = f.get(f.state("flags", "ptr"), last, "i8")
    more = f.let(f"icmp ne i8 {f.op2('and', flag, 4, 'i8')}, 0")
    count = f.let(f"select i1 {more}, i64 {SCAN_READS}, i64 {here}")
    f.go("copy")
    f.label("copy")
    f.put("%ci = phi i64 [ 0, %short ], [ %ci2, %copy ]")
    f.put_at(copy, "%ci", f"i8 {f.get(direct, '%ci', 'i8')}")
    f.put("%ci2 = add i64 %ci, 1")
    f.branch_if(f.let(f"icmp uge i64 %ci2, {count}"), "scan", "copy")
    f.label("scan")
    bytes_at = f.let(f"phi ptr [ {direct}, %entry ], [ {copy}, %copy ]")
    known = f.let(f"phi i64 [ {SCAN_READS}, %entry ], [ {count}, %copy ]")
    machine = NativeMachine(f, bytes_at)
    head, rest, length = (machine.operand(v) for v in iset.scanner(machine))
    f.branch_if(f.let(f"icmp ugt i64 {length}, {known}"), "nofetch", "fetched")
    f.label("nofetch")
    f.set_state("exit_reason", f"i64 {NO_ROW}")
    f.set_state("exit_pc", f"i64 {f.op2('add', pc, here)}")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("fetched")
    trie, variants = f.get(tables, T_NARROW, "ptr"), f.get(tables, T_NARROW_VARIANTS, "ptr")
    entry, body = _find_body(f, trie, variants, head, rest, pc, pcoff)
    _mark_branch_target(f, entry, pcoff, f.geometry, f"@heat_{iset.name}")
    f.label("install")
    granules = f.state("granules", "ptr")
    end = f.op2("add", pc, f.op2("sub", length, 1))
    for at in (pc, end):
        slot = f.op2("shl", f.op2("lshr", at, 12), 3)
        mask = f.op2("shl", "1", f.op2("lshr", f.op2("and", at, 4095), 6))
        f.put_at(granules, slot, f"i64 {f.op2('or', f.get(granules, slot), mask)}")
    f.branch_if(f.let(f"icmp ugt i64 {length}, {here}"), "across", "within")
    f.label("across")                                      # depends on two pages: decode each time
    f.tail(body, "%rec", "%budget")
    f.label("within")
    _install(f, body, iset)
    return machine.tables(f"scan_{iset.name}") + f.text().replace("@scan_table", f"@scan_{iset.name}_table")


def _find_body(f: Native, trie: str, variants: str, word: str, rest: str, pc: str, pcoff: str) -> tuple[str, str]:
    """Find an instruction's row, extract its operands into the record; return the variant's entry and body, or leave."""
    _walk(f, trie, word)
    f.label("unknown")
    f.set_state("exit_reason", f"i64 {NO_ROW}")
    f.set_state("exit_pc", f"i64 {pc}")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("decoded")
    entry = f.at(variants, f.op2("mul", "%variant", VARIANT))
    body, extract = f.get(entry, 0, "ptr"), f.get(entry, 8, "ptr")
    f.branch_if(f.let(f"icmp eq ptr {body}, null"), "absent", "present")
    f.label("absent")
    f.set_state("exit_reason", f"i64 {NEED_HANDLER}")
    f.set_state("exit_pc", "i64 %variant")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("present")
    f.put(f"call void {extract}(ptr %rec, i64 {word}, i64 {rest}, i64 {pcoff}, i64 %variant)")
    f.put_at("%rec", 8, f"ptr {body}")
    return entry, body


def _install(f: Native, plain: str, iset: IsaSet) -> None:
    """Make a decoded record run `plain`, unless something else stands there, and run it."""
    cold = cold_of(f, "%rec", f.geometry)
    flag = f.get(cold, COLD_FLAGS, "i32")
    f.branch_if(f.let(f"icmp eq i32 {flag}, 0"), "simple", "special")
    f.label("special")
    f.put_at(cold, 0, f"ptr {plain}")
    pinned = f.let(f"icmp ne i32 {f.op2('and', flag, PINNED, 'i32')}, 0")
    f.branch_if(pinned, "run", "counted")
    f.label("counted")
    f.put_at("%rec", 0, f"ptr @heat_{iset.name}")
    f.go("run")
    f.label("simple")
    f.put_at("%rec", 0, f"ptr {plain}")
    f.go("run")
    f.label("run")
    f.tail(plain, "%rec", "%budget")


def _walk(f: Native, trie: str, word: str) -> None:
    """Walk a decode trie to label `decoded` (with %variant) or `unknown`; the layout is in decoder.py."""
    start = f.block
    f.go("node")
    f.label("node")
    f.put(f"%index = phi i64 [ 0, %{start} ], [ %child, %inner ]")
    at = f.at(trie, f.op2("shl", "%index", 2))
    head = f.let(f"zext i32 {f.get(at, 0, 'i32')} to i64")
    leaf = f.let(f"icmp uge i64 {head}, 2147483648")
    f.branch_if(leaf, "leaf", "inner")
    f.label("inner")
    picked = f.op2("lshr", word, f.op2("and", head, 255))
    mask = f.op2("sub", f.op2("shl", "1", f.op2("lshr", head, 8)), 1)
    slot = f.op2("add", f.op2("shl", f.op2("and", picked, mask), 2), 4)
    f.put(f"%child = zext i32 {f.get(at, slot, 'i32')} to i64")
    f.go("node")
    f.label("leaf")
    count = f.op2("and", head, 0x7FFFFFFF)
    f.go("candidate")
    f.label("candidate")
    f.put("%n = phi i64 [ 0, %leaf ], [ %n2, %advance ]")
    f.branch_if(f.let(f"icmp uge i64 %n, {count}"), "unknown", "compare")
    f.label("compare")
    item = f.at(at, f.op2("add", f.op2("mul", "%n", 20), 4))
    matches = f.let(f"icmp eq i64 {f.op2('and', word, f.get(item, 0))}, {f.get(item, 8)}")
    f.branch_if(matches, "matched", "step")
    f.label("step")
    f.go("advance")
    f.label("matched")
    target = f.let(f"zext i32 {f.get(item, 16, 'i32')} to i64")
    f.branch_if(f.let(f"icmp uge i64 {target}, 2147483648"), "excluded", "chosen")
    f.label("excluded")
    skip = f.op2("and", target, 0x7FFFFFFF)
    f.go("advance")
    f.label("advance")
    f.put(f"%by = phi i64 [ 1, %step ], [ {skip}, %excluded ]")
    f.put("%n2 = add i64 %n, %by")
    f.go("candidate")
    f.label("chosen")
    f.put(f"%variant = add i64 {target}, 0")
    f.go("decoded")


def _choose_prefix(f: Native, iset: IsaSet, tables: str, entry: str, word: str, wide: str, guard: str, body: str) -> str:
    """Return the plain handler: the body, or a prefix for condition, R15 and guard."""
    how = f.get(entry, V_PREDICATED, "i8")               # 0 no condition, 1 a condition field, 2 not even an IT block's
    predicated = f.let(f"icmp eq i8 {how}, 1")
    cond = f.op2("and", f.op2("lshr", word, iset.condition_shift), 15)
    cond = f.let(f"select i1 {predicated}, i64 {cond}, i64 14")
    guarded = "0"
    if iset.guard:
        on = f.let(f"icmp ne i8 {f.op2('and', guard, 15, 'i8')}, 0")
        wide_guard = f.op2("lshr", f.let(f"zext i8 {guard} to i64"), 4)
        conditional = f.op2("and", on, f.let(f"icmp ne i8 {how}, 2"), "i1")
        cond = f.let(f"select i1 {conditional}, i64 {f.call('i64', 'llvm.umin.i64', f'i64 {wide_guard}', 'i64 14')}, i64 {cond}")
        guarded = f.let(f"zext i1 {on} to i64")
    reads = "false"
    for i in range(8):
        shift = f.get(entry, V_REGISTERS + i, "i8")
        number = f.op2("and", f.op2("lshr", word, f.let(f"zext i8 {f.op2('and', shift, 63, 'i8')} to i64")), 15)
        is_pc = f.op2("and", f.let(f"icmp eq i64 {number}, 15"), f.let(f"icmp ne i8 {shift}, -1"), "i1")
        reads = f.op2("or", reads, is_pc, "i1")
    index = f.op2("or", cond, f.op2("shl", f.let(f"zext i1 {reads} to i64"), 4))
    index = f.op2("or", index, f.op2("or", f.op2("shl", guarded, 5), f.op2("shl", wide, 6)))
    prefix = f.get(f.get(tables, T_PREFIXES, "ptr"), f.op2("shl", index, 3), "ptr")
    none = f.let(f"icmp eq ptr {prefix}, null")
    return f.let(f"select i1 {none}, ptr {body}, ptr {prefix}")


def _mark_branch_target(f: Native, entry: str, pcoff: str, g: Geometry, counting: str) -> None:
    """Let backward in-page branches and calls mark their target, which then counts its executions."""
    at = f.get(entry, V_BRANCH, "i8")
    f.branch_if(f.let(f"icmp eq i8 {at}, 0"), "install", "branches")
    f.label("branches")
    offset = f.let(f"sext i32 {f.get('%rec', f.let(f'zext i8 {at} to i64'), 'i32')} to i64")
    call = f.let(f"icmp ne i8 {f.get(entry, V_CALL, 'i8')}, 0")
    back = f.let(f"icmp ule i64 {offset}, {pcoff}")
    wanted = f.op2("and", f.op2("or", call, back, "i1"), f.let(f"icmp ult i64 {offset}, 4096"), "i1")
    f.branch_if(wanted, "wanted", "install")
    f.label("wanted")
    inside = f.op2("and", f.let("ptrtoint ptr %rec to i64"), g.block - 1)
    target = f.at("%rec", f.op2("sub", f.op2("shl", offset, g.shift), inside))
    mark_target(f, target, cold_of(f, target, g), counting, "install")


def native_text(sets: list[IsaSet], layout: StateLayout, address_bits: int,
                slow: Callable[..., Any] | None = None) -> tuple[str, list[dict[int, str]]]:
    """Return the module of native functions for a target, and the prefix names of each instruction set."""
    text = enter(layout) + leave() + lookup("jump", address_bits) + lookup("resume", address_bits) + access(address_bits)
    declared, names = {*host.FLOAT_DECLARATIONS, *host.SEGMENT_DECLARATIONS}, []
    for iset in sets:
        text += decode(iset, layout, f"decode_{iset.name}") + heat(iset.geometry, f"heat_{iset.name}")
        text += page_end(iset.geometry, f"page_end_{iset.name}", address_bits) + point(iset.geometry, f"point_{iset.name}")
        body, extra, table = prefixes(iset, layout, address_bits)
        text += body
        declared |= extra
        names.append(table)
    if slow is not None:
        body, extra = slow_functions(slow, layout)
        text, declared = text + body, declared | extra
    if not extended_host.AVAILABLE and any(c.width == 80 for c in layout.cells.values()):
        body, extra = extended_functions()
        text, declared = text + body, declared | extra
    declared |= {"declare i64 @llvm.cttz.i64(i64, i1)", "declare i64 @llvm.usub.sat.i64(i64, i64)",
                 "declare i64 @llvm.umax.i64(i64, i64)", "declare i32 @llvm.bswap.i32(i32)", "declare i64 @llvm.umin.i64(i64, i64)"}
    return text + "\n".join(sorted(declared)) + "\n", names
