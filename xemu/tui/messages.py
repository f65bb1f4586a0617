"""What the screen and the guest's process tell each other: plain frozen data, sent by `multiprocessing.connection`."""

from __future__ import annotations

from typing import Any, NamedTuple


class Target(NamedTuple):
    """What is to be debugged, as the command line names it."""

    words: tuple[str, ...]                       # the file and a program's arguments
    machine: str | None = None
    sysroot: str | None = None
    env: tuple[str, ...] = ()
    svd: str | None = None
    source_map: tuple[str, ...] = ()             # OLD=NEW
    gdb: str | None = None                       # where a user's GDB may come: [HOST:]PORT
    script: str | None = None                    # Python to run first, with `d`
    panes: tuple[str, ...] = ()                  # files with panes of the user's own
    base: int | None = None                      # where a raw binary goes
    limit: int | None = None                     # nobody sits there, and a motion ends after so many beats


# -- to the guest's process ----------------------------------------------------------------------------------------------


class Want(NamedTuple):
    """A pane shows this from now on: at every stop the query is asked. `query` "": nothing any more."""

    pane: str
    query: str
    arguments: dict[str, Any]


class Do(NamedTuple):
    """Ask for something once; the answer comes as Answer with the same number."""

    number: int
    name: str                                    # of a motion or action
    arguments: dict[str, Any]


class Pause(NamedTuple):
    """Stop whatever motion runs."""


class Input(NamedTuple):
    """Bytes that somebody types at a channel."""

    channel: str
    data: bytes


# -- from the guest's process --------------------------------------------------------------------------------------------


class Hello(NamedTuple):
    """The guest is loaded."""

    name: str                                    # of the program or image
    machine: str                                 # board and processor, or the architecture
    kind: str                                    # "machine" or "process"
    rate: int                                    # beats per second
    build: str                                   # tells programs apart: build-id, else a digest of the file
    files: tuple[str, ...]                       # that it was made of
    channels: tuple[str, ...]                    # terminals
    bits: int = 32                               # of an address
    little: bool = True
    notes: tuple[str, ...] = ()


class StopView(NamedTuple):
    """Why the guest stands, and where: `xemu.debug.stops.Stop` in plain values."""

    number: int                                  # counts stops
    kind: str
    text: str
    insns: int
    beat: int
    transition: int
    pc: int
    thread: int
    live: bool                                   # not in the past
    points: tuple[int, ...] = ()
    final: bool = False
    first: int = 0                               # instruction where the history begins …
    last: int = 0                                # … and ends


class Moving(NamedTuple):
    """The guest runs."""

    back: bool = False


class Stopped(NamedTuple):
    """The guest stands still; the panes' data, as far as it was quickly there."""

    stop: StopView
    data: dict[str, Any]


class Update(NamedTuple):
    """More data of a stop, or of a guest that runs (`number` 0)."""

    number: int
    insns: int
    beat: int
    data: dict[str, Any]


class Failed(NamedTuple):
    """In the place of a pane's data: why there is none."""

    text: str


class Answer(NamedTuple):
    """The result of `Do`: a value, or an error in words."""

    number: int
    value: Any
    error: str = ""


class Output(NamedTuple):
    """What the guest has sent on a channel."""

    channel: str
    beat: int
    data: bytes


class Log(NamedTuple):
    """A line for the log pane."""

    text: str


class Stub(NamedTuple):
    """Users' own GDBs: where they may come, how many are there, which of them controls the guest or waits for its turn."""

    place: str
    clients: int = 0
    controls: str = ""
    waits: str = ""


class Ended(NamedTuple):
    """The guest's process ends; why, if that is not what was asked for."""

    text: str = ""
