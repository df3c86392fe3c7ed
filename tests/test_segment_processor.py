"""The author separates segments; grid, overlap, batches, latency and the last one are the host's business."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import example, given, settings
from hypothesis import strategies as st

import segment_rig
from unbraid.host import Graph, NodeError, RenderOptions, open_stream, process, render
from unbraid.host.contract import Layout, PluginError, Spec
from unbraid.host.registry import Registry
from unbraid.kernels.crossfade import segment_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    Array = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def models() -> Registry:
    found = Registry.discover()
    found.add(segment_rig, "segment_rig")
    assert found.faults == []
    return found


def noise(channels: int, length: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def graph_of(plugin: str, *ports: str, **params: Any) -> Graph:
    graph = Graph()
    node = graph.node("model", plugin, graph.input("mix"), **params)
    for port in ports or ("out",):
        graph.output(port, node[port])
    return graph


def run(models: Registry, plugin: str, x: Array, cuts: Iterable[int] | None = None, **params: Any) -> Array:
    return process(graph_of(plugin, **params), x, rate=48000, registry=models, blocks=cuts)["out"]


# The grid


@settings(max_examples=60)
@given(
    grid=st.integers(1, 400).flatmap(lambda s: st.tuples(st.just(s), st.integers(1, s))),
    batch=st.integers(1, 5),
    length=st.integers(0, 2000),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
@example(grid=(100, 75), batch=4, length=76, cuts=[])
@example(grid=(100, 75), batch=4, length=101, cuts=[1])  # a last segment of one sample
def test_a_model_that_gives_its_input_back_is_not_heard(
    models: Registry, grid: tuple[int, int], batch: int, length: int, cuts: list[int]
) -> None:
    x = noise(2, length)
    segment, hop = grid
    done = run(models, "identity", x, cuts, segment=segment, hop=hop, batch=batch)
    np.testing.assert_array_equal(
        done, x
    )  # to the bit: far below -120 dB, at every join, the last segment too


@pytest.mark.parametrize("batch", [1, 3])
def test_segments_lie_on_the_absolute_grid_and_fade_into_each_other(models: Registry, batch: int) -> None:
    segment, hop, length = 1000, 700, 5000
    done = run(models, "numbered", noise(1, length), segment=segment, hop=hop, batch=batch)[0]
    window, top, bottom = segment_window(segment, hop), np.zeros(9000), np.zeros(9000)
    for k in range(9):
        top[k * hop : k * hop + segment] += (k + 1) * window
        bottom[k * hop : k * hop + segment] += window
    np.testing.assert_allclose(done, (top / np.maximum(bottom, 1e-9))[:length], rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_latency_declared_is_the_latency_there_is(models: Registry, batch: int) -> None:
    card = models.card("identity")
    model = models.build(card, card.params(segment=500, hop=300, batch=batch))
    mono = Layout.parse("mono")
    model.prepare(Spec(48000, 64, {"in": mono}, {"out": mono}))
    assert model.latency == 499 + (batch - 1) * 300
    x = noise(1, 6000)
    heard = []
    for at in range(0, 6000, 50):
        out = np.full((1, 50), np.nan, np.float32)
        model.process({"in": x[:, at : at + 50].copy()}, {"out": out})
        heard.append(out)
    whole = np.concatenate(heard, axis=1)
    assert not whole[:, : model.latency].any()
    np.testing.assert_array_equal(whole[:, model.latency :], x[:, : -model.latency])


def test_batches_are_of_one_size_and_the_last_is_padded_with_silence(models: Registry) -> None:
    segment_rig.Identity.seen.clear()
    x = noise(1, 3000)
    run(models, "identity", x, segment=1000, hop=1000, batch=2)
    first, second = segment_rig.Identity.seen
    np.testing.assert_array_equal(np.concatenate([*first, second[0]], axis=1), x)
    assert second.shape == (2, 1, 1000)
    assert not second[1].any()


def test_silence_is_not_handed_over_and_stays_silence(models: Registry) -> None:
    x = noise(1, 10_000)
    x[:, 2000:8000] = 0
    done = run(models, "numbered", x, segment=1000, hop=1000, batch=1)
    assert (done[0, 2000:8000] == 0).all()
    assert (done[0, :2000] > 0).all()
    segment_rig.Identity.seen.clear()
    run(models, "identity", x, segment=1000, hop=1000, batch=1)
    assert len(segment_rig.Identity.seen) == 4


def test_what_lies_past_the_end_is_not_handed_over(models: Registry) -> None:
    """A node before it goes on sounding after the programme; the model is not asked for what nobody hears."""
    graph = Graph()
    late = graph.node("late", "delay", graph.input("mix"), samples=5000)
    graph.output("out", graph.node("model", "identity", late, segment=1000, hop=1000, batch=1))
    x = noise(1, 3000)
    segment_rig.Identity.seen.clear()
    process(graph, x, rate=48000, registry=models)
    assert segment_rig.Identity.seen == []  # the programme is silent, its delayed copy comes after the end
    tails = RenderOptions(tails=True)
    done = process(graph, x, rate=48000, registry=models, options=tails)["out"]
    np.testing.assert_array_equal(done[:, 5000:8000], x)


def test_parameters_are_those_at_each_segments_centre(models: Registry) -> None:
    graph = graph_of("louder", segment=1000, hop=1000, batch=3, gain=1.0)
    graph.automate("model", "gain", [("2501 samples", 2.0), ("4500 samples", 3.0)])
    x = noise(1, 6000)
    for cuts in (None, [100] * 80):
        done = process(graph, x, rate=48000, registry=models, blocks=cuts)["out"]
        want = x * np.repeat(np.array([1, 1, 1, 2, 3, 3], np.float32), 1000)
        np.testing.assert_array_equal(done, want)


def test_a_sample_that_is_not_finite_stays_in_its_segment(models: Registry) -> None:
    card = models.card("identity")
    model = models.build(card, card.params(segment=100, hop=100, batch=1))
    mono = Layout.parse("mono")
    model.prepare(Spec(48000, 1000, {"in": mono}, {"out": mono}))
    x = noise(1, 1000)
    x[0, 450] = np.nan
    out = np.empty_like(x)
    model.process({"in": x}, {"out": out})
    assert list(np.flatnonzero(np.isnan(out[0]))) == [450 + model.latency]


def test_at_another_rate_the_grid_is_the_models_and_the_output_is_the_input(models: Registry) -> None:
    t = np.arange(30_000) / 48000
    x = (0.25 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)[None]
    done = run(models, "identity44", x, segment=1000, hop=700, batch=2)
    np.testing.assert_allclose(done[:, 2000:-2000], x[:, 2000:-2000], atol=2e-5)
    np.testing.assert_allclose(done, x, atol=0.02)  # its ends too, but for the resampler's ringing


# Stems


def test_stems_come_in_the_models_order_whatever_is_connected(models: Registry) -> None:
    x = noise(2, 3000)
    both = process(graph_of("halves", "least", "most"), x, rate=48000, registry=models)
    np.testing.assert_array_equal(both["least"], np.float32(0.25) * x)
    np.testing.assert_array_equal(both["most"], np.float32(0.75) * x)
    one = process(graph_of("halves", "least"), x, rate=48000, registry=models)
    np.testing.assert_array_equal(one["least"], both["least"])


@pytest.mark.parametrize(
    ("plugin", "params", "says"),
    [
        ("misnamed", {}, "stems names most, least, but not the output more"),
        (
            "identity",
            {"segment": 10, "hop": 11},
            "segment 10, hop 11, batch 3: these must be whole numbers, 1 <= hop <= segment",
        ),
        ("identity", {"batch": 0}, "batch 0"),
    ],
)
def test_a_grid_or_stems_that_cannot_be_are_refused_at_the_start(
    models: Registry, plugin: str, params: dict[str, Any], says: str
) -> None:
    ports = ("more", "most") if plugin == "misnamed" else ("out",)
    with pytest.raises(PluginError, match=says):
        process(graph_of(plugin, *ports, **params), noise(1, 10), rate=48000, registry=models)


def test_two_inputs_are_refused(models: Registry) -> None:
    graph = Graph()
    mix = graph.input("mix")
    graph.output("out", graph.node("model", "two-inputs", mix, mix))
    with pytest.raises(PluginError, match="exactly one input, not 2"):
        process(graph, noise(1, 10), rate=48000, registry=models)


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (1.0, r"separate\(\) gave \[3, 1, 1000\]; it must be .* = \[3, 1, 1, 1000\]"),
        (2.0, r"separate\(\) gave no array of numbers"),
        (3.0, "RuntimeError: out of memory on the device"),
    ],
)
def test_a_model_that_gives_something_else_is_told_what_was_wanted(
    models: Registry, gain: float, says: str
) -> None:
    with pytest.raises(NodeError, match=rf"node 'model' \(wrong\) failed at sample .*{says}"):
        run(models, "wrong", noise(1, 5000), gain=gain)


# A network


@pytest.fixture(scope="module")
def network() -> Graph:
    return graph_of("toy", "a", "b", segment=4000, hop=3000, batch=4)


def test_a_network_gives_the_same_bits_for_any_cut(models: Registry, network: Graph) -> None:
    x = noise(2, 30_000)
    whole = process(network, x, rate=48000, registry=models)
    assert np.abs(whole["a"]).max() > 0.01
    for seed in range(3):
        cuts = np.random.default_rng(seed).integers(0, 9000, 40).tolist()
        cut = process(network, x, rate=48000, registry=models, blocks=[1, 7, 37, 256, *cuts])
        for name in ("a", "b"):
            np.testing.assert_array_equal(cut[name], whole[name])


def test_a_network_gives_the_same_bits_over_a_pipe_of_unknown_length(
    models: Registry, network: Graph, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    sf.write(path, noise(2, 30_000).T, 48000, subtype="FLOAT")
    render(network, path, tmp_path / "file", registry=models, options=RenderOptions(subtype="FLOAT"))
    fifo = tmp_path / "x.fifo"
    subprocess.run(["mkfifo", fifo], check=True)
    with subprocess.Popen(["cp", path, fifo]):
        options = RenderOptions(subtype="FLOAT", max_block=777)
        render(network, fifo, tmp_path / "pipe", registry=models, options=options)
    for name in ("a", "b"):
        one, other = tmp_path / "file" / f"x.{name}.wav", tmp_path / "pipe" / f"x.{name}.wav"
        np.testing.assert_array_equal(sf.read(one)[0], sf.read(other)[0])


def test_live_it_runs_one_segment_at_a_time_within_the_stated_tolerance(
    models: Registry, network: Graph
) -> None:
    x = noise(2, 30_000)
    whole = process(network, x, rate=48000, registry=models)
    with open_stream(
        network, rate=48000, layouts={"mix": "stereo"}, realtime=True, registry=models
    ) as stream:
        assert stream.latency == {"a": 3999, "b": 3999}
        heard = stream.process({"mix": np.pad(x, ((0, 0), (0, 3999)))})
    for name in ("a", "b"):
        np.testing.assert_allclose(heard[name][:, 3999:], whole[name], atol=1e-5)


def test_what_a_network_gives_is_what_it_gives_by_hand(models: Registry) -> None:
    """One segment that holds the whole signal: the network itself, without a host."""
    import torch

    x = noise(1, 4000)
    done = process(graph_of("toy", "a", segment=4000, hop=4000, batch=1), x, rate=48000, registry=models)
    net = segment_rig.Toy(segment_rig.GridParams()).network().eval()
    with torch.no_grad():
        want = net(torch.from_numpy(x)[:, None])[0, 0].numpy()
    np.testing.assert_allclose(done["a"][0], want, atol=1e-6)


def switches() -> dict[str, Any]:
    """Return what each of torch's switches says; some refuse to say anything where others contradict them."""
    import torch

    backends: Any = torch.backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    read: dict[str, Callable[[], Any]] = {
        "products": torch.get_float32_matmul_precision,
        "products in TF32": lambda: matmul.allow_tf32,
        "cuDNN in TF32": lambda: cudnn.allow_tf32,
        "cuDNN": lambda: (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
    }
    if hasattr(cudnn, "conv"):
        read |= {
            "all": lambda: backends.fp32_precision,
            "each": lambda: [one.fp32_precision for one in (matmul, cudnn.conv, cudnn.rnn, cudnn)],
            "products on the CPU": lambda: backends.mkldnn.matmul.fp32_precision,
        }
    found = {}
    for name, call in read.items():
        try:
            found[name] = call()
        except RuntimeError as error:
            found[name] = type(error)
    return found


ALLOWED = {
    "nothing": "",
    "products, by name": "torch.set_float32_matmul_precision('high')",
    "even less": "torch.set_float32_matmul_precision('medium')",
    "products": "backends.cuda.matmul.allow_tf32 = True",
    "none of cuDNN": "backends.cudnn.allow_tf32 = False",
    "whatever is fastest": "backends.cudnn.benchmark = True; backends.cudnn.enabled = False",
    "all": "backends.fp32_precision = 'tf32'",
    "one and not another": (
        "backends.cuda.matmul.fp32_precision = 'tf32'; backends.cudnn.conv.fp32_precision = 'ieee'"
    ),
    "CUDA's": "backends.cudnn.fp32_precision = 'tf32'",
}
SWITCHES = """
import sys, threading, torch
from test_segment_processor import switches
from unbraid.host.contract.torch_switches import whole_float32

backends, new = torch.backends, hasattr(torch.backends, "fp32_precision")
if "fp32_precision" not in sys.argv[1] or new:
    exec(sys.argv[1])
before = switches()

def check():
    inside = switches()
    assert inside["cuDNN"] == (True, False, True)
    assert (inside["products in TF32"], inside["cuDNN in TF32"]) == (False, False)
    assert not new or inside["each"][:3] == ["ieee"] * 3

first, last = threading.Event(), threading.Event()

def beside():
    with whole_float32():
        first.set()
        last.wait(30)
        check()

other = threading.Thread(target=beside)
with whole_float32():
    check()
    other.start()
    first.wait(30)
check()  # one still computes
last.set()
other.join()
assert switches() == before, (switches(), before)
"""


@pytest.mark.parametrize("allowed", ALLOWED)
def test_whatever_a_program_allows_cuda_computes_in_float32_and_the_program_has_its_switches_back(
    allowed: str,
) -> None:
    """In a process of its own: the switches are the process's."""
    command = [sys.executable, "-W", "error", "-c", SWITCHES, ALLOWED[allowed]]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)


INVERSE: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], set[int]]] = {
    "istft": ("istft", ("z", 16), {}, {0, 8}),
    "a named istft of odd frames": ("istft", (), {"input": "z", "n_fft": 17}, {0}),
    "irfft": ("fft_irfft", ("zT",), {}, {0, 8}),
    "irfft of an odd length": ("fft_irfft", ("zT", 17), {}, {0}),
    "irfft of more than there is": ("fft_irfft", ("zT", 40), {}, {0}),
    "irfft of less than there is": ("fft_irfft", (), {"input": "z", "n": 8, "dim": 1}, {0, 4}),
    "as an exported program has it": ("_fft_c2r.default", ("zT", [2], 0, 16), {}, {0, 8}),
    "along two axes": ("_fft_c2r.default", ("zT", [1, 2], 0, 16), {}, set()),
    "no inverse": ("fft_fft", ("zT",), {}, set()),
}


@pytest.mark.parametrize("case", INVERSE)
def test_on_cuda_inverse_transforms_get_what_a_real_sound_has(case: str) -> None:
    """Real numbers at 0 Hz and, of an even length, at its highest bin; all else as it is."""
    import torch

    from unbraid.host.contract.torch_spectra import RealEnds

    name, args, kwargs, ends = INVERSE[case]
    z = torch.complex(torch.ones(2, 9, 5), torch.ones(2, 9, 5))
    spectra = {"z": z, "zT": z.transpose(1, 2)}

    def transform(*args: Any, **kwargs: Any) -> Any:
        return args[0] if args else kwargs["input"]

    transform.__name__ = name
    filled = tuple(spectra.get(one, one) if isinstance(one, str) else one for one in args)
    named = {key: spectra.get(one, one) if isinstance(one, str) else one for key, one in kwargs.items()}
    given = RealEnds().__torch_function__(transform, (), filled, named)
    given = given if given.shape == z.shape else given.transpose(1, 2)
    assert torch.equal(given.real, z.real)
    for row in range(9):
        assert given.imag[:, row].unique().tolist() == [0.0 if row in ends else 1.0]
    assert (z.imag == 1).all()


def test_the_cpu_ignores_what_is_kept_from_cuda() -> None:
    import torch

    from unbraid.host.contract.torch_spectra import RealEnds

    z, window = torch.randn(2, 129, 20, dtype=torch.complex64), torch.hann_window(256)
    calls: list[Callable[[], Any]] = [
        lambda: torch.istft(z, 256, 64, window=window),
        lambda: z.istft(256, 64, window=window),
        lambda: torch.fft.irfft(z, dim=1),
        lambda: torch.ops.aten._fft_c2r.default(z, [1], 2, 256),
    ]
    for call in calls:
        plain = call()
        with RealEnds():
            assert torch.equal(call(), plain)


def test_a_torch_without_cuda_is_told_with_its_remedy(
    models: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("unbraid.host.engine.devices.cuda_devices", lambda: 1)
    graph = Graph()
    graph.output("out", graph.node("model", "toy", graph.input("mix"), device="cuda")["a"])
    said = r"node 'model' \(toy\): torch .* cannot use CUDA here: .* or write device: cpu"
    with pytest.raises(PluginError, match=said):
        process(graph, noise(1, 10), rate=48000, registry=models)


def test_too_little_memory_is_told_with_its_remedy(models: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def greedy(self: Any, batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB. If reserved, set this")

    monkeypatch.setattr(segment_rig.Toy, "infer", greedy)
    said = r"Tried to allocate 9 GiB; take a shorter segment or a smaller batch, or device: cpu"
    with pytest.raises(NodeError, match=said):
        process(graph_of("toy", "a"), noise(1, 5000), rate=48000, registry=models)


def test_torch_is_imported_when_a_network_is_prepared_and_not_before(models: Registry) -> None:
    text = (
        "import sys, segment_rig\n"
        "from unbraid.host.registry import Registry\n"
        "registry = Registry.discover(); registry.add(segment_rig, 'rig')\n"
        "registry.build(registry.card('toy'), segment_rig.GridParams())\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True, cwd=Path(__file__).parent)
