"""What both sides can do, threads, and small queries. GDB manual, appendix E.4 "General Query Packets"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.gdbstub import framing
from xemu.gdbstub.errors import RspError, UnsupportedError
from xemu.gdbstub.replies import OK, hexed
from xemu.gdbstub.table import TABLE, ThreadId, packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client

#: what is announced besides what the rows of packets announce
FEATURES = (f"PacketSize={framing.PACKET_SIZE:x}", "multiprocess+", "error-message+", "vContSupported+", "no-resumed+")
#: stops that a client may want to be told of, where the debugger says (`tells`) that it can
EVENTS = ("exec", "fork", "vfork")
#: QEMU's step flags (enable, no interrupts, no timers) and what they mean here: see `sstep`
SSTEP_BITS, SSTEP_DEFAULT, SSTEP_ENABLE = "ENABLE=1,NOIRQ=2,NOTIMER=4", 7, 1


@packet("qSupported[:{features:text}]", needs_target=False)
async def supported(client: Client, features: str | None) -> str:
    """Exchange what both sides can do."""
    client.offered = set((features or "").split(";"))
    return ";".join((*FEATURES, *(f"{kind}-events+" for kind in told_events(client)), *TABLE.features(client.fits)))


def told_events(client: Client) -> list[str]:
    """Return which events of a process can be told."""
    session = client.server.session
    if client.kind != "process" or session is None:
        return []
    return [kind for kind in EVENTS if kind in getattr(session.debugger, "tells", ())]


@packet("QStartNoAckMode", feature="QStartNoAckMode+", needs_target=False)
async def start_no_ack(client: Client) -> str:
    """Do without acknowledgements from here on."""
    client.acknowledging = client.decoder.checking = False
    return OK


@packet("vMustReplyEmpty", needs_target=False)
async def must_reply_empty(_client: Client) -> str:
    """Show how unknown packets are answered."""
    return ""


@packet("?", needs_target=False)
async def why_stopped(client: Client) -> str:
    """Say why the program stands; a running one is stopped first."""
    if client.server.session is None:
        return "W00"
    if client.nonstop is not None:
        return await client.nonstop.status()
    if client.server.claim(client):
        await client.server.halt()
    if client.told_of_end:                               # it asks as if it had just come
        client.last_stop = None
    return await client.stop_text(final=client.server.leaves)       # else an ended one is shown where it ended: one can go back


@packet("H{what:letter}{thread:thread}")
async def select_thread(client: Client, what: str, thread: ThreadId) -> str:
    """Choose the thread that `g` and the like, or `c` and `s`, are about."""
    if what == "g" and thread.process in client.children:
        client.general = thread
        return OK
    number = client.find_thread(thread)
    if number is not None and not await client.ask(lambda debugger: _thread_info(debugger, number)):
        raise RspError(f"no thread {number}", 3)
    if what == "g":
        client.general = thread
    elif what == "c":
        client.moving_thread = thread
    else:
        raise UnsupportedError
    return OK


@packet("T{thread:thread}")
async def thread_alive(client: Client, thread: ThreadId) -> str:
    """Say whether a thread lives."""
    number = client.find_thread(thread)
    if await client.ask(lambda debugger: _thread_info(debugger, number)) is None:
        raise RspError("this thread has ended", 3)
    return OK


def _thread_info(debugger: Any, number: int | None) -> Any:
    return next((info for info in debugger.system.threads() if number in (None, info.id)), None)


def chosen_thread(client: Client, debugger: Any, thread: ThreadId | None = None) -> int:
    """Return the thread that a packet is about; the stop's where GDB has chosen none."""
    number = client.find_thread(thread or client.general)
    return int(number if number is not None else debugger.stop.thread)


@packet("qC")
async def current_thread(client: Client) -> str:
    """Return the thread that stopped."""
    return "QC" + client.thread_text(await client.ask(lambda debugger: debugger.stop.thread))


@packet("qfThreadInfo", needs_target=False)
async def first_threads(client: Client) -> str:
    """List all threads."""
    if client.server.session is None or client.told_of_end:
        return "l"
    threads = await client.ask(lambda debugger: [info.id for info in debugger.system.threads()])
    return "m" + ",".join(client.thread_text(number) for number in threads) if threads else "l"


@packet("qsThreadInfo", needs_target=False)
async def more_threads(_client: Client) -> str:
    """End the list of threads: the first answer has them all."""
    return "l"


@packet("qThreadExtraInfo,{thread:thread}")
async def thread_text(client: Client, thread: ThreadId) -> str:
    """Describe a thread in words."""
    number = client.find_thread(thread)
    info = await client.ask(lambda debugger: _thread_info(debugger, number))
    if info is None:
        raise RspError(f"no thread {number}", 3)
    return hexed(info.name)


@packet("qAttached[:{process:hex}]", needs_target=False)
async def attached(client: Client, process: int | None) -> str:  # noqa: ARG001 - there is one process
    """Say whether GDB leaves the program running when it quits."""
    return "1" if client.server.attached else "0"


@packet("qSymbol:{rest:text}", needs_target=False)
async def symbols(_client: Client, rest: str) -> str:  # noqa: ARG001
    """Ask for no symbols."""
    return OK


@packet("qOffsets", kind="process")
async def offsets(client: Client) -> str:
    """Say by how much the program was moved when it was loaded."""
    libraries = await client.ask(lambda debugger: list(debugger.system.libraries()))
    bias = libraries[0].bias if libraries else 0
    return f"Text={bias:x};Data={bias:x};Bss={bias:x}"


@packet("qGetTIBAddr:{thread:thread}")
async def thread_block(client: Client, thread: ThreadId) -> str:
    """Return the address of a thread's own data (its TLS register)."""
    return f"{await _tls_register(client, thread):x}"


@packet("qGetTLSAddr:{thread:thread},{offset:hex},{module:hex}", kind="process")
async def thread_local(client: Client, thread: ThreadId, offset: int, module: int) -> str:
    """Return the address of a thread-local variable; `module` is its file's entry in the loader's list."""
    number = client.find_thread(thread)
    return f"{await client.ask(lambda debugger: debugger.thread_local(module, offset, number)):x}"


async def _tls_register(client: Client, thread: ThreadId) -> int:
    number = client.find_thread(thread)
    value = await client.ask(lambda debugger: debugger.read_register("tpidruro", number))
    if value is None:
        raise UnsupportedError
    return int(value)


@packet("qqemu.sstepbits", needs_target=False)
async def step_bits(_client: Client) -> str:
    """Name the flags of `qqemu.sstep`; some tools tell by this that an emulator is there."""
    return SSTEP_BITS


@packet("qqemu.sstep")
async def step_flags(client: Client) -> str:
    """Return the flags."""
    into = await client.ask(lambda debugger: getattr(debugger, "step_into_irq", False))
    return f"0x{SSTEP_ENABLE if into else SSTEP_DEFAULT:x}"


@packet("qqemu.Supported", needs_target=False)
async def qemu_supported(_client: Client) -> str:
    """Name the flags that can be set."""
    return "sstepbits;sstep"


@packet("Qqemu.sstep[={flags:text}]", writes=True)
async def set_step_flags(client: Client, flags: str | None) -> str:
    """Set the flags: without "no interrupts", a step that enters an interrupt handler stops inside."""
    try:
        number = int(flags or "", 0)
    except ValueError:
        raise RspError(f"{flags}: not a number", 0x16) from None
    await client.ask(lambda debugger: setattr(debugger, "step_into_irq", not number & 6))
    return OK


@packet("qqemu.PhyMemMode", needs_target=False)
async def physical_mode(_client: Client) -> str:
    """Say that addresses are the guest's."""
    return "0"


@packet("Qqemu.PhyMemMode:{mode:hex}", needs_target=False)
async def set_physical_mode(_client: Client, mode: int) -> str:
    """Take the mode that there is."""
    if mode:
        raise RspError("physical addresses cannot be chosen on this machine", 0x16)
    return OK
