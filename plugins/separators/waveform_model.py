"""What exported models share: a waveform goes in, stems come out, in the axes that the card names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...host.contract.errors import PluginError
from .axes import Axes
from .options import Options, card_fault, read_options
from .separator import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from ...host.models import ModelCard

__all__ = ["Tensor", "WaveformOptions", "WaveformSeparator", "waveform_geometry", "waveform_options"]


class WaveformOptions(Options, frozen=True):
    """The options of cards whose network comes with its file.

    Attributes:
        segment: samples that the model takes at once.
        seconds: the same in seconds, in place of ``segment``.
        overlap: share of a segment that neighbours overlap, 0 to below 1.
        multiple: a segment must be a multiple of so many samples.
        domain: what the model takes; waveforms are all that is run.
        input: the axes of its input; see `Axes`. Without ``B`` it takes one segment at a time.
        output: the axes of its output. Without ``S`` each stem has an output tensor of its own.
        outputs: the names of its output tensors, in the order of the card's stems where each has its own;
            by default all of the model's, in its order.
        per_channel: a model of one channel is run on every channel by itself, whatever the layout.
        normalise: ``peak`` brings each segment to a peak of 1 before the model and back after it.
    """

    segment: int = 0
    seconds: float = 0.0
    overlap: float = 0.25
    multiple: int = 1
    domain: str = "waveform"
    input: str = "BCT"
    output: str = "BSCT"
    outputs: tuple[str, ...] = ()
    per_channel: bool = False
    normalise: Literal["none", "peak"] = "none"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a model, as its file describes it.

    Attributes:
        name: in the file.
        shape: one length for each axis; None where it may vary.
    """

    name: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sides = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{self.name} [{sides}]"


def waveform_options(card: ModelCard) -> WaveformOptions:
    """Return a card's options, held against the rest of the card.

    Raises:
        ModelCardError: one is missing, unknown, out of bounds, or does not go with another.
    """
    options = read_options(card, WaveformOptions)
    if options.domain != "waveform":
        message = f"options.domain is {options.domain!r:.40}: only models of waveforms are run"
        raise card_fault(card, "options", message, "export the model with its transform and masks inside")
    if (options.segment > 0) == (options.seconds > 0) or options.segment < 0 or options.seconds < 0:
        remedy = "write segment: SAMPLES or seconds: LENGTH under options"
        raise card_fault(card, "options", "needs one of segment and seconds, above 0", remedy)
    if not 0 <= options.overlap < 1 or options.multiple < 1:
        raise card_fault(card, "options", "overlap must be 0 to below 1, multiple at least 1")
    if _segment(card, options) % options.multiple:
        message = f"a segment of {_segment(card, options)} samples is no multiple of {options.multiple}"
        raise card_fault(card, "options", message)
    if (told := _axes_fault(card, options)) is not None:
        raise card_fault(card, "options", told)
    return options


def waveform_geometry(card: ModelCard) -> Geometry:
    """Return the stretches of sound that the card says its model takes.

    Raises:
        ModelCardError: as `waveform_options`.
    """
    options = waveform_options(card)
    return Geometry(_segment(card, options), options.overlap, options.multiple)


def _segment(card: ModelCard, options: WaveformOptions) -> int:
    if options.segment:
        return options.segment
    return max(1, round(options.seconds * card.rate / options.multiple)) * options.multiple


def _axes_fault(card: ModelCard, options: WaveformOptions) -> str | None:
    try:
        given, made = Axes.parse(options.input), Axes.parse(options.output)
    except ValueError as error:
        return str(error)
    channels = 1 if options.per_channel else card.channels
    told = None
    if given.has("S"):
        told = f"input {options.input} names stems, which a model gives"
    elif options.per_channel and card.channels > 1:
        told = f"per_channel is for models of one channel, and the card's layout is {card.layout}"
    elif channels > 1 and not (given.has("C") and made.has("C")):
        told = f"input {options.input} and output {options.output} must both name C for {card.layout}"
    elif made.has("S") and len(options.outputs) > 1:
        told = f"output {options.output} holds all stems, so outputs names one tensor"
    elif not made.has("S") and len(options.outputs) not in {0, len(card.stems)}:
        told = f"outputs must name one tensor for each stem: {', '.join(card.stems)}"
    return told


class WaveformSeparator:
    """An exported model as a `Separator`.

    Args:
        card: the model's.
        run: takes the input tensor, gives the output tensors in order.
        given: the model's input.
        made: its outputs, in the order that ``run`` gives them.

    Raises:
        ModelCardError: the file's tensors are not those of the card.
    """

    def __init__(
        self,
        card: ModelCard,
        run: Callable[[npt.NDArray[np.float32]], Sequence[npt.NDArray[Any]]],
        given: Sequence[Tensor],
        made: Sequence[Tensor],
    ) -> None:
        self._card, self._run = card, run
        self._options = waveform_options(card)
        self._in, self._out = Axes.parse(self._options.input), Axes.parse(self._options.output)
        self._channels = 1 if self._options.per_channel else card.channels
        self._given = self._only(given)
        self._chosen = self._choose(made)
        self._at_once = self._batch_of(made)
        self._check_channels()
        self.require(waveform_geometry(card).segment)

    def require(self, segment: int) -> None:
        """Raise unless the model takes segments of this length.

        Raises:
            PluginError: it was exported for another.
        """
        (axis,) = (axis for axis, group in enumerate(self._in.groups) if "T" in group)
        fixed = self._given.shape[axis]
        if fixed is not None and self._in.groups[axis] == "T" and fixed != segment:
            raise PluginError(
                f"model {self._card.id} takes exactly {fixed} samples, not {segment}: write segment: {fixed} "
                "under options on its card, and leave the node's segment at 0"
            )

    def separate(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the stems of every segment, float32 ``[batch, stems, channels, samples]``."""
        import numpy as np

        size, channels, samples = batch.shape
        self.require(samples)
        peaks = np.ones((size, 1, 1), np.float32)
        if self._options.normalise == "peak":
            peaks = np.abs(batch).max(axis=(1, 2), keepdims=True)
            peaks[peaks == 0] = 1
            batch = batch / peaks
        if self._options.per_channel:
            batch = batch.reshape(size * channels, 1, samples)
        step = self._at_once or len(batch)
        stems = np.concatenate([self._some(batch[i : i + step], step) for i in range(0, len(batch), step)])
        if self._options.per_channel:
            stems = stems.reshape(size, channels, -1, samples).transpose(0, 2, 1, 3)
        return stems * peaks[:, None] if self._options.normalise == "peak" else stems

    def _some(self, batch: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
        """Run the model once, on as many segments as it takes; those that are missing are silent."""
        import numpy as np

        wanted = len(batch)
        if wanted < step:
            silence = np.zeros((step - wanted, *batch.shape[1:]), np.float32)
            batch = np.concatenate([batch, silence])
        made = self._run(self._in.pack(batch))
        sizes = {"B": step, "S": len(self._card.stems), "C": self._channels, "T": batch.shape[2]}
        if not self._out.has("S"):
            sizes["S"] = 1
        shape = self._out.shape(sizes)
        stems = []
        for index in self._chosen:
            if tuple(made[index].shape) != shape:
                raise PluginError(
                    f"model {self._card.id} gave {list(made[index].shape)} where its card's output: "
                    f"{self._out.text} means {list(shape)}"
                )
            stems.append(self._out.unpack(made[index], sizes))
        return np.concatenate(stems, axis=1)[:wanted].astype(np.float32, copy=False)

    # What the file says against what the card says

    def _only(self, given: Sequence[Tensor]) -> Tensor:
        if len(given) != 1:
            names = ", ".join(tensor.name for tensor in given)
            told = f"its model has {len(given)} inputs ({names}), and only models of one, the sound, are run"
            raise card_fault(self._card, "files", told)
        self._check_sides(given[0], self._in, "input")
        return given[0]

    def _choose(self, made: Sequence[Tensor]) -> list[int]:
        """Return which of the outputs hold the stems, in the card's order."""
        names = [tensor.name for tensor in made]
        listed = ", ".join(names)
        for name in self._options.outputs:
            if name not in names:
                raise card_fault(self._card, "options", f"its model has no output {name!r}: it has {listed}")
        chosen = [names.index(name) for name in self._options.outputs] or list(range(len(made)))
        wanted = 1 if self._out.has("S") else len(self._card.stems)
        if len(chosen) != wanted:
            told = f"output: {self._out.text} means {wanted} output tensors, it has {len(chosen)}: {listed}"
            raise card_fault(self._card, "options", told, "name those that hold stems in outputs: [...]")
        for index in chosen:
            self._check_sides(made[index], self._out, "output")
        return chosen

    def _check_sides(self, tensor: Tensor, axes: Axes, key: str) -> None:
        if len(tensor.shape) != len(axes.groups):
            told = f"{key}: {axes.text} names {len(axes.groups)} axes, and its model has {tensor}"
            raise card_fault(self._card, "options", told, f"write the axes as {key}: ...; see B, S, C, T, 1")

    def _batch_of(self, made: Sequence[Tensor]) -> int:
        """Return how many segments the model takes at once; 0 where that is free."""
        if not (self._in.has("B") and self._out.has("B")):
            return 1
        sides = [(self._given, self._in), *((made[index], self._out) for index in self._chosen)]
        fixed = {
            side
            for tensor, axes in sides
            for side, group in zip(tensor.shape, axes.groups, strict=True)
            if group == "B" and side is not None
        }
        return min(fixed) if fixed else 0

    def _check_channels(self) -> None:
        for side, group in zip(self._given.shape, self._in.groups, strict=True):
            if group == "C" and side not in {None, self._channels}:
                told = (
                    f"its model has the input {self._given}, and {self._options.input} means {side} channels"
                )
                raise card_fault(self._card, "layout", told)
