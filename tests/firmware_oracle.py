"""What QEMU 7.2 makes of the firmware samples: which it runs, what of their text to compare, and where it differs, and why.

Data only. A name in `differs` is a check of a self-checking sample that QEMU fails; all other checks agree, line by line, with the
lines of detail below them. The samples themselves follow the manuals: without QEMU, every check must pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Compare(Enum):
    """How much of a run under QEMU is an oracle."""

    WHOLE = "the whole text and the exit code"
    CHECKS = "the checks it does not fail; not the summary, not the exit code"
    START = "the checks up to the last whole line before it hangs or gives up"
    NOTHING = "it does not model what the sample uses"


@dataclass(frozen=True)
class Case:
    """A sample on a board."""

    program: str
    board: str  # the directory below samples/firmware/elf
    machine: str  # QEMU's name
    compare: Compare
    typed: tuple[str, ...] = ()  # lines to type, each after the prompt or echo of the one before
    differs: frozenset[str] = frozenset()
    why: str = ""

    @property
    def id(self) -> str:
        """The name in test reports."""
        return f"{self.program}-{self.board}"


#: board to the machines of xemu that run it
MACHINES: Final = {
    "mps2-an385": ("mps2-an385",),
    "mps2-an386": ("mps2-an386",),
    "mps2-an500": ("mps2-an500",),
    "lm3s6965evb": ("lm3s6965evb",),
    "microbit": ("microbit",),
    "stm32": ("netduinoplus2", "olimex-stm32-h405"),
}

V7M: Final = ("mps2-an385", "mps2-an386", "mps2-an500", "lm3s6965evb", "stm32")
WITH_FP: Final = ("mps2-an386", "mps2-an500", "stm32")

CONSOLE: Final = ("help", "led on", "led off", "nonsense", "fault", "exit")
ECHO: Final = ("hello", "a line of some length, with punctuation: 0123456789", "quit")

SLEEP: Final = frozenset({"wfe waits for the tick", "sleep on exit lets handlers run alone"})
UNITS: Final = frozenset({"cyccnt counts up", "cyccnt is writable", "itm tcr", "itm ter", "itm stimulus port is ready"})
PRIORITIES: Final = frozenset({
    "implemented priority bits", "implemented bits of system priorities", "basepri has the implemented bits",
})  # fmt: skip
#: checks that fail under QEMU now and then, where its clock, which is the host's, goes on between two instructions
BY_CLOCK: Final = frozenset({"countflag is cleared by reading"})
V7M_DIFFERS: Final = SLEEP | UNITS | PRIORITIES | {"faultmask cannot be set in nmi"}
V7M_WHY: Final = "WFE does not wait, no SLEEPONEXIT, no DWT or ITM, eight priority bits, FAULTMASK can be set in NMI"
UNMAPPED: Final = frozenset({
    "unprivileged scs read faults", "unprivileged scs cfsr", "unprivileged scs bfar", "unprivileged stir faults",
    "unprivileged stir pends",
})  # fmt: skip
DEBUG: Final = frozenset({"debugevt", "debug monitor", "dfsr bkpt"})
FAULTS_WHY: Final = "a breakpoint is reported as FORCED, there is no DebugMonitor; at the end CCR.BFHFNMIGN is ignored and QEMU aborts"


def _everywhere() -> list[Case]:
    cases = []
    for board, (machine, *_) in MACHINES.items():
        cases += [
            Case("console", board, machine, Compare.WHOLE, typed=CONSOLE),
            Case("timer", board, machine, Compare.WHOLE),
            Case("kernel", board, machine, Compare.WHOLE),
        ]
        if board == "stm32":
            why = "the USART has no TXE interrupt: the echo stops"
            cases.append(Case("uartirq", board, machine, Compare.NOTHING, typed=ECHO, why=why))
        else:
            cases.append(Case("uartirq", board, machine, Compare.WHOLE, typed=ECHO))
    return cases


def _exceptions() -> list[Case]:
    different: dict[str, tuple[frozenset[str], str]] = dict.fromkeys(V7M, (V7M_DIFFERS, V7M_WHY))
    different["mps2-an500"] = (V7M_DIFFERS | {"stkalign is fixed on M7"}, f"{V7M_WHY}; CCR.STKALIGN can be cleared")
    different["lm3s6965evb"] = (V7M_DIFFERS | UNMAPPED, f"{V7M_WHY}; what should be a BusFault reads 0")
    different["microbit"] = (SLEEP, "WFE does not wait, no SLEEPONEXIT")
    return [
        Case("exceptions", board, MACHINES[board][0], Compare.CHECKS, differs=differs, why=why)
        for board, (differs, why) in different.items()
    ]


def _faults() -> list[Case]:
    cases = [
        Case("faults", board, MACHINES[board][0], Compare.START, differs=DEBUG, why=FAULTS_WHY)
        for board in V7M
        if board != "lm3s6965evb"
    ]
    holes = frozenset({"preciserr by ldr", "preciserr by ldrb", "preciserr by ldm"})
    cases.append(Case("faults", "lm3s6965evb", "lm3s6965evb", Compare.START, differs=holes,
                      why="unmapped memory reads 0 and can be executed: it never returns from there"))  # fmt: skip
    fetches = frozenset({"fetch from a device", "fetch from the system space"})
    cases.append(Case("faults", "microbit", "microbit", Compare.CHECKS, differs=fetches,
                      why="the memory map's execute-never regions do not count without an MPU"))  # fmt: skip
    return cases


CASES: Final = (
    *_everywhere(),
    *_exceptions(),
    *_faults(),
    *(Case("mpu", board, MACHINES[board][0], Compare.WHOLE) for board in V7M),
    *(Case("fpirq", board, MACHINES[board][0], Compare.WHOLE) for board in WITH_FP),
    Case("stm32", "stm32", "netduinoplus2", Compare.NOTHING,
         why="RCC, PWR, GPIO, flash, DMA and RTC are not modelled; the unique id is a BusFault"),
    Case("nrf51", "microbit", "microbit", Compare.NOTHING,
         why="CLOCK is a stub; RTC, GPIOTE, PPI, TEMP, ADC, RADIO, WDT and RESETREAS are not modelled"),
)  # fmt: skip
