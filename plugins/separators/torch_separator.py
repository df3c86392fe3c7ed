"""A torch network as a `Separator`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...host.contract.torch_segments import run_network

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

__all__ = ["TorchSeparator"]


class TorchSeparator:
    """Runs a network that maps ``[batch, channels, samples]`` to ``[batch, stems, channels, samples]``.

    Args:
        net: in evaluation mode, on its device; shared, so nobody changes it.
        device: "cpu" or "cuda".
        call: from a batch on the device to the stems, where calling the network is not all.
    """

    def __init__(self, net: Any, device: str, call: Callable[[Any], Any] | None = None) -> None:
        self._net, self._device, self._call = net, device, call or net

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the stems of every segment."""
        return run_network(self._call, batch, self._device)
