"""Rows of tables of x86 instructions: bytes, text, state before -> everything that changed, and how the instruction left."""

from __future__ import annotations

import re
from typing import Final

from tests.support.evaluator import Fault, Memory
from xemu.core import decoder
from xemu.core.instruction import evaluate_instruction
from xemu.core.state import StateBlock
from xemu.targets.registry import get_target
from xemu.targets.x86.registers import flags_of, set_flags

CODE, WINDOW, WINDOW_SIZE = 0x1000, 0x2000_0000, 0x1000
ROW: Final = re.compile(r"\s*([0-9a-f]{2}(?: [0-9a-f]{2})*)  +(\S.*?)(?:  +(.*?) ?| )->(.*)$")
FLAGS: Final = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "DF": 10, "OF": 11, "NT": 14, "AC": 18, "ID": 21}
SEGMENTS: Final = ("es", "cs", "ss", "ds", "fs", "gs")


class Machine:
    """The evaluator in one mode, for one instruction at a time; registers that nobody sets are 0, but for the selectors of Linux."""

    def __init__(self, name: str) -> None:
        self.target = get_target(name)
        self.target.load_rows()
        self.bits = self.target.address_bits
        self.tries = decoder.tries(self.target)
        self.names = self.target.layout.cells["R"].names

    def run(self, code: bytes, before: str, insns: int = 0) -> dict[str, object]:
        """Execute one instruction; return what it changed: name -> value."""
        state = StateBlock(self.target.layout)
        state.insns = insns
        cells = state.layout.cells
        for n, value in ((1, 0x33 if self.bits == 64 else 0x23), (2, 0x2B), *(((3, 0x2B), (0, 0x2B)) if self.bits == 32 else ())):
            state.set(cells["SEL"], n, value)
        for n, value in enumerate((WINDOW, WINDOW + 0x100, WINDOW + 0x200)):
            state.set(cells["GDT"], n, value)
        set_flags(state, 2)
        memory = Memory({WINDOW: bytearray(WINDOW_SIZE)})
        for name, value in (item.split("=") for item in before.split()):
            self._put(state, memory, name, int(value, 16))
        old = self._seen(state, memory)
        text = code.ljust(32, b"\x90")

        def fetch(pc: int, size: int) -> int:
            return int.from_bytes(text[pc - CODE:pc - CODE + size], "little")
        found = decoder.decode(self.target.iset(0), self.tries, fetch, CODE, 0)
        if found is None:
            return {"!": "undefined"}
        try:
            outcome = evaluate_instruction(self.target, found, CODE, 0, state, memory)
        except Fault as fault:
            return {**self._changes(old, state, memory), "!": f"fault {fault.address:x}"}
        changed = self._changes(old, state, memory)
        left = outcome.abort or outcome.trap
        if left:
            changed["!"] = f"{left[0]} {left[1]}" if left[0] != "undefined" else left[0]
        if not outcome.abort and outcome.next_pc != CODE + len(code):
            changed["pc"] = outcome.next_pc
        return changed

    def _put(self, state: StateBlock, memory: Memory, name: str, value: int) -> None:
        cells = state.layout.cells
        if name in FLAGS:
            set_flags(state, flags_of(state) | value << FLAGS[name])
        elif name[0] == "[":
            at = int(name[1:-1], 16)
            memory.pieces[WINDOW][at:at + 8] = value.to_bytes(8, "little")
        elif name in SEGMENTS:
            state.set(cells["SEL"], SEGMENTS.index(name), value)
        elif name.endswith("_base"):
            state.set(cells["SEG"], SEGMENTS.index(name[:2]), value)
        else:
            state.set(cells["R"], self.names.index(name), value)

    def _seen(self, state: StateBlock, memory: Memory) -> dict[str, object]:
        cells, word = state.layout.cells, flags_of(state)
        seen: dict[str, object] = {name: state.get(cells["R"], n) for n, name in enumerate(self.names)}
        seen |= {name: word >> at & 1 for name, at in FLAGS.items()}
        seen |= {name: state.get(cells["SEL"], n) for n, name in enumerate(SEGMENTS)}
        seen |= {f"{name}_base": state.get(cells["SEG"], n) for n, name in enumerate(SEGMENTS)}
        data = memory.pieces[WINDOW]
        return seen | {f"[{at:x}]": int.from_bytes(data[at:at + 8], "little") for at in range(0, WINDOW_SIZE, 8)}

    def _changes(self, old: dict[str, object], state: StateBlock, memory: Memory) -> dict[str, object]:
        new = self._seen(state, memory)
        return {name: value for name, value in new.items() if value != old[name]}


def rows(text: str) -> list[tuple[str, str, str, str]]:
    """Return (bytes, text, before, changed) of each row; rows are lines, "#" begins a remark."""
    found = []
    for line in text.strip("\n").splitlines():
        match = ROW.match(line.split("#")[0].rstrip())
        assert match, line
        found.append((match[1], match[2].strip(), (match[3] or "").strip(), match[4].strip()))
    return found


def written(changed: dict[str, object]) -> str:
    """Return changes as a row has them."""
    out = [f"{name}={value:x}" for name, value in changed.items() if name != "!"]
    return " ".join([*out, f"!{changed['!']}"] if "!" in changed else out)
