"""The memory protection unit of ARMv7-M (PMSAv7; DDI 0403E B3.5) and the default memory map's execute-never regions.

Rights become page flags, so that checked memory costs nothing; a page whose rights differ within it gets them by 32
bytes (the smallest region). A plan is made once for each configuration and privilege.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.memory import CLEAN, CODE, EXEC, PAGE, READ, SHARED, SLOW, WRITE, with_fast_write
from xemu.core.records import GRAIN

if TYPE_CHECKING:
    from xemu.hw.cortex_m.cores import CortexM

ALL = READ | WRITE | EXEC
#: AP -> rights privileged, unprivileged (B3.5.9 table B3-15)
ACCESS = {0: (0, 0), 1: (3, 0), 2: (3, 1), 3: (3, 3), 5: (1, 0), 6: (1, 1), 7: (1, 1)}
#: the default map: start, end, executable (B3.1)
DEFAULT_XN = ((0x4000_0000, 0x6000_0000), (0xA000_0000, 0x1_0000_0000))
PPB = (0xE000_0000, 0xE010_0000)


class Region(NamedTuple):
    """An enabled region: bytes start…end-1, disabled subregions as bits, rights by privilege."""

    start: int
    end: int
    disabled: int
    privileged: int
    user: int

    @classmethod
    def of(cls, rbar: int, rasr: int) -> Region | None:
        """Read RBAR and RASR; None where the region is off or its size is not allowed."""
        exponent = (rasr >> 1 & 31) + 1
        if not rasr & 1 or exponent < 5:
            return None
        size = 1 << exponent
        start = rbar & -size & 0xFFFFFFE0
        execute = 0 if rasr >> 28 & 1 else EXEC
        priv, user = (r | (execute if r & READ else 0) for r in ACCESS.get(rasr >> 24 & 7, (0, 0)))
        return cls(start, start + size, rasr >> 8 & 0xFF if size >= 256 else 0, priv, user)

    def covers(self, address: int) -> bool:
        """Whether an address is in an enabled part."""
        if not self.start <= address < self.end:
            return False
        return not self.disabled >> ((address - self.start) * 8 // (self.end - self.start)) & 1

    def edges(self) -> list[int]:
        """Return where rights may change."""
        step = (self.end - self.start) // 8 if self.disabled else self.end - self.start
        return list(range(self.start, self.end + 1, step))


def default_rights(address: int) -> int:
    """Return the rights of the default memory map."""
    return ALL & ~EXEC if any(a <= address < b for a, b in DEFAULT_XN) else ALL


class Plan(NamedTuple):
    """Rights of all memory: runs of pages (first, count, rights, is device), and pages with rights by grain."""

    runs: tuple[tuple[int, int, int, bool], ...]
    fine: dict[int, bytes]


class MpuState:
    """CTRL and the regions of one core."""

    def __init__(self, core: CortexM, count: int) -> None:
        self.core, self.count = core, count
        self.ctrl = 0                                  # ENABLE 0, HFNMIENA 1, PRIVDEFENA 2
        self.rbar, self.rasr = [0] * max(count, 1), [0] * max(count, 1)
        self.regions: tuple[Region | None, ...] = ()
        self.plans: dict[Any, Plan] = {}
        self.applied: Any = None

    def reset(self) -> None:
        """Switch it off."""
        self.ctrl = 0
        self.rbar, self.rasr = [0] * max(self.count, 1), [0] * max(self.count, 1)
        self.changed()

    def changed(self) -> None:
        """Read the registers anew."""
        self.regions = tuple(Region.of(b, a) for b, a in zip(self.rbar, self.rasr, strict=True))

    @property
    def enabled(self) -> bool:
        """Whether it decides now: not in HardFault and NMI unless HFNMIENA says so."""
        if not self.ctrl & 1:
            return False
        cells = self.core.cells
        return bool(self.ctrl & 2) or (cells["IPSR"].value not in (2, 3) and not cells["FAULTMASK"].value)

    # -- decisions -------------------------------------------------------------------------------------------------------
    def rights(self, address: int, *, privileged: bool) -> int:
        """Return READ, WRITE, EXEC at an address."""
        if not self.enabled or PPB[0] <= address < PPB[1]:
            return default_rights(address)
        for region in reversed(self.regions):
            if region is not None and region.covers(address):
                rights = region.privileged if privileged else region.user
                return rights & (default_rights(address) | READ | WRITE) if address >= 0xE000_0000 else rights
        return default_rights(address) if self.ctrl & 4 and privileged else 0

    def allows(self, address: int, size: int, access: int, *, privileged: bool) -> bool:
        """Whether an access of `size` bytes may be made."""
        last = address + size - 1
        edges = [address, *(range((address | GRAIN - 1) + 1, last + 1, GRAIN))] if self.enabled else [address]
        return all(self.rights(a & 0xFFFFFFFF, privileged=privileged) & access == access for a in edges)

    # -- page flags ------------------------------------------------------------------------------------------------------
    def apply(self, *, as_user: bool = False) -> None:
        """Bring the page flags up to date with configuration and privilege (`as_user`: with an unprivileged access)."""
        privileged = self.core.privileged and not as_user
        key = (self.ctrl, self.regions, privileged) if self.enabled else None
        if key == self.applied:
            return
        plan = self.plans.get(key)
        if plan is None:
            if len(self.plans) > 256:
                self.plans.clear()
            plan = self.plans[key] = self._plan(privileged=privileged)
        before = self.plans.get(self.applied)
        if before is None:
            before = self.plans[None] = self.plans.get(None) or self._plan(privileged=True, off=True)
        same = key is not None and self.applied is not None and key[:2] == self.applied[:2]
        self._switch(before, plan, same_config=same)
        self.applied = key

    def _spans(self) -> list[tuple[int, int, int, bool]]:
        machine = self.core.machine
        spans = [(p.at, p.at + p.size, p.rights if hasattr(p, "rights") else p.of.rights, False)
                 for p in machine.parts.values() if hasattr(p, "place")]
        devices = {w.start & -PAGE: -(-w.end // PAGE) * PAGE for ws in machine.windows.values() for w in ws}
        spans += [(a, b, READ | WRITE, True) for a, b in devices.items()]
        for hole in machine.holes:
            spans += [(a, b, READ | WRITE, True) for a, b in machine._gaps(hole)]  # noqa: SLF001  the machine's own geometry
        return sorted(set(spans))

    def _plan(self, *, privileged: bool, off: bool = False) -> Plan:
        edges = {e for r in self.regions if r is not None for e in r.edges()} if not off else set()
        edges |= {e for pair in (*DEFAULT_XN, PPB) for e in pair}
        runs: list[tuple[int, int, int, bool]] = []
        fine: dict[int, bytes] = {}
        for start, end, bus, device in self._spans():
            inside = [e for e in edges if start < e < end]
            cuts = sorted({start, end, *(e & -PAGE for e in inside), *(-(-e // PAGE) * PAGE for e in inside)})
            for a, b in pairwise(c for c in cuts if start <= c <= end):
                if device or not any(a < e < b for e in inside):
                    runs.append((a >> 12, (b - a) >> 12, self._right(a, bus, privileged=privileged, off=off), device))
                else:                                                     # one page, with rights that differ within it
                    fine[a >> 12] = bytes(self._right(a + i, bus, privileged=privileged, off=off) for i in range(0, PAGE, GRAIN))
        return Plan(tuple(runs), fine)

    def _right(self, address: int, bus: int, *, privileged: bool, off: bool) -> int:
        if off:
            return bus & default_rights(address) if bus & EXEC else bus
        return bus & self.rights(address, privileged=privileged)

    def _switch(self, before: Plan, plan: Plan, *, same_config: bool) -> None:
        slow, space = self.core.engine.slow, self.core.space
        for page in before.fine:
            if page not in plan.fine:
                slow.plain(page << 12, 0)
        known = set(before.runs) if before.fine.keys() == plan.fine.keys() else set()
        for run in plan.runs:
            if run in known:
                continue
            first, count, rights, device = run
            if device:
                space.flags[first:first + count] = bytes((SLOW if rights & READ else 0,)) * count
            else:
                space.flags[first:first + count] = bytes(space.flags[first:first + count]).translate(_translation(rights))
        for page, grains in plan.fine.items():
            if before.fine.get(page) != grains:
                slow.fine(page << 12, grains)
                if all(r & EXEC for r in grains):              # else the core looks at each instruction: see CortexM._step_checked
                    space.flags[page] |= EXEC
        slow.rewatch()
        if not same_config:
            self._drop_code()

    def _drop_code(self) -> None:
        """Forget decoded code of pages that may not be executed any more."""
        engine, flags = self.core.engine, self.core.space.flags
        for address, _context in list(engine.pages):
            if not flags[address >> 12] & EXEC:
                engine.code_changed(address, PAGE)

    def save(self) -> Any:
        """Return the registers."""
        return [self.ctrl, list(self.rbar), list(self.rasr)]

    def load(self, data: Any) -> None:
        """Take back what `save` gave."""
        self.ctrl, self.rbar, self.rasr = data[0], list(data[1]), list(data[2])
        self.changed()


_tables: dict[int, bytes] = {}


def _translation(rights: int) -> bytes:
    """Return the table old flag byte -> flag byte with these rights."""
    if rights not in _tables:
        _tables[rights] = bytes(with_fast_write(rights | old & (CODE | CLEAN | SHARED)) for old in range(256))
    return _tables[rights]
