"""Demucs: published checkpoints give what the library gives; what is none of theirs is refused by name."""

from __future__ import annotations

import hashlib
import json
import os
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host.models import (
    CheckpointError,
    Licence,
    ModelCard,
    ModelCardError,
    ModelError,
    ModelFile,
    Store,
    read_card,
    save_tensors,
)
from unbraid.plugins.separators import demucs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytest.importorskip("demucs", reason="pip install 'demucs>=4.1,<4.2'")

Array = npt.NDArray[np.float32]
STEMS = ("drums", "bass", "vocals")
RATE = 44100


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))


def network(kind: str = "HTDemucs", seed: int = 1) -> Any:
    """A small network of the library with random weights, which half precision holds exactly."""
    import torch
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    made: dict[str, Callable[[], Any]] = {
        "HTDemucs": lambda: HTDemucs(
            list(STEMS), channels=8, t_layers=2, t_heads=2, bottom_channels=16, segment=Fraction(2, 5)
        ),
        "HDemucs": lambda: HDemucs(sources=list(STEMS), channels=4, samplerate=RATE),
        "Demucs": lambda: Demucs(list(STEMS), channels=4, depth=3),
    }
    torch.manual_seed(seed)
    net = made[kind]()
    net.load_state_dict({name: value.half().float() for name, value in net.state_dict().items()})
    return net.eval()


def package(net: Any, **other: Any) -> dict[str, Any]:
    """What the library's training writes of a network."""
    args, kwargs = net._init_args_kwargs
    state = {name: value.half() for name, value in net.state_dict().items()}
    notes = {"klass": type(net), "args": args, "kwargs": kwargs, "state": state}
    return {**notes, "training_args": {"epochs": 3, "score": np.float64(8.5)}, **other}


def torch_file(path: Path, net: Any, **other: Any) -> Path:
    import torch

    torch.save(package(net, **other), path)
    return path


def plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
    return value


def safetensors_file(path: Path, net: Any, **other: str) -> Path:
    """The file as the library's authors publish it: class and arguments as JSON in the header."""
    args, kwargs = net._init_args_kwargs
    texts = {
        "klass": f"{type(net).__module__}.{type(net).__name__}",
        "args": json.dumps(args),
        "kwargs": json.dumps({key: plain(value) for key, value in kwargs.items()}),
    }
    state = {name: value.half().numpy() for name, value in net.state_dict().items()}
    save_tensors(path, state, {**texts, **other})
    return path


def card(*paths: Path, stems: Sequence[str] = STEMS, **options: Any) -> ModelCard:
    """A card of these files, which are then in the store."""
    files = []
    for path in paths:
        form: Any = "safetensors" if path.suffix == ".safetensors" else "torch"
        data = path.read_bytes()
        inside = "" if form == "safetensors" else "state"
        files.append(ModelFile(path.name, form, hashlib.sha256(data).hexdigest(), len(data), inside=inside))
    options = {"segment": 0.4, "longest": 0.4, **options}
    mit = Licence("MIT", "MIT")
    made = ModelCard(
        "small", "Small", "demucs", RATE, "stereo", tuple(stems), tuple(files), mit, options=options
    )
    for path, file in zip(paths, files, strict=True):
        target = Store().path(made, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return made


def noise(samples: int = 17640, batch: int = 1, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).normal(scale=0.1, size=(batch, 2, samples))
    return (values + 0.01).astype(np.float32)


def reference(model: Any, batch: Array) -> Array:
    """What the library's own separator makes of each segment as if it were a whole track."""
    import torch
    from demucs.apply import apply_model

    made = []
    for one in batch:
        track = torch.from_numpy(one)
        mono = track.mean(0)
        mean, deviation = mono.mean(), mono.std() + 1e-8
        stems = apply_model(model, ((track - mean) / deviation)[None], shifts=0, split=False)[0]
        made.append((stems * deviation + mean).numpy())
    return np.stack(made)


@pytest.mark.parametrize("form", ["th", "safetensors"])
@pytest.mark.parametrize("kind", ["HTDemucs", "HDemucs", "Demucs"])
def test_a_published_checkpoint_gives_what_the_library_gives(tmp_path: Path, kind: str, form: str) -> None:
    net = network(kind)
    write = torch_file if form == "th" else safetensors_file
    separator = demucs.load(card(write(tmp_path / f"w.{form}", net)), "cpu")
    for batch in (noise(batch=2), noise(10001, seed=1)):
        before = batch.copy()
        found, wanted = separator.separate(batch), reference(net, batch)
        assert found.shape == (len(batch), 3, 2, batch.shape[-1])
        assert found.dtype == np.float32
        assert np.abs(wanted).max() > 1e-3
        assert np.abs(found - wanted).max() < 1e-6
        assert (batch == before).all()


def test_several_networks_vote_on_each_stem_as_the_librarys_bag_does(tmp_path: Path) -> None:
    from demucs.apply import BagOfModels

    nets = [network(seed=1), network(seed=2)]
    weights = [[1.0, 0.0, 3.0], [0.0, 2.0, 1.0]]
    paths = [torch_file(tmp_path / f"{i}.th", net) for i, net in enumerate(nets)]
    batch = noise()
    found = demucs.load(card(*paths, weights=weights), "cpu").separate(batch)
    assert np.abs(found - reference(BagOfModels(nets, weights), batch)).max() < 1e-6
    evenly = demucs.load(card(*paths), "cpu").separate(batch)
    assert np.abs(evenly - reference(BagOfModels(nets), batch)).max() < 1e-6
    assert np.abs(evenly - found).max() > 1e-3


def test_segments_of_a_batch_do_not_hear_each_other_and_bits_repeat(tmp_path: Path) -> None:
    separator = demucs.load(card(torch_file(tmp_path / "w.th", network())), "cpu")
    batch = np.concatenate([noise(seed=1), 100 * noise(seed=2)])
    both = separator.separate(batch)
    alone = separator.separate(batch[:1])
    assert np.abs(both[:1] - alone).max() < 1e-6
    assert (separator.separate(batch) == both).all()


def test_silence_stays_finite(tmp_path: Path) -> None:
    separator = demucs.load(card(torch_file(tmp_path / "w.th", network())), "cpu")
    assert np.isfinite(separator.separate(np.zeros((1, 2, 17640), np.float32))).all()


def test_a_network_is_loaded_once_and_nobodys_random_numbers_change(tmp_path: Path) -> None:
    import torch

    made = card(torch_file(tmp_path / "w.th", network()))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one: Any = demucs.load(made, "cpu")
    other: Any = demucs.load(made, "cpu")
    assert one._net is other._net
    assert (torch.random.get_rng_state() == before).all()
    assert not any(parameter.requires_grad for parameter in one._net.parameters())


def test_segments_are_the_trained_ones_at_most(tmp_path: Path) -> None:
    made = card(torch_file(tmp_path / "w.th", network()))
    found = demucs.geometry(made)
    assert (found.segment, found.most, found.overlap) == (17640, 17640, 0.25)
    longer = card(tmp_path / "w.th", segment=2.0, longest=0)
    assert demucs.geometry(longer).most == 0
    with pytest.raises(ModelCardError, match=r"options\.longest: the network takes at most 0\.4 s"):
        demucs.load(longer, "cpu")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"longest": 0.2}, r"options\.segment: 0\.4 s is longer than the longest, 0\.2 s"),
        ({"weights": [[1, 1]]}, r"options\.weights: must be 1 rows \(files\) of 3 numbers \(stems\)"),
        ({"weights": [[1, 0, 1]]}, r"options\.weights: leave a stem to nobody"),
        ({"overlap": 1.5}, r"options: Expected `float` < 1"),
        ({"shifts": 2}, r"options: .*unknown field `shifts`"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    made = card(torch_file(tmp_path / "w.th", network("Demucs")), **options)
    with pytest.raises(ModelCardError, match=told):
        demucs.geometry(made)


def test_a_card_of_other_stems_is_told(tmp_path: Path) -> None:
    made = card(torch_file(tmp_path / "w.th", network()), stems=("vocals", "drums", "bass"))
    with pytest.raises(
        CheckpointError, match=r"gives drums, bass, vocals .* the card says vocals, drums, bass"
    ):
        demucs.load(made, "cpu")


# What a file may not bring


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def refusal(made: ModelCard) -> str:
    with pytest.raises(ModelError) as raised:
        demucs.load(made, "cpu")
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("where", ["klass", "kwargs", "training_args", "state"])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, where: str) -> None:
    song = tmp_path / "song"
    path = torch_file(tmp_path / "w.th", network(), **{where: Calls(os.system, f"touch {song}")})
    assert "refused: it names posix.system, which is no tensor; it was not run" in refusal(card(path))
    assert not song.exists()


def test_a_network_is_not_built_by_the_file(tmp_path: Path) -> None:
    from demucs.htdemucs import HTDemucs

    path = torch_file(tmp_path / "w.th", network(), training_args=Calls(HTDemucs, ["drums"]))
    assert "refused: it names demucs.htdemucs.HTDemucs" in refusal(card(path))


def test_a_fraction_that_would_take_all_time_is_refused(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "w.th", network(), training_args=Calls(Fraction, "1e999999999"))
    assert "refused: it names fractions.Fraction" in refusal(card(path))


@pytest.mark.parametrize("klass", ["subprocess.Popen", "demucs.train.main", "HTDemucs", ""])
def test_another_class_in_a_header_is_refused_by_name(tmp_path: Path, klass: str) -> None:
    made = card(safetensors_file(tmp_path / "w.safetensors", network(), klass=klass))
    assert f"refused: it names {klass} as its network; known are Demucs, HDemucs, HTDemucs" in refusal(made)


def test_another_class_in_a_pickle_is_refused_by_name(tmp_path: Path) -> None:
    import torch

    made = card(torch_file(tmp_path / "w.th", network(), klass=torch.nn.Linear))
    assert "refused: it names torch.nn.modules.linear.Linear" in refusal(made)


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"sources": list(STEMS), "channels": 10**9}, "refused: 1000000000 is no argument of a network"),
        ({"sources": list(STEMS), "channels": {"a": 1}}, "is no argument of a network"),
        ({"sources": list(STEMS), "channels": "many"}, "its arguments make no HTDemucs"),
        ({"channels": 8}, "its arguments make no HTDemucs"),
        ([1], "holds no arguments"),
    ],
)
def test_arguments_that_make_no_network_are_told(tmp_path: Path, kwargs: Any, told: str) -> None:
    path = safetensors_file(tmp_path / "w.safetensors", network(), args="[]", kwargs=json.dumps(kwargs))
    assert told in refusal(card(path))


def test_arguments_that_are_no_json_are_told(tmp_path: Path) -> None:
    path = safetensors_file(tmp_path / "w.safetensors", network(), kwargs="{")
    assert "its arguments are no JSON" in refusal(card(path))


def test_quantized_weights_are_told(tmp_path: Path) -> None:
    path = safetensors_file(tmp_path / "w.safetensors", network(), structure="{}")
    assert "holds quantized weights" in refusal(card(path))


def test_a_checkpoint_of_something_else_is_told(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", {"conv.weight": np.zeros((2, 2), np.float32)})
    assert "does not say how its network is built" in refusal(card(tmp_path / "w.safetensors"))


def test_a_missing_tensor_is_told(tmp_path: Path) -> None:
    net = network()
    state = package(net)["state"]
    del state["decoder.0.conv_tr.weight"]
    made = card(torch_file(tmp_path / "w.th", net, state=state))
    assert "does not fit the architecture demucs (HTDemucs): 1 missing (decoder.0.conv_tr.weight)" in refusal(
        made
    )


@pytest.mark.parametrize("form", ["th", "safetensors"])
def test_a_file_cut_short_is_told(tmp_path: Path, form: str) -> None:
    write = torch_file if form == "th" else safetensors_file
    path = write(tmp_path / f"w.{form}", network())
    path.write_bytes(path.read_bytes()[:-3000])
    assert "fetch or copy it again" in refusal(card(path))


def test_without_the_library_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = torch_file(tmp_path / "w.th", network())
    monkeypatch.setitem(sys.modules, "demucs.htdemucs", None)
    assert refusal(card(path)).endswith("pip install 'unbraid[demucs]'")


# The cards that ship


@pytest.mark.parametrize(
    ("name", "files", "stems"),
    [("htdemucs", 1, 4), ("htdemucs_ft", 4, 4), ("htdemucs_6s", 1, 6), ("hdemucs_mmi", 1, 4)],
)
def test_published_models_have_cards_that_fit(name: str, files: int, stems: int) -> None:
    shipped = resources.files("unbraid.plugins.models").joinpath(f"{name}.yaml")
    with resources.as_file(shipped) as path:
        found = read_card(path)
    assert (found.id, found.architecture, len(found.files), len(found.stems)) == (
        name,
        "demucs",
        files,
        stems,
    )
    assert demucs.geometry(found).segment == (44 if name == "hdemucs_mmi" else 7.8) * RATE
    assert not found.licence.non_commercial
    for file in found.files:
        assert file.url.startswith("https://")
        if file.format == "torch":  # eight digits of the hash stand in the published name
            assert file.name.split("-")[1] == f"{file.sha256[:8]}.th"
