"""The first stack of a program: arguments, environment and auxiliary vector (System V ABI, fs/binfmt_elf.c's layout)."""

from __future__ import annotations

import struct

from xemu.core.layout import LITTLE

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = 0, 3, 4, 5, 6, 7, 8, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK = 11, 12, 13, 14, 15, 16, 17
AT_SECURE, AT_BASE_PLATFORM, AT_RANDOM, AT_HWCAP2, AT_EXECFN, AT_MINSIGSTKSZ = 23, 24, 25, 26, 31, 51
USER_HZ = 100


class InitialStack:
    """The bytes to put on the stack and where they belong."""

    def __init__(
        self,
        top: int,
        argv: list[bytes],
        envp: list[bytes],
        auxv: dict[int, int],
        *,
        program: bytes,
        platform: bytes,
        random: bytes,
        bits: int = 32,
        order: str = LITTLE,
        align: int = 16,
        base_platform: bytes = b"",
    ) -> None:
        """Lay everything out below `top`; `auxv` gains the entries that point into the stack."""
        self.word = order + ("I" if bits == 32 else "Q")
        self._top = top
        self._strings = bytearray(bits // 8)  # the kernel leaves a null word at the very top
        self._at: list[int] = []
        execfn = self._push(program)
        env = [self._push(text) for text in reversed(envp)][::-1]
        self.env_end = execfn
        args = [self._push(text) for text in reversed(argv)][::-1]
        self.arg_start = args[0] if args else env[0] if env else execfn
        self.env_start = env[0] if env else execfn
        auxv[AT_PLATFORM] = self._push(platform)
        if base_platform:
            auxv[AT_BASE_PLATFORM] = self._push(base_platform)
        auxv[AT_RANDOM] = self._push_bytes(random)
        auxv[AT_EXECFN] = execfn
        self.auxv = b"".join(struct.pack(self.word + self.word[1:], *pair) for pair in [*auxv.items(), (AT_NULL, 0)])
        words = [len(argv), *args, 0, *env, 0]
        table = b"".join(struct.pack(self.word, word) for word in words) + self.auxv
        strings_start = (top - len(self._strings)) & -align
        self.pointer = (strings_start - len(table)) & -align
        gap = top - len(self._strings) - self.pointer - len(table)
        self.data = table + bytes(gap) + bytes(self._strings)

    def _push(self, text: bytes) -> int:
        return self._push_bytes(text + b"\0")

    def _push_bytes(self, data: bytes) -> int:
        self._strings[:0] = data
        return self._top - len(self._strings)
