"""Rows in Intel's notation: opcode column and operands of the opcode map, expanded into variants of the scanned word.

Opcode column (SDM vol. 2A, 3.1.1): `81 /2 iz`, `0F AF /r`, `66 0F 58 /r`, `NP 0F 58 /r`, `REX.W 0F C7 /1`, `50+r`, `D9 E8`,
`D8 C0+i`, `VEX.256.66.0F38.W0 18 /r` (or VEX.128, VEX.LIG, VEX.LZ; without a length: both, an axis). `ib` and the like are for
readers. Operands (vol. 2D, A.2): a letter for where, then what size: `Eb`, `Gv`, `Iz`, `Vdq`, `Wx`; also registers by name (`AL`,
`rAX`, `CL`, `DX`), `1`, `Zv` (the register in the opcode), `xmm0`.

A row's function gets `cpu`, an operand (operands.py) for each operand, and what it names of: `size` (operand size: 16, 32, 64),
`L` (vector length 128 or 256), `a67`, and raw fields of the word.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.bits import Bits, const, make, sext, zext
from xemu.core.isa import AnyField, Field, FixedWidthIsa, Place, Row, Split, Variant, _parameters
from xemu.errors import IsaError
from xemu.targets.x86.operands import (
    MEM,
    MEM67,
    OFFSET,
    REG,
    RIP,
    Immediate,
    Memory,
    Mmx,
    Operand,
    Register,
    StringElement,
    Vector,
    VectorIndexed,
    VectorMemory,
    number,
)
from xemu.targets.x86.scan import TOO_LONG, WORD
from xemu.targets.x86.state import X86Cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Fields = Mapping[str, Any]

#: in place of an opcode column: more bytes than an instruction may have
TOO_LONG_PATTERN = "too long"
#: bits of operand sizes that are always the same
SIZES = {"b": 8, "w": 16, "d": 32, "q": 64, "dq": 128, "qq": 256, "t": 80, "ss": 32, "sd": 64, "ps": 128, "pd": 128, "h": 16, "o": 128,
         "vm": 0}
NAMED = {"AL": (0, 8), "CL": (1, 8), "AX": (0, 16), "DX": (2, 16), "EAX": (0, 32), "EDX": (2, 32),
         "rAX": (0, 0), "rDX": (2, 0), "rCX": (1, 0)}
RSI, RDI = 6, 7
FORM_NAMES = {MEM: "mem", RIP: "rip", MEM67: "mem67", REG: "reg"}
MEMORY_FORMS = (MEM, RIP, MEM67)


def place(name: str) -> Place:
    """Return where a field of the word stands."""
    return Place(*WORD[name])


class Spec(NamedTuple):
    """One operand of a row: letter, size letters, or a register by name."""

    letter: str
    size: str

    @classmethod
    def of(cls, text: str) -> Spec:
        """Read "Ev"."""
        if text in NAMED or text in ("1", "xmm0"):
            return cls(text, "")
        m = re.match(r"([EGIJMROVWHUPQNBLSXYZ])([a-z]+)$", text)
        if m is None:
            msg = f"{text!r} is no operand"
            raise IsaError(msg)
        return cls(m[1], m[2])

    @property
    def may_be_memory(self) -> bool:
        """Whether ModRM may make it memory."""
        return self.letter in ("E", "M", "W", "Q")

    @property
    def sized(self) -> bool:
        """Whether the operand size decides."""
        return self.size in ("v", "z", "y") or self.letter in ("rAX", "rDX", "rCX")


class Axis(NamedTuple):
    """One way a row can be: the split's value, and the fixed bits that say so."""

    value: int
    mask: int
    bits: int


def bit(name: str, value: int, width: int | None = None) -> tuple[int, int]:
    """Return (mask, value) of a field that has a value (its low `width` bits)."""
    p = place(name)
    return ((1 << (width or p.width)) - 1) << p.shift, value << p.shift


def axis(value: int, **fields: int) -> Axis:
    """Return an axis point."""
    mask = bits = 0
    for name, v in fields.items():
        m, b = bit(name, v)
        mask, bits = mask | m, bits | b
    return Axis(value, mask, bits)


@dataclass(eq=False)
class X86Row(Row):
    """A row: what it does to operands, and the axes along which it varies."""

    specs: tuple[Spec, ...] = ()
    axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    extra: tuple[str, ...] = ()              # parameters after the operands
    lockable: bool = False
    vex: bool = False
    aligned: bool = False                    # a memory operand of 16 or 32 bytes

    def variants(self) -> Iterable[Variant]:
        """Yield the row for each combination of its axes."""
        for combo in itertools.product(*self.axes.values()):
            mask, value = self.mask, self.value
            possible = True
            for point in combo:
                possible = possible and (value ^ point.bits) & mask & point.mask == 0
                mask, value = mask | point.mask, value | point.bits
            splits = {name: point.value for name, point in zip(self.axes, combo, strict=True)}
            if possible and not (splits.get("lock") and splits.get("form") == REG):
                yield Variant(self, mask, value, splits, frozenset(), self.excludes)

    def call(self, cpu: X86Cpu, **fields: Any) -> None:
        """Run the row's function on operands made of the word's fields."""
        operands = [self.operand(cpu, spec, fields) for spec in self.specs]
        self.body(cpu, *operands, **{name: fields[name] for name in self.extra})

    body: Callable[..., None] = lambda *_: None
    original: Callable[..., None] = lambda *_: None

    @property
    def written(self) -> Callable[..., None]:
        """Return the function as it stands in the source."""
        return self.original

    def width(self, spec: Spec, f: Fields) -> int:
        """Return the width of an operand in bits."""
        size = f.get("size", 0)
        match spec.size:
            case "v" | "": return int(size)
            case "z": return min(int(size), 32)
            case "y": return max(int(size), 32)
            case "x": return int(f.get("L", 128))
            case "ps" | "pd": return int(f.get("L", 128))
            case _: return SIZES[spec.size]

    def operand(self, cpu: X86Cpu, spec: Spec, f: Fields) -> Operand:
        """Return an operand."""
        letter = spec.letter
        if letter in NAMED:
            reg, width = NAMED[letter]
            return Register(cpu, const(reg, 8), width or int(f["size"]))
        if letter == "1":
            return Immediate(const(1, 8))
        if letter == "xmm0":
            return Vector(cpu, const(0, 8), 128, vex=False)
        width = self.width(spec, f)
        memory = f.get("form", REG) != REG
        match letter:
            case "M" if spec.size == "vm":
                return VectorIndexed(cpu, f)
            case "W" | "M" if memory and (letter == "W" or (width >= 128 and not self.lockable)):
                return VectorMemory(cpu, f, width, align=width // 8 if self.aligned and width >= 128 else 1)
            case "E" | "M" if memory:
                return Memory(cpu, f, width, lock=f.get("lock", 0))
            case "Q" if memory:
                return Memory(cpu, f, width)
            case "E" | "R" | "Z":
                return Register(cpu, number(f["base"]), width, f["rex"] if width == 8 else 1)
            case "G":
                return Register(cpu, number(f["reg"]), width, f["rex"] if width == 8 else 1)
            case "B":
                return Register(cpu, number(f["vvvv"]), width)
            case "I":
                return Immediate(self.immediate(spec, f))
            case "J":
                return Immediate(sext(f["imm"][7 if spec.size == "b" else min(f["size"], 32) - 1:0], cpu.bits))
            case "X" | "Y":
                return StringElement(cpu, RSI if letter == "X" else RDI, width, f["a67"], f if letter == "X" else None)
            case "O":
                return Memory(cpu, {**f, "form": OFFSET}, width)
            case "V":
                return Vector(cpu, number(f["reg"]), width, vex=self.vex)
            case "W" | "U":
                return Vector(cpu, number(f["base"]), width, vex=self.vex)
            case "H":
                return Vector(cpu, number(f["vvvv"]), width, vex=self.vex)
            case "L":
                return Vector(cpu, zext(f["imm"][7:4] if cpu.context.L else f["imm"][6:4], 8), width, vex=self.vex)
            case "P":
                return Mmx(cpu, number(f["reg"]))
            case "Q" | "N":
                return Mmx(cpu, number(f["base"]))
            case _:
                return Immediate(number(f["reg"]))                 # S: a segment register's number

    def immediate(self, spec: Spec, f: Fields) -> Bits:
        """Return an immediate, sign-extended to the operand size where it is shorter (SDM vol. 2A, 2.2.1.5)."""
        size = int(f.get("size", 0))
        imm: Bits = f["imm"]
        match spec.size:
            case "b": return sext(imm[7:0], size) if size else imm[7:0]
            case "w": return imm[15:0]
            case "z": return imm[15:0] if size == 16 else sext(imm, size)
            case "v":
                return f["imm64"] if size == 64 else imm[size - 1:0]
            case _: return imm


class X86Isa(FixedWidthIsa):
    """The rows of x86."""

    def length(self, word: int) -> int:
        """Return the length of an instruction in bytes."""
        shift, width = WORD["length"]
        return word >> shift & ((1 << width) - 1)

    def handler_length(self) -> Bits:
        """Return the length as a field of the word."""
        shift, width = WORD["length"]
        return make("field", width, (), (shift, width))

    def __call__(self, pattern: str, template: str = "", **how: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Register a row for the decorated function; see `row`."""
        def register(function: Callable[..., None]) -> Callable[..., None]:
            self.row(function, pattern, template, **how)
            return function
        return register

    def row(self, function: Callable[..., None], pattern: str, template: str = "", *, lock: bool = False, mode: int = 0, sizes: str = "",
            stack: bool = False, near: bool = False, repeat: bool = False, align: int | None = None, name: str = "", features: str = "",
            where: Mapping[str, int] | None = None,
            **bound: Any) -> X86Row:
        """Register a row.

        `lock`: LOCK is allowed with a memory destination. `mode`: 32 or 64, the mode in which it exists (default both). `sizes`:
        "v" or "y": the operand size varies although no operand shows it. `stack`: the operand size is 64 in 64-bit mode, or 16.
        `near`: it is 64 in 64-bit mode always (SDM vol. 2A, near branches). `repeat`: with a repeat prefix it is another variant.
        `align` 1: a memory operand of 16 bytes need not be aligned (default of VEX forms); 16: it must be, one of 32 bytes to 32
        (default of legacy forms). `where`: more fields that must have a value. `bound`
        arguments are passed on.
        """
        code = getattr(function, "__code__", None)
        source = f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno}" if code else "?"
        mnemonic, _, rest = template.partition(" ")
        try:
            specs = tuple(Spec.of(w.strip()) for w in rest.split(",") if w.strip())
        except IsaError as e:
            msg = f"{source}: {pattern} {template}: {e}"
            raise IsaError(msg) from None
        parsed = Opcode(pattern, source)
        if parsed.vex and not any(spec.letter in ("H", "B") for spec in specs):
            parsed.fix("vvvv", 0)
        mask, value = parsed.mask, parsed.value
        for n, v in (where or {}).items():
            m, b = bit(n, v)
            mask, value = mask | m, value | b
        if mode:
            m, b = bit("mode64", int(mode == 64))
            mask, value = mask | m, value | b
        base = f"{self.name}.{name or mnemonic or getattr(function, '__name__', 'row')}"
        same = self._names[base] = self._names.get(base, 0) + 1
        names, optional = _parameters(function)
        row = X86Row(self, base if same == 1 else f"{base}#{same}", function, pattern, template, {}, mask, value, (), {}, features, source,
                     specs=specs, lockable=lock, vex=parsed.vex, aligned=align != 1 if align else not parsed.vex)
        row.extra = tuple(n for n in names[len(specs):] if n not in bound and n not in optional)
        if bound:
            def body(cpu: X86Cpu, *operands: Operand, **fields: Any) -> None:
                function(cpu, *operands, **fields, **bound)
            body.__doc__ = function.__doc__
            row.body = body
        else:
            row.body = function
        row.axes = self._axes(row, parsed, sizes=sizes, stack=stack, near=near)
        if repeat:
            row.axes["rep"] = REPEATS
        row.places = dict(PLACES)
        row.parameters = self._used(row)
        row.function, row.original = row.call, function
        self.rows.append(row)
        return row

    def _axes(self, row: X86Row, parsed: Opcode, *, sizes: str, stack: bool, near: bool) -> dict[str, tuple[Axis, ...]]:
        axes: dict[str, tuple[Axis, ...]] = {}
        accumulator = any(s.letter in ("rAX", "rDX", "rCX") for s in row.specs)
        kinds = {s.size for s in row.specs if s.letter != "J"} | set(sizes) | ({"v"} if accumulator else set())
        if stack:
            axes["size"] = (axis(64, mode64=1, op66=0), axis(64, mode64=1, op66=1, W=1), axis(16, mode64=1, op66=1, W=0),
                            axis(32, mode64=0, op66=0), axis(16, mode64=0, op66=1))
        elif near or any(s.letter == "J" for s in row.specs):
            axes["size"] = (axis(64, mode64=1), axis(32, mode64=0, op66=0), axis(16, mode64=0, op66=1))
        elif kinds & {"v", "z", "y"} and parsed.vex:                           # outside 64-bit mode VEX.W does not count
            axes["size"] = (axis(32, W=0), axis(64, W=1, mode64=1), axis(32, W=1, mode64=0))
        elif kinds & {"v", "z"}:
            axes["size"] = (axis(16, op66=1, W=0), axis(32, op66=0, W=0), axis(64, W=1))
        elif "y" in kinds:
            axes["size"] = (axis(32, W=0), axis(64, W=1))
        letters = {s.letter for s in row.specs}
        if "M" in letters:
            axes["form"] = tuple(axis(f, form=f) for f in MEMORY_FORMS)
        elif any(s.may_be_memory for s in row.specs):
            axes["form"] = tuple(axis(f, form=f) for f in (*MEMORY_FORMS, REG))
        elif letters & {"R", "U", "N"}:
            axes["form"] = (axis(REG, form=REG),)
        if parsed.vex and (kinds & {"x", "ps", "pd"}) and not parsed.length:
            axes["L"] = (axis(128, L=0), axis(256, L=1))
        elif parsed.vex and parsed.length:
            axes["L"] = (axis(parsed.length),)
        if "O" in letters:
            axes["a67"] = (axis(0, a67=0), axis(1, a67=1))
        axes["lock"] = (axis(0, lock=0), axis(1, lock=1)) if row.lockable else (axis(0, lock=0),)
        return axes

    def _used(self, row: X86Row) -> tuple[str, ...]:
        """Return the fields that a row's operands are made of."""
        used = dict.fromkeys([*row.axes, *row.extra])
        for s in row.specs:
            used.update(dict.fromkeys(OPERAND_FIELDS.get(s.letter, ())))
        return tuple(used)

    @cached_property
    def by_mnemonic(self) -> dict[str, list[X86Row]]:
        """Return the rows by mnemonic."""
        out: dict[str, list[X86Row]] = {}
        for row in self.rows:
            assert isinstance(row, X86Row)
            out.setdefault(row.template.partition(" ")[0], []).append(row)
        return out


REPEATS = (axis(0, rep=0), axis(2, rep=2), axis(3, rep=3))
ADDRESS = ("base", "index", "scale", "disp", "seg", "a67")
OPERAND_FIELDS = {
    "E": (*ADDRESS, "rex"), "M": ADDRESS, "W": ADDRESS, "Q": ADDRESS, "R": ("base", "rex"), "Z": ("base", "rex"), "G": ("reg", "rex"),
    "B": ("vvvv",), "I": ("imm", "imm64"), "J": ("imm",), "O": ("imm", "imm64", "seg"), "V": ("reg",), "U": ("base",), "H": ("vvvv",),
    "L": ("imm",), "P": ("reg",), "N": ("base",), "S": ("reg",), "X": ("a67", "seg"), "Y": ("a67",),
}
PLACES = {name: Place(*f) for name, f in WORD.items()}


class Opcode:
    """An opcode column, read: fixed bits of the word."""

    def __init__(self, pattern: str, source: str) -> None:
        self.pattern, self.source = pattern, source
        self.mask = self.value = 0
        self.vex, self.length = False, 0
        words = pattern.split()
        if pattern == TOO_LONG_PATTERN:
            self.fix("odd", TOO_LONG)
            return
        self.fix("odd", 0)
        if words[0].startswith("VEX"):
            self._vex(words.pop(0))
        else:
            self.fix("vex", 0)
            words = self._legacy(words)
        self._opcode(words)

    def fix(self, name: str, value: int, width: int | None = None, shift: int = 0) -> None:
        """Fix a field (or `width` bits of it from `shift`)."""
        p = place(name)
        self.mask |= ((1 << (width or p.width)) - 1) << p.shift + shift
        self.value |= value << p.shift + shift

    def refuse(self, word: str) -> None:
        """Raise for a word that means nothing."""
        msg = f"{self.source}: {word!r} in {self.pattern!r} is nothing that an opcode column has"
        raise IsaError(msg)

    def _vex(self, word: str) -> None:
        self.vex = True
        self.fix("vex", 1)
        prefix = 0
        for part in word.split(".")[1:]:
            match part:
                case "128" | "256":
                    self.length = int(part)
                    self.fix("L", int(part == "256"))
                case "LZ" | "L0":
                    self.length = 128
                    self.fix("L", 0)
                case "LIG":
                    self.length = 128
                case "66" | "F2" | "F3": prefix = int(part, 16)
                case "NP" | "NDS" | "NDD" | "WIG": pass
                case "0F": self.fix("map", 1)
                case "0F38": self.fix("map", 2)
                case "0F3A": self.fix("map", 3)
                case "W0" | "W1": self.fix("W", int(part[1]))
                case _: self.refuse(part)
        self.fix("op66", int(prefix == 0x66))
        self.fix("rep", {0xF2: 2, 0xF3: 3}.get(prefix, 0))

    def _legacy(self, words: list[str]) -> list[str]:
        """Read prefixes and escapes."""
        while words:
            word = words[0]
            if word == "NP":
                self.fix("op66", 0)
                self.fix("rep", 0)
            elif word == "66":
                self.fix("op66", 1)
                self.fix("rep", 0)
            elif word in ("F2", "F3") and len(words) > 1 and not words[1].startswith("/"):
                self.fix("rep", 2 if word == "F2" else 3)
            elif word in ("REX.W", "REX.0"):
                self.fix("W", int(word == "REX.W"))
            else:
                break
            words = words[1:]
        opmap = 0
        if words[0] == "0F":
            opmap, words = 1, words[1:]
            if words[0] in ("38", "3A") and len(words) > 1 and re.match(r"[0-9A-F]{2}(\+\w)?$", words[1]):
                opmap, words = 2 + (words[0] == "3A"), words[1:]
        self.fix("map", opmap)
        return words

    def _opcode(self, words: list[str]) -> None:
        """Read the opcode itself, a fixed ModRM byte, /digit."""
        seen = 0
        for word in words:
            m = re.match(r"([0-9A-F]{2})(\+[ri])?$", word)
            if m and not seen:
                number = int(m[1], 16)
                if m[2]:
                    self.fix("opcode", number >> 3, 5, 3)
                else:
                    self.fix("opcode", number)
                seen = 1
            elif m:
                modrm = int(m[1], 16)
                self.fix("form", REG)
                self.fix("reg", modrm >> 3 & 7, 3)
                if not m[2]:
                    self.fix("base", modrm & 7, 3)
            elif re.match(r"/[0-7]$", word):
                self.fix("reg", int(word[1]), 3)
            elif word not in ("/r", "ib", "iw", "iz", "iv", "cb", "cz", "cp", "/is4", "imm8"):
                self.refuse(word)
        if not seen:
            self.refuse(self.pattern)


FIELDS: dict[str, AnyField] = {
    **{name: Field(f.width) for name, f in WORD.items()},
    "size": Split(2), "form": Split(2), "L": Split(2), "lock": Split(1), "mode": Split(1),
}
x86 = X86Isa("x86", 128, FIELDS, cpu=X86Cpu)
