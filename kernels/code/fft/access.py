"""Vector loads, stores and shuffles at an IR builder's position."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

__all__ = ["INT", "Access", "pointer"]

INT = ir.IntType(64)


def pointer(builder: Any, address: Any) -> Any:
    """Return an int64 address as a pointer to float32."""
    return builder.inttoptr(address, ir.FloatType().as_pointer())


class Access:
    """Memory and lanes of vectors of ``width`` float32.

    Args:
        builder: llvmlite's IRBuilder.
        width: lanes of a vector.
    """

    def __init__(self, builder: Any, width: int) -> None:
        self.builder, self.width = builder, width
        self.vector = ir.VectorType(ir.FloatType(), width)

    def at(self, base: Any, *terms: Any) -> Any:
        """Return the sum of int64 values; Python ints become constants."""
        total = INT(base) if isinstance(base, int) else base
        for term in terms:
            total = self.builder.add(total, INT(term) if isinstance(term, int) else term)
        return total

    def times(self, value: Any, factor: int) -> Any:
        """Return an int64 value times a constant."""
        return self.builder.mul(value, INT(factor))

    def load(self, array: Any, place: Any) -> Any:
        """Return the vector that begins at element ``place``."""
        value = self.builder.load(self._vector_at(array, place))
        value.align = 4
        return value

    def store(self, array: Any, place: Any, value: Any) -> None:
        """Write a vector from element ``place`` on."""
        self.builder.store(value, self._vector_at(array, place)).align = 4

    def scalar(self, array: Any, place: Any) -> Any:
        """Return one float32."""
        return self.builder.load(self.builder.gep(array, [place]))

    def put(self, array: Any, place: Any, value: Any) -> None:
        """Write one float32."""
        self.builder.store(value, self.builder.gep(array, [place]))

    def prefetch(self, address: Any) -> None:
        """Ask for the cache line at this int64 address, to be read soon; never fails."""
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = self.builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        self.builder.call(function, [self.builder.inttoptr(address, byte), word(0), word(3), word(1)])

    def zero(self) -> Any:
        """Return a vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.width)

    def lane(self, value: Any, index: int) -> Any:
        """Return one lane."""
        return self.builder.extract_element(value, ir.IntType(32)(index))

    def with_lane(self, value: Any, index: int, lane: Any) -> Any:
        """Return the vector with one lane replaced."""
        return self.builder.insert_element(value, lane, ir.IntType(32)(index))

    def shuffle(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Return lanes of ``a`` (from 0) and ``b`` (from ``width``) in this order."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def reverse(self, a: Any) -> Any:
        """Return the lanes in the opposite order."""
        return self.shuffle(a, a, list(range(self.width - 1, -1, -1)))

    def transpose(self, rows: list[Any]) -> list[Any]:
        """Return ``width`` rows of ``width`` lanes with rows and lanes exchanged."""
        n, distance = self.width, 1
        while distance < n:
            exchanged = list(rows)
            low = [k if not k & distance else (k ^ distance) + n for k in range(n)]
            high = [k | distance if not k & distance else k + n for k in range(n)]
            for i in range(n):
                if not i & distance:
                    pair = rows[i], rows[i | distance]
                    exchanged[i] = self.shuffle(*pair, low)
                    exchanged[i | distance] = self.shuffle(*pair, high)
            rows, distance = exchanged, 2 * distance
        return rows

    def interleave(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Return ``a0 b0 a1 b1 ...`` as two vectors."""
        lanes = [k // 2 + (k % 2) * self.width for k in range(2 * self.width)]
        return self.shuffle(a, b, lanes[: self.width]), self.shuffle(a, b, lanes[self.width :])

    def separate(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Return the even and the odd elements of two vectors, the opposite of `interleave`."""
        even, odd = (list(range(first, 2 * self.width, 2)) for first in (0, 1))
        return self.shuffle(low, high, even), self.shuffle(low, high, odd)

    def _vector_at(self, array: Any, place: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(array, [place]), self.vector.as_pointer())
