"""The table of packets: a template per row, typed fields, and the features that follow from what is there.

    @packet("m{address:hex},{length:hex}")
    async def read_memory(client, address, length): ...

A template is literal text and fields `{name:type}`; FIELDS says which types there are. Text in brackets may be absent,
its fields then are None. What a row announces in qSupported is written beside it, so nothing is announced that is not
there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.gdbstub.errors import RspError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from xemu.gdbstub.client import Client

    Reply = bytes | str | None
    Handler = Callable[..., Awaitable[Reply]]
    Fits = Callable[["Row"], bool]                    # whether a packet makes sense for what is debugged


class ThreadId(NamedTuple):
    """A thread as packets name it; -1 means all, 0 any. `process` is None where the packet names none."""

    process: int | None
    thread: int

    @classmethod
    def parse(cls, text: bytes) -> ThreadId:
        """Read `p1.2`, `p1`, `2`, `-1`."""
        if not text.startswith(b"p"):
            return cls(None, _signed_hex(text))
        process, dot, thread = text[1:].partition(b".")
        return cls(_signed_hex(process), _signed_hex(thread) if dot else -1)


ANY_THREAD = ThreadId(None, 0)


def _signed_hex(text: bytes) -> int:
    return -1 if text == b"-1" else int(text, 16)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _hextext(data: bytes) -> str:
    return _text(bytes.fromhex(data.decode()))


#: field type -> what it looks like, how it is read
FIELDS: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "hex": (rb"[0-9a-fA-F]{1,16}", lambda data: int(data, 16)),
    "0xhex": (rb"(?:0[xX])?[0-9a-fA-F]{1,16}", lambda data: int(data, 16)),
    "int": (rb"[0-9]{1,20}", int),
    "thread": (rb"(?:p(?:-1|[0-9a-fA-F]{1,8})(?:\.(?:-1|[0-9a-fA-F]{1,8}))?|-1|[0-9a-fA-F]{1,8})", ThreadId.parse),
    "letter": (rb"[A-Za-z]", bytes.decode),
    "word": (rb"[A-Za-z0-9_.+-]*", bytes.decode),
    "name": (rb"[^:;,]*", _text),
    "annex": (rb"[^:]*", _text),
    "hexdata": (rb"(?:[0-9a-fA-F]{2})*", lambda data: bytes.fromhex(data.decode())),
    "registers": (rb"(?:[0-9a-fA-F]{2}|xx)*", bytes.decode),
    "hextext": (rb"(?:[0-9a-fA-F]{2})*", _hextext),
    "text": (rb".*", _text),
    "binary": (rb".*", bytes),
}
_TOKENS = re.compile(r"\{(\w+):(\w+)\}|\[|\]|[^{}\[\]]+")


@dataclass(frozen=True)
class Row:
    """One packet."""

    template: str
    handler: Handler
    pattern: re.Pattern[bytes]
    readers: dict[str, Callable[[bytes], Any]]
    prefix: bytes                     # the literal text it starts with
    feature: str                      # what qSupported says because of it
    kind: str                         # "process" or "machine": only there
    needs: str                        # what the debugger must be able to do for it
    writes: bool                      # for the writer only
    needs_target: bool                # makes no sense without a program

    @property
    def name(self) -> str:
        """Return the packet's name, for messages."""
        return self.prefix.decode().rstrip(":;,")

    def read(self, data: bytes) -> dict[str, Any] | None:
        """Return the fields, or None where the packet does not look like the template."""
        found = self.pattern.fullmatch(data)
        if found is None:
            return None
        try:
            return {name: None if text is None else self.readers[name](text) for name, text in found.groupdict().items()}
        except ValueError:
            return None


@dataclass
class Table:
    """All packets, by the letter they start with."""

    rows: list[Row] = field(default_factory=list)
    by_letter: dict[int, list[Row]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Register a row; longer literal text is tried first."""
        self.rows.append(row)
        same = self.by_letter.setdefault(row.prefix[0], [])
        same.append(row)
        same.sort(key=lambda r: len(r.prefix), reverse=True)

    def find(self, data: bytes, fits: Fits) -> tuple[Row, dict[str, Any]]:
        """Return the row of a packet and its fields; UnsupportedError for an unknown one, RspError for a malformed one."""
        known = None
        for row in self.by_letter.get(data[0], []) if data else []:
            if not fits(row) or not data.startswith(row.prefix) or _is_longer_word(data, row):
                continue
            fields = row.read(data)
            if fields is not None:
                return row, fields
            known = known or row
        if known is None:
            raise UnsupportedError
        raise RspError(f"malformed {known.name} packet", 0x16)

    def features(self, fits: Fits) -> list[str]:
        """Return what qSupported announces: what there is here, and nothing else."""
        return [word for row in self.rows if row.feature and fits(row) for word in row.feature.split(";")]


def _is_longer_word(data: bytes, row: Row) -> bool:
    """Whether a packet is another word that begins like a row's, as qCRC does like qC."""
    at = len(row.prefix)
    ends = row.template[at:at + 1] != "{" and row.prefix[-1:].isalpha()      # no field follows at once
    return at > 1 and ends and data[at:at + 1].isalnum()


TABLE = Table()


def packet(template: str, *, feature: str = "", kind: str = "", needs: str = "", writes: bool = False,
           needs_target: bool = True) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a packet."""
    pattern, readers = _compile(template)
    prefix = re.split(r"[\[{]", template, maxsplit=1)[0].encode()

    def register(handler: Handler) -> Handler:
        TABLE.add(Row(template, handler, pattern, readers, prefix, feature, kind, needs, writes, needs_target))
        return handler

    return register


def _compile(template: str) -> tuple[re.Pattern[bytes], dict[str, Callable[[bytes], Any]]]:
    pattern, readers = b"", {}
    for token in _TOKENS.finditer(template):
        name, kind = token[1], token[2]
        if name:
            shape, readers[name] = FIELDS[kind]
            pattern += b"(?P<" + name.encode() + b">" + shape + b")"
        else:
            pattern += {"[": b"(?:", "]": b")?"}.get(token[0]) or re.escape(token[0]).encode()
    return re.compile(pattern, re.DOTALL), readers


async def dispatch(client: Client, data: bytes, table: Table = TABLE) -> Reply:
    """Handle a packet and return its reply; the errors of errors.py come through."""
    row, fields = table.find(data, client.fits)
    if row.needs_target:
        client.require_target()
    if row.writes:
        client.require_writer(row.name)
    return await row.handler(client, **fields)
