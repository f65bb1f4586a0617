"""Integers, floating point (correctly rounded operations only), decimals, fractions and what is printed of them."""

import bisect
import collections
import datetime as dt
import decimal
import fractions
import heapq
import json
import math
import pickle
import random
import re
import statistics
import struct
import textwrap
import unicodedata
import uuid

random.seed(11)
values = [random.random() * float(f"1e{random.randrange(-300, 300)}") for _ in range(500)]
print(values[:9], math.fsum(values), statistics.fmean(values), max(values), sorted(values)[:9])
print([math.sqrt(v) for v in values[:30]], [v.hex() for v in values[:30]], [math.frexp(v) for v in values[:30]])
print([int(v) for v in values if 1e20 < v < 1e60], [float(str(v)) == v for v in values].count(True))
print([round(v, 3) for v in values if 1e-3 < v < 1e9], [f"{v:.30f} {v:.3e} {v:g}" for v in values if 1e-9 < v < 1e9])
print([(a * b + 1, a / b, a - b, a % b, a // b) for a, b in zip(values, reversed(values), strict=True) if 1e-99 < a / b < 1e99])
decimal.getcontext().prec = 90
print(decimal.Decimal(2).ln(), decimal.Decimal(3).exp(), decimal.Decimal(7) ** decimal.Decimal("0.3"), decimal.Decimal(values[0]))
print(sum(fractions.Fraction(1, n) for n in range(1, 90)), fractions.Fraction(values[1]).limit_denominator(10**9))
print(math.comb(300, 140), pow(3, 10**30, 10**31 + 33), pow(3, -1, 10**31 + 33), (7**900 // 13**200) % 10**30, math.isqrt(10**99))
print(json.dumps({"v": values[:5], "t": "\u00e4\u20ac\U0001f600"}), pickle.dumps([values[:3], {"a": (1, 2**70)}], 4).hex())
for order in "<>":
    print(struct.pack(order + "qIhfde", -5, 2**31, -7, 1.1, values[0], 0.1).hex())
print(re.findall(r"(?P<a>\d+)(?=[a-f]{2})", uuid.UUID(int=2**127 // 7).hex), unicodedata.normalize("NFKD", "\ufb01\u00e9"))
heap = [(v, i) for i, v in enumerate(values)]
heapq.heapify(heap)
print([heapq.heappop(heap)[1] for _ in range(20)], collections.Counter(str(values)).most_common(12))
print(dt.date(2024, 2, 29) + dt.timedelta(days=366), textwrap.fill("lorem ipsum dolor " * 9, 31), bisect.bisect(sorted(values), 1.0))
