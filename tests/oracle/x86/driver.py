"""The native half of x86's oracle: one signal handler that ends a case and begins the next.

Every case runs from a signal frame and ends in one: the handler is entered by whatever the instruction raised (or by the
INT3 behind it, or by TF), stores registers, FPU state and what changed in the window, then puts the registers of the next
case into the frame and returns. So faults and normal ends look the same, and so do both modes: a frame with the code
segment 23h continues in 32-bit code.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import llvmlite.binding as llvm

from xemu.core.llvm import compile_text, machine
from xemu.core.objects import CodeMemory

SHARED: Final = 0x6123_4000_0000   # above every guest address, far from where Linux puts things
CODE, CODE_SIZE = 0x3000_0000, 0x4_0000           # a place for each case of a batch, nothing behind
CASE_BYTES: Final = 64
ALIAS: Final = SHARED - 0x10_0000                 # the code pages again, writable
WINDOW, WINDOW_SIZE = 0x1000_0000, 0x5000         # a read-only page, three that can be written, a read-only page, nothing
WRITABLE, WRITABLE_SIZE = WINDOW + 0x1000, 0x3000
BEFORE: Final = SHARED + 0x1000                   # what the writable pages hold before the case
IMAGE: Final = BEFORE + WRITABLE_SIZE             # what the window holds between cases
BACKGROUND: Final = IMAGE + WRITABLE - WINDOW
HEAD_SIZE: Final = 0x1000 + WRITABLE_SIZE + WINDOW_SIZE
GUEST_END: Final = 1 << 46
RECORD: Final = 1024                              # bytes of a state; each case has one in and one out
# the control page: record that runs, end of records, record that ran at the last tick, next log entry, end of the log, first record
CURRENT, END, TICKED, LOG, LOG_END, FIRST = 0, 8, 16, 24, 32, 40
#: a record (in and out): what struct sigcontext begins with, then what it lacks; CODE_LENGTH … are of the record in only
GREGS, SELECTORS, ERROR, TRAP, CR2 = 0, 144, 152, 160, 176
FS_BASE, GS_BASE, SEGMENTS = 184, 192, 200
SIGNAL, ADDRESS, LOG_FROM, LOG_TO = 208, 216, 224, 232
CODE_LENGTH, CODE_AT, PATCHES, PATCH_COUNT, CODE_BYTES = 208, 216, 224, 232, 240
FXSAVE, FXSAVE_SIZE, UPPER, UPPER_SIZE = 256, 416, 672, 256
SIGVTALRM: Final = 26
FULL: Final = 3                                   # exit status: no room in the log for one more case

_TEXT = f"""
.intel_syntax noprefix
.globl enter
enter:                                            # nothing else may lie where a guest's addresses do
    xor edi, edi
    mov esi, {WINDOW}
    mov eax, 11                                   # munmap
    syscall
    mov edi, {WINDOW + WINDOW_SIZE}
    mov esi, {CODE - WINDOW - WINDOW_SIZE}
    mov eax, 11
    syscall
    mov edi, {CODE + CODE_SIZE}
    movabs rsi, {GUEST_END - CODE - CODE_SIZE}
    mov eax, 11
    syscall
    int3
.globl set_thread_area
set_thread_area:                                  # only 32-bit Linux has it: rdi is below 4 GB
    push rbx
    mov ebx, edi
    mov eax, 243
    int 0x80
    pop rbx
    ret
.globl restorer
restorer:
    mov eax, 15                                   # rt_sigreturn
    syscall
.globl handler
handler:                                          # edi: signal, rsi: siginfo, rdx: ucontext; every register is free here
    push 2
    popfq                                         # AC and ID are the case's
    movabs r15, {SHARED}
    mov r13, rdx
    mov r12, rsi
    movabs rbp, {BEFORE}
    movabs r10, {BACKGROUND}
    mov r9d, {WRITABLE}
    mov r14, [r15 + {CURRENT}]
    cmp edi, {SIGVTALRM}
    jne .Lcase
    cmp r14, [r15 + {TICKED}]
    mov [r15 + {TICKED}], r14
    je .Lcase
    ret                                           # the first tick that meets this case: it may go on
.Lcase:
    test r14, r14
    jnz .Lstore
    mov r14, [r15 + {FIRST}]                   # the start: only load
    jmp .Lload

.Lstore:
    lea rbx, [r14 + {RECORD}]                     # what the case made
    lea rsi, [r13 + 40]
    mov rdi, rbx
    mov ecx, {FS_BASE // 8}
    rep movsq
    rdfsbase rax
    mov [rbx + {FS_BASE}], rax
    rdgsbase rax
    mov [rbx + {GS_BASE}], rax
    mov word ptr [rbx + {SEGMENTS}], ds
    mov word ptr [rbx + {SEGMENTS + 2}], es
    mov word ptr [rbx + {SEGMENTS + 4}], fs
    mov word ptr [rbx + {SEGMENTS + 6}], gs
    mov eax, [r12]
    mov [rbx + {SIGNAL}], eax
    mov eax, [r12 + 8]
    mov [rbx + {SIGNAL + 4}], eax
    mov rax, [r12 + 16]
    mov [rbx + {ADDRESS}], rax
    mov rsi, [r13 + 224]
    lea rdi, [rbx + {FXSAVE}]
    mov ecx, {FXSAVE_SIZE // 8}
    rep movsq
    mov rsi, [r13 + 224]
    add rsi, 576
    mov ecx, {UPPER_SIZE // 8}
    rep movsq
    mov rdi, [r14 + {CODE_AT}]
    movabs rax, {ALIAS - CODE}
    add rdi, rax
    mov ecx, [r14 + {CODE_LENGTH}]
    mov al, 0xcc
    rep stosb

    mov r11, [r15 + {LOG}]                        # what it changed in the window
    mov [rbx + {LOG_FROM}], r11
    xor ecx, ecx
.Lcompare:
    vmovdqu ymm0, [r9 + rcx]
    vpcmpeqb ymm0, ymm0, [rbp + rcx]
    vpmovmskb eax, ymm0
    cmp eax, -1
    jne .Lchanged
.Lsame:
    add ecx, 32
    cmp ecx, {WRITABLE_SIZE}
    jb .Lcompare
    mov [r15 + {LOG}], r11
    mov [rbx + {LOG_TO}], r11
    mov rsi, [r14 + {PATCHES}]
    mov ecx, [r14 + {PATCH_COUNT}]
    jmp .Lunpatched
.Lunpatch:
    mov rdx, [rsi]
    mov rax, [r10 + rdx]
    mov [r9 + rdx], rax
    mov [rbp + rdx], rax
    add rsi, 16
.Lunpatched:
    sub ecx, 1
    jns .Lunpatch
    add r14, {2 * RECORD}

    mov [r15 + {CURRENT}], r14                    # the next case
    xor edi, edi
    cmp r14, [r15 + {END}]
    je .Lexit
    add r11, {WRITABLE_SIZE * 2}
    mov edi, {FULL}
    cmp r11, [r15 + {LOG_END}]
    ja .Lexit
.Lload:
    mov [r15 + {CURRENT}], r14
    mov rsi, [r14 + {PATCHES}]
    mov ecx, [r14 + {PATCH_COUNT}]
    jmp .Lpatched
.Lpatch:
    mov rdx, [rsi]
    mov rax, [rsi + 8]
    mov [r9 + rdx], rax
    mov [rbp + rdx], rax
    add rsi, 16
.Lpatched:
    sub ecx, 1
    jns .Lpatch
    mov rdi, [r14 + {CODE_AT}]
    movabs rax, {ALIAS - CODE}
    add rdi, rax
    lea rsi, [r14 + {CODE_BYTES}]
    mov ecx, [r14 + {CODE_LENGTH}]
    rep movsb
    mov rsi, r14
    lea rdi, [r13 + 40]
    mov ecx, {ERROR // 8}
    rep movsq
    mov rdi, [r13 + 224]
    lea rsi, [r14 + {FXSAVE}]
    mov ecx, {FXSAVE_SIZE // 8}
    rep movsq
    mov rdi, [r13 + 224]
    mov qword ptr [rdi + 512], 7                  # XSTATE_BV: x87, SSE, AVX; the rest is as after reset
    add rdi, 576
    mov ecx, {UPPER_SIZE // 8}
    rep movsq
    mov ds, word ptr [r14 + {SEGMENTS}]
    mov es, word ptr [r14 + {SEGMENTS + 2}]
    mov fs, word ptr [r14 + {SEGMENTS + 4}]
    mov gs, word ptr [r14 + {SEGMENTS + 6}]
    cmp word ptr [r14 + {SELECTORS}], 0x33
    jne .Lflags
    mov rax, [r14 + {FS_BASE}]
    wrfsbase rax
    mov rax, [r14 + {GS_BASE}]
    wrgsbase rax
.Lflags:
    mov eax, [r14 + {GREGS + 17 * 8}]             # sigreturn leaves ID alone
    and eax, 0x200000
    push rax
    popfq
    ret
.Lexit:
    mov eax, 231                                  # exit_group
    syscall

.Lchanged:
    mov r8d, 4
    mov rdx, rcx
.Lword:
    mov rax, [r9 + rdx]
    cmp rax, [rbp + rdx]
    je .Lequal
    mov [r11], rdx
    mov [r11 + 8], rax
    add r11, 16
    mov rax, [r10 + rdx]
    mov [r9 + rdx], rax
.Lequal:
    add rdx, 8
    sub r8d, 1
    jnz .Lword
    jmp .Lsame
"""


@cache
def load() -> dict[str, int]:
    """Return the addresses of the functions in this process."""
    lines = [line.split("#")[0].rstrip() for line in _TEXT.splitlines()]
    machine(2)
    llvm.initialize_native_asmparser()
    text = "\n".join(f'module asm "{line}"' for line in lines if line)
    return CodeMemory().load(compile_text(text))
