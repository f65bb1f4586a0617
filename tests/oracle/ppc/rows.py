"""The rows of PowerPC as forms to make cases of; which are left out, and which encodings the manual does not define."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from xemu.core.isa import FixedWidthIsa, Row, Variant

#: mnemonics that are not compared, and why
LEFT_OUT: Final = {
    "dcba": "not on POWER9: Linux emulates it, QEMU does not", "icbt": "QEMU knows it for embedded processors only",
    "sc": "calls the system", "scv": "calls the system", "mftb": "time", "mftbu": "time", "darn": "chance", "wait": "waits",
    "reserved-nop": "QEMU 7.2 knows those that Power ISA 3.1 uses", "copy": "QEMU 7.2 does not know it",
    "paste": "QEMU 7.2 does not know it", "cpabort": "QEMU 7.2 does not know it",
}
#: special-purpose registers that are not compared, and why
SPRS_LEFT_OUT: Final = {3: "DSCR: QEMU's is the supervisor's alone", 17: "DSCR, which Linux emulates",
                        259: "QEMU lacks SPRG3 for user mode", 287: "PVR: another revision", 268: "time", 269: "time",
                        896: "QEMU lacks PPR", 898: "QEMU lacks PPR32", 13: "AMR: QEMU's is the supervisor's alone",
                        136: "CTRL: QEMU's does not run",
                        **dict.fromkeys(range(808, 812), "reserved: QEMU's hold what was written")}
#: mnemonics that a processor of QEMU's lacks and another of the same target has
LACKING: Final = {"7400": ("isel", "wait"), "e500mc": ("v.*", "lv.*", "stv.*", "dst.*", "dss.*", "mtvscr", "mfvscr", "mcrxr")}
#: special-purpose registers that are compared: XER, LR, CTR, VRSAVE, TAR (64-bit)
SPRS: Final = (1, 8, 9, 256, 815)
TRIES: Final = 300
#: objdump's names of processors that have a target's instructions
DIALECTS: Final = {"ppc64le": ("power9", "power6", "7450"), "ppc": ("7450", "e500mc", "750cl", "power9")}
UPDATE: Final = re.compile(r"(lbz|lh[az]|lw[az]|ld|st[bhwd]|lf[sd]|stf[sd])ux?$")


@dataclass(frozen=True)
class Form:
    """A row and what its cases are made of."""

    row: Row
    variants: tuple[Variant, ...]
    mnemonic: str                     # without what a field appends to it: "add" for add, addo, add. and addo.
    reserved: int                     # bits that the diagram says nothing about

    @property
    def name(self) -> str:
        """Return the row's id."""
        return self.row.name


def mnemonic(row: Row) -> str:
    """Return the first word of a row's template, without fields."""
    return re.split(r"[{ ]", row.template, maxsplit=1)[0] or row.name.partition(".")[2]


def set_of(target: str) -> FixedWidthIsa:
    """Return the instruction set of a target, with its rows."""
    from xemu.targets.ppc import isa
    from xemu.targets.registry import get_target

    get_target(target).load_rows()
    found: FixedWidthIsa = isa.p64 if target == "ppc64le" else isa.p32
    return found


def forms(target: str, pattern: str = "", *, everything: bool = False) -> dict[str, Form]:
    """Return the forms of all rows whose mnemonic (the whole of it) or id a regular expression matches, by the row's id.

    `everything`: also of those that are not compared.
    """
    found = {}
    for row in set_of(target).rows:
        name = mnemonic(row)
        if (not pattern or re.fullmatch(pattern, name) or pattern == row.name) and (everything or is_compared(row, name.rstrip("."))):
            found[row.name] = Form(row, tuple(row.variants()), name, reserved(row))
    return found


def is_compared(row: Row, name: str) -> bool:
    """Return whether a row is compared."""
    spr = row.value >> 16 & 31 | row.value >> 6 & 0x3E0
    moves = row.value >> 26 == 31 and row.value >> 1 & 0x3FF in (339, 371, 467) and row.mask >> 11 & 0x3FF == 0x3FF
    return name not in LEFT_OUT and not (moves and spr in SPRS_LEFT_OUT)


def exists(form: Form, cpu: str) -> bool:
    """Return whether a processor of QEMU's has an instruction."""
    return not any(re.fullmatch(pattern, form.mnemonic) for pattern in LACKING.get(cpu, ()))


def reserved(row: Row) -> int:
    """Return the bits of the word that are neither fixed nor a field's."""
    used = row.mask
    for place in row.places.values():
        used |= (1 << place.width) - 1 << place.shift
    return ~used & 0xFFFF_FFFF


def fields_of(row: Row, word: int) -> dict[str, int]:
    """Return the fields of an encoding as they stand in the diagram."""
    return {name: word >> place.shift & (1 << place.width) - 1 for name, place in row.places.items()}


def put(row: Row, word: int, **values: int) -> int:
    """Return the encoding with other fields, those that the diagram has."""
    for name, value in values.items():
        if place := row.places.get(name):
            ones = (1 << place.width) - 1
            word = word & ~(ones << place.shift) | (value & ones) << place.shift
    return word


def encoding(form: Form, rng: Random) -> int | None:
    """Return a random encoding that the manual defines; reserved bits are 0. None: there is none."""
    for _ in range(TRIES):
        variant = rng.choice(form.variants)
        if form.variants[0].never and not variant.never and rng.random() < 0.85:      # RA is 0 in half of the variants
            continue
        free = ~variant.mask & ~form.reserved & 0xFFFF_FFFF
        word = _shaped(form, variant.value & 0xFFFF_FFFF | rng.getrandbits(32) & free, rng)
        if variant.matches(word) and is_defined(form.mnemonic, fields_of(form.row, word)):
            return word
    return None


def _shaped(form: Form, word: int, rng: Random) -> int:
    """Give fields of which few values mean something one of these."""
    if "spr_lo" in form.row.places:
        number = rng.choice(SPRS) if rng.random() < 0.5 else rng.getrandbits(10)
        number = SPRS[0] if number in SPRS_LEFT_OUT else number
        word = put(form.row, word, spr_lo=number & 31, spr_hi=number >> 5)
    size = {"vextractuh": 2, "vinserth": 2, "vextractuw": 4, "vinsertw": 4, "vextractd": 8, "vinsertd": 8}.get(form.mnemonic)
    if size:
        word = put(form.row, word, UIM=rng.randrange(17 - size))
    if form.mnemonic in ("mtocrf", "mfocrf"):
        word = put(form.row, word, FXM=1 << rng.randrange(8))
    return word


def is_defined(name: str, f: dict[str, int]) -> bool:
    """Return whether the manual defines an encoding by its fields; it calls others invalid or boundedly undefined."""
    name = name.rstrip(".")
    target, base = register(f), f.get("RA", f.get("RA0", -1))
    if UPDATE.match(name):
        return base != 0 and not (name[0] == "l" and name[1] != "f" and base == target)
    checks: dict[str, Callable[[], bool]] = {
        "lmw": lambda: base < target, "lswi": lambda: _string(f, f.get("NB", 0) or 32, base),
        "lswx": lambda: False not in (target != base, target != f["RB"]),
        "lq": lambda: base != target, "lqarx": lambda: base != target != f["RB"], "bcctr": lambda: bool(f["BO"] & 4),
        "sync": lambda: f["LS"] != 3, **dict.fromkeys(("dst", "dstt", "dstst", "dststt"), lambda: base != 0),
    }
    if name[0] == "d" and "FRT" in f and name.endswith("q") | name.startswith(("dctqpq", "drdpq")):
        return _pairs(name, f)
    return checks.get(name, lambda: True)()


def register(f: dict[str, int]) -> int:
    """Return the number of RT or RS, or of the first of the pair that RTp or RSp names."""
    return f.get("RT", f.get("RS", 2 * f.get("RTp", f.get("RSp", -1))))


def _string(f: dict[str, int], count: int, base: int) -> bool:
    """Return whether the base of LSWI is none of the registers loaded."""
    return base not in {(f["RT"] + n) % 32 for n in range((count + 3) // 4)}


def _pairs(name: str, f: dict[str, int]) -> bool:
    """Return whether the registers of quad decimal arithmetic are even where they are pairs."""
    narrow = {"dctqpq": "FRB", "dcffixq": "FRB", "dctfixq": "FRT", "dxexq": "FRT", "diexq": "FRA"}.get(name)
    return all(not f[field] & 1 for field in ("FRT", "FRA", "FRB") if field in f and field != narrow)


def disassembler() -> str | None:
    """Return the path of binutils' objdump for PowerPC; None: it is not installed."""
    return shutil.which("powerpc64le-linux-gnu-objdump")


def disassembled(words: Sequence[int], target: str, dialect: str = "") -> list[str]:
    """Return objdump's text for each word in a dialect (its option -M); "?" where there is no objdump."""
    program = disassembler()
    if program is None:
        return ["?"] * len(words)
    little = target == "ppc64le"
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(word.to_bytes(4, "little" if little else "big") for word in words))
        file.flush()
        options = ["-D", "-z", "-b", "binary", "-m", "powerpc:common64" if little else "powerpc:common", "-EL" if little else "-EB",
                   "-M", dialect or DIALECTS[target][0], "--no-show-raw-insn"]
        text = subprocess.run([program, *options, file.name], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^ *([0-9a-f]+):\t(.*)$", text, re.MULTILINE)
    found = {int(at, 16) // 4: re.sub(r"\s+", " ", line).strip() for at, line in lines}
    return [found.get(i, "?") for i in range(len(words))]


def mnemonics(words: Sequence[int], target: str) -> list[set[str]]:
    """Return the names that objdump has for each word in the dialects of a target's processors, simplified ones left out."""
    texts = [disassembled(words, target, f"{dialect},raw") for dialect in DIALECTS[target]]
    return [{text.partition(" ")[0].rstrip("+-") for text in each} for each in zip(*texts, strict=True)]
