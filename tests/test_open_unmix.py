"""Open-Unmix: published files through our networks and filter give what the published path gives."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host.models import (
    CheckpointError,
    ModelCard,
    ModelCardError,
    ModelFile,
    Store,
    parse_card,
    read_card,
)
from unbraid.plugins import models
from unbraid.plugins.separators import open_unmix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = npt.NDArray[Any]

CARDS = Path(models.__file__).parent
PACKAGE = "openunmix"
needs_package = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="compares with the published code: pip install --no-deps openunmix==1.3.0",
)
N_FFT, HOP, BINS, HEARD = 512, 128, 257, 187
STEMS = ("vocals", "drums", "bass", "other")
CARD = """\
model: 1
id: small
name: Small
architecture: open-unmix
rate: 44100
layout: stereo
stems: [vocals, drums, bass, other]
licence: {code: MIT, weights: MIT}
options: {n_fft: 512, hop: 128}
files:
"""


def checkpoint(
    seed: int, hidden: int = 12, *, both: bool = True, layers: int = 3, n_fft: int = N_FFT
) -> dict[str, Array]:
    """Random tensors under the published names, and the three that published files hold beside them."""
    rng, bins = np.random.default_rng(seed), n_fft // 2 + 1
    heard = HEARD * n_fft // N_FFT
    inner = hidden // 2 if both else hidden
    shapes: dict[str, tuple[int, ...]] = {"input_mean": (heard,), "input_scale": (heard,)}
    shapes |= {"output_scale": (bins,), "output_mean": (bins,)}
    shapes |= {"fc1.weight": (hidden, 2 * heard), "fc2.weight": (hidden, 2 * hidden)}
    shapes |= {"fc3.weight": (2 * bins, hidden)}
    for layer, direction in ((k, way) for k in range(layers) for way in ("", "_reverse")[: 1 + both]):
        width = hidden if layer == 0 else inner * (1 + both)
        shapes |= {f"lstm.weight_ih_l{layer}{direction}": (4 * inner, width)}
        shapes |= {f"lstm.weight_hh_l{layer}{direction}": (4 * inner, inner)}
        shapes |= {f"lstm.bias_{kind}_l{layer}{direction}": (4 * inner,) for kind in ("ih", "hh")}
    found: dict[str, Array] = {
        name: rng.normal(0, 1 / np.sqrt(shape[-1]), shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    for name, width in (("bn1", hidden), ("bn2", hidden), ("bn3", 2 * bins)):
        found |= {
            f"{name}.{key}": rng.normal(0, 0.3, width).astype(np.float32) for key in ("bias", "running_mean")
        }
        found |= {
            f"{name}.{key}": rng.uniform(0.5, 2, width).astype(np.float32)
            for key in ("weight", "running_var")
        }
        found[f"{name}.num_batches_tracked"] = np.array(3000)
    found["output_mean"] += np.float32(0.5)
    found |= {"sample_rate": np.array(44100.0, np.float32)}
    return found | {name: np.zeros(n_fft, np.float32) for name in ("stft.window", "transform.0.window")}


def as_published(weights: dict[str, Array], magnitudes: Array) -> Array:
    """The network's equations in float64, for magnitudes ``[channels, frames, bins]``."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    channels, frames, bins = magnitudes.shape

    def normal(name: str, x: Array) -> Array:
        centred = (x - w[f"{name}.running_mean"]) / np.sqrt(w[f"{name}.running_var"] + 1e-5)
        return centred * w[f"{name}.weight"] + w[f"{name}.bias"]

    def run(x: Array, suffix: str) -> Array:
        h = c = np.zeros(w[f"lstm.weight_hh_{suffix}"].shape[1])
        out = []
        for row in x:
            gates = w[f"lstm.weight_ih_{suffix}"] @ row + w[f"lstm.bias_ih_{suffix}"]
            gates = gates + w[f"lstm.weight_hh_{suffix}"] @ h + w[f"lstm.bias_hh_{suffix}"]
            i, f, g, o = np.split(gates, 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            out.append(h)
        return np.array(out)

    heard = (magnitudes[..., : len(w["input_mean"])] + w["input_mean"]) * w["input_scale"]
    x = np.tanh(normal("bn1", heard.transpose(1, 0, 2).reshape(frames, -1) @ w["fc1.weight"].T))
    y = x
    for layer in range(sum(name.startswith("lstm.bias_ih_l") and name[-1].isdigit() for name in w)):
        ways = [run(y, f"l{layer}")]
        if f"lstm.bias_ih_l{layer}_reverse" in w:
            ways.append(run(y[::-1], f"l{layer}_reverse")[::-1])
        y = np.concatenate(ways, axis=1)
    hidden = np.maximum(normal("bn2", np.concatenate([x, y], axis=1) @ w["fc2.weight"].T), 0)
    wide = normal("bn3", hidden @ w["fc3.weight"].T).reshape(frames, channels, bins)
    mask = np.maximum(wide * w["output_scale"] + w["output_mean"], 0)
    return mask.transpose(1, 0, 2) * magnitudes


def separated(files: list[dict[str, Array]], mixture: Array, *, residual: bool, iterations: int) -> Array:
    """The published path by torch.stft, the equations, norbert and torch.istft, in float64."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports from a namespace that SciPy retires
        norbert = pytest.importorskip("norbert", reason="pip install 'unbraid[test]'")
    window = torch.hann_window(N_FFT, dtype=torch.float64)
    x = torch.from_numpy(mixture.astype(np.float64))
    X = torch.stft(x, N_FFT, HOP, window=window, return_complex=True).numpy().transpose(0, 2, 1)
    estimates = [as_published(one, np.abs(X)) for one in files]
    if residual:
        estimates.append(np.abs(X) - np.sum(estimates, axis=0))
    v, z = np.stack(estimates).transpose(2, 3, 1, 0), X.transpose(1, 2, 0)
    cuts = [slice(k, k + 300) for k in range(0, len(z), 300)]
    parts = [norbert.wiener(v[cut], z[cut], iterations, use_softmask=False, eps=1e-10) for cut in cuts]
    stems = torch.from_numpy(np.ascontiguousarray(np.concatenate(parts).transpose(3, 2, 1, 0)))
    flat = torch.istft(stems.flatten(0, 1), N_FFT, HOP, window=window, length=mixture.shape[1])
    return flat.view(len(estimates), *mixture.shape).numpy()


def voices(seconds: float, seed: int = 1) -> npt.NDArray[np.float32]:
    """A voice-like tone with vibrato near the centre, over noise that differs left and right."""
    t = np.arange(round(44100 * seconds)) / 44100
    phase = 2 * np.pi * 220 * t + 2 * np.sin(2 * np.pi * 5 * t)
    tone = sum(0.3 / k * np.sin(k * phase) for k in range(1, 12))
    noise = np.random.default_rng(seed).standard_normal((2, t.size))
    return np.asarray(np.array([[1.0], [0.8]]) * tone + 0.1 * noise, np.float32)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are so small that threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelCard]:
    """Return what puts checkpoints into the store, as torch.save writes them, and gives their card."""
    import torch

    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))

    def publish(*files: dict[str, Array] | bytes, **changes: Any) -> ModelCard:
        entries = []
        for k, file in enumerate(files):
            path = tmp_path / f"{k}.pth"
            if isinstance(file, bytes):
                path.write_bytes(file)
            else:
                tensors = {name: torch.from_numpy(array) for name, array in file.items()}
                # In 2019 torch.save wrote no zip.
                torch.save(tensors, path, _use_new_zipfile_serialization=k % 2 == 1)
            data = path.read_bytes()
            entries.append(ModelFile(path.name, "torch", hashlib.sha256(data).hexdigest(), len(data)))
        card = parse_card(f"{CARD}  - {{name: x, format: torch, size: 1, sha256: {'a' * 64}}}", "small.yaml")
        card = msgspec.structs.replace(card, files=tuple(entries), stems=STEMS[: len(files)], **changes)
        for entry in entries:
            target = Store().path(card, entry)
            target.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / entry.name).rename(target)
        return card

    return publish


def small(**options: Any) -> dict[str, Any]:
    return {"n_fft": N_FFT, "hop": HOP, **options}


# The same as published


@pytest.mark.parametrize(("both", "layers"), [(True, 3), (True, 1), (False, 2)])
def test_a_network_gives_what_its_equations_say(both: bool, layers: int) -> None:
    import torch

    from unbraid.plugins.separators.open_unmix_network import network_of

    weights = checkpoint(3, both=both, layers=layers)
    net = network_of(weights, "a.pth", rate=44100, channels=2, n_fft=N_FFT)
    magnitudes = np.abs(np.random.default_rng(0).standard_normal((2, 40, BINS)) * 20)
    wanted = as_published(weights, magnitudes)
    with torch.inference_mode():
        found = net(torch.from_numpy(magnitudes[None].astype(np.float32)))[0].numpy()
    assert np.abs(found - wanted).max() < 1e-5 * wanted.max()
    assert wanted.std() > 0.1 * wanted.max() / 10


@pytest.mark.parametrize(
    ("files", "residual", "iterations"), [(4, False, 1), (2, False, 0), (1, True, 1), (2, True, 2)]
)
def test_stems_are_those_of_the_published_path(
    published: Callable[..., ModelCard], files: int, residual: bool, iterations: int
) -> None:
    weights = [checkpoint(k) for k in range(files)]
    card = published(*weights, options=small(residual=residual, iterations=iterations))
    card = msgspec.structs.replace(card, stems=STEMS[: files + residual])
    mixture = voices(1.0)  # 345 frames: more than an excerpt of the filter
    found = open_unmix.load(card, "cpu").separate(mixture[None])[0]
    wanted = separated(weights, mixture, residual=residual, iterations=iterations)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The published code; it imports torchaudio, of which the separator needs nothing."""
    if importlib.util.find_spec("torchaudio") is None:
        monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
    yield importlib.import_module(f"{PACKAGE}.model")
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@needs_package
@pytest.mark.parametrize("residual", [False, True])
def test_stems_are_those_of_the_published_code(
    published: Callable[..., ModelCard], package: ModuleType, residual: bool
) -> None:
    import torch

    stems = STEMS[:2] if residual else STEMS
    weights = {stem: checkpoint(k) for k, stem in enumerate(stems)}
    nets = {}
    for stem, one in weights.items():
        nets[stem] = package.OpenUnmix(BINS, 2, 12, max_bin=HEARD).eval()
        tensors = {name: torch.from_numpy(array) for name, array in one.items()}
        missing, beside = nets[stem].load_state_dict(tensors, strict=False)
        assert (missing, set(beside)) == ([], {"sample_rate", "stft.window", "transform.0.window"})
    separator = package.Separator(nets, niter=1, residual=residual, n_fft=N_FFT, n_hop=HOP)
    separator = separator.double().eval()
    mixture = voices(1.0)
    with torch.inference_mode():
        wanted = separator(torch.from_numpy(mixture)[None].double()).numpy()
    card = published(*weights.values(), options=small(residual=residual))
    card = msgspec.structs.replace(card, stems=STEMS[: len(stems) + residual])
    found = open_unmix.load(card, "cpu").separate(mixture[None])
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_segments_of_a_batch_do_not_meet(published: Callable[..., ModelCard]) -> None:
    model = open_unmix.load(published(checkpoint(0), checkpoint(1), options=small()), "cpu")
    batch = np.stack([voices(0.2, 1), np.zeros((2, 8820), np.float32), 2 * voices(0.2, 2)])
    before = batch.copy()
    found = model.separate(batch)
    assert np.array_equal(batch, before)
    assert not found[1].any()
    for k in (0, 2):
        assert np.abs(found[k] - model.separate(batch[k : k + 1])[0]).max() < 1e-5


def test_files_without_what_stands_beside_the_network_are_taken(published: Callable[..., ModelCard]) -> None:
    whole = [checkpoint(0), checkpoint(1)]
    beside = ("sample_rate", "stft.window", "transform.0.window")
    bare = [
        {name: one[name] for name in one if name not in beside and "num_batches" not in name} for one in whole
    ]
    mixture = voices(0.1)[None]
    wanted = open_unmix.load(published(*whole, options=small()), "cpu").separate(mixture)
    assert np.array_equal(open_unmix.load(published(*bare, options=small()), "cpu").separate(mixture), wanted)


# What does not fit is told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fc2.weight": None}, "1 missing (fc2.weight)"),
        ({"fc1.weight": None}, "1 missing (fc1.weight)"),
        ({"decoder.weight": np.zeros(3, np.float32)}, "1 unexpected (decoder.weight)"),
        ({"lstm.weight_hh_l1_reverse": None}, "1 missing (lstm.weight_hh_l1_reverse)"),
        ({"bn3.bias": np.zeros(9, np.float32)}, "bn3.bias: wanted (514,), is (9,)"),
        # A network of that width would take 640 GB; nothing is allocated before names and shapes fit.
        ({"fc1.weight": np.zeros((200_000, 1), np.float16)}, "of another shape"),
        ({"fc3.weight": np.zeros((514, 12), np.int64)}, "fc3.weight holds int64"),
        ({"sample_rate": np.array(16000.0, np.float32)}, "is for 16000 Hz, the card says 44100"),
        (
            {"stft.window": np.zeros(4096, np.float32)},
            "is for 4096 samples of stft.window, the card says 512",
        ),
    ],
)
def test_a_file_of_another_network_is_refused(
    published: Callable[..., ModelCard], change: dict[str, Array | None], told: str
) -> None:
    weights = {**checkpoint(1), **change}
    broken = {name: array for name, array in weights.items() if array is not None}
    card = published(checkpoint(0), broken, options=small())
    with pytest.raises(CheckpointError) as caught:
        open_unmix.load(card, "cpu")
    assert "small: 1.pth" in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mono_card_for_a_stereo_file_is_refused(published: Callable[..., ModelCard]) -> None:
    card = published(checkpoint(0), checkpoint(1), options=small(), layout="mono")
    with pytest.raises(CheckpointError, match=r"is for 2 channels, the card says 1"):
        open_unmix.load(card, "cpu")


def test_a_file_that_breaks_off_is_refused(published: Callable[..., ModelCard], tmp_path: Path) -> None:
    import torch

    torch.save({"fc1.weight": torch.zeros(100, 100)}, tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    card = published(data[: len(data) // 2], checkpoint(1), options=small())
    with pytest.raises(CheckpointError, match=r"0\.pth: (is no whole|cannot be read)"):
        open_unmix.load(card, "cpu")


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_file_never_runs(published: Callable[..., ModelCard], tmp_path: Path) -> None:
    import torch

    torch.save({"fc1.weight": _Canary(tmp_path / "ran")}, tmp_path / "evil.pth")
    card = published((tmp_path / "evil.pth").read_bytes(), checkpoint(1), options=small())
    with pytest.raises(CheckpointError, match=r"refused.*was not run"):
        open_unmix.load(card, "cpu")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "stems", "told"),
    [
        ({"hop": 1000}, 2, "n_fft 4096 and hop 1000 must be powers of 2"),
        ({"hop": 4096}, 2, "hop at most half of n_fft"),
        ({"size": 512}, 2, "an architecture 'open-unmix' knows n_fft, hop, iterations"),
        ({"iterations": -1}, 2, "Expected `int` >= 0"),
        ({}, 3, "has 3 for 2 files: each file makes one stem"),
        ({"residual": True}, 2, "each file makes one stem, and one for the residual"),
    ],
)
def test_a_card_that_cannot_be_is_told_before_a_file_is_read(
    options: dict[str, Any], stems: int, told: str
) -> None:
    files = tuple(ModelFile(f"{k}.pth", "torch", "0" * 64, 1) for k in range(2))
    card = read_card(CARDS / "umxhq.yaml")
    card = msgspec.structs.replace(card, options=options, stems=STEMS[:stems], files=files)
    with pytest.raises(ModelCardError) as caught:
        open_unmix.geometry(card)
    assert told in str(caught.value)


def test_a_lone_stem_needs_a_residual_or_no_filter() -> None:
    card = read_card(CARDS / "umxhq.yaml")
    lone = msgspec.structs.replace(card, stems=STEMS[:1], files=card.files[:1])
    with pytest.raises(ModelCardError, match=r"nothing to be filtered from; add residual: true"):
        open_unmix.geometry(lone)
    assert open_unmix.geometry(msgspec.structs.replace(lone, options={"iterations": 0})).segment > 0


# The published models


def test_the_card_of_umxhq_names_the_published_files() -> None:
    card = read_card(CARDS / "umxhq.yaml")
    assert card.stems == STEMS
    assert [file.name.partition("-")[0] for file in card.files] == list(STEMS)
    # The paper's network for two channels, 2049 bins of which 1487 (16 kHz) are heard, 512 wide.
    lstm = 3 * 2 * (4 * 256 * (512 + 256) + 2 * 4 * 256)
    dense = 512 * 2 * 1487 + 2 * 512 * 512 + 512 * 2 * 2049
    norms = 4 * (512 + 512 + 2 * 2049)
    floats = lstm + dense + norms + 2 * 1487 + 2 * 2049 + 4096  # and one window under two names
    for file in card.files:
        assert file.name == f"{file.name.partition('-')[0]}-{file.sha256[:8]}.pth"
        assert file.url == f"https://zenodo.org/records/3370489/files/{file.name}"
        assert 0 < file.size - 4 * floats < 20_000  # names and places


def test_a_default_segment_holds_whole_excerpts_of_the_filter() -> None:
    geometry = open_unmix.geometry(read_card(CARDS / "umxhq.yaml"))
    assert 800 < geometry.segment / 1024 + 1 < 900
    assert geometry.samples(0.001, 44100) > 4096 // 2  # torch.stft mirrors half a frame
