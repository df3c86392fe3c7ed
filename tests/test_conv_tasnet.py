"""Conv-TasNet: what asteroid's network gives, from asteroid's own files; and one line for every bad one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from asteroid_rig import (
    asteroid_models,
    by_formula,
    card_of,
    formed,
    place,
    published,
    randomised,
    stored,
    sweep,
    voices,
)
from unbraid.host.models import CheckpointError, ModelCardError, ModelCorruptError, read_card
from unbraid.plugins.separators import conv_tasnet, dprnn
from unbraid.plugins.separators.asteroid_checkpoint import asteroid_card

if TYPE_CHECKING:
    import numpy.typing as npt

    from unbraid.host.models import ModelCard

    Array = npt.NDArray[np.float32]

__all__ = ["place"]  # the fixture

SMALL: dict[str, Any] = {
    "n_filters": 16,
    "kernel_size": 8,
    "stride": 4,
    "mask_act": "relu",
    "n_blocks": 3,
    "n_repeats": 2,
    "bn_chan": 8,
    "hid_chan": 12,
    "skip_chan": 10,
}
CARD = Path(conv_tasnet.__file__).parents[1] / "models" / "convtasnet-libri2mix-16k.yaml"


def network(speakers: int = 2, **options: Any) -> Any:
    from unbraid.plugins.separators.conv_tasnet_network import conv_tasnet as build

    return build(conv_tasnet.ConvTasNetOptions(**{**SMALL, **options}), speakers)


def made(folder: Path, **arguments: Any) -> Path:
    """A small published checkpoint, made without asteroid."""
    return formed(network(), folder / "model.pth", "ConvTasNet", {**SMALL, "n_src": 2, **arguments})


# The same as asteroid


@pytest.mark.parametrize(
    "options",
    [
        {"n_src": 2},
        {"n_src": 3, "mask_act": "sigmoid", "norm_type": "cLN"},
        {"n_src": 2, "mask_act": "softmax", "norm_type": "bN", "encoder_activation": "relu"},
        {"n_src": 2, "mask_act": "swish", "causal": True, "norm_type": "cgLN"},
        {"n_src": 2, "mask_act": "tanh", "skip_chan": 0, "norm_type": "fgLN"},
        {"n_src": 1, "mask_act": "prelu", "conv_kernel_size": 5, "kernel_size": 7, "stride": 3},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
def test_a_published_checkpoint_gives_what_asteroid_gives(place: Path, options: dict[str, Any]) -> None:
    import torch

    reference = randomised(asteroid_models().ConvTasNet(**{**SMALL, **options}))
    path = published(reference, place / "model.pth")
    card = stored(path, asteroid_card(path, "meeting", licence="CC-BY-SA-4.0"))
    mixture = voices(2003)  # no whole number of frames
    with torch.inference_mode():
        wanted = reference(torch.from_numpy(mixture)).numpy()
    given = conv_tasnet.load(card, "cpu").separate(mixture)
    assert given.shape == (1, options["n_src"], 1, 2003)
    np.testing.assert_allclose(given[:, :, 0], wanted, rtol=0, atol=1e-5)


def test_asteroids_numbers_come_out_where_asteroid_is_not_installed(place: Path) -> None:
    # asteroid 0.7.0's own network in float64, with the same tensors, at samples 50, 160, ... of the sweep
    wanted = [
        [3.5217535, -5.6787668, 6.5970376, -4.3743575, -4.15888],
        [3.3419593, -4.4535304, 6.2213183, -3.5025947, -3.9548045],
    ]
    card = stored(made(place), card_of("conv-tasnet", SMALL))
    given = conv_tasnet.load(card, "cpu").separate(sweep(600))
    np.testing.assert_allclose(given[0, :, 0, 50:600:110], wanted, rtol=2e-6)


def test_the_default_is_as_large_as_the_published_model(place: Path) -> None:
    from unbraid.plugins.separators.conv_tasnet_network import conv_tasnet as build

    options = msgspec.convert(read_card(CARD).options, conv_tasnet.ConvTasNetOptions)
    # 5,066,929 parameters: counted by others in the published file of this sha256
    assert sum(each.numel() for each in build(options, 2).state_dict().values()) == 5_066_929


def test_segments_do_not_touch_each_other(place: Path) -> None:
    model = conv_tasnet.load(stored(made(place), card_of("conv-tasnet", SMALL)), "cpu")
    first, second = voices(400, 1), voices(400, 2)
    both = model.separate(np.concatenate([first, second]))
    np.testing.assert_allclose(both[0], model.separate(first)[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(both[1], model.separate(second)[0], rtol=0, atol=1e-5)


def test_a_stretch_shorter_than_a_filter_comes_back_as_long_as_it_is(place: Path) -> None:
    model = conv_tasnet.load(stored(made(place), card_of("conv-tasnet", SMALL)), "cpu")
    given = model.separate(voices(5))
    assert given.shape == (1, 2, 1, 5)
    assert np.isfinite(given).all()


# Cards


def test_a_card_is_made_of_a_checkpoint(place: Path) -> None:
    path = made(place, encoder_activation=None, causal=False, norm_type="GlobLN", sample_rate=8000)
    card = asteroid_card(path, "meeting", licence="CC-BY-SA-4.0", rate=16000)
    assert (card.architecture, card.rate, card.layout) == ("conv-tasnet", 16000, "mono")
    assert card.stems == ("speaker_1", "speaker_2")
    assert card.options == {**SMALL, "encoder_activation": "linear", "causal": False, "norm_type": "gLN"}
    assert conv_tasnet.load(stored(path, card), "cpu").separate(voices(64)).shape == (1, 2, 1, 64)


def test_the_built_in_card_is_that_of_a_conv_tasnet_at_16_khz() -> None:
    card = read_card(CARD)
    grid = conv_tasnet.geometry(card)
    assert (card.rate, grid.segment, grid.multiple, grid.overlap) == (16000, 8 * 16000, 16, 0.5)
    assert "CC-BY-SA" in card.notice
    # the file that others have pinned, at an address that names its revision
    assert card.files[0].sha256.startswith("8d97f012f7b2f22bb79cb0d0983a7ba2")
    assert "/resolve/e1ef95ab7a037950f3a606b9a56760cf94701d3d/" in card.files[0].url


def altered(card: ModelCard, **changes: Any) -> ModelCard:
    return msgspec.structs.replace(card, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": {**SMALL, "strides": 4}}, "unknown field `strides`"),
        (
            {"options": {k: v for k, v in SMALL.items() if k != "mask_act"}},
            "missing required field `mask_act`",
        ),
        ({"options": {**SMALL, "stride": 0}}, "`int` >= 1 - at `$.stride`"),
        ({"options": {**SMALL, "mask_act": "step"}}, "Invalid enum value 'step'"),
        ({"layout": "stereo"}, "layout: stereo is not what conv-tasnet takes; write layout: mono"),
    ],
)
def test_a_card_that_cannot_be_is_told_in_a_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelCardError) as caught:
        conv_tasnet.geometry(altered(card_of("conv-tasnet", SMALL), **changes))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


# Files that are not what they should be


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"stride": 2}, "was made with stride = 4, the card meeting says 2"),
        ({"mask_act": "sigmoid"}, "was made with mask_act = 'relu', the card meeting says 'sigmoid'"),
        ({"hid_chan": 13}, "was made with hid_chan = 12, the card meeting says 13"),
    ],
)
def test_a_file_that_was_made_otherwise_is_refused(place: Path, said: dict[str, Any], told: str) -> None:
    card = stored(made(place), card_of("conv-tasnet", {**SMALL, **said}))
    with pytest.raises(CheckpointError) as caught:
        conv_tasnet.load(card, "cpu")
    assert told in str(caught.value)


def test_a_file_for_another_number_of_speakers_is_refused(place: Path) -> None:
    card = stored(made(place), card_of("conv-tasnet", SMALL, speakers=3))
    with pytest.raises(CheckpointError, match="was made with n_src = 2, the card meeting says 3"):
        conv_tasnet.load(card, "cpu")


def test_tensors_that_do_not_fit_are_refused_where_a_file_says_nothing_else(place: Path) -> None:
    import torch

    shapes = {key: tuple(value.shape) for key, value in network(hid_chan=13).state_dict().items()}
    tensors = {key: torch.from_numpy(value) for key, value in by_formula(shapes).items()}
    torch.save({"state_dict": tensors}, place / "model.pth")
    card = stored(place / "model.pth", card_of("conv-tasnet", SMALL))
    with pytest.raises(CheckpointError, match=r"does not fit the architecture conv-tasnet: .*another shape"):
        conv_tasnet.load(card, "cpu")


def test_a_checkpoint_of_another_architecture_is_refused(place: Path) -> None:
    options = {"n_filters": 16, "kernel_size": 8, "stride": 4, "mask_act": "relu", "chunk_size": 10}
    card = stored(made(place), card_of("dprnn", options))
    with pytest.raises(CheckpointError, match="is a ConvTasNet, the card meeting says dprnn; write"):
        dprnn.load(card, "cpu")


def test_a_checkpoint_that_lacks_a_tensor_is_refused(place: Path) -> None:
    import torch

    path = made(place)
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["masker.TCN.3.res_conv.bias"]
    torch.save(content, path)
    card = stored(path, card_of("conv-tasnet", SMALL))
    with pytest.raises(CheckpointError, match=r"1 missing \(masker\.TCN\.3\.res_conv\.bias\)"):
        conv_tasnet.load(card, "cpu")


def test_networks_and_filterbanks_that_are_not_known_are_named(place: Path) -> None:
    path = formed(network(), place / "model.pth", "DCUNet", {**SMALL, "n_src": 2})
    with pytest.raises(CheckpointError, match="is a DCUNet; of asteroid's networks ConvTasNet and"):
        asteroid_card(path, "meeting", licence="MIT")
    with pytest.raises(CheckpointError, match="has the filterbank STFTFB; only free ones are known"):
        asteroid_card(made(place, fb_name="STFTFB"), "meeting", licence="MIT")
    (place / "bare.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        asteroid_card(place / "absent.pth", "meeting", licence="MIT")
    with pytest.raises(CheckpointError, match="is no whole checkpoint"):
        asteroid_card(place / "bare.pth", "meeting", licence="MIT")


def test_a_file_that_is_cut_short_is_refused(place: Path) -> None:
    path = made(place)
    whole = stored(path, card_of("conv-tasnet", SMALL))
    path.write_bytes(path.read_bytes()[:5000])
    cut = stored(path, card_of("conv-tasnet", SMALL))  # a card that was made of the stump
    with pytest.raises(CheckpointError, match=r"is no whole|cannot be read"):
        conv_tasnet.load(cut, "cpu")
    place.joinpath("store", "meeting", whole.files[0].sha256[:16], "model.pth").write_bytes(b"short")
    with pytest.raises(ModelCorruptError, match="has 5 bytes, the card says"):
        conv_tasnet.load(whole, "cpu")


class Canary:
    """Writes a file when somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "ran")


def test_code_in_a_checkpoint_does_not_run(place: Path) -> None:
    import torch

    canary = place / "canary"
    pickle.loads(pickle.dumps(Canary(canary)))  # noqa: S301 - it does sing
    assert canary.exists()
    canary.unlink()
    path = made(place)
    content = torch.load(path, weights_only=True)
    torch.save({**content, "infos": Canary(canary)}, path)
    card = stored(path, card_of("conv-tasnet", SMALL))
    with pytest.raises(CheckpointError, match="refused"):
        conv_tasnet.load(card, "cpu")
    with pytest.raises(CheckpointError, match="refused"):
        asteroid_card(path, "other", licence="MIT")
    assert not canary.exists()
