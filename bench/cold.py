"""A program of 300,000 distinct instructions that each run once, for ARM (A32 and T32) and x86-64.

Every operation is written in both assemblers from one random choice, so that all builds print the same sum.
"""

from __future__ import annotations

import random
from typing import Final

FUNCTIONS: Final = 1000
LENGTH: Final = 328  # lines in a function; about 300 of them are instructions
X86: Final = ("%eax", "%ebx", "%ecx", "%edx", "%esi", "%edi")  # r0-r5; %r8 is the memory (r8), %r9d a spare register
X86_OPERATION: Final = {"add": "addl", "sub": "subl", "eor": "xorl", "orr": "orl", "and": "andl"}


def _with_constant(rng: random.Random) -> tuple[list[str], list[str]]:
    name, d, n = rng.choice(list(X86_OPERATION)), rng.randrange(6), rng.randrange(6)
    value = rng.randrange(1, 256) << rng.randrange(0, 23, 2)
    return [f"{name} r{d}, r{n}, #{value}"], [
        f"movl {X86[n]}, %r9d", f"{X86_OPERATION[name]} ${value}, %r9d", f"movl %r9d, {X86[d]}",
    ]  # fmt: skip


def _with_shift(rng: random.Random) -> tuple[list[str], list[str]]:
    name, d, n, m = rng.choice(["add", "sub", "eor", "orr"]), rng.randrange(6), rng.randrange(6), rng.randrange(6)
    shift, by = rng.choice([("lsl", "shll"), ("lsr", "shrl"), ("ror", "rorl"), ("asr", "sarl")]), rng.randrange(1, 31)
    return [f"{name} r{d}, r{n}, r{m}, {shift[0]} #{by}"], [
        f"movl {X86[m]}, %r9d", f"{shift[1]} ${by}, %r9d", f"movl {X86[n]}, %r10d",
        f"{X86_OPERATION[name]} %r9d, %r10d", f"movl %r10d, {X86[d]}",
    ]  # fmt: skip


def _multiply(rng: random.Random) -> tuple[list[str], list[str]]:
    d, n, m = (rng.randrange(6) for _ in range(3))
    return [f"mul r{d}, r{n}, r{m}"], [f"movl {X86[n]}, %r9d", f"imull {X86[m]}, %r9d", f"movl %r9d, {X86[d]}"]


def _move(rng: random.Random) -> tuple[list[str], list[str]]:
    d, value = rng.randrange(6), rng.getrandbits(16)
    return [f"movw r{d}, #{value}"], [f"movl ${value}, {X86[d]}"]


def _load(rng: random.Random) -> tuple[list[str], list[str]]:
    d, at = rng.randrange(6), 4 * rng.randrange(256)
    return [f"ldr r{d}, [r8, #{at}]"], [f"movl {at}(%r8), {X86[d]}"]


def _store(rng: random.Random) -> tuple[list[str], list[str]]:
    d, at = rng.randrange(6), 4 * rng.randrange(256)
    return [f"str r{d}, [r8, #{at}]"], [f"movl {X86[d]}, {at}(%r8)"]


def _skip(rng: random.Random) -> tuple[list[str], list[str]]:
    n, value, (arm, x86) = rng.randrange(6), rng.randrange(256), _with_constant(rng)
    return [f"cmp r{n}, #{value}", "bhi 1f", *arm, "1:"], [f"cmpl ${value}, {X86[n]}", "ja 1f", *x86, "1:"]


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
X86_FRAME: Final = """
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
    """Return the assembly for "arm" (also T32) and "x86"."""
    rng = random.Random(1)
    arm, x86 = [], []
    for number in range(FUNCTIONS):
        arm_lines, x86_lines = [], []
        while len(arm_lines) < LENGTH:
            one, other = rng.choice(OPERATIONS)(rng)
            arm_lines += one
            x86_lines += other
        arm.append("\n".join([f".type f{number}, %function", f"f{number}:", *arm_lines, "bx lr"]))
        x86.append("\n".join([f"f{number}:", *x86_lines, "ret"]))
    names = range(FUNCTIONS)
    return {
        "arm": ARM_FRAME.format(calls="\n".join(f"bl f{n}" for n in names), functions="\n".join(arm)),
        "x86": X86_FRAME.format(calls="\n".join(f"call f{n}" for n in names), functions="\n".join(x86)),
    }
