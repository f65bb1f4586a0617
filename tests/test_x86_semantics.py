"""What general-purpose instructions of x86 do: state before -> everything that changed, and how the instruction left.

The rows were read against the SDM, and agree with a processor of Intel's (python -m tests.oracle.x86 compares whole states).
Registers not named are 0; `[10]` is the eight bytes at 20000010h. Anything that changes and is not listed is a failure. `!`: how the
instruction left to the kernel. A text with `~` is not capstone's, which does not know what the processor does.
"""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.support.x86_table import CODE, WINDOW, Machine, rows, written
from xemu.targets.x86.cpuid import cpuid
from xemu.targets.x86.target import capstone32, capstone64

COUNT: Final = 0x5_0000_0007              # instructions that have run before

LONG: Final = """
    48 01 d8                   add rax, rbx               rax=ffffffffffffffff rbx=1 -> rax=0 CF=1 PF=1 AF=1 ZF=1
    01 d8                      add eax, ebx               rax=ffffffff7fffffff rbx=1 -> rax=80000000 PF=1 AF=1 SF=1 OF=1
    66 01 d8                   add ax, bx                 rax=11112222ffff8000 rbx=8000 -> rax=11112222ffff0000 CF=1 PF=1 ZF=1 OF=1
    00 e0                      add al, ah                 rax=7f01 -> rax=7f80 AF=1 SF=1 OF=1
    40 00 e0                   add al, spl                rax=7f01 rsp=5 -> rax=7f06 PF=1
    48 11 d8                   adc rax, rbx               rax=7fffffffffffffff CF=1 -> rax=8000000000000000 CF=0 PF=1 AF=1 SF=1 OF=1
    48 19 d8                   sbb rax, rbx               CF=1 -> rax=ffffffffffffffff PF=1 AF=1 SF=1
    29 d8                      sub eax, ebx               rax=5 rbx=5 OF=1 -> rax=0 PF=1 ZF=1 OF=0
    39 d8                      cmp eax, ebx               rax=3 rbx=5 -> CF=1 AF=1 SF=1
    31 c0                      xor eax, eax               rax=1234567812345678 CF=1 AF=1 OF=1 -> rax=0 CF=0 PF=1 AF=0 ZF=1 OF=0
    48 ff c0                   inc rax                    rax=7fffffffffffffff CF=1 -> rax=8000000000000000 PF=1 AF=1 SF=1 OF=1
    fe c8                      dec al                     CF=1 -> rax=ff PF=1 AF=1 SF=1
    48 f7 d8                   neg rax                    -> PF=1 ZF=1
    48 f7 d8                   neg rax                    rax=8000000000000000 -> CF=1 PF=1 SF=1 OF=1
    48 f7 d0                   not rax                    CF=1 -> rax=ffffffffffffffff
    f6 e3                      mul bl                     rax=ff rbx=ff ZF=1 -> rax=fe01 CF=1 ZF=0 OF=1
    f7 e3                      mul ebx                    rax=80000000 rbx=2 rdx=ffffffffffffffff -> rax=0 rdx=1 CF=1 PF=1 OF=1
    48 f7 eb                   imul rbx                   rax=ffffffffffffffff rbx=2 -> rax=fffffffffffffffe rdx=ffffffffffffffff SF=1
    6b c3 fe                   imul eax, ebx, -2          rbx=40000001 -> rax=7ffffffe CF=1 OF=1
    f6 f3                      div bl                     rax=107 rbx=2 CF=1 -> rax=183
    f6 f3                      div bl                     rax=207 rbx=2 -> !exception 0
    48 f7 f3                   div rbx                    rdx=fffffffffffffffe rax=ffffffffffffffff rbx=ffffffffffffffff ->
    48 f7 fb                   idiv rbx                   rdx=ffffffffffffffff rax=fffffffffffffff9 rbx=2 -> rax=fffffffffffffffd
    f7 fb                      idiv ebx                   rdx=ffffffff rax=80000000 rbx=ffffffff -> !exception 0
    48 f7 fb                   idiv rbx                   rax=5 -> !exception 0
    d1 e0                      shl eax, 1                 rax=c0000000 -> rax=80000000 CF=1 PF=1 SF=1
    c1 e0 05                   shl eax, 5                 rax=c0000001 -> rax=20
    c0 e0 09                   shl al, 9                  rax=ff -> rax=0 PF=1 ZF=1
    d3 e0                      shl eax, cl                rax=ffffffff80000000 rcx=20 OF=1 -> rax=80000000
    48 d3 e8                   shr rax, cl                rax=8000000000000001 rcx=41 -> rax=4000000000000000 CF=1 PF=1 OF=1
    d2 f8                      sar al, cl                 rax=80 rcx=1f -> rax=ff CF=1 PF=1 SF=1
    66 0f a4 d8 11             shld ax, bx, 0x11          rax=8001 rbx=4000 -> SF=1 OF=1
    0f ad d8                   shrd eax, ebx, cl          rax=3 rbx=1 rcx=1 -> rax=80000001 CF=1 SF=1 OF=1
    d0 c0                      rol al, 1                  rax=80 SF=1 -> rax=1 CF=1 OF=1
    c0 c0 08                   rol al, 8                  rax=81 OF=1 -> CF=1
    d3 c8                      ror eax, cl                rax=1 rcx=1 -> rax=80000000 CF=1 OF=1
    d2 d0                      rcl al, cl                 rax=80 rcx=9 CF=1 ->
    48 c1 d8 02                rcr rax, 2                 rax=1 CF=1 -> rax=c000000000000000 CF=0 OF=1
    48 0f bc c3                bsf rax, rbx               rax=77 CF=1 -> CF=0 PF=1 ZF=1
    0f bd c3                   bsr eax, ebx               rax=ffffffffffffffff rbx=10 -> rax=4
    f3 0f bc c3                tzcnt eax, ebx             rax=ffffffffffffffff -> rax=20 CF=1
    f3 48 0f bd c3             lzcnt rax, rbx             rbx=8000000000000000 -> ZF=1
    f3 0f b8 c3                popcnt eax, ebx            rbx=f0f0 -> rax=8
    48 0f a3 1c 24             bt qword ptr [rsp], rbx    rsp=20000010 rbx=ffffffffffffffc1 [8]=2 ZF=1 -> CF=1
    f0 0f ab 1c 24             lock bts dword ptr [rsp], ebx  rsp=20000010 rbx=21 -> [10]=200000000
    0f ba f8 03                btc eax, 3                 rax=8 -> rax=0 CF=1
    48 98                      cdqe                       rax=80000000 -> rax=ffffffff80000000
    99                         cdq                        rax=80000000 rdx=ffffffffffffffff -> rdx=ffffffff
    0f c8                      bswap eax                  rax=ffffffff01020304 -> rax=4030201
    66 0f c8                   bswap ax                   rax=ffffffff01020304 -> rax=ffffffff01020000
    f0 48 0f c1 1c 24          lock xadd qword ptr [rsp], rbx  rsp=20000010 [10]=5 rbx=3 -> rbx=5 [10]=8
    0f b1 d9                   cmpxchg ecx, ebx           rcx=ffffffff00000005 rax=ffffffff00000005 rbx=9 -> rcx=9 PF=1 ZF=1
    0f b1 d9                   cmpxchg ecx, ebx           rcx=ffffffff00000006 rax=ffffffff00000005 rbx=9 -> rax=6 CF=1 PF=1 AF=1 SF=1
    f0 48 0f c7 0c 24          lock cmpxchg16b xmmword ptr [rsp]  rsp=20000010 [10]=1 [18]=2 rax=1 rdx=2 rbx=3 rcx=4 -> ZF=1 [10]=3 [18]=4
    48 0f c7 0c 24             cmpxchg16b xmmword ptr [rsp]  rsp=20000010 [10]=1 [18]=2 rax=1 rdx=3 rbx=3 rcx=4 ZF=1 -> rdx=2 ZF=0
    48 0f c7 0c 24             cmpxchg16b xmmword ptr [rsp]  rsp=20000008 -> !fault 20000008
    87 1c 24                   xchg dword ptr [rsp], ebx  rsp=20000010 [10]=5 rbx=ffffffffffffffff -> rbx=5 [10]=ffffffff
    49 90                      xchg r8, rax               rax=1 r8=2 -> rax=2 r8=1
    90                         nop                        rax=ffffffffffffffff ->
    0f 94 c4                   sete ah                    ZF=1 -> rax=100
    0f 4f c3                   cmovg eax, ebx             rax=ffffffffffffffff rbx=7 SF=1 -> rax=ffffffff
    48 63 c3                   movsxd rax, ebx            rbx=80000000 -> rax=ffffffff80000000
    48 a1 10 00 00 20 00 00 00 00  movabs rax, qword ptr [0x20000010]  [10]=77 -> rax=77
    66 45 8b 40 ff             mov r8w, word ptr [r8 - 1]    r8=20000011 [10]=77 -> r8=20000077
    8a 00                      mov al, byte ptr [rax]     rax=20000010 [10]=77 -> rax=20000077
    67 a0 10 00 00 20          mov al, byte ptr [0x20000010]  [10]=77 -> rax=77
    48 8d 44 58 05             lea rax, [rax + rbx*2 + 5]  rax=ffffffffffffffff rbx=1 fs_base=100 -> rax=6
    67 8d 44 58 05             lea eax, [eax + ebx*2 + 5]  rax=ffffffff rbx=1 -> rax=6
    67 8d 05 f0 ef ff ff       lea eax, [eip - 0x1010]    rax=ffffffffffffffff -> rax=fffffff7
    67 48 8d 05 f0 ef ff ff    lea rax, [eip - 0x1010]    -> rax=fffffff8
    48 8d 05 f0 ef ff ff       lea rax, [rip - 0x1010]    -> rax=fffffffffffffff7
    64 48 8b 04 25 10 00 00 00  mov rax, qword ptr fs:[0x10]  fs_base=20000000 [10]=77 -> rax=77
    48 0f c3 04 24             movnti qword ptr [rsp], rax  rsp=20000010 rax=7 -> [10]=7
    0f 38 f0 04 24             movbe eax, dword ptr [rsp]  rsp=20000010 [10]=1122334455667788 -> rax=88776655
    eb 0e                      jmp 0x1010                 -> pc=1010
    66 e9 0b 00 00 00          jmp 0x1011                 -> pc=1011
    ff e0                      jmp rax                    rax=123456789 -> pc=123456789
    74 fe                      je 0x1000                  ZF=1 -> pc=1000
    74 fe                      je 0x1000                  ->
    f2 ff e0                   bnd jmp rax                rax=1234 -> pc=1234
    f3 c3                      repz ret                   rsp=20000010 [10]=1234 -> rsp=20000018 pc=1234
    e8 0b 00 00 00             call 0x1010                rsp=20000010 -> rsp=20000008 [8]=1005 pc=1010
    66 66 48 e8 07 00 00 00    call 0x100f                rsp=20000010 -> rsp=20000008 [8]=1008 pc=100f
    ff 14 24                   call qword ptr [rsp]       rsp=20000010 [10]=1234 -> rsp=20000008 [8]=1003 pc=1234
    c2 08 00                   ret 8                      rsp=20000010 [10]=1234 -> rsp=20000020 pc=1234
    e3 0e                      jrcxz 0x1010               rcx=100000000 ->
    67 e3 0d                   jecxz 0x1010               rcx=100000000 -> pc=1010
    e2 0e                      loop 0x1010                rcx=2 -> rcx=1 pc=1010
    e0 0e                      loopne 0x1010              rcx=2 ZF=1 -> rcx=1
    54                         push rsp                   rsp=20000010 -> rsp=20000008 [8]=20000010
    66 50                      push ax                    rsp=20000010 rax=1234 -> rsp=2000000e [8]=1234000000000000
    66 48 6a ff                push -1                    rsp=20000010 -> rsp=20000008 [8]=ffffffffffffffff
    5c                         pop rsp                    rsp=20000010 [10]=1234 -> rsp=1234
    8f 04 24                   pop qword ptr [rsp]        rsp=20000010 [10]=1234 -> rsp=20000018 [18]=1234
    9c                         pushfq                     rsp=20000010 CF=1 OF=1 DF=1 ID=1 -> rsp=20000008 [8]=200e03
    9d                         popfq                      rsp=20000010 [10]=ffffffffffffffff -> rsp=20000018 CF=1 PF=1 AF=1 ZF=1 SF=1 DF=1 OF=1 NT=1 AC=1 ID=1
    c9                         leave                      rsp=1 rbp=20000010 [10]=1234 -> rsp=20000018 rbp=1234
    c8 10 00 00                enter 0x10, 0              rsp=20000100 rbp=20000200 -> rsp=200000e8 rbp=200000f8 [f8]=20000200
    c8 10 00 02                enter 0x10, 2              rsp=20000100 rbp=20000200 [1f8]=77 -> rsp=200000d8 rbp=200000f8 [e8]=200000f8 [f0]=77 [f8]=20000200
    9e                         sahf                       rax=d700 OF=1 -> CF=1 PF=1 AF=1 ZF=1 SF=1
    9f                         lahf                       CF=1 ZF=1 OF=1 -> rax=4300
    f5                         cmc                        CF=1 ZF=1 -> CF=0
    fd                         std                        -> DF=1
    a4                         movsb byte ptr [rdi], byte ptr [rsi]  rsi=20000010 rdi=20000020 [10]=aabb -> rsi=20000011 rdi=20000021 [20]=bb
    f3 a4                      rep movsb byte ptr [rdi], byte ptr [rsi]  rsi=20000010 rdi=20000020 [10]=aabb rcx=2 -> rcx=1 rsi=20000011 rdi=20000021 [20]=bb pc=1000
    f3 a4                      rep movsb byte ptr [rdi], byte ptr [rsi]  rsi=20000010 rdi=20000020 [10]=aabb rcx=1 DF=1 -> rcx=0 rsi=2000000f rdi=2000001f [20]=bb
    f3 a4                      rep movsb byte ptr [rdi], byte ptr [rsi]  rsi=1 rdi=1 ->
    f3 48 ab                   rep stosq qword ptr [rdi], rax  rdi=20000010 rax=77 rcx=1 -> rcx=0 rdi=20000018 [10]=77
    f3 ab                      rep stosd dword ptr [rdi], eax  rdi=20000ffe rax=77 rcx=2 -> !fault 20001000
    67 ac                      lodsb al, byte ptr [esi]   rsi=ffffffff20000010 [10]=aabb -> rax=bb rsi=20000011
    64 66 ad                   lodsw ax, word ptr fs:[rsi]  fs_base=20000000 rsi=10 [10]=aabb rax=ffffffff -> rax=ffffaabb rsi=12
    f3 a6                      repe cmpsb byte ptr [rsi], byte ptr [rdi]  rsi=20000010 rdi=20000018 [10]=5 [18]=5 rcx=2 SF=1 -> rcx=1 rsi=20000011 rdi=20000019 pc=1000
    f3 a6                      repe cmpsb byte ptr [rsi], byte ptr [rdi]  rsi=20000010 rdi=20000018 [10]=4 [18]=5 rcx=2 -> rcx=1 rsi=20000011 rdi=20000019 CF=1 PF=1 AF=1 SF=1
    f2 ae                      repne scasb al, byte ptr [rdi]  rdi=20000010 rcx=5 -> rcx=4 rdi=20000011 PF=1 ZF=1
    f2 ae                      repne scasb al, byte ptr [rdi]  rdi=20000010 rcx=5 rax=5 -> rcx=4 rdi=20000011 pc=1000
    f3 67 aa                   rep stosb byte ptr [edi], al  rdi=20000010 rcx=ffffffff00000000 ->
    d7                         xlatb                      rax=1005 rbx=20000010 [10]=112233445566 -> rax=1011
    c4 e2 60 f2 c1             andn eax, ebx, ecx         rbx=f rcx=ffffffff CF=1 PF=1 OF=1 -> rax=fffffff0 CF=0 PF=0 SF=1 OF=0
    c4 e2 70 f7 c3             bextr eax, ebx, ecx        rbx=12345678 rcx=c04 -> rax=567
    c4 e2 f8 f3 db             blsi rax, rbx              rbx=c -> rax=4 CF=1
    c4 e2 78 f3 cb             blsr eax, ebx              -> CF=1 ZF=1
    c4 e2 78 f3 d3             blsmsk eax, ebx            rbx=8 -> rax=f
    c4 e2 70 f5 c3             bzhi eax, ebx, ecx         rbx=ffffffff rcx=120 -> rax=ffffffff CF=1 SF=1
    c4 e2 e3 f6 c1             mulx rax, rbx, rcx         rdx=8000000000000000 rcx=6 CF=1 -> rax=3
    c4 e3 fb f0 c3 44          rorx rax, rbx, 0x44        rbx=1f CF=1 -> rax=f000000000000001
    c4 e2 72 f7 c3             sarx eax, ebx, ecx         rbx=80000000 rcx=24 -> rax=f8000000
    c4 e2 e2 f5 c1             pext rax, rbx, rcx         rbx=123456789abcdef0 rcx=ff00ff00ff00ff00 -> rax=12569ade
    c4 e2 e3 f5 c1             pdep rax, rbx, rcx         rbx=12569ade rcx=ff00ff00ff00ff00 -> rax=120056009a00de00
    66 0f 38 f6 c3             adcx eax, ebx              rax=ffffffff rbx=0 CF=1 OF=1 -> rax=0
    f3 48 0f 38 f6 c3          adox rax, rbx              rax=ffffffffffffffff rbx=1 -> rax=0 OF=1
    f2 0f 38 f0 c3             crc32 eax, bl              rbx=61 -> rax=93ad1061
    f2 48 0f 38 f1 c3          crc32 rax, rbx             rax=ffffffffffffffff rbx=3736353433323130 -> rax=53dddcdf
    8c d8                      mov eax, ds                rax=ffffffffffffffff ds=2b -> rax=2b
    8e e0                      mov fs, eax                rax=63 -> fs=63 fs_base=20000000
    8e e0                      mov fs, eax                rax=5b -> !exception 13
    8e d0                      mov ss, eax                rax=23 -> !exception 13
    0f a8                      push gs                    rsp=20000010 gs=63 -> rsp=20000008 [8]=63
    0f a1                      pop fs                     rsp=20000010 fs=63 fs_base=123 [10]=0 -> rsp=20000018 fs=0 fs_base=0
    f3 48 0f ae c0             rdfsbase rax               fs_base=123456789a -> rax=123456789a
    f3 48 0f ae d8             wrgsbase rax               rax=7fffffffffff -> gs_base=7fffffffffff
    f3 48 0f ae d8             wrgsbase rax               rax=800000000000 -> !exception 13
    f3 0f ae d0                wrfsbase eax               rax=ffffffff12345678 -> fs_base=12345678
    48 ff 2c 24                ljmp [rsp]                 rsp=20000010 [10]=1234 [18]=33 -> pc=1234
    48 cf                      iretq                      rsp=20000010 [10]=1234 [18]=33 [20]=8d5 [28]=5678 [30]=2b -> rsp=5678 CF=1 PF=1 AF=1 ZF=1 SF=1 OF=1 pc=1234
    48 cf                      iretq                      rsp=20000010 [10]=1234 [18]=23 [20]=8d5 [28]=5678 [30]=2b -> !exception 13
    48 cb                      retfq                      rsp=20000010 [10]=1234 [18]=33 -> rsp=20000020 pc=1234
    0f 02 c3                   lar eax, ebx               rbx=33 -> rax=affb00 ZF=1
    0f 03 c3                   lsl eax, ebx               rbx=2b rax=ffffffffffffffff -> rax=ffffffff ZF=1
    0f 00 eb                   verw bx                    rbx=33 ZF=1 -> ZF=0
    0f a2                      cpuid                      rcx=ffffffffffffffff -> rax=d rcx=6c65746e rdx=49656e69 rbx=756e6547
    0f a2                      cpuid                      rax=7 -> rax=0 rbx=20080129
    0f a2                      cpuid                      rax=d -> rax=7 rcx=340 rbx=340
    0f a2                      cpuid                      rax=d rcx=2 -> rax=100 rcx=0 rbx=240
    0f a2                      cpuid                      rax=80000002 -> rax=756d6578 rcx=6c617574 rdx=55504320 rbx=72697620
    0f 31                      rdtsc                      rdx=5 -> rax=7
    0f 01 f9                   rdtscp                     rcx=5 -> rax=7 rcx=0 rdx=5
    0f 01 d0                   xgetbv                     rax=5 rdx=5 -> rax=7 rdx=0
    0f 01 d0                   xgetbv                     rcx=1 -> !exception 13
    0f 05                      syscall                    CF=1 -> rcx=1002 r11=203 !syscall 0
    cd 80                      int 0x80                   -> !syscall 128
    cc                         int3                       -> !event 3
    cd 20                      int 0x20                   -> !exception 13
    f1                         int1                       -> !event 1
    f4                         hlt                        -> !exception 13
    0f 0b                      ud2                        -> !undefined
    0f 01 f8                   swapgs                     -> !exception 13
    ec                         in al, dx                  -> !exception 13
    0f 22 c0                   mov cr0, rax               -> !exception 13
    0f ae 3c 24                clflush byte ptr [rsp]     rsp=20000010 ->
    0f ae 3c 24                clflush byte ptr [rsp]     rsp=1fffffff -> !fault 1fffffff
    0f 1f 00                   nop dword ptr [rax]        ->
    f3 0f 1e fa                endbr64                    ->
    f3 48 0f 1e c8             rdsspq rax                 rax=5 ->
    0f 18 08                   prefetcht0 byte ptr [rax]  ->
"""
PROTECTED: Final = """
    40                         inc eax                    eax=ffffffff CF=1 -> eax=0 PF=1 AF=1 ZF=1
    27                         daa                        eax=9a -> eax=0 CF=1 PF=1 AF=1 ZF=1
    27                         daa                        eax=79 CF=1 -> eax=d9 SF=1
    2f                         das                        eax=5 AF=1 -> eax=ff CF=1 PF=1 SF=1
    37                         aaa                        eax=1fb -> eax=301 CF=1 AF=1
    3f                         aas                        eax=200 AF=1 -> eax=a CF=1 PF=1
    d4 0a                      aam 0xa                    eax=63 -> eax=909 PF=1
    d4 00                      aam 0                      eax=63 -> !exception 0
    d5 0a                      aad 0xa                    eax=909 -> eax=63 PF=1 AF=1
    d6                         salc                       eax=100 CF=1 -> eax=1ff
    62 04 24                   bound eax, qword ptr [esp]  esp=20000010 [10]=500000001 eax=5 ->
    62 04 24                   bound eax, qword ptr [esp]  esp=20000010 [10]=500000001 eax=ffffffff -> !exception 5
    ce                         into                       ->
    ce                         into                       OF=1 -> !event 4
    63 d8                      arpl ax, bx                eax=10 ebx=3 -> eax=13 ZF=1
    60                         pushal                     esp=20000040 eax=1 ecx=2 edx=3 ebx=4 ebp=5 esi=6 edi=7 -> esp=20000020 [20]=600000007 [28]=2000004000000005 [30]=300000004 [38]=100000002
    61                         popal                      esp=20000010 [10]=200000001 [18]=400000003 [20]=600000005 [28]=800000007 -> eax=8 ecx=7 edx=6 ebx=5 esp=20000030 ebp=3 esi=2 edi=1
    06                         push es                    esp=20000010 [8]=ffffffffffffffff -> esp=2000000c [8]=ffff002bffffffff
    1f                         pop ds                     esp=20000010 [10]=2b ds=0 -> esp=20000014 ds=2b
    8e e8                      mov gs, eax                eax=6b -> gs=6b gs_base=20000100
    8e d8                      mov ds, eax                eax=6b -> !exception 13
    65 8b 03                   mov eax, dword ptr gs:[ebx]  gs_base=20000000 ebx=10 [10]=77 -> eax=77
    67 8b 07                   mov eax, dword ptr [bx]    ebx=12340010 -> !fault 10
    67 8d 40 ff                lea eax, [bx + si - 1]     ebx=1ffff esi=5 -> eax=3
    67 8d 02                   lea eax, [bp + si]         ebp=ffff esi=12 -> eax=11
    67 8d 06 34 12             lea eax, [0x1234]          -> eax=1234
    67 8d 41 50                lea eax, [bx + di + 0x50]  ebx=1 edi=2 -> eax=53
    66 67 8d 86 34 12          lea ax, [bp + 0x1234]      ebp=ffff eax=ffffffff -> eax=ffff1233
    66 e9 fc f0                ~jmp 0x100                 -> pc=100
    66 eb fe                   jmp 0x1001                 -> pc=1001
    66 ff e0                   jmp ax                     eax=12345678 -> pc=5678
    66 c3                      ret                        esp=20000010 [10]=12345678 -> esp=20000012 pc=5678
    66 e8 fc 0f                call 0x2000                esp=20000010 -> esp=2000000e [8]=1004000000000000 pc=2000
    67 e3 0d                   jcxz 0x1010                ecx=10000 -> pc=1010
    67 e2 0d                   loop 0x1010                ecx=10000 -> ecx=1ffff pc=1010
    f3 67 a4                   rep movsb byte ptr es:[di], byte ptr [si]  ecx=10000 ->
    ea 34 12 00 00 23 00       ljmp 0x23:0x1234           -> pc=1234
    ea 34 12 00 00 33 00       ljmp 0x33:0x1234           -> !exception 13
    9a 34 12 00 00 23 00       lcall 0x23, 0x1234         esp=20000010 -> esp=20000008 [8]=2300001007 pc=1234
    cf                         iretd                      esp=20000010 [10]=2300001234 [18]=8d5 -> esp=2000001c CF=1 PF=1 AF=1 ZF=1 SF=1 OF=1 pc=1234
    c5 04 24                   lds eax, ptr [esp]         esp=20000010 [10]=2b00001234 ds=0 -> eax=1234 ds=2b
    82 c0 7f                   add al, 0x7f               eax=1 -> eax=80 AF=1 SF=1 OF=1
    c4 e2 e0 f2 c1             andn eax, ebx, ecx         ebx=f ecx=ffffffff -> eax=fffffff0 SF=1
    a1 10 00 00 20             mov eax, dword ptr [0x20000010]  [10]=77 -> eax=77
    0f a2                      cpuid                      eax=80000001 -> eax=0 ecx=21 edx=28100000
    0f 34                      sysenter                   -> !syscall 1
"""
UNDEFINED_LONG: Final = """
    f0 01 d8                   lock add with a register
    f0 48 8b 04 24             lock mov
    f0 90                      lock nop
    06                         push es
    27                         daa
    9a 00 00 00 00 00 00       callf
    82 c0 01                   add al, 1
    ce                         into
    0f 01 ca                   clac
    0f 01 cb                   stac
    0f 01 c8                   monitor
    0f 01 c9                   mwait
    c7 f8 00 00 00 00          xbegin
    c6 f8 00                   xabort
    0f 01 d6                   xtest
    0f c7 f0                   rdrand
    0f c7 f8                   rdseed
    8e c8                      mov cs, eax
    8c f0                      mov eax, segment 6
    0f 38 f0 c0                movbe with registers
    0f c7 c8                   cmpxchg8b with a register
    66 c4 e2 60 f2 c1          andn behind an operand-size prefix
    f3 c4 e2 60 f2 c1          andn behind a repeat prefix
    48 c4 e2 60 f2 c1          andn behind REX
    c4 e2 64 f2 c1             andn with VEX.L
    c4 e7 60 f2 c1             andn in a map that is not there
    0f 22 c8                   mov cr1, rax
    44 0f 23 c0                mov dr8, rax
    0f 0b                      ud2
    0f b9 c0                   ud1
    0f ff c0                   ud0
"""
UNDEFINED_PROTECTED: Final = """
    f0 01 d8                   lock add with a register
    62 c0                      bound with a register
    0f 01 f8                   swapgs
    f3 0f ae c0                rdfsbase
    0f 05                      syscall
"""
LEAVES: Final = (0, 1, 2, 4, 5, 7, 11, 13, 0x14, 0x80000000, 0x80000001, 0x80000003, 0x80000008, 0x80000009, 0x40000000)
TABLES: Final = {"x86_64": LONG, "i386": PROTECTED}


def disassembled(name: str, code: bytes) -> str:
    import capstone

    engine = capstone.Cs(*(capstone64 if name == "x86_64" else capstone32)(0))
    found = next(engine.disasm(code, CODE))
    assert found.size == len(code)
    return f"{found.mnemonic} {found.op_str}".strip()


@pytest.fixture(scope="module")
def machines() -> dict[str, Machine]:
    return {name: Machine(name) for name in TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_what_changes(machines: dict[str, Machine], name: str) -> None:
    wrong = []
    for code, text, before, after in rows(TABLES[name]):
        got = written(machines[name].run(bytes.fromhex(code), before, COUNT))
        if sorted(got.split()) != sorted(after.split()):
            wrong.append(f"{code}  {text}  {before} -> {got}, expected {after}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", TABLES)
def test_the_texts_are_those_of_the_bytes(name: str) -> None:
    for code, text, _, _ in rows(TABLES[name]):
        if text[0] != "~":
            assert disassembled(name, bytes.fromhex(code)) == text, code


@pytest.mark.parametrize(("name", "table"), [("x86_64", UNDEFINED_LONG), ("i386", UNDEFINED_PROTECTED)])
def test_undefined_instructions_change_nothing(machines: dict[str, Machine], name: str, table: str) -> None:
    for line in table.strip().splitlines():
        code = line.strip().split("  ")[0]
        assert machines[name].run(bytes.fromhex(code), f"{machines[name].names[4]}={WINDOW + 8:x}") == {"!": "undefined"}, line


@pytest.mark.parametrize("name", TABLES)
def test_instructions_have_fifteen_bytes_at_most(machines: dict[str, Machine], name: str) -> None:
    nop = b"\x66" * 14 + b"\x90"
    assert machines[name].run(nop, "") == {}
    assert machines[name].run(b"\x66" + nop, "") == {"!": "exception 13"}
    assert machines[name].run(b"\x2e" * 10 + b"\x81\x05" + bytes(8), "") == {"!": "exception 13"}


@pytest.mark.parametrize("name", TABLES)
def test_cpuid_is_what_its_table_says(machines: dict[str, Machine], name: str) -> None:
    machine = machines[name]
    a, c, d, b = machine.names[:4]
    for leaf, subleaf in itertools.product(LEAVES, (0, 1, 2, 3, 0x105)):
        before = {a: leaf, c: subleaf, d: 1, b: 1}
        changed = machine.run(b"\x0f\xa2", " ".join(f"{register}={value:x}" for register, value in before.items()))
        eax, ebx, ecx, edx = cpuid(leaf, subleaf, machine.bits)
        assert {**before, **changed} == {a: eax, b: ebx, c: ecx, d: edx}, hex(leaf)
    assert cpuid(0, 0)[1:] == (0x756E6547, 0x6C65746E, 0x49656E69)         # GenuineIntel, in another order
    assert bytes(itertools.chain(*(n.to_bytes(4, "little") for i in (2, 3, 4) for n in cpuid(0x80000000 + i, 0)))).strip(b"\0") == (
        b"xemu virtual CPU")
