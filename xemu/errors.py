"""The errors a user can do something about; each message is one line that says what to do next."""

from __future__ import annotations


class XemuError(Exception):
    """Anything the user can fix."""

    exit_code = 125


class ImageError(XemuError):
    """The program file cannot be loaded (exit code 126, as `env` and `timeout` do)."""

    exit_code = 126


class NotFoundError(XemuError):
    """A named file does not exist (exit code 127)."""

    exit_code = 127


class UsageError(XemuError):
    """The command line does not make sense."""

    exit_code = 2


class MachineError(XemuError):
    """The board does not make sense."""


class IsaError(XemuError):
    """An instruction row is wrong; the message names file and line."""
