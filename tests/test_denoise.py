"""What `denoise` and `wind` promise, whatever the model: sums, alignment, controls, no harm done."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import soxr

from unbraid.host import Graph, GraphError, process
from unbraid.host.contract import Layout, Spec
from unbraid.host.measures import si_sdr
from unbraid.host.models import load_tensors, model_card
from unbraid.kernels.errors import KernelError
from unbraid.plugins.denoise import DenoiseParams
from unbraid.plugins.denoising.band_network import band_network
from unbraid.plugins.denoising.bands import BANDS
from unbraid.plugins.denoising.choice import denoiser, shipped, wind_filter
from unbraid.plugins.denoising.recipe.gusts import simulate_wind
from unbraid.plugins.wind import WindParams

if TYPE_CHECKING:
    from pathlib import Path

RATE = 48000
BOTH = [("denoise", "speech", "noise"), ("wind", "clean", "wind")]
MODELS = [(plugin, model) for plugin in ("denoise", "wind") for model in ("default", "classical")]
STEMS = {plugin: (kept, taken) for plugin, kept, taken in BOTH}
PARAMS: dict[str, Any] = {"denoise": (DenoiseParams, denoiser), "wind": (WindParams, wind_filter)}


def run(plugin: str, x: Any, rate: int = RATE, blocks: list[int] | None = None, **params: Any) -> Any:
    graph = Graph()
    node = graph.node("filter", plugin, graph.input("mix", None), **params)
    for stem in STEMS[plugin]:
        graph.output(stem, node[stem])
    stems = process(graph, x, rate=rate, blocks=blocks)
    return tuple(stems[name] for name in STEMS[plugin])


def decibels(x: Any) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-30))


def closeness(reference: Any, estimate: Any) -> float:
    """Return the SI-SDR in dB."""
    value = si_sdr(reference, estimate).value
    assert value is not None
    return value


def hiss(seconds: float, level: float = -35, seed: int = 0, channels: int = 1, rate: int = RATE) -> Any:
    noise = np.random.default_rng(seed).standard_normal((channels, int(seconds * rate)))
    return (10 ** (level / 20) * noise).astype(np.float32)


@pytest.fixture(scope="module")
def talk() -> Any:
    """Somebody who speaks in a quiet room (package auditok), 48 kHz mono, at -26 dBFS."""
    try:
        files = distribution("auditok").files or []
    except PackageNotFoundError:
        pytest.skip("auditok is not installed: pip install '.[test]'")
    (found,) = (file for file in files if file.name.startswith("was_der_mensch"))
    x, rate = soundfile.read(found.locate(), dtype="float32", always_2d=True)
    speaks = x[round(7.4 * rate) : round(13.4 * rate), 0]  # before, nobody does
    mono = np.fft.rfft(soxr.resample(speaks, rate, RATE))
    mono[np.fft.rfftfreq(6 * RATE, 1 / RATE) < 80] = 0  # the room's rumble, which nobody would miss
    mono = np.fft.irfft(mono)[None].astype(np.float32)
    return mono * np.float32(10 ** ((-26 - decibels(mono)) / 20))


# What is kept and what is taken


@pytest.mark.parametrize(("plugin", "model"), MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_both_stems_sum_to_the_input(plugin: str, model: str, channels: int) -> None:
    x = hiss(1.5, channels=channels)
    kept, taken = run(plugin, x, model=model)
    assert decibels(kept.astype(np.float64) + taken - x) < decibels(x) - 140


@pytest.mark.parametrize(("plugin", "model"), MODELS)
@pytest.mark.parametrize("blocks", [[480], [1, 479, 481, 7], [37], [65536]])
def test_cuts_do_not_change_a_bit(plugin: str, model: str, blocks: list[int]) -> None:
    x = hiss(0.8, channels=2)
    cuts, k = list[int](), 0
    while sum(cuts) < x.shape[1]:
        cuts.append(min(blocks[k % len(blocks)], x.shape[1] - sum(cuts)))
        k += 1
    for whole, cut in zip(run(plugin, x, model=model), run(plugin, x, model=model, blocks=cuts), strict=True):
        np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("level", [-15, -30, -45])
def test_steady_noise_alone_falls_by_twenty_decibels(level: float) -> None:
    x = hiss(4, level)
    for model in ("default", "classical"):
        speech, _ = run("denoise", x, model=model)
        assert decibels(speech[:, RATE:]) < decibels(x) - 20, model


@pytest.mark.parametrize("plugin", ["denoise", "wind"])
def test_a_voice_in_a_quiet_room_passes(plugin: str, talk: Any) -> None:
    kept, _ = run(plugin, talk)
    assert closeness(talk, kept) > 15


@pytest.mark.parametrize("model", ["default", "classical"])
@pytest.mark.parametrize("snr", [0, 6])
def test_a_voice_in_noise_gains(model: str, snr: float, talk: Any) -> None:
    noisy = talk + hiss(talk.shape[1] / RATE, -26 - snr)
    speech, _ = run("denoise", noisy, model=model)
    gained = closeness(talk, speech) - closeness(talk, noisy)
    assert gained > {"default": 5, "classical": 2}[model]


@pytest.mark.parametrize("model", ["default", "classical"])
def test_a_voice_in_wind_gains(model: str, talk: Any) -> None:
    gale = simulate_wind(talk.shape[1], seed=3, speed=7)[None]
    windy = talk + gale * np.float32(10 ** ((-26 - decibels(gale)) / 20))
    clean, _ = run("wind", windy, model=model)
    gained = closeness(talk, clean) - closeness(talk, windy)
    assert gained > {"default": 4, "classical": 2}[model]


# Controls


@pytest.mark.parametrize(("plugin", "model"), MODELS)
@pytest.mark.parametrize("idle", [{"strength": 0.0}, {"limit": 0.0}])
def test_no_strength_or_no_limit_passes_everything(plugin: str, model: str, idle: dict[str, Any]) -> None:
    x = hiss(1)
    kept, taken = run(plugin, x, model=model, **idle)
    assert decibels(kept - x) < decibels(x) - 120
    assert decibels(taken) < decibels(x) - 120


@pytest.mark.parametrize(("plugin", "model"), MODELS)
@pytest.mark.parametrize("limit", [3.0, 10.0])
def test_nothing_falls_by_more_than_the_limit(plugin: str, model: str, limit: float) -> None:
    x = simulate_wind(2 * RATE, seed=1)[None]
    kept, _ = run(plugin, x, model=model, limit=limit)
    assert -limit - 0.3 < decibels(kept[:, RATE:]) - decibels(x[:, RATE:]) < -0.6 * limit


@pytest.mark.parametrize("model", ["default", "classical"])
def test_presets_go_further_one_by_one(model: str) -> None:
    x = hiss(3)
    levels = [
        decibels(run("denoise", x, model=model, preset=preset)[0][:, RATE:])
        for preset in ("speech-safe", "balanced", "aggressive")
    ]
    assert levels[0] > levels[1] + 3
    assert levels[1] >= levels[2]


@pytest.mark.parametrize("model", ["default", "classical"])
def test_a_step_of_strength_makes_no_click(model: str) -> None:
    """A click is broad: above 8 kHz, where a low tone has nothing, there must be next to nothing."""
    t = np.arange(2 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 150 * t))[None].astype(np.float32)
    graph = Graph()
    node = graph.node("filter", "denoise", graph.input("mix", None), model=model)
    graph.output("speech", node["speech"])
    graph.automate("filter", "strength", [("00:00:00.900", 0.0), ("00:00:01.100", 1.0)])
    done = process(graph, tone, rate=RATE)["speech"][0]
    high = np.fft.irfft(np.fft.rfft(done) * (np.fft.rfftfreq(len(done), 1 / RATE) > 8000))
    around = high[int(0.85 * RATE) : int(1.15 * RATE)]
    assert np.abs(around).max() < 0.3 * 10 ** (-70 / 20)
    assert decibels(done[RATE - 2000 : RATE]) > decibels(done[-9600:]) + 3  # it did something


# No harm from any sample, layout or rate


def evils() -> dict[str, Any]:
    n, random = RATE // 2, np.random.default_rng(0)
    t = np.arange(n) / RATE
    return {
        "silence": np.zeros(n),
        "direct current": np.full(n, 0.9),
        "square at full scale": np.sign(np.sin(2 * np.pi * 100 * t)),
        "clipped noise": np.clip(20 * random.standard_normal(n), -1, 1),
        "far too loud": 1e6 * random.standard_normal(n),
        "absurd": 1e18 * random.standard_normal(n),
        "denormals": np.full(n, 1e-41),
        "one click": np.eye(1, n, 1000)[0],
    }


@pytest.mark.parametrize("evil", sorted(evils()))
@pytest.mark.parametrize(("plugin", "model"), MODELS)
def test_it_stays_finite_and_bounded_and_recovers_within_a_second(
    plugin: str, model: str, evil: str, talk: Any
) -> None:
    bad = evils()[evil].astype(np.float32)[None]
    speech = talk[:, : 3 * RATE] + hiss(3, -50)
    kept, taken = run(plugin, np.concatenate([bad, speech], axis=1), model=model)
    assert np.isfinite(kept).all()
    assert np.isfinite(taken).all()
    assert np.abs(kept).max() <= 4 * max(np.abs(bad).max(), np.abs(speech).max())
    after = slice(bad.shape[1] + RATE, None)
    fresh, _ = run(plugin, speech, model=model)
    heard, undisturbed = kept[:, after], fresh[:, RATE:]
    # What came before colours the sum by rounding errors of its size, and the gains by what is remembered.
    if np.abs(bad).max() < 1e3:
        assert closeness(undisturbed, heard) > 10


@pytest.mark.parametrize("channels", [2, 6, 16, 20])
@pytest.mark.parametrize(("plugin", "model"), MODELS)
def test_each_of_many_channels_stands_alone(plugin: str, model: str, channels: int) -> None:
    x = np.concatenate([hiss(0.5, -30 - k, seed=k) for k in range(channels)])
    kept, _ = run(plugin, x, model=model)
    assert kept.shape == x.shape
    alone, _ = run(plugin, x[-1:].copy(), model=model)
    if (plugin, model) != ("wind", "classical"):  # which hears how channels belong together
        np.testing.assert_allclose(kept[-1:], alone, atol=2e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 96000, 192000])
@pytest.mark.parametrize(("plugin", "model"), MODELS)
def test_every_rate_keeps_length_and_place(plugin: str, model: str, rate: int, talk: Any) -> None:
    x = np.ascontiguousarray(soxr.resample(talk[0, : 2 * RATE], RATE, rate)[None], dtype=np.float32)
    kept, _ = run(plugin, x, rate=rate, model=model)
    assert kept.shape == x.shape
    lag = int(np.argmax(np.correlate(kept[0], x[0, rate // 10 : -rate // 10], "valid"))) - rate // 10
    assert abs(lag) <= max(1, rate // 16000)
    assert closeness(x, kept) > 10


@pytest.mark.parametrize("plugin", ["denoise", "wind"])
def test_the_learnt_model_is_thirty_milliseconds_late_at_most(plugin: str) -> None:
    params, factory = PARAMS[plugin]
    mono = Layout.parse("mono")
    node = factory(params())
    node.prepare(Spec(RATE, 480, {"in": mono}, {STEMS[plugin][0]: mono}))
    assert node.latency <= 0.030 * RATE
    node.release()


# The network


@pytest.mark.parametrize("task", ["denoise", "dewind"])
def test_the_shipped_weights_on_kernels_are_the_torch_graph(task: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with torch: pip install 'unbraid[train]'")
    from unbraid.plugins.denoising.recipe.network import BandNet

    weights = load_tensors(shipped(task)[1], "safetensors")
    graph = BandNet(
        channels=(len(weights["encode1.bias"]), len(weights["encode2.bias"]), len(weights["encode3.bias"])),
        hidden=len(weights["between.bias"]),
    )
    graph.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    x = np.random.default_rng(0).normal(0, 1, (2, 120, BANDS, 2)).astype(np.float32)
    ours = band_network(weights, 2).run(x.reshape(2, 120, 2 * BANDS)).reshape(2, 120, BANDS, -1)
    # A stream begins with what the convolution over three frames hears of nothing.
    padded = np.concatenate([np.zeros((2, 2, 2, BANDS), np.float32), x.transpose(0, 1, 3, 2)], axis=1)
    with torch.no_grad():
        theirs = graph(torch.from_numpy(padded)).numpy()
    np.testing.assert_allclose(ours.transpose(0, 1, 3, 2), theirs, atol=1e-5)


@pytest.mark.parametrize("model", ["unbraid-denoise", "unbraid-wind"])
def test_the_cards_say_what_the_weights_are(model: str) -> None:
    card = model_card(model)
    (file,) = card.files
    path = shipped("denoise" if model == "unbraid-denoise" else "dewind")[1]
    assert (path.stat().st_size, sha256(path.read_bytes()).hexdigest()) == (file.size, file.sha256)
    assert card.architecture == "band-gains"
    assert 50_000 <= sum(value.size for value in load_tensors(path, "safetensors").values()) <= 500_000


def test_weights_of_another_network_are_refused_by_name() -> None:
    with pytest.raises(KernelError, match=r"the weights lack 'encode1.weight'"):
        band_network({"decoder.weight": np.ones((2, 2), np.float32)}, 1)


@pytest.mark.parametrize(
    ("plugin", "model", "says"),
    [
        ("denoise", "defualt", "default, classical, deepfilternet3, rnnoise"),
        ("wind", "rnnoise", "band-gains with clean, wind"),
        ("wind", "unbraid-denoise", "band-gains with clean, wind"),
        ("denoise", "spleeter-2stems", "band-gains with speech, noise"),
    ],
)
def test_a_model_that_does_not_suit_is_refused_before_anything_runs(
    plugin: str, model: str, says: str
) -> None:
    with pytest.raises(GraphError, match=says):
        run(plugin, hiss(0.1), model=model)


def test_weights_of_your_own_run_by_the_id_of_their_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbraid: Any
) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    source = shipped("denoise")[1]
    card = source.with_suffix(".yaml").read_text().replace("id: unbraid-denoise", "id: mine")
    card = re.sub(r"\n    package: .*", "", card)
    (tmp_path / "mine.yaml").write_text(card)
    shutil.copy(source, tmp_path / source.name)
    done = unbraid("models", "import", str(tmp_path / source.name), "--card", str(tmp_path / "mine.yaml"))
    assert done.code == 0, done.err
    x = hiss(0.5)
    for ours, theirs in zip(run("denoise", x, model="mine"), run("denoise", x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
