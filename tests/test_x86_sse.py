"""Vector rows of x86 that are not floating point: from state to state as a processor goes, and the same in every tier."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.law import CODE, WINDOW, Law, LawCase
from tests.support.x86 import random_word
from xemu.core import host
from xemu.core.engine import ExitKind
from xemu.core.memory import EXEC, READ, WRITE
from xemu.core.state import ENGINE_BYTES
from xemu.targets.x86.registers import flags_of, set_flags
from xemu.targets.x86.scan import REG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.isa import Variant

MINE: Final = ("sse_", "avx.", "crypto.", "strings42.", "vectors.")
STATUS: Final = {"C": 0x1, "P": 0x4, "A": 0x10, "Z": 0x40, "S": 0x80, "O": 0x800}
MEMORY: Final = bytes((i * 37 + 11) & 255 for i in range(64))            # at RSI; RDI points 32 bytes further on
#: what all rows begin with: ymm registers (low and high half), mm registers, general registers; all status flags are set
VECTORS: Final = {
    0: (0x80FF7F01_00FE8100_7FFF8000_0001FFFF, 0x0F1E2D3C_4B5A6978_8796A5B4_C3D2E1F0),
    1: (0x017F80FF_FFFE0102_00028001_80007FFF, 0x80000001_7FFFFFFF_FFFFFFFF_00000000),
    2: (0x00FF8001_7F0402F0_00000008_00000003, 0x00000005_00000002_80000007_00000001),
    3: (0x80000000_00000004_FFFFFFFF_00000002, 0x80000000_00000000_80000000_00000001),
    4: (0x00000000_00000024_00000000_00000010, 0x00000000_0000001C_00000000_0000000C),
}
MMX: Final = {0: 0x80FF7F01_00FE8100, 1: 0x017F80FF_FFFE0102, 2: 0x00000000_00000003}
GENERAL: Final = {0: 0x1122334455667788, 1: 5, 2: 3, 3: 0x99AABBCCDDEEFF00, 6: WINDOW + 0x400, 7: WINDOW + 0x420}

#: bytes, text -> all that a processor changes ("[n]": memory from RSI + n on, "valid": which x87 registers are not empty)
EXAMPLES: Final = """
    660ffcc1             paddb xmm0, xmm1                     -> xmm0=817eff00fffc82027f01000180017efe
    660ffd06             paddw xmm0, [rsi]                    -> xmm0=b7106bc8a37bd9338ee8449f7a56300a
    660fd4c1             paddq xmm0, xmm1                     -> xmm0=827f000100fc82028002000180027ffe
    660ffac1             psubd xmm0, xmm1                     -> xmm0=7f7ffe0201007ffe7ffcffff80018000
    660fecc1             paddsb xmm0, xmm1                    -> xmm0=817eff00fffc82027f01800180017efe
    660fddc1             paddusw xmm0, xmm1                   -> xmm0=827effffffff82028001ffff8001ffff
    660fe9c1             psubsw xmm0, xmm1                    -> xmm0=80007fff010080007ffdffff7fff8000
    660fd8c1             psubusb xmm0, xmm1                   -> xmm0=7f800000000080007ffd000000018000
    660fd5c1             pmullw xmm0, xmm1                    -> xmm0=fd8101fffe040200fffe800080008001
    660f3840c1           pmulld xmm0, xmm1                    -> xmm0=407f01fffe7e02003fff80007ffd8001
    660fe5c1             pmulhw xmm0, xmm1                    -> xmm0=ff41c0feffffff8000003fffffffffff
    660fe4c1             pmulhuw xmm0, xmm1                   -> xmm0=00c03fff00fd00820000400000007ffe
    660f380bc1           pmulhrsw xmm0, xmm1                  -> xmm0=fe8481fc0000ff0000027fffffffffff
    660ff4c1             pmuludq xmm0, xmm1                   -> xmm0=00fe7f03fe7e0200000100007ffd8001
    660f3828c1           pmuldq xmm0, xmm1                    -> xmm0=fffffe03fe7e0200ffff00017ffd8001
    660ff5c1             pmaddwd xmm0, xmm1                   -> xmm0=c03fff80ff80000440007ffeffff0001
    660f3804c1           pmaddubsw xmm0, xmm1                 -> xmm0=7f01c07ffe04008101fec00000007d82
    660fe0c1             pavgb xmm0, xmm1                     -> xmm0=41bf808080fe4101408180014001bfff
    660fe3c1             pavgw xmm0, xmm1                     -> xmm0=413f8000807e4101400180014001bfff
    660ff6c1             psadbw xmm0, xmm1                    -> xmm0=000000000000037f000000000000027e
    660f3a42c106         mpsadbw xmm0, xmm1, 6                -> xmm0=0081027a0378018100fc02f702fa0102
    660f3838c1           pminsb xmm0, xmm1                    -> xmm0=80ff80fffffe810000ff80008000ffff
    660f383ec1           pmaxuw xmm0, xmm1                    -> xmm0=80ff80fffffe81007fff80018000ffff
    660f383bc1           pminud xmm0, xmm1                    -> xmm0=017f80ff00fe8100000280010001ffff
    660f381dc1           pabsw xmm0, xmm1                     -> xmm0=017f7f010002010200027fff80007fff
    660f3808c1           psignb xmm0, xmm1                    -> xmm0=80ff81ff0002810000ff80000000ff01
    660f3801c1           phaddw xmm0, xmm1                    -> xmm0=827e01008003ffff000081feffff0000
    660f3807c1           phsubsw xmm0, xmm1                   -> xmm0=8000010480007fff7fff80028000fffe
    660f3841c1           phminposuw xmm0, xmm1                -> xmm0=00000000000000000000000000030002
    660f74c0             pcmpeqb xmm0, xmm0                   -> xmm0=ffffffffffffffffffffffffffffffff
    660f66c1             pcmpgtd xmm0, xmm1                   -> xmm0=00000000ffffffffffffffffffffffff
    660f3837c1           pcmpgtq xmm0, xmm1                   -> xmm0=0000000000000000ffffffffffffffff
    660fdfc1             pandn xmm0, xmm1                     -> xmm0=010080feff0000020000000180000000
    0f57c1               xorps xmm0, xmm1                     -> xmm0=8180fffeff0080027ffd000180018000
    660f63c1             packsswb xmm0, xmm1                  -> xmm0=7f80fe7f0280807f807f7f807f8001ff
    660f382bc1           packusdw xmm0, xmm1                  -> xmm0=ffff0000ffff00000000ffffffffffff
    660f68c1             punpckhbw xmm0, xmm1                 -> xmm0=01807fff807fff01ff00fefe01810200
    660f62c1             punpckldq xmm0, xmm1                 -> xmm0=000280017fff800080007fff0001ffff
    660f15c1             unpckhpd xmm0, xmm1                  -> xmm0=017f80fffffe010280ff7f0100fe8100
    660ff1c2             psllw xmm0, xmm2                     -> xmm0=0
    660f72e01f           psrad xmm0, 31                       -> xmm0=ffffffff000000000000000000000000
    660f71e0c8           psraw xmm0, 200                      -> xmm0=ffff00000000ffff0000ffff0000ffff
    660f73d004           psrlq xmm0, 4                        -> xmm0=080ff7f0100fe81007fff80000001fff
    660f73f805           pslldq xmm0, 5                       -> xmm0=fe81007fff80000001ffff0000000000
    660f73d810           psrldq xmm0, 16                      -> xmm0=0
    660f3800c1           pshufb xmm0, xmm1                    -> xmm0=ff8000000000ff01ff0100ff00ff8000
    660f70c11b           pshufd xmm0, xmm1, 0x1b              -> xmm0=80007fff00028001fffe0102017f80ff
    f20f70c193           pshuflw xmm0, xmm1, 0x93             -> xmm0=017f80fffffe0102800180007fff0002
    f30f70c193           pshufhw xmm0, xmm1, 0x93             -> xmm0=80fffffe0102017f0002800180007fff
    0fc6c14e             shufps xmm0, xmm1, 0x4e              -> xmm0=0002800180007fff80ff7f0100fe8100
    660fc6c101           shufpd xmm0, xmm1, 1                 -> xmm0=0002800180007fff80ff7f0100fe8100
    660f3a0fc105         palignr xmm0, xmm1, 5                -> xmm0=000001ffff017f80fffffe0102000280
    660f3a0fc113         palignr xmm0, xmm1, 19               -> xmm0=00000080ff7f0100fe81007fff800000
    660f3a0ec1a5         pblendw xmm0, xmm1, 0xa5             -> xmm0=017f7f01fffe81007fff800100017fff
    660f3814ca           blendvps xmm1, xmm2, xmm0            -> xmm1=00ff8001fffe01020002800180007fff
    660f3a20c10d         pinsrb xmm0, ecx, 13                 -> xmm0=80ff050100fe81007fff80000001ffff
    660fc4c003           pinsrw xmm0, eax, 3                  -> xmm0=80ff7f0100fe8100778880000001ffff
    66480f3a22c001       pinsrq xmm0, rax, 1                  -> xmm0=11223344556677887fff80000001ffff
    660f3a14c003         pextrb eax, xmm0, 3                  -> rax=0
    660f3a150607         pextrw [rsi], xmm0, 7                -> [0]=ff80
    660f3a16c102         pextrd ecx, xmm0, 2                  -> rcx=fe8100
    660f3a17c001         extractps eax, xmm0, 1               -> rax=7fff8000
    660f3a21c1d2         insertps xmm0, xmm1, 0xd2            -> xmm0=80ff7f0100fe8100000000000001ffff
    660f3a210618         insertps xmm0, [rsi], 0x18           -> xmm0=0000000000fe81007a55300b0001ffff
    660f3820c1           pmovsxbw xmm0, xmm1                  -> xmm0=00000002ff800001ff800000007fffff
    660f383406           pmovzxwq xmm0, [rsi]                 -> xmm0=0000000000007a55000000000000300b
    0f28c1               movaps xmm0, xmm1                    -> xmm0=017f80fffffe01020002800180007fff
    f30f7f4601           movdqu [rsi+1], xmm0                 -> [1]=ffff01000080ff7f0081fe00017fff80
    660f6ec0             movd xmm0, eax                       -> xmm0=00000000000000000000000055667788
    66480f6ec0           movq xmm0, rax                       -> xmm0=00000000000000001122334455667788
    660f7ec0             movd eax, xmm0                       -> rax=1ffff
    f30f7ec1             movq xmm0, xmm1                      -> xmm0=00000000000000000002800180007fff
    f30f10c1             movss xmm0, xmm1                     -> xmm0=80ff7f0100fe81007fff800080007fff
    f20f1006             movsd xmm0, [rsi]                    -> xmm0=00000000000000000ee9c49f7a55300b
    0f1606               movhps xmm0, [rsi]                   -> xmm0=0ee9c49f7a55300b7fff80000001ffff
    660f1306             movlpd [rsi], xmm0                   -> [0]=ffff01000080ff7f
    0f12c1               movhlps xmm0, xmm1                   -> xmm0=80ff7f0100fe8100017f80fffffe0102
    f20f12c1             movddup xmm0, xmm1                   -> xmm0=0002800180007fff0002800180007fff
    f30f16c1             movshdup xmm0, xmm1                  -> xmm0=017f80ff017f80ff0002800100028001
    0f50c0               movmskps eax, xmm0                   -> rax=8
    660fd7c1             pmovmskb eax, xmm1                   -> rax=3c29
    660ff7c1             maskmovdqu xmm0, xmm1                -> [32]=ffd0f5003f8089aed3f8fe00017f
    660f3817c1           ptest xmm0, xmm1                     -> flags=-
    660f3817c0           ptest xmm0, xmm0                     -> flags=C
    660f3a63c10c         pcmpistri xmm0, xmm1, 0x0c           -> rcx=10 flags=ZS
    660f3a630e55         pcmpistri xmm1, [rsi], 0x55          -> rcx=8 flags=-
    660f3a62c144         pcmpistrm xmm0, xmm1, 0x44           -> xmm0=000000000000000000000000000000ff flags=CZSO
    660f3a61c108         pcmpestri xmm0, xmm1, 0x08           -> rcx=0 flags=CZO
    660f3a60c171         pcmpestrm xmm0, xmm1, 0x71           -> xmm0=00000000000000000000ffff00000000 flags=CZ
    660f38dcc1           aesenc xmm0, xmm1                    -> xmm0=439c89484bda8b0779e4a2a64dfaf3e9
    660f38ddc1           aesenclast xmm0, xmm1                -> xmm0=626996832d82d36163148c624dbbb2e9
    660f38dec1           aesdec xmm0, xmm1                    -> xmm0=bcef8b6ea053e842ee9d41b113c90ea5
    660f38dfc1           aesdeclast xmm0, xmm1                -> xmm0=530211f6c5f73b50527ffd53eb0c1482
    660f38dbc1           aesimc xmm0, xmm1                    -> xmm0=ddbc5e3ed93323cbc3fd5ee3afca5035
    660f3adfc11b         aeskeygenassist xmm0, xmm1, 0x1b     -> xmm0=167cd2d67cd2cd167c6377d66377cd7c
    660f3a44c110         pclmulqdq xmm0, xmm1, 0x10           -> xmm0=006abfbfea805480ffff2afeab5600fe
    0f3accc102           sha1rnds4 xmm0, xmm1, 2              -> xmm0=98746f885d454695f05bcfd4ec62a7c2
    0f38c8c1             sha1nexte xmm0, xmm1                 -> xmm0=61bf60bffffe01020002800180007fff
    0f38c9c1             sha1msg1 xmm0, xmm1                  -> xmm0=ff00ff0100ff7eff7e8000fffffffefd
    0f38cac1             sha1msg2 xmm0, xmm1                  -> xmm0=fe02fc0601f80202fffffffffc0607f3
    0f38cbca             sha256rnds2 xmm1, xmm2, xmm0         -> xmm1=76e84fe260bc68efa8b42da6a1030501
    0f38ccc1             sha256msg1 xmm0, xmm1                -> xmm0=71ff6e01cddcf221205dad1def0210fe
    0f38cdc1             sha256msg2 xmm0, xmm1                -> xmm0=a979d8cc755eb173b05fbf70c0a0df7f
    0ffdc1               paddw mm0, mm1                       -> fpr0=ffff827e000000fc8202 top=0 valid=ff
    0f67c1               packuswb mm0, mm1                    -> fpr0=ffffff0000ff00fffe00 top=0 valid=ff
    0f6006               punpcklbw mm0, [rsi]                 -> fpr0=ffff7a0055fe30810b00 top=0 valid=ff
    0f70c11b             pshufw mm0, mm1, 0x1b                -> fpr0=ffff0102fffe80ff017f top=0 valid=ff
    0ff3c2               psllq mm0, mm2                       -> fpr0=ffff07fbf80807f40800 top=0 valid=ff
    0ff506               pmaddwd mm0, [rsi]                   -> fpr0=ffffdb24ffb6e8a3eb56 top=0 valid=ff
    0fc5c003             pextrw eax, mm0, 3                   -> rax=80ff top=0 valid=ff
    0f7f0e               movq [rsi], mm1                      -> top=0 valid=ff [0]=0201feffff807f01
    f30fd6c1             movq2dq xmm0, mm1                    -> xmm0=0000000000000000017f80fffffe0102 top=0 valid=ff
    f20fd6c1             movdq2q mm0, xmm1                    -> fpr0=ffff0002800180007fff top=0 valid=ff
    0ff7c1               maskmovq mm0, mm1                    -> top=0 valid=ff [34]=fe00017f
    0f77                 emms                                 -> top=0 valid=0
    c5f1fec2             vpaddd xmm0, xmm1, xmm2              -> xmm0=027f01007f0203f20002800980008002 ymm0h=0
    c5f5fe06             vpaddd ymm0, ymm1, [rsi]
        -> xmm0=37916dc6a27b59350eec44a0fa55b00a ymm0h=06613c1872cda8825e3914eecaa5805b
    c4e27500c2           vpshufb ymm0, ymm1, ymm2
        -> xmm0=ff00007f01010000ffffff02ffffff80 ymm0h=000000ff00000000000000ff00000000
    c4e3750fc209         vpalignr ymm0, ymm1, ymm2, 9
        -> xmm0=020002800180007fff00ff80017f0402 ymm0h=ffffffffff0000000000000005000000
    c4e27545c2           vpsrlvd ymm0, ymm1, ymm2
        -> xmm0=00000000000000000000028010000fff ymm0h=040000001fffffff0000000000000000
    c4e27546c2           vpsravd ymm0, ymm1, ymm2
        -> xmm0=00000000ffffffff00000280f0000fff ymm0h=fc0000001fffffffffffffff00000000
    c5f5f3c2             vpsllq ymm0, ymm1, xmm2              -> xmm0=0 ymm0h=0
    c5f96ec0             vmovd xmm0, eax                      -> xmm0=00000000000000000000000055667788 ymm0h=0
    c5f210c2             vmovss xmm0, xmm1, xmm2              -> xmm0=017f80fffffe01020002800100000003 ymm0h=0
    c5f016c2             vmovlhps xmm0, xmm1, xmm2            -> xmm0=00000008000000030002800180007fff ymm0h=0
    c4e27d78c1           vpbroadcastb ymm0, xmm1
        -> xmm0=ffffffffffffffffffffffffffffffff ymm0h=ffffffffffffffffffffffffffffffff
    c4e27d1a06           vbroadcastf128 ymm0, [rsi]
        -> xmm0=3611ecc7a27d58330ee9c49f7a55300b ymm0h=3611ecc7a27d58330ee9c49f7a55300b
    c4e26d36c1           vpermd ymm0, ymm2, ymm1
        -> xmm0=0002800180007fff80007fff017f80ff ymm0h=fffffffffffe01028000000100028001
    c4e3fd00c193         vpermq ymm0, ymm1, 0x93
        -> xmm0=0002800180007fff800000017fffffff ymm0h=ffffffff00000000017f80fffffe0102
    c4e37506c221         vperm2f128 ymm0, ymm1, ymm2, 0x21
        -> xmm0=800000017fffffffffffffff00000000 ymm0h=00ff80017f0402f00000000800000003
    c4e37546c283         vperm2i128 ymm0, ymm1, ymm2, 0x83    -> xmm0=00000005000000028000000700000001 ymm0h=0
    c4e2750cc2           vpermilps ymm0, ymm1, ymm2
        -> xmm0=0002800180007fff80007fff017f80ff ymm0h=ffffffff7fffffff80000001ffffffff
    c4e37d05c106         vpermilpd ymm0, ymm1, 6
        -> xmm0=017f80fffffe01020002800180007fff ymm0h=ffffffff00000000800000017fffffff
    c4e37538c201         vinserti128 ymm0, ymm1, xmm2, 1
        -> xmm0=017f80fffffe01020002800180007fff ymm0h=00ff80017f0402f00000000800000003
    c4e37d190e01         vextractf128 [rsi], ymm1, 1          -> [0]=00000000ffffffffffffff7f01000080
    c4e37502c2a6         vpblendd ymm0, ymm1, ymm2, 0xa6
        -> xmm0=017f80ff7f0402f00000000880007fff ymm0h=000000057fffffff8000000700000000
    c4e3750dc206         vblendpd ymm0, ymm1, ymm2, 6
        -> xmm0=00ff80017f0402f00002800180007fff ymm0h=800000017fffffff8000000700000001
    c4e3754cc230         vpblendvb ymm0, ymm1, ymm2, ymm3
        -> xmm0=007f80fffffe01020000000880007fff ymm0h=000000017fffffff80ffffff00000000
    c4e2652c06           vmaskmovps ymm0, ymm3, [rsi]
        -> xmm0=3611ecc7000000000ee9c49f00000000 ymm0h=86613c17000000005e3914ef00000000
    c4e2e18e0e           vpmaskmovq [rsi], xmm3, xmm1         -> [0]=ff7f0080018002000201feffff807f01
    c4e265900426         vpgatherdd ymm0, [rsi+ymm4], ymm3
        -> xmm0=7a55300b00fe81007a55300b0001ffff ymm0h=7a55300b4b5a69787a55300bc3d2e1f0 xmm3=0 ymm3h=0
    c4e261910426         vpgatherqd xmm0, [rsi+xmm4], xmm3    -> xmm0=0000000000000000ae89643f0001ffff ymm0h=0 xmm3=0 ymm3h=0
    c4e2e1920466         vgatherdpd xmm0, [rsi+xmm4*2], xmm3  -> xmm0=0ee9c49f7a55300bae89643f1af5d0ab ymm0h=0 xmm3=0 ymm3h=0
    c4e27d17ca           vptest ymm1, ymm2                    -> flags=-
    c4e27d0eca           vtestps ymm1, ymm2                   -> flags=C
    c5fdd7c1             vpmovmskb eax, ymm1                  -> rax=87f03c29
    c4e27d2206           vpmovsxbq ymm0, [rsi]
        -> xmm0=0000000000000030000000000000000b ymm0h=000000000000007a0000000000000055
    c5f877               vzeroupper                           -> ymm0h=0 ymm1h=0 ymm2h=0 ymm3h=0 ymm4h=0
    c5fc77               vzeroall
        -> xmm0=0 ymm0h=0 xmm1=0 ymm1h=0 xmm2=0 ymm2h=0 xmm3=0 ymm3h=0 xmm4=0 ymm4h=0
"""


class Machine(Law):
    """A machine that runs examples in the evaluator."""

    def __init__(self) -> None:
        super().__init__("x86_64")
        self.space.map(CODE, 4096, READ | WRITE | EXEC)

    def begin(self) -> None:
        """Put everything where examples begin."""
        st = self.engine.state
        st.buffer[ENGINE_BYTES:] = bytes(len(st.buffer) - ENGINE_BYTES)
        for name, index, value in [
            *[("X", 2 * n + h, half) for n, halves in VECTORS.items() for h, half in enumerate(halves)],
            *[("FPR", n, 0xFFFF << 64 | value) for n, value in MMX.items()], *[("R", n, value) for n, value in GENERAL.items()],
            ("FTOP", 0, 5), ("FVALID", 0, 0b101), ("FCW", 0, 0x37F), ("MXMODE", 0, 0x1F80),
        ]:
            st.set(self.cells[name], index, value)
        set_flags(st, 0x2 | sum(STATUS.values()))
        self.space.write(GENERAL[6], MEMORY)
        self.engine.set_position(CODE, 0)

    def shown(self) -> dict[str, str]:
        """Return all that examples tell of."""
        st = self.engine.state
        items = {name: st.get(cell, n) for cell in (self.cells["R"], self.cells["X"], self.cells["FPR"])
                 for n, name in enumerate(cell.names[:32]) if n < cell.count}
        seen = {name: f"{value:0{32 if 'mm' in name else 20 if 'fpr' in name else 1}x}" if value else "0" for name, value in items.items()}
        flags = flags_of(st)
        seen["flags"] = "".join(letter for letter, bit in STATUS.items() if flags & bit) or "-"
        seen |= {"top": str(st.get(self.cells["FTOP"], 0)), "valid": f"{st.get(self.cells['FVALID'], 0):x}"}
        return seen | {"memory": bytes(self.space.read(GENERAL[6], len(MEMORY))).hex()}

    def run_example(self, code: bytes) -> dict[str, str]:
        """Run an instruction; return what changed."""
        self.space.write(CODE, code)
        self.begin()
        before = self.shown()
        stop = self.engine.evaluate_one()
        assert stop is None
        assert self.engine.pc == CODE + len(code)
        return {name: value for name, value in self.shown().items() if before[name] != value}


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def examples() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield code, text and changes."""
    for line in EXAMPLES.replace("\n        ->", " ->").strip().split("\n"):
        left, _, right = line.partition("->")
        code, _, text = left.strip().partition(" ")
        changes = dict(word.split("=") for word in right.split())
        memory = bytearray(MEMORY)
        for place in [name for name in changes if name.startswith("[")]:
            data = bytes.fromhex(changes.pop(place))
            memory[int(place[1:-1]):][:len(data)] = data
            memory[int(place[1:-1]):int(place[1:-1]) + len(data)] = data
            changes["memory"] = memory.hex()
        yield code, text.strip(), changes


@pytest.mark.parametrize(("code", "text", "changes"), list(examples()), ids=lambda v: v if isinstance(v, str) and " " in v else "")
def test_what_a_processor_does(machine: Machine, code: str, text: str, changes: dict[str, str]) -> None:
    assert machine.run_example(bytes.fromhex(code)) == changes, text


# -- every row in every tier ---------------------------------------------------------------------------------------------


def found(law: Law, part: int, parts: int) -> list[Variant]:
    """Return every so many-th variant of these rows that the mode has."""
    mode64 = int(law.target.address_bits == 64)
    out = []
    for v in [v for v in law.target.iset(0).narrow.variants if v.row.source.startswith(MINE)][part::parts]:
        try:
            random_word(law.random, v, mode64)
        except ValueError:
            continue
        out.append(v)
    return out


@pytest.mark.parametrize("target", ["x86_64", "i386"])
def test_rows_in_every_tier(target: str) -> None:
    """One encoding of a sixtieth of the variants, another part each time; also some in a row."""
    law = Law(target, seed=random.randrange(1 << 32))
    some = found(law, law.random.randrange(60), 60)
    cases = [law.case([v], 0) for v in some] + [law.case([law.random.choice(some) for _ in range(4)], 0) for _ in range(20)]
    complaints = law.run(cases)
    assert not complaints, "\n".join([f"{len(complaints)} differences", *complaints[:20]])


def test_hosts_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte tables, sums of products, AES, SHA and carry-less products are put together from what every host has."""
    monkeypatch.setattr(host, "has", lambda _feature: False)
    law = Law("x86_64", seed=random.randrange(1 << 32))
    names = {"aesenc", "aesdeclast", "aesimc", "pclmulqdq", "sha1rnds4", "sha256rnds2", "pshufb", "palignr", "psadbw", "pmaddubsw",
             "pmulhrsw"}
    wanted = [v for v in law.target.iset(0).narrow.variants if v.row.template.split()[0] in names and v.splits.get("form") == REG]
    assert {v.row.template.split()[0] for v in wanted} == names
    complaints = law.run([law.case([v], 0) for v in wanted])
    assert not complaints, "\n".join(complaints)


# -- what faults --------------------------------------------------------------------------------------------------------


def law_case(law: Law, code: str, **registers: int) -> LawCase:
    """Return a case of one instruction in which only some registers are not 0."""
    state = law.engine.state
    state.buffer[ENGINE_BYTES:] = bytes(len(state.buffer) - ENGINE_BYTES)
    for name, value in registers.items():
        state.write(name, value)
    return LawCase(bytes.fromhex(code), 1, 0, bytes(state.buffer[ENGINE_BYTES:]), bytes(range(256)) * 48, "", CODE)


def outcomes(law: Law, case: LawCase) -> dict[str, Any]:
    """Return the registers and how it stopped, the same in every tier."""
    assert law.run([case]) == []
    law.space.map(CODE, 4096, READ | WRITE | EXEC)
    law.space.write(CODE, case.words)
    return dict(law.evaluated(case))


def test_a_gather_that_faults_keeps_what_it_has() -> None:
    law = Law("x86_64")
    indices = 0x7000_0000 << 64 | 8 << 32 | 4                       # lanes 0 and 1 are there, lane 2 is not; lane 3 is not asked for
    case = law_case(law, "c4e261900426", rsi=WINDOW, xmm4=indices, xmm3=0x7FFFFFFF_80000001_80000000_FFFFFFFF, xmm0=3 << 96,
                    ymm0h=9, ymm3h=5)
    after = outcomes(law, case)
    kind, _, fault = after["stop"]
    assert (kind, fault.address) == (ExitKind.FAULT.value, WINDOW + 0x7000_0000)
    assert (after["X[0]"], after["X[1]"]) == (3 << 96 | 0x0B0A0908_07060504, 0)
    assert (after["X[6]"], after["X[7]"]) == (0xFFFFFFFF << 64, 0)
    assert after["pc"] == CODE


@pytest.mark.parametrize("code", ["c5f96f06", "660ffc06"], ids=["vmovdqa", "paddb"])
def test_alignment_is_demanded(code: str) -> None:
    law = Law("x86_64")
    after = outcomes(law, law_case(law, code, rsi=WINDOW + 8))
    assert after["stop"] is not None
    assert after["stop"][2].kind == "ALIGN"


@pytest.mark.parametrize(("code", "registers"), [
    ("f30f6f06", {"rsi": WINDOW + 8}),                                              # movdqu
    ("c5f1fc06", {"rsi": WINDOW + 8}),                                              # vpaddb
    ("660f3a630600", {"rsi": WINDOW + 8}),                                          # pcmpistri
    ("c4e2698c06", {"rsi": WINDOW + 0x3000 - 4, "xmm2": 0x7FFFFFFF_00000000_00000000_80000000}),     # vpmaskmovd: the rest is not there
])
def test_what_needs_not_be_there_or_aligned(code: str, registers: dict[str, int]) -> None:
    law = Law("x86_64")
    assert outcomes(law, law_case(law, code, **registers))["stop"] is None
