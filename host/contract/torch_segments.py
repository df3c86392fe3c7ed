"""`TorchSegmentProcessor`: a torch network over segments, on the node's device."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from ...kernels.threads import thread_count
from .errors import PluginError
from .params import Params
from .segment_processor import SegmentProcessor
from .torch_switches import whole_float32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from .audio import Spec

__all__ = ["TorchSegmentProcessor", "on_device", "run_network"]

P = TypeVar("P", bound=Params)
T = TypeVar("T")


class TorchSegmentProcessor(SegmentProcessor[P]):
    """A `SegmentProcessor` whose model is a ``torch.nn.Module``.

    The author writes `network`, and `infer` where calling the network is not all. Both run without gradients,
    in evaluation mode, on the device that the graph gives the node. On CUDA the algorithms of cuDNN are the
    deterministic ones, nothing is computed in TF32 (see `torch_switches`), and inverse transforms give what
    they give on the CPU (see `torch_spectra`). torch is imported when a node is prepared, not before.

    Attributes:
        autocast: lets CUDA compute in this type where torch holds it safe (about 1e-3 off); None: float32
            throughout. The CPU always computes in float32.
        net: the network, from prepare to release.

    Example:
        >>> class Identity(TorchSegmentProcessor[Params]):
        ...     segment, hop = 44100, 33075
        ...     def network(self):
        ...         from torch import nn
        ...         return nn.Identity()
        ...     def infer(self, batch):
        ...         return self.net(batch)[:, None]  # one stem
    """

    autocast: ClassVar[Literal["float16", "bfloat16"] | None] = None
    net: Any

    @abstractmethod
    def network(self) -> Any:
        """Return the ``torch.nn.Module`` with its weights, on the CPU. Called by prepare."""

    def infer(self, batch: Any) -> Any:
        """Return the stems, a tensor ``[batch, stems, channels, samples]``.

        Args:
            batch: float32 tensor ``[batch, channels, samples]`` on the node's device.
        """
        return self.net(batch)

    def prepare(self, spec: Spec) -> None:
        """Allocate the segments, build the network and bring it to the device.

        Raises:
            PluginError: torch cannot use the device.
        """
        super().prepare(spec)
        self.net = on_device(self.network().eval(), spec.device)

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run `infer` over one batch."""
        return run_network(self.infer, batch, self.spec.device, self.autocast)

    def release(self) -> None:
        """Give back the segments and the network."""
        super().release()
        self.net = None


def on_device(thing: T, device: str) -> T:
    """Return a network or a tensor of torch on a device.

    Args:
        thing: a network is moved, a tensor copied where it is elsewhere.
        device: "cpu" or "cuda".

    Raises:
        PluginError: torch has no CUDA, or the driver is none of its own.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise PluginError(
            f"torch {torch.__version__} cannot use CUDA here: install a build of it for your driver's CUDA "
            "(see nvidia-smi), or write device: cpu"
        )
    moved: T = thing.to(device)  # type: ignore[attr-defined]
    return moved


def run_network(
    call: Callable[[Any], Any],
    batch: npt.NDArray[np.float32],
    device: str,
    autocast: Literal["float16", "bfloat16"] | None = None,
) -> npt.NDArray[np.float32]:
    """Return what ``call`` makes of a batch, without gradients and with the same bits every time.

    torch uses as many threads as kernels do (``UNBRAID_THREADS``, `use_threads`), or as few as it was told.

    Args:
        call: takes a float32 tensor on the device and returns one.
        batch: of any shape; it is copied where the device is not the CPU.
        device: "cpu" or "cuda".
        autocast: lets CUDA compute in this type where torch holds it safe.

    Raises:
        PluginError: the device has too little memory.
    """
    import torch

    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(_few_threads())
        if device == "cuda":
            from .torch_spectra import RealEnds

            stack.enter_context(whole_float32())
            stack.enter_context(RealEnds())
            if autocast is not None:
                stack.enter_context(torch.autocast("cuda", getattr(torch, autocast)))
        try:
            made = call(torch.from_numpy(batch).to(device))
            array: npt.NDArray[np.float32] = made.to("cpu", torch.float32).numpy()
        except torch.OutOfMemoryError as error:
            told = str(error).partition(". If reserved")[0]  # settings of torch's, for who writes programs
            raise PluginError(f"{told}; take a shorter segment or a smaller batch, or device: cpu") from error
    return array


@contextmanager
def _few_threads() -> Iterator[None]:
    """Let torch use no more threads than kernels may; after that it has its own number again."""
    import torch

    before = torch.get_num_threads()
    wanted = min(before, thread_count())
    if wanted == before:  # to set it is a little work, and another thread may be setting it
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
