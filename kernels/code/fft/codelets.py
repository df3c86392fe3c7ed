"""Codelets: small discrete Fourier transforms as LLVM vector instructions.

A complex vector is a pair (real, imaginary) of ``<width x float>`` values; every lane is a transform of
its own. Operations carry LLVM's ``contract`` flag alone, so multiply-adds may fuse and nothing else is
reordered.
"""

from __future__ import annotations

import cmath
import math
from typing import Any, TypeAlias

from llvmlite import ir

__all__ = ["Codelets", "Pair"]

#: (real, imaginary), each an LLVM value of type ``<width x float>``.
Pair: TypeAlias = tuple[Any, Any]

_FLAGS = ("contract",)
_HALF = math.sqrt(0.5)


class Codelets:
    """Emits butterflies at an IR builder's position.

    Args:
        builder: llvmlite's IRBuilder.
        width: lanes of a vector.
        inverse: the sign of the exponent is plus instead of minus.
    """

    def __init__(self, builder: Any, width: int, *, inverse: bool) -> None:
        self.builder, self.width, self.inverse = builder, width, inverse
        self.vector = ir.VectorType(ir.FloatType(), width)

    # Arithmetic

    def constant(self, value: float) -> Any:
        """Return ``value`` in every lane."""
        return ir.Constant(self.vector, [float(value)] * self.width)

    def _add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=_FLAGS)

    def _sub(self, a: Any, b: Any) -> Any:
        return self.builder.fsub(a, b, flags=_FLAGS)

    def _mul(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=_FLAGS)

    def _neg(self, a: Any) -> Any:
        return self.builder.fneg(a)

    def add(self, x: Pair, y: Pair) -> Pair:
        """Return x + y."""
        return self._add(x[0], y[0]), self._add(x[1], y[1])

    def subtract(self, x: Pair, y: Pair) -> Pair:
        """Return x - y."""
        return self._sub(x[0], y[0]), self._sub(x[1], y[1])

    def multiply(self, x: Pair, y: Pair) -> Pair:
        """Return x * y."""
        real = self._sub(self._mul(x[0], y[0]), self._mul(x[1], y[1]))
        return real, self._add(self._mul(x[0], y[1]), self._mul(x[1], y[0]))

    def twiddle(self, x: Pair, factor: Pair) -> Pair:
        """Return x times a factor from the tables, which hold those of the forward transform."""
        return self.multiply(x, (factor[0], self._neg(factor[1])) if self.inverse else factor)

    def rotate(self, x: Pair, k: int, n: int) -> Pair:
        """Return x exp(-2 pi i k / n), for the inverse the opposite turn, in as few operations as can be."""
        k = (n - k) % n if self.inverse else k % n
        real, imaginary = x
        if k == 0:
            return x
        if 4 * k == n:
            return imaginary, self._neg(real)
        if 2 * k == n:
            return self._neg(real), self._neg(imaginary)
        if 4 * k == 3 * n:
            return self._neg(imaginary), real
        if 8 * k % n == 0:
            eighth = 8 * k // n  # 1, 3, 5 or 7 turns of 45 degrees
            plus, minus = self._add(real, imaginary), self._sub(imaginary, real)
            a, b = (plus, minus) if eighth in {1, 5} else (minus, self._neg(plus))
            scale = self.constant(_HALF if eighth in {1, 3} else -_HALF)
            return self._mul(scale, a), self._mul(scale, b)
        turn = cmath.exp(-2j * math.pi * k / n)
        return self.multiply(x, (self.constant(turn.real), self.constant(turn.imag)))

    # Transforms

    def dft(self, x: list[Pair]) -> list[Pair]:
        """Return the discrete Fourier transform across the list, in natural order."""
        n = len(x)
        if n == 1:
            return x
        if n == 2:
            return [self.add(*x), self.subtract(*x)]
        first = next((radix for radix in (4, 2, 3, 5, 7) if n % radix == 0 and n > radix), None)
        return self._prime(x) if first is None and n % 2 else self._split(x, first or 2)

    def _split(self, x: list[Pair], radix: int) -> list[Pair]:
        """Decimate in time: ``radix`` transforms of every radix-th value, turned and combined."""
        n = len(x)
        parts = [self.dft(x[i::radix]) for i in range(radix)]
        out: list[Any] = [None] * n
        for q in range(n // radix):
            column = self.dft([self.rotate(parts[i][q], i * q, n) for i in range(radix)])
            out[q :: n // radix] = column
        return out

    def _prime(self, x: list[Pair]) -> list[Pair]:
        """Transform an odd prime length from sums and differences of the values opposite each other."""
        n = len(x)
        sums = [self.add(x[k], x[n - k]) for k in range(1, n // 2 + 1)]
        differences = [self.subtract(x[k], x[n - k]) for k in range(1, n // 2 + 1)]
        out: list[Any] = [None] * n
        out[0] = x[0]
        for term in sums:
            out[0] = self.add(out[0], term)
        for q in range(1, n // 2 + 1):
            even = x[0]
            odd: Pair | None = None
            for k, (total, difference) in enumerate(zip(sums, differences, strict=True), start=1):
                cosine = self.constant(math.cos(2 * math.pi * q * k / n))
                sine = self.constant(math.sin(2 * math.pi * q * k / n))
                even = self.add(even, (self._mul(cosine, total[0]), self._mul(cosine, total[1])))
                turned = self._mul(sine, difference[0]), self._mul(sine, difference[1])
                odd = turned if odd is None else self.add(odd, turned)
            assert odd is not None  # noqa: S101 - n is at least 3
            # even -+ i odd
            low = self._add(even[0], odd[1]), self._sub(even[1], odd[0])
            high = self._sub(even[0], odd[1]), self._add(even[1], odd[0])
            out[q], out[n - q] = (high, low) if self.inverse else (low, high)
        return out
