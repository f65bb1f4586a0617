"""What depends on the host processor: floating-point status, code memory, relocations. Nothing else in core/ does."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import TYPE_CHECKING

from xemu.core.state import ENGINE_CELLS
from xemu.errors import XemuError

if TYPE_CHECKING:
    from xemu.core.runtime import Native

MACHINE = os.uname().machine
X86 = MACHINE in ("x86_64", "AMD64")
ARM = MACHINE in ("aarch64", "arm64")
if not (X86 or ARM):
    _message = f"xemu needs an x86-64 or AArch64 host; this one is {MACHINE}"
    raise XemuError(_message)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
NORESERVE = 0x4000

# -- floating point: MXCSR on x86 (exceptions IE 0, DE 1, ZE 2, OE 3, UE 4, PE 5), FPSR on Arm (IOC 0 … IXC 4) --------

FLOAT_DECLARATIONS = (["declare void @llvm.x86.sse.stmxcsr(ptr)", "declare void @llvm.x86.sse.ldmxcsr(ptr)"] if X86 else
                      ["declare i64 @llvm.aarch64.get.fpsr()", "declare void @llvm.aarch64.set.fpsr(i64)"])
_CLEAR = 0x1F80          # all exceptions masked, nothing raised, round to nearest
X86_ROUNDING = (0, 2, 1, 3)         # MXCSR.RC for nearest, +inf, -inf, zero
ARM_ROUNDING = (0, 1, 2, 3)         # FPCR.RMode


def _mxcsr(f: Native) -> tuple[str, str]:
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


def take_flags(f: Native) -> str:
    """Return the host's sticky exceptions as i8 in IEEE order (invalid, divide, overflow, underflow, inexact); clear them."""
    if X86:
        at, word = _mxcsr(f)
        f.put(f"store i32 {f.let(f'and i32 {word}, -64')}, ptr {at}")
        f.put(f"call void @llvm.x86.sse.ldmxcsr(ptr {at})")
        low, rest = f.let(f"and i32 {word}, 1"), f.let(f"and i32 {f.let(f'lshr i32 {word}, 1')}, 30")
        return f.let(f"trunc i32 {f.let(f'or i32 {low}, {rest}')} to i8")
    word = f.let("call i64 @llvm.aarch64.get.fpsr()")
    f.put("call void @llvm.aarch64.set.fpsr(i64 0)")
    return f.let(f"trunc i64 {f.let(f'and i64 {word}, 31')} to i8")


leave_float = take_flags


# -- code memory ----------------------------------------------------------------------------------------------------


def reserve(size: int, *, align: int = 4096) -> int:
    """Return the address of zeroed, readable and writable memory that takes space only where it is touched."""
    at = _libc.mmap(None, size + align, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE, -1, 0)
    if at in (None, ctypes.c_void_p(-1).value):
        msg = f"the host refuses {size >> 20} MB of address space; raise `ulimit -v`"
        raise XemuError(msg)
    return (int(at) + align - 1) // align * align


def protect_code(address: int, size: int) -> None:
    """Make pages executable and no longer writable; flush the instruction cache."""
    if _libc.mprotect(address, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        msg = "the host refuses executable memory; check its security policy (SELinux execmem, PaX)"
        raise XemuError(msg)
    if ARM:
        clear = getattr(_libc, "__clear_cache", None) or ctypes.CDLL("libgcc_s.so.1").__clear_cache
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
