"""All rows of PowerPC: importing this registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = """
    atomic
    bcd
    branch
    decimal
    fixed_point
    fp_arithmetic
    fp_control
    fp_load_store
    load_multiple
    load_store
    logical
    multiply
    privileged
    rotate
    special
    storage
    vmx_arithmetic
    vmx_crypto
    vmx_decimal
    vsx_quad
    vsx_quad_parts
    vmx_float
    vmx_load
    vmx_logic
    vmx_multiply
    vmx_permute
    vsx_arithmetic
    vsx_compare
    vsx_convert
    vsx_memory
    vsx_moves
    vsx_parts
"""

for name in MODULES.split():
    import_module(f"xemu.targets.ppc.{name}")
