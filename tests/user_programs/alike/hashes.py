"""All hashes that Python has, key derivation, checksums and compressors, of standard input."""

import binascii
import bz2
import hashlib
import hmac
import lzma
import sys
import zlib

data = sys.stdin.buffer.read()
for name in sorted(hashlib.algorithms_guaranteed):
    made = hashlib.new(name, data)
    print(name, made.hexdigest(32) if name.startswith("shake") else made.hexdigest())
print(hashlib.blake2b(data, key=b"key", salt=b"salt", digest_size=20).hexdigest(), hmac.new(b"key", data, "sha3_512").hexdigest())
print(hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 300).hex(), hashlib.scrypt(b"word", salt=b"salt", n=64, r=8, p=2).hex())
print(zlib.crc32(data), zlib.adler32(data), binascii.crc_hqx(data, 7), binascii.crc32(data[7:]))
for pack, unpack in ((zlib.compress, zlib.decompress), (bz2.compress, bz2.decompress), (lzma.compress, lzma.decompress)):
    packed = pack(data)
    print(len(packed), hashlib.sha256(packed).hexdigest(), unpack(packed) == data)
