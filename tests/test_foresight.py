"""What is foreseen is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from xemu.debug import open_machine
from xemu.debug.foresight import foresee

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@pytest.mark.parametrize("start", [0, 500, 5_000, 20_011, 100_003])
def test_what_is_foreseen_happens(start: int) -> None:
    d = open_machine(SAMPLES / "firmware/elf/mps2-an385/kernel.elf", "mps2-an385")
    d.step_into_irq = True
    d.run_to(insns=start)
    insns, memory = d.position.insns, d.system.engine.state.save()
    coming = list(foresee(d, 40))
    assert coming
    assert (d.position.insns, d.system.engine.state.save()) == (insns, memory)         # nothing has happened
    for number, item in enumerate(coming):
        assert d.pc == item.pc
        for name, value in item.reads:
            assert d.read_register(name) == value, (number, name)
        if item.end:
            break
        d.step()
        if d.position.insns != insns + number + 1 or (d.pc != item.next_pc and (d.read_register("xpsr") or 0) & 0x1FF):
            break                                                  # an interrupt: nobody can foresee it
        assert d.pc == item.next_pc, number
        for name, value in item.writes:
            assert d.read_register(name) == value, (number, name)
        for access in item.accesses:
            if access.kind == "w":
                assert access.value is not None
                assert d.read_memory(access.address, access.size) == access.value.to_bytes(access.size, "little")
