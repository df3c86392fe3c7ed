"""Holds a checkpoint's tensors against those that a network has: the way to notice a wrong architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Shaped", "check_keys"]

_SHOWN = 3


class Shaped(Protocol):
    """Anything with a shape: an array, a tensor, a parameter."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of its sides."""
        ...


def check_keys(
    wanted: Mapping[str, Shaped], given: Mapping[str, Shaped], source: str, *, architecture: str = ""
) -> None:
    """Raise unless the names and shapes are those that are wanted.

    Args:
        wanted: the network's tensors by name, such as ``module.state_dict()``.
        given: the checkpoint's.
        source: the checkpoint's name in the error text.
        architecture: the network's.

    Raises:
        CheckpointError: one line with the first that are missing, unexpected, or of another shape.

    Example:
        >>> import numpy as np
        >>> check_keys({"w": np.zeros(2)}, {"w": np.ones(2)}, "w.safetensors")
        >>> try:
        ...     check_keys({"w": np.zeros(2)}, {"v": np.ones(2)}, "w.safetensors", architecture="tiny")
        ... except CheckpointError as error:
        ...     print(str(error).partition(";")[0])
        w.safetensors: does not fit the architecture tiny: 1 missing (w), 1 unexpected (v)
    """
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    misshapen = [
        f"{name}: wanted {tuple(wanted[name].shape)}, is {tuple(given[name].shape)}"
        for name in wanted
        if name in given and tuple(wanted[name].shape) != tuple(given[name].shape)
    ]
    named = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
    told = [f"{len(names)} {what} ({_first(names)})" for what, names in named if names]
    if told:
        network = f"the architecture {architecture}" if architecture else "the network"
        raise CheckpointError(
            f"{source}: does not fit {network}: {', '.join(told)}; is it the checkpoint of another network?"
        )


def _first(names: Collection[str]) -> str:
    shown = [name[:80] for name in list(names)[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")
