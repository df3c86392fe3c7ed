"""Models: cards that say what is wrong with them, a store that trusts nothing, weights loaded once."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import pickle
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from unbraid import Graph, NodeError, open_stream
from unbraid.host.contract import BlockProcessor, Params, PluginCard, Spec, hookimpl
from unbraid.host.models import (
    Catalogue,
    CheckpointError,
    ModelCard,
    ModelCardError,
    ModelCorruptError,
    ModelMissingError,
    Store,
    UnknownModelError,
    Weights,
    check_keys,
    keep_loaded,
    load_network,
    load_tensors,
    load_weights,
    loaded_once,
    model_card,
    parse_card,
    save_tensors,
    to_safetensors,
    write_card,
)
from unbraid.host.models.convert import converted_fault
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from command_rig import Unbraid

    Array = npt.NDArray[np.float32]

CARD = """\
model: 1
id: tiny
name: Tiny, one stem
doc: Scales each channel.
architecture: scale
rate: 44100
layout: stereo
stems: [voice]
licence: {code: MIT, weights: CC-BY-NC-SA-4.0}
source: https://doi.org/10.21105/joss.02154
options: {n_fft: 4096, sizes: [1, 2]}
files:
  - name: w.safetensors
    format: safetensors
    url: https://example.org/w.safetensors
    size: SIZE
    sha256: HASH
"""
WEIGHTS = {"scale": np.array([0.5, 2.0], np.float32)}


def card_text(data: bytes, text: str = CARD) -> str:
    return text.replace("SIZE", str(len(data))).replace("HASH", hashlib.sha256(data).hexdigest())


class Place(NamedTuple):
    """A user's folders, all of the test's own."""

    root: Path
    weights: Path
    cards: Path

    def own(self, text: str, name: str = "tiny.yaml") -> Path:
        self.cards.mkdir(parents=True, exist_ok=True)
        (self.cards / name).write_text(text)
        return self.cards / name

    def stored(self, card: ModelCard, data: bytes) -> Path:
        path = Store().path(card, card.files[0])
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    save_tensors(tmp_path / "w.safetensors", WEIGHTS)
    return Place(tmp_path, tmp_path / "w.safetensors", tmp_path / "data" / "unbraid" / "models")


@pytest.fixture
def tiny(place: Place) -> ModelCard:
    """A card of the user's whose file is here."""
    text = card_text(place.weights.read_bytes())
    card = parse_card(text, "tiny.yaml")
    place.own(text)
    place.stored(card, place.weights.read_bytes())
    return card


# Cards


def test_a_card_says_everything_but_the_weights() -> None:
    card = parse_card(card_text(b"abc"), "tiny.yaml")
    assert (card.id, card.architecture, card.rate, card.channels) == ("tiny", "scale", 44100, 2)
    assert card.stems == ("voice",)
    assert card.options == {"n_fft": 4096, "sizes": [1, 2]}
    assert card.files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert card.size == 3
    assert card.notice == (
        "Tiny, one stem (tiny): code MIT, weights CC-BY-NC-SA-4.0 (NON-COMMERCIAL use only)"
    )


def test_a_card_is_written_as_it_is_read() -> None:
    card = parse_card(card_text(b"abc"), "tiny.yaml")
    assert parse_card(write_card(card), "again") == card


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rate: 44100", "rat: 44100", "c.yaml:6: rat: unknown key 'rat'; did you mean 'rate'?"),
        ("rate: 44100", "rate: fast", "c.yaml:6: rate: must be a whole number from 1 to 768000, not 'fast'"),
        ("model: 1\n", "model: 2\n", "c.yaml:1: model: states version 2; begin the card with model: 1"),
        ("id: tiny", "id: ../tiny", "c.yaml:2: id: '../tiny' cannot be: lower-case letters"),
        ("stereo", "wide", "c.yaml:7: layout: unknown layout 'wide'"),
        ("[voice]", "[voice, voice]", "c.yaml:8: stems[1]: 'voice' stands twice"),
        ("[voice]", "[]", "c.yaml:8: stems: must be a list of at least one"),
        ("licence: {code: MIT, ", "licence: {", "c.yaml:9: licence: has no code"),
        ("name: w.s", "name: ../w.s", "c.yaml:13: files[0].name: '../w.safetensors' cannot be"),
        ("format: safetensors", "format: pickle", "c.yaml:14: files[0].format: unknown format 'pickle'"),
        ("https://example.org", "file:///etc", "c.yaml:15: files[0].url: 'file:///etc/w.safetensors' is no"),
        ("https://example.org", "https://me:pw@x.org", "is no address to fetch from; write https://HOST/PATH"),
        ("SIZE", "-1", "c.yaml:16: files[0].size: must be a whole number"),
        ("HASH", "ABCD", "c.yaml:17: files[0].sha256: 'ABCD' cannot be: 64 of the digits 0-9 and a-f"),
        ("    sha256: HASH\n", "", "c.yaml:13: files[0]: has no sha256; write sha256: ..."),
        ("    url: https://example.org/w.safetensors", "    package: {distribution: x, path: ../../y}",
         "c.yaml:15: files[0].package.path: '../../y' leaves the package"),
        ("    url:", "    package: {distribution: x, path: y}\n    url:", "stands beside a url"),
        ("    url:", "    colour: red\n    url:", "c.yaml:15: files[0].colour: unknown key 'colour'"),
        ("model: 1\n", "model: 1\nmodel: 1\n", "c.yaml:2: the key 'model' stands twice in one mapping"),
        ("rate: 44100", "rate: !!python/object:os.system 1", "is not allowed; write plain values"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_card_is_told_by_line(old: str, new: str, told: str) -> None:
    with pytest.raises(ModelCardError) as raised:
        parse_card(card_text(b"abc", CARD.replace(old, new, 1)), "c.yaml")
    assert told in str(raised.value)
    assert len(str(raised.value).splitlines()) == len(raised.value.problems)


@pytest.mark.parametrize("text", ["", "[]", "hello", "a: [", "\x00", "x" * 200_000])
def test_what_is_no_card_is_one_line(text: str) -> None:
    with pytest.raises(ModelCardError) as raised:
        parse_card(text, "c.yaml")
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize(
    ("weights", "flagged"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("non-commercial", True),
        ("research use only", True),
        ("MIT", False),
        ("CC-BY-4.0", False),
        ("NCSA", False),
        ("CC0-1.0", False),
    ],
)
def test_weights_for_non_commercial_use_are_flagged(weights: str, flagged: bool) -> None:
    text = card_text(b"abc").replace("CC-BY-NC-SA-4.0", weights)
    assert parse_card(text, "c.yaml").licence.non_commercial is flagged


# The catalogue


class Brings:
    """A plugin package that brings cards by the hook."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths

    @hookimpl
    def unbraid_models(self) -> list[Path]:
        return list(self.paths)


def test_cards_come_from_packages_and_from_the_users_folder(place: Place) -> None:
    folder = place.root / "package"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(card_text(b"abc").replace("id: tiny", f"id: {name}"))
    (folder / "readme.txt").write_text("no card")
    single = place.root / "three.yaml"
    single.write_text(card_text(b"abc").replace("id: tiny", "id: three"))
    own = place.own(card_text(b"abc"))
    registry = Registry()
    registry.add(Brings(folder, single), "brings", "their-package")
    catalogue = Catalogue.discover(registry)
    assert registry.faults == catalogue.faults == []
    assert sorted(catalogue.cards) == ["one", "three", "tiny", "two"]
    assert catalogue.origins["one"] == catalogue.origins["three"] == "their-package"
    assert (catalogue.origins["tiny"], catalogue.places["tiny"]) == ("your own cards", own)


def test_a_broken_card_is_named_and_takes_nobody_along(place: Place) -> None:
    place.own(card_text(b"abc"))
    broken = place.own(card_text(b"abc", CARD.replace("rate", "rat")), "broken.yaml")
    catalogue = Catalogue.discover(Registry())
    assert list(catalogue.cards) == ["tiny"]
    assert f"{broken}:6: rat (from your own cards): unknown key 'rat'" in str(catalogue.faults[-1])
    with pytest.raises(UnknownModelError, match=r"unknown model 'broken'.*2 faults in cards"):
        catalogue.card("broken")


def test_two_cards_with_one_id_are_both_refused_by_name(place: Place) -> None:
    one, two = (place.own(card_text(b"abc"), f"{name}.yaml") for name in ("one", "two"))
    catalogue = Catalogue.discover(Registry())
    assert catalogue.cards == {}
    assert f"model id 'tiny' is also in {one}: none of them is used" in str(catalogue.faults[0])
    with pytest.raises(UnknownModelError, match=f"stands in {one} and in {two}; remove one"):
        catalogue.card("tiny")


def test_an_unknown_model_offers_the_nearest(tiny: ModelCard) -> None:
    with pytest.raises(UnknownModelError, match="unknown model 'tinny'; did you mean 'tiny'"):
        Catalogue.discover(Registry()).card("tinny")


def test_a_hook_that_gives_no_paths_is_a_fault() -> None:
    class Wrong:
        @hookimpl
        def unbraid_models(self) -> object:
            return [42]

    registry = Registry()
    registry.add(Wrong(), "wrong", "their-package")
    assert "its hook unbraid_models failed" in str(registry.faults[0])


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    registry = Registry()
    registry.add(Brings(tmp_path / "none.yaml"), "brings", "their-package")
    assert "cannot be read: No such file" in str(Catalogue.discover(registry).faults[0])


# The store


def test_a_model_that_is_not_here_is_an_error_with_size_and_licence(place: Place) -> None:
    card = parse_card(card_text(bytes(2_000_000)), "c.yaml")
    with pytest.raises(ModelMissingError) as raised:
        load_weights(card)
    assert str(raised.value) == (
        "model tiny is not here: unbraid models fetch tiny brings it, 2.0 MB "
        "(code MIT, weights CC-BY-NC-SA-4.0 (NON-COMMERCIAL use only))"
    )


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda data: data[:-1], "has SIZE bytes, the card says"),
        (lambda data: data + b"\0", "has SIZE bytes, the card says"),
        (lambda data: data[:0], "has 0 bytes, the card says"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "its sha256 is [0-9a-f]{64}, the card says"),
    ],
    ids=["short", "long", "empty", "one-bit"],
)
def test_a_file_that_is_not_what_the_card_says_is_an_error(
    tiny: ModelCard, harm: Callable[[bytes], bytes], told: str
) -> None:
    (path,) = Store().find(tiny)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(
        ModelCorruptError, match=f"^{path}: {told.replace('SIZE', str(path.stat().st_size))}"
    ) as raised:
        load_weights(tiny)
    assert str(raised.value).endswith("; unbraid models fetch tiny --force")
    assert "\n" not in str(raised.value)


def test_a_file_is_hashed_once_for_each_state(tiny: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    from unbraid.host.models import hashes, store

    counted: list[Path] = []

    def counting(path: Path) -> str:
        counted.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(hashes, "sha256_of", counting)
    monkeypatch.setattr(store, "sha256_of", counting)
    (path,) = [Store().find(tiny) for _ in range(3)][-1]
    assert len(counted) == 1
    os.utime(path, ns=(1, 1))
    Store().find(tiny)
    assert len(counted) == 2
    assert Store().verdict(tiny, tiny.files[0], anew=True).state == "here"
    assert len(counted) == 3


def test_a_swap_of_equal_length_and_time_is_noticed(tiny: ModelCard) -> None:
    (path,) = Store().find(tiny)
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(times.st_size))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    with pytest.raises(ModelCorruptError):
        Store().find(tiny)


def test_a_store_that_cannot_be_written_is_read_all_the_same(tiny: ModelCard) -> None:
    folder = Store().path(tiny, tiny.files[0]).parent
    (folder / "w.safetensors.seen.json").mkdir()  # so that no note can be written, by root neither
    assert load_weights(tiny)["scale"].tolist() == [0.5, 2.0]


def test_a_file_of_an_installed_package_is_used_where_it_lies(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CARD.replace(
        "url: https://example.org/w.safetensors",
        "package: {distribution: tiny-weights, path: tiny_weights/w.bin, extra: vocals}",
    )
    card = parse_card(card_text(place.weights.read_bytes(), text), "c.yaml")
    with pytest.raises(ModelMissingError, match=r"comes with tiny-weights; pip install 'unbraid\[vocals\]'"):
        Store().find(card)
    site = place.root / "site"
    (site / "tiny_weights").mkdir(parents=True)
    (site / "tiny_weights-1.0.dist-info").mkdir()
    (site / "tiny_weights-1.0.dist-info" / "METADATA").write_text("Name: tiny-weights\nVersion: 1.0\n")
    (site / "tiny_weights" / "w.bin").write_bytes(place.weights.read_bytes())
    monkeypatch.syspath_prepend(site)
    assert Store().find(card) == [site / "tiny_weights" / "w.bin"]
    (site / "tiny_weights" / "w.bin").write_bytes(b"x")
    with pytest.raises(ModelCorruptError, match=r"--force-reinstall --no-deps tiny-weights==1\.0"):
        Store().find(card)


def test_a_file_of_an_editable_install_is_used_where_imports_find_its_package(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CARD.replace(
        "url: https://example.org/w.safetensors",
        "package: {distribution: tiny-weights, path: tiny_linked/models/w.bin}",
    )
    card = parse_card(card_text(place.weights.read_bytes(), text), "c.yaml")
    site, sources = place.root / "site", place.root / "sources"
    (site / "tiny_weights-1.0.dist-info").mkdir(parents=True)
    (site / "tiny_weights-1.0.dist-info" / "METADATA").write_text("Name: tiny-weights\nVersion: 1.0\n")
    (sources / "tiny_linked" / "models").mkdir(parents=True)
    (sources / "tiny_linked" / "__init__.py").touch()
    (sources / "tiny_linked" / "models" / "w.bin").write_bytes(place.weights.read_bytes())
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(sources)
    assert Store().find(card) == [sources / "tiny_linked" / "models" / "w.bin"]
    assert "tiny_linked" not in sys.modules


def claim(path: Path, note: Path) -> None:
    """Let a note say of a changed file that it was seen as it is: only hashing anew tells then."""
    seen = json.loads(note.read_bytes())
    state = path.stat()
    seen["state"] = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev]
    note.write_text(json.dumps(seen))


# Conversion


def pickled(place: Place, weights: object, inside: str = "") -> ModelCard:
    data = pickle.dumps(weights, 2)
    text = (
        card_text(data)
        .replace("w.safetensors", "w.ckpt")
        .replace("format: safetensors", "format: numpy-pickle")
    )
    card = parse_card(text + (f"    inside: {inside}\n" if inside else ""), "c.yaml")
    place.stored(card, data)
    return card


def test_another_form_is_converted_once_and_says_what_it_was_made_from(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import safe_open

    card = pickled(place, {"net": WEIGHTS}, "net")
    copy = to_safetensors(card)
    with safe_open(str(copy), framework="numpy") as file:
        assert file.metadata()["source_sha256"] == card.files[0].sha256
        np.testing.assert_array_equal(file.get_tensor("scale"), WEIGHTS["scale"])
    before = copy.stat().st_mtime_ns
    assert to_safetensors(card) == copy
    monkeypatch.setattr("unbraid.host.models.pickled_arrays.read_pickle", None)
    assert load_weights(card)["scale"].tolist() == [0.5, 2.0]
    assert copy.stat().st_mtime_ns == before


def test_a_copy_may_be_read_by_whoever_may_read_the_original(place: Place) -> None:
    card = pickled(place, WEIGHTS)
    assert to_safetensors(card).stat().st_mode == Store().find(card)[0].stat().st_mode


def test_a_converted_copy_that_changed_is_made_again(place: Place) -> None:
    card = pickled(place, WEIGHTS)
    copy = to_safetensors(card)
    good = copy.read_bytes()
    copy.write_bytes(good[:-1] + b"\x7f")
    assert load_weights(card)["scale"].tolist() == [0.5, 2.0]
    assert load_tensors(copy, "safetensors")["scale"].tolist() == [0.5, 2.0]


def test_verifying_removes_a_damaged_copy(place: Place) -> None:
    card = pickled(place, WEIGHTS)
    copy = to_safetensors(card)
    assert converted_fault(card, card.files[0], Store()) == ""
    copy.write_bytes(copy.read_bytes()[:-1] + b"\x7f")
    claim(copy, copy.with_name(f"{copy.name}.seen.json"))
    assert "was damaged and has been removed" in converted_fault(card, card.files[0], Store())
    assert not copy.exists()


def test_a_corrupt_original_is_an_error_even_beside_a_good_copy(place: Place) -> None:
    card = pickled(place, WEIGHTS)
    to_safetensors(card)
    (path,) = Store().find(card)
    path.write_bytes(b"x")
    with pytest.raises(ModelCorruptError):
        load_weights(card)


# Loading


class Net:
    """Stands for a network: it has a state and can be referred to weakly."""

    def __init__(self, weights: Weights) -> None:
        check_keys(WEIGHTS, weights, "w.safetensors", architecture="scale")
        self.weights = weights


def build(card: ModelCard, weights: list[Weights]) -> Net:
    BUILT.append(card.id)
    return Net(*weights)


BUILT: list[str] = []


def test_a_model_loads_once_in_a_process_and_is_freed_when_nobody_uses_it(tiny: ModelCard) -> None:
    BUILT.clear()
    one, two = load_network(tiny, build, "cpu"), load_network(tiny, build, "cpu")
    assert one is two
    assert one.weights["scale"].tolist() == [0.5, 2.0]
    other = load_network(tiny, build, "cuda")
    assert other is not one
    assert len(BUILT) == 2
    del one, two, other
    gc.collect()
    load_network(tiny, build, "cpu")
    assert len(BUILT) == 3


def test_threads_that_ask_at_once_get_one() -> None:
    made: list[Weights] = []
    together = threading.Barrier(8)
    started = threading.Event()

    def make() -> Weights:
        started.wait(0.05)  # long enough for the others to ask
        made.append(Weights())
        return made[-1]

    found: list[Weights] = []

    def ask() -> None:
        together.wait()
        found.append(loaded_once("threads", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(one is made[0] for one in found)


def test_one_key_does_not_hold_up_another() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Weights:
        inside.set()
        assert go_on.wait(10)
        return Weights()

    thread = threading.Thread(target=lambda: loaded_once("slow", slow))
    thread.start()
    assert inside.wait(10)
    assert loaded_once("quick", Weights) == {}
    go_on.set()
    thread.join()


def test_as_many_are_held_for_the_next_job_as_were_asked_for_and_no_more() -> None:
    made = list[str]()

    def make(key: str) -> Weights:
        made.append(key)
        return Weights()

    def ask(*keys: str) -> list[str]:
        made.clear()
        for key in keys:
            loaded_once(f"held {key}", partial(make, key))
        return list(made)

    try:
        assert ask("a", "a") == ["a", "a"]  # nobody holds it
        keep_loaded(2)
        assert ask("a", "b", "a", "b") == ["a", "b"]
        assert ask("a", "c", "a", "b") == ["c", "b"]  # b was asked for longest ago
        keep_loaded(1)
        assert ask("b", "a") == ["a"]
    finally:
        keep_loaded(0)
    assert ask("a", "b") == ["a", "b"]


def test_a_build_that_fails_is_tried_again() -> None:
    def fails() -> Weights:
        raise CheckpointError("no")

    with pytest.raises(CheckpointError):
        loaded_once("fails", fails)
    assert loaded_once("fails", Weights) == {}


def test_a_checkpoint_of_the_wrong_architecture_is_one_line(place: Place) -> None:
    card = pickled(place, {"weight": np.zeros(3, np.float32)})
    with pytest.raises(
        CheckpointError, match=r"does not fit the architecture scale: 1 missing \(scale\), 1 un"
    ):
        load_network(card, build)


class Scale(BlockProcessor[Params]):
    """A node whose model gives each channel a factor."""

    def prepare(self, spec: Spec) -> None:
        super().prepare(spec)
        self.net = load_network(model_card("tiny"), build, spec.device)

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        np.multiply(ins["in"], self.net.weights["scale"][:, None], out=outs["out"])


def scaled(samples: Array) -> Array:
    """Run two nodes of one model."""
    registry = Registry()
    card = PluginCard(
        id="scale", name="Scale", version="1", licence="MIT", factory=f"{__name__}:Scale", params=Params
    )
    registry.cards["scale"] = card
    graph = Graph()
    first = graph.node("first", "scale", graph.input("mix"))
    graph.output("out", graph.node("second", "scale", first))
    with open_stream(graph, rate=44100, layouts={"mix": "stereo"}, registry=registry) as stream:
        return stream.process({"mix": samples})["out"].copy()


def test_nodes_of_one_model_share_it(tiny: ModelCard) -> None:
    BUILT.clear()
    out = scaled(np.ones((2, 64), np.float32))
    np.testing.assert_array_equal(out, np.array([[0.25], [4.0]], np.float32).repeat(64, 1))
    assert BUILT == ["tiny"]


@pytest.mark.parametrize("state", ["missing", "corrupt", "unknown"])
def test_a_graph_without_its_model_is_an_error_and_never_a_pass_through(
    place: Place, tiny: ModelCard, state: str
) -> None:
    (path,) = Store().find(tiny)
    if state == "missing":
        path.unlink()
    elif state == "corrupt":
        path.write_bytes(bytes(tiny.size))
    else:
        (place.cards / "tiny.yaml").unlink()
    told = {
        "missing": "model tiny is not here: unbraid models fetch tiny brings it",
        "corrupt": f"{path}: its sha256 is",
        "unknown": "unknown model 'tiny'",
    }[state]
    with pytest.raises(NodeError) as raised:
        scaled(np.ones((2, 64), np.float32))
    assert told in str(raised.value)
    assert "node 'first' (scale) failed" in str(raised.value)
    assert "\n" not in str(raised.value)


# The command line


def test_list_tells_what_is_here_and_under_what_licence(
    place: Place, tiny: ModelCard, unbraid: Unbraid
) -> None:
    place.own(
        card_text(b"abc").replace("id: tiny", "id: absent").replace("CC-BY-NC-SA-4.0", "MIT"), "absent.yaml"
    )
    place.own("model: 1", "broken.yaml")
    done = unbraid("models", "list")
    assert done.code == 0
    absent, here = sorted(
        line.split() for line in done.out.splitlines() if line.startswith(("tiny", "absent"))
    )
    assert absent[1:3] == ["not", "fetched"]
    assert "MIT" in absent
    assert here[1] == "here"
    assert {"NON-COMMERCIAL", "44100", "voice"} <= set(here)
    assert f"not used: {place.cards / 'broken.yaml'}:1" in done.err
    data = json.loads(unbraid("models", "list", "--json").out)
    states = {row["id"]: row["state"] for row in data["models"] if row["id"] in {"tiny", "absent"}}
    assert states == {"tiny": "here", "absent": "not fetched"}
    assert data["faults"]


def test_show_tells_everything(tiny: ModelCard, unbraid: Unbraid) -> None:
    done = unbraid("models", "show", "tiny")
    assert done.code == 0
    for told in (
        "Tiny, one stem",
        "voice of stereo at 44100 Hz",
        "code MIT, weights CC-BY-NC-SA-4.0  NON-COMMERCIAL",
        "source: https://doi.org/10.21105/joss.02154",
        "n_fft 4096",
        tiny.files[0].sha256,
        "https://example.org/w.safetensors",
    ):
        assert told in done.out
    data = json.loads(unbraid("models", "show", "tiny", "--json").out)
    assert data["licence"] == {"code": "MIT", "weights": "CC-BY-NC-SA-4.0", "non_commercial": True}
    assert data["files"][0]["state"] == "here"
    unknown = unbraid("models", "show", "tinny")
    assert (unknown.code, unknown.out) == (2, "")
    assert "did you mean 'tiny'" in unknown.err


def test_fetch_shows_the_licence_and_says_when_it_may_not(
    place: Place, tiny: ModelCard, unbraid: Unbraid
) -> None:
    place.own(card_text(b"abc").replace("id: tiny", "id: absent"), "absent.yaml")
    done = unbraid("models", "fetch", "absent", "tiny", "--offline")
    assert done.code == 1
    assert "weights CC-BY-NC-SA-4.0 (NON-COMMERCIAL use only)" in done.err
    assert "unbraid: model absent: offline, so w.safetensors cannot be fetched" in done.err
    assert done.out.startswith("tiny: ")
    data = json.loads(unbraid("models", "fetch", "absent", "tiny", "--json").out)
    assert [model["id"] for model in data["models"]] == ["tiny"]
    assert len(data["errors"]) == 1


def test_verify_finds_the_bit_that_turned(tiny: ModelCard, unbraid: Unbraid) -> None:
    assert unbraid("models", "verify").code == 0
    (path,) = Store().find(tiny)
    data = path.read_bytes()
    note = Store().note(tiny, tiny.files[0])
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    claim(path, note)
    assert Store().find(tiny) == [path]
    done = unbraid("models", "verify")
    assert done.code == 1
    assert f"{path}: its sha256 is " in done.err
    assert "unbraid models fetch tiny --force" in done.err
    assert unbraid("models", "verify", "tiny", "--json").code == 1


def test_import_takes_a_file_whose_hash_fits_under_any_name(place: Place, unbraid: Unbraid) -> None:
    data = place.weights.read_bytes()
    place.own(card_text(data))
    file = place.root / "download (1).bin"
    file.write_bytes(data)
    done = unbraid("models", "import", file, "--like", "tiny")
    assert done.code == 0
    assert "NON-COMMERCIAL" in done.err
    card = parse_card(card_text(data), "c")
    assert load_weights(card)["scale"].tolist() == [0.5, 2.0]
    file.write_bytes(data[:-1])
    wrong = unbraid("models", "import", file, "--like", "tiny")
    assert wrong.code == 1
    assert f"{file}: is none of the files of tiny: its sha256 is" in wrong.err


def test_import_with_a_card_measures_the_hash_and_keeps_the_card(place: Place, unbraid: Unbraid) -> None:
    text = CARD.replace("    size: SIZE\n    sha256: HASH\n", "").replace(
        "    url: https://example.org/w.safetensors\n", ""
    )
    mine = place.root / "mine.yaml"
    mine.write_text(text)
    done = unbraid("models", "import", place.weights, "--card", mine)
    assert (done.code, "w.safetensors" in done.out) == (0, True)
    card = Catalogue.discover(Registry()).card("tiny")
    assert card.files[0].sha256 == hashlib.sha256(place.weights.read_bytes()).hexdigest()
    assert load_weights(card)["scale"].tolist() == [0.5, 2.0]
    assert unbraid("models", "import", place.weights, "--card", mine).code == 0, "the same again is no harm"
    mine.write_text(text.replace("rate: 44100", "rate: 48000"))
    taken = unbraid("models", "import", place.weights, "--card", mine)
    assert taken.code == 2
    assert "the id 'tiny' is taken by" in taken.err


def test_import_gives_no_card_to_what_cannot_be_loaded(place: Place, unbraid: Unbraid) -> None:
    mine = place.root / "mine.yaml"
    mine.write_text(CARD.replace("    size: SIZE\n    sha256: HASH\n", ""))
    broken = place.root / "broken.bin"
    broken.write_bytes(place.weights.read_bytes()[:-1])
    done = unbraid("models", "import", broken, "--card", mine)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "it was cut short" in done.err
    assert not place.cards.exists()
    assert not Store().root.exists()


def test_import_wants_one_card(place: Place, unbraid: Unbraid) -> None:
    done = unbraid("models", "import", place.weights)
    assert done.code == 2
    assert "give either --like ID or --card CARD.yaml" in done.err


def test_a_card_that_was_measured_differs_in_nothing_else(place: Place, unbraid: Unbraid) -> None:
    text = card_text(place.weights.read_bytes())
    mine = place.root / "mine.yaml"
    mine.write_text(text)
    assert unbraid("models", "import", place.weights, "--card", mine).code == 0
    card = Catalogue.discover(Registry()).card("tiny")
    assert msgspec.to_builtins(card) == msgspec.to_builtins(parse_card(text, "c"))


def test_it_is_cheap_to_know_of_models(place: Place) -> None:
    """Cards are read while graphs are checked: neither torch nor NumPy is loaded for that."""
    import subprocess
    import sys

    place.own(card_text(b"abc"))
    code = (
        "import sys; from unbraid.host.models import Catalogue; from unbraid.host.registry import Registry;"
        "assert Catalogue.discover(Registry()).card('tiny').stems == ('voice',);"
        "print([name for name in ('torch', 'numba', 'numpy', 'safetensors') if name in sys.modules])"
    )
    said: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_load_tensors_of_the_store_is_load_weights(tiny: ModelCard) -> None:
    (path,) = Store().find(tiny)
    assert load_tensors(path, "safetensors").keys() == load_weights(tiny).keys()
