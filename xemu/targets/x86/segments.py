"""Segment registers, far transfers and FS's and GS's bases, as user programs see Linux's descriptors (SDM vol. 1, 5.1.12; vol. 3A, 3.4).

The global descriptor table has flat code and data segments, whose base is 0, and three entries for thread-local storage. Other
selectors are #GP(0), and so is another code segment than that of the mode: the mode never changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, ult, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import GENERAL_PROTECTION
from xemu.targets.x86.operands import index
from xemu.targets.x86.state import FS, GS, RSP

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory, Operand
    from xemu.targets.x86.state import X86Cpu

ES, CS, SS, DS = range(4)
CODE32, DATA, CODE64, TLS, CPU = 0x23, 0x2B, 0x33, (0x63, 0x6B, 0x73), 0x7B     # Linux's selectors
#: access rights as LAR returns them, by selector
RIGHTS = {CODE32: 0xCFFB00, DATA: 0xCFF300, CODE64: 0xAFFB00, **dict.fromkeys(TLS, 0xDFF300), CPU: 0x40F500}
WRITABLE = (DATA, *TLS)


def names(selector: Bits, *selectors: int) -> Bits:
    """Return whether a selector names one of these descriptors, whatever its RPL."""
    result = const(0, 1)
    for s in selectors:
        result = result | (selector[15:2] == s >> 2)
    return result


def protect(cpu: X86Cpu, wrong: Bits) -> None:
    """#GP(0) where something is wrong."""
    with when(wrong):
        cpu.abort("exception", GENERAL_PROTECTION)


def load_segment(cpu: X86Cpu, number: Bits, selector: Bits) -> None:
    """Load a segment register other than CS."""
    tls = names(selector, *TLS)
    has_base = (number == FS) | (number == GS)
    flat = names(selector, CODE32, DATA, CODE64) | names(selector, 0)
    stack = (selector == DATA) | (tls & (selector[1:0] == 3) if cpu.bits == 64 else const(0, 1))
    protect(cpu, ~mux(number == SS, stack, flat | (tls if cpu.bits == 64 else tls & has_base)))
    cpu.SEL[index(number)] = mux(names(selector, 0), const(0, 16), selector)       # returns from the kernel clear a null selector's RPL
    base = const(0, 64)
    for n, entry in enumerate(TLS):
        base = mux(names(selector, entry), cpu.GDT[n], base)
    with when(has_base):
        cpu.SEG[index(number)] = base


# -- moves -----------------------------------------------------------------------------------------------------------------


@x86("8C /r", "mov Rv, Sw")
@x86("8C /r", "mov Mw, Sw")
def mov_from_segment(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Move a segment register, zero-extended. SDM vol. 2B, MOV."""
    number = src.read() & 7
    with when(ult(const(GS, 8), number)):
        cpu.undefined()
    dst.write(zext(cpu.SEL[index(number)], dst.width))


@x86("8E /r", "mov Sw, Ew")
def mov_to_segment(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Load a segment register. SDM vol. 2B, MOV."""
    number = dst.read() & 7
    with when((number == CS) | ult(const(GS, 8), number)):
        cpu.undefined()
    load_segment(cpu, number, src.read())


def push_segment(cpu: X86Cpu, size: int, *, number: int) -> None:
    """Push a segment register; of 32 bits the upper half stays as it is in memory. SDM vol. 2B, PUSH."""
    top = cpu.address(cpu.R[RSP]) - size // 8
    cpu.store(top, zext(cpu.SEL[number], 64) if size == 64 else cpu.SEL[number])
    cpu.R[RSP] = zext(top, 64)


def pop_segment(cpu: X86Cpu, size: int, *, number: int) -> None:
    """Pop a segment register. SDM vol. 2B, POP."""
    load_segment(cpu, const(number, 8), cpu.pop(size)[15:0])


for segment, name, pushes, pops, bits in (
    (ES, "es", "06", "07", 32), (CS, "cs", "0E", "", 32), (SS, "ss", "16", "17", 32), (DS, "ds", "1E", "1F", 32),
    (FS, "fs", "0F A0", "0F A1", 0), (GS, "gs", "0F A8", "0F A9", 0),
):
    x86.row(push_segment, pushes, "push", name=f"push_{name}", stack=True, mode=bits, number=segment)
    if pops:
        x86.row(pop_segment, pops, "pop", name=f"pop_{name}", stack=True, mode=bits, number=segment)


def load_pointer(cpu: X86Cpu, dst: Operand, src: Memory, *, number: int) -> None:
    """Load a far pointer: a segment register and a general one. SDM vol. 2A, LDS/LES/LFS/LGS/LSS."""
    offset, selector = _far_pointer(cpu, src)
    load_segment(cpu, const(number, 8), selector)
    dst.write(offset)


for segment, name, opcode, bits in (
    (DS, "lds", "C5", 32), (ES, "les", "C4", 32), (SS, "lss", "0F B2", 0), (FS, "lfs", "0F B4", 0), (GS, "lgs", "0F B5", 0),
):
    x86.row(load_pointer, f"{opcode} /r", f"{name} Gv, Mv", mode=bits, number=segment)


def _far_pointer(cpu: X86Cpu, src: Memory) -> tuple[Bits, Bits]:
    """Return offset and selector from memory."""
    size = src.width // 8
    cpu.probe(src.address, size + 2)
    return cpu.load(src.address, size, checked=False), cpu.load(src.address + size, 2, checked=False)


# -- far transfers ---------------------------------------------------------------------------------------------------------


def code_segment(cpu: X86Cpu) -> int:
    """Return the selector of the mode's code segment."""
    return CODE64 if cpu.bits == 64 else CODE32


def _far_jump(cpu: X86Cpu, selector: Bits, offset: Bits, size: int, *, call: bool) -> None:
    protect(cpu, ~names(selector, code_segment(cpu)))
    if call:
        cpu.push(zext(cpu.SEL[CS], size))
        cpu.push(cpu.next_pc[size - 1:0])
    cpu.branch(zext(offset, cpu.bits), kind="call" if call else "jump")


@x86("FF /5", "jmpf Mv", call=False)
@x86("FF /3", "callf Mv", call=True)
def far_indirect(cpu: X86Cpu, src: Memory, size: int, *, call: bool) -> None:
    """Far jump or call through memory. SDM vol. 2A, CALL, JMP."""
    offset, selector = _far_pointer(cpu, src)
    _far_jump(cpu, selector, offset, size, call=call)


@x86("EA cp", "jmpf", sizes="v", mode=32, call=False)
@x86("9A cp", "callf", sizes="v", mode=32, call=True)
def far_direct(cpu: X86Cpu, size: int, imm: Bits, imm64: Bits, *, call: bool) -> None:
    """Far jump or call to a constant. SDM vol. 2A."""
    offset, selector = (imm[15:0], imm[31:16]) if size == 16 else (imm64[31:0], imm64[47:32])
    _far_jump(cpu, selector, offset, size, call=call)


def _pops(cpu: X86Cpu, size: int, count: int) -> list[Bits]:
    """Return what stands on the stack."""
    top = cpu.address(cpu.R[RSP])
    return [cpu.load(top + n * size // 8, size // 8) for n in range(count)]


@x86("CB", "retf", sizes="v")
def retf(cpu: X86Cpu, size: int) -> None:
    """Far return. SDM vol. 2B, RET."""
    _far_return(cpu, size, const(0, cpu.bits))


@x86("CA iw", "retf Iw", sizes="v")
def retf_pop(cpu: X86Cpu, count: Operand, size: int) -> None:
    """Far return that pops arguments. SDM vol. 2B, RET."""
    _far_return(cpu, size, zext(count.read(), cpu.bits))


def _far_return(cpu: X86Cpu, size: int, more: Bits) -> None:
    offset, selector = _pops(cpu, size, 2)
    protect(cpu, selector[15:0] != code_segment(cpu))
    cpu.R[RSP] = zext(cpu.address(cpu.R[RSP]) + 2 * size // 8 + more, 64)
    cpu.branch(zext(offset, cpu.bits), kind="return")


@x86("CF", "iret", sizes="v")
def iret(cpu: X86Cpu, size: int) -> None:
    """Interrupt return to the same privilege level; in 64-bit mode the stack is popped, too. SDM vol. 2A, IRET/IRETD/IRETQ."""
    offset, selector, flags, *stack = _pops(cpu, size, 5 if cpu.bits == 64 else 3)
    protect(cpu, (selector[15:0] != code_segment(cpu)) | cpu.EFL[14])
    if stack:
        top, stack_selector = stack
        protect(cpu, stack_selector[15:0] != DATA)
        cpu.R[RSP] = zext(top, 64)
        cpu.SEL[SS] = stack_selector[15:0]
    else:
        cpu.R[RSP] = zext(cpu.address(cpu.R[RSP]) + 3 * size // 8, 64)
    cpu.set_flags_word(flags[31:0] if size > 16 else cat(cpu.EFL[31:16], flags))
    cpu.branch(zext(offset, cpu.bits), kind="return")


# -- what descriptors allow ------------------------------------------------------------------------------------------------


@x86("0F 02 /r", "lar Gv, Ew")
def lar(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Load access rights. SDM vol. 2A."""
    selector = src.read()
    rights = const(0, 32)
    for number, value in RIGHTS.items():
        rights = mux(names(selector, number), const(value, 32), rights)
    _answer(cpu, dst, rights, names(selector, *RIGHTS))


@x86("0F 03 /r", "lsl Gv, Ew")
def lsl(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Load segment limit. SDM vol. 2A."""
    selector = src.read()
    _answer(cpu, dst, mux(names(selector, CPU), const(0, 32), const(0xFFFFFFFF, 32)), names(selector, *RIGHTS))


def _answer(cpu: X86Cpu, dst: Operand, value: Bits, known: Bits) -> None:
    cpu.set_flags(ZF=known)
    with when(known):
        dst.write(value[15:0] if dst.width == 16 else zext(value, dst.width))


@x86("0F 00 /4", "verr Ew", allowed=tuple(RIGHTS))
@x86("0F 00 /5", "verw Ew", allowed=WRITABLE)
def verify(cpu: X86Cpu, src: Operand, *, allowed: tuple[int, ...]) -> None:
    """Verify a segment for reading or writing. SDM vol. 2D."""
    cpu.set_flags(ZF=names(src.read(), *allowed))


@x86("63 /r", "arpl Ew, Gw", mode=32)
def arpl(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Adjust the RPL of a selector, which is written only if it changes. SDM vol. 2A."""
    level, selector = src.read()[1:0], dst.read()
    lower = ult(selector[1:0], level)
    with when(lower):
        dst.write(cat(selector[15:2], level))
    cpu.set_flags(ZF=lower)


# -- bases -----------------------------------------------------------------------------------------------------------------


for digit, (name, number) in enumerate((("fs", FS), ("gs", GS))):
    def rdbase(cpu: X86Cpu, dst: Operand, *, number: int) -> None:
        """Read a segment's base. SDM vol. 2B, RDFSBASE/RDGSBASE."""
        dst.write(cpu.SEG[number][dst.width - 1:0])

    def wrbase(cpu: X86Cpu, src: Operand, *, number: int) -> None:
        """Write a segment's base, which must be canonical. SDM vol. 2D, WRFSBASE/WRGSBASE."""
        value = zext(src.read(), 64)
        protect(cpu, (value[63:47] != 0) & (value[63:47] != 0x1FFFF))
        cpu.SEG[number] = value
    x86.row(rdbase, f"F3 0F AE /{digit}", f"rd{name}base Ry", mode=64, number=number)
    x86.row(wrbase, f"F3 0F AE /{digit + 2}", f"wr{name}base Ry", mode=64, number=number)
