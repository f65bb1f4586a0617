"""Operations that some hosts have an instruction for: byte tables, sums of products, carry-less products, AES, SHA.

Where the host has none, byte tables are read byte by byte, and the others are put together from simpler ones (expand.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import host
from xemu.core.expand import EXPANSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

BYTES = "<16 x i8>"
PAIR, WORDS = "<2 x i64>", "<4 x i32>"
NOTHING = "zeroinitializer"


class HostLowering:
    """The operations of an Emitter that depend on the host."""

    if TYPE_CHECKING:
        put: Callable[[str], None]
        let: Callable[[str], str]
        call: Callable[..., str]
        value: Callable[[Bits], str]
        typed: Callable[[Bits], str]
        vector: Callable[[Bits, int], str]
        from_vector: Callable[[Bits, int, str], str]

    # -- byte tables ---------------------------------------------------------------------------------------------
    def op_lookup(self, node: Bits) -> str:
        """Bytes of a table by index."""
        return self._lookup_shuffled(node) if host.has("ssse3") else self._lookup_bytes(node)

    def _lookup_shuffled(self, node: Bits) -> str:
        """Look bytes up with PSHUFB: it gives 0 where bit 7 of the index is set, else a byte by bits 3:0."""
        index, table, fallback = node.args
        n, size = node.width // 8, table.width // 8
        places = _places(index, fallback)
        if size == 16 == n and places is not None:
            known, wanted = self.vector(table, n), self.vector(places, n)
            return self.from_vector(node, n, self.call(BYTES, "llvm.x86.ssse3.pshuf.b.128", f"{BYTES} {known}", f"{BYTES} {wanted}"))
        picks = self._sixteen(self.vector(index, n), n, range(n))
        data = self.vector(table, size)
        total = ""
        for at in range(0, size, 16):
            part = self._sixteen(data, size, range(at, min(at + 16, size)))
            here = self.let(f"sub {BYTES} {picks}, {_splat(at)}") if at else picks
            here = self.call(BYTES, "llvm.uadd.sat.v16i8", f"{BYTES} {here}", f"{BYTES} {_splat(0x70)}")
            found = self.call(BYTES, "llvm.x86.ssse3.pshuf.b.128", f"{BYTES} {part}", f"{BYTES} {here}")
            total = self.let(f"or {BYTES} {total}, {found}") if total else found
        if n < 16:
            order = ", ".join(f"i32 {i}" for i in range(n))
            total = self.let(f"shufflevector {BYTES} {total}, {BYTES} poison, <{n} x i32> <{order}>")
        if size < 256 and (size % 16 or fallback.op != "const" or fallback.attr):
            inside = self.let(f"icmp ule <{n} x i8> {self.vector(index, n)}, {_splat(size - 1, n)}")
            total = self.let(f"select <{n} x i1> {inside}, <{n} x i8> {total}, <{n} x i8> {self.vector(fallback, n)}")
        return self.from_vector(node, n, total)

    def _sixteen(self, name: str, count: int, taken: range) -> str:
        """Return bytes of a vector as 16, with zeros behind."""
        if count == 16 == len(taken):
            return name
        order = ", ".join(f"i32 {i}" for i in [*taken, *[count] * (16 - len(taken))])
        return self.let(f"shufflevector <{count} x i8> {name}, <{count} x i8> {NOTHING}, <16 x i32> <{order}>")

    def _lookup_bytes(self, node: Bits) -> str:
        """Look bytes up one by one in a table on the stack."""
        index, table, fallback = node.args
        n, size = node.width // 8, table.width // 8
        slot = self.let(f"alloca i{table.width}, align 16")
        self.put(f"store {self.typed(table)}, ptr {slot}, align 1")
        picks, rest = self.vector(index, n), self.vector(fallback, n)
        result = "poison"
        for i in range(n):
            at = self.let(f"extractelement <{n} x i8> {picks}, i32 {i}")
            inside = self.let(f"icmp ule i8 {at}, {size - 1 - (256 if size > 128 else 0)}")
            safe = self.let(f"zext i8 {self.let(f'select i1 {inside}, i8 {at}, i8 0')} to i64")
            byte = self.let(f"load i8, ptr {self.let(f'getelementptr i8, ptr {slot}, i64 {safe}')}")
            other = self.let(f"extractelement <{n} x i8> {rest}, i32 {i}")
            byte = self.let(f"select i1 {inside}, i8 {byte}, i8 {other}")
            result = self.let(f"insertelement <{n} x i8> {result}, i8 {byte}, i32 {i}")
        return self.from_vector(node, n, result)

    # -- the others (hostops.py) ---------------------------------------------------------------------------------
    def _instruction(self, node: Bits) -> str:
        """Apply an instruction of the host to vectors, if it has one for this width."""
        feature, intrinsic, size, result = INSTRUCTIONS[node.op]
        if node.width != 128 or not host.has(feature):
            return self._expanded(node)
        kind = f"<{128 // size} x i{size}>"
        name = self.call(f"<{128 // result} x i{result}>", intrinsic, *(f"{kind} {self.vector(a, 128 // size)}" for a in node.args))
        return self.from_vector(node, 128 // result, name)

    op_byte_distances = op_byte_products = op_fraction_products = op_sha256_rounds = _instruction

    def _expanded(self, node: Bits) -> str:
        return self.value(EXPANSIONS[node.op](node))

    def op_clmul(self, node: Bits) -> str:
        """Carry-less product."""
        if not host.has("pclmulqdq") or node.width != 128:
            return self._expanded(node)
        x, y = (self.let(f"insertelement {PAIR} {NOTHING}, {self.typed(a)}, i32 0") for a in node.args)
        return self.from_vector(node, 2, self.call(PAIR, "llvm.x86.pclmulqdq", f"{PAIR} {x}", f"{PAIR} {y}", "i8 0"))

    def _aes(self, name: str, x: str) -> str:
        return self.call(PAIR, f"llvm.x86.aesni.{name}", f"{PAIR} {x}", f"{PAIR} {NOTHING}")

    def op_aes_sub(self, node: Bits) -> str:
        """ShiftRows and SubBytes: the last round with a key of zeros."""
        if not host.has("aes"):
            return self._expanded(node)
        return self.from_vector(node, 2, self._aes(AES_LAST[node.attr], self.vector(node.args[0], 2)))

    def op_aes_mix(self, node: Bits) -> str:
        """MixColumns: a round with a key of zeros, if need be after what undoes its other half."""
        if not host.has("aes"):
            return self._expanded(node)
        x, direction = node.args[0], node.attr
        if x.op == "aes_sub" and x.attr == direction:
            return self.from_vector(node, 2, self._aes(AES_ROUND[direction], self.vector(x.args[0], 2)))
        if direction == "inverse":
            return self.from_vector(node, 2, self.call(PAIR, "llvm.x86.aesni.aesimc", f"{PAIR} {self.vector(x, 2)}"))
        return self.from_vector(node, 2, self._aes(AES_ROUND[direction], self._aes(AES_LAST["inverse"], self.vector(x, 2))))

    def op_sha1_rounds(self, node: Bits) -> str:
        """Four rounds of SHA-1."""
        if not host.has("sha_ni"):
            return self._expanded(node)
        abcd, we = (f"{WORDS} {self.vector(a, 4)}" for a in node.args)
        return self.from_vector(node, 4, self.call(WORDS, "llvm.x86.sha1rnds4", abcd, we, f"i8 {node.attr}"))


#: operation -> the host's feature, LLVM's name, size of a lane of the arguments and of the result
INSTRUCTIONS = {
    "byte_distances": ("sse2", "llvm.x86.sse2.psad.bw", 8, 64),
    "byte_products": ("ssse3", "llvm.x86.ssse3.pmadd.ub.sw.128", 8, 16),
    "fraction_products": ("ssse3", "llvm.x86.ssse3.pmul.hr.sw.128", 16, 16),
    "sha256_rounds": ("sha_ni", "llvm.x86.sha256rnds2", 32, 32),
}
AES_LAST = {"forward": "aesenclast", "inverse": "aesdeclast"}
AES_ROUND = {"forward": "aesenc", "inverse": "aesdec"}


def _splat(value: int, count: int = 16) -> str:
    """Return a byte in every lane."""
    return "<" + ", ".join([f"i8 {value - 256 if value > 127 else value}"] * count) + ">"


def _places(index: Bits, fallback: Bits) -> Bits | None:
    """Return what PSHUFB does with a table of 16 bytes by itself: it looks at bits 7 and 3:0 of an index, and gives 0 where bit 7 is."""
    if index.op != "and" or index.args[1].op != "const":
        return None
    masks = set(index.args[1].attr.to_bytes(index.width // 8, "little"))
    if masks == {0x8F} and fallback.op == "const" and not fallback.attr:
        return index.args[0]
    return index if max(masks) < 16 else None
