"""The binaural preview: what is on the left is louder and earlier in the left ear, by any SOFA head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_rig import RATE, ambience, level, panned, voice

from unbraid import Graph, process
from unbraid.host.contract import PluginError, UnbraidError
from unbraid.kernels.convolution import BlockConvolution
from unbraid.kernels.errors import KernelError
from unbraid.plugins.spatial.hrtf import read_hrtf

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head that is a sphere of two ears: the far ear hears later, and half as much."""
    sofar = pytest.importorskip("sofar", reason="SOFA files need sofar: pip install 'unbraid[binaural]'")
    made = sofar.Sofa("SimpleFreeFieldHRIR")
    angles = [(a, e) for e in (-30, 0, 30) for a in range(0, 360, 15)]
    responses = np.zeros((len(angles), 2, 128))
    for row, (azimuth, elevation) in enumerate(angles):
        side = np.sin(np.radians(azimuth)) * np.cos(np.radians(elevation))
        for ear, sign in enumerate((1, -1)):
            responses[row, ear, round(40 - 15 * sign * side)] = 0.75 + 0.25 * sign * side
    made.Data_IR, made.Data_SamplingRate = responses, 44100
    made.SourcePosition = np.array([(a, e, 1.2) for a, e in angles], float)
    path = tmp_path_factory.mktemp("head") / "head.sofa"
    sofar.write_sofa(str(path), made)
    return path


def heard(mix: Array, head: Path | str, rate: int = RATE, blocks: list[int] | None = None) -> Array:
    graph = Graph()
    scene = graph.node("upmix", "upmix", graph.input("mix", "stereo"))
    graph.output("ears", graph.node("ears", "binaural", scene, hrtf=str(head)))
    return process(graph, mix.astype(np.float32), rate=rate, blocks=blocks)["ears"]


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_what_is_on_the_left_is_louder_and_earlier_in_the_left_ear(head: Path, rate: int) -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal(2 * rate)
    left, right = heard(panned(noise, 30), head, rate)
    assert level(left[None]) > level(right[None]) + 1
    size = 1 << 19
    alike = np.fft.irfft(np.fft.rfft(right, size) * np.fft.rfft(left, size).conj())
    lag = int(np.argmax(np.concatenate([alike[-rate // 500 :], alike[: rate // 500]]))) - rate // 500
    assert abs(lag - 15 * rate / 44100) <= 3


@pytest.mark.parametrize("azimuth", [30, -30])
def test_a_sphere_is_the_head_where_none_is_given(azimuth: float) -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal(2 * RATE)
    near, far = heard(panned(noise, azimuth), "")[:: 1 if azimuth > 0 else -1]
    assert 1 < level(near[None]) - level(far[None]) < 15
    alike = np.fft.irfft(np.fft.rfft(far, 1 << 18) * np.fft.rfft(near, 1 << 18).conj())
    # Woodworth: the radius of a head times (angle + its sine), over the speed of sound.
    wanted = 0.0875 / 343 * (np.radians(30) + np.sin(np.radians(30))) * RATE
    assert abs(int(np.argmax(alike[:100])) - wanted) <= 3


def test_both_ears_hear_the_front_alike(head: Path) -> None:
    left, right = heard(panned(voice(2.0, 1), 0), head)
    assert level((left - right)[None]) < level(left[None]) - 60


def test_it_is_about_as_loud_as_it_came(head: Path) -> None:
    mix = panned(voice(3.0, 2), 10) + ambience(3.0, 0.005)
    assert abs(level(heard(mix, head)) - level(mix)) < 3


def test_blocks_of_any_length_give_the_same_bits(head: Path) -> None:
    mix = panned(voice(0.5, 2), 10)
    whole = heard(mix, head)
    for block in (7, 512, 5000):
        assert np.array_equal(heard(mix, head, blocks=[block] * (mix.shape[1] // block + 1)), whole)


@pytest.mark.parametrize(
    ("name", "said"), [("none.sofa", "there is no such file"), ("text.sofa", "is no SOFA file")]
)
def test_a_file_that_is_no_head_says_so(name: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip("sofar", reason="SOFA files need sofar: pip install 'unbraid[binaural]'")
    (tmp_path / "text.sofa").write_text("no")
    with pytest.raises(UnbraidError, match=said):
        read_hrtf(str(tmp_path / name), [(0, 0)], RATE)


def test_without_sofar_the_remedy_is_told(head: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sofar", None)
    with pytest.raises(PluginError, match=r"unbraid\[binaural\]"):
        read_hrtf(str(head), [(0, 0)], RATE)


def test_block_convolution_is_convolution() -> None:
    random = np.random.default_rng(0)
    filters, x = random.standard_normal((3, 2, 300)), random.standard_normal((3, 5000)).astype(np.float32)
    out = np.empty((2, 5000), np.float32)
    ears = BlockConvolution(filters, 256)
    ears.process(x, out)
    for o in range(2):
        exact = sum(np.convolve(x[i].astype(float), filters[i, o]) for i in range(3))
        assert np.abs(out[o, 256:] - np.asarray(exact)[: 5000 - 256]).max() <= 1e-4
    ears.reset()
    again = np.empty_like(out)
    ears.process(x, again)
    assert np.array_equal(again, out)


def test_filters_must_be_of_inputs_outputs_and_taps() -> None:
    with pytest.raises(KernelError, match=r"\[inputs, outputs, taps\]"):
        BlockConvolution(np.zeros((2, 3)))
