"""The bytes of an instruction as one word of fixed width: prefixes, opcode, ModRM, SIB, displacement and immediates in places.

SDM vol. 2A, chapter 2. The scan is straight-line code over a *machine*: `Integers` runs it on Python's, `core/scanner.py` turns
the same lines into native code. What it does not know (which encodings exist) is the business of the rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.scanner import Machine


class Field(NamedTuple):
    """Where a field stands in the word, and what it is."""

    shift: int
    width: int


#: the word: a head that the decoder's tables look at, then displacement and immediate
WORD = {
    "opcode": Field(0, 8),
    "map": Field(8, 2),          # 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A
    "vex": Field(10, 1),
    "op66": Field(11, 1),        # an operand-size prefix, or VEX.pp = 66
    "rep": Field(12, 2),         # 2: F2, 3: F3 (VEX.pp likewise)
    "W": Field(14, 1),
    "L": Field(15, 1),
    "form": Field(16, 2),        # MEM, RIP, MEM67, REG
    "reg": Field(18, 4),
    "base": Field(22, 5),        # of an address; or the register r/m; or the one in the opcode
    "index": Field(27, 5),
    "scale": Field(32, 2),
    "vvvv": Field(34, 4),
    "rex": Field(38, 1),         # a REX prefix is there
    "lock": Field(39, 1),
    "seg": Field(40, 3),         # the segment's number, where its base counts: FS, GS; else 3
    "a67": Field(43, 1),         # an address-size prefix
    "length": Field(44, 4),
    "mode64": Field(48, 1),
    "odd": Field(49, 2),         # UNDEFINED_PREFIXES or TOO_LONG
    "disp": Field(64, 32),       # sign-extended
    "imm": Field(96, 32),        # as it stands there
    "imm64": Field(64, 64),      # in place of both, if it has more than four bytes
}
MEM, RIP, MEM67, REG = range(4)
UNDEFINED_PREFIXES, TOO_LONG = 1, 2
NONE = 16                        # no base, no index
LONGEST = 15
READS = 48                       # bytes that a scan may look at, whatever stands there

# -- what an opcode is followed by -------------------------------------------------------------------------------------
#: kinds of immediates; their sizes are in `SIZES`
NO, IB, IW, IZ, IV, IWIB, MOFFS, FAR, IB_TEST, IZ_TEST, JZ = range(11)
VSIB = 11                        # none, and SIB.index is a vector register
ALWAYS_REGISTER = 12             # none, and ModRM.mod does not count (moves from and to control and debug registers)
MODRM = 0x80


def _opcodes() -> bytes:
    """Return, for each map and opcode, MODRM and the kind of its immediate (SDM vol. 2D, tables A-2 to A-5)."""
    one, two, three8, threeA = (bytearray(256) for _ in range(4))
    for at in range(0, 0x40, 8):
        one[at:at + 6] = bytes([MODRM, MODRM, MODRM, MODRM, IB, IZ])
    for at in (0x62, 0x63, *range(0x84, 0x90), 0xC4, 0xC5, *range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xFE, 0xFF):
        one[at] = MODRM
    for at in (0x69, 0x81, 0xC7):
        one[at] = MODRM | IZ
    for at in (0x6B, 0x80, 0x82, 0x83, 0xC0, 0xC1, 0xC6):
        one[at] = MODRM | IB
    one[0x68] = one[0xA9] = IZ
    for at in (0x6A, *range(0x70, 0x80), 0xA8, *range(0xB0, 0xB8), 0xCD, 0xD4, 0xD5, *range(0xE0, 0xE8), 0xEB):
        one[at] = IB
    one[0x9A] = one[0xEA] = FAR
    for at in range(0xA0, 0xA4):
        one[at] = MOFFS
    for at in range(0xB8, 0xC0):
        one[at] = IV
    one[0xC2] = one[0xCA] = IW
    one[0xC8] = IWIB
    one[0xE8] = one[0xE9] = JZ
    one[0xF6], one[0xF7] = MODRM | IB_TEST, MODRM | IZ_TEST
    for at in range(256):
        two[at] = MODRM
    for at in (*range(4, 0x0D), 0x0E, *range(0x30, 0x38), 0x77, *range(0xA0, 0xA3), *range(0xA8, 0xAB), *range(0xC8, 0xD0)):
        two[at] = NO
    for at in range(0x80, 0x90):
        two[at] = JZ
    for at in range(0x20, 0x24):
        two[at] = MODRM | ALWAYS_REGISTER
    for at in (0x0F, *range(0x70, 0x74), 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6):
        two[at] = MODRM | IB
    for at in range(256):
        three8[at] = MODRM | (VSIB if 0x90 <= at <= 0x93 else NO)
        threeA[at] = MODRM | IB
    return bytes(one + two + three8 + threeA)


OPCODES = _opcodes()
P66, P67, PF2, PF3, PF0, PFS, PGS, PSEG, PREX = range(1, 10)


def _prefixes(*, mode64: bool) -> bytes:
    table = bytearray(256)
    for byte, kind in ((0x66, P66), (0x67, P67), (0xF2, PF2), (0xF3, PF3), (0xF0, PF0), (0x64, PFS), (0x65, PGS),
                       (0x26, PSEG), (0x2E, PSEG), (0x36, PSEG), (0x3E, PSEG)):
        table[byte] = kind
    if mode64:
        table[0x40:0x50] = bytes([PREX] * 16)
    return bytes(table)


def _sizes(*, mode64: bool) -> bytes:
    """Return the bytes of an immediate by its kind, three bits each for W, 16-bit operands and an address-size prefix."""
    out = bytearray(16 * 8)
    for combination in range(8):
        wide, short, a67 = combination & 1, combination >> 1 & 1, combination >> 2
        z = 2 if short and not wide else 4
        moffs = (4 if a67 else 8) if mode64 else (2 if a67 else 4)
        for kind, size in ((IB, 1), (IW, 2), (IZ, z), (IV, 8 if wide else z), (IWIB, 3), (MOFFS, moffs), (FAR, z + 2), (IB_TEST, 1),
                           (IZ_TEST, z), (JZ, 4 if mode64 else z)):
            out[kind << 3 | combination] = size
    return bytes(out)


PREFIXES = {mode: _prefixes(mode64=bool(mode)) for mode in (0, 1)}
SIZES = {mode: _sizes(mode64=bool(mode)) for mode in (0, 1)}
# 16-bit addressing (SDM vol. 2A, table 2-1): base and index by r/m
BASE16 = bytes([3, 3, 5, 5, 6, 7, 5, 3])
INDEX16 = bytes([6, 7, 6, 7, NONE, NONE, NONE, NONE])


def scan(m: Machine, mode64: int) -> tuple[Any, Any, Any]:
    """Return (head, rest, length) of the instruction whose bytes the machine has; `mode64`: 64-bit mode."""
    sel = m.sel
    op66, rep, lock, a67, seg, rex, at, active = m.start(0, 0, 0, 0, 3, 0, 0, 1)
    for _ in range(LONGEST):
        byte = m.byte(at)
        kind = m.lookup(PREFIXES[mode64], byte)
        active = active & (kind != 0)
        if m.is_zero(active):
            break
        op66 = op66 | active & (kind == P66)
        a67 = a67 | active & (kind == P67)
        lock = lock | active & (kind == PF0)
        rep = sel(active & (kind == PF2), 2, sel(active & (kind == PF3), 3, rep))
        seg = sel(active & (kind == PFS), 4, sel(active & (kind == PGS), 5, seg))
        if not mode64:
            seg = sel(active & (kind == PSEG), 3, seg)
        rex = sel(active, sel(kind == PREX, byte, 0), rex)          # a REX prefix that is not the last one does not count
        at = at + active
    toolong = active

    # VEX (SDM vol. 2A, 2.3.5), else escapes to the other maps
    b0, b1, b2 = m.byte(at), m.byte(at + 1), m.byte(at + 2)
    vex3, vex2 = b0 == 0xC4, b0 == 0xC5
    if not mode64:
        vex3, vex2 = vex3 & (b1 >> 6 == 3), vex2 & (b1 >> 6 == 3)
    vex = vex2 | vex3
    last = sel(vex3, b2, b1)
    vex_map = sel(vex3, b1 & 31, 1)
    undefined = vex & ((rex != 0) | op66 | (rep != 0) | lock | (vex_map == 0) | (vex_map >> 2 != 0))
    escape = (vex ^ 1) & (b0 == 0x0F)
    third = escape & ((b1 == 0x38) | (b1 == 0x3A))
    opmap = sel(vex, vex_map & 3, escape + sel(third, 1 + (b1 == 0x3A), 0))
    at = at + sel(vex, 2 + vex3, escape + third)
    opcode = m.byte(at)
    at = at + 1
    pp = last & 3
    op66 = sel(vex, pp == 1, op66)
    rep = sel(vex, sel(pp == 3, 2, sel(pp == 2, 3, 0)), rep)
    wide = sel(vex3, b2 >> 7, rex >> 3 & 1)
    long = vex & (last >> 2)
    vvvv = sel(vex, (last >> 3 & 15) ^ 15, 0)
    r, x, b = rex >> 2 & 1, rex >> 1 & 1, rex & 1
    if mode64:
        r = sel(vex, b1 >> 7 ^ 1, r)
        x, b = sel(vex3, b1 >> 6 & 1 ^ 1, x), sel(vex3, b1 >> 5 & 1 ^ 1, b)
    else:
        r, x, b, vvvv = r & 0, x & 0, b & 0, vvvv & 7

    # ModRM and SIB
    info = m.lookup(OPCODES, opmap << 8 | opcode)
    has_modrm, kind = info >> 7, info & 15
    modrm = m.byte(at)
    mod, reg, rm = modrm >> 6, modrm >> 3 & 7, modrm & 7
    memory = has_modrm & (mod != 3) & (kind != ALWAYS_REGISTER)
    short = a67 if not mode64 else m.start(0)[0]
    sib = memory & (rm == 4) & (short ^ 1)
    sib_byte = m.byte(at + 1)
    low = sel(sib, sib_byte & 7, rm)
    no_base = (mod == 0) & (low == sel(short, 6, 5))
    rip = memory & no_base & (sib ^ 1) if mode64 else m.start(0)[0]
    number = (sib_byte >> 3 & 7) | x << 3
    index = sel(sib, sel((number == 4) & (kind != VSIB), NONE, number), NONE)
    base = sel(no_base, NONE, low | b << 3)
    if not mode64:
        base = sel(short, sel(no_base, NONE, m.lookup(BASE16, rm)), base)
        index = sel(short, sel(no_base, NONE, m.lookup(INDEX16, rm)), index)
    disp_size = memory & (mod == 1) | sel(memory & ((mod == 2) | no_base), sel(short, 2, 4), 0)
    at = at + has_modrm
    disp = m.signed(at + sib, disp_size)
    at = at + sib + disp_size
    form = sel(memory, sel(rip, RIP, sel(a67, MEM67, MEM)), REG)
    base = sel(memory, base, sel(has_modrm, rm, opcode & 7) | b << 3)
    index = sel(memory, index, NONE)

    # immediate
    size = m.lookup(SIZES[mode64], kind << 3 | wide | op66 << 1 | a67 << 2)
    size = sel(((kind == IB_TEST) | (kind == IZ_TEST)) & (reg > 1), 0, size)
    imm = m.unsigned(at, size)
    length = at + size
    rest = sel(size > 4, imm, disp & 0xFFFFFFFF | imm << 32)
    odd = sel(toolong | (length > LONGEST), TOO_LONG, undefined)
    values = {"opcode": opcode, "map": opmap, "vex": vex, "op66": op66, "rep": rep, "W": wide, "L": long, "form": form,
              "reg": sel(has_modrm, reg | r << 3, 0), "base": base, "index": index, "scale": sel(sib & (index != NONE), sib_byte >> 6, 0),
              "vvvv": vvvv, "rex": rex != 0, "lock": lock, "seg": seg, "a67": a67, "length": length & 15, "odd": odd}
    head = m.start(mode64 << WORD["mode64"].shift)[0]
    for name, value in values.items():
        head = head | value << WORD[name].shift
    return head, rest, sel(odd == TOO_LONG, LONGEST, length)


scan64: Callable[[Machine], tuple[Any, Any, Any]] = partial(scan, mode64=1)
scan32: Callable[[Machine], tuple[Any, Any, Any]] = partial(scan, mode64=0)
