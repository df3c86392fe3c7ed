"""DPRNN: what asteroid's network gives, from asteroid's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from asteroid_rig import (
    asteroid_models,
    card_of,
    formed,
    place,
    published,
    randomised,
    stored,
    sweep,
    voices,
)
from unbraid.host.models import CheckpointError, ModelCardError
from unbraid.plugins.separators import dprnn
from unbraid.plugins.separators.asteroid_checkpoint import asteroid_card

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["place"]  # the fixture

SMALL: dict[str, Any] = {
    "n_filters": 12,
    "kernel_size": 4,
    "stride": 2,
    "mask_act": "linear",
    "chunk_size": 20,
    "n_repeats": 2,
    "bn_chan": 8,
    "hid_size": 6,
}


def made(folder: Path, **arguments: Any) -> Path:
    """A small published checkpoint, made without asteroid."""
    from unbraid.plugins.separators.dprnn_network import dprnn as build

    network = build(dprnn.DprnnOptions(**SMALL), 2)
    return formed(network, folder / "model.pth", "DPRNNTasNet", {**SMALL, "n_src": 2, **arguments})


@pytest.mark.parametrize(
    "options",
    [
        {"n_src": 2, "mask_act": "sigmoid"},
        {"n_src": 3, "mask_act": "relu", "norm_type": "cLN", "hop_size": 7},
        {"n_src": 2, "mask_act": "softmax", "rnn_type": "GRU", "num_layers": 2},
        {"n_src": 2, "bidirectional": False, "norm_type": "bN", "rnn_type": "RNN"},
        {"n_src": 2, "use_mulcat": True, "norm_type": "fgLN", "encoder_activation": "relu"},
        {"n_src": 2, "kernel_size": 2, "stride": 1, "chunk_size": 51},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
def test_a_published_checkpoint_gives_what_asteroid_gives(place: Path, options: dict[str, Any]) -> None:
    import torch

    reference = randomised(asteroid_models().DPRNNTasNet(**{**SMALL, **options}))
    path = published(reference, place / "model.pth")
    card = stored(path, asteroid_card(path, "meeting", licence="CC-BY-SA-4.0"))
    mixture = np.concatenate([voices(1001, 1), voices(1001, 2)])
    with torch.inference_mode():
        wanted = reference(torch.from_numpy(mixture)).numpy()
    given = dprnn.load(card, "cpu").separate(mixture)
    assert given.shape == (2, options["n_src"], 1, 1001)
    np.testing.assert_allclose(given[:, :, 0], wanted, rtol=0, atol=1e-5)


def test_asteroids_numbers_come_out_where_asteroid_is_not_installed(place: Path) -> None:
    # asteroid 0.7.0's own network in float64, with the same tensors, at samples 50, 160, ... of the sweep
    wanted = [
        [0.0041252, -0.0074729, 0.0073711, -0.007315, -0.0101704],
        [-0.0012011, 0.0022476, -0.0020834, 0.0019474, 0.0022705],
    ]
    card = stored(made(place), card_of("dprnn", SMALL))
    given = dprnn.load(card, "cpu").separate(sweep(600))
    np.testing.assert_allclose(given[0, :, 0, 50:600:110], wanted, rtol=0, atol=2e-7)


def test_a_card_is_made_of_a_checkpoint(place: Path) -> None:
    path = made(place, rnn_type="lstm", dropout=0, hop_size=None, sample_rate=8000.0)
    card = asteroid_card(path, "meeting", licence="CC-BY-SA-4.0")
    assert (card.architecture, card.rate) == ("dprnn", 8000)
    assert card.options == {**SMALL, "rnn_type": "LSTM", "hop_size": 0}
    grid = dprnn.geometry(card)
    assert (grid.segment, grid.multiple) == (8 * 8000, 2)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"chunk_size": 22}, "was made with chunk_size = 20, the card meeting says 22"),
        ({"hop_size": 5}, "was made with hop_size = 10, the card meeting says 5"),
        ({"rnn_type": "GRU"}, "was made with rnn_type = 'LSTM', the card meeting says 'GRU'"),
    ],
)
def test_a_file_that_was_made_otherwise_is_refused(place: Path, said: dict[str, Any], told: str) -> None:
    path = made(place, hop_size=10, rnn_type="LSTM")
    with pytest.raises(CheckpointError) as caught:
        dprnn.load(stored(path, card_of("dprnn", {**SMALL, **said})), "cpu")
    assert told in str(caught.value)


def test_the_hop_that_a_card_leaves_out_is_half_a_chunk_in_the_file_too(place: Path) -> None:
    card = stored(made(place, hop_size=10), card_of("dprnn", SMALL))
    assert dprnn.load(card, "cpu").separate(voices(50)).shape == (1, 2, 1, 50)


def test_chunks_that_cannot_be_are_told_in_a_line() -> None:
    options = {key: value for key, value in SMALL.items() if key != "chunk_size"}
    with pytest.raises(ModelCardError, match=r"model card meeting: options: .*`chunk_size`"):
        dprnn.geometry(card_of("dprnn", options))
    with pytest.raises(ModelCardError, match="hop_size 21 is more than chunk_size 20"):
        dprnn.geometry(card_of("dprnn", {**SMALL, "hop_size": 21}))
