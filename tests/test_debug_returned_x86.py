"""What functions of x86 return, as GDB shows it."""

from __future__ import annotations

import json
import platform
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.debug import build
from xemu.debug.dwarf_names import AT
from xemu.debug.location import Piece
from xemu.debug.program import types_of
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import backtrace
from xemu.debug.values import Value
from xemu.debug.variables import Scope
from xemu.debug.x86_returned import returned_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="a test for x86-64 hosts")

SCRIPT = r"""
import gdb, json, re
found = {}
gdb.execute("set width 0")
gdb.execute("rbreak ^r_", to_string=True)
gdb.execute("run", to_string=True)
while gdb.selected_inferior().threads():
    name = gdb.selected_frame().name()
    if not name.startswith("r_"):
        break
    gdb.execute("finish", to_string=True)
    register = lambda name: gdb.selected_frame().read_register(name)
    registers = {n: int(register(n)) & (1 << %(bits)d) - 1 for n in %(general)r}
    registers.update((n, int(register(n)["v2_int64"][0]) & (1 << 64) - 1) for n in ("xmm0", "xmm1"))
    registers["st0"] = int(re.search(r"raw (\w+)", gdb.execute("info registers st0", to_string=True))[1], 16)
    memory = gdb.selected_inferior().read_memory
    chunks = []
    for n in %(general)r:
        try:
            chunks.append((registers[n], bytes(memory(registers[n], 64)).hex()))
        except (gdb.MemoryError, OverflowError):
            pass
    found[name] = gdb.execute("output $", to_string=True), registers, chunks
    gdb.execute("continue", to_string=True)
open(%(result)r, "w").write(json.dumps(found))
"""


@pytest.mark.parametrize("options", [("-O0",), ("-O2",), ("-O0", "-m32")], ids=["64-O0", "64-O2", "32"])
def test_values_are_gdbs(need: Callable[..., str], tmp_path: Path, options: tuple[str, ...]) -> None:
    gdb = need("gdb-multiarch", "gcc -m32" if "-m32" in options else "gcc")
    program = build(tmp_path, "returns.c", "-g", *options, prefix="")
    bits = 32 if "-m32" in options else 64
    general = ["eax", "edx", "esp", "eip"] if bits == 32 else ["rax", "rdx", "rsp", "rip"]
    result, script = tmp_path / "found.json", tmp_path / "script.py"
    script.write_text(SCRIPT % {"result": str(result), "general": general, "bits": bits})
    done = subprocess.run([gdb, "-nx", "-q", "-batch", program, "-x", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.exists(), done.stderr
    answers = json.loads(result.read_text())
    assert len(answers) == 16
    module = Module.open(program)
    for name, (said, registers, chunks) in answers.items():
        assert said
        assert (name, _ours(module, name, registers, chunks)) == (name, said)


def _ours(module: Module, name: str, registers: dict[str, int], chunks: list[Any]) -> str:
    memory = [(start, bytes.fromhex(data)) for start, data in chunks]

    def read(address: int, length: int, /) -> bytes | None:
        found = next((data[address - start:address - start + length] for start, data in memory
                      if start <= address and address + length <= start + len(data)), None)
        return module.elf.read(address, length) if found is None else found

    arch = module.architecture
    function = module.source_function(module.named_functions(name)[0])
    assert function is not None
    kind = types_of(module).of(function.die.inherited(AT.type))
    data = returned_bytes(kind, arch, lambda n: registers.get(n), read)  # noqa: PLW0108
    known = {n: v for n, v in registers.items() if n in arch.dwarf.values()}
    frame = backtrace(known, read, Modules([module]), limit=1)[0]
    scope = Scope(Modules([module]), read, frame, architecture=arch)
    return Value(scope.access, kind, [Piece(constant=data)]).text()
