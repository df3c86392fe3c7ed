"""RoFormers: published checkpoints give what the papers' equations give; configurations are read as data."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host.models import (
    Licence,
    ModelCard,
    ModelCardError,
    ModelError,
    ModelFile,
    Store,
    parse_card,
    read_card,
    save_tensors,
    write_card,
)
from unbraid.plugins.separators import roformer
from unbraid.plugins.separators.roformer_bands import mel_bands
from unbraid.plugins.separators.roformer_config import card_from_config, read_config

Array = npt.NDArray[Any]
MIT = Licence("MIT", "MIT")
RATE, N_FFT, HOP, DIM, HEADS, HEAD = 8000, 256, 64, 12, 2, 6
SIZES: dict[str, Any] = {
    "dim": DIM,
    "depth": 2,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 2,
    "dim_head": HEAD,
    "heads": HEADS,
    "stft_n_fft": N_FFT,
    "stft_hop_length": HOP,
    "stft_win_length": N_FFT,
    "segment": 20 * HOP,
}
BANDS: dict[str, dict[str, Any]] = {
    "bs-roformer": {"freqs_per_bands": [9, 20, 40, 60]},
    "mel-band-roformer": {"num_bands": 8},
}
KINDS = list(BANDS)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))


def bands_of(kind: str) -> npt.NDArray[np.bool_]:
    if kind == "mel-band-roformer":
        return mel_bands(RATE, N_FFT, 8)
    ends = np.cumsum([0, 9, 20, 40, 60])
    made = np.zeros((4, N_FFT // 2 + 1), bool)
    for i in range(4):
        made[i, ends[i] : ends[i + 1]] = True
    return made


class Published(dict[str, Array]):
    """Random weights under the names that published checkpoints have, written down here once more."""

    def __init__(self, kind: str, channels: int, stems: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)
        mel = kind == "mel-band-roformer"
        for layer in range(2):
            for axis, depth in enumerate((1, 2)):
                for i in range(depth):
                    self.layer(f"layers.{layer}.{axis}.layers.{i}")
                if mel:
                    self.norm(f"layers.{layer}.{axis}.norm", DIM)
        if not mel:
            self.norm("final_norm", DIM)
        for i, bins in enumerate(bands_of(kind).sum(axis=1)):
            self.norm(f"band_split.to_features.{i}.0", 2 * channels * bins)
            self.linear(f"band_split.to_features.{i}.1", 2 * channels * bins, DIM)
            for stem in range(stems):
                mask = f"mask_estimators.{stem}.to_freqs.{i}.0"
                self.linear(f"{mask}.0", DIM, 4 * DIM)  # mask_estimator_depth 2 in one, 1 in the other
                self.linear(f"{mask}.2", 4 * DIM, 4 * channels * bins)

    def layer(self, at: str) -> None:
        inner = HEADS * HEAD
        self[f"{at}.0.rotary_embed.freqs"] = (10000.0 ** (-np.arange(0, HEAD, 2) / HEAD)).astype(np.float32)
        self.norm(f"{at}.0.norm", DIM)
        self.linear(f"{at}.0.to_qkv", DIM, 3 * inner, bias=False)
        self.linear(f"{at}.0.to_gates", DIM, HEADS)
        self.linear(f"{at}.0.to_out.0", inner, DIM, bias=False)
        self.norm(f"{at}.1.net.0", DIM)
        self.linear(f"{at}.1.net.1", DIM, 4 * DIM)
        self.linear(f"{at}.1.net.4", 4 * DIM, DIM)

    def linear(self, at: str, wide: int, narrow: int, *, bias: bool = True) -> None:
        self[f"{at}.weight"] = self.rng.normal(scale=wide**-0.5, size=(narrow, wide)).astype(np.float32)
        if bias:
            self[f"{at}.bias"] = self.rng.normal(scale=0.1, size=narrow).astype(np.float32)

    def norm(self, at: str, wide: int) -> None:
        self[f"{at}.gamma"] = self.rng.uniform(0.5, 1.5, size=wide).astype(np.float32)


def state(kind: str, channels: int, stems: int) -> dict[str, Array]:
    return dict(Published(kind, channels, stems))


# The equations, in float64


def normed(x: Array, gamma: Array) -> Array:
    made: Array = x / np.linalg.norm(x, axis=-1, keepdims=True) * np.sqrt(x.shape[-1]) * gamma
    return made


def logistic(x: Array) -> Array:
    made: Array = 1 / (1 + np.exp(-x))
    return made


def turned(x: Array, freqs: Array) -> Array:
    """Each pair of numbers is a complex number; its angle grows with the position."""
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    pairs = pairs * np.exp(1j * np.arange(x.shape[-2])[:, None] * freqs)
    made: Array = np.stack((pairs.real, pairs.imag), -1).reshape(x.shape)
    return made


def attention(x: Array, w: dict[str, Array], at: str) -> Array:
    x = normed(x, w[f"{at}.norm.gamma"])
    parts = (x @ w[f"{at}.to_qkv.weight"].T).reshape(*x.shape[:-1], 3, HEADS, HEAD)
    q, k, v = np.moveaxis(parts, (-3, -2), (0, -3))
    q, k = (turned(part, w[f"{at}.rotary_embed.freqs"]) for part in (q, k))
    scores = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(HEAD))
    seen = scores / scores.sum(-1, keepdims=True) @ v
    gates = logistic(x @ w[f"{at}.to_gates.weight"].T + w[f"{at}.to_gates.bias"])
    seen = np.swapaxes(seen, -3, -2) * gates[..., None]
    made: Array = seen.reshape(*x.shape[:-1], HEADS * HEAD) @ w[f"{at}.to_out.0.weight"].T
    return made


def linear(x: Array, w: dict[str, Array], at: str) -> Array:
    return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]


def feed_forward(x: Array, w: dict[str, Array], at: str) -> Array:
    from scipy.special import erf

    x = linear(normed(x, w[f"{at}.net.0.gamma"]), w, f"{at}.net.1")
    return linear(x * (1 + erf(x / np.sqrt(2))) / 2, w, f"{at}.net.4")


def transformer(x: Array, w: dict[str, Array], at: str, depth: int) -> Array:
    for i in range(depth):
        x = x + attention(x, w, f"{at}.layers.{i}.0")
        x = x + feed_forward(x, w, f"{at}.layers.{i}.1")
    return normed(x, w[f"{at}.norm.gamma"]) if f"{at}.norm.gamma" in w else x


WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def spectrum(x: Array) -> Array:
    padded: Array = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(N_FFT // 2, N_FFT // 2)], mode="reflect")
    starts = range(0, padded.shape[-1] - N_FFT + 1, HOP)
    return np.stack([np.fft.rfft(padded[..., i : i + N_FFT] * WINDOW) for i in starts], -1)


def sound(spectra: Array, samples: int) -> Array:
    frames = np.fft.irfft(np.swapaxes(spectra, -1, -2)) * WINDOW
    out = np.zeros((*frames.shape[:-2], N_FFT + HOP * (frames.shape[-2] - 1)))
    weight = np.zeros(out.shape[-1])
    for i in range(frames.shape[-2]):
        out[..., i * HOP : i * HOP + N_FFT] += frames[..., i, :]
        weight[i * HOP : i * HOP + N_FFT] += WINDOW**2
    half = N_FFT // 2
    made: Array = out[..., half : half + samples] / weight[half : half + samples]
    return made


def reference(
    kind: str,
    state: dict[str, Array],
    segment: Array,
    stems: int,
    *,
    skip: bool = False,
    zero_dc: bool = False,
) -> Array:
    """One segment ``[channels, samples]`` to ``[stems, channels, samples]``."""
    w = {name: array.astype(np.float64) for name, array in state.items()}
    mixture = spectrum(segment.astype(np.float64))  # [channels, bins, frames]
    bands = [np.nonzero(band)[0] for band in bands_of(kind)]
    features = []
    for i, bins in enumerate(bands):
        piece = mixture[:, bins].transpose(2, 1, 0)  # frames, bins, channels
        piece = np.stack((piece.real, piece.imag), -1).reshape(len(piece), -1)
        at = f"band_split.to_features.{i}"
        features.append(linear(normed(piece, w[f"{at}.0.gamma"]), w, f"{at}.1"))
    x = np.stack(features)  # bands, frames, width
    before: list[Array] = []
    for layer in range(2):
        for one in before:
            x = x + one
        x = transformer(x, w, f"layers.{layer}.0", 1)
        x = np.swapaxes(transformer(np.swapaxes(x, 0, 1), w, f"layers.{layer}.1", 2), 0, 1)
        before += [x] if skip else []
    if "final_norm.gamma" in w:
        x = normed(x, w["final_norm.gamma"])
    made = []
    for stem in range(stems):
        total, times = np.zeros_like(mixture), np.zeros(mixture.shape[1])
        for i, bins in enumerate(bands):
            at = f"mask_estimators.{stem}.to_freqs.{i}.0"
            mask = linear(np.tanh(linear(x[i], w, f"{at}.0")), w, f"{at}.2")
            value, gate = np.split(mask, 2, axis=-1)
            mask = (value * logistic(gate)).reshape(len(mask), len(bins), -1, 2)
            total[:, bins] += (mask[..., 0] + 1j * mask[..., 1]).transpose(2, 1, 0)
            times[bins] += 1
        stem_of = mixture * total / times[:, None]
        if zero_dc:
            stem_of[:, 0] = 0
        made.append(sound(stem_of, segment.shape[-1]))
    return np.stack(made)


def card(
    tmp_path: Path,
    kind: str,
    state: dict[str, Array],
    *,
    stems: int = 2,
    layout: str = "stereo",
    **options: Any,
) -> ModelCard:
    """A card of these weights, saved as such networks are published and then in the store."""
    import torch

    path = tmp_path / "w.ckpt"
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return stored(path, kind, stems=stems, layout=layout, **options)


def stored(path: Path, kind: str, *, stems: int = 2, layout: str = "stereo", **options: Any) -> ModelCard:
    data = path.read_bytes()
    form: Any = "safetensors" if path.suffix == ".safetensors" else "torch"
    file = ModelFile(path.name, form, hashlib.sha256(data).hexdigest(), len(data))
    names = ("vocals", "other", "drums")[:stems]
    made = ModelCard(
        "small", "Small", kind, RATE, layout, names, (file,), MIT, options={**SIZES, **BANDS[kind], **options}
    )
    target = Store().path(made, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return made


def noise(channels: int = 2, batch: int = 1, samples: int = 20 * HOP, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(scale=0.1, size=(batch, channels, samples)).astype(np.float32)


@pytest.mark.parametrize(("layout", "channels", "stems"), [("stereo", 2, 2), ("mono", 1, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_published_checkpoint_gives_what_the_equations_give(
    tmp_path: Path, kind: str, layout: str, channels: int, stems: int
) -> None:
    weights = state(kind, channels, stems)
    separator = roformer.load(card(tmp_path, kind, weights, stems=stems, layout=layout), "cpu")
    for batch in (noise(channels, 2), noise(channels, samples=20 * HOP - 13)):
        before = batch.copy()
        found = separator.separate(batch)
        wanted = np.stack([reference(kind, weights, one, stems) for one in batch])
        assert found.shape == wanted.shape
        assert found.dtype == np.float32
        assert np.abs(wanted).max() > 0.01
        assert np.abs(found - wanted).max() < 1e-6
        assert (batch == before).all()


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_pairs_before_join_where_a_card_says_so(tmp_path: Path, kind: str) -> None:
    weights, batch = state(kind, 2, 2), noise()
    separator = roformer.load(card(tmp_path, kind, weights, skip_connection=True), "cpu")
    wanted = reference(kind, weights, batch[0], 2, skip=True)
    assert np.abs(separator.separate(batch)[0] - wanted).max() < 1e-6
    assert np.abs(reference(kind, weights, batch[0], 2) - wanted).max() > 1e-3


def test_the_lowest_bin_is_dropped_where_a_card_says_so(tmp_path: Path) -> None:
    weights, batch = state(KINDS[0], 2, 2), noise() + np.float32(0.1)
    separator = roformer.load(card(tmp_path, KINDS[0], weights, zero_dc=True), "cpu")
    wanted = reference(KINDS[0], weights, batch[0], 2, zero_dc=True)
    assert np.abs(separator.separate(batch)[0] - wanted).max() < 1e-6
    assert np.abs(reference(KINDS[0], weights, batch[0], 2) - wanted).max() > 1e-3


def test_segments_of_a_batch_do_not_hear_each_other_and_bits_repeat(tmp_path: Path) -> None:
    separator = roformer.load(card(tmp_path, KINDS[1], state(KINDS[1], 2, 2)), "cpu")
    batch = np.concatenate([noise(seed=1), 100 * noise(seed=2)])
    both = separator.separate(batch)
    assert np.abs(both[:1] - separator.separate(batch[:1])).max() < 1e-6
    assert (separator.separate(batch) == both).all()


def test_silence_stays_finite(tmp_path: Path) -> None:
    separator = roformer.load(card(tmp_path, KINDS[1], state(KINDS[1], 2, 2)), "cpu")
    assert (separator.separate(np.zeros((1, 2, 20 * HOP), np.float32)) == 0).all()


def test_mel_bands_are_those_of_the_published_models() -> None:
    # 3958 rows of masks (bins of 60 bands, two channels) in public exports of the 44.1 kHz models
    bands = mel_bands(44100, 2048, 60)
    assert 2 * bands.sum() == 3958
    assert bands.any(axis=0).all()
    assert (np.diff(bands.argmax(axis=1)) > 0).all()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_mel_bands_are_librosas(rate: int) -> None:
    filters = pytest.importorskip("librosa.filters", reason="pip install librosa")
    bank = filters.mel(sr=rate, n_fft=1024, n_mels=20) > 0
    bank[0, 0] = bank[-1, -1] = True
    assert (mel_bands(rate, 1024, 20) == bank).all()


def test_segments_are_of_whole_hops(tmp_path: Path) -> None:
    found = roformer.geometry(card(tmp_path, KINDS[0], state(KINDS[0], 2, 2)))
    assert (found.segment, found.overlap, found.multiple, found.most) == (20 * HOP, 0.5, HOP, 0)


# The package's own networks


def package(kind: str, **other: Any) -> Any:
    """A small network of the installed package with random weights."""
    import torch

    library: Any = pytest.importorskip("bs_roformer", reason="pip install 'bs-roformer>=1.2.4,<1.3'")
    mel = kind == "mel-band-roformer"
    arguments = {key: value for key, value in SIZES.items() if key not in ("segment", "overlap")}
    arguments |= {"num_bands": 8, "sample_rate": RATE} if mel else {"freqs_per_bands": (9, 20, 40, 60)}
    arguments |= {"stereo": True, "num_stems": 2, "flash_attn": False, **other}
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = (library.MelBandRoformer if mel else library.BSRoformer)(**arguments).eval()
    for parameter in net.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return net


def called(net: Any, batch: Array) -> Array:
    import torch

    with torch.no_grad():
        made: Array = net(torch.from_numpy(batch)).numpy()
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_our_network_gives_what_the_packages_gives_with_the_same_weights(tmp_path: Path, kind: str) -> None:
    mel = kind == "mel-band-roformer"
    other = {"add_value_residual": False, "linear_transformer_depth": 0} if mel else {}
    net = package(kind, num_residual_streams=1, **other)
    weights = {}
    for name, value in net.state_dict().items():
        if "to_value_residual_mix" in name:  # a part that published networks do not have: closed
            value.fill_(float("-inf") if name.endswith("bias") else 0.0)
            continue
        old = name.replace(".branch.", ".")
        parts = old.split(".")
        if mel and parts[0] == "layers":
            parts[2] = str(int(parts[2]) - 1)  # the first place is for linear attention
        weights[".".join(parts)] = value.numpy()
    batch = noise()
    found = roformer.load(card(tmp_path, kind, weights), "cpu").separate(batch)
    wanted = called(net, batch)
    assert np.abs(wanted).max() > 0.01
    assert np.abs(found - wanted).max() < 1e-6


@pytest.mark.parametrize("stems", [2, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_of_later_versions_run_in_the_package(tmp_path: Path, kind: str, stems: int) -> None:
    other: dict[str, Any] = {"linear_transformer_depth": 1} if kind == "mel-band-roformer" else {}
    other["num_residual_streams"] = 2
    net = package(kind, num_stems=stems, **other)
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    separator = roformer.load(card(tmp_path, kind, weights, stems=stems, **other), "cpu")
    batch = noise()
    wanted = called(net, batch).reshape(1, stems, 2, -1)
    assert np.abs(separator.separate(batch) - wanted).max() < 1e-6
    assert separator.separate(noise(samples=1000)).shape == (1, stems, 2, 1000)


# What does not fit


def refusal(made: ModelCard) -> str:
    with pytest.raises(ModelError) as raised:
        roformer.load(made, "cpu")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_missing_tensor_is_told(tmp_path: Path) -> None:
    weights = state(KINDS[0], 2, 2)
    del weights["final_norm.gamma"]
    told = refusal(card(tmp_path, KINDS[0], weights))
    assert "does not fit the architecture bs-roformer: 1 missing (final_norm.gamma)" in told


def test_the_other_architecture_is_told(tmp_path: Path) -> None:
    told = refusal(card(tmp_path, KINDS[0], state(KINDS[1], 2, 2)))
    assert "does not fit the architecture bs-roformer" in told


def test_a_file_cut_short_is_told(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", state(KINDS[0], 2, 2))
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-100])
    assert "cut short" in refusal(stored(tmp_path / "cut.safetensors", KINDS[0]))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    import torch

    song = tmp_path / "song"

    class Canary:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {song}",)

    torch.save({"final_norm.gamma": torch.zeros(DIM), "x": Canary()}, tmp_path / "w.ckpt")
    assert "refused: it names posix.system" in refusal(stored(tmp_path / "w.ckpt", KINDS[0]))
    assert not song.exists()


def test_without_the_package_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bs_roformer", None)
    made = card(tmp_path, KINDS[0], {"layers.0.0.layers.0.0.branch.norm.gamma": np.ones(DIM, np.float32)})
    assert refusal(made).endswith("pip install 'unbraid[roformer]'")


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        (0, {"freqs_per_bands": [9, 20]}, r"freqs_per_bands: sum to 29; stft_n_fft 256 has 129 bins"),
        (0, {"num_bands": 8}, r"unknown field `num_bands`"),
        (0, {"dim_head": 7}, r"dim_head: must be even"),
        (0, {"stft_hop_length": 512}, r"must grow in this order"),
        (0, {"heads": 0}, r"options: Expected `int` >= 1"),
        (1, {"num_bands": 300}, r"num_bands: leaves bands without a bin: .*; take fewer"),
        (1, {"linear_transformer_depth": 1}, r"linear_transformer_depth: .*; write 0"),
    ],
)
def test_options_that_do_not_fit_are_told(
    tmp_path: Path, kind: int, options: dict[str, Any], told: str
) -> None:
    made = card(tmp_path, KINDS[kind], state(KINDS[kind], 2, 2), **options)
    with pytest.raises(ModelCardError, match=told):
        roformer.load(made, "cpu")


# Published configurations

CONFIG = """\
audio:
  chunk_size: 131584
  sample_rate: 44100
model:
  dim: 192
  depth: 6
  stereo: true
  num_stems: 1
  time_transformer_depth: 1
  freq_transformer_depth: 1
  freqs_per_bands: !!python/tuple
    - 513
    - 512
  dim_head: 64
  heads: 8
  attn_dropout: 0.1
  flash_attn: true
  dim_freqs_in: 1025
  stft_n_fft: 2048
  stft_hop_length: 512
  mask_estimator_depth: 2
  multi_stft_resolutions_window_sizes: !!python/tuple [4096, 2048]
  use_torch_checkpoint: False
training:
  instruments: ['vocals', 'other']
  target_instrument: vocals
  q: 0.95
inference:
  batch_size: 1
  num_overlap: 4
"""


def test_a_published_configuration_becomes_a_card(tmp_path: Path) -> None:
    made = card_from_config(CONFIG, "model.ckpt", "mine", MIT)
    assert made.architecture == "bs-roformer"
    assert (made.rate, made.layout, made.stems) == (44100, "stereo", ("vocals",))
    assert made.options["freqs_per_bands"] == [513, 512]
    found = roformer.geometry(made)
    assert (found.segment, found.overlap, found.multiple) == (131584, 0.75, 512)
    # as text and back, as a person would import it
    again = parse_card(write_card(made), "mine.yaml", measured=False)
    assert again.options == made.options
    assert roformer.options_of(again) == roformer.options_of(made)


def test_a_configuration_of_mel_bands_and_frames_becomes_a_card() -> None:
    text = "model: {dim: 384, depth: 6, num_bands: 60, stft_hop_length: 441, sample_rate: 48000}\n"
    text += "training: {instruments: [lead vocals, rest], target_instrument: null}\ninference: {dim_t: 801}\n"
    made = card_from_config(text, "model.ckpt", "mine", MIT)
    assert (made.architecture, made.rate, made.layout) == ("mel-band-roformer", 48000, "mono")
    assert made.stems == ("lead_vocals", "rest")
    assert roformer.geometry(made).segment == 800 * 441


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: !!python/object/apply:os.system ['touch SONG']", "is no plain YAML"),
        ("model: !!python/name:os.system", "is no plain YAML"),
        ("model: !!python/object/new:tuple [[1]]", "is no plain YAML"),
        ("model: [", "is no plain YAML"),
        ("[1, 2]", "it must be a mapping"),
        ("model: [1]", "model: must be a mapping"),
        (CONFIG.replace("dim: 192", "dim: 192\n  use_mamba: true"), "asks for use_mamba, which is not known"),
        (CONFIG.replace("chunk_size: 131584", "x: 1"), "must say how many samples"),
        (
            CONFIG.replace("['vocals', 'other']", "3").replace("target_instrument: vocals", ""),
            "list of names",
        ),
    ],
)
def test_configurations_that_are_none_are_told_and_nothing_runs(tmp_path: Path, text: str, told: str) -> None:
    song = tmp_path / "song"
    with pytest.raises(ModelCardError, match=told) as raised:
        card_from_config(text.replace("SONG", str(song)), "model.ckpt", "mine", MIT)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("the configuration of model.ckpt: ")
    assert not song.exists()


def test_tuples_of_a_configuration_are_lists() -> None:
    assert read_config("a: !!python/tuple [1, [2, 3]]", "x") == {"a": [1, [2, 3]]}


# The card that ships


def test_the_published_model_has_a_card_of_its_size() -> None:
    import torch

    from unbraid.plugins.separators.roformer_network import network

    shipped = resources.files("unbraid.plugins.models").joinpath("melband-roformer-kim.yaml")
    with resources.as_file(shipped) as path:
        found = read_card(path)
    assert roformer.geometry(found).segment == 8 * 44100
    options = roformer.options_of(found)
    with torch.device("meta"):
        net = network(roformer._shape(found, options), roformer._bands(found, options))
    held = sum(4 * tensor.numel() for tensor in net.state_dict().values())
    # The file also holds names, and a record of the zip for each tensor.
    assert held < found.files[0].size < held + 500 * len(net.state_dict())
