"""The host's x87 for 80-bit operations: what each operation is in its instructions, and calls of them from Python.

The operands lie in the scratch slots of the state block. An instruction raises exceptions in the host's status word, where
they stay: setting one that is not set costs twenty times the operation. So the exceptions an operation starts with are
an operand of it, and the host's are cleared only where they are not among those.
"""

from __future__ import annotations

import ctypes
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from xemu.core import host
from xemu.core.state import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

AVAILABLE = host.X86
DEFAULT_CONTROL = 0x37F


class Control(Enum):
    """What is known of a control word."""

    USUAL = 0             # it is that of FNINIT
    MASKED = 1            # it masks all exceptions
    ANY = 2


#: offsets of the slots in the scratch area: two operands, two results, the control words
X, Y, FIRST, SECOND, CONTROL, USUAL = 0, 16, 32, 48, 58, 60
_SUFFIX = {"f32": "s", "f64": "l", "i16": "s", "i32": "l"}
_LOADS = {"f32": "flds", "f64": "fldl", "i16": "filds", "i32": "fildl", "i64": "fildll", "bcd": "fbld"}
#: one operand in st(0) -> result in st(0)
_UNARY = {"sqrt": "fsqrt", "rint": "frndint", "sin": "fsin", "cos": "fcos", "exp2m1": "f2xm1"}
#: x in st(0), y in st(1) -> result in st(0), y stays
_SCALE = {"scale": "fscale", "rem": "fprem", "rem1": "fprem1"}
#: x in st(0), y in st(1) -> one result in their place
_POPPING = {"atan": "fpatan", "ylog2": "fyl2x", "ylog2p1": "fyl2xp1"}
#: one operand -> (the result in its place, a second one pushed)
_PUSHING = {"sincos": "fsincos", "tan": "fptan", "extract": "fxtract"}
_STORES = {"store.f32": "fsts", "store.f64": "fstl", "store.i16": "fists", "store.i32": "fistl", "store.i64": "fistpll",
           "chop.i16": "fisttps", "chop.i32": "fisttpl", "chop.i64": "fisttpll", "store.bcd": "fbstp"}


def _code(name: str) -> tuple[str, str, bool]:
    """Return (instructions up to the result, those that put it into its slots, may the stack be left uneven?)."""
    x, y, first, second = "fldt $4", "fldt $5", "fstpt $1", "fstpt $2"
    base, _, source = name.partition(".")
    if name in _STORES:
        code = _STORES[name]
        pops = "p" in code[3:]
        return f"{x}; {code} $1", "" if pops else "fstp %st(0)", pops
    if base == "load":
        return f"{_LOADS[source]} $5", first, True
    if base in _UNARY:
        return f"{x}; {_UNARY[base]}", first, False
    if base == "test":
        return f"{x}; ftst", "fstp %st(0)", False
    if base in _SCALE:
        return f"{y}; {x}; {_SCALE[base]}", f"{first}; fstp %st(0)", False
    if base in _POPPING:
        return f"{y}; {x}; {_POPPING[base]}", first, True
    if base in _PUSHING:
        return f"{x}; {_PUSHING[base]}", f"{second}; {first}", True
    compares = base in ("com", "ucom")
    if source == "f80":
        code = f"f{base} %st(1)" if compares else f"f{base} %st(1), %st"
        return f"{y}; {x}; {code}", f"{'fstp %st(0)' if compares else first}; fstp %st(0)", False
    code = f"f{'i' if source[0] == 'i' else ''}{base}{_SUFFIX[source]} $5"
    return f"{x}; {code}", "fstp %st(0)" if compares else first, False


def code(name: str, control: Control) -> str:
    """Return the assembly text of an operation.

    $0 is the status word after it, $1 and $2 the results, $3 the inverted status word before, $4 and $5 the operands, $6 and
    $7 the control word and the usual one. An exception that is not masked is cleared before the host would deliver it.
    """
    before, after, uneven = _code(name)
    clear = "fnstsw %ax; andl $3, %eax; testb $$63, %al; jz 1f; fnclex; 1:"
    switch = f"cmpw $${DEFAULT_CONTROL}, $6; je 2f; fldcw $6; 2:"
    back = f"cmpw $${DEFAULT_CONTROL}, $6; je 3f; fldcw $7; 3:"
    match control:
        case Control.USUAL:
            return f"{clear} {before}; fnstsw %ax; {after}"
        case Control.MASKED:
            return f"{clear} {switch} {before}; fnstsw %ax; {back} {after}"
        case _:
            deliver = "testb %al, %al; jns 2f; fnclex; 2:"
            return f"{clear} fldcw $6; {before}; fnstsw %ax; {deliver} fldcw $7; {after}; {'fninit' if uneven else ''}"


def emit(f: Any, name: str, operands: Sequence[tuple[int, str]], control: str, kind: Control, status: str,
         results: Sequence[int]) -> tuple[str, list[str]]:
    """Emit an operation in a function; return (status word as i16, results).

    `operands` are (width, value), `results` widths; `control` and `status` are i16: the control word (of that kind), and the
    exceptions raised before.
    """
    slots = [f.cell(SCRATCH + at) for at in (X, Y, FIRST, SECOND, CONTROL, USUAL)]
    for slot, (width, value) in zip(slots, operands, strict=False):
        if value:
            _put(f, slot, width, value)
    if kind != Control.USUAL:
        f.put(f"store i16 {control}, ptr {slots[4]}")
        f.put(f"store i16 {DEFAULT_CONTROL}, ptr {slots[5]}")
    inverted = f.let(f"xor i32 {f.let(f'zext i16 {status} to i32')}, -1")
    args = [f"ptr elementtype({'[10 x i8]' if i < 4 else 'i16'}) {slot}" for i, slot in enumerate(slots)]
    word = f.let(f'call i32 asm sideeffect "{code(name, kind)}", '
                 f'"=&{{ax}},=*m,=*m,r,*m,*m,*m,*m,~{{fpsr}},~{{flags}},~{{dirflag}}"'
                 f"({args[2]}, {args[3]}, i32 {inverted}, {args[0]}, {args[1]}, {args[4]}, {args[5]}) memory(argmem: readwrite) nounwind")
    return f.let(f"trunc i32 {word} to i16"), [_get(f, slot, width) for slot, width in zip(slots[2:4], results, strict=False)]


def _put(f: Any, slot: str, width: int, value: str) -> None:
    """Write a slot in the two pieces in which the host reads an 80-bit number: else it waits for the stores."""
    if width != 80:
        f.put(f"store i{width} {value}, ptr {slot}")
        return
    f.put(f"store i64 {f.let(f'trunc i80 {value} to i64')}, ptr {slot}")
    high = f.let(f"trunc i80 {f.let(f'lshr i80 {value}, 64')} to i16")
    f.put(f"store i16 {high}, ptr {f.let(f'getelementptr i8, ptr {slot}, i64 8')}")


def _get(f: Any, slot: str, width: int) -> str:
    """Read a slot, in the pieces in which the host writes it."""
    if width != 80:
        return str(f.let(f"load i{width}, ptr {slot}"))
    low = f.let(f"load i64, ptr {slot}")
    high = f.let(f"load i16, ptr {f.let(f'getelementptr i8, ptr {slot}, i64 8')}")
    top = f.let(f"shl i80 {f.let(f'zext i16 {high} to i80')}, 64")
    return str(f.let(f"or disjoint i80 {f.let(f'zext i64 {low} to i80')}, {top}"))


# -- from Python ------------------------------------------------------------------------------------------------------


@cache
def _function(name: str, results: tuple[int, ...]) -> Any:
    """Return a native function (pointer to a block) that does an operation on the slots of a block."""
    from xemu.core.llvm import compile_text
    from xemu.core.lower import Emitter
    from xemu.core.objects import CodeMemory

    em = Emitter()
    control = em.let(f"load i16, ptr {em.cell(SCRATCH + CONTROL)}")
    status, _ = emit(em, name, [], control, Control.ANY, "0", results)
    em.put(f"store i16 {status}, ptr {em.cell(SCRATCH + USUAL + 2)}")
    text = "\n".join(["define dso_local void @operation(ptr %st) #0 {", "entry:", *em.lines, "  ret void", "}", *sorted(em.declared)])
    memory = CodeMemory()
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(memory.load(compile_text(text))["operation"])
    return memory, function


def run(name: str, operands: Sequence[int], control: int, results: tuple[int, ...]) -> tuple[int, list[int]]:
    """Do an operation on the host; return (its status word, the results)."""
    _, function = _function(name, results)
    block = bytearray(SCRATCH + 64)
    for at, value in zip((X, Y), operands, strict=False):
        block[SCRATCH + at:SCRATCH + at + 10] = value.to_bytes(10, "little")
    block[SCRATCH + CONTROL:SCRATCH + CONTROL + 2] = control.to_bytes(2, "little")
    function(ctypes.addressof((ctypes.c_char * len(block)).from_buffer(block)))
    values = [int.from_bytes(block[SCRATCH + at:SCRATCH + at + width // 8], "little")
              for at, width in zip((FIRST, SECOND), results, strict=False)]
    return int.from_bytes(block[SCRATCH + USUAL + 2:SCRATCH + USUAL + 4], "little"), values
