"""All instruction rows of the M profile: importing this module registers them with `m16` and `m32`."""

from __future__ import annotations

from importlib import import_module

from xemu.targets.arm.isa import t16, t32
from xemu.targets.arm.m_isa import MODULES, m16, m32, take_over

for _name in MODULES:
    import_module(f"xemu.targets.arm.{_name}")
take_over(t16, m16)
take_over(t32, m32)
for _name in ("m_system", "m_exceptions", "m_fp"):
    import_module(f"xemu.targets.arm.{_name}")
