"""All rows of PowerPC: importing this registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = """
    branch
    fixed_point
    load_store
    fp_arithmetic
    fp_control
    fp_load_store
"""

for name in MODULES.split():
    import_module(f"xemu.targets.ppc.{name}")
