"""Whole numbers in LLVM code: int64 values that add and multiply as Python's do, tables, loops, calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from llvmlite import ir

from .emitted import STEP_ARGUMENTS
from .fft.access import INT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Number", "Word", "Words", "loop"]

#: What a Word may be combined with.
Number: TypeAlias = "Word | int"

_POINTER = INT.as_pointer()
_BYTES = ir.IntType(8).as_pointer()


@contextmanager
def loop(builder: Any, count: Any) -> Iterator[Any]:
    """Emit what follows ``count`` times, perhaps never; both it and the index are LLVM's int64."""
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INT)
    index.add_incoming(INT(0), before)
    builder.cbranch(builder.icmp_signed("<", index, count), body, done)
    builder.position_at_end(body)
    yield index
    index.add_incoming(builder.add(index, INT(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(done)


class Word:
    """An int64 value of the code at hand; ``%`` is that of numbers not below zero.

    Args:
        builder: llvmlite's IRBuilder.
        value: LLVM's value.
    """

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _with(self, name: str, other: Number, *, swap: bool = False) -> Word:
        value = INT(other) if isinstance(other, int) else other.value
        pair = (value, self.value) if swap else (self.value, value)
        return Word(self.builder, getattr(self.builder, name)(*pair))

    def __add__(self, other: Number) -> Word:
        return self._with("add", other)

    def __radd__(self, other: int) -> Word:
        return self._with("add", other)

    def __sub__(self, other: Number) -> Word:
        return self._with("sub", other)

    def __rsub__(self, other: int) -> Word:
        return self._with("sub", other, swap=True)

    def __mul__(self, other: Number) -> Word:
        return self._with("mul", other)

    def __rmul__(self, other: int) -> Word:
        return self._with("mul", other)

    def __floordiv__(self, other: Number) -> Word:
        return self._with("udiv", other)

    def __mod__(self, other: Number) -> Word:
        return self._with("urem", other)

    def least(self, other: Word) -> Word:
        """Return the smaller of two."""
        smaller = self.builder.icmp_signed("<", self.value, other.value)
        return Word(self.builder, self.builder.select(smaller, self.value, other.value))

    def is_(self, relation: str, other: int) -> Any:
        """Return the condition that it is in this relation to a number."""
        return self.builder.icmp_signed(relation, self.value, INT(other))

    def __getitem__(self, field: Number) -> Word:
        """The field of the table at this address."""
        return Word(self.builder, self.builder.load(self._place(field)))

    def __setitem__(self, field: Number, value: Word) -> None:
        """Set a field of the table at this address."""
        self.builder.store(value.value, self._place(field))

    def _place(self, field: Number) -> Any:
        index = INT(field) if isinstance(field, int) else field.value
        return self.builder.gep(self.builder.inttoptr(self.value, _POINTER), [index])


class Words:
    """Loops, conditions, calls and copies at an IR builder's position.

    Args:
        builder: llvmlite's IRBuilder.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def word(self, value: Any) -> Word:
        """Return a Python int or LLVM's value as a Word."""
        return Word(self.builder, INT(value) if isinstance(value, int) else value)

    @contextmanager
    def repeat(self, count: Word) -> Iterator[Word]:
        """Emit what follows ``count`` times, perhaps never; the value is the index."""
        with loop(self.builder, count.value) as index:
            yield Word(self.builder, index)

    @contextmanager
    def each(self, channels: Word, first: Word, frames: Word) -> Iterator[tuple[Word, Word]]:
        """Emit what follows for every channel and, inside, for every frame from ``first`` on."""
        with self.repeat(channels) as channel, self.repeat(frames) as frame:
            yield channel, first + frame

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Emit what follows under a condition."""
        with self.builder.if_then(condition):
            yield

    @contextmanager
    def either(self, condition: Any) -> Iterator[tuple[Any, Any]]:
        """Emit two branches; the values are contexts of one and of the other."""
        with self.builder.if_else(condition) as branches:
            yield branches

    def select(self, condition: Any, then: Word, otherwise: Word) -> Word:
        """Return one value or the other."""
        return Word(self.builder, self.builder.select(condition, then.value, otherwise.value))

    def call(self, address: Word, *arguments: Number) -> None:
        """Call the step at an address."""
        values = [INT(a) if isinstance(a, int) else a.value for a in arguments]
        values += [INT(0)] * (STEP_ARGUMENTS - len(values))
        kind = ir.FunctionType(INT, [INT] * STEP_ARGUMENTS).as_pointer()
        self.builder.call(self.builder.inttoptr(address.value, kind), values)

    def copy(self, source: Word, target: Word, floats: Word) -> None:
        """Copy float32 between places that do not overlap."""
        function = self.builder.module.declare_intrinsic("llvm.memcpy", [_BYTES, _BYTES, INT])
        places = [self.builder.inttoptr(word.value, _BYTES) for word in (target, source)]
        self.builder.call(function, [*places, (4 * floats).value, ir.IntType(1)(0)])
