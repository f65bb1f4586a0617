"""`xemu list`: machines, devices, processors."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.programs import ROOT
from xemu.cli.main import main
from xemu.hw.machines import board_names


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Return the lines that `xemu list` prints."""
    assert main(["list", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_all_machines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, "machines")
    assert [line.split()[0] for line in lines] == board_names()
    assert any(line.split()[:2] == ["microbit", "Cortex-M0"] for line in lines)


def test_a_board_has_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in listed(capsys, "machines", "mps2-an385")]
    assert lines[0] == "mps2-an385: Arm MPS2, AN385: Cortex-M3 at 25 MHz"
    assert lines[1].startswith("Cortex-M3, 25,000,000 beats a second; UARTs: 0 uart0, 1 uart1")
    assert "00000000-003fffff ssram1 RAM 4 MiB" in lines
    assert "00400000-007fffff ssram1_mirror alias of ssram1" in lines
    assert any(line.startswith("40004000-40004fff uart0 CmsdkUart rx=irq0 tx=irq1 overrun=irq12 APB UART, DDI 0479") for line in lines)


def test_a_map_says_what_can_be_set_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in listed(capsys, "machines", "microbit")]
    assert "--pin gpio.N=0|1|z N from 0 to 31" in lines
    assert any(line.startswith("--set button_a.pressed=False A push button") for line in lines)
    assert any(line.startswith("--set temp.celsius=25.0 TEMP") for line in lines)
    assert any("--set thermometer.celsius=21.5  Thermometer" in line
               for line in listed(capsys, "machines", str(ROOT / "samples/boards/badge.py")))


def test_every_board_has_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    for name in board_names():
        board = json.loads("\n".join(listed(capsys, "machines", name, "--json")))
        assert board["name"] == name
        assert board["rate"] >= 1_000_000
        assert {"scs", "ppb"} <= {part["name"] for part in board["parts"]}
        starts = [part["start"] for part in board["parts"]]
        assert starts == sorted(starts)


def test_a_board_file_has_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, "machines", str(ROOT / "samples/boards/badge.py"))
    assert any(" thermometer " in line and "irq=irq3" in line for line in lines)


def test_a_device_has_registers_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in listed(capsys, "devices", "CmsdkUart")]
    assert lines[0].startswith("CmsdkUart: APB UART, DDI 0479")
    assert lines[1] == "4 KiB; accesses of 8, 16, 32 bits"
    assert "004 STATE 0x0 Status TXBF=RO[0] RXBF=RO[1] TXOV=W1C[2] RXOV=W1C[3]" in lines
    assert any(re.match(r"fd0 ID\[12\] 0x\w+ Identification.* RO\[", line) for line in lines)


def test_all_devices_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names = [line.split()[0] for line in listed(capsys, "devices")]
    assert {"CmsdkUart", "CmsdkTimer", "Dwt", "Itm", "SystemControl"} <= set(names)
    for name in names:
        shown = json.loads("\n".join(listed(capsys, "devices", name, "--json")))
        assert (shown["name"], bool(shown["title"]), bool(shown["registers"])) == (name, True, True)


def test_processors(capsys: pytest.CaptureFixture[str]) -> None:
    assert "CortexM4  armv7e-m  FPv4-SP  CPUID 0x410fc241" in listed(capsys, "cpus")
    assert listed(capsys, "cpus", "cortex-m0") == ["CortexM0  armv6-m  no FPU  CPUID 0x410cc200"]
    assert json.loads("\n".join(listed(capsys, "cpus", "CortexM7", "--json")))[0]["title"] == "Cortex-M7"


@pytest.mark.parametrize(("words", "message"), [
    ((), "list what? xemu list machines|devices|cpus [NAME]"),
    (("boards",), "list what? xemu list machines|devices|cpus [NAME]"),
    (("machines", "mps2-an3855"), "no machine 'mps2-an3855'; did you mean mps2-an385?"),
    (("devices", "CmsdkUrt"), "no device CmsdkUrt; did you mean CmsdkUart?"),
    (("cpus", "cortex-m33"), "no processor cortex-m33; did you mean cortex-m3?"),
])  # fmt: skip
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    assert main(["list", *words]) == 2
    assert capsys.readouterr().err == f"xemu: {message}\n"
