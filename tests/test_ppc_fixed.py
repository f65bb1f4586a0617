"""Fixed-point instructions and moves to and from CR of PowerPC: corner cases, in every tier. Results are QEMU's, as all rows'."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.support.law import WINDOW, WINDOW_SIZE, Law, LawCase
from xemu.core.state import ENGINE_BYTES

TARGETS: Final = {"32": "ppc", "64": "ppc64le"}
NAMES: Final = [*(f"r{n}" for n in range(32)), "cr", "xer", "lr", "ctr", "dscr"]
MEMORY: Final = bytes(range(0x80, 0xC0)).ljust(WINDOW_SIZE, b"\0")

#: width | word, text | registers before | all that changes; registers that are not named are 0
EXAMPLES: Final = """
    both | 7c632214 add 3,3,4 | r3=5 r4=7 | r3=c
    32 | 7c632615 addo. 3,3,4 | r3=7fffffff r4=1 | r3=80000000 cr=90000000 xer=c0000000
    64 | 7c632615 addo. 3,3,4 | r3=7fffffff r4=1 | r3=80000000 cr=40000000 xer=80000
    32 | 7c632014 addc 3,3,4 | r3=ffffffff r4=1 | r3=0 xer=20000000
    64 | 7c632014 addc 3,3,4 | r3=ffffffff r4=1 | r3=100000000 xer=40000
    32 | 7c632110 subfe 3,3,4 | r3=5 r4=5 xer=20000000 | r3=0
    64 | 7c632110 subfe 3,3,4 | r3=5 r4=5 xer=20000000 | r3=0 xer=20040000
    32 | 7c632111 subfe. 3,3,4 | r3=5 r4=5 | r3=ffffffff cr=80000000
    64 | 7c632111 subfe. 3,3,4 | r3=5 r4=5 | r3=ffffffffffffffff cr=80000000
    32 | 7c6401d4 addme 3,4 | r4=0 | r3=ffffffff
    64 | 7c6401d4 addme 3,4 | r4=0 | r3=ffffffffffffffff
    32 | 7c640190 subfze 3,4 | r4=0 xer=20000000 |
    64 | 7c640190 subfze 3,4 | r4=0 xer=20000000 | xer=20040000
    32 | 3464ffff addic. 3,4,-1 | r4=1 | cr=20000000 xer=20000000
    64 | 3464ffff addic. 3,4,-1 | r4=1 | cr=20000000 xer=20040000
    32 | 20640005 subfic 3,4,5 | r4=6 | r3=ffffffff
    64 | 20640005 subfic 3,4,5 | r4=6 | r3=ffffffffffffffff
    64 | 7c6304d0 nego 3,3 | r3=8000000000000000 | xer=c0000000
    32 | 7c6304d0 nego 3,3 | r3=80000000 | xer=c0000000
    64 | 7c6304d0 nego 3,3 | r3=80000000 | r3=ffffffff80000000 xer=80000
    64 | 7c632154 addex 3,3,4,0 | r3=ffffffffffffffff r4=0 xer=40000000 | r3=0 xer=40080000
    32 | 7c6325d6 mullwo 3,3,4 | r3=7fffffff r4=2 | r3=fffffffe xer=c0000000
    64 | 7c6325d6 mullwo 3,3,4 | r3=7fffffff r4=2 | r3=fffffffe xer=c0080000
    both | 7c632096 mulhw 3,3,4 | r3=80000000 r4=80000001 | r3=3fffffff
    both | 7c632016 mulhwu 3,3,4 | r3=80000000 r4=80000001 | r3=40000000
    64 | 7c6325d3 mulldo. 3,3,4 | r3=4000000000000000 r4=fffffffffffffffe | r3=8000000000000000 cr=80000000
    64 | 7c6325d3 mulldo. 3,3,4 | r3=4000000000000000 r4=2 | r3=8000000000000000 cr=90000000 xer=c0080000
    64 | 10632171 maddhdu 3,3,4,5 | r3=ffffffffffffffff r4=ffffffffffffffff r5=ffffffffffffffff |
    64 | 10632170 maddhd 3,3,4,5 | r3=ffffffffffffffff r4=1 r5=0 |
    32 | 7c642fd6 divwo 3,4,5 | r4=80000000 r5=ffffffff | r3=80000000 xer=c0000000
    64 | 7c642fd6 divwo 3,4,5 | r4=80000000 r5=ffffffff | r3=80000000 xer=c0080000
    32 | 7c642fd7 divwo. 3,4,5 | r4=64 r5=0 | r3=64 cr=50000000 xer=c0000000
    64 | 7c642fd7 divwo. 3,4,5 | r4=64 r5=0 | r3=64 cr=50000000 xer=c0080000
    both | 7c642b96 divwu 3,4,5 | r4=ffffffff r5=10 | r3=fffffff
    64 | 7c642f16 divweuo 3,4,5 | r4=5 r5=7 | r3=b6db6db6
    64 | 7c642f16 divweuo 3,4,5 | r4=7 r5=7 | xer=c0080000
    64 | 7c642f12 divdeuo 3,4,5 | r4=5 r5=ffffffff00000001 | r3=5
    64 | 7c642b52 divde 3,4,5 | r4=fffffffffffffffe r5=7 | r3=b6db6db6db6db6dc
    64 | 7c642fd2 divdo 3,4,5 | r4=8000000000000000 r5=ffffffffffffffff | r3=8000000000000000 xer=c0080000
    64 | 7c642e16 modsw 3,4,5 | r4=fffffff9 r5=4 | r3=fffffffffffffffd
    64 | 7c642a12 modud 3,4,5 | r4=fffffffffffffff9 r5=10 | r3=9
    both | 7f832000 cmpw cr7,3,4 | r3=80000000 r4=1 xer=80000000 | cr=9
    both | 29030001 cmplwi cr2,3,1 | r3=80000000 | cr=400000
    64 | 7c232000 cmpd 3,4 | r3=ffffffff80000000 r4=1 | cr=80000000
    64 | 7f832180 cmprb 7,0,3,4 | r3=41 r4=5a41 | cr=4
    64 | 7fa32180 cmprb 7,1,3,4 | r3=41 r4=5a425a41 | cr=4
    64 | 7f8321c0 cmpeqb 7,3,4 | r3=41 r4=4100000000000000 | cr=4
    64 | 7c7c0100 setb 3,7 | cr=8 | r3=ffffffffffffffff
    64 | 7c7c0100 setb 3,7 | cr=4 | r3=1
    both | 548306fe rlwinm 3,4,0,27,31 | r4=ffffff23 | r3=3
    both | 5483d03a rlwinm 3,4,26,0,29 | r4=8000000f | r3=3e000000
    32 | 548307c5 rlwinm. 3,4,0,31,2 | r4=80000001 | r3=80000001 cr=80000000
    64 | 548307c5 rlwinm. 3,4,0,31,2 | r4=80000001 | r3=8000000180000001 cr=80000000
    both | 5083442e rlwimi 3,4,8,16,23 | r3=11223344 r4=aabbccdd | r3=1122dd44
    both | 5c83283e rlwnm 3,4,5,0,31 | r4=12345678 r5=24 | r3=23456781
    64 | 7883f82c rldimi 3,4,31,32 | r3=1234567800000001 r4=3 | r3=1234567880000001
    64 | 78832720 rldicl 3,4,4,60 | r4=f000000000000001 | r3=f
    64 | 788320c4 rldicr 3,4,4,3 | r4=f800000000000001 | r3=8000000000000000
    64 | 788315a8 rldic 3,4,2,54 | r4=fff | r3=3fc
    64 | 78832830 rldcl 3,4,5,32 | r4=1234567800000001 r5=60 | r3=12345678
    both | 7c832830 slw 3,4,5 | r4=ffffffff r5=20 |
    both | 7c832c30 srw 3,4,5 | r4=ffffffff r5=3f |
    64 | 7c832836 sld 3,4,5 | r4=1 r5=7f |
    32 | 7c832e30 sraw 3,4,5 | r4=80000001 r5=1 | r3=c0000000 xer=20000000
    64 | 7c832e30 sraw 3,4,5 | r4=80000001 r5=1 | r3=ffffffffc0000000 xer=20040000
    32 | 7c832e30 sraw 3,4,5 | r4=80000000 r5=3f | r3=ffffffff xer=20000000
    64 | 7c832e30 sraw 3,4,5 | r4=80000000 r5=3f | r3=ffffffffffffffff xer=20040000
    32 | 7c832671 srawi. 3,4,4 | r4=fffffff0 | r3=ffffffff cr=80000000
    64 | 7c832671 srawi. 3,4,4 | r4=fffffff0 | r3=ffffffffffffffff cr=80000000
    64 | 7c832e34 srad 3,4,5 | r4=8000000000000001 r5=40 | r3=ffffffffffffffff xer=20040000
    64 | 7c8326f4 extswsli 3,4,4 | r4=80000001 | r3=fffffff800000010
    64 | 7c8329f8 bpermd 3,4,5 | r4=003f40ff01020304 r5=8000000000000001 | r3=c0
    64 | 7c832bf8 cmpb 3,4,5 | r4=1122334455667788 r5=1100330055007788 | r3=ff00ff00ff00ffff
    64 | 7c830174 prtyd 3,4 | r4=0101010101010100 | r3=1
    64 | 7c830134 prtyw 3,4 | r4=0101010101000000 | r3=1
    64 | 7c8300f4 popcntb 3,4 | r4=ff0f030100000000 | r3=804020100000000
    64 | 7c830474 cnttzd 3,4 | r4=0 | r3=40
    both | 7c830034 cntlzw 3,4 | r4=0 | r3=20
    32 | 7c830775 extsb. 3,4 | r4=80 | r3=ffffff80 cr=80000000
    64 | 7c830775 extsb. 3,4 | r4=80 | r3=ffffffffffffff80 cr=80000000
    both | 7083ff00 andi. 3,4,0xff00 | r4=80008000 | r3=8000 cr=40000000
    both | 6c838000 xoris 3,4,0x8000 | r4=80000000 |
    both | 7c881120 mtcrf 0x81,4 | r4=12345678 cr=ffffffff | cr=1ffffff8
    both | 7c702120 mtocrf 0x02,3 | r3=12345678 | cr=70
    both | 7c703120 mtocrf 3,3 | r3=12345678 |
    both | 7c740026 mfocrf 3,0x40 | cr=12345678 r3=5 | r3=2000000
    both | 7c741026 mfocrf 3,65 | cr=12345678 r3=5 |
    both | 7c600026 mfcr 3 | cr=12345678 | r3=12345678
    both | 4f840000 mcrf cr7,cr1 | cr=0a000000 | cr=a00000a
    both | 4fe009c2 crnand 31,0,1 | cr=80000000 | cr=80000001
    both | 4c423382 cror 2,2,6 | cr=02000000 | cr=22000000
    both | 7d800400 mcrxr cr3 | xer=e0000011 | cr=e0000 xer=11
    64 | 7d800480 mcrxrx cr3 | xer=000c0000 | cr=50000
    both | 7c6103a6 mtxer 3 | r3=e000007f | xer=e000007f
    both | 7c6802a6 mflr 3 | lr=1234 | r3=1234
    64 | 7c642894 addg6s 3,4,5 | r4=99 r5=1 | r3=6666666666666666
    64 | 7c830234 cdtbcd 3,4 | r4=000003ff | r3=999
    64 | 7c830274 cbcdtd 3,4 | r4=00999123 | r3=3fca3
    32 | 7c7f42a6 mfpvr 3 | | r3=c0209
    64 | 7c7f42a6 mfpvr 3 | | r3=4e1202
    both | 7c7a02a6 mfspr 3,26 | | stop=exception3
    both | 7c64e2a6 mfspr 3,900 | | stop=undefined
    both | 7c6c43a6 mtspr 268,3 | | stop=undefined
    64 | 7c7103a6 mtspr 17,3 | r3=ffffffffffffffff | dscr=1ffffff
    64 | 7c6302a6 mfspr 3,3 | dscr=123 | r3=123
    64 | 7c68caa6 mfspr 3,808 | r3=5 |
    64 | 7c6bcba6 mtspr 811,3 | r3=5 |
    32 | 7c68caa6 mfspr 3,808 | | stop=undefined
    64 | 7c6822a6 mfspr 3,136 | r3=5 | r3=1
    64 | 7c6823a6 mtspr 136,3 | | stop=undefined
    64 | 7c6d02a6 mfspr 3,13 | r3=5 | r3=0
    64 | 7c6d03a6 mtspr 13,3 | r3=5 |
    64 | 7c6bc2a6 mfspr 3,779 | | r3=80000000
    64 | 7c63c2a6 mfspr 3,771 | r3=5 | r3=0
    64 | 7c63c3a6 mtspr 771,3 | | stop=undefined
    32 | 7c69eaa6 mfspr 3,937 | r3=5 | r3=0
    64 | 7c60caa6 mfspr 3,800 | | stop=undefined
    64 | 7fff7da4 hashst 15,-8(31) | |
    64 | 7c000424 .long 0x7c000424 | |
    32 | 7c000424 .long 0x7c000424 | | stop=undefined
    64 | 7c0006a4 slbiag 0 | | stop=exception3
    both | 7c6000a6 mfmsr 3 | | stop=exception3
    64 | 7c6005e6 darn 3,0 | | r3=7b1dcdaf
    64 | 7c6105e6 darn 3,1 | | r3=e220a8397b1dcdaf
    64 | 7c6305e6 darn 3,3 | | r3=ffffffffffffffff
"""
#: the same for what reads memory: at r4 it counts from 80
LOADS: Final = f"""
    32 | bba40000 lmw 29,0(4) | r4={WINDOW:x} | r29=80818283 r30=84858687 r31=88898a8b
    32 | 7fc43caa lswi 30,4,7 | r4={WINDOW:x} r31=1 | r30=80818283 r31=84858600
    32 | 7fe484aa lswi 31,4,16 | r4={WINDOW:x} | r31=80818283 r0=84858687 r1=88898a8b r2=8c8d8e8f
    32 | 7c2484aa lswi 1,4,16 | r4={WINDOW:x} | stop=undefined
    32 | 7fe42c2a lswx 31,4,5 | r4={WINDOW:x} xer=5 | r31=80818283 r0=84000000
    32 | 7fe42c2a lswx 31,4,5 | r4={WINDOW:x} |
    32 | 7c60262c lhbrx 3,0,4 | r4={WINDOW:x} | r3=8180
    64 | 7c60262c lhbrx 3,0,4 | r4={WINDOW:x} | r3=8081
    32 | ac640002 lhau 3,2(4) | r4={WINDOW:x} | r3=ffff8283 r4={WINDOW + 2:x}
    64 | ac640002 lhau 3,2(4) | r4={WINDOW:x} | r3=ffffffffffff8382 r4={WINDOW + 2:x}
    both | ac840002 lhau 4,2(4) | r4={WINDOW:x} | stop=undefined
    both | ac600002 lhau 3,2(0) | | stop=undefined
    both | 7c642828 lwarx 3,4,5 | r4={WINDOW:x} r5=2 | stop=ALIGN
    64 | e0c40010 lq 6,16(4) | r4={WINDOW:x} | r6=9f9e9d9c9b9a9998 r7=9796959493929190
    64 | 7c602428 ldbrx 3,0,4 | r4={WINDOW:x} | r3=8081828384858687
    64 | 7c6022aa lwax 3,0,4 | r4={WINDOW:x} | r3=ffffffff83828180
    64 | bba40000 lmw 29,0(4) | r4={WINDOW:x} | stop=exception2
    64 | 7c6404cc ldat 3,4,0 | r4={WINDOW:x} | r3=8786858483828180
    64 | 7c64c48c lwat 3,4,24 | r4={WINDOW:x} | r3=83828180
"""
#: branches: the same, where they go (from the instruction) among the changes
BRANCHES: Final = """
    both | 4e800420 bctr | ctr=1003 | to=1000
    32 | 4e000420 bcctr 16,0 | ctr=1003 | stop=undefined
    64 | 4e000420 bcctr 16,0 | ctr=1003 | to=1000 ctr=1002
    64 | 4e000420 bcctr 16,0 | | to=+4
    both | 4200fff8 bdnz -8 | ctr=1 | to=+4 ctr=0
    both | 4200fff8 bdnz -8 | ctr=2 | to=-8 ctr=1
    both | 4240fff8 bdz -8 | ctr=1 | to=-8 ctr=0
    both | 4182000c beq +12 | cr=20000000 | to=+c
    both | 4182000c beq +12 | cr=d0000000 | to=+4
    both | 4100000c bdnzt 0,+12 | ctr=0 cr=80000000 | to=+c ctr=ffffffffffffffff
    both | 4d820021 beqlrl | cr=20000000 lr=2002 | to=2000 lr=+4
    both | 7c832008 tw 4,3,4 | r3=5 r4=5 | stop=exception1
"""


def examples(table: str) -> list[Any]:
    """Return (target, word, before, after) of each example."""
    out = []
    for line in table.strip().split("\n"):
        width, text, before, after = (part.strip() for part in line.split("|"))
        out += [pytest.param(TARGETS[w], int(text[:8], 16), before, after, id=f"{w}: {text[9:]} {before}")
                for w in (("32", "64") if width == "both" else (width,))]
    return out


@pytest.fixture(scope="module")
def laws() -> dict[str, Law]:
    return {name: Law(name) for name in TARGETS.values()}


def law_case(law: Law, word: int, before: str) -> LawCase:
    """Return a case: one instruction, registers of zeros but for those given."""
    st = law.engine.state
    st.buffer[ENGINE_BYTES:] = bytes(len(st.buffer) - ENGINE_BYTES)
    for name, value in (item.split("=") for item in before.split()):
        st.write(name, int(value, 16) & (1 << law.target.address_bits) - 1)
    order = "big" if law.target.sets[0].big else "little"
    return LawCase(word.to_bytes(4, order), 1, 0, bytes(st.buffer[ENGINE_BYTES:]), MEMORY, f"{word:08x}")


def changed(law: Law, case: LawCase) -> dict[str, int | str]:
    """Return what an instruction changes, as the evaluator does it; `to`: where it goes on, if that is not the next one."""
    law.space.map(0x1000_0000, 4096, 7)
    law.space.write(0x1000_0000, case.words)
    case.pc = 0x1000_0000
    law._begin(case)
    state = law.engine.state
    names = [name for name in NAMES if name != "dscr" or law.target.address_bits == 64]
    before = {name: state.read(name) for name in names}
    stop = dict(law.evaluated(case))["stop"]
    law.space.unmap(0x1000_0000, 4096)
    if stop is not None:
        kind, number, fault = stop
        return {"stop": fault.kind if fault else f"{kind}{number or ''}"}
    out: dict[str, int | str] = {name: state.read(name) for name in names if state.read(name) != before[name]}
    return out | ({} if state.pc == case.pc + 4 else {"to": state.pc})


def expected(law: Law, after: str) -> dict[str, int | str]:
    """Return changes as an example writes them."""
    out: dict[str, int | str] = {}
    for name, text in (item.split("=") for item in after.split()):
        at = 0x1000_0000 if text[0] in "+-" else 0
        out[name] = text if name == "stop" else at + int(text, 16) & (1 << law.target.address_bits) - 1
    if out.get("to") == 0x1000_0004:
        del out["to"]
    return out


@pytest.mark.parametrize(("target", "word", "before", "after"), examples(EXAMPLES + LOADS.strip("\n") + BRANCHES))
def test_examples(laws: dict[str, Law], target: str, word: int, before: str, after: str) -> None:
    law = laws[target]
    assert changed(law, law_case(law, word, before)) == expected(law, after)


@pytest.mark.parametrize("target", TARGETS.values())
def test_every_tier(laws: dict[str, Law], target: str) -> None:
    law = laws[target]
    given = [p.values for p in examples(EXAMPLES + LOADS.strip("\n") + BRANCHES)]
    cases = [law_case(law, word, before) for name, word, before, _ in given if name == target]
    assert len(cases) > 60
    assert law.run(cases) == []
