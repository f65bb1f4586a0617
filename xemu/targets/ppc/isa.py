"""The instruction sets of PowerPC and the fields of their diagrams, named as the Power ISA names them (Book I, 1.6).

Rows are registered with `ppc(…)` for both widths, with `ppc64(…)` or `ppc32(…)` for one. Widths of registers are those of the
target: a row for both says `cpu.xlen` where it matters.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from xemu.core.isa import AnyField, Field, FixedWidthIsa, Reg, Split
from xemu.targets.ppc.state import PpcCpu

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS: dict[str, AnyField] = {
    # general registers; RA0 is "RA|0": where the field is 0, the value 0 (another variant, see PpcCpu.base)
    "RT": Reg(5), "RS": Reg(5), "RA": Reg(5), "RB": Reg(5), "RC": Reg(5),
    "RA0": Reg(5, pc=True, prefix=False, number=0),
    "SI": Field(16), "UI": Field(16), "D": Field(16), "DS": Field(14), "DQ": Field(12),
    "SH": Field(5), "sh1": Field(1), "sh6": Field(of="sh1 SH"), "MB": Field(5), "ME": Field(5),
    "mb1": Field(1), "mb5": Field(5), "mb6": Field(of="mb1 mb5"),
    "Rc": Split(1), "OE": Split(1), "AA": Split(1), "LK": Split(1), "L": Split(1),
    "BO": Split(5), "BI": Field(5), "BD": Field(14), "LI": Field(24), "BH": Field(2),
    "BF": Field(3), "BFA": Field(3), "BT": Field(5), "BA": Field(5), "BB": Field(5), "FXM": Field(8),
    "TO": Field(5), "NB": Field(5), "EH": Field(1),
    "spr_lo": Field(5), "spr_hi": Field(5),
    # floating-point registers: numbers 0 to 31, see PpcCpu.fpr; FR is FRT of a load and FRS of a store
    "FRT": Reg(5), "FR": Reg(5), "FRA": Reg(5), "FRB": Reg(5), "FRC": Reg(5),
    "FLM": Field(8), "W": Split(1), "U": Field(4), "RMC": Split(2),
    # vector registers: numbers 0 to 31, see PpcCpu.vr
    "VRT": Reg(5), "VRS": Reg(5), "VRA": Reg(5), "VRB": Reg(5), "VRC": Reg(5), "SIM": Field(5), "UIM": Field(5), "SHB": Field(4),
    "PS": Field(1), "ST": Split(1), "SIX": Field(4), "STRM": Field(2),
    # vector-scalar registers: numbers 0 to 63, the top bit stands at the end of the word
    "T": Field(5), "A": Field(5), "B": Field(5), "C": Field(5), "S": Field(5),
    "TX": Field(1), "AX": Field(1), "BX": Field(1), "CX": Field(1), "SX": Field(1),
    "XT": Reg(of="TX T"), "XS": Reg(of="SX S"), "XA": Reg(of="AX A"), "XB": Reg(of="BX B"), "XC": Reg(of="CX C"),
    "DM": Split(2), "SHW": Split(2), "UIM2": Split(2), "UIM4": Field(4),
    "DCMX": Field(7), "dx": Field(5), "dc": Field(1), "dm": Field(1), "DCMXv": Field(of="dc dm dx"),
    "IMM8": Field(8), "RO": Split(1), "R": Split(1), "EX": Split(1),
}

p32 = FixedWidthIsa("p32", 32, FIELDS, cpu=PpcCpu)
p64 = FixedWidthIsa("p64", 32, FIELDS, cpu=PpcCpu)


class Family:
    """The instruction sets that a row goes to."""

    def __init__(self, *isas: FixedWidthIsa) -> None:
        """Take the sets."""
        self.isas = isas

    def __call__(self, pattern: str, template: str, *, where: str = "", features: str = "", name: str = "", **bound: Any) -> Any:
        """Register a row for the decorated function; see FixedWidthIsa. `bound` arguments are passed to it as they are."""
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        source = f"{caller.f_code.co_filename.rsplit('/', 1)[-1]}:{caller.f_lineno}" if caller else "?"

        def register(function: Callable[..., None]) -> Callable[..., None]:
            self.row(function, pattern, template, where=where, features=features, name=name, source=source, **bound)
            return function
        return register

    def row(self, function: Callable[..., None], pattern: str, template: str, *, where: str = "", features: str = "", name: str = "",
            source: str = "", **bound: Any) -> None:
        """Register a row of a table."""
        place = source or f"{function.__code__.co_filename.rsplit('/', 1)[-1]}:{function.__code__.co_firstlineno}"
        for isa in self.isas:
            isa.add(function, pattern, template, where=where, features=features, name=name or re.split(r"[{ ]", template, maxsplit=1)[0],
                    bound=bound, source=place)


ppc, ppc32, ppc64 = Family(p32, p64), Family(p32), Family(p64)
