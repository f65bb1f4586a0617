"""Integer tests on the bits of operands and results, for floating point that may have to flush denormals."""

from __future__ import annotations

from typing import Any

from xemu.core.softnumber import FORMATS, Format


class Check:
    """Integer tests on the bits of operands and results that flushing modes need; on one lane or a vector."""

    def __init__(self, em: Any, fmt: Format, lanes: int) -> None:
        self.em, self.fmt, self.lanes = em, fmt, lanes
        self.kind = f"i{fmt.width}" if lanes == 1 else f"<{lanes} x i{fmt.width}>"
        self.smallest, self.infinity = 1 << fmt.fraction, fmt.infinity

    def const(self, value: int) -> str:
        """Return a constant in every lane."""
        value &= (1 << self.fmt.width) - 1
        text = str(value - (1 << self.fmt.width) if value >> (self.fmt.width - 1) else value)
        return text if self.lanes == 1 else "<" + ", ".join([f"i{self.fmt.width} {text}"] * self.lanes) + ">"

    def op(self, name: str, x: str, y: str | int) -> str:
        """Emit an operation or a comparison ("icmp ult")."""
        other = self.const(y) if isinstance(y, int) else y
        return str(self.em.let(f"{name} {self.kind} {x}, {other}"))

    def bits(self, name: str, x: str, y: str) -> str:
        """Combine two masks."""
        flag = "i1" if self.lanes == 1 else f"<{self.lanes} x i1>"
        return str(self.em.let(f"{name} {flag} {x}, {y}"))

    def any(self, mask: str) -> str:
        """Return whether a mask has a lane set."""
        if self.lanes == 1:
            return mask
        number = self.em.let(f"bitcast <{self.lanes} x i1> {mask} to i{self.lanes}")
        return str(self.em.let(f"icmp ne i{self.lanes} {number}, 0"))

    def pick(self, name: str, x: str, y: str) -> str:
        """Emit umin or umax."""
        suffix = f"v{self.lanes}i{self.fmt.width}" if self.lanes > 1 else f"i{self.fmt.width}"
        return str(self.em.call(self.kind, f"llvm.{name}.{suffix}", f"{self.kind} {x}", f"{self.kind} {y}"))

    def size(self, x: str) -> str:
        """Return the number without its sign."""
        return self.op("and", x, self.fmt.sign - 1)

    def denormal(self, size: str) -> str:
        """Return where a size is denormal."""
        return self.op("icmp ult", self.op("add", size, -1), self.smallest - 1)

    def before(self, name: str, fmt: Any, operands: list[str]) -> str:
        """Return whether the operation may not be done on the host; empty: it always may."""
        sizes = [self.size(x) for x in operands] if not name.startswith("from_") else []
        match name:
            case "mul" | "div":
                return self.any(self._far(name, sizes[0], sizes[1]))
            case "fma":
                return self.any(self.bits("or", self._far(name, sizes[0], sizes[1]), self.denormal(sizes[2])))
            case "to_float" if fmt == ("f64", "f32"):
                low = 1 + self.fmt.bias - FORMATS["f32"].bias + 1
                small = self.op("icmp ult", sizes[0], low << self.fmt.fraction)
                zero = self.op("icmp eq", sizes[0], 0)
                large = self.op("icmp uge", sizes[0], self.infinity)
                return self.bits("or", self.bits("and", small, self.bits("xor", zero, "true")), large)
            case "from_sint" | "from_uint":
                return ""
        if len(sizes) == 1:
            return self.any(self.denormal(sizes[0]))
        lower = self.pick("umin", self.op("add", sizes[0], -1), self.op("add", sizes[1], -1))
        return self.any(self.op("icmp ult", lower, self.smallest - 1))

    def _far(self, name: str, x: str, y: str) -> str:
        """Return where a factor is not normal and finite, or the result may be tiny."""
        f = self.fmt
        odd = self.bits("or", self.op("icmp slt", self.pick("umin", x, y), self.smallest),
                        self.op("icmp sge", self.pick("umax", x, y), self.infinity))
        if name == "div":
            tiny = self.op("icmp slt", self.op("sub", x, y), (2 - f.bias) << f.fraction)
        else:                                  # of a fused product, every bit must fit above the smallest denormal
            least = (f.bias + 2 + (f.fraction if name == "fma" else 0)) << f.fraction
            tiny = self.op("icmp slt", y, self.op("sub", self.const(least), x))
        return self.bits("or", odd, tiny)

    def surely(self, name: str, operands: list[str]) -> str:
        """Return whether it really may not be done, after `before` has said so: products with zeros may."""
        if name not in ("mul", "fma"):
            return "true"
        x, y = (self.size(v) for v in operands[:2])
        far = self._far(name, x, y)
        low, high = self.pick("umin", x, y), self.pick("umax", x, y)
        zero = self.op("icmp eq", low, 0)
        other = self.op("icmp ult", self.op("sub", high, self.smallest), self.infinity - self.smallest)
        other = self.bits("or", other, self.op("icmp eq", high, 0))
        fine = self.bits("and", zero, other)
        flag = "true" if self.lanes == 1 else "<" + ", ".join(["i1 true"] * self.lanes) + ">"
        bad = self.bits("and", far, self.bits("xor", fine, flag))
        if name == "fma":
            bad = self.bits("or", bad, self.denormal(self.size(operands[2])))
        return self.any(bad)

    def after(self, name: str, fmt: Any, result: str) -> str:
        """Return whether the host's result may not be kept; empty: it always may."""
        if name in ("mul", "div") or name.startswith("from_") or fmt == ("f64", "f32"):
            return ""
        if name == "to_sint":
            return self.any(self.op("icmp eq", result, 1 << 31))
        size = self.size(result)
        return self.any(self.bits("or", self.denormal(size), self.op("icmp sgt", size, self.infinity)))
