"""What PowerPC consists of at user level: the instructions of each part of the manual, and docs/isa-ppc.md; none is missing.

The lists are those of the manual's index: Power ISA Version 3.0B, Books I and II, in the order of its sections; what POWER9 and the
32-bit processors have beyond it is marked.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xemu.core.isa import Row

BOTH, ONLY64, ONLY32 = ("ppc", "ppc64le"), ("ppc64le",), ("ppc",)


class Group(NamedTuple):
    """The instructions of a part of the manual."""

    section: str               # of Book I; "II" before those of Book II
    title: str
    facility: str              # what announces it in AT_HWCAP or AT_HWCAP2; "": every processor has it
    targets: tuple[str, ...]
    mnemonics: tuple[str, ...]


def _group(section: str, title: str, facility: str, targets: tuple[str, ...], text: str) -> Group:
    return Group(section, title, facility, targets, tuple(text.split()))


def _each(stems: str, endings: str) -> str:
    return " ".join(stem + ending for stem in stems.split() for ending in endings.split())


FPU, VMX, VSX, V2, V3, DFP = "HAS_FPU", "HAS_ALTIVEC", "HAS_VSX", "ARCH_2_07", "ARCH_3_00", "HAS_DFP"
TRANSACTIONS = "tbegin. tend. tabort. tabortwc. tabortwci. tabortdc. tabortdci. tsr. tcheck"
#: mnemonics as rows have them: without the dot and the o that Rc and OE append; compare (immediate) by the width that L names
GROUPS = (
    _group("2.4", "Branches", "", BOTH, "b bc bclr bcctr"),
    _group("2.4", "Branches: target address register", V2, ONLY64, "bctar"),
    _group("2.5", "Condition register", "", BOTH, "crand crnand cror crxor crnor creqv crandc crorc mcrf"),
    _group("2.6", "System call", "", BOTH, "sc"),
    _group("2.6", "System call vectored", "SCV", ONLY64, "scv"),
    _group("3.3.2", "Loads", "", BOTH, _each("lbz lhz lha lwz", "- x u ux").replace("-", "")),
    _group("3.3.2.1", "Loads: doublewords and signed words", "", ONLY64, "lwa lwax lwaux ld ldx ldu ldux"),
    _group("3.3.3", "Stores", "", BOTH, _each("stb sth stw", "- x u ux").replace("-", "")),
    _group("3.3.3.1", "Stores: doublewords", "", ONLY64, "std stdx stdu stdux"),
    _group("3.3.4", "Quadwords", V2, ONLY64, "lq stq"),
    _group("3.3.5", "Byte reversal", "", BOTH, "lhbrx lwbrx sthbrx stwbrx"),
    _group("3.3.5.1", "Byte reversal: doublewords", "", ONLY64, "ldbrx stdbrx"),
    _group("3.3.6", "Load and store multiple", "", BOTH, "lmw stmw"),
    _group("3.3.7", "Move assist (strings)", "", BOTH, "lswi lswx stswi stswx"),
    _group("3.3.9", "Arithmetic", "", BOTH, "addi addis add addic addic. subf subfic addc adde addme addze subfc subfe subfme subfze neg "
           "mulli mullw mulhw mulhwu divw divwu"),
    _group("3.3.9", "Arithmetic: 2.06 and 3.0", V3, ONLY64, "addex addpcis divwe divweu modsw moduw darn"),
    _group("3.3.9.1", "Arithmetic: doublewords", "", ONLY64, "mulld mulhd mulhdu divd divdu"),
    _group("3.3.9.1", "Arithmetic: doublewords, 2.06 and 3.0", V3, ONLY64, "maddhd maddhdu maddld divde divdeu modsd modud"),
    _group("3.3.10", "Comparison", "", BOTH, "cmpwi cmpw cmplwi cmplw"),
    _group("3.3.10", "Comparison: doublewords", "", ONLY64, "cmpdi cmpd cmpldi cmpld"),
    _group("3.3.10.1", "Comparison: ranges and bytes", V3, ONLY64, "cmprb cmpeqb"),
    _group("3.3.11", "Traps", "", BOTH, "twi tw"),
    _group("3.3.11.1", "Traps: doublewords", "", ONLY64, "tdi td"),
    _group("3.3.12", "Select", "ISEL; e500mc", BOTH, "isel"),
    _group("3.3.13", "Logic", "", BOTH, "andi. andis. ori oris xori xoris and or xor nand nor eqv andc orc extsb extsh cntlzw"),
    _group("3.3.13", "Logic: 2.05 to 3.0", V3, ONLY64, "cnttzw cmpb popcntb popcntw prtyw"),
    _group("3.3.13.1", "Logic: doublewords", V3, ONLY64, "extsw cntlzd cnttzd popcntd prtyd bpermd"),
    _group("3.3.14", "Rotates and shifts", "", BOTH, "rlwinm rlwnm rlwimi slw srw srawi sraw"),
    _group("3.3.14.1", "Rotates and shifts: doublewords", "", ONLY64, "rldicl rldicr rldic rldcl rldcr rldimi sld srd sradi srad"),
    _group("3.3.14.2", "Rotates and shifts: 3.0", V3, ONLY64, "extswsli"),
    _group("3.3.15", "Decimal assist", V2, ONLY64, "cdtbcd cbcdtd addg6s"),
    _group("3.3.16", "Moves to and from vector-scalar registers", V2, ONLY64, "mfvsrd mfvsrwz mtvsrd mtvsrwa mtvsrwz"),
    _group("3.3.16", "Moves to and from vector-scalar registers: 3.0", V3, ONLY64, "mfvsrld mtvsrdd mtvsrws"),
    _group("3.3.17", "System registers", "", BOTH, "mtspr mfspr mtxer mfxer mtlr mflr mtctr mfctr mtcrf mtocrf mfcr mfocrf"),
    _group("3.3.17", "System registers: 3.0", V3, ONLY64, "mcrxrx setb"),
    _group("–", "System registers: not in 3.0, where Linux emulates it", "", BOTH, "mcrxr"),
    _group("4.6.2", "Floating-point loads", FPU, BOTH, _each("lfs lfd", "- x u ux").replace("-", "")),
    _group("4.6.2", "Floating-point loads: integers", V2, ONLY64, "lfiwax lfiwzx"),
    _group("4.6.3", "Floating-point stores", FPU, BOTH, _each("stfs stfd", "- x u ux").replace("-", "") + " stfiwx"),
    _group("4.6.4", "Floating-point pairs", V2, ONLY64, "lfdp lfdpx stfdp stfdpx"),
    _group("4.6.5", "Floating-point moves", FPU, BOTH, "fmr fneg fabs fnabs"),
    _group("4.6.5", "Floating-point moves: 2.05 and 2.07", V2, ONLY64, "fcpsgn fmrgew fmrgow"),
    _group("4.6.6", "Floating-point arithmetic", FPU, BOTH, "fadd fadds fsub fsubs fmul fmuls fdiv fdivs fres frsqrte fmadd fmadds fmsub "
           "fmsubs fnmadd fnmadds fnmsub fnmsubs"),
    _group("4.6.6", "Floating-point arithmetic: not on 7400 and e500mc", V2, ONLY64, "fsqrt fsqrts fre frsqrtes ftdiv ftsqrt"),
    _group("4.6.7", "Floating-point rounding and conversion", FPU, BOTH, "frsp fctiw fctiwz"),
    _group("4.6.7", "Floating-point rounding and conversion: 64-bit", V2, ONLY64, "fctid fctidz fctidu fctiduz fctiwu fctiwuz fcfid fcfidu "
           "fcfids fcfidus frin friz frip frim"),
    _group("4.6.8", "Floating-point comparison", FPU, BOTH, "fcmpu fcmpo"),
    _group("4.6.9", "Floating-point select", FPU, BOTH, "fsel"),
    _group("4.6.10", "FPSCR", FPU, BOTH, "mffs mcrfs mtfsfi mtfsf mtfsb0 mtfsb1"),
    _group("4.6.10", "FPSCR: 3.0", V3, ONLY64, "mffsce mffscdrn mffscdrni mffscrn mffscrni mffsl"),
    _group("5.6", "Decimal floating point", DFP, ONLY64, _each(
        "dadd dsub dmul ddiv dcmpu dcmpo dtstdc dtstdg dtstex dtstsf dquai dqua drrnd drintx drintn dcffix dctfix ddedpd denbcd dxex diex "
        "dscli dscri", "- q").replace("-", "") + " dctdp dctqpq drsp drdpq"),
    _group("5.6", "Decimal floating point: 3.0", V3, ONLY64, "dtstsfi dtstsfiq"),
    _group("6.7", "Vector loads and stores", VMX, BOTH, "lvebx lvehx lvewx lvx lvxl stvebx stvehx stvewx stvx stvxl lvsl lvsr"),
    _group("6.8", "Vector permutation", VMX, BOTH, "vpkpx vpkshss vpkswss vpkshus vpkswus vpkuhum vpkuwum vpkuhus vpkuwus vupkhpx vupklpx "
           "vupkhsb vupkhsh vupklsb vupklsh vmrghb vmrghh vmrghw vmrglb vmrglh vmrglw vspltb vsplth vspltw vspltisb vspltish vspltisw "
           "vperm vsel vsl vsldoi vslo vsr vsro"),
    _group("6.8", "Vector permutation: 2.07", V2, ONLY64, "vpksdss vpksdus vpkudum vpkudus vupkhsw vupklsw vmrgew vmrgow"),
    _group("6.8", "Vector permutation: 3.0", V3, ONLY64, "vpermr vslv vsrv vextractub vextractuh vextractuw vextractd vinsertb vinserth "
           "vinsertw vinsertd"),
    _group("6.9", "Vector integers", VMX, BOTH, " ".join((
        "vaddcuw vsubcuw", _each("vadd vsub", "sbs shs sws ubm uhm uwm ubs uhs uws"), _each("vmule vmulo", "sb sh ub uh"),
        "vmhaddshs vmhraddshs vmladduhm vmsumubm vmsummbm vmsumshm vmsumshs vmsumuhm vmsumuhs vsumsws vsum2sws vsum4sbs vsum4shs vsum4ubs",
        _each("vavg vmax vmin", "sb sh sw ub uh uw"), "vcmpequb vcmpequh vcmpequw", _each("vcmpgt", "sb sh sw ub uh uw"),
        "vand vandc vnor vor vxor", _each("vrl vsl vsr vsra", "b h w")))),
    _group("6.9", "Vector integers: 2.07", V2, ONLY64, "vaddudm vsubudm vadduqm vaddeuqm vaddcuq vaddecuq vsubuqm vsubeuqm vsubcuq "
           "vsubecuq vmulesw vmuleuw vmulosw vmulouw vmuluwm vmaxsd vmaxud vminsd vminud vcmpequd vcmpgtsd vcmpgtud vnand vorc veqv vrld "
           "vsld vsrd vsrad"),
    _group("6.9", "Vector integers: 3.0", V3, ONLY64, "vmsumudm vnegw vnegd vextsb2w vextsh2w vextsb2d vextsh2d vextsw2d vabsdub vabsduh "
           "vabsduw vcmpneb vcmpneh vcmpnew vcmpnezb vcmpnezh vcmpnezw vprtybw vprtybd vprtybq vrlwnm vrlwmi vrldnm vrldmi"),
    _group("6.10", "Vector floating point", VMX, BOTH, "vaddfp vsubfp vmaddfp vnmsubfp vmaxfp vminfp vctsxs vctuxs vcfsx vcfux vrfim vrfin "
           "vrfip vrfiz vcmpbfp vcmpeqfp vcmpgefp vcmpgtfp vexptefp vlogefp vrefp vrsqrtefp"),
    _group("6.11", "Vector cryptography", "VEC_CRYPTO", ONLY64, "vcipher vcipherlast vncipher vncipherlast vsbox vshasigmad vshasigmaw "
           "vpmsumb vpmsumd vpmsumh vpmsumw vpermxor"),
    _group("6.12", "Vector bits: 2.07", V2, ONLY64, "vgbbd vclzb vclzh vclzw vclzd vpopcntb vpopcnth vpopcntw vpopcntd vbpermq"),
    _group("6.12", "Vector bits: 3.0", V3, ONLY64, "vctzb vctzh vctzw vctzd vclzlsbb vctzlsbb vextublx vextuhlx vextuwlx vextubrx vextuhrx "
           "vextuwrx vbpermd"),
    _group("6.17", "Packed decimal: 2.07", V2, ONLY64, "bcdadd. bcdsub."),
    _group("6.17", "Packed decimal: 3.0", V3, ONLY64, "bcdcfn. bcdcfz. bcdctn. bcdctz. bcdcpsgn. bcdsetsgn. bcds. bcdus. bcdsr. bcdtrunc. "
           "bcdutrunc. bcdcfsq. bcdctsq. vmul10uq vmul10euq vmul10cuq vmul10ecuq"),
    _group("6.18", "VSCR", VMX, BOTH, "mtvscr mfvscr"),
    _group("7.6.1.1", "Vector-scalar loads", VSX, ONLY64, "lxsdx lxvd2x lxvdsx lxvw4x"),
    _group("7.6.1.1", "Vector-scalar loads: 2.07", V2, ONLY64, "lxsiwax lxsiwzx lxsspx"),
    _group("7.6.1.1", "Vector-scalar loads: 3.0", V3, ONLY64, "lxsd lxsibzx lxsihzx lxssp lxv lxvx lxvb16x lxvh8x lxvl lxvll lxvwsx"),
    _group("7.6.1.2", "Vector-scalar stores", VSX, ONLY64, "stxsdx stxvd2x stxvw4x"),
    _group("7.6.1.2", "Vector-scalar stores: 2.07", V2, ONLY64, "stxsiwx stxsspx"),
    _group("7.6.1.2", "Vector-scalar stores: 3.0", V3, ONLY64, "stxsd stxsibx stxsihx stxssp stxv stxvx stxvb16x stxvh8x stxvl stxvll"),
    _group("7.6.1.3", "Scalar moves", VSX, ONLY64, "xsabsdp xscpsgndp xsnabsdp xsnegdp"),
    _group("7.6.1.4", "Scalar arithmetic, double", VSX, ONLY64, "xsadddp xssubdp xsmuldp xsdivdp xssqrtdp xsredp xsrsqrtedp xstdivdp "
           "xstsqrtdp " + _each("xsmadd xsmsub xsnmadd xsnmsub", "adp mdp") + " xsmaxdp xsmindp xscmpodp xscmpudp"),
    _group("7.6.1.4", "Scalar arithmetic, single", V2, ONLY64, "xsaddsp xssubsp xsmulsp xsdivsp xssqrtsp xsresp xsrsqrtesp "
           + _each("xsmadd xsmsub xsnmadd xsnmsub", "asp msp")),
    _group("7.6.1.5", "Scalar comparison, extremes, parts and classes: 3.0", V3, ONLY64, "xscmpeqdp xscmpgedp xscmpgtdp xscmpexpdp "
           "xsmaxcdp xsmincdp xsmaxjdp xsminjdp xsiexpdp xsxexpdp xsxsigdp xststdcdp xststdcsp"),
    _group("7.6.1.6", "Scalar conversion and rounding", VSX, ONLY64, "xscvdpsp xscvspdp xscvdpsxds xscvdpsxws xscvdpuxds xscvdpuxws "
           "xscvsxddp xscvuxddp xsrdpi xsrdpic xsrdpim xsrdpip xsrdpiz"),
    _group("7.6.1.6", "Scalar conversion and rounding: 2.07", V2, ONLY64, "xscvdpspn xscvspdpn xscvsxdsp xscvuxdsp xsrsp"),
    _group("7.6.1.6", "Scalar conversion: 3.0", V3, ONLY64, "xscvdphp xscvhpdp"),
    _group("7.6.1.7", "Quad precision", "IEEE128", ONLY64, "xsabsqp xsnabsqp xsnegqp xscpsgnqp xsaddqp xssubqp xsmulqp xsdivqp xssqrtqp "
           "xsmaddqp xsmsubqp xsnmaddqp xsnmsubqp xscvqpdp xscmpexpqp xscmpoqp xscmpuqp xsrqpi xsrqpxp xststdcqp xsxexpqp xsxsigqp "
           "xsiexpqp xscvdpqp xscvqpsdz xscvqpswz xscvqpudz xscvqpuwz xscvsdqp xscvudqp"),
    _group("7.6.1.8", "Vectors: moves", VSX, ONLY64, _each("xvabs xvcpsgn xvnabs xvneg", "dp sp")),
    _group("7.6.1.9", "Vectors: arithmetic", VSX, ONLY64, _each(
        "xvadd xvsub xvmul xvdiv xvsqrt xvre xvrsqrte xvtdiv xvtsqrt xvmax xvmin xvmadda xvmaddm xvmsuba xvmsubm xvnmadda xvnmaddm "
        "xvnmsuba xvnmsubm xvcmpeq xvcmpge xvcmpgt", "dp sp")),
    _group("7.6.1.10", "Vectors: conversion and rounding", VSX, ONLY64, "xvcvdpsp xvcvspdp " + _each(
        "xvcvdpsx xvcvdpux xvcvspsx xvcvspux", "ds ws") + " " + _each("xvcvsxd xvcvsxw xvcvuxd xvcvuxw", "dp sp") + " "
        + _each("xvrdpi xvrspi", "- c m p z").replace("-", "")),
    _group("7.6.1.10", "Vectors: conversion, parts and classes: 3.0", V3, ONLY64, "xvcvhpsp xvcvsphp " + _each(
        "xviexp xvxexp xvxsig xvtstdc", "dp sp")),
    _group("7.6.1.11", "Vectors: logic", VSX, ONLY64, "xxland xxlandc xxlnor xxlor xxlxor"),
    _group("7.6.1.11", "Vectors: logic, 2.07", V2, ONLY64, "xxleqv xxlnand xxlorc"),
    _group("7.6.1.12", "Vectors: permutation", VSX, ONLY64, "xxmrghw xxmrglw xxpermdi xxsel xxsldwi xxspltw"),
    _group("7.6.1.12", "Vectors: permutation, 3.0", V3, ONLY64, "xxbrd xxbrh xxbrq xxbrw xxextractuw xxinsertw xxperm xxpermr xxspltib"),
    _group("II 4.3", "Caches", "", BOTH, "dcbf dcbst dcbt dcbtst dcbz icbi"),
    _group("II 4.3", "Caches: 2.07", V2 + "; e500mc", BOTH, "icbt"),
    _group("–", "Caches: not in 3.0, where Linux emulates it", "", BOTH, "dcba"),
    _group("I 1.8.3", "Hints of later processors: nothing happens", V2, ONLY64, "reserved-nop"),
    _group("–", "Data streams: AltiVec's, not in 3.0", VMX, BOTH, "dst dstst dss"),
    _group("II 4.4", "Copy and paste", V3, ONLY64, "copy paste cpabort"),
    _group("II 4.5", "Atomic memory operations", V3, ONLY64, "lwat ldat stwat stdat"),
    _group("II 4.6.1", "Synchronization", "", BOTH, "isync sync eieio"),
    _group("II 4.6.2", "Reservations", "", BOTH, "lwarx stwcx."),
    _group("II 4.6.2", "Reservations: doublewords", "", ONLY64, "ldarx stdcx."),
    _group("II 4.6.2", "Reservations: 2.06 and 2.07", V2, ONLY64, "lbarx lharx lqarx stbcx. sthcx. stqcx."),
    _group("II 4.6.4", "Wait", V3 + "; e500mc", BOTH, "wait"),
    _group("II 5.3", "Transactional memory", "HTM", ONLY64, TRANSACTIONS),
    _group("II 6.1", "Time base", "", BOTH, "mftb mftbu"),
    _group("II 7.3", "Event-based branches", "EBB", ONLY64, "rfebb"),
    _group("II 8.3", "Branch history", "", ONLY64, "clrbhrb mfbhrbe"),
    _group("II 9", "External control: not in 3.0", "", ONLY32, "eciwx ecowx"),
    _group("III", "Privileged: SIGILL", "", BOTH, "mfmsr mtmsr tlbie tlbsync dcbi mtsr mtsrin mfsr mfsrin rfi"),
    _group("III", "Privileged on embedded processors: SIGILL", "", ONLY32, "tlbia wrtee wrteei tlbivax tlbre tlbsx tlbwe rfci rfdi rfmci"),
    _group("III", "Privileged, 64-bit: SIGILL", "", ONLY64, "mtmsrd tlbiel slbie slbia slbmte slbmfee slbmfev slbfee. slbieg slbiag "
           "slbsync msgsnd msgclr msgsndp msgclrp msgsndu msgclru msgsync lbzcix lhzcix lwzcix ldcix stbcix sthcix stwcix stdcix "
           "rfid hrfid urfid stop rfscv"),
)
NOT_ANNOUNCED = "{} is not announced: undefined, as on a machine without it"
#: mnemonics that no row has, and why
WITHOUT_ROW = {
    **dict.fromkeys(TRANSACTIONS.split(), NOT_ANNOUNCED.format("transactional memory (PPC_FEATURE2_HTM)")),
    **dict.fromkeys(("copy", "paste"), "needs an accelerator's window in the address space, which no process here has: undefined"),
    "rfebb": NOT_ANNOUNCED.format("the event-based branch facility (PPC_FEATURE2_EBB)"),
    **dict.fromkeys(("clrbhrb", "mfbhrbe"), "the branch history belongs to the kernel's performance monitor: undefined"),
    **dict.fromkeys(("eciwx", "ecowx"), "external control needs EAR[E], which Linux leaves 0: undefined"),
}


def mnemonic(row: Row) -> str:
    """Return the first word of a row's template, without what fields append to it."""
    return re.split(r"[{ ]", row.template, maxsplit=1)[0] or row.name.partition(".")[2]


def rows_of(target: str) -> list[Row]:
    """Return the rows of a target."""
    import xemu.targets.ppc.rows  # noqa: F401
    from xemu.targets.ppc.isa import p32, p64

    return (p64 if target == "ppc64le" else p32).rows


def group_of(name: str) -> Group | None:
    """Return the group that names a mnemonic."""
    return next((group for group in GROUPS if name in _names(group)), None)


@cache
def _names(group: Group) -> frozenset[str]:
    return frozenset(group.mnemonics)


def missing(target: str) -> list[tuple[str, str]]:
    """Return (group, mnemonic) of what has neither a row for the target nor a reason."""
    have = {mnemonic(row) for row in rows_of(target)}
    return [(group.title, name) for group in GROUPS if target in group.targets for name in group.mnemonics
            if name not in WITHOUT_ROW and name not in have]


def unknown(target: str) -> list[str]:
    """Return the rows whose mnemonic is in no group, or in none of the target."""
    return [row.name for row in rows_of(target)
            if not any(target in group.targets and mnemonic(row) in _names(group) for group in GROUPS)]


def document() -> str:
    """Return the text of docs/isa-ppc.md."""
    from xemu.targets.ppc.isa import p32, p64
    from xemu.tools.isa_doc import title

    found: dict[str, dict[tuple[str, str, str, str], dict[str, int]]] = {}
    for target in BOTH:
        for row in rows_of(target):
            key = row.pattern, row.template, title(row), row.source.split(":")[0]
            found.setdefault(mnemonic(row), {}).setdefault(key, {})[target] = sum(1 for _ in row.variants())
    absent = {name for target in BOTH for _, name in missing(target)}
    out = [HEAD.format(rows32=len(p32.rows), rows64=len(p64.rows), variants32=len(p32.variants), variants64=len(p64.variants))]
    out += ["| section | instructions | announced by | targets | mnemonics | rows |", "|---|---|---|---|--:|--:|"]
    for group in GROUPS:
        count = sum(len(found.get(name, ())) for name in group.mnemonics)
        out.append(f"| {group.section} | {group.title} | {group.facility or '–'} | {', '.join(group.targets)} | {len(group.mnemonics)} "
                   f"| {count} |")
    for group in GROUPS:
        lines = [_line(*key, handlers) for name in group.mnemonics for key, handlers in found.get(name, {}).items()]
        lacks = [name for name in group.mnemonics if name in absent]
        out += ["", f"## {group.title}", ""] if lines or lacks else []
        out += [f"Not there yet: {', '.join(lacks)}.", ""] if lacks else []
        out += ["| diagram | assembly | instruction | file | handlers |", "|---|---|---|---|---|", *lines] if lines else []
    out += ["", "## Mnemonics without a row", "", "| mnemonic | why |", "|---|---|"]
    out += [f"| {name} | {why} |" for name, why in WITHOUT_ROW.items()]
    return "\n".join(out) + "\n"


def _line(pattern: str, template: str, text: str, file: str, handlers: dict[str, int]) -> str:
    counts = set(handlers.values())
    where = str(counts.pop()) if len(handlers) == len(BOTH) and len(counts) == 1 else ", ".join(f"{t} {n}" for t, n in handlers.items())
    return f"| `{pattern}` | `{template}` | {text} | {file} | {where} |"


HEAD = """\
# The instruction set of PowerPC

Generated by `python -m xemu.tools.isa_doc` from the rows in `xemu/targets/ppc`; a test compares it with them, and another the rows
with the lists of the manual: what the auxiliary vector announces is here or has a reason at the end of the page.

Manual: Power ISA Version 3.0B, Books I and II; sections are Book I's where no book is named. Diagrams list fields and fixed bits from
the top bit down, `21:6` being a decimal opcode of 6 bits and `-` a bit that does not count. `{{Rc}}` and `{{o}}` append the dot and the
o of forms that set CR0 and OV. *Handlers* is the number of variants: one for each value of the split fields, another where RA is 0.
`ppc` is 32-bit and big-endian (a 7400 with what e500mc adds), `ppc64le` a POWER9. An encoding that is not here is undefined and
gives the guest SIGILL. The lists were held against four others: binutils 2.40, LLVM 14, capstone 5 and the tables of Go's disassembler.

ppc has {rows32} rows and {variants32} handlers, ppc64le {rows64} rows and {variants64} handlers.
"""

__all__ = ["BOTH", "GROUPS", "WITHOUT_ROW", "Group", "document", "group_of", "missing", "mnemonic", "rows_of", "unknown"]
