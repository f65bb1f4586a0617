"""A32 register lists, exclusives and swaps. ARM ARM A5.5, A5.2.10."""

from __future__ import annotations

from xemu.core.bits import zext
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import titled
from xemu.targets.arm.operations_memory import (
    even_pair,
    exclusive_pair,
    load_exclusive,
    load_multiple,
    store_exclusive,
    store_multiple,
)

# -- LDM and STM (A5.5) ----------------------------------------------------------------------------------------------

#: mode, P and U bits, sections of the load and the store
MODES = (("IA", 0, 1, 58, 199), ("IB", 1, 1, 61, 202), ("DA", 0, 0, 59, 200), ("DB", 1, 0, 60, 201))


def LDM(cpu, Rn, W, list15, pc, mode):
    """Load the registers of a list."""
    load_multiple(cpu, Rn, list15, pc, mode, writeback=W)


def STM(cpu, Rn, W, list16, mode):
    """Store the registers of a list."""
    store_multiple(cpu, Rn, list16, mode, writeback=W)


for _mode, _p, _u, _load_section, _store_section in MODES:
    for _pc, _where in ((0, "Rn != 15, list15 != 0"), (1, "Rn != 15")):
        a32.add(
            titled(LDM, f"LDM{_mode}{'_pc' * _pc}", f"LDM{_mode}{', with the PC' * _pc}, A1", f"A8.8.{_load_section}"),
            f"cond 100 {_p} {_u} 0 W 1 Rn {_pc} list15:15",
            f"ldm{_mode.lower()}{{cond}} {{Rn}}{{!}}, {{registers}}",
            where=_where,
            bound={"mode": _mode, "pc": _pc},
            source="a32_multiple.py",
        )
    a32.add(
        titled(STM, f"STM{_mode}", f"STM{_mode}, A1", f"A8.8.{_store_section}"),
        f"cond 100 {_p} {_u} 0 W 0 Rn list16:16",
        f"stm{_mode.lower()}{{cond}} {{Rn}}{{!}}, {{registers}}",
        where="Rn != 15, list16 != 0",
        bound={"mode": _mode},
        source="a32_multiple.py",
    )


# -- exclusives (A5.2.10) --------------------------------------------------------------------------------------------


@a32("cond 00011001 Rn Rt (1) (1) (1) (1) 1001 (1) (1) (1) (1)", "ldrex{cond} {Rt}, [{Rn}]", where="Rt != 15, Rn != 15")
def LDREX(cpu, Rn, Rt):
    """LDREX, A1. ARM ARM A8.8.75."""
    cpu.R[Rt] = load_exclusive(cpu, cpu.R[Rn], 4)


@a32(
    "cond 00011101 Rn Rt (1) (1) (1) (1) 1001 (1) (1) (1) (1)", "ldrexb{cond} {Rt}, [{Rn}]", where="Rt != 15, Rn != 15"
)
def LDREXB(cpu, Rn, Rt):
    """LDREXB, A1. ARM ARM A8.8.76."""
    cpu.R[Rt] = zext(load_exclusive(cpu, cpu.R[Rn], 1), 32)


@a32(
    "cond 00011111 Rn Rt (1) (1) (1) (1) 1001 (1) (1) (1) (1)", "ldrexh{cond} {Rt}, [{Rn}]", where="Rt != 15, Rn != 15"
)
def LDREXH(cpu, Rn, Rt):
    """LDREXH, A1. ARM ARM A8.8.78."""
    cpu.R[Rt] = zext(load_exclusive(cpu, cpu.R[Rn], 2), 32)


@a32(
    "cond 00011011 Rn Rt_half:3 0 (1) (1) (1) (1) 1001 (1) (1) (1) (1)",
    "ldrexd{cond} {Rt}, {Rt2}, [{Rn}]",
    where="Rt_half != 7, Rn != 15",
)
def LDREXD(cpu, Rn, Rt_half):
    """LDREXD, A1. ARM ARM A8.8.77."""
    Rt, Rt2 = even_pair(Rt_half)
    both = load_exclusive(cpu, cpu.R[Rn], 8)
    first, second = (both[63:32], both[31:0]) if cpu.context.E else (both[31:0], both[63:32])
    cpu.R[Rt] = first
    cpu.R[Rt2] = second


def STREX(cpu, Rn, Rd, Rt, size):
    """Store to an address that LDREX read, if nothing came between."""
    cpu.R[Rd] = store_exclusive(cpu, cpu.R[Rn], cpu.R[Rt][8 * size - 1 : 0])


for _name, _op, _size, _section in (
    ("STREX", "00011000", 4, 212),
    ("STREXB", "00011100", 1, 213),
    ("STREXH", "00011110", 2, 215),
):
    a32.add(
        titled(STREX, _name, f"{_name}, A1", f"A8.8.{_section}"),
        f"cond {_op} Rn Rd (1) (1) (1) (1) 1001 Rt",
        f"{_name.lower()}{{cond}} {{Rd}}, {{Rt}}, [{{Rn}}]",
        where="Rd != 15, Rt != 15, Rn != 15",
        bound={"size": _size},
        source="a32_multiple.py",
    )


@a32(
    "cond 00011010 Rn Rd (1) (1) (1) (1) 1001 Rt_half:3 0",
    "strexd{cond} {Rd}, {Rt}, {Rt2}, [{Rn}]",
    where="Rd != 15, Rt_half != 7, Rn != 15",
)
def STREXD(cpu, Rn, Rd, Rt_half):
    """STREXD, A1. ARM ARM A8.8.214."""
    Rt, Rt2 = even_pair(Rt_half)
    cpu.R[Rd] = store_exclusive(cpu, cpu.R[Rn], exclusive_pair(cpu, cpu.R[Rt], cpu.R[Rt2]))


# -- swaps: reading and writing are one access -----------------------------------------------------------------------


def SWP(cpu, Rn, Rt, Rt2, size):
    """Exchange a register with memory."""
    at, new = cpu.R[Rn], cpu.R[Rt2][8 * size - 1 : 0]
    cpu.probe(at, size, write=True, align=size)
    old = cpu.mem_read(at, size, checked=False)
    cpu.mem_write(at, new, checked=False)
    cpu.R[Rt] = zext(old, 32)


for _name, _b, _size in (("SWP", 0, 4), ("SWPB", 1, 1)):
    a32.add(
        titled(SWP, _name, f"{_name}, A1", "A8.8.229"),
        f"cond 00010 {_b} 00 Rn Rt (0) (0) (0) (0) 1001 Rt2",
        f"{_name.lower()}{{cond}} {{Rt}}, {{Rt2}}, [{{Rn}}]",
        where="Rt != 15, Rt2 != 15, Rn != 15",
        bound={"size": _size},
        source="a32_multiple.py",
    )
