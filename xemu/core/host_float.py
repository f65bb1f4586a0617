"""The host's own floating-point instructions, as inline assembly, for operations whose rules are the host's.

An instruction in assembly keeps the order of its operands, on which the NaN that comes out depends, and LLVM does not move,
drop or fold it: value and exceptions are those of the instruction, without a check. Only x86 hosts have any.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from xemu.core import host
from xemu.core.softfloat import NUMBERED
from xemu.core.state import ENGINE_CELLS

#: whose rules the host's instructions follow
RULES = "x86" if host.X86 else ""
SUFFIXES = {("f32", 1): "ss", ("f64", 1): "sd", ("f32", 4): "ps", ("f64", 2): "pd"}
TYPES = {"ss": "float", "sd": "double", "ps": "<4 x float>", "pd": "<2 x double>", "dq": "<4 x i32>", "ph": "<8 x i16>"}
TWO = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "lesser": "min", "greater": "max"}
FUSED = {"fma": "fmadd", "fms": "fmsub", "fnma": "fnmadd", "fnms": "fnmsub"}
#: rounding modes 0…3 (nearest, up, down, zero) as ROUNDPS numbers them
ROUNDING = (0, 2, 1, 3)
TO_HALF = ("f32", "f16")
CURRENT = 4                      # the mode of the control register
QUIETLY = 8                      # of ROUNDPS: no exception for a result that is not exact
MASKED = 0x1F80                  # MXCSR with all exceptions masked
EFFECT = "memory(inaccessiblemem: readwrite) nounwind"
#: conversions: (operation, format, lanes) -> (instruction, type of the operand, type of the result, operand given twice)
CONVERSIONS: dict[tuple[Any, ...], tuple[str, str, str, bool]] = {
    ("to_float", ("f32", "f64"), 1): ("cvtss2sd", "ss", "sd", True), ("to_float", ("f64", "f32"), 1): ("cvtsd2ss", "sd", "ss", True),
    ("to_float", ("f32", "f64"), 2): ("cvtps2pd", "ps", "pd", False), ("to_float", ("f64", "f32"), 2): ("cvtpd2psx", "pd", "ps", False),
    ("from_sint", (32, "f32", 0), 4): ("cvtdq2ps", "dq", "ps", False), ("from_sint", (32, "f64", 0), 2): ("cvtdq2pd", "dq", "pd", False),
    ("to_float", ("f16", "f32"), 4): ("cvtph2ps", "ph", "ps", False), ("to_float", ("f32", "f16"), 4): ("cvtps2ph", "ps", "ph", False),
    ("from_sint", (32, "f32", 0), 2): ("cvtdq2ps", "dq", "ps", False),
    **{("to_sint", ("f32", 32, mode, 0), 2): (f"cvt{'t' if mode == 'zero' else ''}ps2dq", "ps", "dq", False)
       for mode in ("zero", "current")},
    **{("to_sint", (fmt, 32, mode, 0), lanes): (f"cvt{'t' if mode == 'zero' else ''}{suffix}2dq", suffix, "dq", False)
       for fmt, lanes, suffix in (("f32", 4, "ps"), ("f64", 2, "pd")) for mode in ("zero", "current")},
}  # fmt: skip


class Instruction(NamedTuple):
    """An instruction: its text with operands $1, $2 … and result $0, their LLVM types, and the constraints."""

    text: str
    operands: tuple[str, ...]
    result: str
    constraints: str


def instruction(name: str, fmt: Any, lanes: int, ctl: int | None) -> Instruction | None:
    """Return the instruction that does an operation with a constant control word, or as the host's modes are; None: there is none."""
    if not RULES or (ctl and (ctl >= len(ROUNDING) or (name not in ("rint", "round_int") and fmt != TO_HALF))):
        return None
    rounding = CURRENT if ctl is None else ROUNDING[ctl]
    avx = host.has("avx")
    if (name, fmt, lanes) in CONVERSIONS:
        return _conversion(*CONVERSIONS[name, fmt, lanes], avx=avx, rounding=rounding)
    if name == "to_sint" and lanes == 1:
        suffix = SUFFIXES[fmt[0], 1]
        text = f"{'v' if avx else ''}cvt{'t' if fmt[2] == 'zero' else ''}{suffix}2si $1, $0"
        return Instruction(text, (TYPES[suffix],), f"i{fmt[1]}", "=r,x")
    suffix = SUFFIXES.get((fmt, lanes), "") if isinstance(fmt, str) else ""
    if not suffix:
        return None
    kind = TYPES[suffix]
    if name in TWO:
        return _two(TWO[name] + suffix, "", kind, avx=avx)
    if name in NUMBERED and (avx or NUMBERED[name] < len(ROUNDING) * 2):
        return _two("cmp" + suffix, f"${NUMBERED[name]}, ", kind, avx=avx)
    if name == "sqrt" or (name in ("rcp", "rsqrt") and host.vendor() == "GenuineIntel"):       # others' estimates differ
        return _one(name + suffix, "", kind, scalar=lanes == 1, avx=avx)
    if name in ("rint", "round_int") and host.has("sse4_1"):
        how = rounding | (QUIETLY if name == "round_int" else 0)
        return _one("round" + suffix, f"${how}, ", kind, scalar=lanes == 1, avx=avx)
    if name in FUSED and host.has("fma"):                # $1 * $2 + $3, the second in the result's register
        return Instruction(f"v{FUSED[name]}213{suffix} $3, $1, $0", (kind, kind, kind), kind, "=x,x,0,x")
    return None


def _two(mnemonic: str, immediate: str, kind: str, *, avx: bool) -> Instruction:
    immediate = immediate.replace("$", "$$")
    if avx:
        return Instruction(f"v{mnemonic} {immediate}$2, $1, $0", (kind, kind), kind, "=x,x,x")
    return Instruction(f"{mnemonic} {immediate}$2, $0", (kind, kind), kind, "=x,0,x")


def _one(mnemonic: str, immediate: str, kind: str, *, scalar: bool, avx: bool) -> Instruction:
    immediate = immediate.replace("$", "$$")
    if avx:
        return Instruction(f"v{mnemonic} {immediate}{'$1, ' if scalar else ''}$1, $0", (kind,), kind, "=x,x")
    return Instruction(f"{mnemonic} {immediate}$1, $0", (kind,), kind, "=x,x")


def _conversion(mnemonic: str, source: str, target: str, twice: bool, *, avx: bool, rounding: int) -> Instruction | None:
    if "ph" in (source, target):
        if not host.has("f16c"):
            return None
        immediate = f"$${rounding}, " if target == "ph" else ""
        return Instruction(f"v{mnemonic} {immediate}$1, $0", (TYPES[source],), TYPES[target], "=x,x")
    text = f"v{mnemonic} {'$1, ' if twice else ''}$1, $0" if avx else f"{mnemonic.removesuffix('x')} $1, $0"
    return Instruction(text, (TYPES[source],), TYPES[target], "=x,x")


def emit(f: Any, ins: Instruction, operands: list[str]) -> str:
    """Emit an instruction; return the name of its result."""
    given = ", ".join(f"{kind} {x}" for kind, x in zip(ins.operands, operands, strict=True))
    return str(f.let(f'call {ins.result} asm sideeffect "{ins.text}", "{ins.constraints}"({given}) {EFFECT}'))


#: bits of a control word that say what no host does by itself: exceptions that are not masked
TRAPS = 0x60


def begin(f: Any, ctl: str) -> str:
    """Switch the host to the modes of a control word (i8), with no exception raised; return the scratch memory that `end` needs."""
    at = str(f.cell(ENGINE_CELLS["host_fp"]))
    f.declared.update(host.FLOAT_DECLARATIONS)
    f.put(f"call void @llvm.x86.sse.stmxcsr(ptr {at})")
    wide, word = f.let(f"zext i8 {ctl} to i32"), str(MASKED)
    for mask, shift in ((1, 14), (2, 12), (8, 12), (16, 2)):             # rounding (bits change places), FTZ, DAZ
        part = f.let(f"shl i32 {f.let(f'and i32 {wide}, {mask}')}, {shift}")
        word = f.let(f"or i32 {word}, {part}")
    new = f.let(f"getelementptr i8, ptr {at}, i64 4")
    f.put(f"store i32 {word}, ptr {new}")
    f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {new})")
    return at


def end(f: Any, at: str) -> str:
    """Switch back; return the exceptions raised since `begin` as i8."""
    new = f.let(f"getelementptr i8, ptr {at}, i64 4")
    f.put(f"call void @llvm.x86.sse.stmxcsr(ptr {new})")
    f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {at})")
    return host.x86_exceptions(f, f.let(f"load i32, ptr {new}"))


def compare(f: Any, fmt: str, x: str, y: str, *, signals: bool) -> None:
    """Raise what a comparison raises: of denormals, of signalling NaNs, or of all NaNs if it `signals`."""
    suffix = SUFFIXES[fmt, 1]
    text = ("v" if host.has("avx") else "") + ("" if signals else "u") + f"comi{suffix} $1, $0"
    kind = TYPES[suffix]
    f.put(f'call void asm sideeffect "{text}", "x,x,~{{flags}}"({kind} {x}, {kind} {y}) {EFFECT}')
