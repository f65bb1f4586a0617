"""What the instructions do that only the M profile has: state before -> everything that changed, and how it left.

The rows were read against the ARMv7-M ARM (DDI 0403E) and the ARMv6-M ARM (DDI 0419). Registers not named are 0. Anything that
changes and is not listed is a failure. `!` in a result: how the instruction left to the machine, which is nothing by default.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.evaluator import Fault, Memory
from xemu.core import decoder
from xemu.core.instruction import evaluate_instruction
from xemu.core.state import StateBlock
from xemu.targets.arm.layout import FPV4_SP, FPV5_DP, M_LAYOUT, V6M, V7EM, V7M, MContext
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TARGET: Final = get_target("arm-m")
CODE, WINDOW, WINDOW_SIZE = 0x1000, 0x2000_0000, 0x1000
ROW: Final = re.compile(r"\s*([0-9a-f]{4}(?: [0-9a-f]{4})*)  +(\S.*?)  +(.*?) ?->(.*)$")
FLAGS: Final = {"N": 31, "Z": 30, "C": 29, "V": 28}
#: what rows call the cells of the state
CELLS: Final = {name.lower(): name for name in ("PRIMASK", "FAULTMASK", "BASEPRI", "CONTROL", "IPSR", "EVENT", "PENDING", "SPOTHER",
                                                "DIV0TRAP", "PRIOMASK", "FPMODE", "FPFLAGS", "FPNZCV", "Q", "GE", "ITSTATE")}

V6: Final = """
    f3ef 8003    mrs r0, psr                  N=1 C=1 ipsr=2d -> r0=a000002d
    f3ef 8000    mrs r0, apsr                 Z=1 V=1 q=1 ge=f ipsr=3 -> r0=50000000
    f381 8800    msr apsr_nzcvq, r1           r1=f8000000 -> N=1 Z=1 C=1 V=1
    f3ef 8005    mrs r0, ipsr                 N=1 ipsr=b -> r0=b
    f3ef 8006    mrs r0, epsr                 N=1 ipsr=b r0=7 -> r0=0
    f3ef 8008    mrs r0, msp                  sp=20000800 spother=20000400 -> r0=20000800
    f3ef 8009    mrs r0, psp                  sp=20000800 spother=20000400 -> r0=20000400
    f3ef 8009    mrs r0, psp                  sp=20000800 spother=20000400 control=2 -> r0=20000800
    f3ef 8008    mrs r0, msp                  sp=20000800 spother=20000400 control=2 ipsr=3 -> r0=20000800
    f3ef 8008    mrs r0, msp                  sp=20000800 r0=5 control=1 -> r0=0
    f3ef 8014    mrs r0, control              control=3 -> r0=3
    f381 8809    msr psp, r1                  r1=20000407 -> spother=20000404
    f381 8808    msr msp, r1                  r1=20000407 -> sp=20000404
    f381 8809    msr psp, r1                  r1=20000408 control=2 -> sp=20000408
    f381 8809    msr psp, r1                  r1=20000408 control=1 ->
    f381 8810    msr primask, r1              r1=1 pending=1 -> primask=1
    f381 8810    msr primask, r1              r1=2 primask=1 -> primask=0
    f381 8810    msr primask, r1              primask=1 pending=1 -> primask=0 !event 3
    f381 8810    msr primask, r1              primask=1 pending=1 control=1 ->
    f381 8814    msr control, r1              r1=7 sp=20000800 spother=20000400 -> control=2 sp=20000400 spother=20000800 !event 4
    b672         cpsid i                      pending=1 -> primask=1
    b672         cpsid i                      control=1 ->
    b662         cpsie i                      primask=1 -> primask=0
    b662         cpsie i                      pending=1 ->
    b662         cpsie i                      primask=1 pending=1 ipsr=10 control=1 -> primask=0 !event 3
    bf30         wfi                          -> !event 1
    bf20         wfe                          -> !event 2
    bf20         wfe                          event=1 -> event=0
    bf40         sev                          -> event=1
    bf10         yield                        ->
    df2a         svc 42                       -> !syscall 42
    beab         bkpt 0xab                    -> !breakpoint 171
    bdd0         pop {r4, r6, r7, pc}         sp=20000010 [10]=1 [14]=2 [18]=3 [1c]=2001 -> r4=1 r6=2 r7=3 sp=20000020 pc=2000
    bd00         pop {pc}                     sp=20000010 [10]=2000 -> sp=20000014 pc=2000 t=0
    4770         bx lr                        lr=fffffff9 -> pc=fffffff8
    4708         bx r1                        r1=2000 -> pc=2000 t=0
    4788         blx r1                       r1=2001 -> pc=2000 lr=1003
    6808         ldr r0, [r1, #0]             r1=20000002 -> !bus 20000002
    b401         push {r0}                    sp=20000008 r0=9 -> sp=20000004 [4]=9
    46ad         mov sp, r5                   r5=20000107 -> sp=20000104
"""
V6_LACKS: Final = """
    f3ef 8011    mrs r0, basepri              r0=7 -> !undefined
    f381 8813    msr faultmask, r1            r1=1 -> !undefined
    bf08         it eq                        -> !undefined
    b100         cbz r0, .+4                  -> !undefined
    f3c1 0007    ubfx r0, r1, #0, #8          -> !undefined
    fbb1 f0f2    udiv r0, r1, r2              r2=1 -> !undefined
    ee00 0a10    vmov s0, r0                  -> !undefined
    ee11 0f10    mrc p15, 0, r0, c1, c0, 0    -> !undefined
"""
V7: Final = """
    f3ef 8011    mrs r0, basepri              basepri=a0 -> r0=a0
    f3ef 8012    mrs r0, basepri_max          basepri=a0 -> r0=a0
    f3ef 8013    mrs r0, faultmask            faultmask=1 control=1 r0=9 -> r0=0
    f381 8811    msr basepri, r1              r1=7f priomask=e0 -> basepri=60
    f381 8811    msr basepri, r1              r1=c0 priomask=e0 basepri=40 pending=1 -> basepri=c0 !event 3
    f381 8811    msr basepri, r1              r1=20 priomask=e0 basepri=40 pending=1 -> basepri=20
    f381 8811    msr basepri, r1              r1=1f priomask=e0 basepri=40 pending=1 -> basepri=0 !event 3
    f381 8811    msr basepri, r1              r1=40 priomask=ff pending=1 -> basepri=40
    f381 8812    msr basepri_max, r1          r1=c0 priomask=ff basepri=40 ->
    f381 8812    msr basepri_max, r1          r1=20 priomask=ff basepri=40 pending=1 -> basepri=20
    f381 8812    msr basepri_max, r1          r1=0 priomask=ff basepri=40 ->
    f381 8812    msr basepri_max, r1          r1=c0 priomask=ff -> basepri=c0
    f381 8813    msr faultmask, r1            r1=1 -> faultmask=1 !event 4
    f381 8813    msr faultmask, r1            r1=1 ipsr=2 ->
    f381 8813    msr faultmask, r1            r1=1 ipsr=3 ->
    f381 8813    msr faultmask, r1            r1=1 ipsr=4 -> faultmask=1 !event 4
    f381 8813    msr faultmask, r1            faultmask=1 pending=1 -> faultmask=0 !event 4
    b671         cpsid f                      -> faultmask=1 !event 4
    b671         cpsid f                      ipsr=2 ->
    b663         cpsie if                     faultmask=1 primask=1 -> faultmask=0 primask=0 !event 4
    f381 8814    msr control, r1              r1=2 sp=20000800 spother=20000400 -> control=2 sp=20000400 spother=20000800 !event 4
    f381 8814    msr control, r1              r1=0 control=2 sp=20000400 spother=20000800 -> control=0 sp=20000800 spother=20000400 !event 4
    f381 8814    msr control, r1              r1=3 ipsr=f sp=20000800 -> control=1 !event 4
    f381 8814    msr control, r1              r1=1 sp=20000800 -> control=1 !event 4
    f381 8814    msr control, r1              r1=0 control=1 ->
    f381 8814    msr control, r1              r1=4 -> !event 4
    f381 8800    msr apsr_nzcvq, r1           r1=28000000 N=1 -> N=0 C=1 q=1
    f3af 8003    wfi.w                        -> !event 1
    f3af 8002    wfe.w                        -> !event 2
    bf08 bf30    it eq; wfieq                 ->
    bf08 bf30    it eq; wfieq                 Z=1 -> !event 1
    bf18 f381 8810  it ne; msrne primask, r1  primask=1 pending=1 -> primask=0 !event 3
    fbb1 f0f2    udiv r0, r1, r2              r0=5 r1=7 -> r0=0
    fbb1 f0f2    udiv r0, r1, r2              r0=5 r1=7 div0trap=1 -> !exception 2
    fb91 f0f2    sdiv r0, r1, r2              r1=fffffff9 r2=2 div0trap=1 -> r0=fffffffd
    ee11 0f10    mrc p15, 0, r0, c1, c0, 0    -> !exception 1
    ed91 0b00    vldr d0, [r1]                r1=20000000 -> !exception 1
    fe00 0a00    cdp2 p10, 0, c0, c0, c0, 0   -> !exception 1
    e8d1 007f    ldrexd r0, r0, [r1]          r1=20000000 -> !undefined
    fa81 f082    qadd r0, r2, r1              -> !undefined
    f7ff affe    udf.w #65534                 -> !undefined
    e891 0005    ldmia.w r1, {r0, r2}         r1=20000002 -> !bus 20000002
    e9d1 0200    ldrd r0, r2, [r1]            r1=20000002 -> !bus 20000002
    f8d1 0000    ldr.w r0, [r1]               r1=20000002 [0]=11223344 [4]=55667788 -> r0=77881122
    f85d fb04    ldr pc, [sp], #4             sp=20000010 [10]=2001 -> sp=20000014 pc=2000
"""
V7E: Final = """
    f3ef 8000    mrs r0, apsr                 ge=a q=1 -> r0=80a0000
    f381 8c00    msr apsr_nzcvqg, r1          r1=f0000 -> ge=f
    f381 8400    msr apsr_g, r1               r1=f8050000 -> ge=5
    fa81 f082    qadd r0, r2, r1              r1=7fffffff r2=1 -> r0=7fffffff q=1
    eee1 1a10    vmsr fpscr, r1               r1=ffffffff -> fpnzcv=f fpmode=7c00000 fpflags=9f fp=1
    eee1 1a10    vmsr fpscr, r1               r1=1 -> fpflags=1
    eef1 fa10    vmrs APSR_nzcv, fpscr        fpnzcv=6 -> Z=1 C=1
    eef1 0a10    vmrs r0, fpscr               fpnzcv=8 fpflags=10 -> r0=80000010
    eee8 0a10    vmsr fpexc, r0               -> !undefined
    ee21 0b90    vmov.32 d17[1], r0           -> !undefined
    ee21 0b10    vmov.32 d1[1], r0            r0=1234 -> d1=123400000000
    ee11 0b10    vmov.32 r0, d1[0]            d1=500000007 -> r0=7
    ed91 0b00    vldr d0, [r1]                r1=20000004 [4]=5 [8]=6 -> d0=600000005
    ecb1 eb06    vldmia r1!, {d14-d16}        r1=20000000 -> !undefined
    eca1 eb04    vstmia r1!, {d14-d15}        r1=20000000 d14=1 d15=2 -> r1=20000010 [0]=1 [8]=2
    ee31 0a21    vadd.f32 s0, s2, s3          d1=3f80000040000000 -> d0=40400000
    ee31 0b02    vadd.f64 d0, d1, d2          -> !undefined
    fe01 0a21    vseleq.f32 s0, s2, s3        -> !undefined
    ee10 0f10    mrc p15, 0, r0, c0, c0, 0    -> !exception 1
"""
FPV5: Final = """
    ee31 0b02    vadd.f64 d0, d1, d2          d1=3ff0000000000000 d2=4000000000000000 -> d0=4008000000000000
    fe01 0a21    vseleq.f32 s0, s2, s3        d1=200000001 Z=1 -> d0=1
    fe01 0a21    vseleq.f32 s0, s2, s3        d1=200000001 -> d0=2
    fe11 0b02    vselvs.f64 d0, d1, d2        d1=1 d2=2 V=1 -> d0=1
    fe21 0b02    vselge.f64 d0, d1, d2        d1=1 d2=2 N=1 -> d0=2
    fe31 0b02    vselgt.f64 d0, d1, d2        d1=1 d2=2 -> d0=1
    fe81 0a21    vmaxnm.f32 s0, s2, s3        d1=7fc0000040000000 -> d0=40000000
    fe81 0b42    vminnm.f64 d0, d1, d2        d1=8000000000000000 -> d0=8000000000000000
    febc 0ae0    vcvta.s32.f32 s0, s1         d0=4020000000000000 -> d0=4020000000000003 fpflags=10
    febd 0ae0    vcvtn.s32.f32 s0, s1         d0=4020000000000000 -> d0=4020000000000002 fpflags=10
    febe 0b41    vcvtp.u32.f64 s0, d1         d1=4004000000000000 -> d0=3 fpflags=10
    febf 0bc1    vcvtm.s32.f64 s0, d1         d1=c004000000000000 -> d0=fffffffd fpflags=10
    feb8 0b41    vrinta.f64 d0, d1            d1=4004000000000000 -> d0=4008000000000000
    feb9 0b41    vrintn.f64 d0, d1            d1=4004000000000000 -> d0=4000000000000000
    feba 0a61    vrintp.f32 s0, s3            d1=bf00000000000000 -> d0=80000000
    febb 0a61    vrintm.f32 s0, s3            d1=bf00000000000000 -> d0=bf800000
    eeb7 0b41    vrintx.f64 d0, d1            d1=4004000000000000 -> d0=4000000000000000 fpflags=10
    eeb6 0bc1    vrintz.f64 d0, d1            d1=c00c000000000000 -> d0=c008000000000000
    eeb6 0b41    vrintr.f64 d0, d1            d1=4004000000000000 -> d0=4000000000000000
    eeb2 0b60    vcvtb.f64.f16 d0, s1         d0=3c0000000000 -> d0=3ff0000000000000
    eeb3 0bc1    vcvtt.f16.f64 s0, d1         d0=ffff d1=4004000000000000 -> d0=4100ffff
"""
CONTEXTS: Final = {
    "v6-M": MContext(ARCH=V6M, STRICT=1), "v7-M": MContext(ARCH=V7M),
    "v7E-M": MContext(ARCH=V7EM, FPU=FPV4_SP), "FPv5": MContext(ARCH=V7EM, FPU=FPV5_DP),
}
#: processor, its rows, and what assembles them
SECTIONS: Final = (("v6-M", V6, "-march=armv6s-m"), ("v6-M", V6_LACKS, ""), ("v7-M", V7, ""), ("v7E-M", V7E, ""), ("FPv5", FPV5, ""))
EVERYTHING: Final = "-mcpu=cortex-m7 -mfpu=fpv5-d16"


def rows(text: str) -> list[tuple[str, ...]]:
    """Return (words, assembly, before, changed) of each row."""
    found = [ROW.match(line) for line in text.strip("\n").splitlines()]
    assert all(found)
    return [tuple(g.strip() for g in m.groups()) for m in found if m]


ALL: Final = [(name, *row) for name, text, _ in SECTIONS for row in rows(text)]


class Core:
    """An M-profile processor in the evaluator."""

    def __init__(self, context: MContext, words: str) -> None:
        code = b"".join(int(word, 16).to_bytes(2, "little") for word in words.split())
        self.memory = Memory({CODE: bytearray(code), WINDOW: bytearray(WINDOW_SIZE)}, frozenset((CODE,)))
        self.state = StateBlock(M_LAYOUT)
        self.state.context = context.word
        TARGET.write(self.state, "apsr", 0)
        self.pc, self.end, self.left = CODE, CODE + len(code), ""

    def set(self, name: str, value: int) -> None:
        """Set what a row calls `name`."""
        cells = M_LAYOUT.cells
        if name.startswith("["):
            self.memory.store(WINDOW + int(name[1:-1], 16), 4, 1, value)
        elif name in FLAGS:
            apsr = TARGET.read(self.state, "apsr") or 0
            TARGET.write(self.state, "apsr", apsr & ~(1 << FLAGS[name]) | value << FLAGS[name])
        elif name[0] == "d" and name[1:].isdigit():
            self.state.set(cells["D"], int(name[1:]), value)
        elif name in CELLS:
            self.state.set(cells[CELLS[name]], 0, value)
        else:
            self.state.set(cells["R"], cells["R"].names.index(name), value)

    def values(self) -> dict[str, int]:
        """Return all state by the names of the rows."""
        cells, context = M_LAYOUT.cells, MContext.of(self.state.context)
        found = {name: self.state.get(cells["R"], i) for i, name in enumerate(cells["R"].names[:15])}
        found |= {f"d{i}": self.state.get(cells["D"], i) for i in range(32)}
        found |= {name: self.state.get(cells[cell]) for name, cell in CELLS.items()}
        apsr = TARGET.read(self.state, "apsr") or 0
        found |= {name: apsr >> bit & 1 for name, bit in FLAGS.items()}
        found |= {f"[{at:x}]": self.memory.load(WINDOW + at, 4, 4) for at in range(0, WINDOW_SIZE, 4)}
        return found | {"pc": self.pc, "t": context.T, "fp": context.FP}

    def step(self) -> None:
        """Execute an instruction."""
        word = self.state.context
        guard = self.state.get(M_LAYOUT.cells["ITSTATE"])
        found = decoder.decode(TARGET.iset(word), decoder.tries(TARGET), lambda at, n: self.memory.load(at, n, 1), self.pc, guard)
        if found is None:
            self.left = "undefined"
            return
        try:
            outcome = evaluate_instruction(TARGET, found, self.pc, word, self.state, self.memory)
        except Fault as e:
            self.left = f"{e.kind} {e.address:x}"
            return
        self.pc = outcome.next_pc
        if outcome.context is not None:
            self.state.context = outcome.context
        if left := outcome.abort or outcome.trap:
            self.left = left[0] if left[0] == "undefined" else f"{left[0]} {left[1]}"


@pytest.mark.parametrize(("name", "words", "assembly", "before", "changed"), ALL, ids=[f"{r[0]}: {r[2]} {r[3]}".strip() for r in ALL])
def test_instruction_changes_what_its_row_says(name: str, words: str, assembly: str, before: str, changed: str) -> None:
    core = Core(CONTEXTS[name], words)
    for item in before.split():
        key, value = item.split("=")
        core.set(key, int(value, 16))
    changed, _, left = changed.partition("!")
    expected = core.values() | {"pc": core.pc if left and not left.startswith(("event", "syscall")) else core.end}
    expected |= {key: int(value, 16) for key, value in (item.split("=") for item in changed.split())}
    while CODE <= core.pc < core.end and not core.left:
        core.step()
    assert core.left == left, assembly
    after = core.values()
    assert {k: v for k, v in after.items() if v != expected[k]} == {}, assembly


def test_words_are_what_the_assembler_makes_of_the_text(need: Callable[..., str], tmp_path: Path) -> None:
    """GNU as knows FPv5 and the special registers; rows for D16 and up, which it refuses, have no other spelling."""
    assembler, objcopy = need("arm-none-eabi-as"), need("arm-none-eabi-objcopy")
    known = [r for r in ALL if not re.search(r"\bd1[67]\b|fpexc|ldrexd|p15|p10|it eq$", r[2])]
    source, made, raw = (tmp_path / f"rows{suffix}" for suffix in (".s", ".o", ".bin"))
    text = "\n".join(r[2].replace("; ", "\n") for r in known)
    source.write_text(f".syntax unified\n.thumb\n{text}\n", encoding="ascii")
    subprocess.run([assembler, *EVERYTHING.split(), "-o", made, source], check=True)
    subprocess.run([objcopy, "-O", "binary", made, raw], check=True)
    data = raw.read_bytes()
    assert " ".join(f"{data[i] | data[i + 1] << 8:04x}" for i in range(0, len(data), 2)) == " ".join(r[1] for r in known)


def test_without_the_t_bit_nothing_decodes() -> None:
    iset = TARGET.iset(MContext(T=0).word)
    assert all(decoder.walk(decoder.tries(TARGET)["m_none"][1], word) is None for word in (0, 0xBF00, 0xFFFF))
    assert iset.names == ("m_none",)


def test_derived_registers_follow_the_stack_in_use() -> None:
    core = Core(CONTEXTS["v7-M"], "bf00")
    for name, value in (("msp", 0x2000_0101), ("psp", 0x2000_0202)):
        assert TARGET.write(core.state, name, value)
    assert (TARGET.read(core.state, "msp"), TARGET.read(core.state, "psp")) == (0x2000_0100, 0x2000_0200)
    assert core.values()["sp"] == 0x2000_0100
    TARGET.write(core.state, "control", 2)
    assert core.values()["sp"] == 0x2000_0200
    TARGET.write(core.state, "xpsr", 0x0100_000B)                   # SVCall's handler
    assert core.values()["sp"] == 0x2000_0100
    assert (TARGET.read(core.state, "msp"), TARGET.read(core.state, "psp")) == (0x2000_0100, 0x2000_0200)


def test_status_registers_are_read_as_they_were_written() -> None:
    core = Core(CONTEXTS["FPv5"], "bf00")
    for value in (0xF90F_0000, 0x0100_0003, 0x0700_FC00 | 0x10, 0x0000_0000):
        TARGET.write(core.state, "xpsr", value)
        assert TARGET.read(core.state, "xpsr") == value
        assert bool(MContext.of(core.state.context).T) is bool(value & 1 << 24)
    TARGET.write(core.state, "fpscr", 0xFFFF_FFFF)
    assert TARGET.read(core.state, "fpscr") == 0xF7C0_009F
    assert MContext.of(core.state.context).FP == 1
