"""A program of 300,000 distinct instructions that each run once, for ARM (A32 and T32), x86-64, i386 and PowerPC (both widths).

Every operation is written in all assemblers from one random choice, so that all builds print the same sum.
"""

from __future__ import annotations

import random
from typing import Final, NamedTuple

FUNCTIONS: Final = 1000
LENGTH: Final = 328  # lines in a function; about 300 of them are instructions
X86: Final = ("%eax", "%ebx", "%ecx", "%edx", "%esi", "%edi")  # r0-r5; r8, the memory: %r8 or %ebp; spare: %r9d, %r10d or the stack
PPC: Final = (3, 4, 5, 6, 7, 8)  # r0-r5; the memory: 9; spare: 10 and 11
PPC_OPERATION: Final = {"add": "add", "sub": "sub", "eor": "xor", "orr": "or", "and": "and"}
X86_OPERATION: Final = {"add": "addl", "sub": "subl", "eor": "xorl", "orr": "orl", "and": "andl"}


class Lines(NamedTuple):
    """One operation in each assembly."""

    arm: list[str]
    x86_64: list[str]
    i386: list[str]
    ppc: list[str]


def _with_constant(rng: random.Random) -> Lines:
    name, d, n = rng.choice(list(X86_OPERATION)), rng.randrange(6), rng.randrange(6)
    value = rng.randrange(1, 256) << rng.randrange(0, 23, 2)
    operation = f"{X86_OPERATION[name]} ${value}"
    return Lines([f"{name} r{d}, r{n}, #{value}"],
                 [f"movl {X86[n]}, %r9d", f"{operation}, %r9d", f"movl %r9d, {X86[d]}"],
                 [*_copy(n, d), f"{operation}, {X86[d]}"],
                 [f"lis 10, {value >> 16}", f"ori 10, 10, {value & 0xFFFF}", f"{PPC_OPERATION[name]} {PPC[d]}, {PPC[n]}, 10"])


def _with_shift(rng: random.Random) -> Lines:
    name, d, n, m = rng.choice(["add", "sub", "eor", "orr"]), rng.randrange(6), rng.randrange(6), rng.randrange(6)
    shift = rng.choice([("lsl", "shll", "slwi"), ("lsr", "shrl", "srwi"), ("ror", "rorl", "rotrwi"), ("asr", "sarl", "srawi")])
    by = rng.randrange(1, 31)
    return Lines([f"{name} r{d}, r{n}, r{m}, {shift[0]} #{by}"],
                 [f"movl {X86[m]}, %r9d", f"{shift[1]} ${by}, %r9d", f"movl {X86[n]}, %r10d",
                  f"{X86_OPERATION[name]} %r9d, %r10d", f"movl %r10d, {X86[d]}"],
                 [f"pushl {X86[m]}", f"{shift[1]} ${by}, (%esp)", *_copy(n, d),
                  f"{X86_OPERATION[name]} (%esp), {X86[d]}", "addl $4, %esp"],
                 [f"{shift[2]} 10, {PPC[m]}, {by}", f"{PPC_OPERATION[name]} {PPC[d]}, {PPC[n]}, 10"])


def _multiply(rng: random.Random) -> Lines:
    d, n, m = (rng.randrange(6) for _ in range(3))
    first, second = (n, m) if d != m else (m, n)
    return Lines([f"mul r{d}, r{n}, r{m}"],
                 [f"movl {X86[n]}, %r9d", f"imull {X86[m]}, %r9d", f"movl %r9d, {X86[d]}"],
                 [*_copy(first, d), f"imull {X86[second]}, {X86[d]}"],
                 [f"mullw {PPC[d]}, {PPC[n]}, {PPC[m]}"])


def _copy(source: int, to: int) -> list[str]:
    return [f"movl {X86[source]}, {X86[to]}"] if source != to else []


def _move(rng: random.Random) -> Lines:
    d, value = rng.randrange(6), rng.getrandbits(16)
    return Lines([f"movw r{d}, #{value}"], *[[f"movl ${value}, {X86[d]}"]] * 2, [f"li {PPC[d]}, 0", f"ori {PPC[d]}, {PPC[d]}, {value}"])


def _load(rng: random.Random) -> Lines:
    d, at = rng.randrange(6), 4 * rng.randrange(256)
    return Lines([f"ldr r{d}, [r8, #{at}]"], [f"movl {at}(%r8), {X86[d]}"], [f"movl {at}(%ebp), {X86[d]}"], [f"lwz {PPC[d]}, {at}(9)"])


def _store(rng: random.Random) -> Lines:
    d, at = rng.randrange(6), 4 * rng.randrange(256)
    return Lines([f"str r{d}, [r8, #{at}]"], [f"movl {X86[d]}, {at}(%r8)"], [f"movl {X86[d]}, {at}(%ebp)"], [f"stw {PPC[d]}, {at}(9)"])


def _skip(rng: random.Random) -> Lines:
    n, value, (arm, x86_64, i386, ppc) = rng.randrange(6), rng.randrange(256), _with_constant(rng)
    start = [f"cmpl ${value}, {X86[n]}", "ja 1f"]
    return Lines([f"cmp r{n}, #{value}", "bhi 1f", *arm, "1:"], [*start, *x86_64, "1:"], [*start, *i386, "1:"],
                 [f"cmplwi {PPC[n]}, {value}", "bgt 1f", *ppc, "1:"])


OPERATIONS: Final = [_with_constant] * 5 + [_with_shift] * 4 + [_multiply, _move, _load, _load, _load, _store, _skip, _skip]

ARM_FRAME: Final = """
        .syntax unified
        .text
        .global cold
        .type   cold, %function
cold:   push    {{r4-r8, lr}}
        mov     r8, r1
        mov     r1, #1
        mov     r2, #2
        mov     r3, #3
        mov     r4, #4
        mov     r5, #5
{calls}
        eor     r0, r0, r1
        add     r0, r0, r2
        eor     r0, r0, r3
        add     r0, r0, r4
        eor     r0, r0, r5
        pop     {{r4-r8, pc}}
{functions}
        .section .note.GNU-stack, "", %progbits
"""
X86_64_FRAME: Final = """
        .text
        .global cold
cold:   push    %rbx
        mov     %rsi, %r8
        mov     %edi, %eax
        mov     $1, %ebx
        mov     $2, %ecx
        mov     $3, %edx
        mov     $4, %esi
        mov     $5, %edi
{calls}
        xor     %ebx, %eax
        add     %ecx, %eax
        xor     %edx, %eax
        add     %esi, %eax
        xor     %edi, %eax
        pop     %rbx
        ret
{functions}
        .section .note.GNU-stack, "", @progbits
"""
I386_FRAME: Final = """
        .text
        .global cold
cold:   push    %ebx
        push    %esi
        push    %edi
        push    %ebp
        mov     20(%esp), %eax
        mov     24(%esp), %ebp
        mov     $1, %ebx
        mov     $2, %ecx
        mov     $3, %edx
        mov     $4, %esi
        mov     $5, %edi
{calls}
        xor     %ebx, %eax
        add     %ecx, %eax
        xor     %edx, %eax
        add     %esi, %eax
        xor     %edi, %eax
        pop     %ebp
        pop     %edi
        pop     %esi
        pop     %ebx
        ret
{functions}
        .section .note.GNU-stack, "", @progbits
"""
PPC_FRAME: Final = """
        .text
        .global cold
        .type   cold, @function
cold:   mflr    0
        {save}
        mr      9, 4
        li      4, 1
        li      5, 2
        li      6, 3
        li      7, 4
        li      8, 5
{{calls}}
        xor     3, 3, 4
        add     3, 3, 5
        xor     3, 3, 6
        add     3, 3, 7
        xor     3, 3, 8
        {restore}
        mtlr    0
        blr
{{functions}}
        .section .note.GNU-stack, "", @progbits
"""
PPC_FRAMES: Final = {
    "ppc64le": PPC_FRAME.format(save="std 0, 16(1); stdu 1, -32(1)", restore="addi 1, 1, 32; ld 0, 16(1)"),
    "ppc": PPC_FRAME.format(save="stw 0, 4(1); stwu 1, -16(1)", restore="addi 1, 1, 16; lwz 0, 4(1)"),
}
MAIN: Final = """
#include "start.h"
u32 cold(u32 seed, u32 *memory);
static u32 memory[256];
int main(void)
{
    for (int i = 0; i < 256; i++)
        memory[i] = random_word();
    put_hex(cold(12345, memory), 8);
    put_char('\\n');
    return 0;
}
"""


def sources() -> dict[str, str]:
    """Return the assembly for "arm" (also T32), "x86_64", "i386", "ppc64le" and "ppc"."""
    rng = random.Random(1)
    functions = []
    for _ in range(FUNCTIONS):
        lines = Lines([], [], [], [])
        while len(lines.arm) < LENGTH:
            for program, more in zip(lines, rng.choice(OPERATIONS)(rng), strict=True):
                program.extend(more)
        functions.append(lines)

    def text(frame: str, call: str, bodies: list[list[str]], before: str, back: str) -> str:
        texts = ["\n".join([before.format(n=n), f"f{n}:", *body, back]) for n, body in enumerate(bodies)]
        return frame.format(calls="\n".join(f"{call} f{n}" for n in range(FUNCTIONS)), functions="\n".join(texts))

    return {
        "arm": text(ARM_FRAME, "bl", [f.arm for f in functions], ".type f{n}, %function", "bx lr"),
        "x86_64": text(X86_64_FRAME, "call", [f.x86_64 for f in functions], "", "ret"),
        "i386": text(I386_FRAME, "call", [f.i386 for f in functions], "", "ret"),
        **{arch: text(frame, "bl", [f.ppc for f in functions], "", "blr") for arch, frame in PPC_FRAMES.items()},
    }
