"""GMAC/s of the layers of streaming networks: ``python -m benches.neural``, half a minute.

The least time of many calls of 64 frames each, on one core.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.kernels.neural import Network
from unbraid.kernels.neural_convolutions import Conv, ConvTranspose
from unbraid.kernels.neural_layers import Add, Dense, LayerNorm, Reshape
from unbraid.kernels.neural_recurrent import FrequencyGru, Gru, GruWeights, MinGru

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unbraid.kernels.neural_layers import Layer

_RANDOM = np.random.default_rng(0)


def _weights(*shape: int) -> Any:
    return (_RANDOM.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def _gru(features: int, hidden: int) -> GruWeights:
    return GruWeights(_weights(3 * hidden, features), _weights(3 * hidden, hidden))


def _layers() -> Iterator[tuple[str, tuple[int, int], Layer]]:
    for outs, ins in ((256, 256), (512, 512), (64, 256), (16, 64)):
        yield f"dense {ins} to {outs}", (1, ins), Dense(_weights(outs, ins), activation="relu")
    yield "dense 32 to 32 at 64 positions", (64, 32), Dense(_weights(32, 32))
    for outs, ins, positions, stride in ((16, 3, 256, 2), (32, 16, 128, 2), (32, 32, 64, 1), (64, 64, 32, 1)):
        title = f"conv 2x3, {ins} to {outs}, {positions} positions, stride {stride}"
        yield title, (positions, ins), Conv(_weights(outs, ins, 2, 3), stride=stride, padding=1)
    kernel = _weights(32, 1, 3, 3)
    yield "depthwise 3x3, 32, 128 positions", (128, 32), Conv(kernel, padding=1, groups=32)
    up = ConvTranspose(_weights(32, 16, 1, 3), padding=1, output_padding=1)
    yield "transposed 3, 32 to 16, 64 positions", (64, 32), up
    for hidden in (64, 128, 256, 384):
        yield f"GRU {hidden} to {hidden}", (1, hidden), Gru(_gru(hidden, hidden))
    yield "GRU 32 to 32 at 64 positions", (64, 32), Gru(_gru(32, 32))
    both = FrequencyGru(_gru(32, 16), _gru(32, 16))
    yield "GRU 32 to 2x16 along 64 positions", (64, 32), both
    yield "minGRU 256 to 256", (1, 256), MinGru(_weights(256, 256), _weights(256, 256))
    yield "norm of 256", (1, 256), LayerNorm(np.ones(256, np.float32))
    yield "tanh of 1024", (1, 1024), Dense(_weights(1024, 1024), activation="tanh")


def network() -> tuple[tuple[int, int], list[Layer]]:
    """Return a convolutional-recurrent network with skip connections, of the size that a denoiser has."""
    down = [(16, 3, 5), (32, 16, 3), (32, 32, 3)]
    layers: list[Layer] = []
    for k, (outs, ins, width) in enumerate(down):
        kernel = _weights(outs, ins, 2, width)
        layers.append(Conv(kernel, stride=2, padding=width // 2, activation="prelu", name=f"down{k}"))
    layers += [Reshape(1, 512), Dense(_weights(192, 512), activation="relu"), Gru(_gru(192, 192))]
    layers += [Dense(_weights(512, 192), activation="relu"), Reshape(16, 32)]
    for k, outs in zip((2, 1, 0), (32, 16, 2), strict=True):
        activation = "sigmoid" if k == 0 else "prelu"
        kernel = _weights(down[k][0], outs, 1, 3)
        up = ConvTranspose(kernel, padding=1, output_padding=1, activation=activation, name=f"up{k}")
        layers += [Add(source=(f"down{k}", f"up{k + 1}" if k < 2 else "")), up]
    return (128, 3), layers


def microseconds(net: Network, frames: int, seconds: float = 0.3) -> float:
    """Return the least time for a frame of all channels, of calls of so many frames."""
    x = _RANDOM.standard_normal((net.channels, frames, net.inputs.values), np.float32)
    out = net.run(x)
    best, end = np.inf, perf_counter() + seconds
    while perf_counter() < end:
        started = perf_counter()
        net.run(x, out)
        best = min(best, perf_counter() - started)
    return 1e6 * best / frames


def main() -> None:
    """Print the table: frame by frame, in blocks of eight frames, two channels; and a call from Python."""
    print("| layer | MAC a frame | us a frame | GMAC/s | in blocks of 8 | 2 channels |")
    print("|---|---|---|---|---|---|")
    rows = [(title, inputs, [layer]) for title, inputs, layer in _layers()]
    for title, inputs, layers in [*rows, ("a whole network", *network())]:
        times = [microseconds(Network(inputs, layers, *more), 64) for more in ((1, 1), (1, 8), (2, 1))]
        work = Network(inputs, layers).multiply_adds
        speeds = [n * work / time / 1e3 for n, time in zip((1, 1, 2), times, strict=True)]
        print(f"| {title} | {work} | {times[0]:.2f} | {' | '.join(f'{speed:.1f}' for speed in speeds)} |")
    inputs, layers = network()
    net = Network(inputs, layers)
    print(f"\n{net.parameters} parameters; a call of one frame {microseconds(net, 1):.1f} us")


if __name__ == "__main__":
    main()
