"""Scenes whose truth is known: voices that stand or move between two loudspeakers, in ambience."""

from __future__ import annotations

from typing import Any

import numpy as np

from unbraid import Graph, process
from unbraid.host.contract import Layout
from unbraid.kernels.scene_render import SceneRender

__all__ = ["RATE", "ambience", "azimuth_of", "level", "panned", "render", "scene_of", "voice"]

Array = np.ndarray[Any, Any]
RATE = 48000
_ROLES = {name: Layout.parse(name).roles for name in ("stereo", "5.1", "7.1.2", "7.1.4")}


def voice(seconds: float, seed: int = 0, rate: int = RATE) -> Array:
    """Sound that comes and goes in syllables and pauses; its spectrum falls and its pitch moves."""
    random, n = np.random.default_rng(seed), int(seconds * rate)
    steps = np.arange(0, n + 4800, 4800)
    pitch = 110 * 2 ** np.interp(np.arange(n), steps, random.uniform(0, 1, len(steps)))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tones = sum(np.sin(k * phase + random.uniform(0, 6)) / k for k in range(1, 25))
    hiss = np.fft.irfft(np.fft.rfft(random.standard_normal(n)) / (1 + np.arange(n // 2 + 1) / (n / 30)), n)
    step = rate // 6
    count = n // step + 2
    loud = random.uniform(0.2, 1, count) * (random.uniform(size=count) > 0.25)
    swell = np.interp(np.arange(n), np.arange(count) * step, loud)
    mixed = swell * (tones / np.std(tones) + 0.5 * hiss / np.std(hiss))
    return np.asarray(0.1 * mixed / np.sqrt(np.mean(mixed**2)))


def panned(x: Array, azimuth: Array | float) -> Array:
    """Stand between the loudspeakers at plus and minus 30 degrees, by the tangent law at unit power."""
    position = -np.tan(np.radians(np.broadcast_to(azimuth, x.shape))) / np.tan(np.radians(30))
    left, right = 1 - position, 1 + position
    size = np.hypot(left, right)
    return np.stack([left / size * x, right / size * x])


def ambience(seconds: float, power: float, seed: int = 9, rate: int = RATE) -> Array:
    """Noise of this power in both channels together, which have nothing in common."""
    n = int(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal((2, n))
    X = np.fft.rfft(noise) / np.sqrt(1 + (np.arange(n // 2 + 1) / (n / 40)) ** 2)
    x = np.fft.irfft(X, n)
    return np.asarray(x * np.sqrt(power / 2) / np.sqrt(np.mean(x**2)))


def scene_of(stems: dict[str, Array], rate: int = RATE, **params: Any) -> tuple[Array, Layout]:
    """Run the plugin over stems; return the scene's stream and what its channels are."""
    from unbraid.plugins.upmix import UpmixParams, shape_of

    graph = Graph()
    names = [*stems]
    layouts = {name: {1: "mono", 2: "stereo"}[len(x)] for name, x in stems.items()}
    node = graph.node(
        "upmix", "upmix", *(graph.input(name, layouts[name]) for name in names), stems=names, **params
    )
    graph.output("scene", node)
    out = process(graph, {name: np.asarray(x, np.float32) for name, x in stems.items()}, rate=rate)
    shape = shape_of(
        UpmixParams(stems=tuple(names), **params),
        {name: Layout.parse(each) for name, each in layouts.items()},
    )
    return out["scene"], Layout.of_scene(shape)


def render(stream: Array, layout: Layout, to: str, rate: int = RATE) -> Array:
    """Render a scene's stream to loudspeakers."""
    shape = layout.scene
    assert shape is not None
    beds = [Layout.parse(bed.layout).roles for bed in shape.beds]
    found = SceneRender(beds, len(shape.objects), shape.ramp(rate), _ROLES[to]).process(stream)
    return np.asarray(found, np.float64)


def azimuth_of(stream: Array, layout: Layout, hop: int = 480) -> tuple[Array, Array]:
    """Return each object's azimuth and power by hop, ``[objects, hops]``."""
    shape = layout.scene
    assert shape is not None
    rows = list(shape.object_rows)
    n = stream.shape[1] // hop * hop
    azimuth = stream[[row + 1 for row in rows], :n:hop]
    power = np.square(stream[rows, :n].reshape(len(rows), -1, hop)).mean(axis=2)
    return azimuth, power


def level(x: Array) -> float:
    """Return the power of all channels together in dB."""
    return float(10 * np.log10(np.square(x, dtype=np.float64).mean(axis=-1).sum() + 1e-30))
