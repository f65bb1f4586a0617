"""Frames of a call stack: what front ends see, and what unwinding goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.lines import Call, Place
    from xemu.debug.symbols import Module


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a call stack; the newest has level 0."""

    level: int
    pc: int                            # where it goes on; of the newest frame, where it is
    sp: int
    cfa: int | None                    # SP before the call; None where nothing can say
    function: str                      # "" if nothing is known
    offset: int                        # of `pc` in the function
    module: Module | None
    place: Place | None                # the source line; of a caller, that of the call
    registers: Mapping[str, int]       # those that are known in this frame
    method: str                        # how it was found: "registers" "cfi" "exidx" "exception" "signal" "frame pointer" "back chain"
    #                                    "link register" "prologue" "epilogue"; guesses end in "?": "prologue?" "link register?" "stack?"
    mode: str = ""
    inline: bool = False               # a call that the compiler inlined: registers are those of the frame around it
    signal: bool = False               # the code that returns from a signal handler
    exception: bool = False            # stands for an exception's entry; `pc` is EXC_RETURN, `function` says which
    lookup: int = 0                    # the address that stands for the frame: of a caller, in the call and not behind it
    call: Call | None = None           # the inlined call, of an inlined frame
    saved: Mapping[str, int] = field(default_factory=dict)     # where newer frames have stored registers of this one

    @property
    def innermost(self) -> bool:
        """Whether its registers are the CPU's."""
        return self.method == "registers"

    def __str__(self) -> str:
        """Return a line like GDB's: "#1  0x080001f2 in main () at main.c:12"."""
        if self.signal or self.exception:
            return f"#{self.level:<2} <{self.function}>"
        where = f" at {self.place.file}:{self.place.line}" if self.place and self.place.line else ""
        name = self.function or "??"
        offset = f"+{self.offset:#x}" if self.offset and self.function and not where else ""
        mark = f"  [{self.method}]" if self.method.endswith("?") else ""
        digits = 2 + (16 if self.pc >> 32 else 8)
        return f"#{self.level:<2} {self.pc:#0{digits}x} in {name}{offset} (){where}{mark}"


EMPTY: Mapping[str, int] = MappingProxyType({})


@dataclass(slots=True)
class StackShape:
    """What a function has done to the stack: where the caller's registers are, from the CFA (SP before the call) downwards."""

    depth: int = 0                                     # CFA minus SP, bytes
    saved: dict[str, int] = field(default_factory=dict)   # register -> CFA minus its address
    frame: tuple[str, int] | None = None               # (register, CFA minus its value)
    certain: bool = True                               # nothing met that changes SP in a way that is not understood
    end: int = 0                                       # behind the last instruction that did something

    def push(self, names: list[str], size: int = 4) -> None:
        """Store registers of some bytes, the first at the lowest address."""
        for name in reversed(names):
            self.depth += size
            self.saved.setdefault(name, self.depth)

    def resize(self, amount: int | None) -> None:
        """Add to SP; None: nobody knows how much."""
        self.depth -= amount or 0
        self.certain = self.certain and amount is not None


class State(NamedTuple):
    """A frame before it is named: registers, and whether `pc` is exact or behind a call."""

    registers: dict[str, int]
    exact: bool
    method: str
    mode: str
    saved: Mapping[str, int] = EMPTY   # where registers have been stored


class Step(NamedTuple):
    """What is one frame up."""

    cfa: int | None
    caller: State | None
    reason: str = ""                   # why there is no caller
    entered: str = ""                  # the exception or signal whose frame was found
