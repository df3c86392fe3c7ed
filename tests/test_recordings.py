"""Real recordings through the ready-made wind filter: what comes out is the recording, taken apart.

The recordings are found in packages that are installed for it but never imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from unbraid import render
from unbraid.host import RenderOptions

if TYPE_CHECKING:
    from unbraid.host.registry import Registry

Array = npt.NDArray[Any]

RECORDINGS = {  # name: package, file, rate, channels
    "german": (
        "auditok",
        "auditok/data/was_der_mensch_saet_das_wird_er_vielfach_ernten_44100Hz_mono_lead_trail_silence.wav",
        44_100,
        1,
    ),
    "arabic": ("auditok", "auditok/data/1to6arabic_16000_mono_bc_noise.wav", 16_000, 1),
    "water": ("onsen", "onsen/assets/water.wav", 44_100, 2),
}
SPEECH = ["german", "arabic"]


def find(name: str) -> Path:
    package, wanted, _, _ = RECORDINGS[name]
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed: pip install '.[test]'")
    return Path(str(next(file for file in files if str(file) == wanted).locate()))


def begin(name: str, folder: Path) -> Path:
    """Return the recording's first 17 seconds, bit for bit; the water would flow on for a minute."""
    info = soundfile.info(find(name))
    data, rate = soundfile.read(find(name), dtype="int16", always_2d=True, frames=17 * info.samplerate)
    soundfile.write(folder / f"{name}.wav", data, rate, subtype="PCM_16")
    return folder / f"{name}.wav"


def read(path: Path, dtype: str = "float64") -> Array:
    data: Array = soundfile.read(path, dtype=dtype, always_2d=True)[0]
    return data


def stems(path: Path, folder: Path, registry: Registry, **options: Any) -> tuple[Path, Path]:
    report = render("dewind", path, folder, options=RenderOptions(**options), registry=registry)
    assert [output.name for output in report.outputs] == ["clean", "wind"]
    return report.outputs[0].path, report.outputs[1].path


def decibels(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30)))


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begin(request.param, tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def float_stems(
    recording: Path, tmp_path_factory: pytest.TempPathFactory, registry: Registry
) -> tuple[Path, Path]:
    """The recording's clean and wind, in 32-bit float."""
    return stems(recording, tmp_path_factory.mktemp("stems"), registry, subtype="FLOAT")


@pytest.fixture
def studio(recording: Path, tmp_path: Path) -> Path:
    """The recording at 48 kHz and 24 bits."""
    data, rate = soundfile.read(recording, dtype="float64", always_2d=True)
    path = tmp_path / "studio.wav"
    soundfile.write(path, soxr.resample(data, rate, 48_000, quality="VHQ") * 0.9, 48_000, subtype="PCM_24")
    return path


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_recordings_are_what_the_tests_take_them_for(name: str) -> None:
    _, _, rate, channels = RECORDINGS[name]
    info = soundfile.info(find(name))
    assert (info.samplerate, info.channels, info.subtype) == (rate, channels, "PCM_16")
    assert info.frames > rate


def test_the_stems_have_the_recordings_length_rate_channels_and_bits(
    recording: Path, tmp_path: Path, registry: Registry
) -> None:
    whole = soundfile.info(recording)
    for path in stems(recording, tmp_path, registry):
        stem = soundfile.info(path)
        for what in ("frames", "samplerate", "channels", "subtype"):
            assert getattr(stem, what) == getattr(whole, what)


def test_float_stems_sum_to_the_recording_below_minus_120_db_of_full_scale(
    recording: Path, float_stems: tuple[Path, Path]
) -> None:
    clean, wind = float_stems
    null = read(clean) + read(wind) - read(recording)
    assert 2 * decibels(np.abs(null).max()) < -120


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_integer_stems_sum_to_the_recording_within_a_step_each(
    recording: Path, tmp_path: Path, registry: Registry, form: str
) -> None:
    clean, wind = stems(recording, tmp_path, registry, form=form)
    whole = read(recording, "int16").astype(int)
    assert np.abs(read(clean, "int16") + read(wind, "int16").astype(int) - whole).max() <= 2


def test_48_khz_and_24_bits_stay_48_khz_and_24_bits(studio: Path, tmp_path: Path, registry: Registry) -> None:
    whole = soundfile.info(studio)
    paths = stems(studio, tmp_path, registry)
    for path in paths:
        stem = soundfile.info(path)
        assert (stem.samplerate, stem.subtype, stem.frames) == (48_000, "PCM_24", whole.frames)
    clean, wind, given = (read(path, "int32").astype(np.int64) >> 8 for path in (*paths, studio))
    assert np.abs(clean + wind - given).max() <= 2


def test_the_stems_do_not_depend_on_the_block_size(
    recording: Path, tmp_path: Path, registry: Registry
) -> None:
    results = {}
    for block in (256, 4096, 65_536):
        paths = stems(recording, tmp_path / str(block), registry, max_block=block, subtype="FLOAT")
        results[block] = [read(path, "float32") for path in paths]
    for block in (4096, 65_536):
        for one, other in zip(results[256], results[block], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", SPEECH)
def test_speech_without_wind_comes_through(name: str, tmp_path: Path, registry: Registry) -> None:
    """The signal-to-distortion ratio is scale-invariant (Le Roux et al., ICASSP 2019)."""
    path = find(name)
    clean = read(stems(path, tmp_path, registry, subtype="FLOAT")[0])[:, 0]
    given = read(path)[:, 0]
    target = (clean @ given) / (given @ given) * given
    # Under the Arabic speaker lies noise below 500 Hz, which is not wind.
    assert decibels((target @ target) / ((clean - target) @ (clean - target))) >= 10
    assert clean @ given / np.sqrt((clean @ clean) * (given @ given)) > 0.95
    assert abs(decibels((clean @ clean) / (given @ given))) < 3  # and not only in shape: the level stays too


def test_something_is_taken_off_every_recording(float_stems: tuple[Path, Path]) -> None:
    for path in float_stems:
        assert decibels(float(np.mean(read(path) ** 2))) > -90
