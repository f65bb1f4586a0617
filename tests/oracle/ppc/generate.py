"""Cases for one form of a row: a random encoding, a random state that makes it do something, memory where it looks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.oracle.numbers import floating, integer
from tests.oracle.ppc import values
from tests.oracle.ppc.rows import encoding, fields_of, put, register
from tests.oracle.ppc.state import BATCH, CODE, SLOT, WINDOW, WINDOW_SIZE, WRITABLE, WRITABLE_SIZE, Case

if TYPE_CHECKING:
    from random import Random

    from tests.oracle.ppc.rows import Form
    from tests.oracle.ppc.state import Machine, State

#: instructions with a memory operand at (RA|0) + (RB), by their mnemonic; those with a displacement have it in the template
INDEXED: Final = re.compile(r"(l[bhwdqfvx](?!n)|st[bhwdqfvxs]|lsw|dcb|icb|lmw)")
#: … at (RA|0) alone
BASED: Final = re.compile(r"(lswi|stswi|lx?vll?$|lxvl|stxvl|[ls]t?[wd]at$)")
#: the operand's size, where it wants to be aligned at times
RESERVING: Final = {"stbcx": 52, "sthcx": 116, "stwcx": 20, "stdcx": 84, "stqcx": 276}      # extended opcode of its load
LENGTH: Final = ("lxvl", "lxvll", "stxvl", "stxvll")
OPERAND: Final = 48                                    # bytes of memory that get interesting contents
#: fields that name floating-point, vector and vector-scalar registers
VECTORS: Final = {"FRT", "FR", "FRA", "FRB", "FRC", "VRT", "VRS", "VRA", "VRB", "VRC", "T", "A", "B", "C", "S"}
BRANCHES: Final = ("b", "bc", "bclr", "bcctr", "bctar")
FAR_AWAY: Final = 0x0300_0000                          # where nothing is
KINDS: Final = (
    (r"xs\w*q(p|po)?(i|ix|sp|dp|sqp|uwz|udz|swz|sdz)?$|xsc(mp|v)\w*qp|xstst\w*qp|xs\w+qp\w*", "quad"),
    (r"xvcvhpsp|xscvhpdp", "half"),
    (r"xv\w*sp\w*|xvi\w*sp|xscvspdp\w*|v(add|sub|madd|nmsub|max|min|re|rsqrte|log|exp|rfi|cmp\w*|ct[us]xs|cfux|cfsx|cmpb)\w*fp\w*|vct[us]xs",
     "single"),
    (r"xv\w*dp\w*|xvi\w*dp", "double"), (r"xs\w*", "scalar"),
    (r"bcdcfn", "national"), (r"bcdcfz", "zoned"), (r"bcdu\w+", "digits"), (r"bcd\w+", "packed"), (r"d(?!cb|iv|arn|ss|st)\w+", "decimal"),
    (r"f\w+|stf\w+|mtfs\w*", "scalar"),
    (r"v\w*(b|bm)$", "int8"), (r"v\w*(h|hm|hs|hr)$", "int16"), (r"v\w*w(s|m)?$", "int32"), (r"v\w*d$", "int64"),
)  # fmt: skip


def kind_of(name: str) -> str:
    """Return the kind of the numbers that an instruction works on, as far as its name tells."""
    name = name.rstrip(".")
    return next((kind for pattern, kind in KINDS if re.fullmatch(pattern, name)), "")


def one(form: Form, machine: Machine, rng: Random, at: int, *, enabled: float = 0.05) -> Case | None:
    """Return one case whose code stands at `at`; a floating-point exception is enabled with this probability. None: there is none."""
    word = encoding(form, rng)
    if word is None:
        return None
    name = form.mnemonic.rstrip(".")
    kind = "" if rng.random() < 0.15 else kind_of(name)
    seen = kind if VECTORS & form.row.places.keys() else None
    state = values.random_state(rng, machine, kind=seen, enabled=enabled)
    state.pc = at
    case = Case([word], state, machine, at=at, note=form.name)
    if name in BRANCHES:
        branch(case, form, rng)
    elif pointers(form, word, state, target := _target(rng)):
        if name in LENGTH and rng.random() < 0.9:
            state.r[fields_of(form.row, word)["RB"]] = rng.randrange(20) << 56 | rng.getrandbits(8)
        case.memory[target & -8] = _contents(rng, kind)
        if name in RESERVING and rng.random() < 0.7:
            reserve(case, form, RESERVING[name], rng)
    return case


def _target(rng: Random) -> int:
    """Return where a memory operand shall be: mostly where it can be written, at times aligned, crossing or unmapped."""
    kind, end = rng.randrange(40), WRITABLE + WRITABLE_SIZE
    if kind == 0:
        return rng.choice((end, WINDOW)) + rng.randrange(0x1000)
    if kind == 1:
        return rng.choice((end, WINDOW, WRITABLE, WINDOW + WINDOW_SIZE)) + rng.randrange(-32, 1)
    if kind == 2:
        return rng.choice((0, WINDOW - 0x1000, WINDOW + WINDOW_SIZE, 0x7000_0000)) + rng.randrange(0x1000)
    at = WRITABLE + 0x40 + rng.randrange(WRITABLE_SIZE - 0x100)
    if kind < 26:
        return at & -16
    if kind < 31:
        return at & -4
    if kind < 34:
        return (at & -0x1000 | 0xFFF) - rng.randrange(32)
    return at


def pointers(form: Form, word: int, state: State, target: int) -> bool:
    """Set registers so that the memory operand of an instruction is at `target`; return whether it has one."""
    f, ones = fields_of(form.row, word), (1 << state_bits(form)) - 1
    base = f.get("RA0", f.get("RA", 0))
    at = 0 if base == 0 and not form.mnemonic.endswith(("u", "ux")) else base
    displaced = re.search(r"\{(D|DS|DQ)\}\(", form.row.template)
    name = form.mnemonic.rstrip(".")
    if displaced:
        width = form.row.places[displaced[1]].width
        offset = (f[displaced[1]] ^ 1 << width - 1) - (1 << width - 1)
        state.r[at] = (target - (offset << 16 - width) if at else state.r[at]) & ones
        return True
    if BASED.match(name):
        state.r[at] = target if at else state.r[at]
        return True
    if not INDEXED.match(name) or "RB" not in f:
        return False
    index = f["RB"]
    if base == 0 and at == 0 and not form.mnemonic.endswith(("u", "ux")):
        state.r[index] = target
    elif at == index:
        target &= -2
        state.r[index] = target >> 1
    else:
        state.r[at] = target - state.r[index] & ones
    return True


def state_bits(form: Form) -> int:
    """Return the width of registers."""
    return 64 if form.row.isa.name == "p64" else 32


def _contents(rng: Random, kind: str) -> bytes:
    """Return numbers that may be interesting: integers and floating-point numbers in memory's order of both kinds."""
    order = rng.choice(("little", "big"))
    if kind and rng.random() < 0.5:
        data = b"".join(values.vector(rng, kind).to_bytes(16, order) for _ in range(OPERAND // 16))  # type: ignore[arg-type]
    elif rng.random() < 0.4:
        name, size = rng.choice((("single", 4), ("double", 8)))
        data = b"".join(floating(rng, name).to_bytes(size, order) for _ in range(OPERAND // size))  # type: ignore[arg-type]
    else:
        width = rng.choice((8, 16, 32, 64))
        data = b"".join(integer(rng, width).to_bytes(width // 8, order) for _ in range(OPERAND * 8 // width))  # type: ignore[arg-type]
    return data


def reserve(case: Case, form: Form, opcode: int, rng: Random) -> None:
    """Let a load and reserve come before a store conditional, mostly at the same address."""
    f = fields_of(form.row, case.words[0])
    base = f.get("RA0", f.get("RA", 0))
    taken = {base, f["RB"], register(f), register(f) | 1}
    free = [n for n in range(2, 32, 2) if not {n, n + 1} & taken]
    case.words.insert(0, 31 << 26 | rng.choice(free) << 21 | base << 16 | f["RB"] << 11 | opcode << 1 | rng.getrandbits(1))


def branch(case: Case, form: Form, rng: Random) -> None:
    """Let a branch go where nothing but traps is, or nothing at all."""
    state, word, f = case.state, case.words[0], fields_of(form.row, case.words[0])
    state.lr, state.ctr, state.tar = (_pad(case.at, rng) | rng.choice((0, 0, 0, 1, 3)) for _ in range(3))
    if rng.random() < 0.6 and form.mnemonic != "bcctr":
        state.ctr = rng.choice((0, 1, 2, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 64) - 1)) & (1 << case.machine.bits) - 1
    if case.machine.bits == 32:
        state.tar = 0
    width = form.row.places["LI" if "LI" in f else "BD"].width if {"LI", "BD"} & f.keys() else 0
    if width:
        while True:
            target = _pad(case.at, rng) if rng.random() < 0.7 else rng.getrandbits(width) << 2
            offset = target - (0 if f["AA"] else case.at) >> 2
            if rng.random() < 0.3:
                offset = rng.getrandbits(width)
            signed = (offset + (1 << width - 1)) % (1 << width) - (1 << width - 1)
            lands = 4 * signed + (0 if f["AA"] else case.at)
            if not CODE <= lands < CODE + BATCH * SLOT or lands % SLOT >= SLOT // 2:
                break
        case.words[0] = put(form.row, word, LI=signed, BD=signed)


def _pad(at: int, rng: Random) -> int:
    """Return an address of a trap behind the case or before its slot, or one where nothing is."""
    kind = rng.random()
    if kind < 0.7:
        return (at & -SLOT) + rng.choice((-SLOT, 0)) + SLOT // 2 + 4 * rng.randrange(SLOT // 8)
    return FAR_AWAY + 4 * rng.randrange(1 << 12)
