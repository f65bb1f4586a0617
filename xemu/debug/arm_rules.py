"""ARM's code as motions look at it: calls, returns, system calls, the linkage table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xemu.debug import arm_frames, arm_prologue
from xemu.debug.rules import Rules

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import Module, Modules, ReadMemory

CALLS = re.compile(r"blx?(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?|blxns")
SLOT = 8                 # bytes of an entry of .rel.plt


class ArmRules(Rules):
    """A32 and T32."""

    def flow(self, mnemonic: str, operands: str) -> str:
        """Return "call", "jump" or ""."""
        word = mnemonic.partition(".")[0]
        if CALLS.fullmatch(word):
            return "call"
        if word.startswith(("b", "cb", "tb")) and not word.startswith(("bic", "bf", "bkpt")):
            return "jump"
        first = operands.partition(",")[0].strip()
        if first == "pc" or (word.startswith(("pop", "ldm")) and "pc" in operands.partition("{")[2]):
            return "jump"
        return ""

    def is_return(self, mnemonic: str, operands: str) -> bool:
        """Return whether an instruction returns from a function."""
        if mnemonic.startswith(("pop", "ldm")):
            return True
        if mnemonic.startswith("ldr"):
            return "[sp" in operands
        return operands.replace(" ", "") in ("lr", "pc,lr")

    def is_system_call(self, mnemonic: str, operands: str) -> bool:
        """Return whether it calls the operating system."""
        del operands
        return mnemonic.startswith(("svc", "swi"))

    def size(self, read_memory: ReadMemory, pc: int, mode: str) -> int:
        """Return the bytes of an instruction."""
        if mode == "arm":
            return 4
        data = read_memory(pc, 2)
        return 4 if data is not None and data[1] >> 3 in (0b11101, 0b11110, 0b11111) else 2

    def call_before(self, read_memory: ReadMemory, address: int, mode: str, modules: Modules) -> int | None:
        """Return the call in front of an address."""
        del modules
        if not arm_prologue.is_call_before(read_memory, address, thumb=mode != "arm"):
            return None
        if mode == "arm":
            return address - 4
        data = read_memory(address - 4, 4) or bytes(4)
        wide = data[1] >> 3 == 0b11110 and data[3] >> 6 == 0b11            # BL, BLX with a label: 11110… 11…
        return address - 4 if wide else address - 2

    def trampoline(self, read_memory: ReadMemory, address: int) -> int | None:
        """Return the number of the system call with which a signal's handler ends."""
        return arm_frames.signal_trampoline(address & ~1, read_memory, thumb=bool(address & 1))

    def linked(self, source: Source) -> str:
        """Return the name of the function that is looked up: IP points to its word of the linkage table's addresses."""
        slot = source.system.read_register("r12") or 0
        module = source.latest.at(slot) or source.modules.at(slot)
        return _slot_name(module, slot) if module is not None else ""


def _slot_name(module: Module, slot: int) -> str:
    """Return the name whose address stands in a word of the linkage table (.rel.plt; ELF for the Arm Architecture, 5.6)."""
    data = module.elf.data(".rel.plt")
    for at in range(0, len(data) - SLOT + 1, SLOT):
        if int.from_bytes(data[at:at + 4], "little") + module.bias == slot:
            return module.dynamic_name(int.from_bytes(data[at + 4:at + SLOT], "little") >> 8)
    return ""


__all__ = ["ArmRules"]
