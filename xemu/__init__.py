"""xemu: an emulator whose machines are described in Python and run as native code."""

__version__ = "0.1.0"
