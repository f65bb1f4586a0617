"""The law: the evaluator, the interpreter's handlers and a region do the same, for random instructions in random states."""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

from tests.support.x86 import random_word
from xemu.core import compiler, decoder
from xemu.core.engine import Engine, Exit, ExitKind, Options
from xemu.core.llvm import compile_text
from xemu.core.memory import EXEC, READ, WRITE, make_space
from xemu.core.region import Code, RegionEmitter
from xemu.core.state import ENGINE_BYTES
from xemu.errors import IsaError
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.isa import Variant

CODE = 0x3A00_0000          # far from the addresses that special values make
WINDOW, WINDOW_SIZE = 0x5000_0000, 0x3000
CASE_BYTES = 64
SPECIAL = (0, 1, 2, 31, 32, 33, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7F800000, 0x7FC00000,
           0x7F800001, 0x00800000, 0x00000001, 0x3F800000, 0xBF800000)
#: the derived register that has the flags
STATUS = {"arm": "cpsr", "arm-m": "xpsr", "i386": "eflags", "x86_64": "eflags", "ppc": "cr", "ppc64le": "cr"}
MODES = (1 << 22, 2 << 22, 3 << 22, 1 << 24, 1 << 25, 1 << 26, 7 << 24)     # of FPSCR: RMode, FZ, DN, AHP
MXCSR_MODES = (0x3F80, 0x5F80, 0x7F80, 0x1FC0, 0x9F80, 0x9FC0, 0xFFC0, 0x1780, 0x9B80, 0x0F80, 0x1F00, 0x0000)
FPSCR_MODES = (1, 2, 3, 0x80, 0x40, 0x20, 0x10, 0x08, 0xF9)
#: doublewords that are special doubles, or singles in the format of doubles
DOUBLES = (0, 1 << 63, 1, (1 << 52) - 1, 1 << 52, 0x3FF << 52, 0xBFF << 52, 0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48, (0x7FF << 52) | 5,
           0x7FEFFFFFFFFFFFFF, 0x381 << 52, 0x380FFFFFE0000000, 0x36A << 52, 0x47EFFFFFE0000000, 0x3FF0000010000000, 0x41E << 52,
           0x41DFFFFFFFC00000, 0x43E << 52, 0x3FE << 52, 0x4004 << 48)
HALFWORDS = ("t32", "m32")                          # instruction sets whose words stand in memory first halfword first


@dataclass
class LawCase:
    """Instructions in a row, and what they start from."""

    words: bytes
    count: int
    context: int
    state: bytes
    memory: bytes
    note: str
    pc: int = 0
    results: list[Any] = field(default_factory=list)


class Law:
    """An engine of its own, in which cases run in every tier."""

    def __init__(self, target: str = "arm", seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.target = get_target(target)
        self.status = STATUS[target]
        self.is_x86 = self.target.package == "x86"
        self.target.load_rows()
        self.space = make_space(self.target.address_bits)
        self.engine = Engine(self.target, self.space, Options(jit=False))
        self.space.map(WINDOW, WINDOW_SIZE, READ | WRITE)
        self.tries = decoder.tries(self.target)
        self.cells = self.target.layout.cells

    # -- cases ---------------------------------------------------------------------------------------------------
    def word(self, variant: Variant) -> bytes:
        """Return a random encoding of a variant, as it stands in memory."""
        isa = variant.row.isa
        if self.is_x86:
            return random_word(self.random, variant, int(self.target.address_bits == 64))
        while True:
            w = (self.random.getrandbits(isa.bits) & ~variant.mask) | (variant.value & ((1 << isa.bits) - 1))
            if isa.predicate and isa.predicate in variant.row.places and self.random.random() < 0.6:
                w = w & ~(15 << 28) | 14 << 28
            if not any(w & m == v for m, v in variant.excludes):
                break
        if isa.name in HALFWORDS:
            return (w >> 16).to_bytes(2, "little") + (w & 0xFFFF).to_bytes(2, "little")
        return w.to_bytes(isa.bits // 8, "big" if self.target.sets[0].big else "little")

    def state(self, context: int) -> bytes:
        """Return random registers that go with a context: bytes of the state block behind the engine's cells."""
        st, rnd = self.engine.state, self.random
        for cell in self.cells.values():
            if cell.storage != cell.name:
                continue
            for i in range(cell.count):
                value = rnd.getrandbits(cell.width) if rnd.random() < 0.6 else rnd.choice(SPECIAL) & ((1 << cell.width) - 1)
                if cell.width == 128:
                    value = sum((rnd.getrandbits(32) if rnd.random() < 0.5 else rnd.choice(SPECIAL)) << 32 * k for k in range(4))
                st.set(cell, i, value)
        if self.target.package in ("x86", "ppc"):
            return self._x86_state(context) if self.is_x86 else self._ppc_state(context)
        for i in range(15):
            if rnd.random() < 0.5:
                st.write(self.cells["R"].names[i], WINDOW + 0x1800 + rnd.randrange(-0x200, 0x200))
            elif rnd.random() < 0.3:
                st.write(self.cells["R"].names[i], rnd.randrange(0, 64))
        modes = rnd.choice(MODES) if self.target.context(context).FP else 0
        given = {"ITSTATE": 0, "FPMODE": modes, "EXSIZE": rnd.choice((0, 1, 2, 4, 8))}
        if rnd.random() < 0.5:
            given["IPSR"] = 0                           # Thread mode
        for name in given.keys() & self.cells.keys():
            st.set(self.cells[name], 0, given[name])
        return bytes(st.buffer[ENGINE_BYTES:])

    def _x86_state(self, context: int) -> bytes:
        """Return the same for x86: what no program can have is put right."""
        st, rnd, r = self.engine.state, self.random, self.cells["R"]
        for i in range(16):
            value = st.get(r, i)
            if rnd.random() < 0.5:
                value = WINDOW + 0x1800 + rnd.randrange(-0x200, 0x200)
            elif rnd.random() < 0.3:
                value = rnd.randrange(64)
            if self.target.address_bits == 32:
                value = value & 0xFFFFFFFF if i < 8 else 0
            st.set(r, i, value)
        st.set(r, 16, 0)
        for i in range(8):
            st.set(self.cells["SEG"], i, rnd.choice((0, 0x100)) if i in (4, 5) else 0)
            st.set(self.cells["FPR"], i, rnd.getrandbits(80))
        for name in ("FTOP", "MXMODE", "FPFLAGS", "FCW", "FSW"):
            limit = {"FTOP": 7, "MXMODE": 0, "FPFLAGS": 0x9F, "FCW": 0, "FSW": 0x477F}[name]
            st.set(self.cells[name], 0, rnd.getrandbits(16) & limit)
        st.set(self.cells["MXMODE"], 0, rnd.choice(MXCSR_MODES) if self.target.context(context).FP else 0x1F80)
        st.set(self.cells["FCW"], 0, 0x037F)
        st.set(self.cells["EFL"], 0, 0x202)
        return bytes(st.buffer[ENGINE_BYTES:])

    def _ppc_state(self, context: int) -> bytes:
        """Return the same for PowerPC: what no program can have is put right."""
        st, rnd, r = self.engine.state, self.random, self.cells["GPR"]
        for i in range(32):
            if rnd.random() < 0.5:
                st.set(r, i, WINDOW + 0x1800 + rnd.randrange(-0x200, 0x200))
            elif rnd.random() < 0.3:
                st.set(r, i, rnd.randrange(64))
        for i in range(128):
            if rnd.random() < 0.5:
                some = rnd.getrandbits(64) & 0x807FFFFFFFFFFFFF | 0x3FC << 52
                st.set(self.cells["D"], i, rnd.choice(DOUBLES) if rnd.random() < 0.7 else some)
        modes = self.target.context(context)
        given = {"FPCTL": rnd.choice(FPSCR_MODES) if modes.FP else 0, "NJ": 1 - modes.JAVA, "FPOP": rnd.choice((0, 0, 0xFF, 1, 0x108)),
                 "FPSTICKY": rnd.getrandbits(32) & 0x9FF80700, "FPCC": rnd.choice((0, 16 | rnd.getrandbits(4))),
                 "FPLAST": rnd.getrandbits(7), "EXSIZE": rnd.choice((0, 1, 2, 4, 8, 16))}
        if rnd.random() < 0.3:
            given["EXADDR"] = st.get(r, rnd.randrange(32)) & -16
        for name, value in given.items():
            st.set(self.cells[name], 0, value)
        return bytes(st.buffer[ENGINE_BYTES:])

    def case(self, variants: Sequence[Variant], context: int, prefix: bytes = b"") -> LawCase:
        """Return a case of these variants in a row."""
        words = prefix + b"".join(self.word(v) for v in variants)
        memory = self.random.randbytes(WINDOW_SIZE)
        note = ", ".join(v.name for v in variants)
        return LawCase(words, len(variants) + bool(prefix), context, self.state(context), memory, note)

    def cases_around(self, asks: Sequence[Variant], operations: Sequence[Variant], context: int, count: int) -> list[LawCase]:
        """Return cases in which each of `asks`, what reads or writes the status of floating point, stands between operations."""
        draw, ask = self.random.choice, cycle(asks)
        return [self.case([draw(operations), draw(operations), next(ask), draw(operations), draw(asks)], context) for _ in range(count)]

    # -- running -------------------------------------------------------------------------------------------------
    def _begin(self, case: LawCase) -> None:
        self.engine.state.buffer[ENGINE_BYTES:] = case.state
        self.space.write(WINDOW, case.memory)
        self.engine.set_position(case.pc, case.context)
        self.engine.insns = 0                                  # what counters of instructions show is part of the outcome

    def _outcome(self, result: Exit | None, before: int) -> tuple[Any, ...]:
        st = self.engine.state
        values = []
        for cell in self.cells.values():
            if cell.storage != cell.name or cell.name in ("CX", "CY", "CS", "NZ", "FX", "FY", "FSUM", "ZRES", "SRES"):
                continue
            kept = [i for i in range(cell.count) if not self.target.is_scratch(cell.name, i)]
            values.extend((f"{cell.name}[{i}]", st.get(cell, i)) for i in kept)
        values.append((self.status, st.read(self.status)))
        stop = None if result is None or result.kind is ExitKind.BUDGET else (result.kind.value, result.number, result.fault)
        ran = self.engine.insns - before
        return (("pc", st.pc), ("context", st.context), ("ran", ran), ("stop", stop), *values,
                ("memory", bytes(self.space.read(WINDOW, WINDOW_SIZE))))

    def evaluated(self, case: LawCase) -> tuple[Any, ...]:
        """Run a case in the evaluator."""
        self._begin(case)
        before, result = self.engine.insns, None
        for _ in range(case.count):
            result = self.engine.evaluate_one()
            if result is not None or not case.pc <= self.engine.pc < case.pc + len(case.words):
                break
        return self._outcome(result, before)

    def native(self, case: LawCase, count: int) -> tuple[Any, ...]:
        """Run a case in native code: as many instructions as the evaluator ran (one more, where that one stopped)."""
        self._begin(case)
        before = self.engine.insns
        self.engine.cells[0] = 0
        result = self.engine.run(count)
        return self._outcome(result, before)

    def run(self, cases: list[LawCase], *, tiers: tuple[str, ...] = ("handlers", "region")) -> list[str]:
        """Run cases in every tier; return descriptions of differences."""
        size = (len(cases) * CASE_BYTES + 8191) & ~4095
        self.space.map(CODE, size, READ | WRITE | EXEC)
        for i, case in enumerate(cases):
            case.pc = CODE + i * CASE_BYTES
            self.space.write(case.pc, case.words)
        self.space.protect(CODE, size, READ | EXEC)      # a store to the code of another case would be a fault, not a difference
        expected = [self.evaluated(c) for c in cases]
        complaints: list[str] = []
        for tier in tiers:
            getattr(self, f"_install_{tier}")(cases)
            for case, want in zip(cases, expected, strict=True):
                stopped = dict(want)["stop"] is not None
                got = self.native(case, dict(want)["ran"] + (1 if stopped else 0) or 1)
                if dict(want)["stop"] is not None and dict(want)["stop"][0] in ("syscall", "event"):
                    got = self.native(case, dict(want)["ran"])
                if got != want:
                    complaints.append(self._describe(tier, case, want, got))
        self.space.unmap(CODE, size)
        return complaints

    def _install_handlers(self, cases: list[LawCase]) -> None:
        """Compile the handlers of all instructions of the cases at once."""
        library = self.engine.library
        wanted: dict[int, set[tuple[str, int]]] = {}
        for case in cases:
            library.prepare(case.context)
            iset = self.target.iset(case.context)
            for guard in ((0, 0xE8) if iset.guard else (0,)):
                at = case.pc
                while at < case.pc + len(case.words):
                    d = library.decode_with(at, iset, guard)
                    if d is None:
                        at += iset.bits[0] // 8
                        continue
                    key = (d.variant.row.isa.name, d.variant.index)
                    if (case.context, *key) not in library.installed:
                        wanted.setdefault(case.context, set()).add(key)
                    at += d.length
        for context, keys in wanted.items():
            library._install_handlers(context, compiler.compile_handlers(self.target, context, sorted(keys)))

    def _install_region(self, cases: list[LawCase]) -> None:
        """Compile each case as a region of its own, many to a module, and pin them."""
        texts, declared, names = [], set(), []
        for i, case in enumerate(cases):
            pages = {p: bytes(self.space.read(p, 4096)) for p in (case.pc & ~4095, (case.pc & ~4095) + 4096)}
            em = RegionEmitter(self.target, case.context, Code(pages), self.tries)
            try:
                text = em.build(case.pc, case.count)
            except IsaError as e:
                print(e, case.note)
                continue
            if text is None:
                continue
            lines = text.text.replace("@region(", f"@region{i}(").split("\n")
            declared |= {line for line in lines if line.startswith("declare")}
            texts.append("\n".join(line for line in lines if not line.startswith("declare")))
            names.append((f"region{i}", case, text.entries))
        module = "\n".join([*texts, *sorted(declared), ""])
        symbols = self.engine.code.load(compile_text(module, passes=compiler.REGION_PASSES))
        for name, case, _ in names:
            self.engine.pin(self.engine.page(case.pc, case.context), case.pc, symbols[name])

    def _describe(self, tier: str, case: LawCase, want: tuple[Any, ...], got: tuple[Any, ...]) -> str:
        lines = [f"{tier}: {case.words.hex()} context {case.context}: {case.note}"]
        for (name, a), (_, b) in zip(want, got, strict=True):
            if a == b:
                continue
            if name == "memory":
                at = next(i for i in range(len(a)) if a[i] != b[i])
                lines.append(f"    memory+{at:#x}: evaluator {a[at:at + 8].hex()} native {b[at:at + 8].hex()}")
            elif isinstance(a, int) and isinstance(b, int):
                lines.append(f"    {name}: evaluator {a:#x} native {b:#x}")
            else:
                lines.append(f"    {name}: evaluator {a} native {b}")
        return "\n".join(lines)


__all__ = ["CODE", "Law", "LawCase", "ctypes"]
