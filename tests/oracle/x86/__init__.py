"""Single x86 instructions, run by the host's processor from exact states."""
