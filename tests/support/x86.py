"""Bytes for x86's scanned words: the inverse of targets/x86/scan.py, and random words of a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.targets.x86.scan import IB_TEST, IZ_TEST, MEM67, MODRM, NONE, OPCODES, REG, RIP, SIZES, VSIB, WORD

if TYPE_CHECKING:
    import random

    from xemu.core.isa import Variant


def get(word: int, name: str) -> int:
    """Return a field of a word."""
    shift, width = WORD[name]
    return word >> shift & ((1 << width) - 1)


def put(word: int, name: str, value: int) -> int:
    """Return the word with another value in a field."""
    shift, width = WORD[name]
    mask = (1 << width) - 1
    return word & ~(mask << shift) | (value & mask) << shift


def encode(word: int) -> bytes | None:
    """Return the bytes of a word, or None where no instruction has these fields."""
    f = {name: get(word, name) for name in WORD}
    mode64, vex, info = f["mode64"], f["vex"], OPCODES[f["map"] << 8 | f["opcode"]]
    has_modrm, kind = info & MODRM, info & 15
    out = bytearray()
    base, index = f["base"], f["index"]
    if not has_modrm:
        base = f["opcode"] & 7 | base & 8
    b, x, r = base >> 3 & 1 if base != NONE else 0, index >> 3 & 1 if index != NONE else 0, f["reg"] >> 3
    rex = f["W"] << 3 | r << 2 | x << 1 | b
    if not mode64 and ((rex & 7 if vex else rex) or f["rex"] or f["vvvv"] > 7 or f["seg"] > 5):
        return None
    if vex:
        if f["lock"] or f["rex"] or f["map"] == 0 or f["rep"] == 1 or (f["rep"] and f["op66"]):
            return None
    elif f["rep"] == 1 or f["L"] or f["vvvv"]:
        return None
    if f["seg"] not in (3, 4, 5) or f["odd"]:
        return None
    out += {4: b"\x64", 5: b"\x65"}.get(f["seg"], b"")
    out += b"\x67" if f["a67"] else b""
    out += b"\xf0" if f["lock"] else b""
    if vex:
        pp = {2: 3, 3: 2}.get(f["rep"], f["op66"])
        tail = (f["vvvv"] ^ 15) << 3 | f["L"] << 2 | pp
        if f["map"] == 1 and not (x or b or f["W"]):
            out += bytes([0xC5, (r ^ 1) << 7 | tail])
        else:
            out += bytes([0xC4, (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | f["map"], f["W"] << 7 | tail])
    else:
        out += b"\x66" if f["op66"] else b""
        out += {2: b"\xf2", 3: b"\xf3"}.get(f["rep"], b"")
        if rex or f["rex"]:
            out += bytes([0x40 | rex])
        out += (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")[f["map"]]
    out.append(f["opcode"])
    if has_modrm:
        tail = _address(f, mode64, base, index, kind)
        if tail is None:
            return None
        out += tail
    elif f["form"] != REG:
        return None
    size = SIZES[mode64][kind << 3 | f["W"] | f["op66"] << 1 | f["a67"] << 2]
    if kind in (IB_TEST, IZ_TEST) and f["reg"] & 7 > 1:
        size = 0
    imm = get(word, "imm64") if size > 4 else f["imm"]
    out += (imm & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes(out) if len(out) <= 15 else None


def _address(f: dict[str, int], mode64: int, base: int, index: int, kind: int) -> bytes | None:
    reg, disp = (f["reg"] & 7) << 3, f["disp"].to_bytes(4, "little")
    if f["form"] == REG:
        return bytes([0xC0 | reg | base & 7]) if base != NONE else None
    if (f["form"] == MEM67) != bool(f["a67"]) or (f["a67"] and not mode64):
        return None                                     # 16-bit addresses are tested by hand
    if f["form"] == RIP:
        return bytes([reg | 5]) + disp if mode64 else None
    if kind != VSIB and index == 4:
        return None
    if index > NONE or base > NONE:
        return None
    number = index & 7 if index != NONE else 4
    if base == NONE:
        return bytes([reg | 4, f["scale"] << 6 | number << 3 | 5]) + disp
    mod, tail = (2, disp)
    if -128 <= f["disp"] - (f["disp"] >> 31 << 32) < 128 and f["disp"] & 1:
        mod, tail = 1, disp[:1]
    if index == NONE and base & 7 != 4 and kind != VSIB:
        return bytes([mod << 6 | reg | base & 7]) + tail
    return bytes([mod << 6 | reg | 4, f["scale"] << 6 | number << 3 | base & 7]) + tail


def random_word(rnd: random.Random, variant: Variant, mode64: int) -> bytes:
    """Return a random encoding of a variant in a mode; ValueError where it has none."""
    for _ in range(3000):
        word = rnd.getrandbits(128)
        for name, value in (("odd", 0), ("mode64", mode64), ("a67", 0), ("lock", 0), ("seg", 3), ("rep", 0), ("op66", rnd.random() < 0.1)):
            word = put(word, name, int(value))
        if rnd.random() < 0.7:
            word = put(word, "disp", rnd.randrange(-64, 64))
        if rnd.random() < 0.5:
            word = put(word, "index", NONE)
        if rnd.random() < 0.6:
            word = put(word, "base", rnd.randrange(16 if mode64 else 8))
        elif get(word, "base") > NONE:
            word = put(word, "base", NONE)
        if get(word, "index") > NONE:
            word = put(word, "index", rnd.randrange(16 if mode64 else 8))
        if not mode64:
            for name in ("reg", "vvvv", "base", "index"):
                value = get(word, name)
                word = put(word, name, value if value == NONE else value & 7)
            word = put(put(word, "rex", 0), "W", 0)
        if not OPCODES[get(variant.value, "map") << 8 | get(variant.value, "opcode")] & MODRM:
            word = put(word, "form", REG)
        vex = variant.row.vex  # type: ignore[attr-defined]
        word = put(put(word, "rex", 0), "op66", 0) if vex else put(put(word, "L", 0), "vvvv", 0)
        if variant.splits.get("form") == MEM67:
            word = put(word, "a67", 1)
        if rnd.random() < 0.1:
            word = put(word, "seg", rnd.choice((4, 5)))
        word = word & ~variant.mask | variant.value
        data = encode(word)
        if data is not None:
            return data
    msg = f"no encoding of {variant.name} found"
    raise ValueError(msg)
