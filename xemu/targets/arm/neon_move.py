"""Advanced SIMD: modified immediates, VEXT, table lookup, VDUP, and scalars to and from core registers.

ARM ARM A7.4.6, A7.4 (VEXT, VTBL, VDUP), A7.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, sext, zext
from xemu.targets.arm.neon_lanes import scalar, whole, with_scalar
from xemu.targets.arm.simd import add_simd, add_vector, register_list, simd

if TYPE_CHECKING:
    from collections.abc import Callable

# -- one register and a modified immediate: AdvSIMDExpandImm(), ARM ARM A7.4.6 ----------------------------------------


def _expand(shape: str, imm8: Bits) -> Bits:
    """Return the 64-bit immediate.

    `shape`: "i32<8" is a byte shifted left by 8, "i32<<8" one with ones shifted in; or "f32", "i64".
    """
    if shape == "i64":
        return cat(*[sext(imm8[i], 8) for i in reversed(range(8))])
    if shape == "f32":
        value = cat(imm8[7], ~imm8[6], sext(imm8[6], 5), imm8[5:0], const(0, 19))
        return Lanes.splat(value, 2).bits
    size, _, places = shape[1:].partition("<")
    ones = places.startswith("<")
    count = int(places.strip("<"))
    value = zext(imm8, int(size)) << count
    if ones:
        value = value | (1 << count) - 1
    return Lanes.splat(value, 64 // int(size)).bits


def _in_lanes(V, shape: str, i: Bits, imm3: Bits, imm4: Bits) -> Lanes:
    """Return the immediate as wide as the registers of V, as doublewords."""
    return Lanes.splat(_expand(shape, cat(i, imm3, imm4)), V.cell.width // 64)


def VMOV_immediate(cpu, V, d, i, imm3, imm4, shape):
    """VMOV (immediate), A1/T1. ARM ARM A8.8.339."""
    V[d] = _in_lanes(V, shape, i, imm3, imm4).bits


def VMVN_immediate(cpu, V, d, i, imm3, imm4, shape):
    """VMVN (immediate), A1/T1. ARM ARM A8.8.353."""
    V[d] = (~_in_lanes(V, shape, i, imm3, imm4)).bits


def VORR_immediate(cpu, V, d, i, imm3, imm4, shape):
    """VORR (immediate), A1/T1. ARM ARM A8.8.359."""
    V[d] = (whole(V[d]) | _in_lanes(V, shape, i, imm3, imm4)).bits


def VBIC_immediate(cpu, V, d, i, imm3, imm4, shape):
    """VBIC (immediate), A1/T1. ARM ARM A8.8.288."""
    V[d] = (whole(V[d]) & ~_in_lanes(V, shape, i, imm3, imm4)).bits


def _add_immediate(function: Callable[..., None], op: str, cmode: str, shape: str) -> None:
    name, verb = function.__name__, function.__name__[:4].lower()
    add_vector(function, f"1111001 i:1 1 D 000 imm3 Vd {cmode} 0 Q {op} 1 imm4",
               f"{verb}.{shape.partition('<')[0]} {{d}}, #{{modified}}", bound={"shape": shape},
               name=f"{name}_{shape.replace('<<', '_ones').replace('<', '_')}")


for _cmode, _shape in enumerate(("i32<0", "i32<8", "i32<16", "i32<24", "i16<0", "i16<8")):
    _add_immediate(VMOV_immediate, "0", f"{_cmode:03b}0", _shape)
    _add_immediate(VORR_immediate, "0", f"{_cmode:03b}1", _shape)
    _add_immediate(VMVN_immediate, "1", f"{_cmode:03b}0", _shape)
    _add_immediate(VBIC_immediate, "1", f"{_cmode:03b}1", _shape)
for _ones, _shape in ("1100", "i32<<8"), ("1101", "i32<<16"):
    _add_immediate(VMOV_immediate, "0", _ones, _shape)
    _add_immediate(VMVN_immediate, "1", _ones, _shape)
_add_immediate(VMOV_immediate, "0", "1110", "i8<0")
_add_immediate(VMOV_immediate, "0", "1111", "f32")
_add_immediate(VMOV_immediate, "1", "1110", "i64")

# -- extraction and table lookup --------------------------------------------------------------------------------------


def VEXT(cpu, V, d, n, m, imm4_byte):
    """VEXT, A1/T1. ARM ARM A8.8.316. The byte is a split: shuffles have constant order."""
    x, y = Lanes(V[n], 8), Lanes(V[m], 8)
    V[d] = x.shuffle(y, [i + imm4_byte for i in range(x.count)]).bits


add_vector(VEXT, "1111001 0 1 D 11 Vn Vd imm4_byte N Q M 0 Vm", "vext.8 {d}, {n}, {m}, #{imm4_byte}", forms="Q")
for _byte in range(8):
    add_vector(VEXT, f"1111001 0 1 D 11 Vn Vd {_byte}:4 N Q M 0 Vm", f"vext.8 {{d}}, {{n}}, {{m}}, #{_byte}", forms="D",
               name=f"VEXT_{_byte}", bound={"imm4_byte": _byte})


def _table(cpu, Dn, length) -> Bits:
    return cat(*[cpu.D[n] for n in reversed(register_list(cpu, Dn, length + 1))])


@simd("1111001 1 1 D 11 Vn Vd 10 len N 0 M 0 Vm", "vtbl.8 {Dd}, {table}, {Dm}")
def VTBL(cpu, Dd, Dn, Dm, len):
    """VTBL, A1/T1. ARM ARM A8.8.419."""
    cpu.D[Dd] = Lanes(cpu.D[Dm], 8).lookup(_table(cpu, Dn, len), const(0, 64)).bits


@simd("1111001 1 1 D 11 Vn Vd 10 len N 1 M 0 Vm", "vtbx.8 {Dd}, {table}, {Dm}")
def VTBX(cpu, Dd, Dn, Dm, len):
    """VTBX, A1/T1. ARM ARM A8.8.419."""
    cpu.D[Dd] = Lanes(cpu.D[Dm], 8).lookup(_table(cpu, Dn, len), cpu.D[Dd]).bits


# -- duplication ------------------------------------------------------------------------------------------------------


def VDUP_scalar(cpu, V, d, m, index, esize):
    """VDUP (scalar), A1/T1. ARM ARM A8.8.313."""
    V[d] = Lanes.splat(scalar(cpu.D[m], index, esize), V.cell.width // esize).bits


for _esize, _imm4 in (8, "index:3 1"), (16, "index:2 10"), (32, "index:1 100"):
    add_vector(VDUP_scalar, f"1111001 1 1 D 11 {_imm4} Vd 11000 Q M 0 Vm", f"vdup.{_esize} {{d}}, {{m}}[{{index}}]",
               name=f"VDUP_scalar_{_esize}", quads="d", bound={"esize": _esize})


def VDUP_core(cpu, V, d, Rt, esize):
    """VDUP (ARM core register), A1/T1. ARM ARM A8.8.314."""
    V[d] = Lanes.splat(cpu.R[Rt][esize - 1:0], V.cell.width // esize).bits


for _esize, _b, _e in (8, 1, 0), (16, 0, 1), (32, 0, 0):
    add_vector(VDUP_core, f"cond 1110 1 {_b} Q 0 Vd Rt 1011 D 0 {_e} 1 0000", f"vdup{{cond}}.{_esize} {{d}}, {{Rt}}",
               where="Rt != 15", name=f"VDUP_core_{_esize}", bound={"esize": _esize})

# -- one scalar and a core register -----------------------------------------------------------------------------------
# The index is what opc1:opc2 leaves beside the size: opc1<0>, and opc2 or its top bit.

_PLACES = {8: ("1 x1:1", "x2:2"), 16: ("0 x1:1", "x2:1 1"), 32: ("0 x1:1", "00")}


def VMOV_core_to_scalar(cpu, Dd, Rt, esize, x1, x2=None):
    """VMOV (ARM core register to scalar), A1/T1. ARM ARM A8.8.341."""
    index = x1 if x2 is None else cat(x1, x2)
    cpu.D[Dd] = with_scalar(cpu.D[Dd], index, cpu.R[Rt][esize - 1:0])


def VMOV_scalar_to_core(cpu, Rt, Dn, esize, signed, x1, x2=None):
    """VMOV (scalar to ARM core register), A1/T1. ARM ARM A8.8.342."""
    index = x1 if x2 is None else cat(x1, x2)
    element = scalar(cpu.D[Dn], index, esize)
    cpu.R[Rt] = sext(element, 32) if signed else zext(element, 32)


for _esize, (_opc1, _opc2) in _PLACES.items():
    add_simd(VMOV_core_to_scalar, f"cond 1110 0 {_opc1} 0 Vd Rt 1011 D {_opc2} 1 0000",
             f"vmov{{cond}}.{_esize} {{Dd}}[{{x}}], {{Rt}}",
             where="Rt != 15", name=f"VMOV_core_to_scalar_{_esize}", bound={"esize": _esize})
    for _u, _type in ((0, f"s{_esize}"), (1, f"u{_esize}")) if _esize < 32 else ((0, "32"),):
        add_simd(VMOV_scalar_to_core, f"cond 1110 {_u} {_opc1} 1 Vn Rt 1011 N {_opc2} 1 0000",
                 f"vmov{{cond}}.{_type} {{Rt}}, {{Dn}}[{{x}}]",
                 where="Rt != 15", name=f"VMOV_scalar_to_core_{_type}", bound={"esize": _esize, "signed": not _u})
