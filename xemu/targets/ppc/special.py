"""Moves to and from CR and the special-purpose registers. Power ISA Book I, 3.3.17; Book II, 6.1.

What Linux emulates for programs is there: PVR, DSCR by its privileged number, `mcrxr`. Other registers are privileged or do not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, join, mux, zext
from xemu.core.record import when
from xemu.targets.ppc.isa import Family, ppc, ppc32, ppc64
from xemu.targets.ppc.layout import PRIVILEGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.record import RegNo
    from xemu.targets.ppc.state import PpcCpu

PVR32, PVR64 = 0x000C0209, 0x004E1202          # 7400 version 2.9, POWER9 version 2.2
UMMCR0, FROZEN = 779, 0x80000000               # the performance monitor's control register and its bit FC
PPR_PRIORITY = 0x7 << 50                       # the bits of PPR that are there

# -- condition register (3.3.17) -----------------------------------------------------------------------------------------


def one_hot(FXM: Bits) -> Bits:
    """Return whether a mask names exactly one field."""
    return ((FXM & (FXM - 1)) == 0) & (FXM != 0)


def field_bits(value: Bits, n: int) -> list[Bits]:
    """Return the four bits that belong to a field of CR."""
    return [value[31 - 4 * n - k] for k in range(4)]


@ppc("31:6 RS 0 FXM - 144:10 -", "mtcrf {FXM}, {RS}", one=False)
@ppc("31:6 RS 1 FXM - 144:10 -", "mtocrf {FXM}, {RS}", one=True)
def mtcrf(cpu, RS, FXM, one):
    """Move To (One) Condition Register Field(s). One field: none if the mask names several. Book I, 3.3.17."""
    value, possible = cpu.GPR[RS], one_hot(FXM) if one else const(1, 1)
    for n in range(8):
        with when(FXM[7 - n] & possible):
            cpu.set_cr(n, field_bits(value, n))


def whole_cr(cpu) -> Bits:
    """Return CR."""
    return cat(*[bit for field in range(8) for bit in cpu.cr(field)])


@ppc("31:6 RT 0 ---- ---- - 19:10 -", "mfcr {RT}")
def mfcr(cpu, RT):
    """Move From Condition Register. Book I, 3.3.17."""
    cpu.GPR[RT] = cpu.extend(whole_cr(cpu))


@ppc("31:6 RT 1 FXM - 19:10 -", "mfocrf {RT}, {FXM}")
def mfocrf(cpu, RT, FXM):
    """Move From One Condition Register Field: the register stays if the mask names several. Book I, 3.3.17."""
    fields = [mux(FXM[n], cat(*cpu.cr(7 - n)), const(0, 4)) for n in range(8)]
    cpu.GPR[RT] = mux(one_hot(FXM), cpu.extend(join(fields)), cpu.GPR[RT])


@ppc("31:6 BF -- ----- ----- 512:10 -", "mcrxr {BF}")
def mcrxr(cpu, BF):
    """Move to Condition Register from XER, and clear it there. Power ISA 2.02; newer processors let Linux do it."""
    cpu.set_cr(BF, [cpu.SO, cpu.OV, cpu.CA, const(0, 1)])
    cpu.SO = cpu.OV = cpu.CA = const(0, 1)


@ppc64("31:6 BF -- ----- ----- 576:10 -", "mcrxrx {BF}")
def mcrxrx(cpu, BF):
    """Move XER to Condition Register Extended. Book I, 3.3.17."""
    cpu.set_cr(BF, [cpu.OV, cpu.OV32, cpu.CA, cpu.CA32])


# -- special-purpose registers (3.3.17; Book II, 6.1) ---------------------------------------------------------------------


def get_xer(cpu: PpcCpu) -> Bits:
    """Return XER."""
    top = cat(cpu.SO, cpu.OV, cpu.CA, const(0, 9))
    value = cat(top, cpu.OV32, cpu.CA32, const(0, 11), cpu.LEN) if cpu.context.SF else cat(top, const(0, 13), cpu.LEN)
    return cpu.extend(value)


def set_xer(cpu: PpcCpu, value: Bits) -> None:
    """Set XER; other bits are not there."""
    cpu.SO, cpu.OV, cpu.CA, cpu.LEN = value[31], value[30], value[29], value[6:0]
    if cpu.context.SF:
        cpu.OV32, cpu.CA32 = value[19], value[18]


def get_register(name: str) -> Callable[[PpcCpu], Bits]:
    """Return what reads a cell."""
    return lambda cpu: cpu.extend(getattr(cpu, name))


def set_register(name: str, width: int = 0) -> Callable[[PpcCpu, Bits], None]:
    """Return what writes a cell, of which `width` bits are there."""
    return lambda cpu, value: setattr(cpu, name, value[width - 1:0] if width else value)


def set_dscr(cpu: PpcCpu, value: Bits) -> None:
    """Set DSCR: it has 25 bits."""
    cpu.DSCR = zext(value[24:0], 64)


def set_ppr(cpu: PpcCpu, value: Bits) -> None:
    """Set PPR."""
    cpu.PPR = value & PPR_PRIORITY


def set_ppr32(cpu: PpcCpu, value: Bits) -> None:
    """Set the upper word of PPR."""
    cpu.PPR = cat(value[31:0], const(0, 32)) & PPR_PRIORITY


def time_base(cpu: PpcCpu) -> Bits:
    """Return TB, or TBL where registers have 32 bits: it counts instructions."""
    return cpu.insns()[cpu.xlen - 1:0]


def time_base_upper(cpu: PpcCpu) -> Bits:
    """Return TBU."""
    return cpu.extend(cpu.insns()[63:32])


def version(cpu: PpcCpu) -> Bits:
    """Return PVR."""
    return const(PVR64 if cpu.context.SF else PVR32, cpu.xlen)


def fixed(value: int) -> Callable[[PpcCpu], Bits]:
    """Return what reads a register that never changes."""
    return lambda cpu: const(value, cpu.xlen)


def ignored(cpu: PpcCpu, value: Bits) -> None:
    """Write nothing."""


def mfspr(cpu, RT: RegNo, get):
    """Move From Special Purpose Register. Book I, 3.3.17."""
    cpu.GPR[RT] = get(cpu)


def mtspr(cpu, RS: RegNo, put):
    """Move To Special Purpose Register. Book I, 3.3.17."""
    put(cpu, cpu.GPR[RS])


def no_register(cpu):
    """Move to or from a reserved register: nothing happens. Book I, 3.3.17."""


#: sets, number, mnemonic if it has one, how it is read and written
REGISTERS: list[tuple[Family, int, str, Callable[[PpcCpu], Bits] | None, Callable[[PpcCpu, Bits], None] | None]] = [
    (ppc, 1, "xer", get_xer, set_xer), (ppc, 8, "lr", get_register("LR"), set_register("LR")),
    (ppc, 9, "ctr", get_register("CTR"), set_register("CTR")),
    (ppc64, 3, "", get_register("DSCR"), set_dscr), (ppc64, 17, "", get_register("DSCR"), set_dscr),
    (ppc, 256, "", get_register("VRSAVE"), set_register("VRSAVE", 32)), (ppc, 259, "", get_register("SPRG3"), None),
    (ppc, 268, "", time_base, None), (ppc, 269, "", time_base_upper, None), (ppc, 287, "", version, None),
    (ppc64, 815, "", get_register("TAR"), set_register("TAR")), (ppc64, 896, "", get_register("PPR"), set_ppr),
    (ppc64, 898, "", lambda cpu: zext(cpu.PPR[63:32], 64), set_ppr32),
    # AMR: no page has a key but 0, and Linux lets programs change nothing of it (UAMOR is 0 where the MMU is a radix tree's)
    (ppc64, 13, "", fixed(0), ignored),
    (ppc64, 136, "", fixed(1), None),          # CTRL: RUN
    # the performance monitor, which counts nothing: programs may read it, where an operating system has not forbidden it
    *[(ppc64, number, "", fixed(FROZEN if number == UMMCR0 else 0), None) for number in (*range(768, 777), *range(779, 783))],
    *[(ppc32, number, "", fixed(0), None) for number in (928, *range(935, 943))],
]
RESERVED_NOPS = (808, 809, 810, 811)           # for hints of later processors


def _spr(number: int) -> str:
    """Return the field of a number: its halves stand the other way round."""
    return f"{number & 31}:5 {number >> 5}:5"


for _family, _number, _name, _get, _put in REGISTERS:
    if _get:
        _family.row(mfspr, f"31:6 RT {_spr(_number)} 339:10 -", f"mf{_name} {{RT}}" if _name else f"mfspr {{RT}}, {_number}", get=_get)
    if _put:
        _family.row(mtspr, f"31:6 RS {_spr(_number)} 467:10 -", f"mt{_name} {{RS}}" if _name else f"mtspr {_number}, {{RS}}", put=_put)

for _number in RESERVED_NOPS:
    ppc64.row(no_register, f"31:6 ----- {_spr(_number)} 339:10 -", f"mfspr {_number}")
    ppc64.row(no_register, f"31:6 ----- {_spr(_number)} 467:10 -", f"mtspr {_number}")

for _number, _name, _get in ((268, "mftb", time_base), (269, "mftbu", time_base_upper)):
    ppc.row(mfspr, f"31:6 RT {_spr(_number)} 371:10 -", f"{_name} {{RT}}", get=_get)


@ppc("31:6 RT spr_lo spr_hi 339:10 -", "mfspr {RT}, {spr_hi}, {spr_lo}")
@ppc("31:6 RT spr_lo spr_hi 467:10 -", "mtspr {spr_hi}, {spr_lo}, {RT}")
def other_spr(cpu, spr_lo):
    """Move to or from a special-purpose register that programs have not. Bit 4 of its number: privileged. Book III, 5.4.4."""
    privileged = spr_lo[4]
    with when(privileged):
        cpu.abort("exception", PRIVILEGED)
    with when(~privileged):
        cpu.undefined()


# -- priority (Book II, 3.2): `or` of a register with itself -------------------------------------------------------------


@ppc64("31:6 31:5 31:5 31:5 444:10 0", "or 31, 31, 31", priority=1)
@ppc64("31:6 1:5 1:5 1:5 444:10 0", "or 1, 1, 1", priority=2)
@ppc64("31:6 6:5 6:5 6:5 444:10 0", "or 6, 6, 6", priority=3)
@ppc64("31:6 2:5 2:5 2:5 444:10 0", "or 2, 2, 2", priority=4)
@ppc64("31:6 5:5 5:5 5:5 444:10 0", "or 5, 5, 5", priority=5)
def set_priority(cpu, priority):
    """Set the priority of the program. Book II, 3.2."""
    cpu.PPR = const(priority << 50, 64)
