"""Files of checked, compressed sections, each one value (see codec.py). Docs: docs/recordings.md."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xemu.debug.codec import DamagedError, Decoder, Encoder
from xemu.errors import ImageError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAGIC = b"\x89XEMUREC"
FORMAT = 2               # 1: episodes do not say what they were
HEADER = struct.Struct("<4sBIII")    # tag, how it is stored, bytes in the file, bytes of the value, CRC-32 of all that
PLAIN, DEFLATED = 0, 1
END = b"END!"
LARGEST = 1 << 30                    # bytes of one value
LEVEL = 6
FREE, RATIO = 64 << 20, 200          # memory that a file may take when it is read: FREE plus RATIO times its size


class RecordingError(ImageError):
    """A recording that cannot be read, or does not fit."""


def _crc(tag: bytes, how: int, size: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(struct.pack("<4sBI", tag, how, size)))


class SectionWriter:
    """Writes a file beside its final place, where `finish` puts it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)            # the guest may change the working directory
        self.part = f"{self.path}.{os.getpid()}.part"
        try:
            self.file: BinaryIO = open(self.part, "wb", buffering=0)  # noqa: SIM115  a forked guest must not have unwritten bytes
        except OSError as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}") from None
        self.pieces: dict[bytes, int] = {}
        self.volume = self.count = 0
        self.size = 0
        self._write(MAGIC + struct.pack("<HH", FORMAT, 0))

    def put(self, tag: bytes, value: Any) -> None:
        """Write a section."""
        known = len(self.pieces)
        encoder = Encoder(self.pieces)
        encoder.put(value)
        how, data = DEFLATED, zlib.compress(encoder.out, LEVEL)
        if self.volume + encoder.volume > FREE + RATIO * (self.size + len(data)):       # a reader would take it for an attack
            while len(self.pieces) > known:
                self.pieces.popitem()
            encoder = Encoder(None)
            encoder.put(value)
            how, data = PLAIN, bytes(encoder.out)
        if len(encoder.out) > LARGEST:
            raise RecordingError(f"{self.path}: {len(encoder.out) >> 20} MiB in one piece are more than a recording holds")
        self.volume += encoder.volume
        self._section(tag, how, len(encoder.out), data)

    def _section(self, tag: bytes, how: int, size: int, data: bytes) -> None:
        self._write(HEADER.pack(tag, how, len(data), size, _crc(tag, how, size, data)) + data)
        self.count += 1

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        try:
            while data:
                data = data[self.file.write(data):]
        except OSError as error:
            self.abandon()
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}") from None

    def finish(self) -> None:
        """Write the end and put the file in its place."""
        self.put(END, self.count)
        self.file.close()
        try:
            os.replace(self.part, self.path)
        except OSError as error:
            self.abandon()
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}") from None

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.file.close()
        with suppress(OSError):
            os.unlink(self.part)


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a recording or a snapshot."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_sections(path: str) -> Iterator[tuple[bytes, Any]]:
    """Yield (tag, value) up to the end; RecordingError for anything that is not as it was written."""
    try:
        file = open(path, "rb")  # noqa: SIM115  closed below
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None
    with file:
        try:
            yield from _sections(file, path)
        except DamagedError as error:
            raise RecordingError(f"{path} is damaged: {error}") from None
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror}") from None


def _sections(file: BinaryIO, path: str) -> Iterator[tuple[bytes, Any]]:
    start = file.read(len(MAGIC) + 4)
    if start[:len(MAGIC)] != MAGIC:
        raise RecordingError(f"{path} is no recording of xemu")
    if len(start) < len(MAGIC) + 4:
        raise DamagedError("it is cut off")
    version, reserved = struct.unpack_from("<HH", start, len(MAGIC))
    if not 1 <= version <= FORMAT:
        newer = "a newer xemu made it" if version > FORMAT else "there never was such a format"
        raise RecordingError(f"{path} has format {version}, this xemu reads {FORMAT}: {newer}")
    if reserved:
        raise DamagedError("its start is not as it was written")
    pieces: list[bytes] = []
    room, count = FREE, 0
    left = os.fstat(file.fileno()).st_size - len(start)
    while True:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            raise DamagedError("it is cut off")
        tag, how, stored, size, crc = HEADER.unpack(header)
        left -= HEADER.size + stored
        if left < 0:
            raise DamagedError("it is cut off")
        room += RATIO * (HEADER.size + stored)
        data = file.read(stored)
        if _crc(tag, how, size, data) != crc:
            raise DamagedError("a checksum is wrong")
        decoder = Decoder(_inflate(how, data, size, room), pieces, room)
        value = decoder.value()
        room = decoder.room
        if tag == END:
            if value != count or left:
                raise DamagedError("a part is missing" if value != count else "something follows its end")
            return
        count += 1
        yield tag, value


def _inflate(how: int, data: bytes, size: int, room: int) -> bytes:
    if how not in (PLAIN, DEFLATED):
        raise DamagedError("a section is stored in no known way")
    if size > min(room, LARGEST):
        raise DamagedError("a section is larger than its file explains")
    if how == DEFLATED:
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(data, size + 1)
        except zlib.error as error:
            raise DamagedError(str(error)) from None
    if len(data) != size:
        raise DamagedError("a section has not the size it says")
    return data


__all__ = ["RecordingError", "SectionWriter", "is_recording", "read_sections"]
