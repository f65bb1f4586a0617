"""What `--record` and `--check-replay` add to `xemu run` and `xemu boot`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.cli.firmware import Run
    from xemu.debug.debugger import Debugger
    from xemu.debug.recording import Recording, Tape
    from xemu.hw.machine import Stop
    from xemu.user.process import Process


def say(text: str) -> None:
    """Write a line of xemu's own to standard error."""
    sys.stderr.write(f"xemu: {text}\n")
    sys.stderr.flush()


# -- programs ----------------------------------------------------------------------------------------------------------------


def run_process(process: Process, values: dict[str, Any], finished: Callable[[], None]) -> int:
    """Run a loaded program to its end, recorded or checked; returns the exit code."""
    from xemu.debug.process import ProcessSystem
    from xemu.debug.stops import StopKind

    system = ProcessSystem(process)
    if values.get("check_replay"):
        from xemu.debug.debugger import Debugger

        debugger = Debugger(system)
        debugger.pass_signals = frozenset(range(1, 65))
        while not (stop := debugger.cont()).kind.final:
            pass
        finished()
        code = check(debugger) or (128 + stop.number if stop.kind is StopKind.KILLED else stop.code)
        process.engine.close()
        return code
    from xemu.debug.recording import Tape

    tape = Tape(values["record"], system)
    process.forked.append(tape.let_go)
    process.leaving.append(lambda: tape.end(StopKind.EXEC, "went on as a program of the host", symbols=bool(values.get("with_symbols"))))
    tape.start()
    tape.follow()
    try:
        while (event := system.run()).kind is None or not event.kind.final:
            tape.tick()
        tape.end(event.kind, event.text, code=event.code, number=event.number, symbols=bool(values.get("with_symbols")))
    except BaseException:
        tape.abandon()
        raise
    process.engine.close()
    if tape.trouble:
        say(tape.trouble)
    finished()
    return 128 + event.number if event.kind is StopKind.KILLED else event.code


# -- firmware ----------------------------------------------------------------------------------------------------------------


def open_snapshot(path: str | None, values: dict[str, Any]) -> Recording | None:
    """Return the snapshot that a run goes on from, if the image is one; it says which board it is of."""
    from xemu.debug.sections import RecordingError, is_recording

    if path is None or not is_recording(path):
        return None
    from xemu.debug.recording import Recording

    found = Recording.read(path)
    if found.kind != "machine":
        raise RecordingError(f"{path} is of a program, which cannot go on without what it had open; see xemu trace and xemu snap")
    if not found.is_snapshot:
        raise RecordingError(f"{path} is a recording; to go on from its end: xemu snap {path} -o SNAPSHOT --at end")
    board = found.head["board"]
    given = values.setdefault("machine", board["name"] if not board["file"] else None)
    if given is None:
        raise RecordingError(f"{path} is of {board['name']}, a board of {board['file']}: name that file with --machine")
    return found


class Recorded:
    """How a run of a machine went. `code`: an exit code that counts more than the guest's."""

    stop: Stop | None = None
    code = 0


@contextmanager
def recording(run: Run) -> Iterator[Recorded]:
    """Record or check what a machine does inside the `with` block, if the command line says so."""
    recorded, values = Recorded(), run.values
    if values.get("check_replay"):
        debugger = _watched(run)
        yield recorded
        recorded.code = check(debugger)
    elif values.get("record"):
        tape = _taped(run)
        try:
            yield recorded
        finally:
            _ended(tape, run, recorded.stop)
    else:
        yield recorded


def _watched(run: Run) -> Debugger:
    """Return a debugger whose history follows a machine that others run."""
    from xemu.debug.debugger import Debugger

    debugger = Debugger(_system(run))
    _between_slices(run, debugger.history.tick)
    return debugger


def _system(run: Run) -> Any:
    """Return a machine as debuggers see it, still polled by its hub."""
    from xemu.debug.machine import MachineSystem

    machine = run.machine
    hooks = machine.poll, machine.idle, machine.on_exception
    system = MachineSystem(machine)
    machine.poll, machine.idle, machine.on_exception = hooks
    return system


def _between_slices(run: Run, work: Callable[[], None]) -> None:
    machine, poll = run.machine, run.machine.poll
    assert poll is not None

    def look() -> None:
        if not machine.door.replaying:
            work()
        poll()

    machine.poll = look


def _taped(run: Run) -> Tape:
    from xemu.debug.recording import Tape

    tape = Tape(run.values["record"], _system(run))
    tape.start()
    tape.follow()
    _between_slices(run, tape.tick)
    return tape


def _ended(tape: Tape, run: Run, stop: Stop | None) -> None:
    """Write the end, whatever it is."""
    from xemu.debug.machine import KINDS
    from xemu.debug.stops import StopKind

    kind = StopKind.PAUSE if stop is None else KINDS.get(stop.reason, StopKind.REQUEST)
    text = "" if stop is None else stop.text or f"{stop.reason} {stop.code}".removesuffix(" 0")
    tape.end(kind, text, code=stop.code if stop else 0, symbols=bool(run.values.get("with_symbols")),
             files=[image.name for image in run.images])
    if tape.trouble:
        run.say(tape.trouble)


# -- checking ----------------------------------------------------------------------------------------------------------------


def check(debugger: Debugger) -> int:
    """Go back, repeat all of the history and compare; say how that went and return the exit code."""
    history = debugger.history
    here, hash_then = debugger.position, debugger.engine.trace_hash
    trouble = history.verify()
    if not trouble and debugger.engine.trace_hash != hash_then:
        trouble = f"replay ended with trace hash {debugger.engine.trace_hash:016x} instead of {hash_then:016x}"
    if trouble:
        say(trouble)
        return 1
    say(f"replay checked: {here.insns:,} instructions, {len(history.snapshots)} snapshots, all the same")
    return 0
