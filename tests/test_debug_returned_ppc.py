"""What functions of PowerPC return, as GDB shows it; where GDB cannot say, as the source says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import session_output
from tests.support.guests import built

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: function -> what it returns for n = 3; None: in memory, whose address the caller alone knows
VALUES = {
    "r_char": "100 'd'", "r_negative": "-3 '\\375'", "r_int": "-3000", "r_long": "14660155035", "r_enum": "GREEN", "r_float": "4.5",
    "r_double": "0.375", "r_long_double": "6.75", "r_small": "{a = 3, b = -3}", "r_mixed": "{d = 1.5, n = 3}",
    "r_floats": "{x = 3, y = 4, z = 5}", "r_bits": "{low = 3, high = 3000, rest = 3}",
    "r_union": "", "r_nested": '{inner = {c = "ab"}, f = 3}', "r_large": None,
}
AGGREGATES = {"r_small", "r_mixed", "r_floats", "r_bits", "r_union", "r_nested"}


@pytest.mark.parametrize("options", [("-O0",), ("-O2",)], ids=["O0", "O2"])
@pytest.mark.parametrize("arch", ["ppc", "ppc64le"])
def test_results_are_found(arch: str, options: tuple[str, ...], need: Callable[..., str], tmp_path: Path) -> None:
    program = built(need, tmp_path, arch, "returns.c", "-g", "-static", *options)
    answers, _ = session_output("""
d = open_process(sys.argv[1])
for name in json.loads(sys.argv[2]):
    d.break_at(name)
d.cont()
while not d.stop.kind.final:
    name = d.backtrace(limit=1)[0].function
    answers[name] = d.finish().text.partition("; ")[2]
    d.cont()
finish()
""", program, json.dumps([*VALUES, "r_string"]))
    assert set(answers) == {*VALUES, "r_string"}
    assert answers.pop("r_string").endswith('"ing"')
    for name, value in VALUES.items():
        if value is None or (arch == "ppc" and name in AGGREGATES):
            assert answers[name] == ""
        elif name == "r_union":
            assert answers[name].startswith("r_union returned {d = 3, bytes = ")
        else:
            assert answers[name] == f"{name} returned {value}"
