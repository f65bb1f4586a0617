"""Single PowerPC instructions, run by QEMU from exact states."""
