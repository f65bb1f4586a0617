"""AES in the nRF51: ECB, CCM, AAR. nRF51 Reference Manual 3.0, 24, 25, 27; FIPS 197; Bluetooth Core 4.0, volume 6, part E."""

from __future__ import annotations

from functools import cache

from xemu.core.memory import GuestFault
from xemu.hw.devices.nrf51_base import Event, Switched, Task
from xemu.hw.parts import Timer, Var
from xemu.hw.registers import RO, RW, Reg


def _double(x: int) -> int:
    """Multiply by x in GF(2^8) (FIPS 197, 4.2.1)."""
    return (x << 1 ^ 0x11B) if x & 0x80 else x << 1


@cache
def s_box() -> bytes:
    """Return the S-box: the inverse in GF(2^8), then the affine map (FIPS 197, 5.1.1)."""
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x = _double(x) ^ x                      # 3 generates the field
    out = bytearray(256)
    for value in range(256):
        inverse = powers[-powers.index(value) % 255] if value else 0
        bits = 0
        for i in range(8):
            bits |= (sum(inverse >> ((i + k) % 8) & 1 for k in (0, 4, 5, 6, 7)) & 1) << i
        out[value] = bits ^ 0x63
    return bytes(out)


def _expand(key: bytes) -> list[bytes]:
    """Return the eleven round keys (FIPS 197, 5.2)."""
    box, words, constant = s_box(), [key[i:i + 4] for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = bytes(box[b] for b in word[1:] + word[:1])
            word = bytes((word[0] ^ constant,)) + word[1:]
            constant = _double(constant)
        words.append(bytes(a ^ b for a, b in zip(word, words[-4], strict=True)))
    return [b"".join(words[i:i + 4]) for i in range(0, 44, 4)]


def _mix(column: bytes) -> bytes:
    """MixColumns() of one column (FIPS 197, 5.1.3)."""
    everything = column[0] ^ column[1] ^ column[2] ^ column[3]
    return bytes(b ^ everything ^ _double(b ^ column[(i + 1) % 4]) for i, b in enumerate(column))


def encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt 16 bytes with AES-128 (FIPS 197, 5.1)."""
    box, keys = s_box(), _expand(key)
    state = xor(block, keys[0])
    for number in range(1, 11):
        state = bytes(box[state[(i + 4 * (i % 4)) % 16]] for i in range(16))          # SubBytes and ShiftRows
        if number < 10:
            state = b"".join(_mix(state[i:i + 4]) for i in range(0, 16, 4))
        state = xor(state, keys[number])
    return state


def xor(a: bytes, b: bytes) -> bytes:
    """Return the exclusive or of the common length."""
    return bytes(x ^ y for x, y in zip(a, b, strict=False))


def ccm_keystream(key: bytes, nonce: bytes, length: int) -> bytes:
    """Return the key stream for a payload; block 0 is for the MIC."""
    return b"".join(encrypt(key, b"\x01" + nonce + n.to_bytes(2, "big")) for n in range(length // 16 + 2))


def ccm_mic(key: bytes, nonce: bytes, header: int, payload: bytes) -> bytes:
    """Return the unencrypted MIC: CBC-MAC over nonce, first header byte and payload, four bytes."""
    blocks = b"\x49" + nonce + len(payload).to_bytes(2, "big")
    blocks += b"\x00\x01" + bytes((header & 0xE3,)) + bytes(13) + payload + bytes(-len(payload) % 16)
    mac = bytes(16)
    for i in range(0, len(blocks), 16):
        mac = encrypt(key, xor(mac, blocks[i:i + 16]))
    return mac[:4]


class Bus(Switched):
    """A peripheral that reads and writes RAM."""

    def fetch(self, address: int, length: int) -> bytes:
        """Read memory; GuestFault where there is none."""
        return bytes(self.machine.bus_read(address + i, 1) for i in range(length))

    def put(self, address: int, data: bytes) -> None:
        """Write memory; GuestFault where there is none."""
        for i, byte in enumerate(data):
            self.machine.bus_write(address + i, 1, byte)


class Nrf51Ecb(Bus):
    """ECB: encrypts one block in memory: key, clear text, cipher text."""

    clock = Timer(1_000_000)

    STARTECB = Task(0x000, "Start")
    STOPECB = Task(0x004, "Stop")
    ENDECB = Event(0x100, "The block is encrypted")
    ERRORECB = Event(0x104, "Stopped before the end, or no memory at ECBDATAPTR")
    ECBDATAPTR = Reg(0x504, "Address of key, clear text, cipher text")

    @STARTECB.does
    def _start(self):
        self.clock.start(0)
        self.clock.expire_at(17)

    @STOPECB.does
    def _stop(self):
        if self.clock.goal is not None:
            self.clock.cancel()
            self.fire(self.ERRORECB)

    @clock.expired
    def _encrypt(self):
        at = int(self.ECBDATAPTR)
        try:
            self.put(at + 32, encrypt(self.fetch(at, 16), self.fetch(at + 16, 16)))
        except GuestFault:
            self.fire(self.ERRORECB)
        else:
            self.fire(self.ENDECB)


CCM, AAR = 2, 3                                 # values of ENABLE


class Nrf51CcmAar(Bus):
    """CCM (encrypts Bluetooth packets) and AAR (resolves addresses), which share registers: ENABLE says which works."""

    clock = Timer(1_000_000)
    doing = Var("")

    START = Task(0x000, "CCM: generate the key stream; AAR: start")
    CRYPT = Task(0x004, "CCM: encrypt or decrypt")
    STOP = Task(0x008, "Stop")
    END = Event(0x100, "CCM: the key stream is there (ENDKSGEN); AAR: end")
    DONE = Event(0x104, "CCM: ENDCRYPT; AAR: RESOLVED")
    FAILED = Event(0x108, "CCM: ERROR; AAR: NOTRESOLVED")
    SHORTS = Reg(0x200, "Shortcuts", END_CRYPT=RW[0])
    STATUS = Reg(0x400, "CCM: MIC is right; AAR: number of the key", STATUS=RO[3:0])
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[1:0](disabled=0, ccm=2, aar=3))
    MODE = Reg(0x504, "CCM: mode; AAR: number of keys", reset=1, MODE=RW[4:0](encrypt=0, decrypt=1))
    CNFPTR = Reg(0x508, "CCM: address of key and nonce; AAR: of the keys")
    INPTR = Reg(0x50C, "CCM: address of the input")
    OUTPTR = Reg(0x510, "CCM: address of the output; AAR: of the address to resolve")
    SCRATCHPTR = Reg(0x514, "Address of memory to work in")

    @START.does
    def _start(self):
        if self.ENABLE in (CCM, AAR):
            self.doing = "keystream" if self.ENABLE == CCM else "resolve"
            self.clock.start(0)
            self.clock.expire_at(50 if self.ENABLE == CCM else 6 * max(1, int(self.MODE)))

    @CRYPT.does
    def _start_crypt(self):
        if self.ENABLE == CCM:
            self.doing = "crypt"
            self.clock.start(0)
            self.clock.expire_at(50)

    @STOP.does
    def _stop(self):
        self.clock.cancel()

    @clock.expired
    def _finished(self):
        try:
            if self.doing == "keystream":
                self.fire(self.END)
            elif self.doing == "crypt":
                self._crypt()
                self.fire(self.DONE)
            else:
                self._resolve()
        except GuestFault:
            self.fire(self.FAILED)

    def _crypt(self) -> None:
        """Packets in memory: header, length, a reserved byte, payload, and where encrypted four bytes of MIC."""
        config = self.fetch(int(self.CNFPTR), 33)
        key = config[:16]
        counter = int.from_bytes(config[16:21], "little") & (1 << 39) - 1 | (config[24] & 1) << 39
        nonce = counter.to_bytes(5, "little") + config[25:33]
        header, length, rest = self.fetch(int(self.INPTR), 3)
        decrypt = self.MODE.value & 1
        body = self.fetch(int(self.INPTR) + 3, length)
        size = max(length - 4, 0) if decrypt else length
        stream = ccm_keystream(key, nonce, size)
        payload = xor(body[:size], stream[16:])
        mic = ccm_mic(key, nonce, header, payload if decrypt else body)
        if length == 0:
            out, self.STATUS = b"", 1           # empty packets are not encrypted
        elif decrypt:
            out, self.STATUS = payload, int(xor(body[size:], stream) == mic and length >= 4)
        else:
            out = payload + xor(mic, stream)
        self.put(int(self.OUTPTR), bytes((header, len(out) & 0xFF, rest)) + out)

    def _resolve(self) -> None:
        """Bluetooth Core 4.0, volume 3, part H, 2.2.2: hash = the low 24 bits of AES(IRK, prand)."""
        address = self.fetch(int(self.OUTPTR) + 3, 6)
        block = bytes(13) + address[:2:-1]
        found = None
        for n in range(int(self.MODE) & 31):
            key = self.fetch(int(self.CNFPTR) + 16 * n, 16)
            if encrypt(key, block)[:12:-1] == address[:3]:
                found = n
                break
        if found is not None:
            self.STATUS = found
        self.fire(self.END)
        self.fire(self.DONE if found is not None else self.FAILED)

