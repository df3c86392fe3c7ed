"""Vectors of eight float32 for neural networks: loops, multiply-adds, tanh and the logistic function.

Every value is computed by the same instructions wherever it stands, so results do not depend on how many
rows or frames a call holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

from .fft.access import INT, Access, pointer
from .neural_job import LANES
from .neural_words import loop

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Vectors"]

_WORD = INT.as_pointer()
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
#: tanh x = x P(x^2) / Q(x^2) for |x| <= 8.5, minimax in absolute error: 1.1e-8, 3e-7 in float32.
_TOP = 8.5
_P = (9.999999455e-01, 1.340618686e-01, 3.525796152e-03, 2.112117375e-05, 1.409865797e-08)
_Q = (1.000000000e00, 4.673949825e-01, 2.599104851e-02, 3.335651842e-04, 8.073387165e-07)


class Vectors(Access):
    """Emits at an IR builder's position; addresses are int64, offsets bytes.

    Args:
        builder: llvmlite's IRBuilder.
    """

    def __init__(self, builder: Any) -> None:
        super().__init__(builder, LANES)

    # Memory

    def fields(self, table: Any, *names: int) -> list[Any]:
        """Return int64 fields of a table."""
        words = self.builder.inttoptr(table, _WORD)
        return [self.builder.load(self.builder.gep(words, [INT(name)])) for name in names]

    def room(self, count: int) -> list[Any]:
        """Return places for so many vectors, which become registers."""
        with self.builder.goto_entry_block():
            return [self.builder.alloca(_VECTOR) for _ in range(count)]

    def read(self, address: Any) -> Any:
        """Return eight floats."""
        return self.load(pointer(self.builder, address), INT(0))

    def repeated(self, address: Any) -> Any:
        """Return one float in all lanes."""
        return self.wide(self.builder.load(pointer(self.builder, address)))

    def wide(self, value: Any) -> Any:
        """Return a value in all lanes."""
        one = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.IntType(32)(0))
        return self.shuffle(one, one, [0] * LANES)

    def write(self, address: Any, value: Any) -> None:
        """Store eight floats."""
        self.store(pointer(self.builder, address), INT(0), value)

    def write_some(self, address: Any, value: Any, count: Any) -> None:
        """Store the first ``count`` floats, at least one; all eight if it is more."""
        whole = self.builder.icmp_signed(">=", count, INT(LANES))
        with self.builder.if_else(whole, likely=True) as (then, otherwise):
            with then:
                self.write(address, value)
            with otherwise:
                self._write_few(address, value, count)

    def _write_few(self, address: Any, value: Any, count: Any) -> None:
        target, at = pointer(self.builder, address), self._slot
        with self.builder.goto_entry_block():
            rest, place = self.builder.alloca(_VECTOR), self.builder.alloca(INT)
        self.builder.store(value, rest)
        self.builder.store(INT(0), place)
        for half in (4, 2, 1):
            there = self.builder.icmp_signed("!=", self.builder.and_(count, INT(half)), INT(0))
            with self.builder.if_then(there):
                kept, first = self.builder.load(rest), self.builder.load(place)
                part = self.shuffle(kept, kept, list(range(half)))
                self.builder.store(part, at(target, first, half)).align = 4
                left = [*range(half, LANES), *[LANES - 1] * half]
                self.builder.store(self.shuffle(kept, kept, left), rest)
                self.builder.store(self.builder.add(first, INT(half)), place)

    def _slot(self, target: Any, first: Any, count: int) -> Any:
        kind = ir.VectorType(ir.FloatType(), count).as_pointer()
        return self.builder.bitcast(self.builder.gep(target, [first]), kind)

    # Loops

    def repeat(self, count: Any) -> Any:
        """Emit what follows ``count`` times, perhaps never; the value is the int64 index."""
        return loop(self.builder, count)

    def each_eight(self, count: Any, body: Callable[[Any, Any], None]) -> None:
        """Call ``body(offset in bytes, values left)`` for every eight of ``count`` values."""
        groups = self.builder.sdiv(self.builder.add(count, INT(LANES - 1)), INT(LANES))
        with self.repeat(groups) as group:
            left = self.builder.sub(count, self.builder.mul(group, INT(LANES)))
            body(self.builder.mul(group, INT(4 * LANES)), left)

    # Arithmetic

    def constant(self, value: float) -> Any:
        """Return a number in all lanes."""
        return ir.Constant(_VECTOR, [float(value)] * LANES)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a b + c, fused where the CPU can."""
        return self._intrinsic("fmuladd", a, b, c)

    def root(self, x: Any) -> Any:
        """Return the square root."""
        return self._intrinsic("sqrt", x)

    def _intrinsic(self, name: str, *vectors: Any) -> Any:
        name, module = f"llvm.{name}.v{LANES}f32", self.builder.module
        if name not in module.globals:
            ir.Function(module, ir.FunctionType(_VECTOR, [_VECTOR] * len(vectors)), name)
        return self.builder.call(module.globals[name], vectors)

    def where(self, relation: str, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
        """Return by lane ``then`` where a is in this relation to b, ``otherwise`` elsewhere and for NaN."""
        return self.builder.select(self.builder.fcmp_ordered(relation, a, b), then, otherwise)

    def clamp(self, x: Any, top: float) -> Any:
        """Return x from -top to top; NaN stays."""
        high, low = self.constant(top), self.constant(-top)
        return self.where("<", x, low, low, self.where(">", x, high, high, x))

    def tanh(self, x: Any) -> Any:
        """Return the hyperbolic tangent, from -1 to 1."""
        x = self.clamp(x, _TOP)
        square = self.builder.fmul(x, x)
        sums = [self.constant(_P[-1]), self.constant(_Q[-1])]
        for p, q in zip(_P[-2::-1], _Q[-2::-1], strict=True):
            sums[0] = self.multiply_add(sums[0], square, self.constant(p))
            sums[1] = self.multiply_add(sums[1], square, self.constant(q))
        return self.clamp(self.builder.fdiv(self.builder.fmul(x, sums[0]), sums[1]), 1.0)

    def sigmoid(self, x: Any) -> Any:
        """Return the logistic function, (1 + tanh(x / 2)) / 2."""
        half = self.constant(0.5)
        return self.multiply_add(half, self.tanh(self.builder.fmul(half, x)), half)

    def quiet(self, x: Any) -> Any:
        """Return x, or 0 where it is so small that decay would end in denormals; NaN stays."""
        size = self.where("<", x, self.constant(0.0), self.builder.fneg(x), x)
        return self.where("<", size, self.constant(1e-30), self.constant(0.0), x)
