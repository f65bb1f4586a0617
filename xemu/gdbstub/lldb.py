"""What LLDB asks for besides GDB's packets. LLDB, docs/resources/lldbgdbremote.md."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.general import chosen_thread
from xemu.gdbstub.registers import read
from xemu.gdbstub.replies import OK, hexed
from xemu.gdbstub.table import ThreadId, packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client

TOP = 1 << 32                    # the end of the address space of 32-bit targets


@packet("qHostInfo", needs_target=False)
async def host_info(client: Client) -> str:
    """Describe the system that the program runs on."""
    known = client.server.session is not None
    triple = client.description.triple if known else "arm--linux-gnueabihf"
    return (f"triple:{hexed(triple)};{_data(client) if known else 'endian:little;ptrsize:4;'}watchpoint_exceptions_received:before;"
            f"hostname:{hexed('xemu')};")


def _data(client: Client) -> str:
    """Return the byte order and the size of an address."""
    description = client.description
    counter = next((row for row in description.registers if row.role == "pc"), description.registers[0])
    return f"endian:{'big' if description.big else 'little'};ptrsize:{counter.size};"


@packet("qProcessInfo")
async def process_info(client: Client) -> str:
    """Describe the program."""
    ostype = "linux" if client.kind == "process" else "none"
    return (f"pid:{client.process:x};parent-pid:1;real-uid:0;real-gid:0;effective-uid:0;effective-gid:0;"
            f"triple:{hexed(client.description.triple)};ostype:{ostype};{_data(client)}")


@packet("qMemoryRegionInfo:{address:hex}")
async def region_info(client: Client, address: int) -> str:
    """Describe the range around an address; a gap too."""
    entries = await client.ask(lambda debugger: sorted(debugger.system.memory_map(), key=lambda entry: int(entry.start)))
    for entry in entries:
        if entry.start <= address < entry.end:
            rights = entry.rights.replace("-", "")
            return f"start:{entry.start:x};size:{entry.end - entry.start:x};permissions:{rights};name:{hexed(entry.name)};"
    edges = [0, *(edge for entry in entries for edge in (entry.start, entry.end)), max(TOP, address + 1)]
    start, end = next((low, high) for low, high in pairwise(sorted(edges)) if low <= address < high)
    return f"start:{start:x};size:{end - start:x};"


@packet("QThreadSuffixSupported", needs_target=False)
async def thread_suffix(client: Client) -> str:
    """Name the thread behind register packets from now on."""
    client.thread_suffix = True
    return OK


@packet("QListThreadsInStopReply", needs_target=False)
async def list_threads(client: Client) -> str:
    """List all threads in stop replies from now on."""
    client.list_threads = True
    return OK


@packet("QEnableErrorStrings", needs_target=False)
async def error_strings(client: Client) -> str:
    """Put words into error replies from now on."""
    client.error_strings = True
    return OK


@packet("qThreadStopInfo{thread:thread}")
async def thread_stop(client: Client, thread: ThreadId) -> str:
    """Return why a thread stands."""
    number = client.find_thread(thread)
    if number not in await client.ask(lambda debugger: [info.id for info in debugger.system.threads()]):
        raise RspError(f"no thread {number}", 3)
    return await client.stop_text(thread=number)


@packet("jThreadsInfo")
async def threads_info(client: Client) -> str:
    """Return why all threads stand, as JSON."""
    def collect(debugger: Any) -> list[dict[str, Any]]:
        return [{"tid": info.id, "name": info.name,
                 "reason": "none" if info.id != debugger.stop.thread else "signal" if debugger.stop.kind.name == "SIGNAL" else "trap"}
                for info in debugger.system.threads()]

    return json.dumps(await client.ask(collect), separators=(",", ":"))


@packet("qWatchpointSupportInfo:", needs_target=False)
async def watchpoint_support(_client: Client) -> str:
    """Say how many watchpoints there may be."""
    return "num:1024;"


@packet("qVAttachOrWaitSupported", needs_target=False)
async def attach_or_wait(_client: Client) -> str:
    """There is nothing to wait for."""
    return ""


@packet("qGDBServerVersion", needs_target=False)
async def version(_client: Client) -> str:
    """Say who this is."""
    from xemu import __version__

    return f"name:xemu;version:{__version__};"


@packet("qRegisterInfo{number:hex}")
async def register_info(client: Client, number: int) -> str:
    """Describe a register, by its place in `g` (not GDB's number)."""
    rows = client.description.registers
    if number >= len(rows):
        raise RspError("no more registers", 0x45)
    row, offset = rows[number], sum(r.size for r in rows[:number])
    encoding = "ieee754" if "double" in row.kind else "uint"
    role = f"generic:{row.role};" if row.role else ""
    dwarf = f"dwarf:{number};" if number < 16 else ""
    return (f"name:{row.name};bitsize:{row.bits};offset:{offset};encoding:{encoding};format:{'float' if encoding != 'uint' else 'hex'};"
            f"set:{row.group or 'General Purpose Registers'};gcc:{number};{dwarf}{role}")


# -- keeping registers over a call of a function -----------------------------------------------------------------------------
@packet("QSaveRegisterState[;thread:{thread:thread};]", writes=True)
async def save_registers(client: Client, thread: ThreadId | None) -> str:
    """Keep all registers and return the number they are kept under."""
    def collect(debugger: Any) -> dict[str, int]:
        number = chosen_thread(client, debugger, thread)
        found = {row.name: read(debugger, row, number) for row in client.description.registers if row.name != "insns"}
        return {name: value for name, value in found.items() if value is not None}

    saved = await client.ask(collect)
    if len(client.saved) >= 64:
        client.saved.clear()
    number = max(client.saved, default=0) + 1
    client.saved[number] = saved
    return str(number)


@packet("QRestoreRegisterState:{number:int}[;thread:{thread:thread};]", writes=True)
async def restore_registers(client: Client, number: int, thread: ThreadId | None) -> str:
    """Take back what was kept."""
    values = client.saved.pop(number, None)
    if values is None:
        raise RspError(f"no registers are kept under {number}", 0x16)

    def change(debugger: Any) -> None:
        where = chosen_thread(client, debugger, thread)
        for name, value in values.items():
            debugger.write_register(name, value, where)

    await client.ask(change)
    return OK


