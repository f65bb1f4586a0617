"""The rows of x86 as forms to make cases of, and which of them the host cannot judge."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.x86.encode import Form, parse
from tests.oracle.x86.native import features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.targets.x86.isa import X86Row

#: mnemonics that are not compared, and why
LEFT_OUT: Final = {
    "syscall": "calls the host's kernel", "sysenter": "calls the host's kernel", "int": "calls the host's kernel",
    "cpuid": "announces another processor", "xgetbv": "announces another processor", "rdtsc": "time", "rdtscp": "time",
    "rdrand": "chance", "rdseed": "chance", "rdpid": "another machine", "sgdt": "another machine", "sidt": "another machine",
    "sldt": "another machine", "str": "another machine", "smsw": "another machine", "xsave": "more components",
    "xsavec": "more components", "xsaveopt": "more components", "xrstor": "more components", "xbegin": "may abort as it likes",
    "xtest": "not announced",
    "lsl": "another machine", "lar": "another machine", "verr": "another machine", "verw": "another machine",
    "toolong": "has no opcode", "ud": "", "ud0": "", "ud1": "",
}
#: capstone's groups whose instructions a host may lack, and Linux's names for the feature
FEATURES: Final = {"avx": "avx", "avx2": "avx2", "bmi": "bmi1", "bmi2": "bmi2", "fma": "fma", "f16c": "f16c", "aes": "aes", "adx": "adx",
                   "pclmul": "pclmulqdq", "sha": "sha_ni", "sse41": "sse4_1", "sse42": "sse4_2", "ssse3": "ssse3", "movbe": "movbe"}


def forms(pattern: str = "") -> dict[str, Form]:
    """Return the forms of all rows whose mnemonic matches a regular expression (the whole of it), by the row's id."""
    from xemu.targets.x86.isa import x86
    from xemu.targets.x86.target import load_rows

    load_rows()
    found = {}
    for row in x86.rows:
        mnemonic = row.template.partition(" ")[0] or row.function.__name__
        wanted = re.fullmatch(pattern, mnemonic) or pattern in (row.name, row.pattern) if pattern else True
        if wanted and mnemonic.removesuffix("64") not in LEFT_OUT:
            found[row.name] = form_of(row)  # type: ignore[arg-type]
    return found


def form_of(row: X86Row) -> Form:
    """Return a row as a form."""
    from xemu.targets.x86.isa import bit

    def fixed(name: str) -> int | None:
        mask, _ = bit(name, 0)
        shift, _ = bit_place(name)
        return row.value >> shift & (mask >> shift) if row.mask & mask == mask else None
    mode = fixed("mode64")
    modes = (64, 32) if mode is None else (64,) if mode else (32,)
    repeat = {2: 0xF2, 3: 0xF3}.get(fixed("rep") or 0, 0)
    parsed = parse(row.pattern)
    if parsed.vex or parsed.prefix in ("F2", "F3"):
        repeat = 0
    text = row.template or row.name.partition(".")[2]
    return Form(row.pattern, text, row.lockable, row.name, modes, "size" in row.axes, repeat)


def bit_place(name: str) -> tuple[int, int]:
    """Return shift and width of a field of the scanned word."""
    from xemu.targets.x86.scan import WORD

    place = WORD[name]
    return place.shift, place.width


@cache
def _capstone(bits: int) -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)
    engine.detail = True
    return engine


def disassembled(code: bytes, bits: int, at: int) -> str:
    """Return capstone's text."""
    found = next(_capstone(bits).disasm(code, at), None)
    if found is None:
        return "?"
    rest = "" if found.size == len(code) else f" (+{len(code) - found.size} bytes)"
    return f"{found.mnemonic} {found.op_str}{rest}".strip()


def lacking(code: bytes, bits: int, at: int) -> str:
    """Return the features that an instruction needs and the host lacks."""
    found = next(_capstone(bits).disasm(code, at), None)
    groups: Iterator[str] = (found.group_name(group) for group in found.groups) if found else iter(())
    return " ".join(FEATURES[name] for name in groups if name in FEATURES and FEATURES[name] not in features())
