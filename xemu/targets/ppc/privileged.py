"""Instructions that programs may not use. Power ISA Book III; Linux answers with SIGILL."""

from __future__ import annotations

from xemu.targets.ppc.isa import ppc, ppc32, ppc64
from xemu.targets.ppc.layout import PRIVILEGED


def privileged(cpu):
    """An instruction of the operating system. Book III."""
    cpu.abort("exception", PRIVILEGED)


#: sets, primary opcode, extended opcodes
TABLE = (
    (ppc, 31, {"mfmsr": 83, "mtmsr": 146, "tlbie": 306, "tlbsync": 566, "dcbi": 470,
               "mtsr": 210, "mtsrin": 242, "mfsr": 595, "mfsrin": 659}),
    (ppc, 19, {"rfi": 50}),
    (ppc64, 31, {"mtmsrd": 178, "tlbiel": 274, "slbie": 434, "slbia": 498, "slbmte": 402, "slbmfee": 915, "slbmfev": 851, "slbfee.": 979,
                 "slbieg": 466, "slbiag": 850, "slbsync": 338, "msgsnd": 206, "msgclr": 238, "msgsndp": 142, "msgclrp": 174,
                 "msgsndu": 78, "msgclru": 110, "msgsync": 886, "lbzcix": 853, "lhzcix": 821, "lwzcix": 789, "ldcix": 885, "stbcix": 981,
                 "sthcix": 949, "stwcix": 917, "stdcix": 1013}),
    (ppc64, 19, {"rfid": 18, "hrfid": 274, "stop": 370, "rfscv": 82, "urfid": 306}),
    (ppc32, 31, {"tlbia": 370, "wrtee": 131, "wrteei": 163, "tlbivax": 786, "tlbre": 946, "tlbsx": 914, "tlbwe": 978}),
    (ppc32, 19, {"rfci": 51, "rfdi": 39, "rfmci": 38}),
)

for _family, _primary, _opcodes in TABLE:
    for _name, _extended in _opcodes.items():
        _family.row(privileged, f"{_primary}:6 ----- ----- ----- {_extended}:10 -", _name)
