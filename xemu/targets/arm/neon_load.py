"""Advanced SIMD element and structure load/store instructions (ARM ARM A7.7).

Each checks its whole range once, then moves vectors or elements. Registers past d31 are undefined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, join, mux
from xemu.core.record import RegNo, when
from xemu.targets.arm.neon_lanes import scalar, with_scalar
from xemu.targets.arm.simd import add_simd, register_list

if TYPE_CHECKING:
    from collections.abc import Callable

#: alignment that the two-bit align field of the multiple forms asks for, in bytes (ARM ARM A7.7: 1 checks nothing here)
_ALIGNMENT = (1, 8, 16, 32)


def _add(function: Callable[..., None], pattern: str, mnemonic: str, where: str, *, name: str, **bound: int) -> None:
    """Register a row; the diagram is given without its first byte and without Rm."""
    add_simd(function, f"11110100 {pattern} Rm_wb", f"{mnemonic.lower()} {{list}}, [{{Rn}}{{alignment}}]{{writeback}}",
             where=where, name=name, bound=bound)


def _write_back(cpu, Rn, Rm_wb, size: int) -> None:
    """Update the base: Rm 15: not, 13: by the transfer's size, else by Rm."""
    base, offset = cpu.R[Rn], cpu.R[Rm_wb]
    with when(Rm_wb != 15):
        cpu.R[Rn] = base + mux(Rm_wb == 13, size, offset)


def _in_guest_order(cpu, value: Bits, esize: int) -> Bits:
    """Return a loaded (or to be stored) value with the bytes of each element in the data endianness."""
    return Lanes(value, esize).unary("bswap").bits if cpu.context.E and esize > 8 else value


def _load_chunks(cpu, base: Bits, size: int) -> list[Bits]:
    """Return `size` bytes of memory that has been probed, 16 at a time (8 at the end if need be)."""
    return [cpu.load(base + at, min(16, size - at), checked=False) for at in range(0, size, 16)]


def _store_chunks(cpu, base: Bits, chunks: list[Bits]) -> None:
    """Write what _load_chunks would return to memory that has been probed."""
    for i, value in enumerate(chunks):
        cpu.store(base + 16 * i, value, checked=False)


def _doublewords(value: Bits) -> list[Bits]:
    """Return a value in doublewords, lowest first."""
    return [value[at + 63:at] for at in range(0, value.width, 64)]


def _pick(parts: list[Bits], esize: int, order: list[int]) -> Bits:
    """Return elements of one to four parts, numbered through.

    The parts are joined by shuffles: LLVM takes vectors that are joined as integers to pieces.
    """
    if len(parts) > 2:
        pairs = [_pick(parts[:2], esize, list(range(128 // esize)))]
        last = parts[2:] if len(parts) > 3 else [parts[2], parts[2]]
        pairs.append(_pick(last, esize, list(range(128 // esize))))
        parts = pairs
    x, y = Lanes(parts[0], esize), Lanes(parts[-1], esize)
    if y.count < x.count:
        y = y.shuffle(y, range(x.count))
    return x.shuffle(y, order).bits


def _interleave(registers: list[Bits], esize: int) -> list[Bits]:
    """Return what memory holds for the registers of a structure, in chunks: element 0 of each, then element 1 …."""
    ways, count = len(registers), 64 // esize
    order = [way * count + lane for lane in range(count) for way in range(ways)]
    return [_pick(registers, esize, order[at:at + 2 * count]) for at in range(0, ways * count, 2 * count)]


def _deinterleave(memory: list[Bits], ways: int, esize: int) -> list[Bits]:
    """Return the registers of a structure, first register first."""
    total = ways * 64 // esize
    return [_pick(memory, esize, list(range(way, total, ways))) for way in range(ways)]


def _first_quad(registers: list[RegNo]) -> int | None:
    """Return the quadword whose halves come first, if the number is known (in regions) and even.

    Whole quadwords are moved then: two doublewords would have to be put together for the arithmetic that follows.
    Like the numbers of doublewords those of quadwords wrap: what passes d31 is undefined, but must name a register.
    """
    first = registers[0].number
    return first // 2 if isinstance(first, int) and first % 2 == 0 else None


def _write_registers(cpu, registers: list[RegNo], chunks: list[Bits]) -> None:
    """Write consecutive doublewords, from chunks of 16 bytes (8 at the end)."""
    quad = _first_quad(registers)
    for i, chunk in enumerate(chunks):
        if quad is not None and chunk.width == 128:
            cpu.Q128[(quad + i) % 16] = chunk
            continue
        for d, value in zip(registers[2 * i:2 * i + 2], _doublewords(chunk), strict=True):
            cpu.D[d] = value


def _read_registers(cpu, registers: list[RegNo]) -> list[Bits]:
    """Return consecutive doublewords in chunks of 16 bytes (8 at the end)."""
    quad = _first_quad(registers)
    pairs = [registers[i:i + 2] for i in range(0, len(registers), 2)]
    return [cpu.Q128[(quad + i) % 16] if quad is not None and len(pair) == 2 else join([cpu.D[d] for d in pair])
            for i, pair in enumerate(pairs)]


# -- VLD1/VST1 (multiple single elements): 1 to 4 registers one after the other ---------------------------------------


def _any_order(cpu, value: Bits, size: Bits) -> Bits:
    """Return a value in guest order for an element size that is a field (big-endian data only)."""
    result = value
    for log in (1, 2, 3) if cpu.context.E else ():
        result = mux(size == log, _in_guest_order(cpu, value, 8 << log), result)
    return result


def VLD1_multiple(cpu, Dd, Rn, Rm_wb, esize1, align, count):
    """VLD1 (multiple single elements), A1/T1. ARM ARM A8.8.320."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, count)
    cpu.probe(base, 8 * count, align=_ALIGNMENT[align])
    chunks = [_any_order(cpu, chunk, esize1) for chunk in _load_chunks(cpu, base, 8 * count)]
    _write_registers(cpu, registers, chunks)
    _write_back(cpu, Rn, Rm_wb, 8 * count)


def VST1_multiple(cpu, Dd, Rn, Rm_wb, esize1, align, count):
    """VST1 (multiple single elements), A1/T1. ARM ARM A8.8.404."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, count)
    cpu.probe(base, 8 * count, write=True, align=_ALIGNMENT[align])
    _store_chunks(cpu, base, [_any_order(cpu, chunk, esize1) for chunk in _read_registers(cpu, registers)])
    _write_back(cpu, Rn, Rm_wb, 8 * count)


# -- VLD2-4/VST2-4 (multiple structures): `groups` structures of `ways` registers; the registers are `spacing` apart --


def VLDn_multiple(cpu, Dd, Rn, Rm_wb, size, align, ways, groups, spacing):
    """VLD2, VLD3, VLD4 (multiple structures), A1/T1. ARM ARM A8.8.323, A8.8.326, A8.8.329."""
    registers = register_list(cpu, Dd, ways * groups, spacing)
    base, loaded = cpu.R[Rn], []
    cpu.probe(base, 8 * ways * groups, align=_ALIGNMENT[align])
    for group in range(groups):
        memory = [_in_guest_order(cpu, c, 8 << size) for c in _load_chunks(cpu, base + 8 * ways * group, 8 * ways)]
        loaded.append(_deinterleave(memory, ways, 8 << size))
    for group, values in enumerate(loaded):
        for d, value in zip(registers[group::groups], values, strict=True):
            cpu.D[d] = value
    _write_back(cpu, Rn, Rm_wb, 8 * ways * groups)


def VSTn_multiple(cpu, Dd, Rn, Rm_wb, size, align, ways, groups, spacing):
    """VST2, VST3, VST4 (multiple structures), A1/T1. ARM ARM A8.8.406, A8.8.408, A8.8.410."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, ways * groups, spacing)
    cpu.probe(base, 8 * ways * groups, write=True, align=_ALIGNMENT[align])
    for group in range(groups):
        values = [cpu.D[d] for d in registers[group::groups]]
        memory = [_in_guest_order(cpu, chunk, 8 << size) for chunk in _interleave(values, 8 << size)]
        _store_chunks(cpu, base + 8 * ways * group, memory)
    _write_back(cpu, Rn, Rm_wb, 8 * ways * groups)


#: type field, registers, where align is reserved
_SINGLES = (
    ("0111", 1, ", align != 2, align != 3"), ("1010", 2, ", align != 3"),
    ("0110", 3, ", align != 2, align != 3"), ("0010", 4, ""),
)

for _type, _count, _where in _SINGLES:
    for _function, _l in (VLD1_multiple, 1), (VST1_multiple, 0):
        _add(_function, f"0 D {_l} 0 Rn Vd {_type} esize1:2 align", f"{_function.__name__[:4]}.{{esize}}",
             f"Rn != 15{_where}", name=f"{_function.__name__}_{_count}", count=_count)

#: type field, registers of a structure, structures (of two, the registers alternate), distance of listed registers,
#: where align is reserved
_STRUCTURES = (
    ("1000", 2, 1, 1, ", align != 3"), ("1001", 2, 1, 2, ", align != 3"), ("0011", 2, 2, 1, ""),
    ("0100", 3, 1, 1, ", align != 2, align != 3"), ("0101", 3, 1, 2, ", align != 2, align != 3"),
    ("0000", 4, 1, 1, ""), ("0001", 4, 1, 2, ""),
)

for _type, _ways, _groups, _spacing, _where in _STRUCTURES:
    for _many, _l in (VLDn_multiple, 1), (VSTn_multiple, 0):
        _verb = f"{_many.__name__[:3]}{_ways}"
        _add(_many, f"0 D {_l} 0 Rn Vd {_type} size align", f"{_verb}.{{esize}}", f"Rn != 15, size != 3{_where}",
             name=f"{_verb}_multiple_{_type}", ways=_ways, groups=_groups, spacing=_spacing)


# -- one structure to or from one lane --------------------------------------------------------------------------------


def VLDn_lane(cpu, Dd, Rn, Rm_wb, index, ways, spacing, ebytes, alignment):
    """VLD1 to VLD4 (single structure to one lane), A1/T1. ARM ARM A8.8.321, A8.8.324, A8.8.327, A8.8.330."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, ways, spacing)
    cpu.probe(base, ebytes * ways, align=alignment)
    elements = [cpu.mem_read(base + ebytes * i, ebytes, checked=False) for i in range(ways)]
    values = [with_scalar(cpu.D[d], index, e) for d, e in zip(registers, elements, strict=True)]
    for d, value in zip(registers, values, strict=True):
        cpu.D[d] = value
    _write_back(cpu, Rn, Rm_wb, ebytes * ways)


def VSTn_lane(cpu, Dd, Rn, Rm_wb, index, ways, spacing, ebytes, alignment):
    """VST1 to VST4 (single structure from one lane), A1/T1. ARM ARM A8.8.405, A8.8.407, A8.8.409, A8.8.411."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, ways, spacing)
    cpu.probe(base, ebytes * ways, write=True, align=alignment)
    for i, d in enumerate(registers):
        cpu.mem_write(base + ebytes * i, scalar(cpu.D[d], index, 8 * ebytes), checked=False)
    _write_back(cpu, Rn, Rm_wb, ebytes * ways)


#: registers of a structure -> (size, index_align as a diagram, registers from one element to the next, alignment)
_LANES = {
    1: (("00", "index:3 0", 1, 1),
        ("01", "index:2 0 0", 1, 1), ("01", "index:2 0 1", 1, 2),
        ("10", "index:1 0 00", 1, 1), ("10", "index:1 0 11", 1, 4)),
    2: (("00", "index:3 0", 1, 1), ("00", "index:3 1", 1, 2),
        ("01", "index:2 0 0", 1, 1), ("01", "index:2 0 1", 1, 4),
        ("01", "index:2 1 0", 2, 1), ("01", "index:2 1 1", 2, 4),
        ("10", "index:1 0 00", 1, 1), ("10", "index:1 0 01", 1, 8),
        ("10", "index:1 1 00", 2, 1), ("10", "index:1 1 01", 2, 8)),
    3: (("00", "index:3 0", 1, 1),
        ("01", "index:2 0 0", 1, 1), ("01", "index:2 1 0", 2, 1),
        ("10", "index:1 0 00", 1, 1), ("10", "index:1 1 00", 2, 1)),
    4: (("00", "index:3 0", 1, 1), ("00", "index:3 1", 1, 4),
        ("01", "index:2 0 0", 1, 1), ("01", "index:2 0 1", 1, 8),
        ("01", "index:2 1 0", 2, 1), ("01", "index:2 1 1", 2, 8),
        ("10", "index:1 0 00", 1, 1), ("10", "index:1 0 01", 1, 8), ("10", "index:1 0 10", 1, 16),
        ("10", "index:1 1 00", 2, 1), ("10", "index:1 1 01", 2, 8), ("10", "index:1 1 10", 2, 16)),
}

for _ways, _forms in _LANES.items():
    for _size, _index, _spacing, _alignment in _forms:
        for _one, _l in (VLDn_lane, 1), (VSTn_lane, 0):
            _verb, _ebytes = f"{_one.__name__[:3]}{_ways}", 1 << int(_size, 2)
            _add(_one, f"1 D {_l} 0 Rn Vd {_size} {_ways - 1:02b} {_index}", f"{_verb}.{8 * _ebytes}", "Rn != 15",
                 name=f"{_verb}_lane_{8 * _ebytes}_x{_spacing}_a{_alignment}",
                 ways=_ways, spacing=_spacing, ebytes=_ebytes, alignment=_alignment)


# -- one structure to all lanes ---------------------------------------------------------------------------------------


def VLD1_all(cpu, Dd, Rn, Rm_wb, size, a, count):
    """VLD1 (single element to all lanes), A1/T1. ARM ARM A8.8.322."""
    registers = register_list(cpu, Dd, count)
    base, ebytes = cpu.R[Rn], 1 << size
    value = Lanes.splat(cpu.mem_read(base, ebytes, align=ebytes if a else 1), 8 // ebytes).bits
    for d in registers:
        cpu.D[d] = value
    _write_back(cpu, Rn, Rm_wb, ebytes)


for _t, _count in (0, 1), (1, 2):
    for _a, _where in (0, "size != 3"), (1, "size != 0, size != 3"):
        _add(VLD1_all, f"1 D 1 0 Rn Vd 1100 size {_t} {_a}", "vld1.{esize}", f"Rn != 15, {_where}",
             name=f"VLD1_all_{_count}_a{_a}", count=_count, a=_a)


def VLDn_all(cpu, Dd, Rn, Rm_wb, ways, spacing, ebytes, alignment):
    """VLD2, VLD3, VLD4 (single structure to all lanes), A1/T1. ARM ARM A8.8.325, A8.8.328, A8.8.331."""
    base, registers = cpu.R[Rn], register_list(cpu, Dd, ways, spacing)
    cpu.probe(base, ebytes * ways, align=alignment)
    elements = [cpu.mem_read(base + ebytes * i, ebytes, checked=False) for i in range(ways)]
    for d, element in zip(registers, elements, strict=True):
        cpu.D[d] = Lanes.splat(element, 8 // ebytes).bits
    _write_back(cpu, Rn, Rm_wb, ebytes * ways)


#: registers of a structure -> (size, a, alignment)
_ALL_LANES = {
    2: (("00", 0, 1), ("00", 1, 2), ("01", 0, 1), ("01", 1, 4), ("10", 0, 1), ("10", 1, 8)),
    3: (("00", 0, 1), ("01", 0, 1), ("10", 0, 1)),
    4: (("00", 0, 1), ("00", 1, 4), ("01", 0, 1), ("01", 1, 8), ("10", 0, 1), ("10", 1, 8), ("11", 1, 16)),
}

for _ways, _all in _ALL_LANES.items():
    for _size, _a, _alignment in _all:
        for _spacing in (1, 2):
            _ebytes = min(1 << int(_size, 2), 4)
            _add(VLDn_all, f"1 D 1 0 Rn Vd 11 {_ways - 1:02b} {_size} {_spacing - 1} {_a}", f"vld{_ways}.{8 * _ebytes}",
                 "Rn != 15", name=f"VLD{_ways}_all_{8 * _ebytes}_x{_spacing}_a{_alignment}",
                 ways=_ways, spacing=_spacing, ebytes=_ebytes, alignment=_alignment)
