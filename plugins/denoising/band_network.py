"""The network that was trained (`recipe.network.BandNet`) on compiled kernels: no torch, no allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bands import BANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...kernels.neural import Network

__all__ = ["band_network"]

_BLOCK = 8  # frames that a layer takes at once when many are at hand, so that weights are read less often


def band_network(weights: Mapping[str, Any], channels: int) -> Network:
    """Return the network for so many channels.

    A frame in is ``[bands, 2]``, the two features of every band; a frame out ``[bands, heads]``, the gains of
    the frame before.

    Args:
        weights: arrays by the names of the recipe's network.
        channels: 1 to 16.

    Raises:
        KernelError: a weight is missing or does not fit.
    """
    from ...kernels.errors import KernelError
    from ...kernels.neural import Network

    try:
        layers = [*_encoder(weights), *_middle(weights), *_decoder(weights)]
    except KeyError as error:
        raise KernelError(f"the weights lack {error.args[0]!r}: they are of another network") from None
    return Network((BANDS, 2), layers, channels, block=_BLOCK)


def _pair(weights: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}


def _encoder(weights: Mapping[str, Any]) -> list[Any]:
    from ...kernels.neural_convolutions import Conv

    return [
        Conv(**_pair(weights, "encode1"), stride=2, padding=2, activation="relu", name="a"),
        Conv(**_pair(weights, "encode2"), stride=2, padding=1, activation="relu", name="b"),
        Conv(**_pair(weights, "encode3"), stride=2, padding=1, activation="relu", name="c"),
    ]


def _recurrence(weights: Mapping[str, Any], name: str, source: str, result: str) -> list[Any]:
    """Return a recurrence and the sum with what it reads."""
    from ...kernels.neural_layers import Add
    from ...kernels.neural_recurrent import MinGru

    both = _pair(weights, f"{name}.linear")
    half = len(both["bias"]) // 2
    recurrence = MinGru(
        both["weight"][:half],
        both["weight"][half:],
        both["bias"][:half],
        both["bias"][half:],
        name=f"{name} state",
    )
    return [recurrence, Add(source=(source, f"{name} state"), name=result)]


def _middle(weights: Mapping[str, Any]) -> list[Any]:
    from ...kernels.neural_layers import Add, Dense, Reshape

    features = len(weights["encode3.bias"])
    places = BANDS // 8
    second = _recurrence(weights, "second", "between", "")[:1]
    return [
        *_recurrence(weights, "local", "c", "places"),
        Reshape(1, places * features),
        Dense(**_pair(weights, "squeeze"), activation="relu", name="squeezed"),
        *_recurrence(weights, "first", "squeezed", "whole"),
        Dense(**_pair(weights, "between"), activation="relu", name="between"),
        *second,
        Add(source=("whole", "second state")),
        Dense(**_pair(weights, "widen")),
        Reshape(places, features, name="wide"),
        Add(source=("places", "wide")),
    ]


def _decoder(weights: Mapping[str, Any]) -> list[Any]:
    from ...kernels.neural_convolutions import ConvTranspose
    from ...kernels.neural_layers import Add

    return [
        ConvTranspose(**_pair(weights, "decode3"), padding=1, activation="relu", name="up"),
        Add(source=("up", "b")),
        ConvTranspose(**_pair(weights, "decode2"), padding=1, activation="relu", name="upper"),
        Add(source=("upper", "a")),
        ConvTranspose(**_pair(weights, "decode1"), padding=1, activation="sigmoid"),
    ]
