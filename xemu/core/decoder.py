"""Decode tables: a trie over fixed bits, as data that native code and Python walk alike.

u32 words. An inner node is `shift | bits << 8`, followed by 2**bits indices of children. A leaf is `1 << 31 | count`,
followed by candidates of five words: mask and value (64 bits each), then a variant's index, or `1 << 31 | n`: the word is
excluded here, go on n candidates further. Candidates stand most specific first; the first that matches wins.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from xemu.core.records import HEAD, SCAN_READS, SCANNED
from xemu.core.scanner import Integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.cache import Cache
    from xemu.core.isa import FixedWidthIsa, Variant
    from xemu.core.target import IsaSet, Target

LEAF = 1 << 31
SMALL = 3               # a node with so few variants is a leaf
MAX_BITS = 6
SAMPLE = 100            # variants that a split is judged by
REMEMBERED = 8192       # instructions of variable length that are kept decoded

Tries = dict[str, tuple[int, bytes]]         # ISA name -> number of variants, trie
_tries: dict[str, Tries] = {}
_scanned: dict[tuple[str, bytes], tuple[Decoded | None, int]] = {}


class Decoded(NamedTuple):
    """One instruction found in memory, and the guard it was decoded for."""

    variant: Variant
    word: int
    iset: IsaSet
    guard: int
    length: int              # of the instruction, in bytes


def decode(iset: IsaSet, tries: Tries, fetch: Callable[[int, int], int | None], pc: int, guard: int) -> Decoded | None:
    """Return the instruction at pc; None where it has no row, or `fetch` (address, bytes) no bytes."""
    unit = iset.bits[0] // 8
    if iset.scan:
        return _decode_scanned(iset, tries, fetch, pc)
    word = fetch(pc, unit)
    if word is None:
        return None
    if iset.big:
        word = int.from_bytes(word.to_bytes(unit, "little"), "big")
    isa, wide = iset.narrow, iset.wide
    if wide is not None and word >= iset.wide_from:
        second = fetch(pc + unit, unit)
        if second is None:
            return None
        isa, word = wide, word << 8 * unit | second
    if guard & 15:
        word |= 1 << isa.bits
    index = walk(tries[isa.name][1], word)
    return None if index is None else Decoded(isa.variants[index], word, iset, guard, isa.bits // 8)


def _decode_scanned(iset: IsaSet, tries: Tries, fetch: Callable[[int, int], int | None], pc: int) -> Decoded | None:
    """Return an instruction of variable length; the next page is asked for only if it goes on there."""
    here = min(SCANNED, 4096 - (pc & 4095))
    number = fetch(pc, here)
    if number is None:
        return None
    data = number.to_bytes(here, "little")
    found, length = _scan(iset, tries, data)
    if length > here:
        more = fetch(pc + here, SCANNED - here)
        if more is None:
            return None
        found, _ = _scan(iset, tries, data + more.to_bytes(SCANNED - here, "little"))
    return found


def _scan(iset: IsaSet, tries: Tries, data: bytes) -> tuple[Decoded | None, int]:
    """Return the instruction that bytes start with, and its length. Remembered: the same bytes are looked at again and again."""
    known = _scanned.get((iset.scan, data))
    if known is None:
        head, rest, length = iset.scanner(Integers(data + bytes(SCAN_READS - len(data))))
        isa = iset.narrow
        index = walk(tries[isa.name][1], head)
        known = None if index is None else Decoded(isa.variants[index], head | rest << HEAD, iset, 0, length), length
        if len(_scanned) >= REMEMBERED:
            _scanned.clear()
        _scanned[iset.scan, data] = known
    return known


def tries(target: Target, cache: Cache | None = None) -> Tries:
    """Return for each ISA of a target its number of variants and decode trie; once per process, from the cache if it has them."""
    if target.name not in _tries:
        found = cache.load("tries") if cache else None
        if found is None:
            target.load_rows()
            found = {isa.name: (len(isa.variants), build(isa)) for iset in target.sets for isa in iset.isas}
            if cache:
                cache.store("tries", found)
        _tries[target.name] = found
    return _tries[target.name]


def build(isa: FixedWidthIsa) -> bytes:
    """Return the decode trie of an instruction set."""
    words = array("I")
    order = sorted(isa.variants, key=lambda v: -v.mask.bit_count())
    width = min(isa.bits, HEAD) + sum(p.width for p in isa.extra_places.values())
    _node(words, order, width, 0, {})
    return words.tobytes()


def _node(words: array[int], variants: list[Variant], width: int, used: int, leaves: dict[tuple[int, ...], int]) -> int:
    index = len(words)
    window = _best_window(variants, width, used) if len(variants) > SMALL else None
    if window is None:
        leaf = leaves.setdefault(tuple(v.index for v in variants), index)
        if leaf == index:
            _leaf(words, variants)
        return leaf
    shift, bits = window
    words.append(shift | bits << 8)
    words.extend([0] * (1 << bits))
    mask = ((1 << bits) - 1) << shift
    known: dict[tuple[int, ...], int] = {}
    for k in range(1 << bits):
        inside = [v for v in variants if (v.value ^ k << shift) & v.mask & mask == 0]
        key = tuple(v.index for v in inside)
        if key not in known:
            known[key] = _node(words, inside, width, used | mask, leaves)
        words[index + 1 + k] = known[key]
    return index


def _best_window(variants: list[Variant], width: int, used: int) -> tuple[int, int] | None:
    """Return (shift, bits) of the field that splits these variants best, or None if none does (judged by a sample)."""
    if len(variants) > SAMPLE:
        variants = variants[::len(variants) // SAMPLE]
    fixed = [0] * width
    for v in variants:
        m = v.mask & ~used
        while m:
            low = m & -m
            fixed[low.bit_length() - 1] += 1
            m ^= low
    n = len(variants)
    best, best_score = None, 0.0
    for shift in range(width):
        if not fixed[shift]:                           # a bit that tells nothing widens no window
            continue
        for bits in range(1, MAX_BITS + 1):
            if shift + bits > width or used >> (shift + bits - 1) & 1:
                break
            if not fixed[shift + bits - 1]:
                continue
            window = fixed[shift:shift + bits]
            if min(window) * 2 < n and bits > 1:
                break
            mask = ((1 << bits) - 1) << shift
            values = {v.value & mask for v in variants if v.mask & mask == mask}
            free = sum(1 for v in variants if v.mask & mask != mask)
            score = len(values) / (1 + free * 0.7) / (1 + 0.05 * (1 << bits))
            if len(values) + (1 if free else 0) >= 2 and score > best_score:
                best, best_score = (shift, bits), score
    return best


def _leaf(words: array[int], variants: list[Variant]) -> None:
    items: list[tuple[int, int, int]] = []
    for v in variants:
        n = len(v.excludes)
        items.extend((v.mask | m, v.value | x, LEAF | (n - i + 1)) for i, (m, x) in enumerate(v.excludes))
        items.append((v.mask, v.value, v.index))
    words.append(LEAF | len(items))
    for mask, value, target in items:
        words.extend((mask & 0xFFFFFFFF, mask >> 32, value & 0xFFFFFFFF, value >> 32, target))


def walk(table: bytes, word: int) -> int | None:
    """Return the variant index for a word, or None. (The same walk as the native decoder's.)"""
    words = memoryview(table).cast("I")
    index = 0
    while words[index] < LEAF:
        head = words[index]
        index = words[index + 1 + (word >> (head & 255) & ((1 << (head >> 8)) - 1))]
    count, i = words[index] & (LEAF - 1), 0
    while i < count:
        at = index + 1 + i * 5
        mask = words[at] | words[at + 1] << 32
        value = words[at + 2] | words[at + 3] << 32
        if word & mask == value:
            target = words[at + 4]
            if target < LEAF:
                return int(target)
            i += target & (LEAF - 1)
        else:
            i += 1
    return None
