"""Devices, threads and the memory map on the screen; how accesses are counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.screen import Screen, drive
from xemu.debug import open_machine, open_process
from xemu.errors import XemuError
from xemu.hw.cortex_m.scs import SystemControl
from xemu.hw.devices.pl011 import PL011
from xemu.hw.svd import load_svd
from xemu.tui.panes.devices import devices_lines, duration
from xemu.tui.panes.map import map_lines, size_text
from xemu.tui.panes.threads import threads_lines
from xemu.tui.queries import find
from xemu.tui.text import plain

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.tui.queries.devices import Devices, Layout

ROOT = Path(__file__).resolve().parent.parent
ELF = ROOT / "samples/firmware/elf"
KERNEL = ELF / "lm3s6965evb/kernel.elf"

SVD = """<?xml version="1.0"?>
<device><peripherals>
 <peripheral><name>CAN0</name><description>Controller
    area network</description><baseAddress>0x40006400</baseAddress><interrupt><name>CAN0</name><value>39</value></interrupt><registers>
  <register><name>CTL</name><description>Control</description><addressOffset>0</addressOffset><resetValue>0x25</resetValue><fields>
   <field><name>INIT</name><bitOffset>0</bitOffset><bitWidth>1</bitWidth></field>
   <field><name>MODE</name><bitRange>[3:2]</bitRange><enumeratedValues>
    <enumeratedValue><name>quiet</name><value>1</value></enumeratedValue></enumeratedValues></field>
   <field><name>RATE</name><lsb>4</lsb><msb>7</msb></field></fields></register>
  <register><name>STS</name><addressOffset>4</addressOffset><readAction>clear</readAction></register></registers></peripheral>
 <peripheral><name>USART2</name><baseAddress>0x40004400</baseAddress><registers>
  <register><name>DR</name><addressOffset>0</addressOffset></register>
  <register><name>EXTRA</name><addressOffset>0x100</addressOffset><resetValue>7</resetValue></register></registers></peripheral>
</peripherals></device>
"""


def look(d: Debugger, *opened: str) -> Devices:
    found: Devices = find("devices.devices")[0](d, opened=opened)
    return found


def layout(d: Debugger, device: str) -> Layout:
    found: Layout = find("devices.describe")[0](d, device=device)
    return found


def times(d: Debugger, device: str) -> dict[str, tuple[int, int]]:
    """Return the accesses of a device's registers that were accessed."""
    counted = look(d, device).opened[device].times
    assert counted is not None
    return {r.name: tuple(t) for r, t in zip(layout(d, device).registers, counted, strict=True) if any(t)}


def picture(d: Debugger, opened: set[object], before: Devices | None = None) -> list[str]:
    devices = [key for key in opened if isinstance(key, str)]
    layouts = {name: layout(d, name) for name in devices if name != "interrupts"}
    return plain(devices_lines(look(d, *devices), before, layouts, opened)).splitlines()


def one(lines: list[str], words: str) -> str:
    """Return the one line that has some words."""
    found = [line.strip() for line in lines if words in line]
    assert len(found) == 1, found
    return found[0]


# -- counting ------------------------------------------------------------------------------------------------------------
def test_native_code_counts_what_python_would(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    for native in (True, False):
        for device in (PL011, SystemControl):
            monkeypatch.setattr(device, "native", native)
        d = open_machine(KERNEL, machine="lm3s6965evb")
        look(d, "uart0", "scs")
        d.run_to(insns=150_000)
        counted.append((times(d, "uart0"), times(d, "scs")))
    assert counted[0] == counted[1]
    assert counted[0][0]["FR"][0] >= counted[0][0]["DR"][1] > 20           # it polls before it sends


def test_what_is_not_opened_is_not_counted_and_a_closed_device_is_as_before() -> None:
    d = open_machine(KERNEL, machine="lm3s6965evb")
    uart = d.system.machine["uart0"]  # type: ignore[attr-defined]
    d.run_to(insns=20_000)
    before = bytes(uart._cells[uart.at >> 2][0].reads)                     # what native code may do
    look(d, "uart0")
    assert bytes(uart._cells[uart.at >> 2][0].reads) != before
    assert times(d, "uart0") == {}                                         # it counts from now on
    look(d)
    assert bytes(uart._cells[uart.at >> 2][0].reads) == before
    assert "read" not in vars(uart)


def test_what_is_repeated_in_the_past_is_not_counted_again() -> None:
    d = open_machine(KERNEL, machine="lm3s6965evb")
    look(d, "uart0")
    d.run_to(insns=20_000)
    now = times(d, "uart0")
    d.seek(10_000)
    assert look(d, "uart0").opened["uart0"].times is None
    d.step(100)
    d.seek("end")
    assert d.position.insns == 20_000
    assert times(d, "uart0") == now
    d.run_to(insns=30_000)
    assert times(d, "uart0")["DR"][1] > now["DR"][1]


def test_looking_has_no_effect() -> None:
    runs = []
    for looked in (True, False):
        d = open_machine(KERNEL, machine="lm3s6965evb")
        for insns in range(20_000, 100_000, 9_999):
            d.run_to(insns=insns)
            if looked:
                look(d, *[row.name for row in look(d).rows], "interrupts")
        machine = d.system.machine  # type: ignore[attr-defined]
        state = machine.save(memory=False)
        runs.append((d.position, {name: part for name, part in state["parts"].items() if name != "cpu"}, state["events"][1:]))
    assert runs[0] == runs[1]


# -- the tree ------------------------------------------------------------------------------------------------------------
def test_registers_fields_and_what_has_changed() -> None:
    d = open_machine(KERNEL, machine="lm3s6965evb")
    opened = {"uart0", "interrupts", ("register", "uart0", 0)}
    before = look(d, "uart0", "interrupts")
    d.break_at("on_tick")
    d.cont()
    lines = picture(d, opened, before)
    assert one(lines, "of 11999").startswith("SysTick 11999 → 0 in ")
    assert one(lines, "Interrupts").endswith("in SysTick  priority 64")
    assert one(lines, "uart0 ") == "▾ uart0      4000c000  irq 5"
    data = one(lines, "▾ DR")
    assert "(read side effect)" in data
    assert "w:" in data
    assert one(lines, "▸ CR ").split(maxsplit=2)[2].startswith("00000301 ◂300  RXE TXE UARTEN  r:0 w:1")
    assert any(line.strip().startswith("DATA") for line in lines)          # a field of the opened register


def test_what_only_the_svd_file_knows(tmp_path: Path) -> None:
    (tmp_path / "board.svd").write_text(SVD)
    d = open_machine(ELF / "stm32/kernel.elf", machine="olimex-stm32-h405")
    machine = d.system.machine  # type: ignore[attr-defined]
    machine.svd = load_svd(str(tmp_path / "board.svd"), d.log)
    opened = {"CAN0", "usart2", ("register", "CAN0", 0)}
    assert "USART2" not in [row.name for row in look(d).rows]               # it has a model
    machine.bus_read(0x4000_6404, 4)                                       # before somebody looks
    look(d, "CAN0", "usart2")
    machine.bus_read(0x4000_6404, 4)
    machine.bus_write(0x4000_4500, 4, 1)
    lines = picture(d, opened)
    assert one(lines, "CAN0 ") == "▾ CAN0       40006400  irq 39  not modelled"
    assert one(lines, "Controller") == "Controller area network"
    assert one(lines, "CTL            00000025").startswith("▾ CTL")
    assert [one(lines, name).split()[1:] for name in ("INIT ", "MODE ", "RATE ")] == [["0", "1"], ["3:2", "1", "quiet"], ["7:4", "2"]]
    assert one(lines, "STS ").endswith("(read side effect)  at reset, not modelled  r:1 w:0")
    assert one(lines, "EXTRA ").endswith("00000007  at reset, not modelled  r:0 w:1")


def test_interrupts_that_wait() -> None:
    d = open_machine(ELF / "lm3s6965evb/uartirq.elf", machine="lm3s6965evb")
    d.run_to(insns=1_000)   # before it sleeps
    d.write_register("primask", 1)
    d.write_memory(0xE000_E200, (1 << 5).to_bytes(4, "little"))            # as the CPU would: ISPR
    lines = picture(d, {"interrupts"})
    assert "pending IRQ5" in one(lines, "▾ Interrupts")
    assert "PRIMASK=1" in one(lines, "▾ Interrupts")
    assert one(lines, "    IRQ5  ").endswith("pending  uart0.irq")


def test_the_world_can_be_changed_in_the_past() -> None:
    d = open_machine(ELF / "microbit/console.elf", machine="microbit")
    d.run_to(insns=20_000)
    d.seek(10_000)
    d.set_value("button_a.pressed", "yes")
    d.set_pin("gpio.3", 1)
    assert d.position.insns == 10_000
    assert [setting.text for setting in look(d, "button_a").opened["button_a"].settings] == ["yes"]
    d.step(5)
    d.step(5, back=True)
    assert look(d, "gpio").opened["gpio"].pins[0].levels & (1 << 17 | 1 << 3) == 1 << 3
    d.switch(d.branches[0].number)                                         # the future in which nobody did
    assert look(d, "gpio").opened["gpio"].pins[0].levels & (1 << 17 | 1 << 3) == 1 << 17
    for name, text in (("button_a.colour", "1"), ("nothing.pressed", "1")):
        with pytest.raises(XemuError):
            d.set_value(name, text)


@pytest.mark.parametrize(("seconds", "text"), [(0.0004, "0.4 ms"), (8.7e-6, "8.7 us"), (12, "12 s"), (5e-8, "50 ns"), (0, "0 ns")])
def test_times_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_program_has_no_devices() -> None:
    d = open_process(str(ROOT / "samples/arm/hello"))
    try:
        assert picture(d, set()) == ["a program has no devices"]
        ranges = find("map.ranges")[0](d)
        lines = plain(map_lines(ranges, ranges, 8)).splitlines()
        assert one(lines, "← pc").startswith("▶ ")
        assert "[stack]" in one(lines, "← sp")
        threads = find("threads.threads")[0](d, opened=(("thread", d.system.thread),))
        assert "running" in plain(threads_lines(threads, None, set()))
        assert threads.rows[0].calls
    finally:
        d.system.close()


def test_sizes_in_the_unit_that_fits() -> None:
    assert [size_text(size) for size in (5, 0x400, 0x600, 0x10_0000, 1 << 32)] == ["5", "1K", "1.5K", "1M", "4G"]


# -- the screen ----------------------------------------------------------------------------------------------------------
def test_the_board_is_touched_from_the_pane() -> None:
    async def work(s: Screen) -> None:
        pane = s.app.pane("devices")
        await s.keys("4")
        await s.until(lambda: any("display" in line for line in s.lines("devices")))
        await s.until(lambda: s.lines("devices").count("    . . . . .") == 5, "the matrix is open and dark")

        assert pane.find("▸ button_b")                                     # into view
        await s.pilot.pause()
        row = next(i for i, line in enumerate(s.lines("devices")) if line.startswith("▸ button_b"))
        await s.pilot.click("#devices", offset=(1, 1 + row - pane.scroll_offset.y))
        await s.until(lambda: any(line.startswith("▾ button_b") for line in s.lines("devices")), "a click opens")
        await s.pilot.click("#devices", offset=(1, 1 + row - pane.scroll_offset.y))
        await s.until(lambda: any(line.startswith("▸ button_b") for line in s.lines("devices")), "another one closes")

        async def cursor(words: str) -> None:
            await s.until(lambda: pane.find(words), words)

        await cursor("▸ button_a")
        await s.keys("enter")
        await cursor("⇢ pressed no")
        await s.keys("enter")                                              # press it
        await s.until(lambda: any("pressed yes" in line for line in s.lines("devices")))
        await cursor("▸ gpio ")
        await s.keys("enter")
        await cursor("▸ pins")
        await s.keys("enter")
        await s.until(lambda: "      ⇢ 17 0  held from outside" in s.lines("devices"), "the button's pin is low")
        await cursor("⇢ 5  ")
        await s.keys("e")
        await s.type("")                                                   # the level that it has not
        await s.until(lambda: "      ⇢ 5  1  held from outside" in s.lines("devices"), "pin 5 is driven")
        await cursor(" OUTSET ")
        await s.keys("e")
        s.app.prompt.value = ""
        await s.type("0x10")
        await s.until(lambda: any("OUT " in line and "00000010" in line for line in s.lines("devices")), "OUTSET was written")
        await s.keys("m")
        await s.until(lambda: "50000508" in s.text("memory") or "50000500" in s.text("memory"))
        await cursor("▸ uart0")
        pane.action_enter()
        await s.keys("c")                                                  # it runs and polls: the pane lives
        seen = set()

        def told() -> bool:
            seen.update(line for line in s.lines("devices") if " RXDRDY " in line and " r:" in line)
            return len(seen) > 2

        await s.until(told, "accesses are counted while it runs")
        s.app.client.pause()
        await s.until(lambda: s.app.moving is None)

    drive(work, ELF / "microbit/console.elf")


def test_tasks_and_map_lead_to_code_and_memory() -> None:
    async def work(s: Screen) -> None:
        await s.app.client.do("break_at", where="consume")
        await s.press("c")
        s.app.desk.show("threads")
        await s.until(lambda: len(s.lines("threads")) == 6)
        assert "tasks of sample kernel" in s.lines("threads")[1]
        pane = s.app.pane("threads")
        assert pane.find("thread 1")
        await s.keys("enter")
        await s.until(lambda: any("work_thread" in line for line in s.lines("threads")))
        assert "◁ #0" in "".join(s.lines("threads"))
        assert pane.find("work_thread")
        await s.keys("enter")
        await s.until(lambda: "work_thread" in s.text("stack"), "other panes show the task")
        await s.until(lambda: "work_thread" in s.text("code"), "the code of the call is shown")
        assert "consume" not in s.text("stack")
        s.app.desk.show("map")
        await s.until(lambda: any(" ram " in line for line in s.lines("map")))
        assert s.app.pane("map").find("20000000")
        await s.keys("enter")
        await s.until(lambda: "20000000  " in s.text("memory"))

    drive(work, ELF / "lm3s6965evb/kernel.elf")
