"""The language: what it refuses and how it says so, what it folds, how diagrams are read."""

from __future__ import annotations

import random
from typing import Any

import pytest

from xemu.core.bits import Bits, Lanes, add_with_carry, cat, const, equal_signs, extract, make, mux, new_graph, sar, sext, sle, ule, zext
from xemu.core.evaluate import EVALUATE
from xemu.core.expand import EXPANSIONS
from xemu.core.isa import Field, FixedWidthIsa, Reg, Split, stage
from xemu.core.record import Recorder, when
from xemu.core.state import StateLayout
from xemu.errors import IsaError

LAYOUT = StateLayout("toy")
LAYOUT.file("R", 16, 32, " ".join(f"r{i}" for i in range(16)))


@pytest.fixture(autouse=True)
def _graph() -> None:
    new_graph()


def value(width: int = 32, name: str = "x") -> Bits:
    return make("field", width, (), name)


def toy() -> FixedWidthIsa:
    return FixedWidthIsa("toy", 16, {"Rd": Reg(4), "Rn": Reg(4), "S": Split(1), "imm3": Field(3)})


def test_a_value_has_no_truth_value() -> None:
    with pytest.raises(IsaError, match=r"no truth value at staging time; use `with when\(c\):` or `mux"):
        bool(value())


def test_a_constant_has_no_truth_value_either() -> None:
    with pytest.raises(IsaError, match="no truth value"):
        bool(const(1, 1))


def test_an_order_must_name_its_sign() -> None:
    with pytest.raises(IsaError, match="use ult/ule/slt/sle"):
        assert value() < value(32, "y")


def test_widths_do_not_change_by_themselves() -> None:
    with pytest.raises(IsaError, match=r"a 8-bit value meets a 32-bit one; widen with zext/sext or cut with \[hi:lo\]"):
        value() + value(8, "y")


def test_a_constant_must_fit() -> None:
    with pytest.raises(IsaError, match="0x1ff does not fit into 8 bits"):
        value(8) + 0x1FF


def test_a_slice_must_lie_inside() -> None:
    with pytest.raises(IsaError, match=r"bits \[32:0\] of a 32-bit value"):
        value()[32:0]


def test_a_run_time_value_is_no_index() -> None:
    with pytest.raises(IsaError, match="where a Python int is needed; use a Split field"):
        [1, 2][value()]


def test_an_unknown_register_names_the_near_miss() -> None:
    isa = toy()

    @isa("0000 Rd Rn 0000", "bad {Rd}, {Rn}")
    def bad(cpu: Any, Rd: Any, Rn: Any) -> None:  # noqa: N803
        cpu.RR[Rd] = cpu.R[Rn]

    with pytest.raises(AttributeError, match="no register 'RR' in toy; did you mean 'R'"):
        stage(isa.variants[0], 0x0120, 0, None, LAYOUT)


@pytest.mark.parametrize(("diagram", "message"), [
    ("0000 Rd Rn 000", "the diagram has 15 bits, toy has 16"),
    ("0000 Rd Rn 00000", "the diagram has more than 16 bits, toy has 16"),
    ("0000 Rdd Rn 0000", r"no field 'Rdd' in toy; did you mean 'Rd'\?"),
    ("0000 Rd Rd 0000", "field 'Rd' stands twice"),
    ("0000 Rd Rn 00.0", r"'00\.0' is no field, bits, dashes"),
])
def test_a_wrong_diagram_is_refused_with_its_line(diagram: str, message: str) -> None:
    with pytest.raises(IsaError, match=rf"test_language\.py:\d+: .*{message}"):
        toy()(diagram, "x")(lambda cpu: None)  # noqa: ARG005


def test_a_wrong_where_clause_is_refused() -> None:
    with pytest.raises(IsaError, match="is not `field == number`"):
        toy()("0000 Rd Rn 0000", "x", where="Rd > 3")(lambda cpu: None)  # noqa: ARG005


def test_an_error_in_a_body_names_its_line_and_row() -> None:
    isa = toy()

    @isa("0001 Rd Rn imm3 0", "widths {Rd}")
    def widths(cpu: Any, Rd: Any, Rn: Any, imm3: Any) -> None:  # noqa: N803
        cpu.R[Rd] = cpu.R[Rn] + imm3

    with pytest.raises(IsaError, match=r"test_language\.py:\d+: toy\.widths: a 3-bit value meets a 32-bit one"):
        stage(isa.variants[0], 0x1120, 0, None, LAYOUT)


def test_split_fields_make_variants() -> None:
    isa = toy()

    @isa("0010 Rd Rn 000 S", "add{S}")
    def add(cpu: Any, S: int, Rd: Any, Rn: Any) -> None:  # noqa: N803
        cpu.R[Rd] = cpu.R[Rn] + S

    assert [(v.name, hex(v.value)) for v in isa.variants] == [("toy.add.S0", "0x2000"), ("toy.add.S1", "0x2001")]


def test_a_row_can_begin_again_until_it_stores() -> None:
    cpu = Recorder(LAYOUT, const(0, 32), 2, None)
    cpu.probe(value(), 4)
    with pytest.raises(IsaError, match="a row stores without a check, and without a probe for writing before"):
        cpu.store(value(), value(32, "z"), checked=False)
    cpu.store(value(32, "y"), value(32, "z"))
    cpu.load(value(), 4, checked=False)
    with pytest.raises(IsaError, match="a row loads what it has not probed after a store"):
        cpu.load(value(), 4)


def test_a_write_under_a_false_condition_vanishes() -> None:
    cpu = Recorder(LAYOUT, const(0, 32), 2, None)
    from xemu.core.record import set_current

    set_current(cpu)
    with when(const(0, 1)):
        cpu.R[1] = const(5, 32)
    with when(const(1, 1)):
        cpu.R[2] = const(6, 32)
    set_current(None)
    assert [(w.index, w.pred) for w in cpu.writes] == [(2, None)]


def test_reads_see_earlier_writes() -> None:
    cpu = Recorder(LAYOUT, const(0, 32), 2, None)
    cpu.R[3] = const(7, 32)
    assert int(cpu.R[3]) == 7


def test_a_subtraction_s_carry_is_a_comparison() -> None:
    x, y = value(32, "x"), value(32, "y")
    total, carry, overflow = add_with_carry(x, ~y, const(1, 1))
    assert total is x - y
    assert carry is ule(y, x)
    assert equal_signs(total[31], overflow) is sle(y, x)


def test_constants_fold() -> None:
    assert int(zext(const(0x80, 8), 32) << 4) == 0x800
    assert int(sext(const(0x80, 8), 32)) == 0xFFFFFF80
    assert int(sar(const(0x80000000, 32), 40)) == 0xFFFFFFFF
    assert int(cat(const(1, 4), const(2, 4))) == 0x12
    x = value()
    assert (x + 4) + 4 is x + 8
    assert (x ^ x).attr == 0
    assert mux(const(1, 1), x, 0) is x
    assert extract(cat(x, value(8, "y")), 8, 32) is x


def test_lanes_do_not_meet_other_lanes() -> None:
    with pytest.raises(IsaError, match="4 lanes of 8 bits meet 2 of 16"):
        Lanes(value(), 8) + Lanes(value(32, "y"), 16)


@pytest.mark.parametrize(("op", "args", "expected"), [
    ("shl", (1, 32), 0), ("shr", (0xFFFFFFFF, 33), 0), ("sar", (0x80000000, 99), 0xFFFFFFFF), ("ror", (1, 33), 0x80000000),
    ("udiv", (7, 0), 0), ("sdiv", (0x80000000, 0xFFFFFFFF), 0x80000000), ("sdiv", (0xFFFFFFF9, 2), 0xFFFFFFFD),
    ("uadds", (0xFFFFFFFF, 1), 0xFFFFFFFF), ("ssubs", (0x80000000, 1), 0x80000000), ("clz", (0,), 32), ("ctz", (0,), 32),
])
def test_edges_of_operations(op: str, args: tuple[int, ...], expected: int) -> None:
    assert EVALUATE[op](32, None, [32] * len(args), *args) == expected


@pytest.mark.parametrize(("op", "attr", "widths", "args", "expected"), [
    ("clmul", None, (64, 64), (0b1011, 0b110), 0b111010),
    ("aes_sub", "forward", (128,), (0,), int("63" * 16, 16)),
    ("aes_mix", "forward", (128,), (0x455313DB,), 0xBCA14D8E),                # FIPS 197's usual example: db 13 53 45
    ("byte_distances", None, (64, 64), (0x0102FF, 0x00FF01), 1 + 0xFD + 0xFE),
    ("byte_products", None, (128, 128), (0xFFFF, 0x7F7F), 0x7FFF),
    ("fraction_products", None, (128, 128), (0x8000, 0x8000), 0x8000),
])
def test_operations_that_hosts_have(op: str, attr: str | None, widths: tuple[int, ...], args: tuple[int, ...], expected: int) -> None:
    width = 2 * widths[0] if op == "clmul" else widths[0]
    assert EVALUATE[op](width, attr, list(widths), *args) == expected


@pytest.mark.parametrize(("op", "attr", "widths"), [
    ("clmul", None, (64, 64)), ("aes_sub", "forward", (128,)), ("aes_sub", "inverse", (128,)), ("aes_mix", "forward", (128,)),
    ("aes_mix", "inverse", (128,)), *[("sha1_rounds", stage, (128, 128)) for stage in range(4)], ("sha256_rounds", None, (128, 128, 128)),
    ("byte_distances", None, (64, 64)), ("byte_distances", None, (128, 128)), ("byte_products", None, (128, 128)),
    ("fraction_products", None, (64, 64)),
])
def test_operations_put_together_from_simpler_ones(op: str, attr: Any, widths: tuple[int, ...]) -> None:
    width = 2 * widths[0] if op == "clmul" else widths[0]
    for _ in range(20):
        args = [random.getrandbits(w) for w in widths]
        whole = make(op, width, tuple(value(w, f"x{i}") for i, w in enumerate(widths)), attr)
        whole.args = tuple(const(a, w) for a, w in zip(args, widths, strict=True))        # folding would not let it be built
        assert EXPANSIONS[op](whole).attr == EVALUATE[op](width, attr, list(widths), *args)


def test_a_table_with_constant_indices_is_a_shuffle() -> None:
    table, rest = value(64, "table"), value(64, "rest")
    picked = Lanes(const(0x08_FF_00_07_06_05_04_03, 64), 8).lookup(table, rest).bits
    assert (picked.op, picked.attr) == ("shuffle", (8, (3, 4, 5, 6, 7, 0, 14, 15)))
    assert Lanes(const(0x0706050403020100, 64), 8).lookup(table, rest).bits is table


def test_what_is_written_on_a_fault_is_no_write() -> None:
    cpu = Recorder(LAYOUT, const(0, 32), 2, None)
    with cpu.on_fault():
        cpu.R[1] = const(5, 32)
    assert cpu.writes == []
    assert [(w.index, w.value.attr) for w in cpu.effects[0].writes] == [(1, 5)]
