"""Objects that are read in pieces: qXfer, branch trace. GDB manual, appendix E.4 `qXfer`, appendices G, H."""

from __future__ import annotations

import struct
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError
from xemu.gdbstub.facts import NoFactError, fact, fact_or, link_map, rows_of
from xemu.gdbstub.framing import PACKET_SIZE
from xemu.gdbstub.general import chosen_thread
from xemu.gdbstub.replies import OK, chunk, document, element, osdata, register_text
from xemu.gdbstub.signals import SIGTRAP
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.gdbstub.client import Client

    Maker = Callable[[Client, Any, str], str | bytes]

MOST_BRANCHES = 100_000


def transferred(name: str, kind: str = "", needs: str = "") -> Callable[[Maker], Maker]:
    """Register the decorated function as what makes an object: f(client, debugger, annex), on the engine's thread."""

    def register(maker: Maker) -> Maker:
        packet(f"qXfer:{name}:read:{{annex:annex}}:{{offset:hex}},{{length:hex}}", feature=f"qXfer:{name}:read+", kind=kind, needs=needs)(
            _reader(name, maker))
        return maker

    return register


def _reader(name: str, maker: Maker) -> Any:
    async def read(client: Client, annex: str, offset: int, length: int) -> bytes:
        key = (name, annex)
        if offset == 0 or key not in client.objects:      # later pieces belong to the same object
            made = await client.ask(lambda debugger: maker(client, debugger, annex))
            client.objects = {key: made.encode("utf-8", "surrogateescape") if isinstance(made, str) else made}
        return chunk(client.objects[key], offset, min(length, PACKET_SIZE // 2 - 16))

    read.__doc__ = maker.__doc__
    return read


@transferred("features")
def target_description(client: Client, _debugger: Any, annex: str) -> str:
    """Describe the registers."""
    if annex != "target.xml":
        raise RspError(f"no {annex}", 0)
    return client.description.xml("GNU/Linux" if client.kind == "process" else "")


#: kind of a map entry -> GDB's memory type. What is not in the map is out of GDB's reach, so devices are `ram`.
MEMORY_TYPES = {"rom": "rom", "flash": "flash"}


@transferred("memory-map", "machine")
def memory_map(_client: Client, debugger: Any, _annex: str) -> str:
    """Describe memory; flash by its blocks, which `load` erases. Where parts overlap, GDB gets the first one."""
    body, end = [], 0
    for entry in sorted(debugger.system.memory_map(), key=lambda entry: (entry.start, -entry.end)):
        start = max(entry.start, end)
        if start >= entry.end:
            continue
        end = entry.end
        kind = MEMORY_TYPES.get(entry.kind, "ram")
        block = entry.block or (end - start if kind == "flash" else 0)
        size = f'<property name="blocksize">{block:#x}</property>' if kind == "flash" else ""
        body.append(f'<memory type="{kind}" start="{start:#x}" length="{end - start:#x}">{size}</memory>')
    return document("memory-map", body, doctype="http://sourceware.org/gdb/gdb-memory-map.dtd")


@transferred("threads")
def threads(client: Client, debugger: Any, _annex: str) -> str:
    """List threads with their names."""
    size = pthread_size(debugger) if client.kind == "process" else 0
    rows = [element("thread", {"id": client.thread_text(info.id), "core": info.core, "name": info.name,
                               "handle": pthread(client, debugger, info.id, size)}, waiting_text(info))
            for info in ([] if client.told_of_end else debugger.system.threads())]
    return document("threads", rows)


def pthread_size(debugger: Any) -> int:
    """Return the size of glibc's own data about a thread, which it tells debuggers; 0 where it is not known."""
    address = debugger.source.modules.address_of("_thread_db_sizeof_pthread")
    return 0 if address is None else debugger.source.architecture.number(debugger.read_memory(address, 4))


def pthread(client: Client, debugger: Any, thread: int, size: int) -> str | None:
    """Return a thread's pthread_t as it lies in memory: glibc's data begin where x86's thread register points to, and end there on ARM."""
    arch = debugger.source.architecture
    base = debugger.read_register(arch.thread, thread) if size else None
    before = 0 if arch.unit == 1 else size
    return None if not base else register_text(base - before, arch.address_bytes, big=client.description.big)


def waiting_text(info: Any) -> str:
    """Return what a thread waits for; nothing where it could run: it stands still now, and GDB would call it running."""
    return "" if info.state in ("running", "ready") else str(info.state)


@transferred("auxv", "process")
def auxiliary_vector(_client: Client, debugger: Any, _annex: str) -> bytes:
    """Return the auxiliary vector."""
    return bytes(fact(debugger.system, "auxv"))


@transferred("exec-file", "process")
def exec_file(_client: Client, debugger: Any, _annex: str) -> str:
    """Return the program's path, as vFile finds it."""
    return str(fact(debugger.system, "exe_path"))


@transferred("libraries-svr4", "process")
def libraries(_client: Client, debugger: Any, annex: str) -> str:
    """List the loader's entries; `start=` in the annex: from there on."""
    start = next((int(word[6:], 16) for word in annex.split(";") if word.startswith("start=") and word[6:]), 0)
    everything = link_map(debugger)
    program, others = (everything[0] if everything else None), everything[1:]
    if start:
        others = others[next((i for i, library in enumerate(others) if library["link"] == start), len(others)):]
    rows = [element("library", {
        "name": library["name"], "lm": f"{library['link']:#x}", "l_addr": f"{library['bias']:#x}", "l_ld": f"{library['dynamic']:#x}",
        "lmid": f"{library['space']:#x}"}) for library in others if library["name"]]
    main = f' main-lm="{program["link"]:#x}"' if program is not None and not start else ""
    return document("library-list-svr4", rows, f'version="1.0"{main}')


@transferred("siginfo", "process")
def signal_information(client: Client, debugger: Any, _annex: str) -> bytes:
    """Return what is known of the signal that stopped a thread (siginfo_t)."""
    thread, stop = chosen_thread(client, debugger), debugger.stop
    data = fact_or(None, debugger.system, "siginfo", thread, stopped=stop.thread == thread) if debugger.system.live else None
    if data is not None:
        return bytes(data)
    number = stop.number if stop.kind.name == "SIGNAL" else SIGTRAP          # of the past, only the number is known
    return struct.pack(">iii" if client.description.big else "<iii", number, 0, 0).ljust(128, b"\0")


@packet("qXfer:siginfo:write::{offset:hex}:{data:binary}", feature="qXfer:siginfo:write+", kind="process", writes=True)
async def change_signal(client: Client, offset: int, data: bytes) -> str:
    """Change what the handler will see of the signal that a thread is about to get."""
    def change(debugger: Any) -> bool:
        return bool(fact_or(False, debugger.system, "change_siginfo", chosen_thread(client, debugger), offset, data))

    if not await client.ask(change):
        raise RspError("no signal waits for this thread", 0x16)
    client.objects.clear()
    return f"{len(data):x}"


# -- info os -------------------------------------------------------------------------------------------------------------
def columns(row: Any) -> dict[str, Any]:
    """Return a row of a table, whatever kind of record it is, as column -> text; numbers that are addresses in hex."""
    if isinstance(row, dict):
        found = row
    elif is_dataclass(row):
        found = {field.name: getattr(row, field.name) for field in fields(row)}
    elif hasattr(row, "_asdict"):
        found = row._asdict()
    else:
        found = {"name": row}
    return {name: f"{value:#010x}" if name in ADDRESSES and isinstance(value, int) else value for name, value in found.items()}


ADDRESSES = {"start", "end", "address", "base", "block", "pc"}
def checkpoint_rows(debugger: Any) -> list[dict[str, Any]]:
    """Return the checkpoints as a table."""
    found = debugger.checkpoints() if callable(debugger.checkpoints) else debugger.checkpoints
    if isinstance(found, dict):
        return [{"name": name, "position": str(place)} for name, place in found.items()]
    return [columns(row) for row in found]


#: table -> (what it is, how the system gives it)
TABLES: dict[str, tuple[str, Callable[[Any], Iterable[Any]]]] = {
    "devices": ("Devices and where they are", rows_of("devices")),
    "interrupts": ("Interrupts: enabled, pending, active", rows_of("interrupts")),
    "events": ("What is planned, by virtual time", rows_of("events")),
    "map": ("What is where in the address space", lambda d: d.system.memory_map()),
    "clocks": ("Clocks", rows_of("clocks")),
    "threads": ("Threads or cores", lambda d: d.system.threads()),
    "libraries": ("Code files in memory", lambda d: d.system.libraries()),
    "checkpoints": ("Named places in time", checkpoint_rows),
}


def table_rows(debugger: Any, name: str) -> list[dict[str, Any]] | None:
    """Return a table; None where this system has none of that name."""
    try:
        return [columns(row) for row in TABLES[name][1](debugger)]
    except NoFactError:
        return None


@transferred("osdata")
def info_os(_client: Client, debugger: Any, annex: str) -> str:
    """Return a table of `info os`; without a name the table of tables."""
    if not annex:
        rows = [{"Type": name, "Description": text, "Title": name.capitalize()} for name, (text, _) in TABLES.items()
                if table_rows(debugger, name) is not None]
        return osdata("types", rows)
    if annex == "processes":
        return osdata(annex, [{"pid": fact_or(1, debugger.system, "pid"), "user": "", "command": debugger.system.name, "cores": "0"}])
    found = table_rows(debugger, annex) if annex in TABLES else None
    if found is None:
        raise RspError(f"no table {annex}; `info os` lists them", 0)
    return osdata(annex, found)


# -- branch trace ----------------------------------------------------------------------------------------------------------
@packet("Qbtrace:bts", feature="Qbtrace:bts+", needs="branch_trace")
async def trace_on(client: Client) -> str:
    """Give the branches of the past from now on."""
    client.server.branch_trace = True
    return OK


@packet("Qbtrace:off", feature="Qbtrace:off+", needs="branch_trace")
async def trace_off(client: Client) -> str:
    """Give them no more."""
    if not client.server.branch_trace:
        raise RspError("branch trace is off", 0x16)
    client.server.branch_trace = False
    return OK


@packet("Qbtrace-conf:bts:size={size:0xhex}", feature="Qbtrace-conf:bts:size+", needs="branch_trace")
async def trace_size(client: Client, size: int) -> str:
    """Set the size of the trace, in bytes of Intel's format (24 for a branch)."""
    client.server.branch_count = max(1, min(size // 24, MOST_BRANCHES))
    return OK


@transferred("btrace", needs="branch_trace")
def branches(client: Client, debugger: Any, annex: str) -> str:
    """Return the blocks that were executed, newest first: all, or those since the last time ("new", "delta")."""
    if not client.server.branch_trace:
        raise RspError("branch trace is off", 0x16)
    if annex not in ("all", "new", "delta"):
        raise RspError(f"btrace {annex}: it is all, new or delta", 0x16)
    place = str(debugger.position)
    if annex == "new" and place == client.traced_at:
        return document("btrace", [], 'version="1.0"', "btrace.dtd")
    if annex == "delta":
        raise RspError("only the whole branch trace is kept", 0x16)
    client.traced_at = place
    blocks = debugger.branch_trace(client.server.branch_count)
    rows = [element("block", {"begin": f"{begin:#x}", "end": f"{end:#x}"}) for begin, end in blocks]
    return document("btrace", rows, 'version="1.0"', "btrace.dtd")


@transferred("btrace-conf", needs="branch_trace")
def branch_configuration(client: Client, _debugger: Any, _annex: str) -> str:
    """Return how the trace is recorded; an error while it is off, or GDB believes in a recording when it connects."""
    if not client.server.branch_trace:
        raise RspError("branch trace is off", 0x16)
    return document("btrace-conf", [element("bts", {"size": f"{client.server.branch_count * 24:#x}"})], 'version="1.0"',
                    "btrace-conf.dtd")


__all__ = ["TABLES", "columns", "table_rows", "transferred"]
