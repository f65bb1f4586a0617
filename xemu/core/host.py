"""What depends on the host processor: floating-point status, code memory, relocations. Nothing else in core/ does."""

from __future__ import annotations

import ctypes
import mmap
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from xemu.core import hostmem
from xemu.core.state import ENGINE_CELLS
from xemu.errors import XemuError

if TYPE_CHECKING:
    from xemu.core.handlers import CodeEmitter
    from xemu.core.runtime import Native

MACHINE = os.uname().machine
X86 = MACHINE in ("x86_64", "AMD64")
ARM = MACHINE in ("aarch64", "arm64")
CONTEXT_PC = 168 if X86 else 440  # offset of the program counter in a signal's ucontext_t
if not (X86 or ARM):
    _message = f"xemu needs an x86-64 or AArch64 host; this one is {MACHINE}"
    raise XemuError(_message)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
NORESERVE = 0x4000


@cache
def vendor() -> str:
    """Return who made the processor, as x86's CPUID says."""
    return next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("vendor_id")), "")


def _cpuinfo() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            return f.read(8192).splitlines()
    except OSError:
        return []


@cache
def features() -> frozenset[str]:
    """Return the names of the processor's features, as Linux spells them."""
    lines = [line for line in _cpuinfo() if line.startswith(("flags", "Features"))]
    return frozenset(lines[0].split()) if lines else frozenset()


def has(feature: str) -> bool:
    """Return whether the processor has a feature."""
    return feature in features()


# -- floating point: MXCSR on x86 (exceptions IE 0, DE 1, ZE 2, OE 3, UE 4, PE 5), FPSR on Arm (IOC 0 … IXC 4) --------

FLOAT_DECLARATIONS = (["declare void @llvm.x86.sse.stmxcsr(ptr)", "declare void @llvm.x86.sse.ldmxcsr(ptr)"] if X86 else
                      ["declare i64 @llvm.aarch64.get.fpsr()", "declare void @llvm.aarch64.set.fpsr(i64)",
                       "declare i64 @llvm.aarch64.get.fpcr()", "declare void @llvm.aarch64.set.fpcr(i64)"])
_CLEAR = 0x1F80          # all exceptions masked, nothing raised, round to nearest
X86_ROUNDING = (0, 2, 1, 3)         # MXCSR.RC for nearest, +inf, -inf, zero
ARM_ROUNDING = (0, 1, 2, 3)         # FPCR.RMode


def _mxcsr(f: Any) -> tuple[str, str]:
    """Return (address of scratch, the host's control word)."""
    at = f.cell(ENGINE_CELLS["host_fp"])
    f.put(f"call void @llvm.x86.sse.stmxcsr(ptr {at})")
    return at, f.let(f"load i32, ptr {at}")


def enter_float(f: Native) -> None:
    """Clear the host's sticky exceptions: what is set when native code is left, the guest raised."""
    if X86:
        at = f.cell(ENGINE_CELLS["host_fp"])
        f.put(f"store i32 {_CLEAR}, ptr {at}")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {at})")
    else:
        f.put("call void @llvm.aarch64.set.fpsr(i64 0)")


def x86_exceptions(f: Any, word: str) -> str:
    """Return the exceptions in an MXCSR in the order of fp.py."""
    low, rest = f.let(f"and i32 {word}, 1"), f.let(f"and i32 {f.let(f'lshr i32 {word}, 1')}, 30")
    denormal = f.let(f"and i32 {f.let(f'shl i32 {word}, 6')}, 128")
    return str(f.let(f"trunc i32 {f.let(f'or i32 {low}, ' + f.let(f'or i32 {rest}, {denormal}'))} to i8"))


def read_flags(f: Any) -> str:
    """Return the host's sticky exceptions as i8 in the order of fp.py.

    Whether denormal operands are among them depends on the host: not all guests' rules make them an exception.
    """
    if X86:
        return x86_exceptions(f, _mxcsr(f)[1])
    word = f.let("call i64 @llvm.aarch64.get.fpsr()")
    flags: str = f.let(f"trunc i64 {f.let(f'and i64 {word}, 31')} to i8")
    return flags


def clear_flags(f: Any) -> None:
    """Clear the host's sticky exceptions."""
    if X86:
        at, word = _mxcsr(f)
        f.put(f"store i32 {f.let(f'and i32 {word}, -64')}, ptr {at}")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {at})")
    else:
        f.put("call void @llvm.aarch64.set.fpsr(i64 0)")


def take_flags(f: Any) -> str:
    """Return the host's sticky exceptions and clear them."""
    flags = read_flags(f)
    clear_flags(f)
    return flags


leave_float = take_flags


def begin_operation(f: Any, mode: str) -> str:
    """Switch to a rounding mode 0…3 (i8) with no exception raised; return where the old control words are kept."""
    if X86:
        saved, scratch = f.let("alloca i32"), f.let("alloca i32")
        f.put(f"call void @llvm.x86.sse.stmxcsr(ptr {saved})")
        wide = f.let(f"zext i8 {mode} to i32")                       # modes 1 and 2 change places
        low, high = f.let(f"shl i32 {wide}, 14"), f.let(f"shl i32 {f.let(f'lshr i32 {wide}, 1')}, 13")
        rounding = f.let(f"or i32 {f.let(f'and i32 {low}, 16384')}, {high}")
        f.put(f"store i32 {f.let(f'or i32 {rounding}, {_CLEAR}')}, ptr {scratch}")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {scratch})")
        return str(saved)
    saved = f.let("alloca [2 x i64]")
    second = f.let(f"getelementptr i8, ptr {saved}, i64 8")
    f.put(f"store i64 {f.let('call i64 @llvm.aarch64.get.fpcr()')}, ptr {saved}")
    f.put(f"store i64 {f.let('call i64 @llvm.aarch64.get.fpsr()')}, ptr {second}")
    wide = f.let(f"zext i8 {mode} to i64")
    f.put(f"call void @llvm.aarch64.set.fpcr(i64 {f.let(f'shl i64 {wide}, 22')})")
    f.put("call void @llvm.aarch64.set.fpsr(i64 0)")
    return str(saved)


def end_operation(f: Any, saved: str) -> str:
    """Switch back; return the exceptions raised since `begin_operation` as i8 in IEEE order."""
    if X86:
        scratch = f.let("alloca i32")
        f.put(f"call void @llvm.x86.sse.stmxcsr(ptr {scratch})")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {saved})")
        word = f.let(f"load i32, ptr {scratch}")
        low, rest = f.let(f"and i32 {word}, 1"), f.let(f"and i32 {f.let(f'lshr i32 {word}, 1')}, 30")
        return str(f.let(f"trunc i32 {f.let(f'or i32 {low}, {rest}')} to i8"))
    word = f.let("call i64 @llvm.aarch64.get.fpsr()")
    second = f.let(f"getelementptr i8, ptr {saved}, i64 8")
    f.put(f"call void @llvm.aarch64.set.fpcr(i64 {f.let(f'load i64, ptr {saved}')})")
    f.put(f"call void @llvm.aarch64.set.fpsr(i64 {f.let(f'load i64, ptr {second}')})")
    return str(f.let(f"trunc i64 {f.let(f'and i64 {word}, 31')} to i8"))


X86_FLUSHING = 0x8040               # MXCSR.FTZ, DAZ
ARM_FLUSHING = 1 << 24              # FPCR.FZ


def set_modes(f: Any, *, flush: bool) -> None:
    """Set the host's modes: no exception raised, denormals flushed or not."""
    f.declared.update(FLOAT_DECLARATIONS)
    if X86:
        at = f.cell(ENGINE_CELLS["host_fp"])
        f.put(f"store i32 {_CLEAR | (X86_FLUSHING if flush else 0)}, ptr {at}")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {at})")
    else:
        f.put(f"call void @llvm.aarch64.set.fpcr(i64 {ARM_FLUSHING if flush else 0})")
        f.put("call void @llvm.aarch64.set.fpsr(i64 0)")


FLOAT_REGISTER = "x" if X86 else "w"


def opaque(f: Any, kind: str, constant: str) -> str:
    """Hide a constant in a floating-point register: LLVM would compute with it and lose the exceptions."""
    return str(f.let(f'call {kind} asm "", "={FLOAT_REGISTER},0"({kind} {constant})'))


def hidden(value: str) -> str:
    """Return the expression of an i64 of which LLVM does not see what it is."""
    return f'call i64 asm "", "=r,0"(i64 {value})'


def _done(f: Any, kind: str, result: str, register: str) -> str:
    """Return the result of a conversion that must be made for its exceptions even where nobody reads it."""
    f.put(f'call void asm sideeffect "", "{register}"({kind} {result}) memory(inaccessiblemem: readwrite) nounwind')
    return result


def to_int(f: Any, x: str, fmt: str, bits: int, *, truncate: bool) -> str:
    """Convert a float or double that fits to a signed integer; one that does not fit a word gives 0x80000000 on x86."""
    kind, single = ("float", True) if fmt == "f32" else ("double", False)
    if X86:
        lanes = 4 if single else 2
        vector = f.let(f"insertelement <{lanes} x {kind}> poison, {kind} {x}, i32 0")
        name = f"llvm.x86.sse{'' if single else '2'}.cvt{'t' if truncate else ''}{'ss' if single else 'sd'}2si{'64' if bits == 64 else ''}"
        return _done(f, f"i{bits}", f.call(f"i{bits}", name, f"<{lanes} x {kind}> {vector}"), "r")
    name = f"llvm.aarch64.neon.fcvt{'zs' if truncate else 'ns'}.i{bits}.{fmt}"
    return _done(f, f"i{bits}", f.call(f"i{bits}", name, f"{kind} {x}"), "r")


def vector_to_int(f: Any, x: str) -> str:
    """Convert four floats to signed words, towards zero; one that does not fit gives 0x80000000 on x86."""
    name = "llvm.x86.sse2.cvttps2dq" if X86 else "llvm.aarch64.neon.fcvtzs.v4i32.v4f32"
    return _done(f, "<4 x i32>", f.call("<4 x i32>", name, f"<4 x float> {x}"), FLOAT_REGISTER)


# -- guest memory -----------------------------------------------------------------------------------------------------
# x86 has few registers: the guest window's base lives in the GS segment register, where user programs may write it
# (Linux 5.9 and FSGSBASE; the kernel says so in AT_HWCAP2). Elsewhere the base is a register like others.

_AT_HWCAP2, _HWCAP2_FSGSBASE = 26, 2
_libc.getauxval.restype = ctypes.c_ulong
_libc.getauxval.argtypes = [ctypes.c_ulong]
SEGMENT = X86 and bool(_libc.getauxval(_AT_HWCAP2) & _HWCAP2_FSGSBASE)
SEGMENT_DECLARATIONS = ["declare void @llvm.x86.wrgsbase.64(i64)"] if SEGMENT else []


def enter_memory(f: Native, base: str) -> None:
    """Make the guest window (a pointer) reachable for `guest_pointer`."""
    if SEGMENT:
        f.put(f"call void @llvm.x86.wrgsbase.64(i64 {f.let(f'ptrtoint ptr {base} to i64')})")


def guest_pointer(f: CodeEmitter, offset: str) -> str:
    """Return "type value" of a pointer `offset` (i64) bytes from the window's base."""
    if SEGMENT:
        return f"ptr addrspace(256) {f.let(f'inttoptr i64 {offset} to ptr addrspace(256)')}"
    return f"ptr {f.let(f'getelementptr i8, ptr %mem, i64 {offset}')}"


# -- code memory ----------------------------------------------------------------------------------------------------


def reserve(size: int, *, align: int = 4096) -> int:
    """Return the address of zeroed, readable and writable memory that takes space only where it is touched."""
    at = _libc.mmap(None, size + align - 1, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE, -1, 0)
    if at in (None, ctypes.c_void_p(-1).value):
        msg = f"the host refuses {size >> 20} MB of address space; raise `ulimit -v`"
        raise XemuError(msg)
    return (int(at) + align - 1) // align * align


class Table:
    """Zeroed memory that takes space only where it is touched and is given back with the object."""

    def __init__(self, size: int) -> None:
        self.size, self.address = size, reserve(size, align=1)
        hostmem.advise(self.address, size, hostmem.MADV_DONTDUMP)         # a core dump looks at every page

    def __del__(self) -> None:
        if address := getattr(self, "address", 0):
            release(address, self.size)


def protect_code(address: int, size: int) -> None:
    """Make pages executable and no longer writable; flush the instruction cache."""
    if _libc.mprotect(address, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        msg = "the host refuses executable memory; check its security policy (SELinux execmem, PaX)"
        raise XemuError(msg)
    if ARM:
        clear = getattr(_libc, "__clear_cache", None) or getattr(ctypes.CDLL("libgcc_s.so.1"), "__clear_cache")
        clear(ctypes.c_void_p(address), ctypes.c_void_p(address + size))


def release(address: int, size: int) -> None:
    """Give memory back."""
    _libc.munmap(address, size)


def relocate(kind: int, place: int, target: int) -> tuple[int, int] | None:
    """Return (new 32-bit value, mask of the bits it replaces) for an ELF relocation at `place` to `target` (S + A)."""
    if X86:
        if kind in (2, 4):                                    # R_X86_64_PC32, R_X86_64_PLT32
            return (target - place) & 0xFFFFFFFF, 0xFFFFFFFF
        return None
    pages = (target >> 12) - (place >> 12)
    if kind == 275:                                           # R_AARCH64_ADR_PREL_PG_HI21
        return (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5, 3 << 29 | 0x7FFFF << 5
    if kind in (277, 278, 284, 285, 286, 299):                # …_LO12_NC of add and loads of 1 to 16 bytes
        scale = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}[kind]
        return (target & 0xFFF) >> scale << 10, 0xFFF << 10
    if kind in (282, 283):                                    # R_AARCH64_JUMP26, CALL26
        return (target - place) >> 2 & 0x3FFFFFF, 0x3FFFFFF
    return None


def triple() -> str:
    """Return the target triple of objects: ELF on every host."""
    return "x86_64-unknown-linux-gnu" if X86 else "aarch64-unknown-linux-gnu"
