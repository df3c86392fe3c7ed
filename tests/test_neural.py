"""Streaming networks: layers against float64 and torch, any cut into calls, channels apart, refusals."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.machine import Kernel, address_of
from unbraid.kernels.neural import Network
from unbraid.kernels.neural_convolutions import Conv, ConvTranspose, flat_weight
from unbraid.kernels.neural_layers import (
    Add,
    Concat,
    Delay,
    Dense,
    Layer,
    LayerNorm,
    Multiply,
    Reshape,
    Scale,
)
from unbraid.kernels.neural_recurrent import FrequencyGru, Gru, GruWeights, MinGru
from unbraid.kernels.reference import neural as reference

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = 6
ACTIVATIONS = ("none", "relu", "prelu", "tanh", "sigmoid")
_few = settings(max_examples=12)
_some = settings(max_examples=30)


class Source:
    """Random numbers of order one."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def weights(self, *shape: int) -> Any:
        fan = max(1, int(np.prod(shape[1:])))
        return (self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32)

    def signal(self, *shape: int) -> Any:
        return self.random.standard_normal(shape, np.float32)

    def gru(self, features: int, hidden: int) -> GruWeights:
        w = self.weights
        return GruWeights(w(3 * hidden, features), w(3 * hidden, hidden), w(3 * hidden), w(3 * hidden))


def parts(weights: GruWeights) -> Any:
    return weights.weight_ih, weights.weight_hh, weights.bias_ih, weights.bias_hh


def through(net: Network, x: Any) -> Any:
    """Return what comes out of ``[channels, frames, positions, features]``."""
    y = net.run(np.ascontiguousarray(x.reshape(*x.shape[:2], -1)))
    return y.reshape(*y.shape[:2], *net.outputs)


def check(layer: Layer, x: Any, expected: Callable[[Any], Any]) -> None:
    """Hold a layer against a function of one channel, frame by frame and in blocks."""
    found = through(Network(x.shape[2:], [layer], len(x)), x)
    for channel, signal in zip(found, x, strict=True):
        np.testing.assert_allclose(channel, expected(signal), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(through(Network(x.shape[2:], [layer], len(x), 4), x), found)


# Layers, by float64

sizes = st.integers(1, 40)
few = st.integers(1, 14)
seeds = st.integers(0, 2**32 - 1)
channels = st.integers(1, 3)


@_some
@given(seeds, channels, few, sizes, sizes, st.sampled_from(ACTIVATIONS))
def test_dense_is_a_matrix_at_every_position(
    seed: int, count: int, positions: int, ins: int, outs: int, activation: str
) -> None:
    s = Source(seed)
    weight, bias, slope = s.weights(outs, ins), s.weights(outs), s.weights(outs)

    def expected(x: Any) -> Any:
        return reference.activated(reference.dense(x, weight, bias), activation, slope)

    check(Dense(weight, bias, activation, slope), s.signal(count, FRAMES, positions, ins), expected)


@_some
@given(seeds, st.data())
def test_conv_hears_its_frames_and_frequencies(seed: int, data: Any) -> None:
    s, draw = Source(seed), data.draw
    groups = draw(st.sampled_from([1, 2, 9]))
    ins, outs = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 9))
    if draw(st.booleans()):
        groups, outs = ins, ins  # depthwise
    times, columns, stride, dilation = (draw(st.integers(1, 3)) for _ in range(4))
    padding = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    positions = columns + draw(st.integers(0, 14))
    weight, bias = s.weights(outs, ins // groups, times, columns), s.weights(outs)
    layer = Conv(weight, bias, stride, padding, groups, dilation, "prelu", 0.1)

    def expected(x: Any) -> Any:
        y = reference.conv(x, weight, bias, stride=stride, padding=padding, groups=groups, dilation=dilation)
        return reference.activated(y, "prelu", 0.1)

    check(layer, s.signal(2, FRAMES, positions, ins), expected)


@_some
@given(seeds, st.data())
def test_conv_transpose_spreads_every_input(seed: int, data: Any) -> None:
    s, draw = Source(seed), data.draw
    groups = draw(st.sampled_from([1, 2, 9]))
    ins, outs = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 9))
    if draw(st.booleans()):
        groups, outs = ins, ins
    columns, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    padding, more = draw(st.integers(0, (columns - 1) // 2)), draw(st.integers(0, stride - 1))
    weight, bias = s.weights(ins, outs // groups, 1, columns), s.weights(outs)
    layer = ConvTranspose(weight, bias, stride, padding, more, groups)

    def expected(x: Any) -> Any:
        return reference.conv_transpose(
            x, weight, bias, stride=stride, padding=padding, more=more, groups=groups
        )

    check(layer, s.signal(2, FRAMES, draw(few), ins), expected)


@_few
@given(seeds, channels, few, few, sizes)
def test_gru_keeps_a_state_for_every_position_and_channel(
    seed: int, count: int, positions: int, features: int, hidden: int
) -> None:
    s = Source(seed)
    weights = s.gru(features, hidden)
    x = s.signal(count, FRAMES, positions, features)
    check(Gru(weights), x, lambda signal: reference.gru(signal, parts(weights)))


@_few
@given(seeds, channels, few, few, sizes, st.booleans())
def test_frequency_gru_passes_along_each_frame_and_remembers_none(
    seed: int, count: int, positions: int, features: int, hidden: int, both: bool
) -> None:
    s = Source(seed)
    up, down = s.gru(features, hidden), s.gru(features, hidden) if both else None
    x = s.signal(count, FRAMES, positions, features)
    passes = [parts(up), parts(down) if down else None]
    check(FrequencyGru(up, down), x, lambda signal: reference.frequency_gru(signal, *passes))


@_some
@given(seeds, channels, few, few, sizes, st.sampled_from(["none", "tanh", "shifted"]))
def test_min_gru_is_a_recurrence_of_its_input_alone(
    seed: int, count: int, positions: int, features: int, hidden: int, candidate: str
) -> None:
    s = Source(seed)
    w = s.weights
    weights = w(hidden, features), w(hidden, features), w(hidden), w(hidden)
    x = s.signal(count, FRAMES, positions, features)
    check(MinGru(*weights, candidate), x, lambda signal: reference.min_gru(signal, weights, candidate))


@_few
@given(seeds, few, sizes)
def test_norm_and_scale_are_theirs(seed: int, positions: int, features: int) -> None:
    s = Source(seed)
    weight, bias = s.weights(features), s.weights(features)
    x = s.signal(2, FRAMES, positions, features)
    check(LayerNorm(weight, bias, 1e-3), x, lambda y: reference.layer_norm(y, weight, bias, 1e-3))
    check(Scale(weight, bias, "sigmoid"), x, lambda y: reference.sigmoid(y * weight + bias))
    check(Scale(activation="relu"), x, lambda y: np.maximum(y, 0))


@pytest.mark.parametrize(("kind", "function"), [("tanh", np.tanh), ("sigmoid", reference.sigmoid)])
def test_tanh_and_sigmoid_are_right_to_a_millionth(kind: str, function: Callable[[Any], Any]) -> None:
    x = np.concatenate([np.linspace(-30, 30, 400_001), [-np.inf, -1e30, -1e-30, 0, 1e30, np.inf, np.nan]])
    x = x.astype(np.float32)[None]
    y = Network(x.shape[1], [Scale(activation=kind)]).step(x)
    np.testing.assert_allclose(y, function(x.astype(np.float64)), rtol=0, atol=5e-7)
    assert np.nanmax(np.abs(y)) <= 1


# Layers, by torch


def torch_frames(module: Any, x: Any) -> Any:
    """Return ``[channels, frames, positions, features]`` through a module for images."""
    torch = pytest.importorskip("torch", reason="the peer is torch: pip install torch")
    with torch.no_grad():
        return module(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


@_few
@given(seeds, st.sampled_from([(1, 3, 16, 2, 5), (8, 8, 8, 3, 3), (2, 4, 6, 1, 3)]), st.integers(1, 2))
@pytest.mark.usefixtures("one_thread")
def test_convolutions_are_torch_s(seed: int, sizes: tuple[int, ...], stride: int) -> None:
    nn = pytest.importorskip("torch", reason="the peer is torch: pip install torch").nn
    s, (groups, ins, outs, times, columns) = Source(seed), sizes
    x, pad = s.signal(2, FRAMES, 17, ins), columns // 2
    conv = nn.Conv2d(ins, outs, (times, columns), (1, stride), (0, pad), groups=groups)
    causal = nn.Sequential(nn.ZeroPad2d((0, 0, times - 1, 0)), conv, nn.PReLU(outs))
    weights = conv.weight.detach(), conv.bias.detach()
    ours = Conv(*weights, stride, pad, groups, activation="prelu", slope=causal[2].weight.detach())
    found = through(Network((17, ins), [ours], 2), x)
    np.testing.assert_allclose(found, torch_frames(causal, x), rtol=0, atol=1e-5)
    up = nn.ConvTranspose2d(ins, outs, (1, 3), (1, 2), (0, 1), (0, 1), groups=groups)
    ours_up = ConvTranspose(up.weight.detach(), up.bias.detach(), 2, 1, 1, groups)
    found = through(Network((17, ins), [ours_up], 2), x)
    np.testing.assert_allclose(found, torch_frames(up, x), rtol=0, atol=1e-5)


@_few
@given(seeds, few, sizes)
@pytest.mark.usefixtures("one_thread")
def test_recurrent_layers_and_norms_are_torch_s(seed: int, features: int, hidden: int) -> None:
    torch = pytest.importorskip("torch", reason="the peer is torch: pip install torch")
    x = Source(seed).signal(2, FRAMES, 5, features)

    def weights(module: Any, suffix: str = "") -> GruWeights:
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        return GruWeights(*(getattr(module, name + suffix).detach() for name in names))

    with torch.no_grad():
        time = torch.nn.GRU(features, hidden, batch_first=True)
        expected = time(torch.from_numpy(x.swapaxes(1, 2).reshape(10, FRAMES, features)))[0].numpy()
        expected = expected.reshape(2, 5, FRAMES, hidden).swapaxes(1, 2)
        found = through(Network((5, features), [Gru(weights(time))], 2), x)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        along = torch.nn.GRU(features, hidden, batch_first=True, bidirectional=True)
        expected = along(torch.from_numpy(x.reshape(2 * FRAMES, 5, features)))[0].numpy()
        layer = FrequencyGru(weights(along), weights(along, "_reverse"))
        found = through(Network((5, features), [layer], 2), x)
        np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-5)
        norm = torch.nn.LayerNorm(features)
        found = through(Network((5, features), [LayerNorm(norm.weight.detach(), norm.bias.detach())], 2), x)
        np.testing.assert_allclose(found, norm(torch.from_numpy(x)).numpy(), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("one_thread")
def test_a_flattened_frame_meets_torch_s_matrix() -> None:
    torch = pytest.importorskip("torch", reason="the peer is torch: pip install torch")
    x, dense = Source(0).signal(1, FRAMES, 5, 3), torch.nn.Linear(15, 4)
    with torch.no_grad():
        expected = dense(torch.from_numpy(x[0]).permute(0, 2, 1).reshape(FRAMES, 15)).numpy()
    ours = Dense(flat_weight(dense.weight.detach(), 3), dense.bias.detach())
    found = through(Network((5, 3), [Reshape(1, 15), ours]), x)
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=0, atol=1e-5)


# Networks


def denoiser(seed: int = 3) -> list[Layer]:
    """Every kind of layer, with skip connections, over frames ``[16, 3]``."""
    s = Source(seed)
    w = s.weights
    return [
        LayerNorm(np.ones(3), np.zeros(3)),
        Conv(w(8, 3, 2, 3), w(8), 2, 1, activation="prelu", name="down"),
        Conv(w(8, 1, 3, 3), padding=1, groups=8, dilation=2, activation="relu", name="deep"),
        FrequencyGru(s.gru(8, 5), s.gru(8, 5)),
        Dense(w(8, 10), activation="tanh", name="mixed"),
        Reshape(1, 64),
        Gru(s.gru(64, 20)),
        MinGru(w(12, 20), w(12, 20)),
        Dense(w(64, 12), activation="relu"),
        Reshape(8, 8),
        Gru(s.gru(8, 8), name="wide"),
        Multiply(source=("wide", "mixed")),
        Add(source=("", "deep")),
        Delay(2),
        Concat(source=("", "down")),
        ConvTranspose(w(16, 2, 1, 3), w(2), padding=1, output_padding=1, activation="sigmoid"),
    ]


def whole(x: Any, layers: list[Layer]) -> Any:
    """Return one channel through `denoiser`, in float64."""
    r, given = reference, {int(k): layer for k, layer in enumerate(layers)}
    g: Any = given
    y = r.layer_norm(x, g[0].weight, g[0].bias)
    down = r.activated(r.conv(y, g[1].weight, g[1].bias, stride=2, padding=(1, 1)), "prelu", 0.25)
    y = r.conv(down, g[2].weight, 0, padding=(1, 1), groups=8, dilation=2)
    deep = r.activated(y, "relu")
    y = r.frequency_gru(deep, parts(g[3].upward), parts(g[3].downward))
    mixed = np.tanh(r.dense(y, g[4].weight, 0))
    y = r.gru(mixed.reshape(len(x), 1, 64), parts(g[6].weights))
    y = r.min_gru(y, (g[7].weight_z, g[7].weight_h, 0, 0))
    y = r.activated(r.dense(y, g[8].weight, 0), "relu").reshape(len(x), 8, 8)
    y = r.gru(y, parts(g[10].weights)) * mixed + deep
    late = np.concatenate([np.zeros((2, 8, 8)), y[:-2]])
    y = np.concatenate([late, down], axis=-1)
    return r.sigmoid(r.conv_transpose(y, g[15].weight, g[15].bias, padding=1, more=1))


def test_a_network_with_skip_connections_is_the_layers_one_after_the_other() -> None:
    x, layers = Source(1).signal(2, 40, 16, 3), denoiser()
    found = through(Network((16, 3), layers, 2), x)
    for channel, signal in zip(found, x, strict=True):
        np.testing.assert_allclose(channel, whole(signal, layers), rtol=0, atol=1e-5)


@_few
@given(st.integers(1, 9), st.lists(st.integers(1, 17), min_size=1, max_size=9), channels)
def test_any_cut_into_calls_and_any_block_give_the_same_bits(block: int, cuts: list[int], count: int) -> None:
    x, layers = Source(2).signal(count, sum(cuts), 48), denoiser()
    one, net = Network((16, 3), layers, count), Network((16, 3), layers, count, block)
    expected = [one.step(np.ascontiguousarray(x[:, k])) for k in range(x.shape[1])]
    places = np.cumsum([0, *cuts])
    found = [net.run(np.ascontiguousarray(x[:, a:b])) for a, b in pairwise(places)]
    np.testing.assert_array_equal(np.concatenate(found, 1), np.stack(expected, 1))


@pytest.mark.parametrize("count", [2, 5, 16])
def test_channels_side_by_side_are_each_alone_and_keep_their_nan(count: int) -> None:
    x, layers = Source(4).signal(count, 9, 48), denoiser()
    x[1, 4, 7] = np.nan
    together = Network((16, 3), layers, count).run(x)
    for k in range(count):
        np.testing.assert_array_equal(together[k], Network((16, 3), layers).run(x[k : k + 1])[0])
        assert np.isfinite(together[k]).all() == (k != 1)


@pytest.mark.parametrize("block", [1, 4])
def test_reset_gives_a_new_network(block: int) -> None:
    x, layers = Source(5).signal(2, 7, 48), denoiser()
    fresh, used = (Network((16, 3), layers, 2, block) for _ in range(2))
    used.run(np.full((2, 30, 48), np.nan, np.float32))
    used.reset()
    np.testing.assert_array_equal(used.run(x), fresh.run(x))


def test_compiled_code_may_call_it_with_strides_of_its_own() -> None:
    net, x = Network((16, 3), denoiser(), 2), Source(6).signal(5, 2, 60)
    spread = np.zeros((2, 5, 40), np.float32)  # frames 160 bytes apart, channels 800
    call = Kernel("neural.run", 8)
    assert call.address == net.address
    assert call(net.state, address_of(x), 240, 480, address_of(spread), 800, 160, 5) == 0
    inside = np.ascontiguousarray(x.swapaxes(0, 1)[..., :48])
    expected = Network((16, 3), denoiser(), 2).run(inside)
    np.testing.assert_array_equal(spread[..., : net.outputs.values], expected)
    assert not spread[..., net.outputs.values :].any()


@pytest.mark.parametrize("kind", ["gru", "minimal"])
def test_states_decay_to_silence_without_denormals(kind: str) -> None:
    s = Source(7)
    gates = s.weights(24, 8), s.weights(24, 8)
    layer = Gru(GruWeights(*gates)) if kind == "gru" else MinGru(gates[0][:8], gates[0][8:16])
    net = Network(8, [layer])
    net.step(s.signal(1, 8))
    y = net.run(np.zeros((1, 3000, 8), np.float32))
    assert y[0, 0].all()
    size = np.abs(y)
    assert ((size == 0) | (size > np.finfo(np.float32).tiny)).all()
    assert not size[0, -1].any()


def test_no_call_allocates() -> None:
    net, x = Network((16, 3), denoiser(), 2), Source(8).signal(2, 1, 48)
    frames, out = net.run(x), np.empty((2, 32), np.float32)

    first = np.ascontiguousarray(x[:, 0])
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(5):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for _ in range(100):
                net.step(first, out)
                net.run(x, frames)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert min(peaks) < 2048  # arguments


def test_it_counts_what_it_holds_and_does() -> None:
    s = Source(9)
    net = Network((8, 2), [Conv(s.weights(4, 2, 2, 3), padding=1), Reshape(1, 32), Dense(s.weights(5, 32))])
    assert net.parameters == 4 * 2 * 2 * 3 + 4 + 4 + 5 * 32 + 5 + 5
    assert net.multiply_adds == 8 * 4 * 2 * 2 * 3 + 5 * 32
    assert net.outputs == (1, 5)
