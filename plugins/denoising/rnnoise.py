"""`RNNoise`: Xiph's recurrent network over 32 bands, as a node.

J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP 2018, in
the form of RNNoise 0.2. The library, weights inside, comes with the package pyrnnoise, which is not imported
(it asks for much that is not needed here, and can do without when it is installed with ``--no-deps``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .engine_package import EnginePackage
from .frame_engine import FrameEngine
from .parameters import FilterParams

if TYPE_CHECKING:
    from pathlib import Path

    from ...host.contract.processor import Array

__all__ = ["RNNoise", "find_rnnoise"]

P = TypeVar("P", bound=FilterParams)

_PACKAGE = EnginePackage("rnnoise", "pyrnnoise", "0.4.5", "pip install --no-deps pyrnnoise==0.4.5")
_LIBRARY = "pyrnnoise/librnnoise.so"
_FULL_SCALE = 32768.0  # it takes 16-bit samples as floats
_DECLARATIONS = """
void *rnnoise_create(void *model);
float rnnoise_process_frame(void *state, float *output, const float *input);
void rnnoise_destroy(void *state);
"""


def find_rnnoise() -> Path:
    """Return where the library lies; nothing is loaded.

    Raises:
        ModelMissingError: the package is not installed, or in another version; says what installs it.
        ModelCorruptError: it lacks the library.
    """
    return _PACKAGE.path(_LIBRARY)


class RNNoise(FrameEngine[P]):
    """RNNoise: 48 kHz, 20 ms of its own delay (frames of 20 ms and one of look-ahead).

    It takes off what lies below 20 Hz by a filter that turns the phase above it too: from 1 kHz on its output
    is 960 samples late, at 100 Hz some 24 less. So of a voice's lowest tones a part stays in the residual,
    10 dB down at 100 Hz, 16 dB at 200 Hz.
    """

    model = "rnnoise"
    delay = 960
    ringing = 7680  # its high-pass rings: 7221 after direct current, until 80 dB down

    def open_channels(self, channels: int) -> None:
        """Make a state for each channel.

        Raises:
            ModelMissingError: the package is not installed, or in another version.
            ModelCorruptError: the library cannot be loaded.
        """
        self._ffi, self._library = _PACKAGE.library(_LIBRARY, _DECLARATIONS)
        create, destroy = self._library.rnnoise_create, self._library.rnnoise_destroy
        self._states: list[Any] = [self._ffi.gc(create(self._ffi.NULL), destroy) for _ in range(channels)]

    def close_channels(self) -> None:
        """Free the states."""
        self._states = []

    def frame(self, channel: int, samples: Array) -> Array:
        """Return the next frame, denoised."""
        import numpy as np

        scaled = samples * np.float32(_FULL_SCALE)
        made = np.empty_like(samples)
        taken, given = (self._ffi.from_buffer("float[]", array) for array in (scaled, made))
        self._library.rnnoise_process_frame(self._states[channel], given, taken)
        made *= np.float32(1 / _FULL_SCALE)
        return made
