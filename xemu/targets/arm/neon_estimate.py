"""Estimates of reciprocals and reciprocal square roots (ARM ARM A2.7.5), without tables.

The manual rounds a double to nine bits. A value t is the rounded estimate or below it exactly if t - 1/2 is not above the
estimate, and squaring and multiplying turns that into a comparison of integers: eight steps of a bitwise search.
"""

from __future__ import annotations

from xemu.core.bits import Lanes, const
from xemu.core.fp import LaneParts, pick
from xemu.targets.arm.neon_fp_lanes import INFINITY, NAN, SIGNS, lanes_of, raise_lanes, singles


def bitwise_search(inside, like: Lanes) -> Lanes:
    """Return the largest t of 256…511 in each lane for which `inside(2 * t - 1)`, a mask, holds; it falls with t."""
    found = Lanes.splat(const(256, like.size), like.count)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        t = found | bit
        found = found | (inside((t << 1) - 1) & bit)
    return found


def recip_estimate(q: Lanes) -> Lanes:
    """Return 256 * recip_estimate((q + 0.5) / 512) rounded, for q = 256…511: t - 1/2 <= 2**18 / (2 * q + 1)."""
    odd = (q << 1) + 1
    return bitwise_search(lambda t: ~lanes_of(1 << 19, q).op("ult", t * odd), q)


def rsqrt_estimate(q: Lanes, limit: Lanes) -> Lanes:
    """Return 256 / sqrt((q + 0.5) / 256 or / 512) rounded, for q = 128…255; `limit` 2**27 or 2**28: the square of the above."""
    odd = (q << 1) + 1
    return bitwise_search(lambda t: ~limit.op("ult", t * t * odd), q)


def vrecpe(cpu, m):
    """Return FPRecipEstimate()."""
    x = LaneParts(singles(m), "f32")
    sign, size = x.bits & SIGNS, x.magnitude
    zero, huge = size.op("ult", 1 << 23), ~size.op("ult", 0x7E800000)
    infinite = size.op("eq", INFINITY)
    estimate = recip_estimate((x.bits >> 15) & 255 | 256)
    number = ((lanes_of(253, size) - (size >> 23)) << 23) | (estimate & 255) << 15
    result = sign | pick(zero, lanes_of(INFINITY, size), number & ~huge)
    raise_lanes(cpu, invalid=x.is_signalling, denormal=x.is_denormal, divide_by_zero=zero, underflow=huge & ~infinite & ~x.is_nan)
    return pick(x.is_nan, lanes_of(NAN, size), result).bits


def vrsqrte(cpu, m):
    """Return FPRSqrtEstimate()."""
    x = LaneParts(singles(m), "f32")
    size, negative = x.magnitude, x.bits.sar(31)
    zero = size.op("ult", 1 << 23)
    invalid = x.is_nan | (negative & ~zero)
    low = lanes_of(1 << 27, size)
    odd = (x.bits & 1 << 23).op("eq", 0)                                # an even exponent field: [0.5, 1)
    estimate = rsqrt_estimate((x.bits >> 16) & 127 | 128, pick(odd, low, low << 1))
    exponent = (lanes_of(380, size) - (size >> 23)) >> 1
    number = (exponent << 23 | (estimate & 255) << 15) & ~size.op("eq", INFINITY)
    result = pick(zero, (x.bits & SIGNS) | INFINITY, number)
    raise_lanes(cpu, invalid=x.is_signalling | (negative & ~zero & ~x.is_nan), denormal=x.is_denormal, divide_by_zero=zero)
    return pick(invalid, lanes_of(NAN, size), result).bits


def vrecpe_u32(cpu, m):
    """Return UnsignedRecipEstimate()."""
    x = singles(m)
    return pick(x.sar(31), (recip_estimate(x >> 23 | 256) & 255) << 23 | SIGNS, lanes_of(0xFFFFFFFF, x)).bits


def vrsqrte_u32(cpu, m):
    """Return UnsignedRSqrtEstimate()."""
    x = singles(m)
    upper, low = x.sar(31), lanes_of(1 << 27, x)
    q = pick(upper, x >> 24, x >> 23) & 127 | 128
    estimate = rsqrt_estimate(q, pick(upper, low, low << 1))
    return pick(x.op("ult", 1 << 30), lanes_of(0xFFFFFFFF, x), (estimate & 255) << 23 | SIGNS).bits
