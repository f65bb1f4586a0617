"""Build attributes of ARM objects: what the compiler was told about the processor.

Addenda to, and Errata in, the ABI for the Arm Architecture (ADDENDA32), "Build Attributes", sections 3.2 and 3.3.
"""

from __future__ import annotations

import struct

# tag -> name of those with numbers that we keep
NUMBERS = {
    6: "Tag_CPU_arch", 7: "Tag_CPU_arch_profile", 8: "Tag_ARM_ISA_use", 9: "Tag_THUMB_ISA_use", 10: "Tag_FP_arch",
    12: "Tag_Advanced_SIMD_arch", 27: "Tag_ABI_HardFP_use", 28: "Tag_ABI_VFP_args", 34: "Tag_CPU_unaligned_access",
    44: "Tag_DIV_use", 46: "Tag_DSP_extension", 48: "Tag_MVE_arch",
}  # fmt: skip
STRINGS = {4: "Tag_CPU_raw_name", 5: "Tag_CPU_name", 67: "Tag_conformance"}
COMPATIBILITY, SYMBOLS_NEXT = 32, (2, 3)
WHOLE_FILE = 1

# Tag_CPU_arch -> architecture; v7 alone depends on the profile
ARCHITECTURES = {
    1: "armv4", 2: "armv4t", 3: "armv5t", 4: "armv5te", 5: "armv5tej", 6: "armv6", 7: "armv6kz", 8: "armv6t2", 9: "armv6k",
    10: "armv7", 11: "armv6-m", 12: "armv6-m", 13: "armv7e-m", 14: "armv8-a", 15: "armv8-r", 16: "armv8-m.base",
    17: "armv8-m.main", 21: "armv8.1-m.main", 22: "armv9-a",
}  # fmt: skip


def read_attributes(data: bytes, order: str) -> dict[str, int | str]:
    """Return the file-wide attributes of the "aeabi" vendor; what is damaged is left out."""
    found: dict[str, int | str] = {}
    if data[:1] != b"A":
        return found
    word = struct.Struct(order + "I")
    position = 1
    while position + 4 <= len(data):
        (length,) = word.unpack_from(data, position)
        if length < 5:
            break
        vendor, _, body = data[position + 4 : position + length].partition(b"\0")
        if vendor == b"aeabi":
            _read_vendor(body, word, found)
        position += length
    return found


def _read_vendor(body: bytes, word: struct.Struct, found: dict[str, int | str]) -> None:
    """Read the parts of a vendor's section: a tag (1: for the whole file), a size, attributes."""
    position = 0
    while position + 5 <= len(body):
        (length,) = word.unpack_from(body, position + 1)
        if length < 5:
            break
        if body[position] == WHOLE_FILE:
            _read_pairs(body[position + 5 : position + length], found)
        position += length


def _read_pairs(data: bytes, found: dict[str, int | str]) -> None:
    position = 0
    while position < len(data):
        tag, position = _uleb(data, position)
        number: int | None = None
        text: str | None = None
        if tag == COMPATIBILITY:
            number, position = _uleb(data, position)
        if tag in STRINGS or tag == COMPATIBILITY or (tag > COMPATIBILITY and tag & 1):
            end = data.find(b"\0", position)
            if end < 0:
                return
            text, position = data[position:end].decode("ascii", "replace"), end + 1
        else:
            number, position = _uleb(data, position)
        if tag in STRINGS and text is not None:
            found[STRINGS[tag]] = text
        elif tag in NUMBERS and number is not None:
            found[NUMBERS[tag]] = number


def _uleb(data: bytes, position: int) -> tuple[int, int]:
    """Return (number, next position); a number cut short, or of more than 64 bits, ends the data."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    return 0, len(data)


def architecture_name(found: dict[str, int | str]) -> str | None:
    """Return "armv6-m", "armv7-m", "armv7e-m", "armv7-a" …, None if the attributes do not say."""
    number = found.get("Tag_CPU_arch")
    name = ARCHITECTURES.get(number) if isinstance(number, int) else None
    profile = found.get("Tag_CPU_arch_profile")
    if name == "armv7" and isinstance(profile, int) and profile in (0x41, 0x52, 0x4D):  # 'A', 'R', 'M'
        return f"armv7-{chr(profile).lower()}"
    return name
