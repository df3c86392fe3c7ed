"""From a checkpoint to what ships: averaged weights as safetensors, with their recipe in the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .network import BandNet

__all__ = ["export", "network_of"]


def network_of(checkpoint: Path) -> tuple[BandNet, dict[str, Any]]:
    """Return the averaged network of a checkpoint, ready to run, and the settings it was trained with."""
    state = torch.load(checkpoint, weights_only=True)
    network = BandNet(**state["settings"]["network"])
    network.load_state_dict(state["average"])
    return network.eval(), {**state["settings"], "step": state["step"]}


def export(checkpoint: Path, target: Path) -> None:
    """Write the weights of a checkpoint; ``target`` appears when it is whole.

    Args:
        checkpoint: a run's ``last.pt``.
        target: a ``.safetensors`` path.
    """
    network, settings = network_of(checkpoint)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    aside = target.with_suffix(".part")
    keep = ("task", "step", "steps", "mixtures", "seconds", "rate", "seed", "rest", "ratio", "network")
    save_file(weights, aside, {"recipe": json.dumps({name: settings[name] for name in keep})})
    aside.chmod(0o644)  # the library writes files for their owner alone
    aside.rename(target)
