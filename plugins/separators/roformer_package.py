"""RoFormers of the package ``bs-roformer`` from 0.4 on: hyper-connections, value residuals, linear attention.

Their checkpoints have other keys than the published ones and keep changing with the package, so its own
classes build them (``pip install 'unbraid[roformer]'``).
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import pad

from ...host.models import CheckpointError, ModelError, check_keys
from .roformer import MelRoformerOptions

if TYPE_CHECKING:
    from ...host.models import ModelCard, Weights
    from .roformer import RoformerOptions

__all__ = ["package_network"]

#: What the package does not know, or what is no argument.
_NOT_ITS = frozenset({"segment", "overlap", "skip_connection", "mlp_expansion_factor"})


class _Sound(nn.Module):
    """The package's network, with an axis for its stems and as many samples as came in."""

    def __init__(self, net: Any, stems: int) -> None:
        super().__init__()
        self.net, self.stems = net, stems

    def forward(self, batch: Any) -> Any:
        made = self.net(batch)
        made = made if self.stems > 1 else made[:, None]
        return pad(made, (0, batch.shape[-1] - made.shape[-1]))


def package_network(card: ModelCard, options: RoformerOptions, weights: Weights, source: str) -> Any:
    """Return a network of the installed package with its weights, on the CPU and in evaluation mode.

    Args:
        card: the model's.
        options: of the card.
        weights: the checkpoint's tensors.
        source: the checkpoint's name in error texts.

    Raises:
        CheckpointError: the weights do not fit the network that the options describe.
        ModelError: the package is not installed.
    """
    mel = isinstance(options, MelRoformerOptions)
    try:
        package = import_module("bs_roformer")
    except ImportError as error:
        remedy = "pip install 'unbraid[roformer]'"
        raise ModelError(f"{source}: needs the library bs-roformer ({error}); {remedy}") from None
    arguments = {
        name: getattr(options, name)
        for name in options.__struct_fields__
        if name not in _NOT_ITS and not (mel and name == "freqs_per_bands")
    }
    # Its own choice of fused attention prints, and warns.
    arguments |= {"stereo": card.channels == 2, "num_stems": len(card.stems), "flash_attn": False}
    if mel:
        arguments["sample_rate"] = card.rate
    kind = package.MelBandRoformer if mel else package.BSRoformer
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it measures a transform without a window
            net = kind(**arguments)
    except Exception as error:  # noqa: BLE001 - the package raises anything for arguments that do not fit
        told = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{source}: the card's options make no {kind.__name__}: {told:.160}") from None
    check_keys(net.state_dict(), weights, source, architecture=f"{card.architecture} (bs-roformer)")
    net.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return _Sound(net, len(card.stems)).eval().requires_grad_(requires_grad=False)
