"""What neural networks do value by value: gates of recurrent layers, activations, normalisation."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emitted import Emitted
from .fft.access import INT
from .neural_job import BIAS, CHOICE, IDENTITY, LANES, OUTS, SHIFTED, SIGMOID, SLOPES, TANH, WEIGHTS
from .neural_vectors import Vectors

__all__ = ["activate", "gru", "min_gru", "normalise"]


def _function(v: Vectors, kind: int, x: Any) -> Any:
    if kind == TANH:
        return v.tanh(x)
    if kind == SIGMOID:
        return v.sigmoid(x)
    if kind == SHIFTED:  # minGRU's g: above zero x + 1/2, below it the logistic function; NaN stays
        return v.where(">=", x, v.constant(0.0), v.builder.fadd(x, v.constant(0.5)), v.sigmoid(x))
    return x


def _activate(builder: Any, x: Any, count: Any, kind: Any, *_: Any) -> None:
    v = Vectors(builder)
    for choice in (TANH, SIGMOID):
        with builder.if_then(builder.icmp_signed("==", kind, INT(choice))):

            def body(at: Any, left: Any, choice: int = choice) -> None:
                place = builder.add(x, at)
                v.write_some(place, _function(v, choice, v.read(place)), left)

            v.each_eight(count, body)


def _gru(  # noqa: PLR0913, PLR0917 - as many as steps take
    builder: Any, operation: Any, g: Any, p: Any, h: Any, h_stride: Any, out: Any, out_stride: Any, rows: Any
) -> None:
    v, at, times = Vectors(builder), builder.add, builder.mul
    (size,) = v.fields(operation, OUTS)
    line = times(size, INT(4))
    with v.repeat(rows) as row:
        skipped = times(row, times(line, INT(3)))
        inputs, state = at(g, skipped), at(p, skipped)
        before, after = at(h, times(row, h_stride)), at(out, times(row, out_stride))

        def body(offset: Any, left: Any) -> None:
            parts = []
            for gate in range(3):
                place = at(offset, times(line, INT(gate)))
                parts.append((v.read(at(inputs, place)), v.read(at(state, place))))
            r = v.sigmoid(builder.fadd(*parts[0]))
            z = v.sigmoid(builder.fadd(*parts[1]))
            n = v.tanh(v.multiply_add(r, parts[2][1], parts[2][0]))
            change = builder.fsub(v.read(at(before, offset)), n)
            v.write_some(at(after, offset), v.quiet(v.multiply_add(z, change, n)), left)

        v.each_eight(size, body)


def _min_gru(
    builder: Any, operation: Any, g: Any, h: Any, h_stride: Any, out: Any, out_stride: Any, rows: Any, _: Any
) -> None:
    v, at, times = Vectors(builder), builder.add, builder.mul
    size, choice = v.fields(operation, OUTS, CHOICE)
    line = times(size, INT(4))
    for kind in (IDENTITY, TANH, SHIFTED):
        with (
            builder.if_then(builder.icmp_signed("==", choice, INT(kind))),
            v.repeat(rows) as row,
        ):
            inputs = at(g, times(row, times(line, INT(2))))
            before, after = at(h, times(row, h_stride)), at(out, times(row, out_stride))

            def body(
                offset: Any,
                left: Any,
                kind: int = kind,
                inputs: Any = inputs,
                before: Any = before,
                after: Any = after,
            ) -> None:
                z = v.sigmoid(v.read(at(inputs, offset)))
                new = _function(v, kind, v.read(at(at(inputs, line), offset)))
                old = v.read(at(before, offset))
                value = v.multiply_add(z, builder.fsub(new, old), old)
                v.write_some(at(after, offset), v.quiet(value), left)

            v.each_eight(size, body)


def _folded(v: Vectors, value: Any) -> Any:
    """Sum of the lanes in all lanes, one half on the other."""
    for half in (4, 2, 1):
        value = v.builder.fadd(value, v.shuffle(value, value, [k ^ half for k in range(LANES)]))
    return value


def _total(v: Vectors, row: Any, size: Any, mean: Any) -> Any:
    """Sum of a row's values, or of the squares of their distance from a mean, in all lanes."""
    builder = v.builder
    (total,) = v.room(1)
    builder.store(v.constant(0.0), total)
    numbers = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))

    def body(offset: Any, left: Any) -> None:
        x = v.read(builder.add(row, offset))
        sum_ = builder.load(total)
        if mean is None:
            more = builder.fadd(sum_, x)
        else:
            x = builder.fsub(x, mean)
            more = v.multiply_add(x, x, sum_)
        undefined = ir.Constant(ir.VectorType(INT, LANES), ir.Undefined)
        limit = builder.insert_element(undefined, left, ir.IntType(32)(0))
        limit = builder.shuffle_vector(
            limit, limit, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        )
        builder.store(builder.select(builder.icmp_signed("<", numbers, limit), more, sum_), total)

    v.each_eight(size, body)
    return _folded(v, builder.load(total))


def _normalise(
    builder: Any, operation: Any, x: Any, x_stride: Any, out: Any, out_stride: Any, rows: Any, *_: Any
) -> None:
    v, at, times = Vectors(builder), builder.add, builder.mul
    size, weights, bias, constants = v.fields(operation, OUTS, WEIGHTS, BIAS, SLOPES)
    share, epsilon = (v.repeated(at(constants, INT(4 * k))) for k in range(2))
    with v.repeat(rows) as row:
        source, target = at(x, times(row, x_stride)), at(out, times(row, out_stride))
        mean = builder.fmul(_total(v, source, size, None), share)
        variance = builder.fmul(_total(v, source, size, mean), share)
        scale = builder.fdiv(v.constant(1.0), v.root(builder.fadd(variance, epsilon)))

        def body(offset: Any, left: Any) -> None:
            value = builder.fmul(builder.fsub(v.read(at(source, offset)), mean), scale)
            weight, shift = v.read(at(weights, offset)), v.read(at(bias, offset))
            v.write_some(at(target, offset), v.multiply_add(value, weight, shift), left)

        v.each_eight(size, body)


#: ``(x, values, function, ...)``, in place.
activate = Emitted(_activate)
#: ``(operation, input sums, state sums, h, its stride, out, its stride, rows)``; sums are r, z, n by rows.
gru = Emitted(_gru)
#: ``(operation, sums, h, its stride, out, its stride, rows, 0)``; sums are z and the candidate by rows.
min_gru = Emitted(_min_gru)
#: ``(operation, x, its stride, out, its stride, rows, 0, 0)``; the operation's slopes are 1 / size, epsilon.
normalise = Emitted(_normalise)
