"""The training loop: stops at any moment and goes on from its last checkpoint, with the same batches."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..bands import BANDS, EDGES, FRAME, RATE
from .features import features, levels
from .losses import Powers, Terms, loss_of
from .mixing import Batch, Mixer
from .network import BandNet

__all__ = ["RECIPES", "Settings", "gains_of", "train"]

_SAVE = 200  # steps between checkpoints
_LOG = 50  # steps between lines of the log


@dataclass(frozen=True)
class Settings:
    """All that decides what is learnt.

    Attributes:
        task: "denoise" or "dewind".
        steps: how many batches.
        mixtures, seconds: size of a batch.
        rate: learning rate; it rises over 200 steps, stays, and falls over the last ``cooling`` of all steps.
        seed: of weights and mixtures.
        network: arguments of `BandNet`.
        start: weights to start from, a checkpoint's path.
    """

    task: str = "denoise"
    steps: int = 11000
    mixtures: int = 8
    seconds: float = 4.0
    rate: float = 1.5e-3
    cooling: float = 0.5
    seed: int = 1
    rest: float = 0.3
    ratio: float = 0.004
    loudness: float = 0.03
    missing: float = 1.0
    network: dict[str, Any] = field(default_factory=dict)
    start: str = ""

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        rise, left = min(1.0, (step + 1) / 200), (self.steps - step) / (self.steps * self.cooling)
        return float(self.rate * rise * min(1.0, max(left, 0.0) ** 1.5 + 0.005))


#: How the weights that ship were trained, by task, in a folder. The wind filter starts from the denoiser.
RECIPES: dict[str, Callable[[Path], Settings]] = {
    "denoise": lambda _folder: Settings(),
    "dewind": lambda folder: Settings(
        "dewind", steps=3000, rate=1e-3, start=str(folder / "runs" / "denoise" / "last.pt")
    ),
}


class _Batches(Dataset[Batch]):
    """Batches by number, mixed in a process of their own."""

    def __init__(self, banks: Path, settings: Settings) -> None:
        self._banks, self._settings = banks, settings
        self._mixer: Mixer | None = None

    def __getitem__(self, number: int) -> Any:
        s = self._settings
        if self._mixer is None:
            self._mixer = Mixer(self._banks, s.task, seed=s.seed, mixtures=s.mixtures, seconds=s.seconds)
        batch = self._mixer[number]
        return batch.mixture, batch.target, batch.cross, batch.band


class _Average:
    """A moving average of the weights: what is exported."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        keep = min(0.999, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                self.weights[name].lerp_(value, 1 - keep)


def train(
    banks: Path,
    folder: Path,
    settings: Settings,
    *,
    minutes: float = math.inf,
    workers: int = 1,
    progress: Callable[[str], None] = print,
) -> bool:
    """Train until the last step, or for so many minutes; return whether it is done.

    Writes ``folder/last.pt`` (checkpoint), ``folder/log.jsonl`` and ``folder/settings.json``.

    Args:
        banks: folder of the banks.
        folder: where the run lives; with a checkpoint in it, training goes on from there.
        settings: what to learn.
        minutes: stop after so long.
        workers: processes that mix; with none, this one does.
        progress: told a line now and then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(asdict(settings), indent=1))
    torch.manual_seed(settings.seed)
    network = BandNet(**settings.network)
    optimiser = torch.optim.AdamW(network.parameters(), settings.rate, betas=(0.9, 0.99), weight_decay=0.01)
    average, step = _Average(network), 0
    if (folder / "last.pt").exists():
        step = _load(folder / "last.pt", network, optimiser, average)
    elif settings.start:
        network.load_state_dict(torch.load(settings.start, weights_only=True)["average"])
        average = _Average(network)
    progress(f"{sum(p.numel() for p in network.parameters())} parameters, step {step} of {settings.steps}")
    loader: Any = DataLoader(
        _Batches(banks, settings),
        batch_size=None,
        sampler=range(step, settings.steps),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    begin, heard = time.monotonic(), []
    for parts in loader:
        heard.append(_step(network, optimiser, settings, step, parts))
        average.update(network, step)
        step += 1
        if step % _LOG == 0:
            _note(folder, step, time.monotonic() - begin, heard, progress)
            heard = []
        over = time.monotonic() - begin > 60 * minutes
        if step % _SAVE == 0 or step == settings.steps or over:
            _save(folder / "last.pt", network, optimiser, average, step, settings)
        if over:
            break
    return step >= settings.steps


def _step(
    network: nn.Module, optimiser: Any, settings: Settings, step: int, parts: list[Tensor]
) -> list[float]:
    """Learn from one batch; return what its loss was made of."""
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_at(step)
    mixture, target, cross, band = parts
    gains = gains_of(network, mixture.numpy(), step)
    frames = gains.shape[1]
    weights = (_TOPS[None] <= band[:, None] + 200).float()[:, None]
    powers = Powers(mixture[:, :frames], target[:, :frames], cross[:, :frames], weights)
    terms = loss_of(
        gains,
        powers,
        rest=settings.rest,
        ratio=settings.ratio,
        loudness=settings.loudness,
        missing=settings.missing,
    )
    optimiser.zero_grad(set_to_none=True)
    terms.loss.backward()  # type: ignore[no-untyped-call]
    size = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    if torch.isfinite(size):
        optimiser.step()
    return _values(terms)


_TOPS = torch.tensor([edge * RATE / FRAME for edge in EDGES[1:]])


def gains_of(network: nn.Module, mixture: Any, step: int) -> Tensor:
    """Return gains of powers ``[mixtures, frames, bands]``, of every frame but the last.

    A stream asks for a decision with its first frame already, on the empty one before it. The recurrences
    remember it for long, so the network has to learn with it.
    """
    gains: Tensor = network(_inputs_of(mixture, step))[:, 1:]
    return gains


def _inputs_of(mixture: Any, step: int) -> Tensor:
    """Return features, two empty frames before them; every second mixture starts with its means known."""
    start = np.full((len(mixture), BANDS), -60, np.float32)
    start[step % 2 :: 2] = levels(mixture[step % 2 :: 2, :100]).mean(axis=1)
    heard = features(mixture, start)
    return torch.from_numpy(np.concatenate([np.zeros_like(heard[:, :2]), heard], axis=1))


def _values(terms: Terms) -> list[float]:
    parts = terms.loss, terms.target, terms.rest, terms.heard, terms.ratio, terms.gained
    return [float(part.detach()) for part in parts]


def _note(
    folder: Path, step: int, seconds: float, heard: list[list[float]], progress: Callable[[str], None]
) -> None:
    means = [round(float(value), 4) for value in np.mean(heard, axis=0)]
    names = ("loss", "target", "rest", "heard", "ratio_db", "gained_db")
    with (folder / "log.jsonl").open("a") as log:
        log.write(
            json.dumps({"step": step, "seconds": round(seconds), **dict(zip(names, means, strict=True))})
            + "\n"
        )
    progress(
        f"step {step}, {seconds:.0f} s: " + ", ".join(f"{n} {v}" for n, v in zip(names, means, strict=True))
    )


def _save(
    path: Path, network: nn.Module, optimiser: Any, average: _Average, step: int, settings: Settings
) -> None:
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.weights,
        "step": step,
        "settings": asdict(settings),
    }
    aside = path.with_suffix(".part")
    torch.save(state, aside)
    aside.replace(path)


def _load(path: Path, network: nn.Module, optimiser: Any, average: _Average) -> int:
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.weights = state["average"]
    return int(state["step"])
