"""A graph over arrays: `process`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.audio import MAX_CHANNELS, Layout
from ..contract.errors import UnbraidError
from ..isolation.policy import Isolation
from ..registry import Registry
from .drive import Drive
from .options import RenderOptions, whole_rate
from .plan import Settings
from .request import inputs_by_name, load_graph, ready
from .stages import hear

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ..contract.processor import Array
    from ..graph.graph import Graph

__all__ = ["check_array", "common_length", "process"]


class _ArraySource:
    def __init__(self, name: str, data: Array) -> None:
        self.name, self._data, self._at = f"input {name!r}", data, 0

    def read(self, out: Array) -> int:
        piece = self._data[:, self._at : self._at + out.shape[1]]
        out[:, : piece.shape[1]] = piece
        self._at += piece.shape[1]
        return int(piece.shape[1])


class _ArraySink:
    def __init__(self, channels: int, length: int) -> None:
        self.data, self._at = np.empty((channels, length), np.float32), 0

    def write(self, block: Array) -> None:
        self.data[:, self._at : self._at + block.shape[1]] = block
        self._at += block.shape[1]


def process(
    graph: Graph | str | Path,
    inputs: Array | Mapping[str, Array],
    *,
    rate: int,
    options: RenderOptions | None = None,
    registry: Registry | None = None,
    blocks: Iterable[int] | None = None,
) -> dict[str, Array]:
    """Run a graph over arrays.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        inputs: float32 ``[channels, samples]`` for the first input, or such arrays by input name.
        rate: Hz.
        options: ``tails``, ``non_finite``, ``max_block``, ``seed`` and ``isolate`` apply.
        registry: plugins to use; by default all that are installed.
        blocks: block lengths to cut the signal into; the output does not depend on them.

    Returns:
        By output: float32 ``[channels, samples]``, aligned with the input and of its length.

    Raises:
        GraphError: the graph cannot run over these inputs.
        NodeError: a node failed.
        UnbraidError: an array is not float32 ``[channels, samples]``, or lengths differ.
    """
    options = options or RenderOptions()
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    arrays: dict[str, Array] = inputs_by_name(loaded, inputs)
    for name, data in arrays.items():
        check_array(name, data)
    length = common_length(arrays)
    checked = loaded.check(
        registry, whole_rate(rate), {name: Layout.of_channels(len(data)) for name, data in arrays.items()}
    )
    settings = Settings(
        max_block=options.max_block,
        seed=options.seed,
        length=None if options.tails else length,
        isolate=Isolation.of(options.isolate),
    )
    executor = ready(checked, registry, settings)
    try:

        def sources() -> dict[str, _ArraySource]:
            return {name: _ArraySource(name, data) for name, data in arrays.items()}

        cuts = blocks if blocks is None else list(blocks)  # for each pass the same
        drive = Drive(executor, sources(), {}, length, tails=options.tails, blocks=cuts)
        drive.zero_non_finite = options.non_finite == "zero"
        sinks = {
            name: _ArraySink(checked.layout(wire).channels, drive.output_length(name) or 0)
            for name, (wire, _) in checked.outputs.items()
        }
        hear(drive, sources)
        drive.sinks = sinks
        drive.run()
    finally:
        executor.close()
    return {name: sink.data for name, sink in sinks.items()}


def common_length(arrays: Mapping[str, Array]) -> int:
    """Return the length of all, which must be one; raise `UnbraidError` otherwise."""
    first, *others = (data.shape[1] for data in arrays.values())
    if any(length != first for length in others):
        raise UnbraidError("inputs of one graph must have one length")
    return int(first)


def check_array(name: str, data: Any) -> None:
    """Raise `UnbraidError` unless ``data`` is float32 ``[channels, samples]``."""
    if not isinstance(data, np.ndarray) or data.dtype != np.float32 or data.ndim != 2 or not data.shape[0]:
        seen = f"{data.dtype} {list(data.shape)}" if isinstance(data, np.ndarray) else type(data).__name__
        raise UnbraidError(f"input {name!r} must be float32 [channels, samples], not {seen}")
    if data.shape[0] > MAX_CHANNELS:
        raise UnbraidError(
            f"input {name!r} has {data.shape[0]} channels, more than {MAX_CHANNELS}; "
            "arrays are [channels, samples]: is it transposed?"
        )
