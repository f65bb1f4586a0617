"""Single ARM instructions, run by a reference emulator from exact states."""
