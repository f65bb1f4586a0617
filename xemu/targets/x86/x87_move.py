"""x87: loads, stores, constants, moves. SDM vol. 2A, F…"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, const, mux, zext
from xemu.core.extended_number import C1
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.state import X86Cpu, condition
from xemu.targets.x86.x87 import INDEFINITE, X87

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory


def push(fpu: X87, value: Bits, fault: Bits) -> None:
    """Push a value that raises nothing, or the indefinite where `fault` (an empty source) or the stack is full."""
    full = ~fpu.empty(7)
    up, fault = full & ~fault, fault | full
    fpu.set_status(mux(fault, fpu.fault(overflow=up), fpu.before & ~C1))
    fpu.push(mux(fault, const(INDEFINITE, 80), value))


# -- loads ------------------------------------------------------------------------------------------------------------------


def load(cpu: X86Cpu, src: Memory, kind: str) -> None:
    """FLD, FILD, FBLD: push memory, converted."""
    fpu = X87(cpu, src)
    (value,) = fpu.compute(f"load.{kind}", [src.read()], const(0, 1), overflow=~fpu.empty(7))
    fpu.push(value)


for _pattern, _template, _kind in (
    ("D9 /0", "fld Md", "f32"), ("DD /0", "fld Mq", "f64"), ("DF /0", "fild Mw", "i16"), ("DB /0", "fild Md", "i32"),
    ("DF /5", "fild Mq", "i64"), ("DF /4", "fbld Mt", "bcd"),
):
    x86.row(load, _pattern, _template, kind=_kind)


@x86("DB /5", "fld Mt")
def fld_extended(cpu: X86Cpu, src: Memory) -> None:
    """Push memory as it is."""
    fpu = X87(cpu, src)
    push(fpu, src.read(), const(0, 1))


@x86("D9 C0+i", "fld")
def fld_register(cpu: X86Cpu, base: Bits) -> None:
    """Push st(i)."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    push(fpu, fpu.read(i), fpu.empty(i))


# constants: significand rounded down, and whether rounding to nearest and up add one to it
_CONSTANTS = (("D9 E8", "fld1", 0x3FFF, 0x8000000000000000, 0, 0), ("D9 E9", "fldl2t", 0x4000, 0xD49A784BCD1B8AFE, 0, 1),
              ("D9 EA", "fldl2e", 0x3FFF, 0xB8AA3B295C17F0BB, 1, 1), ("D9 EB", "fldpi", 0x4000, 0xC90FDAA22168C234, 1, 1),
              ("D9 EC", "fldlg2", 0x3FFD, 0x9A209A84FBCFF798, 1, 1), ("D9 ED", "fldln2", 0x3FFE, 0xB17217F7D1CF79AB, 1, 1),
              ("D9 EE", "fldz", 0, 0, 0, 0))


def load_constant(cpu: X86Cpu, exponent: int, significand: int, nearest: int, up: int) -> None:
    """FLD1, FLDPI …: push a constant, rounded as the control word says."""
    fpu = X87(cpu)
    low = exponent << 64 | significand
    value = const(low, 80)
    if up:
        rounding = fpu.control[11:10]
        value = mux(rounding == 2, const(low + 1, 80), mux(rounding == 0, const(low + nearest, 80), value))
    push(fpu, value, const(0, 1))


for _pattern, _name, _exponent, _significand, _nearest, _up in _CONSTANTS:
    x86.row(load_constant, _pattern, _name, exponent=_exponent, significand=_significand, nearest=_nearest, up=_up)


# -- stores ------------------------------------------------------------------------------------------------------------------


def write(dst: Memory, value: Bits) -> None:
    """Store; of ten bytes the first eight stay where the last two fault, as they do on processors."""
    if value.width == 80:
        dst.cpu.store(dst.address, value[63:0])
        dst.cpu.store(dst.address + 8, value[79:64])
    else:
        dst.write(value)


def store(cpu: X86Cpu, dst: Memory, operation: str, *, pops: bool) -> None:
    """FST, FIST, FISTTP, FBSTP: store st(0), converted; perhaps pop."""
    fpu = X87(cpu, dst)
    (value,) = fpu.compute(operation, [fpu.read()], fpu.empty())
    with when(~fpu.blocked):
        write(dst, value)
    if pops:
        fpu.pop()


for _pattern, _template, _operation in (
    ("D9 /2", "fst Md", "store.f32"), ("D9 /3", "fstp Md", "store.f32"),
    ("DD /2", "fst Mq", "store.f64"), ("DD /3", "fstp Mq", "store.f64"),
    ("DF /2", "fist Mw", "store.i16"), ("DF /3", "fistp Mw", "store.i16"),
    ("DB /2", "fist Md", "store.i32"), ("DB /3", "fistp Md", "store.i32"),
    ("DF /7", "fistp Mq", "store.i64"), ("DF /1", "fisttp Mw", "chop.i16"), ("DB /1", "fisttp Md", "chop.i32"),
    ("DD /1", "fisttp Mq", "chop.i64"), ("DF /6", "fbstp Mt", "store.bcd"),
):
    x86.row(store, _pattern, _template, operation=_operation, pops=_template.split()[0].endswith("p"))


@x86("DB /7", "fstp Mt")
def fstp_extended(cpu: X86Cpu, dst: Memory) -> None:
    """Store st(0) as it is; pop."""
    fpu = X87(cpu, dst)
    empty, value = fpu.empty(), fpu.read()
    fpu.set_status(mux(empty, fpu.fault(), fpu.before & ~C1))
    with when(~fpu.blocked):
        write(dst, mux(empty, const(INDEFINITE, 80), value))
    fpu.pop()


def store_register(cpu: X86Cpu, base: Bits, *, pops: bool) -> None:
    """FST, FSTP: copy st(0) to st(i); perhaps pop."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    empty, value = fpu.empty(), fpu.read()
    fpu.set_status(mux(empty, fpu.fault(), fpu.before & ~C1))
    fpu.write(i, mux(empty, const(INDEFINITE, 80), value))
    if pops:
        fpu.pop()


x86.row(store_register, "DD D0+i", "fst", pops=False)
for _pattern in ("DD D8+i", "DF D0+i", "DF D8+i"):
    x86.row(store_register, _pattern, "fstp", pops=True)


@x86("D9 D8+i", "fstp")
def fstp1(cpu: X86Cpu, base: Bits) -> None:
    """Copy st(0) to st(i), unless it is empty; pop. An old encoding that has no stack fault."""
    fpu = X87(cpu)
    fpu.clear_c1()
    fpu.blocked = fpu.empty()
    fpu.write(zext(base, 8) & 7, fpu.read())
    fpu.blocked = const(0, 1)
    fpu.pop()


# -- between registers ---------------------------------------------------------------------------------------------------------


def exchange(cpu: X86Cpu, base: Bits) -> None:
    """FXCH: exchange st(0) and st(i); an empty one counts as the indefinite."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    none, none_i, value, value_i = fpu.empty(), fpu.empty(i), fpu.read(), fpu.read(i)
    fpu.set_status(mux(none | none_i, fpu.fault(), fpu.before & ~C1))
    fpu.write(i, mux(none, const(INDEFINITE, 80), value))
    fpu.write(0, mux(none_i, const(INDEFINITE, 80), value_i))


for _pattern in ("D9 C8+i", "DD C8+i", "DF C8+i"):
    x86.row(exchange, _pattern, "fxch")


def conditional_move(cpu: X86Cpu, base: Bits, number: int) -> None:
    """FCMOVcc: copy st(i) to st(0) if the condition holds."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    empty, value = fpu.empty() | fpu.empty(i), mux(condition(cpu, number), fpu.read(i), fpu.read())
    fpu.set_status(mux(empty, fpu.fault(), fpu.before))
    fpu.write(0, mux(empty, const(INDEFINITE, 80), value))


for _pattern, _name, _number in (
    ("DA C0+i", "fcmovb", 2), ("DA C8+i", "fcmove", 4), ("DA D0+i", "fcmovbe", 6), ("DA D8+i", "fcmovu", 10),
    ("DB C0+i", "fcmovnb", 3), ("DB C8+i", "fcmovne", 5), ("DB D0+i", "fcmovnbe", 7), ("DB D8+i", "fcmovnu", 11),
):
    x86.row(conditional_move, _pattern, _name, number=_number)
