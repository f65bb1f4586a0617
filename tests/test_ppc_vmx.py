"""AltiVec of PowerPC, all but floating point: worked examples in every tier, memory in both byte orders, hosts without instructions.

Examples are from the manual's descriptions, FIPS 197 and FIPS 180-4; all rows were compared with QEMU's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.law import WINDOW, WINDOW_SIZE, Law, LawCase
from xemu.core import host
from xemu.core.state import ENGINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.isa import Variant

#: word, text, state before -> all that changes. Registers that are not named are 0; NJ is 1; `..`: zeros follow; `?`: whatever it is.
EXAMPLES: Final = """
    10011000  vaddubm 0, 1, 2 | v1=ff010203_80ff7f01_00000000_fffffffe v2=1010101_80010102_00000000_01010102 -> v0=00020304_00008003..
    10011200  vaddubs 0, 1, 2 | v1=ff800102.. v2=01800203.. -> v0=ffff0305.. SAT=1
    10011200  vaddubs 0, 1, 2 | v1=fe7f0102.. v2=01800203.. -> v0=ffff0305..
    10011380  vaddsws 0, 1, 2 | v1=7fffffff_80000000_00000001_ffffffff v2=1_ffffffff_00000002_ffffffff
              -> v0=7fffffff_80000000_00000003_fffffffe SAT=1
    10011000  vaddubm 0, 1, 2 | v1=01000000.. SAT=1 -> v0=01000000..
    10011640  vsubuhs 0, 1, 2 | v1=0001ffff_80000000.. v2=0002fffe_00010000.. -> v0=00000001_7fff0000.. SAT=1
    10011740  vsubshs 0, 1, 2 | v1=80007fff_00010000.. v2=0001ffff_00010000.. -> v0=80007fff.. SAT=1
    10011180  vaddcuw 0, 1, 2 | v1=ffffffff_fffffffe_80000000.. v2=1_00000001_80000000_00000000 -> v0=1_00000000_00000001_00000000
    10011580  vsubcuw 0, 1, 2 | v1=1_00000000_80000000_00000005 v2=1_00000001_7fffffff_00000006 -> v0=1_00000000_00000001_00000000
    10011140  vaddcuq 0, 1, 2 | v1=ffffffff_ffffffff_ffffffff_ffffffff v2=1 -> v0=1
    100110fc  vaddeuqm 0, 1, 2, 3 | v1=ffffffff_ffffffff v3=3 -> v0=1_00000000_00000000
    100110ff  vsubecuq 0, 1, 2, 3 | v1=5 v2=5 v3=1 -> v0=1
    100110fe  vsubeuqm 0, 1, 2, 3 | v1=5 v2=5 -> v0=ffffffff_ffffffff_ffffffff_ffffffff
    10011502  vavgsb 0, 1, 2 | v1=7f80ff01.. v2=7f80fe02.. -> v0=7f80ff02..
    10011442  vavguh 0, 1, 2 | v1=ffff0001.. v2=ffff0002.. -> v0=ffff0002..
    10011403  vabsdub 0, 1, 2 | v1=ff0001fe.. v2=00ff02fe.. -> v0=ffff0100..
    10011182  vmaxsw 0, 1, 2 | v1=80000000_7fffffff_ffffffff_00000005 v2=80000000_fffffffe_00000006 -> v0=7fffffff_ffffffff_00000006
    10011202  vminub 0, 1, 2 | v1=80ff0100.. v2=7f00ff00.. -> v0=7f000100..
    10061602  vnegw 0, 2 | v2=1_80000000_ffffffff_00000000 -> v0=ffffffff_80000000_00000001..
    10181602  vextsb2d 0, 2 | v2=1234567_89abcd80_fedcba98_7654327f -> v0=ffffffff_ffffff80_00000000_0000007f
    10111602  vextsh2w 0, 2 | v2=01238000_00007fff_ffff0001.. -> v0=ffff8000_00007fff_00000001..
    10011308  vmulesb 0, 1, 2 | v1=80017f02_ff030004.. v2=80107f20_02300040.. -> v0=40003f01_fffe0000..
    10011008  vmuloub 0, 1, 2 | v1=80ff7f02_ff030004.. v2=80ff7f20_02300040.. -> v0=fe010040_00900100..
    10011188  vmulosw 0, 1, 2 | v1=11111111_80000000_00000000_ffffffff v2=22222222_80000000_00000000_00000002
              -> v0=40000000_00000000_ffffffff_fffffffe
    10011288  vmuleuw 0, 1, 2 | v1=ffffffff_11111111_00000002.. v2=ffffffff_22222222_80000001.. -> v0=fffffffe_00000001_00000001_00000002
    100110e0  vmhaddshs 0, 1, 2, 3 | v1=80004000_7fff0000.. v2=80004000_7fff0000.. v3=00000001_00018000.. -> v0=7fff2001_7fff8000.. SAT=1
    100110e1  vmhraddshs 0, 1, 2, 3 | v1=00010001_ffff0000.. v2=3fff4000_40000000.. v3=00050005_00050000.. -> v0=00050006_00050000..
    100110e2  vmladduhm 0, 1, 2, 3 | v1=ffff1000_00020000.. v2=ffff0010_00030000.. v3=00010005_ffff0000.. -> v0=00020005_00050000..
    100110e4  vmsumubm 0, 1, 2, 3 | v1=ffffffff_01020304.. v2=ffffffff_01010101.. v3=1_ffffffff_00000007_00000000
              -> v0=0003f805_00000009_00000007..
    100110e5  vmsummbm 0, 1, 2, 3 | v1=80808080_ff000000.. v2=ffffffff_02000000.. v3=1_00000000_00000000 -> v0=fffe0200_ffffffff..
    100110e7  vmsumuhs 0, 1, 2, 3 | v1=ffffffff_00010001_ffffffff.. v2=ffffffff_00010001_00010000.. v3=fffffffd_ffff0000_00000000
              -> v0=ffffffff_ffffffff_ffffffff.. SAT=1
    100110e9  vmsumshs 0, 1, 2, 3 | v1=80008000_80008000.. v2=80008000_80008000.. v3=ffffffff_00000000_00000001..
              -> v0=7fffffff_7fffffff_00000001.. SAT=1
    100110e9  vmsumshs 0, 1, 2, 3 | v1=80008000_80000000.. v2=80008000_7fff0000.. v3=ffffffff_c0008000.. -> v0=7fffffff_80010000..
    100110e3  vmsumudm 0, 1, 2, 3 | v1=ffffffff_ffffffff_00000000_00000002 v2=ffffffff_ffffffff_00000000_00000003 v3=1
              -> v0=ffffffff_fffffffe_00000000_00000008
    10011708  vsum4sbs 0, 1, 2 | v1=7f7f7f7f_80808080_01020304.. v2=7fffffff_80000000_00000001.. -> v0=7fffffff_80000000_0000000b.. SAT=1
    10011688  vsum2sws 0, 1, 2 | v1=7fffffff_00000001_ffffffff_fffffffe v2=55555555_00000000_55555555_00000001
              -> v0=7fffffff_00000000_fffffffe SAT=1
    10011788  vsumsws 0, 1, 2 | v1=7fffffff_7fffffff_80000000_80000000 v2=55555555_55555555_55555555_00000003 -> v0=1
    1001100e  vpkuhum 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=1030507_090b0d0f_11131517_191b1d1f
    1001110e  vpkshus 0, 1, 2 | v1=ffff0001_00ff0100_80007fff.. v2=20003_00040005_00060007_00080009
              -> v0=1ffff_00ff0000_02030405_06070809 SAT=1
    100111ce  vpkswss 0, 1, 2 | v1=7fff_00008000_ffff8000_ffff7fff v2=1_ffffffff_00000002_fffffffe
              -> v0=7fff7fff_80008000_0001ffff_0002fffe SAT=1
    100114ce  vpkudus 0, 1, 2 | v1=ffffffff_00000001_00000000 v2=ffffffff_ffffffff_00000000_00000005
              -> v0=ffffffff_ffffffff_ffffffff_00000005 SAT=1
    1001130e  vpkpx 0, 1, 2 | v1=1ff0000_ff00ff00_fe0000ff_01f8f8f8 v2=80808_00070707_00000000_ffffffff
              -> v0=fc0083e0_001fffff_04210000_0000ffff
    1000134e  vupkhpx 0, 2 | v2=fc0003e0_001f8421_ffffffff_ffffffff -> v0=ff1f0000_00001f00_0000001f_ff010101
    1000128e  vupklsb 0, 2 | v2=ffffffff_ffffffff_80017fff_00fe0203 -> v0=ff800001_007fffff_0000fffe_00020003
    1000164e  vupkhsw 0, 2 | v2=80000000_7fffffff_ffffffff_ffffffff -> v0=ffffffff_80000000_00000000_7fffffff
    1001100c  vmrghb 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=100111_02120313_04140515_06160717
    1001118c  vmrglw 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=8090a0b_18191a1b_0c0d0e0f_1c1d1e1f
    1001178c  vmrgew 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=10203_10111213_08090a0b_18191a1b
    1001168c  vmrgow 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=4050607_14151617_0c0d0e0f_1c1d1e1f
    1003120c  vspltb 0, 2, 3 | v2=10203_04050607_08090a0b_0c0d0e0f -> v0=3030303_03030303_03030303_03030303
    1006124c  vsplth 0, 2, 6 | v2=10203_04050607_08090a0b_0c0d0e0f -> v0=c0d0c0d_0c0d0c0d_0c0d0c0d_0c0d0c0d
    1001128c  vspltw 0, 2, 1 | v2=10203_04050607_08090a0b_0c0d0e0f -> v0=4050607_04050607_04050607_04050607
    1010034c  vspltish 0, -16 | -> v0=fff0fff0_fff0fff0_fff0fff0_fff0fff0
    100110eb  vperm 0, 1, 2, 3 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f v3=1f00ef80_0f101a05_e1c2a384
              -> v0=1f000f00_0f101a05_01020304
    100110fb  vpermr 0, 1, 2, 3 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617.. v3=1f00ef80_0f101a05_e1c2a384_65464728
              -> v0=1000_100f0500_00000000_00000017
    100108eb  vperm 0, 1, 1, 3 | v1=10203_04050607_08090a0b_0c0d0e0f v3=1f00ef80_0f101a05_e1c2a384_65464728
              -> v0=f000f00_0f000a05_01020304_05060708
    100110ea  vsel 0, 1, 2, 3 | v1=ff00ff_00000000_00000000_ffffffff v2=0f0f0f0f_ffffffff.. v3=ffff0000_12345678_ffffffff_0000ffff
              -> v0=f0f00ff_12345678_00000000_ffff0000
    1001116c  vsldoi 0, 1, 2, 5 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f
              -> v0=5060708_090a0b0c_0d0e0f10_11121314
    1001140c  vslo 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=1f -> v0=3040506_0708090a_0b0c0d0e_0f000000
    1001144c  vsro 0, 1, 2 | v1=80010203_04050607_08090a0b_0c0d0e0f v2=78 -> v0=80
    100111c4  vsl 0, 1, 2 | v1=80010203_04050607_08090a0b_0c0d0e0f v2=4040404_04040404_04040404_04040404
              -> v0=102030_40506070_8090a0b0_c0d0e0f0
    100112c4  vsr 0, 1, 2 | v1=80010203_04050607_08090a0b_0c0d0e0f v2=4040404_04040404_04040404_04040404
              -> v0=8001020_30405060_708090a0_b0c0d0e0
    10011744  vslv 0, 1, 2 | v1=81828384_00000000_00000000_000000ff v2=10204_00000000_00000000_00000007
              -> v0=81050e40_00000000_00000000_00000080
    10011704  vsrv 0, 1, 2 | v1=81828384_00000000_00000000_000000ff v2=1010204_00000000_00000000_00000007
              -> v0=40c1a038_00000000_00000000_00000001
    100d124d  vextractuh 0, 2, 13 | v2=10203_04050607_08090a0b_0c0d0e0f -> v0=00000000_00000d0e..
    1003138d  vinsertw 0, 2, 3 | v0=ffffffff_ffffffff_ffffffff_ffffffff v2=10203_04050607_08090a0b_0c0d0e0f
              -> v0=ffffff04_050607ff_ffffffff_ffffffff
    1064164d  vextuhlx 3, 4, 2 | r4=fffffffffffffff2 v2=10203_04050607_08090a0b_0c0d0e0f -> r3=203
    1064178d  vextuwrx 3, 4, 2 | r4=1 v2=10203_04050607_08090a0b_0c0d0e0f -> r3=b0c0d0e
    10601602  vclzlsbb 3, 2 | r3=5 v2=00fe02f1.. -> r3=3
    10611602  vctzlsbb 3, 2 | r3=5 v2=00fe02f1.. -> r3=c
    10601602  vclzlsbb 3, 2 | r3=5 v2=00000000_fefefefe.. -> r3=10
    10011406  vcmpequb. 0, 1, 2 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10203_04050607_08090a0b_0c0d0e0f
              -> v0=ffffffff_ffffffff_ffffffff_ffffffff CR=80
    10011006  vcmpequb 0, 1, 2 | CR=70 -> v0=ffffffff_ffffffff_ffffffff_ffffffff
    10011746  vcmpgtsh. 0, 1, 2 | CR=f0 v1=80007fff_00000001.. v2=7fff8000.. -> v0=0000ffff_0000ffff.. CR=0
    100116c7  vcmpgtud. 0, 1, 2 | v1=80000000.. v2=80000000_00000000_00000000_00000001 -> CR=20
    10011107  vcmpnezb 0, 1, 2 | v1=1020003_04040404_04040404_04040404 v2=1030103_00040404_04040404_04040404 -> v0=00ffff00_ff000000..
    10011447  vcmpneh. 0, 1, 2 | CR=f0 v1=1020003_04040404_04040404_04040404 v2=1020003_04040404_04040404_04040405 -> v0=ffff CR=0
    10011544  vorc 0, 1, 2 | v1=00000000_0f0f0f0f.. v2=ffffffff_ffff0000_00000000_ffffffff -> v0=f0fffff_ffffffff_00000000
    10011584  vnand 0, 1, 2 | v1=ffffffff_0f0f0f0f_00000000_ffffffff v2=ffffffff_ffff0000_00000000_ffffffff
              -> v0=f0f0ffff_ffffffff_00000000
    10011684  veqv 0, 1, 2 | v1=ffffffff_0f0f0f0f_00000000_ffffffff v2=ffffffff_ffff0000_00000000_ffffffff
              -> v0=ffffffff_0f0ff0f0_ffffffff_ffffffff
    10011004  vrlb 0, 1, 2 | v1=81018181.. v2=01070809.. -> v0=03808103..
    10011184  vslw 0, 1, 2 | v1=80000001_00000001_00000001.. v2=1_0000001f_00000020_00000000 -> v0=2_80000000_00000001_00000000
    100113c4  vsrad 0, 1, 2 | v1=80000000_00000000_40000000.. v2=3f_ffffffff_ffffffc1 -> v0=ffffffff_ffffffff_20000000..
    10011185  vrlwnm 0, 1, 2 | v1=12345678_12345678_12345678_12345678 v2=80f04_00000000_001c0308_00001f10
              -> v0=450000_00000000_30000002_56781234
    100110c5  vrldmi 0, 1, 2 | v0=ffffffff_ffffffff.. v1=1234567_89abcdef_01234567_89abcdef v2=80f04_00000000_00203f00
              -> v0=ff34ffff_ffffffff_00000000_89abcdef
    10001742  vclzh 0, 2 | v2=1_80007fff_01000010_ffff0002 -> v0=10000f_00000001_0007000b_0000000e
    101f1602  vctzd 0, 2 | v2=80000000_00000000 -> v0=40_00000000_0000003f
    10001703  vpopcntb 0, 2 | v2=ff0180_7f000000_00000000_00000003 -> v0=80101_07000000_00000000_00000002
    10081602  vprtybw 0, 2 | v2=1010101_01010100_fefefefe_00000001 -> v0=1_00000000_00000001
    100a1602  vprtybq 0, 2 | v2=1000000_00000000_01000000_01000000 -> v0=1
    1001154c  vbpermq 0, 1, 2 | v1=80000000_00000000_00000000_00000001 v2=7f8001_ff000000_00000000_0000007f -> v0=00000000_0000c7ff..
    100115cc  vbpermd 0, 1, 2 | v1=80000000_00000001_40000000.. v2=3f4001_ff7f8000_0001003f_40ff0101 -> v0=c1_00000000_00000043
    1000150c  vgbbd 0, 2 | v2=ff000000_00000000_80808080_80808080 -> v0=80808080_80808080_ff000000..
    10011508  vcipher 0, 1, 2 | v1=193de3be_a0f4e22b_9ac68d2a_e9f84808 v2=a0fafe17_88542cb1_23a33939_2a6c7605
              -> v0=a49c7ff2_689f352b_6b5bea43_026a5049
    10011509  vcipherlast 0, 1, 2 | v1=eb40f21e_592e3884_8ba113e7_1bc342d2 v2=d014f9a8_c9ee2589_e13f0cc8_b6630ca6
              -> v0=3925841d_02dc09fb_dc118597_196a0b32
    10011548  vncipher 0, 1, 2 | v1=7ad5fda7_89ef4e27_2bca100b_3d9ff59f v2=549932d1_f0855768_1093ed9c_be2c974e
              -> v0=54d990a1_6ba09ab5_96bbf40e_a111702f
    10011549  vncipherlast 0, 1, 2 | v1=6353e08c_0960e104_cd70b751_bacad0e7 v2=10203_04050607_08090a0b_0c0d0e0f
              -> v0=112233_44556677_8899aabb_ccddeeff
    100105c8  vsbox 0, 1 | v1=15300_00000000_00000000_00000053 -> v0=637ced63_63636363_63636363_636363ed
    10012e82  vshasigmaw 0, 1, 0, 5 | v1=1_00000001_00000001_00000001 -> v0=2004000_0000a000_02004000_0000a000
    1001c682  vshasigmaw 0, 1, 1, 8 | v1=1_00000001_00000001_00000001 -> v0=4200080_40080400_40080400_40080400
    100116c2  vshasigmad 0, 1, 0, 2 | v1=1_00000000_00000001 -> v0=81000000_00000000_00002000_00000008
    1001c6c2  vshasigmad 0, 1, 1, 8 | v1=1_00000000_00000001 -> v0=44000_00800000_00000010_42000000
    10011408  vpmsumb 0, 1, 2 | v1=ff010302.. v2=ff010305.. -> v0=5554000f..
    10011448  vpmsumh 0, 1, 2 | v1=ffff0000_00030005.. v2=ffff0000_00030003.. -> v0=55555555_0000000a..
    10011488  vpmsumw 0, 1, 2 | v1=ffffffff_00000000_00000003_00000005 v2=ffffffff_00000000_00000003_00000003
              -> v0=55555555_55555555_00000000_0000000a
    100114c8  vpmsumd 0, 1, 2 | v1=80000000_00000000_00000000_00000003 v2=80000000_00000000_00000000_00000003
              -> v0=40000000_00000000_00000000_00000005
    100110ed  vpermxor 0, 1, 2, 3 | v1=10203_04050607_08090a0b_0c0d0e0f v2=10111213_14151617_18191a1b_1c1d1e1f v3=0f1ff0a5..
              -> v0=1f1e1f1f_10101010_10101010_10101010
    10011401  bcdadd. 0, 1, 2, 0 | v1=999c v2=1f -> v0=1000c CR=40
    10011601  bcdadd. 0, 1, 2, 1 | v1=5d v2=5a -> v0=f CR=20
    10011401  bcdadd. 0, 1, 2, 0 | v1=99999999_99999999_99999999_9999999b v2=2d -> v0=1d CR=90
    10011401  bcdadd. 0, 1, 2, 0 | v1=1c v2=302 -> CR=10 v0=?
    10011441  bcdsub. 0, 1, 2, 0 | v1=100c v2=255c -> v0=155d CR=80
    10071781  bcdcfn. 0, 2, 1 | v2=300031_00320033_00340035_0036002b -> v0=123456f CR=40
    10071581  bcdcfn. 0, 2, 0 | v2=300030_00300030_00300030_0030002d -> v0=d CR=20
    10051581  bcdctn. 0, 2 | v2=1_1234567d -> v0=310032_00330034_00350036_0037002d CR=90
    10061581  bcdcfz. 0, 2, 0 | v2=30313233_34353637_38393031_32333475 -> v0=12345678_9012345d CR=80
    10061781  bcdcfz. 0, 2, 1 | v2=f0f1f2f3_f4f5f6f7_f8f9f0f1_f2f3f4c5 -> v0=12345678_9012345c CR=40
    10041781  bcdctz. 0, 2, 1 | v2=12345678_9012345d -> v0=f0f1f2f3_f4f5f6f7_f8f9f0f1_f2f3f4d5 CR=80
    10021581  bcdcfsq. 0, 2, 0 | v2=ffffffff_ffffffff_ffffffff_ffffff85 -> v0=123d CR=80
    10021781  bcdcfsq. 0, 2, 1 | v2=7e_37be2022_c0914b26_7fffffff -> v0=99999999_99999999_99999999_9999999f CR=40
    10021781  bcdcfsq. 0, 2, 1 | v2=7e_37be2022_c0914b26_80000000 -> CR=50 v0=?
    10001581  bcdctsq. 0, 2 | v2=99999999_99999999_99999999_9999999d -> v0=ffffff81_c841dfdd_3f6eb4d9_80000001 CR=80
    10011341  bcdcpsgn. 0, 1, 2 | v1=123c v2=b -> v0=123b CR=80
    101f1781  bcdsetsgn. 0, 2, 1 | v2=123a -> v0=123f CR=40
    100114c1  bcds. 0, 1, 2, 0 | v1=2_00000000_00000000 v2=123b -> v0=12300d CR=80
    100114c1  bcds. 0, 1, 2, 0 | v1=00000000_0000001d.. v2=123a -> v0=23000000_00000000_00000000_0000000c CR=50
    100114c1  bcds. 0, 1, 2, 0 | v1=00000000_000000fe.. v2=9873a -> v0=98c CR=40
    100115c1  bcdsr. 0, 1, 2, 0 | v1=00000000_000000fe.. v2=9973a -> v0=100c CR=40
    10011481  bcdus. 0, 1, 2 | v1=1_00000000_00000000 v2=12345678_90123456_78901234_56789012
              -> v0=23456789_01234567_89012345_67890120 CR=50
    10011501  bcdtrunc. 0, 1, 2, 0 | v1=3_00000000_00000000 v2=12345b -> v0=345d CR=90
    10011541  bcdutrunc. 0, 1, 2 | v1=3_00000000_00000000 v2=12345 -> v0=345 CR=50
    10010201  vmul10uq 0, 1 | v1=20000000_00000001 -> v0=1_40000000_0000000a
    10010001  vmul10cuq 0, 1 | v1=ffffffff_ffffffff_ffffffff_ffffffff -> v0=9
    10011041  vmul10ecuq 0, 1, 2 | v1=19999999_99999999_99999999_99999999 v2=6 -> v0=1
    10011241  vmul10euq 0, 1, 2 | v0=1 v1=19999999_99999999_99999999_99999999 v2=6 -> v0=0
    10000604  mfvscr 0 | v0=ffffffff_ffffffff_ffffffff_ffffffff SAT=1 -> v0=10001
    10001644  mtvscr 2 | v2=ffffffff_ffffffff_ffffffff_fffe0001 -> NJ=0 SAT=1 JAVA=1
    7c04280c  lvsl 0, 4, 5 | r4=50000003 r5=10 -> v0=3040506_0708090a_0b0c0d0e_0f101112
    7c04284c  lvsr 0, 4, 5 | r4=50000003 r5=10 -> v0=d0e0f10_11121314_15161718_191a1b1c
"""
#: word, text: what is loaded or stored at 5000_0000h + r4 + r5, where bytes 0 to 63 count up: big-endian, little-endian
MEMORY: Final = """
    7c0428ce  lvx 0, 4, 5    | r5=1f | v0=10111213_14151617_18191a1b_1c1d1e1f | v0=1f1e1d1c_1b1a1918_17161514_13121110
    7c042ace  lvxl 0, 4, 5   | r5=20 | v0=20212223_24252627_28292a2b_2c2d2e2f | v0=2f2e2d2c_2b2a2928_27262524_23222120
    7c04280e  lvebx 0, 4, 5  | r5=23 | v0=00000023_00000000_00000000_00000000 | v0=00000000_00000000_00000000_23000000
    7c04284e  lvehx 0, 4, 5  | r5=23 | v0=00002223_00000000_00000000_00000000 | v0=00000000_00000000_00000000_23220000
    7c04288e  lvewx 0, 4, 5  | r5=2b | v0=00000000_00000000_28292a2b_00000000 | v0=00000000_2b2a2928_00000000_00000000
    7c2429ce  stvx 1, 4, 5   | r5=1f | 10=a0a1a2a3_a4a5a6a7_a8a9aaab_acadaeaf | 10=afaeadac_abaaa9a8_a7a6a5a4_a3a2a1a0
    7c242bce  stvxl 1, 4, 5  | r5=20 | 20=a0a1a2a3_a4a5a6a7_a8a9aaab_acadaeaf | 20=afaeadac_abaaa9a8_a7a6a5a4_a3a2a1a0
    7c24290e  stvebx 1, 4, 5 | r5=23 | 23=a3 | 23=ac
    7c24294e  stvehx 1, 4, 5 | r5=23 | 22=a2a3 | 22=adac
    7c24298e  stvewx 1, 4, 5 | r5=2b | 28=a8a9aaab | 28=a7a6a5a4
"""
STORED: Final = "v1=a0a1a2a3_a4a5a6a7_a8a9aaab_acadaeaf"
BYTES: Final = bytes(range(64))
TARGETS: Final = ("ppc", "ppc64le")


@pytest.fixture(scope="module")
def laws() -> dict[str, Law]:
    return {target: Law(target) for target in TARGETS}


def place(name: str) -> tuple[str, int]:
    """Return the cell and index of a register as examples name it."""
    letters = name.rstrip("0123456789")
    number = int(name.removeprefix(letters) or 0)
    return {"v": ("VSR", 32 + number), "r": ("GPR", number)}.get(letters, (name, 0))


def values(text: str) -> dict[str, int]:
    """Return what "v1=… CR=80" says."""
    out = {}
    for name, value in (item.split("=") for item in text.split()):
        digits = value.replace("_", "")
        out[name] = int(digits[:-2].ljust(32, "0") if value.endswith("..") else digits, 16)
    return out


def law_case(law: Law, word: int, state: dict[str, int]) -> LawCase:
    """Return a case: one instruction, registers of zeros but for those given."""
    st = law.engine.state
    st.buffer[ENGINE_BYTES:] = bytes(len(st.buffer) - ENGINE_BYTES)
    for name, value in {"NJ": 1, **state}.items():
        if name == "CR":
            st.write(law.status, value)
        else:
            cell, index = place(name)
            st.set(law.cells[cell], index, value)
    big = law.target.sets[0].big
    memory = BYTES + bytes(WINDOW_SIZE - 64)
    return LawCase(word.to_bytes(4, "big" if big else "little"), 1, 0, bytes(st.buffer[ENGINE_BYTES:]), memory, f"{word:08x}")


def changes(law: Law, case: LawCase) -> dict[str, Any]:
    """Return what an instruction changes, as the evaluator does it."""
    law.space.map(case.pc & ~4095, 4096, 7)
    law.space.write(case.pc, case.words)
    law._begin(case)
    before = dict(law._outcome(None, law.engine.insns))
    after = dict(law.evaluated(case))
    law.space.unmap(case.pc & ~4095, 4096)
    return {name: value for name, value in after.items() if value != before[name] and name not in ("pc", "ran")}


def named(changed: dict[str, Any]) -> dict[str, int]:
    """Return changes under the names that examples use."""
    out: dict[str, int] = {}
    for name, value in changed.items():
        cell, index = name.rstrip("]").split("[") if "[" in name else (name, "0")
        if cell == "VSR":
            out[f"v{int(index) - 32}"] = value
        elif cell == "GPR":
            out[f"r{index}"] = value
        elif cell == "context":
            out["JAVA"] = value >> 1
        elif name == "memory":
            out.update({f"{at:x}": value[at] for at in range(64) if value[at] != at})
        elif cell != "CRB":
            out[cell.upper()] = value
    return out


def examples() -> Iterator[Any]:
    """Yield (word, state before, changes) of each example."""
    for line in EXAMPLES.replace("\n              ->", " ->").strip().split("\n"):
        word, text, before, after = re.fullmatch(r" *(\w{8})  (.*?) \| (.*?) ?-> (.*)", line).groups()  # type: ignore[union-attr]
        yield pytest.param(int(word, 16), before, after, id=text.strip())


@pytest.mark.parametrize(("word", "before", "after"), list(examples()))
def test_examples(laws: dict[str, Law], word: int, before: str, after: str) -> None:
    found = 0
    for law in laws.values():
        if not any(v.matches(word) for v in law.target.iset(0).narrow.variants):
            continue
        changed = named(changes(law, law_case(law, word, values(before))))
        if "v0=?" in after:
            changed.pop("v0", None)
        assert changed == values(after.replace(" v0=?", ""))
        found += 1
    assert found


@pytest.mark.parametrize("line", MEMORY.strip().split("\n"), ids=lambda line: line.split("|")[0].split()[1])
def test_memory(laws: dict[str, Law], line: str) -> None:
    code, before, *after = (part.strip() for part in line.split("|"))
    for target, expected in zip(TARGETS, after, strict=True):
        state = values(f"{before} r4={WINDOW:x} {STORED}")
        changed = named(changes(laws[target], law_case(laws[target], int(code[:8], 16), state)))
        name, value = expected.split("=")
        wanted = bytes.fromhex(value.replace("_", ""))
        if name.startswith("v"):
            assert changed == {name: int.from_bytes(wanted, "big")}
        else:
            assert changed == {f"{int(name, 16) + i:x}": byte for i, byte in enumerate(wanted)}


@pytest.mark.parametrize("target", TARGETS)
def test_every_tier(laws: dict[str, Law], target: str) -> None:
    law = laws[target]
    given = [(word, before) for word, before, _ in (p.values for p in examples())]
    given += [(int(line.split()[0], 16), f"r5=2b r4={WINDOW:x} {STORED}") for line in MEMORY.strip().split("\n")]
    variants = law.target.iset(0).narrow.variants
    cases = [law_case(law, word, values(before)) for word, before in given if any(v.matches(word) for v in variants)]
    assert len(cases) > 60
    assert law.run(cases) == []


def test_an_element_load_keeps_the_others(laws: dict[str, Law]) -> None:
    for law in laws.values():
        case = law_case(law, 0x7C04280E, {"r4": WINDOW, "r5": 0x23, "v0": (1 << 128) - 1})
        value = named(changes(law, case))["v0"]
        assert sorted(value.to_bytes(16, "big")) == [0x23, *[0xFF] * 15]


def mine(law: Law, names: str) -> list[Variant]:
    """Return variants whose rows have these names."""
    return [v for v in law.target.iset(0).narrow.variants if re.fullmatch(names, v.row.name.split(".", 1)[1])]


def test_hosts_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    law = Law("ppc64le", seed=3)
    variants = mine(law, r"vn?cipher(last)?|vsbox|vpmsum[dw]|vperm|vpermr|vpermxor|vsldoi|vslo|vbperm[qd]")
    assert len(variants) == 14
    monkeypatch.setattr(host, "has", lambda _feature: False)
    assert law.run([law.case([v], 0) for v in variants]) == []
