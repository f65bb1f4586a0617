"""x87: arithmetic, comparisons, transcendental functions. SDM vol. 2A, F…"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, zext
from xemu.core.extended_number import C0, C1, C2, C3, EXCEPTIONS, SF
from xemu.targets.x86.isa import x86
from xemu.targets.x86.x87 import INDEFINITE, X87

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory
    from xemu.targets.x86.state import X86Cpu


# -- two operands -------------------------------------------------------------------------------------------------------


def with_memory(cpu: X86Cpu, src: Memory, operation: str) -> None:
    """st(0) = st(0) op memory."""
    fpu = X87(cpu, src)
    (result,) = fpu.compute(operation, [fpu.read(), src.read()], fpu.empty())
    fpu.write(0, result)


def with_register(cpu: X86Cpu, base: Bits, operation: str, *, to_other: bool = False, pops: bool = False) -> None:
    """st(0) or st(i) = st(0) op st(i); perhaps pop."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    (result,) = fpu.compute(operation, [fpu.read(), fpu.read(i)], fpu.empty() | fpu.empty(i))
    fpu.write(i if to_other else 0, result)
    if pops:
        fpu.pop()


def compare_memory(cpu: X86Cpu, src: Memory, operation: str, *, pops: bool = False) -> None:
    """FCOM, FICOM: C3, C2 and C0 for st(0) and memory."""
    fpu = X87(cpu, src)
    fpu.compute(operation, [fpu.read(), src.read()], fpu.empty())
    if pops:
        fpu.pop()


def compare_register(cpu: X86Cpu, base: Bits, operation: str, pops: int = 0) -> None:
    """FCOM, FUCOM: C3, C2 and C0 for st(0) and st(i)."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    fpu.compute(operation, [fpu.read(), fpu.read(i)], fpu.empty() | fpu.empty(i))
    fpu.pop(pops)


def compare_to_flags(cpu: X86Cpu, base: Bits, operation: str, *, pops: bool = False) -> None:
    """FCOMI, FUCOMI: ZF, PF and CF for st(0) and st(i); the status word's conditions stay."""
    fpu, i = X87(cpu), zext(base, 8) & 7
    empty = fpu.empty() | fpu.empty(i)
    fpu.compute(operation, [fpu.read(), fpu.read(i)], empty)
    after = cpu.FSW
    cpu.FSW = after & EXCEPTIONS | fpu.before & (SF | C0 | C2 | C3) | mux(empty, const(SF, 16), fpu.before & C1)
    cpu.set_flags(ZF=after[14], PF=after[10], CF=after[8], OF=0, SF=0, AF=0)
    if pops:
        fpu.pop()


#: memory operands: opcode of the group, mnemonic and operand, format
MEMORY = (("D8", "f{} Md", "f32"), ("DC", "f{} Mq", "f64"), ("DA", "fi{} Md", "i32"), ("DE", "fi{} Mw", "i16"))
for _digit, (_name, _operation) in enumerate((("add", "add"), ("mul", "mul"), ("com", "com"), ("comp", "com"),
                                              ("sub", "sub"), ("subr", "subr"), ("div", "div"), ("divr", "divr"))):
    _i = f"{0xC0 + 8 * _digit:X}+i"
    if _operation == "com":
        _pops = _name == "comp"
        for _opcode, _mnemonic, _kind in MEMORY:
            x86.row(compare_memory, f"{_opcode} /{_digit}", _mnemonic.format(_name), operation=f"com.{_kind}", pops=_pops)
        for _opcode in ("D8", "DC"):
            x86.row(compare_register, f"{_opcode} {_i}", f"f{_name}", operation="com.f80", pops=int(_pops))
        continue
    for _opcode, _mnemonic, _kind in MEMORY:
        x86.row(with_memory, f"{_opcode} /{_digit}", _mnemonic.format(_name), operation=f"{_operation}.{_kind}")
    x86.row(with_register, f"D8 {_i}", f"f{_name}", operation=f"{_operation}.f80")
    _swapped = {"sub": "subr", "subr": "sub", "div": "divr", "divr": "div"}.get(_name, _name)      # the name says st(i) op st(0)
    x86.row(with_register, f"DC {_i}", f"f{_swapped}", operation=f"{_operation}.f80", to_other=True)
    x86.row(with_register, f"DE {_i}", f"f{_swapped}p", operation=f"{_operation}.f80", to_other=True, pops=True)

x86.row(compare_register, "DE D0+i", "fcomp", operation="com.f80", pops=1)
x86.row(compare_register, "DE D9", "fcompp", operation="com.f80", pops=2)
x86.row(compare_register, "DD E0+i", "fucom", operation="ucom.f80")
x86.row(compare_register, "DD E8+i", "fucomp", operation="ucom.f80", pops=1)
x86.row(compare_register, "DA E9", "fucompp", operation="ucom.f80", pops=2)
x86.row(compare_to_flags, "DB F0+i", "fcomi", operation="com.f80")
x86.row(compare_to_flags, "DF F0+i", "fcomip", operation="com.f80", pops=True)
x86.row(compare_to_flags, "DB E8+i", "fucomi", operation="ucom.f80")
x86.row(compare_to_flags, "DF E8+i", "fucomip", operation="ucom.f80", pops=True)


@x86("D9 E4", "ftst")
def ftst(cpu: X86Cpu) -> None:
    """Compare st(0) with 0.0."""
    fpu = X87(cpu)
    fpu.compute("test", [fpu.read()], fpu.empty())


@x86("D9 E5", "fxam")
def fxam(cpu: X86Cpu) -> None:
    """Examine st(0): C3, C2, C0 are its class, C1 its sign."""
    fpu = X87(cpu)
    value = fpu.read()
    exponent, significand = value[78:64], value[63:0]
    integer, top, low = significand[63], exponent == 0x7FFF, exponent == 0
    infinity = significand == 1 << 63
    kinds = ((fpu.empty(), C3 | C0), (low & (significand == 0), C3), (low, C3 | C2), (~integer, 0), (top & infinity, C2 | C0), (top, C0))
    result = const(C2, 16)
    for condition, word in reversed(kinds):
        result = mux(condition, const(word, 16), result)
    sign = mux(value[79], const(C1, 16), const(0, 16))
    fpu.set_status(fpu.before & ~(C0 | C1 | C2 | C3) & 0xFFFF | result | sign)


# -- one operand ----------------------------------------------------------------------------------------------------------


def unary(cpu: X86Cpu, operation: str) -> None:
    """st(0) = op st(0)."""
    fpu = X87(cpu)
    (result,) = fpu.compute(operation, [fpu.read()], fpu.empty())
    fpu.write(0, result)


for _pattern, _name, _operation in (("D9 FA", "fsqrt", "sqrt"), ("D9 FC", "frndint", "rint"), ("D9 F0", "f2xm1", "exp2m1"),
                                    ("D9 FE", "fsin", "sin"), ("D9 FF", "fcos", "cos")):
    x86.row(unary, _pattern, _name, operation=_operation)


def sign(cpu: X86Cpu, *, clear: bool) -> None:
    """FABS, FCHS: change the sign of anything."""
    fpu = X87(cpu)
    value, empty = fpu.read(), fpu.empty()
    new = cat(const(0, 1) if clear else ~value[79], value[78:0])
    fpu.set_status(mux(empty, fpu.fault(), fpu.before & ~C1))
    fpu.write(0, mux(empty, const(INDEFINITE, 80), new))


x86.row(sign, "D9 E1", "fabs", clear=True)
x86.row(sign, "D9 E0", "fchs", clear=False)


# -- st(0) and st(1) --------------------------------------------------------------------------------------------------------


@x86("D9 FD", "fscale")
def fscale(cpu: X86Cpu) -> None:
    """st(0) = st(0) * 2**trunc(st(1))."""
    with_register(cpu, const(1, 5), "scale")


def remainder(cpu: X86Cpu, operation: str) -> None:
    """FPREM, FPREM1: a step towards the remainder of st(0) by st(1); C2: more are needed, C0 C3 C1: low bits of the quotient."""
    fpu = X87(cpu)
    empty = fpu.empty() | fpu.empty(1)
    (result,) = fpu.compute(operation, [fpu.read(), fpu.read(1)], empty)
    nothing = empty | (result[78:64] == 0x7FFF) | fpu.blocked
    after = cpu.FSW
    cpu.FSW = mux(nothing, after & ~(C0 | C1 | C2 | C3) & 0xFFFF | fpu.before & (C0 | C3), after)
    fpu.write(0, result)


x86.row(remainder, "D9 F8", "fprem", operation="rem")
x86.row(remainder, "D9 F5", "fprem1", operation="rem1")


def popping(cpu: X86Cpu, operation: str) -> None:
    """st(1) = op of st(0) and st(1); pop."""
    with_register(cpu, const(1, 5), operation, to_other=True, pops=True)


for _pattern, _name, _operation in (("D9 F3", "fpatan", "atan"), ("D9 F1", "fyl2x", "ylog2"), ("D9 F9", "fyl2xp1", "ylog2p1")):
    x86.row(popping, _pattern, _name, operation=_operation)


def pushing(cpu: X86Cpu, operation: str) -> None:
    """FSINCOS, FPTAN, FXTRACT: one result in st(0), then push another. With C2 the operand is out of range: nothing changes."""
    fpu = X87(cpu)
    full = ~fpu.empty(7)
    first, second = fpu.compute(operation, [fpu.read()], fpu.empty(), overflow=full)
    if operation != "extract":
        fpu.blocked = fpu.blocked | cpu.FSW[10] & ~(fpu.empty() | full)
    fpu.write(0, first)
    fpu.push(second)


for _pattern, _name, _operation in (("D9 FB", "fsincos", "sincos"), ("D9 F2", "fptan", "tan"), ("D9 F4", "fxtract", "extract")):
    x86.row(pushing, _pattern, _name, operation=_operation)
