"""A32 encodings that user mode does not have: coprocessors, other modes' registers, exception returns.

They are undefined without these rows, too; the rows name them for listings and for docs/isa-arm.md.
"""

from __future__ import annotations

from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import titled
from xemu.targets.arm.operations_system import undefined

#: name, diagram, syntax, title, section
ROWS = (
    (
        "LDM_user",
        "cond 100 - - 1 - 1 ---- -------- --------",
        "ldm{mode}{cond} {Rn}{!}, {registers}^",
        "LDM (User registers, exception return)",
        "B9.3.5",
    ),
    (
        "STM_user",
        "cond 100 - - 1 - 0 ---- -------- --------",
        "stm{mode}{cond} {Rn}{!}, {registers}^",
        "STM (User registers)",
        "B9.3.17",
    ),
    ("SRS", "1111 100 - - 1 - 0 ---- -------- --------", "srs{mode} sp{!}, #{mode}", "SRS", "B9.3.16"),
    ("RFE", "1111 100 - - 0 - 1 ---- -------- --------", "rfe{mode} {Rn}{!}", "RFE", "B9.3.13"),
    ("MRS_spsr", "cond 00010 1 00 ---- ---- -- 0 - 0000 ----", "mrs{cond} {Rd}, spsr", "MRS (system level)", "B9.3.8"),
    (
        "MSR_spsr_register",
        "cond 00010 1 10 ---- ---- -- 0 - 0000 ----",
        "msr{cond} spsr_{fields}, {Rn}",
        "MSR (register, system level)",
        "B9.3.12",
    ),
    (
        "MSR_spsr_immediate",
        "cond 00110 1 10 ---- ---- ---- --------",
        "msr{cond} spsr_{fields}, #{const}",
        "MSR (immediate, system level)",
        "B9.3.11",
    ),
    (
        "MRS_banked",
        "cond 00010 - 00 ---- ---- -- 1 - 0000 ----",
        "mrs{cond} {Rd}, {banked}",
        "MRS (Banked register)",
        "B9.3.9",
    ),
    (
        "MSR_banked",
        "cond 00010 - 10 ---- ---- -- 1 - 0000 ----",
        "msr{cond} {banked}, {Rn}",
        "MSR (Banked register)",
        "B9.3.10",
    ),
    ("HVC", "cond 00010100 ---- -------- 0111 ----", "hvc #{imm16}", "HVC", "B9.3.4"),
    ("SMC", "cond 00010110 ---- -------- 0111 ----", "smc{cond} #{imm4}", "SMC", "B9.3.14"),
    ("ERET", "cond 00010110 ---- -------- 0110 ----", "eret{cond}", "ERET", "B9.3.3"),
)
#: the same for both coprocessor tables: cond and 1111 (with a 2 in the name)
COPROCESSOR = (
    ("STC", "110 - - - - 0 ---- ---- ---- --------", "{p}, {CRd}, [{Rn}, #{imm}]", "A8.8.198"),
    ("LDC", "110 - - - - 1 ---- ---- ---- --------", "{p}, {CRd}, [{Rn}, #{imm}]", "A8.8.55"),
    ("MCRR", "1100010 0 ---- ---- ---- ---- ----", "{p}, {opc1}, {Rt}, {Rt2}, {CRm}", "A8.8.99"),
    ("MRRC", "1100010 1 ---- ---- ---- ---- ----", "{p}, {opc1}, {Rt}, {Rt2}, {CRm}", "A8.8.108"),
    ("CDP", "1110 ---- ---- ---- ---- --- 0 ----", "{p}, {opc1}, {CRd}, {CRn}, {CRm}, {opc2}", "A8.8.30"),
    ("MCR", "1110 --- 0 ---- ---- ---- --- 1 ----", "{p}, {opc1}, {Rt}, {CRn}, {CRm}, {opc2}", "A8.8.98"),
    ("MRC", "1110 --- 1 ---- ---- ---- --- 1 ----", "{p}, {opc1}, {Rt}, {CRn}, {CRm}, {opc2}", "A8.8.107"),
)

for _name, _pattern, _syntax, _title, _section in ROWS:
    a32.add(
        titled(undefined, _name, f"{_title}, A1: undefined in user mode", _section),
        _pattern,
        _syntax,
        source="a32_undefined.py",
    )
for _name, _pattern, _operands, _section in COPROCESSOR:
    for _two, _cond, _suffix in (("", "cond", "{cond}"), ("2", "1111", "")):
        a32.add(
            titled(
                undefined, _name + _two, f"{_name}{_two}, A{_two or 1}: undefined without such a coprocessor", _section
            ),
            f"{_cond} {_pattern}",
            f"{_name.lower()}{_two}{_suffix} {_operands}",
            source="a32_undefined.py",
        )
