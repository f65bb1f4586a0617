"""Cortex-M cores: exception model, NVIC, SysTick, MPU, system control space, debug components, semihosting."""

from xemu.hw.cortex_m.cores import CortexM0, CortexM3, CortexM4, CortexM7

__all__ = ["CortexM0", "CortexM3", "CortexM4", "CortexM7"]
