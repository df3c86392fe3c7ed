"""`speakers`: who is one stem stays one stem, at the level of the mixture; nothing of the input gets lost."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from asteroid_rig import card_of, formed, place, stored
from unbraid.host import Graph, GraphError, NodeError, process
from unbraid.host.contract import Layout, Spec
from unbraid.host.models import read_card, write_card
from unbraid.host.models.places import user_cards_folder
from unbraid.host.registry import Registry
from unbraid.plugins import speakers
from unbraid.plugins.separators import conv_tasnet
from unbraid.plugins.separators.asteroid_checkpoint import asteroid_card
from unbraid.plugins.separators.separator import Geometry
from unbraid.plugins.speakers_node import Speakers
from unbraid.plugins.speakers_order import best_order, mixture_level

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

    from unbraid.host.models import ModelCard

    Array = npt.NDArray[np.float32]

__all__ = ["place"]  # the fixture

RATE, SEGMENT = 8000, 1200


@dataclass
class Shuffling:
    """A model that knows each sample's speaker, and comes out in any order and at any scale.

    Speaker k has the samples k, k + n, k + 2n ...: every grid of segments here begins at a multiple of n.
    Order and scale are drawn from the segment itself, so nothing is kept from one call to the next. What is
    on no speaker's samples (the last residue) is noise, and is left out.
    """

    speakers: int = 2
    noise: bool = False
    scaled: bool = True

    def geometry(self, card: ModelCard) -> Geometry:
        return Geometry(SEGMENT, overlap=0.5, multiple=12)

    def load(self, card: ModelCard, device: str) -> Shuffling:
        return self

    def separate(self, batch: Array) -> Array:
        residues = self.speakers + self.noise
        made = np.zeros((len(batch), self.speakers, *batch.shape[1:]), np.float32)
        for stems, segment in zip(made, batch, strict=True):
            random = np.random.default_rng(zlib.crc32(segment.tobytes()))
            scale = random.uniform(0.01, 100) if self.scaled else 1.0
            for stem, speaker in enumerate(random.permutation(self.speakers)):
                stems[stem, :, speaker::residues] = scale * segment[:, speaker::residues]
        return made


def voices(length: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(scale=0.1, size=(1, length)).astype(np.float32)


def true_speakers(mixture: Array, model: Shuffling) -> Array:
    """The stems that a perfect `speakers` gives, in the order of their residues."""
    stems = np.zeros((model.speakers, mixture.shape[1]), np.float32)
    for speaker in range(model.speakers):
        step = model.speakers + model.noise
        stems[speaker, speaker::step] = mixture[0, speaker::step]
    return stems


@pytest.fixture
def plugins(place: Path) -> Registry:
    found = Registry.discover()
    if "speakers" not in found.cards:
        found.add(speakers, "speakers", "unbraid")
    assert found.faults == []
    return found


def own_card(card: ModelCard) -> ModelCard:
    """Put a card into the user's folder."""
    user_cards_folder().mkdir(parents=True, exist_ok=True)
    file = card.files[0]
    measured = msgspec.structs.replace(file, sha256=file.sha256 or 64 * "0", size=file.size or 1)
    card = msgspec.structs.replace(card, files=(measured,))
    (user_cards_folder() / f"{card.id}.yaml").write_text(write_card(card))
    return card


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, place: Path) -> Any:
    """Return what installs a shuffling model as ``meeting``."""

    def install(count: int = 2, **traits: Any) -> Shuffling:
        shuffling = Shuffling(count, **traits)
        own_card(card_of("conv-tasnet", {}, speakers=count, rate=RATE))
        monkeypatch.setattr("unbraid.plugins.separators.model_node.architecture_of", lambda _: shuffling)
        return shuffling

    return install


def graph_of(*outputs: str, layout: str = "mono", **params: Any) -> Graph:
    graph = Graph()
    node = graph.node("people", "speakers", graph.input("mix", layout), **{"model": "meeting", **params})
    for output in outputs:
        graph.output(output, node[output])
    return graph


def run(
    plugins: Registry, mixture: Array, count: int = 2, cuts: Iterable[int] | None = None, **params: Any
) -> Array:
    names = [f"speaker_{speaker + 1}" for speaker in range(count)]
    given = process(graph_of(*names, **params), mixture, rate=RATE, registry=plugins, blocks=cuts)
    return np.concatenate([given[name] for name in names])


def in_true_order(given: Array, true: Array) -> Array:
    """Return the stems in the order of the true ones, by the whole programme."""
    order = np.argmax(np.abs(true @ given.T), axis=1)
    return np.stack([given[speaker] for speaker in order])


# The same person in the same stem, at the level of the mixture


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
def test_everybody_stays_in_one_stem_whatever_order_and_scale_the_model_has(
    plugins: Registry, model: Any, count: int, overlap: float
) -> None:
    shuffling = model(count)
    mixture = voices(15 * SEGMENT + 77)
    true = true_speakers(mixture, shuffling)
    given = run(plugins, mixture, count, overlap=overlap)
    np.testing.assert_allclose(in_true_order(given, true), true, rtol=0, atol=1e-6)


def test_the_shuffling_model_does_shuffle(plugins: Registry, model: Any) -> None:
    shuffling = model()
    orders = {bool(shuffling.separate(voices(SEGMENT, seed)[None])[0, 0, 0, 0] == 0) for seed in range(16)}
    assert orders == {True, False}


def test_noise_does_not_change_the_level_of_speakers(plugins: Registry, model: Any) -> None:
    shuffling = model(2, noise=True)
    mixture = voices(9 * SEGMENT)
    true = true_speakers(mixture, shuffling)
    given = in_true_order(run(plugins, mixture), true)
    np.testing.assert_allclose(given, true, rtol=0, atol=1e-6)


def test_the_models_own_scale_is_kept_if_asked(plugins: Registry, model: Any) -> None:
    model()
    mixture = voices(SEGMENT)
    given = run(plugins, mixture, level="model")[:, : SEGMENT // 2]  # where there is one segment
    scale = np.random.default_rng(zlib.crc32(mixture.tobytes())).uniform(0.01, 100)
    np.testing.assert_allclose(given.sum(axis=0), scale * mixture[0, : SEGMENT // 2], rtol=1e-5)


def test_a_model_that_turns_the_signal_over_is_turned_back() -> None:
    mixture = voices(500)
    true = true_speakers(mixture, Shuffling())
    np.testing.assert_allclose(mixture_level(-0.2 * true, mixture[0]), true, rtol=0, atol=1e-7)
    assert not mixture_level(0 * true, mixture[0]).any()


def test_after_a_pause_as_long_as_the_overlap_everybody_is_in_some_stem(
    plugins: Registry, model: Any
) -> None:
    shuffling = model()
    mixture = voices(12 * SEGMENT)
    mixture[:, 5 * SEGMENT : 8 * SEGMENT] = 0
    true = true_speakers(mixture, shuffling)
    given = run(plugins, mixture)
    for part in (slice(0, 5 * SEGMENT), slice(8 * SEGMENT, None)):
        np.testing.assert_allclose(
            in_true_order(given[:, part], true[:, part]), true[:, part], rtol=0, atol=1e-6
        )
    assert not given[:, 6 * SEGMENT : 7 * SEGMENT].any()


def test_where_nothing_tells_the_order_stays() -> None:
    assert best_order(np.zeros((3, 9), np.float32), np.zeros((3, 9), np.float32)) == (0, 1, 2)


def test_an_offset_is_no_voice() -> None:
    one, other = voices(200, 1)[0], voices(200, 2)[0]
    past, now = np.stack([one + 1, other]), np.stack([other + 3, one])
    assert best_order(past, now) == (1, 0)


def test_blocks_change_no_bit(plugins: Registry, model: Any) -> None:
    model()
    mixture = voices(5 * SEGMENT + 100)
    np.testing.assert_array_equal(
        run(plugins, mixture), run(plugins, mixture, cuts=[1, 700, 3, 2000, 0, 999, 64])
    )


def driven(node: Speakers, mixture: Array) -> Array:
    outs = {name: np.full((1, mixture.shape[1]), np.nan, np.float32) for name in node.spec.outputs}
    node.process({"in": mixture}, outs)
    return np.concatenate(list(outs.values()))


def prepared() -> Speakers:
    mono = Layout.parse("mono")
    node = Speakers(speakers.SpeakersParams(model="meeting"))
    node.prepare(Spec(RATE, 10 * SEGMENT, {"in": mono}, {"speaker_1": mono, "speaker_2": mono}))
    return node


def test_reset_forgets_who_was_who(plugins: Registry, model: Any) -> None:
    model()
    used = prepared()
    for seed in range(8):
        mixture = voices(6 * SEGMENT, seed)
        used.reset()
        np.testing.assert_array_equal(driven(used, mixture), driven(prepared(), mixture))
    used.release()


# What speakers sum to


def test_consistent_speakers_sum_to_the_mixture_noise_and_all(plugins: Registry, model: Any) -> None:
    shuffling = model(2, noise=True)
    mixture = voices(6 * SEGMENT + 5)
    assert np.abs(run(plugins, mixture).sum(axis=0) - mixture[0]).max() > 0.1  # the noise is in none
    given = run(plugins, mixture, consistent=True)
    np.testing.assert_allclose(given.sum(axis=0), mixture[0], rtol=0, atol=1e-6)
    # each has half of what all lack (Wisdom et al. 2019)
    true = true_speakers(mixture, shuffling)
    np.testing.assert_allclose(
        in_true_order(given, true), true + (mixture - true.sum(axis=0)) / 2, rtol=0, atol=1e-6
    )


def test_rest_is_what_is_missing_at_the_graphs_rate(plugins: Registry, model: Any) -> None:
    model(2, noise=True)
    names = ("speaker_1", "speaker_2", "rest")
    mixture = voices(48000)  # white: most of it is above what a model at 8 kHz can give
    given = process(graph_of(*names), mixture, rate=48000, registry=plugins)
    np.testing.assert_allclose(sum(given[name] for name in names), mixture, rtol=0, atol=1e-6)
    assert np.abs(given["rest"]).max() > 0.1


# Models and layouts


def test_the_node_gives_what_the_network_gives(plugins: Registry, place: Path) -> None:
    from unbraid.plugins.separators.conv_tasnet_network import conv_tasnet as build

    options = {"kernel_size": 8, "stride": 4, "mask_act": "relu", "n_filters": 16, "n_blocks": 3}
    options |= {"n_repeats": 1, "bn_chan": 8, "hid_chan": 12, "skip_chan": 10}
    network = build(msgspec.convert(options, conv_tasnet.ConvTasNetOptions), 2)
    path = formed(network, place / "model.pth", "ConvTasNet", {**options, "n_src": 2})
    card = own_card(stored(path, asteroid_card(path, "meeting", licence="CC-BY-SA-4.0")))
    mixture = voices(4000)
    padded = np.pad(mixture, ((0, 0), (0, 4000)))[None]  # a segment of one second
    wanted = conv_tasnet.load(card, "cpu").separate(padded)[0, :, 0, :4000]
    given = run(plugins, mixture, level="model", segment=1.0, overlap=0.1)
    np.testing.assert_array_equal(given, wanted)


def test_the_bare_plugin_is_that_of_the_built_in_card_and_reads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(model: str) -> None:
        raise AssertionError(f"to list plugins, the card of {model} was read")

    monkeypatch.setattr("unbraid.plugins.separators.architectures.chosen_card", read)
    card = read_card(speakers.unbraid_models()[0] / "convtasnet-libri2mix-16k.yaml")
    (plugin,) = speakers.unbraid_cards()
    bare = speakers.SpeakersParams()
    assert bare.model == card.id
    assert plugin.rates_of(bare) == (card.rate,)
    assert tuple(port.name for port in plugin.ports_of(bare).outputs) == (*card.stems, "rest")


def test_more_than_one_channel_is_refused_with_what_to_do(plugins: Registry, model: Any) -> None:
    model()
    with pytest.raises(GraphError, match="takes mono, not stereo: put a `split` before it and take one part"):
        process(
            graph_of("speaker_1", layout="stereo"), np.zeros((2, 9), np.float32), rate=RATE, registry=plugins
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": "stereo"},
        {"stems": ("vocals", "accompaniment")},
        {"stems": tuple(f"speaker_{speaker + 1}" for speaker in range(7))},
    ],
)
def test_a_model_of_something_else_is_refused(
    plugins: Registry, changes: dict[str, Any], place: Path
) -> None:
    own_card(msgspec.structs.replace(card_of("conv-tasnet", {}), **changes))
    with pytest.raises(GraphError, match="it must take mono and give speaker_1 to at most speaker_6"):
        process(graph_of("speaker_1"), voices(9), rate=RATE, registry=plugins)


def test_a_model_that_nobody_knows_is_told_with_the_nearest(plugins: Registry, model: Any) -> None:
    model()
    with pytest.raises(GraphError, match="unknown model 'meting'; did you mean 'meeting'"):
        process(graph_of("speaker_1", model="meting"), voices(9), rate=RATE, registry=plugins)


def test_a_model_that_is_not_here_ends_the_render_with_what_brings_it(plugins: Registry, place: Path) -> None:
    options = {"kernel_size": 8, "stride": 4, "mask_act": "relu", "n_blocks": 1, "n_repeats": 1}
    own_card(card_of("conv-tasnet", options))
    with pytest.raises(NodeError, match=r"meeting is not here: .*unbraid models import FILE --like meeting"):
        process(graph_of("speaker_1"), voices(9), rate=RATE, registry=plugins)


def test_the_report_names_the_model_and_its_licences(plugins: Registry, model: Any) -> None:
    model()
    assert prepared().findings() == {"model": "Meeting (meeting): code MIT, weights CC-BY-SA-4.0"}
