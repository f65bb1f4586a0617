"""All instruction rows of ARM: importing this module registers them with `a32`, `t32` and `t16`."""

from __future__ import annotations

from importlib import import_module

#: modules of rows, in the order of docs/isa-arm.md
MODULES = (
    "a32_data",
    "a32_multiply",
    "a32_media",
    "a32_memory",
    "a32_multiple",
    "a32_branch",
    "a32_undefined",
    "t16_data",
    "t16_memory",
    "t32_data",
    "t32_multiply",
    "t32_media",
    "t32_memory",
    "t32_branch",
    "t32_undefined",
    "vfp",
    "vfp_transfer",
    "neon_rows",
    "neon_fp",
)

for _name in MODULES:
    import_module(f"xemu.targets.arm.{_name}")
