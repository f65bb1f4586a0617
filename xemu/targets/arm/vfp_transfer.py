"""Extension registers to and from memory and core registers, and FPSCR. ARM ARM A7.6, A7.8, A7.9."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, make, ult, unique, zext
from xemu.core.record import RegNo, when
from xemu.targets.arm.simd import add_simd, following, simd

#: bits of FPSCR that are modes: AHP, DN, FZ, RMode, Stride, Len. Trap enables are RAZ/WI: VFPv4 traps nothing
MODES = 0x07F7_0000
EXCEPTIONS = 0x9F


# -- FPSCR ---------------------------------------------------------------------------------------------------------------


def host_exceptions() -> Bits:
    """Return the IEEE exceptions that native code has gathered in the host's register since it was last read."""
    return make("hostflags", 8, (), unique())


@simd("cond 1110 1111 0001 Rt 1010 (0) (0) (0) 1 (0) (0) (0) (0)", "vmrs{cond} {Rt}, fpscr", where="Rt != 15")
def VMRS(cpu, Rt):
    """VMRS, A1: FPSCR to a core register. ARM ARM A8.8.348."""
    flags = cpu.FPFLAGS | host_exceptions()
    cpu.FPFLAGS = flags
    cpu.R[Rt] = cat(cpu.FPNZCV, cpu.FPQC, cpu.FPMODE[26:8], flags)


@simd("cond 1110 1111 0001 1111 1010 (0) (0) (0) 1 (0) (0) (0) (0)", "vmrs{cond} apsr_nzcv, fpscr")
def VMRS_flags(cpu):
    """VMRS, A1: FPSCR's condition flags to APSR. ARM ARM A8.8.348."""
    cpu.set_nzcv(cpu.FPNZCV)


@simd("cond 1110 1110 0001 Rt 1010 (0) (0) (0) 1 (0) (0) (0) (0)", "vmsr{cond} fpscr, {Rt}", where="Rt != 15")
def VMSR(cpu, Rt):
    """VMSR, A1. ARM ARM A8.8.349. Code behind it is decoded anew, for the modes are part of the context."""
    value = cpu.R[Rt]
    modes = value & MODES
    cpu.FPNZCV, cpu.FPQC, cpu.FPMODE = value[31:28], value[27], modes
    # the host's exceptions are read, which clears them, and dropped (bits 6:5 of both are 0)
    cpu.FPFLAGS = (value[7:0] & EXCEPTIONS) | (host_exceptions() & 0x60)
    context = cat(const(0, 13), modes != 0, const(cpu.context.E, 1), const(cpu.context.T, 1))
    cpu.branch(cpu.pc + cpu.length, context=context)


# -- core registers ---------------------------------------------------------------------------------------------------------


@simd("cond 1110 000 0 Vn Rt 1010 N (0) (0) 1 (0) (0) (0) (0)", "vmov{cond} {Sn}, {Rt}", where="Rt != 15")
def VMOV_to_single(cpu, Sn, Rt):
    """VMOV (between ARM core register and single-precision register), to single. ARM ARM A8.8.343."""
    cpu.S[Sn] = cpu.R[Rt]


@simd("cond 1110 000 1 Vn Rt 1010 N (0) (0) 1 (0) (0) (0) (0)", "vmov{cond} {Rt}, {Sn}", where="Rt != 15")
def VMOV_from_single(cpu, Sn, Rt):
    """VMOV (between ARM core register and single-precision register), from single. ARM ARM A8.8.343."""
    cpu.R[Rt] = cpu.S[Sn]


@simd("cond 1100 010 0 Rt2 Rt 1010 00 M 1 Vm", "vmov{cond} {Sm}, {Sm1}, {Rt}, {Rt2}", where="Rt != 15, Rt2 != 15, Sm != 31")
def VMOV_to_two_singles(cpu, Sm, Rt, Rt2):
    """VMOV (between two ARM core registers and two single-precision registers), to singles. ARM ARM A8.8.344."""
    cpu.S[Sm], cpu.S[Sm + 1] = cpu.R[Rt], cpu.R[Rt2]


@simd("cond 1100 010 1 Rt2 Rt 1010 00 M 1 Vm", "vmov{cond} {Rt}, {Rt2}, {Sm}, {Sm1}", where="Rt != 15, Rt2 != 15, Sm != 31")
def VMOV_from_two_singles(cpu, Sm, Rt, Rt2):
    """VMOV (between two ARM core registers and two single-precision registers), from singles. ARM ARM A8.8.344."""
    cpu.R[Rt] = cpu.S[Sm]
    cpu.R[Rt2] = cpu.S[Sm + 1]


@simd("cond 1100 010 0 Rt2 Rt 1011 00 M 1 Vm", "vmov{cond} {Dm}, {Rt}, {Rt2}", where="Rt != 15, Rt2 != 15")
def VMOV_to_double(cpu, Dm, Rt, Rt2):
    """VMOV (between two ARM core registers and a doubleword extension register), to doubleword. ARM ARM A8.8.345."""
    cpu.D[Dm] = cat(cpu.R[Rt2], cpu.R[Rt])


@simd("cond 1100 010 1 Rt2 Rt 1011 00 M 1 Vm", "vmov{cond} {Rt}, {Rt2}, {Dm}", where="Rt != 15, Rt2 != 15")
def VMOV_from_double(cpu, Dm, Rt, Rt2):
    """VMOV (between two ARM core registers and a doubleword extension register), from doubleword. ARM ARM A8.8.345."""
    value = cpu.D[Dm]
    cpu.R[Rt] = value[31:0]
    cpu.R[Rt2] = value[63:32]


# -- one register to and from memory -------------------------------------------------------------------------------------------


def offset_address(base: Bits, U: int, imm8: Bits) -> Bits:
    """Return base ± imm8 * 4."""
    offset = zext(cat(imm8, const(0, 2)), 32)
    return base + offset if U else base - offset


@simd("cond 1101 U D 01 Rn Vd 1011 imm8", "vldr{cond} {Dd}, [{Rn}, #{U}{imm32}]", where="Rn != 15")
def VLDR_double(cpu, U, Rn, Dd, imm8):
    """VLDR, A1. ARM ARM A8.8.333."""
    cpu.D[Dd] = cpu.mem_read(offset_address(cpu.R[Rn], U, imm8), 8, align=4)


@simd("cond 1101 U D 01 1111 Vd 1011 imm8", "vldr{cond} {Dd}, {label}")
def VLDR_double_literal(cpu, U, Dd, imm8):
    """VLDR, A1, from a literal pool. ARM ARM A8.8.333."""
    cpu.D[Dd] = cpu.mem_read(offset_address(literal_base(cpu), U, imm8), 8, align=4)


@simd("cond 1101 U D 01 Rn Vd 1010 imm8", "vldr{cond} {Sd}, [{Rn}, #{U}{imm32}]", where="Rn != 15")
def VLDR_single(cpu, U, Rn, Sd, imm8):
    """VLDR, A2. ARM ARM A8.8.333."""
    cpu.S[Sd] = cpu.mem_read(offset_address(cpu.R[Rn], U, imm8), 4, align=4)


@simd("cond 1101 U D 01 1111 Vd 1010 imm8", "vldr{cond} {Sd}, {label}")
def VLDR_single_literal(cpu, U, Sd, imm8):
    """VLDR, A2, from a literal pool. ARM ARM A8.8.333."""
    cpu.S[Sd] = cpu.mem_read(offset_address(literal_base(cpu), U, imm8), 4, align=4)


@simd("cond 1101 U D 00 Rn Vd 1011 imm8", "vstr{cond} {Dd}, [{Rn}, #{U}{imm32}]")
def VSTR_double(cpu, U, Rn, Dd, imm8):
    """VSTR, A1. ARM ARM A8.8.413."""
    cpu.mem_write(offset_address(cpu.R[Rn], U, imm8), cpu.D[Dd], align=4)


@simd("cond 1101 U D 00 Rn Vd 1010 imm8", "vstr{cond} {Sd}, [{Rn}, #{U}{imm32}]")
def VSTR_single(cpu, U, Rn, Sd, imm8):
    """VSTR, A2. ARM ARM A8.8.413."""
    cpu.mem_write(offset_address(cpu.R[Rn], U, imm8), cpu.S[Sd], align=4)


def literal_base(cpu) -> Bits:
    """Return Align(PC, 4)."""
    base: Bits = (cpu.pc & -4) + (4 if cpu.context.T else 8)
    return base


# -- several registers ------------------------------------------------------------------------------------------------------------

#: P U W -> letters of the mnemonic; write-back
FORMS = {"010": ("ia", False), "011": ("ia", True), "101": ("db", True)}


def transfer(cpu, V, first: RegNo, words: Bits, size: int, Rn: RegNo, *, load: bool, before: bool, writeback: bool) -> None:
    """Load or store words * 4 / size registers of `size` bytes from `first` on; a register past the last: undefined.

    At most 16 doublewords or 32 singles. An odd number of words of doublewords (FLDMX, FSTMX) counts in the write-back only.
    """
    most, shift, last = (16, 1, cpu.doublewords) if size == 8 else (32, 0, 32)
    count = zext(words, 16) >> shift
    end = count + zext(first.as_bits(), 16)
    good = ult(end, last + 1) & ult(count, most + 1) & (count != 0)
    with when(~good):
        cpu.undefined()
    length = zext(words, 32) << 2
    base = cpu.R[Rn]
    address = base - length if before else base
    cpu.probe(address, zext(count, 32) * size, write=not load, align=4)
    for i in range(most):
        with when(good & ult(const(i, 16), count)):
            if load:
                V[following(first, i)] = cpu.mem_read(address + size * i, size, checked=False)
            else:
                cpu.mem_write(address + size * i, V[following(first, i)], checked=False)
    if writeback:
        cpu.R[Rn] = address if before else base + length


def _add_multiple(load: bool, size: int, puw: str) -> None:
    """Add VLDM or VSTM of one register size and addressing form, and VPOP or VPUSH, which are these with SP."""
    letters, writeback = FORMS[puw]
    before, manual, name = letters == "db", (332 if load else 412), "vldm" if load else "vstm"

    def double(cpu, Rn, Dd, imm8):
        """VLDM, VSTM (VPOP, VPUSH), doublewords."""
        transfer(cpu, cpu.D, Dd, imm8, 8, Rn, load=load, before=before, writeback=writeback)

    def single(cpu, Rn, Sd, imm8):
        """VLDM, VSTM (VPOP, VPUSH), singles."""
        transfer(cpu, cpu.S, Sd, imm8, 4, Rn, load=load, before=before, writeback=writeback)

    def stack_double(cpu, Dd, imm8):
        """VPOP, VPUSH, doublewords."""
        double(cpu, RegNo(13), Dd, imm8)

    def stack_single(cpu, Sd, imm8):
        """VPOP, VPUSH, singles."""
        single(cpu, RegNo(13), Sd, imm8)

    row, stack, kind = (double, stack_double, "1011") if size == 8 else (single, stack_single, "1010")
    row.__doc__ = f"{name.upper()}, {row.__name__}. ARM ARM A8.8.{manual}."
    head = f"cond 110 {puw[0]} {puw[1]} D {puw[2]} {int(load)}"
    row_name = f"{name.upper()}{letters.upper()}{'_writeback' if writeback else ''}_{row.__name__}"
    add_simd(row, f"{head} Rn Vd {kind} imm8", f"{name}{letters}{{cond}} {{Rn}}{'!' if writeback else ''}, {{registers}}",
             where="Rn != 15" if writeback else "", name=row_name)
    if writeback and before != load:
        alias = "vpop" if load else "vpush"
        stack.__doc__ = f"{alias.upper()}, {row.__name__}. ARM ARM A8.8.{367 if load else 368}."
        add_simd(stack, f"{head} 1101 Vd {kind} imm8", f"{alias}{{cond}} {{registers}}", name=f"{alias.upper()}_{row.__name__}")


for _load in True, False:
    for _size in 8, 4:
        for _puw in FORMS:
            _add_multiple(_load, _size, _puw)
