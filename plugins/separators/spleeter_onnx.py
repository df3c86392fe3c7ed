"""Spleeter's U-Net as an ONNX graph: ONNX Runtime takes a third of the time that torch takes on a CPU.

A transposed convolution of stride 2 is written as four small convolutions, one for each parity of row and
column, whose outputs are interleaved: the same sums without the zeros, in the form the runtime is fastest at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.models import check_keys
from ...kernels.threads import run_jobs, thread_count
from .onnx_sessions import open_session
from .spleeter_shapes import tensors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard, Weights

    Array = npt.NDArray[np.float32]

__all__ = ["Networks", "build_session", "graph_of", "unet"]

_OPSET, _IR = 17, 8  # what ONNX Runtime of 2022 and later reads


class Networks:
    """The networks of all stems, each in a session of its own, run side by side.

    Two networks on a core each take 0.85 of the time of one after the other on two: not all that is in a
    network can be shared among threads.

    Args:
        sessions: of ONNX Runtime, one a stem.
        constants: what they were opened with, kept alive.
    """

    def __init__(self, sessions: list[Any], constants: list[dict[str, Array]]) -> None:
        self._sessions, self._constants = sessions, constants

    def __call__(self, magnitudes: Array) -> Array:
        """Return estimates ``[stems, channels, frames, bins]`` from ``[channels, frames, bins]``."""
        import numpy as np

        estimates = np.empty((len(self._sessions), *magnitudes.shape), np.float32)

        def run(stem: int) -> None:
            estimates[stem] = self._sessions[stem].run(None, {"magnitudes": magnitudes[None]})[0][0]

        run_jobs(len(self._sessions), lambda: run)
        return estimates


def build_session(card: ModelCard, weights: list[Weights]) -> Networks:
    """Return the networks of a card, ready to run.

    Raises:
        CheckpointError: a file is not a Spleeter's.
        PluginError: ONNX Runtime or the package onnx is not installed.
    """
    sessions, constants = [], []
    for file, given in zip(card.files, weights, strict=True):
        check_keys(tensors(), given, file.name, architecture="spleeter")
        graph, beside = graph_of(given)
        constants.append(beside)
        what, threads = f"model {card.id}", max(1, thread_count() // len(card.files))
        sessions.append(open_session(graph, what, extra="vocals", constants=beside, threads=threads))
    return Networks(sessions, constants)


def graph_of(weights: Weights) -> tuple[bytes, dict[str, Array]]:
    """Return the graph of one stem, ``[1, 2, frames, bins]`` to the same, and its constants.

    These stay outside of the graph, which would copy them three times over.
    """
    from onnx import TensorProto, helper

    drawing = _Drawing()
    unet(drawing, "magnitudes", "estimate", weights)
    signature = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, "frames", 1024])
        for name in ("magnitudes", "estimate")
    ]
    graph = helper.make_graph(drawing.nodes, "spleeter", signature[:1], signature[1:], drawing.named)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    text: bytes = model.SerializeToString()
    return text, drawing.constants


class _Drawing:
    """Nodes and constants of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.named: list[Any] = []
        self.constants: dict[str, Array] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Name a constant whose numbers are handed over beside the graph."""
        import numpy as np
        from onnx import TensorProto

        self.constants[name] = np.ascontiguousarray(value, np.float32)
        proto = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=value.shape)
        proto.data_location = TensorProto.EXTERNAL
        entry = proto.external_data.add()
        entry.key, entry.value = "location", "beside"
        self.named.append(proto)
        return name


def unet(drawing: _Drawing, magnitudes: str, estimate: str, weights: Weights) -> None:
    """Add a network to a drawing.

    Down: convolution 5 by 5 with stride 2, batch normalisation, leaky ReLU. Up: what came up and the
    convolution of the same size together through the transposed convolution, ReLU, batch normalisation.
    """

    def constants(name: str, parts: tuple[str, ...]) -> list[str]:
        return [drawing.constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in parts]

    def normalised(x: str, name: str) -> str:
        parts = constants(name, ("weight", "bias", "running_mean", "running_var"))
        return drawing.add("BatchNormalization", [x, *parts], name, epsilon=1e-3)

    x, skips = magnitudes, list[str]()
    for level in range(1, 7):
        name = f"down{level}_conv.1"
        inputs = [x, *constants(name, ("weight", "bias"))]
        skips.append(drawing.add("Conv", inputs, name, strides=[2, 2], pads=[1, 1, 2, 2]))
        if level < 6:
            x = normalised(skips[-1], f"down{level}_act.0")
            x = drawing.add("LeakyRelu", [x], f"down{level}", alpha=0.2)
    x = skips.pop()
    for level in range(1, 7):
        name = f"up{level}.0"
        if level > 1:
            x = drawing.add("Concat", [skips.pop(), x], f"in{level}", axis=1)
        x = _upsampled(drawing, x, name, weights[f"{name}.weight"], weights[f"{name}.bias"])
        x = normalised(x, f"up{level}.3")
    inputs = [x, *constants("up7.0", ("weight", "bias"))]
    x = drawing.add("Conv", inputs, "up7", pads=[3, 3, 3, 3], dilations=[2, 2])
    x = drawing.add("Sigmoid", [x], "mask")
    drawing.add("Mul", [x, magnitudes], estimate)


def _upsampled(drawing: _Drawing, x: str, name: str, kernel: npt.NDArray[Any], bias: npt.NDArray[Any]) -> str:
    """Add a transposed convolution 5 by 5 with stride 2, cut to twice the size, and a ReLU.

    Row ``2 a + r`` of the result is ``sum_k x[a - (k - r - 1) / 2] kernel[k]`` over the k of one parity.
    """
    offset = drawing.constant(f"{name}.bias", bias)
    if kernel.shape[1] < 8:  # few channels fill no vector: the runtime's own is faster
        full = drawing.constant(f"{name}.weight", kernel)
        y = drawing.add("ConvTranspose", [x, full, offset], name, strides=[2, 2], pads=[1, 1, 2, 2])
        return drawing.add("Relu", [y], f"{name}.relu")
    parts = []
    for row in (0, 1):
        for column in (0, 1):
            (rows, top, bottom), (columns, left, right) = _taps(row), _taps(column)
            taps = kernel[:, :, rows][:, :, :, columns].transpose(1, 0, 2, 3)
            part = f"{name}.{row}{column}"
            inputs = [x, drawing.constant(f"{part}.weight", taps), offset]
            y = drawing.add("Conv", inputs, part, pads=[top, left, bottom, right])
            parts.append(drawing.add("Relu", [y], f"{part}.relu"))
    y = drawing.add("Concat", parts, f"{name}.parts", axis=1)
    return drawing.add("DepthToSpace", [y], name, blocksize=2, mode="DCR")


def _taps(parity: int) -> tuple[list[int], int, int]:
    """Return the taps of one parity in the order of a correlation, and the padding before and after."""
    taps = [k for k in (4, 3, 2, 1, 0) if (k - parity - 1) % 2 == 0]
    reach = [-(k - parity - 1) // 2 for k in taps]
    return taps, -reach[0], reach[-1]
