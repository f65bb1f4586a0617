"""T32 encodings that user mode does not have: coprocessors, other modes' registers, exception returns.

They are undefined without these rows, too; the rows name them for listings and for docs/isa-arm.md.
"""

from __future__ import annotations

from xemu.targets.arm.a32_undefined import COPROCESSOR
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import titled
from xemu.targets.arm.operations_system import undefined

#: name, diagram, syntax, title, section
ROWS = (
    ("SRS_DB", "1110100 00 0 - 0 ---- -------- --------", "srsdb sp{!}, #{mode}", "SRS, T1", "B9.3.15"),
    ("SRS_IA", "1110100 11 0 - 0 ---- -------- --------", "srsia sp{!}, #{mode}", "SRS, T2", "B9.3.15"),
    ("RFE_DB", "1110100 00 0 - 1 ---- -------- --------", "rfedb {Rn}{!}", "RFE, T1", "B9.3.13"),
    ("RFE_IA", "1110100 11 0 - 1 ---- -------- --------", "rfeia {Rn}{!}", "RFE, T2", "B9.3.13"),
    ("MRS_spsr", "11110 0 1111 1 1 ---- 10 - 0 ---- -- 0 -----", "mrs {Rd}, spsr", "MRS (system level), T1", "B9.3.8"),
    (
        "MSR_spsr",
        "11110 0 1110 0 1 ---- 10 - 0 ---- -- 0 -----",
        "msr spsr_{fields}, {Rn}",
        "MSR (register, system level), T1",
        "B9.3.12",
    ),
    (
        "MRS_banked",
        "11110 0 1111 1 - ---- 10 - 0 ---- -- 1 -----",
        "mrs {Rd}, {banked}",
        "MRS (Banked register), T1",
        "B9.3.9",
    ),
    (
        "MSR_banked",
        "11110 0 1110 0 - ---- 10 - 0 ---- -- 1 -----",
        "msr {banked}, {Rn}",
        "MSR (Banked register), T1",
        "B9.3.10",
    ),
    (
        "SUBS_pc",
        "11110 0 1111 0 1 ---- 10 - 0 ---- --------",
        "subs pc, lr, #{imm8}",
        "SUBS PC, LR and ERET, T1",
        "B9.3.19",
    ),
    ("HVC", "11110 1111110 ---- 1000 --------- ---", "hvc #{imm16}", "HVC, T1", "B9.3.4"),
    ("SMC", "11110 1111111 ---- 1000 --------- ---", "smc #{imm4}", "SMC, T1", "B9.3.14"),
    ("ENTERX", "11110 0 1110 1 1 ---- 10 - 0 ---- 000 - ----", "{enterx}", "ENTERX, LEAVEX, T1 (no ThumbEE)", "A9.3.1"),
)

for _name, _pattern, _syntax, _title, _section in ROWS:
    t32.add(
        titled(undefined, _name, f"{_title}: undefined in user mode", _section),
        _pattern,
        _syntax,
        source="t32_undefined.py",
    )
for _name, _pattern, _operands, _section in COPROCESSOR:
    for _two, _head in (("", "1110"), ("2", "1111")):
        t32.add(
            titled(
                undefined, _name + _two, f"{_name}{_two}, T{_two or 1}: undefined without such a coprocessor", _section
            ),
            f"{_head} {_pattern}",
            f"{_name.lower()}{_two} {_operands}",
            source="t32_undefined.py",
        )
