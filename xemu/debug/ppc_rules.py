"""PowerPC's code as motions look at it: calls, returns, system calls, the linkage table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xemu.debug import ppc_code, ppc_frames
from xemu.debug.rules import Rules

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import Modules, ReadMemory

BRANCH = re.compile(r"b(c|t|f|lt|le|eq|ge|gt|nl|ne|ng|so|ns|un|nu|dn?z[tf]?)?(?P<to>lr|ctr|tar)?(?P<link>l)?a?[+-]?")
RELA = {4: 12, 8: 24}      # bytes of an entry of .rela.plt


class PpcRules(Rules):
    """Both widths."""

    def flow(self, mnemonic: str, operands: str) -> str:
        """Return "call", "jump" or ""."""
        found = BRANCH.fullmatch(mnemonic)
        if found is None:
            return ""
        here = mnemonic == "bcl" and operands.startswith("20, 31")         # to find out where the code is
        return "call" if found["link"] and not here else "jump"

    def is_return(self, mnemonic: str, operands: str) -> bool:
        """Return whether an instruction returns from a function."""
        del operands
        found = BRANCH.fullmatch(mnemonic)
        return found is not None and found["to"] == "lr" and not found["link"]

    def is_system_call(self, mnemonic: str, operands: str) -> bool:
        """Return whether it calls the operating system."""
        del operands
        return mnemonic in ("sc", "scv")

    def size(self, read_memory: ReadMemory, pc: int, mode: str) -> int:
        """Return the bytes of an instruction."""
        del read_memory, pc, mode
        return 4

    def call_before(self, read_memory: ReadMemory, address: int, mode: str, modules: Modules) -> int | None:
        """Return the call in front of an address."""
        del mode, modules
        word = ppc_code.word_at(read_memory, address - 4, self.architecture)
        return address - 4 if ppc_code.is_call(word) else None

    def trampoline(self, read_memory: ReadMemory, address: int) -> int | None:
        """Return the number of the system call with which a signal's handler ends."""
        return ppc_frames.signal_trampoline(address, read_memory, self.architecture)

    def between(self, read_memory: ReadMemory, address: int) -> bool:
        """Whether code is of the linkage table."""
        return ppc_code.leads_on(read_memory, address, self.architecture)

    def linked(self, source: Source) -> str:
        """Return the name of the function that is looked up.

        64-bit: r11 is the file's entry in the loader's list, r0 the number of the relocation; 32-bit: r12, and r11 its offset.
        """
        arch, read = self.architecture, source.system.read_register
        link, number = (read("r11"), read("r0")) if arch.bits == 64 else (read("r12"), read("r11"))
        library = next((library for library in source.system.libraries() if library.link == link), None)
        module = next((m for m in source.latest if m.bias == library.bias), None) if library is not None else None
        if module is None or number is None:
            return ""
        size = arch.address_bytes
        at = number * RELA[8] if size == 8 else number
        row = module.elf.data(".rela.plt")[at:at + RELA[size]]
        return module.dynamic_name(arch.number(row[size:2 * size]) >> (32 if size == 8 else 8)) if len(row) == RELA[size] else ""


__all__ = ["PpcRules"]
