"""A target with 64-bit addresses and a dozen instructions, for tests of the core; its compiler runs in the test's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.core import library
from xemu.core.bits import Bits, const, sext
from xemu.core.client import Client
from xemu.core.isa import FixedWidthIsa, Reg
from xemu.core.record import Recorder, when
from xemu.core.state import StateLayout
from xemu.core.target import IsaSet, Target
from xemu.core.worker import answer
from xemu.targets import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

LAYOUT = StateLayout("wide")
LAYOUT.file("R", 16, 64, " ".join(f"r{n}" for n in range(16)))
wide = FixedWidthIsa("wide", 32, {"rd": Reg(prefix=False), "rn": Reg(prefix=False)})


@wide("00000001 rd rn imm:16", "load8 {rd}, [{rn}, {imm}]")
def load8(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.R[rd] = cpu.load(cpu.R[rn] + sext(imm, 64), 8)


@wide("00000010 rd rn imm:16", "store8 {rd}, [{rn}, {imm}]")
def store8(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.store(cpu.R[rn] + sext(imm, 64), cpu.R[rd])


@wide("00000011 rd rn imm:16", "load1 {rd}, [{rn}, {imm}]")
def load1(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.R[rd] = sext(cpu.load(cpu.R[rn] + sext(imm, 64), 1), 64)


@wide("00000100 rd rn imm:16", "store1 {rd}, [{rn}, {imm}]")
def store1(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.store(cpu.R[rn] + sext(imm, 64), cpu.R[rd][7:0])


@wide("00000101 rd rn imm:16", "aligned {rd}, [{rn}, {imm}]")
def aligned(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.R[rd] = cpu.load(cpu.R[rn] + sext(imm, 64), 8, align=8)


@wide("00000110 rd rn imm:16", "pair {rd}, [{rn}, {imm}]")
def pair(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    at = cpu.R[rn] + sext(imm, 64)
    cpu.probe(at, 16, align=4)
    cpu.R[rd] = cpu.load(at, 8, checked=False) ^ cpu.load(at + 8, 8, checked=False)


@wide("00000111 rd rn imm:16", "last {rd}, [{rn}], {imm}")
def last(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    """Read the last byte of as many as r0 says, once all can be read."""
    size = cpu.R[0][31:0]
    cpu.probe(cpu.R[rn], size)
    with when(size != 0):
        cpu.R[rd] = sext(cpu.load(cpu.R[rn] + (cpu.R[0] - 1), 1, checked=False), 64) + sext(imm, 64)


@wide("00001000 rd rn imm:16", "add {rd}, {rn}, {imm}")
def add(cpu: Any, rd: Any, rn: Any, imm: Bits) -> None:
    cpu.R[rd] = cpu.R[rn] + sext(imm, 64)


@wide("00010000 ---- rn imm:16", "bnz {rn}, {imm}")
def bnz(cpu: Any, rn: Any, imm: Bits) -> None:
    with when(cpu.R[rn] != 0):
        cpu.branch(cpu.pc + (sext(imm, 64) << 2))


@wide("00010001 -------- imm:16", "b {imm}")
def b(cpu: Any, imm: Bits) -> None:
    cpu.branch(cpu.pc + (sext(imm, 64) << 2))


@wide("00010010 ---- rn ----------------", "jump {rn}")
def jump(cpu: Any, rn: Any) -> None:
    cpu.branch(cpu.R[rn])


@wide("00010011 ---- rn imm:16", "switch {rn}, {imm}")
def switch(cpu: Any, rn: Any, imm: Bits) -> None:
    cpu.branch(cpu.R[rn], context=imm)


def condition(_cpu: Recorder, _number: int) -> Bits:
    """There are no conditions."""
    return const(1, 1)


OPCODES = {row.function.__name__: row.value >> 24 for row in wide.rows}
SET = IsaSet("wide", __name__, __name__, ("wide",), (32,))
TARGET = Target("wide", "wide", LAYOUT, 64, lambda word: word, (SET,), lambda _word: 0, lambda: None, lambda _state, _name: None,
                lambda _state, _name, _value: False, lambda _context: (0, 0))


def word(name: str, d: int = 0, n: int = 0, imm: int = 0) -> int:
    """Return an instruction."""
    return OPCODES[name] << 24 | d << 20 | n << 16 | imm & 0xFFFF


class HereClient(Client):
    """The compiler in this process: every request is answered at once."""

    answers: ClassVar[dict[str, Any]] = {}

    def ask(self, request: tuple[Any, ...], done: Callable[[Any], None], *, urgent: bool = False) -> None:  # noqa: ARG002
        """Answer."""
        key = repr(request)
        if key not in self.answers:
            self.answers[key] = answer(request, self.cache)
        done(self.answers[key])


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the target known."""
    monkeypatch.setitem(registry.TARGETS, "wide", f"{__name__}:TARGET")
    monkeypatch.setattr(library, "Client", HereClient)
