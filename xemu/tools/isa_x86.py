"""What x86 consists of: the instructions of each feature that CPUID announces, and docs/isa-x86.md; a test says that none is missing.

The lists are those of the manual: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), vol. 1, chapter 5, by the
features of vol. 2A, CPUID, under which an instruction exists.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xemu.targets.x86.isa import X86Row

CONDITIONS = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")


class Group(NamedTuple):
    """The instructions of one feature on one kind of registers."""

    flags: tuple[str, ...]     # as /proc/cpuinfo names what announces them; none: every processor has them
    title: str
    section: str               # of the SDM, vol. 1
    kind: str                  # operands: "mmx", "xmm", "vex", or "" where it does not matter
    mnemonics: tuple[str, ...]

    @property
    def flag(self) -> str:
        """Return the features in one word."""
        return "+".join(self.flags)


def _group(flags: str, title: str, section: str, kind: str, text: str, *more: str) -> Group:
    return Group(tuple(flags.split()), title, section, kind, (*text.split(), *more))


def _each(stems: str, endings: str) -> tuple[str, ...]:
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


#: of packed integers: what MMX has, and what each later feature adds for MMX and XMM registers alike
MMX = ("packsswb packssdw packuswb punpckhbw punpckhwd punpckhdq punpcklbw punpcklwd punpckldq paddb paddw paddd paddsb paddsw "
       "paddusb paddusw psubb psubw psubd psubsb psubsw psubusb psubusw pmulhw pmullw pmaddwd pcmpeqb pcmpeqw pcmpeqd pcmpgtb pcmpgtw "
       "pcmpgtd pand pandn por pxor psllw pslld psllq psrlw psrld psrlq psraw psrad")
MMX_SSE = "pavgb pavgw pextrw pinsrw pmaxub pmaxsw pminub pminsw pmovmskb pmulhuw psadbw"
MMX_SSE2 = "pmuludq paddq psubq"
SSSE3 = ("phaddw phaddsw phaddd phsubw phsubsw phsubd pabsb pabsw pabsd pmaddubsw pmulhrsw pshufb psignb psignw psignd palignr")
SSE = _each("add sub mul div sqrt max min rcp rsqrt cmp", "ps ss")
SSE_MORE = ("movaps movups movhps movhlps movlps movlhps movmskps movss comiss ucomiss andps andnps orps xorps shufps unpckhps unpcklps "
            "cvtsi2ss cvtss2si cvttss2si ldmxcsr stmxcsr movntps")
SSE2 = _each("add sub mul div sqrt max min cmp", "pd sd")
SSE2_MORE = ("movapd movupd movhpd movlpd movmskpd movsd comisd ucomisd andpd andnpd orpd xorpd shufpd unpckhpd unpcklpd cvtpd2dq "
             "cvttpd2dq cvtdq2pd cvtps2pd cvtpd2ps cvtss2sd cvtsd2ss cvtsd2si cvttsd2si cvtsi2sd cvtdq2ps cvtps2dq cvttps2dq "
             "movd movq movdqa movdqu pshuflw pshufhw pshufd pslldq psrldq punpckhqdq punpcklqdq maskmovdqu movntpd movntdq")
SSE3 = "lddqu addsubps addsubpd haddps haddpd hsubps hsubpd movshdup movsldup movddup"
SSE41 = ("pmulld pmuldq dppd dpps movntdqa blendpd blendps blendvpd blendvps pblendvb pblendw pminuw pminud pminsb pminsd pmaxuw "
         "pmaxud pmaxsb pmaxsd roundps roundpd roundss roundsd extractps insertps pinsrb pinsrd pinsrq pextrb pextrd pextrq mpsadbw "
         "phminposuw ptest pcmpeqq packusdw")
EXTENSIONS = _each("pmovsx pmovzx", "bw bd bq wd wq dq")
SSE42 = "pcmpestri pcmpestrm pcmpistri pcmpistrm pcmpgtq"
AES = "aesdec aesdeclast aesenc aesenclast aesimc aeskeygenassist"
FMA = (*_each("vfmadd132 vfmadd213 vfmadd231 vfmsub132 vfmsub213 vfmsub231 vfnmadd132 vfnmadd213 vfnmadd231 vfnmsub132 vfnmsub213 "
              "vfnmsub231", "ps pd ss sd"),
       *_each("vfmaddsub132 vfmaddsub213 vfmaddsub231 vfmsubadd132 vfmsubadd213 vfmsubadd231", "ps pd"))
#: what AVX has of the SSE features, with a v before the name (vol. 1, tables 14-2 to 14-5), and what of it AVX2 has for 256 bits
PROMOTED = (*SSE, *SSE2, *(SSE_MORE + " " + SSE2_MORE + " " + SSE3).split(), *SSE41.split(), *EXTENSIONS, *SSE42.split(), *MMX.split(),
            *MMX_SSE.split(), *MMX_SSE2.split(), *SSSE3.split())
ONLY_128 = frozenset((AES + " " + "pclmulqdq pinsrb pinsrw pinsrd pinsrq pextrb pextrw pextrd pextrq phminposuw pcmpestri pcmpestrm "
                      "pcmpistri pcmpistrm").split())
WIDE_INTEGERS = tuple(f"v{name}" for name in (*MMX.split(), *MMX_SSE.split(), *MMX_SSE2.split(), *SSSE3.split(), *EXTENSIONS,
                                              *(n for n in (SSE41 + " " + SSE42).split() if n[0] == "p" and n != "ptest"),
                                              "pshuflw", "pshufhw", "pshufd", "pslldq", "psrldq", "punpckhqdq", "punpcklqdq",
                                              "mpsadbw", "movntdqa")
                      if name not in ONLY_128)

GROUPS = (
    _group("", "General purpose: data, arithmetic, logic, shifts, bits", "5.1.1 to 5.1.6", "",
           "mov xchg bswap xadd cmpxchg push pop pusha pushad popa popad cwd cdq cqo cbw cwde cdqe movsx movzx movsxd add adc sub sbb "
           "imul mul idiv div inc dec neg cmp daa das aaa aas aam aad and or xor not sar shr sal shl shrd shld ror rol rcr rcl bt bts "
           "btr btc bsf bsr test lea xlat xlatb nop ud0 ud1 ud2 salc", *(f"set{c}" for c in CONDITIONS)),
    _group("", "General purpose: control, strings, flags, segments", "5.1.7 to 5.1.13", "",
           "jmp jmpf jcxz jecxz jrcxz loop loope loopz loopne loopnz call callf ret retf iret iretd iretq int int3 int1 into bound enter "
           "leave movs cmps scas lods stos in out insb insw insd outsb outsw outsd stc clc cmc cld std lahf sahf pushf pushfd pushfq popf "
           "popfd popfq sti cli lds les lfs lgs lss toolong", *(f"j{c}" for c in CONDITIONS)),
    _group("", "System", "5.20, 5.21", "",
           "lgdt sgdt lldt sldt ltr str lidt sidt lmsw smsw clts arpl lar lsl verr verw invd wbinvd invlpg hlt rdmsr wrmsr rdpmc "
           "sysenter sysexit swapgs cpuid rsm"),
    _group("tsc", "Time-stamp counter", "5.20", "", "rdtsc"),
    _group("rdtscp", "Time-stamp counter with the processor's number", "5.20", "", "rdtscp"),
    _group("syscall", "Fast system calls of 64-bit mode", "5.21", "", "syscall sysret"),
    _group("cmov", "Conditional moves", "5.1.1, 5.2.1, 5.2.3", "", "fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu fcomi "
           "fcomip fucomi fucomip", *(f"cmov{c}" for c in CONDITIONS)),
    _group("cx8", "Compare and exchange 8 bytes", "5.1.1", "", "cmpxchg8b"),
    _group("cx16", "Compare and exchange 16 bytes", "5.21", "", "cmpxchg16b"),
    _group("clflush", "Cache lines", "5.6.4", "", "clflush"),
    _group("movbe", "Moves with swapped bytes", "5.1.13", "", "movbe"),
    _group("popcnt", "Count of ones", "5.1.6", "", "popcnt"),
    _group("abm", "Leading zeros", "5.1.16", "", "lzcnt"),
    _group("bmi1", "Bit manipulation", "5.1.16", "", "andn bextr blsi blsmsk blsr tzcnt"),
    _group("bmi2", "More bit manipulation", "5.1.16", "", "bzhi mulx pdep pext rorx sarx shlx shrx"),
    _group("adx", "Additions with two carries", "5.1.2", "", "adcx adox"),
    _group("fsgsbase", "Bases of FS and GS", "5.21", "", "rdfsbase rdgsbase wrfsbase wrgsbase"),
    _group("fpu", "x87", "5.2", "",
           "fld fst fstp fild fist fistp fbld fbstp fxch fadd faddp fiadd fsub fsubp fisub fsubr fsubrp fisubr fmul fmulp fimul fdiv "
           "fdivp fidiv fdivr fdivrp fidivr fprem fprem1 fabs fchs frndint fscale fsqrt fxtract fcom fcomp fcompp fucom fucomp fucompp "
           "ficom ficomp ftst fxam fsin fcos fsincos fptan fpatan f2xm1 fyl2x fyl2xp1 fld1 fldz fldpi fldl2e fldln2 fldl2t fldlg2 fincstp "
           "fdecstp ffree ffreep finit fninit fclex fnclex fstcw fnstcw fldcw fstenv fnstenv fldenv fsave fnsave frstor fstsw fnstsw "
           "wait fwait fnop fndisi fneni fnsetpm"),
    _group("fxsr", "State of x87 and SSE", "5.3", "", "fxsave fxsave64 fxrstor fxrstor64"),
    _group("xsave osxsave", "State by components", "5.20", "", "xsave xsave64 xrstor xrstor64 xgetbv xsetbv"),
    _group("xsaveopt", "State by components, where it is not initial", "5.20", "", "xsaveopt xsaveopt64"),
    _group("xsavec", "State by components, without gaps", "5.20", "", "xsavec xsavec64"),
    _group("mmx", "MMX", "5.4", "mmx", MMX + " movd movq"),
    _group("mmx", "MMX: the end of it", "5.4.8", "", "emms"),
    _group("sse", "SSE on MMX registers", "5.5.3", "mmx", MMX_SSE + " pshufw maskmovq movntq cvtpi2ps cvtps2pi cvttps2pi"),
    _group("sse", "SSE", "5.5.1", "xmm", SSE_MORE, *SSE),
    _group("sse", "SSE: caches and order", "5.5.4", "", "prefetcht0 prefetcht1 prefetcht2 prefetchnta sfence"),
    _group("sse2", "SSE2 on MMX registers", "5.6.3", "mmx", MMX_SSE2 + " movq2dq movdq2q cvtpi2pd cvtpd2pi cvttpd2pi"),
    _group("sse2", "SSE2", "5.6.1, 5.6.3", "xmm", SSE2_MORE, *SSE2),
    _group("sse2", "SSE2: packed integers in XMM registers", "5.6.3", "xmm", f"{MMX} {MMX_SSE} {MMX_SSE2}"),
    _group("sse2", "SSE2: caches and order", "5.6.4", "", "lfence mfence pause movnti"),
    _group("pni", "SSE3", "5.7", "xmm", SSE3),
    _group("pni", "SSE3: x87, waiting", "5.7.1, 5.7.6", "", "fisttp monitor mwait"),
    _group("ssse3", "SSSE3 on MMX registers", "5.8", "mmx", SSSE3),
    _group("ssse3", "SSSE3", "5.8", "xmm", SSSE3),
    _group("sse4_1", "SSE4.1", "5.10", "xmm", SSE41, *EXTENSIONS),
    _group("sse4_2", "SSE4.2", "5.11", "xmm", SSE42),
    _group("sse4_2", "SSE4.2: checksums", "5.1.6", "", "crc32"),
    _group("aes", "AES", "5.12", "xmm", AES),
    _group("pclmulqdq", "Carry-less multiplication", "5.12", "xmm", "pclmulqdq"),
    _group("sha_ni", "SHA", "5.18", "xmm", "sha1msg1 sha1msg2 sha1nexte sha1rnds4 sha256msg1 sha256msg2 sha256rnds2"),
    _group("avx", "AVX: what SSE has, with three operands", "5.13", "vex", "", *(f"v{name}" for name in dict.fromkeys(PROMOTED))),
    _group("avx", "AVX: its own", "5.13", "vex", "vbroadcastss vbroadcastsd vbroadcastf128 vextractf128 vinsertf128 vmaskmovps vmaskmovpd "
           "vpermilps vpermilpd vperm2f128 vtestps vtestpd"),
    _group("avx", "AVX: the end of it", "5.13", "", "vzeroall vzeroupper"),
    _group("avx aes pclmulqdq", "AVX: AES and carry-less multiplication", "5.12", "vex", "vpclmulqdq", *(f"v{n}" for n in AES.split())),
    _group("avx2", "AVX2: its own", "5.16", "vex", "vpblendd vpbroadcastb vpbroadcastw vpbroadcastd vpbroadcastq vbroadcasti128 "
           "vextracti128 vinserti128 vperm2i128 vpermd vpermps vpermq vpermpd vpmaskmovd vpmaskmovq vpsllvd vpsllvq vpsrlvd vpsrlvq "
           "vpsravd vgatherdpd vgatherdps vgatherqpd vgatherqps vpgatherdd vpgatherdq vpgatherqd vpgatherqq"),
    _group("fma", "Fused multiply-add", "5.15", "vex", "", *FMA),
    _group("f16c", "Half precision", "5.14", "vex", "vcvtph2ps vcvtps2ph"),
    _group("", "Not announced, executed all the same", "5.1.13", "", "clflushopt clwb prefetchw"),
)
#: features that are no instructions of user mode
WITHOUT_INSTRUCTIONS = {
    "nx": "pages that must not be executed", "lm": "64-bit mode", "nonstop_tsc": "the counter counts at one rate",
    "lahf_lm": "LAHF and SAHF exist in 64-bit mode, too",
}
SAME = "another name or size of {}"
FORM = "assemblers make WAIT and {} of it"
#: mnemonics of the manual that no row has, and why
WITHOUT_ROW = {
    **{name: SAME.format(row) for name, row in {
        "pushad": "pusha", "popad": "popa", "cdq": "cwd", "cqo": "cwd", "cwde": "cbw", "cdqe": "cbw", "jcxz": "jrcxz", "jecxz": "jrcxz",
        "loopz": "loope", "loopnz": "loopne", "iretd": "iret", "iretq": "iret", "insw": "insd", "outsw": "outsd", "pushfd": "pushf",
        "pushfq": "pushf", "popfd": "popf", "popfq": "popf", "xlatb": "xlat", "wait": "fwait", "pinsrq": "pinsrd", "pextrq": "pextrd",
        "vpinsrq": "vpinsrd", "vpextrq": "vpextrd",
    }.items()},
    **{name: FORM.format(f"FN{name[1:].upper()}") for name in ("finit", "fclex", "fstcw", "fstenv", "fsave", "fstsw")},
    **{name: SAME.format("nop") + ": a hint that this processor does not take" for name in _each("prefetch", "t0 t1 t2 nta")},
    "rsm": "undefined outside system management mode",
    "monitor": "a feature of its own (bit 3 of ECX), which is not announced",
    "mwait": "a feature of its own (bit 3 of ECX), which is not announced",
}


def mnemonic(row: X86Row) -> str:
    """Return a row's mnemonic; a row for what has none has a name of its own."""
    return row.template.partition(" ")[0] or row.name.partition(".")[2]


def kind(row: X86Row) -> str:
    """Return the kind of a row's operands: "vex", "mmx" or "xmm"; "" is none of them."""
    letters = {spec.letter for spec in row.specs}
    if row.vex:
        return "vex" if letters & set("VHWULM") else ""
    if letters & set("PNQ"):
        return "mmx"
    return "xmm" if letters & set("VWU") or mnemonic(row) in ("ldmxcsr", "stmxcsr") else ""


def group_of(row: X86Row) -> Group | None:
    """Return the group that a row belongs to: the first that names its mnemonic for its kind of operands."""
    name, own = mnemonic(row), kind(row)
    return next((g for g in GROUPS if name in _names(g) and g.kind in ("", own)), None)


@cache
def _names(group: Group) -> frozenset[str]:
    return frozenset(group.mnemonics)


def missing(rows: list[X86Row]) -> list[tuple[str, str]]:
    """Return (group, mnemonic) of what has neither a row nor a reason."""
    have: dict[str, set[str]] = {}
    for row in rows:
        have.setdefault(mnemonic(row), set()).update(("", kind(row)))
    return [(group.title, name) for group in GROUPS for name in group.mnemonics
            if name not in WITHOUT_ROW and group.kind not in have.get(name, ())]


def narrow(rows: list[X86Row]) -> list[str]:
    """Return what AVX2 has for 256 bits and no row has."""
    wide = {mnemonic(row) for row in rows if row.vex and any(point.value == 256 for point in row.axes.get("L", ()))}
    return [name for name in WIDE_INTEGERS if name not in wide]


def page(name: str) -> str:
    """Return the volume and the name of the page of the SDM that describes an instruction."""
    for stem in ("fcmov", "cmov", "set", "j"):
        if name.removeprefix(stem) in (*CONDITIONS, "u", "nb", "nu") and name.startswith(stem):
            name = f"{stem}cc"
    if name[0] == "v" and name[1:] in (*PROMOTED, *AES.split(), "pclmulqdq"):
        name = name[1:]
    volume = "A" if name < "m" else "B" if name < "v" else "C" if name < "w" else "D"
    return f"2{volume} {name[:-2].upper()}cc" if name.endswith("cc") else f"2{volume} {name.upper()}"


def document() -> str:
    """Return the text of docs/isa-x86.md."""
    import xemu.targets.x86.rows  # noqa: F401
    from xemu.targets.x86.isa import X86Row, x86

    rows: dict[Group | None, list[X86Row]] = {}
    known = [row for row in x86.rows if isinstance(row, X86Row)]
    for row in known:
        rows.setdefault(group_of(row), []).append(row)
    absent = missing(known)
    out = [HEAD.format(rows=len(x86.rows), variants=len(x86.variants))]
    out += ["| feature | instructions | SDM vol. 1 | rows | handlers |", "|---|---|---|--:|--:|"]
    for group in GROUPS:
        own = rows.get(group, [])
        out.append(f"| {group.flag or '–'} | {group.title} | {group.section} | {len(own)} | {sum(map(_handlers, own))} |")
    out += [f"| {flag} | *{what}* | – | – | – |" for flag, what in WITHOUT_INSTRUCTIONS.items()]
    for group in GROUPS:
        out += ["", f"## {group.title}", ""]
        if lacks := [name for title, name in absent if title == group.title]:
            out += [f"Not there yet: {', '.join(lacks)}.", ""]
        if group in rows:
            out += ["| opcode | instruction | SDM vol. | file | handlers |", "|---|---|---|---|--:|"]
            out += [_line(row) for row in sorted(rows[group], key=lambda row: group.mnemonics.index(mnemonic(row)))]
    out += ["", "## Mnemonics without a row of their own", "", "| mnemonic | why |", "|---|---|"]
    out += [f"| {name} | {why} |" for name, why in WITHOUT_ROW.items()]
    return "\n".join(out) + "\n"


def _handlers(row: X86Row) -> int:
    return sum(1 for _ in row.variants())


def _line(row: X86Row) -> str:
    name, file = mnemonic(row), row.source.split(":")[0]
    return f"| `{row.pattern}` | `{row.template or name}` | {page(name)} | {file} | {_handlers(row)} |"


HEAD = """\
# The instruction set of x86-64 and i386

Generated by `python -m xemu.tools.isa_doc` from the rows in `xemu/targets/x86`; a test compares it with them, and another the rows
with the lists of the manual: what CPUID announces is here or has a reason at the end of the page.

Manual: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM). Opcodes are written as in its instruction pages (vol. 2A,
3.1.1), operands as in its opcode map (vol. 2D, A.2: `Ev` is a register or memory of the operand's size, `Wx` an XMM or YMM register
or memory). *Handlers* is the number of variants: by operand size, register or form of address, vector length, LOCK, repeat prefix.
x86-64 and i386 have the same rows; some exist in one mode only. An encoding that is not here is undefined and gives the guest SIGILL.

{rows} rows, {variants} handlers.
"""

__all__ = ["GROUPS", "WITHOUT_INSTRUCTIONS", "WITHOUT_ROW", "Group", "document", "group_of", "kind", "missing", "mnemonic", "narrow"]
