"""32-bit T32 multiplies and divides. ARM ARM A6.3.16, A6.3.17."""

from __future__ import annotations

from xemu.targets.arm import operations_media as media
from xemu.targets.arm import operations_multiply as op
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import titled

NO_PC = "Rd != 15, Rn != 15, Rm != 15"
NO_PC_LONG = "RdLo != 15, RdHi != 15, Rn != 15, Rm != 15"


# -- 32-bit results (A6.3.16): Ra = 15 says "no accumulator" ---------------------------------------------------------


def multiply(cpu, Rd, Rn, Rm, Ra):
    """Multiply words."""
    op.multiply(cpu, 0, Rd, Rn, Rm, Ra)


def halves(cpu, Rd, Rn, Rm, Ra, N_top, M_top):
    """Multiply halves of registers."""
    op.multiply_halves(cpu, Rd, Rn, Rm, Ra, N_top, M_top)


def word_half(cpu, Rd, Rn, Rm, Ra, M_top):
    """Multiply a word by a half."""
    op.multiply_word_half(cpu, Rd, Rn, Rm, Ra, M_top)


def dual_add(cpu, Rd, Rn, Rm, Ra, M_swap):
    """Multiply both halves and add the products."""
    op.multiply_dual(cpu, Rd, Rn, Rm, Ra, M_swap, subtract=0)


def dual_subtract(cpu, Rd, Rn, Rm, Ra, M_swap):
    """Multiply both halves and subtract the products."""
    op.multiply_dual(cpu, Rd, Rn, Rm, Ra, M_swap, subtract=1)


def top(cpu, Rd, Rn, Rm, Ra, R_round):
    """Multiply words, keep the top word."""
    op.multiply_top(cpu, Rd, Rn, Rm, Ra, R_round)


def differences(cpu, Rd, Rn, Rm, Ra):
    """Add absolute differences of bytes."""
    media.absolute_differences(cpu, Rd, Rn, Rm, Ra)


#: function, bits 22…20 and 7…4, names with and without an accumulator, what follows the mnemonic, sections
ACCUMULATING = (
    (multiply, "000", "0000", ("MLA", "MUL"), "", (100, 114)),
    (halves, "001", "00 N_top M_top", ("SMLAxy", "SMULxy"), "{x}{y}", (176, 188)),
    (dual_add, "010", "000 M_swap", ("SMLAD", "SMUAD"), "{x}", (177, 187)),
    (word_half, "011", "000 M_top", ("SMLAWy", "SMULWy"), "{y}", (181, 190)),
    (dual_subtract, "100", "000 M_swap", ("SMLSD", "SMUSD"), "{x}", (182, 191)),
    (top, "101", "000 R_round", ("SMMLA", "SMMUL"), "{r}", (184, 186)),
    (differences, "111", "0000", ("USADA8", "USAD8"), "", (265, 264)),
)
for _function, _op1, _op2, _names, _suffix, _sections in ACCUMULATING:
    for _i, _name in enumerate(_names):
        _mnemonic = (
            _name.lower().removesuffix("xy").removesuffix("y") if _suffix in ("{x}{y}", "{y}") else _name.lower()
        )
        t32.add(
            titled(_function, _name, f"{_name}, {'T2' if _name == 'MUL' else 'T1'}", f"A8.8.{_sections[_i]}"),
            f"111110110 {_op1} Rn {'1111' if _i else 'Ra'} Rd {_op2} Rm",
            f"{_mnemonic}{_suffix} {{Rd}}, {{Rn}}, {{Rm}}{'' if _i else ', {Ra}'}",
            where=NO_PC,
            bound={"Ra": None} if _i else {},
            source="t32_multiply.py",
        )


@t32("111110110 000 Rn Ra Rd 0001 Rm", "mls {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC + ", Ra != 15")
def MLS(cpu, Rn, Ra, Rd, Rm):
    """MLS, T1. ARM ARM A8.8.101."""
    op.multiply(cpu, 0, Rd, Rn, Rm, Ra, subtract=True)


@t32("111110110 110 Rn Ra Rd 000 R_round Rm", "smmls{r} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC + ", Ra != 15")
def SMMLS(cpu, Rn, Ra, Rd, R_round, Rm):
    """SMMLS, T1. ARM ARM A8.8.185."""
    op.multiply_top(cpu, Rd, Rn, Rm, Ra, R_round, subtract=True)


# -- 64-bit results and divides (A6.3.17) ----------------------------------------------------------------------------


def multiply_long(cpu, RdLo, RdHi, Rn, Rm, signed, add):
    """Multiply to a doubleword, with an addend where `add`."""
    op.multiply_long(cpu, 0, RdLo, RdHi, Rn, Rm, signed=signed, add=add)


for _name, _op1, _signed, _accumulate, _section in (
    ("SMULL", "000", True, False, 189),
    ("UMULL", "010", False, False, 257),
    ("SMLAL", "100", True, True, 178),
    ("UMLAL", "110", False, True, 256),
):
    t32.add(
        titled(multiply_long, _name, f"{_name}, T1", f"A8.8.{_section}"),
        f"111110111 {_op1} Rn RdLo RdHi 0000 Rm",
        f"{_name.lower()} {{RdLo}}, {{RdHi}}, {{Rn}}, {{Rm}}",
        where=NO_PC_LONG,
        bound={"signed": _signed, "add": _accumulate},
        source="t32_multiply.py",
    )


@t32("111110111 001 Rn (1) (1) (1) (1) Rd 1111 Rm", "sdiv {Rd}, {Rn}, {Rm}", where=NO_PC)
def SDIV(cpu, Rn, Rd, Rm):
    """SDIV, T1. ARM ARM A8.8.165."""
    op.divide(cpu, Rd, Rn, Rm, signed=True)


@t32("111110111 011 Rn (1) (1) (1) (1) Rd 1111 Rm", "udiv {Rd}, {Rn}, {Rm}", where=NO_PC)
def UDIV(cpu, Rn, Rd, Rm):
    """UDIV, T1. ARM ARM A8.8.248."""
    op.divide(cpu, Rd, Rn, Rm, signed=False)


@t32("111110111 100 Rn RdLo RdHi 10 N_top M_top Rm", "smlal{x}{y} {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def SMLALxy(cpu, Rn, RdLo, RdHi, N_top, M_top, Rm):
    """SMLALBB, SMLALBT, SMLALTB, SMLALTT, T1. ARM ARM A8.8.179."""
    op.multiply_halves_long(cpu, RdLo, RdHi, Rn, Rm, N_top, M_top)


@t32("111110111 100 Rn RdLo RdHi 110 M_swap Rm", "smlald{x} {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def SMLALD(cpu, Rn, RdLo, RdHi, M_swap, Rm):
    """SMLALD, T1. ARM ARM A8.8.180."""
    op.multiply_dual_long(cpu, RdLo, RdHi, Rn, Rm, M_swap, subtract=0)


@t32("111110111 101 Rn RdLo RdHi 110 M_swap Rm", "smlsld{x} {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def SMLSLD(cpu, Rn, RdLo, RdHi, M_swap, Rm):
    """SMLSLD, T1. ARM ARM A8.8.183."""
    op.multiply_dual_long(cpu, RdLo, RdHi, Rn, Rm, M_swap, subtract=1)


@t32("111110111 110 Rn RdLo RdHi 0110 Rm", "umaal {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def UMAAL(cpu, Rn, RdLo, RdHi, Rm):
    """UMAAL, T1. ARM ARM A8.8.255."""
    op.umaal(cpu, RdLo, RdHi, Rn, Rm)
