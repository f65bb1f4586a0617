"""32-bit T32 extension, packing, bit fields, reversal, saturation, parallel arithmetic. ARM ARM A6.3.3, A6.3.11-15."""

from __future__ import annotations

from xemu.core.bits import bitrev, bswap, clz, sar, sext, zext
from xemu.targets.arm import operations_media as op
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import titled

D_M, D_N, D_N_M = "Rd != 15, Rm != 15", "Rd != 15, Rn != 15", "Rd != 15, Rn != 15, Rm != 15"


# -- extension (A6.3.12): Rn = 15 says "no addend" -------------------------------------------------------------------


def extend(cpu, Rd, Rn, Rm, rotate, kind, signed):
    """Extend bytes or halfwords, with an addend where there is Rn."""
    op.extend(cpu, Rd, Rn, Rm, rotate, kind, signed=signed)


#: name without the S or U, opcode without the U bit, kind, sections with an addend (3 later: without)
EXTENSIONS = (("XTAH", "00", "H", (232, 273)), ("XTAB16", "01", "B16", (231, 272)), ("XTAB", "10", "B", (230, 271)))


def _add_extension(letter, u, name, opcode, kind, section):
    for addend, rotated in ((1, 1), (0, 1), (0, 0)):
        mnemonic = letter + (name if addend else name.replace("A", "", 1))
        encoding = "T1" if addend or name == "XTAB16" else "T2"
        bound = (
            {"kind": kind, "signed": letter == "S"}
            | ({} if addend else {"Rn": None})
            | ({} if rotated else {"rotate": None})
        )
        t32.add(
            titled(
                extend,
                mnemonic + "_unrotated" * (not rotated),
                f"{mnemonic}, {encoding}{', unrotated' * (not rotated)}",
                f"A8.8.{section if addend else section + 3}",
            ),
            f"111110100 {opcode} {u} {'Rn' if addend else '1111'} 1111 Rd 1 (0) {'rotate' if rotated else '00'} Rm",
            f"{mnemonic.lower()} {{Rd}}, {'{Rn}, ' * addend}{{Rm}}{'{rotation}' * rotated}",
            where=D_M,
            bound=bound,
            source="t32_media.py",
        )


for _letter, _u in (("S", 0), ("U", 1)):
    for _name, _opcode, _kind, _sections in EXTENSIONS:
        _add_extension(_letter, _u, _name, _opcode, _kind, _sections[_u])


# -- packing, reversal, bit fields -----------------------------------------------------------------------------------


@t32("1110101 0110 0 Rn (0) imm3 Rd imm2 tb 0 Rm", "pkh{tb} {Rd}, {Rn}, {Rm}{shift}", where=D_N_M)
def PKH(cpu, Rn, Rd, imm3_2, tb, Rm):
    """PKH, T1. ARM ARM A8.8.125."""
    op.pack_halves(cpu, Rd, Rn, Rm, imm3_2, tb)


@t32("11111010 1010 Rn 1111 Rd 1000 Rm", "sel {Rd}, {Rn}, {Rm}", where=D_N_M)
def SEL(cpu, Rn, Rd, Rm):
    """SEL, T1. ARM ARM A8.8.166."""
    op.select(cpu, Rd, Rn, Rm)


# These name Rm twice; where the two differ the manual says UNPREDICTABLE: the last one counts.


@t32("11111010 1011 ---- 1111 Rd 1000 Rm", "clz {Rd}, {Rm}", where=D_M)
def CLZ(cpu, Rd, Rm):
    """CLZ, T1. ARM ARM A8.8.33."""
    cpu.R[Rd] = clz(cpu.R[Rm])


@t32("11111010 1001 ---- 1111 Rd 1000 Rm", "rev.w {Rd}, {Rm}", where=D_M)
def REV(cpu, Rd, Rm):
    """REV, T2. ARM ARM A8.8.145."""
    cpu.R[Rd] = bswap(cpu.R[Rm])


@t32("11111010 1001 ---- 1111 Rd 1001 Rm", "rev16.w {Rd}, {Rm}", where=D_M)
def REV16(cpu, Rd, Rm):
    """REV16, T2. ARM ARM A8.8.146."""
    cpu.R[Rd] = op.byte_swap_halves(cpu.R[Rm])


@t32("11111010 1001 ---- 1111 Rd 1010 Rm", "rbit {Rd}, {Rm}", where=D_M)
def RBIT(cpu, Rd, Rm):
    """RBIT, T1. ARM ARM A8.8.144."""
    cpu.R[Rd] = bitrev(cpu.R[Rm])


@t32("11111010 1001 ---- 1111 Rd 1011 Rm", "revsh.w {Rd}, {Rm}", where=D_M)
def REVSH(cpu, Rd, Rm):
    """REVSH, T2. ARM ARM A8.8.147."""
    cpu.R[Rd] = sext(bswap(cpu.R[Rm][15:0]), 32)


@t32("11110 (0) 11010 0 Rn 0 imm3 Rd imm2 (0) widthm1:5", "sbfx {Rd}, {Rn}, #{lsb}, #{width}", where=D_N)
def SBFX(cpu, Rn, imm3_2, Rd, widthm1):
    """SBFX, T1. ARM ARM A8.8.164."""
    op.field_extract(cpu, Rd, Rn, imm3_2, widthm1, signed=True)


@t32("11110 (0) 11110 0 Rn 0 imm3 Rd imm2 (0) widthm1:5", "ubfx {Rd}, {Rn}, #{lsb}, #{width}", where=D_N)
def UBFX(cpu, Rn, imm3_2, Rd, widthm1):
    """UBFX, T1. ARM ARM A8.8.246."""
    op.field_extract(cpu, Rd, Rn, imm3_2, widthm1, signed=False)


@t32("11110 (0) 11011 0 Rn 0 imm3 Rd imm2 (0) msb:5", "bfi {Rd}, {Rn}, #{lsb}, #{width}", where="Rd != 15")
def BFI(cpu, Rn, imm3_2, Rd, msb):
    """BFI, T1. ARM ARM A8.8.20."""
    op.field_insert(cpu, Rd, Rn, imm3_2, msb)


@t32("11110 (0) 11011 0 1111 0 imm3 Rd imm2 (0) msb:5", "bfc {Rd}, #{lsb}, #{width}", where="Rd != 15")
def BFC(cpu, imm3_2, Rd, msb):
    """BFC, T1. ARM ARM A8.8.19."""
    op.field_insert(cpu, Rd, None, imm3_2, msb)


# -- saturation (A6.3.3) ---------------------------------------------------------------------------------------------


def saturate_left(cpu, Rn, imm3_2, Rd, sat_imm, signed):
    """Saturate a register shifted left."""
    op.saturate(cpu, Rd, cpu.R[Rn] << zext(imm3_2, 32), zext(sat_imm, 32) + int(signed), signed=signed)


def saturate_right(cpu, Rn, imm3_2, Rd, sat_imm, signed):
    """Saturate a register shifted right."""
    op.saturate(cpu, Rd, sar(cpu.R[Rn], zext(imm3_2, 32)), zext(sat_imm, 32) + int(signed), signed=signed)


def saturate_halves(cpu, Rn, Rd, sat_imm, signed):
    """Saturate both halfwords of a register."""
    op.saturate_halves(cpu, Rd, Rn, zext(sat_imm, 32) + int(signed), signed=signed)


for _name, _opcode, _signed, _sections in (("SSAT", "1000", True, (193, 194)), ("USAT", "1100", False, (266, 267))):
    _bound, _tail = {"signed": _signed}, "Rn 0 imm3 Rd imm2 (0) sat_imm:5"
    t32.add(
        titled(saturate_left, _name, f"{_name}, T1", f"A8.8.{_sections[0]}"),
        f"11110 (0) 1 {_opcode} 0 {_tail}",
        f"{_name.lower()} {{Rd}}, #{{imm}}, {{Rn}}{{shift}}",
        where=D_N,
        bound=_bound,
        source="t32_media.py",
    )
    t32.add(
        titled(saturate_right, f"{_name}_asr", f"{_name}, T1, shift right", f"A8.8.{_sections[0]}"),
        f"11110 (0) 1 {_opcode[:3]} 1 0 {_tail}",
        f"{_name.lower()} {{Rd}}, #{{imm}}, {{Rn}}, asr #{{imm5}}",
        where=D_N,
        bound=_bound,
        source="t32_media.py",
    )
    t32.add(
        titled(saturate_halves, f"{_name}16", f"{_name}16, T1", f"A8.8.{_sections[1]}"),
        f"11110 (0) 1 {_opcode[:3]} 1 0 Rn 0 000 Rd 00 (0) (0) sat_imm:4",
        f"{_name.lower()}16 {{Rd}}, #{{imm}}, {{Rn}}",
        where=D_N,
        bound=_bound,
        source="t32_media.py",
    )


def saturating_add(cpu, Rn, Rd, Rm, double, subtract):
    """Add or subtract and saturate, twice where `double`."""
    op.saturating_add(cpu, Rd, Rm, Rn, double=double, subtract=subtract)


for _name, _opcode, _double, _subtract, _section in (
    ("QADD", "00", False, False, 134),
    ("QDADD", "01", True, False, 138),
    ("QSUB", "10", False, True, 141),
    ("QDSUB", "11", True, True, 139),
):
    t32.add(
        titled(saturating_add, _name, f"{_name}, T1", f"A8.8.{_section}"),
        f"11111010 1000 Rn 1111 Rd 10 {_opcode} Rm",
        f"{_name.lower()} {{Rd}}, {{Rm}}, {{Rn}}",
        where=D_N_M,
        bound={"double": _double, "subtract": _subtract},
        source="t32_media.py",
    )


# -- parallel addition and subtraction (A6.3.13, A6.3.14) ------------------------------------------------------------


def parallel(cpu, Rn, Rd, Rm, prefix, operation):
    """Add and subtract bytes or halfwords."""
    op.parallel(cpu, prefix, operation, Rd, Rn, Rm)


PREFIXES = {"S": "0000", "Q": "0001", "SH": "0010", "U": "0100", "UQ": "0101", "UH": "0110"}
#: bits 22…20; sections of A8.8 with prefixes S, Q, SH, U, UQ, UH
PARALLEL = {
    "ADD8": ("000", (159, 136, 170, 244, 259, 250)),
    "ADD16": ("001", (158, 135, 169, 243, 258, 249)),
    "ASX": ("010", (160, 137, 171, 245, 260, 251)),
    "SUB8": ("100", (197, 143, 174, 270, 263, 254)),
    "SUB16": ("101", (196, 142, 173, 269, 262, 253)),
    "SAX": ("110", (195, 140, 172, 268, 261, 252)),
}

for _operation, (_op1, _numbers) in PARALLEL.items():
    for (_prefix, _low), _section in zip(PREFIXES.items(), _numbers, strict=True):
        _name = _prefix + _operation
        t32.add(
            titled(parallel, _name, f"{_name}, T1", f"A8.8.{_section}"),
            f"111110101 {_op1} Rn 1111 Rd {_low} Rm",
            f"{_name.lower()} {{Rd}}, {{Rn}}, {{Rm}}",
            where=D_N_M,
            bound={"prefix": _prefix, "operation": _operation},
            source="t32_media.py",
        )
