"""What motions by lines and call trees must know of an instruction set's code: calls, returns, system calls.

`Rules` does for all whose instructions capstone names as it does those of AArch64.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.disassembly import disassemble, previous

if TYPE_CHECKING:
    from xemu.debug.architectures import Architecture
    from xemu.debug.source import Source
    from xemu.debug.symbols import Modules, ReadMemory

LONGEST = 16             # bytes of an instruction


class Rules:
    """The code of one instruction set."""

    system_calls: tuple[str, ...] = ("svc",)

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self._sizes: dict[tuple[str, bytes], int] = {}

    def flow(self, mnemonic: str, operands: str) -> str:
        """Return what an instruction does to the flow: "call", "jump" or ""."""
        del operands
        if mnemonic in ("bl", "blr"):
            return "call"
        return "jump" if mnemonic.startswith(("b", "cb", "tb", "ret")) and not mnemonic.startswith(("bic", "bf", "bkpt")) else ""

    def is_return(self, mnemonic: str, operands: str) -> bool:
        """Whether an instruction returns from a function."""
        del operands
        return mnemonic == "ret"

    def is_system_call(self, mnemonic: str, operands: str) -> bool:
        """Whether an instruction calls the operating system."""
        del operands
        return mnemonic in self.system_calls

    def size(self, read_memory: ReadMemory, pc: int, mode: str) -> int:
        """Return the bytes of the instruction at an address; 0 where nothing can be read."""
        code = read_memory(pc, LONGEST) or next((c for n in range(LONGEST - 1, 0, -1) if (c := read_memory(pc, n))), b"")
        if (mode, code) not in self._sizes:
            self._sizes[mode, code] = self._measure(code, mode)
        return self._sizes[mode, code]

    def _measure(self, code: bytes, mode: str) -> int:
        from xemu.debug.symbols import Modules

        def read(address: int, length: int, /) -> bytes | None:
            return code[address:address + length] if address + length <= len(code) else None

        return disassemble(read, 0, 1, mode, Modules(), self.architecture)[0].size

    def call_before(self, read_memory: ReadMemory, address: int, mode: str, modules: Modules) -> int | None:
        """Return the address of the call in front of an address; None: there is none."""
        found = previous(read_memory, address, mode, modules, self.architecture)
        if found is None:
            return None
        line = disassemble(read_memory, found, 1, mode, modules, self.architecture)[0]
        return found if found + line.size == address and self.flow(line.mnemonic, line.operands) == "call" else None

    def trampoline(self, read_memory: ReadMemory, address: int) -> int | None:
        """Return the number of the system call with which a signal's handler ends that returns to an address; None: it is another's."""
        del read_memory, address
        return None

    def between(self, read_memory: ReadMemory, address: int) -> bool:
        """Whether code outside of sections for it only leads to a function."""
        del read_memory, address
        return False

    def linked(self, source: Source) -> str:
        """Return the name of the function that the loader, which has just been entered, is about to look up; "": nobody knows."""
        del source
        return ""


@cache
def rules_of(name: str) -> Rules:
    """Return the rules of an architecture."""
    if name in ("arm", "armeb"):
        from xemu.debug.arm_rules import ArmRules

        return ArmRules(ARCHITECTURES[name])
    if name in ("x86_64", "i386"):
        from xemu.debug.x86_rules import X86Rules

        return X86Rules(ARCHITECTURES[name])
    if name in ("ppc", "ppc64", "ppc64le"):
        from xemu.debug.ppc_rules import PpcRules

        return PpcRules(ARCHITECTURES[name])
    return Rules(ARCHITECTURES[name])


__all__ = ["Rules", "rules_of"]
