"""The signals that plugins are fed: the same for every run, different in every channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..contract.audio import Layout
    from ..contract.processor import Array

__all__ = ["Programme", "difference", "filled", "impulse", "noise", "silence", "sine"]


@dataclass(frozen=True)
class Programme:
    """A stretch of sound for every input of a plugin: float32 ``[channels, samples]`` by port."""

    samples: int
    ports: Mapping[str, Array]

    def then(self, other: Programme) -> Programme:
        """Return this programme with another after it."""
        joined = {
            name: np.concatenate([data, other.ports[name]], axis=1) for name, data in self.ports.items()
        }
        return Programme(self.samples + other.samples, joined)


def filled(inputs: Mapping[str, Layout], samples: int, make: Callable[[int], Array]) -> Programme:
    """Return a programme whose ports hold ``make(channels)``, float32 ``[channels, samples]``.

    Where an input is a scene, its objects stay where they are.
    """
    return Programme(
        samples, {name: _placed(layout, make(layout.channels)) for name, layout in inputs.items()}
    )


def _placed(layout: Layout, data: Array) -> Array:
    """Return channels in which the objects of a scene, if it is one, have places."""
    if layout.scene is not None:
        for number, row in enumerate(layout.scene.object_rows):
            data[row + 1 : row + 5] = np.array([[20.0 * number], [0.0], [1.0], [0.0]])
    return data


def noise(inputs: Mapping[str, Layout], samples: int, seed: int = 1) -> Programme:
    """Return bursts of white noise over a quiet floor, at most 0.9, with tones; no two channels alike."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)

    def make(channels: int) -> Array:
        envelope = 0.02 + 0.18 * np.sin(time * (2 * np.pi / 9973)) ** 2
        tones = [0.05 * np.sin(time * (0.011 + 0.003 * c) + c) for c in range(channels)]
        found = rng.standard_normal((channels, samples)) * envelope + np.array(tones)
        return np.asarray(np.clip(found, -0.9, 0.9), np.float32)

    return filled(inputs, samples, make)


def silence(inputs: Mapping[str, Layout], samples: int) -> Programme:
    """Return digital silence."""
    return filled(inputs, samples, lambda channels: np.zeros((channels, samples), np.float32))


def impulse(inputs: Mapping[str, Layout], port: str, at: int, samples: int) -> Programme:
    """Return silence with one sample of 0.5 in every channel of one port that is sound."""
    programme = silence(inputs, samples)
    programme.ports[port][inputs[port].sound, at] = 0.5
    return programme


def sine(inputs: Mapping[str, Layout], samples: int, hertz: float, rate: int, level: float) -> Programme:
    """Return the same sine in every channel."""
    wave = (level * np.sin(2 * np.pi * hertz / rate * np.arange(samples))).astype(np.float32)
    return filled(inputs, samples, lambda channels: np.tile(wave, (channels, 1)))


def difference(found: Mapping[str, Array], wanted: Mapping[str, Array], tolerance: float = 0.0) -> str | None:
    """Return where two runs part, in words, or None when they do not.

    Args:
        found: the outputs of one run, by port.
        wanted: the outputs of the run that is taken for right.
        tolerance: allowed difference as a share of the wanted output's peak; 0 asks for the same bits.
    """
    for name, right in wanted.items():
        given = found[name]
        if tolerance:
            close = np.abs(given - right) <= tolerance * np.abs(right).max(initial=0)
            wrong = ~(close | (np.isnan(given) & np.isnan(right)))
        else:
            wrong = given.view(np.uint32) != right.view(np.uint32)
        if wrong.any():
            return _told(name, given, right, wrong)
    return None


def _told(name: str, given: Array, right: Array, wrong: Iterable[object]) -> str:
    bad = np.asarray(wrong)
    sample = int(bad.any(axis=0).argmax())
    channel = int(bad[:, sample].argmax())
    with np.errstate(all="ignore"):
        largest = float(np.nanmax(np.abs(given.astype(np.float64) - right), initial=0.0))
    return (
        f"output {name!r} differs first at sample {sample}, channel {channel + 1}: "
        f"{given[channel, sample]:.9g} against {right[channel, sample]:.9g}; by at most {largest:.3g}"
    )
