"""All packets: importing this fills the table. A new file of packets is one more name here."""

from __future__ import annotations

from xemu.gdbstub import (
    files,
    flash,
    general,
    lldb,
    memory,
    monitor,
    nonstop,
    points,
    processes,
    registers,
    resume,
    transfer,
)

MODULES = (files, flash, general, lldb, memory, monitor, nonstop, points, processes, registers, resume, transfer)
