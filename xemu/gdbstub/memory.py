"""Memory: m, M, x, X, search, checksums. Looking never has an effect on the guest."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError, UnsupportedError
from xemu.gdbstub.framing import PACKET_SIZE
from xemu.gdbstub.replies import OK
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client

EFAULT = 0x0E
PIECE = 1 << 16                   # bytes that are read from the guest at once
LONGEST_SEARCH = 1 << 32
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


async def peek(client: Client, address: int, length: int) -> bytes:
    """Return what can be read; RspError where nothing can."""
    data: bytes = await client.ask(lambda debugger: debugger.read_memory(address, length))
    if length and not data:
        raise RspError(f"{address:#x} cannot be read", EFAULT)
    return data


async def poke(client: Client, address: int, data: bytes) -> str:
    """Change memory; RspError where there is none."""
    if data and not await client.ask(lambda debugger: debugger.write_memory(address, data)):
        raise RspError(f"{address:#x} cannot be written", EFAULT)
    return OK


@packet("m{address:hex},{length:hex}")
async def read_memory(client: Client, address: int, length: int) -> str:
    """Return memory as hex digits, as much as there is."""
    return (await peek(client, address, min(length, (PACKET_SIZE - 16) // 2))).hex()


@packet("x{address:hex},{length:hex}", feature="binary-upload+")
async def read_binary(client: Client, address: int, length: int) -> bytes:
    """Return memory as bytes. LLDB's packet of this name has no `b` in front; it asks with length 0 whether there is one."""
    if not length:
        raise UnsupportedError
    return b"b" + await peek(client, address, min(length, PACKET_SIZE // 2 - 16))


@packet("M{address:hex},{length:hex}:{data:hexdata}", writes=True)
async def write_memory(client: Client, address: int, length: int, data: bytes) -> str:
    """Change memory."""
    if len(data) != length:
        raise RspError(f"{length} bytes are announced, {len(data)} are there", 0x16)
    return await poke(client, address, data)


@packet("X{address:hex},{length:hex}:{data:binary}", writes=True)
async def write_binary(client: Client, address: int, length: int, data: bytes) -> str:
    """Change memory. GDB asks with length 0 whether there is this packet."""
    if len(data) != length:
        raise RspError(f"{length} bytes are announced, {len(data)} are there", 0x16)
    return await poke(client, address, data)


@packet("qSearch:memory:{address:hex};{length:hex};{pattern:binary}")
async def search(client: Client, address: int, length: int, pattern: bytes) -> str:
    """Find bytes in memory."""
    if not pattern:
        raise RspError("nothing to search for", 0x16)
    end, tail = address + min(length, LONGEST_SEARCH), b""
    while address < end:
        data: bytes = await client.ask(_reader(address, min(PIECE, end - address)))
        if not data:
            break
        found = (tail + data).find(pattern)
        if found >= 0:
            return f"1,{address - len(tail) + found:x}"
        tail = (tail + data)[1 - len(pattern):] if len(pattern) > 1 else b""
        address += len(data)
    return "0"


@packet("qCRC:{address:hex},{length:hex}")
async def checksum(client: Client, address: int, length: int) -> str:
    """Return the CRC-32 of memory that `compare-sections` compares with: most significant bit first, not inverted."""
    end, state = address + length, 0
    while address < end:
        data = await peek(client, address, min(PIECE, end - address))
        state = zlib.crc32(data.translate(_REVERSED), state)
        address += len(data)
    return f"C{int(f'{state ^ 0xFFFF_FFFF:032b}'[::-1], 2):x}"


def _reader(address: int, length: int) -> Any:
    return lambda debugger: debugger.read_memory(address, length)
