"""Where the host meets a stranger's processor: whatever it does becomes one typed, readable error."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

import numpy as np

from .contract.compiled import Compiled
from .contract.errors import NodeError, PluginError, UnbraidError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .contract.audio import Spec
    from .contract.card import PluginCard
    from .contract.processor import Array, Processor
    from .graph.check import CheckedNode

__all__ = [
    "check_declared",
    "check_methods",
    "compiled_form",
    "declared",
    "findings",
    "prepare",
    "process_first",
    "what_failed",
]

_METHODS = ("prepare", "set", "process", "reset", "release", "compiled")
_HEARING = ("begin", "analyse", "finish")


def check_methods(processor: object, card: PluginCard) -> None:
    """Raise unless ``processor`` has every method of the contract.

    Raises:
        PluginError: names those that are missing.
    """
    needed = (*_METHODS, *_HEARING) if card.hears else _METHODS
    missing = [name for name in needed if not callable(getattr(processor, name, None))]
    if missing:
        base = "AnalysisProcessor" if card.hears else "BlockProcessor"
        raise PluginError(
            f"plugin {card.id!r}: its factory gave {type(processor).__name__}, which has no "
            f"{', '.join(missing)}; derive from {base}",
        )


def declared(processor: Processor, what: str) -> int:
    """Return a processor's ``latency`` or ``tail`` as an int of at least 0.

    Raises:
        PluginError: it is anything else, or cannot be read.
    """
    try:
        value = getattr(processor, what)
    except Exception as error:
        raise PluginError(f"its {what} cannot be read: {one_line(error)}") from error
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise PluginError(f"it declares {what} {value!r}, not an integer of at least 0")
    return number


def check_declared(processor: Processor, latency: int, after: str) -> None:
    """Raise unless the latency is still what it was at prepare().

    Raises:
        PluginError: names the call ``after`` which it changed.
    """
    if processor.latency != latency:
        raise PluginError(f"{after} changed its latency, which is constant while audio runs")


def what_failed(call: str, error: BaseException) -> str:
    """Return that a call failed: one of our own errors says how itself, another by its type."""
    verb = "failed:" if isinstance(error, UnbraidError) else "raised"
    return f"{call} {verb} {one_line(error)}"


def prepare(processor: Processor, spec: Spec, node: CheckedNode) -> None:
    """Prepare a node's processor.

    Raises:
        PluginError: it refuses these terms; told with the node's place.
        NodeError: it raised anything else.
    """
    try:
        processor.prepare(spec)
    except PluginError as error:
        raise PluginError(f"{node.place}: node {node.name!r} ({node.card.id}): {one_line(error)}") from error
    except UnbraidError as error:  # such as a model that is not here: it says all there is to say
        raise NodeError(node.name, node.card.id, None, one_line(error), node.place) from error
    except (Exception, SystemExit) as error:
        raise NodeError(node.name, node.card.id, None, what_failed("prepare()", error), node.place) from error


def findings(processor: object, node: CheckedNode) -> dict[str, float | str]:
    """Return what a node's processor found out: numbers and texts by name; nothing without such a method.

    Raises:
        NodeError: it raised, or gave something else.
    """
    ask = getattr(processor, "findings", None)
    if ask is None:
        return {}
    try:
        found = ask().items()
        return {str(name): value if isinstance(value, str) else float(value) for name, value in found}
    except Exception as error:
        reason = what_failed("findings()", error)
        raise NodeError(node.name, node.card.id, None, reason, node.place) from error


def process_first(processor: Processor, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
    """Run a processor's first block with outputs that hold NaN, so that one left unwritten is heard of.

    Raises:
        PluginError: names the output that was not written.
    """
    for out in outs.values():
        out.fill(math.nan)
    processor.process(ins, outs)
    for name, out in outs.items():
        if out.size and np.isnan(out).all():
            raise PluginError(f'it left its output {name!r} unwritten; write outs["{name}"][:] = ...')


def compiled_form(processor: Processor, plugin: str) -> Compiled | None:
    """Return ``processor.compiled()``.

    Raises:
        PluginError: it raised, or gave something that is not `Compiled`.
    """
    try:
        found = processor.compiled()
    except Exception as error:
        raise PluginError(f"plugin {plugin!r}: compiled() raised {one_line(error)}") from error
    if found is not None and not isinstance(found, Compiled):
        raise PluginError(f"plugin {plugin!r}: compiled() gave {found!r}, neither Compiled nor None")
    return found
