"""All rows of PowerPC: importing this registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = """
    branch
    fixed_point
    load_store
    vsx_memory
    vsx_moves
    vsx_parts
    vsx_arithmetic
    vsx_compare
    vsx_convert
    vmx_float
    fp_arithmetic
"""

for name in MODULES.split():
    import_module(f"xemu.targets.ppc.{name}")
