"""Starting, attaching, detaching, ending: extended-remote mode, and what is set before a program starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.gdbstub.errors import RspError, UnsupportedError
from xemu.gdbstub.outcomes import DETACHED, KILLED
from xemu.gdbstub.replies import OK
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from xemu.gdbstub.client import Client


@packet("!", needs_target=False)
async def extend(client: Client) -> str:
    """Stay when the program ends; others can be started."""
    client.extended = True
    return OK


@packet("vRun;{words:text}", needs_target=False)
async def run(client: Client, words: str) -> str:
    """Start a program, or start again: a machine is reset."""
    client.require_writer("vRun")
    name, *arguments = (_unhex(word) for word in words.split(";"))
    await restart(client, name, arguments)
    return await client.stop_text()


@packet("R{ignored:text}", needs_target=False)
async def restart_program(client: Client, ignored: str) -> None:  # noqa: ARG001
    """Start again. There is no reply."""
    client.require_writer("R")
    await restart(client, "", client.server.request.arguments)


async def restart(client: Client, name: str, arguments: list[str]) -> None:
    """Start a program; "" is the one before."""
    import asyncio

    server = client.server
    await server.halt()
    client.last_stop = None
    if client.kind == "machine" and server.session is not None:
        await client.ask(reset_machine)
        return
    if server.launch is None:
        raise RspError("this stub cannot start programs; `xemu gdbserver --multi` can", 1)
    server.request.program = name or server.request.program
    if not server.request.program:
        raise RspError("which program? `set remote exec-file PROGRAM`", 2)
    server.request.arguments = arguments
    await client.release()
    server.end_session()
    server.adopt(await asyncio.to_thread(server.launch, server.request))


def reset_machine(debugger: Any) -> None:
    """Reset a machine; one that cannot goes back to its start."""
    if hasattr(debugger, "reset"):
        debugger.reset()
    else:
        debugger.seek("start")


@packet("vAttach;{process:hex}", needs_target=False)
async def attach(client: Client, process: int) -> str:
    """Attach to the program that is there."""
    client.require_writer("vAttach")
    if client.server.session is None or process != client.process:
        raise RspError(f"no process {process}: programs outside the emulator cannot be attached to", 3)
    await client.server.halt()
    return await client.stop_text()


@packet("vKill;{process:hex}")
async def kill_process(client: Client, process: int) -> str:
    """End the program."""
    client.require_writer("vKill")
    if process != client.process:
        raise RspError(f"no process {process}", 3)
    await _kill(client)
    return OK


@packet("k", needs_target=False)
async def kill(client: Client) -> None:
    """End the program. There is no reply."""
    if client.server.session is not None and client.server.claim(client):
        await _kill(client)
    if not client.extended:
        client.closing = True


async def _kill(client: Client) -> None:
    server = client.server
    if server.sharing is not None:                           # the guest is the screen's, too
        await _leave(client)
        return
    await server.halt()
    server.end_session()
    client.points, client.catches, client.last_stop = {}, {}, None
    if server.leaves and not client.extended:
        server.finish(KILLED)


@packet("D[;{process:hex}]", needs_target=False)
async def detach(client: Client, process: int | None) -> str:
    """Let go: the program runs on without this client's points. A child that GDB was told of runs already."""
    server = client.server
    if process is not None and process in client.children:
        client.children.discard(process)
        return OK
    if server.session is None or (process is not None and process != client.process):
        return OK
    if server.claim(client) and server.sharing is not None:
        await _leave(client)
    elif server.claim(client):
        await server.halt()
        await client.release()
        server.writer = None
        if server.leaves and not server.attached:
            server.finish(DETACHED)
        server.run_free()
    return OK


async def _leave(client: Client) -> None:
    """Let go of a guest that a screen moves, too."""
    server = client.server
    await client.release()
    server.writer = None
    if server.sharing is not None:
        server.sharing.leave(client)


# -- before a start --------------------------------------------------------------------------------------------------------
def _unhex(text: str) -> str:
    try:
        return bytes.fromhex(text).decode("utf-8", "surrogateescape")
    except ValueError:
        raise RspError("malformed word", 0x16) from None


@packet("QEnvironmentHexEncoded:{assignment:hextext}", feature="QEnvironmentHexEncoded+", kind="process", needs_target=False)
async def set_environment(client: Client, assignment: str) -> str:
    """Set an environment variable of the next program."""
    name, _, value = assignment.partition("=")
    client.server.request.environment[name] = value
    return OK


@packet("QEnvironmentUnset:{name:hextext}", feature="QEnvironmentUnset+", kind="process", needs_target=False)
async def unset_environment(client: Client, name: str) -> str:
    """Remove an environment variable."""
    client.server.request.environment[name] = None
    return OK


@packet("QEnvironmentReset", feature="QEnvironmentReset+", kind="process", needs_target=False)
async def reset_environment(client: Client) -> str:
    """Forget the changes."""
    client.server.request.environment.clear()
    return OK


@packet("QSetWorkingDir:[{path:hextext}]", feature="QSetWorkingDir+", kind="process", needs_target=False)
async def set_directory(client: Client, path: str | None) -> str:
    """Set the directory that the next program starts in."""
    client.server.request.directory = path or ""
    return OK


@packet("QStartupWithShell:{switch:hex}", feature="QStartupWithShell+", kind="process", needs_target=False)
async def with_shell(_client: Client, switch: int) -> str:
    """Take note; there is no shell in between, words arrive as GDB has split them."""
    if switch > 1:
        raise RspError("it is 0 or 1", 0x16)
    return OK


@packet("QDisableRandomization:{switch:hex}", feature="QDisableRandomization+", kind="process", needs_target=False)
async def disable_randomization(client: Client, switch: int) -> str:
    """Choose whether addresses are random."""
    client.server.request.randomize = not switch
    return OK


@packet("QAgent:{switch:hex}", needs_target=False)
async def agent(_client: Client, switch: int) -> str:  # noqa: ARG001
    """There is no agent in the program."""
    raise UnsupportedError


