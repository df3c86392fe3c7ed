"""`model`: exported models run as their cards say and agree with torch; no code that a file brings runs."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unbraid.host import Graph, NodeError, process
from unbraid.host.conformance.examination import Examination
from unbraid.host.conformance.finding import Level, Status
from unbraid.host.contract.errors import GraphError, PluginError, UnbraidError
from unbraid.host.models import CheckpointError, ModelCard, ModelCardError, Store, load_tensors
from unbraid.host.models import parse_card as parsed
from unbraid.host.models.catalogue import Catalogue
from unbraid.host.models.importing import import_with_card
from unbraid.host.models.programs import check_program
from unbraid.host.registry import Registry
from unbraid.kernels.threads import use_threads
from unbraid.plugins import model as model_plugin
from unbraid.plugins.separators import exported_model, exported_operators, onnx_model
from unbraid.plugins.separators.axes import Axes

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

SEGMENT = 400
KERNEL = 9


@pytest.fixture(scope="module")
def models() -> Registry:
    found = Registry.discover()
    if "model" not in found.cards:
        found.add(model_plugin, "model")
    assert found.faults == []
    return found


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    return tmp_path


@pytest.fixture
def onnx() -> Any:
    reason = "pip install 'unbraid[onnx]'"
    pytest.importorskip("onnxruntime", reason=reason)
    return pytest.importorskip("onnx", reason=reason)


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def here(
    files: dict[str, tuple[str, bytes]],
    options: dict[str, Any] | None = None,
    *,
    stems: str = "low, high",
    layout: str = "stereo",
) -> ModelCard:
    """Put files into the store and their card into the user's folder; ``{name: (format, bytes)}``."""
    architecture = "torch-export" if next(iter(files.values()))[0] == "torch-export" else "onnx"
    lines = [
        f"  - {{name: {name}, format: {form}, size: {len(data)}, sha256: {hashlib.sha256(data).hexdigest()}}}"
        for name, (form, data) in files.items()
    ]
    text = "\n".join(
        [
            "model: 1",
            "id: mine",
            "name: Mine",
            f"architecture: {architecture}",
            "rate: 44100",
            f"layout: {layout}",
            f"stems: [{stems}]",
            "licence: {code: MIT, weights: MIT}",
            f"options: {json.dumps({'segment': SEGMENT, **(options or {})})}",
            "files:",
            *lines,
        ]
    )
    card = parsed(text, "mine.yaml")
    own = Path(os.environ["XDG_DATA_HOME"]) / "unbraid" / "models" / "mine.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(text)
    for file, (_, data) in zip(card.files, files.values(), strict=True):
        path = Store().path(card, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return card


# ONNX models, drawn by hand


def graph(
    nodes: list[tuple[Any, ...]],
    given: tuple[Any, ...] = ("b", 2, "t"),
    made: dict[str, tuple[Any, ...]] | None = None,
    constants: dict[str, Any] | None = None,
    kind: int = 1,
) -> Any:
    """Return a ModelProto; nodes are ``(operator, inputs, outputs, attributes, domain)``."""
    from onnx import helper, numpy_helper

    drawn = [
        helper.make_node(op, inputs.split(), outputs.split(), **(more[0] if more else {}))
        for op, inputs, outputs, *more in nodes
    ]
    outputs = {"y": ("b", 2, 2, "t")} if made is None else made
    body = helper.make_graph(
        drawn,
        "g",
        [helper.make_tensor_value_info("x", kind, given)],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def stem_weights() -> dict[str, Array]:
    return {
        "w1": noise(12, 2, KERNEL, seed=1),
        "b1": noise(12, seed=2),
        "w2": noise(4, 12, KERNEL, seed=3),
        "b2": noise(4, seed=4),
    }


def small() -> Any:
    """Two convolutions with a tanh between, two stems of two channels."""
    pads = {"pads": [KERNEL // 2, KERNEL // 2]}
    nodes = [
        ("Conv", "x w1 b1", "a", pads),
        ("Tanh", "a", "h"),
        ("Conv", "h w2 b2", "c", pads),
        ("Reshape", "c shape", "y"),
    ]
    return graph(nodes, constants={**stem_weights(), "shape": np.array([0, 2, 2, -1])})


def network() -> Any:
    """The same in torch."""
    import torch

    class Net(torch.nn.Module):
        w1: Any
        b1: Any
        w2: Any
        b2: Any

        def __init__(self) -> None:
            super().__init__()
            for name, value in stem_weights().items():
                self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(value)))

        def forward(self, x: Any) -> Any:
            h = torch.tanh(torch.conv1d(x, self.w1, self.b1, padding=KERNEL // 2))
            return torch.conv1d(h, self.w2, self.b2, padding=KERNEL // 2).reshape(x.shape[0], 2, 2, -1)

    return Net().eval()


def by_torch(x: Array) -> Array:
    import torch

    with torch.no_grad():
        made: Array = network()(torch.from_numpy(x)).numpy()
    return made


def mid_side(given: tuple[Any, ...] = ("b", 2, "t")) -> Any:
    """Mid and side, each of two channels; they sum to the input."""
    halves = np.array([[[0.5], [0.5]], [[0.5], [0.5]], [[0.5], [-0.5]], [[-0.5], [0.5]]], np.float32)
    nodes = [("Conv", "x w", "c"), ("Reshape", "c shape", "y")]
    shape = np.array([0, 2, 2, -1])
    return graph(nodes, given, constants={"w": halves, "shape": shape})


def of(model: Any) -> dict[str, tuple[str, bytes]]:
    return {"m.onnx": ("onnx", model.SerializeToString())}


def run(
    models: Registry, x: Array, outputs: tuple[str, ...], rate: int = 44100, **params: Any
) -> dict[str, Array]:
    drawn = Graph()
    node = drawn.node("separate", "model", drawn.input("mix"), model="mine", **params)
    for name in outputs:
        drawn.output(name, node[name])
    return process(drawn, x, rate=rate, registry=models)


def test_an_onnx_model_gives_what_torch_gives(onnx: Any) -> None:
    separator = onnx_model.load(here(of(small())), "cpu")
    x = noise(3, 2, SEGMENT)
    np.testing.assert_allclose(separator.separate(x), by_torch(x), rtol=0, atol=1e-5)


def test_an_onnx_model_with_external_data_gives_the_same(onnx: Any) -> None:
    model = small()
    plain = onnx_model.load(here(of(model)), "cpu").separate(noise(1, 2, SEGMENT))
    data = bytearray(b"\0" * 7)  # so that offsets matter
    for tensor in model.graph.initializer:
        put_outside(tensor, "m.data", offset=len(data), length=len(tensor.raw_data))
        data += tensor.raw_data
        tensor.ClearField("raw_data")
    card = here({**of(model), "m.data": ("onnx-data", bytes(data))})
    np.testing.assert_array_equal(onnx_model.load(card, "cpu").separate(noise(1, 2, SEGMENT)), plain)


def test_a_model_has_the_same_bits_for_any_number_of_threads_and_any_batch(onnx: Any) -> None:
    card, x = here(of(small())), noise(5, 2, SEGMENT)
    made = []
    for threads in (1, 2, 3):
        with use_threads(threads):
            made.append(onnx_model.load(card, "cpu").separate(x))
    separator = onnx_model.load(card, "cpu")
    made.append(np.concatenate([separator.separate(x[i : i + 1]) for i in range(5)]))
    for other in made[1:]:
        np.testing.assert_array_equal(other, made[0])


def test_a_model_is_loaded_once_however_many_nodes_run_it(onnx: Any) -> None:
    card = here(of(small()))
    assert onnx_model.load(card, "cpu") is onnx_model.load(card, "cpu")


@pytest.mark.parametrize("kind", [10, 11])  # float16, float64
def test_models_of_other_precisions_are_given_theirs(onnx: Any, kind: int) -> None:
    model = graph([("Neg", "x", "y")], made={"y": ("b", 2, "t")}, kind=kind)
    separator = onnx_model.load(here(of(model), {"output": "BCT"}, stems="rest"), "cpu")
    x = noise(2, 2, SEGMENT)
    made = separator.separate(x)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[:, 0], -x, atol=1e-3 if kind == 10 else 0)


# How sound lies in a model


@settings(max_examples=60)
@given(
    letters=st.permutations("BSCT"),
    grouped=st.integers(0, 3),
    one=st.integers(0, 4),
    sizes=st.tuples(*[st.integers(1, 4)] * 4),
)
def test_axes_are_read_in_any_order_and_any_grouping(
    letters: list[str], grouped: int, one: int, sizes: tuple[int, ...]
) -> None:
    parts = (
        [*letters[:grouped], f"({letters[grouped]}{letters[grouped + 1]})", *letters[grouped + 2 :]]
        if grouped < 3
        else list(letters)
    )
    parts.insert(min(one, len(parts)), "1")
    by_letter = dict(zip("BSCT", sizes, strict=True))
    ours = np.arange(np.prod(sizes)).reshape(sizes)
    theirs = np.einsum(f"BSCT->{''.join(letters)}", ours)
    axes = Axes.parse("".join(parts))
    theirs = theirs.reshape(axes.shape(by_letter))
    np.testing.assert_array_equal(axes.unpack(theirs, by_letter), ours)


@pytest.mark.parametrize(
    ("text", "shape", "at"),
    [
        ("BCT", (3, 2, 5), lambda x, b, c, t: x[b, c, t]),
        ("TCB", (5, 2, 3), lambda x, b, c, t: x[t, c, b]),
        ("B1CT", (3, 1, 2, 5), lambda x, b, c, t: x[b, 0, c, t]),
        ("(BC)T", (6, 5), lambda x, b, c, t: x[2 * b + c, t]),
        ("B(TC)", (3, 10), lambda x, b, c, t: x[b, 2 * t + c]),
    ],
)
def test_sound_is_given_in_the_axes_of_the_card(
    text: str, shape: tuple[int, ...], at: Callable[..., Any]
) -> None:
    sound = noise(3, 2, 5)
    packed = Axes.parse(text).pack(sound)
    assert packed.shape == shape
    for b, c, t in np.ndindex(3, 2, 5):
        assert at(packed, b, c, t) == sound[b, c, t]


@pytest.mark.parametrize("text", ["", "BC", "BCCT", "bct", "B(S)T", "BCT)", "BXT", "((SC))T"])
def test_what_names_no_axes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no axes"):
        Axes.parse(text)


FORMS: dict[str, tuple[tuple[Any, ...], list[int], dict[str, tuple[Any, ...]], dict[str, Any]]] = {
    "stems and channels in one axis": (("b", 2, "t"), [0, 4, -1], {"y": ("b", 4, "t")}, {"output": "B(SC)T"}),
    "a batch of one": ((1, 2, "t"), [1, 2, 2, -1], {"y": (1, 2, 2, "t")}, {}),
    "a batch of three": ((3, 2, "t"), [3, 2, 2, -1], {"y": (3, 2, 2, "t")}, {}),
    "a fixed length": (("b", 2, SEGMENT), [0, 2, 2, SEGMENT], {"y": ("b", 2, 2, SEGMENT)}, {}),
    "no names for what varies": ((None, 2, None), [0, 2, 2, -1], {"y": (None, 2, 2, None)}, {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_models_run_in_the_form_they_were_exported_in(onnx: Any, form: str) -> None:
    sides, shape, made, options = FORMS[form]
    halves = np.array([[[0.5], [0.5]], [[0.5], [0.5]], [[0.5], [-0.5]], [[-0.5], [0.5]]], np.float32)
    constants = {"w": halves, "shape": np.array(shape)}
    model = graph([("Conv", "x w", "c"), ("Reshape", "c shape", "y")], sides, made, constants)
    x = noise(4, 2, SEGMENT)
    stems = onnx_model.load(here(of(model), options, stems="mid, side"), "cpu").separate(x)
    mid = (x[:, :1] + x[:, 1:]) / 2
    side = (x[:, :1] - x[:, 1:]) / 2
    expected = np.stack([mid.repeat(2, axis=1), np.concatenate([side, -side], axis=1)], axis=1)
    np.testing.assert_allclose(stems, expected, rtol=0, atol=1e-6)


def test_a_model_without_a_batch_is_run_segment_by_segment(onnx: Any) -> None:
    model = graph([("Neg", "x", "y")], (2, "t"), {"y": (2, "t")})
    options = {"input": "CT", "output": "CT"}
    x = noise(3, 2, SEGMENT)
    made = onnx_model.load(here(of(model), options, stems="rest"), "cpu").separate(x)
    np.testing.assert_array_equal(made[:, 0], -x)


def test_each_stem_may_have_an_output_of_its_own_by_name(onnx: Any) -> None:
    made = dict.fromkeys(("loss", "minus", "twice"), ("b", 2, "t"))
    nodes = [("Neg", "x", "minus"), ("Add", "x x", "twice"), ("Tanh", "x", "loss")]
    options = {"output": "BCT", "outputs": ["twice", "minus"]}
    x = noise(2, 2, SEGMENT)
    stems = onnx_model.load(here(of(graph(nodes, made=made)), options), "cpu").separate(x)
    np.testing.assert_array_equal(stems, np.stack([2 * x, -x], axis=1))


def test_a_mono_model_runs_on_every_channel_if_its_card_says_so(models: Registry, onnx: Any) -> None:
    """The model gives a running sum, so that channels that ran into each other would show."""
    nodes = [("CumSum", "x axis", "sum"), ("Neg", "x", "minus")]
    sides = ("b", "t")
    model = graph(nodes, sides, {"sum": sides, "minus": sides}, {"axis": np.array(1)})
    options = {"input": "BT", "output": "BT", "per_channel": True, "overlap": 0}
    here(of(model), options, stems="sum, minus", layout="mono")
    x = noise(5, SEGMENT)
    made = run(models, x, ("sum", "minus"))
    np.testing.assert_allclose(made["sum"], np.cumsum(x, axis=1), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(made["minus"], -x)


def test_a_mono_model_refuses_stereo_otherwise(models: Registry, onnx: Any) -> None:
    model = graph([("Neg", "x", "y")], ("b", "t"), {"y": ("b", "t")})
    here(of(model), {"input": "BT", "output": "BT"}, stems="rest", layout="mono")
    with pytest.raises(GraphError, match="takes mono, not stereo"):
        run(models, noise(2, SEGMENT), ("rest",))


def test_segments_are_brought_to_one_peak_and_back(onnx: Any) -> None:
    model = graph([("Mul", "x x", "y")], made={"y": ("b", 2, "t")})
    options = {"output": "BCT", "normalise": "peak"}
    x = noise(3, 2, SEGMENT) * np.array([1, 0.01, 0], np.float32)[:, None, None]
    made = onnx_model.load(here(of(model), options, stems="square"), "cpu").separate(x)
    peak = np.abs(x).max(axis=(1, 2), keepdims=True)
    expected = np.divide(x * x, peak, out=np.zeros_like(x), where=peak > 0)
    np.testing.assert_allclose(made[:, 0], expected, rtol=1e-5, atol=1e-9)


# The node


def test_its_outputs_are_the_cards_stems_and_what_they_leave(models: Registry, onnx: Any) -> None:
    here(of(small()))
    x = noise(2, 5 * SEGMENT + 17)
    made = run(models, x, ("low", "high", "rest"), residual="rest", overlap=0.5)
    np.testing.assert_allclose(sum(made.values()), x, rtol=0, atol=1e-6)
    assert all(np.abs(one).max() > 0.01 for one in made.values())


def test_a_model_that_gives_its_input_back_is_not_heard(models: Registry, onnx: Any) -> None:
    here(of(mid_side()), {"overlap": 0.3}, stems="mid, side")
    x = noise(2, 4 * SEGMENT + 123)
    made = run(models, x, ("mid", "side"), batch=3)
    np.testing.assert_allclose(made["mid"] + made["side"], x, rtol=0, atol=1e-6)


def test_the_host_resamples_to_the_cards_rate(models: Registry, onnx: Any) -> None:
    here(of(mid_side()), stems="mid, side")
    t = np.arange(48000) / 48000
    x = np.stack([np.sin(2 * np.pi * 440 * t)] * 2).astype(np.float32)
    made = run(models, x, ("mid",), rate=48000)["mid"]
    assert made.shape == x.shape
    np.testing.assert_allclose(made[:, 2000:-2000], x[:, 2000:-2000], rtol=0, atol=1e-3)


def test_without_a_model_the_graph_is_refused_in_words(models: Registry) -> None:
    drawn = Graph()
    drawn.output("out", drawn.node("separate", "model", drawn.input("mix"))["out"])
    with pytest.raises(
        GraphError, match=r"model is not set: write model: ID; .*models import FILE --card"
    ) as raised:
        process(drawn, noise(2, 100), rate=44100, registry=models)
    assert "\n" not in str(raised.value)


def test_an_unknown_model_offers_the_nearest(models: Registry, onnx: Any) -> None:
    here(of(small()))
    drawn = Graph()
    drawn.output("low", drawn.node("separate", "model", drawn.input("mix"), model="mime")["low"])
    with pytest.raises(GraphError, match="did you mean 'mine'"):
        process(drawn, noise(2, 100), rate=44100, registry=models)


def test_a_missing_file_is_an_error_and_never_a_pass_through(models: Registry, onnx: Any) -> None:
    card = here(of(small()))
    Store().path(card, card.files[0]).unlink()
    with pytest.raises(NodeError, match="model mine is not here"):
        run(models, noise(2, 1000), ("low",))


def test_a_residual_needs_a_name_of_its_own(models: Registry, onnx: Any) -> None:
    here(of(small()))
    with pytest.raises(GraphError, match="residual = 'low' must be a name other than low, high"):
        run(models, noise(2, 1000), ("low",), residual="low")


def test_a_fixed_length_that_is_not_the_nodes_is_told_before_any_sound(models: Registry, onnx: Any) -> None:
    fixed = mid_side(("b", 2, SEGMENT))
    here(of(fixed), stems="mid, side")
    with pytest.raises(PluginError, match=f"node 'separate' .*takes exactly {SEGMENT} samples, not 44100"):
        run(models, noise(2, 1000), ("mid",), segment=1.0)
    with pytest.raises(
        PluginError, match=f"takes exactly {SEGMENT} samples, not 500: write segment: {SEGMENT}"
    ):
        onnx_model.load(here(of(fixed), {"segment": 500}, stems="mid, side"), "cpu")


def test_it_passes_the_conformance_kit(onnx: Any) -> None:
    here(of(mid_side()), stems="mid, side")
    terms: dict[str, Any] = {"params": {"model": "mine", "residual": "rest"}}
    if "model" not in Registry.discover().cards:
        terms["modules"] = ("unbraid.plugins.model",)
    with Examination("model", level=Level.STANDARD, **terms) as examination:
        found = [examination.run(check) for check, _ in examination.checks]
    assert [str(each) for each in found if each.status is Status.FAILED] == []
    passed = {each.check for each in found if each.status is Status.PASSED}
    assert {"cuts", "latency", "reset", "seed", "outputs", "rates", "live", "sums"} <= passed


# Cards that cannot be


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "spectra": (
        {"domain": "spectrum"},
        "only models of waveforms are run; export the model with its transform",
    ),
    "no segment": ({"segment": 0}, "needs one of segment and seconds"),
    "both": ({"seconds": 1.0}, "needs one of segment and seconds"),
    "overlap": ({"overlap": 1.0}, "overlap must be 0 to below 1"),
    "multiple": ({"multiple": 7}, "a segment of 400 samples is no multiple of 7"),
    "axes": ({"input": "BQT"}, "'BQT' names no axes"),
    "stems in the input": ({"input": "BSCT"}, "names stems, which a model gives"),
    "no channels": ({"input": "BT"}, "must both name C for stereo"),
    "stereo by channel": ({"per_channel": True}, "per_channel is for models of one channel"),
    "unknown": ({"sgment": 3}, "unknown field `sgment`"),
    "too many outputs": ({"outputs": ["y", "z"]}, "holds all stems, so outputs names one tensor"),
    "output by name": ({"outputs": ["z"]}, "its model has no output 'z': it has y"),
    "rank": ({"output": "B(SC)T"}, "names 3 axes, and its model has y [any, 2, 2, any]"),
    "one each": ({"output": "BCT"}, "means 2 output tensors, it has 1: y"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_card_is_one_line(onnx: Any, case: str) -> None:
    options, told = WRONG[case]
    with pytest.raises(ModelCardError) as raised:
        onnx_model.load(here(of(small()), options), "cpu")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_layout_that_is_not_the_models_is_told(onnx: Any) -> None:
    with pytest.raises(ModelCardError, match=r"layout: its model has the input x \[any, 2, any\]"):
        onnx_model.load(here(of(small()), layout="5.1"), "cpu")


def test_an_output_of_another_shape_is_told(onnx: Any) -> None:
    model = graph([("Concat", "x x x", "y", {"axis": 1})], made={"y": ("b", "c", "t")})
    separator = onnx_model.load(here(of(model), {"output": "B(SC)T"}), "cpu")
    with pytest.raises(
        PluginError, match=r"gave \[1, 6, 400\] where its card's output: B\(SC\)T means \[1, 4, 400\]"
    ):
        separator.separate(noise(1, 2, SEGMENT))


def test_cuda_without_cuda_is_told(onnx: Any) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA: pip install onnxruntime for the one without")
    with pytest.raises(PluginError, match="has no CUDA: pip install onnxruntime-gpu"):
        onnx_model.load(here(of(small())), "cuda")


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_a_library_that_is_not_installed_is_told_with_its_extra(
    onnx: Any, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = here(of(small()))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnbraidError, match=rf"needs {library}: pip install 'unbraid\[onnx\]'"):
        onnx_model.load(card, "cpu")


# ONNX files that would do something else


def put_outside(tensor: Any, location: str, **more: Any) -> None:
    tensor.data_location = 1
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "secret", "", "m.onnx"])
def test_no_file_is_opened_but_those_of_the_card(onnx: Any, location: str, folders: Path) -> None:
    model = small()
    put_outside(model.graph.initializer[0], location)
    card = here(of(model))
    path = Store().path(card, card.files[0])
    (path.parent / "secret").write_bytes(b"\0" * 10_000)
    (path.parents[1] / "secret").write_bytes(b"\0" * 10_000)
    with pytest.raises(
        CheckpointError, match=r"refused: tensor 'w1' lies in .*, which is no file of its card"
    ):
        onnx_model.load(card, "cpu")


def test_a_tensor_in_the_attribute_of_a_function_is_held_to_the_same(onnx: Any) -> None:
    from onnx import helper, numpy_helper

    model = small()
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
    put_outside(tensor, "/etc/hostname")
    inner = [helper.make_node("Constant", [], ["k"], value=tensor)]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("mine", "F", [], ["k"], inner, opsets))
    with pytest.raises(CheckpointError, match="tensor 'hidden' lies in '/etc/hostname'"):
        onnx_model.load(here(of(model)), "cpu")


@pytest.mark.parametrize(("offset", "length"), [(0, 10_000), (-8, 8), (10**12, 8), ("x", 8)])
def test_external_data_beyond_their_file_are_refused(onnx: Any, offset: Any, length: int) -> None:
    model = small()
    put_outside(model.graph.initializer[0], "m.data", offset=offset, length=length)
    card = here({**of(model), "m.data": ("onnx-data", bytes(100))})
    with pytest.raises(CheckpointError, match=r"lies beyond the end of m\.data"):
        onnx_model.load(card, "cpu")


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (("Neg", "x", "y", {"domain": "my.operators"}), "it needs the operator Neg of my.operators"),
        (("EPContext", "x", "y", {"domain": "com.microsoft"}), "it needs the operator EPContext"),
        (("RandomNormalLike", "x", "y"), r"it draws random numbers \(RandomNormalLike\)"),
    ],
)
def test_operators_that_are_not_onnxs_or_random_are_refused(onnx: Any, node: Any, told: str) -> None:
    model = graph([node], made={"y": ("b", 2, "t")})
    with pytest.raises(CheckpointError, match=f"refused: {told}"):
        onnx_model.load(here(of(model), {"output": "BCT"}, stems="y"), "cpu")


def test_what_is_no_onnx_model_is_one_line(onnx: Any) -> None:
    whole = small().SerializeToString()
    for data in (whole[: len(whole) // 2], b"\x80\x04junk" * 50):
        with pytest.raises(CheckpointError, match=r"is no (whole )?ONNX model") as raised:
            onnx_model.load(here({"m.onnx": ("onnx", data)}), "cpu")
        assert "\n" not in str(raised.value)


def test_a_model_that_onnx_runtime_refuses_is_one_line(onnx: Any) -> None:
    model = graph([("Conv", "x missing", "y")], made={"y": ("b", 2, "t")})
    with pytest.raises(PluginError, match="model mine: ONNX Runtime refuses it") as raised:
        onnx_model.load(here(of(model), {"output": "BCT"}, stems="y"), "cpu")
    assert "\n" not in str(raised.value)


# torch.export


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import torch

    path = tmp_path_factory.mktemp("export") / "m.pt2"
    dims = {0: torch.export.Dim("b", min=1, max=64), 2: torch.export.Dim("t", min=KERNEL, max=10**6)}
    exported = torch.export.export(network(), (torch.zeros(2, 2, 100),), dynamic_shapes=(dims,))
    torch.export.save(exported, path)
    return path.read_bytes()


def changed(
    data: bytes,
    members: dict[str, bytes | Callable[[Any], Any]],
    folder: Path,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """Return an archive with some members in place of others; a function changes what is JSON."""
    path = folder / "changed.pt2"
    with zipfile.ZipFile(path, "w", compression) as out, zipfile.ZipFile(folder_file(folder, data)) as source:
        for one in source.infolist():
            text = source.read(one)
            new = members.get(one.filename.partition("/")[2], text)
            if callable(new):
                told = json.loads(text)
                text = json.dumps(new(told) or told).encode()
            else:
                text = new
            out.writestr(one.filename, text)
    return path.read_bytes()


def folder_file(folder: Path, data: bytes) -> Path:
    path = folder / "whole.pt2"
    path.write_bytes(data)
    return path


def exported(data: bytes, **options: Any) -> Any:
    return exported_model.load(here({"m.pt2": ("torch-export", data)}, options), "cpu")


def test_an_exported_model_gives_what_torch_gives(archive: bytes) -> None:
    x = noise(3, 2, SEGMENT)
    np.testing.assert_allclose(exported(archive).separate(x), by_torch(x), rtol=0, atol=1e-5)


def test_what_exporters_leave_of_larger_networks_gives_what_torch_gives(tmp_path: Path) -> None:
    """Spectra, attention, norms: with sizes that vary, lists of results, numbers as arguments."""
    import torch
    from torch import nn

    class Net(nn.Module):
        window: Any

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.hann_window(64).clone())
            self.norm, self.attention = nn.GroupNorm(1, 2), nn.MultiheadAttention(66, 2, batch_first=True)
            self.masks = nn.Sequential(nn.Dropout(0.5), nn.Linear(66, 132), nn.PReLU())

        def forward(self, x: Any) -> Any:
            b, c, n = x.shape
            spectra = torch.stft(x.reshape(b * c, n), 64, 16, window=self.window, return_complex=True)
            frames = spectra.shape[-1]
            size = self.norm(spectra.abs().reshape(b, c, 33, frames))
            y = size.permute(0, 3, 1, 2).reshape(b, frames, c * 33)
            y = self.masks(y + self.attention(y, y, y)[0])
            first, second = y.transpose(1, 2).reshape(b, 2, c, 33, frames).chunk(2, dim=1)
            masks = torch.cat([first.sigmoid(), second.tanh()], dim=1)
            stems = (masks * spectra.reshape(b, 1, c, 33, frames)).reshape(-1, 33, frames)
            return torch.istft(stems, 64, 16, window=self.window, length=n).reshape(b, 2, c, n)

    torch.manual_seed(0)
    net = Net().eval()
    dims = {0: torch.export.Dim("b", min=1, max=64)}
    with torch.no_grad():
        program = torch.export.export(net, (torch.zeros(2, 2, SEGMENT),), dynamic_shapes=(dims,))
    torch.export.save(program, tmp_path / "m.pt2")
    x = noise(3, 2, SEGMENT)
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    made = exported((tmp_path / "m.pt2").read_bytes()).separate(x)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)
    with pytest.raises(PluginError, match=f"takes exactly {SEGMENT} samples, not 500"):
        exported((tmp_path / "m.pt2").read_bytes(), segment=500)


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def pickled(thing: object) -> bytes:
    return pickle.dumps(thing)


def test_what_is_pickled_in_an_archive_never_runs(archive: bytes, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    pickle.loads(pickled(Canary(canary)))  # noqa: S301 - it would run
    canary.unlink()
    evil = pickled(Canary(canary))

    def as_pickle(config: Any) -> None:
        config["config"]["w1"]["use_pickle"] = True

    def as_object(config: Any) -> None:
        for path in ("custom_obj_0", "opaque_obj_0", "tensor_0"):
            config["config"][path] = {
                "path_name": path,
                "is_param": False,
                "use_pickle": True,
                "tensor_meta": None,
            }

    changes: list[dict[str, bytes | Callable[[Any], Any]]] = [
        {"data/weights/model_weights_config.json": as_pickle, "data/weights/weight_0": evil},
        {"data/constants/model_constants_config.json": as_object},
    ]
    for members in changes:
        with pytest.raises(CheckpointError, match="is pickled, and it was not run"):
            exported(changed(archive, members, tmp_path))
    # Sample inputs are of no use here; with them the model runs as without.
    separator = exported(changed(archive, {"data/sample_inputs/model.pt": evil}, tmp_path))
    assert separator.separate(noise(1, 2, SEGMENT)).shape == (1, 2, 2, SEGMENT)
    assert not canary.exists()


def test_the_text_of_a_size_is_never_evaluated(archive: bytes, tmp_path: Path) -> None:
    canary = tmp_path / "ran"

    def with_code(program: Any) -> None:
        for meta in program["graph_module"]["graph"]["tensor_values"].values():
            for side in meta["sizes"] + meta["strides"]:
                if "as_expr" in side:
                    side["as_expr"]["expr_str"] = f"__import__('pathlib').Path({str(canary)!r}).touch()"

    made = exported(changed(archive, {"models/model.json": with_code}, tmp_path)).separate(
        noise(1, 2, SEGMENT)
    )
    assert made.shape == (1, 2, 2, SEGMENT)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("torch.ops.aten.from_file.default", "it is not among those that are known to be safe"),
        ("torch.ops.aten.empty.memory_format", "it is not among those that are known to be safe"),
        ("torch.ops.aten.rand_like.default", "it draws random numbers"),
        ("torch.ops.aten.tanh_.default", "it changes its input in place"),
        ("torch.ops.aten.tanh.out", "it changes its input in place"),
        ("torch.ops.aten.nothing.default", "this torch has no such operator"),
        ("torch.ops.aten.__class__.default", "this torch has no such operator"),
        ("torch.ops.aten.tanh.__call__", "this torch has no such operator"),
        ("torch.ops.higher_order.cond", "it is none of ATen's"),
        ("torch.hub.load", "it is none of ATen's"),
        ("torch.ops.load_library", "it is none of ATen's"),
        ("_operator.methodcaller", "it is none of ATen's"),
        ("os.system", "it is none of ATen's"),
        ("builtins.eval", "it is none of ATen's"),
    ],
)
def test_no_operator_is_called_but_those_that_only_compute(
    archive: bytes, tmp_path: Path, target: str, told: str
) -> None:
    def with_target(program: Any) -> None:
        (node,) = (one for one in program["graph_module"]["graph"]["nodes"] if "tanh" in one["target"])
        node["target"] = target

    with pytest.raises(CheckpointError, match=f"refused: it uses '{target}', and {told}") as raised:
        exported(changed(archive, {"models/model.json": with_target}, tmp_path))
    assert "\n" not in str(raised.value)


def test_every_listed_operator_is_one_of_torchs() -> None:
    import torch

    listed = exported_operators._LISTED | exported_operators._STILL
    assert [name for name in sorted(listed) if not hasattr(torch.ops.aten, name)] == []
    assert not {"from_file", "save", "set_", "resize_", "rand", "empty"} & listed


def test_a_network_in_training_or_with_a_memory_is_refused(tmp_path: Path) -> None:
    import torch

    class Counts(torch.nn.Module):
        count: Any

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: Any) -> Any:
            self.count.add_(1)
            return (x + self.count)[:, None]

    for net, told in (
        (Counts(), r"aten\.add_\.Tensor', and it changes its input in place"),
        (torch.nn.Dropout(0.5).train(), "is as it is trained; call eval"),
    ):
        torch.export.save(torch.export.export(net, (torch.zeros(1, 2, 100),)), tmp_path / "m.pt2")
        with pytest.raises(CheckpointError, match=told):
            exported((tmp_path / "m.pt2").read_bytes())


def _memory(program: Any) -> None:
    kept = {"buffer_mutation": {"arg": {"name": "x"}, "buffer_name": "state"}}
    program["graph_module"]["signature"]["output_specs"].insert(0, kept)


def _schema(program: Any) -> None:
    program["schema_version"]["major"] = 99


def _unknown_name(program: Any) -> None:
    program["graph_module"]["graph"]["nodes"][-1]["inputs"][0]["arg"] = {"as_tensor": {"name": "nowhere"}}


def _no_graph(program: Any) -> None:
    del program["graph_module"]["graph"]["nodes"]


def _beyond(config: Any) -> None:
    config["config"]["w1"]["tensor_meta"]["storage_offset"] = {"as_int": 1}


def _huge(config: Any) -> None:
    meta = config["config"]["w1"]["tensor_meta"]
    meta["sizes"], meta["strides"] = [{"as_int": 10**9}], [{"as_int": 0}]


WEIGHTS, PROGRAM = "data/weights/model_weights_config.json", "models/model.json"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({PROGRAM: _schema}, "is of schema 99, and 8 is known; copy it again"),
        (
            {PROGRAM: _memory},
            "it changes what it holds (buffer_mutation), so one segment would change the next",
        ),
        ({PROGRAM: _unknown_name}, "takes 'nowhere', which is not there yet"),
        ({PROGRAM: _no_graph}, "is not as torch.export.save writes it: KeyError"),
        ({PROGRAM: b"{"}, "is no whole archive of torch.export.save"),
        ({PROGRAM: b"[]"}, "is not as torch.export.save writes it: TypeError"),
        ({WEIGHTS: _beyond}, "'w1' is no tensor that lies within its file"),
        ({WEIGHTS: _huge}, "'w1' is no tensor that lies within its file"),
        ({"data/weights/weight_0": b""}, "'w1' is no tensor that lies within its file"),
        ({"archive_format": b"zip"}, "is no whole archive of torch.export.save"),
        ({"byteorder": b"big"}, "is big-endian"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_is_one_line(
    archive: bytes, tmp_path: Path, members: dict[str, Any], told: str
) -> None:
    with pytest.raises(CheckpointError) as raised:
        exported(changed(archive, members, tmp_path))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_compressed_or_truncated_archive_is_refused(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is compressed, which torch\.export\.save never does"):
        exported(changed(archive, {}, tmp_path, zipfile.ZIP_DEFLATED))
    with pytest.raises(CheckpointError, match=r"is no whole archive of torch\.export\.save"):
        exported(archive[:-500])


# Files in the store


def test_a_network_is_imported_with_its_card_if_it_is_whole(
    onnx: Any, archive: bytes, tmp_path: Path
) -> None:
    text = (
        "model: 1\nid: new\nname: New\narchitecture: ARCH\nrate: 44100\nlayout: stereo\nstems: [a]\n"
        "licence: {code: MIT, weights: MIT}\noptions: {segment: 400}\nfiles: [{name: m.bin, format: ARCH}]\n"
    )
    for form, data in (("onnx", small().SerializeToString()), ("torch-export", archive)):
        card, source = tmp_path / "card.yaml", tmp_path / "given"
        card.write_text(text.replace("ARCH", form).replace("id: new", f"id: new-{form}"))
        source.write_bytes(data[: len(data) - 100])
        with pytest.raises(CheckpointError, match="is no whole"):
            import_with_card([source], card, Catalogue())
        source.write_bytes(data)
        known = import_with_card([source], card, Catalogue())
        assert known.files[0].sha256 == hashlib.sha256(data).hexdigest()
        assert Store().find(known)[0].read_bytes() == data


def test_a_network_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="is of the format onnx, which holds more than tensors"):
        load_tensors(tmp_path / "m.onnx", "onnx")


@settings(max_examples=200)
@given(data=st.binary(max_size=60).filter(lambda data: b"\x3a" not in data))  # the key of a model's graph
@example(data=b"8\0\0\0")  # the graph's number, on a field that holds none
def test_any_bytes_are_checked_without_a_crash(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for form in ("onnx", "torch-export"):
        with pytest.raises(CheckpointError, match="any: is no whole"):
            check_program(path, form)
