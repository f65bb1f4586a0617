"""All rows of PowerPC: importing this registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = """
    branch
    fixed_point
    multiply
    logical
    rotate
    load_store
    load_multiple
    atomic
    special
    storage
    bcd
    privileged
    vmx_arithmetic
    vmx_crypto
    vmx_decimal
    vmx_load
    vmx_logic
    vmx_multiply
    vmx_permute
"""

for name in MODULES.split():
    import_module(f"xemu.targets.ppc.{name}")
