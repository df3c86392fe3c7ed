"""Which node the parameter `model` of `denoise` and `wind` stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...host.contract.params import ParamsError

if TYPE_CHECKING:
    from ...host.contract.processor import BlockProcessor
    from ...host.models import ModelCard
    from ..denoise import DenoiseParams
    from ..wind import WindParams

__all__ = ["ARCHITECTURE", "check_model", "denoiser", "shipped", "wind_filter"]

#: As the cards of networks that this package trains name it.
ARCHITECTURE = "band-gains"
_ENGINES = ("deepfilternet3", "rnnoise")
#: By task: the card of the network that ships, and the names of what it gives.
_SHIPPED = {"denoise": "unbraid-denoise", "dewind": "unbraid-wind"}
_STEMS = {"denoise": ("speech", "noise"), "dewind": ("clean", "wind")}


def shipped(task: str) -> tuple[str, Path]:
    """Return the id of the card and the weights of the network that ships with this package."""
    card = _SHIPPED[task]
    return card, Path(__file__).parent.parent / "models" / f"{card}.safetensors"


def check_model(model: str, task: str) -> None:
    """Find out whether a model that does not ship can run; light.

    Raises:
        ParamsError: there is no such model, or it is for something else.
        ModelError: its engine or its weights are not here; says what brings them.
    """
    if task == "denoise" and model in _ENGINES:
        from .deepfilternet import find_deepfilternet3
        from .rnnoise import find_rnnoise

        (find_deepfilternet3 if model == "deepfilternet3" else find_rnnoise)()
        return
    card_of(model, task)


def card_of(model: str, task: str) -> ModelCard:
    """Return the card of a network with weights of somebody's own.

    Raises:
        ParamsError: there is no such card, or it is of something else.
    """
    from ...host.models import UnknownModelError, model_card

    try:
        card = model_card(model)
    except UnknownModelError as error:
        known = ("default", "classical", *(_ENGINES if task == "denoise" else ()))
        raise ParamsError(
            {"model": f"{error}; besides the ids of cards there are {', '.join(known)}"}
        ) from None
    if card.architecture != ARCHITECTURE or card.stems != _STEMS[task]:
        stems = ", ".join(_STEMS[task])
        fault = f"model = {model!r} is no network of architecture {ARCHITECTURE} with {stems}"
        raise ParamsError({"model": fault})
    return card


def denoiser(params: DenoiseParams) -> BlockProcessor[DenoiseParams]:
    """Return the node that takes noise off speech with the model that ``params`` name."""
    if params.model == "classical":
        from .gain_filter import ClassicalDenoiser

        return ClassicalDenoiser(params)
    if params.model == "deepfilternet3":
        from .deepfilternet import DeepFilterNet3

        return DeepFilterNet3(params)
    if params.model == "rnnoise":
        from .rnnoise import RNNoise

        return RNNoise(params)
    from .band_filter import LearntDenoiser

    return LearntDenoiser(params)


def wind_filter(params: WindParams) -> BlockProcessor[WindParams]:
    """Return the node that takes wind off a recording with the model that ``params`` name."""
    if params.model == "classical":
        from .gain_filter import ClassicalWindFilter

        return ClassicalWindFilter(params)
    from .band_filter import LearntWindFilter

    return LearntWindFilter(params)
