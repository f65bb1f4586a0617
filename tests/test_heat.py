"""What was read and written lately: the same that single steps see, and the guest stands as before."""

from __future__ import annotations

from pathlib import Path

from xemu.debug import open_machine
from xemu.debug.accesses import Accesses
from xemu.debug.heat import touched
from xemu.debug.names import Names

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def test_touches_are_those_of_single_steps() -> None:
    d = open_machine(SAMPLES / "firmware/elf/mps2-an385/kernel.elf", "mps2-an385")
    d.step_into_irq = True
    d.run_to(insns=20_000)
    low, high = d.resolve("*threads"), d.resolve("*threads") + 96
    d.seek(20_000 - 300)
    names, accesses, wanted = Names(d.system), Accesses(d.system), {}
    while d.position.insns < 20_000:
        code = names.line(d.pc)
        assert code is not None
        for access in accesses.before(code):
            for at in range(access.address, access.address + access.size):
                if low <= at < high:
                    wanted[at] = access.kind
        d.step()
    d.seek(20_000)
    before = d.system.engine.state.save()
    found, seen = touched(d, low, high - low, seconds=60)
    assert seen >= 300
    assert {at: touch.kind for at, touch in found.items() if touch.ago <= 300} == wanted
    assert wanted
    assert (d.position.insns, d.system.engine.state.save()) == (20_000, before)
