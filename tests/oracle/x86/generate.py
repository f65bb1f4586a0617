"""Cases for one form of a row: a random encoding, a random state that makes it do something, memory where it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle import numbers
from tests.oracle.x86 import driver as d
from tests.oracle.x86 import values
from tests.oracle.x86.encode import Encoder
from tests.oracle.x86.state import Case, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.oracle.x86.encode import Encoding, Form

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
READ_ONLY = d.WRITABLE + d.WRITABLE_SIZE
END = d.WINDOW + d.WINDOW_SIZE
STRINGS: Final = ("movs", "stos", "lods", "scas", "cmps", "ins", "outs")
STEPPED: Final = ("call", "ret", "loop", "iret")      # and everything that begins with j
X87: Final = ("D8", "D9", "DA", "DB", "DC", "DD", "DE", "DF", "9B")
FAR_AWAY: Final = ("jmp", "call", "ret")
LONGEST_OPERAND: Final = 512
OPERAND_BYTES: Final = 64                             # of memory that get interesting contents


def one(form: Form, bits: int, rng: Random, at: int, *, masked: bool = False) -> Case:
    """Return one case whose code stands at `at`. `masked`: all exceptions of floating point are."""
    return group(form, bits, rng, at, 1, masked=masked)[0]


def group(form: Form, bits: int, rng: Random, at: int, count: int, *, masked: bool = False) -> list[Case]:
    """Return cases that have one random encoding, and modes of floating point, and start from as many random states."""
    encoding: Encoding | None = None
    cases: list[Case] = []
    while len(cases) < count:
        state = _state(form, bits, rng, at, masked=masked)
        if cases:
            state.mxcsr, state.fcw = cases[0].state.mxcsr, cases[0].state.fcw
        target = _target(rng)
        if encoding is None:
            encoding = Encoder(form, bits, rng).encode(at, target, {"fs": state.fs_base, "gs": state.gs_base})
        case = _case(form, bits, rng, state, target, encoding)
        if case:
            cases.append(case)
        elif not cases:
            encoding = None
    return cases


def _state(form: Form, bits: int, rng: Random, at: int, *, masked: bool) -> State:
    fp = "" if rng.random() < 0.3 else number_format(form.mnemonic)
    state = values.random_state(rng, bits, fp=fp, want_x87=is_x87(form))
    state.rip = at
    if masked:
        state.mxcsr, state.fcw, state.fsw = state.mxcsr | values.MASKS, state.fcw | 0x3F, state.fsw & ~0x8080
    return state


def is_x87(form: Form) -> bool:
    """Tell whether a form works on x87's registers."""
    return form.column[:2] in X87 or form.mnemonic in ("emms", "fxsave", "fxrstor")


def _case(form: Form, bits: int, rng: Random, state: State, target: int, encoding: Encoding) -> Case | None:
    """Return the case that an encoding makes from a state; None if its operand would go beyond the end of its segment."""
    mnemonic, pointer = form.mnemonic, encoding.pointer
    prefixes = [setup for name, setup in SETUPS.items() if name.endswith("*") and mnemonic.startswith(name[:-1])]
    for setup in [SETUPS[mnemonic]] if mnemonic in SETUPS else prefixes:
        setup(state, rng, bits)
    state.r = [value & (1 << bits) - 1 for value in state.r]
    memory: dict[int, bytes] = {}
    if pointer is not None:
        if pointer.vector:
            _vector_index(state, pointer.index, rng)
        target = pointer.place(state, target, state.rip + len(encoding.code), rng)
        if bits == 32 and target - (state.gs_base if pointer.segment else 0) & 0xFFFF_FFFF > 0xFFFF_FFFF - LONGEST_OPERAND:
            return None
    if pointer is not None or rng.random() < 0.5:
        memory[target] = _contents(form, rng)
    if mnemonic.startswith("cmpxchg") and rng.random() < 0.5:      # it is what is expected
        size = 8 if mnemonic != "cmpxchg8b" else 4
        memory[target] = b"".join((state.r[n] & (1 << 8 * size) - 1).to_bytes(size, "little") for n in (RAX, RDX))
    if mnemonic.startswith(FAR_AWAY):
        _somewhere(state, memory, target, rng)
    step = mnemonic.startswith(("j", *STEPPED))
    return Case(encoding.code[:15], state, memory, bits, step, state.rip, note=form.name or form.text)


def _somewhere(state: State, memory: dict[int, bytes], target: int, rng: Random) -> None:
    """Let jumps through registers and memory, and returns, mostly go where code may be."""
    for n in range(16):
        if rng.random() < 0.7 and not d.WINDOW <= state.r[n] < END:
            state.r[n] = d.CODE + rng.randrange(d.CODE_SIZE)
    for at in (target, state.r[RSP]):
        if rng.random() < 0.9:
            memory[at] = (d.CODE + rng.randrange(d.CODE_SIZE)).to_bytes(8, "little")


def _target(rng: Random) -> int:
    """Return where a memory operand shall be: mostly where it can be written, at times aligned, crossing or unmapped."""
    kind = rng.randrange(40)
    if kind == 0:
        return READ_ONLY + rng.randrange(0x1000)
    if kind == 1:
        return rng.choice((READ_ONLY, END, d.WINDOW, d.WRITABLE)) + rng.randrange(-32, 1)
    if kind == 2:
        return rng.choice((0, d.WINDOW - 0x1000, END, 0x7000_0000)) + rng.randrange(0x1000)
    at = d.WRITABLE + 0x40 + rng.randrange(d.WRITABLE_SIZE - 0x100)
    if kind < 24:
        return at & ~63
    if kind < 30:
        return at & ~15
    if kind < 33:
        return (at & ~0xFFF | 0xFFF) - rng.randrange(32)
    return at


def number_format(mnemonic: str) -> str:
    """Return the format of the numbers that an instruction works on, as far as its name tells."""
    name = mnemonic.removeprefix("v")
    for prefix, format_ in (("cvtps", "single"), ("cvttps", "single"), ("cvtss", "single"), ("cvttss", "single"), ("cvtpd", "double"),
                            ("cvttpd", "double"), ("cvtsd", "double"), ("cvttsd", "double"), ("cvtph", "half"), ("cvtdq", "int32"),
                            ("cvtpi", "int32"), ("cvtsi", "int32")):
        if name.startswith(prefix):
            return format_
    if name.endswith(("ps", "ss")):
        return "single"
    if name.endswith(("pd", "sd")) and not name.startswith("movs"):
        return "double"
    if name.startswith("p") and name not in ("push", "pop"):
        return {"b": "int8", "w": "int16", "d": "int32", "q": "int64"}.get(name[-1], "")
    return ""


def _contents(form: Form, rng: Random) -> bytes:
    fp = "" if rng.random() < 0.3 else number_format(form.mnemonic)
    if is_x87(form):
        kind = rng.randrange(6)
        if kind == 0:
            return _decimal(rng)
        if kind < 3:
            return values.extended(rng).to_bytes(10, "little") + rng.randbytes(18)
        return numbers.vector(rng, rng.choice(("single", "double", "int16", "int32", "int64")), 256).to_bytes(32, "little")
    if form.operands and form.operands[0][0] in "EGMX":
        width = rng.choice((8, 16, 32, 64))
        return b"".join(numbers.integer(rng, width).to_bytes(width // 8, "little") for _ in range(16 * 8 // width))
    return numbers.vector(rng, fp, 8 * OPERAND_BYTES).to_bytes(OPERAND_BYTES, "little")


def _decimal(rng: Random) -> bytes:
    """Return a packed decimal number (SDM vol. 1, 4.7), at times with a digit that is none."""
    digits = bytes(rng.randrange(10) | rng.randrange(10) << 4 for _ in range(9))
    return (digits if rng.random() < 0.9 else rng.randbytes(9)) + rng.choice((b"\0", b"\x80"))


def _vector_index(state: State, register: int | None, rng: Random) -> None:
    """Give the lanes of a gather's index small numbers."""
    width = rng.choice((32, 64))
    value = 0
    for lane in range(256 // width):
        value |= (rng.randrange(-16, 16) & (1 << width) - 1) << lane * width
    state.v[register or 0] = value


# -- what instructions do with registers that no operand shows -----------------------------------------------------------
def _sometimes(rng: Random) -> bool:
    return rng.random() < 0.93


def strings(state: State, rng: Random, bits: int) -> None:
    """RSI and RDI point into the window (here and there near its end), RCX is small or there is little room."""
    many = rng.random() < 0.1
    for register in (RSI, RDI):
        if _sometimes(rng):
            state.r[register] = d.WRITABLE + 0x800 + rng.randrange(0x1000)
            if many:
                state.r[register] = rng.choice((d.WRITABLE, READ_ONLY, END)) + rng.randrange(-300, 40)
    if not many:
        state.r[RCX] = rng.choice((0, 1, 2, rng.randrange(40), rng.randrange(40)))
        if bits == 64 and rng.random() < 0.05:
            state.r[RCX] |= rng.getrandbits(32) << 32      # with an address-size prefix only ECX counts
    if rng.random() < 0.5:
        state.r[RAX] = 0x1122_3344_5566_0000 | rng.randrange(0x600)
    if rng.random() < 0.3:                                 # equal strings, for a while
        state.r[RSI] = state.r[RDI] + rng.choice((0, 0, 8, 4))


def translate(state: State, rng: Random, _bits: int) -> None:
    """XLAT: RBX points to a table."""
    if _sometimes(rng):
        state.r[RBX] = d.WRITABLE + rng.randrange(0x2000)


def mask_move(state: State, rng: Random, _bits: int) -> None:
    """MASKMOVQ: RDI points to where it goes."""
    if _sometimes(rng):
        state.r[RDI] = d.WRITABLE + rng.randrange(0x2000)


def frame(state: State, rng: Random, _bits: int) -> None:
    """LEAVE, ENTER: RBP points into the window."""
    if _sometimes(rng):
        state.r[RBP] = d.WRITABLE + 0x1000 + rng.randrange(0x1000) // 8 * 8


def divide(state: State, rng: Random, _bits: int) -> None:
    """DIV, IDIV: mostly a quotient that fits."""
    if rng.random() < 0.7:
        state.r[RDX] = rng.choice((0, 0, 1, rng.getrandbits(8), (1 << 64) - 1 if state.r[RAX] >> 63 else 0))
        if rng.random() < 0.5:
            state.r[RAX] = rng.getrandbits(rng.choice((8, 12, 16, 32, 62)))


def count(state: State, rng: Random, _bits: int) -> None:
    """Shifts, loops: RCX is small."""
    if rng.random() < 0.6:
        state.r[RCX] = state.r[RCX] & ~0xFF | rng.randrange(72)


def bit_offset(state: State, rng: Random, _bits: int) -> None:
    """BT and the like: bit offsets that stay in the window."""
    if rng.random() < 0.8:
        for n in range(len(state.r)):
            if n != RSP and rng.random() < 0.9:
                state.r[n] = rng.randrange(-1000, 1000) & (1 << _bits) - 1


def compare(state: State, rng: Random, bits: int) -> None:
    """CMPXCHG: often equal to what stands in the window, or to a register."""
    if rng.random() < 0.6:
        value = state.r[RAX]
        for n in range(16 if bits == 64 else 8):
            if n != RSP and rng.random() < 0.5:
                state.r[n] = value


def strings_in_registers(state: State, rng: Random, _bits: int) -> None:
    """PCMPxSTRx: lengths, and strings that have something in common."""
    for register in (RAX, RDX):
        if rng.random() < 0.8:
            state.r[register] = rng.randrange(-20, 21) & (1 << _bits) - 1
    letters = rng.sample(range(256), 4)
    for n in range(16):
        if rng.random() < 0.8:
            state.v[n] = int.from_bytes(bytes(rng.choice([*letters, 0]) for _ in range(16)), "little")


SETUPS: Final[dict[str, Callable[[State, Random, int], None]]] = {
    **{f"{name}*": strings for name in STRINGS if name != "movs"},
    **dict.fromkeys(("movsb", "movsw", "movs", "movsq", "movsd"), strings),
    "xlat*": translate, "leave": frame, "enter": frame, "div": divide, "idiv": divide, "loop*": count, "jcxz": count, "jrcxz": count,
    "jecxz": count, **dict.fromkeys(("shl", "shr", "sar", "sal", "rol", "ror", "rcl", "rcr", "shld", "shrd"), count),
    **dict.fromkeys(("bt", "bts", "btr", "btc"), bit_offset), "cmpxchg*": compare,
    "maskmov*": mask_move, "vmaskmovdqu": mask_move,
    **dict.fromkeys(("pcmpestri", "pcmpestrm", "pcmpistri", "pcmpistrm", "vpcmpestri", "vpcmpestrm", "vpcmpistri", "vpcmpistrm"),
                    strings_in_registers),
}

__all__ = ["number_format", "one"]
