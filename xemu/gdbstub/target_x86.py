"""Target descriptions of x86, as GDB's own server has them (GDB manual, G.5.7 "i386 Features"): the same names, numbers and order."""

from __future__ import annotations

from xemu.gdbstub.target_xml import Composite, Description, Feature, Flags, Numbering, bits_of

EFLAGS = Flags("i386_eflags", 32, bits_of("CF:0 :1 PF:2 AF:4 ZF:6 SF:7 TF:8 IF:9 DF:10 OF:11 NT:14 RF:16 VM:17 AC:18 VIF:19 VIP:20 ID:21"))
MXCSR = Flags("i386_mxcsr", 32, bits_of("IE:0 DE:1 ZE:2 OE:3 UE:4 PE:5 DAZ:6 IM:7 DM:8 ZM:9 OM:10 UM:11 PM:12 FZ:15"))
VECTOR = Composite("vec128", (
    ("v8bf16", "v8_bfloat16", "bfloat16", 8), ("v8h", "v8_half", "ieee_half", 8), ("v4f", "v4_float", "ieee_single", 4),
    ("v2d", "v2_double", "ieee_double", 2), ("v16i8", "v16_int8", "int8", 16), ("v8i16", "v8_int16", "int16", 8),
    ("v4i32", "v4_int32", "int32", 4), ("v2i64", "v2_int64", "int64", 2)), (("uint128", "uint128"),))
X87 = "fctrl fstat ftag fiseg fioff foseg fooff fop"
SEGMENTS = "cs ss ds es fs gs"


def _core(numbers: Numbering, general: str, bits: int) -> Feature:
    return numbers.feature(
        "org.gnu.gdb.i386.core", numbers.registers(general, bits, kind=f"int{bits}"),
        numbers.registers("eflags=flags", kind=EFLAGS.name), numbers.registers(SEGMENTS, kind="int32", section="segments"),
        numbers.registers(" ".join(f"st{n}" for n in range(8)), 80, kind="i387_ext", section="x87"),
        numbers.registers(X87, group="float", section="x87"),
        types=(EFLAGS,))


def _sse(numbers: Numbering, count: int) -> Feature:
    names = " ".join(f"xmm{n}" for n in range(count))
    return numbers.feature("org.gnu.gdb.i386.sse", numbers.registers(names, 128, kind=VECTOR.name),
                           numbers.registers("mxcsr", kind=MXCSR.name, group="vector"), types=(VECTOR, MXCSR))


def _avx(numbers: Numbering, count: int) -> Feature:
    names = " ".join(f"ymm{n}h" for n in range(count))
    return numbers.feature("org.gnu.gdb.i386.avx", numbers.registers(names, 128, kind="uint128"))


def x86_64() -> Description:
    """Describe 64-bit mode."""
    numbers = Numbering()
    general = "rax rbx rcx=arg4 rdx=arg3 rsi=arg2 rdi=arg1 rbp:data_ptr=fp rsp:data_ptr=sp r8=arg5 r9=arg6 r10 r11 r12 r13 r14 r15"
    features = (
        _core(numbers, f"{general} rip:code_ptr=pc", 64), _sse(numbers, 16),
        numbers.feature("org.gnu.gdb.i386.linux", numbers.registers("orig_rax", 64)),
        numbers.feature("org.gnu.gdb.i386.segments", numbers.registers("fs_base gs_base", 64)),
        _avx(numbers, 16))
    return Description("i386:x86-64", features, "x86_64--linux-gnu", ("rbp", "rsp", "rip"), before_access=False,
                       into_handlers=True)


def i386() -> Description:
    """Describe 32-bit mode."""
    numbers = Numbering()
    general = "eax ecx edx ebx esp:data_ptr=sp ebp:data_ptr=fp esi edi eip:code_ptr=pc"
    features = (_core(numbers, general, 32), _sse(numbers, 8),
                numbers.feature("org.gnu.gdb.i386.linux", numbers.registers("orig_eax", 32)), _avx(numbers, 8))
    return Description("i386", features, "i386--linux-gnu", ("ebp", "esp", "eip"), before_access=False,
                       into_handlers=True)
