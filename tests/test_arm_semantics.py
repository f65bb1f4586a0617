"""What single integer instructions of ARM do: state before -> everything that changed.

The rows were recorded from qemu-arm and read against the manual; they show the corners: carries, saturation, shifts by 32 and
more, writeback, byte order. Registers not named are 0; anything that changes and is not listed is a failure.
"""

# ruff: noqa: E501  a row is a line

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.oracle.machine import SLOTS, State
from tests.support.evaluator import Machine, Memory

FLAGS: Final = {"N": 31, "Z": 30, "C": 29, "V": 28, "Q": 27, "GE": 16}
NUMBERS: Final = {**{f"r{i}": i for i in range(13)}, "sp": 13, "lr": 14}
WINDOW: Final = 0x5000_0000  # an address in brackets counts from here
ROW: Final = re.compile(r"\s*([0-9a-f]{4,8}(?: [0-9a-f]{4,8})*)  +(\S.*?)  +(.*?) ?->(.*)$")

DATA_PROCESSING: Final = """
    e0910002  adds r0, r1, r2           r1=7fffffff r2=1 -> r0=80000000 N=1 V=1
    e0910002  adds r0, r1, r2           r1=ffffffff r2=1 -> Z=1 C=1
    e0b10002  adcs r0, r1, r2           r1=ffffffff r2=0 C=1 -> Z=1
    e0b10002  adcs r0, r1, r2           r1=7fffffff r2=0 C=1 -> r0=80000000 N=1 C=0 V=1
    e0a10002  adc r0, r1, r2            r1=5 r2=6 C=1 -> r0=c
    e0510002  subs r0, r1, r2           r1=80000000 r2=1 -> r0=7fffffff C=1 V=1
    e0510002  subs r0, r1, r2           r1=1 r2=1 V=1 -> Z=1 C=1 V=0
    e2510001  subs r0, r1, #1           r1=0 C=1 -> r0=ffffffff N=1 C=0
    e0d10002  sbcs r0, r1, r2           r1=5 r2=5 -> r0=ffffffff N=1
    e0d10002  sbcs r0, r1, r2           r1=80000000 r2=0 C=1 Z=1 -> r0=80000000 N=1 Z=0
    e2710000  rsbs r0, r1, #0           r1=80000000 -> r0=80000000 N=1 V=1
    e2f10000  rscs r0, r1, #0           r1=0 C=1 -> Z=1
    e1510002  cmp r1, r2                r1=1 r2=80000000 -> N=1 V=1
    e1710002  cmn r1, r2                r1=80000000 r2=80000000 -> Z=1 C=1 V=1
    e31104ff  tst r1, #0xff000000       r1=ff000000 -> N=1 C=1
    e31100ff  tst r1, #0xff             r1=ff00 C=1 V=1 -> Z=1
    e1310f82  teq r1, r2, lsl #31       r1=80000000 r2=1 C=1 -> Z=1 C=0
    e0110082  ands r0, r1, r2, lsl #1   r1=ffffffff r2=80000001 -> r0=2 C=1
    e0310022  eors r0, r1, r2, lsr #32  r1=f r2=80000000 -> r0=f C=1
    e1910042  orrs r0, r1, r2, asr #32  r1=0 r2=80000000 -> r0=ffffffff N=1 C=1
    e1d10262  bics r0, r1, r2, ror #4   r1=ffffffff r2=8 -> r0=7fffffff C=1
    e1b00061  movs r0, r1, rrx          r1=3 -> r0=1 C=1
    e1b00061  movs r0, r1, rrx          r1=2 C=1 -> r0=80000001 N=1 C=0
    e3f00000  mvns r0, #0               C=1 V=1 -> r0=ffffffff N=1
    e3b00102  movs r0, #0x80000000      V=1 -> r0=80000000 N=1 C=1
    e3b00000  movs r0, #0               C=1 -> Z=1
    e1b00211  movs r0, r1, lsl r2       r1=3 r2=1f -> r0=80000000 N=1 C=1
    e1b00211  movs r0, r1, lsl r2       r1=3 r2=20 -> Z=1 C=1
    e1b00211  movs r0, r1, lsl r2       r1=3 r2=21 -> Z=1
    e1b00231  movs r0, r1, lsr r2       r1=80000000 r2=20 -> Z=1 C=1
    e1b00231  movs r0, r1, lsr r2       r1=80000000 r2=100 C=1 -> r0=80000000 N=1
    e1b00251  movs r0, r1, asr r2       r1=80000000 r2=ff -> r0=ffffffff N=1 C=1
    e1b00271  movs r0, r1, ror r2       r1=80000001 r2=20 -> r0=80000001 N=1 C=1
    e1b00271  movs r0, r1, ror r2       r1=80000001 r2=0 C=1 -> r0=80000001 N=1
    e30a0bcd  movw r0, #0xabcd          r0=ffffffff -> r0=abcd
    e3410234  movt r0, #0x1234          r0=abcd -> r0=1234abcd
    02800001  addeq r0, r0, #1          r0=1 ->
    12800001  addne r0, r0, #1          r0=1 -> r0=2
"""
MULTIPLY: Final = """
    e0000291  mul r0, r1, r2          r1=ffffffff r2=ffffffff -> r0=1
    e0100291  muls r0, r1, r2         r1=10000 r2=10000 C=1 -> Z=1
    e0303291  mlas r0, r1, r2, r3     r1=ffffffff r2=2 r3=1 C=1 V=1 -> r0=ffffffff N=1
    e0603291  mls r0, r1, r2, r3      r1=3 r2=5 r3=1 -> r0=fffffff2
    e0810392  umull r0, r1, r2, r3    r2=ffffffff r3=ffffffff -> r0=1 r1=fffffffe
    e0d10392  smulls r0, r1, r2, r3   r2=ffffffff r3=1 -> r0=ffffffff r1=ffffffff N=1
    e0b10392  umlals r0, r1, r2, r3   r0=ffffffff r1=ffffffff r2=1 r3=1 -> r0=0 r1=0 Z=1
    e0e10392  smlal r0, r1, r2, r3    r0=0 r1=1 r2=ffffffff r3=1 -> r0=ffffffff r1=0
    e0410392  umaal r0, r1, r2, r3    r0=ffffffff r1=ffffffff r2=ffffffff r3=ffffffff ->
    e1003281  smlabb r0, r1, r2, r3   r1=7fff r2=7fff r3=7fffffff -> r0=bfff0000 Q=1
    e10032e1  smlatt r0, r1, r2, r3   r1=80000000 r2=80000000 r3=0 -> r0=40000000
    e16002a1  smultb r0, r1, r2       r1=ffff0001 r2=20003 -> r0=fffffffd
    e12002a1  smulwb r0, r1, r2       r1=80000000 r2=8000 -> r0=40000000
    e12032c1  smlawt r0, r1, r2, r3   r1=7fffffff r2=7fff0000 r3=7fffffff -> r0=bfff7ffe Q=1
    e14103a2  smlaltb r0, r1, r2, r3  r0=0 r1=0 r2=ffff0000 r3=1 -> r0=ffffffff r1=ffffffff
    e700f211  smuad r0, r1, r2        r1=80008000 r2=80008000 -> r0=80000000 Q=1
    e700f271  smusdx r0, r1, r2       r1=20003 r2=50007 -> r0=1
    e7003231  smladx r0, r1, r2, r3   r1=20003 r2=50007 r3=7fffffff -> r0=8000001c Q=1
    e7410312  smlald r0, r1, r2, r3   r0=ffffffff r1=0 r2=10001 r3=10001 -> r0=1 r1=1
    e7410372  smlsldx r0, r1, r2, r3  r0=0 r1=0 r2=20003 r3=50007 -> r0=1
    e750f211  smmul r0, r1, r2        r1=80000000 r2=ffffffff ->
    e7503231  smmlar r0, r1, r2, r3   r1=40000000 r2=2 r3=1 -> r0=2
    e75032d1  smmls r0, r1, r2, r3    r1=1 r2=1 r3=1 ->
    e710f211  sdiv r0, r1, r2         r1=80000000 r2=ffffffff -> r0=80000000
    e710f211  sdiv r0, r1, r2         r1=fffffff9 r2=2 -> r0=fffffffd
    e730f211  udiv r0, r1, r2         r1=7 r2=0 ->
"""
MEDIA: Final = """
    e1020051  qadd r0, r1, r2            r1=7fffffff r2=1 -> r0=7fffffff Q=1
    e1220051  qsub r0, r1, r2            r1=80000000 r2=1 -> r0=80000000 Q=1
    e1420051  qdadd r0, r1, r2           r1=ffffffff r2=40000000 -> r0=7ffffffe Q=1
    e1620051  qdsub r0, r1, r2           r1=0 r2=c0000000 -> r0=7fffffff Q=1
    e6a70211  ssat r0, #8, r1, lsl #4    r1=8 -> r0=7f Q=1
    e6a00011  ssat r0, #1, r1            r1=1 -> Q=1
    e6e00011  usat r0, #0, r1            r1=1 -> Q=1
    e6ff0051  usat r0, #31, r1, asr #32  r1=80000000 -> Q=1
    e6a30f31  ssat16 r0, #4, r1          r1=7fff8000 -> r0=7fff8 Q=1
    e6e40f31  usat16 r0, #4, r1          r1=7fff0003 -> r0=f0003 Q=1
    e6110f12  sadd16 r0, r1, r2          r1=7fff8000 r2=1ffff -> r0=80007fff GE=c
    e6510f12  uadd16 r0, r1, r2          r1=fffffffe r2=10001 -> r0=ffff GE=c
    e6110f32  sasx r0, r1, r2            r1=10001 r2=20003 -> r0=4ffff GE=c
    e6510f52  usax r0, r1, r2            r1=1ffff r2=10002 -> r0=ffff0000 GE=3
    e6110ff2  ssub8 r0, r1, r2           r1=7f800001 r2=80010101 -> r0=ff7fff00 GE=9
    e6510ff2  usub8 r0, r1, r2           r1=2010003 r2=1020003 -> r0=1ff0000 GE=b
    e6510f92  uadd8 r0, r1, r2           r1=ff01ff01 r2=1010101 -> r0=20002 GE=a
    e6210f92  qadd8 r0, r1, r2           r1=7f80017f r2=1ff0101 -> r0=7f80027f
    e6610ff2  uqsub8 r0, r1, r2          r1=1020304 r2=2010403 -> r0=10001
    e6310f12  shadd16 r0, r1, r2         r1=7fff8000 r2=7fff8000 -> r0=7fff8000
    e6710ff2  uhsub8 r0, r1, r2          r1=1ff00 r2=2010001 -> r0=ff007fff
    e6610f32  uqasx r0, r1, r2           r1=ffff0000 r2=10001 -> r0=ffff0000
    e6810fb2  sel r0, r1, r2             r1=11223344 r2=55667788 GE=5 -> r0=55227744
    e780f211  usad8 r0, r1, r2           r1=ff00ff00 r2=ff00ff -> r0=3fc
    e7803211  usada8 r0, r1, r2, r3      r1=1020304 r2=4030201 r3=ffffffff -> r0=7
    e6810812  pkhbt r0, r1, r2, lsl #16  r1=11112222 r2=33334444 -> r0=44442222
    e6810052  pkhtb r0, r1, r2, asr #32  r1=11112222 r2=80004444 -> r0=1111ffff
    e6a10472  sxtab r0, r1, r2, ror #8   r1=100 r2=8000 -> r0=80
    e6c10072  uxtab16 r0, r1, r2         r1=ffff0001 r2=ff00ff -> r0=fe0100
    e68f0471  sxtb16 r0, r1, ror #8      r1=80007f00 -> r0=ff80007f
    e6ff0c71  uxth r0, r1, ror #24       r1=12345678 -> r0=7812
    e6bf0071  sxth r0, r1                r1=8000 -> r0=ffff8000
    e7cb0211  bfi r0, r1, #4, #8         r0=ffffffff r1=12 -> r0=fffff12f
    e7df0f9f  bfc r0, #31, #1            r0=ffffffff -> r0=7fffffff
    e7a30251  sbfx r0, r1, #4, #4        r1=80 -> r0=fffffff8
    e7ff0051  ubfx r0, r1, #0, #32       r1=87654321 -> r0=87654321
    e6ff0f31  rbit r0, r1                r1=1 -> r0=80000000
    e6bf0f31  rev r0, r1                 r1=12345678 -> r0=78563412
    e6bf0fb1  rev16 r0, r1               r1=12345678 -> r0=34127856
    e6ff0fb1  revsh r0, r1               r1=1280 -> r0=ffff8012
    e16f0f11  clz r0, r1                 r0=1 r1=0 -> r0=20
"""
MEMORY: Final = """
    e59a0000           ldr r0, [r10]                     r10=50001808 [1808]=99d8886c -> r0=99d8886c
    e53a0004           ldr r0, [r10, #-4]!               r10=50001808 [1804]=8e5e5602 -> r0=8e5e5602 r10=50001804
    e69a0101           ldr r0, [r10], r1, lsl #2         r1=3 r10=50001808 [1808]=99d8886c -> r0=99d8886c r10=50001814
    e71a0fe1           ldr r0, [r10, -r1, ror #31]       r1=2 r10=50001808 [1804]=8e5e5602 -> r0=8e5e5602
    e59a0001           ldr r0, [r10, #1]                 r10=50001808 [1808]=99d8886c [180c]=754a0b24 -> r0=2499d888
    e5da0003           ldrb r0, [r10, #3]                r10=50001808 [1808]=99d8886c -> r0=99
    e1fa00d1           ldrsb r0, [r10, #1]!              r10=50001808 [1808]=99d8886c -> r0=ffffff88 r10=50001809
    e1da00b2           ldrh r0, [r10, #2]                r10=50001808 [1808]=99d8886c -> r0=99d8
    e05a00f2           ldrsh r0, [r10], #-2              r10=50001808 [1808]=99d8886c -> r0=ffff886c r10=50001806
    e1ca00d4           ldrd r0, r1, [r10, #4]            r10=50001808 [180c]=754a0b24 [1810]=1c15db09 -> r0=754a0b24 r1=1c15db09
    e4ba0004           ldrt r0, [r10], #4                r10=50001808 [1808]=99d8886c -> r0=99d8886c r10=5000180c
    e5aa1004           str r1, [r10, #4]!                r1=12345678 r10=50001808 [180c]=754a0b24 -> r10=5000180c [180c]=12345678
    e5ca1005           strb r1, [r10, #5]                r1=ff r10=50001808 [180c]=754a0b24 -> [180c]=754aff24
    e08a10b2           strh r1, [r10], r2                r1=abcd r2=fffffffe r10=50001808 [1808]=99d8886c -> r10=50001806 [1808]=99d8abcd
    e10a20f1           strd r2, r3, [r10, -r1]           r1=8 r2=22222222 r3=33333333 r10=50001808 [1800]=ffffffff [1804]=8e5e5602 -> [1800]=22222222 [1804]=33333333
    e8aa0206           stm r10!, {r1, r2, r9}            r1=11 r2=22 r9=99 r10=50001808 [1808]=99d8886c [180c]=754a0b24 [1810]=1c15db09 -> r10=50001814 [1808]=11 [180c]=22 [1810]=99
    e98a0006           stmib r10, {r1, r2}               r1=11 r2=22 r10=50001808 [180c]=754a0b24 [1810]=1c15db09 -> [180c]=11 [1810]=22
    e82a0006           stmda r10!, {r1, r2}              r1=11 r2=22 r10=50001808 [1804]=8e5e5602 [1808]=99d8886c -> r10=50001800 [1804]=11 [1808]=22
    e92a0006           stmdb r10!, {r1, r2}              r1=11 r2=22 r10=50001808 [1800]=ffffffff [1804]=8e5e5602 -> r10=50001800 [1800]=11 [1804]=22
    e89a0401           ldm r10, {r0, r10}                r10=50001808 [1808]=99d8886c [180c]=754a0b24 -> r0=99d8886c r10=754a0b24
    e93a0003           ldmdb r10!, {r0, r1}              r10=50001808 [1800]=ffffffff [1804]=8e5e5602 -> r0=ffffffff r1=8e5e5602 r10=50001800
    e10a0091           swp r0, r1, [r10]                 r1=5 r10=50001808 [1808]=99d8886c -> r0=99d8886c [1808]=5
    e14a0091           swpb r0, r1, [r10]                r1=5 r10=50001808 [1808]=99d8886c -> r0=6c [1808]=99d88805
    e19a1f9f e18a0f92  ldrex r1, [r10]; strex r0, r2, [r10]  r0=7 r2=22 r10=50001808 [1808]=99d8886c -> r0=0 r1=99d8886c [1808]=22
    e1da1f9f f57ff01f e1ca0f92  ldrexb r1, [r10]; clrex; strexb r0, r2, [r10]  r2=22 r10=50001808 [1808]=99d8886c -> r0=1 r1=6c
    e1ba2f9f e1aa0f94  ldrexd r2, r3, [r10]; strexd r0, r4, r5, [r10]  r0=7 r4=44 r5=55 r10=50001808 [1808]=99d8886c [180c]=754a0b24 -> r0=0 r2=99d8886c r3=754a0b24 [1808]=44 [180c]=55
    f1010200 e1ca00d0 e58a2008 f1010000  setend be; ldrd r0, r1, [r10]; str r2, [r10, #8]; setend le  r2=11223344 r10=50001808 [1808]=99d8886c [180c]=754a0b24 [1810]=1c15db09 -> r0=6c88d899 r1=240b4a75 [1810]=44332211
"""
SYSTEM: Final = """
    e10f0000           mrs r0, cpsr                      N=1 Q=1 GE=f -> r0=880f0010
    e12cf001           msr apsr_nzcvqg, r1               r1=f80f0000 -> N=1 Z=1 C=1 V=1 Q=1 GE=f
    e124f001           msr apsr_g, r1                    r1=50000 -> GE=5
    e328f30a           msr apsr_nzcvq, #0x28000000       N=1 -> N=0 C=1 Q=1
    ee0d1f50 ee1d0f50  mcr p15, 0, r1, c13, c0, 2; mrc p15, 0, r0, c13, c0, 2  r1=1234 -> r0=1234
"""
T32: Final = """
    1888            adds r0, r1, r2                   r1=7fffffff r2=1 -> r0=80000000 N=1 V=1
    0048            lsls r0, r1, #1                   r1=c0000000 -> r0=80000000 N=1 C=1
    0008            movs r0, r1                       r1=0 C=1 V=1 -> Z=1
    4248            rsbs r0, r1, #0                   r1=1 -> r0=ffffffff N=1
    4348            muls r0, r1                       r0=ffffffff r1=1 C=1 -> N=1
    4588            cmp r8, r1                        r8=1 r1=2 -> N=1
    44e8            add r8, sp                        r8=1 sp=10 -> r8=11
    b002            add sp, #8                        sp=fffffffc -> sp=4
    bf08 1840       it eq; addeq r0, r1               r0=ffffffff r1=1 Z=1 -> r0=0
    bf2c 3001 3002  ite cs; addcs r0, #1; addcc r0, #2  r0=5 -> r0=7
    f011 4000       ands.w r0, r1, #0x80000000        r1=ffffffff -> r0=80000000 N=1 C=1
    f011 10ff       ands.w r0, r1, #0xff00ff          r1=ff000000 C=1 V=1 -> Z=1
    f05f 00ff       movs.w r0, #0xff                  C=1 -> r0=ff
    f06f 20ab       mvn r0, #0xab00ab00               -> r0=54ff54ff
    ea61 2032       orn r0, r1, r2, ror #8            r1=1 r2=ff00 -> r0=ffffff01
    fa31 f002       lsrs.w r0, r1, r2                 r1=80000000 r2=20 -> Z=1 C=1
    f601 70ff       addw r0, r1, #0xfff               r1=1 -> r0=1000
    f321 1007       ssat r0, #8, r1, asr #4           r1=7fff -> r0=7f Q=1
    e97a 0102       ldrd r0, r1, [r10, #-8]!          r10=50001808 [1800]=ffffffff [1804]=8e5e5602 -> r0=ffffffff r1=8e5e5602 r10=50001800
    f91a 0c01       ldrsb.w r0, [r10, #-1]            r10=50001808 [1804]=8e5e5602 -> r0=ffffff8e
    f84a 0021       str.w r0, [r10, r1, lsl #2]       r0=123 r1=2 r10=50001808 [1810]=1c15db09 -> [1810]=123
    b501            push {r0, lr}                     r0=1 lr=2 sp=50001808 [1800]=ffffffff [1804]=8e5e5602 -> sp=50001800 [1800]=1 [1804]=2
    bc03            pop {r0, r1}                      sp=50001808 [1808]=99d8886c [180c]=754a0b24 -> r0=99d8886c r1=754a0b24 sp=50001810
    c905            ldm r1!, {r0, r2}                 r1=50001808 [1808]=99d8886c [180c]=754a0b24 -> r0=99d8886c r1=50001810 r2=754a0b24
"""


def rows(text: str) -> list[tuple[str, ...]]:
    """Return (words, assembly, before, changed) of each row."""
    found = [ROW.match(line) for line in text.strip("\n").splitlines()]
    assert all(found)
    return [tuple(g.strip() for g in m.groups()) for m in found if m]


def machine(words: str, before: str) -> Machine:
    """Return a machine about to execute the words of a row."""
    thumb = len(words.split(maxsplit=1)[0]) == 4
    code = b"".join(int(word, 16).to_bytes(len(word) // 2, "little") for word in words.split())
    memory = Memory({SLOTS: bytearray(code), WINDOW: bytearray(0x2000)}, frozenset((SLOTS,)))
    registers, cpsr = [0] * 15, 0
    for item in before.split():
        name, number = item.split("=")
        if name.startswith("["):
            memory.store(WINDOW + int(name[1:-1], 16), 4, 1, int(number, 16))
        elif name in FLAGS:
            cpsr |= int(number, 16) << FLAGS[name]
        else:
            registers[NUMBERS[name]] = int(number, 16)
    result = Machine(memory, pc=SLOTS)
    result.load_state(State(tuple(registers), cpsr), thumb=thumb)
    return result


def values(m: Machine) -> dict[str, int]:
    """Return everything a program can see that is not 0, by the names of the rows."""
    state = m.save_state()
    found = {name: state.r[number] for name, number in NUMBERS.items()}
    found |= {name: state.cpsr >> bit & (15 if name == "GE" else 1) for name, bit in FLAGS.items()}
    found |= {f"[{at:04x}]": m.memory.load(WINDOW + at, 4, 4) for at in range(0, 0x2000, 4)}
    return found | {"e": m.state.context >> 1 & 1, "it": m.get("ITSTATE"), "d": sum(state.d), "fpscr": state.fpscr}


def run(m: Machine, code: int) -> None:
    """Run to the end of the code."""
    while m.pc < SLOTS + code:
        assert m.step() == ""


ALL: Final = [row for text in (DATA_PROCESSING, MULTIPLY, MEDIA, MEMORY, SYSTEM, T32) for row in rows(text)]


@pytest.mark.parametrize(("words", "assembly", "before", "changed"), ALL, ids=[f"{r[1]} {r[2]}".strip() for r in ALL])
def test_instruction_changes_what_its_row_says(words: str, assembly: str, before: str, changed: str) -> None:
    """All state after an instruction is the state before it, but for what the row lists."""
    m = machine(words, before)
    expected = values(m) | {name: int(number, 16) for name, number in (item.split("=") for item in changed.split())}
    run(m, sum(len(word) // 2 for word in words.split()))
    after = values(m)
    assert {k: v for k, v in after.items() if v != expected[k]} == {}, assembly
