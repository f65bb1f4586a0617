"""The instruction sets of the M profile: copies of T16 and T32 that know which architecture has each row.

ARMv6-M ARM (DDI 0419), ARMv7-M ARM (DDI 0403E). `m_none` is what the processor decodes where EPSR.T is clear: nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xemu.core.isa import Field, FixedWidthIsa, Reg, Split
from xemu.core.record import when
from xemu.targets.arm import operations
from xemu.targets.arm.isa import t16, t32
from xemu.targets.arm.layout import AS_USER, FPV4_SP, FPV5_DP, NO_FP, V6M, V7EM, V7M, MContext
from xemu.targets.arm.m_state import MCpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.isa import AnyField, Row

FIELDS: dict[str, AnyField] = {"im": Split(1), "I": Split(1), "F": Split(1)}
m16 = FixedWidthIsa("m16", 16, {**t16.fields, **FIELDS}, extra=t16.extra, cpu=MCpu)
m32 = FixedWidthIsa("m32", 32, {**t32.fields, "H": Field(1), "Sx": Reg(of="Vd H"), "cc": Split(2)}, extra=t32.extra, cpu=MCpu)
m_none = FixedWidthIsa("m_none", 16, {}, cpu=MCpu)

#: what a row may need, and whether a context has it; our one FPv5 has both precisions
V6_M, V7_M, DSP, SINGLE, FPV5, DOUBLE = "v6-M", "v7-M", "v7E-M", "FPv4-SP", "FPv5-SP", "FPv5-DP"
FEATURES: dict[str, Callable[[MContext], bool]] = {
    V6_M: lambda _: True,
    V7_M: lambda c: c.ARCH >= V7M,
    DSP: lambda c: c.ARCH >= V7EM,
    SINGLE: lambda c: c.FPU >= FPV4_SP,
    FPV5: lambda c: c.FPU >= FPV5_DP,
    DOUBLE: lambda c: c.FPU >= FPV5_DP,
}
FLOATING = (SINGLE, FPV5, DOUBLE)

#: (file, names, what the rows need); the first line that fits counts. "": the M profile lacks them or has its own
AVAILABLE = (
    ("t16_data", "SETEND|CPS|WFE|WFI|SEV|SVC", ""),
    ("t16_data", "CBZ|IT", V7_M),
    ("t16_data", ".*", V6_M),
    ("t16_memory", ".*", V6_M),
    ("t32_branch", "BLX|BXJ|CPS|WFE|WFI|SEV|MRS|MSR_register", ""),
    ("t32_branch", "BL|DSB|DMB|ISB|UDF", V6_M),
    ("t32_branch", ".*", V7_M),
    ("t32_data", ".*", V7_M),
    ("t32_memory", "LDREXD|STREXD", ""),
    ("t32_memory", ".*", V7_M),
    ("t32_media", r"[SU]XT[BH](_unrotated)?|CLZ|REV.*|RBIT|[SU]BFX|BFI|BFC|[SU]SAT(_asr)?", V7_M),
    ("t32_media", ".*", DSP),
    ("t32_multiply", "SDIV|UDIV", ""),
    ("t32_multiply", "MLA|MUL|MLS|[SU]MULL|[SU]MLAL", V7_M),
    ("t32_multiply", ".*", DSP),
    ("vfp", ".*(double|f64).*", DOUBLE),
    ("vfp", ".*", SINGLE),
    ("vfp_transfer", "VMSR", ""),
    ("vfp_transfer", ".*", SINGLE),
)
MODULES = tuple(dict.fromkeys(module for module, _, _ in AVAILABLE))


def feature_of(row: Row) -> str:
    """Return what a row of T16 or T32 needs in the M profile, "" where that lacks it."""
    module, name = row.source.split(".")[0], row.name.split(".")[1].split("#")[0]
    return next((need for file, names, need in AVAILABLE if file == module and re.fullmatch(names, name)), "")


def guarded(function: Callable[..., None], feature: str) -> Callable[..., None]:
    """Return a row function that is undefined, or raises NOCP, in a context that lacks `feature`."""
    have, floating = FEATURES[feature], feature in FLOATING
    as_user = function.__name__.endswith("_unprivileged")

    def row(cpu: Any, **fields: Any) -> None:
        context = cpu.context
        if floating and context.ARCH != V6M and (context.FPU == NO_FP or context.FPOFF):
            cpu.no_coprocessor()
        elif have(context):
            if as_user:
                with when(cpu.ASUSER == 1):
                    cpu.abort("exception", AS_USER)
            function(cpu, **fields)
        else:
            cpu.undefined()

    row.__doc__, row.__name__ = function.__doc__, function.__name__
    return row


def adopt(row: Row, feature: str) -> Row:
    """Guard a row of the M profile. Encodings that name D16-D31 are not in it."""
    row.function, row.features = guarded(row.function, feature), feature
    for name in {"Dd", "Dn", "Dm"}.intersection(row.parameters):
        (_, top), _ = row.raw_places(name)
        row.mask |= 1 << top.shift
    return row


def copy(row: Row, isa: FixedWidthIsa, feature: str) -> Row:
    """Return a row of T16 or T32 as one of the M profile."""
    return adopt(replace(row, isa=isa, name=f"{isa.name}.{row.name.split('.')[1]}"), feature)


def take_over(source: FixedWidthIsa, isa: FixedWidthIsa) -> None:
    """Copy the rows that the M profile has, in the order of MODULES: rows.py may have imported others before."""
    chosen = [(MODULES.index(row.source.split(".")[0]), row, need) for row in source.rows if (need := feature_of(row))]
    isa.rows.extend(copy(row, isa, need) for _, row, need in sorted(chosen, key=lambda c: c[0]))


def titled(function: Callable[..., None], name: str, title: str, section: str) -> Callable[..., None]:
    """Return a copy of a row function that a table shares, with a name and a first docstring line of its own."""
    copied = operations.titled(function, name, title, section)
    copied.__doc__ = f"{title}. ARMv7-M ARM {section}."
    return copied


def m_row(isa: FixedWidthIsa, feature: str, pattern: str, template: str,
          **how: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the decorated function as a row of the M profile that needs a feature."""
    def register(function: Callable[..., None]) -> Callable[..., None]:
        add_m_row(function, isa, feature, pattern, template, **how)
        return function
    return register


def add_m_row(function: Callable[..., None], isa: FixedWidthIsa, feature: str, pattern: str, template: str, **how: Any) -> None:
    """Register a function as a row of the M profile that needs a feature (for tables of families)."""
    source = f"{function.__module__.rsplit('.', 1)[-1]}.py:{function.__code__.co_firstlineno}"
    adopt(isa.add(function, pattern, template, source=source, **how), feature)
