"""Bad checkpoints from the command line: one line each, no code run, nothing left in the output folder."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import soundfile as sf
from checkpoint_rig import LICENCES, MAKERS, Made, archive

from unbraid.host.models import Store, load_tensors, read_card, save_tensors, write_card

if TYPE_CHECKING:
    from command_rig import Unbraid

KINDS = {
    ".th": "htdemucs",
    ".pth": "open-unmix",
    ".ckpt": "roformer",
    ".safetensors": "roformer",
    ".onnx": "onnx",
    ".pt2": "torch-export",
}
FAULTS = ("cut short", "with code", "of another network", "without a tensor")


class Canary:
    """Makes a folder where it is unpickled."""

    def __init__(self, song: Path) -> None:
        self.song = song

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.song),)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, a folder of cards and a working folder of the test's own."""
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def whole(suffix: str, place: Path) -> Made:
    """A good checkpoint in a file of this kind."""
    made = MAKERS[KINDS[suffix]](place)
    if suffix != ".safetensors":
        return made
    path = place / "voices.safetensors"
    save_tensors(path, load_tensors(made.paths[0], "torch", inside="state_dict"))
    return made._replace(paths=(path,))


def spoil(path: Path, fault: str, song: Path) -> None:
    """Put a fault into a checkpoint."""
    if fault == "cut short":
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    elif path.suffix == ".safetensors":
        spoil_safetensors(path, fault, song)
    elif path.suffix == ".onnx":
        spoil_onnx(path, fault)
    elif path.suffix == ".pt2":
        changes: dict[str, dict[str, Any]] = {
            "with code": {"pickled": pickle.dumps(Canary(song))},
            "of another network": {"channels": 1},
            "without a tensor": {"held": False},
        }
        archive(path, **changes[fault])
    else:
        spoil_torch(path, fault, song)


def spoil_torch(path: Path, fault: str, song: Path) -> None:
    import torch

    content = torch.load(path, weights_only=False)
    state = next((content[key] for key in ("state", "state_dict") if key in content), content)
    if fault == "with code":
        content["extra"] = Canary(song)
    elif fault == "of another network":
        state.clear()
        state["conv.weight"] = torch.zeros(3)
    else:
        del state[next(iter(state))]
    torch.save(content, path)


def spoil_safetensors(path: Path, fault: str, song: Path) -> None:
    tensors = load_tensors(path, "safetensors")
    if fault == "with code":
        path.write_bytes(pickle.dumps({**tensors, "extra": Canary(song)}))
    elif fault == "of another network":
        save_tensors(path, {"conv.weight": np.zeros(3, np.float32)})
    else:
        del tensors[next(iter(tensors))]
        save_tensors(path, tensors)


def spoil_onnx(path: Path, fault: str) -> None:
    import onnx

    model = onnx.load_model_from_string(path.read_bytes())
    if fault == "with code":  # an operator that a library beside the model would bring
        model.graph.node[0].domain = "my.library"
    elif fault == "of another network":
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    else:
        del model.graph.initializer[0]
    path.write_bytes(model.SerializeToString())


def one_line(err: str, name: str) -> str:
    """The error, if it is one line that names the model or its file."""
    lines = [line for line in err.splitlines() if line.startswith("unbraid: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert name in lines[0] or "mine" in lines[0], err
    assert len(lines[0]) < 600
    return lines[0]


def offered(made: Made, unbraid: Unbraid) -> None:
    """Put the files as they are now into the store, under a card that says that they are good."""
    card = read_card(Path("good.yaml"), measured=False)
    files = []
    for path, file in zip(made.paths, card.files, strict=True):
        data = path.read_bytes()
        files.append(msgspec.structs.replace(file, sha256=hashlib.sha256(data).hexdigest(), size=len(data)))
    card = msgspec.structs.replace(card, files=tuple(files))
    for path, file in zip(made.paths, card.files, strict=True):
        target = Store().path(card, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    own = Path("data/unbraid/models/mine.yaml")
    own.parent.mkdir(parents=True)
    own.write_text(write_card(card))
    assert unbraid("models", "verify", "mine").code == 0


SAID = {
    ("cut short", ".th"): "is no whole zip: its end is missing; fetch or copy it again",
    ("cut short", ".pth"): "is no whole zip: its end is missing; fetch or copy it again",
    ("cut short", ".ckpt"): "is no whole zip: its end is missing; fetch or copy it again",
    ("cut short", ".safetensors"): "it was cut short, or is no safetensors file; fetch or copy it again",
    ("cut short", ".onnx"): "is no whole ONNX model",
    ("cut short", ".pt2"): "is no whole archive of torch.export.save",
    ("with code", ".th"): "refused: it names posix.mkdir, which is no tensor; it was not run",
    ("with code", ".pth"): "refused: it names posix.mkdir, which is no tensor; it was not run",
    ("with code", ".ckpt"): "refused: it names posix.mkdir, which is no tensor; it was not run",
    ("with code", ".safetensors"): "is no safetensors file",
    ("with code", ".onnx"): "refused: it needs the operator Conv of my.library",
    ("with code", ".pt2"): "refused: 'w' is pickled, and it was not run",
    ("of another network", ".onnx"): "its model has the input x [any, 1, any]",
    ("of another network", ".pt2"): "its model has the input x [1, 1, 11025]",
    ("without a tensor", ".onnx"): "ONNX Runtime refuses it",
    ("without a tensor", ".pt2"): "is no tensor of the archive",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("suffix", KINDS)
def test_a_bad_checkpoint_is_one_line_wherever_it_is_met(
    suffix: str, fault: str, place: Path, unbraid: Unbraid
) -> None:
    made, song = whole(suffix, place), place / "song"
    terms = ("--id", "mine", *LICENCES, *made.said)
    assert unbraid("models", "card", *made.paths, *terms, "-o", "good.yaml").code == 0
    spoil(made.paths[0], fault, song)

    if fault in {"cut short", "with code"} and suffix not in {".onnx", ".pt2"}:
        done = unbraid("models", "card", *made.paths, *terms)
        assert (done.code, done.out) in {(1, ""), (2, "")}
        one_line(done.err, made.paths[0].name)
        done = unbraid("models", "import", *made.paths, "--card", "good.yaml")
        assert done.code == 1
        one_line(done.err, made.paths[0].name)
        assert not (place / "store").exists()
        assert not (place / "data").exists()

    offered(made, unbraid)
    params = "{model: mine, residual: rest}" if made.node == "model" else "{model: mine}"
    outputs = "".join(f"  {name}: sep.{name}\n" for name in made.outputs)
    node = f"  sep: {{use: {made.node}, from: mix, params: {params}}}"
    Path("graph.yaml").write_text(f"unbraid: 1\nnodes:\n{node}\noutputs:\n{outputs}")
    sf.write("sound.wav", np.random.default_rng(0).normal(scale=0.1, size=(4410, 2)), 44100)
    done = unbraid("render", "graph.yaml", "sound.wav", "-o", "out")
    assert done.code in {1, 2}
    wanted = SAID.get((fault, suffix), "does not fit the architecture")
    assert wanted in one_line(done.err, made.paths[0].name)
    assert not song.exists()
    assert not Path("out").exists() or list(Path("out").iterdir()) == []


def test_the_canary_sings_where_checkpoints_are_run(place: Path) -> None:
    import torch

    torch.save({"extra": Canary(place / "song")}, place / "m.pth")
    torch.load(place / "m.pth", weights_only=False)
    assert (place / "song").exists()
