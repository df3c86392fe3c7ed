"""Small checkpoints of every architecture in the form that theirs are published in, with random weights."""

from __future__ import annotations

import json
import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from asteroid_rig import formed
from unbraid.host.models import Licence, ModelCard, ModelFile
from unbraid.plugins.separators import roformer
from unbraid.plugins.separators.conv_tasnet import ConvTasNetOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from command_rig import Unbraid

__all__ = ["LICENCES", "MAKERS", "Made", "archive", "carded", "graph_of", "state_of"]

LICENCES = ("--licence-code", "MIT", "--licence-weights", "CC-BY-4.0")
_TASNET = {
    "kernel_size": 16, "stride": 8, "mask_act": "relu", "n_filters": 16, "n_blocks": 2, "n_repeats": 1,
    "bn_chan": 8, "hid_chan": 12, "skip_chan": 8, "conv_kernel_size": 3, "norm_type": "gLN",
}  # fmt: skip
_ROFORMER = {
    "dim": 8, "depth": 1, "time_transformer_depth": 1, "freq_transformer_depth": 1, "dim_head": 4, "heads": 2,
    "freqs_per_bands": [60, 69], "stft_n_fft": 256, "stft_hop_length": 128, "stft_win_length": 256,
}  # fmt: skip


class Made(NamedTuple):
    """A checkpoint, and what its owner would say of it.

    Attributes:
        paths: its files.
        said: options of ``unbraid models card``.
        node: the plugin that runs it.
        outputs: of that node.
        parts: the outputs that sum to its input; none where nothing does.
    """

    paths: tuple[Path, ...]
    said: tuple[str, ...]
    node: str
    outputs: tuple[str, ...]
    parts: tuple[str, ...]


def state_of(network: Any, seed: int = 1) -> dict[str, Any]:
    """Return a network's state, every real weight drawn at random around what it was."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.02 * torch.randn(value.shape, generator=generator).abs()
        if value.is_floating_point()
        else value
        for name, value in network.state_dict().items()
    }


def carded(unbraid: Unbraid, made: Made) -> None:
    """Write a card into the working folder and import the files under it, as ``mine``."""
    done = unbraid("models", "card", *made.paths, "--id", "mine", *LICENCES, *made.said, "-o", "mine.yaml")
    assert done.code == 0, done.err
    done = unbraid("models", "import", *made.paths, "--card", "mine.yaml")
    assert done.code == 0, done.err


def graph_of(made: Made) -> str:
    """Return a graph that runs ``mine``, with all of its outputs."""
    params = "{model: mine, residual: rest}" if made.node == "model" else "{model: mine}"
    outputs = "".join(f"  {name}: {{from: sep.{name}, subtype: FLOAT}}\n" for name in made.outputs)
    return (
        f"unbraid: 1\nnodes:\n  sep: {{use: {made.node}, from: mix, params: {params}}}\noutputs:\n{outputs}"
    )


def htdemucs(folder: Path) -> Made:
    """Demucs 4 as ``.th``; needs the library, which has the networks."""
    pytest.importorskip("demucs", reason="pip install 'unbraid[demucs]'")
    import torch
    from demucs.htdemucs import HTDemucs

    stems = ("drums", "bass", "other", "vocals")
    torch.manual_seed(1)
    net = HTDemucs(list(stems), channels=8, t_layers=1, t_heads=2, bottom_channels=16, segment=Fraction(2, 5))
    args, kwargs = net._init_args_kwargs
    state = {name: value.half() for name, value in net.state_dict().items()}
    path = folder / "small-0123.th"
    torch.save({"klass": HTDemucs, "args": args, "kwargs": kwargs, "state": state}, path)
    return Made((path,), (), "vocals", (*stems, "accompaniment"), ("vocals", "accompaniment"))


def open_unmix(folder: Path) -> Made:
    """Open-Unmix as ``.pth``, a file for each stem, and what they leave."""
    import torch

    from unbraid.plugins.separators.open_unmix_network import OpenUnmixNet, sizes_of

    shapes = {"fc1.weight": (8, 2 * 100), "input_mean": (100,), "output_scale": (129,)}
    shapes |= {"lstm.weight_ih_l0": (1,), "lstm.weight_ih_l0_reverse": (1,)}
    sizes = sizes_of({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    paths = []
    for seed, stem in enumerate(("vocals", "drums")):
        torch.manual_seed(seed)
        paths.append(folder / f"{stem}-0123.pth")
        state = state_of(OpenUnmixNet(sizes), seed)
        torch.save({**state, "sample_rate": torch.tensor([44100.0])}, paths[-1])
    said = ("--stems", "vocals,drums,other")
    outputs = ("vocals", "accompaniment", "drums", "other")
    return Made(tuple(paths), said, "vocals", outputs, ("vocals", "drums", "other"))


def conv_tasnet(folder: Path) -> Made:
    """Conv-TasNet as asteroid's ``.pth``."""
    from unbraid.plugins.separators.conv_tasnet_network import conv_tasnet as network

    net = network(ConvTasNetOptions(**_TASNET), 2)  # type: ignore[arg-type]
    path = formed(net, folder / "meeting.pth", "ConvTasNet", {**_TASNET, "n_src": 2, "sample_rate": 8000})
    said = ("--option", "segment=0.5")
    speakers = ("speaker_1", "speaker_2")
    return Made((path,), said, "speakers", (*speakers, "rest"), (*speakers, "rest"))


def roformer_ckpt(folder: Path) -> Made:
    """BS-RoFormer as ``.ckpt`` beside its configuration."""
    import torch

    from unbraid.plugins.separators.roformer_network import network

    options = {**_ROFORMER, "segment": 12800}
    files = (ModelFile("a.ckpt", "torch"),)
    card = ModelCard(
        "a", "A", "bs-roformer", 44100, "stereo", ("vocals",), files, Licence("MIT", "MIT"), options=options
    )
    torch.manual_seed(1)
    net = network(
        roformer._shape(card, roformer.options_of(card)), roformer._bands(card, roformer.options_of(card))
    )
    path, config = folder / "voices ep 12.ckpt", folder / "config.yaml"
    torch.save({"state_dict": net.state_dict()}, path)
    model = {**_ROFORMER, "stereo": True, "num_stems": 1, "flash_attn": True}
    lines = [
        f"  {key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in model.items()
    ]
    training = "training: {instruments: [vocals, other], target_instrument: vocals}"
    config.write_text(
        "\n".join(["model:", *lines, training, "inference: {chunk_size: 12800, num_overlap: 2}"])
    )
    said = ("--config", str(config))
    return Made((path,), said, "vocals", ("vocals", "accompaniment"), ("vocals", "accompaniment"))


def onnx(folder: Path) -> Made:
    """One convolution of two stems as ``.onnx``."""
    helper = pytest.importorskip("onnx.helper", reason="pip install 'unbraid[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'unbraid[onnx]'")
    from onnx import numpy_helper

    weights = np.random.default_rng(1).normal(scale=0.3, size=(4, 2, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[2, 2]),
        helper.make_node("Reshape", ["c", "shape"], ["y"]),
    ]
    given = [helper.make_tensor_value_info("x", 1, ("b", 2, "t"))]
    made = [helper.make_tensor_value_info("y", 1, ("b", 2, 2, "t"))]
    constants = {"w": weights, "shape": np.array([0, 2, 2, -1])}
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph(nodes, "g", given, made, held), opset_imports=opset)
    model.ir_version = 9
    path = folder / "pair.onnx"
    path.write_bytes(model.SerializeToString())
    return Made((path,), _SAID, "model", ("left", "right", "rest"), ("left", "right", "rest"))


def torch_export(folder: Path) -> Made:
    """One convolution, laid out as ``torch.export.save`` does; to export it would take seconds."""
    path = folder / "pair.pt2"
    archive(path)
    said = (*_SAID, "--option", "output=B(SC)T")
    return Made((path,), said, "model", ("left", "right", "rest"), ("left", "right", "rest"))


def archive(path: Path, *, channels: int = 2, pickled: bytes = b"", held: bool = True) -> None:
    """Write such an archive.

    Args:
        path: where to.
        channels: that the model takes.
        pickled: what its weights are in place of an array.
        held: whether it has weights.
    """
    weights = np.random.default_rng(1).normal(scale=0.3, size=(4, channels, 5)).astype(np.float32)
    entry = {"path_name": "weight_0", "is_param": True, "use_pickle": bool(pickled)}
    entry["tensor_meta"] = None if pickled else _meta(4, channels, 5)
    members = {
        "archive_format": b"pt2",
        "byteorder": b"little",
        "models/model.json": json.dumps(_program(channels)).encode(),
        "data/weights/model_weights_config.json": json.dumps(
            {"config": {"w": entry} if held else {}}
        ).encode(),
        "data/weights/weight_0": pickled or weights.tobytes(),
        "data/constants/model_constants_config.json": b'{"config": {}}',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(f"pair/{name}", data)


def _meta(*sides: int) -> dict[str, Any]:
    steps = [int(np.prod(sides[axis + 1 :])) for axis in range(len(sides))]
    whole = {"sizes": [{"as_int": n} for n in sides], "strides": [{"as_int": n} for n in steps]}
    where = {"device": {"type": "cpu", "index": None}, "storage_offset": {"as_int": 0}, "layout": 7}
    return {"dtype": 7, "requires_grad": False, **whole, **where}


def _program(channels: int) -> dict[str, Any]:
    told = {
        "input": {"as_tensor": {"name": "x"}}, "weight": {"as_tensor": {"name": "p_w"}},
        "bias": {"as_none": True}, "stride": {"as_ints": [1]}, "padding": {"as_ints": [2]},
    }  # fmt: skip
    node: dict[str, Any] = {
        "target": "torch.ops.aten.conv1d.default",
        "inputs": [{"name": name, "arg": value, "kind": 1} for name, value in told.items()],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "metadata": {},
        "is_hop_single_tensor_return": None,
    }
    values = {"p_w": _meta(4, channels, 5), "x": _meta(1, channels, 11025), "y": _meta(1, 4, 11025)}
    graph = {
        "inputs": [{"as_tensor": {"name": "p_w"}}, {"as_tensor": {"name": "x"}}],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "nodes": [node],
        "tensor_values": values,
    }
    weight = {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "w"}}
    signature = {
        "input_specs": [weight, {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}],
        "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "y"}}}}],
    }
    return {"schema_version": {"major": 8}, "graph_module": {"graph": graph, "signature": signature}}


_SAID = ("--rate", "44100", "--layout", "stereo", "--stems", "left,right", "--option", "segment=11025")
MAKERS: dict[str, Callable[[Path], Made]] = {
    "htdemucs": htdemucs,
    "open-unmix": open_unmix,
    "conv-tasnet": conv_tasnet,
    "roformer": roformer_ckpt,
    "onnx": onnx,
    "torch-export": torch_export,
}
