"""Registers: g, G, p, P. LLDB names the thread behind the packet (QThreadSuffixSupported)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.general import chosen_thread
from xemu.gdbstub.replies import OK, register_text
from xemu.gdbstub.table import ThreadId, packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client
    from xemu.gdbstub.target_xml import Register


def read(debugger: Any, register: Register, thread: int) -> int | None:
    """Return a register's value."""
    if register.name == "insns":
        return int(debugger.position.insns)
    value: int | None = debugger.read_register(register.name, thread)
    return value


@packet("g[;thread:{thread:thread};]")
async def read_all(client: Client, thread: ThreadId | None) -> str:
    """Return all registers."""
    description = client.description

    def collect(debugger: Any) -> str:
        number = chosen_thread(client, debugger, thread)
        return "".join(register_text(read(debugger, register, number), register.size, big=description.big)
                       for register in description.registers)

    text: str = await client.ask(collect)
    return text


@packet("G{data:registers}[;thread:{thread:thread};]", writes=True)
async def write_all(client: Client, data: str, thread: ThreadId | None) -> str:
    """Change all registers; those that did not change are left alone, so that GDB may write back what it has read."""
    description = client.description

    def change(debugger: Any) -> None:
        number, at = chosen_thread(client, debugger, thread), 0
        for register in description.registers:
            piece = data[at:at + 2 * register.size]
            at += 2 * register.size
            if len(piece) < 2 * register.size:
                return
            if "x" in piece:                     # it could not be read
                continue
            value = int.from_bytes(bytes.fromhex(piece), "big" if description.big else "little")
            if register.name != "insns" and read(debugger, register, number) not in (value, None):
                debugger.write_register(register.name, value, number)

    if len(data) > 2 * sum(register.size for register in description.registers):
        raise RspError("more bytes than there are registers", 0x16)
    await client.ask(change)
    return OK


@packet("p{number:hex}[;thread:{thread:thread};]")
async def read_one(client: Client, number: int, thread: ThreadId | None) -> str:
    """Return a register."""
    register = _register(client, number)
    value = await client.ask(lambda debugger: read(debugger, register, chosen_thread(client, debugger, thread)))
    return register_text(value, register.size, big=client.description.big)


@packet("P{number:hex}={data:hexdata}[;thread:{thread:thread};]", writes=True)
async def write_one(client: Client, number: int, data: bytes, thread: ThreadId | None) -> str:
    """Change a register."""
    register = _register(client, number)
    if len(data) != register.size:
        raise RspError(f"{register.name} has {register.size} bytes, not {len(data)}", 0x16)
    if register.name == "insns":
        raise RspError("insns shows where the program is in time; `monitor seek` goes elsewhere", 0x16)
    value = int.from_bytes(data, "big" if client.description.big else "little")
    done = await client.ask(
        lambda debugger: debugger.write_register(register.name, value, chosen_thread(client, debugger, thread)))
    if done is False:
        raise RspError(f"{register.name} cannot be changed", 0x16)
    return OK


def _register(client: Client, number: int) -> Register:
    register = client.description.by_number(number)
    if register is None:
        raise RspError(f"no register {number}", 0x16)
    return register
