"""xemu's speed, side by side with QEMU's user mode and with native code, in one run on one machine."""
