"""A32 extension, packing, bit fields, reversal and saturation. ARM ARM A5.2.6, A5.2.12, A5.4.

No row here reads or writes the PC: where the manual says UNPREDICTABLE the encoding is undefined.
"""

from __future__ import annotations

from xemu.core.bits import bitrev, bswap, clz, mux, sar, sext, zext
from xemu.targets.arm import operations_media as op
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import titled

ONES, ZEROS = "(1) (1) (1) (1)", "(0) (0) (0) (0)"
D_M, D_N, D_N_M = "Rd != 15, Rm != 15", "Rd != 15, Rn != 15", "Rd != 15, Rn != 15, Rm != 15"


# -- extension (A5.4.3): Rn = 15 says "no addend" --------------------------------------------------------------------


def extend(cpu, Rd, Rn, Rm, rotate, kind, signed):
    """Extend bytes or halfwords, with an addend where there is Rn."""
    op.extend(cpu, Rd, Rn, Rm, rotate, kind, signed=signed)


#: name without the S or U, opcode, kind, sections (signed, unsigned) with an addend; 3 later: without
EXTENSIONS = (("XTAB", "10", "B", (230, 271)), ("XTAB16", "00", "B16", (231, 272)), ("XTAH", "11", "H", (232, 273)))


def _add_extension(letter, u, name, opcode, kind, section):
    for addend, rotated in ((1, 1), (0, 1), (0, 0)):
        mnemonic = letter + (name if addend else name.replace("A", "", 1))
        bound = (
            {"kind": kind, "signed": letter == "S"}
            | ({} if addend else {"Rn": None})
            | ({} if rotated else {"rotate": None})
        )
        number = section if addend else section + 3
        a32.add(
            titled(
                extend,
                mnemonic + "_unrotated" * (not rotated),
                f"{mnemonic}, A1{', unrotated' * (not rotated)}",
                f"A8.8.{number}",
            ),
            f"cond 01101 {u} {opcode} {'Rn' if addend else '1111'} Rd {'rotate' if rotated else '00'} (0) (0) 0111 Rm",
            f"{mnemonic.lower()}{{cond}} {{Rd}}, {'{Rn}, ' * addend}{{Rm}}{'{rotation}' * rotated}",
            where=D_M,
            bound=bound,
            source="a32_media.py",
        )


for _letter, _u in (("S", 0), ("U", 1)):
    for _name, _opcode, _kind, _sections in EXTENSIONS:
        _add_extension(_letter, _u, _name, _opcode, _kind, _sections[_u])


# -- packing, reversal, bit fields -----------------------------------------------------------------------------------


@a32("cond 01101000 Rn Rd imm5 tb 01 Rm", "pkh{tb}{cond} {Rd}, {Rn}, {Rm}{shift}", where=D_N_M)
def PKH(cpu, Rn, Rd, imm5, tb, Rm):
    """PKH, A1. ARM ARM A8.8.125."""
    op.pack_halves(cpu, Rd, Rn, Rm, imm5, tb)


@a32(f"cond 01101000 Rn Rd {ONES} 1011 Rm", "sel{cond} {Rd}, {Rn}, {Rm}", where=D_N_M)
def SEL(cpu, Rn, Rd, Rm):
    """SEL, A1. ARM ARM A8.8.166."""
    op.select(cpu, Rd, Rn, Rm)


@a32(f"cond 00010110 {ONES} Rd {ONES} 0001 Rm", "clz{cond} {Rd}, {Rm}", where=D_M)
def CLZ(cpu, Rd, Rm):
    """CLZ, A1. ARM ARM A8.8.33."""
    cpu.R[Rd] = clz(cpu.R[Rm])


@a32(f"cond 01101011 {ONES} Rd {ONES} 0011 Rm", "rev{cond} {Rd}, {Rm}", where=D_M)
def REV(cpu, Rd, Rm):
    """REV, A1. ARM ARM A8.8.145."""
    cpu.R[Rd] = bswap(cpu.R[Rm])


@a32(f"cond 01101011 {ONES} Rd {ONES} 1011 Rm", "rev16{cond} {Rd}, {Rm}", where=D_M)
def REV16(cpu, Rd, Rm):
    """REV16, A1. ARM ARM A8.8.146."""
    cpu.R[Rd] = op.byte_swap_halves(cpu.R[Rm])


@a32(f"cond 01101111 {ONES} Rd {ONES} 0011 Rm", "rbit{cond} {Rd}, {Rm}", where=D_M)
def RBIT(cpu, Rd, Rm):
    """RBIT, A1. ARM ARM A8.8.144."""
    cpu.R[Rd] = bitrev(cpu.R[Rm])


@a32(f"cond 01101111 {ONES} Rd {ONES} 1011 Rm", "revsh{cond} {Rd}, {Rm}", where=D_M)
def REVSH(cpu, Rd, Rm):
    """REVSH, A1. ARM ARM A8.8.147."""
    cpu.R[Rd] = sext(bswap(cpu.R[Rm][15:0]), 32)


@a32("cond 0111101 widthm1:5 Rd lsb:5 101 Rn", "sbfx{cond} {Rd}, {Rn}, #{lsb}, #{width}", where=D_N)
def SBFX(cpu, widthm1, Rd, lsb, Rn):
    """SBFX, A1. ARM ARM A8.8.164."""
    op.field_extract(cpu, Rd, Rn, lsb, widthm1, signed=True)


@a32("cond 0111111 widthm1:5 Rd lsb:5 101 Rn", "ubfx{cond} {Rd}, {Rn}, #{lsb}, #{width}", where=D_N)
def UBFX(cpu, widthm1, Rd, lsb, Rn):
    """UBFX, A1. ARM ARM A8.8.246."""
    op.field_extract(cpu, Rd, Rn, lsb, widthm1, signed=False)


@a32("cond 0111110 msb:5 Rd lsb:5 001 Rn", "bfi{cond} {Rd}, {Rn}, #{lsb}, #{width}", where="Rd != 15")
def BFI(cpu, msb, Rd, lsb, Rn):
    """BFI, A1. ARM ARM A8.8.20."""
    op.field_insert(cpu, Rd, Rn, lsb, msb)


@a32("cond 0111110 msb:5 Rd lsb:5 001 1111", "bfc{cond} {Rd}, #{lsb}, #{width}", where="Rd != 15")
def BFC(cpu, msb, Rd, lsb):
    """BFC, A1. ARM ARM A8.8.19."""
    op.field_insert(cpu, Rd, None, lsb, msb)


# -- saturation ------------------------------------------------------------------------------------------------------


def _shift(cpu, Rn, imm5, sh):
    """Return Rn shifted as SSAT and USAT say it: LSL, or ASR where 0 means 32."""
    n = zext(imm5, 32)
    return sar(cpu.R[Rn], mux(imm5 == 0, 31, n)) if sh else cpu.R[Rn] << n


@a32("cond 0110101 sat_imm:5 Rd imm5 sh 01 Rn", "ssat{cond} {Rd}, #{imm}, {Rn}{shift}", where=D_N)
def SSAT(cpu, sat_imm, Rd, imm5, sh, Rn):
    """SSAT, A1. ARM ARM A8.8.193."""
    op.saturate(cpu, Rd, _shift(cpu, Rn, imm5, sh), zext(sat_imm, 32) + 1, signed=True)


@a32("cond 0110111 sat_imm:5 Rd imm5 sh 01 Rn", "usat{cond} {Rd}, #{imm}, {Rn}{shift}", where=D_N)
def USAT(cpu, sat_imm, Rd, imm5, sh, Rn):
    """USAT, A1. ARM ARM A8.8.266."""
    op.saturate(cpu, Rd, _shift(cpu, Rn, imm5, sh), zext(sat_imm, 32), signed=False)


@a32(f"cond 01101010 sat_imm:4 Rd {ONES} 0011 Rn", "ssat16{cond} {Rd}, #{imm}, {Rn}", where=D_N)
def SSAT16(cpu, sat_imm, Rd, Rn):
    """SSAT16, A1. ARM ARM A8.8.194."""
    op.saturate_halves(cpu, Rd, Rn, zext(sat_imm, 32) + 1, signed=True)


@a32(f"cond 01101110 sat_imm:4 Rd {ONES} 0011 Rn", "usat16{cond} {Rd}, #{imm}, {Rn}", where=D_N)
def USAT16(cpu, sat_imm, Rd, Rn):
    """USAT16, A1. ARM ARM A8.8.267."""
    op.saturate_halves(cpu, Rd, Rn, zext(sat_imm, 32), signed=False)


def saturating_add(cpu, Rn, Rd, Rm, double, subtract):
    """Add or subtract and saturate, twice where `double`."""
    op.saturating_add(cpu, Rd, Rm, Rn, double=double, subtract=subtract)


for _name, _opcode, _double, _subtract, _section in (
    ("QADD", "00", False, False, 134),
    ("QSUB", "01", False, True, 141),
    ("QDADD", "10", True, False, 138),
    ("QDSUB", "11", True, True, 139),
):
    a32.add(
        titled(saturating_add, _name, f"{_name}, A1", f"A8.8.{_section}"),
        f"cond 00010 {_opcode} 0 Rn Rd {ZEROS} 0101 Rm",
        f"{_name.lower()}{{cond}} {{Rd}}, {{Rm}}, {{Rn}}",
        where=D_N_M,
        bound={"double": _double, "subtract": _subtract},
        source="a32_media.py",
    )


# -- parallel addition and subtraction (A5.4.1, A5.4.2), sums of absolute differences --------------------------------


def parallel(cpu, Rn, Rd, Rm, prefix, operation):
    """Add and subtract bytes or halfwords."""
    op.parallel(cpu, prefix, operation, Rd, Rn, Rm)


PREFIXES = {"S": "001", "Q": "010", "SH": "011", "U": "101", "UQ": "110", "UH": "111"}
#: bits 7…5; sections of A8.8 with prefixes S, Q, SH, U, UQ, UH
PARALLEL = {
    "ADD16": ("000", (158, 135, 169, 243, 258, 249)),
    "ASX": ("001", (160, 137, 171, 245, 260, 251)),
    "SAX": ("010", (195, 140, 172, 268, 261, 252)),
    "SUB16": ("011", (196, 142, 173, 269, 262, 253)),
    "ADD8": ("100", (159, 136, 170, 244, 259, 250)),
    "SUB8": ("111", (197, 143, 174, 270, 263, 254)),
}

for _operation, (_op2, _numbers) in PARALLEL.items():
    for (_prefix, _op1), _section in zip(PREFIXES.items(), _numbers, strict=True):
        _name = _prefix + _operation
        a32.add(
            titled(parallel, _name, f"{_name}, A1", f"A8.8.{_section}"),
            f"cond 01100 {_op1} Rn Rd {ONES} {_op2} 1 Rm",
            f"{_name.lower()}{{cond}} {{Rd}}, {{Rn}}, {{Rm}}",
            where=D_N_M,
            bound={"prefix": _prefix, "operation": _operation},
            source="a32_media.py",
        )


@a32("cond 01111000 Rd 1111 Rm 0001 Rn", "usad8{cond} {Rd}, {Rn}, {Rm}", where=D_N_M)
def USAD8(cpu, Rd, Rm, Rn):
    """USAD8, A1. ARM ARM A8.8.264."""
    op.absolute_differences(cpu, Rd, Rn, Rm, None)


@a32("cond 01111000 Rd Ra Rm 0001 Rn", "usada8{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=D_N_M)
def USADA8(cpu, Rd, Ra, Rm, Rn):
    """USADA8, A1. ARM ARM A8.8.265."""
    op.absolute_differences(cpu, Rd, Rn, Rm, Ra)
