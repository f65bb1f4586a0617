"""Linux on 32-bit ARM (EABI): numbers, layouts, signal frames, the kernel helper page."""
