"""Sessions of ONNX Runtime, all opened with the same settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.contract.errors import PluginError, one_line
from ...host.models import onnx_runtime
from ...kernels.threads import thread_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

__all__ = ["open_session"]

#: The provider of each device, with its settings. On CUDA no algorithm is chosen by a race, and all of
#: float32 is used: equal bits each time.
_PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
}


def open_session(
    model: bytes,
    what: str,
    *,
    extra: str,
    device: str = "cpu",
    constants: Mapping[str, npt.NDArray[np.float32]] | None = None,
    threads: int = 0,
) -> Any:
    """Return a session that runs a graph on one device and no other.

    It uses as many threads as kernels do, which sleep while there is nothing to do: the rest of a render
    runs between two segments. The result does not depend on their number.

    Args:
        model: a serialised graph.
        what: how an error names it.
        extra: of Unbraid, which installs the runtime.
        device: "cpu", or "cuda", which needs onnxruntime-gpu.
        constants: tensors that the graph names as external; they must live as long as the session.
        threads: how many it may use; 0: as many as kernels do.

    Raises:
        PluginError: the runtime is not installed, lacks the device, or refuses the graph.
    """
    try:
        runtime = onnx_runtime()
    except ImportError:
        raise PluginError(f"{what}: needs onnxruntime: pip install 'unbraid[{extra}]'") from None
    provider, terms = _PROVIDERS[device]
    if provider not in runtime.get_available_providers():
        raise PluginError(
            f"{what}: this onnxruntime has no CUDA: pip install onnxruntime-gpu in its place, or device: cpu"
        )
    options = runtime.SessionOptions()
    options.use_deterministic_compute = True
    options.intra_op_num_threads = threads or thread_count()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if constants:
        held = [runtime.OrtValue.ortvalue_from_numpy(value) for value in constants.values()]
        options.add_external_initializers(list(constants), held)
    try:
        session = runtime.InferenceSession(model, options, providers=[(provider, terms)])
    except Exception as error:
        raise PluginError(f"{what}: ONNX Runtime refuses it: {one_line(error)}") from error
    if session.get_providers()[0] != provider:  # the runtime would go on with the CPU
        raise PluginError(f"{what}: ONNX Runtime cannot use CUDA here: see nvidia-smi, or device: cpu")
    return session
