"""A32 multiplies and divides. ARM ARM A5.2.5, A5.2.7, A5.4.4. The diagrams have Rd above Ra, as those tables do."""

from __future__ import annotations

from xemu.targets.arm import operations_multiply as op
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import titled

NO_PC = "Rd != 15, Rn != 15, Rm != 15"
NO_PC_ACCUMULATE = NO_PC + ", Ra != 15"
NO_PC_LONG = "RdLo != 15, RdHi != 15, Rn != 15, Rm != 15"


# -- words and doublewords (A5.2.5): the first factor stands in bits 3…0 ---------------------------------------------


@a32("cond 0000000 S Rd (0) (0) (0) (0) Rm 1001 Rn", "mul{S}{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def MUL(cpu, S, Rd, Rn, Rm):
    """MUL, A1. ARM ARM A8.8.114."""
    op.multiply(cpu, S, Rd, Rn, Rm, None)


@a32("cond 0000001 S Rd Ra Rm 1001 Rn", "mla{S}{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def MLA(cpu, S, Rd, Ra, Rm, Rn):
    """MLA, A1. ARM ARM A8.8.100."""
    op.multiply(cpu, S, Rd, Rn, Rm, Ra)


@a32("cond 00000100 RdHi RdLo Rm 1001 Rn", "umaal{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def UMAAL(cpu, RdLo, RdHi, Rn, Rm):
    """UMAAL, A1. ARM ARM A8.8.255."""
    op.umaal(cpu, RdLo, RdHi, Rn, Rm)


@a32("cond 00000110 Rd Ra Rm 1001 Rn", "mls{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def MLS(cpu, Rd, Ra, Rm, Rn):
    """MLS, A1. ARM ARM A8.8.101."""
    op.multiply(cpu, 0, Rd, Rn, Rm, Ra, subtract=True)


def multiply_long(cpu, S, RdLo, RdHi, Rn, Rm, signed, add):
    """Multiply to a doubleword, with an addend where `add`."""
    op.multiply_long(cpu, S, RdLo, RdHi, Rn, Rm, signed=signed, add=add)


for _name, _opcode, _signed, _accumulate, _section in (
    ("UMULL", "100", False, False, 257),
    ("UMLAL", "101", False, True, 256),
    ("SMULL", "110", True, False, 189),
    ("SMLAL", "111", True, True, 178),
):
    a32.add(
        titled(multiply_long, _name, f"{_name}, A1", f"A8.8.{_section}"),
        f"cond 0000 {_opcode} S RdHi RdLo Rm 1001 Rn",
        f"{_name.lower()}{{S}}{{cond}} {{RdLo}}, {{RdHi}}, {{Rn}}, {{Rm}}",
        where=NO_PC_LONG,
        bound={"signed": _signed, "add": _accumulate},
        source="a32_multiply.py",
    )


# -- halves (A5.2.7) -------------------------------------------------------------------------------------------------


@a32("cond 00010000 Rd Ra Rm 1 M_top N_top 0 Rn", "smla{x}{y}{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def SMLAxy(cpu, Rd, Ra, Rm, M_top, N_top, Rn):
    """SMLABB, SMLABT, SMLATB, SMLATT, A1. ARM ARM A8.8.176."""
    op.multiply_halves(cpu, Rd, Rn, Rm, Ra, N_top, M_top)


@a32("cond 00010010 Rd Ra Rm 1 M_top 0 0 Rn", "smlaw{y}{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def SMLAWy(cpu, Rd, Ra, Rm, M_top, Rn):
    """SMLAWB, SMLAWT, A1. ARM ARM A8.8.181."""
    op.multiply_word_half(cpu, Rd, Rn, Rm, Ra, M_top)


@a32("cond 00010010 Rd (0) (0) (0) (0) Rm 1 M_top 1 0 Rn", "smulw{y}{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def SMULWy(cpu, Rd, Rm, M_top, Rn):
    """SMULWB, SMULWT, A1. ARM ARM A8.8.190."""
    op.multiply_word_half(cpu, Rd, Rn, Rm, None, M_top)


@a32("cond 00010100 RdHi RdLo Rm 1 M_top N_top 0 Rn", "smlal{x}{y}{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", where=NO_PC_LONG)
def SMLALxy(cpu, RdHi, RdLo, Rm, M_top, N_top, Rn):
    """SMLALBB, SMLALBT, SMLALTB, SMLALTT, A1. ARM ARM A8.8.179."""
    op.multiply_halves_long(cpu, RdLo, RdHi, Rn, Rm, N_top, M_top)


@a32("cond 00010110 Rd (0) (0) (0) (0) Rm 1 M_top N_top 0 Rn", "smul{x}{y}{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def SMULxy(cpu, Rd, Rm, M_top, N_top, Rn):
    """SMULBB, SMULBT, SMULTB, SMULTT, A1. ARM ARM A8.8.188."""
    op.multiply_halves(cpu, Rd, Rn, Rm, None, N_top, M_top)


# -- both halves, top words, divides (A5.4.4): Ra = 15 says "no accumulator" -----------------------------------------


def dual(cpu, Rd, Rn, Rm, Ra, M_swap, subtract):
    """Multiply both halves and add or subtract the products."""
    op.multiply_dual(cpu, Rd, Rn, Rm, Ra, M_swap, subtract=subtract)


def dual_long(cpu, RdLo, RdHi, Rn, Rm, M_swap, subtract):
    """As `dual`, added to a doubleword."""
    op.multiply_dual_long(cpu, RdLo, RdHi, Rn, Rm, M_swap, subtract=subtract)


for _subtract, _with, _without, _long, _sections in (
    (0, "SMLAD", "SMUAD", "SMLALD", (177, 187, 180)),
    (1, "SMLSD", "SMUSD", "SMLSLD", (182, 191, 183)),
):
    a32.add(
        titled(dual, _with, f"{_with}, A1", f"A8.8.{_sections[0]}"),
        f"cond 01110000 Rd Ra Rm 0 {_subtract} M_swap 1 Rn",
        f"{_with.lower()}{{x}}{{cond}} {{Rd}}, {{Rn}}, {{Rm}}, {{Ra}}",
        where=NO_PC_ACCUMULATE,
        bound={"subtract": _subtract},
        source="a32_multiply.py",
    )
    a32.add(
        titled(dual, _without, f"{_without}, A1", f"A8.8.{_sections[1]}"),
        f"cond 01110000 Rd 1111 Rm 0 {_subtract} M_swap 1 Rn",
        f"{_without.lower()}{{x}}{{cond}} {{Rd}}, {{Rn}}, {{Rm}}",
        where=NO_PC,
        bound={"subtract": _subtract, "Ra": None},
        source="a32_multiply.py",
    )
    a32.add(
        titled(dual_long, _long, f"{_long}, A1", f"A8.8.{_sections[2]}"),
        f"cond 01110100 RdHi RdLo Rm 0 {_subtract} M_swap 1 Rn",
        f"{_long.lower()}{{x}}{{cond}} {{RdLo}}, {{RdHi}}, {{Rn}}, {{Rm}}",
        where=NO_PC_LONG,
        bound={"subtract": _subtract},
        source="a32_multiply.py",
    )


@a32("cond 01110101 Rd Ra Rm 00 R_round 1 Rn", "smmla{r}{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def SMMLA(cpu, Rd, Ra, Rm, R_round, Rn):
    """SMMLA, A1. ARM ARM A8.8.184."""
    op.multiply_top(cpu, Rd, Rn, Rm, Ra, R_round)


@a32("cond 01110101 Rd 1111 Rm 00 R_round 1 Rn", "smmul{r}{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def SMMUL(cpu, Rd, Rm, R_round, Rn):
    """SMMUL, A1. ARM ARM A8.8.186."""
    op.multiply_top(cpu, Rd, Rn, Rm, None, R_round)


@a32("cond 01110101 Rd Ra Rm 11 R_round 1 Rn", "smmls{r}{cond} {Rd}, {Rn}, {Rm}, {Ra}", where=NO_PC_ACCUMULATE)
def SMMLS(cpu, Rd, Ra, Rm, R_round, Rn):
    """SMMLS, A1. ARM ARM A8.8.185."""
    op.multiply_top(cpu, Rd, Rn, Rm, Ra, R_round, subtract=True)


@a32("cond 01110001 Rd (1) (1) (1) (1) Rm 0001 Rn", "sdiv{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def SDIV(cpu, Rd, Rm, Rn):
    """SDIV, A1. ARM ARM A8.8.165."""
    op.divide(cpu, Rd, Rn, Rm, signed=True)


@a32("cond 01110011 Rd (1) (1) (1) (1) Rm 0001 Rn", "udiv{cond} {Rd}, {Rn}, {Rm}", where=NO_PC)
def UDIV(cpu, Rd, Rm, Rn):
    """UDIV, A1. ARM ARM A8.8.248."""
    op.divide(cpu, Rd, Rn, Rm, signed=False)
