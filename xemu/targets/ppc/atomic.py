"""Reservations and atomic memory operations. Power ISA Book II, 4.5 and 4.6.

The reservation is an address, a size and the value that was read. Another process may write memory without telling: a conditional
store happens if memory still holds that value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, mux, slt, ult, zext
from xemu.core.record import RegNo, when
from xemu.targets.ppc.isa import Family, ppc, ppc64
from xemu.targets.ppc.load_store import even_pair

if TYPE_CHECKING:
    from collections.abc import Callable


# -- load and reserve, store conditional (4.6) ---------------------------------------------------------------------------


def reserve(cpu, at: Bits, size: int) -> Bits:
    """Read memory, which must be aligned, and make the reservation."""
    cpu.probe(at, size, align=size)
    value: Bits = cpu.mem_read(at, size, checked=False)
    cpu.EXADDR, cpu.EXSIZE, cpu.EXVALUE = at, const(size, 8), zext(value, 128)
    return value


def store_conditional(cpu, at: Bits, value: Bits) -> None:
    """Write memory, which must be aligned, if the reservation is for it; CR0 says whether. There is none afterwards."""
    size = value.width // 8
    ours = (at == cpu.EXADDR) & (size == cpu.EXSIZE)
    cpu.probe(at, size, write=True, align=size)
    with when(ours):
        done = cpu.compare_store(at, cpu.EXVALUE[value.width - 1:0], value, big=cpu.big and size > 1)
    cpu.EXSIZE = const(0, 8)
    no = const(0, 1)
    cpu.set_cr(0, [no, no, mux(ours, done, no), cpu.SO])


def load_reserve(cpu, RT, RA0, RB, size):
    """Load And Reserve. Book II, 4.6."""
    cpu.GPR[RT] = cpu.extend(reserve(cpu, cpu.base(RA0) + cpu.GPR[RB], size))


def store_reserved(cpu, RS, RA0, RB, size):
    """Store Conditional. Book II, 4.6."""
    store_conditional(cpu, cpu.base(RA0) + cpu.GPR[RB], cpu.GPR[RS][8 * size - 1:0])


#: sets, letter, size, opcodes
RESERVING: list[tuple[Family, str, int, int, int]] = [
    (ppc64, "b", 1, 52, 694), (ppc64, "h", 2, 116, 726), (ppc, "w", 4, 20, 150), (ppc64, "d", 8, 84, 214),
]

for _family, _letter, _size, _load, _store in RESERVING:
    _family.row(load_reserve, f"31:6 RT RA0 RB {_load}:10 -", f"l{_letter}arx {{RT}}, {{RA0}}, {{RB}}", size=_size)
    _family.row(store_reserved, f"31:6 RS RA0 RB {_store}:10 1", f"st{_letter}cx. {{RS}}, {{RA0}}, {{RB}}", size=_size)


@ppc64("31:6 RTp:4 0 RA0 RB 276:10 -", "lqarx {RTp}, {RA0}, {RB}")
def lqarx(cpu, RTp, RA0, RB):
    """Load Quadword And Reserve. Book II, 4.6.2.2."""
    high, low = even_pair(RTp)
    with when(((high == RA0) & (RA0 != 0)) | (high == RB)):         # an invalid form
        cpu.undefined()
    value = reserve(cpu, cpu.base(RA0) + cpu.GPR[RB], 16)
    cpu.GPR[high], cpu.GPR[low] = value[127:64], value[63:0]


@ppc64("31:6 RSp:4 0 RA0 RB 182:10 1", "stqcx. {RSp}, {RA0}, {RB}")
def stqcx(cpu, RSp, RA0, RB):
    """Store Quadword Conditional. Book II, 4.6.2.2."""
    high, low = even_pair(RSp)
    store_conditional(cpu, cpu.base(RA0) + cpu.GPR[RB], cat(cpu.GPR[high], cpu.GPR[low]))


# -- atomic memory operations (4.5) --------------------------------------------------------------------------------------

#: function code: what memory becomes of its value and a register's: add, xor, or, and, umax, smax, umin, smin
OPERATIONS: dict[int, Callable[[Bits, Bits], Bits]] = {
    0: lambda old, x: old + x, 1: lambda old, x: old ^ x, 2: lambda old, x: old | x, 3: lambda old, x: old & x,
    4: lambda old, x: mux(ult(old, x), x, old), 5: lambda old, x: mux(slt(old, x), x, old),
    6: lambda old, x: mux(ult(x, old), x, old), 7: lambda old, x: mux(slt(x, old), x, old),
}
SWAP, SWAP_NOT_EQUAL, INCREMENT_BOUNDED, INCREMENT_EQUAL, DECREMENT_BOUNDED, STORE_TWIN = 8, 16, 24, 25, 28, 24


def exchange(cpu, at: Bits, size: int, new_of: Callable[[Bits], Bits]) -> Bits:
    """Read memory, which must be aligned, and write what becomes of it, in one step for other processes; return what was read."""
    cpu.probe(at, size, write=True, align=size)
    old: Bits = cpu.mem_read(at, size, checked=False)
    written = cpu.compare_store(at, old, new_of(old), big=cpu.big)
    with when(~written):
        cpu.abort("again")
    return old


def operand(cpu, number: RegNo, n: int, size: int) -> Bits:
    """Return the n-th register after a register, as wide as the operation."""
    value: Bits = cpu.GPR[RegNo(number.as_bits()[4:0] + n)]
    return value[8 * size - 1:0]


def load_atomic(cpu, RT, RA0, operation, size):
    """Load Word/Doubleword ATomic: fetch and operate. Book II, 4.5.1."""
    x = operand(cpu, RT, 1, size)
    cpu.GPR[RT] = cpu.extend(exchange(cpu, cpu.base(RA0), size, lambda old: operation(old, x)))


def swap_not_equal(cpu, RT, RA0, size):
    """Compare and Swap Not Equal. Book II, 4.5.1."""
    x, new = operand(cpu, RT, 1, size), operand(cpu, RT, 2, size)
    cpu.GPR[RT] = cpu.extend(exchange(cpu, cpu.base(RA0), size, lambda old: mux(old != x, new, old)))


def count_bounded(cpu, RT, RA0, size, step, equal, place):
    """Fetch and Increment Bounded/Equal, Fetch and Decrement Bounded: the bound stands beside the value. Book II, 4.5.1."""
    at = cpu.base(RA0)
    beside = at + place * size
    cpu.probe(at, size, write=True, align=size)
    cpu.probe(beside, size)
    bound = cpu.mem_read(beside, size, checked=False)

    def counted(old: Bits, new: Bits, other: Bits) -> Bits:
        return mux(old == bound, new, other) if equal else mux(old == bound, other, new)
    old = exchange(cpu, at, size, lambda old: counted(old, old + step, old))
    cpu.GPR[RT] = cpu.extend(counted(old, old, const(1 << (8 * size - 1), 8 * size)))


def store_atomic(cpu, RS, RA0, operation, size):
    """Store Word/Doubleword ATomic: operate on memory. Book II, 4.5.2."""
    x = operand(cpu, RS, 0, size)
    exchange(cpu, cpu.base(RA0), size, lambda old: operation(old, x))


def store_twin(cpu, RS, RA0, size):
    """Store Twin: both of two neighbours, if they are equal. Book II, 4.5.2."""
    at, x = cpu.base(RA0), operand(cpu, RS, 0, size)
    cpu.probe(at, size, write=True, align=size)
    cpu.probe(at + size, size, write=True)
    second = cpu.mem_read(at + size, size, checked=False)
    first = exchange(cpu, at, size, lambda old: mux(old == second, x, old))
    with when(first == second):
        cpu.mem_write(at + size, x, checked=False)


def _row(function: Callable[..., None], name: str, code: int, size: int, **bound: Any) -> None:
    """Register a row for a function code."""
    register, opcode = ("RS", 710) if name == "st" else ("RT", 582)
    ppc64.row(function, f"31:6 {register} RA0 {code}:5 {opcode + (32 if size == 8 else 0)}:10 -",
              f"{name}{'d' if size == 8 else 'w'}at {{{register}}}, {{RA0}}, {code}", size=size, **bound)


for _size in (4, 8):
    for _code, _operation in OPERATIONS.items():
        _row(load_atomic, "l", _code, _size, operation=_operation)
        _row(store_atomic, "st", _code, _size, operation=_operation)
    _row(load_atomic, "l", SWAP, _size, operation=lambda _old, x: x)
    _row(swap_not_equal, "l", SWAP_NOT_EQUAL, _size)
    _row(count_bounded, "l", INCREMENT_BOUNDED, _size, step=1, equal=False, place=1)
    _row(count_bounded, "l", INCREMENT_EQUAL, _size, step=1, equal=True, place=1)
    _row(count_bounded, "l", DECREMENT_BOUNDED, _size, step=-1, equal=False, place=-1)
    _row(store_twin, "st", STORE_TWIN, _size)
