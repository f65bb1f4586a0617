"""SVD files: names and reset values of registers."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.conftest import give_up
from tests.packages import PackageError
from tests.support.pypi import source_file
from xemu.errors import ImageError, NotFoundError
from xemu.hw.svd import load_svd

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = """<?xml version="1.0"?>
<device><size>32</size><resetValue>0</resetValue><peripherals>
 <peripheral><name>UART0</name><baseAddress>0x40000000</baseAddress><resetValue>0x11</resetValue><registers>
  <register><name>BAUD</name><addressOffset>0x10</addressOffset></register>
  <register><name>CTRL</name><addressOffset>20</addressOffset><size>16</size><resetValue>0xABCD</resetValue></register>
  <register derivedFrom="BAUD"><name>BAUD2</name><addressOffset>#11000</addressOffset></register>
  <register><dim>3</dim><dimIncrement>4</dimIncrement><name>FIFO[%s]</name><addressOffset>0x20</addressOffset></register>
  <register><dim>2</dim><dimIncrement>4</dimIncrement><dimIndex>A,B</dimIndex><name>CH%s_X</name><addressOffset>0x30</addressOffset></register>
  <cluster><dim>2</dim><dimIncrement>0x10</dimIncrement><name>LANE%s</name><addressOffset>0x40</addressOffset>
   <register><name>SRC</name><addressOffset>0</addressOffset><resetValue>7</resetValue></register>
   <cluster><name>IN</name><addressOffset>4</addressOffset>
    <register><name>DST</name><addressOffset>4</addressOffset></register></cluster>
  </cluster>
 </registers></peripheral>
 <peripheral derivedFrom="UART0"><name>UART1</name><baseAddress>0x40001000</baseAddress></peripheral>
</peripherals></device>
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "example.svd"
    path.write_text(EXAMPLE)
    return path


@pytest.mark.parametrize(("address", "name", "reset"), [
    (0x4000_0010, "UART0.BAUD", 0x11), (0x4000_0014, "UART0.CTRL", 0xABCD), (0x4000_0015, "UART0.CTRL", 0xAB),
    (0x4000_0018, "UART0.BAUD2", 0x11),
    (0x4000_0020, "UART0.FIFO[0]", 0x11), (0x4000_0028, "UART0.FIFO[2]", 0x11), (0x4000_0034, "UART0.CHB_X", 0x11),
    (0x4000_0040, "UART0.LANE0.SRC", 7), (0x4000_0058, "UART0.LANE1.IN.DST", 0x11), (0x4000_1014, "UART1.CTRL", 0xABCD),
    (0x4000_0016, None, 0), (0x4000_002C, None, 0), (0, None, 0), (0x5000_0000, None, 0),
])  # fmt: skip
def test_registers_have_names_and_reset_values(example: Path, address: int, name: str | None, reset: int) -> None:
    found = load_svd(str(example), pytest.fail)
    assert (found.register_at(address), found.reset_value(address)) == (name, reset)


@pytest.mark.parametrize(("before", "after", "message"), [
    ("</device>", "", "no element found"),
    ("0x40000000", "here", "invalid literal"),
    ('derivedFrom="UART0"', 'derivedFrom="UART9"', "UART1 is derived from UART9, which is not there"),
    ('derivedFrom="UART0"', 'derivedFrom="UART1"', "UART1 is derived from itself"),
    ("<dim>3<", "<dim>99999999<", "FIFO[%s]: an array of 99999999"),
    ("<name>BAUD</name>", "", "a register has no name"),
])  # fmt: skip
def test_a_damaged_file_says_so_once_and_names_nothing(example: Path, before: str, after: str, message: str) -> None:
    said: list[str] = []
    example.write_text(EXAMPLE.replace(before, after))
    found = load_svd(str(example), said.append)
    assert [found.register_at(0x4000_0010), found.reset_value(0x4000_0010)] == [None, 0]
    assert len(said) == 1
    assert message in said[0]


def test_what_is_no_svd_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        load_svd(str(tmp_path / "none.svd"), pytest.fail)
    (tmp_path / "a.svd").write_text("<html/>")
    with pytest.raises(ImageError, match="not an SVD file"):
        load_svd(str(tmp_path / "a.svd"), pytest.fail)


@pytest.mark.parametrize(("file", "address", "name", "reset"), [
    ("STM32F41x.svd", 0x4002_3800, "RCC.CR", 0x83), ("STM32F41x.svd", 0x4002_0000, "GPIOA.MODER", 0xA800_0000),
    ("nrf51.svd", 0x4000_0524, "POWER.RAMON", 3), ("nrf51.svd", 0x4001_F510, "PPI.CH[0].EEP", 0),
])  # fmt: skip
def test_files_of_manufacturers(tmp_path: Path, file: str, address: int, name: str, reset: int) -> None:
    try:
        archive = source_file("pyocd", "0.36.0", "pyocd/debug/svd/svd_data.zip")
    except PackageError as error:
        give_up(str(error))
    with zipfile.ZipFile(archive) as files:
        (tmp_path / file).write_bytes(files.read(file))
    found = load_svd(str(tmp_path / file), pytest.fail)
    assert (found.register_at(address), found.reset_value(address)) == (name, reset)


DETAILED = """<device><peripherals><peripheral><name>SPI0</name><description>Serial
   bus</description><baseAddress>0x40003000</baseAddress><interrupt><name>SPI0</name><value>0x11</value></interrupt><registers>
 <register><name>CR</name><description>Control</description><addressOffset>0</addressOffset><access>read-write</access><fields>
  <field><name>EN</name><description>On</description><bitOffset>0</bitOffset><bitWidth>1</bitWidth></field>
  <field><dim>2</dim><dimIncrement>4</dimIncrement><name>CH%s</name><bitRange>[7:4]</bitRange><enumeratedValues><name>way</name>
   <enumeratedValue><name>up</name><value>0b01</value></enumeratedValue><enumeratedValue><name>down</name><value>#10</value>
   </enumeratedValue></enumeratedValues></field>
  <field derivedFrom="EN"><name>EN2</name><lsb>16</lsb><msb>17</msb><enumeratedValues derivedFrom="way"/></field></fields></register>
 <register derivedFrom="CR"><name>CR2</name><addressOffset>4</addressOffset></register>
 <register><name>SR</name><addressOffset>8</addressOffset><fields><field><name>RXNE</name><bitOffset>0</bitOffset>
  <readAction>clear</readAction></field></fields></register>
 <register><name>BAD</name><addressOffset>12</addressOffset><fields><field><name>X</name><bitOffset>two</bitOffset></field></fields>
 </register></registers></peripheral></peripherals></device>"""


def test_fields_and_the_names_of_their_values(tmp_path: Path) -> None:
    path = tmp_path / "details.svd"
    path.write_text(DETAILED)
    said: list[str] = []
    svd = load_svd(str(path), said.append)
    assert [(p.name, p.address, p.text, p.interrupts) for p in svd.peripherals] == [("SPI0", 0x4000_3000, "Serial bus", (("SPI0", 17),))]
    assert [r.name for r in svd.of_peripheral("SPI0")] == ["SPI0.CR", "SPI0.CR2", "SPI0.SR", "SPI0.BAD"]
    control = svd.details("SPI0.CR")
    assert [(f.name, f.high, f.low) for f in control.fields] == [("EN2", 17, 16), ("CH1", 11, 8), ("CH0", 7, 4), ("EN", 0, 0)]
    assert control.fields[0].names == control.fields[2].names == ((1, "up"), (2, "down"))
    assert (control.text, control.access, control.reading_acts, control.fields[0].text) == ("Control", "read-write", False, "On")
    assert svd.details("SPI0.CR2").fields == control.fields
    assert svd.details("SPI0.SR").reading_acts
    assert svd.details("SPI0.BAD").fields == ()
    assert svd.details("SPI0.NONE").fields == ()
    assert len(said) == 1
    assert "SPI0.BAD" in said[0]
