"""Transforms: the passes of one geometry, emitted as LLVM code over split complex arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .codelets import Codelets
from .layout import Geometry

if TYPE_CHECKING:
    from .codelets import Pair

__all__ = ["transform"]

_types: Any = types
_INT = ir.IntType(64)


class _Arrays(NamedTuple):
    real: Any
    imaginary: Any
    twiddles: Any


class _Passes:
    """Emits one transform: the passes of `Geometry` in order, or backwards for the inverse."""

    def __init__(self, geometry: Geometry, builder: Any, arrays: _Arrays, *, inverse: bool) -> None:
        self.geometry, self.builder, self.arrays, self.inverse = geometry, builder, arrays, inverse
        self.codelets = Codelets(builder, geometry.width, inverse=inverse)

    def emit(self, level: int = 0, base: Any = None, size: int | None = None) -> None:
        """Emit the transform of the block at ``base``: its pass and its sub-blocks, depth first."""
        base = _INT(0) if base is None else base
        size = self.geometry.length if size is None else size
        if level == len(self.geometry.radices):
            self._innermost(base)
            return
        if not self.inverse:
            self._pass(level, base, size)
        radix = self.geometry.radices[level]
        with cgutils.for_range(self.builder, _INT(radix)) as loop:
            inner = self.builder.add(base, self.builder.mul(loop.index, _INT(size // radix)))
            self.emit(level + 1, inner, size // radix)
        if self.inverse:
            self._pass(level, base, size)

    def _pass(self, level: int, base: Any, size: int) -> None:
        radix, width = self.geometry.radices[level], self.geometry.width
        with cgutils.for_range(self.builder, _INT(size // radix // width)) as loop:
            column = self.builder.add(base, self.builder.mul(loop.index, _INT(width)))
            places = [self.builder.add(column, _INT(q * (size // radix))) for q in range(radix)]
            entry = self.builder.mul(loop.index, _INT(2 * (radix - 1) * width))
            factors = self._factors(self.builder.add(entry, _INT(self.geometry.offsets[level])), radix)
            values = [self._load(place) for place in places]
            if self.inverse:
                values = self.codelets.dft(self._twiddled(values, factors))
            else:
                values = self._twiddled(self.codelets.dft(values), factors)
            for place, value in zip(places, values, strict=True):
                self._store(place, value)

    def _innermost(self, base: Any) -> None:
        """Transform width^2 points in registers: columns, twiddles, transpose, columns."""
        width, codelets = self.geometry.width, self.codelets
        if width == 1:
            return
        places = [self.builder.add(base, _INT(i * width)) for i in range(width)]
        factors = self._factors(_INT(self.geometry.offsets[-1]), width)
        values = codelets.dft([self._load(place) for place in places])
        if self.inverse:
            values = codelets.dft(self._twiddled(codelets.transpose(values), factors))
        else:
            values = codelets.dft(codelets.transpose(self._twiddled(values, factors)))
        for place, value in zip(places, values, strict=True):
            self._store(place, value)

    def _twiddled(self, values: list[Pair], factors: list[Pair]) -> list[Pair]:
        rest = zip(values[1:], factors, strict=True)
        return [values[0], *(self.codelets.twiddle(value, factor) for value, factor in rest)]

    def _factors(self, entry: Any, radix: int) -> list[Pair]:
        width, found = self.geometry.width, []
        for q in range(radix - 1):
            real = self.builder.add(entry, _INT(2 * q * width))
            imaginary = self.builder.add(entry, _INT((2 * q + 1) * width))
            found.append(
                (self._read(self.arrays.twiddles, real), self._read(self.arrays.twiddles, imaginary))
            )
        return found

    def _load(self, place: Any) -> Pair:
        return self._read(self.arrays.real, place), self._read(self.arrays.imaginary, place)

    def _store(self, place: Any, value: Pair) -> None:
        for array, part in zip(self.arrays[:2], value, strict=True):
            self.builder.store(part, self._vector_at(array, place)).align = 4

    def _read(self, array: Any, place: Any) -> Any:
        value = self.builder.load(self._vector_at(array, place))
        value.align = 4
        return value

    def _vector_at(self, array: Any, place: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(array, [place]), self.codelets.vector.as_pointer())


def _emitter(geometry: Geometry, *, inverse: bool) -> Any:
    @intrinsic
    def emitted(typingctx: Any, real: Any, imaginary: Any, twiddles: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = ir.FloatType().as_pointer()
            arrays = _Arrays(*(builder.inttoptr(address, pointer) for address in args))
            _Passes(geometry, builder, arrays, inverse=inverse).emit()
            return context.get_dummy_value()

        return _types.void(_types.int64, _types.int64, _types.int64), codegen

    return emitted


def transform(length: int, width: int, inverse: int) -> Any:
    """Return the kernel ``(real, imaginary, twiddles, count)``: ``count`` transforms in a row, in place."""
    one, step = _emitter(Geometry(length, width), inverse=bool(inverse)), 4 * length

    def run(real: Any, imaginary: Any, twiddles: Any, count: Any) -> Any:
        for i in range(count):
            one(real + i * step, imaginary + i * step, twiddles)
        return 0

    return run
