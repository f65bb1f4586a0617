"""Which memory an instruction accesses, worked out from its operands (capstone) and the registers before it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xemu.debug.disassembly import Line
    from xemu.debug.system import System

WORD = 4                     # bytes of PowerPC's instructions
ALWAYS = 14                  # the condition that always holds
X86_BITS = {"x86_64": 64, "i386": 32}
IMMEDIATE, MEMORY = 2, 3     # capstone's kinds of operands
NO_ACCESS = ("lea", "nop", "clflush", "clflushopt", "invlpg")
WIDTHS = {"b": 1, "sb": 1, "h": 2, "sh": 2, "d": 8}


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
    segment: str = ""        # x86: the register that is added, as is
    align: int = 1           # lower bits of the address are left out


def holds(condition: int, flags: int) -> bool:
    """Whether a condition holds with NZCV in bits 31 to 28 (ARM ARM A8.3)."""
    n, z, c, v = (flags >> bit & 1 for bit in (31, 30, 29, 28))
    result = (z, c, n, v, c and not z, n == v, n == v and not z, 1)[condition >> 1]
    return bool(result) != bool(condition & 1 and condition < ALWAYS)


class Accesses:
    """Works out the accesses of one system's instructions. Of instruction sets without rules here it knows none."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.arm, self.x86, self.ppc = system.arch.startswith("arm"), system.arch in X86_BITS, system.arch.startswith("ppc")
        self.order: Literal["little", "big"] = "big" if system.arch == "ppc" else "little"
        self.mask = (1 << system.engine.target.address_bits) - 1
        cells = system.engine.target.layout.cells
        self._it = cells.get("ITSTATE")
        self._status = "xpsr" if system.arch.endswith("-m") else "cpsr"

    def before(self, line: Line) -> Sequence[Access]:
        """Return what an instruction is about to access; some values are known only afterwards."""
        if self.x86:
            return [access for operand in _x86_operands(line.code, X86_BITS[self.system.arch]) for access in self._places(operand, line)]
        if self.ppc and len(line.code) == WORD:
            from xemu.debug.ppc_accesses import operands as ppc_operands

            word = int.from_bytes(line.code, self.order)
            return [access for operand in ppc_operands(word) for access in self._places(operand, line)]
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
        if operand.base == "rip":
            base = line.address + line.size
        elif operand.base == "pc":
            base = line.address + (4 if self.system.engine.state.context & 1 else 8) & ~3
        else:
            base = self.system.read_register(operand.base) or 0
        base += (self.system.read_register(operand.segment) or 0) if operand.segment else 0
        index = (self.system.read_register(operand.scaled) or 0) << operand.shift if operand.scaled else 0
        at = base + operand.sign * index + operand.offset
        for i in range(operand.times):
            place, value = (at & -operand.align) + i * operand.size & self.mask, None
            if operand.kind == "r" and not operand.data:
                value = self._value(place, operand.size)
            elif operand.kind == "w" and operand.data:
                value = (self.system.read_register(operand.data) or 0) & ((1 << 8 * operand.size) - 1)
            yield Access(operand.kind, place, operand.size, value, operand.data)

    def _value(self, address: int, size: int) -> int | None:
        data = self.system.read_memory(address, size)
        return int.from_bytes(data, self.order) if len(data) == size else None


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


# -- x86 -----------------------------------------------------------------------------------------------------------------------
@cache
def _x86_decoder(bits: int) -> Any:
    import capstone

    made = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)
    made.detail = True
    return made


@cache
def _x86_operands(code: bytes, bits: int) -> tuple[Operand, ...]:
    """Return where an instruction's accesses go; of one that is repeated, those of the first time."""
    insn = next(_x86_decoder(bits).disasm(code, 0), None)
    if insn is None:
        return ()
    word, stack = bits // 8, "rsp" if bits == 64 else "esp"
    name = insn.mnemonic.rpartition(" ")[2]
    found: list[Operand] = []
    if name not in NO_ACCESS and not name.startswith("prefetch"):
        for operand in insn.operands:
            if operand.type == MEMORY:
                found += _x86_memory(insn, operand)
    if name in ("push", "call", "pushfq", "pushfd"):
        size = insn.operands[0].size if name == "push" and insn.operands[0].type != IMMEDIATE else word
        found.append(Operand("w", size, stack, "", 1, 0, -size))
    elif name in ("pop", "ret", "popfq", "popfd"):
        size = insn.operands[0].size if name == "pop" else word
        found.insert(0, Operand("r", size, stack, "", 1, 0, 0))
    elif name == "leave":
        found.append(Operand("r", word, "rbp" if bits == 64 else "ebp", "", 1, 0, 0))
    return tuple(sorted(found, key=lambda operand: operand.kind))             # reads come first


def _x86_memory(insn: Any, operand: Any) -> Iterator[Operand]:
    memory = operand.mem
    segment = f"{insn.reg_name(memory.segment)}_base" if memory.segment else ""
    for bit, kind in ((1, "r"), (2, "w")):
        if operand.access & bit:
            yield Operand(kind, operand.size, _named(insn, memory.base), _named(insn, memory.index), 1, memory.scale.bit_length() - 1,
                          memory.disp, segment=segment if segment[:2] in ("fs", "gs") else "")


def _named(insn: Any, register: int) -> str:
    return insn.reg_name(register) or "" if register else ""


__all__ = ["Access", "Accesses", "Operand", "holds"]
