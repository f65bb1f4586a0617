"""Checks of instruction sets as a whole, for tests. They return complaints; [] is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.isa import FixedWidthIsa, Row, Variant


def check_overlaps(isa: FixedWidthIsa) -> list[str]:
    """Return pairs of variants that match a common word although neither is more specific than the other.

    More specific: its mask has all the bits of the other's and more. Rows are compared first; there are far fewer.
    """
    complaints = []
    for i, a in enumerate(isa.rows):
        for b in isa.rows[i + 1 :]:
            if (a.value ^ b.value) & a.mask & b.mask == 0 and not _apart(a, b):
                complaints += [_complaint(u, v) for u, v in _clashes(a, b)]
    return complaints


def _clashes(a: Row, b: Row) -> Iterator[tuple[Variant, Variant]]:
    others = list(b.variants())
    for u in a.variants():
        for v in others:
            if (u.value ^ v.value) & u.mask & v.mask == 0 and not _ordered(u, v) and not _apart(u, v):
                yield u, v


def _ordered(u: Variant, v: Variant) -> bool:
    both = u.mask & v.mask
    return u.mask != v.mask and both in (u.mask, v.mask)


def _apart(u: Row | Variant, v: Row | Variant) -> bool:
    """Return whether an exclusion of one of the two covers all words that both match."""
    mask, value = u.mask | v.mask, u.value | v.value
    return any(m & ~mask == 0 and value & m == x for m, x in (*u.excludes, *v.excludes))


def _complaint(u: Variant, v: Variant) -> str:
    word = u.value | v.value
    digits = u.row.isa.bits // 4
    return (
        f"{u.row.source}: {u.name} [{u.row.pattern}] and {v.name} [{v.row.pattern}] ({v.row.source}) both match "
        f"{word & ((1 << u.row.isa.bits) - 1):0{digits}x}; fix more bits in one of them, or exclude with where="
    )
