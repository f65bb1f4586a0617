"""Target descriptions of PowerPC, as GDB's own server has them (GDB manual, G.5.11 "PowerPC Features"): names, numbers and order."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from xemu.gdbstub.target_xml import Composite, Description, Feature, Numbering, bits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.gdbstub.target_xml import Register

VECTOR = Composite("vec128", (
    ("v4f", "v4_float", "ieee_single", 4), ("v4i32", "v4_int32", "int32", 4), ("v8i16", "v8_int16", "int16", 8),
    ("v16i8", "v16_int8", "int8", 16)), (("uint128", "uint128"),), plain_first=True)
PC, FLOATS, FPSCR, LINUX = 64, 32, 70, 71            # numbers that GDB has given to PC, f0, FPSCR and orig_r3; others follow
XER_BITS = bits_of("SO:31 OV:30 CA:29 OV32:19 CA32:18 bytes:0-6")
FPSCR_BITS = bits_of("DRN:32-34 FX:31 FEX:30 VX:29 OX:28 UX:27 ZX:26 XX:25 VXSNAN:24 VXISI:23 VXIDI:22 VXZDZ:21 VXIMZ:20 VXVC:19 FR:18 "
                     "FI:17 FPRF:12-16 VXSOFT:10 VXSQRT:9 VXCVI:8 VE:7 OE:6 UE:5 ZE:4 XE:3 NI:2 RN:0-1")
VSCR_BITS = bits_of("NJ:16 SAT:0")
CONDITIONS = ("LT", "GT", "EQ", "SO")


def _named(bits: tuple[tuple[str, int, int], ...]) -> Callable[[int], str]:
    """Return what writes the fields of a register that are not 0, the highest first."""
    def words(value: int) -> str:
        found = [(name, value >> low & (1 << high - low + 1) - 1, low == high) for name, low, high in reversed(bits)]
        return " ".join(name if single else f"{name}={field}" for name, field, single in found if field)

    return words


def condition_words(value: int) -> str:
    """Return the fields of CR that are not 0: "cr0 GT  cr7 EQ SO"."""
    fields = ((n, value >> 28 - 4 * n & 15) for n in range(8))
    return "  ".join(f"cr{n} " + " ".join(name for i, name in enumerate(CONDITIONS) if field >> 3 - i & 1) for n, field in fields if field)


def _double(value: int) -> str:
    """Return what a floating-point register holds, where that is not 0."""
    return f"{struct.unpack('<d', value.to_bytes(8, 'little'))[0]:g}" if value else ""


WORDS: dict[str, Callable[[int], str]] = {"cr": condition_words, "xer": _named(XER_BITS), "fpscr": _named(FPSCR_BITS),
                                          "vscr": _named(VSCR_BITS)} | {f"f{n}": _double for n in range(32)}


def _general() -> str:
    """Return r0 to r31 with LLDB's roles: r1 is the stack pointer, r3 to r10 are arguments."""
    roles = {1: "=sp", 31: "=fp"} | {n: f"=arg{n - 2}" for n in range(3, 11)}
    return " ".join(f"r{n}{roles.get(n, '')}" for n in range(32))


def _worded(rows: tuple[Register, ...]) -> tuple[Register, ...]:
    return tuple(replace(row, words=WORDS.get(row.name)) for row in rows)


def _row(prefix: str, suffix: str = "") -> str:
    return " ".join(f"{prefix}{n}{suffix}" for n in range(32))


def _core(numbers: Numbering, width: int) -> Feature:
    word = f"uint{width}"
    return numbers.feature(
        "org.gnu.gdb.power.core", numbers.registers(_general(), width, kind=word),
        numbers.registers("pc:code_ptr=pc", width, at=PC), numbers.registers("msr", width, kind=word),
        _worded(numbers.registers("cr=flags", kind="uint32")), numbers.registers("lr:code_ptr=ra", width),
        numbers.registers("ctr", width, kind=word), _worded(numbers.registers("xer", kind="uint32")))


def _fpu(numbers: Numbering, width: int) -> Feature:
    return numbers.feature("org.gnu.gdb.power.fpu", _worded(numbers.registers(_row("f"), 64, kind="ieee_double", at=FLOATS)),
                           _worded(numbers.registers("fpscr", width, group="float", at=FPSCR)))


def _altivec(numbers: Numbering) -> Feature:
    return numbers.feature("org.gnu.gdb.power.altivec", numbers.registers(_row("vr"), 128, kind=VECTOR.name),
                           _worded(numbers.registers("vscr vrsave", group="vector")), types=(VECTOR,))


def _describe(name: str, width: int, triple: str, *, big: bool) -> Description:
    numbers = Numbering()
    features = [_core(numbers, width), _fpu(numbers, width),
                numbers.feature("org.gnu.gdb.power.linux", numbers.registers("orig_r3 trap", width, at=LINUX)), _altivec(numbers)]
    if width == 64:
        features.append(numbers.feature("org.gnu.gdb.power.vsx", numbers.registers(_row("vs", "h"), 64, kind="uint64")))
        features += [numbers.feature(f"org.gnu.gdb.power.{name}", numbers.registers(name, 64, kind="uint64", section="special"))
                     for name in ("ppr", "dscr", "tar")]
    return Description(name, tuple(features), triple, ("r1", "pc", "lr", "cr"), big=big, into_handlers=True,
                       leading=("pc", "lr", "cr", "ctr", "xer"))


def ppc() -> Description:
    """Describe the 32-bit processor."""
    return _describe("powerpc:common", 32, "powerpc--linux-gnu", big=True)


def ppc64le() -> Description:
    """Describe the 64-bit processor, little-endian."""
    return _describe("powerpc:common64", 64, "powerpc64le--linux-gnu", big=False)
