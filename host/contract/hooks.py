"""The hooks a plugin package may implement (pluggy). None of them is called per block.

A plugin package names a light module under the entry-point group ``unbraid.plugins``; in it,
functions marked with `hookimpl` implement any of the specifications below.

Example:
    >>> @hookimpl
    ... def unbraid_cards():
    ...     return [PluginCard(id="mine", name="Mine", version="1", licence="MIT", factory="mine.dsp:Mine")]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from .card import PluginCard  # noqa: TC001 - the example in the docstring uses it

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["GROUP", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "unbraid"
GROUP = "unbraid.plugins"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def unbraid_cards() -> Iterable[PluginCard]:  # type: ignore[empty-body]
    """Return the cards of the plugins this package brings. Must import nothing heavy."""


@hookspec
def unbraid_graphs() -> Mapping[str, Path]:  # type: ignore[empty-body]
    """Return ready-made graphs by name, each a path to a graph file inside the package."""


@hookspec
def unbraid_models() -> Iterable[Path]:  # type: ignore[empty-body]
    """Return where this package's model cards are: each a card, or a folder whose ``*.yaml`` are cards."""


@hookspec
def unbraid_describe_checkpoint(checkpoint: Any) -> Any:
    """Return a ``ModelCard`` for a checkpoint whose network this package knows; None for every other.

    Called by ``unbraid models card``; see ``Checkpoint`` and ``ModelCard`` of `host.models`. The files are
    read as data, and no card is returned that the plugin would refuse.
    """


@hookspec
def unbraid_render_started(graph: str, inputs: Mapping[str, str]) -> None:
    """Called once before the first sample: the graph's source and each input's path."""


@hookspec
def unbraid_render_finished(report: Any) -> None:
    """Called once after every output stands complete under its name; see ``RenderReport``."""


@hookspec
def unbraid_render_failed(error: BaseException) -> None:
    """Called once when a render failed or was cancelled, after everything partial was removed."""
