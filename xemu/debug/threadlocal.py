"""Where thread-local variables are: "ELF Handling For Thread-Local Storage", variant 1, and glibc's words for debuggers.

The thread register points to two words, the first of which leads to the vector of blocks; the program's own block stands behind
them. Which place of the vector is a library's stands in the loader's entry for it. Where in there says libc itself, in the words
`_thread_db_*` (glibc's nptl_db): three each, the size of an element in bits, how many there are, and the offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.errors import NotFoundError

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import Module

WORD = 4
HEAD = 2 * WORD              # bytes between what the thread register points to and the program's variables
NOT_YET = (0, 0xFFFF_FFFF)   # blocks that are made at a thread's first access
STATIC = range(1, 1 << 31)   # offsets of blocks that stand behind the thread register; others: in the vector only


class ThreadLocals:
    """Blocks of thread-local variables as memory has them where the debugger stands."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def in_module(self, module: Module, offset: int, thread: int | None = None) -> int:
        """Return the address of a file's thread-local variable in a thread; NotFoundError."""
        if module is next(iter(self.source.modules), None):
            align = max((section.align for section in module.elf.sections.values() if section.name in (".tdata", ".tbss")), default=1)
            return self._register(thread) + (HEAD + align - 1 & -align) + offset
        library = next((library for library in self.source.system.libraries() if library.bias == module.bias and library.link), None)
        if library is None:
            raise NotFoundError(f"the loader does not know {module.name}")
        return self.at(library.link, offset, thread)

    def at(self, link: int, offset: int, thread: int | None = None) -> int:
        """Return the address of a thread-local variable of the file with an entry in the loader's list; NotFoundError."""
        base, number = self._register(thread), self._word(link + self._place("link_map_l_tls_modid")[1])
        if not number:
            raise NotFoundError("this file has no thread-local variables")
        behind = self._word(link + self._place("link_map_l_tls_offset")[1])
        if behind in STATIC:
            return base + behind + offset
        vector, (bits, _) = self._word(base), self._place("dtv_dtv")
        entry = bits // 8
        block = self._word(vector + number * entry) if number <= self._word(vector - entry) else 0
        if block in NOT_YET:
            raise NotFoundError("this thread has not used that file's thread-local variables yet: they have no place")
        return block + offset

    def _register(self, thread: int | None) -> int:
        value = self.source.system.read_register("tpidruro", thread)
        if value is None:
            raise NotFoundError("this processor has no register for thread-local variables")
        return value

    def _word(self, address: int) -> int:
        data = self.source.read_memory(address, WORD)
        if data is None or len(data) < WORD:
            raise NotFoundError(f"no memory at {address:#x}, where the loader's words about thread-local variables should be")
        return int.from_bytes(data, "little")

    def _place(self, name: str) -> tuple[int, int]:
        """Return size in bits and offset of a member, from libc."""
        for module in self.source.modules:
            symbol = module.find(f"_thread_db_{name}")
            if symbol is not None:
                return self._word(symbol.address), self._word(symbol.address + 2 * WORD)
        raise NotFoundError("thread-local variables of libraries cannot be found: this libc does not say where (no _thread_db_ words)")


__all__ = ["ThreadLocals"]
