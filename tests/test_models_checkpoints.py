"""Checkpoints: what is in them arrives bit by bit; what is not tensors never runs and gives one line."""

from __future__ import annotations

import builtins
import collections
import errno
import fractions
import json
import os
import pickle
import struct
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host.models import CheckpointError, check_keys, load_tensors, save_tensors
from unbraid.host.models.tensors import load_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.host.models.card import Format

Array = npt.NDArray[Any]


def numbers(*shape: int, dtype: str = "float32") -> Array:
    values = np.random.default_rng(3).normal(scale=100, size=shape)
    return values.astype(dtype)


def some() -> dict[str, Array]:
    """Arrays of every kind a checkpoint may hold: types, orders, no sides, no elements."""
    arrays = {
        kind: numbers(3, 4, dtype=kind)
        for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16")
    }
    arrays |= {
        "big-endian": numbers(5).astype(">f4"),
        "fortran": np.asfortranarray(numbers(3, 4, 5)),
        "strided": numbers(8, 6)[::2, ::3],
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 7), np.float32),
    }
    return arrays


def same(found: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        one = found[name]
        assert one.dtype == array.dtype.newbyteorder("="), name
        assert one.shape == array.shape, name
        assert one.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes(), name
        assert one.flags.c_contiguous, name
        assert one.flags.writeable, name
        assert one.flags.aligned, name


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zipped(path: Path, data: bytes, compression: int = zipfile.ZIP_STORED, name: str = "w/data.pkl") -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, data)
        archive.writestr("w/version", b"3\n")
    return path


# What arrives


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_arrays_arrive_bit_by_bit(tmp_path: Path, protocol: int) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps(some(), protocol))
    same(load_tensors(path, "numpy-pickle"), some())


def test_an_ordered_dictionary_and_numpys_old_module_names_are_known(tmp_path: Path) -> None:
    weights = collections.OrderedDict(w=numbers(4), v=numbers(2, 2))
    data = pickle.dumps(weights, 2)
    for old, new in ((b"numpy._core.multiarray", b"numpy.core.multiarray"), (b"numpy.core", b"numpy._core")):
        path = written(tmp_path / "w.pkl", data.replace(old, new))
        same(load_tensors(path, "numpy-pickle"), dict(weights))


def test_numpy_scalars_are_tensors_without_sides(tmp_path: Path) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps({"step": np.float64(1.5), "w": numbers(2)}))
    assert load_tensors(path, "numpy-pickle")["step"] == np.array(1.5)


def test_a_pickle_as_torch_zips_it_is_read_without_torch(tmp_path: Path) -> None:
    path = zipped(tmp_path / "w.ckpt", pickle.dumps(some(), 2))
    same(load_tensors(path, "numpy-pickle"), some())


def test_what_torch_saves_of_arrays_is_what_we_read(tmp_path: Path) -> None:
    import torch

    torch.save(some(), tmp_path / "w.ckpt")
    same(load_tensors(tmp_path / "w.ckpt", "numpy-pickle"), some())


def test_safetensors_arrive_bit_by_bit(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    wanted = {
        name: np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).reshape(array.shape)
        for name, array in some().items()
        if name != "c16"  # a type that the format does not have
    }
    save_file(wanted, tmp_path / "w.safetensors")
    found = load_tensors(tmp_path / "w.safetensors", "safetensors")
    same(dict(sorted(found.items())), dict(sorted(wanted.items())))


def test_what_we_save_the_library_reads(tmp_path: Path) -> None:
    from safetensors import safe_open

    wanted = {name: array for name, array in some().items() if name != "c16"}
    save_tensors(tmp_path / "w.safetensors", wanted, {"source": "here"})
    with safe_open(str(tmp_path / "w.safetensors"), framework="numpy") as file:
        assert file.metadata() == {"source": "here"}
        same({name: file.get_tensor(name).copy() for name in wanted}, wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_disk_that_does_not_take_it_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys, numpy as np; from pathlib import Path;"
        "from unbraid.host.models import ModelError, save_tensors;"
        "import safetensors.numpy, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save_tensors(Path(sys.argv[1]), {'w': np.zeros(1000)})\n"
        "except ModelError as error: print(error)"
    )
    path = tmp_path / "w.safetensors"
    said = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"{path}: cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["safetensors", "torch"])
def test_half_precision_stays_and_bfloat16_widens_exactly(tmp_path: Path, form: Format) -> None:
    import torch
    from safetensors.torch import save_file

    values = torch.from_numpy(numbers(5, 3))
    tensors = {"half": values.half(), "brain": values.bfloat16(), "none": torch.zeros(0).bfloat16()}
    save_file(tensors, tmp_path / "w.safetensors")
    torch.save(tensors, tmp_path / "w.torch")
    found = load_tensors(tmp_path / f"w.{form}", form)
    assert (found["half"] == tensors["half"].numpy()).all()
    assert found["half"].dtype == np.float16
    assert found["brain"].dtype == np.float32
    assert (found["brain"] == tensors["brain"].float().numpy()).all()
    assert found["none"].shape == (0,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_of_torch_arrives_bit_by_bit(tmp_path: Path, legacy: bool) -> None:
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 5), torch.nn.BatchNorm1d(4), torch.nn.LSTM(4, 3))
    state = net.state_dict()
    state["turned"] = torch.arange(12.0).reshape(3, 4).T
    torch.save(
        {"epoch": 7, "state": {"best": state}}, tmp_path / "w.th", _use_new_zipfile_serialization=not legacy
    )
    found = load_tensors(tmp_path / "w.th", "torch", inside="state.best")
    same(found, {name: tensor.numpy() for name, tensor in state.items()})


# Code in a pickle: a canary that sings when it runs


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def canaries(song: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would write a file, by what they try, each with the name that must be told."""
    touch, write = f"touch {song}", f"open({str(song)!r}, 'w')"
    made = {
        "system": (Calls(os.system, touch), "posix.system"),
        "open": (Calls(builtins.open, str(song), "w"), "io.open"),
        "eval": (Calls(eval, write), "builtins.eval"),
        "exec": (Calls(exec, write), "builtins.exec"),
        "getattr": (Calls(getattr, os, "system"), "builtins.getattr"),
        "numpy.load": (Calls(np.load, str(song)), "numpy.load"),
        "numpy.save": (Calls(np.save, str(song), 1), "numpy.save"),
        "tofile": (Calls(np.ndarray.tofile, np.zeros(1), str(song)), "builtins.getattr"),
        "memmap": (Calls(np.memmap, str(song), "u1", "w+", 0, (8,)), "numpy.memmap"),
    }
    pickles = {
        name: (pickle.dumps({"w": value}, 4), told)
        for name, (value, told) in made.items()
        if name != "getattr"
    }
    text = song.as_posix().encode()
    pickles |= {
        "inst": (b"(S'touch " + text + b"'\nios\nsystem\n.", "os.system"),
        "obj": (b"(cos\nsystem\nS'touch " + text + b"'\no.", "os.system"),
        "newobj": (b"\x80\x02cpathlib\nPath\n)\x81.", "pathlib.Path"),
        "dotted": (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "numpy.ndarray.__init__"),
        "codecs": (b"c_codecs\ndecode\n(S'x'\nS'zip'\ntR.", "_codecs.decode"),
        "persistent": (b"P1\n.", "PERSID"),
        "extension": (b"\x80\x02\x82\x01.", "EXT1"),
        "build": (b"\x80\x02cnumpy\nndarray\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb.", "state of a _Name"),
        "class": (b"\x80\x02cnumpy\nndarray\n)R.", "calls numpy.ndarray by itself"),
        "subclass": (
            pickle.dumps(np.zeros(2).view(np.recarray), 2).replace(b"numpy.rec", b"numpy.bad"),
            "numpy.bad",
        ),
    }
    return pickles


NAMES = list(canaries(Path("/nowhere")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [False, True], ids=["bare", "zipped"])
def test_code_in_a_pickle_does_not_run_and_is_named(tmp_path: Path, name: str, packed: bool) -> None:
    song = tmp_path / "song"
    data, told = canaries(song)[name]
    path = (zipped if packed else written)(tmp_path / "w.pkl", data)
    with pytest.raises(CheckpointError) as raised:
        load_tensors(path, "numpy-pickle")
    assert not song.exists()
    assert "\n" not in str(raised.value)
    assert told in str(raised.value)
    assert str(raised.value).startswith(f"{path}: refused: ")
    assert str(raised.value).endswith("; it was not run")


RUNNING = """
import pickle, sys
for path in sys.argv[1:]:
    pickle.load(open(path, "rb"))
"""


def test_the_canaries_sing_where_pickles_run(tmp_path: Path) -> None:
    names = ("system", "open", "eval", "exec", "memmap", "inst", "obj")
    files = [written(tmp_path / f"{name}.pkl", canaries(tmp_path / name)[name][0]) for name in names]
    subprocess.run([sys.executable, "-W", "ignore", "-c", RUNNING, *files], check=True, timeout=60)
    assert {path.name for path in tmp_path.iterdir()} >= set(names)


@pytest.mark.parametrize(
    ("name", "told"), [("system", "posix.system"), ("eval", "eval"), ("memmap", "numpy.memmap")]
)
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_torch_checkpoint_does_not_run(tmp_path: Path, name: str, told: str, legacy: bool) -> None:
    import torch

    song = tmp_path / "song"
    value = {
        "system": Calls(os.system, f"touch {song}"),
        "eval": Calls(eval, f"open({str(song)!r}, 'w')"),
        "memmap": Calls(np.memmap, str(song), "u1", "w+", 0, (8,)),
    }[name]
    path = tmp_path / "w.th"
    torch.save({"w": torch.zeros(2), "x": value}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError) as raised:
        load_tensors(path, "torch")
    assert not song.exists()
    assert str(raised.value) == f"{path}: refused: it names {told}, which is no tensor; it was not run"


@pytest.fixture
def author(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A class of a name that published checkpoints hold, in a library that is there while one is written."""
    module: Any = types.ModuleType("demucs.htdemucs")
    module.HTDemucs = type("HTDemucs", (), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, "demucs", types.ModuleType("demucs"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.HTDemucs


@pytest.mark.parametrize("legacy", [False, True])
def test_a_known_class_a_fraction_and_numbers_beside_tensors_are_data(
    tmp_path: Path, author: Any, legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    path = tmp_path / "w.th"
    notes = {
        "klass": author,
        "length": fractions.Fraction(39, 5),
        "score": np.float64(8.5),
        "type": np.dtype("f4"),
    }
    torch.save({**notes, "state": {"w": torch.ones(3)}}, path, _use_new_zipfile_serialization=not legacy)
    monkeypatch.delitem(sys.modules, "demucs.htdemucs")
    monkeypatch.setitem(sys.modules, "demucs", None)  # reading imports nothing
    allowed = set(torch.serialization.get_safe_globals())
    found = load_notes(path, "torch")
    assert found["klass"] == "demucs.htdemucs.HTDemucs"
    assert isinstance(found["klass"], str)
    assert found["length"] == fractions.Fraction(39, 5)
    assert not isinstance(found["score"], np.generic)
    assert (load_tensors(path, "torch", inside="state")["w"] == 1).all()
    assert set(torch.serialization.get_safe_globals()) == allowed


@pytest.mark.parametrize("what", ["calls", "makes", "sets", "fraction"])
def test_a_known_class_is_never_called(tmp_path: Path, author: Any, what: str) -> None:
    import torch

    made = author()
    made.here = 1
    value = {
        "calls": Calls(author, 1),
        "makes": author(),
        "sets": made,
        "fraction": Calls(fractions.Fraction, "1e999999999"),
    }[what]
    path = tmp_path / "w.th"
    torch.save({"w": torch.zeros(2), "x": value}, path)
    with pytest.raises(CheckpointError, match=f"^{path}: refused: it ") as raised:
        load_tensors(path, "torch")
    assert str(raised.value).endswith("; it was not run")
    assert "\n" not in str(raised.value)


def test_texts_of_a_safetensors_header_are_notes(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", {"w": numbers(2)}, {"kwargs": "{}"})
    assert load_notes(tmp_path / "w.safetensors", "safetensors") == {"kwargs": "{}"}
    pickled = written(tmp_path / "w.pkl", pickle.dumps({"w": numbers(2)}))
    assert load_notes(pickled, "numpy-pickle") == {}


def test_notes_of_a_file_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        load_notes(tmp_path / "w.th", "torch")


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, []], object),
        np.array(["a"]),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f4")]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, np.longdouble),
    ],
    ids=["objects", "text", "records", "times", "long"],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_arrays_of_anything_but_numbers_are_refused(tmp_path: Path, value: Array, protocol: int) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps({"w": value}, protocol))
    with pytest.raises(CheckpointError, match=r"refused: .*only numbers are taken") as raised:
        load_tensors(path, "numpy-pickle")
    assert "\n" not in str(raised.value)


# Files that are too short, too large, or something else

WHOLE: dict[str, Callable[[Path], Any]] = {
    "numpy-pickle": lambda path: path.write_bytes(pickle.dumps({"w": numbers(40, 40)}, 4)),
    "safetensors": lambda path: save_tensors(path, {"w": numbers(40, 40)}),
}


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 40, 3000, -1])
@pytest.mark.parametrize("form", ["numpy-pickle", "safetensors", "torch", "zipped"])
def test_a_checkpoint_that_was_cut_short_is_one_line(tmp_path: Path, form: Any, kept: int) -> None:
    path = tmp_path / "w.bin"
    if form == "torch":
        import torch

        torch.save({"w": torch.zeros(40, 40)}, path)
    elif form == "zipped":
        zipped(path, pickle.dumps({"w": numbers(40, 40)}, 2))
    else:
        WHOLE[form](path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError) as raised:
        load_tensors(path, "numpy-pickle" if form == "zipped" else form)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert form != "torch" or str(raised.value).endswith("; fetch or copy it again")


@pytest.mark.parametrize(("begin", "end"), [(100, 900), (1000, 6000), (60, -400), (0, -22)])
def test_a_torch_checkpoint_that_lost_its_middle_is_one_line(tmp_path: Path, begin: int, end: int) -> None:
    import torch

    path = tmp_path / "w.pth"
    torch.save({"w": torch.zeros(40, 40)}, path)
    data = path.read_bytes()
    path.write_bytes(data[:begin] + data[end:])
    with pytest.raises(CheckpointError, match=r"is no whole (zip|checkpoint) ?.*; fetch or copy it again$"):
        load_tensors(path, "torch")


def test_a_place_beyond_the_end_of_a_torch_checkpoint_is_told_as_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def beyond(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    path = tmp_path / "w.pth"
    torch.save({"w": torch.zeros(4)}, path)
    monkeypatch.setattr(torch, "load", beyond)
    with pytest.raises(
        CheckpointError, match=r"no whole checkpoint of torch.save: .*; fetch or copy it again"
    ):
        load_tensors(path, "torch")


def safetensors(header: object, body: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(dtype: str = "F32", shape: object = (4,), offsets: object = (0, 16)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


LIES = {
    "header-beyond-the-file": safetensors({"w": entry()}, length=1 << 40),
    "header-beyond-all-bounds": safetensors({"w": entry()}, length=(1 << 64) - 1),
    "no-json": safetensors(b"\xff\xfe{"),
    "deep": safetensors(b"[" * 100_000),
    "a-list": safetensors([1]),
    "more-than-it-holds": safetensors({"w": entry(shape=(1 << 62,), offsets=(0, 1 << 64))}),
    "overflow": safetensors({"w": entry(shape=(1 << 32, 1 << 32), offsets=(0, 16))}),
    "negative": safetensors({"w": entry(shape=(-4,), offsets=(0, 16))}),
    "overlapping": safetensors({"w": entry(), "v": entry()}),
    "a-hole": safetensors({"w": entry(shape=(2,), offsets=(8, 16))}),
    "bytes-left": safetensors({"w": entry(shape=(2,), offsets=(0, 8))}),
    "unknown-type": safetensors({"w": entry("F8_E4M3", (16,))}),
    "unknown-key": safetensors({"w": {**entry(), "code": "x"}}),
    "a-pickle": pickle.dumps({"w": numbers(4)}),
    "empty": safetensors({}, b""),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_one_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "w.safetensors", LIES[name])
    with pytest.raises(CheckpointError) as raised:
        load_tensors(path, "safetensors")
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


BOMBS = {
    # tuples of twice the tuple before: 2^60 values once unfolded
    "again-and-again": b"\x80\x02}X\x01\x00\x00\x00w)q\x00" + b"0h\x00h\x00\x86q\x00" * 60 + b"s.",
    # the text of one memo slot made to bytes a thousand times
    "one-text-to-many": b"\x80\x02c_codecs\nencode\nq\x01X\x10\x27\x00\x00" + b"a" * 10_000 + b"q\x00"
    + b"00](" + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 4000 + b"e.",
    "a-memo-slot-far-away": b"\x80\x02}r\xff\xff\xff\xff.",
    "a-text-longer-than-the-file": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
    "a-number-of-many-digits": b"L" + b"9" * 100_000 + b"L\n.",
    "an-array-larger-than-its-bytes": pickle.dumps({"w": numbers(4)}, 2).replace(
        b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"
    ),
    "a-list-in-itself": b"\x80\x02]q\x00h\x00a.",
    "deep": b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",
    "no-stack": b"\x80\x02R.",
    "nothing": b"\x80\x02N.",
    "only-a-mark": b"(.",
    "text": b"not a pickle at all",
}  # fmt: skip


TOLD = {
    "again-and-again": "refused: it holds the same values again and again",
    "one-text-to-many": "refused: it makes more data than it holds",
    "a-list-in-itself": "again and again",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_pickle_that_would_take_all_memory_is_one_line(tmp_path: Path, name: str) -> None:
    import tracemalloc

    path = written(tmp_path / "w.pkl", BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=TOLD.get(name, "w.pkl: ")) as raised:
            load_tensors(path, "numpy-pickle")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("form", ["numpy-pickle", "torch"])
def test_a_zip_that_would_unfold_is_refused(tmp_path: Path, form: Format) -> None:
    path = zipped(tmp_path / "w.ckpt", bytes(50_000_000), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match=r"compressed, which torch\.save never does"):
        load_tensors(path, form)


def test_a_zip_without_a_pickle_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=numbers(2))
    with pytest.raises(CheckpointError, match=r"without a data\.pkl"):
        load_tensors(tmp_path / "w.npz", "numpy-pickle")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for form in ("safetensors", "torch", "numpy-pickle"):
        with pytest.raises(CheckpointError, match="cannot be read: No such file"):
            load_tensors(tmp_path / "none", form)


def test_tensors_that_lie_further_inside_are_offered(tmp_path: Path) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps({"epoch": 3, "state": {"w": numbers(2)}}))
    with pytest.raises(CheckpointError, match=r"'epoch' is a int, not a tensor; .* inside: state"):
        load_tensors(path, "numpy-pickle")
    with pytest.raises(CheckpointError, match=r"has no 'stat'; .* inside: state"):
        load_tensors(path, "numpy-pickle", inside="stat")
    assert list(load_tensors(path, "numpy-pickle", inside="state")) == ["w"]


def test_without_torch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CheckpointError, match=r"needs torch: pip install 'unbraid\[models\]'"):
        load_tensors(written(tmp_path / "w.th", b"x"), "torch")


def test_a_torch_that_is_too_old_to_be_safe_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(CheckpointError, match=r"torch 2\.5\.1\+cpu cannot load it safely"):
        load_tensors(written(tmp_path / "w.th", b"x"), "torch")


# The right network


def test_a_checkpoint_of_another_network_is_one_line() -> None:
    wanted = {f"layer{i}.weight": numbers(2, 3) for i in range(9)} | {"out": numbers(4)}
    given = {f"block{i}.weight": numbers(2, 3) for i in range(2)} | {
        "layer0.weight": numbers(3, 2),
        "out": numbers(4),
    }
    with pytest.raises(CheckpointError) as raised:
        check_keys(wanted, given, "w.th", architecture="unet")
    text = str(raised.value)
    assert text.startswith("w.th: does not fit the architecture unet: ")
    assert "8 missing (layer1.weight, layer2.weight, layer3.weight, ...)" in text
    assert "2 unexpected (block0.weight, block1.weight)" in text
    assert "1 of another shape (layer0.weight: wanted (2, 3), is (3, 2))" in text
    assert "\n" not in text


def test_a_checkpoint_that_fits_is_taken() -> None:
    import torch

    net = torch.nn.Linear(3, 2)
    given = {"bias": numbers(2), "weight": numbers(2, 3)}
    check_keys(net.state_dict(), given, "w.th")


def test_no_damage_makes_a_pickle_raise_anything_else() -> None:
    from unbraid.host.models.pickled_arrays import read_pickle

    random = np.random.default_rng(7)
    refused = 0
    for turn in range(600):
        data = bytearray(pickle.dumps({"w": numbers(3), "n": [1, "a", None, 2.5]}, turn % 6))
        for place in random.integers(len(data), size=int(random.integers(1, 6))):
            data[place] = random.integers(256)
        try:
            read_pickle(bytes(data), "damaged")
        except CheckpointError as error:
            refused += "\n" not in str(error)
    assert refused > 300
