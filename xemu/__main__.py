"""`python -m xemu`."""

from xemu.cli.main import entry

entry()
