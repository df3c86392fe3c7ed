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
    from .cache import keep_loaded, loaded_once
    from .card import Licence, ModelCard, ModelFile, PackageFile
    from .card_document import parse_card, read_card, write_card
    from .catalogue import Catalogue, model_card
    from .convert import load_weights, to_safetensors
    from .description import Checkpoint, describe
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
    from .programs import check_program, load_program
    from .removing import remove
    from .runtime import onnx_runtime
    from .safetensors_files import save_tensors
    from .store import Store, Verdict
    from .tensors import Weights, load_notes, load_tensors
    from .transfer import Patience

_HOME = {
    "Catalogue": "catalogue",
    "Checkpoint": "description",
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
    "check_program": "programs",
    "describe": "description",
    "fetch": "fetching",
    "import_files": "importing",
    "import_with_card": "importing",
    "keep_loaded": "cache",
    "load_network": "network",
    "load_notes": "tensors",
    "load_program": "programs",
    "load_tensors": "tensors",
    "load_weights": "convert",
    "loaded_once": "cache",
    "model_card": "catalogue",
    "onnx_runtime": "runtime",
    "parse_card": "card_document",
    "read_card": "card_document",
    "remove": "removing",
    "save_tensors": "safetensors_files",
    "to_safetensors": "convert",
    "write_card": "card_document",
}
__all__ = [
    "Catalogue",
    "Checkpoint",
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
    "check_program",
    "describe",
    "fetch",
    "import_files",
    "import_with_card",
    "keep_loaded",
    "load_network",
    "load_notes",
    "load_program",
    "load_tensors",
    "load_weights",
    "loaded_once",
    "model_card",
    "onnx_runtime",
    "parse_card",
    "read_card",
    "remove",
    "save_tensors",
    "to_safetensors",
    "write_card",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
