"""Accesses that share a check (core/spans.py): at page ends and beyond them each is as if it were alone."""

from __future__ import annotations

import pytest

from tests.support.law import WINDOW, WINDOW_SIZE, Law, LawCase
from xemu.core.state import ENGINE_BYTES

PUSHES = bytes.fromhex("50 51 52 53 55 56".replace(" ", ""))                    # push rax … rsi
FRAME = bytes.fromhex("4889442408" "48894c2410" "488b542418" "8b742420" "0fb67c2428")     # [rsp + 8 …]: two stores, three loads
ENDS = (WINDOW, WINDOW + 0x1000, WINDOW + WINDOW_SIZE)


def cases(law: Law, words: bytes, count: int) -> list[LawCase]:
    """Return runs with the stack pointer at every distance from the ends of pages, and far outside."""
    found = []
    for end in ENDS:
        for distance in (*range(-56, 64, 4), 1, -3, 7):
            state = law.state(0)
            law.engine.state.buffer[ENGINE_BYTES:] = state
            law.engine.state.set(law.cells["R"], 4, end + distance)
            kept = bytes(law.engine.state.buffer[ENGINE_BYTES:])
            found.append(LawCase(words, count, 0, kept, law.random.randbytes(WINDOW_SIZE), f"rsp {end + distance:#x}"))
    return found


@pytest.mark.parametrize(("words", "count"), [(PUSHES, 6), (FRAME, 5)])
def test_every_access_at_the_end_of_a_page(words: bytes, count: int) -> None:
    law = Law("x86_64", seed=3)
    complaints = law.run(cases(law, words, count))
    assert not complaints, "\n".join(complaints[:5])


def test_the_accesses_share_a_check() -> None:
    """Six pushes look at the page's flags once in their usual way, and once each beside it."""
    from xemu.core import decoder
    from xemu.core.region import Code, RegionEmitter
    from xemu.targets.registry import get_target

    target = get_target("x86_64")
    target.load_rows()
    page = PUSHES + b"\xc3" + bytes(4096)
    emitter = RegionEmitter(target, 0, Code({0x1000: page[:4096]}), decoder.tries(target))
    emitter.build(0x1000)
    spans = {id(m.span): m.span for m in emitter.spans.values()}
    assert [(s.size, s.count, s.write) for s in spans.values()] == [(48, 7, True)]      # the return's load is one of them
