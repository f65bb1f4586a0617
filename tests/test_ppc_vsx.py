"""VSX and vector floating point of PowerPC: worked examples in every tier, exceptions that are enabled, quad precision.

All rows were compared with QEMU's (tests/oracle/ppc); the examples are what it gives where the manual says the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.law import WINDOW_SIZE, Law, LawCase
from tests.test_ppc_vmx import changes
from xemu.core.state import ENGINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

#: word, text | state before -> all that changes. Registers that are not named are 0, NJ is 1, memory at 5000_0000h counts up;
#: `..`: zeros follow; `10:a0b1`: bytes of memory; FPSCR after what was 0
EXAMPLES: Final = """
    f5040019  lxv 40, 16(4) | r4=50000003 -> vs40=2221201f_1e1d1c1b_1a191817_16151413
    7c042a18  lxvx 0, 4, 5 | r4=50000000 r5=8 -> vs0=17161514_13121110_0f0e0d0c_0b0a0908
    7c042e98  lxvd2x 0, 4, 5 | r4=50000000 r5=8 -> vs0=f0e0d0c_0b0a0908_17161514_13121110
    7c042e18  lxvw4x 0, 4, 5 | r4=50000000 r5=8 -> vs0=b0a0908_0f0e0d0c_13121110_17161514
    7c042e58  lxvh8x 0, 4, 5 | r4=50000000 r5=8 -> vs0=9080b0a_0d0c0f0e_11101312_15141716
    7c042ed8  lxvb16x 0, 4, 5 | r4=50000000 r5=8 -> vs0=8090a0b_0c0d0e0f_10111213_14151617
    7c042a98  lxvdsx 0, 4, 5 | r4=50000000 r5=8 -> vs0=f0e0d0c_0b0a0908_0f0e0d0c_0b0a0908
    7c042ad8  lxvwsx 0, 4, 5 | r4=50000000 r5=8 -> vs0=b0a0908_0b0a0908_0b0a0908_0b0a0908
    7c042a1a  lxvl 0, 4, 5 | r4=50000001 r5=7000000000000000 vs0=ffffffff_ffffffff_ffffffff_ffffffff
              -> vs0=100f0e0d_0c0b0a09_08070605_04030201
    7c042a1a  lxvl 0, 4, 5 | r4=50000001 r5=500000000000000 vs0=ffffffff_ffffffff_ffffffff_ffffffff -> vs0=5_04030201
    7c042a5a  lxvll 0, 4, 5 | r4=50000001 r5=500000000000000 vs0=ffffffff_ffffffff_ffffffff_ffffffff -> vs0=01020304_05000000..
    7c042a1a  lxvl 0, 4, 5 | r4=1 r5=0 vs0=ffffffff_ffffffff_ffffffff_ffffffff -> vs0=0
    e4640012  lxsd 3, 16(4) | r4=50000000 -> vs35=17161514_13121110..
    e4640013  lxssp 3, 16(4) | r4=4ffffff4 -> vs35=38e0c0a0_80000000..
    f524001d  stxv 41, 16(4) | r4=50000000 vs41=112233_44556677_8899aabb_ccddeeff -> 10:ffeeddccbbaa99887766554433221100
    7c242f98  stxvd2x 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:7766554433221100ffeeddccbbaa9988
    7c242f18  stxvw4x 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:3322110077665544bbaa9988ffeeddcc
    7c242f58  stxvh8x 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:11003322554477669988bbaaddccffee
    7c242fd8  stxvb16x 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:00112233445566778899aabbccddeeff
    7c242b1a  stxvl 1, 4, 5 | r4=50000001 r5=300000000000000 vs1=112233_44556677_8899aabb_ccddeeff -> 1:ffeedd
    7c242b5a  stxvll 1, 4, 5 | r4=50000001 r5=300000000000000 vs1=112233_44556677_8899aabb_ccddeeff -> 1:001122
    7c242918  stxsiwx 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:77665544
    7c242f1a  stxsibx 1, 4, 5 | r4=50000000 r5=10 vs1=112233_44556677_8899aabb_ccddeeff -> 10:77
    7c242d18  stxsspx 1, 4, 5 | r4=50000000 r5=10 vs1=c0080000_00000000_8899aabb_ccddeeff -> 10:000040c0
    7c230067  mfvsrd 3, 33 | vs33=112233_44556677_8899aabb_ccddeeff -> r3=11223344556677
    7c230267  mfvsrld 3, 33 | vs33=112233_44556677_8899aabb_ccddeeff -> r3=8899aabbccddeeff
    7c2300e7  mfvsrwz 3, 33 | vs33=112233_44556677_8899aabb_ccddeeff -> r3=44556677
    7c242b67  mtvsrdd 33, 4, 5 | r4=123 r5=456 -> vs33=123_00000000_00000456
    7c240327  mtvsrws 33, 4 | r4=89abcdef01234567 -> vs33=1234567_01234567_01234567_01234567
    f0011090  xxmrghw 0, 1, 2 | vs1=10203_04050607_08090a0b_0c0d0e0f vs2=10111213_14151617_18191a1b_1c1d1e1f
              -> vs0=10203_10111213_04050607_14151617
    f0011190  xxmrglw 0, 1, 2 | vs1=10203_04050607_08090a0b_0c0d0e0f vs2=10111213_14151617_18191a1b_1c1d1e1f
              -> vs0=8090a0b_18191a1b_0c0d0e0f_1c1d1e1f
    f0011150  xxpermdi 0, 1, 2, 1 | vs1=10203_04050607_08090a0b_0c0d0e0f vs2=10111213_14151617_18191a1b_1c1d1e1f
              -> vs0=10203_04050607_18191a1b_1c1d1e1f
    f0011250  xxpermdi 0, 1, 2, 2 | vs1=10203_04050607_08090a0b_0c0d0e0f vs2=10111213_14151617_18191a1b_1c1d1e1f
              -> vs0=8090a0b_0c0d0e0f_10111213_14151617
    f0011310  xxsldwi 0, 1, 2, 3 | vs1=10203_04050607_08090a0b_0c0d0e0f vs2=10111213_14151617_18191a1b_1c1d1e1f
              -> vs0=c0d0e0f_10111213_14151617_18191a1b
    f0020a90  xxspltw 0, 1, 2 | vs1=10203_04050607_08090a0b_0c0d0e0f -> vs0=8090a0b_08090a0b_08090a0b_08090a0b
    f3e52ad1  xxspltib 63, 165 |  -> vs63=a5a5a5a5_a5a5a5a5_a5a5a5a5_a5a5a5a5
    f00110f0  xxsel 0, 1, 2, 3 | vs1=ff00ff_00000000_00000000_ffffffff vs2=0f0f0f0f_ffffffff.. vs3=ffff0000_12345678_ffffffff_0000ffff
              -> vs0=f0f00ff_12345678_00000000_ffff0000
    f00110d0  xxperm 0, 1, 2 | vs0=10111213_14151617_18191a1b_1c1d1e1f vs1=10203_04050607_08090a0b_0c0d0e0f vs2=1f00ef80_0f101a05_e1c2a384..
              -> vs0=1f000f00_0f101a05_01020304..
    f00111d0  xxpermr 0, 1, 2 | vs0=10111213_14151617_18191a1b_1c1d1e1f vs1=10203_04050607_08090a0b_0c0d0e0f
              vs2=1f00ef80_0f101a05_e1c2a384..
              -> vs0=1f101f_100f051a_1e1d1c1b_1f1f1f1f
    f0060a94  xxextractuw 0, 1, 6 | vs1=10203_04050607_08090a0b_0c0d0e0f -> vs0=00000000_06070809..
    f0030ad4  xxinsertw 0, 1, 3 | vs1=10203_04050607_08090a0b_0c0d0e0f vs0=ffffffff_ffffffff_ffffffff_ffffffff
              -> vs0=ffffff04_050607ff_ffffffff_ffffffff
    f01f0f6c  xxbrq 0, 1 | vs1=10203_04050607_08090a0b_0c0d0e0f -> vs0=f0e0d0c_0b0a0908_07060504_03020100
    f0170f6c  xxbrd 0, 1 | vs1=10203_04050607_08090a0b_0c0d0e0f -> vs0=7060504_03020100_0f0e0d0c_0b0a0908
    f0070f6c  xxbrh 0, 1 | vs1=10203_04050607_08090a0b_0c0d0e0f -> vs0=1000302_05040706_09080b0a_0d0c0f0e
    f0011550  xxlorc 0, 1, 2 | vs1=00000000_0f0f0f0f.. vs2=ffffffff_ffff0000_00000000_ffffffff -> vs0=f0fffff_ffffffff_00000000
    f0011580  xscpsgndp 0, 1, 2 | vs1=80000000_00000000_00000000_00000001 vs2=3ff00000_00000000_00000000_00000001 -> vs0=bff00000..
    f0000ea4  xvnabssp 0, 1 | vs1=3f800000_bf800000_7fc00000.. -> vs0=bf800000_bf800000_ffc00000_80000000
    f0600d6c  xsxexpdp 3, 1 | vs1=c0080000_00000000_00000000_00000001 -> r3=400
    f0610d6c  xsxsigdp 3, 1 | vs1=c0080000_00000000_00000000_00000001 -> r3=18000000000000
    f0042f2c  xsiexpdp 0, 4, 5 | r4=8008000000000001 r5=3ff -> vs0=bff80000_00000001..
    f0090f6c  xvxsigsp 0, 1 | vs1=1_3fc00000_7f800000_80800000 -> vs0=1_00c00000_00000000_00800000
    f00116c0  xviexpsp 0, 1, 2 | vs1=80000001_00400000.. vs2=7f_00000080_00000001_000001ff -> vs0=bf800001_40400000_00800000_7f800000
    f1400da8  xststdcdp 2, 1, 0x40 | vs1=fff80000.. -> CR=a00000 FPSCR=a000
    f1010da8  xststdcdp 2, 1, 1 | vs1=80000000_00000001.. -> CR=a00000 FPSCR=a000
    f01a0eac  xvtstdcsp 0, 1, 0x3a | vs1=7f800000_00000000_00000001_80000001 -> vs0=ffffffff_ffffffff_ffffffff..
    f18111e8  xstdivdp 3, 1, 2 | vs1=3ff00000.. vs2=00000000_00000001.. -> CR=e0000
    f1800aa8  xvtsqrtsp 3, 1 | vs1=3f800000_3f800000_bf800000_3f800000 -> CR=a0000
    f08111d8  xscmpexpdp 1, 1, 2 | vs1=40080000.. vs2=c0000000.. -> CR=2000000 FPSCR=2000
    f0011100  xsadddp 0, 1, 2 | vs1=3ff00000.. vs2=3ca00000.. -> vs0=3ff00000.. FPSCR=82024000
    f0011100  xsadddp 0, 1, 2 | vs1=7ff00000.. vs2=fff00000.. -> vs0=7ff80000.. FPSCR=a0811000
    f0011000  xsaddsp 0, 1, 2 | vs1=3ff00000.. vs2=3e600000_20000000.. -> vs0=3ff00000.. FPSCR=82024000
    f0011108  xsmaddadp 0, 1, 2 | vs0=bff00000.. vs1=3ff00000_00000001.. vs2=3ff00000_00000001.. -> vs0=3cc00000.. FPSCR=82024000
    f0011148  xsmaddmdp 0, 1, 2 | vs0=40000000.. vs1=40080000.. vs2=3ff00000.. -> vs0=401c0000.. FPSCR=4000
    f0011488  xsnmsubasp 0, 1, 2 | vs0=40100000.. vs1=40080000.. vs2=40000000.. -> vs0=c0000000.. FPSCR=8000
    f00111c0  xsdivdp 0, 1, 2 | vs1=3ff00000.. vs2=80000000.. -> vs0=fff00000.. FPSCR=84009000
    f000092c  xssqrtdp 0, 1 | vs1=c0000000.. -> vs0=7ff80000.. FPSCR=a0011200
    f0000c64  xsrsp 0, 1 | vs1=3ff00000_30000000.. -> vs0=3ff00000_40000000.. FPSCR=82064000
    f0000924  xsrdpi 0, 1 | vs1=c0040000.. -> vs0=c0080000.. FPSCR=8000
    f00009a4  xsrdpip 0, 1 | vs1=bfe00000.. -> vs0=80000000.. FPSCR=12000
    f0011500  xsmaxdp 0, 1, 2 | vs1=80000000.. vs2=0 ->
    f0011540  xsmindp 0, 1, 2 | vs1=7ff80000.. vs2=40000000.. -> vs0=40000000..
    f0011400  xsmaxcdp 0, 1, 2 | vs1=7ff80000.. vs2=7ff00000_00000001.. -> vs0=7ff00000_00000001.. FPSCR=a1000000
    f0011440  xsmincdp 0, 1, 2 | vs1=0 vs2=80000000.. -> vs0=80000000..
    f0011480  xsmaxjdp 0, 1, 2 | vs1=80000000.. vs2=0 ->
    f00114c0  xsminjdp 0, 1, 2 | vs1=3ff00000.. vs2=7ff80000_00000003.. -> vs0=7ff80000_00000003..
    f1011158  xscmpodp 2, 1, 2 | vs1=7ff80000.. vs2=3ff00000.. -> CR=100000 FPSCR=a0081000
    f1011118  xscmpudp 2, 1, 2 | vs1=bff00000.. vs2=3ff00000.. -> CR=800000 FPSCR=8000
    f0011098  xscmpgedp 0, 1, 2 | vs1=3ff00000.. vs2=3ff00000.. -> vs0=ffffffff_ffffffff..
    f0011758  xvcmpgtdp. 0, 1, 2 | vs1=40000000_00000000_3ff00000.. vs2=3ff00000.. -> vs0=ffffffff_ffffffff_ffffffff_ffffffff CR=80
    f0011618  xvcmpeqsp. 0, 1, 2 | vs1=7fc00000_3f800000_3f800000_3f800000 vs2=7fc00000_40000000_40000000_40000000 -> CR=20
    f0011698  xvcmpgesp. 0, 1, 2 | vs1=7fc00000_3f800000_3f800000_3f800000 vs2=7fc00000_40000000_40000000_3f800000
              -> vs0=ffffffff FPSCR=a0080000
    f0011300  xvadddp 0, 1, 2 | vs1=3ff00000_00000000_7ff00000_00000001 vs2=3ff00000..
              -> vs0=40000000_00000000_7ff80000_00000001 FPSCR=a1000000
    f0011208  xvmaddasp 0, 1, 2 | vs0=3f800000_3f800000_3f800000_7f800000 vs1=3f800000_40000000_40400000_ff800000
              vs2=40000000_40400000_3eaaaaab_3f800000
              -> vs0=40400000_40e00000_40000000_7fc00000 FPSCR=a2800000
    f00112c0  xvdivsp 0, 1, 2 | vs1=3f800000_3f800000_40400000.. vs2=40400000_00000000_40000000_40000000
              -> vs0=3eaaaaab_7f800000_3fc00000.. FPSCR=86000000
    f0000b2c  xvsqrtdp 0, 1 | vs1=40000000_00000000_40100000.. -> vs0=3ff6a09e_667f3bcd_40000000.. FPSCR=82000000
    f0011600  xvmaxsp 0, 1, 2 | vs1=80000000_7fc00000_40000000_ff800000 vs2=3f800000_40400000_3f800000 -> vs0=3f800000_40400000_3f800000
    f0000aac  xvrspic 0, 1 | vs1=3fc00000_40200000_bf000000_4b800001 -> vs0=40000000_40000000_80000000_4b800001 FPSCR=82000000
    f0000be4  xvrdpim 0, 1 | vs1=bff80000_00000000_3ff80000.. -> vs0=c0000000_00000000_3ff00000..
    f0000d60  xscvdpsxds 0, 1 | vs1=c3f00000.. -> vs0=80000000.. FPSCR=a0000100
    f0000920  xscvdpuxws 0, 1 | vs1=40240000.. -> vs0=0000000a_0000000a..
    f0000c24  xscvdpsp 0, 1 | vs1=3ff00000_30000000.. -> vs0=3f800002_3f800002.. FPSCR=82064000
    f0000d24  xscvspdp 0, 1 | vs1=7f800001.. -> vs0=7ff80000_20000000.. FPSCR=a1011000
    f0000c2c  xscvdpspn 0, 1 | vs1=7ff00000_20000000.. -> vs0=7f800001_7f800001..
    f0000d2c  xscvspdpn 0, 1 | vs1=7f800001.. -> vs0=7ff00000_20000000..
    f0100d6c  xscvhpdp 0, 1 | vs1=ffffffff_ffff8001.. -> vs0=be700000.. FPSCR=8000
    f0110d6c  xscvdphp 0, 1 | vs1=3f100000.. -> vs0=00000000_00000400.. FPSCR=4000
    f0180f6c  xvcvhpsp 0, 1 | vs1=ffff3c00_ffff7c00_ffff0001_ffffc000 -> vs0=3f800000_7f800000_33800000_c0000000
    f0190f6c  xvcvsphp 0, 1 | vs1=3f800000_477ff000_33800000_c0000000 -> vs0=3c00_00007c00_00000001_0000c000 FPSCR=92000000
    f0000e24  xvcvdpsp 0, 1 | vs1=3ff00000_00000000_7fefffff_ffffffff -> vs0=3f800000_3f800000_7f800000_7f800000 FPSCR=92000000
    f0000f24  xvcvspdp 0, 1 | vs1=3f800000_ffffffff_00000001_ffffffff -> vs0=3ff00000_00000000_36a00000..
    f0000a60  xvcvspsxws 0, 1 | vs1=3fc00000_cf000000_4effffff_bf7fffff -> vs0=00000001_80000000_7fffff80.. FPSCR=82000000
    f0000b20  xvcvdpuxws 0, 1 | vs1=41efffff_ffe00000_bff00000.. -> vs0=ffffffff_ffffffff.. FPSCR=a0000100
    f0000e20  xvcvspuxds 0, 1 | vs1=5f000000_ffffffff_3f800000_ffffffff -> vs0=80000000_00000000_00000000_00000001
    f0000ee0  xvcvsxdsp 0, 1 | vs1=7fffffff_ffffffff_ffffffff_ffffffff -> vs0=5f000000_5f000000_bf800000_bf800000 FPSCR=82000000
    f0000ba0  xvcvuxwdp 0, 1 | vs1=ffffffff_00000000_00000001.. -> vs0=41efffff_ffe00000_3ff00000..
    f0000ce0  xscvsxdsp 0, 1 | vs1=00000000_01000001.. -> vs0=41700000.. FPSCR=82024000
    f0000da0  xscvuxddp 0, 1 | vs1=ffffffff_ffffffff.. -> vs0=43f00000.. FPSCR=82064000
    fc011008  xsaddqp 0, 1, 2 | vs33=3fff0000.. vs34=3f8e0000.. -> vs32=3fff0000.. FPSCR=82024000
    fc011009  xsaddqpo 0, 1, 2 | vs33=3fff0000.. vs34=3f8d0000.. -> vs32=3fff0000_00000000_00000000_00000001 FPSCR=82064000
    fc011408  xssubqp 0, 1, 2 | vs33=3fff0000_00000000_00000000_00000001 vs34=3fff0000.. -> vs32=3f8f0000.. FPSCR=4000
    fc011048  xsmulqp 0, 1, 2 | vs33=3fff8000.. vs34=40018000.. -> vs32=40022000.. FPSCR=4000
    fc011448  xsdivqp 0, 1, 2 | vs33=3fff0000.. vs34=40008000.. -> vs32=3ffd5555_55555555_55555555_55555555 FPSCR=82024000
    fc011448  xsdivqp 0, 1, 2 | vs33=3fff0000.. -> vs32=7fff0000.. FPSCR=84005000
    fc1b1648  xssqrtqp 0, 2 | vs34=40000000.. -> vs32=3fff6a09_e667f3bc_c908b2fb_1366ea95 FPSCR=82024000
    fc011308  xsmaddqp 0, 1, 2 | vs32=bfff0000.. vs33=3fff0000_00000000_00000000_00000001 vs34=3fff0000_00000000_00000000_00000001
              -> vs32=3f900000.. FPSCR=82024000
    fc00100a  xsrqpi 0, 0, 2, 0 | vs34=40004000.. -> vs32=40008000.. FPSCR=4000
    fc01120b  xsrqpix 1, 0, 2, 1 | vs34=40005000.. -> vs32=40000000.. FPSCR=82024000
    fc01104a  xsrqpxp 1, 0, 2, 0 | vs34=3fff0000_00000000_00018000.. -> vs32=3fff0000_00000000_00020000.. FPSCR=82064000
    fc141688  xscvqpdp 0, 2 | vs34=3fff0000_00000000_08000000.. -> vs32=3ff00000.. FPSCR=82024000
    fc161688  xscvdpqp 0, 2 | vs34=00000000_00000001.. -> vs32=3bcd0000.. FPSCR=4000
    fc191688  xscvqpsdz 0, 2 | vs34=c03e0000.. -> vs32=80000000..
    fc011688  xscvqpuwz 0, 2 | vs34=401f0000.. -> vs32=00000000_ffffffff.. FPSCR=a0000100
    fc0a1688  xscvsdqp 0, 2 | vs34=ffffffff_ffffffff.. -> vs32=bfff0000.. FPSCR=8000
    fc811508  xscmpuqp 1, 1, 2 | vs33=7fff8000.. -> CR=1000000 FPSCR=1000
    fc811108  xscmpoqp 1, 1, 2 | vs33=3fff0000.. vs34=bfff0000.. -> CR=4000000 FPSCR=4000
    fc021648  xsxexpqp 0, 2 | vs34=c0008000.. -> vs32=00000000_00004000..
    fc121648  xsxsigqp 0, 2 | vs34=c0008000.. -> vs32=00018000..
    fc0116c8  xsiexpqp 0, 1, 2 | vs33=80001234.. vs34=00000000_00003fff.. -> vs32=bfff1234..
    fc821588  xststdcqp 1, 2, 2 | vs34=1 -> CR=2000000 FPSCR=2000
    fc0110c8  xscpsgnqp 0, 1, 2 | vs33=80000000.. vs34=3fff0000_00000000_00000000_00000001 -> vs32=bfff0000_00000000_00000000_00000001
    1001100a  vaddfp 0, 1, 2 | vs33=3f800000_00000001_7f800001_7f800000 vs34=40000000_00000001_3f800000_ff800000
              -> vs32=40400000_00000000_7fc00001_7fc00000
    100118ae  vmaddfp 0, 1, 2, 3 | vs33=40000000_00800000_7fc00001.. vs34=40400000_3f000000_3f800000_7f800000
              vs35=3f800000_00000000_7fc00002_7fc00003
              -> vs32=40e00000_00000000_7fc00001_7fc00003
    100118af  vnmsubfp 0, 1, 2, 3 | vs33=40000000_3f800000_7fc00001.. vs34=40400000_3f800000_3f800000_3f800000
              vs35=3f800000_3f800000_7fc00002..
              -> vs32=c0a00000_80000000_7fc00001_80000000
    1001140a  vmaxfp 0, 1, 2 | vs33=80000000_7fc00000_40000000_7f800001 vs34=3f800000_40400000_3f800000
              -> vs32=7fc00000_40400000_7fc00001
    1001144a  vminfp 0, 1, 2 | vs33=80000000_3f800000_40000000_00000001 vs34=ffc00000_40400000_80000001
              -> vs32=80000000_ffc00000_40000000_80000000
    1000128a  vrfip 0, 2 | vs34=1_bf000000_3f800001_7f800000 -> vs32=80000000_40000000_7f800000
    1000120a  vrfin 0, 2 | vs34=3f000000_3fc00000_c0200000_7f800001 -> vs32=40000000_c0000000_7fc00001
    1004134a  vcfsx 0, 2, 4 | vs34=10_ffffffff_00000000_7fffffff -> vs32=3f800000_bd800000_00000000_4d000000
    101f130a  vcfux 0, 2, 31 | vs34=80000000_ffffffff_00000000_00000001 -> vs32=3f800000_40000000_00000000_30000000
    100113ca  vctsxs 0, 2, 1 | vs34=3fc00000_4f000000_7fc00000_c0200000 -> vs32=3_7fffffff_00000000_fffffffb SAT=1
    1000138a  vctuxs 0, 2, 0 | vs34=3fc00000_cf000000_bf000000_4f7fffff -> vs32=1_00000000_00000000_ffffff00 SAT=1
    100114c6  vcmpeqfp. 0, 1, 2 | vs33=80000000_3f800000_00000001_ff800000 vs34=3f800000_80000001_ff800000
              -> vs32=ffffffff_ffffffff_ffffffff_ffffffff CR=80
    100115c6  vcmpgefp. 0, 1, 2 | vs33=7fc00000_3f800000_40000000_ff800000 vs34=40000000_40400000_7f800000 -> CR=20
    100117c6  vcmpbfp. 0, 1, 2 | vs33=3f800000_c0400000_40400000_7fc00000 vs34=3f800000_40000000_40000000_40000000
              -> vs32=40000000_80000000_c0000000
    100117c6  vcmpbfp. 0, 1, 2 | vs33=3f800000_c0000000_40000000.. vs34=3f800000_40000000_40000000_40000000 -> CR=20
    1000110a  vrefp 0, 2 | vs34=40000000_00000000_ff800000_40400000 -> vs32=3f000000_7f800000_80000000_3eaaaaab
    1000114a  vrsqrtefp 0, 2 | vs34=40800000_bf800000_00000000_41800000 -> vs32=3f000000_7fc00000_7f800000_3e800000
"""
BYTES: Final = bytes(range(64))
#: FPSCR's enable bits and what they are of
VE, OE, UE, ZE, XE = 0x80, 0x40, 0x20, 0x10, 8
ONE, INFINITY, LARGEST, LEAST = 0x3FF << 52, 0x7FF << 52, 0x7FEFFFFFFFFFFFFF, 1 << 52
KEPT: Final = 0x5555555555555555_5555555555555555


@pytest.fixture(scope="module")
def law() -> Law:
    return Law("ppc64le")


def values(text: str) -> dict[str, int]:
    """Return what "vs1=… CR=80 10:a0b1" says."""
    out = {}
    for item in text.split():
        if ":" in item:
            at, data = item.split(":")
            out.update({f"{int(at, 16) + i:x}": byte for i, byte in enumerate(bytes.fromhex(data)) if byte != int(at, 16) + i})
            continue
        name, value = item.split("=")
        digits = value.replace("_", "")
        out[name] = int(digits[:-2].ljust(32, "0") if value.endswith("..") else digits, 16)
    return out


def law_case(law: Law, word: int, state: dict[str, int], *, fpscr: int = 0, nj: int = 1) -> LawCase:
    """Return a case: one instruction, registers of zeros but for those given."""
    st = law.engine.state
    st.buffer[ENGINE_BYTES:] = bytes(len(st.buffer) - ENGINE_BYTES)
    st.write("fpscr", fpscr)
    st.write("vscr", nj << 16)
    for name, value in state.items():
        letters = name.rstrip("0123456789")
        st.set(law.cells[{"vs": "VSR", "r": "GPR"}[letters]], int(name.removeprefix(letters)), value)
    memory = BYTES + bytes(WINDOW_SIZE - 64)
    return LawCase(word.to_bytes(4, "little"), 1, st.context, bytes(st.buffer[ENGINE_BYTES:]), memory, f"{word:08x}")


def outcome(law: Law, case: LawCase) -> dict[str, int]:
    """Return what an instruction changes, under the names that examples use."""
    out: dict[str, int] = {}
    for name, value in changes(law, case).items():
        cell, index = name.rstrip("]").split("[") if "[" in name else (name, "0")
        if cell in ("VSR", "GPR"):
            out[{"VSR": "vs", "GPR": "r"}[cell] + index] = value
        elif name == "memory":
            out.update({f"{at:x}": value[at] for at in range(64) if value[at] != at})
        elif cell in ("SAT", "cr"):
            out[cell.upper()] = value
    if fpscr := law.engine.state.read("fpscr"):
        out["FPSCR"] = fpscr
    return out


def examples() -> Iterator[Any]:
    """Yield (word, state before, changes) of each example."""
    for line in EXAMPLES.replace("\n              ", " ").strip().split("\n"):
        word, text, before, after = re.fullmatch(r" *(\w{8})  (.*?) \| (.*?) ?-> ?(.*)", line).groups()  # type: ignore[union-attr]
        yield pytest.param(int(word, 16), before, after, id=text.strip())


@pytest.mark.parametrize(("word", "before", "after"), list(examples()))
def test_examples(law: Law, word: int, before: str, after: str) -> None:
    assert outcome(law, law_case(law, word, values(before))) == values(after)


def test_every_tier(law: Law) -> None:
    cases = [law_case(law, word, values(before)) for word, before, _ in (p.values for p in examples())]
    assert law.run(cases) == []


@pytest.mark.parametrize(("word", "x", "y", "enabled", "fpscr", "result"), [
    (0xF0011100, INFINITY, 1 << 63 | INFINITY, VE, 0xE0800080, None),              # xsadddp: no result, FPRF stays
    (0xF00111C0, ONE, 0, ZE, 0xC4000010, None),                                    # xsdivdp
    (0xF0011180, LARGEST, 0x4000 << 48, OE, 0xD0004040, LARGEST - (1535 << 52)),   # xsmuldp: the exponent less 1536
    (0xF0011180, LEAST, 0x3FE0 << 48, UE, 0xC8004020, 1536 << 52),                 # xsmuldp: exact, the exponent and 1536 more
    (0xF0011100, ONE, 1, XE, 0xC2024008, ONE),                                     # xsadddp
    (0xF0011098, 0x7FF8 << 48, ONE, VE, 0xE0080080, None),                         # xscmpgedp: VXVC
    (0xF0011098, INFINITY | 1, ONE, VE, 0xE1000080, None),                         # xscmpgedp: VXSNAN alone
])  # fmt: skip
def test_enabled_exceptions(law: Law, word: int, x: int, y: int, enabled: int, fpscr: int, result: int | None) -> None:
    case = law_case(law, word, {"vs0": KEPT, "vs1": x << 64, "vs2": y << 64}, fpscr=enabled)
    expected = {"FPSCR": fpscr} | ({} if result is None else {"vs0": result << 64})
    assert outcome(law, case) == expected
    assert law.run([case]) == []


@pytest.mark.parametrize(("word", "x", "enabled", "fpscr"), [
    (0xF0011300, (LARGEST, ONE), OE, 0xD0000040),                                  # xvadddp: one element suffices, FPRF stays
    (0xF0011300, (ONE, 1), XE, 0xC2000008),
    (0xF0000B2C, (ONE, 1 << 63 | ONE), VE, 0xE0000280),                            # xvsqrtdp
])  # fmt: skip
def test_enabled_exceptions_of_vectors_leave_the_register(law: Law, word: int, x: tuple[int, int], enabled: int, fpscr: int) -> None:
    state = {"vs0": KEPT, "vs1": x[0] << 64 | x[1], "vs2": LARGEST << 64 | ONE}
    assert outcome(law, law_case(law, word, state, fpscr=enabled)) == {"FPSCR": fpscr}


@pytest.mark.parametrize(("nj", "result"), [(1, 0), (0, 0x00000002)])
def test_denormals_by_mode(law: Law, nj: int, result: int) -> None:
    case = law_case(law, 0x1001100A, {"vs33": 1, "vs34": 1}, nj=nj)                # vaddfp
    assert outcome(law, case).get("vs32", 0) == result
    assert law.run([case]) == []
