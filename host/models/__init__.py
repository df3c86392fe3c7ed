"""Models: cards, where their files are, how they come, and how their tensors are read safely.

What a plugin that runs a network needs, from Unbraid or from anyone: `model_card` while a graph is checked,
`load_network` or `load_weights` when a node is prepared, `check_keys` between the two.

Example:
    >>> import numpy as np
    >>> from unbraid.host.models import Weights, check_keys
    >>> weights = Weights(scale=np.ones(2, np.float32))
    >>> check_keys({"scale": np.zeros(2)}, weights, "tiny.safetensors")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cache import loaded_once
    from .card import Licence, ModelCard, ModelFile, PackageFile
    from .card_document import parse_card, read_card, write_card
    from .catalogue import Catalogue, model_card
    from .convert import load_weights, to_safetensors
    from .errors import (
        CheckpointError,
        ModelCardError,
        ModelCorruptError,
        ModelError,
        ModelFetchError,
        ModelMissingError,
        OfflineError,
        UnknownModelError,
    )
    from .fetching import fetch
    from .importing import import_files, import_with_card
    from .keys import check_keys
    from .network import load_network
    from .safetensors_files import save_tensors
    from .store import Store, Verdict
    from .tensors import Weights, load_tensors
    from .transfer import Patience

_HOME = {
    "Catalogue": "catalogue",
    "CheckpointError": "errors",
    "Licence": "card",
    "ModelCard": "card",
    "ModelCardError": "errors",
    "ModelCorruptError": "errors",
    "ModelError": "errors",
    "ModelFetchError": "errors",
    "ModelFile": "card",
    "ModelMissingError": "errors",
    "OfflineError": "errors",
    "PackageFile": "card",
    "Patience": "transfer",
    "Store": "store",
    "UnknownModelError": "errors",
    "Verdict": "store",
    "Weights": "tensors",
    "check_keys": "keys",
    "fetch": "fetching",
    "import_files": "importing",
    "import_with_card": "importing",
    "load_network": "network",
    "load_tensors": "tensors",
    "load_weights": "convert",
    "loaded_once": "cache",
    "model_card": "catalogue",
    "parse_card": "card_document",
    "read_card": "card_document",
    "save_tensors": "safetensors_files",
    "to_safetensors": "convert",
    "write_card": "card_document",
}
__all__ = [
    "Catalogue",
    "CheckpointError",
    "Licence",
    "ModelCard",
    "ModelCardError",
    "ModelCorruptError",
    "ModelError",
    "ModelFetchError",
    "ModelFile",
    "ModelMissingError",
    "OfflineError",
    "PackageFile",
    "Patience",
    "Store",
    "UnknownModelError",
    "Verdict",
    "Weights",
    "check_keys",
    "fetch",
    "import_files",
    "import_with_card",
    "load_network",
    "load_tensors",
    "load_weights",
    "loaded_once",
    "model_card",
    "parse_card",
    "read_card",
    "save_tensors",
    "to_safetensors",
    "write_card",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
