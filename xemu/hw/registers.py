"""Register maps as declarations: fields with their access kinds, registers, and the values behind them.

    CR = Reg(0x030, "Control", reset=0x300, UARTEN=RW[0], TXE=RW[8], MODE=RW[2:1](idle=0, run=1), CTSEN=TODO[15])
    CC = Reg(0x540, "Capture/compare", count=4)                 # CC[0] … CC[3], 4 bytes apart

Kinds: RW, RO (writes ignored), WO (reads as 0), W1C and W1S (a 1 clears, sets), RC (a read clears), TODO (kept, but it
has no effect: touching it says so). Bits without a field read as they are at reset. A register without fields is RW.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, overload

from xemu.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.hw.device import Device


class FieldSpec:
    """Bits high…low of a register and what the guest may do with them. Calling it names values."""

    __slots__ = ("high", "kind", "low", "names")

    def __init__(self, kind: str, high: int, low: int, names: dict[str, int] | None = None) -> None:
        self.kind, self.high, self.low, self.names = kind, high, low, names or {}

    def __call__(self, **names: int) -> FieldSpec:
        """Name the field's values (for people: panes, traces, documentation)."""
        return FieldSpec(self.kind, self.high, self.low, names)

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return (2 << self.high) - (1 << self.low)


class Kind:
    """An access kind: index it with a bit number or high:low."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, bits: int | slice) -> FieldSpec:
        high, low = (bits.start, bits.stop) if isinstance(bits, slice) else (bits, bits)
        return FieldSpec(self.name, high, low)


RW, RO, WO, W1C, W1S, RC, TODO = (Kind(n) for n in ("RW", "RO", "WO", "W1C", "W1S", "RC", "TODO"))


class Reg:
    """One register (or `count` of them, `stride` bytes apart) at a byte offset; `width` in bits.

    `sizes` are the access sizes in bytes the register takes; left out, the device's. The decorators name hooks; a hook
    of an array takes the index first.
    """

    def __init__(self, offset: int, title: str = "", *, reset: int = 0, width: int = 32, count: int = 0, stride: int = 0,
                 access: Kind = RW, sizes: tuple[int, ...] = (), **fields: FieldSpec) -> None:
        self.offset, self.title, self.reset, self.width = offset, title, reset, width
        self.count, self.stride, self.sizes = count, stride or width // 8, sizes
        self.full = (1 << width) - 1
        self.fields = fields or {"VALUE": FieldSpec(access.name, width - 1, 0)}
        self.name = ""
        self.hooks: dict[str, str] = {}                    # kind of hook -> name of the method
        masks = {k.name: 0 for k in (RW, RO, WO, W1C, W1S, RC, TODO)}
        for name, spec in self.fields.items():
            if spec.high >= width or spec.low > spec.high:
                msg = f"field {name}[{spec.high}:{spec.low}] is not in a register of {width} bits"
                raise MachineError(msg)
            if any(m & spec.mask for m in masks.values()):
                msg = f"field {name}[{spec.high}:{spec.low}] overlaps another field"
                raise MachineError(msg)
            masks[spec.kind] |= spec.mask
        self.writable = masks["RW"] | masks["TODO"]
        self.w1c, self.w1s, self.rc, self.todo = masks["W1C"], masks["W1S"], masks["RC"], masks["TODO"]
        self.readable = self.full & ~masks["WO"]
        self.view_class: type[RegView] = RegView

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        fields: dict[str, Any] = {n: _field_property(spec) for n, spec in self.fields.items() if not hasattr(RegView, n)}
        self.view_class = type(f"{name}View", (RegView,), {"__slots__": (), **fields})

    # -- hooks ---------------------------------------------------------------------------------------------------
    def _hook(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if kind in self.hooks:
            msg = f"{self.name or self.title}: two hooks for {kind}"
            raise MachineError(msg)
        self.hooks[kind] = function.__name__
        return function

    def computed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what the register reads as: a pure function of declared state. A debugger's look runs nothing else."""
        return self._hook("computed", function)

    def live(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what the register reads as where that changes with time alone (counters)."""
        return self._hook("live", function)

    def counts(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what the register shows of a timer: f() returns a `Count` (native code works it out), or a number where it stands."""
        return self._hook("counts", function)

    def on_read(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what a guest's read does besides giving the value."""
        return self._hook("on_read", function)

    def on_write(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what a guest's write does, after RW, W1C and W1S fields have changed: f(value) or f(value, old)."""
        return self._hook("on_write", function)

    def on_posted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what takes writes in bulk, f(values), while the device has said `posted` (see Device.post)."""
        return self._hook("on_posted", function)

    # -- access from device code ---------------------------------------------------------------------------------
    @overload
    def __get__(self, device: None, owner: type) -> Reg: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Any: ...
    def __get__(self, device: Device | None, owner: type) -> Any:
        return self if device is None else device._views[self.name]  # noqa: SLF001  the two are one mechanism

    def __set__(self, device: Device, value: Any) -> None:
        view = device._views[self.name]  # noqa: SLF001
        if isinstance(view, RegArray):
            if value is not view:
                msg = f"{self.name} is an array of registers; assign to {self.name}[i]"
                raise MachineError(msg)
            return
        view.value = int(value)


def _field_property(spec: FieldSpec) -> property:
    low, mask, ones = spec.low, spec.mask, spec.mask >> spec.low

    def get(view: RegView) -> int:
        return (view.value & mask) >> low

    def put(view: RegView, value: Any) -> None:
        view.value = view.value & ~mask | (int(value) & ones) << low
    return property(get, put)


class RegView:
    """The value of a register of one device, with its fields as attributes. It behaves like an int."""

    __slots__ = ("device", "index", "reg", "slot")

    def __init__(self, device: Device, reg: Reg, slot: int, index: int) -> None:
        self.device, self.reg, self.slot, self.index = device, reg, slot, index

    @property
    def value(self) -> int:
        """The bits, as the device sees them: for a computed register what it reads as."""
        return self.device._get(self.slot)  # noqa: SLF001

    @value.setter
    def value(self, bits: int) -> None:
        self.device._set(self.slot, bits & self.reg.full)  # noqa: SLF001

    def __index__(self) -> int:
        return self.value

    __int__ = __index__

    def __bool__(self) -> bool:
        return self.value != 0

    def __eq__(self, other: object) -> bool:
        return self.value == other

    __hash__ = None  # type: ignore[assignment]

    def __invert__(self) -> int:
        return ~self.value

    def __repr__(self) -> str:
        index = f"[{self.index}]" if self.reg.count else ""
        return f"{self.reg.name}{index}={self.value:#x}"


def _forward(name: str) -> None:
    function = getattr(operator, name)

    def plain(view: RegView, other: Any) -> Any:
        return function(view.value, int(other))

    def reflected(view: RegView, other: Any) -> Any:
        return function(int(other), view.value)
    setattr(RegView, name, plain)
    if name not in ("__lt__", "__le__", "__gt__", "__ge__"):
        setattr(RegView, f"__r{name[2:]}", reflected)


for _name in ("__and__", "__or__", "__xor__", "__add__", "__sub__", "__mul__", "__floordiv__", "__mod__", "__lshift__", "__rshift__",
              "__lt__", "__le__", "__gt__", "__ge__"):
    _forward(_name)


class RegArray:
    """The registers of an array."""

    __slots__ = ("views",)

    def __init__(self, views: list[RegView]) -> None:
        self.views = views

    def __getitem__(self, index: int) -> Any:
        return self.views[index]

    def __setitem__(self, index: int, value: Any) -> None:
        self.views[index].value = int(value)

    def __len__(self) -> int:
        return len(self.views)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.views)
