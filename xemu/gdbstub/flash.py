"""Writing flash memory as `load` does it: erase, write, and do it all at the end. GDB manual, appendix E.4 `vFlashErase`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.replies import OK
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client

ERASED = b"\xff"
MOST = 1 << 28                    # bytes that may wait for vFlashDone


@packet("vFlashErase:{address:hex},{length:hex}", kind="machine", writes=True)
async def erase(client: Client, address: int, length: int) -> str:
    """Erase blocks of flash."""
    flash = await client.ask(lambda debugger: [e for e in debugger.system.memory_map() if e.kind == "flash"])
    if not any(entry.start <= address and address + length <= entry.end for entry in flash):
        return "E.memtype"
    _keep(client, address, ERASED * length)
    return OK


@packet("vFlashWrite:{address:hex}:{data:binary}", kind="machine", writes=True)
async def write(client: Client, address: int, data: bytes) -> str:
    """Write to erased flash."""
    _keep(client, address, data)
    return OK


@packet("vFlashDone", kind="machine", writes=True)
async def done(client: Client) -> str:
    """Do what was asked for."""
    pieces, client.flash = client.flash, []

    def program(debugger: Any) -> int | None:
        return next((address for address, data in pieces if not debugger.write_memory(address, data)), None)

    failed = await client.ask(program)
    if failed is not None:
        raise RspError(f"{failed:#x} cannot be written", 0x0E)
    return OK


def _keep(client: Client, address: int, data: bytes) -> None:
    if len(data) + sum(len(piece) for _, piece in client.flash) > MOST:
        raise RspError("more than fits", 0x0C)
    client.flash.append((address, data))
