"""Writes small discrete Fourier transforms as straight lines of CUDA C++: no loop, constants in place.

A transform whose points are first multiplied by the powers of a twiddle,
``sum_n v_n w^n exp(-2 pi i n k / r)``, halves into those of the even and the odd points with w squared:
``E_k + w exp(-2 pi i k / r) O_k`` and ``E_k - ...``, each pair of results in six fused multiply-adds, the
second as ``2 E_k`` minus the first. So the twiddles of a power of two cost nothing of their own. Other
lengths are composed (Cooley and Tukey, 1965) down to primes, where sums of mirrored points save half of the
products.
"""

from __future__ import annotations

import cmath
import math

__all__ = ["codelet", "twiddle_exponents", "twisted_codelet"]

_Value = tuple[str, str]  # names of a real and of an imaginary part


class _Lines:
    """Lines of code, each of which names one value."""

    def __init__(self, sign: int) -> None:
        self.sign, self.lines = sign, list[str]()

    def let(self, expression: str) -> str:
        name = f"t{len(self.lines)}"
        self.lines.append(f"const float {name} = {expression};")
        return name

    def add(self, a: _Value, b: _Value) -> _Value:
        return self.let(f"{a[0]} + {b[0]}"), self.let(f"{a[1]} + {b[1]}")

    def subtract(self, a: _Value, b: _Value) -> _Value:
        return self.let(f"{a[0]} - {b[0]}"), self.let(f"{a[1]} - {b[1]}")

    def turned(self, a: _Value, k: int, n: int) -> _Value:
        """Multiply by ``exp(sign 2 pi i k / n)``."""
        k = self.sign * k % n
        if k == 0:
            return a
        if 4 * k == n:
            return self.let(f"-{a[1]}"), a[0]
        if 2 * k == n:
            return self.let(f"-{a[0]}"), self.let(f"-{a[1]}")
        if 4 * k == 3 * n:
            return a[1], self.let(f"-{a[0]}")
        c, s = _number(math.cos(2 * math.pi * k / n)), _number(math.sin(2 * math.pi * k / n))
        return self.times(a, (c, s))

    def times(self, a: _Value, w: _Value) -> _Value:
        real = self.let(f"fmaf({w[0]}, {a[0]}, -({w[1]} * {a[1]}))")
        return real, self.let(f"fmaf({w[0]}, {a[1]}, {w[1]} * {a[0]})")

    def butterfly(self, e: _Value, o: _Value, w: _Value) -> tuple[_Value, _Value]:
        """Return ``e + w o`` and ``e - w o``."""
        real = self.let(f"fmaf({w[0]}, {o[0]}, fmaf({_minus(w[1])}, {o[1]}, {e[0]}))")
        imaginary = self.let(f"fmaf({w[0]}, {o[1]}, fmaf({w[1]}, {o[0]}, {e[1]}))")
        other = self.let(f"fmaf(2.f, {e[0]}, -{real})"), self.let(f"fmaf(2.f, {e[1]}, -{imaginary})")
        return (real, imaginary), other


def _number(value: float) -> str:
    return f"({value:.9e}f)"


def _power_of_two(n: int) -> bool:
    return n & (n - 1) == 0


def twiddle_exponents(points: int) -> list[complex]:
    """Return what `twisted_codelet` looks up, for ``w = exp(-2 pi i a)``: each is ``exp(-2 pi i (p a + q))``.

    Returns:
        p as real and q as imaginary parts, in the order of the table.

    Example:
        >>> twiddle_exponents(8)
        [(4+0j), (2+0j), (1+0j), (1+0.125j)]
    """
    if not _power_of_two(points):
        return [complex(n, 0) for n in range(1, points)]
    found, size = [], 2
    while size <= points:
        found += [complex(points // size, k / size) for k in range(max(1, size // 4))]
        size *= 2
    return found


def codelet(points: int, *, inverse: bool) -> str:
    """Return the function ``transform(Points<n>, Forward or Inverse, float2 (&v)[n])``, unscaled, in place.

    Args:
        points: length of the transform, at least 2.
        inverse: with ``exp(+2 pi i k n / points)`` instead of minus.

    Example:
        >>> print(codelet(2, inverse=False).splitlines()[1].strip())
        const float t0 = v[0].x + v[1].x;
    """
    lines = _Lines(1 if inverse else -1)
    out = _transform(lines, [(f"v[{n}].x", f"v[{n}].y") for n in range(points)])
    return _function("transform", "", points, lines, out)


def twisted_codelet(points: int, *, inverse: bool) -> str:
    """Return ``twisted(Points<n>, ..., v, w)``: v is multiplied by powers of a twiddle, then transformed.

    ``w`` holds the twiddles of `twiddle_exponents`; the inverse takes their conjugates.
    """
    lines = _Lines(1 if inverse else -1)
    minus = "-" if inverse else ""
    kept = [(f"w[{j}].x", f"{minus}w[{j}].y") for j in range(len(twiddle_exponents(points)))]
    values = [(f"v[{n}].x", f"v[{n}].y") for n in range(points)]
    if _power_of_two(points):
        tables = {}
        for size in (2**i for i in range(1, points.bit_length())):
            count = max(1, size // 4)
            tables[size], kept = kept[:count], kept[count:]
        out = _twisted(lines, values, tables)
    else:
        turned = [lines.times(value, w) for value, w in zip(values[1:], kept, strict=True)]
        out = _transform(lines, [values[0], *turned])
    return _function("twisted", f", const float2 (&w)[{len(twiddle_exponents(points))}]", points, lines, out)


def _function(name: str, more: str, points: int, lines: _Lines, out: list[_Value]) -> str:
    way = "Inverse" if lines.sign > 0 else "Forward"
    head = f"__device__ __forceinline__ void {name}(Points<{points}>, {way}, float2 (&v)[{points}]{more}) {{"
    stores = [f"v[{k}] = make_float2({real}, {imaginary});" for k, (real, imaginary) in enumerate(out)]
    return "\n    ".join([head, *lines.lines, *stores]) + "\n}\n"


def _twisted(lines: _Lines, values: list[_Value], tables: dict[int, list[_Value]]) -> list[_Value]:
    size = len(values)
    if size == 1:
        return values
    even, odd = _twisted(lines, values[::2], tables), _twisted(lines, values[1::2], tables)
    low, high = [], []
    for k in range(size // 2):
        # A quarter turn further is the same twiddle times -i, or i backwards.
        turn, at = divmod(k, max(1, size // 4))
        c, s = tables[size][at]
        w = (c, s) if not turn else (s, _minus(c)) if lines.sign < 0 else (_minus(s), c)
        first, second = lines.butterfly(even[k], odd[k], w)
        low.append(first)
        high.append(second)
    return low + high


def _minus(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _transform(lines: _Lines, values: list[_Value]) -> list[_Value]:
    n = len(values)
    if n == 1:
        return values
    if _power_of_two(n):
        return _halved(lines, values)
    a = next((f for f in (4, 2, 3, 5, 7) if n % f == 0 and f < n), n)
    if a == n:
        return _prime(lines, values)
    b = n // a
    inner = [_transform(lines, values[m::b]) for m in range(b)]
    out: list[_Value] = [("", "")] * n
    for k in range(a):
        turned = [lines.turned(inner[m][k], m * k, n) for m in range(b)]
        for q, value in enumerate(_transform(lines, turned)):
            out[k + a * q] = value
    return out


def _halved(lines: _Lines, values: list[_Value]) -> list[_Value]:
    n = len(values)
    even, odd = _transform(lines, values[::2]), _transform(lines, values[1::2])
    low, high = [], []
    for k in range(n // 2):
        e, o = even[k], odd[k]
        if k == 0:
            first, second = lines.add(e, o), lines.subtract(e, o)
        elif 4 * k == n:  # a quarter turn: no product
            plus = lines.let(f"{e[0]} + {o[1]}"), lines.let(f"{e[1]} - {o[0]}")
            minus = lines.let(f"{e[0]} - {o[1]}"), lines.let(f"{e[1]} + {o[0]}")
            first, second = (plus, minus) if lines.sign < 0 else (minus, plus)
        else:
            w = cmath.exp(lines.sign * 2j * math.pi * k / n)
            first, second = lines.butterfly(e, o, (_number(w.real), _number(w.imag)))
        low.append(first)
        high.append(second)
    return low + high


def _prime(lines: _Lines, values: list[_Value]) -> list[_Value]:
    n = len(values)
    first, half = values[0], range(1, n // 2 + 1)
    sums = {j: lines.add(values[j], values[n - j]) for j in half}
    differences = {j: lines.subtract(values[j], values[n - j]) for j in half}
    total = first
    for j in half:
        total = lines.add(total, sums[j])
    out = [total] * n
    for k in half:
        even, odd = [first[0], first[1]], ["", ""]
        for j in half:
            angle = 2 * math.pi * (j * k % n) / n
            c, s = _number(math.cos(angle)), _number(lines.sign * math.sin(angle))
            for part in (0, 1):
                term = differences[j][part]
                even[part] = lines.let(f"fmaf({c}, {sums[j][part]}, {even[part]})")
                odd[part] = lines.let(f"fmaf({s}, {term}, {odd[part]})" if odd[part] else f"{s} * {term}")
        out[k] = lines.let(f"{even[0]} - {odd[1]}"), lines.let(f"{even[1]} + {odd[0]}")
        out[n - k] = lines.let(f"{even[0]} + {odd[1]}"), lines.let(f"{even[1]} - {odd[0]}")
    return out
