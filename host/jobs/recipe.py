"""What decides a job's bits beside its inputs: graph, settings, plugins, models, and the machine."""

from __future__ import annotations

import hashlib
import json
import stat
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..contract.errors import GraphError, Place, Problem, nearest
from ..engine.request import load_graph, place_nodes
from ..graph.graph import Graph
from ..graph.stems import spread_stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..registry import Registry
    from .job import Job

__all__ = ["graph_of", "identity_of", "machine", "recipe_of"]

#: What computes where a node names a model; their versions may change its bits.
_ENGINES = ("torch", "onnxruntime")


def graph_of(job: Job, registry: Registry) -> Graph:
    """Return a job's graph with its stems, settings and devices.

    Raises:
        GraphError: it cannot be loaded, or a setting names what it has not.
    """
    graph = _loaded(job.graph, registry)
    if job.stems:
        spread_stems(graph, list(job.stems), registry)
    for target, value in job.settings.items():
        node, dot, param = target.partition(".")
        if not (dot and node and param):
            place = Place(graph.source, None, target)
            raise GraphError([Problem(place, "is no parameter", "write settings as node.param: value")])
        graph.set(node, param, value)
    for node, device in job.devices.items():
        if node:
            graph.place(node, device)
        else:
            place_nodes(graph, device, registry)
    return graph


def _loaded(name: str, registry: Registry) -> Graph:
    """Return a graph of one's own; a file that has not changed is read once."""
    path = registry.graphs.get(name, Path(name))
    if not path.is_absolute():
        known = nearest(name, registry.graphs)
        raise GraphError([Problem(Place(name), "is no ready-made graph", known)])
    try:
        found = path.stat()
    except (OSError, ValueError):
        return load_graph(name, registry)  # which says what is wrong
    if not stat.S_ISREG(found.st_mode):  # to open a FIFO may take for ever
        raise GraphError([Problem(Place(name), "is no plain file", "name one that can be read again")])
    text, source = _text(str(path), found.st_mtime_ns, found.st_size, found.st_ino)
    return Graph.from_dict(json.loads(text), source)


@lru_cache(maxsize=64)
def _text(path: str, *_: int) -> tuple[str, str]:
    graph = Graph.load(path)
    return json.dumps(graph.to_dict()), graph.source


def recipe_of(job: Job, graph: Graph, registry: Registry) -> str:
    """Return a hash of all but inputs and machine that decides what a job's outputs hold.

    Args:
        job: with its settings.
        graph: of `graph_of`.
        registry: with the plugins that would run.
    """
    nodes = graph.document().nodes.values()
    models = sorted(set(_models(graph, registry)))
    parts = {
        "unbraid": _unbraid(),
        "graph": graph.to_dict(),
        "inputs": sorted({**job.inputs, **job.stems}),
        "options": job.options,
        "target": job.target,
        "track": job.track if job.film else "",
        "plugins": sorted({_plugin(node.use, registry) for node in nodes}),
        "models": models,
        "engines": [f"{name} {_version(name)}" for name in _ENGINES] if models else [],
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


@cache  # of what runs, which does not change while it does
def _unbraid() -> tuple[str, str]:
    from ...kernels.machine import sources_hash

    return version("unbraid"), sources_hash()


def _plugin(use: str, registry: Registry) -> str:
    card = registry.cards.get(use)
    package = registry.packages.get(use, "")
    # A package that is brought up to date while a process runs is still the old one there.
    version = registry.versions.get(package) or _version(package)
    return f"{use} {card.version if card else ''} {package} {version}"


def _version(package: str) -> str:
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):  # ValueError: no name
        return ""


def _models(graph: Graph, registry: Registry) -> Iterator[str]:
    """Iterate over the hashes of models and other files that parameters name."""
    from ..models.catalogue import Catalogue

    texts = sorted(set(_texts(graph, registry)))
    cards = Catalogue.discover(registry).cards if texts else {}
    for text in texts:
        if text in cards:
            yield from (f"{text} {file.sha256}" for file in cards[text].files)
        elif digest := _file(text):
            yield f"file {digest}"


def _texts(graph: Graph, registry: Registry) -> Iterator[str]:
    """Iterate over the text among nodes' parameters, such as were not given too."""
    from ..contract.params import ParamsError, convert

    for node in graph.document().nodes.values():
        card = registry.cards.get(node.use)
        values: Iterable[Any] = node.params.values()
        if card is not None:
            try:
                params = convert(card.params, node.params)
                values = [getattr(params, name) for name in params.__struct_fields__]
            except ParamsError:  # the render says so
                pass
        yield from (value for value in values if isinstance(value, str) and value)


def _file(text: str) -> str:
    """Return the XXH128 of the file that a parameter names; "" where it names none."""
    path = Path(text)
    try:
        if len(path.parts) < 2 and not path.suffix:  # a word
            return ""
        found = path.stat()
        return _hash(text, found.st_mtime_ns, found.st_size, found.st_ino) if path.is_file() else ""
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=256)
def _hash(path: str, *_: int) -> str:
    from .hashes import xxh128_of

    return xxh128_of(path)


@cache
def machine() -> str:
    """Return what of this machine decides bits: CPU, vector width, and the compiler's version."""
    from ...kernels.machine import cache_folder
    from ...kernels.machine.load import cpu, vector_width

    return f"{cpu()[0]} x{vector_width()} {cache_folder().name.removeprefix('kernels-')}"


def identity_of(recipe: str, machine: str, inputs: Mapping[str, str]) -> str:
    """Return the hash that is equal for two attempts exactly when their outputs must be.

    Args:
        recipe: of `recipe_of`.
        machine: of `machine`.
        inputs: XXH128 by name.

    Example:
        >>> identity_of("r", "m", {"mix": "a"}) == identity_of("r", "m", {"mix": "b"})
        False
    """
    return hashlib.sha256(msgspec.json.encode([recipe, machine, sorted(inputs.items())])).hexdigest()
