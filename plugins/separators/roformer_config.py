"""Makes a card of the configuration that RoFormers are published with.

Such a file is YAML with the arguments of the network, the names of its stems and the length of its segments,
and sometimes asks for Python objects (``!!python/tuple``). It is read as data: a tuple is a list, and every
other tag is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.contract.errors import Place, Problem
from ...host.models import Licence, ModelCard, ModelCardError, ModelFile
from .roformer import MEL, SPLIT, MelRoformerOptions, RoformerOptions

if TYPE_CHECKING:
    from ...host.models.card import Format

__all__ = ["card_from_config", "read_config"]

_MOST_CHARACTERS = 1 << 17
_TUPLE = "tag:yaml.org,2002:python/tuple"
#: Arguments of training only, those that change nothing here, and those that the card says itself.
_LEFT_OUT = frozenset(
    {
        "attn_dropout",
        "dim_freqs_in",
        "ff_dropout",
        "flash_attn",
        "match_input_audio_length",
        "multi_stft_hop_size",
        "multi_stft_normalized",
        "multi_stft_resolution_loss_weight",
        "multi_stft_resolutions_window_sizes",
        "num_stems",
        "sage_attention",
        "sample_rate",
        "stereo",
        "use_torch_checkpoint",
    }
)


def card_from_config(
    text: str, checkpoint: str, identifier: str, licence: Licence, *, form: Format = "torch"
) -> ModelCard:
    """Return a card for a published checkpoint and its configuration.

    It states no sha256 and size yet: ``unbraid models import CHECKPOINT --card CARD`` measures them.

    Args:
        text: the configuration, YAML.
        checkpoint: the checkpoint's file name.
        identifier: the card's id.
        licence: as the publisher states it.
        form: how the checkpoint holds its tensors.

    Raises:
        ModelCardError: the text is no such configuration, or asks for something this network does not have.

    Example:
        >>> from unbraid.host.models import Licence, write_card
        >>> config = "model: {dim: 192, depth: 6, stereo: true, num_bands: 60}" + chr(10)
        >>> config += "training: {instruments: [vocals, other], target_instrument: vocals}" + chr(10)
        >>> config += "inference: {chunk_size: 352800, num_overlap: 2}"
        >>> card = card_from_config(config, "mine.ckpt", "mine", Licence("MIT", "MIT"))
        >>> card.architecture, card.stems, card.options["segment"]
        ('mel-band-roformer', ('vocals',), 352800)
        >>> write_card(card).startswith("model: 1")
        True
    """
    config = read_config(text, checkpoint)
    model, training = _section(config, "model", checkpoint), _section(config, "training", checkpoint)
    mel = "num_bands" in model
    known = (MelRoformerOptions if mel else RoformerOptions).__struct_fields__
    unknown = [key for key in model if key not in known and key not in _LEFT_OUT and model[key]]
    if unknown:
        raise _fault(checkpoint, "model", f"asks for {', '.join(map(str, unknown))}, which is not known")
    options = {key: value for key, value in model.items() if key in known and key not in _LEFT_OUT}
    options |= _segments(config, model, checkpoint)
    target = training.get("target_instrument")
    stems = [target] if target else training.get("instruments")
    if not isinstance(stems, list) or not all(isinstance(stem, str) for stem in stems):
        raise _fault(checkpoint, "training.instruments", "must be a list of names")
    rate = model.get("sample_rate") or _section(config, "audio", checkpoint).get("sample_rate") or 44100
    return ModelCard(
        id=identifier,
        name=identifier,
        architecture=MEL if mel else SPLIT,
        rate=rate,
        layout="stereo" if model.get("stereo") else "mono",
        stems=tuple(stem.replace(" ", "_") for stem in stems),
        files=(ModelFile(checkpoint, form),),
        licence=licence,
        options=options,
    )


def read_config(text: str, source: str) -> dict[str, Any]:
    """Return a published configuration as plain data.

    Args:
        text: YAML; ``!!python/tuple`` is taken for a list.
        source: its name in error texts.

    Raises:
        ModelCardError: it is no YAML, no mapping, or has another tag of Python's.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.error import YAMLError

    class Constructor(SafeConstructor):
        """Knows one tag more than plain data."""

    def as_list(loader: Any, node: Any) -> list[Any]:
        values: list[Any] = loader.construct_sequence(node, deep=True)
        return values

    Constructor.add_constructor(_TUPLE, as_list)
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Constructor
    try:
        found = yaml.load(text[:_MOST_CHARACTERS])
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _fault(source, "", f"is no plain YAML: {' '.join(str(error).split()):.160}") from None
    if not isinstance(found, dict):
        raise _fault(source, "", "is no configuration: it must be a mapping")
    return found


def _segments(config: dict[str, Any], model: dict[str, Any], source: str) -> dict[str, Any]:
    """Return how long segments are and how they overlap, as the authors run the model."""
    inference, audio = _section(config, "inference", source), _section(config, "audio", source)
    samples = inference.get("chunk_size") or audio.get("chunk_size")
    frames = inference.get("dim_t")
    if samples is None and isinstance(frames, int):
        samples = (frames - 1) * model.get("stft_hop_length", 512)
    if not isinstance(samples, int) or samples < 1:
        raise _fault(source, "inference.chunk_size", "must say how many samples a segment has")
    times = inference.get("num_overlap", 2)
    if not isinstance(times, int) or times < 1:
        raise _fault(source, "inference.num_overlap", "must be a whole number from 1")
    return {"segment": samples, "overlap": round(1 - 1 / times, 6)}


def _section(config: dict[str, Any], name: str, source: str) -> dict[str, Any]:
    section = config.get(name) or {}
    if not isinstance(section, dict):
        raise _fault(source, name, "must be a mapping")
    return section


def _fault(source: str, key: str, message: str) -> ModelCardError:
    return ModelCardError([Problem(Place(f"the configuration of {source}", None, key), message)])
