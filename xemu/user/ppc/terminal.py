"""ioctl of PowerPC: numbers, and a struct termios of its own (`arch/powerpc/include/uapi/asm/{ioctl,ioctls,termbits}.h`)."""

from __future__ import annotations

import struct

_NONE, _READ, _WRITE = 1, 2, 4  # bits 31:29 of a number; bits 28:16 are a size


def _number(direction: int, letter: int | str, number: int, size: int = 0) -> int:
    return direction << 29 | size << 16 | (ord(letter) if isinstance(letter, str) else letter) << 8 | number


_SAME_PLACE = {
    # FIOCLEX FIONCLEX FIOASYNC FIONBIO FIONREAD FIOQSIZE
    _number(_NONE, "f", 1): 0x5451, _number(_NONE, "f", 2): 0x5450, _number(_WRITE, "f", 125, 4): 0x5452,
    _number(_WRITE, "f", 126, 4): 0x5421, _number(_READ, "f", 127, 4): 0x541B, _number(_READ, "f", 128, 8): 0x5460,
    # TCGETS … TCSETSF: what others call TCGETS2, for the speeds are there
    _number(_READ, "t", 19, 44): 0x802C542A, _number(_WRITE, "t", 20, 44): 0x402C542B, _number(_WRITE, "t", 21, 44): 0x402C542C,
    _number(_WRITE, "t", 22, 44): 0x402C542D,
    # TCGETA TCSETA TCSETAW TCSETAF
    _number(_READ, "t", 23, 20): 0x5405, _number(_WRITE, "t", 24, 20): 0x5406, _number(_WRITE, "t", 25, 20): 0x5407,
    _number(_WRITE, "t", 28, 20): 0x5408,
    # TCSBRK TCXONC TCFLSH TIOCSWINSZ TIOCGWINSZ TIOCOUTQ TIOCSPGRP TIOCGPGRP
    _number(_NONE, "t", 29): 0x5409, _number(_NONE, "t", 30): 0x540A, _number(_NONE, "t", 31): 0x540B,
    _number(_WRITE, "t", 103, 8): 0x5414, _number(_READ, "t", 104, 8): 0x5413, _number(_READ, "t", 115, 4): 0x5411,
    _number(_WRITE, "t", 118, 4): 0x5410, _number(_READ, "t", 119, 4): 0x540F,
    # TIOCGPTN TIOCSPTLCK TIOCGDEV TIOCSIG TIOCGPKT TIOCGPTLCK TIOCGEXCL TIOCGPTPEER
    _number(_READ, "T", 0x30, 4): 0x80045430, _number(_WRITE, "T", 0x31, 4): 0x40045431, _number(_READ, "T", 0x32, 4): 0x80045432,
    _number(_WRITE, "T", 0x36, 4): 0x40045436, _number(_READ, "T", 0x40, 4): 0x80045440,
    _number(_READ, "T", 0x38, 4): 0x80045438, _number(_READ, "T", 0x39, 4): 0x80045439, _number(_NONE, "T", 0x41): 0x5441,
    # BLKROGET BLKGETSIZE BLKSSZGET BLKGETSIZE64 FICLONE FS_IOC_GETFLAGS FS_IOC_SETFLAGS; the last two for longs of both sizes
    _number(_NONE, 0x12, 93): 0x125D, _number(_NONE, 0x12, 96): 0x1260, _number(_NONE, 0x12, 104): 0x1268,
    _number(_READ, 0x12, 114, 8): 0x80081272, _number(_READ, 0x12, 114, 4): 0x80081272, _number(_WRITE, 0x94, 9, 4): 0x40049409,
    _number(_READ, "f", 1, 8): 0x80086601, _number(_READ, "f", 1, 4): 0x80086601,
    _number(_WRITE, "f", 2, 8): 0x40086602, _number(_WRITE, "f", 2, 4): 0x40086602,
}  # fmt: skip
_STRANGE = {number: 0 for number in (*range(0x5401, 0x540C), *_SAME_PLACE.values()) if number not in _SAME_PLACE}
#: number -> the number most architectures have; those numbers themselves mean nothing here
REQUESTS = {**_STRANGE, **_SAME_PLACE}

# (bits here, bits elsewhere, distance to the right): what is not listed is the same
_INPUT = ((0x200, 0x400, -1), (0x400, 0x1000, -2), (0x1000, 0x200, 3))  # IXON IXOFF IUCLC
_OUTPUT = (  # ONLCR OLCUC NLDLY TABDLY CRDLY FFDLY BSDLY VTDLY
    (2, 4, -1), (4, 2, 1), (0x300, 0x100, 0), (0xC00, 0x1800, -1), (0x3000, 0x600, 3), (0x4000, 0x8000, -1), (0x8000, 0x2000, 2),
    (0x10000, 0x4000, 2),
)  # fmt: skip
_CONTROL = ((0xFF00, 0xFF0, 4),)  # CSIZE CSTOPB CREAD PARENB PARODD HUPCL CLOCAL
_LOCAL = (  # ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP ECHOCTL ECHOPRT ECHOKE FLUSHO PENDIN IEXTEN EXTPROC
    (0x80, 1, 7), (0x100, 2, 7), (0x4000, 4, 12), (8, 8, 0), (2, 0x10, -3), (4, 0x20, -3), (0x10, 0x40, -2), (0x80000000, 0x80, 24),
    (0x400000, 0x100, 14), (0x40, 0x200, -3), (0x20, 0x400, -5), (1, 0x800, -11), (0x800000, 0x1000, 11), (0x20000000, 0x4000, 15),
    (0x400, 0x8000, -5), (0x10000000, 0x10000, 12),
)  # fmt: skip
_SPEED = 0xFF  # of output; that of input is 16 bits to the left
_SPEED_HOST = 0x100F
_FIRST_FAST = 0x10  # speeds from here on are 0x1001 … elsewhere, and the last one, which says to look at c_ospeed, is 0x1000
_OTHER_SPEED = 0x1F
# places in c_cc elsewhere of VINTR VQUIT VERASE VKILL VEOF VMIN VEOL VTIME VEOL2 VSWTC VWERASE VREPRINT VSUSP VSTART VSTOP VLNEXT VDISCARD
_CHARACTERS = (0, 1, 2, 3, 4, 6, 11, 5, 16, 7, 14, 12, 10, 8, 9, 15, 13)
_HOST = struct.Struct("=IIIIB19sII")


def _move(value: int, table: tuple[tuple[int, int, int], ...], *, to_host: bool) -> int:
    moved_bits = result = 0
    for here, there, right in table:
        source, mask = (here, there) if to_host else (there, here)
        moved_bits |= here | there
        distance = right if to_host else -right
        moved = (value & source) >> distance if distance >= 0 else (value & source) << -distance
        result |= moved & mask
    return result | value & ~moved_bits


def _speed_to_host(code: int) -> int:
    return code if code < _FIRST_FAST else 0x1000 if code == _OTHER_SPEED else 0x1000 | code - _FIRST_FAST + 1


def _speed_to_guest(code: int) -> int:
    return code if code < _FIRST_FAST else _OTHER_SPEED if code == 0x1000 else _FIRST_FAST + (code & 15) - 1


def _control_to_host(value: int) -> int:
    rest = _move(value & ~(_SPEED | _SPEED << 16), _CONTROL, to_host=True)
    return rest | _speed_to_host(value & _SPEED) | _speed_to_host(value >> 16 & _SPEED) << 16


def _control_to_guest(value: int) -> int:
    rest = _move(value & ~(_SPEED_HOST | _SPEED_HOST << 16), _CONTROL, to_host=False)
    return rest | _speed_to_guest(value & _SPEED_HOST) | _speed_to_guest(value >> 16 & _SPEED_HOST) << 16


def to_host(data: bytes, order: str) -> bytes:
    """Return the host's struct termios2 for a struct termios."""
    iflag, oflag, cflag, lflag, characters, line, ispeed, ospeed = struct.unpack(order + "IIII19sBII", data)
    there = bytearray(19)
    for here, place in enumerate(_CHARACTERS):
        there[place] = characters[here]
    return _HOST.pack(_move(iflag, _INPUT, to_host=True), _move(oflag, _OUTPUT, to_host=True), _control_to_host(cflag),
                      _move(lflag, _LOCAL, to_host=True), line, bytes(there), ispeed, ospeed)


def to_guest(data: bytes, order: str) -> bytes:
    """Return a struct termios for the host's struct termios2."""
    iflag, oflag, cflag, lflag, line, characters, ispeed, ospeed = _HOST.unpack(data)
    here = bytes(characters[place] for place in _CHARACTERS).ljust(19, b"\0")
    return struct.pack(order + "IIII19sBII", _move(iflag, _INPUT, to_host=False), _move(oflag, _OUTPUT, to_host=False),
                       _control_to_guest(cflag), _move(lflag, _LOCAL, to_host=False), here, line, ispeed, ospeed)
