"""Where thread-local variables are: "ELF Handling For Thread-Local Storage", and glibc's words for debuggers.

In variant 1 (ARM), the thread register points to two words, the first of which leads to the vector of blocks; the program's own
block stands behind them. PowerPC's points 0x7000 bytes behind the start of the program's own block, and the word in front of that
leads to the vector. In variant 2 (x86), the program's block ends where the thread register points to, and the second word
there leads to the vector. Which place of the vector is a library's stands in the loader's entry for it. Where in there says libc
itself, in the words `_thread_db_*` (glibc's nptl_db), four bytes each: the size of an element in bits, how many there are, and the
offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.errors import NotFoundError

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import Module

DESCRIPTOR = 4               # bytes of a number of _thread_db_*
PT_TLS = 7
STATIC = range(1, 1 << 31)   # offsets of blocks that stand behind the thread register; others: in the vector only


class ThreadLocals:
    """Blocks of thread-local variables as memory has them where the debugger stands."""

    def __init__(self, source: Source) -> None:
        self.source, self.arch = source, source.architecture
        self.word = source.architecture.address_bytes
        self.before = source.architecture.unit == 1             # variant 2: blocks stand before the thread register

    def in_module(self, module: Module, offset: int, thread: int | None = None) -> int:
        """Return the address of a file's thread-local variable in a thread; NotFoundError."""
        if module is next(iter(self.source.modules), None):
            align = max((section.align for section in module.elf.sections.values() if section.name in (".tdata", ".tbss")), default=1)
            if self.before:
                size = next((segment.size for segment in module.elf.segments if segment.type == PT_TLS), 0)
                return self._register(thread) - (size + align - 1 & -align) + offset
            return self._register(thread) + (self.arch.thread_head * self.word + align - 1 & -align) + offset
        library = next((library for library in self.source.system.libraries() if library.bias == module.bias and library.link), None)
        if library is None:
            raise NotFoundError(f"the loader does not know {module.name}")
        return self.at(library.link, offset, thread)

    def at(self, link: int, offset: int, thread: int | None = None) -> int:
        """Return the address of a thread-local variable of the file with an entry in the loader's list; NotFoundError."""
        base, number = self._register(thread), self._member(link, "link_map_l_tls_modid")
        if not number:
            raise NotFoundError("this file has no thread-local variables")
        away = self._member(link, "link_map_l_tls_offset")
        if away in STATIC:
            return (base - away if self.before else base + away) + offset
        first = base - self.word if not self.arch.thread_head else base + self.word * self.before
        vector, (bits, _) = self._word(first), self._place("dtv_dtv")
        entry = bits // 8
        block = self._word(vector + number * entry) if number <= self._word(vector - entry) else 0
        if block in (0, self.arch.mask):                 # it is made at a thread's first access
            raise NotFoundError("this thread has not used that file's thread-local variables yet: they have no place")
        return block + offset

    def _register(self, thread: int | None) -> int:
        value = self.source.system.read_register(self.arch.thread, thread)
        if value is None:
            raise NotFoundError("this processor has no register for thread-local variables")
        return value - self.arch.thread_bias

    def _member(self, link: int, name: str) -> int:
        """Return a number in the loader's entry of a file."""
        bits, offset = self._place(name)
        return self._word(link + offset, bits // 8)

    def _word(self, address: int, size: int = 0) -> int:
        data = self.source.read_memory(address, size or self.word)
        if data is None:
            raise NotFoundError(f"no memory at {address:#x}, where the loader's words about thread-local variables should be")
        return self.arch.number(data)

    def _place(self, name: str) -> tuple[int, int]:
        """Return size in bits and offset of a member, from libc."""
        for module in self.source.modules:
            symbol = module.find(f"_thread_db_{name}")
            if symbol is not None:
                return self._word(symbol.address, DESCRIPTOR), self._word(symbol.address + 2 * DESCRIPTOR, DESCRIPTOR)
        raise NotFoundError("thread-local variables of libraries cannot be found: this libc does not say where (no _thread_db_ words)")


__all__ = ["ThreadLocals"]
