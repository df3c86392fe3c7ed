"""Models over segments that exist for the tests: each does one thing that shows what the host does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from unbraid.host.contract import (
    Params,
    PluginCard,
    Port,
    Ports,
    SegmentProcessor,
    TorchSegmentProcessor,
    hookimpl,
    param,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from unbraid.host.contract import Spec

    Array = npt.NDArray[np.float32]


class GridParams(Params, frozen=True):
    """Parameters of every model here."""

    segment: Annotated[int, param("samples in a segment", ge=1, le=10_000_000, fixed=True)] = 1000
    hop: Annotated[int, param("samples between segments", ge=1, le=10_000_000, fixed=True)] = 700
    batch: Annotated[int, param("segments in a batch", ge=0, le=64, fixed=True)] = 3
    gain: Annotated[float, param("linear factor", ge=-10, le=10)] = 1.0


class _Gridded(SegmentProcessor[GridParams]):
    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return what the parameters say."""
        return self.params.segment, self.params.hop, self.params.batch


class Identity(_Gridded):
    """Gives its input back."""

    #: The samples of every batch that was handed over, newest last.
    seen: ClassVar[list[Array]] = []

    def separate(self, batch: Array) -> Array:
        """Return the batch as one stem, and spoil what was handed over: it is the author's own."""
        self.seen.append(batch.copy())
        stems = batch[:, None].copy()
        batch[:] = np.nan
        return stems


class Numbered(_Gridded):
    """Gives each segment its number, from 1."""

    def separate(self, batch: Array) -> Array:
        """Return numbers."""
        numbers = [start // self.params.hop + 1 for start in self.batch_starts]
        return np.ones_like(batch)[:, None] * np.array(numbers, np.float32)[:, None, None, None]


class Louder(_Gridded):
    """Multiplies each segment by its own gain."""

    def separate(self, batch: Array) -> Array:
        """Return each segment at the gain in force at its centre."""
        gains = np.array([params.gain for params in self.batch_params], np.float32)
        return gains[:, None, None, None] * batch[:, None]


class Halves(_Gridded):
    """Two stems in an order of its own: three quarters, one quarter."""

    stems = ("most", "least")

    def separate(self, batch: Array) -> Array:
        """Return both."""
        return np.stack([0.75 * batch, 0.25 * batch], axis=1)


class Wrong(_Gridded):
    """Gives something else than it should, by `gain`: a shape, a word, or an exception."""

    def separate(self, batch: Array) -> Any:
        """Return it."""
        if self.params.gain == 1:
            return batch
        if self.params.gain == 2:
            return "stems"
        raise RuntimeError("out of memory on the device")


class Toy(TorchSegmentProcessor[GridParams]):
    """A small random network, not linear, with a kernel of 63 samples; two stems."""

    stems = ("a", "b")

    def geometry(self, spec: Spec) -> tuple[int, int, int]:
        """Return what the parameters say."""
        return self.params.segment, self.params.hop, self.params.batch

    def network(self) -> Any:
        """Return the network, the same for every seed."""
        import torch
        from torch import nn

        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv1d(1, 24, 63, padding="same"),
            nn.Dropout(0.5),
            nn.GELU(),
            nn.Conv1d(24, 2, 63, padding="same"),
        )

    def infer(self, batch: Any) -> Any:
        """Run it over every channel; ``[batch, stems, channels, samples]``."""
        size, channels, n = batch.shape
        assert not self.net.training
        return self.net(batch.reshape(size * channels, 1, n)).reshape(size, channels, 2, n).transpose(1, 2)


def _card(plugin: str, cls: type, **more: Any) -> PluginCard:
    return PluginCard(plugin, plugin, "1", "MIT", f"segment_rig:{cls.__name__}", params=GridParams, **more)


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the models."""
    two = Ports((Port("in"), Port("other")), (Port("out"),))
    return [
        _card("identity", Identity),
        _card("identity44", Identity, rates=(44100,)),
        _card("numbered", Numbered),
        _card("louder", Louder),
        _card("halves", Halves, ports=Ports((Port("in"),), (Port("least"), Port("most")))),
        _card("misnamed", Halves, ports=Ports((Port("in"),), (Port("more"), Port("most")))),
        _card("two-inputs", Identity, ports=two),
        _card("wrong", Wrong),
        _card("toy", Toy, ports=Ports((Port("in"),), (Port("a"), Port("b"))), devices=("cpu", "cuda")),
    ]
