"""Where models are kept, where people put cards of their own, and whether the network may be used."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["OFFLINE", "ROOT", "is_offline", "store_folder", "user_cards_folder"]

#: This environment variable names the folder that holds the models' files.
ROOT = "UNBRAID_MODELS"
#: Set this environment variable to 1, and nothing is ever fetched.
OFFLINE = "UNBRAID_OFFLINE"


def store_folder() -> Path:
    """Return the folder of models: ``UNBRAID_MODELS``, else ``$XDG_CACHE_HOME/unbraid/models``."""
    if folder := os.environ.get(ROOT):
        return Path(folder).expanduser().absolute()
    return _base("XDG_CACHE_HOME", ".cache") / "unbraid" / "models"


def user_cards_folder() -> Path:
    """Return the folder of the user's own cards: ``$XDG_DATA_HOME/unbraid/models``."""
    return _base("XDG_DATA_HOME", ".local/share") / "unbraid" / "models"


def is_offline() -> bool:
    """Return whether `OFFLINE` forbids the network: set to anything but "" and "0"."""
    return os.environ.get(OFFLINE, "") not in {"", "0"}


def _base(variable: str, below_home: str) -> Path:
    # The XDG specification says to ignore a relative path.
    if (folder := os.environ.get(variable)) and Path(folder).is_absolute():
        return Path(folder)
    try:
        return Path.home() / below_home
    except RuntimeError:  # neither HOME nor an entry for the user, as in many containers
        return Path(tempfile.gettempdir()) / f"{below_home.strip('.')}-{os.geteuid()}"
