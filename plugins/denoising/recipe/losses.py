"""What training makes small: compressed spectra of target and rest, and the error's energy.

All of it is told by powers in bands (see `mixing.Batch`), as a gain g turns the powers X of the mixture, S of
the target and their cross power P into those of the estimate: ``|gX|^2 = g^2 X``, ``Re(gX S*) = g P``,
``|gX - S|^2 = g^2 X - 2 g P + S``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .loudness import disturbance

__all__ = ["Powers", "Terms", "combined", "loss_of"]

_COMPRESSION = (
    0.3  # of magnitudes, as loudness grows (Ephrat et al., ACM TOG 37, 2018; Braun and Tashev, 2020)
)
_TINY = 1e-8
_CEILING = 1e-3  # of the target's energy: more than 30 dB of signal to error is no gain


@dataclass(frozen=True)
class Powers:
    """Powers of mixtures in bands and the bands that count, ``[mixtures, frames or 1, bands]``."""

    mixture: Tensor
    target: Tensor
    cross: Tensor
    weights: Tensor

    def normal(self) -> Powers:
        """Return the same, each mixture at a mean power of one."""
        scale = 1 / (self.mixture.mean((1, 2), keepdim=True) + 1e-9)
        return Powers(self.mixture * scale, self.target * scale, self.cross * scale, self.weights)


@dataclass(frozen=True)
class Terms:
    """The parts of a loss, and how many dB the error lies below the target more than it did before."""

    loss: Tensor
    target: Tensor
    rest: Tensor
    heard: Tensor
    ratio: Tensor
    gained: Tensor


def loss_of(
    gains: Tensor,
    powers: Powers,
    *,
    rest: float = 0.3,
    ratio: float = 0.004,
    loudness: float = 0.03,
    missing: float = 1.0,
) -> Terms:
    """Return the loss of gains ``[mixtures, frames, 2, bands]`` for target and rest.

    What is applied is the mean of the first gain and of what the second leaves (`combined`); each is also
    held to its own task, without which they would say the same.

    Args:
        gains: 0 to 1.
        powers: of as many frames.
        rest: weight of each gain's own task.
        ratio: weight of each dB of signal to error.
        loudness: weight of each point of the disturbance that a listener hears.
        missing: weight of what the estimate lacks, beyond the spectral distance: speech that is gone is a
            worse error than noise that stays.
    """
    p = powers.normal()
    other = (p.mixture + p.target - 2 * p.cross).clamp_min(0)
    applied = combined(gains)
    target = _spectral(applied, p.mixture, p.target, p.cross, p.weights)
    first = _spectral(gains[:, :, 0], p.mixture, p.target, p.cross, p.weights)
    second = _spectral(gains[:, :, 1], p.mixture, other, p.mixture - p.cross, p.weights)
    decibels, gained = _signal_to_error(applied, p)
    lost = _disturbance(applied, p)
    lacking = _missing(applied, p)
    loss = target + rest * (first + second) - ratio * decibels + loudness * lost + missing * lacking
    return Terms(loss, target, second, lost, decibels, gained.detach())


def combined(gains: Tensor) -> Tensor:
    """Return the gains that are applied, ``[mixtures, frames, bands]``, of those for target and rest."""
    return 0.5 * (gains[:, :, 0] + 1 - gains[:, :, 1])


def _spectral(gain: Tensor, mixture: Tensor, wanted: Tensor, cross: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared distance of compressed spectra, half with phases and half without."""
    estimate = (gain + 1e-4) ** _COMPRESSION * (mixture + _TINY) ** (_COMPRESSION / 2)
    reference = (wanted + _TINY) ** (_COMPRESSION / 2)
    coherence = (cross / torch.sqrt((mixture + _TINY) * (wanted + _TINY))).clamp(-1, 1)
    # The half with phases: |a|^2 + |b|^2 - 2 |a| |b| cos; the half without: the same with cos = 1.
    squares = estimate**2 + reference**2 - (1 + coherence) * estimate * reference
    return (squares * weights).mean()


def _missing(gain: Tensor, p: Powers) -> Tensor:
    """Return the mean squared lack of compressed magnitude."""
    estimate = (gain + 1e-4) ** _COMPRESSION * (p.mixture + _TINY) ** (_COMPRESSION / 2)
    lack = ((p.target + _TINY) ** (_COMPRESSION / 2) - estimate).clamp_min(0)
    return (lack**2 * p.weights).mean()


def _with_target(p: Powers) -> Tensor:
    """Return which mixtures hold a target, ``[mixtures]``."""
    return (p.target * p.weights).sum((1, 2)) > 1e-4 * (p.mixture * p.weights).sum((1, 2))


def _disturbance(gain: Tensor, p: Powers) -> Tensor:
    """Return the mean disturbance where there is a target."""
    there = _with_target(p)
    if not there.any():
        return gain.new_zeros(())
    return disturbance(gain[there], p.mixture[there], p.target[there], p.weights[there]).mean()


def _signal_to_error(gain: Tensor, p: Powers) -> tuple[Tensor, Tensor]:
    """Return the mean signal-to-error ratio in dB where there is a target, and what it gained."""
    signal = (p.target * p.weights).sum((1, 2))
    error = ((p.target - 2 * gain * p.cross + gain * gain * p.mixture) * p.weights).sum((1, 2))
    before = ((p.target - 2 * p.cross + p.mixture) * p.weights).sum((1, 2))
    heard = _with_target(p).float()
    count = heard.sum().clamp_min(1)
    floor = _CEILING * signal + 1e-6
    ratio = 10 * torch.log10((signal + 1e-6) / (error + floor))
    gained = ratio - 10 * torch.log10((signal + 1e-6) / (before.clamp_min(0) + floor))
    return (ratio * heard).sum() / count, (gained * heard).sum() / count
