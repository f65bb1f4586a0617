"""32-bit ARM: ARMv7-A, A32 and T32, VFPv4 and Advanced SIMD. Manual: ARM DDI 0406C (the ARM ARM)."""
