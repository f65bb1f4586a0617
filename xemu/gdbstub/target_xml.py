"""Target descriptions: which registers there are, in GDB's features, made from the declared registers of a target.

GDB manual, appendix G "Target Descriptions"; the features GDB acts on are in G.5.3 "ARM Features". Registers are numbered
in the order of the table unless a row says otherwise; `g` has them in the order of their numbers, without gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from xemu.gdbstub.agent import AgentError
from xemu.gdbstub.replies import document, element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.core.state import StateLayout


@dataclass(frozen=True)
class Register:
    """One register as the remote protocol has it."""

    number: int
    name: str
    bits: int
    kind: str = "int"              # GDB's type, or the name of a flags type of its feature
    group: str = ""
    role: str = ""                 # LLDB's generic name: pc sp fp ra flags arg1 …
    section: str = ""              # where screens show it, if not with its feature
    kept: bool = True              # GDB puts it back after it has called a function
    words: Callable[[int], str] | None = None        # how screens write its fields, where GDB has no type for them

    @property
    def size(self) -> int:
        """Return the bytes it takes in a packet."""
        return (self.bits + 7) // 8


@dataclass(frozen=True)
class Flags:
    """A type whose bits GDB shows by name."""

    name: str
    bits: int
    fields: tuple[tuple[str, int, int], ...]        # (name, lowest bit, highest bit)

    def xml(self) -> str:
        """Return the type's definition."""
        rows = [element("field", {"name": name, "start": low, "end": high} | ({} if low == high else {"type": "uint32"}))
                for name, low, high in self.fields]
        return f'<flags id="{self.name}" size="{self.bits // 8}">' + "".join(rows) + "</flags>"


@dataclass(frozen=True)
class Composite:
    """A type of the same bytes seen in several ways: vectors of a few numbers, each with its name in the union."""

    name: str
    vectors: tuple[tuple[str, str, str, int], ...]   # (name of the vector, of its member in the union, type of its elements, how many)
    plain: tuple[tuple[str, str], ...] = ()          # (name in the union, type) that are no vectors
    plain_first: bool = False

    def xml(self) -> str:
        """Return the definitions."""
        rows = [element("vector", {"id": name, "type": kind, "count": count}) for name, _, kind, count in self.vectors]
        fields = [element("field", {"name": field, "type": name}) for name, field, _, _ in self.vectors]
        others = [element("field", {"name": name, "type": kind}) for name, kind in self.plain]
        fields = others + fields if self.plain_first else fields + others
        return "".join(rows) + f'<union id="{self.name}">' + "".join(fields) + "</union>"


@dataclass(frozen=True)
class Feature:
    """Registers that belong together."""

    name: str
    registers: tuple[Register, ...]
    types: tuple[Flags | Composite, ...] = ()

    def xml(self) -> Iterator[str]:
        """Yield the lines of the feature."""
        yield f'<feature name="{self.name}">'
        for kind in self.types:
            yield "  " + kind.xml()
        for register in self.registers:
            row = {"name": register.name, "bitsize": register.bits, "type": register.kind, "regnum": register.number}
            more = ({"group": register.group} if register.group else {}) | ({} if register.kept else {"save-restore": "no"})
            yield "  " + element("reg", row | more)
        yield "</feature>"


@dataclass(frozen=True)
class Description:
    """All that GDB learns about an architecture's registers."""

    architecture: str
    features: tuple[Feature, ...]
    triple: str                                     # LLVM's name, for LLDB
    expedited: tuple[str, ...]                      # what stop replies carry
    big: bool = False
    before_access: bool = True                      # GDB expects watchpoints before the access and makes it itself
    leading: tuple[str, ...] = ()                   # what screens show first
    into_handlers: bool = False                     # steps end where signals' handlers begin, as the kernel's do on this processor
    registers: tuple[Register, ...] = field(init=False)

    def __post_init__(self) -> None:
        rows = sorted((r for f in self.features for r in f.registers), key=lambda r: r.number)
        object.__setattr__(self, "registers", tuple(rows))

    def by_number(self, number: int) -> Register | None:
        """Return a register by its number in packets."""
        return next((r for r in self.registers if r.number == number), None)

    def name_of(self, number: int) -> str:
        """Return the name of a register; AgentError where there is none."""
        register = self.by_number(number)
        if register is None:
            raise AgentError(f"no register {number}")
        return register.name

    def by_name(self, name: str) -> Register:
        """Return a register by name."""
        return next(r for r in self.registers if r.name == name)

    def xml(self, osabi: str = "") -> str:
        """Return target.xml."""
        body = [element("architecture", {}, self.architecture)]
        if osabi:
            body.append(element("osabi", {}, osabi))
        for feature in self.features:
            body += feature.xml()
        return document("target", body, 'version="1.0"', "gdb-target.dtd")


class Numbering:
    """Gives registers their numbers, in order."""

    def __init__(self) -> None:
        self.next = 0

    def registers(self, names: str, bits: int = 32, *, kind: str = "int", group: str = "", at: int | None = None,
                  section: str = "") -> tuple[Register, ...]:
        """Return registers of one kind; a name may carry LLDB's role: `r0=arg1`, and a GDB type: `pc:code_ptr`."""
        self.next = self.next if at is None else at
        rows = []
        for text in names.split():
            plain, _, role = text.partition("=")
            name, _, own = plain.partition(":")
            rows.append(Register(self.next, name, bits, own or kind, group, role, section))
            self.next += 1
        return tuple(rows)

    def feature(self, name: str, *groups: tuple[Register, ...], types: tuple[Flags | Composite, ...] = ()) -> Feature:
        """Return a feature."""
        return Feature(name, tuple(r for rows in groups for r in rows), types)


def bits_of(text: str) -> tuple[tuple[str, int, int], ...]:
    """Read flag fields from text: "N:31 GE:16-19"; GDB wants them in ascending order."""
    rows = []
    for word in text.split():
        name, _, places = word.partition(":")
        low, _, high = places.partition("-")
        rows.append((name, int(low), int(high or low)))
    return tuple(sorted(rows, key=lambda row: row[1]))


# -- ARM ---------------------------------------------------------------------------------------------------------------
#: how a name of the layout's core registers is shown: GDB's type and LLDB's role
CORE = {"r0": "r0=arg1", "r1": "r1=arg2", "r2": "r2=arg3", "r3": "r3=arg4", "r11": "r11=fp", "sp": "sp:data_ptr=sp", "lr": "lr=ra",
        "pc": "pc:code_ptr=pc"}
STATUS = 25                      # the number of CPSR and xPSR; 16 to 24 were the FPA's registers
CPSR = Flags("cpsr_type", 32, bits_of("N:31 Z:30 C:29 V:28 Q:27 IT1:25-26 J:24 GE:16-19 IT7:10-15 E:9 A:8 I:7 F:6 T:5 M:0-4"))
XPSR = Flags("xpsr_type", 32, bits_of("N:31 Z:30 C:29 V:28 Q:27 IT1:25-26 T:24 GE:16-19 IT7:10-15 IPSR:0-8"))
CONTROL = Flags("control_type", 32, bits_of("nPRIV:0 SPSEL:1 FPCA:2"))
MASK = Flags("mask_type", 32, bits_of("PM:0"))
FPSCR = Flags("fpscr_type", 32, bits_of("N:31 Z:30 C:29 V:28 QC:27 AHP:26 DN:25 FZ:24 RMode:22-23 Stride:20-21 Len:16-18 "
                                        "IDC:7 IXC:4 UFC:3 OFC:2 DZC:1 IOC:0"))


def _core(numbers: Numbering, layout: StateLayout, feature: str, status: str, kind: Flags) -> Feature:
    names = " ".join(CORE.get(name, name) for name in layout.cells["R"].names)
    rows = numbers.registers(names, layout.cells["R"].width, kind="uint32")
    return numbers.feature(feature, rows, numbers.registers(f"{status}=flags", kind=kind.name, at=STATUS), types=(kind,))


def _vfp(numbers: Numbering, layout: StateLayout, count: int) -> Feature:
    names = " ".join(layout.cells["D"].names[:count])
    return numbers.feature("org.gnu.gdb.arm.vfp", numbers.registers(names, layout.cells["D"].width, kind="ieee_double"),
                           numbers.registers("fpscr", kind="fpscr_type", group="float"), types=(FPSCR,))


def _time(numbers: Numbering) -> Feature:
    """Where in the run a machine stands: `print $insns`. Programs have none: registers stay as they are while GDB calls a function."""
    rows = numbers.registers("insns", 64, kind="uint64", group="system")
    return numbers.feature("org.xemu.time", tuple(replace(row, kept=False) for row in rows))


def arm() -> Description:
    """Describe the A profile in user mode."""
    from xemu.targets.arm.layout import LAYOUT

    numbers = Numbering()
    features = (
        _core(numbers, LAYOUT, "org.gnu.gdb.arm.core", "cpsr", CPSR),
        _vfp(numbers, LAYOUT, 32),
        numbers.feature("org.gnu.gdb.arm.neon"),
        numbers.feature("org.gnu.gdb.arm.tls", numbers.registers("tpidruro:data_ptr")),
        numbers.feature("org.xemu.arm.system", numbers.registers("tpidrurw:data_ptr", group="system")))
    return Description("arm", features, "arm--linux-gnueabihf", ("r7", "r11", "sp", "lr", "pc", "cpsr"))


def arm_m(*, fpu: bool = True) -> Description:
    """Describe the M profile."""
    from xemu.targets.arm.layout import M_LAYOUT

    numbers = Numbering()
    core = _core(numbers, M_LAYOUT, "org.gnu.gdb.arm.m-profile", "xpsr", XPSR)
    system = numbers.feature(
        "org.gnu.gdb.arm.m-system",
        numbers.registers("msp:data_ptr psp:data_ptr", group="system"),
        numbers.registers("primask:mask_type basepri:uint32 faultmask:mask_type control:control_type", group="system"),
        types=(CONTROL, MASK))
    floats = (_vfp(numbers, M_LAYOUT, 16),) if fpu else ()
    return Description("arm", (core, system, *floats, _time(numbers)), "thumbv7em-none-eabi", ("r7", "r11", "sp", "lr", "pc", "xpsr"))


def x86_64() -> Description:
    """Describe 64-bit x86 in user mode."""
    from xemu.gdbstub import target_x86

    return target_x86.x86_64()


def i386() -> Description:
    """Describe 32-bit x86 in user mode."""
    from xemu.gdbstub import target_x86

    return target_x86.i386()


def ppc() -> Description:
    """Describe 32-bit PowerPC in user mode."""
    from xemu.gdbstub import target_ppc

    return target_ppc.ppc()


def ppc64le() -> Description:
    """Describe 64-bit PowerPC in user mode, little-endian."""
    from xemu.gdbstub import target_ppc

    return target_ppc.ppc64le()


#: architecture -> how it is described; a new one is a function here
DESCRIPTIONS = {"arm": arm, "arm-m": arm_m, "x86_64": x86_64, "i386": i386, "ppc": ppc, "ppc64le": ppc64le}


@lru_cache(maxsize=16)
def describe(arch: str, *, fpu: bool = True) -> Description:
    """Return the description of an architecture; KeyError for an unknown one."""
    return arm_m(fpu=fpu) if arch == "arm-m" else DESCRIPTIONS[arch]()
