"""x86's code as motions look at it: calls, returns, system calls, the linkage table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug import x86_frames
from xemu.debug.rules import Rules

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import ReadMemory

RELOCATION = {4: 8, 8: 24}     # bytes of an entry of .rel.plt (Elf32_Rel) and .rela.plt (Elf64_Rela)


class X86Rules(Rules):
    """32-bit and 64-bit mode."""

    def flow(self, mnemonic: str, operands: str) -> str:
        """Return "call", "jump" or ""."""
        word = mnemonic.rpartition(" ")[2]                # behind "notrack", "bnd"
        if word in ("call", "lcall"):
            return "call"
        return "jump" if word.startswith(("j", "loop", "ret", "iret", "ljmp", "xbegin")) or self.is_return(mnemonic, operands) else ""

    def is_return(self, mnemonic: str, operands: str) -> bool:
        """Return whether an instruction returns from a function."""
        del operands
        return mnemonic.rpartition(" ")[2] in ("ret", "retf", "retn", "retfq")

    def is_system_call(self, mnemonic: str, operands: str) -> bool:
        """Return whether it calls the operating system."""
        return mnemonic in ("syscall", "sysenter") or (mnemonic == "int" and operands == "0x80")

    def trampoline(self, read_memory: ReadMemory, address: int) -> int | None:
        """Return the number of the system call with which a signal's handler ends."""
        return x86_frames.signal_trampoline(address, read_memory, self.architecture)

    def linked(self, source: Source) -> str:
        """Return the name of the function that is looked up.

        The linkage table has pushed the file's entry in the loader's list, and which of its relocations it is: a number in 64-bit
        code, an offset in 32-bit code (System V ABI, "Procedure Linkage Table").
        """
        arch = self.architecture
        size = arch.address_bytes
        data = source.read_memory(source.system.read_register(arch.sp) or 0, 2 * size)
        if data is None:
            return ""
        link, number = arch.number(data[:size]), arch.number(data[size:])
        library = next((library for library in source.system.libraries() if library.link == link), None)
        module = next((m for m in source.latest if m.bias == library.bias), None) if library is not None else None
        if module is None:
            return ""
        at = number * RELOCATION[8] if size == 8 else number
        row = module.elf.data(".rela.plt" if size == 8 else ".rel.plt")[at:at + RELOCATION[size]]
        if len(row) < RELOCATION[size]:
            return ""
        info = arch.number(row[size:2 * size])
        return module.dynamic_name(info >> (32 if size == 8 else 8))


__all__ = ["X86Rules"]
