"""Layers of streaming networks in plain float64 NumPy, over signals ``[frames, positions, features]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = [
    "activated",
    "conv",
    "conv_transpose",
    "dense",
    "frequency_gru",
    "gru",
    "layer_norm",
    "min_gru",
    "sigmoid",
]


def _double(values: Any) -> Array:
    return np.asarray(values, np.float64)


def sigmoid(x: Any) -> Array:
    """Return the logistic function."""
    half: Array = 0.5 * _double(x)
    result: Array = 0.5 * (1 + np.tanh(half))
    return result


def activated(y: Array, kind: str, slope: Any = 0.25) -> Array:
    """Return y through ``none``, ``relu``, ``prelu`` (slopes by feature), ``tanh`` or ``sigmoid``."""
    below: dict[str, Any] = {"none": 1.0, "relu": 0.0, "prelu": _double(slope)}
    if kind in below:
        return np.where(y > 0, y, below[kind] * y)
    return np.tanh(y) if kind == "tanh" else sigmoid(y)


def dense(x: Any, weight: Any, bias: Any) -> Array:
    """Return W x + b at every position."""
    result: Array = _double(x) @ _double(weight).T + _double(bias)
    return result


def conv(
    x: Any,
    weight: Any,
    bias: Any,
    *,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
    dilation: int = 1,
) -> Array:
    """Return the sum over the kernel's rows and columns; weight ``[outs, ins / groups, times, columns]``."""
    w, x = _double(weight), _double(x)
    outs, ins, times, columns = w.shape
    past = (times - 1) * dilation
    x = np.pad(x, ((past, 0), padding, (0, 0)))
    frames, positions = len(x) - past, (x.shape[1] - columns) // stride + 1
    y = np.zeros((frames, positions, outs)) + _double(bias)
    size = outs // groups
    for g in range(groups):
        part = x[..., g * ins : (g + 1) * ins]
        kernel = w[g * size : (g + 1) * size]
        for i in range(times):
            for j in range(columns):
                seen = part[i * dilation : i * dilation + frames, j : j + stride * positions : stride]
                y[..., g * size : (g + 1) * size] += seen[:, :positions] @ kernel[:, :, i, j].T
    return y


def conv_transpose(
    x: Any, weight: Any, bias: Any, *, stride: int = 2, padding: int = 0, more: int = 0, groups: int = 1
) -> Array:
    """Return every input spread by the kernel; weight ``[ins, outs / groups, 1, columns]``."""
    w, x = _double(weight), _double(x)
    ins, size, _, columns = w.shape
    frames, positions, _ = x.shape
    whole = (positions - 1) * stride + columns + more
    y = np.zeros((frames, whole, size * groups))
    part = ins // groups
    for g in range(groups):
        for f in range(positions):
            for j in range(columns):
                seen = x[:, f, g * part : (g + 1) * part] @ w[g * part : (g + 1) * part, :, 0, j]
                y[:, f * stride + j, g * size : (g + 1) * size] += seen
    result: Array = y[:, padding : whole - padding] + _double(bias)
    return result


def _gru_step(x: Array, h: Array, weights: tuple[Any, Any, Any, Any]) -> Array:
    w, u, b, c = map(_double, weights)
    (xr, xz, xn), (hr, hz, hn) = (np.split(v, 3, axis=-1) for v in (x @ w.T + b, h @ u.T + c))
    z = sigmoid(xz + hz)
    result: Array = (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h
    return result


def gru(x: Any, weights: tuple[Any, Any, Any, Any]) -> Array:
    """Return the states of a unit over time at every position; weights ih, hh, and their biases."""
    x = _double(x)
    h, states = np.zeros((x.shape[1], weights[1].shape[1])), []
    for frame in x:
        h = _gru_step(frame, h, weights)
        states.append(h)
    return np.array(states)


def frequency_gru(x: Any, upward: tuple[Any, ...], downward: tuple[Any, ...] | None = None) -> Array:
    """Return the states of a pass up the positions of every frame and, behind them, of one down."""
    x = _double(x).swapaxes(0, 1)
    passes = [gru(x, (upward[0], upward[1], upward[2], upward[3]))]
    if downward is not None:
        passes.append(gru(x[::-1], (downward[0], downward[1], downward[2], downward[3]))[::-1])
    return np.concatenate(passes, axis=-1).swapaxes(0, 1)


def min_gru(x: Any, weights: tuple[Any, Any, Any, Any], candidate: str = "none") -> Array:
    """Return the states of ``h = (1 - z) h + z c``; weights of z and of c, and their biases."""
    w, v, b, d = map(_double, weights)
    z, c = sigmoid(_double(x) @ w.T + b), _double(x) @ v.T + d
    c = {"none": c, "tanh": np.tanh(c), "shifted": np.where(c >= 0, c + 0.5, sigmoid(c))}[candidate]
    h, states = np.zeros(z.shape[1:]), []
    for gate, new in zip(z, c, strict=True):
        h = (1 - gate) * h + gate * new
        states.append(h)
    return np.array(states)


def layer_norm(x: Any, weight: Any, bias: Any, epsilon: float = 1e-5) -> Array:
    """Return features with mean 0 and variance 1, times weight plus bias."""
    x = _double(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
    result: Array = centred / scale * _double(weight) + _double(bias)
    return result
