"""`xemu decode`: one instruction under the microscope: row, fields, assembly, effects, and the LLVM text of both stages."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, help_text, number, parse
from xemu.errors import IsaError, UsageError
from xemu.targets.arm.layout import FPV5_DP, V6M, V7EM, MContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.bits import Bits
    from xemu.core.decoder import Decoded, Tries
    from xemu.core.isa import Row
    from xemu.core.record import Effect, Recorder
    from xemu.core.state import Cell, StateLayout
    from xemu.core.target import IsaSet, Target

USAGE = """usage: xemu decode [OPTIONS] ARCH BYTES

ARCH is {}. BYTES are hexadecimal, as they lie in memory (`xemu decode arm 020091e0`), or, with 0x in front,
the word a manual shows (`xemu decode arm 0xe0910002`, `xemu decode thumb 0xf04f0001`)."""

#: ARCH -> (target, context word)
ARCHITECTURES = {
    "arm": ("arm", 0), "thumb": ("arm", 1), "v6-m": ("arm-m", MContext(STRICT=1, ARCH=V6M).word), "v7-m": ("arm-m", MContext().word),
    "v7e-m": ("arm-m", MContext(ARCH=V7EM, FPU=FPV5_DP).word), "x86_64": ("x86_64", 0), "i386": ("i386", 0),
    "ppc": ("ppc", 0), "ppc64le": ("ppc64le", 0),
}
PAGE = 4096
SHOWN = {"all": ("handler", "region"), "none": (), "handler": ("handler",), "region": ("region",)}


def _shown(text: str) -> tuple[str, ...]:
    if text not in SHOWN:
        raise ValueError(text)
    return SHOWN[text]


OPTIONS = (
    Option("--ir", "all|none|handler|region", "which LLVM text to print (all)", read=_shown),
    Option("--pc", "ADDRESS", "where the instruction stands (0x10000)", read=number),
    Option("--guard", "NUMBER", "ITSTATE in front of the instruction, for thumb (0: not in an IT block)", read=number),
    Option("-h --help", None, "show this"),
)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code: 1 where no row has this encoding."""
    values, words = _read(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE.format(" or ".join(ARCHITECTURES)), OPTIONS))
        return 0
    target, context = _architecture(words[0])
    scope = Microscope(target, context, values.get("pc", 0x10000), values.get("guard", 0))
    data = scope.bytes_of("".join(words[1:]))
    decoded = scope.decode(data)
    if decoded is not None and decoded.length != len(data):
        raise UsageError(f"{data.hex(' ')}: {len(data)} bytes given, the instruction has {decoded.length}")
    if decoded is None:
        sys.stderr.write(f"xemu: {words[0]}: no row has the encoding {data.hex(' ')} ({scope.disassembly(data)})\n")
        return 1
    lines = [*scope.summary(decoded, data), "", *scope.effects(decoded)]
    for stage in values.get("ir", SHOWN["all"]):
        lines += ["", *getattr(scope, stage)(decoded)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _read(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Parse options in front of, between and behind the words; UsageError."""
    values, rest = parse(OPTIONS, arguments)
    words: list[str] = []
    while rest:
        words.append(rest.pop(0))
        more, rest = parse(OPTIONS, rest)
        values |= more
    if len(words) < 2 and not values.get("help"):
        raise UsageError("an architecture and the bytes of an instruction are needed: xemu decode arm 020091e0")
    return values, words


def _architecture(name: str) -> tuple[Target, int]:
    from xemu.targets.registry import get_target

    if name not in ARCHITECTURES:
        raise UsageError(f"no architecture '{name}'; there are: {', '.join(ARCHITECTURES)}")
    target, context = ARCHITECTURES[name]
    return get_target(target), context


class Microscope:
    """One instruction of one target at one address."""

    def __init__(self, target: Target, context: int, pc: int, guard: int) -> None:
        self.target, self.context, self.pc, self.guard = target, context, pc, guard
        self.iset: IsaSet = target.iset(context)
        self.unit = self.iset.bits[0] // 8
        self.data = b""
        if pc % self.unit or not 0 <= pc < 1 << target.address_bits:
            raise UsageError(f"--pc {pc:#x}: instructions of {self.iset.name} stand at multiples of {self.unit}")
        if guard and not self.iset.guard:
            raise UsageError(f"--guard: {self.iset.name} has none")
        if not 0 <= guard < 256:
            raise UsageError(f"--guard {guard:#x}: not a byte")

    # -- the encoding --------------------------------------------------------------------------------------------------
    def bytes_of(self, text: str) -> bytes:
        """Return the bytes of the instruction as they lie in memory; UsageError."""
        word = text.lower().startswith("0x")
        digits = text[2:] if word else text
        try:
            data = bytes.fromhex(digits.zfill(-(-len(digits) // (2 * self.unit)) * 2 * self.unit) if word else digits)
        except ValueError:
            raise UsageError(f"{text}: not pairs of hexadecimal digits") from None
        if word and not self.iset.big:
            data = b"".join(data[i : i + self.unit][::-1] for i in range(0, len(data), self.unit))
        self._check_length(data)
        return data

    def _check_length(self, data: bytes) -> None:
        if self.iset.scan:
            return
        first = int.from_bytes(data[: self.unit], "big" if self.iset.big else "little")
        size = self.iset.bits[-1 if self.iset.wide_from and first >= self.iset.wide_from else 0] // 8
        if len(data) != size:
            raise UsageError(f"{data.hex(' ') or 'nothing'}: {len(data)} bytes given, the instruction has {size}")

    def decode(self, data: bytes) -> Decoded | None:
        """Find the row with the decoder that the compiler uses."""
        from xemu.core.region import Discovery

        self.target.load_rows()
        self.data = data
        return Discovery(self.target, self.context, self._code(), self.tries).decode(self.pc, self.guard)

    def _code(self) -> Any:
        from xemu.core.region import Code

        page = self.pc & -PAGE
        both = bytes(self.pc - page) + self.data
        both += bytes(2 * PAGE - len(both))
        return Code({page: both[:PAGE], page + PAGE: both[PAGE:]})

    @cached_property
    def tries(self) -> Tries:
        """The decode tables, from the cache where a run has left them there."""
        from xemu.core import decoder
        from xemu.core.cache import Cache

        return decoder.tries(self.target, Cache(self.target))

    def disassembly(self, data: bytes, decoded: Decoded | None = None) -> str:
        """Return the assembly text in capstone's words; of an instruction that capstone does not know, in its row's."""
        try:
            import capstone
        except ImportError:
            return "capstone is not installed"
        engine = capstone.Cs(*self.target.capstone(self.context))
        found = next(engine.disasm_lite(data, self.pc), None)
        mask, value = self.target.misread
        if found is not None and (decoded is None or decoded.word & mask != value):
            return f"{found[2]} {found[3]}".strip()
        if decoded is None or self.target.assembly is None:
            return "capstone does not know it either"
        why = "capstone does not know it" if found is None else f"not {found[2]}, as capstone has it"
        return f"{self.target.assembly(decoded.variant.row, decoded.word, self.pc)}  ({why})"

    # -- what the row says ---------------------------------------------------------------------------------------------
    def summary(self, d: Decoded, data: bytes) -> list[str]:
        """Return row, diagram, title, fields, assembly and variant."""
        row, variant = d.variant.row, d.variant
        code = row.written.__code__
        number = f"{variant.index} of {len(row.isa.variants)} in {row.isa.name}, one of {sum(1 for _ in row.variants())} of this row"
        place = _in_package(code.co_filename)
        rows = [
            ("bytes", f"{data.hex(' ')}  word {d.word & ((1 << row.isa.bits) - 1):0{row.isa.bits // 4}x}  at {self.pc:#x}"),
            ("row", f"{row.name}  {place.rpartition('/')[0]}/{row.source}"),
            ("body", f"{row.written.__name__}  {place}:{code.co_firstlineno}"),
            ("title", (row.written.__doc__ or "").strip().split("\n")[0]),
            *([("opcode", row.pattern)] if self.iset.scan else zip(("diagram", ""), diagram(row, d.word), strict=True)),
            ("assembly", self.disassembly(data, d)),
            ("template", row.template),
            *([("", self.target.assembly(row, d.word, self.pc))] if self.target.assembly else ()),
            *fields(d),
            ("variant", f"{variant.name}  {number}"),
        ]
        return [f"{name:10}{text}".rstrip() for name, text in rows]

    def effects(self, d: Decoded) -> list[str]:
        """Return what the evaluator executes: one node, effect or register write on each line."""
        from xemu.core.bits import const, new_graph
        from xemu.core.instruction import ALWAYS, condition_of
        from xemu.core.isa import stage
        from xemu.core.record import set_current

        t, row, number = self.target, d.variant.row, condition_of(d)
        listing = Listing(t.layout)
        new_graph()
        cpu = row.isa.cpu(t.layout, const(self.pc, t.address_bits), d.length, t.context(self.context))
        set_current(cpu)
        if number != ALWAYS:
            listing.add("condition", self.iset.condition(cpu, number), f"(number {number}; the rest happens where it is 1)")
        if self.guard & 15:
            cell = t.layout.cells[self.iset.guard]
            listing.add(f"write {cell.name} =", self.iset.advance(cpu, const(self.guard, cell.width)))
        set_current(None)
        listing.staged(stage(d.variant, d.word, self.pc, t.context(self.context), t.layout, address_bits=t.address_bits, fresh=False))
        return ["evaluator", *(listing.lines or ["  nothing"])]

    # -- native code ---------------------------------------------------------------------------------------------------
    def handler(self, d: Decoded) -> list[str]:
        """Return the handler's LLVM text and that of its operand extraction."""
        from xemu.core.handlers import Extraction, handler_text

        t, extraction = self.target, Extraction()
        try:
            geometry = self.iset.geometry
            found = handler_text(d.variant, t.context(self.context), t.layout, geometry, extraction, tracing=False,
                                 address_bits=t.address_bits)
        except (IsaError, NotImplementedError) as error:
            return [f"handler: none, the evaluator executes it: {error}"]
        return ["handler", *f"{found.text}{extraction.text()}".rstrip().split("\n")]

    def region(self, d: Decoded) -> list[str]:
        """Return the LLVM text of a region of this one instruction."""
        from xemu.core.region import RegionEmitter

        if d.guard & 15:
            return ["region: none; no region begins inside an IT block"]
        try:
            found = RegionEmitter(self.target, self.context, self._code(), self.tries).build(self.pc, 1)
        except IsaError as error:
            return [f"region: none: {error}"]
        if found is None:
            return ["region: none; regions leave this instruction to its handler"]
        return ["region", *found.text.rstrip().split("\n")]


# -- pieces of the summary ---------------------------------------------------------------------------------------------


def _in_package(file: str) -> str:
    """Return a source file's place from the package's directory on."""
    parts = file.replace("\\", "/").split("/")
    last = len(parts) - 1 - parts[::-1].index("xemu") if "xemu" in parts else -1
    return "/".join(parts[last:])


def diagram(row: Row, word: int) -> tuple[str, str]:
    """Return the diagram and, below it, the bits of the word."""
    from xemu.core.isa import TOKEN

    names, bits, at = [], [], row.isa.bits
    for token in row.pattern.split():
        m = TOKEN.match(token)
        assert m is not None, token
        width = 1 if m["should"] else len(token)
        if m["name"] or m["opcode"]:
            width = row.places[m["name"]].width if m["name"] else int(m["opwidth"])
        at -= width
        piece = f"{word >> at & ((1 << width) - 1):0{width}b}"
        column = max(len(token), width)
        names.append(token.ljust(column))
        bits.append(piece.ljust(column))
    return " ".join(names).rstrip(), " ".join(bits).rstrip()


def fields(d: Decoded) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) for the arguments of the row's function."""
    from xemu.core.isa import Reg, Split

    row, heading = d.variant.row, "fields"
    for name in row.parameters:
        if name in d.variant.splits and name not in row.places:              # what a row of many sizes is here
            yield heading, f"{name:12} {d.variant.splits[name]:<6} split"
            heading = ""
            continue
        value = width = 0
        parts = row.raw_places(name)
        for _, place in parts:
            value = value << place.width | (d.word >> place.shift & ((1 << place.width) - 1))
            width += place.width
        kind = {Split: "split", Reg: "register"}.get(type(row.field(name)), f"{value:#x}, {width} bit{'s' * (width > 1)}")
        joined = f" = {':'.join(n for n, _ in parts)}" if len(parts) > 1 else ""
        yield heading, f"{name + joined:12} {value:<6} {kind}"
        heading = ""
    for name, bound in row.bound.items():
        yield heading, f"{name:12} {getattr(bound, 'name', bound)!s:6} fixed by the row"
        heading = ""


class Listing:
    """Nodes of a staging as text: each on its line, numbered in order of appearance, before what uses it."""

    def __init__(self, layout: StateLayout) -> None:
        self.layout = layout
        self.lines: list[str] = []
        self.names: dict[int, str] = {}

    def name(self, node: Bits) -> str:
        """Return a node's name; print it first if it is new."""
        if node.op == "const":
            return f"{node.attr:#x}"
        if node.id not in self.names:
            text = self._text(node)
            self._put(node, text)
        return self.names[node.id]

    def _put(self, node: Bits, text: str, after: str = "") -> None:
        self.names[node.id] = f"v{len(self.names) + 1}"
        self.lines.append(f"  {self.names[node.id]}:{node.width} = {text}{after}".rstrip())

    def _text(self, node: Bits) -> str:
        args = [self.name(a) for a in node.args]
        if node.op == "read":
            name, index = node.attr
            return f"read {self._register(self.layout.cells[name], args[0] if index is None else index)}"
        if node.op == "slice":
            return f"{args[0]}[{node.attr + node.width - 1}:{node.attr}]"
        attr = "" if node.attr is None or node.op in ("load", "slot", "hostflags") else f"[{_attribute(node.attr)}]"
        return f"{node.op}{attr} {', '.join(args)}".rstrip()

    def _register(self, cell: Cell, index: int | str) -> str:
        return f"{cell.name}[{index}]" if cell.count > 1 else cell.name

    def add(self, head: str, node: Bits | None, tail: str = "") -> None:
        """Print a line about a node."""
        text = self.name(node) if node is not None else ""
        self.lines.append("  " + " ".join(filter(None, (head, text, tail))))

    def staged(self, cpu: Recorder) -> None:
        """Print everything an instruction does: effects in their order, branches, traps, then register writes."""
        for effect in [*cpu.effects, *cpu.branches, *cpu.traps, *cpu.writes]:
            when = f"when {self.name(effect.pred)}" if effect.pred is not None else ""
            self._effect(effect, when)

    def _effect(self, effect: Effect, when: str) -> None:
        from xemu.core.record import Abort, Branch, CompareStore, Load, OnFault, Probe, Raise, Store, Trap, Write

        match effect:
            case Load():
                how = _how(effect.align, "" if effect.checked else "unchecked", when)
                self._put(effect.result, f"load {effect.size} bytes at {self.name(effect.addr)}", f" {how}")
            case Store():
                how = _how(effect.align, "" if effect.checked else "unchecked", when)
                self.add(f"store {effect.size} bytes at {self.name(effect.addr)} =", effect.value, how)
            case CompareStore():
                text = f"compare with {self.name(effect.expected)} and store {self.name(effect.value)} at {self.name(effect.addr)}"
                self._put(effect.result, text, f" {when}")
            case Probe():
                size = effect.size if isinstance(effect.size, int) else self.name(effect.size)
                how = _how(effect.align, "for writing" if effect.write else "for reading", when)
                self.add(f"probe {size} bytes at", effect.addr, how)
            case Abort():
                self.add(f"abort {effect.kind}", effect.number, when)
            case OnFault():
                for w in effect.writes:
                    self._effect(w, "if a later access faults")
            case Raise():
                self.add("raise", effect.node, when)
            case Branch():
                context = f"context {self.name(effect.context)}" if effect.context is not None else ""
                self.add(f"branch ({effect.kind})", effect.target, f"{context} {when}".strip())
            case Trap():
                self.add(f"trap {effect.kind}", effect.number, when)
            case Write():
                index = effect.index if isinstance(effect.index, int) else self.name(effect.index)
                self.add(f"write {self._register(effect.cell, index)} =", effect.value, when)


def _how(align: int, *words: str) -> str:
    return " ".join(filter(None, [f"aligned to {align}" if align > 1 else "", *words]))


def _attribute(attr: Any) -> str:
    return " ".join(map(str, attr)) if isinstance(attr, tuple) else str(attr)
