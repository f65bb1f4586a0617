"""MXCSR, and the state of x87, SSE and AVX as a whole: LDMXCSR, FXSAVE, XSAVE and their like. SDM vol. 1, 10.2.3, 10.5, 13.4 to 13.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, zext
from xemu.core.record import RegNo, when
from xemu.targets.x86.floating import host_exceptions
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import GENERAL_PROTECTION, MXCSR_MODES, MXCSR_USUAL

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory
    from xemu.targets.x86.state import X86Cpu

RAX = 0
MXCSR_MASK = 0xFFFF
FCW_MASK, FCW_ONES, FCW_INITIAL = 0x1F3F, 0x40, 0x37F
FSW_MASK = 0x477F
X87_MASKS = 0x3F                # of the control word: all exceptions masked
HEADER, UPPER = 512, 576        # where the XSAVE header and the upper halves of YMM registers are
COMPACTED = 63                  # bit of XCOMP_BV


# -- MXCSR ----------------------------------------------------------------------------------------------------------------


def read_mxcsr(cpu: X86Cpu) -> Bits:
    """Return MXCSR."""
    flags = cpu.FPFLAGS | host_exceptions()
    cpu.FPFLAGS = flags
    word: Bits = cpu.MXMODE | zext(cat(flags[4:1], flags[7], flags[0]), 32)
    return word


def write_mxcsr(cpu: X86Cpu, value: Bits) -> None:
    """Set MXCSR, which has no reserved bits set."""
    cpu.MXMODE = value & MXCSR_MODES
    # the host's exceptions are read, which clears them, and dropped (bits 6:5 of both are 0)
    cpu.FPFLAGS = cat(value[1], const(0, 2), value[5:2], value[0]) | (host_exceptions() & 0x60)


def check_mxcsr(cpu: X86Cpu, value: Bits) -> None:
    """#GP if reserved bits are set."""
    with when(value & ~MXCSR_MASK & 0xFFFFFFFF != 0):
        cpu.abort("exception", GENERAL_PROTECTION)


def go_on(cpu: X86Cpu, mxcsr: Bits, fcw: Bits | None = None) -> None:
    """Go on with the next instruction in the context that control words mean."""
    x87 = const(cpu.context.X87, 1) if fcw is None else (fcw & X87_MASKS) != X87_MASKS
    cpu.branch(cpu.next_pc, context=cat(const(0, 14), x87, (mxcsr & MXCSR_MODES) != MXCSR_USUAL))


def ldmxcsr(cpu: X86Cpu, src: Memory) -> None:
    """Load MXCSR. SDM vol. 2A."""
    value = src.read()
    check_mxcsr(cpu, value)
    write_mxcsr(cpu, value)
    go_on(cpu, value)


def stmxcsr(cpu: X86Cpu, dst: Memory) -> None:
    """Store MXCSR. SDM vol. 2B."""
    dst.write(read_mxcsr(cpu))


x86.row(ldmxcsr, "NP 0F AE /2", "ldmxcsr Md")
x86.row(stmxcsr, "NP 0F AE /3", "stmxcsr Md")
x86.row(ldmxcsr, "VEX.LZ.0F.WIG AE /2", "vldmxcsr Md")
x86.row(stmxcsr, "VEX.LZ.0F.WIG AE /3", "vstmxcsr Md")


# -- parts of the image -------------------------------------------------------------------------------------------------------


def vectors(cpu: X86Cpu) -> int:
    """Return how many vector registers there are."""
    return 16 if cpu.context.L else 8


def store(cpu: X86Cpu, at: Bits, value: Bits) -> None:
    """Store to memory that has been checked."""
    cpu.store(at, value, checked=False)


def save_x87(cpu: X86Cpu, at: Bits, *, wide: bool) -> None:
    """Store the x87's part; `wide`: pointers have 64 bits. Selectors are not kept."""
    status = cpu.FSW | zext(cpu.FTOP & 7, 16) << 11
    status = status | mux((status & ~cpu.FCW & X87_MASKS) != 0, const(0x8080, 16), const(0, 16))
    pointer, data, opcode = (cpu.FLAST[n] for n in range(3))
    if not wide:
        pointer, data = zext(pointer[31:0], 64), zext(data[31:0], 64)
    store(cpu, at, cat(opcode[15:0] & 0x7FF, zext(cpu.FVALID, 16), status, cpu.FCW))
    store(cpu, at + 8, pointer)
    store(cpu, at + 16, data)
    for i in range(8):
        store(cpu, at + (32 + 16 * i), zext(cpu.FPR[RegNo(cpu.FTOP + i & 7)], 128))


def save_mxcsr(cpu: X86Cpu, at: Bits) -> None:
    """Store MXCSR and what may be set in it."""
    store(cpu, at + 24, cat(const(MXCSR_MASK, 32), read_mxcsr(cpu)))


def save_vectors(cpu: X86Cpu, at: Bits, *, upper: int) -> None:
    """Store XMM registers, or the upper halves of YMM registers."""
    for n in range(vectors(cpu)):
        store(cpu, at + 16 * n, cpu.X[2 * n + upper])


def load_x87(cpu: X86Cpu, at: Bits, *, wide: bool) -> Bits:
    """Load the x87's part; return the control word."""
    words = cpu.load(at, 8, checked=False)
    control = words[15:0] & FCW_MASK | FCW_ONES
    cpu.FCW, cpu.FSW = control, words[31:16] & FSW_MASK
    top = zext(words[29:27], 8)
    cpu.FVALID = words[39:32]
    pointer, data = (cpu.load(at + n, 8, checked=False) for n in (8, 16))
    if not wide:
        pointer, data = zext(pointer[31:0], 64), zext(data[31:0], 64)
    cpu.FLAST[0], cpu.FLAST[1], cpu.FLAST[2] = pointer, data, zext(words[58:48], 64)
    for i in range(8):
        value = cpu.load(at + (32 + 16 * i), 16, checked=False)
        cpu.FPR[RegNo(top + i & 7)] = value[79:0]
    cpu.FTOP = top
    return control


def reset_x87(cpu: X86Cpu) -> Bits:
    """Set the x87's part as after a reset; return the control word."""
    cpu.FCW, cpu.FSW, cpu.FTOP, cpu.FVALID = const(FCW_INITIAL, 16), const(0, 16), const(0, 8), const(0, 8)
    for n in range(3):
        cpu.FLAST[n] = const(0, 64)
    for n in range(8):
        cpu.FPR[n] = const(0, 80)
    return const(FCW_INITIAL, 16)


def load_vectors(cpu: X86Cpu, at: Bits, *, upper: int) -> None:
    """Load XMM registers, or the upper halves of YMM registers."""
    for n in range(vectors(cpu)):
        cpu.X[2 * n + upper] = cpu.load(at + 16 * n, 16, checked=False)


def reset_vectors(cpu: X86Cpu, *, upper: int) -> None:
    """Clear XMM registers, or the upper halves of YMM registers."""
    for n in range(vectors(cpu)):
        cpu.X[2 * n + upper] = const(0, 128)


def check_area(cpu: X86Cpu, at: Bits, size: int, align: int, *, write: bool) -> None:
    """#GP unless an area is aligned; processors then look at its last byte first."""
    with when(at & (align - 1) != 0):
        cpu.abort("exception", GENERAL_PROTECTION)
    cpu.probe(at + (size - 1), 1, write=write)
    cpu.probe(at, size, write=write)


# -- FXSAVE, FXRSTOR ----------------------------------------------------------------------------------------------------------


def fxsave(cpu: X86Cpu, dst: Memory, *, wide: bool) -> None:
    """Store the state of x87 and SSE. SDM vol. 2A."""
    at = dst.address
    check_area(cpu, at, 512, 16, write=True)
    save_x87(cpu, at, wide=wide)
    save_mxcsr(cpu, at)
    save_vectors(cpu, at + 160, upper=0)


def fxrstor(cpu: X86Cpu, src: Memory, *, wide: bool) -> None:
    """Load the state of x87 and SSE. SDM vol. 2A."""
    at = src.address
    check_area(cpu, at, 512, 16, write=False)
    mxcsr = cpu.load(at + 24, 4, checked=False)
    check_mxcsr(cpu, mxcsr)
    control = load_x87(cpu, at, wide=wide)
    load_vectors(cpu, at + 160, upper=0)
    write_mxcsr(cpu, mxcsr)
    go_on(cpu, mxcsr, control)


for word, wide in ("REX.0", False), ("REX.W", True):
    tail = "64" if wide else ""
    x86.row(fxsave, f"NP {word} 0F AE /0", f"fxsave{tail} Mo", wide=wide)
    x86.row(fxrstor, f"NP {word} 0F AE /1", f"fxrstor{tail} Mo", wide=wide)


# -- XSAVE and its like ---------------------------------------------------------------------------------------------------------


def requested(cpu: X86Cpu) -> Bits:
    """Return the components that an instruction is about: EAX and XCR0."""
    components: Bits = cpu.R[RAX][2:0]
    return components


def xsave(cpu: X86Cpu, dst: Memory, *, wide: bool, compacted: bool) -> None:
    """XSAVE, XSAVEOPT; XSAVEC stores in the compacted form, which differs in the header alone. SDM vol. 1, 13.7, 13.9, 13.10.

    No component is in its initial state, as far as these instructions say.
    """
    at, wanted = dst.address, requested(cpu)
    check_area(cpu, at, UPPER + 256, 64, write=True)
    before = cpu.load(at + HEADER, 8, checked=False)
    with when(wanted[0]):
        save_x87(cpu, at, wide=wide)
    with when(wanted[1] | wanted[2]):
        save_mxcsr(cpu, at)
    with when(wanted[1]):
        save_vectors(cpu, at + 160, upper=0)
    with when(wanted[2]):
        save_vectors(cpu, at + UPPER, upper=1)
    if compacted:
        store(cpu, at + HEADER, zext(wanted, 64))
        store(cpu, at + (HEADER + 8), zext(wanted, 64) | 1 << COMPACTED)
    else:
        store(cpu, at + HEADER, before & ~zext(wanted, 64) | zext(wanted, 64))


def xrstor(cpu: X86Cpu, src: Memory, *, wide: bool) -> None:
    """Load components; those that the image does not have are as after a reset. SDM vol. 1, 13.8."""
    at, wanted = src.address, requested(cpu)
    check_area(cpu, at, UPPER + 256, 64, write=False)
    there, form, *reserved = (cpu.load(at + (HEADER + 8 * n), 8, checked=False) for n in range(8))
    compact = form[COMPACTED]
    have = form & (1 << COMPACTED) - 1
    bad = mux(compact, (there & ~have) != 0, form != 0) | (there >> 3 != 0) | (have >> 3 != 0) | (reserved[0] != 0)
    for word in reserved[1:]:
        bad = bad | (compact & (word != 0))
    mxcsr = cpu.load(at + 24, 4, checked=False)
    loads_mxcsr = mux(compact, wanted[1] & there[1], wanted[1] | wanted[2])
    bad = bad | (loads_mxcsr & (mxcsr & ~MXCSR_MASK & 0xFFFFFFFF != 0))
    with when(bad):
        cpu.abort("exception", GENERAL_PROTECTION)
    control = cpu.FCW
    with when(wanted[0] & there[0]):
        control = load_x87(cpu, at, wide=wide)
    with when(wanted[0] & ~there[0]):
        reset_x87(cpu)
    control = mux(wanted[0], mux(there[0], control, const(FCW_INITIAL, 16)), cpu.FCW)
    for component, offset, upper in (1, 160, 0), (2, UPPER, 1):
        with when(wanted[component] & there[component]):
            load_vectors(cpu, at + offset, upper=upper)
        with when(wanted[component] & ~there[component]):
            reset_vectors(cpu, upper=upper)
    new = mux(loads_mxcsr, mxcsr, mux(compact & wanted[1], const(MXCSR_USUAL, 32), read_mxcsr(cpu)))
    write_mxcsr(cpu, new)
    go_on(cpu, new, control)


for word, wide in ("REX.0", False), ("REX.W", True):
    tail = "64" if wide else ""
    x86.row(xsave, f"NP {word} 0F AE /4", f"xsave{tail} Mo", wide=wide, compacted=False)
    x86.row(xrstor, f"NP {word} 0F AE /5", f"xrstor{tail} Mo", wide=wide)
    x86.row(xsave, f"NP {word} 0F AE /6", f"xsaveopt{tail} Mo", wide=wide, compacted=False)
    x86.row(xsave, f"NP {word} 0F C7 /4", f"xsavec{tail} Mo", wide=wide, compacted=True)
