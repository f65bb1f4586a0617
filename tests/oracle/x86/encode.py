"""Encodings of a row: its opcode column and operands in Intel's notation become bytes, with every form of ModRM and SIB.

An encoding also says where it points (`Pointer`): a state must then put base and index so that the address is a chosen one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tests.oracle import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.oracle.x86.state import State

MANDATORY: Final = {"66", "F2", "F3"}
IMMEDIATE: Final = re.compile(r"(ib|iw|id|iz|iv|iq|io|cb|cw|cd|cz|mo|moffs|is4|cp)$")
MEMORY_ONLY: Final = ("M", "X", "Y")
REGISTER_ONLY: Final = ("R", "U", "N")
EITHER: Final = ("E", "W", "Q")
BASE16: Final = ((3, 6), (3, 7), (5, 6), (5, 7), (6, None), (7, None), (5, None), (3, None))
SIZE_PREFIX_FITS: Final = re.compile(r"[vz]$")       # operands whose size an operand-size prefix changes
IMMEDIATES: Final = {"Ib": "ib", "Iw": "iw", "Iz": "iz", "Iv": "iv", "Id": "id", "Jb": "cb", "Jz": "cz", "Ob": "mo", "Ov": "mo",
                     "Lx": "ib", "Ldq": "ib"}
RSP, RBP, RIP_RELATIVE = 4, 5, -1


@dataclass(frozen=True)
class Form:
    """One line of a row: "81 /2 iz" and "adc Ev, Iz"."""

    column: str
    text: str
    lock: bool = False
    name: str = ""
    modes: tuple[int, ...] = (64, 32)
    sized: bool = False               # its operand size varies, though no operand shows it
    repeat: int = 0                   # F2 or F3, where the column does not show it

    def only(self, bits: int) -> Form:
        """Return the form in one mode."""
        return replace(self, modes=(bits,))

    @property
    def mnemonic(self) -> str:
        """Return the first word of the text."""
        return self.text.split()[0]

    @property
    def operands(self) -> list[str]:
        """Return the operands, "Ev", "Iz" …"""
        return [word.strip() for word in self.text.partition(" ")[2].split(",") if word.strip()]


@dataclass
class Parsed:
    """An opcode column in parts."""

    prefix: str = ""                  # mandatory prefix
    vex: list[str] = field(default_factory=list)
    rex_w: bool | None = None
    opcode: bytes = b""
    plus: bool = False                # the last opcode byte has a register in its low bits
    modrm: str = ""                   # "r" or a digit
    immediates: list[str] = field(default_factory=list)


def parse(column: str) -> Parsed:
    """Read an opcode column. Raises ValueError for what it does not know."""
    out = Parsed()
    for token in column.replace("+ r", "+r").split():
        if re.fullmatch(r"[0-9A-F]{2}", token):
            if token in MANDATORY and not (out.opcode or out.prefix or out.vex):
                out.prefix = token
            else:
                out.opcode += bytes.fromhex(token)
        elif match := re.fullmatch(r"([0-9A-F]{2})\+(r[bwdov]?|i|cc)", token):
            out.opcode += bytes.fromhex(match[1])
            out.plus = True
        elif token.startswith("VEX."):
            out.vex = token.split(".")[1:]
        elif match := re.fullmatch(r"/([r0-7])", token):
            out.modrm = match[1]
        elif IMMEDIATE.fullmatch(token):
            out.immediates.append(token)
        elif token in ("REX.W", "REX.W1"):
            out.rex_w = True
        elif token in ("REX.W0", "REX.0"):
            out.rex_w = False
        elif token in ("/is4", "imm8"):
            out.immediates.append("ib")
        elif token not in ("NP", "NFx"):
            msg = f"{token!r} in the opcode column {column!r}"
            raise ValueError(msg)
    return out


@dataclass
class Pointer:
    """Where a memory operand points: base and index registers (None: none), scale, displacement, width of addresses."""

    base: int | None
    index: int | None
    scale: int
    disp: int
    width: int
    segment: str = ""
    vector: bool = False              # the index is a vector register

    def place(self, state: State, target: int, end: int, rng: Random) -> int:
        """Change base and index so that the operand is at `target` if that can be; return where it is."""
        mask = (1 << self.width) - 1
        origin = {"fs": state.fs_base, "gs": state.gs_base}.get(self.segment, 0)
        wanted = target - origin - self.disp
        if self.base == RIP_RELATIVE:
            return origin + self.disp + end & (1 << 64) - 1
        index = None if self.vector else self.index
        if index is not None and index != self.base and rng.random() < 0.8:
            state.r[index] = rng.choice((0, 1, -1, rng.randrange(-300, 300), rng.getrandbits(64))) & mask
        if self.base is None:
            if index is not None:
                state.r[index] = (wanted >> self.scale) & mask
        elif index == self.base:
            state.r[index] = wanted // (1 + (1 << self.scale)) & mask
        else:
            times = state.r[index] << self.scale if index is not None else 0
            state.r[self.base] = wanted - times & mask
        return self.address(state, end)

    def address(self, state: State, end: int) -> int:
        """Return the address of the operand."""
        origin = {"fs": state.fs_base, "gs": state.gs_base}.get(self.segment, 0)
        total = self.disp
        if self.base == RIP_RELATIVE:
            total += end
        elif self.base is not None:
            total += state.r[self.base]
        if self.index is not None and not self.vector:
            total += state.r[self.index] << self.scale
        return origin + (total & (1 << self.width) - 1) & (1 << 64) - 1


@dataclass
class Encoding:
    """Bytes and what they point to."""

    code: bytes
    pointer: Pointer | None = None


class Encoder:
    """Makes random encodings of one form in one mode."""

    def __init__(self, form: Form, bits: int, rng: Random) -> None:
        self.form, self.bits, self.rng = form, bits, rng
        self.parsed = parse(form.column)
        self.letters = [operand[0] for operand in form.operands]
        self.sizes = [operand[1:] for operand in form.operands]
        if not self.parsed.immediates:            # the column may leave them to the operands
            self.parsed.immediates = [IMMEDIATES[word] for word in form.operands if word in IMMEDIATES]

    def chance(self, probability: float) -> bool:
        """Return true sometimes."""
        return self.rng.random() < probability

    def encode(self, at: int, target: int, bases: Mapping[str, int]) -> Encoding:
        """Return an encoding to stand at `at`; what has a fixed address points to `target`. `bases`: of the segments fs and gs."""
        rng, p, bits = self.rng, self.parsed, self.bits
        legacy, segment = b"", ""
        has_modrm = bool(p.modrm)
        self.rex_of_memory = 0
        memory = has_modrm and self._is_memory()
        small_address = memory and self.chance(0.06)
        if (memory or self._implicit_memory()) and self.chance(0.1):
            segment = rng.choice(("fs", "gs")) if bits == 64 else "gs"
            legacy += b"\x64" if segment == "fs" else b"\x65"
            target -= bases[segment]
        elif self.chance(0.03):
            legacy += rng.choice((b"\x2e", b"\x36", b"\x3e", b"\x26")[int(bits == 32):])     # 32-bit code may not write through CS
        legacy += b"\x67" if small_address else b""
        word = not p.vex and p.prefix != "66" and self._sized() and self.chance(0.3)
        legacy += b"\x66" if word else b""
        locked = self.form.lock and self.chance(0.2 if memory else 0.03)
        legacy += b"\xf0" if locked else b""
        legacy += b"" if p.vex else self._repeat()
        if len(legacy) > 1 and self.chance(0.3):
            shuffled = list(legacy)
            rng.shuffle(shuffled)
            legacy = bytes(shuffled)
        legacy += bytes.fromhex(p.prefix)
        wide = self._wide()
        opcode, rex = p.opcode, 8 * wide
        tail, pointer = b"", None
        reg = rng.randrange(16 if bits == 64 else 8)
        if p.plus:
            opcode = opcode[:-1] + bytes([opcode[-1] | reg & 7])
            rex |= reg >> 3
        if has_modrm:
            field = reg if p.modrm == "r" else int(p.modrm)
            if not memory:
                rm = rng.randrange(16 if bits == 64 else 8)
                tail = bytes([0xC0 | (field & 7) << 3 | rm & 7])
                rex |= (field >> 3) << 2 | rm >> 3
            else:
                width = bits // 2 if small_address else bits
                modrm, extra, pointer = self._memory(width, segment, target)
                tail = bytes([modrm | (field & 7) << 3]) + extra
                rex |= (field >> 3) << 2 | self.rex_of_memory
        operand = 2 if word and not wide else 8 if wide else 4
        tail += b"".join(self._immediate(kind, operand, small=legacy.count(b"\x67") > 0, target=target) for kind in p.immediates)
        if p.vex:
            opcode = self._vex(rex, opcode)
        elif bits == 64 and (rex or self.chance(0.25)):
            opcode = bytes([0x40 | rex]) + opcode
        code = legacy + opcode + tail
        if pointer is not None and pointer.base == RIP_RELATIVE:         # the displacement is relative to the end: known only now
            spot = len(code) - len(tail) + 1
            disp = target - (at + len(code))
            code = code[:spot] + (disp & 0xFFFFFFFF).to_bytes(4, "little") + code[spot + 4:]
            pointer.disp = disp
        return Encoding(code, pointer)

    # -- parts -------------------------------------------------------------------------------------------------------
    def _is_memory(self) -> bool:
        letters = self.letters
        if any(letter in MEMORY_ONLY for letter in letters):
            return not self.chance(0.02)
        if any(letter in REGISTER_ONLY for letter in letters) and not any(letter in EITHER for letter in letters):
            return self.chance(0.02)
        return self.chance(0.5)

    def _implicit_memory(self) -> bool:
        return any(letter in ("X", "O") for letter in self.letters)

    def _sized(self) -> bool:
        shown = any(SIZE_PREFIX_FITS.search(size) or size == "AX" for size in self.sizes)
        return self.form.sized or shown or "rAX" in self.form.text

    def _repeat(self) -> bytes:
        if self.form.repeat:
            return bytes([self.form.repeat])
        string = self.form.mnemonic.startswith(("movs", "stos", "lods", "scas", "cmps"))
        if string and not self.parsed.prefix and len(self.parsed.opcode) == 1 and not self.parsed.modrm:
            return self.rng.choice((b"", b"\xf2", b"\xf3", b"\xf3"))
        return b""

    def _wide(self) -> int:
        p, vex = self.parsed, self.parsed.vex
        if "W1" in vex or p.rex_w:
            return 1
        if "W0" in vex or p.rex_w is False or (self.bits == 32 and not vex):
            return 0
        if vex:
            return int(self.chance(0.3))
        sized = any(size.endswith(("v", "y")) for size in self.sizes) or "rAX" in self.form.text or self._sized()
        return int(self.chance(0.45 if sized else 0.06))

    def _memory(self, width: int, segment: str, target: int) -> tuple[int, bytes, Pointer]:
        """Return ModRM without reg, what follows it, and where it points. Sets `rex_of_memory` to REX.X and REX.B."""
        rng = self.rng
        vector = any("v" in size and letter == "M" and "vm" in size for letter, size in zip(self.letters, self.sizes, strict=True))
        if width == 16:
            rm, mod = rng.randrange(8), rng.randrange(3)
            base, index = BASE16[rm]
            size = (0, 1, 2)[mod]
            if mod == 0 and rm == 6:
                base, size = None, 2
            disp = self._disp(size)
            return mod << 6 | rm, disp, Pointer(base, index, 0, int.from_bytes(disp, "little", signed=True), 16, segment)
        low_width = width
        if self.bits == 64 and width == 64 and not vector and self.chance(0.12):
            return 5, bytes(4), Pointer(RIP_RELATIVE, None, 0, 0, 64, segment)
        registers = 16 if self.bits == 64 else 8
        mod, base = rng.randrange(3), rng.randrange(registers)
        use_sib = vector or base & 7 == RSP or self.chance(0.5)
        index = rng.randrange(registers) if use_sib else None
        if index == RSP and not vector:
            index = None
        scale = rng.randrange(4) if use_sib else 0
        size = (0, 1, 4)[mod]
        real_base: int | None = base
        if mod == 0 and base & 7 == RBP:
            size = 4
            if use_sib or self.bits == 32:
                real_base = None
            else:
                base = real_base = 6
                size = 0
        disp = self._disp(size)
        number = int.from_bytes(disp, "little", signed=True)
        if real_base is None and index is None:
            number = (target & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)
            disp = number.to_bytes(4, "little", signed=True)
        self.rex_of_memory = base >> 3 | ((index or 0) >> 3) << 1
        pointer = Pointer(real_base, index, scale, number, low_width, segment, vector)
        if not use_sib:
            return mod << 6 | base & 7, disp, pointer
        sib = scale << 6 | (RSP if index is None else index & 7) << 3 | base & 7
        return mod << 6 | 4, bytes([sib]) + disp, pointer

    def _disp(self, size: int) -> bytes:
        rng = self.rng
        if size == 4 and self.chance(0.5):
            return rng.randrange(-0x800, 0x800).to_bytes(4, "little", signed=True)
        return rng.choice((rng.randbytes(size), rng.randbytes(size), bytes(size), b"\xff" * size, b"\x80".rjust(size, b"\0")[:size]))

    def _immediate(self, kind: str, operand: int, *, small: bool, target: int) -> bytes:
        bits = self.bits
        sizes = {"ib": 1, "cb": 1, "is4": 1, "iw": 2, "cw": 2, "id": 4, "cd": 4, "iq": 8, "io": 8, "iv": operand, "cp": operand + 2,
                 "iz": min(operand, 4), "cz": 4 if bits == 64 else min(operand, 4),
                 "mo": (4 if small else 8) if bits == 64 else (2 if small else 4)}
        sizes["moffs"] = sizes["mo"]
        size = sizes[kind]
        if kind in ("mo", "moffs"):
            return (target & (1 << 8 * size) - 1).to_bytes(size, "little")
        return numbers.integer(self.rng, 8 * size).to_bytes(size, "little")

    def _vex(self, rex: int, opcode: bytes) -> bytes:
        """Return VEX prefix and opcode; `rex` are the W, R, X, B bits."""
        rng, vex = self.rng, self.parsed.vex
        long = {"128": 0, "256": 1, "L0": 0, "LZ": 0, "L1": 1}.get(vex[0])
        if long is None:
            long = rng.randrange(2)
        maps = {"0F": 1, "0F38": 2, "0F3A": 3}
        number = next(maps[part] for part in vex if part in maps)
        pp = next(({"66": 1, "F3": 2, "F2": 3}[part] for part in vex if part in MANDATORY), 0)
        uses_vvvv = any(letter in ("H", "B") for letter in self.letters)
        vvvv = rng.randrange(16 if self.bits == 64 else 8) if uses_vvvv or self.chance(0.01) else 0
        last = (vvvv ^ 15) << 3 | long << 2 | pp
        w, r, x, b = rex >> 3, rex >> 2 & 1, rex >> 1 & 1, rex & 1
        if number == 1 and not (w or x or b) and self.chance(0.6):
            return bytes([0xC5, (r ^ 1) << 7 | last]) + opcode
        return bytes([0xC4, (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | number, w << 7 | last]) + opcode
