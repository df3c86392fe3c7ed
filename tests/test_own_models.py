"""Own checkpoints from the command line alone: a card is written, the files imported, and graphs render."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf
from checkpoint_rig import LICENCES, MAKERS, carded, graph_of

from unbraid import Graph, process
from unbraid.host.contract import PluginError, hookimpl
from unbraid.host.contract.torch_segments import run_network
from unbraid.host.models import (
    Checkpoint,
    CheckpointError,
    Licence,
    ModelCard,
    ModelError,
    ModelFile,
    PackageFile,
    Store,
    describe,
    load_weights,
    model_card,
    parse_card,
    save_tensors,
    write_card,
)
from unbraid.host.registry import Registry
from unbraid.kernels import use_threads
from unbraid.plugins.vocal_separator import Vocals

if TYPE_CHECKING:
    import numpy.typing as npt

    from command_rig import Unbraid

    Array = npt.NDArray[np.float32]

LENGTH = 110_251  # at 48 kHz, and no whole number of anything


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, a folder of cards and a working folder of the test's own."""
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def song(path: Path, channels: int) -> npt.NDArray[np.float32]:
    sound = np.random.default_rng(0).normal(scale=0.1, size=(LENGTH, channels)).astype(np.float32)
    sf.write(path, sound, 48000, subtype="FLOAT")
    return sound


@pytest.mark.parametrize("kind", MAKERS)
def test_a_checkpoint_renders_at_another_rate_and_its_parts_sum_to_the_input(
    kind: str, place: Path, unbraid: Unbraid
) -> None:
    made = MAKERS[kind](place)
    carded(unbraid, made)
    Path("graph.yaml").write_text(graph_of(made))
    sound = song(place / "song.wav", 1 if made.node == "speakers" else 2)
    done = unbraid("render", "graph.yaml", "song.wav", "-o", "out")
    assert done.code == 0, done.err
    assert "CC-BY-4.0" in done.out + done.err
    stems = {
        path.name.split(".")[1]: sf.read(path, dtype="float32", always_2d=True)[0] for path in outputs(place)
    }
    assert stems.keys() == set(made.outputs)
    assert {stem.shape for stem in stems.values()} == {sound.shape}
    assert all(np.abs(stem).max() > 1e-4 for stem in stems.values())
    total = sum(stems[name].astype(np.float64) for name in made.parts)
    np.testing.assert_allclose(total, sound, rtol=0, atol=2e-6)


def outputs(place: Path) -> list[Path]:
    return sorted((place / "out").iterdir())


FOUND = {
    "htdemucs": ("demucs", 44100, "stereo", "state"),
    "open-unmix": ("open-unmix", 44100, "stereo", ""),
    "conv-tasnet": ("conv-tasnet", 8000, "mono", "state_dict"),
    "roformer": ("bs-roformer", 44100, "stereo", "state_dict"),
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_a_checkpoint_says_of_itself_is_on_its_card(kind: str, place: Path, unbraid: Unbraid) -> None:
    made = MAKERS[kind](place)
    done = unbraid("models", "card", *made.paths, "--id", "mine", *LICENCES, *made.said)
    card = parse_card(done.out, kind, measured=False)
    assert (card.architecture, card.rate, card.layout, card.files[0].inside) == FOUND[kind]
    assert set(card.stems) >= set(made.outputs) - {"rest", "accompaniment"}
    assert str(card.licence) == "code MIT, weights CC-BY-4.0"
    assert " " not in card.files[0].name  # as it is in the rig's "voices ep 12.ckpt"


def test_what_the_owner_says_goes_before_what_a_checkpoint_says(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["conv-tasnet"](place)
    said = ("--rate", "16000", "--stems", "ann, bob", "--name", "Two of us", "--option", "segment=2.5")
    done = unbraid("models", "card", *made.paths, "--id", "mine", *LICENCES, *said, "--json")
    card = parse_card(done.data["card"], "json", measured=False)
    assert (card.rate, card.stems, card.name, card.options["segment"]) == (
        16000,
        ("ann", "bob"),
        "Two of us",
        2.5,
    )


REFUSED = {
    "neither found nor said": (
        "onnx",
        (),
        "does not say all of itself; give --rate and --layout and --stems",
    ),
    "an option that is none": ("conv-tasnet", ("--option", "colour=red"), "`colour`"),
    "an option without a value": ("conv-tasnet", ("--option", "colour"), "write KEY=VALUE"),
    "a layout that is none": ("onnx", ("--layout", "quad", "--rate", "8000", "--stems", "a"), "quad"),
    "a configuration that is not there": ("roformer", ("--config", "none.yaml"), "none.yaml: No such file"),
    "a card in the way": ("conv-tasnet", ("-o", "meeting.pth"), "meeting.pth is there already"),
    "an id that is none": ("conv-tasnet", ("--id", "My Model"), "'My Model' cannot be"),
    "without its configuration": ("roformer", (), "a network that nobody here knows (torch); give --config"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_card_is_one_line(case: str, place: Path, unbraid: Unbraid) -> None:
    kind, said, told = REFUSED[case]
    made = MAKERS[kind](place)
    done = unbraid("models", "card", *made.paths, "--id", "mine", *LICENCES, *said)
    assert done.code in {1, 2}
    assert told in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(("data", "told"), [(b"hello", "no checkpoint of a known form"), (b"", "known form")])
def test_what_is_no_checkpoint_is_one_line(data: bytes, told: str, place: Path, unbraid: Unbraid) -> None:
    (place / "a.bin").write_bytes(data)
    done = unbraid("models", "card", "a.bin", "--id", "mine", *LICENCES)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert told in done.err


class Package:
    """A package that knows a network of its own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def unbraid_describe_checkpoint(self, checkpoint: Checkpoint) -> Any:
        return self.answer(checkpoint)


def asked(place: Path, *packages: Any) -> ModelCard:
    registry = Registry()
    for number, package in enumerate(packages):
        registry.add(Package(package), f"package{number}")
    assert registry.faults == []
    path = place / "w.safetensors"
    save_tensors(path, {"w": np.zeros(3, np.float32)})
    licence = Licence("MIT", "MIT")
    return describe(Checkpoint.of([path], id="mine", licence=licence, stems=("a",)), registry)


def test_the_first_package_that_knows_a_checkpoint_makes_its_card(place: Path) -> None:
    def knows(checkpoint: Checkpoint) -> ModelCard:
        assert checkpoint.forms == ("safetensors",)
        return checkpoint.card("theirs", {"size": 3}, rate=8000, layout="mono")

    def fails(checkpoint: Checkpoint) -> ModelCard:
        raise RuntimeError("dust")

    card = asked(place, lambda _: None, knows)
    assert (card.architecture, card.options, card.stems) == ("theirs", {"size": 3}, ("a",))
    with pytest.raises(CheckpointError, match="a network that nobody here knows"):
        asked(place, lambda _: None)
    with pytest.raises(PluginError, match=r"package1: its hook unbraid_describe_checkpoint failed: .*dust"):
        asked(place, lambda _: None, fails)
    with pytest.raises(ModelError, match="package0 gave 'a card', not a ModelCard"):
        asked(place, lambda _: "a card")


def test_removing_a_model_frees_its_files_and_keeps_its_card(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["conv-tasnet"](place)
    carded(unbraid, made)
    card = model_card("mine")
    load_weights(card)
    held = sum(path.stat().st_size for path in (place / "store" / "mine").rglob("*") if path.is_file())
    done = unbraid("models", "remove", "mine", "--json")
    assert done.code == 0
    assert done.data["models"][0]["freed"] == held > card.size
    assert not Store().path(card, card.files[0]).exists()
    assert [path.name for path in (place / "store" / "mine").iterdir()] == [".lock"]
    assert made.paths[0].exists()
    assert model_card("mine") == card
    assert "mine: nothing was here" in unbraid("models", "remove", "mine").out
    done = unbraid("models", "remove", "mime")
    assert done.code == 2
    assert "unknown model 'mime'; did you mean 'mine'?" in done.err


def test_removing_leaves_a_packages_file_and_what_a_link_leads_to(place: Path, unbraid: Unbraid) -> None:
    file = PackageFile("numpy", "numpy/__init__.py")
    licence = Licence("MIT", "MIT")
    data = Path(np.__file__).read_bytes()
    one = ModelFile("a.onnx", "onnx", hashlib.sha256(data).hexdigest(), len(data), package=file)
    card = ModelCard("packed", "Packed", "onnx", 8000, "mono", ("a",), (one,), licence)
    own = place / "data" / "unbraid" / "models" / "packed.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(write_card(card))
    assert Store().find(card) == [Path(np.__file__)]
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "kept").write_bytes(bytes(1000))
    (place / "store" / "packed" / "link").symlink_to(place / "elsewhere")
    assert unbraid("models", "remove", "packed").code == 0
    assert (place / "elsewhere" / "kept").exists()
    assert Store().find(card) == [Path(np.__file__)]


def test_doctor_tells_of_damaged_models_and_broken_cards(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["conv-tasnet"](place)
    carded(unbraid, made)
    card = model_card("mine")
    Store().path(card, card.files[0]).write_bytes(b"dust")
    (place / "data" / "unbraid" / "models" / "other.yaml").write_text("model: 1\n")
    done = unbraid("doctor")
    assert done.code == 1
    assert "models here: center" in done.out
    (damaged,) = [line for line in done.out.splitlines() if line.startswith("model not used: mine: ")]
    assert damaged.endswith("the card says " + str(card.size) + "; unbraid models import FILE --like mine")
    assert "other.yaml" in done.out


@pytest.mark.parametrize(("told", "kernels", "used"), [(3, 2, 2), (3, 1, 1), (1, 2, 1), (2, 2, 2)])
def test_torch_uses_no_more_threads_than_kernels_and_gets_its_own_back(
    told: int, kernels: int, used: int
) -> None:
    import torch

    seen = []

    def call(batch: Any) -> Any:
        seen.append(torch.get_num_threads())
        return batch

    torch.set_num_threads(told)
    with use_threads(kernels):
        run_network(call, np.zeros((1, 1, 8), np.float32), "cpu")
        assert (seen, torch.get_num_threads()) == ([used], told)

        def fails(batch: Any) -> Any:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            run_network(fails, np.zeros((1, 1, 8), np.float32), "cpu")
    assert torch.get_num_threads() == told


@pytest.mark.parametrize(
    ("params", "segment", "hop"),
    [
        ({}, 17640, 13230),
        ({"overlap": 0.5, "shifts": 2}, 17640, 4410),
        ({"segment": 0.3, "overlap": 0.0, "shifts": 3}, 13230, 4410),
    ],
)
def test_demucs_hears_the_segments_that_vocals_says_and_outputs_lie_between_them(
    params: dict[str, Any],
    segment: int,
    hop: int,
    place: Path,
    unbraid: Unbraid,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    carded(unbraid, MAKERS["htdemucs"](place))
    heard: list[tuple[int, Array, Array]] = []
    separate = Vocals.separate

    def recorded(self: Vocals, batch: Array) -> Array:
        made = separate(self, batch)
        heard.append((self.batch_starts[0], batch[0].copy(), made[0, self.stems.index("vocals")].copy()))
        return made

    monkeypatch.setattr(Vocals, "separate", recorded)
    sound = np.random.default_rng(0).normal(scale=0.1, size=(2, 45_000)).astype(np.float32)
    graph = Graph()
    graph.output("vocals", graph.node("sep", "vocals", graph.input("mix"), model="mine", **params)["vocals"])
    vocals = process(graph, sound, rate=44100)["vocals"]

    padded = np.pad(sound, ((0, 0), (0, 2 * segment)))
    least, most = np.full((2, *padded.shape), [[[np.inf]], [[-np.inf]]])
    assert [start for start, _, _ in heard] == list(range(0, hop * len(heard), hop))
    for start, piece, stem in heard:
        here = slice(start, start + segment)
        np.testing.assert_array_equal(piece, padded[:, here])
        np.minimum(least[:, here], stem, out=least[:, here])
        np.maximum(most[:, here], stem, out=most[:, here])
    assert (vocals >= least[:, :45_000] - 1e-6).all()
    assert (vocals <= most[:, :45_000] + 1e-6).all()


def test_a_segment_longer_than_demucs_was_trained_on_is_one_line(place: Path, unbraid: Unbraid) -> None:
    made = MAKERS["htdemucs"](place)
    carded(unbraid, made)
    Path("graph.yaml").write_text(graph_of(made).replace("model: mine", "model: mine, segment: 5"))
    song(place / "song.wav", 2)
    done = unbraid("render", "graph.yaml", "song.wav", "-o", "out")
    assert done.code in {1, 2}
    assert "segment = 5 s is longer than the model takes: at most 0.40 s" in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize("doing", ["fetch", "verify"])
def test_a_model_without_files_is_there(doing: str, unbraid: Unbraid) -> None:
    done = unbraid("models", doing, "center")
    assert (done.code, done.out.strip()) == (0, "center: needs no files")


def test_files_that_come_by_one_command_are_told_of_in_one_line(
    unbraid: Unbraid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path))
    done = unbraid("models", "verify", "umxhq")
    assert done.code == 1
    assert done.err.count("unbraid models fetch umxhq") == 1
