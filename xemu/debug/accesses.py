"""Which memory an instruction accesses, worked out from its operands (capstone) and the registers before it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xemu.debug.disassembly import Line
    from xemu.debug.system import System

ALWAYS = 14                  # the condition that always holds
WIDTHS = {"b": 1, "sb": 1, "h": 2, "sh": 2, "d": 8}
MASK = 0xFFFF_FFFF


class Access(NamedTuple):
    """An access to memory. `value` None: it cannot be read."""

    kind: str                # "r" or "w"
    address: int
    size: int                # bytes
    value: int | None
    data: str = ""           # the register that is loaded or stored, where there is one


class Operand(NamedTuple):
    """Where an access goes: base + (index << shift) + offset; PC counts from its word."""

    kind: str                # "r" or "w"
    size: int
    base: str
    scaled: str              # the register that is added, shifted
    sign: int
    shift: int
    offset: int
    times: int = 1           # accesses one after the other
    condition: int = ALWAYS
    data: str = ""           # the register that is loaded or stored, where there is one


def holds(condition: int, flags: int) -> bool:
    """Whether a condition holds with NZCV in bits 31 to 28 (ARM ARM A8.3)."""
    n, z, c, v = (flags >> bit & 1 for bit in (31, 30, 29, 28))
    result = (z, c, n, v, c and not z, n == v, n == v and not z, 1)[condition >> 1]
    return bool(result) != bool(condition & 1 and condition < ALWAYS)


class Accesses:
    """Works out the accesses of one system's instructions. Of instruction sets without rules here it knows none."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.arm = system.arch.startswith("arm")
        cells = system.engine.target.layout.cells
        self._it = cells.get("ITSTATE")
        self._status = "xpsr" if system.arch.endswith("-m") else "cpsr"

    def before(self, line: Line) -> Sequence[Access]:
        """Return what an instruction is about to access; some values are known only afterwards."""
        if not self.arm or line.mode == "data":
            return ()
        operands = _operands(line.code, bool(self.system.engine.state.context & 1))
        if not operands:
            return ()
        condition = operands[0].condition
        state = self.system.engine.state
        if self._it is not None and (it := state.get(self._it, 0)) & 15:
            condition = it >> 4
        if condition < ALWAYS and not holds(condition, self.system.read_register(self._status) or 0):
            return ()
        return [access for operand in operands for access in self._places(operand, line)]

    def after(self, accesses: Sequence[Access]) -> Iterator[Access]:
        """Yield the same with all values: of devices a look may show another than what was read or written."""
        for access in accesses:
            if access.kind == "r" and access.data:
                yield access._replace(value=(self.system.read_register(access.data) or 0) & ((1 << 8 * access.size) - 1))
            else:
                yield access if access.value is not None else access._replace(value=self._value(access.address, access.size))

    def _places(self, operand: Operand, line: Line) -> Iterator[Access]:
        ahead = 4 if self.system.engine.state.context & 1 else 8
        base = line.address + ahead & ~3 if operand.base == "pc" else self.system.read_register(operand.base) or 0
        index = (self.system.read_register(operand.scaled) or 0) << operand.shift if operand.scaled else 0
        at = base + operand.sign * index + operand.offset
        for i in range(operand.times):
            place, value = at + i * operand.size & MASK, None
            if operand.kind == "r" and not operand.data:
                value = self._value(place, operand.size)
            elif operand.kind == "w" and operand.data:
                value = (self.system.read_register(operand.data) or 0) & ((1 << 8 * operand.size) - 1)
            yield Access(operand.kind, place, operand.size, value, operand.data)

    def _value(self, address: int, size: int) -> int | None:
        data = self.system.read_memory(address, size)
        return int.from_bytes(data, "little") if len(data) == size else None


@cache
def _decoder(*, thumb: bool) -> Any:
    import capstone

    made = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS if thumb else capstone.CS_MODE_ARM)
    made.detail = True
    return made


@cache
def _operands(code: bytes, thumb: bool) -> tuple[Operand, ...]:
    """Return where an instruction's accesses go."""
    insn = next(_decoder(thumb=thumb).disasm(code, 0), None)
    if insn is None:
        return ()
    name, condition = insn.mnemonic.partition(".")[0], insn.cc - 1 if insn.cc else ALWAYS
    if name[:3] in ("ldm", "stm") or name[:4] in ("push", "vldm", "vstm", "vpus", "vpop") or name[:3] == "pop":
        return _many(insn, name, condition)
    if name[:3] not in ("ldr", "str", "tbb", "tbh") and name[:4] not in ("vldr", "vstr"):
        return ()
    memory = next((o for o in insn.operands if o.type == 3), None)           # capstone's ARM_OP_MEM
    if memory is None:
        return ()
    kind = "w" if name[:3] == "str" or name[:4] == "vstr" else "r"
    post = insn.op_str.find("]") < len(insn.op_str) - 2                      # "[r1], #4": the base is the address
    index = insn.reg_name(memory.mem.index) if memory.mem.index and not post else ""
    sign = -1 if memory.subtracted or memory.mem.scale < 0 else 1
    offset = 0 if post else memory.mem.disp
    size = _size(insn, name)
    register = "" if name[:2] == "tb" or name[0] == "v" or size == 8 or "ex" in name else _plain(insn.reg_name(insn.operands[0].reg))
    return (Operand(kind, size, _plain(insn.reg_name(memory.mem.base)), _plain(index), sign, memory.shift.value if index else 0,
                    offset, condition=condition, data="" if register == "pc" else register),)


def _plain(name: str) -> str:
    return {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}.get(name, name)


def _size(insn: Any, name: str) -> int:
    if name[0] == "v":
        return 8 if insn.op_str[0] == "d" else 4
    stem = name[3:].removeprefix("ex") if name[:2] != "tb" else name[2]
    return next((size for letters, size in WIDTHS.items() if stem == letters or (len(stem) == len(letters) + 2 and stem.startswith(letters))
                 or stem == letters + "t"), 4)


def _many(insn: Any, name: str, condition: int) -> tuple[Operand, ...]:
    """Return the accesses of loads and stores of several registers."""
    kind = "w" if "st" in name[:3] or "pus" in name else "r"
    stack = "pus" in name or "pop" in name
    registers = [o for o in insn.operands if o.type == 1]                    # capstone's ARM_OP_REG
    base = "sp" if stack else _plain(insn.reg_name(registers.pop(0).reg))
    size = 8 if insn.op_str.rpartition("{")[2][:1] == "d" else 4
    down = "db" in name or "pus" in name or name.startswith(("ldmdb", "stmdb", "ldmda", "stmda"))
    offset = -size * len(registers) if down else 0
    if name[3:5] in ("ib", "da"):
        offset += size
    return (Operand(kind, size, base, "", 1, 0, offset, len(registers), condition),)


__all__ = ["Access", "Accesses", "Operand", "holds"]
