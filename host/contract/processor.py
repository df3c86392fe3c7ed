"""The processor: what the host calls, in which state, and on which thread.

States: constructed -> ``prepare`` -> (``set`` | ``process`` | ``reset``)* -> ``release`` -> ``prepare`` ...
All calls for one processor come from one thread at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from .params import Params

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from .audio import Spec
    from .compiled import Compiled

    Array: TypeAlias = npt.NDArray[np.float32]

__all__ = ["BlockProcessor", "Processor"]

P = TypeVar("P", bound=Params)


class Processor(Protocol):
    """What the host needs of a node. The factory on the card is called with the parameters.

    Attributes:
        latency: samples by which the outputs lag, at the rate in ``Spec``; constant from
            ``prepare()`` to the next ``prepare()`` or ``release()``.
        tail: samples for which the outputs may sound on after the input has ended, with the parameters
            at ``prepare()``.
    """

    @property
    def latency(self) -> int: ...  # noqa: D102
    @property
    def tail(self) -> int: ...  # noqa: D102

    def prepare(self, spec: Spec) -> None:
        """Allocate for these terms. May be called again after ``release()``."""

    def set(self, params: Params) -> None:
        """Take new parameters; only between ``process()`` calls. Must not change latency or tail."""

    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Fill every array in ``outs``.

        Args:
            ins: by connected input port, float32 ``[channels, samples]``, C-contiguous, read-only.
            outs: by connected output port, the same length, uninitialised, never aliasing ``ins``.
                Write into the arrays (``outs["out"][:] = y``). The length is 0 to ``spec.max_block`` and may
                differ from call to call. All arrays are valid during the call only.
        """

    def reset(self) -> None:
        """Forget the signal, keep the parameters: indistinguishable from freshly prepared."""

    def release(self) -> None:
        """Give back what ``prepare()`` took; also called after a ``prepare()`` that failed."""

    def compiled(self) -> Compiled | None:
        """Return the compiled form, or None when there is none."""


class BlockProcessor(ABC, Generic[P]):
    """Base for authors who write ``process`` themselves; everything else has a sane default.

    Example:
        >>> class Half(BlockProcessor[Params]):
        ...     def process(self, ins, outs):
        ...         outs["out"][:] = 0.5 * ins["in"]
    """

    latency: int = 0
    tail: int = 0
    spec: Spec

    def __init__(self, params: P) -> None:
        self.params = params

    def prepare(self, spec: Spec) -> None:
        """Keep the terms as ``self.spec``. Override to allocate, and call this first."""
        self.spec = spec

    def set(self, params: P) -> None:
        """Keep the parameters as ``self.params``."""
        self.params = params

    @abstractmethod
    def process(self, ins: Mapping[str, Array], outs: Mapping[str, Array]) -> None:
        """Fill every array in ``outs`` from ``ins``: the one method an author must write."""

    def reset(self) -> None:
        """Forget the signal. The default suits processors without state."""

    def release(self) -> None:
        """Give back resources. The default has none."""

    def compiled(self) -> Compiled | None:
        """Return None: there is no compiled form by default."""
        return None

    def findings(self) -> Mapping[str, float | str]:
        """Return what was found out, for a render's report: ``{"loudness / LUFS": -23.4}``; here nothing."""
        return {}
