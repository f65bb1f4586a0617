"""Registration of rows that A32 and T32 share bit for bit: Advanced SIMD and floating point (ARM ARM A7.4, A7.5, A7.7).

A row is written once, with the manual's A32 diagram. The T32 encoding differs in the top byte only.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from xemu.core.bits import ult, zext
from xemu.core.record import RegNo, when
from xemu.errors import IsaError
from xemu.targets.arm.isa import a32, t32

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., None]


def simd(pattern: str, template: str, *, where: str = "", name: str = "",
         **bound: Any) -> Callable[[Function], Function]:
    """Register the decorated function as a row of A32 and of T32; `pattern` is the A32 diagram.

    The diagram starts with "1111001 U" (data processing; U: any one-bit token), "11110100" (element load/store) or
    "cond 1110"/"cond 110…" (VFP and transfers).
    """
    source = _caller()

    def register(function: Function) -> Function:
        add_simd(function, pattern, template, where=where, name=name, bound=bound, source=source)
        return function
    return register


def add_simd(function: Function, pattern: str, template: str, *, where: str = "", name: str = "",
             bound: dict[str, Any] | None = None, source: str = "") -> None:
    """Register a function as a row of A32 and of T32 (for tables of families)."""
    source = source or _caller()
    for isa, diagram in (a32, pattern), (t32, thumb_diagram(pattern)):
        isa.add(function, diagram, template, where=where, name=name, bound=dict(bound or {}), source=source)


def vector(pattern: str, template: str, *, where: str = "", name: str = "", quads: str = "dnm",
           **bound: Any) -> Callable[[Function], Function]:
    """Register the decorated function as a doubleword row and a quadword row.

    The diagram has the manual's Q bit and Vd, Vn, Vm. The function takes `cpu, V` and any of `d, n, m`: V is the
    register file (`cpu.D` or `cpu.Q128`) and d, n, m are numbers in it: `V[d] = V[n] & V[m]`. Registers that `quads`
    does not list are doublewords in both rows. With Q=1 an odd Vd, Vn or Vm is undefined and matches neither row.
    In the template {d} {n} {m} stand for the registers.
    """
    source = _caller()

    def register(function: Function) -> Function:
        add_vector(function, pattern, template, where=where, name=name, quads=quads, bound=bound, source=source)
        return function
    return register


def add_vector(function: Function, pattern: str, template: str, *, where: str = "", name: str = "", quads: str = "dnm",
               bound: dict[str, Any] | None = None, source: str = "", forms: str = "DQ") -> None:
    """Register a function as `vector` does; `forms` may leave out the doubleword or the quadword row."""
    for form in forms:
        numbers = {letter: ("Q" if form == "Q" and letter in quads else "D") + letter for letter in "dnm"}
        text, diagram = template, pattern.split()
        diagram[diagram.index("Q")] = "1" if form == "Q" else "0"
        for letter, register in numbers.items():
            text = text.replace("{" + letter + "}", "{" + register + "}")
            if register[0] == "Q" and "V" + letter in diagram:
                at = diagram.index("V" + letter)
                diagram[at:at + 1] = [f"Q{letter}3", "0"]
        row = _with_registers(function, numbers, quad=form == "Q")
        add_simd(row, " ".join(diagram), text, where=where, name=f"{name or function.__name__}_{form}", bound=bound,
                 source=source or _caller())


def _with_registers(function: Function, numbers: dict[str, str], *, quad: bool) -> Function:
    """Return the row function for one width: its fields are those of `function` with d, n, m replaced."""
    old = inspect.signature(function)
    letters = {register: letter for letter, register in numbers.items() if letter in old.parameters}
    back = {letter: register for register, letter in letters.items()}

    def row(cpu: Any, **fields: Any) -> None:
        arguments = {letters.get(k, k): v for k, v in fields.items()}
        function(cpu, cpu.Q128 if quad else cpu.D, **arguments)

    parameters = [p.replace(name=back.get(p.name, p.name)) for p in old.parameters.values() if p.name != "V"]
    row.__signature__ = old.replace(parameters=parameters)  # type: ignore[attr-defined]
    row.__doc__, row.__name__ = function.__doc__, function.__name__
    row.__wrapped__ = function  # type: ignore[attr-defined]
    return row


def thumb_diagram(pattern: str) -> str:
    """Return the T32 diagram for an A32 one (ARM ARM A7.4, A7.5, A7.7: the bits below the top byte are the same)."""
    first, rest = pattern.split(maxsplit=1)
    if first == "cond":
        return "1110 " + rest
    if first == "1111001":
        u, rest = rest.split(maxsplit=1)
        return f"111 {u} 1111 {rest}"
    if first == "11110100":
        return "11111001 " + rest
    msg = f"{_caller()}: a SIMD diagram starts with `cond`, `1111001 U` or `11110100`, not {first!r}"
    raise IsaError(msg)


def register_list(cpu: Any, first: RegNo, count: int, spacing: int = 1) -> list[RegNo]:
    """Return `count` doubleword registers from `first` on; a list that passes d31 (UNPREDICTABLE) is undefined."""
    last = spacing * (count - 1)
    if last:
        with when(~ult(first.as_bits(), 32 - last)):
            cpu.undefined()
    return [following(first, spacing * i) for i in range(count)]


def following(first: RegNo, n: int) -> RegNo:
    """Return the n-th doubleword register after `first`, modulo 32: always one that exists."""
    if isinstance(first.number, int):
        return RegNo((first.number + n) % 32)
    return RegNo((zext(first.number, 8) + n) & 31) if n else first


def _caller() -> str:
    """Return file:line of the row that is being registered."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}" if frame else "?"
