"""The architectures xemu knows: one line each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.core.target import Target

TARGETS = {"arm": "xemu.targets.arm.target:TARGET", "arm-m": "xemu.targets.arm.m_target:TARGET",
           "ppc": "xemu.targets.ppc.target:PPC32", "ppc64le": "xemu.targets.ppc.target:PPC64LE",
           "x86_64": "xemu.targets.x86.target:X86_64", "i386": "xemu.targets.x86.target:I386"}


def get_target(name: str) -> Target:
    """Return a target by name; raises UsageError for an unknown one."""
    if name not in TARGETS:
        msg = f"no target {name!r}; there are: {', '.join(TARGETS)}"
        raise UsageError(msg)
    module, _, attribute = TARGETS[name].partition(":")
    target: Target = getattr(import_module(module), attribute)
    return target
