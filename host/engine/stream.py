"""A graph block by block: `open_stream`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from ..contract.audio import Layout
from ..contract.errors import GraphError, Problem, UnbraidError
from ..isolation.policy import Isolation
from ..registry import Registry
from .arrays import check_array, common_length
from .options import check_block, whole_rate
from .plan import Settings
from .request import load_graph, ready

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.processor import Array
    from ..graph.check import CheckedGraph
    from ..graph.graph import Graph
    from ..isolation.policy import Policy
    from .executor import Executor

__all__ = ["Stream", "open_stream"]


class Stream:
    """A graph run block by block: equal lengths in and out, every output ``latency`` samples late.

    Example:
        >>> from unbraid import Graph
        >>> graph = Graph()
        >>> graph.output("out", graph.node("half", "gain", graph.input("mix", "mono"), gain=-6.0206))
        >>> with open_stream(graph, rate=48000) as stream:
        ...     block = stream.process({"mix": np.ones((1, 5), np.float32)})
        >>> block["out"].round(3).tolist()
        [[0.5, 0.5, 0.5, 0.5, 0.5]]
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.latency = {name: signal.latency for name, signal in executor.plan.outputs.items()}

    def process(self, ins: Mapping[str, Array]) -> dict[str, Array]:
        """Process one block of any length: float32 ``[channels, n]`` by input; return by output.

        Non-finite samples are not looked for here: they pass through, and fade from nodes with memory.

        Raises:
            NodeError: a node failed; the stream stands still until `reset`.
            UnbraidError: an array has the wrong type or shape.
        """
        n = self._check(ins)
        signals = self._executor.plan.outputs
        outs = {name: np.empty((signal.layout.channels, n), np.float32) for name, signal in signals.items()}
        at = 0
        while at < n:
            size = self._executor.room(n - at)
            for name, block in self._executor.inputs(size).items():
                block[:] = ins[name][:, at : at + size]
            self._executor.process(size)
            for name, block in self._executor.outputs(size).items():
                outs[name][:, at : at + size] = block
            at += size
        return outs

    def _check(self, ins: Mapping[str, Array]) -> int:
        """Return the length of a block, once it is known to fit."""
        inputs = self._executor.plan.inputs
        if not isinstance(ins, Mapping):
            raise UnbraidError(
                f"give blocks by input, {{{next(iter(inputs))!r}: block}}, not {type(ins).__name__}"
            )
        if ins.keys() != inputs.keys():
            raise UnbraidError(f"the inputs are {', '.join(inputs)}, but {', '.join(ins) or 'none'} given")
        for name, data in ins.items():
            check_array(name, data)
            layout = inputs[name].layout
            if len(data) != layout.channels:
                raise UnbraidError(f"input {name!r} is {layout}, but {len(data)} channels are given")
        return common_length(ins)

    def reset(self) -> None:
        """Go back to the beginning, as if freshly opened."""
        self._executor.reset()

    def close(self) -> None:
        """Release every processor."""
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stream(
    graph: Graph | str | Path,
    *,
    rate: int,
    layouts: Mapping[str, str] | None = None,
    max_block: int = 8192,
    seed: int = 0,
    realtime: bool = False,
    isolate: Policy | Isolation = "asked",
    registry: Registry | None = None,
) -> Stream:
    """Prepare a graph for block-by-block use.

    Args:
        graph: a `Graph`, a graph file, or the name of a ready-made graph.
        rate: Hz.
        layouts: the layout of each input that does not declare one.
        max_block: longest block handed to a plugin; longer ones are cut.
        seed: for plugins that draw random numbers.
        realtime: refuse plugins that cannot meet deadlines.
        isolate: which nodes run in processes of their own: "asked", "third-party" or "all", or an `Isolation`
            with limits. Each costs 20 to 150 us a block, more on a busy machine.
        registry: plugins to use; by default all that are installed.

    Raises:
        GraphError: the graph cannot run so.
    """
    check_block(max_block)
    registry = registry or Registry.discover()
    loaded = load_graph(graph, registry)
    checked = loaded.check(
        registry, whole_rate(rate), {k: Layout.parse(v) for k, v in (layouts or {}).items()}
    )
    refuse_live(checked, realtime=realtime)
    settings = Settings(max_block=max_block, seed=seed, realtime=realtime, isolate=Isolation.of(isolate))
    return Stream(ready(checked, registry, settings))


def refuse_live(checked: CheckedGraph, *, realtime: bool) -> None:
    """Raise `GraphError` for nodes that cannot run on a stream, or not within deadlines."""
    problems = []
    for node in checked.nodes.values():
        why = ""
        if node.card.passes_of(node.params):
            why = "cannot run on a stream: it must hear the whole programme first"
        elif realtime and not node.card.realtime:
            why = "cannot run live"
        if why:
            problems.append(Problem(node.place, f"{node.card.id!r} {why}", "run it over files"))
    if problems:
        raise GraphError(problems)
